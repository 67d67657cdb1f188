"""First-order fates of a molecule: cleared, converted, gone through an open boundary, or passed on across it."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import compared
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import s

_FASTEST = 1e5  # times per second: as often no enzyme turns over, and no carrier


@dataclass(frozen=True, eq=False)
class Conversion:
    """`source` becomes `product` at `rate` [1/s]; with a ledger as product, it is cleared (biophysics A8).

    On a volume the rate is per volume. On the boundary of an open domain it is a permeability [um/s], such as
    `geometry.open_boundary.far_permeability` gives. It is a number, or one for each element of `where`.
    """

    where: Place
    source: Species
    product: Species
    rate: float | Floats = compared(1 / s, far=_FASTEST, from_below=False)

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.each_element("Conversion: rate", self.rate, self.where)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Amount converted per measure of where it happens, and per second."""
        converted = self.rate * c[self.source]
        return {self.source: -converted, self.product: converted}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule converted."""
        return [Reaction({self.source: -1, self.product: 1}, self.rate * c[self.source])]


@dataclass(frozen=True, eq=False)
class Passage:
    """The same molecule on both sides of an interface passes it either way, permeability (c_one - c_other)."""

    where: Place  # membrane, touches both places
    one: Species
    other: Species
    permeability: float | Floats  # um/s; a number, or one for each element of `where`

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.each_element("Passage: permeability", self.permeability, self.where)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """From one side to the other [uM um/s]."""
        flux = self.permeability * (c[self.one] - c[self.other])
        return {self.one: -flux, self.other: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule passed on, or back."""
        return [Reaction({self.one: -1, self.other: 1}, self.permeability * c[self.one]),
                Reaction({self.other: -1, self.one: 1}, self.permeability * c[self.other])]
