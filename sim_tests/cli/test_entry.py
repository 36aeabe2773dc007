"""The last net: whatever ends a command is an exit code and at most one line, and cheap mistakes are told cheaply."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import typer

from ff2loihi.cli import console
from ff2loihi.cli.app import app
from ff2loihi.cli.commands import doctor
from ff2loihi.compilers.errors import BackendError

HEAVY = ("torch", "torchvision", "numba", "lava", "numpy", "scipy", "sklearn", "h5py", "matplotlib")


def child(code: str, preexec_fn=lambda: None, **options) -> subprocess.Popen:
    """A Python that runs `code`, in which COMMAND becomes the only command of ff2loihi."""

    def begin() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):  # ignored where the tests run behind `&`, or nohup
            signal.signal(number, signal.SIG_DFL)
        preexec_fn()

    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True, preexec_fn=begin, **options
    )  # fmt: skip


def with_command(code: str, **options) -> subprocess.Popen:
    lines = f"""
import sys
from ff2loihi.cli import app as cli
from ff2loihi.cli import console, entry
def command(**_):
{textwrap.indent(textwrap.dedent(code), "    ")}
cli.app = command
entry.main()
"""
    return child(lines, **options)


def test_cheap_mistakes_are_told_before_anything_heavy_is_imported(networks, tmp_path):
    (tmp_path / "m.pt").write_bytes(networks["m.pt"].read_bytes())
    (tmp_path / "g.ffl").write_bytes(networks["graded.ffl"].read_bytes())
    (tmp_path / "on.ffl.run").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    lines = [
        "run nope.ffl", "run m.pt", "run .", "run g.ffl --backend laav", "run g.ffl --data cifar",
        "run g.ffl --split no",
        "run g.ffl --device tpu", "run g.ffl --json nowhere/r.json", "run g.ffl --limit 0", "run g.ffl --unknown",
        "compile nope.pt", "compile g.ffl", "compile m.pt --spec nope.yaml", "compile m.pt -o nowhere/m.ffl",
        "compile m.pt -o m.pt", "compile m.pt --calibrate cifar:3", "compile m.pt --neuron adex",
        "compile m.pt --learning maybe", "compile m.pt --trace none", "compile m.pt --curve round",
        "train --data cifar", "train -o nowhere/m.pt", "learn nope.ffl", "learn g.ffl --backend lohi",
        "learn g.ffl --plan later", "learn g.ffl --evaluate tset", "learn g.ffl -o on.ffl",
        "learn g.ffl -o nowhere/l.ffl",
        "verify nope.ffl", "verify g.ffl --form tree", "inspect nope.pt", "analyze nope.pt", "analyze g.ffl -o m.pt",
        "report nope.ffl", "report g.ffl -o m.pt", "report g.ffl --data cifar",
        "bench nope.ffl", "reproduce tosato --data cifar", "map nope.ffl", "map g.ffl --chips nope.yaml",
        "estimate nope.ffl", "estimate g.ffl --data cifar", "export g.ffl --format onnx",
        "export nope.ffl --format nir",
        "export g.ffl --format nir -o nowhere/g.nir", "diff-golden nowhere r.npz", "diff-golden . r.npz",
        "sweep nope.yaml", "sweep g.ffl -o m.pt",
        "deploy nope.ffl", "deploy g.ffl --dry-run full", "deploy g.ffl -o nowhere/r.npz", "nope", "",
    ]  # fmt: skip
    code = f"""
        import json, sys
        from ff2loihi.cli import entry
        found = []
        for line in {lines!r}:
            sys.argv = ["ff2loihi", *line.split()]
            try:
                entry.main()
            except SystemExit as ended:
                found.append((line, ended.code, [name for name in {HEAVY!r} if name in sys.modules]))
        print(json.dumps(found))
    """
    ran = child(code, stdout=subprocess.PIPE, cwd=tmp_path)
    out, err = ran.communicate()
    assert json.loads(out) == [[line, 2, []] for line in lines]
    said = err.splitlines()
    assert len([line for line in said if line.startswith("ff2loihi: ")]) == len(lines) - 1  # without words: the help
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (MemoryError("Unable to allocate 9 GiB"), 2, "out of memory: Unable to allocate 9 GiB"),
        (MemoryError(), 2, "out of memory. Use fewer samples"),
        (RecursionError("maximum depth"), 2, "nested too deeply"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (PermissionError(13, "Permission denied", b"\xffx"), 2, r"\\udcffx: Permission denied"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "encoding: 'utf-8' codec"),
        (KeyError("theta"), 2, r"internal error: KeyError: 'theta' \(set FF2LOIHI_DEBUG=1 to see the traceback\)"),
        (AssertionError(), 2, r"internal error: AssertionError \(set"),
        (BackendError("no board"), 3, "no board"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_whatever_is_raised_is_one_line_and_an_exit_code(refused, ff2loihi, monkeypatch, raised, code, words):
    def broken():
        raise raised

    monkeypatch.setattr(doctor, "doctor", broken)
    found, line = refused("doctor")
    assert found == code
    assert re.search(words, line)
    monkeypatch.setenv("FF2LOIHI_DEBUG", "1")
    found, _, err = ff2loihi("doctor")
    assert found == code
    assert ("in broken" in err) == (not isinstance(raised, KeyboardInterrupt))


def test_an_error_of_any_length_is_a_line_of_500_characters_with_its_beginning_and_end(refused, monkeypatch):
    def broken():
        raise BackendError(f"where it was: {'x' * 10**6}\n{'y' * 10**6}. How to mend it")

    monkeypatch.setattr(doctor, "doctor", broken)
    _, line = refused("doctor")
    assert len(line) == len("ff2loihi: ") + 500 + len("\n")
    assert line.startswith("ff2loihi: where it was: xxx")
    assert line.endswith("yyy. How to mend it\n")


def test_a_reader_that_wants_no_more_ends_the_command_as_its_signal_would():
    ran = with_command("for i in range(10**5): console.say('line', i)", stdout=subprocess.PIPE)
    assert ran.stdout.readline() == "line\n"
    ran.stdout.close()
    with ran:
        assert ran.stderr.read() == ""
    assert ran.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    "command", ["console.say('line')", "console.table('t', ('a',), [(1,)])", "console.write_json({}, '-')"]
)
def test_an_output_that_is_full_is_one_line(command):
    with open("/dev/full", "w") as full:
        ran = with_command(command, stdout=full)
        err = ran.communicate()[1]
    assert (ran.returncode, err) == (2, "ff2loihi: standard output: No space left on device\n")


def test_without_an_output_a_command_runs_all_the_same():
    ran = with_command("console.say('line')", preexec_fn=lambda: os.close(1))
    assert (ran.communicate()[1], ran.returncode) == ("", 0)


def test_an_output_that_knows_no_other_letters_than_ascii_gets_escapes():
    ran = with_command(
        "console.say('µ\\U0001f600')", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert ran.communicate() == ("\\xb5\\U0001f600\n", "")


SLEEPS = """
from pathlib import Path
from ff2loihi.compilers import files
with files.locked(Path("x.lock"), OSError, "x"), files.folder_atomic(Path("made"), OSError) as folder:
    (folder / "part").write_text("half")
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_is_one_line_and_leaves_nothing(tmp_path, name):
    number = getattr(signal, name)
    ran = with_command(SLEEPS, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ran.stdout.readline()
    assert len(list(tmp_path.iterdir())) == 2
    ran.send_signal(number)
    err = ran.communicate()[1]
    assert ran.returncode == 128 + number
    assert re.fullmatch(r"ff2loihi: (interrupted|ended by SIG\w+); nothing was half-written\n", err)
    assert list(tmp_path.iterdir()) == []


def test_under_nohup_a_command_outlives_its_terminal(tmp_path):
    ran = with_command(
        SLEEPS, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    ran.stdout.readline()
    ran.send_signal(signal.SIGHUP)
    assert ran.communicate("")[1] == ""
    assert ran.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize("module", ["typer", "ff2loihi.cli.outputs", "ff2loihi.compilers.errors"])
def test_ctrl_c_while_commands_are_still_imported_is_one_line(module):
    code = f"""
        import os, signal, sys
        class Interrupted:
            def find_spec(self, name, *_):
                if name == {module!r}:
                    sys.meta_path.remove(self)
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Interrupted())
        sys.argv = ["ff2loihi", "doctor"]
        from ff2loihi.cli.entry import main
        main()
    """
    ran = child(code)
    assert ran.communicate()[1] == "ff2loihi: interrupted; nothing was half-written\n"
    assert ran.returncode == 130


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "code",
    [
        """
        try:
            os.kill(os.getpid(), signal.{name})
        except BaseException as error:
            raise ValueError("of a library") from error
        """,
        """
        class Deaf:
            def __del__(self):
                os.kill(os.getpid(), signal.{name})
                for _ in range(100):
                    pass
        Deaf()
        time.sleep(60)
        """,
        """
        class Value:
            pass
        weakref._remove_dead_weakref = lambda *_: os.kill(os.getpid(), signal.{name})
        weakref.WeakValueDictionary()["a"] = Value()
        time.sleep(60)
        """,
    ],
    ids=["becomes another exception", "comes while an object is deleted", "comes while a weak reference dies"],
)
def test_a_signal_is_obeyed_where_its_exception_would_be_lost(name, code):
    body = "import os, signal, time, weakref\n" + textwrap.dedent(code).replace("{name}", name)
    ran = with_command(body)
    err = ran.communicate()[1]
    assert re.fullmatch(r"ff2loihi: (interrupted|ended by SIGTERM); nothing was half-written\n", err)
    assert ran.returncode == 128 + getattr(signal, name)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_numba_makes_a_result_is_obeyed(name):
    """One in each function of Python's that compiled code calls, in turn: its exception would crash the process."""
    ran = child(
        f"""
        import json, os, signal, sys, time, typing
        import numba
        from ff2loihi.cli import entry
        class Result(typing.NamedTuple):
            a: int
            b: int
        @numba.njit
        def compiled(a):
            return Result(a, a)
        compiled(1)
        def command():
            sys.setprofile(calls)
            for _ in range(100):
                compiled(1)
            time.sleep(1)
        def calls(frame, event, _):
            global passed
            if event == "call" and frame.f_back.f_code is command.__code__:
                called.append(frame.f_globals["__name__"])
                passed += 1
                if passed == at:
                    os.kill(os.getpid(), signal.{name})
                    os.write(pipe, called[-1].encode() + b" ")
        entry._run = command
        signal.signal(signal.{name}, signal.default_int_handler)
        codes, (reading, pipe) = [], os.pipe()
        for at in range(1, 9):
            passed, called = 0, []
            if not os.fork():
                signal.alarm(5)
                try:
                    entry.main()
                except SystemExit as ended:
                    os._exit(ended.code)
            codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
        os.close(pipe)
        print(json.dumps([os.read(reading, 9999).decode().split(), codes]))
        """,
        stdout=subprocess.PIPE,
    )
    out, err = ran.communicate()
    assert ran.returncode == 0, err
    called, codes = json.loads(out)
    assert {"numba.core.serialize", "namedtuple_Result"} <= {*called}
    assert codes == [128 + getattr(signal, name)] * 8, err


MAKING = {
    "a temporary folder": "tempfile.tempdir = None; making = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)",
    "a lock": "making = files.locked(pathlib.Path('lock'), ValueError, 'busy')",
    "a folder": "making = files.folder_atomic(pathlib.Path('folder'), ValueError)",
    "a file": "making = contextlib.nullcontext(); files.write_atomic(pathlib.Path('file'), b'all of it', ValueError)",
}


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", MAKING)
def test_a_signal_while_a_file_is_made_or_removed_leaves_it_whole_or_not_at_all(what, stride, tmp_path):
    """One at each line, call and return of what makes it: the exception would lose what has no name yet."""
    (tmp_path / "t").mkdir()
    ran = child(
        f"""
        import contextlib, json, os, pathlib, shutil, signal, sys, tempfile, threading
        from ff2loihi.cli import entry
        from ff2loihi.compilers import files
        import ff2loihi.compilers.errors
        WATCHED = {{each.__file__ for each in (contextlib, tempfile, files)}}
        def command():
            sys.settrace(lines)
            {MAKING[what]}
            with making:
                pass
            sys.settrace(None)
            for again in set(threading.enumerate()) - {{threading.main_thread()}}:
                again.join()  # the signal that was not obeyed at once
            return 0
        def lines(frame, event, _):
            global passed
            if frame.f_code.co_filename not in WATCHED:
                return None
            passed += 1
            if passed == at:
                signal.getsignal(signal.SIGTERM)(signal.SIGTERM, frame)
            return lines
        entry._run = command
        codes = []
        while codes[-1:] != [0]:
            at, passed = {stride} * len(codes) + 1, 0
            if not os.fork():
                try:
                    entry.main()
                except SystemExit as ended:
                    os._exit(ended.code)
            codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
            left = [name for name in (*os.listdir(), *os.listdir("t")) if name != "t"]
            if {what!r}[2:] in left:
                made = pathlib.Path(left.pop(left.index({what!r}[2:])))
                assert made.is_dir() or made.read_bytes() == b"all of it"
                made.rmdir() if made.is_dir() else made.unlink()
            assert not left, (at, left)
        print(json.dumps(codes))
        """,
        stdout=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "t")},
    )  # fmt: skip
    out, err = ran.communicate()
    assert ran.returncode == 0, err
    codes = json.loads(out)
    assert len(codes) > 60 // stride
    assert {*codes[:-1]} == {128 + signal.SIGTERM}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("read", [0, 1])
def test_a_command_that_waits_for_who_reads_its_pipe_is_ended_by_a_signal(name, read, tmp_path):
    """Of a FIFO that nobody opens, and of one whose reader takes a byte of more than it holds."""
    os.mkfifo(tmp_path / "fifo")
    ran = child(
        """
        import pathlib, sys
        from ff2loihi.cli import entry
        from ff2loihi.compilers import files
        def command():
            print("begins", flush=True)
            files.write_atomic(pathlib.Path("fifo"), bytes(1 << 22), ValueError)
            return 0
        entry._run = command
        entry.main()
        """,
        stdout=subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stdout
    assert ran.stdout.readline() == "begins\n"
    with open(tmp_path / "fifo", "rb", buffering=0) if read else contextlib.nullcontext() as reader:
        if reader:
            assert reader.read(read) == b"\0"
        else:
            time.sleep(0.2)  # it has begun to wait
        ran.send_signal(getattr(signal, name))
        try:
            assert ran.wait(timeout=20) == 128 + getattr(signal, name)
        finally:
            ran.kill()
            ran.communicate()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize(("ends", "codes"), [("return 0", {0}), ("raise ValueError('x')", {2})])
def test_a_signal_at_any_line_of_the_way_in_and_out_is_an_exit_code(name, ends, codes):
    """One at each line in turn, the last ones included, where the work is done and told."""
    ran = child(
        f"""
        import json, os, signal, sys
        from ff2loihi.cli import entry
        def command():
            {ends}
        def lines(frame, event, _):
            global passed
            if frame.f_code.co_filename != entry.__file__:
                return None
            if event == "line":
                passed += 1
                if passed == at:
                    signal.raise_signal(signal.{name})
            return lines
        entry._run = command
        signal.signal(signal.{name}, signal.SIG_DFL)
        found, at = [], 0
        while 100 not in found:
            at, passed = at + 1, 0
            if not os.fork():
                sys.settrace(lines)
                try:
                    entry.main()
                except SystemExit as ended:
                    os._exit(100 if passed < at else ended.code)  # 100: it has fewer lines
            found.append(os.waitstatus_to_exitcode(os.wait()[1]))
        print(json.dumps(found))
        """,
        stdout=subprocess.PIPE,
    )
    out, err = ran.communicate()
    assert ran.returncode == 0, err
    number, found = getattr(signal, name), json.loads(out)
    assert "Traceback" not in err
    assert found[0] == -number  # main has not begun to listen
    assert found[-1] == 100
    assert {*found[:-1]} == {-number, 128 + number, *codes}


STRANGE = "[/foo][bold]\x1b[31m\x07\u202e\udcff"
SHOWN = r"[/foo][bold]\x1b[31m\x07\u202e\udcff"


def test_a_name_is_shown_as_text_in_lines_tables_and_errors(networks, ff2loihi, refused, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    (tmp_path / "[").mkdir()  # so that a path holds what markup would take for an end
    for name in (f"{STRANGE}.ffl", f"{STRANGE} none.ffl\n"):
        assert SHOWN in refused("run", name)[1]
    (tmp_path / f"{STRANGE}.pt").write_bytes(networks["m.pt"].read_bytes())
    for line in (("compile", f"{STRANGE}.pt"), ("inspect", f"{STRANGE}.ffl"), ("run", f"{STRANGE}.ffl", "--limit", 2)):
        code, out, err = ff2loihi(*line, "--json", f"{STRANGE}.json")
        assert (code, err) == (0, "")
        assert SHOWN in out.replace("\n", "")
        assert out.replace("\n", "").isprintable()
        json.loads((tmp_path / f"{STRANGE}.json").read_text())
    torch.save({STRANGE.replace("\udcff", ""): torch.zeros(2)}, "bare.pt")
    assert SHOWN.removesuffix(r"\udcff") in ff2loihi("inspect", "bare.pt")[1]
    (tmp_path / "chips.yaml").write_text('chips: {"[/foo]\\e[31m": {like: nothing}}\n')
    for line in (
        ("compile", "bare.pt"), ("run", f"{STRANGE}.ffl", "--data", STRANGE), (STRANGE,), ("run", f"--{STRANGE}"),
        ("map", f"{STRANGE}.ffl", "--chips", "chips.yaml"),
    ):  # fmt: skip
        text = refused(*line)[1]
        assert text[:-1].isprintable()
        assert "[/foo]" in text


def test_on_a_terminal_too_a_progress_bar_shows_names_as_text(monkeypatch):
    from io import StringIO

    from ff2loihi.cli import console

    screen = StringIO()
    terminal = console._console(stderr=True)
    monkeypatch.setattr(terminal, "_force_terminal", True)
    monkeypatch.setattr(terminal, "_file", screen)
    with console.progress(f"learn {STRANGE}") as show:
        show(1, 2, STRANGE)
    console.warn(STRANGE)
    assert SHOWN in screen.getvalue()
    assert not re.search("\x07|\u202e|\udcff|\x1b\\[31m\x07", screen.getvalue())


@pytest.mark.parametrize("length", [250, 300])
def test_a_long_name_is_one_line_or_works(ff2loihi, refused, networks, tmp_path, length):
    long = "n" * (length - 4) + ".ffl"
    assert refused("run", long)[0] == 2
    code, line = refused("learn", networks["on.ffl"], "-o", tmp_path / long)
    assert code == 2
    assert "File name too long" in line
    if length == 250:
        assert ff2loihi("compile", networks["m.pt"], "-o", tmp_path / long)[0] == 0
        assert ff2loihi("run", tmp_path / long, "--limit", 1)[0] == 0
    else:
        assert "File name too long" in refused("compile", networks["m.pt"], "-o", tmp_path / long)[1]


def test_a_folder_that_cannot_be_searched_is_one_line(refused, networks, tmp_path, monkeypatch):
    """Root may search any folder: the system's answer is put on, in place of a folder's mode."""
    real = os.stat

    def stat(path, *arguments, **options):
        if "closed" in os.fsdecode(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    for line in (
        ("run", "closed/g.ffl"), ("compile", "closed/m.pt"), ("train", "-o", "closed/m.pt"), ("inspect", "closed/x"),
        ("compile", networks["m.pt"], "-o", "closed/m.ffl"), ("run", networks["graded.ffl"], "--json", "closed/r"),
        ("deploy", networks["graded.ffl"], "--dry-run", "closed/d"), ("diff-golden", "closed", "closed"),
        ("learn", networks["on.ffl"], "-o", "closed/l.ffl"), ("map", networks["graded.ffl"], "--chips", "closed/c"),
    ):  # fmt: skip
        code, text = refused(*line)
        assert code == 2
        assert "Permission denied" in text


def test_no_help_is_cut_at_80_columns(ff2loihi, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = typer.main.get_command(app)
    code, out, _ = ff2loihi("--help")
    assert code == 0
    assert "..." not in out.replace("COMMAND [ARGS]...", "")
    listed = re.findall(r"^  ([a-z-]+) +(\S.*)$", out.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert [name for name, _ in listed] == list(found.commands)
    for name, summary in listed:
        code, out, _ = ff2loihi(name, "--help")
        assert code == 0
        said, command = " ".join(out.split()), found.commands[name]
        assert summary in said
        for text in (command.help, *(each.help or "" for each in command.params)):
            assert re.sub(r"\s", "", text) in re.sub(r"\s", "", said), (name, text)


def test_the_help_names_the_closed_choices(ff2loihi):
    for name, words in (("run", "<emulator|lava|loihi>"), ("compile", "<graded|lif>"), ("learn", "<lava|chip>")):
        code, out, _ = ff2loihi(name, "--help")
        assert code == 0
        assert words in out


def test_a_table_of_many_rows_shows_the_first_and_counts_the_rest(capsys):
    console.table("many", ("row",), [(row,) for row in range(console.ROWS + 7)])
    shown = capsys.readouterr().out
    assert f"{console.ROWS - 1:,}" in shown
    assert f"{console.ROWS:,} " not in shown
    assert "and 7 more rows" in shown


def test_json_on_a_closed_standard_output_is_one_line(networks):
    line = f"{sys.executable} -m ff2loihi inspect {networks['graded.ffl']} --json - >&-"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("ff2loihi: --json -: standard output is closed. Name a file\n")
    assert "Traceback" not in done.stderr
