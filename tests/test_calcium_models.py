"""IP3 receptors, whole-cell models and the Na+/Ca2+ exchanger against laws, closed forms and published numbers.

IDs are those of biophysics B5. As in test_calcium_ode, LSODA integrates the assembled rate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from test_calcium_ode import AM, FM, STIMBERG, TOTAL, Constants, Floats, cell, refined_peaks, run

from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.de_young_keizer import OPEN, DeYoungKeizer, state_species
from spatial.mechanisms.denizot_ip3r import DenizotIP3R
from spatial.mechanisms.denizot_ip3r import state_species as receptor_species
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.ncx import NCX
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.mechanisms.soce import HandySOCE
from spatial.model import AtTimes, Mechanism, Model, Species
from spatial.observe.probes import mean
from spatial.simulate import simulate
from spatial.units import MOLECULES, mM, molecule

GAMMA = 5.4054  # V_cyt/V_ER; Handy 2017
DELTA = 0.2  # Handy 2017
ER_AREA, PM_AREA, JUNCTIONS = 2.0, 20.0, 1.0  # um^2 to 1 um^3 of cytosol
REST = {"c": 0.0865415, "total": 36.49084, "h": 0.6255124, "store": 196.780}


@dataclass(frozen=True)
class OpenCell:
    """A cytosol of 1 um^3 with an ER, in exchange with what is outside."""

    model: Model
    calcium: Species
    store: Species
    ip3: Species
    h: Species
    outside: Species
    places: Mesh


def handy(ip3: float = 0.0) -> OpenCell:
    """Handy 2017 at the rest it publishes, with IP3 at a constant level."""
    places = well_mixed({"cytosol": 1.0, "er": 1 / GAMMA, "ledger": 1.0},
                        {"er membrane": (ER_AREA, ["cytosol", "er"]),
                         "plasma membrane": (PM_AREA, ["cytosol", "ledger"]),
                         "er-pm junctions": (JUNCTIONS, ["cytosol", "er", "ledger"])})
    er, plasma, junctions = (places[name] for name in ("er membrane", "plasma membrane", "er-pm junctions"))
    calcium = Species("calcium", places["cytosol"], REST["c"])
    store = Species("ER calcium", places["er"], GAMMA * (REST["total"] - REST["c"]))
    IP3, h = Species("IP3", places["cytosol"], ip3), Species("h", er, REST["h"], unit="1")
    outside = Species("calcium outside", places["ledger"], signed=True)
    mechanisms = (
        LiRinzel(er, calcium, store, IP3, h, permeability=0.222 / ER_AREA, a2=0.04),
        ERLeak(er, calcium, store, permeability=0.002 / ER_AREA),
        SERCA(er, calcium, store, V=0.9 / ER_AREA, n=1.75),
        PMCA(plasma, calcium, outside, V=10 * DELTA / PM_AREA, K=2.5),
        LinearExtrusion(plasma, calcium, outside, rate=1.2 * DELTA / PM_AREA),
        PlasmaLeak(plasma, calcium, outside, influx=0.05 * DELTA / PM_AREA),
        HandySOCE(junctions, calcium, store, outside, V=1.57 * DELTA / JUNCTIONS))
    return OpenCell(Model((calcium, store, IP3, h, outside), mechanisms), calcium, store, IP3, h, outside, places)


@dataclass(frozen=True, eq=False)
class Transient:
    """The IP3 of Handy 2017's single peak: it rises as 1 - exp(-r t), then decays to 0.005 uM in `decay`."""

    where: Place
    ip3: Species
    start: float = 20.0
    rise: float = 17.0
    decay: float = 97.0
    r: float = 0.002
    highest: float = 0.375

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(np.array([self.start, self.start + self.rise])),)

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        since = t - self.start
        if since < 0:
            return {self.ip3: 0.0}
        if since < self.rise:
            return {self.ip3: self.highest * self.r * np.exp(-self.r * since) / -np.expm1(-self.r * self.rise)}
        return {self.ip3: np.log(0.005 / self.highest) / self.decay * c[self.ip3]}


def late_range(t: Floats, c: Floats, after: float) -> tuple[float, float, float]:
    """Smallest and largest value and period of the last cycle after a time."""
    late = t > after
    peaks, troughs = refined_peaks(t[late], c[late]), refined_peaks(t[late], -c[late])
    return -troughs[-1][1], peaks[-1][1], peaks[-1][0] - peaks[-2][0]


# Li-Rinzel: where rest and oscillation begin and end

@dataclass(frozen=True)
class Branch:
    """All states of rest of a closed Li-Rinzel cell, by their Ca2+."""

    values: Constants

    def ip3(self, calcium: float) -> float:
        """The IP3 at which a Ca2+ is at rest."""
        return float(brentq(lambda ip3: self._at(calcium, ip3)[0], 0.01, 50.0, xtol=1e-14))

    def eigenvalues(self, calcium: float) -> Floats:
        """Of the linearised system, at rest."""
        return self._at(calcium, self.ip3(calcium), jacobian=True)[1]

    def trace(self, calcium: float) -> float:
        return float(self.eigenvalues(calcium).sum().real)

    def _at(self, calcium: float, ip3: float, jacobian: bool = False) -> tuple[float, Floats]:
        """Rate of change of Ca2+ with h at rest, and if asked the eigenvalues."""
        one = cell(self.values, ip3)
        system = assemble(one.model)
        u = system.initial()
        ca, store, _, h = (system.layout.values(u, species) for species in one.model)
        ca[:], store[:] = calcium, (TOTAL - calcium) / self.values.rho
        h[:] = one.model.mechanisms[0].rest(calcium, ip3)
        rate = system.rate(u, 0.0)[system.layout.index(one.calcium)[0]]
        if not jacobian:
            return rate, np.zeros(0)
        nudges = 1e-6 * np.eye(len(u))
        J = np.array([(system.rate(u + du, 0.0) - system.rate(u - du, 0.0)) / 2e-6 for du in nudges]).T
        return rate, np.linalg.eigvals(J)

    def folds(self) -> list[float]:
        """IP3 at which two states of rest meet, the smallest Ca2+ first."""
        grid = np.linspace(0.04, 0.6, 60)
        level = np.array([self.ip3(c) for c in grid])
        found = []
        for sign in (-1.0, 1.0):
            for k in np.flatnonzero((sign * level[1:-1] < sign * level[:-2]) & (sign * level[1:-1] < sign * level[2:])):
                best = minimize_scalar(lambda c, sign=sign: sign * self.ip3(c), bounds=(grid[k], grid[k + 2]),
                                       method="bounded", options={"xatol": 1e-7})
                found.append(sign * best.fun)
        return found

    def hopf_points(self) -> list[tuple[float, float]]:
        """(IP3, period) at which a pair of complex eigenvalues crosses the imaginary axis, the smallest Ca2+ first."""
        grid = np.linspace(0.04, 0.6, 60)
        growth = np.array([self.trace(c) for c in grid])
        found = []
        for k in np.flatnonzero(growth[1:] * growth[:-1] < 0):
            calcium = brentq(self.trace, grid[k], grid[k + 1], xtol=1e-12)
            turning = np.abs(self.eigenvalues(calcium).imag).max()
            if turning > 1e-3:
                found.append((self.ip3(calcium), 2 * np.pi / turning))
        return found


@pytest.mark.parametrize(("values", "folds", "lower", "upper", "period"), [
    pytest.param(FM, (0.54399, 0.48230), 0.52907, 0.86002, 10.028, id="O4-FM"),
    pytest.param(STIMBERG, (0.55056, 0.48086), 0.53619, 0.86405, 9.9155, id="O6-Stimberg")])
def test_O4_O6_rest_and_oscillation_begin_and_end_where_published(values, folds, lower, upper, period):
    branch = Branch(values)
    assert branch.folds() == pytest.approx(folds, rel=1e-3)
    hopf = branch.hopf_points()
    assert [ip3 for ip3, _ in hopf] == pytest.approx([lower, upper], rel=1e-3)
    assert hopf[-1][1] == pytest.approx(period, rel=1e-3)


def swing(values: Constants, ip3: float, until: float) -> float:
    """Largest minus smallest Ca2+ at the end of a run that begins on the large cycle."""
    one = cell(values, ip3, calcium=0.06, h=0.85)
    t, series = run(one.model, until, samples=8000)
    late = series[one.calcium][t > until - 30]
    return float(late.max() - late.min())


def test_O4_the_large_cycle_persists_beside_a_stable_rest_up_to_the_published_ip3():
    assert swing(FM, 1.12 * 0.98, 400.0) > 0.5
    assert swing(FM, 1.12 * 1.02, 400.0) < 1e-3
    assert swing(FM, 1.0, 200.0) > 0.5
    upper = brentq(lambda calcium: Branch(FM).ip3(calcium) - 1.0, 0.15, 0.5)
    assert Branch(FM).trace(upper) < 0


# Handy 2017

def test_O11_handy_rests_where_published():
    one = handy()
    system = assemble(one.model)
    rate = system.state(system.rate(system.initial(), 0.0))
    assert np.abs([rate[one.calcium][0], rate[one.store][0] / GAMMA, rate[one.h][0]]).max() < 5e-8
    _, series = run(one.model, 3000.0, samples=100)
    assert series[one.calcium][-1] == pytest.approx(REST["c"], rel=1e-6)
    assert series[one.h][-1] == pytest.approx(REST["h"], rel=1e-6)
    assert series[one.calcium][-1] + series[one.store][-1] / GAMMA == pytest.approx(REST["total"], rel=1e-6)
    assert series[one.store][-1] == pytest.approx(REST["store"], rel=1e-5)  # published to 1e-5


def test_O12_handy_answers_an_ip3_transient_as_published():
    one = handy()
    t, series = run(one.model.with_mechanisms(Transient(one.places["cytosol"], one.ip3)), 150.0, samples=15_000)
    peaks = [peak for peak in refined_peaks(t, series[one.calcium]) if peak[1] > 1.1 * REST["c"]]
    assert len(peaks) == 1
    assert peaks[0] == pytest.approx((30.507, 1.4885), rel=0.01)
    assert series[one.store].min() == pytest.approx(153.05, rel=0.01)


@pytest.mark.parametrize(("ip3", "published"), [(0.2, (0.1272, 0.3856, 28.26)), (0.3, (0.1412, 0.5793, 23.08))])
def test_O13_handy_oscillates_at_constant_ip3_as_published(ip3, published):
    one = handy(ip3)
    t, series = run(one.model, 1500.0, samples=30_000)
    assert late_range(t, series[one.calcium], 1300.0) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("ip3", "calcium"), [(0.1, 0.1200), (0.15, 0.1685), (0.4, 0.4158), (0.5, 0.4794),
                                              (0.8, 0.5939)])
def test_O13_handy_rests_at_constant_ip3_as_published(ip3, calcium):
    one = handy(ip3)
    t, series = run(one.model, 1500.0, samples=1500)
    late = series[one.calcium][t > 1400.0]
    assert late == pytest.approx(np.full(len(late), calcium), rel=0.01)


# De Young-Keizer

def dyk_cell(ip3: float, make: Callable[..., Mechanism], volume: float = 0.185, store: float = 1.0,
             calcium: float = 0.1) -> tuple[Model, Species, tuple[Species, ...]]:
    """A cell whose ER has this volume and Ca2+, its receptors at rest: the model, Ca2+, and the eight states."""
    places = well_mixed({"cytosol": 1.0, "er": volume}, {"er membrane": (1.0, ["cytosol", "er"])})
    er = places["er membrane"]
    ca, IP3 = Species("calcium", places["cytosol"], calcium), Species("IP3", places["cytosol"], ip3)
    lumen = Species("ER calcium", places["er"], store)
    start = np.eye(8)[0]
    for _ in range(2):
        states = state_species(er, start)
        receptor = make(er, ca, lumen, IP3, states)
        start = receptor.rest(calcium, ip3)
    return Model((ca, lumen, IP3, *states), (receptor,)), ca, states


def dyk_file(ip3: float) -> tuple[Model, Species]:
    """DYK.ode: scaled, the store held at 1 by its size, and d4 as published."""
    model, calcium, states = dyk_cell(
        ip3, lambda *species: DeYoungKeizer(*species, permeability=20.0, d4=0.145), volume=1e12)
    _, store, *_ = model.species
    er = states[0].place
    return model.with_mechanisms(ERLeak(er, calcium, store, permeability=0.004),
                                 SERCA(er, calcium, store, V=1.2, K=0.1)), calcium


@pytest.mark.parametrize(("ip3", "period", "largest"), [
    (0.4, 42.36, 0.6766), (0.5, 25.53, 0.6857), (0.53, 19.94, 0.6483), (0.6, 14.91, 0.5880)])
def test_O14_de_young_keizer_oscillates_as_published(ip3, period, largest):
    model, calcium = dyk_file(ip3)
    t, series = run(model, 220.0, samples=11_000)
    _, top, T = late_range(t, series[calcium], 100.0)
    assert (T, top) == pytest.approx((period, largest), rel=0.01)


@pytest.mark.parametrize(("ip3", "calcium"), [(0.3, 0.009736), (0.7, 0.294401), (0.8, 0.327969), (1.0, 0.379164)])
def test_O14_de_young_keizer_rests_as_published(ip3, calcium):
    model, one = dyk_file(ip3)
    t, series = run(model, 600.0, samples=600)
    late = series[one][t > 590.0]
    assert late == pytest.approx(np.full(len(late), calcium), rel=0.01)


def receptor(**constants: float) -> DeYoungKeizer:
    return dyk_cell(0.5, lambda *species: DeYoungKeizer(*species, **constants))[0].mechanisms[0]


@pytest.mark.parametrize(("calcium", "part"), [(0.05, 0.27003), (0.1, 0.35698), (0.2, 0.39117), (0.3, 0.37621),
                                               (0.5, 0.32580), (1.0, 0.23041), (5.0, 0.06556)])
def test_O15_de_young_keizer_is_in_equilibrium_as_published(calcium, part):
    assert receptor().rest(calcium, 0.5)[OPEN] == pytest.approx(part, abs=1e-5)


@pytest.mark.parametrize(("ip3", "where", "highest"), [(0.5, 0.1945, 0.0599), (2.0, 0.2507, 0.1499)])
def test_O16_opening_is_a_bell_of_calcium(ip3, where, highest):
    one = receptor()
    best = minimize_scalar(lambda c: -one.rest(c, ip3)[OPEN] ** 3, bounds=(0.01, 2.0), method="bounded")
    assert (best.x, -best.fun) == pytest.approx((where, highest), rel=0.01)


def test_de_young_keizer_is_in_detailed_balance_by_default_and_not_as_published():
    """At rest every binding is at rest by itself; with the published d4 Ca2+ and IP3 go round in a circle."""
    def turning(one: DeYoungKeizer) -> float:
        x = one.rest(0.2, 0.5).reshape(2, 2, 2)
        return float(one.a1 * np.abs(0.5 * x[0, :, 0] - one.d1 * x[1, :, 0]).max())

    assert turning(receptor()) < 1e-12
    assert turning(receptor(d4=0.145)) > 1e-6


def test_states_of_de_young_keizer_add_up_whatever_they_are_and_none_falls_below_zero():
    rng = np.random.default_rng(1)
    for d4 in (None, 0.145):
        one = receptor(d4=d4)
        parts = rng.dirichlet(np.ones(8), 50).T * (rng.random((8, 50)) > 0.3)
        c = {one.calcium: rng.random(50), one.ip3: rng.random(50), one.store: 10 * rng.random(50),
             **dict(zip(one.states, parts, strict=True))}
        changes = np.array([one.rates(c, 0.0)[state] for state in one.states])
        assert np.abs(changes.sum(axis=0)).max() < 1e-14 * np.abs(changes).max()
        assert (changes[parts == 0] >= 0).all()


def test_a_run_of_de_young_keizer_conserves_receptors_and_calcium():
    model, calcium, states = dyk_cell(0.3, DeYoungKeizer, store=TOTAL / 0.185)
    store = model.species[1]
    recording = simulate(model, 2.0, [mean(one) for one in (calcium, store, *states)])
    receptors = sum(recording[f"mean {one.name}"] for one in states)
    total = recording["mean calcium"] + 0.185 * recording["mean ER calcium"]
    assert np.ptp(recording["mean calcium"]) > 0.05
    assert np.abs(receptors - 1).max() < 1e-13
    assert np.abs(total / total[0] - 1).max() < 1e-13


@pytest.mark.parametrize("calcium", [0.03, 0.2, 2.0])
@pytest.mark.parametrize("ip3", [0.05, 0.5, 3.0])
def test_li_rinzel_and_de_young_keizer_are_open_alike_at_rest(calcium, ip3):
    li_rinzel = cell(AM, ip3).model.mechanisms[0]
    m = ip3 / (ip3 + li_rinzel.d1) * calcium / (calcium + li_rinzel.d5)
    same = receptor(d2=li_rinzel.d2, d5=li_rinzel.d5)
    assert same.rest(calcium, ip3)[OPEN] == pytest.approx(m * li_rinzel.rest(calcium, ip3), rel=1e-11)


def departure(speed: float) -> float:
    """Largest distance of De Young-Keizer's Ca2+ from Li-Rinzel's over 15 s of an AM cell, IP3 stepped to 0.5 uM."""
    one = cell(AM, 0.5, calcium=0.1)
    _, series = run(one.model, 15.0, samples=300)
    fast = {"a1": 400.0 * speed, "a3": 400.0 * speed, "a5": 20.0 * speed}
    model, calcium, states = dyk_cell(0.5, lambda *species: DeYoungKeizer(
        *species, permeability=AM.release * AM.rho, d2=AM.d2, d5=AM.d5, **fast), store=(TOTAL - 0.1) / AM.rho)
    h = cell(AM, 0.5).h.initial
    er, store = states[0].place, model.species[1]
    model = model.with_mechanisms(SERCA(er, calcium, store, V=0.9),
                                  ERLeak(er, calcium, store, permeability=AM.leak * AM.rho))
    full = with_gate(model, states, 0.1, 0.5, h)
    _, whole = run(full, 15.0, samples=300)
    return float(np.abs(whole[calcium] - series[one.calcium]).max())


def with_gate(model: Model, states: tuple[Species, ...], calcium: float, ip3: float, h: float) -> Model:
    """The model with `h` of its receptors free of inhibiting Ca2+, the other sites in equilibrium."""
    rest = model.mechanisms[0].rest(calcium, ip3).reshape(2, 2, 2)
    parts = rest / rest.sum(axis=(0, 1)) * np.array([h, 1 - h])
    new = state_species(states[0].place, parts.ravel())
    old_receptor, *others = model.mechanisms
    kept = model.species[:-8]
    return Model((*kept, *new), (replace(old_receptor, states=new), *others))


def test_de_young_keizer_becomes_li_rinzel_when_all_but_inhibition_is_fast():
    hundred, thousand = departure(100.0), departure(1000.0)
    assert thousand < 1e-3
    assert hundred / thousand == pytest.approx(10, rel=0.1)


# Denizot

def denizot(**constants: Any) -> DenizotIP3R:
    """Receptors 73/um^2 in a process with 2 um^2 of ER membrane to 0.4 um^3."""
    places = well_mixed({"cytosol": 0.4, "er": 0.1}, {"er membrane": (2.0, ["cytosol", "er"])})
    er, cytosol = places["er membrane"], places["cytosol"]
    states = receptor_species(er, 73 * np.eye(8)[0])
    return DenizotIP3R(er, Species("calcium", cytosol, 0.12), Species("ER calcium", places["er"], 400.0),
                       Species("IP3", cytosol, 0.12), states, **constants)


@pytest.mark.parametrize(("calcium", "part"), [(0.12, 3.489e-5), (1.0, 2.847e-4), (10.0, 2.348e-3)])
def test_O18_receptors_of_denizot_are_open_as_published(calcium, part):
    assert denizot().rest(calcium, 0.12)[OPEN] == pytest.approx(part, rel=1e-3)


@dataclass(frozen=True, eq=False)
class Catalysis:
    """IP3 made in proportion to Ca2+."""

    where: Place
    ip3: Species
    calcium: Species
    k: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.ip3: self.k * c[self.calcium]}


def test_O17_the_ode_of_denizot_2019_rests_as_published():
    """Its molecules on an area of 4e4 are ours in a volume in which 4e4 molecules make 1 uM."""
    area = 4e4
    places = well_mixed({"cytosol": area * molecule, "er": 1.0, "ledger": 1.0},
                        {"er membrane": (1.0, ["cytosol", "er"]), "plasma membrane": (1.0, ["cytosol", "ledger"])})
    cytosol, er, plasma = (places[name] for name in ("cytosol", "er membrane", "plasma membrane"))
    calcium, ip3 = Species("calcium", cytosol, 50 / area), Species("IP3", cytosol, 15 / area)
    store, outside, gone = (Species("ER calcium", places["er"], signed=True),
                            Species("outside", places["ledger"], signed=True), Species("gone", cytosol))
    states = receptor_species(er, 1000 * np.eye(8)[0])
    model = Model((calcium, ip3, store, outside, gone, *states), (
        DenizotIP3R(er, calcium, store, ip3, states, flux=50 * molecule, a_ip3=1.0, b_ip3=0.1, a_act=1.0, b_act=0.1,
                    a_inh=0.1, b_inh=0.1),
        PlasmaLeak(plasma, calcium, outside, influx=50 * molecule), LinearExtrusion(cytosol, calcium, gone, rate=1.0),
        Catalysis(cytosol, ip3, calcium, k=0.1 * 1e3 / area), Conversion(cytosol, ip3, gone, rate=0.01)))
    _, series = run(model, 3000.0, samples=100)
    found = series[calcium][-1] * area, series[ip3][-1] * area, series[states[OPEN]][-1]
    assert found == pytest.approx((52.0825, 13.0206, 0.04165), rel=1e-3)


def test_receptors_of_denizot_hold_what_they_bind():
    one = denizot()
    model = Model((one.calcium, one.store, one.ip3, *one.states), (one,))
    _, series = run(model, 0.5, samples=50)
    receptors = np.array([series[state] for state in one.states])
    held = 2.0 * molecule * receptors
    bits = np.array([[int(bit) for bit in name] for name in ("000", "001", "010", "011", "100", "101", "110", "111")])
    calcium = 0.4 * series[one.calcium] + 0.1 * series[one.store] + bits[:, 1:].sum(axis=1) @ held
    ip3 = 0.4 * series[one.ip3] + bits[:, 0] @ held
    assert series[one.ip3][-1] < 0.119
    assert np.abs(calcium / calcium[0] - 1).max() < 1e-12
    assert np.abs(ip3 / ip3[0] - 1).max() < 1e-12
    assert np.abs(receptors.sum(axis=0) / 73 - 1).max() < 1e-12


def test_receptors_of_denizot_come_to_the_rest_they_say():
    one = denizot(flux=0.0)
    _, series = run(Model((one.calcium, one.store, one.ip3, *one.states), (one,)), 5.0, samples=50)
    parts = np.array([series[state][-1] for state in one.states]) / 73
    assert parts == pytest.approx(one.rest(series[one.calcium][-1], series[one.ip3][-1]), rel=1e-6)


def test_an_open_receptor_of_denizot_lets_6000_ions_through_per_second():
    one, scaled = denizot(), denizot(full=800.0)
    for model, ions in ((one, 6000.0), (scaled, 6000.0 * (400.0 - 0.12) / 800.0)):
        c = {model.calcium: np.array([0.12]), model.store: np.array([400.0]), model.ip3: np.array([0.0]),
             **{state: np.array([float(k == OPEN)]) for k, state in enumerate(model.states)}}
        assert -model.rates(c, 0.0)[model.store][0] * MOLECULES == pytest.approx(ions, rel=1e-12)


@pytest.mark.parametrize("kind", [DeYoungKeizer, DenizotIP3R])
def test_a_receptor_needs_a_species_for_each_of_its_states(kind):
    one = denizot()
    with pytest.raises(InputError, match=rf"^{kind.__name__}: 7 species are given as states; give one for each of "
                                         "000, 001, 010, 011, 100, 101, 110, 111$"):
        kind(one.where, one.calcium, one.store, one.ip3, one.states[:7])


# The Na+/Ca2+ exchanger

def exchanger(**what: Any) -> NCX:
    places = well_mixed({"cytosol": 0.5, "ecs": 0.2}, {"plasma membrane": (10.0, ["cytosol", "ecs"])})
    made = {"calcium": Species("calcium", places["cytosol"], 0.1), "outside": Species("Ca_o", places["ecs"], 1800.0)}
    made |= {name: make(places) for name, make in what.items() if callable(make)}
    return NCX(places["plasma membrane"], **made, **{name: v for name, v in what.items() if not callable(v)})


@pytest.mark.parametrize(("calcium", "sodium"), [(0.1, 15e3), (0.05, 8e3), (2.0, 40e3)])
@pytest.mark.parametrize("temperature", [298.0, 310.0])
def test_K10_the_exchanger_reverses_at_3_E_Na_minus_2_E_Ca(calcium, sodium, temperature):
    one = exchanger(temperature=temperature)
    levels = calcium, sodium, 150e3, 1800.0
    turns = brentq(lambda V: one.current(*levels, V), -300.0, 300.0, xtol=1e-12)
    E_Na = 8.314462618 * temperature / 96485.33212 * 1e3 * np.log(150e3 / sodium)
    E_Ca = 8.314462618 * temperature / 96485.33212 * 1e3 / 2 * np.log(1800.0 / calcium)
    assert turns == pytest.approx(3 * E_Na - 2 * E_Ca, rel=1e-10)
    assert one.reversal(*levels) == pytest.approx(3 * E_Na - 2 * E_Ca, rel=1e-12)
    assert one.current(*levels, turns + 10.0) > 0 > one.current(*levels, turns - 10.0)


def test_the_exchanger_is_luo_and_rudy():
    """The current as biophysics A5 writes it, with every concentration and voltage moved from its default."""
    Cai, Nai, Nao, Cao, V = 0.3, 20e3, 120e3, 1200.0, -60.0
    v, eta = V / (8.314462618 * 298 / 96485.33212 * 1e3), 0.35
    expected = (1e-4 * Nao**3 / ((87.5 * mM) ** 3 + Nao**3) * Cao / (1.38 * mM + Cao)
                * (Nai**3 / Nao**3 * np.exp(eta * v) - Cai / Cao * np.exp((eta - 1) * v))
                / (1 + 0.1 * np.exp((eta - 1) * v)))
    assert exchanger().current(Cai, Nai, Nao, Cao, V) == pytest.approx(expected, rel=1e-12)


def with_all_species() -> NCX:
    places = well_mixed({"cytosol": 0.5, "ecs": 0.2, "cell": 1.0}, {
        "plasma membrane": (10.0, ["cytosol", "ecs", "cell"])})
    outside = Species("Ca_o", places["ecs"], 1800.0)
    return NCX(places["plasma membrane"], Species("calcium", places["cytosol"], 1.0), outside,
               sodium=Species("Na_i", places["cytosol"], 15 * mM), sodium_outside=Species("Na_o", places["ecs"], 150e3),
               calcium_outside=outside, V=Species("V", places["cell"], -85.0, signed=True, unit="mV"), I_max=0.1)


def test_the_exchanger_carries_three_sodium_for_one_calcium_and_one_charge():
    one = with_all_species()
    model = Model((one.calcium, one.outside, one.sodium, one.sodium_outside, one.V), (one,))
    recording = simulate(model, 0.5, [mean(species) for species in model])
    inside, outside, Na_i, Na_o = (recording[f"mean {name}"] for name in ("calcium", "Ca_o", "Na_i", "Na_o"))
    moved = 0.5 * (inside[0] - inside[-1])
    assert moved > 0.1
    assert np.ptp(0.5 * inside + 0.2 * outside) < 1e-12 * 0.2 * outside[0]
    assert np.ptp(0.5 * Na_i + 0.2 * Na_o) < 1e-12 * 0.2 * Na_o[0]
    assert 0.5 * (Na_i[-1] - Na_i[0]) == pytest.approx(3 * moved, rel=1e-6)
    gains = one.rates({species: np.array([species.initial]) for species in model}, 0.0)
    current = one.current(1.0, 15e3, 150e3, 1800.0, -85.0)
    charge = 2 * gains[one.calcium] + gains[one.sodium]
    assert charge[0] * 96485.33212e-9 == pytest.approx(-current, rel=1e-12)  # uM um^3 of charge: 96.5 nC/1000
    assert gains[one.V][0] == pytest.approx(-current, rel=1e-12)


def test_the_exchanger_brings_calcium_to_the_level_at_which_it_reverses():
    one = exchanger(I_max=1.0)
    model = Model((one.calcium, one.outside), (replace(one, calcium_outside=one.outside),))
    _, series = run(model, 2000.0, samples=50)
    calcium, outside = series[one.calcium][-1], series[one.outside][-1]
    assert one.reversal(calcium, 15e3, 150e3, outside) == pytest.approx(-85.0, rel=1e-6)


def test_what_is_a_number_is_held_at_it():
    held, free = exchanger(), with_all_species()
    at = {held.calcium: np.array([0.1]), held.outside: np.array([0.0])}
    assert set(held.rates(at, 0.0)) == {held.calcium, held.outside}
    c = {free.calcium: np.array([0.1]), free.outside: np.array([1800.0]), free.sodium: np.array([15e3]),
         free.sodium_outside: np.array([150e3]), free.V: np.array([-85.0])}
    assert free.rates(c, 0.0)[free.calcium] == pytest.approx(held.rates(at, 0.0)[held.calcium] * 1e3, rel=1e-12)


def test_calcium_that_is_read_outside_is_the_calcium_that_is_taken():
    other = with_all_species().outside
    with pytest.raises(InputError, match=r"^NCX: calcium_outside is <Ca_o in ecs> but outside is <Ca_o in ecs>; "
                                         r"Ca2\+ that is read outside must be the Ca2\+ that is taken from there$"):
        exchanger(calcium_outside=other)


# Linear extrusion

def test_linear_extrusion_decays_alike_in_a_volume_and_through_a_membrane():
    places = well_mixed({"cytosol": 0.5, "ledger": 1.0}, {"plasma membrane": (10.0, ["cytosol", "ledger"])}).touching(
        "cytosol", "ledger", np.zeros(1, np.int64))
    calcium = Species("calcium", places["cytosol"], 1.0)
    gone = Species("gone", places["ledger"], signed=True)
    for where, rate in (("cytosol", 30.0), ("plasma membrane", 30.0 * 0.5 / 10.0)):
        t, series = run(Model((calcium, gone), (LinearExtrusion(places[where], calcium, gone, rate=rate),)), 0.1, 100)
        assert series[calcium] == pytest.approx(np.exp(-30.0 * t), rel=1e-7)
        assert 0.5 * series[calcium] + series[gone] == pytest.approx(np.full(len(t), 0.5), rel=1e-12)

