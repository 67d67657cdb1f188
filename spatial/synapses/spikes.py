"""Spike trains: sorted times [s], known beforehand or found where a potential rises through a threshold."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.checks import InputError, Unusual, by_annotation, number, positive, shown
from spatial.geometry.place import Floats, Ints
from spatial.model import Concentrations, Species

_SLOWEST, _FASTEST = 0.1, 2000.0  # Hz: no neuron fires outside for long, and a rate there is most often an interval


@dataclass(frozen=True, eq=False)
class Firing:
    """Spikes of a neuron as it makes them: where its potential rises through a threshold, not at known times.

    An `OnRise` with this `height` happens at each of them, at the neurons or where these are touched. A threshold
    above what a neuron is reset to, and not above what it is reset from, meets each of its spikes.
    """

    V: Species  # of the neurons [mV]
    threshold: float  # mV

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("threshold",))

    def height(self, c: Concentrations) -> Floats:
        """(n,) how far the potential of the neuron at each element is above the threshold [mV]."""
        return c[self.V] - self.threshold


@by_annotation
def regular(count: int, rate: float, start: float = 0.0) -> Floats:
    """(count,) times of spikes at a regular `rate` [Hz], the first at `start` [s]."""
    number("number of spikes", count)
    positive("spike rate", rate)
    _warn_of_rate(rate)
    number("first spike", start)
    return start + np.arange(count) / rate


@by_annotation
def poisson(rate: float, until: float, rng: np.random.Generator) -> Floats:
    """Times of a Poisson train of `rate` [Hz] between 0 and `until` [s]."""
    number("spike rate", rate)
    _warn_of_rate(rate)
    number("end of the spike train", until)
    return np.sort(rng.uniform(0.0, until, rng.poisson(rate * until)))


@by_annotation
def bursts(count: int, size: int, rate: float, interval: float, start: float = 0.0) -> Floats:
    """(count * size,) times of `count` bursts of `size` spikes at `rate` [Hz], an `interval` [s] from first to first.

    The first spike is at `start` [s]. Raises `InputError` if a burst is not over before the next begins.
    """
    for what, number_of in {"bursts": count, "spikes in a burst": size}.items():
        number(f"number of {what}", number_of)
    positive("spike rate in a burst", rate)
    _warn_of_rate(rate)
    positive("interval between bursts", interval)
    number("first spike", start)
    if count > 1 and size > 1 and (size - 1) / rate >= interval:
        raise InputError(f"a burst of {size} spikes at {rate:g} Hz lasts {(size - 1) / rate:g} s; "
                         f"the interval between bursts must be longer, it is {interval:g} s")
    return np.asarray(start + interval * np.arange(count)[:, None] + np.arange(size) / rate).ravel()


def _warn_of_rate(rate: float) -> None:
    """Warn of a rate at which no neuron fires for long, most often one in kHz or an interval."""
    if 0.0 < rate < _SLOWEST or rate > _FASTEST:
        warnings.warn(f"a spike rate of {rate:g} Hz is hardly meant; is it in Hz, and a rate?", Unusual, stacklevel=4)


def check_trains(trains: tuple[Floats, ...], count: int, of: str = "synapse") -> None:
    """Raise `InputError` unless there is one train of sorted finite times for each of so many synapses, or neurons."""
    if len(trains) != count:
        raise InputError(f"{len(trains)} spike trains for {count} {of}s; give one each, empty for a silent {of}")
    for k, train in enumerate(trains):
        if np.ndim(train) != 1:
            raise InputError(f"the spike train of {of} {k} is {shown(train)}; it must be an array of times, empty for "
                             f"a silent {of}")
        times = np.asarray(train, float)
        if not (times.ndim == 1 and np.isfinite(times).all() and (times >= 0).all() and (np.diff(times) > 0).all()):
            raise InputError(f"the spike train of {of} {k} must hold finite, growing times >= 0")


@dataclass(frozen=True, eq=False)
class Timetable:
    """The spikes of n trains in order of time, so that who fires at a time is found without looking through them all.

    A mechanism that keeps one spends as much on a spike however many are still to come.
    """

    times: Floats  # (k,) s, sorted
    train: Ints  # (k,) the train of each
    count: int  # n

    def __post_init__(self) -> None:
        checks.kinds(self)

    @classmethod
    def of(cls, trains: tuple[Floats, ...]) -> "Timetable":
        """The spikes of these trains."""
        times = _flat(trains)
        order = np.argsort(times, kind="stable")
        train = np.repeat(np.arange(len(trains)), [len(each) for each in trains])
        return cls(times[order], train[order], len(trains))

    @cached_property
    def instants(self) -> Floats:
        """Sorted times at which any train has a spike [s]."""
        return np.unique(self.times)

    def firing(self, t: float) -> Floats:
        """(n,) 1 for each synapse whose train has a spike at `t`, else 0."""
        first, last = np.searchsorted(self.times, t, side="left"), np.searchsorted(self.times, t, side="right")
        fires = np.zeros(self.count)
        fires[self.train[first:last]] = 1.0
        return fires


def _flat(trains: tuple[Floats, ...]) -> Floats:
    """The times of all trains, one train after the other."""
    return np.concatenate([np.zeros(0), *trains])
