"""Compiled kernels on one place: (n, m) arrays of n elements and m species, dense blocks (n, m, m)."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spatial.geometry.place import Floats

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


@njit(cache=True, fastmath=True)
def multiply(indptr: Index, indices: Index, K: Floats, x: Floats, y: Floats) -> None:
    """y = K x, four species at a time so that their sums stay in registers."""
    n, m = x.shape
    fours = m - m % 4
    for i in range(n):
        for s in range(0, fours, 4):
            a = b = c = d = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                w, j = K[k], indices[k]
                a += w * x[j, s]
                b += w * x[j, s + 1]
                c += w * x[j, s + 2]
                d += w * x[j, s + 3]
            y[i, s], y[i, s + 1], y[i, s + 2], y[i, s + 3] = a, b, c, d
        for s in range(fours, m):
            a = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                a += K[k] * x[indices[k], s]
            y[i, s] = a


@njit(cache=True, fastmath=True)
def apply_place(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, B: Floats, x: Floats,
                y: Floats) -> None:
    """y = B x + diag(tau) K x / V."""
    n, m = x.shape
    multiply(indptr, indices, K, x, y)
    for i in range(n):
        inverse = 1.0 / V[i]
        for s in range(m):
            found = y[i, s] * tau[s] * inverse
            for r in range(m):
                found += B[i, s, r] * x[i, r]
            y[i, s] = found
