"""Whether data can tell a model's parameters apart: sensitivities and their rank, and profile likelihoods."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import chi2

from spatial import checks
from spatial.checks import arguments, by_annotation, fraction, shaped
from spatial.geometry.place import Floats

Outputs = Callable[[Floats], Floats]
"""What is measured, (n,), of a model with the parameters (k,)."""

_NUDGE = 1e-2  # of a parameter's logarithm: far less, and the tolerance of a simulation shows
_RANK = 1e-3  # of the largest singular value: differences of outputs with 5 good digits err as much


@arguments(above_zero=("nudge",))
def sensitivities(outputs: Outputs, parameters: Floats, nudge: float = _NUDGE) -> Floats:
    """(n, k) derivative of each output by the logarithm of each parameter, all > 0, by central differences.

    A simulation must land on the times of its outputs (`frame_times`), and be run to 1e-3 of the `nudge` or better.
    """
    at = _checked(parameters)
    steps = np.exp(nudge * np.eye(len(at)))
    return np.stack([(outputs(at * step) - outputs(at / step)) / (2 * nudge) for step in steps], axis=1)


@arguments(not_negative=("relative",))
def rank(sensitivity: Floats, relative: float = _RANK) -> int:
    """How many combinations of parameters the outputs tell apart: singular values above a part of the largest."""
    shaped("rank: sensitivity", sensitivity, ("n", "k"), "a row for each output")
    found = np.linalg.svd(sensitivity, compute_uv=False)
    return int((found > relative * found[0]).sum())


@arguments(not_negative=("relative",))
def unseen(sensitivity: Floats, relative: float = _RANK) -> Floats:
    """(j, k) directions, in the parameters' logarithms, along which the outputs do not change."""
    shaped("unseen: sensitivity", sensitivity, ("n", "k"), "a row for each output")
    return np.asarray(np.linalg.svd(sensitivity)[2][rank(sensitivity, relative):])


@dataclass(frozen=True, eq=False)
class Profile:
    """How well data are fitted with one parameter held, the others at their best for it."""

    values: Floats  # (m,) of the parameter, rising
    deviance: Floats  # (m,) -2 ln(likelihood), above its least value among these

    def __post_init__(self) -> None:
        checks.kinds(self)

    @by_annotation
    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The values between which the data leave the parameter; 0 or infinity where the profile does not say."""
        fraction("Profile.interval: level", level)
        most = chi2.ppf(level, 1)
        inside = np.flatnonzero(self.deviance <= most)
        first, last = inside[0], inside[-1]
        return (self._crossing(first - 1, first, most) if first else 0.0,
                self._crossing(last + 1, last, most) if last < len(self.values) - 1 else np.inf)

    def _crossing(self, outside: int, inside: int, most: float) -> float:
        """Where the deviance passes `most`, between two neighbours, in the logarithm of the values."""
        pair = [inside, outside]
        return float(np.exp(np.interp(most, self.deviance[pair], np.log(self.values[pair]))))


@arguments(above_zero=("noise",))
def profile(outputs: Outputs, data: Floats, noise: float | Floats, best: Floats, which: int, values: Floats) -> Profile:
    """The profile likelihood of one parameter, at rising `values`.

    `data` (n,) have independent Gaussian errors of standard deviation `noise`. Others start from `best` (k,), such as
    the parameters of a fit, at the value next to best[which], and from one another's result further out. All
    parameters are > 0, and are fitted by their logarithms.
    """
    if np.shape(noise) != ():
        shaped("profile: noise", noise, np.shape(data), "one for each of the data")
    shaped("profile: data", data, ("n",))
    start, held = _checked(best), _checked(values)
    if not 0 <= which < len(start):
        raise checks.InputError(f"profile: which is {which}; with {len(start)} parameters it must be 0 to "
                                f"{len(start) - 1}")
    if not (np.diff(held) > 0).all():
        raise checks.InputError("profile: the values of the parameter must rise")
    fit = _Fit(outputs, np.asarray(data, float), noise, which)
    middle = int(np.argmin(np.abs(np.log(held / start[which]))))
    deviance = np.empty(len(held))
    for way in (range(middle, len(held)), range(middle - 1, -1, -1)):
        others = np.delete(np.log(start), which)
        for k in way:
            deviance[k], others = fit(held[k], others)
    return Profile(held, deviance - deviance.min())


@dataclass(frozen=True, eq=False)
class _Fit:
    """The best of all other parameters while one is held."""

    outputs: Outputs
    data: Floats
    noise: float | Floats
    which: int

    def __call__(self, held: float, others: Floats) -> tuple[float, Floats]:
        """The sum of squares over the noise's, and the logarithms of the others there."""
        def residuals(logarithms: Floats) -> Floats:
            return (self.outputs(np.insert(np.exp(logarithms), self.which, held)) - self.data) / self.noise

        if not len(others):
            return float(np.sum(residuals(others) ** 2)), others
        found = least_squares(residuals, others)
        return float(2 * found.cost), np.asarray(found.x)


def _checked(parameters: Floats) -> Floats:
    """The parameters, all above zero."""
    shaped("parameters", parameters, ("k",))
    found = np.asarray(parameters, float)
    if not (np.isfinite(found) & (found > 0)).all():
        raise checks.InputError(f"parameters are {found}; each must be a finite number > 0, for its logarithm is used")
    return found
