"""A start that is the rest of another model: what that one lacks sets in at once, and moves it away from rest."""

from collections.abc import Iterator

import numpy as np

from spatial._engine.system.right_hand_side import System
from spatial.geometry.contact import to_concentration
from spatial.geometry.place import Floats
from spatial.model import AtTimes, events_of
from spatial.parameters import Parameters
from spatial.view import View

_PER_SECOND = 0.1  # of a species' size: what is changed so fast is not at rest


def set_in_at_once(system: System, u: Floats, made_with: Parameters | None) -> Iterator[str]:
    """Yield a sentence for each mechanism that the model of a start lacks, that reads a state and changes it at once.

    What reads nothing, such as a stimulus, is meant to change what was at rest, and what is random has no rest.
    """
    if made_with is None or not made_with.counts:
        return
    state = system.state(u)
    for term in system.terms:
        kind = type(term.mechanism).__name__
        is_random = not all(isinstance(event, AtTimes) for event in events_of(term.mechanism))
        if kind in made_with.counts or is_random or not term.reads:
            continue
        gains = term.mechanism.rates(View(state, term.mechanism.where), 0.0)
        moved = [species for species, gain in gains.items() if species in term.reads and np.any(gain)]
        for species in moved:
            change = to_concentration(gains[species], term.mechanism.where, species.place)
            speed = float(np.abs(change).max()) / species.typical
            if speed > _PER_SECOND:
                yield (f"the run starts from the rest of a model without {kind}, which moves {species.name!r} at once, "
                       f"by {speed:.2g} of its size per s; take rest(model) of this model, unless it is to set in")
                break
