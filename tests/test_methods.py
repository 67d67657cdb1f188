"""Each one-step method by itself: order, steady states, conservation, stability, and which one a run takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_mechanisms import Source, Spikes
from toy_places import random_tetrahedra, spot

from spatial._engine.linear.blocks import left, product, relaxed, smoothers, times
from spatial._engine.linear.implicit import implicit, prepare
from spatial._engine.linear.multigrid import cycle, levels
from spatial._engine.linear.place_matrix import place_matrix
from spatial._engine.methods.chebyshev import Chebyshev, chebyshev, stages_for
from spatial._engine.methods.method import Method
from spatial._engine.methods.rosenbrock import ROS2, ROS34PW2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.operators.diffusion import bands, even, rows, spread, spread_along, spread_evenly, stiffness
from spatial._engine.operators.registers import sums, zeros
from spatial._engine.operators.team import Team
from spatial._engine.stepping.stepper import Continuous
from spatial._engine.system.assembly import assemble
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.bricks import graded_grid
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.injection import Injection
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import each, total
from spatial.simulate import simulate

Floats = NDArray[np.float64]
METHODS: dict[str, tuple[Callable[[System], Method], int]] = {
    "ROS2": (lambda system: Rosenbrock(prepare(system), ROS2), 2),
    "ROS34PW2": (lambda system: Rosenbrock(prepare(system), ROS34PW2), 3),
    "Chebyshev": (chebyshev, 2)}


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> tuple[Callable[[System], Method], int]:
    return METHODS[request.param]


def steps(method: Method, u: Floats, until: float, count: int) -> Floats:
    """The state after `count` equal steps with accurate linear solves."""
    system, dt = method.system, until / count
    for k in range(count):
        t = k * dt
        u, _ = method.start(u, t, system.rate(u, t), tolerated(system, u, Tolerance(1e-10))).take(dt)
    return u


@dataclass(frozen=True)
class Forced:
    """Relaxation towards 1 + sin(20 t), which is the solution, in a nonlinear way."""

    where: Place
    species: Species

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        wanted = 1 + np.sin(20 * t)
        return {self.species: 5 * (wanted**2 - c[self.species]**2) + 20 * np.cos(20 * t)}


def test_order_in_time_with_rates_that_depend_on_time(method):
    make, order = method
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    system = assemble(Model([c], [Forced(place, c)]))
    counts = np.array([40, 80, 160])
    errors = [abs(steps(make(system), system.initial(), 0.5, n)[0] - 1 - np.sin(10.0)) for n in counts]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] >= order - 0.1


def buffered(place: Place) -> Model:
    """Ca2+ and a mobile buffer, spread unevenly."""
    x = place.centres[:, 0]
    calcium = Species("Ca", place, 1.0 + x, D=20.0)
    free, bound = Species("buffer", place, 5.0, D=5.0), Species("Ca.buffer", place, 1.0, D=5.0)
    return Model([calcium, free, bound], [Buffer(place, calcium, free, bound, kon=10.0, K=1.0)])


def test_every_method_goes_to_the_same_solution_and_keeps_the_books(method):
    make, _ = method
    system = assemble(buffered(random_tetrahedra(4, 60)))
    u = system.initial()
    reference = steps(Rosenbrock(prepare(system), ROS34PW2), u, 0.02, 400)
    found = steps(make(system), u, 0.02, 200)
    np.testing.assert_allclose(found, reference, rtol=1e-4)
    V, before, after = system.model.species[0].place.measure, system.state(u), system.state(found)
    calcium, free, bound = system.model.species
    for pair in ((calcium, bound), (free, bound)):
        amounts = [sum(float(V @ state[one]) for one in pair) for state in (before, after)]
        assert amounts[1] == pytest.approx(amounts[0], rel=1e-13)


def test_a_steady_state_stays_whatever_the_step(method):
    make, _ = method
    place = pool("pool", [1.0])
    c, gone = Species("c", place, 2.0), Species("gone", place, signed=True)
    model = Model([c, gone], [Conversion(place, c, gone, 50.0), Source(place, c, 100.0), Source(place, gone, -100.0)])
    system = assemble(model)
    for dt in (1e-6, 1e-3, 10.0):
        np.testing.assert_allclose(steps(make(system), system.initial(), dt, 1), [2.0, 0.0], atol=1e-12)


def test_the_error_estimate_falls_with_its_order(method):
    make, _ = method
    system = assemble(buffered(pool("pool", [1.0])))
    u, one = system.initial(), make(system)
    allowed, lengths = tolerated(system, u, Tolerance(1e-10)), (1e-3, 5e-4)
    estimates = [np.abs(one.start(u, 0.0, system.rate(u, 0.0), allowed).take(dt)[1]).max() for dt in lengths]
    assert np.log2(estimates[0] / estimates[1]) == pytest.approx(one.order, abs=0.35)


# The stabilised explicit method

def test_chebyshev_steps_are_stable_far_beyond_those_of_euler():
    place = grid("ecs", (0, 0, 0), (4, 4, 4), 0.5)
    c = Species("c", place, np.random.default_rng(0).random(len(place)), D=1000.0)
    system = assemble(Model([c]))
    one = chebyshev(system)
    fastest = one.fastest_rate(linearise(system, system.initial(), 0.0))
    assert fastest == pytest.approx(12 * 1000.0 / 0.5**2, rel=1e-9)  # Gershgorin, inside the grid
    u = steps(one, system.initial(), 40.0, 20)  # 2 s a step: Euler's limit is 2 / fastest = 0.04 ms
    before, after = (np.abs(values - c.initial.mean()).max() for values in (c.initial, u))
    assert after < 0.3 * before
    assert stages_for(2.0 * fastest) == 385


def test_the_fastest_rate_bounds_the_eigenvalues_of_stiff_reactions():
    place = pool("pool", [1.0])
    calcium, free = Species("Ca", place, 0.1), Species("buffer", place, 100.0)
    bound = Species("Ca.buffer", place, 10.0)
    system = assemble(Model([calcium, free, bound], [Buffer(place, calcium, free, bound, kon=100.0, K=1.0)]))
    u = system.initial()
    jacobian = linearise(system, u, 0.0).blocks["pool"][0]
    found = chebyshev(system).fastest_rate(linearise(system, u, 0.0))
    assert abs(np.linalg.eigvals(jacobian)).max() <= found < 100 * abs(np.linalg.eigvals(jacobian)).max()


class Noting(Chebyshev):
    """It notes when the fastest rate is found."""

    def find(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> None:
        found_at.append(t)
        super().find(u, t, f, tolerated)


found_at: list[float] = []


def noting(system: System) -> Noting:
    found_at.clear()
    return Noting(system, chebyshev(system).spreading)


def test_the_fastest_rate_is_found_every_tenth_step_and_anew_after_an_event():
    place = grid("ecs", (0, 0, 0), (4, 4, 4), 0.5)
    c = Species("c", place, np.random.default_rng(0).random(len(place)), D=10.0)
    one = noting(assemble(Model([c])))
    steps(one, one.system.initial(), 0.25, 25)
    np.testing.assert_allclose(found_at, [0.0, 0.1, 0.2])
    assert (one.kept.steps, one.kept.fastest) == (5, pytest.approx(1.2 * 12 * 10.0 / 0.5**2))
    one.forget()
    steps(one, one.system.initial(), 0.01, 1)
    np.testing.assert_allclose(found_at, [0.0, 0.1, 0.2, 0.0])


def test_the_fastest_rate_is_found_anew_where_a_step_is_rejected_but_once():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    one = noting(assemble(Model([c], [Source(place, c, 1.0)])))
    u = one.system.initial()
    attempts = [one.start(u, t, one.system.rate(u, t), {c: 1.0}) for t in (0.0, 1.0)]
    attempts[1].take(0.1)
    assert found_at == [0.0]
    for _ in range(3):
        attempts[1].take(0.05)
    assert found_at == [0.0, 1.0]


def test_an_event_in_a_run_has_the_fastest_rate_found_anew():
    place = grid("ecs", (0, 0, 0), (4, 4, 4), 0.5)
    c = Species("c", place, np.random.default_rng(0).random(len(place)), D=10.0)
    instants = np.array([0.013, 0.029])
    model = Model([c], [Spikes(place, c, instants, 1.0)])
    run = Continuous(noting(assemble(model)), assemble(model).initial(), Tolerance(), np.random.default_rng(0))
    for stop in (*instants, 0.05):
        while run.t < stop:
            run.onward(stop)
        run.at_instant()
    assert set(instants) <= set(found_at)


# Which method a run takes

def spreading(side: float) -> tuple[Model, Species]:
    place = grid("ecs", (0, 0, 0), (side,) * 3, 1.0)
    c = Species("c", place, 0.0, D=100.0, scale=0.1)
    return Model([c], [Injection(spot(place, 7), c, 100.0, stop=0.01)]), c


def test_a_run_is_explicit_where_the_model_is_large_and_hardly_stiff():
    model, c = spreading(40.0)
    run = simulate(model, 0.02, [total(c), each(c)], every=1.0, at_events=True, tolerance=Tolerance(1e-3))
    assert run.provenance["method"] == "Chebyshev"
    assert run["total c"][-1] == pytest.approx(1.0, rel=1e-12)
    other = simulate(model, 0.02, [each(c)], every=1.0, engine="implicit", tolerance=Tolerance(1e-3))
    np.testing.assert_allclose(run["c"][-1], other["c"][-1], atol=5e-3 * run["c"].max())


def test_a_run_is_implicit_where_it_is_small_or_stiff():
    small, _ = spreading(10.0)
    model, c = spreading(40.0)
    stiff = model.with_mechanisms(Conversion(c.place, c, Species("gone", c.place), 1e9))
    assert simulate(small, 0.02).provenance["method"] == "Rosenbrock"
    species = [c, stiff.mechanisms[-1].product]
    assert simulate(Model(species, stiff.mechanisms), 1e-4).provenance["method"] == "Rosenbrock"
    assert simulate(small, 0.02, engine="explicit").provenance["method"] == "Chebyshev"


def test_an_engine_that_is_not_there_is_refused():
    model, _ = spreading(10.0)
    with pytest.raises(InputError, match=r"^engine is 'neuron'; it must be one of 'spatial', 'implicit', 'explicit', "
                                         r"'fipy'$"):
        simulate(model, 0.1, engine="neuron")


# Linear algebra

def operator(m: int) -> tuple[Any, Floats, Floats, Floats]:
    place = random_tetrahedra(2, 400)
    rng = np.random.default_rng(m)
    B = np.eye(m) + rng.random((len(place), m, m)) / m
    return stiffness(place), place.measure, 10.0 ** rng.uniform(-3, 1, m), B


def inverses(blocks: Floats) -> Floats:
    """(n, m, m) inverses of the blocks, as the smoother finds them where nothing diffuses."""
    n, m, _ = blocks.shape
    found = np.empty_like(blocks)
    smoothers(zeros(m), blocks, np.zeros(m), np.zeros(n), np.ones(n), 1.0, found, 0, n)
    return found


def by_source(blocks: Floats) -> Floats:
    """Blocks as the sweeps store them."""
    return np.ascontiguousarray(blocks.transpose(0, 2, 1))


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 9, 20])
def test_compiled_sweeps_are_the_matrix_they_stand_for(m):
    K, V, tau, B = operator(m)
    x, b = np.random.default_rng(0).random((2, len(V), m))
    y, wanted = np.empty_like(x), np.einsum("nsr,nr->ns", B, x) + tau * (K @ x) / V[:, None]
    stored = by_source(B)
    times(sums(m), *rows(K), V, tau, stored, x, y, 0, len(V))
    np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-14 * abs(wanted).max())
    left(sums(m), *rows(K), V, tau, stored, b, x, y, 0, len(V))
    np.testing.assert_allclose(y, b - wanted, atol=1e-10 * abs(wanted).max())
    inverse = inverses(B)
    np.testing.assert_allclose(inverse @ B, np.broadcast_to(np.eye(m), B.shape), atol=1e-12)
    relaxed(sums(m), *rows(K), V, tau, stored, by_source(inverse), b, x, y, 0, len(V))
    np.testing.assert_allclose(y, x + np.einsum("nsr,nr->ns", inverse, b - wanted), atol=1e-10 * abs(wanted).max())
    gain = np.zeros_like(x)
    spread(sums(m), *rows(K), V, tau, x, gain, 0, len(V))
    np.testing.assert_allclose(gain, -tau * (K @ x) / V[:, None], atol=1e-10 * abs(wanted).max())


def reacting(n: int, m: int) -> Floats:
    """(n, m, m) near diagonally dominant blocks, half of them zeros, of rates of very different sizes."""
    rng = np.random.default_rng(m)
    linked, sizes = rng.random((m, m)) < 0.5, 10.0 ** rng.uniform(-4, 4, m)
    J = rng.random((n, m, m)) * linked * sizes[:, None] / sizes / m
    return np.eye(m) * (1.0 + rng.random((n, m, m))) + J


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 20, 34])
def test_inverses_of_blocks_compiled_for_each_number_of_species_are_inverses(m):
    blocks = reacting(50, m)
    before = blocks.copy()
    found, wanted = inverses(blocks), np.linalg.inv(blocks)
    np.testing.assert_array_equal(blocks, before)
    size = np.abs(wanted).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found - wanted) <= 1e-12 * size).all()


@pytest.mark.parametrize("D", [(1.0, 2.0, 3.0), (0.0, 5.0, 0.0, 0.1, 2.0), (0.0, 0.0, 0.0), (0.0, 1.0)], ids=str)
def test_without_links_the_preconditioner_is_the_inverse_whatever_diffuses(D):
    """The still species are eliminated, and the smoother alone is left for those that move."""
    place = pool("pool", np.linspace(1.0, 2.0, 60))
    diffusion, team, h = np.array(D), Team(None), 1e-3
    hierarchy = levels(stiffness(place), place.measure)
    blocks = reacting(len(place), len(D))
    J = (np.eye(len(D)) - blocks) / h
    matrix = place_matrix(hierarchy, diffusion, J, h, np.ones(len(D)), team)
    x = np.random.default_rng(0).random((len(place), len(D)))
    y, found = np.empty_like(x), np.empty_like(x)
    matrix.times(x, y)
    matrix.precondition(y, found)
    np.testing.assert_allclose(found, x, rtol=1e-8)


def test_the_smoother_is_the_damped_inverse_of_the_blocks_on_the_diagonal():
    place = discretise(shapes.ball(0.5, 0.1))["cytosol"]
    tau, B = np.array([0.1, 1e-3, 2.0]), reacting(len(place), 3)
    hierarchy = levels(stiffness(place), place.measure)
    found = cycle(hierarchy, tau, B, Team(None)).smoother[0]
    finest = hierarchy[0]
    stiff = finest.diagonal / finest.V
    diagonal = B + stiff[:, None, None] * np.diag(tau)
    wanted = finest.damping * np.linalg.inv(diagonal)
    np.testing.assert_allclose(found, wanted, atol=1e-12 * np.abs(wanted).max())


def test_a_grid_is_bands_and_a_tetrahedral_mesh_is_not():
    place = grid("ecs", (0, 0, 0), (5.0, 4.0, 3.0), 0.5, volume_fraction=0.2, tortuosity=1.6)
    along, c, D = bands(place), np.random.default_rng(0).random((len(place), 1)), np.array([7.0])
    assert bands(random_tetrahedra(1)) is None
    one, other = np.zeros((2, len(place), 1))
    spread(zeros(1), *rows(stiffness(place)), place.measure, D, c, one, 0, len(place))
    for part in ((0, 100), (100, len(place))):
        spread_along(along.apart, along.across, place.measure, D, c, other, *part)
    np.testing.assert_allclose(other, one, atol=1e-12 * abs(one).max())


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("shape", [(5, 4, 6), (2, 2, 2), (3, 1, 4), (4, 5, 1), (1, 1, 7), (6, 1, 1), (2, 3, 1)],
                         ids=str)
def test_on_an_even_grid_nothing_is_read_of_bricks_and_faces_are_sealed(shape, m):
    edges = [size * np.arange(n + 1) for n, size in zip(shape, (0.5, 1.0, 0.25), strict=True)]
    place = graded_grid("ecs", edges, 0.2, (1.6, 1.2, 2.0))
    box = even(place, bands(place))
    c, D = 1e3 * np.random.default_rng(0).random((len(place), m)), np.linspace(7.0, 9.0, m)
    wanted, found, level = np.zeros((3, len(place), m))
    spread(zeros(m), *rows(stiffness(place)), place.measure, D, c, wanted, 0, len(place))
    lines = box.shape[0] * box.shape[1]
    for part in ((0, lines // 2), (lines // 2, lines)):
        spread_evenly(box.shape, box.exchange, D, c.ravel(), found.reshape(-1), *part)
        spread_evenly(box.shape, box.exchange, D, np.full_like(c, 0.3).ravel(), level.reshape(-1), *part)
    np.testing.assert_allclose(found, wanted, atol=1e-12 * abs(wanted).max())
    assert not level.any()
    assert (abs(place.measure @ found) <= 1e-14 * (place.measure @ abs(found))).all()


def test_a_grid_with_a_brick_missing_or_larger_is_not_even():
    edges, alpha = [np.arange(5.0)] * 3, np.full((4, 4, 4), 0.2)
    assert even(graded_grid("ecs", edges, alpha), bands(graded_grid("ecs", edges, alpha))) is not None
    for where, value in (((0, 0, 0), 0.0), ((3, 3, 3), 0.0), ((1, 2, 1), 0.0), ((2, 2, 2), 0.3)):
        changed = alpha.copy()
        changed[where] = value
        place = graded_grid("ecs", edges, changed)
        along = bands(place)
        assert along is None or even(place, along) is None
    stretched = graded_grid("ecs", [*edges[:2], np.array([0.0, 1.0, 2.0, 3.0, 4.1])])
    assert even(stretched, bands(stretched)) is None


def test_a_large_even_grid_keeps_its_amount():
    place = grid("ecs", (0, 0, 0), (40.0, 40.0, 40.0), 1.0)
    c = Species("c", place, np.random.default_rng(0).random(len(place)), D=100.0)
    system = assemble(Model([c]))
    assert list(system.even) == ["ecs"]
    run = simulate(Model([c]), 0.05, [total(c)], engine="explicit")
    assert np.ptp(run["total c"]) <= 1e-13 * run["total c"][0]


@pytest.mark.parametrize("tau", [(1e-3, 1e-4), (0.1, 0.01), (10.0, 1.0)])
def test_a_multigrid_cycle_leaves_little_of_any_error(tau):
    place = discretise(shapes.ball(0.5, 0.07))["cytosol"]
    K, V, many = stiffness(place), place.measure, np.array(tau)
    B = np.eye(2) + np.random.default_rng(2).random((len(V), 2, 2)) / 2
    hierarchy = levels(K, V)
    assert len(hierarchy) >= 2
    solve, wanted = cycle(hierarchy, many, B, Team(None)), np.random.default_rng(1).random((len(V), 2))
    b, x = np.empty_like(wanted), np.zeros_like(wanted)
    times(zeros(2), *rows(K), V, many, B, wanted, b, 0, len(V))
    for _ in range(10):
        rest = np.empty_like(x)
        left(zeros(2), *rows(K), V, many, B, b, x, rest, 0, len(V))
        x += solve(rest)
    assert abs(x - wanted).max() < 0.01 * abs(wanted).max()


@pytest.mark.parametrize("dt", [1e-6, 1e-3, 1.0])
def test_a_solve_is_one_with_the_whole_jacobian_and_keeps_amounts(dt):
    place = random_tetrahedra(3, 150)
    calcium = Species("Ca", place, 1.0 + place.centres[:, 0], D=200.0)
    free, bound = Species("buffer", place, 50.0), Species("Ca.buffer", place, 30.0)  # immobile: eliminated
    system = assemble(Model([calcium, free, bound], [Buffer(place, calcium, free, bound, kon=100.0, K=1.0)]))
    u, f = system.initial(), np.random.default_rng(0).standard_normal(system.layout.size)
    matrix = implicit(prepare(system), linearise(system, u, 0.0), dt, 1.0, tolerated(system, u, Tolerance(1e-9)))
    k = matrix.solve(f)
    assert abs(matrix.times(k) - f).max() < 1e-5 * abs(f).max()
    V, found, given = place.measure, system.state(k), system.state(f)
    for pair in ((calcium, bound), (free, bound)):
        kept = [sum(float(V @ state[one]) for one in pair) for state in (given, found)]
        assert kept[1] == pytest.approx(kept[0], abs=1e-12 * sum(float(V @ abs(given[one])) for one in pair))


@pytest.mark.parametrize("dt", [1e-5, 1e-3, 1e-1])
def test_the_preconditioner_knows_species_that_do_not_diffuse(dt):
    place = discretise(shapes.ball(0.5, 0.1))["cytosol"]
    calcium = Species("Ca", place, 1.0, D=200.0)
    free, bound = Species("buffer", place, 50.0), Species("Ca.buffer", place, 30.0)
    system = assemble(Model([calcium, free, bound], [Buffer(place, calcium, free, bound, kon=100.0, K=1.0)]))
    u, f = system.initial(), np.random.default_rng(0).random(system.layout.size)
    matrix = implicit(prepare(system), linearise(system, u, 0.0), dt, 1.0, tolerated(system, u, Tolerance()))
    x = np.empty_like(f)
    matrix.places["cytosol"].precondition(f.reshape(-1, 3), x.reshape(-1, 3))
    rest = (f - matrix.times(x)).reshape(-1, 3)
    assert abs(rest[:, 1:]).max() < 1e-9  # those rows are solved exactly
    assert np.linalg.norm(rest[:, 0]) < 0.4 * np.linalg.norm(f[::3])


def test_two_threads_and_one_give_the_same_numbers():
    model, c = spreading(40.0)  # 64 000 elements: shared between two
    system = assemble(model)
    assert len(c.place) > 30_000
    ends = []
    for team in (Team(), Team(None)):
        here = replace(system, team=team)
        ends.append(steps(Rosenbrock(prepare(here), ROS2), here.initial(), 1e-3, 2))
    np.testing.assert_array_equal(*ends)


# Events

def windowed(place: Place, **window: float) -> tuple[Model, Species]:
    c = Species("c", place, 0.0, scale=1.0)
    mechanisms: list[Mechanism] = [Injection(place, c, 3.0, **window)]
    return Model([c], mechanisms), c


@pytest.mark.parametrize("engine", ["implicit", "explicit"])
def test_an_injection_lasts_from_its_start_to_its_stop_exactly(engine):
    model, c = windowed(pool("pool", [1.0]), start=0.1, stop=0.35)
    run = simulate(model, 0.5, [total(c)], engine=engine)
    assert run["total c"][-1] == pytest.approx(3.0 * 0.25, rel=1e-12)
    assert {0.1, 0.35} <= set(run.times.tolist())


def test_an_injection_that_stops_before_it_starts_is_refused():
    with pytest.raises(InputError, match=r"^Injection: stop is 0.1 s; it must come after start, 0.2 s$"):
        windowed(pool("pool", [1.0]), start=0.2, stop=0.1)


# Error control

@pytest.mark.parametrize("engine", ["implicit", "explicit"])
def test_one_element_of_many_counts(engine):
    """The mean error of ten thousand elements says nothing of the one where something happens."""
    place, start = pool("pool", np.ones(10_000)), np.zeros(10_000)
    start[77] = 1.0
    c, gone = Species("c", place, start, scale=0.1), Species("gone", place, scale=1.0)
    run = simulate(Model([c, gone], [Conversion(place, c, gone, 100.0)]), 0.01, [each(c)], every=1.0, engine=engine)
    assert run["c"][-1, 77] == pytest.approx(np.exp(-1.0), rel=0.03)


def test_a_team_does_every_row_once():
    n = 40_001
    found = np.zeros((n, 1))
    for team in (Team(), Team(None)):
        found[:] = 0.0
        parts = team(product, n, zeros(1), np.full((n, 1, 1), 2.0), np.arange(n, dtype=float)[:, None], found)
        assert len(parts) == 2
        np.testing.assert_array_equal(found[:, 0], 2.0 * np.arange(n))


def test_an_even_field_does_not_drift():
    place = random_tetrahedra(6, 300)
    c = Species("c", place, 400.0, D=300.0)
    system = assemble(Model([c]))
    assert not system.rate(system.initial(), 0.0).any()


@dataclass(frozen=True)
class Late:
    """A smooth pulse of area 1 around 0.5 s, of which nothing is seen at first."""

    where: Place
    species: Species

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: np.exp(-0.5 * ((t - 0.5) / 0.05) ** 2) / (0.05 * np.sqrt(2 * np.pi)) if t > 0.2 else 0.0}


@pytest.mark.parametrize("engine", ["implicit", "explicit"])
def test_what_starts_later_is_not_stepped_over(engine):
    place = pool("pool", [1.0])
    c = Species("c", place, 0.0, scale=1.0)
    run = simulate(Model([c], [Late(place, c)]), 1.0, [total(c)], engine=engine)
    assert run["total c"][-1] == pytest.approx(1.0, rel=0.05)
