"""Homeostasis: gain and runaway of neurons that hear the K+ and adenosine of their own firing; F1, F2 of B12."""

import csv
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.stepping.resting_state import rest
from spatial.analysis.gain import transfer
from spatial.checks import InputError, Unusual
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.model import Species
from spatial.output.recording_file import read_recording
from spatial.scenarios.homeostasis.model import (
    ABOVE,
    ADENOSINE,
    BELOW,
    BOTH,
    BUFFERED,
    D_ADENOSINE,
    DRIVE,
    MEMBRANE,
    NONE,
    RATE,
    SETTLES,
    Homeostasis,
    Observed,
    apart,
    cases,
    driven,
    experiment,
    findings,
    gain,
    homeostasis,
    kicked,
    response,
    settled,
    stepped,
    with_neurons,
)
from spatial.scenarios.homeostasis.report import duration, results
from spatial.scenarios.homeostasis.settings import HomeostasisSettings
from spatial.scenarios.parts.potassium_tissue import D_K
from spatial.scenarios.parts.report import checks_of, drifts
from spatial.scenarios.parts.settings import ALPHA, LAMBDA
from spatial.simulate import simulate
from spatial.synapses.excitability import MeanField, RateNeuron, RateOutflow, phi
from spatial.units import Hz, mM, um

SETTINGS = HomeostasisSettings(inputs=8, near=0.001)
CASES = cases(SETTINGS)
GAINS = {NONE: (5.10717, 8.5713), BUFFERED: (3.9983, 4.6220), ADENOSINE: (4.43838, 5.4371), BOTH: (3.7151, 3.7109)}
THRESHOLDS = {NONE: 18.272, BUFFERED: 39.601, ADENOSINE: 32.252, BOTH: 70.934}
FREQUENCIES = np.array([0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30])


@cache
def run(what: Callable[[MeanField, HomeostasisSettings], Observed], name: str) -> Observed:
    return what(CASES[name], SETTINGS)


def calm(name: str) -> float:
    return float(CASES[name].steady(-1.0)[0])


# The mechanisms, and the closed forms

def test_a_rate_neuron_hears_its_own_release_up_to_its_highest_rate():
    where = well_mixed({"ecs": 0.2}, {"membrane": (8.0, ["ecs"])})["membrane"]
    rate, p, K = Species("rate", where), Species("p", where), Species("K", pool("ecs", [0.2]))
    neuron = RateNeuron(where, rate, K, drive=-1.0, release=p, w=0.5, tau=0.1)
    c = {rate: np.array([8.0]), p: np.array([0.25]), K: np.array([RateNeuron.rest])}
    assert neuron.rates(c, 0.0)[rate] == pytest.approx((phi(0.0) - 8.0) / 0.1, rel=1e-14)
    assert replace(neuron, drive=1e3).rates(c, 0.0)[rate] == pytest.approx((200 - 8) / 0.1)


def test_what_flows_out_with_the_rate_leaves_the_neuron():
    where = well_mixed({"ecs": 0.2}, {"membrane": (8.0, ["ecs"])})["membrane"]
    rate, out, left = Species("rate", where), Species("out", where), Species("left", where, signed=True)
    gains = RateOutflow(where, rate, out, 0.5, left).rates({rate: np.array([4.0])}, 0.0)
    assert gains == {out: 2.0, left: -2.0}


@pytest.mark.parametrize("name", CASES)
def test_the_response_is_the_gain_when_slow_and_that_of_the_rate_alone_when_fast(name):
    loop, rate = CASES[name], calm(name)
    assert loop.response(rate, -1.0, 1e-9) == pytest.approx(loop.gain(rate, -1.0), rel=1e-6)
    slope = (phi(loop.drive(rate, -1.0) + 1e-5) - phi(loop.drive(rate, -1.0) - 1e-5)) / 2e-5
    assert loop.response(rate, -1.0, 1e4) == pytest.approx(slope / (2j * np.pi * 1e4 * loop.tau), rel=1e-2)


@pytest.mark.parametrize("loop", CASES.values(), ids=CASES)
def test_a_steady_rate_is_held_by_its_input(loop):
    np.testing.assert_allclose(loop.holding(loop.steady(-1.0)), -1.0, rtol=1e-9)


def test_the_transfer_function_of_an_exponential_course_is_a_low_pass():
    t = np.r_[0.0, np.geomspace(1e-3, 50, 150)] + 7.0
    found = transfer(t, 3.0 - 0.5 * np.exp(-(t - 7.0) / 2.0), 0.25, FREQUENCIES[:5])
    np.testing.assert_allclose(found, 2.0 / (1 + 4j * np.pi * FREQUENCIES[:5]), atol=1e-4)


# F1 and F2 in simulation

@pytest.mark.parametrize("name", CASES)
def test_F1_gain_in_simulation_is_that_of_the_linearised_formula(name):
    rate, published = GAINS[name]
    two = run(stepped, name)
    assert gain(two) == pytest.approx(published, rel=1e-4)
    assert gain(two) == pytest.approx(CASES[name].gain(calm(name), -1.0), rel=5e-5)
    assert two.rates[-1].mean() == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_A14_response_to_fast_and_slow_inputs_is_the_linearised_one(name):
    expected = CASES[name].response(calm(name), -1.0, FREQUENCIES)
    np.testing.assert_allclose(np.abs(response(run(stepped, name), FREQUENCIES) / expected - 1), 0, atol=5e-4)


@pytest.mark.parametrize("name", CASES)
def test_F2_from_above_the_second_root_it_runs_away_and_from_below_it_settles(name):
    left = run(kicked, name)
    _, below, above = left.rates[0]
    assert below < THRESHOLDS[name] < above
    assert above - below < 2.1e-3 * THRESHOLDS[name]
    assert settled(left)[1:].tolist() == [True, False]
    assert left.rates[-1, 1] == pytest.approx(GAINS[name][0], rel=5e-3)
    assert left.rates[-1, 2] == pytest.approx(200 * Hz)


def test_what_runs_away_without_feedback_settles_with_either():
    assert {name: bool(settled(run(kicked, name))[0]) for name in CASES} == {
        NONE: False, BUFFERED: True, ADENOSINE: True, BOTH: True}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_neurons_settle_on_the_rates_of_the_mean_field_and_run_away_where_it_has_none(name):
    seen = run(driven, name)
    for current, rate, still in zip(seen.inputs, seen.rates[-1], settled(seen), strict=True):
        expected = CASES[name].steady(current)
        assert still == (len(expected) > 0)
        if still:
            assert rate == pytest.approx(expected[0], rel=1e-3)


def test_no_ion_and_no_adenosine_is_lost():
    found = checks_of((one.experiment, one.recording) for one in (run(what, BOTH) for what in (stepped, kicked)))
    assert found["largest relative drift"] < 1e-12
    assert found["smallest concentration"] >= 0


@dataclass(frozen=True, eq=False)
class Swinging:
    """An input that swings about its first value, by `by` at a frequency [Hz]."""

    where: Place
    drive: Species
    by: float
    frequency: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        omega = 2 * np.pi * self.frequency
        return {self.drive: self.by * omega * np.cos(omega * t)}


@pytest.mark.slow
def test_the_gain_for_a_swinging_input_is_the_response_at_its_frequency():
    loop, frequency, by = CASES[BOTH], 3.0, 0.01
    one = experiment(apart(loop, 1), loop, -1.0, calm(BOTH))
    swinging = Swinging(one.mesh[MEMBRANE], one.species[DRIVE], by, frequency)
    seen = simulate(one.model.with_mechanisms(swinging), 3.0, one.watch, tolerance=Tolerance(1e-4, longest=0.01))
    late = np.linspace(2.0, 3.0, 1000, endpoint=False)  # 3 periods
    swing = np.interp(late, seen.times, seen[RATE]) * np.exp(-2j * np.pi * frequency * late)
    assert 2j * swing.mean() / by == pytest.approx(loop.response(calm(BOTH), -1.0, frequency), rel=5e-3)


# In space

SIDE, BRICKS, SHARE = 60 * um, 5, 2  # of a brick; bricks along each axis; a neuron's share of ECS, in bricks
FAR_FROM_K = replace(MeanField(), buffering=1e3)  # hears adenosine alone


def block() -> Place:
    half = SIDE * BRICKS / 2
    return grid("ecs", (-half,) * 3, (half,) * 3, SIDE, ALPHA, LAMBDA)


def heard(ecs: Place, D: float, loss: float) -> float:
    """Level at the middle brick over that in the neuron's share alone, of what the neuron there lets out."""
    middle = len(ecs) // 2
    source = np.zeros(len(ecs))
    source[middle] = SHARE * ecs.measure[middle] * loss
    return float(spsolve((D * stiffness(ecs) + diags_array(loss * ecs.measure)).tocsc(), source)[middle])


def in_field(loop: MeanField, potassium: float, adenosine: float) -> MeanField:
    """The loop where so many times as much of what the neuron lets out is heard."""
    return replace(loop, potassium=loop.potassium * potassium, kappa_a=loop.kappa_a * adenosine)


def gain_in_block(loop: MeanField) -> tuple[float, float, dict[str, float]]:
    """Rate and gain of a neuron in the middle of a block, and how well amounts were kept, from rest on."""
    ecs, step = block(), 0.01
    one = experiment(with_neurons(ecs, loop, [len(ecs) // 2], SHARE * ecs.measure[0]), loop, -1.0)
    begin, rates, kept = rest(one.model), list[float](), dict[str, float]()
    for change in (-step, step):
        start = begin.but({one.species[DRIVE]: -1.0 + change})
        seen = simulate(one.model, 60.0, one.watch, tolerance=Tolerance(1e-5), start=start)
        rates.append(seen[RATE][-1])
        kept = drifts(one, seen)
    return sum(rates) / 2, (rates[1] - rates[0]) / (2 * step), kept


@pytest.mark.parametrize(("loop", "more"), [
    (replace(MeanField(), gamma_p=0.0, buffering=5.0), 1), (FAR_FROM_K, -1)], ids=["K+", "adenosine"])
def test_in_a_block_the_gain_is_that_of_the_field_at_the_neuron_between_local_and_well_mixed(loop, more):
    ecs = block()
    at_neuron = [heard(ecs, D, loss) for D, loss in (
        (D_K, loop.buffering / loop.tau_K), (D_ADENOSINE, 1 / loop.tau_a))]
    mixed, field, local = (in_field(loop, *part) for part in (
        (SHARE / len(ecs),) * 2, at_neuron, (SHARE,) * 2))
    gains = [one.gain(one.steady(-1.0)[0], -1.0) for one in (mixed, field, local)]
    rate, gain, kept = gain_in_block(loop)
    assert rate == pytest.approx(field.steady(-1.0)[0], rel=1e-4)
    assert gain == pytest.approx(gains[1], rel=1e-3)
    assert (np.diff([gains[0], gain, gains[2]]) * more > 0.01 * gains[0]).all()
    assert max(kept.values()) < 1e-12


# The scenario

@pytest.mark.slow
def test_findings_have_a_simulated_and_a_linearised_gain():
    of = {name: findings(Homeostasis(CASES[name], *(run(what, name) for what in (driven, stepped, kicked))), SETTINGS)
          for name in (NONE, BOTH)}
    found = of[BOTH]
    assert found["gain dr/dI [Hz]"] == pytest.approx(found["gain dr/dI [Hz], linearised"], rel=1e-4)
    assert found["gain dr/dI at 10 Hz [Hz]"] == pytest.approx(found["gain dr/dI at 10 Hz [Hz], linearised"], rel=1e-3)
    assert (found[SETTLES], found[BELOW], found[ABOVE]) == (1.0, 1.0, 0.0)
    assert found["highest input at which it settles"] > of[NONE]["highest input at which it settles"]


@pytest.mark.slow
def test_a_run_leaves_its_files(tmp_path):
    settings = HomeostasisSettings()
    told = list[float]()
    rows = results(tmp_path, settings, lambda t, dt: told.append(t))
    assert told[-1] == pytest.approx(duration(settings))
    assert (np.diff(told) > 0).all()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["largest relative drift"] < 1e-12
    assert summary["smallest concentration"] >= 0
    assert [row["case"] for row in csv.DictReader((tmp_path / "homeostasis.csv").open())] == list(CASES)
    assert [row[SETTLES] for row in rows] == [0.0, 1.0, 1.0, 1.0]
    assert (tmp_path / "homeostasis.png").stat().st_size > 50_000
    kicked = read_recording(tmp_path / "no_feedback_kicked.h5")
    assert kicked.series["K+"].values[-1, 0] > kicked.series["K+"].values[0, 0] + 1 * mM


def test_without_a_threshold_below_the_highest_rate_there_is_none_to_start_beside():
    calm_loop = MeanField(w=0.01, buffering=5.0)
    assert len(calm_loop.steady(-1.0)) == 1
    left = kicked(calm_loop, replace(SETTINGS, duration=20.0))
    assert left.rates.shape[1] == 1
    assert settled(left).all()


def test_runs_too_short_to_settle_are_warned_of():
    with pytest.warns(Unusual, match=r"^HomeostasisSettings: duration is 2 s, less than 4 times the 5 s of adenosine"):
        HomeostasisSettings(duration=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HomeostasisSettings()


# What is refused

def refused_settings(**changes: Any) -> Any:
    return lambda: HomeostasisSettings(**changes)


@pytest.mark.parametrize(("make", "sentence"), [
    (refused_settings(buffering=0.5), "HomeostasisSettings: buffering is 0.5; it must be at least 1, no astrocyte"),
    (refused_settings(inputs=1), "HomeostasisSettings: 1 inputs from -2.2 to 0.6; there must be at least 2, and they "
     "must rise"),
    (refused_settings(near=1.0), "HomeostasisSettings: near is 1; it must be a part from 0 to 1"),
    (refused_settings(kick=0.0), "HomeostasisSettings: kick is 0; it must be a finite number > 0"),
    (refused_settings(loop=MeanField(potassium=0.0)),
     "HomeostasisSettings: potassium of the loop is 0; it must be a finite number > 0"),
    (lambda: homeostasis(CASES[NONE], HomeostasisSettings(current=1.0)),
     "HomeostasisSettings: at a current of 1 the loop has no steady rate up to 200 Hz; lower it"),
    (lambda: transfer(np.arange(3.0), np.arange(3.0), 1.0, 1.0),
     "transfer: 3 times and 3 values; give as many of both, at least 4"),
    (lambda: transfer(np.arange(4.0), np.arange(4.0), 0.0, 1.0),
     "transfer: the step is 0; give how far the input was moved"),
])
def test_what_cannot_be_is_told(make, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        make()
