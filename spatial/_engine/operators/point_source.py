"""What lies beside a point source, closer than a mesh resolves."""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError, positive
from spatial.geometry.place import Floats, Ints, Place

_REACH = 4.5  # mean lengths of an element's links: how far around it the mesh is looked at
_ALL = 0.9  # of the place's extent: what lies farther is kept at zero, so that the source has a sink
_RING = 2.2  # lengths: as far as the field is compared with that of a point source


def own_rise(place: Place, elements: Ints, distance: float) -> Floats:
    """(k,) steady concentration at `distance` [um] from a source above its element's own, times D per flux [1/um].

    The element that holds a point source has a concentration that depends on the mesh. Around each element
    the place's own equations are solved for a unit source, with nothing beyond a few links. A point source in a
    corner of solid angle W adds 1/(W r), and what walls around it add is smooth: the mean of field - 1/(W r)
    over the elements near it, a link or two away, where the mesh resolves the field. Multiply by flux / D.
    Negative where the mesh is finer than the distance. Raises `InputError` for a place without tetrahedra.
    """
    positive("distance from the source [um]", distance)
    if place.cells.shape[1] != 4 or not len(place.cells):
        raise InputError(f"{place.name!r} has no tetrahedra, so what lies beside a source in it is unknown")
    unique, index = np.unique(np.asarray(elements, np.int64), return_inverse=True)
    K, tree, angles = stiffness(place), cKDTree(place.centres), solid_angles(place, unique)
    return np.array([_rise(place, K, tree, int(element), angle, distance)
                     for element, angle in zip(unique, angles, strict=True)])[index]


def solid_angles(place: Place, elements: Ints) -> Floats:
    """(k,) solid angle in which a place of tetrahedra surrounds its vertices: 4 pi inside, 2 pi on a flat wall.

    Of each tetrahedron by van Oosterom & Strackee 1983.
    """
    found = np.zeros(len(place))
    chosen = place.cells[np.isin(place.cells, elements).any(axis=1)]
    for corner in range(4):
        at = place.centres[chosen[:, corner]]
        a, b, c = (place.centres[chosen[:, k]] - at for k in range(4) if k != corner)
        A, B, C = (np.linalg.norm(each, axis=1) for each in (a, b, c))
        below = A * B * C + _dot(a, b) * C + _dot(a, c) * B + _dot(b, c) * A
        np.add.at(found, chosen[:, corner], 2 * np.arctan2(np.abs(_dot(a, np.cross(b, c))), below))
    return found[elements]


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _rise(place: Place, K: csr_matrix, tree: cKDTree, element: int, angle: float, distance: float) -> float:
    """That of one element, at which the place has this solid angle."""
    neighbours = K.indices[K.indptr[element]:K.indptr[element + 1]]
    apart = np.linalg.norm(place.centres - place.centres[element], axis=1)
    link = float(apart[neighbours[neighbours != element]].mean())
    near = np.asarray(tree.query_ball_point(place.centres[element], min(_REACH * link, _ALL * apart.max())))
    field = np.asarray(spsolve(K[near][:, near].tocsc(), (near == element).astype(float)))
    r = apart[near]
    ring = (r > 0) & (r < _RING * link)
    walls = np.average(field[ring] - 1 / (angle * r[ring]), weights=place.measure[near][ring])
    return float(1 / (angle * distance) + walls - field[near == element][0])
