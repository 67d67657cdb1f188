"""Events, applied in one place for every engine: in phases, each from the state before it.

At a step's end EachStep acts, then Channels, then OnRise as long as something rises; at an instant AtTimes, then
OnRise. Gains of one phase are added in the order of mechanisms, by the deposit of whoever steps: to concentrations, or
to whole molecules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from spatial._engine.system.gate import passed
from spatial._engine.system.layout import Layout, State
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import AtTimes, Channels, EachStep, Event, Gains, Mechanism, Model, OnRise, Path, Species, events_of
from spatial.view import View, reading

T = TypeVar("T")
Flags = NDArray[np.bool_]
Heights = Sequence[Floats]
"""How far each OnRise of a model is above its threshold: (n,) over the elements where it acts."""

Deposit = Callable[[Floats, Mechanism, Gains], None]
"""Adds gains per measure of where a mechanism acts to a state, in place."""

_ROUNDS = 100  # in which events at one moment may set each other off


@dataclass(frozen=True, eq=False)
class Events:
    """The events of a model, by kind, each with its mechanism, in the order of mechanisms."""

    layout: Layout
    at_times: tuple[tuple[Mechanism, AtTimes], ...]
    each_step: tuple[tuple[Mechanism, EachStep], ...]
    channels: tuple[tuple[Mechanism, Channels], ...]
    on_rise: tuple[tuple[Mechanism, OnRise], ...]

    @cached_property
    def instants(self) -> Floats:
        """(k,) sorted times at which something happens."""
        return np.unique(np.concatenate([np.zeros(0), *self._times]))

    @cached_property
    def _times(self) -> tuple[Floats, ...]:
        """The sorted times of each AtTimes: whether it acts at an instant is found without looking through them all."""
        return tuple(np.unique(np.asarray(event.times, float)) for _, event in self.at_times)

    def longest(self, t: float) -> float:
        """Return how long a step from `t` may be at most [s], as events that bound steps between their times say."""
        return min((longest for first, last, longest in self._bounds if first <= t < last), default=np.inf)

    @cached_property
    def _bounds(self) -> tuple[tuple[float, float, float], ...]:
        """The first and the last time of each event that bounds steps between them, and that bound [s]."""
        bounding = [event for _, event in self.at_times if event.longest < np.inf and len(event.times)]
        return tuple((float(np.min(event.times)), float(np.max(event.times)), event.longest) for event in bounding)

    def named_at(self, t: float) -> str:
        """Who acts at the instant `t`: the kinds of mechanism, or "an event" where none is known beforehand."""
        kinds = [type(mechanism).__name__ for (mechanism, _), times in zip(self.at_times, self._times, strict=True)
                 if _is_among(t, times)]
        return " and ".join(dict.fromkeys(kinds)) or "an event"

    @property
    def within_steps(self) -> bool:
        """Whether something may happen within a step: by chance, in a channel, or at a threshold."""
        return bool(self.each_step or self.channels or self.on_rise)

    def heights(self, u: Floats, t: float) -> Heights:
        """How far each OnRise is above its threshold."""
        return [self._height(u, t, mechanism, event) for mechanism, event in self.on_rise]

    def _height(self, u: Floats, t: float, mechanism: Mechanism, event: OnRise) -> Floats:
        """(n,) how far an OnRise is above its threshold. Raises `InputError` for what is not n numbers."""
        height = _call(mechanism, event, event.height, self._view(u, mechanism), t)
        values = np.array(height)
        if values.shape != (len(mechanism.where),) or values.dtype.kind not in "fiu" or np.isnan(values).any():
            raise InputError(f"{_its(mechanism, event)} has a height at t = {t:g} s that is not "
                             f"{len(mechanism.where)} numbers, one for each element of {mechanism.where.name!r}; it "
                             "must be how far each is above the threshold, such as c[species] - threshold")
        return values.astype(float)

    def plan(self, before: Floats, after: Floats, t: float, horizon: float, rng: np.random.Generator) -> "Plan | None":
        """What channels do in `horizon` [s], at the mean of the states `before` and `after`; None without any."""
        if not self.channels:
            return None
        mean = (before + after) / 2
        paths = [_call(mechanism, event, cast(Any, event.path), self._view(mean, mechanism), t, horizon, rng)
                 for mechanism, event in self.channels]
        for (mechanism, event), path in zip(self.channels, paths, strict=True):
            if not hasattr(path, "first") or not callable(getattr(path, "gains", None)):
                raise InputError(f"{_its(mechanism, event)} returns {type(path).__name__} for a path at t = {t:g} s; "
                                 "it must return an object with first and gains(dt)")
            if not path.first > 0:
                raise InputError(f"{_its(mechanism, event)} first acts {path.first:g} s from t = {t:g} s; it must be "
                                 "later than that, or never, which is infinite")
        return Plan(paths, min(horizon, *(path.first for path in paths)))

    def at_instant(self, u: Floats, t: float, rng: np.random.Generator, deposit: Deposit,
                   heights: Heights) -> tuple[bool, Heights]:
        """Let all that happens at the instant `t` act on `u`; whether something did, and the heights after it."""
        acting = [pair for pair, times in zip(self.at_times, self._times, strict=True) if _is_among(t, times)]
        if acting:
            before = u.copy()
            self._phase(u, t, deposit, [
                _Act(mechanism, event, partial(event.change, self._view(before, mechanism), t, rng))
                for mechanism, event in acting])
        rose, heights = self._rises(u, t, rng, deposit, heights)
        return bool(acting) or rose, heights

    def after_step(self, u: Floats, t: float, dt: float, plan: "Plan | None", rng: np.random.Generator,
                   deposit: Deposit, heights: Heights) -> tuple[bool, bool, Heights]:
        """Let all that happens at the end `t` of a step of `dt` [s] act on `u`.

        Returns whether something happened besides channels, whether a channel opened or closed, and the heights after.
        """
        happened = opened = False
        if self.each_step:
            before = u.copy()
            happened = self._phase(u, t, deposit, [
                _Act(mechanism, event, partial(event.change, self._view(before, mechanism), t, dt, rng))
                for mechanism, event in self.each_step])
        if plan is not None:
            self._phase(u, t, deposit, [_Act(mechanism, event, partial(path.gains, plan.dt))
                                        for (mechanism, event), path in zip(self.channels, plan.paths, strict=True)])
            opened = any(path.first <= plan.dt for path in plan.paths)
        rose, heights = self._rises(u, t, rng, deposit, heights)
        return happened or rose, opened, heights

    def _rises(self, u: Floats, t: float, rng: np.random.Generator, deposit: Deposit,
               heights: Heights) -> tuple[bool, Heights]:
        """Let events act where something has risen through a threshold since `heights`, again while something rises."""
        for done in range(_ROUNDS):
            now = self.heights(u, t)
            rose, heights = risen(heights, now), now
            acting = [(mechanism, event, where) for (mechanism, event), where in zip(self.on_rise, rose, strict=True)
                      if where.any()]
            if not acting:
                return done > 0, heights
            before = u.copy()
            self._phase(u, t, deposit, [
                _Act(mechanism, event, partial(event.change, self._view(before, mechanism), t, where, rng), where)
                for mechanism, event, where in acting])
        names = " and ".join(sorted({type(mechanism).__name__ for mechanism, _, _ in acting}))
        raise InputError(f"{names} set off again and again at t = {t:g} s, {_ROUNDS} times; what an event does must "
                         "not take its own height through the threshold again")

    def _phase(self, u: Floats, t: float, deposit: Deposit, acts: Sequence["_Act"]) -> bool:
        """Deposit the gains of events that act together; whether any is not zero.

        What each sees was put aside before the first acts. Raises `InputError` for gains that an event did not declare
        or that are not numbers, and where less than nothing is left.
        """
        happened = False
        for act in acts:
            gains = _call(act.mechanism, act.event, act.gains)
            self._check_gains(act.mechanism, act.event, gains, t)
            if act.risen is not None:
                gains = {species: np.where(act.risen, gain, 0.0) for species, gain in gains.items()}
            happened |= any(np.any(gain) for gain in gains.values())
            deposit(u, act.mechanism, gains)
        passed(self.layout, u, t, partial(_acting_on, acts))
        return happened

    def _check_gains(self, mechanism: Mechanism, event: Event, gains: Gains, t: float) -> None:
        """Raise `InputError` for gains that an event did not declare, or that are not numbers, one for each element."""
        its, n = _its(mechanism, event), len(mechanism.where)
        if not isinstance(gains, Mapping):
            raise InputError(f"{its} returns {type(gains).__name__} at t = {t:g} s; it must return the gain of each "
                             "species, {species: gain}")
        for species, gain in gains.items():
            if species not in event.changes:
                raise InputError(f"{its} changes {species!r} at t = {t:g} s, which is not among its changes")
            if np.shape(gain) not in ((), (n,)):
                raise InputError(f"{its} changes {species!r} at t = {t:g} s by what has shape {np.shape(gain)}, not "
                                 f"{(n,)}")
            values = np.asarray(gain, float)
            if not np.isfinite(values).all():
                raise InputError(f"{its} changes {species!r} at t = {t:g} s by what is not a finite number")
            if not species.signed and species not in event.takes and values.size and values.min() < 0:
                raise InputError(f"{its} lowers {species!r} at t = {t:g} s, which is not among its takes")

    def _view(self, u: Floats, mechanism: Mechanism) -> View:
        return View(State(u, self.layout), mechanism.where)


@dataclass(frozen=True)
class _Act:
    """An event that acts now: whose it is, what gives its gains, and where they count, if not everywhere."""

    mechanism: Mechanism
    event: Event
    gains: Callable[[], Gains]
    risen: Flags | None = None


def _acting_on(acts: Sequence[_Act], species: Species) -> str:
    """The kinds of mechanism whose events, of those that act together, change a species."""
    kinds = [type(act.mechanism).__name__ for act in acts if species in act.event.changes]
    return " and ".join(dict.fromkeys(kinds)) or "an event"


def _is_among(t: float, times: Floats) -> bool:
    """Whether a time is one of some sorted times."""
    place = np.searchsorted(times, t)
    return bool(place < len(times) and times[place] == t)


def _its(mechanism: Mechanism, event: Event) -> str:
    """What an event is called in a message."""
    return f"{type(mechanism).__name__}: its {type(event).__name__}"


def _call(mechanism: Mechanism, event: Event, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function of a mechanism's event, which may only read what it sees; an error is told whose it is."""
    try:
        return reading(type(mechanism).__name__, function, *arguments)
    except Exception as error:
        if not isinstance(error, InputError):
            error.add_note(f"in {_its(mechanism, event)}")
        raise


@dataclass(frozen=True)
class Plan:
    """What channels do in a step, up to its end or to when another mechanism feels one of them: `dt` [s]."""

    paths: Sequence[Path]
    dt: float


def risen(before: Heights, now: Heights) -> list[Flags]:
    """Where each of several heights above a threshold was negative before and is no longer."""
    return [(low < 0) & (high >= 0) for low, high in zip(before, now, strict=True)]


def scheduled(model: Model, layout: Layout) -> Events:
    """The events of a model, to act on a flat state of this layout."""
    pairs = list(_declared(model))

    def of(kind: type) -> tuple[tuple[Mechanism, Event], ...]:
        return tuple((mechanism, event) for mechanism, event in pairs if type(event) is kind)

    return Events(layout, of(AtTimes), of(EachStep), of(Channels), of(OnRise))  # type: ignore[arg-type]


def _declared(model: Model) -> Iterator[tuple[Mechanism, Event]]:
    """Each event of a model with its mechanism."""
    for mechanism in model.mechanisms:
        for event in events_of(mechanism):
            yield mechanism, event
