"""The command `estimate`: energy and time of a sample on a board, from the events that the emulator counted."""

import dataclasses
from pathlib import Path

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.cli import console
from ff2loihi.cli.commands.map import say_form
from ff2loihi.cli.shared import dataset, waits_for
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.errors import CompileError
from ff2loihi.deployment.mapping import design
from ff2loihi.measurement.activity import counts
from ff2loihi.measurement.estimates import activities, on_board
from ff2loihi.reports.accuracy import accuracy_report
from ff2loihi.reports.energy import Estimate
from ff2loihi.reports.events import Counts
from ff2loihi.reports.neurobench import neurobench
from ff2loihi.reports.published import MNIST, TABLE_SOURCE

MNIST_NAME = "mnist"


def estimate_model(model: Path, data, split, limit, board, chips, form: BoardForm, share: bool, data_root) -> dict:
    """Run some samples, and show the bands of each way to use the network, next to published measurements."""
    program = api.load(model)
    images = dataset(program, data, split, limit, data_root)
    found = design(program, board, load_table(chips), form, share)
    if found.mapping is None or found.mapping.chips > found.board.count:
        raise CompileError(
            f"{model}: {found.board.name} cannot hold the network. See: ff2loihi map {model} --board {found.board.name}"
        )
    with console.progress("emulator, events counted", waits=waits_for(program)) as show:
        trace = Emulator().run(program, images.images, progress=show)
    accuracy = accuracy_report(program.network, trace, images.labels).accuracy
    say_form(found)
    plain, modes = activities(program, images, trace, found.form)
    sums = {mode: counts(activity, found.mapping) for mode, activity in modes.items()}
    estimates = {mode: on_board(each, found) for mode, each in sums.items()}
    for mode, one in estimates.items():
        _show(f"{model} on {found.board.name}, {mode}: ESTIMATED, a sample of {images.name}", one, sums[mode])
    rate = images.spikes(len(images.labels))
    if images.events:
        console.say(f"a sample of {images.name} has {rate:,.1f} spikes in {images.events.steps} steps, shown once")
    if images.name == MNIST_NAME:
        _show_published(program.network, estimates, f"{100 * accuracy:.1f} ({len(images.labels):,} images)")
    return {
        "estimated": True,
        "data": images.name,
        "split": split,
        "samples": len(images.labels),
        **({} if rate is None else {"input_spikes": rate}),
        "board": found.board.name,
        "form": found.form,
        "reason": found.reason,
        "chips": found.mapping.chips,
        "cores": len(found.mapping.cores),
        "events": {mode: dataclasses.asdict(each) for mode, each in sums.items()},
        "estimates": {mode: dataclasses.asdict(one) for mode, one in estimates.items()},
        "neurobench": neurobench(program.network, plain, accuracy),
        "published": {"source": TABLE_SOURCE, "rows": [dataclasses.asdict(row) for row in MNIST]},
    }


def _show(title: str, one: Estimate, counted: Counts) -> None:
    rows = [
        (row.what, row.part, row.kind, f"{row.low:.3g}", f"{row.high:.3g}", row.unit, row.certainty) for row in one.rows
    ]
    console.table(title, ("what", "of", "kind", "low", "high", "unit", "certainty"), rows)
    least, most = counted.synaptic_ops  # without and with the weights that are 0
    console.say(
        f"counted: {counted.spikes:,.0f} spikes, {least:,.0f} to {most:,.0f} synaptic operations and "
        f"{counted.neuron_updates:,.0f} neuron updates in {counted.steps:,.0f} steps"
    )
    low, high = one.step_us
    console.say(f"a step takes {low:.3g} to {high:.3g} us; traffic with the host is not counted")


def _show_published(network, estimates: dict[str, Estimate], accuracy: str) -> None:
    """Our bands of the chip, dynamic and static, above what others measured."""
    widths = (("CNN" if layer.conv else layer.neurons) for layer in network.layers)
    shape = "-".join(map(str, (network.inputs, *widths)))
    ours = [
        ("ours, ESTIMATE", mode, shape, _band(one, "chip"), _band(one, "time"),
         accuracy if mode == "inference" else "-")
        for mode, one in estimates.items()
    ]  # fmt: skip
    theirs = [
        (f"{row.publication}, {row.hardware}", row.mode, row.network, f"{row.mj:.3g}",
         "-" if row.ms is None else f"{row.ms:g}", f"{row.accuracy:g}")
        for row in MNIST
    ]  # fmt: skip
    console.table(
        f"MNIST, ours estimated (chip: dynamic and static), others as published: {TABLE_SOURCE}",
        ("what", "mode", "network", "mJ a sample", "ms a sample", "accuracy %"),
        [*ours, *theirs],
    )


def _band(one: Estimate, what: str) -> str:
    low, high = one.band(what)
    return f"{low:.2g} to {high:.2g}"
