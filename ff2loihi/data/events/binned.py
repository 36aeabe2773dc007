"""Recordings become rows of packed spikes, a sample at a time: memory holds one recording, a file without a name all
rows."""

import math
import os
import tempfile

import numpy as np

from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.ir import Binning
from ff2loihi.compilers.ir.events import row_bytes
from ff2loihi.data.events.arrays import Dense
from ff2loihi.data.events.noise import denoised
from ff2loihi.data.events.options import EventOptions
from ff2loihi.data.events.recordings import Recording, Recordings
from ff2loihi.processes.limits import MAX_LEARNING_STEPS

MIN_STEPS, ROUNDS = 4, 2


def binning_for(where: str, source: Recordings, asked: EventOptions) -> Binning:
    """What was asked for, and what fits the recordings where nothing was. Raises DataError."""
    steps, rounds = asked.steps or source.steps, asked.rounds or ROUNDS
    if steps < MIN_STEPS or steps * rounds > MAX_LEARNING_STEPS:
        raise DataError(
            f"{where}: {steps:,} steps in {rounds} rounds, a trace counts {MIN_STEPS}..{MAX_LEARNING_STEPS} in all. "
            "Use --events steps=N,rounds=N"
        )
    parts = asked.parts or source.parts
    if parts > steps:
        raise DataError(f"{where}: {parts} parts of {steps} steps. Use --events parts=N with at most as many")
    if asked.sensor not in (None, source.sensor):
        ours, theirs = (" x ".join(map(str, one)) for one in (source.sensor, asked.sensor))
        raise DataError(
            f"{where}: events of a sensor of {ours} (height, width, polarities), the model takes {theirs}. Use the "
            "data set that the model was made for"
        )
    if asked.downsample > max(source.sensor[:2]):
        raise DataError(f"{where}: --events downsample={asked.downsample}: more than the sensor's sides")
    if asked.denoise and isinstance(source, Dense):
        raise DataError(
            f"{where}: frames, whose events have no times for denoise={asked.denoise:g}. Leave it out, or give rows "
            "(t, x, y, p)"
        )
    return Binning(
        steps=steps, window=float(asked.window or source.span), sensor=source.sensor, merged=asked.merged,
        downsample=asked.downsample, most=asked.most, denoise=asked.denoise, saccades=asked.saccades,
        parts=parts, rounds=rounds,
    )  # fmt: skip


def spikes(found: Recording, binning: Binning) -> np.ndarray:
    """(steps, inputs) bool: see Binning."""
    if binning.denoise:
        found = denoised(found, binning.sensor, binning.denoise)
    taken = found.t < binning.window
    step = (found.t[taken].astype(np.float64) * (binning.steps / binning.window)).astype(np.int64)
    step = step.clip(0, binning.steps - 1)
    _, width, channels = binning.shape
    part = step * binning.parts // binning.steps
    y, x = (values[taken].astype(np.int64) // binning.downsample for values in (found.y, found.x))
    p = 0 if binning.merged else found.p[taken].astype(np.int64)
    result = np.zeros((binning.steps, binning.inputs), bool)
    result[step, (y * width + x) * channels + p * binning.parts + part] = True
    if binning.most is not None:
        result &= result.cumsum(0) <= binning.most
    return result


def rows(where: str, source: Recordings, samples: np.ndarray, binning: Binning) -> np.ndarray:
    """Those samples, packed, (samples, steps row_bytes) uint8: a map of a file that goes with it. Raises DataError."""
    shape = (len(samples), binning.steps * row_bytes(binning.inputs))
    try:
        with tempfile.TemporaryFile() as file:  # its name is gone already, its bytes stay as long as the map
            if hasattr(os, "posix_fallocate"):  # a full disk behind a map ends a process, without a word
                os.posix_fallocate(file.fileno(), 0, math.prod(shape))
            packed = np.memmap(file, np.uint8, "w+", shape=shape)
    except (OSError, ValueError, OverflowError):  # beyond what a disk or a number holds
        raise DataError(
            f"{where}: {len(samples):,} samples of {shape[1]:,} bytes have no room in {tempfile.gettempdir()}. Use "
            "--events downsample=K, or fewer samples"
        ) from None
    for place, sample in enumerate(samples):
        bits = spikes(source.recording(int(sample)), binning)
        if not bits.any():
            kept = f" that denoise={binning.denoise:g} keeps" if binning.denoise else ""
            longer = "window=T or denoise=T" if binning.denoise else "window=T"
            raise DataError(
                f"{where}: sample {int(sample):,} has no event before {binning.window:g}{kept}. Use --events {longer} "
                "with a longer time, or leave the sample out"
            )
        packed[place] = np.packbits(bits, axis=1).ravel()
    return packed
