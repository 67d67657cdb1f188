"""Compiled kernels on one place: (n, m) arrays of n elements and m species, dense blocks (n, m, m).

The sweeps are with the matrix A = B + diag(tau) K / V of a place of m species. They begin with `zero`, m zeros
(`_engine.operators.diffusion.zeros`): its type tells the compiler what m is, so that a row's sums stay in registers.
They may contract a * b + c but not reorder sums: a reordered sum is vectorised along the row, with
gathers that cost more than they save (118 125 elements, 4 species: 5.7 ms a sweep against 4.2 ms).
Differences between neighbours are summed, as in `_engine.operators.diffusion`.
Each works on the rows from `low` to `high`, for `Team` to share out, and gives up Python's lock.
"""

import numpy as np
from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem

from spatial._engine.operators.team import Team
from spatial.geometry.place import Floats

_compiled = njit(cache=True, nogil=True, fastmath={"contract"})


@_compiled
def _row(zero, indptr, indices, K, V, tau, B, x, i):  # type: ignore[no-untyped-def]
    """Row i of A x."""
    found = zero
    for k in range(indptr[i], indptr[i + 1]):
        w, j = K[k], indices[k]
        for s in range(len(zero)):
            found = tuple_setitem(found, s, found[s] + w * (x[j, s] - x[i, s]))
    inverse = 1.0 / V[i]
    for s in range(len(zero)):
        value = found[s] * tau[s] * inverse
        for r in range(len(zero)):
            value += B[i, s, r] * x[i, r]
        found = tuple_setitem(found, s, value)
    return found


@_compiled
def times(zero, indptr, indices, K, V, tau, B, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = A x."""
    for i in range(low, high):
        found = _row(zero, indptr, indices, K, V, tau, B, x, i)
        for s in range(len(zero)):
            y[i, s] = found[s]


@_compiled
def left(zero, indptr, indices, K, V, tau, B, b, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = b - A x."""
    for i in range(low, high):
        found = _row(zero, indptr, indices, K, V, tau, B, x, i)
        for s in range(len(zero)):
            y[i, s] = b[i, s] - found[s]


@_compiled
def relaxed(zero, indptr, indices, K, V, tau, B, inverse, b, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = x + inverse (b - A x), with blocks `inverse` (n, m, m)."""
    for i in range(low, high):
        found = _row(zero, indptr, indices, K, V, tau, B, x, i)
        for s in range(len(zero)):
            value = x[i, s]
            for r in range(len(zero)):
                value += inverse[i, s, r] * (b[i, r] - found[r])
            y[i, s] = value


@_compiled
def product(zero, inverse, b, y, low, high):  # type: ignore[no-untyped-def]
    """y = inverse b."""
    for i in range(low, high):
        for s in range(len(zero)):
            found = 0.0
            for r in range(len(zero)):
                found += inverse[i, s, r] * b[i, r]
            y[i, s] = found


@_compiled
def onto(zero, indptr, indices, P, x, y, add, low, high):  # type: ignore[no-untyped-def]
    """y = P x, or y += P x, with a sparse P of any shape."""
    for i in range(low, high):
        found = zero
        for k in range(indptr[i], indptr[i + 1]):
            for s in range(len(zero)):
                found = tuple_setitem(found, s, found[s] + P[k] * x[indices[k], s])
        for s in range(len(zero)):
            y[i, s] = y[i, s] + found[s] if add else found[s]


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
    for e in range(low, high):
        block, found = blocks[e], inverse[e]
        for i in range(m):
            for c in range(m):
                found[i, c] = 1.0 if i == c else 0.0
            for j in range(i):
                _take(block[i, j], found[j], found[i])
        for i in range(m - 1, -1, -1):
            for j in range(i + 1, m):
                _take(block[i, j], found[j], found[i])
            for c in range(m):
                found[i, c] /= block[i, i]


@njit(cache=True, nogil=True)
def _take(part: float, row: Floats, of: Floats) -> None:
    """of -= part row; blocks of reactions are mostly zeros."""
    if part != 0.0:
        for c in range(len(row)):
            of[c] -= part * row[c]


def inverse_blocks(blocks: Floats, team: Team) -> Floats:
    """(n, m, m) inverses of the blocks."""
    found = np.empty_like(blocks)
    team(invert_blocks, len(blocks), blocks.copy(), found)
    return found
