"""A manifest or a tensor that was changed, and hashed again, is refused in one line that says what is wrong."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import ArtifactError

LINE = 500  # characters of an error, at most about
BEYOND = (1 << 31, -(1 << 31) - 1, 10**400, True, "1", 1.0, None, [], {})  # what is no whole number of 32 bits
NO_FLOAT = (True, "1", None, [], 1e999)


def put(*path):
    """put(..., key, value): a change of the manifest."""
    *way, last, value = path

    def change(manifest, tensors):
        for key in way:
            manifest = manifest[key]
        manifest[last] = value

    return change


def cut(*path):
    """A change that leaves a key or an item out."""
    *way, last = path

    def change(manifest, tensors):
        for key in way:
            manifest = manifest[key]
        del manifest[last]

    return change


def fill(name, value=None, at=None, dtype=None):
    """fill(tensor, value): of another value at `at` (everywhere), or of another type."""

    def change(manifest, tensors):
        array = tensors[name].astype(dtype or tensors[name].dtype)
        if value is not None:
            array[... if at is None else at] = value
        tensors[name] = array

    return change


def lose(name):
    return lambda manifest, tensors: tensors.pop(name)


def gain(name, array):
    return lambda manifest, tensors: tensors.update({name: array})


def both(*changes):
    return lambda manifest, tensors: [change(manifest, tensors) for change in changes]


FIRST = ("layers", 0)
SNAPSHOTS = ("provenance", "learned", 0, "snapshots")
INFERENCE = (
    # field, what it becomes, in which network, what is said
    ("steps", put("steps", 10**9), "soft", "steps 1,000,000,000, 2..1,024 are possible"),
    ("steps", put("steps", 1), "hard", "steps 1, 2..1,024"),
    ("steps", put("steps", 0), "soft", "steps 0"),
    ("steps", put("steps", 2), "tables", "steps 2, 1 is possible"),
    ("pixels", put("pixels", 0), "tables", "0 pixels"),
    ("pixels", put("pixels", -4), "conv", "-4 pixels"),
    ("pixels", put("pixels", 11), "conv", "hidden1: a convolution of 12 inputs"),
    ("pixels", put("pixels", 13), "head", "phases has shape (16,), (17,) is wanted"),
    ("input_bits", put("input_bits", 40), "tables", "input bits 40, 1..8 are possible"),
    ("input_bits", put("input_bits", 0), "soft", "input bits 0"),
    ("input_bits", put("input_bits", 1), "soft", "label codes 0..255, 0..1 are possible"),
    ("label_kind", put("label_kind", "none"), "tables", "4 label inputs where a label is not shown"),
    ("label_kind", put("label_kind", "append"), "no label", "0 label inputs where a label is shown"),
    ("label_kind", put("label_kind", "overwrite"), "head", "phases has shape"),
    ("neuron", put("neuron", "lif"), "tables", "1 normalisation tables, 0 are wanted"),
    ("neuron", put("neuron", "graded"), "soft", "steps 5, 1 is possible"),
    ("reset", put("reset", "hard"), "soft", "first v"),
    ("goodness", put("goodness", "l3"), "tables", "goodness"),
    ("probability", put("probability", {"kind": "sigmoid", "theta": float("nan")}), "tables", "NaN is no number"),
    ("probability", put("probability", {"kind": "sigmoid"}), "tables", "probability.sigmoid.theta"),
    ("probability", put("probability", {"kind": "symmetric"}), "conv", "channels has no symmetric"),
    ("normalization", put("normalization", "none"), "tables", "1 normalisation tables, 0 are wanted"),
    ("normalization", put("normalization", "l1"), "tables", "norms.0: power 2, 1 is possible"),
    ("deferred", put("deferred", True), "tables", "1 normalisation tables, 0 are wanted"),
    ("deferred", put("deferred", True), "soft", "normalization none of 2 layers cannot be deferred"),
    ("deferred", put("deferred", 1), "soft", "deferred"),
    ("readout", put("readout", "channels"), "tables", "channels go with none"),
    ("readout", put("readout", "goodness"), "no label", "channels go with none"),
    ("readout", put("readout", "head"), "tables", "read-out head without a head"),
    ("readout", put("readout", "goodness"), "head", "read-out goodness with a head"),
    ("readout_layers", put("readout_layers", [0, 99]), "tables", "different numbers in 0..1, got [0, 99]"),
    ("readout_layers", put("readout_layers", [-1]), "tables", "different numbers in 0..1"),
    ("readout_layers", put("readout_layers", [0, 0]), "tables", "different numbers in 0..1"),
    ("readout_layers", put("readout_layers", []), "tables", "different numbers in 0..1, got []"),
    ("readout_layers", put("readout_layers", [0]), "head", "a head of 2 scales for 1 read-out layers"),
    ("readout_layers", put("readout_layers", [0]), "conv", "hidden1: 2 channels are not 4 subsets of the same size"),
    ("layers", put("layers", []), "tables", "2 losses of 0 layers"),
    ("layers", cut("layers", 1), "soft", "2 losses of 1 layers"),
    ("layers.name", put(*FIRST, "name", "/tmp/hidden1"), "soft", "the name '/tmp/hidden1' is not 1 to 64"),
    ("layers.name", put(*FIRST, "name", "a/../../b"), "soft", "is not 1 to 64"),
    ("layers.name", put(*FIRST, "name", "hidden1\n"), "soft", "is not 1 to 64"),
    ("layers.name", put(*FIRST, "name", "\x1b[31m"), "soft", "'\\x1b[31m'"),
    ("layers.name", put(*FIRST, "name", ""), "soft", "is not 1 to 64"),
    ("layers.name", put(*FIRST, "name", "h" * 10**6), "soft", "hhh..."),
    ("layers.name", put(*FIRST, "name", "hidden2"), "soft", "two layers are called hidden2"),
    ("layers.name", put(*FIRST, "name", "head.7"), "soft", "head means something else here"),
    ("layers.name", put(*FIRST, "name", "hidden2.norm"), "soft", "reads as a part of layer hidden2"),
    ("layers.weight_bits", put(*FIRST, "weight_bits", 9), "soft", "hidden1: weight bits 9, 2..8 are possible"),
    ("layers.weight_bits", put(*FIRST, "weight_bits", -1), "soft", "weight bits -1"),
    ("layers.weight_bits", put(*FIRST, "weight_bits", 2), "soft", "2 bits hold -4..2"),
    ("layers.bias_exp", put(*FIRST, "bias_exp", 8), "soft", "bias exponent 8, 0..7 are possible"),
    ("layers.bias_exp", put(*FIRST, "bias_exp", -1), "soft", "bias exponent -1"),
    ("layers.bias_exp", put(*FIRST, "bias_exp", 1), "tables", "bias exponent 1, 0 is possible"),
    ("layers.shift", put(*FIRST, "shift", -1), "tables", "hidden1: shift -1, 0..23 are possible"),
    ("layers.shift", put(*FIRST, "shift", 24), "hard", "shift 24"),
    ("layers.top", put(*FIRST, "top", 10**6), "tables", "hidden1: top 1,000,000, 1..255 are possible"),
    ("layers.top", put(*FIRST, "top", 0), "head", "top 0"),
    ("layers.top", put(*FIRST, "top", 2), "soft", "top 2, 1 is possible"),
    ("layers.vth", put(*FIRST, "vth", -5), "soft", "hidden1: threshold -5, 1..131,071 are possible"),
    ("layers.vth", put(*FIRST, "vth", 1 << 17), "hard", "threshold 131,072"),
    ("layers.vth", put(*FIRST, "vth", 1), "tables", "threshold 1, 0 is possible"),
    ("layers.v0", put(*FIRST, "v0", -1), "soft", "first v -1"),
    ("layers.v0", put(*FIRST, "v0", 1 << 23), "soft", "first v 8,388,608"),
    ("layers.v0", put(*FIRST, "v0", 1), "hard", "first v 1, 0 is possible"),
    ("layers.scale", put(*FIRST, "scale", float("nan")), "tables", "NaN is no number of JSON"),
    ("layers.scale", put(*FIRST, "scale", float("inf")), "tables", "Infinity is no number of JSON"),
    ("layers.scale", put(*FIRST, "scale", 0), "tables", "hidden1: scale 0, more than 0"),
    ("layers.scale", put(*FIRST, "scale", -1.5), "tables", "scale -1.5"),
    ("layers.scale", put(*FIRST, "scale", 1e200), "soft", "scale 1e+200"),
    ("layers.scale", put(*FIRST, "scale", 1e-200), "soft", "scale 1e-200"),
    ("layers.conv", put(*FIRST, "conv", None), "conv", "hidden1 weight has shape (2, 1, 2, 2), (40, 12) is wanted"),
    ("layers.conv", put("layers", 1, "conv", None), "conv", "hidden2 weight has shape"),
    ("layers.conv.shape", put(*FIRST, "conv", "shape", [1, 4, 3]), "conv", "above one of"),
    ("layers.conv.shape", put(*FIRST, "conv", "shape", [0, 3, 4]), "conv", "of shape (0, 3, 4)"),
    ("layers.conv.shape", put(*FIRST, "conv", "shape", [1, 3]), "conv", "layers.0.conv.shape"),
    ("layers.conv.shape", put("layers", 1, "conv", "shape", [2, 5, 4]), "conv", "(2, 5, 4) above one of (2, 4, 5)"),
    ("layers.conv.channels", put(*FIRST, "conv", "channels", -2), "conv", "hidden1: a convolution of shape"),
    ("layers.conv.channels", put(*FIRST, "conv", "channels", 3), "conv", "60 neurons, 12 and 40 are wanted"),
    ("layers.conv.kernel", put(*FIRST, "conv", "kernel", [9, 9]), "conv", "larger than its image|inputs"),
    ("layers.conv.kernel", put(*FIRST, "conv", "kernel", [0, 2]), "conv", "kernel (0, 2)"),
    ("layers.conv.stride", put(*FIRST, "conv", "stride", 0), "conv", "stride 0"),
    ("layers.conv.dilation", put(*FIRST, "conv", "dilation", 0), "conv", "hidden1: a convolution of shape"),
    ("layers.conv.dilation", put(*FIRST, "conv", "dilation", 2), "conv", "of 12 inputs and 24 neurons"),
    ("layers.conv.dilation", put(*FIRST, "conv", "dilation", 1 << 30), "conv", "larger than its image"),
    ("layers.pool", put("layers", 1, "pool", None), "pooled", "hidden2 sign has shape (16,), (32,) is wanted"),
    ("layers.pool.shape", put("layers", 1, "pool", "shape", [8, 4, 1]), "pooled", "(8, 4, 1) above an image (8, 2, 2)"),
    ("layers.pool.size", put("layers", 1, "pool", "size", [3, 1]), "pooled", "hidden2: a pool of windows (3, 1)"),
    ("layers.pool.size", put("layers", 1, "pool", "size", [0, 1]), "pooled", "hidden2: a pool of windows (0, 1)"),
    ("layers.pool.stride", put("layers", 1, "pool", "stride", 0), "pooled", "hidden2: a pool of windows"),
    ("layers.averages", put("layers", 0, "averages", True), "pooled", "hidden1: averages no layer below it"),
    ("layers.averages", put("layers", 0, "averages", 1), "pooled", "layers.0.averages"),
    ("layers.conv.padding", put(*FIRST, "conv", "padding", 2), "conv", "padding 2"),
    ("layers.conv.padding", put(*FIRST, "conv", "padding", -1), "conv", "padding -1"),
    ("layers.conv.groups", put(*FIRST, "conv", "groups", 2), "conv", "2 groups over 1 channels"),
    ("layers.conv.groups", put(*FIRST, "conv", "groups", 0), "conv", "hidden1: a convolution of shape"),
    ("norms", put("norms", []), "tables", "'norms.0.table' that nothing refers to"),
    ("norms", both(put("norms", []), lose("norms.0.table")), "tables", "0 normalisation tables, 1 are wanted"),
    ("norms.power", put("norms", 0, "power", 1), "tables", "norms.0: power 1, 2 is possible"),
    ("norms.shift", put("norms", 0, "shift", 16), "tables", "norms.0: shift 16, 0..15 are possible"),
    ("norms.shift", put("norms", 0, "shift", -1), "tables", "norms.0: shift -1"),
    ("norms.top", put("norms", 0, "top", 256), "tables", "norms.0: top 256, 1..255 are possible"),
    ("norms.scale", put("norms", 0, "scale", -1), "tables", "norms.0: scale -1"),
    ("head_scales", put("head_scales", [1.0, 0.0]), "head", "head of hidden2: scale 0"),
    ("head_scales", put("head_scales", [1.0]), "head", "'head.1.weight' that nothing refers to"),
    ("head_scales", put("head_scales", None), "head", "belong together"),
    ("head_activities", put("head_activities", None), "head", "belong together"),
    ("losses", cut("losses", 1), "tables", "1 losses of 2 layers"),
    ("losses.neurons_db", put("losses", 0, "neurons_db", [1.0, 2.0]), "tables", "losses.0.neurons_db"),
    ("losses.silent", put("losses", 0, "silent", 10**400), "tables", "losses.0.silent"),
    ("losses.clipped", put("losses", 0, "clipped", float("-inf")), "tables", "-Infinity is no number of JSON"),
    ("layers.weight", fill("layers.0.weight", 32767, (0, 0)), "tables", "hidden1: 1 odd weights"),
    ("layers.weight", fill("layers.0.weight", 32766), "tables", "8 bits hold|6 bits hold"),
    ("layers.weight", fill("layers.0.weight", dtype=np.float64), "tables", "holds float64, int16 is wanted"),
    ("layers.weight", fill("layers.0.weight", dtype=np.int32), "soft", "hidden1 weight holds int32"),
    ("layers.bias", fill("layers.0.bias", -(1 << 31)), "tables", "sums reach"),
    ("layers.bias", fill("layers.0.bias", -(1 << 31), 0), "soft", "biases up to 2,147,483,648"),
    ("layers.bias", fill("layers.1.bias", (1 << 23) - 1, 0), "conv", "hidden2: sums reach"),
    ("layers.bias", gain("layers.0.bias", np.zeros((20, 1), np.int32)), "tables", "bias has shape (20, 1)"),
    ("layers.bias", gain("layers.0.bias", np.zeros(0, np.int32)), "tables", "hidden1 bias has shape (0,)"),
    ("layers.positive", fill("layers.0.positive", dtype=np.uint8), "tables", "holds uint8, bool is wanted"),
    ("layers.label", put("layers", 1, "label", None), "labelled", "'layers.1.label.weight' that nothing refers to"),
    ("layers.label", cut("layers", 1, "label"), "labelled lif", "'layers.1.label.weight' that nothing refers to"),
    ("layers.label", put(*FIRST, "label", {"payload": 1, "shift": 0}), "soft", "no tensor 'layers.0.label.weight'"),
    ("layers.label.payload", put("layers", 1, "label", "payload", 0), "labelled", "hidden2: label payload 0, 1..255"),
    ("layers.label.payload", put("layers", 1, "label", "payload", 256), "labelled lif", "label payload 256"),
    ("layers.label.shift", put("layers", 1, "label", "shift", 24), "labelled", "label shift 24, -23..23 are possible"),
    ("layers.label.shift", put("layers", 1, "label", "shift", -23), "labelled", "hidden2: sums reach"),
    ("layers.label.shift", put("layers", 1, "label", "shift", -12), "labelled lif", "hidden2: dendritic sums reach"),
    ("layers.label.weight", fill("layers.1.label.weight", 3, (0, 0)), "labelled", "hidden2: label: 1 odd weights"),
    ("layers.label.weight", fill("layers.1.label.weight", dtype=np.int32), "labelled lif", "hidden2 label holds int32"),
    ("layers.label.weight", lose("layers.1.label.weight"), "labelled", "no tensor 'layers.1.label.weight'"),
    ("layers.label.weight", gain("layers.1.label.weight", np.zeros((15, 5), np.int16)), "labelled",
     "hidden2 label has shape (15, 5), (15, 4) is wanted"),
    ("layers.label", both(put(*FIRST, "label", {"payload": 1, "shift": 0}),
                          gain("layers.0.label.weight", np.zeros((20, 4), np.int16))), "soft",
     "hidden1: label inputs of its own into the first layer"),
    ("label.codes", fill("label.codes", 256), "tables", "label codes 256..256|label codes 0..256"),
    ("label.codes", fill("label.codes", -1, (0, 0)), "soft", "label codes -1..255, 0..255"),
    ("label.codes", fill("label.codes", dtype=np.int64), "soft", "label.codes holds int64, int32 is wanted"),
    ("label.codes", gain("label.codes", np.zeros((1, 4), np.int32)), "tables", "1 classes, 2..1,000 are possible"),
    ("label.codes", gain("label.codes", np.zeros((0, 0), np.int32)), "conv", "0 classes, 2..1,000 are possible"),
    ("label.codes", gain("label.codes", np.zeros((1001, 4), np.int32)), "tables", "1,001 classes"),
    ("label.neutral", fill("label.neutral", 300), "head", "the neutral label's code 300..300"),
    ("phases", fill("phases", 255, 0), "soft", "..255, 0..254 are possible"),
    ("phases", fill("phases", -1), "hard", "phases -1..-1"),
    ("norms.table", fill("norms.0.table", (1 << 15) + 1), "tables", "norms.0: table 32,769..32,769"),
    ("norms.table", gain("norms.0.table", np.ones(97, np.int32)), "tables", "norms.0: entries 97, 96 is possible"),
    ("norms.table", gain("norms.0.table", np.ones((96, 1), np.int32)), "tables", "norms.0.table has shape"),
    ("head.weight", fill("head.0.weight", 1000), "head", "head of hidden1: weights 1000..1000"),
    ("head.weight", fill("head.0.weight", 3, (0, 0)), "head", "head of hidden1: 1 odd weights"),
    ("head.weight", fill("head.0.weight", dtype=np.float32), "head", "head of hidden1 holds float32"),
    ("head.bias", fill("head.bias", np.nan, 0), "head", "head: biases that are no finite numbers"),
    ("head.bias", fill("head.bias", dtype=np.float64), "head", "head.bias holds float64, float32 is wanted"),
    ("tensors", gain("extra", np.zeros(1)), "soft", "a tensor 'extra' that nothing refers to"),
    ("tensors", gain("e" * 10**5, np.zeros(1)), "soft", "that nothing refers to"),
    ("tensors", lose("phases"), "soft", "no tensor 'phases'"),
)  # fmt: skip
LEARNING = (
    ("pixels", put("pixels", 0), "direct", "0 pixels"),
    ("input_factor", put("input_factor", 0), "library", "input factor 0, 1..256 are possible"),
    ("input_factor", put("input_factor", 257), "tag", "input factor 257"),
    ("steps", put("steps", 10**9), "direct", "1,000,000,000 steps, a trace counts up to 127"),
    ("steps", put("steps", 10**9), "library", "a counter is cleared of up to 99 spikes"),
    ("steps", put("steps", 0), "tag", "window 8 of 0 steps"),
    ("steps", put("steps", -1), "library", "window 8 of -1 steps"),
    ("window", put("window", 21), "direct", "window 21 of 23 steps: 1..20"),
    ("window", put("window", 0), "library", "window 0 of 31 steps"),
    ("layers", put("layers", []), "direct", "that nothing refers to"),
    ("layers.name", put(*FIRST, "name", "../x"), "tag", "is not 1 to 64"),
    ("layers.name", put(*FIRST, "name", "control"), "library", "control means something else here"),
    ("layers.neuron.vth", put(*FIRST, "neuron", "vth", 0), "direct", "hidden1: threshold 0"),
    ("layers.neuron.vth", put(*FIRST, "neuron", "vth", 1 << 17), "library", "hidden1: threshold 131,072"),
    ("layers.neuron.dv", put(*FIRST, "neuron", "dv", 4097), "direct", "decay 4097"),
    ("layers.neuron.dv", put(*FIRST, "neuron", "dv", 4096), "library", "decay 4096, Lava's LIF holds 0..4,095"),
    ("layers.trace.kind", put(*FIRST, "trace", "kind", "li"), "library", "library neurons count spikes"),
    ("layers.trace.impulse", put(*FIRST, "trace", "impulse", (1 << 31) - 1), "tag", "adds 2147483647"),
    ("layers.trace.keep", put(*FIRST, "trace", "keep", 257), "direct", "keeps 257/256"),
    ("layers.trace.top", put(*FIRST, "trace", "top", 128), "direct", "output trace up to 128"),
    ("layers.factor", put(*FIRST, "factor", None), "direct", "hidden1 must have a factor alone"),
    ("layers.gates", put(*FIRST, "gates", None), "library", "hidden1 must have gates alone"),
    ("layers.factor.probability", put(*FIRST, "factor", "probability", "sigmoid"), "direct",
     "different probabilities"),
    ("layers.factor.gain", put(*FIRST, "factor", "gain", 0), "direct", "gain 0"),
    ("layers.factor.gain", put(*FIRST, "factor", "gain", (1 << 31) - 1), "direct", "third factor reaches"),
    ("layers.factor.theta", put(*FIRST, "factor", "theta", 0), "tag", "theta 0"),
    ("layers.factor.target", put(*FIRST, "factor", "target", -1), "tag", "target -1"),
    ("layers.factor.balance_shift", put(*FIRST, "factor", "balance_shift", 32), "tag", "balance shift 32"),
    ("layers.factor.balance_shift", put(*FIRST, "factor", "balance_shift", -1), "direct", "balance shift -1"),
    ("layers.factor.table", put(*FIRST, "factor", "table", []), "direct", "table must hold 257 numbers in 0..256"),
    ("layers.factor.table", put(*FIRST, "factor", "table", 3, 257), "direct", "table must hold 257"),
    ("layers.factor.table", cut(*FIRST, "factor", "table", 0), "tag", "table must hold 256"),
    ("layers.gates.target", put(*FIRST, "gates", "target", 0), "library", "balance holds is 0"),
    ("layers.gates.weights", put(*FIRST, "gates", "weights", 0, [3, 0]), "library", "must be even"),
    ("layers.gates.weights", cut(*FIRST, "gates", "weights", 0), "library", "thermometers, 4 are wanted"),
    ("layers.gates.weights", put(*FIRST, "gates", "weights", 0, [2]), "library", "layers.0.gates.weights.0"),
    ("layers.gates.shift", put(*FIRST, "gates", "shift", -1), "library", "shifted by -1"),
    ("layers.gates.thresholds", put(*FIRST, "gates", "thresholds", [[], [], [], []]), "library", "of [0] units"),
    ("layers.gates.thresholds", cut(*FIRST, "gates", "thresholds", 0, 0), "library", "thermometers of [7, 8] units"),
    ("layers.gates.thresholds", put(*FIRST, "gates", "thresholds", 0, 0, 4096), "library", "fit a bias"),
    ("layers.gates.gain", put(*FIRST, "gates", "gain", 256), "library", "weight on its gates is 256"),
    ("layers.gates.vth", put(*FIRST, "gates", "vth", -1), "library", "gate threshold -1"),
    ("update.exponent", put("update", "exponent", -1), "direct", "learning rate 2^--1"),
    ("update.exponent", put("update", "exponent", 10**9), "library", "learning rate 2^-1000000000"),
    ("update.tag_exponent", put("update", "tag_exponent", 8), "tag", "tag 2^-8"),
    ("update.tag_decay", put("update", "tag_decay", -1), "tag", "tag decay 2^--1"),
    ("update.eligibility", put("update", "eligibility", "gate"), "direct", "hidden1 must have gates alone"),
    ("layers.weight", fill("layers.0.weight", 255, (0, 0)), "library", "1 odd weights"),
    ("layers.weight", fill("layers.0.weight", 32766), "direct", "weights 32766..32766, 8 bits hold -256..254"),
    ("layers.weight", fill("layers.0.weight", dtype=np.float32), "tag", "hidden1 weight holds float32"),
    ("layers.positive", fill("layers.0.positive", dtype=np.int8), "library", "hidden1 sign holds int8"),
    ("layers.positive", gain("layers.0.positive", np.zeros((), bool)), "direct", "hidden1 sign has shape ()"),
    ("layers.weight", fill("layers.0.weight", 2), "fields", "weights of synapses that do not exist, which must be 0"),
    ("layers.synapses", put(*FIRST, "synapses", 3), "fields", "synapses in its mask, the manifest says 3"),
    ("layers.synapses", put(*FIRST, "synapses", 0), "fields", "a tensor 'layers.0.mask' that nothing refers to"),
    ("layers.synapses", put(*FIRST, "synapses", 3), "direct", "no tensor 'layers.0.mask'"),
    ("layers.mask", fill("layers.0.mask", dtype=np.int8), "fields", "of int8 for weights"),
    ("layers.mask", gain("layers.0.mask", np.zeros((20, 1), np.uint8)), "fields", "a mask (20, 1) of uint8"),
    ("layers.mask", both(gain("layers.1.mask", np.full((15, 3), 128, np.uint8)), put("layers", 1, "synapses", 45)),
     "fields", "synapses that do not exist above the first layer"),
    ("layers.mask", fill("layers.0.mask", 0), "fields", "0 synapses in its mask"),
    ("layers.mask", gain("layers.0.weight", np.zeros(3, np.int16)), "fields", "for weights (3,)"),
    ("label.codes", fill("label.codes", 257), "library", "label rates 257..257, 0..256 are possible"),
    ("label.codes", gain("label.codes", np.zeros((4, 0), np.int32)), "direct", "0 label inputs where a label is shown"),
    ("label.phases", fill("label.phases", 256), "tag", "label phases 256..256"),
    ("label.phases", fill("label.phases", dtype=np.int64), "library", "label.phases holds int64"),
    ("tensors", gain("tags.0", np.zeros(1)), "tag", "a tensor 'tags.0' that nothing refers to"),
    ("provenance", put("provenance", []), "direct", "provenance"),
    ("provenance", put("provenance", {"calibration": None}), "direct", "provenance.calibration"),
    ("provenance", put("provenance", {"calibration": {"data": 3}}), "soft", "provenance.calibration.data"),
    ("provenance", put("provenance", {"checkpoint": 3}), "direct", "provenance.checkpoint"),
    ("provenance", put("provenance", {"spec": {"name": "s"}}), "direct", "provenance.spec.sha256"),
    ("provenance", put("provenance", {"spec": {"name": 3, "sha256": "s"}}), "direct", "provenance.spec.name"),
    ("provenance", put("provenance", {"learned": 3}), "direct", "provenance.learned"),
    ("provenance", put("provenance", {"learned": [{}]}), "direct", "provenance.learned.0.data"),
    ("provenance", put("provenance", "learned", 0, "log", 0, "learned", "all"), "direct", "log.0.learned"),
    ("provenance", put("provenance", "learned", 0, "schedule", 3), "tag", "learned.0.schedule"),
    ("provenance", put(*SNAPSHOTS, "weights", "AAECAw=="), "direct", "4 weights, 8 are told"),
    ("provenance", put(*SNAPSHOTS, "weights", "A"), "tag", "snapshots.weights"),
    ("provenance", put(*SNAPSHOTS, "shape", [1, 0]), "direct", "8 weights, 0 are told"),
    ("provenance", put(*SNAPSHOTS, "neurons", []), "tag", "snapshots.neurons"),
    ("provenance", put("provenance", {"options": [1]}), "direct", "provenance.options"),
)  # fmt: skip


@pytest.fixture
def refusal(tmp_path):
    """refusal(bytes) -> the one line."""

    def read(data: bytes) -> str:
        (tmp_path / "m.ffl").write_bytes(data)
        with pytest.raises(ArtifactError) as caught:
            artifact.read(tmp_path / "m.ffl")
        text = str(caught.value).replace(str(tmp_path), "")
        assert "\n" not in text
        assert len(text) <= LINE
        return text

    return read


@pytest.mark.parametrize(
    ("field", "change", "kind", "words"),
    INFERENCE + LEARNING,
    ids=[f"{kind}-{field}-{index}" for index, (field, _, kind, _) in enumerate(INFERENCE + LEARNING)],
)
def test_what_the_compiler_would_not_let_pass_is_refused_when_it_is_read(refusal, rehashed, field, change, kind, words):
    text = refusal(rehashed(kind, change))
    assert any(said in text for said in words.split("|")), text


def leaves(value, way=()):
    """(path, value) of every number, flag and word of a manifest."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in items:
            yield from leaves(below, (*way, key))
    else:
        yield way, value


@pytest.mark.parametrize("kind", ["tables", "head", "hard", "conv", "tag", "fields", "library"])
def test_every_number_of_a_manifest_is_a_number_of_its_kind(refusal, rehashed, programs, kind):
    """Of a table's many entries, the first."""
    tried = 0
    for way, value in leaves(artifact.pack(programs[kind])[0]):
        later = any(isinstance(key, int) and key > 0 for key in way)
        if way[0] in ("provenance", "version") or later or isinstance(value, str | None):
            continue
        wrong = BEYOND if type(value) is int else NO_FLOAT if type(value) is float else (0, "yes", None)
        if way[0] == "probability":
            wrong = (None, [], 1e999)  # as a spec has it, where YAML takes 1e-8 for a word
        for other in wrong:
            text = refusal(rehashed(kind, put(*way, other)))
            assert "manifest: " in text or "JSON" in text or "belong together" in text, (way, other, text)
            tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 10**5 + "]" * 10**5, "nested"),
        ('{"provenance": ' + "[" * 200 + "]" * 200 + "}", "nested deeper than 64"),
        ('{"steps": ' + "9" * 5000 + "}", "not an ff2loihi artifact, or a damaged one"),
        ('{"format": "ff2loihi-artifact", "version": 2, "version": 2}', "the key 'version' comes twice"),
        ('{"format": "ff2loihi-artifact", "version": ' + "2" * 4000 + "}", "artifact format version 222"),
        ('{"version": Infinity}', "Infinity is no number of JSON"),
        ('{"version": 1e400}', "larger than any float"),
        ('{"format": "ff2loihi-artifact", "version": 2, "sha256": [1]}', "the file was changed"),
        ("", "not an ff2loihi artifact"),
    ],
)
def test_json_with_two_meanings_or_without_end_is_refused(refusal, text, words):
    assert words in refusal(save({"a": np.zeros(1)}, metadata={"manifest": text}))


def test_a_manifest_with_one_key_twice_is_refused_though_python_would_take_the_last(refusal, rehashed):
    data = rehashed("soft", text=lambda text: text.replace('"steps": 5', '"steps": 9, "steps": 5'))
    assert "the key 'steps' comes twice" in refusal(data)


def test_thousands_of_things_that_are_wrong_make_one_line(refusal, rehashed):
    def change(manifest, tensors):
        manifest["losses"] = []
        for index in range(3000):
            manifest["layers"].append({**manifest["layers"][0], "name": f"/{index}"})
            tensors |= {
                f"layers.{index + 2}.{name}": tensors[f"layers.0.{name}"] for name in ("weight", "bias", "positive")
            }

    assert "more. Compile" in refusal(rehashed("soft", change))


def test_an_artifact_that_was_not_changed_is_read_and_hashes_as_it_did(rehashed, programs, tmp_path):
    for kind, program in programs.items():
        (tmp_path / "m.ffl").write_bytes(rehashed(kind))
        assert artifact.read(tmp_path / "m.ffl")[1] == artifact.to_bytes(program)[1]


def test_an_artifact_that_knows_nothing_of_its_neurons_losses_is_read(rehashed, tmp_path):
    def older(manifest, tensors):
        for loss in manifest["losses"]:
            for name in ("neurons_db", "vanished", "silent", "float_silent"):
                del loss[name]

    (tmp_path / "m.ffl").write_bytes(rehashed("soft", older))
    program, _ = artifact.read(tmp_path / "m.ffl")
    assert [(loss.neurons_db, loss.quantiles, loss.vanished) for loss in program.losses] == [(None, "-", 0)] * 2


def test_a_label_in_upper_layers_changes_nothing_in_the_artifacts_of_other_networks(programs):
    keys = {kind: [layer.keys() for layer in artifact.pack(program)[0]["layers"]] for kind, program in programs.items()}
    seen = {kind: ["label" in layer for layer in layers] for kind, layers in keys.items()}
    assert {kind for kind, found in seen.items() if any(found)} == {"labelled", "labelled lif"}
    assert seen["labelled"] == seen["labelled lif"] == [False, True]


def test_fields_change_nothing_in_the_artifacts_of_other_networks(programs):
    packed = {kind: artifact.pack(program) for kind, program in programs.items()}
    said = {kind: ["synapses" in layer for layer in manifest["layers"]] for kind, (manifest, _) in packed.items()}
    assert {kind for kind, found in said.items() if any(found)} == {"fields"}
    assert said["fields"] == [True, False]
    manifest, tensors = packed["fields"]
    assert tensors["layers.0.mask"].nbytes <= tensors["layers.0.weight"].size / 8 + len(tensors["layers.0.weight"])
    assert 0 < manifest["layers"][0]["synapses"] < tensors["layers.0.weight"].size


def test_the_manifest_of_an_artifact_is_json_that_every_reader_understands(rehashed):
    data = rehashed("tables")
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["manifest"])["format"] == "ff2loihi-artifact"
