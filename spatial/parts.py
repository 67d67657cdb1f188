"""What the fields of a mechanism hold, and of what it is made itself: gates, carriers, wrapped mechanisms."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from spatial.geometry.place import Place
from spatial.model import Species

Item = tuple[str, Any]
"""A value, and the path of the field that holds it."""


def items_in(thing: Any, path: str = "") -> Iterator[Item]:
    """Yield all values that the fields of an object hold, and the fields of these, each with its path."""
    names = [field.name for field in fields(thing)] if is_dataclass(thing) else list(getattr(thing, "__dict__", {}))
    for name in names:
        yield from _items(getattr(thing, name), f"{path}{name}")


def _items(value: Any, path: str) -> Iterator[Item]:
    """A value, or what it holds."""
    if isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _items(part, f"{path}[{number}]")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield f"{path}: key", key
            yield from _items(part, f"{path}[{key!r}]")
    else:
        yield path, value
        if is_dataclass(value) and not isinstance(value, (type, Species, Place)):
            yield from items_in(value, f"{path}.")


def with_parts(mechanism: Any) -> Iterator[tuple[Any, str]]:
    """Yield a mechanism and all that it is made of that has fields, each with what it is called in a sentence."""
    kind = type(mechanism).__name__
    if is_dataclass(mechanism):
        yield mechanism, kind
    for _, value in items_in(mechanism):
        if is_dataclass(value) and not isinstance(value, (type, Species, Place)):
            yield value, f"{kind}: {type(value).__name__}"


def species_in(thing: Any) -> set[Species]:
    """Return the species that an object names in its fields."""
    return {value for _, value in items_in(thing) if isinstance(value, Species)}
