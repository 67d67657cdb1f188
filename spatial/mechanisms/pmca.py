"""PMCA: the pump that extrudes Ca2+ through the plasma membrane."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species
from spatial.units import s, uM, um


@dataclass(frozen=True, eq=False)
class PMCA:
    """Hill pump on the plasma membrane, V c^2/(K^2 + c^2) (biophysics A5)."""

    where: Place
    calcium: Species  # cytosol
    outside: Species  # ledger of what was extruded
    V: float = 1.0 * uM / s * 0.05 * um  # Chen 2008, V_cyt/S_PM of a process 0.1 um in radius
    K: float = sized(0.45 * uM, beside="calcium")  # half-activation; Chen 2008

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Two Ca2+ bind."""
        return (ConcentrationLaw(self.calcium, K=self.K, n=2),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ out of the cytosol [uM um/s]."""
        flux = self.flux(c[self.calcium])
        return {self.calcium: -flux, self.outside: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One Ca2+ extruded."""
        return [Reaction({self.calcium: -1, self.outside: 1}, self.flux(c[self.calcium]))]

    def flux(self, calcium: Floats | float) -> Floats | float:
        """Extrusion [uM um/s] at a Ca2+ concentration [uM]."""
        return self.V * hill(calcium, self.K, 2)
