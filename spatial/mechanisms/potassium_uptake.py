"""K+ taken by what is not modelled: neurons and other cells around, as one rate."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species, gained
from spatial.units import mM, s, um


@dataclass(frozen=True, eq=False)
class PotassiumUptake:
    """k (K - K_rest) out of the ECS, in exchange for as much Na+ (Halnes 2013; biophysics A10).

    Without a species for sodium, the charge is not counted. Below rest K+ comes back.
    """

    where: Place  # membrane that touches the ECS, or with a `rate` in 1/s the ECS itself
    potassium: Species  # ECS
    taken: Species  # ledger of K+, signed
    sodium: Species | None = None  # ECS
    given: Species | None = None  # ledger of the Na+ that came instead, signed
    rest: float = sized(3.082 * mM, beside="potassium", even_zero=True)  # Halnes 2013
    rate: float = sized(0.029 * um / s, in_volume=10 / s, far=150.0)  # 2.9e-8 m/s; Halnes 2013

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """K+ taken and Na+ given [uM um/s on a membrane, uM/s in a volume]."""
        flux = self.rate * (c[self.potassium] - self.rest)
        return {self.potassium: -flux, self.taken: flux, **gained(self.sodium, flux), **gained(self.given, -flux)}
