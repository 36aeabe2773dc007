"""`learn --live`: what it draws on a terminal, that it changes no byte, and that it leaves the terminal as it was."""

import json
import math
import re
import signal

import numpy as np
import pytest
from rich.console import Console

from ff2loihi import api
from ff2loihi.cli.live import COLUMNS, Picture
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Hooks
from sim_tests.cli.terminal import HALF, HIDE, SHOW, at_a_terminal, plain

PLOT = re.compile("(?:100 %|  0 %|     ) [ ▁▂▃▄▅▆▇█]{60}")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    images, file = load_data("digits", "train", limit=200), tmp_path_factory.mktemp("live") / "u.pt"
    train("ffa-symmetric", images, epochs=0, widths=(20,)).save(file)
    return api.compile(file, images, LearningOptions())


def drawn(picture: Picture, width: int = 80, **terminal) -> tuple[str, str]:
    """What is drawn, with and without its colours."""
    screen = Console(width=width, force_terminal=True, color_system="truecolor", **terminal)
    with screen.capture() as captured:
        screen.print(picture)
    return captured.get(), re.sub(r"\x1b\[[\d;]*m", "", captured.get())


def test_the_plot_shows_each_part_of_the_run_at_its_own_height():
    picture = Picture((8, 8, 1), total=600)
    picture.score(150, 150, 0)  # a quarter of the run, nothing right
    picture.score(300, 300, 75)  # of these 150 half
    picture.score(450, 150, 150)  # the next epoch, and all of them
    lines = drawn(picture)[1].splitlines()
    assert [line[:5] for line in lines[:4]] == ["100 %", "     ", "     ", "  0 %"]
    quarter = COLUMNS // 4
    parts = [[line[6:].ljust(COLUMNS)[quarter * n : quarter * (n + 1)] for line in lines[:4]] for n in range(4)]
    full, none = "█" * quarter, " " * quarter
    assert parts == [
        [none, none, none, "▁" * quarter], [none, none, full, full], [full] * 4, [none] * 4
    ]  # fmt: skip
    assert "100.0% at last" in lines[4]


def test_of_a_run_that_goes_on_the_epochs_before_are_not_drawn():
    picture = Picture((8, 8, 1), total=600)
    picture.score(450, 150, 150)  # the second epoch's, and the first one was learned by another process
    picture.score(600, 300, 150)
    half = COLUMNS // 2
    shown = [line[6:].ljust(COLUMNS) for line in drawn(picture)[1].splitlines()[:4]]
    assert [line[:half] for line in shown] == [" " * half] * 4
    assert [line[half : half + half // 2] for line in shown] == ["█" * (half // 2)] * 4


def test_a_field_shows_positive_weights_in_blue_and_negative_ones_in_orange():
    picture, weight = Picture((8, 8, 1), 1), np.zeros((20, 164), np.int16)
    weight[0, 0], weight[0, 8], weight[0, 9] = 254, -254, 127
    assert HALF not in drawn(picture)[1]
    picture.weights(weight)
    coloured, text = drawn(picture)
    first, *rest = coloured.splitlines()[1:]
    assert first.startswith("\x1b[38;2;0;114;178;48;2;230;159;0m▀\x1b[0m\x1b[38;2;0;0;0;48;2;0;57;89m▀")
    assert not re.search("0;114;178|230;159;0", "".join(rest))
    assert [line.count(HALF) for line in text.splitlines()[1:]] == [72] * 4  # nine fields, two pixels a character
    assert HALF not in drawn(picture, no_color=True)[1]  # without colours all of them would look alike


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (5, 9, 2)])
def test_large_images_and_colours_are_averaged(shape):
    picture = Picture(shape, 1)
    picture.weights(np.ones((3, math.prod(shape) + 10), np.int16))
    lines = drawn(picture)[1].splitlines()[1:]
    assert all(line.count(HALF) == 3 * min(shape[1], 14 if shape[0] == 28 else 11) for line in lines)
    assert len(lines) == {28: 7, 32: 6, 5: 3}[shape[0]]
    assert all(len(line) <= 20 for line in drawn(picture, 20)[1].splitlines())


def test_a_look_changes_nothing(program):
    data, seen = load_data("digits", "train", limit=300), []

    def look(done, of_epoch, right, weights):
        seen.append((done, of_epoch, right, weights()[0]))
        weights()[0][:] = 0  # a copy

    schedule = Schedule(epochs=2)
    plain, looked = (api.learn(program, data, schedule, hooks=hooks) for hooks in (Hooks(), Hooks(look=look)))
    assert (plain.network.layers[0].weight == looked.network.layers[0].weight).all()
    assert plain.provenance == looked.provenance
    assert seen[-1][:2] == (600, 300)
    assert seen[-1][2] / 300 == looked.provenance["learned"][0]["log"][1]["online_accuracy"]
    assert (seen[0][3] != seen[-1][3]).any()
    api.learn(program, data, Schedule(epochs=1, margin=None), hooks=Hooks(look=look))
    assert seen[-1][2] is None  # nobody asked for the labels' scores


def test_on_a_terminal_it_draws_and_learns_the_same_bytes(ff2loihi, networks, tmp_path):
    line = ["learn", networks["on.ffl"], "--epochs", 2, "--limit", 300]
    code, lines, err = ff2loihi(*line, "-o", tmp_path / "plain.ffl")
    assert code == 0
    code, text = at_a_terminal(tmp_path, *line, "--live", "-o", "live.ffl")
    assert code == 0
    assert (tmp_path / "live.ffl").read_bytes() == (tmp_path / "plain.ffl").read_bytes()
    assert (tmp_path / "live.jsonl").read_bytes() == (tmp_path / "plain.jsonl").read_bytes()
    shown = plain(text)
    epochs = [line for line in lines.splitlines() if line.startswith("epoch")]
    assert len(epochs) == 2
    assert all(f"{line}\r\n" in shown for line in epochs)
    assert PLOT.search(shown)
    assert shown.count(HALF) > 100
    assert json.loads((tmp_path / "live.jsonl").read_text().splitlines()[-1])["learned"] > 0.2
    assert text.rindex(SHOW) > text.rindex(HIDE)
    # where nobody looks, nothing is drawn
    code, same, err = ff2loihi(*line, "--live", "-o", tmp_path / "plain.ffl")
    assert (code, same, HALF in err) == (0, lines, False)


def test_after_ctrl_c_the_terminal_is_as_it_was(ff2loihi, networks, tmp_path):
    line = ["learn", networks["on.ffl"], "--epochs", 5000, "--limit", 600]
    code, text = at_a_terminal(tmp_path, *line, "--live", "-o", "x.ffl", interrupt=True)
    assert code == 128 + signal.SIGINT
    assert text.rindex(SHOW) > text.rindex(HIDE)
    assert text.endswith("ff2loihi: interrupted; nothing was half-written\r\n")
    assert not (tmp_path / "x.ffl").exists()
