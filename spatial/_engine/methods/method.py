"""What a method for one step in time must offer to the step control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

BEFORE = 1.0 - 1e-9  # a step ends just before the event on which it lands

Attempt = Callable[[float], tuple[Floats, Floats]]
"""The state after a step of a given length [s], and an estimate of its error; both (size,)."""


@dataclass(frozen=True, eq=False)
class Attempts:
    """The steps that a method may take from a state."""

    take: Attempt
    longest: float = np.inf  # s: in a longer step what grows from below what is resolved would be lost


def followed(growth: float, rate: float) -> float:
    """Return the longest step [s] that follows a growth `rate` [1/s], where `growth` is the longest at a rate of 1."""
    return growth / rate if rate > 0.0 else np.inf


class Method(Protocol):
    """A one-step method: it keeps nothing from step to step that changes the result, unless it is `Remembering`."""

    @property
    def system(self) -> System:
        """What is integrated."""
        ...

    @property
    def order(self) -> int:
        """The power of the step's length that the estimated error goes with."""
        ...

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where du/dt is `f`.

        `tolerated` is the L2 error, averaged over its place, that a step may make in each species.
        """
        ...


@runtime_checkable
class Fading(Protocol):
    """A method that can also tell what later becomes of an error."""

    def left_of(self, error: Floats, u: Floats, t: float, later: float, tolerated: Mapping[Species, float]) -> Floats:
        """(size,) at least what is left of an `error` [of the state `u` at `t`] when `later` [s] have gone by."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A method that keeps something about the problem from step to step."""

    def forget(self) -> None:
        """Keep nothing: the state or the problem has changed at once, by an event."""
        ...
