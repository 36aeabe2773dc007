"""Pickles, which nobody runs unseen: `torch.load(weights_only=True)` refuses their code, this refuses their shape."""

import pickletools
from io import BytesIO

from ff2loihi.compilers.formats import array_files

TUPLES = 20  # in each other; a tensor's description has two
PICKLES = 5  # before the values of torch's older files
MARK = object()


def check_tuples(data: bytes) -> None:
    """Raise ValueError where the pickles of a torch file hold tuples in each other more than TUPLES deep.

    A tuple may stand in the next one twice. As a key of a dict it is hashed, which takes twice as long with each, and
    nothing but SIGKILL ends that. Bytes that are no pickle are left to their reader.
    """
    if data.startswith(b"PK"):
        files = [BytesIO(entry) for entry in array_files.entries(data, ".pkl")]
    else:
        files = [BytesIO(data)] * PICKLES  # one behind the other
    for file in files:
        try:
            _check(file)
        except (IndexError, KeyError):
            raise ValueError("a pickle that takes what is not there") from None


def _check(file: BytesIO) -> None:
    """Follow one pickle with the depth of each tuple on its stack, of anything else 0."""
    stack, memo = [], {}
    for code, argument in _codes(file):
        if code.name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif code.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif code.name == "MARK":
            stack.append(MARK)
        else:
            depth = max(_taken(stack, code), default=0)
            if code.name.startswith("TUPLE"):
                depth += 1
            elif code.name not in ("DUP", "REDUCE", "FROZENSET"):
                depth = 0
            if depth > TUPLES:
                raise ValueError(f"tuples in each other more than {TUPLES} deep")
            stack.extend([depth] * sum(after is not pickletools.markobject for after in code.stack_after))


def _codes(file: BytesIO):
    try:
        for code, argument, _ in pickletools.genops(file):
            yield code, argument
    except Exception:  # pickletools raises many kinds where the bytes are none, and their reader ends there, too
        return


def _taken(stack: list, code: pickletools.OpcodeInfo) -> list[int]:
    """Take from the stack what the code takes."""
    before, found = code.stack_before, []
    if pickletools.markobject in before:
        while (top := stack.pop()) is not MARK:
            found.append(top)
        before = before[: before.index(pickletools.markobject)]
    found += [stack.pop() for _ in before]
    return [depth for depth in found if depth is not MARK]
