"""Postsynaptic neurons against closed forms and an independent solver, their synapses' currents, and spine Ca2+."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from toy_mechanisms import Decay, Spikes

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial._engine.system.jacobian import linearise
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import well_mixed
from spatial.model import Model, OnRise, Species
from spatial.observe.probes import each
from spatial.simulate import simulate
from spatial.synapses.glutamate_receptors import AMPA, NMDA, ReceptorStates
from spatial.synapses.postsynaptic import (
    ADAPTING,
    BURSTING,
    INITIAL_BURST,
    LIF,
    TONIC,
    AdEx,
    PassiveMembrane,
    Pattern,
    with_neurons,
)
from spatial.synapses.receptors import coagonist_occupancy, magnesium_block
from spatial.synapses.spikes import Firing
from spatial.synapses.synaptic_current import BackPropagation, SpineCalcium, SynapticCurrent
from spatial.units import ion_flux, ms

Floats = NDArray[np.float64]
C = 0.2  # pA s/mV
R = 0.02 / C  # mV/pA


def mesh(synapses: int = 1, neuron: tuple[int, ...] = (0,), capacitance: Any = C) -> Mesh:
    """Synapses in one well-mixed ECS, on the neurons of these numbers."""
    points = well_mixed({"ecs": 1.0}).with_points("synapses", np.zeros((synapses, 3)), touching=["ecs"])
    return with_neurons(points, "synapses", neuron, capacitance=capacitance)


def potential(neurons: Place, initial: Any = -70.0) -> Species:
    return Species("V", neurons, initial, scale=10.0, unit="mV", signed=True)


@dataclass(frozen=True, eq=False)
class Witness:
    """Writes down each time at which a potential rises through a threshold, and where it was then."""

    where: Place
    spikes: Firing
    seen: list[tuple[float, Floats]] = field(default_factory=list)

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[OnRise, ...]:
        return (OnRise(lambda c, t: self.spikes.height(c), (), change=self.write),)

    def write(self, c: Any, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> dict[Species, Any]:
        if risen.any():
            self.seen.append((t, c[self.spikes.V].copy()))
        return {}

    @property
    def times(self) -> Floats:
        return np.array([t for t, _ in self.seen])


# Passive


def test_a_passive_membrane_decays_with_its_time_constant():
    neurons = mesh()["neurons"]
    V = potential(neurons, -50.0)
    run = simulate(Model([V], [PassiveMembrane(neurons, V)]), 0.04, [each(V)], tolerance=Tolerance(1e-6))
    assert run["V"] == pytest.approx(-70 + 20 * np.exp(-run.times / 0.02), abs=1e-4)


def test_a_passive_membrane_under_a_current_settles_at_E_plus_I_R():
    neurons = mesh(2, (0, 1), [C, 2 * C])["neurons"]
    V = potential(neurons)
    run = simulate(Model([V], [PassiveMembrane(neurons, V, current=100.0)]), 0.6, [each(V)],
                   tolerance=Tolerance(1e-4))
    assert run["V"][-1] == pytest.approx([-70 + 100 * R, -70 + 100 * R / 2], abs=1e-5)


# Leaky integrate-and-fire


def interval(current: float, reset: float = -60.0, refractory: float = 0.0) -> float:
    """Time between spikes of a leaky integrate-and-fire neuron at a constant current, in closed form."""
    return refractory + 0.02 * np.log((R * current - 70 - reset) / (R * current - 70 + 54))


def lif(current: float, until: float, tolerance: Tolerance, refractory: bool = False, drive: float = 0.0,
        **values: float) -> tuple[Witness, Floats, Floats, Floats]:
    """A neuron that begins at its reset: what is seen of its spikes, the times, how many it has fired, and V."""
    neurons = mesh()["neurons"]
    V, count = potential(neurons, -60.0), Species("count", neurons)
    waits = Species("refractory", neurons)
    cell = LIF(neurons, V, count, waits if refractory else None, current=current, **values)
    witness = Witness(neurons, Firing(V, -54.0))
    run = simulate(Model([V, count, waits], [witness, cell, Drive(neurons, V, drive / C)]), until,
                   [each(count), each(V)], tolerance=tolerance)
    return witness, run.times, run["count"], run["V"]


@pytest.mark.parametrize("current", [170.0, 250.0, 600.0])
@pytest.mark.parametrize("refractory", [False, True])
def test_integrate_and_fire_neurons_fire_at_the_rate_of_the_closed_form(current, refractory):
    one = interval(current, refractory=0.002 if refractory else 0.0)
    first = interval(current)
    witness, _, count, _ = lif(current, first + 4.5 * one, Tolerance(1e-6), refractory)
    assert len(witness.seen) == count[-1] == 5
    assert witness.times == pytest.approx(first + one * np.arange(len(witness.seen)), rel=2e-5)


def test_steps_end_at_the_threshold():
    witness, times, *_ = lif(250.0, 0.2, Tolerance(1e-3))
    assert len(witness.seen) > 5
    for t, V in witness.seen:
        assert t in times
        assert -54.0 <= V[0] < -54.0 + 1e-4


def test_without_enough_current_an_integrate_and_fire_neuron_never_fires():
    witness, *_ = lif(159.0, 1.0, Tolerance(1e-4))
    assert not witness.seen
    assert len(lif(161.0, 1.0, Tolerance(1e-4))[0].seen) > 3


def test_spike_times_converge_at_the_order_of_the_method():
    """With steps of h at most and none refused, the fifth spike is off by O(h^2)."""
    exact = 5 * interval(250.0)
    steps = np.array([2e-3, 1e-3, 0.5e-3])
    errors = [abs(lif(250.0, 5.5 * interval(250.0), Tolerance(1.0, longest=h))[0].times[4] - exact) for h in steps]
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] > 1.9


@dataclass(frozen=True, eq=False)
class Drive:
    """A steady rise of the potential [mV/s], as currents of synapses bring it."""

    where: Place
    V: Species
    slope: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.V: self.slope}


def test_a_refractory_neuron_is_held_at_its_reset_whatever_flows_into_it():
    witness, times, _, V = lif(0.0, 0.06, Tolerance(1e-4), True, drive=400.0, tau_ref=0.004)
    assert len(witness.seen) > 4
    assert np.diff(witness.times) == pytest.approx(interval(400.0, refractory=0.004), rel=1e-4)
    for t, _ in witness.seen[:4]:
        waiting = (times > t) & (times < t + 0.0039)
        assert waiting.any()
        assert V[waiting] == pytest.approx(np.full(waiting.sum(), -60.0), abs=0.0101 * 400 * R)


def test_a_refractory_time_that_has_not_begun_is_not_in_the_jacobian():
    """Where it is 0 the rates do not change with it, though a neuron whose time runs is held by a conductance."""
    neurons = mesh()["neurons"]
    V, waits = potential(neurons, -60.0), Species("refractory", neurons)
    system = assemble(Model([V, waits], [LIF(neurons, V, refractory=waits, current=250.0)]))
    found = linearise(system, system.initial(), 0.0).blocks["neurons"][0]
    assert found == pytest.approx(np.array([[-1 / 0.02, 0.0], [0.0, 0.0]]), rel=1e-6)


def test_only_the_neuron_that_reaches_its_threshold_is_reset():
    neurons = mesh(2, (0, 1))["neurons"]
    V, count = potential(neurons, np.array([-60.0, -60.0])), Species("count", neurons)
    current = Species("current", neurons, np.array([250.0, 150.0]))
    run = simulate(Model([V, count, current], [LIF(neurons, V, count, current=current)]), 0.3, [each(V), each(count)],
                   tolerance=Tolerance(1e-4))
    assert run["count"][-1].tolist() == [np.floor(0.3 / interval(250.0)), 0]
    assert run["V"][-1, 1] == pytest.approx(-70 + 150 * R, abs=1e-3)
    assert run["V"].max() < -54 + 1e-3


# Adaptive exponential


def adaptive(pattern: Pattern, until: float, tolerance: float = 1e-4) -> Floats:
    """Spike times of a neuron of this pattern."""
    neurons = mesh(capacitance=pattern.capacitance)["neurons"]
    V = potential(neurons, pattern.E)
    w = Species("w", neurons, scale=50.0, signed=True)
    cell = pattern.neurons(neurons, V, w)
    witness = Witness(neurons, Firing(V, -30.0))
    simulate(Model([V, w], [witness, cell]), until, tolerance=Tolerance(tolerance))
    return witness.times


def reference(pattern: Pattern, until: float) -> Floats:
    """The same by SciPy, from spike to spike."""
    def rates(t: float, y: Floats) -> list[float]:
        upstroke = pattern.g * 2 * np.exp((y[0] + 50) / 2)
        return [(pattern.g * (pattern.E - y[0]) + upstroke - y[1] + pattern.current) / pattern.capacitance,
                (pattern.a * (y[0] - pattern.E) - y[1]) / pattern.tau_w]

    def peak(t: float, y: Floats) -> float:
        return y[0] + 30

    peak.terminal, peak.direction = True, 1
    times, t, y = [], 0.0, np.array([pattern.E, 0.0])
    while t < until:
        done = solve_ivp(rates, (t, until), y, "LSODA", events=peak, rtol=1e-9, atol=1e-9)
        t, y = done.t[-1], done.y[:, -1]
        if done.status == 1:
            times.append(t)
            y = np.array([pattern.reset, y[1] + pattern.b])
    return np.array(times)


BRETTE_GERSTNER = Pattern(0.281, 1000.0, 30.0, -70.6, 4.0, 0.144, 80.5, -70.6)


@pytest.mark.parametrize(("pattern", "until"), [
    (TONIC, 0.045), pytest.param(ADAPTING, 0.3, marks=pytest.mark.slow), (INITIAL_BURST, 0.06),
    pytest.param(BURSTING, 0.5, marks=pytest.mark.slow)], ids=["tonic", "adapting", "initial burst", "bursting"])
def test_adaptive_exponential_neurons_fire_when_an_independent_solver_says(pattern, until):
    expected = reference(pattern, until)
    assert len(expected) >= 3
    assert adaptive(pattern, until) == pytest.approx(expected, abs=0.02 * ms)


def test_by_default_it_is_the_neuron_of_brette_and_gerstner():
    neurons = mesh(capacitance=0.281)["neurons"]
    V, w = potential(neurons, -70.6), Species("w", neurons, scale=50.0, signed=True)
    count = Species("count", neurons)
    cell = AdEx(neurons, V, w, count, current=1000.0)
    state = assemble(Model([V, w, count], [cell]))
    for V_now, w_now in ((-55.0, 100.0), (-48.0, 20.0), (-70.6, 0.0)):
        u = state.initial()
        state.layout.values(u, V)[:], state.layout.values(u, w)[:] = V_now, w_now
        du = state.state(state.rate(u, 0.0))
        exponential = 30 * 2 * np.exp((V_now + 50.4) / 2)
        assert du[V][0] == pytest.approx((30 * (-70.6 - V_now) + exponential - w_now + 1000) / 0.281)
        assert du[w][0] == pytest.approx((4 * (V_now + 70.6) - w_now) / 0.144)
    run = simulate(Model([V, w, count], [cell]), 0.1, [each(V), each(w), each(count)], tolerance=Tolerance(1e-3))
    spike = np.flatnonzero(np.diff(run["count"]))
    assert len(spike) >= 3
    assert run["V"][spike + 1] == pytest.approx(-70.6)
    assert np.diff(run["w"])[spike] == pytest.approx(80.5, abs=1.0)


def test_patterns_are_tonic_adapting_and_bursting():
    tonic, adapting, bursting = (np.diff(reference(one, 0.35)) for one in (TONIC, ADAPTING, BURSTING))
    burst = np.diff(reference(INITIAL_BURST, 0.35))
    assert tonic[-10:] == pytest.approx(np.full(10, tonic[-1]), rel=1e-3)
    assert (np.diff(adapting) > -1e-9).all()
    assert adapting[-1] > 2 * adapting[0]
    assert burst[0] < 0.1 * burst[-1]
    assert burst[-1] == pytest.approx(burst[-2], rel=1e-2)
    assert bursting[-2:].max() > 4 * bursting[-2:].min()


# Currents of synapses


def test_the_currents_of_all_its_synapses_flow_into_a_neuron():
    place = mesh(3, (0, 1, 0))
    V = potential(place["neurons"], np.array([-70.0, -40.0]))
    opened = Species("a", place["synapses"], np.array([0.1, 0.2, 0.3]))
    w = Species("w", place["synapses"], np.array([1.0, 2.0, -1.0]), signed=True)
    current = SynapticCurrent(place["synapses"], V, opened, 0.2, w, g_AMPA=2.0, g_NMDA=0.5)
    system = assemble(Model([V, opened, w], [current]))
    found = system.state(system.rate(system.initial(), 0.0))[V] * C
    nmda = 0.5 * 0.2 * 0.5 * magnesium_block([-70.0, -40.0]) * [70, 40]
    assert found == pytest.approx([2 * 0.1 * 70 + 2 * nmda[0], 2 * 0.2 * 2 * 40 + nmda[1]], rel=1e-12)


@pytest.mark.parametrize("V_now", [-70.0, -40.0, 20.0])
@pytest.mark.parametrize("d_serine", [0.0, 2.6])
def test_N6_the_nmda_current_is_the_product_of_glutamate_coagonist_and_block(V_now, d_serine):
    place = mesh()
    V, serine = potential(place["neurons"], V_now), Species("D-serine", place["ecs"], d_serine)
    current = SynapticCurrent(place["synapses"], V, 0.0, 0.2, d_serine=serine, g_NMDA=0.7)
    system = assemble(Model([V, serine], [current]))
    found = system.state(system.rate(system.initial(), 0.0))[V][0] * C
    expected = 0.7 * (0.2 * coagonist_occupancy(1.3 + d_serine) * magnesium_block(V_now)) * -V_now
    assert found == pytest.approx(expected, rel=1e-13)


def test_at_the_reversal_potential_no_current_flows():
    place = mesh()
    V = potential(place["neurons"], 10.0)
    system = assemble(Model([V], [SynapticCurrent(place["synapses"], V, 0.5, 0.5, E=10.0)]))
    assert system.rate(system.initial(), 0.0).tolist() == [0.0]


def test_a_steady_conductance_divides_the_potential():
    place = mesh()
    V = potential(place["neurons"])
    current = SynapticCurrent(place["synapses"], V, 0.5, 0.0, g_AMPA=8.0)
    run = simulate(Model([V], [PassiveMembrane(place["neurons"], V), current]), 0.3, [each(V)],
                   tolerance=Tolerance(1e-4))
    assert run["V"][-1] == pytest.approx(-70 * (1 / R) / (1 / R + 4), abs=1e-4)


def depolarised(d_serine: float, V_rest: float = -50.0, **values: float) -> float:
    """How far a synapse's neuron is depolarised at most [mV] after glutamate of 1 mM that decays in 1 ms."""
    place = mesh()
    synapse, neurons = place["synapses"], place["neurons"]
    V, glutamate = potential(neurons, V_rest), Species("glutamate", place["ecs"], scale=1e3)
    ampa, nmda = AMPA.species(synapse), NMDA.species(synapse)
    mechanisms = [Spikes(place["ecs"], glutamate, np.array([1 * ms]), 1e3), Decay(place["ecs"], glutamate, 1e3),
                  ReceptorStates(synapse, AMPA, glutamate, ampa), ReceptorStates(synapse, NMDA, glutamate, nmda),
                  SynapticCurrent(synapse, V, ampa["O"], nmda["O"], d_serine=d_serine, **values),
                  PassiveMembrane(neurons, V, E=V_rest)]
    run = simulate(Model([V, glutamate, *ampa.values(), *nmda.values()], mechanisms), 0.03, [each(V)])
    return float(run["V"].max()) - V_rest


def test_d_serine_makes_synapses_stronger_through_nmda_receptors_alone():
    quiet, loud = depolarised(0.0), depolarised(5.0)
    assert 0.05 < quiet < 1.1 * quiet < loud < 5.0
    assert depolarised(0.0, g_NMDA=0.0) == depolarised(5.0, g_NMDA=0.0) < quiet


# Ca2+ of the spine


def test_a_tenth_of_the_charge_through_nmda_receptors_is_calcium():
    place = mesh()
    synapse = place["synapses"]
    V, opened = potential(place["neurons"], -65.0), Species("o", synapse, 0.3)
    charge, calcium = Species("charge", synapse), Species("calcium", synapse, scale=0.1)
    current = SynapticCurrent(synapse, V, 0.0, opened)
    spine = SpineCalcium(synapse, calcium, current, tau=1e12, rest=0.0)

    @dataclass(frozen=True, eq=False)
    class Charge:
        where: Place

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            return {charge: current.through_nmda(c)}

    mechanisms = [current, spine, Charge(synapse), Decay(synapse, opened, 20.0), PassiveMembrane(place["neurons"], V)]
    run = simulate(Model([V, opened, charge, calcium], mechanisms), 0.2, [each(charge), each(calcium)])
    amount = run["calcium"] * 0.054 * 21
    assert run["charge"][-1] > 0.01
    assert amount == pytest.approx(ion_flux(0.1, 2) * run["charge"], rel=1e-9, abs=1e-12)


def test_calcium_of_a_spine_settles_where_extrusion_meets_influx_and_decays_to_rest():
    place = mesh()
    synapse = place["synapses"]
    V, calcium = potential(place["neurons"], -40.0), Species("calcium", synapse, 0.05)
    current = SynapticCurrent(synapse, V, 0.0, 0.1)
    model = Model([V, calcium], [SpineCalcium(synapse, calcium, current)])
    run = simulate(model, 0.3, [each(calcium)])
    inward = 0.5 * 0.1 * magnesium_block(-40.0) * 40
    assert run["calcium"][-1] == pytest.approx(0.05 + 0.012 * ion_flux(0.1, 2) * inward / (0.054 * 21), rel=1e-5)
    quiet = Model([V, calcium], [SpineCalcium(synapse, calcium, SynapticCurrent(synapse, V, 0.0, 0.0), rest=0.02)])
    run = simulate(quiet, 0.03, [each(calcium)], tolerance=Tolerance(1e-5))
    assert run["calcium"] == pytest.approx(0.02 + 0.03 * np.exp(-run.times / 0.012), abs=1e-6)


def test_an_outward_current_brings_no_calcium():
    place = mesh()
    V, calcium = potential(place["neurons"], 30.0), Species("calcium", place["synapses"], 0.05)
    spine = SpineCalcium(place["synapses"], calcium, SynapticCurrent(place["synapses"], V, 0.0, 0.5))
    system = assemble(Model([V, calcium], [spine]))
    assert (system.rate(system.initial(), 0.0) == 0).all()


def test_spikes_that_a_neuron_makes_itself_reach_its_own_spines_alone():
    place = mesh(3, (0, 1, 0))
    neurons = place["neurons"]
    V = potential(neurons, np.array([-60.0, -60.0]))
    current = Species("current", neurons, np.array([250.0, 0.0]))
    calcium, count = Species("calcium", place["synapses"]), Species("count", neurons)
    back = BackPropagation(place["synapses"], calcium, Firing(V, -54.0), per_spike=0.3)
    model = Model([V, current, calcium, count], [back, LIF(neurons, V, count, current=current)])
    run = simulate(model, 0.1, [each(calcium), each(count)])
    fired = run["count"][-1, 0]
    assert fired > 2
    assert run["calcium"][-1] == pytest.approx([0.3 * fired, 0.0, 0.3 * fired])


def test_spikes_known_beforehand_reach_every_spine():
    place = mesh(2, (0, 0))
    calcium = Species("calcium", place["synapses"])
    back = BackPropagation(place["synapses"], calcium, np.array([0.1, 0.2]))
    run = simulate(Model([calcium], [back, Spikes(place["synapses"], calcium, np.array([0.15]), 0.0)]), 0.3,
                   [each(calcium)])
    assert run["calcium"][-1].tolist() == [2.0, 2.0]


# Places and messages


def test_each_synapse_touches_the_neuron_of_its_number():
    place = with_neurons(well_mixed({"ecs": 8.0}).with_points("synapses", np.zeros((3, 3)), touching=["ecs"]),
                         "synapses", [2, 0, 2], capacitance=0.3, count=4)
    assert place["synapses"].touches["neurons"].tolist() == [2, 0, 2]
    assert place["neurons"].measure.tolist() == [0.3] * 4


@pytest.mark.parametrize(("values", "message"), [
    ({"name": "ecs"}, "this mesh has a place 'ecs' already; give the neurons another name"),
    ({"neuron": [0]}, "neuron has shape (1,); 'synapses' has 2 elements"),
    ({"neuron": [0, -1]}, "neuron goes from -1 to 0; with 1 neurons it must be 0 to 0"),
    ({"count": 1}, "neuron goes from 0 to 1; with 1 neurons it must be 0 to 0"),
    ({"capacitance": np.ones(3)}, "capacitance has shape (3,); there are 2 neurons")])
def test_neurons_that_do_not_fit_are_refused(values, message):
    place = well_mixed({"ecs": 1.0}).with_points("synapses", np.zeros((2, 3)), touching=["ecs"])
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        with_neurons(place, "synapses", **{"neuron": [0, 1], **values})


@pytest.mark.parametrize(("make", "message"), [
    (lambda n, V: LIF(n, V, reset=-50.0), "LIF: reset is -50 mV; it must be below threshold, -54 mV"),
    (lambda n, V: AdEx(n, V, V, reset=-30.0), "AdEx: reset is -30 mV; it must be below peak, -30.4 mV"),
    (lambda n, V: LIF(n, replace(V, initial=0.0)), "LIF: 'V' begins at 0 mV; it must be below threshold, -54 mV"),
    (lambda n, V: AdEx(n, replace(V, initial=np.array([0.0])), V),
     "AdEx: 'V' begins at 0 mV; it must be below peak, -30.4 mV"),
    (lambda n, V: AdEx(n, V, Species("w", n)), "AdEx: 'w' may fall below zero; make it a species that is signed"),
    (lambda n, V: PassiveMembrane(n, Species("V", n)),
     "PassiveMembrane: 'V' may fall below zero; make it a species that is signed"),
    (lambda n, V: AdEx(n, V, Species("w", mesh()["ecs"], signed=True)),
     "AdEx: 'w' is on 'ecs'; it must be on 'neurons'"),
    (lambda n, V: LIF(mesh()["synapses"], V), "LIF: 'V' is on 'neurons'; it must be on 'synapses'"),
    (lambda n, V: LIF(n, V, tau=0.0), "LIF: tau is 0; it must be a finite number > 0"),
    (lambda n, V: PassiveMembrane(n, V, E=np.nan), "PassiveMembrane: E is nan; it must be a finite number"),
    (lambda n, V: Firing(V, np.inf), "Firing: threshold is inf; it must be a finite number"),
    (lambda n, V: SpineCalcium(n, V, SynapticCurrent(n, V, 0.0, 0.0), fraction=2.0),
     "SpineCalcium: fraction is 2; it must be a part of 1"),
    (lambda n, V: SpineCalcium(n, V, SynapticCurrent(n, V, 0.0, 0.0), volume=np.zeros(1)),
     "SpineCalcium: volume is 0; it must be a finite number > 0"),
    (lambda n, V: BackPropagation(n, V, np.array([0.2, 0.1])),
     "the spike train of neuron 0 must hold finite, growing times >= 0")])
def test_parameters_that_make_no_sense_are_refused(make, message):
    neurons = mesh()["neurons"]
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        make(neurons, potential(neurons))
