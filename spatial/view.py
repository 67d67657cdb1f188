"""The concentrations as mechanisms and probes see them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Species


@dataclass(frozen=True)
class View:
    """The concentrations as a mechanism sees them: (n,) over the elements of the place it acts in.

    What cannot be negative is never seen below zero, and nothing that is handed out can be written.
    """

    state: Concentrations
    where: Place
    read: Callable[[Species], None] | None = None  # told of each species that is looked at
    seen: dict[Species, Floats] = field(default_factory=dict)  # so far: the state must stay as it is meanwhile

    def __getitem__(self, species: Species) -> Floats:
        if species not in self.seen:
            self.seen[species] = self._looked_up(species)
        return self.seen[species]

    def _looked_up(self, species: Species) -> Floats:
        values = self.state[species]
        if self.read:
            self.read(species)
        index = touched(self.where, species.place)
        if index is not None:
            values = values[index]
        if not species.signed:
            values = np.maximum(values, 0.0)
        values.flags.writeable = False
        return values
