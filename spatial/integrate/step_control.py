"""How long a step may be: the error of each species against its own scale, and no negative value."""

from dataclasses import dataclass

import numpy as np

from spatial.checks import InputError, positive
from spatial.geometry.place import Floats
from spatial.integrate.method import Method
from spatial.integrate.positivity import repair
from spatial.model import Gains, Mechanism, Species
from spatial.system import System

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 4.0
_PEAK = 5.0  # times the relative tolerance: what may be wrong at one element
_MOST_TRIES = 40
_MOST_MENDS = 6
_BOTTOMLESS = 0.5  # a drain that takes this part of its rate from nothing is an error of the model's
_IDLE = 1e-2  # s: the longest first step, lest what starts later without an event be stepped over
_NOTHING = 1e-40  # so little that its square would slow down the processor (denormal numbers)
_DUST = 1e-15  # of its typical size: a mean so small is zero


@dataclass(frozen=True)
class Tolerance:
    """What a step must meet.

    The error of a species is its L2 norm over the place, relative to that of the species itself plus its
    typical size; anywhere it may be five times that, relative to the largest value, so that a
    microdomain counts however small a part of its place it is. What is estimated is the error of a companion
    of one order less; the solution kept has been measured to err ten times less on well-shaped meshes.
    """

    relative: float = 2e-2
    longest: float = np.inf  # s
    shortest: float = 1e-12  # s

    def __post_init__(self) -> None:
        for name in ("relative", "longest", "shortest"):
            value = getattr(self, name)
            if not (name == "longest" and value == np.inf):
                positive(f"tolerance: {name}", value)


@dataclass(frozen=True)
class Step:
    """A step that was accepted."""

    u: Floats
    t: float
    dt: float
    suggested: float  # length of the next one [s]
    rejected: int


def tolerated(system: System, u: Floats, tolerance: Tolerance) -> dict[Species, float]:
    """The L2 error, averaged over its place, that a step may make in each species."""
    state, found = system.state(u), {}
    for species in system.model:
        found[species] = tolerance.relative * (_size(species, state[species]) + species.typical)
    return found


def errors(system: System, error: Floats, allowed: dict[Species, float]) -> dict[Species, float]:
    """The L2 error of each species over what is allowed: all below 1 for a good step."""
    wrong = system.state(error)
    return {species: _size(species, wrong[species]) / most for species, most in allowed.items()}


def peaks(system: System, error: Floats, u: Floats, tolerance: Tolerance) -> dict[Species, float]:
    """The largest error of each species anywhere over what is allowed there."""
    state, wrong, found = system.state(u), system.state(error), {}
    for species in system.model:
        most = _PEAK * tolerance.relative * (float(np.abs(state[species]).max()) + species.typical)
        found[species] = float(np.abs(wrong[species]).max()) / most
    return found


def _size(species: Species, values: Floats) -> float:
    """The L2 norm of (n,) values, averaged over the species' place."""
    return float(np.sqrt(species.place.measure @ values**2 / species.place.total))


def first_step(system: System, u: Floats, t: float, tolerance: Tolerance) -> float:
    """A cautious length [s] for a step from a state about which nothing is known."""
    allowed = tolerated(system, u, tolerance)
    speed = max(errors(system, system.rate(u, t), allowed).values(), default=0.0)
    return min(tolerance.longest, _IDLE, max(10 * tolerance.shortest, 1.0 / speed if speed > 0 else np.inf))


def after_event(system: System, u: Floats, t: float, dt: float, tolerance: Tolerance) -> float:
    """A length [s] to try after an event: between the cautious one and what went well before it."""
    return float(np.sqrt(dt * min(dt, first_step(system, u, t, tolerance))))


def advance(method: Method, u: Floats, t: float, dt: float, stop: float, tolerance: Tolerance) -> Step:
    """One accepted step from `u` at `t`, of about `dt` and not beyond `stop` [s], where it lands exactly.

    Raises `InputError` naming the species and the place when no step is short enough.
    """
    system = method.system
    f, allowed = system.rate(u, t), tolerated(system, u, tolerance)
    attempt, proposed = method.start(u, t, f, allowed), min(dt, tolerance.longest)
    for rejected in range(_MOST_TRIES):
        dt = _fit(proposed, stop - t)
        after, error = attempt(dt)
        worst, size = _worst(errors(system, error, allowed), peaks(system, error, u, tolerance))
        negative = None if size > 1.0 else _mend(system, u, after, t, allowed)
        factor = float(np.clip(_SAFETY * max(size, 1e-12) ** (-1.0 / method.order), _SHRINK, _GROW))
        if size <= 1.0 and negative is None:
            landed = stop if dt >= stop - t else t + dt
            grown = dt * (min(factor, 1.0) if rejected else factor)
            return Step(after, landed, dt, max(grown, proposed) if dt < proposed else grown, rejected)
        proposed = dt * (0.5 if negative else factor)
        if proposed < tolerance.shortest:
            break
    raise _failure(negative or worst, negative is not None, after, system, t, dt)


def _fit(dt: float, left: float) -> float:
    """A step that reaches what is left in one or in two even steps, rather than leave a sliver."""
    if dt >= left:
        return left
    return left / 2 if dt > left / 2 else dt


def _worst(*measures: dict[Species, float]) -> tuple[Species | None, float]:
    """The species with the largest of several measures of its error, and that error."""
    found = [(size if np.isfinite(size) else np.inf, species) for each in measures for species, size in each.items()]
    size, species = max(found, key=lambda one: one[0], default=(0.0, None))
    return species, size


def _mend(system: System, before: Floats, u: Floats, t: float,
          allowed: dict[Species, float]) -> Species | None:
    """Make every concentration in `u` non-negative in place; the first species that cannot be, or None.

    `before` and `t` are those of the step's start. What diffuses may undershoot because of the mesh,
    whatever the step; what stays where it is undershoots because the step is too long, unless by less
    than is allowed.
    """
    u[np.abs(u) < _NOTHING] = 0.0
    for _ in range(_MOST_MENDS):
        below = np.minimum(u, 0.0)
        undershoot = errors(system, below, allowed) if below.any() else {}
        wrong = [species for species in system.model if not species.signed and undershoot.get(species, 0.0) > 0.0]
        if not wrong:
            return None
        for species in wrong:
            c, K = system.state(u)[species], system.stiffness[species.place.name]
            spreads = species.D > 0 and K.nnz > 0
            if not spreads and undershoot[species] > 1.0:
                return species
            amount = float(species.place.measure @ c)
            if amount <= 0.0 and not _hand_back(system, before, u, t, species, -amount, allowed):
                return species
            repair(c, species.place.measure, K if spreads else None)
    return wrong[0]


def _hand_back(system: System, before: Floats, u: Floats, t: float, species: Species, amount: float,
               allowed: dict[Species, float]) -> bool:
    """Undo as much of what consumed a species as was taken beyond what there was; whether that was possible.

    Wherever a mechanism consumed it at the step's start, the mechanism gives back the same part, with
    all its other gains, so that whatever the mechanisms conserve stays conserved. Where nothing
    consumed it, what produces it goes on for as much longer. Neither may change anything by more than is allowed.
    """
    dust = _DUST * species.typical * species.place.total
    if amount <= dust:
        c = system.state(u)[species]
        c[:] = 0.0
        return True
    empty = u.copy()
    system.state(empty)[species][:] = 0.0
    acting, taken_from_nothing = _flows(system, before, t, species), _flows(system, empty, t, species)
    for sign in (-1.0, 1.0):
        total = _sum(acting, sign)
        if total == 0.0 or (sign < 0.0 and _sum(taken_from_nothing, sign) > _BOTTOMLESS * total):
            continue
        change, part = np.zeros_like(u), sign * (amount + dust) / total
        for mechanism, gains, flow in acting:
            system.add(change, mechanism, {one: part * np.where(sign * flow > 0.0, gain, 0.0)
                                           for one, gain in gains.items()})
        if max(errors(system, change, allowed).values()) <= 1.0:
            u += change
            return True
    return False


Flows = list[tuple[Mechanism, Gains, Floats]]


def _flows(system: System, u: Floats, t: float, species: Species) -> Flows:
    """Each mechanism that changes a species, its gains, and the amount per second by element."""
    return [(mechanism, gains, np.asarray(gains[species] * mechanism.where.measure))
            for mechanism, gains in system.gains(u, t) if species in gains]


def _sum(flows: Flows, sign: float) -> float:
    return sum(float(np.maximum(sign * flow, 0.0).sum()) for _, _, flow in flows)


def _failure(species: Species | None, negative: bool, u: Floats, system: System, t: float, dt: float) -> InputError:
    """What to say when no step is short enough."""
    if species is None:
        return InputError(f"no step is short enough at t = {t:g} s")
    values = system.state(u)[species]
    element = int(np.argmin(values) if negative else np.argmax(np.abs(values)))
    x, y, z = species.place.centres[element]
    what = "goes below zero" if negative else "changes too fast"
    return InputError(f"{species.name!r} {what} near ({x:.3g}, {y:.3g}, {z:.3g}) um in {species.place.name!r} at "
                      f"t = {t:g} s, even with a step of {dt:.1g} s; check the rates of the mechanisms that change it")
