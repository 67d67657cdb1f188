"""Spike trains: sorted times [s]."""

import numpy as np

from spatial.checks import InputError, number, positive
from spatial.geometry.place import Floats


def regular(count: int, rate: float, start: float = 0.0) -> Floats:
    """(count,) times of spikes at a regular `rate` [Hz], the first at `start` [s]."""
    number("number of spikes", count)
    positive("spike rate", rate)
    number("first spike", start)
    return start + np.arange(count) / rate


def poisson(rate: float, until: float, rng: np.random.Generator) -> Floats:
    """Times of a Poisson train of `rate` [Hz] between 0 and `until` [s]."""
    number("spike rate", rate)
    number("end of the spike train", until)
    return np.sort(rng.uniform(0.0, until, rng.poisson(rate * until)))


def check_trains(trains: tuple[Floats, ...], synapses: int) -> None:
    """Raise `InputError` unless there is one train of sorted finite times per synapse."""
    if len(trains) != synapses:
        raise InputError(f"{len(trains)} spike trains for {synapses} synapses; "
                         "give one each, empty for a silent synapse")
    for k, train in enumerate(trains):
        times = np.asarray(train, float)
        if not (np.isfinite(times).all() and (times >= 0).all() and (np.diff(times) > 0).all()):
            raise InputError(f"the spike train of synapse {k} must hold finite, growing times >= 0")


def firing(trains: tuple[Floats, ...], t: float) -> Floats:
    """(n,) 1 for each synapse whose train has a spike at `t`, else 0."""
    return np.array([float(np.any(np.asarray(train) == t)) for train in trains])


def all_times(trains: tuple[Floats, ...]) -> Floats:
    """Sorted times at which any train has a spike."""
    return np.unique(np.concatenate([np.zeros(0), *map(np.asarray, trains)]))
