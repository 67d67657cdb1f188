"""Currents through AMPA and NMDA receptors into the postsynaptic neuron, and the Ca2+ they bring to the spine."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Event, Gains, Held, Species, level
from spatial.synapses.plasticity.pairs import PairedSpikes, Post, check_pairs
from spatial.synapses.receptors import EC50_D_SERINE, coagonist_occupancy, nmda_open
from spatial.units import ion_flux, ms, mV, pA, uM, um3

NMDA_CHANNEL = 0.05 * pA / mV  # 50 pS; biophysics A12


@dataclass(frozen=True, eq=False)
class SynapticCurrent:
    """Current into the neuron that each synapse touches: I = -(g_AMPA w a + g_NMDA theta_co B(V) o) (V - E).

    a and o are the parts of the AMPA and NMDA receptors that glutamate has opened, theta_co the occupancy of the
    co-agonist site, B the Mg2+ block (biophysics A12).
    """

    where: Place  # the synapses, which touch neurons
    V: Species  # of the neurons, signed [mV]
    ampa: Held  # a, on the synapses
    nmda: Held  # o, on the synapses
    weight: Held = 1.0  # w, of the AMPA receptors; negative ones count as 0
    d_serine: Held = 0.0 * uM  # ECS, above its resting level; choice, at rest
    resting_d_serine: float = 1.3 * uM  # gives theta_co = 0.5; choice, range of theta_co 0.4-0.6, M
    EC50: float = sized(EC50_D_SERINE, beside="d_serine", from_below=False)  # GluN2A; M (biophysics A12)
    g_AMPA: float = 1 * pA / mV  # 1 nS, ~12 pA at -70 mV after a vesicle; choice
    g_NMDA: float = 20 * NMDA_CHANNEL  # 20 channels; choice
    E: Held = 0 * mV  # biophysics A12, M

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("E",), above_zero=("EC50",))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Current into each neuron [pA]."""
        return {self.V: self.through_ampa(c) + self.through_nmda(c)}

    def through_ampa(self, c: Concentrations) -> Floats:
        """(n,) current through the AMPA receptors of each synapse, inward positive [pA]."""
        weight = np.maximum(level(c, self.weight), 0.0)
        return np.asarray(self.g_AMPA * weight * level(c, self.ampa) * (level(c, self.E) - c[self.V]))

    def through_nmda(self, c: Concentrations) -> Floats:
        """(n,) current through the NMDA receptors of each synapse, inward positive [pA]."""
        coagonist = coagonist_occupancy(self.resting_d_serine + level(c, self.d_serine), self.EC50)
        opened = nmda_open(level(c, self.nmda), coagonist, c[self.V])
        return np.asarray(self.g_NMDA * opened * (level(c, self.E) - c[self.V]))


@dataclass(frozen=True, eq=False)
class SpineCalcium:
    """Free Ca2+ of each spine: part of the NMDA current brings it, buffers take most of it, extrusion lets it decay.

    dc/dt = f I_NMDA/(2 F volume (1 + kappa)) - (c - rest)/tau, with kappa of fast immobile buffers; only what flows
    inward brings Ca2+.
    """

    where: Place  # the synapses
    calcium: Species  # on the synapses [uM]
    current: SynapticCurrent
    volume: float | Floats = 0.054 * um3  # of the spine; SynapseWeb, biophysics A15
    fraction: float = 0.1  # of the NMDA current that Ca2+ carries; biophysics A12, M
    kappa: float = 20.0  # bound over free; Sabatini 2002, M
    tau: float = 12 * ms  # with the buffers; Sabatini 2002, M
    rest: float = sized(0.05 * uM, beside="calcium")  # choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "calcium")
        checks.each_element("SpineCalcium: volume", self.volume, self.where)
        checks.positive("SpineCalcium: volume", float(np.min(self.volume)))
        if self.fraction > 1:
            raise checks.InputError(f"SpineCalcium: fraction is {self.fraction:g}; it must be a part of 1")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of free Ca2+ [uM/s]."""
        inward = np.maximum(self.current.through_nmda(c), 0.0)
        influx = ion_flux(self.fraction, valence=2) * inward / (self.volume * (1 + self.kappa))
        return {self.calcium: influx - (c[self.calcium] - self.rest) / self.tau}


@dataclass(frozen=True, eq=False)
class BackPropagation:
    """Each spike of the neuron opens the spines' own Ca2+ channels: free Ca2+ rises by so much at once."""

    where: Place  # the synapses, which touch neurons where the neuron makes its own spikes
    calcium: Species  # on the synapses [uM]
    post: Post  # spikes of the neuron
    per_spike: float = 1 * uM  # Sabatini 2002, M

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "calcium")
        check_pairs((), self.post, 0)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: only spikes act."""
        return {}

    @cached_property
    def _pairs(self) -> PairedSpikes:
        """The spikes of both sides in order."""
        return PairedSpikes.of((), self.post)

    @property
    def events(self) -> tuple[Event, ...]:
        """Each spike brings Ca2+ to every spine of its neuron."""
        return self._pairs.events((self.calcium,), (), self._arrive)

    def _arrive(self, c: Concentrations, pre: Any, post: Any) -> Gains:
        """What spikes of the neuron bring to its spines [uM]."""
        return {self.calcium: self.per_spike * post}
