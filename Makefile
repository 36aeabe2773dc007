# make demo | test | test-slow | docs | bench | dist | lint | lock | clean; PYTHON=python3.10 for another Python than the newest.
# make test-slow MINUTES=30: of the slow tests those that start within that time, others with each commit.
# One stamp for each PYTHON: asking for another one, or editing the lock, sets .venv up again.
STAMP := .venv/.set-up$(if $(PYTHON),-$(subst /,_,$(PYTHON)))
UV := .venv/bin/uv
# Where bytecode may not be written, every process compiles all that it imports: of torch that is ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: set-up demo test test-slow docs site bench dist lint lock clean
set-up: $(STAMP)

demo: $(STAMP)
	.venv/bin/python examples/demo.py

# loadgroup: what a file's tests share (a trained model, Lava's processes) is made once and in one worker.
# From 3.12 on the interpreter itself tells coverage which lines ran, for less than half of what that costs.
COVERAGE = COVERAGE_CORE=$$(.venv/bin/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")')
PYTEST := .venv/bin/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --cov
test: $(STAMP)
	$(COVERAGE) $(PYTEST) sim_tests

test-slow: $(STAMP)
	$(COVERAGE) $(PYTEST) --slow$(if $(MINUTES),-for $(MINUTES)) sim_tests

# The pages in out/docs, without a warning, and every block of them run. Sphinx lives in a folder beside the libraries.
docs: site
	.venv/bin/python -m pytest -n 2 --dist load sim_tests/test_pages.py sim_tests/house/test_docs.py

site: .venv/docs/.set-up
	PYTHONPATH=.venv/docs .venv/bin/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs out/docs

.venv/docs/.set-up: docs/requirements.lock $(STAMP)
	rm -rf .venv/docs
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --target .venv/docs --require-hashes -r docs/requirements.lock
	touch $@

# The ratios of this commit beside those of earlier ones; commit bench.jsonl with lines that a quiet machine gave.
bench: $(STAMP)
	mkdir -p out
	.venv/bin/ff2loihi train --epochs 0 -o out/bench.pt >/dev/null
	.venv/bin/ff2loihi compile out/bench.pt -o out/graded.ffl >/dev/null
	.venv/bin/ff2loihi compile out/bench.pt --learning on -o out/learns.ffl >/dev/null
	.venv/bin/ff2loihi bench out/graded.ffl --history bench.jsonl
	.venv/bin/ff2loihi bench out/learns.ffl --history bench.jsonl

# The sdist and the wheel made of it, in dist/, and whether what they install works; needs no network.
dist: $(STAMP)
	rm -rf dist
	$(UV) build --quiet --offline --no-build-isolation --python .venv/bin/python
	.ci/smoke dist/ff2loihi-*.whl

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	.venv/bin/pyright

# Versions already locked stay; `make lock UPGRADE=--upgrade` takes the newest.
lock: $(STAMP)
	$(UV) pip compile pyproject.toml --extra lava --extra test --universal --python-version 3.10 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) -o requirements.lock
	$(UV) pip compile --group docs --universal --python-version 3.10 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) -o docs/requirements.lock

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A shim named python3.13 may exist and not run, so each candidate has to start and say its version: one of ALLOWED.
# python3.N is looked for with pyenv and uv, too; anything else is a name or a path of one.
ALLOWED := 3.13 3.12 3.11 3.10
# lava-dl exists for 3.10 alone, and asks for an old pytest and torch: it comes without what it asks for.
$(STAMP): requirements.lock sim_tests/lava-dl.lock pyproject.toml
	@set -e; \
	runs() { "$$1" -c 'import sys, ensurepip, venv; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1:])' $(ALLOWED) 2>/dev/null; }; \
	places() { \
	  case "$$1" in (python3.*) \
	    echo "$$1" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/"$${1#python}".*/bin/python; \
	    uv python find --system --no-python-downloads "$${1#python}" 2>/dev/null || true;; \
	  (*) echo "$$1";; \
	  esac; \
	}; \
	found=; \
	for name in $(or $(PYTHON),$(ALLOWED:%=python%)); do \
	  for python in $$(places $$name); do \
	    if [ -z "$$found" ] && runs "$$python"; then found=$$python; fi; \
	  done; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "$(if $(PYTHON),PYTHON=$(PYTHON) does not start or is none of,No Python found of) $(ALLOWED). Get one with 'pyenv install 3.13' or 'uv python install 3.13', or name one: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	version='import sys; print(sys.version)'; \
	if [ "$$(.venv/bin/python -c "$$version" 2>/dev/null)" != "$$("$$found" -c "$$version")" ]; then \
	  echo "set-up: .venv with $$found"; "$$found" -m venv --clear .venv; \
	fi; \
	rm -f .venv/.set-up*; \
	[ -x $(UV) ] || .venv/bin/python -m pip install -qq --disable-pip-version-check uv; \
	$(UV) pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock; \
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .; \
	case "$$(.venv/bin/python --version)" in (*" 3.10."*) \
	  $(UV) pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r sim_tests/lava-dl.lock;; \
	esac; \
	touch $@
