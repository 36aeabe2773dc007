"""What trials show together: means over seeds, the options that matter, the front, and a table of 80 columns."""

import pytest

from ff2loihi.cli.commands import sweep as command
from ff2loihi.sweeps.pictures import pictures
from ff2loihi.sweeps.report import Report, front, report, short_names
from ff2loihi.sweeps.settings import Settings
from ff2loihi.sweeps.space import read_space
from ff2loihi.sweeps.trial import Measured, Refused

SPACE = {
    "train": {"widths": [12, 24, "24-24"], "epochs": {"low": 1, "high": 100}},
    "compile": {"weight_bits": [3, 8]},
    "draw": {"points": 8},
    "seed": [0, 1, 2],
}
GAIN = {"12": 0.0, "24": 0.4, "24-24": 0.5}


def measured(settings: Settings) -> Measured:
    """Width decides, epochs matter, bits hardly, the seed by a hundredth."""
    accuracy = 0.2 + GAIN[settings.train.widths] + settings.train.epochs / 1000 + settings.compile.weight_bits / 1000
    return Measured(
        trial=str(settings), version="0", data_sha256="d", options=settings, accuracy=accuracy + settings.seed / 100,
        float_accuracy=accuracy, samples=100, board="b", cores=len(settings.train.widths),
        energy_mj=(0.1 * accuracy, accuracy), time_ms=(1.0, 2.0),
    )  # fmt: skip


def of(data: dict, refused: int = 0, missing: int = 0) -> Report:
    space = read_space(data)
    trials = space.trials()
    outcomes: list = [measured(settings) for settings in trials]
    for place in range(refused):
        outcomes[place] = Refused(trial="x", version="0", data_sha256="d", options=trials[place], error="no form")
    return report(space, len(trials), outcomes[: len(trials) - missing])


def test_the_best_configuration_is_the_first_with_its_mean_and_spread_over_seeds():
    found = of(SPACE)
    assert (found.trials, found.finished, found.complete) == (144, 144, True)
    assert len(found.configurations) == 3 * 8 * 2
    best = found.configurations[0]
    epochs = max(one.options["train.epochs"] for one in found.configurations)
    assert best.options == {"train.widths": "24-24", "compile.weight_bits": 8, "train.epochs": epochs}
    assert best.accuracy == pytest.approx(best.float_accuracy + 0.01)
    assert best.spread == pytest.approx(0.01)
    assert [one.accuracy for one in found.configurations] == sorted(
        (one.accuracy for one in found.configurations), reverse=True
    )


def test_an_option_is_as_strong_as_the_variance_between_its_values():
    strengths = of(SPACE).strengths
    assert list(strengths) == ["train.widths", "train.epochs", "compile.weight_bits"]
    assert 0.9 < strengths["train.widths"] < 1
    assert 1e-5 < strengths["compile.weight_bits"] < 1e-3 < strengths["train.epochs"] < 0.1
    alone = of({"train": {"widths": [12, 24], "epochs": 3}})
    assert alone.strengths == {"train.widths": 0.0}  # a value has one trial: nothing tells it from the seed


def test_what_could_not_be_compiled_or_is_missing_is_counted_and_left_out():
    found = of(SPACE, refused=3, missing=4)
    assert (found.finished, found.complete, found.errors) == (140, False, ("no form",) * 3)
    assert len(found.configurations) == 48 - 1 - 1
    assert of(SPACE, missing=144).configurations == ()


def test_the_front_is_what_nothing_cheaper_beats():
    points = [(3, 0.9), (1, 0.5), (2, 0.4), (2, 0.7), (5, 0.9), (4, 0.95), (1, 0.3)]
    assert front(points) == [(1, 0.5), (2, 0.7), (3, 0.9), (4, 0.95)]


HIDDEN = "not shown, weaker: "
VARIED = {
    "train": {
        "epochs": 3,
        "recipe": ["ffa-symmetric", "ffa-sigmoid-sparse"],
        "widths": [12, 24],
        "bias": [False, True],
    },
    "compile": {"neuron": ["graded", "lif"], "steps": [8, 16], "reset": ["soft", "hard"], "weight_bits": [3, 8]},
}


@pytest.mark.parametrize(
    ("space", "wide"), [(SPACE, ["float"]), (VARIED, []), ({"train": {"widths": 12, "epochs": 3}}, ["float"])]
)
def test_the_table_fits_80_columns(space, wide, capsys):
    found = of(space)
    command._show(found)
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line[:1] in "┏┃┡│└"]
    assert len(table) == 4 + min(len(found.configurations), command.ROWS)
    assert max(map(len, table)) <= 80
    heads = [cell.strip() for cell in table[1].strip("┃").split("┃")]
    hidden = [name for line in lines if line.startswith(HIDDEN) for name in line.removeprefix(HIDDEN).split(", ")]
    varied = [name.partition(".")[2] for name in found.strengths]
    assert heads == [*varied[: len(varied) - len(hidden)], "accuracy", "+-", *wide, "cores", "mJ, est."]
    assert varied[len(varied) - len(hidden) :] == hidden
    assert bool(hidden) == (space is VARIED)


def test_names_that_are_the_same_behind_the_dot_keep_what_is_before_it():
    assert short_names(["train.epochs", "learn.epochs", "train.widths"]) == {
        "train.epochs": "train.epochs", "learn.epochs": "learn.epochs", "train.widths": "widths",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("space", "names"),
    [
        (SPACE, "accuracy seeds pareto"),
        ({"train": {"widths": [12, 24], "epochs": 3}}, "accuracy pareto"),
        ({"train": {"widths": 12, "epochs": {"low": 1, "high": 90}}, "draw": {"points": 4}}, "accuracy pareto"),
        ({"train": {"widths": 12, "epochs": [1, 2]}, "compile": {"weight_bits": [3, 8]}}, "accuracy pareto"),
        ({"train": {"widths": 12, "epochs": 3}, "seed": [0, 1]}, "seeds pareto"),
    ],
)
def test_the_pictures_fit_the_space(space, names):
    for form, head in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF-")):
        drawn = dict(pictures(of(space), form))
        assert set(drawn) == {f"{name}.{form}" for name in names.split()}
        assert all(data.startswith(head) for data in drawn.values())
        assert drawn == dict(pictures(of(space), form))  # the same bytes each time


def test_without_a_result_nothing_is_drawn():
    assert list(pictures(of(SPACE, missing=144))) == []
