"""Simple shapes, and the one way in which every shape of this package is meshed: gmsh's HXT."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.place import Floats, Ints
from spatial.geometry.size import MOST_ELEMENTS, TETRAHEDRA, check_length, check_size, tetrahedra_in
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.geometry.tetrahedra import OUTSIDE, Region, Tetrahedra, cell_volumes, interfaces

CYTOSOL = Region("cytosol")

Edge = float | Callable[[float, float, float], float]
"""Edge length [um] wanted: one for all, or a function of x, y, z to refine where it matters."""

_AROUND = 6  # edges around a circle at least, however coarse the rest
_LATTICE = 13  # points along each axis at which a size that varies is looked at

Size = Callable[[int, int, float, float, float, float], float]
"""Edge length [um] wanted on entity (dimension, tag) at x, y, z, given the length gmsh has in mind."""

_OPTIONS = {
    "General.Terminal": 0,
    "General.NumThreads": 1,  # HXT gives the same mesh every time on one thread only
    "Mesh.Algorithm": 1,  # MeshAdapt, which leaves no slivers at the poles of spheres
    "Mesh.Algorithm3D": 10,  # HXT
    "Mesh.MeshSizeFromPoints": 0,
    "Mesh.MeshSizeFromCurvature": _AROUND,
    "Mesh.MeshSizeExtendFromBoundary": 0,
    "Mesh.Optimize": 1,
}


@contextmanager
def gmsh_session(name: str) -> Iterator[Any]:
    """The gmsh module with a new empty model in it, silent; closed again whatever happens."""
    import gmsh

    mine = not gmsh.isInitialized()
    if mine:
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        for option, value in _OPTIONS.items():
            gmsh.option.setNumber(option, value)
        gmsh.model.add(name)
        yield gmsh
    finally:
        gmsh.model.mesh.removeSizeCallback()
        if mine:
            gmsh.finalize()
        else:
            gmsh.model.remove()


def mesh_volumes(gmsh: Any, size: Size, region_of: Mapping[int, int]) -> tuple[Floats, Ints, Ints]:
    """Mesh the current model: points (n, 3), cells (m, 4) positively oriented, region (m,) of each.

    `region_of` gives the region of every volume by its tag. Points that no cell uses are dropped.
    Raises `InputError` when gmsh finds no mesh, as happens with edges much longer than the shape is thin.
    """
    gmsh.model.mesh.setSizeCallback(size)
    try:
        gmsh.model.mesh.generate(3)
    except Exception as error:  # gmsh raises nothing more specific
        raise InputError(f"gmsh could not mesh the {gmsh.model.getCurrent()}: {error}; ask for shorter "
                         "edges, or leave wider gaps in the shape") from error
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    number = np.full(int(tags.max()) + 1, -1)
    number[tags] = np.arange(len(tags))
    parts, regions = [], []
    for volume, region in sorted(region_of.items()):
        _, nodes = gmsh.model.mesh.getElementsByType(4, volume)
        parts.append(number[nodes].reshape(-1, 4))
        regions.append(np.full(len(parts[-1]), region))
    points, cells = used_points(coordinates.reshape(-1, 3), np.concatenate(parts))
    return points, positively_oriented(points, cells), np.concatenate(regions).astype(np.int64)


def used_points(points: Floats, cells: Ints) -> tuple[Floats, Ints]:
    """The points that cells use, and the cells renumbered over them."""
    is_used = np.zeros(len(points), bool)
    is_used[cells] = True
    number = np.cumsum(is_used) - 1
    return points[is_used], number[cells].astype(np.int64)


def positively_oriented(points: Floats, cells: Ints) -> Ints:
    """The cells with two corners exchanged wherever their signed volume is negative."""
    flipped = cell_volumes(points, cells) < 0
    return np.where(flipped[:, None], cells[:, [0, 2, 1, 3]], cells)


@by_annotation
def ball(radius: float, size: Edge, region: Region = CYTOSOL,
         most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A ball around the origin, of edges about `size` long [um]; membrane "plasma membrane".

    More than about `most_elements` tetrahedra are refused before gmsh begins; so they are in all shapes.
    """
    _check(radius=radius, size=size)
    _check_count("ball", 4 / 3 * pi * radius**3, size, ((-radius,) * 3, (radius,) * 3), most_elements)
    with gmsh_session("ball") as gmsh:
        gmsh.model.occ.addSphere(0, 0, 0, radius)
        points, cells = _mesh_alone(gmsh, size)
    return _enclosed(points, cells, region)


@by_annotation
def box(lengths: tuple[float, float, float], size: Edge, region: Region = CYTOSOL,
        most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A box from the origin to `lengths`, of edges about `size` long [um]; one "plasma membrane"."""
    _check(size=size, **{f"length along {axis}": each for axis, each in zip("xyz", lengths, strict=True)})
    _check_count("box", math.prod(lengths), size, ((0.0,) * 3, lengths), most_elements)
    with gmsh_session("box") as gmsh:
        gmsh.model.occ.addBox(0, 0, 0, *lengths)
        points, cells = _mesh_alone(gmsh, size)
    return _enclosed(points, cells, region)


@by_annotation
def cylinder(radius: float, length: float, size: Edge, region: Region = CYTOSOL,
             most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A cylinder along x from 0 to `length`, of edges about `size` long [um].

    Its membranes are "plasma membrane", the side wall, and the flat "left end" and "right end".
    """
    _check(radius=radius, length=length, size=size)
    _check_count("cylinder", pi * radius**2 * length, size, ((0.0, -radius, -radius), (length, radius, radius)),
                 most_elements, thinnest=radius)
    with gmsh_session("cylinder") as gmsh:
        gmsh.model.occ.addCylinder(0, 0, 0, length, 0, 0, radius)
        points, cells = _mesh_alone(gmsh, size)
    whole = _enclosed(points, cells, region)
    surface = whole.membranes[PLASMA_MEMBRANE]
    x = points[surface][:, :, 0]
    left = (np.abs(x) < 1e-9 * length).all(axis=1)
    right = (np.abs(x - length) < 1e-9 * length).all(axis=1)
    membranes = {PLASMA_MEMBRANE: surface[~left & ~right],
                 "left end": surface[left], "right end": surface[right]}
    return Tetrahedra(points, cells, whole.region, whole.regions, membranes)


@by_annotation
def box_without_spheres(lengths: tuple[float, float, float], spheres: Sequence[tuple[float, float, float, float]],
                        size: Edge, region: Region = CYTOSOL,
                        most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A box from the origin to `lengths` without what lies in `spheres`, each x, y, z and radius [um].

    One "plasma membrane", on the box's faces too. What is left must be one piece.
    """
    _check(size=size)
    without = sum(4 / 3 * pi * radius**3 for *_, radius in spheres)
    left = max(math.prod(lengths) - without, 0.1 * math.prod(lengths))  # spheres may overlap, or lie half outside
    _check_count("box without spheres", left, size, ((0.0,) * 3, lengths), most_elements)
    with gmsh_session("box without spheres") as gmsh:
        outer = gmsh.model.occ.addBox(0, 0, 0, *lengths)
        cut = [(3, gmsh.model.occ.addSphere(*sphere)) for sphere in spheres]
        gmsh.model.occ.cut([(3, outer)], cut)
        points, cells = _mesh_alone(gmsh, size)
    return _enclosed(points, cells, region)


@arguments(not_negative=("most_elements",))
def ball_with_window(radius: float, window: float, size: Edge, region: Region = CYTOSOL,
                     turn: float = 2 * pi, most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A ball around the origin with a round "window" of radius `window` [um] in its "plasma membrane".

    The window's middle lies at z = -radius; its rim, a circle of radius `window`, is made of edges of the mesh.
    With `turn` [radian] below 2 pi it is only the part within that angle about the z axis, between two mirrors.
    """
    _check(radius=radius, window=window, size=size, turn=turn)
    if window >= radius or turn > 2 * pi:
        raise InputError(f"window [um] is {window:g} and turn {turn:g}; they must be smaller than the radius, "
                         f"{radius:g}, and at most 2 pi")
    _check_count("ball with a window", 2 / 3 * turn * radius**3, size, ((-radius,) * 3, (radius,) * 3), most_elements)
    plane = -math.sqrt(radius**2 - window**2)
    with gmsh_session("ball with a window") as gmsh:
        ball = gmsh.model.occ.addSphere(0, 0, 0, radius, angle3=turn)
        rim = gmsh.model.occ.addCircle(0, 0, plane, window, angle1=0, angle2=turn)
        gmsh.model.occ.fragment([(3, ball)], [(1, rim)])
        points, cells = _mesh_alone(gmsh, size)
    on_sphere = np.linalg.norm(points, axis=1) > radius * (1 - 1e-6)
    return _with_own(_enclosed(points, cells, region), "window", on_sphere & (points[:, 2] <= plane + 1e-9 * radius))


@by_annotation
def spine(head: float, neck: float, length: float, size: Edge, region: Region = CYTOSOL,
          most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A ball of radius `head` around the origin with a neck of radius `neck` and `length` along x [um].

    The neck begins where it leaves the ball's surface. Its flat end is the membrane "neck end", all else
    "plasma membrane".
    """
    _check(head=head, neck=neck, length=length, size=size)
    if neck >= head:
        raise InputError(f"neck [um] is {neck:g}; it must be thinner than the head, {head:g}")
    end = math.sqrt(head**2 - neck**2) + length
    _check_count("spine", 4 / 3 * pi * head**3 + pi * neck**2 * length, size, ((-head,) * 3, (end, head, head)),
                 most_elements)
    _check_count("neck of a spine", pi * neck**2 * length, size, ((0.0, -neck, -neck), (end, neck, neck)),
                 most_elements, thinnest=neck)
    with gmsh_session("spine") as gmsh:
        ball = gmsh.model.occ.addSphere(0, 0, 0, head)
        gmsh.model.occ.rotate([(3, ball)], 0, 0, 0, 0, 1, 0, pi / 2)  # its seam away from the neck
        tube = gmsh.model.occ.addCylinder(0, 0, 0, end, 0, 0, neck)
        gmsh.model.occ.fuse([(3, ball)], [(3, tube)])
        points, cells = _mesh_alone(gmsh, size)
    return _with_own(_enclosed(points, cells, region), "neck end", points[:, 0] >= end - 1e-9 * end)


def _check(**lengths: Edge) -> None:
    for name, value in lengths.items():
        if not callable(value):
            checks.positive(f"{name} [um]", value)


def _check_count(what: str, volume: float, size: Edge, box: tuple[Sequence[float], Sequence[float]], most: float,
                 thinnest: float = math.inf) -> None:
    """Raise `InputError` for a shape that edges of this size would cut into more tetrahedra than there may be.

    The shape has a `volume` [um^3] and lies in a `box` from corner to corner [um]. All along a tube as thin as a
    radius `thinnest` [um] edges are no longer than a circle's.
    """
    longest = 2 * pi * thinnest / _AROUND
    if callable(size):
        cubed = _inverse_cube(size, *box)
        count = tetrahedra_in(volume * max(cubed, longest**-3), 1.0)
        check_size(f"{what} of {volume:.3g} um^3", count, TETRAHEDRA, most, "ask for longer edges")
        return
    check_length(f"{what} of {volume:.3g} um^3", "size", size,
                 lambda edge: tetrahedra_in(volume, min(edge, longest)), TETRAHEDRA, most)


def _inverse_cube(size: Callable[[float, float, float], float], lower: Sequence[float],
                  upper: Sequence[float]) -> float:
    """The mean of 1 / size^3 over a box [1/um^3], of which each part counts with the longest edge at its corners.

    So it is no more than there is, even where a size is very short at one point. What a size is outside the shape
    does not count where it is none.
    """
    axes = [np.linspace(low, high, _LATTICE).tolist() for low, high in zip(lower, upper, strict=True)]
    edges = np.array([_edge(size, *position) for position in product(*axes)]).reshape((_LATTICE,) * 3)
    for axis in range(3):
        edges = np.maximum(np.delete(edges, 0, axis), np.delete(edges, -1, axis))
    return float((edges**-3.0).mean())


def _edge(size: Callable[[float, float, float], float], x: float, y: float, z: float) -> float:
    """An edge length [um] at a position; infinite where the function has none, as it may outside the shape."""
    try:
        edge = float(size(x, y, z))
    except (ArithmeticError, ValueError):
        return math.inf
    return edge if edge > 0 else math.inf


def _mesh_alone(gmsh: Any, size: Edge) -> tuple[Floats, Ints]:
    """Points and cells of the only volume of the current model."""
    gmsh.model.occ.synchronize()
    (_, volume), = gmsh.model.getEntities(3)

    def wanted(_: int, __: int, x: float, y: float, z: float, ___: float) -> float:
        return float(size(x, y, z)) if callable(size) else size

    points, cells, _ = mesh_volumes(gmsh, wanted, {volume: 0})
    return points, cells


def _enclosed(points: Floats, cells: Ints, region: Region) -> Tetrahedra:
    """One region whose whole surface is its plasma membrane."""
    label = np.zeros(len(cells), np.int64)
    surface = interfaces(cells, label, [region.place])[region.place, OUTSIDE]
    return Tetrahedra(points, cells, label, (region,), {PLASMA_MEMBRANE: surface})


def _with_own(whole: Tetrahedra, name: str, there: NDArray[np.bool_]) -> Tetrahedra:
    """The shape with a membrane `name` in the stead of the plasma membrane where triangles' corners are `there`."""
    surface = whole.membranes[PLASMA_MEMBRANE]
    own = there[surface].all(axis=1)
    membranes = {PLASMA_MEMBRANE: surface[~own], name: surface[own]}
    return Tetrahedra(whole.points, whole.cells, whole.region, whole.regions, membranes)
