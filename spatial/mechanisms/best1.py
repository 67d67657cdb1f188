"""Best1: an anion channel of the astrocyte's membrane that Ca2+ opens and transmitters pass."""

from dataclasses import dataclass
from typing import Any

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import ConcentrationLaw, Concentrations, Gains, Held, Reaction, Species, gained, level
from spatial.units import mM, s, uM, um2, um3


@dataclass(frozen=True, eq=False)
class Best1:
    """density P_o(c) p (X_in - X_out) with P_o = c^n/(c^n + K^n) (biophysics A6).

    It passes glutamate, D-serine and GABA: one `Best1` for each, which differ in what is inside and in
    `permeability`. What is a number inside is held at it; a species loses what goes out. At resting Ca2+ some
    channels are open: release there is tonic.
    """

    where: Place  # plasma membrane
    calcium: Species  # cytosol
    transmitter: Species  # ECS
    inside: Held = 5 * mM  # transmitter in the cytosol; glutamate of astrocytes 1-10 mM, M
    density: float = 10 / um2  # channels; choice
    permeability: float = 0.004 * um3 / s  # p of one open channel: P_glu/P_Cl 0.28 (A6) of 8 pS at 150 mM Cl-, M
    K: float = sized(0.25 * uM, beside="calcium")  # half-activation; M (0.15-0.35)
    n: float = 2.0  # Hill coefficient; biophysics A6

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ opens it."""
        return (ConcentrationLaw(self.calcium, K=self.K, n=self.n),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Transmitter out of the cell [uM um/s]."""
        return self._out(self._openness(c) * (level(c, self.inside) - c[self.transmitter]))

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule out of the cell, or into it."""
        openness = self._openness(c)
        return [Reaction(self._out(1), openness * level(c, self.inside)),
                Reaction(self._out(-1), openness * c[self.transmitter])]

    def open_probability(self, calcium: Floats) -> Floats:
        """P_o, of the shape of `calcium` [uM]."""
        return hill(calcium, self.K, self.n)

    def _openness(self, c: Concentrations) -> Floats:
        """(n,) permeability of the membrane [um/s]."""
        return self.density * self.permeability * self.open_probability(c[self.calcium])

    def _out(self, amount: Any) -> dict[Species, Any]:
        """What each side gains when so much leaves the cell."""
        return {self.transmitter: amount} | gained(self.inside, -amount)
