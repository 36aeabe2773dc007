"""A deployment as a folder: everything that a machine with a Loihi 2 board needs, and what its recording is held to."""

import json
from pathlib import Path

from ff2loihi.backends.base import SampleProgress
from ff2loihi.backends.loihi import library_plan
from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.backends.loihi import search as board_search
from ff2loihi.backends.loihi.deployed import LEARNING
from ff2loihi.backends.presentations import pairs
from ff2loihi.compilers.artifact.file import pack
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.files import folder_atomic
from ff2loihi.compilers.inference.library_form import obstacles
from ff2loihi.compilers.interchange import netx, rule_file
from ff2loihi.compilers.ir import AnyProgram, LearningNetwork
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.data.datasets import Dataset
from ff2loihi.deployment import mapping as boards
from ff2loihi.deployment.readme import MAPPING, RULE, readme
from ff2loihi.verification import golden

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


def write(path: Path, program: AnyProgram, data: Dataset, progress: SampleProgress | None = None) -> list[str]:
    """Write the folder `path`, whole or not at all; returns what a reader should know. Raises DataError, CompileError.

    A network that library processes cannot run gets no script: its README says what a board would have to compute. Of
    one that learns with our neurons the script classifies, and the README says the same of its learning. What `map`
    would refuse is told, and the mapping written all the same: its limits are planned, not the board's own word.
    """
    manifest, _ = pack(program)
    network, digest = program.network, manifest["sha256"]
    wrong = obstacles(network)
    learns = isinstance(network, LearningNetwork)
    classifies = learns and not network.library and not wrong
    vectors = {golden.FILE: golden.golden(program, digest, data, progress)}
    if classifies:
        vectors = {
            golden.FILE: golden.classification(program, digest, data),
            golden.LEARNING_FILE: vectors[golden.FILE],
        }
    mapping = boards.report(boards.design(program))
    remarks = [LEARNING] * classifies + _broken(mapping)
    with folder_atomic(path, DataError) as folder:
        for name, one in vectors.items():
            golden.write(one, folder / name)
        (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
        if wrong:
            (folder / "network.net").write_bytes(netx.to_bytes(network, digest))
        else:
            if learns and network.library:
                library_plan.write(folder, network, digest, pairs(network, data))
                if beyond := library_plan.weights_beyond_grid(network, vectors[golden.FILE].arrays):
                    remarks.append(f"{beyond:,} weights grow beyond 254 in these samples: a board's may differ there")
            else:
                board_plan.write(folder, network, digest, data.images)
                remarks += board_plan.remarks(network, vectors[golden.FILE].arrays)
            job = folder / "job.sh"
            job.write_text(JOB.format(generation=board_search.DEFAULT_GENERATION), encoding="utf-8")
            job.chmod(0o755)
        if learns:
            rule = rule_file.to_bytes(manifest, learning_fit.engine_strings(network), learning_fit.describe(network))
            (folder / RULE).write_bytes(rule)
        files = sorted(file.name for file in folder.iterdir())
        (folder / "README.md").write_text(readme(program, digest, data, wrong, remarks, files), encoding="utf-8")
    return [f"no script is written: {reason}" for reason in wrong] + remarks


def _broken(mapping: dict) -> list[str]:
    """The limits that the network breaks on the board it is mapped to, a line each; the script fills the interval."""
    broken = [v for v in mapping["violations"] if v["kind"] == "limit" and v["rule"] != "reset_interval"]
    return [f"mapping: on {mapping['board']} it breaks {v['rule']}: {v['text']}. Use {v['mend']}" for v in broken]
