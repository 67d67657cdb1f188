"""From a model to arrays, and the checks that every mechanism finds what it names."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from spatial._engine.operators.diffusion import Bands, Even, bands, even, stiffness
from spatial._engine.operators.fipy_terms import lift_terms
from spatial._engine.system.events import scheduled
from spatial._engine.system.first_look import first_look
from spatial._engine.system.jacobian import sparse
from spatial._engine.system.layout import Layout, lay_out
from spatial._engine.system.right_hand_side import System, Term
from spatial._engine.system.timing import reads_time
from spatial._engine.system.trials import trials
from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints
from spatial.model import Concentrations, Mechanism, Model


def assemble(model: Model) -> System:
    """Lay the model out as arrays, and check that every mechanism finds what it names.

    Raises `InputError` for a mechanism that is listed twice, for one whose `first_look` is wrong, and for FiPy terms
    that cannot be lifted.
    """
    layout = lay_out(model.species)
    lifted, constant = _lift(model, layout)
    events = scheduled(model, layout)
    operators, diffusion = _operators(layout)
    grids, boxes = _grids(layout, operators)
    system = System(model, layout, operators, diffusion, (), lifted, constant, events, grids, boxes)
    _check_once(model.mechanisms)
    tried = trials(model)
    return replace(system, terms=tuple(_probe(system, mechanism, tried) for mechanism in model.mechanisms))


def _check_once(mechanisms: Sequence[Mechanism]) -> None:
    """Raise `InputError` for a mechanism that is listed twice."""
    listed = set[int]()
    for mechanism in mechanisms:
        if id(mechanism) in listed:
            raise InputError(f"{type(mechanism).__name__} on {mechanism.where!r} is listed twice in this model, and "
                             "would act twice; list it once, or make another for what acts besides")
        listed.add(id(mechanism))


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


def _probe(system: System, mechanism: Mechanism, tried: Sequence[Concentrations]) -> Term:
    """A mechanism with what its rates read and gain, found by calling them in the initial state."""
    kind, initial = type(mechanism).__name__, system.state(system.initial())
    try:
        look = first_look(system.layout, initial, mechanism, tried)
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith(kind) else f"{kind}: {said}") from error.__cause__
    is_timed = any(reads_time(mechanism, state) for state in (initial, *tried))
    return Term(mechanism, look.reads, tuple(look.gains), look.gains, is_timed)
