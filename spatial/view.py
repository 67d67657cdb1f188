"""The concentrations as mechanisms and probes see them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import numpy as np

from spatial.checks import InputError
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Species

T = TypeVar("T")
_WRITTEN = ("assignment destination is read-only", "output array is read-only")  # in numpy's words


@dataclass(frozen=True)
class View:
    """The concentrations as a mechanism sees them: (n,) over the elements of the place it acts in.

    What cannot be negative is never seen below zero. What is handed out is a copy that cannot be written.
    """

    state: Concentrations
    where: Place
    read: Callable[[Species], None] | None = None  # told of each species that is looked at
    seen: dict[Species, Floats] = field(default_factory=dict)  # so far: the state must stay as it is meanwhile

    def __getitem__(self, species: Species) -> Floats:
        if species not in self.seen:
            self.seen[species] = self._looked_up(species)
        return self.seen[species]

    def __setitem__(self, species: Species, values: object) -> NoReturn:
        raise InputError(f"c[{getattr(species, 'name', species)!r}] is set, but what a mechanism sees is read-only; "
                         "return the gain of each species, {species: gain}")

    def _looked_up(self, species: Species) -> Floats:
        values = self.state[species]
        if self.read:
            self.read(species)
        index = touched(self.where, species.place)
        if index is not None:
            values = values[index]
        seen = np.array(values) if species.signed else np.maximum(values, 0.0)
        seen.flags.writeable = False
        return seen


def reading(who: str, read: Callable[..., T], *arguments: Any) -> T:
    """Call a function that may only read what it is given, and return what it returns.

    Raises `InputError`, naming who, where it writes into that.
    """
    try:
        return read(*arguments)
    except ValueError as error:
        if str(error) not in _WRITTEN:
            raise
        raise InputError(f"{who} changes in place what it sees, which is read-only; work on a copy, "
                         "c[species].copy()") from error
