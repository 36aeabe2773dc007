# make demo | test | test-slow | lint | lock | clean; PYTHON=python3.12 for another Python (no Lava there).
# One stamp for each PYTHON: asking for another one, or editing the lock, sets .venv up again.
STAMP := .venv/.set-up$(if $(PYTHON),-$(subst /,_,$(PYTHON)))
UV := .venv/bin/uv

.PHONY: set-up demo test test-slow lint lock clean
set-up: $(STAMP)

demo: $(STAMP)
	.venv/bin/python examples/demo.py

# loadfile: what a file's tests share (a trained model, Lava's processes) is made once and in one worker.
test: $(STAMP)
	.venv/bin/python -m pytest -n 2 --dist loadgroup --cov sim_tests

test-slow: $(STAMP)
	.venv/bin/python -m pytest -n 2 --dist loadgroup --cov --slow sim_tests

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

# Versions already locked stay; `make lock UPGRADE=--upgrade` takes the newest.
lock: $(STAMP)
	$(UV) pip compile pyproject.toml --extra test --universal --python-version 3.10 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) -o requirements.lock

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A shim named python3.10 may exist and not run, so each candidate has to start and say its version.
$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	runs() { "$$1" -c 'import sys, ensurepip, venv; sys.exit(not $(if $(PYTHON),sys.version_info >= (3, 10),sys.version_info[:2] == (3, 10)))' 2>/dev/null; }; \
	found=; \
	for python in $(or $(PYTHON),python3.10 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.10*/bin/python "$$(uv python find --system --no-python-downloads 3.10 2>/dev/null)"); do \
	  if runs "$$python"; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "$(if $(PYTHON),PYTHON=$(PYTHON) does not start or is older than 3.10.,No Python 3.10 found.) Get one with 'pyenv install 3.10' or 'uv python install 3.10', or name one: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	version='import sys; print(sys.version)'; \
	if [ "$$(.venv/bin/python -c "$$version" 2>/dev/null)" != "$$("$$found" -c "$$version")" ]; then \
	  echo "set-up: .venv with $$found"; "$$found" -m venv --clear .venv; \
	fi; \
	rm -f .venv/.set-up*; \
	[ -x $(UV) ] || .venv/bin/python -m pip install -qq --disable-pip-version-check uv; \
	$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock; \
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .; \
	touch $@
