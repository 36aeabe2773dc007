"""What Lava's child does to classify: see inside.

It prints "progress N" after each sample and "done" at the end; the parent reads the recordings from the folder.
"""

import json
import time
from pathlib import Path

import numpy as np

from ff2loihi.compilers import artifact
from ff2loihi.compilers.ir import LearningNetwork


def run(folder: Path, _commands: object) -> None:
    """Build the graph, run every sample, write timing.json."""
    from lava.magma.core.run_conditions import RunSteps

    from ff2loihi.backends.lava.graphs import inference as lava_network
    from ff2loihi.backends.lava.graphs import library_inference
    from ff2loihi.backends.lava.models import run_config

    program, _ = artifact.read(folder / "job.ffl")
    pixels = np.load(folder / "pixels.npy")
    options = json.loads((folder / "job.json").read_text())
    if options["library"] or isinstance(program.network, LearningNetwork):
        graph = library_inference.build(program.network, pixels, folder, options["states"], options["first"])
    else:
        graph = lava_network.build(program.network, pixels, folder, options["states"])
    facts = {
        "labels": graph.labels,
        "period": graph.period,
        "stride": graph.stride,
        "recordings": [[r.name, r.file.name, r.delay] for r in graph.recordings],
    }
    (folder / "recordings.json").write_text(json.dumps(facts), encoding="utf-8")
    source = graph.source
    config = run_config()
    started = time.perf_counter()
    source.run(condition=RunSteps(num_steps=1), run_cfg=config)
    ready = time.perf_counter()
    print("progress 0", flush=True)
    a_sample = graph.labels * graph.period
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
