"""The first look at a mechanism: what its rates read and gain, and that they say the same whenever they are asked."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from inspect import getclosurevars, signature
from types import FunctionType
from typing import Any

import numpy as np

from spatial._engine.system.layout import Layout
from spatial.checks import InputError, shown
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats
from spatial.model import (
    AtTimes,
    Channels,
    Concentrations,
    EachStep,
    Gains,
    Mechanism,
    OnRise,
    Reaction,
    Reactions,
    Species,
    events_of,
)
from spatial.parameters import Value, numbers_in, numbers_of
from spatial.parts import with_parts
from spatial.view import View, reading

_ROUNDING = 1e-9  # of what reactions make and take: by so little their sum may differ from the rates
_CHANCE = "let chance act in an event, EachStep or Channels"
_KEPT = "what a mechanism remembers is a species, or changes in an event"


_NO_TEXT, _TEXT = re.compile(r"\b(float|int|Floats|ndarray|Species|Held)\b"), re.compile(r"\b(str|Literal)\b")
_ARGUMENTS: Mapping[type, Mapping[str, tuple[str, ...]]] = {
    AtTimes: {"change": ("c", "t", "rng")},
    OnRise: {"height": ("c", "t"), "change": ("c", "t", "risen", "rng")},
    EachStep: {"change": ("c", "t", "dt", "rng")},
    Channels: {"path": ("c", "t", "horizon", "rng")}}
"""What the functions of each kind of event are called with."""


@dataclass(frozen=True)
class FirstLook:
    """What the rates of a mechanism read, and what they gain in the initial state."""

    reads: tuple[Species, ...]
    gains: Gains


def first_look(layout: Layout, initial: Concentrations, mechanism: Mechanism,
               tried: Sequence[Concentrations]) -> FirstLook:
    """Ask for the rates of a mechanism in the initial state, and in states in which it is `tried`.

    Raises `InputError` for rates that fail, that return no gains, or gains of what the model has not or that do not
    fit; for rates that differ from call to call or change the mechanism; and for reactions that do not sum to them.
    """
    _check_fields(mechanism)
    _check_events(layout, mechanism)
    seen: dict[Species, None] = {}
    before = _Memory.of(mechanism)

    def read(state: Concentrations) -> Gains:
        view = View(state, mechanism.where, lambda species: seen.setdefault(species))
        return reading(type(mechanism).__name__, mechanism.rates, view, 0.0)

    gains = _called("rates", lambda: read(initial))
    check_mapping(gains)
    _check_gains(layout, mechanism, gains)
    kept = {species: np.array(gain) for species, gain in gains.items()}
    again = read(initial)
    before.check_same(mechanism)
    _check_alike(kept, again)
    _check_reactions(layout, mechanism, initial, gains)
    for state in tried:
        _try(layout, mechanism, state, read)
    before.check_same(mechanism)
    return FirstLook(tuple(seen), gains)


def check_mapping(gains: object) -> None:
    """Raise `InputError` unless what rates returned gives a gain for each of some species."""
    if gains is None:
        raise InputError("its rates return nothing; end them with return {species: gain}, or {} where none changes")
    if not isinstance(gains, Mapping):
        raise InputError(f"its rates return {type(gains).__name__}; they must return the gain of each species, "
                         "{species: gain}")
    for key in gains:
        if not isinstance(key, Species):
            raise InputError(f"its rates return the gain of {key!r}, which is no species; they must return it by "
                             "species, {species: gain}")


def _called(what: str, function: Callable[[], Any]) -> Any:
    """What a function of a mechanism returns; raises `InputError` with its error where it fails."""
    try:
        return function()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"its {what} fail in the initial state: {type(error).__name__}: {error}") from error


def _check_fields(mechanism: Mechanism) -> None:
    """Raise `InputError` for text where a field of a mechanism, or of its parts, is a number or a species."""
    for thing, name in with_parts(mechanism):
        for field in fields(thing):
            value, kind = getattr(thing, field.name), str(field.type)
            if isinstance(value, str) and _NO_TEXT.search(kind) and not _TEXT.search(kind):
                raise InputError(f"{name}: {field.name} is {value!r}, which is text; it must be the number or the "
                                 "species itself, such as 3 * uM")


def _check_events(layout: Layout, mechanism: Mechanism) -> None:
    """Raise `InputError` for an event whose functions take other arguments, or that changes what it cannot."""
    for event in events_of(mechanism):
        for name, arguments in _ARGUMENTS[type(event)].items():
            _check_arguments(type(event).__name__, name, getattr(event, name), arguments)
        for species in event.changes:
            _check_known(layout, mechanism, species)


def _check_arguments(event: str, name: str, function: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    """Raise `InputError` unless a function of an event can be called with so many arguments."""
    try:
        called = signature(function)
    except (TypeError, ValueError):
        return
    try:
        called.bind(*arguments)
    except TypeError as error:
        raise InputError(f"{name} of its {event} takes {called}; it is called with ({', '.join(arguments)})") from error


def _check_known(layout: Layout, mechanism: Mechanism, species: Species) -> None:
    """Raise `InputError` for a species that is not in the model, or not where the mechanism can change it."""
    if species not in layout.columns:
        raise InputError(f"it changes {species!r}, which is not a species of this model")
    touched(mechanism.where, species.place)


def _check_gains(layout: Layout, mechanism: Mechanism, gains: Gains) -> None:
    """Raise `InputError` for gains of an unknown species, of the wrong shape, or that are not numbers."""
    for species, gain in gains.items():
        _check_known(layout, mechanism, species)
        _check_gain(species, gain, len(mechanism.where))


def _check_gain(species: Species, gain: Any, n: int) -> None:
    """Raise `InputError` unless a gain is one number, or n."""
    try:
        values = np.asarray(gain)
        is_number = values.dtype.kind in "fiub"
    except ValueError:
        is_number = False
    if not is_number:
        raise InputError(f"its gain of {species.name!r} is {type(gain).__name__} and holds no numbers; it must be "
                         f"one number, or an array of shape {(n,)}")
    if values.shape not in ((), (n,)):
        raise InputError(f"its gain of {species.name!r} has shape {values.shape}, not {(n,)}")
    if not np.isfinite(values).all():
        raise InputError(f"its gain of {species.name!r} is not finite in the initial state")


def _check_alike(gains: Mapping[Species, Floats], again: Gains) -> None:
    """Raise `InputError` for rates that give other gains when they are asked again in the same state."""
    check_mapping(again)
    if again.keys() != gains.keys():
        raise InputError(f"its rates name {_names(gains)} and then {_names(again)} in one and the same state; they "
                         "must name the same species always, with a gain of 0 where there is none")
    for species, gain in gains.items():
        if not np.array_equal(gain, again[species], equal_nan=True):
            raise InputError(f"its rates give two gains of {species.name!r} in one and the same state, "
                             f"{_differing(gain, again[species])}; they must follow from what they read alone: "
                             f"{_CHANCE}")


def _differing(one: Any, other: Any) -> str:
    """The first two values that differ."""
    first, second = np.broadcast_arrays(np.asarray(one, float), np.asarray(other, float))
    k = int(np.argmax((first != second).ravel()))
    return f"{first.ravel()[k]:.9g} and {second.ravel()[k]:.9g}"


def _names(species: Iterable[Species]) -> list[str]:
    return [one.name for one in species]


@dataclass(frozen=True)
class _Memory:
    """What rates must leave as it is: the numbers of their mechanism, and all generators that they may draw from."""

    numbers: Mapping[str, Value]
    generators: Sequence[np.random.Generator]
    standing: Sequence[Any]

    @classmethod
    def of(cls, mechanism: Mechanism) -> "_Memory":
        """The memory of a mechanism as it is now."""
        generators = list(_generators(mechanism))
        return cls(dict(_own_numbers(mechanism)), generators, _standing(generators))

    def check_same(self, mechanism: Mechanism) -> None:
        """Raise `InputError` unless the memory of the mechanism is still this."""
        for name, value in _own_numbers(mechanism):
            if name not in self.numbers or repr(self.numbers[name]) != repr(value):
                raise InputError(f"its rates change its own {name!r}; they are asked any number of times in a step, "
                                 f"and must change nothing: {_KEPT}")
        if _standing(self.generators) != self.standing:
            raise InputError(f"its rates draw random numbers; they are asked any number of times in a step: {_CHANCE}")


def _own_numbers(mechanism: Mechanism) -> Iterator[tuple[str, Value]]:
    """The numbers that a mechanism holds, each with its path; not what its properties keep for later."""
    yield from numbers_of(mechanism)
    named = {field.name for field in fields(mechanism)} if is_dataclass(mechanism) else set[str]()
    for name, value in getattr(mechanism, "__dict__", {}).items():
        if named and name not in named and not hasattr(type(mechanism), name):
            yield from numbers_in(value, name)


def _standing(generators: Sequence[np.random.Generator]) -> list[Any]:
    """Where these generators stand, and those kept for all."""
    own = [repr(generator.bit_generator.state) for generator in generators]
    _, key, position, *_ = np.random.get_state()  # noqa: NPY002
    return [*own, np.asarray(key).tobytes(), position, random.getstate()]


def _generators(mechanism: Mechanism) -> Iterator[np.random.Generator]:
    """The random generators that the rates of a mechanism may draw from: in its fields, or named in them."""
    names = [field.name for field in fields(mechanism)] if is_dataclass(mechanism) else list[str]()
    values = [getattr(mechanism, name) for name in names]
    values += getattr(mechanism, "__dict__", {}).values()
    rates = getattr(mechanism.rates, "__func__", mechanism.rates)
    if isinstance(rates, FunctionType):
        values += getclosurevars(rates).globals.values()
        values += getclosurevars(rates).nonlocals.values()
    return (value for value in values if isinstance(value, np.random.Generator))


def _check_reactions(layout: Layout, mechanism: Mechanism, state: Concentrations, gains: Gains) -> None:
    """Raise `InputError` for reactions that do not sum to the rates, or one of which has a negative rate."""
    if not isinstance(mechanism, Reactions):
        return
    listed = _reactions(mechanism, state)
    if listed is None:
        return
    n, in_events = len(mechanism.where), {species for event in events_of(mechanism) for species in event.changes}
    made, turned = dict[Species, Floats](), dict[Species, Floats]()
    for reaction in listed:
        rate = np.asarray(reaction.rate, float)
        may_run_back = any(species.signed for species in reaction.change)  # where there is less than nothing of it
        if rate.shape not in ((), (n,)) or not (may_run_back or (rate >= 0).all()):
            raise InputError(f"the rate of a reaction of {list(reaction.change)} has shape {rate.shape} and smallest "
                             f"value {rate.min():.3g}; it must have shape {(n,)} and be >= 0: what runs backwards is "
                             "a reaction of its own")
        for species, count in reaction.change.items():
            _check_known(layout, mechanism, species)
            made[species] = made.get(species, np.zeros(n)) + count * rate
            turned[species] = turned.get(species, np.zeros(n)) + abs(count) * rate
    for species in dict.fromkeys([*gains, *made]):
        if species not in gains and species in in_events:
            continue
        gain = np.broadcast_to(np.asarray(gains.get(species, 0.0), float), n)
        summed, size = made.get(species, np.zeros(n)), turned.get(species, np.zeros(n)) + np.abs(gain)
        wrong = np.abs(summed - gain) > _ROUNDING * size
        if wrong.any():
            k = int(np.argmax(wrong))
            raise InputError(f"its reactions make {summed[k]:.6g} of {species.name!r} where its rates gain "
                             f"{gain[k]:.6g}; the changes of all reactions times their rates must sum to the rates")


def _reactions(mechanism: Reactions, state: Concentrations) -> Sequence[Reaction] | None:
    """The reactions of a mechanism; None where it has none as it is."""
    where = mechanism.where  # type: ignore[attr-defined]
    try:
        listed: object = mechanism.reactions(View(state, where), 0.0)
    except InputError:
        return None
    except Exception as error:
        raise InputError(f"its reactions fail in the initial state: {type(error).__name__}: {error}") from error
    if not isinstance(listed, Sequence) or not all(isinstance(reaction, Reaction) for reaction in listed):
        raise InputError(f"its reactions return {type(listed).__name__}; they must return a list of "
                         "Reaction(change, rate)")
    for reaction in listed:
        _check_reaction(reaction)
    return listed


def _check_reaction(reaction: Reaction) -> None:
    """Raise `InputError` unless a reaction says what it changes, by species, and its rate in numbers."""
    if not isinstance(reaction.change, Mapping) or not all(isinstance(key, Species) for key in reaction.change):
        raise InputError(f"a reaction of it changes {shown(reaction.change)}; it must be {{species: count}}, the count "
                         "below 0 of what it takes")
    if np.asarray(reaction.rate).dtype.kind not in "fiu":
        raise InputError(f"the rate of a reaction of {list(reaction.change)} is {shown(reaction.rate)}; it must be "
                         "numbers: Reaction({species: count}, rate) with counts below 0 of what it takes")


def _try(layout: Layout, mechanism: Mechanism, state: Concentrations, read: Callable[[Concentrations], Gains]) -> None:
    """Check in another state that rates are the same again, and reactions their sum.

    What a law cannot stand there is its own: then nothing is said.
    """
    with np.errstate(all="ignore"):
        try:
            gains, again = read(state), read(state)
        except Exception:
            return
        if not isinstance(gains, Mapping) or not all(np.isfinite(gain).all() for gain in gains.values()):
            return
        _check_alike({species: np.asarray(gain) for species, gain in gains.items()}, again)
        _check_reactions(layout, mechanism, state, gains)
