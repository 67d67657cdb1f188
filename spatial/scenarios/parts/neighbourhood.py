"""Where the tripartite scenario happens: a mesh with every place it needs, and its synapses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.cut_faces import CUT_FACE
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import in_homogenised_tissue
from spatial.geometry.open_boundary import FAR_BOUNDARY, outer_faces
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import MOST_ELEMENTS
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE, void_volumes
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.geometry.tripartite import Tripartite, tripartite
from spatial.geometry.well_mixed import pool
from spatial.units import um, um3

DENSITY = 1.69 / um3  # of synapses in CA1 neuropil; Rusakov & Kullmann 1998
SILENT = 6  # neighbours at least
NEARBY = 2 * um  # from the active synapse to its neighbours
MARGIN = 1.0 * um  # of homogenised tissue around a process
_REACH = 0.8 * um  # from a process to the synapses around it: they keep off the edge of the tissue
_TRIES = 100
_WANTED = {"cytosol": "region 'cytosol'", "er": "region 'er'", "ecs": "region 'ecs'",
           "neuropil": "region 'ecs/neuropil'", PLASMA_MEMBRANE: "membrane between cytosol and ecs",
           ER_MEMBRANE: "membrane between er and cytosol", FAR_BOUNDARY: "boundary around ecs"}


Test = Callable[[Floats], NDArray[np.bool_]]
"""Whether each of (k, 3) positions [um] may hold a synapse."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A mesh with all places of the scenario, and its synapses (k, 3) um, the active one first."""

    mesh: Mesh
    synapses: Floats

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def parametric(shape: Tripartite) -> Neighbourhood:
    """The parametric tripartite synapse: it is active, the neighbours of the shape are silent."""
    return Neighbourhood(discretise(tripartite(shape)), np.array([(0.0, 0.0, 0.0), *shape.neighbours]))


@arguments(not_negative=("most_elements",))
def neighbourhood(tetrahedra: Tetrahedra, rng: np.random.Generator,
                  most_elements: float = MOST_ELEMENTS) -> Neighbourhood:
    """The neighbourhood that a given mesh is if it has an ECS, else that around the process it holds.

    Raises `InputError` naming what the scenario needs and the mesh has not, and where the tissue around a process has
    more than `most_elements` bricks.
    """
    if "ecs" in tetrahedra.place_names:
        return resolved(tetrahedra, rng)
    return around_process(tetrahedra, rng, most_elements)


@arguments(not_negative=("most_elements",))
def around_process(tetrahedra: Tetrahedra, rng: np.random.Generator,
                   most_elements: float = MOST_ELEMENTS) -> Neighbourhood:
    """An astrocyte process alone, put into homogenised neuropil with synapses at random around it.

    The synapse nearest to the process is the active one. Voids in the cytosol become one pool of ER
    lumen: they are parts of one organelle that the cut of the tissue block has separated, Ca2+
    diffuses through them within milliseconds, and the smallest alone would be arbitrarily stiff.
    Raises `InputError` for a mesh without ER, and for more than `most_elements` bricks.
    """
    _check_region(tetrahedra, "cytosol")
    mesh = discretise(tetrahedra)
    if "er" not in mesh.places:
        mesh = with_lumen(mesh, tetrahedra)
    mesh = _with_edges(in_homogenised_tissue(mesh, PLASMA_MEMBRANE, margin=MARGIN, most_elements=most_elements))
    membrane = mesh[PLASMA_MEMBRANE].centres
    lower, upper = membrane.min(axis=0) - _REACH, membrane.max(axis=0) + _REACH
    found = _scattered(lower, upper, _outside(mesh), rng)
    return Neighbourhood(mesh, _nearest_first(found, membrane))


@by_annotation
def resolved(tetrahedra: Tetrahedra, rng: np.random.Generator) -> Neighbourhood:
    """A mesh that has the ECS too: the active synapse is between bouton and spine, if there are any.

    Its neighbours lie at random in the homogenised neuropil around it; without bouton and spine the one
    nearest to the process is active.
    """
    mesh = discretise(tetrahedra)
    for name, what in _WANTED.items():
        if name not in mesh.places:
            raise InputError(f"this mesh has no {what}, which the scenario needs; "
                             f"it has {sorted(mesh)}")
    membrane = mesh[PLASMA_MEMBRANE].centres
    cleft = _cleft(mesh) if {"bouton", "spine"} <= set(mesh.places) else None
    middle = membrane.mean(axis=0) if cleft is None else cleft
    found = _scattered(middle - NEARBY, middle + NEARBY, _in_neuropil(mesh, middle), rng)
    synapses = _nearest_first(found, membrane) if cleft is None else np.vstack([cleft, found])
    return Neighbourhood(mesh, synapses)


def _check_region(tetrahedra: Tetrahedra, name: str) -> None:
    if name not in tetrahedra.place_names:
        raise InputError(f"this mesh has no region {name!r}, which the scenario needs; "
                         f"it has {sorted(tetrahedra.place_names)}")


@by_annotation
def with_lumen(mesh: Mesh, tetrahedra: Tetrahedra) -> Mesh:
    """The mesh with the voids inside its ER membrane as one pool, "er"."""
    if ER_MEMBRANE not in mesh.places:
        raise InputError("this mesh has no ER, which the scenario needs: neither a region 'er' nor a void "
                         "in the cytosol; take a process with ER")
    membrane = mesh[ER_MEMBRANE]
    volume = void_volumes(tetrahedra.points, tetrahedra.membranes[ER_MEMBRANE]).volumes.sum()
    middle = membrane.measure @ membrane.centres / membrane.total
    return mesh.with_places(pool("er", [volume], middle[None])).touching(
        ER_MEMBRANE, "er", np.zeros(len(membrane), np.int64))


def _with_edges(mesh: Mesh) -> Mesh:
    """The mesh with the whole grid of ECS as neuropil, and the grid's outer faces as far boundary."""
    ecs = mesh["ecs"]
    everywhere = np.arange(len(ecs))
    return mesh.with_places(
        Place("neuropil", 3, ecs.measure, ecs.centres, touches={"ecs": everywhere}), outer_faces(ecs))


def _cleft(mesh: Mesh) -> Floats:
    """(3,) the middle of where the ECS is nearest to both bouton and spine."""
    points = mesh["ecs"].centres
    trees = [cKDTree(mesh[cell].centres) for cell in ("bouton", "spine")]
    far = np.max([np.asarray(tree.query(points)[0]) for tree in trees], axis=0)
    between = points[far <= 1.5 * far.min()]
    return np.asarray(between[np.linalg.norm(between - between.mean(axis=0), axis=1).argmin()])


def _outside(mesh: Mesh) -> Test:
    """Whether positions lie outside the process but within reach of it."""
    plasma, er = (mesh[name].centres for name in (PLASMA_MEMBRANE, ER_MEMBRANE))
    outer = np.vstack([plasma, mesh[CUT_FACE].centres]) if CUT_FACE in mesh else plasma
    tree, surface = cKDTree(plasma), cKDTree(np.vstack([outer, er]))

    def allowed(positions: Floats) -> NDArray[np.bool_]:
        in_lumen = surface.query(positions)[1] >= len(outer)
        near = tree.query(positions)[0] <= _REACH
        return np.asarray(near & ~in_lumen & ~mesh["cytosol"].contains(positions))

    return allowed


def _in_neuropil(mesh: Mesh, middle: Floats) -> Test:
    """Whether positions lie in the homogenised neuropil near the middle."""
    ecs, neuropil = mesh["ecs"], mesh["neuropil"]

    def allowed(positions: Floats) -> NDArray[np.bool_]:
        near = np.linalg.norm(positions - middle, axis=1) <= NEARBY
        in_part = np.isin(ecs.nearest(positions), neuropil.touches["ecs"])
        return np.asarray(near & in_part & ecs.contains(positions))

    return allowed


def _scattered(lower: Floats, upper: Floats, allowed: Test, rng: np.random.Generator) -> Floats:
    """(k, 3) Poisson points in the part of a box that is allowed, and more if they are too few."""
    count = int(rng.poisson(DENSITY * np.prod(upper - lower)))
    points = rng.uniform(lower, upper, (count, 3))
    found = points[allowed(points)]
    for _ in range(_TRIES):
        if len(found) > SILENT:
            return found
        points = rng.uniform(lower, upper, (_TRIES, 3))
        found = np.vstack([found, points[allowed(points)]])[:SILENT + 1]
    raise InputError(f"the ECS of this mesh has room for {len(found)} of the {SILENT + 1} synapses "
                     "that the scenario needs")


def _nearest_first(positions: Floats, membrane: Floats) -> Floats:
    """The same positions, the one nearest to the membrane first and the others in their order."""
    first = np.argmin(cKDTree(membrane).query(positions)[0])
    return np.vstack([positions[first], np.delete(positions, first, axis=0)])
