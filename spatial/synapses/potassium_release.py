"""K+ that leaves neurons with every spike, at synapses and along axons."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.potential import CAPACITANCE
from spatial.model import AtTimes, Concentrations, Event, Gains, Species, gained
from spatial.synapses.spikes import Timetable, check_trains
from spatial.units import ion_flux, mV

LEAST = ion_flux(CAPACITANCE * 100 * mV, valence=1)  # 1 uF/cm^2 x 100 mV; biophysics A10
"""K+ per membrane area and spike [uM um] that charges the membrane: 6240 ions/um^2; real spikes take more (M)."""


@dataclass(frozen=True, eq=False)
class PotassiumRelease:
    """Each spike lets K+ out at once, in exchange for as much Na+ (biophysics A10).

    On a membrane `per_spike` is per area, at points it is the amount [uM um^3]: `LEAST` times the area each stands
    for. K+ that comes later, such as through NMDA receptors, goes into a species that `Emptying` empties. Only
    `potassium` must be given: what is None is not counted.
    """

    where: Place  # axon membranes, or the synapses
    trains: tuple[Floats, ...]  # spike times [s] of each element, or of each axon
    potassium: Species  # ECS
    inside: Species | None = None  # the K+ that is left in the neuron, or a ledger, signed
    sodium: Species | None = None  # ECS
    sodium_inside: Species | None = None  # in the neuron, or a ledger, signed
    axon: Ints | None = None  # (n,) which train each element follows; None: each its own
    per_spike: float = sized(LEAST, usual=100 * LEAST, far=1e5)  # times 1.3-4 in real action potentials, M

    def __post_init__(self) -> None:
        checks.parameters(self)
        check_trains(self.trains, len(self.where) if self.axon is None else len(self.trains))
        if self.axon is None:
            return
        checks.each_element("PotassiumRelease: axon", self.axon, self.where)
        if np.max(self.axon) >= len(self.trains):
            raise checks.InputError(f"PotassiumRelease: axon goes up to {np.max(self.axon)}; with {len(self.trains)} "
                                    f"trains it must be 0 to {len(self.trains) - 1}")

    @cached_property
    def _spikes(self) -> Timetable:
        """The spikes of all trains in order."""
        return Timetable.of(self.trains)

    @property
    def events(self) -> tuple[Event, ...]:
        """K+ leaves and Na+ enters at each spike."""
        taken = [species for species in (self.inside, self.sodium) if species is not None]
        changes = (self.potassium, *taken, *gained(self.sodium_inside, 0.0))
        return (AtTimes(self._spikes.instants, changes, tuple(taken), self.spike),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: only spikes act."""
        return {}

    def spike(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """K+ out and Na+ in where a spike passes at `t`."""
        fires = self._spikes.firing(t)
        out = self.per_spike * (fires if self.axon is None else fires[self.axon])
        return {self.potassium: out, **gained(self.inside, -out), **gained(self.sodium, -out),
                **gained(self.sodium_inside, out)}
