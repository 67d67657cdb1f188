"""Spikes on both sides of a synapse: the presynaptic trains, and the neuron's spikes, known or as it makes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.geometry.place import Floats
from spatial.model import AtTimes, Concentrations, Event, Gains, OnRise, Species
from spatial.synapses.spikes import Firing, Timetable, check_trains

AtSpikes = Callable[[Concentrations, Any, Any], Gains]
"""The gains of a mechanism from what it sees and where spikes are, presynaptic and postsynaptic."""

Post = Floats | Firing
"""Postsynaptic spikes: times [s], the same for every synapse, or a potential that rises through a threshold."""


def check_pairs(trains: tuple[Floats, ...], post: Post, synapses: int) -> None:
    """Raise `InputError` unless there is one train of sorted finite times per synapse, and for the neuron."""
    check_trains(trains, synapses)
    check_trains(_known(post), len(_known(post)), "neuron")


@dataclass(frozen=True, eq=False)
class PairedSpikes:
    """The spikes of both sides of n synapses in order of time; those that a neuron makes itself by its potential."""

    pre: Timetable
    known: Timetable  # of the neuron: one train, or none where it makes its own
    made: Firing | None

    def __post_init__(self) -> None:
        checks.kinds(self)

    @classmethod
    def of(cls, trains: tuple[Floats, ...], post: Post) -> "PairedSpikes":
        """The spikes of these trains and of the neuron."""
        made = post if isinstance(post, Firing) else None
        return cls(Timetable.of(trains), Timetable.of(_known(post)), made)

    def events(self, changes: tuple[Species, ...], takes: tuple[Species, ...], change: AtSpikes) -> tuple[Event, ...]:
        """The events of a mechanism that acts at the spikes of both sides of its synapses.

        `change(c, pre, post)` returns its gains where `pre` and `post` (n,) are 1, and 0 where there is no spike.
        """

        def known(c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
            return change(c, self.pre.firing(t), float(self.known.firing(t).any()))

        def made(c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
            return change(c, 0.0, risen.astype(float))

        at_times = AtTimes(np.union1d(self.pre.instants, self.known.instants), changes, takes, known)
        firing = self.made
        if firing is None:
            return (at_times,)
        return (at_times, OnRise(lambda c, t: firing.height(c), changes, takes, change=made))


def _known(post: Post) -> tuple[Floats, ...]:
    """The neuron's train, if it is known."""
    return () if isinstance(post, Firing) else (np.asarray(post),)
