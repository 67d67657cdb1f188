"""Cells of every kind as tetrahedra: split alike on both sides of each face, turned one way, near points merged."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from spatial.checks import InputError
from spatial.geometry.files.raw import Block
from spatial.geometry.place import Floats, Ints, spot
from spatial.geometry.tetrahedra import cell_volumes

NEAR = 1e-6
"""Points nearer to each other than this part of the mesh's extent are one point."""

FLAT = 1e-12
"""A tetrahedron of less than this part of the median volume has none."""

_FACES: Mapping[str, tuple[tuple[int, ...], ...]] = MappingProxyType({
    "pyramid": ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
    "wedge": ((0, 2, 1), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
    "hexahedron": ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))})
"""The faces of cells that are no tetrahedra, by their corners around each; all outwards, or all inwards."""


def merged(points: Floats) -> tuple[Ints, int]:
    """(n,) the first of the points that each lies within `NEAR` of, and how many lie on others."""
    near = NEAR * float(np.ptp(points, axis=0).max())
    pairs = cKDTree(points).query_pairs(near, output_type="ndarray")
    if not len(pairs):
        return np.arange(len(points)), 0
    graph = coo_matrix((np.ones(len(pairs), np.int8), pairs.T), shape=(len(points),) * 2)
    count, cluster = connected_components(graph, directed=False)
    _, first = np.unique(cluster, return_index=True)
    return first[cluster].astype(np.int64), len(points) - count


def split(solids: Sequence[Block]) -> tuple[Ints, Ints]:
    """(m, 4) tetrahedra that fill all cells, not yet turned one way, and (m,) the cell that each is of.

    A cell is cut into cones from its corner of the smallest number to its faces; a face of four corners is cut
    from its own smallest. So the two cells at a face cut it alike, whatever their kinds.
    """
    cells, parents, start = list[Ints](), list[Ints](), 0
    for block in solids:
        count = len(block.corners)
        if block.kind == "tetra":
            cells.append(block.corners)
            parents.append(np.arange(start, start + count))
        else:
            pieces, parent = _cones(block.corners, _FACES[block.kind])
            cells.append(pieces)
            parents.append(start + parent)
        start += count
    return np.concatenate(cells), np.concatenate(parents)


def triangles_of(sheets: Sequence[Block]) -> tuple[Ints, Ints]:
    """(k, 3) triangles that cover all sheets, and (k,) the sheet that each is of; cut as in `split`."""
    triangles, parents, start = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)], 0
    for block in sheets:
        numbers = np.arange(start, start + len(block.corners))
        pieces = _cut_face(block.corners)
        triangles += pieces
        parents += [numbers] * len(pieces)
        start += len(block.corners)
    return np.concatenate(triangles), np.concatenate(parents)


def _cones(corners: Ints, faces: tuple[tuple[int, ...], ...]) -> tuple[Ints, Ints]:
    """The tetrahedra of (m, k) cells in the order of these, and the cell that each is of."""
    apex = corners.argmin(axis=1)
    pieces, parents = list[Ints](), list[Ints]()
    for tip in np.unique(apex).tolist():
        here = np.flatnonzero(apex == tip)
        for face in faces:
            if tip in face:
                continue
            for triangle in _cut_face(corners[here][:, face]):
                pieces.append(np.column_stack([corners[here, tip], triangle]))
                parents.append(here)
    cells, parent = np.concatenate(pieces), np.concatenate(parents)
    order = np.argsort(parent, kind="stable")
    cells, parent = cells[order], parent[order]
    ordered = np.sort(cells, axis=1)
    whole = (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)  # a cell whose corners coincide has fewer tetrahedra
    return cells[whole], parent[whole]


def _cut_face(face: Ints) -> list[Ints]:
    """The triangles of (m, 3) or (m, 4) faces, cut from the corner of the smallest number."""
    if face.shape[1] == 3:
        return [face]
    around = (face.argmin(axis=1)[:, None] + np.arange(4)) % 4
    turned = np.take_along_axis(face, around, axis=1)
    return [turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]]


def worth_keeping(points: Floats, cells: Ints) -> tuple[NDArray[np.bool_], list[str]]:
    """(m,) whether each tetrahedron has a volume and is not listed before, and what to say of the others."""
    volumes = np.abs(cell_volumes(points, cells))
    solid = volumes > FLAT * np.median(volumes)
    ordered = np.sort(cells, axis=1)
    order = np.lexsort(ordered.T[::-1])
    again = np.zeros(len(cells), bool)
    again[order[1:]] = (ordered[order][1:] == ordered[order][:-1]).all(axis=1)
    said = [f"{count} tetrahedra {what} are left out"
            for count, what in ((int((~solid).sum()), "without volume"), (int((again & solid).sum()), "listed again"))
            if count]
    return solid & ~again, said


def turned(path: str, points: Floats, cells: Ints, parents: Ints) -> Ints:
    """The tetrahedra, each turned so that its volume is positive: the order of corners is a convention.

    Raises `InputError` for those without volume, and for cells that fold over: their tetrahedra differ in sign.
    """
    volumes = cell_volumes(points, cells)
    flat = np.flatnonzero(~(np.abs(volumes) > FLAT * np.median(np.abs(volumes))))
    if len(flat):
        raise InputError(f"{path}: {len(flat)} of {len(cells)} tetrahedra are inverted or have no volume; the first is"
                         f" tetrahedron {flat[0]}, at {spot(points[cells[flat[0]]].mean(axis=0))}; repair the mesh "
                         "first")
    backwards = volumes < 0
    same_cell = parents[1:] == parents[:-1]
    folded = np.flatnonzero(same_cell & (backwards[1:] != backwards[:-1]))
    if len(folded):
        count, first = len(np.unique(parents[folded])), cells[folded[0]]
        raise InputError(f"{path}: {count} cells fold over, for their corners are not those of a convex cell; the first"
                         f" is at {spot(points[first].mean(axis=0))}; repair the mesh, or make tetrahedra of it")
    return np.where(backwards[:, None], cells[:, [0, 2, 1, 3]], cells)
