"""The way in, and the last net: whatever ends a command becomes an exit code and at most one line.

It imports next to nothing, so that Ctrl-C is answered in one line while everything else is still being imported.
"""

import contextlib
import io
import os
import re
import signal
import sys
import threading
from types import FrameType

DEBUG = "FF2LOIHI_DEBUG"
INTERRUPTED = "interrupted; nothing was half-written"
BAD_INPUT = 2
FORGETFUL = ("weakref", "_weakrefset", "llvmlite", "numba.core.serialize")
MAKING = ("tempfile", "ff2loihi.compilers.files")  # a file, which none removes until its name is in hand
HOLDING = (  # a process and its folder, likewise; or ending them
    ("subprocess", "__init__"), ("ff2loihi.backends.lava.child", "__enter__"),
    ("ff2loihi.workers", "__enter__"), ("ff2loihi.workers", "__exit__"),
)  # fmt: skip
WAITING = ("ff2loihi.compilers.files", "_into_stream")  # makes nothing, and may wait for ever
RETRY = 0.02  # s until a signal is tried again that came where no exception gets out


class Ended(BaseException):
    """SIGTERM or SIGHUP as an exception, so that everything is cleaned up as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> None:
    """Run a command and exit: 0 done, 1 a check failed, 2 bad input or usage, 3 no back end, 128 + n for signal n."""
    signals = _Signals()
    try:
        try:
            signals.become_exceptions()
            code = _run()
        except BaseException as ended:
            code = _told(signals.raised[0] if signals.raised else ended)  # a library may have raised its own on top
        signals.over = True
    except (KeyboardInterrupt, Ended) as ended:  # it came when all was done, or while an error was told
        signals.over = True
        code = _told(ended)
    signals.restore()
    sys.exit(code)


def _run() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # a terminal without our characters gets escapes, no error
    from ff2loihi.cli.app import app

    code = app(prog_name="ff2loihi", standalone_mode=False)
    if sys.stdout:
        from ff2loihi.cli.console import flush

        flush()
    if code == 128 + signal.SIGINT:  # typer's form of Ctrl-C
        raise KeyboardInterrupt
    return code or 0


class _Signals:
    """SIGINT, SIGTERM and SIGHUP raise an exception.

    raised: what they raised so far; over: all is done and told, so that none raises any more.
    """

    def __init__(self) -> None:
        self.raised: list[BaseException] = []
        self.over = False
        self._before = {}

    def become_exceptions(self) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) != signal.SIG_IGN:  # nohup, or a shell's background job
                self._before[each] = signal.getsignal(each)
                signal.signal(each, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.over:
            return
        if _is_deaf(frame):
            threading.Timer(RETRY, os.kill, (os.getpid(), number)).start()
            return
        for each in self._before:
            if each != signal.SIGINT:  # a person who presses Ctrl-C twice means it
                signal.signal(each, signal.SIG_IGN)  # the first one is obeyed, none interrupts the cleaning up
        self.raised.append(KeyboardInterrupt() if number == signal.SIGINT else Ended(number))
        raise self.raised[-1]

    def restore(self) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)


def _is_deaf(frame: FrameType | None) -> bool:
    """Whether an exception in this frame would be forgotten, or would lose what its callers are just making.

    Python and llvmlite print it and go on, numba crashes: the results of its compiled functions are made by its
    unpickling and by the constructors of named tuples. Of contextlib only the frame itself counts, which is between a
    `with` and its generator: what the generator calls may take long.
    """
    if frame is not None and frame.f_globals.get("__name__") == "contextlib":
        return True
    while frame is not None:
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if (module, function) == WAITING:
            return False
        if module in FORGETFUL or module.startswith(("llvmlite.", "namedtuple_")) or function == "__del__":
            return True
        if module in MAKING or (module, function) in HOLDING:
            return True
        frame = frame.f_back
    return False


def _told(ended: BaseException) -> int:
    """The exit code of what ended a command, after its line on standard error."""
    exec("")  # an interrupt inside an exec, as dataclasses use it, is forgotten: else Python ends by the signal itself
    text, code = _meaning(ended)
    with contextlib.suppress(OSError, AttributeError):  # of a standard error that is full, or closed
        if text is not None:
            _show(text, _details(ended))
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        with contextlib.suppress(OSError, AttributeError):  # or Python would try again at its end, and say so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _meaning(ended: BaseException) -> tuple[object, int]:
    """What to say, None for nothing, and the exit code."""
    from ff2loihi.compilers.errors import FF2LoihiError

    match ended:
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # the second form is typer's
            return None, 128 + signal.SIGPIPE  # as if the signal had ended it: `| head` wants no more
        case SystemExit(code=code):
            return None, code if isinstance(code, int) else BAD_INPUT if code else 0
        case KeyboardInterrupt():
            return INTERRUPTED, 128 + signal.SIGINT
        case Ended(number=number):
            return f"ended by {signal.Signals(number).name}; nothing was half-written", 128 + number
        case FF2LoihiError():
            return ended, ended.exit_code
        case MemoryError():
            return f"out of memory{_said(ended)}. Use fewer samples, or a smaller model", BAD_INPUT
        case RecursionError():
            return "the input is nested too deeply. Make it again", BAD_INPUT
        case ImportError():
            return f"a library cannot be loaded: {ended}", BAD_INPUT
        case UnicodeError():
            return f"text that is not in the wanted encoding{_said(ended)}", BAD_INPUT
        case OSError(strerror=str(reason), filename=name):
            return reason if name is None else f"{os.fsdecode(name)}: {reason}", BAD_INPUT
    if "typer" in sys.modules and isinstance(ended, sys.modules["typer"].TyperException):
        return _usage(ended), BAD_INPUT
    return f"internal error: {type(ended).__name__}{_said(ended)} (set {DEBUG}=1 to see the traceback)", BAD_INPUT


def _said(ended: BaseException) -> str:
    return f": {ended}" if str(ended) else ""


def _usage(error) -> str | None:
    """typer's complaint on one line; without any argument, the help."""
    if len(sys.argv) < 2:
        error.show()
        return None
    from ff2loihi.compilers.errors import meant

    message = error.format_message().replace("Value error, ", "").rstrip(".")  # pydantic's words, by way of typer
    if wrong := re.search("'([^']*)' is not one of ('.*')$", message):
        known = wrong[2].strip("'").split("', '")
        message = f"{message}.{meant(wrong[1], known)}".rstrip(".")
    context, end = getattr(error, "ctx", None), "" if message.endswith("?") else "."
    return f"{message}{end} See: {context.command_path} --help" if context else message


def _details(ended: BaseException) -> str:
    """What FF2LOIHI_DEBUG=1 shows: the traceback, or a child's."""
    if not os.environ.get(DEBUG) or isinstance(ended, KeyboardInterrupt | Ended):
        return ""
    details = getattr(ended, "details", "")
    if isinstance(details, str) and details:
        return details
    import traceback

    return "".join(traceback.format_exception(ended))


def _show(text: object, details: str) -> None:
    from ff2loihi.cli.console import plain
    from ff2loihi.compilers.errors import one_line

    for line in details.splitlines():
        print(plain(line), file=sys.stderr)
    print(f"ff2loihi: {one_line(plain(one_line(str(text))))}", file=sys.stderr, flush=True)
