"""Figures as inline SVG: numbers in, markup out. Colours are classes of the page's style sheet, dark and light.

Whatever is drawn is readable without its colour: a class is its number, a population its letter, a threshold dashed.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup

from ff2loihi.compilers.board.placement import Mapping, shares
from ff2loihi.learning.snapshots import Snapshots, averaged
from ff2loihi.page.moments import Moment

WIDTH = 320  # of a figure, in units that are pixels of a narrow screen
COLOURS = 8  # of populations and classes, told apart by colour-blind people; behind them it starts again
ROWS = 100  # neurons of a raster
SPIKES = 5000  # of a sample that are drawn one by one
LEVELS = 4  # of a weight's or a pixel's magnitude
SIDE = 50  # squares of a picture's longer side: about the pixels that each of those beside one another has
CORES = 16  # in a row of a chip, as `map` draws them
CHIPS = 4  # that are drawn
BINS = 24
SIDES = 8  # pictures of weights beside one another at their largest


def svg(width: float, height: float, body: Iterable[Markup], what: str, style: str = "figure") -> Markup:
    """A figure; what: its text for those who do not see it."""
    head = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        style, _n(width), _n(height), what
    )
    return head + Markup("").join(body) + Markup("</svg>")


def interval(share: float, error: float, least: float, what: str) -> Markup:
    """A share on an axis from `least` to 1, with its error to both sides."""
    left, middle, right = (
        100 * (min(max(end, least), 1) - least) / (1 - least) for end in (share - error, share, share + error)
    )
    inside = Markup(
        '<rect class="track" width="100" height="8"/><rect class="error" x="{}" y="2.5" width="{}" height="3"/>'
        '<rect class="fill" x="{}" width="2" height="8"/>'
    )
    return svg(100, 8, [inside.format(_n(left), _n(right - left), _n(min(max(middle - 1, 0), 98)))], what, "bar")


def band(low: float, high: float, least: float, most: float, what: str) -> Markup:
    """low..high on a logarithmic axis from least to most, all above 0."""
    span = math.log(most / least) or 1.0
    left, right = (100 * math.log(end / least) / span for end in (low, high))
    inside = Markup('<rect class="track" width="100" height="8"/><rect class="fill" x="{}" width="{}" height="8"/>')
    return svg(100, 8, [inside.format(_n(left), _n(max(right - left, 1)))], what, "bar")


def columns(values: Sequence[float], labels: Sequence[str], marked: int | None, what: str) -> Markup:
    """A column a value, from 0; the marked one is the true label's."""
    low, high = min(0.0, *values), max(0.0, *values)
    span, step = (high - low) or 1.0, WIDTH / len(values)
    body = []
    for index, (value, label) in enumerate(zip(values, labels, strict=True)):
        top, height = 90 * (high - max(value, 0)) / span, 90 * abs(value) / span
        own = "true" if index == marked else "fill"
        body.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>').format(
                own, _n(index * step + 0.1 * step), _n(top), _n(0.8 * step), _n(max(height, 0.5)), label, f"{value:.4g}"
            )
        )
        if len(values) <= 20 or index % 5 == 0:
            body.append(_text(index * step + step / 2, 104, label, "middle", "true-text" if own == "true" else "tick"))
    return svg(WIDTH, 108, body, what)


def histogram(values: np.ndarray, what: str) -> Markup:
    """How often values fall into BINS equal parts of their range, whose ends stand below."""
    counts, edges = np.histogram(values, BINS)
    step, most = WIDTH / BINS, max(int(counts.max()), 1)
    path = "".join(
        f"M{_n(i * step)} 50V{_n(50 - 48 * count / most)}h{_n(step - 1)}V50z" for i, count in enumerate(counts) if count
    )
    ends = [_text(0, 62, f"{edges[0]:.3g}", "start"), _text(WIDTH, 62, f"{edges[-1]:.3g}", "end")]
    return svg(WIDTH, 66, [Markup('<path class="fill" d="{}"/>').format(path), *ends], what)


def scatter(places: np.ndarray, labels: np.ndarray, what: str) -> Markup:
    """Each sample as the number of its class, in the class's colour."""
    low, span = places.min(0), np.maximum(np.ptp(places, axis=0), 1e-9)
    spots = (places - low) / span * (WIDTH - 20) + 10
    body = []
    for label in np.unique(labels).tolist():
        members = [_text(x, y + 3, str(label), "middle", None) for x, y in spots[labels == label]]
        body += [Markup('<g class="c{}">').format(label % COLOURS), *members, Markup("</g>")]
    return svg(WIDTH, WIDTH, body, what, "figure scatter")


def image(pixels: np.ndarray, shape: tuple[int, int, int], what: str) -> Markup:
    """An image (pixels,) uint8 of shape (height, width, channels), its channels' mean, black as nothing."""
    grey = pixels.reshape(shape).mean(2) / 255
    return svg(shape[1], shape[0], _levels(grey, "ink"), what, "thumb")


def block(height: int, width: int) -> int:
    """How many pixels each way are drawn as one square, so that neither side has more than SIDE."""
    return math.ceil(max(height, width) / SIDE)


def sensor(spikes: np.ndarray, channels: int, what: str) -> Markup:
    """Spikes (steps, height, width, polarities parts) summed over the steps, a picture a polarity side by side, on one
    scale; channels: polarities. Of a large sensor, `block` pixels each way are one square."""
    _, height, width, _ = spikes.shape
    size = block(height, width)
    each = spikes.sum(0).reshape(height, width, channels, -1).sum(3)
    sums = averaged(each.transpose(2, 0, 1), size, size).transpose(1, 2, 0)
    (height, width, _), body = sums.shape, []
    for channel in range(channels):
        body += [
            Markup('<g transform="translate({} 0)"><title>polarity {}</title>').format(channel * (width + 1), channel),
            Markup('<rect class="track" width="{}" height="{}"/>').format(width, height),
            *_levels(sums[..., channel] / (sums.max() or 1), "ink"),
            Markup("</g>"),
        ]
    return svg(channels * (width + 1) - 1, height, body, what)


def inputs(spikes: np.ndarray, what: str) -> Markup:
    """A dash a spike of a sample (steps, inputs): steps to the right, an input a row, of very many spikes those of
    every k-th input."""
    every = math.ceil(np.count_nonzero(spikes) / SPIKES) or 1
    shown = spikes[:, ::every]
    steps, n = shown.shape
    high = min(160 / n, 8)
    some = "" if every == 1 else f", 1 of {every} inputs drawn"
    text = f"{np.count_nonzero(spikes):,} spikes of {spikes.shape[1]:,} inputs in {steps} steps{some}"
    return svg(WIDTH, 18 + n * high, [_text(0, 11, text, "start"), *_dashes(shown, 14, high)], what)


def fields(weights: np.ndarray, names: Sequence[str], what: str) -> Markup:
    """The weights (neurons, height, width) of each neuron over the image: positive and negative in two colours, each
    neuron on its own scale."""
    neurons, height, width = weights.shape
    across = 6
    body = []
    for index in range(neurons):
        x, y = (index % across) * (width + 1), (index // across) * (height + 1)
        size = np.abs(weights[index]).max() or 1.0
        body += [
            Markup('<g transform="translate({} {})"><title>{}</title>').format(x, y, names[index]),
            Markup('<rect class="track" width="{}" height="{}"/>').format(width, height),
            *_levels(weights[index] / size, "plus"),
            *_levels(-weights[index] / size, "minus"),
            Markup("</g>"),
        ]
    rows = math.ceil(neurons / across)
    return svg(across * (width + 1) - 1, rows * (height + 1) - 1, body, what)


def history(kept: Snapshots, what: str) -> Markup:
    """A row a neuron, a column a moment, the weights over the image on one scale of both signs, which stands below."""
    moments, neurons, height, width = kept.weights.shape
    left, top, most = 34, 16, max(int(np.abs(kept.weights).max()), 1)
    wide = (WIDTH - left) / moments
    side = min(wide, WIDTH / SIDES) - 2
    high = float(np.clip(side * height / width, side / 3, 2 * side))
    body = [_text(left + (column + 0.5) * wide - 1, 11, _short(count), "middle")
            for column, count in enumerate(kept.samples)]  # fmt: skip
    for row, neuron in enumerate(kept.neurons):
        y = top + row * (high + 2)
        body.append(_text(left - 4, y + high / 2 + 4, str(neuron), "end"))
        for column, count in enumerate(kept.samples):
            body += [
                Markup('<g transform="translate({} {}) scale({:.4g} {:.4g})"><title>{}</title>').format(
                    _n(left + (column + 0.5) * wide - side / 2 - 1), _n(y), side / width, high / height,
                    f"neuron {neuron}, {count:,} samples",
                ),
                Markup('<rect class="track" width="{}" height="{}"/>').format(width, height),
                *_levels(kept.weights[column, row] / most, "plus"),
                *_levels(-kept.weights[column, row] / most, "minus"),
                Markup("</g>"),
            ]  # fmt: skip
    y = top + neurons * (high + 2) + 6
    return svg(WIDTH, y + 28, [*body, *_scale(left, y, most)], what)


def _scale(left: float, top: float, most: int) -> list[Markup]:
    """The colours of -most..most."""
    wide, found = 14, []
    for place, level in enumerate(range(-LEVELS, LEVELS + 1)):
        style = "plus" if level > 0 else "minus"
        found.append(Markup('<rect class="{}" x="{}" y="{}" width="{}" height="10"/>').format(
            f"{style} l{abs(level)}" if level else "track", left + place * wide, _n(top), wide
        ))  # fmt: skip
        if not level % LEVELS:
            value = most * level // LEVELS
            found.append(_text(left + (place + 0.5) * wide, top + 22, f"{value:+}" if value else "0", "middle"))
    return [*found, _text(left + (2 * LEVELS + 1) * wide + 6, top + 9, "weight units", "start")]


def _short(count: int) -> str:
    """A count of samples in five characters."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def _levels(values: np.ndarray, style: str) -> list[Markup]:
    """A path for each of LEVELS levels of values in 0..1, made of runs of equal pixels; what is below 0 is left out."""
    level = np.rint(np.clip(values, 0, 1) * LEVELS).astype(int)
    found = []
    for one in range(1, LEVELS + 1):
        runs = []
        for y, row in enumerate(level == one):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
            runs += [f"M{a} {y}h{b - a}v1h-{b - a}z" for a, b in edges.reshape(-1, 2).tolist()]
        if runs:
            found.append(Markup('<path class="{} l{}" d="{}"/>').format(style, one, "".join(runs)))
    return found


def raster(moments: Sequence[Moment], firing: Sequence[Sequence[int]], what: str) -> Markup:
    """A dot a spike: steps to the right, the layers below one another, of each the neurons in `firing`, of many every
    k-th."""
    body, top = [], 14.0
    for moment, rows in zip(moments, firing, strict=True):
        spikes = moment.spikes
        assert spikes is not None
        every = math.ceil(len(rows) / ROWS) or 1
        shown = spikes[:, list(rows)[::every]]
        n = shown.shape[1]
        high = min(max(1.0, 100 / max(n, 1)), 8)
        some = "" if every == 1 else f", 1 of {every} drawn"
        body.append(_text(0, top - 3, f"{moment.layer}: {len(rows)} of {spikes.shape[1]} neurons spike{some}", "start"))
        body += _dashes(shown, top, high)
        top += n * high + 18
    return svg(WIDTH, top - 14, body, what)


def _dashes(spikes: np.ndarray, top: float, high: float) -> list[Markup]:
    """A dash for each spike of (steps, n), on rows so high."""
    steps, n = spikes.shape
    wide = WIDTH / steps
    marks = "".join(
        f"M{_n(step * wide)} {_n(top + (row + 0.5) * high)}h{_n(max(0.8 * wide, 1))}"
        for step, row in np.argwhere(spikes).tolist()
    )
    return [
        Markup('<rect class="track" y="{}" width="320" height="{}"/>').format(_n(top), _n(n * high)),
        Markup('<path class="spikes" stroke-width="{}" d="{}"/>').format(_n(max(0.8 * high, 0.5)), marks),
    ]


def membrane(moment: Moment, neuron: int, what: str) -> Markup:
    """v of a neuron over the steps, its threshold dashed, a tick where it spikes."""
    assert moment.v is not None
    assert moment.spikes is not None
    v = moment.v[:, neuron].astype(float)
    low, high = min(0.0, v.min()), max(float(moment.threshold), v.max())
    wide, scale = WIDTH / len(v), 80 / (high - low or 1.0)
    points = " ".join(f"{_n((step + 0.5) * wide)},{_n(94 - (value - low) * scale)}" for step, value in enumerate(v))
    level = _n(94 - (moment.threshold - low) * scale)
    body = [
        Markup('<path class="threshold" d="M0 {}h320"/><polyline class="line" points="{}"/>').format(level, points),
        _text(0, 108, f"threshold {moment.threshold:,}, {len(v)} steps", "start"),
    ]
    if moment.spikes.shape == moment.v.shape:
        fired = "".join(f"M{_n((step + 0.5) * wide)} 0v8" for step in np.flatnonzero(moment.spikes[:, neuron]))
        body.append(Markup('<path class="ticks" d="{}"/>').format(fired))
    return svg(WIDTH, 112, body, what)


def payloads(moments: Sequence[Moment], what: str) -> Markup:
    """A line a neuron, as high as its payload, the layers below one another."""
    body, top = [], 14.0
    for moment in moments:
        assert moment.payloads is not None
        n, most = len(moment.payloads), max(int(moment.payloads.max()), 1)
        wide = WIDTH / n
        body.append(_text(0, top - 3, f"{moment.layer}: {n} neurons, the largest payload {most:,}", "start"))
        body.append(Markup('<rect class="track" y="{}" width="320" height="60"/>').format(_n(top)))
        marks = "".join(
            f"M{_n((index + 0.5) * wide)} {_n(top + 60)}v-{_n(60 * int(moment.payloads[index]) / most)}"
            for index in np.flatnonzero(moment.payloads).tolist()
        )
        body.append(Markup('<path class="spikes" stroke-width="{}" d="{}"/>').format(_n(max(0.8 * wide, 0.5)), marks))
        top += 78
    return svg(WIDTH, top - 14, body, what)


def curves(lines: dict[str, Sequence[float | None]], what: str) -> Markup:
    """Shares over epochs, one line a name, the first solid and others dashed; None is left out."""
    known = [value for line in lines.values() for value in line if value is not None]
    low = math.floor(10 * min(known, default=0)) / 10
    count = max(len(line) for line in lines.values())
    body = []
    for tick in (low, (low + 1) / 2, 1.0):
        y = 10 + 120 * (1 - tick) / ((1 - low) or 1)
        body.append(
            Markup('<path class="grid" d="M36 {}H320"/>').format(_n(y)) + _text(32, y + 4, f"{tick:.0%}", "end")
        )
    for number, (name, line) in enumerate(lines.items()):
        spots = [
            (40 + 274 * index / max(count - 1, 1), 10 + 120 * (1 - value) / ((1 - low) or 1), value)
            for index, value in enumerate(line)
            if value is not None
        ]
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y, _ in spots)
        body.append(Markup('<polyline class="line s{}" points="{}"/>').format(number, points))
        body += [
            Markup('<circle class="s{}" cx="{}" cy="{}" r="2.5"><title>{}: {}</title></circle>').format(
                number, _n(x), _n(y), name, f"{value:.2%}"
            )
            for x, y, value in spots
        ]
        body.append(_text(40 + 140 * number, 162, name, "start", f"s{number}"))
    body += [_text(40, 146, "1", "middle"), _text(314, 146, f"epoch {count}", "end")]
    return svg(WIDTH, 168, body, what)


def chips(mapping: Mapping, what: str) -> Markup:
    """Each chip's cores, a letter and a colour a population, filled as high as the core is; free ones are empty."""
    numbers = {population.name: index for index, population in enumerate(mapping.populations)}
    cell, rows = WIDTH / CORES, math.ceil(mapping.chip.cores / CORES)
    body = []
    for chip in range(min(mapping.chips, CHIPS)):
        top = chip * (rows * cell + 16)
        body.append(_text(0, top + 10, f"chip {chip}", "start"))
        path = "".join(
            f"M{_n(n % CORES * cell + 0.5)} {_n(top + 14 + n // CORES * cell)}h{_n(cell - 1)}v{_n(cell - 1)}"
            f"h-{_n(cell - 1)}z"
            for n in range(mapping.chip.cores)
        )
        body.append(Markup('<path class="track" d="{}"/>').format(path))
        for core in (core for core in mapping.cores if core.chip == chip):
            x, y = core.number % CORES * cell + 0.5, top + 14 + core.number // CORES * cell
            total = shares(core.fill, mapping.chip)["Total"]
            high, number = (cell - 1) * min(total, 100) / 100, numbers[core.parts[0].population.name]
            names = " + ".join(f"{part.population.name} {part.first} to {part.stop - 1}" for part in core.parts)
            letter = "*" if len(core.parts) > 1 else population_letter(number)
            body.append(
                Markup('<g><title>core {}: {}, {} full</title><rect class="used" x="{}" y="{}" width="{}" height="{}"/>'
                       '<rect class="c{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    core.number, names, f"{total:.2f}%", _n(x), _n(y), _n(cell - 1), _n(cell - 1),
                    number % COLOURS, _n(x), _n(y + cell - 1 - high), _n(cell - 1), _n(high),
                )
                + _text(x + cell / 2, y + 14, letter, "middle", "letter")
                + Markup("</g>")
            )  # fmt: skip
    return svg(WIDTH, min(mapping.chips, CHIPS) * (rows * cell + 16), body, what)


def population_letter(number: int) -> str:
    """As `map` draws them."""
    return chr(ord("A") + number % 26)


def _text(x: float, y: float, text: str, anchor: str, style: str | None = "tick") -> Markup:
    own = Markup(' class="{}"').format(style) if style else Markup("")
    return Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}</text>').format(_n(x), _n(y), anchor, own, text)


def _n(value: float) -> str:
    """A coordinate, of a tenth of a unit."""
    return f"{value:.1f}".rstrip("0").rstrip(".") or "0"
