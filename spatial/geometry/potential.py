"""Where a membrane potential lives: one for a whole cell, or one for each slice of a process.

A place of potentials has capacitance [pA s/mV] for its measure, so that a current per membrane area becomes mV/s as a
flux becomes a change of concentration: a `Species(..., unit="mV", signed=True)` there is the potential.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.units import mV, pA, s, um2

CAPACITANCE = 1e-5 * pA * s / mV / um2  # C_m, 1e-2 F/m^2; Halnes 2013, biophysics A10
RESISTIVITY = 1.5e-3 * mV / pA  # um mV/pA, of cytoplasm: 1.5 Ohm m; M


@by_annotation
def isopotential(mesh: Mesh, *membranes: str, name: str = "potential", capacitance: float = CAPACITANCE) -> Mesh:
    """This mesh with one potential that every element of these membranes of a cell touches.

    `capacitance` is per membrane area. Raises `InputError` for a name that is taken, or what is no membrane.
    """
    places = _checked(mesh, membranes, name, capacitance)
    area = np.concatenate([place.measure for place in places])
    centre = area @ np.concatenate([place.centres for place in places]) / area.sum()
    potential = Place(name, 0, np.array([capacitance * area.sum()]), centre[None])
    found = {place.name: np.zeros(len(place), np.int64) for place in places}
    return _touching(mesh.with_places(potential), found, name)


@by_annotation
def cable(mesh: Mesh, *membranes: str, axis: Sequence[float], slices: int, within: str = "cytosol",
          name: str = "potential", capacitance: float = CAPACITANCE, resistivity: float = RESISTIVITY) -> Mesh:
    """This mesh with a potential for each of so many even slices along a process, from end to end.

    Neighbours are joined by the axial conductance [pA/mV] of the cytosol, from its cross-section where they meet and
    the distance between their centres of mass: a potential with D = 1 is conducted along. What flows so is charge;
    ions inside are moved by what moves ions. Raises `InputError` for a name that is taken, what is no membrane, and
    slices without membrane or cytosol, or that no cytosol joins: they must be longer than the mesh is coarse.
    """
    places = _checked(mesh, membranes, name, capacitance)
    checks.positive("cable: resistivity", resistivity)
    checks.positive("cable: slices", slices)
    direction = _direction(axis)
    volume = mesh[within]
    along = volume.centres @ direction
    ends = (float(along.min()), float(along.max()))
    inside = _slice(along, ends, slices)
    found = {place.name: _slice(place.centres @ direction, ends, slices) for place in places}
    filled = _per_slice(inside, volume.measure, slices, within)
    area = np.sum([_per_slice(found[place.name], place.measure, slices, place.name) for place in places], axis=0)
    centres = np.stack([np.bincount(inside, volume.measure * x, slices) / filled for x in volume.centres.T], axis=1)
    conductance = _sections(volume, along, inside, slices) / (resistivity * np.diff(centres @ direction))
    links = np.stack([np.arange(slices - 1), np.arange(1, slices)], axis=1)
    return _touching(mesh.with_places(Place(name, 0, capacitance * area, centres, links, conductance)), found, name)


def _checked(mesh: Mesh, membranes: Sequence[str], name: str, capacitance: float) -> list[Place]:
    """The places of these membranes."""
    checks.positive("capacitance of the membrane", capacitance)
    if name in mesh:
        raise InputError(f"this mesh has a place {name!r} already; give the potential another name")
    if not membranes:
        raise InputError("a potential needs a membrane, such as 'plasma membrane'; none is named")
    places = [mesh[one] for one in membranes]
    for place in places:
        if place.dimension != 2:
            raise InputError(f"{place.name!r} is no membrane; only a membrane has a potential across it")
    return places


def _direction(axis: Sequence[float]) -> Floats:
    """(3,) unit vector along the axis."""
    vector = np.asarray(axis, float)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise InputError(f"cable: axis is {axis}; it must be three numbers, not all zero")
    return vector / np.linalg.norm(vector)


def _slice(along: Floats, ends: tuple[float, float], slices: int) -> Ints:
    """(n,) the slice that each position along the axis lies in; what is beyond the ends counts to the last."""
    part = (along - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else np.zeros(len(along))
    return np.clip((part * slices).astype(np.int64), 0, slices - 1)


def _per_slice(inside: Ints, measure: Floats, slices: int, name: str) -> Floats:
    """(slices,) the measure in each slice."""
    found = np.bincount(inside, measure, slices).astype(float)
    if not found.all():
        raise InputError(f"cable: slice {int(np.argmin(found))} of {slices} has nothing of {name!r}; take fewer slices")
    return found


def _sections(volume: Place, along: Floats, inside: Ints, slices: int) -> Floats:
    """(slices - 1,) cross-section [um^2] where neighbours meet: what flows there in a gradient of 1 along the axis."""
    i, j = volume.links.T
    through = volume.transmissibility * np.abs(along[j] - along[i])
    low, high = np.sort(inside[volume.links], axis=1).T
    crossing = np.bincount(low, through, slices) - np.bincount(high, through, slices)
    sections = np.cumsum(crossing)[:-1]
    if not (sections > 0).all():
        raise InputError(f"cable: no {volume.name!r} joins slice {int(np.argmin(sections))} of {slices} to the next; "
                         "take fewer slices, or a process in one piece")
    return sections


def _touching(mesh: Mesh, found: Mapping[str, Ints], name: str) -> Mesh:
    """The mesh with each membrane touching the elements of the potential found for it."""
    for membrane, index in found.items():
        mesh = mesh.touching(membrane, name, index)
    return mesh
