"""How far a release reaches: radius of effect, length constants, synapses within, overlap of two sources.

Every function takes arrays over a place, whatever its shape, and where the source is. A molecule's concentration
or what a receptor makes of it are analysed alike: what counts is where the values are above a threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, shaped
from spatial.geometry.place import Floats, Ints, Place
from spatial.geometry.tortuosity import checked
from spatial.units import um

SYNAPSES = 1.69 / um**3  # in CA1: 0.465 um to the nearest neighbour (Rusakov & Kullmann 1998) if Poisson
_FEWEST = 3  # points of a fitted line

Point = tuple[float, float, float] | Floats
"""A position [um]."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Where a field is above a threshold, over time."""

    threshold: float
    times: Floats  # (k,) s
    radius: Floats  # (k,) largest distance from the source at which the field is above it [um]; 0 where nowhere
    volume: Floats  # (k,) of tissue in which it is [um^3]
    cut: NDArray[np.bool_]  # (k,) its farthest point is where the place ends: it would reach farther

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def largest(self) -> float:
        """Radius of effect: the largest distance ever reached [um]."""
        return float(self.radius.max())

    @property
    def time(self) -> float:
        """When the radius is largest [s]."""
        return float(self.times[self.radius.argmax()])

    @property
    def equivalent(self) -> Floats:
        """(k,) radius of the ball of that volume [um]."""
        return np.cbrt(3 * self.volume / (4 * np.pi))

    @arguments(not_negative=("distances",))
    def duration(self, distances: Floats) -> Floats:
        """(m,) how long each of (m,) distances > 0 [um] is within the radius [s], seen from first to last time."""
        shaped("Reach.duration: distances", distances, ("m",))
        low, high = np.sort([self.radius[:-1], self.radius[1:]], axis=0)[:, :, None]
        change = np.where(high > low, high - low, 1.0)
        part = np.where(high > low, np.clip((high - distances) / change, 0.0, 1.0), high >= distances)
        return np.asarray(np.diff(self.times) @ part)


@by_annotation
def reach(place: Place, times: Floats, values: Floats, threshold: float, source: Point,
          volume_fraction: float = 1.0) -> Reach:
    """Where (k, n) values at (k,) times [s] over the n elements of a place are above a threshold > 0.

    The radius is that of the farthest point above it on the links of the place, along which values are linear: it
    does not jump from element to element. `volume_fraction` makes the place's own volume one of tissue.
    """
    shaped("reach: source", source, (3,))
    times, values = np.asarray(times, float), np.asarray(values, float)
    checks.positive("threshold", threshold)
    checks.fraction("volume fraction", volume_fraction)
    if values.shape != (len(times), len(place)):
        raise InputError(f"values have shape {values.shape}; for {len(times)} times in {place.name!r} they must "
                         f"have {(len(times), len(place))}")
    radii, volumes, cut = np.zeros(len(times)), np.zeros(len(times)), np.zeros(len(times), bool)
    for k, now in enumerate(values):
        if (now > threshold).any():
            radii[k], cut[k] = _farthest(place, now, threshold, np.asarray(source, float))
            volumes[k] = place.measure @ shares(place, now, threshold) / volume_fraction
    return Reach(threshold, times, radii, volumes, cut)


def _farthest(place: Place, values: Floats, threshold: float, source: Floats) -> tuple[float, bool]:
    """The largest distance [um] at which (n,) values are above a threshold, and whether the place ends there."""
    above = values > threshold
    whole = float(np.linalg.norm(place.centres[above] - source, axis=1).max())
    inner, outer = _crossed(place.links, above)
    if not len(inner):
        return whole, True
    part = (values[inner] - threshold) / (values[inner] - values[outer])
    crossings = place.centres[inner] + part[:, None] * (place.centres[outer] - place.centres[inner])
    crossing = float(np.linalg.norm(crossings - source, axis=1).max())
    return max(crossing, whole), whole >= crossing


def _crossed(links: Ints, above: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Ends above and below threshold of the links that cross it."""
    ends = links[above[links[:, 0]] != above[links[:, 1]]]
    first = above[ends[:, 0]]
    return np.where(first, ends[:, 0], ends[:, 1]), np.where(first, ends[:, 1], ends[:, 0])


@by_annotation
def shares(place: Place, values: Floats, threshold: float) -> Floats:
    """(n,) part of each element in which (n,) values are above a threshold.

    Values vary across an element by half the range among it and its neighbours, so that volumes change smoothly
    with time and threshold; an element without neighbours is above or not.
    """
    shaped("shares: values", values, (len(place),), "one for each element")
    high, low = np.array(values, float), np.array(values, float)
    one, other = place.links.T
    for here, there in ((one, other), (other, one)):
        np.maximum.at(high, here, values[there])
        np.minimum.at(low, here, values[there])
    half, above = (high - low) / 4, values - threshold
    part = 0.5 + np.clip(above, -half, half) / np.where(half > 0, 2 * half, 1.0)
    return np.where(half > 0, part, np.where(above > 0, 1.0, 0.0))


@by_annotation
def largest_radius(amount: float, threshold: float, volume_fraction: float = 1.0) -> float:
    """Largest radius [um] at which `amount` [uM um^3], let go at once at a point, is ever above a threshold [uM].

    In an endless medium R(t)^2 = 6 D* t ln(T/t), with 4 pi D* T = (amount/(alpha threshold))^(2/3), is largest at
    T/e: whatever D* is. Clearance and slow release leave less.
    """
    for name, value in (("amount", amount), ("threshold", threshold), ("volume fraction", volume_fraction)):
        checks.positive(name, value)
    return float(np.cbrt(amount / (volume_fraction * threshold)) * np.sqrt(3 / (2 * np.pi * np.e)))


@by_annotation
def apparent_diffusion(D: float, tortuosity: float) -> float:
    """D* = D/lambda^2 [um^2/s] of a homogenised medium (biophysics A7)."""
    checks.number("D", D)
    checked(tortuosity, "tortuosity")
    return D / tortuosity**2


@by_annotation
def length_constant(D: float, loss: float) -> float:
    """L = sqrt(D*/k) [um] of an apparent D* [um^2/s] and a loss of first order [1/s] (biophysics D13)."""
    checks.number("D", D)
    checks.positive("loss", loss)
    return float(np.sqrt(D / loss))


@by_annotation
def exposure(times: Floats, values: Floats) -> Floats:
    """(n,) integral over (k,) times [s] of (k, n) values, by trapezia.

    Where clearance is of first order, that of any release is the steady profile of a constant source.
    """
    shaped("exposure: times", times, ("k",))
    if len(times) != len(values):
        raise InputError(f"exposure: {len(times)} times and {len(values)} rows of values; give as many of both")
    return np.asarray(np.trapezoid(values, times, axis=0))


@by_annotation
def fitted_length_constant(place: Place, values: Floats, source: Point, between: tuple[float, float]) -> float:
    """L [um] of (n,) values that fall as exp(-r/L)/r: from the slope of ln(r c) at distances `between` [um]."""
    shaped("length constant: values", values, (len(place),), "one for each element")
    shaped("length constant: source", source, (3,))
    r = np.linalg.norm(place.centres - np.asarray(source, float), axis=1)
    used = (r >= between[0]) & (r <= between[1]) & (r > 0) & (values > 0)
    if used.sum() < _FEWEST:
        raise InputError(f"length constant: {used.sum()} values > 0 lie between {between[0]:g} and {between[1]:g} um; "
                         f"it needs {_FEWEST}")
    slope = float(np.polyfit(r[used], np.log(r[used] * values[used]), 1)[0])
    return -1 / slope if slope < 0 else float("inf")


@by_annotation
def mean_square_length(place: Place, values: Floats, source: Point) -> float:
    """sqrt(<r^2>/6) [um] of (n,) values around a source, weighted by measure.

    It is L for exp(-r/L)/r. For the last molecule of a cascade of conversions it is sqrt(sum of L^2), for the
    steps of each are independent.
    """
    shaped("mean_square_length: values", values, (len(place),), "one for each element")
    shaped("mean_square_length: source", source, (3,))
    weight = place.measure * values
    checks.positive("values for a mean square length: their sum", float(weight.sum()))
    squares = np.sum((place.centres - np.asarray(source, float))**2, axis=1)
    return float(np.sqrt(weight @ squares / weight.sum() / 6))


@by_annotation
def expected_synapses(volume: float | Floats, density: float = SYNAPSES) -> Floats:
    """Synapses on average in a volume of tissue [um^3]."""
    checks.number("volume", volume)
    checks.number("density of synapses", density)
    return np.asarray(density * np.asarray(volume))


@by_annotation
def poisson_synapses(radius: float, rng: np.random.Generator, density: float = SYNAPSES) -> Floats:
    """(n, 3) positions [um] of independent synapses in a ball around the origin."""
    checks.number("radius of the neighbourhood", radius)
    checks.number("density of synapses", density)
    count = rng.poisson(density * 4 / 3 * np.pi * radius**3)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.asarray(direction * radius * np.cbrt(rng.random((count, 1))))


@by_annotation
def reached(place: Place, values: Floats, threshold: float, positions: Floats) -> NDArray[np.bool_]:
    """(m,) whether (k, n) values, or (n,), are ever above a threshold at the element nearest to (m, 3) positions."""
    fields = np.atleast_2d(values)
    shaped("reached: values", fields, ("k", len(place)), "one for each element")
    return np.asarray(fields.max(axis=0)[place.nearest(positions)] > threshold)


@arguments(not_negative=("radii",))
def around(place: Place, source: Point, radii: Floats, values: Floats) -> Floats:
    """(k, n) values of a field that depends on distance alone, known as (k, m) at growing `radii` (m,) [um].

    It is linear between the radii, constant within the first and zero beyond the last.
    """
    shaped("around: source", source, (3,))
    shaped("around: radii", radii, ("m",))
    shaped("around: values", values, ("k", len(radii)), "a column for each radius")
    if len(radii) < 2 or not (np.diff(radii) > 0).all():
        raise InputError("around: radii must be two or more, and grow")
    r = np.linalg.norm(place.centres - np.asarray(source, float), axis=1)
    before = np.clip(np.searchsorted(radii, r) - 1, 0, len(radii) - 2)
    part = np.clip((r - radii[before]) / (radii[before + 1] - radii[before]), 0.0, 1.0)
    return np.asarray(np.where(r > radii[-1], 0.0, (1 - part) * values[:, before] + part * values[:, before + 1]))


@dataclass(frozen=True)
class Overlap:
    """Volumes of tissue [um^3] in which two sources are ever above a threshold."""

    one: float  # the first alone
    other: float  # the second alone
    both: float  # each alone
    together: float  # both at once

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def either(self) -> float:
        """One alone or the other alone [um^3]."""
        return self.one + self.other - self.both

    @property
    def shared(self) -> float:
        """The part of what either reaches that each reaches alone."""
        return self.both / self.either if self.either else 0.0

    @property
    def only_together(self) -> float:
        """Where both at once are above threshold though neither alone is [um^3]: the supralinear region."""
        return self.together - self.either

    @property
    def gain(self) -> float:
        """The supralinear region over what either reaches; nan if neither reaches anything."""
        return self.only_together / self.either if self.either else float("nan")


@by_annotation
def overlap(place: Place, one: Floats, other: Floats, threshold: float, volume_fraction: float = 1.0,
            together: Floats | None = None) -> Overlap:
    """Where two fields, (n,) or (k, n) at the same times, are ever above a threshold > 0, alone and together.

    `together` is the field of both sources at once: by default the sum, as it is for concentrations where what
    clears them is not saturated.
    """
    checks.positive("threshold", threshold)
    checks.fraction("volume fraction", volume_fraction)
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    if one.shape != other.shape or one.shape[1] != len(place):
        raise InputError(f"two fields of shapes {one.shape} and {other.shape} cannot be summed in {place.name!r}, "
                         f"which has {len(place)} elements")
    if together is not None:
        shaped("overlap: together", np.atleast_2d(together), ("k", len(place)), "one for each element")
    both_at_once = one + other if together is None else np.atleast_2d(together)
    first, second, joint = (shares(place, field.max(axis=0), threshold) for field in (one, other, both_at_once))
    volume = place.measure / volume_fraction
    both, either = np.minimum(first, second), np.maximum(first, second)
    return Overlap(float(volume @ first), float(volume @ second), float(volume @ both),
                   float(volume @ np.maximum(joint, either)))
