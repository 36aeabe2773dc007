"""The commands that take an artifact and leave it as it is: run, verify, inspect, bench."""

import dataclasses
from pathlib import Path

from ff2loihi import api
from ff2loihi.backends.base import Trace
from ff2loihi.cli import console, kinds
from ff2loihi.cli.inputs import is_artifact
from ff2loihi.cli.kinds import PREDICTIONS_HEAD
from ff2loihi.cli.layer_table import binned, show_layers
from ff2loihi.cli.learning_tables import limit_line, show_rule, show_speed
from ff2loihi.cli.shared import dataset, waits_for
from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import CheckFailed, FF2LoihiError, in_words
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import AnyProgram, learns
from ff2loihi.compilers.pipeline import peek
from ff2loihi.data.datasets import UNKNOWN, Dataset
from ff2loihi.measurement import history
from ff2loihi.measurement.speed import LearningSpeedReport, SpeedReport
from ff2loihi.reports.accuracy import accuracy_report


def run_model(
    model, data, split, limit, backend, device, data_root, predictions: Path | None, presentations, workers
) -> dict:
    """Classify and show one table; write the predictions where a file is named."""
    program = api.load(model)
    images = dataset(program, data, split, limit, data_root, unlabelled=predictions is not None)
    place = api.backend(backend, device, workers)
    with console.progress(f"run on {backend}", waits=waits_for(program, backend)) as show:
        trace = api.classify(program, images, place, show, presentations)
    if predictions is not None:
        write_atomic(predictions, _csv(images, trace).encode(), FF2LoihiError)
    if not images.classes:
        console.say(f"{model} on {images.name}, {trace.backend}: {len(images.labels):,} images, {trace.seconds:.2f} s")
        return {"backend": trace.backend, "samples": len(images.labels), "accuracy": None, "seconds": trace.seconds}
    report = accuracy_report(program.network, trace, images.labels)
    console.table(
        f"{model} on {images.name} {split}",
        ("back end", "samples", "accuracy", "seconds", "samples/s"),
        [
            (
                report.backend, report.samples, f"{report.accuracy:.2%} +- {report.standard_error:.2%}",
                f"{report.seconds:.2f}", f"{report.samples_per_second:,.0f}",
            )
        ],
    )  # fmt: skip
    spikes = ["not counted"] * len(report.layers) if report.spikes is None else [f"{x:.1f}" for x in report.spikes]
    pairs = list(zip(report.layers, spikes, strict=True))
    if report.goodness_true is None or report.goodness_wrong is None:
        console.table("layers", ("layer", "spikes a pass"), pairs)
    else:
        probability = program.network.probability if learns(program) else program.network.probability.kind
        what = "P" if probability == "symmetric" else "goodness"
        rows = [
            (name, spikes, f"{true:.4g}", f"{wrong:.4g}")
            for (name, spikes), true, wrong in zip(pairs, report.goodness_true, report.goodness_wrong, strict=True)
        ]
        console.table("layers", ("layer", "spikes a pass", f"{what}, true label", f"{what}, wrong labels"), rows)
    return dataclasses.asdict(report)


def _csv(images: Dataset, trace: Trace) -> str:
    """A line an image: its place in the person's own set, or in the split, its predicted class, its label if known."""
    places = range(len(images.labels)) if images.places is None else images.places
    labels = ("" if label == UNKNOWN else label for label in images.labels)
    rows = zip(places, trace.predictions, labels, strict=True)
    return PREDICTIONS_HEAD + "".join(f"{place},{predicted},{label}\n" for place, predicted, label in rows)


def verify_model(model, data, samples, form, data_root, json, workers) -> None:
    """Compare both back ends; raise CheckFailed where they differ."""
    program = api.load(model)
    ours = learns(program) and not program.network.library
    if form in ("own_plastic", "per_layer", "one_process") and not ours:
        raise FF2LoihiError(f"--form {form}: the artifact does not learn with our neurons. Use graph or library")
    if form == "own_plastic" and any(layer.mask is not None for layer in program.network.layers):
        raise FF2LoihiError(f"--form {form}: is of LearningDense, and this layer has fields. Use graph")
    images = dataset(program, data, "test", samples, data_root)
    with console.progress("Lava, every state recorded", waits=waits_for(program, "lava")) as show:
        report = api.verify(program, images, show, form, workers)
    shown = f"{report.samples} sample{'s' * (report.samples != 1)}"
    if report.presentations:
        shown += f" in {report.presentations} presentations"
    console.table(
        f"{model}: {report.left} against {report.right}, {shown}",
        ("variable", "values", "active", "differing"),
        [(v.name, v.values, v.active, v.differing) for v in report.variables],
    )
    console.write_json(report, json)
    if not report.equal:
        raise CheckFailed(f"{model}: the back ends differ, first at {report.first_divergence}")
    console.say("every bit agrees")
    if report.idle:
        console.say(f"nothing happened in {', '.join(report.idle)}: there, equal says little. Try more --samples")


def inspect_file(model: Path) -> dict:
    """An artifact's layers, options and provenance; a checkpoint's tensors; a graph's nodes."""
    if kinds.kind(model) in (kinds.NIR, kinds.NETX, kinds.HDF5):
        return _inspect_graph(model)
    if not is_artifact(model):
        tensors = peek(model)
        console.table(model, ("tensor", "shape", "dtype"), [(t["name"], str(t["shape"]), t["dtype"]) for t in tensors])
        return {"tensors": tensors}
    program = api.load(model)
    if learns(program):
        return show_rule(model, program)
    net = program.network
    most = f" of the {net.top_k} largest" if net.top_k else ""
    cells = f" in {net.pooled.grid} x {net.pooled.grid} cells" if net.pooled else ""
    seeing = [layer.name for layer in net.layers if layer.label]
    about = in_words(net.probability.model_dump(exclude={"kind"}))
    probability = f", {about}" if about else ""
    facts = {
        "neuron": net.neuron if net.neuron == "graded" else f"lif, {net.reset} reset, {net.steps} steps",
        "input": f"{net.pixels} inputs of events" if net.events else f"{net.pixels} pixels of {net.input_bits} bits",
        **binned(net.events),
        "label": f"{net.label_kind}, {net.label_codes.shape[1]} inputs, {net.classes} classes, "
        f"{len(net.pass_labels)} passes" + (f"; enters {', '.join(seeing)}, too" if seeing else ""),
        "goodness": f"{net.goodness}{most}, {net.probability.kind}{probability}",
        "normalisation": f"{net.normalization}{' at the read-out' if net.deferred else ''}",
        "read-out": f"{net.readout}{cells}, layers {', '.join(net.layers[i].name for i in net.readout_layers)}",
        **{key: in_words(value) for key, value in program.provenance.items() if value},
    }
    console.table(model, ("what", "value"), list(facts.items()))
    show_layers(program)
    return {
        **facts,
        "layers": arithmetic_rules.usage(net),
        "losses": [dataclasses.asdict(loss) for loss in program.losses],
    }


def _inspect_graph(model: Path) -> dict:
    """The nodes of a NIR graph, or the layers of a netx network."""
    from ff2loihi.compilers.interchange import listing  # and with it h5py

    found = listing.entries(model)
    rows = [
        (entry.name, entry.type, ", ".join(f"{name} {text}" for name, text in entry.fields.items()) or "-",
         ", ".join(entry.after) or "-")
        for entry in found
    ]  # fmt: skip
    console.table(model, ("node", "type", "arrays", "feeds"), rows)
    return {"nodes": [entry._asdict() for entry in found]}


def bench_model(model, data, samples, lava_samples, device, history_file: Path | None, data_root) -> dict:
    """Time both back ends, show the ratio, and compare it with those of the history file."""
    program = api.load(model)
    lines = [] if history_file is None else history.read(history_file)
    images = dataset(program, data, "test", samples, data_root)
    with console.progress("Lava", waits=waits_for(program, "lava")) as show:
        report = api.bench(program, images, lava_samples, device=device, progress=show)
    if isinstance(report, LearningSpeedReport):
        show_speed(model, report)
        _compare(history_file, lines, program, report)
        return dataclasses.asdict(report)
    console.table(
        f"{model}: emulator beside Lava, start-up excluded",
        ("back end", "samples", "samples/s", "ratio"),
        [
            (f"emulator, {device}", report.emulator_samples, f"{report.emulator_samples_per_second:,.0f}",
             f"{report.ratio:,.0f}"),
            (f"Lava, {report.lava_ms_per_step:.2f} ms a step", report.lava_samples,
             f"{report.lava_samples_per_second:,.2f}", "1"),
        ],
    )  # fmt: skip
    if report.limit:
        console.say(limit_line(report.limit, "sample"))
    if not report.equal:
        raise CheckFailed(f"{model}: the back ends differ. See: ff2loihi verify {model}")
    _compare(history_file, lines, program, report)
    return dataclasses.asdict(report)


def _compare(
    path: Path | None, lines: list[history.Line], program: AnyProgram, report: SpeedReport | LearningSpeedReport
) -> None:
    """Add this run to the history, and say what became slower; that is no failure, for a machine may be busy."""
    if path is None:
        return
    line = history.line_of(report, artifact.to_bytes(program)[1][:16])
    before = history.comparable(lines, line)
    history.append(path, lines, line)
    found = history.slower(before, line)
    for one in found:
        fall = 1 - one.now / one.before
        console.say(
            f"slower: {one.what}: {one.now:,.1f} times, {one.before:,.1f} before: {fall:.0%} less, "
            f"where {one.spread:.0%} is spread"
        )
    if not found:
        console.say(f"{path}: nothing is slower than in {len(before)} earlier runs of this artifact")
