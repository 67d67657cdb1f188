"""Ca2+ indicators: how they bind Ca2+, how they diffuse, and how bright they are free and bound.

An indicator is a mobile buffer that shines: `Buffer(where, calcium, *indicator.species(where, 0.1),
kon=indicator.kon, K=indicator.K)` binds, and `indicator.shining` says how much light it gives.
"""

from dataclasses import dataclass
from typing import Final

from spatial import checks
from spatial.checks import by_annotation, shaped
from spatial.geometry.place import Floats, Place
from spatial.model import Species
from spatial.units import s, uM, um2


@dataclass(frozen=True)
class Indicator:
    """One Ca2+ to one indicator. Real GCaMPs bind cooperatively, with a Hill coefficient of 2 to 3 (M)."""

    name: str
    kon: float  # 1/(uM s)
    koff: float  # 1/s
    D: float  # um^2/s, free and bound alike
    total: float  # uM, free and bound together
    brightness_free: float  # light of a free molecule over that of a bound one, Fmin/Fmax

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))
        checks.positive(f"{self.name}: kon", self.kon)
        if self.brightness_free >= 1:
            raise checks.InputError(f"{self.name}: brightness_free is {self.brightness_free:g}; it must be below 1, "
                                    "the brightness of a bound molecule")

    @property
    def K(self) -> float:
        """Dissociation constant [uM]."""
        return self.koff / self.kon

    @by_annotation
    def species(self, place: Place, calcium: float) -> tuple[Species, Species]:
        """The indicator free and bound, in equilibrium with Ca2+ [uM]."""
        checks.number(f"{self.name}: Ca2+", calcium)
        bound = self.total * calcium / (calcium + self.K)
        return (Species(f"{self.name} free", place, self.total - bound, self.D, scale=self.total),
                Species(f"{self.name} bound", place, bound, self.D, scale=self.total))

    @by_annotation
    def shining(self, free: Floats, bound: Floats) -> Floats:
        """The concentration [uM] of bound indicator alone that would give the same light."""
        shaped("Indicator.shining: bound", bound, (len(free),), "one for each of the free")
        return bound + self.brightness_free * free


GCAMP6S: Final = Indicator(
    "GCaMP6s",
    kon=7.78 / (uM * s),  # Denizot
    koff=1.12 / s,  # Denizot: K 0.144 uM
    D=50 * um2 / s,  # Denizot
    total=10 * uM,  # Denizot
    brightness_free=1 / 63.2)  # Chen 2013, purified protein; M

GCAMP6F: Final = Indicator(
    "GCaMP6f",
    kon=10.5 / (uM * s),  # Denizot
    koff=3.93 / s,  # Denizot: K 0.374 uM
    D=50 * um2 / s,  # as GCaMP6s
    total=10 * uM,  # as GCaMP6s
    brightness_free=1 / 51.8)  # Chen 2013, purified protein; M

OGB1: Final = Indicator(
    "OGB-1",
    kon=430 / (uM * s),  # M
    koff=140 / s,  # M: K 0.33 uM
    D=20 * um2 / s,  # M: 15 to 20, slow in cytosol
    total=100 * uM,  # M: what a patch pipette brings
    brightness_free=1 / 14)  # Molecular Probes handbook; M
