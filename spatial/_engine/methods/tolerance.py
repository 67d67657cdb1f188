"""What a step may err: each species against its own size, on average and anywhere."""

from dataclasses import dataclass

import numpy as np

from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError, positive
from spatial.geometry.place import Floats
from spatial.model import Species

POSSIBLE = (1e-12, 1.0)
"""Between which the relative tolerance lies: below it is rounding, above it hardly a digit is right."""

_PEAK = 5.0  # times the relative tolerance: what may be wrong at one element


@dataclass(frozen=True)
class Tolerance:
    """What a step must meet.

    The error of a species is its L2 norm over the place, relative to that of the species itself plus its
    typical size; anywhere it may be five times that, relative to the largest value, so that a
    microdomain counts however small a part of its place it is. What is estimated is the error of a companion
    of one order less; the solution kept has been measured to err ten times less on well-shaped meshes.
    A run that would take more than `most_steps` is given up as soon as that is seen.
    """

    relative: float = 2e-2
    longest: float = np.inf  # s
    shortest: float = 1e-12  # s
    most_steps: int = 1_000_000  # in a run

    def __post_init__(self) -> None:
        for name in ("relative", "longest", "shortest", "most_steps"):
            value = getattr(self, name)
            if not (name == "longest" and isinstance(value, float) and value == np.inf):
                positive(f"tolerance: {name}", value)
        least, most = POSSIBLE
        if not least <= self.relative <= most:
            raise InputError(f"tolerance: relative is {self.relative:g}; it must lie between {least:g} and {most:g}")
        if self.longest < self.shortest:
            raise InputError(f"tolerance: longest is {self.longest:g} s; it must not be below shortest, "
                             f"{self.shortest:g} s")


def tolerated(system: System, u: Floats, tolerance: Tolerance) -> dict[Species, float]:
    """The L2 error, averaged over its place, that a step may make in each species that it changes."""
    state, found = system.state(u), {}
    for species in system.changing.columns:
        found[species] = tolerance.relative * (_size(species, state[species]) + species.typical)
    return found


def errors(system: System, error: Floats, allowed: dict[Species, float]) -> dict[Species, float]:
    """The L2 error of each species over what is allowed: all below 1 for a good step."""
    wrong = system.state(error)
    return {species: _size(species, wrong[species]) / most for species, most in allowed.items()}


def peaks(system: System, error: Floats, u: Floats, tolerance: Tolerance) -> dict[Species, float]:
    """The largest error of each species that a step changes, anywhere, over what is allowed there."""
    state, wrong, found = system.state(u), system.state(error), {}
    for species in system.changing.columns:
        most = _PEAK * tolerance.relative * (float(np.abs(state[species]).max()) + species.typical)
        found[species] = float(np.abs(wrong[species]).max()) / most
    return found


def _size(species: Species, values: Floats) -> float:
    """The L2 norm of (n,) values, averaged over the species' place."""
    return float(np.sqrt(species.place.measure @ values**2 / species.place.total))
