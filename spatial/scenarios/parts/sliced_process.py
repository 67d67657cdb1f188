"""A thin astrocyte process with ER as a tree of slices in homogenised neuropil, with synapses around it.

It has every place that the tripartite scenario needs, with few unknowns: the same experiment can be repeated for each
synapse, several seeds and blocks. Glutamate is known to a brick only: with bricks of 0.2 um instead of 0.3 um Ca2+ at
a hardly covered process rises 0.6 times as high, and weights change by 5-30 % more or less. Believe the pattern.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.open_boundary import outer_faces
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import MOST_ELEMENTS
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.store import with_store
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.scenarios.parts.neighbourhood import Neighbourhood
from spatial.scenarios.parts.settings import ALPHA, LAMBDA
from spatial.units import um

NEARBY = 1 * um  # of a synapse: where the astrocyte's membrane counts as its coverage
_GOLDEN = np.pi * (3 - np.sqrt(5))  # from one branch to the next, around the shaft
_TRIES = 10_000


@dataclass(frozen=True)
class SlicedProcess:
    """Sizes of a process that runs along x through neuropil, and of the slices and bricks; biophysics A15."""

    length: float = 3 * um  # of the shaft; choice
    radius: float = 0.12 * um  # of the shaft; shafts are 0.1-0.25 um across
    branches: int = 3  # leaflets; choice
    branch_length: float = 0.5 * um  # choice
    branch_radius: float = 0.07 * um  # choice
    thickness: float = 0.1 * um  # of slices, at most; choice
    spacing: float = 0.3 * um  # of bricks around the process; choice
    around: float = 0.6 * um  # the process, of even bricks; choice: where synapses lie
    reach: float = 2 * um  # of growing bricks beyond; choice
    growth: float = 2.2  # of these bricks, each over the one before; choice
    nearest: float = 0.15 * um  # a synapse to the axis of the process; choice
    farthest: float = 0.6 * um  # likewise; choice
    apart: float = 0.3 * um  # synapses from one another, at least; choice
    most_elements: float = MOST_ELEMENTS  # bricks or slices, of which more are refused

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("length", "radius", "branch_length", "branch_radius", "thickness",
                                            "spacing", "reach"))
        if not self.nearest < self.farthest <= self.around:
            raise InputError(f"SlicedProcess: synapses lie {self.nearest:g} to {self.farthest:g} um from the process; "
                             f"the numbers must grow, and not exceed {self.around:g} um, where bricks begin to grow")

    @property
    def tree(self) -> Tree:
        """The shaft, and branches along it at equal distances, each turned by the golden angle."""
        x = self.length * ((np.arange(self.branches) + 0.5) / max(self.branches, 1) - 0.5)
        turn = _GOLDEN * np.arange(self.branches)
        way = np.stack([np.zeros_like(turn), np.cos(turn), np.sin(turn)], axis=1)
        on_shaft = np.r_[-self.length / 2, x, self.length / 2]
        foot = np.c_[x, np.zeros((len(x), 2))]
        nodes = [np.c_[on_shaft, np.zeros((len(on_shaft), 2))], foot + self.radius * way,
                 foot + (self.radius + self.branch_length) * way]
        count, feet = self.branches + 2, 1 + np.arange(self.branches)
        parents = [np.arange(-1, count - 1), feet, count + np.arange(self.branches)]
        radii = np.repeat([self.radius, self.branch_radius], [count, 2 * self.branches])
        return Tree(np.concatenate(nodes), np.concatenate(parents).astype(np.int64), radii)


@arguments(not_negative=("synapses",))
def sliced_neighbourhood(shape: SlicedProcess, synapses: int, rng: np.random.Generator) -> Neighbourhood:
    """The process in tissue, and so many synapses around it at random, each in the middle of a brick, in no order.

    Elsewhere in its brick a synapse would be, to glutamate, up to half a diagonal from where it lies.
    """
    mesh = in_tissue(with_store(sliced(shape.tree, shape.thickness, shape.most_elements)), shape)
    return Neighbourhood(mesh, _scattered(shape, mesh, synapses, rng))


@by_annotation
def in_tissue(mesh: Mesh, shape: SlicedProcess) -> Mesh:
    """A process in a grid of homogenised neuropil that overlaps it, with its outer faces as far boundary.

    Each slice's membrane touches the brick that its middle lies in.
    """
    centres = mesh[PLASMA_MEMBRANE].centres
    edges = [stretched_edges(low - shape.around, high + shape.around, shape.spacing, shape.reach, shape.growth,
                             shape.most_elements)
             for low, high in zip(centres.min(axis=0), centres.max(axis=0), strict=True)]
    ecs = graded_grid("ecs", edges, ALPHA, LAMBDA, shape.most_elements)
    neuropil = Place("neuropil", 3, ecs.measure, ecs.centres, touches={"ecs": np.arange(len(ecs))})
    mesh = mesh.with_places(ecs, neuropil, outer_faces(ecs, edges))
    return mesh.touching(PLASMA_MEMBRANE, "ecs", ecs.nearest(centres))


def _scattered(shape: SlicedProcess, mesh: Mesh, count: int, rng: np.random.Generator) -> Floats:
    """(count, 3) middles of random bricks, neither too near to the process nor to one another, nor too far from it."""
    checks.positive("number of synapses", count)
    axis, ecs = mesh[PLASMA_MEMBRANE].centres, mesh["ecs"]
    tree, found = cKDTree(axis), np.zeros((0, 3))
    lower, upper = axis.min(axis=0) - shape.farthest, axis.max(axis=0) + shape.farthest
    for position in ecs.centres[ecs.nearest(rng.uniform(lower, upper, (_TRIES, 3)))]:
        near = float(tree.query(position)[0])
        if shape.nearest <= near <= shape.farthest and _free(position, found, shape.apart):
            found = np.vstack([found, position])
        if len(found) == count:
            return found
    raise InputError(f"there is room for {len(found)} of {count} synapses, {shape.apart:g} um from one another, around "
                     "the process; ask for fewer, or for a longer process")


def _free(position: Floats, others: Floats, apart: float) -> bool:
    """Whether no other position is nearer than that."""
    return bool((np.linalg.norm(others - position, axis=1) >= apart).all())


@by_annotation
def to_process(mesh: Mesh, synapses: Floats) -> Floats:
    """(k,) distance [um] of each synapse from the nearest element of the astrocyte's membrane, or slice's middle."""
    return np.asarray(cKDTree(mesh[PLASMA_MEMBRANE].centres).query(synapses)[0])


@arguments(above_zero=("within",))
def coverage(mesh: Mesh, synapses: Floats, within: float = NEARBY) -> Floats:
    """(k,) area of the astrocyte's membrane within a distance of each synapse, per volume of that ball [1/um].

    In neuropil it is 1.4 /um on average, of all astrocytes (Lehre & Danbolt 1998; biophysics A9).
    """
    membrane = mesh[PLASMA_MEMBRANE]
    apart = np.linalg.norm(membrane.centres[None] - synapses[:, None], axis=2)
    inside: NDArray[np.bool_] = apart <= within
    return np.asarray(inside @ membrane.measure / (4 / 3 * np.pi * within**3))
