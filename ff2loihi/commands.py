"""What each command does between its options and its report: loads, calls the API, shows tables."""

import dataclasses
import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path

import torch

from ff2loihi import api, console
from ff2loihi.backends import board_search, lava_child
from ff2loihi.compilers import resources
from ff2loihi.compilers.errors import CheckFailed, CheckpointError, DataError, FF2LoihiError
from ff2loihi.compilers.ir import LearningNetwork, Program
from ff2loihi.compilers.learning import LearningOptions
from ff2loihi.compilers.pipeline import load_checkpoint, peek
from ff2loihi.compilers.quantize import Options
from ff2loihi.ff.data import NAMES as DATA_NAMES
from ff2loihi.ff.data import Dataset, data_folder, load_data
from ff2loihi.ff.recipes import RECIPES
from ff2loihi.ff.recipes import train as train_recipe
from ff2loihi.ff.train import evaluate
from ff2loihi.learning_reports import show_rule, show_speed
from ff2loihi.reports.speed import LearningSpeedReport

FORMS = ("net", "leaf", "graph", "own", "stock")
LEARNING = ("off", "on", "stock")
LIBRARIES = (
    "lava-nc",
    "numpy",
    "numba",
    "torch",
    "torchvision",
    "typer",
    "rich",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "matplotlib",
)


def folder_is_writable(path: Path) -> None:
    if path.is_dir():
        raise FF2LoihiError(f"{path}: a folder. Name the file with -o")
    if not path.parent.is_dir():
        raise FF2LoihiError(f"{path}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise FF2LoihiError(f"{path}: cannot write into {path.parent}: permission denied. Choose another -o")


def train(recipe, data, output, widths, epochs, seed, head, bias, quick, data_root) -> dict:
    """Train a recipe, write the checkpoint, and say how well it classifies training and test images."""
    folder_is_writable(output)
    if recipe not in RECIPES:
        raise FF2LoihiError(f"--recipe must be one of {', '.join(RECIPES)}, got {recipe!r}")
    sizes = _widths(widths)
    if epochs is not None and epochs < 0:
        raise FF2LoihiError(f"--epochs must be at least 0, got {epochs}")
    images = load_data(data, "train", root=data_root)
    test = load_data(data, "test", root=data_root)
    with console.progress(f"train {recipe} on {data}") as show:
        network = train_recipe(
            recipe, images, show, widths=sizes, epochs=epochs, seed=seed, head=head, bias=bias, quick=quick
        )
    network.save(output)
    accuracy = evaluate(network, test)
    report = {"recipe": recipe, "data": data, "seed": seed, "checkpoint": str(output), "test_accuracy": accuracy}
    console.table(f"{output}", ("recipe", "data", "seed", "test accuracy"), [(recipe, data, seed, f"{accuracy:.2%}")])
    return report


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split("-")
    if not all(re.fullmatch("[1-9][0-9]*", part) for part in parts):
        raise FF2LoihiError(f"--widths must be positive numbers joined by -, as 500-500, got {text!r}")
    return tuple(int(part) for part in parts)


def compile_options(learning: str, inference: dict, rule: dict) -> Options | LearningOptions:
    """The options of one kind; raise where one of the other kind was given."""
    if learning not in LEARNING:
        raise FF2LoihiError(f"--learning must be one of {', '.join(LEARNING)}, got {learning!r}")
    learns = learning != "off"
    wanted, other = (LearningOptions, Options) if learns else (Options, LearningOptions)
    values, idle = ({**rule, "stock": learning == "stock"}, inference) if learns else (inference, rule)
    idle = [f"--{name.replace('_', '-')}" for name, value in idle.items() if value != getattr(other(), name)]
    if idle:
        raise FF2LoihiError(f"{', '.join(idle)}: no meaning with --learning {learning}")
    return wanted(**values)


def compile_model(model, spec, options: Options | LearningOptions, calibrate, output, data_root) -> dict:
    """Compile, showing what each stage did, and write the artifact."""
    output = output or model.with_suffix(".ffl")
    folder_is_writable(output)
    api.pipeline.check_options(options)
    if model.suffix == ".nir":
        from ff2loihi import interchange, interchange_commands

        if spec is None:
            return interchange_commands.compile_exported(model, options, output)
        checkpoint = interchange.load_graph(model, spec)
    else:
        checkpoint = load_checkpoint(model, spec)
    calibrate = calibrate or checkpoint.training.get("data")
    if calibrate is None:
        raise CheckpointError(
            f"{model}: the file does not say what it was trained on. Use --calibrate DATA[:N] with that data set's name"
        )
    images = api.calibration_set(calibrate, data_root)
    program = api.compile(
        checkpoint, images, options, progress=lambda stage, text: console.out.print(f"{stage:>11}  {text}")
    )
    digest = api.save(program, output)
    learns = isinstance(program.network, LearningNetwork)
    if not learns:
        _show_layers(program)
    console.out.print(f"{output}  {output.stat().st_size:,} bytes  sha256 {digest[:16]}")
    if learns:
        return {"artifact": str(output), "sha256": digest, "provenance": program.provenance}
    return {
        "artifact": str(output),
        "sha256": digest,
        "layers": resources.usage(program.network),
        "losses": [dataclasses.asdict(loss) for loss in program.losses],
        "provenance": program.provenance,
    }


def _show_layers(program: Program) -> None:
    net = program.network
    rows = []
    for layer, loss, use in zip(net.layers, program.losses, resources.usage(net), strict=True):
        ranges = f"shift {layer.shift}" if net.neuron == "graded" else f"vth {layer.vth}"
        rows.append(
            (
                layer.name, use["shape"], use["neurons"], use["synapses"], f"{layer.weight_bits} bit", ranges,
                f"{loss.weight_sqnr_db:.1f} dB", f"{loss.clipped:.2%}", f"{loss.saturated:.2%}",
                f"{loss.activity_corr:.4f}",
            )
        )  # fmt: skip
    columns = ("layer", "shape", "neurons", "synapses", "weights", "range", "SQNR", "clipped", "saturated", "r")
    console.table("what each layer lost", columns, rows)


def dataset(program: Program, name: str | None, split: str, limit: int | None, root: Path | None) -> Dataset:
    """The data set of that name, or the one that the program was compiled with. Raises DataError."""
    name = name or program.provenance["calibration"].get("data")
    if name is None:
        raise DataError("the artifact does not name a data set. Use --data NAME")
    return load_data(name, split, root=root, limit=limit)


def run_model(model, data, split, limit, backend, device, data_root) -> dict:
    """Classify and show one table."""
    program = api.load(model)
    images = dataset(program, data, split, limit, data_root)
    place = api.backend(backend, device)
    with console.progress(f"run on {backend}") as show:
        report = api.run(program, images, place, show)
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
    learns = isinstance(program.network, LearningNetwork)
    pairs = [
        (name, "not counted" if learns else f"{report.spikes[index]:.1f}") for index, name in enumerate(report.layers)
    ]
    if report.goodness_true is None:
        console.table("layers", ("layer", "spikes a pass"), pairs)
    else:
        probability = program.network.probability if learns else program.network.probability.kind
        what = "P" if probability == "symmetric" else "goodness"
        rows = [
            (name, spikes, f"{true:.4g}", f"{wrong:.4g}")
            for (name, spikes), true, wrong in zip(pairs, report.goodness_true, report.goodness_wrong, strict=True)
        ]
        console.table("layers", ("layer", "spikes a pass", f"{what}, true label", f"{what}, wrong labels"), rows)
    return dataclasses.asdict(report)


def verify_model(model, data, samples, form, data_root, json) -> None:
    """Compare both back ends; raise CheckFailed where they differ."""
    if form not in FORMS:
        raise FF2LoihiError(f"--form must be one of {', '.join(FORMS)}, got {form!r}")
    program = api.load(model)
    learns = isinstance(program.network, LearningNetwork)
    if learns and form == "stock" and not program.network.stock:
        raise FF2LoihiError("--form stock: the artifact's rule is of our neurons. Use compile --learning stock")
    if form in ("leaf", "graph", "own") and not (learns and not program.network.stock):
        raise FF2LoihiError(f"--form {form}: the artifact does not learn with our neurons. Use net or stock")
    images = dataset(program, data, "test", samples, data_root)
    with console.progress("Lava, every state recorded") as show:
        report = api.verify(program, images, show, form)
    console.table(
        f"{model}: {report.left} against {report.right}, {report.samples}",
        ("variable", "values", "differing"),
        [(v.name, v.values, v.differing) for v in report.variables],
    )
    console.write_json(report, json)
    if not report.equal:
        raise CheckFailed(f"{model}: the back ends differ, first at {report.first_divergence}")
    console.out.print("every bit agrees")


def inspect_file(model: Path) -> dict:
    """An artifact's layers, options and provenance; a checkpoint's tensors."""
    if model.suffix == ".pt":
        tensors = peek(model)
        console.table(
            f"{model}", ("tensor", "shape", "dtype"), [(t["name"], str(t["shape"]), t["dtype"]) for t in tensors]
        )
        return {"tensors": tensors}
    program = api.load(model)
    if isinstance(program.network, LearningNetwork):
        return show_rule(model, program)
    net = program.network
    facts = {
        "neuron": net.neuron if net.neuron == "graded" else f"lif, {net.reset} reset, {net.steps} steps",
        "input": f"{net.pixels} pixels of {net.input_bits} bits",
        "label": f"{net.label_kind}, {net.label_codes.shape[1]} inputs, {net.classes} classes, {len(net.shown)} passes",
        "goodness": f"{net.goodness}, {net.probability.model_dump()}",
        "normalisation": f"{net.normalization}{' at the read-out' if net.deferred else ''}",
        "read-out": f"{net.readout}, layers {', '.join(net.layers[i].name for i in net.readout_layers)}",
        **{key: str(value) for key, value in program.provenance.items() if value},
    }
    console.table(str(model), ("what", "value"), list(facts.items()))
    _show_layers(program)
    return {**facts, "layers": resources.usage(net), "losses": [dataclasses.asdict(loss) for loss in program.losses]}


def bench_model(model, data, samples, lava_samples, device, data_root) -> dict:
    """Time both back ends and show the ratio."""
    program = api.load(model)
    images = dataset(program, data, "test", samples, data_root)
    with console.progress("Lava") as show:
        report = api.bench(program, images, lava_samples, device=device, progress=show)
    if isinstance(report, LearningSpeedReport):
        show_speed(model, report)
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
    if not report.equal:
        raise CheckFailed(f"{model}: the back ends differ. See: ff2loihi verify {model}")
    return dataclasses.asdict(report)


def doctor() -> dict:
    """What this machine has, and what to do about what it has not."""
    facts = {
        "Python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "Lava simulator": "ready" if lava_child.available() else "absent: needs Python 3.10 (make sets it up)",
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "none: the emulator uses the CPU",
        "CPU cores": str(os.cpu_count()),
        **board_search.facts(),
        "data folder": str(data_folder()),
        **{f"data {name}": _found(name) for name in DATA_NAMES},
    }
    console.table("this machine", ("what", "found"), list(facts.items()))
    return facts


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed in {sys.executable}"


def _found(name: str) -> str:
    try:
        return f"{len(load_data(name, 'test', download=False).labels):,} test samples"
    except DataError as error:
        return str(error)
