"""Six protocols of plasticity with an astrocyte: what is stimulated, what is blocked, and what is read from the runs.

Pairing with and without astrocyte, a D-serine clamp, a block of A1 receptors, heterosynaptic depression, a metaplastic
shift after intense activity, and the weight change against the rate of stimulation. A protocol is a function of runs
that others share: they are named, and computed once for each seed. Which vesicles fuse is chance, and moves every
result: believe what all seeds show.

Rules: pairing, the clamp and the upper frequency curves are `ThreeFactorRule` in the runs, each with the D-serine that
its own astrocyte lets go; the middle ones `CalciumRule` at two levels of D-serine, without space; metaplasticity and
the lower ones `BCM`, its threshold raised by adenosine of the runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from spatial.checks import arguments, by_annotation, shaped
from spatial.geometry.place import Floats
from spatial.scenarios.parts.report import Row
from spatial.scenarios.protocols.bench import (
    ACTIVE,
    ADENOSINE,
    CALCIUM,
    D_SERINE,
    D_SERINE_FUSED,
    PROBABILITY,
    PROBED,
    RELEASED,
    SLOW,
    Case,
    Observed,
    Reading,
)
from spatial.scenarios.protocols.rate_curves import calcium_changes
from spatial.scenarios.protocols.settings import (
    A1_BLOCK,
    CLAMP,
    DEPRESSION,
    FREQUENCY,
    METAPLASTICITY,
    PAIRING,
    ProtocolSettings,
)
from spatial.synapses.release import TsodyksMarkram
from spatial.synapses.spikes import regular
from spatial.units import Hz

CONTROL, NO_FUSION, CLAMPED = "control", "vesicles do not fuse", "calcium clamped"  # runs
TISSUE, TISSUE_A1 = "bursts", "bursts, A1 blocked"
PRE_POST, POST_PRE = "pre before post", "post before pre"  # readings
BLOCKED, ADDED = "co-agonist site blocked", "D-serine added"
THREE_FACTORS, CALCIUM_BASED, SLIDING = "three factors", "Ca2+", "BCM"  # rules
TEST_AFTER = "test after the bursts [s]"
_ONCE = (NO_FUSION, CLAMPED, TISSUE_A1)  # runs that the first seed alone is enough for: what is blocked stays away
_SPAN, _RATES = (0.1 * Hz, 100 * Hz), 61  # of the curves without space

Runs = Mapping[str, Sequence[Observed]]
"""By name, one for each seed."""


@by_annotation
def cases(settings: ProtocolSettings) -> dict[str, Case]:
    """The runs that the chosen protocols need, by name."""
    wanted = {name for protocol in settings.chosen for name in _NEEDS[protocol]}
    paired = _paired(settings, settings.rate)
    tissue = _tissue(settings)
    clamped = replace(paired, clamped=True, readings={
        PRE_POST: paired.readings[PRE_POST], ADDED: replace(paired.readings[PRE_POST],
                                                            d_serine_held=settings.d_serine_added)})
    every = {CONTROL: paired,
             NO_FUSION: replace(paired, settings=replace(settings.tripartite, astrocyte=False)),
             CLAMPED: clamped, TISSUE: tissue,
             TISSUE_A1: replace(tissue, settings=replace(settings.tripartite, adenosine_held=0.0),
                                duration=settings.last_burst + max(settings.tests) + 2 * settings.gap)}
    found = {name: case for name, case in every.items() if name in wanted}
    if FREQUENCY in settings.chosen:
        found |= {pair_rate(rate): _paired(settings, rate) for rate in settings.rates if rate != settings.rate}
    return found


@by_annotation
def seeds(settings: ProtocolSettings, name: str) -> range:
    """The seeds that a run is made with."""
    return range(1 if name in _ONCE else settings.seeds)


@arguments(above_zero=("rate",))
def pair_rate(rate: float) -> str:
    """What the run of pairs at a rate [Hz] is called."""
    return f"pairs at {rate:g} Hz"


def _paired(settings: ProtocolSettings, rate: float) -> Case:
    """One synapse is paired with its neuron at a rate."""
    pre = regular(settings.pairs, rate, settings.first)
    readings = {PRE_POST: Reading(pre + settings.lag), BLOCKED: Reading(pre + settings.lag, d_serine_held=0.0)}
    if rate == settings.rate:
        readings |= {POST_PRE: Reading(pre - settings.lag)}
    return Case(_trains(settings, {ACTIVE: pre}), float(pre[-1]) + settings.settle, readings, settings.tripartite,
                settings.bench, slow=settings.bcm.slow_tau)


def _tissue(settings: ProtocolSettings) -> Case:
    """One synapse by each process of the tissue fires in bursts, and test pulses tell what a silent one does."""
    tests = np.concatenate([[settings.first / 2], settings.last_burst + np.array(settings.tests)])
    pulses = (tests[:, None] + np.array([0.0, settings.gap])).ravel()
    return Case(_trains(settings, {ACTIVE: settings.intense, PROBED: pulses}),
                settings.last_burst + settings.recovery, {}, settings.tripartite, settings.bench, everywhere=True,
                slow=settings.bcm.slow_tau)


def _trains(settings: ProtocolSettings, firing: Mapping[int, Floats]) -> tuple[Floats, ...]:
    """A train for each synapse of the bench, empty for those that are not named."""
    return tuple(firing.get(k, np.zeros(0)) for k in range(len(settings.bench.synapses)))


@by_annotation
def pairing(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Weight change of every synapse, for both orders of the spikes, with and without release by the astrocyte."""
    return [{"astrocyte": label, "order": order, "seed": seed, "synapse": "paired" if k == ACTIVE else "silent",
             "distance [um]": run.distance[k], "weight change [%]": 100 * run.weights(order)[k]}
            for label, name in (("releases", CONTROL), ("does not release", NO_FUSION))
            for order in (PRE_POST, POST_PRE) for seed, run in enumerate(runs[name]) for k in range(len(run.distance))]


@by_annotation
def clamp(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Weight change of the paired synapse as the astrocyte is silenced, and as D-serine is added."""
    of = (("control", CONTROL, PRE_POST), ("astrocyte's Ca2+ clamped", CLAMPED, PRE_POST),
          ("clamped, D-serine added", CLAMPED, ADDED), ("co-agonist site blocked", CONTROL, BLOCKED))
    return [{"condition": label, "seed": seed, "weight change [%]": 100 * run.weights(reading)[ACTIVE],
             "highest D-serine above rest [uM]": _d_serine(run, reading),
             "highest Ca2+ of the process [uM]": run.recording[CALCIUM].max()}
            for label, name, reading in of for seed, run in enumerate(runs[name])]


def _d_serine(run: Observed, reading: str) -> float:
    """The most D-serine that the paired synapse's receptors saw."""
    held = run.case.readings[reading].d_serine_held
    return float(run.recording[D_SERINE][:, ACTIVE].max()) if held is None else held


@by_annotation
def a1_block(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """First release and paired-pulse ratio at a silent synapse, before and after bursts, A1 receptors free or not."""
    return [{"A1 receptors": label, "seed": seed, "after the bursts [s]": time - settings.last_burst,
             "release, of all": first, "paired-pulse ratio": second / first, "adenosine [uM]": adenosine}
            for label, name in (("free", TISSUE), ("blocked", TISSUE_A1)) for seed, run in enumerate(runs[name])
            for time, first, second, adenosine in _pulses(run)]


def _pulses(run: Observed) -> list[tuple[float, float, float, float]]:
    """When each pair of test pulses came [s], the part of the resource each of both released, and adenosine then."""
    times, released = run.recording.times, run.recording[RELEASED][:, PROBED]
    parts = []
    for time in run.case.trains[PROBED]:
        before, after = np.flatnonzero(times == time)[[0, -1]]
        parts.append((released[after] - released[before]) / TsodyksMarkram.resource)
    adenosine = np.interp(run.case.trains[PROBED][::2], times, run.recording[ADENOSINE][:, PROBED])
    return [(float(time), float(first), float(second), float(a)) for time, first, second, a in
            zip(run.case.trains[PROBED][::2], parts[::2], parts[1::2], adenosine, strict=True)]


@by_annotation
def depression(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """How deep release falls at every silent synapse, how soon and for how long, from the first spike on.

    For comparison, also where one process alone answers to the pairing, as far as that run goes.
    """
    bursts_in = f"bursts, a process every {settings.bench.spacing:g} um"
    return [{"what": what, "A1 receptors": receptors, "seed": seed, "distance [um]": run.distance[k], **course(
                run.recording.times - run.case.trains[ACTIVE][0], run.recording[PROBABILITY][:, k])}
            for what, receptors, name in ((bursts_in, "free", TISSUE), (bursts_in, "blocked", TISSUE_A1),
                                          ("pairing, one process", "free", CONTROL))
            for seed, run in enumerate(runs[name]) for k in range(len(run.distance)) if k != ACTIVE]


@arguments(may_be_nan=("probability",))
def course(times: Floats, probability: Floats) -> Row:
    """Depth [%], and when it is half of it on the way down and up again [s], of a (k,) fall of release at (k,) times.

    nan where it has not fallen, or not come back half-way before the end.
    """
    shaped("course: times", times, ("k",))
    shaped("course: probability", probability, (len(times),), "one for each time")
    depth = 100 * (1 - probability / probability[0])
    lowest = int(depth.argmax())
    half = depth[lowest] / 2
    found = {"largest fall of release [%]": float(depth[lowest]), "half of it after [s]": np.nan,
             "lowest after [s]": np.nan, "half of it again after [s]": np.nan}
    if half > 0:
        found["half of it after [s]"] = float(np.interp(half, depth[:lowest + 1], times[:lowest + 1]))
        found["lowest after [s]"] = float(times[lowest])
    if half > 0 and depth[-1] < half:
        found["half of it again after [s]"] = float(np.interp(-half, -depth[lowest:], times[lowest:]))
    return found


@by_annotation
def metaplasticity(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Weight change by one test as time goes by after intense activity, with a BCM threshold that it has raised.

    The first row of each seed, at nan, is the test before.
    """
    delays, rows = np.array(settings.delays), list[Row]()
    for seed, run in enumerate(runs[TISSUE]):
        slow = np.r_[0.0, slow_after(run, delays)]
        changed = settings.bcm.changes(np.full(len(slow), settings.test), slow)
        rows += [{"seed": seed, TEST_AFTER: delay, "slow adenosine [uM]": a, "threshold [Hz]": settings.bcm.theta
                  + settings.bcm.k_m * a, "weight change [%]": 100 * w}
                 for delay, a, w in zip((np.nan, *delays), slow, changed, strict=True)]
    return rows


@arguments(not_negative=("delays",))
def slow_after(run: Observed, delays: Floats) -> Floats:
    """(k,) the slow signal of the active synapse at (k,) delays [s] after the last spike [uM].

    Beyond the end of the run it decays, for adenosine has gone by then.
    """
    shaped("slow_after: delays", delays, ("k",))
    times, slow = run.recording.times - run.case.trains[ACTIVE][-1], run.recording[SLOW][:, ACTIVE]
    return np.interp(delays, times, slow) * np.exp(-np.maximum(delays - times[-1], 0.0) / run.case.slow)


@by_annotation
def frequency(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Weight change against the rate, under each of the rules; nan for the seed where chance has no part."""
    return [*_in_runs(runs, settings), *_by_calcium(runs, settings), *_by_sliding(runs, settings)]


def _in_runs(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Pairs under the three-factor rule in the runs, with the D-serine that the astrocyte lets go at that rate."""
    named = {rate: CONTROL if rate == settings.rate else pair_rate(rate) for rate in (settings.rate, *settings.rates)}
    return [_at_rate(THREE_FACTORS, condition, seed, rate, run.weights(reading)[ACTIVE],
                     run.recording[D_SERINE_FUSED][-1])
            for rate, name in sorted(named.items()) for seed, run in enumerate(runs[name])
            for condition, reading in (("with the astrocyte's D-serine", PRE_POST), ("without", BLOCKED))]


def _by_calcium(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Pairs in both orders under the Ca2+-based rule, with D-serine at rest, and as high as pairing raises it."""
    highest = float(np.mean([_d_serine(run, PRE_POST) for run in runs[CONTROL]]))
    rates = np.geomspace(*_SPAN, _RATES)
    return [_at_rate(CALCIUM_BASED, f"{order}, D-serine {label}", np.nan, rate, change)
            for order, lag in ((PRE_POST, settings.lag), (POST_PRE, -settings.lag))
            for label, d_serine in (("at rest", 0.0), (f"{highest:.2g} uM higher", highest))
            for rate, change in zip(rates, calcium_changes(rates, d_serine, settings.many, lag), strict=True)]


def _by_sliding(runs: Runs, settings: ProtocolSettings) -> list[Row]:
    """Pulses under the BCM rule, at rest and soon after bursts."""
    rates, first = np.geomspace(*_SPAN, _RATES), settings.delays[:1]
    primed = [float(slow_after(run, np.array(first))[0]) for run in runs[TISSUE]]
    after = [(f"{first[0]:g} s after bursts", seed, slow) for seed, slow in enumerate(primed)]
    return [_at_rate(SLIDING, condition, seed, rate, change)
            for condition, seed, slow in (("at rest", np.nan, 0.0), *after)
            for rate, change in zip(rates, settings.bcm.changes(rates, slow), strict=True)]


def _at_rate(rule: str, condition: str, seed: float, rate: float, change: float, vesicles: float = np.nan) -> Row:
    return {"rule": rule, "condition": condition, "seed": seed, "rate [Hz]": rate, "weight change [%]": 100 * change,
            "D-serine vesicles fused": vesicles}


FIND: Mapping[str, Callable[[Runs, ProtocolSettings], list[Row]]] = MappingProxyType({
    PAIRING: pairing, CLAMP: clamp, A1_BLOCK: a1_block, DEPRESSION: depression, METAPLASTICITY: metaplasticity,
    FREQUENCY: frequency})
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    PAIRING: (CONTROL, NO_FUSION), CLAMP: (CONTROL, CLAMPED), A1_BLOCK: (TISSUE, TISSUE_A1),
    DEPRESSION: (TISSUE, TISSUE_A1, CONTROL), METAPLASTICITY: (TISSUE,), FREQUENCY: (CONTROL, TISSUE)})
