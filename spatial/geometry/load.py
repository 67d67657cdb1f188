"""Meshes from files, as tetrahedra that are checked, and back into files."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spatial.checks import InputError, Unusual, by_annotation, positive
from spatial.geometry.cut_faces import CUT_FACE, CutPlane, among, cut_name, without_cut_faces
from spatial.geometry.files.announced import cells_announced
from spatial.geometry.files.cells import merged, split, triangles_of, turned, worth_keeping
from spatial.geometry.files.guard import plain
from spatial.geometry.files.others import FILL_IT
from spatial.geometry.files.raw import SHEETS, SOLIDS, Block, MeshFile, MeshNote
from spatial.geometry.files.read import read
from spatial.geometry.files.regions import labels_of, named_regions
from spatial.geometry.files.sound import check_cells, check_surface, said_of_pinches, without_strays
from spatial.geometry.files.words import regions_of, words_of
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import used_points
from spatial.geometry.size import CELLS, MOST_ELEMENTS, TETRAHEDRA, check_size
from spatial.geometry.surfaces import NAMES, PLASMA_MEMBRANE, membranes
from spatial.geometry.tetrahedra import (
    OUTSIDE,
    Region,
    Tetrahedra,
    cell_volumes,
    face_pairs,
    surface_labels,
    triangle_areas,
    triangle_keys,
)
from spatial.units import m, mm, nm, um

SMALLEST, LARGEST = 0.01, 1000.0  # um, the extents that a mesh of cells may have
UNUSUAL = 100.0  # um, the extent beyond which it warns
SEALED, MEMBRANE = "sealed", "membrane"  # what the cut faces of a process are

_KNOWN = {name for pair in NAMES for name in pair} - {OUTSIDE}
_UNITS = {"um": (um, "micrometres"), "nm": (nm, "nanometres"), "m": (m, "metres"), "mm": (mm, "millimetres")}


_WORDS = {"tetra": "tetrahedron", "pyramid": "pyramid", "wedge": "prism", "hexahedron": "hexahedron",
          "triangle": "triangle", "quad": "quadrilateral"}
_PIECES = {"pyramid": 2, "wedge": 3, "hexahedron": 6}  # tetrahedra of each, where it is one of others
_LESS = "mesh it coarser, or cut out a part"
_MANY = {"pyramid": "pyramids", "wedge": "prisms", "hexahedron": "hexahedra"}
_FLAT_KINDS = ("vert", "point", "line", "poly_line", "strip", "polygon", "empty", "curve", "vtk_lagrange_curve")


@by_annotation
def load(path: str | Path, unit: float = um, names: Mapping[int | str, str] | None = None,
         regions: str | Sequence[str] | None = None, cut: str = SEALED,
         most_elements: float = MOST_ELEMENTS) -> Tetrahedra:
    """The mesh of a file of Gmsh, MED, Abaqus, Exodus, VTK (.vtu, .vtk), XDMF, or most formats that meshio reads.

    `unit` is the length of one unit of the file [um]. Prisms, pyramids and hexahedra are split into tetrahedra,
    second-order cells are taken by their corners, and tetrahedra are turned one way. Points nearer than 1e-6 of the
    extent are merged, and pieces apart of less than 1 % of each of their regions are dropped; a `MeshNote` says so.

    Regions come from the groups of the file (physical groups, element sets, MED groups, Exodus blocks); a cell in
    several is in the one that lies within all others. Without groups they come from whole numbers that the file gives
    to its cells, under any name, and without these from CAD volumes. Where a file says several things, `regions` names
    the cell data to take ("gmsh:geometrical" for CAD volumes), or lists the groups that count.

    Regions are called what `names` says for their number or their name in the file, else what the
    file says, else "region 1" and so on; a region alone and without a name is the "cytosol". A name
    may give a part and the properties of a homogenised medium: "ecs/neuropil volume_fraction=0.2
    tortuosity=1.6", or tortuosity=1.5,1.6,1.7 along x, y, z, or for a matrix its 9 numbers, or the 6 from the
    diagonal on, row by row. Without properties a / belongs to the name: "PAP/er" is a place of its own.
    Triangles in a named group are a membrane of that name where they lie between places or around them; other
    membranes are named by `surfaces.membranes`.

    Where a mesh without ECS is flat on the faces of its extent, its block was cut by a plane (`cut_faces`). These faces
    are no membrane: with cut="sealed" they are a boundary "cut face", through which nothing flows unless a stump is
    joined to it (`stump.with_stump`), and a `MeshNote` says so; with cut="membrane" they are membrane. Triangles in a
    named group stay what their group says; a group "cut face" says that they are cut faces, wherever they lie.

    Raises `InputError` for what cannot be read, would not be a sound mesh (cells twice or overlapping, faces of more
    than two cells, cracks of doubled points, pieces apart), can be understood in more than one way, or has more than
    `most_elements` tetrahedra: by its header where that says so, else once it is read.
    """
    positive("unit", unit)
    if cut not in (SEALED, MEMBRANE):
        raise InputError(f"load: cut is {cut!r}; it must be {SEALED!r} or {MEMBRANE!r}; to open cut faces load them as "
                         f"{SEALED!r} and join a stump to the places of the mesh by geometry.stump.with_stump")
    try:
        mesh, notes = _loaded(Path(path), unit, dict(names or {}), regions, most_elements, seal=cut == SEALED)
    except InputError as error:
        raise InputError(plain(str(error))) from None
    for note in notes:
        warnings.warn(plain(note), MeshNote, stacklevel=3)
    return mesh


@by_annotation
def cleaned(path: str | Path, unit: float = um, names: Mapping[int | str, str] | None = None,
            largest: bool = False, most_elements: float = MOST_ELEMENTS) -> tuple[Tetrahedra, list[str]]:
    """The mesh of a file that `load` refuses for what can be taken away, and a sentence for each thing that was done.

    Tetrahedra without volume are left out, and the second of two that are the same; with `largest` all pieces but the
    one of the largest volume. What `load` mends by itself is mended too. Raises `InputError` for all else.
    """
    positive("unit", unit)
    return _loaded(Path(path), unit, dict(names or {}), None, most_elements, seal=True, mend=True, largest=largest)


def _loaded(path: Path, unit: float, names: dict[int | str, str], choice: str | Sequence[str] | None, most: float,
            seal: bool, mend: bool = False, largest: bool = False) -> tuple[Tetrahedra, list[str]]:
    """The mesh of a file, and what to say of how it was read."""
    _check_announced(path, most)
    file = read(path)
    _check_cells_there(path, file)
    pieces = sum(_PIECES.get(block.kind, 1) * len(block.corners) for block in file.solids)
    check_size(f"{path}", pieces, TETRAHEDRA, most, _LESS)
    where, notes = str(path), list(file.notes)
    points, solids, sheets = _own_points(file, unit)
    check_extent(path, points, unit)
    first, doubled = merged(points)
    if doubled:
        notes.append(f"{doubled} points that lie on others, within 1e-6 of the extent, are merged with these")
        solids, sheets = _renumbered(solids, first), _renumbered(sheets, np.append(first, -1))
    notes += _said_of_kinds(solids)
    cells, parents = split(solids)
    if mend:
        kept_cells, mended = worth_keeping(points, cells)
        cells, parents = cells[kept_cells], parents[kept_cells]
        notes += mended
    backwards = int((cell_volumes(points, cells) < 0).sum()) if mend else 0
    if backwards:
        notes.append(f"{backwards} tetrahedra whose corners came in the other order are turned")
    cells = turned(where, points, cells, parents)
    numbers, in_file, said = labels_of(where, file, choice)
    region, regions = named_regions(where, numbers[parents], in_file, names)
    pairs = face_pairs(cells)
    check_cells(where, points, cells, pairs)
    keep, dropped = without_strays(where, points, cells, region, pairs, largest)
    check_surface(where, points, cells, pairs)
    cells, region = cells[keep], region[keep]
    triangles, of_sheet = triangles_of(sheets)
    groups = _surfaces(file, triangles, of_sheet, np.unique(cells))
    points, cells = used_points(points, cells)
    found = membranes(points, cells, region, regions)
    places = list(dict.fromkeys(each.place for each in regions))
    place = np.array([places.index(each.place) for each in regions])[region]
    notes += said_of_pinches(points, cells, place, places)
    notes += _said_of_names(places)
    notes += _said_of_voids(found, places)
    notes += [*said, *([dropped] if dropped else []), *_without_walls(file, groups, found, len(points))]
    if names:
        before = membranes(points, cells, region, _called_in_file(where, numbers[parents][keep], in_file, regions))
        groups = _called_anew(groups, before, found, len(points))
    if seal:
        found, cut = sealed_membranes(points, found, groups, regions)
        notes += cut
    else:
        groups = {name: triangles for name, triangles in groups.items() if not name.startswith(CUT_FACE)}
    named, kept = _named(found, groups, regions, len(points))
    notes += kept
    return Tetrahedra(points, cells, region, regions, named), [f"{path}: {note}" for note in notes]


def _said_of_names(places: Sequence[str]) -> list[str]:
    """What to say of places that are called almost as those that scenarios and membranes look for."""
    alike = [name for name in places if name not in _KNOWN and name.lower() in _KNOWN]
    return [f"{name!r} is another name than {name.lower()!r}, for which scenarios and names of membranes look"
            for name in alike]


def _said_of_voids(found: Mapping[str, Ints], places: Sequence[str]) -> list[str]:
    """What to say of voids in a region alone that is not called cytosol: only in a cytosol they are its ER."""
    if len(places) > 1 or places[0] in _KNOWN:
        return []
    surfaces = sum(int(surface_labels(triangles).max()) + 1 for triangles in found.values() if len(triangles))
    if surfaces == 1:
        return []
    return [f"{places[0]!r} has {surfaces - 1} voids; they would be its ER if it were called 'cytosol', and are now a "
            "part of its outer surface"]


def _check_announced(path: Path, most: float) -> None:
    """Raise `InputError` for a file that says of itself that it is too large; of its cells half may be triangles."""
    cells = cells_announced(path)
    if cells / 2 > most:
        check_size(f"{path}, by its header,", cells, CELLS, most, _LESS)


@by_annotation
def save(tetrahedra: Tetrahedra, path: str | Path) -> None:
    """Write a mesh, with its regions and membranes, as a Gmsh 2.2 file in um that `load` reads back."""
    import meshio

    path = Path(path)
    if path.suffix != ".msh":
        raise InputError(f"{path} must end in .msh, for a mesh is saved as a Gmsh file")
    names = [words_of(region) for region in tetrahedra.regions]
    _check_readable(names, tetrahedra.regions)
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


def _check_readable(names: list[str], regions: tuple[Region, ...]) -> None:
    """Raise `InputError` for regions that `load` would read as others."""
    try:
        same = regions_of(names, [False] * len(names)) == regions
    except InputError:
        same = False
    wrong = [name for name in names if '"' in name or "\n" in name]
    if wrong or not same:
        raise InputError(f"the regions {', '.join(map(repr, wrong or names))} cannot be told apart in a Gmsh file;"
                         ' give places names without " and without / or = in them')


def _check_cells_there(path: Path, file: MeshFile) -> None:
    """Raise `InputError` for a file without cells that have a volume, or with such that are not read."""
    unread = [kind for kind in file.others if not kind.lower().startswith(_FLAT_KINDS)]
    if unread:
        raise InputError(f"{path} holds {', '.join(sorted(unread))}, which is not read; make tetrahedra, pyramids, "
                         "prisms or hexahedra of it")
    if not file.count:
        cure = f"; if its surface is closed, {FILL_IT}" if file.sheets else ""
        raise InputError(f"{path} holds no linear tetrahedra; it holds {', '.join(file.kinds)}, and no other cell with "
                         f"a volume{cure}")
    for block in (*file.solids, *file.sheets):
        if block.corners.min() < 0 or block.corners.max() >= len(file.points):
            raise InputError(f"{path} has a {_WORDS[block.kind]} with a corner outside points 0.."
                             f"{len(file.points) - 1}")


def _own_points(file: MeshFile, unit: float) -> tuple[Floats, list[Block], list[Block]]:
    """The points of solids [um], solids over these, and the sheets that lie on them."""
    number = np.full(len(file.points), -1, np.int64)
    for block in file.solids:
        number[block.corners] = 0
    used = np.flatnonzero(number == 0)
    number[used] = np.arange(len(used))
    points = np.asarray(file.points, float)[used] * unit
    return points, _renumbered(file.solids, number), _renumbered(file.sheets, number)


def _renumbered(blocks: Sequence[Block], number: Ints) -> list[Block]:
    """The blocks with other numbers for points; -1 for a point that no solid has."""
    return [Block(block.kind, number[block.corners], block.curved) for block in blocks]


def check_extent(path: Path, points: Floats, unit: float) -> None:
    """Raise `InputError` for coordinates that are no numbers, and for an extent that suggests another unit."""
    broken = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(broken):
        raise InputError(f"{path} has {len(broken)} points whose coordinates are not finite numbers; "
                         f"the first is point {broken[0]} of those in tetrahedra")
    extent = float(np.ptp(points, axis=0).max())
    if UNUSUAL < extent <= LARGEST:
        warnings.warn(f"{path}: its extent is {extent:.3g} um, more than {UNUSUAL:g} um; if the file is in nanometres "
                      "pass unit=nm", Unusual, stacklevel=5)
    if SMALLEST <= extent <= LARGEST:
        return
    fitting = [f"if the file is in {words} pass unit={name}" for name, (value, words) in _UNITS.items()
               if SMALLEST <= extent / unit * value <= LARGEST]
    advice = fitting[0] if fitting else "check the unit of the file"
    raise InputError(f"{path}: its extent is {extent:.3g} um, not {SMALLEST:g} to {LARGEST:g} um; {advice}")


def _said_of_kinds(solids: list[Block]) -> list[str]:
    """What to say of cells that are not taken as they are."""
    split_kinds = {block.kind for block in solids} - {"tetra"}
    said = list[str]()
    if split_kinds:
        count = sum(len(block.corners) for block in solids if block.kind in split_kinds)
        shown = " and ".join(_MANY[kind] for kind in SOLIDS if kind in split_kinds)
        said.append(f"{count} {shown} are split into tetrahedra")
    if any(block.curved for block in solids):
        said.append("its second-order cells are taken by their corners, so that curved faces are flat")
    return said


def _surfaces(file: MeshFile, triangles: Ints, sheets: Ints, used: Ints) -> dict[str, Ints]:
    """The (k, 3) triangles of each named group of sheets, over the points that tetrahedra use."""
    inside = np.isin(triangles, used).all(axis=1)
    found = dict[str, Ints]()
    for group in file.groups:
        if group.dimension == 2 and group.name:
            chosen = triangles[inside & np.isin(sheets, group.cells)]
            known = found.get(group.name, np.zeros((0, 3), np.int64))
            found[group.name] = np.concatenate([known, np.searchsorted(used, chosen)])
    return found


def _without_walls(file: MeshFile, groups: dict[str, Ints], found: dict[str, Ints], points: int) -> list[str]:
    """What to say of named groups of sheets of which some are no wall: neither between places nor around them."""
    walls = np.concatenate([np.zeros((0, 3), np.int64), *found.values()])
    sheets = np.repeat([SHEETS[block.kind] - 2 for block in file.sheets], [len(block.corners) for block in file.sheets])
    said = list[str]()
    for name, triangles in groups.items():
        alike = [group.cells for group in file.groups if group.dimension == 2 and group.name == name]
        held = sum(int(sheets[cells].sum()) for cells in alike)
        lost = held - int(among(triangles, walls, points).sum())
        if lost:
            said.append(f"{lost} of {held} triangles in group {name!r} are no face between two places or around one, "
                        "and are left out")
    return said


def _called_in_file(where: str, numbers: Ints, in_file: dict[int, str],
                    regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """The regions as they would be called without names; `regions` where they could not be told apart then."""
    try:
        return named_regions(where, numbers, in_file, {})[1]
    except InputError:
        return regions


def _called_anew(groups: dict[str, Ints], before: dict[str, Ints], found: dict[str, Ints],
                 points: int) -> dict[str, Ints]:
    """The groups, of which those that are called after their regions follow the names of these.

    `before` are the membranes by the regions as the file calls them, `found` the same triangles by their own.
    """
    after = {name: name for name in before} | {cut_name(name): name for name in before}
    parts = dict[str, list[Ints]]()
    for name, triangles in groups.items():
        own = before.get(after.get(name, ""))
        if own is None or not among(triangles, own, points).all():
            parts.setdefault(name, []).append(triangles)
            continue
        for membrane, walls in found.items():
            called = membrane if name in before or not _is_outer(membrane) else cut_name(membrane)
            here = among(triangles, walls, points)
            if here.any():
                parts.setdefault(called, []).append(triangles[here])
    return {name: np.concatenate(pieces) for name, pieces in parts.items()}


def _is_outer(membrane: str) -> bool:
    """Whether a membrane bounds cells towards the outside, so that its cut faces are a boundary."""
    return membrane == PLASMA_MEMBRANE or membrane.endswith(f"|{OUTSIDE}")


def sealed_membranes(points: Floats, found: dict[str, Ints], groups: dict[str, Ints],
                     regions: tuple[Region, ...]) -> tuple[dict[str, Ints], list[str]]:
    """The membranes without the cut faces of cells, which become boundaries of their own; what to say of these."""
    if "ecs" in {region.place for region in regions}:  # the ECS is cut with the cells: these faces have a name
        return found, []
    outer = {name: cut_name(name) for name in found if _is_outer(name)}
    area = sum(float(triangle_areas(points, found[name]).sum()) for name in outer)
    named = np.concatenate([np.zeros((0, 3), np.int64), *groups.values()])
    parted, planes = without_cut_faces(points, found, outer, named)
    return parted, [said_of_cuts(planes, area)] if planes else []


def said_of_cuts(planes: Sequence[CutPlane], area: float) -> str:
    """What to say of the cut faces of a surface of this area [um^2]."""
    where = ", ".join(f"{plane.axis} = {plane.at:.4g}" for plane in planes)
    total = sum(plane.area for plane in planes)
    return (f"its surface is flat where its block was cut, at {where} um: {total:.3g} um^2, {100 * total / area:.1f} % "
            f"of it, are {CUT_FACE!r} and no membrane; pass cut={MEMBRANE!r} (--cut {MEMBRANE}) to make them membrane")


def _named(found: dict[str, Ints], groups: dict[str, Ints], regions: tuple[Region, ...],
           points: int) -> tuple[dict[str, Ints], list[str]]:
    """The membranes found, with triangles that lie in a named group moved to a membrane of that name; what to say.

    A group of the name of a place or part leaves the name of the membrane: a mesh has no two places of one name.
    """
    taken = {region.place for region in regions} | {region.part for region in regions}
    notes = [f"the triangles in group {name!r} keep the name of their membrane, for a place is called {name!r} too"
             for name, triangles in groups.items() if name in taken and len(triangles)]
    names = sorted(groups.keys() - taken, key=lambda name: (-len(groups[name]), name))  # the smaller of two wins
    owner = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
    keys = triangle_keys(np.concatenate([np.zeros((0, 3), np.int64), *(groups[name] for name in names)]), points)
    parts: dict[str, list[Ints]] = {}
    for name, triangles in found.items():
        group = _looked_up(keys, owner, triangle_keys(triangles, points))
        for k in dict.fromkeys(group.tolist()):
            parts.setdefault(names[k] if k >= 0 else name, []).append(triangles[group == k])
    return {name: np.concatenate(each) for name, each in parts.items()}, notes


def _looked_up(keys: Ints, values: Ints, wanted: Ints) -> Ints:
    """The value of the last of the keys that equals each wanted one, or -1."""
    _, same = np.unique(np.concatenate([keys, wanted]), axis=0, return_inverse=True)
    value = np.full(len(keys) + len(wanted), -1, np.int64)
    value[same.ravel()[:len(keys)]] = values
    return value[same.ravel()[len(keys):]]
