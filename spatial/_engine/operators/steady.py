"""Steady diffusion in a place, some of whose elements exchange with baths of fixed concentration."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg, spsolve

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry.place import Floats, Ints, Place

HELD = np.inf  # conductance to a bath through which an element has the bath's concentration
_DIRECT = 3000  # elements up to which a direct solution is the faster one
_RESIDUAL = 1e-10  # of the right-hand side


def steady(place: Place, conductance: Floats, bath: Floats | float = 0.0, source: Floats | float = 0.0) -> Floats:
    """(n,) steady concentration x at D = 1: what diffuses out of each element, and into its bath, is its source.

    `conductance` (n,) um is that between each element and its bath, 0 where there is none and `HELD` where the
    element has the concentration `bath` (n,) itself. In terms of the stiffness K: K x + conductance (x - bath) =
    source, with `source` (n,) in concentration times um. Raises `InputError` for elements that reach no bath.
    """
    check_reach(place, conductance > 0)
    n = len(place)
    held, there = np.isinf(conductance), np.broadcast_to(np.asarray(bath, float), n)
    K, x, free = stiffness(place), np.where(held, there, 0.0), np.flatnonzero(~held)
    leak = conductance[free]
    right = np.broadcast_to(np.asarray(source, float), n)[free] + leak * there[free] - (K @ x)[free]
    x[free] = _solved(csr_matrix(K[free][:, free] + diags_array(leak)), right)
    return x


def pieces(place: Place) -> Ints:
    """(n,) which of the pieces of a place, unconnected by links, each element belongs to."""
    n = len(place)
    graph = csr_matrix((np.ones(len(place.links)), place.links.T), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def check_reach(place: Place, exchanging: NDArray[np.bool_]) -> None:
    """Raise `InputError` where a piece of the place has no element that is `exchanging` (n,)."""
    piece = pieces(place)
    lost = ~np.isin(piece, piece[exchanging])
    if lost.any():
        raise InputError(f"{lost.sum()} of the {len(place)} elements of {place.name!r} are not connected to those "
                         "where molecules can leave; each piece of the place needs such an element")


def _solved(A: csr_matrix, b: Floats) -> Floats:
    """The solution of a symmetric positive definite system: by elimination if small, else by classical multigrid."""
    if len(b) <= _DIRECT:
        return np.atleast_1d(np.asarray(spsolve(A.tocsc(), b), float))
    from pyamg import ruge_stuben_solver

    x, unfinished = cg(A, b, rtol=_RESIDUAL, maxiter=500, M=ruge_stuben_solver(A).aspreconditioner())
    if unfinished:
        raise InputError("the steady field did not converge in 500 iterations: the mesh has slivers; repair it first")
    return np.asarray(x, float)
