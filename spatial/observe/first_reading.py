"""The first reading of probes: what they look at, and that they read numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Species
from spatial.observe.probes import Probe
from spatial.view import reading


def species_watched(probes: Iterable[Probe], state: Concentrations) -> set[Species]:
    """Return the species that probes read in the first state of a run.

    Raises `InputError`, naming the probe, for one that fails or that reads no numbers.
    """
    seen = _Seen(state)
    for probe in probes:
        name = f"probe {probe.name!r}"
        try:
            value = reading(name, probe.read, seen)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{name} fails in the first state: {type(error).__name__}: {error}") from error
        _check_numbers(name, value)
    return seen.species


@dataclass(frozen=True)
class _Seen:
    """A state that notes which species are looked at."""

    state: Concentrations
    species: set[Species] = field(default_factory=set)

    def __getitem__(self, species: Species) -> Floats:
        self.species.add(species)
        return self.state[species]


def _check_numbers(name: str, value: object) -> None:
    """Raise `InputError` unless what a probe reads is one number or a row of them."""
    try:
        values = np.asarray(value)
    except ValueError:
        values = np.array(None)
    if values.dtype.kind not in "fiub" or values.ndim > 1:
        raise InputError(f"{name} reads {type(value).__name__} of shape {values.shape}; it must return a number, or an "
                         "array of numbers of shape (k,)")
