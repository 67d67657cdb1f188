"""Small places that tests are run on."""

from functools import partial

import numpy as np
from scipy.spatial import Delaunay

from spatial.geometry.discretise import volume_place
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import positively_oriented
from spatial.geometry.shells import shells as concentric
from spatial.geometry.tetrahedra import cell_volumes
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
