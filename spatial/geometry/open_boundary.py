"""The edge of a block of tissue that goes on beyond it: as a permeability, or with the tissue beyond in shells.

Far from a source a steady field falls as exp(-rho/L)/rho, so the flux through the edge is a permeability times the
concentration there. It is exact where what spreads is steady and comes from the centre; by how much it errs
otherwise is measured in tests/benchmarks/results/open_boundary.md. Where time matters, or sources lie off the centre,
let the grid reach further with bricks that grow (`geometry.bricks.stretched_edges`), and put this at their edge.
Where molecules come back, such as adenosine made outside of ATP that has left, join a `surround` to the edge.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Place
from spatial.geometry.shells import shells
from spatial.geometry.size import MOST_ELEMENTS, SHELLS, check_size
from spatial.geometry.tortuosity import Tortuosity, checked, conduction, matrix

FAR_BOUNDARY = "far boundary"
SURROUND = "surround"
_THICKNESS = 0.05  # of the first shell of a surround, over the radius of the block


@by_annotation
def outer_faces(place: Place, edges: Sequence[ArrayLike] | None = None, name: str = FAR_BOUNDARY) -> Place:
    """The outer faces of a box of bricks as a membrane, an element for each: a brick in a corner has three.

    `edges` [um] are those of a `graded_grid`; without them the bricks are even. Raises `InputError` for a place
    whose bricks' sizes cannot be told from their centres.
    """
    axes = _even_edges(place) if edges is None else [np.asarray(each, float) for each in edges]
    index = np.stack([np.searchsorted(axes[k], place.centres[:, k]) - 1 for k in range(3)])
    sizes = np.stack([np.diff(axes[k])[index[k]] for k in range(3)])
    area, centres, touched = [], [], []
    for axis in range(3):
        for end in (0, -1):
            outer = np.flatnonzero(index[axis] == (0 if end == 0 else len(axes[axis]) - 2))
            area.append(np.delete(sizes[:, outer], axis, 0).prod(axis=0))
            centres.append(place.centres[outer])
            centres[-1][:, axis] = axes[axis][end]
            touched.append(outer)
    return Place(name, 2, np.concatenate(area), np.concatenate(centres), touches={place.name: np.concatenate(touched)})


def _even_edges(place: Place) -> list[Floats]:
    """The edges of an even grid along each axis, from the centres of its bricks."""
    found, even = [], np.ptp(place.measure) < 1e-6 * place.measure[0]
    for axis, x in zip("xyz", place.centres.T, strict=True):
        at = np.unique(x)
        steps = np.diff(at)
        if not even or len(steps) == 0 or np.ptp(steps) > 1e-6 * steps[0]:
            raise InputError(f"the bricks of {place.name!r} along {axis} are not two or more, all of one length; "
                             "pass the edges it was made with")
        found.append(np.append(at, at[-1] + steps[0]) - steps[0] / 2)
    return found


def outward(far: Place, inside: Place) -> tuple[Floats, Floats]:
    """(k, 3) outward normals of a boundary, and how far [um] (k,) within each the element lies that it touches.

    The normal of a vertex is the mean of its triangles' by area, and so shorter than 1 on an edge.
    """
    within = inside.centres[far.touches[inside.name]]
    if far.cells.shape[1] == 3 and len(far.cells):
        a, b, c = (far.centres[far.cells[:, k]] for k in range(3))
        share = np.zeros((len(far), 3))
        np.add.at(share, far.cells, (np.cross(b - a, c - a) / 6)[:, None])
        return share / far.measure[:, None], np.zeros(len(far))
    depth = np.linalg.norm(far.centres - within, axis=1)
    if (depth == 0).any():
        raise InputError(f"{far.name!r} has no triangles, and lies where the elements of {inside.name!r} lie that it "
                         "touches, so its normals are unknown; make it with outer_faces")
    return (far.centres - within) / depth[:, None], depth


def far_permeability(far: Place, inside: Place, D: float, centre: ArrayLike = (0.0, 0.0, 0.0),
                      volume_fraction: float = 1.0, tortuosity: Tortuosity = 1.0, loss: float = 0.0) -> Floats:
    """(k,) permeability [um/s] of each element of a boundary beyond which the medium goes on for ever.

    Around a source at `centre` a steady field with first-order `loss` [1/s] falls as exp(-rho/L)/rho, where
    rho = |L_t x| is the distance times the tortuosity and L = sqrt(D/loss). With lambda alike on all axes the
    permeability is alpha D* (n . r/|r|) (1/r + sqrt(loss/D*)). In bricks it includes the way from a brick's
    centre to its face. Where a boundary faces the centre it is 0. Raises `InputError` for what makes no sense.
    """
    checks.positive("open boundary: D", D)
    checks.fraction("open boundary: volume fraction", volume_fraction)
    checks.number("open boundary: loss", loss)
    L = matrix(checked(tortuosity, "open boundary: tortuosity"))
    normal, depth = outward(far, inside)
    x = far.centres - np.asarray(centre, float)
    rho = np.linalg.norm(x @ L, axis=1)
    if rho.min() < 1e-9 * rho.max():
        raise InputError(f"open boundary: the centre lies on {far.name!r}; it must lie within it")
    slope = np.maximum(np.einsum("ki,ki->k", normal, x) / rho * (1 / rho + np.sqrt(loss / D)), 0.0)
    across = np.einsum("ki,ij,kj->k", normal, conduction(checked(tortuosity, "tortuosity")), normal)
    return volume_fraction * D * slope / (1 + slope * depth / across)


@by_annotation
def surround(far: Place, reach: float, volume_fraction: float = 1.0, tortuosity: float = 1.0, growth: float = 1.2,
             name: str = SURROUND, most_elements: float = MOST_ELEMENTS) -> Place:
    """The tissue beyond a block's far boundary as shells, each `growth` times as thick as the last, sealed at `reach`.

    The block counts as a ball with as large a surface: what leaves it anywhere is spread evenly around it.
    `reach` is the outermost radius [um]. Join it to the block by `passage_permeability`. Adenosine made beyond of ATP
    that left a block of 3 um is then 1.3 % wrong, with shells growing 1.5 times 5 %.
    """
    radius = _equivalent_radius(far)
    if not (reach > radius and growth > 1):
        raise InputError(f"surround: it reaches {reach:g} um in shells growing {growth:g} times; it must reach beyond "
                         f"the block, {radius:.3g} um, and grow")
    first = _THICKNESS * radius
    wanted = np.log1p((reach - radius) * (growth - 1) / first) / np.log(growth)
    check_size(f"{name!r}", wanted, SHELLS, most_elements, "let its shells grow faster")
    count = max(1, round(wanted))
    grown = np.cumsum(growth ** np.arange(count))
    edges = radius + (reach - radius) * np.r_[0.0, grown] / grown[-1]
    return shells(name, edges, volume_fraction, tortuosity)


def passage_permeability(far: Place, inside: Place, around: Place, D: float, volume_fraction: float = 1.0,
                         tortuosity: float = 1.0) -> Floats:
    """(k,) permeability [um/s] between what each element of a far boundary touches and the first shell of `around`.

    Exact for a steady radial field beyond; in bricks it includes the way from a brick's centre to its face.
    """
    checks.positive("passage: D", D)
    radius, middle = _equivalent_radius(far), float(around.centres[0, 0])
    _, depth = outward(far, inside)
    way = radius * (middle - radius) / middle + depth
    return np.asarray(volume_fraction * D / tortuosity**2 / way)


def _equivalent_radius(far: Place) -> float:
    """The radius [um] of a ball with the area of a boundary."""
    return float(np.sqrt(far.total / (4 * np.pi)))
