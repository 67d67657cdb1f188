"""Blocks of extracellular space whose tortuosity is known: between cubic cells, square bars and packed spheres."""

import math

import numpy as np

from spatial.checks import InputError, arguments, positive
from spatial.geometry.bricks import graded_grid
from spatial.geometry.place import Floats, Place
from spatial.geometry.shapes import Edge, box_without_spheres
from spatial.geometry.size import (
    BRICKS,
    MOST_ELEMENTS,
    MOST_VOXELS,
    TETRAHEDRA,
    VOXELS,
    bricks_in,
    check_length,
    check_size,
)
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.geometry.voxels import Labels
from spatial.units import um

ECS = Region("ecs")
_GROWTH = 1.3  # from one brick to the next, away from the gap
_AROUND_A_SPHERE = 20  # tetrahedra at least, however long their edges
_TRIES = 50_000  # positions tried for spheres that do not overlap


@arguments(not_negative=("octants", "layers", "period", "dimensions", "most_elements"))
def cubic_cells(alpha: float, octants: int = 1, layers: int = 4, period: float = 1 * um, dimensions: int = 3,
                most_elements: float = MOST_ELEMENTS) -> Place:
    """The "ecs" around cubic cells on a cubic lattice, which leave the volume fraction alpha between them.

    The block is `octants` eighths of a unit of `period` [um] wide on each axis, each the mirror image of its neighbour:
    by symmetry one is enough for the steady tortuosity, and two make a whole cell. `layers` bricks lie across half a
    gap, and they grow away from it: name the block's corners, 0 and `octants` halves of `period`, when it is measured.
    With two `dimensions` the cells are square bars along z, in one layer of bricks half a period thick.
    """
    if not 0 < alpha < 1:
        raise InputError(f"cubic cells: alpha is {alpha:g}; it must lie between 0 and 1")
    if dimensions not in (2, 3) or octants < 1 or layers < 1:
        raise InputError(f"cubic cells: {octants} octants with {layers} layers in {dimensions} dimensions cannot be "
                         "made; there must be at least one of each, and 2 or 3 dimensions")
    positive("cubic cells: period", period)
    cell = (1 - alpha) ** (1 / dimensions) * period / 2
    in_cells = octants * _steps(cell, (period / 2 - cell) / layers)
    whole = (in_cells + octants * layers) ** dimensions
    check_size("cubic cells", bricks_in(whole, whole - in_cells**dimensions), BRICKS, most_elements,
               "take fewer octants or layers")
    gap = np.linspace(cell, period / 2, layers + 1)
    octant = np.r_[cell - _grown(cell, gap[1] - gap[0])[::-1], gap[1:]]
    widths, within = np.diff(octant), (octant[1:] <= cell * (1 + 1e-9)).astype(float)
    axis = np.r_[0.0, np.cumsum(_mirrored(widths, octants))]
    in_cell = _mirrored(within, octants).astype(bool)
    third = axis if dimensions == 3 else np.array([0.0, period / 2])
    in_third = in_cell if dimensions == 3 else np.array([True])
    filled = in_cell[:, None, None] & in_cell[None, :, None] & in_third[None, None, :]
    return graded_grid("ecs", (axis, axis, third), (~filled).astype(float), most_elements=most_elements)


def _mirrored(octant: Floats, count: int) -> Floats:
    """`count` copies one after the other, every second one the other way round."""
    return np.concatenate([octant[::-1] if k % 2 else octant for k in range(count)])


def _steps(length: float, first: float) -> int:
    """How many growing steps, the first about `first`, make a length."""
    return max(1, math.ceil(math.log1p(length / first * (_GROWTH - 1)) / math.log(_GROWTH)))


def _grown(length: float, first: float) -> Floats:
    """Positions from 0 to `length`, the first about `first` apart, and ever farther."""
    found = np.r_[0.0, np.cumsum(_GROWTH ** np.arange(_steps(length, first)))]
    return found * length / found[-1]


@arguments(not_negative=("radius", "size", "period", "most_elements"))
def sphere_octant(radius: float, size: Edge, period: float = 1 * um, region: Region = ECS,
                  most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """An eighth of the unit of a simple cubic lattice of spheres around its corner, without the sphere.

    `radius` is below half the `period` [um]. Its membrane is "plasma membrane", which covers the box's faces as well.
    """
    if not 0 < radius < period / 2:
        raise InputError(f"spheres of radius {radius:g} um overlap on a lattice of {period:g} um; "
                         f"radius must lie between 0 and {period / 2:g} um")
    return box_without_spheres((period / 2,) * 3, [(0.0, 0.0, 0.0, radius)], size, region, most_elements)


@arguments(not_negative=("count", "radius", "size", "period", "most_elements"))
def sphere_lattice(count: int, radius: float, size: Edge, period: float = 1 * um, region: Region = ECS,
                   most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A cube of `count` units of a simple cubic lattice on each axis, without the spheres in the middle of each."""
    if not (count >= 1 and 0 < radius < period / 2):
        raise InputError(f"{count} spheres of radius {radius:g} um on each axis, {period:g} um apart, cannot be made; "
                         f"there must be at least 1, of radius between 0 and {period / 2:g} um")
    check_size("a lattice of spheres", _AROUND_A_SPHERE * float(count) ** 3, TETRAHEDRA, most_elements,
               "take fewer spheres")
    along = (np.arange(count) + 0.5) * period
    spheres = [(x, y, z, radius) for x in along for y in along for z in along]
    return box_without_spheres((count * period,) * 3, spheres, size, region, most_elements)


@arguments(not_negative=("most_elements",))
def random_spheres(fraction: float, radius: float, side: float, spacing: float, rng: np.random.Generator,
                   overlapping: bool = False, most_elements: float = MOST_VOXELS) -> Labels:
    """A cube of `side` [um] with randomly placed spheres, in voxels of `spacing` [um]: 1 in a sphere, 0 between them.

    The cube is a period of an endless pack: a sphere across a wall comes in again at the opposite one. `fraction` of
    the volume is filled, on average if spheres are `overlapping`. `voxels.extracellular` makes a place of what is left.
    Raises `InputError` where so many would not fit, and for more than `most_elements` voxels.
    """
    for name, value in (("radius", radius), ("side", side), ("spacing", spacing)):
        positive(f"random spheres: {name}", value)
    if not 0 < fraction < 1:
        raise InputError(f"random spheres: fraction is {fraction:g}; it must lie between 0 and 1")
    if side < 3 * radius or spacing > radius / 2:
        raise InputError(f"random spheres of radius {radius:g} um need a side of at least three and a spacing of at "
                         f"most half of it, not {side:g} and {spacing:g} um")
    check_length("a cube of random spheres", "spacing", spacing, lambda width: (side / width) ** 3, VOXELS,
                 most_elements)
    density = (-math.log1p(-fraction) if overlapping else fraction) / (4 / 3 * math.pi * radius**3)
    middles = _thrown(max(1, round(density * side**3)), radius, side, rng, 0.0 if overlapping else 2 * radius)
    voxels = round(side / spacing)
    width = side / voxels
    filled = np.zeros((voxels,) * 3, np.int64)
    reach = math.ceil(radius / width) + 1
    for middle in middles:
        index = np.floor(middle / width).astype(int)[:, None] + np.arange(-reach, reach + 1)
        x, y, z = ((index + 0.5) * width - middle[:, None]) ** 2
        inside = x[:, None, None] + y[None, :, None] + z[None, None, :] <= radius**2
        i, j, k = np.argwhere(inside).T
        filled[index[0][i] % voxels, index[1][j] % voxels, index[2][k] % voxels] = 1
    return Labels(filled, (width,) * 3)


def _thrown(count: int, radius: float, side: float, rng: np.random.Generator, apart: float) -> Floats:
    """(count, 3) random middles in a periodic cube, at least `apart` from one another."""
    if not apart:
        return rng.uniform(0.0, side, (count, 3))
    found, known = np.empty((count, 3)), 0
    for candidate in rng.uniform(0.0, side, (_TRIES, 3)):
        between = found[:known] - candidate
        between -= side * np.rint(between / side)
        if (between**2).sum(axis=1).min(initial=np.inf) >= apart**2:
            found[known] = candidate
            known += 1
            if known == count:
                return found
    raise InputError(f"only {known} of {count} spheres of radius {radius:g} um fit without overlap; "
                     "ask for a smaller fraction")
