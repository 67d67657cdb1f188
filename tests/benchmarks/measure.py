"""What a benchmark writes down: one row per tool, from medians of runs side by side."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Found = TypeVar("Found")
RUNS = 3


@dataclass(frozen=True)
class Row:
    """One tool on one problem at one size."""

    benchmark: str  # "B1"
    tool: str  # "FiPy, implicit Euler"
    unknowns: int
    steps: int
    setup: float  # CPU s from the mesh in memory to the first step: assembly, factorisation
    seconds: float  # CPU s of the stepping alone
    errors: dict[str, float]  # relative, by what was compared
    wall: float = 0.0  # s of the stepping; differs from CPU s where threads are used


def timed(run: Callable[[], Found], runs: int = RUNS) -> tuple[float, float, Found]:
    """Median CPU seconds and wall seconds of `runs` runs, and what the last returned."""
    cpu, wall = [], []
    for _ in range(runs):
        began = time.process_time(), time.perf_counter()
        found = run()
        cpu.append(time.process_time() - began[0])
        wall.append(time.perf_counter() - began[1])
    return statistics.median(cpu), statistics.median(wall), found


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, each with how many times longer than the first of its benchmark it took."""
    lines = ["| benchmark | tool | unknowns | steps | set-up CPU s | stepping CPU s | wall s | errors | times ours |",
             "|---|---|---|---|---|---|---|---|---|"]
    ours: dict[str, float] = {}
    for row in rows:
        first = ours.setdefault(row.benchmark, row.seconds)
        errors = ", ".join(f"{what} {value:.1e}" for what, value in row.errors.items())
        lines.append(f"| {row.benchmark} | {row.tool} | {row.unknowns} | {row.steps} | {row.setup:.3g} | "
                     f"{row.seconds:.3g} | {row.wall:.3g} | {errors} | {row.seconds / first:.3g} |")
    return "\n".join(lines)
