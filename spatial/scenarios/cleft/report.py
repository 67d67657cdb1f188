"""What the sweep of sealed and open clefts leaves: a picture, a table, the recordings and a summary."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spatial.checks import by_annotation
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.scenarios.cleft.model import ADHESION, ASTROCYTE, Case, cases
from spatial.scenarios.cleft.settings import CleftSettings
from spatial.scenarios.parts.release_in_cleft import COVERED, IN_CLEFT, OTHER, Observed, findings, sweep
from spatial.scenarios.parts.release_report import colour_bar, draw_field
from spatial.scenarios.parts.report import Row, headline, write
from spatial.simulate import Progress
from spatial.units import mM, ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWN = {ADHESION: ("-", "o"), ASTROCYTE: ("--", "s")}
_MATTERS = 1.5  # times as many NMDA receptors bound
_SHOWN, _WHEN = 0.25, 0.2 * ms  # the opening that is shown along the axis, and when


@by_annotation
def results(folder: Path, settings: CleftSettings, progress: Progress | None = None) -> list[Row]:
    """Compute, and write every file into the folder; a row of findings per case."""
    swept = cases(settings)
    runs = sweep([case.release for case in swept], [min(_WHEN, settings.release.duration)], progress)
    rows: list[Row] = [{"open rim [%]": 100 * case.open_rim, "sealed by": case.seal if case.open_rim < 1 else "nothing",
                        **findings(run)} for case, run in zip(swept, runs, strict=True)]
    write(folder, "cleft", settings, {case.label: (run.release.experiment, run.recording)
                                       for case, run in zip(swept, runs, strict=True)}, rows)
    draw_all(folder, {"cleft.png": lambda path: _draw(path, swept, runs, rows)})
    return rows


def _draw(path: Path, swept: Sequence[Case], runs: Sequence[Observed], rows: Sequence[Row]) -> None:
    """Glutamate round a cleft that is mostly sealed, in all clefts over time, and what receptors and neighbours see."""
    with style():
        figure = figure_of(13.5, 9.4)
        axes = figure.subplots(2, 2, gridspec_kw={
            "left": 0.08, "right": 0.97, "top": 0.835, "bottom": 0.08, "hspace": 0.36, "wspace": 0.3})
        headline(figure, "Does it matter whether the cleft is sealed?", _answer(rows))
        shown = min(range(len(swept)), key=lambda k: (abs(swept[k].open_rim - _SHOWN), swept[k].seal != ADHESION))
        colour_bar(axes[0, 0], draw_field(axes[0, 0], runs[shown], 0))
        axes[0, 0].set_title(f"Seen along the axis, {100 * swept[shown].open_rim:.0f} % of the rim open")
        axes[0, 0].set_xlabel("x [µm]")
        axes[0, 0].set_ylabel("y [µm]")
        _time_courses(axes[0, 1], swept, runs)
        _receptors(axes[1, 0], rows)
        _neighbour(axes[1, 1], rows)
        save(figure, path)


def _answer(rows: Sequence[Row]) -> str:
    """What the least and the widest opening do to the synapse's own NMDA receptors and to the neighbours."""
    by = sorted((row for row in rows if row["open rim [%]"] > 0), key=lambda row: row["open rim [%]"])
    if not by or by[0]["open rim [%]"] == by[-1]["open rim [%]"]:
        return ""
    narrow, wide = by[0], by[-1]
    own, open_side, behind = ("NMDA receptors bound at the PSD [%]", f"peak at the neighbour, {OTHER} [uM]",
                              f"peak at the neighbour, {COVERED} [uM]")
    answer = "Yes" if narrow[own] > _MATTERS * wide[own] else "Hardly"
    return (f"{answer}: with {narrow['open rim [%]']:.0f} instead of {wide['open rim [%]']:.0f} % of the rim open, "
            f"glutamate binds {narrow[own]:.0f} instead of {wide[own]:.0f} % of the synapse's NMDA receptors,\n"
            f"and reaches {narrow[open_side]:.2g} instead of {wide[open_side]:.2g} µM at the neighbour in front of the "
            f"opening, {narrow[behind]:.2g} µM behind the seal.")


def _time_courses(axes: "Axes", swept: Sequence[Case], runs: Sequence[Observed]) -> None:
    """Glutamate in the cleft, a colour for each opening."""
    colours = dict(zip(dict.fromkeys(case.open_rim for case in swept), (INK, *COLOURS[:1], *COLOURS[2:]), strict=False))
    for case, run in zip(swept, runs, strict=True):
        t, values = run.recording.times / ms, run.recording[IN_CLEFT] / mM
        axes.plot(t, values, _DRAWN[case.seal][0], color=colours[case.open_rim], lw=2 if case.seal == ADHESION else 1.6,
                  label=f"{100 * case.open_rim:.0f} %" if case.seal == ADHESION else None)
    axes.plot([], [], "--", color=GREY, label="astrocyte's seal")
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 6)
    axes.set_xlim(-0.02, 1.0)
    axes.set_xlabel("time after release [ms]")
    axes.set_ylabel("glutamate [mM]")
    axes.set_title("In the cleft, by open part of the rim")
    axes.legend(frameon=False, fontsize=11, loc="lower left", bbox_to_anchor=(0.02, -0.02), labelspacing=0.25)


def _against_opening(axes: "Axes", rows: Sequence[Row], name: str, colour: str, label: str) -> None:
    """One finding against the open part of the rim, a line for each seal."""
    whole = [row for row in rows if row["open rim [%]"] == 100]
    for seal, (line, marker) in _DRAWN.items():
        chosen = sorted((row for row in rows if row in whole or row["sealed by"] == seal),
                        key=lambda row: row["open rim [%]"])
        axes.plot([row["open rim [%]"] for row in chosen], [row[name] for row in chosen], line, marker=marker,
                  color=colour, mec="white", ms=8, label=label if seal == ADHESION else None)
    axes.set_xlabel("open part of the rim [%]")


def _receptors(axes: "Axes", rows: Sequence[Row]) -> None:
    """What the receptors of the synapse itself do."""
    _against_opening(axes, rows, "NMDA receptors bound at the PSD [%]", COLOURS[0], "NMDA, both sites bound")
    _against_opening(axes, rows, "AMPA receptors open at the PSD [%]", COLOURS[1], "AMPA, open")
    axes.set_ylabel("of its receptors, at most [%]")
    axes.set_ylim(bottom=0)
    axes.set_title("At the PSD")
    axes.legend(frameon=False, fontsize=11)


def _neighbour(axes: "Axes", rows: Sequence[Row]) -> None:
    """What arrives at the nearest neighbours."""
    _against_opening(axes, rows, f"peak at the neighbour, {OTHER} [uM]", COLOURS[0], "in front of the opening")
    _against_opening(axes, rows, f"peak at the neighbour, {COVERED} [uM]", COLOURS[1], "behind the seal")
    axes.set_ylabel("highest glutamate [µM]")
    axes.set_ylim(bottom=0)
    axes.set_title("At the nearest synapses")
    axes.legend(frameon=False, fontsize=11)
