"""K+, Na+ and Cl- across membranes, and what K+ does to neurons; K1, F1 ... are those of biophysics.md, B10 and B12."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from acting import at_time

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.potential import isopotential
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.aquaporin4 import Aquaporin4
from spatial.mechanisms.ion_leak import IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.nkcc1 import NKCC1
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.mechanisms.sodium_potassium_pump import NEURON, SodiumPotassiumPump
from spatial.mechanisms.swelling import Swollen
from spatial.mechanisms.uptake import Production
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.scenarios.parts.glial_membrane import HALNES, KNP_EMI, Ions, Rest, glial_membrane
from spatial.simulate import simulate
from spatial.synapses.excitability import Excitability, MeanField, RateNeuron, phi
from spatial.synapses.potassium_release import LEAST, PotassiumRelease
from spatial.synapses.spikes import regular
from spatial.units import FARADAY, GAS, MOLECULES, Hz, ion_flux, mM, ms, nernst, thermal_voltage

PUBLISHED = (8.315 / 96500) / (GAS / FARADAY)  # R/F as in the models' code, over today's
MOL = 1e-9  # 1 uM um/s in mol/(m^2 s)
VALENCE = {"potassium": 1, "sodium": 1, "chloride": -1}
ION_NAMES = [field.name for field in fields(Ions) if field.name != "V"]


def held(preset: Rest) -> Ions:
    return Ions(**{field.name: getattr(preset, field.name) for field in fields(Ions)})


def membrane_place(area: float = 8.0) -> Place:
    return well_mixed({"ecs": 0.2}, {"plasma membrane": (area, ["ecs"])})["plasma membrane"]


# Laws of physics, and single mechanisms

def test_currents_and_potentials_have_the_right_units():
    assert ion_flux(1.0, 1) == pytest.approx(1e-12 / 96485.33 / 1e-21, rel=1e-6)
    assert thermal_voltage(310.0) == pytest.approx(26.7, abs=0.02)
    assert nernst(3.0, 100.0, 1, 310.0) == pytest.approx(-93.67, abs=0.01)
    assert nernst(100.0, 5.0, -1, 310.0) == -nernst(100.0, 5.0, 1, 310.0)
    assert -1000 < nernst(0.0, 100e3, 1, 310.0) < -500  # of nothing: far down, but a number


@pytest.mark.parametrize(("preset", "fluxes", "pump", "reversal", "bound"), [
    (HALNES, (-1.1e-8, 4.9e-10, -2.5e-10), 4.8884e-7, -89.336, 0.012),
    (KNP_EMI, (3.0e-10, 1.3e-10, -6.5e-11), 4.990e-7, -91.768, 4e-4)], ids=["K1 Halnes", "K2 KNP-EMI"])
def test_K1_K2_what_is_published_as_rest_is_one(preset, fluxes, pump, reversal, bound):
    kir, sodium, chloride, nka = glial_membrane(membrane_place(), held(preset), replace(
        preset, temperature=preset.temperature * PUBLISHED))
    P = nka.turnover(preset.potassium_outside, preset.sodium_inside)
    K, Na, Cl = (np.sign(valence) * one.current(getattr(preset, f"{ion}_outside"), getattr(preset, f"{ion}_inside"),
                                                preset.V) * 1e-12 / 96500 / 1e-12
                 for one, (ion, valence) in zip((kir, sodium, chloride), VALENCE.items(), strict=True))
    net = np.array([K - 2 * P * MOL, Na + 3 * P * MOL, Cl])
    np.testing.assert_allclose(net, fluxes, rtol=0.03)
    assert np.abs(net).max() / (2 * P * MOL) < bound
    assert pytest.approx(pump / MOL, rel=1e-4) == P
    assert kir.reversal(preset.potassium_outside, preset.potassium_inside) == pytest.approx(reversal, abs=1e-3)


K3_OUTSIDE = np.array([3.082, 4, 6, 8, 10, 12]) * mM


def test_K3_Kir_opens_with_K_outside_as_published():
    kir = Kir41(membrane_place(), temperature=298.0 * PUBLISHED)
    np.testing.assert_allclose(kir.openness(K3_OUTSIDE, 99.959 * mM, -83.6),
                               [.95888, 1.20487, 1.69824, 2.14699, 2.56183, 2.94965], atol=1e-5)
    np.testing.assert_allclose(kir.openness(K3_OUTSIDE, 99.959 * mM, kir.reversal(K3_OUTSIDE, 99.959 * mM)),
                               [1, 1.19652, 1.56648, 1.88406, 2.16666, 2.42376], atol=1e-5)


def test_Kir_lets_K_in_more_easily_than_out():
    kir = Kir41(membrane_place())
    E = kir.reversal(3.082 * mM, 99.959 * mM)
    inward, outward = (abs(kir.current(3.082 * mM, 99.959 * mM, E + step)) for step in (-40.0, 40.0))
    assert inward > 1.5 * outward
    assert kir.current(3.082 * mM, 99.959 * mM, E) == 0.0


def test_the_pump_has_two_sites_and_the_neurons_is_Kagers():
    astrocyte = SodiumPotassiumPump(membrane_place())
    assert astrocyte.turnover(1.5 * mM, 10 * mM) == pytest.approx(astrocyte.P_max / 4)
    neuron = SodiumPotassiumPump(membrane_place(), **NEURON)
    assert neuron.turnover(3.5 * mM, 10 * mM) == pytest.approx(neuron.P_max / 4 / 8)
    assert neuron.turnover(7 * mM, 20 * mM) == pytest.approx(neuron.P_max * (2 / 3) ** 2 * (2 / 3) ** 3)
    for pump in (astrocyte, neuron):
        assert pump.turnover(0.0, 10 * mM) == pump.turnover(3 * mM, 0.0) == 0.0


def test_K9_NKCC1_rests_exactly_where_the_products_are_equal_and_turns_round_with_them():
    carrier = NKCC1(membrane_place())
    assert carrier.flux(140.0, 4.0, 120.0, 35.0, 64.0, 60.0) == 0.0
    entry = carrier.flux(140.0, 4.1, 120.0, 35.0, 64.0, 60.0)
    assert entry > 0
    assert carrier.flux(35.0, 64.0, 60.0, 140.0, 4.1, 120.0) == pytest.approx(-entry, rel=1e-12)


# A closed cell in a closed space

@dataclass(frozen=True)
class Cell:
    """An astrocyte of 0.4 um^3 in 0.2 um^3 of ECS, with all that crosses its membrane."""

    model: Model
    species: dict[str, Species]

    def __getitem__(self, name: str) -> Species:
        return self.species[name]

    def run(self, until: float, relative: float = 1e-3) -> Recording:
        return simulate(self.model, until, [each(one) for one in self.model], tolerance=Tolerance(relative))

    def charge(self, values: Any, side: str) -> Any:
        """Charge of the ions on one side [pA s], from something that has the concentrations by name."""
        volume = {"outside": 0.2, "inside": 0.4}[side]
        return sum(z * volume * values[f"{ion}_{side}"] for ion, z in VALENCE.items()) / ion_flux(1.0, 1)

    @property
    def capacitance(self) -> float:
        return self["V"].place.total


def closed(preset: Rest = HALNES, raised: float = 0.0, exchanged: float = 0.0) -> Cell:
    """With KCl added to the ECS, or K+ in the place of Na+; with KCl there are also NKCC1 and a leak of K+."""
    mesh = isopotential(well_mixed({"cytosol": 0.4, "ecs": 0.2}, {"plasma membrane": (8.0, ["cytosol", "ecs"])}),
                        "plasma membrane")
    added = {"potassium_outside": raised + exchanged, "chloride_outside": raised, "sodium_outside": -exchanged}
    of = {name: Species(name, mesh["ecs" if name.endswith("outside") else "cytosol"],
                        getattr(preset, name) + added.get(name, 0.0)) for name in ION_NAMES}
    of["V"] = Species("V", mesh["potential"], preset.V, unit="mV", signed=True)
    where = mesh["plasma membrane"]
    more = [IonLeak(where, of["potassium_outside"], of["potassium_inside"], of["V"], 2e-3),
            NKCC1(where, *(of[f"{ion}_{side}"] for ion in ("sodium", "potassium", "chloride")
                           for side in ("outside", "inside")))]
    return Cell(Model(of.values(), [*glial_membrane(where, Ions(**of), preset), *(more if raised else [])]), of)


@pytest.mark.parametrize("preset", [HALNES, KNP_EMI], ids=["K1 Halnes", "K2 KNP-EMI"])
def test_K1_K2_the_rest_that_is_found_is_closed_and_near_the_published_one(preset):
    cell = closed(preset)
    state = rest(cell.model)
    rate = assemble(cell.model).state(assemble(cell.model).rate(state.values, 0.0))
    pump = next(one for one in cell.model.mechanisms if isinstance(one, SodiumPotassiumPump))
    P = pump.turnover(state[cell["potassium_outside"]], state[cell["sodium_inside"]])
    for name in ION_NAMES:
        volume = 0.2 if name.endswith("outside") else 0.4
        assert abs(rate[cell[name]] * volume / 8.0) < 1e-5 * 2 * P
        assert state[cell[name]] == pytest.approx(getattr(preset, name), rel=3e-3)
    assert state[cell["V"]] == pytest.approx(preset.V, abs=0.02)


def test_K8_the_charge_inside_is_what_the_membrane_holds():
    cell = closed(raised=5 * mM)
    run = cell.run(20.0)
    moved = cell.capacitance * (run["V"] - run["V"][0])
    assert np.ptp(run["V"]) > 15.0
    for side, sign in (("inside", 1), ("outside", -1)):
        charge = cell.charge(run, side)
        np.testing.assert_allclose(sign * (charge - charge[0]), moved, atol=1e-10 * np.abs(moved).max(), rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_K8_at_any_state_what_leaves_one_side_enters_the_other(seed):
    cell = closed(raised=5 * mM)
    system = assemble(cell.model)
    u = system.initial() * np.random.default_rng(seed).uniform(0.5, 1.5, len(system.initial()))
    rate = system.state(system.rate(u, 0.0))
    by_name = {name: float(rate[cell[name]][0]) for name in cell.species}
    for ion in VALENCE:
        assert 0.2 * by_name[f"{ion}_outside"] == pytest.approx(-0.4 * by_name[f"{ion}_inside"], rel=1e-12)
    assert cell.charge(by_name, "inside") == pytest.approx(cell.capacitance * by_name["V"], rel=1e-10)


def test_amounts_of_each_ion_are_kept_and_nothing_goes_below_zero():
    run = closed(raised=5 * mM).run(20.0, 2e-2)
    for ion in VALENCE:
        amount = 0.2 * run[f"{ion}_outside"] + 0.4 * run[f"{ion}_inside"]
        np.testing.assert_allclose(amount, amount[0], rtol=1e-13)
    assert min(run[name].min() for name in ION_NAMES) > 0


def test_after_a_step_of_K_the_cell_depolarises_within_milliseconds_and_takes_K_up():
    run = closed(raised=5 * mM).run(20.0)
    assert np.interp(20 * ms, run.times, run["V"]) > run["V"][0] + 10
    assert run["potassium_outside"][-1] < run["potassium_outside"][0] - 1 * mM
    assert run["chloride_inside"][-1] > run["chloride_inside"][0] + 0.5 * mM


# Release by neurons, and uptake

def neuropil(release: float = LEAST, spikes: int = 1, membrane: float = 14.0) -> tuple[Mesh, PotassiumRelease]:
    mesh = well_mixed({"ecs": 0.2, "neuron": 0.4}, {"axons": (membrane, ["ecs", "neuron"])})
    ions = [Species(name, mesh[place], value) for name, place, value in (
        ("K", "ecs", 3.082 * mM), ("K inside", "neuron", 140 * mM), ("Na", "ecs", 144.662 * mM),
        ("Na inside", "neuron", 10 * mM))]
    return mesh, PotassiumRelease(mesh["axons"], (regular(spikes, 30 * Hz, 1.0),), *ions, per_spike=release)


def test_K6_K_rises_per_spike_by_what_charges_14_um2_of_membrane_per_um3():
    _, release = neuropil()
    run = simulate(Model([release.potassium, release.inside, release.sodium, release.sodium_inside], [release]), 2.0,
                   [each(release.potassium), each(release.sodium), each(release.inside), each(release.sodium_inside)])
    rise = run["K"][-1] - run["K"][0]
    ions = LEAST * MOLECULES
    assert ions == pytest.approx(6240, rel=1e-3)
    assert rise == pytest.approx(0.73 * mM, rel=0.01)
    assert run["Na"][-1] - run["Na"][0] == pytest.approx(-rise, rel=1e-12)
    assert 0.4 * (run["Na inside"][-1] - run["Na inside"][0]) == pytest.approx(0.2 * rise, rel=1e-12)
    assert 0.4 * (run["K inside"][-1] - run["K inside"][0]) == pytest.approx(-0.2 * rise, rel=1e-12)


def test_elements_of_one_axon_fire_together():
    ecs = pool("ecs", np.ones(4))
    axons = Place("axons", 2, np.ones(4), np.zeros((4, 3)), touches={"ecs": np.arange(4)})
    K = Species("K", ecs)
    release = PotassiumRelease(axons, (np.array([0.1]), np.array([0.2])), K, axon=np.array([0, 0, 1, 1]))
    assert at_time(release, {}, 0.1)[K] == pytest.approx([LEAST, LEAST, 0, 0])
    with pytest.raises(InputError, match=r"^PotassiumRelease: axon goes up to 2; with 2 trains it must be 0 to 1$"):
        replace(release, axon=np.array([0, 0, 1, 2]))


def test_uptake_by_others_returns_K_to_rest_exponentially_and_keeps_charge():
    mesh = well_mixed({"ecs": 0.2, "others": 1.0}, {"membrane": (8.0, ["ecs", "others"])})
    K, Na = Species("K", mesh["ecs"], 8.082 * mM), Species("Na", mesh["ecs"], 140 * mM)
    taken, given = (Species(name, mesh["others"], signed=True) for name in ("taken", "given"))
    uptake = PotassiumUptake(mesh["membrane"], K, taken, Na, given)
    run = simulate(Model([K, Na, taken, given], [uptake]), 1.0, [each(one) for one in (K, Na, taken, given)],
                   tolerance=Tolerance(1e-4))
    assert run["K"][-1] == pytest.approx(3.082 * mM + 5 * mM * np.exp(-0.029 * 8.0 / 0.2), rel=1e-3)
    np.testing.assert_allclose(run["K"] + run["Na"], 148.082 * mM, rtol=1e-13)
    np.testing.assert_allclose(run["taken"], -run["given"], atol=1e-9)


@dataclass(frozen=True)
class Tissue:
    """Neurons that fire 30 spikes in a second, all of them, and astrocytes of a syncytium that holds their V and K+."""

    kir: bool = True
    astrocytes: bool = True
    pumping: bool = True  # neurons

    def run(self) -> Recording:
        _, release = neuropil(spikes=30)
        K, axons = release.potassium, release.where
        membrane = Place("astrocytes", 2, np.array([8.0]), np.zeros((1, 3)), touches={"ecs": np.zeros(1, int)})
        pump = SodiumPotassiumPump(axons, K, release.inside, release.sodium, release.sodium_inside, **NEURON)
        P = float(pump.turnover(K.initial, release.sodium_inside.initial))
        mechanisms: list[Mechanism] = [release]
        if self.pumping:
            mechanisms += [pump, Production(axons, K, 2 * P, release.inside),
                           Production(axons, release.sodium_inside, 3 * P, release.sodium)]
        if self.astrocytes:
            kir, pump = Kir41(membrane, K), SodiumPotassiumPump(membrane, K)
            leaks = 2 * float(pump.turnover(K.initial, 15.189 * mM))
            if self.kir:
                leaks -= ion_flux(1.0, 1) * float(kir.current(K.initial, kir.inside, kir.V))
            mechanisms += [pump, Production(membrane, K, leaks), *([kir] if self.kir else [])]
        species = [K, release.inside, release.sodium, release.sodium_inside]
        return simulate(Model(species, mechanisms), 20.0, [each(K)], tolerance=Tolerance(5e-3))


@pytest.fixture(scope="module")
def trains() -> dict[str, Recording]:
    return {"all": Tissue().run(), "no Kir": Tissue(kir=False).run(), "no astrocyte": Tissue(astrocytes=False).run(),
            "no pump": Tissue(pumping=False).run()}


def returned(run: Recording, within: float = 10.0) -> float:
    """When [s] K+ was last further than this [uM] from rest."""
    return float(run.times[np.abs(run["K"] - run["K"][0]) > within][-1])


def test_K7_pumps_and_Kir_keep_K_below_the_ceiling_in_a_train(trains):
    assert trains["all"]["K"].max() < 10 * mM
    assert trains["no Kir"]["K"].max() < 12 * mM
    assert trains["no astrocyte"]["K"].max() > 12 * mM
    assert trains["no Kir"]["K"].max() > 1.5 * trains["all"]["K"].max()


def test_K7_after_it_K_undershoots_if_neurons_pump(trains):
    after = {name: run["K"][run.times > 2.0].min() for name, run in trains.items()}
    assert after["all"] < 3.082 * mM - 50
    assert after["no Kir"] < after["all"]
    assert after["no pump"] > 3.082 * mM - 5


def test_K7_without_Kir_the_undershoot_lasts_longer(trains):
    assert returned(trains["no Kir"]) > 1.2 * returned(trains["all"])
    assert returned(trains["all"]) > 3.0


# The neuron feels it

def test_E_K_follows_nernst_and_excitability_rises_with_K():
    neuron = Excitability()
    assert neuron.reversal(6 * mM) - neuron.reversal(3 * mM) == pytest.approx(thermal_voltage(310.0) * np.log(2))
    K = np.array([3, 4, 6, 8, 12]) * mM
    assert (np.diff(neuron.potential(K)) > 0).all()
    assert neuron.rheobase(3 * mM) == pytest.approx(neuron.leak * neuron.threshold)
    np.testing.assert_allclose(neuron.rheobase(3 * mM) - neuron.rheobase(K),
                               neuron.leak * (neuron.potential(K) - neuron.potential(3 * mM)), atol=1e-12)
    assert neuron.rheobase(8 * mM) > 0 > neuron.rheobase(15 * mM)


def test_without_Na_permeability_it_rests_at_E_K():
    neuron = Excitability(sodium_permeability=0.0)
    assert neuron.potential(5 * mM) == pytest.approx(neuron.reversal(5 * mM), rel=1e-14)


@pytest.mark.parametrize(("field", "rates", "gain"), [
    (MeanField(gamma_p=0.0), (5.10717, 18.272), 8.5713),
    (MeanField(gamma_p=0.0, buffering=5.0), (3.9983, 39.601), 4.6220),
    (MeanField(), (4.43838, 32.252), 5.4371),
    (MeanField(buffering=5.0), (3.7151, 70.934), 3.7109)], ids=["none", "K", "Ado", "both"])
def test_F1_F2_steady_rates_and_gain_are_as_published(field, rates, gain):
    found = field.steady(-1.0)
    assert found[0] == pytest.approx(rates[0], rel=1e-4)
    assert found[1] == pytest.approx(rates[1], rel=1e-3)
    assert field.gain(found[0], -1.0) == pytest.approx(gain, rel=1e-4)
    assert field.gain(found[1], -1.0) < 0
    differences = (field.steady(-1 + 1e-4) - field.steady(-1 - 1e-4)) / 2e-4
    np.testing.assert_allclose([field.gain(rate, -1.0) for rate in found], differences, rtol=1e-5)


def test_N11_steady_release_is_as_published():
    np.testing.assert_allclose(MeanField().release(np.array([0, .5, 1, 2, 5, 10, 20, 50])),
                               [.3, .312384, .315650, .307692, .295738, .338686, .438961, .623103], atol=1e-6)


@dataclass(frozen=True)
class Loop:
    """A firing neuron whose K+ is cleared linearly, so that its steady state is that of the mean field."""

    clearance: float  # um/s

    @property
    def feedback(self) -> MeanField:
        """g_K beta_K: drive per Hz, of K+ per spike over what is cleared per s."""
        return MeanField(w=0.0, potassium=0.5 / mM * LEAST / self.clearance)

    def run(self, until: float, begin: float = 0.3 * Hz) -> Recording:
        """From a rate and the K+ that goes with it."""
        mesh, release = neuropil()
        axons = release.where
        K = Species("K", mesh["ecs"], 3.082 * mM + LEAST * begin / self.clearance)
        rate = Species("rate", axons, begin, scale=1.0, unit="Hz")
        taken = Species("taken", mesh["neuron"], signed=True)
        neuron = RateNeuron(axons, rate, K, taken)
        uptake = PotassiumUptake(axons, K, taken, rest=neuron.rest, rate=self.clearance)
        return simulate(Model([K, rate, taken], [neuron, uptake]), until, [each(K), each(rate), each(taken)],
                        tolerance=Tolerance(1e-3))


def test_the_rate_follows_its_drive_with_its_time_constant():
    where = membrane_place()
    rate, K = Species("rate", where, 1.0), Species("K", pool("ecs", [0.2]))
    neuron = RateNeuron(where, rate, K, tau=50 * ms)
    gains = neuron.rates({rate: np.array([1.0]), K: np.array([5.082 * mM])}, 0.0)
    assert gains[rate] == pytest.approx((phi(-3.0 + 0.5 * 2) - 1.0) / 0.05)
    assert gains[K] == pytest.approx(LEAST)


BUFFERED, ALONE = Loop(clearance=0.15), Loop(clearance=0.005)


def test_A14_with_buffering_firing_and_K_settle_where_the_mean_field_says():
    run = BUFFERED.run(10.0, begin=3 * Hz)
    expected = BUFFERED.feedback.steady(-3.0)[0]
    assert run["rate"][-1] == pytest.approx(expected, rel=1e-3)
    assert run["K"][-1] - 3.082 * mM == pytest.approx(LEAST * expected / 0.15, rel=1e-3)
    assert expected > phi(-3.0)
    np.testing.assert_allclose(0.2 * run["K"] + 0.4 * run["taken"], 0.2 * run["K"][0], rtol=1e-12)


def test_A14_without_it_the_same_neuron_runs_away():
    assert len(ALONE.feedback.steady(-3.0)) == 0
    run = ALONE.run(4.0, begin=5 * Hz)
    assert run["rate"][-1] > 100 * Hz
    assert (np.diff(run["K"][run.times > 0.1]) > 0).all()


def test_A14_a_burst_above_the_second_root_runs_away_and_one_below_returns():
    between = Loop(clearance=0.03)
    calm, threshold = between.feedback.steady(-3.0)
    assert between.run(6.0, 0.9 * threshold)["rate"][-1] == pytest.approx(calm, rel=1e-2)
    assert between.run(4.0, 1.1 * threshold)["rate"][-1] > 2 * threshold


# Swelling

def swelling() -> tuple[Cell, Species, Species]:
    """A closed cell that water can enter, in an ECS where 5 mM of K+ have taken the place of Na+."""
    cell = closed(exchanged=5 * mM)
    outside, inside = (tuple(cell[f"{ion}_{side}"] for ion in VALENCE) for side in ("outside", "inside"))
    swollen, shrunk = (Species(f"volume of the {one.place.name}", one.place, 1.0, unit="1")
                       for one in (inside[0], outside[0]))
    volumes = dict.fromkeys(inside, swollen) | dict.fromkeys(outside, shrunk)
    fixed = float(sum(one.initial for one in outside) - sum(one.initial for one in inside))
    mechanisms = [Swollen(each, volumes) for each in cell.model.mechanisms]
    water = Aquaporin4(mechanisms[0].where, inside, outside, swollen, shrunk, fixed)
    return Cell(Model([*cell.model, swollen, shrunk], [*mechanisms, water]), cell.species), swollen, shrunk


def test_a_cell_that_takes_up_K_swells_and_keeps_water_ions_and_charge():
    cell, swollen, shrunk = swelling()
    run = cell.run(60.0)
    v, w = run[shrunk.name], run[swollen.name]
    assert 0.8 < v[-1] < 0.99
    assert w[-1] > 1.005
    np.testing.assert_allclose(0.2 * v + 0.4 * w, 0.6, rtol=1e-12)
    for ion in VALENCE:
        amount = 0.2 * run[f"{ion}_outside"] + 0.4 * run[f"{ion}_inside"]
        np.testing.assert_allclose(amount, amount[0], rtol=1e-12)
    charge, moved = cell.charge(run, "inside"), cell.capacitance * (run["V"] - run["V"][0])
    np.testing.assert_allclose(charge - charge[0], moved, atol=1e-10 * np.abs(moved).max(), rtol=0)


def test_in_the_end_both_sides_are_isosmotic():
    cell, swollen, shrunk = swelling()
    state = rest(cell.model)
    inside, outside = (sum(state[cell[f"{ion}_{side}"]][0] for ion in VALENCE) for side in ("inside", "outside"))
    fixed = 281.454 * mM - 120.293 * mM
    assert (inside + fixed) / state[swollen][0] == pytest.approx(outside / state[shrunk][0], rel=1e-6)


def test_a_cell_with_fixed_osmolytes_follows_van_t_hoff():
    mesh = well_mixed({"cytosol": 0.4, "bath": 1e6}, {"membrane": (8.0, ["cytosol", "bath"])})
    inside, outside = Species("inside", mesh["cytosol"], 100 * mM), Species("outside", mesh["bath"], 250 * mM)
    cell, bath = (Species(name, mesh[name], 1.0, unit="1") for name in ("cytosol", "bath"))
    water = Aquaporin4(mesh["membrane"], (inside,), (outside,), cell, bath, fixed=200 * mM)
    model = Model([inside, outside, cell, bath], [water])
    system = assemble(model)
    first = system.state(system.rate(system.initial(), 0.0))[cell]
    assert first == pytest.approx(500 * 18e-6 * 50 * 8.0 / 0.4)  # um/s, m^3/mol, mol/m^3, 1/um
    run = simulate(model, 5.0, [each(cell)], tolerance=Tolerance(1e-4))
    assert run["cytosol"][-1] == pytest.approx(300 / 250, rel=1e-5)


def test_a_mechanism_sees_what_shrinking_concentrates():
    mesh = well_mixed({"ecs": 0.2}, {"plasma membrane": (8.0, ["ecs"])})
    K, v = Species("K", mesh["ecs"], 4 * mM), Species("v", mesh["ecs"], 0.8)
    kir = Kir41(mesh["plasma membrane"], K)
    seen = Swollen(kir, {K: v}).rates({K: np.array([4 * mM]), v: np.array([0.8])}, 0.0)
    assert seen[K] == kir.rates({K: np.array([5 * mM])}, 0.0)[K]


# What is refused

@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: IonLeak(membrane_place(), valence=3), "IonLeak: valence is 3; it must be one of -1, 1, 2"),
    (lambda: IonLeak(membrane_place(), g=np.ones(2)),
     r"IonLeak: g has shape \(2,\); 'plasma membrane' has 1 elements"),
    (lambda: Kir41(membrane_place(), g=-1.0), "Kir41: g is -1; it must be a finite number >= 0"),
    (lambda: Kir41(membrane_place(), temperature=0.0), "Kir41: temperature is 0; it must be a finite number > 0"),
    (lambda: SodiumPotassiumPump(membrane_place(), P_max=np.nan),
     "SodiumPotassiumPump: P_max is nan; it must be a finite number >= 0"),
    (lambda: NKCC1(membrane_place(), g=-1.0), "NKCC1: g is -1; it must be a finite number >= 0"),
    (lambda: MeanField(buffering=0.5), "MeanField: buffering is 0.5; it must be at least 1, no astrocyte"),
])
def test_what_cannot_be_is_told(make, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        make()
