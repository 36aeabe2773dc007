"""Loihi 2 as a back end that learns: a network of library neurons on a board, its controller here, on the host."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np

from ff2loihi.backends.lava.child import Child
from ff2loihi.backends.loihi import library_plan
from ff2loihi.backends.loihi.board import PATIENCE, deployed
from ff2loihi.backends.loihi.payload.learn_on_board import delays
from ff2loihi.backends.loihi.search import require_board
from ff2loihi.backends.one_by_one import OneByOne
from ff2loihi.backends.presentations import Presentation
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning.weight_grid import held


class LoihiLearner(OneByOne):
    """Presents samples to a LearningNetwork on a board; to be used in a `with`.

    A presentation is a run of the board of one period, after which the counts of its neurons are here: the cores run
    behind the host's rows by less than a presentation's idle end. Weights and gates are read when they are asked for.
    """

    def __init__(self, network: LearningNetwork, patience: float = PATIENCE) -> None:
        if not network.library:
            raise CompileError(
                "--backend loihi: library neurons alone learn on a board, this artifact has others. Compile the "
                "untrained network with --learning library, or use --backend emulator"
            )
        self._board, self.patience = require_board("Use --backend emulator"), patience
        [layer] = network.layers
        self.network, self._positive = network, layer.positive
        self.exponent, self.trace_shift = network.update.exponent, 0
        self._weight, self._gates = layer.weight, np.zeros(layer.neurons, np.int32)
        self._fired = np.zeros(layer.neurons, bool)
        self._passed, self._stale = 0, False  # presentations; whether any came since weights were read
        what = library_plan.plan(network, "", [])
        self._last = delays(what)[1] + what["steps"] + what["steps_out"] - 1  # row of counts that are complete
        self._child: Child | None = None

    def __enter__(self) -> "LoihiLearner":
        self._stack = ExitStack()
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
        self._child = None

    def _start(self, first: Presentation) -> Child:
        [layer] = self.network.layers
        net = replace(self.network, layers=(replace(layer, weight=held(self._weight, layer)),))
        write = partial(library_plan.write, gates=self._gates)
        self.folder = self._stack.enter_context(deployed(write, Program(net, (), {}), [first]))
        module = "ff2loihi.backends.loihi.payload.learn_with_host"
        child = Child(module, self.folder, self.patience, environment=self._board.environment)
        self._child = self._stack.enter_context(child)
        child.follow("done")
        self._stack.push(self._stop)
        self._rows = {name: np.load(self.folder / name, mmap_mode="r+") for name in library_plan.HOST_ROWS}
        self._counts = np.load(self.folder / ".r.npy", mmap_mode="r")
        return child

    def _stop(self, kind: type[BaseException] | None, *_) -> None:
        """Where nothing failed, keep the weights and let go of the board; else the child is ended as it is."""
        if kind is None and self._child:
            self._read()
            self._child.ask("stop")

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (1, 2)."""
        one = Presentation(self._q, self._phases, label, phase, self.exponent, self.trace_shift)
        child = self._child or self._start(one)
        for name, blocks in library_plan.HOST_ROWS.items():
            [rows] = blocks(self.network, [one])
            self._rows[name][:] = np.packbits(rows, axis=1)  # in place: the child's processes have them mapped
        child.ask("present")
        self._passed, self._stale = self._passed + 1, True
        counts = self._counts[self._last].astype(np.int64)
        self._fired |= counts > 0
        return np.array([[(counts[side] ** 2).sum() for side in (self._positive, ~self._positive)]])

    def _read(self) -> None:
        if self._stale:
            assert self._child, "weights of a board are read before its `with` ends"
            self._child.ask("read")
            self._weight, self._gates = (np.load(self.folder / f"{name}.npy") for name in ("weights", "gates"))
            self._stale = False

    @property
    def weights(self) -> list[np.ndarray]:
        """The layer's weights, [(out, in) int16]."""
        self._read()
        return [self._weight.copy()]

    def silent(self) -> list[float]:
        """The share of neurons that have not spiked by themselves since the last call."""
        share = float((~self._fired).mean())
        self._fired[:] = False
        return [share]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits, but for the draws of a board's own."""
        self._read()
        return {"weights.0": self._weight, "gates.0": self._gates, "passed": np.array([self._passed])}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken, before the first presentation; weights go onto the chip's even grid."""
        self._weight, self._gates, self._passed = state["weights.0"], state["gates.0"], int(state["passed"][0])
