"""Diffusion along membranes: laws, closed forms, exchange with the volume, and the other engines."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.sparse import diags
from scipy.sparse.linalg import eigsh
from scipy.spatial import Delaunay
from scipy.special import spherical_jn
from toy_places import icosphere, sphere, under_an_apex

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.load import load
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.geometry.voxels import Labels, load_labels, shrunk, voxel_mesh
from spatial.mechanisms.injection import Injection
from spatial.model import Channels, Event, Model, Reaction, Species
from spatial.observe.probes import at, each, total, weighted_sum
from spatial.simulate import FewMolecules, simulate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pap_er"
CROP = DATA.parent / "neuropil_seg" / "crop_pap_2um.npz"
D = 0.3  # um^2/s


def sheet(length: float, width: float, spacing: float, jitter: float = 0.0) -> Mesh:
    """A flat membrane in the plane z = 0, from the origin, in triangles whose inner corners are moved at random."""
    axes = [np.linspace(0, side, round(side / spacing) + 1) for side in (length, width)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    inner = ((points > 0) & (points < [length, width])).all(axis=1)
    moved = points + inner[:, None] * np.random.default_rng(1).uniform(-jitter, jitter, points.shape) * spacing
    triangles = Delaunay(moved).simplices.astype(np.int64)
    flat = np.column_stack([moved, np.zeros(len(moved))])
    return discretise(under_an_apex(flat, triangles, (length / 2, width / 2, 1.0)))


def rough(refinements: int) -> Mesh:
    """A sphere whose points are moved along it at random and joined as before: many angles are obtuse."""
    points, triangles = icosphere(refinements)
    moved = points + np.random.default_rng(0).normal(scale=0.28 / 2 ** refinements, size=points.shape)
    return discretise(under_an_apex(moved / np.linalg.norm(moved, axis=1)[:, None], triangles, (0.0, 0.0, 0.0)))


def rates(place: Place, count: int) -> Floats:
    """(count,) slowest rates of decay [1/s] at D = 1, without the one of what is even."""
    K, M = stiffness(place).tocsc(), diags(place.measure).tocsc()
    found = eigsh(K, k=count + 1, M=M, sigma=-0.05, return_eigenvectors=False)
    return np.sort(found)[1:]


def legendre(place: Place, degree: int) -> Floats:
    """(n,) Y_1 or Y_2, not normalised, around the z-axis."""
    z = place.centres[:, 2] / np.linalg.norm(place.centres, axis=1)
    return z if degree == 1 else (3 * z ** 2 - 1) / 2


# Laws

@pytest.mark.parametrize("mesh", [lambda: sphere(2), lambda: rough(2), lambda: sheet(1.0, 0.6, 0.1, 0.3),
                                  lambda: discretise(shapes.cylinder(0.25, 1.0, 0.15))],
                         ids=["sphere", "rough sphere", "sheet", "cylinder"])
def test_the_energy_of_a_linear_field_is_the_square_of_its_slope_along_the_membrane(mesh):
    place = mesh()[PLASMA_MEMBRANE]
    a, b, c = np.moveaxis(place.centres[place.cells], 1, 0)
    normal = np.cross(b - a, c - a) / 2
    area, slope = np.linalg.norm(normal, axis=1), np.array([2.0, -3.0, 5.0])
    field = place.centres @ slope
    expected = (slope @ slope * area - (normal @ slope) ** 2 / area).sum()
    assert field @ stiffness(place) @ field == pytest.approx(expected, rel=1e-11)
    assert abs(stiffness(place) - stiffness(place).T).max() == 0.0


def test_on_a_flat_membrane_a_linear_field_is_in_balance_off_the_rim():
    place = sheet(1.0, 0.6, 0.1, jitter=0.3)[PLASMA_MEMBRANE]
    outflow = stiffness(place) @ (1.0 + place.centres @ [2.0, -3.0, 0.0])
    inner = ((place.centres > 1e-9) & (place.centres < np.array([1.0, 0.6, 0]) - 1e-9))[:, :2].all(axis=1)
    assert inner.sum() > 20
    assert np.abs(outflow[inner]).max() < 1e-12 * np.abs(outflow).max()


def test_from_any_start_amounts_are_kept_nothing_is_negative_and_all_becomes_even_whatever_the_angles():
    place = rough(2)[PLASMA_MEMBRANE]
    assert (place.transmissibility < 0).mean() > 0.08
    first = np.zeros(len(place))
    first[7] = 1e3
    receptor = Species("receptor", place, first, D=D, unit="1/um^2")
    run = simulate(Model([receptor]), 20.0, [total(receptor), each(receptor)], tolerance=Tolerance(1e-3))
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12
    assert run["receptor"].min() >= 0.0
    np.testing.assert_allclose(run["receptor"][-1], first[7] * place.measure[7] / place.total, rtol=1e-2)


@pytest.mark.parametrize("engine", ["implicit", "explicit", "fipy"])
def test_a_patch_of_receptors_on_a_cell_is_even_after_sixteen_of_its_slowest_time_constants(engine):
    place = discretise(shapes.ball(0.5, 0.2))[PLASMA_MEMBRANE]
    patch = np.where(place.centres[:, 2] > 0.2, 3.0, 0.0)
    receptor = Species("receptor", place, patch, D=1.0, unit="1/um2")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run = simulate(Model([receptor]), 2.0, [each(receptor), total(receptor)], engine=engine)
    np.testing.assert_allclose(run["receptor"][-1], place.measure @ patch / place.total, rtol=0.02)
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12


def test_membranes_that_meet_in_an_edge_are_places_of_their_own_and_one_name_is_one_place():
    apart = discretise(shapes.cylinder(0.25, 0.5, 0.2))
    wall, end = apart[PLASMA_MEMBRANE], apart["left end"]
    assert {tuple(x) for x in wall.centres} & {tuple(x) for x in end.centres}
    on_wall, on_end = Species("on wall", wall, 1.0, D=D), Species("on end", end, 0.0, D=D)
    run = simulate(Model([on_wall, on_end]), 1.0, [total(on_wall), total(on_end)])
    assert run["total on wall"][-1] == pytest.approx(wall.total, rel=1e-12)
    assert run["total on end"][-1] == 0.0
    box = discretise(shapes.box((0.5, 0.5, 0.5), 0.2))[PLASMA_MEMBRANE]
    marked = Species("marked", box, (box.centres[:, 2] == 0.0) * 6.0, D=D)
    run = simulate(Model([marked]), 20.0, [each(marked)])
    np.testing.assert_allclose(run["marked"][-1], marked.initial @ box.measure / box.total, rtol=1e-2)


def test_three_sheets_of_one_name_that_share_an_edge_exchange_through_it():
    corners = np.array([[0.0, 0, 0], [0, 0, 1], [1, 0, 0], [-1, 1, 0], [-1, -1, 0], [-1, 0, 0.5]])
    triangles = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    place = discretise(under_an_apex(corners[:5], triangles, (-3.0, 0.1, 0.5)))[PLASMA_MEMBRANE]
    outflow = stiffness(place) @ place.centres[:, 2]
    assert place.centres[:, 2] @ outflow == pytest.approx(place.total, rel=1e-12)
    receptor = Species("receptor", place, np.array([0.0, 0, 1, 0, 0]), D=1.0)
    assert np.ptp(simulate(Model([receptor]), 50.0, [each(receptor)])["receptor"][-1]) < 1e-2


def test_flat_triangles_are_refused():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0]])
    shape = under_an_apex(corners[:3], np.array([[0, 1, 2]]), (0.0, 0.0, 1.0))
    shape = replace(shape, points=corners, membranes={"wall": np.array([[0, 1, 2], [0, 1, 4]])})
    with pytest.raises(InputError, match=r"^'wall' has 1 flat triangles; repair the mesh first$"):
        discretise(shape)


# Closed forms

def test_on_a_sphere_modes_decay_at_l_l_plus_1_D_over_R_squared_at_second_order(record_property):
    radius, errors = 0.5, []
    for refinements in (2, 3, 4):
        found = rates(sphere(refinements, radius)[PLASMA_MEMBRANE], 8)
        errors.append([found[:3].mean() * radius ** 2 / 2 - 1, found[3:].mean() * radius ** 2 / 6 - 1])
        assert np.ptp(found[:3]) < 1e-6 * found[0]
    errors = np.abs(errors)
    order = np.log2(errors[:-1] / errors[1:])
    record_property("errors", errors)
    record_property("order", order)
    assert errors[1:].max() < 0.01
    assert order.min() > 1.9


@pytest.mark.parametrize("degree", [1, 2])
def test_a_run_follows_the_decay_of_Y_1_and_Y_2(degree):
    place = sphere(3)[PLASMA_MEMBRANE]
    shape = legendre(place, degree)
    receptor = Species("receptor", place, 10.0 + 5.0 * shape, D=D, unit="1/um^2")
    wave = weighted_sum("wave", "1", {receptor: shape * place.measure})
    until = 1.0 / (degree * (degree + 1) * D)
    run = simulate(Model([receptor]), until, [wave, total(receptor)], tolerance=Tolerance(1e-4))
    even = 10.0 * (shape @ place.measure)
    decayed = (run["wave"][-1] - even) / (run["wave"][0] - even)
    assert -np.log(decayed) == pytest.approx(1.0, rel=0.01)
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12


def test_obtuse_angles_leave_the_rate_right():
    place = rough(4)[PLASMA_MEMBRANE]
    assert (place.transmissibility < 0).mean() > 0.08
    found = rates(place, 8)
    np.testing.assert_allclose(found[:3], 2.0, rtol=0.002)
    np.testing.assert_allclose(found[3:], 6.0, rtol=0.01)


def test_a_rim_is_sealed_on_a_rectangle_and_on_a_disc():
    length = 1.0
    flat = sheet(length, 0.4, 0.05, jitter=0.3)[PLASMA_MEMBRANE]
    np.testing.assert_allclose(rates(flat, 2), [np.pi ** 2, 4 * np.pi ** 2], rtol=0.01)
    disc = discretise(shapes.cylinder(0.5, 0.2, 0.07))["left end"]
    np.testing.assert_allclose(rates(disc, 2), (1.841184 / 0.5) ** 2, rtol=0.01)  # the first zero of J_1'


@dataclass(frozen=True)
class Binding:
    """What is in the cytosol binds to the membrane and lets go again."""

    where: Place
    free: Species
    bound: Species
    on: float  # um/s
    off: float  # 1/s

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        net = self.on * c[self.free] - self.off * c[self.bound]
        return {self.free: -net, self.bound: net}

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return [Reaction({self.free: -1, self.bound: 1}, self.on * c[self.free]),
                Reaction({self.bound: -1, self.free: 1}, self.off * c[self.bound])]


ON, OFF, IN_CYTOSOL = 2.0, 3.0, 1.0  # um/s, 1/s, um^2/s


def rate_of_both() -> float:
    """The slowest rate [1/s] of l = 1 in a ball of 1 um with a membrane that binds: j_1(k r) inside, M on it."""
    def missing(k: float) -> float:
        rate, inside = IN_CYTOSOL * k ** 2, spherical_jn(1, k)
        on_membrane = ON * inside / (2 * D + OFF - rate)
        return IN_CYTOSOL * k * spherical_jn(1, k, derivative=True) + ON * inside - OFF * on_membrane
    return IN_CYTOSOL * brentq(missing, 0.1, 0.99 * np.sqrt((2 * D + OFF) / IN_CYTOSOL)) ** 2


def test_what_binds_in_the_cytosol_and_spreads_on_the_membrane_decays_as_the_closed_form_says(record_property):
    mesh = discretise(shapes.ball(1.0, 0.2))
    inside, membrane = mesh["cytosol"], mesh[PLASMA_MEMBRANE]
    rate = rate_of_both()
    k, r = np.sqrt(rate / IN_CYTOSOL), np.linalg.norm(inside.centres, axis=1)
    radial = np.divide(spherical_jn(1, k * r), r, out=np.full(len(r), k / 3), where=r > 1e-9)
    on_membrane = ON * spherical_jn(1, k) / (2 * D + OFF - rate)
    free = Species("free", inside, 5.0 + 3.0 * radial * inside.centres[:, 2], D=IN_CYTOSOL)
    bound = Species("bound", membrane, 5.0 * ON / OFF + 3.0 * on_membrane * legendre(membrane, 1), D=D)
    wave = weighted_sum("wave", "1", {one: one.place.measure * one.place.centres[:, 2] for one in (free, bound)})
    model = Model([free, bound], [Binding(membrane, free, bound, ON, OFF)])
    run = simulate(model, 1 / rate, [wave, total(free), total(bound)], tolerance=Tolerance(1e-4))
    amount = run["total free"] + run["total bound"]
    even = 5.0 * inside.measure @ inside.centres[:, 2] + 5.0 * ON / OFF * membrane.measure @ membrane.centres[:, 2]
    found = -np.log((run["wave"][-1] - even) / (run["wave"][0] - even))
    record_property("rate over the closed form", found)
    assert np.abs(amount / amount[0] - 1).max() < 1e-12
    assert found == pytest.approx(1.0, rel=0.01)


def even_cylinder(radius: float, length: float) -> Tree:
    return Tree(np.array([[0.0, 0, 0], [length, 0, 0]]), np.array([-1, 0]), np.full(2, radius))


def test_along_the_membrane_of_slices_the_slowest_mode_is_that_of_a_cylinder_with_discs_at_its_ends():
    radius, length = 0.2, 2.0
    k = brentq(lambda k: k * radius / 2 - 1 / np.tan(k * length / 2), 0.1, 0.999 * np.pi / length)
    for thickness, error in ((0.1, 1e-3), (0.0125, 3e-4)):
        place = sliced(even_cylinder(radius, length), thickness)[PLASMA_MEMBRANE]
        assert rates(place, 1)[0] == pytest.approx(k ** 2, rel=error)


def test_along_a_cone_of_slices_conductances_are_exact_and_forks_lose_nothing():
    cone = Tree(np.array([[0.0, 0, 0], [2.0, 0, 0]]), np.array([-1, 0]), np.array([0.4, 0.1]))
    place = sliced(cone, 0.25)[PLASMA_MEMBRANE]
    near, far = (0.4 - 0.15 * x for x in (0.125, 1.875))  # radii at the middles of the first slice and the last
    expected = np.hypot(2.0, 0.3) / 0.3 * np.log(near / far) / (2 * np.pi)
    assert (1 / place.transmissibility).sum() == pytest.approx(expected, rel=1e-12)
    fork = Tree(np.array([[0.0, 0, 0], [1, 0, 0], [2, 1, 0], [2, -1, 0]]), np.array([-1, 0, 1, 1]), np.full(4, 0.1))
    place = sliced(fork, 0.2)[PLASMA_MEMBRANE]
    receptor = Species("receptor", place, np.eye(len(place))[0], D=1.0)
    run = simulate(Model([receptor]), 60.0, [total(receptor), each(receptor)], tolerance=Tolerance(1e-3))
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12
    np.testing.assert_allclose(run["receptor"][-1], place.measure[0] / place.total, rtol=0.01)


# Voxels

def voxels(inside: Any, side: float = 0.1) -> Mesh:
    """The mesh of the voxels that are inside, "cell", and of those that are not, with sides of so many um."""
    return voxel_mesh(Labels(np.asarray(inside).astype(np.int64), (side, side, side)), {"cell": 1})


def offsets(shape: tuple[int, int, int], centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    """Three arrays: how far [voxels] the middle of each voxel lies from a point near the middle of the block."""
    axes = [np.arange(count) + 0.5 - count / 2 - x for count, x in zip(shape, centre, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def voxel_ball(radius: float, centre: tuple[float, float, float]) -> Mesh:
    """A ball of a radius in voxels of 0.1 um."""
    count = int(2 * radius) + 8
    x, y, z = offsets((count, count, count), centre)
    return voxels(x ** 2 + y ** 2 + z ** 2 < radius ** 2)


@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (0.3, 0.11, 0.47)], ids=["on grid", "off grid"])
@pytest.mark.parametrize("radius", [6.0, 10.0])
def test_on_a_voxel_sphere_modes_decay_as_on_the_sphere_not_as_on_its_staircase(radius, centre, record_property):
    place = voxel_ball(radius, centre)["cell|ecs"]
    found = rates(place, 8) * (0.1 * radius) ** 2
    record_property("over the closed form", found / np.repeat([2.0, 6.0], [3, 5]) - 1)
    np.testing.assert_allclose(found[:3], 2.0, rtol=0.02)
    np.testing.assert_allclose(found[3:], 6.0, rtol=0.03)


def test_on_voxels_amounts_are_kept_and_all_becomes_even():
    place = voxel_ball(4.0, (0.3, 0.11, 0.47))["cell|ecs"]
    receptor = Species("receptor", place, 100.0 * np.eye(len(place))[5], D=D, unit="1/um^2")
    run = simulate(Model([receptor]), 4.0, [total(receptor), each(receptor)], tolerance=Tolerance(1e-3))
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12
    assert run["receptor"].min() >= 0.0
    np.testing.assert_allclose(run["receptor"][-1], run["total receptor"][0] / place.total, rtol=0.01)


@pytest.mark.parametrize("radius", [1.5, 2.0, 4.0])
def test_along_a_process_of_a_few_voxels_the_slowest_mode_is_that_of_a_cylinder(radius):
    _, y, z = offsets((40, 12, 12), (0.0, 0.2, -0.1))
    place = voxels(np.hypot(y, z) < radius)["cell|ecs"]
    assert rates(place, 1)[0] == pytest.approx((np.pi / 4.0) ** 2, rel=0.05)


@pytest.mark.parametrize(("slope", "error"), [(0.0, 0.003), (0.3, 0.03)])
def test_a_membrane_of_voxels_is_sealed_where_the_block_ends(slope, error):
    x, _, z = offsets((30, 6, 30))
    place = voxels(z < slope * x + 0.1, 1 / 30)["cell|ecs"]
    assert rates(place, 1)[0] == pytest.approx(np.pi ** 2 / (1 + slope ** 2), rel=error)


def test_cells_that_meet_in_an_edge_of_voxels_have_membranes_that_are_not_joined():
    inside = np.zeros((6, 6, 6))
    inside[2, 2, 2] = inside[3, 3, 2] = 1
    place = voxels(inside)["cell|ecs"]
    cell = place.touches["cell"]
    assert len(place) == 12
    assert len(place.links) == 2 * 12
    np.testing.assert_array_equal(cell[place.links[:, 0]], cell[place.links[:, 1]])


def test_nothing_diffuses_where_two_cells_share_a_single_face_and_a_strip_is_a_row():
    labels = np.zeros((6, 6, 6), np.int64)
    labels[2, 2, 2], labels[3, 2, 2] = 1, 2
    assert len(voxel_mesh(Labels(labels, (0.1, 0.1, 0.1)), {"one": 1, "other": 2})["one|other"].links) == 0
    strip = np.repeat([[1], [2]], 2, axis=0).reshape(4, 1, 1) * np.ones((4, 4, 1), np.int64)
    place = voxel_mesh(Labels(strip, (0.1, 0.1, 0.1)), {"one": 1, "other": 2})["one|other"]
    np.testing.assert_allclose(place.transmissibility, np.ones(3))


# The other engines

@pytest.mark.parametrize("make", [lambda: sphere(2)[PLASMA_MEMBRANE],
                                  lambda: voxel_ball(3.0, (0.3, 0.11, 0.47))["cell|ecs"]], ids=["triangles", "voxels"])
def test_fipy_agrees(make):
    place = make()
    receptor = Species("receptor", place, 10.0 + 5.0 * legendre(place, 1), D=D, unit="1/um^2")
    ours, theirs = (simulate(Model([receptor]), 1.0, [each(receptor), total(receptor)], tolerance=Tolerance(1e-3),
                             engine=engine) for engine in ("spatial", "fipy"))
    np.testing.assert_allclose(theirs["receptor"][-1], ours["receptor"][-1], rtol=1e-3)
    assert theirs["total receptor"][-1] == pytest.approx(theirs["total receptor"][0], rel=1e-12)


def test_counted_molecules_spread_at_the_same_rate_and_none_is_lost():
    place = sphere(2)[PLASMA_MEMBRANE]
    shape = legendre(place, 1)
    receptor = Species("receptor", place, 5e4 * (1 + shape), D=D, unit="1/um^2")
    wave = weighted_sum("wave", "1", {receptor: shape * place.measure})
    run = simulate(Model([receptor]), 1 / (2 * D), [wave, total(receptor)], method="stochastic", seed=2)
    assert run["total receptor"][-1] == run["total receptor"][0]
    noise = np.sqrt(1 / 3 / run["total receptor"][0]) / (run["wave"][0] / run["total receptor"][0])
    assert noise < 0.003
    assert run["wave"][-1] / run["wave"][0] == pytest.approx(np.exp(-1.0), rel=0.01)


def test_points_that_let_out_onto_a_membrane_where_nothing_diffuses_are_no_mistake():
    mesh = sphere(2).with_points("delivery", [(0.0, 0, 1)], touching=[PLASMA_MEMBRANE])
    receptor = Species("receptor", mesh[PLASMA_MEMBRANE], unit="1/um^2")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        simulate(Model([receptor], [Injection(mesh["delivery"], receptor, 1.0)]), 1.0, [total(receptor)])
    assert [str(warning.message) for warning in said] == []


@dataclass(frozen=True)
class Flicker:
    """Random channels that are there for their name; what is on the membrane is made at a steady rate."""

    where: Place
    made: Species

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.made: 1.0}

    @property
    def events(self) -> tuple[Event, ...]:
        return (Channels((self.made,), path=lambda c, t, horizon, rng: Still()),)


class Still:
    """The path of channels that do nothing."""

    first = np.inf

    def gains(self, dt: float) -> dict[Species, Any]:
        return {}


@pytest.mark.parametrize(("density", "is_few"), [(1e2, True), (1e6, False)])
def test_molecules_per_area_near_a_channel_are_counted_as_they_are(density, is_few):
    place = sphere(3, radius=0.3)[PLASMA_MEMBRANE]
    receptor = Species("receptor", place, density, D=D, unit="1/um^2")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        simulate(Model([receptor], [Flicker(place, receptor)]), 1e-3, [total(receptor)])
    assert is_few == any(issubclass(warning.category, FewMolecules) for warning in said)


@pytest.mark.parametrize(("mesh", "position", "nearest"), [
    (lambda: sheet(1.0, 0.6, 0.1), (0.43, 0.2, 0.0), 0.4),
    (lambda: sliced(even_cylinder(0.2, 2.0), 0.1), (0.43, 0.0, 0.19), 0.45)], ids=["triangles", "slices"])
def test_between_the_elements_of_a_membrane_the_nearest_counts_alone(mesh, position, nearest):
    place = mesh()[PLASMA_MEMBRANE]
    receptor = Species("receptor", place, place.centres[:, 0], unit="1/um^2")
    run = simulate(Model([receptor]), 0.1, [at(receptor, position, "here")])
    assert run["here"][0] == pytest.approx(nearest)


def test_counted_molecules_bind_and_let_go_in_the_right_proportion():
    mesh = discretise(shapes.ball(0.5, 0.25))
    free = Species("free", mesh["cytosol"], 20.0, D=5.0)
    bound = Species("bound", mesh[PLASMA_MEMBRANE], 0.0, D=1.0, scale=1.0, unit="uM um")
    model = Model([free, bound], [Binding(mesh[PLASMA_MEMBRANE], free, bound, 2.0, 20.0)])
    run = simulate(model, 1.0, [total(free), total(bound)], every=0.01, method="stochastic", seed=3)
    area, volume = mesh[PLASMA_MEMBRANE].total, mesh["cytosol"].total
    expected = 20.0 * volume * 0.1 * area / (volume + 0.1 * area)
    assert run["total bound"][20:].mean() == pytest.approx(expected, rel=0.01)
    assert run["total free"][-1] + run["total bound"][-1] == pytest.approx(run["total free"][0], rel=1e-12)


# Real membranes

def test_counted_molecules_are_refused_where_triangles_are_so_stretched_that_their_jumps_have_another_D():
    points, triangles = icosphere(3)
    place = discretise(under_an_apex(points * [1, 1, 2], triangles, (0.0, 0.0, 0.0)))[PLASMA_MEMBRANE]
    receptor = Species("receptor", place, 1e3, D=D, unit="1/um^2")
    with pytest.raises(InputError, match=r"^the triangles or voxels of 'plasma membrane' are so stretched that "
                                         r"molecules which jump from one to the next would diffuse 7% too slowly; "):
        simulate(Model([receptor]), 0.1, method="stochastic")


@pytest.mark.skipif(not DATA.is_dir(), reason="the meshes of perisynaptic processes are not here")
def test_on_real_membranes_of_a_process_and_its_er_amounts_are_kept_and_become_even():
    mesh = discretise(load(DATA / "d1s3a107b1.msh"))
    for name in (PLASMA_MEMBRANE, ER_MEMBRANE):
        place = mesh[name]
        field = place.centres @ np.array([1.0, 2.0, -1.0])
        receptor = Species("receptor", place, field - field.min() + 0.1, D=1.0)
        run = simulate(Model([receptor]), 0.1, [total(receptor), each(receptor)])
        assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12
        assert run["receptor"].min() >= 0.0
        assert run["receptor"][-1].std() < 0.9 * run["receptor"][0].std()


@pytest.mark.slow
@pytest.mark.skipif(not CROP.is_file(), reason="the segmented neuropil is not here")
def test_on_the_membrane_of_a_segmented_astrocyte_amounts_are_kept_and_differences_fade():
    place = voxel_mesh(shrunk(load_labels(CROP), 0.014), {"astrocyte": 9})["astrocyte|ecs"]
    receptor = Species("receptor", place, 1.0 + place.centres[:, 0], D=0.1)
    run = simulate(Model([receptor]), 0.1, [total(receptor), each(receptor)])
    assert np.abs(run["total receptor"] / run["total receptor"][0] - 1).max() < 1e-12
    assert run["receptor"].min() > 0.0
    assert np.average((run["receptor"][-1] - 2) ** 2, weights=place.measure) < np.average(
        (run["receptor"][0] - 2) ** 2, weights=place.measure)
