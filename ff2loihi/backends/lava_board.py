"""Run a Forward-Forward network on Loihi 2 and record it: python run_on_board.py [--probe] (in a deployment's folder).

Needs lava-nc, Intel's extension lava-loihi, numpy and h5py; nothing of ff2loihi. Host to cores, and back:

    Playback -> PyToNxAdapter -> [Dense -> LIFReset or GradedReluVec -> NxToPyAdapter -> Recorder] a layer

board.json says what runs when, network.net holds the layers (netx), inputs.npy the spikes. recording.npz is what came
back, for `ff2loihi diff-golden`. --probe also records v, with the extension's StateProbe.
"""

import json
from pathlib import Path

import h5py
import numpy as np

BIAS_EXP = 6  # of netx, where a layer names none


def graph(folder: Path, plan: dict, probe: bool) -> tuple:
    """Build the processes. Returns (source, run configuration, {layer: probe of v})."""
    from board_config import board_config
    from lava.proc.dense.process import Dense
    from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter
    from lava.proc.graded.process import GradedReluVec
    from lava.proc.lif.process import LIFReset
    from lava.utils.weightutils import SignMode
    from playback import Playback
    from record import Recorder

    lif = plan["neuron"] == "lif"
    message = {} if lif else {"num_message_bits": plan["adapter_bits"]}
    source = Playback(n=plan["inputs"], file=str(folder / "inputs.npy"), packed=lif)
    adapter = PyToNxAdapter(shape=(plan["inputs"],), **message)
    source.s_out.connect(adapter.inp)
    below, neurons = adapter.out, {}
    for index, (name, layer) in enumerate(zip(plan["layers"], _layers(folder), strict=True)):
        n = layer["weight"].shape[0]
        dense = Dense(
            weights=layer["weight"], weight_exp=-layer["shift"], num_weight_bits=8, sign_mode=SignMode.MIXED,
            num_message_bits=0 if lif else 8,
        )  # fmt: skip
        if lif:
            neuron = LIFReset(
                shape=(n,), du=layer["iDecay"] - 1, dv=layer["vDecay"], vth=layer["vThMant"],
                bias_mant=layer["bias"], bias_exp=np.full(n, layer.get("biasExp", BIAS_EXP), np.int32),
                reset_interval=plan["interval"], reset_offset=index + 2 + plan["steps_in"],
            )  # fmt: skip
        else:
            neuron = GradedReluVec(shape=(n,), vth=0)
        back, recorder = NxToPyAdapter(shape=(n,), **message), Recorder(n=n, file=str(_file(folder, plan, name, n)))
        below.connect(dense.s_in)
        dense.a_out.connect(neuron.a_in)
        neuron.s_out.connect(back.inp)
        back.out.connect(recorder.s_in)
        below, neurons[name] = neuron.s_out, neuron
    probes = {}
    if probe:
        from lava.utils.loihi2_state_probes import StateProbe

        probes = {name: StateProbe(neuron.v) for name, neuron in neurons.items()}

    return source, board_config((Dense, LIFReset, GradedReluVec), list(probes.values())), probes


def _layers(folder: Path) -> list[dict]:
    """The .net's layers: weight (out, in), bias (out,) mantissas, and the neuron's fields."""
    found = []
    with h5py.File(folder / "network.net", "r") as file:
        for index in range(len(file["layer"])):
            layer = file[f"layer/{index}"]
            fields = {name: int(value[()]) for name, value in layer["neuron"].items() if name != "type"}
            weight = layer["weight"][()].astype(np.int32)
            bias = layer["bias"][()] if "bias" in layer else np.zeros(len(weight))
            found.append(fields | {"weight": weight, "bias": bias.astype(np.int32)})
    return found


def _file(folder: Path, plan: dict, name: str, n: int) -> Path:
    """The rows that a layer sends home, one a step."""
    dtype = np.uint8 if plan["neuron"] == "lif" else np.int32
    file = folder / f".{name}.npy"
    np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(total(plan), n)).flush()
    return file


def total(plan: dict) -> int:
    """Time steps of the whole run."""
    passes = plan["samples"] * plan["labels"]
    return passes * plan["interval"] + len(plan["layers"]) + plan["steps_in"] + plan["steps_out"] + 1


def cut(plan: dict, rows: np.ndarray, index: int, late: int) -> np.ndarray:
    """Rows a time step of layer `index` -> (samples, labels, steps, n), without the step axis where steps is 1.

    Its step i of pass p is at t = p interval + i + index + 2 + steps_in, and `late` steps later in these rows.
    """
    passes = np.arange(plan["samples"] * plan["labels"])[:, None] * plan["interval"]
    window = rows[passes + np.arange(plan["steps"]) + index + 1 + plan["steps_in"] + late]
    window = window.reshape(plan["samples"], plan["labels"], plan["steps"], -1)
    return window if plan["neuron"] == "lif" else window[:, :, 0]


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
    shown, arrays = "s" if plan["neuron"] == "lif" else "h", {}
    for index, name in enumerate(plan["layers"]):
        rows = np.load(folder / f".{name}.npy")
        arrays[f"{name}.{shown}"] = cut(plan, rows, index, plan["steps_out"])
        if name in probes:
            v = np.asarray(probes[name].time_series).reshape(rows.shape[1], -1).T
            arrays[f"{name}.v"] = cut(plan, v, index, 0)
    source.stop()
    write_recording(folder, plan["artifact"], arrays)
    for name in plan["layers"]:
        (folder / f".{name}.npy").unlink()
    print("done", flush=True)


if __name__ == "__main__":
    from board_config import main

    main(run, __doc__)
