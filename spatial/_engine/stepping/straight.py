"""Steps across rates that read the time without saying when they change: short where these bend or jump."""

import numpy as np

from spatial._engine.methods.method import BEFORE
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.units import ms

_LONGEST, _MOST = 2 * ms, 20_000  # the longest step across such rates, in runs of up to so many of them; choice
_SHORTEST = 1e-3  # of the longest: a jump is located to within this
_STRAIGHT = 0.02  # of the largest rate: so far it may lie beside the middle of a straight line
_UNFELT = 1e-5  # of a species' size: what bends by less over the step is not felt


def longest_untimed(until: float) -> float:
    """Return the longest step [s] across rates that read the time, in a run of `until` [s]."""
    return max(_LONGEST, until / _MOST)


def straight(system: System, u: Floats, t: float, span: float, longest: float) -> float:
    """Return for how long from `t` on, at most `span` [s], rates that read the time undeclared run nearly straight.

    What reads the state is left as it is in `u`. Where a rate jumps, spans are halved down to a part of `longest`.
    """
    begin, typical = _rates(system, u, t), system.typical()
    while span > _SHORTEST * longest:
        middle, end = _rates(system, u, t + span / 2), _rates(system, u, t + BEFORE * span)
        largest = np.maximum(np.maximum(np.abs(begin), np.abs(end)), np.abs(middle))
        bend = np.abs(middle - (begin + end) / 2)
        if (bend <= np.maximum(_STRAIGHT * largest, _UNFELT * typical / span)).all():
            return span
        span /= 2
    return span


def _rates(system: System, u: Floats, t: float) -> Floats:
    """Return the (size,) part of du/dt that rates make which read the time undeclared."""
    rates = np.zeros(system.layout.size)
    for mechanism, gains in system.gains(u, t, system.untimed):
        system.add(rates, mechanism, gains)
    return rates
