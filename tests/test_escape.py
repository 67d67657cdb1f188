"""Mean escape times: laws, closed forms, narrow escape E1 ... E5 of biophysics.md, part B3."""

from functools import cache
from math import log, pi

import numpy as np
import pytest
from toy_places import random_tetrahedra, shells

from spatial._engine.operators.steady import HELD, steady
from spatial.analysis.escape import escape_times, mean_escape_time, slowest_decay
from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.shapes import ball_with_window, spine
from spatial.units import ms

R, D = 0.25, 220.0
WINDOWS = [0.05, pytest.param(0.025, marks=pytest.mark.slow), pytest.param(0.0125, marks=pytest.mark.slow)]
PART = pi / 8  # of the ball, between two mirrors


@cache
def through_window(a, factor):
    """Mean escape time [s] from a ball through a window of radius a, with edges longer by a factor."""
    plane = -np.sqrt(R**2 - a**2)

    def size(x, y, z):
        return factor * min(0.025, a / 30 + 0.15 * np.hypot(z - plane, np.hypot(x, y) - a))

    mesh = discretise(ball_with_window(R, a, size, turn=PART))
    assert mesh["window"].total == pytest.approx(pi * a**2 * PART / (2 * pi), rel=0.012)
    return mean_escape_time(mesh["cytosol"], D, mesh["window"].touches["cytosol"])


def volume_over_4Da(a):
    return 4 / 3 * pi * R**3 / (4 * D * a)


def narrow_escape(a):
    """Cheviakov, Ward & Straube 2010."""
    e = a / R
    return volume_over_4Da(a) * (1 + e / pi * log(2 / e) + e / pi * (-9 / 5 - 2 * log(2) + 3 / 2))


# Laws and closed forms

def test_a_channel_is_left_after_the_square_of_its_length_over_two_D():
    place = grid("tube", [0, 0, 0], [2.0, 0.1, 0.1], 0.1)
    x = place.centres[:, 0]
    T = escape_times(place, 3.0, np.flatnonzero(x < 0.1))
    away = x - 0.05
    np.testing.assert_allclose(T, away * (2 * 1.95 - away) / (2 * 3.0), atol=1e-9)
    assert T[0] == 0.0


def test_a_sphere_is_left_through_its_whole_surface_after_the_square_of_its_radius_over_15_D():
    place = shells(np.linspace(0.0, 1.0, 301))
    mean = mean_escape_time(place, 10.0, np.array([300 - 1]))
    assert mean == pytest.approx(1 / (15 * 10.0), rel=0.01)


def test_escape_from_a_medium_takes_lambda_squared_longer_whatever_its_alpha():
    free, medium = (grid("ecs", [0, 0, 0], [1, 1, 1], 0.1, *how) for how in ((1.0, 1.0), (0.2, 1.6)))
    times = [escape_times(place, 5.0, np.array([0, 17])) for place in (free, medium)]
    np.testing.assert_allclose(times[1], 1.6**2 * times[0], rtol=1e-7)


def test_more_windows_are_found_sooner_from_everywhere():
    place = random_tetrahedra(2, 300)
    one, two = (escape_times(place, 1.0, np.array(where)) for where in ([5], [5, 40]))
    assert (two <= one + 1e-12).all()
    assert two[40] == 0.0 < one[40]


def test_the_mean_time_is_what_an_emptying_place_holds_over_its_start():
    """The integral over time of the amount left, by the modes of D K / V: another way to the same number."""
    place = grid("ecs", [0, 0, 0], [0.5, 0.4, 0.3], 0.1)
    inner = np.arange(1, len(place))
    x = steady(place, np.where(np.arange(len(place)) == 0, HELD, 0.0), source=place.measure)
    assert mean_escape_time(place, 7.0, np.array([0])) == pytest.approx(place.measure @ x / place.total / 7.0)
    rates = [slowest_decay(place, D, np.array([0])) for D in (1.0, 7.0)]
    assert rates[1] == pytest.approx(7 * rates[0])
    assert 1 / rates[0] > mean_escape_time(place, 1.0, np.array([0]))
    assert 1 / rates[0] < escape_times(place, 1.0, np.array([0]))[inner].max()


def test_a_bath_behind_a_conductance_delays_by_volume_over_conductance():
    place = grid("ecs", [0, 0, 0], [0.5, 0.5, 0.5], 0.1)
    conductance = np.zeros(len(place))
    conductance[3] = 0.02
    behind = steady(place, conductance, source=place.measure)
    at_once = escape_times(place, 1.0, np.array([3]))
    np.testing.assert_allclose(behind - at_once, place.total / 0.02, rtol=1e-8)


# Narrow escape

E1 = {0.05: 1.531, 0.025: 3.092, 0.0125: 6.138}  # ms
E2 = {0.05: 1.029, 0.025: 1.039, 0.0125: 1.032}  # E1 over the leading order
E3 = {0.05: 1.5459, 0.025: 3.0990, 0.0125: 6.1396}  # ms


@pytest.mark.parametrize("a", WINDOWS)
def test_E1_mean_escape_time_through_a_small_window(a, record_property):
    coarse, fine = through_window(a, 1.0), through_window(a, 0.5)
    record_property(f"coarse, fine, extrapolated [ms] at {a}", [t / ms for t in (coarse, fine, 2 * fine - coarse)])
    assert fine / ms == pytest.approx(E1[a], rel=0.02)
    assert (2 * fine - coarse) / ms == pytest.approx(E1[a], rel=0.01)  # the rim's singularity: order one


@pytest.mark.parametrize("a", WINDOWS)
def test_E2_leading_order_is_a_few_percent_too_short(a):
    assert volume_over_4Da(0.05) == pytest.approx(1.4875 * ms, rel=1e-4)
    found = 2 * through_window(a, 0.5) - through_window(a, 1.0)
    assert found / volume_over_4Da(a) == pytest.approx(E2[a], rel=0.01)


@pytest.mark.parametrize("a", WINDOWS)
def test_E3_next_order_agrees(a):
    assert narrow_escape(a) == pytest.approx(E3[a] * ms, rel=1e-4)
    assert 2 * through_window(a, 0.5) - through_window(a, 1.0) == pytest.approx(narrow_escape(a), rel=0.01)


@pytest.mark.slow
def test_escape_through_a_window_converges_with_order_one_in_the_length_at_its_rim(record_property):
    times = [through_window(0.05, factor) for factor in (1.0, 0.5, 0.25)]
    order = np.log2((times[1] - times[0]) / (times[2] - times[1]))
    record_property("times [ms], order", [*(t / ms for t in times), order])
    assert 0.7 < order < 1.6
    assert 2 * times[2] - times[1] == pytest.approx(1.531 * ms, rel=0.01)


@cache
def spiny(factor):
    mesh = discretise(spine(R, 0.05, 0.5, lambda x, y, z: factor * (0.012 + 0.25 * max(0.0, 0.2 - x))))
    return mesh["cytosol"], mesh["neck end"].touches["cytosol"]


E4 = volume_over_4Da(0.05) + 4 / 3 * pi * R**3 * 0.5 / (pi * 0.05**2 * D) + 0.5**2 / (2 * D)


def test_E4_E5_a_spine_empties_through_its_neck_at_the_rate_of_its_resistance(record_property):
    place, end = spiny(1.0)
    head = place.centres[:, 0] < np.sqrt(R**2 - 0.05**2)
    T = escape_times(place, D, end)
    from_head = float(place.measure[head] @ T[head] / place.measure[head].sum())
    record_property("from the head, slowest mode [ms]", (from_head / ms, 1 / slowest_decay(place, D, end) / ms))
    assert pytest.approx(20.995 * ms, rel=1e-4) == E4
    assert from_head == pytest.approx(E4, rel=0.10)
    assert 1 / slowest_decay(place, D, end) == pytest.approx(E4, rel=0.05)


@pytest.mark.slow
def test_the_escape_from_a_spine_does_not_depend_on_its_mesh():
    coarse, fine = (mean_escape_time(place, D, end) for place, end in (spiny(1.2), spiny(0.8)))
    assert coarse == pytest.approx(fine, rel=0.015)


# What cannot be computed

def test_absorbing_elements_that_are_not_there_are_told():
    place = grid("ecs", [0, 0, 0], [0.2, 0.1, 0.1], 0.1)
    for absorbing, sentence in (([], "no element of 'ecs' absorbs, so no molecule ever leaves it; name at least one"),
                                ([2], "'ecs' has no element 2 to absorb; its elements are 0..1"),
                                ([-1, 0], "'ecs' has no element -1 to absorb; its elements are 0..1")):
        for ask in (escape_times, mean_escape_time, slowest_decay):
            with pytest.raises(InputError, match=sentence):
                ask(place, 1.0, np.array(absorbing, np.int64))
    with pytest.raises(InputError, match="D is 0; it must be a finite number > 0"):
        escape_times(place, 0.0, np.array([0]))


def test_a_piece_without_a_way_out_is_told():
    two = Place("ecs", 3, np.ones(3), np.zeros((3, 3)), np.array([[0, 1]]), np.ones(1))
    for ask in (escape_times, slowest_decay):
        with pytest.raises(InputError, match="1 of the 3 elements of 'ecs' are not connected to those where molecules"):
            ask(two, 1.0, np.array([0]))


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: ball_with_window(0.2, 0.2, 0.1), "window .* is 0.2 .*; they must be smaller than the radius, 0.2"),
    (lambda: spine(0.2, 0.3, 0.5, 0.1), "neck .* is 0.3; it must be thinner than the head, 0.2"),
    (lambda: spine(0.2, 0.1, -1.0, 0.1), r"length \[um\] is -1; it must be a finite number > 0"),
])
def test_shapes_that_cannot_be_made_are_told(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
