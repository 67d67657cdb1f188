"""Sealed against open cleft: a sweep over how much of the rim is open, sealed by an adhesion or by the astrocyte."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spatial import checks
from spatial.checks import by_annotation
from spatial.scenarios.cleft.settings import CleftSettings
from spatial.scenarios.parts.release_in_cleft import Release, release_in_cleft

ADHESION, ASTROCYTE = "adhesion", "astrocyte"


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    open_rim: float
    seal: str  # what closes the rest: ADHESION or ASTROCYTE
    release: Release

    def __post_init__(self) -> None:
        checks.parameters(self)

    @property
    def label(self) -> str:
        """A name for its files."""
        return f"open_{100 * self.open_rim:03.0f}_{self.seal}"


@by_annotation
def cases(settings: CleftSettings) -> Sequence[Case]:
    """Every part of the rim with both seals; a rim that is all open has none, and counts as an adhesion's."""
    found = []
    for seal, density in ((ADHESION, 0.0), (ASTROCYTE, settings.on_astrocyte)):
        for part in settings.open_rim:
            if seal == ADHESION or part < 1:
                shape = replace(settings.shape, sealed=1 - part)
                found.append(Case(part, seal, release_in_cleft(shape, replace(settings.release, on_seal=density))))
    return found
