"""SERCA: the pump that fills the ER with Ca2+."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species
from spatial.units import s, uM, um


@dataclass(frozen=True, eq=False)
class SERCA:
    """Hill pump on the ER membrane, V c^n/(c^n + K^n) (biophysics A2a)."""

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    V: float = 0.9 * uM / s * 0.5 * um  # O_P V_cyt/S_ER; De Pitta AM, S_ER/V_cyt 2 /um of PAP-ER
    K: float = sized(0.1 * uM, beside="calcium")  # half-activation; De Pitta AM (FM, Stimberg 2018: 0.05)
    n: float = 2.0  # Hill coefficient; De Pitta 2009 (Handy 2017: 1.75)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ binds together."""
        return (ConcentrationLaw(self.calcium, K=self.K, n=self.n),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ from the cytosol into the store [uM um/s]."""
        flux = self.flux(c[self.calcium])
        return {self.calcium: -flux, self.store: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One Ca2+ pumped."""
        return [Reaction({self.calcium: -1, self.store: 1}, self.flux(c[self.calcium]))]

    def flux(self, calcium: Floats) -> Floats:
        """Uptake [uM um/s] at a Ca2+ concentration [uM]."""
        return self.V * hill(calcium, self.K, self.n)
