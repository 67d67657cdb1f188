"""Volume fraction and tortuosity of a block of tissue, measured by a steady gradient.

Seen from afar a block of extracellular space is a medium of volume fraction alpha in which the free diffusion
coefficient D is D / lambda^2. The virtual experiment that measures both is `scenarios.virtual_iontophoresis.model`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.operators.steady import HELD, pieces, steady
from spatial.checks import InputError, arguments, by_annotation, shaped
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.tetrahedra import triangle_areas

AXES = ("x", "y", "z")
_OPEN = 0.1  # least open part of each of the block's faces, as a part of alpha; choice
_TOUCHING = 1e-6  # of the block's side: how far from a face a vertex still lies on it
_FACES = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


@dataclass(frozen=True, eq=False)
class Block:
    """A place that fills a box: how much of the box it holds, and which of its elements lie on the box's faces."""

    place: Place
    lower: Floats  # (3,) um
    upper: Floats
    faces: tuple[tuple[Ints, Ints], ...]  # of each axis, the elements on its lower and on its upper face
    conductance: tuple[tuple[Floats, Floats], ...]  # um, from each of them to its face, `HELD` for those on it

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def sides(self) -> Floats:
        """(3,) lengths of the box [um]."""
        return self.upper - self.lower

    @property
    def alpha(self) -> float:
        """The volume fraction: extracellular volume over that of the box."""
        return self.place.total / float(self.sides.prod())


@by_annotation
def block(place: Place, lower: Floats | None = None, upper: Floats | None = None) -> Block:
    """The block that a place fills, between two corners [um], by default of its bounding box.

    Tetrahedra must end on the faces of the box; of bricks the outermost lie half a brick inside them (the bounding box
    takes all to be like the two outermost). Raises `InputError` for a place that does not reach all six faces, or that
    is not in one piece. Voxels make lambda too large: by 2 % where cells have radii of 8 voxels, by half that with 16.
    """
    count = int(pieces(place).max()) + 1
    if count > 1:
        raise InputError(f"{place.name!r} falls into {count} pieces that no link joins; a block must be in one")
    low, high = _bounds(place)
    if lower is not None and upper is not None:
        shaped("block: lower", lower, (3,))
        shaped("block: upper", upper, (3,))
        low, high = np.asarray(lower, float), np.asarray(upper, float)
    if not (high > low).all():
        raise InputError(f"{place.name!r} has no thickness along {AXES[int((high <= low).argmax())]}; "
                         "give the corners of its block")
    faces, conductance = [], []
    for axis in range(3):
        side = float(high[axis] - low[axis])
        first, out, below = _face(place, axis, float(low[axis]), side)
        last, into, above = _face(place, axis, float(high[axis]), side)
        _check_open(place, low, high, axis, (below, above))
        faces.append((first, last))
        conductance.append((out, into))
    return Block(place, low, high, tuple(faces), tuple(conductance))


def _check_open(place: Place, low: Floats, high: Floats, axis: int, areas: tuple[float, float]) -> None:
    """Raise `InputError` where one of the two faces across an axis has hardly an opening."""
    volume = float((high - low).prod())
    for area, which in zip(areas, ("lower", "upper"), strict=True):
        part, alpha = area * float(high[axis] - low[axis]) / volume, place.total / volume
        if part < _OPEN * alpha:
            raise InputError(f"{place.name!r} does not fill a block: only {part:.2g} of the {which} face along "
                             f"{AXES[axis]} is open, and {alpha:.2g} of the block; cut a box out of the tissue")


def _bounds(place: Place) -> tuple[Floats, Floats]:
    """The corners of a place's bounding box."""
    low, high = place.centres.min(axis=0), place.centres.max(axis=0)
    if _of_tetrahedra(place):
        return low, high
    for axis in range(3):
        planes = _distinct(place.centres[:, axis])
        low[axis] -= np.diff(planes[:2]).sum() / 2
        high[axis] += np.diff(planes[-2:]).sum() / 2
    return low, high


def _distinct(positions: Floats) -> Floats:
    """The positions that differ by more than rounding, ascending."""
    found = np.sort(positions)
    return found[np.r_[True, np.diff(found) > _TOUCHING * max(float(np.ptp(found)), 1e-12)]]


def _of_tetrahedra(place: Place) -> bool:
    return place.cells.shape[1] == 4 and len(place.cells) > 0


def _face(place: Place, axis: int, plane: float, side: float) -> tuple[Ints, Floats, float]:
    """The elements at a face of the block, their conductance [um] to it, and its open area [um^2]."""
    away = np.abs(place.centres[:, axis] - plane)
    if _of_tetrahedra(place):
        on = away < _TOUCHING * side
        return np.flatnonzero(on), np.full(on.sum(), HELD), _area(place, on)
    elements = np.flatnonzero(away < away.min() + _TOUCHING * side)
    depth = float(away[elements].mean())
    area, conductivity = place.measure[elements] / (2 * depth), _relative_conductivity(place, elements, axis, depth)
    reached = conductivity < 1 + _TOUCHING  # or else the face is farther away than half a brick
    return elements, conductivity * area / depth, float(area.sum()) if reached else 0.0


def _area(place: Place, on: NDArray[np.bool_]) -> float:
    """The area of the tetrahedra's faces that have all corners on a plane."""
    faces = place.cells[:, _FACES].reshape(-1, 3)
    return float(triangle_areas(place.centres, faces[on[faces].all(axis=1)]).sum())


def _relative_conductivity(place: Place, elements: Ints, axis: int, depth: float) -> float:
    """What bricks at a face conduct over what free space of their volume would: 1, or 1 / lambda^2 in a medium."""
    inside = np.isin(place.links, elements)
    crossing = inside.sum(axis=1) == 1
    links, outer = place.links[crossing], place.links[crossing][inside[crossing]]
    step = np.abs(np.diff(place.centres[links], axis=1)[:, 0])
    apart, along = step[:, axis], step.argmax(axis=1) == axis
    if not along.any():
        return 1.0
    free = place.measure[outer[along]] / (2 * depth) / apart[along]
    return float(np.median(place.transmissibility[crossing][along] / free))


@by_annotation
def steady_tortuosity(of: Block) -> Floats:
    """(3,) lambda along x, y and z, from the flux that a steady gradient drives through the block.

    Opposite faces are held at 0 and 1, the other four are sealed. alpha D / lambda^2 is the flux times the distance
    over the area of the face, openings and cells together.
    """
    return np.array([_across(of, axis) for axis in range(3)])


def _across(of: Block, axis: int) -> float:
    """lambda along one axis: lower face at 0, upper face at 1."""
    n, (low, high), (out, into) = len(of.place), of.faces[axis], of.conductance[axis]
    leaving, entering, bath = np.zeros(n), np.zeros(n), np.zeros(n)
    leaving[low], entering[high] = out, into
    bath[high] = 1 / (1 + leaving[high] / into)  # an element of a single layer lies between both
    x = steady(of.place, leaving + entering, bath)
    held = np.isinf(into).any()
    flux = (stiffness(of.place) @ x)[high].sum() if held else (into * (1 - x[high])).sum()
    return float(np.sqrt(of.place.total / flux) / of.sides[axis])


@arguments(above_zero=("tortuosity",))
def isotropic(tortuosity: Floats) -> float:
    """The lambda of the mean of D / lambda^2 over the axes."""
    shaped("isotropic: tortuosity", tortuosity, (3,), "one for each axis")
    return float(np.mean(np.asarray(tortuosity) ** -2.0) ** -0.5)
