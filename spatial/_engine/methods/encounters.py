"""How fast single molecules react that are in one element, beside the slices in which a counted run looks at them.

Reactions act at the ends of slices, on what is together there. Of x reactions that a pair would have in a slice,
1 - exp(-x) happen; what unbinds has walked on before it can bind again. Measured with ten A + B <-> C in 125 cubes of
10 nm, half of them bound in equilibrium, with x = 0.2 to 0.4 1 to 2 per cent too few are bound (the run's own noise is
1), with 0.9 3, with 1.7 8, with 9 13 per cent. Where sites are only in elements far smaller than most, all of the loss
is in them: with x = 415, 2.3 of ten were bound where 9.8 are exact.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spatial._engine.methods.countable import Counting, is_countable, per_unit, rates_of, reactions_of
from spatial.checks import InputError
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats
from spatial.model import Mechanism, Reaction, Species
from spatial.view import View

LOST = 0.1
"""Part of the reactions of single pairs that slices may lose, on average over where they happen: x is 0.2 or so."""

_ROUNDING = 1e-9  # of a rate


@dataclass(frozen=True, eq=False)
class _Encounter:
    """A reaction of molecules that must be in one element for it, one of each (or as many as it takes)."""

    mechanism: Mechanism
    reaction: Reaction
    reactants: tuple[Species, ...]
    rate: Floats  # (n,) 1/s


def fastest_at_rest(counting: Counting, moving: Iterable[Species], slices: float) -> float:
    """The highest rate at which a set of molecules reacts that cannot leave its element [1/s]; 0 without any.

    Raises `InputError` where slices of so many seconds lose much of what happens between molecules that move.
    """
    fastest, moving = 0.0, set(moving)
    for mechanism in filter(is_countable, counting.system.model.mechanisms):
        for encounter in _encounters(counting, mechanism):
            if moving.isdisjoint(encounter.reactants):
                fastest = max(fastest, float(encounter.rate.max()))
            else:
                _check_lost(counting, encounter, moving, slices)
    return fastest


def _encounters(counting: Counting, mechanism: Mechanism) -> Iterator[_Encounter]:
    """The reactions of a mechanism that take more than one molecule to happen, and take one away."""
    start, reads = counting.states[0], dict[Species, None]()
    view = View(counting.system.state(start), mechanism.where, reads.setdefault)
    reactions = reactions_of(mechanism, view, 0.0)
    read = [species for species in reads if counting.counts(species)]
    tried = dict[tuple[int, ...], tuple[Floats, list[Floats]]]()
    for number, reaction in enumerate(reactions):
        if not any(count < 0 and counting.counts(species) for species, count in reaction.change.items()):
            continue
        needs = tuple(max(1, -int(reaction.change.get(species, 0))) for species in read)
        if needs not in tried:
            tried[needs] = _together(counting, mechanism, start, dict(zip(read, needs, strict=True)))
        rate, without = tried[needs][0][number], [rates[number] for rates in tried[needs][1]]
        needed = [k for k, left in enumerate(without) if np.any(np.abs(rate - left) > _ROUNDING * rate)]
        if sum(needs[k] for k in needed) < 2:
            continue
        reactants = [read[k] for k in needed]
        alone = np.max([without[k] for k in needed], axis=0)
        events = mechanism.where.measure * per_unit(next(iter(reaction.change)))
        yield _Encounter(mechanism, reaction, tuple(reactants), np.maximum(rate - alone, 0.0) * events)


def _together(counting: Counting, mechanism: Mechanism, state: Floats,
              needs: dict[Species, int]) -> tuple[Floats, list[Floats]]:
    """(reactions, n) rates with so many molecules of each species in every element, and without each of the species."""
    for species, count in needs.items():
        state = counting.with_molecules(state, count, species)
    without = [rates_of(counting, mechanism, counting.with_molecules(state, 0.0, species)) for species in needs]
    return rates_of(counting, mechanism, state), without


def _check_lost(counting: Counting, encounter: _Encounter, moving: set[Species], slices: float) -> None:
    """Raise `InputError` where slices lose much of a reaction, on average over where it happens or what it binds."""
    where = encounter.mechanism.where
    still = [counting.molecules(encounter.mechanism, species) for species in encounter.reaction.change
             if counting.counts(species) and species not in moving]
    expected = np.maximum(encounter.rate * slices, _ROUNDING)
    lost = 1.0 + np.expm1(-expected) / expected
    for weight in (where.measure, *still):
        if not weight.any() or np.average(lost, weights=weight) <= LOST:
            continue
        species = next(species for species in encounter.reactants if species in moving)
        here = touched(where, species.place)
        size = np.average(species.place.measure if here is None else species.place.measure[here], weights=weight)
        often = float(np.average(encounter.rate, weights=weight))
        names = " and ".join(repr(reactant.name) for reactant in encounter.reactants)
        part = np.average(lost, weights=weight)
        raise InputError(
            f"{type(encounter.mechanism).__name__}: a pair of {names} in one element of {species.place.name!r}, on "
            f"average {size:.2g} um^{species.place.dimension}, reacts within {1 / often:.2g} s, so slices of "
            f"{slices:.2g} s lose {part:.0%} of its reactions; take larger elements, slices of at most "
            f"{2 * LOST / often:.1g} s (Tolerance(longest=...)), or simulate with concentrations (method='hybrid')")
