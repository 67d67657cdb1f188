"""K+ that neurons let out while they fire steadily: what many spikes come to on average."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Species, gained
from spatial.units import s, uM, um


@dataclass(frozen=True, eq=False)
class SteadyRelease:
    """K+ out of neurons at a constant `flux` from `start` to `stop`, in exchange for as much Na+ (Halnes 2013).

    Only `potassium` must be given: what is None is not counted.
    """

    where: Place  # membrane that touches the ECS
    potassium: Species  # ECS
    inside: Species | None = None  # the K+ that is left in the neurons, or a ledger, signed
    sodium: Species | None = None  # ECS
    sodium_inside: Species | None = None  # in the neurons, or a ledger, signed
    flux: float = 550 * uM * um / s  # 5.5e-7 mol/m^2/s per area of the astrocytes' membrane; Halnes 2013
    start: float = 1 * s  # choice
    stop: float = 11 * s  # choice

    def __post_init__(self) -> None:
        checks.parameters(self)
        if not self.stop > self.start:
            raise checks.InputError(f"SteadyRelease: stop is {self.stop:g} s; it must come after start, "
                                    f"{self.start:g} s")

    @property
    def events(self) -> tuple[Event, ...]:
        """It begins and ends: steps land there so that none runs across."""
        return (AtTimes(np.array([self.start, self.stop])),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """K+ out and Na+ in [uM um/s]."""
        out = self.flux if self.start <= t < self.stop else 0.0
        return {self.potassium: out, **gained(self.inside, -out), **gained(self.sodium, -out),
                **gained(self.sodium_inside, out)}
