"""A trained network starts to learn: weights on the chip's grid, thresholds and third factors as measured.

Measured on calibration images, presented as the learning network will be, under every label, with nothing learned.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.inference.readout import correlation, float_scores, root
from ff2loihi.compilers.ir import Layer, LearningLayer, LearningNetwork, Network
from ff2loihi.compilers.learning.readout import label_spikes, rates, sample_spikes
from ff2loihi.compilers.learning.weight_grid import to_even_grid
from ff2loihi.processes import limits
from ff2loihi.processes.learning_rule import RATE_ONE, ThirdFactor, lif, output_trace

IMAGES = 300  # calibration images that are presented
CLIP = 99.9  # percentile of |W| that becomes the largest weight: trained weights have heavy tails
# The same of the label inputs' weights alone, of nets that were trained as they spike. MNIST in saccades, 500 neurons:
# cut as the others are, they cost 1.7 points, 99.9 in place of 99 costs 0.03 (examples/RESULTS.md).
LABEL_CLIP = 99
PERCENTILES = (50, 60, 70, 80, 85, 90, 92, 94, 96, 98, 99.5)  # of the positive drive a step: candidate thresholds
STEEP = 230  # K = STEEP G / r, r the mean trace of an active neuron: tuned on MNIST's validation images
SIGMOID_STEEP = 640  # K = SIGMOID_STEEP / r: y = 5 of 127 where P = 1/2; 2560: a point less, adapting (validation)
TRAINED_CURVE = "squared"  # linear, adapting loses about a point more on unshifted images (validation)
PHASE_SEED = 0  # of the start of the pixels' accumulators


def start_from_trained(
    network: Network, untrained: LearningNetwork, pixels: np.ndarray, labels: np.ndarray, table: tuple[int, ...]
) -> LearningNetwork:
    """`untrained` with the weights of `network`, and thresholds and third factors that fit them.

    vth: the candidate whose scores follow the float layer's best. With G the mean goodness of images under their own
    labels: theta = G / 2, GT = G, K = STEEP G / r, P squared. pixels (samples, pixels) uint8, labels (samples,):
    training images; table: of the probability. Raises CompileError where nothing fires.
    """
    pixels, labels = pixels[:IMAGES], labels[:IMAGES]
    activities = float_forward.all_labels(network, pixels)
    weights = [on_grid(layer) for layer in network.layers]
    drive, layers = input_drive(untrained, weights[0], pixels), []
    for index, layer in enumerate(untrained.layers):
        single = replace(network, readout="goodness", readout_layers=(index,))
        target = root(float_scores(single, activities))
        trials = []
        for vth in _candidates(drive):
            r = responses(drive, replace(layer, neuron=replace(layer.neuron, vth=vth)))[0]
            trials.append((correlation(root(_scores(r, layer)), target), vth))
        neuron = replace(layer.neuron, vth=max(trials)[1])
        r, spikes = responses(drive, replace(layer, neuron=neuron))
        factor = measured_factor(r[np.arange(len(labels)), labels], layer.factor.probability, table)
        layers.append(replace(layer, weight=weights[index], neuron=neuron, factor=factor))
        if index + 1 < len(weights):
            drive = spikes.astype(np.float32) @ weights[index + 1].T.astype(np.float32)
    return replace(untrained, layers=tuple(layers))


def grid_scale(layer: Layer, labels: int = 0) -> float:
    """Weight LSB that one unit of W becomes: the CLIP percentile of |W| is the largest weight.

    labels: the last inputs, whose own LABEL_CLIP percentile fits, too: ten among thousands would all be cut.
    """
    size = np.abs(layer.existing)
    largest = np.percentile(size, CLIP) or size.max()
    if labels:
        largest = max(largest, np.percentile(np.abs(layer.weight[:, -labels:]), LABEL_CLIP))
    return float(limits.WEIGHT_MAX / largest)


def on_grid(layer: Layer, labels: int = 0) -> np.ndarray:
    """W times its grid_scale: (out, in) int16, even [weight LSB]."""
    return to_even_grid(layer.weight * grid_scale(layer, labels))


def input_drive(net: LearningNetwork, weight: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """a = W s of the first layer in each step, (steps, samples, labels, n) float32, exact."""
    weight = weight.T.astype(np.float32)
    q = rates(net, pixels)
    start = np.random.default_rng(PHASE_SEED).integers(0, RATE_ONE, q.shape)
    image = sample_spikes(net, q, start).astype(np.float32) @ weight[: net.pixels]
    label = label_spikes(net).astype(np.float32) @ weight[net.pixels :]
    return image[:, :, None] + label[:, None]


def _candidates(drive: np.ndarray) -> list[int]:
    """Thresholds to try: percentiles of the positive drive. Raises CompileError where there is none."""
    positive = drive[drive > 0]
    if not positive.size:
        raise CompileError("the calibration images drive no neuron of a layer. Train it, or use ff2loihi train")
    return sorted({int(min(limits.VTH_MAX, max(1, vth))) for vth in np.percentile(positive, PERCENTILES)})


def responses(drive: np.ndarray, layer: LearningLayer) -> tuple[np.ndarray, np.ndarray]:
    """(r at the end, (samples, labels, n) int64; the spikes of each step, (steps, samples, labels, n) bool)."""
    v, r, spikes = np.zeros(drive.shape[1:], np.int64), np.zeros(drive.shape[1:], np.int64), []
    for a in drive:
        v, z = lif(v, a, layer.neuron)
        r = output_trace(r, z, layer.trace)
        spikes.append(z)
    return r, np.stack(spikes)


def _scores(r: np.ndarray, layer: LearningLayer) -> np.ndarray:
    """(G+ + 1) / (G+ + G- + 2), (samples, labels)."""
    squares = r.astype(np.float64) ** 2
    return (squares[..., layer.positive].sum(-1) + 1) / (squares.sum(-1) + 2)


def measured_factor(r: np.ndarray, probability: Literal["symmetric", "sigmoid"], table: tuple[int, ...]) -> ThirdFactor:
    """theta, GT and K that fit the traces r (samples, n) under the true labels. Raises CompileError without a spike.

    G = mean sum r^2, r = sum r^2 / sum r. symmetric: theta = G / 2, GT = G, K = STEEP G / r; sigmoid: theta = GT = G,
    K = SIGMOID_STEEP / r.
    """
    goodness = float((r**2).sum(1).mean())
    if not goodness:
        raise CompileError("no neuron of a layer fires for the calibration images under their own labels")
    trace = goodness / r.sum(1).mean()  # sum r^2 / sum r: the mean trace of an active neuron, each weighted by itself
    if probability == "sigmoid":
        gain, theta = SIGMOID_STEEP / trace, goodness
    else:
        gain, theta = STEEP * goodness / trace, goodness / 2
    return ThirdFactor(
        probability,
        gain=max(1, round(gain)),
        theta=max(1, round(theta)),
        target=round(goodness),
        balance_shift=max(0, int(np.ceil(np.log2(goodness / 250)))),
        table=table,
    )
