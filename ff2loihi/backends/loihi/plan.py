"""The files with which a board's machine classifies: the script, what runs when, the layers, the input's spikes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import save_npz

from ff2loihi.backends import classification_states
from ff2loihi.backends.classification import accumulator_starts
from ff2loihi.backends.loihi import payload
from ff2loihi.backends.loihi.classifying_plan import plan
from ff2loihi.compilers.inference.integer_forward import quantize_pixels
from ff2loihi.compilers.inference.library_form import reach
from ff2loihi.compilers.interchange import netx
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, split_input
from ff2loihi.processes import host_io
from ff2loihi.processes.fixed_point import rate_code
from ff2loihi.processes.limits import ALIGN, DENDRITE_BITS, V_LIMIT

SCRIPT = "run_on_board.py"
SCRIPTS = (SCRIPT, "classify_on_board.py", "learn_on_board.py")
PAYLOAD = (*SCRIPTS, "board_config.py", "library_layers.py", "library_neurons.py")


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
    found = []
    for layer in network.layers if netx.kind(network) == "soft" else ():
        v = states[f"{layer.name}.v"]
        times = int(((v == -V_LIMIT) | (v == V_LIMIT - (layer.vth << ALIGN))).sum())
        if times:
            found.append(
                f"{layer.name}: v saturates {times:,} times in these samples, where the script's neurons go on and may "
                "differ. Use fewer --steps or --weight-bits"
            )
    return found


def input_rows(network: IntNetwork | LearningNetwork, pixels: np.ndarray, first: int = 0) -> Iterator[np.ndarray]:
    """Of each sample under every label, a row a time step: (labels interval, inputs) uint8, payloads or 0/1.

    first: the number of the first sample in the whole run.
    """
    what = plan(network, "", 1)
    interval, stride = what["interval"], what["stride"]
    if isinstance(network, LearningNetwork):
        starts = accumulator_starts(network, len(pixels), first)
        for spikes in classification_states.input_spikes(network, pixels, starts):
            yield np.pad(spikes, [(0, 0), (0, interval - network.steps), (0, 0)]).reshape(-1, network.inputs)
        return
    if network.events:
        rows = np.zeros((interval, network.inputs), np.uint8)
        for sample in pixels:
            rows[: stride * network.steps : stride] = network.events.spikes(sample)
            yield rows
        return
    codes, full = network.pass_labels, (1 << network.input_bits) - 1
    image, label = split_input(network.pixels, codes.shape[1], network.label_kind)
    x = np.zeros((len(codes), network.inputs), np.int32)
    x[:, label] = codes
    for sample in pixels:
        x[:, image] = quantize_pixels(sample, network.input_bits)[image]
        if network.neuron == "graded":
            yield x.astype(np.uint8)
            continue
        rows = np.zeros((len(codes), interval, network.inputs), np.uint8)
        for step, spikes in enumerate(rate_code(network.phases, x, full, network.steps)):
            rows[:, stride * step] = spikes
        yield rows.reshape(-1, network.inputs)


def save_rows(file: Path, blocks: Iterator[np.ndarray], count: int, packed: bool) -> None:
    """`count` blocks of as many rows each as one .npy file, a block at a time; packed: 8 spikes a byte."""
    with file.open("wb") as target:
        for number, block in enumerate(blocks):
            block = np.packbits(block, axis=1) if packed else block
            if number == 0:
                shape = count * len(block), block.shape[1]
                header = {"descr": block.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(target, header)
            target.write(block.tobytes())


def write(folder: Path, network: IntNetwork | LearningNetwork, artifact: str, pixels: np.ndarray) -> None:
    """Write the script, what it imports, board.json, network.net and inputs.npy; convolutions as sparse matrices, too.

    Raises CompileError.
    """
    (folder / "network.net").write_bytes(netx.to_bytes(network, artifact))
    for index, layer in enumerate(network.layers):
        if layer.conv:
            save_npz(folder / f"convolution.{index}.npz", layer.conv.unrolled(layer.weight))
    text = json.dumps(plan(network, artifact, len(pixels)), indent=1)
    (folder / "board.json").write_text(text + "\n", encoding="utf-8")
    save_rows(folder / "inputs.npy", input_rows(network, pixels), len(pixels), netx.kind(network) != "graded")
    copy_payload(folder)


def copy_payload(folder: Path) -> None:
    """The script and what it imports, under their own names."""
    ours, host_side = Path(payload.__file__).parent, Path(host_io.__file__).parent
    for place, names in ((ours, PAYLOAD), (host_side, ("playback.py", "record.py", "rows.py"))):
        for name in names:
            shutil.copyfile(place / name, folder / name)
