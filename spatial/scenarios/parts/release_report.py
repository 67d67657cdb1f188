"""What the reports of sweeps of releases into a cleft share: glutamate seen along the axis."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from spatial.checks import by_annotation
from spatial.geometry.cleft import Cleft
from spatial.geometry.place import Ints, Place
from spatial.output.figures import ACTIVE, INK
from spatial.output.scenes import ASTROCYTE
from spatial.scenarios.parts.release_in_cleft import Observed
from spatial.units import ms, um

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection

LOWEST, HIGHEST = 0.1, 1000.0  # uM, the ends of the colours
SHOWN = 0.6 * um  # from the axis
MAP = "viridis"
_SAME = 1e-6  # um
_CORNERS = ([0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3])


@by_annotation
def plane_of(place: Place, z: float) -> Ints:
    """(k, 3) triangles of a place of tetrahedra that lie at the height z [um]."""
    there = np.abs(place.centres[:, 2] - z) < _SAME
    faces = np.concatenate([place.cells[:, corners] for corners in _CORNERS])
    return np.unique(np.sort(faces[there[faces].all(axis=1)], axis=1), axis=0)


@by_annotation
def draw_field(axes: "Axes", observed: Observed, frame: int) -> "Collection":
    """Glutamate at the height of the neighbours in one frame of the film, and what closes and covers the cleft."""
    from matplotlib.colors import LogNorm

    shape, place, film = observed.release.shape, observed.film.species.place, observed.film
    z = float(shape.neighbours[0, 2])
    values = np.clip(film.values[frame], LOWEST, HIGHEST)
    x, y, _ = place.centres.T
    field = cast(Any, axes).tripcolor(x, y, plane_of(place, z), values, shading="gouraud",
                                      norm=LogNorm(LOWEST, HIGHEST), cmap=MAP)
    _draw_cells(axes, shape)
    axes.set_aspect("equal")
    axes.set_xlim(-SHOWN, SHOWN)
    axes.set_ylim(-SHOWN, SHOWN)
    axes.text(0.03, 0.03, f"{film.times[frame] / ms:.2g} ms", transform=axes.transAxes, color="white", fontsize=12)
    return field


def _draw_cells(axes: "Axes", shape: Cleft) -> None:
    """Collar, seal, the outline of the cleft, and the neighbours."""
    from matplotlib.patches import Circle, Wedge

    for part, outer, inner, colour in ((shape.coverage, shape.outside, shape.inside, ASTROCYTE),
                                       (shape.sealed, shape.inside, shape.radius, INK)):
        if part > 0:
            axes.add_patch(Wedge((0, 0), outer, -180 * part, 180 * part, width=outer - inner, fc=colour, ec="white",
                                 lw=0.8))
    axes.add_patch(Circle((0, 0), shape.radius, fill=False, ec="white", lw=1.2, ls=":"))
    x, y, _ = shape.neighbours.T
    axes.plot(x, y, "o", ms=9, mfc="none", mec=ACTIVE, mew=2.2)
    axes.annotate("neighbour", (SHOWN, y[0]), (-5, 15), textcoords="offset points", ha="right", color="white",
                  fontsize=10)


@by_annotation
def colour_bar(axes: "Axes", field: "Collection") -> None:
    """A bar beside the axes for the colours of `draw_field`."""
    bar = axes.figure.colorbar(field, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.set_label("glutamate [µM]")
