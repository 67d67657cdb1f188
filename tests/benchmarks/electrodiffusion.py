"""When ions must drift: diffusion alone against electrodiffusion: `python -m tests.benchmarks.electrodiffusion`.

The slab of Halnes 2013 (biophysics A10, K4): tissue of which a fraction 0.2 is ECS and 0.4 astrocyte, along x, into
one end of which K+ goes, in exchange for Na+. With diffusion alone the astrocyte's V is that of each slice by itself,
that of a cable whose conductance is that of its ions at rest, or one for the whole cell. The table goes to
tests/benchmarks/results/electrodiffusion.md.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.electrodiffusion import electrodiffusion
from spatial._engine.methods.electrolyte import Capacitor, Electrolyte
from spatial._engine.methods.method import Method
from spatial._engine.methods.rosenbrock import ROS34PW2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Place
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.model import AtTimes, Mechanism, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.scenarios.parts.glial_membrane import HALNES, Ions, glial_membrane
from spatial.simulate import simulate
from spatial.units import ion_flux, mM, thermal_voltage

RESULTS = Path(__file__).parent / "results" / "electrodiffusion.md"
D = {"K": 1960.0, "Na": 1330.0, "Cl": 2030.0}  # um^2/s; Halnes 2013, biophysics A7
FILLED = {"ecs": 0.2, "astrocyte": 0.4}  # a_o, a_i
TORTUOSITY = {"ecs": 1.6, "astrocyte": 3.2}
AREA = 8.0  # um^2 of astrocytic membrane per um^3 of tissue: a_i / 5e-8 m
INPUT = 550.0  # uM um/s: 5.5e-7 mol/m^2/s of K+ per membrane area
ON, EARLY, OFF, UNTIL = 100.0, 110.0, 400.0, 600.0  # s
INSTANTS = np.array([ON, EARLY, OFF])

V_of = Literal["slices", "cable", "cell"]
"""Whether V is that of each slice, of slices joined by a conductance, or of the whole cell."""


@dataclass(frozen=True, eq=False)
class Swap:
    """K+ in and as much Na+ out, between two times; steps land on each of `times`."""

    where: Place
    potassium: Species
    sodium: Species
    rate: float | Floats
    times: Floats

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        now = self.rate if ON <= t < OFF else 0.0 * self.rate
        return {self.potassium: now, self.sodium: -now}

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(self.times),)


@dataclass(frozen=True, eq=False)
class Slab:
    """The tissue: its model, the ions (K+, Na+, Cl-) outside and inside, and V."""

    model: Model
    outside: tuple[Species, ...]
    inside: tuple[Species, ...]
    V: Species
    electrolyte: Electrolyte

    def run(self, until: float = UNTIL, drifting: bool = True, relative: float = 2e-3) -> Recording:
        """What all its species do, everywhere."""
        return simulate(self.model, until, [each(one) for one in self.model], tolerance=Tolerance(relative),
                        electrolyte=self.electrolyte if drifting else None)


def slab(length: float = 300.0, slices: int = 60, amplitude: float = INPUT, V_of: V_of = "slices",
         coupled: bool = True) -> Slab:
    """Tissue of some length [um], per um^2 of its cross-section; not `coupled`, no ion moves along the astrocyte."""
    outside = _ions(_slices("ecs", length, slices), "outside", "e")
    inside = _ions(_slices("astrocyte", length, slices), "inside", "i", coupled)
    (K_o, Na_o, Cl_o), (K_i, Na_i, Cl_i) = outside, inside
    around, width = K_o.place.centres, length / slices
    potential = _potential(inside, around, AREA * width, V_of)
    V = Species("V", potential, HALNES.V, D=1.0 if potential.joins_elements else 0.0, signed=True, unit="mV")
    index = np.arange(slices)
    membrane = Place("membrane", 2, np.full(slices, AREA * width), around, touches={
        "ecs": index, "astrocyte": index, "potential": index if len(potential) > 1 else 0 * index})
    ledgers = Species("taken", membrane, signed=True), Species("given", membrane, signed=True)
    charges = {ion: sign for side in (outside, inside) for ion, sign in zip(side, (1, 1, -1), strict=True)}
    mechanisms: list[Mechanism] = [
        *glial_membrane(membrane, Ions(K_o, K_i, Na_o, Na_i, Cl_o, Cl_i, V)),
        PotassiumUptake(membrane, K_o, ledgers[0], Na_o, ledgers[1]),
        Swap(membrane, K_o, Na_o, amplitude * np.asarray(around[:, 0] < length / 10, float), INSTANTS)]
    return Slab(Model([*outside, *inside, V, *ledgers], mechanisms), outside, inside, V, Electrolyte(
        charges, (Capacitor(V, membrane, "astrocyte", "ecs"),), HALNES.temperature))


def _slices(name: str, length: float, slices: int) -> Place:
    """Homogenised tissue along x, in even slices."""
    width, along = length / slices, np.arange(slices)
    centres = np.stack([(along + 0.5) * width, 0.0 * along, 0.0 * along], axis=1)
    conducting = FILLED[name] / TORTUOSITY[name] ** 2 / width
    return Place(name, 3, np.full(slices, FILLED[name] * width), centres,
                 np.stack([along[:-1], along[1:]], axis=1), np.full(slices - 1, conducting))


def _ions(place: Place, side: str, suffix: str, moving: bool = True) -> tuple[Species, ...]:
    """K+, Na+ and Cl- at rest."""
    rest = {"K": f"potassium_{side}", "Na": f"sodium_{side}", "Cl": f"chloride_{side}"}
    return tuple(Species(f"{name}_{suffix}", place, getattr(HALNES, at), D[name] * moving) for name, at in rest.items())


def _potential(inside: tuple[Species, ...], centres: Floats, area: float, V_of: V_of) -> Place:
    """The place of V, whose measure is capacitance."""
    of, capacitance = inside[0].place, np.full(len(centres), 1e-5 * area)
    if V_of == "cell":
        return Place("potential", 0, capacitance.sum(keepdims=True), centres.mean(axis=0, keepdims=True))
    if V_of == "slices":
        return Place("potential", 0, capacitance, centres)
    mobile = sum(ion.D * float(ion.initial) for ion in inside)
    conductance = mobile * of.transmissibility / thermal_voltage(HALNES.temperature) / ion_flux(1.0, 1)
    return Place("potential", 0, capacitance, centres, of.links, conductance)


def at(run: Recording, name: str, when: float) -> Floats:
    """(slices,) of a species at a time."""
    return np.asarray(run[name][np.searchsorted(run.times, when)])


LENGTHS, STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0), (0.1, 0.3, 1.0, 2.0)
SLICES, TRIES = 30, 5
WAYS: dict[str, V_of] = {"cable": "cable", "one V": "cell", "V of each slice": "slices"}
LIMIT = 5.0  # %


@dataclass(frozen=True)
class Row:
    """One length and input: what K+ does where it goes in, and how far off diffusion alone is there."""

    length: float
    strength: float
    rise: float  # uM of K+ at the end of the input
    V: float  # mV then
    seconds: dict[str, float]  # of each run
    errors: dict[str, tuple[float, float, float]]
    """% of the rise after 10 s of input and at its end, and mV of V then; nan where there is no solution."""


def compared(length: float, strength: float) -> Row:
    """Electrodiffusion against diffusion alone."""
    start = time.perf_counter()
    right = slab(length, SLICES, strength * INPUT).run(OFF)
    seconds, errors = {"electrodiffusion": time.perf_counter() - start}, {}
    for name, way in WAYS.items():
        start = time.perf_counter()
        try:
            alone = slab(length, SLICES, strength * INPUT, way).run(OFF, drifting=False)
            early, late = (100 * (rise(alone, when) / rise(right, when) - 1) for when in (EARLY, OFF))
            errors[name] = early, late, float(at(alone, "V", OFF).flat[0] - at(right, "V", OFF)[0])
        except InputError:
            errors[name] = (np.nan, np.nan, np.nan)
        seconds[name] = time.perf_counter() - start
    return Row(length, strength, rise(right, OFF), float(at(right, "V", OFF)[0]), seconds, errors)


def rise(run: Recording, when: float) -> float:
    """How much K+ there is beyond rest [uM], where it goes in."""
    return float(at(run, "K_e", when)[0]) - HALNES.potassium_outside


def line(row: Row) -> str:
    """A row of the table."""
    cells = ("no solution" if np.isnan(late) else f"{early:+.1f}, {late:+.1f} ({V:+.1f})"
             for early, late, V in row.errors.values())
    return f"| {row.length:g} | {row.strength:g} | {row.rise / mM:.3f} | {row.V:.1f} | {' | '.join(cells)} |"


def verdict(rows: list[Row]) -> list[str]:
    """In how many of the cases each way is off by more than the limit, and the slabs in which it never is."""
    lines = []
    for name in WAYS:
        off = [row for row in rows if not max(map(abs, row.errors[name][:2])) <= LIMIT]
        fine = [f"{length:g}" for length in LENGTHS
                if length in {row.length for row in rows} - {row.length for row in off}]
        lines.append(f"- {name}: beyond {LIMIT:g} % in {len(off)} of {len(rows)} cases; "
                     + (f"never in slabs of {' or '.join(fine)} um." if fine else "in slabs of every length."))
    each_takes = {name: float(np.median([row.seconds[name] for row in rows])) for name in rows[0].seconds}
    took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in each_takes.items())
    return [*lines, f"- A run (400 s, {SLICES} slices) takes, at the median: {took}."]


INTRODUCTION = (
    "# Diffusion alone against electrodiffusion", "",
    "The slab of Halnes 2013 (K4): K+ goes into the first tenth of it from 100 to 400 s, in exchange for Na+, in parts",
    "of the published input. Errors are those of the rise of K+ in the ECS where it goes in, with diffusion alone,",
    "against electrodiffusion [%]: after 10 s of input, and at its end; in brackets that of V [mV] at its end.",
    "Diffusion alone has V of a cable (slices joined by the conductance of the ions inside at rest), one V for the",
    "whole cell, or a V of each slice by itself, without the currents of spatial buffering. It has no solution where",
    "an ion runs out that drift would bring.", "")


def step_times(place: Place) -> str:
    """A row: how long one step takes with three ions in a place; what it finds first, and the rest of it."""
    part = 0.5 - 0.5 * np.cos(np.pi * place.centres[:, 0] / place.centres[:, 0].max())
    K = 100 * mM * part
    ions = {Species("K", place, K, D["K"]): 1, Species("Na", place, 140 * mM - K, D["Na"]): 1,
            Species("Cl", place, 140 * mM, D["Cl"]): -1}
    system = assemble(Model(ions))
    u, allowed = system.initial(), dict.fromkeys(ions, 1 * mM)

    def taken(method: Method) -> Floats:
        """(2,) ms until a step can be tried, and for trying it."""
        start = time.perf_counter()
        attempts = method.start(u, 0.0, system.rate(u, 0.0), allowed)
        found = time.perf_counter()
        attempts.take(1e-3)
        return 1e3 * np.array([found - start, time.perf_counter() - found])

    drifting, alone = electrodiffusion(system, Electrolyte(ions)), Rosenbrock(prepare(system), ROS34PW2)
    first, rest = np.min([taken(drifting) for _ in range(TRIES)], axis=0)
    least = min(taken(alone).sum() for _ in range(TRIES))
    return f"| {len(place)} | {4 * len(place)} | {first:.0f} | {rest:.0f} | {least:.1f} |"


PLACES = {"300 um in slices": ((300, 1, 1), 1.0), "50 um square": ((50, 50, 1), 1.0), "15 um cube": ((15, 15, 15), 1.0)}


def times_per_step() -> list[str]:
    """The table of times."""
    return ["## One step", "", "With three ions, the same accuracy and order (ROS34PW2), in ms. Electrodiffusion finds",
            "potential and Jacobian, then factorises and takes four stages, of which the factors are most of the time",
            "in 2-D and 3-D; diffusion alone is solved by multigrid.", "",
            "| bricks of 1 um | elements | unknowns | potential, Jacobian | factors, stages | diffusion alone |",
            "|---|---|---|---|---|---|",
            *(f"| {name} {step_times(grid('ecs', (0, 0, 0), upper, h))}" for name, (upper, h) in PLACES.items())]


def main() -> None:
    """Compare all, and write what was found."""
    quick = "--quick" in sys.argv
    cases = [(length, strength) for length in LENGTHS for strength in STRENGTHS]
    rows = [compared(*case) for case in (cases[:1] if quick else cases)]
    head = [f"| length [um] | input | dK_e [mM] | V [mV] | {' | '.join(WAYS)} |", "|" + "---|" * (4 + len(WAYS))]
    text = "\n".join([*INTRODUCTION, *verdict(rows), "", *head, *map(line, rows), "", *times_per_step()])
    print(text)
    if not quick:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
