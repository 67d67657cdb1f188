"""Where a block of tissue was cut by planes: flat patches of a cell's surface that are no membrane.

A segmented process ends where the imaged block ends. There its surface is flat, on the faces of its extent, and
meets the membrane at a sharp edge, or has points within that lie as exactly in one plane as no rounded tip. A surface
made of steps or of flat walls all around, as that of voxels or of a box, does not tell its cut faces from its walls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.geometry.place import Floats, Ints
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.geometry.tetrahedra import OUTSIDE, surface_labels, triangle_areas, triangle_keys

CUT_FACE = "cut face"
"""The boundary of a process where its block was cut: no membrane, unless a scenario or a file says so."""

FLATNESS = 5e-4
"""How far from its plane a cut face may lie, as a part of the extent: a fiftieth of the edges of an EM mesh."""

OF_AN_EDGE = 0.1
"""How far from its plane a cut face may lie, as a part of the median edge of the surface, if that is less."""

ALONG = float(np.cos(np.radians(20.0)))
"""The least cosine between the normals of a cut face's triangles and of its plane."""

SHARP = float(np.cos(np.radians(50.0)))
"""The largest mean cosine across the rim of a cut face: rounded tips turn by less from triangle to triangle."""

INNER = 10
"""How many points within a flat face, whose triangles all lie in its plane, tell it though its rim is not sharp."""

EXACT = 0.05
"""How exactly these points lie in the plane: compared with how a ball of the surface's extent bends over an edge."""

STEPPED = 0.9
"""From which part of a surface on, along the axes, it is made of walls or steps: cut faces cannot be told from it."""


@dataclass(frozen=True)
class CutPlane:
    """A plane by which a cell was cut: the axis across it, its position [um], and the flat faces there."""

    axis: str  # "x", "y" or "z"
    at: float  # um
    area: float  # um^2
    triangles: int
    faces: int  # patches that share no edge

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True, eq=False)
class Cuts:
    """The cut faces of a surface: the plane of each of its triangles, or -1, and whether it is made of steps."""

    planes: tuple[CutPlane, ...]
    plane: Ints  # (k,)
    stepped: bool = False

    def __post_init__(self) -> None:
        checks.kinds(self)


def cut_faces(points: Floats, triangles: Ints) -> Cuts:
    """The flat patches of a closed surface of (k, 3) triangles that lie on the faces of its extent."""
    normals, areas = _normals(points, triangles), triangle_areas(points, triangles)
    plane = np.full(len(triangles), -1, np.int64)
    if not len(triangles):
        return Cuts((), plane)
    along_an_axis = np.abs(normals).max(axis=1) > 1 - 1e-9
    if areas[along_an_axis].sum() > STEPPED * areas.sum():
        return Cuts((), plane, stepped=True)
    planes = list[CutPlane]()
    surface = _Surface(points, triangles, normals, areas)
    for axis in range(3):
        for way in (-1, 1):
            at, flat, label = surface.flat_at(axis, way)
            if not len(flat):
                continue
            cut = (surface.turns(flat, label) < SHARP) | (surface.inner_points(axis, way * at, flat, label) >= INNER)
            chosen = flat[cut[label]]
            if len(chosen):
                plane[chosen] = len(planes)
                area = float(areas[chosen].sum())
                planes.append(CutPlane("xyz"[axis], way * at + 0.0, area, len(chosen), int(cut.sum())))
    return Cuts(tuple(planes), plane)


def _normals(points: Floats, triangles: Ints) -> Floats:
    """(k, 3) unit normals of triangles."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    return np.asarray(across / np.linalg.norm(across, axis=1)[:, None])


def _median(values: Floats, weights: Floats) -> float:
    """The value below which half of the weight lies."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])


class _Surface:
    """A closed surface of (k, 3) triangles, and its flat patches."""

    def __init__(self, points: Floats, triangles: Ints, normals: Floats, areas: Floats) -> None:
        self._points, self._triangles, self._normals, self._areas = points, triangles, normals, areas
        self._corners = points[triangles]
        edges = np.linalg.norm(self._corners - np.roll(self._corners, 1, axis=1), axis=2)
        extent, edge = float(np.ptp(self._corners.reshape(-1, 3), axis=0).max()), float(np.median(edges))
        self._near = min(FLATNESS * extent, OF_AN_EDGE * edge)
        self._exactly = EXACT * edge**2 / extent
        ends = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        order = np.lexsort(ends.T[::-1])
        ends, owner = ends[order], order // 3
        starts = np.flatnonzero(np.r_[True, (ends[1:] != ends[:-1]).any(axis=1)])
        pair = starts[np.diff(np.r_[starts, len(ends)]) == 2]
        self._one, self._other = owner[pair], owner[pair + 1]
        self._length = np.linalg.norm(points[ends[pair, 0]] - points[ends[pair, 1]], axis=1)

    def flat_at(self, axis: int, way: int) -> tuple[float, Ints, Ints]:
        """The height of the plane at one end of an axis, its triangles, and the patch that each of these is in."""
        height = way * self._corners[:, :, axis]
        level = way * self._normals[:, axis] > ALONG
        top = level & (height > height.max() - 2 * self._near).all(axis=1)
        if not top.any():
            return 0.0, np.zeros(0, np.int64), np.zeros(0, np.int64)
        at = _median(height[top].mean(axis=1), self._areas[top])
        flat = np.flatnonzero(level & (np.abs(height - at) < self._near).all(axis=1))
        if not len(flat):
            return at, flat, flat
        return at, flat, surface_labels(self._triangles[flat])

    def turns(self, flat: Ints, label: Ints) -> Floats:
        """(patches,) mean cosine of the angle across the rim of each patch, by length."""
        patch = np.full(len(self._triangles), -1, np.int64)
        patch[flat] = label
        count = int(label.max()) + 1
        cosine = np.einsum("ij,ij->i", self._normals[self._one], self._normals[self._other])
        rim = patch[self._one] != patch[self._other]
        total, turned = np.zeros(count), np.zeros(count)
        for side in (patch[self._one], patch[self._other]):
            chosen = rim & (side >= 0)
            total += np.bincount(side[chosen], self._length[chosen], count)
            turned += np.bincount(side[chosen], (self._length * cosine)[chosen], count)
        return np.divide(turned, total, out=np.ones(count), where=total > 0)

    def inner_points(self, axis: int, at: float, flat: Ints, label: Ints) -> Ints:
        """(patches,) how many points have all their triangles exactly in the plane of a patch."""
        exact = (np.abs(self._corners[flat][:, :, axis] - at) < self._exactly).all(axis=1)
        around = np.bincount(self._triangles.ravel(), minlength=len(self._points))
        within = np.bincount(self._triangles[flat[exact]].ravel(), minlength=len(self._points))
        inner = (within > 0) & (within == around)
        patch = np.zeros(len(self._points), np.int64)
        patch[self._triangles[flat]] = label[:, None]
        return np.bincount(patch[inner], minlength=int(label.max()) + 1)


def without_cut_faces(points: Floats, membranes: Mapping[str, Ints], outer: Mapping[str, str],
                      named: Ints) -> tuple[dict[str, Ints], tuple[CutPlane, ...]]:
    """The membranes with their cut faces as boundaries of their own, and the planes of all.

    `outer` gives the membranes that bound cells towards the outside, with the name that their cut faces are to bear.
    `named` (k, 3) are triangles that the file names as parts of a membrane: they stay in it.
    """
    names = [name for name in membranes if name in outer]
    surface = np.concatenate([np.zeros((0, 3), np.int64), *(membranes[name] for name in names)])
    cuts = cut_faces(points, surface)
    if not cuts.planes:
        return dict(membranes), ()
    cut = (cuts.plane >= 0) & ~among(surface, named, len(points))
    parted, start = dict(membranes), 0
    for name in names:
        triangles = membranes[name]
        here = cut[start:start + len(triangles)]
        start += len(triangles)
        if here.any():
            parted.pop(name)
            pieces = {name: triangles[~here], outer[name]: triangles[here]}
            parted |= {piece: own for piece, own in pieces.items() if len(own)}
    return parted, _left(cuts, cut, triangle_areas(points, surface))


def among(triangles: Ints, others: Ints, points: int) -> NDArray[np.bool_]:
    """(k,) whether each triangle is among the others, whatever the order of its corners."""
    keys = triangle_keys(np.concatenate([triangles, others]), points)
    _, same = np.unique(keys, axis=0, return_inverse=True)
    return np.isin(same.ravel()[:len(triangles)], same.ravel()[len(triangles):])


def _left(cuts: Cuts, cut: NDArray[np.bool_], areas: Floats) -> tuple[CutPlane, ...]:
    """The planes, with what of them is cut face."""
    left = list[CutPlane]()
    for k, plane in enumerate(cuts.planes):
        own = cut & (cuts.plane == k)
        if own.any():
            left.append(CutPlane(plane.axis, plane.at, float(areas[own].sum()), int(own.sum()), plane.faces))
    return tuple(left)


def cut_name(membrane: str) -> str:
    """What the cut faces of a membrane are called: those of the plasma membrane "cut face"."""
    if membrane == PLASMA_MEMBRANE:
        return CUT_FACE
    return f"{CUT_FACE} of {membrane.removesuffix(f'|{OUTSIDE}')}"
