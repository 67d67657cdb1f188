"""Mesh files broken at random: what `load` makes of each, in a process that may take 10 s and 4 GB.

`python -m tests.mutated_meshes NUMBER FORMAT ...` breaks NUMBER files, of all formats or of those whose names begin so,
with the seed in SPATIAL_FUZZ_SEED; it counts outcomes, and keeps the files that were neither refused nor sound.
"""

import collections
import contextlib
import io
import itertools
import json
import os
import pickle
import random
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import h5py
import meshio
import numpy as np
from scipy.io import netcdf_file

from spatial.checks import InputError, Unusual
from spatial.geometry.files.raw import MeshNote
from spatial.geometry.load import load

ROOT = Path(__file__).parents[1]
SECONDS, MEMORY = 10, 4 << 30
LONGEST = 800  # characters of a message, without the path
AT_ONCE = 1000  # files that one process reads
WORDS = [b"\0", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0" * 64, b"nan",
         b"inf", b"-1", b"1e308", b"-1e308", b"99999999999", b"0", b"\n", b"$", b"</", b"<!", b",", b" ", b'"', b"*",
         b"\x1b[31m"]
NUMBERS = [b"nan", b"inf", b"-1", b"0", b"1", b"1e30", b"-7.5", b"300000000", b"4294967296", b"9223372036854775807",
           b"1e-300", b"x"]
NUMBER = re.compile(rb"-?\d+\.?\d*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Seed:
    """A sound mesh file with those that belong to it; the first is the one to load."""

    name: str
    files: dict[str, bytes]

    def write(self, folder):
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder / next(iter(self.files))


@dataclass(frozen=True)
class Outcome:
    kind: str  # "refused", "accepted", or what is wrong
    note: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0  # that the process held at most while it read the file, more than before

    @property
    def good(self):
        return self.kind in ("refused", "accepted")


# sound files ---------------------------------------------------------------------------------------------------------

def box(n=2):
    """Points, tetrahedra, outer triangles and a label of each tetrahedron, of a box of 1 um in n^3 cubes."""
    index = np.arange((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    points = np.array(list(itertools.product(np.linspace(0, 1, n + 1), repeat=3)))
    cells = []
    for way in itertools.permutations(range(3)):
        at, walk = [0, 0, 0], []
        for step in (None, *way):
            if step is not None:
                at[step] += 1
            x, y, z = at
            walk.append(index[x:n + x, y:n + y, z:n + z].ravel())
        cells.append(np.column_stack(walk))
    cells = np.concatenate(cells)
    frame = points[cells[:, 1:]] - points[cells[:, :1]]
    wrong = np.linalg.det(frame) < 0
    cells[wrong] = cells[wrong][:, [0, 2, 1, 3]]
    faces = cells[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    _, first, counts = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
    return points, cells, faces[first[counts == 1]], 1 + (points[cells].mean(axis=1)[:, 0] > 0.5)


def seeds():
    """Sound files of all formats that can be written here."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        at = Path(folder)
        return [*_by_meshio(at), *_by_gmsh(at), *_by_vtk(at), *_by_hand(at)]


def _held(name, folder, *files):
    return Seed(name, {file: (folder / file).read_bytes() for file in files})


def _by_meshio(folder):
    points, cells, faces, label = box()
    tags = [label.astype(np.int32), np.full(len(faces), 3, np.int32)]
    both = [("tetra", cells), ("triangle", faces)]
    grouped = meshio.Mesh(points, both, cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
                          field_data={"cytosol": np.array([1, 3]), "er": np.array([2, 3]), "gate": np.array([3, 2])})
    plain = meshio.Mesh(points, [("tetra", cells)], cell_data={"region": [label]})
    bare = meshio.Mesh(points, [("tetra", cells)])
    sheet = meshio.Mesh(points, [("triangle", faces)])
    written = [("gmsh 2.2 text", grouped, "a.msh", "gmsh22", {"binary": False}),
               ("gmsh 2.2 binary", grouped, "b.msh", "gmsh22", {"binary": True}),
               ("gmsh 4.1 of meshio", bare, "c.msh", "gmsh", {"binary": False}),
               ("ansys text", bare, "e.msh", "ansys", {"binary": False}),
               ("ansys binary", bare, "f.msh", "ansys", {"binary": True}),
               ("abaqus", bare, "a.inp", "abaqus", {}), ("medit", plain, "a.mesh", "medit", {}),
               ("medit binary", plain, "a.meshb", "medit", {}), ("su2", plain, "a.su2", "su2", {}),
               ("nastran", plain, "a.bdf", "nastran", {}), ("avs", plain, "a.avs", "avsucd", {}),
               ("dolfin", bare, "a.xml", "dolfin-xml", {}), ("h5m", bare, "a.h5m", "h5m", {}),
               ("hmf", bare, "a.hmf", "hmf", {}), ("flac3d", bare, "a.f3grid", "flac3d", {"binary": False}),
               ("flac3d binary", bare, "b.f3grid", "flac3d", {"binary": True}),
               ("tecplot", bare, "a.dat", "tecplot", {}), ("permas", bare, "a.post", "permas", {}),
               ("netgen", plain, "a.vol", "netgen", {}), ("mdpa", bare, "a.mdpa", "mdpa", {}),
               ("cgns", bare, "a.cgns", "cgns", {}), ("ugrid", bare, "a.ugrid", "ugrid", {}),
               ("ugrid binary", bare, "a.b8.ugrid", "ugrid", {}), ("ugrid records", bare, "a.r8.ugrid", "ugrid", {}),
               ("ply", sheet, "a.ply", "ply", {}), ("stl", sheet, "a.stl", "stl", {}),
               ("obj", sheet, "a.obj", "obj", {}),
               ("off", sheet, "a.off", "off", {}), ("wkt", sheet, "a.wkt", "wkt", {}),
               ("med of meshio", meshio.Mesh(points, both, cell_data={"cell_tags": [-tags[0], -tags[1]]}), "a.med",
                "med", {}),
               ("xdmf in XML", plain, "a.xdmf", "xdmf", {"data_format": "XML"}),
               ("vtk 5.1 of meshio", plain, "a.vtk", "vtk", {"binary": True}),
               ("vtk 4.2 text of meshio", plain, "b.vtk", "vtk42", {"binary": False}),
               ("vtu of meshio", plain, "a.vtu", "vtu", {})]
    for name, mesh, file, kind, how in written:
        mesh.write(folder / file, file_format=kind, **how)
        yield _held(name, folder, file)
    plain.write(folder / "l.xdmf", file_format="xdmf")
    yield _held("xdmf", folder, "l.xdmf", "l.h5")
    bare.write(folder / "a.node", file_format="tetgen")
    yield _held("tetgen", folder, "a.node", "a.ele")
    yield _held("tetgen by its cells", folder, "a.ele", "a.node")


def _by_gmsh(folder):
    import gmsh

    points, cells, faces, label = box()
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        for number in (1, 2):
            gmsh.model.addDiscreteEntity(3, number)
        gmsh.model.addDiscreteEntity(2, 1)
        gmsh.model.mesh.addNodes(3, 1, np.arange(1, len(points) + 1), points.ravel())
        gmsh.model.mesh.addElementsByType(1, 2, [], faces.ravel() + 1)
        for number in (1, 2):
            gmsh.model.mesh.addElementsByType(number, 4, [], cells[label == number].ravel() + 1)
        gmsh.model.addPhysicalGroup(3, [1], 1, "cytosol")
        gmsh.model.addPhysicalGroup(3, [2], 2, "er")
        gmsh.model.addPhysicalGroup(3, [1, 2], 3, "all")
        gmsh.model.addPhysicalGroup(2, [1], 1, "gate")
        for name, file, version, binary in [("gmsh 4.1 text", "g.msh", 4.1, 0), ("gmsh 4.1 binary", "h.msh", 4.1, 1),
                                            ("gmsh 4.0 text", "i.msh", 4.0, 0),
                                            ("gmsh 2.2 of gmsh", "k.msh", 2.2, 0), ("med", "b.med", 2.2, 0),
                                            ("abaqus of gmsh", "b.inp", 2.2, 0), ("medit of gmsh", "b.mesh", 2.2, 0),
                                            ("vtk of gmsh", "c.vtk", 2.2, 0), ("su2 of gmsh", "b.su2", 2.2, 0),
                                            ("nastran of gmsh", "b.bdf", 2.2, 0)]:
            gmsh.option.setNumber("Mesh.MshFileVersion", version)
            gmsh.option.setNumber("Mesh.Binary", binary)
            gmsh.write(str(folder / file))
            yield _held(name, folder, file)
    finally:
        gmsh.finalize()


def _by_vtk(folder):
    import vtkmodules.vtkCommonDataModel as model
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkIOLegacy import vtkUnstructuredGridWriter
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    points, cells, _, label = box()
    grid, held = model.vtkUnstructuredGrid(), vtkPoints()
    held.SetData(numpy_to_vtk(points, deep=True))
    grid.SetPoints(held)
    for row in cells.tolist():
        grid.InsertNextCell(10, 4, row)
    array = numpy_to_vtk(label, deep=True)
    array.SetName("region")
    grid.GetCellData().AddArray(array)
    for name, file, mode in [("vtu text", "d.vtu", 0), ("vtu base 64", "e.vtu", 1), ("vtu appended", "f.vtu", 2),
                             ("vtk text", "d.vtk", 1), ("vtk binary", "e.vtk", 2)]:
        if file.endswith("vtk"):
            writer = vtkUnstructuredGridWriter()
            writer.SetFileType(mode)
        else:
            writer = vtkXMLUnstructuredGridWriter()
            writer.SetDataMode(mode)
        writer.SetFileName(str(folder / file))
        writer.SetInputData(grid)
        writer.Write()
        yield _held(name, folder, file)


def _by_hand(folder):
    points, cells, _, label = box()
    lines = ["*HEADING", "*NODE", *(f"{k + 1}, {x}, {y}, {z}" for k, (x, y, z) in enumerate(points.tolist()))]
    lines += ["*ELEMENT, TYPE=C3D4", *(", ".join(map(str, [k + 1, *(cell + 1)])) for k, cell in enumerate(cells))]
    lines += ["*ELSET, ELSET=cytosol, GENERATE", "1, 20, 1", "*ELSET, ELSET=er", ", ".join(map(str, range(21, 49)))]
    yield Seed("abaqus with sets", {"a.inp": "\n".join(lines).encode()})
    with netcdf_file(folder / "a.e", "w") as file:
        _exodus(file, points, cells, label, lambda name, kind, sizes: file.createVariable(name, kind, sizes),
                lambda name, size: file.createDimension(name, size))
    yield _held("exodus", folder, "a.e")
    with h5py.File(folder / "b.exo", "w") as file:
        for axis, values in zip("xyz", points.T, strict=True):
            file[f"coord{axis}"] = values
        file["eb_prop1"] = np.array([1, 2])
        for k in (1, 2):
            file[f"connect{k}"] = cells[label == k] + 1
            file[f"connect{k}"].attrs["elem_type"] = np.bytes_("TETRA")
    yield _held("exodus in HDF5", folder, "b.exo")
    with h5py.File(folder / "m.h5", "w") as file:
        file["topology"], file["geometry"], file["values"] = cells, points, label
    item = '<DataItem Dimensions="{} {}" Format="HDF">m.h5:/{}</DataItem>'
    topology = f'<Topology TopologyType="Tetrahedron" NumberOfElements="48">{item.format(48, 4, "topology")}</Topology>'
    geometry = f'<Geometry GeometryType="XYZ">{item.format(27, 3, "geometry")}</Geometry>'
    values = f'<Attribute Name="f" AttributeType="Scalar" Center="Cell">{item.format(48, 1, "values")}</Attribute>'
    text = ('<?xml version="1.0"?>\n<Xdmf Version="3.0" xmlns:xi="x"><Domain>\n'
            f'<Grid Name="mesh" GridType="Uniform">\n{topology}\n{geometry}\n</Grid>\n'
            '<Grid Name="tags" GridType="Uniform">\n<xi:include xpointer="xpointer(/Xdmf/Domain/Grid/Geometry)" />\n'
            f'{topology}\n{values}\n</Grid>\n</Domain></Xdmf>')
    yield Seed("dolfinx", {"m.xdmf": text.encode(), "m.h5": (folder / "m.h5").read_bytes()})
    vtu = _held("", folder, "d.vtu").files["d.vtu"]
    text = ('<VTKFile type="PUnstructuredGrid" version="0.1"><PUnstructuredGrid GhostLevel="0"><PPoints>'
            '<PDataArray type="Float64" NumberOfComponents="3"/></PPoints><Piece Source="d.vtu"/>'
            '</PUnstructuredGrid></VTKFile>')
    yield Seed("pvtu", {"a.pvtu": text.encode(), "d.vtu": vtu})


def _exodus(file, points, cells, label, variable, dimension):
    for name, size in {"time_step": None, "len_string": 33, "len_name": 33, "num_dim": 3, "num_nodes": len(points),
                       "num_elem": len(cells), "num_el_blk": 2}.items():
        dimension(name, size)
    for axis, values in zip("xyz", points.T, strict=True):
        variable(f"coord{axis}", "f8", ("num_nodes",))[:] = values
    variable("eb_prop1", "i4", ("num_el_blk",))[:] = [1, 2]
    called = variable("eb_names", "c", ("num_el_blk", "len_name"))
    for k, name in enumerate(("cytosol", "er")):
        called[k] = np.array(list(name.ljust(33, "\0")), "S1")
        chosen = cells[label == k + 1]
        dimension(f"num_el_in_blk{k + 1}", len(chosen))
        dimension(f"num_nod_per_el{k + 1}", 4)
        connect = variable(f"connect{k + 1}", "i4", (f"num_el_in_blk{k + 1}", f"num_nod_per_el{k + 1}"))
        connect.elem_type = b"TETRA"
        connect[:] = chosen + 1


# broken files --------------------------------------------------------------------------------------------------------

def broken(seed, rng, others):
    """The seed with one of its files changed at random; bytes of other files may get into it."""
    name = rng.choice(list(seed.files))
    return Seed(seed.name, {**seed.files, name: _changed(seed.files[name], rng, others)})


def _changed(content, rng, others):
    whole = rng.random()
    if whole < 0.02:
        return rng.randbytes(rng.randrange(0, 400))
    if whole < 0.05:
        return content[:rng.randrange(0, len(content) + 1)]
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 5, 12])):
        if data:
            rng.choice(_CHANGES)(data, rng.randrange(len(data)), rng, others)
    return bytes(data)


def _flip(data, at, rng, others):
    data[at] ^= 1 << rng.randrange(8)


def _byte(data, at, rng, others):
    data[at] = rng.randrange(256)


def _insert(data, at, rng, others):
    data[at:at] = rng.choice(WORDS)


def _overwrite(data, at, rng, others):
    word = rng.choice(WORDS)
    data[at:at + len(word)] = word


def _delete(data, at, rng, others):
    del data[at:at + rng.choice([1, 2, 8, 64, 512])]


def _repeat(data, at, rng, others):
    data[at:at] = data[at:at + rng.choice([1, 8, 64, 256])]


def _splice(data, at, rng, others):
    other = rng.choice(others)
    start = rng.randrange(len(other))
    data[at:at + 64] = other[start:start + 64]


def _cut(data, at, rng, others):
    del data[at:]


def _number(data, at, rng, others):
    start = max(0, at - 40)
    numbers = list(NUMBER.finditer(bytes(data[start:at + 60])))
    if numbers:
        chosen = rng.choice(numbers)
        data[start + chosen.start():start + chosen.end()] = rng.choice(NUMBERS)


def _line(data, at, rng, others):
    start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at) + 1
    lines = bytes(data[start:end])
    data[start:end] = rng.choice([b"", lines * 2, b"\n", b" ".join(lines.split()[::-1]) + b"\n"])


_CHANGES = (_flip, _byte, _insert, _overwrite, _delete, _repeat, _splice, _cut, _number, _number, _line)


# what becomes of them ------------------------------------------------------------------------------------------------

def unsound(mesh):
    """What is wrong with a mesh that was accepted; nothing, if it is one."""
    points, cells = mesh.points, mesh.cells
    if not np.isfinite(points).all() or cells.min() < 0 or cells.max() >= len(points):
        return "points that are none"
    if len(np.unique(np.sort(cells, axis=1), axis=0)) < len(cells):
        return "a cell twice"
    faces = cells[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    _, back, counts = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    if counts.max() > 2:
        return "a face of more than two cells"
    volumes = np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]]) / 6
    a, b, c = (points[faces[counts[back.ravel()] == 1][:, k]] - points[0] for k in range(3))
    enclosed = np.einsum("ij,ij->", a, np.cross(b, c)) / 6
    if volumes.min() <= 0 or abs(volumes.sum() - enclosed) > 1e-9 * enclosed:
        return f"cells of {volumes.sum()} um^3 within a surface around {enclosed} um^3"
    if mesh.region.min() < 0 or mesh.region.max() >= len(mesh.regions):
        return "a region that is none"
    if any(not 0 < region.volume_fraction <= 1 for region in mesh.regions):
        return "a volume fraction that is none"
    return ""


def unreadable(message, path):
    """What is wrong with a message to the user; nothing, if it is a sentence."""
    words = message.replace(str(path), "FILE").replace(str(path.parent), "FOLDER")
    if not words.strip():
        return "an empty message"
    if len(words) > LONGEST:
        return f"a message of {len(words)} characters"
    return "" if words.isprintable() else "a message with characters that cannot be printed"


def judged(path):
    """The kind of an outcome, and what to say of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            wrong = unsound(load(path))
            kind, note = ("unsound", wrong) if wrong else ("accepted", "")
        except InputError as error:
            wrong = unreadable(str(error), path)
            kind, note = (wrong, str(error)[:300]) if wrong else ("refused", str(error).replace(str(path), "FILE"))
            if re.search("MemoryError|[Uu]nable to allocate|bad_alloc", note):
                kind = "more than 4 GB"  # which it got in no process with a limit
        except Exception as error:
            last = [frame for frame in traceback.extract_tb(error.__traceback__) if "/spatial/" in frame.filename][-1]
            kind, note = "traceback", f"{type(error).__name__}: {error} @ {Path(last.filename).name}:{last.lineno}"
    for warning in said:
        if not issubclass(warning.category, (MeshNote, Unusual)):
            return "a warning of others", f"{warning.category.__name__}: {warning.message}"
        if unreadable(str(warning.message), path):
            return f"{unreadable(str(warning.message), path)} in a warning", str(warning.message)[:300]
    return kind, note


class _TooLong(BaseException):
    """A file took more than its time."""


def _stop(*_):
    raise _TooLong


def _most_memory(anew=False):
    """MB that this process has held at most, from now on if `anew`; ru_maxrss begins with that of its parent."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024


def _child(folder):
    """Read files one after another, and write down of each what became of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers, noise = os.dup(1), os.open(folder / "printed", os.O_RDWR | os.O_CREAT)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    signal.signal(signal.SIGALRM, _stop)
    for number, name, files in pickle.loads((folder / "files").read_bytes()):
        path = Seed(name, files).write(folder)
        os.truncate(noise, 0)
        os.write(answers, json.dumps([number]).encode() + b"\n")
        before, began = _most_memory(anew=True), time.perf_counter()
        try:
            signal.alarm(SECONDS)
            try:
                kind, note = judged(path)
            finally:
                signal.alarm(0)
        except _TooLong:
            kind, note = f"more than {SECONDS} s", ""
        took = time.perf_counter() - began
        grown = _most_memory() - before
        sys.stdout.flush()
        sys.stderr.flush()
        if os.fstat(noise).st_size and kind in ("refused", "accepted"):
            kind, note = "printed", os.pread(noise, 300, 0).decode(errors="replace")
        os.write(answers, json.dumps([number, kind, note[:400], took, grown]).encode() + b"\n")


def _answers(process):
    """The lines that a child writes, until it ends, or for too long writes none."""
    buffer = b""
    while select.select([process.stdout], [], [], 3 * SECONDS)[0]:
        given = os.read(process.stdout.fileno(), 1 << 16)
        if not given:
            return
        *lines, buffer = (buffer + given).split(b"\n")
        yield from map(json.loads, lines)
    process.kill()


def outcomes(files):
    """The outcome of each file, read in processes that may die of it."""
    rest, known = list(enumerate(files)), dict[int, Outcome]()
    command = [sys.executable, "-m", "tests.mutated_meshes"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    while rest:
        begun = rest[0][0]
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "files").write_bytes(pickle.dumps(
                [(number, file.name, file.files) for number, file in rest[:AT_ONCE]]))
            with subprocess.Popen([*command, folder], stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:
                for number, *outcome in _answers(process):
                    begun = number
                    if outcome:
                        known[number] = Outcome(*outcome)
        if process.returncode and begun in known:
            raise RuntimeError("the process that reads files cannot start or end")
        if begun not in known:
            known[begun] = Outcome(f"the process ended by {process.returncode}")
        rest = [file for file in rest if file[0] not in known]
    return [known[k] for k in range(len(files))]


def broken_files(number, seed, formats=()):
    """So many broken files, of the formats in turn, the same for the same seed."""
    sound = [made for made in seeds() if not formats or made.name.startswith(tuple(formats))]
    others = [content for made in sound for content in made.files.values()]
    return [broken(sound[k % len(sound)], random.Random(f"{seed} {k}"), others) for k in range(number)]


def table(files, ends):
    """Lines: how many files of each format came to which end, the longest time and the most memory."""
    counts = collections.Counter((file.name, end.kind) for file, end in zip(files, ends, strict=True))
    lines = [f"{name:24} {kind:24} {count}" for (name, kind), count in sorted(counts.items())]
    slow, large = max(ends, key=lambda end: end.seconds), max(ends, key=lambda end: end.megabytes)
    return [*lines, f"longest {slow.seconds:.2f} s, {slow.note}", f"most {large.megabytes:.0f} MB, {large.note}"]


def main(number, formats):
    """Break files, print what became of them, and keep those that were neither refused nor sound."""
    files = broken_files(number, int(os.environ.get("SPATIAL_FUZZ_SEED", "1")), formats)
    ends = outcomes(files)
    print("\n".join(table(files, ends)))
    for k, (file, end) in enumerate(zip(files, ends, strict=True)):
        if not end.good or end.seconds > 1 or end.megabytes > 200:
            folder = Path(tempfile.gettempdir()) / "broken-meshes" / f"{k} {file.name}"
            folder.mkdir(parents=True, exist_ok=True)
            file.write(folder)
            print(f"{folder}: {end}")


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        main(int(sys.argv[1]), sys.argv[2:])
    else:
        _child(Path(sys.argv[1]))
