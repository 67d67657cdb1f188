"""Homogenised tissue as a grid of bricks."""

import numpy as np
from numpy.typing import ArrayLike

from spatial.checks import InputError, by_annotation, positive
from spatial.geometry.bricks import check_count, graded_grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.tortuosity import Tortuosity
from spatial.units import um


@by_annotation
def grid(name: str, lower: ArrayLike, upper: ArrayLike, spacing: float,
         volume_fraction: float = 1.0, tortuosity: Tortuosity = 1.0) -> Place:
    """A box of equal bricks from corner `lower` to `upper` [um], sealed all around.

    `spacing` [um] is rounded so that bricks fill the box. A homogenised medium has a volume
    fraction alpha < 1 and a tortuosity lambda > 1, which may be three along x, y, z.
    """
    low, high = np.asarray(lower, float), np.asarray(upper, float)
    if low.shape != (3,) or high.shape != (3,):
        raise InputError(f"grid {name!r} spans from a corner of shape {low.shape} to one of shape {high.shape}; each "
                         "must be three numbers, x, y and z")
    positive("grid spacing", spacing)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()):
        raise InputError(f"grid {name!r} spans {low} to {high} um; upper must exceed lower on each axis")
    counts = np.maximum(1, np.rint((high - low) / spacing))
    check_count(name, counts)
    return graded_grid(name, [np.linspace(low[k], high[k], int(counts[k]) + 1) for k in range(3)],
                       volume_fraction, tortuosity)


@by_annotation
def in_homogenised_tissue(mesh: Mesh, membrane: str = "plasma membrane", name: str = "ecs", margin: float = 1.0 * um,
                          spacing: float = 0.125 * um, volume_fraction: float = 0.2,
                          tortuosity: Tortuosity = 1.6) -> Mesh:
    """A cell's mesh put into homogenised neuropil: a grid that overlaps it, touched by its membrane.

    Each membrane element touches the brick at its position. alpha = 0.2, lambda = 1.6: Nicholson &
    Phillips 1981. The grid reaches `margin` [um] beyond the cell.
    """
    centres: Floats = mesh[membrane].centres
    tissue = grid(name, centres.min(axis=0) - margin, centres.max(axis=0) + margin, spacing,
                  volume_fraction, tortuosity)
    return mesh.with_places(tissue).touching(membrane, name, tissue.nearest(centres))
