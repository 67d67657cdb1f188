"""Kir4.1: the K+ channels of astrocytes, which let K+ in more easily than out and open further in high K+."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, gained, level
from spatial.units import ion_flux, mM, mV, nernst, pA, um2


@dataclass(frozen=True, eq=False)
class Kir41:
    """I = g f_Kir (V - E_K) outwards (Halnes 2013; biophysics A10).

    `resting_outside`, `resting_inside` and `temperature` are those at which f_Kir is 1 at E_K: they belong to one
    preset and are not to be mixed with those of another. What is held at a number does not change.
    """

    where: Place  # plasma membrane
    outside: Held = sized(3.082 * mM, opposite="inside")  # K+ of the ECS; Halnes 2013
    inside: Held = 99.959 * mM  # K+ of the cytosol; Halnes 2013
    V: Held = -83.6 * mV  # Halnes 2013
    g: float | Floats = 16.96e-3 * pA / um2 / mV  # 16.96 S/m^2, a number or one for each element; Halnes 2013
    resting_outside: float = 3.082 * mM  # Halnes 2013
    resting_inside: float = 99.959 * mM  # Halnes 2013
    temperature: float = 298.0  # K; Halnes 2013
    opening: float = 18.5 * mV  # V - E_K below which it is more than half open, times -1; Halnes 2013
    opening_slope: float = 42.4 * mV  # Halnes 2013
    closing: float = 118.6 * mV  # V below which it closes again, times -1; Halnes 2013
    closing_slope: float = 44.1 * mV  # Halnes 2013

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",), above_zero=(
            "resting_outside", "resting_inside", "temperature", "opening_slope", "closing_slope"))
        checks.kelvin("Kir41: temperature", self.temperature)
        checks.each_element("Kir41: g", self.g, self.where)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """K+ out of the cell [uM um/s], and the current it carries off [pA/um^2]."""
        current = self.current(level(c, self.outside), level(c, self.inside), level(c, self.V))
        flux = ion_flux(1.0, valence=1) * current
        return {**gained(self.outside, flux), **gained(self.inside, -flux), **gained(self.V, -current)}

    def current(self, outside: Any, inside: Any, V: Any) -> Any:
        """Outward current [pA/um^2] at K+ on both sides [uM] and a potential [mV]."""
        return self.g * self.openness(outside, inside, V) * (V - self.reversal(outside, inside))

    def openness(self, outside: Any, inside: Any, V: Any) -> Any:
        """f_Kir, relative to what it is at E_K with K+ as at rest."""
        rest = self.reversal(self.resting_outside, self.resting_inside)
        drive = V - self.reversal(outside, inside)
        opened = _ratio(self.opening / self.opening_slope, (drive + self.opening) / self.opening_slope)
        closed = _ratio(-(self.closing + rest) / self.closing_slope, -(self.closing + V) / self.closing_slope)
        return np.sqrt(outside / self.resting_outside) * opened * closed

    def reversal(self, outside: Any, inside: Any) -> Any:
        """E_K [mV]."""
        return nernst(outside, inside, 1, self.temperature)


def _ratio(rest: float, now: Any) -> Any:
    """(1 + e^rest)/(1 + e^now): a Boltzmann factor relative to its value at rest."""
    return (1 + np.exp(rest)) / (1 + np.exp(now))
