"""Quasi-static reduction: how it errs, and where it breaks down; F3 and F4 of biophysics.md, B12."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from spatial.analysis.quasi_static import QuasiStatic
from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.model import Model, Species
from spatial.scenarios.homeostasis.model import MEMBRANE, apart
from spatial.synapses.excitability import MeanField, RateNeuron
from spatial.synapses.rate_release import RateRelease

PLACE = pool("synapses", [1.0])
DRIVE, W, FEEDBACK = -1.2, 0.15, 0.05  # of `neuron`: its input, and what it hears per Hz of itself and of K+
EPSILONS = 2.0 ** -np.arange(2, 7)


def slopes(errors: list[float]) -> Floats:
    """Powers of epsilon with which errors shrink, from each epsilon to the next."""
    return np.asarray(np.diff(np.log(errors)) / np.diff(np.log(EPSILONS)))


def release(epsilon: float, rate: float = 10.0) -> QuasiStatic:
    """A11 with p faster by 1/epsilon, while adenosine rises slowly."""
    a, p = Species("a", PLACE), Species("p", PLACE, 0.3)
    return QuasiStatic(Model([a, p], [RateRelease(PLACE, rate, a, p, tau_p=0.5 * epsilon, kappa_p=0.1 / epsilon,
                                                  gamma_p=2 / epsilon)]), (p,))


def neuron(epsilon: float) -> QuasiStatic:
    """A rate that hears its own release, fast, and the K+ it lets out, slow."""
    mesh = apart(MeanField(tau_K=1.0), 1)
    rate = Species("rate", mesh[MEMBRANE], 0.3, scale=1.0)
    K, taken = Species("K", mesh["ecs"], RateNeuron.rest), Species("taken", mesh["ledger"], signed=True)
    return QuasiStatic(Model([rate, K, taken], [
        RateNeuron(mesh[MEMBRANE], rate, K, drive=DRIVE, release=1.0, tau=0.02 * epsilon),
        PotassiumUptake(mesh["ecs"], K, taken, rate=1.0)]), (rate,))


@dataclass(frozen=True, eq=False)
class Follower:
    """dy/dt = (x - y)/epsilon follows dx/dt = -x + coupling (y - x)/epsilon: strongly coupled back."""

    where: Place
    x: Species
    y: Species
    epsilon: float
    coupling: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        ahead = (c[self.x] - c[self.y]) / self.epsilon
        return {self.x: -c[self.x] - self.coupling * ahead, self.y: ahead}


def follower(epsilon: float, coupling: float) -> QuasiStatic:
    x, y = (Species(name, PLACE, 1.0, signed=True) for name in "xy")
    return QuasiStatic(Model([x, y], [Follower(PLACE, x, y, epsilon, coupling)]), (y,))


@dataclass(frozen=True, eq=False)
class Law:
    """dx/dt = f(a, x, t), while da/dt is a number."""

    where: Place
    a: Species
    x: Species
    f: Callable[[Floats, Floats, float], Floats]
    drift: float = 0.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.x: self.f(c[self.a], c[self.x], t), self.a: self.drift}


def law(f: Callable[[Any, Any, float], Any], a: float, x: float, drift: float = 0.0, signed: bool = True,
        scale: float | None = 1.0) -> QuasiStatic:
    slow, fast = (Species(name, PLACE, value, scale=scale, signed=signed) for name, value in (("a", a), ("x", x)))
    return QuasiStatic(Model([slow, fast], [Law(PLACE, slow, fast, f, drift)]), (fast,))


def error(one: QuasiStatic, times: Floats) -> float:
    """The largest difference of any fast species between the reduced course and the full one."""
    return float(np.abs(one.course(times) - one.course(times, reduced=False))[:, one.is_fast].max())


def test_what_is_settled_has_the_rest_of_the_closed_form_and_leaves_the_slow_part_alone():
    one = release(1.0)
    a, p = one.model.species
    u = one.system.initial()
    one.system.layout.values(u, a)[:] = 1.7
    settled = one.system.state(one.settled(u))
    assert settled[p] == pytest.approx(RateRelease(PLACE, 10.0, a, p).steady(10.0, 1.7), rel=1e-10)
    assert settled[a] == 1.7


def test_a_reduced_course_ends_where_the_full_one_rests():
    one, at = release(0.5), np.array([100.0])
    np.testing.assert_allclose(one.course(at), one.course(at, reduced=False), rtol=1e-6)


def test_F3_the_quasi_static_error_is_of_order_one_in_epsilon():
    times = np.linspace(1.0, 10.0, 10)
    found = slopes([error(release(epsilon), times) for epsilon in EPSILONS])
    np.testing.assert_allclose(found, 1.0, atol=0.15)
    estimates = [release(epsilon).epsilon(release(epsilon).course(times)[0]) for epsilon in EPSILONS]
    np.testing.assert_allclose(slopes(estimates), 1.0, atol=1e-3)
    assert max(estimates) < 0.05


def test_epsilon_of_a_linear_model_is_known():
    one = follower(0.01, 0.0)
    assert one.epsilon(one.system.initial()) == pytest.approx(0.01, rel=1e-6)
    assert follower(0.01, 3.0).epsilon(one.system.initial()) == pytest.approx(3.0, rel=1e-5)


def test_F4_strongly_coupled_the_error_does_not_shrink_and_epsilon_tells():
    times = np.linspace(0.2, 2.0, 20)
    assert np.abs(slopes([error(follower(epsilon, 1.0), times) for epsilon in EPSILONS / 4])).max() < 0.15
    assert min(follower(epsilon, 1.0).epsilon(np.ones(2)) for epsilon in EPSILONS) > 0.9


@pytest.mark.parametrize(("epsilon", "errors"), [(0.1, [0.04, 0.13, 0.25]), (0.01, [0.005, 0.021, 0.08])])
def test_epsilon_tells_how_far_the_fast_part_lags_where_the_slow_part_drifts_towards_a_fold(epsilon, errors):
    """x' = (a + x^2)/epsilon, a' = 1: to first order it is epsilon/(4 |a|) behind its rest, -sqrt(-a)."""
    one, a = law(lambda a, x, t: (a + x**2) / epsilon, -1.0, -1.0, drift=1.0), np.array([-0.5, -0.1, -0.01])
    reduced, full = (one.course(1.0 + a, reduced=way) for way in (True, False))
    found = np.abs(reduced - full)[:, one.is_fast].ravel()
    np.testing.assert_allclose(found, errors, rtol=0.15)
    estimates = np.array([one.epsilon(u) for u in reduced])
    np.testing.assert_allclose(estimates, epsilon / (4 * np.abs(a)), rtol=1e-4)
    assert (estimates > found).all()
    assert (estimates[:2] < 2 * found[:2]).all()


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_epsilon_tells_how_far_the_fast_part_lags_behind_what_goes_on_in_time(scale):
    """x' = (3 scale sin t - x)/0.01, while nothing slow moves: x is 0.01 x' behind, of a size of 3 scale or scale."""
    one = law(lambda a, x, t: (3 * scale * np.sin(t) - x) / 0.01, 1.0, 0.0, scale=scale)
    reduced, full = (one.course([2.0, 2.5, 3.0], reduced=way) for way in (True, False))
    errors = np.abs(reduced - full)[:, one.is_fast].ravel() / np.maximum(reduced[:, one.is_fast].ravel(), scale)
    np.testing.assert_allclose([one.epsilon(u, t) for u, t in zip(reduced, (2.0, 2.5, 3.0), strict=True)], errors,
                               rtol=0.03)


GUESSES = [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3]


@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize(("pace", "scale"), [(1e6, 1.0), (1.0, None), (1e-9, 1.0)])
def test_what_is_settled_does_not_depend_on_the_guess_nor_on_the_unit_of_time(guess, pace, scale):
    """A leak and a decay, and these with a Hill law; without a scale the guess is all that is known of its size."""
    for f in (lambda a, x, t: pace * (a - x), lambda a, x, t: pace * (a * x**2 / (1 + x**2) + 0.3 - x)):
        one = law(f, 0.5, guess, signed=False, scale=scale)
        rest = brentq(lambda x, f=f: f(0.5, x, 0.0), 0.0, 1.0, xtol=1e-12)
        assert one.settled(one.system.initial())[one.is_fast] == pytest.approx([rest], rel=1e-6)


def test_what_cannot_be_negative_does_not_settle_below_zero():
    """x' = x (1 - x): Newton's step from 0.4 is -1.2."""
    one = law(lambda a, x, t: x * (1 - x), 1.0, 0.4, signed=False)
    assert one.settled(one.system.initial())[one.is_fast] in (0.0, pytest.approx(1.0))


@pytest.mark.parametrize("pace", [1.0, 1e-12])
def test_where_there_is_no_rest_none_is_found_however_slow_the_fast_part_is(pace):
    for f in (lambda a, x, t: pace * (a + x**2), lambda a, x, t: pace * a,
              lambda a, x, t: np.where(x < 0.31, pace * (1 - x), np.nan)):
        one = law(f, 0.5, 0.3)
        with pytest.raises(InputError, match="x has no steady state near the present one at 0 s; the reduction breaks"):
            one.settled(one.system.initial())


def fold_time() -> float:
    """When the fast rate loses its steady state, on the reduced course from the K+ of rest on: a quadrature."""
    def heard(rate: float) -> float:
        """What K+ adds to the drive where a rate holds itself."""
        return float(np.log(np.expm1(rate / 10)) - DRIVE - W * rate)

    highest = 10 * np.log(3)  # where phi' w = 1
    lowest = brentq(heard, 0.1, highest)
    return float(quad(lambda rate: (0.1 / -np.expm1(-rate / 10) - W) / (FEEDBACK * rate - heard(rate)), lowest,
                      highest)[0])


def test_F4_near_a_saddle_node_of_the_fast_part_the_error_hardly_shrinks_and_epsilon_tells():
    """It shrinks as epsilon^(1/3) there: the slow passage of a fold."""
    early, late = np.linspace(0.05, 0.5 * fold_time(), 10), np.linspace(0.05, 0.9999 * fold_time(), 20)
    away, near = (slopes([error(neuron(epsilon), times) for epsilon in EPSILONS]) for times in (early, late))
    np.testing.assert_allclose(away[1:], 1.0, atol=0.15)
    np.testing.assert_allclose(near, 1 / 3, atol=0.1)
    one = neuron(1.0)
    assert one.epsilon(one.course(late)[-1]) > 1 > 0.1 > one.epsilon(one.course(early)[-1])


def test_F4_beyond_the_saddle_node_the_reduction_says_that_it_breaks_down():
    one = neuron(1.0)
    with pytest.raises(InputError, match=r"^quasi-static: rate has no steady state near the present one at 1\.\d+ s; "
                                         "the reduction breaks down there$"):
        one.course([2.0])
    near = one.course([0.9 * fold_time()])[0]
    rate = one.model.species[0]
    one.system.layout.values(near, rate)[:] *= 2  # on the branch that is not stable
    assert one.epsilon(near) == np.inf


def test_other_fast_species_are_refused():
    a, p, gone = Species("a", PLACE), Species("p", PLACE), Species("gone", PLACE)
    model = Model([a, gone], [Conversion(PLACE, a, gone, 1.0)])
    with pytest.raises(InputError, match=r"^quasi-static: <p in synapses> is to be fast, but is not a species of this "
                                         r"model$"):
        QuasiStatic(model, (p,))
    for fast in ((), (a, gone)):
        with pytest.raises(InputError, match=r"^quasi-static: there must be species that are fast and others that are "
                                             r"not$"):
            QuasiStatic(model, fast)
