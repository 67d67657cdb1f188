"""Compiled linear algebra on one place: all its species at once, its stiffness matrix read once a sweep.

Arrays are (n, m): n elements, m species. The matrix of a place is B + diag(tau) K / V, with dense
blocks B (n, m, m) from the reactions, K (n, n) sparse, V the measure and tau (m,) um^2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.integrate.blocks import Index, apply_place, factor_blocks, multiply, solve_blocks
from spatial.integrate.multigrid import Cycle, Level, cycle

_MOST_SWEEPS = 3000
_RELATIVE, _LEAST = 1e-2, 1e-6  # of the right-hand side, and of what is allowed
Product = Callable[[Floats], Floats]


@njit(cache=True, fastmath=True)
def _dot(weight: Floats, x: Floats, y: Floats) -> float:
    """Sum of weight x y; compiled, since BLAS would start threads for it."""
    found = 0.0
    for i in range(len(x)):
        found += weight[i] * x[i] * y[i]
    return found


def stabilised_gradients(times: Product, precondition: Product, b: Floats, weight: Floats) -> Floats:
    """(size,) solution of a linear system by BiCGStab (van der Vorst 1992), preconditioned from the right.

    `times` multiplies by the matrix, `precondition` solves approximately.
    Stops when the residual r has sum weight r^2 <= 1.
    """
    x = precondition(b)
    r = b - times(x)
    shadow, p, rho = r.copy(), r.copy(), _dot(weight, r, r)
    for _ in range(_MOST_SWEEPS):
        if _dot(weight, r, r) <= 1.0:
            return x
        towards = precondition(p)
        v = times(towards)
        along = _dot(weight, shadow, v)
        if along == 0.0 or rho == 0.0:  # the shadow has lost the residual: start afresh
            shadow, p, rho = r.copy(), r.copy(), _dot(weight, r, r)
            continue
        alpha = rho / along
        x += alpha * towards
        r -= alpha * v
        if _dot(weight, r, r) <= 1.0:
            return x
        towards = precondition(r)
        q = times(towards)
        size = _dot(weight, q, q)
        omega = _dot(weight, q, r) / size if size > 0.0 else 0.0
        x += omega * towards
        r -= omega * q
        before, rho = rho, _dot(weight, shadow, r)
        p = r + (rho / before * alpha / omega if omega != 0.0 else 0.0) * (p - omega * v)
    raise InputError(f"the linear solver did not converge in {_MOST_SWEEPS} sweeps; "
                     "look for flat cells with `spatial mesh info`, or use shorter steps")


@njit(cache=True, fastmath=True)
def _conjugate_gradients(indptr: Index, indices: Index, K: Floats, diagonal: Floats, V: Floats, tau: Floats,
                         b: Floats, x: Floats, target: Floats, most: int) -> int:
    """Solve (V + tau_s K) x_s = V b_s for every column s, Jacobi-preconditioned; the sweeps used, or -1.

    A column is done when the L2 norm of its residual over V is at most target_s.
    """
    n, m = b.shape
    p, r, inverse = x.copy(), np.empty((n, m)), np.empty((n, m))
    for i in range(n):
        for s in range(m):
            inverse[i, s] = 1.0 / (V[i] + tau[s] * diagonal[i])
            r[i, s] = V[i] * b[i, s]
    q, along = np.empty((n, m)), np.empty(m)
    rho, error = np.empty(m), np.empty(m)
    alpha, beta = np.ones(m), np.zeros(m)
    _multiply(indptr, indices, K, V, tau, p, q, along)
    x[:] = 0.0
    _descend(V, inverse, alpha, p, q, x, r, rho, error)
    p[:] = 0.0
    for sweep in range(most):
        if (error <= target * target).all():
            return sweep
        for i in range(n):
            for s in range(m):
                p[i, s] = r[i, s] * inverse[i, s] + beta[s] * p[i, s]
        _multiply(indptr, indices, K, V, tau, p, q, along)
        for s in range(m):
            alpha[s] = rho[s] / along[s] if error[s] > target[s] * target[s] else 0.0
            beta[s] = rho[s]
        _descend(V, inverse, alpha, p, q, x, r, rho, error)
        for s in range(m):
            beta[s] = rho[s] / beta[s] if beta[s] > 0.0 else 0.0
    return -1


@njit(cache=True, fastmath=True)
def _multiply(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, p: Floats, q: Floats,
              along: Floats) -> None:
    """q = V p + tau K p, and along = p . q for every column."""
    n, m = p.shape
    along[:] = 0.0
    multiply(indptr, indices, K, p, q)
    for i in range(n):
        for s in range(m):
            q[i, s] = V[i] * p[i, s] + tau[s] * q[i, s]
            along[s] += p[i, s] * q[i, s]


@njit(cache=True, fastmath=True)
def _descend(V: Floats, inverse: Floats, alpha: Floats, p: Floats, q: Floats, x: Floats, r: Floats,
             rho: Floats, error: Floats) -> None:
    """x += alpha p and r -= alpha q; then rho = r . r/diagonal and error = sum r^2/V."""
    n, m = x.shape
    rho[:] = 0.0
    error[:] = 0.0
    for i in range(n):
        for s in range(m):
            x[i, s] += alpha[s] * p[i, s]
            r[i, s] -= alpha[s] * q[i, s]
            z = r[i, s] * inverse[i, s]
            rho[s] += r[i, s] * z
            error[s] += r[i, s] * r[i, s] / V[i]


@dataclass(frozen=True, eq=False)
class PlaceMatrix:
    """1 - h J of one place: B + diag(tau) K / V, ready to multiply and to solve with."""

    name: str
    K: csr_matrix
    diagonal: Floats  # (n,) of K
    V: Floats
    tau: Floats  # (m,) um^2
    B: Floats  # (n, m, m)
    local: Floats  # factors of B
    cycle: Cycle  # approximate solution of the whole
    reacts: bool
    allowed: Floats  # (m,) L2 error, averaged over the place, that a solution may have in each species

    def times(self, x: Floats) -> Floats:
        """(n, m) product with `x`."""
        y = np.empty_like(x)
        apply_place(self.K.indptr, self.K.indices, self.K.data, self.V, self.tau, self.B, x, y)
        return y

    def enough(self, f: Floats) -> Floats:
        """(m,) error to leave in each species when solving for a rate `f`, as the root of sum V e^2.

        No more than is allowed, and small beside the rate itself, so that what decays keeps its sign.
        """
        size, allowed = np.sqrt(self.V @ f**2), self.allowed * np.sqrt(self.V.sum())
        return np.maximum(np.minimum(allowed, _RELATIVE * size), _LEAST * allowed)

    def solve_reactions(self, x: Floats) -> None:
        """Solve with B alone, in place."""
        solve_blocks(self.local, x)

    def solve_diffusion(self, b: Floats, enough: Floats) -> Floats:
        """(n, m) solution with 1 + diag(tau) K / V alone, with sum V x = sum V b to rounding.

        What the iteration leaves of the amount is spread in proportion to |x|: an inexact solve
        neither makes nor loses matter.
        """
        if not (self.K.nnz and b.any()):
            return b.copy()
        x = b / (1.0 + np.outer(self.diagonal / self.V, self.tau))
        sweeps = _conjugate_gradients(self.K.indptr, self.K.indices, self.K.data, self.diagonal, self.V, self.tau,
                                      b, x, enough, _MOST_SWEEPS)
        if sweeps < 0:
            raise InputError(f"diffusion in {self.name!r} did not converge in {_MOST_SWEEPS} sweeps; "
                             "look for flat cells with `spatial mesh info`, or use shorter steps")
        missing, size = self.V @ (b - x), np.abs(x)
        held = self.V @ size
        return x + size * np.divide(missing, held, out=np.zeros_like(missing), where=held > 0)


def place_matrix(name: str, hierarchy: tuple[Level, ...], D: Floats, J: Floats, h: float,
                 allowed: Floats) -> PlaceMatrix:
    """1 - h (J - diag(D) K / V), where J (n, m, m) holds the reactions' blocks and D (m,) is in um^2/s.

    `allowed` (m,) is what a solution may err.
    """
    finest, tau = hierarchy[0], h * D
    B = np.eye(len(D)) - h * J
    local = B.copy()
    factor_blocks(local)
    return PlaceMatrix(name, finest.K, finest.diagonal, finest.V, tau, B, local, cycle(hierarchy, tau, B),
                       bool(J.any()), allowed)
