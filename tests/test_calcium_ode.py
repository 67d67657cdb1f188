"""Published numbers of astrocytic Ca2+ models, from our mechanisms in a cell without space (biophysics B5).

The mechanisms are integrated by LSODA over the assembled rate, so that what is compared is the
equations; one test has our own integrator do it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from acting import act
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.calcium_leak import ERLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.mglur import GqReceptor
from spatial.mechanisms.plc import PLCBeta, PLCDelta
from spatial.mechanisms.serca import SERCA
from spatial.model import AtTimes, Model, Species
from spatial.observe.probes import mean
from spatial.simulate import simulate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Constants:
    """What the published models differ in (biophysics A2a)."""

    rho: float = 0.185  # volume of the ER over that of the cytosol
    release: float = 6.0  # Om_C [1/s]
    leak: float = 0.11  # Om_L [1/s]
    K_P: float = 0.1
    d2: float = 1.049
    d5: float = 0.08234


AM = Constants()
FM = Constants(K_P=0.05)
STIMBERG = Constants(rho=0.18, leak=0.1, K_P=0.05, d2=1.05, d5=0.08)
FIGURE_2 = Constants(rho=0.18, leak=0.1, K_P=0.1, d2=1.05, d5=0.08)
TOTAL = 2.0  # C_T [uM], Ca2+ of the whole cell per volume of cytosol


@dataclass(frozen=True)
class Cell:
    """A cytosol of 1 um^3 around an ER, with 2 um^2 of ER membrane and 20 um^2 of plasma membrane."""

    model: Model
    calcium: Species
    ip3: Species
    h: Species
    places: Any

    def with_species(self, *species: Species) -> "Cell":
        return Cell(Model((*self.model.species, *species), self.model.mechanisms),
                    self.calcium, self.ip3, self.h, self.places)


def cell(values: Constants, ip3: float, calcium: float = 0.1, h: float = 0.8) -> Cell:
    """A closed cell: its C_T - (1 + rho) c is our rho (c_ER - c), so P S / V_cyt = Om rho."""
    places = well_mixed({"cytosol": 1.0, "er": values.rho, "ecs": 1.0, "ledger": 1.0},
                        {"er membrane": (2.0, ["cytosol", "er"]),
                         "plasma membrane": (20.0, ["cytosol", "ecs"])}).touching(
        "ecs", "ledger", np.zeros(1, np.int64))
    membrane = places["er membrane"]
    ca = Species("calcium", places["cytosol"], calcium, scale=1.0)
    store = Species("ER calcium", places["er"], (TOTAL - calcium) / values.rho)
    IP3 = Species("IP3", places["cytosol"], ip3, scale=1.0)
    gate = Species("h", membrane, h, unit="1")
    mechanisms = (
        LiRinzel(membrane, ca, store, IP3, gate, permeability=values.release * values.rho / 2,
                 d2=values.d2, d5=values.d5),
        SERCA(membrane, ca, store, V=0.9 / 2, K=values.K_P),
        ERLeak(membrane, ca, store, permeability=values.leak * values.rho / 2))
    return Cell(Model((ca, store, IP3, gate), mechanisms), ca, IP3, gate, places)


def run(model: Model, until: float, samples: int = 4000) -> tuple[Floats, dict[Species, Floats]]:
    """Times and the series of every species of one element, integrated at a tolerance of 1e-9."""
    system = assemble(model)
    u, times, states, start = system.initial(), [], [], 0.0
    for stop in [t for t in (*system.events.instants, until) if t <= until]:
        t = np.linspace(start, stop, max(3, round(samples * (stop - start) / until)))
        found = solve_ivp(lambda t, u: system.rate(u, t), (start, stop), u, "LSODA", t, rtol=1e-9, atol=1e-11)
        skip = 1 if times else 0  # the instant of a jump is there already
        times.append(t[skip:])
        states.append(found.y[:, skip:])
        u, start = found.y[:, -1].copy(), stop
        act(system, u, stop)
    whole = np.concatenate(states, axis=1)
    return np.concatenate(times), {one: whole[system.layout.index(one)[0]] for one in model}


def refined_peaks(t: Floats, c: Floats) -> list[tuple[float, float]]:
    """(time, value) of every maximum, by the parabola through three samples."""
    found = []
    for i in np.flatnonzero((c[1:-1] > c[:-2]) & (c[1:-1] >= c[2:])) + 1:
        step = t[i + 1] - t[i]
        curve = np.polyfit((t[i - 1:i + 2] - t[i]) / step, c[i - 1:i + 2], 2)
        at = -curve[1] / (2 * curve[0])
        found.append((t[i] + at * step, float(np.polyval(curve, at))))
    return found


def cycle(values: Constants, ip3: float, settle: float, periods: float) -> tuple[float, float, float]:
    """Smallest and largest Ca2+ [uM] and the period [s] of the limit cycle."""
    one = cell(values, ip3)
    t, series = run(one.model, settle + periods, samples=20_000)
    late = t > settle
    peaks = refined_peaks(t[late], series[one.calcium][late])
    troughs = refined_peaks(t[late], -series[one.calcium][late])
    return -troughs[-1][1], peaks[-1][1], peaks[-1][0] - peaks[-2][0]


@pytest.mark.parametrize(("ip3", "smallest", "largest", "period"), [
    (0.4, 0.10501, 0.31301, 12.767), (0.5, 0.10770, 0.44456, 11.492), (0.6, 0.13568, 0.50005, 10.962)])
def test_O2_li_rinzel_am_oscillates_as_published(ip3, smallest, largest, period):
    assert cycle(AM, ip3, 250, 40) == pytest.approx((smallest, largest, period), rel=0.005)


@pytest.mark.parametrize(("ip3", "calcium", "h"), [(0.2, 0.082332, 0.786200), (0.8, 0.390580, 0.588932)])
def test_O3_li_rinzel_am_rests_as_published(ip3, calcium, h):
    one = cell(AM, ip3)
    _, series = run(one.model, 600.0)
    assert series[one.calcium][-1] == pytest.approx(calcium, rel=1e-5)
    assert series[one.h][-1] == pytest.approx(h, rel=1e-5)


def fixed_point(ip3: float) -> tuple[float, Floats]:
    """Ca2+ of the AM cell at rest, and the eigenvalues of the linearised system there."""
    one = cell(AM, ip3)
    system = assemble(one.model)
    receptor = one.model.mechanisms[0]

    def state(calcium: float) -> Floats:
        u = system.initial()
        ca, store, _, h = (system.layout.values(u, species) for species in one.model)
        ca[:], store[:], h[:] = calcium, (TOTAL - calcium) / AM.rho, receptor.rest(calcium, ip3)
        return u

    rest = brentq(lambda c: system.rate(state(c), 0.0)[system.layout.index(one.calcium)[0]], 0.02, 1.0, xtol=1e-14)
    u = state(rest)
    nudges = 1e-6 * np.eye(len(u))
    jacobian = np.array([(system.rate(u + du, 0.0) - system.rate(u - du, 0.0)) / 2e-6 for du in nudges]).T
    return rest, np.linalg.eigvals(jacobian)


@pytest.mark.parametrize(("ip3", "calcium", "period"), [(0.35453, 0.15569, 12.554), (0.63688, 0.32330, 10.495)])
def test_O1_oscillations_of_li_rinzel_am_begin_and_end_where_published(ip3, calcium, period):
    def growth(ip3: float) -> float:
        eigenvalues = fixed_point(ip3)[1]
        return float(eigenvalues[np.abs(eigenvalues.imag) > 1e-3].real.max())

    hopf = brentq(growth, ip3 - 0.02, ip3 + 0.02, xtol=1e-8)
    rest, eigenvalues = fixed_point(hopf)
    assert hopf == pytest.approx(ip3, rel=1e-3)
    assert rest == pytest.approx(calcium, rel=1e-3)
    assert 2 * np.pi / np.abs(eigenvalues.imag).max() == pytest.approx(period, rel=1e-3)


@pytest.mark.parametrize(("ip3", "period", "largest"), [
    (0.6, 28.40, 1.0352), (0.8, 19.94, 1.0690), (1.0, 17.50, 1.0900)])
def test_O5_li_rinzel_fm_oscillates_as_published(ip3, period, largest):
    _, peak, T = cycle(FM, ip3, 150, 60)
    assert (T, peak) == pytest.approx((period, largest), rel=0.005)


@pytest.mark.parametrize(("ip3", "period"), [(0.6, 29.377), (0.8, 20.290), (1.0, 17.689)])
def test_O7_the_constants_of_stimberg_oscillate_as_published(ip3, period):
    assert cycle(STIMBERG, ip3, 150, 60)[2] == pytest.approx(period, rel=0.005)


def test_O2_holds_with_our_own_integrator():
    one = cell(AM, 0.5)
    recording = simulate(one.model, 50.0, [mean(one.calcium)], tolerance=Tolerance(1e-3))
    t, c = recording.times, recording["mean calcium"]
    late = t > 10
    peaks = refined_peaks(t[late], c[late])
    assert peaks[-1][0] - peaks[-2][0] == pytest.approx(11.492, rel=0.005)
    assert peaks[-1][1] == pytest.approx(0.44456, rel=0.005)
    assert c[late].min() == pytest.approx(0.10770, rel=0.005)


@dataclass(frozen=True, eq=False)
class Vesicles:
    """Each spike raises glutamate by what one vesicle leaves in the perisynaptic space."""

    where: Place
    glutamate: Species
    times: Floats
    step: float = 0.001 * 500e3  # rho_c Y_T [uM]; Stimberg 2018 Fig. 2

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(self.times, (self.glutamate,), (), lambda c, t, rng: {self.glutamate: self.step}),)


@dataclass(frozen=True, eq=False)
class IP3Exchange:
    """IP3 lost to the rest of the cell, which holds none: J_ex of Stimberg 2018 Fig. 2 at I_bias = 0."""

    where: Place
    ip3: Species
    F: float = 0.09
    threshold: float = 0.3
    width: float = 0.05

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        ip3 = c[self.ip3]
        return {self.ip3: -self.F / 2 * (1 + np.tanh((ip3 - self.threshold) / self.width)) * np.sign(ip3)}


@pytest.fixture(scope="module")
def figure_2() -> tuple[Floats, dict[str, Floats]]:
    """G-ChI under spikes at 0.5 Hz for 30 s: times, and series of Gamma, I, C and h."""
    one = cell(FIGURE_2, ip3=0.0, calcium=0.0, h=0.9)
    cytosol, plasma, ecs = (one.places[name] for name in ("cytosol", "plasma membrane", "ecs"))
    glutamate = Species("glutamate", ecs, scale=100.0)
    gone = Species("glutamate gone", one.places["ledger"], signed=True)
    active = Species("Gamma", plasma, unit="1")
    one = one.with_species(glutamate, gone, active)
    model = one.model.with_mechanisms(
        Vesicles(ecs, glutamate, np.arange(2.0, 30.0, 2.0)), Conversion(ecs, glutamate, gone, 40.0),
        GqReceptor(plasma, glutamate, one.calcium, active), PLCBeta(plasma, one.ip3, active, V=5 / 20),
        PLCDelta(cytosol, one.ip3, one.calcium, V=0.2, K=0.3),
        IP3Degradation(cytosol, one.ip3, one.calcium, K_D=0.5, k_5P=0.1), IP3Exchange(cytosol, one.ip3))
    t, series = run(model, 30.0, samples=30_000)
    return t, {"Gamma": series[active], "I": series[one.ip3], "C": series[one.calcium], "h": series[one.h]}


PEAKS = [(3.146, 1.158), (4.526, 0.740), (8.766, 0.690), (13.005, 0.601), (15.80, 0.455), (17.11, 0.533),
         (19.64, 0.465), (21.14, 0.514), (23.59, 0.469), (25.15, 0.509), (27.58, 0.471), (29.15, 0.508)]


def test_O8_calcium_of_g_chi_peaks_when_and_as_high_as_published(figure_2):
    t, series = figure_2
    peaks = refined_peaks(t, series["C"])
    assert len(peaks) == len(PEAKS)
    for (at, high), (when, value) in zip(peaks, PEAKS, strict=True):
        assert at == pytest.approx(when, abs=0.02)
        assert high == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize(("name", "when", "value"), [("Gamma", 2.056, 0.9416), ("I", 7.054, 2.2414)])
def test_O9_g_chi_reaches_the_published_maxima(figure_2, name, when, value):
    t, series = figure_2
    top = int(np.argmax(series[name]))
    assert t[top] == pytest.approx(when, abs=0.02)
    assert series[name][top] == pytest.approx(value, rel=0.01)


def test_O9_the_gate_of_g_chi_reaches_the_published_minimum(figure_2):
    t, series = figure_2
    assert t[int(np.argmin(series["h"]))] == pytest.approx(10.03, abs=0.02)
    assert series["h"].min() == pytest.approx(0.5590, rel=0.01)


@pytest.mark.parametrize(("when", "values"), [
    (4.99, (0.03795, 0.33279, 0.67008, 0.61329)), (9.99, (0.00201, 0.19053, 0.31129, 0.55922)),
    (14.99, (0.08853, 1.56409, 0.38920, 0.57990)), (19.99, (0.00465, 0.61354, 0.44416, 0.57988))])
def test_O10_g_chi_has_the_published_state(figure_2, when, values):
    t, series = figure_2
    found = [np.interp(when, t, series[name]) for name in ("Gamma", "I", "C", "h")]
    assert found == pytest.approx(values, rel=0.01)
