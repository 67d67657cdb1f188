"""Ions that drift: laws, closed forms, a manufactured solution, and K4, K5 and K8 of biophysics.md, part B10."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Source, Spikes
from toy_places import random_tetrahedra

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.electrodiffusion import Electrodiffusion, electrodiffusion
from spatial._engine.methods.electrolyte import Capacitor, Electrolyte
from spatial._engine.methods.rosenbrock import ROS34PW2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import fluxes
from spatial._engine.operators.drift import drift, even_part, even_slope
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.potential import isopotential
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.ion_leak import IonLeak
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.scenarios.parts.glial_membrane import HALNES
from spatial.simulate import simulate
from spatial.units import ion_flux, mM, thermal_voltage
from tests.benchmarks.electrodiffusion import EARLY, INPUT, OFF, ON, UNTIL, Slab, at, slab

THERMAL = thermal_voltage(310.0)
D_K, D_NA, D_CL = 1960.0, 1330.0, 2030.0


def bar(slices: int, length: float = 10.0) -> tuple[Place, Floats]:
    """A bar along x, and where its elements are in it: from 0 to 1."""
    place = grid("ecs", (0, 0, 0), (length, length / slices, length / slices), length / slices)
    return place, place.centres[:, 0] / length


def salt(place: Place, profile: Floats, D: tuple[float, float] = (D_K, D_CL)) -> tuple[Species, Species]:
    """K+ and as much Cl-."""
    return Species("K", place, profile, D[0]), Species("Cl", place, profile, D[1])


def method(model: Model, valences: Mapping[Species, int]) -> Electrodiffusion:
    return electrodiffusion(assemble(model), Electrolyte(valences))


def one_step(of: Any, u: Floats, dt: float) -> Floats:
    """The state after one step of a method with accurate solves."""
    tolerated = dict.fromkeys(of.system.model, 1e-9)
    return np.asarray(of.start(u, 0.0, of.system.rate(u, 0.0), tolerated).take(dt)[0])


# What flows through a link


@pytest.mark.parametrize("x", [1e-8, 0.01, 0.2499, 0.2501, 3.0, 40.0])
def test_the_fitted_flux_is_that_of_bernoulli(x: float):
    for signed in (x, -x):
        bernoulli = signed / np.expm1(signed)
        assert 1 - signed / 2 + float(even_part(np.array(signed))) == pytest.approx(bernoulli, rel=1e-13, abs=1e-15)
        step = 1e-4 * max(1.0, x)
        slope = (even_part(np.array(signed + step)) - even_part(np.array(signed - step))) / 2 / step
        assert float(even_slope(np.array(signed))) == pytest.approx(float(slope), rel=1e-6, abs=1e-12)


def test_ions_in_an_even_potential_and_neutral_molecules_in_any_only_diffuse():
    place, rng = random_tetrahedra(1), np.random.default_rng(1)
    c, index = rng.uniform(1, 2, len(place)), np.arange(len(place))
    assert not drift(place, index, 0, 100.0, 2 / THERMAL).rate(c, np.full(len(place), -70.0)).any()
    assert not drift(place, index, 0, 100.0, 0.0).rate(c, rng.normal(0, 50, len(place))).any()


@pytest.mark.parametrize("valence", [1, -1, 2])
def test_ions_in_boltzmanns_distribution_do_not_flow(valence: int):
    place, rng = random_tetrahedra(2), np.random.default_rng(2)
    phi = rng.normal(0, 60, len(place))
    c = 140 * mM * np.exp(-valence * phi / THERMAL)
    drifting = place.measure * drift(place, np.arange(len(place)), 0, D_K, valence / THERMAL).rate(c, phi)
    (i, j), diffusing = place.links.T, fluxes(place, c, D_K)
    through = np.bincount(j, np.abs(diffusing), len(place)) + np.bincount(i, np.abs(diffusing), len(place))
    net = drifting + np.bincount(j, diffusing, len(place)) - np.bincount(i, diffusing, len(place))
    assert (np.abs(net) < 1e-12 * through).all()


def test_drift_moves_ions_and_makes_none():
    place, rng = random_tetrahedra(3), np.random.default_rng(3)
    moved = place.measure * drift(place, np.arange(len(place)), 0, D_K, 1 / THERMAL).rate(
        rng.uniform(1, 2, len(place)), rng.normal(0, 60, len(place)))
    assert abs(moved.sum()) < 1e-14 * np.abs(moved).sum()


def test_the_slopes_of_drift_are_its_derivatives():
    place, rng = random_tetrahedra(4, 20), np.random.default_rng(4)
    n = len(place)
    one, c, phi = drift(place, np.arange(n), 0, D_K, -2 / THERMAL), rng.uniform(1, 2, n), rng.normal(0, 30, n)
    slopes, y = one.slopes(c, phi).toarray(), np.r_[c, phi]
    for k, step in enumerate(1e-5 * np.eye(2 * n)):
        up, down = y + step, y - step
        found = (one.rate(up[:n], up[n:]) - one.rate(down[:n], down[n:])) / 2e-5
        assert slopes[:, k] == pytest.approx(found, rel=1e-6, abs=1e-6 * np.abs(slopes).max())


# Laws of a run


def test_ions_that_diffuse_alike_make_no_potential_and_do_as_in_diffusion_alone():
    place, x = bar(20)
    profile = 100 * mM * (1 + 0.8 * np.cos(np.pi * x))
    K, Cl = salt(place, profile, (D_K, D_K))
    neutral = Species("neutral", place, profile, D_K)
    model = Model([K, Cl, neutral])
    drifting = method(model, {K: 1, Cl: -1, neutral: 0})
    u = drifting.system.initial()
    assert np.abs(drifting.potentials(u, 0.0)["ecs"]).max() < 1e-9
    after = drifting.system.state(one_step(drifting, u, 5e-3))
    alone = Rosenbrock(prepare(drifting.system), ROS34PW2)
    right = alone.system.state(one_step(alone, u, 5e-3))
    for ion in (K, Cl):
        assert after[ion] == pytest.approx(after[neutral], rel=1e-12)
        assert after[ion] == pytest.approx(right[neutral], rel=1e-9)


@pytest.mark.parametrize("place", [bar(20)[0], random_tetrahedra(5)], ids=["bricks", "tetrahedra"])
def test_donnans_equilibrium_is_steady(place: Place):
    phi = -40.0 * np.sin(place.centres[:, 0]) ** 2
    ions = {Species(name, place, rest * np.exp(-z * phi / THERMAL), D): z for name, rest, z, D in (
        ("K", 5 * mM, 1, D_K), ("Na", 140 * mM, 1, D_NA), ("Cl", 135 * mM, -1, D_CL), ("Ca", 2 * mM, 2, 790.0))}
    drifting = method(Model(ions), ions)
    u = drifting.system.initial()
    found = drifting.potentials(u, 0.0)[place.name]
    assert found - found[0] == pytest.approx(phi - phi[0], abs=1e-9)
    assert one_step(drifting, u, 10.0) == pytest.approx(u, rel=1e-8)


def test_a_salt_spreads_with_the_ambipolar_coefficient():
    slices, D = 40, (4 * D_CL, D_CL)
    place, x = bar(slices)
    ions = salt(place, 100 * mM * (1 + 0.5 * np.cos(np.pi * x)), D)
    run = simulate(Model(ions), 0.01, [each(ions[0]), each(ions[1])], tolerance=Tolerance(1e-5),
                   electrolyte=Electrolyte({ions[0]: 1, ions[1]: -1}))
    mode = np.cos(np.pi * x)
    left = (run["K"][-1] @ mode) / (run["K"][0] @ mode)
    ambipolar = -np.log(left) / 0.01 / (np.pi / 10.0) ** 2
    assert ambipolar == pytest.approx(2 * D[0] * D[1] / (D[0] + D[1]), rel=1e-3)
    assert run["K"][-1] == pytest.approx(run["Cl"][-1], rel=1e-12)


def test_the_potential_of_a_salts_junction_is_that_of_nernst():
    place, x = bar(40)
    K, Cl = ions = salt(place, 10 * mM * 10 ** (0.5 - 0.5 * np.cos(np.pi * x)), (D_NA, D_CL))
    phi = method(Model(ions), {K: 1, Cl: -1}).potentials(np.repeat(np.asarray(K.initial), 2), 0.0)["ecs"]
    share = (D_NA - D_CL) / (D_NA + D_CL)
    ratio = np.log(np.asarray(K.initial)[-1] / np.asarray(K.initial)[0])
    assert phi[-1] - phi[0] == pytest.approx(-THERMAL * share * ratio, rel=1e-2)


def test_the_potential_of_a_junction_of_two_salts_is_that_of_henderson_and_goldman():
    place, x = bar(40)
    part = 0.5 - 0.5 * np.cos(np.pi * x)
    ions = {Species("K", place, 100 * mM * part, D_K): 1, Species("Na", place, 100 * mM * (1 - part), D_NA): 1,
            Species("Cl", place, 100 * mM, D_CL): -1}
    drifting = method(Model(ions), ions)
    phi = drifting.potentials(drifting.system.initial(), 0.0)["ecs"]
    mobility = (D_K - D_NA) * part + D_NA + D_CL
    assert phi - phi[0] == pytest.approx(-THERMAL * np.log(mobility / mobility[0]), rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("make", [lambda: bar(40)[0], lambda: discretise(shapes.cylinder(0.3, 10.0, 0.2))["cytosol"]],
                         ids=["bricks", "tetrahedra"])
def test_an_ion_that_is_only_in_one_end_stays_positive_and_neither_ions_nor_charge_are_lost(make: Callable[[], Place]):
    place = make()
    x = place.centres[:, 0]
    K = 50 * mM * (x < 1.0)
    ions = {Species("K", place, K, D_K): 1, Species("Na", place, 50 * mM - K, D_NA): 1,
            Species("Cl", place, 50 * mM, D_CL): -1}
    run = simulate(Model(ions), 0.01, [each(ion) for ion in ions], electrolyte=Electrolyte(ions))
    for ion in ions:
        assert run[ion.name].min() >= 0.0
        amount = run[ion.name] @ place.measure
        assert amount == pytest.approx(amount[0], rel=1e-12)
    assert np.abs(run["K"] + run["Na"] - run["Cl"]).max() < 1e-12 * 100 * mM


def test_an_electric_current_between_two_points_is_carried_by_all_ions():
    place, _ = bar(20)
    K, Cl = salt(place, np.full(20, 100 * mM))
    ends = Place("ends", 0, np.ones(2), place.centres[[0, -1]], touches={"ecs": np.array([0, 19])})
    current = 1.0  # pA
    model = Model([K, Cl], [Source(ends, K, ion_flux(current, 1) * np.array([1.0, -1.0]))])
    phi = method(model, {K: 1, Cl: -1}).potentials(np.full(40, 100 * mM), 0.0)["ecs"]
    conductance = (D_K + D_CL) * 100 * mM * place.transmissibility[0] / 19 / THERMAL / ion_flux(1.0, 1)
    assert phi[0] - phi[-1] == pytest.approx(current / conductance, rel=1e-9)


# Order


@dataclass(frozen=True, eq=False)
class Manufactured:
    """c = a + b cos(pi x) cos(pi y) e^-t of each ion, and phi = 30 mV cos(pi x) cos(2 pi y), in the unit square."""

    where: Place
    ions: tuple[Species, ...]
    D: tuple[float, ...] = (2.0, 1.0, 3.0)
    z: tuple[int, ...] = (1, 1, -1)
    a: tuple[float, ...] = (4.0, 7.0, 10.0)
    b: tuple[float, ...] = (2.0, -1.0, 1.0)

    def exact(self, k: int, t: float) -> Floats:
        return self.a[k] + self.b[k] * self._waves(1)[0] * np.exp(-t)

    @property
    def phi(self) -> Floats:
        return 30.0 * self._waves(2)[0]

    def _waves(self, m: int) -> tuple[Floats, Floats, Floats]:
        """cos(pi x) cos(m pi y) and its gradient."""
        x, y = np.pi * self.where.centres[:, :2].T
        return (np.cos(x) * np.cos(m * y), -np.pi * np.sin(x) * np.cos(m * y),
                -m * np.pi * np.cos(x) * np.sin(m * y))

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        (w, wx, wy), (p, px, py) = self._waves(1), self._waves(2)
        found, size = [], np.exp(-t)
        for k, z in enumerate(self.z):
            slope = z * 30.0 / THERMAL * self.b[k] * size * (wx * px + wy * py)
            bending = -2 * np.pi**2 * self.b[k] * size * w - 5 * np.pi**2 * z * 30.0 / THERMAL * self.exact(k, t) * p
            found.append(-self.b[k] * size * w - self.D[k] * (slope + bending))
        charge = sum(z * one for z, one in zip(self.z, found, strict=True))
        found[2] = found[2] + self.where.measure @ charge / self.where.total  # what sampling leaves of charge
        return dict(zip(self.ions, found, strict=True))


def of_square(n: int) -> tuple[float, float]:
    """The errors of concentrations and of the potential for a manufactured solution on n x n bricks."""
    place = grid("ecs", (0, 0, 0), (1, 1, 1 / n), 1 / n)
    bare = Manufactured(place, ())
    ions = tuple(Species(f"ion {k}", place, bare.exact(k, 0.0), D) for k, D in enumerate(bare.D))
    made = replace(bare, ions=ions)
    drifting = method(Model(ions, [made]), dict(zip(ions, made.z, strict=True)))
    run = simulate(Model(ions, [made]), 0.1, [each(ion) for ion in ions], tolerance=Tolerance(1e-5),
                   electrolyte=Electrolyte(dict(zip(ions, made.z, strict=True))))
    wrong = [run[ion.name][-1] - made.exact(k, 0.1) for k, ion in enumerate(ions)]
    u = np.stack([run[ion.name][-1] for ion in ions], axis=1).ravel()
    phi = drifting.potentials(u, 0.1)["ecs"]
    off = phi - phi.mean() - made.phi
    return float(np.sqrt(np.mean(np.square(wrong)))), float(np.sqrt(np.mean(off**2)))


def test_a_manufactured_solution_is_met_with_order_two_in_space(record_property: Callable[[str, Any], None]):
    errors = np.array([of_square(n) for n in (6, 12, 24)])
    orders = np.log2(errors[:-1] / errors[1:])
    record_property("orders", orders)
    assert (orders[-1] >= 1.9).all(), (errors, orders)


def test_steps_are_of_order_three(record_property: Callable[[str, Any], None]):
    place, x = bar(12)
    part = 0.5 - 0.5 * np.cos(np.pi * x)
    ions = {Species("K", place, 100 * mM * part, D_K): 1, Species("Na", place, 140 * mM - 100 * mM * part, D_NA): 1,
            Species("Cl", place, 140 * mM, D_CL): -1}
    drifting = method(Model(ions), ions)

    def after(steps: int) -> Floats:
        u = drifting.system.initial()
        for _ in range(steps):
            u = one_step(drifting, u, 4e-3 / steps)
        return u

    right = after(64)
    errors = np.array([np.abs(after(steps) - right).max() for steps in (4, 8, 16)])
    orders = np.log2(errors[:-1] / errors[1:])
    record_property("orders", orders)
    assert (orders > 2.7).all(), (errors, orders)


# Membranes


def cell() -> tuple[Mesh, dict[str, Species]]:
    """A well-mixed cell in as much fluid, at the Nernst potential of K+."""
    mesh = isopotential(well_mixed({"ecs": 1.0, "astrocyte": 1.0}, {"membrane": (10.0, ("ecs", "astrocyte"))}),
                        "membrane")
    found = {f"{name}_{side}": Species(f"{name}_{side}", mesh[place], c * mM, 1000.0) for name, side, place, c in (
        ("K", "o", "ecs", 4.0), ("K", "i", "astrocyte", 100.0), ("Cl", "o", "ecs", 130.0))}
    V = THERMAL * np.log(4.0 / 100.0)
    return mesh, {**found, "V": Species("V", mesh["potential"], V, signed=True, unit="mV")}


def in_cell(*more: Callable[[Mesh, dict[str, Species]], Mechanism]) -> Recording:
    """A run of the cell for 1 s with these mechanisms."""
    mesh, of = cell()
    model = Model(of.values(), [one(mesh, of) for one in more])
    return simulate(model, 1.0, [each(one) for one in model], electrolyte=electrolyte(mesh, of))


def electrolyte(mesh: Mesh, of: dict[str, Species]) -> Electrolyte:
    return Electrolyte({of["K_o"]: 1, of["K_i"]: 1, of["Cl_o"]: -1},
                       (Capacitor(of["V"], mesh["membrane"], "astrocyte", "ecs"),))


def leak(mesh: Mesh, of: dict[str, Species]) -> Mechanism:
    return IonLeak(mesh["membrane"], of["K_o"], of["K_i"], of["V"], 1e-3, temperature=310.0)


def test_nernsts_equilibrium_across_a_membrane_is_steady():
    run = in_cell(leak)
    for name in ("K_o", "K_i", "V"):
        assert run[name][-1] == pytest.approx(run[name][0], rel=1e-9)


def test_a_membrane_off_nernsts_equilibrium_charges_by_what_its_ions_carry():
    mesh, of = cell()
    off = replace(of["V"], initial=0.0)
    of = {**of, "V": off}
    model = Model(of.values(), [leak(mesh, of)])
    run = simulate(model, 1.0, [each(one) for one in model], electrolyte=electrolyte(mesh, of))
    assert run["V"][-1] == pytest.approx(THERMAL * np.log(run["K_o"][-1] / run["K_i"][-1]), abs=1e-5)
    gone = run["K_i"][-1] - run["K_i"][0]
    assert gone == pytest.approx(ion_flux(1.0, 1) * 10.0 * 1e-5 * (run["V"][-1] - run["V"][0]), rel=1e-6)


def test_one_potential_of_a_cell_is_the_mean_difference_over_its_membrane():
    tissue = slab(30.0, 6, V_of="cell")
    drifting = electrodiffusion(assemble(tissue.model), tissue.electrolyte)
    run = tissue.run(110.0, relative=2e-2)
    u = drifting.system.initial()
    for name in ("K_e", "Na_e", "Cl_e", "K_i", "Na_i", "Cl_i", "V"):
        species = next(one for one in tissue.model if one.name == name)
        drifting.system.layout.values(u, species)[:] = run[name][-1]
    phi = drifting.potentials(u, 110.0)
    assert np.mean(phi["astrocyte"] - phi["ecs"]) == pytest.approx(float(run["V"][-1]), rel=1e-9)


# Targets


@pytest.fixture(scope="module")
def halnes() -> tuple[Slab, Recording]:
    tissue = slab()
    return tissue, tissue.run()


@pytest.fixture(scope="module")
def coarse() -> Recording:
    return slab(slices=30).run(OFF)


def rises(run: Recording, when: float, where: int) -> dict[str, float]:
    """How far each species is from rest [mM], and V [mV]."""
    found = {name: float(at(run, name, when)[where] - run[name][0][where]) / mM
             for name in ("K_e", "K_i", "Na_e", "Cl_e")}
    return {**found, "V": float(at(run, "V", when)[where])}


def test_K4_the_slab_of_halnes_at_the_end_of_its_input(halnes: tuple[Slab, Recording],
                                                       record_property: Callable[[str, Any], None]):
    near, far = rises(halnes[1], OFF, 0), rises(halnes[1], OFF, -1)
    record_property("K4 at x = 0", near)
    assert near == pytest.approx({"K_e": 7.563, "K_i": 12.477, "Na_e": -32.77, "Cl_e": -25.11, "V": -59.01}, rel=0.02)
    assert (far["K_e"], far["V"]) == pytest.approx((0.293, -81.83), rel=0.02)


def test_K4_the_slab_of_halnes_after_10_s_of_input(halnes: tuple[Slab, Recording]):
    near = rises(halnes[1], EARLY, 0)
    assert (near["K_e"], near["V"]) == pytest.approx((7.029, -60.1), rel=0.02)


def test_K4_the_slab_of_halnes_recovers(halnes: tuple[Slab, Recording]):
    assert np.abs(at(halnes[1], "K_e", UNTIL) - HALNES.potassium_outside).max() < 1e-3 * mM


def test_K4_half_as_many_slices_differ_by_little(halnes: tuple[Slab, Recording], coarse: Recording):
    fine, half = rises(halnes[1], OFF, 0)["K_e"], rises(coarse, OFF, 0)["K_e"]
    assert half / fine - 1 == pytest.approx(0.0, abs=2e-3)


def test_K5_without_currents_inside_the_astrocyte_more_potassium_stays_outside(coarse: Recording):
    off = slab(slices=30, coupled=False).run(OFF)
    assert rises(off, OFF, 0)["K_e"] > 1.1 * rises(coarse, OFF, 0)["K_e"]
    assert rises(off, OFF, -1)["V"] < rises(coarse, OFF, -1)["V"]  # what does not get there depolarises nothing


def test_K8_the_charge_of_every_control_volume_is_that_of_the_membrane(halnes: tuple[Slab, Recording]):
    tissue, run = halnes
    capacitor = tissue.electrolyte.capacitors[0]
    held = ion_flux(1.0, 1) * capacitor.potential.place.measure * (run["V"] - run["V"][0])
    for side, sign in ((tissue.inside, 1), (tissue.outside, -1)):
        free = sum(tissue.electrolyte.valences[ion] * (run[ion.name] - run[ion.name][0]) for ion in side)
        there = sum(run[ion.name] for ion in side)
        assert (np.abs(side[0].place.measure * free - sign * held) < 1e-12 * side[0].place.measure * there).all()


def test_K8_no_ion_is_made_or_lost(halnes: tuple[Slab, Recording]):
    tissue, run = halnes
    membrane = tissue.electrolyte.capacitors[0].membrane
    entered = INPUT * (OFF - ON) * membrane.measure[membrane.centres[:, 0] < 30.0].sum()
    outside, inside = (ions[0].place.measure for ions in (tissue.outside, tissue.inside))
    for name, ledger, change in (("K", "taken", entered), ("Na", "given", -entered), ("Cl", None, 0.0)):
        amount = run[f"{name}_e"] @ outside + run[f"{name}_i"] @ inside
        gone = run[ledger] @ membrane.measure if ledger else 0.0 * amount
        assert amount[-1] + gone[-1] - amount[0] == pytest.approx(change, abs=1e-12 * amount[0])


# What cannot be


def test_what_makes_charge_is_an_error():
    place, _ = bar(4)
    K, Cl = salt(place, np.full(4, 100 * mM))
    model = Model([K, Cl], [Source(place, K, 4.0)])
    with pytest.raises(InputError, match=r"make 250 uM um\^3 of charge per second in 'ecs' at t = 0 s; let as much"):
        simulate(model, 1.0, electrolyte=Electrolyte({K: 1, Cl: -1}))


def test_an_event_that_leaves_charge_is_an_error():
    place, _ = bar(4)
    K, Cl = salt(place, np.full(4, 100 * mM))
    model = Model([K, Cl], [Spikes(place, K, np.array([0.5]), 1.0)])
    with pytest.raises(InputError, match=r"Spikes leaves charge behind at t = 0.5 s; let as much leave"):
        simulate(model, 1.0, electrolyte=Electrolyte({K: 1, Cl: -1}))


def test_a_current_that_no_ion_carries_is_an_error():
    with pytest.raises(InputError, match="IonLeak changes <V in potential> by a current that is not that of the ions"):
        in_cell(lambda mesh, of: IonLeak(mesh["membrane"], 140 * mM, 10 * mM, of["V"], 1e-3))


def test_an_electrolyte_is_checked_against_its_model():
    place, _ = bar(4)
    K, Cl = salt(place, np.full(4, 100 * mM))
    mesh, of = cell()
    on_membrane = Species("bound", mesh["membrane"], 1.0)
    good = electrolyte(mesh, of)
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: Electrolyte({on_membrane: 1}), "an ion on <membrane.*>; ions that drift live in a volume"),
        (lambda: Electrolyte({K: 0.5}), "valence of <K in ecs> is 0.5; it must be a whole number"),  # type: ignore[dict-item]
        (lambda: Electrolyte({K: 1}, temperature=0.0), "temperature .K. is 0; it must be a finite number > 0"),
        (lambda: method(Model([K, Cl]), {K: 0}), "the electrolyte has no ion"),
        (lambda: method(Model([Cl]), {K: 1}), "names <K in ecs>, which is not a species of this model"),
        (lambda: electrodiffusion(assemble(Model(of.values())), replace(good, valences={of["K_o"]: 1})),
         "'membrane' parts 'astrocyte' from another place, but no ion is in it")]
    for make, message in cases:
        with pytest.raises(InputError, match=message):
            make()


def test_a_potential_that_nothing_determines_is_an_error():
    place, x = bar(8)
    K, Cl = salt(place, np.where(x > 0.5, 0.0, 100 * mM))
    with pytest.raises(InputError, match="the potential of some element is not determined"):
        simulate(Model([K, Cl]), 1.0, electrolyte=Electrolyte({K: 1, Cl: -1}))


@pytest.mark.parametrize(("how", "message"), [
    ({"method": "stochastic"}, "molecules that are counted do not"),
    ({"engine": "fipy"}, "engine is 'fipy', in which ions do not drift")])
def test_only_our_own_engine_lets_ions_drift(how: dict[str, Any], message: str):
    place, _ = bar(4)
    K, Cl = salt(place, np.full(4, 100 * mM))
    with pytest.raises(InputError, match=message):
        simulate(Model([K, Cl]), 1.0, electrolyte=Electrolyte({K: 1, Cl: -1}), **how)
