"""Worker processes: a lost one's part is tried again, what a part raises is told, and none outlives the pool."""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from ff2loihi import workers
from ff2loihi.compilers.errors import BackendError, CheckFailed, FF2LoihiError

# What a worker calls: each part is Python, which is executed, and what it leaves in `found` is what it gives.
TINY = """
def run(part):
    names = {}
    exec(part, names)
    return names["found"]
"""
KILLED_ONCE = "import os, pathlib; path = pathlib.Path({!r}); first = not path.exists(); path.touch(); "
KILLED_ONCE += "first and os.kill(os.getpid(), 9); found = 'again'"


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "tiny_parts.py").write_text(TINY)
    monkeypatch.syspath_prepend(folder)


@pytest.fixture
def children():
    """The processes that this test has started, and that have not ended."""
    before = set(psutil.Process().children())

    def now() -> list[psutil.Process]:
        found = set(psutil.Process().children()) - before
        return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]

    return now


def pool(count: int) -> workers.Pool:
    return workers.Pool("tiny_parts:run", count, lambda part: f"the part {part!r}")


def outcomes(*parts: str, count: int):
    with pool(count) as workers:
        for _, found in workers.outcomes(parts):
            yield found


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_part_has_one_outcome_whatever_the_number_of_workers(children, count):
    tasks = [f"print('noise'); found = '{number}'" for number in range(6)]
    assert sorted(outcomes(*tasks, count=count)) == list("012345")
    assert children() == []


def test_two_workers_work_at_the_same_time(tmp_path):
    """Each waits for what the other writes."""
    meet = "import os, time\nopen({!r}, 'w').close()\nwhile not os.path.exists({!r}): time.sleep(0.01)\nfound = 'met'"
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert list(outcomes(meet.format(one, other), meet.format(other, one), count=2)) == ["met", "met"]


def test_the_workers_of_one_list_take_the_next(children):
    with pool(2) as both:
        found = [list(both.outcomes(["import os; found = os.getpid()"] * 4)) for _ in range(2)]
        assert sorted(place for place, _ in found[1]) == [0, 1, 2, 3]
        assert {process for each in found for _, process in each} == {one.pid for one in children()}
    assert children() == []


def test_what_parts_give_is_in_their_order_and_may_be_large(children):
    parts = [f"import time, numpy; time.sleep({0.3 - n / 10}); found = numpy.full(500_000, {n})" for n in range(4)]
    told = []
    run = importlib.import_module("tiny_parts").run
    found = list(workers.spread(run, parts, 2, repr, lambda done, total: told.append((done, total))))
    assert [(len(one), *np.unique(one).tolist()) for one in found] == [(500_000, n) for n in range(4)]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    [large] = workers.spread(run, [f"found = {len('x' * 10**6)} + len('{'y' * 10**6}')"], 1, repr)
    assert large == 2 * 10**6
    assert children() == []


def test_a_lost_workers_part_is_given_to_another(tmp_path):
    tasks = [KILLED_ONCE.format(str(tmp_path / "a")), "found = 'well'", KILLED_ONCE.format(str(tmp_path / "b"))]
    assert sorted(outcomes(*tasks, count=2)) == ["again", "again", "well"]


def test_a_worker_that_is_killed_while_it_waits_is_replaced(children):
    running = outcomes(*(f"found = '{number}'" for number in range(3)), count=1)
    assert next(running) == "0"
    [worker] = children()
    worker.kill()
    worker.wait(5)
    assert list(running) == ["1", "2"]


def test_a_part_that_ends_every_worker_ends_the_pool(children):
    with pytest.raises(BackendError, match="3 workers were lost with the part 'import os.*, the last one by signal 11"):
        list(outcomes(f"import os; os.kill(os.getpid(), {signal.SIGSEGV})", count=1))
    assert children() == []


def test_what_a_part_raises_is_told(children):
    refusal = "from ff2loihi.compilers.errors import DataError; raise DataError('other images')"
    with pytest.raises(FF2LoihiError, match="^other images$"):
        list(outcomes("found = '1'", refusal, count=1))
    with pytest.raises(BackendError, match="^the part '1 / 0' failed: ZeroDivisionError: division by zero$") as raised:
        list(outcomes("1 / 0", count=1))
    assert raised.value.details.startswith("Traceback")
    logged = "from ff2loihi.compilers.errors import CheckFailed; no = CheckFailed('no'); no.details = 'log'; raise no"
    with pytest.raises(CheckFailed, match="^no$") as raised:
        list(outcomes(logged, count=1))
    assert raised.value.details == "log"
    assert children() == []


def test_an_early_end_ends_the_workers(children):
    running = outcomes("found = 'quick'", "import time; time.sleep(1e6)", count=2)
    assert next(running) == "quick"
    assert len(children()) == 2
    running.close()
    assert children() == []


MAKES = "import os, tempfile; path = tempfile.mkdtemp(); open(path + '/file', 'w').close(); found = path"


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """The folder of temporary files, this process's and those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_a_worker_left_goes_with_it(temporary):
    running = outcomes(MAKES, f"{MAKES}; import time; time.sleep(1e6)", count=2)
    path = Path(next(running))
    assert path.is_relative_to(temporary)
    assert (path / "file").exists()
    running.close()
    assert list(temporary.iterdir()) == []


def test_what_a_lost_worker_left_goes_with_the_pool(temporary, tmp_path):
    place = tmp_path / "place"
    lost = f"{MAKES}; open({str(place)!r}, 'a').write(path + '\\n'); os.kill(os.getpid(), 9)"
    with pytest.raises(BackendError, match="3 workers were lost"):
        list(outcomes(lost, count=1))
    paths = place.read_text().split()
    assert len(set(paths)) == 3
    assert all(Path(path).is_relative_to(temporary) for path in paths)
    assert list(temporary.iterdir()) == []


def test_what_a_worker_left_goes_when_its_parent_is_killed(temporary, tmp_path):
    place = tmp_path / "place"
    part = f"{MAKES}; open({str(place)!r}, 'w').write(path); import time; time.sleep(1e6)"
    code = (
        f"from ff2loihi import workers\nwith workers.Pool('tiny_parts:run', 1, repr) as p: list(p.outcomes([{part!r}]))"
    )
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(temporary)}
    ) as parent:
        deadline = time.monotonic() + 60
        while not (place.exists() and place.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert Path(place.read_text()).is_relative_to(temporary)
        assert (Path(place.read_text()) / "file").exists()
        parent.kill()
    while list(temporary.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(temporary.iterdir()) == []
