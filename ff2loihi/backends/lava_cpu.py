"""Lava's fixed-point CPU simulator: one runtime for many samples, in a child process that cannot outlive us.

This module does not import Lava; the child does (lava_worker).
"""

import contextlib
import importlib.util
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from ff2loihi.backends.base import Progress, Trace, check_pixels, make_trace
from ff2loihi.backends.session import end_session
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import BackendError
from ff2loihi.compilers.forward import Result
from ff2loihi.compilers.ir import IntNetwork, Program

PATIENCE = 120.0  # s without a finished sample, after which Lava counts as hung
GRACE = 3.0  # s for the rest of a traceback to arrive, or for a child to end


def available() -> bool:
    """Whether Lava can be imported here, found out without importing it."""
    return importlib.util.find_spec("lava") is not None


class LavaCpu:
    """Lava's processes with select_tag fixed_pt; see lava_network for the graph."""

    name = "lava"

    def __init__(self, patience: float = PATIENCE) -> None:
        if not available():
            raise BackendError(
                f"Lava is not installed in this Python {sys.version_info.major}.{sys.version_info.minor}. "
                "lava-nc 0.10.0 needs Python 3.10: create the environment with it (make), or use --backend emulator"
            )
        self.patience = patience

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: Progress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8, step by step. Raises DataError or BackendError."""
        check_pixels(program.network, pixels)
        with tempfile.TemporaryDirectory(prefix="ff2loihi-lava-") as name:
            folder = Path(name)
            artifact.write(program, folder / "job.ffl")
            np.save(folder / "pixels.npy", pixels)
            (folder / "job.json").write_text(json.dumps({"states": states}), encoding="utf-8")
            self._supervise(folder, len(pixels), progress)
            timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
            recordings = json.loads((folder / "recordings.json").read_text(encoding="utf-8"))
            rows = {key: (np.load(folder / file), delay) for key, file, delay in recordings}
        return make_trace(self.name, program.network, _result(program.network, rows, len(pixels)), timing["run"])

    def _supervise(self, folder: Path, samples: int, progress: Progress | None) -> None:
        log = folder / "stderr.txt"
        with log.open("wb") as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", "ff2loihi.backends.lava_worker", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read_lines, args=(child.stdout, lines), daemon=True).start()
        try:
            self._follow(child, lines, log, samples, progress)
        finally:
            end_session(child.pid)
            child.wait()
            child.stdin.close()

    def _follow(self, child, lines: "queue.Queue[str | None]", log: Path, samples: int, progress) -> None:
        last = time.monotonic()
        while True:
            try:
                line = lines.get(timeout=0.2)
            except queue.Empty:
                line = ""
            if line == "done":
                return
            if line and line.startswith("progress "):
                last = time.monotonic()
                if progress:
                    progress(int(line.split()[1]), samples)
            if line is None or b"Traceback (most recent call last)" in log.read_bytes():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(GRACE)  # for the rest of a traceback, or the status of a child that closed its output
                raise _failure(log.read_text(encoding="utf-8", errors="replace"), child.poll())
            if time.monotonic() - last > self.patience:
                raise BackendError(
                    f"Lava finished no sample in {self.patience:g} s and was ended. Run fewer steps or a smaller "
                    "network, or use --backend emulator, which gives the same bits"
                )


def _read_lines(stream, lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line.decode(errors="replace").strip())
    lines.put(None)


def _failure(log: str, code: int | None) -> BackendError:
    """One line from the child's traceback: the exception, and the deepest frame; the whole text as a detail."""
    frames = re.findall(r'File "([^"]+)", line (\d+), in (\w+)', log)
    raised = re.findall(r"^(\w[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*)$", log, flags=re.MULTILINE)
    where = f" in {frames[-1][2]} ({Path(frames[-1][0]).name}:{frames[-1][1]})" if frames else ""
    what = raised[0] if raised else f"its process ended with status {code}"
    error = BackendError(f"Lava failed: {what}{where}. Set FF2LOIHI_DEBUG=1 for Lava's whole log")
    error.details = log
    return error


def _result(network: IntNetwork, rows: dict[str, tuple[np.ndarray, int]], samples: int) -> Result:
    """The recordings, cut into samples and labels."""
    labels = 1 if network.readout == "head" else network.classes
    steps = network.steps
    starts = np.arange(samples * labels) * steps
    sums, head, spikes, states = [], {}, [], {}
    for name, (values, delay) in rows.items():
        if name.endswith(".g"):
            totals = values[starts + delay].reshape(samples, labels, -1)
            sums.append(totals[..., :-1].reshape(samples, labels, -1, 2))
            spikes.append(totals[..., -1])
            continue
        window = values[starts[:, None] + delay + np.arange(steps)]  # (samples x labels, steps, n)
        if name.startswith("head."):
            head[int(name.removeprefix("head."))] = window.sum(1).astype(np.int64)
            continue
        window = window.reshape(samples, labels, steps, -1)
        states[name] = (window[:, :, 0] if network.neuron == "graded" else window).astype(np.int64)
    return Result(
        sums=np.stack(sums, axis=2).astype(np.int64),
        head=np.stack([head[i] for i in sorted(head)], axis=1) if head else None,
        spikes=np.stack(spikes, axis=2).astype(np.int64),
        states=states,
    )
