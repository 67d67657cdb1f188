"""What the heterosynaptic experiment leaves: three pictures, a row for every pair of synapses, and a summary."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

from spatial.analysis.spread import apparent_diffusion, length_constant
from spatial.checks import arguments, by_annotation, shaped
from spatial.geometry.place import Floats, Ints
from spatial.geometry.slices import surface_of
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.output.figures import CHANGE_MAP, COLOURS, GREY, INK, figure_of, save, style
from spatial.output.movies import save_table
from spatial.output.pictures import draw_all
from spatial.output.recording_file import write_recording, write_summary
from spatial.output.scenes import ASTROCYTE, Shape, changes_around
from spatial.scenarios.heterosynaptic.model import (
    WEIGHT,
    Heterosynaptic,
    band,
    binned,
    case,
    heterosynaptic,
    place_again,
    silent,
)
from spatial.scenarios.heterosynaptic.settings import (
    A1_BLOCK,
    D_SERINE_BLOCK,
    INTACT,
    NO_ASTROCYTE,
    HeterosynapticSettings,
)
from spatial.scenarios.parts.report import Row, headline, mesh_summary
from spatial.scenarios.parts.settings import LAMBDA
from spatial.simulate import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PERCENT = 100.0
_COLOURS = {INTACT: COLOURS[0], A1_BLOCK: COLOURS[1], D_SERINE_BLOCK: COLOURS[2], NO_ASTROCYTE: INK}
_STYLES = {INTACT: "-", A1_BLOCK: (0, (5, 2)), D_SERINE_BLOCK: (0, (1.5, 1.5)), NO_ASTROCYTE: (0, (6, 2, 1, 2))}
_BINS = 6  # of distance and of coverage, with as many pairs each
_WRITTEN = 10  # synapses, up to which numbers fit into a matrix's cells
_TWO_DIGITS = 10
_ALIKE = 0.05  # of the largest: a standard deviation over synapses below which they change alike


@by_annotation
def results(folder: Path, settings: HeterosynapticSettings, jobs: int = 1,
            progress: Progress | None = None, with_pictures: bool = True) -> Heterosynaptic:
    """Compute, and write every file into the folder: the numbers first."""
    found = heterosynaptic(settings, jobs, progress and (lambda simulated: progress(simulated, 0.0)))
    save_table(folder / "heterosynaptic.csv", rows(found))
    kept = next(run.recording for run in found.runs if run.recording)
    write_recording(kept, folder / "recording.h5")
    write_summary(summary(found), folder / "summary.json")
    if with_pictures:
        draw_all(folder, {"matrix.png": lambda path: matrix(path, found),
                          "distance.png": lambda path: curves(path, found),
                          "map.png": lambda path: map_of(path, found)})
    return found


@by_annotation
def duration(settings: HeterosynapticSettings) -> float:
    """Simulated time of all runs together [s]."""
    return len(settings.blocks) * settings.seeds * settings.synapses * settings.tripartite.duration


@by_annotation
def rows(found: Heterosynaptic) -> list[Row]:
    """A row for each block, seed, synapse that fires and synapse that listens."""
    dw, dp, final, dtheta = found.dw, found.dp, found.dp_final, found.dtheta
    apart, covered, near = found.distances, found.coverage, found.to_process
    blocks = found.settings.blocks
    table = list[Row]()
    for run in found.runs:
        at = blocks.index(run.block), run.seed, run.active
        for i in range(len(found.synapses)):
            table.append({
                "block": run.block, "seed": run.seed, "firing": run.active, "listening": i,
                "distance [um]": apart[run.active, i], "coverage of firing [1/um]": covered[run.active],
                "coverage of listening [1/um]": covered[i], "firing to process [um]": near[run.active],
                "listening to process [um]": near[i], "weight change [%]": PERCENT * dw[*at, i],
                "largest release probability change [%]": PERCENT * dp[*at, i],
                "final release probability change [%]": PERCENT * final[*at, i],
                "largest change of co-agonist occupancy": dtheta[*at, i],
                **{f"{kind} vesicles": number for kind, number in run.vesicles.items()}})
    return table


@by_annotation
def summary(found: Heterosynaptic) -> dict[str, Any]:
    """The whole in a few numbers: means over silent synapses with their 95 % intervals over seeds, for each block."""
    settings, k = found.settings, range(len(found.synapses))
    return {
        "scenario": "heterosynaptic", "settings": asdict(settings),
        "largest relative drift": max(run.drift for run in found.runs),
        "smallest concentration": min(run.smallest for run in found.runs),
        "mesh": mesh_summary(found.mesh),
        "synapses": [{"position [um]": found.synapses[i], "coverage [1/um]": found.coverage[i],
                      "to process [um]": found.to_process[i]} for i in k],
        "length constant of D-serine [um]": _length(settings),
        "rank correlation of weight changes of silent synapses": _correlations(found),
        "found": [{"block": block, **_means(found, index)} for index, block in enumerate(settings.blocks)]}


def _length(settings: HeterosynapticSettings) -> float:
    """Length constant of D-serine in the tissue, in closed form [um]."""
    species = case(place_again(settings), settings, INTACT, 0, 0).species["D-serine"]
    return length_constant(apparent_diffusion(species.D, LAMBDA), settings.tripartite.d_serine_loss)


def _correlations(found: Heterosynaptic) -> dict[str, float]:
    """Spearman's, of their size in the intact tissue, averaged over seeds, with what may matter to it."""
    others, covered = silent(found), np.broadcast_to(found.coverage, found.distances.shape)
    size = np.abs(found.dw[found.block(INTACT)].mean(axis=0))[others]
    matters = {"distance": found.distances, "coverage of the one that fires": covered.T,
               "coverage of the one that listens": covered}
    return {name: _rank_correlation(size, values[others]) for name, values in matters.items()}


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; nan where one of the two does not vary."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _means(found: Heterosynaptic, block: int) -> Row:
    """What happened on average at synapses that fired, and at those that were silent, in one block."""
    others, row = silent(found), dict[str, Any]()
    measures = {"weight change [%]": PERCENT * found.dw, "release probability change [%]": PERCENT * found.dp,
                "change of co-agonist occupancy": found.dtheta}
    for name, values in measures.items():
        for who, chosen in (("silent", others), ("firing", ~others)):
            mean = band(values[block][:, chosen].mean(axis=1))
            row[f"{name}, {who}"] = {"mean": mean.mean, "95 % +-": mean.half}
    return row


@by_annotation
def matrix(path: Path, found: Heterosynaptic) -> None:
    """Heat maps of weight (above) and release probability (below): who fires, who listens; a column for each block."""
    shown = [name for name in (INTACT, A1_BLOCK, D_SERINE_BLOCK) if name in found.settings.blocks]
    order = np.argsort(-found.coverage, kind="stable")
    with style():
        figure = figure_of(3.6 + 3.6 * len(shown), 9.6)
        grid = figure.subplots(2, len(shown), squeeze=False, gridspec_kw={
            "left": 0.085, "right": 0.89, "top": 0.8, "bottom": 0.1, "hspace": 0.22, "wspace": 0.12})
        headline(figure, "One synapse fires: what changes at the others?", _answer(found))
        power = int(np.floor(np.log10(_limit(found, PERCENT * found.dw)))) - 1
        for line, values, label in (
                (grid[0], PERCENT * 10.0**-power * found.dw, f"weight change [$10^{{{power}}}$ %]"),
                (grid[1], PERCENT * found.dp, "change of release\nprobability [%]")):
            limit = _limit(found, values)
            for axes, name in zip(line, shown, strict=True):
                image = _heat(axes, values[found.block(name)].mean(axis=0)[np.ix_(order, order)], limit, order)
            line[0].set_ylabel("synapse that fires")
            box = line[-1].get_position()
            bar = figure.colorbar(image, cax=figure.add_axes((0.905, box.y0, 0.016, box.height)))
            bar.set_label(label)
        for above, below, name in zip(*grid, shown, strict=True):
            above.set_title(name)
            below.set_xlabel("synapse that listens")
        figure.text(0.015, 0.012, "synapses in the order of how well the astrocyte covers them; on the diagonal, in "
                    "bold, the one that fires, off the scale", fontsize=12, color=GREY)
        save(figure, path)


def _answer(found: Heterosynaptic) -> str:
    """What each transmitter does at silent synapses, in two lines."""
    at, others = found.block(INTACT), silent(found)
    dw, dp = (PERCENT * values[at][:, others].mean(axis=1) for values in (found.dw, found.dp))
    return (f"D-serine changes weights, where silent by {told(dw)}{_left(found, found.dw, D_SERINE_BLOCK)}.\n"
            f"Adenosine changes release, by {told(dp)}{_alike(found)}{_left(found, found.dp, A1_BLOCK)}.")


def _alike(found: Heterosynaptic) -> str:
    """Whether release changes as much at every silent synapse, wherever it is."""
    dp = np.ma.array(found.dp[found.block(INTACT)].mean(axis=0), mask=~silent(found))
    apart = np.ma.max(np.abs(np.ma.std(dp, axis=1)), axis=0)
    return ", far and near alike" if apart < _ALIKE * float(np.abs(dp).max()) else ""


def _left(found: Heterosynaptic, values: Floats, block: str) -> str:
    """What a block leaves of a change."""
    if block not in found.settings.blocks:
        return ""
    most = float(np.abs(values[found.block(block)]).max())
    return f"; {block} leaves {f'at most {PERCENT * most:.1g} %' if most else 'nothing'} of it"


@arguments(may_be_nan=("values",))
def told(values: Floats) -> str:
    """Mean of (seeds,) values [%] and half the width of its interval, which is told if it includes 0."""
    shaped("told: values", values, ("n",))
    found, seeds = band(values), len(values)
    text = f"{float(found.mean):.2g}".replace("-", "−")
    if np.isnan(found.half):
        return f"{text} % (one seed)"
    text += f" ± {float(found.half):.2g} %"
    if not 0 < float(found.half) >= abs(float(found.mean)):
        return text
    with_sign = int((values * found.mean > 0).sum())
    return f"{text} (0 is within; {with_sign} of {seeds} seeds go this way)"


def _limit(found: Heterosynaptic, values: Floats) -> float:
    """The end of the colours: what changed most at a silent synapse, on average over seeds, in any block."""
    return float(np.abs(values.mean(axis=1)[:, silent(found)]).max()) or 1.0


def _heat(axes: "Axes", values: Floats, limit: float, names: Ints) -> Any:
    """A matrix in colours, the synapse that fires on the diagonal with a star; numbers in the cells if they fit."""
    image = axes.imshow(values, cmap=CHANGE_MAP, vmin=-limit, vmax=limit)
    k = len(values)
    axes.set_xticks(range(k), [str(one) for one in names])
    axes.set_yticks(range(k), [str(one) for one in names])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    size = 11 if k <= _WRITTEN // 2 + 1 else 7
    for j in range(k):
        for i in range(k):
            if k <= _WRITTEN:
                dark = abs(values[j, i]) > 0.6 * limit
                axes.text(i, j, _cell(values[j, i]), ha="center", va="center", fontsize=size,
                          color="white" if dark else INK, fontweight="bold" if i == j else "normal")
    return image


def _cell(value: float) -> str:
    """A number with two digits."""
    text = f"{abs(value):.0f}" if abs(value) >= _TWO_DIGITS else f"{abs(value):.2g}"
    return ("−" if value < 0 else "") + (text.removeprefix("0") if text.startswith("0.") else text)


@by_annotation
def curves(path: Path, found: Heterosynaptic) -> None:
    """Changes at silent synapses against distance, coverage and time, with a band for each block."""
    others = silent(found)
    apart = found.distances
    covered = np.broadcast_to(found.coverage[:, None], apart.shape)  # that of the synapse that fires
    with style():
        figure = figure_of(15.0, 9.4)
        grid = figure.subplots(2, 3, sharex="col", sharey="row", gridspec_kw={
            "left": 0.095, "right": 0.985, "top": 0.8, "bottom": 0.08, "hspace": 0.14, "wspace": 0.1})
        headline(figure, "Which part is adenosine, which D-serine?", _answer(found))
        for line, values, over_time, label in (
                (grid[0], found.dw, found.over_time(WEIGHT), "weight change\nof silent synapses [%]"),
                (grid[1], found.dp, found.p_over_time, "change of their release\nprobability [%]")):
            for name in found.settings.blocks:
                at, look = found.block(name), _look(name)
                for axes, x in ((line[0], apart), (line[1], covered)):
                    _against(axes, PERCENT * values[at][:, others], x[others], look)
                _over_time(line[2], found, PERCENT * over_time[at][:, others].mean(axis=1), look)
            line[0].set_ylabel(label)
            for axes in line:
                axes.axhline(0, color=GREY, lw=1, zorder=0)
                axes.margins(x=0.03)
        grid[0, 0].set_title("Distance")
        grid[0, 1].set_title("Coverage of the synapse that fires")
        grid[0, 2].set_title("Time")
        grid[1, 0].set_xlabel("from the synapse that fires [µm]")
        grid[1, 1].set_xlabel("astrocyte membrane per volume [1/µm]")
        grid[1, 2].set_xlabel("time [s]")
        grid[0, 2].legend(frameon=False, fontsize=12, loc="lower left")
        if found.settings.seeds > 1:
            figure.text(0.985, 0.84, f"bands: 95 % t-interval over {found.settings.seeds} seeds", ha="right",
                        fontsize=12, color=GREY)
        save(figure, path)


def _look(block: str) -> dict[str, Any]:
    """How a block's curve is drawn: the intact one broad, so that another on it is seen."""
    broad = {"lw": 6, "alpha": 0.5} if block == INTACT else {"lw": 2.2}
    return {"color": _COLOURS[block], "ls": _STYLES[block], "label": block, **broad}


def _against(axes: "Axes", values: Floats, x: Floats, look: dict[str, Any]) -> None:
    """Every pair as a dot, averaged over seeds; bins with as many pairs each, of two places at least, as a line."""
    axes.plot(x, values.mean(axis=0), "o", ms=4, mec="none", color=look["color"], alpha=0.35)
    bins = min(_BINS, len(np.unique(x)) // 2)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)))
    edges[-1] += 1e-9
    if len(edges) > 2:
        middle, found = binned(values, x, edges)
        axes.plot(middle, found.mean, **look)
        axes.fill_between(middle, found.mean - found.half, found.mean + found.half, color=look["color"], alpha=0.18,
                          lw=0)


def _over_time(axes: "Axes", found: Heterosynaptic, values: Floats, look: dict[str, Any]) -> None:
    """The mean over pairs, with its band."""
    over = band(values)
    axes.plot(found.times, over.mean, **look)
    axes.fill_between(found.times, over.mean - over.half, over.mean + over.half, color=look["color"], alpha=0.18, lw=0)


@by_annotation
def map_of(path: Path, found: Heterosynaptic) -> None:
    """The weight change of every synapse around the process in 3D, when the best covered one fires."""
    fires = int(found.coverage.argmax())
    values = PERCENT * found.dw[found.block(INTACT)].mean(axis=0)[fires]
    if found.settings.mesh is None:
        process = Shape(*surface_of(found.settings.process.tree), ASTROCYTE, 1.0, "astrocyte")
    else:
        process = Shape.of(found.mesh[PLASMA_MEMBRANE], ASTROCYTE, 1.0, "astrocyte")
    own = f"{values[fires]:+.2g}".replace("-", "−") if values[fires] else "0"
    changes_around(path, found.synapses, values, "weight change of silent synapses [%]",
                   np.arange(len(values)) == fires, [process], f"fires:\n{own} %")
