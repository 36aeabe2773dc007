"""The page of what was gathered: its template, and the facts of it as JSON."""

import base64
import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ff2loihi.compilers import artifact
from ff2loihi.compilers.board.placement import COLUMNS, fullest
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Network, split_input
from ff2loihi.data.datasets import Dataset
from ff2loihi.deployment.mapping import report as mapping_report
from ff2loihi.learning.snapshots import Snapshots, averaged, history, over_inputs
from ff2loihi.page import FIRST_LINES, drawing, redo
from ff2loihi.page.gather import ESTIMATED, LATENTS, Gathered, Model, Note, Source, gather

FIELDS = 18  # neurons of the first layer whose weights are drawn
SEEN = ("ff2loihi", "numpy", "numba", "scikit-learn")  # packages whose versions the page names


@dataclass(frozen=True)
class Page:
    """html: the file's content; facts: its figures by model, JSON-able."""

    html: str
    facts: dict


def page(sources: Mapping[str, Source], data: Dataset, command: str = "", note: Note = lambda text: None) -> Page:
    """Names -> checkpoints, of which the float net is shown, and programs, all on `data`. The same bytes every time.

    command: what the page says it was made with; note: told of each step before it starts. Raises FF2LoihiError.
    """
    found = gather(sources, data, note)
    note("the page")
    room = files("ff2loihi.page")
    script, style = ((room / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((room / "page.html").read_text(encoding="utf-8"))
    html = template.render(
        head=Markup(FIRST_LINES),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        found=found,
        data=data,
        models=found.models,
        draw=drawing,
        columns=COLUMNS,
        fullest=fullest,
        fields=_fields,
        traced=_traced,
        firing=_firing,
        provenance=_provenance,
        redo=redo.commands,
        versions=_versions(),
        command=command,
        latents=LATENTS,
        estimated=ESTIMATED,
        bands=_bands(found),
        axis=_axis(found),
        curves=_curves,
        history=_history,
        sha256=_sha256,
        spikes=_spikes(found),
        rate=data.spikes(ESTIMATED),
    )
    return Page(html, _facts(found))


def _versions() -> dict[str, str]:
    return {"Python": platform.python_version()} | {name: metadata.version(name) for name in SEEN}


def _sha256(model: Model) -> str:
    source = model.source
    return source.sha256 if isinstance(source, Checkpoint) else artifact.to_bytes(source)[1]


def _provenance(model: Model) -> dict[str, str]:
    """What the file says of itself, but for the lines of its log and sweep."""
    if isinstance(model.source, Checkpoint):
        return {name: _plain(value) for name, value in model.source.training.items()}
    found = dict(model.source.provenance)
    runs = found.pop("learned", [])
    shown = {name: _plain(value) for name, value in found.items() if value and name != "sweep"}
    told = [{name: value for name, value in run.items() if name != "snapshots"} for run in runs]
    return shown | {f"run {number}": _plain({**run, "log": len(run["log"])}) for number, run in enumerate(told, 1)}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _bands(found: Gathered) -> list[tuple[Model, str, dict]]:
    """(model, mode, the bands of chip and time) of each estimate."""
    return [
        (model, mode, {what: one.band(what) for what in ("chip", "time")})
        for model in found.models
        if model.board
        for mode, one in model.board.estimates.items()
    ]


def _axis(found: Gathered) -> float:
    """Where the axis of accuracies begins: twice the room that the worst one needs below 1, in whole percents."""
    worst = min(model.report.accuracy - model.report.standard_error for model in found.models)
    return float(np.clip(np.floor(100 * (2 * worst - 1)) / 100, 0, 0.99))


def _spikes(found: Gathered) -> list[np.ndarray]:
    """Of each sample that is drawn, its inputs' spikes in one round, (steps, inputs); of images none."""
    events = found.data.events
    return [events.spikes(found.data.images[index])[: events.steps] for index in found.shown] if events else []


def _curves(model: Model) -> dict[str, list[float | None]]:
    """The lines of its log, those of which anything is known."""
    names = {"online": "online_accuracy", "held out": "held_out_accuracy", "learned": "learned"}
    found = {name: [entry.get(key) for entry in model.log] for name, key in names.items()}
    return {name: line for name, line in found.items() if any(value is not None for value in line)}


def _history(model: Model) -> Snapshots | None:
    """The weights of a few neurons while it learned on the chip."""
    return None if isinstance(model.source, Checkpoint) else history(model.source.provenance.get("learned", []))


def _traced(model: Model) -> list[tuple[int, str, int]]:
    """(layer, its name, neuron): of each layer and sample that is drawn the most active neuron that is not there yet,
    under the true label."""
    found = []
    for index, layer in enumerate(model.layers):
        known: list[int] = []
        for moment in (sample.moments["true"][index] for sample in model.samples if sample.moments):
            activity = moment.activity
            if activity is None:
                return []
            order = np.argsort(-activity, kind="stable").tolist()
            known += [neuron for neuron in order if neuron not in known][:1]
        found += [(index, layer.name, neuron) for neuron in known]
    return found


def _firing(model: Model) -> list[list[int]]:
    """Of each layer, the neurons that spike in any of the samples that are drawn."""
    found = []
    for index in range(len(model.layers)):
        parts = [moments[index].spikes for sample in model.samples for moments in sample.moments.values()]
        fired = [spikes.any(axis=0) for spikes in parts if spikes is not None]
        found.append(np.flatnonzero(np.any(fired, axis=0)).tolist() if fired else [])
    return found


def _fields(model: Model, data: Dataset) -> tuple[np.ndarray, list[str], int]:
    """(weights (neurons, height, width), their names) of the first layer's neurons that are most active, of a
    convolution its first kernels. Of events of inputs in a row: (neurons, polarities parts, inputs). And how many
    inputs, or pixels each way, a value is the mean of."""
    first = model.network.layers[0]
    if first.conv:
        kernels = np.asarray(first.weight)[:FIELDS].mean(1)
        return kernels, [f"{first.name}, channel {channel}" for channel in range(len(kernels))], 1
    weight = np.zeros((first.neurons, model.network.pixels))
    columns = _image_columns(model.network)
    weight[:, columns] = first.weight[:, columns]
    activity = model.layers[0].activities.mean(0)
    best = np.argsort(-activity, kind="stable")[:FIELDS]
    in_row, size = data.events is not None and data.shape[0] == 1, drawing.block(*data.shape[:2])
    pictures = averaged(over_inputs(weight[best], data.shape, in_row), 1 if in_row else size, size)
    return pictures, [f"{first.name}, neuron {neuron}" for neuron in best], size


def _image_columns(network: Network | IntNetwork | LearningNetwork) -> slice:
    if isinstance(network, LearningNetwork):
        return slice(0, network.pixels)
    if isinstance(network, Network):
        kind, label = network.label.kind, network.label.codes.shape[1]
    else:
        kind, label = network.label_kind, network.label_codes.shape[1]
    return split_input(network.pixels, label, kind)[0]


def _facts(found: Gathered) -> dict:
    """The page's figures."""
    return {
        "data": found.data.name,
        "split": found.data.split,
        "samples": len(found.data.labels),
        "input_spikes": found.data.spikes(ESTIMATED),
        "shown": list(found.shown),
        "models": {model.name: _model_facts(model) for model in found.models},
    }


def _model_facts(model: Model) -> dict:
    report = {
        name: value
        for name, value in dataclasses.asdict(model.report).items()
        if name not in ("seconds", "samples_per_second")
    }
    facts = {
        "form": model.form,
        "sha256": _sha256(model),
        **report,
        "same_as_float": model.same,
        "losses": [dataclasses.asdict(layer.loss) for layer in model.layers if layer.loss],
        "log": model.log,
    }
    if model.board:
        estimates = {mode: dataclasses.asdict(one) for mode, one in model.board.estimates.items()}
        counted = {mode: dataclasses.asdict(one) for mode, one in model.board.counted.items()}
        facts |= {"map": mapping_report(model.board.design), "events": counted, "estimates": estimates}
    return facts
