"""What the scenario `spread` can vary."""

from dataclasses import dataclass

from spatial import checks
from spatial.analysis.spread import SYNAPSES
from spatial.checks import InputError
from spatial.units import ms, um


@dataclass(frozen=True)
class SpreadSettings:
    """How much is released, what clears it, and what counts as heard."""

    vesicles: float = 1.0  # emptied together; need not be whole: the amount over that of one
    clearance: float = 1.0  # times the rates of all enzymes and carriers
    threshold: float = 0.1  # effect from which a receptor counts as hearing: 10 %; choice
    frames: int = 241  # evenly spaced in the logarithm of time
    first_frame: float = 0.01 * ms
    volume_fraction: float = 0.2  # Nicholson & Phillips 1981
    tortuosity: float = 1.6  # Nicholson & Phillips 1981
    density: float = SYNAPSES
    draws: int = 200  # neighbourhoods of random synapses
    separations: tuple[float, ...] = (0.5 * um, 1 * um, 2 * um, 4 * um)  # of two sources
    amounts: tuple[float, ...] = (1, 4, 16, 64, 256, 1024)  # of the sweep, times the vesicles
    clearances: tuple[float, ...] = (0.25, 1, 4)  # of the sweep, times the clearance

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=(
            "vesicles", "clearance", "threshold", "first_frame", "volume_fraction", "tortuosity"))
        for name in ("separations", "amounts", "clearances"):
            checks.number(f"SpreadSettings: {name}", getattr(self, name))
        if self.threshold >= 1:
            raise InputError(f"SpreadSettings: threshold is {self.threshold:g}; it must be a part, below 1")

    @property
    def sweep(self) -> list[tuple[float, float]]:
        """Factors on vesicles and clearance, but those that leave both as they are."""
        return [(amount, faster) for amount in self.amounts for faster in self.clearances if (amount, faster) != (1, 1)]
