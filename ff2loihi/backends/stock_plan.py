"""The network of library neurons as plain numbers, and the files with which a board's machine lets it learn."""

import json
from pathlib import Path

import numpy as np

from ff2loihi.backends.board_plan import copy_script
from ff2loihi.backends.presentations import Presentation
from ff2loihi.compilers import netx
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.fused_layer import TRACE_SEED
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.limits import ADAPTER_BITS, ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT, DU_NO_MEMORY, WEIGHT_MAX
from ff2loihi.processes.stock_rule import (
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
    controls,
)


def constants(network: LearningNetwork) -> dict:
    """Every number of the network but its weights, see processes.stock_rule; (mantissa, exponent) of big weights."""
    [layer] = network.layers
    factor = layer.factor
    return {
        "period": network.period,
        "positive": layer.positive.astype(int).tolist(),
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


def plan(network: LearningNetwork, artifact: str, shown: list[Presentation]) -> dict:
    """board.json: constants, and what runs when; steps: time steps of a presentation that are recorded."""
    return {
        "artifact": artifact,
        "layer": network.layers[0].name,
        "inputs": network.inputs,
        "presentations": len(shown),
        "learns": any(one.phase for one in shown),
        "steps": SLOTS * network.steps,
        "steps_in": ADAPTER_STEPS_IN,
        "steps_out": ADAPTER_STEPS_OUT,
        "adapter_bits": ADAPTER_BITS,
        **constants(network),
    }


def input_rows(network: LearningNetwork, shown: list[Presentation]) -> tuple[np.ndarray, np.ndarray]:
    """What the host sends, a row a time step: spikes (presentations period, inputs), control rows; uint8."""
    q = np.stack([np.concatenate([one.q, network.label_codes[one.label]]) for one in shown])
    acc = np.stack([np.concatenate([one.starts, network.label_phases]) for one in shown])
    rows = np.zeros((len(shown), network.period, network.inputs), np.uint8)
    for step in range(network.steps):
        rows[:, SLOTS * step + 1], acc = rate_step(acc, q, RATE_ONE)
    sent = [
        controls(network.probability, network.steps, network.window, 1 << (one.exponent + one.halve), one.phase)
        for one in shown
    ]
    return rows.reshape(-1, network.inputs), np.concatenate(sent)


def rounded(network: LearningNetwork, states: dict[str, np.ndarray]) -> int:
    """How many weights of golden vectors grow beyond the grid: whether such a one rounds up or down is drawn."""
    [layer] = network.layers
    return int((states[f"{layer.name}.weights"] > WEIGHT_MAX).any(axis=(0, 1)).sum())


def write(folder: Path, network: LearningNetwork, artifact: str, shown: list[Presentation]) -> None:
    """Write the script, what it imports, board.json, network.net and the host's rows. Raises CompileError."""
    (folder / "network.net").write_bytes(netx.to_bytes(network, artifact))
    text = json.dumps(plan(network, artifact, shown), indent=1)
    (folder / "board.json").write_text(text + "\n", encoding="utf-8")
    for name, rows in zip(("inputs", "control"), input_rows(network, shown), strict=True):
        np.save(folder / f"{name}.npy", np.packbits(rows, axis=1))
    copy_script(folder, "lava_stock_board.py")
