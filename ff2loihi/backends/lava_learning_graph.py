"""A LearningNetwork as Lava processes: LearningSource -> FFLayer a layer, with what the host reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense

from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.ff_layer import FFLayer
from ff2loihi.processes.learning_source import LearningSource
from ff2loihi.processes.plastic import PyPlasticModel, rule_strings
from ff2loihi.processes.record import Probe, Recorder

VECTORS = ("v", "r", "y2", "y3", "a")


@dataclass(frozen=True)
class Graph:
    """The built graph: its source and its layers."""

    source: LearningSource
    layers: tuple[FFLayer, ...]


def run_config(form: str) -> Loihi2SimCfg:
    """leaf: one fused model a layer; graph: the chip's processes with the stock LearningDense; own: with our model."""
    return Loihi2SimCfg(
        select_tag="fixed_pt",
        select_sub_proc_model=form != "leaf",
        exception_proc_model_map={LearningDense: PyPlasticModel} if form == "own" else None,
    )


def tag_exponents(network: LearningNetwork) -> tuple[int, int] | None:
    """(exponent, decay) of dt, or None for the direct rule."""
    rule = network.update
    return (rule.tag_exponent, rule.tag_decay) if rule.eligibility == "tag" else None


def dw_string(network: LearningNetwork, exponent: int) -> str:
    """dw for Lava at that learning rate."""
    return rule_strings(exponent, tag_exponents(network))[0]


def build(network: LearningNetwork, folder: Path, start: dict) -> Graph:
    """The processes; files in `folder`: input.npy and weights.L.npy, tags.L.npy are read, the rest is written.

    start: exponent and halve; passed: steps that lie behind; steps: record every state of so many, 0: none.
    Files g.L.npy (period, 2): the goodness of the last presentation, at row L + steps + 1; weights.L.now.npy and, with
    the tag rule, tags.L.now.npy (1, n, inputs) at its end.
    """
    source = LearningSource(
        file=str(folder / "input.npy"),
        n=network.inputs,
        layers=len(network.layers),
        steps=network.steps,
        window=network.window,
        period=network.period,
    )
    layers, below = [], source.s_out
    for index, plan in enumerate(network.layers):
        layer = FFLayer(
            weights=np.load(folder / f"weights.{index}.npy").astype(np.int32),
            tag_start=np.load(folder / f"tags.{index}.npy").astype(np.int32),
            positive=plan.positive,
            neuron=plan.neuron,
            trace=plan.trace,
            factor=plan.factor,
            exponent=start["exponent"],
            halve=start["halve"],
            tag=tag_exponents(network),
            index=index,
            layers=len(network.layers),
            passed=start["passed"],
        )
        below.connect(layer.s_in)
        source.c_out.connect(layer.c_in)
        below = layer.s_out
        _record(layer.g_out, folder / f"g.{index}.npy", network.period)
        matrices = {"weights": layer.weights, "tags": layer.tag_1}
        if not tag_exponents(network):
            matrices.pop("tags")
        for name, var in matrices.items():
            _probe(var, folder / f"{name}.{index}.now.npy", 1, network.period)
        if start["steps"]:
            _record(layer.s_out, folder / f"z.{index}.npy", start["steps"])
            for name in VECTORS:
                _probe(getattr(layer, name), folder / f"{name}.{index}.npy", start["steps"])
            for name, var in matrices.items():
                _probe(var, folder / f"{name}.all.{index}.npy", start["steps"], dtype=np.int16)
        layers.append(layer)
    return Graph(source, tuple(layers))


def _record(port, file: Path, rows: int) -> None:
    np.lib.format.open_memmap(file, mode="w+", dtype=np.int64, shape=(rows, *port.shape)).flush()
    recorder = Recorder(n=port.shape[0], file=str(file))
    port.connect(recorder.s_in)


def _probe(var, file: Path, rows: int, every: int = 1, dtype: type = np.int32) -> None:
    np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(rows, *var.shape)).flush()
    Probe(shape=var.shape, file=str(file), every=every).var.connect_var(var)
