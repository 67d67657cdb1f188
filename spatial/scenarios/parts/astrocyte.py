"""The astrocyte of the tripartite scenario: Ca2+, its store and buffers, IP3, and receptors, at rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from spatial import checks
from spatial.checks import arguments, by_annotation
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer, bound_at, capacity
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.mglur import GqReceptor
from spatial.mechanisms.plc import PLCBeta, PLCDelta
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.model import Mechanism, Species
from spatial.scenarios.parts.settings import LEDGER, Settings
from spatial.units import s, uM, um

MOBILE_K = 0.24 * uM  # ASTRO
IMMOBILE_K = 10 * uM  # ASTRO
FIGURE_2_PLC_BETA = 5 * uM / s * 0.05 * um  # Stimberg 2018 Fig. 2, process of radius 0.1 um
MODEL_STORE = (2 / 0.185 - 0.1 * (1 + 1 / 0.185)) * uM  # c_ER - c of De Pitta AM at c = 0.1 uM (trap C5)


@dataclass(frozen=True)
class Astrocyte:
    """The species inside the astrocyte and on its membranes."""

    calcium: Species
    mobile: Species
    mobile_bound: Species
    immobile: Species
    immobile_bound: Species
    store: Species
    ip3: Species
    h: Species
    receptor: Species
    outside: Species  # ledger of Ca2+

    def __post_init__(self) -> None:
        checks.parameters(self)

    @by_annotation
    def mechanisms(self, mesh: Mesh, settings: Settings, glutamate: Species, receptors: Floats) -> list[Mechanism]:
        """Everything that changes them, with leaks that balance the pumps at rest.

        `receptors` (n,) is the density of IP3 receptors on the ER membrane, of mean 1.

        The published fluxes are those of an unbuffered cell. With buffers in the model each is
        multiplied by 1 + kappa, and divided by how much fuller the store is, so that free Ca2+
        moves at the published speed.
        """
        cytosol, er, plasma = mesh["cytosol"], mesh["er membrane"], mesh["plasma membrane"]
        buffered = 1 + (capacity(settings.calcium, settings.mobile_buffer, MOBILE_K)
                        + capacity(settings.calcium, settings.immobile_buffer, IMMOBILE_K))
        published = LiRinzel(er, self.calcium, self.store, self.ip3, self.h)
        fuller = (settings.store - settings.calcium) / MODEL_STORE
        even = replace(published, permeability=published.permeability * buffered / fuller)
        channel = replace(even, permeability=even.permeability * receptors)
        serca = SERCA(er, self.calcium, self.store)
        pump = replace(serca, V=serca.V * buffered)
        pmca = PMCA(plasma, self.calcium, self.outside)
        extrusion = replace(pmca, V=pmca.V * buffered)
        return [
            channel, pump, extrusion,
            ERLeak(er, self.calcium, self.store, permeability=self._balance(even, pump)),
            PlasmaLeak(plasma, self.calcium, self.outside, influx=float(extrusion.flux(settings.calcium))),
            Buffer(cytosol, self.calcium, self.mobile, self.mobile_bound, kon=100.0, K=MOBILE_K),
            Buffer(cytosol, self.calcium, self.immobile, self.immobile_bound, K=IMMOBILE_K),
            GqReceptor(plasma, glutamate, self.calcium, self.receptor, on=settings.receptor_on),
            PLCBeta(plasma, self.ip3, self.receptor, V=FIGURE_2_PLC_BETA),
            *_ip3_turnover(cytosol, self.ip3, self.calcium),
        ]

    def _balance(self, channel: LiRinzel, pump: SERCA) -> float:
        """Permeability [um/s] of the ER leak that makes the resting store a steady one."""
        rest = {species: np.array([species.typical]) for species in (self.calcium, self.store, self.ip3)}
        rest[self.h] = np.array([float(np.max(self.h.initial))])
        wanted = pump.rates(rest, 0.0)[self.store][0] + channel.rates(rest, 0.0)[self.store][0]
        return max(0.0, float(wanted / (rest[self.store] - rest[self.calcium])[0]))

    @property
    def total_calcium(self) -> Mapping[Species, float]:
        """Weights of what makes up all Ca2+, inside and outside."""
        return dict.fromkeys((self.calcium, self.mobile_bound, self.immobile_bound, self.store, self.outside), 1.0)


@arguments(not_negative=("count", "radius"))
def clustered(membrane: Place, count: int, radius: float, rng: np.random.Generator) -> Floats:
    """(n,) density of receptors of mean 1, all of it within `radius` [um] of `count` random places."""
    centres = membrane.centres[rng.choice(len(membrane), count, replace=False, p=membrane.measure / membrane.total)]
    apart = np.linalg.norm(membrane.centres[:, None] - centres, axis=2).min(axis=1)
    inside = (apart <= radius).astype(float)
    return inside * membrane.total / float(membrane.measure @ inside)


@by_annotation
def astrocyte_at_rest(mesh: Mesh, settings: Settings) -> Astrocyte:
    """All species of the astrocyte at their resting values."""
    cytosol, membrane = mesh["cytosol"], mesh["er membrane"]
    free = settings.calcium
    mobile = bound_at(free, settings.mobile_buffer, MOBILE_K)
    immobile = bound_at(free, settings.immobile_buffer, IMMOBILE_K)
    calcium = Species("calcium", cytosol, free, D=220)  # free Ca2+; Fink 2000 (buffers are explicit, trap C7)
    ip3 = Species("IP3", cytosol, resting_ip3(free), D=280)  # Denizot 2019; <= 10 in Dickinson 2016
    store = Species("ER calcium", mesh["er"], settings.store, D=220)
    gate = Species("IP3R h", membrane, unit="1", scale=1.0)
    h = LiRinzel(membrane, calcium, store, ip3, gate).rest(free, float(ip3.initial))
    return Astrocyte(
        calcium=calcium, ip3=ip3, store=store, h=replace(gate, initial=h),
        mobile=Species("mobile buffer", cytosol, settings.mobile_buffer - mobile, D=50),  # ASTRO
        mobile_bound=Species("mobile buffer with Ca", cytosol, mobile, D=50),
        immobile=Species("immobile buffer", cytosol, settings.immobile_buffer - immobile),
        immobile_bound=Species("immobile buffer with Ca", cytosol, immobile),
        receptor=Species("active mGluR", mesh["plasma membrane"], unit="1", scale=0.1),
        outside=Species("calcium outside", mesh[LEDGER], unit="uM", signed=True))


def _ip3_turnover(cytosol: Place, ip3: Species, calcium: Species) -> tuple[PLCDelta, IP3Degradation]:
    """Production and degradation of IP3 in the cytosol, with the values of Stimberg 2018 Fig. 2."""
    return (PLCDelta(cytosol, ip3, calcium, V=0.2 * uM / s, K=0.3 * uM),
            IP3Degradation(cytosol, ip3, calcium, K_D=0.5 * uM, k_5P=0.1 / s))


@arguments(not_negative=("calcium",))
def resting_ip3(calcium: float) -> float:
    """IP3 [uM] at which PLCdelta and degradation balance at resting Ca2+ [uM], without agonist."""
    place = pool("cytosol", [1.0])
    ca, ip3 = Species("calcium", place), Species("IP3", place)
    turnover = _ip3_turnover(place, ip3, ca)

    def balance(value: float) -> float:
        c = {ca: np.array([calcium]), ip3: np.array([value])}
        return sum(float(enzyme.rates(c, 0.0)[ip3][0]) for enzyme in turnover)

    return float(brentq(balance, 0.0, 100.0))
