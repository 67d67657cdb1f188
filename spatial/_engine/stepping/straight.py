"""Steps across rates that read the time: short where these bend or jump."""

import numpy as np

from spatial._engine.methods.method import BEFORE
from spatial._engine.system.right_hand_side import System, Term
from spatial.geometry.place import Floats
from spatial.model import Gains
from spatial.units import ms, us

_LONGEST, _MOST = 2 * ms, 20_000  # the longest step across undeclared rates, in runs of up to so many of them; choice
_SHORTEST = 2 * us  # a jump is located to within this; choice
_STRAIGHT = 0.02  # of the largest rate: so far it may lie beside a straight line
_LOOKED_AT = (1 / 3, 2 / 3)  # of a step: there it is seen whether a rate runs straight
_UNFELT = 1e-5  # of a species' size: what bends by less over the step is not felt


def longest_untimed(until: float) -> float:
    """Return the longest step [s] across rates that read the time and declare no times, in a run of `until` [s]."""
    return max(_LONGEST, until / _MOST)


def straight(system: System, u: Floats, t: float, span: float) -> float:
    """Return for how long from `t` on, at most `span` [s], the rates that read the time run nearly straight.

    What reads the state is left as it is in `u`. Where a rate jumps, spans are halved down to the shortest.
    """
    for term in system.timed:
        begin = _gains(system, term, u, t)
        while span > _SHORTEST:
            end = _gains(system, term, u, t + BEFORE * span)
            bends = [_bend(_gains(system, term, u, t + part * span), part, begin, end) for part in _LOOKED_AT]
            if not any(_is_bent(bend, begin, end) and _is_felt(system, term, bend, span) for bend in bends):
                break
            span /= 2
    return span


def _gains(system: System, term: Term, u: Floats, t: float) -> Gains:
    """Return the gains of one mechanism."""
    return term.rates(system.state(u), t)


def _bend(gains: Gains, part: float, begin: Gains, end: Gains) -> Gains:
    """Return how far gains lie beside the straight line from `begin` to `end`, this part of the way."""
    return {species: np.asarray(gain) - (1 - part) * np.asarray(begin[species]) - part * np.asarray(end[species])
            for species, gain in gains.items()}


def _is_bent(bend: Gains, begin: Gains, end: Gains) -> bool:
    """Return whether gains lie beside a straight line, as parts of the largest of them."""
    for species, gain in bend.items():
        size = float(np.max(np.abs(gain)))
        if size > _STRAIGHT * max(size, *(float(np.max(np.abs(gains[species]))) for gains in (begin, end))):
            return True
    return False


def _is_felt(system: System, term: Term, bend: Gains, span: float) -> bool:
    """Return whether what gains lie beside a straight line is felt by a species over a step of `span` [s]."""
    felt = np.zeros(system.layout.size)
    system.add(felt, term.mechanism, bend)
    return bool((np.abs(felt) * span > _UNFELT * system.typical()).any())
