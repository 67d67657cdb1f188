"""Ohmic leaks of an ion through the plasma membrane."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, gained, level
from spatial.units import ion_flux, mM, mV, nernst, pA, um2

Valence = Literal[-1, 1, 2]
"""Charges of an ion: Cl-, Na+ and K+, Ca2+."""

CHLORIDE = 0.5e-3 * pA / um2 / mV  # 0.5 S/m^2, the leak of Cl-; Halnes 2013


@dataclass(frozen=True, eq=False)
class IonLeak:
    """I = g (V - E) outwards, with E by Nernst from both sides; the defaults are Na+ of Halnes 2013 (biophysics A10).

    What is held at a number does not change.
    """

    where: Place  # plasma membrane
    outside: Held = 144.662 * mM  # the ion in the ECS, Na+; Halnes 2013
    inside: Held = 15.189 * mM  # the ion in the cytosol, Na+; Halnes 2013
    V: Held = -83.6 * mV  # Halnes 2013
    g: float | Floats = 1e-3 * pA / um2 / mV  # 1 S/m^2, a number or one for each element; Halnes 2013
    valence: Valence = 1
    temperature: float = 298.0  # K; Halnes 2013

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V", "valence"), above_zero=("temperature", "outside", "inside"))
        checks.kelvin("IonLeak: temperature", self.temperature)
        checks.each_element("IonLeak: g", self.g, self.where)
        if self.valence not in get_args(Valence):
            raise checks.InputError(f"IonLeak: valence is {self.valence}; it must be one of "
                                    f"{', '.join(map(str, get_args(Valence)))}")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ions out of the cell [uM um/s], and the current they carry off [pA/um^2]."""
        current = self.current(level(c, self.outside), level(c, self.inside), level(c, self.V))
        flux = ion_flux(1.0, self.valence) * current
        return {**gained(self.outside, flux), **gained(self.inside, -flux), **gained(self.V, -current)}

    def current(self, outside: Any, inside: Any, V: Any) -> Any:
        """Outward current [pA/um^2] at the ion on both sides [uM] and a potential [mV]."""
        return self.g * (V - nernst(outside, inside, self.valence, self.temperature))
