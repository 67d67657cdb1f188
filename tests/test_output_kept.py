"""What a picture shows of voxels and a spread ER; and a picture that fails costs no number."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spatial.checks import InputError
from spatial.cli import main
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.interpolate import among
from spatial.geometry.load import load
from spatial.geometry.place import Mesh, Place
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.store import with_store
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.geometry.voxels import Labels, voxel_mesh
from spatial.model import Species
from spatial.output import folder as folders
from spatial.output.drawn import drawn, is_of_faces, is_spread
from spatial.output.figures import figure_of, save
from spatial.output.folder import check_room, results_folder
from spatial.output.pictures import NOT_DRAWN, NotDrawn, draw_all, not_drawn, warn_of_undrawable
from spatial.output.recording_file import write_summary
from spatial.output.scenes import ASTROCYTE, Shape, field_around, microdomain, skin_of
from spatial.output.vtkhdf import FieldsFile, fields_size
from spatial.scenarios.buffering import report
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.parts.report import glass_over, reticulum

COARSE = Path(__file__).resolve().parents[1] / "meshes" / "tripartite_coarse.msh"
Captured = pytest.CaptureFixture[str]
NUMBERS = ("recording.h5", "fields.vtkhdf")


def voxels() -> Mesh:
    """An L of voxels, one of them thick where it is thin, in extracellular space."""
    values = np.zeros((9, 8, 7), np.int64)
    values[2:5, 2:5, 2:5] = 1
    values[5:8, 3, 3] = 1
    return voxel_mesh(Labels(values, (0.1, 0.1, 0.15)), {"cytosol": 1})


@pytest.fixture(scope="module")
def spread() -> Mesh:
    whole = discretise(load(COARSE))
    kept = [replace(place, touches={}, partners={}) for name, place in whole.items()
            if name in ("cytosol", PLASMA_MEMBRANE)]
    return with_store(Mesh.of(*kept))


def areas(points: Any, triangles: Any) -> Any:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) / 2


# What can be drawn


def test_the_membrane_of_voxels_is_drawn_face_by_face_between_the_places_it_touches() -> None:
    mesh = voxels()
    membrane, cytosol = mesh[PLASMA_MEMBRANE], mesh["cytosol"]
    assert is_of_faces(membrane)
    assert not is_spread(membrane)
    points, triangles, element = skin_of(membrane)
    area = np.bincount(element[triangles[:, 0]], np.linalg.norm(areas(points, triangles), axis=1)) / 2
    across = membrane.sides.copy()
    across[membrane.sides == 0] = 1.0
    assert np.allclose(area, across.prod(axis=1))
    assert np.allclose(areas(points, triangles).sum(axis=0), 0)  # both sides of each
    middle = np.stack([np.bincount(element, points[:, axis]) / 4 for axis in range(3)], axis=1)
    assert np.allclose(middle, membrane.centres)
    inner, outer = cytosol.centres[membrane.touches["cytosol"]], mesh["ecs"].centres[membrane.touches["ecs"]]
    assert np.allclose((inner + outer) / 2, middle)
    assert np.allclose(np.abs(outer - inner).sum(axis=1), np.where(membrane.sides[:, 2] == 0, 0.15, 0.1))


def test_the_skin_of_voxels_is_closed_points_outwards_and_holds_their_volume() -> None:
    cytosol = voxels()["cytosol"]
    points, triangles, element = skin_of(cytosol)
    normal = areas(points, triangles)
    assert np.allclose(normal.sum(axis=0), 0)
    assert np.einsum("ij,ij->", points[triangles[:, 0]], normal) / 3 == pytest.approx(cytosol.total)
    out = points[triangles].mean(axis=1) - cytosol.centres[element[triangles[:, 0]]]
    assert (np.einsum("ij,ij->i", out, normal) > 0).all()


def test_a_spread_er_has_the_cells_of_its_cytosol_and_probes_read_it_as_before(spread: Mesh) -> None:
    membrane = spread[ER_MEMBRANE]
    assert is_spread(membrane)
    assert not is_spread(spread[PLASMA_MEMBRANE])
    assert np.array_equal(membrane.cells, spread["cytosol"].cells)
    bare = replace(membrane, cells=membrane.cells[:0])
    assert bare.digest == membrane.digest
    where = membrane.centres[:5] + 1e-4
    for one, other in zip(among(membrane, where, "probe"), among(bare, where, "probe"), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(membrane.contains(where), bare.contains(where))
    sheet = voxels()[PLASMA_MEMBRANE]
    inside = sheet.centres.mean(axis=0)[None]
    assert sheet.contains(inside).all()  # the box around its faces, as before they could be drawn
    assert not is_spread(sliced(Tree(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([-1, 0]), np.array([0.1, 0.1])), 0.5)[
        PLASMA_MEMBRANE])


def test_fields_on_faces_of_voxels_thin_layers_and_a_spread_er_are_in_the_file(tmp_path: Path, spread: Mesh) -> None:
    import pyvista as pv

    mesh = voxels()
    sheet = grid("sheet", (0, 0, 0), (1, 1, 0.1), 0.25)
    for name, place in {"faces": mesh[PLASMA_MEMBRANE], "voxels": mesh["cytosol"], "sheet": sheet,
                        "spread": spread[ER_MEMBRANE]}.items():
        species, values = Species("a", place), np.arange(len(place)) + 1.0
        with FieldsFile(tmp_path / f"{name}.vtkhdf", [species]) as fields:
            fields.write(0.0, {species: values})
        read = pv.read(tmp_path / f"{name}.vtkhdf")
        assert set(np.unique(read.point_data["a"])) == set(values)
        shown = drawn(place)
        assert shown is not None
        assert read.n_points == len(shown.points) == fields_size([species], 1) / 4
    assert pv.read(tmp_path / "sheet.vtkhdf").volume == pytest.approx(sheet.total, rel=1e-5)
    assert pv.read(tmp_path / "faces.vtkhdf").n_cells == len(mesh[PLASMA_MEMBRANE])
    assert pv.read(tmp_path / "faces.vtkhdf").area == pytest.approx(
        np.where(mesh[PLASMA_MEMBRANE].sides == 0, 1, mesh[PLASMA_MEMBRANE].sides).prod(axis=1).sum(), rel=1e-5)
    assert pv.read(tmp_path / "spread.vtkhdf").volume == pytest.approx(spread["cytosol"].total, rel=1e-4)


def test_the_glass_over_voxels_lies_outside_them_and_an_er_is_drawn_where_it_is_not_everywhere(spread: Mesh) -> None:
    mesh = voxels()
    glass, (points, _, _) = glass_over(mesh), skin_of(mesh["cytosol"])
    away = np.linalg.norm(glass.points - points, axis=1)
    assert np.allclose(away, 0.004)
    grown = areas(glass.points, glass.triangles)
    assert np.einsum("ij,ij->", glass.points[glass.triangles[:, 0]], grown) / 3 > mesh["cytosol"].total
    assert reticulum(spread) == []
    part = with_store(mesh, filled=np.arange(len(mesh["cytosol"])) % 2.0)
    (er,) = reticulum(part)
    assert er.opacity < 1
    (resolved,) = reticulum(discretise(load(COARSE)))
    assert resolved.opacity == 1


@pytest.mark.usefixtures("gl")
def test_pictures_of_voxels_and_of_a_spread_er_show_what_is_bright(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.image import imread

    scenes = sys.modules["spatial.output.scenes"]
    monkeypatch.setattr(scenes, "WIDTH", 400)
    monkeypatch.setattr(scenes, "HEIGHT", 300)
    monkeypatch.setattr(scenes, "check_rendering", lambda: None)  # the fixture has looked

    mesh = with_store(voxels(), filled=np.where(voxels()["cytosol"].centres[:, 0] < 0.5, 1.0, 0.0))
    cytosol = mesh["cytosol"]
    values = np.where(cytosol.centres[:, 0] > 0.7, 1.0, 0.1)
    others = [Shape.of(mesh[PLASMA_MEMBRANE], ASTROCYTE, 0.15), Shape.of(mesh[ER_MEMBRANE], "#00ff00", 0.1)]
    microdomain(tmp_path / "a.png", cytosol, values, "Ca2+ [uM]", [], cytosol.centres[:1])
    microdomain(tmp_path / "b.png", cytosol, values, "Ca2+ [uM]", others, cytosol.centres[:1], opened=True)
    field_around(tmp_path / "c.png", mesh["ecs"], np.linspace(1, 2, len(mesh["ecs"])), "ATP", cytosol.centres[:2],
                 np.array([True, False]), others)
    plain = imread(tmp_path / "a.png")[:, :312, :3]
    bright = (plain[..., 0] > 0.75) & (plain[..., 1] > 0.6)
    assert 50 < bright.sum() < 0.3 * bright.size
    assert np.abs(imread(tmp_path / "b.png")[..., :3] - imread(tmp_path / "a.png")[..., :3]).max() > 0.1


# What fails


def written(folder: Path) -> None:
    (folder / "table.csv").write_text("a\n1\n")
    write_summary({"scenario": "x"}, folder / "summary.json")


def draw(path: Path) -> None:
    save(figure_of(1, 1), path)


def fail(path: Path) -> None:
    path.write_text("half a picture")
    raise RuntimeError("no\ncanvas")


def test_a_picture_that_fails_is_told_of_and_costs_no_number_and_no_other_picture(tmp_path: Path) -> None:
    with results_folder(tmp_path / "out") as folder:
        written(folder)
        with pytest.warns(NotDrawn, match=r"^b\.png is not drawn, the numbers are there: RuntimeError: no canvas$"):
            missing = draw_all(folder, {"b.png": fail, "c.png": draw})
    assert missing == {"b.png": "RuntimeError: no canvas"}
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"table.csv", "summary.json", "c.png", "manifest.json"}
    assert json.loads((out / "summary.json").read_text()) == {
        "scenario": "x", NOT_DRAWN: {"b.png": "RuntimeError: no canvas"}}
    assert not_drawn(out) == {"b.png": "RuntimeError: no canvas"}
    with results_folder(out, force=True) as folder:  # its manifest is right, so it can be replaced
        written(folder)
        assert draw_all(folder, {"b.png": draw}) == {}
    assert json.loads((out / "summary.json").read_text()) == {"scenario": "x"}
    assert not_drawn(out) == {}
    assert not_drawn(tmp_path / "nothing") == {}


@pytest.mark.filterwarnings("error::spatial.output.pictures.NotDrawn")
def test_warnings_taken_for_errors_and_ctrl_c_cost_no_number_either(tmp_path: Path) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    with results_folder(tmp_path / "out") as folder:
        written(folder)
        draw_all(folder, {"a.png": draw, "b.png": interrupt, "c.png": draw})
    assert not_drawn(tmp_path / "out") == {"b.png": "interrupted", "c.png": "interrupted"}
    assert {"table.csv", "a.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_what_cannot_be_drawn_is_told_before_a_run() -> None:
    process = sliced(Tree(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([-1, 0]), np.array([0.1, 0.1])), 0.5)
    with pytest.warns(NotDrawn, match="pictures that show 'plasma membrane' will be missing: place 'plasma membrane' "
                                      "has neither") as said:
        warn_of_undrawable(process[PLASMA_MEMBRANE], voxels()[PLASMA_MEMBRANE])
    assert len(said) == 1


def test_a_disk_without_room_is_told_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path, 1000.0)
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1e9}))
    check_room(tmp_path, 1e10)
    with pytest.raises(InputError, match=r"the run take at least 3 GB, and in .* there are 1 GB free; make"):
        check_room(tmp_path, 6e10)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return int(left.value.code or 0)


def alike(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize(("scenario", "short", "failing", "others"), [
    pytest.param("tripartite", 0.0005, {"calcium.png", "gliotransmitter.png"}, (), marks=pytest.mark.slow),
    ("puffs", 0.02, {"calcium.png"}, ("events.csv", "movie.tif", "dff.tif", "dff.npy"))])
def test_runs_on_a_mesh_keep_their_numbers_when_3d_pictures_fail(
        tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, scenario: str, short: float,
        failing: set[str], others: tuple[str, ...]) -> None:
    command = ("run", scenario, "--mesh", COARSE, "--duration", short, "--seed", 1, "--out")
    assert run(*command, tmp_path / "good", "--no-pictures", "--quiet") == 0
    assert not list((tmp_path / "good").glob("*.png"))

    def broken() -> None:
        raise OSError("out of graphics memory")

    monkeypatch.setattr(sys.modules["spatial.output.scenes"], "_plotter", broken)
    capsys.readouterr()
    assert run(*command, tmp_path / "bad") == 3
    said = capsys.readouterr()
    for name in failing:
        assert f"Not drawn: {name}: OSError: out of graphics memory" in said.out
        assert f"spatial: note: {name} is not drawn, the numbers are there: OSError: out of" in said.err
        assert not (tmp_path / "bad" / name).exists()
    for name in (*NUMBERS, *others):
        assert alike(tmp_path / "good" / name, tmp_path / "bad" / name), name
    good, bad = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("good", "bad"))
    assert set(bad.pop(NOT_DRAWN)) == failing
    assert bad == good
    assert list((tmp_path / "bad").glob("*.png"))  # the others


def test_a_sweep_keeps_its_table_when_its_picture_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("no axes")

    monkeypatch.setattr(report, "figure_of", broken)
    settings = BufferingSettings(length=40, slice=10, active=0.3, start=0.1, stop=0.3, duration=0.4, lengths=())
    with results_folder(tmp_path / "out") as folder, pytest.warns(NotDrawn, match="buffering.png is not drawn"):
        rows = report.results(folder, settings)
    table = list(csv.DictReader((tmp_path / "out" / "buffering.csv").open()))
    assert [row["case"] for row in table] == [row["case"] for row in rows]
    assert not_drawn(tmp_path / "out") == {"buffering.png": "ValueError: no axes"}
    with h5py.File(next((tmp_path / "out").glob("*.h5"))) as file:
        assert len(file["times"]) > 1


def test_options_for_size_are_there_and_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("run", "tripartite", "--mesh", COARSE, "--out", tmp_path / "out", "--no-pictures", "--quiet")
    assert run(*command, "--most-elements", 1000) == 2
    assert "cells, about 0.029 GB, more than 1000;" in capsys.readouterr().err
    assert run(*command, "--most-unknowns", 1000) == 2
    assert "unknowns, about" in capsys.readouterr().err
    assert run("run", "cleft", "--out", tmp_path / "out", "--most-elements", 1000) == 2
    assert run("run", "buffering", "--out", tmp_path / "out", "--most-elements", 50) == 2
    assert run("measure", "tortuosity", COARSE, "--most-elements", 1000) == 2
    assert not list(tmp_path.iterdir())


def test_a_place_is_one_whatever_it_has_to_be_drawn() -> None:
    faces = voxels()[PLASMA_MEMBRANE]
    assert replace(faces, sides=np.zeros((0, 3))).digest == faces.digest
    assert isinstance(faces, Place)
