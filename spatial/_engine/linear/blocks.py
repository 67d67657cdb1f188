"""Compiled kernels on one place: (n, m) arrays of n elements and m species, dense blocks (n, m, m).

The sweeps are with the matrix A = B + diag(tau) K / V of a place of m species. They begin with `zero`, m zeros
(`_engine.operators.diffusion.zeros`): its type tells the compiler what m is, so that a row's sums stay in registers.
They may contract a * b + c but not reorder sums: a reordered sum is vectorised along the row, with
gathers that cost more than they save (118 125 elements, 4 species: 5.7 ms a sweep against 4.2 ms).
Differences between neighbours are summed, as in `_engine.operators.diffusion`.
Each works on the rows from `low` to `high`, for `Team` to share out, and gives up Python's lock.
"""

from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem

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


@_compiled
def _invert(zero, block):  # type: ignore[no-untyped-def]
    """Invert an (m, m) block in place (Gauss-Jordan), without pivoting: it is near diagonally dominant.

    Blocks of reactions are mostly zeros, which cost nothing.
    """
    for k in range(len(zero)):
        pivot = 1.0 / block[k, k]
        block[k, k] = 1.0
        for c in range(len(zero)):
            block[k, c] *= pivot
        for i in range(len(zero)):
            part = block[i, k]
            if i != k and part != 0.0:
                block[i, k] = 0.0
                for c in range(len(zero)):
                    block[i, c] -= part * block[k, c]


@_compiled
def smoothers(zero, blocks, tau, diagonal, V, damping, inverse, low, high):  # type: ignore[no-untyped-def]
    """inverse = damping times the inverses of the blocks on the diagonal of A: B + diag(tau) diagonal / V."""
    for e in range(low, high):
        found, stiff = inverse[e], diagonal[e] / V[e]
        for s in range(len(zero)):
            for r in range(len(zero)):
                found[s, r] = blocks[e, s, r]
            found[s, s] += tau[s] * stiff
        _invert(zero, found)
        for s in range(len(zero)):
            for r in range(len(zero)):
                found[s, r] *= damping


@_compiled
def eliminated(zero, none, moving, still, B, inverse, above, below, reduced, low, high):  # type: ignore[no-untyped-def]
    """What `place_matrix.Still` holds of B, and what remains of it; `none` is `zeros` of the number of still species.

    The species `moving` remain, as many as `zero` has zeros.
    """
    for e in range(low, high):
        found = inverse[e]
        for c in range(len(none)):
            for d in range(len(none)):
                found[c, d] = B[e, still[c], still[d]]
        _invert(none, found)
        for a in range(len(zero)):
            for c in range(len(none)):
                value = 0.0
                for d in range(len(none)):
                    value += B[e, moving[a], still[d]] * found[d, c]
                above[e, a, c] = value
        for c in range(len(none)):
            for a in range(len(zero)):
                value = 0.0
                for d in range(len(none)):
                    value += found[c, d] * B[e, still[d], moving[a]]
                below[e, c, a] = value
        for a in range(len(zero)):
            for b in range(len(zero)):
                value = B[e, moving[a], moving[b]]
                for c in range(len(none)):
                    value -= above[e, a, c] * B[e, still[c], moving[b]]
                reduced[e, a, b] = value
