"""What opens the gate of plasticity: the astrocyte's factor g_a, read from the fields at a synapse."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Held, Species, level
from spatial.synapses.receptors import EC50_D_SERINE, EC50_GLYCINE, coagonist_occupancy
from spatial.units import uM


class Gate(Protocol):
    """A factor at every synapse: zero while the astrocyte is silent."""

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) the factor at the concentrations around each synapse."""
        ...


@dataclass(frozen=True, eq=False)
class CoagonistGate:
    """g_a = theta_co(D) - theta_co(rest): the NMDA receptors' co-agonist site, above its resting occupancy."""

    d_serine: Held  # ECS, above its resting level
    resting: float = 1.3 * uM  # gives theta_co = 0.5 at rest; choice, range of theta_co 0.4-0.6, M
    EC50: float = EC50_D_SERINE
    glycine: Held = 0.0 * uM  # ECS; choice, none
    EC50_glycine: float = EC50_GLYCINE

    def __post_init__(self) -> None:
        checks.parameters(self)
        for name in ("EC50", "EC50_glycine"):
            checks.positive(f"CoagonistGate: {name}", getattr(self, name))

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) the occupancy above rest; glycine takes sites in both."""
        glycine, rest = level(c, self.glycine), self.resting
        now, then = (coagonist_occupancy(d_serine, self.EC50, glycine, self.EC50_glycine)
                     for d_serine in (rest + level(c, self.d_serine), rest))
        return now - then


@dataclass(frozen=True, eq=False)
class HillGate:
    """g_a = h(s) - h(rest) with h(s) = s^n/(K^n + s^n), of any field: Ca2+ of the process nearby, a slow signal."""

    signal: Species  # that the synapses touch
    K: float  # half activation [unit of the signal]
    rest: float = 0.0  # of the signal, where the gate is shut
    n: float = 2.0  # choice

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.positive("HillGate: K", self.K)

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) what the signal opens above its rest; negative below it."""
        return np.asarray(self._open(c[self.signal]) - self._open(self.rest))

    def _open(self, signal: Floats | float) -> Floats | float:
        part = (signal / self.K) ** self.n
        return part / (1 + part)
