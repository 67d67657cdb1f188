"""Junctions of ER and plasma membrane: where the two come so close that proteins of one reach the other."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.checks import InputError, by_annotation, positive
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.units import nm

JUNCTIONS = "er-pm junctions"

_TOGETHER = 4096  # positions whose distances are found at once


@by_annotation
def with_junctions(mesh: Mesh, within: float = 25 * nm, name: str = JUNCTIONS) -> Mesh:
    """This mesh with the elements of its plasma membrane that lie `within` [um] of its ER membrane as a place.

    The default is the widest gap of STIM puncta (biophysics A4). Distances are straight lines from an element's
    centre to the nearest point of the ER's triangles, wherever on them; see `with_junctions_at` for the rest.
    Raises `InputError` where a membrane is missing, the ER has no triangles, or the two are nowhere so close.
    """
    positive(f"{name}: within [um]", within)
    plasma, er = _membrane(mesh, PLASMA_MEMBRANE), _membrane(mesh, ER_MEMBRANE)
    if er.cells.shape[1] != 3 or not len(er.cells):
        raise InputError(f"the {er.name!r} of this mesh has no triangles, so its distance from the "
                         f"{plasma.name!r} is unknown; choose the elements yourself and call with_junctions_at")
    _, triangle = distances(plasma.centres, er.centres, er.cells, within)
    chosen = np.flatnonzero(triangle >= 0)
    if not len(chosen):
        least = distances(plasma.centres, er.centres, er.cells)[0].min()
        raise InputError(f"no element of the {plasma.name!r} lies within {within / nm:.4g} nm of the {er.name!r}: "
                         f"the smallest distance is {least / nm:.4g} nm; take a mesh in which they come closer, "
                         f"or pass a distance above that")
    corners = er.cells[triangle[chosen]]
    nearest = np.linalg.norm(er.centres[corners] - plasma.centres[chosen, None], axis=2).argmin(axis=1)
    return _joined(mesh, chosen, corners[np.arange(len(chosen)), nearest], name)


@by_annotation
def with_junctions_at(mesh: Mesh, elements: Ints, name: str = JUNCTIONS) -> Mesh:
    """This mesh with these elements of its plasma membrane as a place, each joined to the ER nearest to it.

    The measure of a junction is the plasma membrane's [um^2]. It touches the plasma membrane and all that this
    touches there, and the nearest element of the ER membrane and what that touches besides, such as the lumen.
    """
    plasma, er = _membrane(mesh, PLASMA_MEMBRANE), _membrane(mesh, ER_MEMBRANE)
    chosen = np.unique(np.asarray(elements, np.int64))
    if not len(chosen) or chosen[0] < 0 or chosen[-1] >= len(plasma):
        raise InputError(f"{name} must be at one or more of the elements 0..{len(plasma) - 1} of {plasma.name!r}")
    return _joined(mesh, chosen, er.nearest(plasma.centres[chosen]), name)


def _membrane(mesh: Mesh, name: str) -> Place:
    if name not in mesh:
        raise InputError(f"this mesh has no {name!r}, without which there are no junctions; it has {sorted(mesh)}")
    return mesh[name]


def _joined(mesh: Mesh, chosen: Ints, opposite: Ints, name: str) -> Mesh:
    """The mesh with junctions at elements of the plasma membrane, opposite to elements of the ER membrane."""
    plasma, er = mesh[PLASMA_MEMBRANE], mesh[ER_MEMBRANE]
    touches = {place: index[opposite] for place, index in er.touches.items()}
    touches |= {place: index[chosen] for place, index in plasma.touches.items()}
    touches |= {plasma.name: chosen, er.name: opposite}
    return mesh.with_places(Place(name, 2, plasma.measure[chosen], plasma.centres[chosen], touches=touches,
                                  cells=_triangles_within(plasma, chosen)))


def _triangles_within(plasma: Place, chosen: Ints) -> Ints:
    """(k, 3) triangles of the membrane all of whose corners are chosen, over these."""
    number = np.full(len(plasma), -1, np.int64)
    number[chosen] = np.arange(len(chosen))
    triangles = number[plasma.cells]
    return triangles[(triangles >= 0).all(axis=1)]


@by_annotation
def distances(positions: Floats, points: Floats, triangles: Ints, reach: float = np.inf) -> tuple[Floats, Ints]:
    """(k,) distance [um] of each of (k, 3) positions from the nearest of (t, 3) triangles over points, and which.

    Where nothing is within `reach` [um] the distance is infinite and the triangle -1.
    """
    apart, which = np.full(len(positions), np.inf), np.full(len(positions), -1, np.int64)
    for position, triangle in _candidates(positions, points[triangles], reach):
        found = _to_triangle(positions[position], *np.moveaxis(points[triangles[triangle]], 1, 0))
        order = np.lexsort((found, position))
        first = order[np.r_[True, position[order][1:] != position[order][:-1]]]
        apart[position[first]], which[position[first]] = found[first], triangle[first]
    beyond = apart > reach
    apart[beyond], which[beyond] = np.inf, -1
    return apart, which


def _candidates(positions: Floats, corners: Floats, reach: float) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of a position and a triangle (t, 3, 3) that may be its nearest, all pairs of a position together."""
    middles = corners.mean(axis=1)
    size = np.linalg.norm(corners - middles[:, None], axis=2).max(axis=1)
    tree = cKDTree(middles)
    for start in range(0, len(positions), _TOGETHER):
        here = positions[start:start + _TOGETHER]
        radius = np.minimum(reach, tree.query(here)[0]) * (1 + 1e-9) + size.max()
        found = tree.query_ball_point(here, radius)
        position = np.repeat(np.arange(len(here)), [len(each) for each in found])
        if len(position):
            yield start + position, np.concatenate(found).astype(np.int64)


def _to_triangle(p: Floats, a: Floats, b: Floats, c: Floats) -> Floats:
    """(k,) distance of each point from its triangle abc: from an edge, or straight down on the face."""
    edges = np.minimum(_to_segment(p, a, b), np.minimum(_to_segment(p, b, c), _to_segment(p, c, a)))
    normal = np.cross(b - a, c - a)
    above = np.all([_dot(np.cross(end - start, p - start), normal) >= 0 for start, end in ((a, b), (b, c), (c, a))],
                   axis=0)
    length = np.sqrt(_dot(normal, normal))
    above &= length > 0
    height = np.abs(_dot(p - a, normal)) / np.where(length > 0, length, 1.0)
    return np.where(above, np.minimum(height, edges), edges)


def _to_segment(p: Floats, a: Floats, b: Floats) -> Floats:
    along = b - a
    part = _dot(p - a, along) / np.maximum(_dot(along, along), np.finfo(float).tiny)
    return np.asarray(np.linalg.norm(p - a - np.clip(part, 0.0, 1.0)[:, None] * along, axis=1))


def _dot(a: Floats, b: Floats) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", a, b))
