"""Diffusion of all species of a place in one compiled sweep: over its stiffness matrix, or over a grid's bands.

Differences between neighbours are summed, not products with a diagonal: what one element loses is then
what the other gains to the last digit, and an even field does not drift by the rounding of row sums.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from spatial._engine.operators.registers import put, room
from spatial.compiled import compiled
from spatial.geometry.place import Floats, Ints, Place

_MOST_BANDS = 3  # a grid has one for each axis
_ROUNDING = 1e-12  # relative: bricks that differ by so little were meant to be alike
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


@compiled(nogil=True, fastmath={"contract"})
def spread(zero, indptr, indices, K, V, D, c, gain, low, high):  # type: ignore[no-untyped-def]
    """Add -D K c / V to the (n, m) gain of m species, in the rows from low to high; `zero` is `zeros(m)`."""
    here, found = room(zero), room(zero)
    for i in range(low, high):
        for s in range(len(zero)):
            here = put(here, s, c[i, s])
            found = put(found, s, 0.0)
        for k in range(indptr[i], indptr[i + 1]):
            w, j = K[k], indices[k]
            for s in range(len(zero)):
                found = put(found, s, found[s] + w * (c[j, s] - here[s]))
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


@dataclass(frozen=True, eq=False)
class Even:
    """A full box of bricks that are all alike: nothing needs to be read of them."""

    shape: tuple[int, int, int]  # bricks along x, y and z; z varies fastest
    exchange: Floats  # (3,) transmissibility along x, y and z, over the measure [1/um^2]


def even(place: Place, along: Bands) -> Even | None:
    """The place as an even grid; None where bricks or links differ by more than rounding, or one is missing.

    Its strides tell its shape: a band that joins neighbours along z is 1 apart, along y a row, along x a layer.
    """
    n, strides = len(place), along.apart.tolist()
    lengths = [after // stride for stride, after in zip(strides, [*strides[1:], n], strict=True)]
    if strides[0] != 1 or math.prod(lengths) != n or not _constant(place.measure):
        return None
    exchange = np.zeros(_MOST_BANDS)
    for k, (stride, length) in enumerate(zip(strides, lengths, strict=True)):
        linked = np.arange(n) // stride % length < length - 1
        across = along.across[k]
        if across[~linked].any() or not _constant(across[linked]):
            return None
        exchange[-1 - k] = across[linked].mean() / place.measure.mean()
    x, y, z = [1] * (_MOST_BANDS - len(lengths)) + lengths[::-1]
    return Even((x, y, z), exchange)


def _constant(values: Floats) -> bool:
    """Whether these are positive and the same but for rounding."""
    return bool(len(values) and 0.0 < values.max() <= values.min() * (1.0 + _ROUNDING))


@compiled(nogil=True, fastmath=True)
def spread_evenly(shape: tuple[int, int, int], exchange: Floats, D: Floats, c: Floats, gain: Floats,
                  low: int, high: int) -> None:
    """Add -D K c / V to the gain of m species on an even grid; both are flat, brick after brick, m values in each.

    In the rows along z from low to high. Beyond a sealed face a row stands for its own neighbour.
    """
    m, width = len(D), shape[1]
    length = shape[2] * m
    layer = width * length
    speed = np.empty(length)
    for j in range(length):
        speed[j] = D[j % m]
    for row in range(low, high):
        start, x, y = row * length, row // width, row % width
        here = c[start:start + length]
        left = c[start - layer:start - layer + length] if x > 0 else here
        right = c[start + layer:start + layer + length] if x < shape[0] - 1 else here
        front = c[start - length:start] if y > 0 else here
        back = c[start + length:start + 2 * length] if y < width - 1 else here
        found = gain[start:start + length]
        for j in range(length):
            found[j] += speed[j] * (exchange[0] * ((left[j] - here[j]) + (right[j] - here[j]))
                                    + exchange[1] * ((front[j] - here[j]) + (back[j] - here[j])))
        _along_row(found[m:], here[:length - m], here[m:], speed[m:], exchange[2])
        _along_row(found[:length - m], here[m:], here[:length - m], speed[m:], exchange[2])


@compiled(nogil=True, fastmath=True)
def _along_row(found: Floats, there: Floats, here: Floats, speed: Floats, exchange: float) -> None:
    for j in range(len(found)):
        found[j] += speed[j] * exchange * (there[j] - here[j])


@compiled(nogil=True, fastmath=True)
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


@compiled(nogil=True, fastmath=True)
def _add(flow: Floats, across: Floats, there: Floats, here: Floats) -> None:
    for i in range(len(flow)):
        flow[i] += across[i] * (there[i] - here[i])
