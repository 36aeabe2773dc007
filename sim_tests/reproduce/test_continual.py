"""Continual learning on a few digits: what is forgotten without stored samples, and what they keep."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.data.datasets import load_data
from ff2loihi.learning.controller import Schedule
from ff2loihi.reproduce import continual
from ff2loihi.reproduce.continual import Cell, few_of_each, learned_curve, pairs_of, shown


def silent(done, total, note):
    """Nobody waits for a test's progress."""


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train", limit=600), load_data("digits", "test")


def curve(digits, seed=0, **cell):
    return learned_curve(Cell("a way", **cell), *digits, Schedule(epochs=4, seed=seed), silent)


def test_a_table_of_two_rows_shows_what_replay_keeps(ff2loihi, tmp_path, monkeypatch):
    """And its JSON holds each seed's accuracy on every pair seen so far, after each pair."""
    monkeypatch.setattr(continual, "ROWS", (continual.ROWS[1], continual.ROWS[3]))
    files = tmp_path / "t.json", tmp_path / "c.svg"
    code, out, _ = ff2loihi(
        "reproduce", "continual", "--quick", "--epochs", 4, "--json", files[0], "--picture", files[1]
    )
    assert code == 0
    assert files[1].read_bytes().startswith(b"<?xml")
    assert b"<svg" in files[1].read_bytes()[:1000]
    report = json.loads(files[0].read_text())
    assert (report["complete"], report["data"], report["epochs"], report["runs"]) == (True, "digits", 4, 3)
    without, kept = report["cells"]
    for cell in (without, kept):
        assert [[len(seen) for seen in one] for one in cell["curves"]] == [[1, 2, 3, 4, 5]] * 3
        assert len({json.dumps(one) for one in cell["curves"]}) == 3  # no two seeds alike
        assert all(one[k][k] > 90 for one in cell["curves"] for k in range(5))  # each pair as it is learned
        means = [np.mean(one[-1]) for one in cell["curves"]]
        assert cell["mean"] == pytest.approx(np.mean(means))
        assert cell["spread"] == pytest.approx(np.std(means, ddof=1))
        assert f"{cell['mean']:.2f}" in out
    assert without["mean"] < 40  # chance in ten classes, and the last pair
    assert without["forgotten"] > 70
    assert kept["mean"] > without["mean"] + 40
    assert kept["forgotten"] < 30


def test_a_seed_gives_the_same_curve_again(digits):
    first = curve(digits, stored=5)
    assert first == curve(digits, stored=5)
    assert first != curve(digits, seed=1, stored=5)


def test_wrong_labels_of_the_new_pair_leave_old_labels_alone(digits):
    """Without a stored sample: the old pairs' label inputs never spike, and so their synapses never change."""
    seen, pair = (np.array(curve(digits, labels=labels)[-1]) for labels in ("seen", "pair"))
    assert pair[-1] > 60
    assert pair[:-1].mean() > seen[:-1].mean() + 20


def test_offline_is_one_run_that_learns_every_class(digits):
    [found] = curve(digits, labels=None)
    assert len(found) == 5
    assert min(found) > 80


def test_labels_that_are_not_known_yet_are_not_read_out(digits):
    """After the first pair all of its samples are one of two classes: a net that knows ten labels errs more often."""
    train, test = digits
    start = continual.untrained(train, 0)
    two = replace(start, network=replace(start.network, label_codes=start.network.label_codes[:2]))
    few, many = (continual.accuracies(net, test, [(0, 2)])[0] for net in (two, start))
    assert few > many


def test_stored_samples_are_shown_as_often_as_a_new_class_has_samples():
    labels = np.array([0] * 6 + [1] * 6 + [2] * 8 + [3] * 8)
    stored = np.array([0, 1, 6, 7])  # two of each old class
    found = shown(labels, 2, 4, stored)
    assert np.bincount(labels[found]).tolist() == [8, 8, 8, 8]
    assert set(found[labels[found] < 2]) == set(stored)
    assert shown(labels, 0, 2, stored[:0]).tolist() == list(range(12))


def test_of_classes_that_are_one_pair_there_is_nothing_to_learn_after_it(refused):
    line = refused("reproduce", "continual", "--data", "yin-yang", "--quick")[1]
    assert "--data yin-yang: 3 classes are one pair, none arrives after it" in line


def test_classes_arrive_in_pairs_and_an_odd_one_with_the_last():
    assert pairs_of(10) == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert pairs_of(5) == [(0, 2), (2, 5)]
    assert pairs_of(3) == [(0, 3)]


def test_a_few_of_each_class_are_drawn_by_the_seed(digits):
    few = [few_of_each(digits[0], 7, seed) for seed in (0, 0, 1)]
    assert all(np.bincount(one.labels).tolist() == [7] * 10 for one in few)
    assert (few[0].images == few[1].images).all()
    assert (few[0].images != few[2].images).any()
    assert few_of_each(digits[0], None, 0) is digits[0]


def test_the_table_of_few_samples_leaves_out_rows_that_store_as_many(ff2loihi, tmp_path, monkeypatch):
    """Here, and in workers."""
    few, many = (Cell(f"{stored} stored", stored=stored) for stored in (continual.FEW - 1, continual.FEW))
    monkeypatch.setattr(continual, "ROWS", (few, many))
    file = tmp_path / "t.json"
    words = ("reproduce", "continual", "--table", 2, "--quick", "--epochs", 2, "--json", file)
    cells = []
    for workers in ((), ("--workers", 2)):
        code, _, _ = ff2loihi(*words, *workers)
        assert code == 0
        report = json.loads(file.read_text())
        assert report["table"] == 2
        assert [cell["what"] for cell in report["cells"]] == [few.what]
        cells.append(report["cells"])
    assert cells[0] == cells[1]  # it learns in integers, in one thread


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("continual", "--table", 3), "--table must be 1 or 2, got 3"),
        (("hinton", "--picture", "c.png"), "--picture: no meaning with reproduce hinton"),
    ],
)
def test_what_has_no_meaning_is_refused(refused, line, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = refused("reproduce", *line)
    assert code == 2
    assert said in text
