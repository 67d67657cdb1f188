"""Media in which a molecule spreads better along some axes than along others (biophysics A7)."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial import Delaunay

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.discretise import discretise, volume_place
from spatial.geometry.grid import grid, in_homogenised_tissue
from spatial.geometry.load import load, save
from spatial.geometry.shapes import box, positively_oriented
from spatial.geometry.tetrahedra import Region, cell_volumes
from spatial.geometry.tortuosity import conduction
from spatial.geometry.well_mixed import well_mixed
from spatial.model import Model, Species
from spatial.observe.probes import each, total
from spatial.simulate import simulate

PRINCIPAL = (1.2, 1.6, 2.1)


def turned(values=PRINCIPAL, angle=0.6):
    """L with these principal values, along x, y, z turned about an oblique axis."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    K = np.cross(np.eye(3), axis)
    R = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    return R @ np.diag(values) @ R.T


# The tensor itself

def test_a_number_and_three_equal_ones_and_a_matrix_with_them_conduct_alike():
    expected = np.eye(3) / 1.6**2
    for value in (1.6, (1.6, 1.6, 1.6), tuple(map(tuple, 1.6 * np.eye(3)))):
        np.testing.assert_allclose(conduction(value), expected, rtol=1e-14)
    np.testing.assert_allclose(conduction(PRINCIPAL), np.diag(1 / np.square(PRINCIPAL)), rtol=1e-14)


def test_a_turned_medium_conducts_as_its_principal_values_say_along_its_own_axes():
    found, own = np.linalg.eigh(conduction(tuple(map(tuple, turned()))))
    np.testing.assert_allclose(found[::-1], 1 / np.square(PRINCIPAL), rtol=1e-12)
    np.testing.assert_allclose(own @ np.diag(found) @ own.T, conduction(tuple(map(tuple, turned()))), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_field_is_exact_for_a_tensor_on_random_tetrahedra(seed):
    """Inside nothing is gained, and the whole dissipates g . T g times the volume, for every gradient g."""
    rng = np.random.default_rng(seed)
    points = np.clip(rng.uniform(-0.2, 1.2, (80, 3)), 0, 1)
    points = np.vstack([points, np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(-1, 3)])
    points = np.unique(points, axis=0)
    cells = positively_oriented(points, Delaunay(points).simplices.astype(np.int64))
    cells = cells[cell_volumes(points, cells) > 1e-9]
    T = conduction(turned())
    K = stiffness(volume_place("ecs", points, cells, 1.0, np.broadcast_to(T, (len(cells), 3, 3))))
    inner = ((points > 0) & (points < 1)).all(axis=1)
    assert inner.sum() > 5
    for g in rng.normal(size=(4, 3)):
        c = points @ g
        assert np.abs((K @ c)[inner]).max() < 1e-11
        assert c @ K @ c == pytest.approx(g @ T @ g * cell_volumes(points, cells).sum(), rel=1e-9)


def test_tetrahedra_with_a_number_are_those_with_the_matrix_it_stands_for():
    plain, same = (discretise(box((1.0, 0.8, 0.6), 0.3, Region("ecs", 0.2, value)))["ecs"]
                   for value in (1.6, 1.6 * np.eye(3)))
    np.testing.assert_allclose(same.transmissibility, plain.transmissibility, atol=1e-13)
    np.testing.assert_array_equal(same.measure, plain.measure)


def test_flux_through_a_slab_with_turned_axes_is_that_of_its_normal():
    """With c = x the flux through a face across x is alpha (T n) . n per area."""
    alpha = 0.2
    place = discretise(box((0.3, 1.0, 1.0), 0.15, Region("ecs", alpha, turned())))["ecs"]
    c = place.centres[:, 0]
    out = stiffness(place) @ c
    T, (x, y, z) = conduction(turned()), place.centres.T
    right = (np.abs(x - 0.3) < 1e-9) & (y > 1e-9) & (y < 1 - 1e-9) & (z > 1e-9) & (z < 1 - 1e-9)
    area = np.array([facet_area(place, k) for k in np.flatnonzero(right)])
    np.testing.assert_allclose(out[right] / area, alpha * T[0, 0], rtol=1e-9)


def facet_area(place, vertex):
    """The part of the right face of the slab that belongs to a vertex."""
    corners = place.cells[(place.cells == vertex).any(axis=1)]
    on = np.abs(place.centres[corners][..., 0] - 0.3) < 1e-9
    found = 0.0
    for cell, mask in zip(corners, on, strict=True):
        if mask.sum() == 3:
            a, b, c = place.centres[cell[mask]]
            found += np.linalg.norm(np.cross(b - a, c - a)) / 6
    return found


# A spreading cloud

def moments(place, D, until, width, middle):
    """Second moments gained by a Gaussian cloud in the middle, above an even background, over 2 t."""
    x = place.centres - middle
    start = 0.1 + np.exp(-(x**2).sum(axis=1) / (2 * width**2))
    c = Species("c", place, start, D=D)
    run = simulate(Model([c]), until, [each(c), total(c)], tolerance=Tolerance(1e-4))

    def second(values):
        weight = (values - 0.1) * place.measure
        return np.einsum("n,ni,nj->ij", weight, x, x) / weight.sum()

    assert run["total c"][-1] == pytest.approx(run["total c"][0], rel=1e-12)
    return (second(run["c"][-1]) - second(run["c"][0])) / (2 * until)


def test_a_cloud_on_a_grid_spreads_along_each_axis_as_its_tortuosity_says():
    D = 100.0
    place = grid("ecs", [-0.5] * 3, [0.5] * 3, 1 / 25, 0.2, PRINCIPAL)
    gained = moments(place, D, 4e-5, 0.08, 0.0)
    np.testing.assert_allclose(np.diag(gained), D / np.square(PRINCIPAL), rtol=2e-3)
    assert np.abs(gained - np.diag(np.diag(gained))).max() < 1e-4 * D


@pytest.mark.parametrize("tortuosity", [PRINCIPAL, turned()], ids=["along the axes", "turned"])
def test_a_cloud_on_tetrahedra_spreads_as_the_tensor_says(tortuosity):
    D = 100.0
    place = discretise(box((1.0, 1.0, 1.0), 0.07, Region("ecs", 0.2, tortuosity)))["ecs"]
    gained = moments(place, D, 4e-5, 0.12, 0.5)
    expected = D * conduction(Region("ecs", 0.2, tortuosity).tortuosity)
    np.testing.assert_allclose(gained, expected, atol=0.01 * expected.max())


def test_a_cloud_from_one_element_stays_positive_in_a_turned_medium():
    place = discretise(box((1.0, 1.0, 1.0), 0.2, Region("ecs", 0.2, turned((1.0, 1.5, 3.0)))))["ecs"]
    start = np.zeros(len(place))
    start[place.nearest(np.full((1, 3), 0.5))] = 1.0
    c = Species("c", place, start, D=100.0)
    run = simulate(Model([c]), 0.2, [each(c), total(c)])
    assert run["c"].min() >= 0.0
    np.testing.assert_allclose(run["total c"], run["total c"][0], rtol=1e-12)
    np.testing.assert_allclose(run["c"][-1], run["total c"][0] / place.total, rtol=0.05)


# Grids

def test_graded_bricks_are_exact_for_linear_fields_along_each_axis():
    edges = [np.array([0.0, 0.1, 0.4, 1.0]), np.array([-1.0, 0.0, 0.1]), np.geomspace(0.1, 2.0, 6)]
    place = graded_grid("ecs", edges, 0.2, PRINCIPAL)
    assert place.total == pytest.approx(0.2 * np.prod([values[-1] - values[0] for values in edges]), rel=1e-12)
    for k, values in enumerate(edges):
        x = place.centres[:, k]
        across = (values[-1] + values[-2] - values[0] - values[1]) / 2 / (values[-1] - values[0])
        expected = 0.2 / PRINCIPAL[k] ** 2 * place.total / 0.2 * across
        assert x @ stiffness(place) @ x == pytest.approx(expected, rel=1e-12)


def test_bricks_of_two_media_pass_half_of_each_in_series():
    alpha, slow = np.array([[[1.0]], [[0.2]]]), np.array([[[1.2]], [[1.6]]])
    place = graded_grid("ecs", [[0.0, 0.1, 0.5], [0.0, 1.0], [0.0, 1.0]], alpha, slow)
    np.testing.assert_allclose(place.measure, [0.1, 0.08])
    resistance = 0.05 * 1.2**2 / 1.0 + 0.2 * 1.6**2 / 0.2
    np.testing.assert_allclose(place.transmissibility, [1 / resistance])


def test_bricks_of_volume_fraction_zero_are_left_out():
    alpha = np.ones((3, 3, 3))
    alpha[1, 1, 1] = 0.0
    place = graded_grid("ecs", [np.arange(4.0)] * 3, alpha)
    assert len(place) == 26
    assert len(place.links) == 54 - 6
    assert not (np.abs(place.centres - 1.5).max(axis=1) < 0.1).any()


def test_an_even_grid_is_a_graded_one_of_even_edges():
    even = grid("ecs", [0, 0, 0], [1.0, 0.5, 0.2], 0.1, 0.2, PRINCIPAL)
    same = graded_grid("ecs", [np.arange(11) / 10, np.arange(6) / 10, np.arange(3) / 10], 0.2, PRINCIPAL)
    np.testing.assert_allclose(even.centres, same.centres, atol=1e-15)
    np.testing.assert_allclose(even.transmissibility, same.transmissibility, rtol=1e-12)
    np.testing.assert_array_equal(even.links, same.links)


def test_stretched_edges_are_even_inside_and_grow_outside():
    edges = stretched_edges(-1.0, 1.0, 0.1, reach=20.0, growth=1.5)
    steps = np.diff(edges)
    np.testing.assert_allclose(steps[(edges[:-1] > -1.01) & (edges[1:] < 1.01)], 0.1)
    outer = steps[edges[:-1] > 0.89]  # from the last even brick on
    np.testing.assert_allclose(outer[1:] / outer[:-1], 1.5)
    np.testing.assert_allclose(edges, -edges[::-1], atol=1e-12)
    assert 21.0 <= edges[-1] < 35.0


def test_homogenised_tissue_around_a_cell_takes_a_tortuosity_along_each_axis():
    mesh = in_homogenised_tissue(well_mixed({"cytosol": 1.0}, {"plasma membrane": (1.0, ["cytosol"])}),
                                 tortuosity=PRINCIPAL)
    ratio = mesh["ecs"].transmissibility.max() / mesh["ecs"].transmissibility.min()
    assert ratio == pytest.approx((PRINCIPAL[2] / PRINCIPAL[0]) ** 2)


# Regions in files

@pytest.mark.parametrize("tortuosity", [1.6, (1.5, 1.6, 1.7), turned()], ids=["number", "three", "matrix"])
def test_a_region_with_a_tortuosity_is_saved_and_loaded(tmp_path, tortuosity):
    region = Region("ecs", 0.2, tortuosity, part="neuropil")
    save(box((1.0, 1.0, 1.0), 0.5, region), tmp_path / "ecs.msh")
    found = load(tmp_path / "ecs.msh").regions[0]
    assert found == region
    assert hash(found) == hash(region)


def test_a_matrix_may_be_given_by_its_six_or_nine_numbers(tmp_path):
    save(box((1.0, 1.0, 1.0), 0.5), tmp_path / "box.msh")
    six, nine = (load(tmp_path / "box.msh", names={1: f"ecs tortuosity={words}"}).regions[0]
                 for words in ("1.5,0.1,0.2,1.6,0.3,1.7", "1.5,0.1,0.2,0.1,1.6,0.3,0.2,0.3,1.7"))
    assert six == nine == Region("ecs", tortuosity=((1.5, 0.1, 0.2), (0.1, 1.6, 0.3), (0.2, 0.3, 1.7)))


def test_regions_are_compared_by_value_and_can_be_keys():
    assert Region("ecs", tortuosity=[1.5, 1.6, 1.7]) == Region("ecs", tortuosity=np.array([1.5, 1.6, 1.7]))
    assert len({Region("ecs", tortuosity=turned()), Region("ecs", tortuosity=turned().tolist())}) == 1


# Messages

WRONG: list[tuple[Any, str]] = [
    (0.0, "tortuosity is 0; it must be a finite number > 0"),
    ((1.5, -1.0, 1.5), "tortuosity along y is -1; it must be a finite number > 0"),
    ((1.5, 1.6), r"tortuosity is \(1.5, 1.6\); it must be a number, three along x, y, z, or a 3 x 3 matrix"),
    ("high", "tortuosity is 'high'; it must be a number, three"),
    (((1, 0.5, 0), (0, 1, 0), (0, 0, 1)), "tortuosity is the matrix .*; it must be symmetric and positive definite"),
    (np.diag([1.0, 1.0, -1.0]), "tortuosity is the matrix .*; it must be symmetric and positive definite"),
    (np.full((3, 3), np.nan), "tortuosity is the matrix .*; it must be symmetric and positive definite")]


@pytest.mark.parametrize(("value", "message"), WRONG, ids=str)
def test_a_tortuosity_that_makes_no_sense_is_refused(value, message):
    with pytest.raises(InputError, match="region 'ecs': " + message):
        Region("ecs", 0.2, value)
    with pytest.raises(InputError, match=f"grid 'ecs': {message}|grid: tortuosity is .*; it must be a finite number"):
        grid("ecs", [0, 0, 0], [1, 1, 1], 0.5, 0.2, value)


def test_a_grid_refuses_a_turned_tensor_and_says_what_takes_it():
    with pytest.raises(InputError, match=r"'ecs': tortuosity is a matrix; bricks take a number, or three .*: use"):
        grid("ecs", [0, 0, 0], [1, 1, 1], 0.5, 0.2, turned())


@pytest.mark.parametrize(("words", "message"), [
    ("1.5,1.6", "must be a place, and may have .* 1, 3, 6 or 9 numbers with commas"),
    ("1,2,0,1,0,1", "region 'ecs tortuosity=1,2,0,1,0,1': tortuosity is the matrix .*; it must be symmetric and pos"),
    ("-1", "region 'ecs tortuosity=-1': tortuosity is -1; it must be")])
def test_a_region_name_with_a_wrong_tortuosity_is_named(tmp_path, words, message):
    save(box((1.0, 1.0, 1.0), 0.5), tmp_path / "box.msh")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "box.msh", names={1: f"ecs tortuosity={words}"})


@pytest.mark.parametrize(("edges", "options", "message"), [
    ([[0, 1], [0, 1], [1, 0]], {}, "grid 'ecs' has edges along z that are not two or more rising numbers"),
    ([[0, 1], [0], [0, 1]], {}, "grid 'ecs' has edges along y that"),
    ([[0, 1]] * 3, {"volume_fraction": np.ones((2, 1, 1))}, r"volume_fraction has shape \(2, 1, 1\); the grid has"),
    ([[0, 1]] * 3, {"volume_fraction": np.zeros((1, 1, 1))}, "volume_fraction goes from 0 to 0; it must be >= 0"),
    ([[0, 1]] * 3, {"tortuosity": np.ones((1, 2, 1))}, r"tortuosity has shape \(1, 2, 1\); the grid has"),
    ([[0, 1]] * 3, {"tortuosity": np.zeros((1, 1, 1))}, "tortuosity is 0; it must be a finite number > 0")])
def test_bricks_that_make_no_sense_are_refused(edges, options, message):
    with pytest.raises(InputError, match=message):
        graded_grid("ecs", edges, **options)


def test_stretched_edges_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match=r"stretched edges grow by 0.5 from 0..1 um; they must grow by >= 1"):
        stretched_edges(0.0, 1.0, 0.1, 1.0, growth=0.5)
    with pytest.raises(InputError, match=r"reach of the stretched bricks \[um\] is 0"):
        stretched_edges(0.0, 1.0, 0.1, 0.0)
