"""Worker processes: a lost one's trial is tried again, what a trial raises is told, and none outlives the sweep."""

import json
import signal

import psutil
import pytest

from ff2loihi.compilers.errors import BackendError, FF2LoihiError
from ff2loihi.sweeps import workers

# A worker whose trials are Python: each is executed, and its outcome is what it leaves in `found`.
TINY = """
import json, sys, types
from ff2loihi.compilers.errors import FF2LoihiError
execution = types.ModuleType("ff2loihi.sweeps.execution")
def run_trial(task):
    names = {}
    exec(json.loads(task), names)
    return names["found"]
execution.run_trial = run_trial
sys.modules["ff2loihi.sweeps.execution"] = execution
from ff2loihi.sweeps import workers
workers.work()
"""
KILLED_ONCE = "import os, pathlib; path = pathlib.Path({!r}); first = not path.exists(); path.touch(); "
KILLED_ONCE += "first and os.kill(os.getpid(), 9); found = 'again'"


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(workers, "CODE", TINY)


@pytest.fixture
def children():
    """The processes that this test has started, and that have not ended."""
    before = set(psutil.Process().children())

    def now() -> list[psutil.Process]:
        found = set(psutil.Process().children()) - before
        return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]

    return now


def outcomes(*tasks: str, count: int):
    with workers.Pool(count) as pool:
        yield from pool.outcomes([json.dumps(task) for task in tasks])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_trial_has_one_outcome_whatever_the_number_of_workers(children, count):
    tasks = [f"print('noise'); found = '{number}'" for number in range(6)]
    assert sorted(outcomes(*tasks, count=count)) == list("012345")
    assert children() == []


def test_two_workers_work_at_the_same_time(tmp_path):
    """Each waits for what the other writes."""
    meet = "import os, time\nopen({!r}, 'w').close()\nwhile not os.path.exists({!r}): time.sleep(0.01)\nfound = 'met'"
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert list(outcomes(meet.format(one, other), meet.format(other, one), count=2)) == ["met", "met"]


def test_the_workers_of_one_list_take_the_next(children):
    with workers.Pool(2) as pool:
        first = [list(pool.outcomes([json.dumps("import os; found = str(os.getpid())")] * 4)) for _ in range(2)]
        assert set(first[0]) | set(first[1]) == {str(one.pid) for one in children()}
    assert children() == []


def test_a_lost_workers_trial_is_given_to_another(tmp_path):
    tasks = [KILLED_ONCE.format(str(tmp_path / "a")), "found = 'well'", KILLED_ONCE.format(str(tmp_path / "b"))]
    assert sorted(outcomes(*tasks, count=2)) == ["again", "again", "well"]


def test_a_worker_that_is_killed_while_it_waits_is_replaced(children):
    running = outcomes(*(f"found = '{number}'" for number in range(3)), count=1)
    assert next(running) == "0"
    [worker] = children()
    worker.kill()
    worker.wait(5)
    assert list(running) == ["1", "2"]


def test_a_trial_that_ends_every_worker_ends_the_sweep(children):
    with pytest.raises(BackendError, match="3 workers were lost with one trial, the last one by signal 11"):
        list(outcomes(f"import os; os.kill(os.getpid(), {signal.SIGSEGV})", count=1))
    assert children() == []


def test_what_a_trial_raises_is_told(children):
    refusal = "from ff2loihi.compilers.errors import DataError; raise DataError('other images')"
    with pytest.raises(FF2LoihiError, match="^other images$"):
        list(outcomes("found = '1'", refusal, count=1))
    with pytest.raises(BackendError, match="ZeroDivisionError: division by zero. Its options: .1 / 0"):
        list(outcomes("1 / 0", count=1))
    assert children() == []


def test_an_early_end_ends_the_workers(children):
    running = outcomes("found = 'quick'", "import time; time.sleep(1e6)", count=2)
    assert next(running) == "quick"
    assert len(children()) == 2
    running.close()
    assert children() == []
