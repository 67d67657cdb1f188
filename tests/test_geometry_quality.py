"""The quality report: closed forms of its measures, and its warnings."""

import numpy as np
import pytest

from spatial.geometry.quality import quality_report, radius_ratio, wrong_sign_edges
from spatial.geometry.shapes import ball, box
from spatial.geometry.tetrahedra import Region, Tetrahedra

REGULAR = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])
ONE = np.array([[0, 1, 2, 3]])


def test_the_regular_tetrahedron_has_radius_ratio_one_and_a_flat_one_zero():
    assert radius_ratio(REGULAR, ONE) == pytest.approx([1.0], abs=1e-12)
    assert radius_ratio(REGULAR * [1, 1, 0], ONE) == pytest.approx([0.0], abs=1e-12)


def test_the_radius_ratio_of_the_corner_of_a_cube():
    corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    inner, outer = 1 / (3 + np.sqrt(3)), np.sqrt(3) / 2
    assert radius_ratio(corner, ONE) == pytest.approx([3 * inner / outer], rel=1e-12)


def test_edges_of_wrong_sign_are_those_opposite_an_obtuse_angle():
    assert wrong_sign_edges(REGULAR, ONE, np.array([0])) == 0
    assert wrong_sign_edges(REGULAR * [1, 1, 0.2], ONE, np.array([0])) == pytest.approx(2 / 6)


def test_the_report_counts_and_measures():
    mesh = box((1.0, 2.0, 3.0), 0.5)
    report = quality_report(mesh)
    assert report.extent == pytest.approx((1.0, 2.0, 3.0))
    assert (report.vertices, report.cells) == (len(mesh.points), len(mesh.cells))
    assert report.regions["cytosol"].volume == pytest.approx(6.0)
    assert report.membranes["plasma membrane"].area == pytest.approx(22.0)
    assert report.membranes["plasma membrane"].surfaces == 1
    assert report.warnings == ()
    assert report.edges[0] <= report.edges[1] <= report.edges[2]
    text = str(report).splitlines()
    assert text == report.lines()
    assert any("cytosol" in line and "6 um^3" in line for line in text)


def test_the_report_warns_of_pieces_poor_cells_doubled_points_and_units():
    mesh = ball(1.0, 0.5)
    count, flattened = len(mesh.points), mesh.points * [1e-4, 1, 1] + [5, 0, 0]
    points = np.concatenate([mesh.points, mesh.points, flattened]) * 100.0
    cells = np.concatenate([mesh.cells + k * count for k in range(3)])
    three = Tetrahedra(points, cells, np.zeros(len(cells), np.int64), (Region("cytosol"),), mesh.membranes)
    text = "\n".join(quality_report(three).warnings)
    assert f"the extent is {np.ptp(points[:, 0]):.3g} um, unusual" in text
    assert f"{len(mesh.cells)} tetrahedra have a radius ratio below 0.1" in text
    assert f"{count} points lie exactly on others" in text
    assert f"region 'cytosol' is in 3 pieces, of {', '.join([str(len(mesh.cells))] * 3)} tetrahedra" in text


def test_regions_of_the_same_place_are_told_apart():
    mesh = box((2.0, 1.0, 1.0), 0.5)
    half = (mesh.points[mesh.cells].mean(axis=1)[:, 0] > 1).astype(np.int64)
    for part, titles in ((None, ["ecs #0", "ecs #1"]), ("neuropil", ["ecs", "ecs/neuropil"])):
        regions = (Region("ecs"), Region("ecs", 0.2, 1.6, part))
        report = quality_report(Tetrahedra(mesh.points, mesh.cells, half, regions, mesh.membranes))
        assert list(report.regions) == titles
