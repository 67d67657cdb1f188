"""Store-operated Ca2+ entry: STIM senses that the ER is empty and opens Orai in the plasma membrane."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import arguments
from spatial.geometry.place import Floats, Place
from spatial.laws import hill, inhibition
from spatial.model import Concentrations, Gains, Species
from spatial.units import mM, s, uM, um


@dataclass(frozen=True)
class StoreSensor:
    """Part of STIM that is active at a Ca2+ concentration of the store, 1/(1 + (store/K)^n)."""

    K: float  # half-activation [uM]
    n: float  # Hill coefficient

    def __post_init__(self) -> None:
        checks.kinds(self)
        checks.positive("StoreSensor: K", self.K)
        checks.positive("StoreSensor: n", self.n)

    def active(self, store: Floats | float) -> Floats | float:
        """The active part, of the shape of `store` [uM]."""
        return inhibition(store, self.K, self.n)


CRAC = StoreSensor(169 * uM, 4.2)  # Ca2+ current; Luik 2008, as soce.mod of drg_pain quotes it
PUNCTA = StoreSensor(187 * uM, 3.8)  # STIM1 puncta; Luik 2008, M
HANDY = StoreSensor(90 * uM, 4.0)  # Handy 2017, whose ER rests at 197 uM


@dataclass(frozen=True, eq=False)
class StimOrai:
    """STIM oligomerises, then opens Orai, each in its own time (biophysics A4): seconds to minutes.

    ds/dt = (active(c_ER) - s)/tau_stim, dq/dt = (s - q)/tau_orai, flux P q^m (c_out - c). `where` is a membrane
    that touches cytosol and ER, such as the junctions of ER and plasma membrane. The ER must rest well above
    the sensor's K (trap C5): the 11 uM of a closed Li-Rinzel cell hold every sensor here fully active.
    """

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    outside: Species  # ledger of what came from outside
    stim: Species  # on `where`, part of STIM that is oligomerised
    orai: Species  # on `where`, part of Orai that is open
    sensor: StoreSensor = CRAC
    tau_stim: float = 10 * s  # oligomerisation; choice, M Liou 2007: ~5 s
    tau_orai: float = 20 * s  # coupling to Orai; choice, M Liou 2007, Wu 2006: puncta ~40 s
    m: float = 1.0  # STIM needed together; 2 to 4 for the steep opening of Yen & Lewis 2018
    permeability: float = 1.57 * uM / s * 0.2 * 0.05 * um / (1.8 * mM)  # Handy 2017, S_PM/V 20 /um
    """P [um/s], v_soc delta V_cyt/S_PM / c_out, as if all of the membrane were junctions; where they are a part
    of it, divide by that part for the same entry."""
    calcium_outside: float = 1.8 * mM  # Oschmann 2017

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau_stim", "tau_orai", "m"))
        checks.own(self, "stim", "orai")
        checks.parts(self, "stim", "orai")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ into the cytosol [uM um/s], and the rates of both stages [1/s]."""
        stim, orai = c[self.stim], c[self.orai]
        flux = self.permeability * orai**self.m * (self.calcium_outside - c[self.calcium])
        return {self.calcium: flux, self.outside: -flux,
                self.stim: (self.sensor.active(c[self.store]) - stim) / self.tau_stim,
                self.orai: (stim - orai) / self.tau_orai}

    @arguments(not_negative=("store",))
    def rest(self, store: float) -> float:
        """The steady part, of STIM and of Orai alike, at constant Ca2+ of the store [uM]."""
        return float(self.sensor.active(store))


@dataclass(frozen=True, eq=False)
class HandySOCE:
    """Entry that follows the store at once, V active(c_ER) (Handy 2017, biophysics A4): for regression."""

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    outside: Species  # ledger of what came from outside
    V: float = 1.57 * uM / s * 0.2 * 0.05 * um  # v_soc delta V_cyt/S_PM; Handy 2017, S_PM/V 20 /um
    sensor: StoreSensor = HANDY

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ into the cytosol [uM um/s]."""
        flux = self.V * self.sensor.active(c[self.store])
        return {self.calcium: flux, self.outside: -flux}


@dataclass(frozen=True, eq=False)
class ChenSOCE:
    """Chen 2008 (BIOMD0000000202): half-activation in 0.5 s, against what is known (trap C9); for regression only.

    Concentrations of STIM and Orai are those of the paper, per volume of cytosol. Its STIM tetramer is left
    out: nothing depends on it.
    """

    where: Place
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    outside: Species  # ledger of what came from outside
    stim: Species  # on `where`, active STIM [uM]
    closed: Species  # on `where`, channels made of four Orai, closed [uM]
    open: Species  # on `where`, the same, open [uM]
    depth: float = 0.05 * um  # V_cyt/S of where it acts; S_PM/V 20 /um
    stim_total: float = 0.6 * uM  # Chen 2008
    K1: float = 5 * uM  # Ca2+ of the store that frees half of STIM; Chen 2008
    k_a: float = 4 / s  # activation of STIM; Chen 2008
    k_i: float = 6 / s  # inactivation of STIM; Chen 2008
    orai_total: float = 1e-3 * uM  # Chen 2008
    V_cp: float = 1.8e-4 * uM / s  # assembly of channels; Chen 2008
    K_c: float = 2e-5 * uM  # half-saturation of the assembly; Chen 2008
    k_dc: float = 0.5 / s  # loss of closed channels; Chen 2008
    k_op: float = 0.5 / s  # opening; Chen 2008
    K_o: float = 0.2 * uM  # half-saturation of the opening by STIM; Chen 2008
    k_od: float = 1 / s  # closing; Chen 2008
    k_do: float = 0.6 / s  # loss of open channels; Chen 2008
    k_soc: float = 2.3 / (uM * s)  # Ca2+ entry; Chen 2008
    leak: float = 5e-7 / s  # V_PMleak; Chen 2008
    calcium_outside: float = 1500 * uM  # Chen 2008

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K1", "K_c", "K_o"))
        checks.own(self, "stim", "closed", "open")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ into the cytosol [uM um/s], and the rates of STIM and of the channels [uM/s]."""
        stim, closed, opened = c[self.stim], c[self.closed], c[self.open]
        free = inhibition(c[self.store], self.K1, 2) * (self.stim_total - stim)
        orai = (self.orai_total - 4 * (closed + opened)).clip(0.0)
        assembly = self.V_cp * hill(orai, self.K_c, 3)
        opening = self.k_op * hill(stim, self.K_o) * closed
        flux = self.depth * (self.k_soc * opened + self.leak) * (self.calcium_outside - c[self.calcium])
        return {self.calcium: flux, self.outside: -flux,
                self.stim: self.k_a * free - self.k_i * stim,
                self.closed: assembly + self.k_od * opened - self.k_dc * closed - opening,
                self.open: opening - (self.k_od + self.k_do) * opened}
