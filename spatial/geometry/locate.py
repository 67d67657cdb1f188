"""Which positions lie inside a place."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.checks import InputError
from spatial.geometry.place import Floats, Place

_NEIGHBOURS = 64  # tetrahedra looked at around each position


def inside(place: Place, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each of the (k, 3) positions [um] lies in the place.

    A place of tetrahedra contains what its tetrahedra contain; any other its bounding box.
    """
    positions = np.atleast_2d(positions)
    lower, upper = place.centres.min(axis=0), place.centres.max(axis=0)
    margin = 1e-9 * (upper - lower).max()
    boxed = ((positions >= lower - margin) & (positions <= upper + margin)).all(axis=1)
    if place.cells.shape[1] != 4 or len(place.cells) == 0:
        return np.asarray(boxed)
    found = np.zeros(len(positions), bool)
    found[boxed] = _in_tetrahedra(place.centres[place.cells], positions[boxed])
    return found


def _in_tetrahedra(corners: Floats, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each position lies in one of the (m, 4, 3) tetrahedra nearest to it."""
    tree = cKDTree(corners.mean(axis=1))
    count = min(_NEIGHBOURS, len(corners))
    candidates = np.atleast_2d(tree.query(positions, k=count)[1].reshape(len(positions), count))
    origin = corners[:, 0][candidates]
    frame = np.moveaxis(corners[:, 1:][candidates] - origin[:, :, None, :], -1, -2)
    weights = np.linalg.solve(frame, (positions[:, None, :] - origin)[..., None])[..., 0]
    tolerance = 1e-9
    hit = (weights >= -tolerance).all(axis=-1) & (weights.sum(axis=-1) <= 1 + tolerance)
    return np.asarray(hit.any(axis=1))


def check_inside(place: Place, positions: Floats, what: str) -> None:
    """Raise `InputError` naming the first position outside the place and the place's extent."""
    outside = np.flatnonzero(~inside(place, positions))
    if len(outside):
        x, y, z = positions[outside[0]]
        extent = " x ".join(f"{a:.3g}..{b:.3g}" for a, b in
                            zip(place.centres.min(axis=0), place.centres.max(axis=0), strict=True))
        raise InputError(f"{what} {outside[0]} at ({x:.3g}, {y:.3g}, {z:.3g}) um lies outside "
                         f"{place.name!r}, which spans {extent} um")
