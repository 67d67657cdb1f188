"""A model as arrays, and its right-hand side: the rate of change of the flat state."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from spatial._engine.operators.diffusion import Bands, Even, rows, spread, spread_along, spread_evenly
from spatial._engine.operators.registers import sums
from spatial._engine.operators.team import WORTH_SHARING, Team
from spatial._engine.system.events import Events
from spatial._engine.system.gate import passed
from spatial._engine.system.layout import Layout, State, lay_out
from spatial.checks import InputError
from spatial.geometry.contact import to_concentration
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Gains, Mechanism, Model, Species, nothing
from spatial.view import View, reading


class NoNumber(InputError):
    """A rate is no finite number."""


@dataclass(frozen=True)
class Term:
    """A mechanism, the species its rates read, and those they change."""

    mechanism: Mechanism
    reads: tuple[Species, ...]
    changes: tuple[Species, ...]
    first: Gains  # in the initial state, at t = 0
    reads_time: bool = False

    def rates(self, state: Concentrations, t: float) -> Gains:
        """The gains of a mechanism, from what it sees of `state`.

        Raises `InputError` where they are of other species than at the start: the solver would miss them.
        """
        return self.of(View(state, self.mechanism.where), t)

    def of(self, view: Concentrations, t: float) -> Gains:
        """The gains of a mechanism that sees `view`."""
        gains = reading(self._kind, self.mechanism.rates, view, t)
        if not isinstance(gains, Mapping):
            raise InputError(f"{self._kind}: its rates return {type(gains).__name__} at t = {t:g} s; they must return "
                             "the gain of each species, {species: gain}, in every case")
        if gains.keys() != self._named:
            raise InputError(self._renamed(gains, t))
        return gains

    @cached_property
    def _kind(self) -> str:
        return type(self.mechanism).__name__

    @cached_property
    def _named(self) -> frozenset[Species]:
        return frozenset(self.changes)

    def _renamed(self, gains: Gains, t: float) -> str:
        names, known = ([species.name for species in each] for each in (gains, self.changes))
        return (f"{self._kind}: its rates name {names} at t = {t:g} s and named {known} at the start; they must name "
                "the same species always, with a gain of 0 where there is none")


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
    events: Events
    bands: Mapping[str, Bands] = field(default_factory=dict)  # of the places that are grids
    even: Mapping[str, Even] = field(default_factory=dict)  # of those whose bricks are all alike
    team: Team = field(default_factory=Team)  # the threads that share long sweeps
    drifting: frozenset[Species] = frozenset()  # what the method changes besides

    def initial(self) -> Floats:
        """(size,) the state a run starts from."""
        u = np.empty(self.layout.size)
        for species in self.model:
            self.layout.values(u, species)[:] = species.initial
        return u

    def typical(self) -> Floats:
        """(size,) the typical size of the species of each unknown."""
        u = np.empty(self.layout.size)
        for species in self.model:
            self.layout.values(u, species)[:] = species.typical
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
        if not math.isfinite(du.sum()):
            raise NoNumber(self._no_number(u, t))
        return du

    def _no_number(self, u: Floats, t: float) -> str:
        """What to say where du/dt is no finite number: whose gain it is, and where."""
        for mechanism, gains in self.gains(u, t):
            for species, gain in gains.items():
                wrong = np.flatnonzero(~np.isfinite(np.broadcast_to(gain, len(mechanism.where))))
                if len(wrong):
                    value = np.broadcast_to(gain, len(mechanism.where))[wrong[0]]
                    where = f"in {mechanism.where.name!r} near {mechanism.where.position(int(wrong[0]))}"
                    return (f"{type(mechanism).__name__}: its gain of {species.name!r} {where} is {value:g} at "
                            f"t = {t:g} s; it must be a finite number")
        return f"the rate of change is not finite at t = {t:g} s, though the gain of every mechanism is"

    def changers(self, species: Species) -> str:
        """The kinds of mechanism whose rates change a species, for a message."""
        kinds = [type(term.mechanism).__name__ for term in self.terms if species in term.changes]
        return " and ".join(dict.fromkeys(kinds)) or "what moves it"

    def _spread(self, name: str, K: csr_matrix, c: Floats, gain: Floats) -> None:
        """Add the diffusion of all species of a place to their gain, both (n, m)."""
        of, D = self.layout.places[name], self.diffusion[name]
        if name in self.even:
            x, y, z = self.even[name].shape
            self.team(spread_evenly, x * y, (x, y, z), self.even[name].exchange, D, c.reshape(-1), gain.reshape(-1),
                      least=WORTH_SHARING // z)
        elif len(of) == 1 and name in self.bands:
            along = self.bands[name]
            self.team(spread_along, len(c), along.apart, along.across, of[0].place.measure, D, c, gain)
        else:
            self.team(spread, len(c), sums(len(of)), *rows(K), of[0].place.measure, D, c, gain)

    def gains(self, u: Floats, t: float, terms: Iterable[Term] | None = None) -> Iterator[tuple[Mechanism, Gains]]:
        """The mechanism of each of these terms, by default of all, with its gains per measure of where it acts."""
        state = self.state(u)
        for term in self.terms if terms is None else terms:
            yield term.mechanism, term.rates(state, t)

    def add(self, u: Floats, mechanism: Mechanism, gains: Gains) -> None:
        """Add gains per measure of where the mechanism acts to the concentrations in `u`."""
        for species, gain in gains.items():
            values = self.layout.values(u, species)
            values += to_concentration(gain, mechanism.where, species.place)

    def passed(self, u: Floats, t: float) -> float:
        """Let a state at `t` through the gate; the smallest value of all that cannot be negative."""
        return passed(self.layout, u, t, self.changers)

    @cached_property
    def timed(self) -> tuple[Term, ...]:
        """The mechanisms whose rates read the time."""
        return tuple(term for term in self.terms if term.reads_time)

    @cached_property
    def untimed(self) -> tuple[Term, ...]:
        """Those of them that do not say when they change: the times of an event tell only when that acts."""
        declared = {id(mechanism) for mechanism, event in self.events.at_times
                    if event.change is nothing or event.longest < np.inf}
        return tuple(term for term in self.timed if id(term.mechanism) not in declared)

    @cached_property
    def changing(self) -> Layout:
        """The layout of the species that change between events: they diffuse, or mechanisms have rates for them."""
        found = {one for term in self.terms for one in term.changes} | self.model.fipy_terms.keys() | self.drifting
        changing = tuple(one for one in self.model if one in found or one.D > 0)
        return self.layout if len(changing) == len(self.model.species) else lay_out(changing)


def without_diffusion(system: System) -> System:
    """The reactions within elements and between places alone, in the same layout; no lifted terms either."""
    size, still = system.layout.size, {name: csr_matrix(K.shape) for name, K in system.stiffness.items()}
    return replace(system, stiffness=still, lifted=csr_matrix((size, size)), constant=np.zeros(size))
