"""Plasticity: every rule against its law, its closed form and published numbers, and against no astrocyte at all."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from acting import at_time, times_of
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses import spikes
from spatial.synapses.plasticity.bcm import BCM
from spatial.synapses.plasticity.calcium_rule import CalciumRule, SpikeCalcium, time_above
from spatial.synapses.plasticity.gates import CoagonistFactor, CoagonistGate, ConstantGate, HillGate
from spatial.synapses.plasticity.scaling import SynapticScaling
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.synapses.plasticity.spike_rates import SpikeRates
from spatial.synapses.plasticity.stdp import PairSTDP
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.spikes import Firing
from spatial.synapses.synaptic_current import BackPropagation, SpineCalcium, SynapticCurrent
from spatial.units import Hz, ms, mV, s, uM
from tests.toy_mechanisms import Decay, Source, Spikes
from tests.toy_places import synapses

Floats = NDArray[np.float64]
NONE = np.zeros(0)
PRE, POST = np.array([0.10]), np.array([0.11])
ALWAYS = {"d_serine": 1e15, "resting": 0.0}  # a gate of 1


# All rules

WHERE = synapses(2)["synapses"]


def on_synapses(*names: str, where: Place = WHERE, **values: Any) -> list[Species]:
    """Species of synapses."""
    return [Species(name, where, **values) for name in names]


def all_rules(gate: Any, trains: tuple[Floats, ...] = (NONE, NONE), post: Any = NONE,
              glutamate: float = 0.0) -> dict[str, Any]:
    """Every rule that has a closed form between spikes: no spike has been, rates and weights are 0.4."""
    pre, behind, e, calcium = on_synapses("pre", "post", "e", "calcium", signed=True)
    w, x, y, theta, slow = on_synapses("w", "x", "y", "theta", "slow", initial=0.4, signed=True)
    return {"three-factor": ThreeFactorRule(WHERE, trains, post, glutamate, gate, pre, behind, e, w),
            "pair STDP": PairSTDP(WHERE, trains, post, pre, behind, w, gate),
            "BCM": BCM(WHERE, x, y, theta, w, slow, gate, eta=0.1),
            "scaling": SynapticScaling(WHERE, y, w, gate, target=5 * Hz, tau=2 * s),
            "spike rates": SpikeRates(WHERE, trains, post, x, y),
            "spike calcium": SpikeCalcium(WHERE, trains, post, calcium, gate),
            "slow signal": SlowSignal(WHERE, calcium, slow, tau=10 * s)}


def species_of(rule: Any) -> list[Species]:
    """All species that a rule names."""
    return [value for value in vars(rule).values() if isinstance(value, Species)]


@pytest.mark.parametrize("name", all_rules(ConstantGate()))
def test_between_spikes_the_closed_form_is_what_the_rates_come_to(name):
    """Rules know what they do until the next spike: 30 ms of it, against their own rates integrated."""
    rule = all_rules(CoagonistGate(1.0), (PRE, NONE), glutamate=2.0)[name]
    system = assemble(Model(species_of(rule), [rule]))
    start = np.random.default_rng(0).uniform(0, 1, system.layout.size)
    for held in set(species_of(rule)) - set(rule.rates(system.state(start), 0.0)):
        system.layout.values(start, held)[:] = 0.7
    after = solve_ivp(lambda t, v: system.rate(v, t), (0, 0.03), start, rtol=1e-11, atol=1e-13).y[:, -1]
    for species, gain in rule.between(system.state(start), np.full(2, 0.03)).items():
        np.testing.assert_allclose(system.state(start)[species] + gain, system.state(after)[species], rtol=1e-9)


@pytest.mark.parametrize("gate", [ConstantGate(0.0), CoagonistGate(0.0), HillGate(0.1, K=0.4, rest=0.1)],
                         ids=["blocked", "co-agonist", "Hill"])
@pytest.mark.parametrize("name", ["three-factor", "pair STDP", "BCM", "scaling"])
def test_N7_without_the_astrocyte_no_rule_changes_any_weight_at_all(name, gate):
    train = spikes.regular(4, 20.0, 0.1)
    shut, opened = (all_rules(g, (train, NONE), train + 0.01)[name] for g in (gate, ConstantGate()))
    run, control = (simulate(Model(species_of(rule), [rule]), 0.5, [each(rule.weight)]) for rule in (shut, opened))
    assert (run["w"] == 0.4).all()
    assert (control["w"][-1, 0] != 0.4).all()


def test_without_the_astrocyte_no_calcium_passes_nmda_receptors_but_that_of_a_spike_of_the_neuron_comes():
    rule = all_rules(ConstantGate(0.0), (PRE, PRE), 0.2 + POST)["spike calcium"]
    run = simulate(Model([rule.calcium], [rule]), 0.2 + POST[0], [each(rule.calcium)])
    assert (run["calcium"][:-1] == 0).all()
    assert (run["calcium"][-1] == 2.0).all()


@pytest.mark.parametrize(("name", "parameter"), [
    ("three-factor", "tau_plus"), ("three-factor", "tau_minus"), ("three-factor", "tau_e"),
    ("pair STDP", "tau_plus"), ("pair STDP", "tau_minus"), ("pair STDP", "w_max"), ("BCM", "y_0"), ("BCM", "tau"),
    ("scaling", "target"), ("scaling", "tau"), ("spike rates", "tau"), ("spike calcium", "tau"),
    ("slow signal", "tau")])
def test_what_is_divided_by_may_not_be_zero(name, parameter):
    rule = all_rules(ConstantGate())[name]
    with pytest.raises(InputError, match=rf"^{type(rule).__name__}: {parameter} is 0; it must be a finite number > 0$"):
        replace(rule, **{parameter: 0.0})


@pytest.mark.parametrize("name", ["three-factor", "pair STDP", "spike rates", "spike calcium"])
def test_rules_need_a_train_for_every_synapse_and_a_neuron_whose_spike_times_grow(name):
    with pytest.raises(InputError, match=r"^1 spike trains for 2 synapses; give one each, empty for a silent synapse$"):
        all_rules(ConstantGate(), (NONE,))[name]
    with pytest.raises(InputError, match=r"^the spike train of neuron 0 must hold finite, growing times >= 0$"):
        all_rules(ConstantGate(), post=np.array([0.2, 0.1]))[name]


@pytest.mark.parametrize("name", ["three-factor", "pair STDP"])
def test_known_spikes_at_one_instant_do_not_pair_and_a_spike_that_an_input_sets_off_comes_after_it(name):
    V = Species("V", WHERE, -70.0, unit="mV", signed=True)
    known, driven = (all_rules(ConstantGate(), (PRE, NONE), post)[name] for post in (PRE, Firing(V, -50 * mV)))
    changed = {"three-factor": "eligibility", "pair STDP": "weight"}[name]
    together = simulate(Model(species_of(known), [known]), 0.1, [each(getattr(known, changed))])
    set_off = simulate(Model([*species_of(driven), V], [driven, Spikes(WHERE, V, PRE, 30 * mV)]), 0.1,
                       [each(getattr(driven, changed))])
    (before,), (after,) = ([one.values for one in run.series.values()] for run in (together, set_off))
    assert (before == before[0]).all()
    assert after[-1] - after[0] == pytest.approx([0.01, 0.0], rel=1e-12)


# Three factors


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

    def run(self, until: float, tolerance: float = 1e-4) -> Recording:
        return simulate(self.model, until, [each(one) for one in (self.pre, self.e, self.w)],
                        tolerance=Tolerance(tolerance))


@pytest.mark.parametrize(("first", "change"), [("pre", 0.01 * np.exp(-0.5)), ("post", -1.05 * 0.01 * np.exp(-0.5))])
def test_N8_spikes_10_ms_apart_leave_what_stdp_says(first, change):
    trains = (PRE, POST) if first == "pre" else (POST, PRE)
    one = Rule((trains[0],), trains[1])
    trace = {"pre": one.pre, "post": one.post}[first]
    c = {species: np.zeros(1) for species in one.model} | {trace: np.array([np.exp(-10 * ms / (20 * ms))])}
    assert at_time(one.rule, c, 0.11)[one.e] == pytest.approx([change], rel=1e-9)


@pytest.mark.parametrize(("pre", "post", "change"), [
    (PRE, POST, 0.01 * np.exp(-0.5)), (POST, PRE, -1.05 * 0.01 * np.exp(-0.5))])
def test_N8_a_pair_under_a_gate_of_one_changes_the_weight_by_stdp(pre, post, change):
    run = Rule((pre,), post, **ALWAYS).run(15.0)
    assert run["weight"][-1] == pytest.approx(change, rel=1e-3)


def test_N9_eligibility_fades_with_its_time_constant():
    one = Rule((NONE,), NONE)
    system = assemble(one.model)
    u = system.initial()
    system.layout.values(u, one.e)[:] = 0.01
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


def test_a_postsynaptic_spike_may_be_a_potential_that_rises_through_a_threshold():
    """V crosses -40 mV once, at 0.11 s, where the same rule has a spike that is known."""
    V = Species("V", synapses(1)["synapses"], -150.0, unit="mV", signed=True)
    known, one = Rule((PRE,), POST, **ALWAYS).run(0.5), Rule((PRE,), Firing(V, -40 * mV), **ALWAYS)
    rising = Source(V.place, V, 1000 * mV / s)
    run = simulate(one.model_with([V], [rising]), 0.5, [each(one.e), each(one.w)], tolerance=Tolerance(1e-5))
    assert run["eligibility"][-1] == pytest.approx(known["eligibility"][-1], rel=1e-4)
    assert run["weight"][-1] == pytest.approx(known["weight"][-1], rel=1e-4)


# Pairs of spikes


def pair_rule(trains: tuple[Floats, ...] = (NONE,), post: Any = NONE, w: float = 0.5, **values: Any) -> PairSTDP:
    """Pair STDP at some synapses of this weight."""
    where = synapses(len(trains))["synapses"]
    pre, behind = on_synapses("pre", "post", where=where)
    return PairSTDP(where, trains, post, pre, behind, Species("w", where, w, scale=0.01), **values)


def play(rule: Any, *events: tuple[float, float, float], c: dict[Species, Any] | None = None) -> dict[Species, Any]:
    """The states of a rule after these events (time, pre, post) from 0 on, by its own closed forms."""
    c, t = {one: np.full(len(one.place), one.initial, float) for one in species_of(rule)} | (c or {}), 0.0
    for when, pre, post in events:
        for gains in (lambda c, dt=when - t: rule.between(c, dt), lambda c, one=(pre, post): rule.spike(c, *one)):
            c = c | {one: c[one] + gain for one, gain in gains(c).items()}
        t = when
    return c


@pytest.mark.parametrize(("lag", "change"), [(10 * ms, 0.01 * np.exp(-0.5)), (-10 * ms, -1.05 * 0.01 * np.exp(-0.5))])
def test_N8_pair_stdp_of_spikes_10_ms_apart_changes_the_weight_as_published(lag, change):
    rule = pair_rule()
    pair = sorted([(0.1, 1.0, 0.0), (0.1 + lag, 0.0, 1.0)])
    assert play(rule, *pair)[rule.weight] - 0.5 == pytest.approx([change], rel=1e-9)
    rule = pair_rule((np.array([0.1]),), np.array([0.1 + lag]))
    run = simulate(Model(species_of(rule), [rule]), 0.2, [each(rule.weight)], tolerance=Tolerance(1e-6))
    assert run["w"][-1] - 0.5 == pytest.approx(change, rel=1e-5)


def test_the_changes_of_all_pairs_add_up():
    rng = np.random.default_rng(0)
    pre, post = spikes.poisson(30.0, 0.3, rng), spikes.poisson(30.0, 0.3, rng)
    lag = post[None, :] - pre[:, None]
    expected = np.where(lag > 0, 0.01 * np.exp(-np.abs(lag) / 0.02), -0.0105 * np.exp(-np.abs(lag) / 0.02)).sum()
    rule = pair_rule((pre,), post)
    both = sorted([*((t, 1.0, 0.0) for t in pre), *((t, 0.0, 1.0) for t in post)])
    assert play(rule, *both)[rule.weight] - 0.5 == pytest.approx([expected], rel=1e-9)
    run = simulate(Model(species_of(rule), [rule]), 0.3, [each(rule.weight)], tolerance=Tolerance(1e-4))
    assert run["w"][-1] - 0.5 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("lag", [10 * ms, -5 * ms, 0.0])
@pytest.mark.parametrize("rate", [0.1 * Hz, 20 * Hz, 50 * Hz])
def test_a_long_train_of_pairs_changes_the_weight_by_the_closed_form(lag, rate):
    rule = pair_rule(w=0.5, A_plus=1e-4, A_minus=1.05e-4)
    times = 0.1 + np.arange(40) / rate
    pairs = [(t, 1.0, 1.0) for t in times] if lag == 0 else sorted(
        [*((t, 1.0, 0.0) for t in times), *((t + lag, 0.0, 1.0) for t in times)])
    before, after = (play(rule, *pairs[:end])[rule.weight] for end in (-4 if lag else -2, None))
    assert (after - before) / 2 == pytest.approx([rule.per_pair(lag, rate)], rel=1e-9, abs=1e-18)


def test_pairs_that_are_far_apart_change_the_weight_each_by_itself_and_fast_ones_meet():
    rule = pair_rule()
    assert rule.per_pair(10 * ms, 0.1 * Hz) == pytest.approx(0.01 * np.exp(-0.5), rel=1e-9)
    assert rule.per_pair(-10 * ms, 0.1 * Hz) == pytest.approx(-0.0105 * np.exp(-0.5), rel=1e-9)
    every = np.array([rule.per_pair(10 * ms, rate) for rate in (1.0, 10.0, 20.0, 40.0, 49.0)])
    assert (np.diff(every) < 0).all()  # an input comes ever sooner after the last spike of the neuron
    with pytest.raises(InputError, match=r"^rate of pairs is 0; it must be a finite number > 0$"):
        rule.per_pair(10 * ms, 0.0)


@pytest.mark.parametrize(("lag", "change"), [(10 * ms, 0.01), (-10 * ms, -0.0105)])
def test_the_gate_counts_when_the_neuron_fires_whichever_spike_comes_first(lag, change):
    rule = pair_rule(gate=HillGate(d_serine := Species("D-serine", WHERE), K=1.0, n=1.0))
    pair = sorted([(0.1, 1.0, 0.0), (0.1 + lag, 0.0, 1.0)])
    c = play(rule, pair[0], c={d_serine: np.array([3.0 if lag < 0 else 0.0])})
    c = {**c, d_serine: np.array([0.0 if lag < 0 else 3.0])}
    rest = [(pair[1][0] - pair[0][0], *pair[1][1:])]
    assert play(rule, *rest, c=c)[rule.weight] - 0.5 == pytest.approx([0.75 * change * np.exp(-0.5)], rel=1e-12)


@pytest.mark.parametrize("mu", [0.0, 1.0], ids=["hard", "soft"])
def test_weights_stay_within_their_bounds(mu):
    rng = np.random.default_rng(1)
    rule = pair_rule(mu=mu, A_plus=0.3, A_minus=0.3)
    c, lowest, highest = play(rule), 1.0, 0.0
    for dt, pre in zip(rng.exponential(0.02, 2000), rng.integers(0, 2, 2000), strict=True):
        c = play(rule, (dt, float(pre), float(1 - pre)), c=c)
        lowest, highest = min(lowest, c[rule.weight][0]), max(highest, c[rule.weight][0])
    assert 0.0 <= lowest < lowest + 0.8 < highest <= 1.0
    assert ((lowest, highest) == (0.0, 1.0)) == (mu == 0.0)  # hard bounds are reached, soft ones are not


def test_hard_bounds_stop_what_would_pass_them_and_soft_ones_slow_it_down():
    traces = {"up": (1.0, 0.0, 0.0, 1.0), "down": (0.0, 1.0, 1.0, 0.0)}  # of both sides, then the spikes

    def change(kind: str, w: float, **values: float) -> float:
        rule, (x, y, pre, post) = pair_rule(w=w, **values), traces[kind]
        c = {rule.pre_trace: np.array([x]), rule.post_trace: np.array([y]), rule.weight: np.array([w])}
        return float(rule.spike(c, pre, post)[rule.weight][0])

    assert change("up", 0.4) == 0.01
    assert change("down", 0.4) == -0.0105
    assert change("up", 0.995) == pytest.approx(0.005, rel=1e-12)
    assert change("down", 0.004) == -0.004
    assert change("up", 0.4, mu=1.0) == pytest.approx(0.01 * 0.6, rel=1e-12)
    assert change("down", 0.4, mu=1.0) == pytest.approx(-0.0105 * 0.4, rel=1e-12)
    assert change("up", 2.0, w_max=5.0) == pytest.approx(5 * 0.01, rel=1e-12)


def test_a_weight_must_begin_within_its_bounds():
    with pytest.raises(InputError, match=r"^PairSTDP: 'w' begins at 1.5; it must lie between 0 and w_max, 1$"):
        pair_rule(w=1.5)


def test_pair_stdp_hears_a_neuron_that_makes_its_spikes_itself():
    """V crosses -40 mV once, at 0.11 s, where the same rule has a spike that is known."""
    known = pair_rule((PRE,), POST)
    V = Species("V", known.where, -150.0, unit="mV", signed=True)
    heard = replace(known, post=Firing(V, -40 * mV))
    run = simulate(Model([*species_of(heard), V], [heard, Source(V.place, V, 1000 * mV / s)]), 0.2,
                   [each(heard.weight)], tolerance=Tolerance(1e-5))
    assert run["w"][-1] - 0.5 == pytest.approx(0.01 * np.exp(-0.5), rel=1e-4)


# Ca2+

LAGS = np.array([-60, -20, 0, 10, 13.7, 20, 40, 80]) * ms
ABOVE = np.array([(14.842, 8.616), (20.172, 9.678), (27.645, 17.313), (23.283, 18.036), (21.972, 16.725),
                  (20.085, 14.837), (16.382, 11.135), (14.223, 8.976)]) * ms  # theta_d, theta_p


def calcium_rules(sigma: float = 0.0, rho: float = 0.5) -> tuple[SpikeCalcium, CalciumRule]:
    """A synapse for each lag, all of one neuron that fires at 0.1 s."""
    where = synapses(len(LAGS))["synapses"]
    calcium, passed = on_synapses("calcium", "passed", where=where, unit="1")
    efficacy = Species("rho", where, rho, unit="1", signed=True)
    spines = SpikeCalcium(where, tuple(np.array([0.1 - lag]) for lag in LAGS), np.array([0.1]), calcium)
    return spines, CalciumRule(where, calcium, efficacy, passed, sigma=sigma)


def calcium_run(spines: SpikeCalcium, rule: CalciumRule, until: float, tolerance: float = 1e-6) -> Recording:
    return simulate(Model([rule.calcium, rule.rho, rule.passed], [spines, rule]), until,
                    [each(one) for one in (rule.calcium, rule.rho, rule.passed)], tolerance=Tolerance(tolerance))


@pytest.fixture(scope="module")
def pairs() -> Recording:
    """One pair at each lag, without noise."""
    return calcium_run(*calcium_rules(), until=0.3)


def arrivals(lag: float) -> tuple[list[float], list[float]]:
    """When Ca2+ of a pair comes, and how much."""
    times, sizes = zip(*sorted([(0.1, 2.0), (0.1 - lag + 13.7 * ms, 1.0)]), strict=True)
    return list(times), list(sizes)


def test_N10_the_closed_form_is_above_the_thresholds_for_the_published_times():
    found = [[time_above(threshold, *arrivals(lag)) for threshold in (1.0, 1.3)] for lag in LAGS]
    np.testing.assert_allclose(np.array(found) / ms, ABOVE / ms, atol=1e-3)


def test_N10_a_simulation_is_above_the_thresholds_for_the_published_times(pairs):
    passed, steps = pairs["passed"][:-1], np.diff(pairs.times)[:, None]
    found = np.stack([((passed >= count) * steps).sum(axis=0) for count in (1, 2)], axis=1)
    np.testing.assert_allclose(found / ms, ABOVE / ms, atol=1e-3)


def exact_rho(lag: float, rho: float, until: float) -> float:
    """Efficacy after a pair, integrated from each passing of a threshold to the next."""
    times, sizes = arrivals(lag)
    marks, calcium, t = {0.0: 0.0}, 0.0, 0.0
    for when, size in zip(times, sizes, strict=True):
        calcium = calcium * np.exp(-(when - t) / (20 * ms)) + size
        marks, t = {one: level for one, level in marks.items() if one < when} | {
            when: calcium, **{when + 20 * ms * np.log(calcium / level): level for level in (1.3, 1.0)
                              if calcium > level}}, when
    for start, end in zip(sorted(marks), [*sorted(marks)[1:], until], strict=True):
        c = marks[start]
        up, down = 321.808 * (c > 1.3), 200.0 * (c > 1.0)
        rho = solve_ivp(lambda t, r, up=up, down=down: (up * (1 - r) - down * r - r * (1 - r) * (0.5 - r)) / 150,
                        (start, end), [rho], rtol=1e-11, atol=1e-13).y[0, -1]
    return rho


def test_a_pair_changes_the_efficacy_as_integrated_from_threshold_to_threshold(pairs):
    assert pairs["rho"][-1] == pytest.approx([exact_rho(lag, 0.5, 0.3) for lag in LAGS], rel=1e-6)


def test_pairs_depress_where_the_neuron_fires_first_and_potentiate_where_it_fires_last(pairs):
    assert (np.sign(pairs["rho"][-1] - 0.5) == np.where(LAGS < 0, -1, 1)).all()


def test_ca2_at_a_threshold_is_not_above_it_yet():
    """One presynaptic spike brings exactly theta_d, then a spike of the neuron at the same instant is above both."""
    spines, rule = calcium_rules()
    alone = replace(spines, post=NONE)
    assert (calcium_run(alone, rule, 0.3, 1e-3)["passed"] == 0).all()
    V = Species("V", rule.where, -70.0, unit="mV", signed=True)
    both = replace(spines, post=Firing(V, -50 * mV))
    kick = Spikes(V.place, V, np.array(times_of(both)[:1]), 30 * mV)
    run = simulate(Model([rule.calcium, rule.rho, rule.passed, V], [rule, both, kick]), 0.06,
                   [each(rule.passed), each(rule.calcium)])
    at = np.flatnonzero(run.times == times_of(both)[0])[-1]
    assert run["calcium"][at].max() == 3.0
    assert (run["passed"][at] == 2).all()


@pytest.mark.parametrize("thresholds", [(1.0, 1.3), (1.3, 1.0)])
def test_any_ca2_may_be_read_and_either_threshold_be_the_lower_one(thresholds):
    """Ca2+ of the ECS falls from 5 through both; only the time above each counts."""
    mesh = synapses(1)
    where, calcium = mesh["synapses"], Species("calcium", mesh["ecs"], 5.0)
    rho, passed = Species("rho", where, 0.5, signed=True), Species("passed", where, 2.0)
    rule = CalciumRule(where, calcium, rho, passed, *thresholds, sigma=0.0)
    run = simulate(Model([calcium, rho, passed], [rule, Decay(calcium.place, calcium, 50.0)]), 0.2, [each(rho)],
                   tolerance=Tolerance(1e-6))
    both, one = 0.02 * np.log(5 / 1.3) / 150, 0.02 * np.log(1.3) / 150  # how long, per tau
    up, down, rest = 321.808, 200.0, 321.808 / 521.808
    middle = rest + (0.5 - rest) * np.exp(-(up + down) * both)
    expected = middle * np.exp(-down * one) if thresholds == (1.0, 1.3) else 1 - (1 - middle) * np.exp(-up * one)
    assert run["rho"][-1] == pytest.approx(expected, abs=1e-5)  # the drift without Ca2+ is less in 0.2 s


def test_the_ca2_of_a_spine_may_be_read_in_its_own_unit():
    """A spike of the neuron brings 1 uM to a spine that rests at 0.05 uM; its Ca2+ is above 0.5 uM alone."""
    where = synapses(1)["synapses"]
    V = Species("V", where, -70.0, unit="mV", signed=True)
    calcium, rho = Species("calcium", where, 0.05), Species("rho", where, 0.5, signed=True)
    spine = SpineCalcium(where, calcium, SynapticCurrent(where, V, 0.0, 0.0), tau=12 * ms)
    rule = CalciumRule(where, calcium, rho, *on_synapses("passed", where=where), 0.5 * uM, 2 * uM, sigma=0.0)
    run = simulate(Model([V, calcium, rho, rule.passed], [spine, BackPropagation(where, calcium, PRE, 1 * uM), rule]),
                   0.12, [each(rho)], tolerance=Tolerance(1e-6))
    above = 12 * ms * np.log(1 / 0.45)
    assert run["rho"][-1] == pytest.approx(0.5 * np.exp(-200 * above / 150), rel=1e-6)


def test_without_ca2_the_efficacy_is_bistable_with_rests_at_0_half_and_1():
    where = synapses(5)["synapses"]
    first = np.array([0.0, 0.3, 0.5, 0.7, 1.0])
    rule = CalciumRule(where, *on_synapses("calcium", where=where), Species("rho", where, first, signed=True),
                       *on_synapses("passed", where=where))
    run = simulate(Model([rule.calcium, rule.rho, rule.passed], [rule]), 600.0, [each(rule.rho)],
                   tolerance=Tolerance(1e-5))
    z = first - 0.5  # dz/dt = z (1/4 - z^2)/tau
    expected = 0.5 + z * np.exp(1.0) / np.sqrt(1 + 4 * z**2 * np.expm1(2.0))  # t = 4 tau
    assert run["rho"][-1] == pytest.approx(expected, rel=1e-4)
    assert (run["rho"][-1][[0, 2, 4]] == [0, 0.5, 1]).all()


def test_noise_is_there_while_ca2_is_above_a_threshold_and_has_its_variance():
    where = synapses(4000)["synapses"]
    calcium = np.repeat([0.5, 1.2, 5.0, 5.0], 1000)
    rho = Species("rho", where, 0.5, signed=True)
    rule = CalciumRule(where, Species("calcium", where, calcium), rho,
                       Species("passed", where, np.repeat([0.0, 1.0, 2.0, 2.0], 1000)), gamma_d=0.0, gamma_p=0.0)
    run = simulate(Model([rule.calcium, rho, rule.passed], [rule]), 0.1, [each(rho)], seed=3)
    moved = run["rho"][-1].reshape(4, -1) - 0.5
    assert np.abs(moved[0]).max() == 0.0
    variance = 2.8284**2 * 0.1 / 150 * np.array([1, 2, 2])  # sigma^2 t/tau for each threshold
    assert moved[1:].var(axis=1) == pytest.approx(variance, rel=4 * np.sqrt(2 / 1000))


def test_the_count_of_thresholds_must_fit_ca2_at_the_start():
    where = synapses(3)["synapses"]
    calcium = Species("calcium", where, np.array([1.0, 1.2, 5.0]))
    with pytest.raises(InputError, match=r"^CalciumRule: 'calcium' begins above 1 thresholds at element 1; 'passed' "
                                         r"must begin with that number there$"):
        CalciumRule(where, calcium, *on_synapses("rho", "passed", where=where, signed=True))


@pytest.mark.parametrize(("name", "species"), [
    ("three-factor", "eligibility"), ("three-factor", "weight"), ("BCM", "weight")])
def test_what_a_rule_may_bring_below_zero_must_be_signed(name, species):
    rule = all_rules(ConstantGate())[name]
    with pytest.raises(InputError, match=rf"^{type(rule).__name__}: 'w' may fall below zero; make it a species that is "
                                         r"signed$"):
        replace(rule, **{species: Species("w", WHERE)})


@pytest.mark.parametrize(("name", "field"), [
    *(("three-factor", one) for one in ("pre_trace", "post_trace", "eligibility", "weight")),
    *(("pair STDP", one) for one in ("pre_trace", "post_trace", "weight")), ("BCM", "theta"), ("BCM", "weight"),
    ("scaling", "weight"), ("spike rates", "x"), ("spike rates", "y"), ("spike calcium", "calcium")])
def test_what_a_rule_keeps_for_each_synapse_must_be_on_the_synapses(name, field):
    rule = all_rules(ConstantGate())[name]
    with pytest.raises(InputError, match=rf"^{type(rule).__name__}: 'state' is on 'ecs'; it must be on 'synapses'$"):
        replace(rule, **{field: Species("state", synapses(2)["ecs"], signed=True)})


def test_an_efficacy_that_noise_may_bring_below_zero_must_be_signed():
    calcium, rho, passed = on_synapses("calcium", "rho", "passed")
    with pytest.raises(InputError, match=r"^CalciumRule: 'rho' may fall below zero; make it a species that is signed$"):
        CalciumRule(WHERE, calcium, rho, passed)


def test_a_run_that_starts_with_another_count_of_thresholds_than_ca2_has_passed_counts_anew():
    """As from a steady state that is found without events: after the first step the run is that from a right count."""
    where = synapses(1)["synapses"]
    calcium, rho = Species("calcium", where, 5.0), Species("rho", where, 0.5, signed=True)
    rule = CalciumRule(where, calcium, rho, Species("passed", where, 2.0), sigma=0.0)
    model = Model([calcium, rho, rule.passed], [rule])
    start = assemble(model).state(assemble(model).initial())
    start.layout.values(start.values, rule.passed)[:] = 0.0
    wrong, right = (simulate(model, 5.0, [each(rule.passed), each(rho)], start=one) for one in (start, None))
    assert (wrong["passed"][1:] == 2).all()
    first = np.diff(wrong.times)[0]
    assert wrong["rho"][-1] == pytest.approx(right["rho"][-1], abs=321.808 * first / 150)


def test_a_threshold_of_nothing_has_no_time_above_it():
    with pytest.raises(InputError, match=r"^threshold is 0; it must be a finite number > 0$"):
        time_above(0.0, [0.1], [1.0])


# Rates and slow signals


def test_the_rates_of_regular_trains_are_those_of_the_trains_on_average():
    """Just after a spike of a long train it is 1/tau/(1 - exp(-T/tau)), which falls off to a mean of 1/T."""
    rule = SpikeRates(WHERE, (NONE, NONE), NONE, *on_synapses("x", "y"))
    c = play(rule, *((0.02 * k, 1.0, float(k % 2)) for k in range(400)))
    for rate, every in ((c[rule.x], 0.02), (c[rule.y], 0.04)):
        mean = rate * -np.expm1(-every / 0.1) * 0.1 / every
        assert mean == pytest.approx([1 / every] * 2, rel=1e-12)


def remembered(index: list[int], volumes: list[float]) -> tuple[SlowSignal, Place]:
    """The mean Ca2+ of a cytosol of three unlike elements, in pools that these touch; and synapses at the pools."""
    mesh = Mesh.of(pool("cytosol", [1.0, 2.0, 5.0]), pool("memory", volumes))
    mesh = mesh.touching("cytosol", "memory", np.array(index))
    mesh = mesh.with_points("synapses", np.zeros((2, 3)), ["cytosol"])
    mesh = mesh.touching("synapses", "memory", np.array([0, max(index)]))
    calcium = Species("calcium", mesh["cytosol"], np.array([1.0, 3.0, 2.0]))
    return SlowSignal(mesh["cytosol"], calcium, Species("slow", mesh["memory"])), mesh["synapses"]


@pytest.mark.parametrize(("index", "volumes", "means"), [
    ([0, 0, 0], [7.0], [17 / 8]), ([0, 1, 1], [7.0, 0.1], [1.0, 16 / 7])], ids=["one pool", "two pools"])
def test_a_slow_signal_comes_to_the_mean_by_volume_with_its_time_constant_and_takes_nothing(index, volumes, means):
    rule, _ = remembered(index, volumes)
    run = simulate(Model([rule.of, rule.signal], [rule]), 90.0, [each(rule.signal), each(rule.of)],
                   tolerance=Tolerance(1e-5))
    expected = np.outer(-np.expm1(-run.times / 60.0), means).squeeze()
    np.testing.assert_allclose(run["slow"], expected, rtol=1e-4, atol=1e-12)
    assert (run["calcium"] == [1.0, 3.0, 2.0]).all()
    gains = rule.between({rule.of: np.array([1.0, 3.0, 2.0]), rule.signal: np.zeros(3)}, 90.0)[rule.signal]
    pools = np.bincount(index, gains * rule.where.measure) / volumes
    assert pools == pytest.approx(np.array(means) * -np.expm1(-1.5), rel=1e-12)


def test_each_synapse_may_have_a_slow_signal_of_the_field_around_it():
    mesh = Mesh.of(pool("ecs", [1.0, 2.0]))
    mesh = mesh.with_points("synapses", np.zeros((3, 3)), ["ecs"]).touching("synapses", "ecs", np.array([1, 0, 1]))
    field, slow = Species("field", mesh["ecs"], np.array([2.0, 5.0])), Species("slow", mesh["synapses"])
    rule = SlowSignal(mesh["synapses"], field, slow, tau=10 * s)
    run = simulate(Model([field, slow], [rule]), 100.0, [each(slow)], tolerance=Tolerance(1e-4))
    assert run["slow"][-1] == pytest.approx([5.0, 2.0, 5.0], rel=1e-3)


def test_a_gate_at_the_synapses_reads_the_mean_of_the_cytosol():
    slow, where = remembered([0, 0, 0], [7.0])
    pre, behind = on_synapses("pre", "post", where=where)
    rule = PairSTDP(where, (PRE + 600, NONE), POST + 600, pre, behind, Species("w", where, 0.5),
                    HillGate(slow.signal, K=17 / 8, n=1.0))
    run = simulate(Model([slow.of, slow.signal, pre, behind, rule.weight], [slow, rule]), 600.2, [each(rule.weight)],
                   tolerance=Tolerance(1e-5))
    assert run["w"][-1] - 0.5 == pytest.approx([0.5 * 0.01 * np.exp(-0.5), 0.0], rel=1e-3)


# A sliding threshold


@dataclass(frozen=True, eq=False)
class LinearNeuron:
    """A rate that follows the sum of its inputs, weight times rate: tau dy/dt = w x - y."""

    where: Place  # synapses, which touch the neuron
    rate: Species
    weight: Species
    x: Floats
    tau: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.rate: (c[self.weight] * self.x - c[self.rate] / len(self.where)) / self.tau}


def on_one_neuron(*weights: float) -> tuple[Species, Species]:
    """The weights of synapses, and the rate of the neuron that they are on."""
    count = len(weights)
    mesh = synapses(count).with_places(pool("neuron", [1.0])).touching("synapses", "neuron", np.zeros(count, int))
    return (Species("w", mesh["synapses"], np.array(weights), signed=True, scale=0.1),
            Species("y", mesh["neuron"], 0.1, unit="Hz", scale=0.1))


def bcm(y: Any, theta: float, slow: Any = 0.0, **values: float) -> BCM:
    """The rule at two synapses, with inputs at 2 and 3 Hz."""
    held, w = Species("theta", WHERE, theta), Species("w", WHERE, 0.5, signed=True)
    return BCM(WHERE, Species("x", WHERE, np.array([2.0, 3.0])), y, held, w, slow, **values)


def slope(rule: BCM) -> Any:
    """How fast the weights of the rule change at first."""
    return rule.rates({one: np.full(2, one.initial) for one in species_of(rule)}, 0.0)[rule.weight]


def test_N13_at_y_equal_to_theta_equal_to_its_rest_nothing_changes():
    rule = bcm(5.0, 5.0, y_0=5.0)
    run = simulate(Model(species_of(rule), [rule]), 100.0, [each(rule.weight), each(rule.theta)])
    assert (run["w"] == 0.5).all()
    assert (run["theta"] == 5.0).all()


def test_N13_depression_turns_into_potentiation_where_y_passes_theta():
    for y in (0.5, 0.99, 1.0, 1.01, 4.0):
        assert (np.sign(slope(bcm(y, 1.0))) == np.sign(y - 1.0)).all()
    assert slope(bcm(3.0, 1.0)) == pytest.approx(1e-4 * np.array([2, 3]) * 3 * (3 - 1), rel=1e-12)


def test_N13_the_astrocyte_turns_potentiation_into_depression():
    assert (slope(bcm(1.5, 1.0)) > 0).all()
    assert slope(bcm(1.5, 1.0, slow=0.25, k_m=2.0)) == pytest.approx([0.0, 0.0], abs=1e-18)
    assert (slope(bcm(1.5, 1.0, slow=0.5, k_m=2.0)) < 0).all()


def test_N13_after_intense_activity_of_the_astrocyte_the_same_pairing_depresses():
    """Ca2+ of 1 uM raises the threshold over minutes, and the same rates that potentiated depress."""
    calcium = Species("calcium", WHERE, np.array([0.0, 1.0]))
    slow = SlowSignal(WHERE, calcium, Species("slow", WHERE), tau=60 * s)
    rule = bcm(1.2, 1.0, slow.signal, tau=1e6)
    run = simulate(Model([*species_of(rule), calcium], [rule, slow]), 300.0, [each(rule.weight)])
    assert (np.diff(run["w"][:, 0]) > 0).all()  # without Ca2+
    turn = np.interp(60 * np.log(1 / 0.8), run.times, np.arange(len(run.times)))  # where slow is 0.2
    assert (np.diff(run["w"][:int(turn), 1]) > 0).all()
    assert (np.diff(run["w"][int(turn) + 2:, 1]) < 0).all()


def test_the_threshold_slides_to_the_square_of_the_rate():
    rule = bcm(3.0, 1.0, y_0=2.0)
    run = simulate(Model(species_of(rule), [rule]), 30.0, [each(rule.theta)], tolerance=Tolerance(1e-5))
    expected = 4.5 + (1.0 - 4.5) * np.exp(-run.times / 10.0)
    np.testing.assert_allclose(run["theta"], np.stack([expected] * 2, axis=1), rtol=1e-4)


def test_N13_a_neuron_of_linear_inputs_comes_to_the_rate_that_rests():
    w, y = on_one_neuron(0.3, 0.4)
    x, theta = np.array([2.0, 1.0]), Species("theta", w.place, 0.5, unit="Hz")
    held = Species("x", w.place, x)
    rule = BCM(w.place, held, y, theta, w, y_0=4.0, tau=1 * s, eta=2e-3)
    neuron = LinearNeuron(w.place, y, w, x, tau=50 * ms)
    run = simulate(Model([held, theta, w, y], [rule, neuron]), 400.0, [each(theta), each(y)], tolerance=Tolerance(1e-4))
    assert run["y"][-1] == pytest.approx(4.0, rel=1e-4)
    assert run["theta"][-1] == pytest.approx([4.0, 4.0], rel=1e-4)


# Scaling


def test_scaling_at_a_held_rate_is_exponential_and_keeps_ratios_and_signs():
    w, _ = on_one_neuron(0.1, 0.5, -0.2)
    rule = SynapticScaling(w.place, 2 * Hz, w, target=5 * Hz, tau=100 * s)
    run = simulate(Model([w], [rule]), 50.0, [each(w)], tolerance=Tolerance(1e-5))
    assert run["w"][-1] == pytest.approx(np.array([0.1, 0.5, -0.2]) * np.exp(0.6 * 0.5), rel=1e-5)
    np.testing.assert_allclose(run["w"] / run["w"][:, :1], np.tile([1.0, 5.0, -2.0], (len(run.times), 1)), rtol=1e-9)


@pytest.mark.parametrize("x", [0.5, 40.0], ids=["deprived", "driven"])
def test_scaling_brings_a_linear_neuron_to_its_target_as_the_closed_form_says(x):
    """A neuron that follows at once: r grows by 1 - r/target per tau, the logistic equation."""
    w, y = on_one_neuron(0.5, 1.0, 0.5)
    first = x * 2.0
    y = replace(y, initial=first)
    rule = SynapticScaling(w.place, y, w, target=5 * Hz, tau=100 * s)
    neuron = LinearNeuron(w.place, y, w, np.full(3, x), tau=1e-3 * s)
    run = simulate(Model([w, y], [rule, neuron]), 1500.0, [each(w), each(y)], tolerance=Tolerance(1e-4))
    expected = 5 / (1 + (5 / first - 1) * np.exp(-run.times / 100))
    np.testing.assert_allclose(run["y"], expected, rtol=1e-3)
    assert run["y"][-1] == pytest.approx(5.0, rel=1e-4)
    np.testing.assert_allclose(run["w"] / run["w"][:, :1], np.tile([1.0, 2.0, 1.0], (len(run.times), 1)), rtol=1e-9)


# Gates


def test_the_coagonist_factor_is_one_while_the_astrocyte_is_silent_and_the_ratio_of_occupancies_else():
    assert CoagonistFactor(CoagonistGate(0.0, glycine=0.3))({}) == 1.0
    raised = CoagonistFactor(CoagonistGate(1.3))
    assert raised({}) == pytest.approx((2 / 3) / (1 / 2), rel=1e-15)
    assert all_rules(raised)["spike calcium"].spike({}, 1.0, 0.0).popitem()[1] == pytest.approx(4 / 3, rel=1e-15)


def test_glycine_takes_co_agonist_sites_at_rest_and_under_d_serine():
    alone, with_glycine = CoagonistGate(1.3, glycine=0.0), CoagonistGate(1.3, glycine=2.1)
    assert alone({}) == pytest.approx(2 / 3 - 1 / 2, rel=1e-15)
    assert with_glycine({}) == pytest.approx(3 / 4 - 2 / 3, rel=1e-14)


def test_any_field_may_open_the_gate_which_is_shut_at_its_rest():
    calcium = Species("calcium", synapses(3)["ecs"])
    gate = HillGate(calcium, K=0.4, rest=0.1)
    open_by = gate({calcium: np.array([0.1, 0.4, 1e9])})
    shut = 0.0625 / 1.0625
    below = HillGate(Species("slow", WHERE, signed=True), K=0.4, n=1.5)
    assert below({below.signal: np.array([-0.4, 0.0, 0.4])}) == pytest.approx([0.0, 0.0, 0.5], abs=1e-15)
    assert open_by == pytest.approx([0.0, 0.5 - shut, 1 - shut], abs=1e-9)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ConstantGate(-1.0), r"^ConstantGate: factor is -1; it must be a finite number >= 0$"),
    (lambda: CoagonistGate(1, EC50=0.0), r"^CoagonistGate: EC50 is 0; it must be a finite number > 0$"),
    (lambda: CoagonistGate(1, EC50_glycine=0.0), r"^CoagonistGate: EC50_glycine is 0; it must be a finite number > 0$"),
    (lambda: HillGate(1.0, K=0.0), r"^HillGate: K is 0; it must be a finite number > 0$"),
    (lambda: HillGate(1.0, K=1.0, n=0.0), r"^HillGate: n is 0; it must be a finite number > 0$")])
def test_gates_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
