"""The file of results: cut off anywhere, it loses at most the line that was being written."""

import pytest

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.sweeps.results import Results, in_folder
from ff2loihi.sweeps.settings import Settings
from ff2loihi.sweeps.trial import Measured, Refused


def measured(name: str, accuracy: float = 0.5, **options) -> Measured:
    return Measured(
        trial=name, version="0", data_sha256="d", options=Settings(**options), accuracy=accuracy, float_accuracy=0.75,
        samples=10, board="b", cores=3, energy_mj=(0.25, 0.5), time_ms=(1.0, 2.0),
    )  # fmt: skip


OUTCOMES = [measured("a"), Refused(trial="b", version="0", data_sha256="d", options=Settings(seed=3), error="no"),
            measured("c", 0.1 + 0.2, seed=2)]  # fmt: skip


def written(path, outcomes=OUTCOMES) -> bytes:
    results = Results(path)
    for outcome in outcomes:
        results.append(outcome)
    return path.read_bytes()


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "results.jsonl"
    assert written(path).count(b"\n") == 3
    assert list(Results(path).found.values()) == OUTCOMES


def test_a_file_that_was_cut_goes_on_to_the_same_bytes(tmp_path):
    path = tmp_path / "results.jsonl"
    whole = written(path)
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in {
        *range(0, len(whole), 40),
        *(end + offset for end in (0, *ends[:-1]) for offset in (0, 1)),
        ends[-1] - 1,
    }:
        path.write_bytes(whole[:cut])
        results = Results(path)
        assert len(results.found) == sum(end <= cut for end in ends)
        for outcome in OUTCOMES[len(results.found) :]:
            results.append(outcome)
        assert path.read_bytes() == whole


def test_a_last_line_that_is_no_outcome_is_written_over_and_another_one_is_refused(tmp_path):
    path = tmp_path / "results.jsonl"
    whole = written(path)
    path.write_bytes(whole + b"\0\0\0\n")
    results = Results(path)
    assert list(results.found.values()) == OUTCOMES
    results.append(measured("d"))
    assert path.read_bytes().startswith(whole + b'{"trial":"d"')
    path.write_bytes(b'{"trial":"x"}\n' + whole)
    with pytest.raises(FF2LoihiError, match=r"results.jsonl: line 1: .*Remove the line, and its trial runs again"):
        Results(path)


@pytest.mark.parametrize("other", [b'{"a": 1}\n', b"notes", b"notes\n", b'{"trial":"x","error":"no","new":1}\n'])
@pytest.mark.parametrize("before", [False, True])
def test_a_last_line_that_was_not_cut_off_is_kept_and_refused(tmp_path, other, before):
    path = tmp_path / "results.jsonl"
    data = (written(path) if before else b"") + other
    path.write_bytes(data)
    with pytest.raises(FF2LoihiError, match=f"results.jsonl: line {4 if before else 1}: .*Remove"):
        Results(path)
    assert path.read_bytes() == data


def test_the_lines_come_into_the_order_of_the_trials(tmp_path):
    one, other = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for path, outcomes in ((one, OUTCOMES), (other, OUTCOMES[::-1])):
        results = Results(path)
        for outcome in outcomes:
            results.append(outcome)
        results.write(OUTCOMES[1:])
    assert list(Results(one).found) == list(Results(other).found) == ["b", "c", "a"]
    assert one.read_bytes() == other.read_bytes()


def test_the_parts_of_a_sweep_are_read_together(tmp_path):
    written(tmp_path / "results-1of2.jsonl", OUTCOMES[:1])
    written(tmp_path / "results-2of2.jsonl", OUTCOMES[1:])
    (tmp_path / "other.jsonl").write_text("no result")
    assert list(in_folder(tmp_path).values()) == OUTCOMES
