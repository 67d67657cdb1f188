"""What depends on time: declared, it is followed exactly; undeclared, it is said by name and steps are kept short."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Decay, Source, Spikes

from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.stimulus import Pulse, Stimulus
from spatial.model import AtTimes, Concentrations, Event, Gains, Mechanism, Model, Species
from spatial.observe.probes import total
from spatial.simulate import UndeclaredTimes, simulate

Course = Callable[[float], float]
START, FLUX = 0.371, 3.0


def gaussian(width: float, peak: float = START) -> Course:
    return lambda t: FLUX * math.exp(-(((t - peak) / width) ** 2) / 2)


def square(width: float) -> Course:
    return lambda t: FLUX if START <= t < START + width else 0.0


@dataclass(frozen=True, eq=False)
class Timed:
    """A rate that is a function of time and declares nothing."""

    where: Place
    species: Species
    course: Course

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.species: self.course(t)}


@dataclass(frozen=True, eq=False)
class Spiked:
    """A rate that is a function of time, beside spikes that change nothing; it may declare when the rate jumps."""

    where: Place
    species: Species
    course: Course
    jumps: tuple[float, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        spikes = AtTimes(np.array([0.1, 0.2]), (self.species,), (), lambda c, t, rng: {})
        return (spikes, AtTimes(np.array(self.jumps))) if self.jumps else (spikes,)

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.species: self.course(t)}


@dataclass(frozen=True, eq=False)
class Declared:
    """A rate that is a function of time, declares some times of it, and may have steps of its own length."""

    where: Place
    species: Species
    course: Course
    times: tuple[float, ...]
    longest: float = np.inf

    @property
    def events(self) -> tuple[Event, ...]:
        return (AtTimes(np.clip(self.times, 0.0, None), longest=self.longest),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.species: self.course(t)}


def gain(make: Callable[[Place, Species], Mechanism], busy: bool = False, until: float = 2.0, **how: Any) -> float:
    """What a mechanism gains in a run, alone or in a model in which much else happens."""
    place = pool("v", [1.0])
    c = Species("c", place)
    species, mechanisms = [c], [make(place, c)]
    if busy:
        fast, spiked = Species("fast", place, 5.0), Species("spiked", place)
        species += [fast, spiked]
        mechanisms += [Decay(place, fast, 400.0), Source(place, fast, 2000.0), Decay(place, spiked, 50.0),
                       Spikes(place, spiked, np.arange(0.05, until, 0.0731), 20.0)]
    recording = simulate(Model(species, mechanisms), until, [total(c)], **how)
    return float(recording["total c"][-1])


ENGINES = ["implicit", "explicit", "fipy"]
WIDTHS = [1e-3, 0.03, 0.3]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_pulse_gains_its_flux_times_its_duration(width, engine):
    pulse = lambda place, c: Pulse(place, species=c, flux=FLUX, starts=[START, START + 0.7], duration=width)  # noqa: E731
    assert gain(pulse, engine=engine) == pytest.approx(2 * FLUX * width, rel=1e-6)
    if engine != "fipy":
        assert gain(pulse, busy=True, engine=engine) == pytest.approx(2 * FLUX * width, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_gaussian_stimulus_gains_its_integral(width, engine):
    first, last = max(0.0, START - 5 * width), START + 5 * width
    expected = FLUX * width * math.sqrt(math.pi / 2) * (math.erf(5 / math.sqrt(2))
                                                        + math.erf((START - first) / width / math.sqrt(2)))
    bell = lambda place, c: Stimulus(place, species=c, times=[first, START, last], flux=gaussian(width))  # noqa: E731
    assert gain(bell, engine=engine) == pytest.approx(expected, rel=0.01)
    if engine != "fipy":
        assert gain(bell, busy=True, engine=engine) == pytest.approx(expected, rel=0.01)


def test_samples_gain_the_area_under_their_line():
    times, samples = np.array([0.1, 0.103, 0.2, 0.9]), np.array([0.0, 50.0, 2.0, 0.0])
    line = lambda place, c: Stimulus(place, species=c, times=times, flux=samples)  # noqa: E731
    assert gain(line) == pytest.approx(np.trapezoid(samples, times), rel=1e-6)


@pytest.mark.parametrize("make", [
    lambda place, c: Pulse(place, species=c, flux=4000.0, starts=[0.01], duration=0.01),
    lambda place, c: Stimulus(place, species=c, times=[0.01, 0.02], flux=lambda t: 4000.0)])
def test_counted_molecules_come_in_the_mean_of_a_stimulus(make):
    assert gain(make, until=0.03, method="stochastic") == pytest.approx(40.0, rel=0.05)  # 24 000 molecules


@pytest.mark.parametrize("engine", ["implicit", "explicit"])
@pytest.mark.parametrize("width", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("shape", [square, gaussian])
def test_what_reads_the_time_undeclared_is_named_and_right_where_it_lasts_longer_than_the_bound(shape, width, engine):
    expected = FLUX * width if shape is square else FLUX * width * math.sqrt(2 * math.pi)
    if shape is gaussian and width == 0.3:
        expected *= 0.5 * (1 + math.erf(START / width / math.sqrt(2)))
    with pytest.warns(UndeclaredTimes, match="Timed: its rates read the time t, .* no step is longer than 0.002 s"):
        assert gain(lambda place, c: Timed(place, c, shape(width)), engine=engine) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("engine", ["implicit", "explicit"])
@pytest.mark.parametrize("width", [1e-3, 0.03])
def test_a_course_that_declares_where_it_begins_peaks_and_ends_gains_its_integral(width, engine):
    """Between the times that it declares steps follow what bends, whatever the model."""
    times = (START - 5 * width, START, START + 5 * width)
    bell = lambda place, c: Declared(place, c, gaussian(width), times)  # noqa: E731
    assert gain(bell, until=1.0, engine=engine) == pytest.approx(FLUX * width * math.sqrt(2 * math.pi), rel=0.01)


def test_times_of_an_event_do_not_tell_when_the_rates_beside_it_change():
    """Its spikes come before the pulse, which would be stepped over without a word."""
    with pytest.warns(UndeclaredTimes, match="Spiked: its rates read the time t, and it does not declare when they"):
        assert gain(lambda place, c: Spiked(place, c, square(0.01), ()), until=1.0) == pytest.approx(0.03, rel=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jumps = lambda place, c: Spiked(place, c, square(0.01), (START, START + 0.01))  # noqa: E731
        assert gain(jumps, until=1.0) == pytest.approx(0.03, rel=0.01)


def test_a_bound_of_its_own_is_kept_and_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        course = lambda t: 1 + math.sin(100 * math.pi * t)  # noqa: E731
        wave = lambda place, c: Declared(place, c, course, (0.0, 1.0), longest=1e-3)  # noqa: E731
        assert gain(wave, until=1.0) == pytest.approx(1.0, rel=0.01)


COURSES = {"compared": square(0.1), "math": lambda t: math.sin(t), "numpy": lambda t: float(np.exp(-t)),
           "an array": lambda t: np.interp([t], [0.0, 1.0], [0.0, 1.0])[0], "times": lambda t: 2 * t,
           "formatted": lambda t: len(f"{t:g}"), "looked up": lambda t: {0.0: 1.0}.get(t, 0.0),
           "cast": lambda t: int(t), "caught": lambda t: _careful(t)}


def _careful(t: float) -> float:
    try:
        return t + 1
    except Exception:
        return 0.0


@pytest.mark.parametrize("use", COURSES)
def test_every_use_of_the_time_is_seen(use):
    place = pool("v", [1.0])
    c = Species("c", place)
    system = assemble(Model([c], [Timed(place, c, COURSES[use])]))
    assert [term.reads_time for term in system.terms] == [True]


@dataclass(frozen=True, eq=False)
class OnlyWithSome:
    """A rate that reads the time only where there is something."""

    where: Place
    species: Species

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.species: math.sin(t) if c[self.species].any() else 0.0}


def test_a_use_of_the_time_that_waits_for_the_state_is_seen():
    place = pool("v", [1.0])
    c = Species("c", place)
    assert assemble(Model([c], [OnlyWithSome(place, c)])).untimed


def test_what_hands_the_time_on_or_declares_its_times_is_not_told():
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)
    c = Species("c", place)
    model = Model([c], [Timed(place, c, lambda t: 0.5), Injection(place, c, 1.0), Source(place, c, 1.0)])
    assert not assemble(model).untimed


@pytest.mark.parametrize(("wrong", "said"), [
    ({"starts": [0.2, 0.25]}, "Pulse: its starts are 0.05 s apart and each lasts 0.1 s; pulses must not overlap"),
    ({"starts": 0.5}, r"Pulse: starts is 0.5; it must be a list \(a finite number each\) or an array of numbers"),
    ({"starts": [0.5, 0.2]}, "Pulse: starts must be numbers that rise"),
    ({"starts": [-1.0]}, "Pulse: starts is -1; it must be a finite number >= 0"),
    ({"duration": 0.0}, "Pulse: duration is 0; it must be a finite number > 0"),
    ({"flux": -1.0}, "Pulse: flux is -1; it must be a finite number >= 0")])
def test_a_pulse_that_cannot_be_meant_is_refused(wrong, said):
    place = pool("v", [1.0])
    right: dict[str, Any] = {"species": Species("c", place), "flux": 1.0, "starts": [0.2], "duration": 0.1}
    with pytest.raises(InputError, match=said):
        Pulse(place, **(right | wrong))


@pytest.mark.parametrize(("wrong", "said"), [
    ({"times": [0.2]}, "Stimulus: times has one number; it needs at least two"),
    ({"flux": [1.0, 2.0, 3.0]}, r"Stimulus: flux has shape \(3,\); it must be a function of t, or have a sample for"),
    ({"flux": [1.0, math.nan]}, "Stimulus: flux is nan; it must be a finite number >= 0"),
    ({"flux": lambda t: -t}, "Stimulus: flux is -0.2; it must be a finite number >= 0"),
    ({"flux": lambda t: [1.0]}, r"Stimulus: flux at t = 0.2 s is \[1.0\]; it must be a number"),
    ({"flux": lambda t: None}, "Stimulus: flux at t = 0.2 s is None; it must be a number")])
def test_a_stimulus_that_cannot_be_meant_is_refused(wrong, said):
    place = pool("v", [1.0])
    right: dict[str, Any] = {"species": Species("c", place), "times": [0.2, 0.4], "flux": [1.0, 2.0]}
    with pytest.raises(InputError, match=said):
        Stimulus(place, **(right | wrong))
