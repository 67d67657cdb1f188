"""What a mesh file holds, whatever its format: points, cells by their corners, groups and numbers of cells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from spatial.checks import kinds
from spatial.geometry.place import Floats, Ints

SOLIDS = {"tetra": 4, "pyramid": 5, "wedge": 6, "hexahedron": 8}
"""Cells with a volume, by their name in meshio, and how many corners they have."""

SHEETS = {"triangle": 3, "quad": 4}
"""Cells with an area, and how many corners they have."""


class MeshNote(UserWarning):
    """A mesh file was used in a way that its user should know of: something was chosen, merged, split or dropped."""


@dataclass(frozen=True, eq=False)
class Block:
    """Cells of one kind, by their corners; `curved` where the file gives points between these too."""

    kind: str  # of SOLIDS or SHEETS
    corners: Ints  # (m, k) points
    curved: bool = False

    def __post_init__(self) -> None:
        kinds(self)


@dataclass(frozen=True, eq=False)
class Group:
    """Cells that a file groups: `cells` counts the file's solids (dimension 3) or its sheets (2) in their order."""

    number: int
    name: str  # empty where the file gives none
    dimension: int
    cells: Ints  # (k,)

    def __post_init__(self) -> None:
        kinds(self)


@dataclass(frozen=True, eq=False)
class MeshFile:
    """The content of a mesh file; solids are counted through all blocks, and so are sheets."""

    points: Floats  # (n, 3), in the unit of the file
    solids: tuple[Block, ...]
    sheets: tuple[Block, ...]
    others: tuple[str, ...] = ()  # kinds of cells that are neither
    groups: tuple[Group, ...] = ()
    data: Mapping[str, Floats | Ints] = field(default_factory=dict)  # (m,) or (m, k) for the m solids
    cad: Ints | None = None  # (m,) number of the CAD volume of each solid
    named: tuple[str, ...] = ()  # what the file calls volumes, whether or not it says which cells these are
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds(self)

    @property
    def count(self) -> int:
        """How many solids the file holds."""
        return sum(len(block.corners) for block in self.solids)

    @property
    def kinds(self) -> list[str]:
        """The kinds of all cells, to be shown."""
        every = {block.kind for block in (*self.solids, *self.sheets)} | set(self.others)
        return sorted(every) or ["no cells"]


def blocks(cells: Iterable[tuple[str, int, Ints]], known: Mapping[str, int]) -> tuple[Block, ...]:
    """The blocks of known kinds among (kind, order, points of each cell). Raises ValueError for too few points."""
    chosen = [(kind, order, np.asarray(points)) for kind, order, points in cells if kind in known and len(points)]
    for kind, _, points in chosen:
        if points.ndim != 2 or points.shape[1] < known[kind]:
            raise ValueError(f"a {kind} of it has fewer than {known[kind]} points")
    return tuple(Block(kind, points[:, :known[kind]].astype(np.int64), order > 1) for kind, order, points in chosen)


def corner_kind(name: str) -> str:
    """The kind of a cell of any order by its corners, from its name in meshio: "tetra10" is a "tetra"."""
    plain = name.lower().removeprefix("vtk_lagrange_").removeprefix("vtk_bezier_").rstrip("0123456789")
    return {"tetrahedron": "tetra", "quadrilateral": "quad"}.get(plain, plain)


def groups_of_numbers(numbers: Ints, dimension: int, names: Mapping[tuple[int, int], str]) -> list[Group]:
    """The groups that (m,) numbers of cells make; 0 stands for no group."""
    return [Group(number, names.get((dimension, number), ""), dimension, np.flatnonzero(numbers == number))
            for number in np.unique(numbers).tolist() if number != 0]
