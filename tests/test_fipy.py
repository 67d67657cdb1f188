"""FiPy on our control volumes assembles our operators."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve
from toy_places import random_tetrahedra, spot

from spatial._engine.operators.diffusion import stiffness
from spatial._engine.operators.fipy_mesh import fipy_mesh, lift
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
D = 3.0


def tetrahedra() -> Place:
    place = random_tetrahedra(1, 200)
    assert (place.transmissibility < 0).mean() > 0.1
    return place


def bricks() -> Place:
    return grid("ecs", [0, 0, 0], [1.0, 0.7, 0.4], 0.1, volume_fraction=0.2, tortuosity=1.6)


def variable(place: Place):
    mesh = fipy_mesh(place)
    import fipy

    return fipy.CellVariable(mesh=mesh, value=np.random.default_rng(0).random(len(place)))


def difference(a: csr_matrix, b: csr_matrix) -> float:
    return abs(a - b).max() / abs(b).max()


@pytest.mark.parametrize("make", [tetrahedra, bricks])
def test_diffusion_term_is_the_stiffness_matrix(make):
    place = make()
    v = variable(place)
    import fipy

    assert difference(lift(fipy.DiffusionTerm(coeff=D), v)[0], -D * stiffness(place)) < 1e-13


def test_diffusion_term_takes_a_coefficient_that_varies_in_space():
    place = tetrahedra()
    v = variable(place)
    import fipy

    coefficient = fipy.FaceVariable(mesh=v.mesh, value=1.0 + v.mesh.faceCenters[0].value ** 2)
    x = place.centres[place.links][:, :, 0].mean(axis=1)
    varied = Place("varied", 3, place.measure, place.centres, place.links, place.transmissibility * (1 + x ** 2))
    assert difference(lift(fipy.DiffusionTerm(coeff=coefficient), v)[0], -stiffness(varied)) < 1e-13


def test_the_vector_of_a_lift_is_what_sources_add():
    place = bricks()
    v = variable(place)
    import fipy

    matrix, vector = lift(fipy.DiffusionTerm(coeff=D, var=v) - fipy.ImplicitSourceTerm(coeff=2.0, var=v) + 6.0, v)
    assert difference(matrix, -D * stiffness(place) - 2.0 * diags(place.measure).tocsr()) < 1e-13
    np.testing.assert_allclose(vector, 6.0 * place.measure, rtol=1e-14)


def test_cell_volumes_are_the_measure():
    place = bricks()
    v = variable(place)
    import fipy

    assert difference(lift(fipy.TransientTerm(), v)[0], csr_matrix(diags(place.measure))) < 1e-15
    assert float(v.cellVolumeAverage) == pytest.approx(place.measure @ v.value / place.total)


@pytest.mark.parametrize("make", [tetrahedra, bricks])
def test_an_implicit_step_of_fipy_solves_our_system(make):
    place = make()
    v = variable(place)
    import fipy
    from fipy.solvers.scipy import LinearCGSolver

    old, dt, k = v.value.copy(), 2e-3, 5.0
    equation = fipy.TransientTerm() == fipy.DiffusionTerm(coeff=D) - fipy.ImplicitSourceTerm(coeff=k)
    equation.solve(var=v, dt=dt, solver=LinearCGSolver(tolerance=1e-13, iterations=2000))
    ours = spsolve((diags((1 + k * dt) * place.measure) + dt * D * stiffness(place)).tocsc(), place.measure * old)
    assert np.abs(v.value - ours).max() < 1e-10
    assert place.measure @ v.value == pytest.approx(place.measure @ old / (1 + k * dt), rel=1e-11)


def test_importing_the_module_does_not_import_fipy():
    code = "import sys, spatial._engine.operators.fipy_mesh; sys.exit('fipy' in sys.modules)"
    path = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


def test_a_place_without_links_is_refused():
    with pytest.raises(InputError, match=r"^place 'spot at 0' has no links; FiPy needs a volume to diffuse in$"):
        fipy_mesh(spot(bricks(), 0))


def test_elements_at_the_same_point_are_refused():
    place = Place("pools", 3, np.ones(2), np.zeros((2, 3)), np.array([[0, 1]]), np.ones(1))
    with pytest.raises(InputError, match=r"^place 'pools' links two elements at one point, \(0, 0, 0\) um; FiPy"):
        fipy_mesh(place)
