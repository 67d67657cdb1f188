"""Connexin 43 hemichannels: large pores of the astrocyte's membrane that let ATP out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.laws import hill, inhibition
from spatial.model import ConcentrationLaw, Concentrations, Gains, Held, Reaction, Species, gained, level
from spatial.units import mM, mV, s, uM, um2, um3


@dataclass(frozen=True, eq=False)
class Hemichannel:
    """density P_o p (X_in - X_out), for ATP or glutamate; one `Hemichannel` for each (biophysics A6).

    P_o is a bell over Ca2+ of the cytosol with its top at sqrt(K K_close), times the part not blocked by
    extracellular Ca2+, 1/(1 + Ca_out/K_block), times the part opened by V, 1/(1 + exp((V_half - V)/V_slope)).
    What may be a species or a number is held at the number; the transmitter inside loses what goes out.
    """

    where: Place  # plasma membrane
    calcium: Species  # cytosol
    transmitter: Species  # ECS
    inside: Held = 3 * mM  # ATP in the cytosol; biophysics A6
    calcium_outside: Held = 1.8 * mM  # Oschmann 2017
    V: Held = -80 * mV  # choice, astrocytes rest at -80 to -85 mV (biophysics A10)
    density: float = 1 / um2  # hemichannels; choice
    permeability: float = 0.05 * um3 / s  # p of one open channel for ATP; M (0.01-0.1)
    K: float = sized(0.25 * uM, beside="calcium")  # Ca2+ that opens half; choice, with K_close the top is at 0.5 uM (M)
    K_close: float = 1.0 * uM  # Ca2+ that closes half; choice
    n: float = 4.0  # Hill coefficient of both; choice
    K_block: float = 0.2 * mM  # extracellular Ca2+ that blocks half; M
    V_half: float = 50 * mV  # choice; they open at positive V (A6)
    V_slope: float = 20 * mV  # choice

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("V",), above_zero=("K", "K_close", "n", "K_block", "V_slope"))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ of the cytosol opens and closes it; that outside, if it is a species, blocks it."""
        laws = [ConcentrationLaw(self.calcium, K=K, n=self.n) for K in (self.K, self.K_close)]
        if isinstance(self.calcium_outside, Species):
            laws.append(ConcentrationLaw(self.calcium_outside, K=self.K_block))
        return tuple(laws)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Transmitter out of the cell [uM um/s]."""
        return self._out(self._openness(c) * (level(c, self.inside) - c[self.transmitter]))

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule out of the cell, or into it."""
        openness = self._openness(c)
        return [Reaction(self._out(1), openness * level(c, self.inside)),
                Reaction(self._out(-1), openness * c[self.transmitter])]

    def open_probability(self, calcium: Any, calcium_outside: Any, V: Any) -> Any:
        """P_o at Ca2+ inside and outside [uM] and a potential [mV]."""
        bell = hill(calcium, self.K, self.n) * inhibition(calcium, self.K_close, self.n)
        return bell * inhibition(calcium_outside, self.K_block) / (1 + np.exp((self.V_half - V) / self.V_slope))

    def _openness(self, c: Concentrations) -> Any:
        """(n,) permeability of the membrane [um/s]."""
        return self.density * self.permeability * self.open_probability(
            c[self.calcium], level(c, self.calcium_outside), level(c, self.V))

    def _out(self, amount: Any) -> dict[Species, Any]:
        """What each side gains when so much leaves the cell."""
        return {self.transmitter: amount} | gained(self.inside, -amount)
