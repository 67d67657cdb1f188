"""The tripartite synapse: conforming membranes, sizes, ER within the process, messages."""

from itertools import combinations
from math import dist, pi

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.quality import radius_ratio
from spatial.geometry.surfaces import void_volumes
from spatial.geometry.tetrahedra import OUTSIDE, Tetrahedra, interfaces, piece_labels, triangle_areas
from spatial.geometry.tripartite import REGIONS, Tripartite, tripartite

BOUNDS = {
    "plasma membrane": {"cytosol", "ecs"},
    "er membrane": {"er", "cytosol"},
    "presynaptic membrane": {"bouton", "ecs"},
    "postsynaptic membrane": {"spine", "ecs"},
    "far boundary": {"ecs", OUTSIDE},
}


@pytest.fixture(scope="module")
def shape() -> Tripartite:
    return Tripartite(resolution=2.0)


@pytest.fixture(scope="module")
def mesh(shape: Tripartite) -> Tetrahedra:
    return tripartite(shape)


def volume(mesh: Tetrahedra, region: int) -> float:
    return mesh.volumes[mesh.region == region].sum()


def places(mesh: Tetrahedra) -> np.ndarray:
    return np.array([mesh.place_names.index(region.place) for region in mesh.regions])[mesh.region]


def test_each_membrane_is_all_faces_between_exactly_two_places_and_there_are_no_others(mesh):
    found = interfaces(mesh.cells, places(mesh), mesh.place_names)
    assert {frozenset(pair) for pair in found} == {frozenset(pair) for pair in BOUNDS.values()}
    for name, pair in BOUNDS.items():
        (faces,) = (faces for each, faces in found.items() if set(each) == pair)
        assert {tuple(sorted(face)) for face in faces.tolist()} == {
            tuple(sorted(face)) for face in mesh.membranes[name].tolist()}


def test_the_volumes_of_all_regions_add_up_to_what_the_far_boundary_encloses(mesh):
    assert mesh.volumes.min() > 0
    enclosed = void_volumes(mesh.points, mesh.membranes["far boundary"]).volumes
    assert mesh.volumes.sum() == pytest.approx(enclosed[0], rel=1e-12)
    assert len(enclosed) == 1


def test_the_outer_ball_has_its_radius(shape, mesh):
    far = np.unique(mesh.membranes["far boundary"])
    assert np.allclose(np.linalg.norm(mesh.points[far], axis=1), shape.surround, rtol=1e-9)


def test_membranes_point_out_of_the_cells(mesh):
    for name in ("plasma membrane", "er membrane", "presynaptic membrane", "postsynaptic membrane"):
        a, b, c = (mesh.points[mesh.membranes[name][:, k]] for k in range(3))
        assert np.einsum("ij,ij->i", np.cross(a, b), c).sum() > 0


@pytest.mark.parametrize("cleft", [0.02, 0.03])
def test_the_cleft_has_the_width_asked_for_and_vertices_inside(cleft):
    mesh = tripartite(Tripartite(cleft=cleft, resolution=2.0))
    flat = {}
    for name in ("presynaptic membrane", "postsynaptic membrane"):
        corners = mesh.points[mesh.membranes[name]]
        inner = np.hypot(corners[..., 0], corners[..., 1]).max(axis=1) < 0.15
        flat[name] = corners[inner & (np.abs(corners[..., 2]).max(axis=1) < cleft)][..., 2]
    assert flat["presynaptic membrane"].min() - flat["postsynaptic membrane"].max() == pytest.approx(cleft, abs=1e-9)
    assert np.ptp(flat["presynaptic membrane"]) < 1e-9
    middle = mesh.points[np.abs(mesh.points[:, 2]) < 1e-9]
    assert (np.hypot(middle[:, 0], middle[:, 1]) < 0.14).sum() > 20


def test_the_active_zone_has_the_area_of_a_psd(mesh):
    faces = mesh.membranes["presynaptic membrane"]
    flat = np.abs(mesh.points[faces][..., 2] - 0.01).max(axis=1) < 1e-9
    assert triangle_areas(mesh.points, faces[flat]).sum() == pytest.approx(0.069, rel=0.03)


def test_bouton_and_spine_have_the_volumes_of_ca1(mesh):
    assert volume(mesh, 4) == pytest.approx(0.12, rel=0.15)
    assert volume(mesh, 5) == pytest.approx(0.054, rel=0.15)


def test_the_er_stays_30_nm_inside_the_plasma_membrane(mesh):
    from scipy.spatial import cKDTree

    er = mesh.points[np.unique(mesh.membranes["er membrane"])]
    outer = mesh.points[mesh.membranes["plasma membrane"]].mean(axis=1)
    assert cKDTree(outer).query(er)[0].min() > 0.030
    assert len(void_volumes(mesh.points, mesh.membranes["er membrane"]).volumes) == 1


def test_the_arm_lies_a_sheet_away_from_bouton_and_spine(shape):
    for centre, radius in ((shape.bouton, shape.bouton_radius), (shape.head, shape.head_radius)):
        gap = dist(shape.arm, centre) - radius - shape.arm_radius
        assert gap == pytest.approx(shape.sheet, abs=1e-12)


def test_every_place_is_in_one_piece(mesh):
    for place in mesh.place_names:
        assert piece_labels(mesh.cells[mesh.cells_of(place)]).max() == 0


def test_neighbours_are_vertices_of_the_surround_spread_from_near_to_far(shape, mesh):
    positions = np.array(shape.neighbours)
    offset = np.linalg.norm(mesh.points[None] - positions[:, None], axis=2)
    assert offset.min(axis=1).max() < 1e-12
    around = np.isin(mesh.cells, offset.argmin(axis=1)).any(axis=1)
    assert (mesh.region[around] == 1).all()
    distance = np.linalg.norm(positions, axis=1)
    assert len(positions) >= 8
    assert distance.min() < 0.7
    assert 1.9 < distance.max() < 2.1
    assert min(dist(a, b) for a, b in combinations(shape.neighbours, 2)) > 0.4


def test_clearance_is_zero_on_the_cells_and_equals_the_shell_around_it(shape, mesh):
    cells = np.unique(np.concatenate([mesh.membranes[name] for name in (
        "plasma membrane", "presynaptic membrane", "postsynaptic membrane")]))
    shell = np.intersect1d(mesh.cells[mesh.region == 0], mesh.cells[mesh.region == 1])
    on_cells = [shape.clearance(tuple(point)) for point in mesh.points[cells]]
    on_shell = [shape.clearance(tuple(point)) for point in mesh.points[shell]]
    assert np.abs(np.median(on_cells)) < 1e-6
    assert np.median(on_shell) == pytest.approx(shape.shell, abs=1e-6)


def test_only_the_surround_is_homogenised():
    assert [(each.place, each.volume_fraction, each.tortuosity) for each in REGIONS[:2]] == [
        ("ecs", 1.0, 1.2), ("ecs", 0.2, 1.6)]
    assert all(each.volume_fraction == each.tortuosity == 1.0 for each in REGIONS[2:])


def test_cells_are_well_shaped_and_few(mesh):
    assert radius_ratio(mesh.points, mesh.cells).min() > 0.1
    assert len(mesh.points) < 7000


@pytest.mark.slow
def test_the_default_mesh_is_well_shaped_and_of_the_promised_size():
    mesh = tripartite()
    assert radius_ratio(mesh.points, mesh.cells).min() > 0.1
    assert 15000 < len(mesh.points) < 25000
    assert volume(mesh, 1) + volume(mesh, 0) == pytest.approx(4 / 3 * pi * 27 - 0.267, rel=0.01)


@pytest.mark.parametrize(("sizes", "message"), [
    ({"cleft": -0.02}, r"Tripartite: cleft is -0.02; it must be a finite number > 0"),
    ({"head_radius": 0.1}, r"synapse_radius is 0.148; it must be less than head_radius, which is 0.1"),
    ({"surround": 1.2}, r"reach is 1.55712; it must be less than surround, which is 1.2"),
    ({"arm_angle": 350.0}, r"arm_angle is 350 degrees; it must be 330 or less"),
    ({"neighbours": ((0.3, 0.0, 0.0),)}, r"neighbour 0 at \(0.3, 0, 0\) um must lie 0.1 um or more outside"),
    ({"neighbours": ((0.0, 0.0, 2.95),)}, r"neighbour 0 .* must lie in the surround, whose radius is 3 um"),
    ({"neighbours": ((0.0, 0.0, 2.0), (0.0, 0.0, 2.05))}, r"neighbours 0 and 1 are 0.05 um apart"),
])
def test_sizes_that_do_not_fit_are_named(sizes, message):
    with pytest.raises(InputError, match=message):
        Tripartite(**sizes)


def test_cells_that_touch_are_named():
    with pytest.raises(InputError, match="these sizes leave no room between cytosol and bouton"):
        tripartite(Tripartite(axon_radius=0.29, axon_length=1.2, resolution=2.0))
