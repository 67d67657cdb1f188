"""Steps in time: conservative, positive, of order two, exact on events, and true to a steady state."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from acting import act
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from toy_mechanisms import Decay, Exchange, Minis, Source, Spikes
from toy_places import random_tetrahedra, spot

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.stepping.step_length import after_event
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.model import AtTimes, Model, Species
from spatial.observe.probes import Probe, peak, total
from spatial.simulate import simulate
from spatial.units import ion_flux

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Swap:
    """At 0.5 s as much is added to one species as there is of the other."""

    where: Place
    to: Species
    of: Species
    at: float = 0.5  # s

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(np.array([self.at]), (self.to,), (), lambda c, t, rng: {self.to: c[self.of]}),)


@dataclass(frozen=True)
class Binding:
    """free + buffer <-> bound."""

    where: Place
    free: Species
    buffer: Species
    bound: Species
    kon: float = 100.0
    koff: float = 100.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        binding = self.kon * c[self.free] * c[self.buffer] - self.koff * c[self.bound]
        return {self.free: -binding, self.buffer: -binding, self.bound: binding}


@dataclass(frozen=True)
class Pump:
    """Saturating removal into a ledger, `limit` per measure per s at most."""

    where: Place
    species: Species
    ledger: Species
    limit: float
    half: float = 1.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        flux = self.limit * c[self.species] / (self.half + c[self.species])
        return {self.species: -flux, self.ledger: flux}


def channel(place: Place, current: float = 0.5) -> Model:
    """A Ca2+ channel of some pA at one vertex of the surface, a mobile and an immobile buffer."""
    calcium = Species("Ca", place, 0.1, D=220.0)
    species, mechanisms = [calcium], []
    for name, D in {"mobile": 50.0, "fixed": 0.0}.items():
        free, bound = Species(name, place, 100.0 / 1.1, D=D), Species(f"Ca.{name}", place, 10.0 / 1.1, D=D)
        species += [free, bound]
        mechanisms.append(Binding(place, calcium, free, bound))
    mouth = place.nearest(np.array([[1.0, 0.0, 0.0]]))[0]
    return Model(species, [*mechanisms, Source(spot(place, mouth), calcium, ion_flux(current, 2))])


def ball(size: float) -> Place:
    place = discretise(shapes.ball(0.5, size))["cytosol"]
    assert (place.transmissibility < 0).mean() > 0.1
    return place


def everything(model: Model) -> Probe:
    return Probe("everything", "uM", lambda c: np.concatenate([c[species] for species in model]))


def distance(species: Species, one: Floats, other: Floats) -> float:
    """Relative L2 distance of two fields."""
    weight = species.place.measure
    return float(np.sqrt(weight @ (one - other) ** 2 / (weight @ other ** 2)))


@dataclass(frozen=True)
class From:
    """A constant gain from `start` [s] on."""

    where: Place
    species: Species
    start: float
    gain: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.gain if t >= self.start else 0.0}


# Conservation and positivity

def test_a_channel_and_two_buffers_conserve_calcium_and_buffers_and_stay_positive():
    place = ball(0.1)
    model = channel(place)
    run = simulate(model, 5e-3, [total(species) for species in model])
    calcium = sum(run[f"total {name}"] for name in ("Ca", "Ca.mobile", "Ca.fixed"))
    expected = calcium[0] + ion_flux(0.5, 2) * run.times
    assert np.abs(calcium / expected - 1).max() < 1e-12
    for buffer in ("mobile", "fixed"):
        amount = run[f"total {buffer}"] + run[f"total Ca.{buffer}"]
        assert np.abs(amount / amount[0] - 1).max() < 1e-12
    assert run.provenance["smallest concentration"] >= 0.0


def one_step(system: System, u: Floats, t: float, dt: float) -> tuple[Floats, Floats]:
    """A step with accurate linear solves: the state after it, and the estimate of its error."""
    method = Rosenbrock(prepare(system), ROS2)
    return method.start(u, t, system.rate(u, t), tolerated(system, u, Tolerance(1e-9))).take(dt)


def linear_undershoot(place: Place, mouth: int) -> float:
    """How far below zero the linear scheme takes a point source in a microsecond."""
    c = Species("c", place, 0.0, D=220.0, signed=True)
    system = assemble(Model([c], [Source(spot(place, mouth), c, 1000.0)]))
    return float(one_step(system, system.initial(), 0.0, 1e-6)[0].min())


def test_a_point_source_stays_positive_where_the_linear_scheme_does_not():
    place = ball(0.1)
    mouth = place.nearest(np.array([[1.0, 0.0, 0.0]]))[0]
    assert linear_undershoot(place, mouth) < -1e-3
    c = Species("c", place, 0.0, D=220.0)
    run = simulate(Model([c], [Source(spot(place, mouth), c, 1000.0)]), 1e-4, [everything(Model([c])), total(c)])
    assert run["everything"].min() >= 0.0
    np.testing.assert_allclose(run["total c"], 1000.0 * run.times, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_random_meshes_sources_sinks_and_rates_give_nothing_negative_and_lose_nothing(seed):
    rng = np.random.default_rng(seed)
    place = random_tetrahedra(seed, int(rng.integers(20, 80)))
    calcium = Species("Ca", place, rng.exponential(1.0, len(place)), D=float(rng.uniform(1, 300)))
    free = Species("buffer", place, float(rng.uniform(0, 100)), D=float(rng.choice([0.0, 20.0])))
    bound = Species("Ca.buffer", place, 0.0, D=free.D, scale=10.0)
    gone = Species("gone", place, 0.0)
    channels, pumps = (rng.choice(len(place), 5, replace=False) for _ in range(2))
    current = 10 ** rng.uniform(0, 3)
    model = Model([calcium, free, bound, gone], [
        Binding(place, calcium, free, bound, *10 ** rng.uniform(0, 3, 2)),
        Source(spot(place, *channels), calcium, current),
        Pump(spot(place, *pumps), calcium, gone, 10 ** rng.uniform(0, 4))])
    run = simulate(model, 0.02, [everything(model), *(total(species) for species in model)])
    amount = run["total Ca"] + run["total Ca.buffer"] + run["total gone"]
    buffer = run["total buffer"] + run["total Ca.buffer"]
    assert run["everything"].min() >= 0.0
    assert np.abs(amount / (amount[0] + 5 * current * run.times) - 1).max() < 1e-12
    assert np.abs(buffer / buffer[0] - 1).max() < 1e-12


def test_what_leaves_one_place_through_a_membrane_arrives_in_the_other():
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"membrane": (0.5, ["cytosol", "er"])})
    inside, outside = Species("in", mesh["er"], 400.0), Species("out", mesh["cytosol"], 0.1)
    model = Model([inside, outside], [Exchange(mesh["membrane"], inside, outside, 3.0)])
    run = simulate(model, 0.5, [total(inside), total(outside)], tolerance=Tolerance(1e-5))
    amount = run["total in"] + run["total out"]
    assert np.abs(amount / amount[0] - 1).max() < 1e-13
    even = 40.1 / 1.1
    rate = 3.0 * 0.5 * (1 / 0.1 + 1 / 1.0)
    np.testing.assert_allclose(run["total out"], even + (0.1 - even) * np.exp(-rate * run.times), rtol=1e-3)


def test_fast_passage_through_a_membrane_does_not_hold_the_steps_down():
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"membrane": (1.0, ["cytosol", "er"])})
    inside, outside = Species("in", mesh["er"], 1.0), Species("out", mesh["cytosol"], 0.0)
    model = Model([inside, outside], [Exchange(mesh["membrane"], inside, outside, 1e3)])
    run = simulate(model, 1.0, [total(inside), total(outside)])
    assert run["total in"][-1] == pytest.approx(0.1 * 0.1 / 1.1, rel=1e-2)
    assert run.provenance["steps"] < 200


@pytest.mark.parametrize("D", [0.0, 10.0])
def test_what_has_decayed_to_nothing_does_not_hold_the_steps_down(D):
    place = random_tetrahedra(1, 100)
    c = Species("c", place, np.random.default_rng(0).random(len(place)), D=D)
    run = simulate(Model([c], [Decay(place, c, 1000.0)]), 10.0, [everything(Model([c]))])
    assert run["everything"].min() >= 0.0
    assert run["everything"][-1].max() < 1e-9
    assert run.provenance["steps"] < 300


# Order in time

def fixed_steps(system: System, u: Floats, start: float, stop: float, count: int) -> Floats:
    dt = (stop - start) / count
    for k in range(count):
        u, _ = one_step(system, u, start + k * dt, dt)
    return u


def observed_order(counts: list[int], errors: list[float]) -> float:
    return -float(np.polyfit(np.log(counts), np.log(errors), 1)[0])


def smooth_start(place: Place, current: float = 0.02) -> tuple[System, Floats]:
    """A weak channel that has been open for a while, as a system and its state."""
    system = assemble(channel(place, current))
    return system, fixed_steps(system, system.initial(), 0.0, 2e-3, 50)


def test_order_in_time_is_two_with_diffusion_sources_and_buffers(record_property):
    system, u = smooth_start(random_tetrahedra(4, 80))
    reference = fixed_steps(system, u, 0.0, 4e-3, 1280)
    counts = [40, 80, 160]
    errors = [np.abs(fixed_steps(system, u, 0.0, 4e-3, n) - reference).max() for n in counts]
    record_property("order", observed_order(counts, errors))
    assert observed_order(counts, errors) >= 1.9


@dataclass(frozen=True)
class Forced:
    """Relaxation, at `k` per s, towards 1 + sin(20 t)."""

    where: Place
    species: Species
    k: float = 5.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.k * (1 + np.sin(20 * t) - c[self.species]) + 20 * np.cos(20 * t)}


def test_order_in_time_is_two_when_rates_depend_on_time():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    system = assemble(Model([c], [Forced(place, c)]))
    counts = [40, 80, 160]
    errors = [abs(fixed_steps(system, system.initial(), 0.0, 0.5, n)[0] - 1 - np.sin(10.0)) for n in counts]
    assert observed_order(counts, errors) >= 1.9


SPIKES = np.array([0.0137, 0.0411, 0.0823])


def spiking() -> Model:
    place = pool("pool", [1.0])
    c, bound = Species("c", place, 1.0), Species("bound", place, 0.0, scale=1.0)
    free = Species("free", place, 2.0)
    return Model([c, free, bound], [Binding(place, c, free, bound, 30.0, 20.0), Decay(place, c, 15.0),
                                    Spikes(place, c, SPIKES, 3.0)])


def test_order_in_time_is_two_through_events():
    model = spiking()
    system = assemble(model)

    def end(count: int) -> Floats:
        u, start = system.initial(), 0.0
        for stop in (*SPIKES, 0.1):
            u = fixed_steps(system, u, start, stop, count)
            act(system, u, stop)
            start = stop
        return u

    reference = end(1000)
    counts = [10, 20, 40]
    errors = [np.abs(end(n) - reference).max() for n in counts]
    assert observed_order(counts, errors) >= 1.9


def test_adaptive_steps_through_events_agree_with_an_independent_solver():
    model = spiking()
    system = assemble(model)
    u, start = system.initial(), 0.0
    for stop in (*SPIKES, 0.1):
        u = solve_ivp(lambda t, y: system.rate(y, t), (start, stop), u, method="Radau", rtol=1e-10, atol=1e-12).y[:, -1]
        act(system, u, stop)
        start = stop
    steps, errors = [], []
    for relative in (1e-2, 1e-3, 1e-4):
        run = simulate(model, 0.1, [everything(model)], tolerance=Tolerance(relative))
        errors.append(np.abs(run["everything"][-1] - u).max())
        steps.append(run.provenance["steps"])
        assert errors[-1] < relative
    assert observed_order(steps, errors) >= 1.5


def test_steps_land_on_events_exactly_and_jumps_are_whole():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    run = simulate(Model([c], [Spikes(place, c, SPIKES, 3.0)]), 0.1, [total(c)])
    for number, spike in enumerate(SPIKES):
        before, after = run["total c"][run.times == spike][[0, -1]]
        assert before == 1.0 + 3.0 * number
        assert after == before + 3.0
    assert run.times[-1] == 0.1


def tried(model: Model, jump: float, t: float, dt: float) -> float:
    """The length tried after an event at `t` that adds `jump` to the first species, after steps of `dt`."""
    system = assemble(model)
    before, after = system.initial(), system.initial()
    system.layout.values(after, model.species[0])[:] += jump
    return after_event(system, before, after, t, dt, Tolerance(1e-2))


def test_the_step_tried_after_an_event_is_as_long_as_what_it_set_off_may_err():
    place, k, jump = pool("pool", [1.0]), 50.0, 2.0
    c, ledger = Species("c", place, 1.0, scale=1.0), Species("ledger", place)
    allowed = 1e-2 * (1.0 + jump + 1.0)
    model = Model([c], [Decay(place, c, k)])
    assert tried(model, jump, 0.0, 1.0) == pytest.approx(np.sqrt(allowed / jump) / k, rel=1e-6)
    assert tried(model, jump, 0.0, 1e-4) == 1e-4
    assert tried(Model([ledger, c], model.mechanisms), jump, 0.0, 1.0) == 1.0


def test_what_begins_at_an_instant_without_a_jump_shortens_the_next_step():
    place, k, gain = pool("pool", [1.0]), 50.0, 1e3
    c = Species("c", place, 1.0, scale=1.0)
    model = Model([c], [Decay(place, c, k), From(place, c, 0.5, gain)])
    assert tried(model, 0.0, 0.5, 1.0) == pytest.approx(np.sqrt(1e-2 * 2.0 / (k * gain)), rel=1e-6)
    assert tried(model, 0.0, 0.6, 0.05) == 0.05


def test_hardly_a_step_after_an_event_is_rejected():
    place, doses = ball(0.1), 10.0 ** np.arange(-1, 5)
    c = Species("c", place, 1.0, D=200.0)
    spots = [spot(place, 10 * k) for k in range(len(doses))]
    spikes = [Spikes(one, c, np.array([0.01 * (k + 1)]), dose * one.measure[0])
              for k, (one, dose) in enumerate(zip(spots, doses, strict=True))]
    run = simulate(Model([c], [*spikes, Decay(place, c, 100.0)]), 0.1, [total(c)])
    assert run.provenance["rejected steps"] <= 2


@pytest.mark.parametrize("relative", [1e-2, 3e-3, 1e-3])
def test_the_error_at_the_end_of_a_run_is_below_the_tolerance(relative):
    model = channel(ball(0.15))
    best, found = (simulate(model, 2e-3, [everything(model)], every=1.0, tolerance=Tolerance(each))["everything"][-1]
                   for each in (relative / 30, relative))
    for species, one, other in zip(model, np.split(found, 5), np.split(best, 5), strict=True):
        assert distance(species, one, other) < relative


# Steady states

def microdomain(place: Place) -> Model:
    """The channel, and a pump in every element: it has a steady state."""
    model = channel(place, 0.1)
    gone = Species("gone", place, 0.0, signed=True, scale=1e6)
    calcium = model.species[0]
    return Model([*model, gone], [*model.mechanisms, Pump(place, calcium, gone, 2e4, 5.0)])


def test_a_steady_microdomain_does_not_depend_on_the_tolerance():
    model = microdomain(ball(0.15))
    peaks = [simulate(model, 0.2, [peak(model.species[0])], every=0.2, tolerance=Tolerance(relative))["peak Ca"][-1]
             for relative in (1e-4, 1e-3, 1e-2)]
    np.testing.assert_allclose(peaks, peaks[0], rtol=1e-3)


def test_a_steady_state_of_the_equations_is_one_of_the_scheme():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    system = assemble(Model([c], [Decay(place, c, 1000.0), Source(place, c, 1000.0)]))
    for dt in (1e-6, 1e-3, 10.0):
        after, error = one_step(system, system.initial(), 0.0, dt)
        assert after == system.initial()
        assert error == 0.0


# Chance

def minis(seed: int) -> Floats:
    place = pool("pool", [1.0, 1.0])
    c = Species("c", place, 0.0)
    model = Model([c], [Minis(place, c, 200.0), Decay(place, c, 20.0)])
    return simulate(model, 0.5, [total(c)], seed=seed, tolerance=Tolerance(longest=5e-3))["total c"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    np.testing.assert_array_equal(minis(1), minis(1))
    other = minis(2)
    assert len(other) != len(minis(1)) or (other != minis(1)).any()


def test_random_events_come_at_their_frequency():
    place = pool("pool", np.ones(400))
    c = Species("c", place, 0.0, scale=10.0)
    run = simulate(Model([c], [Minis(place, c, 20.0)]), 1.0, [total(c)], tolerance=Tolerance(longest=0.05))
    assert run["total c"][-1] == pytest.approx(400 * 20.0, abs=4 * np.sqrt(400 * 20.0))


# Messages

@dataclass(frozen=True)
class Drain:
    """Removal that does not mind whether anything is left."""

    where: Place
    species: Species

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: -5.0}


def test_a_drain_without_end_is_refused_with_species_and_place():
    place = pool("er", [1.0], np.array([[1.0, 2.0, 3.0]]))
    c = Species("Ca", place, 1.0)
    with pytest.raises(InputError, match=r"^'Ca' goes below zero near \(1, 2, 3\) um in 'er' at t = 0\.2\d* s, "
                                         r"even with a step of .* s; check the rates of the mechanisms that"):
        simulate(Model([c], [Drain(place, c)]), 1.0)


@dataclass(frozen=True)
class Explosion:
    where: Place
    species: Species

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        with np.errstate(all="ignore"):
            return {self.species: 100 * c[self.species] ** 3}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_explosion_is_refused_with_species_and_place():
    place = pool("er", [1.0], np.array([[1.0, 2.0, 3.0]]))
    c = Species("Ca", place, 1.0)
    with pytest.raises(InputError, match=r"^'Ca' changes too fast near \(1, 2, 3\) um in 'er' at t = 0\.00"):
        simulate(Model([c], [Explosion(place, c)]), 1.0)


@pytest.mark.parametrize(("changed", "message"), [
    ({"relative": -1.0}, "tolerance: relative is -1; it must be a finite number > 0"),
    ({"shortest": 0.0}, "tolerance: shortest is 0; it must be a finite number > 0"),
    ({"longest": float("nan")}, "tolerance: longest is nan; it must be a finite number > 0"),
])
def test_a_tolerance_that_makes_no_sense_is_refused(changed, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Tolerance(**changed)


def test_a_run_of_no_length_and_probes_of_one_name_are_refused():
    place = pool("er", [1.0])
    c = Species("Ca", place, 1.0)
    with pytest.raises(InputError, match=r"^duration of the run is 0; it must be a finite number > 0$"):
        simulate(Model([c]), 0.0)
    with pytest.raises(InputError, match=r"^two probes are called 'total Ca'; give each its own name$"):
        simulate(Model([c]), 1.0, [total(c), total(c)])


def test_a_mechanism_that_names_what_is_not_there_is_refused():
    place, elsewhere = pool("er", [1.0]), pool("cytosol", [1.0])
    c, stranger, far = Species("Ca", place, 1.0), Species("IP3", place, 1.0), Species("Na", elsewhere, 1.0)
    with pytest.raises(InputError, match=r"^Source: it changes <IP3 in er>, which is not a species of this model$"):
        assemble(Model([c], [Source(place, stranger, 1.0)]))
    with pytest.raises(InputError, match=r"^Decay: <IP3 in er> is not a species of this model; it has \['Ca'\]$"):
        assemble(Model([c], [Decay(place, stranger, 1.0)]))
    with pytest.raises(InputError, match=r"^Source: 'er' does not touch 'cytosol'; it touches \[\]$"):
        assemble(Model([c, far], [Source(place, far, 1.0)]))
    with pytest.raises(InputError, match=r"^Source: its gain of 'Ca' is not finite in the initial state$"):
        assemble(Model([c], [Source(place, c, np.nan)]))
    with pytest.raises(InputError, match=r"^Source: its gain of 'Ca' has shape \(3,\), not \(1,\)$"):
        assemble(Model([c], [Source(place, c, np.ones(3))]))
    with pytest.raises(InputError, match=r"^two species of this model are called 'Ca'; give each its own name$"):
        Model([c, c])


def test_what_acts_at_one_instant_sees_the_state_before_in_whatever_order():
    place = pool("cell", [1.0])
    one, other = Species("one", place, 1.0), Species("other", place, 2.0)
    swaps = [Swap(place, one, other), Swap(place, other, one)]
    for mechanisms in (swaps, swaps[::-1]):
        u = (system := assemble(Model([one, other], mechanisms))).initial()
        assert act(system, u, 0.5)
        assert u.tolist() == [3.0, 3.0]
