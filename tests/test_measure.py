"""`spatial measure tortuosity`: the table it prints, its picture, and one sentence for what cannot be measured."""

import re
from pathlib import Path

import numpy as np
import pytest
import test_cli

from spatial.checks import InputError
from spatial.cli import main
from spatial.geometry.blocks import random_spheres, sphere_octant
from spatial.geometry.load import save
from spatial.geometry.shapes import ball, box
from spatial.geometry.tetrahedra import Region

Captured = pytest.CaptureFixture[str]


def told(capsys: Captured, *arguments: object) -> dict[str, list[str]]:
    """The numbers of each row of the printed table, by the row's name."""
    test_cli.succeed("measure", "tortuosity", *arguments)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()
            if line.startswith("│")]
    return {row[0]: row[1:] for row in rows}


def refused(capsys: Captured, *arguments: object) -> str:
    """The sentence with which the command line refuses to measure."""
    return test_cli.refused(capsys, "measure", "tortuosity", *arguments)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The space around spheres on a lattice, as a file."""
    path = tmp_path_factory.mktemp("meshes") / "spheres.msh"
    save(sphere_octant(0.4, 0.06), path)
    return path


def test_a_mesh_is_measured_quickly_by_a_steady_gradient_alone(mesh: Path, capsys: Captured) -> None:
    table = told(capsys, mesh, "--quick")
    assert list(table) == ["λ, steady gradient", "α, from volumes", "1.6 / λ, not from geometry"]
    assert [float(one) for one in table["λ, steady gradient"]] == pytest.approx([1.065] * 4, abs=0.004)
    assert float(table["α, from volumes"][-1]) == pytest.approx(0.7325, abs=0.003)
    assert float(table["1.6 / λ, not from geometry"][-1]) == pytest.approx(1.6 / 1.065, abs=0.005)


def test_a_homogenised_mesh_is_measured_by_virtual_iontophoresis_too(tmp_path: Path, capsys: Captured) -> None:
    save(box((1.0, 1.2, 0.8), 0.15, Region("ecs", 0.2, 1.6)), tmp_path / "medium.msh")
    table = told(capsys, tmp_path / "medium.msh", "--sources", 2, "--seed", 3, "--out", tmp_path / "fit.png")
    assert float(table["λ, steady gradient"][-1]) == pytest.approx(1.6, abs=0.001)
    fitted, spread = (float(one) for one in table["λ, virtual TMA⁺"][-1].split(" ± "))
    assert fitted == pytest.approx(1.6, rel=0.02)
    assert 0 <= spread < 0.05
    assert float(table["α, virtual TMA⁺"][-1].split(" ± ")[0]) == pytest.approx(0.2, abs=0.004)
    assert (tmp_path / "fit.png").read_bytes()[1:4] == b"PNG"


def test_the_same_seed_gives_the_same_table(tmp_path: Path, capsys: Captured) -> None:
    save(box((1.0, 1.0, 1.0), 0.25, Region("ecs", 0.2, 1.6)), tmp_path / "medium.msh")
    one, same, other = (told(capsys, tmp_path / "medium.msh", "--sources", 1, "--seed", seed) for seed in (3, 3, 4))
    assert one == same != other
    assert "±" not in one["λ, virtual TMA⁺"][-1]


def test_labels_are_measured_with_the_sides_of_their_voxels(tmp_path: Path, capsys: Captured) -> None:
    labels = random_spheres(0.4, 0.3, 1.2, 0.06, np.random.default_rng(1))
    np.savez(tmp_path / "spheres.npz", labels=labels.values)
    plain = told(capsys, tmp_path / "spheres.npz", "--voxel", 60, 60, 60, "--quick")
    assert float(plain["α, from volumes"][-1]) == pytest.approx(labels.fraction(0), abs=0.0006)
    shrunk = told(capsys, tmp_path / "spheres.npz", "--voxel", 60, 60, 60, "--shrink", 40, "--quick")
    assert float(shrunk["α, from volumes"][-1]) > float(plain["α, from volumes"][-1]) + 0.1
    assert float(shrunk["λ, steady gradient"][-1]) < float(plain["λ, steady gradient"][-1])


def test_what_cannot_be_measured_is_told(mesh: Path, tmp_path: Path, capsys: Captured) -> None:
    save(ball(1.0, 0.5), tmp_path / "ball.msh")
    np.savez(tmp_path / "cells.npz", np.ones((4, 4, 4), int))
    apart = np.ones((4, 4, 4), int)
    apart[0] = apart[2] = 0
    np.savez(tmp_path / "apart.npz", apart)
    voxels = ("--voxel", 10, 10, 10)
    wrong = {
        (tmp_path / "absent.msh",): f"there is no mesh file {tmp_path / 'absent.msh'}",
        (tmp_path / "absent.npz",): f"there is no file of labels {tmp_path / 'absent.npz'}",
        (tmp_path / "ball.msh",): "has no place 'ecs' to measure; name one of cytosol with --place",
        (tmp_path / "ball.msh", "--place", "cytosol"): "'cytosol' does not fill a block: only 0 of the lower face",
        (tmp_path / "cells.npz",): "does not say how large a voxel is",
        (tmp_path / "cells.npz", *voxels): "no voxel is labelled 0, so there is no extracellular space",
        (tmp_path / "apart.npz", *voxels): "falls into 2 pieces",
        (tmp_path / "cells.npz", *voxels, "--shrink", -3): "distance [um] is -0.003; it must be a finite number > 0",
        (tmp_path / "cells.npz", *voxels, "--place", "cytosol"): "--unit and --place are for meshes; of labels",
        (mesh, "--shrink", 18): "--voxel and --shrink are for labels in a .npz file; leave them out with",
        (mesh, "--unit", "mile"): "unit 'mile' is not known; it must be one of um, nm, mm, m",
        (mesh, "--sources", 0): "Invalid value for '--sources'",
        (mesh, "--out", tmp_path / "fit.pdf"): "fit.pdf cannot be drawn: its name must end in .png, its folder exist",
        (mesh, "--out", tmp_path / "no" / "fit.png"): "fit.png cannot be drawn: its name must end in .png",
        (mesh, "--quick", "--out", tmp_path / "fit.png"): "and --quick be left out",
    }
    for arguments, sentence in wrong.items():
        assert sentence in refused(capsys, *arguments), arguments
    assert not list(tmp_path.glob("*.png"))


def test_the_commands_that_measure_are_named(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as left:
        main(["measure", "volume"])
    assert left.value.code == 2
    assert re.fullmatch(r"spatial: No such command 'volume'; there is tortuosity\n", capsys.readouterr().err)


def test_a_measurement_that_fails_leaves_no_picture(mesh: Path, tmp_path: Path, capsys: Captured,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("'TMA' changes too fast at t = 1 s")

    monkeypatch.setattr("spatial.scenarios.virtual_iontophoresis.model.simulate", fail)
    assert refused(capsys, mesh, "--out", tmp_path / "fit.png") == "spatial: 'TMA' changes too fast at t = 1 s\n"
    assert not list(tmp_path.iterdir())
