"""Receptors that follow glutamate, vesicles one by one, and release under a firing rate."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from toy_mechanisms import Spikes
from toy_places import synapses

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.place import Place
from spatial.model import AtTimes, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses import spikes
from spatial.synapses.glutamate_receptors import (
    AMPA,
    AMPA_TWO_STATE,
    DOUBLY_BOUND,
    NMDA,
    NMDA_LESTER_JAHR,
    NMDA_TWO_STATE,
    Receptor,
    ReceptorStates,
)
from spatial.synapses.population import Population
from spatial.synapses.rate_release import RateRelease
from spatial.synapses.release import A1Inhibition, TsodyksMarkram, paired_pulse_ratio
from spatial.synapses.vesicles import StochasticRelease, draw
from spatial.units import mM, molecule, ms

Floats = NDArray[np.float64]
ALL = (NMDA, NMDA_LESTER_JAHR, AMPA, AMPA_TWO_STATE, NMDA_TWO_STATE)
NAMES = ("NMDA", "NMDA Lester-Jahr", "AMPA", "AMPA of two states", "NMDA of two states")
NONE = np.zeros(0)


# Receptors


@dataclass(frozen=True, eq=False)
class Pulse:
    """Glutamate that is there for a while."""

    where: Place
    glutamate: Species
    height: float
    start: float
    stop: float

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(np.array([self.start, self.stop]), (self.glutamate,), (self.glutamate,), self.change),)

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    def change(self, c: Any, t: float, rng: np.random.Generator) -> dict[Species, Any]:
        return {self.glutamate: {self.start: self.height, self.stop: -self.height}.get(t, 0.0)}


def pulse(receptor: Receptor, until: float, tolerance: float = 1e-4) -> tuple[Floats, dict[str, Floats]]:
    """Times [s] from the start of 1 mM for 1 ms, and the part of the receptors in each state."""
    mesh = synapses(1)
    where, glutamate = mesh["synapses"], Species("glutamate", mesh["ecs"], scale=1e3)
    states = receptor.species(where)
    mechanisms = [Pulse(mesh["ecs"], glutamate, 1 * mM, 1 * ms, 2 * ms),
                  ReceptorStates(where, receptor, glutamate, states)]
    run = simulate(Model([glutamate, *states.values()], mechanisms), until + 1 * ms,
                   [each(one) for one in states.values()], tolerance=Tolerance(tolerance))
    return run.times - 1 * ms, {state: run[one.name] for state, one in states.items()}


def exact(receptor: Receptor, times: Floats) -> Floats:
    """(k,) the open part at times after the start of 1 mM for 1 ms, by matrix exponentials."""
    rest = np.eye(len(receptor.states))[0]
    parts = [expm(receptor.rates(0.0) * max(t - 1e-3, 0)) @ expm(receptor.rates(1e3) * min(t, 1e-3)) @ rest
             for t in times]
    return np.array(parts)[:, receptor.states.index("O")]


@pytest.mark.parametrize(("receptor", "peak", "at", "decay"), [
    (NMDA, 0.25040, 16.45, 68.7), (NMDA_LESTER_JAHR, 0.37367, 15.25, 129.8)], ids=NAMES[:2])
def test_N2_nmda_receptors_open_and_close_as_published_after_a_pulse(receptor, peak, at, decay):
    times, parts = pulse(receptor, 0.25)
    opened = parts["O"]
    top = int(opened.argmax())
    assert opened[top] == pytest.approx(peak, rel=1e-3)
    fine = np.linspace(times[top - 1], times[top + 1], 400)
    vertex = fine[np.polyval(np.polyfit(times[top - 2:top + 3], opened[top - 2:top + 3], 2), fine).argmax()]
    assert (vertex - 1 * ms) / ms == pytest.approx(at, rel=0.01)
    falls = np.interp(-opened[top] / np.e, -opened[top:], times[top:])
    assert (falls - vertex) / ms == pytest.approx(decay, rel=0.01)


@pytest.mark.parametrize(("receptor", "opened", "desensitised"), [
    (NMDA, 0.21950, 0.43033), (NMDA_LESTER_JAHR, 0.27627, 0.44673)], ids=NAMES[:2])
def test_N2_nmda_receptors_are_steadily_open_and_desensitised_as_published(receptor, opened, desensitised):
    steady = dict(zip(receptor.states, receptor.steady(1 * mM), strict=True))
    assert (steady["O"], steady["D"]) == (pytest.approx(opened, abs=1e-5), pytest.approx(desensitised, abs=1e-5))


def test_N3_nmda_receptors_open_with_dose_as_published():
    opened = [NMDA.steady(c)[NMDA.states.index("O")] for c in (1.0, 2.3, 5.0, 10.0, 1 * mM)]
    assert np.array(opened[:4]) / opened[4] == pytest.approx([0.1955, 0.4508, 0.6894, 0.8325], abs=1e-4)


def test_N4_ampa_receptors_open_and_close_as_published_after_a_pulse():
    times, parts = pulse(AMPA, 0.0105)
    opened = parts["O"]
    assert opened.max() == pytest.approx(0.17159, rel=1e-3)
    assert times[opened.argmax()] == pytest.approx(1.015 * ms, abs=0.01 * ms)
    assert np.interp([5 * ms, 10 * ms], times, opened) == pytest.approx([0.07966, 0.03046], rel=0.01)


@pytest.mark.parametrize(("receptor", "opened", "tau"), [
    (AMPA_TWO_STATE, 0.617986, 5.263), (NMDA_TWO_STATE, 0.069243, 151.5)], ids=NAMES[3:])
def test_N5_receptors_of_two_states_open_and_close_as_published(receptor, opened, tau):
    times, parts = pulse(receptor, 0.02, tolerance=1e-5)
    after = int(np.flatnonzero(np.isclose(times, 1 * ms, atol=1e-12))[-1])
    assert parts["O"][after] == pytest.approx(opened, abs=1e-5)
    later = parts["O"][-1] / parts["O"][after]
    assert -(times[-1] - times[after]) / np.log(later) / ms == pytest.approx(tau, rel=1e-3)


@pytest.mark.parametrize("receptor", ALL, ids=NAMES)
def test_the_parts_of_receptors_add_up_to_one_and_none_is_negative(receptor):
    _, parts = pulse(receptor, 0.01, 1e-3)
    assert sum(parts.values()) == pytest.approx(1.0, abs=1e-13)
    assert min(part.min() for part in parts.values()) >= -1e-15


@pytest.mark.parametrize("receptor", ALL, ids=NAMES)
def test_receptors_as_species_agree_with_those_that_follow_glutamate_offline(receptor):
    times, parts = pulse(receptor, 0.01)
    some = np.flatnonzero(times >= 0)[::3]
    assert parts["O"][some] == pytest.approx(exact(receptor, times[some]), abs=1e-5)
    grid = np.arange(0, 1001) * 1e-5
    glutamate = np.where(grid < 1 * ms - 1e-9, 1 * mM, 0.0)
    followed = receptor.follow(grid, glutamate, ["O"])[:, 0]
    late = np.flatnonzero(grid > 3 * ms)[::50]  # past the ramp of one step that `follow` makes of the pulse's end
    assert followed[late] == pytest.approx(exact(receptor, grid[late]), rel=0.01)


@pytest.mark.parametrize("receptor", ALL, ids=NAMES)
def test_receptors_that_begin_steady_in_ambient_glutamate_stay(receptor):
    mesh = synapses(1)
    states = receptor.species(mesh["synapses"], 2.0)
    system = assemble(Model(states.values(), [ReceptorStates(mesh["synapses"], receptor, 2.0, states)]))
    fastest = np.abs(receptor.rates(2.0)).max()
    assert np.abs(system.rate(system.initial(), 0.0)).max() < 1e-12 * fastest
    after = expm(receptor.rates(2.0) * 1e3) @ np.eye(len(receptor.states))[0]
    assert receptor.steady(2.0) == pytest.approx(after, abs=1e-8)
    assert receptor.steady(0.0) == pytest.approx(np.eye(len(receptor.states))[0], abs=1e-12)


def test_each_synapse_has_its_own_receptors():
    mesh = synapses(2)
    states = NMDA.species(mesh["synapses"])
    glutamate = Species("glutamate", mesh["synapses"], np.array([0.0, 10.0]))
    model = Model([glutamate, *states.values()], [ReceptorStates(mesh["synapses"], NMDA, glutamate, states)])
    run = simulate(model, 0.05, [each(states[one]) for one in DOUBLY_BOUND])
    opened = run["NMDA receptor O"][-1]
    assert opened[0] == 0.0 < 0.01 < opened[1]


def test_receptors_need_a_species_for_each_state():
    states = AMPA_TWO_STATE.species(synapses(1)["synapses"])
    with pytest.raises(InputError, match=r"^ReceptorStates: states are \['C', 'O'\]; the AMPA receptor has "
                                         r"\['C0', 'C1', 'C2', 'D1', 'D2', 'O'\]$"):
        ReceptorStates(synapses(1)["synapses"], AMPA, 1.0, states)


# Vesicles


def released(trains: tuple[Floats, ...], vesicles: int, seed: int, U0: float = 0.6, adenosine: float = 0.0,
             **values: float) -> Recording:
    """Stochastic release at these synapses, in units of a vesicle."""
    mesh = synapses(len(trains))
    where, ecs = mesh["synapses"], mesh["ecs"]
    of = {"glutamate": Species("glutamate", ecs), "adenosine": Species("adenosine", ecs, adenosine),
          "docked": Species("docked", where, float(vesicles)),
          **{name: Species(name, where) for name in ("u", "fired", "since", "released")}}
    rule = StochasticRelease(where, trains, draw(trains, vesicles, np.random.default_rng(seed)), of["glutamate"],
                             A1Inhibition(of["adenosine"], U0), of["u"], of["docked"], of["fired"], of["since"],
                             of["released"], **{"content": 1.0, **values})
    return simulate(Model(of.values(), [rule]), max(one.max(initial=0.0) for one in trains) + 1e-3,
                   [each(of[name]) for name in ("released", "docked", "glutamate")], every=10.0, at_events=True)


def deterministic(train: Floats, U0: float, adenosine: float = 0.0) -> Floats:
    """The part that `TsodyksMarkram` releases at each spike."""
    mesh = synapses(1)
    where, ecs = mesh["synapses"], mesh["ecs"]
    glutamate, u = Species("glutamate", ecs), Species("u", where)
    x, out = Species("x", where, 1.0), Species("released", where)
    rule = TsodyksMarkram(where, (train,), glutamate, A1Inhibition(adenosine, U0), u, x, out, resource=1.0)
    run = simulate(Model([glutamate, u, x, out], [rule]), train[-1] + 1e-3, [each(out)], tolerance=Tolerance(1e-6))
    return per_spike(run)[:, 0]


def per_spike(run: Recording) -> Floats:
    """(spikes, n) what each instant released."""
    at = np.flatnonzero(np.diff(run.times) == 0)
    return np.diff(run.series["released"].values, axis=0)[at]


def test_R7_four_vesicles_release_a_binomial_number():
    many = 8000
    run = released((np.array([0.01]),) * many, 4, seed=1)
    number = run["released"][-1]
    assert number.mean() == pytest.approx(2.4, abs=3 * np.sqrt(0.96 / many))
    fourth = 4 * 0.6 * 0.4 * (1 + (3 * 4 - 6) * 0.6 * 0.4)  # central moment of a binomial
    assert number.var() == pytest.approx(0.96, abs=3 * np.sqrt((fourth - 0.96 ** 2) / many))


@pytest.mark.parametrize(("U0", "adenosine"), [(0.6, 0.0), (0.1, 0.0), (0.6, 1.2)])
def test_vesicles_release_on_average_what_tsodyks_and_markram_say(U0, adenosine):
    train, many = spikes.bursts(3, 4, 50.0, 0.4, start=0.01), 1000
    run = released((train,) * many, 4, seed=2, U0=U0, adenosine=adenosine)
    found = per_spike(run)
    error = found.std(axis=1) / np.sqrt(many)
    assert (np.abs(found.mean(axis=1) - 4 * deterministic(train, U0, adenosine)) < 3 * error).all()


def test_vesicles_are_whole_and_none_is_lost():
    rng = np.random.default_rng(5)
    trains = tuple(spikes.poisson(20.0, 1.0, rng) for _ in range(12))
    run = released(trains, 3, seed=6)
    docked, out = run["docked"], run["released"]
    assert ((docked >= 0) & (docked <= 3) & (docked == np.rint(docked))).all()
    assert (np.diff(out, axis=0) >= 0).all()
    refilled = out + docked - 3  # every one released was docked at first, or refilled
    assert (refilled >= 0).all()
    assert (np.diff(refilled, axis=0) >= 0).all()
    assert (np.diff(out, axis=0) <= 3).all()


def test_what_vesicles_held_is_in_the_ecs():
    run = released((np.array([0.1, 0.2]), NONE, np.array([0.1])), 4, seed=3, content=3000 * molecule)
    assert run["glutamate"][-1] == pytest.approx(run["released"][-1].sum(), rel=1e-14)
    assert run["released"][-1] / (3000 * molecule) == pytest.approx(np.rint(run["released"][-1] / 3000 / molecule))
    assert run["released"][-1, 1] == 0.0


def test_without_recovery_every_vesicle_goes_once():
    run = released((spikes.regular(60, 20.0, 0.01),) * 50, 4, seed=4, recovery=0.0)
    assert (run["released"][-1] == 4).all()
    assert (run["docked"][-1] == 0).all()


def test_the_same_seed_releases_the_same_and_another_does_not():
    trains = (spikes.regular(20, 20.0, 0.01),) * 10
    one, again, other = (released(trains, 4, seed)["released"] for seed in (7, 7, 8))
    assert (one == again).all()
    assert (one != other).any()


def test_under_adenosine_the_same_draws_release_no_vesicle_more_at_the_first_spike():
    trains = (np.array([0.1]),) * 200
    free, inhibited = (released(trains, 4, 9, adenosine=a)["released"][-1] for a in (0.0, 1.2))
    assert (inhibited <= free).all()
    assert inhibited.sum() < 0.5 * free.sum()


def test_R6_on_average_vesicles_have_the_paired_pulse_ratio_of_the_closed_form():
    many = 8000
    run = released((np.array([0.01, 0.06]),) * many, 4, seed=10, adenosine=0.6)
    first, second = per_spike(run)
    ratio = second.mean() / first.mean()
    error = ratio * np.hypot(first.std() / first.mean(), second.std() / second.mean()) / np.sqrt(many)
    assert ratio == pytest.approx(float(paired_pulse_ratio(0.3, 0.05)), abs=3 * error)


@pytest.mark.parametrize(("U0", "interval"), [(0.6, 0.02), (0.6, 0.5), (0.1, 0.05)])
def test_R6_the_closed_form_is_the_paired_pulse_ratio_of_tsodyks_and_markram(U0, interval):
    first, second = deterministic(np.array([0.01, 0.01 + interval]), U0)
    assert paired_pulse_ratio(U0, interval) == pytest.approx(second / first, rel=1e-5)


def test_R6_the_paired_pulse_ratio_rises_with_adenosine():
    adenosine = np.linspace(0.0, 5.0, 40)
    ratio = paired_pulse_ratio(0.6 / (1 + adenosine / 0.6), 0.05)
    assert (np.diff(ratio) > 0).all()
    assert ratio[0] < 1 < ratio[-1]
    assert paired_pulse_ratio(0.6, 1e3) == pytest.approx(1.0)


@pytest.mark.parametrize(("initial", "count", "message"), [
    (5.0, 1, r"'docked' begins with 5 vesicles at a synapse; it must be a whole number from 0 to 4, those drawn for$"),
    (2.5, 1, r"'docked' begins with 2\.5 vesicles at a synapse; it must be a whole number from 0 to 4, those drawn"),
    (4.0, 2, r"^StochasticRelease: draws are for 2 spikes; the trains have 1$")])
def test_vesicles_that_make_no_sense_are_refused(initial, count, message):
    where = synapses(1)["synapses"]
    draws = draw((np.arange(count) + 0.5,), 4, np.random.default_rng(0))
    with pytest.raises(InputError, match=message):
        StochasticRelease(where, (np.array([0.5]),), draws, Species("g", where), A1Inhibition(0.0),
                          Species("u", where), Species("docked", where, initial),
                          *(Species(name, where) for name in ("fired", "since", "out")))


@pytest.mark.parametrize("field", ["u", "docked", "fired", "since", "released"])
def test_what_is_kept_of_vesicles_must_be_on_the_synapses(field):
    mesh = synapses(1)
    where, trains = mesh["synapses"], (np.array([0.5]),)
    rule = StochasticRelease(where, trains, draw(trains, 4, np.random.default_rng(0)), Species("g", where),
                             A1Inhibition(0.0), *(Species(str(k), where) for k in range(5)))
    with pytest.raises(InputError, match=r"^StochasticRelease: 'state' is on 'ecs'; it must be on 'synapses'$"):
        replace(rule, **{field: Species("state", mesh["ecs"])})


def test_a_population_of_synapses_releases_the_same_vesicles():
    rng = np.random.default_rng(11)
    trains = (*(spikes.poisson(15.0, 0.5, rng) for _ in range(20)), NONE)
    mesh = synapses(len(trains))
    where = mesh["synapses"]
    of = [Species(name, where, 4.0 * (name == "docked")) for name in ("docked", "u", "fired", "since", "released")]
    docked, u, fired, since, out = of
    full, adenosine = Species("full vesicles", where), Species("adenosine", mesh["ecs"], 0.3)
    rule = StochasticRelease(where, trains, draw(trains, 4, np.random.default_rng(12)), full,
                             A1Inhibition(adenosine), u, docked, fired, since, out, content=1.0)
    population = Population(rule, (), window=0.02, until=0.5)
    one_by_one = Model([*of, full, adenosine], [rule])
    together = Model([*of, full, adenosine, *population.species], [population])
    runs = [simulate(model, 0.5, [each(out), each(docked), each(full)]) for model in (one_by_one, together)]
    for name in ("released", "docked", "full vesicles"):
        assert runs[0][name][-1] == pytest.approx(runs[1][name][-1], abs=1e-9)
    assert runs[0]["released"][-1].sum() > 20


def test_silent_synapses_release_nothing():
    assert (released((NONE, NONE), 4, seed=13)["released"] == 0).all()


def test_there_must_be_vesicles():
    with pytest.raises(InputError, match=r"^number of vesicles is 0; it must be a finite number > 0$"):
        draw((NONE,), 0, np.random.default_rng(0))


# Release under a firing rate

RATES = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0])
STEADY = [0.3, 0.312384, 0.315650, 0.307692, 0.295738, 0.338686, 0.438961, 0.623103]
WITHOUT = [0.3, 0.317073, 0.333333, 0.363636, 0.44, 0.533333, 0.65, 0.8]


def rated(rate: Any, **values: float) -> tuple[Model, RateRelease]:
    """Release at synapses that fire at these rates."""
    rate = np.atleast_1d(np.asarray(rate, float))
    where = synapses(len(rate))["synapses"]
    r, a, p = Species("rate", where, rate), Species("a", where), Species("p", where, 0.3)
    rule = RateRelease(where, r, a, p, **values)
    return Model([r, a, p], [rule]), rule


def test_N11_the_closed_form_has_the_published_steady_release_probability():
    _, rule = rated(1.0)
    assert rule.steady(RATES) == pytest.approx(STEADY, abs=1e-6)
    assert rule.steady(RATES, 0.0) == pytest.approx(WITHOUT, abs=1e-6)


@pytest.mark.parametrize(("gamma", "expected"), [(2.0, STEADY), (0.0, WITHOUT)])
def test_N11_a_simulation_comes_to_the_published_steady_release_probability(gamma, expected):
    model, rule = rated(RATES, gamma_p=gamma)
    run = simulate(model, 150.0, [each(rule.p), each(rule.a)], tolerance=Tolerance(1e-5))
    assert run["p"][-1] == pytest.approx(expected, abs=1e-6)
    assert run["a"][-1] == pytest.approx(5 * 0.05 * RATES, rel=1e-7)


def test_N12_release_and_adenosine_have_the_published_transient():
    model, rule = rated(10.0)
    times = np.array([0.1, 0.5, 1.0, 2.0, 5.0, 10.0])
    run = simulate(model.with_mechanisms(Spikes(rule.where, rule.p, times, 0.0)), 10.0, [each(rule.p), each(rule.a)],
                   tolerance=Tolerance(1e-6))
    at = np.searchsorted(run.times, times)
    assert run["p"][at] == pytest.approx([0.360423, 0.475225, 0.488959, 0.433689, 0.363303, 0.344585], abs=1e-5)
    assert run["a"][at] == pytest.approx(2.5 * (1 - np.exp(-times / 5)), rel=1e-5)


def test_the_release_probability_stays_between_0_and_1():
    where = synapses(2)["synapses"]
    r, p = Species("rate", where, np.array([1e4, 0.0])), Species("p", where, np.array([0.0, 1.0]))
    run = simulate(Model([r, p], [RateRelease(where, r, 1e6, p)]), 10.0, [each(p)])
    assert ((run["p"] >= 0) & (run["p"] <= 1)).all()
    assert run["p"][-1, 0] > 0.99


def test_C11_adenosine_always_lowers_release_but_it_falls_with_rate_only_in_a_window():
    _, rule = rated(1.0)
    rates = np.linspace(0.01, 60, 3000)
    with_adenosine, without = rule.steady(rates), rule.steady(rates, 0.0)
    assert (with_adenosine < without).all()
    falls = np.diff(with_adenosine) < 0
    window = rates[:-1][falls]
    assert 0.5 < window[0] < 2 < window[-1] < 6
    assert falls.sum() == np.count_nonzero((rates[:-1] >= window[0]) & (rates[:-1] <= window[-1]))
    bound = (0.25 * rates) ** 2
    R, slope = bound / (1 + bound), 2 * bound / (1 + bound) ** 2 / rates
    criterion = 2 * slope * (0.3 / 0.5 + 0.1 * rates) > 0.1 * 0.7 / 0.5 + 0.1 * 2 * R
    assert (criterion[:-1] == falls)[np.abs(rates[:-1, None] - window[[0, -1]]).min(axis=1) > 0.05].all()


def test_a_field_of_adenosine_is_looked_at_and_not_changed():
    mesh = synapses(1)
    field, p = Species("adenosine", mesh["ecs"], 0.6), Species("p", mesh["synapses"], 0.3)
    rule = RateRelease(mesh["synapses"], 5.0, field, p, K=0.6, n=1.0)
    run = simulate(Model([field, p], [rule]), 10.0, [each(field), each(p)], tolerance=Tolerance(1e-5))
    assert (run["adenosine"] == 0.6).all()
    assert run["p"][-1] == pytest.approx((0.6 + 0.5) / (2 + 0.5 + 1.0), rel=1e-6)


def solved(rates: Any, initial: Floats) -> Floats:
    """What a system of equations comes to after 3 s."""
    return solve_ivp(rates, (0, 3), initial, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]


def test_the_rate_model_is_its_two_equations():
    model, rule = rated(7.0)
    system = assemble(model)
    found = solved(lambda t, u: system.rate(u, t), system.initial())

    def equations(t: float, y: Floats) -> list[float]:
        R = y[0] ** 2 / (1 + y[0] ** 2)
        return [-y[0] / 5 + 0.05 * 7, -(y[1] - 0.3) / 0.5 + 0.1 * 7 * (1 - y[1]) - 2 * R * y[1]]

    expected = solved(equations, np.array([0, 0.3]))
    assert [system.state(found)[one][0] for one in (rule.a, rule.p)] == pytest.approx(expected, rel=1e-7)


def test_a_resting_probability_above_one_is_refused():
    with pytest.raises(InputError, match=r"^RateRelease: p0 is 1.5; it must be a probability, at most 1$"):
        rated(1.0, p0=1.5)
