"""Exodus files: points, and blocks of elements, which are groups.

VTK reads these files too, but ends the process over some of them; meshio needs a package for netCDF and loses names.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spatial.geometry.files.guard import attribute
from spatial.geometry.files.raw import SHEETS, SOLIDS, Group, MeshFile, blocks
from spatial.geometry.place import Ints

_KINDS = {"TET": "tetra", "TETRA": "tetra", "PYRA": "pyramid", "PYRAMID": "pyramid", "WEDGE": "wedge",
          "HEX": "hexahedron", "HEXAHEDRON": "hexahedron", "TRI": "triangle", "TRIANGLE": "triangle",
          "TRISHELL": "triangle", "SPHERE": "vertex", "CIRCLE": "vertex", "POINT": "vertex", "BAR": "line",
          "BEAM": "line", "TRUSS": "line", "EDGE": "line"}


def read_exodus(path: Path) -> MeshFile:
    """The mesh of an Exodus file, of netCDF's classic form or of HDF5."""
    with _variables(path) as held:
        points = np.transpose(held["coord"][:]) if "coord" in held else np.column_stack(
            [held[f"coord{axis}"][:] for axis in "xyz"])
        count = len(held["eb_prop1"][:])
        numbers = np.asarray(held["eb_prop1"][:], np.int64).tolist()
        names = [_text(row) for row in held["eb_names"][:]] if "eb_names" in held else [""] * count
        cells, groups, solids = list[tuple[str, int, Ints]](), list[Group](), 0
        for k in range(count):
            if f"connect{k + 1}" not in held:
                continue  # an empty block
            kind, rows = _elements(held[f"connect{k + 1}"])
            cells.append((kind, 1 + (rows.shape[1] > (SOLIDS | SHEETS).get(kind, 0)), rows))
            if kind in SOLIDS:
                groups.append(Group(numbers[k], names[k], 3, np.arange(solids, solids + len(rows))))
                solids += len(rows)
    others = {kind for kind, _, _ in cells} - {*SOLIDS, *SHEETS}
    return MeshFile(np.asarray(points, float), blocks(cells, SOLIDS), blocks(cells, SHEETS), tuple(others),
                    tuple(groups))


@contextmanager
def _variables(path: Path) -> Iterator[Mapping[str, Any]]:
    """The variables of a netCDF file by name."""
    with path.open("rb") as file:
        is_classic = file.read(3) == b"CDF"
    if is_classic:
        from scipy.io import netcdf_file

        with netcdf_file(path, mmap=False) as held:
            yield held.variables
    else:
        import h5py

        with h5py.File(path) as held:
            yield held


def _elements(connect: Any) -> tuple[str, Ints]:
    """The kind of the elements of a block, and their points counted from 0."""
    given = attribute(connect, "elem_type") if hasattr(connect, "attrs") else connect.elem_type
    name = _text(given).upper()
    rows = np.asarray(connect[:], np.int64) - 1
    plain = name.rstrip("0123456789")
    if plain in ("SHELL", "QUAD"):
        return "triangle" if rows.shape[1] in (3, 6, 7) else "quad", rows
    return _KINDS.get(plain, name), rows


def _text(given: Any) -> str:
    """A name that may be bytes, or characters one by one."""
    if isinstance(given, str):
        return given.strip()
    joined = given if isinstance(given, bytes) else b"".join(np.asarray(given).ravel().tolist())
    return joined.partition(b"\0")[0].decode(errors="replace").strip()
