"""The command `learn`: from an artifact and a data set to the learned artifact."""

import json
from dataclasses import replace
from pathlib import Path

from ff2loihi import api, console
from ff2loihi.commands.shared import dataset, folder_is_writable
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.ir import Program
from ff2loihi.learning.controller import ADAPT, CONTINUE, Schedule
from ff2loihi.learning.run import Hooks

SMALL, SMALL_EPOCHS = 10_000, 20  # samples below which an epoch is short, and how many of them are run then
PLANS = {"scratch": Schedule(), "continue": CONTINUE, "adapt": ADAPT}


def schedule_for(program: Program, samples: int, plan: str | None, wanted: dict, single: bool) -> Schedule:
    """The plan's schedule with what was asked for in place of its defaults. plan None: what fits the artifact."""
    trained = program.provenance.get("options", {}).get("start") == "trained"
    if plan is None:
        plan = "adapt" if trained else "continue" if program.provenance.get("learned") else "scratch"
    if plan not in PLANS:
        raise FF2LoihiError(f"--plan must be one of {', '.join(PLANS)}, got {plan!r}")
    if single and wanted["margin"] is not None:
        raise FF2LoihiError("--margin has no meaning with --single")
    schedule = PLANS[plan]
    if plan == "scratch" and samples < SMALL:
        schedule = replace(schedule, epochs=SMALL_EPOCHS)
    schedule = replace(schedule, **{name: value for name, value in wanted.items() if value is not None})
    return replace(schedule, margin=None) if single else schedule


def learn_model(model: Path, data, split, limit, choice, place, evaluate, output, resume, data_root) -> dict:
    """Learn, show each epoch, write OUTPUT and its .jsonl log; OUTPUT.run holds an unfinished run's state."""
    output = output or model.with_name(f"{model.stem}-learned.ffl")
    folder_is_writable(output)
    state, log = output.with_name(output.name + ".run"), output.with_suffix(".jsonl")
    if state.exists() and not resume:
        raise FF2LoihiError(
            f"{state}: an unfinished run is kept there. Use --resume to continue it, or remove the file"
        )
    program = api.load(model)
    images = dataset(program, data, split, limit, data_root)
    schedule = schedule_for(program, len(images.labels), *choice)
    held_out = _held_out(program, data, evaluate, data_root)
    lines: list[str] = []

    def epoch(entry: dict) -> None:
        lines.append(json.dumps(entry, sort_keys=True))
        write_atomic(log, ("\n".join(lines) + "\n").encode(), FF2LoihiError)
        shown = ", ".join(
            f"{words} {entry[key]:.2%}"
            for key, words in (("online_accuracy", "online"), ("held_out_accuracy", "held out"))
            if entry.get(key) is not None
        )
        console.out.print(f"epoch {entry['epoch']:>3}  learned from {entry['learned']:.1%} of the images  {shown}")

    with console.progress(f"learn {images.name}") as show:
        hooks = Hooks(progress=show, epoch=epoch, resumed=lines.extend, warn=console.warn)
        rounding, backend = place
        learned = api.learn(program, images, schedule, backend, rounding, state, resume, hooks, held_out)
    digest = api.save(learned, output)
    state.unlink(missing_ok=True)
    console.out.print(f"{output}  {output.stat().st_size:,} bytes  sha256 {digest[:16]}")
    return {"artifact": str(output), "sha256": digest, "backend": backend, **learned.provenance["learned"][-1]}


def _held_out(program, data, evaluate: str | None, root):
    if evaluate is None:
        return None
    split, count = api.name_and_count(evaluate, "--evaluate")
    return dataset(program, data, split, count, root)
