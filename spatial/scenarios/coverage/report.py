"""What the sweep of astrocyte coverage leaves: a picture, a table, the recordings and a summary."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spatial.checks import by_annotation
from spatial.output.figures import COLOURS, GREY, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.scenarios.coverage.model import Case, cases
from spatial.scenarios.coverage.settings import CoverageSettings
from spatial.scenarios.parts.release_in_cleft import COLLAR, COVERED, NEUROPIL, OTHER, Observed, findings, sweep
from spatial.scenarios.parts.release_report import colour_bar, draw_field
from spatial.scenarios.parts.report import Row, headline, write
from spatial.simulate import Progress
from spatial.units import ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN, _WHEN = (0.0, 0.4, 0.8), 0.2 * ms  # the coverages that are shown along the axis, and when
_SIDES = ((OTHER, COLOURS[0], "uncovered side"), (COVERED, COLOURS[1], "behind the astrocyte"))


@by_annotation
def results(folder: Path, settings: CoverageSettings, progress: Progress | None = None) -> list[Row]:
    """Compute, and write every file into the folder; a row of findings per coverage."""
    swept = cases(settings)
    runs = sweep([case.release for case in swept], [min(_WHEN, settings.release.duration)], progress)
    rows: list[Row] = [{"coverage [%]": 100 * case.coverage, **findings(run)}
                       for case, run in zip(swept, runs, strict=True)]
    write(folder, "coverage", settings, {case.label: (run.release.experiment, run.recording)
                                       for case, run in zip(swept, runs, strict=True)}, rows)
    draw_all(folder, {"coverage.png": lambda path: _draw(path, swept, runs, rows)})
    return rows


def _draw(path: Path, swept: Sequence[Case], runs: Sequence[Observed], rows: Sequence[Row]) -> None:
    """Glutamate round synapses that are covered more and more; what neighbours and transporters get of it."""
    with style():
        figure = figure_of(14.0, 9.4)
        headline(figure, "How does an astrocyte's coverage of the synapse shape spill-over?", _answer(rows))
        upper = figure.subplots(1, 3, sharey=True, gridspec_kw={"left": 0.065, "right": 0.915, "top": 0.825,
                                                                "bottom": 0.49, "wspace": 0.06})
        lower = figure.subplots(1, 3, gridspec_kw={"left": 0.065, "right": 0.985, "top": 0.375, "bottom": 0.075,
                                                   "wspace": 0.3})
        for axes, wanted in zip(upper, _SHOWN, strict=True):
            k = min(range(len(swept)), key=lambda k: abs(swept[k].coverage - wanted))
            field = draw_field(axes, runs[k], 0)
            axes.set_title(f"{100 * swept[k].coverage:.0f} % covered")
            axes.set_xlabel("x [µm]")
        upper[0].set_ylabel("y [µm]")
        colour_bar(upper[-1], field)
        _sides(lower[0], rows, "peak at the neighbour, {} [uM]", "highest glutamate [µM]", "Peak at the neighbours")
        _sides(lower[1], rows, "NMDA receptors bound at the neighbour, {} [%]", "bound, at most [%]",
               "Their NMDA receptors")
        _takers(lower[2], rows)
        save(figure, path)


def _answer(rows: Sequence[Row]) -> str:
    """How much further glutamate reaches on the uncovered side, where that is most, and who takes it."""
    by = sorted(rows, key=lambda row: row["coverage [%]"])
    if len(by) < 2:
        return ""
    open_side, behind = (f"peak at the neighbour, {side} [uM]" for side in (OTHER, COVERED))
    apart = max(by, key=lambda row: row[open_side] / row[behind])
    taken = f"bound or taken by the {COLLAR} [%]"
    return (f"It shields the side it covers: {by[0][behind]:.2g} µM at the neighbour without it, "
            f"{apart[behind]:.2g} µM behind {apart['coverage [%]']:.0f} % of coverage, "
            f"against {apart[open_side]:.2g} µM on the other side.\n"
            f"Covering {by[-1]['coverage [%]']:.0f} %, its own transporters bind {by[-1][taken]:.0f} % of the vesicle.")


def _line(axes: "Axes", rows: Sequence[Row], name: str, colour: str, label: str) -> None:
    """One finding against coverage."""
    by = sorted(rows, key=lambda row: row["coverage [%]"])
    axes.plot([row["coverage [%]"] for row in by], [row[name] for row in by], "-o", color=colour, mec="white", ms=8,
              label=label)


def _sides(axes: "Axes", rows: Sequence[Row], name: str, label: str, title: str) -> None:
    """A finding on both sides of the synapse."""
    for side, colour, shown in _SIDES:
        _line(axes, rows, name.format(side), colour, shown)
    _finish(axes, label, title)


def _takers(axes: "Axes", rows: Sequence[Row]) -> None:
    """Who holds or has taken the glutamate at the end."""
    _line(axes, rows, f"bound or taken by the {COLLAR} [%]", COLOURS[2], "this astrocyte process")
    _line(axes, rows, f"bound or taken by the {NEUROPIL} [%]", GREY, "the neuropil within 1.2 µm")
    _finish(axes, "of the vesicle [%]", "Bound or taken up by")


def _finish(axes: "Axes", label: str, title: str) -> None:
    axes.set_xlabel("covered part of the perimeter [%]")
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
    axes.legend(frameon=False, fontsize=11, loc="upper left", labelspacing=0.25)
