"""Ca2+ events in a field: regions above a threshold, connected in space and time, and how local they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, whole
from spatial.geometry.place import Floats, Ints, Place

_FRAMES = 2  # a faster rise is that of the interpolation between frames
_RISEN = 1e-9  # part of a region's rise below which the rest of the place has not risen at all


@dataclass(frozen=True, eq=False)
class Event:
    """One connected region above threshold in space and time.

    A frame stands for the time halfway to its neighbours, so that start and end are known to half a frame.
    """

    label: int  # 0, 1, ... in the order of their starts
    start: float  # s
    end: float  # s
    peak: float  # largest value, in the unit of the values
    amplitude: float  # peak less rest, where the peak is
    peak_time: float  # s
    rise_time: float  # s, from 10 to 90 % of the amplitude, where the peak is; nan if it was not seen, or too fast
    rise_below: float  # s, two frames, if the rise took less: all that is known of it; else nan
    volume: float  # um^3 (um^2 of pixels or membranes) at the instant when it is largest
    radius: float  # um, of a ball (a disc) of that volume
    spread: float  # um, largest distance of any of its elements from the peak
    position: tuple[float, float, float]  # um, of the peak
    cut: bool  # it was under way in the first or last frame: it may be longer, larger or higher
    element: int  # where the peak is
    elements: Ints = field(repr=False)  # those above threshold at the peak's instant

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def duration(self) -> float:
        """s."""
        return self.end - self.start

    @property
    def rise_unknown(self) -> str:
        """Why there is no rise time; nothing if there is one."""
        if np.isfinite(self.rise_below):
            return f"it took less than {_FRAMES} frames, {self.rise_below:.3g} s"
        return "its start was not seen" if np.isnan(self.rise_time) else ""


@arguments(may_be_nan=("values",))
def detect(place: Place, times: Floats, values: Floats, threshold: float | Floats, rest: float | Floats = 0.0,
           at_least: int = 1) -> list[Event]:
    """Events of (k, n) values at (k,) times [s] over the n elements of a place, ordered by start.

    Nodes are pairs of frame and element with values above the `threshold` (a number, or (n,), such as rest + 0.1);
    they are joined through the place's links within a frame, and with the same element in the next frame.
    A rise that takes less than two frames has no time: it would be that of the interpolation between them.
    Amplitudes and rises count from `rest`, a number or (n,). Events of fewer than `at_least` nodes are left out;
    values that are not numbers (nan) are below any threshold. In noisy values, such as dF/F of pixels, take a
    threshold of some standard deviations; peaks and rises are those of single elements, noise and all.
    """
    whole("detect: at_least", at_least, least=1)
    checks.each_element("detect: threshold", threshold, place)
    checks.each_element("detect: rest", rest, place)
    times, values = np.asarray(times, float), np.asarray(values, float)
    _check(place, times, values)
    n = len(place)
    rest, threshold = (np.broadcast_to(np.asarray(one, float), n) for one in (rest, threshold))
    above = values > threshold
    frame, element = np.nonzero(above)
    if not len(frame):
        return []
    label = _components(place, above)
    sizes = np.bincount(label)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(sizes)[:-1])
    edges = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    kept = [nodes for nodes in groups if len(nodes) >= at_least]
    kept.sort(key=lambda nodes: (frame[nodes[0]], nodes[0]))
    return [_event(k, place, times, edges, values, rest, frame[nodes], element[nodes]) for k, nodes in enumerate(kept)]


def _check(place: Place, times: Floats, values: Floats) -> None:
    """Raise `InputError` if times and values do not fit each other or the place."""
    if values.shape != (len(times), len(place)):
        raise InputError(f"values have shape {values.shape}; for {len(times)} times in {place.name!r} they must "
                         f"have {(len(times), len(place))}")
    if len(times) < 2 or not (np.diff(times) > 0).all():
        raise InputError("times of the frames must be two or more, and grow")


def _components(place: Place, above: NDArray[np.bool_]) -> Ints:
    """Label of each node, the pairs of frame and element where `above` (k, n), in the order of `np.nonzero`."""
    number = np.cumsum(above.ravel()).reshape(above.shape) - 1
    stays = above[1:] & above[:-1]
    pairs = [np.stack([number[:-1][stays], number[1:][stays]])]
    one, other = place.links.T
    for now, numbers in zip(above, number, strict=True):
        both = now[one] & now[other] if now.any() else np.zeros(0, bool)
        if both.any():
            pairs.append(np.stack([numbers[one[both]], numbers[other[both]]]))
    i, j = np.concatenate(pairs, axis=1)
    count = int(number[-1, -1]) + 1
    graph = coo_matrix((np.ones(len(i), np.int8), (i, j)), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _event(label: int, place: Place, times: Floats, edges: Floats, values: Floats, rest: Floats,
           frame: Ints, element: Ints) -> Event:
    """The event of these nodes, ordered by frame."""
    first, last = int(frame[0]), int(frame[-1])
    at = int(np.argmax(values[frame, element]))
    top, where = int(frame[at]), int(element[at])
    volume = float(np.bincount(frame - first, place.measure[element]).max())
    centre = place.centres[where]
    distance = np.linalg.norm(place.centres[np.unique(element)] - centre, axis=1)
    peak = float(values[top, where])
    rise, resolved = _rise(times[:top + 1], values[:top + 1, where] - rest[where])
    return Event(
        label=label, start=float(edges[first]), end=float(edges[last + 1]), peak=peak,
        amplitude=peak - float(rest[where]), peak_time=float(times[top]),
        rise_time=rise if rise >= resolved else float("nan"),
        rise_below=resolved if rise < resolved else float("nan"),
        volume=volume, radius=_radius(place, volume), spread=float(distance.max()),
        position=(float(centre[0]), float(centre[1]), float(centre[2])),
        cut=first == 0 or last == len(times) - 1, element=where, elements=element[frame == top])


def _rise(times: Floats, values: Floats) -> tuple[float, float]:
    """Time between 10 and 90 % of the last value, the last times they were crossed, interpolated; nan if unseen.

    Beside it is the shortest rise that such frames can tell: two of those that lie across it.
    """
    crossed, before = list[float](), list[int]()
    for part in (0.1, 0.9):
        level = part * values[-1]
        below = np.flatnonzero(values[:-1] < level)
        if not len(below):
            return float("nan"), float("nan")
        i = int(below[-1])
        before.append(i)
        crossed.append(times[i] + (level - values[i]) / (values[i + 1] - values[i]) * (times[i + 1] - times[i]))
    return float(crossed[1] - crossed[0]), float(_FRAMES * np.diff(times[before[0]:before[1] + 2]).max())


def _radius(place: Place, volume: float) -> float:
    """Radius [um] of the ball (or, of squares and membranes, the disc) of this measure; 0 for points."""
    if place.dimension == 3:
        return float(np.cbrt(3 * volume / (4 * np.pi)))
    return float(np.sqrt(volume / np.pi)) if place.dimension == 2 else 0.0


@by_annotation
def rate(events: Sequence[Event], duration: float) -> float:
    """Events per s over a `duration` [s] of watching."""
    checks.positive("duration of watching", duration)
    return len(events) / duration


@by_annotation
def rows(events: Iterable[Event], unit: str = "uM", measure: str = "um^3") -> list[dict[str, Any]]:
    """One row per event, each column named with its unit; `unit` is that of the values."""
    return [{"event": one.label, "start [s]": one.start, "end [s]": one.end, "duration [s]": one.duration,
             f"peak [{unit}]": one.peak, f"amplitude [{unit}]": one.amplitude, "peak time [s]": one.peak_time,
             "rise time 10-90 [s]": one.rise_time, "no rise time because": one.rise_unknown,
             f"extent [{measure}]": one.volume, "radius [um]": one.radius, "spread [um]": one.spread,
             "x [um]": one.position[0], "y [um]": one.position[1], "z [um]": one.position[2],
             "cut": one.cut} for one in events]


@by_annotation
def effective_diffusion(D: float, buffers: Iterable[tuple[float, float]] = ()) -> float:
    """D of Ca2+ among fast buffers [um^2/s]: (D + sum D_B kappa) / (1 + sum kappa) (Wagner & Keizer 1994).

    `buffers` are pairs (D_B, kappa): 0 for an immobile one, and the capacity at rest (`mechanisms.buffer.capacity`).
    """
    pairs = list(buffers)
    checks.number("D of Ca2+ and its buffers", [D, *(one for pair in pairs for one in pair)])
    return (D + sum(mobile * kappa for mobile, kappa in pairs)) / (1 + sum(kappa for _, kappa in pairs))


@dataclass(frozen=True)
class Locality:
    """Whether an event is its own: its source against diffusion, and its height against the rest of the place."""

    tau_diff: float
    """radius^2 / D_eff [s]: how long diffusion takes to empty the region. The radius is that of the region above
    threshold, at its largest: a slow source has spread by then, and its region is larger than its source."""
    rise_time: float  # s, 10-90 % where the peak is; nan if it was not seen, or took less than two frames
    contrast: float
    """Mean rise of the region over the mean rise of all the rest at the peak's instant: infinite if that has none,
    1 if there is no rest, for the event fills the place."""
    least_contrast: float  # from which the region counts as decoupled

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def rise_over_diffusion(self) -> float:
        """Rise time over tau_diff."""
        return self.rise_time / self.tau_diff

    @property
    def faster_than_diffusion(self) -> bool | None:
        """Whether the source filled the region sooner than diffusion empties it; None if the rise time is not known."""
        return None if np.isnan(self.rise_time) else self.rise_time < self.tau_diff

    @property
    def decoupled(self) -> bool:
        """Whether the region rose at least `least_contrast` times as high as the rest."""
        return self.contrast >= self.least_contrast


@arguments(not_negative=("least_contrast",), may_be_nan=("values",))
def locality(event: Event, place: Place, times: Floats, values: Floats, D: float, rest: float | Floats = 0.0,
             least_contrast: float = 10.0) -> Locality:
    """How local an event is, from the values it was found in and the effective D [um^2/s] of Ca2+.

    The region is what was above threshold at the peak's instant; the rest is every other element, both averaged
    by measure where values are numbers. `rest` is the resting value, a number or (n,), as for `detect`.
    """
    checks.each_element("locality: rest", rest, place)
    checks.positive("effective D", D)
    times, values = np.asarray(times, float), np.asarray(values, float)
    _check(place, times, values)
    risen = values[int(np.argmin(np.abs(times - event.peak_time)))] - rest
    inside = np.zeros(len(place), bool)
    inside[event.elements] = True
    outside = ~inside & np.isfinite(risen)
    if not outside.any():
        return Locality(event.radius ** 2 / D, event.rise_time, 1.0, least_contrast)
    region, others = (float(np.average(risen[one], weights=place.measure[one])) for one in (inside, outside))
    contrast = region / others if others > _RISEN * region else float("inf")
    return Locality(event.radius ** 2 / D, event.rise_time, contrast, least_contrast)
