"""Work against error of one-step methods on four problems: `python -m tests.benchmarks.integrators.study [a b c d]`.

(a) smooth reaction-diffusion with a known solution; (b) a Ca2+ channel open for 5 ms beside two buffers, then
decay; (b1) its first 5 ms with the current at one vertex, as design.md's prototype had it; (c) Ca2+ release
from the ER of a real process; (d) fifty synapses firing at 10 Hz. With `--quick` meshes and runs are small.
Writes a picture and a table for each problem into tests/benchmarks/results; tables of others stay as they are.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.chebyshev import chebyshev
from spatial._engine.methods.method import Method
from spatial._engine.methods.rosenbrock import ROS2, ROS34PW2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.units import ion_flux
from tests.benchmarks import problems
from tests.benchmarks.integrators.bdf import bdf
from tests.benchmarks.integrators.factorised import factorised
from tests.benchmarks.integrators.march import Problem, Run, Sum, difference, drift, march
from tests.benchmarks.integrators.report import Line, Steady, into_file, picture, steady_table, table
from tests.benchmarks.integrators.strang import strang
from tests.benchmarks.integrators.tr_bdf2 import TrBdf2

RESULTS = Path(__file__).parents[1] / "results"
QUICK_LIMIT, STEADY_LIMIT = 2.0, 30.0  # CPU s of a run
REFERENCE, QUICK_REFERENCE = 1e-6, 1e-3  # tolerance of the two reference runs, where they are not too long
QUICK_RUNS = 2  # of each method
SETTLED, STEADY_UNTIL, STEADY_STEPS = 2.0, 0.03, (1e-4, 3e-4, 1e-3)  # s
SHORTLY = 1e-3  # s after a spike, when glutamate is compared
STEADY_LOCAL = 1e-2  # tolerance of Strang's reactions where steps have one length
ANY = 1e6  # a relative tolerance that every step meets
WARMED = 1e-6  # s: a step that compiles what a method needs
LOCAL = 1.0  # the tolerance of Strang's reactions, as part of that of the step

Make = Callable[[System, float], Method]
"""A method for a system, given the tolerance."""


def ros2(system: System, relative: float) -> Method:
    """What the package uses."""
    return Rosenbrock(prepare(system), ROS2)


METHODS: dict[str, Make] = {
    "ROS2": ros2,
    "ROS34PW2": lambda system, relative: Rosenbrock(prepare(system), ROS34PW2),
    "ROS2, factorised": lambda system, relative: factorised(system),
    "TR-BDF2": lambda system, relative: TrBdf2(prepare(system)),
    "Strang": lambda system, relative: strang(system, LOCAL * relative),
    "Chebyshev": lambda system, relative: chebyshev(system),
}


@dataclass(frozen=True)
class Plan:
    """What is run on a problem."""

    problem: Callable[[bool], Problem]
    tolerances: tuple[float, ...]
    limit: float  # CPU s of a run
    reference: float  # tolerance of the reference runs
    judged: tuple[float, ...]  # tolerances of BDF; none where it is too slow
    referees: tuple[str, str] = ("ROS34PW2", "TR-BDF2")  # the reference, and what it is checked against

    def shortened(self) -> "Plan":
        """The same with few runs, and a reference that is soon found."""
        return replace(self, tolerances=self.tolerances[:QUICK_RUNS], judged=self.judged[:QUICK_RUNS],
                       reference=max(self.reference, QUICK_REFERENCE))


def smooth(quick: bool) -> Problem:
    """Problem (a)."""
    model, pairing = problems.manufactured(0.15 if quick else 0.07)
    return Problem("a", "(a) smooth, known solution", model, (0.013, 0.05), exact=pairing.exact)


def channel(quick: bool, spread: float = problems.SPREAD) -> Problem:
    """Problem (b), or with `spread` 0 its first 5 ms."""
    model = problems.buffered_calcium(problems.process(0.12 if quick else 0.068), spread)
    calcium, mobile, with_mobile, fixed, with_fixed = model.species
    flux = ion_flux(problems.CURRENT, 2)
    sums = (Sum({calcium: 1.0, with_mobile: 1.0, with_fixed: 1.0}, lambda t: flux * min(t, problems.OPEN)),
            Sum({mobile: 1.0, with_mobile: 1.0}), Sum({fixed: 1.0, with_fixed: 1.0}))
    if spread == 0.0:
        return Problem("b1", "(b1) channel at one vertex, first 5 ms", model, (problems.OPEN,), sums)
    return Problem("b", "(b) channel for 5 ms, then decay", model, (problems.OPEN, 0.01, problems.END), sums)


def release(quick: bool) -> Problem:
    """Problem (c)."""
    model = problems.release()
    calcium, ip3, fixed, with_fixed, store, _ = model.species
    sums = (Sum({calcium: 1.0, with_fixed: 1.0, store: 1.0}), Sum({ip3: 1.0}), Sum({fixed: 1.0, with_fixed: 1.0}))
    times = (0.05,) if quick else (0.1, 0.3, 1.0)
    return Problem("c", "(c) release from the ER of a real process", model, times, sums)


def firing(quick: bool) -> Problem:
    """Problem (d)."""
    until = 0.05 if quick else 1.0
    model, trains = problems.firing(until, side=2.0 if quick else problems.BLOCK)
    glutamate, taken, holding = model.species

    def released(t: float) -> float:
        return problems.VESICLE * sum(int((train < t).sum()) for train in trains.spikes)

    sums = (Sum({glutamate: 1.0, taken: 1.0, holding: 1.0}, released),)
    spikes = trains.times
    times = tuple(float(spikes[k]) + SHORTLY for k in (len(spikes) // 2, -1))
    return Problem("d", "(d) fifty synapses firing at 10 Hz", model, times, sums)


PLANS = {
    "a": Plan(smooth, (1e-1, 3e-2, 1e-2, 1e-3, 1e-4, 1e-5), 10.0, REFERENCE, (1e-2, 1e-3, 1e-4, 1e-5)),
    "b": Plan(channel, (1e-1, 3e-2, 1e-2, 1e-3, 1e-4), 20.0, REFERENCE, (1e-2, 1e-3, 1e-4, 1e-5)),
    "b1": Plan(partial(channel, spread=0.0), (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4), 20.0, REFERENCE,
               (1e-2, 1e-3, 1e-4, 1e-5)),
    "c": Plan(release, (1e-1, 1e-2, 1e-3), 20.0, 1e-4, ()),
    "d": Plan(firing, (3e-1, 1e-1, 3e-2, 1e-2, 3e-3), 25.0, 1e-3, (), ("Chebyshev", "ROS34PW2")),
}


def lines(plan: Plan, quick: bool) -> tuple[Problem, list[Line], str]:
    """The problem, a line for each method and tolerance, and how far its reference can be trusted."""
    plan = plan.shortened() if quick else plan
    problem, limit = plan.problem(quick), QUICK_LIMIT if quick else plan.limit
    system = assemble(problem.model)
    for make in METHODS.values():
        u, method = system.initial(), make(system, 1.0)
        allowed = dict.fromkeys(system.model, 1.0)
        method.start(u, 0.0, system.rate(u, 0.0), allowed).take(WARMED)
    reference, trust = referred(problem, system, plan)
    found = list[Line]()

    def marched(make: Make, relative: float) -> Run:
        return march(make(system, relative), problem.times, Tolerance(relative), limit)

    for name, make in METHODS.items():
        found += ladder(plan.tolerances, name, problem, system, reference, partial(marched, make))
    found += ladder(plan.judged, "SciPy BDF", problem, system, reference,
                    lambda relative: bdf(system, problem.times, relative, limit))
    return problem, found, trust


def ladder(tolerances: Sequence[float], name: str, problem: Problem, system: System,
           reference: dict[float, Floats], run: Callable[[float], Run]) -> list[Line]:
    """A line for each tolerance, until a run fails or takes too long."""
    found = list[Line]()
    for relative in tolerances:
        done = run(relative)
        error = np.nan if done.failure else difference(system, done.states, reference)
        found.append(Line(name, relative, done, error, drift(problem, system, done)))
        print(f"  {problem.name} {name} {relative:g}: {done.steps} steps, {done.seconds:.2f} s, error {error:.1e} "
              f"{done.failure or ''}", flush=True)
        if done.failure:
            break
    return found


def referred(problem: Problem, system: System, plan: Plan) -> tuple[dict[float, Floats], str]:
    """The state at each time of comparison, and how it was found."""
    if problem.exact is not None:
        states = {t: np.zeros(system.layout.size) for t in problem.times}
        for t, u in states.items():
            for species, values in problem.exact(t).items():
                system.layout.values(u, species)[:] = values
        return states, "the exact solution of the equations in space as the schemes see them"
    best, other = (march(make(system, plan.reference), problem.times, Tolerance(plan.reference), 3 * plan.limit)
                   for make in (METHODS[name] for name in plan.referees))
    for run in (best, other):
        if run.failure:
            raise InputError(f"a reference run of problem {problem.name} failed: {run.failure}")
    apart = difference(system, other.states, best.states)
    first, second = plan.referees
    return dict(best.states), f"{first} at {plan.reference:g}; {second} at the same differs by {apart:.1e}"


def steady(quick: bool) -> list[Steady]:
    """The peak [uM] of a microdomain after many steps of one length from its steady state, with each method."""
    model = problems.microdomain(problems.process(0.12 if quick else 0.09))
    system, calcium, limit = assemble(model), model.species[0], QUICK_LIMIT if quick else STEADY_LIMIT
    start = march(ros2(system, 1.0), (SETTLED,), Tolerance(1e-3))
    if start.failure:
        raise InputError(f"the steady state was not found: {start.failure}")
    settled = start.states[SETTLED]
    found = [Steady("steady state", (float(system.state(settled)[calcium].max()),) * len(STEADY_STEPS))]
    for name, make in METHODS.items():
        runs = [march(make(system, STEADY_LOCAL), (STEADY_UNTIL,), _unbounded(dt), limit, settled)
                for dt in STEADY_STEPS]
        peaks = [np.nan if run.failure else float(system.state(run.states[STEADY_UNTIL])[calcium].max())
                 for run in runs]
        found.append(Steady(name, tuple(peaks), tuple(fault for run in runs for fault in run.faults)))
        print(f"  steady {found[-1]}", flush=True)
    return found


def _unbounded(longest: float) -> Tolerance:
    """A tolerance that every step meets, which is refused to users: steps as long as `longest`, whatever they err."""
    tolerance = Tolerance(longest=longest)
    object.__setattr__(tolerance, "relative", ANY)
    return tolerance


def main(arguments: Sequence[str]) -> None:
    """Run the problems named, or all and the steady microdomain, and write what was found; end in error after faults.

    A run that takes too long is a result; one that fails, or has no reference to be compared with, is a fault.
    """
    quick = "--quick" in arguments
    chosen = [each for each in arguments if each != "--quick"]
    wrong = [each for each in chosen if each not in (*PLANS, "steady")]
    if wrong:
        raise SystemExit(f"there is no problem {wrong[0]!r}; choose among {', '.join((*PLANS, 'steady'))}")
    faults = list[str]()
    for name in chosen or (*PLANS, "steady"):
        if name == "c" and not problems.REAL.exists():
            print(f"problem c is left out: there is no {problems.REAL}")
            continue
        try:
            text, found = studied(name, quick)
        except InputError as error:
            faults.append(f"problem {name} failed: {error}")
            continue
        faults += [f"problem {name}, {fault}" for fault in found]
        print(text)
        if not quick:
            into_file(text, RESULTS / "integrators.md")
    if faults:
        raise SystemExit("\n".join(faults))


def studied(name: str, quick: bool) -> tuple[str, list[str]]:
    """The table of one problem, and what failed in it; its picture is drawn on the way."""
    if name == "steady":
        peaks = steady(quick)
        return steady_table(peaks, STEADY_STEPS), [f"{one.method}: {fault}" for one in peaks for fault in one.faults]
    problem, found, trust = lines(PLANS[name], quick)
    if not quick:
        picture(problem, found, RESULTS / f"work_precision_{name}.png")
    unknowns = assemble(problem.model).layout.size
    return table(problem, unknowns, found, trust), [f"{line.method} at {line.tolerance:g}: {fault}"
                                                    for line in found for fault in line.run.faults]


if __name__ == "__main__":
    main(sys.argv[1:])
