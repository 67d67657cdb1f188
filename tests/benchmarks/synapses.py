"""What thousands of synapses cost beside the fields they are in: `python -m tests.benchmarks.synapses [--quick]`.

With OPENBLAS_NUM_THREADS=1: threads that wait in busy loops would be counted.
Homogenised neuropil with five fields, and synapses at random in it that fire Poisson trains of 5 Hz: as a
`Population` that exchanges with the fields once a window, against the same fields fed with the same amounts by no
synapse at all; and against mechanisms that end a step on every spike. The tables go to
tests/benchmarks/results/synapses.md.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.stepper import Continuous
from spatial._engine.system.assembly import assemble
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.model import AtTimes, Concentrations, Event, Gains, Model, Species, events_of
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses.plasticity.gates import HillGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.population import Population
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import poisson
from spatial.units import Hz, molecule, ms, s, uM, um2

RESULTS = Path(__file__).parent / "results" / "synapses.md"
RATE, DENSITY = 5 * Hz, 1.69  # of each train; synapses per um^3 of CA1 neuropil (Rusakov & Kullmann 1998)
WINDOW, WINDOWS = 1 * ms, 20
ON_A_NEURON = 50  # synapses


class Tissue:
    """A cube of neuropil in `bricks`^3 bricks, large enough for `room` synapses, with `count` of them."""

    def __init__(self, count: int, until: float, bricks: int, room: int = 5000) -> None:
        rng, side = np.random.default_rng(0), (room / DENSITY) ** (1 / 3)
        ecs = grid("ecs", [0.0] * 3, [side] * 3, side / bricks, 0.2, 1.6)
        edge = 0.51 * side / bricks  # positions lie between the middles of bricks
        mesh = Mesh.of(ecs).with_points("synapses", rng.uniform(edge, side - edge, (count, 3)), touching=["ecs"])
        self.until, self.where, ecs = until, mesh["synapses"], mesh["ecs"]
        self.fields = {name: Species(name, ecs, D=D * um2 / s, scale=0.1 * uM) for name, D in {
            "glutamate": 760.0, "ATP": 400.0, "adenosine": 700.0, "D-serine": 700.0, "cleared": 0.0}.items()}
        vesicle = 4 * 3000 * molecule
        self.vesicles = Species("vesicles", self.where, scale=vesicle)
        self.released = Species("released", self.where, scale=vesicle)
        u, x = Species("u", self.where, scale=1.0), Species("x", self.where, 1.0)
        pre, after = (Species(name, self.where, scale=1.0) for name in ("pre", "post"))
        eligibility, self.weight = (Species(name, self.where, signed=True, scale=0.01)
                                    for name in ("eligibility", "weight"))
        self.states = [u, x, self.released, pre, after, eligibility, self.weight]
        trains = tuple(poisson(RATE, until, rng) for _ in range(count))
        neurons = max(1, count // ON_A_NEURON)
        self.post, self.neuron = tuple(poisson(RATE, until, rng) for _ in range(neurons)), np.arange(count) % neurons
        self.release = TsodyksMarkram(self.where, trains, self.vesicles, A1Inhibition(self.fields["adenosine"]), u, x,
                                      self.released)
        self.rule = ThreeFactorRule(self.where, trains, np.zeros(0), self.fields["glutamate"],
                                    HillGate(self.fields["D-serine"], 0.1 * uM), pre, after, eligibility, self.weight)

    @property
    def around(self) -> list[Any]:
        """What goes on in the fields: stand-ins for uptake, and for what astrocytes and enzymes make of it."""
        of, ecs = self.fields, self.fields["ATP"].place
        ways = [("glutamate", "cleared", 200), ("glutamate", "ATP", 50), ("glutamate", "D-serine", 50),
                ("ATP", "adenosine", 20), ("adenosine", "cleared", 2), ("D-serine", "cleared", 2)]
        return [Emptying(self.where, self.vesicles, of["glutamate"]),
                *(Conversion(ecs, of[one], of[other], rate / s) for one, other, rate in ways)]

    def population(self, window: float = WINDOW) -> Population:
        """Its synapses as a population."""
        return Population(self.release, (self.rule,), window, self.until, self.post, self.neuron)

    def model(self, *synapses: Any, remembered: Sequence[Species] = ()) -> Model:
        """Its fields and its synapses' states, with these mechanisms for synapses."""
        return Model([*self.fields.values(), self.vesicles, *self.states, *remembered], [*synapses, *self.around])


@dataclass(frozen=True, eq=False)
class Fed:
    """Amounts put into vesicles at known times: what a population let out, without the population."""

    where: Place
    vesicles: Species
    times: Floats
    amounts: list[Floats]  # as they become known

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        return (AtTimes(self.times, (self.vesicles,), (self.vesicles,), self.deposit),)

    def deposit(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        return {self.vesicles: self.amounts[int(np.searchsorted(self.times, t))]}


@dataclass(frozen=True, eq=False)
class Watched:
    """A population whose deposits and time are noted."""

    population: Population
    amounts: list[Floats]
    seconds: list[float]

    @property
    def where(self) -> Place:
        return self.population.where

    @property
    def events(self) -> tuple[Event, ...]:
        exchange, = (event for event in events_of(self.population) if isinstance(event, AtTimes))
        return (replace(exchange, change=self.timed),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {}

    def timed(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        began = time.process_time()
        gains = self.population.exchange(c, t, rng)
        self.seconds.append(time.process_time() - began)
        self.amounts.append(gains[self.population.release.glutamate])
        return gains


def timed(model: Model, until: float, watch: Sequence[Species] = (), relative: float = 2e-2) -> tuple[float, Recording]:
    """The CPU seconds of a run, and the run."""
    began = time.process_time()
    run = simulate(model, until, [each(one) for one in watch], every=until, tolerance=Tolerance(relative),
                   engine="implicit")
    return time.process_time() - began, run


def march(model: Model) -> Continuous:
    """A run under way that goes on by hand."""
    system = assemble(model)
    return Continuous(Rosenbrock(prepare(system), ROS2), system.initial(), Tolerance(), np.random.default_rng(0))


def window_of(run: Continuous, stop: float) -> float:
    """The CPU seconds of a run from where it is to `stop`, with what happens then."""
    began = time.process_time()
    while run.t < stop:
        run.onward(stop)
    run.at_instant()
    return time.process_time() - began


def cost(count: int, windows: int, bricks: int) -> list[str]:
    """A row: what synapses cost beside the same fields without them, and what of that is their own exchange.

    Both go on window by window in turns, so that other work on the machine meets both alike.
    """
    tissue = Tissue(count, windows * WINDOW, bricks)
    watched = Watched(tissue.population(), [], [])
    together = march(tissue.model(watched, remembered=watched.population.species))
    edges = watched.population.instants
    fed = Fed(tissue.where, tissue.vesicles, edges, watched.amounts)
    alone = march(Model([*tissue.fields.values(), tissue.vesicles], [fed, *tissue.around]))
    seconds = np.array([[window_of(run, stop) for run in (together, alone)] for stop in edges])[1:]
    own = np.array(watched.seconds)[1:]
    spikes = sum(len(train) for train in (*tissue.release.trains, *tissue.post))
    low, middle, high = np.quantile(seconds[:, 0] / seconds[:, 1] - 1, [0.25, 0.5, 0.75])
    return [str(count), str(spikes), str(alone.system.layout.size), str(together.system.layout.size),
            f"{alone.counted['steps']}, {together.counted['steps']}", f"{np.median(seconds[:, 1]):.3f}",
            f"{np.median(seconds[:, 0]):.3f}", f"{middle:.1%} ({low:.1%} to {high:.1%})",
            f"{np.median(own / seconds[:, 1]):.1%}"]


def equal_error(count: int, until: float, bricks: int) -> list[list[str]]:
    """Rows: windows, and steps that land on every spike, against tight steps that do; all synapses on one neuron."""
    tissue, post = Tissue(count, until, bricks, room=count), np.array([0.3, 0.7]) * until
    rule = replace(tissue.rule, post=post)
    watch = [tissue.fields["adenosine"], tissue.released, tissue.weight]
    landing = tissue.model(tissue.release, rule)
    _, exact = timed(landing, until, watch, 1e-3)

    def row(name: str, model: Model, relative: float) -> list[str]:
        seconds, run = timed(model, until, watch, relative)
        errors = [np.linalg.norm(run[one.name][-1] - exact[one.name][-1]) / np.linalg.norm(exact[one.name][-1])
                  for one in watch]
        return [name, f"{relative:g}", *(f"{error:.1e}" for error in errors), str(run.provenance["steps"]),
                f"{seconds:.1f}"]

    rows = []
    for window in (2 * ms, 1 * ms, 0.5 * ms, 0.25 * ms):
        population = Population(tissue.release, (rule,), window, until, (post,))
        model = tissue.model(population, remembered=population.species)
        rows.append(row(f"windows of {window / ms:g} ms", model, 2e-2))
    return rows + [row("a step ends on every spike", landing, relative) for relative in (1e-1, 2e-2)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write the tables unless `--quick`."""
    quick = "--quick" in arguments
    sizes = [(200, 8)] if quick else [(1000, 24), (2000, 24), (5000, 24), (5000, 32)]
    costs = [cost(count, WINDOWS, bricks) for count, bricks in sizes]
    errors = equal_error(200, 10 * ms, 8) if quick else equal_error(5000, 10 * ms, 12)
    text = "\n\n".join(["# Synapses", _READING, "## Cost", _COST, table(
        ["synapses", "spikes", "unknowns of the fields", "with synapses", "steps of each", "fields, CPU s a window",
         "with synapses", "more", "of that in exchanges"], costs),
        "## Error", _ERROR, table(["", "relative tolerance", "adenosine", "released", "weight", "steps", "CPU s"],
                                  errors),
        f"{os.cpu_count()} cores, load when done {os.getloadavg()[0]:.1f}."]) + "\n"
    print(text)
    if not quick:
        RESULTS.write_text(text)


_READING = """What thousands of synapses cost beside the fields they are in, by `python -m tests.benchmarks.synapses`.

- The exchange itself, with all that synapses do at spikes and between, takes up to one per cent. The rest is what it
  costs to carry their states along through the steps of the fields: it grows with the synapses, and is a smaller part
  of larger fields. With 5000 synapses in fields of 74 000 unknowns it is close to a tenth.
- Windows of the time constant of emptying, here 1 ms, err by less than half a per cent in what is released and in the
  fields, four times less when halved; by 2 % in weights, two to three times less when halved. Steps that land on every
  spike are far more exact, and cannot be fewer than there are spikes."""
_COST = (f"{WINDOWS} windows of 1 ms in neuropil with room for 5000 synapses, in 24 x 24 x 24 or 32 x 32 x 32 bricks: "
         "five fields, and trains of 5 Hz. Beside it, window by window in turns, the same fields fed with the same "
         "amounts by no synapse. Median over the windows, and quartiles.")
_ERROR = ("5000 synapses for 10 ms in 12 x 12 x 12 bricks; 5 Hz each, two postsynaptic spikes. L2 error at the end, "
          "relative, against landing on every spike at a relative tolerance of 1e-3.")

if __name__ == "__main__":
    main(sys.argv[1:])
