"""The command line: a run leaves its files, equal seeds equal files, and one sentence for what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import meshio
import numpy as np
import pytest

from spatial.checks import InputError
from spatial.cli import main
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import ball, box
from spatial.geometry.tripartite import Tripartite
from spatial.output import folder
from spatial.output.folder import results_folder
from spatial.output.recording_file import read_recording

REPOSITORY = Path(__file__).resolve().parents[1]
COARSE = REPOSITORY / "meshes" / "tripartite_coarse.msh"
RUN = ("run", "tripartite", "--mesh", COARSE)
REAL = REPOSITORY.parent / "shared" / "data" / "pap_er" / "d1s3a107b1.msh"
FILES = {"fields.vtkhdf", "recording.h5", "summary.json", "manifest.json", "calcium.png", "gliotransmitter.png",
         "time_courses.png", "heterosynaptic_map.png"}
SCENARIOS = "tripartite, puffs, cleft, coverage, spread, potassium, buffering, homeostasis, protocols, heterosynaptic"
Captured = pytest.CaptureFixture[str]


def refused(capsys: Captured, *arguments: object) -> str:
    """The sentence with which the command line refuses these arguments."""
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    assert left.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("spatial: ")
    assert said.err.count("\n") == 1
    return said.err


def succeed(*arguments: object) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    assert left.value.code == 0


def write(path: Path, points: Floats, cells: Ints) -> Path:
    meshio.Mesh(points, [("tetra", cells)]).write(path)
    return path


@pytest.fixture(scope="module")
def results(gl: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two short runs of the same seed, over the first spike."""
    path = tmp_path_factory.mktemp("runs")
    for name in "ab":
        succeed("run", "tripartite", "--resolution", 2, "--duration", 0.102, "--seed", 3, "--quiet",
                "--out", path / name)
    return path


def test_a_run_leaves_all_its_files_and_nothing_else(results: Path) -> None:
    assert {one.name for one in (results / "a").iterdir()} == FILES
    assert {one.name for one in results.iterdir()} == {"a", "b"}


def test_the_summary_tells_what_happened_at_each_synapse(results: Path) -> None:
    summary = json.loads((results / "a" / "summary.json").read_text())
    assert summary["seed"] == 3
    assert [one["active"] for one in summary["synapses"]] == [True] + 12 * [False]
    positions = [one["position [um]"] for one in summary["synapses"]]
    assert np.allclose(positions, [(0, 0, 0), *Tripartite().neighbours])
    distances = [one["distance [um]"] for one in summary["synapses"]]
    assert np.allclose(distances, np.linalg.norm(positions, axis=1))
    assert max(summary["largest relative drift"].values()) < 1e-12
    assert summary["run"]["smallest concentration"] >= 0.0


def test_recording_and_fields_of_a_run_can_be_read(results: Path) -> None:
    recording = read_recording(results / "a" / "recording.h5")
    assert recording.times[-1] == pytest.approx(0.102)
    assert recording["glutamate at synapses"][:, 0].max() > 100.0
    with h5py.File(results / "a" / "fields.vtkhdf") as file:
        assert np.allclose(file["VTKHDF/Steps/Values"], np.linspace(0, 0.102, 21))
        assert {"calcium", "glutamate", "D-serine"} <= set(file["VTKHDF/PointData"])


@pytest.mark.parametrize("name", ["fields.vtkhdf", "recording.h5", "summary.json"])
def test_the_same_seed_leaves_identical_files(results: Path, name: str) -> None:
    assert (results / "a" / name).read_bytes() == (results / "b" / name).read_bytes()


def test_results_are_replaced_only_with_force(gl: None, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    with results_folder(out) as folder:
        (folder / "summary.json").write_text("old")
    command = (*RUN, "--duration", 0.004, "--seed", 5, "--no-astrocyte", "--out", out)
    assert "exists; choose another name, or replace it with --force" in refused(capsys, *command)
    assert (out / "summary.json").read_text() == "old"
    (out / "mine.csv").write_text("a year of work")
    succeed(*command, "--force")
    assert {one.name for one in out.iterdir()} == {*FILES, "mine.csv"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["settings"]["astrocyte"] is False
    assert summary["settings"]["duration"] == 0.004
    said = capsys.readouterr()
    assert "0.004 of 0.004 s" in said.err
    assert f"spatial: note: results folder {out} holds 'mine.csv', which no run wrote: untouched\n" in said.err
    assert "weight change [%]" in said.out
    assert str(out) in said.out.replace("\n", "")


@pytest.mark.skipif(not REAL.is_file(), reason=f"the real mesh {REAL} is not here")
def test_a_real_process_runs_in_homogenised_tissue(gl: None, tmp_path: Path) -> None:
    succeed("run", "tripartite", "--mesh", REAL, "--duration", 0.002, "--out", tmp_path / "out", "--quiet")
    assert {one.name for one in (tmp_path / "out").iterdir()} == FILES
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["mesh"]["cytosol"]["measure"] == pytest.approx(0.1119, rel=1e-3)
    assert max(summary["largest relative drift"].values()) < 1e-12


def test_mesh_make_and_info_tell_the_same(tmp_path: Path, capsys: Captured) -> None:
    succeed("mesh", "make", "tripartite", tmp_path / "mesh.msh", "--resolution", 3)
    made = capsys.readouterr().out
    succeed("mesh", "info", tmp_path / "mesh.msh")
    read = capsys.readouterr().out
    assert sorted(made.splitlines()) == sorted(read.splitlines())
    assert "plasma membrane" in read
    said = refused(capsys, "mesh", "info", COARSE, "--unit", "nm")
    assert "its extent is 0.006 um, not 0.01 to 1000 um; if the file is in micrometres pass unit=um" in said


def test_a_failed_run_leaves_nothing(
        gl: None, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("'calcium' changes too fast at t = 1 s")

    monkeypatch.setattr(sys.modules["spatial.simulate"], "simulate", fail)
    said = refused(capsys, *RUN, "--out", tmp_path / "out", "--quiet")
    assert said == "spatial: 'calcium' changes too fast at t = 1 s\n"
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_told(
        tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    run = (*RUN, "--out")
    assert f"there is no folder {tmp_path / 'no'}" in refused(capsys, *run, tmp_path / "no" / "out")
    (tmp_path / "file").touch()
    assert "there is a file of that name" in refused(capsys, *run, tmp_path / "file")

    def deny(self: Path) -> None:  # root may write anywhere, so permissions alone cannot show this
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(folder.Path, "mkdir", deny)
    said = refused(capsys, *run, tmp_path / "out")
    assert f"no folder can be written in {tmp_path} (Permission denied)" in said


def test_a_mesh_that_cannot_be_used_is_told(tmp_path: Path, capsys: Captured) -> None:
    sound = box((1.0, 1.0, 1.0), 0.5)
    points, cells = sound.points, sound.cells
    meshio.Mesh(points, [("triangle", cells[:, :3])]).write(tmp_path / "flat.vtu")
    twice, far = np.vstack([points, points + 5]), cells + len(points)
    thin = np.vstack([cells[:1, [0, 1, 2, 2]], cells[1:]])
    wrong = {
        tmp_path / "absent.msh": f"there is no mesh file {tmp_path / 'absent.msh'}",
        tmp_path / "flat.vtu": "holds no linear tetrahedra; it holds triangle",
        write(tmp_path / "metres.vtu", points * 1e-6, cells): "if the file is in metres pass unit=m",
        write(tmp_path / "huge.vtu", points * 1e6, cells): "its extent is 1e+06 um, not 0.01 to 1000 um",
        write(tmp_path / "thin.vtu", points, thin): "inverted or have no volume; the first is tetra",
        write(tmp_path / "apart.vtu", twice, np.vstack([cells, far])): "form 2 pieces that share no face",
    }
    for path, sentence in wrong.items():
        assert sentence in refused(capsys, "mesh", "info", path)
        assert sentence in refused(capsys, "run", "tripartite", "--mesh", path, "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_mesh_without_what_the_scenario_needs_is_told(gl: None, tmp_path: Path, capsys: Captured) -> None:
    mesh, run = ball(1.0, 0.5), ("run", "tripartite", "--out", tmp_path / "out", "--mesh")
    path = write(tmp_path / "ball.msh", mesh.points, mesh.cells)
    assert "this mesh has no ER, which the scenario needs" in refused(capsys, *run, path)
    half = (mesh.points[mesh.cells].mean(axis=1)[:, 0] > 0).astype(int)
    halves = meshio.Mesh(mesh.points, [("tetra", mesh.cells)], cell_data={"region": [half]})
    halves.write(tmp_path / "two.vtu")
    said = "no region 'cytosol', which the scenario needs; it has ['region 0', 'region 1']"
    assert said in refused(capsys, *run, tmp_path / "two.vtu")


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("run", "hexapartite"), f"No such command 'hexapartite'; there is {SCENARIOS}"),
    (("run", "puffs", "--cluster"), "No such option: --cluster"),
    (("run", "puffs", "--ip3", "-1"), "PuffSettings: ip3 is -1; it must be a finite number >= 0"),
    (("mesh", "make", "ball", "x.msh"), "there is no mesh 'ball'; there is tripartite"),
    ((*RUN, "--duration", "-1"), "Settings: duration is -1; it must be a finite number >"),
    ((*RUN, "--duration", "0"), "Settings: duration is 0; it must be a finite number > 0"),
    ((*RUN, "--duration", "nan"), "Settings: duration is nan; it must be a finite number >"),
    (("run", "tripartite", "--resolution", "nan"), "resolution is nan; it must be a finite number > 0"),
    ((*RUN, "--resolution", "2"), "--resolution is for the parametric mesh; leave it out with --mesh"),
    ((*RUN, "--unit", "mile"), "unit 'mile' is not known; it must be one of um, nm, mm, m"),
    (("mesh", "info", COARSE, "--unit", "mile"), "unit 'mile' is not known; it must be one of um, nm, mm, m"),
    (("mesh", "make", "tripartite", "a.vtu"), "a.vtu cannot be made: its name must end in .msh and be new"),
    (("mesh", "make", "tripartite", "no/a.msh"), "no/a.msh cannot be made: its name must end in .msh and"),
    (("mesh", "make", "tripartite", COARSE), "coarse.msh cannot be made: its name must end in .msh and"),
])
def test_arguments_that_cannot_be_used_are_told(
        gl: None, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[object, ...], sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_without_opengl_a_run_is_refused_before_it_computes(
        tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatial.output.gl._PROBE", "raise SystemExit(1)")
    said = refused(capsys, *RUN, "--out", tmp_path / "out")
    assert "3D pictures cannot be drawn" in said
    assert not list(tmp_path.iterdir())


def test_python_m_spatial_is_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spatial", "run", "nothing"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"spatial: No such command 'nothing'; there is {SCENARIOS}\n"
