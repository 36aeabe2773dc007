"""Trials on a scheduler of dask.distributed, which gives a lost worker's to another; imports it, the extra `sweep`."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ff2loihi.compilers.errors import BackendError, FF2LoihiError, brief

if TYPE_CHECKING:
    from distributed import Client

Outcomes: TypeAlias = Callable[[Sequence[str]], Generator[str]]

PATIENCE = 10.0  # s for the scheduler to answer
POLL = 0.02  # s between two looks for an outcome


class Place(NamedTuple):
    """Where a scheduler listens, and the option that said so.

    check: called while no outcome comes; raises FF2LoihiError where none can come any more.
    """

    address: str
    option: str
    check: Callable[[], None] = lambda: None


@contextmanager
def connected(place: Place, say: Callable[[str], None]) -> Generator[Outcomes]:
    """Of tasks the outcomes, as JSON, as they come; an early end cancels the others. Raises FF2LoihiError."""
    try:
        from distributed import Client
    except ImportError:
        raise BackendError(
            "--scheduler needs dask.distributed. Install the extra `sweep`, as pip install '.[sweep]', or use --workers"
        ) from None
    try:
        client = Client(place.address, timeout=PATIENCE)
    except (OSError, ValueError) as failure:
        raise BackendError(f"{place.option}: no scheduler of dask answers ({failure}). Start one") from None
    with client:
        threads = client.nthreads()
        assert isinstance(threads, dict)  # as a client that waits for its answers has it
        say(f"dashboard: {client.dashboard_link}, workers: {len(threads)}")
        yield partial(_outcomes, client, place)


def _outcomes(client: "Client", place: Place, tasks: Sequence[str]) -> Generator[str]:
    from distributed import CancelledError, as_completed
    from distributed.scheduler import KilledWorker

    futures = client.map(_run, tasks, pure=False)
    try:
        finished = as_completed(futures, with_results=True)  # to ask for one may wait: its worker may be lost by then
        while not finished.is_empty():
            if finished.has_ready():
                _, outcome = next(finished)
                if isinstance(outcome, CancelledError):
                    raise outcome
                yield outcome
            else:
                place.check()
                time.sleep(POLL)
    except FF2LoihiError:
        raise
    except KilledWorker as failure:
        raise BackendError(f"a trial was lost with every worker that took it: {failure}") from None
    except CancelledError:
        raise BackendError(f"{place.option}: is gone. With another one, the same command goes on") from None
    except Exception as failure:  # whatever a trial raises there, as where a worker lacks ff2loihi
        reason = f"{type(failure).__name__}: {brief(failure, 300)}"
        raise BackendError(f"{place.option}: a trial failed on a worker: {reason}") from None
    finally:
        client.cancel(futures)


def _run(task: str) -> str:
    from ff2loihi.sweeps.execution import run_trial

    return run_trial(task)
