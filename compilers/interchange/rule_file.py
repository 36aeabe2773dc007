"""The learning rule beside an exported network: neither netx nor NIR has a place for one.

JSON: dw and dt, the strings of Loihi 2's learning engine; equations, each with its paper's; manifest, the artifact's
(neurons, traces, third factors with their tables, schedule), of which `artifact` is the hash.
"""

import json
from pathlib import Path

from ff2loihi.compilers.errors import CheckpointError, brief
from ff2loihi.compilers.files import read_bytes
from ff2loihi.compilers.formats import strict_json

FORMAT, VERSION, SUFFIX = "ff2loihi-learning-rule", 1, ".rule.json"


def to_bytes(manifest: dict, strings: dict[str, str], equations: list[tuple[str, str, str]]) -> bytes:
    """The file's content."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "artifact": manifest["sha256"],
        **strings,
        "equations": [{"what": what, "paper": paper, "chip": chip} for what, paper, chip in equations],
        "manifest": manifest,
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def read(path: Path) -> dict:
    """The artifact's manifest in a rule's file. Raises CheckpointError."""
    data = read_bytes(path, CheckpointError, "a learning rule", absent=": the learning rule belongs beside its graph")
    try:
        content = strict_json.loads(data)
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON, or truncated ({brief(error)}). Export the artifact again") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise CheckpointError(f"{path}: not a learning rule of version {VERSION}. Export the artifact again")
    if not isinstance(content.get("manifest"), dict):
        raise CheckpointError(f"{path}: holds no manifest. Export the artifact again")
    return content["manifest"]
