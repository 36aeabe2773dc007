"""The commands that make a model again, from what its file says of itself."""

import shlex
from pathlib import Path

from ff2loihi.compilers.frontend import network as frontend
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import AnyProgram, learns
from ff2loihi.data.events.options import text_of
from ff2loihi.learning.plans import PLANS


def commands(name: str, source: Checkpoint | AnyProgram) -> list[str]:
    """Shell lines, each of `ff2loihi`. No file says whether it learned with --rounding chip: these do not."""
    if isinstance(source, Checkpoint):
        return [shlex.join(_train(name, source))] if source.training.get("recipe") else []
    checkpoint, runs = source.provenance.get("checkpoint", {}), source.provenance.get("learned", [])
    if not checkpoint:
        return []
    between = [f"{Path(name).stem}-{number}.ffl" for number in range(len(runs))]
    files = [*between, name]
    lines = [_compile(checkpoint["name"], files[0], source)]
    for run, before, after in zip(runs, files, files[1:], strict=False):
        lines.append(_learn(run, before, after))
    return [shlex.join(line) for line in lines]


def _train(name: str, checkpoint: Checkpoint) -> list[str]:
    from ff2loihi.ff.recipes import RECIPES  # and with it torch, which has read the checkpoint

    facts, net = checkpoint.training, frontend.build(checkpoint)
    recipe = RECIPES.get(facts["recipe"])
    choices = recipe.choices if recipe else frozenset()
    line = ["ff2loihi", "train", "--recipe", facts["recipe"], "--data", str(facts.get("data"))]
    if "widths" in choices:
        line += ["--widths", "-".join(str(layer.neurons) for layer in net.layers)]
    for option in ("epochs", "seed"):
        if option in facts:
            line += [f"--{option}", str(facts[option])]
    if "head" in choices and net.head:
        line.append("--head")
    if "bias" in choices and net.layers[0].bias is not None:
        line.append("--bias")
    if facts.get("field"):
        line += ["--field", ",".join(map(str, facts["field"]))]
    return [*line, "-o", name]


def _compile(checkpoint: str, output: str, program: AnyProgram) -> list[str]:
    options, calibration = dict(program.provenance.get("options", {})), program.provenance.get("calibration", {})
    line = ["ff2loihi", "compile", checkpoint]
    if "spec" in program.provenance:
        line += ["--spec", program.provenance["spec"]["name"]]
    if learns(program):
        options.pop("start", None)  # the checkpoint's own
    for option, value in options.items():
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            line += [f"--{option.replace('_', '-')}", text]
    if program.network.events:  # maybe not as the checkpoint has it
        line += ["--events", text_of(program.network.events)]
    if calibration.get("data"):
        line += ["--calibrate", f"{calibration['data']}:{calibration['images']}"]
    return [*line, "-o", output]


def _learn(run: dict, before: str, after: str) -> list[str]:
    schedule, (data, _, split) = run["schedule"], run["data"].rpartition(" ")
    plan = next((name for name, one in PLANS.items() if list(one.rates) == list(schedule["rates"])), None)
    line = ["ff2loihi", "learn", before, "--data", data, "--split", split]
    line += ["--plan", plan] if plan else []
    for option in ("epochs", "negatives", "margin", "jitter", "revisit", "seed"):
        if schedule.get(option) is not None:
            line += [f"--{option}", str(schedule[option])]
    if schedule["margin"] is None and plan != "adapt":
        line.append("--single")
    if run["log"]:
        line += ["--limit", str(run["log"][0]["samples"])]
    return [*line, "-o", after]
