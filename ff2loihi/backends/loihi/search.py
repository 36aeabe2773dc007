"""What this machine has of Loihi 2: the extension, a SLURM with boards, an Ethernet host. Nothing is taken on trust.

Intel's own checks believe one module's name and any `sinfo` that exits with 0; here the extension must be whole and of
the version that belongs to lava-nc, SLURM must list a board that answers and grant it, a host must answer.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from ff2loihi.compilers.errors import BackendError
from ff2loihi.processes.limits import EXTENSION_OF_LAVA, GENERATIONS

PARTS = (  # modules of lava-loihi that a run needs; each is named in a public example
    "lava.proc.embedded_io.spike",
    "lava.magma.core.model.nc.model",
    "lava.magma.core.model.c.model",
    "lava.proc.lif.ncmodels",
    "lava.utils.loihi2_profiler",
)
PATIENCE = 0.7  # s for each outside command
LOIHI_NAMES = re.compile(
    r"loihi|oheo|kapoho|hala|^kp|^ncl-", re.IGNORECASE
)  # boards and partitions, as INRC names them
UP = ("idle", "mix", "mixed", "alloc", "allocated", "comp", "completing")  # states of a node that answers
DEFAULT_GENERATION = "N3B3"  # of lava.utils.loihi


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for: text says what was found, or what is missing."""

    ok: bool
    text: str


@dataclass(frozen=True)
class BoardSearch:
    """environment: what Lava's runtime reads to find the board; empty where there is none."""

    extension: Finding
    slurm: Finding
    host: Finding
    generation: Finding
    environment: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether a network can be sent to a board from here."""
        return self.extension.ok and self.generation.ok and (self.slurm.ok or self.host.ok)

    @property
    def missing(self) -> str:
        """What is missing, in one line."""
        parts = [part.text for part in (self.extension, self.generation) if not part.ok]
        if not (self.slurm.ok or self.host.ok):
            parts += [self.slurm.text, self.host.text]
        return "; ".join(parts)


def search() -> BoardSearch:
    """Look for everything; takes at most three outside commands."""
    generation = _generation()
    slurm, environment = _slurm()
    host = Finding(False, "no Ethernet host is asked for")
    if not slurm.ok:
        host, environment = _host()
    if environment:
        environment["LOIHI_GEN"] = os.environ.get("LOIHI_GEN") or DEFAULT_GENERATION
    return BoardSearch(_extension(), slurm, host, generation, environment)


def require_board(
    instead: str = "Use deploy --dry-run DIR, and run what it writes on a machine that has a board",
) -> BoardSearch:
    """What was found. Raises BackendError, saying what is missing, where no board can be reached."""
    board = search()
    if not board.ready:
        raise BackendError(f"no Loihi board from here: {board.missing}. {instead}")
    return board


def facts() -> dict[str, str]:
    """What `doctor` shows."""
    board = search()
    return {
        "Loihi 2 extension": board.extension.text,
        "Loihi 2 over SLURM": board.slurm.text,
        "Loihi 2 over Ethernet": board.host.text,
        "Loihi 2 generation": board.generation.text,
        "Loihi 2 board": "ready"
        if board.ready
        else "none from here: deploy --dry-run writes what another machine runs",
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _extension() -> Finding:
    lava, version = _version("lava-nc"), _version("lava-loihi")
    if lava is None:
        return Finding(False, "lava-nc is not installed, and so no extension")
    absent = [name for name in PARTS if not _findable(name)]
    if version is None and len(absent) == len(PARTS):
        return Finding(False, "Intel's extension lava-loihi is not installed (it is for Python 3.10 alone)")
    if version is None:
        return Finding(False, "modules of lava-loihi are there, but no such package: its version is unknown")
    wanted = EXTENSION_OF_LAVA.get(".".join(lava.split(".")[:2]))
    if ".".join(version.split(".")[:2]) != wanted:
        return Finding(False, f"lava-loihi {version} does not belong to lava-nc {lava}, which wants {wanted}")
    if absent:
        return Finding(False, f"lava-loihi {version} is not whole: no {', '.join(absent)}")
    return Finding(True, f"lava-loihi {version} with lava-nc {lava}")


def _findable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, AttributeError, ValueError):
        return False


def _generation() -> Finding:
    wanted = os.environ.get("LOIHI_GEN")
    if not wanted:
        return Finding(True, f"{DEFAULT_GENERATION} (LOIHI_GEN is not set)")
    if wanted not in GENERATIONS:
        return Finding(False, f"LOIHI_GEN={wanted} is no generation of Loihi 2: {', '.join(GENERATIONS)}")
    return Finding(True, wanted)


def _said(*command: str) -> tuple[int | None, str]:
    """(exit status, None where it did not end in time or start; its output)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    return done.returncode, done.stdout


def _slurm() -> tuple[Finding, dict[str, str]]:
    if os.environ.get("NOSLURM"):
        return Finding(False, "SLURM is switched off (NOSLURM)"), {}
    if not shutil.which("sinfo"):
        return Finding(False, "no SLURM (sinfo)"), {}
    status, text = _said("sinfo", "-N")
    if status != 0:
        return Finding(False, f"sinfo {'did not answer' if status is None else f'failed with status {status}'}"), {}
    head, *rows = [line.split() for line in text.splitlines() if line.strip()] or [[]]
    if head != ["NODELIST", "NODES", "PARTITION", "STATE"]:
        return Finding(False, "sinfo answers, but not with a table of nodes"), {}
    nodes = [(row[0], row[2].rstrip("*"), row[3]) for row in rows if len(row) == 4]
    asked = os.environ.get("BOARD"), os.environ.get("PARTITION")
    boards = [node for node in nodes if _asked_for(node, *asked)]
    if not boards:
        wish = f" for BOARD={asked[0] or ''} PARTITION={asked[1] or ''}" if any(asked) else ""
        return Finding(False, f"SLURM lists {len(nodes)} nodes, no Loihi board{wish}"), {}
    up = [node for node in boards if node[2] in UP]
    if not up:
        return Finding(False, f"SLURM lists {boards[0][0]}, which is {boards[0][2]}"), {}
    board, partition, state = up[0]
    status, _ = _said("srun", "--test-only", "-p", partition, "-w", board, "true")
    if status != 0:
        return Finding(False, f"SLURM lists {board} as {state}, but srun --test-only does not grant it"), {}
    return Finding(True, f"{board} in {partition}, {state}"), {"SLURM": "1", "BOARD": board, "PARTITION": partition}


def _asked_for(node: tuple[str, str, str], board: str | None, partition: str | None) -> bool:
    if board or partition:
        return (not board or node[0] == board) and (not partition or node[1] == partition)
    return bool(LOIHI_NAMES.search(node[0]) or LOIHI_NAMES.search(node[1]))


def _host() -> tuple[Finding, dict[str, str]]:
    address = os.environ.get("NXSDKHOST")
    if not address:
        return Finding(False, "no Ethernet host (NXSDKHOST)"), {}
    status, _ = _said("ping", "-c", "1", "-W", "1", address)
    if status != 0:
        return Finding(False, f"NXSDKHOST={address} does not answer a ping"), {}
    binary = os.environ.get("HOST_BINARY", "nxcore/bin/nx_driver_server")
    return Finding(True, f"{address}, {binary}"), {"NOSLURM": "1", "NXSDKHOST": address, "HOST_BINARY": binary}
