"""A tetrahedral mesh as it comes from a mesher or a file: points, cells, regions, membranes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial import checks
from spatial.checks import InputError, by_annotation, fraction
from spatial.frozen import Frozen
from spatial.geometry.place import Floats, Ints
from spatial.geometry.tortuosity import Tortuosity, checked

OUTSIDE = "outside"
_MOST_POINTS = 2_000_000  # whose cube is a whole number of 64 bits
_FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])  # outward, facing corner 0, 1, 2, 3


@dataclass(frozen=True)
class Region:
    """What a set of tetrahedra is: resolved tissue, or a homogenised medium standing in for it.

    Regions of the same place are one place: concentration and flux are continuous between them.
    Raises `InputError` for a tortuosity or a volume fraction that is none; lists and arrays of numbers become tuples.
    """

    place: str
    volume_fraction: float = 1.0  # alpha, the part of the volume that the place fills
    tortuosity: Tortuosity = 1.0  # lambda, effective D is D / lambda^2; or three values, or a matrix
    part: str | None = None  # a name for this part of the place, where mechanisms can act on it alone

    def __post_init__(self) -> None:
        object.__setattr__(self, "tortuosity", checked(self.tortuosity, f"region {self.place!r}: tortuosity"))
        checks.kinds(self)
        fraction(f"region {self.place!r}: volume_fraction", self.volume_fraction)


@dataclass(frozen=True, eq=False)
class Tetrahedra:
    """Tetrahedra with a region each, and the named membranes between and around their places."""

    points: Floats  # (n, 3) um
    cells: Ints  # (m, 4) points, positively oriented
    region: Ints  # (m,) index into regions
    regions: tuple[Region, ...]
    membranes: Mapping[str, Ints]  # (k, 3) points of each membrane's triangles

    def __post_init__(self) -> None:
        checks.kinds(self)
        checks.number("points of a mesh [um]", self.points, may_be_negative=True)
        for what, array, shape in (("points", self.points, (len(self.points), 3)),
                                   ("cells", self.cells, (len(self.cells), 4)),
                                   ("region", self.region, (len(self.cells),))):
            if np.shape(array) != shape:
                raise InputError(f"{what} of a mesh have shape {np.shape(array)}, not {shape}")
        for what, index, known in (("cells", self.cells, self.points), ("region", self.region, self.regions)):
            count = len(known)
            if np.size(index) and (np.min(index) < 0 or np.max(index) >= count):
                raise InputError(f"{what} of a mesh go from {np.min(index)} to {np.max(index)}, not within "
                                 f"0..{count - 1}")
        object.__setattr__(self, "membranes", Frozen(self.membranes))

    @property
    def volumes(self) -> Floats:
        """(m,) volume of each tetrahedron [um^3]."""
        return cell_volumes(self.points, self.cells)

    @property
    def place_names(self) -> list[str]:
        """Names of the places, in the order of the regions."""
        return list(dict.fromkeys(region.place for region in self.regions))

    @by_annotation
    def cells_of(self, place: str) -> Ints:
        """(k,) indices of the cells that belong to a place; raises `InputError` if there is none."""
        wanted = [i for i, region in enumerate(self.regions) if region.place == place]
        if not wanted:
            raise InputError(f"no region {place!r} in this mesh; it has {sorted(set(self.place_names))}")
        return np.flatnonzero(np.isin(self.region, wanted))


def cell_volumes(points: Floats, cells: Ints) -> Floats:
    """(m,) signed volume of each tetrahedron [um^3]; negative where the cell is inverted."""
    a, b, c, d = (points[cells[:, k]] for k in range(4))
    return np.asarray(np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) / 6.0)


def triangle_areas(points: Floats, triangles: Ints) -> Floats:
    """(k,) area of each triangle [um^2]."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0)


def faces_of(cells: Ints) -> Ints:
    """(4 m, 3) faces of (m, 4) cells, outwards of each: the four of the first cell, and so on."""
    return cells[:, _FACES].reshape(-1, 3)


def face_pairs(cells: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """(4 m,) the faces of cells in the order of their points, and whether each has the points of the one after it."""
    key = triangle_keys(faces_of(cells), int(cells.max()) + 1)
    order = np.argsort(key, axis=0, kind="stable") if key.ndim == 1 else np.lexsort(key.T[::-1])
    equal = key[order][1:] == key[order][:-1]
    return order, equal if equal.ndim == 1 else equal.all(axis=1)


def triangle_keys(triangles: Ints, count: int) -> Ints:
    """(k,) a number for each triangle of `count` points, whatever the order of its corners.

    With more than 2 million points such numbers would be too large: then (k, 2), a pair for each.
    """
    x, y, z = triangles.T.astype(np.int64)
    a, c = np.minimum(np.minimum(x, y), z), np.maximum(np.maximum(x, y), z)
    b = x + y + z - a - c
    if count < _MOST_POINTS:
        return (a * count + b) * count + c
    return np.column_stack([a * count + b, c])


def interfaces(cells: Ints, label: Ints, names: list[str]) -> dict[tuple[str, str], Ints]:
    """The triangles between cells of different label, and between cells and the outside.

    `label` is (m,), an index into `names`. The key is the pair of names in the order of `names`,
    or (name, "outside"); the (k, 3) triangles point out of the first of the pair.
    """
    faces = faces_of(cells)
    owner = np.repeat(np.arange(len(cells)), 4)
    order, same = face_pairs(cells)
    first, second = order[:-1][same], order[1:][same]
    between = label[owner[first]] != label[owner[second]]
    first, second = first[between], second[between]
    swap = label[owner[first]] > label[owner[second]]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    paired = np.zeros(len(faces), bool)
    paired[order[:-1][same]] = paired[order[1:][same]] = True
    lone = np.flatnonzero(~paired)
    pairs = [(label[owner[first]], label[owner[second]], first),
             (label[owner[lone]], np.full(len(lone), -1), lone)]
    found: dict[tuple[str, str], Ints] = {}
    for inner, outer, index in pairs:
        for a, b in sorted(set(zip(inner.tolist(), outer.tolist(), strict=True))):
            chosen = index[(inner == a) & (outer == b)]
            found[names[a], names[b] if b >= 0 else OUTSIDE] = faces[chosen]
    return found


def surface_labels(triangles: Ints) -> Ints:
    """(k,) surface that each triangle belongs to, joined across edges that just two triangles share.

    Surface 0 has the most triangles, and so on down.
    """
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    owner = np.repeat(np.arange(len(triangles)), 3)
    order = np.lexsort(edges.T[::-1])
    edges, owner = edges[order], owner[order]
    starts = np.flatnonzero(np.r_[True, (edges[1:] != edges[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(edges)])
    pair = starts[counts == 2]
    return largest_first(owner[pair], owner[pair + 1], len(triangles))


def piece_labels(cells: Ints) -> Ints:
    """(m,) piece that each tetrahedron belongs to, joined across shared faces; piece 0 has the most."""
    order, same = face_pairs(cells)
    shared = np.flatnonzero(same)
    return largest_first(order[shared] // 4, order[shared + 1] // 4, len(cells))


def largest_first(first: Ints, second: Ints, count: int) -> Ints:
    """(count,) connected component of each node, given the nodes each link joins; 0 is the largest."""
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(component), kind="stable"))
    return np.asarray(rank[component], np.int64)
