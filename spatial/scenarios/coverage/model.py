"""Astrocyte coverage 0-100 %: how much of the synapse's perimeter a process covers, and what its neighbours hear."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spatial import checks
from spatial.checks import by_annotation
from spatial.scenarios.coverage.settings import CoverageSettings
from spatial.scenarios.parts.release_in_cleft import Release, release_in_cleft


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    coverage: float
    release: Release

    def __post_init__(self) -> None:
        checks.parameters(self)

    @property
    def label(self) -> str:
        """A name for its files."""
        return f"coverage_{100 * self.coverage:03.0f}"


@by_annotation
def cases(settings: CoverageSettings) -> Sequence[Case]:
    """A release for every coverage."""
    return [Case(part, release_in_cleft(replace(settings.shape, coverage=part), settings.release))
            for part in settings.coverage]
