"""The default scenario: one synapse is paired with the postsynaptic cell, and the astrocyte listens.

Spikes -> glutamate in the cleft -> spill-over to the astrocyte's receptors -> IP3 -> Ca2+ from the ER
-> vesicles of ATP and D-serine -> ATP becomes adenosine, which lowers release; D-serine gates plasticity,
at the active synapse and at its silent neighbours.
"""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import arguments, by_annotation
from spatial.geometry.open_boundary import FAR_BOUNDARY, SURROUND, surround
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.model import Held, Mechanism, Model, Species
from spatial.observe.probes import Probe, each, local, mean, over, peak, total
from spatial.scenarios.parts.astrocyte import Astrocyte, astrocyte_at_rest, clustered
from spatial.scenarios.parts.experiment import Conserved, Experiment
from spatial.scenarios.parts.extracellular import Extracellular, extracellular_at_rest
from spatial.scenarios.parts.settings import ALPHA, LAMBDA, LEDGER, SITES, SURROUND_RADIUS, SYNAPSES, Settings
from spatial.scenarios.parts.stumps import stumps
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import regular


@dataclass(frozen=True)
class SynapseStates:
    """The states of every synapse."""

    u: Species
    x: Species
    released: Species
    leaving: Species
    pre_trace: Species
    post_trace: Species
    eligibility: Species
    weight: Species

    def __post_init__(self) -> None:
        checks.kinds(self)

    @by_annotation
    def mechanisms(self, where: Place, trains: tuple[Floats, ...], post: Floats, around: Extracellular,
                   settings: Settings) -> list[Mechanism]:
        """Release under adenosine, and plasticity under D-serine."""
        release = TsodyksMarkram(where, trains, self.leaving, inhibition(around, settings), self.u, self.x,
                                 self.released)
        emptying = Emptying(where, self.leaving, around.glutamate, settings.glutamate_emptying)
        gate = CoagonistGate(held(settings.d_serine_held, around.d_serine))
        rule = ThreeFactorRule(where, trains, post, around.glutamate, gate, self.pre_trace, self.post_trace,
                               self.eligibility, self.weight, A_alone=0.1 * ThreeFactorRule.A_plus)
        return [release, emptying, rule]


@by_annotation
def inhibition(around: Extracellular, settings: Settings) -> A1Inhibition:
    """What adenosine does to release."""
    return A1Inhibition(held(settings.adenosine_held, around.adenosine))


@arguments(not_negative=("at",))
def held(at: float | None, species: Species) -> Held:
    """The number at which a field is held, or the field itself."""
    return species if at is None else at


@by_annotation
def synapses_at_rest(where: Place) -> SynapseStates:
    """All synapses rested: resource full, no trace, no change of weight."""

    def state(name: str, initial: float = 0.0, scale: float = 1.0, signed: bool = False) -> Species:
        return Species(name, where, initial, scale=scale, unit="1", signed=signed)

    return SynapseStates(
        u=state("u"), x=state("x", 1.0), released=Species("released glutamate", where, unit="uM um^3"),
        leaving=Species("glutamate in fused vesicles", where, unit="uM um^3", scale=TsodyksMarkram.resource),
        pre_trace=state("presynaptic trace"), post_trace=state("postsynaptic trace"),
        eligibility=state("eligibility", scale=0.01, signed=True),
        weight=state("weight change", scale=1e-3, signed=True))


@arguments(not_negative=("active",))
def tripartite(mesh: Mesh, synapses: Floats, settings: Settings, rng: np.random.Generator,
               active: int = 0) -> Experiment:
    """The experiment on a mesh with cytosol, er and ecs, their membranes, neuropil and a far boundary.

    `synapses` is (k, 3) um; the one called `active` fires, the others are silent. `rng` places clusters of
    IP3 receptors and release sites.
    """
    mesh = _furnished(mesh, synapses, settings, rng)
    inside, around = astrocyte_at_rest(mesh, settings), extracellular_at_rest(mesh, settings)
    states = synapses_at_rest(mesh[SYNAPSES])
    spikes = regular(settings.spikes, settings.rate, settings.first)
    trains = tuple(spikes if k == active else np.zeros(0) for k in range(len(synapses)))
    species = [*vars(inside).values(), *vars(around).values(), *vars(states).values()]
    receptors = clustered(mesh["er membrane"], settings.clusters, settings.cluster_radius, rng)
    mechanisms = [*inside.mechanisms(mesh, settings, around.glutamate, receptors),
                  *around.mechanisms(mesh, settings, inside.calcium),
                  *states.mechanisms(mesh[SYNAPSES], trains, spikes + settings.pairing, around, settings)]
    beyond = stumps(mesh, species, mechanisms, settings.stump)
    mesh, species = beyond.mesh, [*species, *beyond.species]
    conserved = beyond.with_twins(_conserved(inside, around, states, settings))
    watch = (*_watch(inside, around, states, settings),
             *(probe for one in conserved for probe in (one.probe, one.turnover)))
    film = (inside.calcium, inside.ip3, inside.store, around.glutamate, around.atp, around.adenosine, around.d_serine)
    model = Model(species, [*mechanisms, *beyond.mechanisms], left_out=() if settings.astrocyte else (Exocytosis,))
    return Experiment("tripartite", mesh, model, watch, film, conserved,
                      settings.duration, trains, {one.name: one for one in species})


def _furnished(mesh: Mesh, synapses: Floats, settings: Settings, rng: np.random.Generator) -> Mesh:
    """The mesh with synapses, release sites on the plasma membrane, tissue around it, and the ledger."""
    plasma = mesh["plasma membrane"]
    chosen = rng.choice(len(plasma), min(settings.sites, len(plasma)), replace=False,
                        p=plasma.measure / plasma.total)
    mesh = mesh.with_points(SYNAPSES, synapses, touching=["ecs"]).with_places(pool(LEDGER, [1.0]))
    mesh = mesh.with_points_on(SITES, plasma.name, chosen)
    mesh = mesh.with_places(surround(mesh[FAR_BOUNDARY], SURROUND_RADIUS, ALPHA, LAMBDA))
    mesh = mesh.touching(FAR_BOUNDARY, SURROUND, np.zeros(len(mesh[FAR_BOUNDARY]), np.int64))
    for name in ("plasma membrane", "ecs", "neuropil", FAR_BOUNDARY, SURROUND):
        mesh = mesh.touching(name, LEDGER, np.zeros(len(mesh[name]), np.int64))
    return mesh


def _watch(inside: Astrocyte, around: Extracellular, states: SynapseStates, settings: Settings) -> list[Probe]:
    """The numbers that tell the story."""
    synapses = states.weight
    probability = local("release probability", "1", synapses.place, inhibition(around, settings))
    return [mean(inside.calcium), peak(inside.calcium), mean(inside.store), mean(inside.ip3), mean(inside.receptor),
            peak(around.glutamate), mean(around.atp), total(around.atp_fused), total(around.d_serine_fused),
            *(over(field, synapses) for field in (around.glutamate, around.adenosine, around.d_serine)),
            probability, each(states.x), each(states.u), each(states.eligibility), each(states.weight)]


def _conserved(inside: Astrocyte, around: Extracellular, states: SynapseStates,
               settings: Settings) -> tuple[Conserved, ...]:
    """What the run must keep: what was released is somewhere, and what was there still is."""
    bound = (around.transporter_bound, around.transporter_inward)
    purines = (around.atp, around.adp, around.amp, around.adenosine, around.atp_beyond, around.adp_beyond,
               around.amp_beyond, around.adenosine_beyond)
    return (
        Conserved("calcium", inside.total_calcium),
        Conserved("mobile buffer", {inside.mobile: 1.0, inside.mobile_bound: 1.0}),
        Conserved("immobile buffer", {inside.immobile: 1.0, inside.immobile_bound: 1.0}),
        Conserved("transporter", {around.transporter: 1.0, **dict.fromkeys(bound, 1.0)}),
        Conserved("glutamate", {around.glutamate: 1.0, around.transporter_bound: 1.0, around.glutamate_gone: 1.0,
                                states.leaving: 1.0, states.released: -1.0}),
        Conserved("purines", {**dict.fromkeys(purines, 1.0), around.purine_gone: 1.0, around.atp_leaving: 1.0,
                              around.atp_fused: -settings.atp_vesicle}),
        Conserved("D-serine", {around.d_serine: 1.0, around.d_serine_beyond: 1.0, around.d_serine_gone: 1.0,
                               around.d_serine_leaving: 1.0, around.d_serine_fused: -settings.d_serine_vesicle}),
    )


@by_annotation
def without_release(experiment: Experiment) -> Experiment:
    """The control: the same experiment with an astrocyte that releases nothing."""
    from dataclasses import replace

    return replace(experiment, model=experiment.model.without(Exocytosis))
