"""A Forward-Forward network classifies on Loihi 2 and is recorded: what run_on_board.py runs.

Needs lava-nc, Intel's extension lava-loihi, numpy, scipy and h5py; nothing of ff2loihi. Host to cores, and back:

    Playback -> PyToNxAdapter -> the layers of library_neurons.py -> NxToPyAdapter -> Recorder
    RingBuffer (constants) -> PyToNxAdapter -> their neurons

board.json says what runs when, network.net holds the layers (netx), inputs.npy the spikes. recording.npz is what came
back, for `ff2loihi diff-golden`. --probe also records a LIFReset's v, with the extension's StateProbe.
"""

# pyright: reportMissingImports=false
# Imports what is on a board's machine alone: Intel's extension, and copies of processes/host_io.

import json
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import load_npz


def graph(folder: Path, plan: dict, probe: bool) -> tuple:
    """Build the processes. Returns (source, run configuration, {layer: probe of v})."""
    from board_config import board_config
    from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIFReset
    from library_layers import library_layers
    from library_neurons import INPUT, PROCESSES, classifying
    from playback import Playback
    from record import record_port

    graded = plan["kind"] == "graded"

    def message(payloads: bool) -> dict:
        return {"num_message_bits": plan["adapter_bits"]} if payloads else {}

    def arriving(process, n: int, payloads: bool):
        """The port at which the cores see what a host's process sends."""
        adapter = PyToNxAdapter(shape=(n,), **message(payloads))
        process.s_out.connect(adapter.inp)
        return adapter.out

    source = Playback(n=plan["inputs"], file=str(folder / "inputs.npy"), packed=not graded)
    below = arriving(source, plan["inputs"], graded)
    layers = library_layers(plan, _layers(folder, plan), INPUT)
    built = classifying(layers, below, lambda rows, payloads: arriving(RingBuffer(data=rows), len(rows), payloads))
    for index, layer in enumerate(built):
        back = NxToPyAdapter(shape=layer.out.shape, **message(graded))
        layer.out.connect(back.inp)
        record_port(back.out, folder / f".{index}.npy", total(plan), np.int32 if graded else np.uint8)
    probes = {}
    if probe and plan["kind"] == "hard":
        from lava.utils.loihi2_state_probes import StateProbe

        neurons = zip(plan["layers"], (layer.neuron for layer in built), strict=True)
        probes = {name: StateProbe(neuron.v) for name, neuron in neurons if isinstance(neuron, LIFReset)}
    return source, board_config(PROCESSES, list(probes.values())), probes


def _layers(folder: Path, plan: dict) -> list[dict]:
    """The .net's layers: weight (out, in), bias (out,) mantissas, and the neuron's fields."""
    found = []
    with h5py.File(folder / "network.net", "r") as file:
        layers = [layer for _, layer in sorted(file.require_group("layer").items(), key=lambda pair: int(pair[0]))]
        neurons = [layer for layer in layers if "neuron" in layer]
        for index, (n, layer) in enumerate(zip(plan["neurons"], neurons, strict=True)):
            fields = {key: int(value[()]) for key, value in layer["neuron"].items() if key != "type"}
            bias = layer["bias"][()] if "bias" in layer else np.zeros(1)
            unrolled = folder / f"convolution.{index}.npz"
            weight = load_npz(unrolled) if unrolled.exists() else layer["weight"][()].astype(np.int32)
            found.append(fields | {"weight": weight, "bias": np.repeat(bias, n // len(bias)).astype(np.int32)})
    return found


def total(plan: dict) -> int:
    """Time steps of the whole run."""
    passes = plan["samples"] * plan["labels"]
    return passes * plan["interval"] + plan["behind"][-1] + plan["steps_in"] + plan["steps_out"] + 1


def windows(plan: dict, rows: np.ndarray, index: int, late: int) -> np.ndarray:
    """Rows a time step of layer `index` -> (samples, labels, steps, n), without the step axis where steps is 1.

    Its step i of pass p is at t = p interval + i stride + behind + 1 + steps_in, and `late` further in these rows.
    """
    from rows import cut

    first = plan["behind"][index] + plan["steps_in"] + late
    window = cut(rows, plan["samples"] * plan["labels"], plan["interval"], plan["steps"], first, plan["stride"])
    window = window.reshape(plan["samples"], plan["labels"], plan["steps"], -1)
    return window[:, :, 0] if plan["kind"] == "graded" else window


def run(folder: Path, probe: bool) -> None:
    """Build, run sample by sample, and write recording.npz, whole or not at all."""
    from board_config import write_recording
    from lava.magma.core.run_conditions import RunSteps

    plan = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    source, config, probes = graph(folder, plan, probe)
    left, a_sample = total(plan), plan["labels"] * plan["interval"]
    for done in range(1, plan["samples"] + 1):
        steps = a_sample if done < plan["samples"] else left
        source.run(condition=RunSteps(num_steps=steps), run_cfg=config)
        left -= steps
        print(f"progress {done}", flush=True)
    shown, arrays = "h" if plan["kind"] == "graded" else "s", {}
    for index, name in enumerate(plan["layers"]):
        rows = np.load(folder / f".{index}.npy", mmap_mode="r")
        arrays[f"{name}.{shown}"] = windows(plan, rows, index, plan["steps_out"])
        if name in probes:
            v = np.asarray(probes[name].time_series).reshape(rows.shape[1], -1).T
            arrays[f"{name}.v"] = windows(plan, v, index, 0)
    source.stop()
    write_recording(folder, plan["artifact"], arrays)
    for index in range(len(plan["layers"])):
        (folder / f".{index}.npy").unlink()
    print("done", flush=True)
