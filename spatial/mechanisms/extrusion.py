"""Ca2+ extrusion in proportion to Ca2+: pumps and exchangers together, far from saturation."""

from collections.abc import Sequence
from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import s


@dataclass(frozen=True, eq=False)
class LinearExtrusion:
    """Ca2+ lost at `rate` times its concentration (biophysics A5).

    In a volume the rate is 1/s. On a membrane it is a permeability [um/s], the rate times V_cyt/S.
    """

    where: Place
    calcium: Species  # cytosol
    outside: Species  # ledger of what was extruded
    rate: float = sized(30 / s, far=1e4)  # of a thin process; Denizot 2019 (Handy 2017, whole cell: 1.2 x 0.2 /s)

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ out of the cytosol [uM/s in a volume, uM um/s on a membrane]."""
        flux = self.rate * c[self.calcium]
        return {self.calcium: -flux, self.outside: flux}

    def reactions(self, c: Concentrations, t: float) -> Sequence[Reaction]:
        """One Ca2+ extruded."""
        return [Reaction({self.calcium: -1, self.outside: 1}, self.rate * c[self.calcium])]
