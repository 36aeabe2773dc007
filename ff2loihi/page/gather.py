"""What the page says of each model: from the rooms that `run`, `analyze`, `map` and `estimate` take theirs from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ff2loihi.analysis.latents import Latents, latents
from ff2loihi.analysis.maps import tsne
from ff2loihi.analysis.sparsity import Sparsity, sparsity
from ff2loihi.backends import float_net
from ff2loihi.backends.base import Trace
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.board.rules import Design, violations
from ff2loihi.compilers.errors import CompileError, DataError
from ff2loihi.compilers.frontend import network as frontend
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import AnyProgram, IntLayer, IntNetwork, LayerLoss, LearningNetwork, Network, Program
from ff2loihi.compilers.learning.weight_grid import saturated
from ff2loihi.data.datasets import Dataset, check_events, check_shape
from ff2loihi.data.given import GIVEN
from ff2loihi.deployment.mapping import design
from ff2loihi.measurement.activity import counts
from ff2loihi.measurement.estimates import activities, on_board
from ff2loihi.page.moments import Moment, moments
from ff2loihi.reports.accuracy import AccuracyReport, accuracy_report
from ff2loihi.reports.energy import Estimate
from ff2loihi.reports.events import Counts

SHOWN = 4  # samples whose every step is drawn
EARLY = 50  # they are looked for among so many, one that a model gets wrong with them
LATENTS = 300  # samples of the latents and their t-SNE, about a second a layer
ESTIMATED = 100  # samples whose events are counted: the default of `estimate`
Note = Callable[[str], None]
Source = Checkpoint | AnyProgram


@dataclass(frozen=True)
class Layer:
    """weights: what exists of them. saturated: share of a plastic layer's at either end; loss: of a compiled one.

    sparsity: of the activities under the true label, activities (samples, n); places (samples, 2): their t-SNE.
    """

    name: str
    neurons: int
    synapses: int
    bits: int | None
    weights: np.ndarray
    saturated: float | None
    loss: LayerLoss | None
    sparsity: Sparsity | None
    activities: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Board:
    """Where it lies, and what each way to use it counts and costs; broken: why it cannot."""

    design: Design
    counted: dict[str, Counts]
    estimates: dict[str, Estimate]
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """One sample as a model sees it. scores (classes,); goodness (labels, layers), None where it sees no label.

    wrong: the wrong label of the highest score; moments: under the true and the wrong label, or the one pass there is.
    """

    predicted: int
    wrong: int
    scores: np.ndarray
    goodness: np.ndarray | None
    moments: dict[str, tuple[Moment, ...]]


@dataclass(frozen=True)
class Model:
    """form: as the terminal names it. same: share of predictions that are its float net's, None where that is not on
    the page. board: None for a float net."""

    name: str
    form: str
    source: Source
    network: Network | IntNetwork | LearningNetwork
    report: AccuracyReport
    same: float | None
    layers: tuple[Layer, ...]
    samples: tuple[Shown, ...]
    board: Board | None

    @property
    def counts(self) -> bool:
        """Whether it sees no label and counts the spikes of the layers that are read: see ir.counting."""
        return self._counted is not None

    @property
    def judged(self) -> tuple[int, ...]:
        """The layers whose goodness is one of each class: all, but where spikes are counted those that are read."""
        return self._counted or tuple(range(len(self.layers)))

    @property
    def _counted(self) -> tuple[int, ...] | None:
        """The layers whose spikes it counts."""
        found = self.network
        if isinstance(found, IntNetwork) and (found.readout, found.goodness) == ("channels", "l1"):
            return found.readout_layers
        return None

    @property
    def probability(self) -> str:
        """What its goodness is called."""
        if self.counts:
            return "spikes of each class"
        found = self.network.probability
        kind = found if isinstance(found, str) else found.kind
        return "P" if kind == "symmetric" else "goodness"

    @property
    def checkpoint(self) -> str | None:
        """The hash of the checkpoint that it is, or was compiled from."""
        if isinstance(self.source, Checkpoint):
            return self.source.sha256
        return self.source.provenance.get("checkpoint", {}).get("sha256")

    @property
    def log(self) -> list[dict]:
        """Its epochs of learning on the chip, over all runs."""
        if isinstance(self.source, Checkpoint):
            return []
        return [entry for run in self.source.provenance.get("learned", []) for entry in run["log"]]


@dataclass(frozen=True)
class Gathered:
    """All models on the same images. shown: which of them are drawn step by step."""

    data: Dataset
    shown: tuple[int, ...]
    models: tuple[Model, ...]


def gather(sources: Mapping[str, Source], data: Dataset, note: Note = lambda text: None) -> Gathered:
    """Run every model on `data`; names -> checkpoints, of which the float net is shown, and programs.

    note: told of each step before it starts. Raises FF2LoihiError.
    """
    networks = {name: _network(name, source, data) for name, source in sources.items()}
    traces = {}
    for name, network in networks.items():
        note(f"classify with {name}")
        source = sources[name]
        if isinstance(source, Program):
            traces[name] = Emulator().run(source, data.images)
        else:
            assert isinstance(network, Network)
            traces[name] = float_net.run(network, data.images)
    shown = _shown(data, list(traces.values()))
    floats = {
        source.sha256: traces[name].predictions for name, source in sources.items() if isinstance(source, Checkpoint)
    }
    models = tuple(_model(name, sources[name], networks[name], traces[name], data, shown, note) for name in sources)
    return Gathered(data, shown, tuple(_beside(model, floats, traces[model.name]) for model in models))


def _network(name: str, source: Source, data: Dataset) -> Network | IntNetwork | LearningNetwork:
    """Raises CompileError or DataError."""
    if isinstance(source, Program):
        check_events(data, source)
        if data.name != GIVEN:  # rows of pixels may be among them, whose shape nobody said
            check_shape(data, source)
        network = source.network
    elif data.events and not (source.spec.neuron or source.spec.input.events):
        raise DataError(f"{name}: takes images, {data.name} holds events. Use --data with what it was trained on")
    elif source.spec.neuron is not None or data.events:
        raise CompileError(f"{name}: its neurons spike, and have no float net. Compile it, and report the artifact")
    else:
        network = frontend.build(source)
    if data.labels.max() >= network.classes:
        raise DataError(
            f"{name}: labels of {data.name} reach {data.labels.max()}, the model has {network.classes} classes. Use "
            "--data with what it was trained on"
        )
    return network


def _shown(data: Dataset, traces: Sequence[Trace]) -> tuple[int, ...]:
    """The first samples, and in place of the last of them the first that a model gets wrong."""
    wrong = np.any([trace.predictions != data.labels for trace in traces], axis=0)[:EARLY]
    first = list(range(min(SHOWN, len(data.labels))))
    later = [int(index) for index in np.flatnonzero(wrong) if index >= len(first)]
    if not wrong[: len(first)].any() and later:
        first[-1] = later[0]
    return tuple(first)


def _beside(model: Model, floats: dict[str, np.ndarray], trace: Trace) -> Model:
    target = floats.get(model.checkpoint or "")
    if target is None or isinstance(model.source, Checkpoint):
        return model
    return replace(model, same=float((trace.predictions == target).mean()))


def form(network: Network | IntNetwork | LearningNetwork) -> str:
    """What kind of network it is, in a few words."""
    if isinstance(network, Network):
        return "float"
    if isinstance(network, LearningNetwork):
        return f"learns on the chip, {network.steps} steps" + (", library neurons" if network.library else "")
    bits = f"{max(layer.weight_bits for layer in network.layers)} bit"
    return f"graded, {bits}" if network.neuron == "graded" else f"LIF, {network.steps} steps, {bits}"


def _model(
    name: str, source: Source, network: Network | IntNetwork | LearningNetwork, trace: Trace, data: Dataset,
    shown: tuple[int, ...], note: Note,
) -> Model:  # fmt: skip
    note(f"latents of {name}")
    made = network if isinstance(network, Network) else source
    assert not isinstance(made, Checkpoint)
    found = latents(made, data.images[:LATENTS], data.labels[:LATENTS])
    losses = source.losses if isinstance(source, Program) else ()
    layers = tuple(_layer(network, found, index, losses) for index in range(len(found.names)))
    note(f"every step of {name}")
    samples = tuple(_sample(source, network, trace, data, index) for index in shown)
    note(f"board of {name}")
    board = _board(source, data) if isinstance(source, Program) else None
    report = accuracy_report(network, trace, data.labels)
    return Model(name, form(network), source, network, report, None, layers, samples, board)


def _layer(
    network: Network | IntNetwork | LearningNetwork, found: Latents, index: int, losses: tuple[LayerLoss, ...]
) -> Layer:
    layer, activity = network.layers[index], found.true[index]
    return Layer(
        name=layer.name,
        neurons=layer.neurons,
        synapses=layer.synapses,
        bits=layer.weight_bits if isinstance(layer, IntLayer) else 8 if isinstance(network, LearningNetwork) else None,
        weights=layer.existing,
        saturated=saturated(layer.existing) if isinstance(network, LearningNetwork) else None,
        loss=losses[index] if losses else None,
        sparsity=sparsity(activity) if activity.shape[1] > 1 else None,
        activities=activity,
        places=tsne(activity) if len(activity) > 3 else np.zeros((len(activity), 2)),
    )


def _sample(
    source: Source, network: Network | IntNetwork | LearningNetwork, trace: Trace, data: Dataset, index: int
) -> Shown:
    label, scores = int(data.labels[index]), trace.scores[index]
    wrong = int(np.where(np.arange(len(scores)) == label, -np.inf, scores).argmax())
    goodness = trace.goodness[index] if trace.goodness.shape[1] == network.classes else None
    found = {}
    if isinstance(source, Program):
        found = moments(source, data.images[index], index, {"true": label, "wrong": wrong})
    return Shown(int(trace.predictions[index]), wrong, scores, goodness, found)


def _board(program: AnyProgram, data: Dataset) -> Board:
    """As `map` and `estimate` have it, with their defaults."""
    found = design(program)
    broken = tuple(
        f"{violation.rule}: {violation.text}. Use {violation.mend}"
        for violation in violations(found)
        if violation.kind == "limit"
    )
    mapping, counted, estimates = found.mapping, {}, {}
    if mapping is not None and mapping.chips <= found.board.count:
        few = replace(data, images=data.images[:ESTIMATED], labels=data.labels[:ESTIMATED])
        _, modes = activities(program, few, Emulator().run(program, few.images), found.form)
        counted = {mode: counts(activity, mapping) for mode, activity in modes.items()}
        estimates = {mode: on_board(each, found) for mode, each in counted.items()}
    return Board(found, counted, estimates, broken)
