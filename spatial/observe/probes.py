"""What to watch during a run: named numbers read from the concentrations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Concentrations, Species
from spatial.view import View


@dataclass(frozen=True, eq=False)
class Probe:
    """A name, a unit, and what to read: one number or (k,) numbers from the whole concentrations."""

    name: str
    unit: str
    read: Callable[[Concentrations], Floats | float]


def mean(species: Species) -> Probe:
    """The mean of a species over its place, weighted by measure."""
    weight = species.place.measure / species.place.total
    return Probe(f"mean {species.name}", species.unit, partial(_weighted, species, weight))


def peak(species: Species) -> Probe:
    """The largest value of a species over its place."""
    return Probe(f"peak {species.name}", species.unit, partial(_largest, species))


def total(species: Species) -> Probe:
    """The amount of a species: concentration times measure, summed."""
    place = species.place
    unit = species.unit if place.dimension == 0 else f"{species.unit} {place.unit}"
    return Probe(f"total {species.name}", unit, partial(_weighted, species, place.measure))


def each(species: Species) -> Probe:
    """The value at every element of the species' place: for synapses and other sets of points."""
    return Probe(species.name, species.unit, partial(_everywhere, species))


def at(species: Species, positions: Floats | Sequence[Sequence[float]]) -> Probe:
    """The value at the elements nearest to (k, 3) positions [um]."""
    elements = species.place.nearest(np.asarray(positions, float))
    return Probe(f"{species.name} at points", species.unit, partial(_at_elements, species, elements))


def over(species: Species, points: Species) -> Probe:
    """The value of a field at every element of the points place that `points` lives on."""
    elements = points.place.touches[species.place.name]
    return Probe(f"{species.name} at {points.place.name}", species.unit, partial(_at_elements, species, elements))


def local(name: str, unit: str, where: Place, read: Callable[[Concentrations], Floats | float]) -> Probe:
    """What a function of the concentrations around each element of `where` gives: a gate, a probability."""
    return Probe(name, unit, partial(_nearby, where, read))


def _weighted(species: Species, weight: Floats, c: Concentrations) -> float:
    return float(weight @ c[species])


def _largest(species: Species, c: Concentrations) -> float:
    return float(c[species].max())


def _everywhere(species: Species, c: Concentrations) -> Floats:
    return np.array(c[species])


def _at_elements(species: Species, elements: Ints, c: Concentrations) -> Floats:
    return np.asarray(c[species][elements])


def _nearby(where: Place, read: Callable[[Concentrations], Floats | float], c: Concentrations) -> Floats:
    return np.broadcast_to(read(View(c, where)), len(where))
