"""What runs of `protocols` leave: one picture that tells all, a table for each protocol, recordings and a summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial.checks import arguments, by_annotation, shaped
from spatial.geometry.place import Floats
from spatial.output.figures import ACTIVE as ACTIVE_COLOUR
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.scenarios.parts.experiment import after
from spatial.scenarios.parts.report import Row, headline, write
from spatial.scenarios.protocols.bench import ACTIVE, PROBABILITY, Observed, observe
from spatial.scenarios.protocols.model import (
    CALCIUM_BASED,
    FIND,
    POST_PRE,
    PRE_POST,
    SLIDING,
    TEST_AFTER,
    THREE_FACTORS,
    TISSUE,
    TISSUE_A1,
    Runs,
    cases,
    course,
    seeds,
)
from spatial.scenarios.protocols.rate_curves import crossover
from spatial.scenarios.protocols.settings import (
    A1_BLOCK,
    CLAMP,
    DEPRESSION,
    FREQUENCY,
    METAPLASTICITY,
    PAIRING,
    ProtocolSettings,
)
from spatial.simulate import Progress
from spatial.units import ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WITH, _WITHOUT = COLOURS[2], GREY  # an astrocyte that releases, and one that does not
_FREE, _BLOCKED = COLOURS[0], COLOURS[1]  # A1 receptors
_THIN: dict[str, Any] = {"lw": 0.9, "alpha": 0.6}  # a seed
_ANSWER = ("Its D-serine decides whether paired spikes change a weight. The adenosine of its ATP lowers release, at "
           "silent neighbours too,\nand after intense activity raises the rate from which on a synapse is potentiated.")
_ROOM = 14.0  # s, before the bursts
_CHANGE = "weight change [%]"
Tables = Mapping[str, Sequence[Row]]


@by_annotation
def results(folder: Path, settings: ProtocolSettings, progress: Progress | None = None) -> dict[str, list[Row]]:
    """Compute, and write every file into the folder; the rows found by each protocol."""
    runs, before = dict[str, list[Observed]](), 0.0
    for name, case in cases(settings).items():
        runs[name] = []
        for seed in seeds(settings, name):
            runs[name].append(observe(case, seed, after(before, progress)))
            before += case.duration
    tables = {protocol: FIND[protocol](runs, settings) for protocol in settings.chosen}
    write(folder, "protocols", settings, {f"{name} {seed}": (run.experiment, run.recording)
                                          for name, of_seeds in runs.items() for seed, run in enumerate(of_seeds)},
          tables)
    draw_all(folder, {"protocols.png": lambda path: draw(path, runs, tables, settings)})
    return tables


@by_annotation
def duration(settings: ProtocolSettings) -> float:
    """Simulated time of all runs together [s]."""
    return sum(len(seeds(settings, name)) * case.duration for name, case in cases(settings).items())


@by_annotation
def draw(path: Path, runs: Runs, tables: Tables, settings: ProtocolSettings) -> None:
    """Draw a panel for each protocol that was run."""
    with style():
        if len(tables) > 1:
            figure = figure_of(17.0, 11.6)
            headline(figure, "What does an astrocyte do to plasticity?", _ANSWER)
            grid = figure.add_gridspec(2, 3, left=0.065, right=0.985, top=0.84, bottom=0.065, hspace=0.4, wspace=0.29)
            figure.text(0.985, 0.955, _seeds(settings), ha="right", va="top", fontsize=12, color=GREY)
        else:
            figure = figure_of(8.0, 7.0)
            grid = figure.add_gridspec(1, 1, left=0.14, right=0.97, top=0.91, bottom=0.15)
            figure.text(0.97, 0.99, _seeds(settings), ha="right", va="top", fontsize=12, color=GREY)
        for number, (protocol, rows) in enumerate(tables.items()):
            _PANELS[protocol](figure.add_subplot(grid[number // 3, number % 3]), runs, rows, settings)
        save(figure, path)


def _seeds(settings: ProtocolSettings) -> str:
    """What thin and thick lines are."""
    return f"thin: each of {settings.seeds} seeds; thick, and bars: their mean" if settings.seeds > 1 else "one seed"


def _pairing(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """Two orders of spikes, each with and without release: the paired synapse as a bar, silent ones as dots."""
    groups = [(order, astrocyte) for order in (PRE_POST, POST_PRE) for astrocyte in ("releases", "does not release")]
    for k, (order, astrocyte) in enumerate(groups):
        of = [row for row in rows if (row["order"], row["astrocyte"]) == (order, astrocyte)]
        paired = np.array([row[_CHANGE] for row in of if row["synapse"] == "paired"])
        _bar(axes, x := k // 2 + 0.42 * (k % 2) - 0.21, paired, 0.38, _WITH if astrocyte == "releases" else _WITHOUT,
             f"astrocyte {astrocyte}" if k < len(groups) // 2 else None)
        silent = [row for row in of if row["synapse"] == "silent"]
        near = sorted({row["distance [um]"] for row in silent})
        axes.plot(np.linspace(x - 0.13, x + 0.13, len(near)),
                  [np.mean([row[_CHANGE] for row in silent if row["distance [um]"] == one]) for one in near], "o", ms=6,
                  mfc="white", mec=INK, mew=1.2, label="silent neighbours" if k == 0 else None)
    _zero(axes)
    lag = f"{settings.lag / ms:g} ms before"
    axes.set_xticks([0, 1], [f"pre {lag} post", f"post {lag} pre"])
    axes.set_ylabel("weight change [%], three factors")
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=11)
    axes.set_title("Pairing needs the astrocyte")


def _bar(axes: "Axes", x: float, values: Floats, width: float, colour: str, label: str | None = None) -> None:
    """The mean over seeds as a bar with its number, and each seed as a short line across it."""
    mean = float(values.mean())
    axes.bar(x, mean, width, color=colour, label=label)
    if len(values) > 1:
        axes.hlines(values, x - width / 3, x + width / 3, color=INK, **_THIN)
    over = mean >= 0
    axes.annotate(_signed(mean), (x, max(values) if over else min(values)), (0, 4 if over else -4), ha="center",
                  textcoords="offset points", va="bottom" if over else "top", fontsize=11)


def _clamp(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """A bar for each condition."""
    what = ("control", "astrocyte's\nCa$^{2+}$ clamped", "clamped,\nD-serine", "its receptor\nblocked")
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    names = []
    colours = (_WITH, _WITHOUT, COLOURS[4], INK)
    for x, (name, condition, colour) in enumerate(zip(what, conditions, colours, strict=True)):
        of = [row for row in rows if row["condition"] == condition]
        _bar(axes, x, np.array([row[_CHANGE] for row in of]), 0.62, colour)
        names.append(f"{name}\n{np.mean([row['highest D-serine above rest [uM]'] for row in of]):.2g} µM")
    _zero(axes)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", labelsize=11)
    axes.margins(y=0.15)
    axes.set_ylabel("weight change [%], three factors")
    axes.set_xlabel("condition, and the most D-serine above rest")
    axes.set_title("D-serine stands in for the astrocyte")


def _a1_block(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """The paired-pulse ratio at the silent synapse over time."""
    for label, colour, mark in (("free", _FREE, "o"), ("blocked", _BLOCKED, "s")):
        of = [row for row in rows if row["A1 receptors"] == label]
        times, ratios = _by_seed(of, "after the bursts [s]", "paired-pulse ratio")
        _spread(axes, times, ratios, mark + "-", color=colour, ms=8, mec="white", label=f"A$_1$ receptors {label}")
    _bursts(axes, settings)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time after the bursts [s]")
    axes.set_ylabel(f"second release / first, {settings.gap / ms:g} ms apart")
    axes.legend(frameon=False, fontsize=11)
    axes.set_title("A$_1$ block: paired pulses do not change")


def _spread(axes: "Axes", x: Floats, values: Floats, line: str, **look: Any) -> None:
    """(seeds, n) values at (n,) x: a thin line for each seed, and the mean."""
    if len(values) > 1:
        axes.plot(x, values.T, color=look["color"], **_THIN)
    axes.plot(x, values.mean(axis=0), line, **look)


def _by_seed(rows: Sequence[Row], along: str, what: str) -> tuple[Floats, Floats]:
    """(n,) of one column, and (seeds, n) of another."""
    numbers = dict.fromkeys(str(row["seed"]) for row in rows)
    x = [row[along] for row in rows if str(row["seed"]) == next(iter(numbers))]
    return np.array(x), np.array([[row[what] for row in rows if str(row["seed"]) == one] for one in numbers])


def _depression(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """Release over time, at all silent synapses on average."""
    for name, colour, label in ((TISSUE, _FREE, "free"), (TISSUE_A1, _BLOCKED, "blocked")):
        times = runs[name][0].recording.times
        released = np.array([np.interp(times, run.recording.times, _silent(run)) for run in runs[name]])
        _spread(axes, times - settings.last_burst, 100 * released, "-", color=colour, lw=2.4,
                label=f"A$_1$ receptors {label}")
        if name == TISSUE:
            _half_times(axes, course(times - runs[name][0].case.trains[ACTIVE][0], released.mean(axis=0)), settings)
    _bursts(axes, settings)
    axes.set_ylim(0, 105)
    axes.set_xlim(left=-settings.last_burst - _ROOM)
    axes.set_xlabel("time after the bursts [s]")
    axes.set_ylabel("release at silent synapses\n[% of that before]")
    axes.legend(frameon=False, fontsize=10, loc="lower left", handlelength=1.2)
    shown = [row["largest fall of release [%]"] for row in rows if row["what"] == rows[0]["what"]]
    axes.set_title(f"Silent neighbours release {_range(shown[:len(shown) // 2])} % less")


def _silent(run: Observed) -> Floats:
    """(times,) release over that at the start, averaged over the silent synapses."""
    silent = np.delete(run.recording[PROBABILITY], ACTIVE, axis=1)
    return np.asarray((silent / silent[0]).mean(axis=1))


def _half_times(axes: "Axes", found: Row, settings: ProtocolSettings) -> None:
    """When release is half down and half up again, from the first spike on, beside the mean."""
    first = settings.first + settings.gap - settings.last_burst
    for text, key, shift in (("half gone\n{:.2g} s from\n1st spike", "half of it after [s]", -8),
                             ("half back\n{:.2g} s from\n1st spike", "half of it again after [s]", 8)):
        if np.isfinite(found[key]):
            at = (found[key] + first, 100 - found["largest fall of release [%]"] / 2)
            axes.plot(*at, "o", color=INK, ms=7)
            axes.annotate(text.format(found[key]), at, (shift, 0), textcoords="offset points", va="center",
                          fontsize=11, ha="left" if shift > 0 else "right")


def _metaplasticity(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """The same test before the bursts and later and later after them."""
    before = float(rows[0][_CHANGE])
    delays, values = _by_seed([row for row in rows if np.isfinite(row[TEST_AFTER])], TEST_AFTER, _CHANGE)
    axes.axhline(before, color=GREY, ls="--", lw=1.6)
    axes.text(0.02, before, "before the bursts", color=GREY, va="bottom", transform=axes.get_yaxis_transform(),
              fontsize=11)
    _spread(axes, delays, values, "-", color=INK, lw=2.2, zorder=1)
    mean = values.mean(axis=0)
    axes.scatter(delays, mean, s=80, c=[COLOURS[1] if value > 0 else COLOURS[0] for value in mean], zorder=2)
    axes.set_xscale("log")
    axes.set_xticks(delays, [f"{delay:g}" for delay in delays])
    axes.minorticks_off()
    _zero(axes)
    axes.margins(y=0.15)
    axes.set_xlabel("test after the bursts [s]")
    axes.set_ylabel(f"weight change by {settings.bcm.pulses} pulses\nat {settings.test:g} Hz [%], BCM")
    axes.set_title(turned(before, values[:, 0]))
    depresses = int((values < 0).any(axis=1).sum())
    axes.text(0.98, 0.05, f"it depresses at some time in\n{depresses} of {len(values)} seeds", ha="right", fontsize=11,
              transform=axes.transAxes)


@arguments(may_be_nan=("soonest",))
def turned(before: float, soonest: Floats) -> str:
    """What (seeds,) weight changes by the first test after bursts all have in common, against that `before`."""
    shaped("turned: soonest", soonest, ("k",))
    if (soonest < 0).all():
        return "After bursts the same test depresses"
    if (soonest < before).all():
        return "After bursts the same test potentiates less"
    return f"After bursts it potentiates less in {(soonest < before).sum()} of {len(soonest)} seeds"


def _frequency(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """From above: pairs under the three-factor rule, pairs under the Ca2+-based rule, pulses under the BCM rule."""
    axes.set_axis_off()
    axes.set_title("Weight change against rate")
    parts = [axes.inset_axes((0, low, 1, high)) for low, high in ((0.75, 0.25), (0.375, 0.33), (0.0, 0.33))]
    for part, rule, draw_rule, said in zip(parts, (THREE_FACTORS, CALCIUM_BASED, SLIDING),
                                           (_three_factors, _calcium_based, _sliding),
                                           (f"{settings.pairs} pairs [%],\nthree factors", f"{settings.many} pairs "
                                            "[%],\nCa$^{2+}$ rule", f"{settings.bcm.pulses} pulses\n[%], BCM"),
                                           strict=True):
        by = dict[str, list[Row]]()
        for row in rows:
            if row["rule"] == rule:
                by.setdefault(row["condition"], []).append(row)
        draw_rule(part, by)
        part.set_ylabel(said, fontsize=11)
        part.set_xscale("log")
        part.set_xlim(0.09, 110)
        part.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"] if part is parts[-1] else [])
        part.tick_params(labelsize=11)
        _zero(part)
    parts[-1].set_xlabel("rate [Hz]")


def _three_factors(axes: "Axes", by: Mapping[str, Sequence[Row]]) -> None:
    for (condition, rows), colour in zip(by.items(), (_WITH, _WITHOUT), strict=True):
        _spread(axes, *_by_seed(rows, "rate [Hz]", _CHANGE), "o-", color=colour, ms=7, mec="white", label=condition)
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=10, loc="center left", handlelength=1.2)


def _calcium_based(axes: "Axes", by: Mapping[str, Sequence[Row]]) -> None:
    """Both orders of the spikes, each named at its curves, at each level of D-serine."""
    for k, ((condition, rows), colour) in enumerate(zip(by.items(), (_WITHOUT, _WITH) * 2, strict=True)):
        order, level = condition.split(", ")
        rates, changes = _by_seed(rows, "rate [Hz]", _CHANGE)
        _spread(axes, rates, changes, "-" if k < len(by) // 2 else "--", color=colour, lw=2,
                label=level.replace("uM", "µM") if k < len(by) // 2 else None)
        if colour == _WITHOUT:
            up = changes[0, 0] > 0
            axes.annotate(order, (rates[0], changes[0, 0]), (6, 9 if up else -4), textcoords="offset points",
                          fontsize=10, va="bottom" if up else "top")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.25 * (high - low), high + 0.35 * (high - low))
    axes.legend(frameon=False, fontsize=10, loc="upper left", ncols=2, handlelength=1.2, columnspacing=1,
                borderaxespad=0)


def _sliding(axes: "Axes", by: Mapping[str, Sequence[Row]]) -> None:
    for (condition, rows), colour in zip(by.items(), (GREY, ACTIVE_COLOUR), strict=True):
        rates, changes = _by_seed(rows, "rate [Hz]", _CHANGE)
        _spread(axes, rates, changes, "-", color=colour, lw=2,
                label=f"{condition}: 0 at {_range([crossover(rates, one) for one in changes])} Hz")
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_yticks([-10, 0, 10, 100], ["\N{MINUS SIGN}10", "0", "10", "100"])
    axes.legend(frameon=False, fontsize=10, loc="upper left")


def _range(values: Sequence[float]) -> str:
    """From the least to the most, or one number."""
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low}-{high}".replace("-", "\N{EN DASH}")


def _bursts(axes: "Axes", settings: ProtocolSettings) -> None:
    """When the bursts are."""
    axes.axvspan(-(settings.bursts - 1) * settings.burst_interval - settings.burst / settings.burst_rate, 0,
                 color=COLOURS[4], alpha=0.35, lw=0)


def _zero(axes: "Axes") -> None:
    axes.axhline(0, color=INK, lw=1)


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "\N{MINUS SIGN}")


_PANELS = {PAIRING: _pairing, CLAMP: _clamp, A1_BLOCK: _a1_block, DEPRESSION: _depression,
           METAPLASTICITY: _metaplasticity, FREQUENCY: _frequency}
