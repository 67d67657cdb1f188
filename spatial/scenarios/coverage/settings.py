"""What the scenario `coverage` can vary."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.checks import InputError
from spatial.geometry.cleft import Cleft
from spatial.scenarios.parts.release_in_cleft import ReleaseSettings


@dataclass(frozen=True)
class CoverageSettings:
    """What is swept, and what stays the same."""

    coverage: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # parts of the perimeter; choice
    release: ReleaseSettings = field(default=ReleaseSettings())
    shape: Cleft = field(default=Cleft(resolution=1.5))

    def __post_init__(self) -> None:
        checks.kinds(self)
        for part in self.coverage:
            if not 0 <= part <= 1:
                raise InputError(f"CoverageSettings: coverage has {part:g}; every part must be from 0 to 1")


    @property
    def runs(self) -> int:
        """How many releases that makes."""
        return len(self.coverage)
