"""The ions of an astrocyte at rest, in two published presets, and the membrane that keeps them so."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.place import Place
from spatial.mechanisms.ion_leak import CHLORIDE, IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.sodium_potassium_pump import SodiumPotassiumPump
from spatial.model import Held, Mechanism
from spatial.units import mM, mV


@dataclass(frozen=True)
class Rest:
    """One preset: what rests at what, and at which temperature. Never mix two (biophysics trap C13)."""

    temperature: float  # K
    V: float  # mV
    potassium_outside: float  # uM, as all below
    potassium_inside: float
    sodium_outside: float
    sodium_inside: float
    chloride_outside: float
    chloride_inside: float

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",), above_zero=("temperature",))


HALNES = Rest(298.0, -83.6 * mV, 3.082 * mM, 99.959 * mM, 144.662 * mM, 15.189 * mM, 133.71 * mM, 5.145 * mM)
"""Halnes 2013, biophysics A10; net fluxes are within 1.2 % of the pump's K+ (K1)."""

KNP_EMI = Rest(307.0, -85.84503 * mV, 3.09297 * mM, 99.31 * mM, 144.60625 * mM, 15.77582 * mM, 133.62525 * mM,
               5.20366 * mM)
"""The glia of KNP-EMI, biophysics A10; within 4e-4 (K2) at the R and F of the published code, 8.315 and 96500,
within 2e-3 at today's: start from `rest(model)`."""


@dataclass(frozen=True, eq=False)
class Ions:
    """K+, Na+ and Cl- on both sides of a membrane, and the potential across it: species, or numbers held."""

    potassium_outside: Held
    potassium_inside: Held
    sodium_outside: Held
    sodium_inside: Held
    chloride_outside: Held
    chloride_inside: Held
    V: Held

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",))


@by_annotation
def glial_membrane(where: Place, ions: Ions, rest: Rest = HALNES) -> list[Mechanism]:
    """Kir4.1, the leaks of Na+ and Cl-, and the pump of an astrocyte, all of one preset."""
    K_o, K_i, Na_o, Na_i, V = (ions.potassium_outside, ions.potassium_inside, ions.sodium_outside, ions.sodium_inside,
                               ions.V)
    return [
        Kir41(where, K_o, K_i, V, resting_outside=rest.potassium_outside, resting_inside=rest.potassium_inside,
              temperature=rest.temperature),
        IonLeak(where, Na_o, Na_i, V, temperature=rest.temperature),
        IonLeak(where, ions.chloride_outside, ions.chloride_inside, V, CHLORIDE, valence=-1,
                temperature=rest.temperature),
        SodiumPotassiumPump(where, K_o, K_i, Na_o, Na_i, V)]
