"""Every error a user can meet.

FF2LoihiError               exit 2: the input or the request is at fault
├── CheckpointError         the .pt, its spec, or what they describe
├── CompileError            a network that the chip cannot hold
├── ArtifactError           a .ffl file that cannot be read or written
├── DataError               a data set that is absent or does not fit
└── BackendError            exit 3: the back end is not available, died or hung
CheckFailed                 exit 1: the run went well and its result is "no"
"""


class FF2LoihiError(Exception):
    """One line: where, what was seen, what is allowed, how to mend it."""

    exit_code = 2


class CheckpointError(FF2LoihiError):
    """The checkpoint or its spec cannot be used."""


class CompileError(FF2LoihiError):
    """The network does not fit the chip's arithmetic."""


class ArtifactError(FF2LoihiError):
    """The artifact cannot be read or written."""


class DataError(FF2LoihiError):
    """The data set is absent or does not fit the model."""


class BackendError(FF2LoihiError):
    """The back end is not available, raised, or outlived its time limit."""

    exit_code = 3


class CheckFailed(FF2LoihiError):
    """A check ran to its end and did not hold."""

    exit_code = 1
