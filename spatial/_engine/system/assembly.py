"""From a model to arrays, and the checks that every mechanism finds what it names."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from spatial._engine.operators.diffusion import Bands, Even, bands, even, stiffness
from spatial._engine.operators.fipy_terms import lift_terms
from spatial._engine.system.events import scheduled
from spatial._engine.system.jacobian import sparse
from spatial._engine.system.layout import Layout, lay_out
from spatial._engine.system.right_hand_side import System, Term
from spatial._engine.system.timing import declares_times, reads_time
from spatial.checks import InputError
from spatial.geometry.contact import touched
from spatial.geometry.place import Floats, Ints
from spatial.model import Gains, Mechanism, Model, Species, events_of
from spatial.view import View, reading


def assemble(model: Model) -> System:
    """Lay the model out as arrays, and check that every mechanism finds what it names.

    Raises `InputError` for a species that is not in the model, a place that does not touch another,
    rates of the wrong shape, or FiPy terms that cannot be lifted.
    """
    layout = lay_out(model.species)
    lifted, constant = _lift(model, layout)
    events = scheduled(model, layout)
    operators, diffusion = _operators(layout)
    grids, boxes = _grids(layout, operators)
    system = System(model, layout, operators, diffusion, (), lifted, constant, events, grids, boxes)
    return replace(system, terms=tuple(_probe(system, mechanism) for mechanism in model.mechanisms))


def _operators(layout: Layout) -> tuple[dict[str, csr_matrix], dict[str, Floats]]:
    """The stiffness matrix of each place, empty where nothing diffuses, and the (m,) D of its species."""
    operators, diffusion = dict[str, csr_matrix](), dict[str, Floats]()
    for name, of in layout.places.items():
        place, D = of[0].place, np.array([species.D for species in of])
        operators[name] = stiffness(place) if D.any() else csr_matrix((len(place),) * 2)
        diffusion[name] = D
    return operators, diffusion


def _grids(layout: Layout, operators: dict[str, csr_matrix]) -> tuple[dict[str, Bands], dict[str, Even]]:
    """The places in which something diffuses that are grids: those whose bricks differ, and those that are even."""
    grids, boxes = dict[str, Bands](), dict[str, Even]()
    for name, of in layout.places.items():
        place = of[0].place
        along = bands(place) if operators[name].nnz else None
        if along is None:
            continue
        box = even(place, along)
        if box is None:
            grids[name] = along
        else:
            boxes[name] = box
    return grids, boxes


def _lift(model: Model, layout: Layout) -> tuple[csr_matrix, Floats]:
    """The model's own FiPy terms, per volume: matrix (size, size) and vector (size,)."""
    parts, constant = list[tuple[Ints, Ints, Floats]](), np.zeros(layout.size)
    for species, terms in model.fipy_terms.items():
        matrix, vector = lift_terms(species.name, terms, species.place, species.typical)
        index, entries, V = layout.index(species), matrix.tocoo(), species.place.measure
        parts.append((index[entries.row], index[entries.col], entries.data / V[entries.row]))
        constant[index] = vector / V
    return sparse(parts, layout.size), constant


def _probe(system: System, mechanism: Mechanism) -> Term:
    """The species that a mechanism's rates read and change, found by calling them once on the initial state."""
    seen: dict[Species, None] = {}
    kind = type(mechanism).__name__
    state = system.state(system.initial())
    try:
        view = View(state, mechanism.where, lambda species: seen.setdefault(species))
        gains = reading(kind, mechanism.rates, view, 0.0)
        _check_gains(system, mechanism, gains)
        for event in events_of(mechanism):
            for species in event.changes:
                _check_known(system, mechanism, species)
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith(kind) else f"{kind}: {said}") from None
    is_untimed = not declares_times(mechanism) and reads_time(mechanism, state)
    return Term(mechanism, tuple(seen), tuple(gains), gains, is_untimed)


def _check_known(system: System, mechanism: Mechanism, species: Species) -> None:
    """Raise `InputError` for a species that is not in the model, or not where the mechanism can change it."""
    if species not in system.layout.columns:
        raise InputError(f"it changes {species!r}, which is not a species of this model")
    touched(mechanism.where, species.place)


def _check_gains(system: System, mechanism: Mechanism, gains: Gains) -> None:
    """Raise `InputError` for gains of an unknown species, of the wrong shape, or that are not numbers."""
    for species, gain in gains.items():
        _check_known(system, mechanism, species)
        shape = np.shape(gain)
        if shape not in ((), (len(mechanism.where),)):
            raise InputError(f"its gain of {species.name!r} has shape {shape}, not {(len(mechanism.where),)}")
        if not np.isfinite(gain).all():
            raise InputError(f"its gain of {species.name!r} is not finite in the initial state")
