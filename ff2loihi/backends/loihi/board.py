"""Loihi 2: the network as a deployment's script runs it on a board, in a child process that cannot outlive us."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ff2loihi.backends import classification, classification_states
from ff2loihi.backends.base import SampleProgress, Trace, check_pixels, host_sums, make_trace
from ff2loihi.backends.lava.child import Child, ChildFailed
from ff2loihi.backends.loihi import library_plan
from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.backends.loihi import search as board_search
from ff2loihi.backends.presentations import Presentation, under_every_label
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import BackendError, CompileError
from ff2loihi.compilers.inference.integer_forward import Result
from ff2loihi.compilers.inference.library_form import obstacles
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program

BATCH = 64  # samples of a network that learns whose traces are held at a time
PATIENCE = 900.0  # s without a word: a board may be in use by others


class Loihi:
    """A board, through Lava's Loihi2HwCfg and the extension's adapters; see payload for the graphs."""

    name = "loihi"

    def __init__(self, patience: float = PATIENCE) -> None:
        self.board, self.patience = board_search.require_board(), patience
        self.models: tuple[str, ...] = ()  # "PROCESS MODEL" of the last run, a neurocore's each

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: SampleProgress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8; states: spikes or payloads, and v, too, of each step.

        Raises DataError, CompileError for a network that library processes cannot run, or BackendError.
        """
        network = program.network
        check_runs(network)
        check_pixels(network, pixels)
        if isinstance(network, LearningNetwork) and network.library:
            found, seconds = self.show(program, under_every_label(network, pixels), progress=progress)
            counts = found[f"{network.layers[0].name}.r"].astype(np.int64)
            counts = {f"{network.layers[0].name}.r": counts.reshape(len(pixels), network.classes, *counts.shape[1:])}
            sums = classification_states.sums(network, counts)
            return classification.make_trace(self.name, network, sums, {}, seconds)
        with deployed(board_plan.write, program, pixels) as folder:
            probe = states and (isinstance(network, LearningNetwork) or network.neuron == "lif")
            found, seconds = self._run(folder, probe, len(pixels), progress)
        if isinstance(network, LearningNetwork):
            sums = _learned_sums(network, found, len(pixels))
            found = classification_states.with_traces(network, found) if states else {}
            return classification.make_trace(self.name, network, sums, found, seconds)
        return make_trace(self.name, network, _result(network, found, states), seconds)

    def show(
        self, program: Program, presentations: list[Presentation], *, states: bool = False,
        progress: SampleProgress | None = None,
    ) -> tuple[dict[str, np.ndarray], float]:  # fmt: skip
        """Let a network of library neurons learn `presentations`: (its recording's arrays, seconds).

        states: those of neurons, gates and thermometers, too. Raises CompileError or BackendError.
        """
        check_runs(program.network)
        with deployed(library_plan.write, program, presentations) as folder:
            return self._run(folder, states, len(presentations), progress)

    def _run(self, folder: Path, probe: bool, samples: int, progress: SampleProgress | None) -> tuple[dict, float]:
        """The recorded arrays, and how long the run took."""
        script = (str(folder / board_plan.SCRIPT), *(("--probe",) if probe else ()))
        times, models = [time.perf_counter()], []

        def on_line(line: str) -> None:
            word, _, rest = line.partition(" ")
            if word == "model":
                models.append(rest)
            elif word == "progress":
                times.append(time.perf_counter())
                if progress:
                    progress(int(rest), samples)

        with Child("", folder, self.patience, script, self.board.environment) as child:
            try:
                child.follow("done", on_line)
            except ChildFailed as error:
                said = re.search(r"^run_on_board: (.*)$", error.details, flags=re.MULTILINE)
                raise BackendError(f"the board's script: {said[1]}") if said else error from None
            self.models = tuple(models)
            return _recording(folder), times[-1] - times[0]


def _recording(folder: Path) -> dict[str, np.ndarray]:
    """The arrays that the script left. Raises BackendError."""
    try:
        with np.load(folder / "recording.npz", allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name != "manifest"}
    except (OSError, ValueError) as error:
        raise BackendError(f"the board's recording cannot be read: {error}. Run it again") from None


@contextmanager
def deployed(write: Callable, program: Program, what) -> Iterator[Path]:
    """A deployment of what is presented that lasts as long as the `with`. Raises BackendError where it has no room."""
    with tempfile.TemporaryDirectory(prefix="ff2loihi-board-") as name:
        try:
            write(Path(name), program.network, artifact.pack(program)[0]["sha256"], what)
        except OSError as error:
            raise BackendError(f"{name}: not written: {error.strerror}. Set TMPDIR, or use --limit") from None
        yield Path(name)


def check_runs(network) -> None:
    """Raise CompileError with everything that keeps a network off library neurocore models."""
    wrong = obstacles(network)
    if wrong:
        raise CompileError(f"this artifact does not run on the extension's neurocore models: {'; '.join(wrong)}")


def _learned_sums(network: LearningNetwork, found: dict[str, np.ndarray], samples: int) -> np.ndarray:
    """classification_states.sums of the spikes, a batch of samples at a time."""
    parts = []
    for start in range(0, samples, BATCH):
        names = (f"{layer.name}.s" for layer in network.layers)
        spikes = {name: found[name][start : start + BATCH] for name in names}
        parts.append(classification_states.sums(network, classification_states.with_traces(network, spikes)))
    return np.concatenate(parts)


def _result(network: IntNetwork, found: dict[str, np.ndarray], with_states: bool) -> Result:
    """Goodness sums, head and spike counts from what the layers sent home; with_states: and the states."""
    sums, head, spikes, states = [], [], [], {}
    for index, layer in enumerate(network.layers):
        if network.neuron == "lif":
            activity = found[f"{layer.name}.s"].sum(axis=2, dtype=np.int64)
        else:
            activity = found[f"{layer.name}.h"].astype(np.int64)
        if with_states:
            names = [f"{layer.name}.{state}" for state in "shv"]
            states |= {name: found[name].astype(np.int64) for name in names if name in found}
        if with_states and network.neuron == "lif":
            states[f"{layer.name}.r"] = states[f"{layer.name}.s"].cumsum(axis=2)
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
