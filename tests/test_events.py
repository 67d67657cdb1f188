"""Events: what acts together sees the state before all of it, in any order and engine; what is no event is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Decay, Minis, Spikes

from spatial._engine.methods.electrolyte import Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.rapid_buffer import RapidBuffer, RapidBuffers
from spatial.mechanisms.swelling import Swollen
from spatial.model import AtTimes, Channels, EachStep, Event, Mechanism, Model, OnRise, Species, events_of
from spatial.observe.probes import each
from spatial.simulate import simulate
from spatial.units import MOLECULES

LARGE = 1e4  # molecules; a concentration of them in a place of measure 1 is a whole number of molecules
ENGINES: dict[str, dict[str, Any]] = {
    "implicit": {"engine": "implicit"}, "explicit": {"engine": "explicit"}, "fipy": {"engine": "fipy"},
    "counted": {"method": "stochastic"}}
CONTINUOUS = [engine for engine in ENGINES if engine != "counted"]  # where thresholds are met
PLACE = pool("cell", [1.0])


@dataclass(frozen=True, eq=False)
class Acting:
    """A mechanism that has these events, and no rates of its own but a decay that its tests give it."""

    where: Place
    events: tuple[Event, ...]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    def reactions(self, c: Any, t: float) -> list[Any]:
        return []


def species(*names: str, signed: bool = False) -> list[Species]:
    """Species of the cell, of 1, 2, 3 ... ten thousand molecules."""
    return [Species(name, PLACE, (k + 1) * LARGE / MOLECULES, signed=signed) for k, name in enumerate(names)]


def ends(kinds: Sequence[Species], mechanisms: Sequence[Mechanism], engine: str, until: float = 1.0) -> list[float]:
    """How many ten thousand molecules there are of each species at the end of a run."""
    run = simulate(Model(kinds, mechanisms), until, [each(one) for one in kinds], seed=3, **ENGINES[engine])
    return [float(run[one.name][-1] * MOLECULES / LARGE) for one in kinds]


def in_any_order(kinds: Sequence[Species], mechanisms: Sequence[Mechanism], engine: str) -> list[list[float]]:
    return [ends(kinds, order, engine) for order in permutations(mechanisms)]


# The same in whatever order, in every engine


@pytest.mark.parametrize("engine", ENGINES)
def test_a_swap_at_one_instant_is_a_swap_in_whatever_order(engine):
    a, b = species("a", "b")

    def becomes(to: Species, of: Species) -> Acting:
        return Acting(PLACE, (AtTimes(np.array([0.5]), (to,), (to,), lambda c, t, rng: {to: c[of] - c[to]}),))

    for found in in_any_order([a, b], [becomes(a, b), becomes(b, a)], engine):
        assert found == pytest.approx([2.0, 1.0], rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_swap_of_signed_species_hands_out_no_view_of_what_changes(engine):
    if engine == "counted":
        pytest.skip("molecules that diffuse or react cannot be fewer than none; nothing new is tested there")
    a, b = species("a", "b", signed=True)

    def gains(to: Species, of: Species) -> Acting:
        return Acting(PLACE, (AtTimes(np.array([0.5]), (to,), (), lambda c, t, rng: {to: c[of]}),))

    for found in in_any_order([a, b], [gains(a, b), gains(b, a)], engine):
        assert found == pytest.approx([3.0, 3.0], rel=1e-12)


@pytest.mark.parametrize("engine", CONTINUOUS)
def test_two_thresholds_at_one_step_s_end_see_the_state_before_both(engine):
    """An instant takes both past their thresholds; each then adds what there is of the other."""
    a, b = species("a", "b")
    pushed = Acting(PLACE, (AtTimes(np.array([0.5]), (a, b), (), lambda c, t, rng: dict.fromkeys(
        (a, b), LARGE / MOLECULES)),))

    def adds(to: Species, of: Species, threshold: float) -> Acting:
        return Acting(PLACE, (OnRise(lambda c, t: c[to] - threshold * LARGE / MOLECULES, (to,),
                                     change=lambda c, t, risen, rng: {to: risen * c[of]}),))

    for found in in_any_order([a, b], [pushed, adds(a, b, 1.5), adds(b, a, 2.5)], engine):
        assert found == pytest.approx([5.0, 5.0], rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_sure_events_of_chance_see_the_state_before_both(engine):
    """With a chance of 1 in every step: once what there is of the other is added, until a stop is there."""
    (a, b), stop = species("a", "b"), Species("stop", PLACE)
    done = Acting(PLACE, (EachStep((stop,), change=lambda c, t, dt, rng: {stop: LARGE / MOLECULES}),))

    def adds(to: Species, of: Species) -> Acting:
        return Acting(PLACE, (EachStep((to,), change=lambda c, t, dt, rng: {
            to: rng.binomial(1, 1.0) * np.where(c[stop] > 0, 0.0, c[of])}),))

    for found in in_any_order([a, b, stop], [adds(a, b), adds(b, a), done], engine):
        assert found[:2] == pytest.approx([3.0, 3.0], rel=1e-12)


@pytest.mark.parametrize("engine", CONTINUOUS)
@pytest.mark.parametrize("at", [0.5, 1.0])
def test_a_cascade_arrives_also_at_the_last_instant(engine, at):
    """a sets off b, and b sets off c, all at one instant."""
    kinds = [Species(name, PLACE) for name in "abc"]
    a, b, c_ = kinds
    begins = Acting(PLACE, (AtTimes(np.array([at]), (a,), (), lambda c, t, rng: {a: LARGE / MOLECULES}),))

    def sets_off(cause: Species, effect: Species) -> Acting:
        return Acting(PLACE, (OnRise(lambda c, t: c[cause] - 0.5 * LARGE / MOLECULES, (effect,),
                                     change=lambda c, t, risen, rng: {effect: risen * LARGE / MOLECULES}),))

    for found in in_any_order(kinds, [sets_off(b, c_), sets_off(a, b), begins], engine):
        assert found == pytest.approx([1.0, 1.0, 1.0], rel=1e-12)


@pytest.mark.parametrize("engine", CONTINUOUS)
def test_what_sets_itself_off_for_ever_is_an_error_by_name(engine):
    a, b = Species("a", PLACE), Species("b", PLACE)
    much = LARGE / MOLECULES
    kick = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: much}),))

    def passes_on(cause: Species, effect: Species) -> Acting:
        return Acting(PLACE, (OnRise(lambda c, t: c[cause] - much / 2, (cause, effect), (cause,),
                                     change=lambda c, t, risen, rng: {cause: -much * risen, effect: much * risen}),))

    with pytest.raises(InputError, match=r"^Acting set off again and again at t = 0\.5 s, 100 times; what an event"):
        ends([a, b], [kick, passes_on(a, b), passes_on(b, a)], engine)


def test_a_rule_that_counts_in_each_step_and_on_a_rise_counts_once():
    """Each step brings the count up to date; where that leaves nothing above the threshold, the rise is not counted."""
    c, passed = Species("c", PLACE), Species("passed", PLACE, unit="1")
    seen: list[str] = []

    def count(view: Any) -> Floats:
        return (view[c] > 1.0) - view[passed]

    def recount(view: Any, t: float, dt: float, rng: Any) -> dict[Species, Any]:
        if count(view).any():
            seen.append("step")
        return {passed: count(view)}

    def rise(view: Any, t: float, risen: Any, rng: Any) -> dict[Species, Any]:
        seen.append("rise")
        return {passed: risen * count(view)}

    rule = Acting(PLACE, (EachStep((passed,), (passed,), change=recount),
                          OnRise(lambda view, t: count(view) - 0.5, (passed,), (passed,), change=rise)))
    grows = Conversion(PLACE, source := Species("source", PLACE, 10.0), c, rate=1.0)
    run = simulate(Model([source, c, passed], [grows, rule]), 1.0, [each(passed)])
    assert seen == ["step"]
    assert run["passed"][-1] == 1.0


# Wrapped mechanisms keep their events


def test_a_threshold_wrapped_in_a_rapid_buffer_still_fires():
    """A release of 1 uM becomes rest + 1/(1 + kappa)."""
    buffers = RapidBuffers(0.1, [RapidBuffer(100.0, 1.0, 0.0)])
    calcium, trigger = Species("Ca", PLACE, 0.1), Species("trigger", PLACE)
    fires = Acting(PLACE, (OnRise(lambda c, t: c[trigger] - 0.5, (calcium,),
                                  change=lambda c, t, risen, rng: {calcium: 1.0 * risen}),))
    kick = Spikes(PLACE, trigger, np.array([0.5]), 1.0)
    run = simulate(Model([calcium, trigger], [kick, buffers.slowed(fires, calcium)]), 1.0, [each(calcium)])
    assert run["Ca"][-1] == pytest.approx(0.1 + 1 / (1 + buffers.capacity), rel=1e-12)


@pytest.mark.parametrize("event", [
    AtTimes(np.array([0.5]), change=lambda c, t, rng: {}),
    OnRise(lambda c, t: c, (), change=lambda c, t, risen, rng: {}),
    EachStep((), change=lambda c, t, dt, rng: {}),
    Channels((), path=lambda c, t, horizon, rng: SimpleNamespace(first=1.0, gains=lambda dt: {})),
], ids=lambda event: type(event).__name__)
def test_each_kind_of_event_survives_a_wrapper(event):
    calcium, volume = Species("Ca", PLACE, 0.1), Species("volume", PLACE, 1.0)
    for wrapped in (RapidBuffers(0.1, [RapidBuffer(100.0, 1.0, 0.0)]).slowed(Acting(PLACE, (event,)), calcium),
                    Swollen(Acting(PLACE, (event,)), {calcium: volume})):
        found, = events_of(wrapped)
        assert type(found) is type(event)
        assert (found.changes, found.takes) == (event.changes, event.takes)


def test_a_mechanism_in_changing_volumes_sees_concentrations_in_its_events_too():
    amount, volume, seen = Species("amount", PLACE, 6.0), Species("volume", PLACE, 2.0), Species("seen", PLACE)
    look = Acting(PLACE, (AtTimes(np.array([0.5]), (seen,), (), lambda c, t, rng: {seen: c[amount]}),))
    run = simulate(Model([amount, volume, seen], [Swollen(look, {amount: volume})]), 1.0, [each(seen)])
    assert run["seen"][-1] == 3.0


# FiPy runs take chance too


def test_fipy_runs_take_what_happens_by_chance():
    """The mean of many boxes; the same law as in our own engine."""
    place = pool("boxes", np.ones(2000))
    c = Species("c", place)
    for engine in ("spatial", "fipy"):
        run = simulate(Model([c], [Minis(place, c, 5.0), Decay(place, c, 1.0)]), 1.0, [each(c)], engine=engine, seed=1,
                       tolerance=Tolerance(longest=0.05))
        expected = 5.0 * -np.expm1(-1.0)
        assert run["c"][-1].mean() == pytest.approx(expected, rel=0.05)


# What is refused


def refused(*mechanisms: Any, kinds: Sequence[Species]) -> str:
    """What is said of a model that cannot be built."""
    with pytest.raises(InputError) as caught:
        Model(kinds, mechanisms)
    return str(caught.value)


class Bare:
    """A mechanism written without a dataclass."""

    where = PLACE

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}


def with_method(name: str, made: Callable[[Callable[..., Any]], Any] = lambda method: method) -> Any:
    """A mechanism with one method more."""
    return type("Mine", (Bare,), {name: made(lambda self, *rest: ())})()


@pytest.mark.parametrize("name", ["jump", "jumps", "leap", "leaps", "instants", "instant", "height", "cross", "path",
                                  "paths", "Jump", "event", "evnets", "Events", "event_"])
def test_a_misspelt_or_old_hook_is_refused_by_name(name):
    assert refused(with_method(name), kinds=[]).startswith(f"Mine: {name!r} would never be called; ")
    assert name in refused(with_method(name, property), kinds=[])


def test_a_function_put_on_an_object_is_looked_at_too():
    loose = SimpleNamespace(where=PLACE, rates=lambda c, t: {}, jump=lambda c, t: {})
    assert refused(loose, kinds=[]).startswith("SimpleNamespace: 'jump' would never be called")


def test_half_of_what_is_declared_does_not_excuse_the_other_half():
    a, = species("a")

    class Half(Bare):
        events = (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: 1.0}),)

        def leap(self, c: Any, t: float, dt: float, rng: Any) -> dict[Species, Any]:
            return {a: 1.0}

    assert refused(Half(), kinds=[a]) == ("Half: 'leap' would never be called; declare EachStep(changes, takes, change"
                                          ") with change(c, t, dt, rng) in a property events, or give it another name")


def test_helpers_may_bear_any_name_where_the_event_is_declared():
    a, = species("a")

    class Whole(Bare):
        @property
        def events(self) -> tuple[Event, ...]:
            return (AtTimes(self.instants, (a,), (), self.jump),)

        instants = np.array([0.5])

        def jump(self, c: Any, t: float, rng: Any) -> dict[Species, Any]:
            return {a: LARGE / MOLECULES}

    assert ends([a], [Whole()], "implicit") == pytest.approx([2.0], rel=1e-12)


def test_parameters_may_be_called_like_events():
    @dataclass(frozen=True, eq=False)
    class Named:
        where: Place
        path: str = "cytosol"
        height: float = 3.0
        jump: Callable[[float], float] = field(default=abs)

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            return {}

    assert events_of(Named(PLACE)) == ()


def test_an_error_raised_in_the_property_is_told_and_not_swallowed():
    class Broken(Bare):
        @property
        def events(self) -> tuple[Event, ...]:
            return (AtTimes(self.tmies, ()),)  # type: ignore[attr-defined]

    assert refused(Broken(), kinds=[]) == ("Broken: its events cannot be read: AttributeError: 'Broken' object has no "
                                           "attribute 'tmies'")


def test_what_does_not_fit_together_is_refused_by_name():
    a, b = species("a", "b")

    def said(events: Any) -> str:
        return refused(Acting(PLACE, events), kinds=[a, b])

    whole = AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: 1.0})
    assert said(lambda: ()).startswith("Acting: events is function; it must be a property that returns a tuple of")
    assert said(("jump",)).startswith("Acting: 'jump' is among its events; each must be an AtTimes, OnRise, EachStep")
    assert said((AtTimes(np.array([0.5]), (a,)),)) == ("Acting: its AtTimes names what it changes and has no change; "
                                                       "give it the function")
    assert said((replace(whole, takes=(b,)),)) == f"Acting: its AtTimes takes {b!r}, which it does not name in changes"
    assert said((replace(whole, changes=("a",)),)).startswith("Acting: changes of its AtTimes must be a tuple of spec")
    assert said((replace(whole, times=np.array([np.nan])),)).startswith("Acting: times of its AtTimes must be finite")
    assert said((EachStep((a,)),)).startswith("Acting: its EachStep names what it changes and has no change; give it")
    assert said((EachStep((a,), change=None),)) == "Acting: change of its EachStep must be a function"  # type: ignore


def test_a_rate_that_names_a_species_only_later_is_refused():
    a, b = species("a", "b")

    @dataclass(frozen=True, eq=False)
    class Later:
        where: Place

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            return {a: -c[a]} | ({b: c[a]} if t > 0.5 else {})

    with pytest.raises(InputError, match=r"^Later: its rates name \['a', 'b'\] at t = 0\.[5-9]\d* s and named "
                                         r"\['a'\] at the start; they must name the same species always"):
        ends([a, b], [Later(PLACE)], "implicit")


CHANGES = {
    "is not among its changes": lambda a, b: {b: 1.0}, "lowers .* not among its takes": lambda a, b: {a: -1e-6},
    "by what is not a finite number": lambda a, b: {a: np.nan}}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("wrong", CHANGES)
def test_what_an_event_did_not_declare_is_an_error_when_it_happens(engine, wrong):
    a, b = species("a", "b")
    acting = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: CHANGES[wrong](a, b)),))
    with pytest.raises(InputError, match=f"^Acting: its AtTimes (changes|lowers) <. in cell> at t = 0.5 s.*{wrong}$"
                       if "lowers" not in wrong else f"^Acting: its AtTimes {wrong}$"):
        ends([a, b], [acting], engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_taking_more_than_there_is_names_who_what_where_and_when(engine):
    a, = species("a")
    greedy = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (a,), lambda c, t, rng: {a: -2 * c[a]}),))
    with pytest.raises(InputError, match=r"^Acting takes more of 'a' than there is in 'cell' at t = 0\.5 s near "
                                         r"\(0, 0, 0\) um: it would leave -16\.6 uM; let it take no more"):
        ends([a], [greedy], engine)


def taking(a: Species, at: float = 0.5, where: Place = PLACE) -> Acting:
    return Acting(where, (AtTimes(np.array([at]), (a,), (a,), lambda c, t, rng: {a: -0.6 * c[a]}),))


def test_two_that_take_of_one_species_at_one_moment_are_refused_with_both_named():
    a, = species("a")
    assert refused(taking(a), taking(a), kinds=[a]) == (
        "Acting and Acting may both take <a in cell> at t = 0.5 s; let one mechanism take it, or give "
        "each a species of its own to take from")
    rising = Acting(PLACE, (OnRise(lambda c, t: c[a] - 1, (a,), (a,),
                                   change=lambda c, t, risen, rng: {a: -0.5 * risen}),))
    assert "may both take <a in cell> at one moment; " in refused(rising, rising, kinds=[a])


def test_those_that_take_at_other_times_places_or_of_what_may_be_negative_may():
    a, = species("a")
    assert ends([a], [taking(a, 0.25), taking(a, 0.5)], "implicit") == pytest.approx([0.4 * 0.4], rel=1e-12)
    debt, = species("debt", signed=True)
    assert ends([debt], [taking(debt), taking(debt)], "implicit") == pytest.approx([-0.2], rel=1e-12)
    mesh = well_mixed({"cytosol": 1.0}).with_places(pool("row", np.ones(2)))
    row = Species("row", mesh["row"], 1.0)
    one, other = (Place(name, 0, np.ones(1), np.zeros((1, 3)), touches={"row": np.array([k])})
                  for k, name in enumerate(("one", "other")))
    run = simulate(Model([row], [taking(row, where=one), taking(row, where=other)]), 1.0, [each(row)])
    assert run["row"][-1] == pytest.approx([0.4, 0.4], rel=1e-12)


# What a reader found


@pytest.mark.parametrize("engine", CONTINUOUS)
def test_a_height_that_is_the_potential_itself_rises_at_an_instant(engine):
    """Its threshold is 0, so it returns what it sees: an event must not change that under it."""
    V, n = Species("V", PLACE, -1.0, signed=True, unit="1"), Species("n", PLACE, unit="1")
    kick = Acting(PLACE, (AtTimes(np.array([0.5]), (V,), (), lambda c, t, rng: {V: 2.0}),))
    count = Acting(PLACE, (OnRise(lambda c, t: c[V], (n,), change=lambda c, t, risen, rng: {n: 1.0 * risen}),))
    run = simulate(Model([V, n], [kick, count]), 1.0, [each(n)], **ENGINES[engine])
    assert run["n"][-1] == 1.0


@pytest.mark.parametrize(("height", "shown"), [
    (lambda c: c > 2.5, "true and false"), (lambda c: np.full(1, np.nan), "no number"), (lambda c: 1.0, "one for all"),
    (lambda c: np.ones(2), "too many")], ids=["bool", "nan", "scalar", "shape"])
def test_a_height_that_is_not_a_number_for_each_element_is_refused(height, shown):
    a, = species("a")
    acting = Acting(PLACE, (OnRise(lambda c, t: height(c[a]), (), change=lambda c, t, risen, rng: {}),))
    with pytest.raises(InputError, match=r"^Acting: its OnRise has a height at t = 0 s that is not 1 numbers, one for "
                                         r".*; it must be how far each is above the threshold, such as c\[species\] -"):
        ends([a], [acting], "implicit")


def test_thresholds_are_refused_where_molecules_are_counted():
    a, = species("a")
    rising = Acting(PLACE, (OnRise(lambda c, t: c[a] - 1, (), change=lambda c, t, risen, rng: {}),))
    with pytest.raises(InputError, match=r"^Acting acts where something rises through a threshold; where molecules are "
                                         r"counted .*simulate with concentrations \(method='hybrid'\)$"):
        ends([a], [rising], "counted")


def test_channels_without_reactions_are_refused_where_molecules_are_counted():
    o = Species("o", PLACE, unit="1")
    path = SimpleNamespace(first=np.inf, gains=lambda dt: {o: 1.0})
    channels = Acting(PLACE, (Channels((o,), path=lambda c, t, horizon, rng: path),))
    with pytest.raises(InputError, match=r"^Acting has channels that no reactions of it open and close"):
        ends([o], [channels], "counted")


@pytest.mark.parametrize("first", [0.0, -1.0, np.nan])
def test_a_path_that_goes_nowhere_is_refused(first):
    o = Species("o", PLACE, unit="1")
    path = SimpleNamespace(first=first, gains=lambda dt: {o: 1.0})
    channels = Acting(PLACE, (Channels((o,), path=lambda c, t, horizon, rng: path),))
    with pytest.raises(InputError, match=r"^Acting: its Channels first acts (0|-1|nan) s from t = 0 s; it must be"):
        ends([o], [channels], "implicit")


def test_an_event_of_a_kind_of_one_s_own_is_refused():
    a, = species("a")

    class Pulse(AtTimes):
        pass

    pulse = Pulse(np.array([0.5]), (a,), (), lambda c, t, rng: {a: 1.0})
    assert "is among its events; each must be an AtTimes" in refused(Acting(PLACE, (pulse,)), kinds=[a])


def test_what_stands_in_for_another_keeps_its_events():
    a, = species("a")

    class Proxy:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    once = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: LARGE / MOLECULES}),))
    assert ends([a], [Proxy(once)], "implicit") == pytest.approx([2.0], rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("gains", "said"), [
    (None, r"returns NoneType at t = 0\.5 s; it must return the gain of each species"),
    ([1.0], r"returns list at t = 0\.5 s"), (np.ones(2), r"by what has shape \(2,\), not \(1,\)")], ids=repr)
def test_what_is_no_gain_is_refused(engine, gains, said):
    a, = species("a")
    given = {a: gains} if isinstance(gains, np.ndarray) else gains
    acting = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: given),))
    with pytest.raises(InputError, match=f"^Acting: its AtTimes .*{said}"):
        ends([a], [acting], engine)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("engine", ["implicit", "explicit", "fipy"])
def test_an_event_whose_outcome_is_no_number_is_refused(engine):
    a, = species("a")
    event = AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: 1e308})
    with pytest.raises(InputError, match=r"^Acting makes 'a' in 'cell' at t = 0\.5 s near \(0, 0, 0\) um inf, which"):
        ends([a], [Acting(PLACE, (event,)), Acting(PLACE, (event,))], engine)


def test_an_error_within_an_event_tells_whose_it_is():
    a, = species("a")
    acting = Acting(PLACE, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: 1 / 0}),))
    with pytest.raises(ZeroDivisionError) as caught:
        ends([a], [acting], "implicit")
    assert caught.value.__notes__ == ["in Acting: its AtTimes"]


def test_an_event_before_the_start_is_refused():
    a, = species("a")
    early = Acting(PLACE, (AtTimes(np.array([-0.1]), (a,), (), lambda c, t, rng: {a: 1.0}),))
    assert refused(early, kinds=[a]) == "Acting: its AtTimes has an event at t = -0.1 s; a run begins at 0"


def test_channels_that_leave_charge_behind_are_an_error():
    K, Cl = Species("K", PLACE, 100.0), Species("Cl", PLACE, 100.0)

    def path(c: Any, t: float, horizon: float, rng: Any) -> SimpleNamespace:
        return SimpleNamespace(first=np.inf, gains=lambda dt: {K: 10 * dt})

    leaks = Acting(PLACE, (Channels((K,), path=path),))
    with pytest.raises(InputError, match="leaves charge behind"):
        simulate(Model([K, Cl], [leaks]), 1.0, electrolyte=Electrolyte({K: 1, Cl: -1}))


def test_a_species_without_its_comma_and_one_named_twice():
    a, = species("a")
    bare = AtTimes(np.array([0.5]), a, (), lambda c, t, rng: {a: 1.0})  # type: ignore[arg-type]
    assert refused(Acting(PLACE, (bare,)), kinds=[a]) == (
        "Acting: changes of its AtTimes must be a tuple of species, such as (calcium,)")
    twice = AtTimes(np.array([0.5]), (a, a), (a, a), lambda c, t, rng: {a: -0.5 * c[a]})
    assert ends([a], [Acting(PLACE, (twice,))], "implicit") == pytest.approx([0.5], rel=1e-12)


@pytest.mark.parametrize("name", ["n_events", "my_events", "prevents", "crossing"])
def test_other_words_are_not_taken_for_hooks(name):
    assert events_of(with_method(name)) == ()


NO_MECHANISMS = {
    "Bare is a class, not a mechanism; make one: Bare(where, ...)": Bare,
    "SimpleNamespace is no mechanism: its 'where' must be the place": SimpleNamespace(rates=lambda c, t: {}),
    "SimpleNamespace is no mechanism: it has no method rates(c, t)": SimpleNamespace(where=PLACE)}


@pytest.mark.parametrize(("said", "thing"), NO_MECHANISMS.items(), ids=["class", "where", "rates"])
def test_what_is_no_mechanism_is_refused(said, thing):
    assert refused(thing, kinds=[]).startswith(said)


def test_all_of_an_old_mechanism_is_told_at_once_with_what_replaces_it():
    class Old(Bare):
        instants = property(lambda self: np.array([0.5]))

        def jump(self, c: Any, t: float) -> dict[Species, Any]:
            return {}

        def height(self, c: Any, t: float) -> Any:
            return c

    assert refused(Old(), kinds=[]) == (
        "Old: 'instants' and 'jump' and 'height' would never be called; declare AtTimes(times, changes, takes, change) "
        "with change(c, t, rng), and OnRise(height, changes, takes, change) with height(c, t) and change(c, t, risen, "
        "rng) in a property events, or give it another name")


@pytest.mark.parametrize("engine", CONTINUOUS)
def test_what_rises_acts_where_it_has_risen_and_nowhere_else(engine):
    """Whether or not its change looks at where that is."""
    row = pool("row", np.ones(3))
    a, out = Species("a", row, np.array([1.0, 2.0, 3.0]) * LARGE / MOLECULES), Species("out", row)
    kick = Acting(row, (AtTimes(np.array([0.5]), (a,), (), lambda c, t, rng: {a: LARGE / MOLECULES}),))
    fires = Acting(row, (OnRise(lambda c, t: c[a] - 2.5 * LARGE / MOLECULES, (out,), (),
                                lambda c, t, risen, rng: {out: LARGE / MOLECULES}),))
    run = simulate(Model([a, out], [kick, fires]), 1.0, [each(out)], **ENGINES[engine])
    assert (run["out"][-1] * MOLECULES / LARGE).tolist() == pytest.approx([0.0, 1.0, 0.0], abs=1e-12)
