"""States in which mechanisms are tried before a run: what a law is must show in some of them."""

from dataclasses import dataclass

import numpy as np

from spatial.geometry.place import Floats
from spatial.model import Model, Species

_TRIALS = 2
_LEAST, _MOST = 0.3, 0.95  # of a species' typical size, in a state in which mechanisms are tried
_GOLDEN = 0.6180339887498949  # its multiples, without their whole parts, are spread evenly


@dataclass(frozen=True)
class Trial:
    """A state in which each species has a part of its typical size, another part for each of them."""

    parts: dict[Species, float]

    def __getitem__(self, species: Species) -> Floats:
        part = self.parts[species]
        if not species.signed:
            return np.full(len(species.place), part * species.typical)
        around = np.broadcast_to(np.asarray(species.initial, float), len(species.place))
        return around + (part - 0.5) * species.typical


def trials(model: Model) -> tuple[Trial, ...]:
    """Return the states in which the mechanisms of a model are tried."""
    return tuple(_trial(model, number) for number in range(_TRIALS))


def _trial(model: Model, number: int) -> Trial:
    """The state of this number."""
    places = _GOLDEN * np.arange(1, len(model.species) + 1) + number / _TRIALS
    parts = _LEAST + (_MOST - _LEAST) * (places % 1.0)
    return Trial(dict(zip(model.species, parts.tolist(), strict=True)))
