"""Synapses: release, receptors and spike trains against published numbers, closed forms and exact zeros."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.simulate import simulate
from spatial.synapses import spikes
from spatial.synapses.receptors import coagonist_occupancy, magnesium_block, nmda_open, release_probability
from spatial.synapses.release import A1Inhibition, TsodyksMarkram, steady_release
from spatial.units import mM, uM
from tests.toy_places import synapses

Floats = NDArray[np.float64]
NONE, TRAIN = np.zeros(0), np.array([0.1])


# Release

RATES = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0)
STEADY = {0.6: (0.555765, 0.297849, 0.175270, 0.094246, 0.039145, 0.019793),
          0.3: (0.293571, 0.239934, 0.161877, 0.092028, 0.038981, 0.019771),
          0.1: (0.101684, 0.134964, 0.123981, 0.084113, 0.038339, 0.019686)}


def release(train: Floats, adenosine: float = 0.0, U0: float = 0.6) -> Floats:
    """The part of its resource that a synapse releases at each spike."""
    mesh = synapses(1)
    where, ecs = mesh["synapses"], mesh["ecs"]
    glutamate, ado = Species("glutamate", ecs, scale=1e-3), Species("adenosine", ecs, adenosine)
    u, x, released = Species("u", where), Species("x", where, 1.0), Species("released", where)
    rule = TsodyksMarkram(where, (train,), glutamate, A1Inhibition(ado, U0), u, x, released, resource=1.0)
    run = simulate(Model([glutamate, ado, u, x, released], [rule]), float(train[-1]) + 1e-3, [each(released)],
                   tolerance=Tolerance(1e-5))
    gone = run["released"]
    steps = np.diff(gone)
    return steps[np.isin(run.times[1:], train) & (np.diff(run.times) == 0)]


@pytest.mark.parametrize("U", STEADY)
def test_R4_the_formula_gives_the_published_steady_release(U):
    assert [steady_release(U, rate) for rate in RATES] == pytest.approx(STEADY[U], abs=1e-6)


@pytest.mark.parametrize(("U", "rate"), [(0.6, 1.0), (0.6, 20.0), (0.3, 10.0), (0.1, 5.0)])
def test_R4_long_trains_come_to_the_published_steady_release(U, rate):
    found = release(spikes.regular(max(10, round(3 * rate)), rate, start=0.1), U0=U)
    assert found[-1] == pytest.approx(STEADY[U][RATES.index(rate)], rel=2e-3)


def test_R5_likely_release_depresses_with_rate_and_unlikely_release_first_facilitates():
    rates = np.geomspace(0.5, 100, 60)
    likely, unlikely = ([steady_release(U, rate) for rate in rates] for U in (0.6, 0.1))
    assert (np.diff(likely) < 0).all()
    assert 3 < rates[np.argmax(unlikely)] < 7
    assert max(unlikely) > 1.3 * unlikely[0]


def test_R6_adenosine_lowers_release_and_raises_the_paired_pulse_ratio():
    pulses = [release(np.array([0.1, 0.15]), adenosine) for adenosine in (0.0, 0.6, 3.0)]
    first, ratio = np.array([r[0] for r in pulses]), np.array([r[1] / r[0] for r in pulses])
    assert first == pytest.approx([0.6, 0.3, 0.1], rel=1e-12)  # U0 / (1 + a / K_A1)
    assert (np.diff(ratio) > 0).all()
    assert ratio[0] < 1 < ratio[-1]


def test_the_second_release_is_what_decay_and_recovery_leave():
    U, gap = 0.6, 0.05
    u = U * np.exp(-3.33 * gap)
    u += U * (1 - u)
    x = 1 - U * np.exp(-2.0 * gap)
    assert release(np.array([0.1, 0.1 + gap])) == pytest.approx([U, u * x], rel=1e-4)


def test_only_the_synapse_that_fires_releases_and_all_of_it_arrives():
    mesh = synapses(3)
    where, ecs = mesh["synapses"], mesh["ecs"]
    glutamate, ado = Species("glutamate", ecs), Species("adenosine", ecs)
    u, x, released = Species("u", where), Species("x", where, 1.0), Species("released", where)
    rule = TsodyksMarkram(where, (NONE, np.array([0.1, 0.2]), NONE), glutamate, A1Inhibition(ado), u, x, released)
    run = simulate(Model([glutamate, ado, u, x, released], [rule]), 0.3, [each(released), each(glutamate)])
    assert (run["released"][:, [0, 2]] == 0).all()
    np.testing.assert_allclose(run["glutamate"], run["released"][:, 1], rtol=1e-14)


@pytest.mark.parametrize(("wrong", "message"), [
    ({"U0": 1.2}, r"^A1Inhibition: U0 is 1.2; it must be a part of 1$"),
    ({"most": 1.5}, r"^A1Inhibition: most is 1.5; it must be a part of 1$"),
    ({"K": 0.0}, r"^A1Inhibition: K is 0; it must be a finite number > 0$"),
    ({"n": 0.0}, r"^A1Inhibition: n is 0; it must be a finite number > 0$")])
def test_release_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        A1Inhibition(0.0, **wrong)


def test_a1_receptors_lower_release_by_their_hill_occupancy():
    brainstem = A1Inhibition(12 * uM, 0.5, K=12 * uM, n=0.92, most=0.4)
    assert brainstem({}) == pytest.approx(0.5 * (1 - 0.4 / 2), rel=1e-15)
    assert replace(brainstem, adenosine=1e9)({}) == pytest.approx(0.5 * 0.6, rel=1e-4)
    assert A1Inhibition(0.0)({}) == 0.6


def test_between_spikes_the_closed_form_is_what_the_rates_come_to():
    """Release knows what it does until the next spike: 30 ms of it, against its own rates integrated."""
    where = synapses(2)["synapses"]
    u, x, out, released = of = [Species(name, where) for name in ("u", "x", "out", "released")]
    release = TsodyksMarkram(where, (NONE, NONE), out, A1Inhibition(0.3), u, x, released)
    system = assemble(Model(of, [release]))
    start = np.random.default_rng(0).uniform(0, 1, system.layout.size)
    after = solve_ivp(lambda t, v: system.rate(v, t), (0, 0.03), start, rtol=1e-11, atol=1e-13).y[:, -1]
    for species, gain in release.between(system.state(start), np.full(2, 0.03)).items():
        np.testing.assert_allclose(system.state(start)[species] + gain, system.state(after)[species], rtol=1e-9)


# Receptors


def test_N1_the_magnesium_block_is_that_of_jahr_and_stevens():
    V = np.array([-80, -70, -60, -40, -20, 0, 20, 40])
    assert magnesium_block(V) == pytest.approx(
        [0.024425, 0.044471, 0.079626, 0.230155, 0.508141, 0.781182, 0.925018, 0.977080], abs=1e-6)
    assert magnesium_block(V, 1.2 * mM) == pytest.approx(
        [0.020437, 0.037336, 0.067248, 0.199447, 0.462631, 0.748428, 0.911351, 0.972622], abs=1e-6)


def test_N6_nmda_receptors_open_with_the_product_of_glutamate_coagonist_and_block():
    glutamate, coagonist = np.array([0.2, 0.9]), np.array([0.5, 0.7])
    assert (nmda_open(glutamate, coagonist, -40.0) == glutamate * coagonist * magnesium_block(-40.0)).all()


def test_half_the_sites_are_taken_at_the_half_maximal_concentration():
    assert coagonist_occupancy(1.3) == 0.5
    assert release_probability(0.6, np.array([0.6])) == pytest.approx([0.3])


# Spikes


def test_regular_trains_have_their_count_rate_and_start():
    np.testing.assert_allclose(spikes.regular(4, 20.0, 0.1), [0.1, 0.15, 0.2, 0.25])


def test_poisson_trains_are_sorted_lie_within_the_run_and_have_their_rate():
    rng = np.random.default_rng(0)
    trains = [spikes.poisson(10.0, 20.0, rng) for _ in range(100)]
    counts = np.array([len(train) for train in trains])
    assert counts.mean() == pytest.approx(200.0, abs=3 * np.sqrt(200 / 100))
    assert counts.var() == pytest.approx(200.0, rel=0.45)
    assert all((np.diff(train) > 0).all() and train[0] >= 0 and train[-1] <= 20 for train in trains)


@pytest.mark.parametrize(("make", "message"), [
    (lambda rng: spikes.regular(3, 0.0), r"^spike rate is 0; it must be a finite number > 0$"),
    (lambda rng: spikes.regular(-1, 5.0), r"^number of spikes is -1; it must be a finite number >= 0$"),
    (lambda rng: spikes.regular(3, 5.0, -0.1), r"^first spike is -0.1; it must be a finite number >= 0$"),
    (lambda rng: spikes.poisson(np.nan, 1.0, rng), r"^poisson: rate is nan; it must be a finite number$"),
    (lambda rng: spikes.poisson(5.0, -1.0, rng), r"^end of the spike train is -1; it must be a finite number >= 0$")])
def test_trains_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make(np.random.default_rng(0))


def test_there_must_be_a_train_for_every_synapse():
    with pytest.raises(InputError, match=r"^1 spike trains for 2 synapses; give one each, empty for a silent synapse$"):
        spikes.check_trains((TRAIN,), 2)


@pytest.mark.parametrize("train", [[0.2, 0.1], [0.1, 0.1], [-0.1], [np.nan], [np.inf]])
def test_spike_times_must_be_finite_and_grow(train):
    with pytest.raises(InputError, match=r"^the spike train of synapse 1 must hold finite, growing times >= 0$"):
        spikes.check_trains((TRAIN, np.array(train)), 2)
