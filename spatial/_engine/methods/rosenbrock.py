"""One step in time: linearly implicit methods, which hold with any matrix W for the Jacobian.

    (1 - g dt W) k_i = f(t + alpha_i dt, u + g dt sum_j a_ij k_j) + g sum_j c_ij k_j,    u' = u + g dt sum_i m_i k_i

f(u) = 0 gives u' = u exactly: source, buffers and diffusion in balance stay so. W is the Jacobian,
as far as one-sided differences and an iterative solver tell it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spatial._engine.linear.implicit import Prepared, implicit
from spatial._engine.methods.growth import finer, growth_rate, without_jumps
from spatial._engine.methods.method import BEFORE, Attempts, followed
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

Solve = Callable[[Floats, Floats | None], Floats]
"""The stage k of (1 - g dt W) k = f, given f and a guess; all (size,)."""


@dataclass(frozen=True, eq=False)
class Table:
    """The coefficients of a method of s stages, in the form that needs no product with W (Hairer & Wanner, IV.7)."""

    gamma: float
    a: Floats  # (s, s)
    c: Floats  # (s, s)
    m: Floats  # (s,)
    companion: Floats  # (s,) the m of a method of one order less
    order: int
    strict: float  # times the estimated error, so that a tolerance means the same accuracy with every method
    times: Floats  # (s,) alpha: when each stage is evaluated, in steps
    slopes: Floats  # (s,) what each stage is of du/dt where that hardly changes


def table(order: int, gamma: float, alpha: Floats, gammas: Floats, b: Floats, companion: Floats,
          strict: float = 1.0) -> Table:
    """From the usual coefficients: alpha and gammas strictly lower triangular (s, s), weights (s,)."""
    gammas = gammas + gamma * np.eye(len(b))
    inverse = np.linalg.inv(gammas)
    c = np.eye(len(b)) / gamma - inverse
    return Table(gamma, alpha @ inverse, c, b @ inverse, companion @ inverse, order, strict,
                 alpha.sum(axis=1), gammas.sum(axis=1) / gamma)


def lower(size: int, *rows: tuple[float, ...]) -> Floats:
    """(size, size) strictly lower triangular matrix of these rows, from the second."""
    found = np.zeros((size, size))
    for k, row in enumerate(rows, start=1):
        found[k, :k] = row
    return found


_G = 1.0 - 1.0 / np.sqrt(2.0)  # L-stable, and the more accurate of the two (design.md, 3)
ROS2 = table(2, _G, lower(2, (1.0,)), lower(2, (-2.0 * _G,)), np.array([0.5, 0.5]), np.array([1.0, 0.0]))
"""Order 2 with any W (Verwer, Spee, Blom & Hundsdorfer 1999)."""

_H = 0.43586652150845900
ROS34PW2 = table(
    3, _H, lower(4, (0.87173304301691801,), (0.84457060015369423, -0.11299064236484185), (0.0, 0.0, 1.0)),
    lower(4, (-0.87173304301691801,), (-0.90338057013044082, 0.054180672388095326),
          (0.24212380706095346, -1.2232505839045147, 0.54526025533510214)),
    np.array([0.24212380706095346, -1.2232505839045147, 1.5452602553351020, 0.43586652150845900]),
    np.array([0.37810903145819369, -0.096042292212423178, 0.5, 0.21793326075422950]), strict=3.0)
"""Order 3 with any W, L-stable and stiffly accurate (Rang & Angermann 2005)."""

GROWTH = 0.7  # longest step at a growth rate of 1: an e-fold of what is not resolved errs by 1.9 % (ROS34PW2: 1.6)

TIGHT = 2e-4  # relative tolerance from which on order 3 is worth its four stages (benchmarks/results/integrators.md)


@dataclass(frozen=True, eq=False)
class Rosenbrock:
    """A method of this family for a system."""

    prepared: Prepared
    table: Table

    @property
    def system(self) -> System:
        """What is integrated."""
        return self.prepared.system

    @property
    def order(self) -> int:
        """The power of the step's length that the estimated error goes with."""
        return self.table.order

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where du/dt is `f`; the Jacobian is found once for all lengths."""
        system, layout = self.system, self.system.changing
        linearisation, moving = linearise(system, u, t, layout), _Moving(system, u)
        growth = growth_rate(system, linearisation, u, f, tolerated)
        solved = finer(system, u, tolerated) if growth else tolerated

        begin, rate = layout.part(u, system.layout), layout.part(f, system.layout)

        def attempt(dt: float) -> tuple[Floats, Floats]:
            h = self.table.gamma * dt
            smooth = without_jumps(system, linearisation, u, t, h)
            matrix = implicit(self.prepared, smooth, h, dt, solved)
            after, error = step(self.table, moving, begin, t, rate, dt, matrix.solve)
            return layout.put(after, u, system.layout), layout.put(error, np.zeros_like(u), system.layout)

        return Attempts(attempt, followed(GROWTH, growth))

    def left_of(self, error: Floats, u: Floats, t: float, later: float, tolerated: Mapping[Species, float]) -> Floats:
        """(size,) what is left of an `error` [of the state `u` at `t`] when `later` [s] have gone by.

        Found by backward Euler, of which more is left than really is.
        """
        whole, layout = self.system.layout, self.system.changing
        linearisation = linearise(self.system, u, t, layout)
        matrix = implicit(self.prepared, linearisation, later, 1.0, tolerated)
        left = matrix.solve(layout.part(error, whole))
        return layout.put(left, np.zeros_like(error), whole)


class Moves(Protocol):
    """What a step is taken of."""

    def rate(self, u: Floats, t: float) -> Floats:
        """(size,) du/dt."""
        ...


@dataclass(frozen=True, eq=False)
class _Moving:
    """A system's species that change between events, among the others as they are in `u`."""

    system: System
    u: Floats

    def rate(self, u: Floats, t: float) -> Floats:
        """Their du/dt, where they are `u`."""
        layout, whole = self.system.changing, self.system.layout
        return layout.part(self.system.rate(layout.put(u, self.u, whole), t), whole)


def step(table: Table, system: Moves, u: Floats, t: float, f: Floats, dt: float,
         solve: Solve) -> tuple[Floats, Floats]:
    """The state after one step of length `dt` from `u` at `t`, where du/dt is `f`, and an estimate of its error."""
    gamma, stages = table.gamma, list[Floats]()
    for a, c, when, slope in zip(table.a, table.c, table.times, table.slopes, strict=True):
        here = f if not stages else system.rate(
            u + gamma * dt * _sum(a, stages), t + min(when, BEFORE) * dt) + gamma * _sum(c, stages)
        stages.append(solve(here, slope * stages[0] if stages else None))
    return (u + gamma * dt * _sum(table.m, stages),
            table.strict * gamma * dt * _sum(table.m - table.companion, stages))


def _sum(weights: Floats, stages: list[Floats]) -> Floats:
    """(size,) the weighted sum of the stages so far."""
    total = weights[0] * stages[0]
    for weight, stage in zip(weights[1:len(stages)], stages[1:], strict=True):
        if weight != 0.0:
            total += weight * stage
    return total
