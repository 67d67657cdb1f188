"""No negative value at a step's end: what undershoots is borrowed from neighbours, or undone reaction by reaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from spatial._engine.methods.tolerance import Tolerance, errors, peaks, tolerated
from spatial._engine.operators.repair import repair
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

_MOST_MENDS = 6
_BOTTOMLESS = 0.5  # a drain that takes this part of its rate from nothing is an error of the model's
_NOTHING = 1e-40  # so little that its square would slow down the processor (denormal numbers)
_ROUNDING = 1e-15  # of what there was: an amount so small is zero
_MORE = 1.01  # times what is missing is handed back, lest rounding leave some
_UNFELT = 0.2  # of what a step may err: so much mending may change without the next steps being shorter for it
_PLENTY = 1e12  # times what is missing: as good as no bound


def largest(*measures: dict[Species, float]) -> tuple[Species | None, float]:
    """The species with the largest of several measures of its error, and that error."""
    found = [(size if np.isfinite(size) else np.inf, species) for each in measures for species, size in each.items()]
    size, species = max(found, key=lambda one: one[0], default=(0.0, None))
    return species, size


@dataclass(frozen=True, eq=False)
class Start:
    """Where a step starts, and what it may err."""

    system: System
    u: Floats
    t: float
    tolerance: Tolerance
    allowed: dict[Species, float]

    def worst(self, error: Floats) -> tuple[Species | None, float]:
        """The species with the largest error, on average or anywhere, and that over what is allowed."""
        return largest(errors(self.system, error, self.allowed), peaks(self.system, error, self.u, self.tolerance))


def arriving(start: Start, after: Floats) -> Start:
    """A step's start for errors beside the larger of the states at its start and at its end, `after`."""
    larger = np.maximum(np.abs(start.u), np.abs(after))
    allowed = tolerated(start.system, larger, start.tolerance)
    return Start(start.system, larger, start.t, start.tolerance, allowed)


@dataclass(frozen=True)
class Mended:
    """What mending a step's end came to."""

    stuck: Species | None  # what could not be made non-negative
    moved: Mapping[Species, float]  # the amount of each species that the repair took from elsewhere


def mend(start: Start, u: Floats) -> Mended:
    """Make every concentration in `u`, at the step's end, non-negative in place, where that can be done.

    What diffuses may undershoot because of the mesh, whatever the step; what stays where it is undershoots
    because the step is too long, unless by less than is allowed.
    """
    system, moved = start.system, dict[Species, float]()
    u[np.abs(u) < _NOTHING] = 0.0
    for _ in range(_MOST_MENDS):
        below = np.minimum(u, 0.0)
        undershoot = errors(system, below, start.allowed) if below.any() else {}
        wrong = {species: species.D > 0 and system.stiffness[species.place.name].nnz > 0
                 for species in system.model if not species.signed and undershoot.get(species, 0.0) > 0.0}
        if not wrong:
            return Mended(None, moved)
        for species, spreads in wrong.items():
            if not spreads and undershoot[species] > 1.0:
                return Mended(species, moved)
        short = _short(start, u, wrong)
        if short and not _hand_back(start, u, short):
            return Mended(short[0], moved)
        for species, spreads in wrong.items():
            K = system.stiffness[species.place.name] if spreads else None
            moved[species] = moved.get(species, 0.0) + _repaired(system.layout.values(u, species), species, K)
    return Mended(next(iter(wrong)), moved)


def _repaired(values: Floats, species: Species, K: csr_matrix | None) -> float:
    """Repair the values (n,) of a species in place; the amount that this moves."""
    before, V = values.copy(), species.place.measure
    repair(values, V, K)
    return float(V @ np.abs(values - before)) / 2


def _short(start: Start, u: Floats, wrong: Iterable[Species]) -> list[Species]:
    """Those of which less than nothing is left in all; what is only rounding beside what there was is dropped."""
    state, before, found = start.system.state(u), start.system.state(start.u), list[Species]()
    for species in wrong:
        V, c = species.place.measure, state[species]
        amount, rounding = float(V @ c), float(V @ (_ROUNDING * (np.abs(before[species]) + np.abs(c)) + _NOTHING))
        if amount < -rounding:
            found.append(species)
        elif amount <= 0.0:
            start.system.layout.values(u, species)[:] = 0.0
    return found


def _hand_back(start: Start, u: Floats, short: list[Species]) -> bool:
    """Undo what was taken of these species beyond what there was; whether that was possible.

    What a mechanism does more where there is more of a species keeps all that the mechanism keeps, however little
    of it there is. Of such changes, forward or back, the least are made that leave no amount negative; they may
    change nothing anywhere by more than a part of what is allowed, or the next steps would have to follow them.
    """
    if any(_bottomless(start, u, species) for species in short):
        return False
    changes = _responses(start, u, short)
    parts = _least(start.system, u, changes) if changes else None
    if parts is None:
        return False
    change = sum(part * one for part, one in zip(parts, changes, strict=True))
    if start.worst(change)[1] > _UNFELT:
        return False
    u += change
    return True


def _bottomless(start: Start, u: Floats, species: Species) -> bool:
    """Whether most of what consumed a species would go on where there is none."""
    system, empty = start.system, u.copy()
    system.layout.values(empty, species)[:] = 0.0
    changing = [term for term in system.terms if species in term.changes]
    consumed, from_nothing = (
        sum(float(np.maximum(-gains[species] * mechanism.where.measure, 0.0).sum())
            for mechanism, gains in system.gains(state, start.t, changing)) for state in (start.u, empty))
    return from_nothing > _BOTTOMLESS * consumed > 0.0


def _responses(start: Start, u: Floats, short: list[Species]) -> list[Floats]:
    """(size,) each: what one mechanism that changes one of these does more, per second, for more of one it looks at.

    More of it where it is, or where it has undershot.
    """
    system, t, found = start.system, start.t, list[Floats]()
    terms = [term for term in system.terms if any(species in term.changes for species in short)]
    now = system.gains(u, t, terms)
    acting = [(term, gains) for term, (_, gains) in zip(terms, now, strict=True)]
    for source in dict.fromkeys(species for term, _ in acting for species in term.reads):
        raised, more = u.copy(), np.abs(system.state(u)[source])
        if not more.any():
            continue
        system.layout.values(raised, source)[:] += more * max(1.0, source.typical / more.max())
        looking = [(term, less) for term, less in acting if source in term.reads]
        more_gains = system.gains(raised, t, (term for term, _ in looking))
        for (mechanism, gains), (_, less) in zip(more_gains, looking, strict=True):
            found.append(np.zeros_like(u))
            system.add(found[-1], mechanism, {one: gains[one] - less[one] for one in gains})
    return found


def _least(system: System, u: Floats, changes: list[Floats]) -> Floats | None:
    """(k,) how much of each of k changes leaves no amount negative: as little as can be; None if nothing does.

    Amounts are counted in what is missing of them or, where nothing is, in the most that is missing of any.
    """
    held = [species for species in system.model if not species.signed]

    def amounts(values: Floats) -> Floats:
        state = system.state(values)
        return np.array([float(species.place.measure @ state[species]) for species in held])

    now, effects = amounts(u), np.stack([amounts(change) for change in changes], axis=1)
    if not np.isfinite(effects).all():
        return None
    unit = np.where(now < 0.0, -now, -now.min())
    effects /= unit[:, None]
    size = np.abs(effects).max(axis=0)
    size[size == 0.0] = 1.0
    effects /= size
    spare = np.where(now < 0.0, -_MORE, np.minimum(now / unit, _PLENTY))
    found = linprog(np.ones(2 * len(size)), A_ub=np.hstack([-effects, effects]), b_ub=spare)
    if not found.success:
        return None
    forward, back = np.split(np.asarray(found.x), 2)
    return np.asarray((forward - back) / size)
