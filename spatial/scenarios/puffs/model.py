"""Puffs: IP3 receptors in clusters on the ER of a process open and close at random, and an indicator sees it.

IP3 is raised -> single channels open (blips) -> Ca2+ opens their neighbours (puffs) -> pumps clear it. The
receptors are those of Denizot 2019, with their effective Ca2+ flux and apparent Ca2+ diffusion (traps C7, C8).
"""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial._engine.operators.point_source import own_rise
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.layout import State
from spatial.checks import arguments, by_annotation
from spatial.geometry.clusters import cluster_sites
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Mesh
from spatial.geometry.size import MOST_UNKNOWNS
from spatial.geometry.store import with_store
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.ip3r_channels import IP3RChannels, at_rest, channel_species, denizot
from spatial.mechanisms.serca import SERCA
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import Probe, mean, peak, total
from spatial.scenarios.parts.experiment import Conserved, Experiment
from spatial.scenarios.parts.neighbourhood import with_lumen
from spatial.scenarios.parts.settings import LEDGER
from spatial.scenarios.parts.stumps import stumps
from spatial.scenarios.puffs.settings import PuffSettings
from spatial.units import s, uM, um

CHANNELS = "IP3 receptors"
_SERCA_K = 0.1 * uM  # De Pitta AM


@dataclass(frozen=True)
class Puffs:
    """The experiment, the state it starts from, and what the pictures show."""

    experiment: Experiment
    start: State
    calcium: Species
    free: Species  # indicator
    bound: Species  # indicator
    open: Species  # open channels at each receptor

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def furnished(tetrahedra: Tetrahedra, settings: PuffSettings, rng: np.random.Generator) -> Mesh:
    """The process with its ER, receptors in clusters on it, and a ledger of what left through the membrane.

    Raises `InputError` for a mesh without ER.
    """
    mesh = discretise(tetrahedra)
    if "er" not in mesh:
        mesh = with_lumen(mesh, tetrahedra)
    if settings.even_er:
        mesh = _evenly(mesh, settings.even_area)
    plasma, er = mesh[PLASMA_MEMBRANE], mesh[ER_MEMBRANE]
    mesh = mesh.with_places(pool(LEDGER, [1.0])).touching(PLASMA_MEMBRANE, LEDGER, np.zeros(len(plasma), np.int64))
    clusters = max(1, round(settings.density * er.total / settings.cluster))
    sites = cluster_sites(er, clusters, settings.cluster, rng, settings.apart)
    return mesh.with_points_on(CHANNELS, ER_MEMBRANE, sites)


def _evenly(mesh: Mesh, factor: float) -> Mesh:
    """The mesh with as much lumen and `factor` times the ER membrane, but everywhere in the cytosol alike."""
    cytosol, area, lumen = mesh["cytosol"], factor * mesh[ER_MEMBRANE].total, mesh["er"].total
    others = Mesh.of(*(place for name, place in mesh.items() if name not in ("er", ER_MEMBRANE)))
    return with_store(others, lumen / cytosol.total, area / cytosol.total)


@arguments(not_negative=("most_unknowns",))
def puffs(tetrahedra: Tetrahedra, settings: PuffSettings, rng: np.random.Generator,
          most_unknowns: float = MOST_UNKNOWNS) -> Puffs:
    """The experiment in a process; `rng` places the clusters and draws the channels' first states.

    It starts from rest: the channels closed, everything else as `rest` finds it.
    """
    mesh = furnished(tetrahedra, settings, rng)
    cytosol, calcium = mesh["cytosol"], settings.calcium
    ca = Species("calcium", cytosol, calcium, D=13)  # apparent, endogenous buffers included; Denizot (trap C7)
    ip3 = Species("IP3", cytosol, settings.ip3)
    store = Species("ER calcium", mesh["er"], settings.store, D=220 if settings.even_er else 0)
    luminal = bound_at(settings.store, settings.luminal_buffer, settings.luminal_K)
    free, bound = settings.indicator.species(cytosol, calcium)
    lumen = (Species("luminal buffer", mesh["er"], settings.luminal_buffer - luminal),
             Species("luminal buffer with Ca", mesh["er"], luminal))
    outside = Species("calcium outside", mesh[LEDGER], signed=True)
    scheme, where = denizot(), mesh[CHANNELS]
    counts = at_rest(scheme, np.ones(len(where), np.int64), calcium, settings.ip3, rng)
    states, opened = channel_species(where, scheme, counts)
    at = where.touches["cytosol"]
    channels = IP3RChannels(where, ca, store, ip3, states, opened, scheme,
                            own=own_rise(cytosol, at, settings.sites) / ca.D,
                            others=own_rise(cytosol, at, settings.between) / ca.D)
    species: tuple[Species, ...] = (ca, free, bound, ip3, store, *lumen, outside, *states, opened)
    mechanisms = [channels, *_clearance(mesh, settings, ca, store, outside),
                  Buffer(cytosol, ca, free, bound, settings.indicator.kon, settings.indicator.K),
                  Buffer(mesh["er"], store, *lumen, kon=1 / (uM * s), K=settings.luminal_K)]
    beyond = stumps(mesh, species, mechanisms, settings.stump)
    mesh, species = beyond.mesh, (*species, *beyond.species)
    model = Model(species, [*mechanisms, *beyond.mechanisms])
    conserved = beyond.with_twins((Conserved("calcium", dict.fromkeys((ca, bound, store, lumen[1], outside), 1.0)),
                                   Conserved("indicator", {free: 1.0, bound: 1.0}),
                                   Conserved("receptors", dict.fromkeys(states, 1.0))))
    watch: tuple[Probe, ...] = (total(opened), peak(ca), mean(ca), mean(bound), mean(store),
                                *(probe for one in conserved for probe in (one.probe, one.turnover)))
    experiment = Experiment("puffs", mesh, model, watch, (ca, bound), conserved, settings.duration, (),
                            {one.name: one for one in species})
    return Puffs(experiment, rest(model.without(IP3RChannels), most_unknowns), ca, free, bound, opened)


def _clearance(mesh: Mesh, settings: PuffSettings, ca: Species, store: Species, outside: Species) -> list[Mechanism]:
    """Pumps, and the leaks that balance them at rest; as strong per membrane in every process."""
    calcium, plasma, er = settings.calcium, mesh[PLASMA_MEMBRANE], mesh[ER_MEMBRANE]
    through_plasma = settings.extrusion * 0.05 * um  # V_cyt/S_PM of a process 0.1 um in radius (biophysics A2e)
    slope = 2 * calcium * _SERCA_K**2 / (calcium**2 + _SERCA_K**2) ** 2
    pump = SERCA(er, ca, store, V=settings.pumping / slope * 0.5 * um, K=_SERCA_K)  # V_cyt/S_ER of PAP-ER
    back = pump.V * calcium**2 / (calcium**2 + _SERCA_K**2) / (settings.store - calcium)
    return [LinearExtrusion(plasma, ca, outside, rate=through_plasma),
            PlasmaLeak(plasma, ca, outside, influx=through_plasma * calcium),
            pump, ERLeak(er, ca, store, permeability=back)]
