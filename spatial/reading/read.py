"""All that is read of a model before it runs, in one go."""

from collections.abc import Iterator, Set

from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species
from spatial.parameters import Parameters
from spatial.reading.no_effect import (
    drains_without_end,
    hardly_diffusing,
    idle_mechanisms,
    late_events,
    late_trains,
    never_made,
    stuck_species,
    too_little_to_be,
    unread_sources,
    unused_species,
)
from spatial.reading.roles import exchanged_names, ledgers_read, species_without_part
from spatial.reading.sizes import (
    far_from_all,
    far_from_any_place,
    far_from_any_shape,
    far_from_defaults,
    far_from_parameters,
    hardly_moves,
    other_signs,
    potentials_among_concentrations,
    swapped,
)
from spatial.reading.starts import set_in_at_once
from spatial.reading.twice import equal_mechanisms, same_species


class HardlyMeant(UserWarning):
    """A model can be run, but something in it can hardly be meant, such as a value in a wrong unit."""


def read(system: System, u: Floats, until: float, every: float, watched: Set[Species] | None,
         made_with: Parameters | None = None) -> Iterator[str]:
    """Yield a sentence for each thing that is hardly meant in a run from the state `u` (size,) to `until` [s].

    `every` [s] is how far apart probes are read, `watched` what they and frames look at; None: all of it. A state to
    start from was `made_with` the parameters of a model.
    """
    model = system.model
    yield from dict.fromkeys(_sizes(system, u))
    yield from equal_mechanisms(model.mechanisms)
    yield from same_species(model.mechanisms)
    yield from exchanged_names(model.mechanisms)
    yield from species_without_part(system)
    yield from stuck_species(system, until)
    yield from set_in_at_once(system, u, made_with)
    yield from ledgers_read(system)
    yield from hardly_diffusing(system, until)
    yield from too_little_to_be(system, until)
    yield from late_events(system, until)
    yield from late_trains(system, until)
    yield from idle_mechanisms(system, until)
    yield from drains_without_end(system, until)
    if not model.left_out:
        yield from unused_species(system, model.species if watched is None else watched)
        yield from unread_sources(system, model.species if watched is None else watched)
        yield from never_made(system, u, until)
    if every > until:
        yield (f"every is {every:g} s, longer than the run, {until:g} s: probes are read at its ends and at events "
               "only; is it in s?")


def _sizes(system: System, u: Floats) -> Iterator[str]:
    """The sentences about numbers of the model, of its initial state and of that which the run starts from."""
    states = [system.state(system.initial()), system.state(u)]
    for mechanism in system.model.mechanisms:
        yield from far_from_defaults(mechanism, states)
        yield from far_from_parameters(mechanism, states)
        yield from other_signs(mechanism, states)
        yield from swapped(mechanism, states)
    yield from far_from_all(system.model.species, states)
    yield from hardly_moves(system.model.species)
    yield from potentials_among_concentrations(system.model.species)
    yield from far_from_any_place({species.place.name: species.place for species in system.model}.values())
    yield from far_from_any_shape(system, u)
