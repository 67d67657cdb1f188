"""ER in the mesh: junctions with the plasma membrane, an ER at every point, and lumen in the voids."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_calcium_ode import refined_peaks
from toy_mechanisms import Source

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.cropped import cropped
from spatial.geometry.discretise import discretise
from spatial.geometry.junctions import JUNCTIONS, distances, with_junctions, with_junctions_at
from spatial.geometry.load import load
from spatial.geometry.lumen import resolved_lumen
from spatial.geometry.place import Floats, Ints, Mesh
from spatial.geometry.quality import POOR, radius_ratio
from spatial.geometry.shapes import ball, cylinder, positively_oriented
from spatial.geometry.store import with_store
from spatial.geometry.surfaces import membranes, void_volumes
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.mechanisms.calcium_leak import ERLeak
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.serca import SERCA
from spatial.model import Model, Species
from spatial.observe.probes import mean, total
from spatial.simulate import simulate
from spatial.units import nm

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pap_er"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real meshes are not in {DATA}")


def kuhn(counts: tuple[int, int, int], closed: bool = False) -> Ints:
    """The tetrahedra of a grid of points of these counts, six in each brick; `closed` joins the ends of axis 1."""
    number = np.arange(np.prod(counts)).reshape(counts)
    if closed:
        number = np.concatenate([number, number[:, :1]], axis=1)
    first = np.stack(np.meshgrid(*(np.arange(n - 1) for n in number.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    cells = []
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        steps = np.cumsum([np.zeros(3, int), *np.eye(3, dtype=int)[list(order)]], axis=0)
        cells.append(np.stack([number[tuple((first + step).T)] for step in steps], axis=1))
    return np.concatenate(cells)


def with_er(points: Floats, cells: Ints, inside: np.ndarray) -> Mesh:
    """The places of a cytosol in which the cells that are `inside` are ER."""
    cells, region = positively_oriented(points, cells), inside.astype(np.int64)
    regions = (Region("cytosol"), Region("er"))
    return discretise(Tetrahedra(points, cells, region, regions, membranes(points, cells, region, regions)))


def box_with_cistern(gap: float) -> Mesh:
    """A box of 1 x 1 x 0.3 um with a flat ER of 0.4 x 0.4 um in the middle, `gap` um below its top."""
    x = np.linspace(0, 1, 21)
    z = np.array([0.0, 0.1, 0.2, 0.3 - gap, 0.3])
    points = np.stack(np.meshgrid(x, x, z, indexing="ij"), axis=-1).reshape(-1, 3)
    cells = kuhn((21, 21, 5))
    middle = points[cells].mean(axis=1)
    inside = (np.abs(middle[:, :2] - 0.5).max(axis=1) < 0.2) & (middle[:, 2] > 0.1) & (middle[:, 2] < 0.3 - gap)
    return with_er(points, cells, inside)


AROUND = 40


def coaxial_cylinders() -> Mesh:
    """Cytosol from 40 to 120 nm around the x axis, 1 um long, with ER from 70 to 100 nm over 0.5 um of it."""
    r, x = np.array([0.04, 0.07, 0.1, 0.12]), np.linspace(0, 1, 21)
    radius, angle, along = np.meshgrid(r, np.arange(AROUND) * 2 * np.pi / AROUND, x, indexing="ij")
    points = np.stack([along, radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1, 3)
    cells = kuhn((4, AROUND, 21), closed=True)
    x, r = points[cells][..., 0].mean(axis=1), np.linalg.norm(points[cells][..., 1:], axis=2)
    return with_er(points, cells, (r.min(axis=1) > 0.069) & (r.max(axis=1) < 0.101) & (np.abs(x - 0.5) < 0.25))


# Distances

@pytest.mark.parametrize(("position", "distance"), [
    ((0.25, 0.25, 0.3), 0.3), ((0.5, 0.5, -2.0), 2.0), ((0.5, -0.4, 0.3), 0.5), ((-0.3, -0.4, 0.0), 0.5),
    ((2.0, 0.0, 0.0), 1.0), ((1.0, 1.0, 0.0), np.sqrt(0.5)), ((0.2, 0.2, 0.0), 0.0)])
def test_the_distance_from_a_triangle_is_that_from_its_nearest_point(position, distance):
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    found, which = distances(np.array([position]), corners, np.array([[0, 1, 2]]))
    assert found == pytest.approx(distance, abs=1e-15)
    assert which == 0


@pytest.mark.parametrize("reach", [np.inf, 0.3])
def test_the_nearest_of_many_triangles_is_found_however_unequal_they_are(reach):
    rng = np.random.default_rng(3)
    middles, size = rng.uniform(0, 1, (300, 1, 3)), 10 ** rng.uniform(-3, 0, (300, 1, 1))
    corners = (middles + size * rng.normal(size=(300, 3, 3))).reshape(-1, 3)
    triangles = np.arange(900).reshape(-1, 3)
    positions = rng.uniform(-1, 2, (200, 3))
    found, which = distances(positions, corners, triangles, reach)
    alone = np.array([distances(positions, corners, one[None])[0] for one in triangles]).T
    near = alone.min(axis=1) <= reach
    assert near.sum() > 0
    assert np.array_equal(found[near], alone.min(axis=1)[near])
    assert np.array_equal(which[near], alone.argmin(axis=1)[near])
    assert np.isinf(found[~near]).all()
    assert (which[~near] == -1).all()


def test_a_distance_is_the_least_over_points_on_the_triangle():
    rng = np.random.default_rng(4)
    positions, corners = rng.normal(size=(50, 3)), rng.normal(size=(3, 3))
    a, b = (each.ravel() for each in np.meshgrid(np.linspace(0, 1, 301), np.linspace(0, 1, 301)))
    weights = np.stack([a, b, 1 - a - b], axis=1)[a + b <= 1]
    sampled = np.linalg.norm(positions[:, None] - weights @ corners, axis=2).min(axis=1)
    found, _ = distances(positions, corners, np.array([[0, 1, 2]]))
    assert (found <= sampled + 1e-12).all()
    assert found == pytest.approx(sampled, abs=0.02)


# Junctions

def test_junctions_over_a_flat_cistern_have_the_area_of_the_elements_above_it():
    mesh = with_junctions(box_with_cistern(20 * nm))
    found, plasma = mesh[JUNCTIONS], mesh["plasma membrane"]
    assert found.total == pytest.approx(0.45 ** 2, rel=1e-12)  # the elements above its edge reach beyond it
    assert found.centres[:, 2] == pytest.approx(0.3, abs=1e-12)
    assert np.array_equal(plasma.centres[found.touches["plasma membrane"]], found.centres)
    assert np.array_equal(mesh["cytosol"].centres[found.touches["cytosol"]], found.centres)
    assert np.array_equal(found.touches["cytosol"], plasma.touches["cytosol"][found.touches["plasma membrane"]])
    below = found.centres - [0, 0, 20 * nm]
    assert mesh["er"].centres[found.touches["er"]] == pytest.approx(below, abs=1e-12)
    assert mesh["er membrane"].centres[found.touches["er membrane"]] == pytest.approx(below, abs=1e-12)


def test_junctions_between_coaxial_cylinders_are_the_wall_around_the_inner_one():
    found = with_junctions(coaxial_cylinders())[JUNCTIONS]
    wall = AROUND * 2 * 0.12 * np.sin(np.pi / AROUND) * 0.55
    assert found.total == pytest.approx(wall, rel=1e-12)
    assert found.total == pytest.approx(2 * np.pi * 0.12 * 0.55, rel=2e-3)
    assert np.linalg.norm(found.centres[:, 1:], axis=1) == pytest.approx(0.12, rel=1e-12)


def test_junctions_touch_what_the_plasma_membrane_touches():
    mesh = box_with_cistern(20 * nm)
    index = np.arange(len(mesh["plasma membrane"])) % 7
    found = with_junctions(mesh.touching("plasma membrane", "cytosol", index))[JUNCTIONS]
    assert np.array_equal(found.touches["cytosol"], index[found.touches["plasma membrane"]])


def test_junctions_widen_with_the_distance():
    mesh = box_with_cistern(20 * nm)
    areas = [with_junctions(mesh, within)[JUNCTIONS].total for within in (20.001 * nm, 60 * nm, 80 * nm, 200 * nm)]
    assert areas == sorted(areas)
    assert areas[1] > areas[0] + 0.05


def test_S7_a_flux_at_junctions_enters_nowhere_else():
    mesh = with_junctions(box_with_cistern(20 * nm))
    junctions, cytosol = mesh[JUNCTIONS], mesh["cytosol"]
    calcium, store = Species("calcium", cytosol), Species("store", mesh["er"])
    rate = assemble(Model([calcium, store], [Source(junctions, calcium, 3.0)])).rate(
        np.zeros(len(cytosol) + len(mesh["er"])), 0.0)
    gain, elsewhere = rate[:len(cytosol)] * cytosol.measure, np.ones(len(cytosol), bool)
    elsewhere[junctions.touches["cytosol"]] = False
    assert elsewhere.sum() > 1000
    assert (gain[elsewhere] == 0).all()
    assert (rate[len(cytosol):] == 0).all()
    assert gain.sum() == pytest.approx(3.0 * 0.45 ** 2, rel=1e-12)
    gap = distances(cytosol.centres[gain > 0], mesh["er membrane"].centres, mesh["er membrane"].cells)[0]
    assert gap.max() <= 25 * nm


def test_junctions_can_be_placed_by_hand_where_the_er_has_no_triangles():
    mesh = with_store(discretise(ball(0.3, 0.15)))
    with pytest.raises(InputError, match=r"'er membrane' of this mesh has no triangles.*with_junctions_at"):
        with_junctions(mesh)
    found = with_junctions_at(mesh, np.array([4, 2, 2]))[JUNCTIONS]
    assert found.touches["plasma membrane"].tolist() == [2, 4]
    assert np.array_equal(mesh["er"].centres[found.touches["er"]], found.centres)
    for wrong in ([], [-1], [100_000]):
        with pytest.raises(InputError, match=r"er-pm junctions must be at one or more of the elements 0.."):
            with_junctions_at(mesh, np.array(wrong, np.int64))


def test_where_there_can_be_no_junctions_the_message_says_why():
    with pytest.raises(InputError, match=r"no 'er membrane', without which there are no junctions; it has .*cytosol"):
        with_junctions(discretise(ball(0.3, 0.15)))
    with pytest.raises(InputError, match=r"within 25 nm of the 'er membrane': the smallest distance is 40 nm; take"):
        with_junctions(box_with_cistern(40 * nm))
    with pytest.raises(InputError, match=r"within .um. is 0; it must be"):
        with_junctions(box_with_cistern(40 * nm), within=0.0)


@real
@pytest.mark.parametrize(("name", "elements", "area", "er_points"), [
    ("d1s3a107b1", 95, 0.02730, 183), ("d1s8a22b1", 14, 0.00749, 23), ("d1s10a24b1", 171, 0.07080, 305)])
def test_real_processes_have_junctions(name, elements, area, er_points):
    """Regressions of what we find; the data's own counts of ER points in contact are 183, 0 and 31."""
    mesh = discretise(load(DATA / f"{name}.msh", cut="membrane"))
    found, plasma, er = with_junctions(mesh)[JUNCTIONS], mesh["plasma membrane"], mesh["er membrane"]
    assert len(found) == elements
    assert found.total == pytest.approx(area, abs=1e-5)
    assert (distances(er.centres, plasma.centres, plasma.cells, 25 * nm)[0] <= 25 * nm).sum() == er_points


# A co-located ER

def test_a_store_has_its_share_of_every_element():
    mesh = with_store(discretise(ball(0.3, 0.15)), 0.2, 3.0)
    cytosol, er, membrane = mesh["cytosol"], mesh["er"], mesh["er membrane"]
    assert er.measure == pytest.approx(0.2 * cytosol.measure, rel=1e-15)
    assert membrane.measure == pytest.approx(3.0 * cytosol.measure, rel=1e-15)
    assert membrane.dimension == 2
    assert np.array_equal(er.centres, cytosol.centres)
    assert np.array_equal(membrane.touches["cytosol"], np.arange(len(cytosol)))
    assert np.array_equal(membrane.touches["er"], np.arange(len(cytosol)))
    assert abs(stiffness(er) - 0.2 * stiffness(cytosol)).max() < 1e-15


def test_a_tortuous_store_conducts_less():
    mesh = discretise(ball(0.3, 0.15))
    slow, straight = with_store(mesh, tortuosity=2.0)["er"], with_store(mesh)["er"]
    assert slow.transmissibility == pytest.approx(straight.transmissibility / 4, rel=1e-15)


def test_D7_a_flux_through_the_stores_membrane_raises_calcium_by_surface_to_volume():
    mesh = with_store(discretise(cylinder(0.1, 0.5, 0.08)), 0.2, 3.0)
    ca, store = Species("calcium", mesh["cytosol"], D=220), Species("ER calcium", mesh["er"], 400.0, D=220)
    J = 5.0
    rate = assemble(Model([ca, store], [Source(mesh["er membrane"], ca, J), Source(mesh["er membrane"], store, -J)]))
    gain = rate.rate(rate.initial(), 0.0)
    n = len(mesh["cytosol"])
    assert gain[:n] == pytest.approx(J * 3.0, rel=1e-10)
    assert gain[n:] == pytest.approx(-J * 3.0 / 0.2, rel=1e-10)


def test_a_leak_from_a_store_keeps_all_calcium():
    mesh = discretise(cylinder(0.1, 0.5, 0.08))
    filled = np.clip(2 * mesh["cytosol"].centres[:, 0], 0, 1)
    mesh = with_store(mesh, filled=filled)
    ca, store = Species("calcium", mesh["cytosol"], 0.1, D=220), Species("ER calcium", mesh["er"], 400.0, D=220)
    run = simulate(Model([ca, store], [ERLeak(mesh["er membrane"], ca, store, permeability=1.0)]), 0.2,
                   [total(ca), total(store)])
    amount = run["total calcium"] + run["total ER calcium"]
    assert np.abs(amount / amount[0] - 1).max() < 1e-12
    assert run["total calcium"][-1] > 100 * run["total calcium"][0]


def test_a_store_that_fills_a_part_is_only_there():
    mesh = discretise(cylinder(0.1, 1.0, 0.06))
    x = mesh["cytosol"].centres[:, 0]
    part = with_store(mesh, 0.2, 3.0, filled=np.where(x > 0.5, 0.5, 0.0))
    er, membrane, cytosol = part["er"], part["er membrane"], part["cytosol"]
    here = np.flatnonzero(x > 0.5)
    assert np.array_equal(membrane.touches["cytosol"], here)
    assert np.array_equal(membrane.touches["er"], np.arange(len(here)))
    assert np.array_equal(er.centres, cytosol.centres[here])
    assert er.measure == pytest.approx(0.1 * cytosol.measure[here], rel=1e-15)
    assert membrane.total == pytest.approx(1.5 * cytosol.measure[here].sum(), rel=1e-12)
    K = stiffness(cytosol)[here][:, here]
    between = np.abs(stiffness(er) - 0.1 * K)
    between.setdiag(0)  # what would leave the part does not
    assert between.max() < 1e-15
    assert np.abs(stiffness(er).sum(axis=1)).max() < 1e-14
    assert er.centres[er.cells][..., 0].min() > 0.5


def test_a_store_filled_unequally_conducts_by_the_harmonic_mean():
    mesh = discretise(cylinder(0.1, 1.0, 0.06))
    filled = 0.2 + 0.8 * mesh["cytosol"].centres[:, 0]
    er = with_store(mesh, 0.2, 3.0, filled=filled)["er"]
    one, other = filled[er.links].T
    expected = 0.2 * mesh["cytosol"].transmissibility / (0.5 / one + 0.5 / other)
    assert er.transmissibility == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("options", "message"), [
    ({"volume_ratio": 0.0}, "volume_ratio is 0; it must be a finite number > 0"),
    ({"surface_to_volume": -1.0}, "surface_to_volume .1/um. is -1; it must be"),
    ({"tortuosity": np.nan}, "tortuosity is nan; it must be"),
    ({"filled": 1.5}, "filled goes up to 1.5; it must be 0 to 1, and not 0 everywhere"),
    ({"filled": 0.0}, "filled goes up to 0; it must be 0 to 1"),
    ({"filled": np.ones(3)}, r"filled has shape \(3,\); 'cytosol' has"),
    ({"within": "plasma membrane"}, "'plasma membrane' is no volume; the ER must lie within one")])
def test_a_store_that_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        with_store(discretise(ball(0.3, 0.15)), **options)


def test_a_second_er_is_refused():
    mesh = with_store(discretise(ball(0.3, 0.15)))
    with pytest.raises(InputError, match="has a place 'er' already"):
        with_store(mesh)


def test_O2_li_rinzel_oscillates_in_a_cylinder_with_a_co_located_er_as_in_a_cell_without_space():
    mesh = with_store(discretise(cylinder(0.1, 0.5, 0.1)))
    cytosol, membrane = mesh["cytosol"], mesh["er membrane"]
    ca = Species("calcium", cytosol, 0.1, D=220, scale=1.0)
    store = Species("ER calcium", mesh["er"], (2.0 - 0.1) / 0.185, D=220)
    ip3 = Species("IP3", cytosol, 0.5, D=280, scale=1.0)
    h = Species("h", membrane, 0.8, unit="1")
    model = Model([ca, store, ip3, h], [
        LiRinzel(membrane, ca, store, ip3, h), SERCA(membrane, ca, store), ERLeak(membrane, ca, store)])
    run = simulate(model, 40.0, [mean(ca)], tolerance=Tolerance(1e-3))
    t, c = run.times, run["mean calcium"]
    peaks = refined_peaks(t[t > 10], c[t > 10])
    assert len(peaks) >= 2
    assert peaks[-1][0] - peaks[-2][0] == pytest.approx(11.492, rel=0.02)
    assert peaks[-1][1] == pytest.approx(0.44456, rel=0.02)
    assert c[t > 10].min() == pytest.approx(0.10770, rel=0.02)


# Lumen in the voids

def cytosol_with_voids(*bricks: tuple[int, int, int]) -> Tetrahedra:
    """A box of 1 x 1 x 1 um of cytosol, with bricks of 0.2 um left out, as a file would give it."""
    x = np.linspace(0, 1, 6)
    points = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    cells = positively_oriented(points, kuhn((6, 6, 6)))
    brick = np.floor(points[cells].mean(axis=1) * 5).astype(int)
    cells = cells[~(brick[:, None] == np.array(bricks)).all(axis=2).any(axis=1)]
    region, regions = np.zeros(len(cells), np.int64), (Region("cytosol"),)
    return Tetrahedra(points, cells, region, regions, membranes(points, cells, region, regions))


VOIDS = {"one": [(2, 2, 2)], "long": [(1, 2, 2), (2, 2, 2), (3, 2, 2)], "apart": [(1, 1, 1), (3, 3, 3), (3, 1, 3)],
         "sharing an edge": [(1, 1, 2), (2, 2, 2)], "sharing a vertex": [(1, 1, 1), (2, 2, 2)]}


@pytest.mark.parametrize("bricks", VOIDS.values(), ids=VOIDS)
def test_voids_are_filled_to_the_brim(bricks):
    hollow = cytosol_with_voids(*bricks)
    full = resolved_lumen(hollow)
    lumen = full.cells_of("er")
    assert (full.volumes > 0).all()
    assert full.volumes[lumen].sum() == pytest.approx(0.008 * len(bricks), rel=1e-9)
    assert full.volumes.sum() == pytest.approx(1.0, rel=1e-12)
    assert full.regions == (Region("cytosol"), Region("er"))
    assert np.array_equal(full.points[:len(hollow.points)], hollow.points)
    assert np.array_equal(full.cells[:len(hollow.cells)], hollow.cells)


def same_triangles(one: Ints, other: Ints) -> bool:
    """Whether they are the same, and turn the same way, in whatever order."""
    def turned(triangles: Ints) -> Ints:
        start = triangles.argmin(axis=1)[:, None]
        return np.unique(np.take_along_axis(triangles, (start + np.arange(3)) % 3, axis=1), axis=0)
    return np.array_equal(turned(one), turned(other))


def test_a_filled_void_has_the_membranes_that_a_mesh_with_er_would_have():
    full = resolved_lumen(cytosol_with_voids(*VOIDS["long"]))
    found = membranes(full.points, full.cells, full.region, full.regions)
    assert set(found) == set(full.membranes) == {"plasma membrane", "er membrane"}
    for name, triangles in found.items():
        assert same_triangles(triangles, full.membranes[name]), name


def test_lumen_and_cytosol_meet_at_the_membrane_and_only_there():
    mesh = discretise(resolved_lumen(cytosol_with_voids(*VOIDS["long"])))
    membrane, er, cytosol = mesh["er membrane"], mesh["er"], mesh["cytosol"]
    assert er.total == pytest.approx(0.024, rel=1e-12)
    assert membrane.total == pytest.approx(14 * 0.04, rel=1e-12)
    assert np.array_equal(er.centres[membrane.touches["er"]], membrane.centres)
    assert np.array_equal(cytosol.centres[membrane.touches["cytosol"]], membrane.centres)
    x = er.centres[:, 0]
    assert x @ stiffness(er) @ x == pytest.approx(er.total, rel=1e-12)  # exact for linear fields
    ca, store = Species("calcium", cytosol, 0.1, D=220), Species("ER calcium", er, 400 * (x > 0.5), D=220)
    sealed = simulate(Model([ca, store]), 0.01, [total(ca), total(store), mean(store)])
    assert sealed["total ER calcium"] == pytest.approx(sealed["total ER calcium"][0], rel=1e-12)
    leak = simulate(Model([ca, store], [ERLeak(membrane, ca, store, permeability=10.0)]), 0.01,
                    [total(ca), total(store)])
    amount = leak["total calcium"] + leak["total ER calcium"]
    assert amount == pytest.approx(amount[0], rel=1e-12)
    assert leak["total calcium"][-1] > 2 * leak["total calcium"][0]


@real
@pytest.mark.parametrize("name", ["d1s3a107b1", "d1s8a22b1", "d1s10a24b1"])
def test_the_er_of_real_processes_is_filled_piece_by_piece(name):
    hollow = load(DATA / f"{name}.msh")
    volume = void_volumes(hollow.points, hollow.membranes["er membrane"]).volumes.sum()
    full = resolved_lumen(hollow)
    lumen = full.cells_of("er")
    assert full.volumes[lumen].sum() == pytest.approx(volume, rel=1e-9)
    assert radius_ratio(full.points, full.cells[lumen]).min() > POOR
    mesh = discretise(full)
    assert mesh["er"].total == pytest.approx(volume, rel=1e-9)
    assert set(mesh["er membrane"].touches) == {"er", "cytosol"}
    assert set(with_junctions(mesh)[JUNCTIONS].touches) == {"er", "cytosol", "plasma membrane", "er membrane"}


def test_a_box_that_cuts_a_void_open_is_told():
    hollow = cytosol_with_voids(*VOIDS["apart"])
    low, high = hollow.points.min(axis=0), hollow.points.max(axis=0)
    whole = np.column_stack([low - 1, high + 1]).ravel().tolist()
    assert not any("er membrane" in words for words in cropped(hollow, whole)[1])
    er = hollow.points[hollow.membranes["er membrane"]]
    _, said = cropped(hollow, [float(er[..., 0].mean()), *whole[1:]], largest=True)
    assert "'er membrane': surface" in said[-1]
    assert "cut beside it, or fill it before" in said[-1]


def test_what_cannot_be_filled_is_named():
    with pytest.raises(InputError, match=r"no 'er membrane', so no void to fill; it has \['plasma membrane'\]"):
        resolved_lumen(ball(0.3, 0.15))
    hollow = cytosol_with_voids(*VOIDS["apart"])
    with pytest.raises(InputError, match="has a region 'er' already; only voids can be filled"):
        resolved_lumen(resolved_lumen(hollow))
    opened = {**hollow.membranes, "er membrane": hollow.membranes["er membrane"][1:]}
    with pytest.raises(InputError, match=r"surface . of 3 is open at 3 edges"):
        resolved_lumen(replace(hollow, membranes=opened))


def test_a_piece_that_crosses_itself_is_named():
    hollow = cytosol_with_voids(*VOIDS["apart"])
    points = hollow.points.copy()
    points[np.abs(points - 0.2).max(axis=1) < 1e-9] = (0.25, 0.3, 0.7)  # a corner of a void, pulled through a side
    with pytest.raises(InputError, match=r"piece \d of 3 of the ER, of 12 triangles around .* cannot be filled"):
        resolved_lumen(replace(hollow, points=points))
