"""LearningDense for the Forward-Forward rules: Lava's arithmetic, only where an input spiked."""

import re

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense

from ff2loihi.processes.learning.fused_layer import ENGINE_SEED
from ff2loihi.processes.learning_rule import decayed, learn_tags, update

DIRECT = re.compile(r"2\^-(\d)\*x0\*y2 - 2\^-(\d)\*x0\*y3")
TAG_UPDATE = re.compile(r"2\^-(\d)\*x0\*y2 - 2\^-(\d)\*x0\*y3 - 2\^-(\d)\*t\*u0")
TAG_APPLY = re.compile(r"2\^-(\d)\*t\*u0")


def rule_strings(exponent: int, tag: tuple[int, int] | None) -> tuple[str, str | None]:
    """(dw, dt) for Lava. tag: exponents of dt's update and decay, or None for dw on the post traces themselves."""
    if tag is None:
        return f"2^-{exponent}*x0*y2 - 2^-{exponent}*x0*y3", None
    return f"2^-{exponent}*t*u0", f"2^-{tag[0]}*x0*y2 - 2^-{tag[0]}*x0*y3 - 2^-{tag[1]}*t*u0"


def exponents(dw: str, dt: str | None) -> tuple[int, tuple[int, int] | None]:
    """The inverse of rule_strings. Raises ValueError for any other rule."""
    dw, dt = dw.strip("\0 "), (dt or "").strip("\0 ")
    if not dt and (found := DIRECT.fullmatch(dw)) and found[1] == found[2]:
        return int(found[1]), None
    apply, change = TAG_APPLY.fullmatch(dw), TAG_UPDATE.fullmatch(dt)
    if apply and change and change[1] == change[2]:
        return int(apply[1]), (int(change[1]), int(change[3]))
    raise ValueError(f"not a Forward-Forward rule: dw = {dw!r}, dt = {dt!r}")


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPlasticModel(PyLearningDenseModelBitApproximate):
    """Chosen through a run configuration's exception_proc_model_map; bit-identical to Lava's own model."""

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        rule = proc_params["learning_rule"]
        self.engine = np.random.default_rng(ENGINE_SEED)
        self.trace_engine = np.random.default_rng(rule.rng_seed + 2)
        self.engine.random()
        self.trace_engine.random()
        self.rule = exponents(rule.dw_str, rule.dt_str)

    def on_var_update(self) -> None:
        self.rule = exponents(self.dw, self.dt)

    def run_spk(self) -> None:
        if not self.weights_set:
            self.weights = self.weights >> 1 << 1
            self.weights_set = True
        self.a_out.send(self.a_buff)
        self.spiked = np.flatnonzero(self.s_in.recv())
        self.a_buff = self.weights[:, self.spiked].sum(axis=1)
        self.s_in_bap.recv()
        self.y1 = self.s_in_y1.recv()
        self.y2, self.y3 = self.s_in_y2.recv(), self.s_in_y3.recv()

    def run_lrn(self) -> None:
        u, (_, draw) = self.engine.random(), self.trace_engine.random(2)
        self.y2, self.y3 = decayed(self.y2, draw), decayed(self.y3, draw)
        exponent, tag_exponents = self.rule
        if tag_exponents is None:
            if self.y2.any() or self.y3.any():
                columns = self.weights[:, self.spiked]
                self.weights[:, self.spiked] = update(columns.T, self.y2, self.y3, exponent, u).T
            return
        learn_tags(self.weights, self.tag_1, self.spiked, self.y2, self.y3, exponent, tag_exponents, u)
