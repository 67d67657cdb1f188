"""What to watch during a run: named numbers read from the concentrations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import by_annotation, kinds
from spatial.geometry.contact import check_contact, touched
from spatial.geometry.interpolate import among
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Concentrations, Species
from spatial.view import View

_FEW = 4  # positions that the name of a probe lists


@dataclass(frozen=True, eq=False)
class Probe:
    """A name, a unit, and what to read: one number or (k,) numbers from the whole concentrations.

    A probe pickles if `read` does: make it a function at the top of a module, or a `functools.partial` of one, as the
    functions here do.
    """

    name: str
    unit: str
    read: Callable[[Concentrations], Floats | float]

    def __post_init__(self) -> None:
        kinds(self)


@by_annotation
def mean(species: Species) -> Probe:
    """The mean of a species over its place, weighted by measure."""
    weight = species.place.measure / species.place.total
    return Probe(f"mean {species.name}", species.unit, partial(_weighted, species, weight))


@by_annotation
def peak(species: Species) -> Probe:
    """The largest value of a species over its place."""
    return Probe(f"peak {species.name}", species.unit, partial(_largest, species))


@by_annotation
def total(species: Species) -> Probe:
    """The amount of a species: concentration times measure, summed."""
    place = species.place
    unit = species.unit if place.dimension == 0 else f"{species.unit} {place.unit}"
    return Probe(f"total {species.name}", unit, partial(_weighted, species, place.measure))


@by_annotation
def each(species: Species) -> Probe:
    """The value at every element of the species' place: for synapses and other sets of points."""
    return Probe(species.name, species.unit, partial(_everywhere, species))


@by_annotation
def at(species: Species, positions: Any, name: str = "") -> Probe:
    """The value at (k, 3) positions [um], or at one of three numbers.

    Between the vertices of tetrahedra, and between the middles of bricks and shells, it is interpolated linearly; on
    other places it is that of the nearest element. Without a `name` the probe is called "calcium at points" and the
    positions; `recording["calcium at points"]` finds it where it is the only one. Raises `InputError` for positions
    that are no numbers, or lie outside the place.
    """
    what = f"position of {species.name!r}"
    points = checks.positions(what, positions)
    species.place.warn_of_crowd(points, what)
    elements, parts = among(species.place, points, what)
    called = name or f"{species.name} at points ({_listed(points)})"
    return Probe(called, species.unit, partial(_between_elements, species, elements, parts))


@by_annotation
def over(species: Species, points: Species) -> Probe:
    """The value of a field at every element of the points place that `points` lives on."""
    name = f"{species.name} at {points.place.name}"
    return Probe(name, species.unit, partial(_at_elements, species, _around(name, points.place, species)))


@by_annotation
def at_elements(species: Species, elements: Ints | Sequence[int], name: str = "") -> Probe:
    """The value at (k,) elements of the species' place, called `name` or as `at` is."""
    chosen = species.place.chosen(f"elements of {species.name!r}", elements)
    return Probe(name or f"{species.name} at points", species.unit, partial(_at_elements, species, chosen))


@by_annotation
def mean_around(species: Species, where: Place, name: str = "") -> Probe:
    """The mean of a species over the elements that `where` touches, weighted by the measure of `where`.

    So it is what a membrane sees on average, or a part of a volume.
    """
    called = name or f"mean {species.name} at {where.name}"
    elements = _around(called, where, species)
    return Probe(called, species.unit, partial(_weighted_at_elements, species, where.measure / where.total, elements))


@by_annotation
def weighted_sum(name: str, unit: str, weights: Mapping[Species, float | Floats]) -> Probe:
    """The sum of several species, each summed over its place with a weight: a number, or (n,) one for each element.

    With the measure of its place as weight a species counts with its amount.
    """
    return Probe(name, unit, partial(_sum_of_weighted, _rows(weights)))


@by_annotation
def weighted_size(name: str, unit: str, weights: Mapping[Species, float | Floats]) -> Probe:
    """The sum of the sizes, without their signs, of what `weighted_sum` adds up: what a drift is compared with."""
    return Probe(name, unit, partial(_sum_of_sizes, _rows(weights)))


@by_annotation
def local(name: str, unit: str, where: Place, read: Callable[[Concentrations], Floats | float]) -> Probe:
    """What a function of the concentrations around each element of `where` gives: a gate, a probability."""
    return Probe(name, unit, partial(_nearby, name, where, read))


def _around(name: str, where: Place, species: Species) -> Ints:
    """(n,) element of a species' place that each element of `where` touches. Raises `InputError` for another place."""
    check_contact(f"probe {name!r}", where, repr(species), species.place)
    elements = touched(where, species.place)
    return np.arange(len(where)) if elements is None else elements


def _listed(points: Floats) -> str:
    """A few positions in words; of many the first and a digest, by which others have another name."""
    if len(points) <= _FEW:
        return "; ".join(", ".join(f"{x:.6g}" for x in point) for point in points)
    return f"{_listed(points[:1])} and {len(points) - 1} more, {blake2b(points.tobytes(), digest_size=4).hexdigest()}"


def _weighted(species: Species, weight: Floats, c: Concentrations) -> float:
    return float(weight @ c[species])


def _rows(weights: Mapping[Species, float | Floats]) -> tuple[tuple[Species, Floats], ...]:
    """Each species with its (n,) weights."""
    return tuple((species, np.array(np.broadcast_to(weight, len(species.place)), float))
                 for species, weight in weights.items())


def _sum_of_weighted(rows: Sequence[tuple[Species, Floats]], c: Concentrations) -> float:
    return sum(float(weight @ c[species]) for species, weight in rows)


def _sum_of_sizes(rows: Sequence[tuple[Species, Floats]], c: Concentrations) -> float:
    return sum(float(abs(weight) @ abs(c[species])) for species, weight in rows)


def _weighted_at_elements(species: Species, weight: Floats, elements: Ints, c: Concentrations) -> float:
    return float(weight @ c[species][elements])


def _largest(species: Species, c: Concentrations) -> float:
    return float(c[species].max())


def _everywhere(species: Species, c: Concentrations) -> Floats:
    return np.array(c[species])


def _at_elements(species: Species, elements: Ints, c: Concentrations) -> Floats:
    return np.asarray(c[species][elements])


def _between_elements(species: Species, elements: Ints, parts: Floats, c: Concentrations) -> Floats:
    return np.asarray((c[species][elements] * parts).sum(axis=1))


def _nearby(name: str, where: Place, read: Callable[[Concentrations], Floats | float], c: Concentrations) -> Floats:
    def check(species: Species) -> None:
        check_contact(f"probe {name!r}", where, repr(species), species.place)

    return np.broadcast_to(read(View(c, where, check)), len(where))
