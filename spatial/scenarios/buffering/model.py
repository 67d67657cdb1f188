"""Spatial buffering: K+ enters the astrocytes of a slab where it is high, and leaves them where it is low.

ECS and syncytium are homogenised and overlap slice by slice, with the membrane between them (Halnes 2013). Neurons at
one end let K+ out for Na+. All ions diffuse and drift in both: the current that enters the cells with K+ flows along
them, leaves elsewhere, and returns outside. Where cells are not coupled, no ion passes inside from slice to slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from spatial import checks
from spatial._engine.methods.electrolyte import Capacitor, Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import by_annotation
from spatial.geometry.bricks import graded_grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import BRICKS, check_size
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.model import Concentrations, Mechanism, Model, Species
from spatial.observe.probes import Probe, each
from spatial.observe.recording import Recording
from spatial.scenarios.buffering.settings import BufferingSettings
from spatial.scenarios.parts.experiment import Conserved, Experiment
from spatial.scenarios.parts.glial_membrane import Ions
from spatial.scenarios.parts.potassium_tissue import (
    ASTROCYTE,
    CHARGE,
    CL_OUT,
    D_CL,
    D_K,
    D_NA,
    K_OUT,
    NA_OUT,
    POTENTIAL,
    TEMPERATURE,
    charge,
    gains,
    potentials,
)
from spatial.scenarios.parts.settings import ALPHA, LAMBDA, LEDGER
from spatial.simulate import Progress, simulate
from spatial.synapses.steady_release import SteadyRelease
from spatial.units import mM

CONTROL, NO_KIR, UNCOUPLED, NO_ASTROCYTE = "control", "Kir4.1 knock-out", "cells uncoupled", "no astrocyte"
POTASSIUM, K_CURRENT, CURRENT, V = "K+", "K+ current", "membrane current", "V"
MEMBRANE, _ACTIVE = "astrocyte membrane", "active zone"
_TOLERANCE = Tolerance(1e-4)


@dataclass(frozen=True)
class Slab:
    """The experiment, and what it was made from."""

    settings: BufferingSettings
    experiment: Experiment
    electrolyte: Electrolyte

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def x(self) -> Floats:
        """(n,) middles of the slices [um]."""
        return np.array(self.experiment.mesh["ecs"].centres[:, 0])


@dataclass(frozen=True)
class Observed:
    """What a slab showed."""

    slab: Slab
    recording: Recording

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def end(self) -> int:
        """Which of the recording's times is the end of the input."""
        return int(np.searchsorted(self.recording.times, self.slab.settings.stop))


@by_annotation
def cases(settings: BufferingSettings) -> dict[str, BufferingSettings]:
    """The slab as it is, without Kir4.1, without currents from cell to cell, and without astrocytes."""
    return {CONTROL: settings, NO_KIR: replace(settings, astrocytes=replace(settings.astrocytes, kir=False)),
            UNCOUPLED: replace(settings, coupled=False), NO_ASTROCYTE: replace(settings, with_astrocytes=False)}


@by_annotation
def slab(settings: BufferingSettings) -> Slab:
    """The experiment."""
    mesh, astrocytes = furnished(settings), settings.astrocytes
    outside = [Species(name, mesh["ecs"], initial, D=D) for name, initial, D in (
        (POTASSIUM, K_OUT, D_K), ("Na+", NA_OUT, D_NA), ("Cl-", CL_OUT, D_CL))]
    inside = astrocytes.ions_at_rest(mesh[ASTROCYTE], moving=settings.coupled)
    potential = Species(V, mesh[POTENTIAL], astrocytes.V, unit="mV", signed=True)
    neurons = [Species(f"{ion} of neurons", mesh[LEDGER], scale=1 * mM * mesh["ecs"].total, signed=True)
               for ion in (POTASSIUM, "Na+")]
    membrane = astrocytes.membrane(mesh[MEMBRANE], Ions(
        outside[0], inside[0], outside[1], inside[1], outside[2], inside[2], potential))
    exchange: list[Mechanism] = [
        PotassiumUptake(mesh[MEMBRANE], outside[0], neurons[0], outside[1], neurons[1], rest=K_OUT),
        SteadyRelease(mesh[_ACTIVE], outside[0], neurons[0], outside[1], neurons[1], settings.entering, settings.start,
                      settings.stop)]
    cells = (*inside, potential) if settings.with_astrocytes else ()
    acting = membrane if settings.with_astrocytes else []
    conserved = (*(Conserved(ion, dict.fromkeys((out, *cells[k:k + 1], *ledger), 1.0)) for k, (ion, out, ledger) in
                   enumerate(zip((POTASSIUM, "Na+", "Cl-"), outside, (neurons[:1], neurons[1:], []), strict=True))),
                 *([Conserved("charge inside", charge(inside, potential)),
                    Conserved("charge outside", charge(outside, potential, -1))] if cells else []))
    species = (*outside, *cells, *neurons)
    watch = (*map(each, (*outside, *cells)), *_currents(acting, outside[0], potential),
             *(probe for one in conserved for probe in (one.probe, one.turnover)))
    charges = dict(zip((*outside, *inside), (1, 1, -1) * 2, strict=True)) if cells else dict(
        zip(outside, (1, 1, -1), strict=True))
    held = (Capacitor(potential, mesh[MEMBRANE], ASTROCYTE, "ecs"),) if cells else ()
    return Slab(settings, Experiment("buffering", mesh, Model(species, [*acting, *exchange]), watch, (outside[0],),
                                     conserved, settings.duration, (), {one.name: one for one in species}),
                Electrolyte(charges, held, TEMPERATURE))


@by_annotation
def furnished(settings: BufferingSettings) -> Mesh:
    """The slab, 1 um^2 in section: ECS, astrocytes and their potentials, the membrane, its active part, a ledger."""
    n, astrocytes = settings.slices, settings.astrocytes
    check_size("the slab", n, BRICKS, settings.most_elements, "take a shorter one, or thicker slices")
    edges = [np.linspace(0.0, settings.length, n + 1), np.array([0.0, 1.0]), np.array([0.0, 1.0])]
    ecs = graded_grid("ecs", edges, ALPHA, LAMBDA, settings.most_elements)
    cells = graded_grid(ASTROCYTE, edges, astrocytes.fraction, astrocytes.tortuosity, settings.most_elements)
    if not settings.coupled:
        cells = replace(cells, links=cells.links[:0], transmissibility=cells.transmissibility[:0])
    here = np.arange(n)
    active = np.flatnonzero(ecs.centres[:, 0] < settings.active * settings.length)
    touches = {"ecs": here, ASTROCYTE: here, POTENTIAL: here, LEDGER: np.zeros(n, np.int64)}
    membrane = Place(MEMBRANE, 2, astrocytes.area * ecs.measure / ALPHA, ecs.centres, touches=touches)
    return Mesh.of(ecs, cells, pool(LEDGER, [1.0]), membrane, potentials(membrane.measure, ecs.centres),
                   Place(_ACTIVE, 2, membrane.measure[active], ecs.centres[active],
                         touches={other: index[active] for other, index in touches.items()}))


def _currents(membrane: list[Mechanism], potassium: Species, potential: Species) -> tuple[Probe, ...]:
    """Outward currents through the membrane [pA/um^2] by slice: that of K+, and all."""
    acting = tuple(membrane)
    return (Probe(K_CURRENT, "pA/um^2", partial(_through, acting, potassium, CHARGE)),
            Probe(CURRENT, "pA/um^2", partial(_through, acting, potential, -1.0)))


def _through(membrane: Sequence[Mechanism], of: Species, per: float, c: Concentrations) -> Floats:
    """(n,) gain of a species by all mechanisms of a membrane over what there is of it `per` pA."""
    found = np.zeros(len(of.place))
    for one in membrane:
        found += gains(c, one).get(of, 0.0) / per
    return found


@by_annotation
def along(observed: Observed) -> Floats:
    """(n + 1,) current along the cells at the slices' edges at the end of the input [pA]: as much returns outside.

    It is what has entered on the way through the membrane; what charges it is less than 0.1 % of that by then.
    """
    through = observed.recording[CURRENT][observed.end] * observed.slab.experiment.mesh[MEMBRANE].measure
    return np.r_[0.0, -np.cumsum(through)]


@by_annotation
def observe(one: Slab, progress: Progress | None = None) -> Observed:
    """Run the experiment."""
    experiment = one.experiment
    return Observed(one, simulate(experiment.model, experiment.duration, experiment.watch, tolerance=_TOLERANCE,
                                  progress=progress, electrolyte=one.electrolyte))


@by_annotation
def findings(observed: Observed) -> dict[str, float]:
    """What a slab came to at the end of the input, in numbers, each named with its unit."""
    recording, settings, k = observed.recording, observed.slab.settings, observed.end
    K = (recording[POTASSIUM][k] - recording[POTASSIUM][0]) / mM
    found = {"length [um]": settings.length, "rise of K+ at x = 0 [mM]": K[0], "rise of K+ at the far end [mM]": K[-1]}
    if settings.with_astrocytes:
        mesh, potential = observed.slab.experiment.mesh, recording[V][k]
        current = (recording[K_CURRENT][k] - recording[K_CURRENT][0]) * mesh[MEMBRANE].measure
        entering = settings.entering * mesh[_ACTIVE].total / CHARGE / 100
        found |= {
            "V at x = 0 [mV]": potential[0], "V at the far end [mV]": potential[-1],
            "K+ into astrocytes, of what enters [%]": np.maximum(-current, 0.0).sum() / entering,
            "K+ out of them elsewhere, of what enters [%]": np.maximum(current, 0.0).sum() / entering,
            "largest current along the cells, of what enters [%]": np.abs(along(observed)).max() / entering}
    return {name: float(value) for name, value in found.items()}
