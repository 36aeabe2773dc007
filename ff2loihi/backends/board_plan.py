"""Whether a network runs on neurocores with stock processes alone, and the files that a board needs for it."""

import json
import shutil
from pathlib import Path

import numpy as np

from ff2loihi import backends, processes
from ff2loihi.backends import learned_states
from ff2loihi.compilers import netx
from ff2loihi.compilers.forward import quantize_pixels
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, split_input
from ff2loihi.compilers.library_processes import reach
from ff2loihi.processes.fixed_point import rate_step
from ff2loihi.processes.limits import ADAPTER_BITS, ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT, DENDRITE_BITS

SCRIPT = "run_on_board.py"


def remarks(network: IntNetwork | LearningNetwork, states: dict[str, np.ndarray]) -> list[str]:
    """Where a board may differ from the states of a run, a line each."""
    if isinstance(network, LearningNetwork):
        top = (1 << (DENDRITE_BITS - 1)) - 1
        return [
            f"{layer.name}: sums may reach {reach(layer):,}, a neuron's {DENDRITE_BITS} bits hold {top:,}; those of "
            f"these samples reach {np.abs(states[f'{layer.name}.a']).max():,}"
            for layer in network.layers
            if reach(layer) > top
        ]
    beyond = saturating(network, states)
    return [f"{beyond:,} activities of these samples saturate, the stock GradedReluVec does not"] if beyond else []


def saturating(network: IntNetwork, states: dict[str, np.ndarray]) -> int:
    """How many graded activities of a run reach beyond the top: there the stock GradedReluVec goes on."""
    beyond = 0
    for layer in network.layers:
        if f"{layer.name}.h" in states:
            beyond += int(((states[f"{layer.name}.a"] + layer.bias) >> layer.shift > layer.top).sum())
    return beyond


def plan(network: IntNetwork | LearningNetwork, artifact: str, samples: int) -> dict:
    """board.json. interval: steps from one pass to the next, a power of two as the chip's reset wants it (N)."""
    return {
        "artifact": artifact,
        "neuron": _neuron(network),
        "layers": [layer.name for layer in network.layers],
        "inputs": network.inputs,
        "samples": samples,
        "labels": network.classes if isinstance(network, LearningNetwork) else len(_codes(network)),
        "steps": network.steps,
        "interval": 1 << (network.steps - 1).bit_length(),
        "steps_in": ADAPTER_STEPS_IN,
        "steps_out": ADAPTER_STEPS_OUT,
        "adapter_bits": ADAPTER_BITS,
    }


def _neuron(network: IntNetwork | LearningNetwork) -> str:
    return "lif" if isinstance(network, LearningNetwork) else network.neuron


def _codes(network: IntNetwork) -> np.ndarray:
    return network.neutral[None] if network.readout == "head" else network.label_codes


def input_rows(network: IntNetwork | LearningNetwork, pixels: np.ndarray) -> np.ndarray:
    """Every sample under every label, a row a step: (samples labels interval, inputs) uint8, payloads or 0/1."""
    interval = plan(network, "", 1)["interval"]
    if isinstance(network, LearningNetwork):
        spikes = learned_states.input_spikes(network, pixels)
        rest = [(0, 0), (0, 0), (0, interval - network.steps), (0, 0)]
        return np.pad(spikes, rest).reshape(-1, network.inputs)
    codes = _codes(network)
    image, label = split_input(network.pixels, codes.shape[1], network.label_kind)
    x = np.zeros((len(pixels), len(codes), network.inputs), np.int32)
    x[..., image] = quantize_pixels(pixels, network.input_bits)[:, None, image]
    x[..., label] = codes
    if network.neuron == "graded":
        return x.reshape(-1, network.inputs).astype(np.uint8)
    full = (1 << network.input_bits) - 1
    rows = np.zeros((len(pixels), len(codes), interval, network.inputs), np.uint8)
    acc = np.broadcast_to(network.phases, x.shape)
    for step in range(network.steps):
        rows[:, :, step], acc = rate_step(acc, x, full)
    return rows.reshape(-1, network.inputs)


def write(folder: Path, network: IntNetwork | LearningNetwork, artifact: str, pixels: np.ndarray) -> None:
    """Write the script, what it imports, board.json, network.net and inputs.npy. Raises CompileError."""
    (folder / "network.net").write_bytes(netx.to_bytes(network, artifact))
    text = json.dumps(plan(network, artifact, len(pixels)), indent=1)
    (folder / "board.json").write_text(text + "\n", encoding="utf-8")
    rows = input_rows(network, pixels)
    np.save(folder / "inputs.npy", np.packbits(rows, axis=1) if _neuron(network) == "lif" else rows)
    here, bottom = Path(backends.__file__).parent, Path(processes.__file__).parent
    shutil.copyfile(here / "lava_board.py", folder / SCRIPT)
    shutil.copyfile(here / "lava_board_config.py", folder / "board_config.py")
    for name in ("playback.py", "record.py"):
        shutil.copyfile(bottom / name, folder / name)
