"""Sealed against open cleft: a sweep over how much of the rim is open, sealed by an adhesion or by the astrocyte."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spatial.checks import InputError
from spatial.geometry.cleft import Cleft
from spatial.mechanisms.glutamate_transporter import DENSITY
from spatial.scenarios.release_in_cleft import Release, ReleaseSettings, release_in_cleft

ADHESION, ASTROCYTE = "adhesion", "astrocyte"


@dataclass(frozen=True)
class CleftSettings:
    """What is swept, and what stays the same: there is no collar, so that only the rim changes."""

    open_rim: tuple[float, ...] = (1.0, 0.5, 0.25, 0.1, 0.0)  # parts of the rim that are open; choice
    on_astrocyte: float = DENSITY  # transporters per area [uM um] of an astrocyte that seals the rim
    release: ReleaseSettings = field(default=ReleaseSettings())
    shape: Cleft = field(default=Cleft(coverage=0.0, resolution=1.5))

    def __post_init__(self) -> None:
        for part in self.open_rim:
            if not 0 <= part <= 1:
                raise InputError(f"CleftSettings: open_rim has {part:g}; every part must be from 0 to 1")


    @property
    def runs(self) -> int:
        """How many releases that makes."""
        return 2 * len(self.open_rim) - self.open_rim.count(1.0)


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    open_rim: float
    seal: str  # what closes the rest: ADHESION or ASTROCYTE
    release: Release

    @property
    def label(self) -> str:
        """A name for its files."""
        return f"open_{100 * self.open_rim:03.0f}_{self.seal}"


def cases(settings: CleftSettings) -> Sequence[Case]:
    """Every part of the rim with both seals; a rim that is all open has none, and counts as an adhesion's."""
    found = []
    for seal, density in ((ADHESION, 0.0), (ASTROCYTE, settings.on_astrocyte)):
        for part in settings.open_rim:
            if seal == ADHESION or part < 1:
                shape = replace(settings.shape, sealed=1 - part)
                found.append(Case(part, seal, release_in_cleft(shape, replace(settings.release, on_seal=density))))
    return found
