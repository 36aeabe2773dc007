"""The command `learn`: from an artifact and a data set to the learned artifact."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ff2loihi import api
from ff2loihi.backends.select import board_learner
from ff2loihi.choices import name_and_count
from ff2loihi.cli import console
from ff2loihi.cli.events import events
from ff2loihi.cli.live import Picture
from ff2loihi.cli.shared import dataset
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.ir import learns
from ff2loihi.learning.plans import schedule_for
from ff2loihi.learning.run import Hooks, Look

FIELDS_SECONDS = 0.5  # between two looks at the weights


def learn_model(
    model: Path, data, split, limit, data_root, *, plan: str | None, asked: dict, single: bool, rounding, backend: str,
    evaluate: str | None, artifact: Path, state: Path, log: Path, resume: bool, log_dir: Path | None,
    live: bool,
) -> dict:  # fmt: skip
    """Learn, show each epoch, and write the artifact and its log; the files are this process's alone.

    plan, asked, single: see schedule_for. live: draw what is learned, where somebody looks.
    """
    program, live = api.load(model), live and console.draws()
    if backend == "loihi" and learns(program):
        board_learner(program.network)  # where there is no board, it says so before the images are read
    images = dataset(program, data, split, limit, data_root)
    schedule = schedule_for(program, len(images.labels), plan, asked, single)
    held_out = _held_out(program, data, evaluate, data_root)
    lines: list[str] = []

    def write_log(more: list[str]) -> None:
        lines.extend(more)
        write_atomic(log, "".join(f"{line}\n" for line in lines).encode(), FF2LoihiError)

    def epoch(entry: dict) -> None:
        write_log([json.dumps(entry, sort_keys=True)])
        shown = ", ".join(
            f"{words} {entry[key]:.2%}"
            for key, words in (("online_accuracy", "online"), ("held_out_accuracy", "held out"))
            if entry.get(key) is not None
        )
        if board:
            board.numbers(entry["epoch"], _numbers(entry, names))
        if "left_out" in entry:
            shown += f", {entry['left_out']:,} images left out, {entry['spared']:,} presentations spared"
        console.say(f"epoch {entry['epoch']:>3}  learned from {entry['learned']:.1%} of the images  {shown}")

    def resumed(lines: list[str]) -> None:
        write_log(lines)
        if board:
            board.forget(len(lines) + 1)

    def weights(number: int, found: list[np.ndarray]) -> None:
        if board:
            board.weights(number, dict(zip(names, found, strict=True)))

    picture = Picture(images.shape, len(images.labels) * schedule.epochs) if live else None
    look = picture and _look(picture, backend)
    names = [layer.name for layer in program.network.layers]
    with events(log_dir) as board, console.progress(f"learn {images.name}", picture) as show:
        hooks = Hooks(show, epoch, resumed, console.warn, weights if board else None, look)
        learned = api.learn(program, images, schedule, backend, rounding, state, resume, hooks, held_out)
    digest = api.save(learned, artifact)
    state.unlink(missing_ok=True)
    console.say(f"{artifact}  {artifact.stat().st_size:,} bytes  sha256 {digest[:16]}")
    console.next_step("ff2loihi", "run", artifact)
    return {"artifact": str(artifact), "sha256": digest, "backend": backend, **learned.provenance["learned"][-1]}


def _numbers(entry: dict, layers: list[str]) -> dict[str, float]:
    """An epoch's line as curves."""
    accuracy = {"accuracy/online": entry["online_accuracy"], "accuracy/held out": entry.get("held_out_accuracy")}
    saturated = {f"saturated weights/{name}": share for name, share in zip(layers, entry["saturated"], strict=True)}
    known = {name: value for name, value in accuracy.items() if value is not None}
    return {**known, "images learned from": entry["learned"], **saturated}


def _look(picture: Picture, backend: str) -> Look:
    """Tells the picture what there is to draw."""
    drawn = 0.0

    def look(done: int, seen: int, right: int | None, weights: Callable[[], list[np.ndarray]]) -> None:
        nonlocal drawn
        if right is not None:
            picture.score(done, seen, right)
        if backend != "loihi" and time.monotonic() - drawn > FIELDS_SECONDS:  # reading a board's would hold it up
            picture.weights(weights()[0])
            drawn = time.monotonic()

    return look


def _held_out(program, data, evaluate: str | None, root):
    if evaluate is None:
        return None
    split, count = name_and_count(evaluate, "--evaluate")
    return dataset(program, data, split, count, root)
