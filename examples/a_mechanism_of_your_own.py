"""A mechanism of your own: a pump that runs all the time, and what happens besides, declared as events.

A pump clears Ca2+ from three spines. Each spike of one lets some in; a spine that rises above a threshold sends out one
signal; and vesicles of the spines fuse at random, the more the higher Ca2+ is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import spatial as sp
from spatial.units import ms, s, uM


@dataclass(frozen=True, eq=False)
class Spine:
    """Ca2+ of spines: `rates` says how fast it changes, `events` what else happens."""

    where: sp.Place  # the spines
    calcium: sp.Species
    signals: sp.Species  # sent out so far
    docked: sp.Species  # vesicles that are left
    times: np.ndarray  # s, of the spikes of the first spine
    per_spike: float = 0.6 * uM  # choice
    clearance: float = 10 / s  # choice
    threshold: float = 1.0 * uM  # choice
    hazard: float = 2 / (uM * s)  # choice

    def rates(self, c: Any, t: float) -> Any:
        """The pump [uM/s]."""
        return {self.calcium: -self.clearance * c[self.calcium]}

    @property
    def events(self) -> tuple[Any, ...]:
        """Which species each event changes, which of these it may lower (takes), and the function that does it."""
        return (
            sp.AtTimes(self.times, changes=(self.calcium,), change=self.spike),
            sp.OnRise(self.above_threshold, changes=(self.signals,), change=self.send),
            sp.EachStep(changes=(self.docked,), takes=(self.docked,), change=self.fuse))

    def spike(self, c: Any, t: float, rng: Any) -> Any:
        """Ca2+ that a spike lets into the first spine [uM]."""
        return {self.calcium: np.array([self.per_spike, 0.0, 0.0])}

    def above_threshold(self, c: Any, t: float) -> Any:
        """How far Ca2+ is above the threshold; negative below it [uM]."""
        return c[self.calcium] - self.threshold

    def send(self, c: Any, t: float, risen: Any, rng: Any) -> Any:
        """One signal: it counts in the spines where Ca2+ has risen."""
        return {self.signals: 1.0}

    def fuse(self, c: Any, t: float, dt: float, rng: Any) -> Any:
        """Vesicles that fused in the step just taken."""
        chance = -np.expm1(-self.hazard * c[self.calcium] * dt)
        return {self.docked: -rng.binomial(np.rint(c[self.docked]).astype(int), chance).astype(float)}


spines = sp.pool("spines", np.ones(3))
calcium = sp.Species("calcium", spines, 0.05 * uM, scale=1.0)
signals, docked = sp.Species("signals", spines, unit="1"), sp.Species("docked", spines, 10.0, unit="1")
model = sp.Model([calcium, signals, docked], [Spine(spines, calcium, signals, docked, np.arange(1, 6) * 20 * ms)])

recording = sp.simulate(model, 0.3 * s, [sp.each(calcium), sp.each(signals), sp.each(docked)], seed=1)
print("Ca2+ peaks at", recording["calcium"].max(axis=0).round(2), "uM")
print("signals sent", recording["signals"][-1], "vesicles left", recording["docked"][-1])
