"""Bricks: control volumes in rows along x, y and z, exact with two-point fluxes."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from spatial.checks import InputError, by_annotation, positive
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.size import BRICKS, MOST_ELEMENTS, bricks_in, check_length, check_size
from spatial.geometry.tortuosity import Tortuosity, along_axes, checked

_BRICK = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0],
                   [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])


@by_annotation
def graded_grid(name: str, edges: Sequence[ArrayLike], volume_fraction: float | Floats = 1.0,
                tortuosity: Tortuosity | Floats = 1.0, most_elements: float = MOST_ELEMENTS) -> Place:
    """A box of bricks between `edges` [um], rising values along each of x, y, z; sealed all around.

    `volume_fraction` and `tortuosity` may be arrays (n, m, k), a value per brick: where the volume fraction is 0
    there is no brick. The flux between two bricks passes half of each in series. More than `most_elements` bricks are
    refused; where there is none, it counts a quarter, for it takes memory too.
    """
    axes = [_rising(name, axis, values) for axis, values in zip("xyz", edges, strict=True)]
    sizes = [np.diff(values) for values in axes]
    shape = tuple(len(size) for size in sizes)
    alpha = _fractions(name, volume_fraction, shape)
    box = math.prod(shape)
    bricks = bricks_in(box, float(np.count_nonzero(alpha)) if np.ndim(volume_fraction) else box)
    check_size(f"grid {name!r}", bricks, BRICKS, most_elements, "take fewer edges")
    number = np.full(shape, -1, np.int64)
    number[alpha > 0] = np.arange((alpha > 0).sum())
    slowing = np.square(_tortuosities(name, tortuosity, shape))
    volume = _product(sizes)
    links, transmissibility = [], []
    for k, size in enumerate(np.meshgrid(*sizes, indexing="ij", sparse=True)):
        half = np.divide(size ** 2 * slowing[k], 2 * volume * alpha, out=np.zeros(shape), where=alpha > 0)
        one, other = (np.delete(number, end, k).ravel() for end in (-1, 0))
        joined = (one >= 0) & (other >= 0)
        series = (np.delete(half, -1, k) + np.delete(half, 0, k)).ravel()
        links.append(np.stack([one[joined], other[joined]], axis=1))
        transmissibility.append(1 / series[joined])
    middles = np.meshgrid(*[(values[:-1] + values[1:]) / 2 for values in axes], indexing="ij")
    here = number >= 0
    sides = np.stack(np.meshgrid(*sizes, indexing="ij"), axis=-1)[here]
    return Place(name, 3, (alpha * volume)[here], np.stack(middles, axis=-1)[here], np.concatenate(links),
                 np.concatenate(transmissibility), cells=_bricks(number), sides=sides)


@by_annotation
def stretched_edges(lower: float, upper: float, spacing: float, reach: float, growth: float = 1.5,
                    most_elements: float = MOST_ELEMENTS) -> Floats:
    """Edges [um] for `graded_grid`: even from `lower` to `upper`, then each brick `growth` times the last.

    They reach at least `reach` [um] beyond on both sides. More than `most_elements` are refused.
    """
    positive("grid spacing", spacing)
    positive("reach of the stretched bricks [um]", reach)
    if not growth >= 1 or not upper > lower:
        raise InputError(f"stretched edges grow by {growth:g} from {lower:g}..{upper:g} um; they must grow by >= 1, "
                         "and upper must exceed lower")
    check_length("stretched edges", "spacing", spacing,
                 lambda length: (upper - lower) / length + 2 * _growing(reach / length, growth), BRICKS, most_elements)
    even = np.linspace(lower, upper, max(1, round((upper - lower) / spacing)) + 1)
    beyond = list[float]()
    while not beyond or beyond[-1] < reach:
        beyond.append((beyond[-1] if beyond else 0.0) + (even[1] - even[0]) * growth ** (len(beyond) + 1))
    return np.concatenate([lower - np.array(beyond)[::-1], even, upper + np.array(beyond)])


def _growing(reach: float, growth: float) -> float:
    """About how many bricks, each `growth` times the last, reach so many times the first."""
    rate = growth - 1
    return reach if reach * rate < 1 else math.log1p(reach * rate) / math.log(growth)


def _rising(name: str, axis: str, values: ArrayLike) -> Floats:
    edges = np.asarray(values, float)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise InputError(f"grid {name!r} has edges along {axis} that are not two or more rising numbers")
    return edges


def _fractions(name: str, volume_fraction: float | Floats, shape: tuple[int, ...]) -> Floats:
    """(n, m, k) volume fraction of each brick, checked."""
    alpha = np.asarray(volume_fraction, float)
    if alpha.shape not in ((), shape):
        raise InputError(f"grid {name!r}: volume_fraction has shape {alpha.shape}; the grid has {shape} bricks")
    if not ((alpha >= 0).all() and (alpha <= 1).all() and (alpha > 0).any()):
        raise InputError(f"grid {name!r}: volume_fraction goes from {alpha.min():g} to {alpha.max():g}; it must be "
                         ">= 0, at most 1, and not 0 everywhere")
    return np.broadcast_to(alpha, shape)


def _tortuosities(name: str, tortuosity: Tortuosity | Floats, shape: tuple[int, ...]) -> Floats:
    """(3, 1, 1, 1) or (3, n, m, k) tortuosity along each axis, checked."""
    what = f"grid {name!r}: tortuosity"
    if np.ndim(tortuosity) != 3:
        return along_axes(tortuosity, what).reshape(3, 1, 1, 1)
    values = np.asarray(tortuosity, float)
    if values.shape != shape:
        raise InputError(f"{what} has shape {values.shape}; the grid has {shape} bricks")
    checked(float(values.min() if np.isfinite(values).all() else np.nan), what)
    return np.stack([values] * 3)


def _product(sizes: Sequence[Floats]) -> Floats:
    """(n, m, k) volume of each brick [um^3]."""
    x, y, z = sizes
    return x[:, None, None] * y[None, :, None] * z[None, None, :]


def _bricks(index: Ints) -> Ints:
    """(k, 8) bricks between the centres of neighbouring elements."""
    if min(index.shape) < 2:
        return np.zeros((0, 8), np.int64)
    nx, ny, nz = (size - 1 for size in index.shape)
    corners = np.stack([index[a:a + nx, b:b + ny, c:c + nz].ravel() for a, b, c in _BRICK], axis=1)
    return np.asarray(corners[(corners >= 0).all(axis=1)])
