"""Potassium in tissue: what the scenarios keep, what they find, and what they leave; K4-K8 of biophysics.md, B10."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from acting import act
from result_files import check_files
from test_cli import refused, succeed

from spatial._engine.methods.electrodiffusion import electrodiffusion
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.cleft import PSD, Cleft
from spatial.geometry.place import Floats
from spatial.mechanisms.ion_leak import IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.model import Model, Species
from spatial.observe.probes import total
from spatial.scenarios.buffering import model as buffering
from spatial.scenarios.buffering import report as buffering_report
from spatial.scenarios.buffering.model import UNCOUPLED, along, slab
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.parts.potassium_tissue import CHARGE, K_OUT, TEMPERATURE, Astrocytes
from spatial.scenarios.parts.report import checks_of
from spatial.scenarios.potassium import model as potassium
from spatial.scenarios.potassium import report as potassium_report
from spatial.scenarios.potassium.model import (
    AROUND,
    AWAY,
    BESIDE,
    CONTROL,
    IN_CLEFT,
    NO_ASTROCYTE,
    NO_KIR,
    NO_PUMP,
    burst,
    coverages,
)
from spatial.scenarios.potassium.settings import PotassiumSettings
from spatial.simulate import simulate
from spatial.synapses.potassium_release import LEAST
from spatial.synapses.steady_release import SteadyRelease
from spatial.units import Hz, mM, ms, s, thermal_voltage, um

SLAB = BufferingSettings(length=300 * um, slice=10 * um, duration=13 * s, lengths=())  # as Halnes 2013
THIN = replace(SLAB, length=100 * um, slice=10 * um)
SHAPE = Cleft(resolution=5.0, surround=0.6 * um)
BRIEF = PotassiumSettings(spikes=3, rate=100 * Hz, first=5 * ms, duration=40 * ms, shape=SHAPE, coverage=(0.0, 1.0),
                          swept=2)
RISE = "rise of K+ at x = 0 [mM]"


@pytest.fixture(scope="module")
def slabs() -> dict[str, buffering.Observed]:
    return {name: buffering.observe(slab(case)) for name, case in buffering.cases(SLAB).items()}


@pytest.fixture(scope="module")
def bursts() -> dict[str, potassium.Observed]:
    return {name: potassium.observe(burst(case)) for name, case in potassium.cases(BRIEF).items()}


# At rest


@pytest.mark.parametrize("case", [CONTROL, NO_KIR, NO_ASTROCYTE, UNCOUPLED])
def test_a_slab_rests_until_potassium_enters(case):
    check_rest(slab(buffering.cases(THIN)[case]).experiment.model)


@pytest.mark.parametrize("case", [CONTROL, NO_KIR, NO_PUMP, NO_ASTROCYTE])
def test_tissue_rests_until_axons_fire(case):
    check_rest(burst(potassium.cases(BRIEF)[case]).experiment.model)


def check_rest(model: Model) -> None:
    """Nothing changes by 1e-9 of its size in a second."""
    system = assemble(model)
    rate = system.state(system.rate(system.initial(), 0.0))
    for species in model:
        assert np.abs(rate[species]).max() < 1e-9 * species.typical, species


def test_K1_what_closes_the_rest_is_within_the_published_residual():
    """The leak of Na+ and the conductance of Kir4.1 that balance the pump are those of Halnes 2013 but for 1.2 %."""
    model = slab(THIN).experiment.model
    kir, = (one for one in model.mechanisms if isinstance(one, Kir41))
    leaks = [one for one in model.mechanisms if isinstance(one, IonLeak)]
    sodium, = (one for one in leaks if one.g != 0.5e-3)
    assert kir.g == pytest.approx(Kir41.g, rel=0.012)
    assert sodium.g == pytest.approx(IonLeak.g, rel=0.012)
    assert Astrocytes().chloride == pytest.approx(5.145 * mM, rel=0.005)


def test_an_astrocyte_without_kir_is_depolarised_and_conducts_less():
    leaks = [one for one in slab(replace(THIN, astrocytes=Astrocytes(kir=False))).experiment.model.mechanisms
             if isinstance(one, IonLeak)]
    of_potassium, = (one.g for one in leaks if getattr(one.outside, "name", "") == "K+")
    assert 0 < of_potassium < 0.25 * Kir41.g
    assert Astrocytes(kir=False).V > Astrocytes().V > Astrocytes(pump=False).V


# Steady release


def test_neurons_that_fire_steadily_let_out_what_they_lose():
    mesh = buffering.furnished(THIN)
    names = ("K", "K inside", "Na", "Na inside")
    K, K_in, Na, Na_in = (Species(name, mesh["ecs" if "inside" not in name else "ledger"], 1 * mM, signed=True)
                          for name in names)
    release = SteadyRelease(mesh["active zone"], K, K_in, Na, Na_in, flux=100.0, start=0.5, stop=1.5)
    run = simulate(Model([K, K_in, Na, Na_in], [release]), 2.0, [total(one) for one in (K, K_in, Na, Na_in)])
    amount = 100.0 * mesh["active zone"].total
    for name, sign in zip(names, (1, -1, -1, 1), strict=True):
        found = run[f"total {name}"]
        assert found[-1] - found[0] == pytest.approx(sign * amount, rel=1e-9)
        assert found[run.times <= 0.5] == pytest.approx(found[0], rel=1e-12)


def test_a_release_that_ends_before_it_starts_is_refused():
    mesh = buffering.furnished(THIN)
    with pytest.raises(InputError, match=r"^SteadyRelease: stop is 1 s; it must come after start, 2 s$"):
        SteadyRelease(mesh["active zone"], Species("K", mesh["ecs"]), start=2.0, stop=1.0)


# Spatial buffering


def test_K8_a_slab_keeps_its_ions_and_its_charge(slabs):
    found = checks_of((one.slab.experiment, one.recording) for one in slabs.values())
    assert found["largest relative drift"] < 1e-10
    assert found["smallest concentration"] > 0.0


def test_K8_the_charge_of_each_slice_is_on_its_membrane(slabs):
    """sum z c V less what the membrane holds stays, inside as outside, slice by slice."""
    run = slabs[CONTROL]
    mesh, recording = run.slab.experiment.mesh, run.recording
    for place, names, side in ((mesh["astrocyte"], [f"{ion} in the astrocyte" for ion in ("K+", "Na+", "Cl-")], 1),
                               (mesh["ecs"], ["K+", "Na+", "Cl-"], -1)):
        free = sum(z * recording[name] for z, name in zip((1, 1, -1), names, strict=True)) * place.measure
        held = side * CHARGE * recording["V"] * mesh["potential"].measure
        there, fixed = np.abs(recording[names[1]] * place.measure).max(), free - held
        assert np.abs(fixed - fixed[0]).max() < 1e-10 * there


def test_potassium_enters_where_it_is_high_and_leaves_where_it_is_low(slabs):
    run = slabs[CONTROL]
    recording, k, x = run.recording, run.end, run.slab.x
    change = recording["K+ current"][k] - recording["K+ current"][0]
    assert (change[x < 20] < 0).all()
    assert (change[x > 80] > 0).all()
    assert (np.diff(recording["K+"][k]) < 0).all()


def test_the_current_makes_a_loop(slabs):
    """All that enters leaves again: none is left at the far end; between, it flows away from the source."""
    current = along(slabs[CONTROL])
    assert current[0] == 0.0
    assert abs(current[-1]) < 1e-3 * current.max()
    assert (current[1:-1] > 0).all()
    assert np.abs(along(slabs[UNCOUPLED])).max() < 2e-3 * current.max()


@pytest.mark.parametrize(("place", "ions", "way"), [
    ("astrocyte", ("K+ in the astrocyte", "Na+ in the astrocyte", "Cl- in the astrocyte"), 1),
    ("ecs", ("K+", "Na+", "Cl-"), -1)])
def test_the_current_that_enters_is_what_the_ions_carry_along_and_back(slabs, place, ions, way):
    """Found from what enters through the membrane, it is that of the ions' diffusion and drift, inside and outside."""
    run = slabs[CONTROL]
    system = assemble(run.slab.experiment.model)
    u = system.initial()
    for species in (one for one in run.slab.experiment.model if one.name in run.recording.series):
        system.layout.values(u, species)[:] = run.recording[species.name][run.end]
    phi = electrodiffusion(system, run.slab.electrolyte).potentials(u, SLAB.stop - ms)[place]
    i, j = system.layout.places[place][0].place.links.T
    carried = 0.0
    for name, z in zip(ions, (1, 1, -1), strict=True):
        ion, c = run.slab.experiment.species[name], run.recording[name][run.end]
        x = z * (phi[j] - phi[i]) / thermal_voltage(TEMPERATURE)
        carried += z * ion.D * ion.place.transmissibility * (c[i] * bernoulli(x) - c[j] * bernoulli(-x)) / CHARGE
    assert carried == pytest.approx(way * along(run)[1:-1], abs=2e-3 * along(run).max())


def bernoulli(x: Floats) -> Floats:
    """x / (e^x - 1)."""
    return x / np.expm1(x)


def test_K4_potassium_rises_as_in_halnes_2013(slabs):
    """10 s after the input begins, where it enters: 7.029 mM and -60.1 mV; here the rest is closed, unlike theirs."""
    found = buffering.findings(slabs[CONTROL])
    assert found[RISE] == pytest.approx(7.029, rel=0.02)
    assert found["V at x = 0 [mV]"] == pytest.approx(-60.1, rel=0.02)


def test_K5_without_spatial_buffering_potassium_rises_higher(slabs):
    found = {name: buffering.findings(run) for name, run in slabs.items()}
    rise = {name: one[RISE] for name, one in found.items()}
    assert 1.05 * rise[CONTROL] < rise[NO_KIR] < rise[UNCOUPLED] < rise[NO_ASTROCYTE]
    assert rise[UNCOUPLED] > 1.5 * rise[CONTROL]
    far = "V at the far end [mV]"  # what does not get there depolarises nothing
    assert found[UNCOUPLED][far] < found[CONTROL][far] - 0.5
    assert found[UNCOUPLED][far] == pytest.approx(Astrocytes().V, abs=0.01)


def test_potassium_comes_back_to_rest_after_the_input(slabs):
    end = slabs[CONTROL].recording["K+"]
    assert end[-1, 0] - K_OUT < 0.5 * (end.max() - K_OUT)


@pytest.mark.slow
def test_the_current_does_not_depend_on_the_slices(slabs):
    fine, coarse = buffering.observe(slab(replace(SLAB, slice=5 * um, duration=SLAB.stop))), slabs[CONTROL]
    assert buffering.findings(coarse)[RISE] == pytest.approx(buffering.findings(fine)[RISE], rel=2e-3)
    assert along(coarse) == pytest.approx(along(fine)[::2], abs=0.03 * along(fine).max())


# A burst beside a process


def test_a_burst_keeps_potassium_and_charge(bursts):
    found = checks_of((one.burst.experiment, one.recording) for one in bursts.values())
    assert found["largest relative drift"] < 1e-10
    assert found["smallest concentration"] >= 0.0


def test_K6_a_spike_of_all_axons_raises_potassium_by_the_least_charge():
    """0.73 mM in an ECS of 0.2 with 14 um^2/um^3 of membrane."""
    one = burst(replace(BRIEF, firing=1.0, per_spike=LEAST))
    system = assemble(one.experiment.model)
    u = system.initial()
    act(system, u, BRIEF.first)
    state = system.state(u)
    mean = one.potassium.place.measure @ (state[one.potassium] - K_OUT) / one.experiment.mesh["neuropil"].total
    assert mean / mM == pytest.approx(0.7254, rel=0.01)


def test_each_who_takes_potassium_up_keeps_it_lower(bursts):
    peak = {name: run.recording[BESIDE].max() for name, run in bursts.items()}
    assert peak[CONTROL] < peak[NO_KIR] < peak[NO_ASTROCYTE]
    assert peak[CONTROL] < peak[NO_PUMP] < peak[NO_ASTROCYTE]


def test_potassium_is_highest_in_the_cleft_whose_synapse_fires(bursts):
    recording = bursts[CONTROL].recording
    assert recording[IN_CLEFT].max() > recording[BESIDE].max() > recording[AROUND].max()


def test_the_astrocyte_is_depolarised_by_a_burst_but_not_without_its_mechanisms(bursts):
    for name, least in ((CONTROL, 0.5), (NO_KIR, 0.05), (NO_PUMP, 0.5)):
        V = bursts[name].recording["V"]
        assert V.max() > V[0] + least
    assert np.ptp(bursts[NO_ASTROCYTE].recording["V"]) < 1e-9


def test_all_that_is_released_is_accounted_for_where_nothing_can_spread_away():
    """Where all tissue is active, what is taken and what is in the ECS adds up to what was released."""
    closed = potassium.observe(burst(replace(BRIEF, reach=4 * um, active=10 * um)))
    found = potassium.shares(closed, BRIEF.first + BRIEF.spikes / BRIEF.rate)
    assert found[f"{AWAY} [%]"] == pytest.approx(0.0, abs=1.0)
    assert sum(found.values()) == pytest.approx(100.0)


def test_the_synapse_lets_out_what_its_neuron_loses():
    one = burst(BRIEF)
    leaving = one.experiment.species["K+ leaving at the PSD"]
    spent = one.experiment.species["K+ of the synapse's neuron"]
    system = assemble(one.experiment.model)
    u = system.initial()
    act(system, u, BRIEF.first)
    state = system.state(u)
    assert leaving.place is one.experiment.mesh[PSD]
    assert leaving.place.measure @ state[leaving] == pytest.approx(BRIEF.synaptic)
    assert state[spent] == pytest.approx(-BRIEF.synaptic)


def test_a_process_around_the_synapse_walls_its_cleft_in():
    bare, covered = (potassium.observe(burst(one)).recording for one in coverages(BRIEF).values())
    assert (covered[IN_CLEFT] - covered[AROUND]).max() > 1.2 * (bare[IN_CLEFT] - bare[AROUND]).max()


def test_the_syncytium_conducts_as_a_medium_between_two_spheres():
    """From shell to shell, (1/r - 1/R)/(4 pi sigma) in all, sigma being that of the cells' cytoplasm in the tissue."""
    astrocytes, place = Astrocytes(), potassium.furnished(BRIEF)["potential"]
    r = place.centres[1:, 0]
    sigma = astrocytes.fraction / astrocytes.tortuosity**2 * astrocytes.conductivity
    found = (1 / place.transmissibility[1:]).sum()
    assert found == pytest.approx((1 / r[0] - 1 / r[-1]) / (4 * np.pi * sigma), rel=0.01)
    assert astrocytes.conductivity / 1e3 == pytest.approx(0.85, rel=0.01)  # S/m


@pytest.mark.slow
def test_K7_potassium_has_a_ceiling_undershoots_with_pumps_and_is_cleared_in_seconds():
    """A train of 1 s at 50 Hz of all axons around: with astrocytes 12 mM at most; the undershoot is that of pumps."""
    settings = PotassiumSettings(shape=SHAPE, spikes=50, rate=50 * Hz, firing=1.0, duration=4 * s)
    found = {name: potassium.findings(potassium.observe(burst(case)))
             for name, case in potassium.cases(settings).items()}
    peak, low = "peak beside the process [mM]", "undershoot beside the process [mM]"
    assert 4.0 < found[CONTROL][peak] < found[NO_KIR][peak] < 12.0
    assert found[NO_ASTROCYTE][peak] > 12.0
    assert found[NO_PUMP][low] == pytest.approx(0.0, abs=1e-6)
    assert 0.05 < found[CONTROL][low] < found[NO_KIR][low] < found[NO_ASTROCYTE][low]
    back = "time after the burst to rest [s]"
    assert found[CONTROL][back] < found[NO_KIR][back] < found[NO_ASTROCYTE][back] < 1.0 < found[NO_PUMP][back]


@pytest.mark.slow
def test_the_tolerance_of_bursts_is_small_enough():
    """Peaks of K+ are within 1 % of the rise of those with steps ten times as accurate."""
    one = burst(replace(BRIEF, spikes=6, duration=100 * ms))
    usual, experiment = potassium.observe(one).recording, one.experiment
    strict = simulate(experiment.model, experiment.duration, experiment.watch, tolerance=Tolerance(2e-3))
    for name in (BESIDE, IN_CLEFT, AROUND):
        assert usual[name].max() - K_OUT == pytest.approx(strict[name].max() - K_OUT, rel=0.01), name


# What runs leave


def test_a_run_of_buffering_leaves_its_files(tmp_path):
    settings, told = replace(THIN, start=0.1, stop=0.6, duration=1.0), list[float]()
    buffering_report.results(tmp_path, settings, lambda t, dt: told.append(t))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(buffering_report.duration(settings))
    check_table(tmp_path, "buffering", {f"100um_{name.replace(' ', '_')}" for name in buffering.cases(settings)}, 1.0)


@pytest.mark.slow
def test_a_run_of_potassium_leaves_its_files(tmp_path):
    settings, told = replace(BRIEF, spikes=1, swept=1, coverage=(0.5,), duration=20 * ms), list[float]()
    potassium_report.results(tmp_path, settings, lambda t, dt: told.append(t))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(potassium_report.duration(settings))
    check_table(tmp_path, "potassium", {name.replace(" ", "_") for name in potassium.cases(settings)}, 20 * ms)


def check_table(folder: Path, name: str, labels: set[str], duration: float) -> None:
    rows, found = check_files(folder, name, labels, duration)
    assert rows[0]["case"] == found[0]["case"] == CONTROL


@pytest.mark.slow
@pytest.mark.parametrize(("command", "options"), [
    ("potassium", ("--resolution", 5, "--duration", 0.15)), ("buffering", ("--length", 30))])
def test_the_command_runs(command, options, tmp_path):
    succeed("run", command, *options, "--quiet", "--out", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["scenario"] == command
    assert (tmp_path / "out" / f"{command}.png").is_file()


@pytest.mark.slow
def test_the_same_run_leaves_the_same_files(tmp_path):
    settings = replace(BRIEF, spikes=1, swept=1, coverage=(0.5,), duration=20 * ms)
    for name in "ab":
        (tmp_path / name).mkdir()
        potassium_report.results(tmp_path / name, settings)
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes(), one.name


@pytest.mark.parametrize(("kind", "wrong", "message"), [
    (PotassiumSettings, {"firing": 0.0}, r"^PotassiumSettings: firing is 0; it must be a part from 0 to 1, not 0$"),
    (PotassiumSettings, {"coverage": (1.5,)},
     r"^PotassiumSettings: coverage has 1.5; every part must be from 0 to 1$"),
    (PotassiumSettings, {"active": 0.0}, r"^PotassiumSettings: active is 0; it must be a finite number > 0$"),
    (BufferingSettings, {"active": 1.5}, r"^BufferingSettings: active is 1.5; it must be a part from 0 to 1, not 0$"),
    (BufferingSettings, {"stop": 30.0},
     r"^BufferingSettings: K\+ enters from 1 to 30 s of 20 s; the times must grow$"),
    (BufferingSettings, {"length": 5.0}, "^BufferingSettings: K. enters the first 0.5 um, where no slice of 1 um has"),
    (BufferingSettings, {"lengths": (0.0,)}, r"^BufferingSettings: each of lengths is 0; it must be a finite number"),
    (Astrocytes, {"depth": 0.0}, r"^Astrocytes: depth is 0; it must be a finite number > 0$")])
def test_settings_that_make_no_sense_are_refused(kind, wrong, message):
    with pytest.raises(InputError, match=message):
        kind(**wrong)


def test_a_slab_without_length_is_refused_in_one_sentence(capsys, tmp_path):
    said = refused(capsys, "run", "buffering", "--length", 0, "--out", tmp_path / "out")
    assert said == "spatial: BufferingSettings: length is 0; it must be a finite number > 0\n"
