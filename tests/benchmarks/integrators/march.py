"""What is integrated, the loop that every candidate runs in, and what is kept of a run."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from spatial._engine.methods.method import Method
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.step_length import advance, after_event, first_step
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


@dataclass(frozen=True, eq=False)
class Run:
    """One method at one tolerance."""

    states: Mapping[float, Floats]  # by time of comparison
    steps: int
    rejected: int | None  # None: not told
    seconds: float  # CPU s
    smallest: float
    failure: str = field(default="")


def march(method: Method, times: tuple[float, ...], tolerance: Tolerance, limit: float = np.inf,
          start: Floats | None = None) -> Run:
    """Step from 0 to the last of `times` [s], landing on each and on every event; give up after `limit` CPU s.

    `start` (size,) is the state at 0, if not the model's own.
    """
    system, wanted = method.system, set(times)
    instants = set(system.instants().tolist())
    u, t, began = system.initial() if start is None else start, 0.0, time.process_time()
    dt, steps, rejected, smallest = first_step(system, u, t, tolerance), 0, 0, system.smallest(u)
    states, failure = dict[float, Floats](), ""
    for stop in sorted({each for each in instants | wanted if each <= times[-1]}):
        try:
            while t < stop and not failure:
                done = advance(method, u, t, dt, stop, tolerance)
                u, t, dt, steps, rejected = done.u, done.t, done.suggested, steps + 1, rejected + done.rejected
                smallest = min(smallest, system.smallest(u))
                failure = "" if time.process_time() - began < limit else f"stopped at {limit:g} s"
        except InputError as error:
            failure = str(error)
        if failure:
            break
        if stop in wanted:
            states[stop] = u.copy()
        if stop in instants and system.jump(u, t):
            dt = after_event(system, u, t, dt, tolerance)
    return Run(states, steps, rejected, time.process_time() - began, smallest, failure)


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
