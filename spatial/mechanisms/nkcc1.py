"""NKCC1: the carrier of one Na+, one K+ and two Cl- together, without charge."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, gained, level
from spatial.units import TRACE, ion_flux, mM, mV, pA, thermal_voltage, um2


@dataclass(frozen=True, eq=False)
class NKCC1:
    """J = g/F RT/F ln(Na_o K_o Cl_o^2 / (Na_i K_i Cl_i^2)) into the cell (biophysics A10).

    What is held at a number does not change.
    """

    where: Place  # plasma membrane
    sodium_outside: Held = sized(144.662 * mM, opposite="sodium_inside")  # ECS; Halnes 2013
    sodium_inside: Held = 15.189 * mM  # cytosol; Halnes 2013
    potassium_outside: Held = sized(3.082 * mM, opposite="potassium_inside")  # ECS; Halnes 2013
    potassium_inside: Held = 99.959 * mM  # cytosol; Halnes 2013
    chloride_outside: Held = sized(133.71 * mM, opposite="chloride_inside")  # ECS; Halnes 2013
    chloride_inside: Held = 5.145 * mM  # cytosol; Halnes 2013
    g: float | Floats = 5.54e-5 * pA / um2 / mV  # 5.54e-2 S/m^2, a number or one for each element; NVU, biophysics A10
    temperature: float = 298.0  # K; Halnes 2013

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("temperature",))
        checks.kelvin("NKCC1: temperature", self.temperature)
        checks.each_element("NKCC1: g", self.g, self.where)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ions into the cell [uM um/s]."""
        J = self.flux(*(level(c, one) for one in (
            self.sodium_outside, self.potassium_outside, self.chloride_outside,
            self.sodium_inside, self.potassium_inside, self.chloride_inside)))
        return {**gained(self.sodium_outside, -J), **gained(self.sodium_inside, J),
                **gained(self.potassium_outside, -J), **gained(self.potassium_inside, J),
                **gained(self.chloride_outside, -2 * J), **gained(self.chloride_inside, 2 * J)}

    def flux(self, Na_o: Any, K_o: Any, Cl_o: Any, Na_i: Any, K_i: Any, Cl_i: Any) -> Any:
        """J [uM um/s] at concentrations [uM], of which none counts as less than a trace."""
        outside, inside = (np.maximum(Na * K * Cl**2, TRACE**4) for Na, K, Cl in ((Na_o, K_o, Cl_o), (Na_i, K_i, Cl_i)))
        driving = np.log(outside / inside)
        return ion_flux(1.0, valence=1) * self.g * thermal_voltage(self.temperature) * driving
