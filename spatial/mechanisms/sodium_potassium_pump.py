"""The Na+/K+ pump: three Na+ out for two K+ in, as fast as its sites for both are taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.units import ion_flux, mM, mV, s, uM, um

NEURON: Mapping[str, float] = MappingProxyType({
    "K_potassium": 3.5 * mM,  # Kager 2000, biophysics A10
    "potassium_sites": 2.0,  # Kager 2000
    "K_sodium": 10 * mM,  # Kager 2000
    "sodium_hill": 1.0,  # Kager 2000
    "sodium_sites": 3.0,  # Kager 2000
})
"""In what a neuron's pump differs: (K/(K + 3.5 mM))^2 (Na/(Na + 10 mM))^3."""


@dataclass(frozen=True, eq=False)
class SodiumPotassiumPump:
    """P = P_max Ko/(Ko + K_K) Nai^1.5/(Nai^1.5 + K_Na^1.5), astrocyte of Halnes 2013 (biophysics A10).

    Each factor may be raised to a number of sites: `SodiumPotassiumPump(..., **NEURON)`. One turn carries one
    charge outwards. What is held at a number does not change; `V` is not read, so a number stands for no potential.
    """

    where: Place  # plasma membrane
    potassium_outside: Held = sized(3.082 * mM, opposite="potassium_inside")  # ECS; Halnes 2013
    potassium_inside: Held = 99.959 * mM  # cytosol; Halnes 2013
    sodium_outside: Held = sized(144.662 * mM, opposite="sodium_inside")  # ECS; Halnes 2013
    sodium_inside: Held = 15.189 * mM  # cytosol; Halnes 2013
    V: Held = -83.6 * mV  # Halnes 2013
    P_max: float | Floats = 1115 * uM * um / s  # 1.115e-6 mol/(m^2 s), a number or one for each element; Halnes 2013
    K_potassium: float = 1.5 * mM  # Halnes 2013
    potassium_sites: float = 1.0  # Halnes 2013
    K_sodium: float = 10 * mM  # Halnes 2013
    sodium_hill: float = 1.5  # Halnes 2013
    sodium_sites: float = 1.0  # Halnes 2013

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",), above_zero=("K_potassium", "K_sodium"))
        checks.each_element("SodiumPotassiumPump: P_max", self.P_max, self.where)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Na+ out of and K+ into the cell [uM um/s], and the charge carried off [pA/um^2]."""
        P = self.turnover(level(c, self.potassium_outside), level(c, self.sodium_inside))
        carried = ((self.potassium_outside, -2.0), (self.potassium_inside, 2.0), (self.sodium_outside, 3.0),
                   (self.sodium_inside, -3.0), (self.V, -1.0 / ion_flux(1.0, valence=1)))
        return {of: times * P for of, times in carried if isinstance(of, Species)}

    def turnover(self, potassium: Any, sodium: Any) -> Any:
        """P [uM um/s] at K+ outside and Na+ inside [uM]."""
        return (self.P_max * hill(potassium, self.K_potassium) ** self.potassium_sites
                * hill(sodium, self.K_sodium, self.sodium_hill) ** self.sodium_sites)
