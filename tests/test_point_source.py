"""What a channel feels of its own source is the same on every mesh, and what theory says."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from spatial._engine.operators.diffusion import stiffness
from spatial._engine.operators.point_source import own_rise, solid_angles
from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.shapes import ball, box, cylinder
from spatial.units import nm

REACH = 0.2  # um, beyond which concentrations are kept at zero


def element_and_felt(place: Place, element: int, distance: float) -> tuple[float, float]:
    """Steady concentration, times D per flux, at the source's element, and at a distance from it [1/um]."""
    near = np.flatnonzero(np.linalg.norm(place.centres - place.centres[element], axis=1) < REACH)
    field = spsolve(stiffness(place)[near][:, near].tocsc(), (near == element).astype(float))
    own = float(field[near == element][0])
    return own, own + own_rise(place, np.array([element]), distance)[0]


@pytest.mark.parametrize("edge", [0.08, 0.05, 0.035])
@pytest.mark.parametrize("distance", [10 * nm, 20 * nm])
def test_beside_a_source_inside_and_on_a_wall_it_is_as_in_theory(edge, distance):
    """1/(W r) less what the sink takes: W is 2 pi on a flat wall, 4 pi inside."""
    inside, block = discretise(ball(0.4, edge))["cytosol"], discretise(box((0.8, 0.8, 0.5), edge))["cytosol"]
    top = block.centres.max(axis=0) * [0.5, 0.5, 1] + block.centres.min(axis=0) * [0.5, 0.5, 0]
    for place, element, angle in ((inside, inside.nearest(np.zeros((1, 3)))[0], 4 * np.pi),
                                  (block, block.nearest(top[None])[0], 2 * np.pi)):
        felt = element_and_felt(place, int(element), distance)[1]
        assert felt == pytest.approx((1 / distance - 1 / REACH) / angle, rel=0.015)


def test_the_element_alone_depends_on_the_mesh():
    """So much that what it holds cannot stand for what a channel feels."""
    found = []
    for edge in (0.08, 0.035):
        place = discretise(ball(0.4, edge))["cytosol"]
        found.append(element_and_felt(place, int(place.nearest(np.zeros((1, 3)))[0]), 10 * nm)[0])
    assert found[1] > 2 * found[0]


def test_in_a_thin_process_two_meshes_agree():
    """Its walls confine the field: at 10 nm on the wall of a process of radius 0.1 um, to 3 % on 25 and 15 nm."""
    felt = []
    for edge in (25 * nm, 15 * nm):
        place = discretise(cylinder(0.1, 1.0, edge))["cytosol"]
        wall = place.centres.mean(axis=0) + np.array([0.1, 0, 0])
        felt.append(element_and_felt(place, int(place.nearest(wall[None])[0]), 10 * nm)[1])
    assert felt[0] == pytest.approx(felt[1], rel=0.03)


def test_solid_angles_of_corners_edges_faces_and_the_inside():
    place = discretise(box((0.4, 0.4, 0.4), 0.1))["cytosol"]
    lower, upper = place.centres.min(axis=0), place.centres.max(axis=0)
    on = (np.abs(place.centres - lower) < 1e-9) | (np.abs(place.centres - upper) < 1e-9)
    expected = 4 * np.pi / 2.0 ** on.sum(axis=1)
    assert solid_angles(place, np.arange(len(place))) == pytest.approx(expected, rel=1e-9)


def test_a_grid_is_refused():
    with pytest.raises(InputError, match=r"^'ecs' has no tetrahedra, so what lies beside a source in it is unknown"):
        own_rise(grid("ecs", (0, 0, 0), (1, 1, 1), 0.25), np.array([3]), 10 * nm)
