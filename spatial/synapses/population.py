"""Thousands of synapses at once: they exchange with the fields once a window, at second order in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Mechanism, Reaction, Species, events_of
from spatial.synapses.spikes import Firing, check_trains
from spatial.view import View

_ROUNDING = 1e-9  # of a number of windows: so nearly whole is a whole number


@runtime_checkable
class Release(Protocol):
    """Presynaptic release in closed form, such as `TsodyksMarkram`."""

    @property
    def where(self) -> Place:
        """The synapses."""
        ...

    @property
    def trains(self) -> tuple[Floats, ...]:
        """Spike times of each synapse [s]."""
        ...

    @property
    def glutamate(self) -> Species:
        """What it lets out into."""
        ...

    def spike(self, c: Concentrations, pre: Floats) -> Gains:
        """What a spike changes where `pre` (n,) is 1."""
        ...

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, for fields that stay as in `c`."""
        ...


@runtime_checkable
class Rule(Protocol):
    """What synapses do besides, in closed form, such as `BCM`."""

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, for whatever else it looks at as in `c`."""
        ...


@runtime_checkable
class SpikeRule(Rule, Protocol):
    """A rule that spikes matter to, such as `ThreeFactorRule`."""

    def spike(self, c: Concentrations, pre: Floats, post: Floats) -> Gains:
        """What spikes change where `pre` and `post` (n,) are 1."""
        ...


@dataclass(frozen=True, eq=False)
class Events:
    """Spikes at synapses, cut into windows; in each, the first event of every synapse, then the second, and so on."""

    synapse: Ints  # (k,)
    part: Floats  # (k,) of its window that has passed
    pre: Floats  # (k,) 1 for a presynaptic spike, else 0
    post: Floats  # (k,) 1 for a postsynaptic spike, else 0
    rank: Ints  # (k,) of the event among those of its synapse in the window
    starts: Ints  # (windows + 1,) where those of each window begin

    def __post_init__(self) -> None:
        checks.kinds(self)

    def rounds(self, window: int) -> Iterator[slice]:
        """The first events of all synapses in a window, their second events, and so on."""
        start, end = self.starts[window:window + 2]
        ends = start + np.flatnonzero(np.diff(self.rank[start:end], append=-1)) + 1
        for low, high in zip([start, *ends], ends, strict=False):
            yield slice(low, high)

    def at_synapses(self, these: slice, before: Floats) -> tuple[Floats, Floats, Floats]:
        """(n,) each: when synapses have their events of a round, those without at `before`; 1 for pre, 1 for post."""
        when, (pre, post) = before.copy(), np.zeros((2, len(before)))
        for values, of in ((when, self.part), (pre, self.pre), (post, self.post)):
            values[self.synapse[these]] = of[these]
        return when, pre, post


def events(pre: tuple[Floats, ...], post: tuple[Floats, ...], neuron: Ints, edges: Floats) -> Events:
    """The spikes of each synapse and of its neuron, in windows [edge, next edge) [s]; the last has both its ends.

    `pre` is a train per synapse, `post` one per neuron, `neuron` (n,) that of each synapse.
    """
    (synapse, time), (also, then) = _at_synapses(pre, np.arange(len(pre))), _at_synapses(post, neuron)
    presynaptic = np.repeat([1.0, 0.0], [len(time), len(then)])
    synapse, time = np.append(synapse, also), np.append(time, then)
    order = np.lexsort((time, synapse))
    order = order[time[order] <= edges[-1]]
    synapse, time, presynaptic = synapse[order], time[order], presynaptic[order]
    new = _begins(synapse, time)
    event, synapse, time = np.cumsum(new) - 1, synapse[new], time[new]
    kinds = [np.bincount(event, kind, len(time)).astype(float) for kind in (presynaptic, 1 - presynaptic)]
    window = np.minimum(np.searchsorted(edges, time, "right") - 1, len(edges) - 2)
    along = np.arange(len(time))
    rank = along - np.maximum.accumulate(np.where(_begins(synapse, window), along, 0))
    order = np.lexsort((synapse, rank, window))
    part = (time - edges[window]) / np.diff(edges)[window]
    return Events(synapse[order], part[order], kinds[0][order], kinds[1][order], rank[order],
                  np.searchsorted(window[order], np.arange(len(edges))))


def _at_synapses(trains: tuple[Floats, ...], of: Ints) -> tuple[Ints, Floats]:
    """The synapse and time of every spike, where synapse i follows train of[i]."""
    times = [np.asarray(trains[k], float) for k in of]
    return np.repeat(np.arange(len(of)), [len(one) for one in times]), np.concatenate([np.zeros(0), *times])


def _begins(*keys: Floats | Ints) -> NDArray[np.bool_]:
    """(k,) whether an entry differs from the one before it in any of some (k,) keys."""
    differs = np.ones(len(keys[0]), bool)
    differs[1:] = np.any([np.diff(key) != 0 for key in keys], axis=0)
    return differs


@dataclass(frozen=True, eq=False)
class Population:
    """Synapses that exchange with the fields at the edges of windows, and have their own spike times in between.

    What they do at spikes and between is in closed form, with the fields as straight lines in time over a window. At
    its start they let out ahead, of each release to come at a part p of it, the part 1 - p, under the fields as they
    are then; at its end they go through it again under the fields that came, keep those states, and let out the
    rest. So amounts are exact, a window's mean time of release errs by its length squared, and there is no lag: second
    order. Trains are those of the release, and `post`; release and rules are not mechanisms of the model themselves.
    What they change are species of it, which nothing else may change, and `species` are further ones that it needs.

    Choose a `window` no longer than what is fast in the fields, the time constants of `Emptying` and of uptake: of
    half that length it errs by parts per thousand (benchmarks/results/synapses.md), and four times less when halved
    again. It pays where more spikes fall in a window than it takes steps, some ten; with fewer let steps land on them.
    What is let out must go into vesicles being emptied: let out at once into the ECS, it would make fields jump within
    a window.
    """

    release: Release
    rules: tuple[Rule, ...]
    window: float  # s
    until: float  # s, end of the run: the last window ends there, shorter if need be
    post: tuple[Floats, ...] = (np.zeros(0),)  # spike times of each neuron [s]
    neuron: Ints | None = None  # (n,) the neuron that each synapse is on; None: all on the first

    def __post_init__(self) -> None:
        self._check_kinds()
        checks.parameters(self, above_zero=("window", "until"))
        check_trains(self.release.trains, len(self.where))
        check_trains(self.post, len(self.post), "neuron")
        for one in self._asked[1]:
            if one.place.name != self.where.name:
                raise checks.InputError(f"Population: {one.name!r} is changed at spikes or between, in "
                                        f"{one.place.name!r}; it must be on {self.where.name!r}, what is let out as "
                                        "vesicles being emptied")
        self._check_times()
        self._check_events()
        checks.each_element("Population: neuron", self._neuron, self.where)
        if self._neuron.max() >= len(self.post):
            raise checks.InputError(f"Population: neuron goes up to {self._neuron.max()}; with {len(self.post)} "
                                    f"trains in `post` it must be 0 to {len(self.post) - 1}")

    def _check_kinds(self) -> None:
        """Raise `InputError` unless all that the synapses do is in closed form."""
        if not isinstance(self.release, Release):
            raise checks.InputError(f"Population: {type(self.release).__name__} is no release in closed form; give "
                                    "one, such as TsodyksMarkram")
        for rule in checks.listed("Population: rules", self.rules, "(SlowSignal(...), ...)"):
            if not isinstance(rule, Rule):
                raise checks.InputError(f"Population: {type(rule).__name__} has no closed form between spikes; make it "
                                        "a mechanism of the model itself")

    def _check_events(self) -> None:
        """Raise `InputError` for an event at other than known times: windows would leave it out."""
        for part in (self.release, *self.rules):
            for event in events_of(cast(Mechanism, part)):
                if not isinstance(event, AtTimes):
                    raise checks.InputError(f"Population: {type(part).__name__} has an event {type(event).__name__}, "
                                            "and only known spikes act in windows; make it a mechanism of the model "
                                            "itself")

    def _check_times(self) -> None:
        """Raise `InputError` for a rule that means other spikes than those that it would be given."""
        known = np.concatenate([*self.release.trains, *self.post])
        for rule in self.rules:
            kind = type(rule).__name__
            if isinstance(getattr(rule, "post", None), Firing) or not np.isin(_times_of(rule), known).all():
                raise checks.InputError(f"Population: {kind} acts at other times than the spikes of the release's "
                                        "trains and of `post`")
            trains = getattr(rule, "trains", self.release.trains)
            if not all(map(np.array_equal, trains, self.release.trains)):
                raise checks.InputError(f"Population: {kind} has other trains than the release; give it the same")

    @property
    def where(self) -> Place:
        """The synapses."""
        return self.release.where

    @property
    def species(self) -> tuple[Species, ...]:
        """What the population remembers from window to window, which the model needs as well."""
        return (*self._last.values(), self._ahead)

    @cached_property
    def instants(self) -> Floats:
        """Edges of the windows [s]."""
        count = max(1, int(np.ceil(self.until / self.window * (1 - _ROUNDING))))
        return np.append(self.window * np.arange(count), self.until)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: synapses act once a window."""
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        """The edges of the windows. States and kept fields may fall, and what was let out ahead may be taken back."""
        changes = (*self._states, *self._last.values(), self.release.glutamate, self._ahead)
        takes = tuple(species for species in changes if not species.signed)
        return (AtTimes(self.instants, changes, takes, self.exchange),)

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """None: raises `InputError`, for what synapses remember would be rounded where molecules are counted."""
        raise checks.InputError("weights and other states of synapses are no numbers of molecules; simulate with "
                                "concentrations")

    def exchange(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """The window that ends at `t` is gone through, and what the next will release is let out ahead.

        Vesicles cannot hold less than nothing: what was let out ahead in excess stays owed.
        """
        k, out = int(np.searchsorted(self.instants, t)), self.release.glutamate
        states, now = {one: c[one] for one in self._states}, {one: c[one] for one in self._last}
        last = {one: c[kept] for one, kept in self._last.items()}
        after, spent, early = states, np.zeros(len(self.where)), np.zeros(len(self.where))
        if k > 0:
            after, spent, _ = self._through(k - 1, states, last, now, self.rules)
        if k < len(self.instants) - 1:
            _, _, early = self._through(k, after, now, now, ())
        given = np.maximum(spent + early - c[self._ahead], -c[out])
        return {**{one: after[one] - states[one] for one in states},
                **{kept: now[one] - last[one] for one, kept in self._last.items()},
                out: given, self._ahead: given - spent}

    def _through(self, window: int, states: dict[Species, Floats], first: dict[Species, Floats],
                 last: dict[Species, Floats], rules: tuple[Rule, ...]) -> tuple[dict[Species, Floats], Floats, Floats]:
        """The states after a window between `first` and `last` fields, what it released, and what of that is due ahead.

        All are (n,) over the synapses, each of which takes its own events in turn. Between them release and rules
        take turns that are the same forwards and backwards, second order where one looks at what another changes.
        """
        spikes, here, length = self._events, dict(states), float(np.diff(self.instants)[window])
        at, spent, early = np.zeros((3, len(self.where)))
        *first_half, whole = list[Release | Rule]([self.release, *rules])

        def seen(part: Floats) -> Concentrations:
            return {**here, **{one: first[one] + part * (last[one] - first[one]) for one in first}}

        def change(gains: Gains) -> None:
            here.update({one: here[one] + gain for one, gain in gains.items() if one in here})

        def go_on(to: Floats) -> None:
            middle, dt = (at + to) / 2, (to - at) * length
            for one in first_half:
                change(one.between(seen(middle), dt / 2))
            change(whole.between(seen(middle), dt))
            for one in reversed(first_half):
                change(one.between(seen(middle), dt / 2))

        for these in spikes.rounds(window):
            when, pre, post = spikes.at_synapses(these, at)
            go_on(when)
            gains = self.release.spike(seen(when), pre)
            spent += gains[self.release.glutamate]
            early += (1 - when) * gains[self.release.glutamate]
            change(gains)
            for rule in rules:
                if isinstance(rule, SpikeRule):
                    change(rule.spike(seen(when), pre, post))
            at = when
        go_on(np.ones(len(at)))
        return here, spent, early

    @cached_property
    def _events(self) -> Events:
        return events(self.release.trains, self.post, self._neuron, self.instants)

    @property
    def _neuron(self) -> Ints:
        """(n,) the neuron of each synapse."""
        return np.zeros(len(self.where), np.int64) if self.neuron is None else np.asarray(self.neuron)

    @cached_property
    def _asked(self) -> tuple[dict[Species, None], dict[Species, None]]:
        """The species that release and rules look at, and those they change."""
        looked, changed, none = dict[Species, None](), dict[Species, None](), np.zeros(len(self.where))
        c = View(_Initial(), self.where, lambda species: looked.setdefault(species))
        changed |= dict.fromkeys([*self.release.spike(c, none), *self.release.between(c, none)])
        for rule in self.rules:
            at_spikes = rule.spike(c, none, none) if isinstance(rule, SpikeRule) else {}
            changed |= dict.fromkeys([*at_spikes, *rule.between(c, none)])
        return looked, changed

    @cached_property
    def _states(self) -> tuple[Species, ...]:
        """The species that release and rules change, but for what is let out into."""
        return tuple(one for one in self._asked[1] if one is not self.release.glutamate)

    @cached_property
    def _last(self) -> dict[Species, Species]:
        """For each field that release and rules look at, where its values at the last edge are kept."""
        looked, changed = self._asked
        return {one: Species(f"{one.name} at the last window of {self.where.name}", self.where, scale=one.typical,
                             unit=one.unit, signed=one.signed) for one in looked if one not in changed}

    @cached_property
    def _ahead(self) -> Species:
        """What has been let out of releases that are still to come."""
        out = self.release.glutamate
        return Species(f"{out.name} ahead", self.where, scale=out.typical, unit=out.unit, signed=True)


def _times_of(rule: Any) -> Floats:
    """(k,) when a rule has events."""
    return np.concatenate([np.zeros(0), *(event.times for event in events_of(rule) if isinstance(event, AtTimes))])


class _Initial:
    """The concentrations a run starts from."""

    def __getitem__(self, species: Species) -> Floats:
        return np.full(len(species.place), species.initial, float)
