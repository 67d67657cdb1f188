"""How long a step may be: the error of each species against its own scale, and no negative value."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatial._engine.linear.krylov import TooLarge
from spatial._engine.methods.method import BEFORE, Attempts, Fading, Method
from spatial._engine.methods.tolerance import Tolerance, errors, tolerated
from spatial._engine.stepping.positivity import Mended, Start, arriving, mend
from spatial._engine.system.right_hand_side import NoNumber, System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Species

_RESTART = 3e-5  # s: no shorter step is tried after a channel has opened or closed
SETTLING = 1e-4  # s after that, what is left of the error of this step must be small: channels feel nothing so brief
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 4.0
_MOST_TRIES = 40
_IDLE = 1e-2  # s: the longest first step, lest what starts later without an event be stepped over


@dataclass(frozen=True)
class Step:
    """A step that was accepted."""

    u: Floats
    t: float
    dt: float
    suggested: float  # length of the next one [s]
    rejected: int
    worst: Species | None  # the one that bounded its length, if any
    moved: Mapping[Species, float]  # the amounts that the repair of what undershot took from elsewhere


def first_step(system: System, u: Floats, t: float, tolerance: Tolerance) -> float:
    """A cautious length [s] for a step from a state about which nothing is known."""
    allowed = tolerated(system, u, tolerance)
    speed = max(errors(system, system.rate(u, t), allowed).values(), default=0.0)
    return min(tolerance.longest, _IDLE, max(10 * tolerance.shortest, 1.0 / speed if speed > 0 else np.inf))


def after_event(system: System, before: Floats, u: Floats, t: float, dt: float, tolerance: Tolerance) -> float:
    """A length [s] to try after an event that made `u` of the state `before`, where steps of `dt` went well.

    What the event did to du/dt shortens it: so far that this, and how fast it changes in turn, moves nothing by more
    than a step may err (as the first step of Hairer, Norsett & Wanner, II.4). What no rate feels does not. Channels
    that follow the mean of a field over each step, whatever it errs, need it short: between the cautious length and
    `dt`.
    """
    if system.events.channels:
        return float(np.sqrt(dt * min(dt, first_step(system, u, t, tolerance))))
    start, f = Start(system, u, t, tolerance, tolerated(system, u, tolerance)), system.rate(u, t)
    felt = f - system.rate(before, t - (1.0 - BEFORE) * dt)
    speed = start.worst(felt)[1]
    if speed * dt <= 1.0:
        return dt
    cautious = max(10 * tolerance.shortest, 1.0 / speed)
    bend = start.worst((system.rate(u + cautious * felt, t) - f) / cautious)[1]
    return min(dt, max(cautious, bend ** -0.5 if bend > 0.0 else dt))


def after_opening(system: System, u: Floats, t: float, dt: float, tolerance: Tolerance) -> float:
    """A length [s] to try after a channel has opened or closed, where steps of `dt` went well.

    Where the field changes fast a step so short that it follows is worth nothing: see `advance`.
    """
    cautious = first_step(system, u, t, tolerance)
    if cautious < _RESTART:
        return _RESTART
    return float(np.sqrt(dt * min(dt, cautious)))


def advance(method: Method, u: Floats, t: float, dt: float, stop: float, tolerance: Tolerance,
            settling: float = 0.0) -> Step:
    """One accepted step from `u` at `t`, of about `dt` and not beyond `stop` [s], where it lands exactly.

    Of its error what counts is what is left of it `settling` [s] after its start, beside what there is at its end.
    Where a channel opens Ca2+ rises so steeply from so little that steps would begin at some 10 ns otherwise, to
    resolve what the next 0.1 ms forget.

    Raises `InputError` naming the species and the place when no step is short enough.
    """
    system = method.system
    f, allowed = system.rate(u, t), tolerated(system, u, tolerance)
    start = Start(system, u, t, tolerance, allowed)
    attempts = method.start(u, t, f, allowed)
    proposed = min(dt, tolerance.longest, attempts.longest)
    failure: InputError | None = None
    for rejected in range(_MOST_TRIES):
        dt = _fit(proposed, stop - t)
        try:
            trial = _tried(method, attempts, start, dt, settling)
        except NoNumber as error:
            failure, factor = error, _SHRINK
        except TooLarge:
            failure, factor = None, _SHRINK
            trial = _Trial(u, start.worst(f)[0], False, False, _SHRINK, {})
        else:
            if trial.is_good:
                landed = stop if dt >= stop - t else t + dt
                grown = dt * (min(trial.factor, 1.0) if rejected else trial.factor)
                suggested = max(grown, proposed) if dt < proposed else grown
                return Step(trial.u, landed, dt, suggested, rejected, trial.worst, trial.moved)
            failure, factor = None, trial.factor
        proposed = dt * factor
        if proposed < tolerance.shortest:
            break
    raise failure or _failure(trial, system, t, dt)


@dataclass(frozen=True, eq=False)
class _Trial:
    """A step that was tried."""

    u: Floats
    worst: Species | None  # the species that errs most, or that goes below zero
    is_negative: bool
    is_good: bool
    factor: float  # that the length is to be multiplied by next
    moved: Mapping[Species, float]  # the amounts that the repair of what undershot took from elsewhere


def _tried(method: Method, attempts: Attempts, start: Start, dt: float, settling: float) -> _Trial:
    """A step of `dt` [s], and whether it may be accepted: see `advance`."""
    after, error = attempts.take(dt)
    worst, size = start.worst(error)
    if dt < settling and 1.0 < size < np.inf and isinstance(method, Fading):
        left = method.left_of(error, start.u, start.t, settling - dt, start.allowed)
        worst, size = arriving(start, after).worst(left)
    mended = mend(start, after) if size <= 1.0 else Mended(None, {})
    factor = float(np.clip(_SAFETY * max(size, 1e-12) ** (-1.0 / method.order), _SHRINK, _GROW))
    if mended.stuck is not None:
        return _Trial(after, mended.stuck, True, False, 0.5, {})
    return _Trial(after, worst, False, size <= 1.0, factor, mended.moved)


def _fit(dt: float, left: float) -> float:
    """A step that reaches what is left in one or in two even steps, rather than leave a sliver."""
    if dt >= left:
        return left
    return left / 2 if dt > left / 2 else dt


def _failure(trial: _Trial, system: System, t: float, dt: float) -> InputError:
    """What to say when no step is short enough."""
    if trial.worst is None:
        return InputError(f"no step is short enough at t = {t:g} s")
    values = system.state(trial.u)[trial.worst]
    element = int(np.argmin(values) if trial.is_negative else np.argmax(np.abs(values)))
    what = "goes below zero" if trial.is_negative else "changes too fast"
    place = trial.worst.place
    return InputError(f"{trial.worst.name!r} {what} near {place.position(element)} in {place.name!r} at t = {t:g} s, "
                      f"even with a step of {dt:.1g} s; check the rates of the mechanisms that change it: "
                      f"{system.changers(trial.worst)}")
