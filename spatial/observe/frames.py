"""What keeps whole fields during a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spatial import checks
from spatial.checks import InputError, by_annotation
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Species


class Frames(Protocol):
    """Something that keeps whole fields, such as a file for ParaView."""

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the concentrations at time `t` [s]."""
        ...


class Highest:
    """Frames that keep one field: that of the frame where its mean, or else its contrast, is highest."""

    def __init__(self, species: Species, of_mean: bool = False) -> None:
        place = species.place
        self.species, self.time, self.values = species, 0.0, np.zeros(len(place))
        self._weight, self._of_mean = place.measure / place.total, of_mean
        self._highest = -np.inf

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the field at time `t` [s] if it is the highest so far."""
        values = c[self.species]
        mean = float(self._weight @ values)
        height = mean if self._of_mean else float(values.max()) - mean
        if height > self._highest:
            self._highest, self.time, self.values = height, t, np.array(values)

    @by_annotation
    def label(self, name: str = "") -> str:
        """What the field is and when, to write beside a colour bar."""
        return f"{name or self.species.name} at {self.time:.2f} s [{self.species.unit}]"


class Film:
    """Frames that keep one field at every frame, in single precision, for analysis after the run."""

    def __init__(self, species: Species) -> None:
        self.species = species
        self._times: list[float] = []
        self._values: list[np.ndarray] = []

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the field at time `t` [s]."""
        self._times.append(t)
        self._values.append(np.asarray(c[self.species], np.float32))

    @property
    def times(self) -> Floats:
        """(k,) s."""
        return np.array(self._times)

    @property
    def values(self) -> np.ndarray:
        """(k, n) the field at each time; raises `InputError` if it saw none."""
        if not self._values:
            raise InputError(f"the film of {self.species.name!r} has no frame; give simulate its frame_times")
        return np.stack(self._values)


@dataclass(frozen=True)
class Only:
    """Other frames, at some of the times only."""

    times: frozenset[float]
    frames: Frames

    def __post_init__(self) -> None:
        checks.kinds(self)

    @classmethod
    @by_annotation
    def at(cls, times: Iterable[float], frames: Frames) -> "Only":
        """The frames at these times [s] alone."""
        return cls(frozenset(float(one) for one in times), frames)

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the concentrations if `t` [s] is one of the times."""
        if t in self.times:
            self.frames.write(t, c)


@dataclass(frozen=True)
class Together:
    """Several frames as one."""

    frames: Sequence[Frames]

    def __post_init__(self) -> None:
        checks.kinds(self)

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the concentrations at time `t` [s] in each of them."""
        for each in self.frames:
            each.write(t, c)
