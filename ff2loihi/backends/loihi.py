"""Loihi 2: the network as a deployment's script runs it on a board, in a child process that cannot outlive us."""

import re
import tempfile
import time
from pathlib import Path

import numpy as np

from ff2loihi.backends import board_plan, board_search, learned, learned_states, stock_plan
from ff2loihi.backends.base import Progress, Trace, check_pixels, host_sums, make_trace
from ff2loihi.backends.lava_child import Child
from ff2loihi.backends.presentations import Presentation, under_every_label
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import BackendError, CompileError
from ff2loihi.compilers.forward import Result
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program
from ff2loihi.compilers.library_processes import obstacles

PATIENCE = 900.0  # s without a word: a board may be in use by others


class Loihi:
    """A board, through Lava's Loihi2HwCfg and the extension's adapters; see lava_board, lava_stock_board for graphs."""

    name = "loihi"

    def __init__(self, patience: float = PATIENCE) -> None:
        self.board, self.patience = board_search.require_board(), patience
        self.models: tuple[str, ...] = ()  # "PROCESS MODEL" of the last run, a neurocore's each

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: Progress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8; states: spikes or payloads, and v, too, of each step.

        Raises DataError, CompileError for a network that stock processes cannot run, or BackendError.
        """
        network, learns = program.network, isinstance(program.network, LearningNetwork)
        check_runs(network)
        check_pixels(network, pixels)
        if learns and network.stock:
            found, seconds = self.show(program, under_every_label(network, pixels), progress=progress)
            return learned.make_trace(self.name, network, _learned_sums(network, found, len(pixels)), {}, seconds)
        with tempfile.TemporaryDirectory(prefix="ff2loihi-board-") as name:
            folder = Path(name)
            board_plan.write(folder, network, artifact.pack(program)[0]["sha256"], pixels)
            probe = states and (learns or network.neuron == "lif")
            found, seconds = self._run(folder, probe, len(pixels), progress)
        if learns:
            found = learned_states.with_traces(network, found)
            return learned.make_trace(self.name, network, learned_states.sums(network, found), found, seconds)
        return make_trace(self.name, network, _result(network, found), seconds)

    def show(
        self, program: Program, shown: list[Presentation], *, states: bool = False, progress: Progress | None = None
    ) -> tuple[dict[str, np.ndarray], float]:
        """Let a network of library neurons learn what is shown: (its recording's arrays, seconds).

        states: those of neurons, gates and thermometers, too. Raises CompileError or BackendError.
        """
        network = program.network
        check_runs(network)
        with tempfile.TemporaryDirectory(prefix="ff2loihi-board-") as name:
            stock_plan.write(Path(name), network, artifact.pack(program)[0]["sha256"], shown)
            return self._run(Path(name), states, len(shown), progress)

    def _run(self, folder: Path, probe: bool, samples: int, progress: Progress | None) -> tuple[dict, float]:
        """The recorded arrays, and how long the run took."""
        words = (str(folder / board_plan.SCRIPT), *(("--probe",) if probe else ()))
        times, models = [time.perf_counter()], []

        def on_line(line: str) -> None:
            word, _, rest = line.partition(" ")
            if word == "model":
                models.append(rest)
            elif word == "progress":
                times.append(time.perf_counter())
                if progress:
                    progress(int(rest), samples)

        with Child("", folder, self.patience, words, self.board.environment) as child:
            try:
                child.follow("done", on_line)
            except BackendError as error:
                said = re.search(r"^run_on_board: (.*)$", getattr(error, "details", ""), flags=re.MULTILINE)
                raise BackendError(f"the board's script: {said[1]}") if said else error from None
        self.models = tuple(models)
        try:
            with np.load(folder / "recording.npz", allow_pickle=False) as file:
                return {name: file[name] for name in file.files if name != "manifest"}, times[-1] - times[0]
        except (OSError, ValueError) as error:
            raise BackendError(f"the board's recording cannot be read: {error}. Run it again") from None


def check_runs(network) -> None:
    """Raise CompileError with everything that keeps a network off the stock neurocore models."""
    wrong = obstacles(network)
    if wrong:
        raise CompileError(f"this artifact does not run on the extension's neurocore models: {'; '.join(wrong)}")


def _learned_sums(network: LearningNetwork, found: dict[str, np.ndarray], samples: int) -> np.ndarray:
    """(samples, labels, 1, 2): the squares of the counts at a presentation's end, over + and - neurons."""
    [layer] = network.layers
    squares = found[f"{layer.name}.r"][:, -1].astype(np.int64) ** 2
    sums = np.stack([squares[:, layer.positive].sum(1), squares[:, ~layer.positive].sum(1)], axis=1)
    return sums.reshape(samples, network.classes, 1, 2)


def _result(network: IntNetwork, found: dict[str, np.ndarray]) -> Result:
    """Goodness sums, head and spike counts from what the layers sent home."""
    sums, head, spikes, states = [], [], [], {}
    for index, layer in enumerate(network.layers):
        if network.neuron == "lif":
            s = found[f"{layer.name}.s"].astype(np.int64)
            states |= {f"{layer.name}.s": s, f"{layer.name}.r": s.cumsum(axis=2)}
            activity = s.sum(axis=2)
        else:
            activity = states[f"{layer.name}.h"] = found[f"{layer.name}.h"].astype(np.int64)
        if f"{layer.name}.v" in found:
            states[f"{layer.name}.v"] = found[f"{layer.name}.v"].astype(np.int64)
        sums.append(host_sums(network, layer.name, activity))
        spikes.append((activity if network.neuron == "lif" else activity > 0).sum(-1))
        if network.head and index in network.readout_layers:
            weight = network.head.weights[network.readout_layers.index(index)].astype(np.int64)
            head.append((network.readout_layers.index(index), activity[:, 0] @ weight.T))
    return Result(
        sums=np.stack(sums, axis=2),
        head=np.stack([logits for _, logits in sorted(head, key=lambda pair: pair[0])], axis=1) if head else None,
        spikes=np.stack(spikes, axis=2),
        states=states,
    )
