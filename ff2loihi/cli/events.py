"""TensorBoard's events of a run, in a folder of their own."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import numpy as np

from ff2loihi.compilers.errors import FF2LoihiError

BINS = 64  # of a histogram


class Events:
    """A new file of events in a folder, each on disk when it is written; see `events`."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        events, self._summary = (import_module(f"tensorboard.compat.proto.{name}_pb2") for name in ("event", "summary"))
        self._event, self._session = events.Event, events.SessionLog
        self.last = 0  # step that was written
        folder.mkdir(exist_ok=True)
        self.path = folder / f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self.file = open(self.path, "xb")  # noqa: SIM115 (closed by `events`)
        self._records = RecordWriter(self.file)
        self._write(self._event(file_version="brain.Event:2"))
        self._head = self.file.tell()

    @property
    def empty(self) -> bool:
        """Whether nothing was said yet."""
        return self.file.tell() == self._head

    def forget(self, step: int) -> None:
        """From this step on, what earlier files of the folder say counts no more: a resumed run says it anew."""
        self._write(self._event(step=step, session_log=self._session(status=self._session.START)))

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One curve a name; `group/name` are drawn in groups."""
        found = [self._summary.Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(self._event(step=step, summary=self._summary.Summary(value=found)))
        self.last = step

    def weights(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """A histogram of each array."""
        found = []
        for name, array in arrays.items():
            x = array.astype(np.float64).ravel()
            counts, limits = np.histogram(x, BINS)
            histogram = self._summary.HistogramProto(
                min=x.min(), max=x.max(), num=x.size, sum=x.sum(), sum_squares=x @ x, bucket_limit=limits[1:],
                bucket=counts,
            )  # fmt: skip
            found.append(self._summary.Summary.Value(tag=f"weights/{name}", histo=histogram))
        self._write(self._event(step=step, summary=self._summary.Summary(value=found)))

    def _write(self, event) -> None:
        event.wall_time = time.time()
        try:
            self._records.write(event.SerializeToString())
            self.file.flush()
        except OSError as failure:
            raise FF2LoihiError(f"{self.path}: not written: {failure.strerror}") from None


@contextmanager
def events(folder: Path | None) -> Iterator[Events | None]:
    """Events in a new file of that folder, None for no folder. A run that says nothing leaves neither of them.

    Raises FF2LoihiError.
    """
    if folder is None:
        yield None
        return
    made = not folder.exists()
    try:
        found = Events(folder)
    except ImportError:
        raise FF2LoihiError(
            "--log-dir needs the package tensorboard. Install the extra `tensorboard`, as pip install '.[tensorboard]'"
        ) from None
    except OSError as failure:
        raise FF2LoihiError(f"{folder}: {failure.strerror}. Choose another --log-dir") from None
    with found.file:
        try:
            yield found
        finally:
            if found.empty:  # it was refused, or ended before its first step
                with suppress(OSError):
                    found.path.unlink()
                    if made:
                        folder.rmdir()
