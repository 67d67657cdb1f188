"""Diffusion of all species of a place in one compiled sweep: over its stiffness matrix, or over a grid's bands.

Differences between neighbours are summed, not products with a diagonal: what one element loses is then
what the other gains to the last digit, and an even field does not drift by the rounding of row sums.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem
from scipy.sparse import coo_matrix, csr_matrix

from spatial.geometry.place import Floats, Ints, Place

_MOST_BANDS = 3  # a grid has one for each axis
_CHUNK = 4096  # elements whose sums stay in the cache


def stiffness(place: Place) -> csr_matrix:
    """(n, n) matrix K [um]: the amount per second that leaves each element is D * (K @ c).

    Symmetric, rows sum to zero: diffusion moves matter and makes none.
    """
    (i, j), t = place.links.T, place.transmissibility
    n = len(place)
    rows, columns = np.r_[i, j, i, j], np.r_[j, i, i, j]
    return csr_matrix(coo_matrix((np.r_[-t, -t, t, t], (rows, columns)), shape=(n, n)))


def fluxes(place: Place, concentration: Floats, D: float) -> Floats:
    """(m,) flux through each link [uM um^3/s], positive from links[:, 0] to links[:, 1]."""
    i, j = place.links.T
    return D * place.transmissibility * (concentration[i] - concentration[j])


def rows(K: csr_matrix) -> tuple[Any, Any, Any]:
    """What kernels take of a sparse matrix: where rows begin, the columns, and the entries.

    The indices are unsigned: for signed ones the compiled code would also allow for -1, the last
    (100^3 bricks, one species: 22 ms a sweep against 9 ms).
    """
    return K.indptr.view(np.uint32), K.indices.view(np.uint32), K.data


def zeros(m: int) -> tuple[float, ...]:
    """m zeros: what a kernel for m species starts its sums from, and by whose type it is compiled for m.

    (Kernels made by a function of m would not find each other in numba's cache, and be compiled in every run.)
    """
    return (0.0,) * m


@njit(cache=True, nogil=True, fastmath={"contract"})
def spread(zero, indptr, indices, K, V, D, c, gain, low, high):  # type: ignore[no-untyped-def]
    """Add -D K c / V to the (n, m) gain of m species, in the rows from low to high; `zero` is `zeros(m)`."""
    for i in range(low, high):
        found = zero
        for k in range(indptr[i], indptr[i + 1]):
            w, j = K[k], indices[k]
            for s in range(len(zero)):
                found = tuple_setitem(found, s, found[s] + w * (c[j, s] - c[i, s]))
        for s in range(len(zero)):
            gain[i, s] -= D[s] * found[s] / V[i]


@dataclass(frozen=True, eq=False)
class Bands:
    """Links between elements whose numbers differ by one of a few constants, as those of a grid do."""

    apart: Ints  # (k,) the constants
    across: Floats  # (k, n) transmissibility from each element to the one so far after it, 0 where there is none


def bands(place: Place) -> Bands | None:
    """The links of a place as bands: a sweep then reads no index. None where they are not so regular."""
    if len(place.links) == 0:
        return None
    low, high = place.links.min(axis=1), place.links.max(axis=1)
    apart = np.unique(high - low)
    if len(apart) > _MOST_BANDS:
        return None
    across = np.zeros((len(apart), len(place)))
    np.add.at(across, (np.searchsorted(apart, high - low), low), place.transmissibility)
    return Bands(apart, across)


@njit(cache=True, nogil=True, fastmath=True)
def spread_along(apart: Ints, across: Floats, V: Floats, D: Floats, c: Floats, gain: Floats,
                 low: int, high: int) -> None:
    """Add -D K c / V to the (n, 1) gain of one species, through bands, in the rows from low to high.

    Chunk by chunk, so that what a band leaves is in the cache for the next.
    """
    n = len(c)
    flow = np.empty(_CHUNK)
    for start in range(low, high, _CHUNK):
        size = min(_CHUNK, high - start)
        flow[:size] = 0.0
        for b in range(len(apart)):
            a = apart[b]
            onward = max(0, min(size, n - a - start))
            _add(flow[:onward], across[b, start:], c[start + a:, 0], c[start:, 0])
            skipped = min(size, max(0, a - start))
            first = start + skipped
            _add(flow[skipped:size], across[b, first - a:], c[first - a:, 0], c[first:, 0])
        for i in range(size):
            gain[start + i, 0] += D[0] * flow[i] / V[start + i]


@njit(cache=True, nogil=True, fastmath=True)
def _add(flow: Floats, across: Floats, there: Floats, here: Floats) -> None:
    for i in range(len(flow)):
        flow[i] += across[i] * (there[i] - here[i])
