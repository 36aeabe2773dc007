"""A deployment as a folder: everything that a machine with a Loihi 2 board needs, and what its recording is held to."""

import json
from pathlib import Path

from ff2loihi.backends import board_plan, board_search, stock_plan
from ff2loihi.backends.base import Progress
from ff2loihi.backends.presentations import pairs
from ff2loihi.compilers import learning_fit, netx, rule_file
from ff2loihi.compilers.artifact import pack
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.files import folder_atomic
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.library_processes import obstacles
from ff2loihi.ff.data import Dataset
from ff2loihi.processes.limits import ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT
from ff2loihi.reports import golden

JOB = """\
#!/bin/bash
# sbatch job.sh, or bash job.sh: the extension asks SLURM for the board itself.
#SBATCH --job-name=ff2loihi
#SBATCH --time=00:20:00
#SBATCH --output=job.log
set -euo pipefail
cd "${{SLURM_SUBMIT_DIR:-$(dirname "$0")}}"
export SLURM=1
export LOIHI_GEN="${{LOIHI_GEN:-{generation}}}"
export PARTITION="${{PARTITION:-oheogulch}}"
python run_on_board.py "$@"
"""

RUNS = """
## Run it

On a machine with lava-nc, Intel's extension lava-loihi, numpy and h5py (nothing of ff2loihi):

    bash job.sh                      # over SLURM; PARTITION and LOIHI_GEN choose the board
    NXSDKHOST=ADDRESS python run_on_board.py     # a board behind an Ethernet host
    python run_on_board.py --probe   # records v, too, with the extension's StateProbe

It writes `recording.npz`. Where ff2loihi is installed, in this folder:

    ff2loihi diff-golden . recording.npz         # exit 1, and the first state that differs

{when}

The adapters' delays ({into} in, {out} out) are those of a public notebook, not of this board: if diff-golden says that
the recording is late or early, or the spikes differ from a sample's first steps on, change `steps_in` and `steps_out`
in `board.json` and run again.
"""

WHEN = """\
Layer l's step i of pass p is expected at time step p {interval} + i + l + 2 + {into}, and at the host {out} later."""

LEARNING_WHEN = """\
Each sample is shown right, then wrong, {interval} time steps each. Recorded are every neuron's spikes `z` and count `r`
in each time step, and `learned`, the weights read after each presentation. Where z and r agree and the weights do not,
or z differs behind the first gate's spike, it is the learning engine that differs: no silicon has shown yet that epochs
of two begin with odd time steps, that a trace of tau = 0 lives for one of them, and that a back-propagating spike
carries its time step within the epoch. A weight beyond 254 rounds by the chip's own draw. Adapters that take an odd
number of time steps are waited for: the cores run whole epochs behind the host's rows."""


def write(path: Path, program: Program, data: Dataset, progress: Progress | None = None) -> list[str]:
    """Write the folder `path`, whole or not at all; returns what a reader should know. Raises DataError, CompileError.

    A network that stock processes cannot run gets no script: its README says what a board would have to compute.
    """
    manifest, _ = pack(program)
    network, digest = program.network, manifest["sha256"]
    wrong = obstacles(network)
    vectors = golden.golden(program, digest, data, progress)
    remarks = list(wrong)
    with folder_atomic(path, DataError) as folder:
        golden.write(vectors, folder / golden.FILE)
        if wrong:
            (folder / "network.net").write_bytes(netx.to_bytes(network, digest))
        else:
            if isinstance(network, LearningNetwork):
                stock_plan.write(folder, network, digest, pairs(network, data))
                if beyond := stock_plan.rounded(network, vectors.arrays):
                    remarks.append(f"{beyond:,} weights grow beyond 254 in these samples: a board's may differ there")
            else:
                board_plan.write(folder, network, digest, data.images)
            job = folder / "job.sh"
            job.write_text(JOB.format(generation=board_search.DEFAULT_GENERATION), encoding="utf-8")
            job.chmod(0o755)
            beyond = board_plan.saturating(network, vectors.arrays)
            if beyond:
                remarks.append(f"{beyond:,} activities of these samples saturate, the stock GradedReluVec does not")
        if isinstance(network, LearningNetwork):
            rule = rule_file.to_bytes(manifest, learning_fit.engine_strings(network), learning_fit.describe(network))
            (folder / f"network{rule_file.SUFFIX}").write_bytes(rule)
        text = _readme(program, digest, data, wrong, sorted(file.name for file in folder.iterdir()))
        (folder / "README.md").write_text(text, encoding="utf-8")
    return remarks


CONTENTS = {
    "run_on_board.py": "builds the network of stock processes, runs it through Loihi2HwCfg, records it",
    "board_config.py": "what the script uses: models for neurocores alone, the recording",
    "library_neurons.py": "what the script uses: the network, of library processes alone",
    "playback.py": "a process that the script uses: the input",
    "record.py": "a process that the script uses: what comes back",
    "board.json": "what runs when, the adapters' delays; of a network that learns, every constant",
    "network.net": "the layers (netx, HDF5); other fields than netx's stand beside them, see ff2loihi's README",
    "inputs.npy": "the input's spikes, a row a time step",
    "control.npy": "what clears the counters and enables the thermometers, a row a time step",
    "job.sh": "the same as a SLURM job",
    "network.rule.json": "the learning rule: the engine's strings, every constant, the equations",
    golden.FILE: "golden vectors: every state at every step",
}


def _readme(program: Program, digest: str, data: Dataset, wrong: list[str], files: list[str]) -> str:
    network = program.network
    shape = "-".join(str(n) for n in (network.inputs, *(layer.weight.shape[0] for layer in network.layers)))
    lines = [
        "# A Forward-Forward network for Loihi 2",
        "",
        f"{shape}, artifact {digest}; golden vectors of {len(data.labels)} {data.split} samples of {data.name}.",
        "Nothing here has run on silicon: the golden vectors are the emulator's, whose bits are Lava's simulator's.",
        "",
        *(f"- `{name}`: {CONTENTS[name]}" for name in files),
        "",
    ]
    if not wrong:
        learns, times = isinstance(network, LearningNetwork), {"into": ADAPTER_STEPS_IN, "out": ADAPTER_STEPS_OUT}
        times["interval"] = network.period if learns else board_plan.plan(network, digest, 1)["interval"]
        when = (LEARNING_WHEN if learns else WHEN).format(**times)
        return "\n".join(lines) + RUNS.format(when=when, **times)
    lines += ["## What a board needs", "", "No script is here, because the extension's own models cannot run it:", ""]
    lines += [f"- {obstacle}" for obstacle in wrong]
    facts = {"format": golden.RECORDING, "version": golden.VERSION, "artifact": digest}
    lines += [
        "",
        "`ff2loihi diff-golden . recording.npz` compares what a board computed: arrays named and shaped as in",
    ]
    lines += [f"`{golden.FILE}`, all of them or some, and a string `manifest`:", "", f"    {json.dumps(facts)}"]
    if isinstance(network, LearningNetwork):
        lines += ["", "What the microcode has to compute, each line beside the paper's (Terres-Escudero 2024):", ""]
        lines += [f"- {what}: {chip} [{paper}]" for what, paper, chip in learning_fit.describe(network)]
    return "\n".join([*lines, ""])
