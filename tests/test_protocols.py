"""Protocols of plasticity: what the astrocyte adds, what a block takes away exactly, and where a threshold moves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError
from spatial.cli import main
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording, Series
from spatial.scenarios.parts.experiment import Experiment
from spatial.scenarios.parts.report import checks_of
from spatial.scenarios.protocols import model as protocols
from spatial.scenarios.protocols.bench import (
    ACTIVE,
    ADENOSINE,
    CALCIUM,
    PROBABILITY,
    PROBED,
    SLOW,
    Bench,
    Case,
    Observed,
    observe,
    prepared,
)
from spatial.scenarios.protocols.model import (
    ADDED,
    BLOCKED,
    CLAMPED,
    CONTROL,
    NO_FUSION,
    POST_PRE,
    PRE_POST,
    TISSUE,
    TISSUE_A1,
    cases,
    course,
    slow_after,
)
from spatial.scenarios.protocols.rate_curves import BCMTest, calcium_changes, crossover
from spatial.scenarios.protocols.report import duration, turned
from spatial.scenarios.protocols.settings import ProtocolSettings
from spatial.simulate import simulate
from spatial.synapses.plasticity.bcm import BCM
from spatial.synapses.plasticity.calcium_rule import CalciumRule, SpikeCalcium
from spatial.synapses.plasticity.gates import CoagonistFactor, CoagonistGate
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.release import A1Inhibition, paired_pulse_ratio
from spatial.units import Hz, ms, nm, s, um

Floats = NDArray[np.float64]
DEFAULT = ProtocolSettings()
BCM_TEST = DEFAULT.bcm
RATES = np.geomspace(1, 100, 81)


# The threshold that slides, in closed form from window to window


def test_N13_the_frequency_curve_crosses_zero_once_where_the_threshold_rests():
    assert crossover(RATES, BCM_TEST.changes(RATES, 0.0)) == pytest.approx(BCM_TEST.theta, rel=1e-3)


def test_N13_a_slow_signal_moves_the_crossover_right_by_k_m_for_each_unit_of_it():
    still = replace(BCM_TEST, theta_tau=1e9, slow_tau=1e9)
    found = [crossover(RATES, still.changes(RATES, slow)) for slow in (0.0, 0.1, 0.3, 1.0)]
    assert found == pytest.approx([10.0, 12.0, 16.0, 30.0], rel=2e-3)


def test_N13_a_slow_signal_that_fades_moves_the_crossover_less_and_still_to_the_right():
    found = [crossover(RATES, BCM_TEST.changes(RATES, slow)) for slow in (0.0, 0.3, 1.0)]
    assert 10.0 < found[1] < 16.0
    assert found[1] < found[2] < 30.0


def test_N13_the_same_test_depresses_after_intense_activity_and_potentiates_again_as_the_signal_fades():
    slow = 0.7 * np.exp(-np.array([0, 30, 60, 120, 300, 1200]) / 60)
    before, *after = BCM_TEST.changes(np.full(7, 20.0), np.r_[0.0, slow])
    assert before > 0 > after[0]
    assert (np.diff(after) > 0).all()
    assert after[-1] == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("rate", [4.0, 40.0])
def test_a_test_in_windows_is_the_rule_integrated(rate):
    where = Place("synapses", 0, np.ones(1), np.zeros((1, 3)))
    x = Species("x", where, rate)
    theta, w = Species("theta", where, BCM_TEST.theta), Species("w", where, signed=True, scale=0.01)
    slow = Species("slow", where, 0.3, scale=0.1)
    rule = BCM(where, x, x, theta, w, slow, eta=BCM_TEST.eta, k_m=BCM_TEST.k_m, y_0=BCM_TEST.theta,
               tau=BCM_TEST.theta_tau)
    run = simulate(Model([x, theta, w, slow], [rule, SlowSignal(where, 0.0, slow, BCM_TEST.slow_tau)]),
                   BCM_TEST.pulses / rate, [each(w)], tolerance=Tolerance(1e-6))
    assert BCM_TEST.changes(np.array([rate]), 0.3) == pytest.approx(run["w"][-1], rel=1e-5)


def test_a_curve_that_crosses_zero_twice_or_never_or_downwards_has_no_crossover():
    rates = np.arange(4.0)
    for changes in ([-1, 1, -1, 1], [1, 1, 1, 1], [-1, -1, -1, -1], [1, 1, -1, -1]):
        assert np.isnan(crossover(rates, np.array(changes, float)))
    assert crossover(rates, np.array([-1.0, -1.0, 3.0, 4.0])) == 1.25


# The rule of Ca2+ in spines, in closed form from spike to spike


@pytest.mark.parametrize(("rate", "lag"), [(4.0, 10 * ms), (60.0, -10 * ms)])
def test_pairs_under_the_calcium_rule_are_the_rule_integrated(rate, lag):
    where = Place("synapses", 0, np.ones(1), np.zeros((1, 3)))
    calcium, passed = Species("calcium", where, unit="1"), Species("passed", where, unit="1")
    rho = Species("rho", where, 0.5, unit="1", signed=True, scale=1e-3)
    pre = 0.1 + np.arange(4) / rate
    spine = SpikeCalcium(where, (pre,), pre + lag, calcium, CoagonistFactor(CoagonistGate(2.0)))
    run = simulate(Model([calcium, passed, rho], [spine, CalciumRule(where, calcium, rho, passed, sigma=0.0)]),
                   float(pre[-1]) + 0.25, [each(rho)], tolerance=Tolerance(1e-4))
    found = calcium_changes(np.array([7.0, rate]), 2.0, 4, lag)[1]
    assert abs(found) > 1e-3
    assert found == pytest.approx(run["rho"][-1] - 0.5, abs=1e-5)


def test_at_low_rates_the_order_of_spikes_decides_at_high_rates_all_potentiates_and_d_serine_lowers_the_crossover():
    order, reverse = (calcium_changes(RATES, 0.0, 60, lag) for lag in (10 * ms, -10 * ms))
    slow, fast = RATES < 5, RATES > 40
    assert (order[slow] > 0).all()
    assert (reverse[slow] < 0).all()
    assert (np.concatenate([order[fast], reverse[fast]]) > 0.05).all()
    crossovers = [crossover(RATES, calcium_changes(RATES, d_serine, 60, -10 * ms)) for d_serine in (0.0, 0.5, 1.0)]
    assert crossovers == sorted(crossovers, reverse=True)
    assert crossovers[0] - crossovers[2] > 1 * Hz


# What is read from a run


def recorded(times: Floats, slow: Floats) -> Observed:
    """A run of which only the slow signal is known, after a last spike at 2 s."""
    case = Case((np.array([1.0, 2.0]),), float(times[-1]))
    place = pool("v", [1.0])
    nothing = Experiment("nothing", Mesh.of(place), Model([Species("c", place)]), (), (), (), 1.0, (), {})
    return Observed(case, nothing, Recording(times, {SLOW: Series("uM", np.stack([slow, slow], axis=1))}, {}))


def test_beyond_the_end_of_a_run_the_slow_signal_decays_with_its_time_constant():
    run = recorded(np.array([0.0, 2.0, 12.0]), np.array([0.0, 0.4, 0.2]))
    assert slow_after(run, np.array([0.0, 5.0, 10.0, 70.0])) == pytest.approx([0.4, 0.3, 0.2, 0.2 * np.exp(-1)])


def test_the_course_of_a_fall_of_release_has_its_depth_onset_and_recovery():
    times = np.array([0.0, 1.0, 3.0, 10.0, 20.0])
    found = course(times, np.array([0.6, 0.6, 0.12, 0.12, 0.6]))
    assert list(found.values()) == pytest.approx([80.0, 2.0, 3.0, 15.0])


def test_release_that_does_not_fall_has_no_onset_and_one_that_stays_low_no_recovery():
    found = course(np.arange(3.0), np.full(3, 0.6))
    assert found["largest fall of release [%]"] == 0.0
    assert np.isnan([value for name, value in found.items() if name.endswith("[s]")]).all()
    assert np.isnan(course(np.arange(3.0), np.array([0.6, 0.3, 0.3]))["half of it again after [s]"])


def test_a_title_says_no_more_than_all_seeds_show():
    assert turned(20.0, np.array([-1.0, -2.0])) == "After bursts the same test depresses"
    assert turned(20.0, np.array([3.0, -4.0])) == "After bursts the same test potentiates less"
    assert turned(20.0, np.array([3.0, 24.0])) == "After bursts it potentiates less in 1 of 2 seeds"


def test_only_the_runs_that_a_protocol_needs_are_made():
    assert set(cases(replace(DEFAULT, only="pairing"))) == {CONTROL, NO_FUSION}
    assert set(cases(replace(DEFAULT, only="metaplasticity"))) == {TISSUE}
    assert duration(replace(DEFAULT, only="metaplasticity")) == pytest.approx(3 * (DEFAULT.last_burst + 30))
    assert duration(replace(DEFAULT, only="pairing")) == pytest.approx(4 * 3.65)
    assert set(cases(DEFAULT)) == {CONTROL, NO_FUSION, CLAMPED, TISSUE, TISSUE_A1, *(
        protocols.pair_rate(rate) for rate in DEFAULT.rates)}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ProtocolSettings(only="tetanus"), r"^there is no protocol 'tetanus'; there is pairing, clamp, a1_block, "
                                               r"depression, metaplasticity, frequency$"),
    (lambda: ProtocolSettings(seeds=0), r"^ProtocolSettings: seeds is 0; it must be a finite number > 0$"),
    (lambda: BCMTest(theta=0.0), r"^BCMTest: theta is 0; it must be a finite number > 0$"),
    (lambda: ProtocolSettings(rate=0.0), r"^ProtocolSettings: rate is 0; it must be a finite number > 0$"),
    (lambda: ProtocolSettings(delays=(0.0,)), r"^ProtocolSettings: each of delays must be a finite number > 0$"),
    (lambda: ProtocolSettings(lag=0.2 * s), r"^ProtocolSettings: lag is 0.2 s; it must be shorter than the time before "
                                            r"the first spike, 0.2 s$"),
    (lambda: ProtocolSettings(recovery=15.0), r"^ProtocolSettings: the last test pulses come 15 s after the last "
                                              r"burst; the run must go on for longer, recovery is 15 s$"),
    (lambda: Bench(spacing=0.8 * um), r"^Bench: even is 0.5 um; it must be less than half the spacing, 0.4 um$")])
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


# Runs


SMALL = Bench(rows=1, brick=500 * nm, synapses=((0, 0, 0), (-1, 0, 0)))


def small(**changes: object) -> Case:
    """Two pairs on a coarse bench."""
    settings = replace(DEFAULT, only="clamp", pairs=2, settle=0.1 * s, bench=SMALL)
    return replace(cases(settings)[CONTROL], **changes)


def test_N7_without_d_serine_of_the_astrocyte_no_weight_changes_at_all_and_added_d_serine_stands_in_for_it():
    readings = cases(replace(DEFAULT, only="clamp", pairs=2, bench=SMALL))[CLAMPED].readings
    run = observe(small(readings={**readings, **small().readings}, settings=replace(DEFAULT.tripartite,
                                                                                  astrocyte=False)))
    for reading in (PRE_POST, POST_PRE, BLOCKED):
        assert (run.weights(reading) == 0.0).all()
    assert run.weights(ADDED)[ACTIVE] > 0 > run.weights(ADDED)[PROBED]
    checked = checks_of([(run.experiment, run.recording)])
    assert checked["largest relative drift"] < 1e-13
    assert checked["smallest concentration"] >= 0.0


def test_each_reading_of_a_run_has_its_own_neuron_and_receptors_and_all_have_the_same_synapses():
    rules = {one.weight.name: one for one in prepared(small(), np.random.default_rng(0)).model.mechanisms
             if isinstance(one, ThreeFactorRule)}
    before, after, blocked = (rules[f"weight change, {name}"] for name in (PRE_POST, POST_PRE, BLOCKED))
    np.testing.assert_allclose(before.post - after.post, 20 * ms)
    assert blocked.gate.d_serine == 0.0
    assert before.gate.d_serine is after.gate.d_serine
    assert len({rule.pre_trace for rule in rules.values()}) == len(rules)


def test_the_same_seed_gives_the_same_run():
    one, other = (observe(small(duration=0.22 * s), seed=3).recording for _ in range(2))
    assert all((series.values == other.series[name].values).all() for name, series in one.series.items())


def once(runs: dict[str, Observed]) -> dict[str, list[Observed]]:
    """Of one seed each."""
    return {name: [run] for name, run in runs.items()}


@pytest.fixture(scope="module")
def paired() -> dict[str, Observed]:
    """Ten pairs, with the astrocyte as it is, without fusion of its vesicles, and with its Ca2+ clamped."""
    return {name: observe(cases(DEFAULT)[name]) for name in (CONTROL, NO_FUSION, CLAMPED)}


SHORT = replace(DEFAULT, tests=(5 * s,), recovery=30 * s)


@pytest.fixture(scope="module")
def free() -> Observed:
    """Bursts beside every process of a tissue."""
    return observe(cases(SHORT)[TISSUE])


@pytest.fixture(scope="module")
def tissue(free: Observed) -> dict[str, Observed]:
    """The same, and with A1 receptors blocked."""
    return {TISSUE: free, TISSUE_A1: observe(cases(SHORT)[TISSUE_A1])}


@pytest.mark.slow
def test_N7_pairs_change_a_weight_by_their_order_if_the_astrocyte_releases_and_not_at_all_if_it_does_not(paired):
    control, silent = paired[CONTROL], paired[NO_FUSION]
    assert control.weights(PRE_POST)[ACTIVE] > 1e-4
    assert control.weights(POST_PRE)[ACTIVE] < -1e-4
    assert (control.weights(PRE_POST)[PROBED:] < 0).all()
    for reading in (PRE_POST, POST_PRE):
        assert (silent.weights(reading) == 0.0).all()
    assert (control.weights(BLOCKED) == 0.0).all()
    assert silent.recording[CALCIUM].max() == pytest.approx(control.recording[CALCIUM].max(), rel=0.05)


@pytest.mark.slow
def test_a_clamp_of_the_astrocytes_calcium_abolishes_potentiation_and_d_serine_rescues_it(paired):
    """Henneberger 2010. A clamped process still lets go of a vesicle by chance, now and then."""
    rows = {row["condition"]: row["weight change [%]"] for row in protocols.clamp(once(paired), DEFAULT)}
    assert paired[CLAMPED].recording[CALCIUM].max() < 0.101
    assert rows["astrocyte's Ca2+ clamped"] < 0.2 * rows["control"]
    assert rows["clamped, D-serine added"] > rows["control"] > 0
    assert rows["co-agonist site blocked"] == 0.0


@pytest.mark.slow
def test_N14_silent_synapses_far_from_the_process_change_less_than_near_ones(paired):
    changed = np.abs(paired[CONTROL].weights(PRE_POST))[PROBED:]
    assert changed[paired[CONTROL].distance[PROBED:].argmax()] < 0.3 * changed.max()


@pytest.mark.slow
def test_P6_release_of_silent_synapses_falls_within_five_seconds_and_comes_back(free):
    for k in range(PROBED, len(free.distance)):
        found = course(free.recording.times - free.case.trains[ACTIVE][0], free.recording[PROBABILITY][:, k])
        assert 0 < found["half of it after [s]"] < 5.0
        assert found["largest fall of release [%]"] > 60.0
        assert found["half of it again after [s]"] < SHORT.recovery


@pytest.mark.slow
def test_N13_after_the_bursts_the_same_test_potentiates_less_and_the_crossover_lies_at_a_higher_rate(free):
    before, *after = [row["weight change [%]"] for row in protocols.metaplasticity({TISSUE: [free]}, SHORT)]
    assert before > after[0]
    assert after[-1] == pytest.approx(before, rel=1e-2)
    primed = slow_after(free, np.array(SHORT.delays[:1]))
    assert crossover(RATES, BCM_TEST.changes(RATES, primed[0])) > 10.5


@pytest.mark.slow
def test_an_a1_block_leaves_release_and_paired_pulses_exactly_as_they_were(tissue):
    free, blocked = tissue[TISSUE], tissue[TISSUE_A1]
    assert blocked.recording[ADENOSINE].max() > 0.5
    assert (blocked.recording[PROBABILITY] == A1Inhibition.U0).all()
    rows = protocols.a1_block(once(tissue), SHORT)
    without, under = ([row["paired-pulse ratio"] for row in rows if row["A1 receptors"] == label]
                      for label in ("blocked", "free"))
    assert np.array(without) == pytest.approx(float(paired_pulse_ratio(0.6, SHORT.gap)), rel=1e-4)
    assert under[0] == pytest.approx(without[0], rel=1e-4)
    assert under[1] > 1 > without[1]
    assert free.recording[PROBABILITY].min() < 0.3


@pytest.mark.slow
def test_runs_of_the_protocols_keep_what_must_be_kept(paired, tissue):
    checked = checks_of((run.experiment, run.recording) for run in (*paired.values(), *tissue.values()))
    assert checked["largest relative drift"] < 1e-12
    assert checked["smallest concentration"] >= 0.0


@pytest.mark.slow
def test_one_protocol_alone_leaves_its_runs_its_table_and_its_picture(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "protocols", "--only", "clamp", "--seeds", "2", "--out", str(tmp_path / "out"), "--quiet"])
    assert left.value.code == 0
    assert {one.name for one in (tmp_path / "out").iterdir()} == {
        "control_0.h5", "control_1.h5", "calcium_clamped_0.h5", "clamp.csv", "protocols.png", "summary.json",
        "manifest.json"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["found"]) == ["clamp"]
    assert [row["seed"] for row in summary["found"]["clamp"]] == [0, 1, 0, 0, 0, 1]
