"""Which model Lava's simulator runs for each process, without Lava's own search.

That search starts anew for every process of a graph and executes each file beside it once a file: 462 module executions
for a process of ours, 6 s for a small network. Every model that we use lies in its process's own file or, in the
library, in `models.py` beside `process.py`. Lava's own rules choose among them.
"""

import importlib
import sys

from lava.magma.core.model.model import AbstractProcessModel
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg


def run_config(**rules) -> Loihi2SimCfg:
    """Loihi2SimCfg(select_tag="fixed_pt", **rules) that is told its models instead of searching them."""
    config = Loihi2SimCfg(select_tag="fixed_pt")
    config.exception_proc_model_map = _Models(Loihi2SimCfg(select_tag="fixed_pt", **rules))
    return config


class _Models(dict):
    """{process: its model}, filled when Lava asks: a hierarchical process makes others while Lava compiles it."""

    def __init__(self, rules: Loihi2SimCfg) -> None:
        super().__init__()
        self.rules = rules

    def __contains__(self, process: object) -> bool:
        return True

    def __missing__(self, process: AbstractProcess) -> type[AbstractProcessModel]:
        self[process] = self.rules.select(process, _models_of(type(process)))
        return self[process]


def _models_of(kind: type[AbstractProcess]) -> list[type[AbstractProcessModel]]:
    home = sys.modules[kind.__module__]
    homes = [home]
    if home.__name__.endswith(".process"):
        homes.append(importlib.import_module(f"{home.__package__}.models"))
    return [
        found
        for module in homes
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, AbstractProcessModel)
        and found.implements_process is kind
        and found.__module__ == module.__name__
    ]
