"""The emulator: the integer network in batches, on the CPU or a CUDA device, bit-identical to Lava."""

import time
from dataclasses import replace

import numpy as np
import torch

from ff2loihi import choices
from ff2loihi.backends import learned_states
from ff2loihi.backends.base import Progress, Trace, check_pixels, make_trace
from ff2loihi.backends.learned import classify
from ff2loihi.backends.learners import emulator_learner
from ff2loihi.compilers.errors import BackendError, FF2LoihiError
from ff2loihi.compilers.forward import Forward, Result, quantize_pixels
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Program

BATCH_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 24}  # activities of one batch: what fits a core's cache, or keeps a GPU


class Emulator:
    """Batched and exact: see compilers.forward for the arithmetic and its bounds."""

    name = "emulator"

    def __init__(self, device: str = "cpu") -> None:
        choices.check("--device", device, choices.Device)
        if device == "cuda" and not torch.cuda.is_available():
            raise BackendError("--device cuda: torch sees no CUDA device here. Use --device cpu")
        self.device = device

    def _array(self, array: np.ndarray, dtype: str) -> torch.Tensor:
        ours = np.require(array, requirements=("C", "W"))  # torch takes no read-only memory
        return torch.from_numpy(ours).to(self.device, getattr(torch, dtype))

    def run(
        self, program: Program, pixels: np.ndarray, *, states: bool = False, progress: Progress | None = None
    ) -> Trace:
        """Classify pixels (samples, pixels) uint8. Raises DataError."""
        network = program.network
        if isinstance(network, LearningNetwork):
            if self.device != "cpu":
                raise FF2LoihiError(f"--device {self.device}: learning networks run on the CPU. Use --device cpu")
            trace = classify(self.name, network, emulator_learner(network), pixels, progress)
            if states and not network.stock:
                trace = replace(trace, states=learned_states.states(network, pixels))
            return trace
        check_pixels(network, pixels)
        started = time.perf_counter()
        with torch.inference_mode(), _full_float32():
            forward = Forward(network, torch, self._array)
            batch = self._batch(network)
            parts = []
            for start in range(0, len(pixels), batch):
                rows = self._array(quantize_pixels(pixels[start : start + batch], network.input_bits), "float32")
                parts.append(forward.run(rows, states))
                if progress:
                    progress(min(start + batch, len(pixels)), len(pixels))
        return make_trace(self.name, network, _join(parts), time.perf_counter() - started)

    def _batch(self, network: IntNetwork) -> int:
        widest = max(layer.neurons for layer in network.layers)
        return max(1, BATCH_ELEMENTS[self.device] // (widest * len(network.shown)))


class _full_float32:
    """Matrix products of CUDA in full float32: TF32 keeps 10 bits, and the exactness bound needs 24."""

    def __enter__(self) -> None:
        self.before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False

    def __exit__(self, *_) -> None:
        torch.backends.cuda.matmul.allow_tf32 = self.before


def _join(parts: list[Result]) -> Result:
    return Result(
        sums=np.concatenate([part.sums for part in parts]),
        head=None if parts[0].head is None else np.concatenate([part.head for part in parts]),
        spikes=np.concatenate([part.spikes for part in parts]),
        states={name: np.concatenate([part.states[name] for part in parts]) for name in parts[0].states},
    )
