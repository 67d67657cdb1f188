"""Control volumes: what a discrete operator must keep of the continuous one."""

import numpy as np
import pytest
from scipy.spatial import Delaunay
from toy_places import random_tetrahedra

from spatial._engine.operators.diffusion import fluxes, stiffness
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise, volume_place
from spatial.geometry.grid import grid, in_homogenised_tissue
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import positively_oriented
from spatial.geometry.tetrahedra import OUTSIDE, Region, Tetrahedra, cell_volumes, interfaces, triangle_areas


def random_cube(regions: tuple[Region, ...], seed: int = 2) -> Tetrahedra:
    """A unit cube of a jittered lattice, cut at x = 1/2 into two regions when there are two."""
    axes = np.linspace(0, 1, 7)
    points = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"), axis=-1).reshape(-1, 3)
    free = (points > 0) & (points < 1) & (np.abs(points - 0.5) > 1e-9)
    points += free * np.random.default_rng(seed).uniform(-0.03, 0.03, points.shape)
    cells = positively_oriented(points, Delaunay(points).simplices.astype(np.int64))
    cells = cells[cell_volumes(points, cells) > 1e-12]
    x = points[cells][:, :, 0].mean(axis=1)
    label = (x > 0.5).astype(np.int64) if len(regions) == 2 else np.zeros(len(cells), np.int64)
    names = [region.place for region in regions]
    faces = interfaces(cells, label, [str(k) for k in range(len(names))])
    membranes = {"left wall": faces["0", OUTSIDE]}
    if len(set(names)) == 2:
        membranes["partition"] = faces["0", "1"]
    return Tetrahedra(points, cells, label, regions, membranes)


TWO_PLACES = (Region("left"), Region("right"))
HALF_HOMOGENISED = (Region("ecs"), Region("ecs", volume_fraction=0.2, tortuosity=1.6))


@pytest.mark.parametrize("seed", range(5))
def test_stiffness_is_symmetric_with_rows_that_sum_to_zero(seed):
    place = random_tetrahedra(seed)
    K = stiffness(place)
    assert (place.transmissibility < 0).any()
    assert abs(K - K.T).max() == 0.0
    assert np.abs(K @ np.ones(len(place))).max() < 1e-12 * abs(K).max()


@pytest.mark.parametrize("seed", range(5))
def test_diffusion_only_smooths_even_where_links_have_the_wrong_sign(seed):
    eigenvalues = np.linalg.eigvalsh(stiffness(random_tetrahedra(seed)).toarray())
    assert eigenvalues[0] > -1e-10 * eigenvalues[-1]
    assert eigenvalues[1] > 1e-10 * eigenvalues[-1]


@pytest.mark.parametrize("seed", range(5))
def test_a_linear_field_leaves_every_inner_control_volume_in_balance(seed):
    place = random_tetrahedra(seed)
    slope = np.array([2.0, -3.0, 5.0])
    outflow = stiffness(place) @ (1.0 + place.centres @ slope)
    inner = ((place.centres > 0) & (place.centres < 1)).all(axis=1)
    assert inner.sum() > 5
    assert np.abs(outflow[inner]).max() < 1e-11 * np.abs(outflow).max()


@pytest.mark.parametrize("seed", range(5))
def test_the_energy_of_a_linear_field_is_its_slope_squared_times_the_volume(seed):
    place = random_tetrahedra(seed)
    slope = np.array([2.0, -3.0, 5.0])
    c = place.centres @ slope
    assert c @ stiffness(place) @ c == pytest.approx(slope @ slope * place.total, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_volumes_sum_to_the_volume_of_the_domain(seed):
    place = random_tetrahedra(seed)
    assert place.total == pytest.approx(1.0, rel=1e-9)


def test_areas_of_a_membrane_sum_to_the_area_of_its_surface():
    shape = random_cube((Region("cytosol"),))
    wall = discretise(shape)["left wall"]
    assert wall.total == pytest.approx(6.0, rel=1e-12)
    assert wall.total == pytest.approx(triangle_areas(shape.points, shape.membranes["left wall"]).sum(), rel=1e-12)


def test_each_membrane_element_touches_the_volume_at_its_own_position():
    mesh = discretise(random_cube(TWO_PLACES))
    partition = mesh["partition"]
    assert set(partition.touches) == {"left", "right"}
    assert set(mesh["left wall"].touches) == {"left"}
    for name, index in partition.touches.items():
        np.testing.assert_array_equal(mesh[name].centres[index], partition.centres)


def test_a_membrane_is_sealed():
    mesh = discretise(random_cube(TWO_PLACES))
    assert mesh["partition"].total == pytest.approx(1.0, rel=1e-12)
    for name, side in {"left": -1, "right": 1}.items():
        place = mesh[name]
        assert place.total == pytest.approx(0.5, rel=1e-12)
        assert (side * (place.centres[:, 0] - 0.5) > -1e-12).all()
        assert np.abs(stiffness(place) @ np.ones(len(place))).max() < 1e-12


def test_regions_of_one_place_are_joined():
    one, two = discretise(random_cube((Region("ecs"),)))["ecs"], discretise(random_cube((Region("ecs"),) * 2))["ecs"]
    assert len(one) == len(two)
    assert abs(stiffness(one) - stiffness(two)).max() < 1e-13


def test_a_homogenised_region_counts_with_its_volume_fraction_and_tortuosity():
    resolved, homogenised = 0.5, 0.5
    place = discretise(random_cube(HALF_HOMOGENISED))["ecs"]
    assert place.total == pytest.approx(resolved + 0.2 * homogenised, rel=1e-12)
    y = place.centres[:, 1]
    energy = resolved + 0.2 / 1.6 ** 2 * homogenised
    assert y @ stiffness(place) @ y == pytest.approx(energy, rel=1e-12)


def test_what_leaves_an_element_is_the_sum_of_its_fluxes():
    place = random_tetrahedra(3)
    c, D = np.random.default_rng(0).random(len(place)), 7.0
    through, (i, j) = fluxes(place, c, D), place.links.T
    n = len(place)
    np.testing.assert_allclose(np.bincount(i, through, n) - np.bincount(j, through, n), D * stiffness(place) @ c,
                               atol=1e-11 * np.abs(through).max())


def test_a_grid_fills_its_box_with_alpha_and_conducts_alpha_over_lambda_squared():
    lower, upper = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 0.5, 3.0])
    place = grid("ecs", lower, upper, 0.24, volume_fraction=0.2, tortuosity=1.6)
    assert place.total == pytest.approx(0.2 * np.prod(upper - lower), rel=1e-12)
    assert (place.transmissibility > 0).all()
    for k, edge in enumerate((2.0 / 8, 0.5 / 2, 1.0 / 4)):
        x, span = place.centres[:, k], upper[k] - lower[k]
        assert x.min() == pytest.approx(lower[k] + edge / 2)
        expected = 0.2 / 1.6 ** 2 * np.prod(upper - lower) * (1 - edge / span)
        assert x @ stiffness(place) @ x == pytest.approx(expected, rel=1e-12)


def test_a_membrane_in_homogenised_tissue_touches_the_brick_at_its_position():
    shape = random_cube((Region("cytosol"),))
    cell = discretise(Tetrahedra(shape.points, shape.cells, shape.region, shape.regions,
                                 {"plasma membrane": shape.membranes["left wall"]}))
    mesh = in_homogenised_tissue(cell, margin=0.5, spacing=0.1)
    membrane, tissue = mesh["plasma membrane"], mesh["ecs"]
    away = np.abs(tissue.centres[membrane.touches["ecs"]] - membrane.centres)
    assert away.max() <= 0.05 + 1e-12
    assert tissue.total == pytest.approx(0.2 * 2.0 ** 3, rel=1e-12)
    assert set(membrane.touches) == {"cytosol", "ecs"}


def test_an_inverted_tetrahedron_is_refused():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(InputError, match=r"^'spine' has 1 inverted or flat tetrahedra; repair the mesh first$"):
        volume_place("spine", points, np.array([[0, 2, 1, 3]]))


def test_a_grid_turned_inside_out_is_refused():
    with pytest.raises(InputError, match="upper must exceed lower on each axis"):
        grid("ecs", [0, 0, 0], [1, -1, 1], 0.1)
    with pytest.raises(InputError, match=r"^grid spacing is -1; it must be a finite number > 0$"):
        grid("ecs", [0, 0, 0], [1, 1, 1], -1.0)


@pytest.mark.parametrize(("changed", "message"), [
    ({"dimension": 1}, "has dimension 1; it must be 3, 2 or 0"),
    ({"measure": np.array([1.0, 0.0])}, "has an element whose measure is not a positive number"),
    ({"measure": np.array([1.0, np.nan])}, "has an element whose measure is not a positive number"),
    ({"centres": np.zeros((3, 3))}, r"has centres of shape \(3, 3\), not \(2, 3\)"),
    ({"links": np.array([[0, 2]])}, r"has a link to an element outside 0\.\.1"),
    ({"transmissibility": np.ones(2)}, "has 1 links but 2 transmissibilities"),
    ({"transmissibility": np.array([np.inf])}, "has a transmissibility that is not a finite number"),
    ({"touches": {"er": np.zeros(3, np.int64)}}, "touches 'er' with 3 entries, not 2"),
])
def test_a_place_that_does_not_fit_together_is_refused(changed, message):
    good = {"name": "cytosol", "dimension": 3, "measure": np.ones(2), "centres": np.zeros((2, 3)),
            "links": np.array([[0, 1]]), "transmissibility": np.ones(1)}
    Place(**good)
    with pytest.raises(InputError, match=f"^place 'cytosol' {message}$"):
        Place(**{**good, **changed})


def test_a_mesh_says_which_places_it_has():
    mesh = Mesh.of(grid("ecs", [0, 0, 0], [1, 1, 1], 0.5))
    with pytest.raises(InputError, match=r"^no place 'er' in this mesh; it has \['ecs'\]$"):
        mesh["er"]


def test_elements_of_a_tetrahedral_mesh_are_numbered_near_their_neighbours():
    place = discretise(shapes.ball(0.5, 0.07))["cytosol"]
    assert np.abs(np.diff(place.links, axis=1)).max() < 0.35 * len(place)
