"""What a space spans: each trial once, the same points in every process, and a line for everything that is wrong."""

import math

import pytest

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.sweeps.settings import Compile
from ff2loihi.sweeps.space import read_space


def trials(**space):
    return read_space(space).trials()


def test_lists_span_a_grid_with_the_seeds_next_to_each_other():
    found = trials(train={"recipe": "ff-mlp", "widths": [12, "24-24"]}, compile={"weight_bits": [4, 8]}, seed=[0, 7])
    assert [(one.train.widths, one.compile.weight_bits, one.seed) for one in found] == [
        ("12", 4, 0), ("12", 4, 7), ("12", 8, 0), ("12", 8, 7),
        ("24-24", 4, 0), ("24-24", 4, 7), ("24-24", 8, 0), ("24-24", 8, 7),
    ]  # fmt: skip
    assert {one.train.recipe for one in found} == {"ff-mlp"}


def test_an_empty_space_is_one_trial_with_the_commands_defaults():
    [one] = trials()
    assert (one.train.recipe, one.train.data, one.compile.options, one.learn) == (
        "ffa-symmetric", "digits", Options(), None,
    )  # fmt: skip


def test_an_option_that_means_nothing_beside_others_makes_no_second_trial():
    found = trials(compile={"neuron": ["graded", "lif"], "steps": [8, 32], "weight_bits": 6})
    assert [(one.compile.neuron, one.compile.steps) for one in found] == [("graded", 16), ("lif", 8), ("lif", 32)]
    found = trials(compile={"learning": [False, True, "library"], "weight_bits": [4, 8]}, learn={"epochs": 2})
    assert [(one.compile.learning, one.compile.weight_bits) for one in found] == [
        ("off", 4), ("off", 8), ("on", 8), ("library", 8),
    ]  # fmt: skip
    assert [one.learn and one.learn.epochs for one in found] == [None, None, 2, 2]
    assert found[3].compile.options == LearningOptions(library=True)


@pytest.mark.parametrize("by", ["sobol", "random"])
def test_ranges_are_drawn_within_their_ends_and_a_longer_draw_begins_with_the_shorter_one(by):
    space = {
        "train": {"epochs": {"low": 1, "high": 4}},
        "compile": {"learning": "on"},
        "learn": {"margin": {"low": 0, "high": 0.4}, "epochs": {"low": 1, "high": 64, "log": True}},
    }
    few, many = (trials(**space, draw={"points": points, "by": by, "seed": 3}) for points in (10, 64))
    assert many[:10] == few
    assert many != trials(**space, draw={"points": 64, "by": by, "seed": 4})
    assert {one.train.epochs for one in many} == {1, 2, 3, 4}
    margins = [one.learn.margin for one in many]
    assert all(0 <= margin <= 0.4 for margin in margins)
    assert 0.15 < sum(margins) / len(margins) < 0.25
    assert all(margin == float(f"{margin:.6g}") for margin in margins)
    epochs = [one.learn.epochs for one in many]
    assert all(1 <= each <= 64 for each in epochs)
    assert 2 < sum(map(math.log2, epochs)) / len(epochs) < 3.9  # by the logarithm, whose middle is 3; evenly: 4.7


def test_the_same_points_are_tried_at_every_point_of_the_grid():
    found = trials(
        train={"epochs": {"low": 1, "high": 1000}}, compile={"weight_bits": [4, 8]}, draw={"points": 5}, seed=[0, 1]
    )
    assert len(found) == 5 * 2 * 2
    epochs = {bits: [one.train.epochs for one in found if one.compile.weight_bits == bits] for bits in (4, 8)}
    assert epochs[4] == epochs[8]


def test_compile_takes_the_options_of_the_command():
    assert Compile(neuron="lif", steps=4).options == Options(neuron="lif", steps=4)
    assert Compile(learning="on", trace="li").options == LearningOptions(trace="li")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ([1], "holds train, compile, learn, seed, draw"),
        ({"trian": {}}, "'trian' is no part of a space. Did you mean train? Allowed: train, compile, learn, seed"),
        ({"train": 3}, "train: must hold options by name, got 3"),
        ({"train": {"epoch": 3}}, "train.epoch is no option. Did you mean epochs? Allowed: recipe, data, widths"),
        ({"train": {"recipe": ["ffa-symmetric", "ffa-symetric"]}}, "got 'ffa-symetric'. Did you mean ffa-symmetric?"),
        ({"train": {"epochs": "3"}}, "train.epochs: must be a valid integer, got '3'"),
        ({"train": {"epochs": -1}}, "train.epochs: must be greater than or equal to 0, got -1"),
        ({"train": {"epochs": []}}, "train.epochs: an empty list"),
        ({"train": {"widths": "12x12"}}, "train.widths: must match pattern"),
        ({"train": {"data": "minst"}}, "train.data: 'minst' is not one of 'digits'"),
        ({"train": {"quick": 1}}, "train.quick: must be a valid boolean, got 1"),
        ({"compile": {"weight_bits": [4, 9]}}, "compile.weight_bits: must be less than or equal to 8, got 9"),
        ({"compile": {"neuron": "adex"}}, "compile.neuron: must be 'graded' or 'lif', got 'adex'"),
        ({"compile": {"trace": "li"}}, "compile.trace: has no meaning beside the other options"),
        ({"compile": {"learning": "on", "neuron": "lif"}}, "compile.neuron: has no meaning"),
        ({"learn": {}}, "learn: no trial learns. Give compile.learning: on or library"),
        ({"learn": {"epochs": 3}}, "learn: no trial learns. Give compile.learning: on or library"),
        ({"seed": "a"}, "seed: must be a valid integer, got 'a'"),
        ({"seed": {"low": 0, "high": 3}}, "seed: must be a value or a list of values, no range"),
        ({"train": {"epochs": {"low": 1, "high": 3}}}, "train.epochs: a range needs `draw: {points: N}` beside it"),
        ({"train": {"epochs": {"low": 3, "high": 1}}, "draw": {"points": 2}}, "low must be below high, got 3 and 1"),
        ({"train": {"epochs": {"low": 1}}, "draw": {"points": 2}}, "train.epochs.high: is missing"),
        ({"train": {"epochs": {"low": 1, "hihg": 3, "high": 2}}, "draw": {"points": 2}}, "Did you mean high?"),
        ({"train": {"epochs": {"low": 0, "high": 3, "log": True}}, "draw": {"points": 2}}, "low must be above 0"),
        ({"train": {"recipe": {"low": 0, "high": 3}}, "draw": {"points": 2}}, "train.recipe: must be"),
        ({"draw": {"points": 2}}, "draw: no option has a range"),
        ({"draw": {"points": 0}, "train": {"epochs": {"low": 0, "high": 3}}}, "draw.points: must be greater than"),
        ({"draw": {"points": 2, "by": "sobel"}, "train": {"epochs": {"low": 0, "high": 3}}}, "Did you mean sobol?"),
        ({"seed": list(range(1000)), "train": {"epochs": list(range(101))}}, "101,000 trials, at most 100,000"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(space, said):
    with pytest.raises(FF2LoihiError) as failure:
        read_space(space).trials()
    assert said in str(failure.value)
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) <= 500


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(FF2LoihiError, match="train.epochs: .*; compile.steps: .*; learn.plan: "):
        read_space({"train": {"epochs": -1}, "compile": {"steps": 1}, "learn": {"plan": "never"}})
