"""IP3 receptors: Ca2+ release from the ER, opened by IP3 and Ca2+, closed by Ca2+."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import arguments, sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import nM, s, uM, um


@dataclass(frozen=True, eq=False)
class LiRinzel:
    """Li & Rinzel 1994 on the ER membrane: fast m, slow h. Parameters of De Pitta AM (biophysics A2a)."""

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    ip3: Species  # cytosol
    h: Species  # on the ER membrane, part of receptors not inactivated
    permeability: float | Floats = 6 / s * 0.185 * 0.5 * um  # Om_C rho V_cyt/S_ER; De Pitta AM, PAP-ER
    d1: float = sized(0.13 * uM, beside="ip3")  # IP3 dissociation; Li & Rinzel 1994
    d2: float = 1.049 * uM  # Ca2+ inactivation; Li & Rinzel 1994
    d3: float = 0.9434 * uM  # IP3 dissociation, inactivated; Li & Rinzel 1994
    d5: float = sized(82.34 * nM, beside="calcium")  # Ca2+ activation; Li & Rinzel 1994
    a2: float = 0.2 / (uM * s)  # Ca2+ inactivation rate; Li & Rinzel 1994

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "h")
        checks.parts(self, "h")
        checks.beside(self, "ip3", "calcium")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ from the store into the cytosol [uM um/s], and the gate's rate [1/s]."""
        calcium, ip3, h = c[self.calcium], c[self.ip3], c[self.h]
        m = ip3 / (ip3 + self.d1) * calcium / (calcium + self.d5)
        flux = self.permeability * (m * h) ** 3 * (c[self.store] - calcium)
        Q2 = self.d2 * (ip3 + self.d1) / (ip3 + self.d3)
        return {self.calcium: flux, self.store: -flux, self.h: self.a2 * (Q2 * (1 - h) - calcium * h)}

    @arguments(not_negative=("calcium", "ip3"))
    def rest(self, calcium: float, ip3: float) -> float:
        """The steady h at constant Ca2+ and IP3 [uM]."""
        Q2 = self.d2 * (ip3 + self.d1) / (ip3 + self.d3)
        return Q2 / (Q2 + calcium)
