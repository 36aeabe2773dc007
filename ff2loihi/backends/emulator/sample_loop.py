"""The learning loop in numba: a block of samples in one call, each shown, asked about and learned as a host would.

`show`, `ask` and `teach` stand for what a kind of network does: its module serves them for its own Network.
"""

from typing import NoReturn

import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.extending import overload

from ff2loihi.backends.base import Learned, Samples
from ff2loihi.processes.compiled import IN_PLACE, in_place

# As numpy's integers: numba compiles a function anew for each literal that it is called with.
POSITIVE, NEGATIVE = np.int64(1), np.int64(-1)


def show(net, q, phases) -> NoReturn:
    """Take a sample: q, phases int16, see events.take."""
    raise NotImplementedError


def ask(net, rule, draws, goodness) -> NoReturn:
    """The image under every label, nothing learned: goodness (classes, layers, 2)."""
    raise NotImplementedError


def teach(net, label, phase, rule, draws, goodness) -> NoReturn:
    """The next presentation: the image with a label, phase +1: positive, -1: negative; goodness (layers, 2)."""
    raise NotImplementedError


def serve(kind: type, shows: Dispatcher, asks: Dispatcher, teaches: Dispatcher) -> None:
    """Let compiled functions stand in `learn` for show, ask and teach of a Network of that kind."""

    def of_kind(net, function):
        return function.py_func if net.instance_class is kind else None

    @overload(show, jit_options=IN_PLACE)
    def _show(net, q, phases):
        return of_kind(net, shows)

    @overload(ask, jit_options=IN_PLACE)
    def _ask(net, rule, draws, goodness):
        return of_kind(net, asks)

    @overload(teach, jit_options=IN_PLACE)
    def _teach(net, label, phase, rule, draws, goodness):
        return of_kind(net, teaches)


def narrow(samples: Samples) -> Samples:
    """The samples as the kernels take them: rates and phases int16."""
    rates, phases = (part.astype(np.int16, copy=False) for part in (samples.rates, samples.phases))
    return samples._replace(rates=rates, phases=phases)


@in_place
def _scores(goodness, sigmoid, found):
    """compilers.learning.readout.scores: found (classes,)."""
    layers = goodness.shape[1]
    for label in range(found.shape[0]):
        total = 0.0
        for index in range(layers):
            plus, minus = goodness[label, index, 0], goodness[label, index, 1]
            total += plus + minus if sigmoid else (plus + 1) / (plus + minus + 2)
        found[label] = total / layers


@in_place
def best_wrong(found, label):
    """The label of the highest score (classes,) but for `label`: the first of several."""
    best = 1 if label == 0 else 0
    for other in range(found.shape[0]):
        if other != label and found[other] > found[best]:
            best = other
    return best


@in_place
def _learn(net, samples, plan, rule, draws, goodness, found, leads):
    """(taught, right) of Learned; found (classes,): space for the scores, leads (samples,): of Learned."""
    taught, right = 0, 0
    for k in range(samples.labels.shape[0]):
        show(net, samples.rates[k], samples.phases[k])
        label, wrong = samples.labels[k], samples.wrong[k]
        negative = plan.pairs or (plan.seen + k) % 2 == 1
        if plan.pairs or (negative and plan.ask):
            ask(net, rule, draws, goodness)
            _scores(goodness, plan.sigmoid, found)
            best = best_wrong(found, label)
            if wrong < 0:
                wrong = best
            leads[k] = (found[label] - found[best]) / plan.unit
        if plan.pairs:
            right += found.argmax() == label
            if (found[label] - found[wrong]) / plan.unit > plan.margin:
                continue
        taught += 1
        if plan.pairs or not negative:
            teach(net, label, POSITIVE, rule, draws, goodness[label])
        if negative:
            teach(net, wrong, NEGATIVE, rule, draws, goodness[wrong])
    return taught, right


def learn(net, samples, plan, rule, draws, goodness) -> Learned:
    """SampleLearner.learn.

    goodness (classes, layers, 2) int64: space for G+ and G-.
    """
    leads = np.zeros(len(samples.labels))
    taught, right = _learn(net, samples, plan, rule, draws, goodness, np.zeros(len(goodness)), leads)
    return Learned(taught, right, leads)
