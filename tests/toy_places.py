"""Small places that tests are run on."""

import numpy as np
from scipy.spatial import Delaunay

from spatial.geometry.place import Floats, Place
from spatial.geometry.shapes import positively_oriented
from spatial.geometry.tetrahedra import cell_volumes
from spatial.operators.control_volumes import volume_place


def random_tetrahedra(seed: int, points: int = 60) -> Place:
    """A unit cube in Delaunay tetrahedra of random points inside and on it: many links have the wrong sign."""
    rng = np.random.default_rng(seed)
    corners = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), axis=-1).reshape(-1, 3)
    where = np.clip(rng.uniform(-0.2, 1.2, (points, 3)), 0.0, 1.0)
    where = np.unique(np.concatenate([corners, where]), axis=0)
    cells = positively_oriented(where, Delaunay(where).simplices.astype(np.int64))
    return volume_place("cytosol", where, cells[cell_volumes(where, cells) > 1e-9])


def shells(edges: Floats, alpha: float = 1.0, tortuosity: float = 1.0) -> Place:
    """Concentric shells between radii `edges` [um], the first of which may be 0."""
    r = (edges[:-1] + edges[1:]) / 2
    volume = 4 / 3 * np.pi * np.diff(edges ** 3)
    links = np.stack([np.arange(len(r) - 1), np.arange(1, len(r))], axis=1)
    crossing = 4 * np.pi * edges[1:-1] ** 2 / np.diff(r)
    return Place("shells", 3, alpha * volume, np.outer(r, [1.0, 0.0, 0.0]), links,
                 alpha / tortuosity ** 2 * crossing)


def spot(place: Place, *elements: int) -> Place:
    """Points that touch these elements of a place."""
    index = np.array(elements, np.int64)
    return Place("spot", 0, np.ones(len(index)), place.centres[index], touches={place.name: index})
