"""What grows from far below its scale reaches what it must, when it must, or the run says that it may not."""

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Logistic

import spatial as sp
from spatial.simulate import Engine

FASTEST_FIRST = (700.0, 100.0, 10.0, 1.0)  # 1/s
FIRST = (1e-12, 1e-9, 1e-6, 1e-4)  # at the start, of a scale of 1
TOLERANCES = (2e-2, 1e-3)
LASTS = (1.5, 20.0)  # the run, in times of half rise
WRONG = 0.05


@dataclass(frozen=True, eq=False)
class Autocatalysis:
    """food + c -> 2 c, beside a species that comes into balance a thousand times faster."""

    where: sp.Place
    c: sp.Species
    food: sp.Species
    fast: sp.Species
    k: float

    def rates(self, c: Any, t: float) -> Any:
        pace = self.k * c[self.c] * c[self.food]
        return {self.c: pace, self.food: -pace, self.fast: 1000 * self.k * (0.5 - c[self.fast])}


def alone(k: float, first: float) -> sp.Model:
    place = sp.pool("v", [1.0])
    c = sp.Species("grower", place, first, scale=1.0)
    return sp.Model([c], [Logistic(place, c, k)])


def with_food(k: float, first: float) -> sp.Model:
    place = sp.pool("v", [1.0])
    c, food = sp.Species("grower", place, first, scale=1.0), sp.Species("food", place, 1 - first)
    fast = sp.Species("fast", place)
    return sp.Model([c, food, fast], [Autocatalysis(place, c, food, fast, k)])


@dataclass(frozen=True)
class Rise:
    """One run: how far its end value and its time of half rise are from the exact ones, and what it said."""

    k: float
    first: float
    tolerance: float
    lasts: float
    end: float  # relative error
    half: float  # relative error
    warned: bool

    @property
    def is_wrong(self) -> bool:
        return not (self.end <= WRONG and self.half <= WRONG) and not self.warned


def rise(model: sp.Model, k: float, first: float, tolerance: float, lasts: float, engine: Engine) -> Rise:
    exact_half = np.log(1 / first - 1) / k
    until = lasts * exact_half
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = sp.simulate(model, until, [sp.mean(model.species[0])], tolerance=sp.Tolerance(tolerance), engine=engine)
    values = run["mean grower"]
    exact_end = 1 / (1 + np.exp(-k * (until - exact_half)))
    half = np.interp(0.5, values, run.times) if values[-1] > 0.5 else np.inf
    warned = any(issubclass(one.category, UserWarning) and "'grower'" in str(one.message) for one in said)
    return Rise(k, first, tolerance, lasts, abs(values[-1] / exact_end - 1), abs(half / exact_half - 1), warned)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "make"), [
    ("implicit", alone), ("explicit", alone), ("fipy", alone), ("implicit", with_food), ("explicit", with_food)])
def test_what_grows_from_nearly_nothing_gets_there_in_time_or_the_run_says_so(engine, make):
    thin = engine == "fipy"  # a run takes seconds
    cases = product(FASTEST_FIRST[::3] if thin else FASTEST_FIRST, FIRST[::3] if thin else FIRST,
                    TOLERANCES[:1] if thin else TOLERANCES, LASTS[:1] if thin else LASTS)
    rises = [rise(make(k, first), k, first, tolerance, lasts, engine) for k, first, tolerance, lasts in cases]
    wrong = [one for one in rises if one.is_wrong]
    assert not wrong, f"{len(wrong)} of {len(rises)}: {wrong}"
