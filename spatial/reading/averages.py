"""How much of what mechanisms compare with a parameter there is in a run: so far above all of them is hardly meant."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from spatial._engine.system.layout import State
from spatial._engine.system.right_hand_side import System
from spatial.model import Species
from spatial.parts import with_parts
from spatial.reading.sizes import MOST, sized_of

_FAR, _ABOVE_ALL = 1000.0, 10.0  # times the smallest parameter, and times the largest: together hardly meant


@dataclass(frozen=True)
class _Compared:
    """What a species is compared with: the smallest of the parameters beside it, its name, and the largest."""

    parameter: float
    name: str
    largest: float


class Averages:
    """The highest mean of each species that diffuses or is compared with a parameter: noted while a run goes on."""

    def __init__(self, system: System, state: State) -> None:
        self._compared = _compared(system)
        self._first = {species: _mean(species, state) for species in system.model
                       if species in self._compared or (species.D > 0 and species.unit == "uM")}
        self._highest = dict(self._first)

    def note(self, state: State) -> None:
        """Note the means of a state."""
        for species, highest in self._highest.items():
            self._highest[species] = max(highest, _mean(species, state))

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each species of which there was so much that what makes it must be wrong."""
        for species, highest in self._highest.items():
            said = f"{species.name!r} in {species.place.name!r} rises to {highest:.4g}"
            compared = self._compared.get(species)
            if compared and highest > max(_FAR * compared.parameter, _ABOVE_ALL * compared.largest,
                                          _FAR * self._first[species]):
                yield (f"{said} on average, {highest / compared.parameter:.2g} times {compared.name}, "
                       f"{compared.parameter:g}; is what makes it in the right unit?")
            elif species.scale and species.D > 0 and highest > _FAR * max(species.scale, self._first[species]):
                yield (f"{said} on average, {highest / species.scale:.2g} times its scale, {species.scale:g}; is what "
                       "makes it in the right unit, or its scale?")
            elif species.unit == "uM" and species.D > 0 and highest > MOST > self._first[species]:
                yield f"{said} uM on average, more than {MOST:g} uM; is what makes it in the right unit?"


def _mean(species: Species, state: State) -> float:
    """The mean of a species over its place, without its sign."""
    return abs(float(species.place.measure @ state[species])) / species.place.total


def _compared(system: System) -> dict[Species, _Compared]:
    """What each species of a model is compared with by its mechanisms."""
    compared = dict[Species, _Compared]()
    for mechanism in system.model.mechanisms:
        for thing, name in with_parts(mechanism):
            for field in fields(thing):
                sized, parameter = sized_of(field), getattr(thing, field.name)
                species = getattr(thing, sized.beside) if sized.beside else None
                if not isinstance(species, Species) or species not in system.layout.columns:
                    continue
                if not isinstance(parameter, (int, float)) or not parameter:
                    continue
                here = _Compared(abs(float(parameter)), f"{field.name} of {name}", abs(float(parameter)))
                before = compared.get(species, here)
                smaller = min(here, before, key=lambda one: one.parameter)
                compared[species] = replace(smaller, largest=max(here.largest, before.largest))
    return compared
