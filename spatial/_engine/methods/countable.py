"""What is refused where molecules are counted: models for which slices are known to give wrong numbers.

What a rate depends on is measured: reactions are asked for their rates with 0, 1/1024 ... 64 molecules of a species in
each element, all else as at the start, and again with little of all else. A net rate in proportion to the molecules,
or to as many of them together as a reaction takes, plus a constant, has the right mean however few there are. All else
is a concentration law, the mean over many: Hill's, or Michaelis and Menten's. Of Poisson numbers with the mean N at
half-activation it errs by about 1/N: 5 per cent with 20 molecules. Measured in closed form, SERCA's law (K 0.1 uM,
n 2) at 0.12 uM takes 12 per cent of its flux in cubes of 100 nm and 95 per cent in cubes of 500 nm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Ints
from spatial.model import Concentrations, Mechanism, Reaction, Reactions, Species, laws_of
from spatial.units import MOLECULES
from spatial.view import View, reading

ENOUGH = 20.0
"""Molecules at the half-activation of a concentration law, from which its mean is right to 5 per cent."""

MOST = 2.0**53
"""Molecules in an element up to which doubles, in which the state is kept, count every one."""

_TRIED = np.r_[0.0, 2.0 ** np.arange(-10, 7)]  # molecules in each element
_WHOLE = 10  # of those above zero, the first whole number
_MANY = 2.0**20  # molecules: what is zero there has a ceiling
_LITTLE = 1e-3  # of what is typical
_ROUNDING = 1e-9  # of the largest rate
_ORDER = 0.05  # by so little an order may differ from a whole one: a half-activation a thousand molecules away
_FLAT, _LEVEL = 0.1, 0.75  # orders: of what is saturated from the first; below which a rate levels off
_INSTEAD = "simulate with concentrations (method='hybrid')"


@dataclass(frozen=True, eq=False)
class Counting:
    """A system whose molecules are to be counted, and the state that it starts from."""

    system: System
    start: Floats  # (size,)
    counted: NDArray[np.bool_]  # (size,) whether an unknown is a number of molecules
    one: Floats  # (size,) concentration of one molecule

    def counts(self, species: Species) -> bool:
        """Whether a species of the model is counted and cannot be negative."""
        return not species.signed and bool(self.counted[self.system.layout.index(species)].all())

    def molecules(self, mechanism: Mechanism, species: Species) -> Floats:
        """(n,) molecules of a species at the start, at each element of where a mechanism acts."""
        index = self.index(mechanism, species)
        return np.asarray(self.start[index] / self.one[index])

    def index(self, mechanism: Mechanism, species: Species) -> Ints:
        """(n,) unknown of a species at each element of where a mechanism acts."""
        index, here = self.system.layout.index(species), touched(mechanism.where, species.place)
        return index if here is None else index[here]

    def with_molecules(self, state: Floats, number: float, *species: Species) -> Floats:
        """(size,) a state with so many molecules of each of these species in every element."""
        state = state.copy()
        for changed in species:
            index = self.system.layout.index(changed)
            state[index] = number * self.one[index]
        return state

    @cached_property
    def states(self) -> tuple[Floats, Floats]:
        """(size,) each: the start, with what is typical of what is not there, and one with little of all."""
        full, little = self.start.copy(), self.start.copy()
        for species in filter(self.counts, self.system.model):
            index = self.system.layout.index(species)
            full[index] = np.where(full[index] > 0, full[index], species.typical)
            little[index] = full[index] if _is_number(species) else _LITTLE * species.typical
        return full, little


@dataclass(frozen=True, eq=False)
class _Response:
    """How the rates of a mechanism's reactions depend on one species, all else as in one state."""

    species: Species
    reactions: tuple[Reaction, ...]
    rates: Floats  # (len(_TRIED) + 1, reactions, n), the last with _MANY molecules

    def rises(self, number: int) -> bool:
        """Whether the rate of a reaction grows with the species anywhere."""
        rate = self.rates[:, number]
        return bool((np.diff(rate, axis=0) > _ROUNDING * np.abs(rate).max(axis=0)).any())

    def is_zero_without(self, number: int) -> bool:
        """Whether a reaction does not happen without the species."""
        rate = self.rates[:-1, number]
        return bool((np.abs(rate[0]) <= _ROUNDING * np.abs(rate).max(axis=0)).all())

    def has_ceiling(self, number: int) -> bool:
        """Whether a reaction happens without the species, and no longer where there is very much of it."""
        rate = self.rates[:, number]
        return bool(((rate[0] > 0) & (rate[-1] <= 0)).any())

    def net(self) -> Iterator[tuple[int, Floats]]:
        """Each way of changing molecules, less the same backwards: how many of the species it takes, and its rate.

        The rates are (len(_TRIED), n). Those of reactions said to be elementary are left out.
        """
        sums, taken = dict[frozenset[tuple[Species, int]], Floats](), dict[frozenset[tuple[Species, int]], int]()
        for number, reaction in enumerate(self.reactions):
            if reaction.elementary:
                continue
            change = frozenset((species, int(count)) for species, count in reaction.change.items() if count)
            back = frozenset((species, -count) for species, count in change)
            key, sign = (back, -1.0) if back in sums else (change, 1.0)
            sums[key] = sums.get(key, 0.0) + sign * self.rates[:-1, number]
            taken[key] = max(taken.get(key, 1), -int(reaction.change.get(self.species, 0)))
        for key, rate in sums.items():
            yield taken[key], rate


def per_unit(species: Species) -> float:
    """Molecules per concentration and measure: 602.2 per uM um^3, 1 of what is given in numbers.

    Raises `InputError` for a unit that does not count anything.
    """
    if species.unit.split()[0] == "uM":
        return MOLECULES
    if species.unit == "1" or species.unit.startswith("1/um"):
        return 1.0
    raise InputError(f"{species.name!r} has the unit {species.unit!r}; to be played molecule by molecule it must be "
                     "'uM', 'uM um', '1' or '1/um^2'")


def check_countable(counting: Counting) -> None:
    """Raise `InputError`, by name, for what is known to come out wrong where molecules are counted in slices."""
    _check_thresholds(counting.system)
    check_numbers(counting, counting.start, "at the start")
    for mechanism in counting.system.model.mechanisms:
        for law in laws_of(mechanism):
            if law.species in counting.system.layout.columns and counting.counts(law.species):
                _check_law(counting, mechanism, law.species, law.K, law.n)
    for mechanism in counting.system.model.mechanisms:
        declared = {law.species for law in laws_of(mechanism)}
        for response in _responses(counting, mechanism):
            _check_finite(counting, mechanism, response)
            _check_growth(counting, mechanism, response)
            if response.species not in declared and not _is_number(response.species):
                _check_order(counting, mechanism, response)


def _check_thresholds(system: System) -> None:
    """Raise `InputError` for what happens at a threshold."""
    for mechanism, _ in system.events.on_rise:
        raise InputError(f"{type(mechanism).__name__} acts where something rises through a threshold; where molecules "
                         "are counted that is looked at only at the ends of slices, which miss rises and fall for "
                         f"noise; {_INSTEAD}")


def check_numbers(counting: Counting, state: Floats, when: str) -> None:
    """Raise `InputError` where a state (size,) holds more molecules than can be counted one by one.

    Beyond, whole numbers of 64 bits would turn negative, and a molecule more or less would be lost in rounding.
    """
    with np.errstate(all="ignore"):
        molecules = np.where(counting.counted, np.abs(state / counting.one), 0.0)
    worst = int(np.argmax(molecules))  # the first that is no number, if there is one
    if molecules[worst] <= MOST:
        return
    species = counting.system.layout.species_at(worst)
    raise InputError(f"{species.name!r} in {species.place.name!r} has {molecules[worst]:.2g} molecules in an element "
                     f"{when}, more than can be counted one by one, {MOST:.2g}; check its unit and the size of the "
                     f"place, or {_INSTEAD}")


def _check_law(counting: Counting, mechanism: Mechanism, species: Species, K: float | Floats, n: float) -> None:
    """Raise `InputError` unless a law's half-activation is many molecules, and what it starts from if n > 1."""
    index = counting.index(mechanism, species)
    _check_enough(counting, mechanism, species, "its half-activation", K / counting.one[index])
    if n > 1:
        _check_enough(counting, mechanism, species, "what it starts from", counting.molecules(mechanism, species))


def _check_enough(counting: Counting, mechanism: Mechanism, species: Species, what: str, molecules: Floats) -> None:
    """Raise `InputError` where a law of a species acts on too few molecules, (n,) over the mechanism's place."""
    fewest = int(np.argmin(molecules))
    if molecules[fewest] >= ENOUGH * (1 - _ROUNDING):
        return
    index = counting.index(mechanism, species)[fewest]
    here = np.searchsorted(counting.system.layout.index(species), index)
    size = f"{species.place.measure[here]:.2g} {_measure_unit(species)}"
    raise InputError(
        f"{type(mechanism).__name__}: a rate of it is not in proportion to {species.name!r} (a Hill or Michaelis law), "
        f"and {what}, {molecules[fewest] * counting.one[index]:.3g} {species.unit}, is {molecules[fewest]:.2g} "
        f"molecules in an element of {size} of {species.place.name!r}; where molecules are counted such a law needs "
        f"{ENOUGH:g} there: take larger elements, sites that bind one by one, or {_INSTEAD}")


def _responses(counting: Counting, mechanism: Mechanism) -> Iterator[_Response]:
    """How a mechanism's reactions depend on each species that they read or take and that is counted, in two states."""
    if not is_countable(mechanism):
        return
    for state in counting.states:
        reads: dict[Species, None] = {}
        reactions = reactions_of(mechanism, View(counting.system.state(state), mechanism.where, reads.setdefault), 0.0)
        taken = [species for reaction in reactions for species, count in reaction.change.items() if count < 0]
        for species in filter(counting.counts, dict.fromkeys((*reads, *taken))):
            rates = [rates_of(counting, mechanism, counting.with_molecules(state, number, species))
                     for number in (*_TRIED, _MANY)]
            yield _Response(species, tuple(reactions), np.array(rates))


def is_countable(mechanism: Mechanism) -> bool:
    """Whether a mechanism has reactions."""
    return isinstance(mechanism, Reactions)


def rates_of(counting: Counting, mechanism: Any, state: Floats) -> Floats:
    """(reactions, n) the rate of each reaction of a mechanism in a state."""
    with np.errstate(all="ignore"):
        reactions = reactions_of(mechanism, View(counting.system.state(state), mechanism.where), 0.0)
    n = len(mechanism.where)
    return np.array([np.broadcast_to(reaction.rate, n) for reaction in reactions]).reshape(len(reactions), n)


def reactions_of(mechanism: Any, near: Concentrations, t: float) -> Sequence[Reaction]:
    """The reactions of a mechanism, which may only read what it sees."""
    return reading(type(mechanism).__name__, mechanism.reactions, near, t)


def _check_finite(counting: Counting, mechanism: Mechanism, response: _Response) -> None:
    """Raise `InputError` where a rate is no number without a species of which there are few."""
    is_number = np.isfinite(response.rates[:-1]).all(axis=(0, 1))
    if (~is_number & (counting.molecules(mechanism, response.species) < ENOUGH)).any():
        raise InputError(f"{type(mechanism).__name__}: the rate of a reaction is not a finite number where there is "
                         f"little or no {response.species.name!r}; it must be finite and >= 0 there")


def _check_order(counting: Counting, mechanism: Mechanism, response: _Response) -> None:
    """Raise `InputError` where a rate bends with a species of which there are few."""
    molecules = counting.molecules(mechanism, response.species)
    for taken, rate in response.net():
        half, is_slow = _half_activation(rate, float(taken))
        _check_enough(counting, mechanism, response.species, "its half-activation", half)
        _check_enough(counting, mechanism, response.species, "what it starts from",
                      np.where(is_slow, np.inf, molecules))
    for number, reaction in enumerate(response.reactions):
        drains = reaction.change.get(response.species, 0) < 0 and not reaction.elementary
        if drains and not response.is_zero_without(number):
            _check_enough(counting, mechanism, response.species, "what it starts from", molecules)


def _half_activation(rate: Floats, order: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Where a rate levels off, and whether it is nowhere steeper than this order: (n,) molecules, infinite if nowhere.

    `rate` is (len(_TRIED), n). The local order, d log(rate) / d log(molecules), of Hill's law is half of its first at
    half-activation. What bends below a molecule only, as where a floor keeps a rate from being negative, does not.
    """
    number, elements = _TRIED[1:], np.arange(rate.shape[1])
    grown = np.abs(rate[1:] - rate[0])
    seen = grown > _ROUNDING * np.abs(rate).max(axis=0)
    first = np.argmax(seen, axis=0)
    with np.errstate(all="ignore"):
        orders = np.where(seen[1:] & seen[:-1], np.log2(grown[1:] / grown[:-1]), np.nan)
        begins = orders[np.minimum(first, len(orders) - 1), elements]
        is_bent = orders <= 0.5 * begins
        after = np.argmax(is_bent, axis=0)
        low, high = orders[np.maximum(after - 1, 0), elements], orders[after, elements]
        part = np.where(low > high, (low - 0.5 * begins) / (low - high), 1.0)
    is_fine = (np.isnan(orders) | (np.abs(orders - order) <= _ORDER))[_WHOLE:].all(axis=0)
    is_flat = begins < _FLAT
    levels_off = is_bent.any(axis=0) & (orders < _LEVEL).any(axis=0)
    half = np.where(levels_off, number[after] * 2.0 ** (part - 0.5), np.inf)
    half = np.where(is_flat, number[first], half)
    steepest = np.nanmax(np.vstack([orders[_WHOLE:], begins, np.full(len(elements), -np.inf)]), axis=0)
    is_other = (steepest > order + _ORDER) | ((begins < order - _ORDER) & ~is_flat)
    return np.where(is_fine, np.inf, half), is_fine | ~is_other


def _check_growth(counting: Counting, mechanism: Mechanism, response: _Response) -> None:
    """Raise `InputError` for what makes itself, and for what is made out of nothing up to a number.

    From one molecule, over three e-folds, X -> 2X and X + S -> 2X have been measured to come out 15 to 26 per cent too
    low; two species that make each other, 0 to 5 per cent, which is not refused.
    """
    kind, species = type(mechanism).__name__, response.species
    for number, reaction in enumerate(response.reactions):
        if reaction.change.get(species, 0) <= 0:
            continue
        takes_nothing = not any(count < 0 and counting.counts(taken) for taken, count in reaction.change.items())
        if takes_nothing and response.has_ceiling(number):
            raise InputError(f"{kind} makes {species.name!r} out of nothing, up to a number that is only a parameter, "
                             "so that more may come in a slice than there are; where molecules are counted give what "
                             "it is made of as a species, which the reaction takes")
        makes_itself = not reaction.elementary and response.is_zero_without(number)
        if response.rises(number) and (takes_nothing or makes_itself):
            raise InputError(f"{kind} makes {species.name!r} the faster the more of it there is; where molecules are "
                             f"counted what grows so in a slice comes too late, and the mean is too low; {_INSTEAD}")


def _is_number(species: Species) -> bool:
    """Whether a species is counted where it is, such as channels in a state: its rates know whole numbers."""
    return species.unit == "1"


def _measure_unit(species: Species) -> str:
    """The unit of the measure of a species' place."""
    return {0: "points", 1: "um"}.get(species.place.dimension, f"um^{species.place.dimension}")
