"""A sliding threshold between depression and potentiation, and the astrocyte that raises it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.synapses.plasticity.gates import OPEN, Gate
from spatial.units import s


@dataclass(frozen=True, eq=False)
class BCM:
    """dw/dt = eta g x y (y - theta - k_m a), d(theta)/dt = (y^2/y_0 - theta)/tau (Bienenstock 1982; biophysics A13).

    x and y are rates before and behind the synapse. y below the threshold depresses, y above it potentiates, and
    y = theta = y_0 rests. Metaplasticity: a slow signal `a` of the astrocyte raises the threshold that counts.
    """

    where: Place  # the synapses
    x: Held  # presynaptic rate [Hz]
    y: Held  # postsynaptic rate [Hz]
    theta: Species  # on the synapses [Hz]
    weight: Species  # signed
    slow: Held = 0.0  # a, such as a `SlowSignal`; choice, no astrocyte
    gate: Gate = OPEN
    eta: float = sized(1e-4 * s, far=1e5)  # per Hz^2; choice
    k_m: float = 1.0  # Hz per unit of the slow signal; choice
    y_0: float = 1.0  # rate that rests [Hz]; biophysics A13, where it is the unit of y, M
    tau: float = 10 * s  # of the threshold; choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("y_0", "tau"))
        checks.own(self, "theta", "weight")
        checks.signed(self, "weight")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the weight, and of the threshold [Hz/s]."""
        y, theta = level(c, self.y), c[self.theta]
        return {self.weight: self._pace(c) * (y - theta - self.k_m * level(c, self.slow)),
                self.theta: (y**2 / self.y_0 - theta) / self.tau}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] in closed form, for rates and fields that stay as in `c`."""
        y, theta = level(c, self.y), c[self.theta]
        left = (theta - y**2 / self.y_0) * np.expm1(-dt / self.tau)
        above = y - y**2 / self.y_0 - self.k_m * level(c, self.slow)
        return {self.weight: self._pace(c) * (above * dt + self.tau * left), self.theta: left}

    def _pace(self, c: Concentrations) -> Any:
        """(n,) eta g x y [1/(s Hz)]."""
        return self.eta * self.gate(c) * level(c, self.x) * level(c, self.y)
