"""A run that other processes can import, and mechanisms and terms of the kinds that users write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from toy_mechanisms import Decay, Exchange, Source, Spikes

from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.model import Concentrations, Model, Species
from spatial.observe.probes import (
    Probe,
    at,
    at_elements,
    each,
    local,
    mean,
    mean_around,
    over,
    peak,
    total,
    weighted_size,
    weighted_sum,
)
from spatial.observe.recording import Recording
from spatial.simulate import simulate


def made_mesh() -> Mesh:
    """A bar of ten bricks, a pool, a membrane between them at every other brick, and two synapses."""
    bar = grid("bar", (0, 0, 0), (1.0, 0.1, 0.1), 0.1)
    every_other = np.arange(0, len(bar), 2)
    touches = {"bar": every_other, "pool": np.zeros(len(every_other), np.int64)}
    membrane = Place("membrane", 2, np.full(len(every_other), 0.01), bar.centres[every_other], touches=touches)
    mesh = Mesh.of(bar, pool("pool", [0.02]), membrane)
    return mesh.with_points("synapses", [(0.15, 0.05, 0.05), (0.75, 0.05, 0.05)], touching=["bar"])


def made_model(mesh: Mesh, k: float = 3.0, D: float = 0.5) -> Model:
    """Diffusion, passage, decay, an uneven source, and spikes."""
    calcium = Species("calcium", mesh["bar"], np.linspace(0.1, 1.0, len(mesh["bar"])), D=D)
    stored = Species("stored", mesh["pool"], 2.0)
    weight = Species("weight", mesh["synapses"], 0.5, signed=True, unit="1")
    uneven = np.linspace(0.0, 1.0, len(mesh["bar"]))
    return Model([calcium, stored, weight], [
        Exchange(mesh["membrane"], calcium, stored, 0.2), Decay(mesh["bar"], calcium, k),
        Source(mesh["bar"], calcium, uneven), Spikes(mesh["synapses"], weight, np.array([0.01, 0.02]), -0.2)])


def made_probes(model: Model) -> tuple[Probe, ...]:
    """A probe of every kind."""
    calcium, stored, weight = model.species
    bar, membrane = calcium.place, model.mechanisms[0].where
    amounts = {calcium: bar.measure, stored: -stored.place.measure}
    return (mean(calcium), peak(calcium), total(stored), each(weight), at(calcium, [(0.0, 0.0, 0.0)]),
            over(calcium, weight), local("around", "uM", membrane, Around(calcium)),
            at_elements(calcium, [3, 1], "chosen"), mean_around(calcium, membrane),
            weighted_sum("sum", "uM um^3", amounts), weighted_size("size", "uM um^3", amounts))


@dataclass(frozen=True)
class Around:
    """The concentration around."""

    species: Species

    def __call__(self, c: Concentrations) -> Floats:
        return 2.0 * c[self.species]


def run(k: float) -> Recording:
    """A short run of the model made anew."""
    model = made_model(made_mesh(), k)
    return simulate(model, 0.03, made_probes(model), seed=1)


def run_of(model: Model, probes: tuple[Probe, ...]) -> Recording:
    """A short run of a model that was sent."""
    return simulate(model, 0.03, probes, seed=1)


@dataclass(frozen=True, eq=False)
class Gated:
    """A gain times what a gate gives; `more` may hold anything."""

    where: Place
    species: Species
    gate: Any
    more: Any = field(default=None)

    def rates(self, c: Concentrations, t: float) -> Mapping[Species, Any]:
        return {self.species: self.gate(c)}


@dataclass(frozen=True, eq=False)
class Half:
    """Half of what another gate gives."""

    inner: Callable[[Concentrations], Any]

    def __call__(self, c: Concentrations) -> Any:
        return 0.5 * self.inner(c)


def steady(c: Concentrations) -> float:
    """A gate that is always open."""
    return 1.0
