"""What runs of `potassium` leave: a picture, a table of cases, the recordings and a summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from spatial.checks import by_annotation
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.output.scenes import ASTROCYTE
from spatial.scenarios.parts.experiment import after
from spatial.scenarios.parts.release_report import plane_of
from spatial.scenarios.parts.report import Row, headline, write
from spatial.scenarios.potassium.model import (
    AROUND,
    AWAY,
    BESIDE,
    BY_GLIAL_PUMP,
    BY_KIR,
    BY_LEAK,
    BY_PUMP,
    CONTROL,
    IN_CLEFT,
    IN_ECS,
    NO_ASTROCYTE,
    NO_KIR,
    NO_PUMP,
    Observed,
    burst,
    cases,
    coverages,
    findings,
    observe,
)
from spatial.scenarios.potassium.settings import PotassiumSettings
from spatial.simulate import Progress
from spatial.units import mM, ms, um

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {CONTROL: COLOURS[0], NO_KIR: COLOURS[1], NO_PUMP: COLOURS[2], NO_ASTROCYTE: INK}
_TAKERS = {BY_KIR: ("astrocyte, K$^+$ channels", COLOURS[0]), BY_GLIAL_PUMP: ("astrocyte, pump", COLOURS[5]),
           BY_PUMP: ("neuron, pump", COLOURS[1]), BY_LEAK: ("neuron, leak", COLOURS[4]),
           AWAY: ("spread away", COLOURS[3]), IN_ECS: ("still in the ECS", "#d0d0d0")}
_SHOWN = 0.39 * um  # from the axis of the synapse
_MAP = "viridis"


@by_annotation
def results(folder: Path, settings: PotassiumSettings, progress: Progress | None = None) -> list[Row]:
    """Compute, and write every file into the folder; a row of findings per case."""
    shown, before = settings.train[-1] + 2 * ms, 0.0
    runs, swept = dict[str, Observed](), dict[float, Observed]()
    for name, case in cases(settings).items():
        runs[name] = observe(burst(case), [min(shown, case.duration)], after(before, progress))
        before += case.duration
    for part, case in coverages(settings).items():
        swept[part] = observe(burst(case), (), after(before, progress))
        before += case.duration
    rows: list[Row] = [{"case": name, **findings(run)} for name, run in runs.items()]
    cover = [{"coverage [%]": 100 * part, "peak in the cleft [mM]": run.recording[IN_CLEFT].max() / mM,
              "rise over the neuropil [mM]": _rise(run)} for part, run in swept.items()]
    write(folder, "potassium", settings, {name: (run.burst.experiment, run.recording) for name, run in runs.items()},
          rows, [(run.burst.experiment, run.recording) for run in swept.values()], coverage=cover)
    draw_all(folder, {"potassium.png": lambda path: _draw(path, settings, runs, rows, cover)})
    return rows


@by_annotation
def duration(settings: PotassiumSettings) -> float:
    """Simulated time of all runs together [s]."""
    return sum(one.duration for one in (*cases(settings).values(), *coverages(settings).values()))


def _rise(run: Observed) -> float:
    """How far K+ in the cleft rises over that in the neuropil [mM]."""
    return float((run.recording[IN_CLEFT] - run.recording[AROUND]).max() / mM)


def _draw(path: Path, settings: PotassiumSettings, runs: Mapping[str, Observed], rows: Sequence[Row],
          cover: Sequence[Row]) -> None:
    """K+ over time in all cases, around the synapse at the end of the burst, who took it, and by coverage."""
    with style():
        figure = figure_of(14.0, 9.6)
        axes = figure.subplots(2, 2, gridspec_kw={
            "left": 0.07, "right": 0.955, "top": 0.835, "bottom": 0.085, "hspace": 0.36, "wspace": 0.27,
            "width_ratios": (1.35, 1)})
        headline(figure, "Who keeps K$^+$ low during a burst?", _answer(settings, rows))
        _time_courses(axes[0, 0], settings, runs)
        _field(axes[0, 1], runs[CONTROL])
        _bars(axes[1, 0], rows)
        _coverage(axes[1, 1], cover)
        save(figure, path)


def _answer(settings: PotassiumSettings, rows: Sequence[Row]) -> str:
    """The peaks and the undershoots of the cases."""
    by = {row["case"]: row for row in rows}
    peak, low = "peak beside the process [mM]", "undershoot beside the process [mM]"
    first, second = sorted((NO_KIR, NO_PUMP), key=lambda name: by[name][peak], reverse=True)
    who = {NO_KIR: "the astrocytes' Kir4.1", NO_PUMP: "pumps"}
    return (f"Above all {who[first]}, then {who[second]}: in {settings.spikes} spikes at {settings.rate:g} Hz it rises "
            f"to {by[CONTROL][peak]:.1f} mM, without these\nto {by[first][peak]:.1f} and {by[second][peak]:.1f} mM, "
            f"without astrocytes to {by[NO_ASTROCYTE][peak]:.1f} mM. Pumps take it below rest after that, by "
            f"{by[CONTROL][low]:.2f} mM.")


def _time_courses(axes: "Axes", settings: PotassiumSettings, runs: Mapping[str, Observed]) -> None:
    """K+ beside the process, a colour for each case."""
    start = settings.first
    for name, run in runs.items():
        axes.plot(run.recording.times - start, run.recording[BESIDE] / mM, color=_COLOURS[name], lw=1.6, label=name)
    rest = runs[CONTROL].recording[BESIDE][0] / mM
    axes.axhline(rest, color=GREY, lw=1, ls=":")
    axes.axvspan(0, settings.spikes / settings.rate, color=GREY, alpha=0.15, lw=0)
    axes.text(settings.spikes / settings.rate / 2, 0.03, "burst", transform=axes.get_xaxis_transform(), ha="center",
              color=INK)
    axes.set_xlim(-start, settings.duration - start)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time from the first spike [s]")
    axes.set_ylabel("K$^+$ in the ECS [mM]")
    axes.set_title("Beside the astrocyte process")
    axes.legend(frameon=False, fontsize=12)


def _field(axes: "Axes", run: Observed) -> None:
    """K+ in the plane of the cleft at the last spike."""
    from matplotlib.patches import Circle, Wedge

    shape, place = run.burst.settings.shape, run.film.species.place
    values = run.film.values[0] / mM
    x, y, _ = place.centres.T
    triangles = plane_of(place, float(shape.neighbours[0, 2]))
    seen = np.unique(triangles[(np.hypot(x, y)[triangles] < _SHOWN).all(axis=1)])
    field = cast(Any, axes).tripcolor(x, y, triangles, values, shading="gouraud", cmap=_MAP, vmin=values[seen].min(),
                                      vmax=values[seen].max())
    if shape.coverage > 0:
        axes.add_patch(Wedge((0, 0), shape.outside, -180 * shape.coverage, 180 * shape.coverage, fc=ASTROCYTE,
                             width=shape.outside - shape.inside, ec="white", lw=0.8))
        axes.text(0.97, 0.03, "astrocyte process", transform=axes.transAxes, ha="right", color=ASTROCYTE, fontsize=11)
    axes.add_patch(Circle((0, 0), shape.radius, fill=False, ec=INK, lw=1.2, ls=":"))
    axes.text(0, 0, "cleft", ha="center", va="center", color=INK, fontsize=11)
    axes.set_aspect("equal")
    axes.set_xlim(-_SHOWN, _SHOWN)
    axes.set_ylim(-_SHOWN, _SHOWN)
    axes.set_xlabel("x [µm]")
    axes.set_ylabel("y [µm]")
    axes.set_title("Around the synapse, last spike")
    bar = axes.figure.colorbar(field, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.set_label("K$^+$ [mM]")


def _bars(axes: "Axes", rows: Sequence[Row]) -> None:
    """Where what was released is at the end of the burst, a bar for each case."""
    for k, row in enumerate(rows):
        right = left = 0.0
        for name, (_, colour) in _TAKERS.items():
            value = row[f"{name} [%]"]
            axes.barh(k, value, left=right if value > 0 else left, color=colour, ec="white", height=0.66)
            right, left = right + max(value, 0.0), left + min(value, 0.0)
    for label, colour in _TAKERS.values():
        axes.barh(0, 0, color=colour, label=label)
    axes.axvline(0, color=INK, lw=1)
    axes.set_yticks(range(len(rows)), [row["case"].replace(" ", "\n", 1) for row in rows], fontsize=12)
    axes.invert_yaxis()
    axes.set_ylim(len(rows) - 0.5, -1.35)
    axes.set_xlabel("of the K$^+$ released in the active tissue [%]")
    axes.set_title("Where it is at the end of the burst")
    axes.legend(frameon=False, fontsize=11, ncols=3, loc="upper left", columnspacing=1.2, handlelength=1.2,
                borderaxespad=0.1)


def _coverage(axes: "Axes", cover: Sequence[Row]) -> None:
    """How far K+ in the cleft rises over its surroundings, against coverage."""
    axes.plot([row["coverage [%]"] for row in cover], [row["rise over the neuropil [mM]"] for row in cover], "o-",
              color=COLOURS[0], ms=9, mec="white")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("perimeter covered by the process [%]")
    axes.set_ylabel("K$^+$ in the cleft over\nthat in the neuropil [mM]")
    axes.set_title("Coverage of the synapse")
