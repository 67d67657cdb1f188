"""Spikes on both sides of a synapse: the presynaptic trains, and the neuron's spikes, known or as it makes them."""

import numpy as np

from spatial.geometry.place import Floats
from spatial.model import Concentrations
from spatial.synapses.spikes import Firing, all_times, check_trains, firing

Post = Floats | Firing
"""Postsynaptic spikes: times [s], the same for every synapse, or a potential that rises through a threshold."""


def check_pairs(trains: tuple[Floats, ...], post: Post, synapses: int) -> None:
    """Raise `InputError` unless there is one train of sorted finite times per synapse, and for the neuron."""
    check_trains(trains, synapses)
    check_trains(_known(post), len(_known(post)), "neuron")


def known_times(trains: tuple[Floats, ...], post: Post) -> Floats:
    """Sorted times of all spikes that are known, presynaptic and postsynaptic [s]."""
    return all_times((*trains, *_known(post)))


def fired(trains: tuple[Floats, ...], post: Post, t: float) -> tuple[Floats, float]:
    """(n,) 1 for each synapse whose train has a spike at `t`, else 0; and 1 if the neuron is known to fire then."""
    return firing(trains, t), float(any(np.any(train == t) for train in _known(post)))


def above_threshold(post: Post, c: Concentrations, synapses: int) -> Floats:
    """(n,) how far the neuron of each synapse is above its threshold; below it where its spikes are known."""
    return post.height(c) if isinstance(post, Firing) else np.full(synapses, -1.0)


def _known(post: Post) -> tuple[Floats, ...]:
    """The neuron's train, if it is known."""
    return () if isinstance(post, Firing) else (np.asarray(post),)
