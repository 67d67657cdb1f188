"""A tripartite synapse: bouton, spine, astrocyte process with ER, and the ECS they share.

The z axis runs through the synapse and the centre of the cleft is the origin. The astrocyte process
(PAP) hugs the cleft with an arm, a sector of a torus around the z axis, and leaves along +x in a
stalk that ends in a node. The axon runs along y. All cells lie in a shell of resolved ECS, and that
in a ball of homogenised neuropil with silent neighbour synapses.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations, pairwise, product
from math import atan2, cos, dist, hypot, pi, radians, sin, sqrt
from typing import Any

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.shapes import Size, gmsh_session, mesh_volumes
from spatial.geometry.size import MOST_ELEMENTS, TETRAHEDRA, check_length, tetrahedra_in
from spatial.geometry.surfaces import membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.units import nm, um

Solid = list[tuple[int, int]]  # (dimension, tag) of gmsh entities
Point = tuple[float, float, float]

REGIONS = (
    Region("ecs", tortuosity=1.2),  # resolved; residual viscous tortuosity, biophysics A7 and trap C3
    Region("ecs", volume_fraction=0.2, tortuosity=1.6, part="neuropil"),  # homogenised neuropil, biophysics A7
    Region("cytosol"),
    Region("er"),
    Region("bouton"),
    Region("spine"),
)
SHELL, SURROUND, CYTOSOL, ER, BOUTON, SPINE = range(len(REGIONS))

MEMBRANES = ("plasma membrane", "er membrane", "presynaptic membrane", "postsynaptic membrane", "far boundary")

_NEIGHBOURS: tuple[Point, ...] = (
    (-0.58, 0.15, -0.17), (-0.55, -0.49, 0.11), (0.01, -0.83, -0.26), (0.59, -0.67, 0.44),
    (-0.08, 0.98, -0.54), (0.74, -0.36, -0.94), (0.17, 1.19, 0.66), (1.06, 0.33, 1.01),
    (-0.49, 0.12, -1.55), (-0.31, -0.62, 1.61), (1.56, 0.88, -0.56), (-1.45, 0.77, 1.15),
)

_MUST_BE_LESS = (
    ("synapse_radius", "bouton_radius"),
    ("synapse_radius", "head_radius"),
    ("axon_radius", "bouton_radius"),
    ("neck_radius", "head_radius"),
    ("stalk_radius", "node_radius"),
    ("er_arm_radius", "arm_radius"),
    ("er_radius", "stalk_radius"),
    ("er_radius", "cistern_radius"),
    ("cistern_radius", "node_radius"),
    ("er_arm_angle", "arm_angle"),
    ("reach", "surround"),
)
_ROOM = 0.1  # least distance of a neighbour from everything else [um]
_STALK_BASE = 0.75  # radius of a stalk where it starts inside the arm, in arm radii


def _nearest(position: Point, start: Point, end: Point) -> Point:
    """The point nearest to a position on the straight line from start to end."""
    (x, y, z), (x0, y0, z0), (x1, y1, z1) = position, start, end
    dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
    part = ((x - x0) * dx + (y - y0) * dy + (z - z0) * dz) / (dx * dx + dy * dy + dz * dz)
    part = max(0.0, min(part, 1.0))
    return x0 + part * dx, y0 + part * dy, z0 + part * dz


@dataclass(frozen=True)
class Tripartite:
    """Sizes [um] of a CA1 synapse and the astrocyte process at it; biophysics A15.

    Raises `InputError` for a size that is not positive, or does not fit into the others.
    """

    cleft: float = 20 * nm
    synapse_radius: float = 148 * nm  # of active zone and PSD, whose area is 0.069 um^2
    bouton_radius: float = 300 * nm  # its volume is about 0.12 um^3
    axon_radius: float = 100 * nm
    axon_length: float = 1.2 * um
    head_radius: float = 225 * nm  # spine head and neck have 0.054 um^3
    neck_radius: float = 70 * nm
    neck_length: float = 400 * nm
    sheet: float = 40 * nm  # of ECS between the arm and both bouton and spine head; sheets 10-40 nm
    arm_radius: float = 90 * nm
    arm_angle: float = 220.0  # degrees of the way around the synapse
    stalk_radius: float = 120 * nm  # where it enters the node; shafts are 0.1-0.25 um across
    stalk_length: float = 1.0 * um
    node_radius: float = 190 * nm  # nodes are 0.38 um across
    er_radius: float = 60 * nm  # of the ER tube where the stalk enters the node
    er_arm_radius: float = 40 * nm
    er_arm_angle: float = 130.0  # degrees
    cistern_radius: float = 90 * nm  # of the ER in the node
    shell: float = 50 * nm  # of resolved ECS around every cell; sheets 10-40 nm, tunnels 40-80 nm
    surround: float = 3.0 * um  # radius of the ball of homogenised neuropil
    neighbours: tuple[Point, ...] = _NEIGHBOURS  # silent synapses in the surround
    resolution: float = 1.0  # factor on every edge length; 2 is twice coarser
    most_elements: float = MOST_ELEMENTS  # tetrahedra, of which more are refused before gmsh begins

    def __post_init__(self) -> None:
        checks.kinds(self)
        for field in fields(self):
            if field.name != "neighbours":
                checks.positive(f"Tripartite: {field.name}", getattr(self, field.name))
        for small, large in _MUST_BE_LESS:
            if getattr(self, small) >= getattr(self, large):
                raise InputError(f"Tripartite: {small} is {getattr(self, small):g}; it must be "
                                 f"less than {large}, which is {getattr(self, large):g}")
        if self.arm_angle > 330:
            raise InputError(f"Tripartite: arm_angle is {self.arm_angle:g} degrees; it must be 330 or less, "
                             "so that the arm does not close on itself")
        self._check_neighbours()

    @cached_property
    def bouton(self) -> Point:
        """Centre of the bouton's sphere."""
        return 0.0, 0.0, self.cleft / 2 + sqrt(self.bouton_radius**2 - self.synapse_radius**2)

    @cached_property
    def head(self) -> Point:
        """Centre of the spine head's sphere."""
        return 0.0, 0.0, -self.cleft / 2 - sqrt(self.head_radius**2 - self.synapse_radius**2)

    @cached_property
    def arm(self) -> Point:
        """Where stalk and arm meet: a sheet's width away from both bouton and spine head."""
        to_bouton = self.bouton_radius + self.sheet + self.arm_radius
        to_head = self.head_radius + self.sheet + self.arm_radius
        apart = self.bouton[2] - self.head[2]
        above_head = (apart**2 + to_head**2 - to_bouton**2) / (2 * apart)
        return sqrt(to_head**2 - above_head**2), 0.0, self.head[2] + above_head

    @cached_property
    def node(self) -> Point:
        """Centre of the node in which the stalk ends."""
        return self.arm[0] + self.stalk_length, 0.0, self.arm[2]

    @cached_property
    def reach(self) -> float:
        """How far the resolved shell reaches from the origin."""
        return self.shell + max(
            dist(self.node, (0, 0, 0)) + self.node_radius,
            dist((0, self.axon_length / 2, self.axon_height), (0, 0, 0)) + self.axon_radius,
            dist(self.bouton, (0, 0, 0)) + self.bouton_radius,
            dist(self.head, (0, 0, 0)) + self.head_radius + self.neck_length + self.neck_radius)

    @cached_property
    def axon_height(self) -> float:
        """Height of the axon's axis, which passes through the upper part of the bouton."""
        return self.bouton[2] + (self.bouton_radius - self.axon_radius) / 2

    def clearance(self, position: Point) -> float:
        """Distance [um] of a position from the nearest cell, less than zero inside it."""
        x, y, _ = position
        radius, _, height = self.arm
        angle = max(-radians(self.arm_angle / 2), min(atan2(y, x), radians(self.arm_angle / 2)))
        on_arm = radius * cos(angle), radius * sin(angle), height
        on_axon = 0.0, max(-self.axon_length / 2, min(y, self.axon_length / 2)), self.axon_height
        foot = 0.0, 0.0, self.head[2] - self.head_radius - self.neck_length
        return min(
            dist(position, self.bouton) - self.bouton_radius,
            dist(position, on_axon) - self.axon_radius,
            dist(position, self.head) - self.head_radius,
            dist(position, _nearest(position, self.head, foot)) - self.neck_radius,
            dist(position, on_arm) - self.arm_radius,
            dist(position, _nearest(position, self.arm, self.node)) - self.stalk_radius,
            dist(position, self.node) - self.node_radius)

    def _check_neighbours(self) -> None:
        """Each lies in the surround, clear of the shell, the far boundary and the other neighbours."""
        for k, position in enumerate(self.neighbours):
            where = "neighbour {} at ({:g}, {:g}, {:g}) um".format(k, *position)
            if dist(position, (0, 0, 0)) > self.surround - _ROOM:
                raise InputError(f"Tripartite: {where} must lie in the surround, whose radius is "
                                 f"{self.surround:g} um, {_ROOM:g} um or more from its edge")
            room = self.clearance(position) - self.shell
            if room < _ROOM:
                raise InputError(f"Tripartite: {where} must lie {_ROOM:g} um or more outside the resolved "
                                 f"shell of ECS, not {room:.3g}")
        for a, b in combinations(range(len(self.neighbours)), 2):
            apart = dist(self.neighbours[a], self.neighbours[b])
            if apart < _ROOM:
                raise InputError(f"Tripartite: neighbours {a} and {b} are {apart:.3g} um apart; "
                                 f"they must be {_ROOM:g} um or more apart")


@by_annotation
def tripartite(shape: Tripartite = Tripartite()) -> Tetrahedra:
    """The meshed synapse: places "ecs", "cytosol", "er", "bouton" and "spine" and their membranes.

    Every neighbour is a point of the mesh. The same shape gives the same mesh.
    """
    at_one = _tetrahedra(shape)
    check_length("a tripartite synapse", "resolution", shape.resolution, lambda factor: at_one / factor**3, TETRAHEDRA,
                 shape.most_elements, unit="")
    with gmsh_session("tripartite") as gmsh:
        solids = _solids(gmsh.model.occ, shape)
        region_of = _assembled(gmsh.model.occ, shape, solids)
        points, cells, region = mesh_volumes(gmsh, _edge_length(shape, region_of), region_of)
    found = membranes(points, cells, region, REGIONS)
    wrong = set(found) - set(MEMBRANES)
    if wrong:
        raise InputError(f"tripartite: these sizes leave no room between {sorted(wrong)[0].replace('|', ' and ')}")
    return Tetrahedra(points, cells, region, REGIONS, {name: found[name] for name in MEMBRANES})


def _solids(occ: Any, shape: Tripartite) -> dict[int, Solid]:
    """The solid of each region, each inside or beside the ones before it."""
    return {
        SURROUND: [(3, occ.addSphere(0, 0, 0, shape.surround))],
        SHELL: _fused(occ, [*_bouton(occ, shape, shape.shell), *_spine(occ, shape, shape.shell),
                            *_process(occ, shape, shape.shell)]),
        BOUTON: _cut(occ, _fused(occ, _bouton(occ, shape)), above=False, z=shape.cleft / 2),
        SPINE: _cut(occ, _fused(occ, _spine(occ, shape)), above=True, z=-shape.cleft / 2),
        CYTOSOL: _fused(occ, _process(occ, shape)),
        ER: _fused(occ, _reticulum(occ, shape)),
    }


def _bouton(occ: Any, shape: Tripartite, grown: float = 0.0) -> Solid:
    """Bouton and axon, all surfaces moved out by `grown`."""
    end, radius = shape.axon_length / 2 + grown, shape.axon_radius + grown
    return [(3, occ.addSphere(*shape.bouton, shape.bouton_radius + grown)),
            (3, occ.addCylinder(0, -end, shape.axon_height, 0, 2 * end, 0, radius))]


def _spine(occ: Any, shape: Tripartite, grown: float = 0.0) -> Solid:
    """Spine head and neck, all surfaces moved out by `grown`."""
    length = shape.head_radius + shape.neck_length + grown
    return [(3, occ.addSphere(*shape.head, shape.head_radius + grown)),
            (3, occ.addCylinder(*shape.head, 0, 0, -length, shape.neck_radius + grown))]


def _process(occ: Any, shape: Tripartite, grown: float = 0.0) -> Solid:
    """Arm, stalk and node of the astrocyte, all surfaces moved out by `grown`."""
    return _branch(occ, shape, shape.arm_angle, shape.arm_radius + grown,
                   shape.stalk_radius + grown, shape.node_radius + grown)


def _reticulum(occ: Any, shape: Tripartite) -> Solid:
    """ER in the arm, along the stalk and in the node."""
    return _branch(occ, shape, shape.er_arm_angle, shape.er_arm_radius, shape.er_radius, shape.cistern_radius)


def _branch(occ: Any, shape: Tripartite, angle: float, arm: float, stalk: float, node: float) -> Solid:
    """Arm of some angle, widening stalk and ball around the node, given their radii."""
    return [*_arc(occ, shape.arm, arm, angle),
            (3, occ.addCone(*shape.arm, shape.stalk_length, 0, 0, _STALK_BASE * arm, stalk)),
            (3, occ.addSphere(*shape.node, node))]


def _arc(occ: Any, middle: Point, radius: float, degrees: float) -> Solid:
    """A round-ended tube bent around the z axis, whose middle lies on the x axis."""
    major, _, z = middle
    half = radians(degrees / 2)
    torus = occ.addTorus(0, 0, z, major, radius, angle=2 * half)
    occ.rotate([(3, torus)], 0, 0, z, 0, 0, 1, -half)
    ends = [_hemisphere(occ, (major * cos(half), side * major * sin(half), z), radius, side * (half + pi / 2))
            for side in (-1, 1)]
    return [(3, torus), *ends]


def _hemisphere(occ: Any, centre: Point, radius: float, azimuth: float) -> tuple[int, int]:
    """A half ball bulging in the horizontal direction of this azimuth."""
    half = occ.addSphere(*centre, radius, angle1=0)
    occ.rotate([(3, half)], *centre, 0, 1, 0, pi / 2)
    occ.rotate([(3, half)], *centre, 0, 0, 1, azimuth)
    return 3, half


def _fused(occ: Any, parts: Solid) -> Solid:
    return occ.fuse(parts[:1], parts[1:])[0]


def _cut(occ: Any, solid: Solid, above: bool, z: float) -> Solid:
    """The solid without what lies above, or below, the height z."""
    x0, y0, z0, x1, y1, z1 = occ.getBoundingBox(*solid[0])
    bottom, top = (z, z1 + 1) if above else (z0 - 1, z)
    block = occ.addBox(x0 - 1, y0 - 1, bottom, x1 - x0 + 2, y1 - y0 + 2, top - bottom)
    return occ.cut(solid, [(3, block)])[0]


def _assembled(occ: Any, shape: Tripartite, solids: dict[int, Solid]) -> dict[int, int]:
    """Join the solids into conforming volumes; the region of each volume by its tag.

    A disc in the middle of the cleft and the neighbours' positions become part of the mesh too.
    """
    disc = (2, occ.addDisk(0, 0, 0, shape.synapse_radius, shape.synapse_radius))
    marks = [disc, *((0, occ.addPoint(*position)) for position in shape.neighbours)]
    parts = [(region, entity) for region, solid in solids.items() for entity in solid]
    _, children = occ.fragment([entity for _, entity in parts], marks)
    occ.synchronize()
    region_of = {}
    for (region, _), volumes in zip(parts, children, strict=False):  # the innermost solid comes last
        region_of.update({tag: region for dimension, tag in volumes if dimension == 3})
    return region_of


def _edge_length(shape: Tripartite, region_of: dict[int, int]) -> Size:
    """Edge lengths [um]: fine in the cleft, coarse in the neurons, growing through the surround."""
    def size(dimension: int, tag: int, x: float, y: float, z: float, longest: float) -> float:
        in_neuron = dimension == 3 and region_of[tag] in (BOUTON, SPINE)
        return min(_edge(shape, (x, y, z), in_neuron) * shape.resolution, longest)

    return size


def _edge(shape: Tripartite, position: Point, in_neuron: bool = False) -> float:
    """Edge length [um] at a position, at resolution 1."""
    cleft, cell, neuron, far, growth = 0.020, 0.036, 0.070, 0.30, 0.35
    x, y, z = position
    from_cleft = hypot(max(hypot(x, y) - shape.synapse_radius, 0.0), max(abs(z) - shape.cleft / 2, 0.0))
    limit = neuron if in_neuron else min(cell + growth * max(shape.clearance(position) - shape.shell, 0.0), far)
    return min(cleft + growth * from_cleft, limit)


def _tetrahedra(shape: Tripartite) -> float:
    """About how many tetrahedra there are at resolution 1, added up over shells, around the axis and along it."""
    cubes, shells, turns, rises = 0.0, 30, 10, 12
    radii = [shape.surround * (0.02 * 50 ** (k / shells)) for k in range(shells + 1)]
    for inner, outer in pairwise((0.0, *radii)):
        r, part = (inner + outer) / 2, 4 / 3 * pi * (outer**3 - inner**3) / (turns * rises)
        for turn, rise in product(range(turns), range(rises)):
            height, angle = 2 * (rise + 0.5) / rises - 1, 2 * pi * (turn + 0.5) / turns
            across = r * sqrt(1 - height**2)
            cubes += part / _edge(shape, (across * cos(angle), across * sin(angle), r * height)) ** 3
    return tetrahedra_in(cubes, 1.0)
