"""B2: 0.5 pA of Ca2+ enters a process for 5 ms beside a mobile and a fixed buffer, then spreads until 100 ms.

Errors, relative to PEAK and PROFILE: "peak" is that of the mean Ca2+ near the mouth when the current ends, "L2" that
of the profile along the process when the run ends. They come from `reference`
(`python -m tests.benchmarks.calcium_in_a_process reference`, a minute): our engine at a tolerance of 1e-4 on grids in
r, theta and x, which have the cylinder's exact volume. There the peak converges with order 2.0, the last two
extrapolations differ by 7e-5 in the peak and 1e-5 in the profile, and a tolerance of 3e-5 changes both by 1e-5.
Tetrahedra extrapolate to the same peak within 3e-4 (edges of 0.032 and 0.0225 um), but less regularly.

Each tool has the cheapest mesh and steps found that bring both errors below 1 %, if any do:
- ours: tetrahedra refined at the mouth, at a tolerance of 5e-2; and, to show what that gains, a uniform mesh of
  0.035 um at 2e-2 (0.036 um, or 5e-2, err 1.1 % in the peak). Most of it is the control volumes on the wall, which
  sample the Gaussian at its top.
- FiPy, five variables in turn, implicit Euler: on our control volumes errors in time lower the peak by about 1 % and
  those in space raise it, so 0.05 um, where we err 1.7 %, suffices. Two sweeps a step instead of three lose or make
  1 % of the Ca2+. All five variables in one matrix are slower: FiPy lags couplings of the wrong sign by a sweep.
- FiPy on the tetrahedra: two-point fluxes err by 7 to 3.6 % in the peak from 0.09 to 0.04 um (53k cells, 1 minute).
- NEURON: reactions are split off, an error of order 1: 2 % of the peak with steps of 0.0125 ms, so steps are short in
  the last ms of the current. Voxels of 0.035 um err 1.4 % there; that long steps before lower it again is luck: steps
  of 0.00625 ms all along err 2.4 % in all. Just the Ca2+ enters that should, but into a volume that is too small by 5 %
  with voxels of 0.05 um (L2 error 3.7 %), 1.7 % with 0.025 and by luck 0 % with 0.035. CVODE takes steps of 2 us with
  voxels of 0.1 um, so it is no help.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.fipy_mesh import fipy_mesh
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.shapes import Edge, cylinder
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.mechanisms.buffer import bound_at
from spatial.mechanisms.injection import Injection
from spatial.model import Model, Species
from spatial.observe.probes import Probe
from spatial.simulate import simulate
from spatial.units import MOLECULES, ion_flux
from tests.benchmarks.measure import RUNS, Row, table, timed
from tests.benchmarks.peers import cell_centred, in_own_process, installed, print_row, simulated
from tests.benchmarks.problems import (
    BUFFERS,
    CURRENT,
    D_CALCIUM,
    END,
    KON,
    LENGTH,
    OPEN,
    RADIUS,
    REST,
    K,
    buffered_calcium,
    graded,
    near_mouth,
    process,
    profile,
)

Found = tuple[float, Floats]
"""Mean Ca2+ near the mouth when the current ends, and the (20,) profile when the run ends [uM]."""
Phases = Sequence[tuple[int, float]]
"""Numbers of steps, and the time [s] that each lot of them reaches."""

PEAK = 8.7646  # uM, by `reference`
_HALF = [0.233711, 0.235121, 0.237861, 0.241764, 0.246565, 0.251885, 0.257227, 0.262007, 0.265622, 0.267571]  # uM
PROFILE = np.array([*_HALF, *_HALF[::-1]])

OURS: dict[str, tuple[Edge, float]] = {  # edges [um] and relative tolerance
    "0.03 um at the mouth to 0.08": (graded(0.03, 0.08), 5e-2), "0.035 um": (0.035, 2e-2)}
QUICK_OURS: dict[str, tuple[Edge, float]] = {"0.12 um": (0.12, 5e-2)}
VOLUMES, TETRAHEDRA, VOXEL = 0.05, 0.06, 0.035  # um
QUICK, QUICK_VOXEL = 0.12, 0.1  # um
FIPY: Phases = [(20, OPEN), (30, END)]
QUICK_FIPY: Phases = [(8, OPEN), (8, END)]
NEURON: Phases = [(40, 4e-3), (200, OPEN), (190, END)]
SWEEPS, CLOSE = 3, 1e-4  # CLOSE is of FiPy's linear solver: 1e-6 changes no error by 1e-3, 1e-2 loses 7 % of the Ca2+
GRIDS = (0.75, 1.0, 1.5)  # of the reference: times 8 x 16 x 40 elements


def rows(quick: bool = False) -> list[Row]:
    """Ours first, then every peer that is installed."""
    runs = 1 if quick else RUNS
    simulate(buffered_calcium(process(0.15)), 1e-3)  # compiles
    meshes, phases = (QUICK_OURS, QUICK_FIPY) if quick else (OURS, FIPY)
    found = [ours(edges, size, tolerance, runs) for edges, (size, tolerance) in meshes.items()]
    return [*found, *installed({
        "fipy": [partial(fipy_volumes, QUICK if quick else VOLUMES, phases, runs),
                 partial(fipy_tetrahedra, QUICK if quick else TETRAHEDRA, phases, runs)],
        "neuron": [partial(in_own_process, "tests.benchmarks.calcium_in_a_process", "neuron",
                           QUICK_VOXEL if quick else VOXEL, runs)]})]


def errors(found: Found) -> dict[str, float]:
    """Relative errors of what a tool found."""
    peak, along = found
    return {"peak": float(abs(peak / PEAK - 1.0)),
            "L2": float(np.linalg.norm(along - PROFILE) / np.linalg.norm(PROFILE))}


def probes(place: Place, calcium: Species) -> list[Probe]:
    """What is compared, read from our engine."""
    weight = near_mouth(place)
    return [Probe("near mouth", "uM", lambda c: float(weight @ c[calcium])),
            Probe("profile", "uM", lambda c: profile(place, c[calcium]))]


def ours(edges: str, size: Edge, tolerance: float, runs: int) -> Row:
    """The package's own engine on tetrahedra with edges of `size` [um], which `edges` puts into words."""
    shape = cylinder(RADIUS, LENGTH, size)
    began = time.process_time()
    place = discretise(shape)["cytosol"]
    model = buffered_calcium(place)
    discretised = time.process_time() - began
    setup, cpu, wall, run = simulated(model, END, probes(place, model.species[0]), Tolerance(tolerance), runs)
    found = float(run["near mouth"][np.searchsorted(run.times, OPEN)].item()), run["profile"][-1]
    return Row("B2", f"spatial, edges {edges}, tolerance {tolerance}", run.provenance["unknowns"],
               run.provenance["steps"], discretised + setup, cpu, errors(found), wall)


def fipy_volumes(size: float, phases: Phases, runs: int) -> Row:
    """FiPy's terms on our control volumes."""
    def build(shape: Tetrahedra) -> tuple[Place, Any]:
        place = discretise(shape)["cytosol"]
        return place, fipy_mesh(place)

    return _fipy(f"FiPy on our control volumes, edges {size} um, implicit Euler", size, build, phases, runs)


def fipy_tetrahedra(size: float, phases: Phases, runs: int) -> Row:
    """FiPy's terms on the tetrahedra themselves: what its users do."""
    def build(shape: Tetrahedra) -> tuple[Place, Any]:
        centres = shape.points[shape.cells].mean(axis=1)
        return Place("tetrahedra", 3, shape.volumes, centres), cell_centred(shape)

    return _fipy(f"FiPy on the tetrahedra, edges {size} um, implicit Euler", size, build, phases, runs)


def _fipy(tool: str, size: float, build: Callable[[Tetrahedra], tuple[Place, Any]], phases: Phases, runs: int) -> Row:
    """Set-up includes a first step, in which FiPy computes the geometry it keeps."""
    shape = cylinder(RADIUS, LENGTH, size)
    began = time.process_time()
    place, mesh = build(shape)
    weight = near_mouth(place)
    equations, gain = _fipy_equations(mesh)
    inflow = ion_flux(CURRENT, 2) * weight / place.measure  # uM/s
    calcium, starts = equations[0][0], [np.array(variable.value) for variable, _ in equations]
    _fipy_step(equations, phases[0][1] / phases[0][0])
    setup = time.process_time() - began

    def run() -> Found:
        for (variable, _), start in zip(equations, starts, strict=True):
            variable.setValue(start)
        gain.setValue(inflow)
        peak, t = 0.0, 0.0
        for number, end in phases:
            for _ in range(number):
                _fipy_step(equations, (end - t) / number)
            if end == OPEN:
                peak = float(weight @ np.array(calcium.value))
                gain.setValue(0.0)
            t = end
        return peak, profile(place, np.array(calcium.value))

    cpu, wall, found = timed(run, runs)
    return Row("B2", tool, len(place) * len(equations), sum(number for number, _ in phases), setup, cpu,
               errors(found), wall)


def _fipy_equations(mesh: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """Each variable with its equation, Ca2+ first; and the gain by the current [uM/s]."""
    from fipy import CellVariable, DiffusionTerm, ImplicitSourceTerm, TransientTerm

    def variable(value: float) -> Any:
        return CellVariable(mesh=mesh, value=value, hasOld=True)

    calcium, gain = variable(REST), CellVariable(mesh=mesh, value=0.0)
    pairs, koff = [], KON * K
    found, free, bound = [(calcium, None)], 0.0, 0.0
    for amount, D in BUFFERS.values():
        start = bound_at(REST, amount, K)
        pairs.append((variable(amount - start), variable(start), D))
    for empty, full, D in pairs:
        binding = koff * full - ImplicitSourceTerm(coeff=KON * calcium)
        unbinding = KON * calcium * empty - ImplicitSourceTerm(coeff=koff)
        spread = [DiffusionTerm(coeff=D)] if D else []
        found += [(empty, TransientTerm() == sum(spread, binding)), (full, TransientTerm() == sum(spread, unbinding))]
        free, bound = free + empty, bound + full
    found[0] = calcium, (TransientTerm() == DiffusionTerm(coeff=D_CALCIUM) + koff * bound + gain
                         - ImplicitSourceTerm(coeff=KON * free))
    return found, gain


def _fipy_step(equations: list[tuple[Any, Any]], dt: float) -> None:
    """One step of implicit Euler: every equation in turn, SWEEPS times."""
    from fipy import LinearCGSolver

    solver = LinearCGSolver(tolerance=CLOSE, iterations=2000)
    for variable, _ in equations:
        variable.updateOld()
    for _ in range(SWEEPS):
        for variable, equation in equations:
            equation.sweep(var=variable, dt=dt, solver=solver)


def neuron(voxel: float, runs: int) -> Row:
    """NEURON's rxd in 3D with voxels of `voxel` [um]; its units are ms, mM and molecules/ms."""
    from neuron import h

    began, mM = time.process_time(), 1e-3  # mM in a uM
    parts, calcium = _neuron_model(voxel)
    h.finitialize(-65)
    nodes = calcium.nodes  # made anew at every call
    place = Place("voxels", 3, np.array(nodes.volume), np.array([(node.x3d, node.y3d, node.z3d) for node in nodes]))
    weight = near_mouth(place)
    inflow = weight * ion_flux(CURRENT, 2) * MOLECULES * 1e-3  # molecules/ms
    flux = h.Vector(inflow)
    for index in np.flatnonzero(weight).tolist():
        nodes[index].include_flux(flux._ref_x[index])
    h.finitialize(-65)
    setup = time.process_time() - began

    def run() -> Found:
        flux.from_python(inflow)
        peak, t = 0.0, 0.0
        for number, end in NEURON:
            h.dt = (end - t) * 1e3 / number
            for _ in range(number):
                h.fadvance()
            if end == OPEN:
                peak = float(weight @ np.array(nodes.concentration)) / mM
                flux.fill(0.0)
            t = end
        return peak, profile(place, np.array(nodes.concentration) / mM)

    seconds = []
    for _ in range(runs):
        h.finitialize(-65)
        cpu, wall, found = timed(run, 1)
        seconds.append((cpu, wall))
    cpu, wall = (statistics.median(each) for each in zip(*seconds, strict=True))
    steps, species = sum(number for number, _ in NEURON), 1 + 2 * len(BUFFERS)
    del parts  # NEURON keeps none of them alive
    return Row("B2", f"NEURON rxd 3D, voxels {voxel} um, ADI", len(place) * species, steps, setup, cpu,
               errors(found), wall)


def _neuron_model(voxel: float) -> tuple[list[Any], Any]:
    """All that has to stay alive, and the Ca2+."""
    from neuron import h, rxd

    mM, per_ms = 1e-3, 1e-3  # mM in a uM, 1/ms in a 1/s
    rxd.set_solve_type(dimension=3)
    rxd.nthread(1)
    section = h.Section(name="process")
    section.pt3dadd(0, 0, 0, 2 * RADIUS)
    section.pt3dadd(LENGTH, 0, 0, 2 * RADIUS)
    cytosol = rxd.Region([section], nrn_region="i", dx=voxel)
    calcium = rxd.Species(cytosol, d=D_CALCIUM * per_ms, name="ca", charge=2, initial=REST * mM)
    parts = [section, cytosol]
    for name, (amount, D) in BUFFERS.items():
        bound = bound_at(REST, amount, K)
        empty = rxd.Species(cytosol, d=D * per_ms, name=name, initial=(amount - bound) * mM)
        full = rxd.Species(cytosol, d=D * per_ms, name=f"ca_{name}", initial=bound * mM)
        binding = rxd.Reaction(calcium + empty, full, KON / mM * per_ms, KON * K * per_ms)
        parts += [empty, full, binding]
    return parts, calcium


def reference() -> list[Found]:
    """Extrapolations in the grid's spacing from successive pairs of GRIDS; the last is PEAK and PROFILE."""
    found = [np.r_[_on_grid(_quarter(finer))] for finer in GRIDS]
    extrapolated = [fine + (fine - coarse) / ((b / a) ** 2 - 1.0)
                    for a, b, coarse, fine in zip(GRIDS, GRIDS[1:], found, found[1:], strict=False)]
    return [(float(each[0]), each[1:]) for each in extrapolated]


def _on_grid(place: Place) -> Found:
    """Our engine on a quarter of the process, which takes a quarter of the current."""
    whole = buffered_calcium(place)
    quarter = [replace(one, flux=one.flux / 4) if isinstance(one, Injection) else one for one in whole.mechanisms]
    with np.errstate(invalid="ignore"):  # the slabs of the other half are empty
        run = simulate(Model(whole.species, quarter), END, probes(place, whole.species[0]), every=END, at_events=True,
                       tolerance=Tolerance(1e-4))
    half = run["profile"][-1][:10]
    return float(run["near mouth"][np.searchsorted(run.times, OPEN)].item()), np.r_[half, half[::-1]]


def _quarter(finer: float) -> Place:
    """The half nearer to x = 0 and to y > 0 of the true cylinder, in elements between equal steps of r, theta and x."""
    n = [round(finer * number) for number in (8, 16, 40)]
    dr, turn, dx = np.array([RADIUS, np.pi, LENGTH / 2]) / n
    r, theta, x = np.meshgrid(*(step * (np.arange(number) + 0.5) for step, number in
                                zip((dr, turn, dx), n, strict=True)), indexing="ij")
    centres = np.stack([x, r * np.sin(theta), r * np.cos(theta)], axis=-1).reshape(-1, 3)
    number = np.arange(r.size).reshape(r.shape)
    across = [(r[:-1] + dr / 2) * turn * dx / dr, dr * dx / (r[:, :-1] * turn), r[:, :, :-1] * dr * turn / dx]
    links: list[Ints] = []
    for axis in range(3):
        after = np.moveaxis(number, axis, 0)[1:], np.moveaxis(number, axis, 0)[:-1]
        links.append(np.stack([np.moveaxis(each, 0, axis).ravel() for each in after], axis=1))
    return Place("cytosol", 3, (r * dr * turn * dx).ravel(), centres, np.concatenate(links),
                 np.concatenate([each.ravel() for each in across]))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["neuron", voxel, number]:
            print_row(neuron(float(voxel), int(number)))
        case ["reference"]:
            print(*reference(), sep="\n")
        case _:
            print(table(rows()))
