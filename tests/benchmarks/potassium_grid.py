"""B3: K+ released at 20 points into a cube of homogenised tissue, taken up everywhere, on 100^3 bricks.

Every tool has the same bricks, so only errors in time count: "peak" and "L2 active" are those of the highest brick
and of the field when the release ends, "L2" that of the field when the run ends, all relative to `reference`. By then
most has been taken up, so "L2" compounds the errors of the whole decay and is the largest for every tool.
Steps are counted to the end of the release, and there are as many after it. Each number was chosen for
an "L2" of about 1 % (and all other errors less):
- ours: `TOLERANCE`, relative to the field's own size plus a scale of 1 uM: 5e-2 errs 1.0 % in L2, 1e-1 1.3 %.
- explicit Euler (numba, py-pde): `EXPLICIT` steps, near the limit of stability (460); L2 error 0.4 %.
- NEURON: alternating directions with the uptake split off are of order 1: 200 steps err 2.8 %, `SPLIT` 1.1 %. A run
  takes minutes, so there is one. The release is `include_flux`, which NEURON divides by the extracellular part of
  a voxel's volume, as it should; as a `Rate` with a `Parameter` it went below zero at long steps.
- FiPy: the trapezoidal rule with uptake linearised at the step's start. `TRAPEZOIDAL` steps err 0.13 % in L2 and 0.08 %
  in the peak, 20 oscillate (17 %), implicit Euler needs 400 for 1 % (measured with the same scheme and another
  linear solver). A run takes a quarter of an hour, so some steps are timed and no error is given.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from spatial._engine.methods.tolerance import Tolerance
from spatial.geometry.place import Floats, Ints
from spatial.observe.probes import each
from spatial.simulate import simulate
from tests.benchmarks.measure import RUNS, Row, timed
from tests.benchmarks.peers import in_own_process, installed, print_row, simulated
from tests.benchmarks.problems import (
    ACTIVE,
    ALPHA,
    D_POTASSIUM,
    FINISH,
    HALF,
    RELEASE,
    SIDE,
    SPACING,
    TORTUOSITY,
    UPTAKE,
    potassium,
    source_positions,
)

Found = tuple[Floats, Floats]
"""Fields (n, n, n) [uM] when the release ends and when the run ends."""

QUICK = 30.0  # um
TOLERANCE = Tolerance(5e-2)
EXPLICIT, SPLIT, TRAPEZOIDAL = 500, 500, 30  # steps until ACTIVE
FINE = 1000  # and 2000: steps of the reference until ACTIVE
SAMPLE = 4  # steps of FiPy that are timed, after a first one
CLOSE = 1e-6  # of FiPy's linear solver
TIMES = round(FINISH / ACTIVE)  # how many times longer the run is than the release
SPREAD = D_POTASSIUM / TORTUOSITY**2  # um^2/s
GAIN = RELEASE / (ALPHA * SPACING**3)  # uM/s in a brick


def rows(quick: bool = False) -> list[Row]:
    """Ours first, then every peer that is installed."""
    side, runs = (QUICK, 1) if quick else (SIDE, RUNS)
    exact = reference(side)
    first = ours(side, exact, runs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reference.npz"
        np.savez(file, active=exact[0], finish=exact[1])
        peers = installed({
            "numba": [partial(explicit, side, exact, runs)],
            "pde": [partial(py_pde, side, exact, runs)],
            "neuron": [partial(in_own_process, "tests.benchmarks.potassium_grid", side, file)],
            "fipy": [partial(fipy, side, exact, quick)]})
    return [first, *peers]


def errors(found: Found, exact: Found) -> dict[str, float]:
    """Relative errors of the peak and of the field when the release ends, and of the field when the run ends."""
    active, finish = (float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(found, exact, strict=True))
    return {"peak": float(abs(found[0].max() / exact[0].max() - 1.0)), "L2 active": active, "L2": finish}


def bricks(side: float) -> tuple[int, Ints]:
    """The number n of bricks along each axis and the (k, 3) bricks that K+ is released into."""
    return round(side / SPACING), np.floor(source_positions(side) / SPACING).astype(np.int64)


def release(side: float) -> Floats:
    """(n, n, n) gain by release [uM/s]."""
    n, sources = bricks(side)
    gain = np.zeros((n, n, n))
    np.add.at(gain, tuple(sources.T), GAIN)
    return gain


def reference(side: float) -> Found:
    """Explicit Euler extrapolated to steps of no length (Richardson); errs 1e-6 at 100 um, from doubling FINE."""
    coarse, fine = euler(side, FINE), euler(side, 2 * FINE)
    return 2.0 * fine[0] - coarse[0], 2.0 * fine[1] - coarse[1]


def ours(side: float, exact: Found, runs: int) -> Row:
    """The package's own engine."""
    began = time.process_time()
    model = potassium(side)
    built = time.process_time() - began
    rise, (n, _) = model.species[0], bricks(side)
    simulate(potassium(QUICK), 1e-3, tolerance=TOLERANCE)  # compiles
    setup, cpu, wall, run = simulated(model, FINISH, [each(rise)], TOLERANCE, runs)
    active, finish = (run[rise.name][np.searchsorted(run.times, t)].reshape(n, n, n) for t in (ACTIVE, FINISH))
    return Row("B3", "spatial", n**3, run.provenance["steps"], built + setup, cpu,
               errors((active, finish), exact), wall)


@njit(cache=True, fastmath=True)
def _sweep(c: Floats, after: Floats, spread: float, uptake: float, half: float) -> None:
    """One step of explicit Euler without release; `spread` is D dt / h^2, `uptake` is in uM a step."""
    n, last = c.shape[0], c.shape[0] - 1
    for i in range(n):
        below, above = max(i - 1, 0), min(i + 1, last)
        for j in range(n):
            row, to = c[i, j], after[i, j]
            a, b, d, e = c[below, j], c[above, j], c[i, max(j - 1, 0)], c[i, min(j + 1, last)]
            for k in range(1, last):
                x = row[k]
                around = a[k] + b[k] + d[k] + e[k] + row[k - 1] + row[k + 1]
                to[k] = x + spread * (around - 6.0 * x) - uptake * x / (half + x)
            for k, beside in ((0, 1), (last, last - 1)):
                x = row[k]
                around = a[k] + b[k] + d[k] + e[k] + row[beside]
                to[k] = x + spread * (around - 5.0 * x) - uptake * x / (half + x)


@njit(cache=True)
def _steps(c: Floats, other: Floats, sources: Ints, number: int, gain: float, spread: float, uptake: float,
           half: float) -> tuple[Floats, Floats]:
    """`number` steps from `c`, each with `gain` [uM] in the sources; the result and the array it left."""
    for _ in range(number):
        _sweep(c, other, spread, uptake, half)
        for s in range(len(sources)):
            other[sources[s, 0], sources[s, 1], sources[s, 2]] += gain
        c, other = other, c
    return c, other


def euler(side: float, steps: int) -> Found:
    """Explicit Euler in one compiled loop over the bricks, with `steps` until ACTIVE."""
    (n, sources), dt = bricks(side), ACTIVE / steps
    rates = SPREAD / SPACING**2 * dt, UPTAKE * dt, HALF
    c, other = _steps(np.zeros((n, n, n)), np.zeros((n, n, n)), sources, steps, GAIN * dt, *rates)
    return c.copy(), _steps(c, other, sources, (TIMES - 1) * steps, 0.0, *rates)[0]


def explicit(side: float, exact: Found, runs: int) -> Row:
    """What one writes by hand for this problem alone; `reference` has compiled it."""
    cpu, wall, found = timed(partial(euler, side, EXPLICIT), runs)
    return Row("B3", "numba, explicit Euler", exact[1].size, TIMES * EXPLICIT, 0.0, cpu, errors(found, exact), wall)


def py_pde(side: float, exact: Found, runs: int) -> Row:
    """py-pde's compiled explicit Euler on one thread; set-up is mostly its compilation."""
    import numba
    import pde

    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    began, dt = time.process_time(), ACTIVE / EXPLICIT
    tissue = pde.CartesianGrid([[0, side]] * 3, len(exact[1]))
    zero = pde.ScalarField(tissue, 0.0)
    loss = f"{SPREAD} * laplace(c) - {UPTAKE} * c / ({HALF} + c)"
    laws = [pde.PDE({"c": f"{loss} + gain"}, bc={"derivative": 0}, consts={"gain": zero + release(side)}),
            pde.PDE({"c": loss}, bc={"derivative": 0})]
    active, passive = (pde.EulerSolver(law, backend="numba").make_stepper(zero, dt) for law in laws)
    for stepper in (active, passive):
        stepper(zero.copy(), 0.0, dt)  # compiles
    setup = time.process_time() - began

    def run() -> Found:
        c = zero.copy()
        t = active(c, 0.0, ACTIVE)
        found = c.data.copy()
        passive(c, t, FINISH)
        return found, c.data

    cpu, wall, found = timed(run, runs)
    numba.set_num_threads(threads)
    return Row("B3", "py-pde, explicit Euler", zero.data.size, TIMES * EXPLICIT, setup, cpu, errors(found, exact), wall)


def neuron(side: float, exact: Found) -> Row:
    """NEURON's rxd in the extracellular space; its units are ms, mM and molecules/ms."""
    from neuron import h, rxd
    from neuron.rxd import constants

    began, (n, _), mM = time.process_time(), bricks(side), 1e-3  # mM in a uM
    rxd.nthread(1)
    tissue = rxd.Extracellular(0, 0, 0, side, side, side, dx=SPACING, volume_fraction=ALPHA, tortuosity=TORTUOSITY)
    c = rxd.Species(tissue, d=D_POTASSIUM * 1e-3, name="rise", charge=1, initial=0)
    uptake = rxd.Rate(c, -UPTAKE * mM * 1e-3 * c[tissue] / (HALF * mM + c[tissue]))  # lives as long as its name
    flux, strength = h.Vector(1), RELEASE * mM * 1e-3 * constants.molecules_per_mM_um3()
    h.dt = ACTIVE * 1e3 / SPLIT
    h.finitialize(-65)
    for x, y, z in source_positions(side):
        c[tissue].node_by_location(x, y, z).include_flux(flux._ref_x[0])

    def run() -> Found:
        flux[0] = strength
        advance(SPLIT)
        found = c[tissue].states3d / mM
        flux[0] = 0.0
        advance((TIMES - 1) * SPLIT)
        return found, c[tissue].states3d / mM

    def advance(steps: int) -> None:
        for _ in range(steps):
            h.fadvance()

    setup = time.process_time() - began
    cpu, wall, found = timed(run, 1)
    del uptake
    return Row("B3", "NEURON rxd, ADI", n**3, TIMES * SPLIT, setup, cpu, errors(found, exact), wall)


def fipy(side: float, exact: Found, whole: bool) -> Row:
    """FiPy on its own grid; unless the `whole` run is asked for, a few steps stand for all."""
    began = time.process_time()
    solve, c, gain = _fipy(side)
    solve()
    setup, total = time.process_time() - began, TIMES * TRAPEZOIDAL
    if not whole:
        seconds = [timed(solve, 1)[:2] for _ in range(SAMPLE)]
        cpu, wall = (total * statistics.mean(each) for each in zip(*seconds, strict=True))
        return Row("B3", f"FiPy, trapezoidal rule, extrapolated from {SAMPLE} steps", exact[1].size, total, setup,
                   cpu, {}, wall)

    def run() -> Found:
        c.setValue(0.0)
        for _ in range(TRAPEZOIDAL):
            solve()
        found = field()
        gain.setValue(0.0)
        for _ in range(total - TRAPEZOIDAL):
            solve()
        return found, field()

    def field() -> Floats:
        return np.array(c.value).reshape(exact[1].shape, order="F")  # FiPy counts cells along x first

    cpu, wall, found = timed(run, 1)
    return Row("B3", "FiPy, trapezoidal rule", exact[1].size, total, setup, cpu, errors(found, exact), wall)


def _fipy(side: float) -> tuple[Callable[[], Any], Any, Any]:
    """What takes one step, the concentration, and the gain by release."""
    from fipy import (
        CellVariable,
        DiffusionTerm,
        ExplicitDiffusionTerm,
        Grid3D,
        ImplicitSourceTerm,
        LinearCGSolver,
        TransientTerm,
    )

    n, _ = bricks(side)
    mesh = Grid3D(nx=n, ny=n, nz=n, dx=SPACING, dy=SPACING, dz=SPACING)
    c, gain = CellVariable(mesh=mesh, value=0.0), CellVariable(mesh=mesh, value=release(side).ravel(order="F"))
    half = 0.5 * UPTAKE / (HALF + c)  # 1/s
    equation = TransientTerm() == (DiffusionTerm(coeff=0.5 * SPREAD) + ExplicitDiffusionTerm(coeff=0.5 * SPREAD)
                                   - ImplicitSourceTerm(coeff=half) - half * c + gain)
    solver = LinearCGSolver(tolerance=CLOSE, iterations=2000)
    return partial(equation.solve, var=c, dt=ACTIVE / TRAPEZOIDAL, solver=solver), c, gain


if __name__ == "__main__":
    with np.load(sys.argv[2]) as stored:
        print_row(neuron(float(sys.argv[1]), (stored["active"], stored["finish"])))
