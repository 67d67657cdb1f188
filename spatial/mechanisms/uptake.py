"""Saturable uptake of transmitters by carriers, and the production that holds a resting level against it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.place import Floats, Place
from spatial.model import ConcentrationLaw, Concentrations, Gains, Mechanism, Reaction, Species, gained
from spatial.units import s, uM


@dataclass(frozen=True)
class Carrier:
    """Michaelis and Menten's law, V c/(K + c)."""

    V: float  # the most it carries [uM/s per ECS volume, uM um/s per membrane area]
    K: float  # concentration for half of it [uM]

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K",))

    def flux(self, substrate: Floats | float, competition: Floats | float = 0.0) -> Floats:
        """What is carried, of the shape of `substrate` [uM]; `competition` is c/K of what competes."""
        return np.asarray(self.V * substrate / (self.K * (1 + competition) + substrate))

    @property
    def first_order(self) -> float:
        """V/K, the rate of loss [1/s] far below K."""
        return self.V / self.K


ASCT = Carrier(0.5 / s * 500 * uM, 500 * uM)
"""D-serine into astrocytes (Krishnan & Billups 2023). K is tens of uM to mM, M; V gives the loss of 0.5 /s, A6."""

GLYT1 = Carrier(1 / s * 25 * uM, 25 * uM)
"""Glycine into astrocytes. K 20-40 uM, Supplisson & Bergman 1997, M; V gives a loss of 1 /s, choice."""

GLUTAMATE_CLEFT = Carrier(5 * 30e3 * uM / s, 30 * uM)
"""Glutamate from the cleft: neuron 0.03 mM/ms and glia four times that, K 30 uM; Huebel 2017, biophysics A9."""

GLUTAMATE_ECS = Carrier((0.12 + 4 * 0.24) * 30e3 * uM / s, 30 * uM)
"""Glutamate from the ECS: 0.12 (neuron) and 0.24 (glia) of what the cleft has; Huebel 2017, biophysics A9."""


@dataclass(frozen=True, eq=False)
class Uptake:
    """A carrier takes a substrate out of the ECS; another substrate may compete for it.

    `where` is the ECS, or a membrane that touches it, with the carrier's V per area. For the uptake of the
    competitor by the same carrier add an `Uptake` with the two exchanged.
    """

    where: Place
    substrate: Species  # ECS
    taken: Species  # ledger of what is inside, or the substrate in the cell
    carrier: Carrier
    competitor: Species | None = None  # ECS
    K_competitor: float | None = None  # of the competitor [uM]; none without one

    def __post_init__(self) -> None:
        checks.kinds(self)
        if (self.competitor is None) != (self.K_competitor is None):
            raise checks.InputError("Uptake: a competitor needs its K_competitor, and K_competitor a competitor; "
                                    "give both or neither")
        if self.K_competitor is not None:
            checks.positive("Uptake: K_competitor", self.K_competitor)

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """The substrate saturates the carrier, and what competes blocks it."""
        laws = [ConcentrationLaw(self.substrate, K=self.carrier.K)]
        if self.competitor is not None and self.K_competitor is not None:
            laws.append(ConcentrationLaw(self.competitor, K=self.K_competitor))
        return tuple(laws)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Substrate taken [uM/s in a volume, uM um/s on a membrane]."""
        flux = self._flux(c)
        return {self.substrate: -flux, self.taken: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One substrate taken."""
        return [Reaction({self.substrate: -1, self.taken: 1}, self._flux(c))]

    def _flux(self, c: Concentrations) -> Floats:
        if self.competitor is None or self.K_competitor is None:
            return self.carrier.flux(c[self.substrate])
        return self.carrier.flux(c[self.substrate], c[self.competitor] / self.K_competitor)


@dataclass(frozen=True, eq=False)
class Production:
    """A constant source, of what is not modelled: it holds a resting level (`baseline`)."""

    where: Place
    species: Species
    flux: float  # [uM/s in a volume, uM um/s on a membrane, uM um^3/s at a point]
    ledger: Species | None = None  # what it is taken from, signed; None: it is not counted

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """What is made."""
        return {self.species: self.flux, **gained(self.ledger, -self.flux)}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule made."""
        return [Reaction({self.species: 1, **gained(self.ledger, -1)}, self.flux)]


@by_annotation
def baseline(species: Species, level: float, loss: Mechanism, others: Mapping[Species, float] | None = None,
             ledger: Species | None = None) -> Production:
    """The production that holds `species` at `level` [uM] against one loss, where that loss acts.

    `others` are the levels [uM] of all else that the loss looks at, such as a competitor. A species that is lost
    in several ways takes one production for each. Raises `InputError` for a level that is missing, and for what
    is no loss at that level or differs from element to element.
    """
    checks.number(f"baseline of {species.name!r}", level)
    held = _Held({**(others or {}), species: level}, len(loss.where))
    lost = np.unique(-np.asarray(loss.rates(held, 0.0).get(species, 0.0)))
    if lost[0] < 0:
        raise checks.InputError(f"baseline: {type(loss).__name__} makes {species.name!r} at {level:g} uM; "
                                "only what takes it needs a production")
    if len(lost) > 1:
        raise checks.InputError(f"baseline: {type(loss).__name__} takes {lost[0]:g} to {lost[-1]:g} of "
                                f"{species.name!r} at {level:g} uM; it must take as much in every element")
    return Production(loss.where, species, abs(float(lost[0])), ledger)


@dataclass(frozen=True)
class _Held:
    """Concentrations that are the same at all n elements."""

    levels: Mapping[Species, float]
    n: int

    def __getitem__(self, species: Species) -> Floats:
        if species not in self.levels:
            raise checks.InputError(f"baseline: the loss also looks at {species.name!r}; give its level in others")
        return np.full(self.n, self.levels[species])
