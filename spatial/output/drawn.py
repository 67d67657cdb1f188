"""What of a place can be drawn: points, cells over them, and which element's value each point has."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.interpolate import neighbours
from spatial.geometry.place import Floats, Ints, Place

VTK_TRIANGLE, VTK_QUAD, VTK_TETRA, VTK_HEXAHEDRON = 5, 9, 10, 12
VTK_TYPE = {3: VTK_TRIANGLE, 4: VTK_TETRA, 8: VTK_HEXAHEDRON}  # by the corners of a place's own cells
_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0],
                     [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) - 0.5  # in the order of VTK_HEXAHEDRON
_MEMBRANE, _TRIANGLE = 2, 3  # dimension, corners
_IN_A_PLANE = ((1, 2), (2, 0), (0, 1))  # the axes of a face across each axis, so that their product points along it
_AROUND = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points (p, 3) um, the element whose value each point has (p,), and cells over points with their kind in VTK."""

    points: Floats
    element: Ints
    cells: tuple[tuple[int, Ints], ...]

    def __post_init__(self) -> None:
        checks.kinds(self)
        if np.shape(self.points) != (len(self.points), 3) or np.shape(self.element) != (len(self.points),):
            raise InputError(f"points and elements to draw have shapes {np.shape(self.points)} and "
                             f"{np.shape(self.element)}; they must be (p, 3) and (p,)")


def drawn(place: Place) -> Drawn | None:
    """What can be drawn of a place; None of one without cells and bricks, such as points, pools and slices.

    Cells lie between the centres of elements. What they leave out is drawn as itself: the faces of voxels that are a
    membrane, and bricks in a layer too thin for cells between their centres.
    """
    own = ((VTK_TYPE[place.cells.shape[1]], place.cells),) if len(place.cells) else ()
    points, element = np.asarray(place.centres), np.arange(len(place))
    if not len(place.sides):
        return Drawn(points, element, own) if own else None
    if is_of_faces(place):
        return Drawn(*faces(place.centres, place.sides))
    alone = np.setdiff1d(element, place.cells)
    if not len(alone):
        return Drawn(points, element, own)
    extra = bricks_of(place, alone)
    bricks = [place.cells] * bool(own) + [len(points) + extra.cells[0][1]]
    return Drawn(np.concatenate([points, extra.points]), np.concatenate([element, extra.element]),
                 ((VTK_HEXAHEDRON, np.concatenate(bricks)),))


def bricks_of(place: Place, chosen: Ints) -> Drawn:
    """Some bricks of a place as themselves, each with corners of its own."""
    corners = place.centres[chosen, None] + _CORNERS * place.sides[chosen, None]
    return Drawn(corners.reshape(-1, 3), np.repeat(chosen, 8),
                 ((VTK_HEXAHEDRON, np.arange(8 * len(chosen)).reshape(-1, 8)),))


def is_of_faces(place: Place) -> bool:
    """Whether the elements of a place are flat: the faces of voxels."""
    return bool(len(place.sides)) and bool((place.sides == 0).any(axis=1).all())


def is_spread(place: Place) -> bool:
    """Whether a membrane is spread through a volume, rather than a surface."""
    if place.dimension != _MEMBRANE or is_of_faces(place):
        return False
    return len(place.sides) > 0 or (len(place.cells) > 0 and place.cells.shape[1] > _TRIANGLE)


def outer_faces_of(place: Place) -> tuple[Floats, Ints, Ints]:
    """Points, (k, 4) faces and the element of each point, of the outer faces of a place of bricks."""
    beside = neighbours(place)
    if beside is None:
        beside = np.full((len(place), 3, 2), -1)
    centres, sides, element, inwards = [], [], [], []
    for axis in range(3):
        for end, sign in enumerate((-0.5, 0.5)):
            outer = np.flatnonzero(beside[:, axis, end] < 0)
            out = np.arange(3) == axis
            centres.append(place.centres[outer] + sign * place.sides[outer] * out)
            sides.append(place.sides[outer] * ~out)
            element.append(outer)
            inwards.append(np.full(len(outer), end == 0))
    points, which, ((_, cells),) = faces(np.concatenate(centres), np.concatenate(sides))
    turned = np.where(np.concatenate(inwards)[:, None], cells[:, ::-1], cells)
    return points, turned, np.concatenate(element)[which]


def faces(centres: Floats, sides: Floats) -> tuple[Floats, Ints, tuple[tuple[int, Ints]]]:
    """Four points around each of (n, 3) centres of flat bricks, which face each point is of, and the faces."""
    points = np.repeat(centres[:, None], 4, axis=1)
    flat = np.argmin(sides, axis=1)
    for axis, (one, other) in enumerate(_IN_A_PLANE):
        here = np.flatnonzero(flat == axis)
        points[here, :, one] += sides[here, None, one] * _AROUND[:, 0]
        points[here, :, other] += sides[here, None, other] * _AROUND[:, 1]
    count = len(centres)
    return (points.reshape(-1, 3), np.repeat(np.arange(count), 4),
            ((VTK_QUAD, np.arange(4 * count).reshape(-1, 4)),))
