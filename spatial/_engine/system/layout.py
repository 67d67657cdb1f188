"""Where each species lies in the flat state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints
from spatial.model import Species


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


@dataclass(frozen=True)
class State:
    """The concentrations of a model: `state[species]` is a read-only view (n,) of its part of the flat array."""

    values: Floats
    layout: Layout

    def __getitem__(self, species: Species) -> Floats:
        part = self.layout.slices.get(species)
        if part is None:
            raise InputError(f"{species!r} is not a species of this model; "
                             f"it has {sorted(s.name for s in self.layout.columns)}")
        values = self.values[part]
        values.flags.writeable = False
        return values
