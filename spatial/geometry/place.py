"""Where things are: places made of elements, and the mesh that holds them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, Unusual
from spatial.frozen import Frozen, read_only
from spatial.geometry.locate import in_bricks, in_cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDEST = 1000.0
"""Extent of a place [um] beyond which it warns: nanometres that are taken for micrometres are wider."""

_VOLUME = 3  # dimension
_CROWD = 0.05  # of an element's width: positions that lie so near are most often in another unit
_MEASURE_UNIT = {3: "um^3", 2: "um^2", 0: "1"}


@dataclass(frozen=True, eq=False)
class Place:
    """A volume, a membrane or a set of points, cut into n elements.

    A concentration lives on the elements of one place. Volumes have elements of some um^3 joined
    by links through which species diffuse; membranes have elements of some um^2, joined likewise where they
    are made of triangles, voxels or slices; points (synapses, release sites, well-mixed pools given a volume)
    have whatever measure their maker gives them. Nothing diffuses from one place to another.
    """

    name: str
    dimension: int  # 3 volume, 2 membrane, 0 points
    measure: Floats  # (n,) um^3, um^2 or 1
    centres: Floats  # (n, 3) um
    links: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))  # (m, 2) elements
    transmissibility: Floats = field(default_factory=lambda: np.zeros(0))
    """(m,) um, or 1 on membranes; the flux through a link is D * transmissibility * difference of concentration."""
    touches: Mapping[str, Ints] = field(default_factory=dict)
    """For each place this one touches, the (n,) element there that each element here touches."""
    cells: Ints = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    """(k, 4) tetrahedra, (k, 3) triangles or (k, 8) bricks over the elements: to draw and to locate.

    A membrane that is spread through a volume has the cells of the volume, to draw."""
    sides: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    """(n, 3) um along x, y, z of elements that are bricks around their centres, in rows; none of any others.

    Elements of a membrane may be flat ones, faces of voxels, to draw."""
    partners: Mapping[str, str] = field(default_factory=dict)
    """For each place this one touches, a digest of its elements: the mesh that joined them sets it."""

    def __post_init__(self) -> None:
        checks.kinds(self)
        n = len(self.measure)
        if self.dimension not in _MEASURE_UNIT:
            raise InputError(f"place {self.name!r} has dimension {self.dimension}; it must be 3, 2 or 0")
        if n == 0:
            raise InputError(f"place {self.name!r} has no element")
        if not (np.isfinite(self.measure).all() and (self.measure > 0).all()):
            raise InputError(f"place {self.name!r} has an element whose measure is not a positive number")
        if self.centres.shape != (n, 3):
            raise InputError(f"place {self.name!r} has centres of shape {self.centres.shape}, not {(n, 3)}")
        if self.sides.shape not in ((0, 3), (n, 3)):
            raise InputError(f"place {self.name!r} has sides of shape {self.sides.shape}, not {(n, 3)}")
        if self.links.shape != (len(self.transmissibility), 2):
            raise InputError(f"place {self.name!r} has {len(self.links)} links but "
                             f"{len(self.transmissibility)} transmissibilities")
        for what, index in {"a link": self.links, "a cell": self.cells}.items():
            if index.size and (index.min() < 0 or index.max() >= n):
                raise InputError(f"place {self.name!r} has {what} to an element outside 0..{n - 1}")
        if not np.isfinite(self.transmissibility).all():
            raise InputError(f"place {self.name!r} has a transmissibility that is not a finite number")
        object.__setattr__(self, "touches", {other: np.asarray(index) for other, index in self.touches.items()})
        for other, index in self.touches.items():
            if index.dtype.kind not in "iu":
                raise InputError(f"place {self.name!r} touches {other!r} by values of type {index.dtype}; they must be "
                                 "numbers of elements")
            if index.shape != (n,):
                raise InputError(f"place {self.name!r} touches {other!r} with {index.size} entries, not {n}")
        extent = float(np.ptp(self.centres, axis=0).max())
        if extent > WIDEST:
            warnings.warn(f"place {self.name!r} extends over {extent:.4g} um, more than {WIDEST:g} um; lengths are in "
                          "um: write 500 * nm", Unusual, stacklevel=4)
        self._freeze()

    def _freeze(self) -> None:
        """Make all that the place holds read-only."""
        for name in ("measure", "centres", "links", "transmissibility", "cells", "sides"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        touches = {other: read_only(index) for other, index in self.touches.items()}
        object.__setattr__(self, "touches", Frozen(touches))
        object.__setattr__(self, "partners", Frozen(self.partners))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._freeze()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Place":
        return self  # nothing in it can change

    def __len__(self) -> int:
        return len(self.measure)

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self)} elements, {self.total:.4g} {self.unit}>"

    @property
    def unit(self) -> str:
        """Unit of the measure: "um^3", "um^2" or "1"."""
        return _MEASURE_UNIT[self.dimension]

    @cached_property
    def total(self) -> float:
        """Sum of the measure: the volume [um^3], area [um^2] or number."""
        return float(self.measure.sum())

    @cached_property
    def joins_elements(self) -> bool:
        """Whether links let something diffuse from element to element; points, pools and parts of places have none."""
        return bool(self.transmissibility.any())

    @cached_property
    def has_wrong_links(self) -> bool:
        """Whether a link has a negative transmissibility, as those of flat cells have: what diffuses may undershoot."""
        return bool((self.transmissibility < 0.0).any())

    @cached_property
    def elements(self) -> str:
        """A digest of its elements: their measure and centres."""
        return _digest(self.dimension, np.asarray(self.measure, float), np.asarray(self.centres, float))

    @cached_property
    def digest(self) -> str:
        """A digest of its elements and of the links between them: what makes it the place that it is.

        What it touches is no part of it, so `touching`, `with_points` and pickling leave it as it is.
        """
        return f"{self.elements}-{_digest(self.links, self.transmissibility)}"

    def is_same(self, other: "Place") -> bool:
        """Whether another object is this place: of the same name, elements and links."""
        return self is other or (self.name == other.name and self.digest == other.digest)

    def position(self, element: int) -> str:
        """Where an element is, to be shown: "(x, y, z) um"."""
        return spot(self.centres[element])

    def contains(self, positions: Floats) -> NDArray[np.bool_]:
        """(k,) whether each of the (k, 3) positions [um] lies in the place.

        A volume of bricks or tetrahedra contains what these contain, with their faces; any other place its bounding
        box.
        """
        points = np.atleast_2d(positions)
        if points.dtype.kind not in "fiu" or points.ndim != 2 or points.shape[1] != 3:
            raise InputError(f"positions in {self.name!r}: they have shape {points.shape}; give (k, 3) numbers, x, y "
                             "and z of each")
        if len(self.sides) and self.dimension == _VOLUME:
            return in_bricks(self.centres, self.sides, points)
        cells = self.cells if self.dimension == _VOLUME else self.cells[:0]
        return in_cells(self.centres, cells, points)

    def check_contains(self, positions: Floats, what: str) -> None:
        """Raise `InputError` naming the first position that lies outside, and the place's extent."""
        outside = np.flatnonzero(~self.contains(positions))
        if len(outside):
            half = self.sides / 2 if len(self.sides) else 0.0
            lower, upper = (self.centres - half).min(axis=0), (self.centres + half).max(axis=0)
            extent = " x ".join(f"{a:.3g}..{b:.3g}" for a, b in zip(lower, upper, strict=True))
            within = ((positions[outside[0]] >= lower) & (positions[outside[0]] <= upper)).all()
            raise InputError(f"{what} {outside[0]} at {spot(positions[outside[0]])} lies outside {self.name!r}, which "
                             f"spans {extent} um{' but has no element there' if within else ''}")

    def chosen(self, what: str, elements: Ints | Sequence[int]) -> Ints:
        """Return the numbers of some elements as a (k,) array.

        Raises `InputError`, which begins with `what`, for what are no numbers of elements of this place.
        """
        numbers, count = np.asarray(elements), len(self)
        if numbers.ndim != 1 or not len(numbers):
            raise InputError(f"{what} have shape {numbers.shape}; give the numbers of one or more in a row")
        if numbers.dtype.kind not in "iu":
            raise InputError(f"{what} are of type {numbers.dtype}; give the numbers of elements, such as "
                             "np.flatnonzero(mask)")
        if numbers.min() < 0 or numbers.max() >= count:
            raise InputError(f"{what} go from {numbers.min()} to {numbers.max()}; {self.name!r} has 0..{count - 1}")
        return numbers.astype(np.int64)

    def warn_of_crowd(self, positions: Floats, what: str) -> None:
        """Warn with `Unusual` of (k, 3) positions [um] so near to one another that no element tells them apart."""
        spread = float(np.ptp(positions, axis=0).max())
        size = (self.total / len(self)) ** (1 / self.dimension) if self.dimension else np.inf
        if len(self) > 1 and self.dimension and 0.0 < spread < _CROWD * size:
            warnings.warn(f"{what}: all {len(positions)} positions lie within {spread:.2g} um, where elements of "
                          f"{self.name!r} are {size:.2g} um wide; positions are in um", Unusual, stacklevel=4)

    def nearest(self, positions: Floats) -> Ints:
        """(k,) element whose centre is nearest to each of the (k, 3) positions [um]."""
        from scipy.spatial import cKDTree

        return np.asarray(cKDTree(self.centres).query(np.atleast_2d(positions))[1], np.int64)


def spot(position: Floats) -> str:
    """Return a position (3,) [um] as it is shown: "(x, y, z) um"."""
    x, y, z = position
    return f"({x:.3g}, {y:.3g}, {z:.3g}) um"


def _digest(*parts: int | Floats | Ints) -> str:
    """A digest of numbers and arrays, the same on every run."""
    found = blake2b(digest_size=16)
    for part in parts:
        array = _alike(part)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.data)
    return found.hexdigest()


def _alike(part: int | Floats | Ints) -> Floats | Ints:
    """A number or array in the form of which a digest is taken: 1 and 1.0, 0.0 and -0.0, links either way are alike."""
    array = np.asarray(part)
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, np.float64) + 0.0
    whole = np.ascontiguousarray(array, np.int64)
    return np.sort(whole, axis=-1) if whole.ndim == 2 else whole


@dataclass(frozen=True, eq=False)
class Mesh(Mapping[str, Place]):
    """The places of one geometry, by name. Frozen: adding a place makes a new mesh."""

    places: Mapping[str, Place]

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "places", Frozen(self.places))
        for name, place in self.places.items():
            if name != place.name:
                raise InputError(f"a mesh has {place!r} under the name {name!r}; make it by Mesh.of, or under its own "
                                 "name")
        for place in self.places.values():
            for other, index in place.touches.items():
                self._check_contact(place, other, index)
        object.__setattr__(self, "places", Frozen({name: self._joined(place) for name, place in self.places.items()}))

    def _check_contact(self, place: Place, other: str, index: Ints) -> None:
        """Raise `InputError` where a place touches elements that there are not, or those of another place."""
        top = len(self[other]) - 1
        if index.min() < 0 or index.max() > top:
            raise InputError(f"place {place.name!r} touches an element of {other!r} outside 0..{top}")
        if place.partners.get(other, self[other].elements) != self[other].elements:
            raise InputError(f"{place!r} touches a place {other!r} with other elements than {self[other]!r} of this "
                             f"mesh; make {place.name!r} anew on the place that it is to touch")

    def _joined(self, place: Place) -> Place:
        """A place that knows the elements of those that it touches."""
        partners = {other: self[other].elements for other in place.touches}
        return place if partners == dict(place.partners) else replace(place, partners=partners)

    @classmethod
    def of(cls, *places: Place) -> "Mesh":
        """A mesh of these places. Raises `InputError` for two of one name."""
        return cls(_named(places))

    def __getitem__(self, name: str) -> Place:
        if not isinstance(name, str) or name not in self.places:
            raise InputError(f"no place {checks.shown(name)} in this mesh; it has {sorted(self.places)}")
        return self.places[name]

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def with_places(self, *places: Place) -> "Mesh":
        """This mesh with these places added, or put in place of those of the same name.

        A place whose elements lie where they lay may have other measures and links. Raises `InputError` for one with
        elements elsewhere that others touch.
        """
        added = _named(places)
        changed = {name for name, place in added.items()
                   if name in self.places and np.array_equal(place.centres, self[name].centres)}
        kept = {name: _parted(place, changed) for name, place in self.places.items()}
        return Mesh({**kept, **{name: _parted(place, changed) for name, place in added.items()}})

    def with_points(self, name: str, positions: Sequence[Sequence[float]] | Floats,
                    touching: Sequence[str], measure: float = 1.0) -> "Mesh":
        """This mesh with a place of points [um], each touching the nearest element of other places.

        Raises `InputError` for a position that lies outside the first of the places touched.
        """
        centres = checks.positions(f"{name}: positions", positions)
        touched = checks.listed(f"{name}: touching", touching, 'touching=["cytosol"]')
        if not touched:
            raise InputError(f"{name}: touching is empty; name the place that the points lie in")
        checks.positive(f"{name}: measure", measure)
        self[touched[0]].check_contains(centres, what=name)
        self[touched[0]].warn_of_crowd(centres, name)
        touches = {other: self[other].nearest(centres) for other in touched}
        return self.with_places(
            Place(name, 0, np.full(len(centres), measure), centres, touches=touches))

    def with_points_on(self, name: str, membrane: str, elements: Ints) -> "Mesh":
        """This mesh with a place of points at elements of a membrane, which touch all that these touch."""
        of = self[membrane]
        chosen = of.chosen(f"{name}: elements", elements)
        return self.with_places(Place(name, 0, np.ones(len(chosen)), of.centres[chosen],
                                      touches={other: index[chosen] for other, index in of.touches.items()}))

    def touching(self, name: str, other: str, index: Ints) -> "Mesh":
        """This mesh with each element of place `name` also touching element `index` of `other`."""
        place, _ = self[name], self[other]
        return self.with_places(replace(place, touches={**place.touches, other: index}))


def _named(places: Sequence[Place]) -> dict[str, Place]:
    """Places by name. Raises `InputError` for two of one name."""
    named = dict[str, Place]()
    for place in places:
        if not isinstance(place, Place):
            raise InputError(f"a mesh is made of places, not of {checks.shown(place)}; `grid` makes one")
        if place.name in named:
            raise InputError(f"two places of a mesh are called {place.name!r}, {named[place.name]!r} and {place!r}; "
                             "give each a name of its own")
        named[place.name] = place
    return named


def _parted(place: Place, others: set[str]) -> Place:
    """A place that is to be joined anew to these others, whose elements lie where they lay."""
    partners = {name: digest for name, digest in place.partners.items() if name not in others}
    return place if len(partners) == len(place.partners) else replace(place, partners=partners)
