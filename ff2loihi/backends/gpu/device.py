"""Where lanes run: blocks of a CUDA device, or threads of this machine's processor."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numba import float64, int64, njit

from ff2loihi.backends.gpu.kernel import Lanes, Shared, Work, build
from ff2loihi.compilers.errors import BackendError, brief

WARP = 32
MOST_THREADS, REGISTERS = 512, 128  # of a block, and of a thread: together what a multiprocessor has


class Device(Protocol):
    """Holds the lanes' arrays, and runs the loop over them."""

    most: int  # lanes that run at once

    def take(self, lanes: Lanes) -> Lanes:
        """The arrays on the device."""
        ...

    def fetch(self, array: np.ndarray, lane: int) -> np.ndarray:
        """A copy of what a lane has of an array on the device."""
        ...

    def put(self, array: np.ndarray, lane: int, values: np.ndarray) -> None:
        """The other way round."""
        ...

    def learn(self, lanes: Lanes, work: Work) -> tuple[np.ndarray, np.ndarray]:
        """Work.found and Work.leads of each lane."""
        ...


class Processor:
    """The same loop on the CPU, a lane after the other: slow, to hold the two together."""

    most = 64

    def take(self, lanes: Lanes) -> Lanes:
        return Lanes(*map(np.ascontiguousarray, lanes))

    def fetch(self, array: np.ndarray, lane: int) -> np.ndarray:
        return array[lane].copy()

    def put(self, array: np.ndarray, lane: int, values: np.ndarray) -> None:
        array[lane] = values

    def learn(self, lanes: Lanes, work: Work) -> tuple[np.ndarray, np.ndarray]:
        classes, steps = lanes.label_counts.shape[1:]
        period = lanes.leaps.shape[1] - 1
        for lane in np.flatnonzero(work.numbers[:, 0]):
            shared = Shared(
                np.zeros((classes, 2), np.int64), np.zeros((steps + 1, 2), np.int64), np.zeros(period, np.int64),
                np.zeros(period), np.zeros(2, np.int64), np.zeros(classes),
            )  # fmt: skip
            _processor_loop()(lanes, work, shared, np.int64(lane), np.int64(0), np.int64(1))
        return work.found, work.leads


class Gpu:
    """A CUDA device, by numba-cuda. Raises BackendError where there is none."""

    def __init__(self) -> None:
        try:
            cuda = _cuda()
        except Exception as failure:  # of a numba-cuda that fits neither numba nor numpy here, anything
            raise BackendError(f"--device cuda: numba-cuda does not start: {brief(failure)}") from None
        if not cuda.is_available():
            raise BackendError(
                "--device cuda: numba sees no CUDA device here. Use --device cpu, or where there is one install the "
                "extra `gpu`, as pip install '.[gpu]'"
            )
        self.most = 2 * cuda.get_current_device().MULTIPROCESSOR_COUNT
        self._kernels: dict[tuple[int, ...], Any] = {}

    def take(self, lanes: Lanes) -> Lanes:
        return Lanes._make(_cuda().to_device(np.ascontiguousarray(array)) for array in lanes)

    def fetch(self, array, lane: int) -> np.ndarray:
        return array[lane].copy_to_host()

    def put(self, array, lane: int, values: np.ndarray) -> None:
        array[lane].copy_to_device(values)

    def learn(self, lanes: Lanes, work: Work) -> tuple[np.ndarray, np.ndarray]:
        classes, steps = lanes.label_counts.shape[1:3]
        sizes = classes, steps, lanes.leaps.shape[1] - 1
        if sizes not in self._kernels:
            self._kernels[sizes] = cuda_kernel(*sizes)
        *given, found, leads = map(_cuda().to_device, work)
        self._kernels[sizes][len(work.numbers), threads(lanes.w.shape[2])](lanes, Work._make([*given, found, leads]))
        return found.copy_to_host(), leads.copy_to_host()


def _cuda() -> ModuleType:
    return import_module("numba.cuda")  # of numba-cuda, which takes its place


def threads(neurons: int) -> int:
    """Of a lane: whole warps, one neuron a thread where a block can have so many."""
    return min(MOST_THREADS, -(-neurons // WARP) * WARP)


def cuda_kernel(classes: int, steps: int, period: int):
    """The loop for blocks of a CUDA device, a lane each."""
    cuda = _cuda()

    @cuda.jit(device=True)
    def sync():
        cuda.syncthreads()

    @cuda.jit(device=True)
    def add(pair, plus, minus):
        for half in (16, 8, 4, 2, 1):
            plus += cuda.shfl_down_sync(0xFFFFFFFF, plus, half)
            minus += cuda.shfl_down_sync(0xFFFFFFFF, minus, half)
        if cuda.laneid == 0:
            cuda.atomic.add(pair, 0, plus)
            cuda.atomic.add(pair, 1, minus)

    @cuda.jit(device=True)
    def place(counts, step):
        return cuda.atomic.add(counts, step, 1)

    learn = build(cuda.jit(device=True), sync, add, place)

    by_class, by_step = (classes, 2), (steps + 1, 2)

    @cuda.jit(max_registers=REGISTERS)
    def loop(lanes, work):
        shared = Shared(
            cuda.shared.array(by_class, int64), cuda.shared.array(by_step, int64),
            cuda.shared.array(period, int64), cuda.shared.array(period, float64), cuda.shared.array(2, int64),
            cuda.shared.array(classes, float64),
        )  # fmt: skip
        learn(lanes, work, shared, int64(cuda.blockIdx.x), int64(cuda.threadIdx.x), int64(cuda.blockDim.x))

    return loop


@cache
def _processor_loop() -> Callable:
    @njit(nogil=True)
    def sync():
        pass

    @njit(nogil=True)
    def add(pair, plus, minus):
        pair[0] += plus
        pair[1] += minus

    @njit(nogil=True)
    def place(counts, step):
        counts[step] += 1
        return counts[step] - 1

    return build(njit(nogil=True), sync, add, place)
