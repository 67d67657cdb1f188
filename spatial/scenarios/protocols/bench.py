"""Where the protocols of plasticity are run: a thin process in neuropil, a synapse that fires and others that do not.

The model is that of the tripartite scenario, with a process in a few slices, so that a run takes seconds. A synapse
whose neuron fires at other times, or whose receptors are blocked, is one more reading of the same run: what the
postsynaptic cell does has no effect on the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from spatial import checks
from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import arguments, by_annotation
from spatial.geometry.bricks import graded_grid
from spatial.geometry.open_boundary import outer_faces
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import BRICKS, MOST_ELEMENTS, check_length
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.store import with_store
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.mechanisms.clearance import Passage
from spatial.mechanisms.ip3r import LiRinzel
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import Probe, each, local, over, peak, total
from spatial.observe.recording import Recording
from spatial.scenarios.parts.experiment import Experiment
from spatial.scenarios.parts.settings import ALPHA, LAMBDA, SYNAPSES, Settings
from spatial.scenarios.tripartite.model import tripartite
from spatial.simulate import Progress, simulate
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.release import TsodyksMarkram
from spatial.synapses.spikes import check_trains
from spatial.units import ms, nm, s, um

ACTIVE, PROBED = 0, 1  # the synapse that is stimulated, and a silent one that test pulses look at
D_SERINE, ADENOSINE, PROBABILITY = "D-serine at synapses", "adenosine at synapses", "release probability"
CALCIUM, RELEASED, SLOW = "peak calcium", "released glutamate", "slow adenosine"
_WEIGHT = "weight change"
_EVERY = 10 * ms  # between the values kept, at least
_TOLERANCE = Tolerance(4e-2)  # the highest Ca2+ is 0.7 % too low then; seeds differ by far more
ATP_FUSED, D_SERINE_FUSED = "total fused ATP vesicles", "total fused D-serine vesicles"


@dataclass(frozen=True)
class Bench:
    """The block of tissue, the process in it and the synapses around."""

    spacing: float = 10 * um  # the block's side; where all tissue does the same, from process to process; choice
    even: float = 0.5 * um  # bricks around the active synapse, at the origin, are even as far as this; choice
    brick: float = 250 * nm  # choice
    rows: int = 3  # of growing bricks beyond, on each side; choice
    root: float = 0.2 * um  # of the process, which runs along +x; choice
    length: float = 1.5 * um  # of the process; choice
    radius: float = 0.12 * um  # of the process; shafts are 0.1-0.25 um across, biophysics A15
    slice: float = 250 * nm  # choice
    synapses: tuple[tuple[float, float, float], ...] = (
        (0, 0, 0), (-1, 0, 0), (0.4, 0.4, 0), (1.2, -0.6, 0.3), (0, 2, 0), (0, 0, -3))  # um; choice
    most_elements: float = MOST_ELEMENTS  # bricks, of which more are refused

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("even", "brick", "length", "radius", "slice"))
        if not self.even < self.spacing / 2:
            raise checks.InputError(f"Bench: even is {self.even:g} um; it must be less than half the spacing, "
                                    f"{self.spacing / 2:g} um")


@dataclass(frozen=True)
class Reading:
    """One way to read a run: when the neuron fires, and what its synapses' receptors see."""

    post: Floats  # postsynaptic spikes [s]
    d_serine_held: float | None = None  # above rest [uM]; 0 blocks what the astrocyte adds

    def __post_init__(self) -> None:
        checks.parameters(self)
        check_trains((self.post,), 1, "neuron")


@dataclass(frozen=True)
class Case:
    """What is done in one run."""

    trains: tuple[Floats, ...]  # presynaptic spikes of each synapse [s]
    duration: float  # s
    readings: Mapping[str, Reading] = field(default_factory=dict)
    settings: Settings = field(default=Settings())
    bench: Bench = field(default=Bench())
    clamped: bool = False  # the process's IP3 receptors are blocked: its Ca2+ stays at rest
    everywhere: bool = False  # the same happens every `spacing`, chance included: nothing leaves the block on balance
    slow: float = 60 * s  # time constant of the slow signal; default of SlowSignal

    def __post_init__(self) -> None:
        checks.parameters(self)


@dataclass(frozen=True)
class Observed:
    """What a run showed."""

    case: Case
    experiment: Experiment
    recording: Recording

    def __post_init__(self) -> None:
        checks.kinds(self)

    @by_annotation
    def weights(self, reading: str) -> Floats:
        """(k,) weight change of every synapse at the end."""
        return np.array(self.recording[f"{_WEIGHT}, {reading}"][-1])

    @property
    def distance(self) -> Floats:
        """(k,) of each synapse from the active one [um]."""
        centres = self.experiment.mesh[SYNAPSES].centres
        return np.asarray(np.linalg.norm(centres - centres[ACTIVE], axis=1))


@arguments(not_negative=("seed",))
def observe(case: Case, seed: int = 0, progress: Progress | None = None) -> Observed:
    """Run a case. Equal seeds place release sites and receptors alike; which vesicles fuse is drawn anew."""
    experiment = prepared(case, np.random.default_rng([seed, 1]))
    recording = simulate(experiment.model, case.duration, experiment.watch, _EVERY, seed, _TOLERANCE,
                         progress=progress, at_events=True)
    return Observed(case, experiment, recording)


@by_annotation
def prepared(case: Case, rng: np.random.Generator) -> Experiment:
    """The tripartite experiment on the bench, with the trains and readings of the case."""
    experiment = tripartite(furnished(case.bench), np.array(case.bench.synapses, float), case.settings, rng)
    rule = next(one for one in experiment.model.mechanisms if isinstance(one, ThreeFactorRule))
    rules = [_read(rule, name, reading, case.trains) for name, reading in case.readings.items()]
    signal = Species(SLOW, rule.where, scale=0.01)
    species = [one for one in experiment.model if one not in _traces(rule)]
    species += [signal, *(one for another in rules for one in _traces(another))]
    acting = [_fired(one, case.trains) for one in experiment.model.mechanisms if _acts(one, case)]
    slow = SlowSignal(rule.where, experiment.species["adenosine"], signal, case.slow)
    blocked = {type(one) for one in experiment.model.mechanisms if one is not rule and not _acts(one, case)}
    model = Model(species, [*acting, *rules, slow], left_out=(*experiment.model.left_out, *blocked))
    return replace(experiment, model=model, watch=(*_watch(experiment), each(signal), *(each(r.weight) for r in rules)),
                   duration=case.duration, spikes=case.trains, species={one.name: one for one in species})


@by_annotation
def furnished(bench: Bench) -> Mesh:
    """The mesh: bricks of ECS, and in slices the process, with an ER throughout, its membrane touching the bricks."""
    half = bench.spacing / 2
    beyond = bench.even * (half / bench.even) ** (np.arange(1, bench.rows + 1) / bench.rows)
    check_length("the bench", "brick", bench.brick, lambda width: (2 * (bench.even / width + bench.rows)) ** 3,
                 BRICKS, bench.most_elements)
    within = np.linspace(-bench.even, bench.even, max(1, round(2 * bench.even / bench.brick)) + 1)
    edges = [np.concatenate([-beyond[::-1], within, beyond])] * 3
    ecs = graded_grid("ecs", edges, ALPHA, LAMBDA, bench.most_elements)
    ends = np.array([(bench.root, 0.0, 0.0), (bench.root + bench.length, 0.0, 0.0)])
    process = with_store(sliced(Tree(ends, np.array([-1, 0]), np.full(2, bench.radius)), bench.slice,
                                bench.most_elements))
    neuropil = Place("neuropil", 3, ecs.measure, ecs.centres, touches={"ecs": np.arange(len(ecs))})
    mesh = process.with_places(ecs, neuropil, outer_faces(ecs, edges))
    return mesh.touching(PLASMA_MEMBRANE, "ecs", ecs.nearest(process[PLASMA_MEMBRANE].centres))


def _acts(mechanism: Mechanism, case: Case) -> bool:
    """Whether a mechanism of the tripartite scenario takes part; its one rule of plasticity is replaced."""
    left_out = (ThreeFactorRule, *[LiRinzel] * case.clamped, *[Passage] * case.everywhere)
    return not isinstance(mechanism, left_out)


def _fired(mechanism: Mechanism, trains: tuple[Floats, ...]) -> Mechanism:
    """The mechanism, with these trains if it is release."""
    return replace(mechanism, trains=trains) if isinstance(mechanism, TsodyksMarkram) else mechanism


def _read(rule: ThreeFactorRule, name: str, reading: Reading, trains: tuple[Floats, ...]) -> ThreeFactorRule:
    """The rule for one reading, with states of its own."""
    def own(species: Species) -> Species:
        return replace(species, name=f"{species.name}, {name}")

    gate = rule.gate if reading.d_serine_held is None else CoagonistGate(reading.d_serine_held)
    return replace(rule, trains=trains, post=reading.post, gate=gate, pre_trace=own(rule.pre_trace),
                   post_trace=own(rule.post_trace), eligibility=own(rule.eligibility), weight=own(rule.weight))


def _traces(rule: ThreeFactorRule) -> tuple[Species, ...]:
    return rule.pre_trace, rule.post_trace, rule.eligibility, rule.weight


def _watch(experiment: Experiment) -> tuple[Probe, ...]:
    """What the protocols read of fields and release, and what must be conserved."""
    of, where = experiment.species, experiment.mesh[SYNAPSES]
    release = next(one for one in experiment.model.mechanisms if isinstance(one, TsodyksMarkram))
    return (peak(of["calcium"]), over(of["D-serine"], release.x), over(of["adenosine"], release.x),
            local(PROBABILITY, "1", where, release.probability), each(release.released),
            total(of["fused ATP vesicles"]), total(of["fused D-serine vesicles"]),
            *(probe for one in experiment.conserved for probe in (one.probe, one.turnover)))
