"""Homogenised tissue as a grid of bricks."""

import math
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from spatial.checks import InputError, Unusual, by_annotation, positive
from spatial.geometry.bricks import graded_grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import BRICKS, MOST_ELEMENTS, check_length
from spatial.geometry.tortuosity import Tortuosity
from spatial.units import um

_ON_A_FACE = 1e-6  # part of a brick's side within which a position lies on its face
_TETRAHEDRON = 4  # corners
_WIDER = 5.0  # times the box: a spacing that is hardly meant, for it is one brick anyway


class ThroughTheCell(UserWarning):
    """A homogenised medium fills a cell too, which in truth keeps it out."""


@by_annotation
def grid(name: str, lower: ArrayLike, upper: ArrayLike, spacing: float,
         volume_fraction: float = 1.0, tortuosity: Tortuosity = 1.0,
         most_elements: float = MOST_ELEMENTS) -> Place:
    """A box of equal bricks from corner `lower` to `upper` [um], sealed all around.

    `spacing` [um] is rounded so that bricks fill the box. A homogenised medium has a volume
    fraction alpha < 1 and a tortuosity lambda > 1, which may be three along x, y, z. More than `most_elements` bricks
    are refused before any is made.
    """
    low, high = np.asarray(lower, float), np.asarray(upper, float)
    if low.shape != (3,) or high.shape != (3,):
        raise InputError(f"grid {name!r} spans from a corner of shape {low.shape} to one of shape {high.shape}; each "
                         "must be three numbers, x, y and z")
    positive("grid spacing", spacing)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()):
        raise InputError(f"grid {name!r} spans {low} to {high} um; upper must exceed lower on each axis")
    side = float((high - low).max())
    if spacing > _WIDER * side:
        warnings.warn(f"grid {name!r} has a spacing of {spacing:g} um in a box of {side:g} um; is it in um?", Unusual,
                      stacklevel=3)
    check_length(f"grid {name!r}", "spacing", spacing, lambda length: math.prod(_counts(low, high, length)), BRICKS,
                 most_elements, hint=" (lengths are in um: write 100 * nm)")
    counts = _counts(low, high, spacing)
    return graded_grid(name, [np.linspace(low[k], high[k], int(counts[k]) + 1) for k in range(3)],
                       volume_fraction, tortuosity, most_elements)


def _counts(low: Floats, high: Floats, spacing: float) -> list[float]:
    """Bricks of about this spacing [um] along each axis of a box."""
    return [max(1.0, float(np.rint(side / spacing))) for side in high - low]


@by_annotation
def in_homogenised_tissue(mesh: Mesh, membrane: str = "plasma membrane", name: str = "ecs", margin: float = 1.0 * um,
                          spacing: float = 0.125 * um, volume_fraction: float = 0.2,
                          tortuosity: Tortuosity = 1.6, most_elements: float = MOST_ELEMENTS) -> Mesh:
    """A cell's mesh put into homogenised neuropil: a grid that overlaps it, touched by its membrane.

    Each membrane element touches the brick at its position. alpha = 0.2, lambda = 1.6: Nicholson &
    Phillips 1981. The grid reaches `margin` [um] beyond the cell. Warns with `ThroughTheCell` where the cell has a
    shape, through which the grid is laid. More than `most_elements` bricks are refused.
    """
    centres: Floats = mesh[membrane].centres
    tissue = grid(name, centres.min(axis=0) - margin, centres.max(axis=0) + margin, spacing,
                  volume_fraction, tortuosity, most_elements)
    laid = mesh.with_places(tissue).touching(membrane, name, tissue.nearest(centres))
    for sentence in laid_through(laid, name):
        warnings.warn(sentence, ThroughTheCell, stacklevel=2)
    return laid


def laid_through(mesh: Mesh, name: str) -> Iterator[str]:
    """Say of a place of bricks, for each cell that it is laid through, what that puts on a wrong side of the membrane.

    A cell is laid through where its membrane lies within the bricks that it touches, rather than on their faces; one in
    slices always is. What is spread evenly through the bricks, such as the cells of homogenised tissue, never is.
    """
    bricks = mesh[name]
    for membrane in mesh.values():
        if membrane.dimension != 2 or name not in membrane.touches or not len(bricks.sides):
            continue
        brick = membrane.touches[name]
        depth = bricks.sides[brick] / 2 - np.abs(membrane.centres - bricks.centres[brick])
        cells = [cell for cell in map(mesh.__getitem__, membrane.touches) if cell.dimension == 3 and len(cell) > 1
                 and not np.array_equal(cell.centres[membrane.touches[cell.name]], bricks.centres[brick])]
        sliced = any(not len(cell.cells) and not len(cell.sides) for cell in cells)
        if sliced or (cells and (depth > _ON_A_FACE * bricks.sides[brick]).all(axis=1).any()):
            yield (f"the grid {name!r} is laid through the cell of {membrane.name!r}: {_inside(membrane, bricks, mesh)}"
                   f"both faces of what is thinner than a brick, {bricks.sides[brick].max():.3g} um, touch the same "
                   "one; take from it no statement about barriers or coverage")


def _inside(membrane: Place, bricks: Place, mesh: Mesh) -> str:
    """How much of a cell's membrane touches bricks in it, in words; nothing where no cell's inside is known."""
    brick = membrane.touches[bricks.name]
    solid = [cell for cell in mesh.values() if cell.dimension == 3 and cell.cells.shape[1] == _TETRAHEDRON and
             len(cell.cells)]
    if not solid:
        return ""
    within = np.any([cell.contains(bricks.centres[brick]) for cell in solid], axis=0)
    return (f"{membrane.measure[within].sum():.3g} of {membrane.total:.3g} um^2 of it touch bricks whose middle is in "
            "the cell, and ")
