"""The command `analyze`: tables, one JSON and a folder of pictures."""

import dataclasses
import math
from pathlib import Path

from ff2loihi import api
from ff2loihi.analysis.analyze import PROBE_SPLITS
from ff2loihi.analysis.report import Analysis, FormReport, LayerReport, UnseenReport
from ff2loihi.choices import PictureFormat
from ff2loihi.cli import console, kinds
from ff2loihi.cli.inputs import is_artifact
from ff2loihi.cli.outputs import Output, check
from ff2loihi.cli.shared import check_content, named_data
from ff2loihi.compilers.errors import CheckpointError, DataError, FF2LoihiError
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events.options import events_of


def analyze_model(
    model: Path, spec, data, split, samples, layers, unseen, calibrate, output: Path, form: PictureFormat, data_root,
    workers: int | None,
) -> dict:  # fmt: skip
    """Analyse, show, and write the pictures, all of them made before the first is written."""
    wanted = None if layers is None else tuple(layers.split(","))
    calibration = None
    if is_artifact(model):
        if spec or calibrate:
            raise FF2LoihiError("--spec and --calibrate are for a checkpoint: an artifact is analysed as it is")
        source = api.load(model)
        events, (default, sha256) = events_of(source.network.events), named_data(source)
    else:
        source = load_checkpoint(model, spec)
        events, (default, sha256) = events_of(source.spec.input.events), named_data(source)
        asked, calibrate = calibrate, calibrate or default or data
        if calibrate is None:
            raise CheckpointError(f"{model}: the file does not say what it was trained on. Use --data NAME")
        calibration = api.calibration_set(calibrate, data_root, events)
        if not asked:
            check_content(calibration, sha256, "--calibrate")
    name = data or default
    if name is None:
        raise DataError(f"{model}: the file does not name a data set. Use --data NAME")
    images = load_data(name, split, root=data_root, limit=samples, events=events)
    if data is None:
        check_content(images, sha256, "--data")
    fitted = load_data(name, PROBE_SPLITS[split], root=data_root, limit=samples, events=events)
    with console.progress(f"analyze {model.name}") as show:
        steps: list[str] = []

        def note(text: str) -> None:
            steps.append(text)
            show(len(steps), None, text)

        found = api.analyze(source, images, fitted, calibration, wanted, unseen, note, workers)
        drawn = list(found.pictures(note, form))
    for line in found.refused:
        console.warn(line)
    _show(f"{model.name}, {len(images.labels):,} samples of {name} {split}", found.analysis)
    _write(model, output, drawn, kinds.PICTURES[form])
    console.say(f"{output}  {len(drawn)} pictures")
    facts = {"model": str(model), "data": name, "split": split, "probe_samples": len(fitted.labels)}
    report = {**facts, "pictures": [file for file, _ in drawn], **dataclasses.asdict(found.analysis)}
    return {key: _finite(value) for key, value in report.items()}


def _finite(value):
    """JSON has no nan: None in its place, a silent layer's Hoyer index."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _write(model: Path, folder: Path, drawn: list[tuple[str, bytes]], kind: str) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FF2LoihiError(f"--output {folder}: {error.strerror}. Choose another folder") from None
    check((model,), None, *(Output(folder / name, kind) for name, _ in drawn))
    for name, data in drawn:
        write_atomic(folder / name, data, FF2LoihiError)


def _show(title: str, analysis: Analysis) -> None:
    pairs = [(form, layer) for form in analysis.forms for layer in form.layers]
    console.table(
        f"{title}: the true label shown",
        ("form", "layer", "accuracy", "Hoyer", "active", "silent", "separable", "ensembles", "p > 0.05", "overlap"),
        [_true_row(form, layer) for form, layer in pairs],
    )
    console.table(
        "the neutral label shown, and the weights",
        ("form", "layer", "Hoyer", "separability", "linear probe", "positive weights", "bias"),
        [_neutral_row(form, layer) for form, layer in pairs],
    )
    if len(pairs) > 1:
        first, *rest = [" ".join(pair) for pair in analysis.representations]
        rows = [
            (other, *(_plain(values[index][0], ".3f") for values in analysis.similarity.values()))
            for index, other in enumerate(rest, 1)
        ]
        console.table(f"similarity with {first}", ("representation", *analysis.similarity), rows)
    rows = [_unseen_row(form, layer, layer.unseen) for form, layer in pairs if layer.unseen]
    if rows:
        columns = ("form", "layer", "ensemble", "strength", "shares most with", "Jaccard", "probe's recall")
        console.table("the unseen class", columns, rows)


def _true_row(form: FormReport, layer: LayerReport) -> tuple:
    sizes = layer.sizes
    around = [value for row, line in enumerate(layer.jaccard or ()) for value in line[:row] if value is not None]
    return (
        form.name, layer.layer, f"{form.accuracy:.2%}", f"{layer.sparsity.mean:.3f}",
        f"{layer.sparsity.active:.1f} of {layer.neurons}", f"{layer.sparsity.silent:.1%}", f"{layer.separability:.3f}",
        "not sparse" if sizes is None else f"{sum(sizes) / len(sizes) / layer.neurons:.1%}",
        _plain(layer.insignificant, ".1%"), f"{sum(around) / len(around):.2f}" if around else "-",
    )  # fmt: skip


def _neutral_row(form: FormReport, layer: LayerReport) -> tuple:
    return (
        form.name, layer.layer, f"{layer.neutral_sparsity.mean:.3f}", f"{layer.neutral_separability:.3f}",
        f"{layer.probe:.2%}", "{:.1%} +- {:.1%}".format(*layer.excitatory), "{:.3g} +- {:.3g}".format(*layer.bias),
    )  # fmt: skip


def _unseen_row(form: FormReport, layer: LayerReport, found: UnseenReport) -> tuple:
    overlap, nearest = max((value or 0.0, c) for value, c in zip(found.jaccard, layer.classes, strict=True))
    return (
        form.name, layer.layer, f"{found.size} of {layer.neurons}", _plain(found.strength, ".2f"),
        f"class {nearest}" if overlap else "none", f"{overlap:.2f}", _plain(found.probe, ".1%"),
    )  # fmt: skip


def _plain(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
