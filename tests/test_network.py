"""A network and the fields drive each other, once per window: nothing is lost, nothing lags, and the order is two."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_mechanisms import Source

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.place import Mesh
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.model import Model, Species
from spatial.observe.probes import Probe, each, total
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses.brian2_loader import load_brian2
from spatial.synapses.network import (
    BrianNetwork,
    CoSimulation,
    Course,
    Heard,
    LetOut,
    Output,
    count,
    counting,
    hearing,
    trains_of,
)
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spike_files import read_spikes, write_spikes
from spatial.units import ms, s

Floats = NDArray[np.float64]
VOLUME = 2.0  # um^3, of the ECS
LOST = 5.0 / s  # how fast adenosine is cleared
PORE = 50 * ms  # how fast vesicles empty


# Networks of which everything is known


@dataclass
class Rates:
    """Sites that let out g0 - g a per second, as smoothly as that: many small events."""

    g0: float = 3.0
    g: float = 4.0

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> dict[str, Output]:
        a, w = heard["adenosine"], window
        amount = self.g0 * w - self.g * (a.value * w + a.slope * w**2 / 2)
        return {"adenosine": Output(amount, self.g0 * w**2 / 2 - self.g * (a.value * w**2 / 2 + a.slope * w**3 / 3))}

    def exact(self, t: float, sites: int) -> float:
        """a(t) from nothing."""
        rate = sites * self.g / VOLUME + LOST
        return sites * self.g0 / VOLUME / rate * -np.expm1(-rate * t)


class Events:
    """Sites that each let out 1/(1 + a) at the times of their own train: `made` are these amounts, event by event."""

    def __init__(self, times: Floats) -> None:
        self.times = times  # (n, k)
        self.made = np.full(times.shape, np.nan)

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> dict[str, Output]:
        a, after = heard["adenosine"], self.times - t
        here = (after >= 0) & (after < window)
        amounts = 1 / (1 + a.value[:, None] + a.slope[:, None] * after)
        self.made[here] = amounts[here]
        return {"adenosine": Output((here * amounts).sum(axis=1), (here * amounts * after).sum(axis=1))}

    def exact(self) -> Floats:
        """(n, k) the amounts, where vesicles empty into an ECS that each site has for itself."""
        made = np.zeros(self.times.shape)
        for k, t in enumerate(self.times.T):
            since = t[:, None] - self.times[:, :k]
            heard = (np.exp(-LOST * since) - np.exp(-since / PORE)) / (1 - LOST * PORE) / VOLUME
            made[:, k] = 1 / (1 + (made[:, :k] * heard).sum(axis=1))
        return made


@dataclass
class Changed:
    """A network that is told, or whose output is taken, in another way."""

    network: Any
    told: Callable[[Course], Course] = lambda course: course
    taken: Callable[[Output, float], Output] = lambda output, window: output

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> dict[str, Output]:
        told = {name: self.told(course) for name, course in heard.items()}
        outputs = self.network.run(t, window, told)
        return {name: self.taken(output, window) for name, output in outputs.items()}


def no_slope(course: Course) -> Course:
    return Course(course.value, 0 * course.slope)


def at_the_start(output: Output, window: float) -> Output:
    return Output(output.amount, 0 * output.moment)


def at_the_end(output: Output, window: float) -> Output:
    return Output(output.amount, window * output.amount)


LAGGING = [{"told": no_slope}, {"taken": at_the_start}, {"taken": at_the_end}]


class Tissue:
    """Well-mixed ECS from which adenosine is cleared, and sites on each; with `vesicles`, these empty into it."""

    def __init__(self, partner: Any, window: float, until: float, sites: int = 3, vesicles: bool = False,
                 volumes: int = 1) -> None:
        mesh = Mesh.of(pool("ecs", np.full(volumes, VOLUME)), pool("gone", [1.0]))
        mesh = mesh.touching("ecs", "gone", np.zeros(volumes, int))
        mesh = mesh.with_points("sites", np.zeros((sites, 3)), touching=["ecs"])
        where = mesh.touching("sites", "ecs", np.arange(sites) % volumes)["sites"]
        self.adenosine, self.gone = Species("adenosine", mesh["ecs"]), Species("gone", mesh["gone"])
        self.last, self.pending = Species("last", where), Species("pending", where)
        self.holding = Species("holding", where)
        into = self.holding if vesicles else self.adenosine
        self.exchange = CoSimulation(where, partner, window, until, (Heard("adenosine", self.adenosine, self.last),),
                                     (LetOut("adenosine", into, self.pending),))
        self.until = until
        self.model = Model([self.adenosine, self.gone, self.last, self.pending, self.holding], [
            Conversion(mesh["ecs"], self.adenosine, self.gone, LOST),
            Emptying(where, self.holding, self.adenosine, PORE), self.exchange])

    def run(self, tolerance: float = 1e-6) -> Recording:
        held = (self.adenosine, self.gone, self.holding, self.pending)
        all_of_it = Probe("everything", "uM um^3", lambda c: sum(float(one.place.measure @ c[one]) for one in held))
        return simulate(self.model, self.until, [each(self.adenosine), total(self.pending), all_of_it],
                        tolerance=Tolerance(tolerance))


def order(errors: Floats) -> float:
    """Of errors at windows each half of the last."""
    return float(np.polyfit(np.arange(len(errors)), -np.log2(errors), 1)[0])


# Order


WINDOWS = np.array([40, 20, 10]) * ms


def error_of_rates(window: float, **changed: Any) -> float:
    rates = Rates()
    run = Tissue(Changed(rates, **changed), window, 0.2 * s).run(1e-5)
    return abs(run["adenosine"][-1] - rates.exact(0.2, sites=3))


def test_the_field_converges_with_the_second_order_of_the_window():
    assert order(np.array([error_of_rates(window) for window in WINDOWS])) >= 1.9


@pytest.mark.parametrize("changed", LAGGING)
def test_without_the_slope_or_the_moment_the_order_would_be_one(changed):
    assert order(np.array([error_of_rates(window, **changed) for window in WINDOWS[:2]])) < 1.4


def error_of_events(window: float, **changed: Any) -> float:
    """Mean error of the amount of an event, of sites whose spikes come 37 ms apart, wherever in a window."""
    events = Events(np.random.default_rng(5).uniform(0, 37, (50, 1)) * ms + 37 * ms * np.arange(5))
    Tissue(Changed(events, **changed), window, 0.192 * s, sites=50, volumes=50, vesicles=True).run(1e-4)
    return float(np.abs(events.made - events.exact()).mean())


def test_single_events_through_vesicles_converge_with_the_second_order_though_no_step_lands_on_them():
    assert order(np.array([error_of_events(window) for window in (16 * ms, 8 * ms, 4 * ms)])) >= 1.9


def test_single_events_would_lag_without_the_slope_or_the_moment():
    right, *wrong = (error_of_events(4 * ms, **changed) for changed in ({}, *LAGGING[:2]))
    assert min(wrong) > 4 * right


# What is exchanged


@dataclass
class Script:
    """Lets out what is written for each window, and writes down what it hears."""

    outputs: list[tuple[Any, Any]]  # amount and moment at each site, window after window
    heard: list[dict[str, Course]] = field(default_factory=list)

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> dict[str, Output]:
        self.heard.append(dict(heard))
        amount, moment = self.outputs[len(self.heard) - 1]
        return {"adenosine": Output(np.array(amount, float), np.array(moment, float))}


@pytest.mark.parametrize("vesicles", [True, False])
def test_all_that_is_let_out_is_in_the_tissue_or_pending_at_every_time(vesicles):
    rng = np.random.default_rng(3)
    amounts = rng.gamma(1.0, 1.0, (10, 3))
    script = Script([(one, one * rng.uniform(0, 0.02, 3)) for one in amounts])
    run = Tissue(script, 20 * ms, 0.2 * s, vesicles=vesicles).run(1e-2)
    windows = np.minimum(np.floor(run.times / 0.02 + 1e-9).astype(int), 9)
    let_out = np.cumsum(amounts.sum(axis=1))[windows]
    after = np.append(np.diff(run.times) != 0, True)  # of the two times at an exchange the second
    np.testing.assert_allclose(run["everything"][after], let_out[after], rtol=1e-13)
    assert run["total pending"][-1] == 0.0
    assert run["total pending"].max() > 0.1


def test_an_event_arrives_at_both_ends_of_its_window_with_its_mean_in_time():
    theta = 0.3
    script = Script([([0, 0, 0], [0, 0, 0]), ([0, 2, 0], [0, 2 * theta * 0.02, 0]), ([0, 0, 0], [0, 0, 0])])
    tissue = Tissue(script, 20 * ms, 60 * ms, vesicles=True)
    run = simulate(tissue.model, 60 * ms, [total(tissue.holding)], tolerance=Tolerance(1e-6))
    jumps = np.diff(run["total holding"])[np.diff(run.times) == 0]
    assert jumps == pytest.approx([0, 2 * (1 - theta), 2 * theta, 0], abs=1e-12)


def two_sites(script: Script, slope: Floats) -> None:
    """Run a network in an ECS of two bricks, of which the first site touches the second."""
    mesh = Mesh.of(pool("ecs", [1.0, 1.0])).with_points("sites", np.zeros((2, 3)), touching=["ecs"])
    mesh = mesh.touching("sites", "ecs", np.array([1, 0]))
    a, last, pending = Species("A", mesh["ecs"], np.array([5.0, 1.0])), *(Species(n, mesh["sites"]) for n in "lp")
    exchange = CoSimulation(mesh["sites"], script, 0.1, 0.3, (Heard("adenosine", a, last),),
                            (LetOut("adenosine", a, pending),))
    simulate(Model([a, last, pending], [Source(mesh["ecs"], a, slope), exchange]), 0.3)


def test_the_network_hears_the_value_and_slope_of_the_field_at_each_site():
    """A field that rises by 2 uM/s at one site and falls at the other."""
    script = Script([([0, 0], [0, 0])] * 3)
    two_sites(script, np.array([-2.0, 2.0]))
    for k, heard in enumerate(script.heard):
        assert heard["adenosine"].value == pytest.approx([1 + 0.2 * k, 5 - 0.2 * k], rel=1e-9)
        assert heard["adenosine"].slope == pytest.approx([0, 0] if k == 0 else [2, -2], rel=1e-9)


def test_the_network_hears_what_arrives_just_then_where_it_arrives():
    script = Script([([3, 0], [3 * 0.1, 0]), ([0, 0], [0, 0]), ([0, 0], [0, 0])])
    two_sites(script, np.zeros(2))
    np.testing.assert_allclose([heard["adenosine"].value for heard in script.heard], [[1, 5], [4, 5], [4, 5]])


def test_each_event_lets_out_its_own_amount():
    script = Script([([1, 2, 3], [0, 0, 0])])
    tissue = Tissue(script, 20 * ms, 20 * ms)
    out = replace(tissue.exchange, lets_out=(LetOut("adenosine", tissue.adenosine, tissue.pending, each=0.5),))
    gains = out.exchange(dict.fromkeys((tissue.adenosine, tissue.last, tissue.pending), np.zeros(3)), 0.0,
                         np.random.default_rng(0))
    np.testing.assert_array_equal(gains[tissue.adenosine], [0.5, 1.0, 1.5])


def test_two_outputs_into_the_same_species_add_up():
    mesh = well_mixed({"ecs": 1.0}).with_points("sites", np.zeros((1, 3)), touching=["ecs"])
    one, p, q = Species("K", mesh["ecs"]), Species("p", mesh["sites"]), Species("q", mesh["sites"])
    partner = SimpleNamespace(run=lambda t, window, heard: {
        name: Output(np.array([amount]), np.zeros(1)) for name, amount in (("spikes", 2.0), ("currents", 5.0))})
    exchange = CoSimulation(mesh["sites"], partner, 0.1, 0.1,
                            lets_out=(LetOut("spikes", one, p), LetOut("currents", one, q)))
    run = simulate(Model([one, p, q], [exchange]), 0.1, [total(one)])
    assert run["total K"][-1] == 7.0


# Brian2


SYNAPSE = """
du/dt = -3.33/second * u : 1 (event-driven)
dx/dt = 2/second * (1 - x) : 1 (event-driven)
""" + hearing("adenosine") + counting("adenosine")
RELEASE = "u += 0.6/(1 + adenosine) * (1 - u)\n" + count("adenosine", "u*x") + "x -= u*x\n"


def brian_network(b2: Any) -> tuple[BrianNetwork, Any]:
    """Two neurons that fire at intervals partly of chance, their three synapses as sites, and then themselves."""
    dt = 1 * b2.ms
    neurons = b2.NeuronGroup(2, "dv/dt = rate : 1\nrate : Hz\n" + counting("spikes"), threshold="v > 1",
                             reset="v = 0.3*rand()\n" + count("spikes"), method="euler", dt=dt)
    neurons.rate = [80, 50] * b2.Hz
    synapses = b2.Synapses(neurons, neurons, SYNAPSE, on_pre=RELEASE, dt=dt)
    synapses.connect(i=[0, 0, 1], j=[1, 1, 0])
    synapses.x = 1
    spikes = b2.SpikeMonitor(neurons)
    return BrianNetwork(b2.Network(neurons, synapses, spikes), (synapses, neurons)), spikes


@pytest.fixture(scope="module")
def with_brian(b2: Any) -> tuple[Tissue, Recording, Any]:
    partner, spikes = brian_network(b2)
    tissue = Tissue(partner, 10 * ms, 0.1 * s, sites=5, vesicles=True)
    where, ecs = tissue.holding.place, tissue.adenosine.place
    potassium, pending = Species("K", ecs), Species("K pending", where)
    exchange = replace(tissue.exchange, lets_out=(*tissue.exchange.lets_out,
                                                  LetOut("spikes", potassium, pending, each=0.25)))
    model = Model([*tissue.model.species, potassium, pending],
                  [exchange if one is tissue.exchange else one for one in tissue.model.mechanisms])
    run = simulate(model, 0.1, [total(potassium), each(tissue.adenosine)], tolerance=Tolerance(1e-4))
    return tissue, run, (np.array(spikes.i), np.array(spikes.t / b2.second), model)


def test_synapses_in_brian_do_what_the_same_synapses_do_as_mechanisms_whose_steps_land_on_each_spike(with_brian):
    tissue, run, (neuron, t, _) = with_brian
    where = tissue.holding.place
    trains = tuple(t[neuron == k] for k in (0, 0, 1)) + (np.zeros(0),) * 2
    u, x, released = (Species(name, where, initial) for name, initial in (("u", 0.0), ("x", 1.0), ("released", 0.0)))
    rule = TsodyksMarkram(where, trains, tissue.holding, A1Inhibition(tissue.adenosine, K=1.0), u, x, released,
                          resource=1.0)
    others = [one for one in tissue.model.mechanisms if one is not tissue.exchange]
    same = simulate(Model([tissue.adenosine, tissue.gone, tissue.holding, u, x, released], [*others, rule]), 0.1,
                    [each(tissue.adenosine)], tolerance=Tolerance(1e-4))
    assert len(t) >= 10
    assert run["adenosine"][-1] == pytest.approx(same["adenosine"][-1], rel=2e-3)


def test_potassium_leaves_neurons_of_brian_with_each_spike(with_brian):
    _, run, (neuron, _, _) = with_brian
    assert run["total K"][-1] == pytest.approx(0.25 * len(neuron), rel=1e-12)


@pytest.mark.slow
def test_a_network_of_brian_starts_anew_in_each_run_with_the_same_chances(with_brian):
    _, run, (_, _, model) = with_brian
    potassium = next(one for one in model if one.name == "K")
    again = simulate(model, 0.05, [total(potassium)], tolerance=Tolerance(1e-4))
    assert again["total K"][-1] > 0
    np.testing.assert_array_equal(again["total K"], run["total K"][:len(again.times)])


@pytest.mark.parametrize("warm", [0, 1000], ids=["fresh", "run for 1 s"])
def test_a_network_of_brian_hears_and_lets_out_the_same_whatever_it_ran_before_it_was_coupled(b2, warm):
    """Events 3 and 7 ms into each window of 10 ms, in a field that is 10 uM and falls by 200 uM/s."""
    cells = b2.NeuronGroup(1, "ticks : 1\n" + hearing("field") + counting("out"), threshold="ticks == 3 or ticks == 7",
                           reset=count("out", "field"), dt=1 * b2.ms)
    cells.run_regularly("ticks = (ticks + 1) % 10", dt=1 * b2.ms, when="start")
    cells.ticks = 9
    monitor = b2.StateMonitor(cells, "field", record=True)
    network = b2.Network(cells, monitor)
    if warm:
        network.run(warm * b2.ms)
    partner = BrianNetwork(network, (cells,))
    for t in (0.0, 0.01):
        field = np.array([10.0 - 200 * t])
        output = partner.run(t, 0.01, {"field": Course(field, np.array([-200.0]))})["out"]
        heard = field - 200 * np.array([3 * ms, 7 * ms])
        assert output.amount == pytest.approx([heard.sum()], rel=1e-9)
        assert output.moment == pytest.approx([heard @ [3 * ms, 7 * ms]], rel=1e-9)
    np.testing.assert_allclose(monitor.field[0][warm:], 10 - 0.2 * np.arange(20), rtol=1e-9)


def test_the_spikes_of_a_network_go_into_a_file_and_come_back_as_trains(b2, tmp_path):
    cells = b2.SpikeGeneratorGroup(3, [2, 0, 2], [1.0, 2.5, 7.0] * b2.ms, dt=0.1 * b2.ms)
    monitor = b2.SpikeMonitor(cells)
    b2.Network(cells, monitor).run(10 * b2.ms)
    trains = trains_of(monitor)
    write_spikes(tmp_path / "spikes.csv", trains)
    for found, wanted in zip(read_spikes(tmp_path / "spikes.csv", range(3)), ([2.5e-3], [], [1e-3, 7e-3]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_groups_of_brian_without_equations_are_refused(b2):
    cells = b2.PoissonGroup(3, 1 * b2.Hz, name="cells")
    with pytest.raises(InputError, match=r"^'cells' is a PoissonGroup of Brian2, which has no equations; sites must be "
                                         r"elements of Synapses or a NeuronGroup$"):
        BrianNetwork(b2.Network(cells), (cells,))


@pytest.mark.parametrize(("name", "sites", "message"), [
    ("ATP", 5, r"^no group of the network hears 'ATP'; add hearing\('ATP'\) to its equations$"),
    ("adenosine", 4, r"^there are 4 sites and the groups of the network have 5 elements; they must be as many$")])
def test_fields_that_the_network_cannot_hear_are_refused(b2, name, sites, message):
    with pytest.raises(InputError, match=message):
        brian_network(b2)[0].run(0.0, 0.01, {name: Course(*np.zeros((2, sites)))})


def test_a_window_between_the_steps_of_brian_is_refused(b2):
    partner, _ = brian_network(b2)
    with pytest.raises(InputError, match=r"^the window is 0\.0025 s and the network's step 0\.001 s; the window must "
                                         r"be a whole number of steps$"):
        Tissue(partner, 2.5 * ms, 5 * ms, sites=5).run()


# Messages


def test_without_brian_one_sentence_says_what_to_install(monkeypatch):
    before = list(sys.meta_path)
    monkeypatch.setitem(sys.modules, "brian2", None)
    with pytest.raises(InputError, match=r"^Brian2 is not installed, which networks need; install spatial with its "
                                         r"extra 'network'$"):
        load_brian2()
    assert sys.meta_path == before


def test_what_brian_itself_lacks_is_not_taken_for_brian(monkeypatch, tmp_path):
    (tmp_path / "brian2.py").write_text("import something_that_brian_needs")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "brian2", raising=False)
    with pytest.raises(ModuleNotFoundError, match="something_that_brian_needs"):
        load_brian2()


@pytest.mark.parametrize(("change", "message"), [
    ({"window": 0.0}, r"^CoSimulation: window is 0; it must be a finite number > 0$"),
    ({"until": 0.05}, r"^CoSimulation: until is 0.05 s, 2.5 windows of 0.02 s; it must be a whole number of them$"),
    ({"until": 0.001}, r"^CoSimulation: until is 0.001 s, 0.05 windows of 0.02 s; it must be a whole number of them$")])
def test_windows_that_make_no_sense_are_refused(change, message):
    tissue = Tissue(Rates(), 20 * ms, 60 * ms)
    with pytest.raises(InputError, match=message):
        replace(tissue.exchange, **change)


def test_what_is_kept_between_exchanges_must_be_on_the_sites():
    tissue = Tissue(Rates(), 20 * ms, 60 * ms)
    with pytest.raises(InputError, match=r"^CoSimulation: 'gone' is on 'gone'; it must be on the sites, 'sites'$"):
        replace(tissue.exchange, hears=(Heard("adenosine", tissue.adenosine, tissue.gone),))


def test_what_is_kept_of_a_field_that_may_be_negative_must_be_signed():
    tissue = Tissue(Script([]), 20 * ms, 20 * ms)
    V = Species("V", tissue.adenosine.place, signed=True)
    with pytest.raises(InputError, match=r"^CoSimulation: 'last' keeps 'V', which may be negative; make it a species "
                                         r"that is signed too$"):
        replace(tissue.exchange, hears=(Heard("V", V, tissue.last),))


def test_what_is_kept_between_exchanges_is_kept_for_one_thing():
    tissue = Tissue(Rates(), 20 * ms, 60 * ms)
    with pytest.raises(InputError, match=r"^CoSimulation: 'last' is kept for two things; give each its own$"):
        replace(tissue.exchange, lets_out=(LetOut("adenosine", tissue.adenosine, tissue.last),))


@pytest.mark.parametrize(("outputs", "message"), [
    ({"ATP": Output(np.zeros(3), np.zeros(3))}, r"^CoSimulation: the network lets out \['ATP'\], not 'adenosine'$"),
    ({"adenosine": Output(np.array([0, -1.0, 0]), np.zeros(3))},
     r"^CoSimulation: amount of 'adenosine' let out is -1; it must be a finite number >= 0$"),
    ({"adenosine": Output(np.zeros(2), np.zeros(2))},
     r"^CoSimulation: amount of 'adenosine' let out has shape \(2,\); 'sites' has 3 elements$")])
def test_a_network_that_lets_out_something_else_is_refused(outputs, message):
    with pytest.raises(InputError, match=message):
        Tissue(SimpleNamespace(run=lambda t, window, heard: outputs), 20 * ms, 60 * ms).run()


def test_assembling_a_model_runs_no_network():
    script = Script([])
    assemble(Tissue(script, 20 * ms, 60 * ms).model)
    assert not script.heard
