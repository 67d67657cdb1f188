"""Species in the fields of mechanisms: which seem to have been exchanged, and which nothing is done with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

import numpy as np

from spatial._engine.system.right_hand_side import System
from spatial.model import Species, events_of
from spatial.reading.no_effect import is_zero_by_choice


def exchanged_names(mechanisms: Iterable[Any]) -> Iterator[str]:
    """Yield a sentence for each two fields of a mechanism of which each holds a species called like the other field.

    Where another mechanism of the kind has them the right way, both ways are meant, as in a reaction that goes back.
    """
    held = [(type(mechanism), _held(mechanism)) for mechanism in mechanisms]
    straight = {(kind, name, species) for kind, roles in held for name, species in roles.items()
                if _plain(species.name) == _plain(name)}
    for kind, roles in held:
        for one, other in combinations(roles, 2):
            first, second = roles[one], roles[other]
            is_exchanged = _plain(first.name) == _plain(other) and _plain(second.name) == _plain(one)
            if is_exchanged and not {(kind, one, second), (kind, other, first)} & straight:
                yield f"{kind.__name__}: {first.name!r} is its {one} and {second.name!r} its {other}; are they swapped?"


def species_without_part(system: System) -> Iterator[str]:
    """Yield a sentence for each species that a mechanism holds, and that its rates neither read nor change.

    What mechanisms do in events or at some times only is not known before they do it.
    """
    for term in system.terms:
        mechanism = term.mechanism
        if term.reads_time or events_of(mechanism) or is_zero_by_choice(mechanism) or not term.changes:
            continue
        for name, species in _held(mechanism).items():
            if species in system.model.species and species not in {*term.reads, *term.changes}:
                yield (f"{type(mechanism).__name__} on {mechanism.where.name!r} neither reads nor changes "
                       f"{species.name!r}, its {name}; is a gain missing in its rates?")


def ledgers_read(system: System) -> Iterator[str]:
    """Yield a sentence for each ledger that is read as if it were a concentration, by a mechanism that changes it.

    A ledger counts what has come and gone: it may be negative, begins at 0, and does not diffuse.
    """
    for term in system.terms:
        for species in term.reads:
            is_ledger = species.signed and species.unit == "uM" and species.D == 0 and not np.any(species.initial)
            if is_ledger and species in term.changes and species.place.dimension == 3:
                yield (f"{type(term.mechanism).__name__} on {term.mechanism.where.name!r} reads {species.name!r}, a "
                       "ledger, as a concentration; is it meant for another field?")


def _held(mechanism: Any) -> Mapping[str, Species]:
    """The species in the fields of a mechanism."""
    names = [field.name for field in fields(mechanism)] if is_dataclass(mechanism) else []
    values = {name: getattr(mechanism, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, Species)}


def _plain(name: str) -> str:
    """A name without what may be written in several ways."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
