"""Tetrahedral meshes from files, checked, and back into files."""

import contextlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial.checks import InputError, Unusual, by_annotation, positive
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import used_points
from spatial.geometry.surfaces import membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra, cell_volumes, piece_labels
from spatial.geometry.tortuosity import checked
from spatial.units import m, mm, nm, um

SMALLEST, LARGEST = 0.01, 1000.0  # um, the extents that a mesh of cells may have
UNUSUAL = 100.0  # um, the extent beyond which it warns

_REGION_DATA = ("gmsh:physical", "medit:ref", "region", "regions", "material", "label", "tetgen:ref",
                "ElementBlockIds", "gmsh:geometrical")
_UNITS = {"um": (um, "micrometres"), "nm": (nm, "nanometres"), "m": (m, "metres"), "mm": (mm, "millimetres")}


@by_annotation
def load(path: str | Path, unit: float = um, names: Mapping[int, str] | None = None) -> Tetrahedra:
    """The tetrahedra of a file in any format that meshio reads (.msh, .vtu, .vtk, .inp, .xdmf, ...).

    `unit` is the length of one unit of the file [um]. Regions come from the physical groups, or
    integer cell data, of the file. They are called what `names` says for their number, else what the
    file says, else "region 1" and so on; a region alone and without a name is the "cytosol". A name
    may give a part and the properties of a homogenised medium: "ecs/neuropil volume_fraction=0.2
    tortuosity=1.6", or tortuosity=1.5,1.6,1.7 along x, y, z, or for a matrix its 9 numbers, or the 6 from the
    diagonal on, row by row. Triangles in a named physical group are a membrane of that name where they lie
    between places or around them; other membranes are named by `surfaces.membranes`.

    Raises `InputError` for what cannot be read or would not be a sound mesh.
    """
    path = Path(path)
    positive("unit", unit)
    file = _read(path)
    cells = _tetrahedra(path, file)
    points, cells = used_points(np.asarray(file.points, float) * unit, cells)
    _check_points(path, points, unit)
    cells = _right_way_round(path, points, cells)
    _check_connected(path, points, cells)
    region, regions = _regions(path, file, dict(names or {}))
    found = membranes(points, cells, region, regions)
    used = np.unique(_cells(file, "tetra"))
    return Tetrahedra(points, cells, region, regions, _named(found, _surfaces(file, used)))


def save(tetrahedra: Tetrahedra, path: str | Path) -> None:
    """Write a mesh, with its regions and membranes, as a Gmsh 2.2 file in um that `load` reads back."""
    import meshio

    path = Path(path)
    if path.suffix != ".msh":
        raise InputError(f"{path} must end in .msh, for a mesh is saved as a Gmsh file")
    names = [_name(region) for region in tetrahedra.regions]
    groups = {name: [names.index(name) + 1, 3] for name in names}
    groups |= {name: [k + 1, 2] for k, name in enumerate(tetrahedra.membranes)}
    numbers = np.array([groups[name][0] for name in names])
    blocks = [("tetra", tetrahedra.cells, numbers[tetrahedra.region])]
    blocks += [("triangle", each, np.full(len(each), groups[name][0]))
               for name, each in tetrahedra.membranes.items()]
    data = [tags.astype(np.int32) for _, _, tags in blocks]
    file = meshio.Mesh(tetrahedra.points, [(kind, cells) for kind, cells, _ in blocks],
                       cell_data={"gmsh:physical": data, "gmsh:geometrical": data},
                       field_data={name: np.array(group) for name, group in groups.items()})
    file.write(path, file_format="gmsh22", binary=True)


def _name(region: Region) -> str:
    """A region in words, as in "ecs/neuropil volume_fraction=0.2 tortuosity=1.6"."""
    words = [region.place + (f"/{region.part}" if region.part else "")]
    if region.volume_fraction != 1:
        words.append(f"volume_fraction={region.volume_fraction!r}")
    if region.tortuosity != 1:
        L = np.asarray(region.tortuosity)
        values = L[np.triu_indices(3)] if L.ndim == 2 else np.atleast_1d(L)
        words.append("tortuosity=" + ",".join(repr(value) for value in values.tolist()))
    return " ".join(words)


def _region(name: str) -> Region:
    """The region that a name in words stands for."""
    words = name.split()
    given = dict(word.partition("=")[::2] for word in words if "=" in word)
    place, _, part = " ".join(word for word in words if "=" not in word).partition("/")
    try:
        tortuosity = _numbers(given.pop("tortuosity", "1"))
        values: dict[str, Any] = {key: float(value) for key, value in given.items()}
        region = Region(place, part=part or None, **values)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):
        raise InputError(f"region {name!r} must be a place, and may have a number as volume_fraction= "
                         "and 1, 3, 6 or 9 numbers with commas between them as tortuosity=") from None
    return replace(region, tortuosity=checked(tortuosity, f"region {name!r}: tortuosity"))


def _numbers(words: str) -> Floats:
    """The tortuosity that these numbers stand for: one, three, or a matrix."""
    values = np.array([float(word) for word in words.split(",")])
    if len(values) == 6:
        values = values[[0, 1, 2, 1, 3, 4, 2, 4, 5]]
    return values.reshape({1: (), 3: (3,), 9: (3, 3)}[len(values)])


def _read(path: Path) -> Any:
    """The file as meshio gives it; meshio prints and exits where it should raise, so both are caught."""
    import meshio

    if not path.is_file():
        raise InputError(f"there is no mesh file {path}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return meshio.read(path)
    except (Exception, SystemExit) as error:
        reason = " ".join(said.getvalue().split()) or f"{type(error).__name__} {error}"
        raise InputError(f"{path} cannot be read as a mesh: {reason.strip()}") from None


def _cells(file: Any, kind: str) -> Ints:
    blocks = [block.data for block in file.cells if block.type == kind]
    return np.concatenate(blocks).astype(np.int64) if blocks else np.zeros((0, 0), np.int64)


def _data(file: Any, key: str, kind: str) -> Ints:
    """Cell data of all cells of a kind, in the order of `_cells`."""
    values = file.cell_data[key]
    return np.concatenate([value for block, value in zip(file.cells, values, strict=True) if block.type == kind])


def _tetrahedra(path: Path, file: Any) -> Ints:
    cells = _cells(file, "tetra")
    if len(cells) == 0:
        kinds = sorted({block.type for block in file.cells}) or ["no cells"]
        raise InputError(f"{path} holds no linear tetrahedra; it holds {', '.join(kinds)}")
    if cells.min() < 0 or cells.max() >= len(file.points):
        raise InputError(f"{path} has a tetrahedron with a corner outside points 0..{len(file.points) - 1}")
    return cells


def _check_points(path: Path, points: Floats, unit: float) -> None:
    broken = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(broken):
        raise InputError(f"{path} has {len(broken)} points whose coordinates are not finite numbers; "
                         f"the first is point {broken[0]} of those in tetrahedra")
    extent = float(np.ptp(points, axis=0).max())
    if UNUSUAL < extent <= LARGEST:
        warnings.warn(f"{path}: its extent is {extent:.3g} um, more than {UNUSUAL:g} um; if the file is in nanometres "
                      "pass unit=nm", Unusual, stacklevel=4)
    if SMALLEST <= extent <= LARGEST:
        return
    fitting = [f"if the file is in {words} pass unit={name}" for name, (value, words) in _UNITS.items()
               if SMALLEST <= extent / unit * value <= LARGEST]
    advice = fitting[0] if fitting else "check the unit of the file"
    raise InputError(f"{path}: its extent is {extent:.3g} um, not {SMALLEST:g} to {LARGEST:g} um; {advice}")


def _right_way_round(path: Path, points: Floats, cells: Ints) -> Ints:
    """Positively oriented cells; all of them the other way round is only another convention."""
    volumes = cell_volumes(points, cells)
    flat = np.abs(volumes) <= 1e-12 * np.median(np.abs(volumes))
    if (volumes < 0).all() and not flat.any():
        return cells[:, [0, 2, 1, 3]]
    wrong = np.flatnonzero((volumes < 0) | flat)
    if len(wrong):
        raise InputError(f"{path}: {len(wrong)} of {len(cells)} tetrahedra are inverted or have no volume; "
                         f"the first is tetrahedron {wrong[0]}; repair the mesh first")
    return cells


def _check_connected(path: Path, points: Floats, cells: Ints) -> None:
    sizes = np.bincount(piece_labels(cells))
    if len(sizes) == 1:
        return
    doubled = len(points) - len(np.unique(points, axis=0))
    hint = (f"merge the {doubled} points that lie on others" if doubled
            else "keep only the piece to be simulated")
    shown = ", ".join(str(size) for size in sizes[:5]) + (", ..." if len(sizes) > 5 else "")
    raise InputError(f"{path}: its tetrahedra form {len(sizes)} pieces that share no face, "
                     f"of {shown} tetrahedra; {hint}")


def _regions(path: Path, file: Any, names: dict[int, str]) -> tuple[Ints, tuple[Region, ...]]:
    """Region of each cell, and the regions in the order of their numbers in the file."""
    numbers = _region_numbers(file)
    present, region = np.unique(numbers, return_inverse=True)
    unknown = sorted(set(names) - set(present.tolist()))
    if unknown:
        raise InputError(f"{path} has no region {unknown[0]} to be called {names[unknown[0]]!r}; "
                         f"it has {', '.join(str(k) for k in present[:20])}")
    in_file = {int(tag): name for name, (tag, dimension) in file.field_data.items() if dimension == 3}
    default = {int(present[0]): "cytosol"} if len(present) == 1 else {k: f"region {k}" for k in present.tolist()}
    called = default | in_file | names
    return region.astype(np.int64), tuple(_region(called[k]) for k in present.tolist())


def _region_numbers(file: Any) -> Ints:
    """(m,) number of the region of each tetrahedron: the first cell data that tells regions apart."""
    found = []
    for key in _REGION_DATA:
        if key in file.cell_data:
            values = np.asarray(_data(file, key, "tetra"))
            if values.ndim == 1 and (values == np.round(values)).all():
                found.append(values.astype(np.int64))
    apart = [values for values in found if values.min() != values.max()]
    return (apart or found or [np.zeros(len(_cells(file, "tetra")), np.int64)])[0]


def _surfaces(file: Any, used: Ints) -> dict[str, Ints]:
    """The (k, 3) triangles of each named physical group, over the points that tetrahedra use."""
    triangles = _cells(file, "triangle")
    if len(triangles) == 0 or "gmsh:physical" not in file.cell_data:
        return {}
    inside = np.isin(triangles, used).all(axis=1)
    tags = _data(file, "gmsh:physical", "triangle")[inside]
    triangles = np.searchsorted(used, triangles[inside])
    return {name: triangles[tags == tag] for name, (tag, dimension) in file.field_data.items() if dimension == 2}


def _named(found: dict[str, Ints], groups: dict[str, Ints]) -> dict[str, Ints]:
    """The membranes found, with triangles that lie in a named group moved to a membrane of that name."""
    owner = {tuple(face): name for name, triangles in groups.items() for face in np.sort(triangles, axis=1).tolist()}
    parts: dict[str, list[Ints]] = {}
    for name, triangles in found.items():
        called = np.array([owner.get(tuple(face), name) for face in np.sort(triangles, axis=1).tolist()])
        for each in dict.fromkeys(called.tolist()):
            parts.setdefault(each, []).append(triangles[called == each])
    return {name: np.concatenate(each) for name, each in parts.items()}
