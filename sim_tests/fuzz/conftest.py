"""A fuzzer of whatever is read from a file: hostile values in every place of a good file, and bytes flipped and cut.

Each case runs in this process, with what it reads going on to be compiled, run or learned: a fault shows where it is
used. A reader may return, or raise one of our errors, of one line.
"""

import copy
import faulthandler
import os
import reprlib
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SECONDS, ASLEEP = 10, 120  # of CPU that a case may take; and of a clock, for what takes none
MEMORY = 2 << 30  # bytes, beyond what the process has when the test begins
LINE = 500  # characters of an error
FINE = ("done", "refused")
SHOWN = 12  # findings of a kind that a failed test tells


class Hung(BaseException):
    """Not an Exception, which a reader may take for a damaged file."""


@pytest.fixture(params=[200, pytest.param(2000, marks=pytest.mark.slow)])
def fuzz(request, tmp_path, monkeypatch):
    """fuzz(strategy, attempt, share=1) calls attempt(example, folder) that often, and fails with all that it found."""
    folder, work, temporary = (tmp_path / name for name in ("given", "work", "temporary"))
    for made in (folder, work, temporary):
        made.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))

    def left() -> list[str]:
        hidden = [file for file in folder.iterdir() if file.name.startswith(".")]
        return [str(file) for file in (*hidden, *work.iterdir(), *temporary.iterdir())]

    def run(strategy, attempt, share=1.0):
        found, outcomes, first, tried = Counter(), Counter(), {}, 0
        count = round(request.param * share)

        @seed(10)
        @settings(
            max_examples=count, database=None, deadline=None, phases=[Phase.generate], print_blob=False,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def case(example):
            nonlocal tried
            tried += 1
            outcome = _judged(attempt, example, folder)
            outcomes[outcome] += 1
            wrong = [f"left {name}" for name in left()]
            for text in wrong if outcome in FINE else [outcome, *wrong]:
                found[text] += 1
                first.setdefault(text, example)

        with _limited():
            case()
        lines = [f"{n} x {text}, first of {reprlib.repr(first[text])[:300]}" for text, n in found.most_common(SHOWN)]
        assert not found, f"{found.total()} of {tried} cases:\n" + "\n".join(lines)
        assert tried >= count
        assert all(outcomes[fine] for fine in FINE), f"nothing is tried: {outcomes}"

    with _watched():
        yield run


class _limited:
    """At most MEMORY more of address space and of memory than now."""

    def __enter__(self):
        self.before, self.peak = resource.getrlimit(resource.RLIMIT_AS), _peak()
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.before)
        assert _peak() - self.peak < MEMORY


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _watched:
    """A case that takes more than SECONDS of CPU is interrupted by Hung."""

    def __enter__(self):
        def hung(*_):
            raise Hung

        self.before = signal.signal(signal.SIGPROF, hung)

    def __exit__(self, *_):
        signal.signal(signal.SIGPROF, self.before)


def _judged(attempt, example, folder: Path) -> str:
    """Whether an attempt was done or refused, or what is wrong with it."""
    from ff2loihi.compilers.errors import FF2LoihiError

    faulthandler.dump_traceback_later(ASLEEP, exit=True, file=sys.__stderr__)
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            attempt(example, folder)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except FF2LoihiError as error:
        text = str(error)
        if len(text) > LINE or len(text.splitlines()) != 1:
            return f"an error of {len(text)} characters, {len(text.splitlines())} lines: {text[:100]}"
        return "refused"
    except Hung as error:
        return f"more than {SECONDS} s, {_place(error)}"
    except Exception as error:  # each is a traceback that a user would see
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}, {_place(error)}"
    finally:
        faulthandler.cancel_dump_traceback_later()
    return "done"


def _place(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(ROOT))]
    ours = [f for f in frames if "sim_tests" not in f.filename and ".venv" not in f.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno} {frame.line}"


def _nest(depth: int) -> list:
    found = []
    for _ in range(depth):
        found = [found]
    return found


HOSTILE = (
    -1, 0, 1, 2, 127, 128, 256, 10**9, 2**31, 2**63, 2**64, -(2**63), 0.5, -0.5, 1e-300, 1e308, -1e308, float("nan"),
    float("inf"), -float("inf"), "", "x", "x" * 5000, "a\nb", "\x1b[31m", "../../x", "/tmp/x", "[/red]", "ü\u2028",
    "\ud800", "\0", [], {}, None, True, False, [[]], [0], [-1, 2.5], [1] * 100, [None], {"a": 1}, {"": []}, _nest(15),
    _nest(300),
)  # fmt: skip
NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DTYPES = ("float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool", "complex64")


def _paths(tree: object, path: tuple = ()):
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree if isinstance(tree, list) else ()):
        yield from _paths(value, (*path, key))


def _tree_changes(tree: object, values: tuple = HOSTILE):
    """One change of lists and dicts in each other, or up to three: (path, what, value) each."""
    what = st.sampled_from(("set", "near", "drop", "add", "double", "reverse"))
    some = st.one_of(st.sampled_from(values), st.integers(), st.floats(), st.text(max_size=20), NESTED)
    one = st.tuples(st.sampled_from([path for path in _paths(tree) if path]), what, some)
    return _some(one, 3)


def _some(one, most: int):
    """A list of one example, mostly; more of them hide what each does."""
    return _weighted((3, st.lists(one, min_size=1, max_size=1)), (1, st.lists(one, min_size=2, max_size=most)))


def _weighted(*choices):
    """One of the strategies, each as often as its number says."""
    return st.sampled_from([one for weight, one in choices for _ in range(weight)]).flatmap(lambda one: one)


def _changed_tree(tree: object, changes: list) -> object:
    """A changed copy; a change of what an earlier one took away is left out."""
    tree, texts = copy.deepcopy(tree), sorted({leaf for leaf in _leaves(tree) if isinstance(leaf, str)})
    for path, what, value in changes:
        holder = tree
        try:
            for key in path[:-1]:
                holder = holder[key]
            present = holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        if not isinstance(holder, dict | list):  # a text, which an earlier change set
            continue
        if what == "drop":
            del holder[path[-1]]
        elif what == "near":
            holder[path[-1]] = _near(present, reprlib.repr(value), texts)
        elif what == "add" and isinstance(present, dict):
            present[reprlib.repr(value)[:50]] = value
        elif what == "add" and isinstance(present, list):
            present.append(value)
        elif what == "double" and isinstance(present, list):
            present.extend(copy.deepcopy(present))
        elif what == "reverse" and isinstance(present, list):
            present.reverse()
        else:
            holder[path[-1]] = copy.deepcopy(value) if isinstance(value, dict | list) else value
    return tree


def _leaves(tree: object):
    if isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(value)
    else:
        yield tree


def _near(value: object, choice: str, texts: list[str]) -> object:
    """Another value that may pass in its place: the next number, half or twice as much, another text of the tree."""
    number = sum(choice.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return (value + 1, value - 1, value * 2, value // 2, value + 7, value * 100)[number % 6]
    if isinstance(value, str):
        return texts[number % len(texts)]
    if isinstance(value, list) and value:
        return value[: number % len(value)] or value[:1] * 2
    return value


def _array_changes(names: list[str]):
    """Up to two changes of named arrays: (name, what, a number, a dtype) each."""
    whats = ("dtype", "flat", "thin", "empty", "short", "twice", "turned", "single", "drop", "copy", "one", "fill")
    numbers = st.integers(0, 10**6)
    one = st.tuples(st.sampled_from(names), st.sampled_from(whats), numbers, st.sampled_from(DTYPES))
    return _some(one, 2)


def _changed_arrays(arrays: dict[str, np.ndarray], changes: list) -> dict[str, np.ndarray]:
    arrays = dict(arrays)
    for name, what, number, dtype in changes:
        if name not in arrays:
            continue
        if what == "drop":
            del arrays[name]
        elif what == "copy":
            arrays[f"{name}.more"] = arrays[name]
        else:
            arrays[name] = np.array(_changed_array(arrays[name], what, number, dtype), order="C")
    return arrays


def _changed_array(a: np.ndarray, what: str, number: int, dtype: str) -> np.ndarray:
    if what == "dtype":
        with np.errstate(all="ignore"):
            return (a.real if np.iscomplexobj(a) else a).astype(dtype)
    if what in ("one", "fill") and a.size:
        a = a.copy()
        extremes = _extremes(a.dtype)
        a.flat[number % a.size if what == "one" else slice(None)] = extremes[number % len(extremes)]
        return a
    forms = {
        "flat": a.reshape(-1), "thin": a[..., None], "empty": a[:0] if a.ndim else a, "short": a[:-1] if a.ndim else a,
        "twice": np.concatenate([a, a]) if a.ndim else a, "turned": a.T,
        "single": a.reshape(-1)[:1].reshape(()) if a.size else a,
    }  # fmt: skip
    return forms.get(what, a)


def _extremes(dtype: np.dtype) -> list:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return [info.min, info.max, 0, 1, info.max // 2, max(info.min, -1), min(info.max, 300)]
    if dtype.kind in "fc":
        return [float("nan"), float("inf"), -float("inf"), 0, -1, 1e30, 1e-40]
    return [False, True]


def _byte_changes():
    """Up to four changes of a file's bytes: (what, a place as a share, a number) each."""
    whats = ("flip", "flip", "byte", "long", "cut", "insert", "remove", "move")
    place = st.one_of(st.integers(0, 10**6), st.integers(0, 2000))  # headers are small, and at the beginning
    one = st.tuples(st.sampled_from(whats), place, st.integers(0, 2**32 - 1))
    return _some(one, 4)


def _changed_bytes(data: bytes, changes: list) -> bytes:
    changed = bytearray(data)
    for what, place, number in changes:
        if not changed:
            break
        at = place % len(changed)
        if what == "flip":
            changed[at] ^= 1 << number % 8
        elif what == "byte":
            changed[at] = number % 256
        elif what == "long":
            longs = (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 10**12)
            changed[at : at + 8] = longs[number % len(longs)].to_bytes(8, "little")
        elif what == "cut":
            del changed[at:]
        elif what == "insert":
            changed[at:at] = (b"\0", b"[" * 5000, b"\xff" * 100, b"\n", b"{", b'"')[number % 6]
        elif what == "remove":
            del changed[at : at + number % 40]
        else:
            changed[at:at] = changed[: number % 200]
    return bytes(changed)


@pytest.fixture(scope="session")
def change():
    """What can be done to a good file: strategies, and what applies an example of one."""
    return SimpleNamespace(
        tree=_tree_changes, in_tree=_changed_tree, arrays=_array_changes, in_arrays=_changed_arrays,
        bytes=_byte_changes, in_bytes=_changed_bytes, hostile=HOSTILE, some=_some, weighted=_weighted,
    )  # fmt: skip


# The good files: of tiny networks, one of each kind.

SIGNS = [{"weight": "a", "polarity": "half"}, {"weight": "b", "polarity": "half"}]
DENSE = {"pixels": 12, "label": {"kind": "append", "classes": 3}, "layers": SIGNS, "probability": {"kind": "symmetric"}}
SPECS = {
    "dense": DENSE,
    "one": DENSE | {"layers": SIGNS[:1], "probability": {"kind": "sigmoid", "theta": 1.0}},
    "norm": DENSE | {"layers": [SIGNS[0] | {"bias": "c"}, SIGNS[1]], "normalization": "l2"},
    "labelled": DENSE | {
        "layers": [{"weight": "a"}, {"weight": "a2", "label": "append"}, {"weight": "u", "label": "u2"}],
        "probability": {"kind": "contrast"},
    },
    "spiking": DENSE | {"neuron": {"kind": "lif", "steps": 8}},
    "head": {
        "pixels": 12, "label": {"kind": "none", "classes": 3}, "layers": [{"weight": "w"}],
        "readout": {"kind": "head", "layers": [0], "head": {"weights": ["h"], "bias": "d"}},
    },
    "conv": {
        "pixels": 16, "image": [1, 4, 4], "label": {"kind": "none", "classes": 2}, "readout": {"kind": "channels"},
        "layers": [
            {"weight": "k", "bias": "e", "conv": {"padding": 1}}, {"weight": "l", "conv": {"stride": 2, "groups": 2}},
        ],
    },
    "pool": {
        "pixels": 16, "image": [1, 4, 4], "label": {"kind": "none", "classes": 2}, "readout": {"kind": "channels"},
        "layers": [
            {"weight": "k", "conv": {"padding": 1}, "batch_norm": "n", "pool": {"kind": "max", "stride": 1}},
            {"weight": "k2", "conv": {"dilation": 2}, "pool": {"kind": "average", "size": "global"}},
        ],
    },
}  # fmt: skip
SHAPES = {
    "a": (12, 15), "b": (6, 12), "c": (12,), "w": (8, 12), "h": (3, 8), "d": (3,), "k": (4, 1, 3, 3), "e": (4,),
    "l": (4, 2, 2, 2), "k2": (4, 4, 2, 2), "n.running_mean": (4,), "n.running_var": (4,), "n.weight": (4,),
    "a2": (6, 15), "u": (5, 6), "u2": (5, 3),
}  # fmt: skip


@pytest.fixture(scope="session")
def tensors():
    """Every tensor that the specs name, as torch's."""
    import torch

    made = torch.Generator().manual_seed(1)
    found = {name: torch.randn(shape, generator=made) for name, shape in SHAPES.items()}
    return {name: tensor.abs() if name.endswith("_var") else tensor for name, tensor in found.items()}


@pytest.fixture(scope="session")
def specs() -> dict[str, dict]:
    """The specs of tiny networks, by name."""
    return copy.deepcopy(SPECS)


@pytest.fixture(scope="session")
def samples():
    """samples(pixels, count=24) -> a Dataset of random images, with the labels 0 and 1."""
    from ff2loihi.data.datasets import Dataset

    def make(pixels: int, count: int = 24):
        images = np.random.default_rng(0).integers(0, 256, (count, min(pixels, 10**5)))
        return Dataset("random", "train", images.astype(np.uint8), np.arange(count) % 2, 2)

    return make


@pytest.fixture(scope="session")
def compiled(specs, tensors, samples, tmp_path_factory):
    """compiled(checkpoint file, spec file or None, options) -> a Program."""
    from ff2loihi import api
    from ff2loihi.compilers import pipeline
    from ff2loihi.compilers.frontend import network

    def make(path: Path, spec: Path | None = None, options=None):
        checkpoint = pipeline.load_checkpoint(path, spec)
        network.build(checkpoint)
        return api.compile(checkpoint, samples(checkpoint.spec.pixels), options)

    return make


@pytest.fixture(scope="session")
def used(samples):
    """used(program): it is run, with its states, and learned, each on a sample or two; and written again."""
    from ff2loihi import api
    from ff2loihi.backends.emulator.inference import Emulator
    from ff2loihi.compilers import artifact
    from ff2loihi.compilers.ir import LearningNetwork

    def use(program):
        shown = samples(program.network.pixels, 2)
        Emulator().run(program, shown.images)
        Emulator().run(program, shown.images, states=True)
        if isinstance(program.network, LearningNetwork):
            program = api.learn(program, shown, api.Schedule(epochs=1, margin=None))
        artifact.to_bytes(program)

    return use


@pytest.fixture(scope="session")
def programs(specs, tensors, compiled, used, tmp_path_factory):
    """A Program of each kind, by name; used once, so that its kernels are compiled before a case is timed."""
    import torch

    from ff2loihi.compilers.pipeline import LearningOptions, Options

    kinds = {
        "graded": ("norm", Options(), 1), "head": ("head", Options(), 1), "conv": ("conv", Options(), 1),
        "pool": ("pool", Options(), 1), "spiking pool": ("pool", Options(neuron="lif", steps=4, vth=40), 1),
        "soft": ("dense", Options(neuron="lif", steps=5, vth=40), 1),
        "labelled": ("labelled", Options(), 1),
        "labelled soft": ("labelled", Options(neuron="lif", steps=5, vth=40), 1),
        "hard": ("conv", Options(neuron="lif", reset="hard", steps=4, vth=40), 1),
        "rule": ("dense", LearningOptions(), 0), "spiking": ("spiking", LearningOptions(), 1),
        "tag": ("dense", LearningOptions(eligibility="tag", trace="hard-li"), 0),
        "library": ("one", LearningOptions(library=True), 0),
    }  # fmt: skip
    path, found = tmp_path_factory.mktemp("good") / "m.pt", {}
    for name, (spec, options, epochs) in kinds.items():
        torch.save(ours(specs[spec], tensors, epochs), path)
        found[name] = compiled(path, None, options)
        used(found[name])
    return found


def ours(spec: dict, tensors: dict, epochs: int = 1) -> dict:
    """A checkpoint's content as ff2loihi train writes it."""
    return {
        "format": "ff2loihi-checkpoint", "version": 1, "spec": spec, "tensors": tensors,
        "training": {"data": "random", "epochs": epochs},
    }  # fmt: skip


@pytest.fixture(scope="session")
def content(specs, tensors):
    """content(name) -> that network's checkpoint of ours."""
    return lambda name: ours(copy.deepcopy(specs[name]), dict(tensors))


@pytest.fixture(scope="session")
def hashed():
    """hashed(manifest, tensors) -> the manifest with the artifact's hash of both."""
    from ff2loihi.compilers import artifact

    def make(manifest: object, tensors: dict) -> object:
        return {**manifest, "sha256": artifact.digest(manifest, tensors)} if isinstance(manifest, dict) else manifest

    return make
