"""Ca2+ buffers: proteins and indicators that bind Ca2+."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spatial import checks
from spatial.checks import arguments, sized
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class Buffer:
    """One Ca2+ to one buffer: free + Ca2+ <-> bound. Mobile if its species diffuse (biophysics A1)."""

    where: Place
    calcium: Species
    free: Species
    bound: Species
    kon: float = sized(1000 / (uM * s), far=1e4)  # endogenous; ASTRO cadifus.mod
    K: float = sized(10 * uM, far=1e4, beside="calcium", from_below=False)  # dissociation constant; ASTRO cadifus.mod

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "free", "bound")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Binding [uM/s]."""
        binding = self.kon * (c[self.calcium] * c[self.free] - self.K * c[self.bound])
        return {self.calcium: -binding, self.free: -binding, self.bound: binding}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """Binding and unbinding."""
        return [Reaction({self.calcium: -1, self.free: -1, self.bound: 1}, self.kon * c[self.calcium] * c[self.free]),
                Reaction({self.calcium: 1, self.free: 1, self.bound: -1}, self.kon * self.K * c[self.bound])]


@arguments(not_negative=("calcium", "total"), above_zero=("K",))
def bound_at(calcium: ArrayLike, total: float, K: float) -> Any:
    """Bound buffer in equilibrium with Ca2+ [uM], of `total` with dissociation constant `K` [uM].

    It is a number, or an array of the shape of the concentrations of Ca2+.
    """
    calcium = np.asarray(calcium)[()]
    return total * calcium / (calcium + K)


@arguments(not_negative=("calcium", "total"), above_zero=("K",))
def capacity(calcium: float, total: float, K: float) -> float:
    """Buffering capacity kappa, the change of bound per change of free Ca2+ (Neher & Augustine 1992)."""
    return total * K / (calcium + K) ** 2
