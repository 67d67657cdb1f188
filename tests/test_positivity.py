"""Nothing negative, nothing lost, and no step spent on it: what has decayed to dust, or has yet to come."""

import numpy as np
import pytest
from toy_mechanisms import Source
from toy_places import random_tetrahedra, shells, spot

from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError
from spatial.geometry.place import Place
from spatial.geometry.shells import graded
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.glutamate_transporter import Transporter
from spatial.model import Model, Species
from spatial.observe.probes import total
from spatial.observe.recording import Recording
from spatial.simulate import simulate

RELEASED = 5.0  # uM um^3


def membrane(volume: Place, *elements: int) -> Place:
    """A membrane of area 1 um^2 at each of these elements of a volume, or at all of them in proportion."""
    index = np.array(elements or range(len(volume)), np.int64)
    area = np.ones(len(index)) if elements else 7.0 * volume.measure
    return Place("membrane", 2, area, volume.centres[index],
                 touches={volume.name: index, "ledger": np.zeros(len(index), np.int64)})


def release(volume: Place, where: Place, density: float, scale: float, signed: bool = False) -> Model:
    """A vesicle empties in the first element of a volume; transporters of some `density` take all of it.

    Errors of glutamate are compared with `scale` [uM]. With `signed` everything may be negative, and nothing is mended.
    """
    mouth = spot(volume, 0)
    held = Species("held", mouth, RELEASED, signed=signed)
    glutamate = Species("glutamate", volume, D=300.0, scale=scale, signed=signed)
    free = Species("free", where, density, signed=signed)
    bound, inward = (Species(name, where, scale=density * scale, signed=signed) for name in ("bound", "inward"))
    taken = Species("taken", pool("ledger", [1.0]), scale=RELEASED, signed=signed)
    return Model([held, glutamate, free, bound, inward, taken], [
        Emptying(mouth, held, glutamate, 0.1e-3), Transporter(where, glutamate, free, bound, inward, taken)])


def run(model: Model, duration: float, relative: float) -> Recording:
    watch = [total(species) for species in model]
    return simulate(model, duration, watch, tolerance=Tolerance(relative, shortest=1e-15))


def attempts(recording: Recording) -> int:
    """How many steps were taken or tried."""
    return int(recording.provenance["steps"] + recording.provenance["rejected steps"])


def assert_mending_costs_nothing(volume: Place, where: Place, density: float, scale: float, duration: float,
                                 relative: float) -> None:
    """Nothing is negative or lost, in hardly more steps than where all may be negative, and the result is the same."""
    model = release(volume, where, density, scale)
    found, unmended = (run(one, duration, relative) for one in (model, release(volume, where, density, scale, True)))
    assert found.provenance["smallest concentration"] >= 0.0
    for kept, amount in ((("held", "glutamate", "bound", "taken"), RELEASED),
                         (("free", "bound", "inward"), density * where.total)):
        drift = sum(found[f"total {name}"] for name in kept) / amount - 1
        assert np.abs(drift).max() < 1e-12
    assert attempts(found) <= 1.25 * attempts(unmended)
    assert found["total taken"][-1] == pytest.approx(unmended["total taken"][-1], abs=relative * RELEASED)


@pytest.mark.parametrize("seed", range(4))
def test_transporters_that_glutamate_has_yet_to_reach_cost_no_steps(seed):
    """They start with nothing bound, and the undershoot of glutamate before it arrives would bind less than that."""
    volume = random_tetrahedra(seed, 400)
    model = release(volume, membrane(volume, *np.flatnonzero(volume.centres[:, 0] > 0.9)), 18.0, 1.0)
    tried = [attempts(run(one, 1e-4, 2e-2)) for one in (model, model.without(Transporter))]
    assert tried[0] <= 1.25 * tried[1]


@pytest.mark.parametrize("scale", [5e-4, 5e-6])
@pytest.mark.parametrize("density", [18.0, 288.0])
def test_what_transporters_have_taken_to_the_last_molecule_costs_no_steps(scale, density):
    volume = shells(graded(0.01, 40.0, 1.2))
    assert_mending_costs_nothing(volume, membrane(volume), density, scale, 3.0, 2e-2)


@pytest.mark.parametrize("radius", [1.0, 1000.0])
def test_no_amount_is_lost_however_large_the_place_around_it(radius):
    volume = shells(graded(0.01, radius, 1.2))
    assert_mending_costs_nothing(volume, membrane(volume), 72.0, 5e-4, 1.0, 2e-2)


def test_a_drain_without_end_is_refused_though_something_else_could_make_up_for_it():
    place = pool("er", [1.0])
    c, gone = Species("c", place, 1.0), Species("gone", place, 10.0)
    with pytest.raises(InputError, match=r"^'c' goes below zero near .* even with a step of"):
        simulate(Model([c, gone], [Source(place, c, -5.0), Conversion(place, c, gone, 1.0)]), 1.0)
