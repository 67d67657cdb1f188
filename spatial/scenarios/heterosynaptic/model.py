"""The heterosynaptic experiment: one synapse after the other fires, and what changes at every other is recorded.

Each run is the tripartite scenario. What the astrocyte's adenosine does to release (p) and what its D-serine does to
weights (w) are told apart by blocking one of them. Runs of one seed have the same clusters of IP3 receptors, the same
release sites and the same chances of their vesicles, whichever synapse fires and whatever is blocked: what a block
does is a difference between pairs of runs.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from spatial import checks
from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError, arguments, by_annotation, fraction, shaped
from spatial.geometry.grid import ThroughTheCell
from spatial.geometry.load import load
from spatial.geometry.place import Floats, Mesh
from spatial.mechanisms.drawn_exocytosis import DrawnExocytosis, Waits, draw_waits
from spatial.mechanisms.exocytosis import Exocytosis
from spatial.model import Mechanism, Model, Species
from spatial.observe.recording import Recording
from spatial.scenarios.heterosynaptic.settings import BLOCKS, FEWEST, INTACT, HeterosynapticSettings
from spatial.scenarios.parts.experiment import Experiment
from spatial.scenarios.parts.neighbourhood import Neighbourhood, neighbourhood
from spatial.scenarios.parts.report import drifts
from spatial.scenarios.parts.settings import SITES, SYNAPSES
from spatial.scenarios.parts.sliced_process import coverage, sliced_neighbourhood, to_process
from spatial.scenarios.tripartite.model import tripartite
from spatial.simulate import simulate
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.units import ms

WEIGHT, RELEASE, D_SERINE, ADENOSINE = ("weight change", "release probability", "D-serine at synapses",
                                        "adenosine at synapses")
EVERY = 5 * ms  # between the values kept of a run, at least
_FRAMES = 61  # times at which runs are compared

Told = Callable[[float], None]
"""Called with the simulated time [s] so far whenever a run is done."""


@dataclass(frozen=True, eq=False)
class Run:
    """What one run showed, at the times at which all are compared."""

    block: str
    seed: int
    active: int  # the synapse that fired
    values: Mapping[str, Floats]  # by name: (times, k) of every synapse
    vesicles: Mapping[str, float]  # fused by the end
    calcium: float  # highest mean Ca2+ of the process [uM]
    drift: float  # the largest of what is conserved, over its turnover
    smallest: float  # concentration
    recording: Recording | None  # the whole, where it was asked for

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True, eq=False)
class Heterosynaptic:
    """All runs: arrays have the axes block, seed, firing synapse j, listening synapse i, and at last time if any."""

    settings: HeterosynapticSettings
    mesh: Mesh
    synapses: Floats  # (k, 3) um
    times: Floats  # (t,) s
    runs: tuple[Run, ...]  # block after block, seed after seed

    def __post_init__(self) -> None:
        checks.kinds(self)

    @by_annotation
    def over_time(self, name: str) -> Floats:
        """(blocks, seeds, k, k, t) of a probe of every synapse."""
        shape, k = (len(self.settings.blocks), self.settings.seeds), len(self.synapses)
        values = np.stack([run.values[name] for run in self.runs]).reshape(*shape, k, len(self.times), k)
        return np.moveaxis(values, 3, 4)

    @property
    def dw(self) -> Floats:
        """(blocks, seeds, k, k) change of each weight by the end of a run."""
        return np.array(self.over_time(WEIGHT)[..., -1])

    @property
    def p_over_time(self) -> Floats:
        """(blocks, seeds, k, k, t) change of release probability, relative to that at the start."""
        p = self.over_time(RELEASE)
        return np.asarray(p / p[..., :1] - 1)

    @property
    def dp(self) -> Floats:
        """(blocks, seeds, k, k) largest change of release probability in a run, relative."""
        return _largest(self.p_over_time)

    @property
    def dp_final(self) -> Floats:
        """(blocks, seeds, k, k) change of release probability by the end of a run, relative."""
        return np.array(self.p_over_time[..., -1])

    @property
    def dtheta(self) -> Floats:
        """(blocks, seeds, k, k) largest change of the co-agonist's occupancy of NMDA receptors in the ECS as it is."""
        d_serine = Species("D-serine", self.mesh[SYNAPSES])
        return _largest(CoagonistGate(d_serine)({d_serine: self.over_time(D_SERINE)}))

    @property
    def distances(self) -> Floats:
        """(k, k) um from synapse to synapse."""
        return np.asarray(np.linalg.norm(self.synapses[:, None] - self.synapses[None], axis=2))

    @property
    def coverage(self) -> Floats:
        """(k,) area of astrocyte membrane around each synapse, per volume [1/um]."""
        return coverage(self.mesh, self.synapses)

    @property
    def to_process(self) -> Floats:
        """(k,) um from each synapse to the process."""
        return to_process(self.mesh, self.synapses)

    @by_annotation
    def block(self, name: str) -> int:
        """Where a block is on the first axis."""
        return self.settings.blocks.index(name)


def _largest(values: Floats) -> Floats:
    """The value farthest from 0 along the last axis."""
    at = np.abs(values).argmax(axis=-1)
    return np.asarray(np.take_along_axis(values, at[..., None], axis=-1)[..., 0])


@by_annotation
def place_of(settings: HeterosynapticSettings) -> Neighbourhood:
    """The process and its synapses, the same every time."""
    rng = np.random.default_rng(settings.arrangement)
    if settings.mesh is None:
        return sliced_neighbourhood(settings.process, settings.synapses, rng)
    tetrahedra = load(settings.mesh, settings.unit, settings.names, cut=settings.cut,
                      most_elements=settings.most_elements)
    found = neighbourhood(tetrahedra, rng, settings.most_elements)
    if len(found.synapses) < settings.synapses:
        raise InputError(f"around this mesh there are {len(found.synapses)} synapses; {settings.synapses} are wanted")
    return Neighbourhood(found.mesh, found.synapses[:settings.synapses])


@by_annotation
def place_again(settings: HeterosynapticSettings) -> Neighbourhood:
    """The same place, without what `place_of` has warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThroughTheCell)
        return place_of(settings)


@arguments(not_negative=("seed", "active"))
def case(place: Neighbourhood, settings: HeterosynapticSettings, block: str, seed: int, active: int) -> Experiment:
    """One run's experiment."""
    changed = replace(settings.tripartite, **BLOCKS[block])
    found = tripartite(place.mesh, place.synapses, changed, np.random.default_rng([seed, 0]), active)
    rng, slots = np.random.default_rng([seed, 1]), len(found.mesh[SITES])
    return drawn(found, [draw_waits(slots, changed.duration, rng) for _ in range(2)])


@by_annotation
def drawn(experiment: Experiment, waits: Sequence[Waits]) -> Experiment:
    """The experiment with vesicles whose chances are drawn beforehand: waits for each kind, in their order."""
    species, mechanisms, left = list(experiment.model), list[Mechanism](), iter(waits)
    for one in experiment.model.mechanisms:
        if not isinstance(one, Exocytosis):
            mechanisms.append(one)
            continue
        waiting = next(left)
        clock = Species(f"wait of {one.docked.name}", one.where, waiting.values[:, 0], scale=1.0, unit="1", signed=True)
        species.append(clock)
        mechanisms.append(DrawnExocytosis(one.where, one.calcium, one.docked, one.fused, clock, one.transmitter,
                                          one.content, waiting, one.r_max, one.K, one.n, one.refill))
    return replace(experiment, model=Model(species, mechanisms, left_out=experiment.model.left_out))


@dataclass(frozen=True)
class _Task:
    """All blocks of one seed and one firing synapse."""

    settings: HeterosynapticSettings
    seed: int
    active: int
    keep: bool  # the whole recording of the first block


@by_annotation
def heterosynaptic(settings: HeterosynapticSettings, jobs: int = 1, told: Told | None = None) -> Heterosynaptic:
    """Every synapse fires in turn, for each seed and block, in `jobs` processes, on which results do not depend."""
    checks.positive("number of jobs", jobs)
    place = place_of(settings)
    tasks = [_Task(settings, seed, active, (seed, active) == (0, 0))
             for seed in range(settings.seeds) for active in range(len(place.synapses))]
    found, simulated = list[Run](), 0.0
    for runs in _done(tasks, jobs):
        found.extend(runs)
        simulated += len(runs) * settings.tripartite.duration
        if told:
            told(simulated)
    order = {name: k for k, name in enumerate(settings.blocks)}
    found.sort(key=lambda run: (order[run.block], run.seed, run.active))
    mesh = place.mesh.with_points(SYNAPSES, place.synapses, touching=["ecs"])
    return Heterosynaptic(settings, mesh, place.synapses, frames(settings), tuple(found))


def _done(tasks: Sequence[_Task], jobs: int) -> Iterator[list[Run]]:
    """The runs of each task, in order."""
    if jobs == 1:
        yield from map(_runs, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn")) as pool:
        yield from pool.map(_runs, tasks)


def _runs(task: _Task) -> list[Run]:
    """Compute a task; its geometry is made anew, which is quick beside a run and needs no copy of it."""
    place = place_again(task.settings)
    return [run(place, task.settings, block, task.seed, task.active, task.keep and block == INTACT)
            for block in task.settings.blocks]


@by_annotation
def frames(settings: HeterosynapticSettings) -> Floats:
    """(t,) times at which runs are compared [s]."""
    return np.linspace(0.0, settings.tripartite.duration, _FRAMES)


@arguments(not_negative=("seed", "active"))
def run(place: Neighbourhood, settings: HeterosynapticSettings, block: str, seed: int, active: int,
        keep: bool = False) -> Run:
    """One run."""
    experiment = case(place, settings, block, seed, active)
    recording = simulate(experiment.model, experiment.duration, experiment.watch, every=EVERY, seed=seed,
                         tolerance=Tolerance(settings.tolerance), at_events=True,
                         most_unknowns=settings.most_unknowns)
    times = frames(settings)
    values = {name: np.stack([np.interp(times, recording.times, column) for column in recording.series[name].values.T],
                             axis=1) for name in (WEIGHT, RELEASE, D_SERINE, ADENOSINE)}
    vesicles = {kind: float(recording[f"total fused {kind} vesicles"][-1]) for kind in ("ATP", "D-serine")}
    return Run(block, seed, active, values, vesicles, float(recording["mean calcium"].max()),
               max(drifts(experiment, recording).values()), float(recording.provenance["smallest concentration"]),
               recording if keep else None)


@dataclass(frozen=True, eq=False)
class Band:
    """The mean over seeds, and half the width of its 95 % t-interval; nan where a single seed tells no width."""

    mean: Floats
    half: Floats

    def __post_init__(self) -> None:
        checks.kinds(self)


@arguments(may_be_nan=("values",))
def band(values: Floats, level: float = 0.95) -> Band:
    """Of (seeds, ...) values."""
    fraction("band: level", level)
    n = len(values)
    if n < FEWEST:
        return Band(values[0], np.full(values.shape[1:], np.nan))
    return Band(values.mean(axis=0), student.ppf((1 + level) / 2, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n))


@by_annotation
def silent(found: Heterosynaptic) -> NDArray[np.bool_]:
    """(k, k) where the listening synapse is not the one that fires."""
    return ~np.eye(len(found.synapses), dtype=bool)


@arguments(may_be_nan=("values", "x"))
def binned(values: Floats, x: Floats, edges: Floats) -> tuple[Floats, Band]:
    """Middles of bins of (k, k) or other `x`, and the band of (seeds, same shape) values in each that has any.

    Values are averaged in a bin for each seed before the interval over seeds is taken.
    """
    shaped("binned: edges", edges, ("k",))
    shaped("binned: values", values, ("seeds", *np.shape(x)), "one of each seed for each x")
    inside = [(x >= low) & (x < high) for low, high in pairwise(edges)]
    used = [one for one in inside if one.any()]
    means = np.stack([values[:, one].mean(axis=1) for one in used], axis=1)
    return np.array([x[one].mean() for one in used]), band(means)
