"""Ca2+ near an open channel, in closed form: the steady domain of a point source among buffers.

A source of sigma [uM um^3/s] sits on a flat wall; `r` is the distance from it [um], and Ca2+ is at rest
`outer` away. Smith, Dai, Miura & Sherman 2001 say which of the approximations holds when: excess buffer
where it cannot be depleted, rapid buffer where binding is fast against diffusion, and the linear one where Ca2+
changes little (Naraghi & Neher 1997).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spatial import checks
from spatial.checks import arguments, by_annotation
from spatial.geometry.place import Floats
from spatial.mechanisms.rapid_buffer import RapidBuffer
from spatial.units import s, uM, um


@dataclass(frozen=True)
class Domain:
    """A source, and the free Ca2+ it is in; `ion_flux` of units.py makes sigma from a current."""

    sigma: float  # uM um^3/s
    calcium: float = 0.1 * uM  # at rest
    D: float = 220 * um**2 / s  # free Ca2+; ASTRO cadifus.mod
    outer: float = np.inf  # um, where Ca2+ is at rest
    angle: float = 2 * np.pi  # the solid angle into which the source flows: 4 pi away from walls

    def __post_init__(self) -> None:
        checks.kinds(self)
        for name in ("sigma", "calcium", "D", "angle"):
            checks.positive(f"Domain: {name}", getattr(self, name))
        if not self.outer > 0:
            raise checks.InputError(f"Domain: outer is {self.outer:g} um; it must be > 0, or infinite")

    @arguments(above_zero=("r",))
    def unbuffered(self, r: ArrayLike) -> Floats:
        """Ca2+ without buffers [uM]; also that within a few nm of the pore, whatever the buffers."""
        return self.calcium + self._spread(r) / self.D

    @arguments(above_zero=("r",))
    def excess_buffer(self, r: ArrayLike, buffer: RapidBuffer) -> Floats:
        """Ca2+ among so much buffer that its free part does not change; far from `outer` [uM]."""
        decay = np.exp(-np.asarray(r) / buffer.length(self.calcium, self.D))
        return np.asarray(self.calcium + self.sigma / (self.angle * self.D * np.asarray(r)) * decay)

    @arguments(above_zero=("r",))
    def rapid_buffer(self, r: ArrayLike, buffer: RapidBuffer) -> Floats:
        """Ca2+ among a mobile buffer that is in equilibrium with it everywhere [uM]: D c + D_B bound adds up."""
        K, total, carried = buffer.K, buffer.total, buffer.D * buffer.bound(self.calcium)
        flow = self.D * self.calcium + carried + self._spread(r)
        b = self.D * K + buffer.D * total - flow
        root = np.sqrt(b * b + 4 * self.D * K * flow)
        return np.where(b > 0, 2 * K * flow / (b + root), (root - b) / (2 * self.D))

    @arguments(above_zero=("r",))
    def linear(self, r: ArrayLike, buffer: RapidBuffer) -> Floats:
        """Ca2+ where it is close to rest, among one mobile buffer of any speed [uM]; far from `outer`."""
        slow = self.D + buffer.D * buffer.capacity(self.calcium)
        length = self.relaxation_length(buffer)
        shape = 1 / slow + (1 / self.D - 1 / slow) * np.exp(-np.asarray(r) / length)
        return np.asarray(self.calcium + self.sigma / (self.angle * np.asarray(r)) * shape)

    @by_annotation
    def relaxation_length(self, buffer: RapidBuffer) -> float:
        """How far from the source Ca2+ and a mobile buffer come into equilibrium [um], where Ca2+ is near rest."""
        checks.positive("relaxation_length: D of the buffer", buffer.D)
        rate = buffer.kon * (self.calcium + buffer.K) / buffer.D + buffer.kon * buffer.free(self.calcium) / self.D
        return float(1 / np.sqrt(rate))

    def _spread(self, r: ArrayLike) -> Floats:
        """What D times concentration is above that at rest, without buffers [uM um^2/s]."""
        return np.asarray(self.sigma / self.angle * (1 / np.asarray(r) - 1 / self.outer))
