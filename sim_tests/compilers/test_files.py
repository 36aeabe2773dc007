"""Writing: whole or absent, into whatever the name stands for, with nothing left of a process that died."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from ff2loihi.compilers import files
from ff2loihi.compilers.errors import FF2LoihiError

OLD, NEW = b"old", b"new and longer"


def write(path, data=NEW):
    files.write_atomic(path, data, FF2LoihiError)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_symlink_is_followed_and_its_target_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(OLD)
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("real/file")
    before = (tmp_path / "real" / "file").stat().st_ino
    write(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == NEW
    assert (tmp_path / "real" / "file").stat().st_ino != before  # moved there whole, not written over
    assert names(tmp_path / "real") == ["file"]


def test_a_symlink_to_nothing_gets_a_target_and_one_to_itself_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("made")
    write(tmp_path / "link")
    assert (tmp_path / "made").read_bytes() == NEW
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FF2LoihiError, match="loop: not written: Too many levels of symbolic links"):
        write(tmp_path / "loop")


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert got == [NEW]
    assert pipe.is_fifo()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    for name, minor in (("null", 3), ("full", 7)):
        try:
            os.mknod(tmp_path / name, 0o20666, os.makedev(1, minor))
            (tmp_path / name).open("rb").close()
        except PermissionError:
            pytest.skip("no devices can be made here")
    write(tmp_path / "null")
    with pytest.raises(FF2LoihiError, match="full: not written: No space left on device"):
        write(tmp_path / "full")
    assert (tmp_path / "null").is_char_device()
    assert (tmp_path / "full").is_char_device()
    assert names(tmp_path) == ["full", "null"]


def test_the_output_of_this_process_is_written_to_even_where_it_is_a_file(tmp_path):
    """Moving a file to where /dev/stdout points would take away what was printed before."""
    line = (
        "from pathlib import Path; from ff2loihi.compilers import files; print('first', flush=True); "
        "files.write_atomic(Path('/dev/stdout'), b'second\\n', OSError); print('third')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", line], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "first\nsecond\nthird\n"


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, os.fsdecode(b"\xff\xfe"), "two words\n"])
def test_any_name_that_a_folder_takes_can_be_written(tmp_path, name):
    write(tmp_path / name)
    assert names(tmp_path) == [name]


def test_a_name_that_no_folder_takes_is_refused(tmp_path):
    with pytest.raises(FF2LoihiError, match="File name too long"):
        write(tmp_path / ("a" * 256))
    assert names(tmp_path) == []


DIES = """
import os, sys
from pathlib import Path
from ff2loihi.compilers import files
def die(*_):
    print("here", flush=True)
    os.kill(os.getpid(), {signal}) or sys.stdin.read()
if {folder}:
    with files.folder_atomic(Path("made"), OSError) as folder:
        (folder / "part").write_text("half")
        die()
else:
    os.fsync = die
    files.write_atomic(Path("made"), b"half", OSError)
"""


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_dead_process_left_goes_with_the_next_writer_and_a_live_ones_stays(tmp_path, folder):
    dead = subprocess.run(
        [sys.executable, "-c", DIES.format(signal=int(signal.SIGKILL), folder=folder)], cwd=tmp_path, check=False
    )
    assert dead.returncode == -signal.SIGKILL
    [left] = names(tmp_path)
    live = subprocess.Popen(
        [sys.executable, "-c", DIES.format(signal=0, folder=folder)],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    live.stdout.readline()
    [held] = set(names(tmp_path)) - {left}  # its own sweep took the dead one's
    assert left not in names(tmp_path)
    write(tmp_path / "other")
    assert names(tmp_path) == sorted([held, "other"])
    live.communicate(b"\n")
    assert live.returncode == 0
    assert names(tmp_path) == ["made", "other"]


def test_a_file_that_only_looks_like_a_temporary_one_is_no_way_out_of_the_folder(tmp_path):
    (tmp_path / "mine").write_bytes(OLD)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / f"{files.PREFIX}x{files.SUFFIX}").symlink_to(tmp_path / "mine")
    write(tmp_path / "folder" / "made")
    assert (tmp_path / "mine").read_bytes() == OLD


@pytest.mark.parametrize("ends", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
@pytest.mark.parametrize("at", ["fsync", "replace", "open", "fdopen"])
def test_an_end_at_any_moment_leaves_the_old_file_alone(tmp_path, monkeypatch, at, ends):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    real = getattr(os, at)

    def ended(*arguments, **options):
        if at == "open":
            os.close(real(*arguments, **options))  # it is made, and its maker does not live to see it
        raise ends

    monkeypatch.setattr(os, at, ended)
    with pytest.raises((KeyboardInterrupt, MemoryError, FF2LoihiError)):
        write(path)
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["file"]


def test_a_lock_names_the_process_that_holds_it_and_is_gone_after_it(tmp_path):
    lock = tmp_path / "lock"
    with files.locked(lock, FF2LoihiError, "x: busy"):
        again = files.locked(lock, FF2LoihiError, "x: busy")
        with pytest.raises(FF2LoihiError, match=f"x: busy: process {os.getpid()} holds .*lock"), again:
            pass
        assert names(tmp_path) == ["lock"]
    assert names(tmp_path) == []


def test_a_lock_that_a_dead_process_left_is_taken(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("1")  # a process that lives, but holds nothing: its number was used again
    with files.locked(lock, FF2LoihiError, "x: busy"):
        assert lock.read_text() == str(os.getpid())
    assert names(tmp_path) == []


@pytest.mark.parametrize("parent", ["absent", "file"])
def test_a_place_where_nothing_can_be_made_is_refused(tmp_path, parent):
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(FF2LoihiError, match=f"cannot write into .*{parent}"):
        write(tmp_path / parent / "made")
    with pytest.raises(FF2LoihiError, match=parent), files.folder_atomic(tmp_path / parent / "made", FF2LoihiError):
        pass
    with pytest.raises(FF2LoihiError, match=parent), files.locked(tmp_path / parent / "made", FF2LoihiError, "busy"):
        pass
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("swept", [1, 3])
def test_a_sweep_between_making_and_locking_is_answered_by_another_try(tmp_path, monkeypatch, swept):
    real, done = files._lock, []

    def lock(handle):
        if len(done) < swept:
            done.append(handle)
            files._sweep(tmp_path)  # another process's, which finds the new file without a lock
        return real(handle)

    monkeypatch.setattr(files, "_lock", lock)
    write(tmp_path / "made")
    assert len(done) == swept
    assert names(tmp_path) == ["made"]
