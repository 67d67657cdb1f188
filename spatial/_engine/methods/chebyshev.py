"""One step in time: a stabilised explicit method of order 2, for problems that are only mildly stiff.

Runge-Kutta-Chebyshev (Sommeijer, Shampine & Verwer 1998): s stages are stable up to dt rho = 2/3 s^2, where
rho is the largest rate in the problem, so work grows with the root of rho. No matrix is solved with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import ceil, sqrt

import numpy as np

from spatial._engine.linear.krylov import TooLarge
from spatial._engine.methods.growth import growth_rate
from spatial._engine.methods.method import BEFORE, Attempts, followed
from spatial._engine.operators.team import LONG_VECTOR
from spatial._engine.system.jacobian import Linearisation, linearise
from spatial._engine.system.right_hand_side import System
from spatial.compiled import compiled
from spatial.geometry.place import Floats
from spatial.model import Species

_DAMPING = 2.0 / 13.0
_STRICT = 5.0  # times the estimate, so that a tolerance means the same accuracy as with the implicit method
_LARGE = 50_000  # unknowns: below, either method is fast
_FARTHEST = 1e8  # a step beyond so many times the fastest time constant takes over 10 000 stages: a shorter is tried
_KEPT = 10  # steps for which the fastest rate is kept
_MARGIN = 1.2  # times the fastest rate: how much faster it may become meanwhile
_GROWTH = 0.4  # longest step at a growth rate of 1: an e-fold of what is not resolved errs by 2 %
_STEPS, _FEW = 30, 20  # steps that a stretch without events takes, roughly, and stages that cost less than a solve


@dataclass
class Kept:
    """What the method keeps from step to step."""

    fastest: float = 0.0  # 1/s: the fastest rate that was found last, with its margin
    growth: float = 0.0  # 1/s: how fast what is not resolved grew then
    steps: int = 0  # for which it may still be used


@dataclass(frozen=True, eq=False)
class Chebyshev:
    """The method, for a system.

    How fast the fastest rate is takes longer to find than a stage. It is kept for some steps, and found again after
    an event and wherever a step is rejected.
    """

    system: System
    spreading: Mapping[str, Floats]  # by place: (m,) the fastest rate of diffusion of each species [1/s]
    order: int = 3  # the power of the step's length that the estimated error goes with
    kept: Kept = field(default_factory=Kept)

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where du/dt is `f`, with as many stages as their length takes."""
        fresh, rejected = self.kept.steps == 0, False
        if fresh:
            self.find(u, t, f, tolerated)
        self.kept.steps -= 1

        def attempt(dt: float) -> tuple[Floats, Floats]:
            nonlocal fresh, rejected
            if rejected and not fresh:
                self.find(u, t, f, tolerated)
                fresh = True
            rejected = True  # or there is no other attempt
            reach = dt * self.kept.fastest
            if reach > _FARTHEST:
                raise TooLarge
            after = self._stages(u, t, f, dt, stages_for(reach))
            slope = self.system.rate(after, t + BEFORE * dt)
            return after, _STRICT * (0.8 * (u - after) + 0.4 * dt * (f + slope))

        return Attempts(attempt, followed(_GROWTH, self.kept.growth))

    def forget(self) -> None:
        """Keep nothing: the state or the problem has changed at once, by an event."""
        self.kept.steps = 0

    def find(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> None:
        """Find how fast the problem is, and how fast what is not resolved grows, to be kept for some steps."""
        linearisation = linearise(self.system, u, t)
        self.kept.fastest = _MARGIN * self.fastest_rate(linearisation)
        self.kept.growth = growth_rate(self.system, linearisation, u, f, tolerated)
        self.kept.steps = _KEPT

    def suits(self, until: float) -> bool:
        """Whether this is likely to beat an implicit method: many unknowns, and few stages for a typical step."""
        system = self.system
        if system.layout.size < _LARGE:
            return False
        ends = np.unique([0.0, *np.clip(system.events.instants, 0.0, until), until])
        typical = float(np.diff(ends).max()) / _STEPS
        return stages_for(typical * self.fastest_rate(linearise(system, system.initial(), 0.0))) <= _FEW

    def fastest_rate(self, linearisation: Linearisation) -> float:
        """Return a bound [1/s] of the eigenvalues of the Jacobian: its largest row sum, by species' typical sizes."""
        system, typical = self.system, self.system.typical()
        rows = abs(linearisation.between) @ typical
        for name, blocks in linearisation.blocks.items():
            here, scale = system.layout.block(rows, name), system.layout.block(typical, name)
            here += np.einsum("nsr,nr->ns", abs(blocks), scale) + self.spreading[name] * scale
        return float((rows / typical).max())

    def _stages(self, u: Floats, t: float, f: Floats, dt: float, count: int) -> Floats:
        """(size,) the state after `count` stages."""
        first, rows = coefficients(count)
        before, here = u, u + first[0] * dt * f
        after, spare = np.empty_like(u), np.empty_like(u)
        when = first[1]
        for mu, nu, slope, start, at in rows:
            rate = self.system.rate(here, t + min(when, BEFORE) * dt)
            self.system.team(_stage, len(u), np.array([1.0 - mu - nu, mu, nu, slope * dt, start * dt]), u, here, before,
                      rate, f, after, least=LONG_VECTOR)
            before, here, when = here, after, at
            after, spare = spare, before
        return here


def chebyshev(system: System) -> Chebyshev:
    """The method, with the fastest rates of diffusion found once (Gershgorin)."""
    spreading = {}
    for name, K in system.stiffness.items():
        across = np.asarray(abs(K).sum(axis=1)).ravel() / system.layout.places[name][0].place.measure
        spreading[name] = system.diffusion[name] * across.max()
    return Chebyshev(system, spreading)


def stages_for(reach: float) -> int:
    """How many stages are stable for a step of `reach` = dt times the fastest rate."""
    return max(2, ceil(sqrt(1.0 + 1.54 * reach)))


@cache
def coefficients(s: int) -> tuple[tuple[float, float], tuple[tuple[float, float, float, float, float], ...]]:
    """Those of the first stage (weight, time), and of stages 2 to s (mu, nu, mu~, gamma~, time)."""
    w = 1.0 + _DAMPING / s**2
    T, dT, ddT = _polynomials(s, w)
    w1 = dT[s] / ddT[s]
    b = np.empty(s + 1)
    b[2:] = ddT[2:] / dT[2:] ** 2
    b[:2] = b[2]
    a = 1.0 - b * T
    c = np.zeros(s + 1)
    c[2:] = w1 * ddT[2:] / dT[2:]
    c[1] = c[2] / dT[2]
    rows = []
    for j in range(2, s + 1):
        slope = 2.0 * b[j] * w1 / b[j - 1]
        rows.append((2.0 * b[j] * w / b[j - 1], -b[j] / b[j - 2], slope, -a[j - 1] * slope, c[j]))
    return (b[1] * w1, c[1]), tuple(rows)


def _polynomials(s: int, w: float) -> tuple[Floats, Floats, Floats]:
    """(s + 1,) the Chebyshev polynomials at w, with their first and second derivatives."""
    T, dT, ddT = np.zeros((3, s + 1))
    T[0], T[1], dT[1] = 1.0, w, 1.0
    for j in range(2, s + 1):
        T[j] = 2 * w * T[j - 1] - T[j - 2]
        dT[j] = 2 * T[j - 1] + 2 * w * dT[j - 1] - dT[j - 2]
        ddT[j] = 4 * dT[j - 1] + 2 * w * ddT[j - 1] - ddT[j - 2]
    return T, dT, ddT


@compiled(nogil=True, fastmath=True)
def _stage(weights: Floats, u: Floats, here: Floats, before: Floats, rate: Floats, f: Floats, after: Floats,
           low: int, high: int) -> None:
    """after = the weighted sum of u, here, before, rate and f."""
    for i in range(low, high):
        after[i] = (weights[0] * u[i] + weights[1] * here[i] + weights[2] * before[i] + weights[3] * rate[i]
                    + weights[4] * f[i])
