"""The problems that integrators and tools are measured on: meshes, models and what is compared.

Each function returns a model built from the package's own mechanisms; the other tools are given the
same numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spatial._engine.operators.diffusion import stiffness
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.load import load
from spatial.geometry.place import Floats, Place
from spatial.geometry.shapes import Edge, box, cylinder
from spatial.geometry.surfaces import ER_MEMBRANE, void_volumes
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer, bound_at, capacity
from spatial.mechanisms.calcium_leak import ERLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.serca import SERCA
from spatial.mechanisms.sodium_potassium_pump import SodiumPotassiumPump
from spatial.model import AtTimes, Concentrations, Event, Gains, Mechanism, Model, Species
from spatial.units import ion_flux, molecule

# Ca2+ in a process: problem (b) of the integrator study, and benchmark B2
RADIUS, LENGTH = 0.25, 4.0  # um, of the cylinder along x from 0 to LENGTH
CURRENT, OPEN, END = 0.5, 5e-3, 0.1  # pA of Ca2+ until OPEN [s]; the run ends at END [s]
MOUTH, SPREAD = np.array([LENGTH / 2, 0.0, RADIUS]), 0.1  # um: the current enters as a Gaussian around MOUTH
REST, K, KON = 0.1, 1.0, 100.0  # uM, uM, /uM/s (koff = KON K = 100 /s)
D_CALCIUM, D_MOBILE = 220.0, 50.0  # um^2/s
BUFFERS = {"mobile": (50.0, D_MOBILE), "fixed": (100.0, 0.0)}  # total [uM], D [um^2/s]


def graded(fine: float, coarse: float) -> Callable[[float, float, float], float]:
    """Edges [um] that are `fine` within 0.25 um of the mouth and grow to `coarse` away from it."""

    def edge(x: float, y: float, z: float) -> float:
        return min(coarse, fine + 0.15 * max(0.0, float(np.linalg.norm((x, y, z) - MOUTH)) - 0.25))

    return edge


def process(size: Edge) -> Place:
    """The cylinder in tetrahedra with edges of `size` [um]."""
    return discretise(cylinder(RADIUS, LENGTH, size))["cytosol"]


def near_mouth(place: Place, spread: float = SPREAD) -> Floats:
    """(n,) the part of the current, or of a mean, that belongs to each element: all sum to 1.

    It falls as a Gaussian of standard deviation `spread` [um], cut at 5 of them; with 0 one element has all.
    """
    if spread == 0.0:
        return (np.arange(len(place)) == place.nearest(MOUTH[None])[0]).astype(float)
    away = np.linalg.norm(place.centres - MOUTH, axis=1) / spread
    weight = np.where(away < 5.0, place.measure * np.exp(-0.5 * away**2), 0.0)
    return np.asarray(weight / weight.sum(), float)


def channel(place: Place, spread: float) -> Place:
    """Where the current enters: points with the part each has of it, touching the elements near the mouth."""
    part = near_mouth(place, spread)
    index = np.flatnonzero(part)
    return Place("channel", 0, part[index], place.centres[index], touches={place.name: index})


def buffered_calcium(place: Place, spread: float = SPREAD) -> Model:
    """0.5 pA of Ca2+ for 5 ms beside a mobile and a fixed buffer; with `spread` 0 at one element."""
    species, mechanisms = _buffered(place)
    inflow = Injection(channel(place, spread), species[0], flux=ion_flux(CURRENT, 2), stop=OPEN)
    return Model(species, [*mechanisms, inflow])


def _buffered(place: Place) -> tuple[list[Species], list[Mechanism]]:
    """Ca2+ at rest, first, with each buffer free and bound; and the binding."""
    calcium = Species("Ca", place, REST, D=D_CALCIUM)
    species, mechanisms = [calcium], list[Mechanism]()
    for name, (amount, D) in BUFFERS.items():
        bound = bound_at(REST, amount, K)
        free, full = Species(name, place, amount - bound, D=D), Species(f"Ca.{name}", place, bound, D=D)
        species += [free, full]
        mechanisms.append(Buffer(place, calcium, free, full, kon=KON, K=K))
    return species, mechanisms


STEADY_CURRENT, CLEARED = 0.1, 4000.0  # pA for ever; 1/s: Ca2+ cleared everywhere, so that it reaches 0.23 um


def microdomain(place: Place) -> Model:
    """A channel that stays open at one element, the two buffers, and clearance: it has a steady state."""
    species, mechanisms = _buffered(place)
    gone = Species("gone", place, 0.0, scale=1e6)
    return Model([*species, gone], [*mechanisms, Conversion(place, species[0], gone, CLEARED),
                                    Injection(channel(place, 0.0), species[0], flux=ion_flux(STEADY_CURRENT, 2))])


SLABS = np.linspace(0.0, LENGTH, 21)  # um


def profile(place: Place, c: Floats) -> Floats:
    """(20,) mean concentration in slabs along the process: what tools with any mesh can be compared by."""
    slab = np.clip(np.searchsorted(SLABS, place.centres[:, 0], side="right") - 1, 0, len(SLABS) - 2)
    weight = np.bincount(slab, place.measure, len(SLABS) - 1)
    return np.asarray(np.bincount(slab, place.measure * c, len(SLABS) - 1) / weight, float)


# K+ in the extracellular space: benchmark B3
SIDE, SPACING = 100.0, 1.0  # um: 100^3 bricks
ALPHA, TORTUOSITY, D_POTASSIUM = 0.2, 1.6, 1960.0  # 1, 1, um^2/s
UPTAKE, HALF = 2e4, 1000.0  # uM/s at most, uM: UPTAKE c / (HALF + c)
SOURCES, RELEASE = 20, 2e6  # number, uM um^3/s each
ACTIVE, FINISH = 0.1, 0.2  # s: released until ACTIVE; the run ends at FINISH


def source_positions(side: float = SIDE) -> Floats:
    """(SOURCES, 3) centres of the bricks [um] that K+ is released into, the same every time; `side` above 20 um."""
    brick = np.random.default_rng(3).integers(10, round(side / SPACING) - 10, (SOURCES, 3))
    return np.asarray((brick + 0.5) * SPACING, float)


def potassium(side: float = SIDE) -> Model:
    """K+ above rest in a cube of homogenised tissue of `side` [um]: released at points, pumped away everywhere.

    The pump is that of the scenarios with Na+ so high that K+ alone limits it: UPTAKE c / (HALF + c), two K+ a turn.
    """
    tissue = grid("ecs", (0.0,) * 3, (side,) * 3, SPACING, volume_fraction=ALPHA, tortuosity=TORTUOSITY)
    index = tissue.nearest(source_positions(side))
    neurons = Place("neurons", 0, np.ones(SOURCES), tissue.centres[index], touches={tissue.name: index})
    rise = Species("K+ above rest", tissue, 0.0, D=D_POTASSIUM, scale=1.0)
    pump = SodiumPotassiumPump(tissue, rise, P_max=UPTAKE / 2, K_potassium=HALF, sodium_sites=0.0)
    return Model([rise], [Injection(neurons, rise, RELEASE, stop=ACTIVE), pump])


# Reactions and diffusion with a known smooth solution: problem (a)
SQUARE = (1.0, 0.5, 0.5)  # um, edges of the box
MEAN, SWING = 2.0, 1.0  # uM, of the fields
PERIOD, PHASE = 0.02, 1.0  # s, of the fields' swing; its phase at the start
PAIRING, D_SINGLE, D_PAIR = 200.0, 220.0, 50.0  # /uM/s, um^2/s, um^2/s


@dataclass(frozen=True, eq=False)
class Pairing:
    """2 single <-> pair with equilibrium constant 1 uM, and what makes a known field of each solve the equations.

    Each field is MEAN + SWING cos(angle) shape(x), with angle 2 pi t / PERIOD + PHASE. The forcing is found with
    the same stiffness matrix as the scheme's, so all of the error is in time.
    """

    where: Place
    single: Species
    pair: Species
    shapes: Mapping[Species, Floats]  # (n,) of each
    spreading: Mapping[Species, Floats]  # (n,) D K shape / V [1/s] of each

    def exact(self, t: float) -> dict[Species, Floats]:
        """(n,) each field at `t`."""
        return {one: MEAN + SWING * np.cos(2 * np.pi * t / PERIOD + PHASE) * shape
                for one, shape in self.shapes.items()}

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Pairing and forcing [uM/s]."""
        known, angle = self.exact(t), 2 * np.pi * t / PERIOD + PHASE
        beyond = self._pairing(c) - self._pairing(known)
        change = {one: SWING * (np.cos(angle) * self.spreading[one] - 2 * np.pi / PERIOD * np.sin(angle) * shape)
                  for one, shape in self.shapes.items()}
        return {self.single: change[self.single] - 2 * beyond, self.pair: change[self.pair] + beyond}

    def _pairing(self, c: Concentrations | Mapping[Species, Floats]) -> Floats:
        return np.asarray(PAIRING * (c[self.single] ** 2 - c[self.pair]))


def manufactured(size: float) -> tuple[Model, Pairing]:
    """Problem (a) on a box of tetrahedra with edges of `size` [um], and what knows the exact solution."""
    place = discretise(box(SQUARE, size))["cytosol"]
    x, y, _ = np.pi * (place.centres / SQUARE).T
    shapes = (np.cos(x), np.cos(x) * np.cos(y))
    species = [Species(name, place, MEAN + SWING * np.cos(PHASE) * shape, D=D)
               for name, D, shape in zip(("single", "pair"), (D_SINGLE, D_PAIR), shapes, strict=True)]
    of = dict(zip(species, shapes, strict=True))
    spreading = {one: one.D * (stiffness(place) @ shape) / place.measure for one, shape in of.items()}
    pairing = Pairing(place, species[0], species[1], of, spreading)
    return Model(species, [pairing]), pairing


# Ca2+ release from the ER in a real process: problem (c)
REAL = Path(__file__).parents[3] / "shared" / "data" / "pap_er" / "d1s3a107b1.msh"
IP3, IP3_REACH = 1.5, 0.4  # uM at one end of the process, falling as a Gaussian of this deviation [um]
STORE, FIXED, FIXED_K = 400.0, 70.0, 10.0  # uM: ER Ca2+ at rest, fixed buffer, its constant, as in the scenarios
D_IP3 = 280.0  # um^2/s; Denizot 2019
FULLER = (STORE - REST) / 9.0  # than the published model's store, 9 uM above its cytosol (De Pitta AM)


def release(path: Path = REAL) -> Model:
    """Li-Rinzel release in a process meshed in `path`, with its ER as one pool, begun by IP3 at one end.

    Fluxes are scaled as in scenarios/parts/astrocyte.py: with the buffer, and with the fuller store.
    """
    shape = load(path, cut="membrane")  # as the numbers of the benchmarks were made
    mesh = discretise(shape)
    voids = void_volumes(shape.points, shape.membranes[ER_MEMBRANE]).volumes
    mesh = mesh.with_places(pool("er", [voids.sum()])).touching(
        ER_MEMBRANE, "er", np.zeros(len(mesh[ER_MEMBRANE]), np.int64))
    cytosol, membrane = mesh["cytosol"], mesh[ER_MEMBRANE]
    away = np.linalg.norm(cytosol.centres - cytosol.centres[np.argmin(cytosol.centres[:, 0])], axis=1)
    calcium, store = Species("Ca", cytosol, REST, D=D_CALCIUM), Species("ER Ca", mesh["er"], STORE)
    ip3 = Species("IP3", cytosol, IP3 * np.exp(-0.5 * (away / IP3_REACH) ** 2), D=D_IP3)
    bound = bound_at(REST, FIXED, FIXED_K)
    free, full = Species("fixed", cytosol, FIXED - bound), Species("Ca.fixed", cytosol, bound)
    gate = Species("h", membrane, unit="1", scale=1.0)
    h = replace(gate, initial=LiRinzel(membrane, calcium, store, ip3, gate).rest(REST, 0.1))
    buffered = 1.0 + capacity(REST, FIXED, FIXED_K)
    opening, pump = LiRinzel(membrane, calcium, store, ip3, h), SERCA(membrane, calcium, store)
    leak = pump.V * buffered * REST**2 / (REST**2 + pump.K**2) / (STORE - REST)  # balances the pump at rest
    return Model([calcium, ip3, free, full, store, h], [
        replace(opening, permeability=opening.permeability * buffered / FULLER), replace(pump, V=pump.V * buffered),
        ERLeak(membrane, calcium, store, permeability=leak), Buffer(cytosol, calcium, free, full, kon=KON, K=FIXED_K)])


# Glutamate from many synapses: problem (d)
SYNAPSES, FIRING = 50, 10.0  # number, Hz
BLOCK, BRICK, D_GLUTAMATE = 4.0, 0.2, 760.0  # um, um, um^2/s
VESICLE, PORE = 3000 * molecule, 1e-3  # uM um^3 in one; s to empty
TAKEN_UP, TAKEN_HALF = 2e4, 20.0  # uM/s at most; uM: V c / (HALF + c), 1000 /s where there is little


@dataclass(frozen=True, eq=False)
class Trains:
    """A vesicle fuses at each spike of each synapse."""

    where: Place
    holding: Species
    spikes: tuple[Floats, ...]  # s, of each synapse

    @property
    def times(self) -> Floats:
        """All spikes [s]."""
        return np.unique(np.concatenate(self.spikes))

    @property
    def events(self) -> tuple[Event, ...]:
        """A vesicle fuses at each spike."""
        return (AtTimes(self.times, (self.holding,), (), self.fuse),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing between spikes."""
        return {}

    def fuse(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """A vesicle's content where there is a spike."""
        return {self.holding: VESICLE * np.array([float((train == t).any()) for train in self.spikes])}


@dataclass(frozen=True, eq=False)
class Clearing:
    """Saturating uptake into a ledger, by the transporters of the whole tissue."""

    where: Place
    glutamate: Species
    taken: Species

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Uptake [uM/s]."""
        flux = TAKEN_UP * c[self.glutamate] / (TAKEN_HALF + c[self.glutamate])
        return {self.glutamate: -flux, self.taken: flux}


def firing(until: float, side: float = BLOCK) -> tuple[Model, Trains]:
    """Problem (d): Poisson spikes until `until` [s] at synapses at random in a cube of tissue of `side` [um]."""
    rng = np.random.default_rng(7)
    tissue = grid("ecs", (0.0,) * 3, (side,) * 3, BRICK, volume_fraction=ALPHA, tortuosity=TORTUOSITY)
    index = tissue.nearest(rng.uniform(0.0, side, (SYNAPSES, 3)))
    synapses = Place("synapses", 0, np.ones(SYNAPSES), tissue.centres[index], touches={tissue.name: index})
    glutamate, taken = Species("glutamate", tissue, D=D_GLUTAMATE, scale=10.0), Species("taken up", tissue, scale=1e3)
    holding = Species("in the vesicle", synapses, scale=VESICLE)
    spikes = tuple(np.sort(rng.uniform(0.0, until, rng.poisson(FIRING * until))) for _ in range(SYNAPSES))
    trains = Trains(synapses, holding, spikes)
    return Model([glutamate, taken, holding], [trains, Emptying(synapses, holding, glutamate, PORE),
                                               Clearing(tissue, glutamate, taken)]), trains
