"""Units as plain numbers, and the few physical constants, in the program's own system.

Inside the program lengths are um, times s, concentrations uM, potentials mV and currents pA.
Write inputs with their unit, `0.5 * uM`, `20 * nm`, and read outputs by dividing: `t / ms`.
An amount is uM um^3; `MOLECULES` of them make one.
"""

from typing import Any, Final

import numpy as np

from spatial import checks

um: Final = 1.0
nm: Final = 1e-3
mm: Final = 1e3
m: Final = 1e6

s: Final = 1.0
ms: Final = 1e-3
us: Final = 1e-6
minute: Final = 60.0
Hz: Final = 1.0

uM: Final = 1.0
nM: Final = 1e-3
mM: Final = 1e3

mV: Final = 1.0
pA: Final = 1.0
nA: Final = 1e3

um2: Final = 1.0
um3: Final = 1.0

MOLECULES: Final = 602.214076  # molecules in 1 uM um^3; CODATA 2018 Avogadro constant
molecule: Final = 1.0 / MOLECULES  # amount of one molecule [uM um^3]
FARADAY: Final = 96485.33212  # C/mol; CODATA 2018
GAS: Final = 8.314462618  # J/(mol K); CODATA 2018


def ion_flux(current: float, valence: int) -> float:
    """Amount per second [uM um^3/s] carried by `current` [pA] of ions of this valence.

    1 pA of Ca2+ is 5182.1 uM um^3/s (Faraday's law).
    """
    checks.number("current", current, may_be_negative=True)
    checks.valence("valence", valence)
    picoampere_to_amount = 1e-12 / FARADAY / 1e-21  # A -> mol/s -> uM um^3/s
    return current * picoampere_to_amount / valence


TRACE: Final = 1e-9  # uM, less than one ion in a cell


def thermal_voltage(temperature: float) -> float:
    """RT/F [mV] at a temperature [K]."""
    return 1e3 * GAS * temperature / FARADAY


def nernst(outside: Any, inside: Any, valence: int, temperature: float) -> Any:
    """Reversal potential [mV] of an ion of this valence, both concentrations in the same unit (Nernst's law).

    A concentration of nothing counts as a trace, so that the potential is large and not infinite.
    """
    checks.valence("valence", valence)
    return thermal_voltage(temperature) / valence * np.log(np.maximum(outside, TRACE) / np.maximum(inside, TRACE))
