"""`spatial mesh`: what it says of meshes, what it writes, that it replaces nothing, and what is no mesh."""

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import meshio
import numpy as np
import pytest

from spatial.checks import InputError
from spatial.cli.new_file import new_file
from spatial.cli.options import names_in, names_of
from spatial.geometry.cropped import cropped
from spatial.geometry.cut_faces import CUT_FACE
from spatial.geometry.load import cleaned, load, save
from spatial.geometry.quality import quality_report
from spatial.geometry.shapes import ball, box, cylinder
from spatial.geometry.surfaces import membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra, triangle_areas
from spatial.geometry.verdicts import BAD, GOOD, SHAPE, SHORTEST, SPREAD, USABLE, WRONG_SIGN, unit_hint, verdicts
from spatial.scenarios.heterosynaptic.settings import HeterosynapticSettings
from tests.test_cli import refused, succeed

MESHING = find_spec("pymeshfix") is not None and find_spec("pytetwild") is not None
meshing = pytest.mark.skipif(not MESHING, reason="pymeshfix and pytetwild, the extra [meshing], are not installed")


@pytest.fixture
def halves(tmp_path):
    """A block of two regions without names, 1 and 2, in a format without groups."""
    mesh = box((2.0, 1.0, 1.0), 0.4)
    number = np.where(mesh.points[mesh.cells].mean(axis=1)[:, 0] < 1, 1, 2)
    meshio.Mesh(mesh.points, [("tetra", mesh.cells)], cell_data={"region": [number]}).write(tmp_path / "halves.vtu")
    return tmp_path / "halves.vtu"


def volumes(mesh):
    return dict(zip(mesh.place_names, np.bincount(mesh.region, mesh.volumes), strict=True))


# Verdicts

@pytest.mark.parametrize(("threshold", "values"), [
    (WRONG_SIGN, (0.2, 0.3, 0.5)), (SHAPE, (0.11, 0.05, 0.01)), (SHORTEST, (2e-3, 0.155e-3, 0.05e-3)),
    (SPREAD, (0.1, 0.01, 0.001))])
def test_thresholds_tell_good_from_usable_from_bad(threshold, values):
    assert [threshold.grade(value) for value in values] == [GOOD, USABLE, BAD]
    assert len(threshold.reason) > 40


def test_a_mesh_with_an_edge_of_an_atom_is_told_what_to_do():
    mesh = ball(1.0, 0.5)
    points = mesh.points.copy()
    inner = int(np.linalg.norm(points, axis=1).argmin())
    assert {verdict.grade for verdict in verdicts(quality_report(mesh))} == {GOOD}
    neighbour = next(k for cell in mesh.cells.tolist() if inner in cell for k in cell if k != inner)
    points[inner] = points[neighbour] + 0.155e-3 * (points[inner] - points[neighbour])
    report = quality_report(Tetrahedra(points, mesh.cells, mesh.region, mesh.regions, mesh.membranes))
    said = [str(verdict) for verdict in verdicts(report)]
    assert said[0].startswith("bad: ")
    assert any("shortest edge" in line and "remesh it with edges of even length" in line for line in said)


def test_an_unusual_extent_is_a_hint_on_the_unit():
    mesh = ball(1.0, 0.5)
    report = quality_report(mesh)
    assert unit_hint(report) == "unit: an extent of 2 um is as large as processes and synapses are"
    large = Tetrahedra(300 * mesh.points, mesh.cells, mesh.region, mesh.regions, mesh.membranes)
    assert "the file may be in nanometres (--unit nm)" in unit_hint(quality_report(large))


def test_info_tells_cut_planes_and_verdicts(tmp_path, capsys):
    mesh = cylinder(0.2, 1.0, 0.1)
    meshio.Mesh(mesh.points, [("tetra", mesh.cells)]).write(tmp_path / "cut.msh")
    succeed("mesh", "info", tmp_path / "cut.msh", "--names", "0=cytosol")
    said = capsys.readouterr()
    assert "cut plane x = 1 um: 0.1208 um^2 in 1 face of 39 triangles" in said.out
    assert "'cut face': 16.2 % of the surface of its cells, which is no membrane (cut='sealed')" in said.out
    assert "good: edges of the wrong sign" in said.out
    assert said.err.startswith("spatial: note: ")
    succeed("mesh", "info", tmp_path / "cut.msh", "--cut", "membrane")
    assert "these faces are membrane" in capsys.readouterr().out
    assert "--cut is 'open'; it must be sealed or membrane" in refused(capsys, "mesh", "info", tmp_path / "cut.msh",
                                                                       "--cut", "open")


# Names

@pytest.mark.parametrize(("text", "names"), [
    ("1=ecs 2=cytosol", {1: "ecs", 2: "cytosol"}),
    ("1=ecs/neuropil volume_fraction=0.2 tortuosity=1.6 2=er",
     {1: "ecs/neuropil volume_fraction=0.2 tortuosity=1.6", 2: "er"}),
    ('"left half"=ecs right="my place"', {"left half": "ecs", "right": "my place"}),
    ("-3=ecs", {-3: "ecs"})])
def test_names_are_read_as_they_are_written(text, names):
    assert names_of(text) == names


@pytest.mark.parametrize(("words", "message"), [
    (["ecs"], "names: 'ecs' is not REGION=NAME; write the number or name of each region"),
    (["1="], "names: '1=' is not REGION=NAME"), ([], "names: there are none"),
    (["1=ecs", "1=er"], "names: region 1 is called both 'ecs' and 'er'")])
def test_names_that_cannot_be_read_are_told(words, message):
    with pytest.raises(InputError, match=message):
        names_in(words)


def test_regions_are_named_in_a_new_file(halves, tmp_path, capsys):
    succeed("mesh", "name", halves, tmp_path / "named.msh", "1=ecs volume_fraction=0.2", "2=cytosol")
    mesh = load(tmp_path / "named.msh")
    assert mesh.regions == (Region("ecs", 0.2), Region("cytosol"))
    assert volumes(mesh)["ecs"] == pytest.approx(1.0, rel=0.1)
    capsys.readouterr()
    said = refused(capsys, "mesh", "name", halves, tmp_path / "other.msh", "5=ecs")
    assert "has no region 5 to be called 'ecs'; it has 1, 2" in said
    assert {path.name for path in tmp_path.iterdir()} == {"halves.vtu", "named.msh"}


def test_runs_name_regions_too(halves, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("spatial.output.gl.check_rendering", lambda: None)
    run = ("run", "tripartite", "--out", tmp_path / "out", "--mesh", halves)
    assert "this mesh has no region 'cytosol', which the scenario needs; it has ['dendrite', 'er']" in refused(
        capsys, *run, "--names", "1=dendrite 2=er")
    assert "has no region 4 to be called" in refused(capsys, *run, "--names", "4=ecs")
    assert "--names is for a mesh from a file" in refused(capsys, "run", "puffs", "--names", "1=ecs", "--out",
                                                          tmp_path / "out")
    assert "--cut is for a mesh from a file" in refused(capsys, "run", "heterosynaptic", "--cut", "open", "--out",
                                                        tmp_path / "out")
    assert "--cut is 'ajar'; it must be sealed, membrane or open" in refused(capsys, *run, "--cut", "ajar")
    assert "--stump is for open cut faces; give --cut open too" in refused(capsys, *run, "--stump", 2)
    assert HeterosynapticSettings(names={1: "cytosol"}, cut="membrane").names == {1: "cytosol"}


# Files

def write_to(path, write):
    with new_file(path, force=True) as partial:
        write(partial)


def test_nothing_is_replaced_without_force_and_nothing_is_half_written(halves, tmp_path, capsys):
    out = tmp_path / "out.msh"
    out.write_text("a year of work")
    for command in (("clean", halves, out), ("name", halves, out, "1=er"), ("convert", halves, out),
                    ("cut", halves, out, "--box", 0, 1, 0, 1, 0, 1), ("repair", halves, out)):
        said = refused(capsys, "mesh", *command)
        assert "exists; choose another name, or replace it with --force" in said
        assert out.read_text() == "a year of work"
    said = refused(capsys, "mesh", "make", "tripartite", out)
    assert "must end in .msh and be new (or given up with --force)" in said
    succeed("mesh", "name", halves, out, "1=ecs", "2=cytosol", "--force")
    assert load(out).place_names == ["ecs", "cytosol"]
    with pytest.raises(ZeroDivisionError):
        write_to(out, lambda partial: partial.write_text("half of it") / 0)
    assert load(out).place_names == ["ecs", "cytosol"]
    with pytest.raises(InputError, match=r"its format needs more than one file, more.bin too"):
        write_to(out, lambda partial: partial.with_name("more.bin").touch())
    assert {path.name for path in tmp_path.iterdir()} == {"halves.vtu", "out.msh"}
    capsys.readouterr()
    assert "its name must end in .msh" in refused(capsys, "mesh", "clean", halves, tmp_path / "out.vtu")


@pytest.mark.parametrize("ending", ["vtu", "vtk", "xdmf", "inp", "med", "mesh", "msh"])
def test_regions_survive_another_format(halves, tmp_path, ending, capsys):
    named = "1=cytosol 2=er"
    succeed("mesh", "convert", halves, tmp_path / f"out.{ending}", "--names", named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_name = "--names" not in capsys.readouterr().out
        back = load(tmp_path / f"out.{ending}", names={} if by_name else names_of(named))
    assert volumes(back) == pytest.approx(volumes(load(halves, names=names_of(named))), rel=1e-5)
    assert by_name == (ending in ("inp", "med", "msh"))


def test_another_format_tells_which_cut_faces_become_membrane(tmp_path, capsys):
    cut = tmp_path / "cut.msh"
    cylinder_file = Path(__file__).resolve().parents[1] / "meshes" / "cylinder.msh"
    succeed("mesh", "cut", cylinder_file, cut, "--box", 0, 1, -1, 1, -1, 1)
    capsys.readouterr()
    succeed("mesh", "convert", cut, tmp_path / "cut.vtu")
    said = capsys.readouterr().out
    assert "reading makes 'cut face' of 0.1913 um^2, 'plasma membrane' of 1.853 um^2, not 'cut face' of" in said
    succeed("mesh", "convert", cylinder_file, tmp_path / "whole.vtu")
    assert "found again" not in capsys.readouterr().out  # its ends have names


@pytest.mark.parametrize(("ending", "message"), [
    ("stl", "a mesh cannot be written as .stl, which holds surfaces and lines, no tetrahedra; take .msh, .vtu or .med"),
    ("su2", "the format .su2 does not keep the 2 regions of this mesh"), ("xyz", "a mesh cannot be written as .xyz")])
def test_formats_without_regions_are_refused(halves, tmp_path, ending, message, capsys):
    assert message in refused(capsys, "mesh", "convert", halves, tmp_path / f"out.{ending}")
    assert {path.name for path in tmp_path.iterdir()} == {"halves.vtu"}


# Cleaning and cutting

def test_cells_without_volume_twice_or_apart_are_cleaned_away(tmp_path, capsys):
    sound, far = ball(1.0, 0.5), box((0.4, 0.4, 0.4), 0.4)
    cells = np.vstack([sound.cells, sound.cells[3:5, [1, 0, 2, 3]], sound.cells[:1, [0, 1, 2, 2]],
                       far.cells + len(sound.points)])
    meshio.Mesh(np.vstack([sound.points, far.points + 3]), [("tetra", cells)]).write(tmp_path / "dirty.vtu")
    with pytest.raises(InputError, match="form 2 pieces that share no face"):
        cleaned(tmp_path / "dirty.vtu")
    succeed("mesh", "clean", tmp_path / "dirty.vtu", tmp_path / "clean.msh", "--largest")
    said = capsys.readouterr().out
    assert "1 tetrahedra without volume are left out" in said
    assert "2 tetrahedra listed again are left out" in said
    assert "1 pieces that share no face with the rest are dropped" in said
    assert load(tmp_path / "clean.msh").volumes.sum() == pytest.approx(sound.volumes.sum(), rel=1e-12)


def test_a_box_keeps_cells_by_their_centres_and_its_hull_is_no_membrane(tmp_path):
    whole = cylinder(0.2, 1.0, 0.1)
    part, said = cropped(whole, (-1, 0.5, -1, 1, -1, 1))
    centres = whole.points[whole.cells].mean(axis=1)
    assert part.volumes.sum() == pytest.approx(whole.volumes[centres[:, 0] <= 0.5].sum(), rel=1e-12)
    assert "no cell is divided, so the new hull is ragged" in said[0]
    areas = {name: triangle_areas(part.points, each).sum() for name, each in part.membranes.items()}
    assert set(areas) == {"plasma membrane", "left end", CUT_FACE}
    disc = triangle_areas(whole.points, whole.membranes["left end"]).sum()
    assert areas["left end"] == pytest.approx(disc, rel=1e-12)
    total = membranes(part.points, part.cells, part.region, part.regions)["plasma membrane"]
    assert sum(areas.values()) == pytest.approx(triangle_areas(part.points, total).sum(), rel=1e-12)
    save(part, tmp_path / "part.msh")
    assert set(load(tmp_path / "part.msh").membranes) == set(areas)


@pytest.mark.parametrize(("box", "message"), [
    ((0, 1, 0, 1, 1, 0), "the box is 0, 1, 0, 1, 1, 0; it must be six numbers x0 x1 y0 y1 z0 z1 in um"),
    ((5, 6, 5, 6, 5, 6), r"no cell has its centre in the box; the mesh spans -0.9.* um")])
def test_a_box_that_is_none_is_told(box, message):
    with pytest.raises(InputError, match=message):
        cropped(ball(1.0, 0.5), box)


# What is no mesh

@pytest.mark.parametrize(("name", "content", "message"), [
    ("cell.swc", b"1 1 0 0 0 1 -1\n", "no mesh of tetrahedra but a tracing of .* make a geometry.slices.Tree"),
    ("cell.msh", b"# x\n1 1 0 0 0 1 -1\n2 3 1 0 0 0.5 1\n3 3 2 0 0 0.5 2\n", "no mesh of tetrahedra but a tracing"),
    ("cell.hoc", b"create soma", "but a program for NEURON, which makes sections and no cells; save the morphology"),
    ("cell.tif", b"II*\0", "but an image; .* save the labels as an array of whole numbers in a .npz file"),
    ("cell.vtu", b"\x89PNG\r\n", "but an image"), ("cell.npz", b"PK", "but a file of arrays"),
    ("cell.csv", b"a,b\n", "but a table or a text"), ("cell.step", b"ISO", "but a CAD model, .* open it in Gmsh"),
    ("cell.xyz", b"hi", "no format of meshes has the ending .xyz; give it the ending of its format, such as .msh"),
    ("cell", b"hi", "no format of meshes has a name without an ending")])
def test_what_is_no_mesh_is_called_what_it_is(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(tmp_path / name)


def surface(path, turned=False, holes=0):
    """A ball with a smaller one inside it, as a surface."""
    large, small = ball(1.0, 0.4), ball(0.4, 0.2)
    inner = small.membranes["plasma membrane"] + len(large.points)
    triangles = np.vstack([large.membranes["plasma membrane"][holes:], inner[:, ::-1] if turned else inner])
    meshio.Mesh(np.vstack([large.points, small.points + np.array([0.2, 0, 0])]), [("triangle", triangles)]).write(path)
    return path, large.volumes.sum(), small.volumes.sum()


def test_a_surface_is_told_how_it_is_filled(tmp_path, capsys, monkeypatch):
    path, *_ = surface(tmp_path / "cell.stl")
    said = refused(capsys, "mesh", "info", path)
    assert "if its surface is closed, fill it with tetrahedra by `spatial mesh repair IN OUT.msh`" in said
    monkeypatch.setitem(sys.modules, "pymeshfix", None)
    said = refused(capsys, "mesh", "repair", path, tmp_path / "out.msh")
    assert "by pymeshfix, which is not installed; install the extra [meshing] of this package" in said
    assert not (tmp_path / "out.msh").exists()


@meshing
@pytest.mark.parametrize(("ending", "turned", "holes"), [("stl", False, 0), ("ply", True, 3), ("obj", False, 0)])
def test_a_surface_is_mended_and_filled_and_what_is_inside_it_is_a_region(tmp_path, capsys, monkeypatch, ending, turned,
                                                                           holes):
    monkeypatch.chdir(tmp_path)  # where pytetwild would leave a file
    path, outer, inner = surface(tmp_path / f"cell.{ending}", turned, holes)
    succeed("mesh", "repair", path, tmp_path / "out.msh", "--edge", 0.3)
    mesh = load(tmp_path / "out.msh")
    assert volumes(mesh) == pytest.approx({"cytosol": outer - inner, "er": inner}, rel=0.02)
    assert set(mesh.membranes) == {"plasma membrane", "er membrane"}
    assert ("holes is mended to one of" in capsys.readouterr().out) == (holes > 0)
    assert {one.name for one in tmp_path.iterdir()} == {f"cell.{ending}", "out.msh"}


@meshing
def test_bodies_side_by_side_are_refused(tmp_path, capsys):
    one = ball(1.0, 0.5)
    skin = one.membranes["plasma membrane"]
    meshio.Mesh(np.vstack([one.points, one.points + 3]),
                [("triangle", np.vstack([skin, skin + len(one.points)]))]).write(tmp_path / "two.stl")
    assert "it holds 2 bodies side by side" in refused(capsys, "mesh", "repair", tmp_path / "two.stl",
                                                       tmp_path / "out.msh")
    assert {path.name for path in tmp_path.iterdir()} == {"two.stl"}
