"""Closed surfaces, mended and filled with tetrahedra; what lies within inner surfaces is a region of its own."""

import contextlib
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial.checks import InputError, by_annotation, positive
from spatial.geometry.files.cells import merged, triangles_of
from spatial.geometry.files.raw import Block
from spatial.geometry.files.read import read
from spatial.geometry.files.sound import STRAY
from spatial.geometry.load import check_extent, sealed_membranes
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import used_points
from spatial.geometry.surfaces import membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra, cell_volumes, piece_labels
from spatial.units import um

_EDGES = 20  # along the extent, by default
_ENVELOPE = 1e-3  # of the extent's diagonal: how far the mesh's surface may lie from the one that is given
_WRONG = 0.05  # of the volume: beyond, the mesh is not what the surface encloses

_Shell = tuple[Floats, Ints]  # points and outward triangles of a closed surface


@by_annotation
def filled(path: str | Path, unit: float = um, edge: float | None = None, outer: str = "cytosol",
           inner: str = "er") -> tuple[Tetrahedra, list[str]]:
    """A mesh of what a surface encloses, and a sentence for each thing to know.

    Each connected surface of the file is mended by pymeshfix: holes are closed, crossings and doubled triangles taken
    out. pytetwild fills the outer one with tetrahedra of edges of about `edge` [um]; their hull lies within 1e-3 of the
    diagonal of the surface's box from it. What lies within surfaces inside the outer one is the region `inner`, the
    rest `outer`. Raises `InputError` where these packages are missing, and for several bodies side by side.
    """
    positive("unit", unit)
    if edge is not None:
        positive("edge [um]", edge)
    meshfix, tetwild = _package("pymeshfix"), _package("pytetwild")
    points, triangles = _surface(Path(path), unit)
    shells, said = _mended(str(path), points, triangles, meshfix)
    body, within, dropped = _nested(str(path), shells)
    together = _joined([body, *within])
    extent = float(np.ptp(body[0], axis=0).max())
    with TemporaryDirectory() as folder, contextlib.chdir(folder):  # it leaves a file where it runs
        found, cells = tetwild.tetrahedralize(*together, edge_length_abs=edge or extent / _EDGES, epsilon=_ENVELOPE,
                                              num_threads=1, quiet=True)
    tetrahedra, notes = _regions(np.asarray(found, float), np.asarray(cells, np.int64), within, outer, inner)
    volume, wanted = float(tetrahedra.volumes.sum()), _enclosed(*body)
    if abs(volume - wanted) > _WRONG * wanted:
        raise InputError(f"{path}: the mesh has {volume:.4g} um^3, and its surface encloses {wanted:.4g} um^3; take "
                         "shorter edges (--edge), or look whether the surface crosses itself")
    notes.append(f"the mesh has {volume:.4g} um^3, and the mended surface encloses {wanted:.4g} um^3")
    return tetrahedra, [*said, *dropped, *notes]


def _package(name: str) -> Any:
    """A package of the extra [meshing]."""
    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"surfaces are mended and filled by {name}, which is not installed; install the extra "
                         "[meshing] of this package: pip install 'spatial[meshing]'") from None


def _surface(path: Path, unit: float) -> _Shell:
    """The triangles of a file, over points that lie apart [um]."""
    file = read(path)
    if file.count:
        raise InputError(f"{path} holds cells with a volume already, {', '.join(file.kinds)}; mend it by `spatial mesh "
                         "clean IN OUT.msh`")
    triangles, _ = triangles_of(file.sheets)
    if not len(triangles):
        raise InputError(f"{path} holds {', '.join(file.kinds)}, but no triangles or quadrilaterals of a surface")
    points = np.asarray(file.points, float) * unit
    points, triangles = used_points(points, triangles)
    check_extent(path, points, unit)
    first, _ = merged(points)
    block = Block("triangle", first[triangles])
    whole = (np.diff(np.sort(block.corners, axis=1), axis=1) > 0).all(axis=1)
    return used_points(points, block.corners[whole])


def _mended(path: str, points: Floats, triangles: Ints, meshfix: Any) -> tuple[list[_Shell], list[str]]:
    """Each connected surface closed and turned outwards, and what to say."""
    pairs = triangles[:, [[0, 1], [1, 2]]].reshape(-1, 2).T
    graph = coo_matrix((np.ones(pairs.shape[1], np.int8), pairs), shape=(len(points),) * 2)
    count, label = connected_components(graph, directed=False)
    shells, said = list[_Shell](), list[str]()
    for k in range(count):
        own, faces = used_points(points, triangles[label[triangles[:, 0]] == k])
        fix = meshfix.MeshFix(own, faces.astype(np.int32))
        holes = int(fix.n_boundaries)
        fix.repair()
        closed, turned = np.asarray(fix.points, float), np.asarray(fix.faces, np.int64)
        if not len(turned):
            said.append(f"a surface of {len(faces)} triangles encloses nothing and is left out")
            continue
        volume = _enclosed(closed, turned)
        shells.append((closed, turned if volume > 0 else turned[:, ::-1]))
        if holes or len(turned) != len(faces):
            said.append(f"a surface of {len(faces)} triangles with {holes} holes is mended to one of {len(turned)}")
    if not shells:
        raise InputError(f"{path} has no surface that encloses a volume")
    return shells, said


def _enclosed(points: Floats, triangles: Ints) -> float:
    """The volume that a closed surface encloses [um^3], negative if it is turned inwards."""
    centred = points - points.mean(axis=0)
    a, b, c = (centred[triangles[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", np.cross(a, b), c) / 6)


def _nested(path: str, shells: list[_Shell]) -> tuple[_Shell, list[_Shell], list[str]]:
    """The outer surface and those within it, and what to say. Raises `InputError` for several bodies."""
    shells = sorted(shells, key=lambda shell: -_enclosed(*shell))
    body, within, beside = shells[0], list[_Shell](), list[_Shell]()
    for shell in shells[1:]:
        share = inside_of(body, shell[0]).mean()
        if 0.0 < share < 1.0:
            raise InputError(f"{path}: two of its surfaces cross each other; part them, or join them to one")
        (within if share else beside).append(shell)
    for shell in within:
        others = [other for other in within if other is not shell and inside_of(other, shell[0][:1]).any()]
        if others:
            raise InputError(f"{path}: a surface lies within another that lies within the outer one; this is not read: "
                             "leave one out")
    if beside and _enclosed(*beside[0]) > STRAY * _enclosed(*body):
        raise InputError(f"{path}: it holds {1 + len(beside)} bodies side by side, of {_enclosed(*body):.3g}, "
                         f"{_enclosed(*beside[0]):.3g} um^3 ...; keep one, or join them")
    said = [f"{len(beside)} bodies beside it, of less than 1 % of its volume each, are left out"] if beside else []
    return body, within, said


def inside_of(shell: _Shell, positions: Floats) -> NDArray[np.bool_]:
    """(k,) whether positions lie within a closed surface."""
    import pyvista
    from vtkmodules.vtkFiltersModeling import vtkSelectEnclosedPoints

    points, triangles = shell
    surface = pyvista.PolyData(points, np.column_stack([np.full(len(triangles), 3), triangles]).ravel())
    select = vtkSelectEnclosedPoints()
    select.SetTolerance(1e-9)
    select.Initialize(surface)
    return np.array([bool(select.IsInsideSurface(*position)) for position in positions.tolist()])


def _joined(shells: list[_Shell]) -> tuple[Floats, NDArray[np.int32]]:
    """Surfaces as one, over all their points."""
    starts = np.cumsum([0, *(len(points) for points, _ in shells)])
    triangles = [faces + start for (_, faces), start in zip(shells, starts[:-1], strict=True)]
    return np.concatenate([points for points, _ in shells]), np.concatenate(triangles).astype(np.int32)


def _regions(points: Floats, cells: Ints, within: list[_Shell], outer: str,
             inner: str) -> tuple[Tetrahedra, list[str]]:
    """The tetrahedra with their regions and membranes; only the largest piece of them is kept."""
    cells = np.where((cell_volumes(points, cells) < 0)[:, None], cells[:, [0, 2, 1, 3]], cells)
    cells = cells[piece_labels(cells) == 0]
    points, cells = used_points(points, cells)
    centres = points[cells].mean(axis=1)
    in_inner = np.zeros(len(cells), bool)
    for shell in within:
        near = np.flatnonzero(((centres >= shell[0].min(axis=0)) & (centres <= shell[0].max(axis=0))).all(axis=1))
        in_inner[near] |= inside_of(shell, centres[near])
    regions = (Region(outer), Region(inner)) if in_inner.any() else (Region(outer),)
    region = in_inner.astype(np.int64)
    found, said = sealed_membranes(points, membranes(points, cells, region, regions), {}, regions)
    return Tetrahedra(points, cells, region, regions, found), said
