"""A deployment as a folder: everything that a machine with a Loihi 2 board needs, and what its recording is held to."""

import json
from pathlib import Path

from ff2loihi import boards
from ff2loihi.backends import board_plan, board_search
from ff2loihi.backends.base import Progress
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

LEARNING = "the script classifies; learning there needs microcode: neuron and third factor are processes of ours"
RUNS = """
## Run it

On a machine with lava-nc, Intel's extension lava-loihi, numpy and h5py (nothing of ff2loihi):

    bash job.sh                      # over SLURM; PARTITION and LOIHI_GEN choose the board
    NXSDKHOST=ADDRESS python run_on_board.py     # a board behind an Ethernet host
    python run_on_board.py --probe   # records v, too, with the extension's StateProbe

It writes `recording.npz`. Where ff2loihi is installed, in this folder:

    ff2loihi diff-golden . recording.npz         # exit 1, and the first state that differs

Layer l's step i of pass p is expected at time step p {interval} + i + l + 2 + {into}, and at the host {out} later. The
adapters' delays ({into} in, {out} out) are those of a public notebook, not of this board: if diff-golden says that the
recording is late or early, or the spikes differ from a sample's first steps on, change `steps_in` and `steps_out` in
`board.json` and run again.
"""


def write(path: Path, program: Program, data: Dataset, progress: Progress | None = None) -> list[str]:
    """Write the folder `path`, whole or not at all; returns what a reader should know. Raises DataError, CompileError.

    A network that stock processes cannot run gets no script: its README says what a board would have to compute. Of
    one that learns with our neurons the script classifies, and the README says the same of its learning. What `map`
    would refuse is told, and the mapping written all the same: its limits are planned, not the board's own word.
    """
    manifest, _ = pack(program)
    network, digest = program.network, manifest["sha256"]
    wrong = obstacles(network)
    classifies = isinstance(network, LearningNetwork) and not network.stock and not wrong
    vectors = {golden.FILE: golden.golden(program, digest, data, progress)}
    if classifies:
        vectors = {
            golden.FILE: golden.classification(program, digest, data),
            golden.LEARNING_FILE: vectors[golden.FILE],
        }
    mapping = boards.report(boards.design(program))
    remarks = wrong + [LEARNING] * classifies + _broken(mapping)
    with folder_atomic(path, DataError) as folder:
        for name, one in vectors.items():
            golden.write(one, folder / name)
        (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
        if wrong:
            (folder / "network.net").write_bytes(netx.to_bytes(network, digest))
        else:
            board_plan.write(folder, network, digest, data.images)
            job = folder / "job.sh"
            job.write_text(JOB.format(generation=board_search.DEFAULT_GENERATION), encoding="utf-8")
            job.chmod(0o755)
            remarks += board_plan.remarks(network, vectors[golden.FILE].arrays)
        if isinstance(network, LearningNetwork):
            rule = rule_file.to_bytes(manifest, learning_fit.engine_strings(network), learning_fit.describe(network))
            (folder / f"network{rule_file.SUFFIX}").write_bytes(rule)
        text = _readme(program, digest, data, wrong, remarks, sorted(file.name for file in folder.iterdir()))
        (folder / "README.md").write_text(text, encoding="utf-8")
    return remarks


def _broken(mapping: dict) -> list[str]:
    """The limits that the network breaks on the board it is mapped to, a line each; the script fills the interval."""
    broken = [v for v in mapping["violations"] if v["kind"] == "limit" and v["rule"] != "reset_interval"]
    return [f"mapping: on {mapping['board']} it breaks {v['rule']}: {v['text']}. Use {v['mend']}" for v in broken]


MAPPING = "mapping.json"
CONTENTS = {
    "run_on_board.py": "builds the network of stock processes, runs it through Loihi2HwCfg, records it",
    "playback.py": "a process that the script uses: the input",
    "record.py": "a process that the script uses: what comes back",
    "board.json": "what runs when: samples, labels, steps, the adapters' delays",
    "network.net": "the layers (netx, HDF5); other fields than netx's stand beside them, see ff2loihi's README",
    MAPPING: "cores, chips and board as `ff2loihi map` plans them, goodness sums and learning too; broken rules",
    "inputs.npy": "the spikes of every sample under every label, a row a step",
    "job.sh": "the same as a SLURM job",
    "network.rule.json": "the learning rule: the engine's strings, every constant, the equations",
    golden.FILE: "golden vectors: every state at every step",
    golden.LEARNING_FILE: "golden vectors of its learning, each sample right, then wrong",
}


def _readme(
    program: Program, digest: str, data: Dataset, wrong: list[str], remarks: list[str], files: list[str]
) -> str:
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
    told = [remark for remark in remarks if remark not in wrong]
    if told:
        lines += ["Before it runs:", "", *(f"- {remark}" for remark in told), ""]
    if not wrong:
        interval = board_plan.plan(network, digest, len(data.labels))["interval"]
        runs = RUNS.format(interval=interval, into=ADAPTER_STEPS_IN, out=ADAPTER_STEPS_OUT)
        if not isinstance(network, LearningNetwork):
            return "\n".join(lines) + runs
        lines += [*runs.strip().splitlines(), "", "## To learn there"]
    else:
        lines += ["## What a board needs", "", "No script is here: the extension's own models cannot run it:", ""]
        lines += [f"- {obstacle}" for obstacle in wrong]
    file = golden.FILE if wrong else golden.LEARNING_FILE
    facts = {"format": golden.RECORDING, "version": golden.VERSION, "artifact": digest}
    lines += [
        "",
        f"`ff2loihi diff-golden {file} recording.npz` compares what a board computed: arrays named and shaped as in",
    ]
    lines += [f"`{file}`, all of them or some, and a string `manifest`:", "", f"    {json.dumps(facts)}"]
    if isinstance(network, LearningNetwork):
        lines += ["", "What the microcode has to compute, each line beside the paper's (Terres-Escudero 2024):", ""]
        lines += [f"- {what}: {chip} [{paper}]" for what, paper, chip in learning_fit.describe(network)]
    return "\n".join([*lines, ""])
