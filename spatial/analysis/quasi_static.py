"""Quasi-static reduction: a fast part of a model is taken to be at rest at every instant, until that breaks down."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root

from spatial import checks
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Model, Species

_NUDGE = 1e-6  # relative step of central differences
_RELATIVE = 1e-8  # tolerance of the courses


@dataclass(frozen=True, eq=False)
class QuasiStatic:
    """A small model in which the species `fast` follow all others at once, f(slow, fast) = 0 in place of their rates.

    States are flat, (size,), as in `_engine.system`. Events and chance play no part.
    """

    model: Model
    fast: tuple[Species, ...]

    def __post_init__(self) -> None:
        checks.kinds(self)
        if not self.fast or len(set(self.fast)) == len(self.model.species):
            raise InputError("quasi-static: there must be species that are fast and others that are not")
        for one in self.fast:
            if one not in self.model.species:
                raise InputError(f"quasi-static: {one!r} is to be fast, but is not a species of this model")

    @cached_property
    def system(self) -> System:
        """The whole model as arrays."""
        return assemble(self.model)

    @cached_property
    def is_fast(self) -> NDArray[np.bool_]:
        """(size,) which unknowns are fast."""
        return np.isin(np.arange(self.system.layout.size),
                       np.concatenate([self.system.layout.index(one) for one in self.fast]))

    def settled(self, u: Floats, t: float = 0.0) -> Floats:
        """The state with what is fast at rest, near where it is in `u`.

        Raises `InputError` where it has no rest there: beyond a saddle-node, for one.
        """
        size = self._size(u)[self.is_fast]

        def speed(relative: Floats) -> Floats:
            return np.asarray(self.system.rate(self._with(u, self.is_fast, relative * size), t)[self.is_fast] / size)

        found = root(speed, u[self.is_fast] / size, tol=1e-12)
        if not found.success and np.abs(found.fun).max() > _RELATIVE:
            raise InputError(f"quasi-static: {', '.join(one.name for one in self.fast)} has no steady state near the "
                             f"present one at {t:.3g} s; the reduction breaks down there")
        return self._with(u, self.is_fast, found.x * size)

    def epsilon(self, u: Floats, t: float = 0.0) -> float:
        """The small parameter at `u`: the reduction errs by about as much, relative, and has broken down from 1 on.

        It is the larger of two: how fast the slow part changes by itself, with the fast part following, over how fast
        the fast part comes to rest; and how much its lag behind the slow part changes what the slow part does, which is
        not small where both are strongly coupled. Infinite where the rest of the fast part is not stable.
        """
        J, fast, slow = self._jacobian(u, t), self.is_fast, ~self.is_fast
        within = J[np.ix_(fast, fast)]
        gap = -np.linalg.eigvals(within).real.max()
        if gap <= 0:
            return np.inf
        following = np.linalg.solve(within, J[np.ix_(fast, slow)])
        lag = J[np.ix_(slow, fast)] @ np.linalg.solve(within, following)
        return float(max(_radius(J[np.ix_(slow, slow)] - J[np.ix_(slow, fast)] @ following) / gap, _radius(lag)))

    def course(self, times: ArrayLike, reduced: bool = True) -> Floats:
        """(times, size) the states at rising times [s] from the model's initial values on; without reduction, in full.

        Raises `InputError` where the reduction breaks down because what is fast has no rest any more.
        """
        at, u = np.asarray(times, float), self.system.initial()
        moving = ~self.is_fast if reduced else np.ones(len(u), bool)
        last = [u]  # where the fast part is looked for next

        def whole(t: float, values: Floats) -> Floats:
            state = self._with(last[0], moving, values)
            if reduced:
                last[0] = state = self.settled(state, t)
            return state

        found = solve_ivp(lambda t, y: self.system.rate(whole(t, y), t)[moving], (0.0, at[-1]), u[moving], "LSODA", at,
                          rtol=_RELATIVE, atol=_RELATIVE * self.system.typical()[moving])
        return np.array([whole(t, y) for t, y in zip(found.t, found.y.T, strict=True)])

    def _jacobian(self, u: Floats, t: float) -> Floats:
        """(size, size) df/du by central differences."""
        steps = np.diag(_NUDGE * self._size(u))
        return np.stack([(self.system.rate(u + step, t) - self.system.rate(u - step, t)) / (2 * step.max())
                         for step in steps], axis=1)

    def _size(self, u: Floats) -> Floats:
        """(size,) of each unknown: its value and what is typical."""
        return np.asarray(np.abs(u) + self.system.typical())

    def _with(self, u: Floats, which: NDArray[np.bool_], values: Floats) -> Floats:
        """The state with some of its unknowns replaced."""
        after = u.copy()
        after[which] = values
        return after


def _radius(matrix: Floats) -> float:
    """The largest eigenvalue, by its absolute value."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())
