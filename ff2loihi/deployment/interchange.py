"""Artifacts for other frameworks and their graphs for the compiler: netx, NIR, and the rule beside them."""

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np

from ff2loihi.compilers import artifact
from ff2loihi.compilers.errors import ArtifactError, CheckpointError, CompileError
from ff2loihi.compilers.files import read_bytes, write_atomic
from ff2loihi.compilers.formats import hdf5_file
from ff2loihi.compilers.frontend import nir_reader
from ff2loihi.compilers.frontend.checkpoint import checkpoint_of, spec_file
from ff2loihi.compilers.frontend.content import Checkpoint
from ff2loihi.compilers.frontend.spec import read_spec
from ff2loihi.compilers.inference import spiking_chain
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.interchange import netx, netx_reader, nir, rule_file
from ff2loihi.compilers.ir import AnyProgram, Binning, IntNetwork, LearningNetwork, Program
from ff2loihi.compilers.ir.options import LIF
from ff2loihi.compilers.learning import fit as learning_fit


def export(program: AnyProgram, kind: str, path: Path) -> tuple[list[Path], list[str]]:
    """Write `path` in that format, and for a network that learns its rule beside it.

    Returns the files, and what another reader of them would take for something else. Raises CompileError or
    ArtifactError; each file is whole or absent.
    """
    manifest, tensors = artifact.pack(program)
    net, files = program.network, [path]
    learns = isinstance(net, LearningNetwork)
    if kind == "netx":
        data, remarks = netx.to_bytes(net, manifest["sha256"]), netx.remarks(net)
    else:
        data, remarks = nir.to_bytes(net, None if learns else manifest, tensors), nir.remarks(net)
    if learns:
        files.append(rule_path(path))
        rule = rule_file.to_bytes(manifest, learning_fit.engine_strings(net), learning_fit.describe(net))
        write_atomic(files[1], rule, ArtifactError)
    write_atomic(path, data, ArtifactError)
    return files, list(remarks)


def rule_path(path: Path) -> Path:
    """Where the learning rule of an exported network stands."""
    return path.with_suffix(rule_file.SUFFIX)


def read_exported(path: Path) -> AnyProgram:
    """The program in a graph that `export` wrote, bit for bit. Raises CheckpointError or ArtifactError."""
    graph = nir.read(path)
    if graph.manifest is None and not graph.tensors:
        raise CheckpointError(
            f"{path}: not exported by ff2loihi, so it needs --spec spec.yaml, which says what its layers mean "
            f"(docs/guides/foreign-checkpoints.md). Its layers: {', '.join(stage.name for stage in graph.stages)}"
        )
    manifest = graph.manifest or rule_file.read(rule_path(path))
    program, _ = artifact.unpack(path, manifest, nir.tensors_of(path, graph, manifest))
    nir.check_same(path, graph, program.network)
    return program


def read_netx(path: Path, steps: int) -> tuple[Program[IntNetwork], list[str]]:
    """A netx network that anybody wrote, its integers as they are, and what is to be known of it, a line each.

    steps: of a sample, where the file says none. Raises CheckpointError.
    """
    network, remarks = netx_reader.read(path, steps)
    sha256 = hashlib.sha256(read_bytes(path, CheckpointError, netx_reader.KIND)).hexdigest()
    provenance = {
        "checkpoint": {"name": path.name, "sha256": sha256}, "options": {"steps": network.steps}, "remarks": remarks
    }  # fmt: skip
    program = Program(network, (), provenance)
    try:
        artifact.check(program)
    except CompileError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return program, remarks


def read_spiking(path: Path, data: Calibration, dt: float | None = None) -> Program[IntNetwork]:
    """A NIR graph of neurons that was trained on events, as a network that counts its last layer's spikes.

    data: events, of which the binning and the name are taken; dt: a step's length, in place of the graph's. Raises
    CheckpointError.
    """
    graph = nir.read(path)
    if graph.manifest is not None or graph.tensors:
        raise CheckpointError(f"{path}: exported by ff2loihi, whose integers it holds: leave out --calibrate")
    if data.events is None:
        raise CheckpointError(
            f"{path}: without a spec its input is events, {data.data or 'the data'} holds images. Use --calibrate with "
            "a data set of events, or --spec"
        )
    _check_sensor(path, graph.shape, data.events)
    try:
        network = spiking_chain.integers(nir_reader.spiking_layers(path, graph, dt or graph.dt), data.events)
    except CompileError as error:
        raise CheckpointError(f"{path}: {error}") from None
    sha256 = hashlib.sha256(read_bytes(path, CheckpointError, hdf5_file.KIND)).hexdigest()
    checkpoint = {"name": path.name, "sha256": sha256}
    options = {} if dt is None else {"dt": dt}
    return Program(network, (), {"checkpoint": checkpoint, "options": options, "calibration": data.facts})


def _check_sensor(path: Path, shape: tuple[int, ...], events: Binning) -> None:
    """Raise CheckpointError where the graph's input, (n,) or (channels, height, width), is of another size."""
    height, width, channels = events.shape
    taken = shape if len(shape) == 3 else (math.prod(shape),)
    given = (channels, height, width) if len(shape) == 3 else (events.inputs,)
    if taken != given:
        ours, theirs = (" x ".join(map(str, one)) for one in (given, taken))
        raise CheckpointError(
            f"{path}: its input is {theirs}, the events give {ours} (channels, height, width, or all of them). Use "
            "the data set that it was trained on, or --events downsample=K, merged or parts=N"
        )


def load_graph(path: Path, spec_path: Path, dt: float | None = None) -> Checkpoint:
    """Any feed-forward NIR graph as a checkpoint; its neurons are those of the spec, with the graph's decay.

    The spec's layers name tensors NODE.weight and NODE.bias; a convolution's geometry is the node's, the image the
    graph's input. dt: a step's length, in place of the spec's and of the graph's. Raises CheckpointError.
    """
    graph = nir.read(path)
    spec = nir_reader.with_geometry(path, graph, read_spec(spec_path))
    tensors, decay = nir_reader.float_layers(path, graph, nir_reader.step(path, graph, spec, dt))
    nir_reader.check_biases(path, tensors, spec)
    if decay is not None:
        neuron = spec.neuron or LIF(kind="lif")
        spec = spec.model_copy(update={"neuron": neuron.model_copy(update={"decay": decay, "threshold": 1.0})})
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    data = read_bytes(path, CheckpointError, hdf5_file.KIND)
    made = checkpoint_of(path, data, tensors, spec, spec_path.parent, {})
    return dataclasses.replace(made, spec_apart=True, spec_file=spec_file(spec_path))
