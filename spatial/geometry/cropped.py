"""A part of a mesh: the cells whose centres lie in a box."""

from collections.abc import Sequence

import numpy as np

from spatial.checks import InputError, by_annotation
from spatial.geometry.cut_faces import cut_name
from spatial.geometry.files.sound import without_strays
from spatial.geometry.place import Floats, Ints
from spatial.geometry.shapes import used_points
from spatial.geometry.surfaces import ER_MEMBRANE, membranes, void_volumes
from spatial.geometry.tetrahedra import Tetrahedra, face_pairs, triangle_keys


@by_annotation
def cropped(tets: Tetrahedra, box: Sequence[float], largest: bool = False) -> tuple[Tetrahedra, list[str]]:
    """The cells whose centres lie in the box x0, x1, y0, y1, z0, z1 [um], and a sentence for each thing to know.

    No cell is divided, so the new hull is ragged, and larger than the planes of the box. It is no membrane: without an
    ECS the new faces of a membrane are its "cut face". With `largest` only the largest piece is kept. Raises
    `InputError` for a box that is none or holds no cell, and where what is left is in pieces.
    """
    low, high = _corners(box)
    centres = tets.points[tets.cells].mean(axis=1)
    inside = ((centres >= low) & (centres <= high)).all(axis=1)
    if not inside.any():
        extent = " x ".join(f"{a:.3g}..{b:.3g}" for a, b in zip(tets.points.min(axis=0), tets.points.max(axis=0),
                                                                strict=True))
        raise InputError(f"cut: no cell has its centre in the box; the mesh spans {extent} um")
    cells, region = tets.cells[inside], tets.region[inside]
    try:
        keep, dropped = without_strays("cut", tets.points, cells, region, face_pairs(cells), largest)
    except InputError as error:
        raise InputError(f"{error}; --largest keeps the largest of them") from None
    cells, region = cells[keep], region[keep]
    present, region = np.unique(region, return_inverse=True)
    regions = tuple(tets.regions[k] for k in present.tolist())
    numbers = np.unique(cells)
    points, cells = used_points(tets.points, cells)
    found = membranes(points, cells, region, regions)
    named = _as_before(tets, found, numbers, sealed="ecs" not in tets.place_names)
    said = [f"{len(cells)} of {len(tets.cells)} cells have their centres in the box; no cell is divided, so the new "
            "hull is ragged, and larger than the faces of the box", *([dropped] if dropped else [])]
    if "er" not in tets.place_names and ER_MEMBRANE in named:
        said += _said_of_voids(points, named[ER_MEMBRANE])
    return Tetrahedra(points, cells, region.astype(np.int64), regions, named), said


def _said_of_voids(points: Floats, triangles: Ints) -> list[str]:
    """What to say where the ER is voids, and the box cuts through one."""
    try:
        void_volumes(points, triangles)
    except InputError as error:
        return [f"{ER_MEMBRANE!r}: {error}; as it is, nothing that needs the volume of the ER runs on this mesh"]
    return []


def _corners(box: Sequence[float]) -> tuple[Floats, Floats]:
    """The lower and the upper corner of a box."""
    corners = np.array([*box], float)
    if corners.shape != (6,) or not np.isfinite(corners).all() or not (corners[::2] < corners[1::2]).all():
        raise InputError(f"cut: the box is {', '.join(f'{x:g}' for x in box)}; it must be six numbers x0 x1 y0 y1 z0 "
                         "z1 in um, each lower one before the higher one")
    return corners[::2], corners[1::2]


def _as_before(tets: Tetrahedra, found: dict[str, Ints], numbers: Ints, sealed: bool) -> dict[str, Ints]:
    """The triangles of a part under the names that they had in the whole; new ones are cut faces, where `sealed`.

    `numbers` are the points of the whole that the part uses.
    """
    count = len(tets.points)
    names = list(tets.membranes)
    old = np.concatenate([np.zeros((0, 3), np.int64), *tets.membranes.values()])
    owner = np.repeat(np.arange(len(names)), [len(tets.membranes[name]) for name in names])
    parts = dict[str, list[Ints]]()
    for name, triangles in found.items():
        keys = triangle_keys(np.concatenate([old, numbers[triangles]]), count)
        _, same = np.unique(keys, axis=0, return_inverse=True)
        same = same.ravel()
        known = np.full(int(same.max()) + 1, -1, np.int64)
        known[same[:len(old)]] = owner
        before = known[same[len(old):]]
        for k in np.unique(before).tolist():
            new = cut_name(name) if sealed else name
            parts.setdefault(names[k] if k >= 0 else new, []).append(triangles[before == k])
    return {name: np.concatenate(pieces) for name, pieces in parts.items()}
