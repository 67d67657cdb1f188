"""What lies beyond a cut face: a stump of the cell that goes on as wide as it was cut."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.cut_faces import CUT_FACE
from spatial.geometry.place import Floats, Ints, Mesh, Place

STUMP = "stump"


@by_annotation
def with_stump(mesh: Mesh, length: float, slices: int = 1, face: str = CUT_FACE, name: str = STUMP) -> Mesh:
    """This mesh with a stump beyond each patch of its cut faces, `length` [um] long, closed at its far end.

    A stump is as wide as its patch, and a cable of so many even slices, each well mixed; one slice is a pool. Patches
    that share no point have stumps of their own: what leaves through one does not come back through another. Join a
    species to its twin in the stump by a `Passage` on the cut face, of the permeability that `into_stump` gives.
    Raises `InputError` for a mesh without this cut face, or a name that is taken.
    """
    checks.positive("stump: length [um]", length)
    checks.whole("stump: slices", slices, least=1)
    if face not in mesh:
        raise InputError(f"this mesh has no {face!r} to join a stump to: no flat face where a block was cut was found, "
                         "or it was loaded as membrane; load a process with cut faces as cut='sealed', or name their "
                         f"triangles {CUT_FACE!r} in the file")
    if name in mesh:
        raise InputError(f"this mesh has a place {name!r} already; give the stump another name")
    cut = mesh[face]
    patch = _patches(cut)
    count = int(patch.max()) + 1
    area = np.bincount(patch, cut.measure, count)
    thickness = length / slices
    outwards = _outwards(cut, patch, count)
    middle = np.stack([np.bincount(patch, cut.measure * x, count) / area for x in cut.centres.T], axis=1)
    depth = (np.arange(slices) + 0.5) * thickness
    centres = middle[:, None] + depth[:, None] * outwards[:, None]
    first = np.arange(count)[:, None] * slices + np.arange(slices - 1)
    links = np.stack([first.ravel(), first.ravel() + 1], axis=1).astype(np.int64)
    stump = Place(name, 3, np.repeat(area * thickness, slices), centres.reshape(-1, 3), links,
                  np.repeat(area / thickness, slices - 1))
    return mesh.with_places(stump).touching(face, name, patch * slices)


@by_annotation
def into_stump(length: float, D: float, slices: int = 1) -> float:
    """The permeability [um/s] of a cut face to a stump: D over the way to the middle of its first slice."""
    checks.positive("stump: length [um]", length)
    checks.whole("stump: slices", slices, least=1)
    checks.number("stump: D", D)
    return D / (length / slices / 2)


def _patches(cut: Place) -> Ints:
    """(n,) the patch of each element of a cut face, joined through its triangles."""
    first, second = cut.cells[:, [0, 1]].T, cut.cells[:, [1, 2]].T
    pairs = np.concatenate([first, second], axis=1)
    graph = coo_matrix((np.ones(pairs.shape[1], np.int8), pairs), shape=(len(cut),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _outwards(cut: Place, patch: Ints, count: int) -> Floats:
    """(count, 3) the unit normal of each patch."""
    a, b, c = (cut.centres[cut.cells[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normal = np.stack([np.bincount(patch[cut.cells[:, 0]], x, count) for x in across.T], axis=1)
    return np.asarray(normal / np.linalg.norm(normal, axis=1)[:, None])
