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
def apply_place(indptr: Index, indices: Index, K: Floats, V: Floats, tau: Floats, B: Floats, x: Floats,
                y: Floats) -> None:
    """y = B x + diag(tau) K x / V."""
    n, m = x.shape
    for i in range(n):
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
