"""A source of known strength: an open channel's current, a pipette."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Reaction, Species


@dataclass(frozen=True, eq=False)
class Injection:
    """A constant flux while open, per measure of where it acts: [uM um^3/s] at a point, [uM um/s] on a membrane."""

    where: Place
    species: Species
    flux: float
    start: float = 0.0  # s
    stop: float | None = None  # s; None: it stays open

    def __post_init__(self) -> None:
        checks.parameters(self)
        if self.stop is not None and not self.stop > self.start:
            raise checks.InputError(f"Injection: stop is {self.stop:g} s; it must come after start, {self.start:g} s")

    @property
    def events(self) -> tuple[Event, ...]:
        """It opens and closes: steps land there so that none runs across."""
        return (AtTimes(np.array([time for time in (self.start, self.stop) if time])),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The flux while it is open."""
        return {self.species: self._now(t)}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One molecule let in."""
        return [Reaction({self.species: 1}, self._now(t))]

    def _now(self, t: float) -> float:
        is_open = self.start <= t and (self.stop is None or t < self.stop)
        return self.flux if is_open else 0.0
