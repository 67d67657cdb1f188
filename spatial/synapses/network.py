"""A running network, such as one of Brian2, and the fields around it: each drives the other.

They exchange once per window. At its start the network is told what the fields do at its synapses and neurons, as the
straight lines through the last two exchanges, and runs to the window's end. What it let out on the way is
deposited at both ends of the window such that its amount and its first moment in time are kept. So the coupling has
no lag and is of second order in the window, though no step lands on a spike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from spatial import checks
from spatial.checks import by_annotation
from spatial.frozen import read_only
from spatial.geometry.contact import to_concentration, touched
from spatial.geometry.place import Floats, Place
from spatial.model import AtTimes, Concentrations, Event, Gains, Species
from spatial.synapses.brian2_loader import load_brian2

_START = "the start of spatial's run"
_ROUNDING = 1e-6  # relative: so nearly whole is a whole number


@dataclass(frozen=True, eq=False)
class Course:
    """What a field does at the sites during a window: a straight line."""

    value: Floats  # (n,) at the window's start
    slope: Floats  # (n,) per s

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "value", read_only(self.value))
        object.__setattr__(self, "slope", read_only(self.slope))


@dataclass(frozen=True, eq=False)
class Output:
    """What the network let out at the sites during a window, however many events that were."""

    amount: Floats  # (n,) >= 0, in the network's own unit
    moment: Floats  # (n,) the sum of each event's amount times its time since the window's start [s]

    def __post_init__(self) -> None:
        checks.kinds(self)


class Partner(Protocol):
    """A network that can run for a window at a time."""

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> Mapping[str, Output]:
        """Run from `t` for `window` [s] under the fields of these names; all that was let out, by name.

        It starts anew at t = 0.
        """
        ...


@dataclass(frozen=True, eq=False)
class Heard:
    """A field that the network hears, and the name it knows it by."""

    name: str
    species: Species  # on a place that the sites touch
    last: Species  # on the sites: the field at the last exchange, which makes the slope

    def __post_init__(self) -> None:
        checks.kinds(self)


@dataclass(frozen=True, eq=False)
class LetOut:
    """Something that the network lets out, and the name it knows it by."""

    name: str
    into: Species  # on a place that the sites touch, or on the sites: vesicles being emptied
    pending: Species  # on the sites: what the next exchange will deposit [uM um^3]
    each: float = 1.0  # amount [uM um^3] of one unit of the network's own

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("each",))


@dataclass(frozen=True, eq=False)
class CoSimulation:
    """Exchange between fields and a network, from t = 0 to `until`, once per `window`.

    A field that events raise at once, rather than through vesicles that empty, is followed at second order only
    where many events each add little. The partner has a state of its own: one run at a time.
    """

    where: Place  # the sites, where the network meets the tissue: points at its synapses and neurons
    partner: Partner
    window: float  # s; short against what the fields and the sites do
    until: float  # s; a whole number of windows
    hears: tuple[Heard, ...] = ()
    lets_out: tuple[LetOut, ...] = ()

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("window", "until"))
        windows = self.until / self.window
        if abs(windows - round(windows)) > _ROUNDING * windows or windows < 1 - _ROUNDING:
            raise checks.InputError(f"CoSimulation: until is {self.until:g} s, {windows:g} windows of "
                                    f"{self.window:g} s; it must be a whole number of them")
        for one in self.hears:
            if one.species.signed and not one.last.signed:
                raise checks.InputError(f"CoSimulation: {one.last.name!r} keeps {one.species.name!r}, which may be "
                                        "negative; make it a species that is signed too")
        all_kept = [*(one.last for one in self.hears), *(one.pending for one in self.lets_out)]
        for kept in all_kept:
            if kept.place.name != self.where.name:
                raise checks.InputError(f"CoSimulation: {kept.name!r} is on {kept.place.name!r}; it must be on the "
                                        f"sites, {self.where.name!r}")
            if all_kept.count(kept) > 1:
                raise checks.InputError(f"CoSimulation: {kept.name!r} is kept for two things; give each its own")

    @property
    def instants(self) -> Floats:
        """Times of the exchanges [s]."""
        return np.asarray(self.window * np.arange(round(self.until / self.window) + 1))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Nothing: the network acts once a window."""
        return {}

    @property
    def events(self) -> tuple[Event, ...]:
        """The exchanges. What is pending leaves the sites; what was heard may have fallen since."""
        last = tuple(heard.last for heard in self.hears)
        pending = tuple(let_out.pending for let_out in self.lets_out)
        into = tuple(dict.fromkeys(let_out.into for let_out in self.lets_out))
        return (AtTimes(self.instants, (*last, *pending, *into), (*last, *pending), self.exchange),)

    def exchange(self, c: Concentrations, t: float, rng: np.random.Generator) -> Gains:
        """What is pending arrives; the network runs on, and what it lets out is shared with the next exchange."""
        heard = {one.name: self._course(one, c, t) for one in self.hears}
        goes_on = 0 <= t < self.instants[-1]
        outputs = self.partner.run(t, self.window, heard) if goes_on else {}
        gains: dict[Species, Any] = {one.last: heard[one.name].value - c[one.last] for one in self.hears}
        for one in self.lets_out:
            now, later = self._shares(one, outputs) if goes_on else (0.0, 0.0)
            gains[one.into] = gains.get(one.into, 0.0) + c[one.pending] + now
            gains[one.pending] = later - c[one.pending]
        return gains

    def _course(self, one: Heard, c: Concentrations, t: float) -> Course:
        """The line through the field at the last exchange and now, with what is pending for it and without what is new.

        That is half of what a window's events on either side of `t` deposit there, as it should be in the middle.
        """
        value = c[one.species] + self._arriving(one.species, c)
        return Course(value, (value - c[one.last]) / self.window if t > 0 else np.zeros(len(value)))

    def _arriving(self, species: Species, c: Concentrations) -> Floats:
        """(n,) by how much what is pending will raise a species at each site."""
        pending = np.zeros(len(self.where))
        for one in self.lets_out:
            if one.into is species:
                pending += c[one.pending]
        raised = to_concentration(pending, self.where, species.place)
        at = touched(self.where, species.place)
        return np.asarray(raised if at is None else raised[at], float)

    def _shares(self, one: LetOut, outputs: Mapping[str, Output]) -> tuple[Floats, Floats]:
        """What an output deposits at the window's start and at its end [uM um^3]: (n,) each."""
        if one.name not in outputs:
            raise checks.InputError(f"CoSimulation: the network lets out {sorted(outputs)}, not {one.name!r}")
        amount, moment = one.each * outputs[one.name].amount, one.each * outputs[one.name].moment
        checks.number(f"CoSimulation: amount of {one.name!r} let out", amount)
        checks.each_element(f"CoSimulation: amount of {one.name!r} let out", amount, self.where)
        later = np.clip(moment / self.window, 0.0, amount)
        return amount - later, later


@dataclass(frozen=True, eq=False)
class BrianNetwork:
    """A network of Brian2 as a `Partner`. Its sites are the elements of `groups` (synapses, neurons), in this order.

    What a group hears and lets out is written into its equations by `hearing`, `counting` and `count`; fields are
    numbers in uM. Whatever it has done before, it starts from the state that it had when this was made, with the same
    random numbers; its own clock, such as that of its monitors, goes on from what it then shows. Each window takes
    Brian2 about 0.1 s to set up: make it as long as the fields allow.
    """

    network: Any  # brian2.Network
    groups: tuple[Any, ...]  # brian2.Synapses and NeuronGroup
    namespace: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # what its equations refer to

    def __post_init__(self) -> None:
        checks.kinds(self)
        for group in self.groups:
            if not hasattr(group, "equations"):
                raise checks.InputError(f"{group.name!r} is a {type(group).__name__} of Brian2, which has no "
                                        "equations; sites must be elements of Synapses or a NeuronGroup")
        self.network.store(_START)

    def run(self, t: float, window: float, heard: Mapping[str, Course]) -> Mapping[str, Output]:
        """Run for a window. Raises `InputError` unless that is a whole number of the network's steps, and every field
        is heard by a group."""
        second = load_brian2().second
        if t == 0:
            self._check_steps(window)
            self._check_heard(heard)
            self.network.restore(_START, restore_random_state=True)
        began = float(self.network.t_)  # by the network's own clock, which goes on from what it did before
        for group, sites in self._sites():
            _tell(group, sites, heard, began)
        self.network.run(window * second, namespace=dict(self.namespace))
        return self._outputs(began)

    def _sites(self) -> list[tuple[Any, slice]]:
        """Each group with its part of the sites."""
        ends = np.cumsum([len(group) for group in self.groups])
        return [(group, slice(end - len(group), end)) for group, end in zip(self.groups, ends, strict=True)]

    def _outputs(self, began: float) -> dict[str, Output]:
        """What was let out since `began` [s, by the network's clock]."""
        sites = self._sites()
        found: dict[str, Output] = {}
        for group, here in sites:
            for name in _counted(group):
                states = group.get_states([f"{name}_out", f"{name}_moment"], units=False)
                output = found.setdefault(name, Output(*np.zeros((2, sites[-1][1].stop))))
                output.amount[here] = amount = states[f"{name}_out"]
                output.moment[here] = states[f"{name}_moment"] - began * amount
        return found

    def _check_steps(self, window: float) -> None:
        for dt in {float(one.clock.dt_) for one in self.network.sorted_objects}:
            if abs(window / dt - round(window / dt)) > _ROUNDING * window / dt:
                raise checks.InputError(f"the window is {window:g} s and the network's step {dt:g} s; the window must "
                                        "be a whole number of steps")

    def _check_heard(self, heard: Mapping[str, Course]) -> None:
        sites = sum(len(group) for group in self.groups)
        for name, course in heard.items():
            if len(course.value) != sites:
                raise checks.InputError(f"there are {len(course.value)} sites and the groups of the network have "
                                        f"{sites} elements; they must be as many")
            if not any(_hears(group, name) for group in self.groups):
                raise checks.InputError(f"no group of the network hears {name!r}; add hearing({name!r}) to its "
                                        "equations")


@by_annotation
def hearing(name: str) -> str:
    """Equations of a Brian2 group that hears a field: `name` is its value [uM] at any time, never negative."""
    return (f"{name} = clip({name}_offset + {name}_slope * t, 0, inf) : 1\n"
            f"{name}_offset : 1\n{name}_slope : Hz\n")


@by_annotation
def counting(name: str) -> str:
    """Equations of a Brian2 group that lets something out."""
    return f"{name}_out : 1\n{name}_moment : second\n"


@by_annotation
def count(name: str, amount: str = "1") -> str:
    """Statements that let out `amount` of something, for a group's `on_pre` or `reset`."""
    return f"{name}_out += {amount}\n{name}_moment += ({amount}) * t\n"


def trains_of(monitor: Any) -> tuple[Floats, ...]:
    """Spike times [s] of each neuron that a Brian2 `SpikeMonitor` records: for release, rules and `write_spikes`.

    They are by the network's own clock, which includes what it ran before it was coupled.
    """
    return tuple(np.unique(np.asarray(train, float)) for train in monitor.spike_trains().values())


def _tell(group: Any, sites: slice, heard: Mapping[str, Course], began: float) -> None:
    """Give a group the lines of the fields it hears from `began` on [s, by its clock], and have it count from nothing.
    """
    states: dict[str, Any] = {}
    for name, course in heard.items():
        if _hears(group, name):
            slope = course.slope[sites]
            states |= {f"{name}_slope": slope, f"{name}_offset": course.value[sites] - slope * began}
    for name in _counted(group):
        states |= {f"{name}_out": 0.0, f"{name}_moment": 0.0}
    group.set_states(states, units=False)


def _hears(group: Any, name: str) -> bool:
    return f"{name}_slope" in group.equations.names


def _counted(group: Any) -> list[str]:
    """The names of what a group lets out."""
    names = group.equations.names
    bases = {one.removesuffix("_out") for one in names if one.endswith("_out")}
    return sorted(one for one in bases if f"{one}_moment" in names)
