"""Every recipe, change and form: which compile, and why the others do not. A new recipe is stated here, too."""

import pytest

INFERENCE, LEARNING = ("graded", "soft", "hard"), ("rule", "tag", "library")

# What keeps a net from learning on the chip: the words of the refusal.
REASONS = {
    "contrast": "probability 'contrast' has no third factor of one sample",
    "goodness": "the rule's factor is the trace itself for sum_squares alone",
    "over pixels": "labels over pixels: the label inputs must stand behind the pixels",
    "no label": "label none: the rule learns from right and wrong labels",
    "biases": "biases: the plastic neuron has none",
    "normalised": "spikes pass between layers as they are, use none",
    "read-out": "the read-out must be the goodness of all layers",
}
SLIDES = (
    *(f"ff-negatives-{kind}" for kind in ("hard", "hybrid", "masked", "mixed", "noise", "random")),
    *(f"ff-three-factor-{kind}" for kind in ("both", "bottom-up", "top-down")),
    *(f"ff-collaboration-{share}" for share in ("0.3", "0.5", "0.7", "1")),
    "pcl-ff",
)
_TOSATO = {"contrast", "goodness", "over pixels", "biases", "normalised", "read-out"}
UNLEARNABLE = {  # (recipe, change): the reasons, all of them
    **{(recipe, "plain"): {"over pixels", "normalised"} for recipe in SLIDES},
    ("ff-prospective-3", "plain"): {"over pixels", "normalised", "read-out"},
    ("ff-prospective-5", "plain"): {"over pixels", "normalised", "read-out"},
    ("ff-mlp", "plain"): {"contrast", "over pixels", "normalised", "read-out"},
    ("ff-mlp", "head"): {"contrast", "over pixels", "normalised", "read-out"},
    ("ff-mlp", "bias"): {"contrast", "over pixels", "biases", "normalised", "read-out"},
    ("ff-hinton", "plain"): {"goodness", "over pixels", "normalised"},
    ("ff-hinton-jittered", "plain"): {"goodness", "over pixels", "normalised", "read-out"},
    ("hinton-unsupervised", "plain"): {"contrast", "no label", "normalised", "read-out"},
    ("random-features", "plain"): {"contrast", "no label", "read-out"},
    ("cwc-ff", "plain"): {"contrast", "goodness", "no label", "normalised", "read-out"},
    ("cwc-ff-bn", "plain"): {"contrast", "goodness", "no label", "biases", "read-out"},
    ("tosato-bp", "plain"): {"contrast", "no label", "biases", "read-out"},
    ("tosato-ff", "plain"): _TOSATO - {"contrast"},
    ("tosato-ff-contrast", "plain"): _TOSATO,
    ("tosato-ff-l1", "plain"): _TOSATO,
    ("tosato-bp-ff", "plain"): _TOSATO,
    ("tosato-bp-ff-hard", "plain"): _TOSATO,
    ("tosato-bp-ff-l1", "plain"): _TOSATO,
    ("ffa-symmetric", "bias"): {"biases"},
}
LEARNABLE = [(recipe, "plain") for recipe in ("ffa-symmetric", "ffa-sigmoid", "ffa-sigmoid-sparse")]
NO_SPIKING_FORM = {("ff-mlp", "bias"), *(net for net in UNLEARNABLE if net[0].startswith("tosato"))}
NO_SPIKING_FORM -= {("tosato-bp", "plain")}
NOT_SPIKING = "hidden2: a bias behind normalisation '(l1|l2)' has no spiking form"
# Hard resets lose what spikes lie over the threshold, and what is left of so small a net is little beside its biases.
TOO_BIASED = (("cwc-ff-bn", "plain", "hard"),)
# rbm for its sigmoid units; the others take events, see test_spiking of ff
NOT_COMPILED = {"rbm", "ff-lif", "ff-lif-decay", "bptt-lif"}

NETS = [*LEARNABLE, *UNLEARNABLE]
REFUSED = [
    *TOO_BIASED,
    *((*net, form) for net in sorted(NO_SPIKING_FORM) for form in ("soft", "hard")),
    *((*net, form) for net in UNLEARNABLE for form in LEARNING),
]
COMPILED = [(*net, form) for net in NETS for form in (*INFERENCE, *LEARNING) if (*net, form) not in set(REFUSED)]


def each(nets) -> pytest.MarkDecorator:
    """A test for each net, named by it."""
    return pytest.mark.parametrize("net", nets, ids="-".join)
