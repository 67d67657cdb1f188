"""How fast what is too small to be resolved grows: what an implicit method would damp if its steps were longer.

The error of a step is compared with the scale of each species, so that nothing bounds a step of what lies far below
it. An L-stable method then shrinks what grows: R(z) goes to 0 as z = dt lambda goes to infinity. So the step must be
short beside the growth of what is not resolved, along the direction in which it moves. What is resolved needs no such
bound: there the error is.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgeev
from scipy.sparse import csr_matrix, diags_array

from spatial._engine.system.jacobian import Linearisation
from spatial._engine.system.right_hand_side import System
from spatial.compiled import compiled
from spatial.geometry.place import Floats, Ints
from spatial.model import Species

SOLVED = 0.01
"""Part of what is not resolved that a linear solution may err while it grows."""

_NEAR_POLE = 0.5  # of the pole of 1 - h J, which is at h J = 1
_LONG_NUDGE = 1e-3  # relative step of a long difference: the Jacobian's is a thousand times shorter
_STILL_AS_STEEP = 0.1  # of the slope by a short difference: over a jump the long one is a thousandth of it


def growth_rate(system: System, linearisation: Linearisation, u: Floats, f: Floats,
                tolerated: Mapping[Species, float]) -> float:
    """Return the rate [1/s] at which what is not resolved in `u` (size,) grows where du/dt is `f`; 0 if it does not.

    A value is not resolved if it is smaller than what a step may err, `tolerated`. Each species is moved along its own
    rate of change where that leads away from zero, and the Jacobian is projected on these directions: the largest real
    part of the eigenvalues of that small matrix is the rate. Two species that make each other grow as fast as their
    cycle does, whatever their units; what merely has a source does not grow by itself.

    Where species diffuse, unevenness is most of the rate of change, and hides that what spreads also grows. So species
    that grow on the whole are also moved evenly.
    """
    layout, whole = linearisation.layout, system.layout
    species = list(layout.columns)
    most = np.array([tolerated.get(one, 0.0) for one in species])
    is_signed = np.array([one.signed for one in species])
    direction = np.zeros(layout.size)
    values, rates = layout.part(u, whole), layout.part(f, whole)
    if not _rising(values, rates, layout.numbers, most, is_signed, direction):
        return 0.0
    fastest = _along(system, linearisation, direction)
    if any(one.D > 0 and system.stiffness[one.place.name].nnz for one in species):
        even = _even(values, rates, layout.numbers, most, layout.measures)
        fastest = max(fastest, _along(system, linearisation, even))
    return fastest


def finer(system: System, u: Floats, tolerated: Mapping[Species, float]) -> dict[Species, float]:
    """Return what linear solutions may err while something grows that is not resolved: a part of what there is of it.

    Solved only to what a step may err it would be left uneven, and unevenness would be most of what it does.
    """
    sizes = {one: SOLVED * float(np.abs(system.layout.values(u, one)).max()) for one in tolerated}
    return {one: min(most, sizes[one]) if sizes[one] else most for one, most in tolerated.items()}


def _along(system: System, linearisation: Linearisation, direction: Floats) -> float:
    """Return the rate [1/s] at which species that are moved along parts of a direction (size,) grow; 0 if none does."""
    layout = linearisation.layout
    species = list(layout.columns)
    effects, sizes = np.zeros((len(species), len(species))), np.zeros(len(species))
    for name, blocks in linearisation.blocks.items():
        first = int(layout.numbers[layout.starts[name]])
        _within(blocks, layout.block(direction, name), layout.places[name][0].place.measure, first, effects, sizes)
    between = linearisation.between
    if between.nnz:
        _across(between.indptr, between.indices, between.data, direction, layout.measures, layout.numbers, effects)
    moving = np.flatnonzero(sizes)
    if not len(moving):
        return 0.0
    projected = effects[np.ix_(moving, moving)] / sizes[moving, None]
    for k in np.flatnonzero(projected.diagonal() > 0.0):
        one = species[moving[k]]
        projected[k, k] -= _spread(system, one, layout.values(direction, one)) / sizes[moving[k]]
    return _fastest(projected)


def _even(u: Floats, f: Floats, numbers: Ints, most: Floats, measures: Floats) -> Floats:
    """Return (size,) where values of a species are not resolved their mean if these grow on the whole, else 0."""
    is_unresolved = np.abs(u) < most[numbers]
    amounts = np.bincount(numbers, measures * u * is_unresolved, len(most))
    gains = np.bincount(numbers, measures * f * is_unresolved, len(most))
    sizes = np.bincount(numbers, measures * is_unresolved, len(most))
    means = np.where(amounts * gains > 0.0, amounts / np.maximum(sizes, measures.min()), 0.0)
    return np.where(is_unresolved, means[numbers], 0.0)


def _fastest(matrix: Floats) -> float:
    """Return the largest real part of the eigenvalues of a small matrix, or 0 if none is above 0."""
    alone = float(matrix.diagonal().max(initial=0.0))
    if np.count_nonzero(matrix) == np.count_nonzero(matrix.diagonal()):
        return alone
    real, *_ = dgeev(matrix, compute_vl=0, compute_vr=0)
    return max(0.0, float(real.max()))


def _spread(system: System, species: Species, direction: Floats) -> float:
    """Return what diffusion takes from a species' growth along a direction (n,), times the square of the direction."""
    K = system.stiffness[species.place.name]
    return max(0.0, species.D * float(direction @ (K @ direction))) if K.nnz else 0.0


def without_jumps(system: System, linearisation: Linearisation, u: Floats, t: float, h: float) -> Linearisation:
    """Return the Jacobian at `u` (size,) without the effects of species across which a rate jumps up.

    There the derivative by differences is huge, and the matrix 1 - h J, with `h` [s], turns growth into rest: a rate
    that steps up with its own species held it at the step. A jump is told from growth by a longer difference, over
    which it is far less steep. The methods keep their order with any matrix. All effects of an unknown are left out
    together, so that what mechanisms conserve stays so.
    """
    layout, jumps = linearisation.layout, np.zeros(linearisation.layout.size, bool)
    for name, block in linearisation.blocks.items():
        slopes = np.einsum("nss->ns", block)
        for column in np.flatnonzero((slopes > _NEAR_POLE / h).any(axis=0)):
            species, slope = layout.places[name][column], slopes[:, column]
            is_jump = (slope > _NEAR_POLE / h) & (_long_slope(system, species, u, t) < _STILL_AS_STEEP * slope)
            layout.values(jumps, species)[:] = is_jump
    if not jumps.any():
        return linearisation
    kept = np.where(jumps, 0.0, 1.0)
    blocks = {name: block * layout.block(kept, name)[:, None, :] for name, block in linearisation.blocks.items()}
    return Linearisation(layout, blocks, csr_matrix(linearisation.between @ diags_array(kept)))


def _long_slope(system: System, species: Species, u: Floats, t: float) -> Floats:
    """Return (n,) how much faster a species changes where there is more of it, over a long difference [1/s]."""
    terms = [term for term in system.terms if species in term.reads and species in term.changes]
    step = _LONG_NUDGE * (np.abs(system.state(u)[species]) + species.typical)
    moved = u.copy()
    system.layout.values(moved, species)[:] += step
    change = np.zeros(system.layout.size)
    for state, sign in ((moved, 1.0), (u, -1.0)):
        for mechanism, gains in system.gains(state, t, terms):
            system.add(change, mechanism, {one: sign * np.asarray(gain) for one, gain in gains.items()})
    return np.asarray(system.state(change)[species] / step)


@compiled()
def _rising(u: Floats, f: Floats, numbers: Ints, most: Floats, is_signed: NDArray[np.bool_], direction: Floats) -> bool:
    """Put into `direction` the rate of each unknown that is not resolved and moves away from zero; whether one does."""
    some = False
    for i in range(len(u)):
        species = numbers[i]
        if abs(u[i]) >= most[species]:
            continue
        if (f[i] > 0.0 and u[i] >= 0.0) or (f[i] < 0.0 and u[i] <= 0.0 and is_signed[species]):
            direction[i] = f[i]
            some = True
    return some


@compiled()
def _within(blocks: Floats, direction: Floats, V: Floats, first: int, effects: Floats, sizes: Floats) -> None:
    """Add what the species of a place, numbered from `first`, do to each other along a direction (n, m)."""
    n, m = direction.shape
    for i in range(n):
        for target in range(m):
            weight = V[i] * direction[i, target]
            if weight == 0.0:
                continue
            sizes[first + target] += weight * direction[i, target]
            for source in range(m):
                effects[first + target, first + source] += weight * blocks[i, target, source] * direction[i, source]


@compiled()
def _across(indptr: Ints, indices: Ints, entries: Floats, direction: Floats, measures: Floats, numbers: Ints,
            effects: Floats) -> None:
    """Add what species do to those of other places along a direction (size,)."""
    for i in range(len(direction)):
        weight = measures[i] * direction[i]
        if weight == 0.0:
            continue
        for k in range(indptr[i], indptr[i + 1]):
            effects[numbers[i], numbers[indices[k]]] += weight * entries[k] * direction[indices[k]]
