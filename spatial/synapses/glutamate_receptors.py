"""AMPA and NMDA receptors under glutamate: kinetic schemes, without effect on it, offline or as species."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.units import ms, s, uM

_PER_MS = 1 / ms
_PART = 0.1  # of the receptors, that errors are compared with


@dataclass(frozen=True)
class Receptor:
    """Transitions between numbered states, the first of which is the resting one."""

    name: str
    states: tuple[str, ...]
    bindings: tuple[tuple[str, str, float], ...]  # from, to, rate [1/(uM s)]
    others: tuple[tuple[str, str, float], ...]  # from, to, rate [1/s]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @by_annotation
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

    @arguments(not_negative=("glutamate",))
    def steady(self, glutamate: float) -> Floats:
        """(n,) parts in the n states after long in constant glutamate [uM]."""
        equations = np.vstack([self.rates(glutamate) / self._fastest, np.ones(len(self.states))])
        return np.asarray(np.linalg.lstsq(equations, np.r_[np.zeros(len(self.states)), 1.0])[0])

    @arguments(not_negative=("glutamate",))
    def species(self, where: Place, glutamate: float = 0.0) -> dict[str, Species]:
        """A species on `where` for each state: its part of the receptors, steady in this glutamate [uM] at first."""
        parts = np.maximum(self.steady(glutamate), 0.0)
        return {state: Species(f"{self.name} {state}", where, part, scale=_PART, unit="1")
                for state, part in zip(self.states, (parts / parts.sum()).tolist(), strict=True)}

    @property
    def _fastest(self) -> float:
        """The fastest rate of the transitions that glutamate does not drive [1/s]."""
        return max(rate for _, _, rate in self.others)

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

NMDA_LESTER_JAHR = Receptor(
    "NMDA receptor", ("C0", "C1", "C2", "D", "O"),  # Lester & Jahr 1992, R; biophysics A12
    bindings=(("C0", "C1", 2 * 5 / (uM * s)), ("C1", "C2", 5 / (uM * s))),
    others=(("C1", "C0", 6.7 / s), ("C2", "C1", 2 * 6.7 / s), ("C2", "D", 15.2 / s), ("D", "C2", 9.4 / s),
            ("C2", "O", 83.8 / s), ("O", "C2", 83.8 / s)))

AMPA = Receptor(
    "AMPA receptor", ("C0", "C1", "C2", "D1", "D2", "O"),  # Destexhe 1994, R; biophysics A12
    bindings=(("C0", "C1", 0.013 / uM * _PER_MS), ("C1", "C2", 0.013 / uM * _PER_MS)),
    others=(("C1", "C0", 0.0059 * _PER_MS), ("C2", "C1", 86 * _PER_MS), ("C1", "D1", 0.9 * _PER_MS),
            ("D1", "C1", 0.064 * _PER_MS), ("C2", "D2", 0.9 * _PER_MS), ("D2", "C2", 0.064 * _PER_MS),
            ("C2", "O", 2.7 * _PER_MS), ("O", "C2", 0.2 * _PER_MS)))

AMPA_TWO_STATE = Receptor(
    "AMPA receptor", ("C", "O"),  # Huebel 2017, R; biophysics A12
    bindings=(("C", "O", 1.1e-3 / uM * _PER_MS),), others=(("O", "C", 0.19 * _PER_MS),))

NMDA_TWO_STATE = Receptor(
    "NMDA receptor", ("C", "O"),  # Huebel 2017, R; biophysics A12
    bindings=(("C", "O", 0.072e-3 / uM * _PER_MS),), others=(("O", "C", 0.0066 * _PER_MS),))

DOUBLY_BOUND = ("C2", "D", "O")  # NMDA receptors that have both glutamates


@dataclass(frozen=True, eq=False)
class ReceptorStates:
    """Receptors whose states are species: each the part of the receptors in it, which add up to what they began with.

    `Receptor.species` makes the states. What binds is not taken from the field.
    """

    where: Place  # the synapses
    receptor: Receptor
    glutamate: Held  # ECS
    states: Mapping[str, Species]  # on the synapses, one for each state of the receptor

    def __post_init__(self) -> None:
        checks.parameters(self)
        if set(self.states) != set(self.receptor.states):
            raise InputError(f"ReceptorStates: states are {sorted(self.states)}; the {self.receptor.name} has "
                             f"{sorted(self.receptor.states)}")
        checks.own(self, "states")
        checks.parts(self, "states")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of each part [1/s]."""
        gains: dict[Species, Any] = dict.fromkeys(self.states.values(), 0.0)
        glutamate = level(c, self.glutamate)
        for transitions, drive in ((self.receptor.bindings, glutamate), (self.receptor.others, 1.0)):
            for start, end, rate in transitions:
                flux = rate * drive * c[self.states[start]]
                gains[self.states[start]] = gains[self.states[start]] - flux
                gains[self.states[end]] = gains[self.states[end]] + flux
        return gains
