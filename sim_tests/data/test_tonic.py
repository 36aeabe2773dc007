"""Data sets of tonic, whose stand-in here has its interface: by name, and as a program holds them."""

import sys
import textwrap

import h5py
import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.choices import data_and_count
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data import given
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import parse
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule

STAND_IN = """
    import os
    import numpy as np

    class Base:
        fields = [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)]

        def __init__(self, save_to, samples):
            os.makedirs(os.path.join(save_to, type(self).__name__), exist_ok=True)
            self.samples, self.targets, self.target_transform = samples, [], None

        def __len__(self):
            return self.samples

        def __getitem__(self, k):
            rng = np.random.default_rng(k + 1000 * self.samples)
            events = np.zeros(50, self.fields)
            for field, size in zip(("x", "y", "p"), self.sensor_size):
                if field in events.dtype.names:
                    events[field] = rng.integers(0, size, 50) if size > 1 else 1
            events["t"] = np.sort(rng.integers(0, 90_000, 50))
            return events, (self.target_transform or int)(k % 3)

    class NMNIST(Base):
        sensor_size = (7, 6, 2)

        def __init__(self, save_to, train=True):
            super().__init__(save_to, 30 if train else 9)
            self.targets = [k % 3 for k in range(self.samples)]

    class SHD(Base):  # no y, and a polarity of 1 of one
        sensor_size = (20, 1, 1)
        fields = [("t", np.int64), ("x", np.int16), ("p", np.int16)]

        def __init__(self, save_to, train=True):
            super().__init__(save_to, 30 if train else 9)

    class SSC(SHD):
        def __init__(self, save_to, split="train"):
            super().__init__(save_to, {"train": True, "test": False}[split])

    class Whole(Base):
        sensor_size = (7, 6, 2)

        def __init__(self, save_to):
            super().__init__(save_to, 20)

    class Odd(Base):
        sensor_size = None

        def __init__(self, save_to):
            super().__init__(save_to, 20)

    class Empty(Base):
        sensor_size = (7, 6, 2)

        def __init__(self, save_to):
            super().__init__(save_to, 0)

    class Broken(Base):
        def __init__(self, save_to):
            raise RuntimeError("no network\\nat all")

    class Fetched(Base):
        sensor_size = (7, 6, 2)

        def __init__(self, save_to, train=True):
            super().__init__(save_to, 30 if train else 9)
            self.file = os.path.join(save_to, "Fetched", f"{self.samples}.zip")
            if not os.path.exists(self.file):
                self.download()

        def download(self):
            open(self.file, "w").close()

    class Late(Whole):
        targets = None
        fields = [("x", float), ("y", float), ("t", float), ("p", float)]

        def __init__(self, save_to):
            self.samples, self.target_transform = 20, None

        def __getitem__(self, k):
            events, label = super().__getitem__(k)
            events[self.odd][3] = self.value
            return events, label

        odd, value = "t", np.inf

    class Nowhere(Late):
        odd, value = "x", np.nan

    class Words(Late):
        fields = [("x", int), ("y", int), ("t", "S3"), ("p", int)]

        def __getitem__(self, k):
            return np.zeros(5, self.fields), k % 3

    class Lost(Late):
        def __getitem__(self, k):
            return open("/nowhere/at all")

    class Frames(Whole):
        def __getitem__(self, k):
            return np.zeros((5, 2, 6, 7)), 0
"""


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """The module tonic.datasets of the stand-in; its sets may be made in the data folder, a cache."""
    package = tmp_path / "path" / "tonic"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "datasets.py").write_text(textwrap.dedent(STAND_IN))
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.delenv("FF2LOIHI_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield __import__("tonic.datasets").datasets
    for name in ("tonic", "tonic.datasets"):
        sys.modules.pop(name, None)


def bits(data):
    """(samples, steps, inputs) of a Dataset."""
    rows = data.images.reshape(len(data.images), data.events.steps, -1)
    return np.unpackbits(rows, axis=2, count=data.events.inputs)


def binned(held, k, binning):
    """The same of a sample, event by event."""
    height, width, polarities = binning.sensor
    found = np.zeros((binning.steps, height, width, polarities), np.uint8)
    for event in held[k][0]:
        y = event["y"] if "y" in event.dtype.names else 0
        p = event["p"] if polarities > 1 else 0
        found[int(event["t"] * binning.steps / binning.window), y, event["x"], int(p)] = 1
    return found.reshape(binning.steps, -1)


@pytest.mark.parametrize(("name", "sensor"), [("NMNIST", (6, 7, 2)), ("SHD", (1, 20, 1)), ("SSC", (1, 20, 1))])
def test_a_set_by_its_name_has_the_events_and_labels_that_tonic_gives(sets, tmp_path, name, sensor):
    for split, count in (("train", 30), ("test", 9)):
        data = load_data(f"tonic:{name}", split)
        held = getattr(sets, name)(str(tmp_path), *([split] if name == "SSC" else [split == "train"]))
        assert (data.events.sensor, data.classes, len(data.labels)) == (sensor, 3, count)
        assert data.labels.tolist() == [held[k][1] for k in range(count)]
        assert data.events.window == 1 + max(held[k][0]["t"].max() for k in range(count))
        for k, found in enumerate(bits(data)):
            assert (found == binned(held, k, data.events)).all()
            assert found.sum() > 20
    assert (tmp_path / "home" / ".cache" / "ff2loihi" / name).is_dir()


def test_of_one_set_the_last_fifth_is_the_test_split(sets):
    assert [len(load_data("tonic:Whole", split).labels) for split in ("train", "test")] == [16, 4]


def test_a_set_that_a_program_holds_is_compiled_learned_and_run(sets, tmp_path):
    held, tested = sets.NMNIST(str(tmp_path)), sets.NMNIST(str(tmp_path), train=False)
    found = given.dataset(held, "train", 12, parse("steps=10,denoise=40000"))
    assert (found.events.steps, found.events.denoise, found.labels.tolist()) == (10, 40000, [0, 1, 2] * 4)
    train("ffa-symmetric", given.dataset(held, "train"), epochs=0, widths=(12,)).save(tmp_path / "u.pt")
    program = api.compile(tmp_path / "u.pt", held, LearningOptions())
    assert program.network.events == given.dataset(held, "train").events
    learned = api.learn(program, held, Schedule(epochs=2))
    assert (learned.network.layers[0].weight != program.network.layers[0].weight).any()
    assert len(api.classify(learned, tested).predictions) == 9


def test_labels_are_those_that_a_program_changes_them_to(sets, tmp_path):
    held = sets.NMNIST(str(tmp_path))
    held.target_transform = lambda label: 2 - label
    assert given.dataset(held, "train", 12).labels.tolist() == [2, 1, 0] * 4
    held.target_transform = lambda label: label - 1
    with pytest.raises(DataError, match="the events given: a label is -1. Number the classes from 0"):
        given.dataset(held, "train", 12)


def test_a_name_may_have_a_count():
    assert data_and_count("tonic:SHD:12", "--calibrate") == ("tonic:SHD", 12)
    assert data_and_count("tonic:SHD", "--calibrate") == ("tonic:SHD", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nothing", "tonic.datasets has no Nothing"),
        ("Odd", "a sensor of None, where width, height and polarities are wanted"),
        ("Empty", "no samples"),
        ("Broken", r"not found, or damaged, in .* \(no network at all\)"),
        ("Late", "a sample ends at a time that is no finite number"),
        ("Nowhere", r"sample \d+: an event at x = nan, the sensor has 0\.\.6"),
        ("Words", r"sample 0: .*S3.* of \(5,\), no events with t, x, y and p"),
        ("Lost", r"sample 0: cannot be read \(FileNotFoundError: .*/nowhere/at all'\). Let tonic save"),
        ("Frames", r"sample 0: float64 of \(5, 2, 6, 7\), no events with t, x, y and p"),
    ],
)
def test_what_cannot_be_used_is_one_line(sets, name, said):
    with pytest.raises(DataError, match=f"^tonic:{name}: {said}") as failure:
        load_data(f"tonic:{name}", "test")
    assert "\n" not in str(failure.value)


def test_nothing_is_downloaded_into_a_folder_that_is_named(sets, tmp_path):
    with pytest.raises(DataError, match="tonic:SHD: not found in .*Use --data-root DIR"):
        load_data("tonic:SHD", "train", root=tmp_path)
    sets.SHD(str(tmp_path))
    assert len(load_data("tonic:SHD", "train", root=tmp_path).labels) == 30
    sets.Fetched(str(tmp_path), train=True)
    with pytest.raises(
        DataError, match="tonic:Fetched: not found, or damaged, in .*a part of it is missing, and nothing"
    ):
        load_data("tonic:Fetched", "train", root=tmp_path)
    assert [path.name for path in (tmp_path / "Fetched").iterdir()] == ["30.zip"]
    sets.Fetched(str(tmp_path), train=False)
    assert len(load_data("tonic:Fetched", "test", root=tmp_path).labels) == 9


def test_without_tonic_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(DataError, match=r"tonic:SHD: needs the package tonic, which is under the GPL.*'\.\[tonic\]'"):
        load_data("tonic:SHD", "train")


def test_tonic_itself_gives_the_bits_of_our_reader_where_it_is_installed(tmp_path):
    """tonic 1.7.0 on SHD's files; on N-MNIST's, of which it asks for 10,000, it was held against ours by hand."""
    pytest.importorskip("tonic", reason="tonic is not installed: it is under the GPL, and the tests do not ask for it")
    rng, folder = np.random.default_rng(4), tmp_path / "SHD"
    folder.mkdir()
    for part, samples in (("train", 12), ("test", 6)):
        (folder / f"shd_{part}.h5.zip").write_bytes(b"")  # its name alone is looked for
        with h5py.File(folder / f"shd_{part}.h5", "w") as file:
            for name, kind in (("times", np.float16), ("units", np.uint16)):
                file.create_dataset(f"spikes/{name}", (samples,), h5py.vlen_dtype(kind))
            for k in range(samples):
                file["spikes/times"][k] = np.sort(rng.random(300)).astype(np.float16)
                file["spikes/units"][k] = rng.integers(0, 700, 300).astype(np.uint16)
            file["labels"] = np.arange(samples) % 3
            file["extra/keys"], file["extra/speaker"] = np.array([b"one", b"two", b"three"]), np.zeros(samples, int)
    for split in ("train", "test"):
        theirs = load_data("tonic:SHD", split, root=tmp_path, events=parse("steps=30,parts=5,window=1000000"))
        ours = load_data(str(folder), split, events=parse("steps=30,parts=5,window=1"))
        assert (np.asarray(theirs.images) == np.asarray(ours.images)).all()
        assert (theirs.labels == ours.labels).all()
        assert np.unpackbits(np.asarray(ours.images)).sum() > 1000
