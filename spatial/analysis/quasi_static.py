"""Quasi-static reduction: a fast part of a model is taken to be at rest at every instant, until that breaks down."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root

from spatial import checks
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import NoNumber, System
from spatial.checks import InputError, by_annotation, shaped
from spatial.geometry.place import Floats
from spatial.model import Model, Species

_NUDGE = 1e-6  # relative step of central differences
_RELATIVE = 1e-8  # tolerance of the courses
_FELT, _DECADE = 1e-8, 10.0  # part of a rate whose change stands out from rounding; growth of a step until it does
_AHEAD = 1e-4  # part of the time that the fast part takes to rest, over which its drift is looked at


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

    @cached_property
    def is_bounded(self) -> NDArray[np.bool_]:
        """(size,) which unknowns cannot be negative."""
        bounded = [self.system.layout.index(one) for one in self.model if not one.signed]
        return np.isin(np.arange(self.system.layout.size), np.concatenate([*bounded, np.zeros(0, np.int64)]))

    @by_annotation
    def settled(self, u: Floats, t: float = 0.0) -> Floats:
        """The state with what is fast at rest, near where it is in `u`.

        Raises `InputError` where it has no rest there: beyond a saddle-node, for one.
        """
        shaped("QuasiStatic.settled: u", u, (self.system.layout.size,), "one for each unknown")
        settled = self._settled(u, t, self._size(u))
        if not self._is_at_rest(settled, t):
            settled = self._settled(u, t, self._size_felt(u, t))
        if not self._is_at_rest(settled, t):
            raise InputError(f"quasi-static: {', '.join(one.name for one in self.fast)} has no steady state near the "
                             f"present one at {t:.3g} s; the reduction breaks down there")
        return settled

    def _settled(self, u: Floats, t: float, sizes: Floats) -> Floats:
        """The state with what is fast where MINPACK's search for its rest ends, at a rest or not."""
        start, size = u[self.is_fast], sizes[self.is_fast]

        def state(moved: Floats) -> Floats:
            """The state with what is fast moved by so many times its size, plus 1: MINPACK's steps are a part of it."""
            return self._with(u, self.is_fast, start + (moved - 1.0) * size)

        def speed(moved: Floats) -> Floats:
            try:
                return np.asarray(self.system.rate(state(moved), t)[self.is_fast] / size)
            except NoNumber:  # there it has no rest
                return np.full(len(start), np.nan)

        found = state(root(speed, np.ones(len(start)), tol=1e-12).x)
        return np.where(self.is_bounded & self.is_fast, np.maximum(found, 0.0), found)

    def _size_felt(self, u: Floats, t: float) -> Floats:
        """(size,) of each unknown, raised where a small part of it would be lost in the rounding of all rates."""
        size, rate = self._size(u), self.system.rate(u, t)
        for k in np.flatnonzero(self.is_fast):
            step = np.zeros(len(u))
            step[k] = _NUDGE * size[k]
            while step[k] < _NUDGE and not (np.abs(self.system.rate(u + step, t) - rate) > _FELT * np.abs(rate)).any():
                step[k] *= _DECADE
            size[k] = step[k] / _NUDGE
        return size

    def _is_at_rest(self, u: Floats, t: float) -> bool:
        """Whether what is fast is at rest, but for a small part of its size: by Newton's step, and what that leaves."""
        size = self._size(u)[self.is_fast]
        try:
            J = self._jacobian(u, t)[np.ix_(self.is_fast, self.is_fast)] * size / size[:, None]
            speed = self.system.rate(u, t)[self.is_fast] / size
        except NoNumber:
            return False
        step = np.linalg.lstsq(J, speed)[0]
        left = np.abs(speed - J @ step).max()
        return bool(np.abs(step).max() <= _RELATIVE and left <= _RELATIVE * np.abs(J).max())

    @by_annotation
    def epsilon(self, u: Floats, t: float = 0.0) -> float:
        """The small parameter at `u`: the reduction errs by about as much, relative, and has broken down from 1 on.

        It is the largest of three: how fast the slow part changes by itself, with the fast part following, over how
        fast the fast part comes to rest; how far the fast part lags behind its rest, which drifts with the slow part
        and with time, over its size (its value, or what is typical if that is more); and how much this lag changes
        what the slow part does, which is not small where both are strongly coupled. Infinite where the rest of the
        fast part is not stable.
        """
        shaped("QuasiStatic.epsilon: u", u, (self.system.layout.size,), "one for each unknown")
        J, fast, slow = self._jacobian(u, t), self.is_fast, ~self.is_fast
        within = J[np.ix_(fast, fast)]
        gap = -np.linalg.eigvals(within).real.max()
        if gap <= 0:
            return np.inf
        following = np.linalg.solve(within, J[np.ix_(fast, slow)])
        reaction = J[np.ix_(slow, fast)] @ np.linalg.solve(within, following)
        ratio = _radius(J[np.ix_(slow, slow)] - J[np.ix_(slow, fast)] @ following) / gap
        return float(max(ratio, self._lag(u, t, within, gap), _radius(reaction)))

    def _lag(self, u: Floats, t: float, within: Floats, gap: float) -> float:
        """How far the fast part is behind its rest, which drifts as the slow part and time go on: a part of its size.

        A rest x* of F(x, s, t) = 0 drifts by -F_x^-1 (F_s s' + F_t), and what comes to rest by F_x is F_x^-1 x*' off.
        """
        size = np.maximum(np.abs(u), self.system.typical())
        rate = self.system.rate(u, t)
        drift = np.where(self.is_fast, 0.0, rate)
        ahead = _AHEAD / max(gap, np.abs(drift / size).max())
        pushed = (self.system.rate(u + ahead * drift, t + ahead) - rate)[self.is_fast] / ahead
        lag = np.linalg.solve(within, np.linalg.solve(within, pushed))
        return float(np.abs(lag / size[self.is_fast]).max())

    @by_annotation
    def course(self, times: ArrayLike, reduced: bool = True) -> Floats:
        """(times, size) the states at rising times [s] from the model's initial values on; without reduction, in full.

        Raises `InputError` where the reduction breaks down because what is fast has no rest any more.
        """
        shaped("QuasiStatic.course: times", times, ("k",))
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
