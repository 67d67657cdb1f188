"""Meshes in formats of others: written so that `load` reads the same regions back, or refused."""

import contextlib
import io
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatial.checks import InputError, Unusual, by_annotation
from spatial.geometry.files.raw import MeshNote
from spatial.geometry.files.words import words_of
from spatial.geometry.load import load, save
from spatial.geometry.place import Floats
from spatial.geometry.tetrahedra import Tetrahedra, triangle_areas

_SURFACES = (".stl", ".obj", ".ply", ".off", ".svg", ".wkt", ".vtp")
_SEVERAL_FILES = (".node", ".ele")
_KEYS = {".mesh": "medit:ref", ".meshb": "medit:ref", ".avs": "avsucd:material", ".bdf": "nastran:ref",
         ".nas": "nastran:ref", ".fem": "nastran:ref", ".vol": "netgen:index", ".ugrid": "ugrid:ref"}
_SAME = 1e-5  # of a volume: some formats keep six digits


@by_annotation
def convert(tetrahedra: Tetrahedra, path: str | Path) -> list[str]:
    """Write a mesh to a file of any format that meshio writes, and return a sentence for each thing it does not keep.

    Gmsh files (.msh) keep regions and membranes by name. Other formats keep the regions, by number if they have no
    room for names. Raises `InputError` for formats without tetrahedra or regions: what was written is read again.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".msh":
        save(tetrahedra, path)
        return []
    if ending in _SURFACES or ending in _SEVERAL_FILES:
        what = "several files" if ending in _SEVERAL_FILES else "surfaces and lines, no tetrahedra"
        raise InputError(f"a mesh cannot be written as {ending}, which holds {what}; take .msh, .vtu or .med")
    _write(tetrahedra, path, ending)
    return _kept(tetrahedra, path)


def _write(tetrahedra: Tetrahedra, path: Path, ending: str) -> None:
    """Write regions as numbers of cells, or as sets or groups with names, whichever a format has."""
    import meshio

    names = {k + 1: words_of(region) for k, region in enumerate(tetrahedra.regions)}
    numbers = tetrahedra.region + 1
    mesh = meshio.Mesh(tetrahedra.points, [("tetra", tetrahedra.cells)])
    options: dict[str, Any] = {}
    if ending == ".inp":
        mesh.cell_sets = {name: [np.flatnonzero(numbers == number)] for number, name in names.items()}
    elif ending == ".med":
        mesh.cell_data = {"cell_tags": [-numbers]}
        mesh.cell_tags = {-number: [name] for number, name in names.items()}
    else:
        mesh.cell_data = {_KEYS.get(ending, "region"): [numbers]}
    if ending in (".xdmf", ".xmf"):
        options["data_format"] = "XML"  # in one file
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            mesh.write(path, **options)
    except (Exception, SystemExit) as error:  # meshio raises what it likes, and exits
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"a mesh cannot be written as {ending or 'a file without an ending'}"
                         f" ({reason}); take .msh, .vtu or .med") from None


def _kept(tetrahedra: Tetrahedra, path: Path) -> list[str]:
    """What the file does not keep. Raises `InputError` where its regions are not those of the mesh."""
    try:
        back = _read_again(path)
    except InputError as error:
        raise InputError(f"the format {path.suffix} does not keep this mesh: {error}; take .msh, .vtu or .med"
                         ) from None
    before, after = _volumes(tetrahedra), _volumes(back)
    if before.shape != after.shape or (np.abs(before - after) > _SAME * before).any():
        raise InputError(f"the format {path.suffix} does not keep the {len(before)} regions of this mesh; take .msh, "
                         ".vtu or .med")
    words: dict[int | str, str] = {k + 1: words_of(region) for k, region in enumerate(tetrahedra.regions)}
    lost = list[str]()
    if back.regions != tetrahedra.regions:
        pairs = " ".join(shlex.quote(f"{number}={name}") for number, name in words.items())
        lost.append(f"its regions are kept as numbers; read it with --names \"{pairs}\"")
        back = _read_again(path, words)
    own, found = _areas(tetrahedra), _areas(back)
    again = "they are found again by the regions" if own == found else f"reading makes {found}, not {own}"
    return [f"its membranes ({', '.join(tetrahedra.membranes)}) are not written; {again}", *lost]


def _read_again(path: Path, names: Mapping[int | str, str] | None = None) -> Tetrahedra:
    """The mesh that was written, as one loads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeshNote)
        warnings.simplefilter("ignore", Unusual)
        return load(path, names=names)


def _areas(tetrahedra: Tetrahedra) -> str:
    """The membranes and cut faces of a mesh with their areas, to be shown."""
    areas = {name: float(triangle_areas(tetrahedra.points, triangles).sum())
             for name, triangles in tetrahedra.membranes.items()}
    return ", ".join(f"{name!r} of {area:.4g} um^2" for name, area in sorted(areas.items()))


def _volumes(tetrahedra: Tetrahedra) -> Floats:
    """(k,) the volume of each region [um^3]."""
    return np.bincount(tetrahedra.region, tetrahedra.volumes, len(tetrahedra.regions)).astype(float)
