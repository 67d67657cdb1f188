"""Files that would hang or break their reader are refused before it sees them; what is said of them can be printed.

Readers believe what a file says it holds: they make room for it, and go on until they have it.
"""

import base64
import contextlib
import glob
import io
import itertools
import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

LONGEST = 600
"""Characters that a message about a file has, which may show what the file or its reader says."""

LONGEST_NAME = 300
"""Characters that the name of a group or of data may have."""

_PACKED = 100  # values for each byte of a file that may be packed
_MOST_PACKED = 10_000  # bytes in one, as LZMA and ZLib may do
_LARGEST_BLOCK = 1 << 28  # bytes that are packed together
_ROOM, _ROOM_PER_BYTE = 1 << 30, 200  # bytes that reading a file may take, and for each byte of it
_LEAST = 1000  # values that the smallest file may have
_EMPTY_READS = 100  # at the end of a file, before a reader is taken to wait for what does not come

_LEGACY_WORDS = (b"points", b"cells", b"cell_types", b"vertices", b"cell_data", b"point_data", b"field", b"metadata",
                 b"information", b"lookup_table", b"scalars")
_LEGACY_COUNT = re.compile(rb"(?:FIELD\s+\S+|LOOKUP_TABLE\s+\S+|SCALARS\s+\S+\s+\w+|\w+)\s+([-+]?\d+)", re.IGNORECASE)
_LEGACY_SECTION = re.compile(rb"(POINTS|CELLS|CELL_TYPES)\s+[-+]?\d", re.IGNORECASE)
_LEGACY_CELLS = re.compile(rb"CELLS\s+([-+]?\d+)\s+([-+]?\d+)(?:[^\n]*\n)?", re.IGNORECASE)
_LEGACY_TYPES = (b"bit", b"char", b"short", b"int", b"long", b"float", b"double", b"vtktype", b"vtkidtype", b"string",
                 b"variant")
_LEGACY_ARRAY = re.compile(rb"\s([-+]?\d+)\s+([-+]?\d+)\s+\w*$")
_XML_COUNTS = re.compile(rb"(?:NumberOf\w+|WholeExtent|Extent)\s*=\s*[\"']\s*([^\"'<>]*)[\"']")


def plain(words: str) -> str:
    """The words as one line of characters that can be printed, cut where they are long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def check_name(name: str) -> None:
    """Raise ValueError for a name in a file that is none: of characters that cannot be printed, or of very many."""
    if len(name) > LONGEST_NAME or not name.isprintable() or "\ufffd" in name:
        raise ValueError(f"a name in it is {plain(name)[:LONGEST_NAME]!r}, of {len(name)} characters; a name has up to "
                         f"{LONGEST_NAME}, all of which can be printed")


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Nothing that a library of C prints is seen."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = list[tuple[int, int]]()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            with contextlib.suppress(OSError):  # a process may have neither
                kept.append((number, os.dup(number)))
                os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Within it MemoryError is raised for more memory than files of this size need; not on systems other than Linux."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = sum(part.stat().st_size for part in _parts(path))
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([held + _ROOM + _ROOM_PER_BYTE * size, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _parts(path: Path) -> set[Path]:
    """The files that a mesh is in: those of one name, and those that an XDMF file names."""
    parts = {path, *path.parent.glob(f"{glob.escape(path.stem)}.*")}
    if path.suffix.lower() in (".xdmf", ".xmf"):
        named = re.findall(r">\s*([^<>:\n]+?)\s*[:<]", path.read_text(errors="replace"))
        parts |= {path.parent / name for name in named if len(name) < 1000 and "\0" not in name}
    return {part for part in parts if part.is_file()}


class _AtItsEnd:
    """Counts what is read at the end of a file."""

    empty = 0

    def counted(self, given: Any) -> Any:
        if given:
            self.empty = 0
            return given
        self.empty += 1
        if self.empty > _EMPTY_READS:
            raise EOFError("it ends too early")
        return given


class _Bytes(io.BufferedReader):
    """A file whose reader is stopped when it goes on reading at its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.end = _AtItsEnd()

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(self.end.counted(super().read(size)))

    def readline(self, size: int | None = -1, /) -> bytes:
        return bytes(self.end.counted(super().readline(size)))


class _Text(io.TextIOWrapper):
    """A file of text whose reader is stopped when it goes on reading at its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.BufferedReader(io.FileIO(path)))
        self.end = _AtItsEnd()

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return str(self.end.counted(super().readline(size)))


def ending_file(path: Path, binary: bool) -> IO[Any]:
    """The file, to be read by one who may not see that it ends: this raises EOFError then."""
    return _Bytes(path) if binary else _Text(path)


def check_tetgen(path: Path) -> None:
    """Raise ValueError for files of TetGen in which nothing is said: meshio waits for its first line."""
    for ending in (".node", ".ele"):
        with path.with_suffix(ending).open(encoding="utf-8") as file:
            if not any(line.strip() and not line.strip().startswith("#") for line in file):
                raise ValueError(f"its {ending} file is empty")


def _check_count(count: int, most: int, what: str) -> None:
    if not 0 <= count <= most:
        raise ValueError(f"it says that it has {count} {what}, which a file of its size cannot hold")


# VTK -----------------------------------------------------------------------------------------------------------------

def check_legacy_vtk(path: Path) -> None:
    """Raise ValueError for a .vtk file that cannot hold what it says, or whose cells are not as long as it says."""
    content = path.read_bytes()
    dataset = re.search(rb"(?i)\sDATASET\s+(\w+)", content[:10000])
    if not dataset or dataset.group(1).upper() != b"UNSTRUCTURED_GRID":
        raise ValueError(f"it holds {dataset.group(1).decode() if dataset else 'nothing'}, not an unstructured grid")
    small = content.lower()
    words = sorted(at for word in _LEGACY_WORDS for at in _places(small, word) if content[at - 1:at].isspace())
    for match in filter(None, (_LEGACY_COUNT.match(content, at) for at in words)):
        _check_count(int(match.group(1)), 8 * len(content), "values")
    for at in (at for word in _LEGACY_TYPES for at in _places(small, word)):
        sizes = _LEGACY_ARRAY.search(content[max(0, at - 80):at])
        if sizes:
            _check_count(int(sizes.group(1)), 8 * len(content), "values")
            _check_count(int(sizes.group(1)) * int(sizes.group(2)), 8 * len(content), "values")
    sections = [match.group(1).upper() for match in (_LEGACY_SECTION.match(content, at) for at in words
                                                     if at > dataset.start()) if match]
    if sections != [b"POINTS", b"CELLS", b"CELL_TYPES"]:
        raise ValueError("it has not one section POINTS, then CELLS, then CELL_TYPES")
    cells = [match for match in (_LEGACY_CELLS.match(content, at) for at in words) if match]
    for match in cells:
        _check_count(int(match.group(1)), len(content), "cells")
        _check_count(int(match.group(2)), len(content), "points of cells")
    version = re.match(rb"#\s*vtk\s+DataFile\s+Version\s+(\d)\.\d\s", content, re.IGNORECASE)
    if not version:
        raise ValueError("it does not begin with the version of its format")
    if int(version.group(1)) < 5:
        is_binary = re.search(rb"(?i)\sBINARY\s", content[:dataset.start() + 1]) is not None
        for match in cells:
            _check_rows(content, match.end(), int(match.group(1)), int(match.group(2)), is_binary)


def _places(content: bytes, word: bytes) -> Iterator[int]:
    """Where a word is in bytes; for a few words in a large file far faster than a regular expression."""
    at = content.find(word)
    while at >= 0:
        yield at
        at = content.find(word, at + 1)


def _check_rows(content: bytes, start: int, count: int, size: int, is_binary: bool) -> None:
    """Raise ValueError unless there are so many cells, each as (number of points, points ...), with so many numbers."""
    if is_binary:
        numbers = np.frombuffer(content, ">i4", size, start)
    else:
        end = re.compile(rb"[A-Za-z]").search(content, start)
        words = content[start:end.start() if end else len(content)]
        numbers = np.fromstring(words.decode(), np.int64, sep=" ")
        if len(numbers) != size:
            raise ValueError(f"its cells are {len(numbers)} numbers, not {size} as it says")
    if not _are_rows(numbers, count):
        raise ValueError(f"its cells are not {count} in {size} numbers, as it says")


def _are_rows(numbers: Any, count: int) -> bool:
    width = len(numbers) // count if count else 0
    if width and width * count == len(numbers) and (numbers[::width] == width - 1).all():
        return True
    at, sizes = 0, numbers.tolist()
    for _ in range(count):
        if at >= len(sizes) or sizes[at] < 0:
            return False
        at += 1 + sizes[at]
    return at == len(sizes)


def check_xml_vtk(path: Path) -> None:
    """Raise ValueError for a .vtu file that says it has more points, cells or values than it could hold."""
    content = path.read_bytes()
    most = _PACKED * len(content) + _LEAST
    for match in _XML_COUNTS.finditer(content):
        for word in match.group(1).split():
            if not re.fullmatch(rb"[-+]?\d+", word):
                raise ValueError("a count in it is no whole number")
            _check_count(int(word), most, "values")
    file = re.search(rb"<VTKFile([^>]*)>", content)
    if not file:
        raise ValueError("it is no XML file of VTK")
    says = _attributes(file.group(1))
    pieces = [_attributes(tag) for tag in re.findall(rb"<Piece([^>]*)>", content)]
    if any(not {"NumberOfPoints", "NumberOfCells"} <= piece.keys() for piece in pieces if "Source" not in piece):
        raise ValueError("a piece of it does not say how many points and cells it has")
    head = ">" if says.get("byte_order") == "BigEndian" else "<"
    head += "Q" if says.get("header_type") == "UInt64" else "I"
    begin = re.search(rb"<AppendedData([^>]*)>\s*_", content)
    for match in re.finditer(rb"<(?:Data)?Array([^>]*?)/?>", content[:begin.start() if begin else None]):
        array = _attributes(match.group(1))
        if array.get("format") == "appended":
            if not begin or not re.fullmatch(r"\d+", array.get("offset", "")):
                raise ValueError("it has no data where an array of it should be")
            is_base64 = _attributes(begin.group(1)).get("encoding") == "base64"
            _check_array(content, begin.end() + int(array["offset"]), is_base64, head, "compressor" in says)
        elif array.get("format") == "binary":
            _check_array(content, match.end(), True, head, "compressor" in says)


def pieces_of(path: Path) -> list[Path]:
    """The files that a .pvtu file is made of."""
    pieces = [_attributes(tag) for tag in re.findall(rb"<Piece([^>]*)>", path.read_bytes())]
    return [path.parent / piece["Source"] for piece in pieces if "Source" in piece]


def _attributes(tag: bytes) -> dict[str, str]:
    words = re.findall(rb"(\w+)\s*=\s*[\"']([^\"']*)[\"']", tag)
    return {key.decode(): value.decode(errors="replace") for key, value in words}


def _check_array(content: bytes, start: int, is_base64: bool, head: str, is_packed: bool) -> None:
    """Raise ValueError where the numbers before the values of an array say more than there is: their sizes in bytes.

    Packed values come in blocks: how many, the size of each, that of the last, and the packed size of each.
    """
    width = struct.calcsize(head)
    while is_base64 and content[start:start + 1].isspace():
        start += 1
    if not is_packed:
        if content[start:start + 1] != b"<":
            _check_count(_head(content, start, is_base64, head, 1)[0], len(content) - start, "bytes in an array")
        return
    count, size, last = _head(content, start, is_base64, head, 3)
    _check_count(count * width, len(content) - start, "blocks in an array")
    packed = sum(_head(content, start, is_base64, head, 3 + count)[3:])
    _check_count(packed, len(content) - start, "bytes in an array")
    _check_count(max(size, last), _LARGEST_BLOCK, "bytes in a block")
    _check_count(max(count - 1, 0) * size + last, _MOST_PACKED * packed, "bytes in an array")


def _head(content: bytes, start: int, is_base64: bool, head: str, count: int) -> tuple[int, ...]:
    """The first numbers of an array. Raises ValueError where there are none."""
    size = count * struct.calcsize(head)
    given = content[start:start + size]
    if is_base64:
        letters = content[start:start + -(-size // 3) * 4]
        given = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)[:size]
    if len(given) < size:
        raise ValueError("an array of it ends too early")
    return struct.unpack(f"{head[0]}{count}{head[1]}", given)


# MED -----------------------------------------------------------------------------------------------------------------

def check_med(path: Path) -> None:
    """Raise ValueError for a MED file whose arrays are not as long as it says, or that has cells without points."""
    import h5py

    if not h5py.is_hdf5(path):
        raise ValueError("it is no HDF5 file, as MED files are")
    with h5py.File(path) as file:
        file.visititems(_looked_at)
        for mesh in file["ENS_MAA"].values():
            for step in mesh.values():
                coordinates = step["NOE/COO"]
                points = _length(coordinates, int(mesh.attrs["ESP"]))
                _check_rows_of(step["NOE"], points)
                for name, cells in step.get("MAI", {}).items():
                    width = re.search(r"\d+$", name)
                    if not width:
                        raise ValueError(f"it holds cells {plain(name)}, which are not read")
                    count = _length(cells["NOD"], int(width.group()))
                    _check_rows_of(cells, count)
                    corners = cells["NOD"][:]
                    if count and (corners.min() < 1 or corners.max() > points):
                        raise ValueError(f"it has cells with points outside 1 to {points}")


def attribute(held: Any, name: str) -> Any:
    """An attribute in an HDF5 file. Raises ValueError for one of variable length, over which HDF5 may hang."""
    import h5py

    if h5py.check_vlen_dtype(held.attrs.get_id(name).dtype) or _is_of_any_length(held.attrs.get_id(name).dtype):
        raise ValueError(f"its attribute {plain(name)} has no fixed length")
    return held.attrs[name]


def _is_of_any_length(kind: Any) -> bool:
    import h5py

    words = h5py.check_string_dtype(kind)
    return words is not None and words.length is None


def _looked_at(_: str, held: Any) -> None:
    """Raise for a part of an HDF5 file that is broken: h5py sees it, where the MED library ends the process."""
    for name in held.attrs:
        if np.size(attribute(held, name)) == 0:
            raise ValueError("an attribute of it is empty")


def _length(array: Any, width: int) -> int:
    """How many rows of a width an array has; as many as it says."""
    count = int(array.attrs["NBR"])
    if count < 0 or width < 1 or array.shape != (count * width,):
        raise ValueError(f"an array of it is not {count} times {width} numbers, as it says")
    return count


def _check_rows_of(group: Any, count: int) -> None:
    for name in ("FAM", "NUM"):
        if name in group and _length(group[name], 1) != count:
            raise ValueError(f"an array of it does not have {count} numbers")


# Gmsh 4 --------------------------------------------------------------------------------------------------------------

def check_gmsh(path: Path, version: float) -> None:
    """Raise ValueError for a file of Gmsh 4 whose sections do not hold as many nodes and elements as they say."""
    content = path.read_bytes()
    header = re.match(rb"\s*\$MeshFormat\s+[\d.]+\s+([01])\s+([48])[ \t\r]*\n", content)
    if not header:
        raise ValueError("it does not begin with the version of its format")
    is_binary, kind = header.group(1) == b"1", "Q" if header.group(2) == b"8" or version < 4.1 else "I"
    order = "<" if content[header.end():].startswith(b"\1") else ">"
    _check_physical_names(content)
    with path.open("rb") as file:
        entities = re.search(rb"\$Entities[ \t\r]*\n", content)
        if entities:
            file.seek(entities.end())
            if is_binary:
                _walk_binary_entities(file, version, order, kind, len(content))
            else:
                _walk_text_entities(file, version)
        for name in ("Nodes", "Elements"):
            starts = [match.end() for match in re.finditer(rf"\${name}[ \t\r]*\n".encode(), content)]
            if not starts:
                raise ValueError(f"it has no section {name}")
            for start in starts:
                file.seek(start)
                if is_binary:
                    end = content.find(f"$End{name}".encode(), start)
                    _walk_binary(file, name, version, order, kind, end)
                else:
                    _walk_text(file, name, version)


def _check_physical_names(content: bytes) -> None:
    """Raise ValueError for a list of names that gmsh would not find to be one, and read what is beside it."""
    start, end = content.find(b"$PhysicalNames"), content.find(b"$EndPhysicalNames")
    if start < 0:
        return
    _, count, *rows = content[start:end].strip().split(b"\n")
    good = [re.fullmatch(rb'\s*[0-3]\s+-?\d{1,9}\s+".*"\s*', row) for row in rows]
    if end < start or not re.fullmatch(rb"\s*\d{1,9}\s*", count) or len(good) != int(count) or not all(good):
        raise ValueError("its section PhysicalNames does not hold as many names as it says")


def _walk_text_entities(file: IO[bytes], version: float) -> None:
    """Go past points, curves, surfaces and volumes. Raises ValueError for one that is not as long as it says."""
    counts = [int(word) for word in file.readline().split()]
    for dimension, count in zip(range(4), counts, strict=True):
        for _ in range(count):
            words = file.readline().split()
            box = 4 if dimension == 0 and version >= 4.1 else 7
            needed = box + 1 + int(words[box])
            if dimension:
                needed += 1 + int(words[needed])
            if len(words) != needed:
                raise ValueError("an entity of it is not as long as it says")


def _walk_binary_entities(file: IO[bytes], version: float, order: str, kind: str, end: int) -> None:
    """Go past points, curves, surfaces and volumes. Raises ValueError for one that is longer than the file."""
    counts = _numbers(file, order + 4 * kind)
    for dimension, count in enumerate(counts):
        for _ in range(count):
            box = 3 if dimension == 0 and version >= 4.1 else 6
            file.seek(4 + 8 * box, os.SEEK_CUR)
            for _ in range(2 if dimension else 1):  # its groups, and what it lies between
                held, = _numbers(file, order + kind)
                if file.tell() + 4 * held > end:
                    raise ValueError("an entity of it is longer than the file")
                file.seek(4 * held, os.SEEK_CUR)


def _walk_text(file: IO[bytes], name: str, version: float) -> None:
    """Go past the blocks of a section of text. Raises ValueError where it ends before all are there."""
    blocks, total = (int(word) for word in file.readline().split()[:2])
    held = 0
    for _ in range(blocks):
        first, second, _, count = (int(word) for word in file.readline().split())
        _check_count(first if version >= 4.1 else second, 3, "dimensions")
        lines = 2 * count if name == "Nodes" and version >= 4.1 else count
        if count < 0 or sum(1 for _ in itertools.islice(file, lines)) < lines:
            raise ValueError(f"its section {name} ends too early")
        held += count
    _check_whole(name, held, total)


def _walk_binary(file: IO[bytes], name: str, version: float, order: str, kind: str, end: int) -> None:
    """Go past the blocks of a binary section. Raises ValueError where it ends before all are there."""
    from meshio._common import num_nodes_per_cell
    from meshio.gmsh.common import _gmsh_to_meshio_type

    wide = struct.calcsize(kind) if version >= 4.1 else 4
    blocks, total = _numbers(file, order + 2 * kind)
    file.seek(2 * wide if version >= 4.1 else 0, os.SEEK_CUR)
    held = 0
    for _ in range(blocks):
        first, second, third, count = _numbers(file, f"{order}3i{kind}")
        dimension = first if version >= 4.1 else second
        _check_count(dimension, 3, "dimensions")
        if name == "Nodes":
            each = wide + 8 * (3 + (dimension if third else 0))
        else:
            each = wide * (1 + num_nodes_per_cell[_gmsh_to_meshio_type[third]])
        if file.tell() + count * each > end:
            raise ValueError(f"its section {name} ends too early")
        file.seek(count * each, os.SEEK_CUR)
        held += count
    _check_whole(name, held, total)


def _numbers(file: IO[bytes], form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _check_whole(name: str, held: int, total: int) -> None:
    if held != total:
        raise ValueError(f"its section {name} holds {held}, not {total} as it says")
