"""Files that others write load as they are, or are refused in one sentence: regions, kinds of cells, unsound meshes."""

import warnings

import meshio
import numpy as np
import pytest
import written_by_others as others
from written_by_others import AREA, CELLS, CYTOSOL, ER, IN_ER, LABEL, POINTS, TAG

from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.load import load, save
from spatial.geometry.shapes import ball
from spatial.geometry.tetrahedra import Region, Tetrahedra, triangle_areas

TWO = {(1, "cytosol"): [1, 3], (2, "er"): [2]}  # one group over two CAD volumes
NESTED = {(1, "all"): [1, 2, 3], (2, "cytosol"): [1, 3], (3, "er"): [2]}
WITHIN = {(5, "cytosol"): [1, 2, 3], (3, "er"): [2]}
CYTOSOL_AND_ER = {"cytosol": CYTOSOL, "er": ER}
BY_NUMBER = {"region 1": CYTOSOL, "region 2": ER}
BY_CAD = {"region 1": 0.456, "region 2": ER, "region 3": 0.328}
SWAPPED = np.where(IN_ER, 1, 2)


def quietly(path, **options):
    """The mesh and what was said of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        mesh = load(path, **options)
    return mesh, [str(warning.message) for warning in said]


def volumes(mesh):
    return {place: mesh.volumes[mesh.cells_of(place)].sum() for place in mesh.place_names}


def refused(path, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)


def gmsh(groups, version, binary, **how):
    return lambda folder: others.by_gmsh(folder / "m.msh", groups, version, binary, **how)


def in_vtk(name, data, **how):
    return lambda folder: others.by_vtk(folder / name, data, **how)


OUTER = others.walls()[1]
ELEMENTS = {
    "two sets": [("*ELEMENT, TYPE=C3D4, ELSET=cytosol", ~IN_ER), ("*Element, type=C3D4, elset=er", IN_ER)],
    "a block without a set first": [("*ELEMENT, TYPE=C3D4", TAG == 1), ("*ELEMENT, TYPE=C3D4, ELSET=er", IN_ER),
                                    ("*ELEMENT, TYPE=C3D4, ELSET=cytosol", TAG == 3)],
    "one set in two blocks": [("*ELEMENT, TYPE=DC3D4, ELSET=cytosol", TAG == 1),
                              ("*ELEMENT, TYPE=C3D4, ELSET=er", IN_ER),
                              ("*ELEMENT, TYPE=C3D4, ELSET=cytosol", TAG == 3)]}
LEFT = [str(k + 1) for k in np.flatnonzero(TAG == 1)]
LATER = ["*ELSET, ELSET=cytosol", ", ".join(LEFT[:200]), "*ELSET, ELSET=cytosol", ", ".join(LEFT[200:]),
         "*ELSET, ELSET=EALL, GENERATE", "1, 750, 1",
         "*ELSET, ELSET=OUTPUT", "cytosol, er"]

def meshio_4(path):
    """A Gmsh 4.1 file of meshio, which writes no entities and so loses what is in which group."""
    data = [LABEL.astype(np.int32)]
    file = meshio.Mesh(POINTS, [("tetra", CELLS)], cell_data={"gmsh:physical": data, "gmsh:geometrical": data},
                       field_data={"er": np.array([2, 3]), "cytosol": np.array([1, 3])})
    file.write(path, file_format="gmsh")
    return path


MATRIX = {
    **{f"gmsh {version} {'binary' if binary else 'text'} {kind}": (gmsh(groups, version, binary), expected)
       for version, binary in ((2.2, False), (2.2, True), (4.1, False), (4.1, True))
       for kind, groups, expected in (("grouped", TWO, CYTOSOL_AND_ER), ("ungrouped", {}, BY_CAD),
                                      ("nested", NESTED, CYTOSOL_AND_ER), ("within", WITHIN, CYTOSOL_AND_ER))},
    "gmsh 4.1 all saved": (gmsh(TWO, 4.1, True, save_all=True), CYTOSOL_AND_ER),
    "gmsh 4.1 partly grouped": (gmsh({(2, "er"): [2]}, 4.1, False, save_all=True), {"region 0": CYTOSOL, "er": ER}),
    "gmsh 4.0": (gmsh(NESTED, 4.0, False), CYTOSOL_AND_ER),
    "gmsh 2.2 of another program, partly grouped": (lambda folder: others.by_meshio(
        folder / "m.msh", {"gmsh:physical": [np.where(IN_ER, 7, 0)], "gmsh:geometrical": [TAG]},
        file_format="gmsh22"), {"region 0": CYTOSOL, "region 7": ER}),
    "gmsh 4.1 with data": (lambda folder: others.by_meshio(folder / "m.msh", {"region": [LABEL]}, file_format="gmsh"),
                           BY_NUMBER),
    "med of gmsh": (lambda folder: others.by_gmsh(folder / "m.med", NESTED), CYTOSOL_AND_ER),
    "med of meshio": (lambda folder: others.med_by_meshio(folder / "m.med"), CYTOSOL_AND_ER),
    "med with a cell in two groups": (lambda folder: others.med_by_meshio(
        folder / "m.med", (("cytosol",), ("cytosol", "er"))), CYTOSOL_AND_ER),
    "abaqus of gmsh": (lambda folder: others.by_gmsh(folder / "m.inp", TWO), CYTOSOL_AND_ER),
    **{f"abaqus, {kind}": (lambda folder, lines=lines, later=LATER if "without" in kind else ():
                           others.abaqus(folder / "m.inp", lines, later), CYTOSOL_AND_ER)
       for kind, lines in ELEMENTS.items()},
    "exodus": (lambda folder: others.exodus(folder / "m.exo"), CYTOSOL_AND_ER),
    "exodus without names": (lambda folder: others.exodus(folder / "m.e", ("", "")), BY_NUMBER),
    "fenics": (lambda folder: others.fenics(folder / "m.xdmf"), BY_NUMBER),
    "dolfinx": (lambda folder: others.dolfinx(folder / "m.xdmf"), BY_NUMBER),
    "dolfinx, tags of the ER only": (lambda folder: others.dolfinx(folder / "m.xdmf", IN_ER),
                                     {"region 0": CYTOSOL, "region 2": ER}),
    "xdmf of meshio": (lambda folder: others.by_meshio(folder / "m.xdmf", {"name_to_read": [LABEL]}), BY_NUMBER),
    "vmtk": (in_vtk("m.vtu", {"CellEntityIds": np.r_[np.full(len(OUTER), 9), LABEL]},
                    kinds=((5, OUTER), (10, CELLS))), BY_NUMBER),
    "vtu of dolfinx": (in_vtk("m.vtu", {"vtkOriginalCellIds": np.arange(750), "vtkGhostType": np.zeros(750, np.uint8),
                                        "subdomains": LABEL.astype(float)}, kinds=((71, CELLS),)), BY_NUMBER),
    "vtu in text": (in_vtk("m.vtu", {"cell_tags": LABEL, "quality": np.linspace(0.1, 1, 750)}, mode=0), BY_NUMBER),
    "vtu converted from gmsh": (in_vtk("m.vtu", {"gmsh:physical": LABEL, "gmsh:geometrical": TAG}, mode=1), BY_NUMBER),
    "vtk in text with two scalars": (lambda folder: others.legacy_vtk(
        folder / "m.vtk", {"quality": np.linspace(0.1, 1, 750), "region": LABEL}), BY_NUMBER),
    "vtk with two fields": (in_vtk("m.vtk", {"quality": np.linspace(0.1, 1, 750), "region": LABEL}), BY_NUMBER),
    "vtu where two names agree": (in_vtk("m.vtu", {"tissue": LABEL, "is_er": LABEL.astype(np.uint8)}), BY_NUMBER),
    "medit": (lambda folder: others.by_meshio(folder / "m.mesh", {"medit:ref": [LABEL]}), BY_NUMBER),
    "nastran": (lambda folder: others.by_meshio(folder / "m.bdf", {"nastran:ref": [LABEL]}), BY_NUMBER),
}


@pytest.mark.parametrize("kind", MATRIX)
def test_files_of_others_have_the_regions_that_they_say(tmp_path, kind):
    write, expected = MATRIX[kind]
    mesh, _ = quietly(write(tmp_path))
    assert volumes(mesh) == pytest.approx(expected, abs=5e-5)
    inner = "er" if "er" in expected else next(name for name, volume in expected.items() if volume == ER)
    walls = [triangles for name, triangles in mesh.membranes.items()
             if inner in name.replace(" membrane", "").split("|")]
    assert sum(triangle_areas(mesh.points, triangles).sum() for triangles in walls) == pytest.approx(AREA, abs=5e-5)


@pytest.mark.parametrize(("write", "message"), [
    (gmsh(TWO, 2.2, False, save_all=True), "names groups of volumes, 'cytosol', 'er', but does not say which"),
    (gmsh({(5, "left"): [1, 2], (3, "right"): [2, 3]}, 4.1, True), "162 cells are in both groups 'right' and 'left'"),
    (gmsh({(5, "left"): [1, 2], (3, "right"): [2, 3]}, 2.2, False), "162 cells are in both groups 'right' and 'left'"),
    (gmsh({(5, "er"): [2], (3, "ER"): [2]}, 4.1, False, save_all=True), "'er' and 'ER' are the same 162 cells"),
    (lambda folder: meshio_4(folder / "m.msh"), "names groups of volumes, 'cytosol', 'er', but does not say which"),
    (in_vtk("m.vtu", {"subdomain": TAG, "material": LABEL}), "in several ways, 'subdomain', 'material'; pass the one"),
    (in_vtk("m.vtu", {"region": LABEL, "CellEntityIds": SWAPPED}), "in several ways, 'region', 'CellEntityIds'"),
    (lambda folder: others.abaqus(folder / "m.inp", ELEMENTS["two sets"], ["*ELSET, ELSET=all", "none"]),
     "the element set 'all' names 'none'"),
    (lambda folder: others.abaqus(folder / "m.inp", [("*ELEMENT, TYPE=COH3D8", IN_ER)]), "elements of type COH3D8"),
    (lambda folder: others.abaqus(folder / "m.inp", [], ["*NGEN, NSET=x", "1, 2"]), "[*]NGEN makes or moves nodes"),
])
def test_what_can_be_read_in_two_ways_is_refused_by_name(tmp_path, write, message):
    refused(write(tmp_path), message)


def test_one_says_which_numbers_or_groups_are_the_regions(tmp_path):
    path = others.by_vtk(tmp_path / "m.vtu", {"subdomain": TAG, "material": LABEL})
    assert volumes(load(path, regions="subdomain")) == pytest.approx(BY_CAD)
    assert volumes(load(path, regions="material", names={2: "er", 1: "cytosol"})) == pytest.approx(CYTOSOL_AND_ER)
    refused(path, "no cell data 'tag' of whole numbers; it has 'subdomain', 'material'", regions="tag")
    path = others.by_gmsh(tmp_path / "m.msh", {(1, "left"): [1, 2], (2, "cytosol"): [1, 3], (3, "er"): [2]})
    mesh, said = quietly(path, regions=["cytosol", "er"])
    assert volumes(mesh) == pytest.approx(CYTOSOL_AND_ER)
    assert said == []
    refused(path, "regions is an empty list; name the groups of volumes that count, of 'left'", regions=[])
    refused(path, "no group 'ecs' of volumes; it has 'left', 'cytosol', 'er'", regions=["ecs"])
    path = others.by_gmsh(tmp_path / "all.msh", TWO, 2.2, save_all=True)
    assert volumes(load(path, regions="gmsh:geometrical")) == pytest.approx(BY_CAD)


@pytest.mark.parametrize(("write", "message"), [
    (in_vtk("m.vtu", {"tissue": LABEL}), "its regions are taken from its cell data 'tissue', which is 1, 2"),
    (gmsh(WITHIN, 4.1, False), "in both groups 'er' and 'cytosol' are taken for 'er', which lies within the other"),
    (gmsh({}, 4.1, False), "its regions are its CAD volumes, 1, 2, 3, for it has no groups of volumes"),
    (in_vtk("m.vtu", {"rank": LABEL}), "its cell data 'rank' is not taken for its regions; if it numbers these, pass"),
    (in_vtk("m.vtu", {"region": LABEL + 0.5}), "its cell data 'region' is not taken for its regions, for these would"),
    (in_vtk("m.vtu", {"Material": np.arange(len(CELLS))}), "'Material' is not taken for its regions, for these would"),
    (gmsh({(2, "er"): [2]}, 4.1, False, save_all=True), "588 of 750 cells are in no group; they are the region of"),
])
def test_what_is_chosen_is_said(tmp_path, write, message):
    _, said = quietly(write(tmp_path))
    assert any(message in words for words in said), said


@pytest.mark.parametrize("write", [gmsh(TWO, 4.1, False), in_vtk("m.vtu", {"region": LABEL})])
def test_what_is_plain_is_not_said(tmp_path, write):
    assert quietly(write(tmp_path))[1] == []


def test_a_region_is_not_called_two_things(tmp_path):
    path = others.by_gmsh(tmp_path / "m.msh", TWO)
    refused(path, "region 1, 'cytosol', is called both 'er' and 'ecs'", names={"cytosol": "er", 1: "ecs"})
    assert load(path, names={"cytosol": "ecs", 1: "ecs"}).place_names == ["ecs", "er"]


def test_membranes_that_are_called_after_regions_follow_their_new_names(tmp_path):
    """So that a mesh that was saved under wrong names is mended by the right ones, as if it never had others."""
    path = others.by_vtk(tmp_path / "m.vtu", {"region": LABEL})
    wrong, right = {1: "er", 2: "cytosol"}, {1: "cytosol", 2: "er"}
    expected = load(path, names=right).membranes
    save(load(path, names=wrong), tmp_path / "wrong.msh")
    mended = load(tmp_path / "wrong.msh", names=right).membranes
    assert set(mended) == set(expected) == {"er membrane", "plasma membrane"}
    assert {name: len(triangles) for name, triangles in mended.items()} == {
        name: len(triangles) for name, triangles in expected.items()}


def test_triangles_of_a_group_that_are_no_wall_are_told(tmp_path):
    outer = others.walls()[1]
    data = [np.ones(len(CELLS), np.int32), np.repeat(np.array([5, 6], np.int32), [len(outer), 3])]
    sheets = np.concatenate([outer, outer[:3] + len(POINTS)])  # the last lie on points of their own
    meshio.Mesh(np.concatenate([POINTS, POINTS]), [("tetra", CELLS), ("triangle", sheets)],
                cell_data={"gmsh:physical": data, "gmsh:geometrical": data},
                field_data={"rim": np.array([5, 2]), "septum": np.array([6, 2])}).write(tmp_path / "m.msh", "gmsh22")
    mesh, said = quietly(tmp_path / "m.msh")
    assert len(mesh.membranes["rim"]) == len(outer)
    assert said == [f"{tmp_path / 'm.msh'}: 3 of 3 triangles in group 'septum' are no face between two places or "
                    "around one, and are left out"]


@pytest.mark.parametrize(("apart", "points"), [((0, 1), 6), ((0, 1, 2), 1)])
def test_pieces_that_meet_in_an_edge_or_a_point_are_told(tmp_path, apart, points):
    """On a lattice of 6 points along each edge of the cube; two bricks from opposite corners reach its middle."""
    side = POINTS[CELLS].mean(axis=1)[:, list(apart)] - 0.4
    pieces = (side < 0).all(axis=1) | (side > 0).all(axis=1)
    path = others.by_vtk(tmp_path / "m.vtu", {"region": np.where(pieces, 1, 2)})
    _, said = quietly(path, names={1: "cytosol", 2: "ecs"})
    assert any(f"'cytosol' has pieces that share no face, yet {points} of their points" in words for words in said)
    assert sum("share no face" in words for words in said) == (2 if len(apart) == 2 else 1)


@pytest.mark.parametrize("version", [2.2, 4.1])
def test_compartments_with_a_slash_are_two_places_with_a_membrane(tmp_path, version):
    path = others.by_gmsh(tmp_path / "m.msh", {(1, "PAP/cytosol"): [1, 3], (2, "PAP/er"): [2]}, version)
    mesh = load(path)
    assert volumes(mesh) == pytest.approx({"PAP/cytosol": CYTOSOL, "PAP/er": ER})
    assert triangle_areas(mesh.points, mesh.membranes["PAP/cytosol|PAP/er"]).sum() == pytest.approx(AREA)
    assert set(discretise(mesh)) == {"PAP/cytosol", "PAP/er", *mesh.membranes}
    renamed = load(path, names={"PAP/er": "er", 1: "cytosol"})
    assert set(renamed.membranes) == {"er membrane", "plasma membrane"}
    save(mesh, tmp_path / "saved.msh")
    assert load(tmp_path / "saved.msh").regions == mesh.regions


@pytest.mark.parametrize(("first", "second"), [("cytosol", "cytosol/er"), ("PAP", "PAP/er"), ("soma", "er/rough")])
def test_a_slash_that_may_be_meant_either_way_is_refused(tmp_path, first, second):
    path = others.by_gmsh(tmp_path / "m.msh", {(1, first): [1, 3], (2, second): [2]})
    refused(path, f"region '{second}' may be a part of .* or a place of its own; call it")
    part = load(path, names={2: f"{second} volume_fraction=1"}).regions[1]
    assert f"{part.place}/{part.part}" == second
    assert load(path, names={second: "x"}).regions[1] == Region("x")


@pytest.mark.parametrize("name", ["smooth ER (n=3)", "Zytosol äußen", "a  b", "tortuosity=2 is not mine", "it's",
                                  "a|b"])
def test_names_may_have_any_character(tmp_path, name):
    for version in (2.2, 4.1):
        path = others.by_gmsh(tmp_path / "m.msh", {(1, "cytosol"): [1, 3], (2, name): [2]}, version)
        mesh = load(path)
        assert volumes(mesh) == pytest.approx({"cytosol": CYTOSOL, name: ER})
    save(mesh, tmp_path / "saved.msh")
    assert load(tmp_path / "saved.msh").regions == mesh.regions


def test_a_place_called_outside_is_refused(tmp_path):
    refused(others.by_gmsh(tmp_path / "m.msh", {(1, "outside"): [1, 3], (2, "er"): [2]}), "other than 'outside'")


@pytest.mark.parametrize("regions", [
    (Region("cytosol"), Region("cytosol", part="er")), (Region("PAP"), Region("PAP", 0.5, 1.2, "tip")),
    (Region("cytosol"), Region("ecs", 0.2, 1.6, "neuropil"))])
def test_parts_are_saved_so_that_they_are_read_back(tmp_path, regions):
    save(Tetrahedra(POINTS, CELLS, LABEL - 1, regions, {}), tmp_path / "m.msh")
    assert load(tmp_path / "m.msh").regions == regions


@pytest.mark.parametrize("regions", [(Region("PAP"), Region("PAP/er")), (Region("a"), Region("b/c", 0.5)),
                                     (Region("a"), Region('b"c'))])
def test_regions_that_would_be_read_back_as_others_are_not_saved(tmp_path, regions):
    with pytest.raises(InputError, match="cannot be told apart in a Gmsh file"):
        save(Tetrahedra(POINTS, CELLS, LABEL - 1, regions, {}), tmp_path / "m.msh")


def test_a_surface_may_have_the_name_of_a_volume(tmp_path):
    between, outer = others.walls()
    path = others.by_gmsh(tmp_path / "m.msh", TWO, 2.2, surfaces={"er": between, "hull": outer})
    mesh, said = quietly(path)
    assert volumes(mesh) == pytest.approx(CYTOSOL_AND_ER)
    assert {name: len(triangles) for name, triangles in mesh.membranes.items()} == {
        "er membrane": len(between), "hull": len(outer)}
    assert "keep the name of their membrane, for a place is called 'er' too" in said[0]


@pytest.mark.parametrize("name", ["m.msh", "m.med"])
def test_an_open_session_of_gmsh_keeps_its_models(tmp_path, name):
    import gmsh

    path = others.by_gmsh(tmp_path / name, TWO)
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add("mine")
        before = gmsh.model.list()
        assert volumes(load(path)) == pytest.approx(CYTOSOL_AND_ER)
        assert gmsh.model.list() == before
        assert gmsh.model.getCurrent() == "mine"
    finally:
        gmsh.finalize()


@pytest.mark.parametrize("name", ["m.msh", "m.med", "m.inp", "m.exo", "m.xdmf", "m.vtk"])
@pytest.mark.parametrize("content", [b"", b"this is no mesh", b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Entities\n1 5"])
def test_what_is_no_mesh_is_refused_without_a_word_else(tmp_path, name, content, capfd):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, "cannot be read as a mesh: .+|holds no mesh")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", [2.2, 4.1])
def test_two_groups_may_share_a_name(tmp_path, version):
    path = others.by_gmsh(tmp_path / "m.msh", {(1, "cytosol"): [1], (4, "twin"): [3], (2, "er"): [2]}, version)
    path.write_text(path.read_text().replace("twin", "cytosol"))
    assert volumes(load(path)) == pytest.approx(CYTOSOL_AND_ER)
    assert volumes(load(path, names={"cytosol": "ecs"})) == pytest.approx({"ecs": CYTOSOL, "er": ER})


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_of_two_surface_groups_the_smaller_names_its_triangles(tmp_path, names):
    between, _ = others.walls()
    sizes = {"a": between, "b": between[:40]}
    path = others.by_gmsh(tmp_path / "m.msh", TWO, surfaces={name: sizes[name] for name in names})
    mesh = load(path)
    assert (len(mesh.membranes["a"]), len(mesh.membranes["b"])) == (len(between) - 40, 40)


# kinds of cells ------------------------------------------------------------------------------------------------------

def bricks(n, rng):
    """Points and corners of n^3 hexahedra in a box of 1 um, the points in any order."""
    index = rng.permutation((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    points = np.empty((index.size, 3))
    points[index.ravel()] = np.stack(np.meshgrid(*[np.linspace(0, 1, n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    corners = [index[x:n + x, y:n + y, z:n + z].ravel() for x, y, z in (
        (0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))]
    return points, np.column_stack(corners)


def mixed(rng):
    """Columns of prisms beside hexahedra, of which one in two is cut into pyramids, and some of these in tetrahedra."""
    points, cells = bricks(3, rng)
    column = np.unique(points[cells].mean(axis=1)[:, :2].round(6), axis=0, return_inverse=True)[1].ravel()
    upright = np.isin(column, rng.permutation(9)[:4])
    solid = cells[~upright][::2]
    cut = cells[~upright][1::2]
    wedges = np.concatenate([cells[upright][:, [0, 1, 2, 4, 5, 6]], cells[upright][:, [0, 2, 3, 4, 6, 7]]])
    tips = len(points) + np.arange(len(cut))
    faces = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    pyramids = np.concatenate([np.column_stack([cut[:, face], tips]) for face in faces])
    points = np.concatenate([points, points[cut].mean(axis=1)])
    return points, [("hexahedron", solid), ("wedge", wedges), ("pyramid", pyramids)]


def write(path, points, cells):
    meshio.Mesh(points, cells).write(path, **({"file_format": "gmsh22"} if path.suffix == ".msh" else {}))
    return path


@pytest.mark.parametrize("name", ["m.vtu", "m.msh", "m.med"])
@pytest.mark.parametrize("seed", range(4))
def test_prisms_pyramids_and_hexahedra_fill_their_volume_and_join_without_walls(tmp_path, name, seed):
    points, cells = mixed(np.random.default_rng(seed))
    mesh, said = quietly(write(tmp_path / name, points, cells))
    assert mesh.volumes.sum() == pytest.approx(1.0, rel=1e-12)
    assert triangle_areas(mesh.points, mesh.membranes["plasma membrane"]).sum() == pytest.approx(6.0, rel=1e-12)
    assert list(mesh.membranes) == ["plasma membrane"]
    assert "pyramids and prisms and hexahedra are split into tetrahedra" in said[0]


def test_regions_and_membranes_of_hexahedra_follow_their_cells(tmp_path):
    points, cells = bricks(4, np.random.default_rng(0))
    right = points[cells].mean(axis=1)[:, 0] > 0.5
    wall = [face for face in np.concatenate([cells[:, [0, 3, 7, 4]], cells[:, [1, 2, 6, 5]]]).tolist()
            if (points[face][:, 0] == 0.5).all()]
    data = [np.where(right, 2, 1), np.full(len(wall), 5)]
    file = meshio.Mesh(points, [("hexahedron", cells), ("quad", wall)],
                       cell_data={"gmsh:physical": data, "gmsh:geometrical": data},
                       field_data={"cytosol": np.array([1, 3]), "er": np.array([2, 3]), "gate": np.array([5, 2])})
    file.write(tmp_path / "m.msh", file_format="gmsh22")
    mesh, _ = quietly(tmp_path / "m.msh")
    assert volumes(mesh) == pytest.approx({"cytosol": 0.5, "er": 0.5})
    assert triangle_areas(mesh.points, mesh.membranes["gate"]).sum() == pytest.approx(1.0)


def test_voxels_and_collapsed_hexahedra_are_cells(tmp_path):
    voxel = np.array([[0, 36, 6, 42, 1, 37, 7, 43]])
    assert quietly(others.by_vtk(tmp_path / "m.vtu", {}, ((11, voxel),)))[0].volumes.sum() == pytest.approx(0.008)
    as_prism = np.array([[0, 36, 42, 42, 1, 37, 43, 43]])
    assert quietly(others.by_vtk(tmp_path / "m.vtu", {}, ((12, as_prism),)))[0].volumes.sum() == pytest.approx(0.004)


@pytest.mark.parametrize("name", ["m.vtu", "m.inp", "m.med", "m.msh"])
def test_second_order_tetrahedra_are_taken_by_their_corners(tmp_path, name):
    ends = CELLS[:, [[0, 1], [1, 2], [2, 0], [0, 3], [1, 3], [2, 3]]]
    edges, number = np.unique(np.sort(ends.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    points = np.concatenate([POINTS, POINTS[edges].mean(axis=1)])
    cells = np.column_stack([CELLS, len(POINTS) + number.reshape(-1, 6)])
    mesh, said = quietly(write(tmp_path / name, points, [("tetra10", cells)]))
    assert (len(mesh.cells), len(mesh.points)) == (len(CELLS), len(POINTS))
    assert mesh.volumes.sum() == pytest.approx(1.0)
    assert "second-order cells are taken by their corners" in said[0]


def test_each_tetrahedron_is_turned_by_itself(tmp_path):
    turned = CELLS.copy()
    turned[::3] = turned[::3][:, [1, 0, 2, 3]]
    mesh, said = quietly(write(tmp_path / "m.vtu", POINTS, [("tetra", turned)]))
    assert mesh.volumes.min() > 0
    assert mesh.volumes.sum() == pytest.approx(1.0)
    assert said == []


# unsound meshes ------------------------------------------------------------------------------------------------------

def halves_apart(shift, part=1.0):
    """The box with the points of the plane x = 0.4 doubled where y < `part`, and those of one half moved by `shift`."""
    wall = np.flatnonzero((np.abs(POINTS[:, 0] - 0.4) < 1e-9) & (POINTS[:, 1] < part + 1e-9))
    copy = np.arange(len(POINTS))
    copy[wall] = len(POINTS) + np.arange(len(wall))
    right = POINTS[CELLS].mean(axis=1)[:, 0] > 0.4
    cells = np.where(right[:, None], copy[CELLS], CELLS)
    return np.concatenate([POINTS, POINTS[wall] + [shift, 0, 0]]), cells, len(wall)


@pytest.mark.parametrize("part", [0.6, 1.0])
@pytest.mark.parametrize("shift", [0.0, 1e-12, -5e-7])
def test_points_a_hair_apart_are_merged_and_it_is_said(tmp_path, part, shift):
    points, cells, doubled = halves_apart(shift, part)
    mesh, said = quietly(write(tmp_path / "m.vtu", points, [("tetra", cells)]))
    assert len(mesh.points) == len(POINTS)
    assert list(mesh.membranes) == ["plasma membrane"]
    assert triangle_areas(mesh.points, mesh.membranes["plasma membrane"]).sum() == pytest.approx(6.0, rel=1e-6)
    assert f"{doubled} points that lie on others" in said[0]


@pytest.mark.parametrize("shift", [1e-5, 1e-4, -1e-4, -1e-2])
def test_a_crack_is_found(tmp_path, shift):
    points, cells, _ = halves_apart(shift, 0.6)
    refused(write(tmp_path / "m.vtu", points, [("tetra", cells)]),
            r"cells on both sides that are not joined, the first at \(0.4, .* um: a crack of doubled points")


def stacked():
    """Two boxes on each other, whose common face is cut along one diagonal below and the other above."""
    points, (cell,) = bricks(1, np.random.default_rng(0))
    points = np.concatenate([points, points[cell[4:]] + [0, 0, 1]])
    cell = np.concatenate([cell, 8 + np.arange(4)])
    below = cell[[0, 1, 2, 4, 5, 6]], cell[[0, 2, 3, 4, 6, 7]]
    above = cell[[5, 6, 7, 9, 10, 11]], cell[[5, 7, 4, 9, 11, 8]]
    return points, [("wedge", np.array([*below, *above]))]


def test_faces_that_do_not_match_part_a_mesh(tmp_path):
    refused(write(tmp_path / "m.vtu", *stacked()), "form 2 pieces that share no face")


BALL = ball(0.5, 0.2)
UNSOUND = {
    "a cell twice": (POINTS, np.concatenate([CELLS, CELLS[[5]][:, [2, 0, 3, 1]]]),
                     "1 tetrahedra are listed twice, the first at"),
    "all cells twice": (np.concatenate([POINTS, POINTS]), np.concatenate([CELLS, CELLS + len(POINTS)]),
                        "750 tetrahedra are listed twice"),
    "a third cell at a face": (np.concatenate([POINTS, [[0.3, 0.35, 0.9]]]),
                               np.concatenate([CELLS, [[*np.sort(CELLS[300])[:3], len(POINTS)]]]),
                               "faces belong to more than two tetrahedra, the first at|on one side of the face"),
    "a cell over others": (np.concatenate([POINTS, [[0.1, 0.1, 0.1]]]),
                           np.concatenate([CELLS, [[0, 1, 6, len(POINTS)]]]), "cells on both sides .* cells that over"),
    "a ball in a ball": (np.concatenate([BALL.points, 0.5 * BALL.points]),
                         np.concatenate([BALL.cells, BALL.cells + len(BALL.points)]), "form 2 pieces that share no"),
    "a tangled point": (POINTS + np.outer(np.arange(len(POINTS)) == 86, [0.45, 0.3, 0]), CELLS,
                        "on one side of the face|have no volume"),
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_cells_that_overlap_are_refused_with_their_place(tmp_path, kind):
    points, cells, message = UNSOUND[kind]
    refused(write(tmp_path / "m.vtk", points, [("tetra", cells)]), message)


def test_bodies_joined_at_one_face_that_run_into_each_other_are_refused(tmp_path):
    arm = np.array([[1.2, 0.1, 0.1], [0.5, 0.5, 0.52]])
    face = [k for k in np.flatnonzero(POINTS[:, 0] == 1.0) if (POINTS[k, 1:] < 0.21).all()][:3]
    cells = [[*face, len(POINTS)], [face[0], face[1], len(POINTS), len(POINTS) + 1]]
    refused(write(tmp_path / "m.vtu", np.concatenate([POINTS, arm]), [("tetra", np.concatenate([CELLS, cells]))]),
            "cells on both sides that are not joined|on one side of the face|more than two")


def test_a_stray_cell_is_dropped_and_it_is_said(tmp_path):
    stray = np.array([[2, 0, 0], [2.1, 0, 0], [2, 0.1, 0], [2, 0, 0.1]])
    points = np.concatenate([BALL.points, stray])
    cells = np.concatenate([BALL.cells, [len(BALL.points) + np.arange(4)]])
    mesh, said = quietly(write(tmp_path / "m.vtu", points, [("tetra", cells)]))
    assert mesh.volumes.sum() == pytest.approx(BALL.volumes.sum(), rel=1e-12)
    assert len(mesh.points) == len(BALL.points)
    assert "1 stray pieces that share no face with the rest are dropped: 1 tetrahedra, 0.03" in said[0]
    assert "the first at (2.02, 0.025, 0.025) um" in said[0]


def test_a_small_piece_that_is_most_of_its_region_is_not_dropped(tmp_path):
    stray = np.array([[2, 0, 0], [2.1, 0, 0], [2, 0.1, 0], [2, 0, 0.1]])
    cells = np.concatenate([BALL.cells, [len(BALL.points) + np.arange(4)]])
    file = meshio.Mesh(np.concatenate([BALL.points, stray]), [("tetra", cells)],
                       cell_data={"region": [np.r_[np.ones(len(BALL.cells), int), 2]]})
    file.write(tmp_path / "m.vtu")
    refused(tmp_path / "m.vtu", f"form 2 pieces that share no face, of {len(BALL.cells)}, 1 tetrahedra")


def test_many_small_pieces_are_not_dropped_together(tmp_path):
    stray = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.2]])
    places = [stray + np.array([2 + k, 0, 0]) for k in range(9)]
    points = np.concatenate([BALL.points, *places])
    cells = np.concatenate([BALL.cells, len(BALL.points) + np.arange(36).reshape(9, 4)])
    refused(write(tmp_path / "m.vtu", points, [("tetra", cells)]), "form 10 pieces that share no face")


def test_a_cell_that_folds_over_is_refused(tmp_path):
    points, cells = bricks(1, np.random.default_rng(0))
    points[cells[0, 6]] = points[cells[0, 0]] + 0.1
    refused(write(tmp_path / "m.vtu", points, [("hexahedron", cells)]), "1 cells fold over, .*; the first is at")


def hollow(path):
    """A cube of 26 cubes around a void, as hexahedra."""
    lattice = np.array([(x, y, z) for x in range(4) for y in range(4) for z in range(4)], float)
    corner = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
    starts = [np.array(start) for start in np.ndindex(3, 3, 3) if start != (1, 1, 1)]
    cells = np.array([(corner + start) @ (16, 4, 1) for start in starts])
    meshio.Mesh(lattice, [("hexahedron", cells)]).write(path)
    return path


@pytest.mark.parametrize(("name", "said"), [
    ("astro", ["'astro' has 1 voids; they would be its ER if it were called 'cytosol'"]),
    ("Cytosol", ["'Cytosol' is another name than 'cytosol'", "'Cytosol' has 1 voids"]), ("cytosol", []), ("ecs", [])])
def test_a_name_that_costs_a_cell_its_er_is_told(tmp_path, name, said):
    notes = [note for note in quietly(hollow(tmp_path / "m.vtu"), names={0: name})[1] if "split" not in note]
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))


def test_names_that_differ_by_a_space_are_refused(tmp_path):
    path = others.by_vtk(tmp_path / "m.vtu", {"material": LABEL})
    numbers = np.unique(LABEL).tolist()
    with pytest.raises(InputError, match="regions 'cytosol' and 'cytosol ' differ by spaces only"):
        load(path, names={numbers[0]: "cytosol", numbers[1]: "cytosol "})
