"""A mechanism of one's own: a pump, spikes that let Ca2+ in, a threshold, and vesicles that fuse at random."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import spatial as sp
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.units import ms, s, uM, um3


@dataclass(frozen=True, eq=False)
class Spine:
    """Ca2+ of spines."""

    where: sp.Place
    calcium: sp.Species
    signals: sp.Species
    docked: sp.Species
    times: np.ndarray
    per_spike: float = 0.6 * uM
    clearance: float = 10 / s
    rest: float = 0.05 * uM
    threshold: float = 1.0 * uM
    hazard: float = 0.4 / (uM * s)

    def rates(self, c: Any, t: float) -> Any:
        excess = c[self.calcium] - self.rest
        return {self.calcium: -self.clearance * excess}

    @property
    def events(self) -> tuple[Any, ...]:
        return (
            sp.AtTimes(self.times, changes=(self.calcium,), change=self.spike),
            sp.OnRise(self.above, changes=(self.signals,), change=self.send),
            sp.EachStep(changes=(self.docked,), takes=(self.docked,), change=self.fuse))

    def spike(self, c: Any, t: float, rng: np.random.Generator) -> Any:
        first = np.arange(len(self.where)) < 100
        return {self.calcium: np.where(first, self.per_spike, 0.0)}

    def above(self, c: Any, t: float) -> Any:
        return c[self.calcium] - self.threshold

    def send(self, c: Any, t: float, risen: Any, rng: np.random.Generator) -> Any:
        return {self.signals: 1.0}

    def fuse(self, c: Any, t: float, dt: float, rng: np.random.Generator) -> Any:
        chance = -np.expm1(-self.hazard * c[self.calcium] * dt)
        return {self.docked: -rng.binomial(np.rint(c[self.docked]).astype(int), chance).astype(float)}


spines = sp.pool("spines", np.full(200, 0.1) * um3)
bound = bound_at(0.05 * uM, 5 * uM, 1 * uM)
calcium = sp.Species("calcium", spines, 0.05 * uM, scale=1 * uM)
free = sp.Species("free buffer", spines, 5 * uM - bound)
occupied = sp.Species("bound buffer", spines, bound)
signals = sp.Species("signals", spines, unit="1")
docked = sp.Species("docked", spines, 40.0, unit="1")
spine = Spine(spines, calcium, signals, docked, np.arange(1, 11) * 20 * ms, per_spike=3 * uM, threshold=0.8 * uM)
model = sp.Model([calcium, free, occupied, signals, docked], [
    spine, Buffer(spines, calcium, free, occupied, kon=100 / (uM * s), K=1 * uM)])

run = sp.simulate(model, 400 * ms, [sp.peak(calcium), sp.total(signals), sp.each(docked), sp.mean(occupied)], seed=1)
answer = {
    "highest Ca2+": run["peak calcium"].max(), "Ca2+ at the end": run["peak calcium"][-1],
    "bound": run["mean bound buffer"].max(), "signals": run["total signals"][-1],
    "fused": 40 - run["docked"][-1, :100].mean()}
