"""What a scenario returns: everything a run needs and everything its pictures show."""

from collections.abc import Mapping
from dataclasses import dataclass

from spatial import checks
from spatial.checks import arguments
from spatial.geometry.place import Floats, Mesh
from spatial.model import Model, Species
from spatial.observe.probes import Probe, weighted_size, weighted_sum
from spatial.simulate import Progress


@dataclass(frozen=True)
class Conserved:
    """A quantity that a run must keep: the sum of weight times amount over some species."""

    name: str
    weights: Mapping[Species, float | Floats]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def probe(self) -> Probe:
        """The quantity's value during a run [uM um^3 where the weights are 1]."""
        return weighted_sum(f"conserved {self.name}", "uM um^3", self._amounts)

    @property
    def turnover(self) -> Probe:
        """The sum of the absolute values of its parts: what a drift is compared with."""
        return weighted_size(f"turnover {self.name}", "uM um^3", self._amounts)

    @property
    def _amounts(self) -> dict[Species, float | Floats]:
        """For each species, its weight times the measure of its place."""
        return {species: weight * species.place.measure for species, weight in self.weights.items()}


@dataclass(frozen=True)
class Experiment:
    """A model with its mesh, what to watch, what to film, and what must be conserved."""

    name: str
    mesh: Mesh
    model: Model
    watch: tuple[Probe, ...]
    film: tuple[Species, ...]
    conserved: tuple[Conserved, ...]
    duration: float  # s
    spikes: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    species: Mapping[str, Species]

    def __post_init__(self) -> None:
        checks.kinds(self)


@arguments(not_negative=("before",))
def after(before: float, progress: Progress | None) -> Progress | None:
    """What tells of a run that begins when others have simulated `before` [s], as one long run."""
    return progress and (lambda t, dt: progress(before + t, dt))
