"""What a person sees of a learning network: its rule beside the paper's equations, and its speed."""

from pathlib import Path

from ff2loihi.cli import console
from ff2loihi.cli.layer_table import binned
from ff2loihi.compilers.errors import CheckFailed, in_words
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning.fit import describe
from ff2loihi.compilers.learning.weight_grid import saturated
from ff2loihi.measurement.limit import Limit
from ff2loihi.measurement.speed import LearningSpeedReport


def show_rule(model: Path, program: Program[LearningNetwork]) -> dict:
    """The layers, the rule next to the paper's equations, and the runs that the weights come from."""
    net = program.network
    code = f"{net.input_code}, factor {net.input_factor}/256"
    if net.events:
        code = f"events, {net.events.steps} steps in {net.events.rounds} rounds"
    facts = {
        "kind": "learns on the chip",
        "input": f"{net.pixels} inputs of {code}, {net.label_codes.shape[1]} label inputs",
        "schedule": f"{net.steps} steps a presentation, the last {net.window} learn; period {net.period}",
        **binned(net.events),
        **{key: in_words(value) for key, value in program.provenance.items() if key != "learned" and value},
    }
    layers = [
        (layer.name, f"{layer.weight.shape[1]} -> {layer.weight.shape[0]}", f"{layer.existing.std():.1f}",
         f"{saturated(layer.existing):.2%}")
        for layer in net.layers
    ]  # fmt: skip
    rule = describe(net)
    console.table(model, ("what", "value"), list(facts.items()))
    console.table("layers", ("layer", "shape", "weight spread", "saturated"), layers)
    console.table("the rule (Terres-Escudero 2024)", ("what", "equation", "on the chip"), rule)
    for number, run in enumerate(program.provenance.get("learned", []), 1):
        rows = [
            (entry["epoch"], entry["samples"], f"{entry['learned']:.1%}", _share(entry["online_accuracy"]),
             _share(entry.get("held_out_accuracy")), f"2^-{entry['exponent']}{' halved' * entry['halve']}")
            for entry in run["log"]
        ]  # fmt: skip
        columns = ("epoch", "samples", "learned from", "online accuracy", "held out", "rate")
        console.table(f"run {number}: {run['data']}, seed {run['schedule']['seed']}", columns, rows)
    return {**facts, "layers": layers, "rule": rule, "learned": program.provenance.get("learned", [])}


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _speed(value: float | None, note: str | None) -> str:
    return note or "-" if value is None else f"{value:,.1f}"


def limit_line(limit: Limit, what: str) -> str:
    """What one core could reach, in words."""
    return (
        f"one core's limit: {limit.per_second:,.0f} {what}s a second, of {limit.operations:,.0f} operations at "
        f"{limit.operations_per_second / 1e9:,.1f} G a second and {limit.bytes:,.0f} bytes of weights at "
        f"{limit.bytes_per_second / 1e9:,.1f} GB a second"
    )


def show_speed(model: Path, report: LearningSpeedReport) -> None:
    """Presentations a second; raise CheckFailed where the back ends end with different weights."""
    rows = [
        ("emulator", report.emulator_presentations, f"{report.emulator_per_second:,.0f}", f"{report.ratio:,.0f}"),
        (f"Lava, one process, {report.one_process_ms_per_step:.2f} ms a step", report.lava_presentations,
         f"{report.one_process_per_second:,.1f}", f"{report.one_process_ratio:,.1f}"),
        (f"Lava's own LearningDense, {report.graph_ms_per_step:.2f} ms a step", report.lava_presentations,
         f"{report.graph_per_second:,.2f}", "1"),
        *((other.name, other.presentations or "-", _speed(other.per_second, other.note),
           _speed(other.per_second and other.per_second / report.graph_per_second, None)) for other in report.others),
    ]  # fmt: skip
    columns = ("back end", "presentations", "a second", "ratio")
    console.table(f"{model}: learning, start-up excluded", columns, rows)
    console.say(limit_line(report.limit, "presentation"))
    if not report.equal:
        raise CheckFailed(f"{model}: the back ends end with different weights. See: ff2loihi verify {model}")
