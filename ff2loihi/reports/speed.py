"""How much faster the emulator is than Lava, both measured in one run on the same artifact."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpeedReport:
    """Samples a second of each back end (all labels of a sample included), without start-up; ratio of the two.

    repeats: the emulator's samples a second of each repeat, of which the median counts.
    """

    emulator_device: str
    emulator_samples: int
    emulator_samples_per_second: float
    repeats: tuple[float, ...]
    lava_samples: int
    lava_samples_per_second: float
    lava_ms_per_step: float
    ratio: float
    equal: bool
