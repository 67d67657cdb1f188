"""Presynaptic release vesicle by vesicle, with what chance does drawn beforehand."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Species
from spatial.synapses.release import ReleaseProbability
from spatial.synapses.spikes import Timetable, check_trains
from spatial.units import molecule, s


@dataclass(frozen=True, eq=False)
class Draws:
    """Uniform numbers in [0, 1) for every spike of some trains, train after train, and every slot of a synapse.

    A control that is given the same draws meets the same chances, whatever is blocked in it. Both are
    (spikes + 1, slots); the last row is for synapses that do not fire again.
    """

    release: Floats  # a docked vesicle goes where this is below its probability
    refill: Floats  # an empty slot has been refilled where this is below its probability

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def draw(trains: tuple[Floats, ...], vesicles: int, rng: np.random.Generator) -> Draws:
    """The chances of so many vesicles at each synapse, at each of its spikes."""
    checks.positive("number of vesicles", vesicles)
    check_trains(trains, len(trains))
    shape = (sum(map(len, trains)) + 1, vesicles)
    return Draws(rng.random(shape), rng.random(shape))


@dataclass(frozen=True, eq=False)
class StochasticRelease:
    """Each of N docked vesicles is released with probability u at a spike, and each empty slot refills at a rate.

    At a spike u grows by U (1 - u), as in `TsodyksMarkram`; between spikes it decays, and a slot that was emptied is
    refilled after an exponential time (biophysics A6). So on average, where U does not depend on what was released,
    this is exactly `TsodyksMarkram` with N x vesicles docked, and the number released from k docked is binomial(k, u).
    Slots refilled since a synapse's last spike are counted at its next: `docked` is what the last one left.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # spike times of each synapse [s]
    draws: Draws  # made by `draw` from these trains
    glutamate: Species  # ECS, or the vesicles being emptied
    probability: ReleaseProbability
    u: Species  # on the synapses
    docked: Species  # on the synapses, vesicles: whole numbers
    fired: Species  # on the synapses, spikes so far
    since: Species  # on the synapses, time since the last one [s]
    released: Species  # on the synapses, glutamate released so far [uM um^3]
    recovery: float = 2.0 / s  # Om_d, of each slot; Stimberg 2018
    facilitation: float = 3.33 / s  # Om_f; Stimberg 2018
    content: float = 3000 * molecule  # of a vesicle; M, biophysics A9

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "u", "docked", "fired", "since", "released")
        checks.parts(self, "u")
        check_trains(self.trains, len(self.where))
        count = sum(map(len, self.trains))
        if self.draws.release.shape != self.draws.refill.shape or len(self.draws.release) != count + 1:
            raise InputError(f"StochasticRelease: draws are for {len(self.draws.release) - 1} spikes; "
                             f"the trains have {count}")
        initial = np.atleast_1d(self.docked.initial)
        wrong = initial[(initial > self.vesicles) | (initial != np.rint(initial))]
        if wrong.size:
            raise InputError(f"StochasticRelease: {self.docked.name!r} begins with {wrong[0]:g} vesicles at a synapse; "
                             f"it must be a whole number from 0 to {self.vesicles}, those drawn for")

    @property
    def vesicles(self) -> int:
        """N, the slots of a synapse."""
        return self.draws.release.shape[1]

    @cached_property
    def _spikes(self) -> Timetable:
        """The spikes of all trains in order."""
        return Timetable.of(self.trains)

    @property
    def events(self) -> tuple[Event, ...]:
        """Release at each spike."""
        changes = (self.u, self.docked, self.fired, self.since, self.glutamate, self.released)
        return (AtTimes(self._spikes.instants, changes, (self.docked, self.since), self._fire),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Decay of facilitation [1/s], and the time that passes [s/s]."""
        return {self.u: -self.facilitation * c[self.u], self.since: 1.0}

    def _fire(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """What a spike releases at each synapse that fires at `t`."""
        return self.spike(c, self._spikes.firing(t))

    def spike(self, c: Concentrations, pre: Floats) -> Gains:
        """What a spike releases at each synapse where `pre` (n,) is 1; nothing where it is 0."""
        release, refill = (drawn[self._next(c)] for drawn in (self.draws.release, self.draws.refill))
        slot, before = np.arange(self.vesicles), np.rint(c[self.docked])[:, None]
        filled = (slot >= before) & (refill < -np.expm1(-self.recovery * c[self.since])[:, None])
        ready = before[:, 0] + filled.sum(axis=1)
        step = self.probability(c) * (1 - c[self.u])
        gone = ((slot < ready[:, None]) & (release < (c[self.u] + step)[:, None])).sum(axis=1)
        amount = pre * self.content * gone
        return {self.u: pre * step, self.docked: pre * (ready - gone - before[:, 0]), self.fired: pre,
                self.since: -pre * c[self.since], self.glutamate: amount, self.released: amount}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form."""
        return {self.u: c[self.u] * np.expm1(-self.facilitation * dt), self.since: dt}

    def _next(self, c: Concentrations) -> Ints:
        """(n,) row of the draws that belongs to the next spike of each synapse."""
        counts = np.array([len(train) for train in self.trains])
        return np.cumsum(counts) - counts + np.rint(c[self.fired]).astype(np.int64)
