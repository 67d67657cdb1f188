"""What a run of `homeostasis` leaves: a picture with f-I curves, a kick and gains, a table, recordings, a summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spatial.checks import by_annotation
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.pictures import draw_all
from spatial.scenarios.homeostasis.model import (
    ADENOSINE,
    BOTH,
    BUFFERED,
    GAIN,
    NONE,
    SETTLES,
    THRESHOLD,
    Homeostasis,
    cases,
    findings,
    homeostasis,
    response,
    settled,
)
from spatial.scenarios.homeostasis.settings import HomeostasisSettings
from spatial.scenarios.parts.experiment import after
from spatial.scenarios.parts.report import Row, headline, write
from spatial.simulate import Progress
from spatial.synapses.excitability import MeanField, RateNeuron

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {NONE: INK, BUFFERED: COLOURS[0], ADENOSINE: COLOURS[1], BOTH: COLOURS[2]}
_NAMES = {NONE: "no feedback", BUFFERED: "K$^+$ buffering", ADENOSINE: "adenosine", BOTH: "both"}
_DASHED = (0, (4, 2))
_HIGHEST = 110.0  # Hz, of the f-I curves
_SHOWN = 20.0  # s after the kick
_RATES = np.geomspace(0.3, _HIGHEST, 400)  # Hz, along the branches
_FREQUENCIES = np.geomspace(0.01, 30, 200)  # Hz
_MEASURED = np.geomspace(0.01, 30, 12)  # Hz


@by_annotation
def results(folder: Path, settings: HomeostasisSettings, progress: Progress | None = None) -> list[Row]:
    """Compute, and write every file into the folder; a row of findings per case."""
    runs, rows = dict[str, Homeostasis](), list[Row]()
    for k, (name, loop) in enumerate(cases(settings).items()):
        runs[name] = homeostasis(loop, settings, after(3 * k * settings.duration, progress))
        rows.append({"case": name, **findings(runs[name], settings)})
    seen = {f"{name}_{part}": getattr(run, part) for name, run in runs.items()
            for part in ("driven", "stepped", "kicked")}
    write(folder, "homeostasis", settings, {name: (one.experiment, one.recording) for name, one in seen.items()}, rows)
    draw_all(folder, {"homeostasis.png": lambda path: _draw(path, runs, rows, settings)})
    return rows


@by_annotation
def duration(settings: HomeostasisSettings) -> float:
    """Simulated time of all runs together [s]."""
    return len(cases(settings)) * 3 * settings.duration


def _draw(path: Path, runs: Mapping[str, Homeostasis], rows: list[Row], settings: HomeostasisSettings) -> None:
    """The f-I curves with what is above them; beside them the kick over time, and gains over frequency."""
    with style():
        figure = figure_of(14.0, 8.6)
        left = figure.subplots(1, 1, gridspec_kw={"left": 0.065, "right": 0.515, "top": 0.795, "bottom": 0.085})
        right = figure.subplots(2, 1, gridspec_kw={"left": 0.605, "right": 0.975, "top": 0.795, "bottom": 0.085,
                                                   "hspace": 0.5})
        headline(figure, "What keeps a neuron from running away?", _answer(rows, settings))
        _curves(left, runs, settings)
        _kick(right[0], runs, settings)
        _gains(right[1], runs, settings)
        save(figure, path)


def _answer(rows: list[Row], settings: HomeostasisSettings) -> str:
    """What each feedback does to the gain, and to the rate from which there is no way back."""
    by = {row["case"]: row for row in rows}

    def of(quantity: str, digits: int) -> tuple[str, ...]:
        return tuple(f"{by[name][quantity]:.{digits}f}" for name in (NONE, BUFFERED, ADENOSINE, BOTH))

    gain, threshold = of(GAIN, 1), of(THRESHOLD, 0)
    back = [_NAMES[name] for name, row in by.items() if row[SETTLES]]
    return (f"Uptake of K$^+$ by its astrocyte and adenosine lower its gain, from {gain[0]} Hz to {gain[1]} and "
            f"{gain[2]}, together to {gain[3]}. The rate from\nwhich it runs away rises from {threshold[0]} Hz to "
            f"{threshold[1]} and {threshold[2]}, together to {threshold[3]}: from {settings.kick:g} Hz it comes back "
            f"with {' or '.join(back) or 'none of them'}.")


def _curves(axes: "Axes", runs: Mapping[str, Homeostasis], settings: HomeostasisSettings) -> None:
    """Steady rates and thresholds of the mean field, and where simulated neurons settled."""
    for name, run in runs.items():
        current = run.loop.holding(_RATES)
        fold = int(np.argmax(current)) + 1
        axes.plot(current[:fold], _RATES[:fold], color=_COLOURS[name])
        axes.plot(current[fold - 1:], _RATES[fold - 1:], color=_COLOURS[name], ls=_DASHED, lw=1.8)
        at_rest = settled(run.driven)
        axes.plot(run.driven.inputs[at_rest], run.driven.rates[-1, at_rest], "o", ms=5.5, color=_COLOURS[name],
                  mec="white", mew=0.6)
    axes.axvline(settings.current, color=GREY, lw=1, ls=":")
    axes.plot(settings.current, settings.kick, "*", ms=21, color=COLOURS[3], mec="white", zorder=5)
    _name_thresholds(axes, runs, settings)
    axes.set_xlim(*settings.currents)
    axes.set_ylim(0, _HIGHEST)
    axes.set_xlabel("input I")
    axes.set_ylabel("rate [Hz]")
    axes.set_title("From above its threshold it runs away")


def _name_thresholds(axes: "Axes", runs: Mapping[str, Homeostasis], settings: HomeostasisSettings) -> None:
    """Each case's name where its threshold begins, and what the lines are."""
    from matplotlib.lines import Line2D

    lowest = settings.currents[0]
    for name, run in runs.items():
        for threshold in run.loop.steady(lowest)[1:2]:
            axes.annotate(_NAMES[name], (lowest, min(threshold, 0.97 * _HIGHEST)), (10, 8), color=_COLOURS[name],
                          textcoords="offset points", fontweight="bold")
    axes.legend(handles=[Line2D([], [], color=GREY, ls=_DASHED, label="threshold"),
                         Line2D([], [], color=GREY, label="steady rate"),
                         Line2D([], [], color=GREY, marker="o", ls="", label="simulated"),
                         Line2D([], [], color=COLOURS[3], marker="*", ms=15, mec="white", ls="",
                                label="left alone here")],
                frameon=False, fontsize=12, loc="upper right")


def _kick(axes: "Axes", runs: Mapping[str, Homeostasis], settings: HomeostasisSettings) -> None:
    """The rate after it is left alone."""
    for name, run in runs.items():
        axes.semilogy(run.kicked.recording.times, run.kicked.rates[:, 0], color=_COLOURS[name])
    axes.plot(0, settings.kick, "*", ms=16, color=COLOURS[3], mec="white", zorder=5, clip_on=False)
    axes.set_xlim(0, min(_SHOWN, settings.duration))
    axes.set_ylim(2, 1.5 * RateNeuron.ceiling)
    axes.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    axes.locator_params(axis="x", nbins=5)
    axes.minorticks_off()
    axes.set_xlabel("time left alone [s]")
    axes.set_ylabel("rate [Hz]")
    axes.set_title(f"Left alone at {settings.kick:g} Hz")


def _gains(axes: "Axes", runs: Mapping[str, Homeostasis], settings: HomeostasisSettings) -> None:
    """Gain over frequency, as simulated and as linearised."""
    for name, run in runs.items():
        calm = _calm(run.loop, settings)
        axes.semilogx(_FREQUENCIES, np.abs(run.loop.response(calm, settings.current, _FREQUENCIES)),
                      color=_COLOURS[name])
        axes.plot(_MEASURED, np.abs(response(run.stepped, _MEASURED)), "o", ms=6.5, color=_COLOURS[name], mec="white",
                  mew=0.7)
    axes.set_xlim(_FREQUENCIES[0], _FREQUENCIES[-1])
    axes.set_ylim(bottom=0)
    axes.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    axes.set_xlabel("how fast the input changes [Hz]")
    axes.set_ylabel("gain dr/dI [Hz]")
    axes.set_title("Gain: simulated (dots), linearised (lines)")


def _calm(loop: MeanField, settings: HomeostasisSettings) -> float:
    """The rate at the operating point [Hz]."""
    return float(loop.steady(settings.current)[0])
