"""Files: every format, regions and membranes there and back, and one clear sentence for each thing wrong."""

from pathlib import Path
from types import SimpleNamespace

import meshio
import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.cut_faces import cut_faces
from spatial.geometry.load import MeshNote, load, save
from spatial.geometry.quality import quality_report, radius_ratio
from spatial.geometry.shapes import ball, box, cylinder
from spatial.geometry.surfaces import void_volumes
from spatial.geometry.tetrahedra import Region, Tetrahedra, triangle_areas
from spatial.units import m, nm

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pap_er"
MESHES = Path(__file__).resolve().parents[1] / "meshes"
REAL = [("d1s3a107b1", 0.1119, 0.3155, 1.998, 6, 0.150),
        ("d1s10a24b1", 0.3315, 0.3444, 5.797, 10, 0.219),
        ("d1s8a22b1", 0.3972, 0.0309, 8.602, 1, 0.100)]
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real meshes are not in {DATA}")


def as_sets(triangles):
    return {tuple(sorted(face)) for face in triangles.tolist()}


def write(path, mesh, **data):
    meshio.Mesh(mesh.points, [("tetra", mesh.cells)], cell_data={k: [v] for k, v in data.items()}).write(path)
    return path


def halves(path, key="region", **more):
    """A box of 2 x 1 x 1 um cut in two regions, numbered 3 and 7."""
    mesh = box((2.0, 1.0, 1.0), 0.4)
    number = np.where(mesh.points[mesh.cells].mean(axis=1)[:, 0] < 1, 3, 7)
    return write(path, mesh, **{key: number}, **more)


@pytest.mark.parametrize("ending", [".msh", ".vtu", ".vtk", ".inp", ".xdmf", ".mesh"])
def test_every_format_gives_the_same_cytosol(tmp_path, ending):
    mesh = ball(1.0, 0.5)
    back = load(write(tmp_path / f"ball{ending}", mesh))
    assert back.regions == (Region("cytosol"),)
    assert back.volumes.sum() == pytest.approx(mesh.volumes.sum(), rel=1e-6)
    assert list(back.membranes) == ["plasma membrane"]


@pytest.mark.parametrize("make", [
    lambda: cylinder(0.2, 1.0, 0.1),
    lambda: box((1.0, 1.0, 1.0), 0.4, Region("ecs", 0.2, 1.6, "neuropil")),
    lambda: load(MESHES / "tripartite_coarse.msh"),
])
def test_a_saved_mesh_is_read_back_with_its_regions_and_membranes(tmp_path, make):
    mesh = make()
    save(mesh, tmp_path / "mesh.msh")
    back = load(tmp_path / "mesh.msh")
    assert back.regions == mesh.regions
    for name in ("points", "cells", "region"):
        assert np.array_equal(getattr(back, name), getattr(mesh, name)), name
    assert {k: as_sets(v) for k, v in back.membranes.items()} == {k: as_sets(v) for k, v in mesh.membranes.items()}


def test_the_shipped_mesh_is_a_tripartite_synapse():
    mesh = load(MESHES / "tripartite_coarse.msh")
    assert set(mesh.place_names) == {"ecs", "cytosol", "er", "bouton", "spine"}
    assert set(mesh.membranes) == {"plasma membrane", "er membrane", "presynaptic membrane",
                                   "postsynaptic membrane", "far boundary"}
    assert radius_ratio(mesh.points, mesh.cells).min() > 0.1


def test_physical_groups_made_with_gmsh_name_regions_and_membranes(tmp_path):
    import gmsh

    path = tmp_path / "groups.msh"
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        occ = gmsh.model.occ
        inner, outer = occ.addSphere(0, 0, 0, 0.5), occ.addSphere(0, 0, 0, 1)
        occ.fragment([(3, outer)], [(3, inner)])
        occ.synchronize()
        gmsh.model.addPhysicalGroup(3, [inner], 5, "er")
        gmsh.model.addPhysicalGroup(3, [outer], 6, "cytosol")
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.4)
        gmsh.model.mesh.generate(3)
        gmsh.write(str(path))
    finally:
        gmsh.finalize()
    mesh = load(path)
    assert mesh.regions == (Region("er"), Region("cytosol"))
    assert set(mesh.membranes) == {"er membrane", "plasma membrane"}
    assert mesh.volumes[mesh.region == 0].sum() == pytest.approx(0.52, rel=0.15)


def test_regions_without_names_are_numbered_and_may_be_named(tmp_path):
    path = halves(tmp_path / "halves.vtu")
    mesh = load(path)
    assert [region.place for region in mesh.regions] == ["region 3", "region 7"]
    assert set(mesh.membranes) == {"region 3|region 7", "region 3|outside", "region 7|outside"}
    assert triangle_areas(mesh.points, mesh.membranes["region 3|region 7"]).sum() > 0.99
    named = load(path, names={3: "cytosol", 7: "ecs volume_fraction=0.2 tortuosity=1.6"})
    assert named.regions == (Region("cytosol"), Region("ecs", 0.2, 1.6))
    assert set(named.membranes) == {"plasma membrane", "cytosol|outside", "far boundary"}


def test_the_unit_of_the_file_scales_the_mesh(tmp_path):
    mesh = ball(1.0, 0.5)
    path = write(tmp_path / "nm.vtu", Tetrahedra(mesh.points / nm, mesh.cells, mesh.region, mesh.regions, {}))
    assert load(path, unit=nm).volumes.sum() == pytest.approx(mesh.volumes.sum(), rel=1e-12)


def test_tetrahedra_that_are_all_inverted_are_another_convention(tmp_path):
    mesh = ball(1.0, 0.5)
    flipped = Tetrahedra(mesh.points, mesh.cells[:, [1, 0, 2, 3]], mesh.region, mesh.regions, {})
    assert np.allclose(load(write(tmp_path / "flipped.vtu", flipped)).volumes, mesh.volumes)


def broken(tmp_path, points=None, cells=None):
    mesh = ball(1.0, 0.5)
    return write(tmp_path / "broken.vtu", SimpleNamespace(
        points=mesh.points if points is None else points(mesh.points.copy()),
        cells=mesh.cells if cells is None else cells(mesh.cells.copy())))


def says(message, path, **options):
    with pytest.raises(InputError, match=message) as caught:
        load(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_missing_file_is_named(tmp_path):
    says("there is no mesh file .*nowhere.msh", tmp_path / "nowhere.msh")
    says("there is no mesh file", tmp_path)


@pytest.mark.parametrize("name", ["text.msh", "text.vtu", "text.xyz"])
def test_an_unreadable_file_is_named(tmp_path, name, capfd):
    (tmp_path / name).write_text("this is no mesh")
    says(f"{name} cannot be read as a mesh: .+", tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_a_file_without_tetrahedra_says_what_it_holds(tmp_path):
    meshio.Mesh(np.eye(3), [("triangle", [[0, 1, 2]])]).write(tmp_path / "surface.vtu")
    says("surface.vtu holds no linear tetrahedra; it holds triangle", tmp_path / "surface.vtu")


@pytest.mark.parametrize(("factor", "advice"), [
    (1 / m, "its extent is 2e-06 um, not 0.01 to 1000 um; if the file is in metres pass unit=m"),
    (1e-3, "its extent is 0.002 um, .*; if the file is in millimetres pass unit=mm"),
    (1e4, "its extent is 2e[+]04 um, .*; if the file is in nanometres pass unit=nm"),
    (1e12, "its extent is 2e[+]12 um, .*; check the unit of the file"),
])
def test_suspicious_units_come_with_the_likely_one(tmp_path, factor, advice):
    says(advice, broken(tmp_path, points=lambda points: points * factor))


def test_an_unknown_region_is_named(tmp_path):
    path = halves(tmp_path / "halves.vtu")
    says("halves.vtu has no region 4 to be called 'ecs'; it has 3, 7", path, names={4: "ecs"})
    with pytest.raises(InputError, match="no region 'ecs' in this mesh"):
        load(path).cells_of("ecs")


@pytest.mark.parametrize("name", ["ecs porosity=0.2", "ecs tortuosity=high"])
def test_a_region_name_with_wrong_properties_is_named(tmp_path, name):
    says(f"region '{name}' must be a place", halves(tmp_path / "halves.vtu"), names={3: name})


def test_flat_tetrahedra_are_counted(tmp_path):
    def flatten(cells):
        cells[4, 3] = cells[4, 2]
        return cells

    says("1 of .* tetrahedra are inverted or have no volume; the first is tetrahedron 4",
         broken(tmp_path, cells=flatten))


def test_coordinates_that_are_not_numbers_are_counted(tmp_path):
    def spoil(points):
        points[7, 1] = np.nan
        return points

    says("has 1 points whose coordinates are not finite numbers; the first is point 7", broken(tmp_path, points=spoil))


def test_pieces_that_share_no_face_are_counted(tmp_path):
    one, two = ball(1.0, 0.5), box((1.0, 1.0, 1.0), 0.9)
    apart = SimpleNamespace(points=np.concatenate([one.points, two.points + 5]),
                            cells=np.concatenate([one.cells, two.cells + len(one.points)]))
    text = says("form 2 pieces that share no face, of .*; keep only the piece", write(tmp_path / "two.vtu", apart))
    assert f"of {len(one.cells)}, {len(two.cells)} tetrahedra" in text


def test_points_that_lie_on_others_are_merged_where_they_would_part_the_mesh(tmp_path):
    one, two = box((1.0, 1.0, 1.0), 0.5), box((1.0, 1.0, 1.0), 0.5)
    mirrored = two.points * [-1, 1, 1]
    split = SimpleNamespace(points=np.concatenate([one.points, mirrored]),
                            cells=np.concatenate([one.cells, two.cells[:, [1, 0, 2, 3]] + len(one.points)]))
    on_the_wall = int((one.points[:, 0] == 0).sum())
    with pytest.warns(MeshNote, match=f"{on_the_wall} points that lie on others, within 1e-6 of the extent, are merg"):
        mesh = load(write(tmp_path / "split.vtu", split))
    assert triangle_areas(mesh.points, mesh.membranes["plasma membrane"]).sum() == pytest.approx(10.0)


def test_only_gmsh_files_are_saved(tmp_path):
    with pytest.raises(InputError, match=r"mesh.vtu must end in .msh"):
        save(ball(1.0, 0.5), tmp_path / "mesh.vtu")


def test_voids_have_the_volume_they_enclose_and_belong_to_their_vertices():
    big, small = ball(1.0, 0.2), ball(0.5, 0.2)
    skin, other = big.membranes["plasma membrane"], small.membranes["plasma membrane"]
    points = np.concatenate([big.points, small.points + 3])
    triangles = np.concatenate([other + len(big.points), skin])
    voids = void_volumes(points, triangles)
    assert voids.volumes == pytest.approx([big.volumes.sum(), small.volumes.sum()], rel=1e-12)
    assert (voids.of_triangle == np.repeat([1, 0], [len(other), len(skin)])).all()
    assert (voids.of_vertex == (np.unique(triangles) >= len(big.points))).all()


def test_the_plasma_membrane_is_the_surface_of_largest_area_and_voids_are_er(tmp_path):
    import gmsh

    path = tmp_path / "void.msh"
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        occ = gmsh.model.occ
        occ.cut([(3, occ.addBox(0, 0, 0, 1, 1, 1))], [(3, occ.addSphere(0.5, 0.5, 0.5, 0.3))])
        occ.synchronize()
        gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
        gmsh.model.mesh.setSizeCallback(lambda d, tag, x, y, z, _: 0.06 if (x - .5)**2 + (y - .5)**2 + (z - .5)**2
                                        < 0.11 else 0.5)
        gmsh.model.mesh.generate(3)
        gmsh.write(str(path))
    finally:
        gmsh.finalize()
    mesh = load(path)
    er, outer = mesh.membranes["er membrane"], mesh.membranes["plasma membrane"]
    assert len(er) > len(outer)
    assert triangle_areas(mesh.points, outer).sum() == pytest.approx(6.0, rel=1e-9)
    assert void_volumes(mesh.points, er).volumes == pytest.approx([1 - mesh.volumes.sum()], rel=1e-9)


def test_an_open_surface_encloses_nothing():
    mesh = ball(1.0, 0.5)
    with pytest.raises(InputError, match="surface 0 of 1 is open at 3 edges"):
        void_volumes(mesh.points, mesh.membranes["plasma membrane"][1:])


@real
@pytest.mark.parametrize(("name", "volume", "er", "outer", "voids", "cut"), REAL)
def test_the_real_meshes_have_the_published_volume_and_areas(name, volume, er, outer, voids, cut):
    mesh = load(DATA / f"{name}.msh", cut="membrane")  # the published areas count the faces where the block was cut
    report = quality_report(mesh)
    assert report.regions["cytosol"].volume == pytest.approx(volume, abs=5e-5)
    assert report.membranes["er membrane"].area == pytest.approx(er, abs=5e-5)
    assert report.membranes["plasma membrane"].area == pytest.approx(outer, abs=5e-4)
    assert report.regions["cytosol"].pieces == (report.cells,)
    lumen = void_volumes(mesh.points, mesh.membranes["er membrane"])
    assert len(lumen.volumes) == report.membranes["er membrane"].surfaces == voids
    shell = void_volumes(mesh.points, mesh.membranes["plasma membrane"]).volumes.sum()
    assert shell - lumen.volumes.sum() == pytest.approx(mesh.volumes.sum(), rel=1e-9)
    planes = cut_faces(mesh.points, mesh.membranes["plasma membrane"]).planes
    assert sum(plane.area for plane in planes) / outer == pytest.approx(cut, abs=5e-4)
