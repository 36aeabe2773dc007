"""What Lava's child does to learn: see inside.

Commands, a line each: "present" runs one presentation, "rate EXPONENT TRACE_SHIFT" sets the learning rate; each is
answered with "done". What goes in and out lies in the folder's files, see graphs.learning.
"""

import json
import queue
from pathlib import Path

from ff2loihi.compilers import artifact
from ff2loihi.compilers.ir import LearningNetwork


def run(folder: Path, commands: "queue.Queue[str]") -> None:
    """Build the graph and do what the parent says, until it is gone."""
    from lava.magma.core.run_conditions import RunSteps

    from ff2loihi.backends.lava.graphs import learning as graphs
    from ff2loihi.backends.lava.graphs import library_learning

    network = artifact.read(folder / "job.ffl")[0].network
    assert isinstance(network, LearningNetwork)  # LavaLearner wrote it
    start = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    build = library_learning.build if network.library else graphs.build
    graph = build(network, folder, start)
    config, condition = graphs.run_config(start["form"]), RunSteps(num_steps=network.period)
    print("done", flush=True)
    while True:
        command, *numbers = commands.get().split()
        if command == "present":
            graph.source.run(condition=condition, run_cfg=config)
        else:
            exponent, trace_shift = map(int, numbers)
            graph.set_rate(exponent, trace_shift)
        print("done", flush=True)
