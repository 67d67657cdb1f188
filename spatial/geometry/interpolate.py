"""Values between the elements of a place: which elements a position lies among, and how much each of them counts."""

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place, spot

_CANDIDATES = 64  # tetrahedra looked at around each position
_MANY = 2000  # positions whose candidates are looked at together
_ROUNDING = 1e-9  # of a place's extent
_TETRAHEDRON, _TRIANGLE = 4, 3  # corners
_VOLUME = 3  # dimension


def among(place: Place, positions: Floats, what: str) -> tuple[Ints, Floats]:
    """Return (k, m) elements around each of (k, 3) positions [um], and the (k, m) parts, of 1, that each counts with.

    Between the vertices of a tetrahedron values are linear; between the middles of elements joined in rows along x, y
    and z, such as bricks and shells, they are linear along each axis, and even from the last middle on. On any other
    place, such as membranes, points and pools, the nearest element counts alone.

    Raises `InputError`, naming `what` and the first position that lies outside the place, or at two elements at once.
    """
    if place.dimension == _VOLUME and place.cells.shape[1] == _TETRAHEDRON and len(place.cells):
        place.check_contains(positions, what)
        return _in_tetrahedra(place, positions)
    nearest, beside = _nearest(place, positions, what), neighbours(place)
    if beside is None:
        _check_near(place, positions, nearest, _reach(place), what)
        return nearest[:, None], np.ones((len(nearest), 1))
    if len(place.sides):
        place.check_contains(positions, what)
    else:
        _check_within_rows(place, positions, nearest, beside, what)
    return _in_rows(place, positions, nearest, beside)


def _in_tetrahedra(place: Place, positions: Floats) -> tuple[Ints, Floats]:
    """(k, 4) vertices of the tetrahedron that each position lies in, and its barycentric coordinates there."""
    corners = place.centres[place.cells]
    tree, count = cKDTree(corners.mean(axis=1)), min(_CANDIDATES, len(corners))
    elements, parts = np.zeros((0, 4), np.int64), np.zeros((0, 4))
    for start in range(0, len(positions), _MANY):
        here = positions[start:start + _MANY]
        candidates = np.asarray(tree.query(here, k=count)[1]).reshape(len(here), count)
        origin = corners[candidates, 0]
        frame = np.moveaxis(corners[candidates, 1:] - origin[:, :, None, :], -1, -2)
        three = np.linalg.solve(frame, (here[:, None, :] - origin)[..., None])[..., 0]
        weights = np.concatenate([1 - three.sum(axis=-1, keepdims=True), three], axis=-1)
        deepest, rows = weights.min(axis=-1).argmax(axis=1), np.arange(len(here))
        inside = np.maximum(weights[rows, deepest], 0.0)
        elements = np.concatenate([elements, place.cells[candidates[rows, deepest]]])
        parts = np.concatenate([parts, inside / inside.sum(axis=1, keepdims=True)])
    return elements, parts


def _nearest(place: Place, positions: Floats, what: str) -> Ints:
    """(k,) the element whose middle is nearest. Raises `InputError` where two have their middle at one place there."""
    index = np.asarray(cKDTree(place.centres).query(positions, k=min(2, len(place)))[1], np.int64)
    if len(place) > 1:
        apart = np.linalg.norm(place.centres[index[:, 0]] - place.centres[index[:, 1]], axis=1)
        twice = np.flatnonzero(apart <= _ROUNDING * _extent(place))
        if len(twice):
            raise InputError(f"{what} {twice[0]} lies at two or more elements of {place.name!r} at once; take them by "
                             "their numbers: at_elements, or each")
    return index.reshape(len(positions), -1)[:, 0]


def neighbours(place: Place) -> Ints | None:
    """(n, 3, 2) the element joined to each before and behind it along x, y, z, -1 for none; None without such rows."""
    if not len(place.links) or (place.dimension == 2 and not len(place.sides)):
        return None
    one, other = place.links.T
    way = place.centres[other] - place.centres[one]
    along = np.abs(way) > _ROUNDING * _extent(place)
    if (along.sum(axis=1) != 1).any():
        return None
    axis, rises = along.argmax(axis=1), (way.sum(axis=1) > 0).astype(np.int64)
    beside = np.full((len(place), 3, 2), -1, np.int64)
    beside[one, axis, rises] = other
    beside[other, axis, 1 - rises] = one
    return beside


def _in_rows(place: Place, positions: Floats, nearest: Ints, beside: Ints) -> tuple[Ints, Floats]:
    """(k, 8) elements around each position and the part that each counts with, even where a neighbour is missing."""
    elements, parts = nearest[:, None], np.ones((len(nearest), 1))
    for axis in range(3):
        x, middle = positions[:, axis], place.centres[nearest, axis]
        behind = beside[elements, axis, (x > middle).astype(np.int64)[:, None]]
        is_whole = (behind >= 0).all(axis=1)
        behind = np.where(is_whole[:, None], behind, elements)
        length = place.centres[behind[:, 0], axis] - middle
        part = np.divide(x - middle, length, out=np.zeros(len(x)), where=is_whole)
        part = np.clip(part, 0.0, 1.0)[:, None]
        elements, parts = np.concatenate([elements, behind], axis=1), np.concatenate(
            [parts * (1 - part), parts * part], axis=1)
    return elements, parts


def _check_within_rows(place: Place, positions: Floats, nearest: Ints, beside: Ints, what: str) -> None:
    """Raise `InputError` for a position outside the elements of rows, each half-way to those before and behind it."""
    to = np.where(beside >= 0, np.abs(place.centres[beside] - place.centres[:, None, None]).max(axis=-1), np.nan)
    half = np.where(np.isnan(to), to[:, :, ::-1], to) / 2
    half = np.where(np.isnan(half), 0.0, half)[nearest]
    away = positions - place.centres[nearest]
    wide = np.where(away > 0, half[:, :, 1], half[:, :, 0])
    _refuse(place, positions, (np.abs(away) > wide + _ROUNDING * _extent(place)).any(axis=1), what)


def _check_near(place: Place, positions: Floats, nearest: Ints, reach: Floats, what: str) -> None:
    """Raise `InputError` for a position farther from the nearest element than that reaches."""
    away = np.linalg.norm(positions - place.centres[nearest], axis=1)
    _refuse(place, positions, away > reach[nearest] + _ROUNDING * _extent(place), what)


def _refuse(place: Place, positions: Floats, outside: Any, what: str) -> None:
    """Raise `InputError` for the first position where `outside` (k,) is true."""
    if np.any(outside):
        first = int(np.argmax(outside))
        extent = " x ".join(f"{a:.3g}..{b:.3g}" for a, b in
                            zip(place.centres.min(axis=0), place.centres.max(axis=0), strict=True))
        raise InputError(f"{what} {first} at {spot(positions[first])} lies outside {place.name!r}, whose "
                         f"elements have their middles in {extent} um")


def _reach(place: Place) -> Floats:
    """(n,) how far [um] each element reaches: to those joined to it by cells or links, else by its own size.

    A membrane without triangles goes by its own size too, or half-way to others.
    """
    ends = place.links[:0] if place.dimension == 2 else place.links
    if len(place.cells) and (place.dimension == _VOLUME or place.cells.shape[1] == _TRIANGLE):
        ends = np.concatenate([place.cells[:, [k, (k + 1) % place.cells.shape[1]]]
                               for k in range(place.cells.shape[1])])
    reach = np.zeros(len(place))
    if len(ends):
        length = np.linalg.norm(place.centres[ends[:, 0]] - place.centres[ends[:, 1]], axis=1)
        for side in (0, 1):
            np.maximum.at(reach, ends[:, side], length)
        return reach
    if place.dimension:
        reach = (np.asarray(place.measure) / {3: 4 / 3 * np.pi, 2: np.pi}[place.dimension]) ** (1 / place.dimension)
    if len(place) > 1:
        to_others = np.asarray(cKDTree(place.centres).query(place.centres, k=2)[0])[:, 1]
        reach = np.maximum(reach, to_others / 2)
    return reach


def _extent(place: Place) -> float:
    return float(np.ptp(place.centres, axis=0).max()) or 1.0
