"""How the cost of a step grows with the mesh, and how far it is from what memory bandwidth allows.

The problem: Ca2+ and a mobile buffer (four species that diffuse: Ca2+, free, bound, and an indicator that
only diffuses) in a cube of regular tetrahedra, 15 links an element, refined at a constant step of 1 ms.
Each size runs in a process of its own, whose peak memory is its own too.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.operators.team import WORTH_SHARING, Team
from spatial._engine.system.assembly import assemble
from spatial.geometry.discretise import volume_place
from spatial.geometry.place import Floats, Place
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.model import Model, Species

SIDES = (17, 27, 37, 58, 79, 100)  # vertices along an edge: 4 913 to 1 000 000 control volumes
EDGE, STEP, RUNS = 4.0, 1e-3, 3  # um, s, steps timed
_PATHS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def cube(side: int) -> Place:
    """A cube with side^3 vertices, each small cube cut into six tetrahedra around its diagonal (Kuhn)."""
    axis = np.linspace(0.0, EDGE, side)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.arange(side**3).reshape((side,) * 3)
    corner = index[:-1, :-1, :-1].ravel()
    cells = []
    for path in _PATHS:
        steps = np.cumsum([0, *(side ** (2 - axis) for axis in path)])
        odd = path in ((0, 2, 1), (1, 0, 2), (2, 1, 0))
        cells.append(corner[:, None] + (steps[[0, 2, 1, 3]] if odd else steps))
    return volume_place("cytosol", points, np.concatenate(cells))


def problem(place: Place) -> Model:
    """Four species that diffuse, two reactions' worth of stiffness, and a field that varies."""
    x, y, z = place.centres.T / EDGE
    calcium = Species("Ca", place, 0.1 + 2.0 * np.exp(-20 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 + z**2)), D=220.0)
    bound = bound_at(0.1, 50.0, 1.0)
    free, taken = Species("buffer", place, 50.0 - bound, D=50.0), Species("buffer with Ca", place, bound, D=50.0)
    indicator = Species("indicator", place, 10.0 * (1 + np.cos(np.pi * x)), D=20.0)
    return Model([calcium, free, taken, indicator], [Buffer(place, calcium, free, taken, kon=100.0, K=1.0)])


@dataclass(frozen=True)
class Counting(Team):
    """A team that notes the bytes of the arrays that each kernel is given: what it must read or write once."""

    calls: list[int] = field(default_factory=list)

    def __call__(self, kernel: Callable[..., Any], n: int, *arguments: Any,
                 least: int = WORTH_SHARING) -> tuple[Any, ...]:
        """As any team does."""
        self.calls.append(sum(one.nbytes for one in arguments if isinstance(one, np.ndarray)))
        return super().__call__(kernel, n, *arguments, least=least)


def measured(side: int) -> dict[str, float]:
    """Seconds and bytes of a step, and the peak memory of the process [bytes], for one size."""
    began = peak_memory()
    counting = Counting()
    system = replace(assemble(problem(cube(side))), team=counting)
    method, u = Rosenbrock(prepare(system), ROS2), system.initial()
    allowed = tolerated(system, u, Tolerance())
    seconds = []
    for _ in range(1 + RUNS):
        counting.calls.clear()
        start = time.perf_counter()
        after, _ = method.start(u, 0.0, system.rate(u, 0.0), allowed).take(STEP)
        seconds.append(time.perf_counter() - start)
    assert np.isfinite(after).all()
    return {"n": side**3, "seconds": float(np.median(seconds[1:])), "bytes": float(sum(counting.calls)),
            "calls": len(counting.calls), "memory": peak_memory() - began}


def peak_memory() -> float:
    """The most memory this process has held [bytes]; Linux tells (getrusage would count the parent's)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def bandwidth(threads: int = 2, size: int = 40_000_000) -> float:
    """Bytes per second of a = b + s c with long arrays, by as many threads: the best of several."""
    b, c, a = np.ones(size), np.ones(size), np.empty(size)
    part = np.linspace(0, size, threads + 1).astype(int)

    def triad(low: int, high: int) -> None:
        _triad(a[low:high], b[low:high], c[low:high])

    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(threads) as pool:
        best = np.inf
        for _ in range(8):
            start = time.perf_counter()
            list(pool.map(triad, part[:-1], part[1:]))
            best = min(best, time.perf_counter() - start)
    return 24.0 * size / best


def _triad(a: Floats, b: Floats, c: Floats) -> None:
    """a = b + 3 c, chunk by chunk so that numpy's temporary stays in the cache."""
    for k in range(0, len(a), 16384):
        np.multiply(c[k:k + 16384], 3.0, out=a[k:k + 16384])
        a[k:k + 16384] += b[k:k + 16384]


def exponent(n: Floats, cost: Floats) -> float:
    """The power of n that the cost grows with."""
    return float(np.polyfit(np.log(n), np.log(cost), 1)[0])


def report(sides: tuple[int, ...] = SIDES) -> str:
    """A Markdown table of all sizes, with the exponents and the multiple of the bandwidth."""
    found = [in_own_process(side) for side in sides]
    speed = bandwidth()
    lines = ["| control volumes | s a step | peak memory MB | GB moved a step | times the bytes over bandwidth |",
             "|---|---|---|---|---|"]
    for one in found:
        shown = (one["n"], f"{one['seconds']:.3g}", round(one["memory"] / 1e6), f"{one['bytes'] / 1e9:.2f}",
                 f"{one['seconds'] * speed / one['bytes']:.2f}")
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    n, seconds, memory = (np.array([one[what] for one in found]) for what in ("n", "seconds", "memory"))
    lines.append(f"\nTime grows as N^{exponent(n, seconds):.2f}, memory as N^{exponent(n, memory):.2f}; "
                 f"triad bandwidth with two threads {speed / 1e9:.1f} GB/s.")
    return "\n".join(lines)


def in_own_process(side: int) -> dict[str, float]:
    """What `measured` finds in a new process."""
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.scaling", str(side)], text=True, check=True,
                          capture_output=True, cwd=Path(__file__).resolve().parents[2])
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measured(int(sys.argv[1]))))
    else:
        print(report())
