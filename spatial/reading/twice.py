"""Mechanisms that are equal in all that they hold: each acts, so what they do is done twice."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

from spatial.geometry.place import Place
from spatial.model import Mechanism, Species
from spatial.parameters import numbers_of
from spatial.parts import items_in


def same_species(mechanisms: Iterable[Any]) -> Iterator[str]:
    """Yield a sentence for each mechanism that has one species in two fields that must be species."""
    for mechanism in mechanisms:
        kind, names = type(mechanism).__name__, dict[Species, str]()
        for part in fields(mechanism) if is_dataclass(mechanism) else ():
            species = getattr(mechanism, part.name)
            if not isinstance(species, Species) or part.type not in (Species, "Species"):
                continue
            if species in names:
                yield (f"{kind}: {species.name!r} is both its {names[species]} and its {part.name}; is one of them "
                       "another species?")
            names[species] = part.name


def equal_mechanisms(mechanisms: Sequence[Mechanism]) -> Iterator[str]:
    """Yield a sentence for each mechanism that is equal to an earlier one."""
    known = [(mechanism, _what_it_is(mechanism)) for mechanism in mechanisms]
    for (one, first), (other, second) in combinations(known, 2):
        if type(one) is type(other) and first == second:
            yield (f"{type(one).__name__} on {one.where.name!r} is in this model twice, with the same species and the "
                   "same values, so what it does is done twice; list it once, unless that is meant")


def _what_it_is(mechanism: Mechanism) -> list[Any]:
    """All that makes a mechanism what it is: where it acts, its numbers, and which species and functions it holds."""
    held = [(path, id(value)) for path, value in items_in(mechanism) if isinstance(value, Species) or callable(value)]
    places = [(path, value.name) for path, value in items_in(mechanism) if isinstance(value, Place)]
    return [mechanism.where.name, places, held, list(numbers_of(mechanism))]
