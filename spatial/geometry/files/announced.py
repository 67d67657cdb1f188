"""How many cells a mesh file says that it holds, read from its header alone."""

import contextlib
import mmap
import re
from pathlib import Path

_WITH_OFFSETS = 5.0  # the version of VTK's legacy files from which the ends of cells are counted, one more
_BEGINNING = 1 << 20  # bytes, of files whose header stands first


def cells_announced(path: Path) -> float:
    """How many cells of all kinds a file says that it holds; 0 where its header does not say it, or cannot be read."""
    count = {".msh": _gmsh, ".vtu": _vtu, ".vtk": _vtk, ".xdmf": _xdmf, ".xmf": _xdmf}.get(path.suffix.lower())
    with contextlib.suppress(Exception):  # what cannot be read is said by its reader
        return float(count(path)) if count else 0.0
    return 0.0


def _gmsh(path: Path) -> int:
    """The number at the head of the elements: the only one before Gmsh 4, then the second."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        version = float(content[:200].split()[1])
        at = content.find(b"$Elements")
        if at < 0:
            return 0
        start = content.find(b"\n", at) + 1
        if version < 4:
            return int(content[start:start + 40].split()[0])
        if content[:200].split()[2] == b"1":
            return int.from_bytes(content[start + 8:start + 16], "little")
        return int(content[start:start + 80].split()[1])


def _vtu(path: Path) -> int:
    """The sum over pieces of a VTK file in XML whose data follow at its end."""
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    return sum(map(int, re.findall(rb'NumberOfCells\s*=\s*"\s*(\d+)', beginning)))


def _vtk(path: Path) -> int:
    """The number of cells of a legacy VTK file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        version = float(content[:60].split()[4])
        at = content.find(b"\nCELLS ")
        words = content[at:at + 60].split() if at >= 0 else [b"", b"0"]
    return int(words[1]) - (version >= _WITH_OFFSETS)


def _xdmf(path: Path) -> int:
    """The most cells that a topology names in an XDMF file."""
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    topologies = re.findall(rb"<Topology[^>]*>", beginning)
    numbers = [re.findall(rb'(?:NumberOfElements|Dimensions)\s*=\s*"\s*(\d+)', each) for each in topologies]
    return max((int(found[0]) for found in numbers if found), default=0)
