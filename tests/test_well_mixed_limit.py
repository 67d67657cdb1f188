"""A cell in which everything spreads at once is a cell without space: meshes, membranes and units agree."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from spatial._engine.methods.tolerance import Tolerance
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.mglur import GqReceptor
from spatial.mechanisms.plc import PLCBeta, PLCDelta
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.model import Concentrations, Model, Species
from spatial.observe.probes import Probe, mean
from spatial.observe.recording import Recording
from spatial.simulate import simulate

Floats = NDArray[np.float64]

FAST = 1e3  # um^2/s; across the ball of 0.3 um in 10 us
RHO, ER_AREA = 0.185, 2.0  # ER per cytosol: volume [1] and membrane [1/um]
REST, IP3, MOBILE, IMMOBILE = 0.1, 2.0, 0.5, 5.0  # uM
UNTIL = 5.0  # s
NAMES = ("calcium", "ER calcium", "IP3", "h", "mobile bound", "immobile bound", "active receptors")


def ball() -> Mesh:
    """Cytosol in tetrahedra with an ER that shares every vertex, and its membrane everywhere between."""
    mesh = discretise(shapes.ball(0.3, 0.15))
    cytosol = mesh["cytosol"]
    here = np.arange(len(cytosol))
    er = Place("er", 3, RHO * cytosol.measure, cytosol.centres.copy(), cytosol.links.copy(),
               RHO * cytosol.transmissibility)
    membrane = Place("er membrane", 2, ER_AREA * cytosol.measure, cytosol.centres.copy(),
                     touches={"cytosol": here, "er": here})
    return with_ledger(mesh.with_places(er, membrane))


def cell_without_space(volume: float, area: float) -> Mesh:
    """The same cell as one element per place."""
    return with_ledger(well_mixed({"cytosol": volume, "er": RHO * volume}, {
        "er membrane": (ER_AREA * volume, ["cytosol", "er"]), "plasma membrane": (area, ["cytosol"])}))


def with_ledger(mesh: Mesh) -> Mesh:
    """Beyond the plasma membrane: glutamate, held, and what has left."""
    mesh = mesh.with_places(pool("outside", [1.0]))
    return mesh.touching("plasma membrane", "outside", np.zeros(len(mesh["plasma membrane"]), np.int64))


def astrocyte(mesh: Mesh, D: float = FAST) -> Model:
    """Ca2+, two buffers, IP3 and receptors under 5 uM glutamate; all IP3 begins in one half of the cell."""
    cytosol, membrane, plasma = mesh["cytosol"], mesh["er membrane"], mesh["plasma membrane"]
    x = cytosol.centres[:, 0]
    half = (x >= 0).astype(float)
    half *= IP3 * cytosol.total / (half @ cytosol.measure)
    mobile, immobile = bound_at(REST, MOBILE, 0.24), bound_at(REST, IMMOBILE, 10.0)
    ca = Species("calcium", cytosol, REST, D=D)
    store = Species("ER calcium", mesh["er"], (2 - REST) / RHO, D=D)
    ip3 = Species("IP3", cytosol, half, D=D, scale=1.0)
    h = Species("h", membrane, 0.7, unit="1")
    free = Species("mobile", cytosol, MOBILE - mobile, D=D)
    bound = Species("mobile bound", cytosol, mobile, D=D)
    fixed, held = Species("immobile", cytosol, IMMOBILE - immobile), Species("immobile bound", cytosol, immobile)
    active = Species("active receptors", plasma, unit="1", scale=0.1)
    glutamate = Species("glutamate", mesh["outside"], 5.0)
    gone = Species("calcium outside", mesh["outside"], signed=True)
    return Model([ca, store, ip3, h, free, bound, fixed, held, active, glutamate, gone], [
        LiRinzel(membrane, ca, store, ip3, h), SERCA(membrane, ca, store), ERLeak(membrane, ca, store),
        PMCA(plasma, ca, gone), PlasmaLeak(plasma, ca, gone, influx=0.002),
        Buffer(cytosol, ca, free, bound, kon=100.0, K=0.24), Buffer(cytosol, ca, fixed, held),
        GqReceptor(plasma, glutamate, ca, active), PLCBeta(plasma, ip3, active, V=0.02),
        PLCDelta(cytosol, ip3, ca, V=0.2, K=0.3), IP3Degradation(cytosol, ip3, ca, k_5P=0.1)])


def by_hand(svr: float, t: Floats) -> dict[str, Floats]:
    """The same cell as ordinary differential equations, per volume of cytosol; `svr` is S_PM/V [1/um]."""

    def rate(t: float, y: Floats) -> list[float]:
        c, er, ip3, h, mobile, immobile, active = y
        m = ip3 / (ip3 + 0.13) * c / (c + 0.08234)
        release = (6 * m**3 * h**3 + 0.11) * 0.185 * (er - c)
        pump = 0.9 * c**2 / (c**2 + 0.1**2)
        extrusion = svr * (0.05 * c**2 / (c**2 + 0.45**2) - 0.002)
        to_mobile = 100 * (c * (MOBILE - mobile) - 0.24 * mobile)
        to_immobile = 1000 * (c * (IMMOBILE - immobile) - 10 * immobile)
        Q2 = 1.049 * (ip3 + 0.13) / (ip3 + 0.9434)
        made = svr * 0.02 * active + 0.2 / (1 + ip3 / 1.5) * c**2 / (c**2 + 0.3**2)
        lost = 4.5 * c**4 / (c**4 + 0.7**4) * ip3 / (ip3 + 1) + 0.1 * ip3
        return [release - pump - extrusion - to_mobile - to_immobile, (pump - release) / RHO, made - lost,
                0.2 * (Q2 * (1 - h) - c * h), to_mobile, to_immobile,
                0.3 * 5 * (1 - active) - 0.5 * (1 + 10 * c / (c + 0.5)) * active]

    start = [REST, (2 - REST) / RHO, IP3, 0.7, bound_at(REST, MOBILE, 0.24), bound_at(REST, IMMOBILE, 10.0), 0.0]
    found = solve_ivp(rate, (0, UNTIL), start, "LSODA", t, rtol=1e-9, atol=1e-11)
    return dict(zip(NAMES, found.y, strict=True))


CALCIUM = ("calcium", "ER calcium", "mobile bound", "immobile bound", "calcium outside")


def record(model: Model) -> Recording:
    def amount(c: Concentrations) -> float:
        return sum(float(one.place.measure @ c[one]) for one in model if one.name in CALCIUM)

    watch = [*(mean(species) for species in model), Probe("all calcium", "uM um^3", amount)]
    return simulate(model, UNTIL, watch, tolerance=Tolerance(5e-3))


@dataclass(frozen=True)
class Runs:
    """The cell in space, without space, and by hand."""

    svr: float
    space: Recording
    none: Recording


@pytest.fixture(scope="module")
def runs() -> Runs:
    mesh = ball()
    cytosol, plasma = mesh["cytosol"], mesh["plasma membrane"]
    return Runs(plasma.total / cytosol.total, record(astrocyte(mesh)),
                record(astrocyte(cell_without_space(cytosol.total, plasma.total))))


def apart(times: Floats, values: Floats, other_times: Floats, other: Floats) -> float:
    """The largest difference over time, as part of the largest value."""
    return float(np.abs(np.interp(other_times, times, values) - other).max() / np.abs(other).max())


def test_the_cell_has_a_transient_worth_comparing(runs):
    calcium = runs.space["mean calcium"]
    assert calcium.max() > 3 * calcium[0]
    assert calcium[-1] < 0.7 * calcium.max()


@pytest.mark.parametrize("name", NAMES)
def test_fast_diffusion_on_tetrahedra_is_the_ode_written_by_hand(runs, name):
    t = runs.space.times
    assert apart(t, runs.space[f"mean {name}"], t, by_hand(runs.svr, t)[name]) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_a_mesh_without_space_is_the_ode_written_by_hand(runs, name):
    t = runs.none.times
    assert apart(t, runs.none[f"mean {name}"], t, by_hand(runs.svr, t)[name]) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_fast_diffusion_on_tetrahedra_is_the_mesh_without_space(runs, name):
    space, none = runs.space, runs.none
    assert apart(space.times, space[f"mean {name}"], none.times, none[f"mean {name}"]) < 0.01


def test_all_calcium_is_somewhere(runs):
    for run in (runs.space, runs.none):
        assert abs(run["mean calcium outside"][-1]) > 1e-4
        np.testing.assert_allclose(run["all calcium"], run["all calcium"][0], rtol=1e-10)


def test_without_fast_diffusion_the_cell_is_another(runs):
    """The control: what does not spread makes another mean Ca2+, so the limit above is one of diffusion."""
    slow = record(astrocyte(ball(), D=1e-3))
    t = slow.times
    assert apart(t, slow["mean calcium"], t, by_hand(runs.svr, t)["calcium"]) > 0.05
