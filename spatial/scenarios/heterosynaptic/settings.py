"""What the scenario `heterosynaptic` can vary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.size import MOST_ELEMENTS, MOST_UNKNOWNS
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.parts.sliced_process import SlicedProcess
from spatial.units import um

INTACT, A1_BLOCK, D_SERINE_BLOCK, NO_ASTROCYTE = "intact", "A1 block", "D-serine block", "no astrocyte"
BLOCKS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    INTACT: {}, A1_BLOCK: {"adenosine_held": 0.0}, D_SERINE_BLOCK: {"d_serine_held": 0.0},
    NO_ASTROCYTE: {"astrocyte": False}})
"""What each block changes in the settings of the tripartite scenario."""
FEWEST = 2  # synapses, and seeds of a band


@dataclass(frozen=True)
class HeterosynapticSettings:
    """Which synapses, how often, what is blocked, and where."""

    synapses: int = 6
    seeds: int = 3
    blocks: tuple[str, ...] = (INTACT, A1_BLOCK, D_SERINE_BLOCK)  # without an astrocyte nothing changes, by law
    arrangement: int = 0  # seed of where the synapses lie: the same in all runs
    tripartite: Settings = field(default=Settings(sites=48, vesicles=1))
    """As many slots as 12 sites of 4, each with draws of its own."""
    tolerance: float = 2e-2  # of steps; choice, that of `simulate`
    process: SlicedProcess = field(default=SlicedProcess())
    mesh: Path | None = None  # a tetrahedral mesh instead of the sliced process: slow
    unit: float = 1 * um  # of that mesh
    most_elements: float = MOST_ELEMENTS  # of that mesh and of the tissue around it
    most_unknowns: float = MOST_UNKNOWNS  # of each run
    names: Mapping[int | str, str] = field(default_factory=dict)  # what its regions are
    cut: Literal["sealed", "membrane"] = "sealed"  # what the faces are where it was cut; open: tripartite.stump

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("seeds",))
        if self.synapses < FEWEST:
            raise InputError(f"HeterosynapticSettings: synapses is {self.synapses}; one fires and another listens, so "
                             f"it must be {FEWEST} or more")
        if unknown := [one for one in self.blocks if one not in BLOCKS]:
            raise InputError(f"block {unknown[0]!r} is not known; it must be one of {', '.join(BLOCKS)}")
        if INTACT not in self.blocks or len(set(self.blocks)) < len(self.blocks):
            raise InputError(f"blocks are {', '.join(self.blocks)}; each must be there once, and {INTACT!r} among them")
        if self.tripartite.vesicles != 1:
            raise InputError(f"HeterosynapticSettings: release sites have {self.tripartite.vesicles} vesicles; each "
                             "must have one, with draws of its own (take more sites instead)")
