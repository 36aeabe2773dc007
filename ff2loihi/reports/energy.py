"""Energy and time of a sample on a board, as bands: what is known of the chips leaves no single figure.

dynamic = synaptic operations, neuron updates, spikes and hops, weight updates, and cores at work in a step, each its
count times its cost;
step = barrier + the busiest core's neuron updates, operations and weight updates; static = power times time.
Spikes from and to the host are not counted: neither their energy nor the wait for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ff2loihi.processes import costs
from ff2loihi.processes.limits import Cost, Limit
from ff2loihi.reports.events import Counts

Certainty = Literal["published", "derived", "assumed"]
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)  # the last one among a row's figures is the row's


@dataclass(frozen=True)
class Row:
    """A band of one part. part: chip, board or both; kind: dynamic, static, time or total; unit: mJ or ms, a sample."""

    what: str
    part: str
    kind: str
    low: float
    high: float
    unit: str
    certainty: str
    source: str


@dataclass(frozen=True)
class Estimate:
    """A sample's rows; step_us: the band of one time step."""

    rows: tuple[Row, ...]
    step_us: tuple[float, float]

    def band(self, what: str) -> tuple[float, float]:
        """(low, high) of a row, in its unit."""
        row = next(row for row in self.rows if row.what == what)
        return row.low, row.high


def estimate(found: Counts, generation: int, chips: int, board_chips: int) -> Estimate:
    """The bands of a sample whose events are `found`, on `chips` chips of a board that has `board_chips`."""
    cost = costs.GENERATIONS[generation]
    hops = _times(cost["hop"], costs.HOPS)
    rows = [
        _energy("synaptic operations", *found.synaptic_ops, cost["synaptic operation"]),
        _energy("neuron updates", found.neuron_updates, found.neuron_updates, cost["neuron update"]),
        _energy("spikes on the chip", found.spikes, found.copies, _sum(cost["spike in a tile"], hops)),
        _energy("spikes between chips", found.crossings, found.crossings, _times(cost["hop"], costs.CHIP_HOP)),
        _energy("cores at work", found.steps * found.cores, found.steps * found.cores, cost["core step"]),
        _energy("weight updates", *found.synaptic_updates, cost["synaptic update"]),
    ]
    rows = [row for row in rows if row.high]
    dynamic = _total("dynamic", "chip", "dynamic", rows)
    step = _step(found, cost, chips)
    ms = _scaled(step, found.steps * 1e-6, "time", "ms")
    static = _powered("static", "chip", costs.CHIP_STATIC_W[generation], chips, ms)
    chip = _total("chip", "chip", "total", [dynamic, static])
    board = _powered("board", "board", costs.BOARD_W[generation], board_chips, ms)
    total = _total("chip and board", "both", "total", [chip, board])
    return Estimate((*rows, dynamic, static, chip, board, total, ms), (step.low / 1e3, step.high / 1e3))


def _energy(what: str, least: float, most: float, cost: Cost) -> Row:
    """Counts times pJ, in mJ."""
    return Row(what, "chip", "dynamic", least * cost.low.value * 1e-9, most * cost.high.value * 1e-9, "mJ",
               _worst(cost), _sources(cost))  # fmt: skip


def _step(found: Counts, cost: dict[str, Cost], chips: int) -> Row:
    """ns of one time step: the slowest core, then the barrier; over several chips, at most one barrier a chip."""
    parts = [
        (found.core_neurons, found.core_neurons, cost["neuron update time"]),
        (found.core_ops, found.core_ops, cost["synaptic operation time"]),
        (*found.core_updates, cost["synaptic update time"]),
    ]
    used = [(least, most, each) for least, most, each in parts if most]
    low = cost["barrier"].low.value + sum(least * each.low.value for least, _, each in used)
    high = chips * cost["barrier"].high.value + sum(most * each.high.value for _, most, each in used)
    figures = [cost["barrier"], *(each for *_, each in used)]
    certainty = "assumed" if chips > 1 else max((_worst(each) for each in figures), key=CERTAINTIES.index)
    return Row("step", "chip", "time", low, high, "ns", certainty, "; ".join(dict.fromkeys(map(_sources, figures))))


def _scaled(row: Row, factor: float, what: str, unit: str) -> Row:
    return Row(what, row.part, row.kind, row.low * factor, row.high * factor, unit, row.certainty, row.source)


def _powered(what: str, part: str, power: Cost, chips: int, ms: Row) -> Row:
    """W times ms are mJ."""
    low, high = chips * power.low.value * ms.low, chips * power.high.value * ms.high
    certainty = max(_worst(power), ms.certainty, key=CERTAINTIES.index)
    return Row(what, part, "static", low, high, "mJ", certainty, _sources(power))


def _total(what: str, part: str, kind: str, rows: list[Row]) -> Row:
    certainty = max((row.certainty for row in rows if row.high), key=CERTAINTIES.index, default="derived")
    low, high = sum(row.low for row in rows), sum(row.high for row in rows)
    return Row(what, part, kind, low, high, "mJ", certainty, "the sum of its parts")


def _combined(one: Cost, other: Cost, how: Callable[[float, float], float], unit: str) -> Cost:
    ends = []
    for a, b in zip(one, other, strict=True):
        ends.append(Limit(how(a.value, b.value), unit, _weakest(a.certainty, b.certainty), f"{a.source}; {b.source}"))
    return Cost(*ends)


def _sum(one: Cost, other: Cost) -> Cost:
    return _combined(one, other, lambda a, b: a + b, one.low.unit)


def _times(one: Cost, other: Cost) -> Cost:
    return _combined(one, other, lambda a, b: a * b, one.low.unit)


def _worst(cost: Cost) -> Certainty:
    return _weakest(cost.low.certainty, cost.high.certainty)


def _weakest(*certainties: Certainty) -> Certainty:
    return CERTAINTIES[max(map(CERTAINTIES.index, certainties))]


def _sources(cost: Cost) -> str:
    return " to ".join(dict.fromkeys(end.source for end in cost))
