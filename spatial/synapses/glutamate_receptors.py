"""AMPA and NMDA receptors that follow a glutamate time course: kinetic schemes, without effect on glutamate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.units import ms, s, uM

_PER_MS = 1 / ms


@dataclass(frozen=True)
class Receptor:
    """Transitions between numbered states, the first of which is the resting one."""

    name: str
    states: tuple[str, ...]
    bindings: tuple[tuple[str, str, float], ...]  # from, to, rate [1/(uM s)]
    others: tuple[tuple[str, str, float], ...]  # from, to, rate [1/s]

    def follow(self, times: Floats, glutamate: Floats, states: Sequence[str]) -> Floats:
        """(k, m) part of the receptors in these states, at (k,) times [s] in (k, m) glutamate [uM], resting at first.

        Between two times glutamate is taken as the mean of both. Raises `InputError` if the arrays do not fit.
        """
        from scipy.linalg import expm

        field = np.atleast_2d(np.asarray(glutamate, float).T).T
        if len(field) != len(times):
            raise InputError(f"{self.name}: there are {len(times)} times for {len(field)} values of glutamate")
        between = (field[1:] + field[:-1]) / 2
        part = np.zeros((len(times), field.shape[1], len(self.states)))
        part[0, :, 0] = 1.0
        steps = np.diff(times)[:, None, None, None] * self.rates(between)
        for k, step in enumerate(expm(steps)):
            part[k + 1] = np.einsum("mij,mj->mi", step, part[k])
        return part[:, :, [self.states.index(one) for one in states]].sum(axis=2)

    def rates(self, glutamate: Floats | float) -> Floats:
        """(..., n, n) rates of change [1/s] of the parts in the n states at glutamate (...) [uM]; columns add to 0."""
        return self._matrix(self.others) + np.asarray(glutamate)[..., None, None] * self._matrix(self.bindings)

    def _matrix(self, transitions: tuple[tuple[str, str, float], ...]) -> Floats:
        """(n, n) matrix of these transitions."""
        matrix = np.zeros((len(self.states),) * 2)
        for start, end, rate in transitions:
            i, j = self.states.index(start), self.states.index(end)
            matrix[j, i] += rate
            matrix[i, i] -= rate
        return matrix


NMDA = Receptor(
    "NMDA receptor", ("C0", "C1", "C2", "D", "O"),  # Destexhe 1996, R; biophysics A12
    bindings=(("C0", "C1", 2 * 5 / (uM * s)), ("C1", "C2", 5 / (uM * s))),
    others=(("C1", "C0", 12.9 / s), ("C2", "C1", 2 * 12.9 / s), ("C2", "D", 8.4 / s), ("D", "C2", 6.8 / s),
            ("C2", "O", 46.5 / s), ("O", "C2", 73.8 / s)))

AMPA = Receptor(
    "AMPA receptor", ("C0", "C1", "C2", "D1", "D2", "O"),  # Destexhe 1994, R; biophysics A12
    bindings=(("C0", "C1", 0.013 / uM * _PER_MS), ("C1", "C2", 0.013 / uM * _PER_MS)),
    others=(("C1", "C0", 0.0059 * _PER_MS), ("C2", "C1", 86 * _PER_MS), ("C1", "D1", 0.9 * _PER_MS),
            ("D1", "C1", 0.064 * _PER_MS), ("C2", "D2", 0.9 * _PER_MS), ("D2", "C2", 0.064 * _PER_MS),
            ("C2", "O", 2.7 * _PER_MS), ("O", "C2", 0.2 * _PER_MS)))

DOUBLY_BOUND = ("C2", "D", "O")  # NMDA receptors that have both glutamates
