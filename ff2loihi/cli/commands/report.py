"""The command `report`: models side by side on one page."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from ff2loihi import api
from ff2loihi.choices import EXPORT_SUFFIXES
from ff2loihi.cli import console
from ff2loihi.cli.inputs import is_artifact
from ff2loihi.cli.shared import check_content, named_data, spec_of, was_made_of
from ff2loihi.compilers.errors import CheckpointError, DataError, FF2LoihiError, brief, together
from ff2loihi.compilers.files import write_atomic
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.ir import AnyProgram, Program
from ff2loihi.compilers.pipeline import load_checkpoint
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events import options

INTEGERS = (".nir", ".net")  # graphs of others: the artifact beside one has its integers, and no checkpoint reads it


def report_models(models: list[Path], spec, data, samples, output: Path, data_root) -> dict:
    """Run all of them on the same images, show the ladder, and write the page."""
    programs = {path: api.load(path) for path in models if is_artifact(path)}
    found = {
        path: programs[path] if path in programs else load_checkpoint(path, spec or _spec(path, programs))
        for path in models
    }
    if spec and not any(isinstance(source, Checkpoint) for source in found.values()):
        console.warn(f"--spec {spec}: is for the checkpoints among the models, and for those beside an artifact")
    found = {**_beside(found, spec), **found}
    names = {path: path.name for path in found}
    if len(set(names.values())) < len(names):
        names = {path: str(path) for path in found}
    sources = {console.plain(names[path]): source for path, source in found.items()}
    name, sha256 = _data(found, data)
    events = options.shared({key: one.network.events for key, one in sources.items() if isinstance(one, Program)})
    images = load_data(name, "test", root=data_root, limit=samples, events=events)
    if data is None:
        check_content(images, sha256, "--data")
    command = ["ff2loihi", "report", *map(str, models), *(["--data", data] if data else [])]
    command += [*(["--spec", str(spec)] if spec else []), "--samples", str(samples), "-o", str(output)]
    with console.progress("report") as show:
        steps: list[str] = []

        def note(text: str) -> None:
            steps.append(text)
            show(len(steps), None, text)

        page = api.report(sources, images, shlex.join(command), note)
    rows = [
        (name, facts["form"], f"{facts['accuracy']:.2%} +- {facts['standard_error']:.2%}",
         "-" if facts["same_as_float"] is None else f"{facts['same_as_float']:.2%}")
        for name, facts in page.facts["models"].items()
    ]  # fmt: skip
    columns = ("model", "what it is", "accuracy", "as float")
    console.table(f"{len(images.labels):,} samples of {images.name} test", columns, rows)
    content = page.html.encode(errors="backslashreplace")
    write_atomic(output, content, FF2LoihiError)
    console.say(f"{output}  {len(content):,} bytes: open it in a browser")
    return {**page.facts, "page": str(output)}


def _spec(model: Path, found: Mapping[Path, Checkpoint | AnyProgram]) -> Path | None:
    """The spec that the artifacts were compiled with from the model. Raises CheckpointError where it is not there, or
    not one for all of them."""
    programs = {path: source for path, source in found.items() if not isinstance(source, Checkpoint)}
    made = {path: program for path, program in programs.items() if was_made_of(program, model)}
    kept = [program.provenance.get("spec") for program in made.values()]
    if any(facts != kept[0] for facts in kept):
        raise CheckpointError(f"{model}: {together(map(str, made))} were compiled with different specs. Use --spec")
    if not kept or not kept[0]:
        return None
    for path, program in made.items():
        if spec := spec_of(program, path, model):
            return spec
    wanted = f"{brief(kept[0]['name'])}, which {next(iter(made))} was compiled with"
    raise CheckpointError(f"{model}: {wanted}, is not beside it as it was. Use --spec")


def _beside(found: dict[Path, Checkpoint | AnyProgram], spec: Path | None) -> dict[Path, Checkpoint]:
    """The checkpoints that artifacts were compiled from, where they lie beside them as they were."""
    hashes = {source.sha256 for source in found.values() if isinstance(source, Checkpoint)}
    made: dict[Path, Checkpoint] = {}
    seen = set(found)
    for path, program in found.items():
        if isinstance(program, Checkpoint):
            continue
        facts = program.provenance.get("checkpoint", {})
        name, sha256 = facts.get("name", ""), facts.get("sha256")
        beside = path.with_name(name) if name and Path(name).name == name else path
        if sha256 in hashes or beside in seen or not beside.is_file() or beside.suffix in INTEGERS:
            continue
        if beside.suffix in EXPORT_SUFFIXES.values():  # another framework's graph, which is read for its neurons
            continue
        try:
            if not was_made_of(program, beside):
                continue
            seen.add(beside)
            checkpoint = load_checkpoint(beside, spec or _spec(beside, found))
        except FF2LoihiError as error:
            console.warn(f"{beside}: its float net is left out: {error}")
            continue
        if checkpoint.training.get("epochs") != 0 and checkpoint.spec.neuron is None:
            made[beside] = checkpoint
            hashes.add(checkpoint.sha256)
    return made


def _data(found: dict[Path, Checkpoint | AnyProgram], asked: str | None) -> tuple[str, str | None]:
    """(name, sha256) of the data set that all of them name. Raises DataError."""
    if asked:
        return asked, None
    named = {path: named_data(source) for path, source in found.items()}
    known = {(name, sha256): path for path, (name, sha256) in named.items() if name}
    if not known:
        raise DataError(f"{next(iter(found))}: the file does not name a data set. Use --data NAME")
    if len({name for name, _ in known}) > 1:
        told = ", ".join(f"{name} of {path}" for (name, _), path in known.items())
        raise DataError(f"models of different data sets: {told}. Use --data NAME, or a report for each")
    return next(iter(known))
