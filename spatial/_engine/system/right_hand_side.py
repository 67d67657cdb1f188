"""A model as arrays, and its right-hand side: the rate of change of the flat state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spatial._engine.operators.diffusion import Bands, rows, spread, spread_along, zeros
from spatial._engine.operators.team import Team
from spatial._engine.system.layout import Layout, State, lay_out
from spatial.geometry.contact import to_concentration
from spatial.geometry.place import Floats
from spatial.model import Crossings, Gains, Jumps, Leaps, Mechanism, Model, Path, Paths, Species
from spatial.view import View

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Term:
    """A mechanism, the species it looks at, and those it changes."""

    mechanism: Mechanism
    reads: tuple[Species, ...]
    changes: tuple[Species, ...]


@dataclass(frozen=True, eq=False)
class System:
    """A model as arrays. `rate` is the whole right-hand side of du/dt = f(u, t)."""

    model: Model
    layout: Layout
    stiffness: Mapping[str, csr_matrix]  # K of each place; empty where nothing diffuses
    diffusion: Mapping[str, Floats]  # (m,) D of the species of each place
    terms: tuple[Term, ...]
    lifted: csr_matrix  # (size, size) the model's own FiPy terms [1/s]; empty where there are none
    constant: Floats  # (size,) what they add whatever the state [unit of each species per s]
    bands: Mapping[str, Bands] = field(default_factory=dict)  # of the places that are grids
    team: Team = field(default_factory=Team)  # the threads that share long sweeps
    drifting: frozenset[Species] = frozenset()  # what the method changes besides

    def initial(self) -> Floats:
        """(size,) the state a run starts from."""
        u = np.empty(self.layout.size)
        for species in self.model:
            self.state(u)[species][:] = species.initial
        return u

    def typical(self) -> Floats:
        """(size,) the typical size of the species of each unknown."""
        u = np.empty(self.layout.size)
        for species in self.model:
            self.state(u)[species][:] = species.typical
        return u

    def state(self, u: Floats) -> State:
        """The flat array by species."""
        return State(u, self.layout)

    def rate(self, u: Floats, t: float) -> Floats:
        """(size,) du/dt: reactions, diffusion and lifted FiPy terms [unit of each species per s]."""
        du = self.lifted @ u + self.constant if self.lifted.nnz else self.constant.copy()
        for mechanism, gains in self.gains(u, t):
            self.add(du, mechanism, gains)
        for name, K in self.stiffness.items():
            if K.nnz:
                self._spread(name, K, self.layout.block(u, name), self.layout.block(du, name))
        return du

    def _spread(self, name: str, K: csr_matrix, c: Floats, gain: Floats) -> None:
        """Add the diffusion of all species of a place to their gain, both (n, m)."""
        of, D = self.layout.places[name], self.diffusion[name]
        if len(of) == 1 and name in self.bands:
            along = self.bands[name]
            self.team(spread_along, len(c), along.apart, along.across, of[0].place.measure, D, c, gain)
        else:
            self.team(spread, len(c), zeros(len(of)), *rows(K), of[0].place.measure, D, c, gain)

    def gains(self, u: Floats, t: float,
              of: Iterable[Mechanism] | None = None) -> Iterator[tuple[Mechanism, Gains]]:
        """Each of these mechanisms, by default every one, with its gains per measure of where it acts."""
        state = self.state(u)
        for mechanism in self.model.mechanisms if of is None else of:
            yield mechanism, mechanism.rates(View(state, mechanism.where), t)

    def add(self, u: Floats, mechanism: Mechanism, gains: Gains) -> None:
        """Add gains per measure of where the mechanism acts to the concentrations in `u`."""
        state = self.state(u)
        for species, gain in gains.items():
            values = state[species]
            values += to_concentration(gain, mechanism.where, species.place)

    def smallest(self, u: Floats) -> float:
        """The smallest value of all that cannot be negative."""
        state = self.state(u)
        return min((float(state[one].min()) for one in self.model if not one.signed), default=0.0)

    def jump(self, u: Floats, t: float) -> bool:
        """Let every mechanism with an instant at `t` act on `u`, each as it was just before; whether one did."""
        before, acting = self.state(u.copy()), [m for m, instants in self._jumping if t in instants]
        for mechanism in acting:
            self.add(u, mechanism, mechanism.jump(View(before, mechanism.where), t))
        return bool(acting)

    def leap(self, u: Floats, t: float, dt: float, rng: np.random.Generator) -> bool:
        """Let every random mechanism draw what it did in the step just taken; whether one did anything."""
        happened = False
        for mechanism in self._leaping:
            gains = mechanism.leap(View(self.state(u), mechanism.where), t, dt, rng)
            happened |= any(np.any(gain) for gain in gains.values())
            self.add(u, mechanism, gains)
        return happened

    def heights(self, u: Floats, t: float) -> list[Floats]:
        """How far each mechanism with thresholds is above them: (n,) over the elements where it acts."""
        return [m.height(View(self.state(u), m.where), t) for m in self._with_thresholds]

    def cross(self, u: Floats, t: float, where: Sequence[Flags], rng: np.random.Generator) -> None:
        """Let each mechanism with thresholds act on `u` where it has risen through them, as `risen` tells."""
        for mechanism, crossed in zip(self._with_thresholds, where, strict=True):
            if crossed.any():
                self.add(u, mechanism, mechanism.cross(View(self.state(u), mechanism.where), t, crossed, rng))

    @cached_property
    def eventful(self) -> bool:
        """Whether something may happen within a step: by chance, in a channel, or at a threshold."""
        return bool(self._leaping or self.with_paths or self._with_thresholds)

    @cached_property
    def _with_thresholds(self) -> list[Any]:
        return [m for m in self.model.mechanisms if isinstance(m, Crossings)]

    @cached_property
    def with_paths(self) -> list[Any]:
        """The mechanisms with random states of their own."""
        return [m for m in self.model.mechanisms if isinstance(m, Paths)]

    @cached_property
    def _jumping(self) -> list[tuple[Any, frozenset[float]]]:
        return [(m, frozenset(np.asarray(m.instants, float).tolist()))
                for m in self.model.mechanisms if isinstance(m, Jumps)]

    @cached_property
    def _leaping(self) -> list[Any]:
        return [m for m in self.model.mechanisms if isinstance(m, Leaps)]

    def paths(self, before: Floats, after: Floats, t: float, horizon: float,
              rng: np.random.Generator) -> "Plan | None":
        """What the mechanisms with random states of their own do in `horizon` [s], at the mean of the states `before`
        and `after`; None without any."""
        if not self.with_paths:
            return None
        state = self.state((before + after) / 2)
        drawn = [(one, one.path(View(state, one.where), t, horizon, rng)) for one in self.with_paths]
        return Plan(drawn, min(horizon, *(path.first for _, path in drawn)))

    def follow(self, u: Floats, plan: "Plan") -> bool:
        """Add to `u` what a plan holds up to its end; whether another mechanism feels it."""
        for mechanism, path in plan.drawn:
            self.add(u, mechanism, path.gains(plan.dt))
        return any(path.first <= plan.dt for _, path in plan.drawn)

    def instants(self) -> Floats:
        """(k,) sorted times at which some mechanism jumps."""
        return np.array(sorted(set[float]().union(*(instants for _, instants in self._jumping))))

    @cached_property
    def changing(self) -> Layout:
        """The layout of the species that change between events: they diffuse, or mechanisms have rates for them."""
        found = {one for term in self.terms for one in term.changes} | self.model.fipy_terms.keys() | self.drifting
        changing = tuple(one for one in self.model if one in found or one.D > 0)
        return self.layout if len(changing) == len(self.model.species) else lay_out(changing)



def risen(before: Sequence[Floats], now: Sequence[Floats]) -> list[Flags]:
    """Where each of several heights above a threshold was negative before and is no longer."""
    return [(low < 0) & (high >= 0) for low, high in zip(before, now, strict=True)]


@dataclass(frozen=True)
class Plan:
    """What random mechanisms do in a step, up to its end or to when another mechanism feels one of them: `dt` [s]."""

    drawn: Sequence[tuple[Mechanism, Path]]
    dt: float


def without_diffusion(system: System) -> System:
    """The reactions within elements and between places alone, in the same layout; no lifted terms either."""
    size, still = system.layout.size, {name: csr_matrix(K.shape) for name, K in system.stiffness.items()}
    return replace(system, stiffness=still, lifted=csr_matrix((size, size)), constant=np.zeros(size))
