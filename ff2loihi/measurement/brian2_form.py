"""A layer that learns in Brian2's C++ standalone form, its three-factor rule in Synapses; the emulator's integers.

Brian2 is no dependency: where it is installed, a child builds the model, so that nothing of it stays here.
"""

import importlib
import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ff2loihi.compilers import children
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.learning_rule import BALANCE_MAX, SYMMETRIC_ONE
from ff2loihi.processes.limits import ALIGN, POST_TRACE_MAX, TRACE_DECAY_TAU, UPDATE_BITS, V_LIMIT, WEIGHT_MIN

PATIENCE = 900  # s for the compiler and the run


def missing(network: LearningNetwork) -> str | None:
    """Why there is no such form here of the network, if so."""
    layer = network.layers[0]
    if importlib.util.find_spec("brian2") is None:
        return "not installed"
    if len(network.layers) > 1 or layer.factor.probability != "symmetric" or layer.trace.kind != "relu":
        return "written for one layer, symmetric, ReLU trace"
    if layer.mask is not None or network.update.eligibility != "none":
        return "written for neither fields nor tags"
    return None


def present(
    network: LearningNetwork, spikes: np.ndarray, draws: np.ndarray, traces: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Seconds, without the build, and the weights after positive samples of spikes (samples, steps, inputs) bool.

    draws, traces (samples, period): see presentation.Draws. Raises RuntimeError with the child's last line.
    """
    layer, update = network.layers[0], network.update
    numbers = {
        "period": network.period, "steps": network.steps, "window": network.window, "exponent": update.exponent,
        "vth": layer.neuron.vth, "dv": layer.neuron.dv, "impulse": layer.trace.impulse, "top": layer.trace.top,
        "gain": layer.factor.gain, "theta": layer.factor.theta, "target": layer.factor.target,
        "shift": layer.factor.balance_shift,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ff2loihi-brian2-") as name:
        folder = Path(name)
        (folder / "numbers.json").write_text(json.dumps(numbers))
        np.savez(
            folder / "given.npz", spikes=spikes, draws=draws, traces=traces, table=np.array(layer.factor.table),
            weight=layer.weight, positive=layer.positive,
        )  # fmt: skip
        code = f"from ff2loihi.measurement import brian2_form\nbrian2_form.in_child({name!r})"
        done = subprocess.run(
            children.command(code), env=children.environment(OMP_NUM_THREADS="1"), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        found = np.load(folder / "found.npz")
        return float(found["seconds"]), [found["weight"].astype(np.int16)]


def in_child(name: str) -> None:
    """Build and run what `present` left in the folder, and leave there what was found.

    A step: the reset at a presentation's start, the goodness of the traces, thresholds and resets on the drive of the
    step before, third factor and update from the goodness two steps ago, the leak, then the spikes of the input.
    """
    b2 = importlib.import_module("brian2")
    folder = Path(name)
    c, given = json.loads((folder / "numbers.json").read_text()), np.load(folder / "given.npz")
    samples, steps, inputs = given["spikes"].shape
    n, period, dt = len(given["positive"]), c["period"], b2.ms
    b2.set_device("cpp_standalone", directory=str(folder / "built"), build_on_run=False)
    b2.defaultclock.dt = dt
    place = np.arange(samples * period) % period
    learns = (place >= steps - c["window"]) & (place < steps)
    constants = {
        "alive": b2.TimedArray((place > 0) * 1.0, dt=dt),
        "learns": b2.TimedArray(learns * 1.0, dt=dt),
        "draw": b2.TimedArray(given["draws"].ravel() * 1.0, dt=dt),
        "fall": b2.TimedArray(given["traces"].ravel(), dt=dt),
        "chance": b2.TimedArray(given["table"] * 1.0, dt=dt),
        "unit": dt, "one": SYMMETRIC_ONE, "most": BALANCE_MAX, "limit": V_LIMIT, "left": 4096 - c["dv"],
        "threshold": c["vth"] << ALIGN, "scale": 1 << (UPDATE_BITS - c["exponent"]),
        "decay": float(np.exp(-1 / TRACE_DECAY_TAU)), "post_top": POST_TRACE_MAX,
        "whole": 1 << UPDATE_BITS, "align": 1 << ALIGN, "low": WEIGHT_MIN,
        **{key: c[key] for key in ("impulse", "top", "gain", "theta", "target")}, "balance": 1 << c["shift"],
    }  # fmt: skip
    sample, step, index = np.nonzero(given["spikes"])
    source = b2.SpikeGeneratorGroup(inputs, index, (sample * period + step) * dt)
    neurons = b2.NeuronGroup(
        n,
        "v : 1\nr : 1\ndelta : 1\npositive : 1 (constant)\nm_plus : 1 (linked)\nm_minus : 1 (linked)",
        threshold="v > threshold", reset="v = 0; r = clip(r + impulse, 0, top)", namespace=constants,
    )  # fmt: skip
    control = b2.NeuronGroup(
        1, "plus : 1\nminus : 1\nold_plus : 1\nold_minus : 1\nup : 1\ndown : 1", namespace=constants
    )
    neurons.m_plus, neurons.m_minus = b2.linked_var(control, "up"), b2.linked_var(control, "down")
    neurons.positive = given["positive"] * 1.0
    sums = [
        b2.Synapses(neurons, control, f"{side}_post = r_pre * r_pre * {share} : 1 (summed)")
        for side, share in (("plus", "positive_pre"), ("minus", "(1 - positive_pre)"))
    ]
    for one in sums:
        one.connect()
    control.run_regularly("old_plus = plus\nold_minus = minus", when="start")
    neurons.run_regularly("v = clip(v, -limit, limit) * alive(t)\nr = r * alive(t)", when="start")
    control.run_regularly(  # + 0.5: a quotient of integers keeps its floor, however the compiler divides
        """
        total = old_plus + old_minus
        p = chance(floor((one * old_plus + 0.5) / (total + 1)) * unit)
        d = clip(floor((target - total) / balance), -most, most)
        up = floor(floor((gain * (one - p) + 0.5) / (old_plus + theta)) * (256 + d) / 256)
        down = -floor(floor((gain * (one - p) + 0.5) / (old_minus + theta)) * (256 - d) / 256)
        """,
        when="before_synapses",
    )
    neurons.run_regularly(
        """
        m = positive * m_plus + (1 - positive) * m_minus
        y = clip(floor((r * abs(m) + 32) / 64), 0, post_top)
        kept = decay * y
        y = y - int(y > 0) * int(fall(t) >= kept - floor(kept))
        delta = learns(t) * floor((sign(m) * y * scale + whole - 1 - draw(t)) / whole)
        v = int(v * left / 4096)
        """,
        when="before_synapses",
        order=1,
    )
    plastic = b2.Synapses(
        source, neurons, "w : 1", namespace=constants,
        on_pre="v_post += align * w\nw = clip(w + delta_post, low, -low - 1)",
    )  # fmt: skip
    plastic.connect()
    plastic.w = given["weight"].T.ravel() * 1.0
    network = b2.Network(source, neurons, control, plastic, *sums)
    network.schedule = ["start", "groups", "thresholds", "resets", "synapses", "end"]
    network.run(samples * period * dt)
    b2.device.build(directory=str(folder / "built"), run=True)
    weight = np.asarray(plastic.w[:]).reshape(inputs, n).T
    np.savez(folder / "found.npz", seconds=b2.device._last_run_time, weight=np.rint(weight))
