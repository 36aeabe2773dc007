"""The README of a deployment's folder: what is in it, how to run it, what a recording shows, what microcode must do."""

import json

from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.compilers.interchange.rule_file import SUFFIX
from ff2loihi.compilers.ir import AnyProgram, LearningNetwork
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.data.datasets import Dataset
from ff2loihi.processes.limits import ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT
from ff2loihi.verification import golden

RUNS = """
## Run it

On a machine with lava-nc, Intel's extension lava-loihi, numpy, scipy and h5py (nothing of ff2loihi):

    bash job.sh                                # over SLURM; PARTITION (oheogulch), LOIHI_GEN (N3B3) choose a board
    NXSDKHOST=ADDRESS python run_on_board.py   # a board behind an Ethernet host

Either takes `--probe`, which records v of LIF processes, too, with the extension's StateProbe. It prints `progress N`
after each sample and `done` at the end, and writes `recording.npz`. Where ff2loihi is installed, which may be another
machine, in this folder:

    ff2loihi diff-golden . recording.npz         # exit 1, and the first state that differs

{when}

The adapters' delays ({into} in, {out} out) are those of a public notebook, not of this board: if diff-golden says that
the recording is late or early, or the spikes differ from a sample's first steps on, change `steps_in` and `steps_out`
in `board.json` and run again.
"""

WHEN = """\
In the terms of `board.json`, step i of pass p is expected at time step interval p + stride i + behind + 1 + steps_in,
with interval {interval}, stride {stride} and a `behind` for each layer, and at the host steps_out later."""

LEARNING_WHEN = """\
Each sample is shown right, then wrong, {interval} time steps each. Recorded are every neuron's spikes `z` and count `r`
in each time step, and `learned`, the weights read after each presentation. Where z and r agree and the weights do not,
or z differs behind the first gate's spike, it is the learning engine that differs: no silicon has shown yet that epochs
of two begin with odd time steps, that a trace of tau = 0 lives for one of them, and that a back-propagating spike
carries its time step within the epoch. A weight beyond 254 rounds by the chip's own draw. Adapters that take an odd
number of time steps are waited for: the cores run whole epochs behind the host's rows."""

MAPPING, RULE = "mapping.json", f"network{SUFFIX}"
CONTENTS = {
    "run_on_board.py": "the script: builds the network of library processes, runs it through Loihi2HwCfg, records it",
    "classify_on_board.py": "what the script runs for a network that classifies",
    "learn_on_board.py": "what the script runs for a network that learns",
    "board_config.py": "what the script uses: models for neurocores alone, the recording",
    "library_neurons.py": "what the script uses: the network, of library processes alone",
    "playback.py": "a process that the script uses: the input",
    "record.py": "a process that the script uses: what comes back",
    "board.json": "what runs when, the adapters' delays; of a network that learns, every constant",
    "network.net": "the layers (netx, HDF5); other fields than netx's stand beside them, see ff2loihi's README",
    MAPPING: "cores, chips and board as `ff2loihi map` plans them, goodness sums and learning too; broken rules",
    "inputs.npy": "the input's spikes, a row a time step",
    "control.npy": "what clears the counters and enables the thermometers, a row a time step",
    "job.sh": "the same as a SLURM job",
    RULE: "the learning rule: the engine's strings, every constant, the equations",
    golden.FILE: "golden vectors: every state at every step",
    golden.LEARNING_FILE: "golden vectors of its learning, each sample right, then wrong",
}
UNROLLED = "the convolution of that layer, counted from 0, as a sparse matrix as scipy saves it"


def readme(
    program: AnyProgram, digest: str, data: Dataset, wrong: list[str], remarks: list[str], files: list[str]
) -> str:
    """The text. wrong: what keeps the network off library processes; remarks: what to know before it runs."""
    network = program.network
    shape = "-".join(str(n) for n in (network.inputs, *(layer.neurons for layer in network.layers)))
    lines = [
        "# A Forward-Forward network for Loihi 2",
        "",
        f"{shape}, artifact {digest}; golden vectors of {len(data.labels)} {data.split} samples of {data.name}.",
        "Nothing here has run on silicon: the golden vectors are the emulator's, whose bits are Lava's simulator's.",
        "",
        *(f"- `{name}`: {CONTENTS.get(name, UNROLLED)}" for name in files),
        "",
    ]
    if remarks:
        lines += ["Before it runs:", "", *(f"- {remark}" for remark in remarks), ""]
    if wrong:
        lines += ["## What a board needs", "", "No script is here: the extension's own models cannot run it:", ""]
        lines += [f"- {obstacle}" for obstacle in wrong]
        return "\n".join([*lines, *_microcode(network, digest, golden.FILE), ""])
    text = "\n".join(lines) + _runs(network, digest)
    if isinstance(network, LearningNetwork) and not network.library:
        text += "\n".join(["", "## To learn there", *_microcode(network, digest, golden.LEARNING_FILE), ""])
    return text


def _runs(network, digest: str) -> str:
    if isinstance(network, LearningNetwork) and network.library:
        when = LEARNING_WHEN.format(interval=network.period)
    else:
        plan = board_plan.plan(network, digest, 1)
        when = WHEN.format(interval=plan["interval"], stride=plan["stride"])
    return RUNS.format(when=when, into=ADAPTER_STEPS_IN, out=ADAPTER_STEPS_OUT)


def _microcode(network, digest: str, file: str) -> list[str]:
    """What a recording of microcode has to hold, and what that microcode has to compute."""
    facts = {"format": golden.RECORDING, "version": golden.VERSION, "artifact": digest}
    lines = [
        "",
        f"`ff2loihi diff-golden {file} recording.npz` compares what a board computed: arrays named and shaped as in",
        f"`{file}`, all of them, or at least what each layer sends and learns, and a string `manifest`:",
        "",
        f"    {json.dumps(facts)}",
    ]
    if isinstance(network, LearningNetwork):
        lines += ["", "What the microcode has to compute, each line beside the paper's (Terres-Escudero 2024):", ""]
        lines += [f"- {what}: {chip} [{paper}]" for what, paper, chip in learning_fit.describe(network)]
    return lines
