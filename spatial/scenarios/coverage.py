"""Astrocyte coverage 0-100 %: how much of the synapse's perimeter a process covers, and what its neighbours hear."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spatial.checks import InputError
from spatial.geometry.cleft import Cleft
from spatial.scenarios.release_in_cleft import Release, ReleaseSettings, release_in_cleft


@dataclass(frozen=True)
class CoverageSettings:
    """What is swept, and what stays the same."""

    coverage: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # parts of the perimeter; choice
    release: ReleaseSettings = field(default=ReleaseSettings())
    shape: Cleft = field(default=Cleft(resolution=1.5))

    def __post_init__(self) -> None:
        for part in self.coverage:
            if not 0 <= part <= 1:
                raise InputError(f"CoverageSettings: coverage has {part:g}; every part must be from 0 to 1")


    @property
    def runs(self) -> int:
        """How many releases that makes."""
        return len(self.coverage)


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    coverage: float
    release: Release

    @property
    def label(self) -> str:
        """A name for its files."""
        return f"coverage_{100 * self.coverage:03.0f}"


def cases(settings: CoverageSettings) -> Sequence[Case]:
    """A release for every coverage."""
    return [Case(part, release_in_cleft(replace(settings.shape, coverage=part), settings.release))
            for part in settings.coverage]
