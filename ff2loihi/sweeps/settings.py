"""The options of one trial, by section, and which of them have a meaning in it."""

from dataclasses import fields
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from ff2loihi import choices
from ff2loihi.compilers import choices as compile_choices
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.compilers.ir.options import Strict
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.learning.controller import REVISIT_MAX
from ff2loihi.processes.limits import (
    MAX_STEPS,
    MIN_STEPS,
    MIN_WEIGHT_BITS,
    RATE_EXPONENT_MAX,
    VTH_MAX,
    WEIGHT_BITS,
)

SPIKING = {"steps", "reset", "vth"}  # of Options: they mean something for --neuron lif alone


def _on_or_off(value: object) -> object:
    """YAML reads a bare on and off as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _joined(value: object) -> object:
    """YAML reads the width of a single layer as a number."""
    return str(value) if type(value) is int else value


class _Section(Strict):
    """A command's options, by their names and with their defaults; no text is taken for a number."""

    model_config = ConfigDict(strict=True)


class Train(_Section):
    """As `ff2loihi train`, on the training images without the last ones; data: DATA[:N] takes the first N of them."""

    recipe: choices.Recipe = "ffa-symmetric"
    data: str = "digits"
    widths: Annotated[str, BeforeValidator(_joined), Field(pattern="^[1-9][0-9]*(-[1-9][0-9]*)*$")] | None = None
    epochs: Annotated[int, Field(ge=0)] | None = None
    head: bool = False
    bias: bool = False
    quick: bool = False


class Compile(_Section):
    """As `ff2loihi compile`, calibrated on the first images that the net was trained on."""

    learning: Annotated[choices.Learning, BeforeValidator(_on_or_off)] = "off"
    neuron: compile_choices.NeuronKind = "graded"
    weight_bits: Annotated[int, Field(ge=MIN_WEIGHT_BITS, le=WEIGHT_BITS)] = 8
    steps: Annotated[int, Field(ge=MIN_STEPS, le=MAX_STEPS)] = 16
    reset: compile_choices.Reset = "soft"
    vth: Annotated[int, Field(ge=1, le=VTH_MAX)] | None = None
    trace: compile_choices.TraceKind = "relu"
    eligibility: compile_choices.Eligibility = "none"
    rate_exponent: Annotated[int, Field(le=RATE_EXPONENT_MAX)] | None = None
    input_factor: Annotated[int, Field(ge=1, le=256)] | None = None
    input_code: compile_choices.InputCode = "pixels"
    curve: compile_choices.Curve | None = None
    field: Annotated[str, BeforeValidator(_joined), Field(pattern="^[1-9][0-9]*(,[1-9][0-9]*)?$")] | None = None

    @property
    def options(self) -> Options | LearningOptions:
        """What api.compile takes."""
        if self.learning == "off":
            return Options(**self.model_dump(include=_names(Options)))
        given = self.model_dump(include=_names(LearningOptions) - {"field"})
        sizes = () if self.field is None else tuple(map(int, self.field.split(",")))
        return LearningOptions(**given, field=sizes, library=self.learning == "library")


class Learn(_Section):
    """As `ff2loihi learn`, on the images that the net was trained on."""

    plan: choices.Plan | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    negatives: choices.Negatives | None = None
    margin: Annotated[float, Field(ge=-1, le=1)] | None = None
    single: bool = False
    jitter: Annotated[int, Field(ge=0)] | None = None
    revisit: Annotated[int, Field(ge=0, le=REVISIT_MAX)] | None = None
    rounding: choices.Rounding = "lava"


class Settings(Strict):
    """All options of a trial. learn: None where nothing is learned; seed: of training and learning."""

    train: Train = Train()
    compile: Compile = Compile()
    learn: Learn | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0


Key = tuple[str, str]  # a section and an option; ("seed", "") is the seed
SECTIONS: dict[str, type[_Section]] = {"train": Train, "compile": Compile, "learn": Learn}
DECIDING = (("compile", "learning"), ("compile", "neuron"))  # on which it depends what else means something


def without_idle(settings: Settings) -> tuple[Settings, set[Key]]:
    """The settings with the default of each option that means nothing beside the others, and which ones these are."""
    one = settings.compile
    learns = one.learning != "off"
    names = _names(Options) if learns else _names(LearningOptions) | (SPIKING if one.neuron == "graded" else set())
    idle = {("compile", name) for name in names}
    kept = Compile(**one.model_dump(exclude=names))
    if not learns:
        idle |= {("learn", name) for name in Learn.model_fields}
    return settings.model_copy(update={"compile": kept, "learn": settings.learn if learns else None}), idle


def _names(options: type[Options] | type[LearningOptions]) -> set[str]:
    return {field.name for field in fields(options)} - {"library"}
