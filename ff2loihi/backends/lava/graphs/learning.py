"""A LearningNetwork as Lava processes: LearningSource -> FFLayer a layer, with what the host reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from lava.proc.sparse.process import LearningSparse

from ff2loihi.backends.lava import models as lava_models
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.host_io.record import make_rows, probe_var, record_port
from ff2loihi.processes.learning.ff_layer import FFLayer
from ff2loihi.processes.learning.fused_network import FusedNetwork
from ff2loihi.processes.learning.plastic_dense import PyPlasticModel, rule_strings
from ff2loihi.processes.learning.source import LearningSource
from ff2loihi.processes.learning_rule import ThirdFactor
from ff2loihi.processes.library.shown_sparse import PyShownSparseModel
from ff2loihi.processes.library.source import LibrarySource

_MODELS = {"own_plastic": {LearningDense: PyPlasticModel}, "library": {LearningSparse: PyShownSparseModel}}
VECTORS = ("v", "r", "y2", "y3", "a")


@dataclass(frozen=True)
class LearningGraph:
    """The built graph: a process that runs it, and its layers; none where the network is one process.

    rate (1, 2): exponent and trace_shift as that process reads them, None of others.
    """

    source: LearningSource | FusedNetwork | LibrarySource
    layers: tuple[FFLayer, ...]
    network: LearningNetwork
    rate: np.ndarray | None = None

    def set_rate(self, exponent: int, trace_shift: int) -> None:
        """The learning rate from the next step on."""
        for layer in self.layers:
            layer.dw.set(dw_string(self.network, exponent))
            layer.trace_shift.set(np.array([trace_shift]))
        if self.rate is not None:
            self.rate[0] = exponent, trace_shift


def run_config(form: str) -> Loihi2SimCfg:
    """The models that a form of the layers runs, see backends.lava.learner."""
    return lava_models.run_config(
        select_sub_proc_model=form in ("graph", "own_plastic"),
        exception_proc_model_map=_MODELS.get(form),
    )


def tag_exponents(network: LearningNetwork) -> tuple[int, int] | None:
    """(exponent, decay) of dt, or None for the direct rule."""
    rule = network.update
    return (rule.tag_exponent, rule.tag_decay) if rule.eligibility == "tag" else None


def dw_string(network: LearningNetwork, exponent: int) -> str:
    """dw for Lava at that learning rate."""
    return rule_strings(exponent, tag_exponents(network))[0]


def build(network: LearningNetwork, folder: Path, start: dict) -> LearningGraph:
    """The processes; files in `folder`: input.npy and weights.L.npy, tags.L.npy are read, the rest is written.

    start: exponent and trace_shift; passed: steps that lie behind; steps: record every state of so many, 0: none.
    Files g.L.npy (period, 2): the goodness of the last presentation, at row L + steps + 1; weights.L.now.npy and, with
    the tag rule, tags.L.now.npy (1, n, inputs) at its end.
    """
    plan = {
        "file": str(folder / "input.npy"), "n": network.inputs, "layers": len(network.layers), "steps": network.steps,
        "window": network.window, "period": network.period, "events": network.events is not None,
    }  # fmt: skip
    if start["form"] == "one_process":
        np.save(folder / "rate.npy", np.array([[start["exponent"], start["trace_shift"]]]))
        process = _one_process(network, folder, start, plan)
        return LearningGraph(process, (), network, np.load(folder / "rate.npy", mmap_mode="r+"))
    source = LearningSource(**plan)
    layers, below = [], source.s_out
    for index, part in enumerate(network.layers):
        assert isinstance(part.factor, ThirdFactor)  # library_learning builds the others
        layer = FFLayer(
            weights=np.load(folder / f"weights.{index}.npy").astype(np.int32),
            tag_start=np.load(folder / f"tags.{index}.npy").astype(np.int32),
            mask=part.mask,
            positive=part.positive,
            neuron=part.neuron,
            trace=part.trace,
            factor=part.factor,
            exponent=start["exponent"],
            trace_shift=start["trace_shift"],
            tag=tag_exponents(network),
            index=index,
            layers=len(network.layers),
            passed=start["passed"],
        )
        below.connect(layer.s_in)
        source.c_out.connect(layer.c_in)
        below = layer.s_out
        record_port(layer.g_out, folder / f"g.{index}.npy", network.period)
        matrices = {"weights": layer.weights, "tags": layer.tag_1}
        if not tag_exponents(network):
            matrices.pop("tags")
        for name, var in matrices.items():
            probe_var(var, folder / f"{name}.{index}.now.npy", 1, network.period)
        if start["steps"]:
            record_port(layer.s_out, folder / f"z.{index}.npy", start["steps"])
            for name in VECTORS:
                probe_var(getattr(layer, name), folder / f"{name}.{index}.npy", start["steps"])
            for name, var in matrices.items():
                probe_var(var, folder / f"{name}.all.{index}.npy", start["steps"], dtype=np.int16)
        layers.append(layer)
    return LearningGraph(source, tuple(layers), network)


def _one_process(network: LearningNetwork, folder: Path, start: dict, source: dict) -> FusedNetwork:
    layers = []
    for index, part in enumerate(network.layers):
        shape = part.weight.shape
        make_rows(folder / f"g.{index}.npy", network.period, (2,), np.int64)
        matrices = ("weights", "tags") if tag_exponents(network) else ("weights",)
        for name in matrices:
            make_rows(folder / f"{name}.{index}.now.npy", 1, shape, np.int16, fortran=True)  # in memory (inputs, n)
        if start["steps"]:
            for name in (*VECTORS, "z"):
                make_rows(folder / f"{name}.{index}.npy", start["steps"], shape[:1], np.int64)
            for name in matrices:
                make_rows(folder / f"{name}.all.{index}.npy", start["steps"], shape, np.int16)
        layers.append(
            {
                "weights": np.load(folder / f"weights.{index}.npy"), "tags": np.load(folder / f"tags.{index}.npy"),
                "mask": part.mask, "positive": part.positive, "neuron": part.neuron, "trace": part.trace,
                "factor": part.factor, "tag": tag_exponents(network),
            }
        )  # fmt: skip
    return FusedNetwork(layers=layers, source=source, passed=start["passed"], folder=str(folder), steps=start["steps"])
