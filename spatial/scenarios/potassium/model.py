"""A burst beside an astrocyte process: K+ released by a synapse and the axons around it, and who takes it up.

The synapse, its cleft and the process around it are resolved; neuropil around them is homogenised, and goes on in
shells. A synapse alone hardly raises K+ for longer than a spike, so that a part of the axons around it fires with it.
The neuropil is lined with membranes of astrocytes and neurons. The astrocytes are a syncytium: their ions are one pool,
and their potential is one for the block around the synapse and for each shell, joined by the cells' cytoplasm.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from spatial import checks
from spatial.checks import arguments, by_annotation
from spatial.geometry.cleft import FAR, PSD, cleft
from spatial.geometry.discretise import discretise
from spatial.geometry.open_boundary import SURROUND, passage_permeability, surround
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Passage
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.ion_leak import IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.sodium_potassium_pump import SodiumPotassiumPump
from spatial.model import Mechanism, Model, Species
from spatial.observe.frames import Film
from spatial.observe.probes import Probe, at_elements, mean_around, weighted_sum
from spatial.observe.recording import Recording
from spatial.scenarios.parts.experiment import Conserved, Experiment
from spatial.scenarios.parts.glial_membrane import Ions
from spatial.scenarios.parts.potassium_tissue import (
    ASTROCYTE,
    CL_OUT,
    D_K,
    K_OUT,
    NA_OUT,
    NEURONS,
    POTENTIAL,
    charge,
    flow,
    lined,
    potentials,
)
from spatial.scenarios.parts.settings import LEDGER
from spatial.scenarios.potassium.settings import PotassiumSettings
from spatial.simulate import Progress, simulate
from spatial.synapses.potassium_release import PotassiumRelease
from spatial.units import mM

CONTROL, NO_KIR, NO_PUMP, NO_ASTROCYTE = "control", "Kir4.1 knock-out", "pumps blocked", "no astrocyte"
BESIDE, IN_CLEFT, AROUND = "K+ beside the process", "K+ in the cleft", "K+ in the neuropil"
BY_KIR, BY_GLIAL_PUMP = "taken by the astrocytes' K+ channels", "taken by the astrocytes' pumps"
BY_PUMP, BY_LEAK = "taken by the neurons' pumps", "taken by the neurons' leaks"
IN_ECS, AWAY = "left in the ECS", "spread away"
_GLIA, _GLIA_BEYOND = "astrocytes in the neuropil", "astrocytes of the surround"
_CELLS, _CELLS_BEYOND = "neurons in the neuropil", "neurons of the surround"
_AXONS, _AXONS_BEYOND = "axons in the neuropil", "axons of the surround"
_REST = 0.1  # of its rise: as low is at rest again
_SAME = 1e-9  # of a time


@dataclass(frozen=True)
class Burst:
    """The experiment, what it was made from, and the fields of K+."""

    settings: PotassiumSettings
    experiment: Experiment
    potassium: Species  # in the block's ECS
    beyond: Species  # in the shells'
    V: Species

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def cases(settings: PotassiumSettings) -> dict[str, PotassiumSettings]:
    """The burst as it is, and without each of those who take K+ up."""
    astrocytes, neurons = settings.astrocytes, settings.neurons
    return {CONTROL: settings, NO_KIR: replace(settings, astrocytes=replace(astrocytes, kir=False)),
            NO_PUMP: replace(settings, astrocytes=replace(astrocytes, pump=False),
                             neurons=replace(neurons, pump=False)),
            NO_ASTROCYTE: replace(settings, with_astrocytes=False)}


@by_annotation
def coverages(settings: PotassiumSettings) -> dict[float, PotassiumSettings]:
    """The burst's beginning for each coverage of the synapse by the process."""
    spikes = min(settings.swept, settings.spikes)
    return {part: replace(settings, shape=replace(settings.shape, coverage=part), spikes=spikes,
                          duration=settings.first + spikes / settings.rate) for part in settings.coverage}


@by_annotation
def burst(settings: PotassiumSettings) -> Burst:
    """The experiment."""
    mesh = furnished(settings)
    potassium, beyond = Species("K+", mesh["ecs"], K_OUT, D=D_K), Species("K+ beyond", mesh[SURROUND], K_OUT, D=D_K)
    inside = settings.astrocytes.ions_at_rest(mesh[ASTROCYTE])
    V = Species("V", mesh[POTENTIAL], settings.astrocytes.V, D=1.0, unit="mV", signed=True)
    neurons = (Species("K+ in neurons", mesh[NEURONS], settings.neurons.potassium),
               Species("Na+ in neurons", mesh[NEURONS], settings.neurons.sodium))
    outside = {name: beyond if SURROUND in place.touches else potassium for name, place in mesh.items()}
    glia: list[Mechanism] = [one for name in (PLASMA_MEMBRANE, _GLIA, _GLIA_BEYOND) if name in mesh
                             and settings.with_astrocytes
                             for one in settings.astrocytes.membrane(mesh[name], Ions(
                                 outside[name], inside[0], NA_OUT, inside[1], CL_OUT, inside[2], V))]
    cells: list[Mechanism] = [one for name in (_CELLS, _CELLS_BEYOND)
                              for one in settings.neurons.membrane(mesh[name], outside[name], *neurons)]
    of_synapse = settings.synaptic / mesh[PSD].total
    leaving = Species("K+ leaving at the PSD", mesh[PSD], scale=of_synapse, unit="uM um")
    spent = Species("K+ of the synapse's neuron", mesh[LEDGER], scale=settings.synaptic, signed=True)
    releases: list[Mechanism] = [
        *(_release(mesh[name], settings, settings.per_spike, outside[name], *neurons)
          for name in (_AXONS, _AXONS_BEYOND) if name in mesh),
        _release(mesh[PSD], settings, of_synapse, leaving, spent),
        Emptying(mesh[PSD], leaving, potassium, settings.lasting)]
    passage = Passage(mesh[FAR], potassium, beyond, passage_permeability(
        mesh[FAR], mesh["ecs"], mesh[SURROUND], D_K, settings.shape.volume_fraction, settings.shape.tortuosity))
    species = (potassium, beyond, *inside, V, *neurons, leaving, spent)
    conserved = (Conserved("K+", dict.fromkeys((potassium, beyond, inside[0], neurons[0], leaving, spent), 1.0)),
                 Conserved("charge", charge(inside, V)))
    watch = (*_views(mesh, potassium), at_elements(V, [0], "V"),
             *_takers(mesh, settings, [*glia, *cells], (potassium, beyond)),
             *(probe for one in conserved for probe in (one.probe, one.turnover)))
    experiment = Experiment("potassium", mesh, Model(species, [*glia, *cells, *releases, passage]), watch, (potassium,),
                            conserved, settings.duration, (settings.train,), {one.name: one for one in species})
    return Burst(settings, experiment, potassium, beyond, V)


def _release(where: Place, settings: PotassiumSettings, per_spike: float, potassium: Species, inside: Species,
             sodium_inside: Species | None = None) -> PotassiumRelease:
    """K+ out of the neurons for Na+ with every spike of the burst, all over a place."""
    return PotassiumRelease(where, (settings.train,), potassium, inside, None, sodium_inside,
                            np.zeros(len(where), np.int64), per_spike)


@by_annotation
def furnished(settings: PotassiumSettings) -> Mesh:
    """The cleft's mesh, shells around it, and the membranes of astrocytes and neurons in both with what is inside."""
    shape, astrocytes = settings.shape, settings.astrocytes
    mesh = discretise(cleft(shape))
    shells = surround(mesh[FAR], settings.reach, shape.volume_fraction, shape.tortuosity)
    mesh = mesh.with_places(shells).touching(FAR, SURROUND, np.zeros(len(mesh[FAR]), np.int64))
    tissue = np.r_[mesh["neuropil"].total, shells.measure] / shape.volume_fraction
    mesh = mesh.with_places(pool(LEDGER, [1.0]), pool(ASTROCYTE, [astrocytes.fraction * tissue.sum()]),
                            pool(NEURONS, settings.neurons.fraction * tissue, np.vstack([np.zeros(3), shells.centres])))
    mesh = mesh.with_places(_syncytium(mesh, settings, tissue))
    mesh = mesh.with_places(*_linings(mesh, settings))
    for name, others in ((PLASMA_MEMBRANE, (ASTROCYTE, POTENTIAL)), (PSD, (LEDGER,))):
        for other in others if name in mesh else ():
            mesh = mesh.touching(name, other, np.zeros(len(mesh[name]), np.int64))
    return mesh


def _syncytium(mesh: Mesh, settings: PotassiumSettings, tissue: Floats) -> Place:
    """The potentials of block and shells, joined as the astrocytes' cytoplasm conducts."""
    shape, astrocytes, shells = settings.shape, settings.astrocytes, mesh[SURROUND]
    conducting = astrocytes.fraction / astrocytes.tortuosity**2 * astrocytes.conductivity
    of_ecs = shape.volume_fraction / shape.tortuosity**2
    passage = passage_permeability(mesh[FAR], mesh["ecs"], shells, conducting)
    n = np.arange(len(shells))
    area = astrocytes.area * tissue
    area[0] += mesh[PLASMA_MEMBRANE].total if PLASMA_MEMBRANE in mesh else 0.0
    return replace(potentials(area, np.vstack([np.zeros(3), shells.centres])), links=np.stack([n, n + 1], axis=1),
                   transmissibility=np.r_[passage @ mesh[FAR].measure, shells.transmissibility * conducting / of_ecs])


def _linings(mesh: Mesh, settings: PotassiumSettings) -> list[Place]:
    """Membranes in the neuropil and in the shells: of astrocytes, of neurons, and of the axons that fire."""
    found = []
    for of, first, names in ((mesh["neuropil"], 0, (_GLIA, _CELLS, _AXONS)),
                             (mesh[SURROUND], 1, (_GLIA_BEYOND, _CELLS_BEYOND, _AXONS_BEYOND))):
        tissue = of.measure / settings.shape.volume_fraction
        piece = first * (np.arange(len(of)) + 1)
        here, nowhere = np.arange(len(of)), np.zeros(len(of), np.int64)
        firing = np.flatnonzero(np.linalg.norm(of.centres, axis=1) <= settings.active)
        cells = settings.neurons.area * tissue
        found += [lined(names[0], of, settings.astrocytes.area * tissue, here, {ASTROCYTE: nowhere, POTENTIAL: piece}),
                  lined(names[1], of, cells, here, {NEURONS: piece})]
        if len(firing):
            found.append(lined(names[2], of, settings.firing * cells, firing, {NEURONS: piece}))
    return found


def _views(mesh: Mesh, potassium: Species) -> tuple[Probe, ...]:
    """K+ [uM]: means over the process' membrane, the cleft, and the neuropil."""
    beside = mesh[PLASMA_MEMBRANE if PLASMA_MEMBRANE in mesh else "presynaptic membrane"]
    return (mean_around(potassium, beside, BESIDE), mean_around(potassium, mesh["cleft"], IN_CLEFT),
            mean_around(potassium, mesh["neuropil"], AROUND))


def _takers(mesh: Mesh, settings: PotassiumSettings, mechanisms: list[Mechanism],
            potassium: tuple[Species, Species]) -> list[Probe]:
    """What takes K+ where axons fire [uM um^3/s], each by itself, and how much K+ is there [uM um^3]."""
    active = np.linalg.norm(mesh[SURROUND].centres, axis=1) <= settings.active
    part = {name: active.astype(float) for name in (_GLIA_BEYOND, _CELLS_BEYOND)}
    glia = (PLASMA_MEMBRANE, _GLIA, _GLIA_BEYOND)

    def taken(name: str, of_glia: bool, *kinds: type) -> Probe:
        chosen = [one for one in mechanisms if isinstance(one, kinds) and (one.where.name in glia) == of_glia]
        return flow(name, chosen, potassium, part)

    here, beyond = potassium[0].place.measure, potassium[1].place.measure * active
    return [taken(BY_KIR, True, Kir41, IonLeak), taken(BY_GLIAL_PUMP, True, SodiumPotassiumPump),
            taken(BY_PUMP, False, SodiumPotassiumPump), taken(BY_LEAK, False, IonLeak),
            weighted_sum(IN_ECS, "uM um^3", {potassium[0]: here, potassium[1]: beyond})]


@dataclass(frozen=True)
class Observed:
    """What a burst showed."""

    burst: Burst
    recording: Recording
    film: Film

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def observe(one: Burst, frame_times: Iterable[float] = (), progress: Progress | None = None) -> Observed:
    """Run the experiment; the film keeps K+ in the block at the `frame_times` [s]."""
    film, experiment = Film(one.potassium), one.experiment
    return Observed(one, simulate(experiment.model, experiment.duration, experiment.watch, frames=film,
                                  frame_times=frame_times, progress=progress), film)


@by_annotation
def findings(observed: Observed) -> dict[str, float]:
    """What a burst came to in numbers, each named with its unit."""
    recording, settings = observed.recording, observed.burst.settings
    t, beside = recording.times, recording[BESIDE] / mM
    end = settings.first + settings.spikes / settings.rate
    found = {"peak beside the process [mM]": beside.max(), "peak in the cleft [mM]": recording[IN_CLEFT].max() / mM,
             "undershoot beside the process [mM]": beside[0] - beside.min(),
             "time after the burst to rest [s]": _back(t - end, beside - beside[0]),
             "highest V [mV]": recording["V"].max()}
    return {name: float(value) for name, value in {**found, **shares(observed, end)}.items()}


@arguments(above_zero=("until",))
def shares(observed: Observed, until: float) -> dict[str, float]:
    """Where the K+ released in the active tissue is `until` then [% of it]; negative: more than before came back."""
    recording, released = observed.recording, _released(observed.burst, until)
    t = recording.times
    here = t <= until * (1 + _SAME)
    found = {name: float(np.trapezoid((recording[name] - recording[name][0])[here], t[here]))
             for name in (BY_KIR, BY_GLIAL_PUMP, BY_PUMP, BY_LEAK)}
    found[IN_ECS] = float(recording[IN_ECS][here][-1] - recording[IN_ECS][0])
    found[AWAY] = released - sum(found.values())
    return {f"{name} [%]": 100 * amount / released for name, amount in found.items()}


def _released(one: Burst, until: float) -> float:
    """K+ that axons and the synapse have released in the active tissue [uM um^3]."""
    settings, mesh = one.settings, one.experiment.mesh
    area = sum(mesh[name].total for name in (_AXONS, _AXONS_BEYOND) if name in mesh)
    gone = 1 - np.exp(-np.maximum(until - settings.train, 0.0) / settings.lasting)
    count = np.count_nonzero(settings.train < until)
    return float(count * area * settings.per_spike + settings.synaptic * gone.sum())


def _back(t: Floats, rise: Floats) -> float:
    """When K+ is back to a part `_REST` of its rise for the first time after the burst [s]; nan if it is not."""
    low = np.flatnonzero((t >= 0) & (rise <= _REST * rise.max()))
    return float(t[low[0]]) if len(low) else float("nan")
