"""Bricks: homogenised tissue as a Cartesian grid, exact with two-point fluxes."""

import numpy as np
from numpy.typing import ArrayLike

from spatial.checks import InputError, positive
from spatial.geometry.place import Floats, Ints, Mesh, Place

_BRICK = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0],
                   [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])


def grid(name: str, lower: ArrayLike, upper: ArrayLike, spacing: float,
         volume_fraction: float = 1.0, tortuosity: float = 1.0) -> Place:
    """A box of equal bricks from corner `lower` to `upper` [um], sealed all around.

    `spacing` [um] is rounded so that bricks fill the box. A homogenised medium has a volume
    fraction alpha < 1 and a tortuosity lambda > 1.
    """
    low, high = np.asarray(lower, float), np.asarray(upper, float)
    positive("grid spacing", spacing)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()):
        raise InputError(f"grid {name!r} spans {low} to {high} um; upper must exceed lower on each axis")
    counts = np.maximum(1, np.rint((high - low) / spacing).astype(int))
    step = (high - low) / counts
    index = np.arange(counts.prod()).reshape(counts)
    axes = [low[k] + step[k] * (np.arange(counts[k]) + 0.5) for k in range(3)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    volume = float(step.prod())
    links, transmissibility = [], []
    for k in range(3):
        pairs = np.stack([np.delete(index, -1, k).ravel(), np.delete(index, 0, k).ravel()], axis=1)
        links.append(pairs)
        transmissibility.append(np.full(len(pairs), volume / step[k] ** 2))
    return Place(name, 3, np.full(index.size, volume_fraction * volume), centres, np.concatenate(links),
                 volume_fraction / tortuosity ** 2 * np.concatenate(transmissibility), cells=_bricks(index))


def _bricks(index: Ints) -> Ints:
    """(k, 8) bricks between the centres of neighbouring elements."""
    if min(index.shape) < 2:
        return np.zeros((0, 8), np.int64)
    nx, ny, nz = (size - 1 for size in index.shape)
    return np.stack([index[a:a + nx, b:b + ny, c:c + nz].ravel() for a, b, c in _BRICK], axis=1)


def in_homogenised_tissue(mesh: Mesh, membrane: str = "plasma membrane", name: str = "ecs", margin: float = 1.0,
                          spacing: float = 0.125, volume_fraction: float = 0.2, tortuosity: float = 1.6) -> Mesh:
    """A cell's mesh put into homogenised neuropil: a grid that overlaps it, touched by its membrane.

    Each membrane element touches the brick at its position. alpha = 0.2, lambda = 1.6: Nicholson &
    Phillips 1981. The grid reaches `margin` [um] beyond the cell.
    """
    centres: Floats = mesh[membrane].centres
    tissue = grid(name, centres.min(axis=0) - margin, centres.max(axis=0) + margin, spacing,
                  volume_fraction, tortuosity)
    return mesh.with_places(tissue).touching(membrane, name, tissue.nearest(centres))
