"""A synaptic cleft: a thin disc of ECS between bouton and spine, a sheet around it, neuropil, an astrocyte collar.

The z axis runs through the synapse and the centre of the cleft is the origin. Everything is a column along z, so
the mesh is one of triangles seen along z, extruded in layers. The astrocyte's collar is a sector of a ring whose
middle lies on the x axis: +x is the covered side, -x the other. So is the middle of what seals the cleft's rim.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from math import cos, hypot, pi, sin
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import Size, gmsh_session, mesh_volumes, positively_oriented
from spatial.geometry.size import MOST_ELEMENTS, TETRAHEDRA, check_length
from spatial.geometry.surfaces import PLASMA_MEMBRANE, membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.units import nm, um

CLEFT, SHEET, NEUROPIL, ASTROCYTE, BOUTON, SPINE, SEAL = range(7)
PSD, SEAL_MEMBRANE, FAR = "psd", "seal", "far boundary"
_NAMES = {PLASMA_MEMBRANE: PLASMA_MEMBRANE, "presynaptic membrane": "presynaptic membrane",
          "postsynaptic membrane": "postsynaptic membrane", "rim|ecs": SEAL_MEMBRANE, FAR: FAR}

_FINE, _THERE, _FAR, _GROWTH = 20 * nm, 60 * nm, 300 * nm, 0.35  # edges in the cleft, at neighbours, at most; growth
_RISE = 1.5  # of the layers above and below the cleft, from one to the next
_IN_A_PRISM = 7.6  # tetrahedra in a layer over the square of an edge: measured in discs, and about 7 in clefts
_STATIONS = 400  # at which edge lengths are added up along a radius and a height
_SAME, _DIGITS = 1e-6, 9  # um, decimals: lengths that are equal but for rounding


@dataclass(frozen=True)
class Cleft:
    """Sizes [um] of a cleft and what surrounds it; biophysics A9 and A15.

    Raises `InputError` for a size that is not positive, or does not fit into the others.
    """

    height: float = 20 * nm
    radius: float = 148 * nm  # of active zone and PSD, whose area is 0.069 um^2
    reach: float = 150 * nm  # how far bouton, spine and collar reach up or down from the cleft; choice
    gap: float = 20 * nm  # of the sheet of ECS around the synapse; sheets 10-40 nm
    collar: float = 100 * nm  # thickness of the astrocyte process around the synapse; M (shafts 0.1-0.25 um)
    coverage: float = 0.5  # part of the perimeter that the collar covers, 0 to 1; 1-100 % of synapses in contact
    sealed: float = 0.0  # part of the rim of the cleft that is closed, 0 to 1
    neighbour: float = 0.465 * um  # nearest synapse of CA1; Rusakov & Kullmann 1998
    surround: float = 1.2 * um  # how far the neuropil reaches, sideways and up and down; choice
    volume_fraction: float = 0.2  # of the neuropil; biophysics A7
    tortuosity: float = 1.6  # of the neuropil; biophysics A7
    residual: float = 1.2  # viscous tortuosity in cleft and sheet; biophysics A7 and trap C3
    layers: int = 2  # of elements across the cleft; 1 % off: tests/benchmarks/results/thin_sheets.md
    resolution: float = 1.0  # factor on every edge length; 2 is twice coarser
    most_elements: float = MOST_ELEMENTS  # tetrahedra, of which more are refused before gmsh begins

    def __post_init__(self) -> None:
        checks.positive("Cleft: layers", self.layers)
        checks.whole("Cleft: layers", self.layers, least=1)
        checks.kinds(self)
        for field in fields(self):
            if field.name not in ("coverage", "sealed"):
                checks.positive(f"Cleft: {field.name}", getattr(self, field.name))
        for name in ("coverage", "sealed", "volume_fraction"):
            part = getattr(self, name)
            if not 0 <= part <= 1:
                raise InputError(f"Cleft: {name} is {part:g}; it must be from 0 to 1")
        if self.reach <= self.seal:
            raise InputError(f"Cleft: reach is {self.reach:g} um; it must be more than 1.5 times height, "
                             f"{self.seal:g} um")
        if not self.outside < self.neighbour < self.surround:
            raise InputError(f"Cleft: neighbour is {self.neighbour:g} um; it must lie in the neuropil, beyond "
                             f"{self.outside:g} um and within surround, {self.surround:g} um")
        if self.surround <= self.reach:
            raise InputError(f"Cleft: surround is {self.surround:g} um; it must be more than reach, {self.reach:g} um")

    @cached_property
    def inside(self) -> float:
        """Radius of the inner wall of the collar."""
        return self.radius + self.gap

    @cached_property
    def outside(self) -> float:
        """Radius of the outer wall of the collar."""
        return self.inside + self.collar

    @cached_property
    def seal(self) -> float:
        """How far up and down what seals the rim fills the sheet: more than the cleft, lest they meet in an edge."""
        return 1.5 * self.height

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """What each part of the mesh is: the ECS in three parts, and the cells."""
        return (Region("ecs", tortuosity=self.residual, part="cleft"), Region("ecs", tortuosity=self.residual),
                Region("ecs", self.volume_fraction, self.tortuosity, part="neuropil"),
                Region("cytosol"), Region("bouton"), Region("spine"), Region("rim"))

    @cached_property
    def neighbours(self) -> Floats:
        """(2, 3) the nearest synapses on the covered and on the other side, both vertices of the mesh."""
        level = self.height / 2 if self.layers % 2 else 0.0
        return np.array([(self.neighbour, 0.0, level), (-self.neighbour, 0.0, level)])


@by_annotation
def cleft(shape: Cleft = Cleft()) -> Tetrahedra:
    """The meshed synapse: places "ecs" with parts "cleft" and "neuropil", and the cells as far as they are there.

    Its membranes are "plasma membrane" (the collar's), "presynaptic membrane", "postsynaptic membrane", "psd" (the
    spine's face in the cleft), "seal" (what closes the rim) and "far boundary"; those without area are left out.
    """
    check_length("a cleft", "resolution", shape.resolution, lambda factor: _tetrahedra(shape, factor), TETRAHEDRA,
                 shape.most_elements, unit="")
    heights = _heights(shape)
    with gmsh_session("cleft") as gmsh:
        occ = gmsh.model.occ
        faces = _faces(occ, shape, heights[0])
        parts = (heights[1:] - heights[0]) / (heights[-1] - heights[0])
        occ.extrude(faces, 0, 0, heights[-1] - heights[0], [1] * len(parts), parts.tolist())
        occ.synchronize()
        points, cells, _ = mesh_volumes(gmsh, _edge_length(shape), dict.fromkeys(
            (tag for _, tag in gmsh.model.getEntities(3)), 0))
    points, cells = _in_order(points, cells)
    region = _region(shape, points, cells)
    found = membranes(points, cells, region, shape.regions)
    named = {name: found[known] for known, name in _NAMES.items() if known in found}
    spine = named["postsynaptic membrane"]
    named[PSD] = spine[(np.abs(points[spine][:, :, 2] + shape.height / 2) < _SAME).all(axis=1)]
    return Tetrahedra(points, cells, *_present(region, shape.regions), named)


def _in_order(points: Floats, cells: Ints) -> tuple[Floats, Ints]:
    """The same mesh with points and cells sorted: gmsh numbers what it extrudes from points in any order."""
    order = np.lexsort(points.round(_DIGITS).T)
    number = np.argsort(order)
    cells = np.sort(number[cells], axis=1)
    return points[order], positively_oriented(points[order], cells[np.lexsort(cells.T)])


def _present(region: Ints, regions: tuple[Region, ...]) -> tuple[Ints, tuple[Region, ...]]:
    """The regions that have cells, and the (m,) region of each cell among them."""
    used, renumbered = np.unique(region, return_inverse=True)
    return renumbered.astype(np.int64), tuple(regions[k] for k in used)


@by_annotation
def disc(radius: float, height: float, edge: float, layers: int = 2,
         most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """A cleft alone: a disc of ECS with sealed faces "presynaptic" (z > 0) and "psd", and its open "rim".

    Its centre is the origin, edges along the disc are about `edge` long [um], and `layers` of elements lie across.
    The centres of both faces are vertices of the mesh. Raises `InputError` for sizes that are not positive, and for
    more than about `most_elements` tetrahedra.
    """
    for name, value in (("radius [um]", radius), ("height [um]", height), ("edge [um]", edge), ("layers", layers)):
        checks.positive(f"disc: {name}", value)
    check_length(f"a disc of {pi * radius**2:.3g} um^2 in {layers} layers", "edge", edge,
                 lambda length: _IN_A_PRISM * layers * pi * radius**2 / length**2, TETRAHEDRA, most_elements)
    with gmsh_session("disc") as gmsh:
        occ = gmsh.model.occ
        whole, middle = (2, occ.addDisk(0, 0, -height / 2, radius, radius)), (0, occ.addPoint(0, 0, -height / 2))
        faces = [face for face in occ.fragment([whole], [middle])[0] if face[0] == 2]
        occ.extrude(faces, 0, 0, height, [layers])
        occ.synchronize()
        (_, volume), = gmsh.model.getEntities(3)
        points, cells, region = mesh_volumes(gmsh, lambda *_: edge, {volume: 0})
    surface = membranes(points, cells, region, [Region("ecs")])[FAR]
    z = points[surface][:, :, 2]
    top, bottom = ((np.abs(z - side * height / 2) < _SAME).all(axis=1) for side in (1, -1))
    return Tetrahedra(points, cells, region, (Region("ecs"),), {
        "presynaptic": surface[top], PSD: surface[bottom], "rim": surface[~top & ~bottom]})


def _faces(occ: Any, shape: Cleft, z: float) -> list[tuple[int, int]]:
    """The plane at height z cut into disc, rings and sectors, with the axis and the neighbours as points of it."""
    rings = [(2, occ.addDisk(0, 0, z, radius, radius))
             for radius in (shape.surround, shape.outside, shape.inside, shape.radius)]
    marks = [(0, occ.addPoint(x, 0, z)) for x in (0.0, shape.neighbour, -shape.neighbour)]
    for part, (inner, outer) in ((shape.coverage, (shape.inside, shape.outside)),
                                 (shape.sealed, (shape.radius, shape.inside))):
        for angle in (pi * part, -pi * part) if 0 < part < 1 else ():
            ends = [occ.addPoint(radius * cos(angle), radius * sin(angle), z) for radius in (inner, outer)]
            marks.append((1, occ.addLine(*ends)))
    return [face for face in occ.fragment(rings, marks)[0] if face[0] == 2]


def _heights(shape: Cleft) -> Floats:
    """Heights of the layers from bottom to top: even across the cleft, growing above and below it."""
    half = shape.height / 2
    step, longest = _FINE * shape.resolution, _FAR * shape.resolution
    above = [half]
    for end in (shape.seal, shape.reach, shape.surround):
        above += _growing(above[-1], end, step, longest)[1:].tolist()
        step = max(step, above[-1] - above[-2])
    return np.concatenate([np.negative(above[:0:-1]), np.linspace(-half, half, shape.layers + 1), above[1:]])


def _growing(start: float, end: float, first: float, longest: float) -> Floats:
    """Heights from start to end in steps that grow from about `first`, none much longer than `longest`."""
    steps = [first]
    while sum(steps) < end - start:
        steps.append(min(steps[-1] * _RISE, longest))
    if len(steps) > 1 and sum(steps) - (end - start) > steps[-1] / 2:
        steps.pop()
    return start + (end - start) * np.concatenate([[0.0], np.cumsum(steps)]) / sum(steps)


def _tetrahedra(shape: Cleft, resolution: float) -> float:
    """About how many tetrahedra a resolution makes: columns over the area seen along z, times layers."""
    r = shape.surround * (np.arange(_STATIONS) + 0.5) / _STATIONS
    seen = np.minimum(_FINE + _GROWTH * np.maximum(r - shape.inside, 0.0), _FAR)
    columns = float((2 * pi * r / seen**2).sum()) * shape.surround / _STATIONS
    z = (shape.surround - shape.height / 2) * (np.arange(_STATIONS) + 0.5) / _STATIONS
    steps = np.minimum(_FINE + (1 - 1 / _RISE) * z / resolution, _FAR)
    above = float((1 / steps).mean()) * (shape.surround - shape.height / 2)
    return _IN_A_PRISM * columns / resolution / resolution * (shape.layers + 2 * above / resolution)


def _edge_length(shape: Cleft) -> Size:
    """Edge lengths [um] seen along z: fine in the cleft and the sheet, less so at the neighbours, growing beyond."""

    def size(dimension: int, tag: int, x: float, y: float, z: float, longest: float) -> float:
        beyond = max(hypot(x, y) - shape.inside, 0.0)
        apart = hypot(abs(x) - shape.neighbour, y)
        return min(min(_FINE + _GROWTH * beyond, _THERE + _GROWTH * apart, _FAR) * shape.resolution, longest)

    return size


def _region(shape: Cleft, points: Floats, cells: Ints) -> Ints:
    """(m,) region of each cell, from the mean distance of its corners from the axis, their angle and height.

    Corners lie on the circles, lines and heights between regions, never beyond; so no cell is in doubt.
    """
    x, y, z = points[cells].transpose(2, 0, 1)
    r, angle, height = np.hypot(x, y).mean(axis=1), np.abs(np.arctan2(y, x)).mean(axis=1), z.mean(axis=1)
    in_cleft, at_seal, beside = (np.abs(height) < end for end in (shape.height / 2, shape.seal, shape.reach))
    cell = np.where(height > 0, BOUTON, SPINE)
    rim = np.where(at_seal & (angle < pi * shape.sealed), SEAL, SHEET)
    ring = np.where(angle < pi * shape.coverage, ASTROCYTE, NEUROPIL)
    bounds = [r < shape.radius, r < shape.inside, r < shape.outside]
    near = np.select(bounds, [np.where(in_cleft, CLEFT, cell), rim, ring], NEUROPIL)
    return np.where(beside, near, NEUROPIL).astype(np.int64)
