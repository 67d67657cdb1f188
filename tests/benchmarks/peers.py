"""What the comparisons with other tools share: timing our own runs, and peers that may be missing."""

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spatial._engine.methods.tolerance import Tolerance
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.model import Model
from spatial.observe.probes import Probe
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from tests.benchmarks.measure import Row

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = [Probe("CPU", "s", lambda c: time.process_time()), Probe("wall", "s", lambda c: time.perf_counter())]
"""Read before the first step and after the last, so assembly is not counted as stepping."""


def simulated(model: Model, until: float, watch: Sequence[Probe], tolerance: Tolerance,
              runs: int) -> tuple[float, float, float, Recording]:
    """Median seconds of our engine, compiled before: set-up CPU, stepping CPU, stepping wall; and the last run."""
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        found = simulate(model, until, [*watch, *CLOCKS], every=until, at_events=True, tolerance=tolerance)
        cpu, wall = found["CPU"].ravel(), found["wall"].ravel()
        seconds.append((cpu[0] - began, cpu[-1] - cpu[0], wall[-1] - wall[0]))
    setup, cpu, wall = (statistics.median(each) for each in zip(*seconds, strict=True))
    return setup, cpu, wall, found


def installed(peers: Mapping[str, Iterable[Callable[[], Row]]]) -> list[Row]:
    """The rows of every package that can be imported, with one line on stderr for each that cannot."""
    rows = []
    for package, measurements in peers.items():
        if importlib.util.find_spec(package):
            rows += [measure() for measure in measurements]
        else:
            print(f"no row for {package}: it is not installed", file=sys.stderr)
    return rows


def in_own_process(module: str, *arguments: object) -> Row:
    """The row that `python -m module arguments` prints last: for a tool whose state is global."""
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, text=True,
                          capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{module} {arguments} failed:\n{done.stderr[-3000:]}")
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def print_row(row: Row) -> None:
    """The counterpart of `in_own_process`."""
    print(json.dumps(asdict(row)))


def cell_centred(shape: Tetrahedra) -> Any:
    """A FiPy mesh whose cells are the tetrahedra."""
    from fipy.meshes.mesh import Mesh

    corners = shape.cells[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    faces, face = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
    return Mesh(shape.points.T, faces.T, face.reshape(-1, 4).T)
