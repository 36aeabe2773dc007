"""The source tree as the house tests read it: paths, text and imports; nothing is executed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAPPED = {"compilers": "ff2loihi.compilers", "processes": "ff2loihi.processes"}  # folder: package


@dataclass(frozen=True)
class Source:
    path: str  # from the root of the tree, e.g. compilers/ir.py
    module: str  # as it is imported, e.g. ff2loihi.compilers.ir
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def storey(self) -> str:
        return self.path.split("/")[0]

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every absolute name that an import anywhere in the file may load, and its line.

        `from a.b import c` gives a.b and a.b.c, since c may be a module; import_module("a.b") counts, too.
        """
        package = self.module if self.path.endswith("__init__.py") else self.module.rpartition(".")[0]
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    yield from ((alias.name, node.lineno) for alias in names)
                case ast.ImportFrom(module=module, names=names, level=level):
                    parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                    base = ".".join([*parents, *([module] if module else [])])
                    yield base, node.lineno
                    yield from ((f"{base}.{alias.name}", node.lineno) for alias in names)
                case ast.Call(
                    func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    yield name, node.lineno

    def imports_of(self, *packages: str) -> list[str]:
        """`path:line imports name` for each import of these packages or of something inside them."""
        return [
            f"{self.path}:{line} imports {name}"
            for name, line in self.imports()
            if any(name == package or name.startswith(package + ".") for package in packages)
        ]


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join((MAPPED.get(parts[0], parts[0]), *parts[1:]))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def everything() -> tuple[Source, ...]:
    """Every .py file of the project, each once (the two symlinks are not followed)."""
    found = []
    for top in ("ff2loihi", "compilers", "processes", "sim_tests", "examples"):
        for path in sorted((ROOT / top).glob("**/*.py")):
            relative = path.relative_to(ROOT)
            if relative.parts[:2] not in {("ff2loihi", "compilers"), ("ff2loihi", "processes")}:
                found.append(Source(relative.as_posix(), module_name(relative), path.read_text(encoding="utf-8")))
    return tuple(found)


@pytest.fixture(scope="session")
def sources(everything: tuple[Source, ...]) -> tuple[Source, ...]:
    """What is shipped: the three storeys."""
    return tuple(source for source in everything if source.storey in {"ff2loihi", "compilers", "processes"})
