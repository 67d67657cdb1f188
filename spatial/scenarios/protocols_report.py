"""What runs of `protocols` leave: one picture that tells all, a table for each protocol, recordings and a summary."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spatial.geometry.place import Floats
from spatial.output.figures import ACTIVE as ACTIVE_COLOUR
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.movies import save_table
from spatial.output.recording_file import write_recording, write_summary
from spatial.scenarios.experiment import after
from spatial.scenarios.protocol_bench import ACTIVE, PROBABILITY, Observed, observe
from spatial.scenarios.protocols import (
    A1_BLOCK,
    CLAMP,
    DEPRESSION,
    FIND,
    FREQUENCY,
    METAPLASTICITY,
    PAIRING,
    POST_PRE,
    PRE_POST,
    TISSUE,
    TISSUE_A1,
    ProtocolSettings,
    Row,
    cases,
    crossover,
)
from spatial.scenarios.release_report import headline
from spatial.scenarios.report import checks_of, mesh_summary
from spatial.simulate import Progress
from spatial.units import ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WITH, _WITHOUT = COLOURS[2], GREY  # an astrocyte that releases, and one that does not
_ANSWER = ("Its D-serine decides whether paired spikes change a weight. The adenosine of its ATP lowers release, at "
           "silent neighbours too,\nand after intense activity raises the rate from which on a synapse is potentiated.")
_ROOM = 14.0  # s, before the bursts
Runs = Mapping[str, Observed]
Tables = Mapping[str, Sequence[Row]]


def results(folder: Path, settings: ProtocolSettings, seed: int = 0, progress: Progress | None = None) -> dict[
        str, list[Row]]:
    """Compute, and write every file into the folder; the rows found by each protocol."""
    runs, before = dict[str, Observed](), 0.0
    for name, case in cases(settings).items():
        runs[name] = observe(case, seed, after(before, progress))
        before += case.duration
    tables = {protocol: FIND[protocol](runs, settings) for protocol in settings.chosen}
    for name, run in runs.items():
        write_recording(run.recording, folder / f"{name.replace(',', '').replace(' ', '_')}.h5")
    for protocol, rows in tables.items():
        save_table(folder / f"{protocol}.csv", rows)
    one = next(iter(runs.values()))
    write_summary({"scenario": "protocols", "seed": seed, "settings": asdict(settings),
                   **checks_of((run.experiment, run.recording) for run in runs.values()),
                   "mesh": mesh_summary(one.experiment.mesh), "found": tables}, folder / "summary.json")
    draw(folder / "protocols.png", runs, tables, settings)
    return tables


def duration(settings: ProtocolSettings) -> float:
    """Simulated time of all runs together [s]."""
    return sum(case.duration for case in cases(settings).values())


def draw(path: Path, runs: Runs, tables: Tables, settings: ProtocolSettings) -> None:
    """Draw a panel for each protocol that was run."""
    with style():
        if len(tables) > 1:
            figure = figure_of(17.0, 11.0)
            headline(figure, "What does an astrocyte do to plasticity?", _ANSWER)
            grid = figure.add_gridspec(2, 3, left=0.065, right=0.985, top=0.83, bottom=0.07, hspace=0.42, wspace=0.29)
        else:
            figure = figure_of(8.0, 6.4)
            grid = figure.add_gridspec(1, 1, left=0.14, right=0.97, top=0.92, bottom=0.16)
        for number, (protocol, rows) in enumerate(tables.items()):
            _PANELS[protocol](figure.add_subplot(grid[number // 3, number % 3]), runs, rows, settings)
        save(figure, path)


def _pairing(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """Two orders of spikes, each with and without release: the paired synapse as a bar, silent ones as dots."""
    groups = [(order, astrocyte) for order in (PRE_POST, POST_PRE) for astrocyte in ("releases", "does not release")]
    for k, (order, astrocyte) in enumerate(groups):
        x, of = k // 2 + 0.42 * (k % 2) - 0.21, [row for row in rows if (row["order"], row["astrocyte"]) == (
            order, astrocyte)]
        colour = _WITH if astrocyte == "releases" else _WITHOUT
        paired = next(row["weight change [%]"] for row in of if row["synapse"] == "paired")
        axes.bar(x, paired, 0.38, color=colour, label=f"astrocyte {astrocyte}" if k < len(groups) // 2 else None)
        axes.annotate(_signed(paired), (x, paired), (0, 4 if paired >= 0 else -4), textcoords="offset points",
                      ha="center", va="bottom" if paired >= 0 else "top", fontsize=11)
        nearest = sorted((row for row in of if row["synapse"] == "silent"), key=lambda row: row["distance [um]"])
        silent = [row["weight change [%]"] for row in nearest]
        axes.plot(np.linspace(x - 0.13, x + 0.13, len(silent)), silent, "o", ms=6, mfc="white", mec=INK, mew=1.2,
                  label="silent neighbours" if k == 0 else None)
    _zero(axes)
    lag = f"{settings.lag / ms:g} ms before"
    axes.set_xticks([0, 1], [f"pre {lag} post", f"post {lag} pre"])
    axes.set_ylabel("weight change [%], three factors")
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=11)
    axes.set_title("Pairing needs the astrocyte")


def _clamp(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """A bar for each condition."""
    values = [row["weight change [%]"] for row in rows]
    what = ("control", "astrocyte's\nCa$^{2+}$ clamped", "clamped,\nD-serine", "its receptor\nblocked")
    names = [f"{name}\n{row['highest D-serine above rest [uM]']:.2g} µM" for name, row in zip(what, rows, strict=True)]
    bars = axes.bar(names, values, 0.62, color=[_WITH, _WITHOUT, COLOURS[4], INK])
    axes.bar_label(bars, [_signed(value) for value in values], fontsize=11, padding=3)
    _zero(axes)
    axes.tick_params(axis="x", labelsize=11)
    axes.margins(y=0.15)
    axes.set_ylabel("weight change [%], three factors")
    axes.set_xlabel("condition, and the most D-serine above rest")
    axes.set_title("D-serine stands in for the astrocyte")


def _a1_block(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """The paired-pulse ratio at the silent synapse over time."""
    for label, colour, mark in (("free", COLOURS[0], "o"), ("blocked", COLOURS[1], "s")):
        of = [row for row in rows if row["A1 receptors"] == label]
        axes.plot([row["after the bursts [s]"] for row in of], [row["paired-pulse ratio"] for row in of], mark + "-",
                  color=colour, ms=8, mec="white", label=f"A$_1$ receptors {label}")
    _bursts(axes, settings)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time after the bursts [s]")
    axes.set_ylabel(f"second release / first, {settings.gap / ms:g} ms apart")
    axes.legend(frameon=False, fontsize=11)
    axes.set_title("A$_1$ block: paired pulses do not change")


def _depression(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """Release at the silent synapses over time."""
    for name, colour, label in ((TISSUE, COLOURS[0], "free"), (TISSUE_A1, COLOURS[1], "blocked")):
        run = runs[name]
        silent = np.delete(run.recording[PROBABILITY], ACTIVE, axis=1)
        axes.plot(run.recording.times - settings.last_burst, 100 * silent / silent[0], color=colour, lw=1.6,
                  label=[f"A$_1$ receptors {label}", *[None] * (silent.shape[1] - 1)])
    row = rows[0]
    start = settings.last_burst - runs[TISSUE].case.trains[ACTIVE][0]
    for text, key, shift in (("half gone\n{:.2g} s from\n1st spike", "half of it after [s]", -8),
                             ("half back\n{:.2g} s from\n1st spike", "half of it again after [s]", 8)):
        if np.isfinite(row[key]):
            at = (row[key] - start, 100 - row["largest fall of release [%]"] / 2)
            axes.plot(*at, "o", color=INK, ms=7)
            axes.annotate(text.format(row[key]), at, (shift, 0), textcoords="offset points", va="center", fontsize=11,
                          ha="left" if shift > 0 else "right")
    _bursts(axes, settings)
    axes.set_ylim(0, 105)
    axes.set_xlim(left=-settings.last_burst - _ROOM)
    axes.set_xlabel("time after the bursts [s]")
    axes.set_ylabel("release at silent synapses\n[% of that before]")
    axes.legend(frameon=False, fontsize=10, loc="lower left", handlelength=1.2)
    axes.set_title(f"Silent neighbours release up to {row['largest fall of release [%]']:.0f} % less")


def _metaplasticity(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """The same test before the bursts and later and later after them."""
    before, later = rows[0], rows[1:]
    delays = [row["test after the bursts [s]"] for row in later]
    values = [row["weight change [%]"] for row in later]
    axes.axhline(before["weight change [%]"], color=GREY, ls="--", lw=1.6)
    axes.text(0.02, before["weight change [%]"], "before the bursts", color=GREY, va="bottom",
              transform=axes.get_yaxis_transform(), fontsize=11)
    axes.plot(delays, values, color=INK, lw=1.6, zorder=1)
    axes.scatter(delays, values, s=80, c=[COLOURS[1] if value > 0 else COLOURS[0] for value in values], zorder=2)
    axes.set_xscale("log")
    axes.set_xticks(delays, [f"{delay:g}" for delay in delays])
    axes.minorticks_off()
    _zero(axes)
    axes.margins(y=0.15)
    axes.set_xlabel("test after the bursts [s]")
    axes.set_ylabel(f"weight change by {settings.pulses} pulses\nat {settings.test:g} Hz [%], BCM")
    turned = "depresses" if values[0] < 0 else "potentiates less"
    axes.set_title(f"After bursts the same test {turned}")


def _frequency(axes: "Axes", runs: Runs, rows: Sequence[Row], settings: ProtocolSettings) -> None:
    """Above, pairs under the three-factor rule; below, the BCM curves before and after bursts."""
    axes.set_axis_off()
    axes.set_title("Weight change against rate")
    upper, lower = axes.inset_axes((0, 0.62, 1, 0.36)), axes.inset_axes((0, 0, 1, 0.54))
    for condition, colour in (("D-serine of the astrocyte", _WITH), ("without it", _WITHOUT)):
        upper.plot(*_curve(rows, condition), "o-", color=colour, ms=7, mec="white", label=condition)
    upper.set_ylabel(f"{settings.pairs} pairs [%],\nthree factors", fontsize=11)
    upper.margins(y=0.12)
    upper.set_ylim(top=1.9 * upper.get_ylim()[1])
    for condition, colour in zip(dict.fromkeys(row["condition"] for row in rows if row["rule"] == "BCM"),
                                 (GREY, ACTIVE_COLOUR), strict=True):
        rates, changes = _curve(rows, condition)
        lower.plot(rates, changes, color=colour, label=f"{condition}: 0 at {crossover(rates, changes):.3g} Hz")
    lower.set_yscale("symlog", linthresh=1.0)
    lower.set_yticks([-10, -1, 0, 1, 10, 100], ["\N{MINUS SIGN}10", "\N{MINUS SIGN}1", "0", "1", "10", "100"])
    lower.set_ylabel(f"{settings.pulses} pulses [%],\nBCM", fontsize=11)
    lower.set_xlabel("rate [Hz]")
    for one in (upper, lower):
        one.set_xscale("log")
        one.set_xlim(0.9, 110)
        one.set_xticks([1, 10, 100], ["1", "10", "100"] if one is lower else [])
        _zero(one)
        one.legend(frameon=False, fontsize=10, loc="upper right" if one is upper else "upper left")


def _curve(rows: Sequence[Row], condition: str) -> tuple[Floats, Floats]:
    """Rates [Hz] and weight changes [%] of one condition."""
    of = [row for row in rows if row["condition"] == condition]
    return np.array([row["rate [Hz]"] for row in of]), np.array([row["weight change [%]"] for row in of])


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
