"""B1: the slowest diffusion mode along a cylinder of tetrahedra, whose decay is known exactly.

1 + 0.5 cos(pi x / L) decays for 5 ms (its amplitude to 0.51). Errors are those of the mode's amplitude:
"L2", weighted by volume and relative to the exact mode, and "D", of the diffusion coefficient that the
amplitude's decay from start to end amounts to. Both hold the error in space and in time.

Steps of each tool, measured on these meshes (21k and 101k tetrahedra):
- ours: `TOLERANCE`, which errs about as the trapezoidal rule of the peers does (5e-4 to 7e-4 in L2).
- scikit-fem and FiPy on our control volumes share one matrix, up to lumping, so both take the trapezoidal rule
  (Crank-Nicolson): `SECOND_ORDER` steps err 6e-4, where implicit Euler needs over 300 steps (40 err 6e-3).
  Lumped mass errs less than consistent mass at the same steps and costs the same.
- FiPy on the tetrahedra: two-point fluxes between barycentres err by 6 to 3 % in D whatever the step, so
  implicit Euler with `FIRST_ORDER` steps (L2 error in time 2.2e-2) is enough. The trapezoidal rule is unstable there.
- NEURON: voxels about as many as tetrahedra, a whole number across the cylinder so that it fits them;
  `ADI` steps err 1e-3 in time and its voxels 5e-3 to 8e-3 in space: a surface voxel that is partly filled holds
  less but conducts through its neighbours' whole faces, so the mode decays too fast.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.fipy_mesh import fipy_mesh
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Floats
from spatial.geometry.shapes import cylinder
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.simulate import simulate
from tests.benchmarks.measure import RUNS, Row, timed
from tests.benchmarks.peers import cell_centred, in_own_process, installed, print_row, simulated

RADIUS, LENGTH, D, UNTIL = 0.25, 4.0, 220.0, 5e-3  # um, um, um^2/s, s
AMPLITUDE, RATE = 0.5, D * (np.pi / LENGTH) ** 2  # uM, 1/s
SIZES, QUICK = (0.055, 0.032), (0.12,)  # um: edges of about 21k, 101k and 2k tetrahedra
TOLERANCE = Tolerance(1e-3)
SECOND_ORDER, FIRST_ORDER, ADI = 6, 10, 5  # steps
CLOSE = 1e-6  # of FiPy's linear solver; 1e-8 changes no digit shown


def rows(quick: bool = False) -> list[Row]:
    """Ours first, then every peer that is installed, for each size of mesh."""
    found, runs = list[Row](), 1 if quick else RUNS
    for size in QUICK if quick else SIZES:
        shape = cylinder(RADIUS, LENGTH, size)
        name = f"B1, {len(shape.cells)} tets"
        across = round(2 * RADIUS / np.cbrt(shape.volumes.mean()))
        found.append(ours(name, shape, runs))
        found += installed({
            "skfem": [partial(scikit_fem, name, shape, runs)],
            "fipy": [partial(fipy_volumes, name, shape, runs), partial(fipy_tetrahedra, name, shape, runs)],
            "neuron": [partial(in_own_process, "tests.benchmarks.diffusion", name, across, runs)]})
    return found


def mode(x: Floats) -> Floats:
    """What the start is above 1 uM, at positions x [um] along the cylinder."""
    return AMPLITUDE * np.cos(np.pi * x / LENGTH)


def errors(x: Floats, volume: Floats, c: Floats) -> dict[str, float]:
    """Relative errors of the values `c` [uM] after UNTIL in volumes [um^3] centred at x [um]."""
    found, exact = c - 1.0, np.exp(-RATE * UNTIL) * mode(x)
    amplitude = volume @ (found * mode(x)) / (volume @ mode(x) ** 2)
    return {"L2": float(np.sqrt(volume @ (found - exact) ** 2 / (volume @ exact**2))),
            "D": float(abs(-np.log(amplitude) / (RATE * UNTIL) - 1.0))}


def ours(name: str, shape: Tetrahedra, runs: int) -> Row:
    """The package's own engine."""
    began = time.process_time()
    place = discretise(shape)["cytosol"]
    discretised = time.process_time() - began
    x = place.centres[:, 0]
    c = Species("c", place, 1.0 + mode(x), D=D)
    simulate(Model([c]), UNTIL)  # compiles
    setup, cpu, wall, found = simulated(Model([c]), UNTIL, [each(c)], TOLERANCE, runs)
    return Row(name, "spatial", len(place), found.provenance["steps"], discretised + setup, cpu,
               errors(x, place.measure, found["c"][-1]), wall)


def scikit_fem(name: str, shape: Tetrahedra, runs: int) -> Row:
    """Linear elements with lumped mass and the trapezoidal rule; the matrix is factorised once."""
    began = time.process_time()
    stepped, x, volume = _scikit_fem(shape)
    setup = time.process_time() - began
    cpu, wall, c = timed(stepped, runs)
    return Row(name, "scikit-fem, P1, factorised, trapezoidal rule", len(x), SECOND_ORDER, setup, cpu,
               errors(x, volume, c), wall)


def _scikit_fem(shape: Tetrahedra) -> tuple[Callable[[], Floats], Floats, Floats]:
    """What runs all steps, and the positions x and volumes of the vertices."""
    import skfem
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu
    from skfem.models.poisson import laplace, mass

    basis = skfem.Basis(skfem.MeshTet(shape.points.T.copy(), shape.cells.T.copy()), skfem.ElementTetP1())
    x, volume = basis.doflocs[0], np.asarray(mass.assemble(basis).sum(axis=1)).ravel()
    half = 0.5 * UNTIL / SECOND_ORDER * D * laplace.assemble(basis)
    explicit = (diags(volume) - half).tocsr()
    implicit = splu((diags(volume) + half).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                    options={"SymmetricMode": True})  # half the time of the default ordering

    def stepped() -> Floats:
        c = 1.0 + mode(x)
        for _ in range(SECOND_ORDER):
            c = implicit.solve(explicit @ c)
        return c

    return stepped, x, volume


def fipy_volumes(name: str, shape: Tetrahedra, runs: int) -> Row:
    """FiPy's terms on our control volumes, with the trapezoidal rule."""
    from fipy import DiffusionTerm, ExplicitDiffusionTerm, TransientTerm

    equation = TransientTerm() == DiffusionTerm(coeff=0.5 * D) + ExplicitDiffusionTerm(coeff=0.5 * D)
    return _fipy(name, "FiPy on our control volumes, trapezoidal rule",
                 lambda: fipy_mesh(discretise(shape)["cytosol"]), equation, SECOND_ORDER, runs)


def fipy_tetrahedra(name: str, shape: Tetrahedra, runs: int) -> Row:
    """FiPy's terms on the tetrahedra themselves, with implicit Euler: what its users do."""
    from fipy import DiffusionTerm, TransientTerm

    return _fipy(name, "FiPy on the tetrahedra, implicit Euler", lambda: cell_centred(shape),
                 TransientTerm() == DiffusionTerm(coeff=D), FIRST_ORDER, runs)


def _fipy(name: str, tool: str, mesh_of: Callable[[], Any], equation: Any, steps: int, runs: int) -> Row:
    """Set-up includes a first step, in which FiPy computes the geometry it keeps."""
    from fipy import CellVariable, LinearCGSolver

    began = time.process_time()
    mesh = mesh_of()
    x, volume = np.array(mesh.cellCenters[0].value), np.array(mesh.cellVolumes)
    c, solver = CellVariable(mesh=mesh, value=1.0 + mode(x)), LinearCGSolver(tolerance=CLOSE, iterations=2000)

    def stepped(number: int) -> Floats:
        c.setValue(1.0 + mode(x))
        for _ in range(number):
            equation.solve(var=c, dt=UNTIL / steps, solver=solver)
        return np.array(c.value)

    stepped(1)
    setup = time.process_time() - began
    cpu, wall, found = timed(partial(stepped, steps), runs)
    return Row(name, tool, len(x), steps, setup, cpu, errors(x, volume, found), wall)


def neuron(name: str, across: int, runs: int) -> Row:
    """NEURON's rxd in 3D, `across` voxels to the diameter; units there are ms and mM, here mM stands for uM."""
    from neuron import h, rxd

    began = time.process_time()
    rxd.set_solve_type(dimension=3)
    rxd.nthread(1)
    section = h.Section(name="process")
    section.pt3dadd(0, 0, 0, 2 * RADIUS)
    section.pt3dadd(LENGTH, 0, 0, 2 * RADIUS)
    cytosol = rxd.Region([section], nrn_region="i", dx=2 * RADIUS / across)
    c = rxd.Species(cytosol, d=D * 1e-3, initial=lambda node: 1.0 + mode(node.x3d))
    h.dt = UNTIL * 1e3 / ADI
    h.finitialize(-65)
    setup, seconds = time.process_time() - began, []
    for _ in range(runs):
        h.finitialize(-65)
        seconds.append(timed(lambda: [h.fadvance() for _ in range(ADI)], 1)[:2])
    cpu, wall = (statistics.median(each) for each in zip(*seconds, strict=True))
    x, volume = np.array([node.x3d for node in c.nodes]), np.array(c.nodes.volume)
    return Row(name, "NEURON rxd 3D, ADI", len(x), ADI, setup, cpu,
               errors(x, volume, np.array(c.nodes.concentration)), wall)


if __name__ == "__main__":
    print_row(neuron(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
