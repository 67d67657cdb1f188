"""Small-signal gain: how far something follows a small change of its input, fast or slow."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from spatial.checks import InputError, by_annotation, shaped
from spatial.geometry.place import Floats

_FINER = 16  # points for each interval between samples


@by_annotation
def transfer(times: Floats, values: Floats, step: float, frequency: ArrayLike) -> NDArray[np.complex128]:
    """Complex gain at frequencies [Hz, any shape but 0] from the course after a small `step` of the input.

    `times` (k,) [s] rise, and the input steps at the first; `values` (k,) start at rest and end where they settle.
    It is the Fourier transform of what the course gains per unit of the step, by a cubic spline. Raises `InputError`
    for courses of fewer than 4 samples and for no step.
    """
    shaped("transfer: times", times, ("k",))
    shaped("transfer: values", values, (len(times),), "one for each time")
    if len(times) < 4 or len(times) != len(values):
        raise InputError(f"transfer: {len(times)} times and {len(values)} values; give as many of both, at least 4")
    if step == 0:
        raise InputError("transfer: the step is 0; give how far the input was moved")
    start, ends = times[:-1, None], np.diff(times)[:, None]
    t = np.r_[(start + ends * np.arange(_FINER) / _FINER).ravel(), times[-1]] - times[0]
    gained = np.diff(CubicSpline(times - times[0], values)(t)) / step
    return np.asarray(_transform(np.atleast_1d(np.asarray(frequency, float)), t, gained).reshape(np.shape(frequency)))


def _transform(frequency: Floats, t: Floats, gained: Floats) -> NDArray[np.complex128]:
    """Sum of what is gained in each interval, evenly over it, turned by its phase."""
    omega = 2 * np.pi * frequency.ravel()[:, None]
    middle, half = (t[1:] + t[:-1]) / 2, np.diff(t) / 2
    return np.asarray((np.exp(-1j * omega * middle) * np.sinc(omega * half / np.pi)) @ gained)
