"""Plasticity in three factors: presynaptic, postsynaptic, and what the astrocyte says."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Event, Gains, Held, Species, level
from spatial.synapses.plasticity.gates import Gate
from spatial.synapses.plasticity.pairs import PairedSpikes, Post, check_pairs
from spatial.units import ms, s, uM


@dataclass(frozen=True, eq=False)
class ThreeFactorRule:
    """Spike pairs leave an eligibility trace; the astrocyte's gate turns it into weight.

    dw/dt = e g_a / tau_e (biophysics A13). So one pair under a gate of 1 changes w by STDP's
    A+ exp(-dt/tau+), and with a gate of 0 nothing changes at all.
    A synapse that does not fire takes part in two ways: glutamate that spills over to its NMDA receptors
    counts as presynaptic activity, in units of what its own vesicle would do; and a postsynaptic spike
    lowers the eligibility of every synapse by `A_alone` (heterosynaptic depression; Chistiakova 2014).
    Known spikes at the same instant do not pair with each other; a spike set off by an input comes after it.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    post: Post  # spikes of the neuron
    glutamate: Held  # ECS
    gate: Gate
    pre_trace: Species
    post_trace: Species
    eligibility: Species  # signed
    weight: Species  # signed
    A_plus: float = 0.01  # Song & Abbott 2000
    A_minus: float = 1.05 * 0.01  # Song & Abbott 2000
    A_alone: float = 0.0  # choice
    tau_plus: float = 20 * ms  # Song & Abbott 2000
    tau_minus: float = 20 * ms  # Song & Abbott 2000
    tau_e: float = 1 * s  # Izhikevich 2007
    spillover: float = 0.072 / 0.0692 / (uM * s)  # NMDA binding (Huebel 2017) per occupancy after 1 mM for 1 ms

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau_plus", "tau_minus", "tau_e"))
        checks.own(self, "pre_trace", "post_trace", "eligibility", "weight")
        checks.signed(self, "eligibility", "weight")
        check_pairs(self.trains, self.post, len(self.where))

    @cached_property
    def _pairs(self) -> PairedSpikes:
        """The spikes of both sides in order."""
        return PairedSpikes.of(self.trains, self.post)

    @property
    def events(self) -> tuple[Event, ...]:
        """Spikes leave traces."""
        changes = (self.pre_trace, self.post_trace, self.eligibility)
        return self._pairs.events(changes, (), self.spike)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Decay of the traces, spill-over onto silent synapses, and the gated weight change [1/s]."""
        return {self.pre_trace: self._spilt(c) - c[self.pre_trace] / self.tau_plus,
                self.post_trace: -c[self.post_trace] / self.tau_minus,
                self.eligibility: -c[self.eligibility] / self.tau_e,
                self.weight: c[self.eligibility] * self.gate(c) / self.tau_e}

    def spike(self, c: Concentrations, pre: Floats | float, post: Floats | float) -> Gains:
        """What spikes leave in the traces where `pre` and `post` (n,) are 1; 0 where there is none."""
        paired = post * (self.A_plus * c[self.pre_trace] - self.A_alone) - pre * self.A_minus * c[self.post_trace]
        return {self.pre_trace: pre, self.post_trace: post, self.eligibility: paired}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form for fields that stay as in `c`."""
        turned = -c[self.eligibility] * np.expm1(-dt / self.tau_e)
        return {self.pre_trace: (c[self.pre_trace] - self.tau_plus * self._spilt(c)) * np.expm1(-dt / self.tau_plus),
                self.post_trace: c[self.post_trace] * np.expm1(-dt / self.tau_minus),
                self.eligibility: -turned, self.weight: turned * self.gate(c)}

    def _spilt(self, c: Concentrations) -> Floats:
        """(n,) what glutamate from elsewhere adds to the presynaptic trace of silent synapses [1/s]."""
        return np.where(self._silent, self.spillover * level(c, self.glutamate), 0.0)

    @cached_property
    def _silent(self) -> NDArray[np.bool_]:
        return np.array([len(train) == 0 for train in self.trains])
