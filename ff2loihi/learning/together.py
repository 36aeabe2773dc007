"""Runs of several networks at once, on one device: each in a thread of its own, up to where it waits for the others."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from ff2loihi.backends.gpu.device import Device
from ff2loihi.backends.gpu.group import Group
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.data.datasets import Dataset
from ff2loihi.learning.controller import Schedule
from ff2loihi.learning.run import Run


class Job(NamedTuple):
    """What `learn` is given of one network."""

    program: Program[LearningNetwork]
    data: Dataset
    schedule: Schedule


def learn_together(jobs: Sequence[Job], device: Device) -> list[Program]:
    """The learned programs, with the bits of the emulator. The networks share a shape: see group.shape.

    Whatever ends one of them, an interrupt too, ends all of them.
    """
    group = Group([job.program.network for job in jobs], device)
    runs = [Run(*job, lane) for job, lane in zip(jobs, group.lanes, strict=True)]
    learned: dict[int, Program] = {}

    def go(index: int) -> None:
        try:
            learned[index] = runs[index].go()
        except BaseException as failure:
            group.stop(failure)
        group.leave(index)

    threads = [threading.Thread(target=go, args=(index,), daemon=True) for index in range(len(jobs))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as failure:
        group.stop(failure)
        raise
    group.check()
    return [learned[index] for index in range(len(jobs))]
