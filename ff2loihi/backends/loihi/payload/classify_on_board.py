"""A Forward-Forward network classifies on Loihi 2 and is recorded: what run_on_board.py runs.

Needs lava-nc, Intel's extension lava-loihi, numpy, scipy and h5py; nothing of ff2loihi. Host to cores, and back:

    Playback -> PyToNxAdapter -> [Dense -> neuron -> NxToPyAdapter -> Recorder] a layer
    RingBuffer (constants, control rows) -> PyToNxAdapter -> the neurons of library_neurons.py

The neuron is a LIFReset, or of library processes: with a soft reset, or graded. board.json says what runs when,
network.net holds the layers (netx), inputs.npy the spikes. recording.npz is what came back, for `ff2loihi diff-golden`.
--probe also records a LIFReset's v, with the extension's StateProbe.
"""

# pyright: reportMissingImports=false
# Imports what is on a board's machine alone: Intel's extension, and copies of processes/host_io.

import json
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import load_npz

BIAS_EXP = 6  # of netx, where a layer names none


def graph(folder: Path, plan: dict, probe: bool) -> tuple:
    """Build the processes. Returns (source, run configuration, {layer: probe of v})."""
    from board_config import board_config
    from lava.proc.embedded_io.spike import NxToPyAdapter
    from library_neurons import PROCESSES
    from playback import Playback
    from record import Recorder

    spikes, message = plan["kind"] != "graded", _message(plan)
    source = Playback(n=plan["inputs"], file=str(folder / "inputs.npy"), packed=spikes)
    below, probed = _arriving(source, plan["inputs"], message), {}
    for index, (name, layer) in enumerate(zip(plan["layers"], _layers(folder, plan), strict=True)):
        n = len(layer["bias"])
        spikes_out, v = NEURONS[plan["kind"]](plan, layer, index, below)
        back, recorder = NxToPyAdapter(shape=(n,), **message), Recorder(n=n, file=str(_file(folder, plan, index, n)))
        spikes_out.connect(back.inp)
        back.out.connect(recorder.s_in)
        below = spikes_out
        if v is not None:
            probed[name] = v
    probes = {}
    if probe and probed:
        from lava.utils.loihi2_state_probes import StateProbe

        probes = {name: StateProbe(v) for name, v in probed.items()}
    return source, board_config(PROCESSES, list(probes.values())), probes


def _message(plan: dict) -> dict:
    return {"num_message_bits": plan["adapter_bits"]} if plan["kind"] == "graded" else {}


def _arriving(source, n: int, message: dict):
    """The port at which the cores see what a host's process sends."""
    from lava.proc.embedded_io.spike import PyToNxAdapter

    adapter = PyToNxAdapter(shape=(n,), **message)
    source.s_out.connect(adapter.inp)
    return adapter.out


def _rows(data: np.ndarray, **message):
    """The port at which the cores see columns (n, period), one a time step, again and again."""
    from lava.proc.io.source import RingBuffer

    return _arriving(RingBuffer(data=data), len(data), message)


def _sums(layer: dict, below, exponent: int, bits: int = 0):
    """The connection of the weights: a Dense, or a convolution unrolled into a Sparse."""
    from lava.proc.dense.process import Dense
    from lava.proc.sparse.process import Sparse
    from lava.utils.weightutils import SignMode

    kind = Dense if isinstance(layer["weight"], np.ndarray) else Sparse
    sums = kind(
        weights=layer["weight"], weight_exp=exponent, num_weight_bits=8, sign_mode=SignMode.MIXED, num_message_bits=bits
    )
    below.connect(sums.s_in)
    return sums


def _hard(plan: dict, layer: dict, index: int, below) -> tuple:
    """A LIFReset's (spikes, v)."""
    from lava.proc.lif.process import LIFReset

    n = len(layer["bias"])
    neuron = LIFReset(
        shape=(n,), du=layer["iDecay"] - 1, dv=layer["vDecay"], vth=layer["vThMant"], bias_mant=layer["bias"],
        bias_exp=np.full(n, layer.get("biasExp", BIAS_EXP), np.int32),
        reset_interval=plan["interval"], reset_offset=index + 2 + plan["steps_in"],
    )  # fmt: skip
    _sums(layer, below, -layer["shift"]).a_out.connect(neuron.a_in)
    return neuron.s_out, neuron.v


def _soft(plan: dict, layer: dict, index: int, below) -> tuple:
    """(Spikes with a payload, None: v is no state of one process)."""
    from library_neurons import bias_payloads, in_pass_payloads, soft_neuron

    (bits, threshold, fires_above), late = plan["units"][index], plan["stride"] * index
    bias = (layer["bias"] << layer["biasExp"]) >> (BIAS_EXP - bits)
    columns = np.stack([bias, np.full(len(bias), layer["v0"] >> (BIAS_EXP - bits))], axis=1)
    neuron = soft_neuron(
        threshold, fires_above, columns, _rows(in_pass_payloads(plan["interval"], late)),
        _rows(bias_payloads(plan["interval"], late), num_message_bits=plan["adapter_bits"]),
    )  # fmt: skip
    _sums(layer, below, bits - layer["shift"]).a_out.connect(neuron.state.a_in1)
    return neuron.spikes.s_out, None


def _graded(plan: dict, layer: dict, index: int, below) -> tuple:
    """(Payloads, None)."""
    from library_neurons import DIGITS, saturating

    sums = _sums(layer, below, 0 if layer["bias"].any() else -layer["shift"], bits=8)
    one = _rows(np.array(DIGITS, np.int32)[:, None], num_message_bits=plan["adapter_bits"])
    return saturating(sums, len(layer["bias"]), layer["shift"], layer["top"], one, layer["bias"]).s_out, None


NEURONS = {"hard": _hard, "soft": _soft, "graded": _graded}


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


def _file(folder: Path, plan: dict, index: int, n: int) -> Path:
    """The rows that a layer sends home, one a step."""
    dtype = np.int32 if plan["kind"] == "graded" else np.uint8
    file = folder / f".{index}.npy"
    np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(total(plan), n)).flush()
    return file


def total(plan: dict) -> int:
    """Time steps of the whole run."""
    passes = plan["samples"] * plan["labels"]
    return passes * plan["interval"] + plan["behind"][-1] + plan["steps_in"] + plan["steps_out"] + 1


def cut(plan: dict, rows: np.ndarray, index: int, late: int) -> np.ndarray:
    """Rows a time step of layer `index` -> (samples, labels, steps, n), without the step axis where steps is 1.

    Its step i of pass p is at t = p interval + i stride + behind + 1 + steps_in, and `late` further in these rows.
    """
    passes = np.arange(plan["samples"] * plan["labels"])[:, None] * plan["interval"]
    steps = np.arange(plan["steps"]) * plan["stride"]
    window = rows[passes + steps + plan["behind"][index] + plan["steps_in"] + late]
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
        arrays[f"{name}.{shown}"] = cut(plan, rows, index, plan["steps_out"])
        if name in probes:
            v = np.asarray(probes[name].time_series).reshape(rows.shape[1], -1).T
            arrays[f"{name}.v"] = cut(plan, v, index, 0)
    source.stop()
    write_recording(folder, plan["artifact"], arrays)
    for index in range(len(plan["layers"])):
        (folder / f".{index}.npy").unlink()
    print("done", flush=True)
