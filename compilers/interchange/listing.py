"""What a NIR or netx file holds, whether or not it compiles: its nodes or layers, in the file's own words."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ff2loihi.compilers.errors import CheckpointError, brief
from ff2loihi.compilers.formats.hdf5_file import KIND, datasets, opened

GRAPH, LAYERS = "node", "layer"  # what a NIR file begins with, and a netx file
SHOWN = 12  # numbers of an array that are shown, a shape among them


class Entry(NamedTuple):
    """A node of a graph, or a layer. after: the nodes that it feeds; fields: its arrays' shapes, small ones' values."""

    name: str
    type: str
    after: tuple[str, ...]
    fields: dict[str, str]


def entries(path: Path) -> list[Entry]:
    """In the order of their edges; a graph within a graph by GRAPH.NODE. Raises CheckpointError."""
    with opened(path, CheckpointError, KIND, "no NIR graph and no netx network", ". Export it again") as file:
        if GRAPH not in file and LAYERS not in file:
            held = brief(", ".join(f"{name[1:]} {item.shape}" for name, item in datasets(file)) or "nothing", 250)
            raise CheckpointError(f"{path}: an HDF5 file with no NIR graph and no netx network in it. It holds {held}")
        return list(_layers(file[LAYERS]) if LAYERS in file else _nodes(file[GRAPH], ""))


def _nodes(graph, prefix: str) -> Iterator[Entry]:
    after: dict[str, list[str]] = {name: [] for name in graph["nodes"]}
    for source, target in (map(_text, edge) for edge in graph["edges"][()]):
        after.setdefault(source, []).append(target)
    for name in _from_the_first(after):
        if name not in graph["nodes"]:
            continue  # an edge alone names it
        node = graph["nodes"][name]
        kind = _text(node["type"][()])
        yield Entry(f"{prefix}{name}", kind, tuple(after[name]), dict(_fields(node, ("type", "nodes", "edges"))))
        if kind == "NIRGraph":
            yield from _nodes(node, f"{prefix}{name}.")


def _from_the_first(after: dict[str, list[str]]) -> list[str]:
    """Those that nothing feeds, each with all that it leads to, and at last what only a loop feeds."""
    fed = {target for targets in after.values() for target in targets}
    waiting, found = [name for name in reversed(after) if name not in fed], dict[str, None]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += reversed(after.get(name, []))
    return [*found, *(name for name in after if name not in found)]


def _layers(layers) -> Iterator[Entry]:
    numbered = sorted(layers, key=lambda name: (len(name), name))
    for name, above in zip(numbered, [*numbered[1:], None], strict=True):
        layer = layers[name]
        fields = dict(_fields(layer, ("type",)))
        if "neuron" in layer:
            fields |= {f"neuron.{field}": text for field, text in _fields(layer["neuron"], ())}
        yield Entry(name, _text(np.ravel(layer["type"][()])[0]), (above,) if above else (), fields)


def _fields(group, without: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, item in group.items():
        if name in without or not isinstance(item, h5py.Dataset):
            continue
        if item.size is not None and item.size <= SHOWN and item.ndim < 2:
            values = np.ravel(item[()])
            text = " x ".join if name.endswith(("shape", "_type")) else ", ".join
            yield name, brief(text(_text(value) for value in values))
        else:
            yield name, f"({', '.join(map(str, item.shape))})"


def _text(value) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
