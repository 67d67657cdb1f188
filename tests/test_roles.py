"""Species and times in the fields of mechanisms that can hardly be meant are named, and those that can are not."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion
from spatial.model import AtTimes, Model, Species
from spatial.observe.probes import mean
from spatial.reading.read import HardlyMeant
from spatial.simulate import simulate
from spatial.synapses.plasticity.stdp import PairSTDP

CELL = pool("cell", [1.0])


@dataclass(frozen=True, eq=False)
class Pump:
    """What a species loses, and what becomes of it unless that was forgotten."""

    where: Any
    calcium: Species
    outside: Species
    forgets: bool = False

    def rates(self, c: Any, t: float) -> Any:
        flux = 2.0 * c[self.calcium]
        return {self.calcium: -flux} if self.forgets else {self.calcium: -flux, self.outside: flux}


@dataclass(frozen=True, eq=False)
class Later(Pump):
    """The same, but only from a declared time on."""

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(np.array([0.05])),)

    def rates(self, c: Any, t: float) -> Any:
        flux = 2.0 * c[self.calcium] if t >= 0.05 else 0.0
        return {self.calcium: -flux, self.outside: flux}


def said_of(species: Iterable[Species], *mechanisms: Any, until: float = 0.1) -> list[str]:
    """What is said of a model that is run."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        simulate(Model(species, mechanisms), until)
    assert all(warning.category is HardlyMeant for warning in told)
    return [str(warning.message) for warning in told]


def species(*names: str, initial: float = 1.0) -> list[Species]:
    """Species of these names."""
    return [Species(name, CELL, initial) for name in names]


def test_species_in_each_others_fields_are_named() -> None:
    calcium, free, bound = species("Calcium", "Free", "bound")
    assert said_of([calcium, free, bound], Buffer(CELL, calcium, free, bound)) == []
    assert said_of([calcium, free, bound], Buffer(CELL, calcium, bound, free)) == [
        "Buffer: 'bound' is its free and 'Free' its bound; are they swapped?"]


def test_a_reaction_that_goes_both_ways_is_no_mistake() -> None:
    source, product = species("source", "product")
    there, back = Conversion(CELL, source, product, 1.0), Conversion(CELL, product, source, 2.0)
    assert said_of([source, product], there, back) == []


def test_a_species_that_a_mechanism_holds_and_does_nothing_with_is_named() -> None:
    calcium, outside = species("Ca", "ledger")
    assert said_of([calcium, outside], Pump(CELL, calcium, outside)) == []
    assert said_of([calcium, outside], Later(CELL, calcium, outside)) == []
    assert said_of([calcium, outside], Pump(CELL, calcium, outside, forgets=True)) == [
        "Pump on 'cell' neither reads nor changes 'ledger', its outside; is a gain missing in its rates?"]


def test_trains_in_the_place_of_the_spikes_of_a_neuron_are_refused() -> None:
    pre, after, weight = species("pre", "post", "w", initial=0.5)
    trains = (np.array([0.01, 0.03]), np.array([0.02]))
    with pytest.raises(InputError, match=r"^PairSTDP: post is .*; it must be an array of numbers or a Firing$"):
        PairSTDP(CELL, trains[:1], trains, pre, after, weight)


def test_a_seed_may_be_any_whole_number() -> None:
    a = Species("a", CELL, 1.0)
    assert simulate(Model([a], []), 0.1, [mean(a)], seed=2**70)["mean a"][-1] == 1.0


@pytest.mark.parametrize("post", [np.array([15.0, 35.0]), np.array([0.0, 15.0])])
def test_spikes_of_one_side_that_come_after_the_end_are_named(post) -> None:
    pre, after, weight = species("pre trace of a", "post trace of a", "w", initial=0.5)
    trains = (np.array([0.01, 0.03, 15.0]),)
    rule = PairSTDP(CELL, trains, np.array([0.02, 15.0]), pre, after, weight)
    assert said_of([pre, after, weight], rule) == []
    assert said_of([pre, after, weight], rule, until=0.015) == []  # cut short
    rule = PairSTDP(CELL, trains, post, pre, after, weight)
    assert said_of([pre, after, weight], rule) == [
        "PairSTDP on 'cell': of the 2 times in its post none after t = 0 is in the run, the next is 15 s of 0.1 s; are "
        "they in s?"]
