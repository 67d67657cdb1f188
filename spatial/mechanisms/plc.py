"""Phospholipase C: what makes IP3."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill, inhibition
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species
from spatial.units import s, uM, um


@dataclass(frozen=True, eq=False)
class PLCBeta:
    """IP3 made at the plasma membrane by active receptors (G-ChI; Stimberg 2018, biophysics A3)."""

    where: Place  # plasma membrane
    ip3: Species  # cytosol
    active: Species  # on the membrane, active fraction of the receptors
    V: float = 3.2 * uM / s * 0.05 * um  # O_b V_cyt/S_PM; Stimberg 2018 Fig. 4, process of radius 0.1 um

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "active")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """IP3 into the cytosol [uM um/s]."""
        return {self.ip3: self.V * c[self.active]}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One IP3 made."""
        return [Reaction({self.ip3: 1}, self.V * c[self.active])]


@dataclass(frozen=True, eq=False)
class PLCDelta:
    """IP3 made in the cytosol, driven by Ca2+ and inhibited by IP3 (G-ChI; Stimberg 2018, biophysics A3)."""

    where: Place  # cytosol
    ip3: Species
    calcium: Species
    V: float = 0.6 * uM / s  # O_d; Stimberg 2018
    kappa: float = sized(1.5 * uM, beside="ip3")  # inhibition by IP3; Stimberg 2018
    K: float = sized(0.1 * uM, beside="calcium")  # half-activation by Ca2+; Stimberg 2018

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "kappa"))
        checks.own(self, "ip3", "calcium")

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ drives it, and IP3 inhibits it."""
        return (ConcentrationLaw(self.calcium, K=self.K, n=2), ConcentrationLaw(self.ip3, K=self.kappa))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """IP3 made [uM/s]."""
        return {self.ip3: self.made(c[self.ip3], c[self.calcium])}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One IP3 made."""
        return [Reaction({self.ip3: 1}, self.made(c[self.ip3], c[self.calcium]))]

    def made(self, ip3: Floats, calcium: Floats) -> Floats:
        """IP3 made [uM/s]."""
        return self.V * inhibition(ip3, self.kappa) * hill(calcium, self.K, 2)
