"""Firing rates of both sides of a synapse, as its spikes tell them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Event, Gains, Species
from spatial.synapses.plasticity.pairs import PairedSpikes, Post, check_pairs
from spatial.units import ms


@dataclass(frozen=True, eq=False)
class SpikeRates:
    """A leaky average of spikes: dx/dt = -x/tau, and 1/tau more at each. Its mean is the rate of the train [Hz]."""

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    post: Post  # spikes of the neuron
    x: Species  # presynaptic rate, on the synapses [Hz]
    y: Species  # postsynaptic rate, on the synapses [Hz]
    tau: float = 100 * ms  # choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "x", "y")
        check_pairs(self.trains, self.post, len(self.where))

    @cached_property
    def _pairs(self) -> PairedSpikes:
        """The spikes of both sides in order."""
        return PairedSpikes.of(self.trains, self.post)

    @property
    def events(self) -> tuple[Event, ...]:
        """Each spike counts."""
        return self._pairs.events((self.x, self.y), (), self.spike)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """How fast past spikes are forgotten [Hz/s]."""
        return {self.x: -c[self.x] / self.tau, self.y: -c[self.y] / self.tau}

    def spike(self, c: Concentrations, pre: Floats | float, post: Floats | float) -> Gains:
        """What spikes count where `pre` and `post` (n,) are 1; 0 where there is none."""
        return {self.x: pre / self.tau, self.y: post / self.tau}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form."""
        return {self.x: c[self.x] * np.expm1(-dt / self.tau), self.y: c[self.y] * np.expm1(-dt / self.tau)}
