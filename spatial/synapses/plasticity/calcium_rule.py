"""Plasticity by Ca2+ in the spine, after Graupner & Brunel (2012): what is above two thresholds, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, arguments, shaped, sized
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, EachStep, Event, Gains, OnRise, Species
from spatial.synapses.plasticity.gates import OPEN, Gate
from spatial.synapses.plasticity.pairs import PairedSpikes, Post, check_pairs
from spatial.units import ms, s


@dataclass(frozen=True, eq=False)
class SpikeCalcium:
    """Ca2+ of a spine as Graupner & Brunel (2012) take it: up by a fixed amount at each spike, and an exponential down.

    Presynaptic Ca2+ passes NMDA receptors and comes after a delay; a gate of their co-agonist scales it.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    post: Post  # spikes of the neuron
    calcium: Species  # on the synapses, in units of the depression threshold
    nmda: Gate = OPEN
    C_pre: float = 1.0  # Graupner & Brunel 2012, DP
    C_post: float = 2.0  # Graupner & Brunel 2012, DP
    delay: float = 13.7 * ms  # D, of C_pre; Graupner & Brunel 2012, DP
    tau: float = 20 * ms  # Graupner & Brunel 2012, DP

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "calcium")
        check_pairs(self.trains, self.post, len(self.where))

    @cached_property
    def _pairs(self) -> PairedSpikes:
        """The spikes of both sides in order."""
        return PairedSpikes.of(self._arrivals, self.post)

    @property
    def events(self) -> tuple[Event, ...]:
        """Each spike brings Ca2+, presynaptic ones after the delay."""
        return self._pairs.events((self.calcium,), (), self.spike)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Decay of Ca2+ [1/s]."""
        return {self.calcium: -c[self.calcium] / self.tau}

    def spike(self, c: Concentrations, pre: Floats | float, post: Floats | float) -> Gains:
        """Ca2+ of spikes where `pre` (n,), counted when their Ca2+ arrives, and `post` are 1; 0 where there is none."""
        return {self.calcium: self.C_pre * self.nmda(c) * pre + self.C_post * post}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form."""
        return {self.calcium: c[self.calcium] * np.expm1(-dt / self.tau)}

    @cached_property
    def _arrivals(self) -> tuple[Floats, ...]:
        return tuple(np.asarray(train) + self.delay for train in self.trains)


@dataclass(frozen=True, eq=False)
class CalciumRule:
    """The efficacy rho of a synapse under Ca2+ c of any origin (Graupner & Brunel 2012; biophysics A15).

    tau drho/dt = -rho (1 - rho)(rho* - rho) + gamma_p (1 - rho) [c > theta_p] - gamma_d rho [c > theta_d]
    + sigma sqrt(tau ([c > theta_d] + [c > theta_p])) times white noise.
    The species `passed` counts the thresholds that Ca2+ is above. It changes where Ca2+ passes one, up or down, and
    steps end there, so that time above a threshold is as exact as Ca2+ itself.
    """

    where: Place  # the synapses
    calcium: Species  # that the synapses have or touch, in the unit of the thresholds
    rho: Species  # signed, for noise may carry it past 0
    passed: Species  # on the synapses: 0, 1 or 2
    theta_d: float = sized(1.0, beside="calcium")  # Graupner & Brunel 2012, DP
    theta_p: float = 1.3  # Graupner & Brunel 2012, DP
    gamma_d: float = 200.0  # Graupner & Brunel 2012, DP
    gamma_p: float = 321.808  # Graupner & Brunel 2012, DP
    sigma: float = 2.8284  # 0 is without noise; Graupner & Brunel 2012, DP
    tau: float = 150 * s  # Graupner & Brunel 2012, DP
    rho_star: float = 0.5  # Graupner & Brunel 2012, DP

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "rho", "passed")
        checks.signed(self, "rho")
        index = touched(self.where, self.calcium.place)
        calcium = np.full(len(self.calcium.place), self.calcium.initial, float)
        count = self._count(calcium if index is None else calcium[index])
        wrong = np.flatnonzero(np.full(len(self.where), self.passed.initial) != count)
        if len(wrong):
            raise InputError(f"CalciumRule: {self.calcium.name!r} begins above {count[wrong[0]]:g} thresholds at "
                             f"element {wrong[0]}; {self.passed.name!r} must begin with that number there")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Drift of the efficacy [1/s]."""
        rho, passed = c[self.rho], c[self.passed]
        up = self.gamma_p * (1 - rho) * self._is_above(self.theta_p, passed)
        down = self.gamma_d * rho * self._is_above(self.theta_d, passed)
        return {self.rho: (up - down - rho * (1 - rho) * (self.rho_star - rho)) / self.tau}

    @property
    def events(self) -> tuple[Event, ...]:
        """The noise of each step, and thresholds that Ca2+ passes, up or down."""
        return (EachStep((self.rho, self.passed), (self.passed,), change=self.noise),
                OnRise(self.beyond, (self.passed,), (self.passed,), change=self.passing))

    def noise(self, c: Concentrations, t: float, dt: float, rng: np.random.Generator) -> Gains:
        """The noise of a step; and the count of thresholds where a run was started with another one than it has."""
        noise = self.sigma * np.sqrt(c[self.passed] * dt / self.tau) * rng.standard_normal(len(self.where))
        return {self.rho: noise, self.passed: self._count(c[self.calcium]) - c[self.passed]}

    def beyond(self, c: Concentrations, t: float) -> Floats:
        """(n,) how far Ca2+ is beyond the thresholds next above and below it, counted from those that it has passed."""
        passed, calcium = np.rint(c[self.passed]).astype(int), c[self.calcium]
        edges = np.array([-np.inf, *sorted((self.theta_d, self.theta_p)), np.inf])
        return np.maximum(edges[passed] - calcium, calcium - np.nextafter(edges, np.inf)[passed + 1])

    def passing(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """The new count of thresholds passed, where Ca2+ has passed one."""
        return {self.passed: np.where(risen, self._count(c[self.calcium]) - c[self.passed], 0.0)}

    def _count(self, calcium: Floats) -> Floats:
        """(n,) how many thresholds Ca2+ is above."""
        return (calcium > self.theta_d) + (calcium > self.theta_p) * 1.0

    def _is_above(self, threshold: float, passed: Floats) -> NDArray[np.bool_]:
        """(n,) whether a threshold is among those passed: the lower one is passed first."""
        return passed > (0.5 if threshold == min(self.theta_d, self.theta_p) else 1.5)


@arguments(above_zero=("tau",))
def time_above(threshold: float, instants: Sequence[float] | Floats, jumps: Sequence[float] | Floats,
               tau: float = SpikeCalcium.tau) -> float:
    """How long [s] Ca2+ is above a threshold that jumps by these amounts at these sorted instants [s], and decays."""
    shaped("time_above: instants", instants, ("n",))
    shaped("time_above: jumps", jumps, (len(instants),), "one for each instant")
    checks.positive("threshold", threshold)
    total, calcium = 0.0, 0.0
    for jump, gap in zip(jumps, np.diff(instants, append=np.inf), strict=True):
        calcium += jump
        total += float(np.clip(tau * np.log(max(calcium, threshold) / threshold), 0.0, gap))
        calcium *= np.exp(-gap / tau)
    return total
