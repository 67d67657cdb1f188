"""What a mesh is like: its measures, its edges, the shape of its cells, and what may be wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.place import Floats, Ints
from spatial.geometry.tetrahedra import Tetrahedra, cell_volumes, piece_labels, surface_labels, triangle_areas

_EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
_OPPOSITE = np.array([[2, 3], [1, 3], [1, 2], [0, 3], [0, 2], [0, 1]])  # the edge that shares no corner
_FACES = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
POOR = 0.1  # radius ratio below which a tetrahedron spoils accuracy


@dataclass(frozen=True)
class RegionReport:
    """One region: counts, volume [um^3], and the sizes of its pieces that share no face."""

    cells: int
    vertices: int
    volume: float
    pieces: tuple[int, ...]

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True)
class MembraneReport:
    """One membrane: count, area [um^2], and into how many separate surfaces it falls."""

    triangles: int
    area: float
    surfaces: int

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True)
class QualityReport:
    """The quality of a mesh; print it, or take its numbers."""

    vertices: int
    cells: int
    extent: tuple[float, float, float]  # um, along x, y and z
    regions: Mapping[str, RegionReport]
    membranes: Mapping[str, MembraneReport]
    edges: tuple[float, float, float]  # um, shortest, median and longest
    quality: tuple[float, float]  # least and median radius ratio, 1 for the regular tetrahedron
    wrong_sign: float  # part of the edges through which linear diffusion would run uphill
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        checks.kinds(self)

    def lines(self) -> list[str]:
        """The report as lines of text."""
        return list(self._lines())

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.vertices} vertices, {self.cells} tetrahedra, {' x '.join(f'{x:.3g}' for x in self.extent)} um"
        width = max(map(len, [*self.regions, *self.membranes]))
        for name, region in self.regions.items():
            pieces = f", {len(region.pieces)} pieces" if len(region.pieces) > 1 else ""
            yield (f"  {name:<{width}}  {region.volume:10.4g} um^3  {region.cells:7d} tetrahedra  "
                   f"{region.vertices:6d} vertices{pieces}")
        for name, membrane in self.membranes.items():
            surfaces = f", {membrane.surfaces} surfaces" if membrane.surfaces > 1 else ""
            yield f"  {name:<{width}}  {membrane.area:10.4g} um^2  {membrane.triangles:7d} triangles{surfaces}"
        yield f"edges {self.edges[0]:.3g} to {self.edges[2]:.3g} um, median {self.edges[1]:.3g}"
        yield f"radius ratio {self.quality[0]:.2f} at least, median {self.quality[1]:.2f}"
        yield f"edges of the wrong sign {100 * self.wrong_sign:.1f} %"
        yield from (f"warning: {warning}" for warning in self.warnings)


@by_annotation
def quality_report(tets: Tetrahedra) -> QualityReport:
    """Measure a mesh, and say in a sentence each what may be wrong with it."""
    edges = np.unique(np.sort(tets.cells[:, _EDGES].reshape(-1, 2), axis=1), axis=0)
    lengths = np.linalg.norm(tets.points[edges[:, 0]] - tets.points[edges[:, 1]], axis=1)
    quality = radius_ratio(tets.points, tets.cells)
    place = np.array([tets.place_names.index(region.place) for region in tets.regions])[tets.region]
    regions = {_title(tets, k): _region_report(tets, k) for k in range(len(tets.regions))}
    return QualityReport(
        vertices=len(tets.points),
        cells=len(tets.cells),
        extent=tuple(np.ptp(tets.points, axis=0).tolist()),
        regions=regions,
        membranes={name: _membrane_report(tets, each) for name, each in tets.membranes.items()},
        edges=(float(lengths.min()), float(np.median(lengths)), float(lengths.max())),
        quality=(float(quality.min()), float(np.median(quality))),
        wrong_sign=wrong_sign_edges(tets.points, tets.cells, place),
        warnings=tuple(_warnings(tets, quality, regions)))


def radius_ratio(points: Floats, cells: Ints) -> Floats:
    """(m,) three times the inscribed over the circumscribed radius: 1 if regular, 0 if flat."""
    corners = points[cells]
    volume = np.abs(cell_volumes(points, cells))
    area = np.sum([triangle_areas(points, cells[:, face]) for face in _FACES], axis=0)
    a, b, c = (np.linalg.norm(corners[:, _EDGES[k, 0]] - corners[:, _EDGES[k, 1]], axis=1)
               * np.linalg.norm(corners[:, _OPPOSITE[k, 0]] - corners[:, _OPPOSITE[k, 1]], axis=1)
               for k in range(3))
    crelle = np.sqrt(np.maximum((a + b + c) * (a + b - c) * (a - b + c) * (b + c - a), 0.0))  # 24 V R
    ratio = np.zeros(len(cells))
    np.divide(216 * volume**2, area * crelle, out=ratio, where=crelle > 0)
    return ratio


def wrong_sign_edges(points: Floats, cells: Ints, place: Ints) -> float:
    """The part of all edges in whose direction the linear stiffness matrix of their place is positive.

    Diffusion along such an edge runs uphill, so that values next to a source can fall below zero.
    """
    corners = points[cells]
    heights = np.swapaxes(np.linalg.inv(corners[:, 1:] - corners[:, :1]), 1, 2)
    gradients = np.concatenate([-heights.sum(axis=1, keepdims=True), heights], axis=1)
    coupling = np.einsum("mek,mek->me", gradients[:, _EDGES[:, 0]], gradients[:, _EDGES[:, 1]])
    coupling *= cell_volumes(points, cells)[:, None]
    low, high = np.sort(cells[:, _EDGES], axis=2).reshape(-1, 2).T
    _, edge = np.unique((np.repeat(place, 6) * len(points) + low) * len(points) + high, return_inverse=True)
    entries = np.bincount(edge, coupling.ravel())
    return float((entries > 1e-12 * np.abs(entries).max()).mean())


def _title(tets: Tetrahedra, k: int) -> str:
    """The place and part of a region, and its number where several have the same."""
    titles = [region.place + (f"/{region.part}" if region.part else "") for region in tets.regions]
    return titles[k] if titles.count(titles[k]) == 1 else f"{titles[k]} #{k}"


def _region_report(tets: Tetrahedra, k: int) -> RegionReport:
    cells = tets.cells[tets.region == k]
    return RegionReport(len(cells), len(np.unique(cells)), float(cell_volumes(tets.points, cells).sum()),
                        tuple(np.bincount(piece_labels(cells)).tolist()))


def _membrane_report(tets: Tetrahedra, triangles: Ints) -> MembraneReport:
    area = float(triangle_areas(tets.points, triangles).sum())
    return MembraneReport(len(triangles), area, int(surface_labels(triangles).max()) + 1)


def _warnings(tets: Tetrahedra, quality: Floats, regions: Mapping[str, RegionReport]) -> Iterator[str]:
    extent = float(np.ptp(tets.points, axis=0).max())
    if not 0.1 <= extent <= 100:
        yield f"the extent is {extent:.3g} um, unusual for a few synapses; check the unit"
    poor = int((quality < POOR).sum())
    if poor:
        yield (f"{poor} tetrahedra have a radius ratio below {POOR:g}, the worst is tetrahedron "
               f"{quality.argmin()}; remesh for accuracy")
    doubled = len(tets.points) - len(np.unique(tets.points, axis=0))
    if doubled:
        yield f"{doubled} points lie exactly on others and are not joined to them"
    for name, region in regions.items():
        if len(region.pieces) > 1:
            sizes = ", ".join(map(str, region.pieces[:5])) + (", ..." if len(region.pieces) > 5 else "")
            yield f"region {name!r} is in {len(region.pieces)} pieces, of {sizes} tetrahedra"
