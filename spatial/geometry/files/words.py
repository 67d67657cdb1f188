"""Regions in words, as in "ecs/neuropil volume_fraction=0.2 tortuosity=1.6": how they are saved and read back."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.geometry.tetrahedra import OUTSIDE, Region
from spatial.geometry.tortuosity import checked

_PLACES = ("cytosol", "er", "ecs", "bouton", "spine")
"""Places that other parts of the package know: "ecs/shell" may well be meant as a part of the ECS."""

_PROPERTY = re.compile(r"\s+((?:volume_fraction|tortuosity)=\S*)$")


def words_of(region: Region) -> str:
    """A region in words; one with a part says its volume fraction, which tells it from a place with a / in its name."""
    words = [region.place + (f"/{region.part}" if region.part else "")]
    if region.volume_fraction != 1 or region.part:
        words.append(f"volume_fraction={region.volume_fraction!r}")
    if region.tortuosity != 1:
        L = np.asarray(region.tortuosity)
        values = L[np.triu_indices(3)] if L.ndim == 2 else np.atleast_1d(L)
        words.append("tortuosity=" + ",".join(repr(value) for value in values.tolist()))
    return " ".join(words)


def regions_of(names: Sequence[str], by_user: Sequence[bool]) -> tuple[Region, ...]:
    """The regions that names stand for.

    Words volume_fraction= and tortuosity= at the end are properties. With such a word, what is behind the last / is a
    part of the place before it; without, the / belongs to the name of a place: "PAP/cytosol" and "PAP/er" are two
    places. In names that the user gives, every word with = is a property.

    Raises `InputError` for properties that are none, and for a / that may be meant either way.
    """
    _check_apart(names)
    split = [_split(name, user) for name, user in zip(names, by_user, strict=True)]
    plain = {place for place, _ in split}
    return tuple(_region(name, place, properties, plain)
                 for name, (place, properties) in zip(names, split, strict=True))


def _check_apart(names: Sequence[str]) -> None:
    """Raise `InputError` for two names that differ by spaces at their ends only: they would be one place."""
    known = dict[str, str]()
    for name in names:
        other = known.setdefault(name.strip(), name)
        if other != name:
            raise InputError(f"regions {other!r} and {name!r} differ by spaces only; call them apart, or both alike")


def _split(name: str, by_user: bool) -> tuple[str, list[str]]:
    """A name without its properties, and these."""
    rest, properties = " " + name.strip(), list[str]()
    pattern = re.compile(r"\s+([^\s=]+=\S*)$") if by_user else _PROPERTY
    while match := pattern.search(rest):
        properties.insert(0, match.group(1))
        rest = rest[:match.start()]
    return rest.strip(), properties


def _region(name: str, place: str, properties: list[str], plain: set[str]) -> Region:
    before, slash, behind = place.rpartition("/")
    part = None
    if slash and properties:
        place, part = before.strip(), behind.strip()
    elif slash and before.strip() in {*plain, *_PLACES}:
        raise InputError(f"region {name!r} may be a part of {before.strip()!r} or a place of its own; call it "
                         f"'{name} volume_fraction=1' for a part, or by a name without / for a place, in names=")
    if not place or place == OUTSIDE or part == "":
        raise InputError(f"region {name!r} must be a place with a name, other than {OUTSIDE!r}; give it one in names=")
    given = dict(word.partition("=")[::2] for word in properties)
    try:
        tortuosity = _numbers(given.pop("tortuosity", "1"))
        values: dict[str, Any] = {key: float(value) for key, value in given.items()}
        region = Region(place, part=part, **values)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):
        raise InputError(f"region {name!r} must be a place, and may have a number as volume_fraction= "
                         "and 1, 3, 6 or 9 numbers with commas between them as tortuosity=") from None
    return replace(region, tortuosity=checked(tortuosity, f"region {name!r}: tortuosity"))


def _numbers(words: str) -> Floats:
    """The tortuosity that these numbers stand for: one, three, or a matrix."""
    values = np.array([float(word) for word in words.split(",")])
    if len(values) == 6:
        values = values[[0, 1, 2, 1, 3, 4, 2, 4, 5]]
    return values.reshape({1: (), 3: (3,), 9: (3, 3)}[len(values)])
