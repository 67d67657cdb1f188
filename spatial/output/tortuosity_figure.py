"""A plot of virtual iontophoresis: what electrodes at several distances saw, and the curves that fit."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spatial.geometry.place import Floats, Ints
from spatial.output.figures import COLOURS, INK, figure_of, save, style
from spatial.units import ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUPS = 4  # distances shown
_EACH = 12  # electrodes shown around each


def fitted_traces(path: str | Path, times: Floats, distances: Floats, values: Floats, curves: Floats,
                  found: str, known: str) -> None:
    """Draw traces (t, k) [uM] at `times` (t,) [s] and `distances` (k,) [um], and the fitted `curves` (t, k).

    Electrodes are shown around a few distances; their mean fitted curve is a line. `found` says what the fit gave,
    `known` what was measured in another way.
    """
    with style():
        figure = figure_of(12.0, 6.0)
        axes = figure.add_axes((0.08, 0.12, 0.54, 0.78))
        for shown, colour in zip(_grouped(distances), COLOURS, strict=False):
            _draw(axes, times / ms, values[:, shown], curves[:, shown], float(distances[shown].mean()), colour)
        axes.set_xlabel("time since the pipette opened [ms]")
        axes.set_ylabel("TMA⁺ [µM]")
        axes.set_xlim(0, 1.01 * times[-1] / ms)
        axes.set_ylim(0, None)
        axes.set_title("Virtual iontophoresis: how far TMA⁺ comes, and when")
        axes.text(1.24, 0.9, found, transform=axes.transAxes, fontsize=16, fontweight="bold", va="top")
        axes.text(1.24, 0.72, known, transform=axes.transAxes, fontsize=11, color=INK, va="top")
        axes.plot([], [], "o", color=INK, ms=5, alpha=0.5, label="electrodes")
        axes.plot([], [], "-", color=INK, lw=2.6, label="homogenised tissue, fitted")
        axes.legend(loc="upper left", frameon=False)
        save(figure, path)


def _grouped(distances: Floats) -> list[Ints]:
    """The electrodes nearest to each of a few distances, spread evenly over all there are."""
    order = np.argsort(distances, kind="stable")
    size = min(_EACH, max(1, len(order) // _GROUPS))
    starts = np.unique(np.linspace(0, len(order) - size, _GROUPS).astype(int))
    return [order[start:start + size] for start in starts]


def _draw(axes: "Axes", t: Floats, values: Floats, curves: Floats, distance: float, colour: str) -> None:
    """Electrodes around one distance as dots, the mean of their fitted curves as a line named at its end."""
    axes.plot(t, values, "o", color=colour, ms=4, alpha=0.35, mew=0)
    axes.plot(t, curves.mean(axis=1), "-", color=colour, lw=2.6)
    axes.annotate(f"{distance:.2g} µm away", (t[-1], float(curves[-1].mean())), (8, 0), textcoords="offset points",
                  color=colour, va="center", annotation_clip=False)
