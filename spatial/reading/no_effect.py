"""What has no effect in a run: species with nothing to do, mechanisms that gain nothing, events after its end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import numpy as np

from spatial._engine.system.right_hand_side import System, Term
from spatial._engine.system.trials import trials
from spatial.geometry.contact import to_concentration
from spatial.geometry.place import Floats
from spatial.model import AtTimes, Concentrations, Event, Species, events_of
from spatial.parts import species_in, with_parts
from spatial.units import molecule
from spatial.view import View

_FAR_AFTER = 5.0  # times the length of a run: what comes so late is hardly one that is cut short
_UNFELT = 1e-6  # of a species' size: what changes it by less in a run does nothing
_SLOW, _HARDLY_FELT = 0.05, 1e-3  # of its size per s, and in a run: what is so slow and does so little is hardly meant
_STANDS = 0.05  # of what is in an element: less leaves it by diffusion in a run in which diffusion does nothing
_SAME_TIME = 1e-9  # s, and relative: by so little times differ that are one
_TIMES = 16  # at which rates are tried, spread over a run, besides those between events


def unused_species(system: System, watched: Iterable[Species]) -> Iterator[str]:
    """Yield a sentence for each species that nothing reads, changes or watches."""
    used = {*watched, *system.model.fipy_terms, *system.drifting}
    for term in system.terms:
        used |= {*term.reads, *term.changes, *species_in(term.mechanism)}
        used |= {species for event in events_of(term.mechanism) for species in event.changes}
    for species in system.model:
        if species not in used:
            yield (f"nothing reads, changes or watches {species.name!r} in {species.place.name!r}; leave it out, or "
                   "give it to the mechanism or probe that it is meant for")


def too_little_to_be(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each source at points that lets out less than a molecule of something in a run."""
    first = trials(system.model)[0]
    for term in system.terms:
        where = term.mechanism.where
        if where.dimension or term.reads or is_zero_by_choice(term.mechanism):
            continue
        let_out = dict[Species, float]()
        for t in _times(events_of(term.mechanism), until):
            for species, gain in _asked(term, first, t).items():
                amount = float(np.abs(gain * where.measure).sum()) * until / molecule
                let_out[species] = max(let_out.get(species, 0.0), amount)
        for species, amount in let_out.items():
            if 0.0 < amount < 1.0 and species.unit == "uM" and species.place.dimension == 3:
                yield (f"{type(term.mechanism).__name__} on {where.name!r} lets out {amount:.2g} molecules of "
                       f"{species.name!r} at most in this run of {until:g} s; is its flux in uM um^3/s? Write 1000 * "
                       "molecule / s")


def _asked(term: Term, state: Concentrations, t: float) -> Mapping[Species, Any]:
    """The gains of a mechanism in a state; none where it cannot be asked."""
    with np.errstate(all="ignore"):
        try:
            return dict(term.mechanism.rates(View(state, term.mechanism.where), t))
        except Exception:
            return {}


def stuck_species(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each species that points let out into a tissue in which it does not diffuse."""
    let_out = dict[Species, str]()
    tried = trials(system.model)
    for term in system.terms:
        mechanism, events = term.mechanism, events_of(term.mechanism)
        if mechanism.where.dimension:
            continue
        made = {one for event in events for one in event.changes if not np.any(one.initial)}
        for one in term.changes:
            if any(_has_gain(term, state, one, _times(events, until), least=0.0) for state in tried):
                made.add(one)
        let_out |= {one: type(mechanism).__name__ for one in made if one.place is not mechanism.where}
    for species in system.model:
        is_still = species.D == 0 and species not in system.model.fipy_terms
        is_volume = species.place.dimension == 3 and len(species.place.links) > 0
        if is_still and species in let_out and is_volume:
            yield (f"{species.name!r} does not diffuse in {species.place.name!r}, since its D is 0, and stays where "
                   f"{let_out[species]} lets it out; give it a D")


def hardly_diffusing(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each species that diffuses so little in a run that it never leaves the smallest element."""
    for species in system.model:
        place = species.place
        if species.D == 0 or not place.joins_elements:
            continue
        leaving = np.bincount(place.links.ravel(), np.repeat(np.abs(place.transmissibility), 2), len(place))
        share = species.D * until * float((leaving / place.measure).max())
        if share < _STANDS:
            yield (f"{species.name!r} hardly diffuses in this run: with D = {species.D:g} um^2/s not more than "
                   f"{share:.2g} of what is in any element of {place.name!r} leaves it in {until:g} s; are D, lengths "
                   "and times in the right units, and elements small enough?")


def idle_mechanisms(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each mechanism that gains nothing, in any state tried, and has no event in the run."""
    tried = trials(system.model)
    for term in system.terms:
        mechanism, events = term.mechanism, events_of(term.mechanism)
        if not term.changes or _acts(events, until) or is_zero_by_choice(mechanism):
            continue
        gained = [_gains(term, state, _times(events, until)) for state in tried]
        if any(gained):
            if not any(_is_felt(term, state, _times(events, until), until) for state in tried):
                least = _HARDLY_FELT if _returns(term) else _UNFELT
                yield (f"{type(mechanism).__name__} on {mechanism.where.name!r} changes nothing by more than {least:g} "
                       f"of its size in this run of {until:g} s; are its values in the right unit?")
            continue
        late = _late(events, until)
        when = f", and its first event is at t = {late.min():g} s, after the end" if len(late) else ""
        yield (f"{type(mechanism).__name__} on {mechanism.where.name!r} has no effect in this run of {until:g} s: it "
               f"gains nothing at any time that was tried{when}; are its times in s, and its values right?")


def unread_sources(system: System, watched: Iterable[Species]) -> Iterator[str]:
    """Yield a sentence for each mechanism that reads nothing and adds only to what nothing reads or watches."""
    used = {*watched, *system.model.fipy_terms, *system.drifting, *(one for one in system.model if one.D > 0)}
    for term in system.terms:
        used |= set(term.reads)
        if any(not isinstance(event, AtTimes) or event.changes for event in events_of(term.mechanism)):
            used |= set(species_in(term.mechanism))
    for term in system.terms:
        if term.changes and not term.reads and used.isdisjoint(term.changes):
            names = " and ".join(repr(species.name) for species in term.changes)
            yield (f"{type(term.mechanism).__name__} on {term.mechanism.where.name!r} adds to {names}, which nothing "
                   "reads or watches; is it meant for another species?")


def late_events(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each mechanism that begins or ends something only after the end of the run."""
    for term in system.terms:
        for event in events_of(term.mechanism):
            if not isinstance(event, AtTimes) or event.changes:
                continue
            late = _late((event,), until)
            if len(late):
                yield (f"{type(term.mechanism).__name__} on {term.mechanism.where.name!r} would begin or end something "
                       f"at t = {late.min():g} s, but the run ends at {until:g} s; are its times in s?")


def late_trains(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each field of a mechanism that holds times, of which none but t = 0 is in or near the run.

    A run may well end before a protocol does. Where all its events come after the end it is said of the mechanism.
    """
    for term in system.terms:
        mechanism = term.mechanism
        times = [np.asarray(event.times, float) for event in events_of(mechanism) if isinstance(event, AtTimes)]
        known = np.concatenate([np.zeros(0), *times])
        if not (known <= until).any():
            continue
        for name, held in _times_held(mechanism):
            later = held[held > 0]
            if len(later) and later.min() > _FAR_AFTER * until and _are_among(held, known):
                yield (f"{type(mechanism).__name__} on {mechanism.where.name!r}: of the {len(held)} times in its "
                       f"{name} none after t = 0 is in the run, the next is {later.min():g} s of {until:g} s; are they "
                       "in s?")


def _are_among(held: Floats, known: Floats) -> bool:
    """Whether numbers are known times of events, all of them as much earlier or later, as by a delay."""
    ordered = np.sort(known)
    for shift in np.unique(ordered - held[0])[:_TIMES * _TIMES]:
        place = np.searchsorted(ordered, held + shift - _SAME_TIME)
        near = ordered[np.minimum(place, len(ordered) - 1)]
        if (np.abs(near - held - shift) <= 2 * _SAME_TIME * (1 + np.abs(near))).all():
            return True
    return False


def _times_held(mechanism: Any) -> Iterator[tuple[str, Floats]]:
    """Yield the name and the numbers of each field of a mechanism that holds an array, and of each array in a tuple."""
    for field in fields(mechanism) if is_dataclass(mechanism) else ():
        value = getattr(mechanism, field.name)
        arrays = value if isinstance(value, tuple) else (value,)
        if all(isinstance(array, np.ndarray) and array.dtype.kind in "fiu" for array in arrays):
            for number, array in enumerate(arrays):
                name = field.name if len(arrays) == 1 else f"{field.name}[{number}]"
                yield name, np.ravel(array).astype(float)


def never_made(system: System, u: Floats, until: float) -> Iterator[str]:
    """Yield a sentence for each species that is 0 and that nothing makes, though mechanisms read it."""
    there = _there(system, u, until)
    for species in system.model:
        takers = [type(term.mechanism).__name__ for term in system.terms if species in term.reads and
                  species in term.changes]
        if species not in there and takers:
            names = " and ".join(dict.fromkeys(takers))
            yield (f"{species.name!r} in {species.place.name!r} stays 0 in this run: it begins at 0 and nothing makes "
                   f"it, though {names} would take it; is a mechanism missing, or another species meant? A control "
                   "says what it goes without: model.without(...), or Model(..., left_out=[...])")


def _there(system: System, u: Floats, until: float) -> set[Species]:
    """The species that are not 0 at first, or that something can make of such."""
    state = system.state(u)
    there = {species for species in system.model if state[species].any()}
    there |= {*system.model.fipy_terms, *system.drifting}
    for term in system.terms:
        for event in events_of(term.mechanism):
            there |= set(event.changes)
        if is_zero_by_choice(term.mechanism):
            there |= set(term.changes)
    tried = trials(system.model)
    while True:
        made = set[Species]()
        for term in system.terms:
            missing = set(term.changes) - there
            if missing:
                made |= missing & _made(term, tried, there, until)
        if not made:
            return there
        there |= made


def _made(term: Term, tried: Sequence[Concentrations], there: set[Species], until: float) -> set[Species]:
    """What a mechanism changes of the species that are there."""
    times = _times(events_of(term.mechanism), until)
    return {species for state in tried for species in _gains(term, _Only(state, there), times)}


class _Only:
    """A state of which only some species are there."""

    def __init__(self, state: Concentrations, there: set[Species]) -> None:
        self._state, self._there = state, there

    def __getitem__(self, species: Species) -> Floats:
        return self._state[species] if species in self._there else np.zeros(len(species.place))


def _gains(term: Term, state: Concentrations, times: Sequence[float]) -> set[Species]:
    """The species of which a mechanism gains something in a state, at the first of these times at which it does.

    Where it cannot be asked, all that it changes.
    """
    with np.errstate(all="ignore"):
        for t in times:
            try:
                gains = term.mechanism.rates(View(state, term.mechanism.where), t)
                gained = {species for species, gain in gains.items() if np.any(gain)}
            except Exception:
                return set(term.changes)
            if gained:
                return gained
    return set()


def drains_without_end(system: System, until: float) -> Iterator[str]:
    """Yield a sentence for each mechanism that takes from a species as much as ever when there is little left.

    What is so much that a run cannot take it all may be seen as endless, and what is exchanged for another species
    follows that one.
    """
    tried = trials(system.model)
    for term in system.terms:
        where = term.mechanism.where
        for species in term.changes:
            given = [other for other in term.changes if other is not species and not other.signed]
            if species.signed or species in term.reads or given:
                continue
            without = [_Only(state, set(system.model.species) - {species}) for state in tried]
            times = _times(events_of(term.mechanism), until)
            if all(_has_gain(term, state, species, times, -species.typical / until) for state in without):
                yield (f"{type(term.mechanism).__name__} on {where.name!r} takes from {species.name!r} without reading "
                       "how much there is, down to below zero; a ledger is a species with signed=True, and what else "
                       "is taken depends on its amount; is another species meant?")


def _has_gain(term: Term, state: Concentrations, species: Species, times: Sequence[float], least: float) -> bool:
    """Whether a species gains more than the `least` [1/s] by a mechanism at one of these times, in a state.

    With a `least` below zero, whether it loses more. False where it cannot be asked.
    """
    with np.errstate(all="ignore"):
        for t in times:
            try:
                gain = term.mechanism.rates(View(state, term.mechanism.where), t).get(species, 0.0)
            except Exception:
                return False
            change = to_concentration(gain, term.mechanism.where, species.place)
            if np.any(change < least if least < 0 else change > least):
                return True
    return False


def _is_felt(term: Term, state: Concentrations, times: Sequence[float], until: float) -> bool:
    """Whether a mechanism changes a species by more than a trifle of its size in a run, or cannot be asked.

    What it also reads tells; what it only counts in, such as a ledger, has no size of its own.
    """
    where = term.mechanism.where
    telling = _returns(term) or set(term.changes)
    with np.errstate(all="ignore"):
        for t in times:
            try:
                gains = term.mechanism.rates(View(state, where), t)
            except Exception:
                return True
            for species in telling & gains.keys():
                change = np.abs(to_concentration(gains[species], where, species.place)).max() / species.typical
                is_slow = species in term.reads and species.unit != "1" and change < _SLOW
                if not change * until < (_HARDLY_FELT if is_slow else _UNFELT):
                    return True
    return False


def _returns(term: Term) -> set[Species]:
    """The species that a mechanism both reads and changes.

    Only of these is the size known that a change is compared with: a source may be as weak as it likes.
    """
    return set(term.changes) & set(term.reads)


def _times(events: Iterable[Event], until: float) -> list[float]:
    """Times in a run at which rates are tried: spread over it, and between known events."""
    times = {0.0, until}
    for event in events:
        if isinstance(event, AtTimes):
            times |= set(np.asarray(event.times, float)[:_TIMES].tolist())
    edges = np.array(sorted(time for time in times if time <= until))
    between = (edges[1:] + edges[:-1]) / 2
    return [0.0, *between.tolist(), *np.linspace(0.0, until, _TIMES + 1)[1:].tolist()]


def _acts(events: Iterable[Event], until: float) -> bool:
    """Whether one of some events may change something in a run."""
    acting = [event for event in events if event.changes]
    return any(not isinstance(event, AtTimes) or bool((np.asarray(event.times) <= until).any()) for event in acting)


def _late(events: Iterable[Event], until: float) -> Floats:
    """(k,) the known times of events after the end of a run [s]."""
    times = [np.asarray(event.times, float) for event in events if isinstance(event, AtTimes)]
    known = np.concatenate([np.zeros(0), *times])
    return known[known > until]


def is_zero_by_choice(mechanism: Any) -> bool:
    """Whether a parameter of a mechanism, or of a part of it, was set to 0: a control."""
    for thing, _ in with_parts(mechanism):
        for field in fields(thing):
            value = getattr(thing, field.name)
            is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            if is_number and value == 0 and (field.default is MISSING or field.default != 0):
                return True
    return False
