"""Aggregation multigrid for reactions and diffusion together, as a preconditioner.

The matrix of a place is B + diag(tau) K / V. Elements are grouped by the strength of their links;
a group is an element of the next level, whose blocks are the mean of its members' weighted by V and
whose stiffness is the sum. So the coarse matrix has the same form, for any step and any reactions,
and the groups are found once (Vanek, Mandel & Brezina 1996; unsmoothed, as in Notay 2010).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spatial.geometry.place import Floats
from spatial.integrate.blocks import apply_place, factor_blocks, solve_blocks

_SMALLEST = 40  # elements of the coarsest level
_DAMPING = 0.7  # of the block-Jacobi smoother
_OVERCORRECTION = 1.5  # of the coarse correction: piecewise constant groups are too stiff


@dataclass(frozen=True, eq=False)
class Level:
    """The geometry of one level: its stiffness, measure, and which element of the next each belongs to."""

    K: csr_matrix
    diagonal: Floats  # (n,) of K
    V: Floats  # (n,)
    group: NDArray[np.int32]  # (n,); empty on the coarsest level


def levels(K: csr_matrix, V: Floats) -> tuple[Level, ...]:
    """The hierarchy of a place, finest first."""
    from pyamg.aggregation import standard_aggregation
    from pyamg.strength import symmetric_strength_of_connection

    found = []
    while K.nnz and len(V) > _SMALLEST:
        groups = standard_aggregation(csr_matrix(symmetric_strength_of_connection(K, theta=0.02)))[0].tocsr()
        if groups.shape[1] == 0 or groups.shape[1] >= 0.9 * len(V):
            break
        lone = np.flatnonzero(np.diff(groups.indptr) == 0)  # elements without strong links join none
        group = np.zeros(len(V), np.int32)
        group[np.diff(groups.indptr) > 0] = groups.indices
        group[lone] = groups.shape[1] + np.arange(len(lone))
        found.append(Level(K, K.diagonal(), V, group))
        count = groups.shape[1] + len(lone)
        onto = csr_matrix((np.ones(len(V)), (group, np.arange(len(V)))), shape=(count, len(V)))
        K, V = csr_matrix(onto @ K @ onto.T), np.asarray(onto @ V)
    return (*found, Level(K, K.diagonal(), V, np.zeros(0, np.int32)))


@dataclass(frozen=True, eq=False)
class Cycle:
    """A V-cycle for one step's matrix of a place."""

    levels: tuple[Level, ...]
    tau: Floats
    B: tuple[Floats, ...]  # (n, m, m) on each level
    jacobi: tuple[Floats, ...]  # factors of the blocks on the diagonal, on each level
    coarsest: Floats | None  # inverse of the coarsest matrix; None where nothing is linked

    def __call__(self, r: Floats) -> Floats:
        """(n, m) approximate solution of the place's system for the right-hand side `r`."""
        return self._cycle(0, r)

    def _cycle(self, depth: int, r: Floats) -> Floats:
        level = self.levels[depth]
        if depth == len(self.levels) - 1:
            return self._solved(r)
        x = self._smoothed(depth, r)
        below = _gathered(level.group, level.V, self.levels[depth + 1].V, self._left(depth, r, x))
        x += _OVERCORRECTION * self._cycle(depth + 1, below)[level.group]
        x += self._smoothed(depth, self._left(depth, r, x))
        return x

    def _solved(self, r: Floats) -> Floats:
        """The solution on the coarsest level, where elements without links are solved one by one."""
        if self.coarsest is not None:
            return np.asarray((self.coarsest @ r.ravel()).reshape(r.shape))
        x = np.array(r)
        solve_blocks(self.jacobi[-1], x)
        return x

    def _smoothed(self, depth: int, r: Floats) -> Floats:
        x = _DAMPING * r
        solve_blocks(self.jacobi[depth], x)
        return x

    def _left(self, depth: int, r: Floats, x: Floats) -> Floats:
        """What `x` leaves of the right-hand side."""
        level, y = self.levels[depth], np.empty_like(x)
        apply_place(level.K.indptr, level.K.indices, level.K.data, level.V, self.tau, self.B[depth], x, y)
        return r - y


def cycle(hierarchy: tuple[Level, ...], tau: Floats, B: Floats) -> Cycle:
    """The V-cycle for the matrix B + diag(tau) K / V of a place."""
    blocks = [B]
    for level, below in pairwise(hierarchy):
        flat = _gathered(level.group, level.V, below.V, blocks[-1].reshape(len(level.V), -1))
        blocks.append(flat.reshape(len(below.V), *B.shape[1:]))
    jacobi = []
    for level, block in zip(hierarchy, blocks, strict=True):
        factors = block.copy()
        for s, t in enumerate(tau):
            factors[:, s, s] += t * level.diagonal / level.V
        factor_blocks(factors)
        jacobi.append(factors)
    coarsest = _inverse(hierarchy[-1], tau, blocks[-1]) if hierarchy[-1].K.nnz else None
    return Cycle(hierarchy, tau, tuple(blocks), tuple(jacobi), coarsest)


def _inverse(level: Level, tau: Floats, B: Floats) -> Floats:
    """The dense inverse of the coarsest level's matrix."""
    n, m, _ = B.shape
    matrix = np.zeros((n, m, n, m))
    matrix[np.arange(n), :, np.arange(n), :] = B
    stiff = level.K.toarray() / level.V[:, None]
    for s, t in enumerate(tau):
        matrix[:, s, :, s] += t * stiff
    return np.asarray(np.linalg.inv(matrix.reshape(n * m, n * m)), float)


@njit(cache=True)
def _gathered(group: NDArray[np.int32], V: Floats, coarse: Floats, r: Floats) -> Floats:
    """The mean of each group's rows of `r`, weighted by V."""
    found = np.zeros((len(coarse), r.shape[1]))
    for i in range(len(group)):
        for s in range(r.shape[1]):
            found[group[i], s] += V[i] * r[i, s]
    for a in range(len(coarse)):
        for s in range(r.shape[1]):
            found[a, s] /= coarse[a]
    return found
