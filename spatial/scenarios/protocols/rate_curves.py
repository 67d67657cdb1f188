"""Weight change against the rate of a stimulus: the Ca2+-based rule, and the BCM rule, whose threshold slides.

Each rate has a synapse of its own, and all are computed together. Nothing is left of space but what a synapse sees:
D-serine, or a slow signal.
"""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import arguments, shaped
from spatial.geometry.place import Floats, Place
from spatial.model import Species
from spatial.scenarios.parts.settings import SYNAPSES
from spatial.synapses.plasticity.bcm import BCM
from spatial.synapses.plasticity.calcium_rule import CalciumRule, SpikeCalcium
from spatial.synapses.plasticity.gates import CoagonistFactor, CoagonistGate
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.units import Hz, s, uM

_WINDOWS = 400  # of a test of the BCM rule: its slow signal is even in each
_FADES = 10  # time constants of Ca2+ after the last spike, after which none is left above a threshold


@dataclass(frozen=True)
class BCMTest:
    """Pulses that the neuron follows, under the BCM rule with a threshold that a slow signal raises."""

    pulses: int = 100  # of each test; choice
    theta: float = 10 * Hz  # threshold at rest: there tetani change nothing; Dudek & Bear 1992, M
    theta_tau: float = 600 * s  # of the threshold's own sliding; choice, from 10-600 s (biophysics A13)
    slow_tau: float = SlowSignal.tau
    k_m: float = 20 * Hz / uM  # rise of the threshold per slow adenosine; choice
    eta: float = 1e-5 * s  # choice, a scale

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("pulses", "theta", "theta_tau", "slow_tau"))

    @arguments(not_negative=("rates", "slow"))
    def changes(self, rates: Floats, slow: Floats | float) -> Floats:
        """(n,) weight change by the pulses at (n,) rates [Hz].

        `slow` is the slow signal at the start [uM]; it decays on. Each synapse has its own time: the rule goes on from
        window to window in closed form, at second order in their length.
        """
        shaped("BCMTest.changes: rates", rates, ("k",))
        where = _synapses(len(rates))
        rate, theta, weight, signal = (Species(name, where, signed=True)
                                       for name in ("rate", "threshold", "weight", "slow signal"))
        rule = BCM(where, rate, rate, theta, weight, signal, eta=self.eta, k_m=self.k_m, y_0=self.theta,
                   tau=self.theta_tau)
        decay = SlowSignal(where, 0.0, signal, self.slow_tau)
        c = {rate: np.asarray(rates, float), theta: np.full(len(rates), self.theta), weight: np.zeros(len(rates)),
             signal: np.broadcast_to(np.asarray(slow, float), len(rates))}
        window = self.pulses / c[rate] / _WINDOWS
        for _ in range(_WINDOWS):
            for one, length in ((decay, window / 2), (rule, window), (decay, window / 2)):
                c |= {species: c[species] + gain for species, gain in one.between(c, length).items()}
        return c[weight]


@arguments(not_negative=("rates", "d_serine"), above_zero=("pairs",))
def calcium_changes(rates: Floats, d_serine: float, pairs: int, lag: float) -> Floats:
    """(n,) change of efficacy rho by pairs at (n,) rates [Hz], with so much D-serine above rest [uM]: `CalciumRule`.

    A presynaptic spike comes `lag` [s] before a postsynaptic one. NMDA receptors let in more of its Ca2+ with more
    D-serine. The drift alone is computed, without the rule's noise, from rho*: between up and down on average. Ca2+ is
    in closed form from spike to spike, and so are the times at which it falls below a threshold.
    """
    shaped("calcium_changes: rates", rates, ("k",))
    n = len(rates)
    where = _synapses(n)
    calcium, passed = Species("Ca2+", where, unit="1"), Species("thresholds passed", where, unit="1")
    rho = Species("rho", where, CalciumRule.rho_star, unit="1", signed=True)
    spine = SpikeCalcium(where, (np.zeros(0),) * n, np.zeros(0), calcium, CoagonistFactor(CoagonistGate(d_serine)))
    rule = CalciumRule(where, calcium, rho, passed, sigma=0.0)
    c = {calcium: np.zeros(n), passed: np.zeros(n), rho: np.full(n, rule.rho_star)}
    pre = np.arange(pairs)[:, None] / np.asarray(rates)
    times = np.concatenate([pre + spine.delay, pre + lag])
    order = np.argsort(times, axis=0, kind="stable")
    times = np.take_along_axis(times, order, axis=0)
    ends = np.concatenate([times[1:], times[-1:] + _FADES * spine.tau])
    for now, end, is_pre in zip(times, ends, order < pairs, strict=True):
        c[calcium] = c[calcium] + spine.spike(c, is_pre.astype(float), (~is_pre).astype(float))[calcium]
        _go_on(spine, rule, c, end - now)
    return c[rho] - rule.rho_star


def _go_on(spine: SpikeCalcium, rule: CalciumRule, c: dict[Species, Floats], left: Floats) -> None:
    """Change states `c` over `left` (n,) [s] without a spike, above both thresholds, then above one, then below."""
    for count, threshold in [*enumerate((0.0, *sorted((rule.theta_d, rule.theta_p))))][::-1]:
        with np.errstate(divide="ignore"):
            above = spine.tau * np.log(c[rule.calcium] / threshold)
        dt = np.clip(above, 0.0, left)
        c[rule.passed] = np.full(len(left), float(count))
        c[rule.rho] = c[rule.rho] + _drift(rule, c, dt)
        c[rule.calcium] = c[rule.calcium] + spine.between(c, dt)[rule.calcium]
        left = left - dt


def _drift(rule: CalciumRule, c: dict[Species, Floats], dt: Floats) -> Floats:
    """(n,) gain of rho over `dt` (n,) [s] that pass no threshold, at fourth order."""
    slopes, gain = [rule.rates(c, 0.0)[rule.rho]], np.zeros(len(dt))
    for part in (0.5, 0.5, 1.0):
        slopes.append(rule.rates({**c, rule.rho: c[rule.rho] + part * dt * slopes[-1]}, 0.0)[rule.rho])
    for weight, slope in zip((1, 2, 2, 1), slopes, strict=True):
        gain += weight / 6 * dt * slope
    return gain


@arguments(may_be_nan=("changes",))
def crossover(rates: Floats, changes: Floats) -> float:
    """The rate [Hz] at which weight changes turn from negative to positive; nan if they do not, or more than once."""
    shaped("crossover: rates", rates, ("k",))
    shaped("crossover: changes", changes, (len(rates),), "one for each rate")
    up = np.flatnonzero((changes[:-1] < 0) & (changes[1:] >= 0))
    if len(up) != 1 or ((changes[:-1] >= 0) & (changes[1:] < 0)).any():
        return float("nan")
    k = int(up[0])
    return float(np.interp(0.0, changes[k:k + 2], rates[k:k + 2]))


def _synapses(n: int) -> Place:
    """So many synapses, nowhere."""
    return Place(SYNAPSES, 0, np.ones(n), np.zeros((n, 3)))
