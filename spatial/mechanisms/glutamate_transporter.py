"""Glutamate transporters (GLT-1, GLAST) on the astrocyte's membrane.

Three states cannot meet both the capture efficiency and the affinity that have been measured: `Transporter`'s
defaults are the preset FAST, `Transporter(..., **KM_MATCHED)` is the other (biophysics A9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import molecule, s, uM, um2, um3

DENSITY = 10_800 * molecule / um2  # GLT-1 8500 + GLAST 2300; Lehre & Danbolt 1998, biophysics A9
IN_TISSUE = 15_200 * molecule / um3  # GLT-1 12 000 + GLAST 3200 per volume of tissue; Lehre & Danbolt 1998

KM_MATCHED: Mapping[str, float] = MappingProxyType({
    "koff": 534 / s,  # M, with kt it gives a Km of 13 uM and a capture efficiency of 0.086; biophysics A9
    "kt": 50 / s,  # M
})
"""Rates in which the preset that meets the affinity differs from FAST."""


@dataclass(frozen=True, eq=False)
class Transporter:
    """Three states, T + G <-> TG -> T' + G inside, T' -> T; preset FAST of biophysics A9.

    In homogenised tissue `where` is the tissue itself, and the states count per volume of ECS [uM].
    """

    where: Place  # plasma membrane, or homogenised tissue
    glutamate: Species  # ECS
    free: Species  # T on the membrane [uM um]
    bound: Species  # TG on the membrane [uM um]
    inward: Species  # T' on the membrane [uM um]
    taken: Species  # ledger of glutamate inside
    kon: float = 10 / (uM * s)  # M
    koff: float = 200 / s  # M, with kt gives capture efficiency 0.65; Bergles 2002
    kt: float = 370 / s  # M
    kr: float = 14.3 / s  # cycle time 70 ms; Wadiche 1995

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "free", "bound", "inward")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Binding, translocation and return [uM um/s]."""
        binding = self.kon * c[self.glutamate] * c[self.free] - self.koff * c[self.bound]
        transport, back = self.kt * c[self.bound], self.kr * c[self.inward]
        return {self.glutamate: -binding, self.free: back - binding, self.bound: binding - transport,
                self.inward: transport - back, self.taken: transport}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """Binding, unbinding, translocation and return."""
        glutamate, free, bound = c[self.glutamate], c[self.free], c[self.bound]
        return [Reaction({self.glutamate: -1, self.free: -1, self.bound: 1}, self.kon * glutamate * free),
                Reaction({self.bound: -1, self.glutamate: 1, self.free: 1}, self.koff * bound),
                Reaction({self.bound: -1, self.inward: 1, self.taken: 1}, self.kt * bound),
                Reaction({self.inward: -1, self.free: 1}, self.kr * c[self.inward])]
