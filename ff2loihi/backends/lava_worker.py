"""The child that holds Lava's runtime: `python -m ff2loihi.backends.lava_worker FOLDER`.

It prints "progress N" after each sample and "done" at the end; the parent reads the recordings from the folder. When
the parent is gone, its standard input closes, and the child ends its whole session.
"""

import json
import os
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from ff2loihi.backends.session import end_session
from ff2loihi.compilers import artifact


def _end_with_parent(folder: Path) -> None:
    while os.read(0, 1):  # not sys.stdin: its lock would be held across Lava's forks, whose children close it
        pass
    shutil.rmtree(folder, ignore_errors=True)  # the parent would have
    end_session(os.getpid())


def _show_tracebacks() -> None:
    """Print a model's exception before Lava joins its threads: that join can hang, and the traceback with it."""
    from lava.magma.core.model.py.model import AbstractPyProcessModel

    join = AbstractPyProcessModel.join

    def print_and_join(self) -> None:
        if sys.exc_info()[0]:
            traceback.print_exc()
        join(self)

    AbstractPyProcessModel.join = print_and_join


def run(folder: Path) -> None:
    """Build the graph, run every sample, write timing.json."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    from ff2loihi.backends import lava_network

    _show_tracebacks()
    program, _ = artifact.read(folder / "job.ffl")
    pixels = np.load(folder / "pixels.npy")
    options = json.loads((folder / "job.json").read_text())
    graph = lava_network.build(program.network, pixels, folder, options["states"])
    (folder / "recordings.json").write_text(
        json.dumps([[r.name, r.file.name, r.delay] for r in graph.recordings]), encoding="utf-8"
    )
    source = graph.source
    config = Loihi2SimCfg(select_tag="fixed_pt")
    started = time.perf_counter()
    source.run(condition=RunSteps(num_steps=1), run_cfg=config)
    ready = time.perf_counter()
    print("progress 0", flush=True)
    a_sample = graph.labels * program.network.steps
    left = graph.steps - 1
    for done in range(1, len(pixels) + 1):
        steps = a_sample if done < len(pixels) else left
        source.run(condition=RunSteps(num_steps=steps), run_cfg=config)
        left -= steps
        print(f"progress {done}", flush=True)
    ended = time.perf_counter()
    timing = {"startup": ready - started, "run": ended - ready, "steps": graph.steps - 1}
    (folder / "timing.json").write_text(json.dumps(timing), encoding="utf-8")
    print("done", flush=True)
    source.stop()


if __name__ == "__main__":
    job = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(job,), daemon=True).start()
    run(job)
