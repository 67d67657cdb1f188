"""Where points may lie: in bricks, voxels and tetrahedra alike; none is moved out of a cell."""

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.shapes import box_without_spheres
from spatial.geometry.store import with_store
from spatial.geometry.tetrahedra import Region
from spatial.geometry.voxels import Labels, voxel_mesh

SIDE, RADIUS = 3.0, 0.8  # um, of a block of ECS and of the cell in its middle
MIDDLE = np.full(3, SIDE / 2)


def labels(inside: Floats) -> Labels:
    return Labels(inside.astype(np.int64), (0.1, 0.1, 0.1))


def around_a_cell(kind: str) -> Mesh:
    """A block of ECS around a ball of cytosol, which is a void in tetrahedra."""
    if kind == "tetrahedra":
        return discretise(box_without_spheres((SIDE,) * 3, [(*MIDDLE, RADIUS)], 0.25, Region("ecs")))
    x = (np.indices((30,) * 3) + 0.5) * 0.1
    inside = np.linalg.norm(x - MIDDLE[:, None, None, None], axis=0) < RADIUS
    if kind == "voxels":
        return voxel_mesh(labels(inside), {"cytosol": 1})
    return Mesh.of(graded_grid("ecs", [np.linspace(0, SIDE, 31)] * 3, (~inside).astype(float)))


def beside(distance: float) -> Floats:
    """The position at a distance from the middle of the cell."""
    return MIDDLE + np.array([distance, 0.0, 0.0])


@pytest.mark.parametrize("kind", ["tetrahedra", "voxels", "bricks"])
def test_a_point_inside_a_cell_is_not_moved_into_the_space_around_it(kind):
    mesh = around_a_cell(kind)
    for position in (MIDDLE, beside(RADIUS - 0.15)):
        with pytest.raises(InputError, match=r"^synapses 1 at \(.*\) um lies outside 'ecs', which spans 0..3 x 0..3 x "
                                             r"0..3 um but has no element there$"):
            mesh.with_points("synapses", [(0.2, 0.2, 0.2), position], touching=["ecs"])
    with pytest.raises(InputError, match=r"^synapses 0 at \(3.01, 1, 1\) um lies outside 'ecs', which spans .* um$"):
        mesh.with_points("synapses", [(SIDE + 0.01, 1.0, 1.0)], touching=["ecs"])
    outside = [beside(RADIUS + 0.15), (0.01, 0.01, 0.01), (2.99, 1, 1)]
    points = mesh.with_points("synapses", outside, touching=["ecs"])["synapses"]
    moved = np.linalg.norm(mesh["ecs"].centres[points.touches["ecs"]] - outside, axis=1)
    assert moved.max() < (0.25 if kind == "tetrahedra" else 0.1 * np.sqrt(3) / 2 + 1e-9)


def test_points_on_the_membrane_of_voxels_lie_on_both_sides_of_it():
    mesh = around_a_cell("voxels")
    membrane = mesh["plasma membrane"]
    for inside, outside in (("cytosol", "ecs"), ("ecs", "cytosol")):
        points = mesh.with_points("sites", membrane.centres, touching=[inside, outside])["sites"]
        apart = np.linalg.norm(mesh[inside].centres[points.touches[inside]] - membrane.centres, axis=1)
        np.testing.assert_allclose(apart, 0.05)


def test_a_point_in_a_sealed_cleft_of_voxels_is_not_moved_out_of_it():
    cells = np.zeros((20, 20, 20))
    cells[5:15, 5:15, 5:15] = 1
    cells[9:11, 7:13, 7:13] = 0  # a cleft that nothing leaves
    with pytest.warns(UserWarning, match="falls into 2 pieces"):
        mesh = voxel_mesh(labels(cells), {"cytosol": 1})
    with pytest.raises(InputError, match=r"'ecs', which spans 0..2 x 0..2 x 0..2 um but has no element there"):
        mesh.with_points("synapses", [(1.0, 1.0, 1.0)], touching=["ecs"])


def test_a_part_of_a_region_holds_what_its_tetrahedra_hold():
    shape = box_without_spheres((SIDE,) * 3, [(*MIDDLE, RADIUS)], 0.3, Region("ecs", 0.2, 1.6, part="neuropil"))
    with pytest.raises(InputError, match=r"'neuropil', which spans 0..3 x 0..3 x 0..3 um but has no element there"):
        discretise(shape).with_points("synapses", [MIDDLE], touching=["neuropil"])


def graded(seed: int) -> tuple[Place, list[Floats], Floats]:
    """A grid of bricks of many sizes, many of which are not there."""
    rng = np.random.default_rng(seed)
    edges = [stretched_edges(-1, 1, 0.1, 3, 2.2), stretched_edges(-0.5, 1, 0.2, 3), np.array([1000.0, 1000.1, 1003.0])]
    filled = (rng.random([len(axis) - 1 for axis in edges]) > 0.4).astype(float)
    return graded_grid("ecs", edges, filled), edges, filled


@pytest.mark.parametrize("seed", range(3))
def test_bricks_of_any_size_contain_what_lies_between_their_edges(seed):
    place, edges, filled = graded(seed)
    lower, upper = (np.array([axis[end] for axis in edges]) for end in (0, -1))
    positions = np.random.default_rng(seed).uniform(lower - 0.3, upper + 0.3, (3000, 3))
    index = np.stack([np.searchsorted(axis, x) for axis, x in zip(edges, positions.T, strict=True)], axis=1)
    expected = np.pad(filled, 1)[tuple(index.T)] > 0
    assert 0.2 < expected.mean() < 0.7
    np.testing.assert_array_equal(place.contains(positions), expected)


def test_bricks_contain_their_faces_and_corners_and_nothing_that_is_no_number():
    place, _, _ = graded(0)
    for way in np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3):
        assert place.contains(place.centres + way * place.sides / 2).all()
    assert not place.contains(np.array([[np.nan, 0.0, 1000.0], [0.0, np.inf, 1000.0]])).any()


def test_an_er_in_some_of_the_bricks_holds_these():
    bricks = Mesh.of(grid("cytosol", (0, 0, 0), (4, 1, 1), 1.0))
    lumen = with_store(bricks, filled=np.array([1.0, 0.0, 0.0, 0.5]))["er"]
    np.testing.assert_array_equal(lumen.contains(np.array([[0.9, 0.1, 0.1], [1.5, 0.5, 0.5], [3.1, 0.9, 0.9]])),
                                  [True, False, True])


def test_sides_that_are_not_those_of_the_elements_are_refused():
    with pytest.raises(InputError, match=r"^place 'box' has sides of shape \(2, 3\), not \(1, 3\)$"):
        Place("box", 3, np.ones(1), np.zeros((1, 3)), sides=np.ones((2, 3)))
