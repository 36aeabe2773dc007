"""YAML as people write it by hand: plain values in lists and mappings, nothing that grows when it is read."""

from collections import Counter
from pathlib import Path

import yaml

from ff2loihi.compilers.errors import FF2LoihiError, brief, shortened
from ff2loihi.compilers.files import read_bytes

LIMIT = 100_000  # bytes; a spec has some hundreds, the shipped chip table 2,400
DEPTH = 20  # of lists and mappings in each other


class _Refused(Exception):
    """YAML that would be understood, and is not taken."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(f"line {mark.line + 1}: {problem}")


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused("an alias or its anchor (* or &): write the value out", event.start_mark)
        if self.depth == DEPTH:
            raise _Refused(f"nested deeper than {DEPTH} lists and mappings", event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            counts = Counter(self.construct_object(key, True) for key, _ in node.value)
            [(twice, _)] = counts.most_common(1)
            raise _Refused(f"the key {shortened(twice)} twice: keep one", node.start_mark)
        return mapping


def read(path: Path, error: type[FF2LoihiError], wanted: str) -> object:
    """The content of a YAML file. Raises `error`, in one line; wanted: what the file should be."""
    data = read_bytes(path, error, wanted, LIMIT)
    try:
        return yaml.load(data.decode("utf-8"), _Loader)  # a SafeLoader
    except _Refused as failure:
        raise error(f"{path}: {failure}") from None
    except yaml.MarkedYAMLError as failure:
        line = f"line {failure.problem_mark.line + 1}: " if failure.problem_mark else ""
        raise error(f"{path}: not YAML: {line}{brief(failure.problem, 120)}") from None
    except Exception as failure:  # from text to value by !!int, a date, ...: each kind raises another
        raise error(f"{path}: not YAML: {brief(failure, 120)}") from None
