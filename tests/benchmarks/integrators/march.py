"""What is integrated, how every candidate is driven through it, and what is kept of a run."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from spatial._engine.methods.method import Method
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.stepper import Continuous
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Model, Species

_NEARLY_ZERO = 1e-2  # of its typical size: a species with less is compared with its typical size too


@dataclass(frozen=True, eq=False)
class Sum:
    """An amount that only a known inflow changes."""

    weights: Mapping[Species, float]
    inflow: Callable[[float], float] = lambda t: 0.0  # uM um^3 until the time t [s]


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, and when and with what its solution is compared."""

    name: str
    title: str
    model: Model
    times: tuple[float, ...]  # s; the run ends at the last
    sums: tuple[Sum, ...] = ()
    exact: Callable[[float], Mapping[Species, Floats]] | None = None


class TooLong(Exception):
    """The limit of CPU time is over: what a run is found to cost, not a fault of it."""


def in_time(began: float, limit: float) -> None:
    """Raise `TooLong` where more than `limit` CPU s went by since `began`."""
    if time.process_time() - began > limit:
        raise TooLong(f"stopped at {limit:g} s")


@dataclass(frozen=True, eq=False)
class Run:
    """One method at one tolerance."""

    states: Mapping[float, Floats]  # by time of comparison
    steps: int
    rejected: int | None  # None: not told
    seconds: float  # CPU s
    smallest: float
    failure: InputError | TooLong | None = None  # why it did not end

    @property
    def faults(self) -> list[str]:
        """Why it did not end, unless it took too long."""
        return [str(self.failure)] if isinstance(self.failure, InputError) else []


def events(system: System, until: float) -> dict[float, Callable[[Floats], object]]:
    """What happens at each known instant up to `until` [s]; it changes the state that it is given."""
    rng = np.random.default_rng(0)

    def act(u: Floats, t: float) -> None:
        system.events.at_instant(u, t, rng, system.add, system.events.heights(u, t))

    return {t: partial(act, t=t) for t in system.events.instants.tolist() if 0 <= t <= until}


def march(method: Method, times: tuple[float, ...], tolerance: Tolerance, limit: float = np.inf,
          start: Floats | None = None) -> Run:
    """Step from 0 to the last of `times` [s], landing on each and on every event; give up after `limit` CPU s.

    `start` (size,) is the state at 0, if not the model's own.
    """
    system, began = method.system, time.process_time()
    going = Continuous(method, system.initial() if start is None else start.copy(), tolerance, np.random.default_rng(0))
    states, happening = dict[float, Floats](), events(system, times[-1])
    failure: InputError | TooLong | None = None
    try:
        for stop in sorted({*happening, *times}):
            while going.t < stop:
                going.onward(stop)
                in_time(began, limit)
            if stop in times:
                states[stop] = going.u.copy()
            if stop in happening:
                going.at_instant()
    except (InputError, TooLong) as error:
        failure = error
    counted = going.counted
    return Run(states, counted["steps"], counted["rejected steps"], time.process_time() - began,
               counted["smallest concentration"], failure)


def difference(system: System, found: Mapping[float, Floats], reference: Mapping[float, Floats]) -> float:
    """The largest relative L2 difference over times and species that can be told apart from their typical size."""
    return max(_relative(species, system.state(found[t])[species], system.state(u)[species])
               for t, u in reference.items() for species in system.model)


def _relative(species: Species, found: Floats, reference: Floats) -> float:
    V = species.place.measure
    wrong, size = (float(np.sqrt(V @ values**2 / V.sum())) for values in (found - reference, reference))
    return wrong / (size if size > _NEARLY_ZERO * species.typical else size + species.typical)


def drift(problem: Problem, system: System, run: Run) -> float:
    """The largest relative change of the amounts that should not change."""
    start = system.initial()
    worst = 0.0
    for one in problem.sums:
        first = _amount(one, system, start)
        for t, u in run.states.items():
            expected = first + one.inflow(t)
            worst = max(worst, abs(_amount(one, system, u) - expected) / expected)
    return worst


def _amount(one: Sum, system: System, u: Floats) -> float:
    return sum(weight * float(species.place.measure @ system.state(u)[species])
               for species, weight in one.weights.items())
