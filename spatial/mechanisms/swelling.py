"""Mechanisms in volumes that change: cells that swell, and an extracellular space that shrinks."""

from collections.abc import Mapping
from dataclasses import dataclass

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Event, Gains, Mechanism, Species, adapted, events_of


@dataclass(frozen=True, eq=False)
class Swollen:
    """A mechanism that sees the concentrations in volumes as they are, not as they were at rest.

    Where volumes change, a species is the amount per volume at rest: whatever moves it, or takes water from around it,
    no amount is lost. Its concentration is that over the relative volume, a species that `volumes` gives for each.
    Wrap every mechanism that looks at one of them.
    Diffusion evens out amounts per volume at rest: let there be one relative volume for all that diffuses together.
    """

    mechanism: Mechanism
    volumes: Mapping[Species, Species]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def where(self) -> Place:
        """The place the mechanism acts in."""
        return self.mechanism.where

    def rates(self, c: Concentrations, t: float) -> Gains:
        """What the mechanism gains, in amounts."""
        return self.mechanism.rates(self._concentrated(c), t)

    @property
    def events(self) -> tuple[Event, ...]:
        """The mechanism's events, which see concentrations too."""
        return tuple(adapted(event, view=self._concentrated) for event in events_of(self.mechanism))

    def _concentrated(self, c: Concentrations) -> Concentrations:
        return _Concentrated(c, self.volumes)


@dataclass(frozen=True)
class _Concentrated:
    """Amounts per volume at rest, over the relative volume."""

    c: Concentrations
    volumes: Mapping[Species, Species]

    def __getitem__(self, species: Species) -> Floats:
        amount = self.c[species]
        return amount / self.c[self.volumes[species]] if species in self.volumes else amount
