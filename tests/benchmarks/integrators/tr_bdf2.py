"""TR-BDF2: the trapezoidal rule to a point within the step, then BDF2 to its end, all of the Jacobian in both.

Coefficients and error estimate: Hosea & Shampine 1996. Both stages share the matrix 1 - d dt J, with which
simplified Newton iterations solve them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatial._engine.linear.implicit import Implicit, Prepared, implicit
from spatial._engine.methods.method import BEFORE, Attempts
from spatial._engine.methods.tolerance import errors
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

_POINT = 2.0 - np.sqrt(2.0)  # where the trapezoidal rule ends, in steps
_D, _W = _POINT / 2.0, np.sqrt(2.0) / 4.0  # weights of the last stage, and of the first two
_COMPANION = np.array([(1.0 - _W) / 3.0, (3.0 * _W + 1.0) / 3.0, _D / 3.0])  # weights of order 3
_ITERATIONS, _CLOSE = 10, 0.05  # of Newton; what they leave, as part of what the step may err
_SLOWEST = 0.9  # what an iteration leaves of the change of the one before: more is no convergence


@dataclass(frozen=True, eq=False)
class TrBdf2:
    """The method, for a system."""

    prepared: Prepared
    order: int = 3  # the power of the step's length that the estimated error goes with

    @property
    def system(self) -> System:
        """What is integrated."""
        return self.prepared.system

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where du/dt is `f`; without convergence the error is infinite."""
        linearisation, allowed = linearise(self.system, u, t), dict(tolerated)

        def attempt(dt: float) -> tuple[Floats, Floats]:
            h, failed = _D * dt, (u.copy(), np.full_like(u, np.inf))
            matrix = implicit(self.prepared, linearisation, h, 1.0, tolerated)
            base = u + h * f
            middle = self._newton(matrix, base, u, t + _POINT * dt, h, allowed)
            if middle is None:
                return failed
            slope = (middle - base) / h
            last = u + _W * dt * (f + slope)
            end = self._newton(matrix, last, middle, t + BEFORE * dt, h, allowed)
            if end is None:
                return failed
            weights = np.array([_W, _W, _D]) - _COMPANION
            wrong = dt * (weights[0] * f + weights[1] * slope + weights[2] * (end - last) / h)
            return end, matrix.solve(wrong)

        return Attempts(attempt)

    def _newton(self, matrix: Implicit, base: Floats, guess: Floats, t: float, h: float,
                allowed: dict[Species, float]) -> Floats | None:
        """(size,) solution u of u = base + h f(t, u), or None."""
        u, before = guess, 0.0
        for _ in range(_ITERATIONS):
            change = matrix.solve(base + h * self.system.rate(u, t) - u)
            size = max(errors(self.system, change, allowed).values(), default=0.0)
            ratio = size / before if before else _SLOWEST
            if not np.isfinite(size) or ratio > _SLOWEST:
                return None
            u = u + change
            if size * ratio / (1.0 - ratio) <= _CLOSE:
                return u
            before = size
        return None
