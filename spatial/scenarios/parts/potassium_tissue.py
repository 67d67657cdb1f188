"""What the scenarios of potassium share: tissue at rest, and the membrane of its astrocytes and neurons, closed there.

Published densities leave residual fluxes at rest; here the leaks are what balances the pump, so that all rests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import exp
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import by_annotation, shaped
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.potential import CAPACITANCE
from spatial.mechanisms.ion_leak import CHLORIDE, IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.sodium_potassium_pump import NEURON, SodiumPotassiumPump
from spatial.model import Concentrations, Gains, Mechanism, Species
from spatial.observe.probes import Probe
from spatial.scenarios.parts.glial_membrane import HALNES, Ions
from spatial.units import ion_flux, mM, mV, nernst, s, thermal_voltage, uM, um
from spatial.view import View

POTENTIAL, ASTROCYTE, NEURONS = "potential", "astrocyte", "neurons"
CHARGE = ion_flux(1.0, valence=1)  # amount of one charge each [uM um^3] in 1 pA s
K_OUT, NA_OUT, CL_OUT = HALNES.potassium_outside, HALNES.sodium_outside, HALNES.chloride_outside  # uM at rest
D_K, D_NA, D_CL = 1960.0, 1330.0, 2030.0  # um^2/s; Halnes 2013, biophysics A7
TEMPERATURE = HALNES.temperature


@dataclass(frozen=True)
class Astrocytes:
    """The astrocytes of a tissue and their membrane; Halnes 2013 (biophysics A10) where nothing else is said.

    A knock-out of Kir4.1 leaves a depolarised cell with a small K+ conductance, a block of the pump one without the
    leaks that it balances: each rests as it is.
    """

    kir: bool = True  # False: Kir4.1 is knocked out
    pump: bool = True  # False: the pump is blocked
    fraction: float = 0.4  # of the tissue; Halnes 2013
    depth: float = 0.05 * um  # volume over membrane area; Halnes 2013
    tortuosity: float = 3.2  # inside, from cell to cell; Halnes 2013
    potassium: float = HALNES.potassium_inside  # uM
    sodium: float = HALNES.sodium_inside  # uM
    polarised: float = -HALNES.V  # resting potential times -1 [mV]
    knocked_out: float = 55 * mV  # resting potential times -1 without Kir4.1: depolarised; choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("fraction", "depth", "tortuosity", "potassium", "sodium"))

    @property
    def area(self) -> float:
        """Membrane area per volume of tissue [1/um]."""
        return self.fraction / self.depth

    @property
    def V(self) -> float:
        """Resting potential [mV]: E_K where Kir4.1 has no pump to balance."""
        if not self.kir:
            return -self.knocked_out
        return -self.polarised if self.pump else float(nernst(K_OUT, self.potassium, 1, TEMPERATURE))

    @property
    def chloride(self) -> float:
        """Cl- inside [uM], in equilibrium."""
        return CL_OUT * exp(self.V / thermal_voltage(TEMPERATURE))

    @property
    def conductivity(self) -> float:
        """Of what is inside [pA/mV/um]: by the ions that diffuse there."""
        ions = ((D_K, self.potassium), (D_NA, self.sodium), (D_CL, self.chloride))
        return sum(D * inside for D, inside in ions) / CHARGE / thermal_voltage(TEMPERATURE)

    @by_annotation
    def membrane(self, where: Place, ions: Ions) -> list[Mechanism]:
        """What acts on a membrane of theirs."""
        K_o, K_i, V = ions.potassium_outside, ions.potassium_inside, ions.V
        Na_o, Na_i = ions.sodium_outside, ions.sodium_inside
        pump = SodiumPotassiumPump(where, K_o, K_i, Na_o, Na_i, V)
        turnover = float(pump.turnover(K_OUT, self.sodium)) if self.pump else 0.0
        found: list[Mechanism] = [
            *([pump] if self.pump else []),
            IonLeak(where, Na_o, Na_i, V, _balance(3 * turnover, NA_OUT, self.sodium, self.V)),
            IonLeak(where, ions.chloride_outside, ions.chloride_inside, V, CHLORIDE, valence=-1)]
        if not self.kir:
            return [*found, IonLeak(where, K_o, K_i, V, _balance(-2 * turnover, K_OUT, self.potassium, self.V))]
        kir = Kir41(where, K_o, K_i, V)
        if self.pump:
            resting = float(kir.current(K_OUT, self.potassium, self.V))
            kir = replace(kir, g=kir.g * 2 * turnover / CHARGE / resting)
        return [*found, kir]

    @by_annotation
    def ions_at_rest(self, place: Place, moving: bool = False) -> tuple[Species, Species, Species]:
        """K+, Na+ and Cl- inside; `moving` from cell to cell, or not."""
        inside = {"K+": (self.potassium, D_K), "Na+": (self.sodium, D_NA), "Cl-": (self.chloride, D_CL)}
        K, Na, Cl = (Species(f"{name} in the astrocyte", place, initial, D=D * moving)
                     for name, (initial, D) in inside.items())
        return K, Na, Cl


@dataclass(frozen=True)
class Neurons:
    """The neurons of a tissue: pumps, and leaks at a potential that is held."""

    pump: bool = True  # False: the pump is blocked
    fraction: float = 0.4  # of the tissue: what ECS and astrocytes leave
    area: float = 14 / um  # membrane per volume of tissue; biophysics K6
    P_max: float = 1000 * uM * um / s  # choice: it clears a burst in seconds (M); 1300 is Kager 2000 (M)
    potassium: float = 140 * mM  # M
    sodium: float = 10 * mM  # M
    polarised: float = 70 * mV  # resting potential times -1; M

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("fraction", "area", "P_max", "potassium", "sodium"))

    @by_annotation
    def membrane(self, where: Place, outside: Species, potassium: Species, sodium: Species) -> list[Mechanism]:
        """What acts on a membrane of theirs between spikes: nothing where the pump is blocked, as leaks balance it."""
        if not self.pump:
            return []
        V = -self.polarised
        pump = SodiumPotassiumPump(where, outside, potassium, NA_OUT, sodium, V, self.P_max, **NEURON)
        turnover = float(pump.turnover(K_OUT, self.sodium))
        return [pump,
                IonLeak(where, outside, potassium, V, _balance(-2 * turnover, K_OUT, self.potassium, V)),
                IonLeak(where, NA_OUT, sodium, V, _balance(3 * turnover, NA_OUT, self.sodium, V))]


def _balance(inward: float, outside: float, inside: float, V: float) -> float:
    """Conductance [pA/um^2/mV] of a leak that lets so much in [uM um/s] of a cation at rest."""
    return inward / CHARGE / (float(nernst(outside, inside, 1, TEMPERATURE)) - V)


@by_annotation
def charge(ions: Sequence[Species], V: Species, side: int = 1) -> dict[Species, float | Floats]:
    """Weights of K+, Na+, Cl- and V for the charge that is not on the membrane [uM um^3]; `side` is -1 outside."""
    return dict(zip((*ions, V), (1.0, 1.0, -1.0, -side * CHARGE), strict=True))


@by_annotation
def potentials(area: Floats, centres: Floats) -> Place:
    """A potential for each piece of a syncytium, with membrane of `area` [um^2], which no conductance joins."""
    shaped("potentials: area", area, ("k",))
    shaped("potentials: centres", centres, (len(area), 3))
    return Place(POTENTIAL, 0, CAPACITANCE * area, centres)


@by_annotation
def lined(name: str, of: Place, area: Floats, chosen: Ints, touches: dict[str, Ints]) -> Place:
    """A membrane spread through homogenised tissue: `area` (n,) [um^2] at each element of `of`, where `chosen`.

    It touches what `of` touches, or `of` itself if that is a whole, and `touches` (n,) elements of other places.
    """
    shaped("lined: area", area, ("k",))
    shaped("lined: chosen", chosen, ("m",))
    beside = dict(of.touches) or {of.name: np.arange(len(of))}
    return Place(name, 2, area[chosen], of.centres[chosen],
                 touches={other: index[chosen] for other, index in {**beside, **touches}.items()})


@by_annotation
def flow(name: str, mechanisms: Sequence[Mechanism], potassium: Sequence[Species],
         part: dict[str, Floats] | None = None) -> Probe:
    """What mechanisms take of K+ outside [uM um^3/s]; `part` (n,) of a place's elements counts, by default all."""
    taking = tuple((one, (part or {}).get(one.where.name)) for one in mechanisms)
    return Probe(name, "uM um^3/s", partial(_all_taken, taking, tuple(potassium)))


def _all_taken(taking: Sequence[tuple[Mechanism, Floats | None]], potassium: Sequence[Species],
               c: Concentrations) -> float:
    """What several mechanisms take [uM um^3/s], each from its part of a place."""
    return sum(_taken(c, one, potassium, part) for one, part in taking)


def _taken(c: Concentrations, mechanism: Mechanism, potassium: Sequence[Species], part: Floats | None) -> float:
    """What one mechanism takes [uM um^3/s]."""
    found, weight = gains(c, mechanism), mechanism.where.measure
    weight = weight if part is None else weight * part
    return -sum(float(np.sum(weight * found[one])) for one in potassium if one in found)


def gains(c: Any, mechanism: Mechanism) -> Gains:
    """What a mechanism does to each species in a whole state, per measure of where it acts and second."""
    return mechanism.rates(View(c, mechanism.where), 0.0)
