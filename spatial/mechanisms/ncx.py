"""NCX: the exchanger of three Na+ for one Ca2+, in either direction."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Held, Species, gained, level
from spatial.units import ion_flux, mM, mV, pA, thermal_voltage, um2


@dataclass(frozen=True, eq=False)
class NCX:
    """Luo & Rudy 1994 on the plasma membrane, parameters of Oschmann 2017 (biophysics A5).

    What may be a species or a number is held at the number; a species given gains what the exchanger carries.
    One turn brings one Ca2+ in and three Na+ out, one charge outwards; V is read, not changed.
    """

    where: Place
    calcium: Species  # cytosol
    outside: Species  # Ca2+ that came from outside: a ledger, or Ca2+ of the ECS
    sodium: Held = 15 * mM  # cytosol; Oschmann 2017
    sodium_outside: Held = sized(150 * mM, opposite="sodium")  # Oschmann 2017
    calcium_outside: Held = 1.8 * mM  # Oschmann 2017; if a species, the same as `outside`
    V: Held = -85 * mV  # Oschmann 2017
    I_max: float = 1e-4 * pA / um2  # 1e-4 A/m^2; Oschmann 2017
    K_sodium: float = 87.5 * mM  # K_mN; Oschmann 2017
    K_calcium: float = 1.38 * mM  # K_mC; Oschmann 2017
    eta: float = 0.35  # where in the membrane the barrier is; Oschmann 2017
    k_sat: float = 0.1  # saturation at very negative V; Oschmann 2017
    temperature: float = 298.0  # K; Oschmann 2017

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",), above_zero=("temperature",))
        checks.kelvin("NCX: temperature", self.temperature)
        if isinstance(self.calcium_outside, Species) and self.calcium_outside is not self.outside:
            raise checks.InputError(f"NCX: calcium_outside is {self.calcium_outside!r} but outside is {self.outside!r};"
                                    f" Ca2+ that is read outside must be the Ca2+ that is taken from there")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ into the cytosol and Na+ out of it [uM um/s], and what their charge does to V."""
        current = self.current(c[self.calcium], level(c, self.sodium), level(c, self.sodium_outside),
                               level(c, self.calcium_outside), level(c, self.V))
        flux = ion_flux(1.0, valence=1) * current
        return {self.calcium: flux, self.outside: -flux, **gained(self.V, -current),
                **gained(self.sodium, -3 * flux), **gained(self.sodium_outside, 3 * flux)}

    def current(self, calcium: Any, sodium: Any, sodium_outside: Any, calcium_outside: Any, V: Any) -> Any:
        """Outward current [pA/um^2]; above zero Ca2+ enters. Concentrations in uM, V in mV."""
        v = V / self.thermal
        entry = sodium**3 * calcium_outside * np.exp(self.eta * v)
        loss = sodium_outside**3 * calcium * np.exp((self.eta - 1) * v)
        bound = (self.K_sodium**3 + sodium_outside**3) * (self.K_calcium + calcium_outside)
        return self.I_max * (entry - loss) / (bound * (1 + self.k_sat * np.exp((self.eta - 1) * v)))

    def reversal(self, calcium: Any, sodium: Any, sodium_outside: Any, calcium_outside: Any) -> Any:
        """E_NCX = 3 E_Na - 2 E_Ca [mV], at which nothing flows."""
        return self.thermal * (3 * np.log(sodium_outside / sodium) - np.log(calcium_outside / calcium))

    @property
    def thermal(self) -> float:
        """RT/F [mV]."""
        return thermal_voltage(self.temperature)
