"""Python processes that we start: they find the modules that we find, and none in the current folder."""

import os
import site
import sys

# No other import: __main__ calls module_folders before it is safe to import anything that is not loaded yet.


def command(code: str, *words: str) -> list[str]:
    """A Python that executes `code`, with `words` in sys.argv[1:]. To be started with `environment()`."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {module_folders()!r}\n{code}", *words]


def environment(**changes: str) -> dict[str, str]:
    """This process's own, without the folders of PYTHONPATH that depend on where a process runs."""
    lasting = [folder for folder in _python_path() if os.path.isabs(folder)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(lasting), **changes}


def module_folders() -> list[str]:
    """sys.path without the current folder, unless that is one where modules are installed, or this package is.

    Python itself puts it there when it is started with -m or -c.
    """
    own = os.path.dirname(sys.modules["ff2loihi"].__path__[0])
    installed = [own, os.path.dirname(os.__file__), *site.getsitepackages(), site.getusersitepackages()]
    if any(os.path.isabs(folder) and _is_here(folder) for folder in (*installed, *_python_path())):
        return [os.path.abspath(folder) for folder in sys.path]
    return [os.path.abspath(folder) for folder in sys.path if not _is_here(folder)]


def _python_path() -> list[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def _is_here(folder: str) -> bool:
    try:
        return os.path.samefile(folder or os.curdir, os.curdir)
    except OSError:  # a folder that is no more
        return not folder
