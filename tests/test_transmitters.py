"""Transmitters and buffers: uptake, conversion, open boundaries, exocytosis and binding against closed forms."""

from typing import Any

import numpy as np
import pytest
from acting import end_step
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from toy_places import shells

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.open_boundary import far_permeability
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.buffer import Buffer, bound_at, capacity
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.model import Model, Species
from spatial.observe.probes import Probe, each, mean, total
from spatial.simulate import simulate
from spatial.units import MOLECULES

Floats = NDArray[np.float64]


def first(place: Place) -> Any:
    return np.zeros(len(place), np.int64)


# Transporter


def uptake(glutamate: float, volume: float = 1e9, bound: float = 0.0, **rates: float) -> Model:
    """1.4 um^2 of membrane in an ECS so large that its glutamate [uM] hardly changes."""
    mesh = well_mixed({"ecs": volume, "ledger": 1.0}, {"plasma membrane": (1.4, ["ecs", "ledger"])})
    membrane = mesh["plasma membrane"]
    states = [Species("T", membrane, DENSITY - bound), Species("TG", membrane, bound, scale=DENSITY),
              Species("T inward", membrane, scale=DENSITY)]
    field = Species("glutamate", mesh["ecs"], glutamate, scale=1e-12)
    taken = Species("taken", mesh["ledger"], scale=DENSITY, signed=True)
    return Model([field, *states, taken], [Transporter(membrane, field, *states, taken, **rates)])


def turnover(glutamate: float) -> float:
    """Glutamate taken per transporter and second in the steady state."""
    model = uptake(glutamate)
    t = simulate(model, 0.6, [total(model.species[-1])], tolerance=Tolerance(1e-4, longest=0.02))
    amount = t["total taken"]
    return float((amount[-1] - amount[-11]) / (t.times[-1] - t.times[-11]) / (1.4 * DENSITY))


def test_L4_steady_uptake_has_the_published_turnover_and_affinity():
    one, other = 2.0, 200.0
    v, w = turnover(one), turnover(other)
    K = (w - v) / (v / one - w / other)  # the Michaelis-Menten law through two points
    assert pytest.approx(2.121, rel=1e-3) == K
    assert v * (1 + K / one) == pytest.approx(13.768, rel=1e-3)
    assert turnover(20.0) == pytest.approx(13.768 * 20 / (20 + 2.121), rel=1e-3)


def test_L4_the_defaults_have_the_published_closed_forms():
    kon, koff, kt, kr = (getattr(Transporter, name) for name in ("kon", "koff", "kt", "kr"))
    assert kt * kr / (kt + kr) == pytest.approx(13.768, rel=1e-4)
    assert (koff + kt) / kon * kr / (kt + kr) == pytest.approx(2.121, rel=1e-3)
    assert kt / (kt + koff) == pytest.approx(0.649, rel=1e-3)


def test_L5_a_third_of_bound_glutamate_is_released_back():
    model = uptake(0.0, bound=DENSITY)
    field, _, bound, _, taken = model
    run = simulate(model, 0.1, [total(field), total(bound), total(taken)], tolerance=Tolerance(1e-4))
    back = run["total glutamate"][-1] / (1.4 * DENSITY)
    assert back == pytest.approx(0.35, rel=0.03)
    assert back == pytest.approx(200 / 570, rel=1e-3)
    assert back + run["total taken"][-1] / (1.4 * DENSITY) == pytest.approx(1.0, rel=1e-9)


def test_L9_the_membrane_of_tissue_holds_the_published_pool_of_binding_sites():
    model = uptake(1e-6, volume=0.2, koff=0.0)  # 1.4 um^2 of astrocyte per um^3 of tissue with alpha = 0.2
    system = assemble(model)
    u = system.initial()
    binding = -system.rate(u, 0.0)[system.layout.index(model.species[0])[0]] / 1e-6
    assert pytest.approx(126.0, rel=0.01) == DENSITY * 1.4 / 0.2
    assert binding == pytest.approx(1262.0, rel=0.01)
    assert np.sqrt(320.0 / binding) == pytest.approx(0.50, rel=0.01)


# First-order cascades


def cascade() -> tuple[Model, Species]:
    """ATP -> ADP -> AMP -> adenosine -> taken up, from 10 uM ATP."""
    mesh = well_mixed({"ecs": 1.0, "ledger": 1.0})
    mesh = mesh.touching("ecs", "ledger", first(mesh["ecs"]))
    ecs = mesh["ecs"]
    chain = [Species("ATP", ecs, 10.0), *(Species(name, ecs, scale=10.0) for name in ("ADP", "AMP", "adenosine")),
             Species("taken", mesh["ledger"], scale=10.0, signed=True)]
    return Model(chain, [Conversion(ecs, source, product, k) for source, product, k in
                         zip(chain, chain[1:], (0.9, 1.5, 0.6, 0.35), strict=False)]), chain[3]


def test_P1_a_cascade_of_conversions_is_the_sum_of_exponentials():
    model, adenosine = cascade()
    system = assemble(model)
    column = system.layout.index(adenosine)[0]
    found = solve_ivp(lambda t, u: system.rate(u, t), (0, 10), system.initial(), "LSODA", dense_output=True,
                      rtol=1e-10, atol=1e-12).sol
    assert found([1.0, 5.0, 10.0])[column] == pytest.approx([0.594857, 3.828877, 1.259513], rel=1e-5)
    t = np.linspace(4.2, 4.3, 1001)
    values = found(t)[column]
    assert values.max() == pytest.approx(3.966807, rel=1e-5)
    assert t[values.argmax()] == pytest.approx(4.2461, abs=2e-3)


def test_P1_our_integrator_follows_the_cascade():
    model, adenosine = cascade()
    run = simulate(model, 10.0, [mean(adenosine)], tolerance=Tolerance(1e-4, longest=0.1))  # the peak is seen at steps
    values = run["mean adenosine"]
    assert values.max() == pytest.approx(3.966807, rel=1e-3)
    assert values[-1] == pytest.approx(1.259513, rel=1e-3)


def test_P3_purines_are_conserved_from_release_to_uptake():
    model, _ = cascade()
    run = simulate(model, 10.0, [total(species) for species in model])
    amount = sum(run[f"total {species.name}"] for species in model)
    np.testing.assert_allclose(amount, 10.0, rtol=1e-12)


# Open boundary


@pytest.mark.parametrize(("loss", "alpha", "tortuosity"), [(0.0, 1.0, 1.0), (0.0, 0.2, 1.6), (50.0, 0.2, 1.6)])
def test_a_steady_source_does_not_notice_that_the_open_domain_ends(loss, alpha, tortuosity):
    """c = Q exp(-r/L) / (4 pi alpha D* r) in an endless medium; here it ends at 2 um."""
    D, Q, R = 300.0, 7.0, 2.0
    inner = np.geomspace(1e-3, 1.0, 250)
    place = shells(np.concatenate([[0.0], inner, R - inner[-2::-1], [R]]), alpha, tortuosity)
    edge = Place("edge", 2, np.array([4 * np.pi * R**2]), np.array([[R, 0.0, 0.0]]),
                 touches={"shells": np.array([len(place) - 1]), "ledger": np.zeros(1, np.int64)})
    mesh = Mesh.of(place, edge, pool("ledger", [1.0])).touching("shells", "ledger", first(place))
    atp, gone = Species("ATP", mesh["shells"], 1.0, D=D), Species("gone", mesh["ledger"], signed=True)
    open_edge = far_permeability(mesh["edge"], place, D, (0, 0, 0), alpha, tortuosity, loss)
    fates = [Conversion(mesh["shells"], atp, gone, loss), Conversion(mesh["edge"], atp, gone, open_edge)]
    system = assemble(Model([atp, gone], fates))
    n, base = len(place), system.initial()
    still = system.rate(base, 0.0)
    J = np.array([system.rate(base + du, 0.0) - still for du in np.eye(n + 1)[:n]])[:, :n].T
    source = np.zeros(n)
    source[0] = Q / place.measure[0]
    c = np.linalg.solve(J, -source)
    r, apparent = place.centres[:, 0], D / tortuosity**2
    endless = Q / (4 * np.pi * alpha * apparent * r) * np.exp(-r * np.sqrt(loss / apparent))
    np.testing.assert_allclose(c[r > 0.01], endless[r > 0.01], rtol=2e-3)


# Exocytosis


def sites(count: int, calcium: float, docked: float, **values: Any) -> Model:
    """Release sites at one cytosol at constant Ca2+, with vesicles that empty into one ECS."""
    mesh = well_mixed({"cytosol": 1.0, "ecs": 1.0})
    mesh = mesh.with_points("sites", np.zeros((count, 3)), touching=["cytosol", "ecs"])
    where = mesh["sites"]
    ca, ecs = Species("calcium", mesh["cytosol"], calcium), Species("ATP", mesh["ecs"])
    content = values.setdefault("content", 2.0)
    ready, fused = Species("docked", where, docked), Species("fused", where)
    leaving = Species("leaving", where, scale=content)
    return Model([ca, ecs, ready, fused, leaving], [
        Exocytosis(where, ca, ready, fused, leaving, **values), Emptying(where, leaving, ecs, tau=0.05)])


def named(model: Model) -> dict[str, Species]:
    return {species.name: species for species in model}


def test_R7_released_vesicles_are_binomial():
    """Of 4 vesicles each released with probability 0.6: mean 2.4, variance 0.96."""
    n = 20_000
    model = sites(n, calcium=0.4, docked=4, r_max=2.0, refill=0.0)  # hazard 1/s at half-activation
    system = assemble(model)
    u = system.initial()
    end_step(system, u, 0.0, -np.log(0.4), seed=1)
    fused = system.state(u)[named(model)["fused"]]
    fourth = 4 * 0.6 * 0.4 * (1 + (3 * 4 - 6) * 0.6 * 0.4)  # central moment of the binomial
    assert fused.mean() == pytest.approx(2.4, abs=3 * np.sqrt(0.96 / n))
    assert fused.var() == pytest.approx(0.96, abs=3 * np.sqrt((fourth - 0.96**2) / n))


def test_a_constant_hazard_gives_exponential_waiting_times():
    n = 4000
    model = sites(n, calcium=0.4, docked=1, slots=1, r_max=2.0, refill=0.0)
    run = simulate(model, 4.0, [total(named(model)["docked"])], seed=3, tolerance=Tolerance(longest=0.1))
    waiting, t = run["total docked"] / n, run.times
    assert len(t) > 30
    now, before = np.exp(-t), np.exp(-np.r_[0.0, t[:-1]])  # what a step drew may be read at its end or at the next
    assert (waiting >= now - 4 * np.sqrt(now * (1 - now) / n)).all()
    assert (waiting <= before + 4 * np.sqrt(before * (1 - before) / n)).all()


@pytest.mark.parametrize(("calcium", "hazard"), [(0.0, 0.0), (0.2, 1 / 17), (0.4, 0.5), (0.8, 16 / 17)])
def test_the_hazard_rises_with_the_fourth_power_of_calcium(calcium, hazard):
    release = sites(1, calcium, 4).mechanisms[0]
    assert release.hazard(np.array([calcium])) == pytest.approx([hazard], rel=1e-12)


@pytest.fixture(scope="module")
def busy() -> Any:
    """Sites that fuse and refill often, and what they hold, let go and have let go."""
    model = sites(50, calcium=0.8, docked=4, r_max=3.0, refill=2.0)
    by = named(model)
    conserved = Probe("in and out", "uM um^3", lambda c: float(c[by["ATP"]][0] + c[by["leaving"]].sum()))
    return simulate(model, 30.0, [each(by["docked"]), each(by["fused"]), conserved], seed=5,
                    tolerance=Tolerance(longest=0.1))


def test_vesicles_are_whole_and_fill_no_more_than_their_slots(busy):
    docked = busy["docked"]
    assert (docked == np.rint(docked)).all()
    assert docked.min() == 0
    assert docked.max() == 4


def test_sites_hold_as_many_vesicles_as_refilling_and_fusion_leave(busy):
    late = busy.times > 2
    hazard = 3.0 * 16 / 17
    assert busy["docked"][late].mean() == pytest.approx(4 * 2.0 / (2.0 + hazard), rel=0.05)


def test_every_fused_vesicle_leaves_its_content_and_no_more(busy):
    fused = busy["fused"].sum(axis=1)
    assert fused[-1] > 1000
    np.testing.assert_allclose(busy["in and out"], 2.0 * fused, rtol=1e-12)


def test_fused_vesicles_empty_with_the_time_constant_of_their_pore():
    model = sites(1, calcium=0.0, docked=0)
    by = named(model)
    start = Species("leaving", by["leaving"].place, 2.0)
    emptying = Emptying(start.place, start, by["ATP"], tau=0.05)
    run = simulate(Model([by["ATP"], start], [emptying]), 0.05, [mean(start), mean(by["ATP"])],
                   tolerance=Tolerance(1e-4))
    assert run["mean leaving"][-1] == pytest.approx(2.0 * np.exp(-1), rel=1e-3)
    assert run["mean ATP"][-1] == pytest.approx(2.0 * (1 - np.exp(-1)), rel=1e-3)


@pytest.mark.parametrize("docked", [5, 2.5])
def test_vesicles_that_fit_no_slot_are_refused(docked):
    with pytest.raises(InputError, match=rf"^Exocytosis: 'docked' begins with {docked:g} vesicles at a site; it must "
                                         r"be a whole number from 0 to slots, 4$"):
        sites(3, 0.1, docked)


# Buffers


def test_a_buffer_comes_to_its_equilibrium_and_keeps_what_is_bound():
    cytosol = pool("cytosol", [1.0])
    ca, free, bound = Species("calcium", cytosol, 5.0), Species("free", cytosol, 20.0), Species("bound", cytosol)
    run = simulate(Model([ca, free, bound], [Buffer(cytosol, ca, free, bound)]), 0.1, [mean(ca), mean(free),
                                                                                     mean(bound)])
    c, f, b = (run[f"mean {name}"] for name in ("calcium", "free", "bound"))
    assert c[-1] * f[-1] / b[-1] == pytest.approx(10.0, rel=1e-6)
    assert bound_at(c[-1], 20.0, 10.0) == pytest.approx(b[-1], rel=1e-6)
    np.testing.assert_allclose(c + b, 5.0, rtol=1e-12)
    np.testing.assert_allclose(f + b, 20.0, rtol=1e-12)


@pytest.mark.parametrize(("buffer", "K", "kappa"), [(450.0, 10.0, 44.1), (70.0, 10.0, 6.86), (100.0, 0.2, 222.0)])
def test_buffering_capacity_is_the_slope_of_bound_calcium(buffer, K, kappa):
    slope = (bound_at(0.1 + 1e-6, buffer, K) - bound_at(0.1 - 1e-6, buffer, K)) / 2e-6
    assert capacity(0.1, buffer, K) == pytest.approx(slope, rel=1e-8)
    assert capacity(0.1, buffer, K) == pytest.approx(kappa, rel=2e-3)


@pytest.mark.parametrize(("buffer", "K", "D_buffer", "apparent"), [
    (450.0, 10.0, 0.0, 4.877), (70.0, 10.0, 0.0, 27.98), (100.0, 0.2, 50.0, 50.76)])
def test_M7_a_small_pulse_spreads_with_the_apparent_diffusion_of_buffered_calcium(buffer, K, D_buffer, apparent):
    """The mean square radius of all excess Ca2+ grows by 6 D_apparent t."""
    place = shells(np.linspace(0.0, 4.0, 121))
    r = place.centres[:, 0]
    free = 0.1 * (1 + 0.02 * np.exp(-r**2 / (2 * 0.4**2)))
    held = bound_at(free, buffer, K)
    ca = Species("calcium", place, free, D=220.0)
    unbound = Species("buffer", place, buffer - held, D=D_buffer)
    bound = Species("bound", place, held, D=D_buffer)
    rest = 0.1 + bound_at(0.1, buffer, K)

    def square(c: Any) -> float:
        excess = (c[ca] + c[bound] - rest) * place.measure
        return float(excess @ r**2 / excess.sum())

    until = 0.3 / (6 * apparent)
    run = simulate(Model([ca, unbound, bound], [Buffer(place, ca, unbound, bound, kon=1000.0, K=K)]), until,
                   [Probe("square", "um^2", square)], tolerance=Tolerance(1e-5))
    assert (run["square"][-1] - run["square"][0]) / (6 * until) == pytest.approx(apparent, rel=0.02)


def test_L1_3000_molecules_in_a_cleft_make_3_5_mM():
    assert 3000 / MOLECULES / (np.pi * 0.15**2 * 0.02) == pytest.approx(3520.0, rel=0.01)
