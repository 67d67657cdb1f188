"""What is simulated: species, the mechanisms that change them, and the model that lists both."""

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from inspect import getattr_static
from itertools import combinations
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial.checks import InputError, Unusual, by_annotation, kinds, listed, number, positive, shown
from spatial.frozen import read_only
from spatial.geometry.contact import check_places, meet
from spatial.geometry.place import Floats, Place
from spatial.pickling import obstacle

USUAL_D = (1e-4, 1e4)
"""Between which D [um^2/s] lies: from a lipid that is held up to a gas in water."""


@dataclass(frozen=True, eq=False)
class Species:
    """Something that has a concentration on a place: a molecule, a gating variable, a weight.

    A species is its own key: `c[calcium]` is the concentration of `calcium`. Nothing in it changes, so a deep copy of
    what names it names the same one, as it is with strings. Pickling makes another: pickle what belongs together, such
    as a model and its probes, in one go.
    """

    name: str
    place: Place
    initial: float | Floats = 0.0  # uM (1/um^2 on membranes, as its mechanisms say on points)
    D: float = 0.0  # um^2/s; 0 stays where it is
    scale: float | None = None
    """The size [same unit] that errors are compared with; by default the largest initial value, or 1."""
    unit: str = "uM"
    signed: bool = False  # may be negative: a trace, a ledger, a potential

    def __post_init__(self) -> None:
        called = f"species {self.name!r}"
        kinds(self, called)
        number(f"{called}: initial value", self.initial, may_be_negative=self.signed)
        number(f"{called}: D", self.D)
        if self.scale is not None:
            positive(f"{called}: scale", self.scale)
        _warn_of_diffusion(called, self.D)
        shape = np.shape(self.initial)
        if shape not in ((), (len(self.place),)):
            raise InputError(f"species {self.name!r} has an initial value of shape {shape}; "
                             f"{self.place.name!r} has {len(self.place)} elements")
        if self.D and not self.place.joins_elements and len(self.place) > 1:
            raise InputError(f"species {self.name!r}: D is {self.D:g} um^2/s, but no link joins the {len(self.place)} "
                             f"elements of {self.place.name!r}, so nothing would diffuse there; leave D at 0, or "
                             "let it live on a place whose elements are joined, such as a volume of a mesh, or a "
                             "membrane of triangles, voxels or slices")
        self._freeze()

    def _freeze(self) -> None:
        """Make an array of initial values read-only."""
        if np.ndim(self.initial):
            object.__setattr__(self, "initial", read_only(np.asarray(self.initial)))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._freeze()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Species":
        return self

    def __repr__(self) -> str:
        return f"<{self.name} in {self.place.name}>"

    @property
    def typical(self) -> float:
        """The size that errors are compared with: the scale, else the largest initial value, else 1."""
        return self.scale or float(np.abs(self.initial).max()) or 1.0


def _warn_of_diffusion(called: str, D: float) -> None:
    """Warn with `Unusual` of a diffusion coefficient that no molecule has: it is most often in another unit."""
    slowest, fastest = USUAL_D
    if D and not slowest <= D <= fastest:
        warnings.warn(f"{called}: D is {D:g} um2/s, outside {slowest:g}..{fastest:g} um2/s; write 300 * um**2 / s, or "
                      "0 for what stays where it is", Unusual, stacklevel=4)


class Concentrations(Protocol):
    """Concentrations where a mechanism acts: `c[species]` is (n,) over the elements of its place."""

    def __getitem__(self, species: Species) -> Floats: ...


Terms = Callable[[Any], Any]
"""From the `CellVariable` of a species to the FiPy terms that are added to its rate of change."""

Gains = Mapping[Species, Any]
"""Gain of each species: an array (n,) or a number, per measure of the place the mechanism acts in."""

Held = float | Species
"""What a mechanism looks at: a species, or a number at which it is held."""


def level(c: Concentrations, of: Held) -> Any:
    """(n,) the concentration of a species, or the number that something is held at."""
    return c[of] if isinstance(of, Species) else of


def gained(of: Held | None, gain: Any) -> dict[Species, Any]:
    """The gain of a species; none where a number is held, or nothing is counted."""
    return {of: gain} if isinstance(of, Species) else {}


class Mechanism(Protocol):
    """How fast something changes. Pure: it reads concentrations and returns gains."""

    @property
    def where(self) -> Place:
        """The place it acts in: the species it names live there or on places that `where` touches."""
        ...

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Gain of each species per measure of `where` and per second [uM um/s on a membrane].

        It names the same species always, with a gain of 0 where there is none: steps are about those.
        """
        ...


class Path(Protocol):
    """The course that random states take at given concentrations."""

    @property
    def first(self) -> float:
        """When [s, from the path's start] it first does what other mechanisms feel; infinite if it does not."""
        ...

    def gains(self, dt: float) -> Gains:
        """Gain of each species per measure of `where` over the first `dt` [s] of the path, what happens at `dt` too."""
        ...


def nothing(*seen: Any) -> Gains:
    """The change of an event that only has steps land on it, so that none runs across it."""
    return {}


@dataclass(frozen=True, eq=False)
class AtTimes:
    """An event at known times, such as spikes and pulses: steps land on each of them exactly.

    `change(c, t, rng)` returns the gain of each species per measure of the mechanism's place at the instant `t`.
    Where each element has times of its own, give all of them and change those whose time has come
    (`synapses.spikes.Timetable`). Where the rates of the mechanism read the time, give the times at which they jump,
    and `longest`: from the first of the times to the last no step is longer. What has a `change` and no `longest`
    tells when it acts, and nothing of the rates.
    """

    times: Floats  # (k,) s
    changes: tuple[Species, ...] = ()
    takes: tuple[Species, ...] = ()  # of these, what it may lower though it cannot be negative
    change: Callable[[Concentrations, float, np.random.Generator], Gains] = nothing
    longest: float = np.inf  # s


@dataclass(frozen=True, eq=False)
class OnRise:
    """An event where something rises through a threshold: once, until it has been below again.

    `height(c, t)` returns (n,) how far each element of the mechanism's place is above its threshold, negative below
    it; `change(c, t, risen, rng)` the gains per measure, which count where `risen` (n,) is true and nowhere else.
    Steps end just behind each crossing. What is above its threshold at the start of a run has not risen.
    """

    height: Callable[[Concentrations, float], Floats]
    changes: tuple[Species, ...]
    takes: tuple[Species, ...] = ()
    change: Callable[[Concentrations, float, NDArray[np.bool_], np.random.Generator], Gains] = nothing


@dataclass(frozen=True, eq=False)
class EachStep:
    """An event of chance: `change(c, t, dt, rng)` draws what happened in the step of `dt` [s] that ends at `t`."""

    changes: tuple[Species, ...]
    takes: tuple[Species, ...] = ()
    change: Callable[[Concentrations, float, float, np.random.Generator], Gains] = nothing


@dataclass(frozen=True, eq=False)
class Channels:
    """Random states that others feel, such as those of channels: steps land where one opens or closes.

    `path(c, t, horizon, rng)` draws what they do from `t` on, for at most `horizon` [s], at concentrations `c`, the
    mean of that time. It returns a `Path`: an object with `first`, when a channel first opens or closes [s from `t`,
    infinite if none does], and `gains(dt)`, what changes up to `dt` and at it.
    """

    changes: tuple[Species, ...]
    takes: tuple[Species, ...] = ()
    path: Callable[[Concentrations, float, float, np.random.Generator], Path] | None = None


Event = AtTimes | OnRise | EachStep | Channels
"""What a mechanism does besides its rates. `changes` names all species that it may change; nothing is found by calling
it. At a step's end EachStep acts, then Channels, then OnRise as long as something rises; at an instant AtTimes, then
OnRise. What acts together sees the state before all of it."""


class WithEvents(Protocol):
    """A mechanism that also has events."""

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events."""
        ...


def adapted(event: Event, view: Callable[[Concentrations], Concentrations] = lambda c: c,
            gains: Callable[[Gains], Gains] = lambda found: found) -> Event:
    """Return an event that sees `view(c)` in place of c, and changes what `gains` makes of its gains.

    A mechanism that wraps another hands its events on so.
    """
    if isinstance(event, Channels):
        path: Any = event.path
        return replace(event, path=lambda c, *rest: _AdaptedPath(path(view(c), *rest), gains))
    before: Any = event.change

    def change(c: Concentrations, *rest: Any) -> Gains:
        return gains(before(view(c), *rest))

    if isinstance(event, OnRise):
        height = event.height
        return replace(event, height=lambda c, t: height(view(c), t), change=change)
    if isinstance(event, AtTimes):
        return replace(event, change=change)
    return replace(event, change=change)


@dataclass(frozen=True, eq=False)
class _AdaptedPath:
    """A path whose gains are changed."""

    path: Path
    change: Callable[[Gains], Gains]

    @property
    def first(self) -> float:
        return self.path.first

    def gains(self, dt: float) -> Gains:
        return self.change(self.path.gains(dt))


_FORMS = {AtTimes: "AtTimes(times, changes, takes, change) with change(c, t, rng)",
          OnRise: "OnRise(height, changes, takes, change) with height(c, t) and change(c, t, risen, rng)",
          EachStep: "EachStep(changes, takes, change) with change(c, t, dt, rng)",
          Channels: "Channels(changes, takes, path) with path(c, t, horizon, rng)"}
_MEANT = {"instants": AtTimes, "jump": AtTimes, "height": OnRise, "cross": OnRise, "leap": EachStep, "path": Channels}
"""Methods that a reader takes for an event, and the event without which they would do nothing."""

_ALIKE = 0.8  # likeness of two names from which one may be meant for the other


def events_of(mechanism: "Mechanism") -> tuple[Event, ...]:
    """Return the events that a mechanism declares: the one way in which they are asked for.

    Raises `InputError`, naming the mechanism, for events that cannot be read or do not fit together, and for a method
    that looks like an event where none is declared: it would do nothing, without a word.
    """
    kind = type(mechanism).__name__
    events = _declaration(mechanism, "events")
    if not isinstance(events, tuple):
        raise InputError(f"{kind}: events is {type(events).__name__}; it must be a property that returns a tuple of "
                         "AtTimes, OnRise, EachStep or Channels")
    for event in events:
        _check_event(kind, event)
    _check_methods(mechanism, events)
    return events


def _declaration(mechanism: "Mechanism", name: str) -> Any:
    """Return what a mechanism declares under a name, () if nothing. Raises `InputError` where it cannot be read."""
    if getattr_static(mechanism, name, None) is None and not (
            hasattr(type(mechanism), "__getattr__") and hasattr(mechanism, name)):
        return ()
    try:
        return getattr(mechanism, name)
    except Exception as error:
        raise InputError(f"{type(mechanism).__name__}: its {name} cannot be read: {type(error).__name__}: "
                         f"{error}") from error


def _check_mechanism(mechanism: "Mechanism") -> None:
    """Raise `InputError` unless an object has what a mechanism must have: a place, and rates."""
    kind = mechanism.__name__ if isinstance(mechanism, type) else type(mechanism).__name__
    if isinstance(mechanism, type):
        raise InputError(f"{kind} is a class, not a mechanism; make one: {kind}(where, ...)")
    if not isinstance(getattr(mechanism, "where", None), Place):
        raise InputError(f"{kind} is no mechanism: its 'where' must be the place that it acts in")
    if hasattr(getattr_static(mechanism, "rates", None), "__set__"):
        raise InputError(f"{kind}: its rates are a property; make them a method, rates(self, c, t)")
    if not callable(getattr(mechanism, "rates", None)):
        raise InputError(f"{kind} is no mechanism: it has no method rates(c, t) that returns the gain of each species")


def _check_event(kind: str, event: Event) -> None:
    """Raise `InputError` unless an event is whole: what it changes, what it takes of that, and how."""
    if type(event) not in (AtTimes, OnRise, EachStep, Channels):
        raise InputError(f"{kind}: {event!r} is among its events; each must be an AtTimes, OnRise, EachStep or "
                         "Channels")
    name = type(event).__name__
    for what in ("changes", "takes"):
        species = getattr(event, what)
        if not isinstance(species, tuple) or not all(isinstance(one, Species) for one in species):
            raise InputError(f"{kind}: {what} of its {name} must be a tuple of species, such as (calcium,)")
    for species in event.takes:
        if species not in event.changes:
            raise InputError(f"{kind}: its {name} takes {species!r}, which it does not name in changes")
    for what in ("change", "height", "path"):
        if not callable(getattr(event, what, nothing)):
            raise InputError(f"{kind}: {what} of its {name} must be a function")
    if isinstance(event, AtTimes):
        times = np.asarray(event.times)
        numbers = times.dtype.kind in "fiu" or not times.size
        if times.ndim != 1 or not numbers or not np.isfinite(times.astype(float)).all():
            raise InputError(f"{kind}: times of its AtTimes must be finite numbers, one after the other")
        if times.size and times.min() < 0:
            raise InputError(f"{kind}: its AtTimes has an event at t = {times.min():g} s; a run begins at 0")
        if event.longest != np.inf:
            positive(f"{kind}: longest of its AtTimes", event.longest)
    if event.changes and getattr(event, "change", None) is nothing:
        raise InputError(f"{kind}: its {name} names what it changes and has no change; give it the function")


def _check_methods(mechanism: "Mechanism", events: tuple[Event, ...]) -> None:
    """Raise `InputError` for a method of a mechanism that is meant for an event and is declared as none."""
    kind, declared, methods = type(mechanism).__name__, {type(event) for event in events}, _methods(mechanism)
    lost = {name: meant for name in methods if (meant := _meant(name)) is not None and meant not in declared}
    if lost:
        names = " and ".join(map(repr, lost))
        forms = ", and ".join(_FORMS[meant] for meant in dict.fromkeys(lost.values()))
        raise InputError(f"{kind}: {names} would never be called; declare {forms} in a property events, or give it "
                         "another name")
    for name in methods:
        word = name.lower().strip("_")
        if name != "events" and not events and word[:1] == "e" and get_close_matches(word, ["events"], cutoff=_ALIKE):
            raise InputError(f"{kind}: {name!r} would never be called; is it meant for 'events'?")


def _meant(name: str) -> type | None:
    """The event that a method of this name is meant for."""
    return next((event for word, event in _MEANT.items() if name.lower().rstrip("s") == word.rstrip("s")), None)


def _methods(mechanism: "Mechanism") -> list[str]:
    """The names of a mechanism's public methods and properties, without its parameters."""
    parameters = {parameter.name for parameter in fields(mechanism)} if is_dataclass(mechanism) else set[str]()
    found = {name: value for part in reversed(type(mechanism).__mro__[:-1]) for name, value in vars(part).items()}
    found |= getattr(mechanism, "__dict__", {})
    return [name for name, value in found.items() if name[0] != "_" and name not in parameters
            and (callable(value) or hasattr(value, "__get__"))]


def _check_takers(mechanisms: Sequence["Mechanism"]) -> None:
    """Raise `InputError` where two events that can act at one moment take of the same molecules.

    Each sees what is there before either has acted, so together they could take more than there is.
    """
    takers = [(mechanism, event, species) for mechanism in mechanisms for event in events_of(mechanism)
              for species in dict.fromkeys(event.takes) if not species.signed]
    for (one, event, species), (other, second, also) in combinations(takers, 2):
        if species is not also or type(event) is not type(second) or not meet(one.where, other.where, species.place):
            continue
        when = "at one moment"
        if isinstance(event, AtTimes) and isinstance(second, AtTimes):
            together = np.intersect1d(event.times, second.times)
            if not len(together):
                continue
            when = f"at t = {together[0]:g} s"
        names = f"{type(one).__name__} and {type(other).__name__}"
        raise InputError(f"{names} may both take {species!r} {when}; let one mechanism take it, or give "
                         "each a species of its own to take from")


@dataclass(frozen=True, eq=False)
class Reaction:
    """One kind of discrete event: how many of each species it makes (> 0) or takes (< 0), and how often."""

    change: Mapping[Species, int]
    rate: Floats | float
    """(n,) events per measure of where it happens and per second, in the changed species' own unit
    (uM/s in a volume, uM um/s on a membrane, uM um^3/s at a point; 1/s for what is counted): >= 0."""
    elementary: bool = False
    """Whether the rate holds for single molecules as it is, though it is not in proportion to their concentration: it
    is then not taken for a `ConcentrationLaw` that has not been declared, nor for growth."""


@runtime_checkable
class Reactions(Protocol):
    """A mechanism that can also be played molecule by molecule: its rates as discrete events."""

    def reactions(self, c: Concentrations, t: float) -> Sequence[Reaction]:
        """All its events. Their changes times their rates add up to what `rates` returns."""
        ...


_FORM = "Model([species, ...], [mechanism, ...])"


@dataclass(frozen=True, eq=False)
class ConcentrationLaw:
    """A rate that bends with a concentration: Hill's law, Michaelis and Menten's (n = 1), inhibition by what is there.

    It is the mean over many molecules: with the few of a small element the same law gives another mean. Mechanisms
    declare theirs in a property `laws`, so that runs that count molecules know where it does not hold.
    """

    species: Species
    _: KW_ONLY
    K: float | Floats  # half-activation [unit of the species]; a number, or one for each element of `where`
    n: float = 1.0  # Hill coefficient

    def __post_init__(self) -> None:
        kinds(self)
        number(f"law of {self.species.name!r}: K", self.K)
        if np.ndim(self.K) > 1:
            raise InputError(f"law of {self.species.name!r}: K has shape {np.shape(self.K)}; it must be a number, or "
                             "one for each element")
        positive(f"law of {self.species.name!r}: n", self.n)


class WithLaws(Protocol):
    """A mechanism whose rates bend with concentrations."""

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """All laws by which its reactions, or its chances at each step, depend on concentrations."""
        ...


def laws_of(mechanism: Mechanism) -> tuple[ConcentrationLaw, ...]:
    """Return the concentration laws that a mechanism declares: the one way in which they are asked for.

    Raises `InputError`, naming the mechanism, for laws that cannot be read or are no tuple of them.
    """
    laws = _declaration(mechanism, "laws")
    if not isinstance(laws, tuple) or not all(isinstance(law, ConcentrationLaw) for law in laws):
        raise InputError(f"{type(mechanism).__name__}: laws must be a tuple of ConcentrationLaw, such as "
                         "(ConcentrationLaw(calcium, K=0.1, n=2),)")
    return laws


@dataclass(frozen=True, eq=False)
class Model:
    """The whole problem: nothing in it changes during a run.

    `fipy_terms` adds FiPy terms to a species' rate of change, made by a function of its `CellVariable`, such as
    `lambda c: DiffusionTerm(coeff=D, var=c)`. They are linear in c and do not change with time.

    `left_out` are classes of mechanisms that a control experiment goes `without`: then nothing is said of what is there
    and has nothing to do, since what they would make or use is left over.

    A model can be pickled, which raises `InputError` where a mechanism or a FiPy term holds what cannot be, such as a
    lambda. A copy by `copy.deepcopy` has mechanisms of its own and the same species, so that all probes fit it too.
    """

    species: tuple[Species, ...]
    mechanisms: tuple[Mechanism, ...] = ()
    fipy_terms: Mapping[Species, Terms] = field(default_factory=dict)
    left_out: tuple[type, ...] = ()

    def __init__(self, species: Iterable[Species], mechanisms: Iterable[Mechanism] = (),
                 fipy_terms: Mapping[Species, Terms] | None = None, *, left_out: Iterable[type] = ()) -> None:
        object.__setattr__(self, "species", listed("species", species, _FORM))
        object.__setattr__(self, "mechanisms", listed("mechanisms", mechanisms, _FORM))
        if fipy_terms is not None and not isinstance(fipy_terms, Mapping):
            raise InputError(f"fipy_terms is {shown(fipy_terms)}; it must be {{species: terms}}")
        object.__setattr__(self, "fipy_terms", dict(fipy_terms or {}))
        object.__setattr__(self, "left_out", listed("left_out", left_out, "left_out=[SERCA]"))
        for kind in self.left_out:
            if not isinstance(kind, type):
                raise InputError(f"left_out lists {shown(kind)}; it must list classes of mechanisms: left_out=[SERCA]")
        seen: set[str] = set()
        for one in self.species:
            if not isinstance(one, Species):
                raise InputError(f"{shown(one)} is among the species of a model, which it is not; mechanisms come in a "
                                 f"list of their own: {_FORM}")
            if one.name in seen:
                raise InputError(f"two species of this model are called {one.name!r}; give each its own name")
            seen.add(one.name)
        for mechanism in self.mechanisms:
            _check_mechanism(mechanism)
        check_places(((repr(species), species.place) for species in self.species),
                     ((type(mechanism).__name__, mechanism.where) for mechanism in self.mechanisms))
        _check_takers(self.mechanisms)
        for one in self.fipy_terms:
            if one not in self.species:
                raise InputError(f"fipy_terms are given for {one!r}, which is not a species of this model")

    def __iter__(self) -> Iterator[Species]:
        return iter(self.species)

    def __getstate__(self) -> dict[str, Any]:
        parts: list[tuple[str, Any]] = [(type(mechanism).__name__, mechanism) for mechanism in self.mechanisms]
        parts += [(f"fipy_terms of {species.name!r}", terms) for species, terms in self.fipy_terms.items()]
        for name, part in parts:
            reason = obstacle(part, name)
            if reason is not None:
                raise InputError(f"this model cannot be pickled: {reason}")
        return dict(self.__dict__)

    def __copy__(self) -> "Model":
        return self._with(self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Model":
        return self._with(copy.deepcopy(self.__dict__, memo))

    def _with(self, state: Mapping[str, Any]) -> "Model":
        """A model of this state, which has been checked: unlike pickles, copies may hold functions of any kind."""
        copied = object.__new__(type(self))
        copied.__dict__.update(state)
        return copied

    @by_annotation
    def with_mechanisms(self, *mechanisms: Mechanism) -> "Model":
        """This model with more mechanisms."""
        return Model(self.species, (*self.mechanisms, *mechanisms), self.fipy_terms, left_out=self.left_out)

    @by_annotation
    def without(self, *kinds: type) -> "Model":
        """This model without the mechanisms of these classes: a control experiment."""
        kept = [mechanism for mechanism in self.mechanisms if not isinstance(mechanism, kinds)]
        return Model(self.species, kept, self.fipy_terms, left_out=(*self.left_out, *kinds))
