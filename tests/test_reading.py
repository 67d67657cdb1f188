"""A model is read once at the start: what cannot be meant is refused, what can hardly be meant is warned of by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Reaction, Species
from spatial.simulate import simulate

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
], ids=["factor", "product", "negative", "law", "error", "nothing"])
def test_reactions_must_sum_to_rates(law, said):
    a, b = species(), species("b")
    said = said.replace(r"shape \(\)", r"shape \(2,\)")
    with pytest.raises(InputError, match=f"^Played: {said}"):
        run(Played(PLACE, a, lambda c: law(c, a, b)), also=(a, b))


def test_resting_needs_rates_that_are_pure_too():
    a = species()
    with pytest.raises(InputError, match=r"^Told: its rates (draw|give two gains)"):
        rest(Model([a], [Told(PLACE, lambda c, t: {a: -c[a] * RNG.normal()})]))
