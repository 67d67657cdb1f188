"""Numbers so far from what they are compared with that a unit must be wrong: uM and mM, s and ms, um and nm."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

import numpy as np

from spatial._engine.system.layout import State
from spatial._engine.system.right_hand_side import System
from spatial.checks import SIZED, Sized
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Place
from spatial.model import Mechanism, Species
from spatial.parts import with_parts
from spatial.units import mM, nm, uM, um

_FAR_FROM_SIZE = 300.0  # times a K or threshold from which the first value of a species is hardly meant
_ALIKE = 1.5  # times: as near as this two potentials may be meant for each other but for their sign
_HARDLY = 1e-4  # of the D of another species in the same place, below which a D is hardly meant
_SWAPPED = 10.0  # times better, in all, that two values fit as each other than as themselves
_UNRESOLVED = 1e5  # times the largest first value from which a scale hides what a species does
_NOTHING = 1e-13  # of what it is compared with: less is nothing, not another unit
_ROUNDING = 1e-6  # of a scale: what begins lower begins at nothing
_SMALLEST, _LARGEST = 5 * nm, 1e4 * um  # the side of a cube or square as large as a place
MOST = 300 * mM
"""Of what diffuses: twice the ions of a cell or of the blood."""

_THINNEST = 0.5 * nm  # volume over area where a membrane lets something through
_IMMENSE = 1e6 * uM  # anywhere: more than there can be of a solute, or of molecules at a point
_LARGE_MOLECULE = 50.0  # um^2/s: what diffuses no faster weighs some thousand Da, as proteins and dextrans do
_DENSE = 30 * mM  # of such molecules: more mass than there is room for
_WEIGHTY = 10.0  # scale of a part or a weight, from which it is most often in per cent


def far_from_defaults(mechanism: Mechanism, states: Sequence[State]) -> Iterator[str]:
    """Yield a sentence for each number of a mechanism, or species in its stead, that is far from its default."""
    for thing, name in with_parts(mechanism):
        for field in fields(thing):
            default, sized = _reference(field, mechanism), sized_of(field)
            if default is None:
                continue
            value = getattr(thing, field.name)
            known = "default" if default == _default(field) else "usual value"
            if not isinstance(value, Species):
                from_below = sized.from_below or not sized.usual
                yield from _far(f"{name}: {field.name} is", value, default, sized.far, f"its {known}", from_below)
                continue
            for begins in _begins(value, states):
                yield from _far(f"{name}: {field.name}, {value.name!r}, begins at", begins, default, sized.far,
                                f"the {known}")


def other_signs(mechanism: Mechanism, states: Sequence[State]) -> Iterator[str]:
    """Yield a sentence for each number, or species in its stead, that is its default but for the sign: a potential."""
    for thing, name in with_parts(mechanism):
        for field in fields(thing):
            value, default = getattr(thing, field.name), field.default
            if isinstance(default, bool) or not isinstance(default, (int, float)) or default >= 0:
                continue
            given = [value]
            if isinstance(value, Species):
                given = [float(begins.mean()) for begins in _begins(value, states)]
            for number in given:
                if _is_number(number) and 1 / _ALIKE < -number / default < _ALIKE:
                    yield (f"{name}: {field.name} is {number:g}, of the other sign than its default, {default:g}; is a "
                           "minus missing?")


def far_from_parameters(mechanism: Mechanism, states: Sequence[State]) -> Iterator[str]:
    """Yield a sentence for each species that begins far from the parameter that a mechanism compares it with.

    A number in the place of a species is compared alike.
    """
    for thing, name in with_parts(mechanism):
        for field in fields(thing):
            sized, parameter = sized_of(field), getattr(thing, field.name)
            if not sized.beside or not _is_number(parameter) or not parameter:
                continue
            value, reference = getattr(thing, sized.beside), abs(float(parameter))
            whose = f"{field.name} of {name},"
            if isinstance(value, Species):
                if value.signed and parameter > 0:
                    yield (f"{name}: {value.name!r}, its {sized.beside}, may fall below zero, as a ledger may; is it a "
                           "concentration?")
                for begins in _begins(value, states):
                    if sized.even_zero and not np.any(begins):
                        yield (f"{value.name!r} in {value.place.name!r} begins at 0, where {whose} is {reference:g}; "
                               "is its first value missing?")
                    yield from _far(f"{value.name!r} in {value.place.name!r} begins at", begins, reference,
                                    _FAR_FROM_SIZE, whose, sized.from_below)
            else:
                yield from _far(f"{name}: {sized.beside} is", value, reference, _FAR_FROM_SIZE, whose, sized.from_below)


def swapped(mechanism: Mechanism, states: Sequence[State]) -> Iterator[str]:
    """Yield a sentence for each pair of species, or of numbers, in a mechanism that seem to have been swapped."""
    for thing, name in with_parts(mechanism):
        by_name = {field.name: field for field in fields(thing)}
        for field in by_name.values():
            sized = sized_of(field)
            for state in states:
                if sized.opposite:
                    yield from _swapped_sides(thing, name, field, by_name[sized.opposite], state)
                if sized.below:
                    yield from _wrong_order(thing, name, field.name, sized, state)


def _swapped_sides(thing: Any, name: str, field: Field[Any], other: Field[Any], state: State) -> Iterator[str]:
    """A sentence if the values of two fields fit the default of the other far better than their own."""
    here, there = _mean(getattr(thing, field.name), state), _mean(getattr(thing, other.name), state)
    default, opposite = _default(field), _default(other)
    if not here or not there or default is None or opposite is None:
        return
    as_given = abs(np.log(here / default)) + abs(np.log(there / opposite))
    if as_given > abs(np.log(here / opposite)) + abs(np.log(there / default)) + np.log(_SWAPPED):
        yield (f"{name}: {field.name} begins at {here:.4g} and {other.name} at {there:.4g}, where the defaults are "
               f"{default:g} and {opposite:g}; are they swapped?")


def _wrong_order(thing: Any, name: str, low: str, sized: Sized, state: State) -> Iterator[str]:
    """A sentence if a species begins higher than the one that it begins below."""
    lower, higher = getattr(thing, low), getattr(thing, sized.below)
    for species, called in ((lower, low), (higher, sized.below)):
        if species.place.dimension == 2:
            yield (f"{name}: {species.name!r}, its {called}, is on {species.place.name!r}, a membrane; is it meant to "
                   "be in the volume beside it?")
    if lower.place.dimension == 3 and lower.place is higher.place:
        yield (f"{name}: {lower.name!r}, its {low}, and {higher.name!r}, its {sized.below}, are both in "
               f"{lower.place.name!r}; is one of them meant to be elsewhere?")
    here, there = _mean(lower, state), _mean(higher, state)
    if here == there == 0.0 and sized.even_zero:
        yield f"{higher.name!r}, {sized.below} of {name}, begins at 0; is its first value missing?"
    elif here > there and (there > 0 or sized.even_zero):
        yield (f"{lower.name!r}, {low} of {name}, begins at {here:.4g}, above {higher.name!r}, its {sized.below}, at "
               f"{there:.4g}; are they swapped?")


def _mean(value: Any, state: State) -> float:
    """What a species begins at on average, or a number is, without its sign; 0 for a species that is in no model."""
    if isinstance(value, Species):
        return max((abs(float(begins.mean())) for begins in _begins(value, [state])), default=0.0)
    return abs(float(value))


def _begins(species: Species, states: Iterable[State]) -> Iterator[Floats]:
    """(n,) what a species begins at in each of these states, if it is one of their model."""
    for state in states:
        if species in state.layout.columns:
            yield state[species]


def far_from_all(species: Iterable[Species], states: Sequence[State]) -> Iterator[str]:
    """Yield a sentence for each species that diffuses and begins higher than any ion, or hides below its scale."""
    for one in species:
        largest = max(float(np.abs(state[one]).max()) for state in states)
        if one.D > 0 and one.unit == "uM" and largest > MOST:
            yield (f"{one.name!r} in {one.place.name!r} begins at {largest:.4g} uM, more than {MOST:g} uM; is its "
                   "unit right?")
        elif 0 < one.D <= _LARGE_MOLECULE and one.unit == "uM" and largest > _DENSE:
            yield (f"{one.name!r} in {one.place.name!r} begins at {largest:.4g} uM, and with D = {one.D:g} um^2/s "
                   f"it is a large molecule, of which there is no room for {_DENSE:g} uM; is its unit right?")
        elif one.unit == "uM" and largest > _IMMENSE:
            yield (f"{one.name!r} in {one.place.name!r} begins at {largest:.4g}, more than {_IMMENSE:g}; is its unit "
                   "right?")
        if one.scale and one.unit == "1" and one.signed and one.scale > _WEIGHTY:
            yield f"the scale of {one.name!r} is {one.scale:g}; is it a part, not in per cent?"
        if one.scale and one.unit == "uM" and one.D > 0 and one.scale > MOST:
            yield f"the scale of {one.name!r} is {one.scale:.4g} uM, more than {MOST:g} uM; is its unit right?"
        if one.scale and _ROUNDING * one.scale < largest * _UNRESOLVED <= one.scale:
            yield (f"the scale of {one.name!r} is {one.scale:g}, {one.scale / largest:.3g} times its largest first "
                   f"value, {largest:.4g}: errors are compared with the scale; is its unit right?")


def potentials_among_concentrations(species: Iterable[Species]) -> Iterator[str]:
    """Yield a sentence for each potential in a place of concentrations: its measure is a volume, not a capacitance."""
    with_molecules = {one.place.name for one in species if one.unit == "uM" and one.place.dimension == 3}
    for one in species:
        if one.unit == "mV" and one.place.name in with_molecules:
            yield (f"{one.name!r}, a potential, is in {one.place.name!r}, where concentrations are; its place has the "
                   "capacitance as measure, such as pool(name, [capacitance])")


def hardly_moves(species: Iterable[Species]) -> Iterator[str]:
    """Yield a sentence for each species that diffuses so much slower than another of its place that D is no D."""
    fastest = dict[str, Species]()
    for one in species:
        if one.D > fastest.get(one.place.name, one).D or one.place.name not in fastest:
            fastest[one.place.name] = one
    for one in species:
        other = fastest[one.place.name]
        if 0.0 < one.D < _HARDLY * other.D:
            yield (f"{one.name!r} in {one.place.name!r} has D = {one.D:g} um^2/s, {one.D / other.D:.2g} of that of "
                   f"{other.name!r}; is it in um^2/s? What stays where it is has D = 0")


def far_from_any_place(places: Iterable[Place]) -> Iterator[str]:
    """Yield a sentence for each place that is as a whole smaller or larger than anything in tissue."""
    for place in places:
        if place.dimension == 0:
            continue
        side = place.total ** {3: 1 / 3, 2: 1 / 2}[place.dimension]
        if not _SMALLEST < side < _LARGEST:
            kind = "volume" if place.dimension == 3 else "area"
            yield f"{place.name!r} has {place.total:.3g} {place.unit} in all; is its {kind} in {place.unit}?"


def far_from_any_shape(system: System, u: Floats) -> Iterator[str]:
    """Yield a sentence for each membrane far too large for the volume that it lets something out of or into.

    A place in which nothing is at first may be a ledger, of any volume.
    """
    state = system.state(u)
    pairs = {(term.mechanism.where, species.place) for term in system.terms for species in term.reads
             if state[species].any()}
    for where, place in sorted(pairs, key=lambda pair: (pair[0].name, pair[1].name)):
        elements = touched(where, place)
        if where.dimension != 2 or place.dimension != 3 or elements is None:
            continue
        volume = float(place.measure[np.unique(elements)].sum())
        depth = volume / where.total
        if depth < _THINNEST:
            yield (f"{where.name!r} has {where.total:.3g} um^2 for {volume:.3g} um^3 of {place.name!r}, which makes it "
                   f"{depth:.3g} um deep; is one of them in another unit?")


def _reference(field: Field[Any], mechanism: Mechanism) -> float | None:
    """What the values of a field are compared with: what is usual where a mechanism acts, or its default."""
    sized = sized_of(field)
    if sized.in_volume and mechanism.where.dimension == 3:
        return sized.in_volume
    return sized.usual or _default(field)


def _default(field: Field[Any]) -> float | None:
    """The default of a field, if it is a number that values can be compared with."""
    default = field.default
    if default is MISSING or not _is_number(default) or default == 0:
        return None
    return abs(float(default))


def sized_of(field: Field[Any]) -> Sized:
    """Return what the value of a field is compared with."""
    sized: Sized = field.metadata.get(SIZED, Sized())
    return sized


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _far(said: str, value: Any, reference: float, times: float, whose: str, from_below: bool = True) -> Iterator[str]:
    """A sentence if the largest of a number, or of an array, is not 0 and so many times its reference, or less."""
    if not _is_number(value) and not isinstance(value, np.ndarray):
        return
    values = np.abs(np.asarray(value, float)).ravel()
    largest = float(values.max()) if values.size else 0.0
    ratio = largest / reference
    if not np.isfinite(ratio) or ratio < _NOTHING or (1 / times if from_below else 0.0) < ratio < times:
        return
    shown = f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"
    yield f"{said} {largest:.4g}, {shown} {whose} {reference:g}; is its unit right?"
