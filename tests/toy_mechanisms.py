"""Mechanisms so simple that what they do is known without running them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial.geometry.place import Floats, Place
from spatial.model import AtTimes, EachStep, Event, Species


@dataclass(frozen=True)
class Source:
    """A constant gain per measure of where it acts, of any sign: an influx on a membrane, a drain at a point."""

    where: Place
    species: Species
    gain: float | Floats

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.gain}


@dataclass(frozen=True)
class Exchange:
    """Passage through a membrane, both ways."""

    where: Place
    one: Species
    other: Species
    permeability: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        flux = self.permeability * (c[self.one] - c[self.other])
        return {self.one: -flux, self.other: flux}


@dataclass(frozen=True)
class Decay:
    where: Place
    species: Species
    k: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: -self.k * c[self.species]}


@dataclass(frozen=True, eq=False)
class Spikes:
    """A gain of `dose` at each instant, and nothing between."""

    where: Place
    species: Species
    times: Floats
    dose: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        takes = (self.species,) if self.dose < 0 else ()
        return (AtTimes(self.times, (self.species,), takes, lambda c, t, rng: {self.species: self.dose}),)


@dataclass(frozen=True)
class Minis:
    """Quanta of one, released at random."""

    where: Place
    species: Species
    frequency: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        return (EachStep((self.species,), change=self.draw),)

    def draw(self, c: Any, t: float, dt: float, rng: np.random.Generator) -> dict[Species, Any]:
        return {self.species: rng.poisson(self.frequency * dt, len(self.where)).astype(float)}


@dataclass(frozen=True, eq=False)
class Logistic:
    """c' = k c (1 - c): from a trace to 1."""

    where: Place
    c: Species
    k: float | Floats

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        values = c[self.c]
        return {self.c: self.k * values * (1 - values)}
