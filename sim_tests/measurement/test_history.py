"""What became slower: the arithmetic of the comparison, on made-up runs, and what becomes of the file."""

import json
import subprocess

import pytest

from ff2loihi import api
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.measurement import history
from ff2loihi.measurement.history import Figure, Line
from ff2loihi.measurement.limit import Limit
from ff2loihi.measurement.speed import LearningSpeedReport, SpeedReport

LIMIT = Limit(1.0, 1.0, 1.0, 1.0)


def run(ratio, low=None, high=None, commit="a", **other):
    figure = Figure(what="emulator over Lava", ratio=ratio, lowest=low or ratio, highest=high or ratio)
    facts = {"date": "2026-01-01", "python": "3.13", "device": "cpu", "artifact": "x", "figures": {"emulator": figure}}
    return Line(commit=commit, **{**facts, **other})


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ([], run(1), None),
        ([run(100)], run(99), (100, 99, 0.0)),  # no spread was seen
        ([run(100)], run(100), None),
        ([run(100)], run(300), None),
        ([run(100, 95, 105)], run(91), None),  # within a run it spread by 10 %
        ([run(100, 95, 105)], run(89), (100, 89, 0.1)),
        ([run(100)], run(81, 76, 95), None),  # of the new run, too: 23 %
        ([run(100)], run(50, 49, 51), (100, 50, 0.04)),
        ([run(90), run(110), run(100)], run(81), None),  # from run to run by 20 %
        ([run(90), run(110), run(100)], run(79), (100, 79, 0.2)),
    ],
)
def test_slower_is_below_the_median_by_more_than_the_spread(before, now, found):
    one = history.slower(before, now)
    assert [(s.before, s.now, pytest.approx(s.spread)) for s in one] == ([found] if found else [])


def test_a_figure_without_repeats_is_held_to_the_spread_of_the_others():
    alone, noisy = run(100).figures["emulator"], run(10, 9, 11).figures["emulator"]
    before = run(1, figures={"one process": alone, "emulator": noisy})
    for ratio, count in ((81, 0), (79, 1)):
        slow = alone.model_copy(update={"ratio": ratio, "lowest": ratio, "highest": ratio})
        found = history.slower([before], run(1, figures={"one process": slow, "emulator": noisy}))
        assert len(found) == count
    assert history.slower([before], run(1, figures={"new": slow})) == []


def test_a_run_is_compared_with_the_latest_of_its_kind():
    others = [run(1, python="3.10"), run(1, device="cuda"), run(1, artifact="y")]
    same = [run(ratio) for ratio in range(1, 8)]
    assert history.comparable([*same[:3], *others, *same[3:]], run(1)) == same[2:]


def test_a_line_says_what_was_measured():
    fast = SpeedReport("cpu", 100, 900.0, (800.0, 900.0, 1000.0), 10, 2.0, 1.0, 450.0, None, True)
    line = history.line_of(fast, "abc")
    assert line.artifact == "abc"
    assert line.commit
    [(name, figure)] = line.figures.items()
    assert (name, figure.ratio, figure.lowest, figure.highest) == ("emulator", 450.0, 400.0, 500.0)
    learns = LearningSpeedReport(100, 900.0, (800.0, 1000.0), 10, 20.0, 1.0, 2.0, 1.0, 450.0, 10.0, LIMIT, (), True)
    found = history.line_of(learns, "abc").figures
    assert (found["one process"].ratio, found["one process"].lowest, found["emulator"].highest) == (10.0, 10.0, 500.0)


def test_a_history_that_grew_does_not_change_its_commit(tmp_path, monkeypatch):
    """Two runs of one commit, of which the first appends to a history that git tracks; changed sources are marked."""

    def git(*words):
        line = ["git", "-c", "user.name=x", "-c", "user.email=x", *words]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    for name in ("h.jsonl", "source.py"):
        (tmp_path / name).write_text("1\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "x")
    monkeypatch.setattr(history, "__file__", str(tmp_path / "ff2loihi" / "measurement" / "history.py"))
    commit = git("rev-parse", "--short=12", "HEAD")
    (tmp_path / "h.jsonl").write_text("1\n2\n")
    assert history._commit() == commit
    (tmp_path / "source.py").write_text("2\n")
    assert history._commit() == f"{commit}-dirty"


def test_the_file_grows_by_a_line_and_is_read_back(tmp_path):
    path = tmp_path / "h.jsonl"
    assert history.read(path) == []
    lines = []
    for ratio in (1.0, 2.0, 3.0):
        lines = history.read(path)
        history.append(path, lines, run(ratio))
    assert history.read(path) == [*lines, run(3.0)]
    assert json.loads(path.read_text().splitlines()[1])["figures"]["emulator"]["ratio"] == 2.0


GOOD = run(1.0).model_dump_json()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (GOOD[:50], "line 2: "), ("", "line 2: "), ("null", "line 2: "), ("\0" * 30, "line 2: "),
        (GOOD.replace('"ratio":1.0', '"ratio":-1.0'), "line 2: figures.emulator.ratio: "),
        (GOOD.replace('"ratio":1.0', '"ratio":"x"'), "line 2: figures.emulator.ratio: "),
        (GOOD.replace('"python"', '"snake"'), "line 2: python: "),
    ],
)  # fmt: skip
def test_a_broken_line_is_named_and_nothing_is_written(refused, networks, tmp_path, monkeypatch, broken, words):
    path, measured = tmp_path / "h.jsonl", []
    path.write_text(f"{GOOD}\n{broken}\n{GOOD}\n")
    before = path.read_bytes()
    with pytest.raises(FF2LoihiError, match=f"h.jsonl: {words}"):
        history.read(path)
    monkeypatch.setattr(api, "bench", lambda *arguments, **options: measured.append(1))
    code, text = refused("bench", networks["graded.ffl"], "--history", path)
    assert code == 2
    assert words in text
    assert path.read_bytes() == before
    assert not measured


def test_bench_reports_what_became_slower_and_does_not_fail(ff2loihi, refused, networks, tmp_path, monkeypatch):
    def measured(speed):
        report = SpeedReport("cpu", 100, speed, (speed, 1.02 * speed), 10, 2.0, 1.0, speed / 2, None, True)
        monkeypatch.setattr(api, "bench", lambda *arguments, **options: report)

    line = ("bench", networks["graded.ffl"], "--history", tmp_path / "h.jsonl")
    for speed, words in (
        (900.0, "nothing is slower than in 0 earlier runs"),
        (890.0, "nothing is slower than in 1 earlier runs"),
        (450.0, "slower: emulator over Lava, samples a second: 225.0 times, 447.5 before: 50% less"),
    ):
        measured(speed)
        code, out, _ = ff2loihi(*line)
        assert code == 0
        assert words in " ".join(out.split())
    assert len(history.read(tmp_path / "h.jsonl")) == 3
    other = tmp_path / "other.jsonl"
    other.write_text('{"epoch": 1}\n')
    code, text = refused(*line[:-1], other)
    assert code == 2
    assert "holds a learning log, and --history writes a history of bench" in text
    code, text = refused(*line[:-1], "/dev/null")
    assert code == 2
    assert "--history /dev/null: no file" in text
