"""The pictures of a sweep, as files' bytes."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ff2loihi.analysis.canvas import canvas, image
from ff2loihi.choices import PictureFormat
from ff2loihi.sweeps.report import Configuration, Report, front, short_names

SHOWN = 40  # configurations over seeds: the best ones
CELLS = 12  # values of an option up to which it is an axis of a heat map


def pictures(report: Report, form: PictureFormat = "png") -> Iterator[tuple[str, bytes]]:
    """(file name, bytes): accuracy over the two strongest options, over the seeds, and against what it costs."""
    for name, figure in _figures(report.configurations, list(report.strengths)[:2]):
        yield f"{name}.{form}", image(figure, form)


def _figures(found: tuple[Configuration, ...], strongest: list[str]) -> Iterator[tuple[str, Figure]]:
    if found and strongest:
        yield "accuracy", _accuracy(found, strongest)
    if any(one.spread is not None for one in found):
        yield "seeds", _seeds(found)
    if any(one.cores is not None for one in found):
        yield "pareto", _pareto([one for one in found if one.cores is not None])


def _accuracy(found: tuple[Configuration, ...], names: list[str]) -> Figure:
    """Over two options a heat map where both have few values, else points; over one, points."""
    figure = canvas(6, 4.5)
    axes = figure.add_subplot()
    values = [[one.options[name] for one in found] for name in names]
    different = [_ordered(each) for each in values]
    heat = len(names) == 2 and all(len(each) <= CELLS for each in different)
    accuracies = np.array([100 * one.accuracy for one in found])
    for axis, name, each in zip((axes.xaxis, axes.yaxis), names, different, strict=False):
        axis.set_label_text(name)
        if heat or not _numeric(each):
            axis.set_ticks(range(len(each)), [str(value) for value in each])
    places = [_places(*each) for each in zip(values, different, strict=True)]
    if heat:
        _heat(axes, values, different, accuracies)
        axes.set_title("mean accuracy, %")
    elif len(names) == 2:
        figure.colorbar(axes.scatter(*places, c=accuracies, cmap="viridis"), label="accuracy, %")
    else:
        axes.plot(*places, accuracies, "o")
        axes.set_ylabel("accuracy, %")
    return figure


def _heat(axes, values: list[list], different: list[list], accuracies: np.ndarray) -> None:
    """The mean over all other options of each pair of values."""
    columns, rows = ([each.index(value) for value in given] for given, each in zip(values, different, strict=True))
    total, count = np.zeros((2, len(different[1]), len(different[0])))
    np.add.at(total, (rows, columns), accuracies)
    np.add.at(count, (rows, columns), 1)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    axes.imshow(means, aspect="auto", cmap="viridis", origin="lower")
    middle = (np.nanmin(means) + np.nanmax(means)) / 2
    for row, column in zip(*np.nonzero(count), strict=True):
        colour = "white" if means[row, column] < middle else "black"
        axes.text(column, row, f"{means[row, column]:.1f}", ha="center", va="center", fontsize=8, color=colour)


def _seeds(found: tuple[Configuration, ...]) -> Figure:
    shown = found[:SHOWN]
    figure = canvas(7, 0.6 + 0.25 * len(shown))
    axes = figure.add_subplot()
    for place, one in enumerate(shown):
        axes.plot([100 * each for each in one.accuracies], [place] * len(one.accuracies), ".", color="tab:grey")
        axes.errorbar(100 * one.accuracy, place, xerr=100 * (one.spread or 0.0), fmt="o", color="tab:blue", capsize=3)
    axes.set(title="over the seeds: each, mean and standard deviation", xlabel="accuracy, %")
    axes.set_yticks(range(len(shown)), [_label(one) for one in shown], fontsize=7)
    axes.invert_yaxis()
    return figure


def _pareto(found: list[Configuration]) -> Figure:
    figure = canvas(9, 4)
    left, right = figure.subplots(1, 2, sharey=True)
    accuracies = [100 * one.accuracy for one in found]
    bands = np.array([one.energy_mj or (np.nan, np.nan) for one in found])
    middles = np.sqrt(bands.prod(1))
    left.plot([one.cores or 0 for one in found], accuracies, "o", color="tab:grey")
    right.errorbar(middles, accuracies, xerr=abs(bands.T - middles), fmt="o", color="tab:grey", elinewidth=0.5)
    right.set_xscale("log")
    for axes, costs in ((left, [float(one.cores or 0) for one in found]), (right, middles.tolist())):
        best = front(list(zip(costs, accuracies, strict=True)))
        axes.step(
            *zip(*best, strict=True), "o-", where="post", color="tab:red", zorder=3, label="not beaten at that cost"
        )
    left.set(xlabel="cores", ylabel="accuracy, %")
    left.set_xlim(0, 1 + max(one.cores or 0 for one in found))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="ESTIMATED energy of the chip, mJ a sample, as a band")
    left.legend(fontsize=8)
    return figure


def _label(one: Configuration) -> str:
    names = short_names(list(one.options))
    return ", ".join(f"{names[name]} {value}" for name, value in one.options.items()) or "all"


def _ordered(values: list) -> list:
    """The different values: numbers by size, others as they come."""
    different = list(dict.fromkeys(values))
    return sorted(different) if _numeric(different) else different


def _numeric(values: list) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _places(values: list, different: list) -> list:
    """Where values stand on an axis."""
    return values if _numeric(different) else [different.index(value) for value in values]
