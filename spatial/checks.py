"""What is wrong with an input, said in one sentence before any computing starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

SIZED = "sized"  # the key of a field's metadata under which its `Sized` is


class InputError(ValueError):
    """The user's input cannot be used; the message says what, where and what would be right."""


@dataclass(frozen=True)
class Sized:
    """What the value of a parameter is compared with, to find a unit that is wrong by 1000."""

    far: float = 100.0  # times its default, up or down, from which a value is hardly meant
    beside: str = ""  # the field of the species whose value is compared with this parameter
    from_below: bool = True  # whether a species far below it is hardly meant either
    opposite: str = ""  # the field of the same on the other side: the two may have been swapped
    below: str = ""  # the field of a species that begins higher
    even_zero: bool = False  # whether that one begins higher even where it begins at 0


def sized(default: float, *, far: float = 100.0, beside: str = "", from_below: bool = True,
          opposite: str = "") -> Any:
    """Return a field of a dataclass with this default, and with what its value is compared with, see `Sized`."""
    return field(default=default, metadata={SIZED: Sized(far, beside, from_below, opposite)})


def lower_than(name: str, even_zero: bool = False) -> dict[str, Sized]:
    """Return the metadata of a field for a species that begins lower than the one in another field."""
    return {SIZED: Sized(below=name, even_zero=even_zero)}


def parameters(owner: Any, may_be_negative: tuple[str, ...] = (), above_zero: tuple[str, ...] = ()) -> None:
    """Check every number of a dataclass of parameters: finite, and not negative; those named also not zero.

    Raises `InputError` naming the class, the parameter, its value and what would be right.
    """
    assert is_dataclass(owner)
    for parameter in fields(owner):
        value = getattr(owner, parameter.name)
        if isinstance(value, (bool, str)) or not isinstance(value, (int, float, np.ndarray)):
            continue
        name = f"{type(owner).__name__}: {parameter.name}"
        number(name, value, parameter.name in may_be_negative)
        if parameter.name in above_zero:
            positive(name, float(np.min(value)))


def number(name: str, value: Any, may_be_negative: bool = False) -> None:
    """Check that `value`, a number or an array of numbers, is finite and, by default, not negative."""
    wanted = "a finite number" if may_be_negative else "a finite number >= 0"
    values = np.asarray(value, dtype=float)
    wrong = ~np.isfinite(values) | ((values < 0) & (not may_be_negative))
    if wrong.any():
        shown = f"{values[wrong].flat[0]:g}" if values.ndim else f"{float(values):g}"
        raise InputError(f"{name} is {shown}; it must be {wanted}")


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


def positive(name: str, value: float) -> None:
    """Check that `value` is finite and above zero."""
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} is {value:g}; it must be a finite number > 0")
