"""Lets lava-nc 0.10.0 run on Python 3.10 to 3.13, with NumPy 1.26 and 2: four of its modules are changed as they load.

`register` puts a finder before the usual ones; `import lava` then works in any order. Nothing of Lava is imported here,
and its files and their .pyc stay as they are. Lava asks for Python below 3.11 and NumPy below 2: what it needs for
more is in CHANGES, and nothing else.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

VERSION = "0.10.0"
INSTALL = f"uv pip install --no-deps lava-nc=={VERSION} 'asteval<1'"  # pip needs --ignore-requires-python, too

# module -> (a text of its source, how often it is there, what stands there instead)
CHANGES = {
    # Python 3.11 refuses a dataclass field whose default cannot be hashed, and ByteEncoder() is such a default. Only
    # spike encoders of the chip use the class, but every process of Lava imports the module.
    "lava.magma.compiler.var_model": (
        "@dataclass\nclass ByteEncoder:", 1,
        "@dataclass(unsafe_hash=True)\nclass ByteEncoder:",
    ),
    # NumPy 2.4 took away reshape's keyword newshape. By position, the shape is understood by every NumPy.
    "lava.magma.core.process.ports.ports": (
        "ft.partial(np.reshape, newshape=", 2,
        "ft.partial(lambda array, to: np.reshape(array, to), to=",
    ),
    # NumPy 2.4 refuses int() of an array, even of one element: InvSqrt would raise, and stop() would then hang.
    "lava.proc.graded.models": ("inv_sqrt(a_in_data, ", 1, "inv_sqrt(a_in_data.item(), "),
    # Without force this raises "context has already been set" where a Queue or a Lock was made before Lava's import.
    "lava.magma.runtime.message_infrastructure.multiprocessing": (
        "mp.set_start_method('fork')", 1,
        "mp.set_start_method('fork', force=True)",
    ),
}  # fmt: skip


def check_version() -> None:
    """Raise ImportError where lava-nc is installed in another version than VERSION."""
    from importlib.metadata import PackageNotFoundError, version  # 30 ms, for those who use Lava alone

    try:
        found = version("lava-nc")
    except PackageNotFoundError:
        return  # not there, or not from a package: then the text of its modules decides
    if found != VERSION:
        raise ImportError(f"lava-nc {found} is installed, and lava-nc {VERSION} is needed. Install it with: {INSTALL}")


class _ChangedLoader(SourceFileLoader):
    """Loads one of CHANGES from its source alone, so that no .pyc ever holds the changed code."""

    def get_code(self, fullname):
        check_version()
        before, times, after = CHANGES[fullname]
        source = self.get_source(fullname)
        if source is None or source.count(before) != times:
            raise ImportError(f"{self.path} is not that of lava-nc {VERSION}. Install it with: {INSTALL}")
        return self.source_to_code(source.replace(before, after).encode(), self.path)


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _ChangedLoader(name, spec.origin)
        return spec


def register() -> None:
    """From now on, Lava's modules are changed as they are imported."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
