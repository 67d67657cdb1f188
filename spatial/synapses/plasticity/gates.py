"""What opens the gate of plasticity: the astrocyte's factor g_a, read from the fields at a synapse."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Held, level
from spatial.synapses.receptors import EC50_D_SERINE, EC50_GLYCINE, coagonist_occupancy
from spatial.units import uM


class Gate(Protocol):
    """A factor at every synapse."""

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) the factor at the concentrations around each synapse, or one number for all."""
        ...


@dataclass(frozen=True, eq=False)
class ConstantGate:
    """g_a is the same always: 1 for plasticity that needs no astrocyte, 0 for one that is blocked."""

    factor: float = 1.0  # choice, open

    def __post_init__(self) -> None:
        checks.parameters(self)

    def __call__(self, c: Concentrations) -> Floats:
        """The factor."""
        return np.asarray(self.factor)


OPEN = ConstantGate()
"""The gate of a rule that needs no astrocyte."""


@dataclass(frozen=True, eq=False)
class CoagonistGate:
    """g_a = theta_co(D) - theta_co(rest): the NMDA receptors' co-agonist site, above its resting occupancy."""

    d_serine: Held  # ECS, above its resting level
    resting: float = 1.3 * uM  # gives theta_co = 0.5 at rest; choice, range of theta_co 0.4-0.6, M
    EC50: float = sized(EC50_D_SERINE, beside="d_serine", from_below=False)  # GluN2A; M (biophysics A12)
    glycine: Held = 0.0 * uM  # ECS; choice, none
    EC50_glycine: float = sized(EC50_GLYCINE, beside="glycine", from_below=False)  # GluN2A; M (biophysics A12)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("EC50", "EC50_glycine"))

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) the occupancy above rest; glycine takes sites in both."""
        return self._occupancy(c, level(c, self.d_serine)) - self.at_rest(c)

    def at_rest(self, c: Concentrations) -> Floats:
        """(n,) the occupancy while the astrocyte is silent."""
        return self._occupancy(c, 0.0)

    def _occupancy(self, c: Concentrations, released: Floats | float) -> Floats:
        return coagonist_occupancy(self.resting + released, self.EC50, level(c, self.glycine), self.EC50_glycine)


@dataclass(frozen=True, eq=False)
class CoagonistFactor:
    """theta_co(D)/theta_co(rest): how much more passes NMDA receptors than while the astrocyte is silent."""

    gate: CoagonistGate

    def __post_init__(self) -> None:
        checks.kinds(self)

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) 1 while the astrocyte is silent, more under what it releases."""
        return np.asarray(1 + self.gate(c) / self.gate.at_rest(c))


@dataclass(frozen=True, eq=False)
class HillGate:
    """g_a = h(s) - h(rest) with h(s) = s^n/(K^n + s^n), of any field: Ca2+ of the process nearby, a slow signal.

    A signal below 0 counts as 0.
    """

    signal: Held  # that the synapses touch
    K: float  # half activation [unit of the signal]
    rest: float = 0.0  # of the signal, where the gate is shut; choice, opens from nothing
    n: float = 2.0  # choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "n"))

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) what the signal opens above its rest; negative below it."""
        return np.asarray(self._open(level(c, self.signal)) - self._open(self.rest))

    def _open(self, signal: Floats | float) -> Floats | float:
        part = (np.maximum(signal, 0.0) / self.K) ** self.n
        return part / (1 + part)
