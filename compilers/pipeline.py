"""The table of contents: a checkpoint goes through these stages, in this order, and leaves as a Program.

Checkpoint -> Network (float, checked) -> folded -> IntNetwork -> thresholds (lif) -> chip rules -> losses -> Program
                                       -> LearningNetwork, with its rule -> the rule's fit -> Program
A net that was trained as it spikes takes the second way, with its own neuron in place of a swept threshold; of an
untrained one the leak alone stays.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

from ff2loihi.compilers.choices import NeuronKind, Reset
from ff2loihi.compilers.errors import CheckpointError, CompileError, shortened
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import (
    GivenSpec,
    live_checkpoint,
    live_shapes,
    load_checkpoint,
    peek,
    shapes_of,
)
from ff2loihi.compilers.frontend.content import CODES, Checkpoint
from ff2loihi.compilers.frontend.draft import Ask, Choice, Draft, Question, assume, draft, draft_nodes
from ff2loihi.compilers.frontend.readings import readings
from ff2loihi.compilers.inference import agreement, arithmetic_rules, quantization_error, quantize, thresholds
from ff2loihi.compilers.inference.fold import fold
from ff2loihi.compilers.inference.quantize import CALIBRATION_IMAGES, Calibration, Options
from ff2loihi.compilers.inference.rewritten import rewritten
from ff2loihi.compilers.ir import IntNetwork, LearningNetwork, Network, Program, fields
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.compilers.learning import rule as learning
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.processes.limits import MAX_STEPS, MIN_STEPS, MIN_WEIGHT_BITS, VTH_MAX, WEIGHT_BITS

__all__ = [
    "CALIBRATION_IMAGES", "Ask", "Calibration", "Choice", "Draft", "GivenSpec", "LearningOptions", "Options",
    "Question", "assume", "check_options", "compile_checkpoint", "compile_learning", "draft_spec", "live_checkpoint",
    "load_checkpoint", "options_for", "peek",
]  # fmt: skip

StageProgress = Callable[[str, str], None]  # (stage, what it did)


def draft_spec(model: object, ask: Ask = assume) -> Draft:
    """A spec.yaml for the tensors of a file, a Path, or of a live net. Raises CheckpointError."""
    if isinstance(model, Path) and model.suffix == ".net":
        raise CheckpointError(f"{model}: a netx network needs no spec. Use: ff2loihi compile {model}")
    if isinstance(model, Path) and model.suffix == ".nir":
        from ff2loihi.compilers.frontend.nir_reader import nodes  # and with it h5py and nir

        return draft_nodes(str(model), nodes(model), ask)
    if isinstance(model, Path):
        return draft(str(model), shapes_of(model), ask)
    return draft(type(model).__name__, live_shapes(model), ask)


def check_options(options: Options | LearningOptions) -> None:
    """Raise CompileError for options that no network could be compiled with."""
    if isinstance(options, LearningOptions):
        return learning.check_options(options)
    wrong = []
    if not MIN_WEIGHT_BITS <= options.weight_bits <= WEIGHT_BITS:
        wrong.append(f"--weight-bits must be in {MIN_WEIGHT_BITS}..{WEIGHT_BITS}, got {options.weight_bits}")
    if options.neuron not in get_args(NeuronKind):
        wrong.append(f"--neuron must be {' or '.join(get_args(NeuronKind))}, got {options.neuron!r}")
    if options.reset not in get_args(Reset):
        wrong.append(f"--reset must be {' or '.join(get_args(Reset))}, got {options.reset!r}")
    if not MIN_STEPS <= options.steps <= MAX_STEPS:
        wrong.append(f"--steps must be in {MIN_STEPS}..{MAX_STEPS}, got {options.steps}")
    if options.vth is not None and not 1 <= options.vth <= VTH_MAX:
        wrong.append(f"--vth must be in 1..{VTH_MAX:,}, got {shortened(options.vth)}")
    if wrong:
        raise CompileError("; ".join(wrong))
    return None


def options_for(checkpoint: Checkpoint, options: Options | LearningOptions) -> Options | LearningOptions:
    """What the checkpoint is compiled with: one that spikes keeps its neuron and has the rule. Raises CompileError."""
    if checkpoint.spec.neuron is None:
        return options
    if isinstance(options, LearningOptions):
        return learning.options_for(checkpoint.spec.neuron, options)
    if options != Options():
        raise CompileError(
            f"{checkpoint.source}: its spec describes its neurons: leave out --neuron, --weight-bits, --steps, --reset "
            "and --vth"
        )
    return learning.options_for(checkpoint.spec.neuron, LearningOptions())


def _network(checkpoint: Checkpoint, calibration: Calibration, progress: StageProgress) -> Network:
    net = network.build(checkpoint)
    shape = "-".join(str(n) for n in (net.layers[0].inputs, *(layer.neurons for layer in net.layers)))
    held = len(checkpoint.tensors.keys() - {CODES})
    progress("checkpoint", f"{checkpoint.source}: {held} tensor{'s' if held != 1 else ''}")
    most = f" of the {net.top_k} largest" if net.top_k else ""
    judged = "no label input" if net.label.kind == "none" else f"goodness {net.goodness}{most}, {net.probability.kind}"
    progress("network", f"{shape}, {judged}, read-out {net.readout}")
    _check_pixels(net, calibration, "calibration", "Use --calibrate with the model's own data set")
    if len(net.pass_labels) > 1:
        _check_labels(net, calibration, "calibration")
    return net


def _check_pixels(net: Network, images: Calibration, what: str, mend: str) -> None:
    if (images.events is None) != (net.events is None):
        found, wanted = ("events", "images") if images.events else ("images", "events")
        raise CompileError(f"{what} samples are {found}, the model takes {wanted}. {mend}")
    if images.inputs != net.pixels:
        kind = "inputs" if net.events else "pixels"
        raise CompileError(f"{what} images have {images.inputs} {kind}, the model takes {net.pixels}. {mend}")
    conv = net.layers[0].conv
    if conv and images.shape and (conv.shape[1:], conv.shape[0]) != (images.shape[:2], images.shape[2]):
        wanted, found = (" x ".join(map(str, shape)) for shape in (conv.shape, (images.shape[2], *images.shape[:2])))
        raise CompileError(f"{what} images are {found} (channels, height, width), the model's are {wanted}. {mend}")


def _check_labels(net: Network, images: Calibration, what: str) -> None:
    if images.labels.max() >= net.classes:
        raise CompileError(f"{what} labels reach {images.labels.max()}, the model has {net.classes} classes")


def _check(
    checkpoint: Checkpoint, net: Network, integers: IntNetwork, images: Calibration,
    held_out: Calibration | None, expected: float | None, progress: StageProgress,
) -> dict:  # fmt: skip
    """Classify images with the float net as the spec describes it and with its integers, and tell what is wrong with
    either; what an artifact says of it. held_out, expected: see compile_checkpoint."""
    few = replace(images, pixels=images.pixels[: agreement.IMAGES], labels=images.labels[: agreement.IMAGES])
    judged, shown = agreement.agreement(net, integers, few), few
    progress("check", str(judged))
    facts = {"check": judged.facts}
    if held_out is not None:
        _check_pixels(net, held_out, "test", "Use those of the model's own data set")
        _check_labels(net, held_out, "test")
        judged, shown = agreement.agreement(net, integers, held_out), held_out
        progress("check", judged.told("test images"))
        facts["test"] = held_out.facts | judged.facts
    for line in agreement.loss(judged):
        progress("warning", line)
    written = checkpoint.spec_apart or not checkpoint.training  # by somebody, and not by a recipe
    if written or expected is not None:
        others = readings(checkpoint, shown.pixels)
        for line in agreement.remarks(net, others, judged, shown, expected):
            progress("warning", line)
    return facts


def _field(checkpoint: Checkpoint, options: LearningOptions) -> tuple[int, ...]:
    """The sizes of fields that were asked for, or trained with. Raises CompileError where both differ."""
    trained = fields.check(checkpoint.training.get("field") or options.field)
    if options.field and trained != tuple(options.field):
        size = ",".join(map(str, trained))
        raise CompileError(f"{checkpoint.source}: was made with train --field {size}. Leave --field out")
    return trained


def compile_learning(
    checkpoint: Checkpoint, calibration: Calibration, options: LearningOptions,
    progress: StageProgress = lambda stage, text: None,
) -> Program[LearningNetwork]:  # fmt: skip
    """The stages of a network that learns on the chip. Raises CheckpointError or CompileError."""
    check_options(options)
    own = _network(checkpoint, calibration, progress)
    if own.neuron and own.events != calibration.events:
        raise CompileError(f"{checkpoint.source}: was trained on events as its spec bins them. Leave --events out")
    net = (
        replace(own, events=calibration.events)
        if own.events
        else fold(own, quantize.calibration_inputs(own, calibration))
    )
    trained = checkpoint.training.get("epochs") != 0
    options = replace(options, field=_field(checkpoint, options))
    if options.field:
        net = learning.with_fields(net, options.field, calibration.shape, trained)
        progress("fields", f"{net.layers[0].synapses:,} of {net.layers[0].weight.size:,} synapses exist")
    if net.neuron and trained:
        integers = learning.spiking_network(net, net.neuron, options, calibration.pixels, calibration.labels)
        chosen = ", ".join(f"{layer.name} {layer.neuron.vth}" for layer in integers.layers)
        progress("spiking", f"threshold {net.neuron.threshold:g}, on the weights' grid: vth {chosen}")
    else:
        integers = learning.learning_network(net, options, trained, calibration.pixels, calibration.labels)
    progress("learning", f"{integers.steps} steps, the last {integers.window} learn; {options.trace} trace")
    learning_fit.check(integers)
    progress("chip rules", f"{len(learning_fit.rules(integers))} rules hold in each of {len(integers.layers)} layers")
    for what, _, chip in learning_fit.describe(integers):
        progress(what, chip)
    provenance = {
        **checkpoint.origin,
        "options": {
            "learning": "library" if integers.library else "on",
            "start": "trained" if trained else "untrained",
            **{name: value for name, value in asdict(options).items() if name not in ("library", "field")},
            **({"field": list(options.field)} if options.field else {}),
        },
        "calibration": calibration.facts,
    }
    return Program(integers, (), provenance)


def compile_checkpoint(
    checkpoint: Checkpoint, calibration: Calibration, options: Options,
    progress: StageProgress = lambda stage, text: None, held_out: Calibration | None = None,
    expected: float | None = None,
) -> Program[IntNetwork]:  # fmt: skip
    """All stages after reading (load_checkpoint). Raises CheckpointError or CompileError.

    held_out: test images, which are classified as well; expected: the float net's accuracy as its owner knows it, on
    those, or on the calibration images.
    """
    check_options(options)
    own = _network(checkpoint, calibration, progress)
    if own.events:
        raise CompileError(f"{checkpoint.source}: takes events, which a network that learns takes. Use --learning on")
    net, evened = rewritten(own, calibration, options.neuron)
    for name, times in evened.items():
        progress("rows", f"{name}: one {times:,.0f} times the middle one, evened out against what reads it")
    integers = quantize.quantize(net, calibration, options)
    progress("quantize", f"{options.weight_bits}-bit weights, {integers.input_bits}-bit inputs, {options.neuron}")
    trials = []
    if options.neuron == "lif":
        integers, trials = thresholds.sweep(net, integers, calibration.pixels, options.vth)
        chosen = ", ".join(f"{layer.name} {layer.vth}" for layer in integers.layers)
        progress("thresholds", f"vth {chosen}; {integers.reset} reset, {integers.steps} steps")
    arithmetic_rules.check(integers)
    progress("chip rules", f"{len(arithmetic_rules.RULES)} rules hold in each of {len(integers.layers)} layers")
    found = quantization_error.measure(net, integers, calibration.pixels)
    for layer, loss in zip(integers.layers, found, strict=True):
        progress(
            "loss",
            f"{layer.name}: weights {loss.weight_sqnr_db:.1f} dB, each neuron's {loss.quantiles} dB (least, tenth, "
            f"half), activity r = {loss.activity_corr:.4f}",
        )
    for line in quantization_error.warnings(net, integers, found):
        progress("warning", line)
    checked = _check(checkpoint, own, integers, calibration, held_out, expected, progress)
    provenance = {
        **checkpoint.origin,
        "options": {
            "neuron": options.neuron,
            "weight_bits": options.weight_bits,
            **({"steps": options.steps, "reset": options.reset, "vth": options.vth} if options.neuron == "lif" else {}),
        },
        "calibration": calibration.facts,
        **({"rows": evened} if evened else {}),
        **checked,
        "sweep": [{"layer": t.layer, "candidate": t.name, "vth": list(t.vth), "fidelity": t.fidelity} for t in trials],
    }
    return Program(integers, found, provenance)
