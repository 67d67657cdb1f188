"""Leaks of Ca2+ into the cytosol: from the ER, and through the plasma membrane."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import nm, s, uM, um


@dataclass(frozen=True, eq=False)
class ERLeak:
    """Passive leak through the ER membrane, P (c_ER - c) (biophysics A2a)."""

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    permeability: float = sized(0.11 / s * 0.185 * 0.5 * um, usual=5 * nm / s, far=200.0)  # Om_L rho V/S; De Pitta AM

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ from the store into the cytosol [uM um/s]."""
        flux = self.permeability * (c[self.store] - c[self.calcium])
        return {self.calcium: flux, self.store: -flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One Ca2+ out of the store, or back into it."""
        return [Reaction({self.store: -1, self.calcium: 1}, self.permeability * c[self.store]),
                Reaction({self.calcium: -1, self.store: 1}, self.permeability * c[self.calcium])]


@dataclass(frozen=True, eq=False)
class PlasmaLeak:
    """Constant Ca2+ entry through the plasma membrane: extracellular Ca2+ (mM) hardly changes."""

    where: Place
    calcium: Species  # cytosol
    outside: Species  # ledger of what came from outside
    influx: float = sized(0.05 * uM / s * 0.2 * 0.05 * um, far=1e4)  # v_in delta V_cyt/S_PM; Handy 2017, S_PM/V 20 /um

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ into the cytosol [uM um/s]."""
        return {self.calcium: self.influx, self.outside: -self.influx}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One Ca2+ from outside."""
        return [Reaction({self.calcium: 1, self.outside: -1}, self.influx)]
