"""Where one place touches another, and what a gain here does to a concentration there.

This is the only place where a gain per measure of where a mechanism acts becomes a concentration.
"""

from collections.abc import Iterable

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place


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


def check_places(named: Iterable[tuple[str, Place]]) -> None:
    """Check that what is on places, or acts there, means the same ones: pairs of who and where.

    Raises `InputError`, naming both, where two different places bear one name, and where a place touches another than
    the one of that name.
    """
    known, pairs = dict[str, tuple[str, Place]](), list(named)
    for who, place in pairs:
        first, where = known.setdefault(place.name, (who, place))
        if not place.is_same(where):
            raise InputError(f"{first} and {who} are on two different places called {place.name!r}, {where!r} and "
                             f"{place!r}; take both from one mesh, and make species after the last change to it")
    for who, place in pairs:
        for other, index in place.touches.items():
            if other not in known:
                continue
            whose, touched_place = known[other]
            elements = place.partners.get(other, touched_place.elements)
            if elements != touched_place.elements or index.max() >= len(touched_place):
                raise InputError(f"{place.name!r}, of {who}, touches another {other!r} than {touched_place!r}, of "
                                 f"{whose}; take both from one mesh, and make species after the last change to it")
