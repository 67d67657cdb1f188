"""Where one place touches another, and what a gain here does to a concentration there.

This is the only place where a gain per measure of where a mechanism acts becomes a concentration.
"""

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
