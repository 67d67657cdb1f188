"""The meshes of the scenario: a process alone gets lumen, tissue and synapses; a whole one its cleft."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import ThroughTheCell, grid, in_homogenised_tissue
from spatial.geometry.load import load
from spatial.geometry.place import Mesh
from spatial.geometry.shapes import ball, used_points
from spatial.geometry.surfaces import membranes
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.geometry.tripartite import Tripartite
from spatial.geometry.voxels import Labels, voxel_mesh
from spatial.geometry.well_mixed import well_mixed
from spatial.scenarios.buffering import model as buffering
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.parts.neighbourhood import around_process, neighbourhood, resolved
from spatial.scenarios.parts.report import mesh_summary
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.parts.sliced_process import SlicedProcess, sliced_neighbourhood
from spatial.scenarios.protocols import bench
from spatial.scenarios.tripartite.model import tripartite

MESHES = Path(__file__).resolve().parents[1] / "meshes"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pap_er"
REAL = [("d1s3a107b1", 0.00545), ("d1s10a24b1", 0.00294), ("d1s8a22b1", 0.00028)]

pytestmark = pytest.mark.filterwarnings("ignore::spatial.geometry.grid.ThroughTheCell")


@pytest.fixture(scope="module")
def whole() -> Tetrahedra:
    return load(MESHES / "tripartite_coarse.msh")


@pytest.fixture(scope="module")
def process(whole) -> Tetrahedra:
    """The cytosol of the tripartite synapse alone, its ER a void."""
    points, cells = used_points(whole.points, whole.cells[whole.cells_of("cytosol")])
    region, regions = np.zeros(len(cells), np.int64), (Region("cytosol"),)
    return Tetrahedra(points, cells, region, regions, membranes(points, cells, region, regions))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_lumen_of_a_process_alone_has_the_volume_of_its_er(whole, process):
    mesh = around_process(process, rng()).mesh
    assert mesh["er"].total == pytest.approx(discretise(whole)["er"].total, rel=1e-9)
    assert len(mesh["er"]) == 1
    assert set(mesh["er membrane"].touches) == {"cytosol", "er"}


def test_homogenised_tissue_around_a_process_is_bounded_by_its_outer_faces(process):
    mesh = around_process(process, rng()).mesh
    cell = mesh["plasma membrane"].centres
    x, y, z = np.ptp(cell, axis=0) + 2.0
    assert mesh["far boundary"].total == pytest.approx(2 * (x * y + y * z + z * x))
    assert mesh["ecs"].total == pytest.approx(0.2 * x * y * z)
    assert mesh["neuropil"].total == pytest.approx(mesh["ecs"].total)
    touched = mesh["ecs"].centres[mesh["far boundary"].touches["ecs"]]
    x, y, z = np.abs(mesh["far boundary"].centres - touched).T
    assert ((x > 0).astype(int) + (y > 0) + (z > 0) == 1).all()  # each face is that of the brick it touches
    assert max(x.max(), y.max(), z.max()) < 0.07  # half a brick


def test_synapses_lie_around_the_process_with_the_density_of_the_neuropil(process):
    found = [around_process(process, rng(seed)) for seed in range(12)]
    membrane = cKDTree(found[0].mesh["plasma membrane"].centres)
    low, high = membrane.mins - 0.8, membrane.maxes + 0.8
    near = membrane.query(rng(99).uniform(low, high, (20_000, 3)))[0] <= 0.8
    expected = 1.69 * near.mean() * np.prod(high - low)
    count = np.mean([len(one.synapses) for one in found])
    assert count == pytest.approx(expected, abs=4 * np.sqrt(expected / 12))
    for one in found:
        away = membrane.query(one.synapses)[0]
        assert len(away) >= 7
        assert away.argmin() == 0
        assert away.max() <= 0.8


def test_no_synapse_lies_in_the_process_or_its_er(whole, process):
    mesh = discretise(whole)
    for seed in range(40):
        synapses = around_process(process, rng(seed)).synapses
        assert not mesh["cytosol"].contains(synapses).any()
        assert not mesh["er"].contains(synapses).any()


def test_the_active_synapse_of_a_whole_mesh_is_in_the_cleft_and_others_in_the_neuropil(whole):
    place = resolved(whole, rng())
    assert np.linalg.norm(place.synapses[0]) < 0.08  # radius of the contact is 0.148
    assert abs(place.synapses[0, 2]) <= 0.01
    assert len(place.synapses) >= 7
    assert np.linalg.norm(place.synapses[1:] - place.synapses[0], axis=1).max() <= 2.0
    clear = [Tripartite().clearance(tuple(one)) for one in place.synapses[1:].tolist()]
    assert min(clear) > 0.0


def test_the_same_seed_gives_the_same_synapses(process):
    a, b, c = (neighbourhood(process, rng(seed)).synapses for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_mesh_without_what_the_scenario_needs_is_refused(whole):
    with pytest.raises(InputError, match=r"no ER, which the scenario needs: neither a region 'er' nor a void "
                                         r"in the cytosol; take a process with ER"):
        neighbourhood(ball(1.0, 0.5), rng())
    with pytest.raises(InputError, match=r"this mesh has no region 'cytosol', which the scenario needs; "
                                         r"it has \['dendrite'\]"):
        neighbourhood(ball(1.0, 0.5, Region("dendrite")), rng())
    plain = replace(whole, regions=tuple(replace(region, part=None) for region in whole.regions))
    with pytest.raises(InputError, match=r"no region 'ecs/neuropil', which the scenario needs; it has \["):
        neighbourhood(plain, rng())
    near_by = np.linalg.norm(whole.points[whole.cells].mean(axis=1), axis=1) < 2.85
    with pytest.raises(InputError, match=r"has room for \d of the 7 synapses that the scenario needs"):
        neighbourhood(replace(whole, region=np.where(near_by & (whole.region == 1), 0, whole.region)), rng())


@pytest.mark.parametrize("make", [around_process, resolved])
def test_the_scenario_assembles_on_both_kinds_of_mesh(whole, process, make):
    place = make(process if make is around_process else whole, rng())
    experiment = tripartite(place.mesh, place.synapses, Settings(), rng())
    system = assemble(experiment.model)
    assert np.isfinite(system.rate(system.initial(), 0.0)).all()


@pytest.mark.parametrize(("name", "lumen"), REAL)
def test_real_processes_become_neighbourhoods(name, lumen):
    path = DATA / f"{name}.msh"
    if not path.is_file():
        pytest.skip(f"the real mesh {path} is not here")
    place = neighbourhood(load(path), rng())
    assert place.mesh["er"].total == pytest.approx(lumen, rel=0.01)
    assert len(place.synapses) >= 7
    assert not place.mesh["cytosol"].contains(place.synapses).any()


# A grid laid through a cell

LAID = (r"^the grid 'ecs' is laid through the cell of 'plasma membrane': (?:(.*) of (.*) um\^2 of it touch bricks "
        r"whose middle is in the cell, and )?both faces of what is thinner than a brick, [\d.]+ um, touch the same "
        r"one; take from it no statement about barriers or coverage$")


def test_a_process_that_a_grid_is_laid_through_is_told_of_once_with_how_much_of_it_is_on_the_wrong_side(process):
    with pytest.warns(ThroughTheCell, match=LAID) as said:
        mesh = around_process(process, rng()).mesh
    assert len(said) == 1
    membrane, ecs = mesh["plasma membrane"], mesh["ecs"]
    inside = mesh["cytosol"].contains(ecs.centres[membrane.touches["ecs"]])
    part, whole = map(float, re.match(LAID, str(said[0].message)).groups())
    assert part == pytest.approx(membrane.measure[inside].sum(), rel=5e-3)
    assert whole == pytest.approx(membrane.total, rel=5e-3)
    assert 0.2 < part / whole < 0.8


@pytest.mark.parametrize("made", [
    lambda: sliced_neighbourhood(SlicedProcess(), 3, rng()).mesh, lambda: bench.furnished(bench.Bench())])
def test_the_summary_tells_that_the_grid_of_a_scenario_is_laid_through_its_process_in_slices(made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sizes = mesh_summary(made())
    (note,) = sizes.pop("ecs")["note"]
    assert re.match(LAID, note)
    assert not any("note" in size for size in sizes.values())


def test_nothing_is_told_of_meshes_whose_bricks_end_at_membranes_or_hold_no_cell(whole):
    voxels = np.zeros((6, 6, 6), int)
    voxels[2:4, 2:4, 2:4] = 1
    for mesh in (discretise(whole), voxel_mesh(Labels(voxels, (0.1,) * 3), {"cytosol": 1}),
                 buffering.furnished(BufferingSettings()), Mesh.of(grid("ecs", (0, 0, 0), (1, 1, 1), 0.5))):
        assert not [size for size in mesh_summary(mesh).values() if "note" in size]
    point = well_mixed({"cytosol": 1.0}, {"plasma membrane": (1.0, ["cytosol"])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_homogenised_tissue(point)
