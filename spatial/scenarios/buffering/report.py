"""What runs of `buffering` leave: a picture with the current loop, a table, the recordings and a summary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spatial.checks import by_annotation
from spatial.geometry.place import Floats
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.output.scenes import ASTROCYTE
from spatial.scenarios.buffering.model import (
    CONTROL,
    CURRENT,
    NO_ASTROCYTE,
    NO_KIR,
    POTASSIUM,
    UNCOUPLED,
    Observed,
    along,
    cases,
    findings,
    observe,
    slab,
)
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.parts.experiment import after
from spatial.scenarios.parts.report import Row, headline, write
from spatial.simulate import Progress
from spatial.units import mM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {CONTROL: COLOURS[0], NO_KIR: COLOURS[1], UNCOUPLED: COLOURS[2], NO_ASTROCYTE: INK}
_IN, _OUT = COLOURS[1], COLOURS[0]
_ARROWS = 12  # through the membrane, and one less along it
_THINNEST, _WIDEST = 2.5, 16.0  # of an arrow, points
_LABEL = -0.11  # of the y axes on the left, so that they are in line
_SEEN = 0.03  # of the largest current: no arrow for less


@by_annotation
def results(folder: Path, settings: BufferingSettings, progress: Progress | None = None) -> list[Row]:
    """Compute, and write every file into the folder; a row of findings per case and length."""
    runs, rows, before = dict[tuple[float, str], Observed](), list[Row](), 0.0
    for length in (settings.length, *settings.lengths):
        for name, case in cases(replace(settings, length=length)).items():
            runs[length, name] = observe(slab(case), after(before, progress))
            before += case.duration
            rows.append({"case": name, **findings(runs[length, name])})
    write(folder, "buffering", settings, {f"{length:g}um {name}": (run.slab.experiment, run.recording)
                                          for (length, name), run in runs.items()}, rows)
    shown = {name: run for (length, name), run in runs.items() if length == settings.length}
    draw_all(folder, {"buffering.png": lambda path: _draw(path, shown, rows)})
    return rows


@by_annotation
def duration(settings: BufferingSettings) -> float:
    """Simulated time of all runs together [s]."""
    return len(cases(settings)) * (1 + len(settings.lengths)) * settings.duration


def _draw(path: Path, runs: Mapping[str, Observed], rows: Sequence[Row]) -> None:
    """The loop above what passes the membrane and K+ along the slab; K+ over time, and in all slabs, beside them."""
    with style():
        figure = figure_of(14.0, 10.4)
        left = figure.subplots(3, 1, sharex=True, gridspec_kw={
            "left": 0.095, "right": 0.575, "top": 0.835, "bottom": 0.075, "hspace": 0.3,
            "height_ratios": (1.15, 0.9, 1)})
        right = figure.subplots(2, 1, gridspec_kw={
            "left": 0.665, "right": 0.975, "top": 0.835, "bottom": 0.075, "hspace": 0.36})
        headline(figure, "Where does the astrocyte put the K$^+$ it takes up?", _answer(runs, rows))
        _loop(left[0], runs[CONTROL])
        _through(left[1], runs[CONTROL])
        _profiles(left[2], runs)
        _time_courses(right[0], runs)
        _lengths(right[1], rows)
        save(figure, path)


def _answer(runs: Mapping[str, Observed], rows: Sequence[Row]) -> str:
    """What goes round, and what it does to K+ where it enters."""
    by = {row["case"]: row for row in reversed(rows) if row["length [um]"] == runs[CONTROL].slab.settings.length}
    rise = "rise of K+ at x = 0 [mM]"
    share = by[CONTROL]["K+ out of them elsewhere, of what enters [%]"]
    return (f"Where K$^+$ is low: {share:.0f} % of what neurons let out passes along the cells and leaves them again; "
            f"the current returns\noutside. K$^+$ then rises by {by[CONTROL][rise]:.1f} mM at its source, by "
            f"{by[UNCOUPLED][rise]:.1f} mM if the cells are not coupled.")


def _bins(run: Observed) -> tuple[Floats, Floats, Floats]:
    """Edges [um] of a few even pieces of the slab, the current along the cells there, and out of each piece [pA]."""
    settings, current = run.slab.settings, along(run)
    edges = np.linspace(0.0, settings.length, _ARROWS + 1)
    at = np.interp(edges, np.linspace(0.0, settings.length, len(current)), current)
    return edges, at, -np.diff(at)


def _loop(axes: "Axes", run: Observed) -> None:
    """Cells above, ECS below: arrows as wide as the currents."""
    from matplotlib.patches import Rectangle

    settings = run.slab.settings
    edges, current, out = _bins(run)
    axes.add_patch(Rectangle((0, 0.52), settings.length, 0.48, fc=ASTROCYTE, alpha=0.35, lw=0))
    axes.add_patch(Rectangle((0, 0.0), settings.length, 0.48, fc="#eeeeee", lw=0))
    axes.plot([0, settings.length], [0.5, 0.5], color=INK, lw=1.5)
    for x, amount in zip((edges[:-1] + edges[1:]) / 2, out, strict=True):
        _arrow(axes, (x, 0.5 - 0.12 * np.sign(-amount)), (x, 0.5 + 0.12 * np.sign(-amount)), amount / np.abs(out).max(),
               _IN if amount < 0 else _OUT)
    half = 0.32 * (edges[1] - edges[0])
    for x, amount in zip(edges[1:-1], current[1:-1], strict=True):
        way = half * np.sign(amount)
        _arrow(axes, (x - way, 0.78), (x + way, 0.78), amount / np.abs(current).max(), INK)
        _arrow(axes, (x + way, 0.22), (x - way, 0.22), amount / np.abs(current).max(), INK)
    axes.text(0.99, 0.96, "astrocytes", transform=axes.transAxes, ha="right", va="top", fontweight="bold")
    axes.text(0.99, 0.04, "ECS", transform=axes.transAxes, ha="right", va="bottom", fontweight="bold")
    axes.text(0.012, 0.03, "neurons let K$^+$ out", transform=axes.transAxes, fontsize=11)
    axes.axvspan(0, settings.active * settings.length, ymax=0.48, color=COLOURS[4], alpha=0.35, lw=0)
    axes.set_xlim(0, settings.length)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(bottom=False)
    axes.set_title(f"The current loop, {np.abs(current).max():.2g} pA/µm² where it is widest")


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float], part: float, colour: str) -> None:
    """An arrow whose width tells its part of the largest current."""
    if abs(part) < _SEEN:
        return
    width = max(_THINNEST, _WIDEST * abs(part)) / 2
    axes.annotate("", end, start, arrowprops={
        "arrowstyle": f"simple,head_width={0.8 * width / 4:.3f},head_length={0.35 + width / 14:.3f},"
                      f"tail_width={0.35 * width / 4:.3f}",
        "fc": colour, "ec": "none", "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0})


def _through(axes: "Axes", run: Observed) -> None:
    """The membrane current in each slice: inwards where K+ is high, outwards elsewhere."""
    settings = run.slab.settings
    values = run.recording[CURRENT][run.end]
    axes.bar(run.slab.x, values, settings.length / len(values), color=[_IN if one < 0 else _OUT for one in values])
    axes.axhline(0, color=INK, lw=1)
    axes.set_ylabel("membrane current\n[pA/µm²]")
    axes.yaxis.set_label_coords(_LABEL, 0.5)
    axes.set_title("Into the astrocytes where K$^+$ is high, out where it is low")
    for text, colour, height in (("out", _OUT, 0.68), ("in", _IN, 0.08)):
        axes.text(0.98, height, text, transform=axes.transAxes, color=colour, fontweight="bold", ha="right")


def _profiles(axes: "Axes", runs: Mapping[str, Observed]) -> None:
    """K+ along the slab at the end of the input."""
    for name, run in runs.items():
        axes.plot(run.slab.x, run.recording[POTASSIUM][run.end] / mM, color=_COLOURS[name], label=name)
    _rest(axes, runs)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("x [µm]")
    axes.set_ylabel("K$^+$ in the ECS\n[mM]")
    axes.yaxis.set_label_coords(_LABEL, 0.5)
    axes.set_title("K$^+$ along the slab, end of the input")
    axes.legend(frameon=False, fontsize=12)


def _time_courses(axes: "Axes", runs: Mapping[str, Observed]) -> None:
    """K+ where it enters."""
    settings = runs[CONTROL].slab.settings
    for name, run in runs.items():
        axes.plot(run.recording.times - settings.start, run.recording[POTASSIUM][:, 0] / mM, color=_COLOURS[name])
    _rest(axes, runs)
    axes.axvspan(0, settings.stop - settings.start, color=GREY, alpha=0.15, lw=0)
    axes.set_xlim(-settings.start, settings.duration - settings.start)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time from the start of the input [s]")
    axes.set_ylabel("K$^+$ in the ECS at x = 0 [mM]")
    axes.set_title("Where K$^+$ enters")


def _rest(axes: "Axes", runs: Mapping[str, Observed]) -> None:
    """K+ at rest."""
    axes.axhline(runs[CONTROL].recording[POTASSIUM][0, 0] / mM, color=GREY, lw=1, ls=":")


def _lengths(axes: "Axes", rows: Sequence[Row]) -> None:
    """The rise where K+ enters, a group of bars for each length of slab."""
    lengths = list(dict.fromkeys(row["length [um]"] for row in rows))
    names = list(_COLOURS)
    for k, name in enumerate(names):
        rise = [row["rise of K+ at x = 0 [mM]"] for row in rows if row["case"] == name]
        bars = axes.bar(np.arange(len(rise)) + 0.2 * (k - (len(names) - 1) / 2), rise, 0.19, color=_COLOURS[name])
        axes.bar_label(bars, fmt="%.1f", fontsize=10, padding=2)
    axes.set_xticks(range(len(lengths)), [f"slab of {length:g} µm" for length in lengths])
    axes.set_ylabel("rise of K$^+$ at x = 0 [mM]")
    axes.set_title("At the end of the input")
