"""Thin cells as trees of slices: exact sizes, and diffusion along them as closed forms have it."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.linalg import spsolve

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.load import load
from spatial.geometry.place import Place
from spatial.geometry.slices import Tree, sliced, surface_of

MESHES = Path(__file__).resolve().parents[1] / "meshes"


def cable(length: float = 4.0, radius: float = 0.25, end: float | None = None) -> Tree:
    return Tree(np.array([(0, 0, 0), (0, 0, length)], float), np.array([-1, 0]),
                np.array([radius, radius if end is None else end]))


def fork() -> Tree:
    """A trunk of two frusta that bends and parts in two branches."""
    nodes = np.array([(0, 0, 0), (1, 0, 0), (1, 0.7, 0), (1, 0.7, 0.9), (1.6, 1.5, 0)])
    return Tree(nodes, np.array([-1, 0, 1, 2, 2]), np.array([0.2, 0.15, 0.1, 0.05, 0.1]))


def frusta(tree: Tree) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Length and the two radii of each."""
    return tree.lengths, tree.radii[tree.parents[1:]], tree.radii[1:]


def resistance(place: Place, one: int, other: int) -> float:
    """Between the middles of two slices, for D = 1 [1/um]."""
    K, flow = stiffness(place).toarray(), np.zeros(len(place))
    flow[one], flow[other] = 1.0, -1.0
    c = np.linalg.lstsq(K, flow, rcond=None)[0]
    return float(c[one] - c[other])


@pytest.mark.parametrize("thickness", [10.0, 0.3, 0.05])
def test_volume_and_membrane_are_those_of_the_frusta_however_thick_the_slices(thickness):
    mesh, (length, near, far) = sliced(fork(), thickness), frusta(fork())
    assert mesh["cytosol"].total == pytest.approx(np.pi / 3 * length @ (near**2 + near * far + far**2), rel=1e-13)
    discs = np.pi * (0.2**2 + 0.05**2 + 0.1**2)  # the root, and the two tips
    sides = np.pi * np.sum((near + far) * np.hypot(length, near - far))
    assert mesh["plasma membrane"].total == pytest.approx(sides + discs, rel=1e-13)


def test_slices_are_as_thin_as_asked_and_one_membrane_element_touches_each():
    mesh = sliced(fork(), 0.1)
    assert len(mesh["cytosol"]) == sum(int(np.ceil(one / 0.1 - 1e-9)) for one in fork().lengths)
    assert np.array_equal(mesh["plasma membrane"].touches["cytosol"], np.arange(len(mesh["cytosol"])))
    apart = np.linalg.norm(np.diff(mesh["cytosol"].centres[mesh["cytosol"].links], axis=1)[:, 0], axis=1)
    assert apart.max() <= 0.1 + 1e-12


def test_what_passes_a_tapering_cable_is_that_of_a_cone():
    place, length, near, far = sliced(cable(2.0, 0.3, 0.1), 0.07)["cytosol"], 2.0, 0.3, 0.1
    (z0, z1), slope = place.centres[[0, -1], 2], (far - near) / length
    expected = (z1 - z0) / (np.pi * (near + slope * z0) * (near + slope * z1))
    assert resistance(place, 0, len(place) - 1) == pytest.approx(expected, rel=1e-12)


def test_where_branches_meet_the_third_carries_nothing_between_the_other_two():
    place, tree = sliced(fork(), 0.1)["cytosol"], fork()
    counts = np.ceil(tree.lengths / 0.1 - 1e-9).astype(int)
    first, last = counts[:2].sum(), counts.sum() - counts[3]  # the first slices of the two branches
    half = [tree.lengths[k] / counts[k] / 2 for k in (2, 3)]
    middle = [0.1 + (end - 0.1) * one / tree.lengths[k] for k, one, end in zip((2, 3), half, (0.05, 0.1), strict=True)]
    expected = sum(one / (np.pi * 0.1 * radius) for one, radius in zip(half, middle, strict=True))
    assert resistance(place, int(first), int(last)) == pytest.approx(expected, rel=1e-12)


def test_diffusion_along_a_cable_is_of_second_order_in_the_slices():
    expected, errors = (np.pi / 4) ** 2, []
    for slices in (20, 40):
        place = sliced(cable(), 4 / slices)["cytosol"]
        rate = eigh(stiffness(place).toarray(), np.diag(place.measure), eigvals_only=True)[1]
        errors.append(abs(rate / expected - 1))
    assert errors[0] < 0.003
    assert np.log2(errors[0] / errors[1]) > 1.9


def test_a_cable_of_slices_and_one_of_tetrahedra_are_even_as_fast():
    tetrahedra = discretise(load(MESHES / "cylinder.msh"))["cytosol"]
    length = np.ptp(tetrahedra.centres, axis=0).max()
    radius = np.sqrt(tetrahedra.total / (np.pi * length))
    rates = []
    for place in (tetrahedra, sliced(cable(float(length), float(radius)), 0.05)["cytosol"]):
        rates.append(slowest(place))
    assert rates[1] == pytest.approx(rates[0], rel=5e-3)


def slowest(place: Place) -> float:
    """Rate of the slowest mode for D = 1, by inverse iteration [1/s]."""
    K, M = stiffness(place), diags_array(place.measure)
    shifted = csr_matrix(K + 1e-3 * M)
    v = place.centres[:, np.ptp(place.centres, axis=0).argmax()].copy()
    for _ in range(6):
        v = spsolve(shifted, place.measure * (v - place.measure @ v / place.total))
        v /= np.abs(v).max()
    return float(v @ (K @ v) / (v @ (place.measure * v)))


def test_the_length_constant_of_a_leaky_cable_is_that_of_cable_theory():
    D, P, radius = 220.0, 50.0, 0.1  # um^2/s, um/s, um
    mesh = sliced(cable(20.0, radius), 0.05)
    place, membrane = mesh["cytosol"], mesh["plasma membrane"].measure.copy()
    membrane[[0, -1]] -= np.pi * radius**2  # sealed ends
    inflow = np.zeros(len(place))
    inflow[0] = 1.0
    c = spsolve(csr_matrix(D * stiffness(place) + diags_array(P * membrane)), inflow)
    near = slice(20, 100)
    measured = -1 / np.polyfit(place.centres[near, 2], np.log(c[near]), 1)[0]
    assert measured == pytest.approx(np.sqrt(D * radius / (2 * P)), rel=3e-3)


def test_the_surface_that_is_drawn_lies_on_the_frusta_and_on_the_balls_at_their_ends():
    tree = cable(2.0, 0.3, 0.1)
    points, triangles = surface_of(tree)
    assert triangles.min() == 0
    assert triangles.max() == len(points) - 1
    beyond = np.linalg.norm(points - np.clip(points, [0, 0, 0], [0, 0, 2]), axis=1)
    assert beyond.max() == pytest.approx(0.3)
    assert points[:, 2].min() == pytest.approx(-0.3)
    assert points[:, 2].max() == pytest.approx(2.1)


@pytest.mark.parametrize(("nodes", "parents", "radii", "said"), [
    (np.zeros((1, 3)), [-1], [1.0], "two nodes or more"),
    (np.eye(3), [-1, 0], [1.0] * 3, "nodes, parents and radii have shapes"),
    (np.eye(3), [-1, 2, 0], [1.0] * 3, "every other node after its parent"),
    (np.eye(3), [0, 0, 0], [1.0] * 3, "the root must come first"),
    (np.eye(3), [-1, 0, 1], [1.0, 0.0, 1.0], "radii positive"),
    (np.ones((3, 3)), [-1, 0, 1], [1.0] * 3, "node 1 lies where its parent lies"),
])
def test_a_tree_that_is_none_is_refused(nodes, parents, radii, said):
    with pytest.raises(InputError, match=said):
        Tree(nodes, np.array(parents), np.array(radii))


def test_slices_have_a_thickness():
    with pytest.raises(InputError, match="thickness is 0; it must be a finite number > 0"):
        sliced(cable(), 0.0)
