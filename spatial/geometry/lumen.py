"""Lumen of the ER, in tetrahedra: what fills the voids of a mesh of the cytosol alone."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import gmsh_session, mesh_volumes
from spatial.geometry.surfaces import ER_MEMBRANE, void_volumes
from spatial.geometry.tetrahedra import OUTSIDE, Region, Tetrahedra, interfaces, triangle_areas

LUMEN = Region("er")


@by_annotation
def resolved_lumen(tetrahedra: Tetrahedra) -> Tetrahedra:
    """This mesh with the voids inside its "er membrane" filled with tetrahedra of region "er".

    The membrane keeps its vertices and triangles, now pointing out of the lumen; gmsh adds points inside,
    as far apart as the membrane's. Pieces of ER that touch one another in a vertex or edge are joined there.
    Raises `InputError` for a mesh with a region "er" or without an ER membrane, for a membrane that
    is open, and naming the piece for one whose surface crosses itself.
    """
    if LUMEN.place in tetrahedra.place_names:
        raise InputError(f"this mesh has a region {LUMEN.place!r} already; only voids can be filled")
    if ER_MEMBRANE not in tetrahedra.membranes:
        raise InputError(f"this mesh has no {ER_MEMBRANE!r}, so no void to fill; it has "
                         f"{sorted(tetrahedra.membranes)}")
    inward = tetrahedra.membranes[ER_MEMBRANE]
    outward = inward[:, ::-1]
    points, cells = [tetrahedra.points], [tetrahedra.cells]
    for title, surface in _pieces(tetrahedra.points, outward):
        added, filling = _filled(title, tetrahedra.points, surface, first=sum(map(len, points)))
        points.append(added)
        cells.append(filling)
    lumen = np.full(sum(map(len, cells[1:])), len(tetrahedra.regions))
    return Tetrahedra(np.concatenate(points), np.concatenate(cells), np.concatenate([tetrahedra.region, lumen]),
                      (*tetrahedra.regions, LUMEN), {**tetrahedra.membranes, ER_MEMBRANE: outward})


def _pieces(points: Floats, triangles: Ints) -> Iterator[tuple[str, Ints]]:
    """Each closed surface of the ER with a title for messages, that with most triangles first."""
    voids = void_volumes(points, triangles)
    for k in range(len(voids.volumes)):
        surface = triangles[voids.of_triangle == k]
        area = triangle_areas(points, surface)
        x, y, z = area @ points[surface].mean(axis=1) / area.sum()
        yield (f"piece {k} of {len(voids.volumes)} of the ER, of {len(surface)} triangles around "
               f"({x:.3g}, {y:.3g}, {z:.3g}) um"), surface


def _filled(title: str, points: Floats, surface: Ints, first: int) -> tuple[Floats, Ints]:
    """Points inside a closed surface, numbered from `first`, and (m, 4) cells over these and the surface's."""
    outer = np.unique(surface)
    try:
        found, cells = _meshed(points[outer], np.searchsorted(outer, surface))
    except InputError as error:
        raise InputError(f"{title} cannot be filled: its surface crosses itself, or it is too flat; repair the "
                         "mesh there, or take the lumen as one well-mixed pool") from error
    apart, old = cKDTree(points[outer]).query(found)
    inner = np.flatnonzero(apart > 0)
    number = outer[old]
    number[inner] = first + np.arange(len(inner))
    cells = number[cells]
    faces = interfaces(cells, np.zeros(len(cells), np.int64), [LUMEN.place])[LUMEN.place, OUTSIDE]
    if not np.array_equal(_as_set(faces), _as_set(surface)):
        raise InputError(f"{title} cannot be filled without changing its surface; repair the mesh there, or take "
                         "the lumen as one well-mixed pool")
    return found[inner], cells


def _meshed(points: Floats, surface: Ints) -> tuple[Floats, Ints]:
    """Points and cells of what (t, 3) outward triangles over points enclose, with edges as long as theirs."""
    with gmsh_session("lumen") as gmsh:
        gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 1)
        gmsh.option.setNumber("Mesh.MeshSizeFromCurvature", 0)
        wall = gmsh.model.addDiscreteEntity(2)
        gmsh.model.mesh.addNodes(2, wall, np.arange(1, len(points) + 1), points.ravel())
        gmsh.model.mesh.addElementsByType(wall, 2, [], surface.ravel() + 1)
        volume = gmsh.model.geo.addVolume([gmsh.model.geo.addSurfaceLoop([wall])])
        gmsh.model.geo.synchronize()
        found, cells, _ = mesh_volumes(gmsh, lambda _, __, ___, ____, _____, length: length, {volume: 0})
    return found, cells


def _as_set(triangles: Ints) -> Ints:
    """(k, 3) triangles in an order that depends neither on where they start nor on which way they turn."""
    return np.unique(np.sort(triangles, axis=1), axis=0)
