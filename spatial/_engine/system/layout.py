"""Where each species lies in the flat state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from spatial.checks import InputError, each_element, number
from spatial.frozen import read_only
from spatial.geometry.place import Floats, Ints
from spatial.model import Species
from spatial.parameters import Parameters

ROUNDING = 1e-12  # of a species' size: by so little less than nothing is rounding
_BOUNDLESS = 1e12  # times a species' size, or times 1 of its unit if that is more: nothing is there so much of


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each species lies in the flat state: place after place, its species side by side."""

    places: Mapping[str, tuple[Species, ...]]  # the species of each place
    starts: Mapping[str, int]
    columns: Mapping[Species, int]
    size: int

    def block(self, u: Floats, place: str) -> Floats:
        """(n, m) view of the part of `u` that belongs to a place, a column per species."""
        span, shape = self._blocks[place]
        return u[span].reshape(shape)

    def index(self, species: Species) -> Ints:
        """(n,) positions of a species in the flat state."""
        at = self.slices[species]
        return np.arange(at.start, at.stop, at.step)

    def values(self, u: Floats, species: Species) -> Floats:
        """(n,) view of the part of `u` that is a species', to be written by the engine alone."""
        return u[self.slices[species]]

    @cached_property
    def slices(self) -> Mapping[Species, slice]:
        """The part of the flat state that is a species'."""
        return {one: slice(span.start + column, span.stop, shape[1]) for name, (span, shape) in self._blocks.items()
                for column, one in enumerate(self.places[name])}

    @cached_property
    def _blocks(self) -> Mapping[str, tuple[slice, tuple[int, int]]]:
        """The part of the flat state that belongs to a place, and its shape (n, m)."""
        shapes = {name: (len(of[0].place), len(of)) for name, of in self.places.items()}
        return {name: (slice(self.starts[name], self.starts[name] + n * m), (n, m)) for name, (n, m) in shapes.items()}

    @cached_property
    def numbers(self) -> Ints:
        """(size,) the number of each unknown's species among all of them."""
        first, numbers = 0, np.empty(self.size, np.int64)
        for name, species in self.places.items():
            span, shape = self._blocks[name]
            numbers[span].reshape(shape)[:] = np.arange(first, first + len(species))
            first += len(species)
        return numbers

    @cached_property
    def measures(self) -> Floats:
        """(size,) the measure of each unknown's element."""
        measures = np.empty(self.size)
        for name, species in self.places.items():
            self.block(measures, name)[:] = species[0].place.measure[:, None]
        return measures

    @cached_property
    def highest(self) -> Floats:
        """(size,) what is larger than this is beyond all bounds."""
        highest = np.empty(self.size)
        for species in self.columns:
            self.values(highest, species)[:] = _BOUNDLESS * max(species.typical, 1.0)
        return highest

    @cached_property
    def lowest(self) -> Floats:
        """(size,) what is smaller than this is negative though it cannot be, or beyond all bounds."""
        lowest = -self.highest
        for species in self.columns:
            if not species.signed:
                self.values(lowest, species)[:] = -ROUNDING * species.typical
        return lowest

    def species_at(self, unknown: int) -> Species:
        """The species that an unknown of the flat state belongs to."""
        return list(self.columns)[self.numbers[unknown]]

    def within(self, whole: "Layout") -> Ints:
        """(size,) where its unknowns lie in the flat state of another layout, which has all its species."""
        found = np.empty(self.size, np.int64)
        for species in self.columns:
            found[self.index(species)] = whole.index(species)
        return found

    def part(self, u: Floats, whole: "Layout") -> Floats:
        """(size,) its part of a flat state of another layout, which has all its species."""
        if self is whole:
            return u
        found = np.empty(self.size)
        for name, columns in self._columns(whole):
            self.block(found, name)[:] = whole.block(u, name)[:, columns]
        return found

    def put(self, part: Floats, u: Floats, whole: "Layout") -> Floats:
        """The flat state `u` of another layout, which has all its species, with these instead of its part."""
        if self is whole:
            return part
        changed = u.copy()
        for name, columns in self._columns(whole):
            whole.block(changed, name)[:, columns] = self.block(part, name)
        return changed

    def _columns(self, whole: "Layout") -> Iterator[tuple[str, slice | list[int]]]:
        """For each of its places, the columns there of its species in another layout."""
        for name, of in self.places.items():
            yield name, slice(None) if len(of) == len(whole.places[name]) else [whole.columns[one] for one in of]


def lay_out(species: tuple[Species, ...]) -> Layout:
    """The layout of a model's species."""
    places: dict[str, tuple[Species, ...]] = {}
    for one in species:
        places[one.place.name] = (*places.get(one.place.name, ()), one)
    starts, size = {}, 0
    for name, of in places.items():
        starts[name] = size
        size += len(of) * len(of[0].place)
    columns = {one: column for of in places.values() for column, one in enumerate(of)}
    return Layout(places, starts, columns, size)


@dataclass(frozen=True, eq=False)
class State:
    """The concentrations of a model: `state[species]` is a read-only view (n,) of its part of the flat array."""

    values: Floats
    layout: Layout
    made_with: Parameters | None = None  # of the model that it is the state of, if it is to be kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        object.__setattr__(self, "values", read_only(self.values))

    def __getitem__(self, species: Species) -> Floats:
        part = self.layout.slices.get(species)
        if part is None:
            raise InputError(f"{species!r} is not a species of this model; it has {self._names}{self._twin(species)}")
        values = self.values[part]
        values.flags.writeable = False
        return values

    def _twin(self, species: object) -> str:
        """What to say of another object of the same name."""
        alike = getattr(species, "name", None) in self._names
        return ": another object of that name; take the model's own, or pickle both together" if alike else ""

    @property
    def _names(self) -> list[str]:
        return sorted(species.name for species in self.layout.columns)

    def but(self, changes: Mapping[Species, float | Floats]) -> "State":
        """Return this state with other values of some species: for each a number, or (n,) one for each element.

        A species of a model that was built anew counts as that of its name on the same place.
        Raises `InputError` for a species that the state has not, for values of the wrong shape, and for values that
        are not finite, or negative where the species is not signed.
        """
        values = np.array(self.values)
        for species, value in changes.items():
            own = self._own(species)
            name = f"state: value of {own.name!r}"
            number(name, value, may_be_negative=own.signed)
            each_element(name, value, own.place)
            self.layout.values(values, own)[:] = value
        return replace(self, values=read_only(values))

    def _own(self, species: Species) -> Species:
        """The species of this state that another object stands for."""
        if species in self.layout.columns:
            return species
        for own in self.layout.columns:
            if own.name == species.name and own.place.is_same(species.place):
                return own
        raise InputError(f"state: {species!r} is not a species of it; it has {self._names}")
