"""Spikes on both sides of a synapse: the presynaptic trains, and the neuron's spikes, known or as it makes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.geometry.place import Floats
from spatial.model import AtTimes, Concentrations, Event, Gains, OnRise, Species
from spatial.synapses.spikes import Firing, all_times, check_trains, firing

AtSpikes = Callable[[Concentrations, Any, Any], Gains]
"""The gains of a mechanism from what it sees and where spikes are, presynaptic and postsynaptic."""

Post = Floats | Firing
"""Postsynaptic spikes: times [s], the same for every synapse, or a potential that rises through a threshold."""


def check_pairs(trains: tuple[Floats, ...], post: Post, synapses: int) -> None:
    """Raise `InputError` unless there is one train of sorted finite times per synapse, and for the neuron."""
    check_trains(trains, synapses)
    check_trains(_known(post), len(_known(post)), "neuron")


def known_times(trains: tuple[Floats, ...], post: Post) -> Floats:
    """Sorted times of all spikes that are known, presynaptic and postsynaptic [s]."""
    return all_times((*trains, *_known(post)))


def spikes(trains: tuple[Floats, ...], post: Post, changes: tuple[Species, ...], takes: tuple[Species, ...],
           change: AtSpikes) -> tuple[Event, ...]:
    """The events of a mechanism that acts at the spikes of both sides of its synapses, known or as neurons make them.

    `change(c, pre, post)` returns its gains where `pre` and `post` (n,) are 1, and 0 where there is no spike.
    """

    def known(c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        return change(c, *fired(trains, post, t))

    def made(c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        return change(c, 0.0, risen.astype(float))

    events: tuple[Event, ...] = (AtTimes(known_times(trains, post), changes, takes, known),)
    if isinstance(post, Firing):
        events += (OnRise(lambda c, t: post.height(c), changes, takes, change=made),)
    return events


def fired(trains: tuple[Floats, ...], post: Post, t: float) -> tuple[Floats, float]:
    """(n,) 1 for each synapse whose train has a spike at `t`, else 0; and 1 if the neuron is known to fire then."""
    return firing(trains, t), float(any(np.any(train == t) for train in _known(post)))


def _known(post: Post) -> tuple[Floats, ...]:
    """The neuron's train, if it is known."""
    return () if isinstance(post, Firing) else (np.asarray(post),)
