"""Abaqus input files: nodes, elements and element sets, as far as they make a mesh.

meshio reads these files too, but gives sets to the wrong elements where an *ELEMENT has none, and loses parts of a
set that several *ELEMENT make.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spatial.checks import InputError
from spatial.geometry.files.raw import SHEETS, SOLIDS, Block, Group, MeshFile
from spatial.geometry.place import Floats, Ints

_SOLID = re.compile(r"[A-Z]*C3D(\d+)")
_SOLIDS = {4: "tetra", 10: "tetra", 5: "pyramid", 13: "pyramid", 6: "wedge", 15: "wedge", 8: "hexahedron",
           20: "hexahedron", 27: "hexahedron"}
_SHEET = re.compile(r"(?:DS|S|STRI|CPS|CPE|M3D|SFM3D|R3D|DC2D|AC2D)(\d)")
_SHEETS = {3: "triangle", 6: "triangle", 4: "quad", 8: "quad"}
_LINE_OR_POINT = re.compile(r"[TBR]3D\d|B[23]\d|[TR]2D\d|R3D2|DC1D\d|MASS|ROTARYI|SPRING|DASHPOT|CONN|PIPE|FRAME")
_GENERATORS = ("NGEN", "NFILL", "NCOPY", "NMAP", "ELGEN", "ELCOPY", "SYSTEM")
_HIGHEST = 100_000_000  # the largest number of an element that a set can be made of
_VOLUME = re.compile(r"Volume(\d+)")  # the sets that Gmsh makes of its CAD volumes


@dataclass(frozen=True, eq=False)
class _Section:
    """A keyword with what it says of itself, and the lines below it."""

    keyword: str
    says: Mapping[str, str]
    lines: list[str] = field(default_factory=list)


def read_abaqus(path: Path) -> MeshFile:
    """The mesh of an Abaqus file. Raises `InputError` for what would make cells or move them unseen."""
    nodes, elements, sets = list[Floats](), list[tuple[str, int, Ints]](), dict[str, list[str | Ints]]()
    for section in _mesh_sections(path):
        if section.keyword in _GENERATORS:
            raise InputError(f"{path}: *{section.keyword} makes or moves nodes or elements, which is not read; write "
                             "all nodes and elements out")
        if section.keyword == "NODE":
            nodes.append(_table(section, len(section.lines[0].strip(" ,").split(","))) if section.lines
                         else np.zeros((0, 4)))
        elif section.keyword == "ELEMENT":
            kind, order, table = _elements(path, section)
            elements.append((kind, order, table))
            if "ELSET" in section.says:
                sets.setdefault(section.says["ELSET"], []).append(table[:, 0])
        elif section.keyword == "ELSET":
            sets.setdefault(section.says["ELSET"], []).extend(_members(section))
    return _mesh(path, nodes, elements, sets)


def _mesh(path: Path, nodes: list[Floats], elements: list[tuple[str, int, Ints]],
          sets: dict[str, list[str | Ints]]) -> MeshFile:
    if not nodes:
        raise InputError(f"{path} has no *NODE, so that it holds no mesh")
    table = np.concatenate([block[:, :4] for block in nodes])
    number = table[:, 0].astype(np.int64)
    _check_unique(path, number, "nodes")
    kept = [block for block in elements if block[0] in SOLIDS or block[0] in SHEETS]
    _check_unique(path, np.concatenate([np.zeros(0, np.int64), *(block[2][:, 0] for block in kept)]), "elements")
    solids, solid_numbers = _blocks(path, kept, SOLIDS, number)
    sheets, sheet_numbers = _blocks(path, kept, SHEETS, number)
    groups, volumes = list[Group](), np.zeros(len(solid_numbers), np.int64)
    for name in sets:
        members = _resolved(path, name, sets, ())
        cells = np.flatnonzero(np.isin(solid_numbers, members))
        volume = _VOLUME.fullmatch(name)
        if volume:
            volumes[cells] = int(volume.group(1))
        elif len(cells):
            groups.append(Group(len(groups) + 1, name, 3, cells))
        faces = np.flatnonzero(np.isin(sheet_numbers, members))
        if len(faces):
            groups.append(Group(len(groups) + 1, name, 2, faces))
    others = {block[0] for block in elements} - {*SOLIDS, *SHEETS}
    return MeshFile(table[:, 1:4], solids, sheets, tuple(others), tuple(groups),
                    cad=volumes if len(volumes) and volumes.all() else None)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file and of those that it includes, without comments."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for line in text.splitlines():
        if line.upper().startswith("*INCLUDE"):
            yield from _lines(path.parent / line.partition("=")[2].strip())
        elif line.strip() and not line.startswith("**"):
            yield line


def _sections(path: Path) -> Iterator[_Section]:
    section, heading = _Section("", {}), ""
    for line in _lines(path):
        if heading or line.startswith("*"):
            heading += line.strip()
            if heading.endswith(","):
                continue
            yield section
            keyword, *words = heading[1:].split(",")
            says = {key.strip().upper(): value.strip().strip('"') for key, _, value in
                    (word.partition("=") for word in words)}
            section, heading = _Section(" ".join(keyword.upper().split()), says), ""
        else:
            section.lines.append(line)
    yield section


def _mesh_sections(path: Path) -> Iterator[_Section]:
    """The sections of the mesh: not the nodes of an assembly around it. Raises `InputError` for several parts."""
    made, within = {"PART": 0, "INSTANCE": 0}, set[str]()
    for section in _sections(path):
        keyword = section.keyword
        if keyword in made:
            made[keyword] += 1
            if made[keyword] > 1:
                raise InputError(f"{path} has several *{keyword}; write one mesh of them")
        if keyword in ("PART", "INSTANCE", "ASSEMBLY"):
            within.add(keyword)
        within.discard(keyword.removeprefix("END "))
        if within != {"ASSEMBLY"} or keyword == "ELSET":
            yield section


def _table(section: _Section, columns: int) -> Floats:
    """The numbers of a section in rows, which may go on over several lines."""
    words = ",".join(line.strip().rstrip(",") for line in section.lines)
    return np.array(words.split(",") if words else [], float).reshape(-1, columns)


def _elements(path: Path, section: _Section) -> tuple[str, int, Ints]:
    """The kind and order of elements, and a row of number and nodes for each."""
    name = section.says["TYPE"].upper()
    for pattern, kinds, corners in ((_SOLID, _SOLIDS, SOLIDS), (_SHEET, _SHEETS, SHEETS)):
        match = pattern.match(name)
        if match and int(match.group(1)) in kinds:
            nodes = int(match.group(1))
            kind = kinds[nodes]
            return kind, 1 if nodes == corners[kind] else 2, _table(section, nodes + 1).astype(np.int64)
    if _LINE_OR_POINT.match(name):
        return "line", 1, np.zeros((0, 1), np.int64)
    raise InputError(f"{path} has elements of type {name}, which are not read; make tetrahedra (C3D4) of them")


def _members(section: _Section) -> list[str | Ints]:
    """The numbers of elements, and the names of other sets, in a set."""
    if "GENERATE" in section.says:
        rows = [[int(word) for word in line.strip(" ,").split(",")] for line in section.lines]
        for first, last in (row[:2] for row in rows):
            if not 0 <= first <= last <= _HIGHEST:
                raise ValueError(f"a set of it is made of the elements from {first} to {last}")
        return [np.arange(row[0], row[1] + 1, row[2] if len(row) > 2 else 1) for row in rows]
    words = [word.strip() for line in section.lines for word in line.split(",") if word.strip()]
    numbers = [int(word) for word in words if word.isdigit()]
    return [np.array(numbers, np.int64), *(word for word in words if not word.isdigit())]


def _resolved(path: Path, name: str, sets: dict[str, list[str | Ints]], above: tuple[str, ...]) -> Ints:
    """The numbers of the elements in a set and in the sets that it names."""
    parts = [np.zeros(0, np.int64)]
    for member in sets[name]:
        if not isinstance(member, str):
            parts.append(member)
            continue
        same = [other for other in sets if other.upper() == member.upper()]
        if not same or same[0] in (name, *above):
            raise InputError(f"{path}: the element set {name!r} names {member!r}, which is no other set of the file")
        parts.append(_resolved(path, same[0], sets, (name, *above)))
    return np.concatenate(parts)


def _check_unique(path: Path, numbers: Ints, what: str) -> None:
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) and counts.max() > 1:
        raise InputError(f"{path} has several {what} with the number {values[counts.argmax()]}; number them anew")


def _blocks(path: Path, elements: list[tuple[str, int, Ints]], known: Mapping[str, int],
            numbers: Ints) -> tuple[tuple[Block, ...], Ints]:
    """The blocks of known kinds over nodes counted from 0, and the number of each of their elements."""
    order = np.argsort(numbers)
    made, called = list[Block](), [np.zeros(0, np.int64)]
    for kind, degree, table in elements:
        if kind not in known or not len(table):
            continue
        corners = table[:, 1:known[kind] + 1]
        place = np.searchsorted(numbers[order], corners).clip(max=len(order) - 1)
        missing = np.argwhere(numbers[order][place] != corners)
        if len(missing):
            raise InputError(f"{path}: element {table[missing[0, 0], 0]} has a node "
                             f"{corners[tuple(missing[0])]} that the file does not hold")
        made.append(Block(kind, order[place], degree > 1))
        called.append(table[:, 0])
    return tuple(made), np.concatenate(called)
