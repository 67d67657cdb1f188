"""What is wrong with an input, said in one sentence before any computing starts."""

import math
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


def sized(default: float, *, far: float = 100.0, beside: str = "", from_below: bool = True) -> Any:
    """Return a field of a dataclass with this default, and with what its value is compared with, see `Sized`."""
    return field(default=default, metadata={SIZED: Sized(far, beside, from_below)})


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
    for species in (getattr(owner, name) for name in names):
        if species is not None and species.place.name != owner.where.name:
            raise InputError(f"{type(owner).__name__}: {species.name!r} is on {species.place.name!r}; it must be on "
                             f"{owner.where.name!r}")


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
