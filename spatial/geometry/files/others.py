"""Files that are no mesh of cells, but are taken for one: what they are, and what to do with them."""

import re
from pathlib import Path

from spatial.checks import InputError

FILL_IT = "fill it with tetrahedra by `spatial mesh repair IN OUT.msh`"

_TRACING = ("a tracing of a neuron's or glial cell's branches, a tree of points and radii without cells; make a "
            "geometry.slices.Tree of its nodes, parents and radii, and slices of that")
_PROGRAM = ("a program for NEURON, which makes sections and no cells; save the morphology as .swc, and make a "
            "geometry.slices.Tree of its nodes, parents and radii")
_IMAGE = ("an image; mesh what is segmented in it elsewhere, or save the labels as an array of whole numbers in a .npz "
          "file and pass it to geometry.voxels.load_labels")
_ARRAYS = ("a file of arrays; of a mesh in .xdmf give the .xdmf file, and load labels of voxels from a .npz file by "
           "geometry.voxels.load_labels")
_OUTLINE = f"a surface of triangles, without cells that have a volume; if it is closed, {FILL_IT}"
_CURVES = "a list of curves or of outlines; make a closed surface of it, and of that a mesh of tetrahedra"
_SOLID = "a CAD model, which has no cells yet; open it in Gmsh and save its mesh as .msh"
_TABLE = "a table or a text, which holds no cells; give a mesh of tetrahedra, such as .msh, .vtu or .med"

_BY_ENDING = {
    ".swc": _TRACING, ".asc": _TRACING, ".neurolucida": _TRACING, ".hoc": _PROGRAM, ".ses": _PROGRAM, ".nrn": _PROGRAM,
    **dict.fromkeys((".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".nii", ".nrrd", ".mrc", ".rec", ".czi",
                     ".lsm", ".nd2", ".dm3", ".dm4", ".dcm", ".raw", ".vti", ".am", ".mha", ".mhd", ".ims"), _IMAGE),
    ".npy": _ARRAYS, ".npz": _ARRAYS, ".mat": _ARRAYS, ".h5": _ARRAYS, ".hdf5": _ARRAYS,
    ".vtp": _OUTLINE, ".gltf": _OUTLINE, ".glb": _OUTLINE, ".3mf": _OUTLINE, ".fbx": _OUTLINE, ".blend": _OUTLINE,
    ".ser": _CURVES, ".dxf": _CURVES, ".svg": _CURVES, ".contour": _CURVES,
    **dict.fromkeys((".step", ".stp", ".iges", ".igs", ".brep", ".geo"), _SOLID),
    **dict.fromkeys((".csv", ".txt", ".json", ".xlsx", ".yaml", ".yml", ".py", ".md", ".pdf"), _TABLE)}

_BY_START = {b"\x89PNG": _IMAGE, b"II*\x00": _IMAGE, b"MM\x00*": _IMAGE, b"\xff\xd8\xff": _IMAGE,
             b"GIF8": _IMAGE, b"PK\x03\x04": _ARRAYS, b"\x93NUMPY": _ARRAYS, b"%PDF": _TABLE}
"""The first bytes of files whose ending may be anything."""

_SURFACES = {".ply": "PLY", ".stl": "STL", ".obj": "OBJ", ".off": "OFF", ".wkt": "WKT"}
_TECPLOT = (".dat", ".tec")

_NODE = re.compile(rb"\s*\d+\s+-?\d+(\s+[-+0-9.eE]+){4}\s+-?\d+\s*")  # number, type, x, y, z, radius, parent
_MESHES = (".msh", ".mesh", ".vtu", ".vtk")


def check_is_mesh(path: Path) -> None:
    """Raise `InputError` for a file that is known to be no mesh, or of a format that is not read, with what to do."""
    what = _BY_ENDING.get(path.suffix.lower()) or _told_by_content(path)
    if what:
        raise InputError(f"{path} is no mesh of tetrahedra but {what}")
    _check_format(path)


def _check_format(path: Path) -> None:
    """Raise `InputError` for formats that are not read, by name."""
    ending = path.suffix.lower()
    if ending in _SURFACES:
        raise InputError(f"{path} is a {_SURFACES[ending]} file, which holds a surface and no tetrahedra; if its "
                         f"surface is closed, {FILL_IT}")
    if ending in _TECPLOT:
        raise InputError(f"{path} is a Tecplot file, which is not read; convert it to VTK (.vtu) first")
    if ending == ".hmf":
        raise InputError(f"{path} is an HMF file, which is not read; convert it to XDMF (.xdmf) first")
    if ending == ".gz":
        raise InputError(f"{path} is packed; unpack it first")


def _told_by_content(path: Path) -> str:
    """What a file is by its first bytes; nothing where they do not tell."""
    with path.open("rb") as file:
        start = file.read(4096)
    for sign, what in _BY_START.items():
        if start.startswith(sign):
            return what
    lines = [line for line in start.splitlines()[:-1] if line.strip() and not line.lstrip().startswith(b"#")]
    if len(lines) > 1 and all(_NODE.fullmatch(line) for line in lines):
        return _TRACING
    return ""


def unknown_ending(path: Path) -> str:
    """What to say of a file whose ending no reader knows."""
    ending = f"the ending {path.suffix}" if path.suffix else "a name without an ending"
    return f"no format of meshes has {ending}; give it the ending of its format, such as {', '.join(_MESHES)} or .med"
