"""The state that a run starts from: which models it fits, what it warns of, and how it is changed."""

import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Decay, Exchange, Source
from worker_runs import Gated, Half, made_mesh

from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.layout import State
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.simulate import OtherParameters, simulate


def model_of(mesh: Mesh, D: float = 0.5, k: float = 3.0, gain: Any = 1.0, extra: Sequence[Any] = (),
             backwards: bool = False) -> Model:
    """Calcium that enters, passes into a pool and decays, and a sum that nothing changes."""
    calcium, stored = Species("calcium", mesh["bar"], 0.2, D=D), Species("stored", mesh["pool"], 0.1)
    weight = Species("weight", mesh["synapses"], -0.5, signed=True)
    species = [calcium, stored, weight]
    return Model(species[::-1] if backwards else species, [
        Exchange(mesh["membrane"], calcium, stored, 0.2), Decay(mesh["bar"], calcium, k),
        Source(mesh["bar"], calcium, gain), *(make(mesh, calcium) for make in extra)])


def start_of(state: State, model: Model) -> dict[str, Any]:
    """The first values of a run, by species."""
    run = simulate(model, 1e-6, [each(species) for species in model], start=state)
    return {name: series.values[0] for name, series in run.series.items()}


@pytest.fixture(scope="module")
def state() -> State:
    return rest(model_of(made_mesh(), gain=np.linspace(0.0, 1.0, 10)))


@pytest.fixture
def no_warning() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", OtherParameters)
        yield


UNEVEN = np.linspace(0.0, 1.0, 10)


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kept", [lambda state: state, lambda state: pickle.loads(pickle.dumps(state))],
                         ids=["itself", "pickled"])
def test_a_state_fits_the_same_model_built_anew_in_any_order(state, backwards, kept):
    model = model_of(made_mesh(), gain=UNEVEN, backwards=backwards)
    expected = {species.name: state[species] for species in state.layout.columns}
    found = start_of(kept(state), model)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_state_that_a_run_starts_from_stays_as_it_is(state):
    before = state.values.copy()
    simulate(model_of(made_mesh(), gain=UNEVEN), 0.1, start=state)
    assert (state.values == before).all()
    assert not state.values.flags.writeable


def other_mesh() -> Mesh:
    """The same names, on a bar with more bricks."""
    bar = grid("bar", (0, 0, 0), (1.2, 0.1, 0.1), 0.1)
    mesh = made_mesh()
    return Mesh.of(bar, mesh["pool"]).with_points("synapses", np.zeros((2, 3)) + 0.05, touching=["bar"])


@pytest.mark.parametrize(("species", "message"), [
    (lambda mesh: [], r"it has no 'more', 'most'; take that of rest\(model\), or of a model with the same species on "
                      r"the same places$"),
    (lambda mesh: ["calcium"], r"it has no 'more', 'most'; the model has no 'calcium'; take that"),
    (lambda mesh: ["calcium", "weight"], r"it has no 'more', 'most'; the model has no 'calcium', 'weight'; take that")])
def test_a_state_that_lacks_species_or_has_too_many_says_which(state, species, message):
    mesh, left_out = made_mesh(), species(made_mesh())
    kept = [one for one in model_of(mesh).species if one.name not in left_out]
    model = Model([*kept, Species("more", mesh["bar"]), Species("most", mesh["bar"])])
    with pytest.raises(InputError, match="^the state to start from is not one of this model: " + message):
        simulate(model, 0.1, start=state)


def test_a_state_on_another_place_of_the_same_name_says_whose(state):
    mesh = other_mesh()
    model = Model([Species("calcium", mesh["bar"]), Species("stored", mesh["pool"]),
                   Species("weight", mesh["synapses"])])
    with pytest.raises(InputError, match=r"^the state to start from is not one of this model: its 'calcium' is on "
                                         r"another place, <bar: 10 elements, .*>, than that of the model, <bar: 12 "
                                         r"elements, .*>; its 'weight' is on another place"):
        simulate(model, 0.1, start=state)


# Other parameters


@dataclass(frozen=True, eq=False)
class Rest:
    """A gate with a number of its own."""

    level: float

    def __call__(self, c: Any) -> float:
        return 0.0 * self.level


def gate(level: float) -> Callable[[Mesh, Species], Gated]:
    return lambda mesh, calcium: Gated(mesh["bar"], calcium, Half(Rest(level)), (Rest(1.0), Rest(2.0 * level)))


def a_decay(k: float) -> Callable[[Mesh, Species], Decay]:
    return lambda mesh, calcium: Decay(mesh["bar"], calcium, k)


@pytest.mark.parametrize(("changes", "message"), [
    ({"D": 0.7}, r"D of 'calcium' is 0\.7 and was 0\.5; take"),
    ({"k": 4.0}, r"k of Decay is 4 and was 3; take"),
    ({"k": 4.0, "D": 0.7}, r"D of 'calcium' is 0\.7 and was 0\.5; k of Decay is 4 and was 3; take"),
    ({"gain": 2.0}, r"gain of Source is 2 and was 1; take"),
    ({"gain": UNEVEN}, r"gain of Source is an array of shape \(10,\) and was 1; take"),
    ({"extra": (gate(2.0),)}, r"gate\.inner\.level of Gated is 2 and was 1; more\[1\]\.level of Gated is 4 and was 2; "
                              "take"),
    ({"k": 4.0, "D": 0.7, "gain": 2.0, "extra": (gate(2.0),)}, r"gain of Source is 2 and was 1; and 2 more; take")])
def test_a_state_of_a_model_with_other_parameters_warns_of_up_to_three_with_both_values(changes, message):
    state = rest(model_of(made_mesh(), extra=(gate(1.0),)))
    model = model_of(made_mesh(), **{"extra": (gate(1.0),), **changes})
    with pytest.warns(OtherParameters, match="^the state to start from was made with other parameters: .*" + message):
        simulate(model, 1e-6, start=state)


def test_arrays_of_other_values_and_species_of_other_kinds_warn(state):
    with pytest.warns(OtherParameters, match=r": gain of Source has other values; take"):
        simulate(model_of(made_mesh(), gain=UNEVEN**2), 1e-6, start=state)
    model = model_of(made_mesh(), gain=UNEVEN)
    species = [replace(one, scale=5.0, unit="nM") if one.name == "weight" else one for one in model]
    with pytest.warns(OtherParameters, match=r": unit of 'weight' is 'nM' and was 'uM'; scale of 'weight' is 5 and was "
                                             r"None; take"):
        simulate(Model(species, model.mechanisms), 1e-6, start=state)


def test_the_warning_points_at_the_line_that_starts_the_run(state):
    with pytest.warns(OtherParameters) as caught:
        simulate(model_of(made_mesh(), k=4.0, gain=UNEVEN), 1e-6, start=state)
    assert caught[0].filename == __file__


@pytest.mark.usefixtures("no_warning")
def test_mechanisms_that_are_left_out_or_added_and_other_initial_values_are_no_other_parameters(state):
    model = model_of(made_mesh(), gain=UNEVEN)
    simulate(model.without(Decay), 1e-6, start=state)
    simulate(model_of(made_mesh(), gain=UNEVEN, extra=(gate(1.0),)), 1e-6, start=state)
    simulate(model_of(made_mesh(), gain=UNEVEN, extra=(a_decay(0.0),)), 1e-6, start=state)
    two, three = ([a_decay(k) for k in rates] for rates in ((1.0,), (2.0, 1.0)))
    simulate(model_of(made_mesh(), extra=three), 1e-6, start=rest(model_of(made_mesh(), extra=two)))
    again = [replace(one, initial=0.3) for one in model_of(made_mesh()).species]
    simulate(Model(again), 1e-6, start=state)


def test_a_state_with_its_parameters_is_hardly_larger_than_one_without():
    mesh = made_mesh()
    state = rest(model_of(mesh, gain=np.linspace(0.0, 1.0, len(mesh["bar"]))))
    assert len(pickle.dumps(state)) < len(pickle.dumps(replace(state, made_with=None))) + 2000


# States that are changed


def test_a_state_with_other_values_is_a_new_one():
    place = pool("cytosol", [1.0, 2.0, 3.0])
    one, other, sum_ = Species("one", place, 1.0), Species("other", place, 2.0), Species("sum", place, signed=True)
    model = Model([one, other, sum_])
    state = rest(model)
    changed = state.but({one: 5.0, sum_: np.array([-1.0, 0.0, 1.0])})
    np.testing.assert_array_equal(changed[one], [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(changed[sum_], [-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(changed[other], state[other])
    np.testing.assert_array_equal(state[one], [1.0, 1.0, 1.0])
    assert not changed.values.flags.writeable
    assert changed.made_with is state.made_with
    run = simulate(model, 1e-3, [each(one)], start=changed)
    np.testing.assert_array_equal(run["one"][0], [5.0, 5.0, 5.0])


def test_a_state_is_changed_by_a_species_of_the_model_built_anew(state):
    kept, model = pickle.loads(pickle.dumps(state)), model_of(made_mesh(), gain=UNEVEN)
    stored = model.species[1]
    np.testing.assert_array_equal(start_of(kept.but({stored: 7.0}), model)["stored"], [7.0])


@pytest.mark.parametrize(("changes", "message"), [
    (lambda calcium, weight: {replace(calcium, name="potassium"): 1.0},
     r"^state: <potassium in bar> is not a species of it; it has \['calcium', 'stored', 'weight'\]$"),
    (lambda calcium, weight: {replace(calcium, place=other_mesh()["bar"], initial=0.0): 1.0},
     r"^state: <calcium in bar> is not a species of it"),
    (lambda calcium, weight: {calcium: np.ones(3)},
     r"^state: value of 'calcium' has shape \(3,\); 'bar' has 10 elements$"),
    (lambda calcium, weight: {calcium: -1.0}, r"^state: value of 'calcium' is -1; it must be a finite number >= 0$"),
    (lambda calcium, weight: {calcium: np.nan}, r"^state: value of 'calcium' is nan; it must be a finite number >= 0$"),
    (lambda calcium, weight: {weight: np.array([-1.0, np.inf])},
     r"^state: value of 'weight' is inf; it must be a finite number$")])
def test_values_that_a_state_cannot_have_are_refused(state, changes, message):
    calcium, _, weight = state.layout.columns
    with pytest.raises(InputError, match=message):
        state.but(changes(calcium, weight))
