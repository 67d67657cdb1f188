"""Compiled kernels on one place: (n, m) arrays of n elements and m species, dense blocks (n, m, m).

The sweeps are with the matrix A = B + diag(tau) K / V of a place of m species. Blocks are stored by source: B[e, r, s]
is the entry of row s and column r, so that what one species gives to all lies together. Kernels begin with `zero`, m
zeros (`_engine.operators.registers`): a tuple tells the compiler what m is, so that a row's sums and values stay in
registers; sweeps for many species take an array, since registers would not hold them.
They may contract a * b + c but not reorder sums: a reordered sum is vectorised along the row, with
gathers that cost more than they save (118 125 elements, 4 species: 5.7 ms a sweep against 4.2 ms).
Differences between neighbours are summed, as in `_engine.operators.diffusion`.
Each works on the rows from `low` to `high`, for `Team` to share out, and gives up Python's lock.
"""


from spatial._engine.operators.registers import put, room
from spatial.compiled import compiled

_compiled = compiled(nogil=True, fastmath={"contract"})
_inlined = compiled(nogil=True, fastmath={"contract"}, inline="always")


@_inlined
def _row(zero, here, found, indptr, indices, K, V, tau, B, x, i):  # type: ignore[no-untyped-def]
    """Row i of A x; `here` is x[i], and `found` has room for the row."""
    for s in range(len(zero)):
        found = put(found, s, 0.0)
    for k in range(indptr[i], indptr[i + 1]):
        w, j = K[k], indices[k]
        for s in range(len(zero)):
            found = put(found, s, found[s] + w * (x[j, s] - here[s]))
    inverse = 1.0 / V[i]
    for s in range(len(zero)):
        found = put(found, s, found[s] * tau[s] * inverse)
    for r in range(len(zero)):
        for s in range(len(zero)):
            found = put(found, s, found[s] + B[i, r, s] * here[r])
    return found


@_inlined
def _loaded(zero, here, x, i):  # type: ignore[no-untyped-def]
    """x[i], in the room of `here`."""
    for s in range(len(zero)):
        here = put(here, s, x[i, s])
    return here


@_compiled
def times(zero, indptr, indices, K, V, tau, B, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = A x."""
    here, found = room(zero), room(zero)
    for i in range(low, high):
        here = _loaded(zero, here, x, i)
        found = _row(zero, here, found, indptr, indices, K, V, tau, B, x, i)
        for s in range(len(zero)):
            y[i, s] = found[s]


@_compiled
def left(zero, indptr, indices, K, V, tau, B, b, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = b - A x."""
    here, found = room(zero), room(zero)
    for i in range(low, high):
        here = _loaded(zero, here, x, i)
        found = _row(zero, here, found, indptr, indices, K, V, tau, B, x, i)
        for s in range(len(zero)):
            y[i, s] = b[i, s] - found[s]


@_compiled
def relaxed(zero, indptr, indices, K, V, tau, B, inverse, b, x, y, low, high):  # type: ignore[no-untyped-def]
    """y = x + inverse (b - A x), with blocks `inverse` (n, m, m) by source."""
    here, found = room(zero), room(zero)
    for i in range(low, high):
        here = _loaded(zero, here, x, i)
        found = _row(zero, here, found, indptr, indices, K, V, tau, B, x, i)
        for r in range(len(zero)):
            missing = b[i, r] - found[r]
            for s in range(len(zero)):
                here = put(here, s, here[s] + inverse[i, r, s] * missing)
        for s in range(len(zero)):
            y[i, s] = here[s]


@_compiled
def product(zero, inverse, b, y, low, high):  # type: ignore[no-untyped-def]
    """y = inverse b, with blocks `inverse` by source."""
    found = room(zero)
    for i in range(low, high):
        for s in range(len(zero)):
            found = put(found, s, 0.0)
        for r in range(len(zero)):
            value = b[i, r]
            for s in range(len(zero)):
                found = put(found, s, found[s] + inverse[i, r, s] * value)
        for s in range(len(zero)):
            y[i, s] = found[s]


@_compiled
def onto(zero, indptr, indices, P, x, y, add, low, high):  # type: ignore[no-untyped-def]
    """y = P x, or y += P x, with a sparse P of any shape."""
    found = room(zero)
    for i in range(low, high):
        for s in range(len(zero)):
            found = put(found, s, 0.0)
        for k in range(indptr[i], indptr[i + 1]):
            w, j = P[k], indices[k]
            for s in range(len(zero)):
                found = put(found, s, found[s] + w * x[j, s])
        for s in range(len(zero)):
            y[i, s] = y[i, s] + found[s] if add else found[s]


@compiled(nogil=True)
def received(first, indptr, indices, flow, x, r, y, low, high):  # type: ignore[no-untyped-def]
    """y = r + flow x for the rows of a sparse flow from `first` on, one after the other; y begins with that row."""
    for i in range(low, high):
        row = first + i
        found = 0.0
        for k in range(indptr[row], indptr[row + 1]):
            found += flow[k] * x[indices[k]]
        y[i] = r[row] + found


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
def by_source(zero, J, h, B, low, high):  # type: ignore[no-untyped-def]
    """B = 1 - h J, stored by source; J is stored by target."""
    for e in range(low, high):
        for r in range(len(zero)):
            for s in range(len(zero)):
                B[e, r, s] = -h * J[e, s, r]
            B[e, r, r] += 1.0


@_compiled
def eliminated(zero, none, moving, still, B, inverse, above, below, reduced, low, high):  # type: ignore[no-untyped-def]
    """What `place_matrix.Still` holds of B, and what remains of it; `none` is `zeros` of the number of still species.

    The species `moving` remain, as many as `zero` has zeros. B and what remains of it are stored by source.
    """
    for e in range(low, high):
        found = inverse[e]
        for c in range(len(none)):
            for d in range(len(none)):
                found[c, d] = B[e, still[d], still[c]]
        _invert(none, found)
        for a in range(len(zero)):
            for c in range(len(none)):
                value = 0.0
                for d in range(len(none)):
                    value += B[e, still[d], moving[a]] * found[d, c]
                above[e, a, c] = value
        for c in range(len(none)):
            for a in range(len(zero)):
                value = 0.0
                for d in range(len(none)):
                    value += found[c, d] * B[e, moving[a], still[d]]
                below[e, c, a] = value
        for a in range(len(zero)):
            for b in range(len(zero)):
                value = B[e, moving[b], moving[a]]
                for c in range(len(none)):
                    value -= above[e, a, c] * B[e, moving[b], still[c]]
                reduced[e, b, a] = value
