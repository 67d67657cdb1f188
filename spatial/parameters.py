"""The numbers that a model was made with, small enough to be kept with a state."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from spatial import checks
from spatial.frozen import Frozen
from spatial.geometry.place import Place
from spatial.model import Model, Species

_OF_SPECIES = ("D", "unit", "signed", "scale")
_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)

Value = bool | float | str | None
"""A number as it is; an array by a digest."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """The numbers of a model's species and mechanisms, each by what it is called.

    A mechanism is known by its class and its position among those of that class. How species begin is left out: a
    state takes the place of that.
    """

    of_species: Mapping[str, Value]
    of_kinds: Mapping[str, Mapping[str, Value]]  # for each class of mechanisms
    counts: Mapping[str, int]  # mechanisms of each class

    def __post_init__(self) -> None:
        checks.kinds(self)

    def differences(self, other: "Parameters") -> list[str]:
        """Return a sentence for each number that is another in `other`, with both values.

        Classes of which one model has more mechanisms than the other are passed over: there is no telling which of
        them are meant to be alike.
        """
        found = list(_differences(self.of_species, other.of_species))
        for kind, numbers in self.of_kinds.items():
            if self.counts[kind] == other.counts.get(kind):
                found += _differences(numbers, other.of_kinds[kind])
        return found


def _differences(these: Mapping[str, Value], those: Mapping[str, Value]) -> Iterator[str]:
    """A sentence for each value that is another there than here."""
    for name, value in these.items():
        if name not in those or _is_equal(value, those[name]):
            continue
        if _is_digest(value) and _is_digest(those[name]):
            yield f"{name} has other values"
        else:
            yield f"{name} is {_shown(value)} and was {_shown(those[name])}"


def _is_equal(value: Value, other: Value) -> bool:
    """Whether two values are the same, nan and nan too."""
    return value == other or repr(value) == repr(other)


def _is_digest(value: Value) -> bool:
    return isinstance(value, str) and value.startswith(_ARRAY)


def _shown(value: Value) -> str:
    """A value as an error message shows it."""
    if _is_digest(value):
        return str(value).split(" #")[0]
    return f"{value:g}" if isinstance(value, float) else repr(value)


def parameters_of(model: Model) -> Parameters:
    """Return the numbers that a model is made with."""
    of_species = {f"{name} of {species.name!r}": getattr(species, name)
                  for species in model for name in _OF_SPECIES}
    counts = Counter(type(mechanism).__name__ for mechanism in model.mechanisms)
    of_kinds: dict[str, dict[str, Value]] = {kind: {} for kind in counts}
    positions = Counter[str]()
    for mechanism in model.mechanisms:
        kind = type(mechanism).__name__
        positions[kind] += 1
        which = kind if counts[kind] == 1 else f"{kind} {positions[kind]}"
        for name, value in numbers_of(mechanism):
            of_kinds[kind][f"{name} of {which}"] = value
    kinds = {kind: Frozen(numbers) for kind, numbers in of_kinds.items()}
    return Parameters(Frozen(of_species), Frozen(kinds), Frozen(counts))


def numbers_of(thing: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """The numbers in the fields of an object, each with its path."""
    names = [field.name for field in fields(thing)] if is_dataclass(thing) else list(getattr(thing, "__dict__", {}))
    for name in names:
        yield from numbers_in(getattr(thing, name), f"{path}{name}")


def numbers_in(value: Any, name: str) -> Iterator[tuple[str, Value]]:
    """The numbers that a value is or holds, each with its path."""
    if isinstance(value, _NUMBERS):
        yield name, _plain(value)
    elif _is_numeric(value):
        yield name, _digest(value)
    elif isinstance(value, (list, tuple)):
        for k, part in enumerate(value):
            yield from numbers_in(part, f"{name}[{k}]")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from numbers_in(part, f"{name}[{key.name if isinstance(key, Species) else key!r}]")
    elif is_dataclass(value) and not isinstance(value, (type, Species, Place)):
        yield from numbers_of(value, f"{name}.")


def _plain(value: Any) -> Value:
    """A number of Python's own."""
    return value.item() if isinstance(value, np.generic) else value


_ARRAY = "an array of shape "


def _is_numeric(value: Any) -> bool:
    """Whether a value is an array of numbers, or a list of numbers and such arrays."""
    if isinstance(value, np.ndarray):
        return value.dtype != object
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return all(isinstance(part, _NUMBERS) or (isinstance(part, np.ndarray) and part.dtype != object) for part in value)


def _digest(value: Any) -> str:
    """The shape of an array, or the length of a list, and a digest of what is in it."""
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    found = blake2b(digest_size=16)
    for part in parts:
        array = np.ascontiguousarray(part)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.tobytes())
    shape = value.shape if isinstance(value, np.ndarray) else (len(parts),)
    return f"{_ARRAY}{shape} #{found.hexdigest()}"
