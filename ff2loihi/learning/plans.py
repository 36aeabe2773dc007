"""The plans of a run: schedules that fit what an artifact is."""

from dataclasses import replace

from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.ir import AnyProgram
from ff2loihi.learning.controller import ADAPT, CONTINUE, Schedule

SMALL, SMALL_EPOCHS = 10_000, 20  # samples below which an epoch is short, and how many of them are run then
PLANS = {"scratch": Schedule(), "continue": CONTINUE, "adapt": ADAPT}


def schedule_for(program: AnyProgram, samples: int, plan: str | None, asked: dict, single: bool) -> Schedule:
    """The plan's schedule with what was asked for in place of its defaults. plan None: what fits the artifact."""
    trained = program.provenance.get("options", {}).get("start") == "trained"
    if plan is None:
        plan = "adapt" if trained else "continue" if program.provenance.get("learned") else "scratch"
    if single and asked["margin"] is not None:
        raise FF2LoihiError("--margin has no meaning with --single")
    schedule = PLANS[plan]
    if plan == "scratch" and samples < SMALL:
        schedule = replace(schedule, epochs=SMALL_EPOCHS)
    schedule = replace(schedule, **{name: value for name, value in asked.items() if value is not None})
    return replace(schedule, margin=None) if single else schedule
