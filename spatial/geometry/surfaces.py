"""Membranes by name, and the voids that closed ones enclose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints
from spatial.geometry.tetrahedra import OUTSIDE, Region, interfaces, surface_labels, triangle_areas

PLASMA_MEMBRANE = "plasma membrane"
ER_MEMBRANE = "er membrane"

NAMES: Mapping[frozenset[str], str] = MappingProxyType({
    frozenset({"er", "cytosol"}): ER_MEMBRANE,
    frozenset({"cytosol", "ecs"}): PLASMA_MEMBRANE,
    frozenset({"bouton", "ecs"}): "presynaptic membrane",
    frozenset({"spine", "ecs"}): "postsynaptic membrane",
    frozenset({"ecs", OUTSIDE}): "far boundary",
})
"""Membranes that have a name of their own, by the places they lie between; others are called "a|b"."""


def membranes(points: Floats, cells: Ints, region: Ints, regions: Sequence[Region]) -> dict[str, Ints]:
    """The (k, 3) triangles between the places and around them, pointing out of the inner place.

    They are named "plasma membrane" and the like where that is what they are, else "a|b". The outside
    of a cytosol without ECS is its plasma membrane; if the cytosol is alone, the surface of
    largest area is, and all others are the ER membrane around voids.
    """
    present = dict.fromkeys(each.place for each in regions)
    names = sorted(present, key=lambda place: (place == "ecs", place not in ("er", "cytosol"), place != "er"))
    place = np.array([names.index(each.place) for each in regions])
    found = interfaces(cells, place[region], names)
    if list(present) == ["cytosol"]:
        return _outer_and_voids(points, found["cytosol", OUTSIDE])
    special = {**NAMES} if "ecs" in present else {**NAMES, frozenset({"cytosol", OUTSIDE}): PLASMA_MEMBRANE}
    return {special.get(frozenset(pair), "|".join(pair)): triangles for pair, triangles in found.items()}


def _outer_and_voids(points: Floats, surface: Ints) -> dict[str, Ints]:
    label = surface_labels(surface)
    outer = label == np.bincount(label, triangle_areas(points, surface)).argmax()
    parts = {PLASMA_MEMBRANE: surface[outer], ER_MEMBRANE: surface[~outer]}
    return {name: triangles for name, triangles in parts.items() if len(triangles)}


@dataclass(frozen=True, eq=False)
class Voids:
    """The volumes enclosed by closed surfaces, such as the ER lumen in a mesh of the cytosol alone."""

    volumes: Floats  # (k,) um^3, that of the surface with most triangles first
    of_triangle: Ints  # (t,) void of each triangle
    of_vertex: Ints  # (v,) void of each vertex, in the order of np.unique(triangles)

    def __post_init__(self) -> None:
        checks.kinds(self)


def void_volumes(points: Floats, triangles: Ints) -> Voids:
    """The voids inside the closed surfaces that (t, 3) triangles form, by the divergence theorem.

    Raises `InputError` if a surface is open, for then it encloses nothing.
    """
    label = surface_labels(triangles)
    _check_closed(triangles, label)
    centred = points - points[triangles].mean(axis=(0, 1))
    a, b, c = (centred[triangles[:, k]] for k in range(3))
    volumes = np.abs(np.bincount(label, np.einsum("ij,ij->i", np.cross(a, b), c) / 6.0))
    _, first = np.unique(triangles, return_index=True)
    return Voids(volumes, label, label[first // 3])


def _check_closed(triangles: Ints, label: Ints) -> None:
    """Every edge of a closed surface is passed as often one way as the other."""
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    way = np.where(edges[:, 0] < edges[:, 1], 1, -1)
    _, edge = np.unique(np.column_stack([np.repeat(label, 3), np.sort(edges, axis=1)]), axis=0, return_inverse=True)
    unmatched = np.bincount(edge.ravel(), way)[edge.ravel()] != 0
    if unmatched.any():
        part = int(np.repeat(label, 3)[unmatched].min())
        count = len(np.unique(edge.ravel()[unmatched & (np.repeat(label, 3) == part)]))
        raise InputError(f"surface {part} of {label.max() + 1} is open at {count} edges; only a closed surface "
                         "encloses a volume, and a void of ER that was cut through has none: cut beside it, or fill it "
                         "before")
