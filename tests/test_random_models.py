"""Two hundred models drawn at random: nothing negative, nothing lost, as exact as the tolerance says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from limits import Late, limits
from random_models import RandomModel, Reference, random_model, reference

import spatial as sp
from spatial.geometry.place import Floats
from spatial.model import Concentrations, Species

COUNT = 200
TOLERANCES = (2e-2, 1e-3)
GROWN = 5.0  # e-folds from which an error may be larger, by their number
LONGEST = 10.0  # CPU s of a run
PATIENCE = 6.0  # CPU s for the reference


class Last:
    """Keeps the fields of the last frame."""

    def __init__(self, species: tuple[Species, ...]) -> None:
        self.species = species
        self.values: Mapping[Species, Floats] = {}

    def write(self, t: float, c: Concentrations) -> None:
        self.values = {species: np.array(c[species]) for species in self.species}


@dataclass(frozen=True)
class Result:
    """What a run of a random model came to."""

    seed: int
    tolerance: float
    ended: str = "whole"  # or what it said, or "late"
    smallest: float = 0.0
    drift: float = 0.0
    error: float = np.nan  # over the tolerance; NaN where there is nothing to compare with
    growth: float = np.nan  # e-folds
    explodes: bool = False  # so says SciPy


def result(case: RandomModel, seed: int, tolerance: float, truth: Reference | None, explodes: bool) -> Result:
    last = Last(case.model.species)
    try:
        with limits(LONGEST):
            sp.simulate(case.model, case.duration, tolerance=sp.Tolerance(tolerance), frames=last,
                        frame_times=[case.duration])
    except Late:
        return Result(seed, tolerance, "late", explodes=explodes)
    except Exception as error:
        return Result(seed, tolerance, f"{type(error).__name__}: {error}", explodes=explodes)
    smallest = min(float(values.min()) for values in last.values.values())
    error = np.nan if truth is None else truth.error(last.values) / tolerance
    growth = np.nan if truth is None else truth.growth
    return Result(seed, tolerance, "whole", smallest, case.drift(last.values), error, growth, explodes)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """What all models come to, at each tolerance."""
    found = []
    for seed in range(COUNT):
        case = random_model(seed)
        try:
            with limits(PATIENCE):
                truth = reference(case)
            explodes = truth is None
        except Late:
            truth, explodes = None, False
        if truth is not None and not truth.is_sound:
            truth = None
        found += [result(case, seed, tolerance, truth, explodes) for tolerance in TOLERANCES]
    return found


@pytest.mark.slow
def test_random_models_stay_finite_and_above_zero_and_keep_their_amounts(results):
    whole = [one for one in results if one.ended == "whole"]
    assert not [one for one in whole if not (one.smallest >= 0 and one.drift <= 1e-13)]


@pytest.mark.slow
def test_random_models_run_to_their_end_unless_they_explode(results):
    assert not [one for one in results if one.ended != "whole" and not one.explodes]


@pytest.mark.slow
def test_random_models_that_explode_end_by_themselves_with_an_error(results):
    explosions = [one for one in results if one.explodes]
    assert explosions
    assert not [one for one in explosions if not one.ended.startswith("InputError")]


@pytest.mark.slow
def test_random_models_err_less_than_the_tolerance_in_99_of_100_that_do_not_grow(results):
    quiet = [one for one in results if one.growth < GROWN]
    wrong = [one for one in quiet if not one.error < 1]
    assert len(quiet) > COUNT / 2
    assert len(wrong) <= 0.01 * len(quiet), wrong


@pytest.mark.slow
def test_random_models_that_grow_err_less_than_the_tolerance_times_their_e_folds(results):
    growing = [one for one in results if one.growth >= GROWN]
    assert not [one for one in growing if not one.error < one.growth]
