"""A model is read once at the start: what cannot be meant is refused, what can hardly be meant is warned of by name."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError, sized
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.serca import SERCA
from spatial.model import AtTimes, EachStep, Model, OnRise, Reaction, Species
from spatial.observe.probes import Probe, mean
from spatial.reading.read import HardlyMeant
from spatial.simulate import simulate
from spatial.synapses.postsynaptic import with_neurons

PLACE = pool("cell", [1.0, 2.0])
RNG = np.random.default_rng(1)


def species(name: str = "a", initial: float = 1.0, **others: Any) -> Species:
    return Species(name, PLACE, initial, **others)


@dataclass(frozen=True, eq=False)
class Told:
    """Rates that are a function."""

    where: Place
    law: Callable[[Any, float], Any]

    def rates(self, c: Any, t: float) -> Any:
        return self.law(c, t)


@dataclass(frozen=True, eq=False)
class Played:
    """A decay, and reactions that are a function."""

    where: Place
    species: Species
    law: Callable[[Any], Any]

    def rates(self, c: Any, t: float) -> Any:
        return {self.species: -3.0 * c[self.species]}

    def reactions(self, c: Any, t: float) -> Any:
        return self.law(c)


@dataclass(frozen=True, eq=False)
class Acting:
    """Events, and no rates."""

    where: Place
    events: tuple[Any, ...]

    def rates(self, c: Any, t: float) -> Any:
        return {}


@dataclass(eq=False)
class Counting:
    """A decay that counts how often it is asked, and slows down by it or not."""

    where: Place
    species: Species
    calls: int = 0
    log: list[float] = field(default_factory=list)

    def rates(self, c: Any, t: float) -> Any:
        self.calls += 1
        return {self.species: -c[self.species]}


@dataclass(frozen=True, eq=False)
class Logging:
    """A decay that keeps the times at which it is asked."""

    where: Place
    species: Species
    log: list[float] = field(default_factory=list)

    def rates(self, c: Any, t: float) -> Any:
        self.log.append(t)
        return {self.species: -c[self.species]}


@dataclass(frozen=True, eq=False)
class Lucky:
    """A decay that draws once in a while, from a generator of its own."""

    where: Place
    species: Species
    rng: np.random.Generator

    def rates(self, c: Any, t: float) -> Any:
        factor = 2.0 if self.rng.random() < 1e-9 else 1.0
        return {self.species: -factor * c[self.species]}


def run(*mechanisms: Any, also: tuple[Species, ...] = ()) -> None:
    simulate(Model(also, mechanisms), 0.1)


@pytest.mark.parametrize(("returned", "said"), [
    (lambda a: None, r"its rates return nothing; end them with return \{species: gain\}"),
    (lambda a: [0.0, 0.0], "its rates return list; they must return the gain of each species"),
    (lambda a: np.zeros(2), "its rates return ndarray; they must"),
    (lambda a: {"a": 1.0}, "its rates return the gain of 'a', which is no species; they must return it by species"),
    (lambda a: {a: "1"}, "its gain of 'a' is str and holds no numbers"),
    (lambda a: {a: None}, "its gain of 'a' is NoneType and holds no numbers"),
    (lambda a: {a: [[1.0], 2.0]}, "its gain of 'a' is list and holds no numbers"),
    (lambda a: {a: np.zeros(3)}, r"its gain of 'a' has shape \(3,\), not \(2,\)"),
    (lambda a: {}["receptors"], "its rates fail in the initial state: KeyError: 'receptors'"),
    (lambda a: a.concentration, "its rates fail in the initial state: AttributeError: 'Species' object has no"),
], ids=["nothing", "list", "array", "names", "text", "None", "ragged", "shape", "KeyError", "AttributeError"])
def test_rates_that_are_none_are_refused_by_name(returned, said):
    a = species()
    with pytest.raises(InputError, match=f"^Told: {said}"):
        run(Told(PLACE, lambda c, t: returned(a)), also=(a,))


def test_setting_what_is_seen_is_refused_with_what_to_do_instead():
    a = species()
    with pytest.raises(InputError, match=r"^Told: c\['a'\] is set, but what a mechanism sees is read-only; return the "
                                         r"gain of each species, \{species: gain\}"):
        run(Told(PLACE, lambda c, t: c.__setitem__(a, 0.0)), also=(a,))


def test_rates_that_return_nothing_later_are_refused_by_name():
    a = species()
    with pytest.raises(InputError, match=r"^Told: its rates return NoneType at t = 0\.\d+ s; they must return"):
        run(Told(PLACE, lambda c, t: {a: -c[a]} if t < 0.05 else None), also=(a,))


@pytest.mark.parametrize("law", [lambda c, t, a: {a: -c[a] * (1 + 1e-3 * np.random.randn())},  # noqa: NPY002
                                 lambda c, t, a: {a: -c[a] * (1 + 1e-3 * RNG.normal())}], ids=["NumPy's", "global"])
def test_rates_that_draw_are_refused(law):
    a = species()
    with pytest.raises(InputError, match=r"^Told: its rates (draw random numbers|give two gains).*let chance act in"):
        run(Told(PLACE, lambda c, t: law(c, t, a)), also=(a,))


def test_rates_that_draw_and_hardly_ever_show_it_are_refused():
    a = species()
    with pytest.raises(InputError, match=r"^Lucky: its rates draw random numbers; they are asked any number of times"):
        run(Lucky(PLACE, a, np.random.default_rng(1)), also=(a,))


def test_rates_that_draw_only_in_another_state_are_refused():
    a = species("a", 0.0)
    with pytest.raises(InputError, match=r"^Told: its rates (draw|give two gains of 'a' in one and the same state)"):
        run(Told(PLACE, lambda c, t: {a: np.where(c[a] > 0, RNG.normal(), 1.0)}), also=(a,))


def test_rates_that_go_by_how_often_they_are_asked_are_refused():
    a, asked = species(), []

    def law(c: Any, t: float) -> Any:
        asked.append(t)
        return {a: -c[a] * len(asked)}

    with pytest.raises(InputError, match=r"^Told: its rates give two gains of 'a' in one and the same state, -1 and"):
        run(Told(PLACE, law), also=(a,))


@pytest.mark.parametrize(("kind", "own"), [(Counting, "calls"), (Logging, "log")])
def test_rates_that_write_into_their_own_fields_are_refused(kind, own):
    a = species()
    with pytest.raises(InputError, match=f"^{kind.__name__}: its rates change its own '{own}.*is a species, or"):
        run(kind(PLACE, a), also=(a,))


def test_a_mechanism_listed_twice_is_refused():
    a = species()
    decay = Told(PLACE, lambda c, t: {a: -c[a]})
    with pytest.raises(InputError, match=r"^Told on <cell: 2 elements, 3 um.3> is listed twice in this model"):
        run(decay, decay, also=(a,))


@pytest.mark.parametrize(("law", "said"), [
    (lambda c, a, b: [Reaction({a: -1}, 2.0 * c[a])], r"its reactions make -2 of 'a' where its rates gain -3; the ch"),
    (lambda c, a, b: [Reaction({a: -1, b: 1}, 3.0 * c[a])], r"its reactions make 3 of 'b' where its rates gain 0; the"),
    (lambda c, a, b: [Reaction({a: 1}, -3.0 * c[a])], r"the rate of a reaction of \[<a in cell>\] has shape \(\) and sm"
                                                      "allest value -3; it must"),
    (lambda c, a, b: [Reaction({a: -1}, 3.0)], "its reactions make -3 of 'a' where its rates gain -"),
    (lambda c, a, b: 1 / 0, "its reactions fail in the initial state: ZeroDivisionError"),
    (lambda c, a, b: None, "its reactions return NoneType; they must return a list of Reaction"),
    (lambda c, a, b: [Reaction({a: -1}, {b: 1})], r"the rate of a reaction of \[<a in cell>\] is {<b in cell>: 1}; "
                                                  "it must be numbers: Reaction"),
    (lambda c, a, b: [Reaction([a], 3.0 * c[a])], r"a reaction of it changes \[<a in cell>\]; it must be {species"),
    (lambda c, a, b: [Reaction({"a": -1}, 3.0 * c[a])], "a reaction of it changes {'a': -1}; it must be {species"),
], ids=["factor", "product", "negative", "law", "error", "nothing", "products", "list", "names"])
def test_reactions_must_sum_to_rates(law, said):
    a, b = species(), species("b")
    said = said.replace(r"shape \(\)", r"shape \(2,\)")
    with pytest.raises(InputError, match=f"^Played: {said}"):
        run(Played(PLACE, a, lambda c: law(c, a, b)), also=(a, b))


def test_resting_needs_rates_that_are_pure_too():
    a = species()
    with pytest.raises(InputError, match=r"^Told: its rates (draw|give two gains)"):
        rest(Model([a], [Told(PLACE, lambda c, t: {a: -c[a] * RNG.normal()})]))


@dataclass(frozen=True, eq=False)
class Decay:
    """What a species loses, with a parameter that has a default and one that is compared with the species."""

    where: Place
    species: Species
    rate: float = 2.0
    K: float = sized(0.1, beside="species")

    def rates(self, c: Any, t: float) -> Any:
        return {self.species: -self.rate * c[self.species] / (1 + c[self.species] / self.K)}


@dataclass(frozen=True, eq=False)
class Rising:
    """An event where a species rises through a threshold."""

    where: Place
    species: Species
    counted: Species
    threshold: float

    def rates(self, c: Any, t: float) -> Any:
        return {self.species: 5.0}

    @property
    def events(self) -> Any:
        height = lambda c, t: c[self.species] - self.threshold  # noqa: E731
        return (OnRise(height, (self.counted,), change=lambda c, t, risen, rng: {self.counted: 1.0}),)


def said_of(*mechanisms: Any, also: Any = (), watch: Any = (), until: float = 0.1, **others: Any) -> str:
    """What is said of a model, a sentence a line."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        simulate(Model(also, mechanisms), until, watch, **others)
    assert all(warning.category is HardlyMeant and warning.filename == __file__ for warning in told)
    return "\n".join(str(warning.message) for warning in told)


def test_a_model_that_is_meant_is_silent():
    a, b = species("a", 0.2), species("b")
    assert said_of(Decay(PLACE, a), also=(a, b), watch=[mean(b)], every=0.05) == ""


def test_a_species_that_nothing_has_to_do_with_is_named():
    a, b = species("a", 0.2), species("b")
    said = said_of(Decay(PLACE, a), also=(a, b), watch=[mean(a)])
    assert said.startswith("nothing reads, changes or watches 'b' in 'cell'; leave it out, or give it to the mechanism")


@pytest.mark.parametrize(("start", "stop", "said"), [
    (10.0, None, "Injection on 'cell' has no effect in this run of 0.1 s: it gains nothing at any time that was tried, "
                 "and its first event is at t = 10 s, after the end; are its times in s"),
    (0.05, 20.0, "Injection on 'cell' would begin or end something at t = 20 s, but the run ends at 0.1 s; are its")])
def test_what_comes_after_the_end_is_named(start, stop, said):
    a = species()
    assert said in said_of(Injection(PLACE, a, 1.0, start, stop), also=(a,))


def test_a_mechanism_that_gains_nothing_is_named_unless_a_parameter_was_set_to_nothing():
    a = species("a", 0.2)
    said = said_of(Told(PLACE, lambda c, t: {a: 0.0 * c[a]}), also=(a,))
    assert "Told on 'cell' has no effect in this run of 0.1 s: it gains nothing at any time that was tried; are" in said
    assert said_of(Decay(PLACE, a, rate=0.0), also=(a,)) == ""


def test_what_a_source_set_to_nothing_would_make_is_not_called_missing():
    a = species("a", 0.0)
    assert "'a' in 'cell' stays 0 in this run" in said_of(Decay(PLACE, a), also=(a,))
    assert said_of(Decay(PLACE, a), Injection(PLACE, a, 0.0), also=(a,)) == ""


def test_what_is_taken_and_never_made_is_named_but_not_in_a_control():
    a, b, gone = species("a", 0.0), species("b"), species("gone", 0.0)
    source, sink = Injection(PLACE, a, 1.0), Conversion(PLACE, a, gone, 1.0)
    assert said_of(source, sink, also=(a, gone)) == ""
    said = said_of(Conversion(PLACE, b, gone, 1.0), sink, also=(a, b, gone))
    assert said.startswith("'a' in 'cell' stays 0 in this run: it begins at 0 and nothing makes it, though Conversion "
                           "would take it; is a mechanism missing, or another species meant?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(Model([a, gone], [source, sink]).without(Injection), 0.1)
        simulate(Model([a, gone], [sink], left_out=[Injection]), 0.1)


@pytest.mark.parametrize(("mechanism", "said"), [
    (lambda a: Decay(PLACE, a, rate=2000.0), "Decay: rate is 2000, 1e+03 times its default 2; is its unit right?"),
    (lambda a: Decay(PLACE, a, rate=0.002), "Decay: rate is 0.002, 1/1e+03 of its default 2; is its unit right?"),
    (lambda a: Kir41(PLACE, a), "Kir41: outside, 'a', begins at 1, 1/3.08e+03 of the default 3082; is its unit right?"),
    (lambda a: Decay(PLACE, a, K=1e-3), "'a' in 'cell' begins at 1, 1e+03 times K of Decay, 0.001; is its unit right?"),
    (lambda a: Decay(PLACE, a, K=1e3, rate=1.0), "'a' in 'cell' begins at 1, 1/1e+03 of K of Decay, 1000; is its unit"),
])
def test_values_far_from_what_they_are_compared_with_are_named(mechanism, said):
    a = species(signed=True)
    assert said in said_of(mechanism(a), also=(a,))


@pytest.mark.parametrize(("others", "said"), [
    ({"initial": 4e5, "D": 100.0}, "'a' in 'cell' begins at 4e+05 uM, more than 300000 uM; is its unit right?"),
    ({"scale": 1e5}, "the scale of 'a' is 100000, 1e+05 times its largest first value, 1: errors are compared with")])
def test_a_species_that_begins_too_high_or_hides_below_its_scale_is_named(others, said):
    a = Species("a", grid("cell", (0, 0, 0), (1, 1, 1), 0.5), **{"initial": 1.0, **others})
    assert said in said_of(also=(a,), watch=[mean(a)])


@pytest.mark.parametrize(("volume", "said"), [(1e-15, "'cell' has 1e-15 um^3 in all; is its volume in um^3?"),
                                              (1e13, "'cell' has 1e+13 um^3 in all; is its volume in um^3?")])
def test_a_volume_that_nothing_has_is_named(volume, said):
    a = Species("a", pool("cell", [volume]), 1.0)
    assert said in said_of(also=(a,), watch=[mean(a)])


def test_a_mechanism_that_is_in_a_model_twice_is_named():
    a = species("a", 0.2)
    assert said_of(Decay(PLACE, a), Decay(PLACE, a), also=(a,)).startswith(
        "Decay on 'cell' is in this model twice, with the same species and the same values, so what it does is done")
    assert said_of(Decay(PLACE, a), Decay(PLACE, a, rate=3.0), also=(a,)) == ""


def test_probes_further_apart_than_the_run_is_long_are_named():
    a = species()
    assert said_of(also=(a,), watch=[mean(a)], every=1.0).startswith("every is 1 s, longer than the run, 0.1 s: probes")


@pytest.mark.parametrize(("read", "said"), [
    (lambda c: None, "returns None at t = 0 s; it must return a number"),
    (lambda c: "1", "returns '1' at t = 0 s; it must return a number"),
    (lambda c: [[1.0], [2.0, 3.0]], "returns \\[\\[1.0\\], \\[2.0, 3.0\\]\\] at t = 0 s; it must return a number"),
    (lambda c: np.zeros((2, 2)), "returns an array of shape \\(2, 2\\) at t = 0 s; it must return"),
    (lambda c: {}["a"], "fails in the first state: KeyError: 'a'")])
def test_a_probe_that_reads_no_numbers_is_refused(read, said):
    a = species()
    with pytest.raises(InputError, match=f"^probe 'p' {said}"):
        simulate(Model([a]), 0.1, [Probe("p", "uM", read)])


@pytest.mark.parametrize(("threshold", "said"), [
    (1000.0, "Rising on 'cell' never came near its threshold, though what its height reads changed: it was 999 below "
             "at the start and 994 at best; is the threshold right?"),
    (0.5, "Rising on 'cell' was above its threshold all through the run, so that its OnRise never happened; is its"),
    (2.0, ""), (8.0, "")])
def test_a_threshold_that_cannot_be_meant_is_named_at_the_end(threshold, said):
    a, counted = species(), species("counted", 0.0)
    assert said_of(Rising(PLACE, a, counted, threshold), also=(a, counted), until=1.0).startswith(said)
    assert said or not said_of(Rising(PLACE, a, counted, threshold), also=(a, counted), until=1.0)


def test_a_species_that_has_two_parts_in_a_mechanism_is_named():
    a = species()
    assert "Conversion: 'a' is both its source and its product; is one of them" in (
        said_of(Conversion(PLACE, a, a, 1.0), also=(a,)))


def test_a_species_that_is_let_out_and_cannot_diffuse_is_named():
    tissue = Mesh.of(grid("ecs", (0, 0, 0), (1, 1, 1), 0.5)).with_points("pipette", [(0.3, 0.3, 0.3)], touching=["ecs"])
    stuck, free = Species("stuck", tissue["ecs"]), Species("free", tissue["ecs"], D=100.0)
    said = said_of(*(Injection(tissue["pipette"], one, 1.0) for one in (stuck, free)), also=(stuck, free))
    assert said == ("'stuck' does not diffuse in 'ecs', since its D is 0, and stays where Injection lets it out; "
                    "give it a D")


@pytest.mark.parametrize(("event", "said"), [
    (lambda a: EachStep((a,), change=lambda c, t, rng: {}), r"change of its EachStep takes \(c, t, rng\); it is call"),
    (lambda a: OnRise(lambda c: c[a], ()), r"height of its OnRise takes \(c\); it is called with \(c, t\)"),
    (lambda a: AtTimes(np.array([0.05]), (a,), change=lambda c, t: {}), r"change of its AtTimes takes \(c, t\); it")])
def test_functions_of_events_that_take_other_arguments_are_refused(event, said):
    a = species()
    with pytest.raises(InputError, match=f"^Acting: {said}"):
        run(Acting(PLACE, (event(a),)), also=(a,))


def test_text_where_a_number_is_due_is_refused():
    a = species()
    for mechanism, said in ((lambda: Decay(PLACE, a, rate="2 uM"), "Decay: rate is '2 uM', which is text; it must be"),
                            (lambda: Kir41(PLACE, "K+"), "Kir41: outside is 'K\\+'; it must be")):
        with pytest.raises(InputError, match=f"^{said}"):
            run(mechanism(), also=(a,))


def test_rates_that_are_a_property_are_refused():
    a = species()
    kind = type("Odd", (), {"where": PLACE, "rates": property(lambda self: {a: 1.0})})
    with pytest.raises(InputError, match=r"^Odd: its rates are a property; make them a method"):
        Model([a], [kind()])


MESH = well_mixed({"cytosol": 0.5, "er": 0.05, "other": 1.0}, {"er membrane": (2.0, ["cytosol", "er"])})


def cell(name: str, place: str = "cytosol", initial: float = 0.1, **others: Any) -> Species:
    return Species(name, MESH[place], initial, **others)


@pytest.mark.parametrize(("h", "ip3", "calcium", "said"), [
    (cell("h", initial=0.5), cell("IP3"), cell("Ca"), "'h' is on 'cytosol'; it must be on 'er membrane'"),
    (cell("h", "er membrane", 70.0), cell("IP3"), cell("Ca"), "'h' begins at 70; it is a part, and must begin between"),
    (cell("h", "er membrane"), cell("IP3", "er"), cell("Ca"), "'IP3', its ip3, is on 'er'; it must be on 'cyt")])
def test_a_receptor_refuses_what_is_not_where_its_law_needs_it(h, ip3, calcium, said):
    with pytest.raises(InputError, match=f"^LiRinzel: {said}"):
        LiRinzel(MESH["er membrane"], calcium, cell("ER Ca", "er", 400.0), ip3, h)


def test_a_cytosol_and_a_store_that_are_swapped_are_named():
    calcium, store = cell("Ca"), cell("ER Ca", "er", 20.0)
    said = said_of(SERCA(MESH["er membrane"], store, calcium), also=(calcium, store))
    assert said.startswith("'ER Ca', calcium of SERCA, begins at 20, above 'Ca', its store, at 0.1; are they swapped?")
    assert said_of(SERCA(MESH["er membrane"], calcium, store), also=(calcium, store)) == ""
    outside, inside = cell("K out", initial=3e3), cell("K in", "er", 1e5)
    assert said_of(Kir41(MESH["er membrane"], outside, inside), also=(outside, inside)) == ""
    assert "Kir41: outside begins at 1e+05 and inside at 3000, where the defaults are 3082 and 99959; are they" in (
        said_of(Kir41(MESH["er membrane"], inside, outside), also=(outside, inside)))


def test_a_ledger_in_the_place_of_a_concentration_is_named():
    ledger, store = cell("ledger", signed=True), cell("ER Ca", "er", 20.0)
    assert "SERCA: 'ledger', its calcium, may fall below zero, as a ledger may; is it a concentration?" in (
        said_of(SERCA(MESH["er membrane"], ledger, store), also=(ledger, store)))


def test_an_area_in_another_unit_is_named():
    mesh = well_mixed({"cytosol": 0.5, "er": 0.05}, {"er membrane": (2e6, ["cytosol", "er"])})
    calcium, store = Species("Ca", mesh["cytosol"], 0.1), Species("ER Ca", mesh["er"], 20.0)
    assert "'er membrane' has 2e+06 um^2 for 0.5 um^3 of 'cytosol', which makes it 2.5e-07 um deep; is one of them" in (
        said_of(SERCA(mesh["er membrane"], calcium, store, V=1e-3), also=(calcium, store)))


def test_a_temperature_in_degrees_is_refused():
    with pytest.raises(InputError, match=r"^Kir41: temperature is 37 K; it must be the absolute temperature, 250"):
        Kir41(MESH["er membrane"], temperature=37.0)


def test_a_potential_without_its_minus_is_named():
    assert "Kir41: V is 83.6, of the other sign than its default, -83.6; is a minus missing?" in (
        said_of(Kir41(MESH["er membrane"], K_out := cell("K out", initial=3e3), V=83.6), also=(K_out,)))


def test_a_capacitance_in_pF_is_refused():
    mesh = Mesh.of(pool("synapses", [1.0]))
    with pytest.raises(InputError, match=r"^capacitance is 200 pA s/mV; it must be 0.0001 to 20: 1 pA s/mV is 1 nF"):
        with_neurons(mesh, "synapses", [0], capacitance=200.0)


# What a run comes to

def test_what_rises_far_above_all_that_is_compared_with_it_is_named_at_the_end():
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"er membrane": (2.0, ["cytosol", "er"])})
    c, e = Species("c", mesh["cytosol"], 0.1, D=220.0), Species("e", mesh["er"], 400.0)
    pump = SERCA(mesh["er membrane"], c, e)
    few, many = (said_of(pump, Injection(mesh["cytosol"], c, flux, stop=0.05), also=(c, e)) for flux in (20.0, 2e4))
    assert few == ""
    assert many.startswith("'c' in 'cytosol' rises to ")
    assert "times K of SERCA, 0.1; is what makes it in the right unit?" in many


def test_what_changes_nothing_by_more_than_a_trifle_is_named():
    a = species()
    assert "changes nothing by more than 1e-06 of its size" in said_of(Injection(PLACE, a, 1e-9), also=(a,))
