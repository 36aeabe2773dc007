"""Lava's fixed-point simulator as a back end that learns: the emulator's Learner, presentation by presentation."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ff2loihi.backends.lava.child import PATIENCE, Child, require_lava
from ff2loihi.backends.one_by_one import OneByOne
from ff2loihi.compilers import artifact
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning import readout

PROGRAM = "job.ffl"


class LavaLearner(OneByOne):
    """Presents samples to a LearningNetwork inside Lava; to be used in a `with`.

    form: graph (the chip's processes, with Lava's own LearningDense, or PlasticSparse where synapses do not exist),
    own_plastic (the same with our model of LearningDense),
    per_layer (one process a layer) or one_process, the fastest: the last three run the emulator's kernels. See
    processes.ff_layer and fused_network. record: presentations of which every state is kept, see `states`.
    """

    def __init__(
        self, network: LearningNetwork, form: str = "one_process", record: int = 0, patience: float = PATIENCE
    ) -> None:
        require_lava()
        self.network, self.form, self.record, self.patience = network, form, record, patience
        self.exponent, self.trace_shift = network.update.exponent, 0
        self._sent = self.exponent, self.trace_shift
        self._weights = [layer.weight for layer in network.layers]
        self._tags = [np.zeros(layer.weight.shape, np.int16) for layer in network.layers]
        self._before = self._ran = 0  # steps, presentations
        self._q, self._phases = (np.zeros(n, np.int32) for n in (network.row, readout.draws_phases(network)))
        self._fired = np.zeros(len(network.layers), bool)
        self._child: Child | None = None

    def __enter__(self) -> "LavaLearner":
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ff2loihi-lava-")))
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
        self._child = None

    def _start(self) -> Child:
        net = self.network
        artifact.write(Program(net, (), {}), self.folder / PROGRAM)
        for index, (weight, tag) in enumerate(zip(self._weights, self._tags, strict=True)):
            np.save(self.folder / f"weights.{index}.npy", weight)
            np.save(self.folder / f"tags.{index}.npy", tag)
        shape = (1, len(self._row(0, 0)))
        self._input = np.lib.format.open_memmap(self.folder / "input.npy", mode="w+", dtype=np.int32, shape=shape)
        job = {
            "form": self.form, "passed": self._before, "steps": self.record * net.period,
            "exponent": self.exponent, "trace_shift": self.trace_shift,
        }  # fmt: skip
        self._sent = self.exponent, self.trace_shift
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        child = self._stack.enter_context(Child("ff2loihi.backends.lava.learning_worker", self.folder, self.patience))
        self._child, self._sums = child, []
        child.follow("done")
        return child

    def _row(self, label: int, phase: int) -> np.ndarray:
        """What the source reads of a presentation."""
        net = self.network
        if net.events:
            return np.concatenate([[phase], readout.input_spikes(net, self._q, self._phases, label).ravel()])
        return np.concatenate([[phase], self._q, net.label_codes[label], self._phases, net.label_phases])

    def _goodness(self) -> np.ndarray:
        """(layers, 2): of the presentation that has just run."""
        if not self._sums:  # to open a file again costs as much as two time steps
            layers = range(len(self.network.layers))
            self._sums = [np.load(self.folder / f"g.{index}.npy", mmap_mode="r") for index in layers]
        return np.stack([g[index + self.network.steps + 1] for index, g in enumerate(self._sums)])

    def present(self, label: int, phase: int) -> np.ndarray:
        """The image with a label; phase +1: a positive sample, -1: a negative one, 0: no learning. (layers, 2)."""
        child = self._child or self._start()
        self._set_rate(child)
        self._input[0] = self._row(label, phase)
        child.ask("present")
        self._ran += 1
        goodness = self._goodness()
        self._fired |= goodness.any(axis=1)
        return goodness

    def _set_rate(self, child: Child) -> None:
        if (self.exponent, self.trace_shift) != self._sent:
            child.ask(f"rate {self.exponent} {self.trace_shift}")
            self._sent = self.exponent, self.trace_shift

    @property
    def weights(self) -> list[np.ndarray]:
        """The layers' weights, (out, in) int16 each."""
        return [self._now("weights", index) for index in range(len(self.network.layers))]

    def _now(self, name: str, index: int) -> np.ndarray:
        if not self._ran:
            return (self._weights if name == "weights" else self._tags)[index].copy()
        return np.load(self.folder / f"{name}.{index}.now.npy")[0].astype(np.int16, order="C")

    def silent(self) -> list[float]:
        """1 for a layer whose goodness was 0 in every presentation since the last call: single neurons are not read."""
        shares = [float(not fired) for fired in self._fired]
        self._fired = np.zeros(len(self._fired), bool)
        return shares

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits."""
        passed = self._before + self._ran * self.network.period
        arrays = {"passed": np.array([passed]), "chip": np.zeros(1, np.uint64)}
        for index in range(len(self.network.layers)):
            arrays[f"weights.{index}"] = self._now("weights", index)
            if self.network.update.eligibility == "tag":
                arrays[f"tags.{index}"] = self._now("tags", index)
        return arrays

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken; not as graph or own_plastic, where Lava's draws start anew."""
        if self.form in ("graph", "own_plastic") or self._ran:
            raise ValueError(
                f"a run resumes before its first presentation, as one_process or per_layer, not {self.form}"
            )
        self._before = int(state["passed"][0])
        self._weights = [state[f"weights.{index}"] for index in range(len(self.network.layers))]
        if self.network.update.eligibility == "tag":
            self._tags = [state[f"tags.{index}"] for index in range(len(self.network.layers))]

    def states(self, layer: int, name: str) -> np.ndarray:
        """The recorded rows of v, r, y2, y3, a, z, weights.all or tags.all: (presentations period, ...).

        Layer l's local step i of presentation k is row k period + l + i; rows of weights and tags hold n x inputs.
        """
        return np.load(self.folder / f"{name}.{layer}.npy", mmap_mode="r")
