"""A co-located ER: lumen and membrane that share every point of the cytosol, for ER finer than the mesh."""

import numpy as np

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.surfaces import ER_MEMBRANE
from spatial.geometry.tortuosity import checked
from spatial.units import um

ER = "er"


@by_annotation
def with_store(mesh: Mesh, volume_ratio: float = 0.185, surface_to_volume: float = 2 / um, within: str = "cytosol",
               tortuosity: float = 1.0, filled: Floats | float = 1.0) -> Mesh:
    """This mesh with an ER at the same points as its cytosol: a lumen "er" and an "er membrane" between the two.

    In an element of cytosol of volume V the lumen has `volume_ratio` V (De Pitta AM: 0.185) and the membrane
    `surface_to_volume` V (PAP-ER: 2 /um), both times `filled`, a number or (n,) numbers from 0, where there is
    no ER, to 1. The lumen conducts as the cytosol does, times its share of the volume and / tortuosity^2; between
    elements filled unequally, with the harmonic mean of the two. The cytosol's own volume stays as it is.
    Both have the cells of the cytosol, as far as it is filled, to be drawn.
    Raises `InputError` for a mesh that has an ER, a place that is no volume, or nothing filled.
    """
    checks.fraction("with_store: volume_ratio", volume_ratio)
    checks.positive("with_store: surface_to_volume [1/um]", surface_to_volume)
    checked(tortuosity, "with_store: tortuosity")
    for name in (ER, ER_MEMBRANE):
        if name in mesh:
            raise InputError(f"this mesh has a place {name!r} already; a co-located ER is for a mesh without one")
    cytosol = mesh[within]
    if cytosol.dimension != 3:
        raise InputError(f"with_store: {within!r} is no volume; the ER must lie within one, such as 'cytosol'")
    part = _part(cytosol, filled)
    here = np.flatnonzero(part > 0)
    V = part[here] * cytosol.measure[here]
    links, conducting = _links(cytosol, part, here)
    lumen = Place(ER, 3, volume_ratio * V, cytosol.centres[here], links,
                  volume_ratio / tortuosity ** 2 * conducting, cells=_kept(cytosol.cells, here, len(cytosol))[0],
                  sides=cytosol.sides[here] if len(cytosol.sides) else cytosol.sides)
    membrane = Place(ER_MEMBRANE, 2, surface_to_volume * V, cytosol.centres[here],
                     touches={within: here, ER: np.arange(len(here))}, cells=lumen.cells, sides=lumen.sides)
    return mesh.with_places(lumen, membrane)


def _part(cytosol: Place, filled: Floats | float) -> Floats:
    """(n,) how much of each element has its full share of ER, checked."""
    checks.number("with_store: filled", filled)
    values = np.asarray(filled, float)
    if values.shape not in ((), (len(cytosol),)):
        raise InputError(f"with_store: filled has shape {values.shape}; {cytosol.name!r} has {len(cytosol)} elements")
    if values.max() > 1 or not values.any():
        raise InputError(f"with_store: filled goes up to {values.max():g}; it must be 0 to 1, and not 0 everywhere")
    return np.broadcast_to(values, len(cytosol)).copy()


def _links(cytosol: Place, part: Floats, here: Ints) -> tuple[Ints, Floats]:
    """Links between filled elements, numbered over these, and their transmissibility if they were cytosol [um]."""
    links, kept = _kept(cytosol.links, here, len(cytosol))
    one, other = part[here][links].T
    return links, cytosol.transmissibility[kept] * 2 * one * other / (one + other)


def _kept(cells: Ints, here: Ints, count: int) -> tuple[Ints, Ints]:
    """The rows of `cells` all of whose elements are among `here`, numbered over these, and which rows they are."""
    number = np.full(count, -1, np.int64)
    number[here] = np.arange(len(here))
    rows = np.flatnonzero((number[cells] >= 0).all(axis=1))
    return number[cells[rows]], rows
