"""The command `spec`: from a checkpoint's tensors to a drafted spec.yaml."""

import dataclasses
import sys
from pathlib import Path

from ff2loihi.cli import console, outputs
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CheckpointError, FF2LoihiError, brief, together
from ff2loihi.compilers.files import is_stream, write_atomic
from ff2loihi.compilers.frontend.guess import SCALE, SHIFT
from ff2loihi.compilers.frontend.spec import NO_LAYER_NORM
from ff2loihi.compilers.pipeline import Choice, Question, assume


def draft_spec(model: Path, output: Path) -> dict:
    """Draft, asking where somebody can answer, write it, and show what was assumed."""
    somebody = _somebody_answers()
    draft = pipeline.draft_spec(model, _asked if somebody else assume)
    outputs.check_new(output)  # another may have been made while the questions were answered
    write_atomic(output, draft.text.encode(), CheckpointError)
    if not somebody:
        rows = [(question.key, question.choices[0].value, question.choices[0].means) for question in draft.questions]
        console.table("assumed, for names and shapes do not tell it", ("key", "value", "means"), rows)
    for lacking in draft.missing:
        console.warn(f"{output}: to fill in: {lacking}")
    if draft.layer_norms:
        names = together(map(brief, draft.layer_norms), 200)
        console.warn(f"{output}: the tensors of {names} look like a LayerNorm's. {NO_LAYER_NORM}")
    norms = {name + end for name in draft.layer_norms for end in (SCALE, SHIFT)}
    if unplaced := [name for name in draft.unplaced if name not in norms]:
        console.warn(f"{output}: no place found for {together(map(brief, unplaced))}. Does the net need them?")
    if not is_stream(output):
        console.say(f"{output}  then: ff2loihi compile {model} --spec {output} --calibrate DATA")
    questions = [dataclasses.asdict(question) for question in draft.questions]
    return {
        "output": str(output),
        "spec": draft.values,
        "questions": questions,
        "missing": draft.missing,
        "unplaced": draft.unplaced,
    }


def _somebody_answers() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _asked(question: Question) -> Choice:
    """What the person at the terminal chooses: standard output may take the draft, so it gets nothing else."""
    lines = (f"  {number}  {choice.value}  {choice.means}" for number, choice in enumerate(question.choices, 1))
    for line in ("", f"{question.asks} ({question.key})", *lines):
        print(console.plain(line), file=sys.stderr)
    while True:
        print("number [1]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)
            raise FF2LoihiError("standard input ended at a question. Nothing was written")
        number = line.strip() or "1"
        if number in map(str, range(1, len(question.choices) + 1)):
            return question.choices[int(number) - 1]
