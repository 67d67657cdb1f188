"""Links between the vertices of triangles: what diffuses along a membrane flows through them.

The transmissibility of an edge is minus the entry of the linear stiffness matrix, half the sum of the cotangents of the
angles that lie opposite (Pinkall & Polthier 1993, M): the rule by which volumes are joined, one dimension lower. It is
exact for linear fields on any triangles in a plane, and on curved membranes of second order. It has no unit, since a
membrane has no thickness. Where the two angles opposite an edge are more than 180 degrees together its
transmissibility is negative, as those of flat tetrahedra are, and all that holds for those holds here: what undershoots
is repaired, and counted molecules jump at rates that are fitted.
"""

import numpy as np
from scipy.sparse import coo_matrix

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints

_OPPOSITE = np.array([[1, 2], [2, 0], [0, 1]])  # corners of the edge that faces corner 0, 1, 2


def triangle_links(name: str, points: Floats, triangles: Ints) -> tuple[Ints, Floats]:
    """(m, 2) links between (n, 3) points [um] along the edges of (k, 3) triangles, and their (m,) transmissibilities.

    An edge of one triangle only is the rim of the membrane, and sealed; one of three or more joins all of these.
    Raises `InputError`, naming the membrane, for triangles that are flat.
    """
    cotangents = half_cotangents(points[triangles])
    flat = ~np.isfinite(cotangents).all(axis=1)
    if flat.any():
        raise InputError(f"{name!r} has {flat.sum()} flat triangles; repair the mesh first")
    return summed_links(triangles[:, _OPPOSITE].reshape(-1, 2), cotangents.ravel(), len(points))


def half_cotangents(corners: Floats, least: float = 0.0) -> Floats:
    """(k, 3) half the cotangent of the angle at each corner of (k, 3, 3) triangles; not finite where one is flat.

    A triangle whose doubled area is less than `least` of the square of its longest side counts as if it were that much.
    """
    before, after = (corners[:, _OPPOSITE[:, side]] - corners for side in (0, 1))
    doubled_area = np.linalg.norm(np.cross(before[:, 0], after[:, 0]), axis=1)
    longest = np.einsum("kci,kci->kc", before, before).max(axis=1)
    along = np.einsum("kci,kci->kc", before, after)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(along / (2.0 * np.maximum(doubled_area, least * longest)[:, None]))


def summed_links(pairs: Ints, values: Floats, elements: int) -> tuple[Ints, Floats]:
    """(m, 2) links, the lower element first, and (m,) the sum of the (k,) values of all (k, 2) pairs that it joins."""
    low, high = np.sort(pairs, axis=1).T
    matrix = coo_matrix((values, (low, high)), shape=(elements, elements)).tocsr().tocoo()
    return np.stack([matrix.row, matrix.col], axis=1).astype(np.int64), np.asarray(matrix.data, np.float64)
