"""Points, contacts and elements that a script chooses: lists will do, and what are none are refused in a sentence."""

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.model import Species
from spatial.observe.probes import at_elements


def membrane() -> Mesh:
    """A membrane of four elements on a volume."""
    centres = np.array([(x + 0.5, 0.5, 0.5) for x in range(4)])
    return Mesh.of(grid("cytosol", (0, 0, 0), (4, 1, 1), 1.0),
                   Place("membrane", 2, np.ones(4), centres, touches={"cytosol": np.arange(4)}))


def test_a_contact_may_be_a_list() -> None:
    mesh = Mesh.of(pool("cell", np.ones(2)), pool("gone", [1.0])).touching("cell", "gone", [0, 0])
    assert mesh["cell"].touches["gone"].tolist() == [0, 0]


@pytest.mark.parametrize("index", ["gone", None, [0.0, 0.0], 0, [[0], [0]]])
def test_a_contact_that_is_no_list_of_elements_is_refused(index) -> None:
    with pytest.raises(InputError, match=r"^[Pp]lace.* touches "):
        Mesh.of(pool("cell", np.ones(2)), pool("gone", [1.0])).touching("cell", "gone", index)


@pytest.mark.parametrize("positions", [[(0.5, 0.5)], [], (1.0,), np.zeros((2, 2, 3))])
def test_points_that_are_no_positions_are_refused(positions) -> None:
    with pytest.raises(InputError, match=r"^sites: positions: they have shape .*; give \(k, 3\) numbers"):
        membrane().with_points("sites", positions, touching=["cytosol"])


@pytest.mark.parametrize("touching", ["cytosol", [], 3])
def test_points_that_touch_no_list_of_places_are_refused(touching) -> None:
    with pytest.raises(InputError, match=r"^sites: touching is "):
        membrane().with_points("sites", [(0.5, 0.5, 0.5)], touching=touching)


@pytest.mark.parametrize(("elements", "message"), [
    ([7], "sites: elements go from 7 to 7; 'membrane' has 0..3"),
    ([-1], "sites: elements go from -1 to -1; 'membrane' has 0..3"),
    (np.array([True, False, False, True]), "sites: elements are of type bool; give the numbers of elements"),
    ([0.5], "sites: elements are of type float64; give the numbers of elements"),
    (3, r"sites: elements have shape \(\); give the numbers of one or more in a row")])
def test_elements_that_a_membrane_does_not_have_are_refused(elements, message) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        membrane().with_points_on("sites", "membrane", elements)


def test_a_mask_is_no_list_of_elements_to_watch() -> None:
    with pytest.raises(InputError, match=r"^elements of 'a' are of type bool; give the numbers of elements"):
        at_elements(Species("a", pool("cell", np.ones(2))), np.array([True, False]))
