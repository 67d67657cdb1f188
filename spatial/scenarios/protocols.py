"""Six protocols of plasticity with an astrocyte: what is stimulated, what is blocked, and what is read from the runs.

Pairing with and without astrocyte, a D-serine clamp, a block of A1 receptors, heterosynaptic depression, a metaplastic
shift after intense activity, and the weight change against the rate of stimulation. A protocol is a function of runs
that others share: they are named, and computed once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Species
from spatial.scenarios.protocol_bench import (
    ACTIVE,
    ADENOSINE,
    CALCIUM,
    D_SERINE,
    D_SERINE_FUSED,
    PROBABILITY,
    PROBED,
    RELEASED,
    SLOW,
    Bench,
    Case,
    Observed,
    Reading,
)
from spatial.scenarios.settings import SYNAPSES, Settings
from spatial.synapses.bcm import BCM
from spatial.synapses.release import TsodyksMarkram
from spatial.synapses.slow_signal import SlowSignal
from spatial.synapses.spikes import bursts, regular
from spatial.units import Hz, ms, s, uM

PAIRING, CLAMP, A1_BLOCK = "pairing", "clamp", "a1_block"
DEPRESSION, METAPLASTICITY, FREQUENCY = "depression", "metaplasticity", "frequency"
PROTOCOLS = (PAIRING, CLAMP, A1_BLOCK, DEPRESSION, METAPLASTICITY, FREQUENCY)

CONTROL, NO_FUSION, CLAMPED = "control", "vesicles do not fuse", "calcium clamped"  # runs
TISSUE, TISSUE_A1 = "bursts", "bursts, A1 blocked"
PRE_POST, POST_PRE = "pre before post", "post before pre"  # readings
BLOCKED, ADDED = "co-agonist site blocked", "D-serine added"
_RATES = 41  # of a BCM curve
_WINDOWS = 400  # of a test of the BCM rule: its slow signal is even in each

Row = dict[str, Any]


@dataclass(frozen=True)
class ProtocolSettings:
    """What is stimulated, when and how often."""

    only: str | None = None  # one protocol, by name
    pairs: int = 10  # of spikes; choice
    rate: float = 20 * Hz  # of pairs; choice
    lag: float = 10 * ms  # from one spike of a pair to the other
    first: float = 0.2 * s  # spike; choice
    settle: float = 3 * s  # after the last pair: eligibility and D-serine fade; choice
    d_serine_added: float = 10 * uM  # in the bath; Henneberger 2010, M
    bursts: int = 3  # of intense activity; choice
    burst: int = 5  # spikes of each; choice
    burst_rate: float = 50 * Hz  # choice
    burst_interval: float = 1 * s  # choice
    gap: float = 50 * ms  # between two test pulses; choice
    tests: tuple[float, ...] = (5 * s, 15 * s)  # of test pulses, after the last burst; choice
    recovery: float = 30 * s  # after the last burst; choice
    rates: tuple[float, ...] = (1 * Hz, 5 * Hz, 50 * Hz)  # of pairs, besides `rate`; choice
    theta: float = 10 * Hz  # BCM's threshold at rest: there tetani change nothing; Dudek & Bear 1992, M
    theta_tau: float = 600 * s  # of the threshold's own sliding; choice, from 10-600 s (biophysics A13)
    slow_tau: float = SlowSignal.tau
    k_m: float = 20 * Hz / uM  # rise of the threshold per slow adenosine; choice
    eta: float = 1e-5 * s  # of the BCM rule; choice, a scale
    pulses: int = 100  # of each test of the BCM rule; choice
    test: float = 20 * Hz  # that potentiates before intense activity; choice
    delays: tuple[float, ...] = (10 * s, 30 * s, 60 * s, 120 * s, 300 * s, 600 * s)  # of tests, after the last burst
    bench: Bench = field(default=Bench())
    tripartite: Settings = field(default=Settings())

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("rate", "pairs", "pulses", "test", "settle", "recovery", "theta"))
        if self.only not in (None, *PROTOCOLS):
            raise checks.InputError(f"there is no protocol {self.only!r}; there is {', '.join(PROTOCOLS)}")
        for name in ("rates", "tests", "delays"):
            if not all(np.isfinite(one) and one > 0 for one in getattr(self, name)):
                raise checks.InputError(f"ProtocolSettings: each of {name} must be a finite number > 0")
        if not self.lag < self.first:
            raise checks.InputError(f"ProtocolSettings: lag is {self.lag:g} s; it must be shorter than the time before "
                                    f"the first spike, {self.first:g} s")
        if not max(self.tests) + self.gap < self.recovery:
            raise checks.InputError(f"ProtocolSettings: the last test pulses come {max(self.tests):g} s after the last "
                                    f"burst; the run must go on for longer, recovery is {self.recovery:g} s")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The protocols that are run."""
        return PROTOCOLS if self.only is None else (self.only,)

    @property
    def last_burst(self) -> float:
        """When the last burst ends [s]."""
        return float(_intense(self)[-1])


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
             TISSUE_A1: replace(tissue, settings=replace(settings.tripartite, adenosine_held=0.0))}
    found = {name: case for name, case in every.items() if name in wanted}
    if FREQUENCY in settings.chosen:
        found |= {pair_rate(rate): _paired(settings, rate) for rate in settings.rates if rate != settings.rate}
    return found


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
                settings.bench, slow=settings.slow_tau)


def _tissue(settings: ProtocolSettings) -> Case:
    """One synapse by each process of the tissue fires in bursts, and test pulses tell what a silent one does."""
    tests = np.concatenate([[settings.first / 2], settings.last_burst + np.array(settings.tests)])
    pulses = (tests[:, None] + np.array([0.0, settings.gap])).ravel()
    return Case(_trains(settings, {ACTIVE: _intense(settings), PROBED: pulses}),
                settings.last_burst + settings.recovery, {}, settings.tripartite, settings.bench, everywhere=True,
                slow=settings.slow_tau)


def _intense(settings: ProtocolSettings) -> Floats:
    """Bursts, the first after a pair of test pulses."""
    return bursts(settings.bursts, settings.burst, settings.burst_rate, settings.burst_interval,
                  settings.first + settings.gap)


def _trains(settings: ProtocolSettings, firing: Mapping[int, Floats]) -> tuple[Floats, ...]:
    """A train for each synapse of the bench, empty for those that are not named."""
    return tuple(firing.get(k, np.zeros(0)) for k in range(len(settings.bench.synapses)))


def pairing(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """Weight change of every synapse, for both orders of the spikes, with and without release by the astrocyte."""
    return [{"astrocyte": label, "order": order, "synapse": "paired" if k == ACTIVE else "silent",
             "distance [um]": run.distance[k], "weight change [%]": 100 * run.weights(order)[k]}
            for label, run in (("releases", runs[CONTROL]), ("does not release", runs[NO_FUSION]))
            for order in (PRE_POST, POST_PRE) for k in range(len(run.distance))]


def clamp(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """Weight change of the paired synapse as the astrocyte is silenced, and as D-serine is added."""
    of = (("control", CONTROL, PRE_POST), ("astrocyte's Ca2+ clamped", CLAMPED, PRE_POST),
          ("clamped, D-serine added", CLAMPED, ADDED), ("co-agonist site blocked", CONTROL, BLOCKED))
    return [{"condition": label, "weight change [%]": 100 * runs[run].weights(reading)[ACTIVE],
             "highest D-serine above rest [uM]": _d_serine(runs[run], reading),
             "highest Ca2+ of the process [uM]": runs[run].recording[CALCIUM].max()}
            for label, run, reading in of]


def _d_serine(run: Observed, reading: str) -> float:
    """The most D-serine that the paired synapse's receptors saw."""
    held = run.case.readings[reading].d_serine_held
    return float(run.recording[D_SERINE][:, ACTIVE].max()) if held is None else held


def a1_block(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """First release and paired-pulse ratio at a silent synapse, before and after bursts, A1 receptors free or not."""
    return [{"A1 receptors": label, "after the bursts [s]": time - settings.last_burst, "release, of all": first,
             "paired-pulse ratio": second / first, "adenosine [uM]": adenosine}
            for label, run in (("free", runs[TISSUE]), ("blocked", runs[TISSUE_A1]))
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


def depression(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """How deep release falls at every silent synapse, how soon and for how long, from the first spike on.

    For comparison, also where one process alone answers to the pairing, as far as that run goes.
    """
    bursts_in = f"bursts, a process every {settings.bench.spacing:g} um"
    return [{"what": what, "A1 receptors": receptors, "distance [um]": run.distance[k], **course(
                run.recording.times - run.case.trains[ACTIVE][0], run.recording[PROBABILITY][:, k])}
            for what, receptors, run in ((bursts_in, "free", runs[TISSUE]), (bursts_in, "blocked", runs[TISSUE_A1]),
                                         ("pairing, one process", "free", runs[CONTROL]))
            for k in range(len(run.distance)) if k != ACTIVE]


def course(times: Floats, probability: Floats) -> Row:
    """Depth [%], and when it is half of it on the way down and up again [s], of a (k,) fall of release at (k,) times.

    nan where it has not fallen, or not come back half-way before the end.
    """
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


def metaplasticity(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """Weight change by one test as time goes by after intense activity, with a BCM threshold that it has raised."""
    delays = np.array(settings.delays)
    slow = np.r_[0.0, slow_after(runs[TISSUE], delays)]
    changed = bcm_changes(np.full(len(slow), settings.test), slow, settings)
    return [{"test after the bursts [s]": delay, "slow adenosine [uM]": a, "threshold [Hz]": settings.theta
             + settings.k_m * a, "weight change [%]": 100 * w}
            for delay, a, w in zip((np.nan, *delays), slow, changed, strict=True)]


def slow_after(run: Observed, delays: Floats) -> Floats:
    """(k,) the slow signal of the active synapse at (k,) delays [s] after the last spike [uM].

    Beyond the end of the run it decays, for adenosine has gone by then.
    """
    times, slow = run.recording.times - run.case.trains[ACTIVE][-1], run.recording[SLOW][:, ACTIVE]
    return np.interp(delays, times, slow) * np.exp(-np.maximum(delays - times[-1], 0.0) / run.case.slow)


def bcm_changes(rates: Floats, slow: Floats | float, settings: ProtocolSettings) -> Floats:
    """(n,) weight change under the BCM rule by `pulses` at (n,) rates [Hz] which the neuron follows.

    `slow` is the slow signal at the start [uM]; it decays on. Each synapse has its own time: the rule goes on from
    window to window in closed form, at second order in their length.
    """
    n = len(rates)
    where = Place(SYNAPSES, 0, np.ones(n), np.zeros((n, 3)))
    rate, theta, weight, signal = (Species(name, where, signed=True) for name in ("rate", "theta", "weight", SLOW))
    rule = BCM(where, rate, rate, theta, weight, signal, eta=settings.eta, k_m=settings.k_m, y_0=settings.theta,
               tau=settings.theta_tau)
    decay = SlowSignal(where, 0.0, signal, settings.slow_tau)
    c = {rate: np.asarray(rates, float), theta: np.full(n, settings.theta), weight: np.zeros(n),
         signal: np.broadcast_to(np.asarray(slow, float), n)}
    window = settings.pulses / c[rate] / _WINDOWS
    for _ in range(_WINDOWS):
        for one, length in ((decay, window / 2), (rule, window), (decay, window / 2)):
            c |= {species: c[species] + gain for species, gain in one.between(c, length).items()}
    return c[weight]


def frequency(runs: Mapping[str, Observed], settings: ProtocolSettings) -> list[Row]:
    """Weight change against the rate: of pairs under the three-factor rule, and of tests under the BCM rule."""
    rows = list[Row]()
    for rate in sorted({settings.rate, *settings.rates}):
        run = runs[CONTROL if rate == settings.rate else pair_rate(rate)]
        rows += [{"rule": "three-factor", "condition": label, "rate [Hz]": rate,
                  "weight change [%]": 100 * run.weights(reading)[ACTIVE],
                  "D-serine vesicles fused": run.recording[D_SERINE_FUSED][-1]}
                 for label, reading in (("D-serine of the astrocyte", PRE_POST), ("without it", BLOCKED))]
    primed = float(slow_after(runs[TISSUE], np.array(settings.delays[:1]))[0])
    rates = np.geomspace(1 * Hz, 100 * Hz, _RATES)
    for label, slow in (("at rest", 0.0), (f"{settings.delays[0]:g} s after bursts", primed)):
        changed = zip(rates, bcm_changes(rates, slow, settings), strict=True)
        rows += [{"rule": "BCM", "condition": label, "rate [Hz]": rate, "weight change [%]": 100 * w,
                  "D-serine vesicles fused": np.nan} for rate, w in changed]
    return rows


def crossover(rates: Floats, changes: Floats) -> float:
    """The rate [Hz] at which weight changes turn from negative to positive; nan if they do not, or more than once."""
    up = np.flatnonzero((changes[:-1] < 0) & (changes[1:] >= 0))
    if len(up) != 1 or ((changes[:-1] >= 0) & (changes[1:] < 0)).any():
        return float("nan")
    k = int(up[0])
    return float(np.interp(0.0, changes[k:k + 2], rates[k:k + 2]))


FIND: Mapping[str, Callable[[Mapping[str, Observed], ProtocolSettings], list[Row]]] = MappingProxyType({
    PAIRING: pairing, CLAMP: clamp, A1_BLOCK: a1_block, DEPRESSION: depression, METAPLASTICITY: metaplasticity,
    FREQUENCY: frequency})
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    PAIRING: (CONTROL, NO_FUSION), CLAMP: (CONTROL, CLAMPED), A1_BLOCK: (TISSUE, TISSUE_A1),
    DEPRESSION: (TISSUE, TISSUE_A1, CONTROL), METAPLASTICITY: (TISSUE,), FREQUENCY: (CONTROL, TISSUE)})
