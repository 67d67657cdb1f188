"""The Jacobian of a model, by one-sided differences of its mechanisms' gains."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from spatial._engine.system.layout import Layout, State
from spatial._engine.system.right_hand_side import NoNumber, System, Term
from spatial.geometry.contact import per_measure, to_concentration, touched
from spatial.geometry.place import Floats, Ints, Place
from spatial.model import Species
from spatial.view import View

_NUDGE = 1e-6  # relative step of the one-sided differences


@dataclass(frozen=True)
class Linearisation:
    """The Jacobian of the reactions and lifted terms: dense blocks within elements, and a sparse rest between them."""

    layout: Layout  # of the species it is about
    blocks: Mapping[str, Floats]  # by place: (n, m, m) over the species of the place
    between: csr_matrix  # (size, size)


def linearise(system: System, u: Floats, t: float, layout: Layout | None = None) -> Linearisation:
    """The derivative of every mechanism's gains, by one-sided differences, and of the lifted FiPy terms.

    Of all species and by all, or of those of a smaller `layout` by each other.
    """
    state, layout = system.state(u), layout or system.layout
    blocks = {name: np.zeros((len(of[0].place), len(of), len(of))) for name, of in layout.places.items()}
    between: list[tuple[Ints, Ints, Floats]] = []
    for term in system.terms:
        where = term.mechanism.where
        for target, source, slope in _slopes(term, state, t, layout):
            if target.place.name == source.place.name:
                entry = (slice(None), layout.columns[target], layout.columns[source])
                blocks[target.place.name][entry] += to_concentration(slope, where, target.place)
            else:
                between.append(_between(layout, where, target, source, slope))
    if system.lifted.nnz == 0:
        return Linearisation(layout, blocks, sparse(between, layout.size))
    at = layout.within(system.layout)
    lifted = system.lifted if layout is system.layout else system.lifted[at][:, at]
    within = lifted.diagonal()
    for name, block in blocks.items():
        np.einsum("nii->ni", block)[:] += layout.block(within, name)
    rest = lifted - diags_array(within, format="csr")
    return Linearisation(layout, blocks, sparse(between, layout.size) + rest)


def _slopes(term: Term, state: State, t: float, layout: Layout) -> Iterator[tuple[Species, Species, Floats]]:
    """Each gain's species, each species it depends on, and the derivative: (n,) per measure; those of `layout`."""
    here = View(state, term.mechanism.where)
    base = term.of(here, t)
    for source in (one for one in term.reads if one in layout.columns):
        step = _NUDGE * (np.abs(here[source]) + source.typical)
        moved = term.of(_Nudged(here, source, step), t)
        for target in (one for one in moved if one in layout.columns):
            slope = (np.asarray(moved[target]) - base[target]) / step
            if slope.any():
                if not math.isfinite(slope.sum()):
                    raise NoNumber(_steep(term, target, source, slope, t))
                yield target, source, slope


def _steep(term: Term, target: Species, source: Species, slope: Floats, t: float) -> str:
    """What to say of a gain that is no finite number as soon as what it depends on moves."""
    where, wrong = term.mechanism.where, np.flatnonzero(~np.isfinite(slope))
    spot = f"in {where.name!r} near {where.position(int(wrong[0]))}"
    return (f"{type(term.mechanism).__name__}: its gain of {target.name!r} {spot} is not finite at t = {t:g} s when "
            f"{source.name!r} rises a little; it must be a finite number")


@dataclass(frozen=True)
class _Nudged:
    """What a mechanism sees, with one species moved by a small step."""

    view: View
    source: Species
    step: Floats

    def __getitem__(self, species: Species) -> Floats:
        values = self.view[species]
        return values + self.step if species is self.source else values


def _between(layout: Layout, where: Place, target: Species, source: Species,
             slope: Floats) -> tuple[Ints, Ints, Floats]:
    """Rows, columns and entries of the Jacobian for a slope between two places."""
    rows, columns = layout.index(target), layout.index(source)
    onto, of = touched(where, target.place), touched(where, source.place)
    return (rows if onto is None else rows[onto], columns if of is None else columns[of],
            slope * per_measure(where, target.place))


def sparse(parts: list[tuple[Ints, Ints, Floats]], size: int) -> csr_matrix:
    """The (size, size) matrix of these rows, columns and entries; those at the same position add up."""
    if not parts:
        return csr_matrix((size, size))
    rows, columns, entries = (np.concatenate(each) for each in zip(*parts, strict=True))
    return csr_matrix((entries, (rows, columns)), shape=(size, size))
