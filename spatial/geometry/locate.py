"""Which positions lie inside bricks or tetrahedra, or else inside a box around points."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_NEIGHBOURS = 64  # tetrahedra looked at around each position
_TOLERANCE = 1e-9

Floats = NDArray[np.float64]


def in_bricks(centres: Floats, sides: Floats, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each of the (k, 3) positions [um] lies in one of the bricks around (n, 3) centres, or on a face.

    Bricks of (n, 3) `sides` [um] lie in rows along x, y and z; some may be missing. Between edges along each axis
    bricks and positions have whole numbers, and a position on an edge two.
    """
    brick, found = np.zeros(len(centres), np.int64), np.zeros((len(positions), 1), np.int64)
    for axis in range(3):
        x, half = centres[:, axis], sides[:, axis] / 2
        ends = np.sort(np.concatenate([x - half, x + half]))
        margin = _TOLERANCE * (ends[-1] - ends[0])
        edges = ends[np.append(np.diff(ends) > margin, True)]
        brick = brick * (len(edges) + 1) + np.searchsorted(edges, x)
        beside = [np.searchsorted(edges, positions[:, axis] + side) for side in (-margin, margin)]
        found = np.concatenate([found * (len(edges) + 1) + number[:, None] for number in beside], axis=1)
    return np.asarray(np.isin(found, brick).any(axis=1))


def in_cells(points: Floats, cells: NDArray[np.int64], positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each of the (k, 3) positions [um] lies in one of the cells over (n, 3) points.

    Only tetrahedra, (m, 4), are looked into; with any other cells, or none, the box around the points counts.
    """
    lower, upper = points.min(axis=0), points.max(axis=0)
    margin = _TOLERANCE * (upper - lower).max()
    found = ((positions >= lower - margin) & (positions <= upper + margin)).all(axis=1)
    if cells.shape[1] == 4 and len(cells):
        found[found] = _in_tetrahedra(points[cells], positions[found])
    return np.asarray(found)


def _in_tetrahedra(corners: Floats, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each position lies in one of the (m, 4, 3) tetrahedra nearest to it."""
    tree = cKDTree(corners.mean(axis=1))
    count = min(_NEIGHBOURS, len(corners))
    candidates = np.atleast_2d(tree.query(positions, k=count)[1].reshape(len(positions), count))
    origin = corners[:, 0][candidates]
    frame = np.moveaxis(corners[:, 1:][candidates] - origin[:, :, None, :], -1, -2)
    weights = np.linalg.solve(frame, (positions[:, None, :] - origin)[..., None])[..., 0]
    hit = (weights >= -_TOLERANCE).all(axis=-1) & (weights.sum(axis=-1) <= 1 + _TOLERANCE)
    return np.asarray(hit.any(axis=1))
