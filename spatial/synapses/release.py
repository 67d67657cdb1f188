"""Presynaptic release: short-term plasticity, under adenosine."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from spatial import checks
from spatial.checks import arguments, sized
from spatial.geometry.place import Floats, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Held, Species, level
from spatial.synapses.receptors import K_A1, release_probability
from spatial.synapses.spikes import Timetable, check_trains
from spatial.units import molecule, s


class ReleaseProbability(Protocol):
    """U of every synapse, under what is around it."""

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) the part of a rested resource that a spike releases: 0 to 1."""
        ...


@dataclass(frozen=True, eq=False)
class A1Inhibition:
    """U(a) = U0 (1 - m R(a)) with the occupancy R = a^n/(K^n + a^n) of A1 receptors (biophysics A11).

    With n = 1 and m = 1, the default, that is the U0/(1 + a/K) of Tsodyks & Markram's model under adenosine.
    """

    adenosine: Held  # ECS
    U0: float = 0.6  # resting release probability; Stimberg 2018
    K: float = sized(K_A1, beside="adenosine", from_below=False)  # hippocampus; M (biophysics A11)
    n: float = 1.0  # biophysics A11, M
    most: float = 1.0  # inhibition at full occupancy; M, 0.9-1 in CA1, 0.4 in the brainstem

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))
        for name in ("U0", "most"):
            if (value := getattr(self, name)) > 1:
                raise checks.InputError(f"A1Inhibition: {name} is {value:g}; it must be a part of 1")

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) U at the adenosine around each synapse."""
        return release_probability(self.U0, level(c, self.adenosine), self.K, self.n, self.most)


@dataclass(frozen=True, eq=False)
class TsodyksMarkram:
    """Tsodyks & Markram release (Stimberg 2018; biophysics A6, A11).

    At a spike u grows by U (1 - u), the part u x of the resource is released, and x shrinks by it.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # spike times of each synapse [s]
    glutamate: Species  # ECS, or the vesicles being emptied
    probability: ReleaseProbability
    u: Species = field(metadata=checks.lower_than("x", even_zero=True))  # on the synapses
    x: Species  # on the synapses, resource ready
    released: Species  # on the synapses, glutamate released so far [uM um^3]
    recovery: float = 2.0 / s  # Om_d; Stimberg 2018
    facilitation: float = 3.33 / s  # Om_f; Stimberg 2018
    resource: float = 4 * 3000 * molecule  # 4 vesicles (Manninen 2020) of 3000 molecules (M)

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "u", "x", "released")
        checks.parts(self, "u", "x")
        check_trains(self.trains, len(self.where))

    @cached_property
    def _spikes(self) -> Timetable:
        """The spikes of all trains in order."""
        return Timetable.of(self.trains)

    @property
    def events(self) -> tuple[Event, ...]:
        """Release at each spike."""
        changes = (self.u, self.x, self.glutamate, self.released)
        return (AtTimes(self._spikes.instants, changes, (self.x,), self._fire),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Recovery of the resource and decay of facilitation [1/s]."""
        return {self.x: self.recovery * (1 - c[self.x]), self.u: -self.facilitation * c[self.u]}

    def _fire(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """What a spike releases at each synapse that fires at `t`."""
        return self.spike(c, self._spikes.firing(t))

    def spike(self, c: Concentrations, pre: Floats) -> Gains:
        """What a spike releases at each synapse where `pre` (n,) is 1; nothing where it is 0."""
        step = pre * self.probability(c) * (1 - c[self.u])
        spent = pre * (c[self.u] + step) * c[self.x]
        return {self.u: step, self.x: -spent, self.glutamate: self.resource * spent,
                self.released: self.resource * spent}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form."""
        return {self.x: (c[self.x] - 1) * np.expm1(-self.recovery * dt),
                self.u: c[self.u] * np.expm1(-self.facilitation * dt)}


@arguments(not_negative=("U",), above_zero=("rate", "recovery", "facilitation"))
def steady_release(U: float, rate: float, recovery: float = 2.0, facilitation: float = 3.33) -> float:
    """Released part u x per spike of a long regular train of `rate` [Hz] (closed form, biophysics A11)."""
    keeps_u, keeps_x = np.exp(-facilitation / rate), np.exp(-recovery / rate)
    u = U / (1 - (1 - U) * keeps_u)
    return float(u * (1 - keeps_x) / (1 - (1 - u) * keeps_x))


@arguments(not_negative=("interval",), above_zero=("U", "recovery", "facilitation"))
def paired_pulse_ratio(U: Floats | float, interval: Floats | float, recovery: float = 2.0,
                       facilitation: float = 3.33) -> Floats:
    """Second release over the first of a rested synapse, an `interval` [s] apart (closed form).

    So is, on average, the ratio of `StochasticRelease`: the mean of the second over the mean of the first.
    """
    U, interval = np.asarray(U, float), np.asarray(interval, float)
    facilitated = 1 + np.exp(-facilitation * interval) * (1 - U)
    return np.asarray(facilitated * (1 - U * np.exp(-recovery * interval)))
