"""Simple shapes: closed forms, orientation, determinism."""

from math import pi

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.shapes import ball, box, cylinder, gmsh_session, positively_oriented
from spatial.geometry.tetrahedra import cell_volumes, triangle_areas


def area(mesh, name):
    return triangle_areas(mesh.points, mesh.membranes[name]).sum()


def test_volume_and_area_of_a_ball_converge_with_order_two():
    errors = []
    for size in (0.4, 0.2, 0.1):
        mesh = ball(1.0, size)
        errors.append((1 - mesh.volumes.sum() / (4 / 3 * pi), 1 - area(mesh, "plasma membrane") / (4 * pi)))
    errors = np.array(errors)
    assert (errors > 0).all()
    assert errors[-1].max() < 0.004
    assert (np.log2(errors[0] / errors[-1]) / 2 > 1.7).all()


def test_volume_and_areas_of_a_cylinder_converge():
    mesh = cylinder(0.25, 2.0, 0.04)
    assert mesh.volumes.sum() == pytest.approx(pi * 0.25**2 * 2.0, rel=0.01)
    assert area(mesh, "plasma membrane") == pytest.approx(2 * pi * 0.25 * 2.0, rel=0.01)
    assert area(mesh, "left end") == pytest.approx(pi * 0.25**2, rel=0.01)
    assert (mesh.points[mesh.membranes["left end"]][..., 0] == 0).all()
    assert np.allclose(mesh.points[mesh.membranes["right end"]][..., 0], 2.0, atol=1e-12)


def test_a_box_has_exactly_its_volume_and_area():
    mesh = box((1.0, 2.0, 3.0), 0.4)
    assert mesh.volumes.sum() == pytest.approx(6.0, rel=1e-12)
    assert area(mesh, "plasma membrane") == pytest.approx(22.0, rel=1e-12)


def test_every_tetrahedron_is_positive_and_every_point_used():
    mesh = cylinder(0.25, 1.0, 0.1)
    assert mesh.volumes.min() > 0
    assert np.array_equal(np.unique(mesh.cells), np.arange(len(mesh.points)))


def test_orienting_exchanges_corners_of_inverted_tetrahedra_alone():
    mesh = box((1.0, 1.0, 1.0), 0.5)
    cells = mesh.cells.copy()
    cells[::2] = cells[::2][:, [1, 0, 2, 3]]
    oriented = positively_oriented(mesh.points, cells)
    assert np.allclose(cell_volumes(mesh.points, oriented), mesh.volumes)
    assert np.array_equal(oriented[1::2], mesh.cells[1::2])


def test_the_same_shape_gives_the_same_mesh():
    one, two = ball(1.0, 0.3), ball(1.0, 0.3)
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.cells, two.cells)


def test_gmsh_is_closed_after_an_error():
    import gmsh

    with pytest.raises(RuntimeError, match="inside"), gmsh_session("broken"):
        raise RuntimeError("inside")
    assert not gmsh.isInitialized()


def test_a_session_of_the_user_stays_open():
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.model.add("mine")
        box((1.0, 1.0, 1.0), 0.5)
        assert gmsh.model.list() == ["", "mine"]
    finally:
        gmsh.finalize()


def test_sizes_must_be_positive():
    with pytest.raises(InputError, match=r"radius \[um\] is -1; it must be a finite number > 0"):
        ball(-1.0, 0.1)
    with pytest.raises(InputError, match=r"length along y \[um\] is 0"):
        box((1.0, 0.0, 1.0), 0.1)
