"""A thin cell as a tree of slices: a process of 0.1-0.4 um is even across within a millisecond.

Ca2+ needs r^2/D = 0.1 ms across a radius of 150 nm, and milliseconds along a micrometre: one unknown for each slice
does what a thousand tetrahedra do. Volumes, membrane areas and what passes between slices are those of frusta, exact.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from spatial import checks
from spatial.checks import InputError, Unusual, by_annotation
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.size import MOST_ELEMENTS, SLICES, check_length
from spatial.geometry.surfaces import PLASMA_MEMBRANE

_AROUND = 24  # corners of a ring of the surface that is drawn
_PAIR = 2  # of nodes, at least; of half slices, if anything flows; of rings around a frustum


@dataclass(frozen=True, eq=False)
class Tree:
    """A thin cell as a tree of frusta, from each node to its parent, as in an SWC file; every end is a disc."""

    nodes: Floats  # (n, 3) um, the root first
    parents: Ints  # (n,) each an earlier node; that of the root is -1
    radii: Floats  # (n,) um

    def __post_init__(self) -> None:
        checks.kinds(self)
        n = len(self.nodes)
        if n < _PAIR or np.shape(self.nodes) != (n, 3) or {np.shape(self.parents), np.shape(self.radii)} != {(n,)}:
            raise InputError(f"tree: nodes, parents and radii have shapes {np.shape(self.nodes)}, "
                             f"{np.shape(self.parents)} and {np.shape(self.radii)}; they must be (n, 3), (n,) and "
                             "(n,) with two nodes or more")
        if self.parents[0] != -1 or (self.parents[1:] < 0).any() or (self.parents >= np.arange(n)).any():
            raise InputError("tree: the root must come first, with parent -1, and every other node after its parent")
        if not (np.isfinite(self.nodes).all() and np.isfinite(self.radii).all() and (self.radii > 0).all()):
            raise InputError("tree: nodes must be finite, and radii positive")
        if (self.lengths == 0).any():
            raise InputError(f"tree: node {1 + int(self.lengths.argmin())} lies where its parent lies")
        if self.radii.min() > self.lengths.sum():
            warnings.warn(f"tree: its radii are {self.radii.min():.3g} um and more, beyond its whole length, "
                          f"{self.lengths.sum():.3g} um: slices are of a thin cell; are radii in um?", Unusual,
                          stacklevel=4)

    @property
    def lengths(self) -> Floats:
        """(n - 1,) length of each frustum [um], of the second node first."""
        return np.asarray(np.linalg.norm(self.nodes[1:] - self.nodes[self.parents[1:]], axis=1))


@dataclass(frozen=True, eq=False)
class _Halves:
    """The two halves of each of m slices, all near halves first: from its middle to the knot it ends at."""

    knot: Ints  # (2 m,) tree nodes, then the cuts between them
    conductance: Floats  # (2 m,) area over length, of a frustum [um], or circumference over length
    disc: Floats  # (2 m,) area of the cut at the knot [um^2]


@by_annotation
def sliced(tree: Tree, thickness: float, most_elements: float = MOST_ELEMENTS) -> Mesh:
    """The tree's "cytosol" in slices of at most `thickness` [um], each with its ring of "plasma membrane".

    The discs at the ends are membrane of the last slices. What flows where branches meet is what flows between
    their half slices through a point of no volume; along the membrane, through one of no area, around which all is
    even. Raises `InputError` for a thickness that is not positive, and for more than `most_elements` slices.
    """
    checks.positive("slices: thickness", thickness)
    check_length("a tree in slices", "thickness", thickness,
                 lambda length: float(_slices(tree, length).sum()), SLICES, most_elements)
    start, end, near, far, knots = _cut(tree, thickness)
    length, middle = np.linalg.norm(end - start, axis=1), (near + far) / 2
    volume = np.pi / 3 * length * (near**2 + near * far + far**2)
    area = np.pi * (near + far) * np.hypot(length, far - near)
    conductance = 2 * np.pi * middle / length
    halves = _Halves(knots.ravel(), np.concatenate([conductance * near, conductance * far]),
                     np.pi * np.concatenate([near, far]) ** 2)
    links, transmissibility, closed = _joined(halves, len(volume))
    around = 4 * np.pi / np.hypot(length, far - near)
    sides = np.concatenate([around * _log_mean(near, middle), around * _log_mean(middle, far)])
    _, along, _ = _joined(replace(halves, conductance=sides), len(volume))
    cytosol = Place("cytosol", 3, volume, (start + end) / 2, links, transmissibility)
    membrane = Place(PLASMA_MEMBRANE, 2, area + closed, (start + end) / 2, links, along,
                     touches={"cytosol": np.arange(len(volume))})
    return Mesh.of(cytosol, membrane)


def _log_mean(one: Floats, other: Floats) -> Floats:
    """The logarithmic mean of positive numbers: a cylinder of that radius conducts along its side as the cone does."""
    ratio = other / one - 1.0
    return one * np.divide(ratio, np.log1p(ratio), out=np.ones_like(ratio), where=ratio != 0.0)


def _slices(tree: Tree, thickness: float) -> Floats:
    """(n - 1,) how many slices of at most `thickness` [um] each frustum is cut into."""
    return np.asarray(np.maximum(1, np.ceil(tree.lengths / thickness - 1e-9)))


def _cut(tree: Tree, thickness: float) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Start and end (m, 3), the radii there (m,), and the knots there (2, m), of each slice."""
    counts = _slices(tree, thickness).astype(np.int64)
    child = np.repeat(np.arange(1, len(tree.nodes)), counts)
    parent, first = tree.parents[child], np.repeat(np.cumsum(counts) - counts, counts)
    step, of = np.arange(len(child)) - first, np.repeat(counts, counts)
    parts = step / of, (step + 1) / of
    start, end = (tree.nodes[parent] + part[:, None] * (tree.nodes[child] - tree.nodes[parent]) for part in parts)
    near, far = (tree.radii[parent] + part * (tree.radii[child] - tree.radii[parent]) for part in parts)
    cuts = len(tree.nodes) + np.arange(len(child))  # the one at the end of each slice
    return start, end, near, far, np.stack([np.where(step == 0, parent, cuts - 1),
                                            np.where(step + 1 == of, child, cuts)])


def _joined(halves: _Halves, slices: int) -> tuple[Ints, Floats, Floats]:
    """Links between slices, their transmissibilities, and the area of the end discs of each slice.

    A knot at which half slices of conductances G meet is eliminated: each pair exchanges G_i G_j / sum(G).
    """
    pairs, through, closed = list[tuple[int, int]](), list[float](), np.zeros(slices)
    order = np.argsort(halves.knot, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(halves.knot[order])) + 1):
        at, G = group % slices, halves.conductance[group]
        if len(group) < _PAIR:
            closed[at] += halves.disc[group]
        for i in range(len(group)):
            for j in range(i):
                pairs.append((int(at[j]), int(at[i])))
                through.append(float(G[i] * G[j] / G.sum()))
    return np.array(pairs, np.int64).reshape(-1, 2), np.array(through), closed


@by_annotation
def surface_of(tree: Tree) -> tuple[Floats, Ints]:
    """Points (n, 3) and triangles (k, 3) of the tree's surface, to draw: a frustum to each parent, a ball at each node.

    They overlap where they meet.
    """
    turn = 2 * np.pi * np.arange(_AROUND) / _AROUND
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    tilt = np.linspace(0, np.pi, _AROUND // 2 + 1)
    ball = np.concatenate([np.c_[np.sin(one) * circle, np.full(_AROUND, np.cos(one))] for one in tilt])
    parts = [(node + radius * ball, _strips(len(tilt))) for node, radius in zip(tree.nodes, tree.radii, strict=True)]
    for k in range(1, len(tree.nodes)):
        ends, radii = tree.nodes[[tree.parents[k], k]], tree.radii[[tree.parents[k], k]]
        across = np.linalg.svd((ends[1] - ends[0])[None])[2][1:]
        parts.append((np.concatenate([end + radius * circle @ across for end, radius in zip(ends, radii, strict=True)]),
                      _strips(_PAIR)))
    starts = np.cumsum([0, *(len(points) for points, _ in parts[:-1])])
    return (np.concatenate([points for points, _ in parts]),
            np.concatenate([triangles + first for (_, triangles), first in zip(parts, starts, strict=True)]))


def _strips(rings: int) -> Ints:
    """(k, 3) triangles between so many rings of corners, one after the other."""
    here = np.arange((rings - 1) * _AROUND)
    beside = here - here % _AROUND + (here + 1) % _AROUND
    return np.concatenate([np.stack([here, beside, here + _AROUND], axis=1),
                           np.stack([beside, beside + _AROUND, here + _AROUND], axis=1)])
