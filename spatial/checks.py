"""What is wrong with an input, said in one sentence before any computing starts."""

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, wraps
from pathlib import PurePath
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike

P = ParamSpec("P")
T = TypeVar("T")

MOST_CHARGES = 10
"""The largest valence, without its sign, that an ion can have."""

SIZED = "sized"  # the key of a field's metadata under which its `Sized` is


class InputError(ValueError):
    """The user's input cannot be used; the message says what, where and what would be right."""


class Unusual(UserWarning):
    """A number is possible, and hardly meant: most often it is in another unit."""


@dataclass(frozen=True)
class Sized:
    """What the value of a parameter is compared with, to find a unit that is wrong by 1000."""

    far: float = 100.0  # times its default, up or down, from which a value is hardly meant
    beside: str = ""  # the field of the species whose value is compared with this parameter
    from_below: bool = True  # whether a species far below it is hardly meant either
    opposite: str = ""  # the field of the same on the other side: the two may have been swapped
    below: str = ""  # the field of a species that begins higher
    even_zero: bool = False  # whether that one begins higher, or the species beside it far lower, even at 0
    usual: float = 0.0  # what is compared with instead of a default that there is not
    in_volume: float = 0.0  # what is compared with where a mechanism acts in a volume, if not its default


def sized(default: float, *, far: float = 100.0, beside: str = "", from_below: bool = True, opposite: str = "",
          even_zero: bool = False, usual: float = 0.0, in_volume: float = 0.0) -> Any:
    """Return a field of a dataclass with this default, and with what its value is compared with, see `Sized`."""
    how = Sized(far, beside, from_below, opposite, even_zero=even_zero, usual=usual, in_volume=in_volume)
    return field(default=default, metadata={SIZED: how})


def compared(usual: float, *, far: float = 100.0, from_below: bool = True) -> Any:
    """Return a field of a dataclass without a default, whose value is compared with a usual one, see `Sized`."""
    return field(metadata={SIZED: Sized(far, from_below=from_below, usual=usual)})


def lower_than(name: str, even_zero: bool = False) -> dict[str, Sized]:
    """Return the metadata of a field for a species that begins lower than the one in another field."""
    return {SIZED: Sized(below=name, even_zero=even_zero)}


def parameters(owner: Any, may_be_negative: tuple[str, ...] = (), above_zero: tuple[str, ...] = ()) -> None:
    """Check every field of a dataclass of parameters: of its declared kind; numbers finite, and not negative.

    Numbers in tuples may be negative, and fields named in `may_be_negative`; those in `above_zero` are also not zero.
    Raises `InputError` naming the class, the parameter, its value and what would be right.
    """
    assert is_dataclass(owner)
    for parameter in fields(owner):
        value, name = getattr(owner, parameter.name), f"{type(owner).__name__}: {parameter.name}"
        if isinstance(value, (bool, str)):
            continue
        if isinstance(value, (tuple, list)):
            for part in _numbers_within(value):
                number(name, part, may_be_negative=True)
        elif _is_numeric(value):
            number(name, value, parameter.name in may_be_negative)
            if parameter.name in above_zero:
                positive(name, float(np.min(value)))
    kinds(owner)


def kinds(owner: Any, called: str = "") -> None:
    """Check that every field of a dataclass holds what its annotation says.

    A field of a number may also hold one for each element of the place where a mechanism acts. Annotations that are
    text, as in modules that postpone them, are not looked into. Raises `InputError` naming the class, or what the
    owner is `called`, and the field.
    """
    assert is_dataclass(owner)
    where: Any = getattr(owner, "where", None)
    count = len(where) if hasattr(where, "measure") else None
    for parameter in fields(owner):
        value = getattr(owner, parameter.name)
        if isinstance(parameter.type, str) or _is_of(value, parameter.type, count):
            continue
        name = f"{called or type(owner).__name__}: {parameter.name}"
        is_array = _is_numeric(value) and np.ndim(value) > 0
        if count is not None and is_array and _is_of(np.ravel(value)[0], parameter.type, count):
            raise InputError(f"{name} has shape {np.shape(value)}; {where.name!r} has {count} elements")
        raise InputError(f"{name} is {shown(value)}; it must be {_called(parameter.type)}")


def by_annotation(function: Callable[P, T]) -> Callable[P, T]:
    """Have a function refuse arguments that are not what its annotations say, or numbers that are not finite.

    A number may be infinite where its default is. Raises `InputError` naming the function and the argument.
    """
    return arguments()(function)


def arguments(*, numbers: Collection[str] = (), not_negative: Collection[str] = (), above_zero: Collection[str] = (),
              may_be_nan: Collection[str] = ()) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator: as `by_annotation`, and some arguments, by their names, have a sign.

    A whole number arrives as an int, however it is written. Those named in any of the first three are numbers or arrays
    of them whatever their annotation says: `numbers` of any sign, those `not_negative`, and those `above_zero`. None is
    left alone where an annotation allows it. Arrays named in `may_be_nan` may hold what is not finite.
    """
    signed = {*numbers, *not_negative, *above_zero}

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        who = function.__qualname__.rpartition("<locals>.")[2]

        @wraps(function)
        def checked(*arguments: P.args, **named: P.kwargs) -> T:
            signature = _signature(function)
            try:
                bound = signature.bind(*arguments, **named)
            except TypeError:
                return function(*arguments, **named)
            for name, value in list(bound.arguments.items()):
                parameter, called = signature.parameters[name], f"{who}: {name}"
                values = value if parameter.kind is parameter.VAR_POSITIONAL else (value,)
                for part in values:
                    if not _is_of(part, parameter.annotation, None):
                        raise InputError(f"{called} is {shown(part)}; it must be {_called(parameter.annotation)}")
                if parameter.annotation is int:
                    bound.arguments[name] = int(value)
                if (value is None and parameter.annotation is not Any) or _is_default(value, parameter):
                    continue
                if name in signed or (name not in may_be_nan and _asks_for_numbers(value, parameter.annotation)):
                    number(called, value, may_be_negative=name not in {*not_negative, *above_zero})
                if name in above_zero and np.size(value) and np.min(value) <= 0:
                    raise InputError(f"{called} is {np.min(value):g}; it must be a finite number > 0")
            return function(*bound.args, **bound.kwargs)

        return checked

    return decorated


@cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function; annotations that are text are read, if the names in them are known."""
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:
        return inspect.signature(function)


def _is_default(value: Any, parameter: inspect.Parameter) -> bool:
    """Whether a number is what it is by default."""
    return isinstance(value, (int, float)) and bool(value == parameter.default)


def _asks_for_numbers(value: Any, annotation: Any) -> bool:
    """Whether an argument holds numbers, and nothing but numbers is asked for by its annotation."""
    if annotation is Any or annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return False
    return annotation == ArrayLike or (_is_numeric(value) and np.size(value) > 0)


def number(name: str, value: Any, may_be_negative: bool = False) -> None:
    """Check that `value`, a number or an array of numbers, is finite and, by default, not negative."""
    wanted = "a finite number" if may_be_negative else "a finite number >= 0"
    if not _is_numeric(value):
        raise InputError(f"{name} is {shown(value)}; it must be {wanted}")
    values = np.asarray(value, dtype=float)
    wrong = ~np.isfinite(values) | ((values < 0) & (not may_be_negative))
    if wrong.any():
        shown_number = f"{values[wrong].flat[0]:g}" if values.ndim else f"{float(values):g}"
        raise InputError(f"{name} is {shown_number}; it must be {wanted}")


def positive(name: str, value: Any) -> None:
    """Check that `value` is one number, finite and above zero."""
    if not _is_numeric(value) or np.ndim(value):
        raise InputError(f"{name} is {shown(value)}; it must be a finite number > 0")
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"{name} is {float(value):g}; it must be a finite number > 0")


def positions(name: str, value: Any) -> Any:
    """Return (k, 3) positions [um], or one of three numbers, as a (k, 3) array.

    Raises `InputError` for what are none.
    """
    number(name, value, may_be_negative=True)
    points = np.array(np.atleast_2d(np.asarray(value, float)))
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise InputError(f"{name}: they have shape {np.shape(value)}; give (k, 3) numbers, x, y and z of each")
    return points


def whole(name: str, value: Any, least: int = 0) -> None:
    """Check that `value` is a whole number, not below `least`."""
    is_whole = _is_numeric(value) and not np.ndim(value) and (isinstance(value, int) or float(value).is_integer())
    if not is_whole or value < least:
        raise InputError(f"{name} is {shown(value)}; it must be a whole number >= {least}")


def fraction(name: str, value: Any) -> None:
    """Check that `value` is a part of a whole that is not empty: a number above 0, at most 1."""
    positive(name, value)
    if value > 1:
        raise InputError(f"{name} is {float(value):g}; it is a part of the whole, at most 1: write 0.2 for 20 %")


def valence(name: str, value: Any, may_be_zero: bool = False) -> None:
    """Check that `value` can be the valence of an ion: a whole number from -10 to 10 and, by default, not 0."""
    is_one = _is_numeric(value) and np.ndim(value) == 0 and abs(value) <= MOST_CHARGES and value == int(value)
    if not is_one or (value == 0 and not may_be_zero):
        raise InputError(f"{name} is {shown(value)}; it must be a whole number from -{MOST_CHARGES} to {MOST_CHARGES}"
                         + ("" if may_be_zero else " that is not 0"))


def listed(name: str, given: Any, such_as: str) -> tuple[Any, ...]:
    """Return a list of things as a tuple. Raises `InputError` unless it is one."""
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise InputError(f"{name} is {shown(given)}; it must be a list: {such_as}")
    return tuple(given)


def own(owner: Any, *names: str) -> None:
    """Check that the species in these fields of a mechanism are on the place where it acts itself, if they are there.

    On a place that this touches, the states of all its elements would be added up.
    """
    for species in _species(owner, names):
        if species.place.name != owner.where.name:
            raise InputError(f"{type(owner).__name__}: {species.name!r} is on {species.place.name!r}; it must be on "
                             f"{owner.where.name!r}")


def beside(owner: Any, name: str, other: str) -> None:
    """Check that the species in a field of a mechanism is on the place of that in another field."""
    species, place = getattr(owner, name), getattr(owner, other).place
    if species.place.name != place.name:
        raise InputError(f"{type(owner).__name__}: {species.name!r}, its {name}, is on {species.place.name!r}; it must "
                         f"be on {place.name!r}, where its {other} is")


def parts(owner: Any, *names: str) -> None:
    """Check that the species in these fields of a mechanism begin between 0 and 1, as a part of something does."""
    for species in _species(owner, names):
        values = np.atleast_1d(species.initial)
        wrong = values[(values < 0) | (values > 1)]
        if wrong.size:
            raise InputError(f"{type(owner).__name__}: {species.name!r} begins at {wrong[0]:g}; it is a part, and must "
                             "begin between 0 and 1")


def unit(owner: Any, name: str, wanted: str) -> None:
    """Check that the species in a field of a mechanism has this unit, or the one that species have by default."""
    species = getattr(owner, name)
    default = next(part.default for part in fields(species) if part.name == "unit")
    if species.unit not in (wanted, default):
        raise InputError(f"{type(owner).__name__}: {species.name!r}, its {name}, has the unit {species.unit!r}; it "
                         f"must be a species in {wanted!r}")


def kelvin(name: str, temperature: float) -> None:
    """Check that a temperature is one at which water is fluid, in K."""
    if not 250.0 <= temperature <= 350.0:
        raise InputError(f"{name} is {temperature:g} K; it must be the absolute temperature, 250 to 350 K: 310 K is 37 "
                         "degrees C")


def _species(owner: Any, names: tuple[str, ...]) -> list[Any]:
    """The species in these fields, each of which holds one, several, or none."""
    found: list[Any] = []
    for name in names:
        value = getattr(owner, name)
        held = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else [value]
        found += [species for species in held if hasattr(species, "place")]
    return found


def signed(owner: Any, *names: str) -> None:
    """Check that the species in these fields of a mechanism may be negative: less than nothing would be seen as 0."""
    for name in names:
        species = getattr(owner, name)
        if not species.signed:
            raise InputError(f"{type(owner).__name__}: {species.name!r} may fall below zero; make it a species that is "
                             "signed")


def each_element(name: str, value: Any, place: Any) -> None:
    """Check that `value` is one number, or an array with one for each element of a place."""
    if np.shape(value) not in ((), (len(place),)):
        raise InputError(f"{name} has shape {np.shape(value)}; {place.name!r} has {len(place)} elements")


def shaped(name: str, value: Any, shape: tuple[int | str, ...], holds: str = "") -> None:
    """Check that an array has a shape, in which a letter stands for any length; `holds` says what is along its axes."""
    given = np.shape(value)
    fits = len(given) == len(shape) and all(
        isinstance(asked, str) or asked == length for asked, length in zip(shape, given, strict=True))
    if not fits:
        asked = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        raise InputError(f"{name} has shape {given}; it must be {asked}" + (f", {holds}" if holds else ""))


def shown(value: Any) -> str:
    """Return a value as an error message shows it: its own words if they are few, else what kind of thing it is."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    said = repr(value)
    return said if len(said) <= _LONGEST_SHOWN else f"a {type(value).__name__}"


_LONGEST_SHOWN = 60  # characters


def _is_numeric(value: Any) -> bool:
    """Whether a value is a real number, or an array or nested list of them."""
    if isinstance(value, (bool, np.bool_)):
        return False
    if isinstance(value, (int, float, np.integer, np.floating)):
        return True
    if not isinstance(value, (np.ndarray, list, tuple)):
        return False
    try:
        return np.asarray(value).dtype.kind in "fiub"
    except ValueError:  # lists of several lengths
        return False


def _numbers_within(value: Any) -> Iterator[Any]:
    """The numbers and arrays of numbers that a tuple or list holds."""
    for part in value:
        if isinstance(part, (tuple, list)):
            yield from _numbers_within(part)
        elif _is_numeric(part):
            yield part


def _is_of(value: Any, kind: Any, count: int | None) -> bool:
    """Whether a value is of the kind that an annotation says; `count` numbers may stand for one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind == ArrayLike:
        return _is_numeric(value)
    if origin in (Union, types.UnionType):
        if count is not None and float in arguments:  # an array is one number for each element
            arguments = tuple(part for part in arguments if get_origin(part) is not np.ndarray)
        return any(_is_of(value, part, count) for part in arguments)
    if kind is Any or kind is inspect.Parameter.empty:
        return True
    if kind is None or kind is type(None):
        return value is None
    if kind is float:
        return _is_numeric(value) and np.shape(value) in ((), (count,))
    if kind is int:
        return _is_numeric(value) and np.ndim(value) == 0 and bool(np.isfinite(value)) and value == int(value)
    if origin is Literal:
        return any(value is choice or (type(value) is type(choice) and value == choice) for choice in arguments)
    if origin is np.ndarray:
        return _is_array(value, arguments)
    if origin is tuple:
        return _is_tuple_of(value, arguments, count)
    if origin is not None:
        return _holds(value, origin, arguments, count)
    if getattr(kind, "_is_protocol", False):
        return all(hasattr(value, name) for name in _members(kind))
    return not isinstance(kind, type) or isinstance(value, kind)


def _is_array(value: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether a value is an array of numbers, or a list of them: whole ones where an annotation asks for integers."""
    if not _is_numeric(value) or (np.ndim(value) == 0 and not isinstance(value, (np.generic, np.ndarray))):
        return False
    values, asked = np.asarray(value), get_args(arguments[1]) if len(arguments) > 1 else ()
    wants_whole = bool(asked) and isinstance(asked[0], type) and issubclass(asked[0], np.integer)
    return not wants_whole or values.dtype.kind in "iu" or bool((values == np.rint(values)).all())


def _is_tuple_of(value: Any, parts: tuple[Any, ...], count: int | None) -> bool:
    """Whether a value is a tuple, list or array with parts of these kinds: each of its own, or all of one."""
    if not isinstance(value, (tuple, list)) and not (isinstance(value, np.ndarray) and value.ndim):
        return False
    if len(parts) == 2 and parts[1] is Ellipsis:
        return all(_is_of(part, parts[0], count) for part in value)
    return len(value) == len(parts) and all(_is_of(part, kind, None) for part, kind in zip(value, parts, strict=True))


def _holds(value: Any, origin: Any, parts: tuple[Any, ...], count: int | None) -> bool:
    """Whether a value is a collection of a kind, or a function, with parts as the annotation says."""
    if origin is Callable:
        return callable(value)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    if isinstance(value, Mapping) and len(parts) == 2:
        return all(_is_of(key, parts[0], None) and _is_of(part, parts[1], count) for key, part in value.items())
    if isinstance(value, Collection) and len(parts) == 1:
        return all(_is_of(part, parts[0], count) for part in value)
    return True


def _members(protocol: Any) -> Iterable[str]:
    """The names that an object must have to be what a protocol says."""
    names = [*vars(protocol), *vars(protocol).get("__annotations__", {})]
    return [name for name in names if not name.startswith("_") or name == "__call__"]


_WORDS: Mapping[Any, str] = types.MappingProxyType({
    float: "a finite number", int: "a whole number", str: "a text", bool: "True or False", type(None): "None"})


def _called(kind: Any) -> str:
    """What an annotation asks for, in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind == ArrayLike:
        return "a number, or an array or list of numbers"
    if kind in _WORDS:
        return _WORDS[kind]
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_called(part) for part in arguments))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is np.ndarray:
        return "an array of numbers"
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"a tuple, with {_called(arguments[0])} each"
    if origin is tuple and len(set(arguments)) == 1:
        return f"{len(arguments)} times {_called(arguments[0])}"
    if origin is tuple:
        return f"a tuple of {len(arguments)}: " + ", ".join(map(_called, arguments))
    if origin is Callable:
        return "a function"
    if origin in (Sequence, Iterable, Collection):
        return f"a list ({_called(arguments[0])} each)"
    if isinstance(origin, type):
        return f"a {origin.__name__} of " + " to ".join(map(_called, arguments))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "a path"
    name = getattr(kind, "__name__", str(kind))
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
