"""Homeostatic scaling: all weights of a neuron together, until it fires as it should."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.synapses.plasticity.gates import OPEN, Gate
from spatial.units import Hz, s


@dataclass(frozen=True, eq=False)
class SynapticScaling:
    """dw/dt = g w (r_target - r)/(tau r_target) (Turrigiano 1998; van Rossum 2000): ratios of weights stay.

    r is the slow rate of the neuron that each synapse touches. The gate is the astrocyte's part, which scales up
    by TNF-alpha (Stellwagen & Malenka 2006); by default it is open.
    """

    where: Place  # the synapses
    rate: Held  # r [Hz], such as a `SlowSignal` of the neuron's rate
    weight: Species
    gate: Gate = OPEN
    target: float = 5 * Hz  # r_target; choice
    tau: float = sized(3600 * s, far=1e4)  # choice; scaling takes hours

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("target", "tau"))
        checks.own(self, "weight")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the weight [1/s]."""
        return {self.weight: c[self.weight] * self._growth(c)}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] in closed form, for rates and fields that stay as in `c`."""
        return {self.weight: c[self.weight] * np.expm1(self._growth(c) * dt)}

    def _growth(self, c: Concentrations) -> Any:
        """(n,) relative growth of the weight [1/s]."""
        return self.gate(c) * (1 - level(c, self.rate) / self.target) / self.tau
