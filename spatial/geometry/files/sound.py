"""Whether tetrahedra are a mesh: each face between two cells at most, no cell on another, no crack; stray pieces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, spot
from spatial.geometry.tetrahedra import cell_volumes, face_pairs, faces_of, largest_first

Pairs = tuple[Ints, NDArray[np.bool_]]

STRAY = 0.01
"""A piece apart from the rest is dropped if it is less than this part of the volume of each of its regions."""

CRACK = 1e-3
"""How far outside its face, as a part of the face's size, a surface is looked at for cells that should not be there."""


_MOST_BINS = 128  # along an axis
_AT_ONCE = 1_000_000  # pairs of a tetrahedron and a position
_SPOTS = ((1 / 3, 1 / 3, 1 / 3), (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8))  # looked at above each face


def check_cells(path: str, points: Floats, cells: Ints, pairs: Pairs) -> None:
    """Raise `InputError` for cells listed twice, faces of more than two cells, and cells on one side of a face.

    `pairs` is `face_pairs(cells)`, here and below.
    """
    order, same = pairs
    crowded = np.flatnonzero(same[1:] & same[:-1])
    even = _is_even(faces_of(cells))
    one, other = order[:-1][same], order[1:][same]
    alike = np.flatnonzero(even[one] == even[other])
    if not len(crowded) and not len(alike):
        return
    _check_once(path, points, cells)
    faces = faces_of(cells)
    if len(crowded):
        first = points[faces[order[crowded[0]]]].mean(axis=0)
        raise InputError(f"{path}: {len(crowded)} faces belong to more than two tetrahedra, the first at {spot(first)};"
                         " remove the cells that overlap there")
    first = points[faces[one[alike[0]]]].mean(axis=0)
    raise InputError(f"{path}: {len(alike)} pairs of tetrahedra overlap, for they lie on one side of the face that "
                     f"they share, the first at {spot(first)}; remove or remesh one of each pair")


def said_of_pinches(points: Floats, cells: Ints, place: Ints, names: Sequence[str]) -> list[str]:
    """What to say of places with pieces that share no face but points: their control volumes there are one.

    `place` (m,) counts `names`.
    """
    order, same = face_pairs(cells)
    one, other = order[:-1][same] // 4, order[1:][same] // 4
    within = place[one] == place[other]
    piece = largest_first(one[within], other[within], len(cells))
    count = int(piece.max()) + 1
    if count == len(names):
        return []  # each place is one piece
    place_of = np.empty(count, np.int64)
    place_of[piece] = place
    vertex, of_piece = np.divmod(np.unique(cells * count + piece[:, None]), count)
    corner = np.unique(vertex * len(names) + place_of[of_piece], return_counts=True)
    vertex, owner = np.divmod(corner[0][corner[1] > 1], len(names))
    said = list[str]()
    for k in np.unique(owner).tolist():
        pinches = vertex[owner == k]
        said.append(f"{names[k]!r} has pieces that share no face, yet {len(pinches)} of their points, the first at "
                    f"{spot(points[pinches[0]])}: what diffuses passes there from one to the other; give the pieces "
                    "names of their own, or part them")
    return said


def _check_once(path: str, points: Floats, cells: Ints) -> None:
    """Raise `InputError` for cells listed twice; all their faces are shared, on one side."""
    ordered = np.sort(cells, axis=1)
    order = np.lexsort(ordered.T[::-1])
    again = np.flatnonzero((ordered[order][1:] == ordered[order][:-1]).all(axis=1))
    if len(again):
        first = points[cells[order[again[0]]]].mean(axis=0)
        raise InputError(f"{path}: {len(again)} tetrahedra are listed twice, the first at {spot(first)}; remove the "
                         "repeated cells, for they count their volume twice")


def _is_even(triangles: Ints) -> NDArray[np.bool_]:
    """(k,) whether the corners of each triangle come in the order of their numbers, but for going around."""
    a, b, c = triangles.T
    return np.asarray((a < b).astype(int) + (b < c) + (c < a) == 2)


def surface(cells: Ints, pairs: Pairs) -> Ints:
    """(k, 3) triangles around all cells, pointing outwards."""
    order, same = pairs
    alone = order[~(np.r_[same, False] | np.r_[False, same])]
    return faces_of(cells)[alone]


def without_strays(path: str, points: Floats, cells: Ints, region: Ints,
                   pairs: Pairs, largest: bool = False) -> tuple[NDArray[np.bool_], str]:
    """(m,) which cells to keep, and what to say of those dropped: pieces that are a small part of all their regions.

    With `largest` all pieces but the one of the largest volume are dropped. Raises `InputError` where more than one
    piece is left.
    """
    order, same = pairs
    piece = largest_first(order[:-1][same] // 4, order[1:][same] // 4, len(cells))
    count = int(piece.max()) + 1
    if count == 1:
        return np.ones(len(cells), bool), ""
    volume = np.abs(cell_volumes(points, cells))
    regions = int(region.max()) + 1
    held = np.bincount(piece * regions + region, volume, count * regions).reshape(count, regions)
    shares = held / np.bincount(region, volume, regions)
    stray = shares.max(axis=1) < STRAY
    if shares[stray].sum(axis=0).max() >= STRAY:
        stray[:] = False
    if largest:
        stray = np.arange(count) != np.bincount(piece, volume).argmax()
    kept = np.flatnonzero(~stray)
    if len(kept) > 1:
        sizes = np.bincount(piece)[kept].tolist()
        shown = ", ".join(str(size) for size in sizes[:5]) + (", ..." if len(sizes) > 5 else "")
        second = points[cells[piece == kept[1]][0]].mean(axis=0)
        raise InputError(f"{path}: its tetrahedra form {len(sizes)} pieces that share no face, of {shown} tetrahedra; "
                         f"keep only the piece to be simulated, or join them; the second is at {spot(second)}")
    keep = piece == kept[0]
    first = points[cells[~keep][0]].mean(axis=0)
    part = 100 * float(volume[~keep].sum() / volume.sum())
    kind = "pieces" if largest else "stray pieces"
    return keep, (f"{count - 1} {kind} that share no face with the rest are dropped: {(~keep).sum()} tetrahedra, "
                  f"{part:.2g} % of the volume, the first at {spot(first)}")


def check_surface(path: str, points: Floats, cells: Ints, pairs: Pairs) -> None:
    """Raise `InputError` for cracks and overlaps: where just outside the surface there are cells again.

    A crack is two sheets of surface, one on the other; cells on both sides of it would not be joined.
    """
    triangles = surface(cells, pairs)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    twice_area = np.linalg.norm(normal, axis=1)
    enclosed = float(np.einsum("ij,ij->", (a + b + c) / 3 - points.mean(axis=0), normal) / 6)
    volume = float(cell_volumes(points, cells).sum())
    if abs(enclosed - volume) > 1e-9 * volume:
        raise InputError(f"{path}: its tetrahedra have {volume:.6g} um^3, and its surface encloses {enclosed:.6g} um^3;"
                         " cells overlap: remesh it")
    above = CRACK * normal / np.sqrt(twice_area)[:, None]
    looked_at = np.stack([weights[0] * a + weights[1] * b + weights[2] * c + above for weights in _SPOTS], axis=1)
    hit = inside(points, cells, looked_at.reshape(-1, 3)).reshape(-1, len(_SPOTS))
    wrong = np.flatnonzero(hit.any(axis=1))
    if len(wrong):
        first = looked_at[wrong[0], hit[wrong[0]].argmax()]
        raise InputError(f"{path}: at {len(wrong)} faces of its surface there are cells on both sides that are not "
                         f"joined, the first at {spot(first)}: a crack of doubled points, faces that do not match, or "
                         "cells that overlap; merge the doubled points, or remesh the parts as one")


def inside(points: Floats, cells: Ints, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether each of (k, 3) positions lies in one of the tetrahedra.

    Positions are sorted into the bins of a grid. Tetrahedra whose box holds no position, most of them, are left out by
    a table of sums; the others are compared with the positions in the bins that their box covers, row by row.
    """
    grid = _Grid(positions)
    low, high = points[cells[:, 0]], points[cells[:, 0]]
    for corner in range(1, 4):
        low, high = np.minimum(low, points[cells[:, corner]]), np.maximum(high, points[cells[:, corner]])
    first, last = grid.bins(low), grid.bins(high)
    near = np.flatnonzero(grid.counted(first, last))
    cells, first, last = cells[near], first[near], last[near]
    found = np.zeros(len(positions), bool)
    load = np.cumsum(grid.counted(first, last))
    for k in range(int(load[-1]) // _AT_ONCE + 1 if len(load) else 0):
        here = slice(*np.searchsorted(load, [k * _AT_ONCE, (k + 1) * _AT_ONCE]))
        which, position = grid.pairs(first[here], last[here])
        frame = points[cells[here][:, 1:]] - points[cells[here][:, :1]]
        turn = np.linalg.inv(frame)
        weights = np.einsum("pi,pij->pj", positions[position] - points[cells[here][which, 0]], turn[which])
        hit = (weights >= 0).all(axis=1) & (weights.sum(axis=1) <= 1)
        found[position[hit]] = True
    return found


class _Grid:
    """Positions in the bins of a grid: how many there are in boxes of bins, and which."""

    def __init__(self, positions: Floats) -> None:
        span = np.ptp(positions, axis=0)
        side = max(float(np.prod(span) / len(positions)) ** (1 / 3), float(span.max()) / _MOST_BINS)
        self._low, self._side = positions.min(axis=0), side
        self._shape = np.minimum(span / side, _MOST_BINS - 1).astype(np.int64) + 1
        x, y, z = self.bins(positions).T
        number = (x * self._shape[1] + y) * self._shape[2] + z
        self._order = np.argsort(number, kind="stable")
        counts = np.bincount(number, minlength=int(np.prod(self._shape)))
        self._start = np.concatenate([[0], np.cumsum(counts)])
        self._sums = np.zeros(self._shape + 1, np.int64)
        self._sums[1:, 1:, 1:] = counts.reshape(self._shape).cumsum(0).cumsum(1).cumsum(2)

    def bins(self, positions: Floats) -> Ints:
        """(k, 3) the bin of each position; of those outside the nearest."""
        return np.clip((positions - self._low) / self._side, 0, self._shape - 1).astype(np.int64)

    def counted(self, first: Ints, last: Ints) -> Ints:
        """(k,) how many positions there are in the bins from (k, 3) `first` to `last`."""
        total = np.zeros(len(first), np.int64)
        for corner in np.ndindex(2, 2, 2):
            x, y, z = np.where(corner, last + 1, first).T
            total += (-1) ** (3 - sum(corner)) * self._sums[x, y, z]
        return total

    def pairs(self, first: Ints, last: Ints) -> tuple[Ints, Ints]:
        """The number of a box, and that of a position in it, for all of them."""
        size = last - first + 1
        box, row = _expanded(size[:, 0] * size[:, 1])
        x, y = first[box, 0] + row // size[box, 1], first[box, 1] + row % size[box, 1]
        line = (x * self._shape[1] + y) * self._shape[2]
        start = self._start[line + first[box, 2]]
        which, step = _expanded(self._start[line + last[box, 2] + 1] - start)
        return box[which], self._order[start[which] + step]


def _expanded(counts: Ints) -> tuple[Ints, Ints]:
    """Each index as often as `counts` says, and 0, 1, 2 ... within it."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
