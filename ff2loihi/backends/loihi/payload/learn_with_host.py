"""A Forward-Forward network learns on Loihi 2 as its host decides, a presentation at a time: see lava.inside.

Commands, a line each, answered with "done": "present" runs the presentation whose rows lie in the folder, and leaves
its counts there, "read" writes the weights and the gates' v there, "stop" ends the run and lets go of the board.
Needs what learn_on_board.py needs. A deployment has no copy of this file: without ff2loihi nobody would decide.
"""

# pyright: reportMissingImports=false
# Imports the folder's copy of learn_on_board, which imports others by the names that they have there.

import json
import queue
import sys
from pathlib import Path

import numpy as np


def run(folder: Path, commands: "queue.Queue[str]") -> None:
    """Build the graph and do what the parent says, until it is gone."""
    from lava.magma.core.run_conditions import RunSteps

    sys.path.insert(0, str(folder))
    from learn_on_board import graph

    plan = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    found, config, _ = graph(folder, plan, probe=False, live=True)
    print("done", flush=True)
    while True:
        command = commands.get()
        if command == "present":
            found.neuron.run(condition=RunSteps(num_steps=plan["period"]), run_cfg=config)
        elif command == "read":
            np.save(folder / "weights.npy", found.learned())
            np.save(folder / "gates.npy", np.asarray(found.gates.v.get()).astype(np.int32))
        else:
            found.neuron.stop()
        print("done", flush=True)
