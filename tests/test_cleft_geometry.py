"""The parametric cleft: measures, layers, what is open and what is closed, and what it refuses."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry.cleft import PSD, SEAL_MEMBRANE, Cleft, cleft, disc
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Mesh
from spatial.geometry.surfaces import PLASMA_MEMBRANE

COARSE = Cleft(resolution=2.0, surround=0.6)


@cache
def meshed(**changes: float) -> Mesh:
    return discretise(cleft(replace(COARSE, **changes)))


def pieces(mesh: Mesh) -> int:
    """Of how many unconnected pieces the ECS consists."""
    return int(connected_components(stiffness(mesh["ecs"]), directed=False, return_labels=False))


def test_the_cleft_has_the_volume_and_the_psd_the_area_of_the_published_sizes():
    fine = meshed(resolution=1.2, surround=0.5)
    assert fine[PSD].total == pytest.approx(0.069, rel=0.01)
    assert fine["cleft"].total == pytest.approx(np.pi * 0.148**2 * 0.020, rel=0.005)


def test_neuropil_counts_with_its_volume_fraction():
    half = meshed(coverage=0.5)
    shape, whole = COARSE, cleft(COARSE).volumes.sum()
    inner = np.pi * shape.inside**2 * 2 * shape.reach
    collar = 0.5 * np.pi * (shape.outside**2 - shape.inside**2) * 2 * shape.reach
    assert half["neuropil"].total == pytest.approx(0.2 * (whole - inner - collar), rel=0.002)
    sheet = half["ecs"].total - half["neuropil"].total - half["cleft"].total
    assert sheet == pytest.approx(np.pi * (shape.inside**2 - shape.radius**2) * 2 * shape.reach, rel=0.05)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_as_many_layers_lie_across_the_cleft_as_asked_for(layers):
    mesh = meshed(layers=layers)
    z = np.unique(mesh["cleft"].centres[:, 2].round(9))
    np.testing.assert_allclose(z, np.linspace(-0.010, 0.010, layers + 1), atol=1e-9)


def test_the_collar_covers_its_part_of_the_perimeter():
    """Its membrane grows with the angle, but for the two end faces that a closed collar has not."""
    areas = {part: meshed(coverage=part)[PLASMA_MEMBRANE].total for part in (0.25, 0.5, 1.0)}
    ends = 2 * COARSE.collar * 2 * COARSE.reach
    for part in (0.25, 0.5):
        assert areas[part] - ends == pytest.approx(part * areas[1.0], rel=0.02)


def test_the_covered_side_is_the_one_at_positive_x():
    x, y, _ = meshed(coverage=0.5)[PLASMA_MEMBRANE].centres.T
    angle = np.degrees(np.abs(np.arctan2(y, x)))
    assert angle.max() == pytest.approx(90.0, abs=1e-6)
    assert np.hypot(x, y).min() == pytest.approx(COARSE.inside, rel=1e-6)


def test_without_coverage_there_is_no_astrocyte_and_without_seal_no_seal():
    bare = meshed(coverage=0.0)
    assert {PLASMA_MEMBRANE, SEAL_MEMBRANE, "cytosol", "rim"}.isdisjoint(bare)
    assert {"ecs", "cleft", "neuropil", "far boundary", PSD, "presynaptic membrane"} <= set(bare)


@pytest.mark.parametrize(("sealed", "count"), [(0.0, 1), (0.75, 1), (1.0, 2)])
def test_only_a_seal_all_around_closes_the_cleft(sealed, count):
    """Cleft and sheet must not meet in an edge beside the seal: control volumes of vertices would join them."""
    mesh = meshed(sealed=sealed, coverage=0.0)
    assert pieces(mesh) == count
    if sealed:
        inner = 2 * np.pi * COARSE.radius * COARSE.height
        outer = 2 * np.pi * COARSE.inside * 2 * COARSE.seal
        ends = 2 * np.pi * (COARSE.inside**2 - COARSE.radius**2)
        sides = 2 * COARSE.gap * 2 * COARSE.seal if sealed < 1 else 0.0
        assert mesh[SEAL_MEMBRANE].total == pytest.approx(sealed * (inner + outer + ends) + sides, rel=0.03)


def test_neighbours_are_vertices_in_the_neuropil():
    for layers in (1, 2):
        shape, ecs = replace(COARSE, layers=layers), meshed(layers=layers)["ecs"]
        at = ecs.nearest(shape.neighbours)
        np.testing.assert_allclose(ecs.centres[at], shape.neighbours, atol=1e-9)
        assert np.hypot(*shape.neighbours.T[:2]) == pytest.approx(0.465)


def test_the_same_shape_gives_the_same_mesh():
    one, other = cleft(COARSE), cleft(COARSE)
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.cells, other.cells)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_disc_alone_has_two_faces_and_a_rim(layers):
    mesh = discretise(disc(0.148, 0.020, 0.020, layers))
    area = np.pi * 0.148**2
    assert mesh["ecs"].total == pytest.approx(area * 0.020, rel=0.01)
    assert mesh[PSD].total == pytest.approx(area, rel=0.01)
    assert mesh["presynaptic"].total == pytest.approx(mesh[PSD].total, rel=1e-9)
    assert mesh[PSD].centres[:, 2] == pytest.approx(-0.010)
    assert mesh["rim"].total == pytest.approx(2 * np.pi * 0.148 * 0.020, rel=0.01)
    assert len(np.unique(mesh["ecs"].centres[:, 2].round(9))) == layers + 1
    assert np.abs(mesh["ecs"].centres - (0, 0, 0.010)).sum(axis=1).min() < 1e-9


@pytest.mark.parametrize(("wrong", "message"), [
    ({"height": 0.0}, r"^Cleft: height is 0; it must be a finite number > 0$"),
    ({"coverage": 1.2}, r"^Cleft: coverage is 1.2; it must be from 0 to 1$"),
    ({"sealed": -0.1}, r"^Cleft: sealed is -0.1; it must be from 0 to 1$"),
    ({"volume_fraction": 1.5}, r"^Cleft: volume_fraction is 1.5; it must be from 0 to 1$"),
    ({"layers": 1.5}, r"^Cleft: layers is 1.5; it must be a whole number >= 1$"),
    ({"reach": 0.02}, r"^Cleft: reach is 0.02 um; it must be more than 1.5 times height, 0.03 um$"),
    ({"neighbour": 0.2}, r"^Cleft: neighbour is 0.2 um; it must lie in the neuropil, beyond 0.268 um and within "
                         r"surround, 1.2 um$"),
    ({"reach": 1.5}, r"^Cleft: surround is 1.2 um; it must be more than reach, 1.5 um$")])
def test_sizes_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Cleft(**wrong)


def test_a_disc_without_height_is_refused():
    with pytest.raises(InputError, match=r"^disc: height \[um\] is 0; it must be a finite number > 0$"):
        disc(0.148, 0.0, 0.02)
