"""What the scenario `cleft` can vary."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.cleft import Cleft
from spatial.mechanisms.glutamate_transporter import DENSITY
from spatial.scenarios.parts.release_in_cleft import ReleaseSettings


@dataclass(frozen=True)
class CleftSettings:
    """What is swept, and what stays the same: there is no collar, so that only the rim changes."""

    open_rim: tuple[float, ...] = (1.0, 0.5, 0.25, 0.1, 0.0)  # parts of the rim that are open; choice
    on_astrocyte: float = DENSITY  # transporters per area [uM um] of an astrocyte that seals the rim
    release: ReleaseSettings = field(default=ReleaseSettings())
    shape: Cleft = field(default=Cleft(coverage=0.0, resolution=1.5))

    def __post_init__(self) -> None:
        checks.parameters(self)
        for part in self.open_rim:
            if not 0 <= part <= 1:
                raise InputError(f"CleftSettings: open_rim has {part:g}; every part must be from 0 to 1")

    @property
    def runs(self) -> int:
        """How many releases that makes."""
        return 2 * len(self.open_rim) - self.open_rim.count(1.0)
