"""Which parameters data can tell: sensitivities, their rank, profile likelihoods; F5 and F6 of biophysics.md, B12."""

from collections.abc import Callable

import numpy as np
import pytest

from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.identifiability import profile, rank, sensitivities, unseen
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.uptake import Production
from spatial.model import Model, Species
from spatial.observe.frames import Film
from spatial.observe.probes import mean
from spatial.simulate import simulate

TAU, A = 2.0, 1.5  # s, uM
TIMES = np.linspace(0.5, 8.0, 16)
TRUE = np.array([0.7, 3.0])  # alpha, beta
SEEN = TRUE[0] * TRUE[1] * A * TAU
NOISE = 0.05 * SEEN


def release(parameters: Floats) -> Floats:
    """C of dC/dt = -C/tau + beta a after a steps up, in closed form."""
    return np.asarray(parameters[1] * A * TAU * -np.expm1(-TIMES / TAU))


def product(parameters: Floats) -> Floats:
    """Only y = alpha C is seen."""
    return parameters[0] * release(parameters)


def both(parameters: Floats) -> Floats:
    """C is seen too."""
    return np.concatenate([product(parameters), release(parameters)])


def simulated(observed: Callable[[float, Floats], Floats]) -> Callable[[Floats], Floats]:
    """What is observed of alpha and a simulated C."""
    def outputs(parameters: Floats) -> Floats:
        place = pool("ecs", [1.0])
        C, gone = Species("C", place), Species("gone", place)
        model = Model([C, gone], [Production(place, C, parameters[1] * A), Conversion(place, C, gone, 1 / TAU)])
        run = simulate(model, TIMES[-1], [mean(C)], tolerance=Tolerance(1e-5), frames=Film(C),
                       frame_times=TIMES)
        return observed(parameters[0], run["mean C"][np.searchsorted(run.times, TIMES)])

    return outputs


def noisy(outputs: Callable[[Floats], Floats], seed: int = 0) -> Floats:
    exact = outputs(TRUE)
    return np.asarray(exact + NOISE * np.random.default_rng(seed).standard_normal(exact.shape))


def test_sensitivities_are_derivatives_by_logarithms():
    found = sensitivities(lambda k: np.array([k[0] * k[1] ** 2, k[1]]), np.array([2.0, 3.0]))
    np.testing.assert_allclose(found, [[18.0, 36.0], [0.0, 3.0]], rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(("outputs", "expected"), [
    (product, 1), (both, 2), (simulated(lambda alpha, C: alpha * C), 1),
    (simulated(lambda alpha, C: np.concatenate([alpha * C, C])), 2)], ids=["y", "y and C", "y simulated",
                                                                          "y and C simulated"])
def test_F5_data_tell_the_product_alone_and_both_once_C_is_seen(outputs, expected):
    assert rank(sensitivities(outputs, TRUE)) == expected


def test_F5_what_is_not_seen_is_the_ratio_of_alpha_and_beta():
    direction = unseen(sensitivities(product, TRUE))
    np.testing.assert_allclose(np.abs(direction), [[np.sqrt(0.5)] * 2], rtol=1e-5)
    assert direction[0, 0] * direction[0, 1] < 0
    assert len(unseen(sensitivities(both, TRUE))) == 0


def test_outputs_that_do_not_depend_on_anything_have_rank_0():
    assert rank(sensitivities(lambda k: np.ones(3), TRUE)) == 0


VALUES = TRUE[0] * np.geomspace(1 / 30, 30, 41)


def test_F6_the_profile_of_alpha_is_flat_when_only_the_product_is_seen():
    found = profile(product, noisy(product), NOISE, TRUE, 0, VALUES)
    assert found.deviance.max() < 1e-6
    low, high = found.interval()
    assert (low, high) == (0.0, np.inf)
    inside = found.values[found.deviance < 3.84]
    assert inside[-1] > 10 * inside[0]


def test_F6_the_profile_of_alpha_is_narrow_when_C_is_seen_too():
    low, high = profile(both, noisy(both), NOISE, TRUE, 0, TRUE[0] * np.geomspace(0.5, 2, 81)).interval()
    assert low < TRUE[0] < high < 1.3 * low


def test_a_profile_of_a_straight_line_has_the_interval_of_normal_theory():
    def line(parameters: Floats) -> Floats:
        return parameters[0] + parameters[1] * TIMES

    values = np.linspace(2.5, 3.5, 101)
    low, high = profile(line, line(TRUE), 0.5, TRUE, 1, values).interval()
    half = 1.959964 * 0.5 / np.sqrt(((TIMES - TIMES.mean()) ** 2).sum())
    assert (low, high) == (pytest.approx(3.0 - half, rel=1e-3), pytest.approx(3.0 + half, rel=1e-3))


@pytest.mark.slow
def test_the_95_percent_interval_holds_the_truth_in_95_of_100_experiments():
    values = TRUE[0] * np.geomspace(0.7, 1.5, 41)
    held = [low <= TRUE[0] <= high for low, high in (
        profile(both, noisy(both, seed), NOISE, TRUE, 0, values).interval() for seed in range(200))]
    assert 0.95 - 3 * 0.0154 < np.mean(held) < 0.95 + 3 * 0.0154  # 3 standard errors


def test_a_model_of_one_parameter_has_a_profile_too():
    found = profile(lambda k: k * TIMES, 3.0 * TIMES, 1.0, np.array([3.0]), 0, np.array([2.9, 3.0, 3.1]))
    np.testing.assert_allclose(found.deviance, 0.01 * (TIMES ** 2).sum() * np.array([1, 0, 1]), atol=1e-9)


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: sensitivities(product, np.array([0.7, -3.0])),
     r"parameters are \[ 0.7 -3. \]; each must be a finite number > 0, for its logarithm is used"),
    (lambda: profile(product, product(TRUE), 1.0, TRUE, 2, VALUES),
     "profile: which is 2; with 2 parameters it must be 0 to 1"),
    (lambda: profile(product, product(TRUE), 1.0, TRUE, 0, VALUES[::-1]),
     "profile: the values of the parameter must rise"),
])
def test_what_cannot_be_is_told(make, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        make()
