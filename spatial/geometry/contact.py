"""Where one place touches another, and what a gain here does to a concentration there.

This is the only place where a gain per measure of where a mechanism acts becomes a concentration.
"""

from collections.abc import Iterable

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place

_CURE = "take both from one mesh, and make species after the last change to it"


def touched(where: Place, place: Place) -> Ints | None:
    """(n,) element of `place` that each element of `where` touches; None when they are the same place."""
    if where.name == place.name:
        return None
    if place.name not in where.touches:
        raise InputError(f"{where.name!r} does not touch {place.name!r}; it touches {sorted(where.touches)}")
    return where.touches[place.name]


def to_concentration(gain: Floats | float, where: Place, place: Place) -> Floats:
    """(n,) change of concentration in `place` from a gain per measure of `where`."""
    index = touched(where, place)
    if index is None:
        return np.asarray(gain)
    return np.asarray(np.bincount(index, gain * per_measure(where, place), len(place)), float)


def per_measure(where: Place, place: Place) -> Floats:
    """(n,) change of concentration where each element of `where` touches `place`, per gain per its measure."""
    index = touched(where, place)
    return np.ones(len(place)) if index is None else where.measure / place.measure[index]


def meet(one: Place, other: Place, place: Place) -> bool:
    """Whether some element of `place` is touched by, or belongs to, both of two places."""
    everywhere = np.arange(len(place))
    first, second = (everywhere if where.name == place.name else where.touches.get(place.name, everywhere[:0])
                     for where in (one, other))
    return bool(np.isin(first, second).any())


def check_places(living: Iterable[tuple[str, Place]], acting: Iterable[tuple[str, Place]]) -> None:
    """Check that what lives on places and what acts there mean the same ones: pairs of who and where.

    Raises `InputError`, naming both, where two different places bear one name, and where a place touches another than
    the one of that name.
    """
    known, acting = dict[str, tuple[str, Place]](), list(acting)
    for who, place in [*living, *acting]:
        _check_same(who, place, *known.setdefault(place.name, (who, place)))
    for who, place in acting:
        for other in place.touches:
            if other in known:
                _check_touches(who, place, *known[other])


def check_contact(who: str, where: Place, whose: str, place: Place) -> None:
    """Raise `InputError` unless `where`, where `who` acts, is the place of `whose` or touches its elements."""
    if where.name == place.name:
        _check_same(who, where, whose, place)
    elif touched(where, place) is not None:
        _check_touches(who, where, whose, place)


def _check_same(who: str, place: Place, first: str, known: Place) -> None:
    if not place.is_same(known):
        raise InputError(f"{first} and {who} are on two different places called {place.name!r}, {known!r} and "
                         f"{place!r}; {_CURE}")


def _check_touches(who: str, place: Place, whose: str, touched_place: Place) -> None:
    elements = place.partners.get(touched_place.name, touched_place.elements)
    if elements != touched_place.elements or place.touches[touched_place.name].max() >= len(touched_place):
        raise InputError(f"{place!r}, where {who} acts, touches another {touched_place.name!r} than "
                         f"{touched_place!r}, of {whose}; {_CURE}")
