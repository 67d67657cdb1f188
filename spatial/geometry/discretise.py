"""From tetrahedra to places: control volumes around vertices, and membranes of their triangles.

The control volume of a vertex is its median dual; the transmissibility of an edge is minus the
entry of the linear stiffness matrix (the box method: Bank & Rose 1987). This is exact for linear
fields on any tetrahedra. Where regions meet in a membrane each side has its own vertices, so a
membrane is sealed unless a mechanism acts on it.

A membrane has an element for each vertex too, a third of the area of each triangle around it, and what lives there
diffuses along the edges of the triangles by the same rule (`surface_links`). Its rim is sealed. Two membranes that meet
in an edge are two places: nothing passes from one to the other unless a mechanism carries it. Triangles of one name are
one place, and joined wherever they share an edge, or a vertex.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.surface_links import summed_links, triangle_links
from spatial.geometry.tetrahedra import Region, Tetrahedra, triangle_areas
from spatial.geometry.tortuosity import conduction

_EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])


@by_annotation
def discretise(shape: Tetrahedra) -> Mesh:
    """The places of a tetrahedral mesh: a volume per place name, and its named membranes.

    Regions of one place share their vertices; a homogenised region counts with its volume
    fraction alpha in the measure, and alpha / lambda^2 (or alpha times the tensor D*/D) in the
    transmissibility. A region with the name of a part is also a place of its own, without links, that
    touches the whole. What lives on a membrane diffuses along it with its D, up to the membrane's rim.
    """
    local: dict[str, Ints] = {}
    places = []
    for name in shape.place_names:
        chosen = shape.cells_of(name)
        vertices, cells = _neighbours_together(shape.cells[chosen])
        local[name] = np.full(len(shape.points), -1, np.int64)
        local[name][vertices] = np.arange(len(vertices))
        alpha = np.array([region.volume_fraction for region in shape.regions])[shape.region[chosen]]
        conducting = _conducting(shape.regions)[shape.region[chosen]]
        places.append(volume_place(name, shape.points[vertices], cells, alpha, conducting))
    membranes = [_membrane(name, shape, triangles, local) for name, triangles in shape.membranes.items()]
    parts = [_part(region.part, shape, k, local) for k, region in enumerate(shape.regions) if region.part]
    _check_names({"region": places, "membrane": membranes, "part of a region": parts})
    return Mesh.of(*places, *membranes, *parts)


def _check_names(kinds: dict[str, list[Place]]) -> None:
    """Raise `InputError` where a region, a membrane or a part bears the name of another."""
    known = dict[str, tuple[str, Place]]()
    for kind, places in kinds.items():
        for place in places:
            if place.name in known:
                first, other = known[place.name]
                raise InputError(f"a {first} and a {kind} are both called {place.name!r}, {other!r} and {place!r}; "
                                 "give each a name of its own")
            known[place.name] = kind, place


def _conducting(regions: Sequence[Region]) -> Floats:
    """(k,) alpha / lambda^2 of each region, or (k, 3, 3) where one conducts better along some axis than others."""
    if all(isinstance(region.tortuosity, float) for region in regions):
        return np.array([region.volume_fraction / float(np.square(region.tortuosity)) for region in regions])
    return np.array([region.volume_fraction * conduction(region.tortuosity) for region in regions])


def _neighbours_together(cells: Ints) -> tuple[Ints, Ints]:
    """The vertices that (m, 4) cells use, neighbours near each other, and the cells renumbered over them.

    Reverse Cuthill-McKee order: what a sweep reads is then still in the cache.
    """
    vertices, renumbered = np.unique(cells, return_inverse=True)
    renumbered = renumbered.reshape(cells.shape)
    first, second = renumbered[:, _EDGES].reshape(-1, 2).T
    graph = csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(vertices),) * 2)
    order = reverse_cuthill_mckee(csr_matrix(graph + graph.T), symmetric_mode=True)
    position = np.empty(len(vertices), np.int64)
    position[order] = np.arange(len(vertices))
    return vertices[order], position[renumbered]


def volume_place(name: str, points: Floats, cells: Ints,
                 filled: Floats | float = 1.0, conducting: Floats | float = 1.0) -> Place:
    """A volume whose elements are the median duals of the vertices of (m, 4) cells.

    `filled` (m,) and `conducting` are the parts of each cell that hold and that conduct (alpha, alpha/lambda^2);
    `conducting` is (m,), or (m, 3, 3) for tensors.
    """
    gradients, volume = _gradients(points, cells)
    if (volume <= 0).any():
        raise InputError(f"{name!r} has {(volume <= 0).sum()} inverted or flat tetrahedra; repair the mesh first")
    measure = lumped(cells, volume * filled, len(points))
    first, second = cells[:, _EDGES[:, 0]], cells[:, _EDGES[:, 1]]
    flow = gradients @ conducting if np.ndim(conducting) == 3 else gradients * np.reshape(conducting, (-1, 1, 1))
    coupling = -np.einsum("mek,mek->me", flow[:, _EDGES[:, 0]], gradients[:, _EDGES[:, 1]]) * volume[:, None]
    pairs = np.stack([first.ravel(), second.ravel()], axis=1)
    links, transmissibility = summed_links(pairs, coupling.ravel(), len(points))
    return Place(name, 3, measure, np.array(points), links, transmissibility, cells=cells)


def lumped(cells: Ints, measure: Floats, vertices: int) -> Floats:
    """(vertices,) the measure of each cell, shared evenly among its corners."""
    corners = cells.shape[1]
    return np.bincount(cells.ravel(), np.repeat(measure / corners, corners), vertices).astype(float)


def _gradients(points: Floats, cells: Ints) -> tuple[Floats, Floats]:
    """(m, 4, 3) gradients of the four linear shape functions [1/um], and (m,) volumes [um^3]."""
    corners = points[cells]
    frame = corners[:, 1:] - corners[:, :1]
    volume = np.linalg.det(frame) / 6.0
    safe = np.where((volume == 0)[:, None, None], np.eye(3), frame)
    inner = np.swapaxes(np.linalg.inv(safe), 1, 2)
    return np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1), volume


def _part(name: str, shape: Tetrahedra, region: int, local: dict[str, Ints]) -> Place:
    """One region of a place, as a place of its own that touches it: for mechanisms that act there alone."""
    whole = shape.regions[region]
    chosen = np.flatnonzero(shape.region == region)
    vertices, cells = np.unique(shape.cells[chosen], return_inverse=True)
    cells = cells.reshape(-1, 4)
    measure = lumped(cells, whole.volume_fraction * shape.volumes[chosen], len(vertices))
    return Place(name, 3, measure, shape.points[vertices],
                 touches={whole.place: local[whole.place][vertices]}, cells=cells)


def _membrane(name: str, shape: Tetrahedra, triangles: Ints, local: dict[str, Ints]) -> Place:
    """The membrane over (k, 3) triangles: a lumped area per vertex, joined by edges, touching the places it bounds."""
    vertices, cells = np.unique(triangles, return_inverse=True)
    cells = cells.reshape(-1, 3)
    links, transmissibility = triangle_links(name, shape.points[vertices], cells)
    area = lumped(cells, triangle_areas(shape.points, triangles), len(vertices))
    touches = {place: index[vertices] for place, index in local.items()
               if _bounds(shape, place, triangles)}
    return Place(name, 2, area, shape.points[vertices], links, transmissibility, touches, cells)


def _bounds(shape: Tetrahedra, place: str, triangles: Ints) -> bool:
    """Whether every triangle is a face of a tetrahedron of the place."""
    cells = shape.cells[shape.cells_of(place)]
    faces = np.sort(cells[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3), axis=1)
    return bool(np.isin(_face_key(np.sort(triangles, axis=1), len(shape.points)),
                        _face_key(faces, len(shape.points))).all())


def _face_key(sorted_faces: Ints, points: int) -> Ints:
    return (sorted_faces[:, 0] * points + sorted_faces[:, 1]) * points + sorted_faces[:, 2]
