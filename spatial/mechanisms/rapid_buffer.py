"""Rapid buffers without equations: Ca2+ that moves and changes as if bound to them in equilibrium.

Buffers that bind within microseconds make small changes of free Ca2+ slower by 1 + kappa, and let it
spread with a mixture of its own D and theirs (Wagner & Keizer 1994; Neher & Augustine 1992). With

    buffers = RapidBuffers(0.1 * uM, [RapidBuffer(total=450 * uM, K=10 * uM)])
    calcium = Species("calcium", cytosol, buffers.calcium, D=buffers.effective_D(220))
    Model([calcium, ...], [buffers.slowed(mechanism, calcium) for mechanism in mechanisms])

the buffers need no species and no small steps. What a membrane passes is divided for the cytosol alone, so
that (1 + kappa) times free Ca2+ in the cytosol plus Ca2+ elsewhere is conserved. See `RapidBuffers.validity`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.place import Place
from spatial.model import Concentrations, Event, Gains, Mechanism, Species, adapted, events_of
from spatial.units import ms, nm, s, uM

SOON = 0.1  # the part of the time of interest that binding may take
LENGTHS = 3.0  # the distance of interest must be this many lengths over which Ca2+ is free


@dataclass(frozen=True)
class RapidBuffer:
    """A buffer that binds one Ca2+; the defaults are those of `Buffer` (biophysics A1)."""

    total: float  # uM, free and bound
    K: float = 10 * uM  # dissociation constant; ASTRO cadifus.mod
    D: float = 0.0  # um^2/s; 0 stays where it is
    kon: float = 1000 / (uM * s)  # endogenous; ASTRO cadifus.mod

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("total", "K", "kon"))

    @arguments(not_negative=("calcium",))
    def free(self, calcium: float) -> float:
        """Free buffer in equilibrium with Ca2+ [uM]."""
        return self.total * self.K / (calcium + self.K)

    @arguments(not_negative=("calcium",))
    def bound(self, calcium: float) -> float:
        """Bound buffer in equilibrium with Ca2+ [uM]."""
        return self.total * calcium / (calcium + self.K)

    @arguments(not_negative=("calcium",))
    def capacity(self, calcium: float) -> float:
        """The change of bound buffer per small change of free Ca2+, kappa, at this Ca2+ [uM]."""
        return self.total * self.K / (calcium + self.K) ** 2

    @arguments(not_negative=("calcium",))
    def time(self, calcium: float) -> float:
        """How long binding takes to come into equilibrium at constant Ca2+ [s]."""
        return 1 / (self.kon * (calcium + self.K))

    @arguments(not_negative=("calcium", "D"))
    def length(self, calcium: float, D: float) -> float:
        """How far Ca2+ of diffusion coefficient `D` goes [um] before it is bound."""
        return float(np.sqrt(D / (self.kon * self.free(calcium))))

    def __str__(self) -> str:
        return f"the buffer of {self.total:g} uM with K = {self.K:g} uM"


@dataclass(frozen=True)
class RapidBuffers:
    """Buffers in equilibrium with Ca2+, for small changes around a resting value."""

    calcium: float  # uM, at rest
    buffers: tuple[RapidBuffer, ...]

    def __init__(self, calcium: float, buffers: Iterable[RapidBuffer]) -> None:
        object.__setattr__(self, "calcium", calcium)
        object.__setattr__(self, "buffers", checks.listed("RapidBuffers: buffers", buffers,
                                                            "[RapidBuffer(100 * uM), ...]"))
        checks.parameters(self)
        if not self.buffers:
            raise InputError("RapidBuffers has no buffer; give one at least, or leave the reduction away")

    @property
    def capacity(self) -> float:
        """The capacity kappa of all buffers at rest."""
        return sum(buffer.capacity(self.calcium) for buffer in self.buffers)

    @property
    def factor(self) -> float:
        """The factor 1 / (1 + kappa) by which every flux of Ca2+ moves free Ca2+ less."""
        return 1 / (1 + self.capacity)

    @arguments(not_negative=("D",))
    def effective_D(self, D: float) -> float:
        """The diffusion coefficient [um^2/s] of small changes of Ca2+, from that of free Ca2+."""
        carried = sum(buffer.D * buffer.capacity(self.calcium) for buffer in self.buffers)
        return (D + carried) * self.factor

    @by_annotation
    def slowed(self, mechanism: Mechanism, calcium: Species) -> Mechanism:
        """The mechanism with its gain of this Ca2+, that of the buffers' place, divided by 1 + kappa."""
        return Slowed(mechanism, calcium, self.factor)

    @arguments(not_negative=("peak", "time", "distance", "D", "change"))
    def validity(self, peak: float, time: float, distance: float = np.inf, D: float = 220.0,
                 change: float = 0.1) -> "Validity":
        """Whether the reduction holds for Ca2+ up to `peak` [uM], times [s] and distances [um] of interest.

        It needs buffers that bind within a tenth of `time`, Ca2+ of diffusion coefficient `D` that is bound
        within a third of `distance` from its source, and a capacity that changes by `change` at most.
        """
        for name, value in {"peak": peak, "time": time, "D": D, "change": change}.items():
            checks.positive(f"validity: {name}", value)
        changes = abs(sum(buffer.capacity(peak) for buffer in self.buffers) / self.capacity - 1)
        warnings = [*self._slow(time, distance, D)]
        if changes > change:
            warnings.append(f"Ca2+ from {self.calcium:g} to {peak:g} uM changes the buffers' capacity by "
                            f"{100 * changes:.3g} %, more than {100 * change:.3g} %: give the buffers as species")
        return Validity(changes, max(each.time(self.calcium) for each in self.buffers),
                        max(each.length(self.calcium, D) for each in self.buffers), tuple(warnings))

    def _slow(self, time: float, distance: float, D: float) -> Iterator[str]:
        """What is wrong with buffers that bind too late, or too far away."""
        for buffer in self.buffers:
            takes, goes = buffer.time(self.calcium), buffer.length(self.calcium, D)
            if takes > SOON * time:
                yield (f"{buffer} binds within {takes / ms:.3g} ms, which is not much less than the time of "
                       f"interest, {time / ms:.3g} ms: give it as species")
            if goes * LENGTHS > distance:
                yield (f"Ca2+ goes {goes / nm:.3g} nm before {buffer} binds it, which is not much less than the "
                       f"distance of interest, {distance / nm:.3g} nm: give it as species")


@dataclass(frozen=True)
class Validity:
    """How well the reduction holds, in numbers, and a sentence for each thing that is wrong."""

    change: float  # of the capacity between rest and peak, as a part of that at rest
    time: float  # s, the slowest buffer's
    length: float  # um, the slowest buffer's
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.warnings

    def check(self) -> None:
        """Raise `InputError` with all that is wrong."""
        if self.warnings:
            raise InputError(f"rapid buffering does not hold: {'; '.join(self.warnings)}")


@dataclass(frozen=True, eq=False)
class Slowed:
    """A mechanism that moves one Ca2+ less by a factor, as with buffers that bind at once; see `RapidBuffers`."""

    mechanism: Mechanism
    calcium: Species
    factor: float

    def __post_init__(self) -> None:
        checks.parameters(self)

    @property
    def where(self) -> Place:
        """Where the mechanism acts."""
        return self.mechanism.where

    def rates(self, c: Concentrations, t: float) -> Gains:
        """The mechanism's rates, less for Ca2+."""
        return self.less(self.mechanism.rates(c, t))

    @property
    def events(self) -> tuple[Event, ...]:
        """The mechanism's events, each with less for Ca2+."""
        return tuple(adapted(event, gains=self.less) for event in events_of(self.mechanism))

    def less(self, gains: Gains) -> Gains:
        """Gains with less for Ca2+."""
        return {species: self.factor * gain if species is self.calcium else gain for species, gain in gains.items()}
