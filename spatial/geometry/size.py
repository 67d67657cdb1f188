"""How many elements and how much memory are asked for: said before anything is made, and refused above a limit.

The limits are plain numbers, so that the same request has the same answer on every machine. They fit a workstation
with 16 GB of memory; whoever has more raises them, by `most_elements` or `most_unknowns`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from spatial import checks
from spatial.checks import InputError, positive

MOST_ELEMENTS = 1e7
"""Elements that a mesh, grid or file may have unless its maker is told another limit; about 6 to 12 GB."""

MOST_VOXELS = 1e8
"""Voxels that labels may have, likewise; about 8 GB."""

MOST_UNKNOWNS = 2e7
"""Unknowns that a run may have, likewise; about 14 GB."""

_EMPTY = 0.3  # of a brick's memory is what a place in the box takes where there is no brick: measured, 170 of 550 B
_STEP, _STEPS = 1.02, 5000  # of the search for a length that fits, and how many at most
_GB = 1e9  # bytes


@dataclass(frozen=True)
class Kind:
    """What is counted, and how much memory one takes at the peak of its making."""

    name: str
    memory: float  # bytes

    def __post_init__(self) -> None:
        checks.parameters(self)


# Measured as the highest resident memory while something was made, less that before, over its elements (x86-64, numpy
# 2.4): `grid` of 1e6 and 4e6 bricks 547 and 541 B; `voxel_mesh` of 2e6 voxels 531 B; `ball` of 1.3e5 tetrahedra 880 B,
# with `discretise` 1180 B; `load` of 1e6 tetrahedra 800 B (tests/benchmarks/results/loading.md); `shrunk` labels of
# 4e6 voxels 54 B; 1e6 `rings` 216 B, 1e6 `shells` 120 B, 2e5 slices of `sliced` 497 B.
BRICKS = Kind("bricks", 550.0)
TETRAHEDRA = Kind("tetrahedra", 1200.0)
CELLS = Kind("cells", 1200.0)
VOXELS = Kind("voxels", 80.0)
RINGS = Kind("rings", 220.0)
SHELLS = Kind("shells", 120.0)
SLICES = Kind("slices", 500.0)

# A run of 1 to 17 species that diffuse and react took 480 to 890 B for each unknown with the implicit method on grids
# and tetrahedra of 75 000 to 2e6 unknowns, and 210 to 460 B with the explicit one.
UNKNOWNS = Kind("unknowns", 700.0)

_IN_A_CUBE = 4.5  # tetrahedra that gmsh makes in the cube of an edge: measured, 4.0 to 4.9 in balls, boxes, cylinders


def check_size(what: str, count: float, kind: Kind, most: float, advice: str = "",
               argument: str = "most_elements") -> None:
    """Raise `InputError` for more elements than a limit, saying how much memory they take and what would fit.

    `what` asks for `count` of a `kind`. `advice` says how to ask for less; `argument` is the name of the limit.
    """
    positive(argument, most)
    if count <= most:
        return
    less = f"{advice}, " if advice else ""
    option = "--" + argument.replace("_", "-")
    raise InputError(f"{what} would have {count:.3g} {kind.name}, about {memory(count, kind)}, more than {most:g}; "
                     f"{less}or where there is so much memory raise the limit: {argument}={_above(count, 2):g}, in "
                     f"commands {option}")


def memory(count: float, kind: Kind) -> str:
    """About how much memory so many elements take, to be shown: "5.5 GB"."""
    return f"{count * kind.memory / _GB:.2g} GB"


def check_length(what: str, name: str, value: float, count: Callable[[float], float], kind: Kind, most: float,
                 unit: str = " um", hint: str = "") -> None:
    """Raise `InputError` where a length, such as a spacing, makes more elements than a limit.

    `count` returns how many a length makes; the sentence names the least length, of two digits, that fits.
    """
    positive("most_elements", most)
    wanted = count(value)
    if wanted > most:
        fits = fitting(value, count, most)
        advice = f"take a {name} of {fits:g}{unit} or more{hint}" if math.isfinite(fits) else ""
        check_size(what, wanted, kind, most, advice)


def fitting(value: float, count: Callable[[float], float], most: float) -> float:
    """The least length of two digits from `value` up that makes at most so many elements; infinite if none does."""
    for _ in range(_STEPS):
        candidate = _above(value, 2)
        if count(candidate) <= most:
            return candidate
        value *= _STEP
    return math.inf


def tetrahedra_in(volume: float, edge: float) -> float:
    """About how many tetrahedra of edges [um] fill a volume [um^3]."""
    return _IN_A_CUBE * (volume / edge / edge / edge)


def bricks_in(box: float, filled: float) -> float:
    """How many bricks a box takes as much memory as, of which only some are `filled`: where there is none, a part."""
    return filled + _EMPTY * (box - filled)


def _above(value: float, digits: int) -> float:
    """The next number above a value that has so many digits."""
    if not 0 < value < math.inf:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    return float(f"{math.ceil(value / unit * (1 - 1e-12)) * unit:.{digits}g}")
