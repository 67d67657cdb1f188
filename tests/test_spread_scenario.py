"""The spread scenario: what it keeps, who hears one release, and what it leaves."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from test_cli import refused, succeed

from spatial.analysis.spread import largest_radius, reach
from spatial.checks import InputError
from spatial.output.recording_file import read_recording
from spatial.scenarios.spread.model import (
    ATP,
    D_SERINE,
    GABA,
    GLUTAMATE,
    K_P2Y1,
    NMDA_OFF,
    NMDA_ON,
    TRANSMITTERS,
    bound,
    chosen,
    spread,
)
from spatial.scenarios.spread.report import SOURCE, Heard, draw_synapses, observe, row, sweep, two_sources
from spatial.scenarios.spread.settings import SpreadSettings
from spatial.units import molecule, ms, s

FEW = SpreadSettings(frames=81)
CO_AGONIST, GABA_A = "NMDA receptors' co-agonist site", "GABA-A receptors outside synapses"
FILES = {"recording.h5", "spread.csv", "spread.png", "summary.json", "manifest.json"}


@pytest.fixture(scope="module")
def heard() -> dict[str, Heard]:
    """One vesicle of each transmitter, and what each receptor heard."""
    return {one.listener.name: one for transmitter in TRANSMITTERS.values()
            for one in observe(spread(transmitter, FEW))}


@pytest.fixture(scope="module")
def burst() -> dict[str, Heard]:
    """1024 vesicles of ATP at one place: enough for adenosine."""
    return {one.listener.name: one for one in observe(spread(ATP, replace(FEW, vesicles=1024.0)))}


@pytest.fixture(scope="module")
def twice() -> Heard:
    """Two vesicles of GABA at one place."""
    return observe(spread(GABA, replace(FEW, vesicles=2.0)))[0]


@pytest.fixture(scope="module")
def sudden() -> Heard:
    """One vesicle of D-serine that empties in 10 us."""
    return observe(spread(replace(D_SERINE, emptying=0.01 * ms), FEW))[0]


# Laws


def test_every_molecule_is_kept_and_nothing_goes_below_zero(heard, burst):
    for one in (*heard.values(), *burst.values()):
        assert one.drift < 1e-10
        assert one.smallest >= 0
        assert one.rise.min() >= 0
        assert one.effect.max() <= 1


def test_nothing_gets_to_where_the_neuropil_ends(heard, burst):
    """The shells are sealed outside."""
    for one in (*heard.values(), *burst.values()):
        outer = one.spread.place.centres[:, 0] > 0.9 * one.spread.transmitter.extent
        amount = one.rise @ (one.spread.place.measure * outer)
        released = one.spread.transmitter.vesicle * one.spread.settings.vesicles
        assert amount.max() < 1e-5 * released


def test_receptors_far_from_the_source_never_hear_more_than_those_near(heard):
    for one in heard.values():
        assert (np.diff(one.effect.max(axis=0)) <= 1e-6).all()


def test_more_vesicles_reach_farther(heard, twice):
    one = heard[GABA_A]
    assert twice.reach.largest > 1.05 * one.reach.largest
    assert twice.synapses > 1.1 * one.synapses


def test_keener_receptors_hear_farther(heard):
    one = heard[CO_AGONIST]
    keen = reach(one.spread.place, one.reach.times, one.effect, 0.05, SOURCE)
    assert keen.largest > 1.1 * one.reach.largest


@pytest.mark.slow
@pytest.mark.parametrize("transmitter", [GABA, GLUTAMATE], ids=["uptake", "transporters"])
def test_less_uptake_and_fewer_transporters_let_it_reach_farther(heard, transmitter):
    less = observe(spread(transmitter, replace(FEW, clearance=0.25)))[0]
    assert less.reach.largest > 1.02 * heard[less.listener.name].reach.largest


def test_vesicles_that_empty_slowly_are_heard_less_far_but_for_longer(heard, sudden):
    slow, near = heard[CO_AGONIST], np.array([0.3])
    assert slow.reach.largest < 0.6 * sudden.reach.largest
    assert slow.reach.duration(near) > 2 * sudden.reach.duration(near)


# Closed forms


def test_a_vesicle_that_empties_at_once_reaches_as_far_as_the_closed_form_allows(sudden):
    """In 10 us, before anything is cleared: R_max = (N / (alpha c))^(1/3) sqrt(3 / (2 pi e))."""
    rise = reach(sudden.spread.place, sudden.reach.times, sudden.rise, 0.5, SOURCE, 0.2)
    assert rise.largest == pytest.approx(largest_radius(D_SERINE.vesicle, 0.5, 0.2), rel=0.01)


def test_D13_what_a_release_leaves_has_the_length_constant_of_its_clearance(heard):
    for name in (CO_AGONIST, "P2Y1 receptors", GABA_A, "NMDA receptors"):
        square, slope = heard[name].measured
        assert square == pytest.approx(heard[name].theory, rel=0.01), name
        assert slope == pytest.approx(heard[name].theory, rel=0.01), name


def test_the_length_constants_of_the_purines_add_up_as_squares(heard):
    square, slope = heard["A1 receptors"].measured
    assert square == pytest.approx(heard["A1 receptors"].theory, rel=0.01)
    assert slope is None


def test_the_transporters_capture_glutamate_as_fast_as_published():
    """L9: binding at 1262 /s, of which 65 % is kept."""
    assert spread(GLUTAMATE, FEW).losses == pytest.approx([1262 * 0.649], rel=0.01)


def test_purines_are_taken_apart_as_in_A8_far_below_saturation():
    assert spread(ATP, replace(FEW, clearance=2.0)).losses == pytest.approx([1.7, 1.7, 2.0, 2.8 / 1.5])


def test_receptors_bind_as_their_kinetics_say():
    times = np.geomspace(1e-5, 1.0, 400)
    def pulse(t: Any) -> Any:
        return 500.0 * t * np.exp(-t / 0.01)

    exact = solve_ivp(lambda t, y: NMDA_ON * pulse(t) * (1 - y) - NMDA_OFF * y, (0, 1), [0.0], t_eval=times, rtol=1e-9,
                      atol=1e-12).y[0]
    found = bound(times, pulse(times)[:, None], NMDA_ON, NMDA_OFF)[:, 0]
    assert exact.max() > 0.1
    np.testing.assert_allclose(found, exact, atol=1e-3 * exact.max())


def test_receptors_at_rest_stay_at_rest():
    occupied = bound(np.geomspace(1e-5, 1.0, 50), np.full((50, 3), 0.3), NMDA_ON, NMDA_OFF, 0.3)
    np.testing.assert_allclose(occupied, NMDA_ON * 0.3 / (NMDA_ON * 0.3 + NMDA_OFF), rtol=1e-12)


@pytest.mark.parametrize(("transmitter", "k", "rise", "effect"), [
    (D_SERINE, 0, 1.3, 1 / 3), (ATP, 0, K_P2Y1, 0.5), (ATP, 1, 0.64, 0.5), (GABA, 0, 0.3, 0.5 - 0.2 / 0.7)])
def test_a_receptor_s_effect_at_a_known_rise(transmitter, k, rise, effect):
    """Half occupied goes to two thirds; K gives a half; (K + ambient) halves release probability."""
    found = transmitter.listeners[k].effect(np.ones(2), np.array([[0.0], [rise]]))
    assert found[:, 0] == pytest.approx([0.0, effect], abs=1e-12)


# What the scenario is for


def test_N14_silent_synapses_within_a_length_constant_are_changed_and_beyond_three_are_not(burst):
    one = burst["A1 receptors"]
    within, beyond = (one.effect[:, one.spread.place.nearest(np.array([[r * one.theory, 0, 0]]))].max()
                      for r in (0.5, 3.0))
    assert within > one.spread.settings.threshold > beyond
    assert one.reach.largest < 3 * one.theory


def test_one_lysosome_of_ATP_is_heard_as_ATP_but_not_as_adenosine(heard, burst):
    assert heard["P2Y1 receptors"].synapses > 100
    assert heard["A1 receptors"].reach.largest == 0
    assert burst["A1 receptors"].synapses > 100
    assert burst["A1 receptors"].reach.time > 2 * burst["P2Y1 receptors"].reach.time  # adenosine comes late


def test_one_vesicle_of_glutamate_does_not_reach_the_next_synapse(heard):
    """0.465 um to the nearest neighbour (target G8)."""
    assert 0.1 < heard["NMDA receptors"].reach.largest < 0.465


def test_drawn_synapses_are_as_many_as_expected(heard):
    one = heard[GABA_A]
    counts = draw_synapses(one, np.random.default_rng(4))
    assert len(counts) == one.spread.settings.draws
    assert counts.mean() == pytest.approx(one.synapses, abs=4 * np.sqrt(one.synapses / len(counts)))
    assert counts.var() == pytest.approx(one.synapses, rel=0.4)
    assert not draw_synapses(heard["A1 receptors"], np.random.default_rng(4)).any()


def test_two_sources_at_one_place_reach_what_one_of_twice_the_amount_does(heard, twice):
    one = heard[GABA_A]
    pair = two_sources(one, 0.0)
    assert pair.one == pytest.approx(one.volume, rel=0.02)
    assert pair.both == pytest.approx(pair.one, rel=1e-9)
    assert pair.together == pytest.approx(twice.volume, rel=0.02)


def test_sources_moved_apart_overlap_less_and_in_the_end_not_at_all(heard):
    one = heard[GABA_A]
    near, far, farther = (two_sources(one, apart * one.reach.largest) for apart in (0.5, 1.5, 20.0))
    assert near.shared > far.shared > farther.shared == 0
    assert near.only_together > 0
    assert farther.only_together < 0.01 * farther.one
    assert farther.either == pytest.approx(2 * one.volume, rel=0.02)


def test_two_sources_that_nobody_hears_reach_nothing(heard):
    assert two_sources(heard["A1 receptors"], 1.0).together == 0


# Settings and files


@pytest.mark.parametrize(("make", "message"), [
    (lambda: SpreadSettings(threshold=1.0), r"^SpreadSettings: threshold is 1; it must be a part, below 1$"),
    (lambda: SpreadSettings(clearance=0.0), r"^SpreadSettings: clearance is 0; it must be a finite number > 0$"),
    (lambda: SpreadSettings(separations=(1.0, -1.0)),
     r"^SpreadSettings: separations is -1; it must be a finite number >= 0$"),
    (lambda: chosen("dopamine"), r"^there is no transmitter 'dopamine'; there is D-serine, ATP, glutamate, GABA$"),
    (lambda: chosen("ATP", molecules=0.0), r"^molecules in a vesicle is 0; it must be a finite number > 0$"),
    (lambda: chosen("ATP", emptying=-1.0), r"^emptying is -1; it must be a finite number > 0$")])
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_vesicle_can_be_given_another_content_and_time_constant():
    (one,) = chosen("GABA", 500.0, 0.2 * s)
    assert (one.name, one.vesicle, one.emptying) == ("GABA", pytest.approx(500 * molecule), 0.2)
    assert chosen() == list(TRANSMITTERS.values())


def test_the_sweep_has_a_case_for_each_amount_and_clearance_but_the_one_asked_for(twice):
    settings = replace(FEW, vesicles=2.0, clearance=3.0, amounts=(1, 4), clearances=(1, 4))
    assert settings.sweep == [(1, 4), (4, 1), (4, 4)]
    (faster,) = sweep([GABA], replace(settings, amounts=(1,)))
    assert (faster.spread.settings.vesicles, faster.spread.settings.clearance) == (2.0, 12.0)
    assert 0 < faster.synapses < twice.synapses
    assert row(faster)["molecules released"] == pytest.approx(2 * 3000)


GIVEN = ("run", "spread", "--transmitter", "GABA", "--molecules", 2000, "--vesicles", 2, "--emptying", 2, "--no-sweep",
         "--seed", 3, "--out")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    path = tmp_path_factory.mktemp("runs")
    succeed(*GIVEN, path / "a", "--quiet")
    return path


def test_a_run_leaves_all_its_files_and_equal_seeds_equal_bytes(results, capsys):
    succeed(*GIVEN, results / "b")
    said = capsys.readouterr().out
    assert "radius of effect [µm]" in said
    assert "at [ms]" in said
    assert "GABA-A receptors" in said
    assert {one.name for one in (results / "a").iterdir()} == FILES
    for name in FILES:
        assert (results / "a" / name).read_bytes() == (results / "b" / name).read_bytes(), name


def test_the_table_and_the_summary_tell_the_same(results):
    summary = json.loads((results / "a" / "summary.json").read_text())
    with (results / "a" / "spread.csv").open() as file:
        (line,) = list[Any](csv.DictReader(file))
    (told,) = summary["heard"]
    assert float(line["radius of effect [um]"]) == pytest.approx(told["radius of effect [um]"], rel=1e-8)
    assert float(line["molecules released"]) == pytest.approx(4000.0)
    assert float(line["emptying [ms]"]) == 2.0
    assert summary["largest relative drift"] < 1e-10
    assert summary["smallest concentration [uM]"] >= 0
    assert summary["runs"] == 1


def test_the_recording_has_the_radius_over_time(results):
    recording = read_recording(results / "a" / "recording.h5")
    name = "radius of effect, GABA-A receptors outside synapses (GABA)"
    assert recording.series[name].unit == "um"
    with (results / "a" / "spread.csv").open() as file:
        (line,) = list[Any](csv.DictReader(file))
    assert np.nanmax(recording[name]) == pytest.approx(float(line["radius of effect [um]"]))


@pytest.mark.slow
def test_the_whole_sweep_keeps_every_molecule_and_tells_every_case(tmp_path):
    succeed("run", "spread", "--quiet", "--out", tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    with (tmp_path / "out" / "spread.csv").open() as file:
        lines = list[Any](csv.DictReader(file))
    assert summary["runs"] == 4 * 6 * 3
    assert len(lines) == 5 * 6 * 3
    assert len({(line["receptor"], line["vesicles"], line["clearance"]) for line in lines}) == len(lines)
    assert summary["largest relative drift"] < 1e-10
    assert summary["smallest concentration [uM]"] >= 0


@pytest.mark.slow
def test_a_release_that_nobody_hears_is_told_as_such(tmp_path, capsys):
    succeed("run", "spread", "--transmitter", "glutamate", "--molecules", 1, "--no-sweep", "--out", tmp_path / "out")
    with (tmp_path / "out" / "spread.csv").open() as file:
        (line,) = list[Any](csv.DictReader(file))
    assert float(line["radius of effect [um]"]) == float(line["synapses expected"]) == 0
    assert line["at [s]"] == line["only together, 1 um apart"] == ""


def test_a_transmitter_that_there_is_not_is_refused(tmp_path, capsys):
    assert "there is no transmitter 'NO'; there is D-serine, ATP, glutamate, GABA" in refused(
        capsys, "run", "spread", "--transmitter", "NO", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
