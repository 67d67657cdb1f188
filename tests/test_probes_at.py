"""What a species is at positions: interpolated between elements, and refused outside them."""

import re
import time

import numpy as np
import pytest

from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError
from spatial.geometry.bricks import graded_grid
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import ball
from spatial.geometry.shells import shells
from spatial.geometry.voxels import Labels, extracellular
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import Probe, at
from spatial.simulate import simulate


def seen(values, place: Place, positions) -> np.ndarray:
    """What a probe reads of values on a place."""
    a = Species("a", place, values, signed=True)
    return at(a, positions).read({a: np.asarray(values)})


def linear(x) -> np.ndarray:
    return np.asarray(x) @ [1.0, -2.0, 0.5] + 3.0


def skewed(x) -> np.ndarray:
    x, y, z = np.transpose(x)
    return 1 + x + y * z - 2 * x * y * z


RNG = np.random.default_rng(0)
BALL = discretise(ball(0.5, 0.2))["cytosol"]
UNEVEN = graded_grid("ecs", ([0, 0.1, 0.3, 0.7, 1.0], [0, 0.5, 0.7, 1.0], [0, 0.2, 1.0]))
PLACES = {
    "tetrahedra": (BALL, RNG.uniform(-0.28, 0.28, (50, 3))),
    "bricks": (grid("ecs", (0, 0, 0), (1, 1, 2), 0.25), RNG.uniform(0.13, 0.87, (50, 3))),
    "uneven bricks": (UNEVEN, RNG.uniform((0.05, 0.25, 0.1), (0.85, 0.85, 0.6), (50, 3))),
    "one layer": (grid("ecs", (0, 0, 0), (1, 1, 0.25), 0.25),
                  np.c_[RNG.uniform(0.13, 0.87, (50, 2)), np.full(50, 0.125)]),
    "one row": (grid("ecs", (0, 0, 0), (9, 0.1, 0.1), 0.1), np.c_[RNG.uniform(0.1, 8.9, 50), np.full((50, 2), 0.05)]),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_field_that_is_linear_is_read_exactly_between_elements(name):
    place, positions = PLACES[name]
    assert seen(linear(place.centres), place, positions) == pytest.approx(linear(positions), rel=1e-12)


def test_between_eight_bricks_it_is_linear_along_each_axis():
    positions = PLACES["uneven bricks"][1]
    assert seen(skewed(UNEVEN.centres), UNEVEN, positions) == pytest.approx(skewed(positions), rel=1e-12)


def test_at_the_middle_of_an_element_it_is_the_value_of_that():
    for place in (BALL, UNEVEN, PLACES["one row"][0]):
        values = RNG.uniform(0, 1, len(place))
        assert seen(values, place, place.centres) == pytest.approx(values, rel=1e-9)


def test_nothing_read_is_above_or_below_what_is_around_it():
    values = RNG.uniform(0, 1, len(BALL))
    read = seen(values, BALL, RNG.uniform(-0.28, 0.28, (200, 3)))
    assert values.min() <= read.min() < read.max() <= values.max()


def test_between_shells_it_is_linear_in_the_distance():
    place = shells("ecs", np.linspace(0.0, 3.0, 31))
    r = np.array([0.05, 0.333, 1.0, 2.9])
    assert seen(place.centres[:, 0], place, np.outer(r, [1, 0, 0])) == pytest.approx(r)
    assert seen(place.centres[:, 0], place, (0, 0, 0)) == pytest.approx([0.05])
    with pytest.raises(InputError, match="lies outside 'ecs'"):
        at(Species("a", place), (0.0, 1.0, 0.0))


def test_it_does_not_read_across_a_cell():
    labels = np.zeros((9, 3, 3), int)
    labels[3:6, :, :2] = 1
    place = extracellular(Labels(labels, (0.1, 0.1, 0.1)))
    values = np.where(place.centres[:, 0] < 0.45, 1.0, 5.0)
    assert seen(values, place, [(0.28, 0.15, 0.05), (0.62, 0.15, 0.05)]) == pytest.approx([1.0, 5.0], rel=1e-12)
    with pytest.raises(InputError, match="lies outside 'ecs'"):
        at(Species("a", place), (0.45, 0.15, 0.05))


REFUSED = {
    "500 nm written as 500": (500.0, 500.0, 500.0),
    "far outside": [(0.5, 0.5, 0.5), (-3.0, 0.5, 0.5)],
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("place", [grid("ecs", (0, 0, 0), (1, 1, 1), 0.25), BALL, pool("pool", [1.0]),
                                   Mesh.of(pool("cell", [1.0])).with_points("points", [(0, 0, 0)], ["cell"])["points"],
                                   discretise(ball(0.5, 0.2))["plasma membrane"]], ids=lambda place: place.name)
def test_a_position_outside_is_refused(place, name):
    with pytest.raises(InputError, match=r"position of 'a' \d at \(.*\) um lies outside"):
        at(Species("a", place), REFUSED[name])


@pytest.mark.parametrize(("positions", "words"), [
    ((np.nan, 0, 0), "position of 'a' is nan; it must be a finite number"),
    ((np.inf, 0, 0), "position of 'a' is inf; it must be a finite number"),
    ("origin", "position of 'a' is 'origin'; it must be a finite number"),
    (None, "position of 'a' is None; it must be a finite number"),
    (0.5, "position of 'a': they have shape ()"), ([(0.0, 0.0)], "position of 'a': they have shape (1, 2)"),
    (np.zeros((0, 3)), "position of 'a': they have shape (0, 3)"), (np.zeros((1, 1, 3)), "they have shape (1, 1, 3)"),
    ([(0, 0, 0), (0, 0)], "position of 'a' is [(0, 0, 0), (0, 0)]; it must be"),
], ids=str)
def test_what_is_no_position_is_refused(positions, words):
    with pytest.raises(InputError, match=re.escape(words)):
        at(Species("a", BALL), positions)


def test_where_several_elements_lie_at_one_place_none_is_taken_in_silence():
    with pytest.raises(InputError, match="position of 'a' 0 lies at two or more elements of 'pool' at once"):
        at(Species("a", pool("pool", [1.0, 2.0])), (0, 0, 0))


def test_points_and_membranes_are_read_at_the_nearest_element():
    points = Mesh.of(BALL).with_points("points", [(0, 0, 0), (0.2, 0, 0)], ["cytosol"])["points"]
    assert seen([1.0, 2.0], points, [(0.2, 0, 0), (0.05, 0, 0)]).tolist() == [2.0, 1.0]
    membrane = discretise(ball(0.5, 0.2))["plasma membrane"]
    values = np.arange(len(membrane), dtype=float)
    assert seen(values, membrane, membrane.centres[[3, 7]] * 0.98).tolist() == [3.0, 7.0]


def test_two_probes_of_one_species_come_in_one_run():
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.25)
    a = Species("a", place, place.centres[:, 0])
    many = [RNG.uniform(0.2, 0.8, (30, 3)) for _ in range(2)]
    probes = [at(a, (0.3, 0.5, 0.5)), at(a, [(0.4, 0.5, 0.5), (0.6, 0.5, 0.5)]), *(at(a, points) for points in many),
              at(a, (0.3, 0.5, 0.5), name="near the wall")]
    run = simulate(Model([a]), 0.1, probes)
    assert run[probes[0].name][-1] == pytest.approx(0.3)
    assert run[probes[1].name][-1] == pytest.approx([0.4, 0.6])
    assert run[probes[3].name][-1] == pytest.approx(many[1][:, 0])
    assert run["near the wall"][-1] == pytest.approx(0.3)
    with pytest.raises(InputError, match="4 series are called 'a at points' in this recording"):
        run["a at points"]


def test_the_only_one_is_found_without_its_positions():
    a = Species("a", BALL, 1.0)
    run = simulate(Model([a]), 0.1, [at(a, (0.1, 0.0, 0.0))])
    assert list(run.series) == ["a at points (0.1, 0, 0)"]
    assert run["a at points"][-1] == run["a at points (0.1, 0, 0)"][-1] == 1.0


@pytest.mark.parametrize(("arguments", "words"), [
    ((1, "uM", len), "Probe: name is 1; it must be a text"), (("p", None, len), "Probe: unit is None"),
    (("p", "uM", 3.0), "Probe: read is 3.0; it must be a function"),
], ids=["name", "unit", "read"])
def test_what_is_no_probe_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        Probe(*arguments)


@pytest.mark.slow
def test_many_probes_and_positions_cost_less_than_the_run():
    place = grid("ecs", (0, 0, 0), (5, 5, 5), 0.2)
    a = Species("a", place, RNG.uniform(0, 1, len(place)), D=5.0)
    start = time.process_time()
    many = at(a, RNG.uniform(0.2, 4.8, (10_000, 3)))
    assert time.process_time() - start < 1.0
    several = [at(a, RNG.uniform(0.2, 4.8, 3)) for _ in range(300)]

    def cost(*watch: Probe) -> float:
        start = time.process_time()
        simulate(Model([a]), 0.1, watch, tolerance=Tolerance(1e-3, longest=1e-3))
        return time.process_time() - start

    cost()
    bare = cost()
    assert cost(many) < 2 * bare + 0.5
    assert cost(*several) < 2 * bare + 0.5
