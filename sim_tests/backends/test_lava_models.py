"""The models that we name are those that Lava's own search would choose."""

import importlib
import pkgutil

import pytest

pytestmark = pytest.mark.needs_lava
GRAPHS = ("inference", "library_inference", "learning", "library_learning")


@pytest.fixture(scope="module")
def kinds():
    """Every class of processes that a module with processes or with a graph names."""
    from lava.magma.core.process.process import AbstractProcess

    from ff2loihi import processes

    names = [module.name for module in pkgutil.walk_packages(processes.__path__, "ff2loihi.processes.")]
    names += [f"ff2loihi.backends.lava.graphs.{name}" for name in GRAPHS]
    names += ["ff2loihi.backends.loihi.payload.library_neurons"]
    named = [value for name in names for value in vars(importlib.import_module(name)).values()]
    found = {value for value in named if isinstance(value, type) and issubclass(value, AbstractProcess)}
    return sorted(found - {AbstractProcess}, key=lambda kind: (kind.__module__, kind.__name__))


@pytest.fixture
def each_folder_once(monkeypatch):
    """Lava's search executes a folder again for every file in it, and finds nothing new: 20 s."""
    real, seen = pkgutil.iter_modules, set()

    def once(path, prefix=""):
        new = (*path, prefix) not in seen
        seen.add((*path, prefix))
        return real(path, prefix) if new else ()

    monkeypatch.setattr(pkgutil, "iter_modules", once)
    return seen


def test_every_process_runs_the_model_that_lavas_own_search_chooses(kinds, each_folder_once):
    """Both depend on a process's class alone, so that no process need be built."""
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.magma.core.run_configs import Loihi2SimCfg

    from ff2loihi.backends.lava.graphs.learning import run_config

    assert {"Source", "FFLayer", "Dense", "LearningDense", "ProdNeuron", "RingBuffer"} <= {k.__name__ for k in kinds}
    differ = []
    for process in map(object.__new__, kinds):
        process._runtime = None  # Lava's __del__ asks for it
        each_folder_once.clear()
        models = ProcGroupDiGraphs._find_proc_models(process)
        for form in ("graph", "own_plastic", "per_layer", "one_process"):
            config = run_config(form)
            told = config.exception_proc_model_map[process]
            rules = Loihi2SimCfg(
                select_tag="fixed_pt",
                select_sub_proc_model=form in ("graph", "own_plastic"),
                exception_proc_model_map=config.exception_proc_model_map.rules.exception_proc_model_map,
            )
            if told is not rules.select(process, models):
                differ.append((type(process).__name__, form, told.__name__))
    assert differ == []


def test_a_process_whose_models_lie_elsewhere_is_an_error_not_a_search(monkeypatch):
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.proc.monitor.process import Monitor

    from ff2loihi.backends.lava.models import run_config

    monkeypatch.setattr(ProcGroupDiGraphs, "_find_proc_models", None)
    monkeypatch.setattr("lava.proc.monitor.models.PyMonitorModel.implements_process", None, raising=True)
    with pytest.raises(AssertionError, match="No ProcessModels exist for Process .*Monitor"):
        run_config().exception_proc_model_map[Monitor()]
