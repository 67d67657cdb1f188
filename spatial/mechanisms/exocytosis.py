"""Ca2+-triggered exocytosis: vesicles at release sites, fused at random."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import ms, s, uM


@dataclass(frozen=True, eq=False)
class Emptying:
    """Fused vesicles let go of what they hold with a time constant, the pore's."""

    where: Place  # points that touch the ECS
    holding: Species  # what is left in fused vesicles at each point [uM um^3]
    transmitter: Species  # ECS
    tau: float = 1 * ms  # choice; synaptic vesicles need ~0.1 ms, large ones longer

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.positive("Emptying: tau", self.tau)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Transmitter let go [uM um^3/s]."""
        flux = c[self.holding] / self.tau
        return {self.holding: -flux, self.transmitter: flux}


@dataclass(frozen=True, eq=False)
class Exocytosis:
    """Each docked vesicle fuses with hazard r_max c^n/(K^n + c^n); each empty slot refills (biophysics A6).

    `where` holds release sites: points that touch cytosol and ECS. Vesicles are whole numbers.
    """

    where: Place
    calcium: Species  # cytosol
    docked: Species  # number of vesicles ready at each site
    fused: Species  # number of vesicles fused so far at each site
    transmitter: Species  # ECS, or the vesicles being emptied, with `Emptying` from there to the ECS
    content: float  # amount in one vesicle [uM um^3]
    slots: int = 4  # vesicles a site can hold; Manninen 2020
    r_max: float = 1.0 / s  # largest hazard; choice
    K: float = 0.4 * uM  # half-activation; choice
    n: float = 4.0  # cooperativity; choice
    refill: float = 0.6 / s  # Om_A; De Pitta & Brunel 2016

    def __post_init__(self) -> None:
        checks.parameters(self)
        initial = np.atleast_1d(self.docked.initial)
        wrong = initial[(initial > self.slots) | (initial != np.rint(initial))]
        if wrong.size:
            raise checks.InputError(f"Exocytosis: {self.docked.name!r} begins with {wrong[0]:g} vesicles at a site; "
                                    f"it must be a whole number from 0 to slots, {self.slots}")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: vesicles only act in `leap`."""
        return {}

    def hazard(self, calcium: np.ndarray) -> np.ndarray:
        """(n,) rate at which one docked vesicle fuses [1/s]."""
        drive = calcium**self.n
        return np.asarray(self.r_max * drive / (drive + self.K**self.n))

    def leap(self, c: Concentrations, t: float, dt: float, rng: np.random.Generator) -> Gains:
        """Vesicles fused and refilled in the step, and what the fused ones released."""
        docked = np.rint(c[self.docked]).astype(int)
        fused = rng.binomial(docked, -np.expm1(-self.hazard(c[self.calcium]) * dt))
        refilled = rng.binomial(self.slots - docked, -np.expm1(-self.refill * dt))
        return {self.docked: refilled - fused, self.fused: fused, self.transmitter: fused * self.content}
