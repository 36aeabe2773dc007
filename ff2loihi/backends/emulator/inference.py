"""The emulator: the integer network in batches, on the CPU or a CUDA device, bit-identical to Lava."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from threadpoolctl import ThreadpoolController

from ff2loihi import choices
from ff2loihi.backends import classification_states
from ff2loihi.backends.base import SampleProgress, Trace, check_pixels, make_trace
from ff2loihi.backends.classification import classify
from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.inference.integer_forward import Forward, Result, quantized
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program
from ff2loihi.threads import torch_threads

# activities of one batch: what a core's cache holds, or what keeps a GPU busy
BATCH_ELEMENTS = {"cpu": 1 << 17, "loops": 1 << 19, "cuda": 1 << 24}
THREAD_WORK = 1 << 26  # multiplications, about 2 ms of one core: a thread for less than that costs more than it saves


class Emulator:
    """Batched and exact: see compilers.forward for the arithmetic and its bounds."""

    name = "emulator"

    def __init__(self, device: str = "cpu") -> None:
        choices.check_device(device)
        self.device = device

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: SampleProgress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8. Raises DataError."""
        network = program.network
        if isinstance(network, LearningNetwork):
            if self.device != "cpu":
                raise FF2LoihiError(f"--device {self.device}: learning networks run on the CPU. Use --device cpu")
            trace = classify(self.name, network, emulator_learner(network), pixels, progress)
            if states and not network.library:
                trace = replace(trace, states=classification_states.states(network, pixels))
            return trace
        check_pixels(network, pixels)
        results, done, parts = (_on_cuda if self.device == "cuda" else _on_cpu)(network, pixels, states), 0, []
        started = time.perf_counter()
        for part in results:
            parts.append(part)
            done += len(part.sums)
            if progress:
                progress(done, len(pixels))
        return make_trace(self.name, network, _join(parts), time.perf_counter() - started)


LOOPS_WORK = 1 << 31  # multiplications from which on graded layers load numba, which takes 0.2 s
BYTES_WORK = 1 << 37  # the same, and torch, which takes 2 s


def _batches(network: IntNetwork, pixels: np.ndarray, device: str, least: int = 1) -> list[np.ndarray]:
    """pixels in batches of the device's size, but at least so many where there are as many rows."""
    each = max(layer.neurons for layer in network.layers) * len(network.pass_labels)
    if device == "loops":
        each *= network.steps
    if network.events:  # a batch's spikes are unpacked, a byte each
        each = max(each, network.row)
    rows = max(1, min(BATCH_ELEMENTS[device] // each, math.ceil(len(pixels) / least)))
    return [pixels[start : start + rows] for start in range(0, len(pixels), rows)]


def _quantized(network: IntNetwork, pixels: np.ndarray) -> np.ndarray:
    return quantized(network, pixels).astype(np.float32)


def _on_cpu(network: IntNetwork, pixels: np.ndarray, states: bool) -> Iterator[Result]:
    """Each batch in one thread, as many threads as the work is worth and the libraries may use.

    Ready when it returns: weights and kernels are loaded, which is not what a sample takes.
    """
    libraries = ThreadpoolController()
    work = len(pixels) * len(network.pass_labels) * network.steps * sum(layer.synapses for layer in network.layers)
    threads = min(len(pixels), _most_threads(libraries), 1 + work // THREAD_WORK)
    loops = _in_loops(network, work) if not states and (network.neuron == "lif" or work >= LOOPS_WORK) else None
    run = loops or _in_arrays(network, states)
    if loops or network.neuron == "lif":
        run(pixels[:1])
    return _in_threads(run, _batches(network, pixels, "loops" if loops else "cpu", threads), threads, libraries)


def _in_threads(
    run: Callable[[np.ndarray], Result], batches: list[np.ndarray], threads: int, libraries: ThreadpoolController
) -> Iterator[Result]:
    """Run each batch in one of so many threads.

    The matrix products have no threads of their own: theirs wait for each other, which on a busy machine takes longer
    than the product.
    """
    with libraries.limit(limits=1, user_api="blas"), torch_threads(1):
        if threads == 1:
            yield from map(run, batches)
        else:
            with ThreadPoolExecutor(threads) as pool:
                yield from pool.map(run, batches)


def _in_arrays(network: IntNetwork, states: bool) -> Callable[[np.ndarray], Result]:
    forward = Forward(network)
    return lambda batch: forward.run(_quantized(network, batch), states)


def _in_loops(network: IntNetwork, work: int) -> Callable[[np.ndarray], Result] | None:
    """What runs a batch in compiled loops, where the network's layers have some."""
    from ff2loihi.compilers.inference import dense_forward  # and with it numba

    if not dense_forward.covers(network):
        return None
    forward = dense_forward.DenseForward(network, "torch" in sys.modules or work >= BYTES_WORK)
    return forward.run if forward.exact else None


def _most_threads(libraries: ThreadpoolController) -> int:
    """The cores, or what OMP_NUM_THREADS and its like leave of them."""
    return max((library["num_threads"] for library in libraries.info() if library["user_api"] == "blas"), default=1)


def _on_cuda(network: IntNetwork, pixels: np.ndarray, states: bool) -> Iterator[Result]:
    import torch

    def array(values: np.ndarray, dtype: str) -> torch.Tensor:
        ours = np.require(values, requirements=("C", "W"))  # torch takes no read-only memory
        return torch.from_numpy(ours).to("cuda", getattr(torch, dtype))

    with torch.inference_mode(), _full_float32():
        forward = Forward(network, torch, array)
        for batch in _batches(network, pixels, "cuda"):
            yield forward.run(array(_quantized(network, batch), "float32"), states)


@contextmanager
def _full_float32() -> Iterator[None]:
    """Matrix products of CUDA in full float32: TF32 keeps 10 bits, and the exactness bound needs 24."""
    import torch

    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _join(parts: list[Result]) -> Result:
    return Result(
        sums=np.concatenate([part.sums for part in parts]),
        head=None if parts[0].head is None else np.concatenate([part.head for part in parts]),
        spikes=np.concatenate([part.spikes for part in parts]),
        states={name: np.concatenate([part.states[name] for part in parts]) for name in parts[0].states},
    )
