"""What grows from far below its scale is followed, by every method, and nothing else is stepped the shorter for it."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_mechanisms import Logistic, Source

from spatial._engine.methods.growth import growth_rate
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.system.assembly import assemble
from spatial._engine.system.jacobian import linearise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion
from spatial.model import Concentrations, Gains, Model, Species
from spatial.observe.probes import mean
from spatial.simulate import simulate


@dataclass(frozen=True, eq=False)
class Cycle:
    """Two species make each other: a' = forth b, b' = back a, which grow by sqrt(forth back)."""

    where: Place
    a: Species
    b: Species
    forth: float
    back: float

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.a: self.forth * c[self.b], self.b: self.back * c[self.a]}


def rate_at_the_start(model: Model) -> float:
    system = assemble(model)
    u = system.initial()
    allowed = tolerated(system, u, Tolerance())
    return growth_rate(system, linearise(system, u, 0.0), u, system.rate(u, 0.0), allowed)


def half_rise(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """When a logistic rise passes one half: between two rows its logit is a line."""
    k = int(np.argmax(values >= 0.5))
    low, high = (np.log(value / (1 - value)) for value in np.minimum(values[k - 1:k + 1], 1 - 1e-9))
    return float(times[k - 1] + (times[k] - times[k - 1]) * (0.0 - low) / (high - low))


@pytest.mark.parametrize(("engine", "relative"), [("implicit", 2e-2), ("implicit", 1e-4), ("explicit", 2e-2)])
@pytest.mark.parametrize("k", [1.0, 700.0])
@pytest.mark.parametrize("first", [1e-12, 1e-6, 1e-4])
def test_growth_from_a_trace_comes_in_time(k, first, engine, relative):
    place = pool("v", [1.0])
    c = Species("c", place, first, scale=1.0)
    expected = np.log((1 - first) / first) / k
    recording = simulate(Model([c], [Logistic(place, c, k)]), 2 * expected, [mean(c)], engine=engine,
                         tolerance=Tolerance(relative))
    assert half_rise(recording.times, recording["mean c"]) == pytest.approx(expected, rel=0.05)
    assert recording["mean c"][-1] == pytest.approx(1.0, rel=0.05)


def test_growth_from_a_trace_comes_in_time_in_fipy():
    place = pool("v", [1.0])
    c = Species("c", place, 1e-4, scale=1.0)
    expected = np.log((1 - 1e-4) / 1e-4) / 700.0
    recording = simulate(Model([c], [Logistic(place, c, 700.0)]), 2 * expected, [mean(c)], engine="fipy")
    assert half_rise(recording.times, recording["mean c"]) == pytest.approx(expected, rel=0.05)


def test_a_cycle_grows_at_its_own_rate_whatever_the_units_and_amounts():
    place = pool("v", [1.0])
    for ratio, share in ((1.0, 1.0), (1e3, 1e-2), (1e-3, 10.0)):
        a, b = Species("a", place, 1e-6, scale=1.0), Species("b", place, 1e-6 * share, scale=1.0)
        model = Model([a, b], [Cycle(place, a, b, 50.0 * ratio, 50.0 / ratio)])
        assert rate_at_the_start(model) == pytest.approx(50.0, rel=1e-4)


def test_growth_beside_a_source_and_a_decay_is_seen():
    place = pool("v", [1.0])
    c, fed = Species("c", place, 1e-9, scale=1.0), Species("fed", place, 0.0)
    gone, left = Species("gone", place, 1e-3, scale=1.0), Species("left", place)
    model = Model([c, fed, gone, left], [Logistic(place, c, 700.0), Source(place, fed, 5.0),
                                         Conversion(place, gone, left, 900.0)])
    assert rate_at_the_start(model) == pytest.approx(700.0, rel=1e-4)


def test_growth_in_one_element_among_many_is_seen():
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.125)
    first = np.full(len(place), 1e-9)
    c = Species("c", place, first, D=1.0, scale=1.0)
    rates = np.where(np.arange(len(place)) == 7, 700.0, -900.0)
    away = 3 * 1.0 / 0.125**2  # through three faces
    assert rate_at_the_start(Model([c], [Logistic(place, c, rates)])) == pytest.approx(700.0 - away, rel=1e-4)


@pytest.mark.parametrize("exchange", [1.0, 1e4])
def test_what_has_a_source_decays_or_exchanges_fast_does_not_grow(exchange):
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.25)
    calcium, free, bound = (Species(name, place, value, D=10.0, scale=100.0)
                            for name, value in (("Ca", 1e-3), ("free", 1e-2), ("bound", 0.0)))
    model = Model([calcium, free, bound], [Buffer(place, calcium, free, bound, kon=exchange, K=1.0),
                                           Source(place, calcium, 1e-3)])
    assert rate_at_the_start(model) == pytest.approx(0.0, abs=1e-9)


def test_what_is_resolved_is_left_to_the_error_of_the_step():
    place = pool("v", [1.0])
    c = Species("c", place, 0.1, scale=1.0)
    assert rate_at_the_start(Model([c], [Logistic(place, c, 700.0)])) == 0.0


@pytest.mark.parametrize("relative", [2e-2, 1e-4])
@pytest.mark.parametrize(("k", "D"), [(1.0, 100.0), (30.0, 760.0)])
@pytest.mark.parametrize("first", [1e-12, 1e-8])
def test_growth_from_a_trace_that_diffuses_comes_in_time(first, k, D, relative):
    c = Species("c", grid("v", (0, 0, 0), (2, 1, 1), 0.25), first, D=D, scale=1.0)
    expected = np.log((1 - first) / first) / k
    model = Model([c], [Logistic(c.place, c, k)])
    recording = simulate(model, 1.5 * expected, [mean(c)], tolerance=Tolerance(relative))
    assert half_rise(recording.times, recording["mean c"]) == pytest.approx(expected, rel=0.05)
    assert recording["mean c"][-1] == pytest.approx(1.0, rel=0.05)


def test_growth_from_a_trace_in_one_element_comes_in_time():
    place = grid("v", (0, 0, 0), (2, 1, 1), 0.25)
    c = Species("c", place, np.where(np.arange(len(place)) == 5, 1e-8, 0.0), D=760.0, scale=1.0)
    first = 1e-8 / len(place)
    expected = np.log((1 - first) / first) / 30.0
    recording = simulate(Model([c], [Logistic(place, c, 30.0)]), 1.5 * expected, [mean(c)])
    assert half_rise(recording.times, recording["mean c"]) == pytest.approx(expected, rel=0.05)


# Rates that jump

@dataclass(frozen=True, eq=False)
class StepsUp:
    """A rate that is higher above 1.05 than below: beyond the step the Jacobian, by differences, is huge."""

    where: Place
    c: Species
    other: Species
    high: float

    def rates(self, c: Concentrations, t: float) -> Gains:
        gain = np.where(c[self.c] > 1.05, self.high, 1.0)
        return {self.c: gain, self.other: -gain}


@pytest.mark.parametrize("high", [5.0, 50.0, 1e3])
@pytest.mark.parametrize("relative", [2e-2, 1e-4])
def test_a_rate_that_steps_up_does_not_hold_its_species_at_the_step(relative, high):
    place = pool("v", [1.0])
    c, other = Species("c", place, 1.0), Species("other", place, 2000.0)
    recording = simulate(Model([c, other], [StepsUp(place, c, other, high)]), 1.0, [mean(c), mean(other)],
                         engine="implicit", tolerance=Tolerance(relative))
    assert recording["mean c"][-1] == pytest.approx(1.05 + 0.95 * high, rel=0.02)
    np.testing.assert_allclose(recording["mean c"] + recording["mean other"], 2001.0, rtol=1e-13)
