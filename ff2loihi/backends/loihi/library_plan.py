"""The network of library neurons as plain numbers, and the files with which a board's machine lets it learn."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ff2loihi.backends.loihi.plan import copy_payload, save_rows
from ff2loihi.backends.presentations import Presentation
from ff2loihi.compilers.interchange import netx
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.compilers.learning.readout import input_spikes
from ff2loihi.processes.learning.fused_layer import TRACE_SEED
from ff2loihi.processes.library_rule import (
    BIAS_EXP,
    CLEAR,
    DW,
    ENABLE,
    ENABLE_EXP,
    FORCE,
    FORCE_EXP,
    GRADED_BITS,
    NO_MEMORY,
    SLOTS,
    T_EPOCH,
    X1_IMPULSE,
    GateFactor,
    controls,
)
from ff2loihi.processes.limits import ADAPTER_BITS, ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT, DU_NO_MEMORY, WEIGHT_MAX


def constants(network: LearningNetwork) -> dict:
    """Every number of the network but its weights, see processes.library_rule; (mantissa, exponent) of big weights."""
    [layer] = network.layers
    factor = layer.factor
    assert isinstance(factor, GateFactor)  # as every network of library neurons has
    return {
        "period": network.period,
        "positive": layer.positive.astype(int).tolist(),
        "fields": layer.mask is not None,
        "dw": DW,
        "x1_impulse": X1_IMPULSE,
        "t_epoch": T_EPOCH,
        "rng_seed": TRACE_SEED,
        "du": DU_NO_MEMORY,
        "dv": layer.neuron.dv,
        "vth": layer.neuron.vth,
        "graded_bits": GRADED_BITS,
        "pairs": factor.weights,
        "shift": factor.shift,
        "thresholds": factor.thresholds,
        "bias_exp": BIAS_EXP,
        "unit_dv": NO_MEMORY,
        "enable": (ENABLE, ENABLE_EXP),
        "gain": factor.gain,
        "gate_vth": factor.vth,
        "force": (FORCE, FORCE_EXP),
        "clear": CLEAR,
    }


def plan(network: LearningNetwork, artifact: str, presentations: list[Presentation]) -> dict:
    """board.json: constants, and what runs when; steps: time steps of a presentation that are recorded."""
    return {
        "artifact": artifact,
        "layer": network.layers[0].name,
        "inputs": network.inputs,
        "presentations": len(presentations),
        "learns": any(one.phase for one in presentations),
        "steps": SLOTS * network.steps,
        "steps_in": ADAPTER_STEPS_IN,
        "steps_out": ADAPTER_STEPS_OUT,
        "adapter_bits": ADAPTER_BITS,
        **constants(network),
    }


def input_rows(network: LearningNetwork, presentations: list[Presentation]) -> Iterator[np.ndarray]:
    """The spikes of each presentation, a row a time step: (period, inputs) uint8."""
    for one in presentations:
        rows = np.zeros((network.period, network.inputs), np.uint8)
        rows[1 : SLOTS * network.steps : SLOTS] = input_spikes(network, one.q, one.starts, one.label)
        yield rows


def control_rows(network: LearningNetwork, presentations: list[Presentation]) -> Iterator[np.ndarray]:
    """What clears and enables in each presentation, see library_rule.controls."""
    for one in presentations:
        stride = 1 << (one.exponent + one.trace_shift)
        yield controls(network.probability, network.steps, network.window, stride, one.phase)


HOST_ROWS = {"inputs.npy": input_rows, "control.npy": control_rows}


def weights_beyond_grid(network: LearningNetwork, states: dict[str, np.ndarray]) -> int:
    """How many weights of golden vectors grow beyond the grid: whether such a one rounds up or down is drawn."""
    [layer] = network.layers
    return int((states[f"{layer.name}.weights"] > WEIGHT_MAX).any(axis=(0, 1)).sum())


def write(
    folder: Path, network: LearningNetwork, artifact: str, presentations: list[Presentation],
    gates: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Write the script, what it imports, board.json, network.net and the host's rows. Raises CompileError.

    gates (n,): their v at the start, where it is not 0.
    """
    (folder / "network.net").write_bytes(netx.to_bytes(network, artifact))
    start = {} if gates is None else {"gates": gates.tolist()}
    text = json.dumps(plan(network, artifact, presentations) | start, indent=1)
    (folder / "board.json").write_text(text + "\n", encoding="utf-8")
    for name, blocks in HOST_ROWS.items():
        save_rows(folder / name, blocks(network, presentations), len(presentations), packed=True)
    copy_payload(folder)
