"""Iontophoresis of a probe molecule: what it tells about the extracellular space around the pipette.

Nicholson & Phillips 1981: a molecule that stays outside cells, such as TMA+, is let in at a point. Its concentration
at a distance r settles at a level that gives lambda^2 / alpha, and how soon gives lambda. Tissue is homogenised: volume
fraction alpha, tortuosity lambda, first-order loss k [1/s] per volume of extracellular space.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import erfc, erfcx

from spatial import checks
from spatial.checks import InputError, arguments, number, positive, shaped
from spatial.frozen import Frozen
from spatial.geometry.place import Floats
from spatial.units import ion_flux, nA, s, um

TMA = 1310 * um**2 / s  # free diffusion coefficient of TMA+ at 37 C; M
TRANSPORT = 0.35  # part of a pipette's current that TMA+ carries; Nicholson & Phillips 1981, M
CURRENT = 100 * nA  # of the pipette; Nicholson & Phillips 1981, M
UNCERTAIN = 0.1  # relative standard error above which a fitted parameter is called not identified; choice
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_EARLY = np.geomspace(0.01, 1, 12)[:-1]  # where the first interval is cut for the integral over time
_SWITCH = 0.05  # D t / L^2 from which on cosine modes are summed, and below which images: both to 1e-8
_MODES = np.arange(1, 9) * np.pi
_IMAGES = np.arange(-2, 3)


class NotIdentified(UserWarning):
    """The traces say too little about a fitted parameter."""


@arguments(not_negative=("transport",))
def strength(current: float = CURRENT, transport: float = TRANSPORT, valence: int = 1) -> float:
    """Amount per second [uM um^3/s] of an ion that a pipette's `current` [pA] lets in."""
    return transport * ion_flux(current, valence)


@arguments(above_zero=("r",))
def endless(r: ArrayLike, t: ArrayLike, flux: float, alpha: float, tortuosity: float, D: float = TMA,
            loss: float = 0.0, off: float = np.inf) -> Floats:
    """Concentration [uM] at distances r [um] and times t [s], which broadcast, in tissue without bounds.

    A point source of `flux` [uM um^3/s] opens at t = 0 and closes at `off` [s] (Nicholson & Phillips 1981; M).
    """
    _check_broadcast(r, t)
    for name, value in (("flux", flux), ("alpha", alpha), ("tortuosity", tortuosity), ("D", D), ("off", off)):
        positive(f"iontophoresis: {name}", min(value, np.finfo(float).max))
    number("iontophoresis: loss", loss)
    distance, time = np.broadcast_arrays(np.asarray(r, float), np.asarray(t, float))
    apparent = D / tortuosity**2
    level = flux / (8 * np.pi * alpha * apparent * distance)
    return np.asarray(level * (_rise(distance, time, apparent, loss) - _rise(distance, time - off, apparent, loss)))


def _check_broadcast(r: ArrayLike, t: ArrayLike) -> None:
    """Raise `InputError` where distances and times do not broadcast to one shape."""
    try:
        np.broadcast_shapes(np.shape(r), np.shape(t))
    except ValueError:
        raise InputError(f"endless: distances have shape {np.shape(r)} and times {np.shape(t)}; they must broadcast, "
                         "as (k,) and (t, 1) do") from None


def _rise(r: Floats, t: Floats, D: float, loss: float) -> Floats:
    """How far a source open since t = 0 has come: from 0 to 2 exp(-r sqrt(loss / D))."""
    late = np.maximum(t, 1e-9 * r**2 / D)  # nothing has come so early, and no power overflows
    near, decay = r / (2 * np.sqrt(D * late)), np.sqrt(loss * late)
    gone = np.exp(-r * np.sqrt(loss / D))
    outward = erfcx(near + decay) * np.exp(-near**2 - decay**2)  # exp(+) erfc, which would be infinity times zero
    return np.asarray(np.where(t > 0, outward + gone * erfc(near - decay), 0.0))


@arguments(above_zero=("flux", "alpha", "tortuosity", "D", "times"))
def sealed_box(positions: Floats, source: Floats, box: tuple[Floats, Floats], times: Floats, flux: float, alpha: float,
               tortuosity: Floats, D: float = TMA) -> Floats:
    """(t, k) concentration [uM] at `positions` (k, 3) in a box of tissue between two corners, whose walls are sealed.

    A point source of `flux` [uM um^3/s] at `source` (3,) is open from t = 0; `times` (t,) [s] rise; `tortuosity` (3,)
    along the axes. The field of an instantaneous source is a product over the axes, each a sum over cosine modes at
    late times and over images at early ones (Carslaw & Jaeger 1959); its integral is by Gauss's rule between times.
    """
    shaped("sealed_box: positions", positions, ("k", 3))
    shaped("sealed_box: source", source, (3,))
    shaped("sealed_box: box", box, (2, 3), "two corners")
    shaped("sealed_box: times", times, ("t",))
    shaped("sealed_box: tortuosity", tortuosity, (3,), "one for each axis")
    if not (np.diff(times) > 0).all():
        raise InputError("sealed_box: times must rise")
    if not (np.asarray(box[1]) > np.asarray(box[0])).all():
        raise InputError("sealed_box: box must go from its lower to its upper corner")
    lower, upper = box
    sides, edges = upper - lower, np.r_[0.0, times[0] * _EARLY, times]
    half = np.diff(edges)[:, None] / 2
    nodes = (edges[:-1, None] + half * (1 + _NODES)).ravel()
    kernel = np.ones((len(positions), len(nodes)))
    for k in range(3):
        x, y = (positions[:, k] - lower[k]) / sides[k], (source[k] - lower[k]) / sides[k]
        kernel *= _along(x, float(y), D / tortuosity[k] ** 2 / sides[k] ** 2 * nodes)
    steps = (kernel.reshape(len(positions), -1, len(_NODES)) * _WEIGHTS).sum(axis=2) * half[:, 0]
    return np.asarray(flux / (alpha * sides.prod()) * np.cumsum(steps, axis=1).T[len(_EARLY):])


def _along(x: Floats, y: float, tau: Floats) -> Floats:
    """(k, t) density at x (k,) after times tau (t,), which rise, from y, in 0..1 between reflecting ends, at D = 1."""
    early = tau[tau < _SWITCH]
    found = np.empty((len(x), len(tau)))
    images = np.concatenate([x[:, None] - y + 2 * _IMAGES, x[:, None] + y + 2 * _IMAGES], axis=1)
    spread = np.exp(-images[:, :, None] ** 2 / (4 * early)).sum(axis=1)
    found[:, :len(early)] = spread / np.sqrt(4 * np.pi * early)
    decay = np.exp(-np.outer(_MODES**2, tau[len(early):]))
    found[:, len(early):] = 1 + 2 * (np.cos(np.outer(x, _MODES)) * np.cos(y * _MODES)) @ decay
    return found


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters that fit a set of traces best, in the least-squares sense, each with its standard error."""

    values: Mapping[str, float]
    errors: Mapping[str, float]  # relative to the value, one standard deviation
    residual: float  # root mean square of what is left, relative to the largest measured value
    curves: Floats  # the fitted traces, in the shape of the measured ones

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "values", Frozen(self.values))
        object.__setattr__(self, "errors", Frozen(self.errors))

    def __getitem__(self, name: str) -> float:
        """The value of a parameter."""
        return self.values[name]


@arguments(not_negative=("weight",), may_be_nan=("measured",))
def fit(predict: Callable[[Floats], Floats], measured: Floats, start: Mapping[str, float],
        weight: Floats | float = 1.0) -> Fit:
    """Fit `predict`, which makes traces of the parameters in the order of `start`, to `measured`.

    All parameters are above zero, so their logarithms are fitted, from `start`. `weight` multiplies the differences.
    Warns with `NotIdentified` where a relative standard error exceeds `UNCERTAIN`, and tells of which parameter.
    """
    if np.shape(weight) != ():
        shaped("fit: weight", weight, np.shape(measured), "one for each measured value")
    number("iontophoresis: a measured trace", measured, may_be_negative=True)
    if measured.size <= len(start):
        raise InputError(f"{measured.size} measured values cannot give {len(start)} parameters; record more")
    for name, value in start.items():
        positive(f"iontophoresis: first guess of {name}", value)
    scale = float(np.abs(measured).max()) or 1.0

    def misfit(logarithms: Floats) -> Floats:
        return np.asarray((predict(np.exp(logarithms)) - measured) * weight / scale).ravel()

    found = least_squares(misfit, np.log(list(start.values())), x_scale="jac")
    curves = predict(np.exp(found.x))
    free = measured.size - len(start)
    _, singular, rows = np.linalg.svd(np.asarray(found.jac, float), full_matrices=False)
    variance = ((rows / np.maximum(singular, 1e-12)[:, None]) ** 2).sum(axis=0) * 2 * found.cost / free
    errors = dict(zip(start, np.sqrt(variance).tolist(), strict=True))
    for name, error in errors.items():
        if error > UNCERTAIN:
            warnings.warn(f"{name} is not identified by these traces: its standard error is {100 * error:.2g} %; "
                          "record earlier and later times, or more distances", NotIdentified, stacklevel=3)
    residual = float(np.sqrt(np.mean((curves - measured) ** 2))) / scale
    return Fit(dict(zip(start, np.exp(found.x).tolist(), strict=True)), errors, residual, curves)


@arguments(above_zero=("distances",), may_be_nan=("traces",))
def fit_endless(distances: Sequence[float] | Floats, times: Floats, traces: Floats, flux: float, D: float = TMA,
                loss: bool = False, off: float = np.inf) -> Fit:
    """The "alpha" and "lambda", and with `loss` the "k" [1/s], of tissue without bounds from `traces` [uM].

    `traces` (t, k) at `times` (t,) [s] and `distances` (k,) [um] from a source of known `flux` [uM um^3/s].
    """
    shaped("fit_endless: distances", distances, ("k",))
    r = np.asarray(distances, float)
    if traces.shape != (len(times), len(r)):
        raise InputError(f"iontophoresis: traces have shape {traces.shape}; with {len(times)} times and {len(r)} "
                         f"distances it must be {(len(times), len(r))}")
    start = {"alpha": 0.3, "lambda": 1.4} | ({"k": 1.0 / float(np.max(times))} if loss else {})

    def predict(values: Floats) -> Floats:
        return endless(r, times[:, None], flux, values[0], values[1], D, values[2] if loss else 0.0, off)

    return fit(predict, traces, start)
