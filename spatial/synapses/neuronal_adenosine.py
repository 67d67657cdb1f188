"""Adenosine that neurons let go themselves, after spikes and not through ATP."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Reaction, Species
from spatial.synapses.spikes import Timetable, check_trains
from spatial.units import molecule, s


@dataclass(frozen=True, eq=False)
class NeuronalAdenosine:
    """Each spike leaves adenosine in the cell, which nucleoside transporters let out with a time constant.

    About 40 % of the adenosine that activity evokes in hippocampus comes this way, the rest from astrocytes' ATP
    and later (Wall & Dale 2013; biophysics A8).
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # spike times of each synapse [s]
    pending: Species  # on the synapses, adenosine made and not yet outside [uM um^3]
    adenosine: Species  # ECS
    per_spike: float = 7 * molecule  # 1 uM in the ECS after 10 spikes of all synapses (1.69 /um^3, alpha 0.2); choice
    tau: float = 1 * s  # of the way out; slower than a spike, faster than the way through ATP, choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "pending")
        check_trains(self.trains, len(self.where))

    @cached_property
    def _spikes(self) -> Timetable:
        """The spikes of all trains in order."""
        return Timetable.of(self.trains)

    @property
    def events(self) -> tuple[Event, ...]:
        """Each spike makes adenosine in the cell."""
        return (AtTimes(self._spikes.instants, (self.pending,), (), self._fire),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Adenosine let out [uM um^3/s]."""
        flux = c[self.pending] / self.tau
        return {self.pending: -flux, self.adenosine: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One adenosine let out."""
        return [Reaction({self.pending: -1, self.adenosine: 1}, c[self.pending] / self.tau)]

    def _fire(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """What a spike makes at each synapse that fires at `t`."""
        return {self.pending: self.per_spike * self._spikes.firing(t)}
