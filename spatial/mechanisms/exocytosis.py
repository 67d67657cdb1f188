"""Ca2+-triggered exocytosis of gliotransmitters, in three published forms, and how fused vesicles empty.

`Exocytosis`: every docked vesicle has a hazard of fusing that grows with Ca2+, at any time.
`BinomialExocytosis`: where Ca2+ rises through a threshold, each docked vesicle fuses with a probability.
`ThresholdExocytosis`: there the mean of that, a fraction of a resource that recovers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import compared, sized
from spatial.geometry.place import Floats, Ints, Place
from spatial.laws import hill
from spatial.model import ConcentrationLaw, Concentrations, EachStep, Event, Gains, OnRise, Species
from spatial.units import molecule, ms, s, uM


@dataclass(frozen=True, eq=False)
class Emptying:
    """Fused vesicles let go of what they hold with a time constant, the pore's."""

    where: Place  # points that touch the ECS
    holding: Species  # what is left in fused vesicles at each point [uM um^3]
    transmitter: Species  # ECS
    tau: float = sized(1 * ms, far=300.0)  # choice; synaptic vesicles need ~0.1 ms, large ones longer

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau",))
        checks.own(self, "holding")

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
    content: float  # amount in one vesicle, on average [uM um^3]
    slots: int = 4  # vesicles a site can hold; Manninen 2020
    r_max: float = 1.0 / s  # largest hazard; choice
    K: float = sized(0.4 * uM, beside="calcium")  # half-activation; choice
    n: float = 4.0  # cooperativity; choice
    refill: float = 0.6 / s  # Om_A; De Pitta & Brunel 2016
    cv: float = 0.0  # coefficient of variation of the content from vesicle to vesicle; choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))
        checks.own(self, "docked", "fused")
        _check_docked(self)

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ drives fusion together."""
        return (ConcentrationLaw(self.calcium, K=self.K, n=self.n),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: vesicles fuse and dock at random."""
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        """Vesicles that fused and docked in each step."""
        return (EachStep((self.docked, self.fused, self.transmitter), (self.docked,), change=self.turnover),)

    def hazard(self, calcium: Floats) -> Floats:
        """(n,) rate at which one docked vesicle fuses [1/s]."""
        return np.asarray(self.r_max * hill(calcium, self.K, self.n))

    def turnover(self, c: Concentrations, t: float, dt: float, rng: np.random.Generator) -> Gains:
        """Vesicles fused and refilled in the step, and what the fused ones released."""
        docked = _whole(c[self.docked])
        fused = rng.binomial(docked, -np.expm1(-self.hazard(c[self.calcium]) * dt))
        refilled = _refilled(self.slots - docked, self.refill, dt, rng)
        return {self.docked: refilled - fused, self.fused: fused,
                self.transmitter: contents(fused, self.content, self.cv, rng)}


@dataclass(frozen=True, eq=False)
class BinomialExocytosis:
    """Where Ca2+ rises through a threshold each docked vesicle fuses with probability U; empty slots refill.

    One event for each time that Ca2+ rises there, however long it stays high (De Pitta & Brunel 2016; biophysics
    A6). `where` holds release sites: points that touch cytosol and ECS. Vesicles are whole numbers.
    """

    where: Place
    calcium: Species  # cytosol
    docked: Species  # number of vesicles ready at each site
    fused: Species  # number of vesicles fused so far at each site
    transmitter: Species  # ECS, or the vesicles being emptied, with `Emptying` from there to the ECS
    content: float  # amount in one vesicle, on average [uM um^3]
    slots: int = 4  # vesicles a site can hold; Manninen 2020
    U: float = 0.6  # release probability U_A; De Pitta & Brunel 2016
    threshold: float = sized(0.5 * uM, beside="calcium")  # C_th; De Pitta & Brunel 2016 (Pasti 2001: 0.3)
    refill: float = 0.6 / s  # Om_A; De Pitta & Brunel 2016
    cv: float = 0.0  # coefficient of variation of the content from vesicle to vesicle; choice

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "docked", "fused")
        _check_probability(self, self.U)
        _check_docked(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: vesicles fuse where Ca2+ rises, and dock at random."""
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        """Vesicles that dock in each step, and those that fuse where Ca2+ rises through the threshold."""
        changes = (self.docked, self.fused, self.transmitter)
        return (EachStep((self.docked,), change=self.docking),
                OnRise(self.above_threshold, changes, (self.docked,), change=self.fusion))

    def above_threshold(self, c: Concentrations, t: float) -> Floats:
        """(n,) Ca2+ above the threshold [uM]."""
        return c[self.calcium] - self.threshold

    def fusion(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """Vesicles fused at each site where Ca2+ has risen, and what they released."""
        fused = rng.binomial(np.where(risen, _whole(c[self.docked]), 0), self.U)
        return {self.docked: -fused, self.fused: fused, self.transmitter: contents(fused, self.content, self.cv, rng)}

    def docking(self, c: Concentrations, t: float, dt: float, rng: np.random.Generator) -> Gains:
        """Vesicles docked in the step."""
        return {self.docked: _refilled(self.slots - _whole(c[self.docked]), self.refill, dt, rng)}


@dataclass(frozen=True, eq=False)
class ThresholdExocytosis:
    """Where Ca2+ rises through a threshold the part U of a resource x is released, dx/dt = refill (1 - x).

    The mean of `BinomialExocytosis` (De Pitta & Brunel 2016, Stimberg 2018; biophysics A6). `where` holds
    release sites: points that touch cytosol and ECS.
    """

    where: Place
    calcium: Species  # cytosol
    x: Species  # part of the resource that is ready at each site
    released: Species  # amount released so far at each site [uM um^3]
    transmitter: Species  # ECS, or the vesicles being emptied, with `Emptying` from there to the ECS
    resource: float = compared(3000 * molecule, far=300.0)  # amount in all vesicles of a site [uM um^3]
    U: float = 0.6  # release probability U_A; De Pitta & Brunel 2016
    threshold: float = sized(0.5 * uM, beside="calcium")  # C_th; De Pitta & Brunel 2016 (Pasti 2001: 0.3)
    refill: float = 0.6 / s  # Om_A; De Pitta & Brunel 2016

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "x", "released")
        checks.parts(self, "x")
        _check_probability(self, self.U)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Recovery of the resource [1/s]."""
        return {self.x: self.refill * (1 - c[self.x])}

    @property
    def events(self) -> tuple[Event, ...]:
        """Release where Ca2+ rises through the threshold."""
        changes = (self.x, self.released, self.transmitter)
        return (OnRise(self.above_threshold, changes, (self.x,), change=self.release),)

    def above_threshold(self, c: Concentrations, t: float) -> Floats:
        """(n,) Ca2+ above the threshold [uM]."""
        return c[self.calcium] - self.threshold

    def release(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """What each site releases where Ca2+ has risen."""
        spent = np.where(risen, self.U * c[self.x], 0.0)
        amount = self.resource * spent
        return {self.x: -spent, self.released: amount, self.transmitter: amount}


def contents(fused: Ints, mean: float, cv: float, rng: np.random.Generator) -> Floats:
    """(n,) amount in each number of `fused` vesicles [unit of `mean`], whose contents vary by a gamma distribution.

    `mean` is that of one vesicle, `cv` the standard deviation of one over it: the sum over k vesicles has
    the mean k mean and the variance k (cv mean)^2.
    """
    if cv == 0:
        return np.asarray(fused * mean, float)
    shape = 1 / cv**2
    return np.asarray(rng.gamma(fused * shape, mean / shape), float)


def _whole(numbers: Floats) -> Ints:
    return np.rint(numbers).astype(np.int64)


def _refilled(empty: Ints, rate: float, dt: float, rng: np.random.Generator) -> Ints:
    """(n,) of so many empty slots, those that a vesicle has taken within `dt` [s]."""
    return rng.binomial(empty, -np.expm1(-rate * dt))


def _check_docked(release: Exocytosis | BinomialExocytosis) -> None:
    """Raise `InputError` unless each site begins with a whole number of vesicles that its slots can hold."""
    initial = np.atleast_1d(release.docked.initial)
    wrong = initial[(initial > release.slots) | (initial != np.rint(initial))]
    if wrong.size:
        raise checks.InputError(f"{type(release).__name__}: {release.docked.name!r} begins with {wrong[0]:g} vesicles "
                                f"at a site; it must be a whole number from 0 to slots, {release.slots}")


def _check_probability(release: BinomialExocytosis | ThresholdExocytosis, U: float) -> None:
    if U > 1:
        raise checks.InputError(f"{type(release).__name__}: U is {U:g}; it must be a probability, at most 1")
