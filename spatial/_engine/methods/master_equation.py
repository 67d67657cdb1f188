"""Molecule by molecule: the reaction-diffusion master equation on the control volumes of the PDE.

Every element holds whole numbers of molecules. Time goes in slices. In a slice every molecule walks from
element to element (`_engine.operators.jump_rates`, exact), and every reaction of every mechanism happens a random
number of times (tau-leaping): Poisson where it takes nothing, else among those that can react, so no number falls below
zero. Reactions act one after the other, each on what the others left, for half a slice; then come diffusion, and
the reactions in reverse order: errors go with the square of the slice. A reaction alone is exact where each
molecule reacts by itself, and where few pairs meet: single molecules find their binomial equilibrium, and Poisson
numbers stay Poisson. Measured with A + B <-> C against its exact equilibrium: with 4 pairs to an element no bias
(0.2 +- 0.2 per cent) at any length; with 100 pairs 0.3, 1.2 and 7 per cent for a `hazard` of 0.1, 0.3 and 1. Models
for which slices are known to give wrong numbers are refused (`countable`, `encounters`).

Outside, the state is the system's own concentrations. A double holds every whole number up to 2^53, and
dividing by the molecules per concentration and multiplying again errs by parts in 10^16, so rounding gives the
same whole numbers back: nothing is lost between slices, and the engine keeps nothing itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from spatial._engine.methods.countable import MOST, Counting, check_countable, check_numbers, per_unit, reactions_of
from spatial._engine.methods.encounters import fastest_at_rest
from spatial._engine.operators.jump_rates import Hops, hops, walk
from spatial._engine.system.events import Deposit, Flags
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError, positive
from spatial.compiled import compiled
from spatial.draws import address_of, generator_at
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Channels, Gains, Mechanism, Reaction, Reactions, Species, events_of
from spatial.view import View

HAZARD = 0.1  # chance with which a molecule reacts in a slice, averaged over a reaction's events
DWELL = 0.5  # slice over the mean time that a molecule stays in an element
_FEW = 10.0  # pairs that meet in an element in a slice: up to this they are played one by one
_NEVER = 1e-9  # events in a slice, below zero by rounding: a rate that is more negative is a mistake
_SAME = 1e-9  # relative: an amount so close to whole molecules is whole


@dataclass(frozen=True, eq=False)
class _Channel:
    """One reaction of a mechanism, in the flat state."""

    number: int  # among those of the mechanism
    index: Ints  # (k, n) unknown of each of k species, at each element of where it happens
    change: Ints  # (k,)
    limits: Flags  # (k,) whether it takes of what cannot be negative
    meets: Flags  # (k,) whether its rate is set by how many sets of these can meet; none: by one kind alone
    events: Floats  # (n,) events per rate


@dataclass(frozen=True, eq=False)
class _Player:
    """A mechanism with its reactions."""

    mechanism: Mechanism
    channels: tuple[_Channel, ...]


@dataclass(frozen=True, eq=False)
class _Walker:
    """A species that diffuses."""

    index: Ints
    D: float
    hops: Hops


@dataclass(frozen=True, eq=False)
class MasterEquation:
    """A system played molecule by molecule: `start` once, then `advance` again and again.

    All methods take and give concentrations, and leave their argument as it is. Those that nothing changes stay
    as they are, whole numbers or not.
    """

    system: System
    players: tuple[_Player, ...]
    walkers: tuple[_Walker, ...]
    counted: Flags  # (size,) whether an unknown is a number of molecules
    one: Floats  # (size,) concentration of one molecule
    felt: Flags  # (size,) whether a mechanism reads it and it cannot be negative
    stay: float  # mean time in an element of the fastest species that mechanisms read [s]
    pairing: float  # the highest rate at which molecules react that cannot leave their element [1/s]
    hazard: float = HAZARD
    dwell: float = DWELL

    def start(self, rng: np.random.Generator, u: Floats | None = None) -> Floats:
        """(size,) a state, by default the initial one, in whole molecules, rounded by chance.

        The mean of each element is right, and the total of each species to one molecule.
        """
        u = self.system.initial() if u is None else u.copy()
        for species in self.system.model:
            index = self.system.layout.index(species)
            if self.counted[index[0]]:
                upto = np.floor(np.cumsum(u[index] / self.one[index]) + rng.random())
                u[index] = np.diff(upto, prepend=0.0) * self.one[index]
        return u

    def numbers(self, u: Floats) -> Ints:
        """(size,) molecules in each element; 0 for what is not counted.

        Raises `InputError` where there are more than can be counted one by one.
        """
        N = np.where(self.counted, np.rint(u / self.one), 0.0)
        if not np.abs(N).max(initial=0.0) <= MOST:
            check_numbers(Counting(self.system, u, self.counted, self.one), u, "now")
        return N.astype(np.int64)

    def advance(self, u: Floats, t: float, stop: float, rng: np.random.Generator,
                longest: float = inf) -> tuple[Floats, float]:
        """The state one slice after `t`, and its time: at most `stop`, and at most `longest` [s] later."""
        u, N = u.copy(), self.numbers(u)
        dt = min(longest, self._slice(N, u, t))
        dt, end = (stop - t, stop) if t + dt >= stop else (dt, t + dt)
        for player in self.players:
            self._play(player, player.channels, N, u, t + dt / 4, dt / 2, rng)
        self._walk(N, u, dt, rng)
        for player in reversed(self.players):
            self._play(player, player.channels[::-1], N, u, t + 3 * dt / 4, dt / 2, rng)
        return u, end

    def deposit(self, rng: np.random.Generator) -> Deposit:
        """How the gains of events are added to a state, in whole molecules, in place.

        Each amount is rounded by chance, with one draw per element for all species of a mechanism: what one loses
        another gains.
        """

        def add(u: Floats, mechanism: Mechanism, gains: Gains) -> None:
            draw = rng.random(len(mechanism.where))
            for species, gain in gains.items():
                index = _index(self.system, mechanism, species)
                amount = gain * mechanism.where.measure * per_unit(species)
                rounded = np.rint(amount)
                is_whole = np.abs(amount - rounded) <= _SAME * np.abs(amount)
                by_chance = np.sign(amount) * np.floor(np.abs(amount) + draw)
                N = np.rint(u / self.one)
                np.add.at(N, index, np.where(is_whole, rounded, by_chance))
                u[index] = N[index] * self.one[index]

        return add

    def _near(self, mechanism: Mechanism, u: Floats) -> View:
        return View(self.system.state(u), mechanism.where)

    def _walk(self, N: Ints, u: Floats, dt: float, rng: np.random.Generator) -> None:
        """Diffusion, in place."""
        for walker in self.walkers:
            where, how = walker.index, walker.hops
            moved = N[where]
            walk(how.begins, how.neighbours, how.upto, how.leaving, walker.D, dt, moved, address_of(rng))
            N[where] = moved
            u[where] = moved * self.one[where]

    def _play(self, player: _Player, channels: Sequence[_Channel], N: Ints, u: Floats, t: float, dt: float,
              rng: np.random.Generator) -> None:
        """The reactions of one mechanism, in place; rates are computed again after each that happened."""
        rates: list[Floats] | None = None
        for channel in channels:
            rates = rates or self._rates(player, u, t)
            rate = rates[channel.number]
            if not rate.any():
                continue
            happened = play(rate, channel.index, channel.change, channel.limits, channel.meets, self.one, dt, N, u,
                            address_of(rng))
            if happened < 0:
                raise InputError(_uncountable(player, channel, rate, t))
            if happened:
                rates = None

    def _rates(self, player: _Player, u: Floats, t: float) -> list[Floats]:
        """(n,) events per second of each reaction of a mechanism, at each element."""
        found = reactions_of(player.mechanism, self._near(player.mechanism, u), t)
        return [channel.events * reaction.rate for channel, reaction in zip(player.channels, found, strict=True)]

    def _slice(self, N: Ints, u: Floats, t: float) -> float:
        """How long rates may be taken as constant [s]."""
        longest, flow = self.dwell * self.stay, np.zeros(len(N))
        if self.pairing > 0:
            longest = min(longest, self.hazard / self.pairing)
        for player in self.players:
            for rate, channel in zip(self._rates(player, u, t), player.channels, strict=True):
                hazard = strain(rate, channel.index, channel.change, channel.limits, N, flow)
                longest = min(longest, self.hazard / hazard if hazard > 0 else inf)
        feels = self.felt & (flow != 0)
        change = np.maximum(self.hazard * N[feels], 1.0) / np.abs(flow[feels])
        return min(longest, float(change.min(initial=inf)))


@compiled()
def play(rate: Floats, index: Ints, change: Ints, limits: Flags, meets: Flags, one: Floats, dt: float, N: Ints,
         u: Floats, address: int) -> int:
    """Let one reaction happen for a time dt [s] at rate (n,) [1/s], in place; how often it did.

    It returns -1, with part of it done, where a rate is no number, is negative, or would bring more than can be
    counted: the numbers drawn would be those of a rate that does not fit into 64 bits, which is none.
    While it goes on its rate falls with what it takes: in proportion to the sets of molecules that can meet,
    or, where only one of them sets the rate, to the number of times for which the rest suffices. Where several of
    one species meet, a rate in proportion to a power of their concentration counts each with itself, which no
    molecule meets. The generator is given by its address (`draws.address_of`).
    """
    rng = generator_at(address)
    per_set = np.zeros(len(rate))
    for i in range(len(rate)):
        if rate[i] > 0.0 and left(index, change, limits, N, i) > 0:
            per_set[i] = rate[i] / drawn_sets(index, change, limits, meets, N, i)
    happened = 0
    for i in range(len(rate)):
        if not -_NEVER <= rate[i] * dt <= MOST:
            return -1
        most = left(index, change, limits, N, i)
        if rate[i] <= 0.0 or most == 0:
            continue
        if most < 0:
            times = rng.poisson(rate[i] * dt)
        elif meets.any():
            times = meetings(per_set[i] * dt, most, index, change, limits, meets, N, i, rng)
        else:
            times = rng.binomial(most, -np.expm1(-per_set[i] * dt))
        if times > 0:
            happened += times
            for k in range(len(change)):
                j = index[k, i]
                N[j] += change[k] * times
                u[j] = N[j] * one[j]
    return happened


@compiled()
def left(index: Ints, change: Ints, limits: Flags, N: Ints, i: int) -> int:
    """How often a reaction could happen in element i with what is there; -1: as often as it likes."""
    often = -1
    for k in range(len(change)):
        if limits[k]:
            here = N[index[k, i]] // -change[k]
            if often < 0 or here < often:
                often = here
    return often


@compiled()
def sets(index: Ints, change: Ints, limits: Flags, meets: Flags, N: Ints, i: int, times: int) -> float:
    """Sets of molecules that can react in element i after a reaction happened so many times."""
    if not meets.any():
        return float(left(index, change, limits, N, i) - times)
    found = 1.0
    for k in range(len(change)):
        if meets[k]:
            for taken in range(-change[k]):
                found *= max(0, N[index[k, i]] + times * change[k] - taken)
    return found


@compiled()
def drawn_sets(index: Ints, change: Ints, limits: Flags, meets: Flags, N: Ints, i: int) -> float:
    """Sets of molecules in element i as a concentration counts them: N of each, drawn again and again."""
    if not meets.any():
        return float(left(index, change, limits, N, i))
    found = 1.0
    for k in range(len(change)):
        if meets[k]:
            found *= float(N[index[k, i]]) ** -change[k]
    return found


@compiled()
def meetings(chance: float, most: int, index: Ints, change: Ints, limits: Flags, meets: Flags, N: Ints, i: int,
             rng: np.random.Generator) -> int:
    """How many sets react in element i when each does at the rate `chance` in a time of 1, at most `most`.

    One after the other, exactly, if few are expected; else binomial, with the mean that mass action gives.
    """
    expected = chance * sets(index, change, limits, meets, N, i, 0)
    if expected > _FEW:
        return rng.binomial(most, min(1.0, _mass_action(expected, chance, index, change, meets, N, i) / most))
    times, time = 0, 0.0
    while times < most:
        often = chance * sets(index, change, limits, meets, N, i, times)
        if often == 0.0:
            break
        time += rng.standard_exponential() / often
        if time > 1.0:
            break
        times += 1
    return times


@compiled()
def _mass_action(expected: float, chance: float, index: Ints, change: Ints, meets: Flags, N: Ints, i: int) -> float:
    """Reacted in a time of 1, where dx/dt = chance (A - x)(B - x) for a pair; otherwise as if B were plenty."""
    fewest, most, kinds, largest = np.inf, 0.0, 0, 0
    for k in range(len(change)):
        if meets[k]:
            here = float(N[index[k, i]])
            fewest, most = min(fewest, here), max(most, here)
            kinds, largest = kinds + 1, max(largest, -change[k])
    if kinds != 2 or largest != 1:
        return fewest / largest * -np.expm1(-expected * largest / fewest)
    if most - fewest < 1e-6 * most:
        return expected / (1.0 + chance * most)
    gone = -np.expm1(-chance * (most - fewest))
    return most * fewest * gone / (most - fewest * (1.0 - gone))


@compiled()
def strain(rate: Floats, index: Ints, change: Ints, limits: Flags, N: Ints, flow: Floats) -> float:
    """Add what a reaction brings per second to `flow`; how fast what it takes of reacts, mean over its events."""
    all_events, hazards = 0.0, 0.0
    for i in range(len(rate)):
        often = left(index, change, limits, N, i)
        if rate[i] <= 0.0 or often == 0:
            continue
        for k in range(len(change)):
            flow[index[k, i]] += change[k] * rate[i]
        if often > 0:
            all_events += rate[i]
            hazards += rate[i] * rate[i] / often
    return hazards / all_events if all_events > 0.0 else 0.0


def _uncountable(player: _Player, channel: _Channel, rate: Floats, t: float) -> str:
    """Return what to say of a rate (n,) [1/s] that is negative, or at which more happens than can be counted."""
    worst = int(np.argmin(rate))  # the first that is no number, if there is one
    if rate[worst] >= 0.0:
        worst = int(np.argmax(rate))
    where = player.mechanism.where
    return (f"{type(player.mechanism).__name__} in {where.name!r} at t = {t:g} s near {where.position(worst)} has a "
            f"reaction at a rate of {rate[worst]:.3g} events per second, which is no number that can be counted; check "
            "its values and their units")


def master_equation(system: System, hazard: float = HAZARD, dwell: float = DWELL, start: Floats | None = None,
                    longest: float = inf) -> MasterEquation:
    """A system ready to be played molecule by molecule, from the state `start`, by default the initial one.

    Slices are so short that a molecule reacts with a chance of at most `hazard` (the mean over a reaction's
    events), stays in its element for most of them (`dwell` times its mean stay), and last at most `longest` [s].
    Raises `InputError` for a mechanism without `reactions`, reactions that do not fit, units that count nothing,
    FiPy terms, and what is known to come out wrong (`countable`, `encounters`).
    """
    positive("hazard of a molecule in a slice", hazard)
    positive("slice over the mean stay in an element", dwell)
    if system.lifted.nnz or system.constant.any():
        raise InputError("FiPy terms have no molecules: leave fipy_terms out, or simulate with concentrations")
    players = tuple(found for mechanism in system.model.mechanisms if (found := _player(system, mechanism)))
    counted, one = np.zeros(system.layout.size, bool), np.ones(system.layout.size)
    for species in {*_diffusing(system), *_changed(system)}:
        index = system.layout.index(species)
        counted[index], one[index] = True, 1.0 / (species.place.measure * per_unit(species))
    counting = Counting(system, system.initial() if start is None else start, counted, one)
    check_countable(counting)
    walkers, stays_of = _walkers(system)
    felt = np.zeros(system.layout.size, bool)
    read = {species for term in system.terms for species in term.reads}
    for species in read:
        felt[system.layout.index(species)] = not species.signed
    stay = min((stay for species, stay in stays_of.items() if species in read), default=inf)
    pairing = fastest_at_rest(counting, stays_of, min(longest, dwell * stay))
    return MasterEquation(system, players, walkers, counted, one, felt & counted, stay, pairing, hazard, dwell)


def _diffusing(system: System) -> list[Species]:
    """The species that diffuse. Raises `InputError` for one that may be negative."""
    diffusing = [species for species in system.model if species.D > 0]
    for species in diffusing:
        if species.signed:
            raise InputError(f"{species!r} diffuses and may be negative; only what cannot is made of molecules")
    return [species for species in diffusing if len(species.place.links)]


def _walkers(system: System) -> tuple[tuple[_Walker, ...], dict[Species, float]]:
    """The species that diffuse, each with the mean time for which its molecules stay in an element [s]."""
    walkers, stays, diffusing = list[_Walker](), dict[Species, float](), _diffusing(system)
    for of in system.layout.places.values():
        place = of[0].place
        moving = [species for species in of if species in diffusing]
        if moving:
            how = hops(place)
            often = float(how.leaving @ place.measure) / place.total
            walkers += [_Walker(system.layout.index(species), species.D, how) for species in moving]
            stays |= {species: 1.0 / (species.D * often) for species in moving}
    return tuple(walkers), stays


def _changed(system: System) -> Iterator[Species]:
    """The species that some mechanism changes."""
    state = system.state(system.initial())
    for mechanism in system.model.mechanisms:
        if isinstance(mechanism, Reactions):
            for reaction in reactions_of(mechanism, View(state, mechanism.where), 0.0):
                yield from reaction.change
        for event in events_of(mechanism):
            yield from event.changes


def _covers(reactions: Sequence[Reaction], channels: Sequence[Channels]) -> bool:
    """Whether some reaction changes each species that channels change."""
    changed = {species for reaction in reactions for species in reaction.change}
    return all(species in changed for event in channels for species in event.changes)


def _player(system: System, mechanism: Mechanism) -> _Player | None:
    """A mechanism with its reactions; None if it has no rates. Checks that the reactions fit."""
    kind = type(mechanism).__name__
    events = events_of(mechanism)
    random = [event for event in events if isinstance(event, Channels)]
    near = View(system.state(system.initial()), mechanism.where)
    if random and not (isinstance(mechanism, Reactions) and _covers(reactions_of(mechanism, near, 0.0), random)):
        raise InputError(f"{kind} has channels that no reactions of it open and close; where molecules are counted it "
                         "needs reactions that change all that its channels change")
    if not isinstance(mechanism, Reactions):
        if events and not mechanism.rates(near, 0.0):
            return None
        raise InputError(f"{kind} has no reactions, so it cannot be played molecule by molecule; put a mechanism "
                         "that has them in its stead (whole channels, not a fraction), give one of your own a method "
                         "reactions(c, t) that returns a list of Reaction(change, rate), or simulate with "
                         "concentrations (method='hybrid')")
    try:
        channels = list(_channels(system, mechanism, reactions_of(mechanism, near, 0.0)))
        return _Player(mechanism, tuple(_met(mechanism, channels)))
    except InputError as error:
        raise InputError(f"{kind}: {error}") from None


def _channels(system: System, mechanism: Mechanism, reactions: Sequence[Reaction]) -> Iterator[_Channel]:
    """The reactions of a mechanism in the flat state."""
    for number, reaction in enumerate(reactions):
        change = {species: n for species, n in reaction.change.items() if n}
        units = {per_unit(species) for species in change}
        if any(n != int(n) for n in change.values()):
            raise InputError(f"a reaction changes its species by {list(change.values())}; use whole numbers")
        if len(units) != 1:
            raise InputError(f"a reaction changes {list(change)}; it must change species that are all "
                             "concentrations, or all numbers")
        rate = np.asarray(reaction.rate)
        if rate.shape not in ((), (len(mechanism.where),)) or not (rate >= 0).all():
            raise InputError(f"the rate of a reaction of {list(change)} has shape {rate.shape} and smallest value "
                             f"{rate.min():g}; it must have shape {(len(mechanism.where),)} and be >= 0")
        counts = np.array(list(change.values()), np.int64)
        signed = np.array([species.signed for species in change])
        takes = (counts < 0) & ~signed
        yield _Channel(number, np.stack([_index(system, mechanism, species) for species in change]), counts, takes,
                       np.zeros(len(takes), bool), mechanism.where.measure * units.pop())


def _met(mechanism: Any, channels: list[_Channel]) -> Iterator[_Channel]:
    """The channels, knowing which of what they take set their rate: found by doubling one after the other."""
    base = mechanism.reactions(_Tried(mechanism.where), 0.0)
    for channel, reaction in zip(channels, base, strict=True):
        meets = np.zeros(len(channel.change), bool)
        for s in np.flatnonzero(channel.limits):
            taken = [species for species, n in reaction.change.items() if n][s]
            more = mechanism.reactions(_Tried(mechanism.where, taken), 0.0)[channel.number]
            meets[s] = not np.array_equal(more.rate, reaction.rate)
        several = -channel.change[meets].sum() > 1
        yield replace(channel, meets=meets & several)


@dataclass(frozen=True)
class _Tried:
    """Typical concentrations, none of them zero, with one of them doubled."""

    where: Place
    doubled: Species | None = None

    def __getitem__(self, species: Species) -> Floats:
        return np.full(len(self.where), species.typical * (2.0 if species is self.doubled else 1.0))


def _index(system: System, mechanism: Mechanism, species: Species) -> Ints:
    """(n,) unknown of a species at each element of where a mechanism acts."""
    if species not in system.layout.columns:
        raise InputError(f"it changes {species!r}, which is not a species of this model")
    index, here = system.layout.index(species), touched(mechanism.where, species.place)
    return index if here is None else index[here]
