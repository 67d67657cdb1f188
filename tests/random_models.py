"""Models of mass action drawn at random, over ten decades of rates, and what SciPy makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import null_space
from toy_mechanisms import Exchange, Source, Spikes
from toy_places import random_tetrahedra

import spatial as sp
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats, Mesh, Place
from spatial.model import Mechanism, Species

TIGHT = 1e-9  # relative tolerance of the reference
LOOKED_AT = 12  # times at which growth is measured
ROUNDING = 1e-12  # of vectors of length 1, and of a scale: less than that is nothing
UNBOUNDED = 1e12  # times the scale of a species, from which a run has exploded


@dataclass(frozen=True, eq=False)
class MassAction:
    """What is on the left becomes what is on the right, at k times all that is on the left."""

    where: Place
    left: tuple[Species, ...]
    right: tuple[Species, ...]
    k: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        pace = self.k
        for species in self.left:
            pace = pace * c[species]
        gains: dict[Species, Any] = {}
        for species in self.left:
            gains[species] = gains.get(species, 0.0) - pace
        for species in self.right:
            gains[species] = gains.get(species, 0.0) + pace
        return gains


@dataclass(eq=False)
class Draft:
    """A model in the making: what it has, what each of its mechanisms does, and what comes from outside."""

    rng: np.random.Generator
    mesh: Mesh
    duration: float
    species: dict[str, list[Species]] = field(default_factory=dict)  # by place
    mechanisms: list[Mechanism] = field(default_factory=list)
    changes: list[dict[Species, int]] = field(default_factory=list)
    added: dict[Species, float] = field(default_factory=dict)  # uM um^3
    doses: Floats = field(default_factory=lambda: np.zeros(0))  # s

    def power(self, low: float, high: float) -> float:
        """A number drawn evenly over decades."""
        return float(10 ** self.rng.uniform(low, high))

    def even(self, chance: float) -> bool:
        """Whether something happens that has this chance."""
        return bool(self.rng.random() < chance)


@dataclass(frozen=True, eq=False)
class RandomModel:
    """A model, what it keeps, and what is added to it."""

    model: sp.Model
    duration: float  # s
    changes: tuple[Mapping[Species, int], ...]  # of each of its reactions
    added: Mapping[Species, float]  # uM um^3, in the whole run
    doses: Floats  # s, when something is added at once

    @cached_property
    def system(self) -> System:
        return assemble(self.model)

    def drift(self, end: Mapping[Species, Floats]) -> float:
        """How far the amounts that no reaction changes are from what they were and what was added, relative to all."""
        row = {species: k for k, species in enumerate(self.model)}
        stoichiometry = np.zeros((len(self.changes), len(row)))
        for k, change in enumerate(self.changes):
            for species, number in change.items():
                stoichiometry[k, row[species]] += number
        kept = null_space(stoichiometry)
        kept[np.abs(kept) < ROUNDING] = 0.0
        before = np.array([species.place.measure @ np.broadcast_to(species.initial, len(species.place))
                           + self.added.get(species, 0.0) for species in self.model])
        after = np.array([species.place.measure @ end[species] for species in self.model])
        unseen = np.array([ROUNDING * species.typical * species.place.total for species in self.model])
        all_there = np.abs(kept.T) @ (np.abs(before) + np.abs(after) + unseen)
        return float(np.max(np.abs(kept.T @ (after - before)) / all_there, initial=0.0))


@dataclass(frozen=True, eq=False)
class Reference:
    """What SciPy finds at a tight tolerance."""

    end: Mapping[Species, Floats]
    smallest: float  # at any time, over the scale of its species
    growth: float  # e-folds by which what begins as an error may grow until the end

    def error(self, end: Mapping[Species, Floats]) -> float:
        """The largest error of a species, in the norm by which steps are judged."""
        return max(_size(species, end[species] - values) / (_size(species, values) + species.typical)
                   for species, values in self.end.items())

    @property
    def is_sound(self) -> bool:
        """Whether nothing was ever negative: where links have the wrong sign diffusion itself makes it so."""
        return self.smallest >= -10 * TIGHT


def random_model(seed: int) -> RandomModel:
    """Draw a model."""
    rng = np.random.default_rng(seed)
    draft = Draft(rng, _mesh(rng), float(10 ** rng.uniform(-3, 1)))
    volumes = [place for place in draft.mesh.values() if place.dimension == 3]
    for place in volumes:
        _add_species(draft, place)
        for _ in range(rng.integers(1, 5)):
            _add_reaction(draft, place)
    for place in draft.mesh.values():
        if place.dimension == 2:
            _add_passage(draft, place)
    if draft.even(0.5):
        _add_doses(draft, volumes[0])
    species = [one for here in draft.species.values() for one in here]
    model = sp.Model(species, draft.mechanisms)
    return RandomModel(model, draft.duration, tuple(draft.changes), draft.added, draft.doses)


def _mesh(rng: np.random.Generator) -> Mesh:
    kind = rng.choice(["mixed", "grid", "tetrahedra", "line"])
    if kind == "grid":
        side = 0.5 * int(rng.integers(2, 4))
        return Mesh.of(sp.grid("v0", (0,) * 3, (side,) * 3, 0.5))
    if kind == "line":
        return Mesh.of(sp.grid("v0", (0, 0, 0), (0.1 * int(rng.integers(5, 40)), 0.1, 0.1), 0.1))
    if kind == "tetrahedra":
        return Mesh.of(random_tetrahedra(int(rng.integers(1e6)), int(rng.integers(5, 25))))
    count = int(rng.integers(1, 4))
    volumes = {f"v{k}": float(10 ** rng.uniform(-3, 3)) for k in range(count)}
    areas = {f"m{k}": (float(10 ** rng.uniform(-2, 2)), [f"v{k}", f"v{k + 1}"]) for k in range(count - 1)}
    return sp.well_mixed(volumes, areas)


def _add_species(draft: Draft, place: Place) -> None:
    """One to four species on a place, some of which diffuse, some of which are not there at first."""
    draft.species[place.name] = []
    for k in range(draft.rng.integers(1, 5)):
        moves = len(place.links) > 0 and draft.even(0.7)
        initial: Any = draft.power(-4, 3) if draft.even(0.7) else 0.0
        if initial and draft.even(0.5):
            initial = initial * draft.rng.uniform(0, 1, len(place))
        D = draft.power(-2, 3) if moves else 0.0
        draft.species[place.name].append(Species(f"{place.name} s{k}", place, initial, D))


def _add_reaction(draft: Draft, place: Place) -> None:
    """One or two molecules become one or two, sometimes also back."""
    here = draft.species[place.name]
    left, right = ([here[k] for k in draft.rng.integers(len(here), size=draft.rng.integers(1, 3))] for _ in range(2))
    _add_mass_action(draft, place, left, right)
    if len(left) >= len(right) and draft.even(0.5):
        _add_mass_action(draft, place, right, left)


def _add_mass_action(draft: Draft, place: Place, left: list[Species], right: list[Species]) -> None:
    draft.mechanisms.append(MassAction(place, tuple(left), tuple(right), draft.power(-5, 5)))
    draft.changes.append({species: right.count(species) - left.count(species) for species in (*left, *right)})


def _add_passage(draft: Draft, membrane: Place) -> None:
    one, other = (draft.species[name][0] for name in membrane.touches)
    draft.mechanisms.append(Exchange(membrane, one, other, draft.power(-4, 4)))
    draft.changes.append({one: -1, other: 1})


def _add_doses(draft: Draft, place: Place) -> None:
    """Up to five doses at a point, sometimes a flow as well."""
    species, point = draft.species[place.name][0], draft.mesh.with_points("p", place.centres[:1], [place.name])["p"]
    draft.doses = np.sort(draft.rng.uniform(0, draft.duration, draft.rng.integers(1, 6)))
    dose = draft.power(-3, 2) * place.total * 0.01
    draft.mechanisms.append(Spikes(point, species, draft.doses, dose))
    draft.added[species] = dose * len(draft.doses)
    if draft.even(0.5):
        flow = draft.power(-3, 3) * place.total
        draft.mechanisms.append(Source(point, species, flow))
        draft.added[species] += flow * draft.duration


def reference(case: RandomModel) -> Reference | None:
    """Return what SciPy's BDF finds at a tight tolerance; None for an explosion."""
    system, t, growth, smallest = case.system, 0.0, 0.0, 0.0
    u = system.initial()
    floor = system.typical() * TIGHT / 100

    def room(t: float, u: Floats) -> float:
        return UNBOUNDED - float((u / system.typical()).max())

    room.terminal = True  # type: ignore[attr-defined]
    for stop in [*case.doses, case.duration]:
        run = solve_ivp(lambda t, u: system.rate(u, t), (t, stop), u, "BDF", rtol=TIGHT, atol=floor, events=room)
        if run.t[-1] < stop:
            return None
        growth += _growth(system, run.t, run.y)
        smallest = min(smallest, float((run.y / system.typical()[:, None]).min()))
        u, t = run.y[:, -1].copy(), stop
        if stop in case.doses:
            dosed = np.maximum(u, 0.0)  # SciPy may be a little below it
            system.events.at_instant(dosed, t, np.random.default_rng(0), system.add, system.events.heights(dosed, t))
            u += dosed - np.maximum(u, 0.0)
    state = system.state(u)
    return Reference({species: state[species].copy() for species in case.model}, smallest, growth)


def _growth(system: System, times: Floats, values: Floats) -> float:
    """The integral over time of the largest growth rate of a small deviation, the e-folds by which it may grow."""
    looked_at = np.unique(np.linspace(0, len(times) - 1, LOOKED_AT).astype(int))
    rates = [_fastest_growth(system, times[k], values[:, k]) for k in looked_at]
    return float(np.trapezoid(rates, times[looked_at]))


def _fastest_growth(system: System, t: float, u: Floats) -> float:
    """The largest real part of an eigenvalue of the Jacobian, 0 if nothing grows [1/s]."""
    start, step = system.rate(u, t), 1e-7 * (np.abs(u) + system.typical())
    columns = [(system.rate(u + step * (np.arange(len(u)) == k), t) - start) / step[k] for k in range(len(u))]
    return max(float(np.linalg.eigvals(np.stack(columns, axis=1)).real.max()), 0.0)


def _size(species: Species, values: Floats) -> float:
    """The L2 norm over a species' place, per measure."""
    return float(np.sqrt(species.place.measure @ values**2 / species.place.total))
