"""Synapses: release, receptors and plasticity against published numbers, closed forms and exact zeros."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from spatial.checks import InputError
from spatial.geometry.place import Mesh
from spatial.geometry.well_mixed import well_mixed
from spatial.integrate.step_control import Tolerance
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses import spikes
from spatial.synapses.gates import CoagonistGate, HillGate
from spatial.synapses.receptors import coagonist_occupancy, magnesium_block, nmda_open, release_probability
from spatial.synapses.release import A1Inhibition, TsodyksMarkram, steady_release
from spatial.synapses.spikes import Firing
from spatial.synapses.three_factor import ThreeFactorRule
from spatial.system import assemble
from spatial.units import mM, ms, mV, s, uM
from tests.toy_mechanisms import Source

Floats = NDArray[np.float64]
NONE = np.zeros(0)


def synapses(count: int) -> Mesh:
    """Synapses in one well-mixed ECS."""
    return well_mixed({"ecs": 1.0}).with_points("synapses", np.zeros((count, 3)), touching=["ecs"])


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


@pytest.mark.parametrize("mechanism", ["release", "rule"])
def test_between_spikes_the_closed_form_is_what_the_rates_come_to(mechanism):
    """Both rules know what they do until the next spike: 30 ms of it, against their own rates integrated."""
    mesh = synapses(2)
    where = mesh["synapses"]
    names = ("u", "x", "out", "released", "pre", "post", "e", "w")
    u, x, out, released, pre, post, e, w = of = [Species(name, where, signed=name in "ew") for name in names]
    rules = {"release": TsodyksMarkram(where, (NONE, NONE), out, A1Inhibition(0.3), u, x, released),
             "rule": ThreeFactorRule(where, (PRE, NONE), NONE, 2.0, CoagonistGate(1.0), pre, post, e, w)}
    system = assemble(Model(of, [rules[mechanism]]))
    start = np.random.default_rng(0).uniform(0, 1, system.layout.size)
    after = solve_ivp(lambda t, v: system.rate(v, t), (0, 0.03), start, rtol=1e-11, atol=1e-13).y[:, -1]
    for species, gain in rules[mechanism].between(system.state(start), np.full(2, 0.03)).items():
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


# Plasticity



class Rule:
    """A rule at some synapses, in an ECS with constant glutamate and D-serine [uM]."""

    def __init__(self, trains: tuple[Floats, ...], post: Any, d_serine: float = 0.0, glutamate: float = 0.0,
                 resting: float = CoagonistGate.resting, **values: float) -> None:
        mesh = synapses(len(trains))
        where, ecs = mesh["synapses"], mesh["ecs"]
        self.glutamate, self.d_serine = Species("glutamate", ecs, glutamate), Species("D-serine", ecs, d_serine)
        self.pre, self.post = Species("pre", where), Species("post", where)
        self.e = Species("eligibility", where, signed=True, scale=0.01)
        self.w = Species("weight", where, signed=True, scale=0.01)
        gate = CoagonistGate(self.d_serine, resting)
        self.rule = ThreeFactorRule(where, trains, post, self.glutamate, gate, self.pre, self.post, self.e, self.w,
                                    **values)
        self.model = self.model_with([], [])

    def model_with(self, species: list[Species], mechanisms: list[Any]) -> Model:
        """The rule's model, with more besides."""
        return Model([self.glutamate, self.d_serine, self.pre, self.post, self.e, self.w, *species],
                     [self.rule, *mechanisms])

    def run(self, until: float, tolerance: float = 1e-5) -> Recording:
        return simulate(self.model, until, [each(one) for one in (self.pre, self.e, self.w)],
                        tolerance=Tolerance(tolerance))


PRE, POST = np.array([0.10]), np.array([0.11])
ALWAYS = {"d_serine": 1e15, "resting": 0.0}  # a gate of 1


@pytest.mark.parametrize(("first", "change"), [("pre", 0.01 * np.exp(-0.5)), ("post", -1.05 * 0.01 * np.exp(-0.5))])
def test_N8_spikes_10_ms_apart_leave_what_stdp_says(first, change):
    trains = (PRE, POST) if first == "pre" else (POST, PRE)
    one = Rule((trains[0],), trains[1])
    trace = {"pre": one.pre, "post": one.post}[first]
    c = {species: np.zeros(1) for species in one.model} | {trace: np.array([np.exp(-10 * ms / (20 * ms))])}
    assert one.rule.jump(c, 0.11)[one.e] == pytest.approx([change], rel=1e-9)


@pytest.mark.parametrize(("pre", "post", "change"), [
    (PRE, POST, 0.01 * np.exp(-0.5)), (POST, PRE, -1.05 * 0.01 * np.exp(-0.5))])
def test_N8_a_pair_under_a_gate_of_one_changes_the_weight_by_stdp(pre, post, change):
    run = Rule((pre,), post, **ALWAYS).run(15.0)
    assert run["weight"][-1] == pytest.approx(change, rel=1e-3)


def test_N9_eligibility_fades_with_its_time_constant():
    one = Rule((NONE,), NONE)
    system = assemble(one.model)
    u = system.initial()
    system.state(u)[one.e][:] = 0.01
    after = solve_ivp(lambda t, u: system.rate(u, t), (0, 2.5), u, "LSODA", rtol=1e-10, atol=1e-14).y[:, -1]
    assert system.state(after)[one.e] == pytest.approx([0.01 * np.exp(-2.5)], rel=1e-6)


def test_N9_a_late_gate_finds_what_is_left_of_the_eligibility():
    run = Rule((PRE,), POST).run(2.11)
    at = np.flatnonzero(run.times == 0.11)[-1]
    assert run["eligibility"][-1] / run["eligibility"][at] == pytest.approx(np.exp(-2.0), rel=1e-3)


def test_N7_without_d_serine_above_rest_no_weight_changes_at_all():
    train = spikes.regular(5, 20.0, 0.1)
    run = Rule((train, NONE, NONE), train + 0.01, glutamate=3.0, A_alone=0.001).run(1.0, 1e-3)
    assert (np.abs(run["eligibility"]).max(axis=0) > 1e-3).all()
    assert (run["weight"] == 0.0).all()


def test_d_serine_opens_the_gate_and_the_weight_follows_the_eligibility():
    run = Rule((PRE,), POST, d_serine=1.3).run(15.0)
    gate = 2 / 3 - 1 / 2
    assert run["weight"][-1] == pytest.approx(gate * 0.01 * np.exp(-0.5), rel=1e-3)


def test_a_pair_without_one_of_its_spikes_leaves_no_eligibility():
    assert (Rule((PRE,), NONE, **ALWAYS).run(0.5)["eligibility"] == 0).all()
    assert (Rule((NONE,), POST, **ALWAYS).run(0.5)["eligibility"] == 0).all()


def test_glutamate_that_spills_over_is_presynaptic_activity_at_silent_synapses_alone():
    run = Rule((np.array([0.4]), NONE), NONE, glutamate=2.0).run(0.39)
    assert (run["pre"][:, 0] == 0).all()
    assert run["pre"][-1, 1] == pytest.approx(0.072 / 0.0692 * 2.0 * 0.02, rel=1e-3)  # k G tau+


def test_a_silent_synapse_with_glutamate_is_paired_with_the_postsynaptic_spike():
    run = Rule((NONE, NONE), np.array([0.5]), glutamate=2.0).run(0.5)
    assert run["eligibility"][-1] == pytest.approx(0.01 * run["pre"][-1], rel=1e-12)


@pytest.mark.parametrize("post", [POST, [0.11]])
def test_a_postsynaptic_spike_lowers_the_eligibility_of_every_synapse_by_A_alone(post):
    run = Rule((NONE, PRE), post, A_alone=0.002).run(0.11)
    silent, paired = run["eligibility"][-1]
    assert silent == -0.002
    assert paired == pytest.approx(0.01 * np.exp(-0.5) - 0.002, rel=1e-4)


def test_glycine_takes_co_agonist_sites_at_rest_and_under_d_serine():
    alone, with_glycine = CoagonistGate(1.3, glycine=0.0), CoagonistGate(1.3, glycine=2.1)
    assert alone({}) == pytest.approx(2 / 3 - 1 / 2, rel=1e-15)
    assert with_glycine({}) == pytest.approx(3 / 4 - 2 / 3, rel=1e-14)


def test_any_field_may_open_the_gate_which_is_shut_at_its_rest():
    calcium = Species("calcium", synapses(3)["ecs"])
    gate = HillGate(calcium, K=0.4, rest=0.1)
    open_by = gate({calcium: np.array([0.1, 0.4, 1e9])})
    shut = 0.0625 / 1.0625
    assert open_by == pytest.approx([0.0, 0.5 - shut, 1 - shut], abs=1e-9)


def test_a_postsynaptic_spike_may_be_a_potential_that_rises_through_a_threshold():
    """V crosses -40 mV once, at 0.11 s, where the same rule has a spike that is known."""
    V = Species("V", synapses(1)["synapses"], -150.0, unit="mV", signed=True)
    known, one = Rule((PRE,), POST, **ALWAYS).run(0.5), Rule((PRE,), Firing(V, -40 * mV), **ALWAYS)
    rising = Source(V.place, V, 1000 * mV / s)
    run = simulate(one.model_with([V], [rising]), 0.5, [each(one.e), each(one.w)], tolerance=Tolerance(1e-5))
    assert run["eligibility"][-1] == pytest.approx(known["eligibility"][-1], rel=1e-4)
    assert run["weight"][-1] == pytest.approx(known["weight"][-1], rel=1e-4)


@pytest.mark.parametrize("name", ["tau_plus", "tau_minus", "tau_e"])
def test_time_constants_of_zero_are_refused(name):
    with pytest.raises(InputError, match=rf"^ThreeFactorRule: {name} is 0; it must be a finite number > 0$"):
        Rule((NONE,), NONE, **{name: 0.0})


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
    (lambda rng: spikes.poisson(np.nan, 1.0, rng), r"^spike rate is nan; it must be a finite number >= 0$"),
    (lambda rng: spikes.poisson(5.0, -1.0, rng), r"^end of the spike train is -1; it must be a finite number >= 0$")])
def test_trains_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make(np.random.default_rng(0))


def test_there_must_be_a_train_for_every_synapse():
    with pytest.raises(InputError, match=r"^1 spike trains for 2 synapses; give one each, empty for a silent synapse$"):
        spikes.check_trains((PRE,), 2)


@pytest.mark.parametrize("train", [[0.2, 0.1], [0.1, 0.1], [-0.1], [np.nan], [np.inf]])
def test_spike_times_must_be_finite_and_grow(train):
    with pytest.raises(InputError, match=r"^the spike train of synapse 1 must hold finite, growing times >= 0$"):
        spikes.check_trains((PRE, np.array(train)), 2)
