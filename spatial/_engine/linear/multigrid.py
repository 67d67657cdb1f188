"""Smoothed-aggregation multigrid for reactions and diffusion together, as a preconditioner.

The matrix of a place is B + diag(tau) K / V. Elements are grouped by the strength of their links, and
a group's piecewise constant correction is smoothed once by diffusion (Vanek, Mandel & Brezina 1996).
The stiffness of the next level is the Galerkin product, its measure and its blocks are means, so the
coarse matrix has the same form for any step and any reactions, and all of the geometry is found once.
(Single precision was tried for it: the same time, since the kernels compute rather than wait for memory.)
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from spatial._engine.linear.blocks import left, onto, product, relaxed, smoothers
from spatial._engine.operators.diffusion import rows
from spatial._engine.operators.registers import sums, zeros
from spatial._engine.operators.team import Team
from spatial.geometry.place import Floats

_SMALLEST = 40  # elements of the coarsest level
_DAMPING = 4.0 / 3.0  # of Jacobi sweeps and of the smoothed correction, over the largest eigenvalue of K / diagonal
_POWERS = 15  # of K / diagonal, to find that eigenvalue
_LEAST_MEASURE = 0.1  # of the sum over its group: wrong-sign links could take more from an element


@dataclass(frozen=True, eq=False)
class Level:
    """The geometry of one level, and the way to the next coarser one (nowhere, on the coarsest)."""

    K: csr_matrix
    diagonal: Floats  # (n,) of K
    damping: float
    V: Floats  # (n,)
    up: csr_matrix  # (n, coarse) P, from a coarse correction to this level
    down: csr_matrix  # (coarse, n) means weighted by V: P^T V / coarse V


def levels(K: csr_matrix, V: Floats) -> tuple[Level, ...]:
    """The hierarchy of a place, finest first."""
    found = []
    while K.nnz and len(V) > _SMALLEST:
        groups = _groups(K)
        if groups.shape[1] >= 0.9 * len(V):
            break
        diagonal = K.diagonal()
        damping = _DAMPING / _largest_eigenvalue(K, diagonal)
        inverse = np.divide(damping, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        up = csr_matrix(groups - diags_array(inverse) @ (K @ groups))
        coarse = np.maximum(up.T @ V, _LEAST_MEASURE * (groups.T @ V))
        down = csr_matrix(diags_array(1.0 / coarse) @ up.T @ diags_array(V))
        found.append(Level(K, diagonal, damping, V, up, down))
        K, V = csr_matrix(up.T @ K @ up), np.asarray(coarse)
    nowhere = csr_matrix((len(V), 0))
    return (*found, Level(K, K.diagonal(), 1.0, V, nowhere, csr_matrix(nowhere.T)))


def _largest_eigenvalue(K: csr_matrix, diagonal: Floats) -> float:
    """That of K / diagonal, by power iteration from a fixed vector, and a little more to be safe."""
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    x = np.cos(np.arange(1.0, len(diagonal) + 1) ** 2)
    for _ in range(_POWERS):
        y = inverse * (K @ x)
        found = float(np.linalg.norm(y) / np.linalg.norm(x))
        x = y / np.linalg.norm(y)
    return 1.1 * found


def _groups(K: csr_matrix) -> csr_matrix:
    """(n, groups) 1 where an element belongs to a group; elements without strong links are groups of their own."""
    from pyamg.aggregation import standard_aggregation
    from pyamg.strength import symmetric_strength_of_connection

    found = standard_aggregation(csr_matrix(symmetric_strength_of_connection(K, theta=0.02)))[0].tocsr()
    n, count = found.shape
    grouped = np.diff(found.indptr) > 0
    group = np.empty(n, np.int32)
    group[grouped] = found.indices
    group[~grouped] = count + np.arange(n - grouped.sum())
    return csr_matrix((np.ones(n), (np.arange(n), group)))


@dataclass(frozen=True, eq=False)
class Cycle:
    """A V-cycle for one step's matrix of a place."""

    levels: tuple[Level, ...]
    tau: Floats
    B: tuple[Floats, ...]  # (n, m, m) on each level but the last, by source
    smoother: tuple[Floats, ...]  # damped inverses of the blocks on the diagonal, likewise
    coarsest: Floats  # inverse of the coarsest matrix, or of each of its blocks where grouping found no more
    team: Team

    def __call__(self, b: Floats) -> Floats:
        """(n, m) approximate solution of the place's system for the right-hand side `b`."""
        return self._cycle(0, b)

    def _cycle(self, depth: int, b: Floats) -> Floats:
        if depth == len(self.levels) - 1:
            return self._solved(b)
        level, team, n, zero = self.levels[depth], self.team, len(b), sums(len(self.tau))
        matrix = (*rows(level.K), level.V, self.tau, self.B[depth])
        smoother = self.smoother[depth]
        x, y, coarse = np.empty_like(b), np.empty_like(b), np.empty((level.up.shape[1], b.shape[1]))
        team(product, n, zero, smoother, b, x)
        team(left, n, zero, *matrix, b, x, y)
        team(onto, len(coarse), zero, *rows(level.down), y, coarse, False)
        below = self._cycle(depth + 1, coarse)
        team(onto, n, zero, *rows(level.up), below, x, True)
        team(relaxed, n, zero, *matrix, smoother, b, x, y)
        return y

    def _solved(self, b: Floats) -> Floats:
        """The solution on the coarsest level."""
        if self.coarsest.ndim == 2:
            return np.asarray((self.coarsest @ b.ravel()).reshape(b.shape))
        x = np.empty_like(b)
        self.team(product, len(b), sums(len(self.tau)), self.coarsest, b, x)
        return x


def cycle(hierarchy: tuple[Level, ...], tau: Floats, B: Floats, team: Team) -> Cycle:
    """The V-cycle for the matrix B + diag(tau) K / V of a place; B is stored by source."""
    blocks = [B]
    for level, below in pairwise(hierarchy):
        mean = level.down @ blocks[-1].reshape(len(level.V), -1)
        blocks.append(np.asarray(mean.reshape(len(below.V), *B.shape[1:])))
    smoother = tuple(_smoother(level, tau, block, team) for level, block in zip(hierarchy, blocks, strict=True))
    last, reactions = hierarchy[-1], blocks[-1]
    small = len(last.V) <= _SMALLEST and last.K.nnz
    coarsest = _inverse(last, tau, reactions) if small else smoother[-1]
    return Cycle(hierarchy, tau, tuple(blocks[:-1]), smoother[:-1], coarsest, team)


def _smoother(level: Level, tau: Floats, B: Floats, team: Team) -> Floats:
    """(n, m, m) damped inverses of the blocks on the diagonal of the matrix."""
    found = np.empty(B.shape)
    team(smoothers, len(B), zeros(len(tau)), B, tau, level.diagonal, level.V, level.damping, found)
    return found


def _inverse(level: Level, tau: Floats, B: Floats) -> Floats:
    """The dense inverse of the coarsest level's matrix."""
    n, m, _ = B.shape
    matrix = np.zeros((n, m, n, m))
    matrix[np.arange(n), :, np.arange(n), :] = B.transpose(0, 2, 1)
    stiff = level.K.toarray() / level.V[:, None]
    for s, t in enumerate(tau):
        matrix[:, s, :, s] += t * stiff
    return np.asarray(np.linalg.inv(matrix.reshape(n * m, n * m)), float)
