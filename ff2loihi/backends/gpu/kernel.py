"""A lane of the device: one network's learning loop, in numba, shared out to the threads of a block.

A thread has its own neurons, and with them their columns of the weights, so threads meet only to encode an image and
to sum a layer's goodness. The arithmetic is processes.learning_kernels', on columns of one neuron. `build` forms the
loop for a CUDA device, or for a CPU with one thread a lane: the same statements, so the same bits.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ff2loihi.backends.emulator.sample_loop import best_wrong
from ff2loihi.processes.learning_kernels import (
    clear_absent,
    decay_post_traces,
    membrane,
    modulation,
    post_traces,
    round_step,
    trace_step,
    update_rows,
)
from ff2loihi.processes.learning_rule import RATE_ONE
from ff2loihi.processes.pcg64 import leapt, output, unit
from ff2loihi.processes.rate_kernel import INVERSES

FULL = np.int64(RATE_ONE)


class Lanes(NamedTuple):
    """What the networks are and hold, with an axis of lanes in front of all but `leaps`.

    w, mask (inputs, n) int16, mask of no inputs where every synapse exists; signs (n,) int32; neuron (6,) int32,
    factor (5,), table (entries,) int64: see learning_kernels. label_idx (classes, steps, inputs) int32, label_counts
    (classes, steps) int32: the events of the label inputs. streams (2, 2) uint64: where the streams of weights and
    decays stand; leaps (2, period + 1, 4) uint64: their leaps to the draw of each step, and over a presentation.
    fired (n,) int32: other than 0 where a neuron has spiked.
    Space: idx (steps, pixels), counts (steps,), base (steps, n), v, r, a, y (n,) int32, shared (n,) int16.
    """

    w: np.ndarray
    mask: np.ndarray
    signs: np.ndarray
    neuron: np.ndarray
    factor: np.ndarray
    table: np.ndarray
    label_idx: np.ndarray
    label_counts: np.ndarray
    streams: np.ndarray
    leaps: np.ndarray
    fired: np.ndarray
    idx: np.ndarray
    counts: np.ndarray
    base: np.ndarray
    v: np.ndarray
    r: np.ndarray
    a: np.ndarray
    y: np.ndarray
    shared: np.ndarray


class Work(NamedTuple):
    """What each lane is to learn in a call, with an axis of lanes in front.

    rates, phases (samples, pixels) uint8; labels, wrong (samples,) int32: see backends.base.Samples. numbers (8,)
    int64: samples, pairs, ask, seen, sigmoid, window, exponent, trace_shift; margin (2,) float64: it, and its unit.
    found (2,) int64: samples that taught, and that had the true label as the best one; leads (samples,) float64.
    """

    rates: np.ndarray
    phases: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray
    numbers: np.ndarray
    margin: np.ndarray
    found: np.ndarray
    leads: np.ndarray


class Shared(NamedTuple):
    """What the threads of a lane share. goodness (classes, 2), steps (steps + 1, 2) int64: G+ and G- under each label,
    and in each step; u (period,) int64, traces (period,) float64: see presentation.Draws; choice (2,) int64: whether
    to teach, and the wrong label; scores (classes,) float64.
    """

    goodness: np.ndarray
    steps: np.ndarray
    u: np.ndarray
    traces: np.ndarray
    choice: np.ndarray
    scores: np.ndarray


def build(jit: Callable, sync: Callable, add: Callable, place: Callable) -> Callable:
    """The loop of one lane, `learn(lanes, work, shared, lane, thread, threads)`, compiled by jit.

    sync(): all threads of the lane come here before one goes on. add(pair, plus, minus): all threads add theirs to a
    pair of int64. place(counts, step): the next free place of a step, taken.
    """

    @jit
    def encode(lanes, lane, q, phases, thread, threads):
        """events.encode, the pixels shared out: their order in a step is any."""
        idx, counts = lanes.idx[lane], lanes.counts[lane]
        steps = counts.shape[0]
        for step in range(thread, steps, threads):
            counts[step] = 0
        sync()
        for i in range(thread, q.shape[0], threads):
            rate = np.int64(q[i])
            if rate:
                inverse, missing = INVERSES[rate], FULL - np.int64(phases[i]) + rate - 1
                step = (missing * inverse >> 32) - 1
                while step < steps:
                    idx[step, place(counts, step)] = i
                    missing += FULL
                    step = (missing * inverse >> 32) - 1
        sync()

    @jit
    def drive(w, idx, count, j):
        """What a neuron gets of the inputs that spike in a step."""
        total = np.int32(0)
        for k in range(count):
            total = np.int32(total + w[idx[k], j])
        return total

    @jit
    def ask(lanes, lane, goodness, thread, threads):
        """The image under every label, nothing learned; `base` becomes what the pixels drive."""
        w, signs, base, fired = lanes.w[lane], lanes.signs[lane], lanes.base[lane], lanes.fired[lane]
        idx, counts, labels, listed = (
            lanes.idx[lane],
            lanes.counts[lane],
            lanes.label_idx[lane],
            lanes.label_counts[lane],
        )
        neuron = lanes.neuron[lane]
        left, threshold, hard, impulse, keep, top = neuron[0], neuron[1], neuron[2], neuron[3], neuron[4], neuron[5]
        for label in range(thread, goodness.shape[0], threads):
            goodness[label, 0], goodness[label, 1] = 0, 0
        for j in range(thread, signs.shape[0], threads):
            for step in range(counts.shape[0]):
                base[step, j] = drive(w, idx[step], counts[step], j)
        sync()
        for label in range(goodness.shape[0]):
            plus, minus = np.int64(0), np.int64(0)
            for j in range(thread, signs.shape[0], threads):
                v, r, spiked = np.int32(0), np.int32(0), np.int32(0)
                for step in range(counts.shape[0]):
                    v = membrane(
                        v, np.int32(base[step, j] + drive(w, labels[label, step], listed[label, step], j)), left
                    )
                    spike = np.int32(v > threshold)
                    v = v & np.int32(spike - np.int32(1))
                    r = trace_step(r, spike, hard, impulse, keep, top)
                    spiked |= spike
                fired[j] |= spiked
                if signs[j]:
                    plus += r * r
                else:
                    minus += r * r
            add(goodness[label], plus, minus)
        sync()

    @jit
    def draw(lanes, lane, shared, thread, threads):
        """presentation.draw, the steps shared out."""
        streams, period = lanes.streams[lane], shared.u.shape[0]
        sync()
        for step in range(thread, period, threads):
            high, low = leapt(streams[0, 0], streams[0, 1], lanes.leaps[0, step])
            shared.u[step] = np.int64(128 * unit(output(high, low)))
            high, low = leapt(streams[1, 0], streams[1, 1], lanes.leaps[1, step])
            shared.traces[step] = unit(output(high, low))
        sync()

    @jit
    def passed(lanes, lane, presentations, thread):
        """presentation.draw_nothing."""
        if thread == 0:
            streams, period = lanes.streams[lane], lanes.leaps.shape[1] - 1
            for _ in range(presentations):
                for which in range(2):
                    high, low = leapt(streams[which, 0], streams[which, 1], lanes.leaps[which, period])
                    streams[which, 0], streams[which, 1] = high, low

    @jit
    def teach(lanes, lane, label, phase, known, numbers, shared, thread, threads):
        """presentation.present of one layer that learns; base: what the pixels drive in the first `known` steps."""
        w, signs, base, fired = lanes.w[lane], lanes.signs[lane], lanes.base[lane], lanes.fired[lane]
        v, r, a, y, rounded = lanes.v[lane], lanes.r[lane], lanes.a[lane], lanes.y[lane], lanes.shared[lane]
        idx, counts = lanes.idx[lane], lanes.counts[lane]
        labels, listed = lanes.label_idx[lane, label], lanes.label_counts[lane, label]
        some_absent = lanes.mask.shape[1] > 0
        constants, table, neuron = lanes.factor[lane], lanes.table[lane], lanes.neuron[lane]
        left, threshold, hard, impulse, keep, top = neuron[0], neuron[1], neuron[2], neuron[3], neuron[4], neuron[5]
        factor = (constants[0], constants[1], constants[2], constants[3], constants[4])
        window, exponent, trace_shift = numbers[5], numbers[6], numbers[7]
        steps = counts.shape[0]
        for step in range(thread, steps + 1, threads):
            shared.steps[step, 0], shared.steps[step, 1] = 0, 0
        draw(lanes, lane, shared, thread, threads)
        passed(lanes, lane, 1, thread)
        for j in range(thread, v.shape[0], threads):
            v[j], r[j] = 0, 0
        for i in range(steps + 1):
            in_window = steps - window <= i < steps
            m_plus, m_minus = np.int64(0), np.int64(0)
            if in_window:
                before = shared.steps[max(0, i - 2)]
                if i < 2:
                    m_plus, m_minus = modulation(np.int64(0), np.int64(0), phase, factor, table)
                else:
                    m_plus, m_minus = modulation(before[0], before[1], phase, factor, table)
            plus, minus = np.int64(0), np.int64(0)
            for j in range(thread, v.shape[0], threads):
                here = slice(j, j + 1)
                column = w[:, here]
                if i:
                    x = membrane(v[j], a[j], left)
                    spike = np.int32(x > threshold)
                    v[j] = x & np.int32(spike - np.int32(1))
                    r[j] = trace_step(r[j], spike, hard, impulse, keep, top)
                    fired[j] |= spike
                if i < steps:
                    from_pixels = base[i, j] if i < known else drive(w, idx[i], counts[i], j)
                    a[j] = from_pixels + drive(w, labels[i], listed[i], j)
                if in_window:
                    post_traces(r[here], signs[here], m_plus, m_minus, trace_shift, y[here])
                    if y[j]:
                        decay_post_traces(y[here], shared.traces[i])
                        round_step(y[here], exponent, shared.u[i], rounded[here])
                        update_rows(column, idx[i], counts[i], rounded[here])
                        update_rows(column, labels[i], listed[i], rounded[here])
                        if some_absent:
                            clear_absent(column, lanes.mask[lane][:, here], idx[i], counts[i])
                            clear_absent(column, lanes.mask[lane][:, here], labels[i], listed[i])
                if i >= steps - window - 2:
                    if signs[j]:
                        plus += r[j] * r[j]
                    else:
                        minus += r[j] * r[j]
            if i >= steps - window - 2:
                add(shared.steps[i], plus, minus)
            sync()

    @jit
    def choose(work, lane, k, pairs, shared):
        """What sample_loop.learn decides from the goodness under each label."""
        numbers, goodness, scores = work.numbers[lane], shared.goodness, shared.scores
        label, wrong = work.labels[lane, k], work.wrong[lane, k]
        best = 0
        for other in range(goodness.shape[0]):
            plus, minus = np.float64(goodness[other, 0]), np.float64(goodness[other, 1])
            scores[other] = plus + minus if numbers[4] else (plus + 1) / (plus + minus + 2)
            if scores[other] > scores[best]:
                best = other
        rival = best_wrong(scores, label)
        if wrong < 0:
            wrong = rival
        work.leads[lane, k] = (scores[label] - scores[rival]) / work.margin[lane, 1]
        shared.choice[0], shared.choice[1] = 1, wrong
        if pairs:
            work.found[lane, 1] += best == label
            if (scores[label] - scores[wrong]) / work.margin[lane, 1] > work.margin[lane, 0]:
                shared.choice[0] = 0

    @jit
    def learn(lanes, work, shared, lane, thread, threads):
        """sample_loop.learn of one lane's samples."""
        numbers, classes = work.numbers[lane], shared.goodness.shape[0]
        pairs, steps = numbers[1] != 0, lanes.counts.shape[1]
        known_in_window = steps - numbers[5] + 1
        if thread == 0:
            work.found[lane, 0], work.found[lane, 1] = 0, 0
        for k in range(numbers[0]):
            encode(lanes, lane, work.rates[lane, k], work.phases[lane, k], thread, threads)
            label = np.int64(work.labels[lane, k])
            negative = pairs or (numbers[3] + k) % 2 == 1
            known = np.int64(0)
            wrong = np.int64(work.wrong[lane, k])
            if pairs or (negative and numbers[2] != 0):
                ask(lanes, lane, shared.goodness, thread, threads)
                known = known_in_window
                passed(lanes, lane, classes, thread)
                if thread == 0:
                    choose(work, lane, k, pairs, shared)
                sync()
                wrong = shared.choice[1]
                if pairs and shared.choice[0] == 0:
                    continue
            if thread == 0:
                work.found[lane, 0] += 1
            if pairs or not negative:
                teach(lanes, lane, label, np.int64(1), known, numbers, shared, thread, threads)
                known = np.int64(0)
            if negative:
                teach(lanes, lane, wrong, np.int64(-1), known, numbers, shared, thread, threads)

    return learn
