"""Label volumes, such as segmented electron microscopy: voxels as control volumes, membranes without the staircase.

Between voxels the two-point flux is exact. The faces between two cells over-count a membrane's area, 1.5 times for
a sphere; each is weighted by |n . e|, the cosine between its own direction and the smoothed normal of the membrane,
and sum |n . e| |n . e| over the three directions is 1. What lives on a membrane diffuses from face to face as along the
smooth surface (`voxel_surface`).
"""

import contextlib
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray
from scipy import ndimage

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, positive
from spatial.geometry.bricks import graded_grid
from spatial.geometry.load import LARGEST, SMALLEST
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.size import BRICKS, MOST_ELEMENTS, MOST_VOXELS, VOXELS, bricks_in, check_size
from spatial.geometry.surfaces import NAMES
from spatial.geometry.voxel_surface import face_links
from spatial.units import nm

ECS = "ecs"
_SMOOTHING = 1.5  # voxels (of their sides' geometric mean), of the normals of membranes; choice, by areas of spheres
_LITTLE = 0.7  # voxels, of the normals along which cells shrink; choice: more blunts thin sheets, less keeps the stairs
_MARGIN = 3  # voxels around a cell in which its depth is computed
_MOST_DROPPED = 0.1  # part of the ECS that may lie in pieces of its own; choice
_LEAST = 1e-6  # of |n . e|, so that every face has an area

Mask = NDArray[np.bool_]
Depths = NDArray[np.floating[Any]]
Triple = tuple[float, float, float]


class Dropped(UserWarning):
    """A part of the extracellular space is cut off from the rest, and left out."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Which cell each voxel belongs to; 0 is the extracellular space. The corner of voxel (0, 0, 0) is the origin."""

    values: Ints  # (n, m, k), >= 0
    voxel: Triple  # um

    def __post_init__(self) -> None:
        if isinstance(self.voxel, tuple) and len(self.voxel) != 3:
            raise InputError(f"a voxel has {len(self.voxel)} sides; it must have three, in um")
        checks.kinds(self)
        if self.values.ndim != 3 or self.values.size == 0 or self.values.dtype.kind not in "iu":
            raise InputError(f"labels are an array of {self.values.dtype} of shape {self.values.shape}; "
                             "they must be integers, at least one, in three dimensions")
        if self.values.min() < 0:
            raise InputError(f"labels go down to {self.values.min()}; they must be >= 0, 0 for the extracellular space")
        for axis, side in zip("xyz", self.voxel, strict=True):
            positive(f"side of a voxel along {axis} [um]", side)

    @property
    def extent(self) -> Floats:
        """(3,) length of the block along x, y, z [um]."""
        return np.multiply(self.values.shape, self.voxel)

    @arguments(not_negative=("label",))
    def fraction(self, label: int) -> float:
        """The part of all voxels that has this label."""
        return float(np.mean(self.values == label))


@arguments(not_negative=("most_elements",))
def load_labels(path: str | Path, voxel: Triple | None = None, name: str | None = None,
                most_elements: float = MOST_VOXELS) -> Labels:
    """The label volume of a .npz file: its only array of integers in three dimensions, or the one called `name`.

    `voxel` gives the sides of a voxel [um]; without it the file must have them as an array "voxel_nm".
    Raises `InputError` for a file that is not there, cannot be read, or does not say which array is meant, and for
    a block whose size suggests another unit. More than `most_elements` voxels are refused before any is read.
    """
    arrays = _arrays(Path(path), most_elements)
    volumes = [key for key, each in arrays.items() if each.ndim == 3 and each.dtype.kind in "iu"]
    if name is None and len(volumes) != 1:
        raise InputError(f"{path} holds {len(volumes)} arrays of integers in three dimensions, not one; "
                         f"name one of {sorted(arrays)}")
    chosen = volumes[0] if name is None else name
    if chosen not in arrays:
        raise InputError(f"{path} has no array {chosen!r}; it has {sorted(arrays)}")
    if voxel is None:
        if arrays.get("voxel_nm", np.zeros(0)).shape != (3,):
            raise InputError(f"{path} does not say how large a voxel is; pass voxel=(dx, dy, dz) in um")
        voxel = cast(Triple, tuple(float(side) * nm for side in arrays["voxel_nm"]))
    found = arrays[chosen]
    labels = Labels(found.astype(np.int64) if found.dtype.kind in "iu" else found, voxel)
    extent = float(labels.extent.max())
    if not SMALLEST <= extent <= LARGEST:
        raise InputError(f"{path}: its extent is {extent:.3g} um, not {SMALLEST:g} to {LARGEST:g} um; give the "
                         "sides of a voxel in um, such as voxel=(16 * nm, 16 * nm, 40 * nm)")
    return labels


def _arrays(path: Path, most: float) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"there is no file of labels {path}")
    check_size(f"{path}", _voxels_said(path), VOXELS, most, "cut out a smaller block")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:  # numpy, zipfile and zlib each raise their own
        raise InputError(f"{path} cannot be read as a .npz file of labels: {error}") from None


def _voxels_said(path: Path) -> float:
    """How many numbers the arrays of a .npz file have by their headers; of one that is none, those until it breaks."""
    voxels = 0.0
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                read = {1: read_array_header_1_0, 2: read_array_header_2_0}[read_magic(file)[0]]
                voxels += math.prod(map(float, read(file)[0]))
    return voxels


# Shrinking


@by_annotation
def shrunk(labels: Labels, distance: float, refine: Sequence[int] = (1, 1, 1),
           most_elements: float = MOST_VOXELS) -> Labels:
    """The labels with `distance` [um] taken off every cell, all around, and given to the extracellular space.

    `refine` cuts voxels into so many along x, y, z, as is needed where 2 `distance` is no wider than a voxel. The
    depth below a cell's surface is found on the voxels given and interpolated between their centres (Raya & Udupa
    1990), so that their staircase does not count as surface. The faces of the block are no surface. More than
    `most_elements` refined voxels are refused.
    """
    positive("shrunk: distance [um]", distance)
    depth, owner = _depths(labels, refine, most_elements)
    return Labels(np.where(depth < distance, 0, owner), _refined(labels.voxel, refine))


@arguments(not_negative=("most_elements",))
def shrink_for(labels: Labels, fraction: float, refine: Sequence[int] = (1, 1, 1),
               most_elements: float = MOST_VOXELS) -> float:
    """The distance [um] by which to shrink the labels for an extracellular space of this volume fraction."""
    if not labels.fraction(0) < fraction < 1:
        raise InputError(f"shrink_for: the volume fraction is {fraction:g}; it must lie between "
                         f"{labels.fraction(0):g}, what the labels leave, and 1")
    return float(np.quantile(_depths(labels, refine, most_elements)[0], fraction))


def _refined(voxel: Triple, refine: Sequence[int]) -> Triple:
    if len(refine) != 3 or any(int(parts) != parts or parts < 1 for parts in refine):
        raise InputError(f"refine is {tuple(refine)}; it must be three whole numbers >= 1, along x, y and z")
    return cast(Triple, tuple(side / parts for side, parts in zip(voxel, refine, strict=True)))


def _depths(labels: Labels, refine: Sequence[int], most: float) -> tuple[Depths, Ints]:
    """How deep [um] each refined voxel's centre lies in the cell it belongs to, and that cell's label."""
    _refined(labels.voxel, refine)
    voxels = labels.values.size * math.prod(map(float, refine))
    check_size(f"labels refined {tuple(refine)} times", voxels, VOXELS, most, "refine them less")
    present, number = np.unique(labels.values, return_inverse=True)
    number = number.reshape(labels.values.shape)
    depth = np.full(np.array(number.shape) * refine, -np.inf, np.float32)
    owner = np.zeros(depth.shape, np.int64)
    for k, box in enumerate(ndimage.find_objects(number + 1)):
        if present[k] == 0:
            continue
        around = _grown(box, _MARGIN, number.shape)
        fine = tuple(slice(part.start * cut, part.stop * cut) for part, cut in zip(around, refine, strict=True))
        found = _interpolated(signed_depth(number[around] == k, labels.voxel), refine)
        deeper = found > depth[fine]
        depth[fine][deeper] = found[deeper]
        owner[fine][deeper] = present[k]
    return depth, owner


def _grown(box: tuple[slice, ...], by: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(max(0, part.start - by), min(size, part.stop + by))
                 for part, size in zip(box, shape, strict=True))


@by_annotation
def signed_depth(inside: Mask, voxel: Triple) -> Depths:
    """Depth [um] of each voxel's centre below the surface of what is inside, negative outside; far without a surface.

    The surface passes between the centres of voxels inside and outside, and the staircase is no part of it: from
    the nearest centre on the other side the way to the plane there is added, along its normal.
    """
    if inside.all() or not inside.any():
        return np.full(inside.shape, np.linalg.norm(np.multiply(inside.shape, voxel)) * (1 if inside.all() else -1))
    nearest = np.where(inside, _nearest_other(inside, voxel), _nearest_other(~inside, voxel))
    rough = _to_faces(nearest, voxel) * np.where(inside, 1, -1)
    smooth, slope = _smoothed(rough.astype(np.float32), voxel, _LITTLE)
    length = np.maximum(np.linalg.norm(slope, axis=-1), 1e-6)
    at = tuple(nearest)
    found, straight = (smooth / length)[at], np.zeros(inside.shape, np.float32)
    for axis, side in enumerate(voxel):
        away = (_positions(inside.shape, axis) - nearest[axis]) * side
        found += away * (slope[..., axis] / length)[at]
        straight += away ** 2
    straight = np.sqrt(straight)
    least = straight - np.linalg.norm(voxel)
    return np.where(inside, np.clip(found, least, straight), np.clip(found, -straight, -least))


def _nearest_other(here: Mask, voxel: Triple) -> Ints:
    """(3, n, m, k) indices of the voxel that is not here whose centre is nearest to each one."""
    return np.asarray(ndimage.distance_transform_edt(here, voxel, return_distances=False, return_indices=True))


def _positions(shape: tuple[int, ...], axis: int) -> Ints:
    """The index of each voxel along an axis, to be broadcast over the others."""
    return np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(3)])


def _to_faces(nearest: Ints, voxel: Triple) -> Depths:
    """Distance [um] from each voxel's centre to the nearest point of the voxel whose index is `nearest`."""
    square = np.zeros(nearest.shape[1:], np.float32)
    for axis, side in enumerate(voxel):
        away = np.abs(nearest[axis] - _positions(nearest.shape[1:], axis))
        square += (np.maximum(away - 0.5, 0.0) * side) ** 2
    return np.asarray(np.sqrt(square))


def _smoothed(depth: Depths, voxel: Triple, width: float) -> tuple[Depths, Depths]:
    """A depth smoothed over a Gaussian of `width` voxels, and its gradient (n, m, k, 3)."""
    sides, pad = np.array(voxel), int(np.ceil(4 * width * np.cbrt(np.prod(voxel)) / min(voxel)))
    padded = np.pad(depth, pad, "reflect", reflect_type="odd")
    smooth = ndimage.gaussian_filter(padded, width * np.cbrt(np.prod(voxel)) / sides)
    within = (slice(pad, -pad),) * 3
    slope = np.stack([np.gradient(smooth, side, axis=k)[within] for k, side in enumerate(sides)], axis=-1)
    return smooth[within], slope


def _interpolated(values: Depths, refine: Sequence[int]) -> Depths:
    """Values at voxel centres, linearly interpolated to the centres of the parts of each voxel."""
    for axis, (size, parts) in enumerate(zip(values.shape, refine, strict=True)):
        if parts == 1 or size == 1:
            values = np.repeat(values, parts, axis)
            continue
        where = np.clip((np.arange(size * parts) + 0.5) / parts - 0.5, 0, size - 1)
        low = np.minimum(where.astype(int), size - 2)
        part = (where - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.take(values, low, axis) * (1 - part) + np.take(values, low + 1, axis) * part
    return values


# Places


@by_annotation
def extracellular(labels: Labels, most_elements: float = MOST_ELEMENTS) -> Place:
    """The voxels labelled 0, "ecs": those joined across faces in one piece, the largest.

    Warns with `Dropped` where there are other pieces, saying how much they hold. Raises `InputError` where that
    is over a tenth, or where no voxel is labelled 0, and for more than `most_elements` of them.
    """
    _check_places(labels, float(np.count_nonzero(labels.values == 0)), most_elements)
    return _volume(ECS, _in_one_piece(labels), labels.voxel, most=most_elements)


@by_annotation
def voxel_mesh(labels: Labels, places: Mapping[str, int | Sequence[int]],
               most_elements: float = MOST_ELEMENTS) -> Mesh:
    """Places of voxels: one for each label, or group of labels, named, and "ecs" where any voxel is labelled 0.

    Between each two places lies a membrane, an element per face, named "plasma membrane" and "er membrane" where
    that is what it is, else "a|b" in the order of `places`, ecs last. All other labels are obstacles. What lives on a
    membrane diffuses along it, as along the smooth surface; nothing passes from one membrane to another that it meets.
    More than `most_elements` bricks are refused; a voxel of none counts a part, for it takes memory too.
    """
    wanted = np.concatenate([[0], *(np.ravel(np.asarray(group, np.int64)) for group in places.values())])
    _check_places(labels, float(np.count_nonzero(np.isin(labels.values, wanted))), most_elements)
    owner, names = _owners(labels, places)
    if (labels.values == 0).any():
        owner[_in_one_piece(labels)] = len(names)
        names.append(ECS)
    number, boxes = np.full(owner.shape, -1, np.int64), ndimage.find_objects(owner + 1)
    volumes = []
    for k, (name, box) in enumerate(zip(names, boxes, strict=True)):
        inside = owner[box] == k
        number[box][inside] = np.arange(inside.sum())
        volumes.append(_volume(name, inside, labels.voxel, [part.start for part in box], most_elements))
    return Mesh.of(*volumes, *_membranes(names, owner, boxes, number, labels.voxel))


def _owners(labels: Labels, places: Mapping[str, int | Sequence[int]]) -> tuple[Ints, list[str]]:
    """Which place each voxel belongs to, -1 for none, and the names of the places."""
    if ECS in places:
        raise InputError(f"voxel_mesh: {ECS!r} is the place of the voxels labelled 0; call no group of labels so")
    owner, names = np.full(labels.values.shape, -1, np.int64), [*places]
    for k, (name, group) in enumerate(places.items()):
        for label in np.atleast_1d(np.asarray(group, np.int64)):
            chosen = labels.values == label
            if label == 0 or not chosen.any():
                raise InputError(f"voxel_mesh: {name!r} is to be label {label}, which "
                                 + ("is the extracellular space" if label == 0 else "no voxel has"))
            if (owner[chosen] >= 0).any():
                raise InputError(f"voxel_mesh: label {label} is to be {names[owner[chosen].max()]!r} and {name!r}")
            owner[chosen] = k
    return owner, names


def _in_one_piece(labels: Labels) -> Mask:
    """The voxels labelled 0 in the largest piece."""
    if not (labels.values == 0).any():
        raise InputError("no voxel is labelled 0, so there is no extracellular space; shrink the labels first")
    piece, count = ndimage.label(labels.values == 0)
    sizes = np.bincount(piece.ravel())[1:]
    dropped = 1 - sizes.max() / sizes.sum()
    said = f"the extracellular space falls into {count} pieces; all but the largest hold {dropped:.2%} of it"
    if dropped > _MOST_DROPPED:
        raise InputError(f"{said}, and at most {_MOST_DROPPED:.0%} may be left out; shrink the labels further, "
                         "or refine them more")
    if count > 1:
        warnings.warn(f"{said} and are left out", Dropped, stacklevel=3)
    return np.asarray(piece == 1 + sizes.argmax())


def _volume(name: str, inside: Mask, voxel: Triple, start: Sequence[int] = (0, 0, 0),
            most: float = MOST_ELEMENTS) -> Place:
    """The voxels inside a part of the block, which begins at voxel `start`, as control volumes joined across faces."""
    edges = [side * (first + np.arange(size + 1)) for side, first, size in zip(voxel, start, inside.shape, strict=True)]
    return graded_grid(name, edges, inside.astype(float), most_elements=most)


def _check_places(labels: Labels, filled: float, most: float) -> None:
    """Raise `InputError` for labels so many of whose voxels become bricks that they take too much memory."""
    check_size(f"the places of {' x '.join(map(str, labels.values.shape))} voxels",
               bricks_in(labels.values.size, filled), BRICKS, most, "cut out a smaller block, or take coarser voxels")


def _across(values: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The values on both sides of every face between voxels that are neighbours along an axis."""
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return values[tuple(low)], values[tuple(high)]


def _membranes(names: list[str], owner: Ints, boxes: Sequence[tuple[slice, ...]], number: Ints,
               voxel: Triple) -> Iterator[Place]:
    """The faces between each two places as a membrane, each with its share of the true area, and joined."""
    low, axis = _faces(owner)
    lengths = np.array(voxel, np.float64)
    high = low + np.eye(3, dtype=np.int64)[axis]
    sides = np.stack([owner[tuple(each.T)] for each in (low, high)])
    touched = np.stack([number[tuple(each.T)] for each in (low, high)])
    touched = np.where(sides[0] < sides[1], touched, touched[::-1])
    inner, outer = sides.min(axis=0), sides.max(axis=0)
    for a in np.unique(inner):
        own = np.flatnonzero(inner == a)
        around = _grown(boxes[a], _MARGIN, owner.shape)
        start = [part.start for part in around]
        normals, shift = _smooth(owner[around] == a, voxel, low[own] - start, high[own] - start)
        weight = np.abs(normals[np.arange(len(own)), axis[own]])
        area: Floats = np.prod(lengths) / lengths[axis[own]] * np.maximum(weight, _LEAST)
        centres: Floats = ((low[own] + high[own]) / 2 + 0.5) * lengths
        for b in np.unique(outer[own]):
            pair, here = (names[a], names[b]), outer[own] == b
            links = face_links(low[own][here], axis[own][here], touched[0, own[here]], (centres + shift)[here],
                               normals[here], lengths)
            yield Place(NAMES.get(frozenset(pair), "|".join(pair)), 2, area[here], centres[here], *links,
                        touches=dict(zip(pair, touched[:, own[here]], strict=True)),
                        sides=lengths * (np.arange(3) != axis[own[here], None]))


def _faces(owner: Ints) -> tuple[Ints, Ints]:
    """The faces between voxels of different places: (f, 3) the voxel before each, and (f,) the axis across it."""
    found = []
    for axis in range(3):
        one, other = _across(owner, axis)
        found.append(np.argwhere((one != other) & (one >= 0) & (other >= 0)))
    return np.concatenate(found), np.repeat(np.arange(3), [len(each) for each in found])


def _smooth(inside: Mask, voxel: Triple, low: Ints, high: Ints) -> tuple[Floats, Floats]:
    """(f, 3) normals at faces of what is inside, along the gradient of the smoothed depth below its surface.

    And (f, 3) the way [um] from the middle of each along its normal to the surface, by the depth as it is: smoothed, it
    would make processes of a few voxels too thin. A normal is 0 where the smoothed depth has no gradient.
    """
    depth = signed_depth(inside, voxel)
    _, slope = _smoothed(depth, voxel, _SMOOTHING)
    gradient = np.asarray(slope[tuple(low.T)] + slope[tuple(high.T)], np.float64)
    length = np.linalg.norm(gradient, axis=1)
    normal = gradient / np.where(length > 0, length, 1.0)[:, None]
    here = np.asarray(depth[tuple(low.T)] + depth[tuple(high.T)], np.float64) / 2
    return normal, -here[:, None] * normal
