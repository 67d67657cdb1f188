"""Enzymes that remove IP3."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class IP3Degradation:
    """IP3 3-kinase, activated by Ca2+, and 5-phosphatase (G-ChI; Stimberg 2018, biophysics A3)."""

    where: Place  # cytosol
    ip3: Species
    calcium: Species
    V_3K: float = 4.5 * uM / s  # O_3K; Stimberg 2018
    K_D: float = sized(0.7 * uM, beside="calcium")  # 3-kinase half-activation by Ca2+; Stimberg 2018
    K_3K: float = sized(1.0 * uM, beside="ip3")  # 3-kinase half-saturation by IP3; Stimberg 2018
    k_5P: float = 0.05 / s  # Om_5P; Stimberg 2018

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K_D", "K_3K"))
        checks.own(self, "ip3", "calcium")

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ activates the 3-kinase, and IP3 saturates it."""
        return (ConcentrationLaw(self.calcium, K=self.K_D, n=4), ConcentrationLaw(self.ip3, K=self.K_3K))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """IP3 lost [uM/s]."""
        ip3 = c[self.ip3]
        return {self.ip3: -self.kinase(ip3, c[self.calcium]) - self.k_5P * ip3}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One IP3 lost to the kinase, and one to the phosphatase."""
        ip3 = c[self.ip3]
        return [Reaction({self.ip3: -1}, self.kinase(ip3, c[self.calcium])),
                Reaction({self.ip3: -1}, self.k_5P * ip3)]

    def kinase(self, ip3: Floats, calcium: Floats) -> Floats:
        """What the 3-kinase takes [uM/s]."""
        return self.V_3K * hill(calcium, self.K_D, 4) * hill(ip3, self.K_3K)
