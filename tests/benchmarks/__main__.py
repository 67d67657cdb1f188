"""Diffusion on a cylinder of tetrahedra, ours beside FiPy on the same control volumes: `make bench`.

Both take the same steps of the slowest mode, so their errors can be compared; times are medians over
several runs of the whole loop, side by side in one process.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from spatial.geometry.place import Floats, Place
from spatial.geometry.shapes import cylinder
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.operators.control_volumes import discretise
from spatial.operators.fipy_mesh import fipy_mesh
from spatial.simulate import Tolerance, simulate

LENGTH, D, UNTIL, RUNS = 4.0, 220.0, 5e-3, 3


def start(place: Place) -> Floats:
    """The slowest mode along the cylinder, above zero."""
    return 1.0 + 0.5 * np.cos(np.pi * place.centres[:, 0] / LENGTH)


def exact(place: Place) -> Floats:
    """The mode after UNTIL."""
    decay = np.exp(-D * (np.pi / LENGTH) ** 2 * UNTIL)
    return 1.0 + decay * (start(place) - 1.0)


def ours(place: Place) -> Floats:
    """The package's own engine."""
    c = Species("c", place, start(place), D=D)
    return simulate(Model([c]), UNTIL, [each(c)], every=UNTIL, tolerance=Tolerance(2e-2))["c"][-1]


def fipy(place: Place) -> Floats:
    """FiPy's implicit Euler with conjugate gradients on the same mesh, 40 steps."""
    from fipy import CellVariable, DiffusionTerm, LinearCGSolver, TransientTerm

    c = CellVariable(mesh=fipy_mesh(place), value=start(place))
    equation, solver = TransientTerm() == DiffusionTerm(coeff=D), LinearCGSolver(tolerance=1e-8, iterations=2000)
    for _ in range(40):
        equation.solve(var=c, dt=UNTIL / 40, solver=solver)
    return np.array(c.value)


def measured(engine: Callable[[Place], Floats], place: Place) -> tuple[float, float]:
    """Median seconds of a run, and the relative L2 error of the mode's amplitude."""
    seconds = []
    engine(place)  # compiles
    for _ in range(RUNS):
        began = time.perf_counter()
        found = engine(place)
        seconds.append(time.perf_counter() - began)
    wrong, mode = found - exact(place), exact(place) - 1.0
    return statistics.median(seconds), float(np.sqrt((place.measure @ wrong**2) / (place.measure @ mode**2)))


def main() -> None:
    """Print one row per mesh size."""
    print(f"{'tets':>8} {'vertices':>9} {'ours s':>9} {'error':>9} {'FiPy s':>9} {'error':>9} {'ratio':>7}")
    for size in (0.09, 0.055):
        shape = cylinder(0.25, LENGTH, size)
        place = discretise(shape)["cytosol"]
        (a, a_error), (b, b_error) = measured(ours, place), measured(fipy, place)
        print(f"{len(shape.cells):8d} {len(place):9d} {a:9.3f} {a_error:9.1e} {b:9.3f} {b_error:9.1e} {b / a:7.1f}")


if __name__ == "__main__":
    main()
