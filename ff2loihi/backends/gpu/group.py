"""Networks that learn side by side: each in a thread of its own, whose blocks of samples are one call of a device."""

import threading
from collections.abc import Sequence

import numpy as np

from ff2loihi.backends.base import Learned, Plan, Samples
from ff2loihi.backends.emulator.learner import label_events
from ff2loihi.backends.emulator.presentation import Draws
from ff2loihi.backends.gpu.device import Device
from ff2loihi.backends.gpu.kernel import Lanes, Work
from ff2loihi.compilers.ir import LearningNetwork
from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_kernels import factor_constants, neuron_constants, synapse_mask
from ff2loihi.processes.pcg64 import leap_of


def shape(network: LearningNetwork) -> tuple[int, ...]:
    """What the networks of a group share."""
    masked = network.layers[0].mask is not None
    sizes = network.pixels, network.inputs, len(network.layers[0].weight), network.classes, network.steps
    return *sizes, len(network.layers[0].factor.table), masked


def fits(network: LearningNetwork, rounding: str) -> bool:
    """Whether a lane can learn it: one layer of our own neurons, without tags, of rates, rounded as Lava does."""
    ours = network.update.eligibility == "none" and network.events is None
    return ours and len(network.layers) == 1 and rounding == "lava"


def _leaps(increment: int, period: int, each: int) -> np.ndarray:
    """To the last draw of each step, and over a presentation: (period + 1, 4)."""
    return np.stack([leap_of(increment, each * step) for step in (*range(1, period + 1), period)])


def _lanes(networks: Sequence[LearningNetwork]) -> Lanes:
    one, layers, count = networks[0], [network.layers[0] for network in networks], len(networks)
    n, steps = len(one.layers[0].weight), one.steps
    labels = [label_events(network) for network in networks]
    draws = Draws.of(one.period, 0, np.zeros(1, np.uint64))
    increment = np.random.PCG64(ENGINE_SEED).state["state"]["inc"]

    def space(*size: int, dtype: type = np.int32) -> np.ndarray:
        return np.zeros((count, *size), dtype)

    return Lanes(
        w=np.stack([layer.weight.T.astype(np.int16) for layer in layers]),
        mask=np.stack([synapse_mask(layer.mask) for layer in layers]),
        signs=np.stack([layer.positive.astype(np.int32) for layer in layers]),
        neuron=np.array([[*neuron_constants(layer.neuron, layer.trace)] for layer in layers], np.int32),
        factor=np.array([factor_constants(layer.factor) for layer in layers], np.int64),
        table=np.array([layer.factor.table for layer in layers], np.int64),
        label_idx=np.stack([events.idx for events in labels]),
        label_counts=np.stack([events.counts for events in labels]),
        streams=np.stack([np.stack([draws.weights.state, draws.decays.state])] * count),
        leaps=np.stack([_leaps(increment, one.period, each) for each in (1, 2)]),
        fired=space(n), idx=space(steps, one.pixels), counts=space(steps), base=space(steps, n),
        v=space(n), r=space(n), a=space(n), y=space(n), shared=space(n, dtype=np.int16),
    )  # fmt: skip


class Group:
    """Lanes that wait for each other: a call is made when each lane that is not done has brought its samples."""

    def __init__(self, networks: Sequence[LearningNetwork], device: Device) -> None:
        self.device = device
        self.lanes = [Lane(network, self, index) for index, network in enumerate(networks)]
        self.arrays = device.take(_lanes(networks))
        self._ready = threading.Condition()
        self._brought: dict[int, tuple[Samples, Plan]] = {}
        self._found: dict[int, Learned] = {}
        self._left = set(range(len(networks)))  # lanes that still learn
        self._failure: BaseException | None = None

    def learn(self, lane: int, samples: Samples, plan: Plan) -> Learned:
        """Called by a lane's thread: see SampleLearner.learn."""
        with self._ready:
            self._brought[lane] = samples, plan
            self._go_on()
            while lane not in self._found and self._failure is None:
                self._ready.wait()
            self.check()
            return self._found.pop(lane)

    def leave(self, lane: int) -> None:
        """A lane is done: the others no longer wait for it."""
        with self._ready:
            self._left.discard(lane)
            self._go_on()

    def stop(self, reason: BaseException) -> None:
        """End every lane that waits, with this exception."""
        with self._ready:
            self._failure = self._failure or reason
            self._ready.notify_all()

    def check(self) -> None:
        """Raise what ended the lanes, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _go_on(self) -> None:
        if self._failure is not None or not self._brought or self._brought.keys() != self._left:
            return
        brought, self._brought = self._brought, {}
        try:
            self._found.update(self._together(brought))
        except BaseException as failure:
            self._failure = failure
        self._ready.notify_all()

    def _together(self, brought: dict[int, tuple[Samples, Plan]]) -> dict[int, Learned]:
        most, lanes = max(len(samples.labels) for samples, _ in brought.values()), len(self.lanes)
        one = self.lanes[0].network
        work = Work(
            np.zeros((lanes, most, one.pixels), np.uint8), np.zeros((lanes, most, one.pixels), np.uint8),
            np.zeros((lanes, most), np.int32), np.zeros((lanes, most), np.int32), np.zeros((lanes, 8), np.int64),
            np.ones((lanes, 2)), np.zeros((lanes, 2), np.int64), np.zeros((lanes, most)),
        )  # fmt: skip
        for index, (samples, plan) in brought.items():
            lane, count = self.lanes[index], len(samples.labels)
            for mine, given in zip(work, samples, strict=False):
                mine[index, :count] = given
            work.numbers[index] = (
                count, plan.pairs, plan.ask, plan.seen, plan.sigmoid, lane.network.window, lane.exponent,
                lane.trace_shift,
            )  # fmt: skip
            work.margin[index] = plan.margin, plan.unit
        found, leads = self.device.learn(self.arrays, work)
        return {
            index: Learned(int(found[index, 0]), int(found[index, 1]), leads[index, : len(samples.labels)])
            for index, (samples, _) in brought.items()
        }


class Lane:
    """One network of a group, a SampleLearner."""

    def __init__(self, network: LearningNetwork, group: Group, index: int) -> None:
        self.network, self.group, self.index = network, group, index
        self.exponent, self.trace_shift = network.update.exponent, 0

    def learn(self, samples: Samples, plan: Plan) -> Learned:
        """Learn samples as the plan says."""
        return self.group.learn(self.index, samples, plan)

    def silent(self) -> list[float]:
        """The layer's share of neurons that have not spiked since the last call."""
        fired = self.group.device.fetch(self.group.arrays.fired, self.index)
        self.group.device.put(self.group.arrays.fired, self.index, np.zeros_like(fired))
        return [float(1 - (fired != 0).mean())]

    @property
    def weights(self) -> list[np.ndarray]:
        """The layer's weights, (out, in) int16."""
        return [np.ascontiguousarray(self.group.device.fetch(self.group.arrays.w, self.index).T)]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue with the same bits, there or in another group."""
        fetch, arrays = self.group.device.fetch, self.group.arrays
        return {"weights.0": self.weights[0], "streams": fetch(arrays.streams, self.index)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state` was taken."""
        put, arrays = self.group.device.put, self.group.arrays
        put(arrays.w, self.index, np.ascontiguousarray(state["weights.0"].T))
        put(arrays.streams, self.index, state["streams"])
