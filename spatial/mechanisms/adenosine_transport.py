"""What becomes of adenosine: carried into cells, and there phosphorylated or deaminated."""

from dataclasses import dataclass
from typing import Any

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Place
from spatial.model import ConcentrationLaw, Concentrations, Gains, Held, Reaction, Species, gained, level
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class AdenosineUptake:
    """Net clearance V A/(K + A) from the ECS, as voltammetry sees it (biophysics A8).

    It lumps what `ENT` and the enzymes inside do: take either this or those.
    """

    where: Place  # ECS, or a membrane with V per area
    adenosine: Species  # ECS
    taken: Species  # ledger of adenosine inside
    V: float = 1.4 * uM / s  # 1.4 +- 0.1; Nguyen, Ross, Ryals, Lee & Venton 2015
    K: float = sized(1.5 * uM, beside="adenosine", from_below=False)  # of ENT and adenosine kinase together; M

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Adenosine saturates it."""
        return (ConcentrationLaw(self.adenosine, K=self.K),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Adenosine taken [uM/s in a volume, uM um/s on a membrane]."""
        flux = _saturating(self.V, self.K, c[self.adenosine])
        return {self.adenosine: -flux, self.taken: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One adenosine taken."""
        return [Reaction({self.adenosine: -1, self.taken: 1}, _saturating(self.V, self.K, c[self.adenosine]))]


@dataclass(frozen=True, eq=False)
class ENT:
    """Equilibrative nucleoside transporter, P (A_in - A_out), either way (biophysics A8).

    Linear: adenosine stays far below the 40-100 uM (M) that half saturate ENT1. What is a number inside is held
    at it, and adenosine then comes from or goes to a pool without end; a species gains what is carried.
    """

    where: Place  # ECS that touches the cell, or a membrane between both with P in um/s
    adenosine: Species  # ECS
    inside: Held = 0.04 * uM  # in the cell; as outside at rest (A8), choice
    P: float = 1 / s  # as V/K of the net clearance, 0.93 /s; choice

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Adenosine out of the cell [uM/s in a volume, uM um/s on a membrane]."""
        return self._out(self.P * (level(c, self.inside) - c[self.adenosine]))

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One adenosine out of the cell, or into it."""
        return [Reaction(self._out(1), self.P * level(c, self.inside)),
                Reaction(self._out(-1), self.P * c[self.adenosine])]

    def _out(self, amount: Any) -> dict[Species, Any]:
        """What each side gains when so much leaves the cell."""
        return {self.adenosine: amount} | gained(self.inside, -amount)


@dataclass(frozen=True, eq=False)
class AdenosineKinase:
    """Adenosine -> AMP in the cytosol: high affinity, soon saturated."""

    where: Place  # cytosol
    adenosine: Species  # cytosol
    amp: Species  # cytosol, or a ledger
    V: float = 0.1 * uM / s  # choice; V/K is 1 /s
    K: float = sized(0.1 * uM, beside="adenosine", from_below=False)  # M (0.02-0.5)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Adenosine saturates it."""
        return (ConcentrationLaw(self.adenosine, K=self.K),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Adenosine phosphorylated [uM/s]."""
        flux = _saturating(self.V, self.K, c[self.adenosine])
        return {self.adenosine: -flux, self.amp: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One adenosine phosphorylated."""
        return [Reaction({self.adenosine: -1, self.amp: 1}, _saturating(self.V, self.K, c[self.adenosine]))]


@dataclass(frozen=True, eq=False)
class AdenosineDeaminase:
    """Adenosine -> inosine, in the cytosol or outside: low affinity, hardly ever saturated."""

    where: Place  # cytosol or ECS
    adenosine: Species  # the same place
    inosine: Species  # the same place, or a ledger
    V: float = 50 * uM / s  # choice; V/K is 1 /s
    K: float = sized(50 * uM, beside="adenosine", from_below=False)  # M (20-80)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Adenosine saturates it."""
        return (ConcentrationLaw(self.adenosine, K=self.K),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Adenosine deaminated [uM/s]."""
        flux = _saturating(self.V, self.K, c[self.adenosine])
        return {self.adenosine: -flux, self.inosine: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One adenosine deaminated."""
        return [Reaction({self.adenosine: -1, self.inosine: 1}, _saturating(self.V, self.K, c[self.adenosine]))]


def _saturating(V: float, K: float, adenosine: Any) -> Any:
    """Michaelis and Menten's law."""
    return V * adenosine / (K + adenosine)
