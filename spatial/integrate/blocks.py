"""Compiled kernels on one place: (n, m) arrays of n elements and m species, dense blocks (n, m, m).

The sweeps over the stiffness matrix are compiled for each m, so that a row's sums stay in registers.
They may contract a * b + c but not reorder sums: a reordered sum is vectorised along the row, with
gathers that cost more than they save (118 125 elements, 4 species: 5.7 ms a sweep against 4.2 ms).
Differences between neighbours are summed, as in `operators.diffusion`.
Each works on the rows from `low` to `high`, for `Team` to share out, and gives up Python's lock.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem

from spatial.geometry.place import Floats
from spatial.operators.team import Team


class Sweeps(NamedTuple):
    """Sweeps with the matrix A = B + diag(tau) K / V of a place of m species."""

    times: Callable[..., None]  # y = A x
    left: Callable[..., None]  # y = b - A x
    relaxed: Callable[..., None]  # y = x + inverse (b - A x), with blocks `inverse` (n, m, m)
    product: Callable[..., None]  # y = inverse b
    onto: Callable[..., None]  # y = P x, or y += P x, with a sparse P of any shape


@cache
def sweeps(m: int) -> Sweeps:
    """The kernels for `m` species, compiled when first used."""
    zero: Any = (0.0,) * m
    compiled = njit(cache=True, nogil=True, fastmath={"contract"})

    @compiled
    def row(indptr, indices, K, V, tau, B, x, i):  # type: ignore[no-untyped-def]
        found = zero
        for k in range(indptr[i], indptr[i + 1]):
            w, j = K[k], indices[k]
            for s in range(m):
                found = tuple_setitem(found, s, found[s] + w * (x[j, s] - x[i, s]))
        inverse = 1.0 / V[i]
        for s in range(m):
            value = found[s] * tau[s] * inverse
            for r in range(m):
                value += B[i, s, r] * x[i, r]
            found = tuple_setitem(found, s, value)
        return found

    @compiled
    def times(indptr, indices, K, V, tau, B, x, y, low, high):  # type: ignore[no-untyped-def]
        for i in range(low, high):
            found = row(indptr, indices, K, V, tau, B, x, i)
            for s in range(m):
                y[i, s] = found[s]

    @compiled
    def left(indptr, indices, K, V, tau, B, b, x, y, low, high):  # type: ignore[no-untyped-def]
        for i in range(low, high):
            found = row(indptr, indices, K, V, tau, B, x, i)
            for s in range(m):
                y[i, s] = b[i, s] - found[s]

    @compiled
    def relaxed(indptr, indices, K, V, tau, B, inverse, b, x, y, low, high):  # type: ignore[no-untyped-def]
        for i in range(low, high):
            found = row(indptr, indices, K, V, tau, B, x, i)
            for s in range(m):
                value = x[i, s]
                for r in range(m):
                    value += inverse[i, s, r] * (b[i, r] - found[r])
                y[i, s] = value

    @compiled
    def product(inverse, b, y, low, high):  # type: ignore[no-untyped-def]
        for i in range(low, high):
            for s in range(m):
                found = 0.0
                for r in range(m):
                    found += inverse[i, s, r] * b[i, r]
                y[i, s] = found

    @compiled
    def onto(indptr, indices, P, x, y, add, low, high):  # type: ignore[no-untyped-def]
        for i in range(low, high):
            found = zero
            for k in range(indptr[i], indptr[i + 1]):
                for s in range(m):
                    found = tuple_setitem(found, s, found[s] + P[k] * x[indices[k], s])
            for s in range(m):
                y[i, s] = y[i, s] + found[s] if add else found[s]

    return Sweeps(times, left, relaxed, product, onto)


@njit(cache=True, nogil=True)
def factor_blocks(blocks: Floats, low: int, high: int) -> None:
    """Factor (n, m, m) blocks in place into L and U, without pivoting: they are near diagonally dominant."""
    m = blocks.shape[1]
    for e in range(low, high):
        for k in range(m):
            for i in range(k + 1, m):
                if blocks[e, i, k] != 0.0:
                    blocks[e, i, k] /= blocks[e, k, k]
                    for j in range(k + 1, m):
                        blocks[e, i, j] -= blocks[e, i, k] * blocks[e, k, j]


@njit(cache=True, nogil=True)
def invert_blocks(blocks: Floats, inverse: Floats, low: int, high: int) -> None:
    """Write the inverses of (n, m, m) blocks into `inverse`; the blocks are left factored."""
    m = blocks.shape[1]
    factor_blocks(blocks, low, high)
    column = np.empty(m)
    for e in range(low, high):
        for c in range(m):
            for i in range(m):
                column[i] = 1.0 if i == c else 0.0
                for j in range(i):
                    column[i] -= blocks[e, i, j] * column[j]
            for i in range(m - 1, -1, -1):
                for j in range(i + 1, m):
                    column[i] -= blocks[e, i, j] * column[j]
                column[i] /= blocks[e, i, i]
            for i in range(m):
                inverse[e, i, c] = column[i]


def inverse_blocks(blocks: Floats, team: Team) -> Floats:
    """(n, m, m) inverses of the blocks."""
    found = np.empty_like(blocks)
    team(invert_blocks, len(blocks), blocks.copy(), found)
    return found
