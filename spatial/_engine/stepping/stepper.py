"""A run under way: from step to step, with what happens at random, at thresholds and at known instants between."""

from typing import Any, Protocol

import numpy as np

from spatial._engine.methods.master_equation import MasterEquation
from spatial._engine.methods.method import Method
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.step_length import advance, after_event, first_step
from spatial._engine.system.right_hand_side import System, risen
from spatial.geometry.place import Floats

_OVERSHOT = 1e-6  # of a step: how far behind the crossing of a threshold it is taken to end
_CASCADE = 100  # events that may set each other off at one instant
_HALVINGS = 40  # that locate a crossing within a step


class March(Protocol):
    """A run under way."""

    system: System
    u: Floats  # (size,) the state
    t: float  # s
    counted: dict[str, Any]  # for the provenance

    def onward(self, stop: float) -> float:
        """One step, not beyond `stop` [s]; its length [s]."""
        ...

    def jump(self) -> None:
        """Let mechanisms with an instant now act."""
        ...


class Hybrid:
    """Concentrations are continuous; mechanisms with random states of their own draw what they do."""

    def __init__(self, method: Method, u: Floats, tolerance: Tolerance, rng: np.random.Generator) -> None:
        self.method, self.system, self.tolerance, self.rng = method, method.system, tolerance, rng
        self.u, self.t = u, 0.0
        self._dt = first_step(self.system, u, 0.0, tolerance)
        self._heights = self.system.heights(u, 0.0)
        self.counted: dict[str, Any] = {"method": type(method).__name__, "relative tolerance": tolerance.relative,
                        "steps": 0, "rejected steps": 0, "smallest concentration": self.system.smallest(u)}

    def onward(self, stop: float) -> float:
        """One step; if a threshold is crossed, or a channel opened or closed in it, taken again up to then.

        The step's length must not depend on what the channels are to do, or their chances would: so the field
        goes first, and channels follow its mean over the step.
        """
        u, t = self.u, self.t
        self._to_crossing(stop)
        if not self.system.eventful:
            return self.t - t
        plan = self.system.paths(u, self.u, t, self.t - t, self.rng)
        if plan is not None and plan.dt < self.t - t:
            self.u, self.t = u, t
            while self.t < t + plan.dt:
                self._step(t + plan.dt)
        before = self.u.copy()
        happened = self.system.leap(self.u, self.t, self.t - t, self.rng)
        happened |= plan is not None and self.system.follow(self.u, plan)
        if self._cross() or happened:
            self._shorten(before)
        return self.t - t

    def jump(self) -> None:
        """Let mechanisms with an instant now act."""
        before = self.u.copy()
        acted = self.system.jump(self.u, self.t)
        if self._cross() or acted:
            self._shorten(before)

    def _step(self, end: float) -> None:
        """A step of the field alone."""
        done = advance(self.method, self.u, self.t, self._dt, end, self.tolerance)
        self.u, self.t, self._dt = done.u, done.t, done.suggested
        self.counted["steps"] += 1
        self.counted["rejected steps"] += done.rejected
        smallest = "smallest concentration"
        self.counted[smallest] = min(self.counted[smallest], self.system.smallest(done.u))

    def _to_crossing(self, stop: float) -> None:
        """A step of the field; where it takes something through a threshold, one that ends just behind that.

        Ending behind it, the crossing is not met again. Should the shorter step fall short of it, the next finds it.
        """
        u, t = self.u, self.t
        self._step(stop)
        if any(one.any() for one in risen(self._heights, self.system.heights(self.u, self.t))):
            end = t + (self._crossing(u, t) + _OVERSHOT) * (self.t - t)
            if t < end < self.t:
                self.u, self.t = u, t
                self._step(end)

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
            return any(one.any() for one in risen(self._heights, self.system.heights(u, t + part * dt)))

        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if crossed(middle) else (middle, high)
            if high - low < _OVERSHOT / 2:
                break
        return high

    def _cross(self) -> bool:
        """Let mechanisms act where something has risen through their thresholds; whether one did.

        What they do may take something else through its threshold at the same instant.
        """
        for cascade in range(_CASCADE):
            now = self.system.heights(self.u, self.t)
            where, self._heights = risen(self._heights, now), now
            if not any(one.any() for one in where):
                return cascade > 0
            self.system.cross(self.u, self.t, where, self.rng)
        return True

    def _shorten(self, before: Floats) -> None:
        """A shorter next step, as far as the event that changed the state `before` takes one."""
        self._dt = after_event(self.system, before, self.u, self.t, self._dt, self.tolerance)


class Molecules:
    """Every molecule is counted: nothing is continuous that reactions change or that diffuses."""

    def __init__(self, engine: MasterEquation, u: Floats, tolerance: Tolerance, rng: np.random.Generator) -> None:
        self.engine, self.system, self.rng, self.longest = engine, engine.system, rng, tolerance.longest
        self.u, self.t = engine.start(rng, u), 0.0
        self._heights = self.system.heights(self.u, 0.0)
        self.counted: dict[str, Any] = {"method": type(engine).__name__, "steps": 0,
                                        "smallest concentration": self.system.smallest(self.u)}

    def onward(self, stop: float) -> float:
        """One slice; what is random besides, and what thresholds set off, happens at its end."""
        start = self.t
        self.u, self.t = self.engine.advance(self.u, self.t, stop, self.rng, self.longest)
        self.u = self.engine.leap(self.u, self.t, self.t - start, self.rng)
        self._cross()
        self.counted["steps"] += 1
        smallest = "smallest concentration"
        self.counted[smallest] = min(self.counted[smallest], self.system.smallest(self.u))
        return self.t - start

    def jump(self) -> None:
        """Let mechanisms with an instant now act."""
        self.u = self.engine.jump(self.u, self.t, self.rng)
        self._cross()

    def _cross(self) -> None:
        """Let mechanisms act where something has risen through their thresholds."""
        now = self.system.heights(self.u, self.t)
        where, self._heights = risen(self._heights, now), now
        if any(one.any() for one in where):
            self.u = self.engine.cross(self.u, self.t, where, self.rng)
