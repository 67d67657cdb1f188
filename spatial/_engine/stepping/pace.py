"""Whether a run will ever end: how many steps it would take at the pace that it has."""

from math import inf

from spatial._engine.stepping.stepper import Stepper
from spatial.checks import InputError

_LOOKED = 1000  # steps from one look at the pace to the next, at most


class Pace:
    """Follows how a run of `until` [s] gets on, and gives it up where it would take more than `most` steps."""

    def __init__(self, until: float, most: float) -> None:
        self._until, self._most = until, most
        self._steps, self._since = 0, 0.0  # in all, and the time [s] of the last look

    def check(self, stepper: Stepper) -> None:
        """Count a step. Raises `InputError`, naming what keeps steps short, where the run would take too many."""
        self._steps += 1
        looked = min(_LOOKED, self._most)
        if self._steps % looked:
            return
        length, self._since = (stepper.t - self._since) / looked, stepper.t
        expected = self._steps + (self._until - stepper.t) / length if length > 0.0 else inf
        if expected > self._most:
            raise InputError(f"at t = {stepper.t:g} s steps are {length:.2g} s long, so that the run would take "
                             f"{expected:.2g} of them, more than most_steps = {self._most:g}: {stepper.hardest()}; "
                             "check its rates, or allow more, Tolerance(most_steps=...)")
