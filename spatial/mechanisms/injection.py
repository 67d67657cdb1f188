"""A source of known strength: an open channel's current, a pipette."""

from dataclasses import dataclass

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species


@dataclass(frozen=True, eq=False)
class Injection:
    """A constant flux, per measure of where it acts: [uM um^3/s] at a point, [uM um/s] on a membrane."""

    where: Place
    species: Species
    flux: float

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The flux."""
        return {self.species: self.flux}
