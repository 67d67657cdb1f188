"""Aquaporin 4: water follows osmolytes into the astrocyte, which swells while the ECS shrinks."""

from dataclasses import dataclass
from typing import Any

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import m, s, um

WATER = 18e-6 * m ** 3 * 1e-21  # molar volume of water [um^3 per uM um^3], 18 cm^3/mol


@dataclass(frozen=True, eq=False)
class Aquaporin4:
    """J = P V_w (Pi_i - Pi_o), water into the cell, with Pi all osmolytes (van 't Hoff).

    The relative volumes of both sides are species, 1 at rest, on places whose measure is the volume at rest: water is
    kept. All osmolytes are amounts per volume at rest, see `swelling.Swollen`. `fixed` is what cannot leave the cell
    and balances the rest: osmolytes outside less those inside.
    """

    where: Place  # plasma membrane
    inside: tuple[Species, ...]  # osmolytes of the cytosol
    outside: tuple[Species, ...]  # osmolytes of the ECS
    volume_inside: Species  # relative to rest
    volume_outside: Species  # relative to rest
    fixed: float  # uM of the volume at rest
    P: float = 500 * um / s  # osmotic permeability 0.05 cm/s; M, choice

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Water into the cell [um/s]."""
        inside = (_total(c, self.inside) + self.fixed) / c[self.volume_inside]
        outside = _total(c, self.outside) / c[self.volume_outside]
        flux = self.P * WATER * (inside - outside)
        return {self.volume_inside: flux, self.volume_outside: -flux}


def _total(c: Concentrations, species: tuple[Species, ...]) -> Any:
    return sum(c[one] for one in species)
