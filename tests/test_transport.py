"""Transport against closed forms; the names D1, D2 ... are those of biophysics.md, part B1."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.sparse import diags
from scipy.sparse.linalg import cg, eigsh
from scipy.special import erf, erfc
from toy_mechanisms import Decay, Source
from toy_places import random_tetrahedra, shells, spot

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.bricks import graded_grid
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.open_boundary import outer_faces
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import Probe, at, mean, total
from spatial.simulate import simulate
from spatial.units import MOLECULES, ms, um

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clamp:
    """Exchange with a bath of a fixed concentration, per measure of where it acts."""

    where: Place
    species: Species
    conductance: float
    bath: float = 0.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.conductance * (self.bath - c[self.species])}


@dataclass(frozen=True)
class Reaction:
    """Any local reaction f(c, t)."""

    where: Place
    species: Species
    f: Callable[[Floats, float], Floats]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.f(c[self.species], t)}


def field(species: Species) -> Probe:
    return Probe("field", "uM", lambda c: c[species].copy())


def steady(model: Model, species: Species, until: float, relative: float = 1e-3) -> Floats:
    """The field at the end of a long run."""
    return simulate(model, until, [field(species)], every=until, tolerance=Tolerance(relative))["field"][-1]


def at_times(model: Model, species: Species, times: Any, relative: float = 1e-3) -> list[Floats]:
    """The field at each time, on which steps land."""

    class Kept:
        fields: list[Floats] = []  # noqa: RUF012

        def write(self, t: float, c: Any) -> None:
            self.fields = [*self.fields, c[species].copy()]

    kept = Kept()
    simulate(model, max(times), tolerance=Tolerance(relative), frames=kept, frame_times=times)
    return kept.fields


def tube(length: float, spacing: float) -> Place:
    return grid("tube", [0, 0, 0], [length, spacing, spacing], spacing)


def slowest_rate(place: Place, inner: Floats | None = None) -> float:
    """Slowest rate of decay [1/s] at D = 1: sealed, or with the concentration zero on all but `inner`."""
    K, M = stiffness(place), diags(place.measure).tocsr()
    if inner is not None:
        K, M = K[inner][:, inner], M[inner][:, inner]
    sealed = inner is None
    found = eigsh(K.tocsc(), k=2 if sealed else 1, M=M.tocsc(), sigma=-0.05, return_eigenvectors=False)
    return float(np.max(found))


# Where nothing can diffuse

@pytest.mark.parametrize("name", ["release sites", "receptors", "far boundary", "pieces of ER", "half of it"])
def test_a_species_that_diffuses_where_no_link_joins_two_elements_is_refused(name):
    mesh = discretise(shapes.cylinder(0.25, 0.5, 0.2)).with_places(pool("pieces of ER", [1.0, 2.0]))
    cytosol = mesh["cytosol"]
    half = np.flatnonzero(cytosol.centres[:, 0] < 0.25)
    part = Place("half of it", 3, cytosol.measure[half], cytosol.centres[half], touches={"cytosol": half})
    block = grid("block", [0, 0, 0], [0.5, 0.5, 0.5], 0.25)
    mesh = mesh.with_places(part, block, outer_faces(block)).with_points_on("receptors", "left end", np.arange(3))
    mesh = mesh.with_points("release sites", [(0.1, 0, 0), (0.4, 0, 0)], touching=["cytosol"])
    with pytest.raises(InputError, match=rf"^species 'receptor': D is 0\.3 um\^2/s, but no link joins the \d+ elements "
                                         rf"of '{name}', so nothing would diffuse there; leave D at 0, or let it live "
                                         r"on a place whose elements are joined, such as a volume of a mesh, or a "):
        Species("receptor", mesh[name], D=0.3)
    assert Species("receptor", mesh[name]).D == 0


def test_links_that_let_nothing_through_join_nothing():
    closed = replace(tube(1.0, 0.25), transmissibility=np.zeros(3))
    with pytest.raises(InputError, match="no link joins the 4 elements of 'tube'"):
        Species("c", closed, D=1.0)


def test_a_piece_on_its_own_beside_others_that_are_joined_and_a_single_element_are_no_mistake():
    bricks = np.array([1.0, 1.0, 0.0, 1.0]).reshape(4, 1, 1)
    place = graded_grid("ecs", [np.arange(5.0), [0.0, 1.0], [0.0, 1.0]], bricks)
    c = Species("c", place, np.array([2.0, 0.0, 5.0]), D=1.0)
    np.testing.assert_allclose(steady(Model([c]), c, 100.0), [1.0, 1.0, 5.0], rtol=1e-3)
    assert Species("c", pool("all of it", [1.0]), D=1.0).D == 1.0


# Diffusion on tetrahedra

def test_effective_D_of_a_cylinder_is_right_to_a_thousandth_at_20k_tetrahedra(record_property):
    shape = shapes.cylinder(0.25, 4.0, 0.055)
    assert 18_000 < len(shape.cells) < 22_000
    effective = slowest_rate(discretise(shape)["cytosol"]) / (np.pi / 4.0) ** 2
    record_property("effective D - 1", effective - 1)
    assert effective == pytest.approx(1.0, abs=1e-3)


def test_order_in_space_on_tetrahedra_is_two(record_property):
    def error(size: float) -> float:
        place = discretise(shapes.box((1.0, 0.8, 0.6), size))["cytosol"]
        wave = np.pi / np.array([1.0, 0.8, 0.6])
        exact = np.prod(np.cos(wave * place.centres), axis=1)
        source = place.measure * (1 + wave @ wave) * exact
        operator = (stiffness(place) + diags(place.measure)).tocsr()
        found, unfinished = cg(operator, source, rtol=1e-10, M=diags(1 / operator.diagonal()))
        assert not unfinished
        return float(np.sqrt(place.measure @ (found - exact) ** 2 / place.total))

    sizes = np.array([0.07, 0.05, 0.035])
    errors = [error(size) for size in sizes]
    order = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    record_property("order", order)
    assert order >= 1.9


@pytest.mark.parametrize("seed", range(3))
def test_D14_diffusion_conserves_to_rounding(seed):
    place = random_tetrahedra(seed, 200)
    start = np.random.default_rng(seed).exponential(1.0, len(place)) ** 3
    c = Species("c", place, start, D=20.0)
    amount = simulate(Model([c]), 0.05, [total(c)])["total c"]
    assert np.abs(amount / amount[0] - 1).max() < 1e-12


# Point sources in homogenised extracellular space

def test_D1_D2_point_release_in_homogenised_ecs():
    N, alpha, tortuosity, D, h = 3000, 0.2, 1.6, 760.0, 0.465 / 8
    place = grid("ecs", [-24.5 * h] * 3, [24.5 * h] * 3, h, alpha, tortuosity)
    start = np.zeros(len(place))
    origin = place.nearest(np.zeros((1, 3)))
    start[origin] = N / MOLECULES / place.measure[origin]
    glutamate = Species("glutamate", place, start, D=D, scale=5.0)
    r = h * np.array([8.0, 10.0, 12.0])
    peaks = r ** 2 * tortuosity ** 2 / (6 * D)
    watch = [at(glutamate, np.outer(r, [1.0, 0.0, 0.0]))]
    run = simulate(Model([glutamate]), 2 * peaks[2], watch, tolerance=Tolerance(1e-3, longest=peaks[0] / 8))
    t, seen = run.times, run["glutamate at points"]
    for k in range(3):
        for wanted in (0.6 * peaks[k], peaks[k], 2 * peaks[k]):
            now = np.abs(t - wanted).argmin()
            spread = 4 * D * t[now]
            exact = N / MOLECULES * tortuosity ** 3 / (alpha * (np.pi * spread) ** 1.5)
            exact *= np.exp(-tortuosity ** 2 * r[k] ** 2 / spread)
            assert seen[now, k] == pytest.approx(exact, rel=0.02)
    top = seen[:, 0].argmax()
    parabola = np.polyfit(t[top - 2:top + 3] - t[top], seen[top - 2:top + 3, 0], 2)
    assert seen[top, 0] == pytest.approx(18.237, rel=0.02)
    assert t[top] - parabola[1] / (2 * parabola[0]) == pytest.approx(0.1214 * ms, rel=0.02)


PIPETTE = 3.62749e-13 / 1e-21  # mol/s to uM um^3/s


def tissue(loss: float) -> tuple[Model, Species]:
    """The TMA iontophoresis of Nicholson & Phillips 1981 in shells from a pipette of 5 um."""
    place = shells(np.r_[0.0, np.geomspace(5.0, 2000.0, 160)], 0.2, 1.6)
    tma = Species("TMA", place, 0.0, D=1310.0, scale=100.0)
    pipette = Source(spot(place, 0), tma, PIPETTE)
    return Model([tma], [pipette, Decay(place, tma, loss)]), tma


def at_100_um(fields: list[Floats], place: Place) -> Floats:
    r = place.centres[:, 0]
    return np.array([np.interp(100.0, r, r * c) / 100.0 for c in fields])


def test_D3_iontophoresis_in_homogenised_ecs():
    model, tma = tissue(0.0)
    found = at_100_um(at_times(model, tma, [1.0, 5.0, 10.0, 20.0, 50.0]), tma.place)
    np.testing.assert_allclose(found, [5.000, 457.312, 910.804, 1366.774, 1857.180], rtol=0.03)


def test_D3c_iontophoresis_with_loss_settles():
    model, tma = tissue(0.01)
    assert at_100_um([steady(model, tma, 2000.0)], tma.place)[0] == pytest.approx(1812.80, rel=0.01)


def test_D4_error_of_a_spreading_cube_falls_with_the_square_of_the_brick():
    D, t = 2620.0 / 1.6 ** 2, 1 * ms

    def one_dimension(spacing: float) -> tuple[float, float]:
        """The concentration found in the middle brick, and the exact mean over it, by images."""
        place = tube(21.0, spacing)
        x = place.centres[:, 0] - 10.5
        c = Species("c", place, (np.abs(x) < 4.5).astype(float), D=D)
        found = at_times(Model([c]), c, [t], 1e-6)[0][np.abs(x).argmin()]
        width = np.sqrt(4 * D * t)
        exact = quad(lambda y: sum(erf((y - s + 4.5) / width) - erf((y - s - 4.5) / width)
                                   for s in 21.0 * np.arange(-4, 5)) / 2, -spacing / 2, spacing / 2)[0] / spacing
        return found, exact

    errors = [abs((found / exact) ** 3 - 1) for found, exact in map(one_dimension, (1.0, 1 / 3, 1 / 9))]
    assert errors[0] < 0.02
    assert errors[0] > 5 * errors[1]
    assert errors[1] / errors[2] == pytest.approx(9, rel=0.1)


# Spheres

def ball_of_shells(a: float = 1.0, count: int = 100) -> Place:
    return shells(np.linspace(0.0, a, count + 1))


def absorbing(place: Place, species: Species) -> Clamp:
    """Zero concentration on the outer surface of shells of even thickness."""
    a = float(np.cbrt(3 * place.total / (4 * np.pi)))
    thickness = a / len(place)
    return Clamp(spot(place, len(place) - 1), species, species.D * 4 * np.pi * a ** 2 / (thickness / 2))


def test_D5_mean_of_a_sphere_emptying_through_its_surface():
    place = ball_of_shells()
    c = Species("c", place, 1.0, D=10.0)
    fields = at_times(Model([c], [absorbing(place, c)]), c, np.array([0.01, 0.05, 0.1]) / c.D)
    means = [place.measure @ one / place.total for one in fields]
    np.testing.assert_allclose(means, [0.691486, 0.393060, 0.229521], rtol=0.01)


D6_TIMES = np.array([0.02, 0.05, 0.1, 0.5, 1.0])
D6_PROFILE = np.array([[1e-6, 0.181923], [0.003424, 0.312165], [0.059878, 0.486762], [1.200019, 1.699996], [2.7, 3.2]])


def test_D6_constant_influx_into_a_sphere_of_shells():
    place, F = ball_of_shells(), 7.0
    c = Species("c", place, 0.0, D=10.0, scale=0.1)
    influx = Source(spot(place, len(place) - 1), c, F * 4 * np.pi)
    fields = np.array(at_times(Model([c], [influx]), c, D6_TIMES / c.D, 1e-4)) * c.D / F
    np.testing.assert_allclose(fields @ place.measure / place.total, 3 * D6_TIMES, rtol=1e-10)
    outer = 1.5 * fields[:, -1] - 0.5 * fields[:, -2]
    np.testing.assert_allclose(outer, D6_PROFILE[:, 1], rtol=0.01)
    np.testing.assert_allclose(fields[1:, 0], D6_PROFILE[1:, 0], rtol=0.01)


def test_D6_constant_influx_through_the_membrane_of_a_ball_of_tetrahedra():
    mesh, F = discretise(shapes.ball(1.0, 0.1)), 7.0
    place, membrane = mesh["cytosol"], mesh[shapes.PLASMA_MEMBRANE]
    c = Species("c", place, 0.0, D=10.0, scale=0.1)
    times = D6_TIMES[2:]
    fields = np.array(at_times(Model([c], [Source(membrane, c, F)]), c, times / c.D)) * c.D / F
    means = fields @ place.measure / place.total
    np.testing.assert_allclose(means, times * membrane.total / place.total, rtol=1e-10)
    np.testing.assert_allclose(means, 3 * times, rtol=0.005)
    at_surface = fields[:, membrane.touches["cytosol"]] @ membrane.measure / membrane.total
    np.testing.assert_allclose(at_surface, D6_PROFILE[2:, 1], rtol=0.01)
    middle = place.nearest(np.zeros((1, 3)))[0]
    offset = np.sum(place.centres[middle] ** 2) / 2
    np.testing.assert_allclose(fields[1:, middle] - offset, D6_PROFILE[3:, 0], rtol=0.01)


@pytest.mark.parametrize("shape", [shapes.box((1.0, 0.5, 0.1), 0.1), shapes.cylinder(0.2, 1.0, 0.1),
                                   shapes.ball(0.3, 0.1)], ids=["slab", "cylinder", "sphere"])
def test_D7_mean_rises_by_influx_times_surface_to_volume(shape):
    mesh, J, t = discretise(shape), 3.0, 0.01
    place, membrane = mesh["cytosol"], mesh[shapes.PLASMA_MEMBRANE]
    c = Species("c", place, 0.0, D=10.0)
    found = simulate(Model([c], [Source(membrane, c, J)]), t, [mean(c)])["mean c"][-1]
    assert found == pytest.approx(J * t * membrane.total / place.total, rel=1e-10)


@pytest.mark.parametrize(("a", "D", "tau"), [(0.1, 13.0, 0.769), (0.5, 13.0, 19.23), (1.0, 13.0, 76.9),
                                             (1.0, 220.0, 4.545)])
def test_D11_a_sphere_relaxes_as_its_radius_squared_over_D(a, D, tau):
    place = ball_of_shells(a, 40)
    c = Species("c", place, 1.0, D=D, scale=0.1)
    t = np.array([0.3, 0.5]) * a ** 2 / D
    early, late = at_times(Model([c], [absorbing(place, c)]), c, t)
    mode = (t[1] - t[0]) / np.log(place.measure @ early / (place.measure @ late))
    assert mode == pytest.approx(a ** 2 / (np.pi ** 2 * D), rel=0.02)
    assert mode == pytest.approx(tau * ms / np.pi ** 2, rel=0.02)


def test_D11_slowest_mode_of_an_absorbing_ball_of_tetrahedra():
    mesh = discretise(shapes.ball(1.0, 0.1))
    place = mesh["cytosol"]
    inner = np.setdiff1d(np.arange(len(place)), mesh[shapes.PLASMA_MEMBRANE].touches["cytosol"])
    assert slowest_rate(place, inner) == pytest.approx(np.pi ** 2, rel=0.02)


def test_slowest_mode_of_a_sealed_ball_of_tetrahedra():
    root = brentq(lambda x: 2 * x * np.cos(x) + (x ** 2 - 2) * np.sin(x), 1.5, 2.5)  # j1'(x) = 0
    place = discretise(shapes.ball(1.0, 0.1))["cytosol"]
    K, M = stiffness(place).tocsc(), diags(place.measure).tocsc()
    found = np.sort(eigsh(K, k=4, M=M, sigma=-0.05, return_eigenvectors=False))
    np.testing.assert_allclose(found[1:], root ** 2, rtol=0.01)


# Reaction and diffusion

@pytest.mark.parametrize(("D", "k", "expected"), [(13.0, 30.0, 0.658), (220.0, 30.0, 2.708)])
def test_D12_length_constant_of_extrusion_in_a_process(D, k, expected):
    place = tube(12 * expected, expected / 12)
    c = Species("c", place, 0.0, D=D)
    found = steady(Model([c], [Source(spot(place, 0), c, 1.0), Decay(place, c, k)]), c, 20 / k)
    middle = slice(24, 60)
    slope = np.polyfit(place.centres[middle, 0], np.log(found[middle]), 1)[0]
    assert -1 / slope == pytest.approx(np.sqrt(D / k), rel=0.01)
    assert -1 / slope == pytest.approx(expected * um, rel=0.01)


@pytest.mark.parametrize(("D", "k", "expected"), [(600 / 2.56, 0.35, 25.9), (300 / 2.56, 0.9, 11.4),
                                                  (320.0, 1262.0, 0.50)], ids=["adenosine", "ATP", "glutamate"])
def test_D13_reach_of_a_point_source_with_first_order_loss(D, k, expected):
    place = shells(np.linspace(0, 12 * expected, 241))
    c = Species("c", place, 0.0, D=D, scale=1e-4)
    found = steady(Model([c], [Source(spot(place, 0), c, D * expected), Decay(place, c, k)]), c, 20 / k)
    r = place.centres[:, 0]
    middle = slice(20, 100)
    slope = np.polyfit(r[middle], np.log(r[middle] * found[middle]), 1)[0]
    assert -1 / slope == pytest.approx(np.sqrt(D / k), rel=0.01)
    assert -1 / slope == pytest.approx(expected * um, rel=0.012)


def test_D15_manufactured_solution_with_a_reaction_has_order_two_in_space(record_property):
    D, k, until = 1.0, 3.0, 0.3

    def error(size: float) -> float:
        place = discretise(shapes.box((1.0, 0.8, 0.6), size))["cytosol"]
        wave = np.pi / np.array([1.0, 0.8, 0.6])
        mode = np.prod(np.cos(wave * place.centres), axis=1)

        def exact(t: float) -> Floats:
            return 2.0 + np.cos(5 * t) * mode

        def reaction(c: Floats, t: float) -> Floats:
            source = -5 * np.sin(5 * t) * mode + D * (wave @ wave) * np.cos(5 * t) * mode + k * exact(t) ** 2
            return source - k * c ** 2

        c = Species("c", place, exact(0.0), D=D)
        found = at_times(Model([c], [Reaction(place, c, reaction)]), c, [until], 1e-5)[0]
        return float(np.sqrt(place.measure @ (found - exact(until)) ** 2 / place.total))

    sizes = np.array([0.2, 0.1, 0.05])
    errors = [error(size) for size in sizes]
    order = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    record_property("order", order)
    assert order >= 1.9


def test_D16_a_nagumo_front_runs_at_its_speed():
    D, k, a = 20.0, 10.0, 0.1
    place = tube(80.0, 0.2)
    x = place.centres[:, 0]
    front = 1 / (1 + np.exp((x - 20.0) * np.sqrt(k / (2 * D))))
    u = Species("u", place, front, D=D)
    model = Model([u], [Reaction(place, u, lambda c, t: k * c * (1 - c) * (c - a))])
    early, late = at_times(model, u, [1.0, 4.0], 3e-4)
    run = np.interp(-0.5, -late, x) - np.interp(-0.5, -early, x)
    assert run / 3.0 == pytest.approx(8.0, rel=0.01)


def test_D9_clamped_end_of_a_long_tube():
    D, C0 = 100.0, 5.0
    place = tube(20.0, 0.05)
    x, width = place.centres[:, 0], 0.05
    c = Species("c", place, 0.0, D=D, scale=C0)
    end = Clamp(spot(place, 0), c, D * width ** 2 / (width / 2), C0)
    times = np.array([10.0, 20.0, 40.0]) * ms
    for t, found in zip(times, at_times(Model([c], [end]), c, times), strict=True):
        np.testing.assert_allclose(found, C0 * erfc(x / (2 * np.sqrt(D * t))), atol=0.01 * C0)
