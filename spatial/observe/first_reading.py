"""The first reading of probes: what they look at."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Species
from spatial.observe.probes import Probe
from spatial.view import reading


def species_watched(probes: Iterable[Probe], state: Concentrations) -> set[Species]:
    """Return the species that probes read in the first state of a run.

    Raises `InputError`, naming the probe, for one that fails.
    """
    seen = _Seen(state)
    for probe in probes:
        name = f"probe {probe.name!r}"
        try:
            reading(name, probe.read, seen)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{name} fails in the first state: {type(error).__name__}: {error}") from error
    return seen.species


@dataclass(frozen=True)
class _Seen:
    """A state that notes which species are looked at."""

    state: Concentrations
    species: set[Species] = field(default_factory=set)

    def __getitem__(self, species: Species) -> Floats:
        self.species.add(species)
        return self.state[species]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.state, name)
