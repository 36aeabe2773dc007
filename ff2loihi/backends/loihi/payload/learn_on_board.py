"""A Forward-Forward network learns on Loihi 2 and is recorded: what run_on_board.py runs.

Needs lava-nc, Intel's extension lava-loihi, numpy, scipy and h5py; nothing of ff2loihi. Host to cores, and back:

    Playback (spikes), Playback (control rows) -> PyToNxAdapter -> the network of library_neurons.py
    its neurons' spikes z, its counters' payloads r -> NxToPyAdapter -> Recorder; the weights after each presentation

board.json says what runs when, network.net holds the weights the run starts with, inputs.npy and control.npy what the
host sends. recording.npz is what came back, for `ff2loihi diff-golden`. --probe also records v of neurons, gates and
thermometers, with the extension's StateProbe.
"""

# pyright: reportMissingImports=false
# Imports what is on a board's machine alone: Intel's extension, and copies of processes/host_io.

import json
from pathlib import Path

import h5py
import numpy as np


def delays(plan: dict) -> tuple[int, int]:
    """(time steps that the host waits at the start, time steps by which the cores run behind the rows).

    The second is a whole number of the learning rule's epochs, whatever the adapters take.
    """
    wait = -plan["steps_in"] % plan["t_epoch"]
    return wait, wait + plan["steps_in"]


def graph(folder: Path, plan: dict, probe: bool, live: bool = False) -> tuple:
    """Build the processes. Returns (library neurons, run configuration, {state: its probe}).

    live: the host's rows are those of one presentation, which are written anew before each; its counts alone come back.
    """
    from board_config import board_config
    from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter
    from library_neurons import PROCESSES, connect
    from playback import Playback
    from record import record_port

    wait, behind = delays(plan)
    arriving, n = [], len(plan["positive"])
    for name, size in (("inputs", plan["inputs"]), ("control", 1 + len(plan["thresholds"]))):
        source = Playback(n=size, file=str(folder / f"{name}.npy"), packed=True, late=wait, again=live)
        adapter = PyToNxAdapter(shape=(size,))
        source.s_out.connect(adapter.inp)
        arriving.append(adapter.out)
    with h5py.File(folder / "network.net", "r") as file:
        weights = np.asarray(file["layer/0/weight"]).astype(np.int32)
    found = connect(plan, weights, *arriving, offset=1 + behind)
    sending = {"z": (found.neuron.s_out, {}), "r": (found.count.s_out, {"num_message_bits": plan["adapter_bits"]})}
    if live:
        del sending["z"]
    for name, (port, message) in sending.items():
        back = NxToPyAdapter(shape=(n,), **message)
        port.connect(back.inp)
        record_port(back.out, folder / f".{name}.npy", plan["period"] if live else total(plan), np.int32)
    probes = {}
    if probe:
        from lava.utils.loihi2_state_probes import StateProbe

        states = {"v": found.neuron.v, "gate": found.gates.v, "units": found.units.v}
        probes = {name: StateProbe(var) for name, var in states.items()}
    return found, board_config(PROCESSES, list(probes.values())), probes


def total(plan: dict) -> int:
    """Time steps of the whole run."""
    return plan["presentations"] * plan["period"] + delays(plan)[1] + plan["steps_out"]


def windows(plan: dict, rows: np.ndarray, delay: int) -> np.ndarray:
    """Rows a time step -> (presentations, steps, n): those of presentations on the cores, `delay` time steps later.

    Where nothing is learned, of the last step alone.
    """
    from rows import cut

    steps, first = plan["steps"], delays(plan)[1] + delay
    if not plan["learns"]:
        steps, first = 1, first + steps - 1
    return cut(rows, plan["presentations"], plan["period"], steps, first)


def run(folder: Path, probe: bool) -> None:
    """Build, run presentation by presentation, and write recording.npz, whole or not at all."""
    from board_config import write_recording
    from lava.magma.core.run_conditions import RunSteps

    plan = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    found, config, probes = graph(folder, plan, probe)
    weights, ahead = [], delays(plan)[1]
    for done in range(1, plan["presentations"] + 1):
        last = plan["steps_out"] if done == plan["presentations"] else 0
        found.neuron.run(condition=RunSteps(num_steps=plan["period"] + ahead + last), run_cfg=config)
        ahead = 0
        if plan["learns"]:
            weights.append(found.learned())
        print(f"progress {done}", flush=True)
    layer, n = plan["layer"], len(plan["positive"])
    came = {name: np.load(folder / f".{name}.npy", mmap_mode="r") for name in "zr"}
    arrays = {f"{layer}.{name}": windows(plan, rows, plan["steps_out"]) for name, rows in came.items()}
    if plan["learns"]:
        arrays[f"{layer}.learned"] = np.stack(weights)
    for name, one in probes.items():
        size = n if name != "units" else np.size(plan["thresholds"])
        states = windows(plan, np.asarray(one.time_series).reshape(size, -1).T, 0)
        if name == "units":
            states = states.reshape(*states.shape[:2], *np.shape(plan["thresholds"]))
        arrays[f"{layer}.{name}"] = states
    found.neuron.stop()
    write_recording(folder, plan["artifact"], arrays)
    for name in "zr":
        (folder / f".{name}.npy").unlink()
    print("done", flush=True)
