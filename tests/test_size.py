"""Nothing large is made before it is said how large: huge requests are refused at once, and what is told fits."""

import re
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spatial as sp
from spatial.checks import InputError
from spatial.geometry import size
from spatial.geometry.blocks import cubic_cells, random_spheres, sphere_lattice, sphere_octant
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.cleft import Cleft, cleft, disc
from spatial.geometry.grid import grid, in_homogenised_tissue
from spatial.geometry.load import load, save
from spatial.geometry.open_boundary import outer_faces, surround
from spatial.geometry.shapes import ball, ball_with_window, box, box_without_spheres, cylinder, spine
from spatial.geometry.shells import graded, rings
from spatial.geometry.size import MOST_ELEMENTS, check_size, fitting
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.tripartite import Tripartite, tripartite
from spatial.geometry.voxels import Labels, extracellular, load_labels, shrink_for, shrunk, voxel_mesh
from spatial.geometry.well_mixed import well_mixed
from spatial.run_arguments import LargeRun
from spatial.scenarios.buffering import model as buffering
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.protocols import bench
from tests.limits import limits

MESHES = Path(__file__).resolve().parents[1] / "meshes"
TREE = Tree(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([-1, 0]), np.array([0.1, 0.1]))
CUBE = Labels(np.pad(np.ones((4, 4, 4), np.int64), 2), (0.1,) * 3)
EDGES = np.linspace(0.0, 1.0, 5001)
WIDE = well_mixed({"cytosol": 1.0}, {"plasma membrane": (1.0, ["cytosol"])})
TINY = 1e-5  # um


def wide() -> sp.Mesh:
    """A cell whose membrane is as wide as an astrocyte."""
    mesh = sp.Mesh.of(sp.pool("cytosol", [1.0, 1.0], np.array([[0.0, 0, 0], [60, 60, 60]])))
    membrane = sp.Place("plasma membrane", 2, np.ones(2), mesh["cytosol"].centres, touches={"cytosol": np.arange(2)})
    return mesh.with_places(membrane)


HUGE: dict[str, Callable[[], Any]] = {
    "grid": lambda: grid("ecs", (0, 0, 0), (50, 50, 50), 0.1),
    "a whole astrocyte in tissue": lambda: in_homogenised_tissue(wide()),
    "graded grid": lambda: graded_grid("ecs", [EDGES] * 3),
    "stretched edges": lambda: stretched_edges(0, 1, 1e-12, 1),
    "edges that hardly grow": lambda: stretched_edges(0, 1, 0.1, 1e12, growth=1 + 1e-12),
    "ball": lambda: ball(1.0, TINY),
    "ball, size by place": lambda: ball(1.0, lambda x, y, z: TINY),
    "box": lambda: box((1, 1, 1), TINY),
    "box without spheres": lambda: box_without_spheres((1, 1, 1), [(0.5, 0.5, 0.5, 0.3)], TINY),
    "cylinder": lambda: cylinder(0.1, 1.0, TINY),
    "hair": lambda: cylinder(TINY, 100.0, 1.0),
    "window": lambda: ball_with_window(1.0, 0.3, TINY),
    "spine": lambda: spine(0.3, 0.1, 0.5, TINY),
    "neck like a hair": lambda: spine(0.3, 1e-6, 10.0, 0.1),
    "octant": lambda: sphere_octant(0.3, TINY),
    "lattice": lambda: sphere_lattice(1000, 0.3, 0.5),
    "cubic cells": lambda: cubic_cells(0.2, layers=10**6),
    "many cubic cells": lambda: cubic_cells(0.2, octants=1000),
    "random spheres": lambda: random_spheres(0.3, 1.0, 100.0, 0.01, np.random.default_rng(0)),
    "tripartite": lambda: tripartite(Tripartite(resolution=0.01)),
    "cleft": lambda: cleft(Cleft(resolution=0.001)),
    "disc": lambda: disc(0.2, 0.02, TINY),
    "layers": lambda: disc(0.2, 0.02, 0.02, layers=10**9),
    "slices": lambda: sliced(TREE, 1e-9),
    "radii": lambda: graded(0.1, 100.0, growth=1 + 1e-9),
    "rings": lambda: rings("ecs", EDGES, EDGES),
    "surround": lambda: surround(outer_faces(grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)), 1e9, growth=1 + 1e-12),
    "shrunk": lambda: shrunk(CUBE, 0.05, (1000, 1000, 1000)),
    "shrink for": lambda: shrink_for(CUBE, 0.99, (1000, 1000, 1000)),
    "slab": lambda: buffering.furnished(BufferingSettings(slice=1e-9)),
    "bench": lambda: bench.furnished(bench.Bench(brick=1e-9)),
}


@pytest.mark.parametrize("make", HUGE.values(), ids=HUGE)
def test_what_takes_more_memory_than_there_is_is_refused_at_once_with_its_size(make: Callable[[], Any]) -> None:
    start = time.perf_counter()
    said = (r"would have [\d.e+]+ \w+, about [\d.e+]+ GB, more than 1e\+0[78];.* raise the limit: "
            r"most_elements=[\d.e+]+, in commands --most-elements$")
    with limits(2.0), pytest.raises(InputError, match=said):
        make()
    assert time.perf_counter() - start < 0.1 + 0.1 * (make in (HUGE["tripartite"], HUGE["bench"]))


SMALL: dict[str, Callable[[float], Any]] = {
    "grid": lambda most: grid("ecs", (0, 0, 0), (1, 1, 1), 0.25, most_elements=most),
    "tissue": lambda most: in_homogenised_tissue(WIDE, margin=0.5, spacing=0.25, most_elements=most),
    "graded grid": lambda most: graded_grid("ecs", [EDGES[::1000]] * 3, most_elements=most),
    "edges": lambda most: stretched_edges(0, 1, 0.05, 1, most_elements=most),
    "ball": lambda most: ball(1.0, 0.5, most_elements=most),
    "box": lambda most: box((1, 1, 1), 0.3, most_elements=most),
    "cylinder": lambda most: cylinder(0.3, 1.0, 0.2, most_elements=most),
    "spine": lambda most: spine(0.3, 0.1, 0.3, 0.1, most_elements=most),
    "cubic cells": lambda most: cubic_cells(0.2, most_elements=most),
    "slices": lambda most: sliced(TREE, 0.05, most_elements=most),
    "radii": lambda most: graded(0.1, 10.0, most_elements=most),
    "rings": lambda most: rings("ecs", EDGES[::1000], EDGES[::1000], most_elements=most),
    "random spheres": lambda most: random_spheres(0.2, 0.2, 1.0, 0.1, np.random.default_rng(0), most_elements=most),
    "voxels": lambda most: voxel_mesh(CUBE, {"cytosol": 1}, most_elements=most),
    "ecs": lambda most: extracellular(CUBE, most_elements=most),
    "shrunk": lambda most: shrunk(CUBE, 0.05, most_elements=most),
    "file": lambda most: load(MESHES / "ball.msh", most_elements=most),
    "cleft": lambda most: cleft(Cleft(resolution=4, surround=0.6, most_elements=most)),
}


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_the_limit_can_be_raised_and_lowered_and_the_one_that_is_named_is_enough(make: Callable[[float], Any]) -> None:
    with pytest.raises(InputError, match="more than 15;") as refused:
        make(15)
    named = float(re.search(r"most_elements=([\d.e+]+)", str(refused.value))[1])  # type: ignore[index]
    make(named)
    with pytest.raises(InputError, match=r"most_elements is (0|nan|'a lot'|True)|most_elements.* must be"):
        make(0)


@pytest.mark.parametrize(("make", "value"), [
    (lambda h, most: grid("ecs", (0, 0, 0), (10, 7, 0.05), h, most_elements=most), 1e-3),
    (lambda h, most: sliced(TREE, h, most_elements=most), 1e-4),
    (lambda h, most: ball(1.0, h, most_elements=most), 1e-3),
    (lambda h, most: disc(0.2, 0.02, h, most_elements=most), 1e-4)])
def test_the_coarser_length_that_is_named_fits(make: Callable[[float, float], Any], value: float) -> None:
    with pytest.raises(InputError) as refused:
        make(value, 800)
    named = re.search(r"take a \w+ of ([\d.e-]+) um or more", str(refused.value))
    assert named
    make(float(named[1]), 800)
    with pytest.raises(InputError):
        make(0.8 * float(named[1]), 800)


def test_the_sentence_tells_number_memory_cure_and_limit() -> None:
    with pytest.raises(InputError) as refused:
        grid("ecs", (0, 0, 0), (60, 60, 60), 0.125)
    assert str(refused.value) == (
        "grid 'ecs' would have 1.11e+08 bricks, about 61 GB, more than 1e+07; take a spacing of 0.28 um or more "
        "(lengths are in um: write 100 * nm), or where there is so much memory raise the limit: most_elements=1.2e+08, "
        "in commands --most-elements")


def test_the_estimate_of_shapes_is_near_what_gmsh_makes() -> None:
    for volume, edge, made in ((4.19, 0.25, ball(1.0, 0.25)), (1.0, 0.2, box((1, 1, 1), 0.2)),
                               (np.pi * 0.04, 0.05, cylinder(0.2, 1.0, 0.05)),
                               (1.0, 0.2, box((1, 1, 1), lambda x, y, z: 0.2))):
        assert size.tetrahedra_in(volume, edge) == pytest.approx(len(made.cells), rel=0.35)
    coarse = Cleft(resolution=2.5)
    with pytest.raises(InputError, match="a cleft would have") as refused:
        cleft(replace(coarse, most_elements=10))
    said = float(re.search(r"have ([\d.e+]+) tetra", str(refused.value))[1])  # type: ignore[index]
    assert 0.3 < said / len(cleft(coarse).cells) < 1.5


def test_a_size_that_is_short_at_one_point_alone_is_not_taken_for_short_all_over() -> None:
    made = ball(1.0, lambda x, y, z: 0.002 + 0.5 * np.sqrt(x * x + y * y + z * z), most_elements=20_000)
    assert len(made.cells) < 20_000


def test_a_file_that_says_that_it_is_huge_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("spatial.geometry.load.read", read)
    heads = {"2.msh": "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Elements\n900000000\n1 4 2 1 1 1 2 3 4\n",
             "4.msh": "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Elements\n1 900000000 1 900000000\n",
             "a.vtu": '<VTKFile type="UnstructuredGrid"><UnstructuredGrid><Piece NumberOfPoints="4" '
                      'NumberOfCells="900000000">',
             "a.vtk": "# vtk DataFile Version 2.0\nx\nASCII\nDATASET UNSTRUCTURED_GRID\nPOINTS 1 float\n0 0 0\nCELLS "
                      "900000000 4500000000\n",
             "a.xdmf": '<Xdmf><Domain><Grid><Topology TopologyType="Tetrahedron" NumberOfElements="900000000"/>'}
    for name, head in heads.items():
        (tmp_path / name).write_text(head)
        with pytest.raises(InputError, match=r"by its header, would have 9e\+08 cells, about 1\.1e\+03 GB, more than"):
            load(tmp_path / name)
    binary = b"$MeshFormat\n4.1 1 8\n\x01\x00\x00\x00\n$EndMeshFormat\n$Elements\n"
    (tmp_path / "b.msh").write_bytes(binary + np.array([1, 900_000_000, 1, 900_000_000], "<u8").tobytes())
    with pytest.raises(InputError, match=r"9e\+08 cells"):
        load(tmp_path / "b.msh")


@pytest.mark.parametrize("kind", ["msh", "vtu", "vtk", "xdmf"])
def test_a_header_says_what_is_there(tmp_path: Path, kind: str) -> None:
    import meshio

    from spatial.geometry.files.announced import cells_announced

    made = box((1, 1, 1), 0.5)
    path = tmp_path / f"a.{kind}"
    meshio.Mesh(made.points, [("tetra", made.cells)]).write(path, **({"file_format": "gmsh"} if kind == "msh" else {}))
    assert cells_announced(path) == len(made.cells)
    save(made, tmp_path / "b.msh")
    assert cells_announced(tmp_path / "b.msh") >= len(made.cells)


def test_labels_that_say_that_they_are_huge_are_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("labels.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (10_000,) * 3})
    said = r"a\.npz would have 1e\+12 voxels, about 8e\+04 GB, more than 1e\+08"
    with limits(2.0), pytest.raises(InputError, match=said):
        load_labels(tmp_path / "a.npz", (0.01,) * 3)


def test_a_run_of_too_many_unknowns_is_refused_before_it_is_assembled(monkeypatch: pytest.MonkeyPatch) -> None:
    def assemble(model: sp.Model) -> None:
        raise AssertionError("assembled")

    for module in ("spatial.simulate", "spatial._engine.stepping.resting_state"):
        monkeypatch.setattr(sys.modules[module], "assemble", assemble)
    tissue = grid("ecs", (0, 0, 0), (1, 1, 1), 0.1)
    model = sp.Model([sp.Species("a", tissue, 1.0, D=1.0), sp.Species("b", tissue, 1.0, D=1.0)])
    said = (r"would have 2e\+03 unknowns, about 0\.0014 GB, more than 1999; take fewer species, or a coarser mesh, or "
            r".*most_unknowns=2000, in commands --most-unknowns$")
    with pytest.raises(InputError, match="the run " + said):
        sp.simulate(model, 1.0, most_unknowns=1999)
    with pytest.raises(InputError, match="the model " + said):
        sp.rest(model, 1999)
    with pytest.raises(AssertionError, match="assembled"):
        sp.simulate(model, 1.0, most_unknowns=2000)
    with pytest.raises(InputError, match="most_unknowns is nan"):
        sp.simulate(model, 1.0, most_unknowns=np.nan)
    monkeypatch.setattr("spatial.run_arguments._SAID", 1e-5)
    with pytest.warns(LargeRun, match=r"the run has 2e\+03 unknowns, and takes about 0\.0014 GB of memory"), \
            pytest.raises(AssertionError):
        sp.simulate(model, 1.0)


def test_what_fits_is_found_and_what_never_fits_is_not_told() -> None:
    assert fitting(1e-6, lambda h: 1 / h, 10.01) == 0.1
    assert fitting(1.0, lambda h: 1e9, 10) == np.inf
    check_size("a", MOST_ELEMENTS, size.BRICKS, MOST_ELEMENTS)
