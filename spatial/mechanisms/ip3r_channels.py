"""IP3 receptors one by one: channels that open and close at random, in clusters on the ER."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, shaped
from spatial.compiled import compiled
from spatial.draws import address_of, generator_at
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Channels, Concentrations, Event, Gains, Reaction, Species
from spatial.units import MOLECULES, s, uM

Ligand = Literal["none", "calcium", "IP3"]

_ROOM = 64  # transitions in a path for which there is room at first


@dataclass(frozen=True)
class Transition:
    """One way from state to state; its rate is `k` [1/s], or `k` [1/(uM s)] times that of its ligand."""

    start: int
    end: int
    k: float
    ligand: Ligand = "none"

    def __post_init__(self) -> None:
        checks.parameters(self)


@dataclass(frozen=True)
class Scheme:
    """The states of a subunit, and how many subunits must be in the open one for a channel to conduct."""

    states: tuple[str, ...]
    transitions: tuple[Transition, ...]
    open: int  # the state
    together: int = 1  # subunits of a channel; 1: channels are counted, any number at a point

    def __post_init__(self) -> None:
        checks.kinds(self)
        n = len(self.states)
        for each in self.transitions:
            checks.number(f"Scheme: k from state {each.start} to {each.end}", each.k)
        for state in (self.open, *(end for each in self.transitions for end in (each.start, each.end))):
            if not 0 <= state < n:
                raise checks.InputError(f"Scheme: there is no state {state} among its {n}; they are 0 to {n - 1}")
        if self.together < 1:
            raise checks.InputError(f"Scheme: together is {self.together}; a channel must have 1 subunit or more")

    def rates(self, calcium: Floats, ip3: Floats) -> Floats:
        """(n, k) rate of each transition at n points [1/s]."""
        drive = {"none": np.ones_like(calcium), "calcium": calcium, "IP3": ip3}
        return np.stack([each.k * drive[each.ligand] for each in self.transitions], axis=1)

    @arguments(not_negative=("calcium", "ip3"))
    def at_rest(self, calcium: float, ip3: float) -> Floats:
        """Probability of each state at constant Ca2+ and IP3 [uM]."""
        Q = np.zeros((len(self.states),) * 2)
        for each, rate in zip(self.transitions, self.rates(np.array([calcium]), np.array([ip3]))[0], strict=True):
            Q[each.end, each.start] += rate
            Q[each.start, each.start] -= rate
        found = np.linalg.lstsq(np.vstack([Q, np.ones(len(Q))]), np.eye(len(Q) + 1)[-1], rcond=None)[0]
        return np.asarray(np.maximum(found, 0.0) / np.maximum(found, 0.0).sum())


def _cube(bind: dict[tuple[str, str], tuple[float, float]]) -> tuple[tuple[str, ...], tuple[Transition, ...]]:
    """The eight states "ijk" (IP3, activating, inhibiting Ca2+ bound) and their 24 transitions.

    `bind` gives the rates on [1/(uM s)] and off [1/s] for each edge of the cube.
    """
    names = tuple("".join(bits) for bits in product("01", repeat=3))
    found: list[Transition] = []
    for (empty, bound), (on, off) in bind.items():
        ligand: Ligand = "IP3" if empty[0] != bound[0] else "calcium"
        found += [Transition(names.index(empty), names.index(bound), on, ligand),
                  Transition(names.index(bound), names.index(empty), off)]
    return names, tuple(found)


def denizot() -> Scheme:
    """A receptor without subunits whose three sites bind independently (Denizot 2019, biophysics A2c)."""
    sites = ((41 / (uM * s), 400 / s), (1.2 / (uM * s), 50 / s), (0.016 / (uM * s), 100 / s))  # IP3, Ca_a, Ca_i
    names = ["".join(bits) for bits in product("01", repeat=3)]
    edges = {(name, name[:site] + "1" + name[site + 1:]): sites[site]
             for name in names for site in range(3) if name[site] == "0"}
    states, transitions = _cube(edges)
    return Scheme(states, transitions, states.index("110"))


@by_annotation
def de_young_keizer(subunits: int = 3) -> Scheme:
    """De Young & Keizer 1992 with the constants of biophysics A2b; b4 follows from detailed balance (trap C1)."""
    a1, a2, a3, a4, a5 = 400 / (uM * s), 0.2 / (uM * s), 400 / (uM * s), 0.2 / (uM * s), 20 / (uM * s)
    b1, b2, b3, b5 = 52 / s, 0.21 / s, 377.36 / s, 1.65 / s
    b4 = a4 * (b1 / a1) * (b2 / a2) / (b3 / a3)
    edges = {}
    for one, other in product("01", repeat=2):
        edges[f"0{one}{other}", f"1{one}{other}"] = (a3, b3) if other == "1" else (a1, b1)
        edges[f"{one}0{other}", f"{one}1{other}"] = (a5, b5)
        edges[f"{one}{other}0", f"{one}{other}1"] = (a2, b2) if one == "1" else (a4, b4)
    states, transitions = _cube(edges)
    return Scheme(states, transitions, states.index("110"), together=subunits)


@dataclass(frozen=True, eq=False)
class IP3RChannels:
    """IP3 receptors at points of the ER membrane, each with states that change at random.

    The states follow their exact master equation, at the mean concentrations of each step of the field.
    With `exact` a step ends whenever a channel opens or closes; without, what opens and closes during a
    step acts from its end on (tau-leaping), for very many channels. What binds is not taken from the cytosol.
    """

    where: Place  # points that touch cytosol and ER
    calcium: Species = field(metadata=checks.lower_than("store", even_zero=True))  # cytosol
    store: Species  # ER
    ip3: Species  # cytosol
    states: tuple[Species, ...]  # number of subunits (channels, if `scheme.together` is 1) in each state
    open: Species  # number of open channels
    scheme: Scheme
    permeability: float = 6000 / s / MOLECULES / (400 * uM)  # um^3/s; ions at a full store, Denizot 2019
    """Of one open channel: an effective flux among buffers (trap C8); a bare channel's 0.1 pA (M) is 50 times that."""
    own: float | Floats = 0.0
    """s/um^3, Ca2+ that an open channel adds at its own sites beyond its element's, per flux: its `own_rise` / D."""
    others: float | Floats = 0.0  # s/um^3, the same for what other channels of its element add
    exact: bool = True

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("own", "others"))
        if len(self.states) != len(self.scheme.states):
            raise checks.InputError(f"IP3RChannels: {len(self.states)} species are given for the "
                                    f"{len(self.scheme.states)} states of its scheme; give one for each")
        checks.own(self, "states", "open")
        checks.beside(self, "ip3", "calcium")
        self._check_numbers()

    def _check_numbers(self) -> None:
        """Raise `InputError` unless the first states are whole numbers, of whole channels, and say what is open."""
        of, together = (*self.states, self.open), self.scheme.together
        numbers = np.stack([np.broadcast_to(one.initial, len(self.where)) for one in of], axis=1)
        if (broken := numbers != np.rint(numbers)).any():
            point, k = np.argwhere(broken)[0]
            raise checks.InputError(f"IP3RChannels: {of[k].name!r} begins with {numbers[point, k]:g} at point {point}; "
                                    "it must be a whole number")
        held = numbers[:, :-1].sum(axis=1)
        if together > 1 and (wrong := held != together).any():
            raise checks.InputError(f"IP3RChannels: a point holds {held[wrong][0]:g} subunits; where several make "
                                    f"a channel each point must hold one, of {together}")
        opened = numbers[:, self.scheme.open] // together
        if (wrong := numbers[:, -1] != opened).any():
            raise checks.InputError(f"IP3RChannels: {self.open.name!r} begins with {numbers[wrong, -1][0]:g} at a "
                                    f"point whose states have {opened[wrong][0]:g} open; make it with channel_species")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Ca2+ from the store through open channels [uM um^3/s]."""
        flux = self._flux(c)
        return {self.calcium: flux, self.store: -flux}

    @property
    def events(self) -> tuple[Event, ...]:
        """Channels open and close."""
        states = (*self.states, self.open)
        return (Channels(states, states, path=self.walk),)

    def walk(self, c: Concentrations, t: float, horizon: float, rng: np.random.Generator) -> "ChannelPath":
        """What the channels do, up to the first that opens or closes (the whole horizon if not `exact`)."""
        start, end = self.ends
        counts, rates = self._counts(c), self.scheme.rates(self._felt(c), c[self.ip3])
        clocks, times, events = np.zeros(len(counts)), np.empty(_ROOM), np.empty((_ROOM, 3), np.int64)
        noted, point, first = 0, 0, np.inf
        while point < len(counts):
            if noted == len(times):
                times, events = np.concatenate((times, times)), np.concatenate((events, events))
            noted, point, first = _walk(
                counts, clocks, rates, start, end, self.scheme.open, self.scheme.together, horizon, self.exact, noted,
                point, first, times, events, address_of(rng))
        times, events = times[:noted], events[:noted]
        return ChannelPath(self, first, times, events[:, 0], events[:, 1], events[:, 2])

    def reactions(self, c: Concentrations, t: float) -> Sequence[Reaction]:
        """Every transition, and one Ca2+ at a time through open channels.

        Transitions are elementary: the Ca2+ at a site is linear in what is around, but for not being below zero.
        """
        found = [Reaction({self.calcium: 1, self.store: -1}, np.maximum(self._flux(c), 0.0)),
                 Reaction({self.calcium: -1, self.store: 1}, np.maximum(-self._flux(c), 0.0))]
        counts, rates = self._counts(c), self.scheme.rates(self._felt(c), c[self.ip3])
        for k, each in enumerate(self.scheme.transitions):
            change, often = {self.states[each.start]: -1, self.states[each.end]: 1}, counts[:, each.start] * rates[:, k]
            step = (each.end == self.scheme.open) - (each.start == self.scheme.open)
            if step == 0:
                found.append(Reaction(change, often, elementary=True))
                continue
            decides = self._decides(counts, step)
            found += [Reaction({**change, self.open: step}, often * decides, elementary=True),
                      Reaction(change, often * ~decides, elementary=True)]
        return found

    def _decides(self, counts: Ints, step: int) -> NDArray[np.bool_]:
        """(n,) whether one more (1) or one less (-1) subunit in the open state opens or closes a channel."""
        if self.scheme.together == 1:
            return np.ones(len(counts), bool)
        missing = 1 if step > 0 else 0
        return np.asarray(counts[:, self.scheme.open] == self.scheme.together - missing)

    def _flux(self, c: Concentrations) -> Floats:
        return self.permeability * c[self.open] * (c[self.store] - c[self.calcium])

    def _felt(self, c: Concentrations) -> Floats:
        """(n,) Ca2+ at the sites of each channel [uM], closer to pores than the mesh resolves."""
        flux, element = self._flux(c), self.where.touches[self.calcium.place.name]
        around = np.bincount(element, flux)[element] - flux
        return np.maximum(c[self.calcium] + self.own * flux + self.others * around, 0.0)

    def _counts(self, c: Any) -> Ints:
        return np.rint(np.stack([c[one] for one in self.states], axis=1)).astype(np.int64)

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """(k,) the state each transition starts from, and the one it ends in."""
        both = np.array([(each.start, each.end) for each in self.scheme.transitions], np.int64)
        return both[:, 0].copy(), both[:, 1].copy()


@dataclass(frozen=True, eq=False)
class ChannelPath:
    """What happens at each point, in the order of points; nothing after `first`."""

    channels: IP3RChannels
    first: float  # s, of the first channel that opens or closes
    times: Floats  # (k,) s from the path's start
    points: Ints  # (k,)
    transitions: Ints  # (k,)
    opened: Ints  # (k,) channels that open by it (-1: that close)

    def gains(self, dt: float) -> Gains:
        """Change of the numbers in each state and of open channels over the first `dt` [s]."""
        done = self.times <= dt
        points, transitions = self.points[done], self.transitions[done]
        start, end = self.channels.ends
        change = np.zeros((len(self.channels.states), len(self.channels.where)))
        np.add.at(change, (start[transitions], points), -1.0)
        np.add.at(change, (end[transitions], points), 1.0)
        opened = np.bincount(points, self.opened[done], len(self.channels.where))
        return {**dict(zip(self.channels.states, change, strict=True)), self.channels.open: opened}


@compiled()
def _walk(counts: Ints, clocks: Floats, rates: Floats, start: Ints, end: Ints, open_state: int, together: int,
          horizon: float, exact: bool, noted: int, point: int, first: float, times: Floats, events: Ints,
          address: int) -> tuple[int, int, float]:
    """Gillespie's direct method at each point from `point` on, up to `horizon`: (noted, point, first).

    What happens is put into `times` and `events` (point, transition, channels opened), after those `noted`. Where
    these are full it returns before the next draw; the call goes on with the `counts` (n, states) and `clocks` (n,)
    as they then are. (An array made here would come to Python by way of code that an interrupt breaks off.)
    """
    rng = generator_at(address)
    weights, last, limit = np.empty(len(start)), len(start) - 1, min(horizon, first)
    while point < len(counts):
        held, t = counts[point], clocks[point]
        while True:
            weights[:] = held[start] * rates[point]
            total = weights.sum()
            if total <= 0.0:
                break
            if noted == len(times):
                clocks[point] = t
                return noted, point, first
            t += rng.standard_exponential() / total
            if t > limit:
                break
            pick, left = -1, rng.random() * total
            while left > 0.0 and pick < last:
                pick += 1
                left -= weights[pick]
            while weights[pick] == 0.0:  # rounding may have gone past the last that can be
                pick -= 1
            was = held[open_state]
            held[start[pick]] -= 1
            held[end[pick]] += 1
            opened = held[open_state] // together - was // together
            times[noted], events[noted] = t, (point, pick, opened)
            noted += 1
            if opened != 0 and exact:
                first = limit = t
                break
        point += 1
    return noted, point, first


@arguments(not_negative=("channels", "calcium", "ip3"))
def at_rest(scheme: Scheme, channels: Ints, calcium: float, ip3: float, rng: np.random.Generator) -> Ints:
    """(n, states) numbers drawn from the steady state at constant Ca2+ and IP3 [uM], for (n,) channels at points."""
    shaped("at_rest: channels", channels, ("n",))
    if np.asarray(channels).dtype.kind not in "iu":
        raise InputError("at_rest: channels must be an array of integers, the number at each point")
    units = channels * scheme.together
    return rng.multinomial(units, scheme.at_rest(calcium, ip3))


@by_annotation
def channel_species(where: Place, scheme: Scheme, counts: Ints,
                    receptor: str = "IP3R") -> tuple[tuple[Species, ...], Species]:
    """The species of the states and that of open channels, starting from (n, states) `counts`.

    A model with several places of receptors needs another name, `receptor`, in each.
    """
    states = tuple(Species(f"{receptor} {name}", where, counts[:, k].astype(float), scale=1.0, unit="1")
                   for k, name in enumerate(scheme.states))
    open_now = counts[:, scheme.open] // scheme.together
    return states, Species(f"open {receptor}", where, open_now.astype(float), scale=1.0, unit="1")
