"""Mesh files as other programs write them, of one mesh: a box of 1 um with an ER in its middle.

The cytosol has 0.784 um^3, the ER 0.216 um^3, and the membrane between the two 2.16 um^2.
"""

import itertools

import h5py
import meshio
import numpy as np
from scipy.io import netcdf_file

CYTOSOL, ER, AREA = 0.784, 0.216, 2.16
NAMESPACE = "http:" + "//www.w3.org/2001/XInclude"  # of XML, as these programs write it


def block(n=5):
    """points (k, 3), cells (m, 4) and (m,) tag of each: 1 for the cytosol in x < 0.6, 3 in x > 0.6, 2 for the ER."""
    index = np.arange((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    axis = np.linspace(0, 1, n + 1)
    points = np.array(list(itertools.product(axis, axis, axis)))
    cells = []
    for way in itertools.permutations(range(3)):
        corner, walk = [0, 0, 0], []
        for step in (None, *way):
            if step is not None:
                corner[step] += 1
            x, y, z = corner
            walk.append(index[x:n + x, y:n + y, z:n + z].ravel())
        cells.append(np.column_stack(walk))
    cells = np.concatenate(cells)
    a, b, c, d = (points[cells[:, k]] for k in range(4))
    wrong = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) < 0
    cells[wrong] = cells[wrong][:, [0, 2, 1, 3]]
    middle = points[cells].mean(axis=1)
    inner = ((middle > 0.2) & (middle < 0.8)).all(axis=1)
    tag = np.where(inner, 2, np.where(middle[:, 0] < 0.6, 1, 3))
    return points, cells, tag


POINTS, CELLS, TAG = block()
IN_ER = TAG == 2
LABEL = np.where(IN_ER, 2, 1)


def walls():
    """(k, 3) triangles between the ER and the cytosol, and around the cytosol."""
    faces = CELLS[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    owner = np.repeat(LABEL, 4)
    _, same, counts = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    same = same.ravel()
    total = np.bincount(same, owner)
    between = (total[same] == 3) & (owner == 2)
    return faces[between], faces[counts[same] == 1]


def by_gmsh(path, groups, version=4.1, binary=False, save_all=False, surfaces=None, volumes=TAG):
    """Volumes 1, 2, ... of Gmsh with the groups {(number, name): volumes}; any format that it writes."""
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        for option, value in {"General.Terminal": 0, "Mesh.MshFileVersion": version, "Mesh.Binary": binary,
                              "Mesh.SaveAll": save_all}.items():
            gmsh.option.setNumber(option, value)
        for number in np.unique(volumes).tolist():
            gmsh.model.addDiscreteEntity(3, number)
        gmsh.model.mesh.addNodes(3, 1, np.arange(1, len(POINTS) + 1), POINTS.ravel())
        for number in np.unique(volumes).tolist():
            chosen = np.flatnonzero(volumes == number)
            gmsh.model.mesh.addElementsByType(number, 4, chosen + 1, CELLS[chosen].ravel() + 1)
        for k, (name, triangles) in enumerate((surfaces or {}).items()):
            gmsh.model.addDiscreteEntity(2, k + 1)
            gmsh.model.mesh.addElementsByType(k + 1, 2, [], triangles.ravel() + 1)
            gmsh.model.addPhysicalGroup(2, [k + 1], k + 1, name)
        for (number, name), tags in groups.items():
            gmsh.model.addPhysicalGroup(3, tags, number, name)
        gmsh.write(str(path))
    finally:
        gmsh.finalize()
    return path


def by_meshio(path, data=None, cells=None, **how):
    """The file that meshio writes, with cell data."""
    held = [("tetra", CELLS)] if cells is None else cells
    meshio.Mesh(POINTS, held, cell_data=data or {}).write(path, **how)
    return path


def med_by_meshio(path, groups=(("cytosol",), ("er",))):
    """A MED file whose families -1 and -2 are in these groups."""
    mesh = meshio.Mesh(POINTS, [("tetra", CELLS)], cell_data={"cell_tags": [-LABEL]})
    mesh.cell_tags = {-(k + 1): list(names) for k, names in enumerate(groups)}
    mesh.write(path)
    return path


def abaqus(path, elements, sets=()):
    """An Abaqus file with the lines `elements` for (m,) blocks of cells, and further lines for sets."""
    lines = ["*HEADING", "*NODE"]
    lines += [f"{10 * k + 7}, {x!r}, {y!r}, {z!r}" for k, (x, y, z) in enumerate(POINTS.tolist())]
    for heading, chosen in elements:
        lines.append(heading)
        lines += [f"{k + 1}, " + ", ".join(str(10 * p + 7) for p in CELLS[k]) for k in np.flatnonzero(chosen)]
    path.write_text("\n".join([*lines, *sets]) + "\n")
    return path


def exodus(path, names=("cytosol", "er")):
    """An Exodus file with two blocks of elements, as SEACAS writes it in the classic form of netCDF."""
    with netcdf_file(path, "w") as file:
        file.version = file.api_version = np.float32(5.0)
        file.floating_point_word_size, file.file_size, file.title = np.int32(8), np.int32(1), b"box"
        for name, size in {"time_step": None, "len_string": 33, "len_name": 33, "num_dim": 3,
                           "num_nodes": len(POINTS), "num_elem": len(CELLS), "num_el_blk": 2}.items():
            file.createDimension(name, size)
        for axis, values in zip("xyz", POINTS.T, strict=True):
            file.createVariable(f"coord{axis}", "f8", ("num_nodes",))[:] = values
        number = file.createVariable("eb_prop1", "i4", ("num_el_blk",))
        number.name = b"ID"
        number[:] = [1, 2]
        file.createVariable("eb_status", "i4", ("num_el_blk",))[:] = [1, 1]
        called = file.createVariable("eb_names", "c", ("num_el_blk", "len_name"))
        for k, name in enumerate(names):
            called[k] = np.array(list(name.ljust(33, "\0")), "S1")
            chosen = CELLS[IN_ER if k else ~IN_ER]
            file.createDimension(f"num_el_in_blk{k + 1}", len(chosen))
            file.createDimension(f"num_nod_per_el{k + 1}", 4)
            connect = file.createVariable(f"connect{k + 1}", "i4", (f"num_el_in_blk{k + 1}", f"num_nod_per_el{k + 1}"))
            connect.elem_type = b"TETRA"
            connect[:] = chosen + 1
    return path


def fenics(path, name="f"):
    """An XDMF file with its HDF5 file, as XDMFFile of FEniCS writes a MeshFunction."""
    _heavy(path, {"Mesh/0/mesh/topology": CELLS, "Mesh/0/mesh/geometry": POINTS,
                  "MeshFunction/0/values": LABEL[:, None]})
    h5 = path.with_suffix(".h5").name
    path.write_text(f'''<?xml version="1.0"?>
<!DOCTYPE Xdmf SYSTEM "Xdmf.dtd" []>
<Xdmf Version="3.0" xmlns:xi="{NAMESPACE}">
  <Domain>
    <Grid Name="mesh" GridType="Uniform">
      <Topology NumberOfElements="{len(CELLS)}" TopologyType="Tetrahedron" NodesPerElement="4">
        <DataItem Dimensions="{len(CELLS)} 4" NumberType="UInt" Format="HDF">{h5}:/Mesh/0/mesh/topology</DataItem>
      </Topology>
      <Geometry GeometryType="XYZ">
        <DataItem Dimensions="{len(POINTS)} 3" Format="HDF">{h5}:/Mesh/0/mesh/geometry</DataItem>
      </Geometry>
      <Attribute Name="{name}" AttributeType="Scalar" Center="Cell">
        <DataItem Dimensions="{len(CELLS)} 1" Format="HDF">{h5}:/MeshFunction/0/values</DataItem>
      </Attribute>
    </Grid>
  </Domain>
</Xdmf>
''')
    return path


def dolfinx(path, chosen=None):
    """An XDMF file as dolfinx writes a mesh and its MeshTags: the tagged cells in another order, on another grid."""
    order = np.random.default_rng(1).permutation(len(CELLS) if chosen is None else np.flatnonzero(chosen))
    _heavy(path, {"Mesh/mesh/topology": CELLS, "Mesh/mesh/geometry": POINTS,
                  "MeshTags/Cell tags/topology": CELLS[order], "MeshTags/Cell tags/Values": LABEL[order]})
    h5 = path.with_suffix(".h5").name
    path.write_text(f'''<?xml version="1.0"?>
<!DOCTYPE Xdmf SYSTEM "Xdmf.dtd" []>
<Xdmf Version="3.0" xmlns:xi="{NAMESPACE}">
  <Domain>
    <Grid Name="mesh" GridType="Uniform">
      <Topology TopologyType="Tetrahedron" NumberOfElements="{len(CELLS)}" NodesPerElement="4">
        <DataItem Dimensions="{len(CELLS)} 4" NumberType="Int" Format="HDF">{h5}:/Mesh/mesh/topology</DataItem>
      </Topology>
      <Geometry GeometryType="XYZ">
        <DataItem Dimensions="{len(POINTS)} 3" Format="HDF">{h5}:/Mesh/mesh/geometry</DataItem>
      </Geometry>
    </Grid>
    <Grid Name="Cell tags" GridType="Uniform">
      <xi:include xpointer="xpointer(/Xdmf/Domain/Grid/Geometry)" />
      <Topology TopologyType="Tetrahedron" NumberOfElements="{len(order)}" NodesPerElement="4">
        <DataItem Dimensions="{len(order)} 4" NumberType="Int" Format="HDF">{h5}:/MeshTags/Cell tags/topology</DataItem>
      </Topology>
      <Attribute Name="Cell tags" AttributeType="Scalar" Center="Cell">
        <DataItem Dimensions="{len(order)} 1" Format="HDF">{h5}:/MeshTags/Cell tags/Values</DataItem>
      </Attribute>
    </Grid>
  </Domain>
</Xdmf>
''')
    return path


def by_vtk(path, data, kinds=((10, CELLS),), mode=2):
    """A .vtu or .vtk file as VTK writes it, with cells (type, corners) and data of all cells."""
    import vtkmodules.vtkCommonDataModel as model
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkIOLegacy import vtkUnstructuredGridWriter
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    grid, points = model.vtkUnstructuredGrid(), vtkPoints()
    points.SetData(numpy_to_vtk(POINTS, deep=True))
    grid.SetPoints(points)
    grid.Allocate(sum(len(cells) for _, cells in kinds))
    for kind, cells in kinds:
        for row in cells.tolist():
            grid.InsertNextCell(kind, len(row), row)
    for name, values in data.items():
        array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
        array.SetName(name)
        grid.GetCellData().AddArray(array)
    writer = vtkUnstructuredGridWriter() if path.suffix == ".vtk" else vtkXMLUnstructuredGridWriter()
    if path.suffix == ".vtu":
        writer.SetDataMode(mode)  # 0 text, 1 base 64, 2 appended
    writer.SetFileName(str(path))
    writer.SetInputData(grid)
    writer.Write()
    return path


def legacy_vtk(path, data):
    """A .vtk file in text with a SCALARS section for each of the data."""
    lines = ["# vtk DataFile Version 2.0", "box", "ASCII", "DATASET UNSTRUCTURED_GRID", f"POINTS {len(POINTS)} double"]
    lines += [" ".join(map(repr, point)) for point in POINTS.tolist()]
    lines += [f"CELLS {len(CELLS)} {5 * len(CELLS)}", *("4 " + " ".join(map(str, cell)) for cell in CELLS.tolist())]
    lines += [f"CELL_TYPES {len(CELLS)}", *["10"] * len(CELLS), f"CELL_DATA {len(CELLS)}"]
    for name, values in data.items():
        kind = "int" if np.asarray(values).dtype.kind == "i" else "double"
        lines += [f"SCALARS {name} {kind} 1", "LOOKUP_TABLE default", *map(str, values.tolist())]
    path.write_text("\n".join(lines) + "\n")
    return path


def _heavy(path, arrays):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in arrays.items():
            file[name] = values
