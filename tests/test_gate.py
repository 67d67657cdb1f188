"""One gate after every change of a state; runs that cannot end; what an error leaves of a run; what repair moves."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_mechanisms import Decay, Spikes
from toy_places import random_tetrahedra, spot

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.stepper import REPAIRED
from spatial._engine.system.gate import passed
from spatial._engine.system.layout import lay_out
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.injection import Injection
from spatial.model import AtTimes, Concentrations, Event, Gains, Model, Species
from spatial.observe.probes import Probe, mean
from spatial.simulate import Repaired, simulate

ENGINES = ["implicit", "explicit", "fipy"]


@dataclass(frozen=True, eq=False)
class Law:
    """A rate of a user's own."""

    where: Place
    species: Species
    law: Callable[[NDArray[np.float64], float], Any]
    times: tuple[float, ...] = (0.0,)

    @property
    def events(self) -> tuple[Event, ...]:
        return (AtTimes(np.array(self.times)),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.species: self.law(c[self.species], t)}


def broken(law: Callable[..., Any], first: float = 1.0, **how: Any) -> InputError:
    """The error of a run under such a law."""
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)
    c = Species("c", place, first, scale=1.0)
    with pytest.raises(InputError) as caught:
        simulate(Model([c], [Decay(place, c, 1.0), Law(place, c, law)]), 1.0, [mean(c)], **how)
    return caught.value


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rate_that_turns_into_no_number_names_mechanism_species_place_position_and_time(engine):
    error = broken(lambda c, t: np.where(np.arange(8) == 3, np.nan if t > 0.05 else 0.0, 0.0), engine=engine)
    assert str(error) == ("Law: its gain of 'c' in 'ecs' near (0.25, 0.75, 0.75) um is nan at t = 0.05 s; it must be a "
                          "finite number")


def test_a_rate_that_is_no_number_beside_the_state_is_named():
    error = broken(lambda c, t: np.where(c > 1.0, np.inf, 0.0))
    assert "Law: its gain of 'c' in 'ecs'" in str(error)
    assert "is not finite at t = 0 s when 'c' rises a little" in str(error)


def test_a_law_outside_its_domain_is_named_where_it_leaves_it():
    with np.errstate(invalid="ignore"):
        error = broken(lambda c, t: np.log(c - 0.2) - 3.0)
    assert str(error).startswith("Law: its gain of 'c' in 'ecs' near (0.25, 0.25, 0.25) um is nan at t = 0.1")


@pytest.mark.parametrize("engine", ["implicit", "explicit"])
@pytest.mark.parametrize(("law", "first", "said"), [
    (lambda c, t: 700.0 * c, 1e-9, "Decay and Law makes 'c' in 'ecs' at t = 0.0.* near .*e\\+12 uM, beyond all bounds"),
    (lambda c, t: 10.0 * c**2, 1.0, "'c' changes too fast near .* in 'ecs' at t = .*: Decay and Law"),
    (lambda c, t: 1.0 / np.maximum(1.0 - c, 1e-300), 0.5, "'c' .* in 'ecs' at t = "),
    (lambda c, t: np.where(c > 1.0, -1e6, 1e6), 0.5, "most_steps = 1e\\+06: 'c' in 'ecs' errs most")])
def test_what_cannot_end_ends_by_itself(law, first, said, engine):
    with np.errstate(all="ignore"):
        error = broken(law, first, engine=engine)
    assert error.recording.provenance["steps"] <= 1000
    assert re.search(said, str(error))


def test_steps_are_as_many_as_the_user_says():
    error = broken(lambda c, t: 1.0 + 0.0 * c, tolerance=Tolerance(longest=1e-3, most_steps=200))
    assert "the run would take 1e+03 of them, more than most_steps = 200" in str(error)


def test_an_error_carries_what_was_recorded_until_then():
    error = broken(lambda c, t: np.nan if t > 0.5 else 0.0)
    recording = error.recording
    assert 0.4 < recording.times[-1] <= 0.5
    np.testing.assert_allclose(recording["mean c"], np.exp(-recording.times), rtol=0.02)
    assert recording.provenance["steps"] > 0


def test_an_interrupt_carries_what_was_recorded_until_then():
    place = pool("v", [1.0])
    c = Species("c", place, 1.0)

    def interrupt(state: Concentrations) -> float:
        if state[c][0] < 0.5:
            raise KeyboardInterrupt
        return float(state[c][0])

    with pytest.raises(KeyboardInterrupt) as caught:
        simulate(Model([c], [Decay(place, c, 5.0)]), 1.0, [Probe("c", "uM", interrupt)])
    recording = caught.value.recording
    assert len(recording.times) == len(recording["c"]) > 1
    assert 0.5 <= recording["c"].min() < 1.0


# The gate itself

def layout_of_two() -> Any:
    place = pool("v", [1.0, 2.0, 3.0])
    return lay_out((Species("c", place, 1.0), Species("signed", place, 0.0, signed=True)))


@pytest.mark.parametrize(("name", "value", "said"), [
    ("c", np.nan, "X makes 'c' in 'v' at t = 2 s near \\(0, 0, 0\\) um nan, which is no number"),
    ("signed", -np.inf, "X makes 'signed' in 'v' at t = 2 s near \\(0, 0, 0\\) um -inf, which is no number"),
    ("c", -1e-3, "X takes more of 'c' than there is in 'v' at t = 2 s near .*: it would leave -0.001 uM"),
    ("c", 2e12, "X makes 'c' in 'v' at t = 2 s near .* 2e\\+12 uM, beyond all bounds"),
    ("signed", -2e12, "X makes 'signed' in 'v' at t = 2 s near .* -2e\\+12 uM, beyond all bounds")])
def test_the_gate_says_who_what_where_and_when(name, value, said):
    layout = layout_of_two()
    species = {one.name: one for one in layout.columns}[name]
    u = np.ones(layout.size)
    layout.values(u, species)[1] = value
    with pytest.raises(InputError, match=said):
        passed(layout, u, 2.0, lambda species: "X")


def test_the_gate_lets_rounding_and_signed_values_pass_and_tells_the_smallest():
    layout = layout_of_two()
    c, signed = layout.columns
    u = np.ones(layout.size)
    layout.values(u, c)[:] = 1e6, 3.0, -1e-8
    layout.values(u, signed)[:] = -5.0
    assert passed(layout, u, 0.0, lambda species: "X") == -1e-8


# What the repair moves

def test_what_the_repair_moves_is_counted_and_said_where_it_is_much():
    place = random_tetrahedra(np.random.default_rng(0))
    c = Species("c", place, 0.0, D=200.0, scale=1e-3)
    source = spot(place, 0)
    model = Model([c], [Spikes(source, c, np.arange(0.0, 2e-3, 1e-4), 1.0)])
    with pytest.warns(Repaired, match="keeping 'c' from below zero moved .* % of its amount between elements"):
        recording = simulate(model, 2e-3, [mean(c)])
    assert recording.provenance[REPAIRED]["c"] > 0.01


def test_on_a_good_mesh_the_repair_moves_nothing():
    place = grid("ecs", (0, 0, 0), (1, 1, 1), 0.25)
    c = Species("c", place, 0.0, D=200.0)
    recording = simulate(Model([c], [Injection(spot(place, 0), c, 1.0)]), 0.01)
    assert recording.provenance[REPAIRED] == {}
