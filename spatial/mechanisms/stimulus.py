"""Sources whose strength is a known function of time: pulses, and any other course."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from spatial import checks
from spatial.frozen import read_only
from spatial.geometry.place import Floats, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Reaction, Species

_PARTS = 8  # into which the time between two of those that are given is cut at first
_HALVINGS = 10  # of each part, at most
_STRAIGHT = 0.01  # of the largest strength: so far the middle of a step may lie beside a straight line
_BEFORE = 1.0 - 1e-9  # of a step: just before what happens at its end


@dataclass(frozen=True, eq=False)
class Pulse:
    """A constant flux for a while, once or again and again: a puffed pipette, a train of stimuli.

    The flux is per measure of where it acts: [uM um^3/s] at a point, [uM um/s] on a membrane, [uM/s] in a volume.
    Steps land on the begin and the end of each pulse. Raises `InputError` for pulses that overlap.
    """

    where: Place
    _: KW_ONLY
    species: Species
    flux: float
    starts: Sequence[float] | Floats  # (k,) s
    duration: float  # s

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("duration",))
        object.__setattr__(self, "starts", _rising("Pulse: starts", self.starts))
        if (np.diff(self.starts) < self.duration).any():
            raise checks.InputError(f"Pulse: its starts are {np.diff(self.starts).min():g} s apart and each lasts "
                                    f"{self.duration:g} s; pulses must not overlap")

    @cached_property
    def _stops(self) -> Floats:
        return np.asarray(self.starts) + self.duration

    @property
    def events(self) -> tuple[Event, ...]:
        """The pulses begin and end: steps land there so that none runs across."""
        return (AtTimes(np.union1d(self.starts, self._stops)),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The flux during a pulse."""
        return {self.species: self._now(t)}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule let in."""
        return [Reaction({self.species: 1}, self._now(t))]

    def _now(self, t: float) -> float:
        begun = int(np.searchsorted(self.starts, t, side="right"))
        return self.flux if begun and t < self._stops[begun - 1] else 0.0


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A flux that follows a function of time, or samples of one, from the first of its times to the last.

    The flux is per measure of where it acts: [uM um^3/s] at a point, [uM um/s] on a membrane, [uM/s] in a volume.
    Between samples it runs straight. Of a function, give the times at which it jumps and at least one within each of
    its pulses: between them steps are placed so closely that it runs nearly straight from one to the next.
    Before the first time and from the last on the flux is 0.
    """

    where: Place
    _: KW_ONLY
    species: Species
    times: Sequence[float] | Floats  # (k,) s, rising
    flux: Callable[[float], float] | Sequence[float] | Floats  # of t [s], or (k,) samples

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "times", _rising("Stimulus: times", self.times))
        if len(self.times) < 2:
            raise checks.InputError("Stimulus: times has one number; it needs at least two, a first and a last")
        if not callable(self.flux):
            samples = read_only(np.asarray(self.flux, float))
            if samples.shape != np.shape(self.times):
                raise checks.InputError(f"Stimulus: flux has shape {samples.shape}; it must be a function of t, or "
                                        f"have a sample for each of its {len(self.times)} times")
            object.__setattr__(self, "flux", samples)
        values = [self._value(time) for time in self._instants]
        checks.number("Stimulus: flux", values, may_be_negative=self.species.signed)

    @cached_property
    def _instants(self) -> Floats:
        """(k,) times [s] between which the flux runs nearly straight."""
        if not callable(self.flux):
            return np.asarray(self.times)
        return _refined(self._value, np.asarray(self.times))

    @property
    def events(self) -> tuple[Event, ...]:
        """It runs nearly straight between these times: steps land on each."""
        return (AtTimes(self._instants),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The flux at this time."""
        return {self.species: self._now(t)}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule let in."""
        return [Reaction({self.species: 1}, self._now(t))]

    def _now(self, t: float) -> float:
        return self._value(t) if self.times[0] <= t < self.times[-1] else 0.0

    def _value(self, t: float) -> float:
        """The flux at a time from the first to the last."""
        if callable(self.flux):
            value: Any = self.flux(t)
            if np.ndim(value) or np.asarray(value).dtype.kind not in "fiub":
                raise checks.InputError(f"Stimulus: flux at t = {t:g} s is {checks.shown(value)}; it must be a number")
            return float(value)
        return float(np.interp(t, self.times, self.flux))


def _refined(course: Callable[[float], float], times: Floats) -> Floats:
    """Return times between which a function runs nearly straight, these among them."""
    parts = [np.linspace(begin, end, _PARTS, endpoint=False) for begin, end in pairwise(times)]
    grid = np.array([*np.concatenate(parts), times[-1]])
    largest = max(abs(course(time)) for time in grid)
    for _ in range(_HALVINGS):
        bent = [(begin + end) / 2 for begin, end in pairwise(grid) if _bend(course, begin, end) > _STRAIGHT * largest]
        if not bent:
            break
        largest = max(largest, *(abs(course(time)) for time in bent))
        grid = np.union1d(grid, bent)
    return grid


def _bend(course: Callable[[float], float], begin: float, end: float) -> float:
    """Return how far a function lies beside a straight line in the middle between two times."""
    last = begin + _BEFORE * (end - begin)
    return abs(course((begin + end) / 2) - (course(begin) + course(last)) / 2)


def _rising(name: str, times: Sequence[float] | Floats) -> Floats:
    """Return times as a read-only array. Raises `InputError` unless they are one after the other, from 0 on."""
    values = np.atleast_1d(np.asarray(times, float))
    checks.number(name, values)
    if values.ndim != 1 or not len(values) or (np.diff(values) <= 0).any():
        raise checks.InputError(f"{name} must be numbers that rise, one after the other")
    return read_only(values)
