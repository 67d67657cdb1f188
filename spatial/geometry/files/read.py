"""Mesh files of any format, as their content: by gmsh, VTK or meshio, whichever keeps what a file says."""

import contextlib
import copy
import io
import mmap
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from spatial.checks import InputError
from spatial.geometry.files.abaqus import read_abaqus
from spatial.geometry.files.exodus import read_exodus
from spatial.geometry.files.guard import (
    check_gmsh,
    check_legacy_vtk,
    check_med,
    check_name,
    check_tetgen,
    check_xml_vtk,
    ending_file,
    hushed,
    pieces_of,
    plain,
    room_for,
)
from spatial.geometry.files.others import check_is_mesh, unknown_ending
from spatial.geometry.files.raw import SHEETS, SOLIDS, Group, MeshFile, blocks, corner_kind, groups_of_numbers
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import gmsh_session

PHYSICAL, CAD = "gmsh:physical", "gmsh:geometrical"

_Cells = Sequence[tuple[str, int, Ints]]  # kind by corners, order and points of cells

_VTK_KINDS = {10: "tetra", 11: "voxel", 12: "hexahedron", 13: "wedge", 14: "pyramid", 24: "tetra", 25: "hexahedron",
              26: "wedge", 27: "pyramid", 29: "hexahedron", 31: "wedge", 32: "wedge", 33: "hexahedron", 37: "pyramid",
              64: "tetra", 65: "wedge", 66: "pyramid", 67: "hexahedron", 71: "tetra", 72: "hexahedron", 73: "wedge",
              74: "pyramid", 78: "tetra", 79: "hexahedron", 80: "wedge", 81: "pyramid", 5: "triangle", 8: "pixel",
              9: "quad", 22: "triangle", 23: "quad", 28: "quad", 30: "quad", 34: "triangle", 69: "triangle",
              70: "quad", 76: "triangle", 77: "quad", 1: "vertex", 2: "vertices", 3: "line", 4: "lines", 6: "strip",
              7: "polygon", 15: "pentagonal prism", 16: "hexagonal prism", 41: "convex point set", 42: "polyhedron",
              21: "line", 35: "line", 36: "polygon", 68: "line", 75: "line"}
_IN_ROWS = {"voxel": ("hexahedron", [0, 1, 3, 2, 4, 5, 7, 6]), "pixel": ("quad", [0, 1, 3, 2])}

_MAY_WAIT = {".mdpa": ("mdpa", True), ".post": ("permas", False), ".dato": ("permas", False), ".msh": ("ansys", True),
             ".bdf": ("nastran", False), ".fem": ("nastran", False), ".nas": ("nastran", False)}
"""Formats whose readers in meshio may wait forever for the rest of a file, and whether they read bytes."""


def read(path: Path) -> MeshFile:
    """The content of a mesh file. Raises `InputError` for what cannot be read."""
    if not path.is_file():
        raise InputError(f"there is no mesh file {path}")
    check_is_mesh(path)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = _reader(path)
            with room_for(path) if reader in _IN_PYTHON else contextlib.nullcontext():
                file = reader(path)
            for name in (*(group.name for group in file.groups), *file.data, *file.named, *file.others):
                check_name(name)
            return file
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path} cannot be read as a mesh: it says that it holds more than a file of its size can, or"
                         " there is not enough memory for it") from None
    except (Exception, SystemExit) as error:  # meshio prints and exits where it should raise
        kind = "" if isinstance(error, ValueError) and str(error) else f"{type(error).__name__} "
        reason = said.getvalue().strip() or f"{kind}{error}".strip()
        if not str(error).strip() and not said.getvalue().strip():
            reason = f"it is broken, or its content is not what the format {path.suffix} has"
        raise InputError(f"{path} cannot be read as a mesh: {plain(reason.replace(str(path), path.name))}") from None


def _reader(path: Path) -> Callable[[Path], MeshFile]:
    ending = path.suffix.lower()
    if ending == ".msh":
        return _by_gmsh if _gmsh_version(path) >= 4 and _section(path, "Entities") else _gmsh_by_meshio
    return {".med": _by_gmsh, ".inp": read_abaqus, ".vtu": _by_vtk, ".vtk": _by_vtk, ".pvtu": _by_vtk,
            ".e": read_exodus, ".ex2": read_exodus, ".exo": read_exodus, ".exii": read_exodus, ".xdmf": _xdmf,
            ".xmf": _xdmf}.get(ending, _by_meshio)


def _gmsh_version(path: Path) -> float:
    """The version of a Gmsh file; 0 for a file that is none."""
    with path.open("rb") as file:
        start = file.read(200)
    version = re.match(rb"\s*\$MeshFormat\s+([0-9.]+)", start)
    return float(version.group(1)) if version else 0.0


def _section(path: Path, name: str) -> bytes:
    """A section of a Gmsh file, empty where there is none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start, end = content.find(f"${name}".encode()), content.find(f"$End{name}".encode())
        return content[start:end] if start >= 0 else b""


def _physical_names(path: Path) -> dict[tuple[int, int], str]:
    """What a Gmsh file calls each (dimension, number). meshio keeps one of two that share a name."""
    section = _section(path, "PhysicalNames")
    try:
        text = section.decode()
    except UnicodeDecodeError:
        text = section.decode("latin-1")
    rows = re.findall(r'^\s*(\d)\s+(-?\d+)\s+"(.*)"\s*$', text, re.MULTILINE)
    return {(int(dimension), int(number)): name.strip() for dimension, number, name in rows}


# gmsh: files of version 4, where a volume may be in several groups, and MED files ------------------------------------

def _by_gmsh(path: Path) -> MeshFile:
    """A file that gmsh opens; an open session of the user's keeps its models."""
    if path.suffix.lower() == ".med":
        check_med(path)
    else:
        check_gmsh(path, _gmsh_version(path))
    names = _physical_names(path) if path.suffix == ".msh" else {}
    with gmsh_session(path.stem) as gmsh:
        views, models, own = set(gmsh.view.getTags()), gmsh.model.list(), gmsh.model.getCurrent()
        with hushed():
            gmsh.merge(str(path))
        tags, coordinates, _ = gmsh.model.mesh.getNodes()
        solids, solid_tags, solid_groups, cad = _entities(gmsh, 3, tags)
        sheets, _, sheet_groups, _ = _entities(gmsh, 2, tags)
        data = dict[str, Floats | Ints]()
        for view in set(gmsh.view.getTags()) - views:
            data |= _element_data(gmsh, view, solid_tags)
            gmsh.view.remove(view)
        for model in gmsh.model.list():
            if model not in models:  # a MED file comes as a model of its own
                gmsh.model.setCurrent(model)
                gmsh.model.remove()
        gmsh.model.setCurrent(own)
    others = {kind for kind, _, _ in (*solids, *sheets)} - {*SOLIDS, *SHEETS}
    return MeshFile(coordinates.reshape(-1, 3), blocks(solids, SOLIDS), blocks(sheets, SHEETS), tuple(others),
                    (*solid_groups, *sheet_groups), data, cad,
                    tuple(name for (dimension, _), name in names.items() if dimension == 3))


def _entities(gmsh: Any, dimension: int, tags: Ints) -> tuple[_Cells, Ints, list[Group], Ints]:
    """The cells of a dimension, with the tag of each, the groups that they are in, and the entity of each."""
    order = np.argsort(tags)
    cells, cell_tags, entities = list[tuple[str, int, Ints]](), [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    members = dict[int, list[Ints]]()
    count = 0
    for _, entity in gmsh.model.getEntities(dimension):
        start = count
        for kind, numbers, nodes in zip(*gmsh.model.mesh.getElements(dimension, entity), strict=True):
            name, _, degree, width, _, corners = gmsh.model.mesh.getElementProperties(kind)
            place = np.searchsorted(tags[order], nodes).clip(max=len(tags) - 1)
            if (tags[order][place] != nodes).any():
                raise ValueError("an element has a node that the file does not hold")
            known = {size: kind for kind, size in (SOLIDS if dimension == 3 else SHEETS).items()}
            called = known.get(corners, name) if not name.startswith("Trihedron") else name
            cells.append((called, degree, order[place].reshape(-1, width)))
            if called in (*SOLIDS, *SHEETS):
                cell_tags.append(numbers.astype(np.int64))
                entities.append(np.full(len(numbers), entity, np.int64))
                count += len(numbers)
        for group in gmsh.model.getPhysicalGroupsForEntity(dimension, entity):
            members.setdefault(abs(int(group)), []).append(np.arange(start, count))
    groups = [Group(number, gmsh.model.getPhysicalName(dimension, number).strip(), dimension, np.concatenate(parts))
              for number, parts in sorted(members.items())]
    return cells, np.concatenate(cell_tags), groups, np.concatenate(entities)


def _element_data(gmsh: Any, view: int, tags: Ints) -> dict[str, Floats]:
    """The numbers that a view gives to the cells with these tags, under its name; nan for those without."""
    kind, numbers, values, _, width = gmsh.view.getHomogeneousModelData(view, 0)
    if kind != "ElementData" or width != 1 or not len(numbers) or not len(tags):
        return {}
    order = np.argsort(numbers)
    place = np.searchsorted(numbers[order], tags).clip(max=len(numbers) - 1)
    found = np.where(numbers[order][place] == tags, np.asarray(values)[order][place], np.nan)
    return {gmsh.view.option.getString(view, "Name"): found}


# meshio: files of Gmsh before version 4, where each element bears its own group, and most other formats ---------------

def _gmsh_by_meshio(path: Path) -> MeshFile:
    names = _physical_names(path) if _gmsh_version(path) else {}
    return _without_repeats(_by_meshio(path, names))


def _without_repeats(file: MeshFile) -> MeshFile:
    """The file with each cell once: Gmsh 2 lists a cell once for each group that it is in."""
    groups, changed = [group for group in file.groups if group.dimension == 2], False
    if all(len(group.cells) == file.count for group in file.groups if group.dimension == 3):
        return file
    solids, keep, first = list(file.solids), np.ones(file.count, bool), np.arange(file.count)
    start = 0
    number = np.zeros(file.count, np.int64)
    for group in file.groups:
        if group.dimension == 3:
            number[group.cells] = group.number
    for block in file.solids:
        here = slice(start, start + len(block.corners))
        start = here.stop
        rows = np.sort(block.corners, axis=1)
        one, back = _same_rows(rows)
        if len(one) == len(rows):
            continue
        pairs = np.column_stack([back, number[here]])
        once = np.zeros(len(rows), bool)
        once[one] = True
        _, counts = np.unique(pairs, axis=0, return_counts=True)
        if counts.max() == 1 and not once.all():  # repeated for other groups only
            keep[here], first[here] = once, here.start + one[back]
            changed = True
    if not changed:
        return file
    renumbered = np.cumsum(keep) - 1
    start = 0
    for k, block in enumerate(file.solids):
        solids[k] = type(block)(block.kind, block.corners[keep[start:start + len(block.corners)]], block.curved)
        start += len(block.corners)
    groups += [Group(group.number, group.name, 3, renumbered[first[group.cells]])
               for group in file.groups if group.dimension == 3]
    return MeshFile(file.points, tuple(solids), file.sheets, file.others, tuple(groups),
                    {key: values[keep] for key, values in file.data.items()},
                    None if file.cad is None else file.cad[keep], file.named, file.notes)


def _same_rows(rows: Ints) -> tuple[Ints, Ints]:
    """The first of each row that comes more than once, and for all rows which of these they are."""
    order = np.lexsort(rows.T)
    new = np.append(True, (rows[order][1:] != rows[order][:-1]).any(axis=1))
    back = np.empty(len(rows), np.int64)
    back[order] = np.cumsum(new) - 1
    return order[new], back


def _by_meshio(path: Path, names: Mapping[tuple[int, int], str] | None = None) -> MeshFile:
    import meshio

    if not any(path.name.lower().endswith(ending) for ending in meshio.extension_to_filetypes):
        raise ValueError(unknown_ending(path))
    if path.suffix.lower() in (".node", ".ele"):
        check_tetgen(path)
    kind, binary = _MAY_WAIT.get(path.suffix.lower(), ("", False))
    if kind == "ansys" and _gmsh_version(path):
        kind = ""
    if not kind:
        return _from_meshio(meshio.read(path), names)
    with ending_file(path, binary) as file:
        return _from_meshio(meshio.read(file, kind), names)


def _from_meshio(file: Any, names: Mapping[tuple[int, int], str] | None = None) -> MeshFile:
    """The content of a file that meshio read."""
    called = names if names is not None else {
        (int(value[1]), int(value[0])): name for name, value in file.field_data.items() if np.size(value) == 2}
    kinds = [corner_kind(block.type) for block in file.cells]
    corners = SOLIDS | SHEETS
    cells = [(kind, 1 + (np.shape(block.data)[-1] > corners.get(kind, 0)), block.data)
             for kind, block in zip(kinds, file.cells, strict=True)]
    data = {key: _of_blocks(values, kinds, SOLIDS) for key, values in file.cell_data.items()}
    groups = list[Group]()
    for dimension, known in ((3, SOLIDS), (2, SHEETS)):
        if PHYSICAL in file.cell_data:
            numbers = np.abs(_of_blocks(file.cell_data[PHYSICAL], kinds, known).astype(np.int64))
            groups += groups_of_numbers(numbers, dimension, called)
        else:
            groups += _sets(file, kinds, dimension, known)
    data.pop(PHYSICAL, None)
    cad = data.pop(CAD, None)
    points = np.asarray(file.points, float)
    points = np.column_stack([points, np.zeros((len(points), 3 - points.shape[1]))])
    return MeshFile(points, blocks(cells, SOLIDS), blocks(cells, SHEETS), tuple(set(kinds) - {*corners}),
                    tuple(groups), data, None if cad is None else cad.astype(np.int64),
                    tuple(name for (dimension, _), name in (names or {}).items() if dimension == 3))


def _of_blocks(values: Sequence[Any], kinds: Sequence[str], known: Mapping[str, int]) -> Any:
    """The values of all cells of known kinds, in their order."""
    chosen = [np.asarray(part) for part, kind in zip(values, kinds, strict=True) if kind in known]
    return np.concatenate(chosen) if chosen else np.zeros(0)


def _sets(file: Any, kinds: Sequence[str], dimension: int, known: Mapping[str, int]) -> list[Group]:
    """The sets of cells that meshio gives, as groups."""
    groups = list[Group]()
    for name, parts in file.cell_sets.items():
        start, members = 0, [np.zeros(0, np.int64)]
        for part, kind, block in zip(parts, kinds, file.cells, strict=True):
            if kind in known:
                members.append(start + np.asarray([] if part is None else part, np.int64))
                start += len(block.data)
        cells = np.concatenate(members)
        if len(cells) and not name.startswith("gmsh:"):
            groups.append(Group(len(groups) + 1, name, dimension, cells))
    return groups


# XDMF: a grid with the cells, and grids with the tags of cells --------------------------------------------------------

def _xdmf(path: Path) -> MeshFile:
    """An XDMF file; dolfinx writes the tags of cells as a grid of their own, with cells in an order of its own."""
    from meshio.xdmf.main import XdmfReader

    root = ElementTree.parse(path).getroot()
    grids = _grids(root)
    if not grids:
        return _by_meshio(path)
    meshes = [_from_meshio(_one_grid(XdmfReader, path, root, grid)) for grid in grids]
    file = max(meshes, key=lambda mesh: mesh.count)
    data = dict(file.data)
    for grid, mesh in zip(grids, meshes, strict=True):
        if mesh is file or not mesh.count:
            continue
        if not np.array_equal(mesh.points, file.points):
            raise ValueError(f"grid {grid.get('Name')!r} has cells over other points than the first")
        for key, values in mesh.data.items():
            data[key if key not in data else f"{grid.get('Name')}/{key}"] = _at_cells(file, mesh, values)
    return MeshFile(file.points, file.solids, file.sheets, file.others, file.groups, data, file.cad, file.named)


def _grids(root: Any) -> list[Any]:
    """The grids of a file that have cells; of a series in time its first."""
    chosen = []
    for grid in root.iterfind("./Domain/Grid"):
        if grid.get("GridType", grid.get("CollectionType", "Uniform")) == "Uniform":
            chosen.append(grid)
        elif grid.get("CollectionType") == "Temporal" and grid.find("Grid") is not None:
            chosen.append(grid.find("Grid"))
        else:
            raise ValueError(f"grid {grid.get('Name')!r} is a collection in space; write one grid")
    return chosen


def _one_grid(reader: Any, path: Path, root: Any, grid: Any) -> Any:
    """What meshio makes of one grid, with what it takes from others put in."""
    alone = copy.deepcopy(grid)
    for child in list(alone):
        if child.tag.endswith("include"):
            alone.remove(child)
            alone.append(copy.deepcopy(_pointed_at(root, child.get("xpointer", ""))))
        elif not _is_plain(child):
            alone.remove(child)
    whole = ElementTree.Element("Xdmf", root.attrib)
    ElementTree.SubElement(whole, "Domain").append(alone)
    given = {item.get("Version", "3.0").partition(".")[0] for item in (root,)}
    xdmf = reader(path)
    return xdmf.read_xdmf2(whole) if given == {"2"} else xdmf.read_xdmf3(whole)


def _is_plain(child: Any) -> bool:
    """Whether a part of a grid is one that meshio reads: cells, points, or numbers of these."""
    if child.tag == "Attribute":
        return len(list(child)) == 1 and child.get("Center") in ("Cell", "Node")
    return child.tag in ("Topology", "Geometry")


def _pointed_at(root: Any, pointer: str) -> Any:
    """The element of a file that an xpointer names, as in xpointer(/Xdmf/Domain/Grid/Geometry)."""
    inside = re.search(r"/Xdmf/(.*?)\)*$", pointer)
    target = root.find(inside.group(1)) if inside else None
    if target is None:
        raise ValueError(f"it points at {pointer!r}, which it does not hold")
    return target


def _at_cells(file: MeshFile, other: MeshFile, values: Floats | Ints) -> Floats:
    """The values that another grid gives to the cells of the file; nan for those without."""
    found, start = [], 0
    keys = dict[int, list[Any]]()
    for block in other.solids:
        keys.setdefault(block.corners.shape[1], []).append((np.sort(block.corners, axis=1), start))
        start += len(block.corners)
    for block in file.solids:
        result = np.full(len(block.corners), np.nan)
        for rows, first in keys.get(block.corners.shape[1], []):
            both = np.concatenate([rows, np.sort(block.corners, axis=1)])
            _, same = np.unique(both, axis=0, return_inverse=True)
            lookup = np.full(same.max() + 1, np.nan)
            lookup[same.ravel()[:len(rows)]] = values[first:first + len(rows)]
            here = lookup[same.ravel()[len(rows):]]
            result = np.where(np.isnan(here), result, here)
        found.append(result)
    return np.concatenate(found)


# VTK: its own formats ------------------------------------------------------------------------------------------------

def _by_vtk(path: Path) -> MeshFile:
    """An unstructured grid in a format of VTK."""
    from vtkmodules import vtkIOLegacy, vtkIOXML

    if path.suffix.lower() == ".vtk":
        check_legacy_vtk(path)
        reader = vtkIOLegacy.vtkGenericDataObjectReader()
        reader.ReadAllScalarsOn()
        reader.ReadAllFieldsOn()
        return _from_vtk(*_vtk_grid(_vtk_output(reader, path)))
    check_xml_vtk(path)
    if path.suffix.lower() == ".vtu":
        return _from_vtk(*_vtk_grid(_vtk_output(vtkIOXML.vtkXMLUnstructuredGridReader(), path)))
    for piece in pieces_of(path):  # VTK goes on without a piece that it cannot read
        check_xml_vtk(piece)
        _vtk_output(vtkIOXML.vtkXMLUnstructuredGridReader(), piece)
    return _from_vtk(*_vtk_grid(_vtk_output(vtkIOXML.vtkXMLPUnstructuredGridReader(), path)))


def _vtk_output(reader: Any, path: Path) -> Any:
    with _vtk_errors():
        reader.SetFileName(str(path))
        reader.Update()
        grid = reader.GetOutput()
    if grid is None or not grid.IsA("vtkUnstructuredGrid"):
        raise ValueError(f"it holds {grid.GetClassName() if grid else 'nothing'}, not an unstructured grid")
    return grid


@contextlib.contextmanager
def _vtk_errors() -> Iterator[None]:
    """Raise what VTK would print."""
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    before, window = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkOutputWindow.SetInstance(window)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkOutputWindow.SetInstance(before)
        vtkLogger.SetStderrVerbosity(verbosity)
    if "ERR" in window.GetOutput() or "rror" in window.GetOutput():
        said = re.sub(r"ERROR: In \S+ line \d+|\w+ \(0x\w+\): ", "", window.GetOutput())
        raise ValueError(" ".join(said.partition("Algorithm ")[0].split()))


def _vtk_grid(grid: Any) -> tuple[Floats, _Cells, dict[str, Any]]:
    """The points of a grid, its cells in runs of one kind, and their data, without cells that VTK marks as ghosts."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    if not grid.GetNumberOfPoints() or not grid.GetNumberOfCells():
        raise ValueError("it holds no cells")
    points = vtk_to_numpy(grid.GetPoints().GetData()).astype(float)
    topology = grid.GetCells()
    types = vtk_to_numpy(grid.GetCellTypesArray())
    offsets, connectivity = vtk_to_numpy(topology.GetOffsetsArray()), vtk_to_numpy(topology.GetConnectivityArray())
    data = dict[str, Any]()
    held = grid.GetCellData()
    for k in range(held.GetNumberOfArrays()):
        array = held.GetAbstractArray(k)
        if array.IsA("vtkStringArray"):
            data[array.GetName()] = np.array([array.GetValue(cell) for cell in range(array.GetNumberOfValues())])
        elif array.IsA("vtkDataArray") and array.GetName():
            data[array.GetName()] = vtk_to_numpy(array).copy()
    ghost = data.pop("vtkGhostType", np.zeros(len(types), np.uint8))
    kept = np.flatnonzero(ghost == 0)
    sizes = np.diff(offsets)
    if len(sizes) != len(types) or offsets[0] < 0 or sizes.min() < 0 or offsets[-1] > len(connectivity):
        raise ValueError("its cells have more points than it holds")
    cells = list[tuple[str, int, Ints]]()
    order = list[Ints]()
    for kind, size in np.unique(np.column_stack([types, sizes])[kept], axis=0).tolist():
        chosen = kept[(types[kept] == kind) & (sizes[kept] == size)]
        rows = connectivity[offsets[chosen][:, None] + np.arange(size)].astype(np.int64)
        name = _VTK_KINDS.get(kind, f"cells of VTK's type {kind}")
        if name in _IN_ROWS:
            name, turned = _IN_ROWS[name]
            rows = rows[:, turned]
        cells.append((name, 1 + (size > (SOLIDS | SHEETS).get(name, size)), rows))
        if name in SOLIDS:
            order.append(chosen)
    solid = np.concatenate([np.zeros(0, np.int64), *order])
    return points, cells, {key: values[solid] for key, values in data.items()}


def _from_vtk(points: Floats, cells: _Cells, data: dict[str, Any]) -> MeshFile:
    groups = list[Group]()
    for name, values in data.items():
        if values.dtype.kind == "U" and len(np.unique(values)) > 1:  # words for cells are names of groups
            words, number = np.unique(values, return_inverse=True)
            called = {(3, k + 1): str(word) for k, word in enumerate(words)}
            groups += groups_of_numbers(number.ravel() + 1, 3, called)
        elif name == PHYSICAL:
            groups += groups_of_numbers(np.abs(values.astype(np.int64)), 3, {})
    data.pop(PHYSICAL, None)
    cad = data.pop(CAD, None)
    others = {kind for kind, _, _ in cells} - {*SOLIDS, *SHEETS}
    return MeshFile(points, blocks(cells, SOLIDS), blocks(cells, SHEETS), tuple(others), tuple(groups), data,
                    None if cad is None else cad.astype(np.int64))


_IN_PYTHON = (_by_meshio, _gmsh_by_meshio, _xdmf, read_exodus)
"""Readers that raise where there is no memory, and do not end the process."""
