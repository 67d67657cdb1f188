"""How far a release reaches: radius of effect, length constants, synapses and overlap against closed forms."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import lambertw

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial.analysis import spread
from spatial.analysis.spread import Reach, reach
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.shells import graded, rings, shells
from spatial.mechanisms.clearance import Conversion
from spatial.model import Model, Species
from spatial.observe.frames import Film
from spatial.simulate import simulate

Floats = NDArray[np.float64]
AMOUNT, ALPHA, LAMBDA, D = 13.0, 0.2, 1.6, 900.0  # uM um^3 of D-serine in neuropil
APPARENT = D / LAMBDA**2
MIDDLE = (0.0, 0.0, 0.0)
THRESHOLDS = (10.0, 1.0, 0.1)
TIMES = np.geomspace(1e-5, 1.0, 401)


def point_release(r: Floats, t: Floats) -> Floats:
    """(k, n) target D1: N lambda^3 / (alpha (4 pi D t)^1.5) exp(-lambda^2 r^2 / 4 D t)."""
    spread_of = 4 * APPARENT * t[:, None]
    return AMOUNT / (ALPHA * (np.pi * spread_of)**1.5) * np.exp(-r**2 / spread_of)


def over_after(threshold: float) -> float:
    """When the last of a release at a point falls below a threshold [s]."""
    return float((AMOUNT / (ALPHA * threshold))**(2 / 3) / (4 * np.pi * APPARENT))


def distances(place: Place) -> Floats:
    return np.linalg.norm(place.centres, axis=1)


@pytest.fixture(scope="module")
def neuropil() -> Place:
    return shells("ecs", graded(0.01, 100.0), ALPHA, LAMBDA)


@pytest.fixture(scope="module")
def seen(neuropil) -> dict[float, Reach]:
    """The reach of a point release as it is in closed form."""
    values = point_release(distances(neuropil), TIMES)
    return {one: reach(neuropil, TIMES, values, one, MIDDLE, ALPHA) for one in THRESHOLDS}


# Places


@pytest.mark.parametrize("place", [shells("ecs", graded(0.01, 20.0), 0.2, 1.6),
                                   rings("ecs", np.linspace(0, 2, 9), np.linspace(-1, 3, 12), 0.2, 1.6)], ids=repr)
def test_shells_and_rings_fill_their_space_and_are_sealed(place):
    whole = {"shells": 4 / 3 * np.pi * 20.0**3, "rings": np.pi * 4 * 4}["shells" if len(place) > 99 else "rings"]
    assert place.total == pytest.approx(0.2 * whole, rel=1e-12)
    K = stiffness(place)
    assert np.abs(K.sum(axis=0)).max() < 1e-12 * np.abs(K).max()
    assert np.abs(K - K.T).max() == 0
    assert place.transmissibility.min() > 0


def test_rings_are_exact_for_a_field_that_is_linear_along_their_axis():
    radii, heights = np.linspace(0.0, 1.0, 6), np.array([0.0, 0.2, 0.5, 0.9, 1.4])
    place = rings("ecs", radii, heights, 0.2, 1.6)
    flow = (stiffness(place) @ place.centres[:, 2]).reshape(5, 4)
    area = np.pi * np.diff(radii**2) * 0.2 / 1.6**2
    np.testing.assert_allclose(flow, np.outer(area, [-1.0, 0.0, 0.0, 1.0]), atol=1e-14)


def test_graded_radii_grow_by_one_factor_from_the_first_to_the_last():
    edges = graded(0.01, 100.0, 1.1)
    assert edges[[0, 1, -1]] == pytest.approx([0.0, 0.01, 100.0])
    assert edges[2:] / edges[1:-1] == pytest.approx(1.1, rel=0.01)
    assert np.ptp(edges[2:] / edges[1:-1]) < 1e-12


@pytest.mark.parametrize(("make", "message"), [
    (lambda: shells("ecs", np.array([0.0, 1.0, 1.0])),
     r"^the edges of 'ecs' must be 2 or more lengths >= 0 um, each larger than the last$"),
    (lambda: shells("ecs", np.array([1.0])), "^the edges of 'ecs' must be 2 or more"),
    (lambda: shells("ecs", np.array([0.0, 1.0]), 0.0), r"^ecs: volume fraction is 0; it must be a finite number > 0$"),
    (lambda: rings("ecs", np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.2, -1.0),
     r"^ecs: tortuosity is -1; it must be a finite number > 0$"),
    (lambda: rings("ecs", np.array([0.0, 1.0]), np.array([1.0, 0.0])), "^the edges of 'ecs' must be 2 or more"),
    (lambda: graded(2.0, 1.0), r"^graded radii go from 2 to 1 um; the last must be larger than the first$"),
    (lambda: graded(1.0, 2.0, 1.0), r"^graded radii: growth less 1 is 0; it must be a finite number > 0$")])
def test_edges_and_media_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


# Radius of effect


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_D1_the_radius_of_effect_of_a_point_release_follows_its_closed_form(seen, threshold):
    """R(t)^2 = 6 D* t ln(T/t), from C(R, t) = threshold."""
    end = over_after(threshold)
    exact = np.sqrt(np.maximum(6 * APPARENT * TIMES * np.log(end / TIMES), 0.0))
    assert np.abs(seen[threshold].radius - exact).max() < 2e-3 * exact.max()
    assert not seen[threshold].cut.any()


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_D1_the_largest_radius_of_effect_does_not_depend_on_diffusion(seen, threshold):
    """R_max = (N / (alpha c))^(1/3) sqrt(3 / (2 pi e)), at T/e."""
    expected = (AMOUNT / (ALPHA * threshold))**(1 / 3) * np.sqrt(3 / (2 * np.pi * np.e))
    assert seen[threshold].largest == pytest.approx(expected, rel=1e-3)
    assert spread.largest_radius(AMOUNT, threshold, ALPHA) == pytest.approx(expected, rel=1e-12)
    assert seen[threshold].time == pytest.approx(over_after(threshold) / np.e, rel=0.03)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_D1_each_distance_stays_above_threshold_between_two_roots(seen, threshold):
    """R(t) = r has the roots T exp(W(-x)), x = r^2 / (6 D* T), of both branches of Lambert's W."""
    end, far = over_after(threshold), seen[threshold].largest * np.array([0.5, 0.7, 0.9])
    x = far**2 / (6 * APPARENT * end)
    exact = end * np.real(np.exp(lambertw(-x, 0)) - np.exp(lambertw(-x, -1)))
    np.testing.assert_allclose(seen[threshold].duration(far), exact, rtol=5e-3)
    assert seen[threshold].duration(np.array([1.01 * seen[threshold].largest])) == 0


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_volume_above_threshold_is_that_of_the_ball_of_effect(seen, threshold):
    one = seen[threshold]
    wide = one.radius > 0.1  # ten times the first shell
    np.testing.assert_allclose(one.equivalent[wide], one.radius[wide], rtol=0.05 / 3)  # a third of a shell
    assert one.equivalent.max() == pytest.approx(one.largest, rel=2e-3)


def test_a_nearer_threshold_is_never_reached_farther(seen):
    far, near = seen[0.1], seen[1.0]
    assert (near.radius <= far.radius).all()
    assert (near.volume <= far.volume).all()


@pytest.mark.parametrize("bricks", [3, 5, 8])
def test_the_radius_does_not_jump_from_brick_to_brick(bricks):
    """A ball of effect of 1 um on bricks of a third to an eighth of it."""
    place = grid("ecs", (-2,) * 3, (2,) * 3, 1 / bricks, ALPHA)
    radii = np.linspace(0.9, 1.1, 21)
    values = np.exp(-(distances(place)**2 - radii[:, None]**2) / 2)
    found = reach(place, radii, values, 1.0, MIDDLE, ALPHA)
    assert (np.diff(found.radius) > 0).all()
    assert (np.diff(found.volume) > 0).all()
    np.testing.assert_allclose(found.radius, radii, rtol=0.1 / bricks)
    np.testing.assert_allclose(found.equivalent, radii, rtol=0.1 / bricks)


def test_where_nothing_is_above_threshold_the_radius_is_zero_and_where_all_is_it_is_cut():
    place = shells("ecs", np.array([0.0, 1.0, 2.0]))
    found = reach(place, np.arange(3.0), np.array([[0.5, 0.1], [2.0, 0.0], [3.0, 2.0]]), 1.0, MIDDLE)
    assert found.radius == pytest.approx([0.0, 1.0, 1.5])
    assert found.cut.tolist() == [False, False, True]
    assert found.volume[[0, 2]] == pytest.approx([0.0, place.total])
    assert found.duration(np.array([0.5, 1.25])) == pytest.approx([1.5, 0.5])


def test_a_region_with_a_hole_at_the_source_is_cut_where_the_place_ends():
    place = shells("ecs", np.array([0.0, 1.0, 2.0, 3.0]))
    found = reach(place, np.zeros(1), np.array([[0.0, 2.0, 2.0]]), 1.0, MIDDLE)
    assert found.radius == pytest.approx([2.5])
    assert found.cut.tolist() == [True]


def test_distances_count_from_the_source():
    place = grid("ecs", (-2,) * 3, (2,) * 3, 0.25)
    source = np.array([0.5, 0.25, 0.0])
    values = np.exp(-np.sum((place.centres - source)**2, axis=1))[None]
    assert reach(place, np.zeros(1), values, np.exp(-1.0), source).largest == pytest.approx(1.0, rel=0.03)


def test_the_run_of_a_release_reaches_as_far_as_its_closed_form(neuropil):
    start = np.zeros(len(neuropil))
    start[0] = AMOUNT / neuropil.measure[0]
    field = Species("D-serine", neuropil, start, D=D, scale=1e-6)
    film, times = Film(field), np.geomspace(1e-3, 0.1, 60)
    simulate(Model([field]), 0.1, frames=film, frame_times=times, tolerance=Tolerance(1e-3))
    found = reach(neuropil, film.times, film.values, 0.1, MIDDLE, ALPHA)
    assert found.largest == pytest.approx(spread.largest_radius(AMOUNT, 0.1, ALPHA), rel=5e-3)
    assert found.time == pytest.approx(over_after(0.1) / np.e, rel=0.05)


@pytest.mark.parametrize(("call", "message"), [
    (lambda place: reach(place, np.zeros(2), np.zeros((2, 3)), 1.0, MIDDLE),
     r"^values have shape \(2, 3\); for 2 times in 'ecs' they must have \(2, 190\)$"),
    (lambda place: reach(place, np.zeros(1), np.zeros((1, len(place))), 0.0, MIDDLE),
     r"^threshold is 0; it must be a finite number > 0$"),
    (lambda place: reach(place, np.zeros(1), np.zeros((1, len(place))), 1.0, MIDDLE, 0.0),
     r"^volume fraction is 0; it must be a finite number > 0$"),
    (lambda place: spread.largest_radius(-1.0, 1.0), r"^amount is -1; it must be a finite number > 0$"),
    (lambda place: spread.length_constant(1.0, 0.0), r"^loss is 0; it must be a finite number > 0$"),
    (lambda place: spread.apparent_diffusion(1.0, 0.0), r"^tortuosity is 0; it must be a finite number > 0$"),
    (lambda place: spread.fitted_length_constant(place, np.zeros(len(place)), MIDDLE, (1.0, 2.0)),
     r"^length constant: 0 values > 0 lie between 1 and 2 um; it needs 3$"),
    (lambda place: spread.mean_square_length(place, np.zeros(len(place)), MIDDLE),
     r"^values for a mean square length: their sum is 0; it must be a finite number > 0$"),
    (lambda place: spread.poisson_synapses(-1.0, np.random.default_rng(0)),
     r"^radius of the neighbourhood is -1; it must be a finite number >= 0$"),
    (lambda place: spread.overlap(place, np.zeros(3), np.zeros(4), 1.0),
     r"^two fields of shapes \(1, 3\) and \(1, 4\) cannot be summed in 'ecs', which has 190 elements$")])
def test_what_cannot_be_analysed_is_refused(neuropil, call, message):
    with pytest.raises(InputError, match=message):
        call(neuropil)


# Length constants


@pytest.mark.parametrize(("free", "loss", "expected"), [(600.0, 0.35, 25.9), (300.0, 0.9, 11.4),
                                                        (320.0 * 2.56, 1262.0, 0.50)], ids=["Ado", "ATP", "Glu"])
def test_D13_P8_length_constants_are_those_published(free, loss, expected):
    apparent = spread.apparent_diffusion(free, 1.6)
    assert spread.length_constant(apparent, loss) == pytest.approx(expected, rel=0.01)


def test_P8_the_exposure_to_a_short_release_falls_with_the_length_constant_of_adenosine():
    """What a release leaves over all time is the steady profile of a constant source, if clearance is linear."""
    place, times, (values,) = released([(600.0, 0.35)], 60.0)
    left, exact = spread.exposure(times, values), spread.length_constant(600.0 / LAMBDA**2, 0.35)
    fitted = spread.fitted_length_constant(place, left, MIDDLE, (10.0, 100.0))
    assert fitted == pytest.approx(25.9, rel=0.02)
    assert fitted == pytest.approx(exact, rel=0.005)
    assert spread.mean_square_length(place, left, MIDDLE) == pytest.approx(exact, rel=0.01)


def released(steps: list[tuple[float, float]], until: float) -> tuple[Place, Floats, list[Floats]]:
    """1 uM um^3 of the first molecule at a point, each with its free D and its conversion into the next."""
    place = shells("ecs", graded(0.05, 500.0, 1.07), ALPHA, LAMBDA)
    start = np.zeros(len(place))
    start[0] = 1 / place.measure[0]
    chain = [Species(str(k), place, start if k == 0 else 0.0, D=free, scale=1e-9) for k, (free, _) in enumerate(steps)]
    chain.append(Species("gone", place, scale=1e-9))
    films = [Film(one) for one in chain[:-1]]
    times = np.geomspace(1e-4, until, 100)

    class All:
        def write(self, t: float, c: Any) -> None:
            for film in films:
                film.write(t, c)

    simulate(Model(chain, [Conversion(place, one, after, loss) for one, after, (_, loss)
                           in zip(chain, chain[1:], steps, strict=False)]),
             until, frames=All(), frame_times=times, tolerance=Tolerance(1e-3))
    return place, times, [film.values for film in films]


@pytest.mark.slow
def test_P8_the_mean_square_lengths_of_a_cascade_add_up():
    steps = [(300.0, 0.9), (350.0, 1.5), (400.0, 0.6), (600.0, 0.35)]
    place, times, values = released(steps, 60.0)
    atp = spread.fitted_length_constant(place, spread.exposure(times, values[0]), MIDDLE, (5.0, 50.0))
    assert atp == pytest.approx(11.4, rel=0.02)  # target P8
    lengths = np.sqrt([free / LAMBDA**2 / loss for free, loss in steps])
    for k, field in enumerate(values):
        found = spread.mean_square_length(place, spread.exposure(times, field), MIDDLE)
        assert found == pytest.approx(np.sqrt(np.sum(lengths[:k + 1]**2)), rel=0.01)


def test_a_profile_that_does_not_fall_has_no_length_constant(neuropil):
    assert spread.fitted_length_constant(neuropil, np.ones(len(neuropil)), MIDDLE, (1.0, 2.0)) == np.inf


# Synapses


def test_G8_poisson_synapses_have_the_published_distance_to_their_nearest_neighbour():
    from scipy.spatial import cKDTree

    synapses = spread.poisson_synapses(20.0, np.random.default_rng(8))
    inner = synapses[np.linalg.norm(synapses, axis=1) < 18.0]
    assert len(inner) > 1e4
    nearest = cKDTree(synapses).query(inner, 2)[0][:, 1]
    assert nearest.mean() == pytest.approx(0.465, rel=0.01)


def test_drawn_synapses_are_as_many_as_expected_and_poisson():
    rng, volume = np.random.default_rng(1), 4 / 3 * np.pi
    counts = np.array([len(spread.poisson_synapses(1.0, rng)) for _ in range(2000)])
    expected = float(spread.expected_synapses(volume))
    assert expected == pytest.approx(1.69 * volume)
    assert counts.mean() == pytest.approx(expected, abs=3 * np.sqrt(expected / 2000))
    assert counts.var() == pytest.approx(expected, rel=0.1)


def test_drawn_synapses_fill_their_ball_evenly():
    r = np.linalg.norm(spread.poisson_synapses(10.0, np.random.default_rng(2)), axis=1)
    part = np.sort((r / 10.0)**3)
    assert np.abs(part - np.arange(len(r)) / len(r)).max() < 1.63 / np.sqrt(len(r))  # Kolmogorov, 1 %


def test_synapses_are_reached_where_the_field_was_ever_above_threshold():
    place = grid("ecs", (-2,) * 3, (2,) * 3, 0.25)
    field = np.array([0.0, 2.0])[:, None] * np.exp(-distances(place)**2)
    synapses = spread.poisson_synapses(2.0, np.random.default_rng(3))
    r = np.linalg.norm(synapses, axis=1)
    found = spread.reached(place, field, 1.0, synapses)
    radius = np.sqrt(np.log(2.0))
    assert found[r < radius - 0.22].all()  # half the diagonal of a brick
    assert not found[r > radius + 0.22].any()


# Overlap


def two(apart: float, place: Place) -> tuple[Floats, Floats]:
    """Two sources `apart` [um] on the axis."""
    return tuple(np.linalg.norm(place.centres - [0, 0, z], axis=1) for z in (-apart / 2, apart / 2))


@pytest.fixture(scope="module")
def around_two() -> Place:
    return rings("ecs", np.linspace(0.0, 2.5, 101), np.linspace(-4.0, 4.0, 321), ALPHA, LAMBDA)


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 1.9, 2.5])
def test_two_balls_of_effect_overlap_in_a_lens(around_two, apart):
    """pi (2 R - d)^2 (d^2 + 4 d R) / (12 d) for two balls of radius R, d apart."""
    one, other = two(apart, around_two)
    found = spread.overlap(around_two, np.exp(-20 * one), np.exp(-20 * other), np.exp(-20.0), ALPHA)
    ball = 4 / 3 * np.pi
    lens = np.pi * (2 - apart)**2 * (apart**2 + 4 * apart) / (12 * apart) if 0 < apart < 2 else ball * (apart == 0)
    assert found.one == pytest.approx(ball, rel=2e-3)
    assert found.other == pytest.approx(found.one, rel=1e-9)
    assert found.both == pytest.approx(lens, rel=0.01, abs=1e-3)
    assert found.either == pytest.approx(2 * ball - lens, rel=2e-3)
    assert found.shared == pytest.approx(lens / (2 * ball - lens), rel=0.01, abs=1e-3)


@pytest.mark.parametrize("apart", [0.0, 0.8, 1.4])
def test_two_gaussians_together_reach_what_neither_reaches_alone(around_two, apart):
    """On each line along the axis the sum of two Gaussians is above threshold where cosh is large enough."""
    one, other = two(apart, around_two)
    found = spread.overlap(around_two, np.exp(-one**2), np.exp(-other**2), 0.6, ALPHA)
    rho, z = np.linspace(0.0, 2.5, 1001), np.linspace(0.0, 3.0, 2001)
    above = np.exp(-rho[:, None]**2 - apart**2 / 4 - z**2) * 2 * np.cosh(apart * z) > 0.6
    exact = 2 * np.pi * np.trapezoid(rho * above.sum(axis=1) * 2 * z[1], rho)
    assert found.together == pytest.approx(exact, rel=5e-3)
    assert found.only_together == pytest.approx(found.together - found.either)
    assert found.only_together > 0.1 * found.one
    assert found.gain == pytest.approx(found.only_together / found.either)


def test_two_releases_at_one_place_reach_twice_the_volume_of_one(around_two):
    """The largest volume is in proportion to the amount: together 2 V, either V."""
    times = np.geomspace(1e-4, 0.1, 60)
    values = point_release(distances(around_two), times)
    found = spread.overlap(around_two, values, values, 1.0, ALPHA)
    assert found.gain == pytest.approx(1.0, rel=0.01)
    assert found.shared == pytest.approx(1.0)


def test_sources_far_apart_do_not_overlap(around_two):
    one, other = two(6.0, around_two)
    found = spread.overlap(around_two, np.exp(-20 * one), np.exp(-20 * other), np.exp(-20.0), ALPHA)
    assert found.both == pytest.approx(0.0, abs=1e-9)
    assert found.only_together == pytest.approx(0.0, abs=1e-3)


def test_sources_that_reach_nothing_have_no_gain(around_two):
    nothing = np.zeros(len(around_two))
    found = spread.overlap(around_two, nothing, nothing, 1.0)
    assert (found.shared, found.only_together) == (0.0, 0.0)
    assert np.isnan(found.gain)


def test_a_field_of_distance_alone_is_the_same_around_any_point(around_two, neuropil):
    r, times = distances(neuropil), np.array([1e-3, 2e-3])
    known, source = point_release(r, times), np.array([0.0, 0.0, 1.0])
    found = spread.around(around_two, source, r, known)
    exact = point_release(np.linalg.norm(around_two.centres - source, axis=1), times)
    np.testing.assert_allclose(found, exact, rtol=0.02, atol=1e-3)
    assert (spread.around(around_two, source, r[:2], known[:, :2]) == 0).any()
