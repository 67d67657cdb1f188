"""From a model to arrays: the layout of the state, its rate of change, and the linearised reactions.

This is the only place where a gain per measure of where a mechanism acts becomes a concentration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from spatial._engine.operators.diffusion import Bands, bands, rows, spread, spread_along, zeros
from spatial._engine.operators.fipy_terms import lift_terms
from spatial._engine.operators.team import Team
from spatial.checks import InputError
from spatial.geometry.discretise import stiffness
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Concentrations, Crossings, Gains, Jumps, Leaps, Mechanism, Model, Path, Paths, Species

Flags = NDArray[np.bool_]

_NUDGE = 1e-6  # relative step of the one-sided differences that linearise the reactions


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each species lies in the flat state: place after place, its species side by side."""

    places: Mapping[str, tuple[Species, ...]]  # the species of each place
    starts: Mapping[str, int]
    columns: Mapping[Species, int]
    size: int

    def block(self, u: Floats, place: str) -> Floats:
        """(n, m) view of the part of `u` that belongs to a place, a column per species."""
        span, shape = self._blocks[place]
        return u[span].reshape(shape)

    def index(self, species: Species) -> Ints:
        """(n,) positions of a species in the flat state."""
        at = self.slices[species]
        return np.arange(at.start, at.stop, at.step)

    @cached_property
    def slices(self) -> Mapping[Species, slice]:
        """The part of the flat state that is a species'."""
        return {one: slice(span.start + column, span.stop, shape[1]) for name, (span, shape) in self._blocks.items()
                for column, one in enumerate(self.places[name])}

    @cached_property
    def _blocks(self) -> Mapping[str, tuple[slice, tuple[int, int]]]:
        """The part of the flat state that belongs to a place, and its shape (n, m)."""
        shapes = {name: (len(of[0].place), len(of)) for name, of in self.places.items()}
        return {name: (slice(self.starts[name], self.starts[name] + n * m), (n, m)) for name, (n, m) in shapes.items()}

    def within(self, whole: "Layout") -> Ints:
        """(size,) where its unknowns lie in the flat state of another layout, which has all its species."""
        found = np.empty(self.size, np.int64)
        for species in self.columns:
            found[self.index(species)] = whole.index(species)
        return found

    def part(self, u: Floats, whole: "Layout") -> Floats:
        """(size,) its part of a flat state of another layout, which has all its species."""
        if self is whole:
            return u
        found = np.empty(self.size)
        for name, columns in self._columns(whole):
            self.block(found, name)[:] = whole.block(u, name)[:, columns]
        return found

    def put(self, part: Floats, u: Floats, whole: "Layout") -> Floats:
        """The flat state `u` of another layout, which has all its species, with these instead of its part."""
        if self is whole:
            return part
        changed = u.copy()
        for name, columns in self._columns(whole):
            whole.block(changed, name)[:, columns] = self.block(part, name)
        return changed

    def _columns(self, whole: "Layout") -> Iterator[tuple[str, slice | list[int]]]:
        """For each of its places, the columns there of its species in another layout."""
        for name, of in self.places.items():
            yield name, slice(None) if len(of) == len(whole.places[name]) else [whole.columns[one] for one in of]


def lay_out(species: tuple[Species, ...]) -> Layout:
    """The layout of a model's species."""
    places: dict[str, tuple[Species, ...]] = {}
    for one in species:
        places[one.place.name] = (*places.get(one.place.name, ()), one)
    starts, size = {}, 0
    for name, of in places.items():
        starts[name] = size
        size += len(of) * len(of[0].place)
    columns = {one: column for of in places.values() for column, one in enumerate(of)}
    return Layout(places, starts, columns, size)


@dataclass(frozen=True)
class State:
    """The concentrations of a model: `state[species]` is a view (n,) of its part of the flat array."""

    values: Floats
    layout: Layout

    def __getitem__(self, species: Species) -> Floats:
        part = self.layout.slices.get(species)
        if part is None:
            raise InputError(f"{species!r} is not a species of this model; "
                             f"it has {sorted(s.name for s in self.layout.columns)}")
        return self.values[part]


@dataclass(frozen=True)
class Nearby:
    """The concentrations as a mechanism sees them: (n,) over the elements of the place it acts in.

    What cannot be negative is never seen below zero.
    """

    state: Concentrations
    where: Place
    read: Callable[[Species], None]
    seen: dict[Species, Floats] = field(default_factory=dict)  # so far: the state must stay as it is meanwhile

    def __getitem__(self, species: Species) -> Floats:
        if species not in self.seen:
            self.seen[species] = self._looked_up(species)
        return self.seen[species]

    def _looked_up(self, species: Species) -> Floats:
        values = self.state[species]
        self.read(species)
        index = touched(self.where, species.place)
        if index is not None:
            values = values[index]
        return values if species.signed else np.maximum(values, 0.0)


def nearby(state: Concentrations, where: Place) -> Concentrations:
    """The concentrations of a model as a mechanism that acts in `where` sees them."""
    return Nearby(state, where, _ignore)


def touched(where: Place, place: Place) -> Ints | None:
    """(n,) element of `place` that each element of `where` touches; None when they are the same place."""
    if where.name == place.name:
        return None
    if place.name not in where.touches:
        raise InputError(f"{where.name!r} does not touch {place.name!r}; it touches {sorted(where.touches)}")
    return where.touches[place.name]


def to_concentration(gain: Floats | float, where: Place, place: Place) -> Floats:
    """(n,) change of concentration in `place` from a gain per measure of `where`."""
    index = touched(where, place)
    if index is None:
        return np.asarray(gain)
    return np.asarray(np.bincount(index, gain * per_measure(where, place), len(place)), float)


def per_measure(where: Place, place: Place) -> Floats:
    """(n,) change of concentration where each element of `where` touches `place`, per gain per its measure."""
    index = touched(where, place)
    return np.ones(len(place)) if index is None else where.measure / place.measure[index]


@dataclass(frozen=True)
class Term:
    """A mechanism, the species it looks at, and those it changes."""

    mechanism: Mechanism
    reads: tuple[Species, ...]
    changes: tuple[Species, ...]


@dataclass(frozen=True)
class Linearisation:
    """The Jacobian of the reactions and lifted terms: dense blocks within elements, and a sparse rest between them."""

    layout: Layout  # of the species it is about
    blocks: Mapping[str, Floats]  # by place: (n, m, m) over the species of the place
    between: csr_matrix  # (size, size)


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
            yield mechanism, mechanism.rates(self._nearby(state, mechanism), t)

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
            self.add(u, mechanism, mechanism.jump(self._nearby(before, mechanism), t))
        return bool(acting)

    def leap(self, u: Floats, t: float, dt: float, rng: np.random.Generator) -> bool:
        """Let every random mechanism draw what it did in the step just taken; whether one did anything."""
        happened = False
        for mechanism in self._leaping:
            gains = mechanism.leap(self._nearby(self.state(u), mechanism), t, dt, rng)
            happened |= any(np.any(gain) for gain in gains.values())
            self.add(u, mechanism, gains)
        return happened

    def heights(self, u: Floats, t: float) -> list[Floats]:
        """How far each mechanism with thresholds is above them: (n,) over the elements where it acts."""
        return [m.height(self._nearby(self.state(u), m), t) for m in self._with_thresholds]

    def cross(self, u: Floats, t: float, where: Sequence[Flags], rng: np.random.Generator) -> None:
        """Let each mechanism with thresholds act on `u` where it has risen through them, as `risen` tells."""
        for mechanism, crossed in zip(self._with_thresholds, where, strict=True):
            if crossed.any():
                self.add(u, mechanism, mechanism.cross(self._nearby(self.state(u), mechanism), t, crossed, rng))

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
        drawn = [(one, one.path(self._nearby(state, one), t, horizon, rng)) for one in self.with_paths]
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

    def linearise(self, u: Floats, t: float, layout: Layout | None = None) -> Linearisation:
        """The derivative of every mechanism's gains, by one-sided differences, and of the lifted FiPy terms.

        Of all species and by all, or of those of a smaller `layout` by each other.
        """
        state, layout = self.state(u), layout or self.layout
        blocks = {name: np.zeros((len(of[0].place), len(of), len(of))) for name, of in layout.places.items()}
        between: list[tuple[Ints, Ints, Floats]] = []
        for term in self.terms:
            where = term.mechanism.where
            for target, source, slope in self._slopes(term, state, t, layout):
                if target.place.name == source.place.name:
                    entry = (slice(None), layout.columns[target], layout.columns[source])
                    blocks[target.place.name][entry] += to_concentration(slope, where, target.place)
                else:
                    between.append(_between(layout, where, target, source, slope))
        if self.lifted.nnz == 0:
            return Linearisation(layout, blocks, _sparse(between, layout.size))
        at = layout.within(self.layout)
        lifted = self.lifted if layout is self.layout else self.lifted[at][:, at]
        within = lifted.diagonal()
        for name, block in blocks.items():
            np.einsum("nii->ni", block)[:] += layout.block(within, name)
        rest = lifted - diags_array(within, format="csr")
        return Linearisation(layout, blocks, _sparse(between, layout.size) + rest)

    def _slopes(self, term: Term, state: State, t: float,
                layout: Layout) -> Iterator[tuple[Species, Species, Floats]]:
        """Each gain's species, each species it depends on, and the derivative: (n,) per measure; those of `layout`."""
        here = self._nearby(state, term.mechanism)
        base = term.mechanism.rates(here, t)
        for source in (one for one in term.reads if one in layout.columns):
            step = _NUDGE * (np.abs(here[source]) + source.typical)
            moved = term.mechanism.rates(_Nudged(here, source, step), t)
            for target in (one for one in moved if one in layout.columns):
                slope = (np.asarray(moved[target]) - base[target]) / step
                if slope.any():
                    yield target, source, slope

    def _nearby(self, state: State, mechanism: Mechanism) -> Nearby:
        return Nearby(state, mechanism.where, _ignore)


def risen(before: Sequence[Floats], now: Sequence[Floats]) -> list[Flags]:
    """Where each of several heights above a threshold was negative before and is no longer."""
    return [(low < 0) & (high >= 0) for low, high in zip(before, now, strict=True)]


@dataclass(frozen=True)
class Plan:
    """What random mechanisms do in a step, up to its end or to when another mechanism feels one of them: `dt` [s]."""

    drawn: Sequence[tuple[Mechanism, Path]]
    dt: float


@dataclass(frozen=True)
class _Nudged:
    """Concentrations nearby, with one species moved by a small step."""

    nearby: Nearby
    source: Species
    step: Floats

    def __getitem__(self, species: Species) -> Floats:
        values = self.nearby[species]
        return values + self.step if species is self.source else values


def _between(layout: Layout, where: Place, target: Species, source: Species,
             slope: Floats) -> tuple[Ints, Ints, Floats]:
    """Rows, columns and entries of the Jacobian for a slope between two places."""
    rows, columns = layout.index(target), layout.index(source)
    onto, of = touched(where, target.place), touched(where, source.place)
    return (rows if onto is None else rows[onto], columns if of is None else columns[of],
            slope * per_measure(where, target.place))


def _sparse(parts: list[tuple[Ints, Ints, Floats]], size: int) -> csr_matrix:
    """The (size, size) matrix of these rows, columns and entries; those at the same position add up."""
    if not parts:
        return csr_matrix((size, size))
    rows, columns, entries = (np.concatenate(each) for each in zip(*parts, strict=True))
    return csr_matrix((entries, (rows, columns)), shape=(size, size))


def _ignore(species: Species) -> None:
    """The read callback of an ordinary evaluation."""


def without_diffusion(system: System) -> System:
    """The reactions within elements and between places alone, in the same layout; no lifted terms either."""
    size, still = system.layout.size, {name: csr_matrix(K.shape) for name, K in system.stiffness.items()}
    return replace(system, stiffness=still, lifted=csr_matrix((size, size)), constant=np.zeros(size))


def assemble(model: Model) -> System:
    """Lay the model out as arrays, and check that every mechanism finds what it names.

    Raises `InputError` for a species that is not in the model, a place that does not touch another,
    rates of the wrong shape, or FiPy terms that cannot be lifted.
    """
    layout = lay_out(model.species)
    operators, diffusion = {}, {}
    for name, of in layout.places.items():
        place, D = of[0].place, np.array([species.D for species in of])
        operators[name] = stiffness(place) if D.any() else csr_matrix((len(place),) * 2)
        diffusion[name] = D
    found = {name: bands(of[0].place) for name, of in layout.places.items() if operators[name].nnz and len(of) == 1}
    grids = {name: along for name, along in found.items() if along}
    system = System(model, layout, operators, diffusion, (), *_lift(model, layout), bands=grids)
    return replace(system, terms=tuple(_probe(system, mechanism) for mechanism in model.mechanisms))


def _lift(model: Model, layout: Layout) -> tuple[csr_matrix, Floats]:
    """The model's own FiPy terms, per volume: matrix (size, size) and vector (size,)."""
    parts, constant = list[tuple[Ints, Ints, Floats]](), np.zeros(layout.size)
    for species, terms in model.fipy_terms.items():
        matrix, vector = lift_terms(species.name, terms, species.place, species.typical)
        index, entries, V = layout.index(species), matrix.tocoo(), species.place.measure
        parts.append((index[entries.row], index[entries.col], entries.data / V[entries.row]))
        constant[index] = vector / V
    return _sparse(parts, layout.size), constant


def _probe(system: System, mechanism: Mechanism) -> Term:
    """The species a mechanism's rates look at and change, found by calling it once on the initial state."""
    seen: dict[Species, None] = {}
    state = system.state(system.initial())
    try:
        looked = Nearby(state, mechanism.where, lambda species: seen.setdefault(species))
        gains = mechanism.rates(looked, 0.0)
        _check_gains(system, mechanism, gains)
        unrecorded = Nearby(state, mechanism.where, _ignore)
        if isinstance(mechanism, Jumps):
            _check_gains(system, mechanism, mechanism.jump(unrecorded, -1.0))
        if isinstance(mechanism, Leaps):
            _check_gains(system, mechanism, mechanism.leap(unrecorded, 0.0, 0.0, np.random.default_rng(0)))
        if isinstance(mechanism, Crossings):
            nowhere = np.zeros(len(mechanism.where), bool)
            _check_gains(system, mechanism, mechanism.cross(unrecorded, 0.0, nowhere, np.random.default_rng(0)))
    except InputError as error:
        raise InputError(f"{type(mechanism).__name__}: {error}") from None
    return Term(mechanism, tuple(seen), tuple(gains))


def _check_gains(system: System, mechanism: Mechanism, gains: Gains) -> None:
    for species, gain in gains.items():
        if species not in system.layout.columns:
            raise InputError(f"it changes {species!r}, which is not a species of this model")
        touched(mechanism.where, species.place)
        shape = np.shape(gain)
        if shape not in ((), (len(mechanism.where),)):
            raise InputError(f"its gain of {species.name!r} has shape {shape}, not {(len(mechanism.where),)}")
        if not np.isfinite(gain).all():
            raise InputError(f"its gain of {species.name!r} is not finite in the initial state")
