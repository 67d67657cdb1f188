"""1 - h J within one place: all its species at once, its stiffness matrix read once a sweep.

Arrays are (n, m): n elements, m species. The matrix is B + diag(tau) K / V, with dense blocks B
(n, m, m) from the reactions, K (n, n) sparse, V the measure and tau (m,) um^2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial._engine.linear.blocks import by_source, eliminated, times
from spatial._engine.linear.multigrid import Cycle, Level, cycle
from spatial._engine.operators.diffusion import rows
from spatial._engine.operators.registers import sums, zeros
from spatial._engine.operators.team import Team
from spatial.compiled import compiled
from spatial.geometry.place import Floats

_RELATIVE, _LEAST = 5e-2, 1e-6  # of the solution, and of what is allowed
Columns = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Still:
    """The species that do not diffuse, eliminated element by element so that multigrid sees the others only."""

    moving: Columns  # columns of the species that diffuse
    still: Columns  # columns of those that do not
    inverse: Floats  # (n, still, still) of B among the still
    above: Floats  # (n, moving, still): B from the still to the moving, times the inverse
    below: Floats  # (n, still, moving): the inverse, times B from the moving to the still


@dataclass(frozen=True, eq=False)
class PlaceMatrix:
    """B + diag(tau) K / V, ready to multiply and to solve with."""

    level: Level
    tau: Floats  # (m,) um^2
    B: Floats  # (n, m, m), by source
    reacts: bool
    still: Still
    cycle: Cycle  # for the species that diffuse
    allowed: Floats  # (m,) L2 error, averaged over the place, that a solution may have in each species
    team: Team

    @property
    def V(self) -> Floats:
        """(n,) the measure."""
        return self.level.V

    @property
    def acts(self) -> bool:
        """Whether this differs from the identity."""
        return self.reacts or bool(self.level.K.nnz and self.tau.any())

    def times(self, x: Floats, y: Floats) -> None:
        """Write the product with `x` into `y`, both (n, m)."""
        self.team(times, len(x), sums(len(self.tau)), *rows(self.level.K), self.V, self.tau, self.B, x, y)

    def enough(self, rough: Floats) -> Floats:
        """(m,) residual to leave in each species, as the root of sum V r^2, given a rough solution (n, m).

        No more than is allowed, and small beside the solution itself, so that what decays keeps its sign.
        """
        size, allowed = np.sqrt(self.V @ rough**2), self.allowed * np.sqrt(self.V.sum())
        return np.maximum(np.minimum(allowed, _RELATIVE * size), _LEAST * allowed)

    def precondition(self, r: Floats, x: Floats) -> None:
        """Write an approximate solution for the right-hand side `r` into `x`, both (n, m)."""
        of, n = self.still, len(r)
        if len(of.still) == 0:
            x[:] = self.cycle(r)
            return
        reduced = np.empty((n, len(of.moving)))
        self.team(_reduced, n, of.moving, of.still, of.above, r, reduced)
        solved = self.cycle(reduced) if len(of.moving) else reduced
        self.team(_completed, n, of.moving, of.still, of.inverse, of.below, r, solved, x)

    def smooth(self, b: Floats) -> Floats:
        """(n, m) rough solution with 1 + diag(tau) K / V alone, with sum V x = sum V b to rounding.

        What a Jacobi sweep leaves of the amount is spread in proportion to |x|.
        """
        if not self.level.K.nnz:
            return b
        x = b / (1.0 + np.outer(self.level.diagonal / self.V, self.tau))
        missing, size = self.V @ (b - x), np.abs(x)
        held = self.V @ size
        return np.asarray(x + size * np.divide(missing, held, out=np.zeros_like(missing), where=held > 0))


def place_matrix(hierarchy: tuple[Level, ...], D: Floats, J: Floats, h: float, allowed: Floats,
                 team: Team) -> PlaceMatrix:
    """1 - h (J - diag(D) K / V), where J (n, m, m) holds the reactions' blocks and D (m,) is in um^2/s.

    `allowed` (m,) is what a solution may err.
    """
    tau, B = h * D, np.empty(J.shape)
    team(by_source, len(B), zeros(len(D)), J, h, B)
    still, reduced = _eliminated(B, np.flatnonzero(D), np.flatnonzero(D == 0), team)
    return PlaceMatrix(hierarchy[0], tau, B, bool(J.any()), still,
                       cycle(hierarchy, tau[still.moving], reduced, team), allowed, team)


def _eliminated(B: Floats, moving: Columns, still: Columns, team: Team) -> tuple[Still, Floats]:
    """How to eliminate the still species, and the (n, moving, moving) blocks that remain."""
    if len(still) == 0:
        none = np.zeros((0, 0, 0))
        return Still(moving, still, none, none, none), B
    n, a, c = len(B), len(moving), len(still)
    inverse, above, below, reduced = np.empty((n, c, c)), np.empty((n, a, c)), np.empty((n, c, a)), np.empty((n, a, a))
    team(eliminated, n, zeros(a), zeros(c), moving, still, B, inverse, above, below, reduced)
    return Still(moving, still, inverse, above, below), reduced


@compiled(nogil=True)
def _reduced(moving: Columns, still: Columns, above: Floats, r: Floats, y: Floats, low: int, high: int) -> None:
    """y = what the right-hand side of the moving is once the still are eliminated."""
    for i in range(low, high):
        for a in range(len(moving)):
            found = r[i, moving[a]]
            for c in range(len(still)):
                found -= above[i, a, c] * r[i, still[c]]
            y[i, a] = found


@compiled(nogil=True)
def _completed(moving: Columns, still: Columns, inverse: Floats, below: Floats, r: Floats, solved: Floats,
               x: Floats, low: int, high: int) -> None:
    """x = the solution of all species, given that of the moving."""
    for i in range(low, high):
        for a in range(len(moving)):
            x[i, moving[a]] = solved[i, a]
        for c in range(len(still)):
            found = 0.0
            for d in range(len(still)):
                found += inverse[i, c, d] * r[i, still[d]]
            for a in range(len(moving)):
                found -= below[i, c, a] * solved[i, a]
            x[i, still[c]] = found
