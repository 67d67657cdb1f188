"""Plots of a run for a talk: time courses, and what one synapse's activity does to its neighbours."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.observe.recording import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe & Ito 2008
INK, GREY, ACTIVE = "#222222", "#8a8a8a", "#D81B60"
CHANGE_MAP = "RdBu_r"
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans", "font.size": 13, "axes.titlesize": 14, "axes.labelsize": 13,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.labelcolor": INK, "text.color": INK,
    "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "lines.linewidth": 2.2, "lines.solid_capstyle": "round",
    "figure.facecolor": "white", "savefig.facecolor": "white",
    "axes.formatter.limits": (-3, 4), "axes.formatter.useoffset": False,
}


@dataclass(frozen=True)
class Panel:
    """One row of the time courses: a label and the names of the recorded series drawn in it.

    The series share one unit, which ends the label; `names` may say what to write beside each curve.
    """

    label: str
    series: tuple[str, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.kinds(self)


def time_courses(path: str | Path, recording: Recording, panels: Sequence[Panel],
                 spikes: Sequence[float] | Floats = ()) -> None:
    """Draw panels over a shared time axis [s], the spike times on top, each curve named at its end.

    A series with k values is drawn as k thin curves under one name. Raises `InputError` for a series
    that is not recorded and for a panel whose series differ in unit.
    """
    units = [_unit(recording, panel) for panel in panels]
    with style():
        ratios = [0.16] * bool(len(spikes)) + [1.0] * len(panels)
        figure = figure_of(10.5, height := 0.9 + 1.45 * sum(ratios))
        names = [name for panel in panels for name in panel.names or panel.series]
        room = {"left": 0.12, "right": 0.97 - 0.0105 * max(map(len, names)),
                "top": 1 - 0.2 / height, "bottom": 0.6 / height, "hspace": 0.18}
        rows = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios,
                               gridspec_kw=room)[:, 0]
        if len(spikes):
            _draw_spikes(rows[0], np.asarray(spikes, float))
        colours = cycle(COLOURS)
        for panel, unit, axes in zip(panels, units, rows[-len(panels):], strict=True):
            _draw_panel(axes, recording, panel, unit, colours)
            axes.vlines(spikes, 0, 1, transform=axes.get_xaxis_transform(), color=GREY, lw=0.6, alpha=0.35)
        rows[-1].set_xlabel("time [s]")
        rows[-1].set_xlim(recording.times[0], recording.times[-1])
        save(figure, path)


def heterosynaptic_map(path: str | Path, distance: Floats, change: Floats, release_change: Floats,
                       active: NDArray[np.bool_], positions: Floats) -> None:
    """Draw what happened to every synapse: against distance from the active one, and where it lies.

    `distance` (k,) um from the active synapse, `change` (k,) of the weight and `release_change` (k,) of
    the release probability, both in percent, `active` (k,) which synapses fired, `positions` (k, 3) um.
    Raises `InputError` if the arrays differ in length.
    """
    sizes = {len(one) for one in (distance, change, release_change, active, positions)}
    if len(sizes) > 1:
        raise InputError(f"heterosynaptic map: the arrays have lengths {sorted(sizes)}; "
                         "each must have one entry per synapse")
    with style():
        figure = figure_of(13.0, 6.2)
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={
            "left": 0.1, "right": 0.51, "top": 0.93, "bottom": 0.11, "hspace": 0.08})
        _draw_against_distance(upper, distance, change, active, "weight change [%]")
        _draw_against_distance(lower, distance, release_change, active, "release probability\nchange [%]")
        upper.set_title("What changed at each synapse")
        lower.set_xlabel("distance from the active synapse [µm]")
        _draw_map(figure.add_axes((0.575, 0.11, 0.315, 0.82)), change, active, positions)
        save(figure, path)


@contextmanager
def style(changes: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Draw in this module's style inside the block, whatever the user's matplotlibrc says."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # no word about a home folder where no cache can be kept
    import matplotlib

    log.setLevel(level)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast(Any, STYLE | dict(changes)))
        yield


def figure_of(width: float, height: float) -> "Figure":
    """A figure of this size [inches] with its own canvas: nothing global is touched.

    No layout engine places its axes: matplotlib's constrained one is not the same every time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=200)
    FigureCanvasAgg(figure)
    return figure


def save(figure: "Figure", path: str | Path) -> None:
    """Write the PNG without the name of the software, so that equal figures are equal bytes."""
    figure.savefig(path, format="png", dpi=200, metadata={"Software": None})


def _unit(recording: Recording, panel: Panel) -> str:
    """The one unit of a panel's series."""
    for name in panel.series:
        recording[name]  # raises InputError if it is not recorded
    units = list(dict.fromkeys(recording.series[name].unit for name in panel.series))
    if len(units) != 1:
        raise InputError(f"panel {panel.label!r} mixes series in {' and '.join(units) or 'no unit'}; "
                         "give it series of one unit")
    return units[0]


def _draw_spikes(axes: "Axes", spikes: Floats) -> None:
    """One tick per spike, and how many there are."""
    axes.vlines(spikes, 0, 1, color=INK, lw=1.6)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    axes.text(1.01, 0.5, f"{len(spikes)} spikes", transform=axes.transAxes, va="center", fontweight="bold")


def _draw_panel(axes: "Axes", recording: Recording, panel: Panel, unit: str, colours: Iterator[str]) -> None:
    """The curves of one panel, named at their right end in their own colour."""
    names = panel.names or panel.series
    ends = []
    for name, shown, colour in zip(panel.series, names, colours, strict=False):
        values = recording.series[name].values
        many = values.shape[1] > 1
        axes.plot(recording.times, values, color=colour, lw=1.2 if many else None, alpha=0.8 if many else 1)
        ends.append((float(values[-1].mean()), shown, colour))
    axes.set_ylabel(pretty(panel.label) + ("" if unit == "1" else f"\n[{pretty(unit)}]"))
    axes.yaxis.set_label_coords(-0.095, 0.5)
    axes.margins(y=0.08)
    axes.locator_params(axis="y", nbins=4)
    low, high = axes.get_ylim()
    heights = _spread([(value - low) / (high - low) for value, _, _ in ends], gap=0.17)
    for (_, shown, colour), height in zip(ends, heights, strict=True):
        axes.text(1.01, height, pretty(shown), color=colour, transform=axes.transAxes, va="center")


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights moved apart so that neighbours are `gap` away from each other, in the same order."""
    order = np.argsort(heights, kind="stable")
    ranks = gap * np.arange(len(heights))
    moved = np.maximum.accumulate(np.asarray(heights)[order] - ranks) + ranks
    moved -= max(0.0, moved[-1] - 1.0)
    result = np.empty(len(heights))
    result[order] = np.minimum(moved, 1.0)
    return [float(one) for one in result]


def _draw_against_distance(axes: "Axes", distance: Floats, change: Floats, active: NDArray[np.bool_],
                           label: str) -> None:
    """A stem per synapse; an active synapse far above the silent ones stands on a cut axis as a number."""
    silent = ~active
    limit = 1.25 * float(np.abs(change[silent]).max(initial=0.0)) or 1.0
    shown = np.clip(change, -1.15 * limit, 1.15 * limit)
    cut = np.abs(change) > 1.15 * limit
    axes.axhline(0, color=GREY, lw=1)
    axes.vlines(distance[silent], 0, shown[silent], color=COLOURS[0], lw=1.4, alpha=0.6)
    axes.plot(distance[silent], shown[silent], "o", color=COLOURS[0], ms=8, mec="white")
    axes.plot(distance[active], shown[active], "*", color=ACTIVE, ms=19, mec="white")
    for x, y, value in zip(distance[active], shown[active], change[active], strict=True):
        text = f"{value:+.3g} %".replace("-", "−") + (" (off the scale)" if abs(value) > 1.15 * limit else "")
        axes.annotate(text, (x, y), (13, 0), textcoords="offset points", va="center", color=ACTIVE)
    low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
    margin = 0.12 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + (0.5 * margin if cut.any() else margin))
    axes.set_ylabel(label)
    axes.yaxis.set_label_coords(-0.13, 0.5)


def _draw_map(axes: "Axes", change: Floats, active: NDArray[np.bool_], positions: Floats) -> None:
    """The synapses seen along z, coloured by weight change on a scale centred on zero."""
    x, y, silent = positions[:, 0], positions[:, 1], ~active
    limit = float(np.abs(change[silent]).max(initial=0.0)) or 1.0
    points = axes.scatter(x[silent], y[silent], c=change[silent], s=330, cmap=CHANGE_MAP,
                          vmin=-limit, vmax=limit, edgecolor=INK, linewidth=0.8)
    axes.scatter(x[active], y[active], marker="*", s=620, color=ACTIVE, edgecolor="white")
    for place in positions[active, :2]:
        axes.annotate("active", tuple(place), (0, -24), textcoords="offset points", ha="center", color=ACTIVE)
    axes.set_aspect("equal", "datalim")
    axes.margins(0.15)
    axes.set_xlabel("x [µm]")
    axes.set_ylabel("y [µm]")
    axes.set_title("Where the synapses are, seen along z")
    bar = axes.figure.colorbar(points, cax=axes.inset_axes((1.03, 0.08, 0.045, 0.84)))
    bar.set_label("weight change of silent synapses [%]")


def pretty(text: str) -> str:
    """A unit or name as it is printed: uM as µM, um^2 as µm², Ca2+ as Ca²⁺."""
    printed_as = {"uM": "µM", "um": "µm", "^3": "³", "^2": "²", "Ca2+": "Ca²⁺", "IP3": "IP₃"}
    for plain, printed in printed_as.items():
        text = text.replace(plain, printed)
    return text
