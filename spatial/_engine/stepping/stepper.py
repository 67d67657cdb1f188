"""A run under way: from step to step, with what happens at random, at thresholds and at known instants between."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from spatial._engine.methods.master_equation import MasterEquation
from spatial._engine.methods.method import Method, Remembering
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.step_length import SETTLING, advance, after_event, after_opening, first_step
from spatial._engine.stepping.straight import straight
from spatial._engine.system.events import Heights, risen
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

_OVERSHOT = 1e-6  # of a step: how far behind the crossing of a threshold it is taken to end
_HALVINGS = 40  # that locate a crossing within a step
_SMALLEST = "smallest concentration"
REPAIRED = "moved by the repair"  # for each species, what keeping it from below zero moved, of the most there was

CheckEvent = Callable[[Floats, Floats, float], None]
"""Raises `InputError` for an event that made of a state, at a time [s], what a method cannot go on from."""


class Stepper(Protocol):
    """A run under way."""

    system: System
    u: Floats  # (size,) the state
    t: float  # s
    counted: dict[str, Any]  # for the provenance
    most_steps: float  # in a run
    heights: Heights  # above thresholds

    def onward(self, stop: float) -> float:
        """One step, not beyond `stop` [s]; its length [s]."""
        ...

    def at_instant(self) -> None:
        """Let the events of this instant act."""
        ...

    def hardest(self) -> str:
        """What bounds the length of steps now, for a message."""
        ...


class Continuous:
    """Concentrations are continuous; mechanisms with random states of their own draw what they do."""

    def __init__(self, method: Method, u: Floats, tolerance: Tolerance, rng: np.random.Generator,
                 check_event: CheckEvent | None = None) -> None:
        self.method, self.system, self.tolerance, self.rng = method, method.system, tolerance, rng
        self.u, self.t, self.most_steps = u, 0.0, float(tolerance.most_steps)
        self._events, self._check_event = self.system.events, check_event
        self._dt = first_step(self.system, u, 0.0, tolerance)
        self._opened = -np.inf  # s: when a channel last opened or closed
        self._forget()
        self.heights = self._events.heights(u, 0.0)
        self._repaired: dict[Species, tuple[float, float]] = {}  # the most that there was, and how much was moved
        self._worst: Species | None = None  # the species that bounded the length of the last step
        self.counted: dict[str, Any] = {"method": type(method).__name__, "relative tolerance": tolerance.relative,
                                        "steps": 0, "rejected steps": 0, _SMALLEST: self.system.passed(u, 0.0),
                                        REPAIRED: {}}

    def onward(self, stop: float) -> float:
        """One step; if a threshold is crossed, or a channel opened or closed in it, taken again up to then.

        The step's length must not depend on what the channels are to do, or their chances would: so the field
        goes first, and channels follow its mean over the step.
        """
        u, t = self.u, self.t
        self._to_crossing(stop)
        if not self._events.within_steps:
            return self.t - t
        plan = self._events.plan(u, self.u, t, self.t - t, self.rng)
        if plan is not None and plan.dt < self.t - t:
            self.u, self.t = u, t
            while self.t < t + plan.dt:
                self._step(t + plan.dt)
        before, self.u = self.u, self.u.copy()
        happened, opened, self.heights = self._events.after_step(
            self.u, self.t, self.t - t, plan, self.rng, self.system.add, self.heights)
        if happened:
            self._after_event(before)
        elif plan is not None:
            self._check(before)
        if opened:
            self._after_opening()
        return self.t - t

    def at_instant(self) -> None:
        """Let the events of this instant act."""
        before, self.u = self.u, self.u.copy()
        happened, self.heights = self._events.at_instant(self.u, self.t, self.rng, self.system.add, self.heights)
        if happened:
            self._after_event(before)

    def _step(self, end: float) -> None:
        """A step of the field alone; the first after a channel has opened or closed need not follow what fades."""
        settling = SETTLING if self.t == self._opened else 0.0
        done = advance(self.method, self.u, self.t, self._dt, self._bounded(end), self.tolerance, settling)
        self.u, self.t, self._dt = done.u, done.t, done.suggested
        self.counted["steps"] += 1
        self.counted["rejected steps"] += done.rejected
        self.counted[_SMALLEST] = min(self.counted[_SMALLEST], self.system.passed(done.u, done.t))
        self._worst = done.worst
        self._count_repair(done.moved)

    def _count_repair(self, moved: Mapping[Species, float]) -> None:
        """Count what the repair moved of species on meshes with links of the wrong sign: those are too flat there."""
        state = self.system.state(self.u)
        for species, amount in moved.items():
            if species.place.has_wrong_links:
                most, so_far = self._repaired.get(species, (0.0, 0.0))
                most = max(most, float(species.place.measure @ state[species]))
                self._repaired[species] = most, so_far + amount
                self.counted[REPAIRED][species.name] = (so_far + amount) / most if most > 0.0 else 0.0

    def hardest(self) -> str:
        """What bounds the length of steps now, for a message."""
        if self._worst is None:
            return "no species changes"
        place = self._worst.place
        rate = np.abs(self.system.state(self.system.rate(self.u, self.t))[self._worst])
        return (f"{self._worst.name!r} in {place.name!r} errs most, and changes fastest near "
                f"{place.position(int(np.argmax(rate)))}, by {self.system.changers(self._worst)}")

    def _bounded(self, end: float) -> float:
        """The end of a step, not later than `end` [s], that follows what changes with the time."""
        end = min(end, self.t + self._events.longest(self.t))
        if not self.system.timed:
            return end
        span = min(end - self.t, self._dt, self.tolerance.longest)
        followed = straight(self.system, self.u, self.t, span)
        return end if followed == span else self.t + followed

    def _to_crossing(self, stop: float) -> None:
        """A step of the field; where it takes something through a threshold, one that ends just behind that.

        Ending behind it, the crossing is not met again. Should the shorter step fall short of it, the next finds it.
        """
        u, t = self.u, self.t
        self._step(stop)
        if self._has_risen(self.u, self.t):
            end = t + (self._crossing(u, t) + _OVERSHOT) * (self.t - t)
            if t < end < self.t:
                self.u, self.t = u, t
                self._step(end)

    def _has_risen(self, u: Floats, t: float) -> bool:
        """Whether something is above a threshold in `u` at `t` that was below it at the start of the step."""
        return any(where.any() for where in risen(self.heights, self._events.heights(u, t)))

    def _crossing(self, before: Floats, t: float) -> float:
        """The part of the step just taken from `before` at `t` after which something first rises through a threshold.

        Between its ends the state is taken as the cubic that has their values and rates.
        """
        after, dt = self.u, self.t - t
        leaving, arriving = self.system.rate(before, t) * dt, self.system.rate(after, self.t) * dt

        def crossed(part: float) -> bool:
            left = 1 - part
            u = left**2 * ((1 + 2 * part) * before + part * leaving) + part**2 * (
                (1 + 2 * left) * after - left * arriving)
            return self._has_risen(u, t + part * dt)

        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if crossed(middle) else (middle, high)
            if high - low < _OVERSHOT / 2:
                break
        return high

    def _after_event(self, before: Floats) -> None:
        """A shorter next step, as far as the event that changed the state `before` takes one."""
        self._check(before)
        self._forget()
        self._dt = after_event(self.system, before, self.u, self.t, self._dt, self.tolerance)

    def _check(self, before: Floats) -> None:
        """Raise `InputError` where the method cannot go on from what events made of the state `before`."""
        if self._check_event is not None:
            self._check_event(before, self.u, self.t)

    def _after_opening(self) -> None:
        """A next step that begins anew, since a channel has opened or closed."""
        self._forget()
        self._opened = self.t
        self._dt = after_opening(self.system, self.u, self.t, self._dt, self.tolerance)

    def _forget(self) -> None:
        """Have the method keep nothing from before an event."""
        if isinstance(self.method, Remembering):
            self.method.forget()


class Counted:
    """Every molecule is counted: nothing is continuous that reactions change or that diffuses."""

    def __init__(self, engine: MasterEquation, u: Floats, tolerance: Tolerance, rng: np.random.Generator) -> None:
        self.engine, self.system, self.rng, self.longest = engine, engine.system, rng, tolerance.longest
        self.u, self.t, self.most_steps = engine.start(rng, u), 0.0, float(tolerance.most_steps)
        self._events, self._deposit = self.system.events, engine.deposit(rng)
        self.heights = self._events.heights(self.u, 0.0)
        self.counted: dict[str, Any] = {"method": type(engine).__name__, "steps": 0,
                                        _SMALLEST: self.system.passed(self.u, 0.0)}

    def onward(self, stop: float) -> float:
        """One slice; what is random besides, and what thresholds set off, happens at its end."""
        start = self.t
        self.u, self.t = self.engine.advance(self.u, self.t, stop, self.rng, self.longest)
        dt = self.t - start
        *_, self.heights = self._events.after_step(self.u, self.t, dt, None, self.rng, self._deposit, self.heights)
        self.counted["steps"] += 1
        self.counted[_SMALLEST] = min(self.counted[_SMALLEST], self.system.passed(self.u, self.t))
        return dt

    def at_instant(self) -> None:
        """Let the events of this instant act."""
        self.u = self.u.copy()
        _, self.heights = self._events.at_instant(self.u, self.t, self.rng, self._deposit, self.heights)

    def hardest(self) -> str:
        """What bounds the length of slices, for a message."""
        return "molecules react or hop so often"
