"""Small places that tests are run on."""

from functools import partial

import numpy as np
from scipy.spatial import ConvexHull, Delaunay

from spatial.geometry.discretise import discretise, volume_place
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import positively_oriented
from spatial.geometry.shells import shells as concentric
from spatial.geometry.tetrahedra import Region, Tetrahedra, cell_volumes
from spatial.geometry.well_mixed import well_mixed


def random_tetrahedra(seed: int, points: int = 60) -> Place:
    """A unit cube in Delaunay tetrahedra of random points inside and on it: many links have the wrong sign."""
    rng = np.random.default_rng(seed)
    corners = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), axis=-1).reshape(-1, 3)
    where = np.clip(rng.uniform(-0.2, 1.2, (points, 3)), 0.0, 1.0)
    where = np.unique(np.concatenate([corners, where]), axis=0)
    cells = positively_oriented(where, Delaunay(where).simplices.astype(np.int64))
    return volume_place("cytosol", where, cells[cell_volumes(where, cells) > 1e-9])


shells = partial(concentric, "shells")


def spot(place: Place, *elements: int) -> Place:
    """Points that touch these elements of a place."""
    index = np.array(elements, np.int64)
    name = f"spot at {', '.join(map(str, elements))}"
    return Place(name, 0, np.ones(len(index)), place.centres[index], touches={place.name: index})


def synapses(count: int) -> Mesh:
    """Synapses in one well-mixed ECS."""
    return well_mixed({"ecs": 1.0}).with_points("synapses", np.zeros((count, 3)), touching=["ecs"])


def icosphere(refinements: int, radius: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) and triangles (k, 3) of an icosahedron whose edges are halved so often, all on a sphere."""
    golden = (1 + np.sqrt(5)) / 2
    corners = np.array([[0.0, a, b * golden] for a in (-1, 1) for b in (-1, 1)])
    points = np.concatenate([np.roll(corners, k, axis=1) for k in range(3)])
    for _ in range(refinements):
        edges = np.unique(np.sort(ConvexHull(points).simplices[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)), axis=0)
        points = np.concatenate([points, points[edges].mean(axis=1)])
        points /= np.linalg.norm(points, axis=1)[:, None]
    return radius * points / np.linalg.norm(points[0]), ConvexHull(points).simplices.astype(np.int64)


def under_an_apex(points: np.ndarray, triangles: np.ndarray, apex: tuple[float, float, float]) -> Tetrahedra:
    """Triangles as the "plasma membrane" of one tetrahedron each, from an apex, of "cytosol"."""
    cells = np.column_stack([triangles, np.full(len(triangles), len(points))])
    points = np.concatenate([points, [apex]])
    return Tetrahedra(points, positively_oriented(points, cells), np.zeros(len(cells), np.int64), (Region("cytosol"),),
                      {"plasma membrane": triangles})


def sphere(refinements: int, radius: float = 1.0) -> Mesh:
    """A ball of tetrahedra around its middle, with an icosphere as its membrane."""
    return discretise(under_an_apex(*icosphere(refinements, radius), (0.0, 0.0, 0.0)))
