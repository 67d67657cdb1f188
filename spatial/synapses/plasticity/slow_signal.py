"""A slow signal: what the astrocyte remembers of minutes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.units import s


@dataclass(frozen=True, eq=False)
class SlowSignal:
    """A leaky average in time: d(signal)/dt = (of - signal)/tau (biophysics A13). It takes nothing away.

    With the signal on `where` itself each element has its own: at a synapse, of a field there. With the signal in a
    pool that `where` touches it is the average over these elements too, by measure: of Ca2+ over the cytosol. Gates
    and thresholds at synapses read it where they touch the pool.
    """

    where: Place
    of: Held
    signal: Species  # in the unit of `of`
    tau: float = 60 * s  # choice, from 10-600 s; biophysics A13

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("of",), above_zero=("tau",))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Gain of the signal per measure of `where` [its unit/s]."""
        return {self.signal: self._part * (level(c, self.of) - c[self.signal]) / self.tau}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` [s] in closed form, for an `of` that stays as in `c`."""
        return {self.signal: -self._part * (level(c, self.of) - c[self.signal]) * np.expm1(-dt / self.tau)}

    @cached_property
    def _part(self) -> Floats:
        """(n,) measure of the signal's element per measure of all elements of `where` that touch it."""
        index = touched(self.where, self.signal.place)
        if index is None:
            return np.ones(len(self.where))
        here = self.signal.place.measure
        return np.asarray(here[index] / np.bincount(index, self.where.measure, len(here))[index])
