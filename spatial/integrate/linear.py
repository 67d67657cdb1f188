"""Compiled linear algebra on one place: all its species at once, its stiffness matrix read once a sweep.

Arrays are (n, m): n elements, m species. The matrix of a place is B + diag(tau) K / V, with dense
blocks B (n, m, m) from the reactions, K (n, n) sparse, V the measure and tau (m,) um^2.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spatial.checks import InputError
from spatial.geometry.place import Floats

_MOST_SWEEPS = 3000
_MIXING = 0.0  # conversion within a step, beyond which reactions and diffusion are solved together
_CHUNKS = 8  # of rows, each summed in turn: the same result on any number of threads
_RELATIVE, _LEAST = 1e-3, 1e-6  # of the right-hand side, and of what is allowed
Index = NDArray[np.int32]


@njit(cache=True)
def factor_blocks(blocks: Floats) -> None:
    """Factor (n, m, m) blocks in place into L and U, without pivoting: they are near diagonally dominant."""
    n, m, _ = blocks.shape
    for e in range(n):
        for k in range(m):
            for i in range(k + 1, m):
                if blocks[e, i, k] != 0.0:
                    blocks[e, i, k] /= blocks[e, k, k]
                    for j in range(k + 1, m):
                        blocks[e, i, j] -= blocks[e, i, k] * blocks[e, k, j]


@njit(cache=True)
def solve_blocks(factors: Floats, x: Floats) -> None:
    """Solve with factored blocks in place of the (n, m) right-hand sides `x`."""
    n, m, _ = factors.shape
    for e in range(n):
        for i in range(m):
            for j in range(i):
                x[e, i] -= factors[e, i, j] * x[e, j]
        for i in range(m - 1, -1, -1):
            for j in range(i + 1, m):
                x[e, i] -= factors[e, i, j] * x[e, j]
            x[e, i] /= factors[e, i, i]


@njit(cache=True, fastmath=True, parallel=True)
def _apply(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, B: Floats, x: Floats, y: Floats) -> None:
    """y = B x + diag(tau) K x / V."""
    n, m = x.shape
    for chunk in prange(_CHUNKS):
        for i in range(chunk * n // _CHUNKS, (chunk + 1) * n // _CHUNKS):
            for s in range(m):
                y[i, s] = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                for s in range(m):
                    y[i, s] += K[k] * x[j, s]
            for s in range(m):
                y[i, s] *= tau[s] / V[i]
                for r in range(m):
                    y[i, s] += B[i, s, r] * x[i, r]


@njit(cache=True, fastmath=True)
def _dot(weight: Floats, V: Floats, x: Floats, y: Floats) -> float:
    """Sum over elements and species of V weight^2 x y."""
    found = 0.0
    for i in range(x.shape[0]):
        part = 0.0
        for s in range(x.shape[1]):
            part += weight[s] * weight[s] * x[i, s] * y[i, s]
        found += V[i] * part
    return found


@njit(cache=True, fastmath=True)
def _stabilised_gradients(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, B: Floats,
                          jacobi: Floats, weight: Floats, b: Floats, x: Floats, most: int) -> int:
    """BiCGStab (van der Vorst 1992), preconditioned from the left by the factored diagonal blocks.

    Improves `x` until the weighted norm of the preconditioned residual is at most 1; the sweeps
    used, or -1.
    """
    r, v, q = np.empty_like(x), np.zeros_like(x), np.empty_like(x)
    _apply(indptr, indices, K, V, tau, B, x, r)
    r[:] = b - r
    solve_blocks(jacobi, r)
    shadow, p = r.copy(), r.copy()
    rho = _dot(weight, V, shadow, r)
    for sweep in range(most):
        if _dot(weight, V, r, r) <= 1.0:
            return sweep
        _apply(indptr, indices, K, V, tau, B, p, v)
        solve_blocks(jacobi, v)
        along = _dot(weight, V, shadow, v)
        if along == 0.0 or rho == 0.0:  # the shadow has lost the residual: start afresh
            shadow[:] = r
            p[:] = r
            rho = _dot(weight, V, shadow, r)
            continue
        alpha = rho / along
        x += alpha * p
        r -= alpha * v
        _apply(indptr, indices, K, V, tau, B, r, q)
        solve_blocks(jacobi, q)
        size = _dot(weight, V, q, q)
        omega = _dot(weight, V, q, r) / size if size > 0.0 else 0.0
        x += omega * r
        r -= omega * q
        previous, rho = rho, _dot(weight, V, shadow, r)
        beta = rho / previous * alpha / omega if omega != 0.0 else 0.0
        p[:] = r + beta * (p - omega * v)
    return -1


@njit(cache=True, fastmath=True, parallel=True)
def _diffusion_products(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, p: Floats, q: Floats,
                        sums: Floats) -> None:
    """q = V p + tau K p, and in `sums` (chunks, m) the parts of p . q."""
    n, m = p.shape
    for chunk in prange(_CHUNKS):
        sums[chunk] = 0.0
        for i in range(chunk * n // _CHUNKS, (chunk + 1) * n // _CHUNKS):
            for s in range(m):
                q[i, s] = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                for s in range(m):
                    q[i, s] += K[k] * p[j, s]
            for s in range(m):
                q[i, s] = V[i] * p[i, s] + tau[s] * q[i, s]
                sums[chunk, s] += p[i, s] * q[i, s]


@njit(cache=True, fastmath=True, parallel=True)
def _descend(V: Floats, inverse: Floats, alpha: Floats, p: Floats, q: Floats, x: Floats, r: Floats,
             sums: Floats, left: Floats) -> None:
    """x += alpha p and r -= alpha q; parts of r . r/diagonal in `sums`, of V (r/diagonal)^2 in `left`."""
    n, m = x.shape
    for chunk in prange(_CHUNKS):
        sums[chunk] = 0.0
        left[chunk] = 0.0
        for i in range(chunk * n // _CHUNKS, (chunk + 1) * n // _CHUNKS):
            for s in range(m):
                x[i, s] += alpha[s] * p[i, s]
                r[i, s] -= alpha[s] * q[i, s]
                z = r[i, s] * inverse[i, s]
                sums[chunk, s] += r[i, s] * z
                left[chunk, s] += V[i] * z * z


@njit(cache=True, fastmath=True)
def _conjugate_gradients(indptr: Index, indices: Index, K: Floats, diagonal: Floats, V: Floats, tau: Floats,
                         b: Floats, x: Floats, target: Floats, most: int) -> int:
    """Solve (V + tau_s K) x_s = V b_s for every column s, Jacobi-preconditioned; the sweeps used, or -1.

    A column is done when the L2 norm of its residual over the diagonal is at most target_s.
    """
    n, m = b.shape
    p, q, r, inverse = x.copy(), np.empty((n, m)), np.empty((n, m)), np.empty((n, m))
    sums, left = np.empty((_CHUNKS, m)), np.empty((_CHUNKS, m))
    for i in range(n):
        for s in range(m):
            inverse[i, s] = 1.0 / (V[i] + tau[s] * diagonal[i])
            r[i, s] = V[i] * b[i, s]
    _diffusion_products(indptr, indices, K, V, tau, p, q, sums)
    alpha, beta = np.ones(m), np.zeros(m)
    p[:] = 0.0
    _descend(V, inverse, alpha, p, q, x, r, sums, left)
    rho, error = sums.sum(axis=0), left.sum(axis=0)
    for sweep in range(most):
        if (error <= target * target).all():
            return sweep
        for i in range(n):
            for s in range(m):
                p[i, s] = r[i, s] * inverse[i, s] + beta[s] * p[i, s]
        _diffusion_products(indptr, indices, K, V, tau, p, q, sums)
        along = sums.sum(axis=0)
        for s in range(m):
            alpha[s] = rho[s] / along[s] if error[s] > target[s] * target[s] else 0.0
        _descend(V, inverse, alpha, p, q, x, r, sums, left)
        before, rho, error = rho, sums.sum(axis=0), left.sum(axis=0)
        for s in range(m):
            beta[s] = rho[s] / before[s] if before[s] > 0.0 else 0.0
    return -1


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
    jacobi: Floats  # factors of the diagonal blocks of the whole matrix
    reacts: bool
    mixes: bool  # whether species change into one another fast enough to disturb diffusion within the step
    allowed: Floats  # (m,) L2 error, averaged over the place, that a solution may have in each species

    def times(self, x: Floats) -> Floats:
        """(n, m) product with `x`."""
        y = np.empty_like(x)
        _apply(self.K.indptr, self.K.indices, self.K.data, self.V, self.tau, self.B, x, y)
        return y

    def solve(self, b: Floats) -> Floats:
        """(n, m) solution to within what is allowed, with little care for amounts."""
        x = b.copy()
        solve_blocks(self.jacobi, x)
        if self.K.nnz and b.any():
            self._must(_stabilised_gradients(self.K.indptr, self.K.indices, self.K.data, self.V, self.tau, self.B,
                                             self.jacobi, 1.0 / self._enough(b), b, x, _MOST_SWEEPS))
        return x

    def _enough(self, b: Floats) -> Floats:
        """(m,) error left in each species, as the root of sum V e^2: allowed, and small beside `b` itself."""
        size = np.sqrt(self.V @ b**2)
        allowed = self.allowed * np.sqrt(self.V.sum())
        return np.maximum(np.minimum(allowed, _RELATIVE * size), _LEAST * allowed)

    def solve_reactions(self, x: Floats) -> None:
        """Solve with B alone, in place."""
        solve_blocks(self.local, x)

    def solve_diffusion(self, b: Floats) -> Floats:
        """(n, m) solution with 1 + diag(tau) K / V alone, with sum V x = sum V b to rounding.

        What the iteration leaves of the amount is spread in proportion to |x|: an inexact solve
        neither makes nor loses matter.
        """
        x = b.copy()
        if not (self.K.nnz and b.any()):
            return x
        self._must(_conjugate_gradients(self.K.indptr, self.K.indices, self.K.data, self.diagonal, self.V, self.tau,
                                        b, x, self._enough(b), _MOST_SWEEPS))
        missing, size = self.V @ (b - x), np.abs(x)
        held = self.V @ size
        return x + size * np.divide(missing, held, out=np.zeros_like(missing), where=held > 0)

    def _must(self, sweeps: int) -> None:
        if sweeps < 0:
            raise InputError(f"the linear solver did not converge in {_MOST_SWEEPS} sweeps in {self.name!r}; "
                             "look for flat cells with `spatial mesh info`, or use shorter steps")


def place_matrix(name: str, K: csr_matrix, diagonal: Floats, V: Floats, D: Floats, J: Floats, h: float,
                 allowed: Floats) -> PlaceMatrix:
    """1 - h (J - diag(D) K / V), where J (n, m, m) holds the reactions' blocks and D (m,) is in um^2/s.

    `diagonal` (n,) is that of K; `allowed` (m,) what a solution may err.
    """
    tau = h * D
    B = np.eye(len(D)) - h * J
    local, jacobi = B.copy(), B.copy()
    for s, t in enumerate(tau):
        jacobi[:, s, s] += t * diagonal / V
    factor_blocks(local)
    factor_blocks(jacobi)
    mixing = np.abs(h * J * (1 - np.eye(len(D)))).max(initial=0.0)
    return PlaceMatrix(name, K, diagonal, V, tau, B, local, jacobi, bool(J.any()), bool(mixing > _MIXING), allowed)
