"""What the scripts of deployments share: models for neurocores alone, the recording, the command line.

Needs lava-nc, Intel's extension lava-loihi and numpy; nothing of ff2loihi.
"""

import argparse
import json
import os
import sys
import tempfile
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import numpy as np

NOT_AVAILABLE = 3  # exit code: no neurocores
NEEDED = "lava-nc, Intel's extension lava-loihi, scipy and h5py"
SOCKET_FOLDER = 107 - len("/pymp-12345678/listener-12345678")  # bytes of a folder; Linux takes 107 for a socket


class NoNeurocore(Exception):
    """A process would have run on the host's CPU."""


def board_config(on_neurocores: tuple[type, ...], probes: list):
    """Loihi2HwCfg that takes nothing but a neurocore for the processes that must run on one, and prints their models.

    Raises NoNeurocore when it selects a model.
    """
    from lava.magma.core.run_configs import Loihi2HwCfg

    class BoardCfg(Loihi2HwCfg):
        def select(self, process, proc_models):
            if not isinstance(process, on_neurocores):
                return super().select(process, proc_models)
            on_chip = [model for model in proc_models if _needs_neurocore(model)]
            if not on_chip:
                raise NoNeurocore(f"{type(process).__name__}: the extension has no model of it for neurocores")
            tagged = [model for model in on_chip if self.select_tag in model.tags]
            chosen = Loihi2HwCfg(select_tag=self.select_tag if tagged else None).select(process, tagged or on_chip)
            print(f"model {type(process).__name__} {chosen.__name__}", flush=True)
            return chosen

    return BoardCfg(select_tag="fixed_pt", callback_fxs=probes)


def _needs_neurocore(model: type) -> bool:
    return any("NeuroCore" in resource.__name__ for resource in model.required_resources)


def write_recording(folder: Path, artifact: str, arrays: dict[str, Any]) -> None:
    """Write recording.npz, whole or not at all."""
    facts = {"format": "ff2loihi-recording", "version": 1, "artifact": artifact}
    unfinished = folder / ".recording.npz"
    np.savez_compressed(unfinished, manifest=np.array(json.dumps(facts)), **arrays)
    os.replace(unfinished, folder / "recording.npz")


def main(text: str | None) -> None:
    """The script run_on_board.py, whose text is its help; Python -OO leaves it out."""
    parser = argparse.ArgumentParser(description=text and text.splitlines()[0])
    parser.add_argument("--probe", action="store_true", help="record v, too: slow, and not for wide layers")
    options = parser.parse_args()
    folder, here = Path(__file__).resolve().parent, os.getcwd()
    os.chdir(folder)
    resource_tracker.ensure_running()  # a Python that looks for modules where it starts, and lasts as long as we do
    os.chdir(here)
    if len(os.fsencode(tempfile.gettempdir())) > SOCKET_FOLDER:
        tempfile.tempdir = os.environ["TMPDIR"] = "/tmp"
    try:
        if "learns" in json.loads((folder / "board.json").read_text(encoding="utf-8")):
            from learn_on_board import run
        else:
            from classify_on_board import run
        run(folder, options.probe)
    except (ModuleNotFoundError, NoNeurocore) as error:
        what = f"{error}. Install {NEEDED}" if isinstance(error, ModuleNotFoundError) else error
        print(f"run_on_board: {what}", file=sys.stderr)
        sys.exit(NOT_AVAILABLE)
