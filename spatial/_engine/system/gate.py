"""The one gate that a state passes after its start, each step, each event and each repair, whichever engine runs."""

from collections.abc import Callable

import numpy as np

from spatial._engine.system.layout import ROUNDING, Layout
from spatial.checks import InputError
from spatial.compiled import compiled
from spatial.geometry.place import Floats
from spatial.model import Species

Blame = Callable[[Species], str]
"""Who changes a species: the kinds of mechanism, for a message."""


def passed(layout: Layout, u: Floats, t: float, blame: Blame) -> float:
    """Return the smallest value in `u` (size,) of all that cannot be negative, 0 if there is nothing such.

    Raises `InputError`, naming who changed it, the species, the place, the position and the time, for what is no
    finite number, is negative though it cannot be (by more than rounding), or is beyond all bounds.
    """
    at, smallest = _scan(u, layout.lowest, layout.highest, 0)
    while at >= 0:
        species = layout.species_at(at)
        if not _is_rounding(u[at], layout.values(u, species), species):
            raise InputError(_sentence(species, layout.values(u, species), t, blame(species)))
        at, smaller = _scan(u, layout.lowest, layout.highest, at + 1)
        smallest = min(smallest, smaller)
    return smallest if np.isfinite(smallest) else 0.0


@compiled()
def _scan(u: Floats, lowest: Floats, highest: Floats, first: int) -> tuple[int, float]:
    """The first unknown from `first` on that is not between its bounds, or -1; the smallest that is not signed."""
    smallest = np.inf
    for i in range(first, len(u)):
        value = u[i]
        if lowest[i] > -highest[i] and value < smallest:
            smallest = value
        if not (lowest[i] <= value <= highest[i]):
            return i, smallest
    return -1, smallest


def _is_rounding(value: float, values: Floats, species: Species) -> bool:
    """Return whether a value below zero is so only by rounding, beside the largest of its species."""
    size = float(np.abs(values).max())
    return bool(np.isfinite(size) and -ROUNDING * (species.typical + size) <= value < 0.0)


def _sentence(species: Species, values: Floats, t: float, who: str) -> str:
    """Return what to say of the worst of a species' values."""
    no_numbers = np.flatnonzero(~np.isfinite(values))
    is_negative = not species.signed and float(values.min()) < 0.0
    if len(no_numbers):
        worst = int(no_numbers[0])
    elif is_negative:
        worst = int(np.argmin(values))
    else:
        worst = int(np.argmax(np.abs(values)))
    where = f"in {species.place.name!r} at t = {t:g} s near {species.place.position(worst)}"
    if len(no_numbers):
        return f"{who} makes {species.name!r} {where} {values[worst]:g}, which is no number"
    if is_negative:
        return (f"{who} takes more of {species.name!r} than there is {where}: it would leave {values[worst]:.3g} "
                f"{species.unit}; let it take no more than what is there")
    return (f"{who} makes {species.name!r} {where} {values[worst]:.3g} {species.unit}, beyond all bounds; check the "
            "rates that make it grow, and their units")
