"""Spread: vesicles of a transmitter empty at one point of neuropil; who hears it, how far off and for how long.

Molecules diffuse through homogenised neuropil (volume fraction alpha, tortuosity lambda), are converted, taken up or
bound, and receptors all around listen, each with its own affinity. What they hear is the rise above the ambient
level. Around one source everything depends on distance alone, so that the place is one of concentric shells.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, shaped
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.shells import graded, shells
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ectonucleotidases import CD73, NTPDase
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.mechanisms.uptake import ASCT
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import Probe, total
from spatial.scenarios.parts.experiment import Conserved, Experiment
from spatial.scenarios.parts.settings import LEDGER
from spatial.scenarios.spread.settings import SpreadSettings
from spatial.synapses.receptors import EC50_D_SERINE, coagonist_occupancy, release_probability
from spatial.units import molecule, ms, nm, s, uM, um

ECS, MEMBRANE, VESICLE = "ecs", "astrocytes' membrane", "vesicle"
FIRST, GROWTH = 10 * nm, 1.05  # radius of the first shell, and of each over the one before

AMBIENT_ADENOSINE = 0.04 * uM  # basal; biophysics A8
AMBIENT_D_SERINE = EC50_D_SERINE  # half occupied at rest, so that release matters (biophysics A12: 0.4-0.6); choice
AMBIENT_GLUTAMATE = 0.025 * uM  # 20-30 nM; Medvedev 2014
AMBIENT_GABA = 0.2 * uM  # M
K_P2Y1 = 3 * uM  # ATP for half occupancy; 1-10 uM, M (biophysics A3)
K_GABA = 0.5 * uM  # GABA for half occupancy of extrasynaptic receptors; M
NMDA_ON, NMDA_OFF = 5 / (uM * s), 12.9 / s  # glutamate; Destexhe 1996 (biophysics A12)
AREA = 1.4 / um  # astrocytes' membrane per volume of tissue; Lehre & Danbolt 1998 (biophysics A9)
_EMPTY = 8.0  # time constants after which a vesicle is empty
_DUST = 1e-4  # uM per uM um^3 released: what steps still resolve


@dataclass(frozen=True)
class Fates:
    """What becomes of the molecules of a cascade."""

    mechanisms: tuple[Mechanism, ...]
    losses: tuple[float, ...]  # of each molecule, far below saturation [1/s]
    carriers: tuple[Species, ...] = ()  # states of what binds them
    loaded: tuple[Species, ...] = ()  # those of these states that hold one

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True)
class Stage:
    """One molecule of a cascade."""

    name: str
    D: float  # free [um^2/s]

    def __post_init__(self) -> None:
        checks.parameters(self)


@dataclass(frozen=True)
class Listener:
    """A receptor, the molecule of the cascade that it hears, and what that does to it.

    `effect(times, rise)` takes (k,) times [s] and (k, n) concentrations above ambient [uM], from a start at rest, and
    returns (k, n): the part of all receptors that become occupied, or the relative change of what they control.
    """

    name: str
    stage: int
    changes: str  # what the effect is
    effect: Callable[[Floats, Floats], Floats]

    def __post_init__(self) -> None:
        checks.parameters(self)


@dataclass(frozen=True)
class Transmitter:
    """What is released, what becomes of it, and who listens."""

    name: str
    stages: tuple[Stage, ...]
    listeners: tuple[Listener, ...]
    vesicle: float  # amount in one [uM um^3]
    emptying: float  # time constant [s]
    extent: float  # of the neuropil: farther than anything gets [um]
    lasts: float  # longer than anything is heard once the vesicles are empty [s]
    fates: Callable[[Mesh, tuple[Species, ...], Species, float], Fates]
    """Of the mesh, the cascade, the ledger of what is gone, and a factor on the rates of all enzymes and carriers."""

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("emptying", "extent", "lasts"))

    @property
    def duration(self) -> float:
        """Of a run [s]."""
        return self.lasts + _EMPTY * self.emptying


def _coagonist(times: Floats, rise: Floats) -> Floats:
    return coagonist_occupancy(AMBIENT_D_SERINE + rise) / coagonist_occupancy(AMBIENT_D_SERINE) - 1


def _adenosine_a1(times: Floats, rise: Floats) -> Floats:
    still, resting = (release_probability(1.0, AMBIENT_ADENOSINE + one) for one in (rise, np.zeros(1)))
    return np.asarray(1 - still / resting)


def _p2y1(times: Floats, rise: Floats) -> Floats:
    return rise / (rise + K_P2Y1)


def _gaba_a(times: Floats, rise: Floats) -> Floats:
    level = AMBIENT_GABA + rise
    return np.asarray(level / (level + K_GABA) - AMBIENT_GABA / (AMBIENT_GABA + K_GABA))


def _nmda(times: Floats, rise: Floats) -> Floats:
    return np.asarray(bound(times, AMBIENT_GLUTAMATE + rise, NMDA_ON, NMDA_OFF, AMBIENT_GLUTAMATE)
                      - AMBIENT_GLUTAMATE / (AMBIENT_GLUTAMATE + NMDA_OFF / NMDA_ON))


@arguments(not_negative=("on", "off", "resting"))
def bound(times: Floats, c: Floats, on: float, off: float, resting: float = 0.0) -> Floats:
    """(k, n) occupied part of receptors that follow (k, n) concentrations [uM] with rates `on` and `off`.

    They start at t = 0 in balance with `resting` [uM]; between times the concentration is its mean.
    """
    shaped("bound: times", times, ("k",))
    shaped("bound: c", c, (len(times), "n"), "a row for each time")
    level, before, last = resting * on / (resting * on + off), np.full(c.shape[1], resting), 0.0
    occupied, found = np.full(c.shape[1], level), np.empty(c.shape)
    for k, t in enumerate(times):
        rate = on * (before + c[k]) / 2
        occupied = occupied + (rate / (rate + off) - occupied) * -np.expm1(-(rate + off) * (t - last))
        found[k], before, last = occupied, c[k], t
    return found


def _lost(loss: float, mesh: Mesh, chain: tuple[Species, ...], gone: Species, faster: float) -> Fates:
    """A single molecule, lost at a rate [1/s]."""
    return Fates((Conversion(mesh[ECS], chain[0], gone, faster * loss),), (faster * loss,))


def _purines(mesh: Mesh, chain: tuple[Species, ...], gone: Species, faster: float) -> Fates:
    """ATP -> ADP -> AMP -> adenosine -> gone (biophysics A8)."""
    ecs, (atp, adp, amp, adenosine) = mesh[ECS], chain
    first = NTPDase(ecs, atp, adp, amp, V1=faster * NTPDase.V1, V2=faster * NTPDase.V2)
    second = CD73(ecs, atp, adp, amp, adenosine, V=faster * CD73.V)
    third = AdenosineUptake(ecs, adenosine, gone, V=faster * AdenosineUptake.V)
    return Fates((first, second, third), (first.V1 / first.K1, first.V2 / first.K2, second.V / second.K,
                                          third.V / third.K))


def _transported(mesh: Mesh, chain: tuple[Species, ...], gone: Species, faster: float) -> Fates:
    """Bound by transporters, which let a third of it go again (biophysics A9)."""
    membrane, density = mesh[MEMBRANE], faster * DENSITY
    free = Species("free transporter", membrane, density, scale=DENSITY)
    loaded = Species("transporter with glutamate", membrane, scale=_DUST * DENSITY)
    turned = Species("transporter turned in", membrane, scale=_DUST * DENSITY)
    uptake = Transporter(membrane, chain[0], free, loaded, turned, gone)
    captured = uptake.kt / (uptake.kt + uptake.koff)
    binding = uptake.kon * density * membrane.total / mesh[ECS].total
    return Fates((uptake,), (binding * captured,), (free, loaded, turned), (loaded,))


D_SERINE = Transmitter(
    "D-serine", (Stage("D-serine", 900),),
    (Listener("NMDA receptors' co-agonist site", 0, "rise of co-agonist occupancy", _coagonist),),
    vesicle=8_000 * molecule,  # twice the 4000 of a 50 nm vesicle of ATP; choice
    emptying=50 * ms,  # astrocytes' fusion pores stay narrow for long; choice
    extent=400 * um, lasts=60 * s, fates=partial(_lost, ASCT.first_order))
ATP = Transmitter(
    "ATP", (Stage("ATP", 300), Stage("ADP", 350), Stage("AMP", 400), Stage("adenosine", 600)),
    (Listener("P2Y1 receptors", 0, "occupied by ATP", _p2y1),
     Listener("A1 receptors", 3, "fall of release probability", _adenosine_a1)),
    vesicle=85_000 * molecule,  # lysosome of 300 nm at 10 mM; M
    emptying=100 * ms,  # choice
    extent=400 * um, lasts=60 * s, fates=_purines)
GLUTAMATE = Transmitter(
    "glutamate", (Stage("glutamate", 760),),
    (Listener("NMDA receptors", 0, "occupied by glutamate", _nmda),),
    vesicle=3_000 * molecule,  # 1500-5000, M (biophysics A9)
    emptying=0.1 * ms,  # of a small synaptic-like vesicle; choice
    extent=40 * um, lasts=1 * s, fates=_transported)
GABA = Transmitter(
    "GABA", (Stage("GABA", 760),),  # as glutamate; choice
    (Listener("GABA-A receptors outside synapses", 0, "rise of occupancy", _gaba_a),),
    vesicle=3_000 * molecule,  # as glutamate; choice
    emptying=1 * ms,  # choice
    extent=100 * um, lasts=2 * s, fates=partial(_lost, 50 / s))  # uptake; choice
TRANSMITTERS: Mapping[str, Transmitter] = {one.name: one for one in (D_SERINE, ATP, GLUTAMATE, GABA)}


@by_annotation
def chosen(name: str | None = None, molecules: float | None = None, emptying: float | None = None) -> list[Transmitter]:
    """All transmitters or the one of this name, if need be with other vesicles: molecules in one, and `emptying` [s].

    Raises `InputError` for a name that there is not.
    """
    if name is not None and name not in TRANSMITTERS:
        raise InputError(f"there is no transmitter {name!r}; there is {', '.join(TRANSMITTERS)}")
    found = list(TRANSMITTERS.values()) if name is None else [TRANSMITTERS[name]]
    if molecules is not None:
        checks.positive("molecules in a vesicle", molecules)
        found = [replace(one, vesicle=molecules * molecule) for one in found]
    if emptying is not None:
        checks.positive("emptying", emptying)
        found = [replace(one, emptying=emptying) for one in found]
    return found


@dataclass(frozen=True)
class Spread:
    """The experiment, and what there is to hear."""

    experiment: Experiment
    transmitter: Transmitter
    settings: SpreadSettings
    chain: tuple[Species, ...]  # the transmitter's stages, in the ECS
    losses: tuple[float, ...]  # of each, far below saturation [1/s]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def place(self) -> Place:
        """The shells."""
        return self.experiment.mesh[ECS]

    @property
    def times(self) -> Floats:
        """(frames,) at which the fields are looked at [s]."""
        return np.geomspace(self.settings.first_frame, self.experiment.duration, self.settings.frames)


@arguments(above_zero=("extent",))
def neuropil(settings: SpreadSettings, extent: float) -> Mesh:
    """Shells of homogenised neuropil out to `extent` [um] around a vesicle, astrocytes' membrane, and a ledger."""
    ecs = shells(ECS, graded(FIRST, extent, GROWTH), settings.volume_fraction, settings.tortuosity)
    each, first = np.arange(len(ecs)), np.zeros(len(ecs), np.int64)
    membrane = Place(MEMBRANE, 2, ecs.measure / settings.volume_fraction * AREA, ecs.centres,
                     touches={ECS: each, LEDGER: first})
    vesicle = Place(VESICLE, 0, np.ones(1), np.zeros((1, 3)), touches={ECS: first[:1]})
    return Mesh.of(ecs, membrane, vesicle, pool(LEDGER, [1.0])).touching(ECS, LEDGER, first)


@by_annotation
def spread(transmitter: Transmitter, settings: SpreadSettings) -> Spread:
    """The experiment with one transmitter."""
    mesh, amount = neuropil(settings, transmitter.extent), transmitter.vesicle * settings.vesicles
    chain = tuple(Species(stage.name, mesh[ECS], D=stage.D, scale=_DUST * amount) for stage in transmitter.stages)
    held = Species(f"{transmitter.name} in vesicles", mesh[VESICLE], amount)
    gone = Species(f"{chain[-1].name} gone", mesh[LEDGER], scale=amount)
    fates = transmitter.fates(mesh, chain, gone, settings.clearance)
    kept = [Conserved(transmitter.name, dict.fromkeys((held, *chain, *fates.loaded, gone), 1.0))]
    if fates.carriers:
        kept.append(Conserved("carriers", dict.fromkeys(fates.carriers, 1.0)))
    species = (*chain, held, gone, *fates.carriers)
    model = Model(species, [Emptying(mesh[VESICLE], held, chain[0], transmitter.emptying), *fates.mechanisms])
    watch: tuple[Probe, ...] = (*(total(one) for one in (*chain, held, gone)),
                                *(probe for one in kept for probe in (one.probe, one.turnover)))
    experiment = Experiment("spread", mesh, model, watch, chain, tuple(kept), transmitter.duration, (),
                            {one.name: one for one in species})
    return Spread(experiment, transmitter, settings, chain, fates.losses)
