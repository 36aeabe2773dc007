"""The learning rule in float: Hebbian FFA (Terres-Escudero 2024), the twin that the integer rule is measured against.

Each step t of a presentation, input spikes x (inputs,), weights w (inputs, n), vth = 1:

    v = decay v + x w, z = v > 1, v = 0 where z                        LIF, hard reset
    r = r + z (relu, eq. 13); leak r + z (li, eq. 11); 1 where z, leak r elsewhere (hard-li, eq. 12)
    G+, G- = sums of r^2 over the + and the - neurons, G = G+ + G-

and in the window, the presentation's last steps, with sign s = +1 for a positive sample, -1 for a negative one:

    sigmoid, eq. 5:   P = sigmoid(alpha (G - theta)), m = 1 - P (s = +1) or -P (s = -1) for all neurons
    symmetric, eq. 6: P = G+ / G, e = 1 - P (s = +1) or P (s = -1), m = s e / (G+ + theta) on + neurons and
                      -s e / (G- + theta) on - neurons; theta = 0 gives eq. 6, theta > 0 bounds it
    with a target, ours: d = clip(1 - G / target, -1/4, 1/4), m (1 + d) where m > 0, m (1 - d) where m < 0
    e_ij = tau_e e_ij + (1 - tau_e) mean_k x_i m_j r_j                 eq. 7, the mean over K samples
    w_ij = w_ij + eta e_ij                                             eq. 8
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor

BALANCE_MAX = 0.25
DECAY = 0.85  # of v and of the leaky traces, a step: the paper's
TRACES = ("relu", "li", "hard-li")


@dataclass(frozen=True)
class FloatRule:
    """The constants of the equations above; window [steps]."""

    probability: Literal["sigmoid", "symmetric"]
    trace: Literal["relu", "li", "hard-li"]
    eta: float
    tau_e: float
    theta: float
    alpha: float = 1.0
    target: float = np.inf  # G that the balance holds; inf: no balance
    window: int = 9

    @property
    def constants(self) -> tuple:
        """What the kernels take: (sigmoid, trace, eta, tau_e, theta, alpha, target, window)."""
        sigmoid = self.probability == "sigmoid"
        trace = TRACES.index(self.trace)
        return sigmoid, trace, self.eta, self.tau_e, self.theta, self.alpha, self.target, self.window


def modulation(r: Tensor, positive: Tensor, sign: int, rule: FloatRule) -> Tensor:
    """m (K, n) of traces r (K, n); positive (n,) bool: the + neurons; sign: of the sample."""
    squares = r.square()
    plus, total = (squares * positive).sum(-1, keepdim=True), squares.sum(-1, keepdim=True)
    balance = (1 - total / rule.target).clamp(-BALANCE_MAX, BALANCE_MAX) if rule.target < np.inf else 0
    if rule.probability == "sigmoid":
        p = torch.sigmoid(rule.alpha * (total - rule.theta))
        m = (1 - p) if sign > 0 else -p
        return (m * (1 + sign * balance)).expand_as(r)
    own = torch.where(positive, plus, total - plus)
    p = plus / total.clamp_min(1e-30)
    error = 1 - p if sign > 0 else p
    direction = sign * (2 * positive.to(r.dtype) - 1)
    return (direction + balance) * error / (own + rule.theta).clamp_min(1e-30)


class BatchedTwin:
    """K samples at a time, in torch; weight and eligibility (inputs, n)."""

    def __init__(self, weight: np.ndarray, positive: np.ndarray, rule: FloatRule, dtype=torch.float32) -> None:
        self.rule, self.positive = rule, torch.tensor(positive)
        self.w = torch.tensor(weight, dtype=dtype)
        self.e = torch.zeros_like(self.w)

    @property
    def weight(self) -> np.ndarray:
        """(inputs, n) float64."""
        return self.w.double().numpy()

    def set_eta(self, eta: float) -> None:
        """The learning rate from here on."""
        self.rule = replace(self.rule, eta=eta)

    def present(self, spikes: np.ndarray, sign: int) -> None:
        """Learn from spikes (steps, K, inputs) bool, all positive (sign 1) or all negative (-1) samples."""
        rule = self.rule
        steps, size, _ = spikes.shape
        x = torch.from_numpy(spikes)
        v = torch.zeros(size, self.w.shape[1], dtype=self.w.dtype)
        r = torch.zeros_like(v)
        still = steps - rule.window
        ahead = self._drive(x[:still].flatten(0, 1)).unflatten(0, (still, size))
        for step in range(steps):
            v.mul_(DECAY).add_(ahead[step] if step < still else self._drive(x[step]))
            z = v > 1
            v.masked_fill_(z, 0)
            if rule.trace != "relu":
                r.mul_(DECAY)
            if rule.trace == "hard-li":
                r.masked_fill_(z, 1)
            else:
                r.add_(z)
            if step >= still:
                post = modulation(r, self.positive, sign, rule) * r
                self.e.mul_(rule.tau_e).addmm_(x[step].T.to(post), post, alpha=(1 - rule.tau_e) / len(post))
                self.w.add_(self.e, alpha=rule.eta)

    def _drive(self, x: Tensor) -> Tensor:
        """x w for x (samples, inputs) bool: the sum of the rows that spike."""
        sample, rows = x.nonzero(as_tuple=True)
        starts = torch.searchsorted(sample, torch.arange(len(x)))
        return F.embedding_bag(rows, self.w, starts, mode="sum")


class OnlineTwin:
    """One sample at a time, event-driven: a row of weights is brought up to date when its input spikes.

    A row without a spike for k learning steps owes w += eta e (tau + ... + tau^k) and e *= tau^k.
    """

    def __init__(self, weight: np.ndarray, positive: np.ndarray, rule: FloatRule) -> None:
        self.rule, self.positive = rule, positive
        self._w = np.ascontiguousarray(weight, dtype=np.float64)
        self._e = np.zeros_like(self._w)
        self._seen = np.zeros(len(weight), np.int64)  # learning steps that each row has taken
        self._clock = np.zeros(1, np.int64)

    @property
    def weight(self) -> np.ndarray:
        """(inputs, n) float64, every row up to date."""
        _settle(self._w, self._e, self._seen, self._clock, self.rule.eta, self.rule.tau_e)
        return self._w

    def set_eta(self, eta: float) -> None:
        """The learning rate from here on; what rows owe is paid at the old one."""
        _settle(self._w, self._e, self._seen, self._clock, self.rule.eta, self.rule.tau_e)
        self.rule = replace(self.rule, eta=eta)

    def present(self, spikes: np.ndarray, sign: int) -> None:
        """Learn from spikes (steps, 1, inputs) bool, a positive (sign 1) or a negative (-1) sample."""
        _present(
            self._w, self._e, self._seen, self._clock, spikes[:, 0], self.positive, sign, DECAY, self.rule.constants
        )


def candidates(
    weight: np.ndarray, positive: np.ndarray, rule: FloatRule, spikes: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """(G+, G-) of an image under every label, (classes, 2), nothing learned.

    spikes (steps, inputs) bool: every label input as if its code bit were set; codes (classes, label inputs) bool.
    """
    result = np.empty((len(codes), 2))
    _candidates(weight, positive, DECAY, rule.constants[1], spikes, codes, result)
    return result


@njit(cache=True, nogil=True)
def _catch_up(w, e, seen, clock, eta, tau, i):
    k = clock - seen[i]
    if k:
        kept = tau**k
        moved = eta * tau * (1 - kept) / (1 - tau)
        for j in range(w.shape[1]):
            w[i, j] += moved * e[i, j]
            e[i, j] *= kept
        seen[i] = clock


@njit(cache=True, nogil=True)
def _settle(w, e, seen, clock, eta, tau):
    for i in range(w.shape[0]):
        _catch_up(w, e, seen, clock[0], eta, tau, i)


@njit(cache=True, nogil=True)
def _integrate(v, r, a, decay, trace):
    for j in range(v.shape[0]):
        x = decay * v[j] + a[j]
        z = x > 1
        v[j] = 0 if z else x
        kept = r[j] if trace == 0 else decay * r[j]
        if trace == 2:
            r[j] = 1 if z else kept
        else:
            r[j] = kept + z


@njit(cache=True, nogil=True)
def _sums(r, positive):
    plus, minus = 0.0, 0.0
    for j in range(r.shape[0]):
        if positive[j]:
            plus += r[j] * r[j]
        else:
            minus += r[j] * r[j]
    return plus, minus


@njit(cache=True, nogil=True)
def _modulation(plus, minus, sign, sigmoid, theta, alpha, target):
    balance = 0.0
    if target < np.inf:
        balance = min(BALANCE_MAX, max(-BALANCE_MAX, 1 - (plus + minus) / target))
    if sigmoid:
        p = 1 / (1 + np.exp(-alpha * (plus + minus - theta)))
        m = (1 - p if sign > 0 else -p) * (1 + sign * balance)
        return m, m
    p = plus / max(plus + minus, 1e-30)
    error = 1 - p if sign > 0 else p
    return (sign + balance) * error / max(plus + theta, 1e-30), (balance - sign) * error / max(minus + theta, 1e-30)


@njit(cache=True, nogil=True)
def _present(w, e, seen, clock, spikes, positive, sign, decay, constants):
    sigmoid, trace, eta, tau, theta, alpha, target, window = constants
    steps, inputs, n = spikes.shape[0], w.shape[0], w.shape[1]
    v, r, a, post = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    rows = np.zeros(inputs, np.int64)
    for step in range(steps):
        count = 0
        a[:] = 0
        for i in range(inputs):
            if spikes[step, i]:
                rows[count] = i
                count += 1
                _catch_up(w, e, seen, clock[0], eta, tau, i)
                for j in range(n):
                    a[j] += w[i, j]
        _integrate(v, r, a, decay, trace)
        if step < steps - window:
            continue
        plus, minus = _sums(r, positive)
        m_plus, m_minus = _modulation(plus, minus, sign, sigmoid, theta, alpha, target)
        for j in range(n):
            post[j] = (1 - tau) * (m_plus if positive[j] else m_minus) * r[j]
        clock[0] += 1
        for k in range(count):
            i = rows[k]
            seen[i] = clock[0]
            for j in range(n):
                e[i, j] = tau * e[i, j] + post[j]
                w[i, j] += eta * e[i, j]


@njit(cache=True, nogil=True)
def _candidates(w, positive, decay, trace, spikes, codes, result):
    steps, n, pixels = spikes.shape[0], w.shape[1], w.shape[0] - codes.shape[1]
    drive = np.zeros((steps, n))
    for step in range(steps):
        for i in range(pixels):
            if spikes[step, i]:
                for j in range(n):
                    drive[step, j] += w[i, j]
    a = np.zeros(n)
    for label in range(codes.shape[0]):
        v, r = np.zeros(n), np.zeros(n)
        for step in range(steps):
            a[:] = drive[step]
            for i in range(codes.shape[1]):
                if codes[label, i] and spikes[step, pixels + i]:
                    for j in range(n):
                        a[j] += w[pixels + i, j]
            _integrate(v, r, a, decay, trace)
        result[label] = _sums(r, positive)
