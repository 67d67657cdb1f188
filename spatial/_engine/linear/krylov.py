"""A Krylov method, with each pass over the vectors compiled into one loop."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from spatial._engine.operators.team import LONG_VECTOR, Team
from spatial.checks import InputError
from spatial.compiled import compiled
from spatial.geometry.place import Floats

_MOST_SWEEPS = 3000


class TooLarge(ArithmeticError):
    """The rates of a problem are too large for a step of this length."""


Product = Callable[[Floats], Floats]


def stabilised_gradients(times: Product, precondition: Product, b: Floats, rough: Floats, weight: Floats, team: Team,
                         guess: Floats | None = None) -> tuple[Floats, Floats]:
    """(size,) solution x of a linear system by BiCGStab (van der Vorst 1992), and its residual r.

    `times` multiplies by the matrix, `precondition` solves approximately (from the right), and `rough` is what
    it answers to `b`. Stops when sum weight r^2 <= 1. A `guess` is used where it leaves less than nothing does.
    Raises `TooLarge` where that sum overflows.
    """
    n, share = len(b), partial(team, least=LONG_VECTOR)
    x, r = np.zeros(n), b.copy()
    size = sum(share(_dot, n, weight, r, r))
    if guess is not None:
        left = b - times(guess)
        better = sum(share(_dot, n, weight, left, left))
        if better < size:
            x, r, size = guess.copy(), left, better
            rough = precondition(r)
    shadow, p, rho = r.copy(), r.copy(), size
    for sweep in range(_MOST_SWEEPS):
        if size <= 1.0:
            return x, r
        if not math.isfinite(size):
            raise TooLarge
        towards = precondition(p) if sweep else rough
        v = times(towards)
        along = sum(share(_dot, n, weight, shadow, v))
        if along == 0.0 or rho == 0.0:  # the shadow has lost the residual: start afresh
            shadow, p, rho = r.copy(), r.copy(), size
            continue
        alpha = rho / along
        size = sum(share(_descend, n, weight, alpha, towards, v, x, r))
        if size <= 1.0:
            return x, r
        towards = precondition(r)
        q = times(towards)
        parts = np.sum(share(_stabilise, n, weight, q, r), axis=0)
        omega = parts[0] / parts[1] if parts[1] > 0.0 else 0.0
        size = sum(share(_descend, n, weight, omega, towards, q, x, r))
        before, rho = rho, sum(share(_dot, n, weight, shadow, r))
        share(_turn, n, rho / before * alpha / omega if omega != 0.0 else 0.0, omega, r, v, p)
    raise InputError(f"the linear solver did not converge in {_MOST_SWEEPS} sweeps; "
                     "look for flat cells with `spatial mesh info`, or use shorter steps")


@compiled(nogil=True, fastmath=True)
def _dot(weight: Floats, x: Floats, y: Floats, low: int, high: int) -> float:
    """Sum of weight x y."""
    found = 0.0
    for i in range(low, high):
        found += weight[i] * x[i] * y[i]
    return found


@compiled(nogil=True, fastmath=True)
def _descend(weight: Floats, length: float, towards: Floats, v: Floats, x: Floats, r: Floats,
             low: int, high: int) -> float:
    """x += length towards, r -= length v; then sum weight r^2."""
    size = 0.0
    for i in range(low, high):
        x[i] += length * towards[i]
        r[i] -= length * v[i]
        size += weight[i] * r[i] * r[i]
    return size


@compiled(nogil=True, fastmath=True)
def _stabilise(weight: Floats, q: Floats, r: Floats, low: int, high: int) -> tuple[float, float]:
    """Sums of weight q r and of weight q^2."""
    along, size = 0.0, 0.0
    for i in range(low, high):
        along += weight[i] * q[i] * r[i]
        size += weight[i] * q[i] * q[i]
    return along, size


@compiled(nogil=True, fastmath=True)
def _turn(beta: float, omega: float, r: Floats, v: Floats, p: Floats, low: int, high: int) -> None:
    """p = r + beta (p - omega v)."""
    for i in range(low, high):
        p[i] = r[i] + beta * (p[i] - omega * v[i])
