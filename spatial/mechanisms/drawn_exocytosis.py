"""Ca2+-triggered exocytosis whose chances are drawn beforehand, so that runs can be compared vesicle by vesicle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, arguments, sized
from spatial.geometry.place import Floats, Place
from spatial.laws import hill
from spatial.model import Concentrations, Event, Gains, OnRise, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class Waits:
    """How long each slot waits before its events, in units of their rates: (n, k) numbers, by slot and event."""

    values: Floats

    def __post_init__(self) -> None:
        checks.kinds(self)
        if np.ndim(self.values) != 2 or not self.values.size or not (self.values > 0).all():
            raise InputError(f"waits have shape {np.shape(self.values)}; they must be numbers > 0, a row for each slot")


@arguments(not_negative=("refill",))
def draw_waits(slots: int, duration: float, rng: np.random.Generator, refill: float = 0.6 / s) -> Waits:
    """Exponential waits of so many slots, more than they can use in `duration` [s] with any fair chance."""
    checks.positive("waits: slots", slots)
    checks.positive("waits: duration", duration)
    refilled = refill * duration
    return Waits(rng.exponential(size=(slots, 2 * int(np.ceil(refilled + 8 * np.sqrt(refilled) + 4)))))


@dataclass(frozen=True, eq=False)
class DrawnExocytosis:
    """`Exocytosis` with a slot at each site, whose waits are drawn beforehand (biophysics A6).

    A docked vesicle fuses when its hazard r_max c^n/(K^n + c^n), integrated since it docked, reaches the slot's next
    wait; an empty slot refills when `refill` has. With exponential waits that is `Exocytosis` in distribution. When a
    vesicle fuses depends on Ca2+ alone, not on the steps: a control with the same waits meets the same chances.
    """

    where: Place  # points that touch cytosol and ECS, a slot each
    calcium: Species  # cytosol
    docked: Species  # on the sites: 1 with a vesicle, 0 without
    fused: Species  # on the sites, vesicles fused so far
    left: Species  # on the sites, of the wait that began last; signed, begins with the first waits
    transmitter: Species  # ECS, or the vesicles being emptied
    content: float  # amount in one vesicle [uM um^3]
    waits: Waits
    r_max: float = 1.0 / s  # largest hazard; choice
    K: float = sized(0.4 * uM, beside="calcium")  # half-activation; choice
    n: float = 4.0  # cooperativity; choice
    refill: float = 0.6 / s  # Om_A; De Pitta & Brunel 2016

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))
        checks.own(self, "docked", "fused", "left")
        if len(self.waits.values) != len(self.where):
            raise InputError(f"DrawnExocytosis: waits are for {len(self.waits.values)} slots; {self.where.name!r} has "
                             f"{len(self.where)}")
        if not np.isin(self.docked.initial, (0, 1)).all():
            raise InputError(f"DrawnExocytosis: {self.docked.name!r} begins with {np.max(self.docked.initial):g} "
                             "vesicles in a slot; it must be 1 or 0")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The waits run down [1/s]."""
        hazard = self.r_max * hill(c[self.calcium], self.K, self.n)
        return {self.left: np.where(np.rint(c[self.docked]) > 0, -hazard, -self.refill)}

    @property
    def events(self) -> tuple[Event, ...]:
        """A vesicle fuses, or docks, where a wait is over."""
        changes = (self.docked, self.fused, self.left, self.transmitter)
        return (OnRise(self.overdue, changes, (self.docked,), change=self.turn),)

    def overdue(self, c: Concentrations, t: float) -> Floats:
        """(n,) minus what is left of each wait."""
        return -c[self.left]

    def turn(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """Where a wait is over: a vesicle fuses, or docks in an empty slot; and the next wait begins."""
        full = np.rint(c[self.docked])
        refilled = full + np.rint(c[self.fused]) - self.docked.initial
        coming = (1 + np.rint(c[self.fused]) + refilled).astype(np.int64)  # the first wait, and one for each event
        if (coming[risen] >= self.waits.values.shape[1]).any():
            raise InputError(f"DrawnExocytosis: a slot of {self.where.name!r} has used all its "
                             f"{self.waits.values.shape[1]} waits; draw them for a longer duration")
        wait = self.waits.values[np.arange(len(coming)), np.where(risen, coming, 0)]
        fusing = np.where(risen, full, 0.0)
        return {self.docked: np.where(risen, 1 - 2 * full, 0.0), self.fused: fusing,
                self.left: np.where(risen, wait, 0.0), self.transmitter: self.content * fusing}
