"""Tables and pictures of the study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.integrators.march import Problem, Run

MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Line:
    """One method at one tolerance on one problem."""

    method: str
    tolerance: float
    run: Run
    error: float  # nan where the run did not end
    drift: float


@dataclass(frozen=True)
class Steady:
    """The steady peaks [uM] that one method finds, by length of step."""

    method: str
    peaks: tuple[float, ...]  # nan where a run did not end
    faults: tuple[str, ...] = ()  # of its runs


def table(problem: Problem, unknowns: int, lines: Sequence[Line], trust: str) -> str:
    """The lines of one problem as Markdown."""
    until = problem.times[-1]
    rows = [f"## {problem.title}", "",
            f"{unknowns} unknowns, {until:g} s; compared at {', '.join(f'{t:g}' for t in problem.times)} s. "
            f"Reference: {trust}.", "",
            "| method | tolerance | steps | rejected | CPU s | error | smallest concentration | drift |",
            "|---|---|---|---|---|---|---|---|"]
    for line in lines:
        run = line.run
        error = str(run.failure or f"{line.error:.1e}")
        rejected = "" if run.rejected is None else str(run.rejected)
        kept = f"{line.drift:.0e}" if problem.sums and run.states else "–"
        rows.append(f"| {line.method} | {line.tolerance:g} | {run.steps} | {rejected} | {run.seconds:.2f} | {error} | "
                    f"{run.smallest:.2g} | {kept} |")
    return "\n".join(rows) + "\n"


def steady_table(found: Sequence[Steady], steps: Sequence[float]) -> str:
    """The peaks as Markdown; the first of `found` is the steady state itself."""
    rows = ["## Steady peak of a microdomain, fixed steps", "",
            "Free Ca2+ [uM] at the mouth of a channel that stays open, after steps of one length from the steady "
            "state, whatever their error. Shift: the largest, relative to the steady state.", "",
            f"| method | {' | '.join(f'dt {dt:g} s' for dt in steps)} | shift |", "|---" * (len(steps) + 2) + "|"]
    for one in found:
        shift = max(abs(peak / found[0].peaks[0] - 1.0) for peak in one.peaks)
        rows.append(f"| {one.method} | {' | '.join(f'{peak:.5g}' for peak in one.peaks)} | "
                    f"{shift:.1e} |")
    return "\n".join(rows) + "\n"


def picture(problem: Problem, lines: Sequence[Line], path: Path) -> None:
    """CPU time against error, a marker for each method, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for k, method in enumerate(dict.fromkeys(line.method for line in lines)):
        points = [(line.error, line.run.seconds) for line in lines if line.method == method
                  and np.isfinite(line.error)]
        error, seconds = zip(*points, strict=True) if points else ((), ())
        label = method if points else f"{method} (never ended in time)"
        axes.loglog(error, seconds, color=f"C{k}", marker=MARKERS[k], label=label, linewidth=1.2, markersize=6)
    axes.set(xlabel="relative L2 error [1]", ylabel="CPU time [s]", title=problem.title)
    axes.grid(which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)


def into_file(section: str, path: Path) -> None:
    """Put the section of one problem into the file, in the stead of an older one of the same title."""
    old = path.read_text().split("\n## ")[1:] if path.exists() else []
    titled = {each.splitlines()[0]: each.strip() for each in [*old, section.removeprefix("## ")]}
    path.write_text("# Integrators: work against error\n\n"
                    + "\n\n".join(f"## {titled[title]}" for title in sorted(titled)) + "\n")
