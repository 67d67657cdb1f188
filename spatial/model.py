"""What is simulated: species, the mechanisms that change them, and the model that lists both."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial.checks import InputError, number
from spatial.geometry.place import Floats, Place


@dataclass(frozen=True, eq=False)
class Species:
    """Something that has a concentration on a place: a molecule, a gating variable, a weight.

    A species is its own key: `c[calcium]` is the concentration of `calcium`.
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
        number(f"species {self.name!r}: initial value", self.initial, may_be_negative=self.signed)
        number(f"species {self.name!r}: D", self.D)
        shape = np.shape(self.initial)
        if shape not in ((), (len(self.place),)):
            raise InputError(f"species {self.name!r} has an initial value of shape {shape}; "
                             f"{self.place.name!r} has {len(self.place)} elements")

    def __repr__(self) -> str:
        return f"<{self.name} in {self.place.name}>"

    @property
    def typical(self) -> float:
        """The size that errors are compared with: the scale, else the largest initial value, else 1."""
        return self.scale or float(np.abs(self.initial).max()) or 1.0


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


@runtime_checkable
class Jumps(Protocol):
    """A mechanism that also acts at known instants, such as spikes."""

    @property
    def instants(self) -> Floats:
        """(k,) times [s] at which `jump` is called; the integrator lands on each exactly."""
        ...

    def jump(self, c: Concentrations, t: float) -> Gains:
        """Gain of each species per measure of `where` at the instant `t`."""
        ...


@runtime_checkable
class Leaps(Protocol):
    """A mechanism that also acts at random: it draws what happened during a step just taken."""

    def leap(self, c: Concentrations, t: float, dt: float, rng: np.random.Generator) -> Gains:
        """Gain of each species per measure of `where` over the step of length `dt` that ends at `t`."""
        ...


@runtime_checkable
class Crossings(Protocol):
    """A mechanism that also acts where something rises through a threshold: once, until it has been below again.

    Steps end just behind each crossing. What is above its threshold at the start of a run has not risen.
    """

    def height(self, c: Concentrations, t: float) -> Floats:
        """(n,) how far each element of `where` is above its threshold; negative below it."""
        ...

    def cross(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """Gain of each species per measure of `where` at the instant `t`, where `risen` (n,) is true."""
        ...


@dataclass(frozen=True, eq=False)
class Reaction:
    """One kind of discrete event: how many of each species it makes (> 0) or takes (< 0), and how often."""

    change: Mapping[Species, int]
    rate: Floats | float
    """(n,) events per measure of where it happens and per second, in the changed species' own unit
    (uM/s in a volume, uM um/s on a membrane, uM um^3/s at a point; 1/s for what is counted): >= 0."""


@runtime_checkable
class Reactions(Protocol):
    """A mechanism that can also be played molecule by molecule: its rates as discrete events."""

    def reactions(self, c: Concentrations, t: float) -> Sequence[Reaction]:
        """All its events. Their changes times their rates add up to what `rates` returns."""
        ...


class Path(Protocol):
    """What a random mechanism does at given concentrations."""

    @property
    def first(self) -> float:
        """When [s, from the path's start] it first does what other mechanisms feel; infinite if it does not."""
        ...

    def gains(self, dt: float) -> Gains:
        """Gain of each species per measure of `where` over the first `dt` [s] of the path."""
        ...


@runtime_checkable
class Paths(Protocol):
    """A mechanism with random states of its own, such as channels: steps land on what others feel."""

    def path(self, c: Concentrations, t: float, horizon: float, rng: np.random.Generator) -> Path:
        """What it does from `t` on, for at most `horizon` [s], at the concentrations `c` of that time on average."""
        ...


@dataclass(frozen=True, eq=False)
class Model:
    """The whole problem: nothing in it changes during a run.

    `fipy_terms` adds FiPy terms to a species' rate of change, made by a function of its `CellVariable`, such as
    `lambda c: DiffusionTerm(coeff=D, var=c)`. They are linear in c and do not change with time.
    """

    species: tuple[Species, ...]
    mechanisms: tuple[Mechanism, ...] = ()
    fipy_terms: Mapping[Species, Terms] = field(default_factory=dict)

    def __init__(self, species: Iterable[Species], mechanisms: Iterable[Mechanism] = (),
                 fipy_terms: Mapping[Species, Terms] | None = None) -> None:
        object.__setattr__(self, "species", tuple(species))
        object.__setattr__(self, "mechanisms", tuple(mechanisms))
        object.__setattr__(self, "fipy_terms", dict(fipy_terms or {}))
        seen: set[str] = set()
        for one in self.species:
            if one.name in seen:
                raise InputError(f"two species of this model are called {one.name!r}; give each its own name")
            seen.add(one.name)
        for one in self.fipy_terms:
            if one not in self.species:
                raise InputError(f"fipy_terms are given for {one!r}, which is not a species of this model")

    def __iter__(self) -> Iterator[Species]:
        return iter(self.species)

    def with_mechanisms(self, *mechanisms: Mechanism) -> "Model":
        """This model with more mechanisms."""
        return Model(self.species, (*self.mechanisms, *mechanisms), self.fipy_terms)

    def without(self, *kinds: type) -> "Model":
        """This model without the mechanisms of these classes: a control experiment."""
        return Model(self.species, [m for m in self.mechanisms if not isinstance(m, kinds)], self.fipy_terms)
