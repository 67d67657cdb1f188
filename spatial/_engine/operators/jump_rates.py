"""Diffusion molecule by molecule: how often each jumps from an element to the next, and the walk itself.

A molecule in element i jumps to element j at the rate D T_ij / V_i, so T must not be negative. On grids it is
not. On tetrahedra a fifth of the links have the wrong sign, and the others must change with them: what follows
for D, from the slowest mode of cylinders, a box and balls (500 to 20 000 vertices), as error in per cent

    wrong signs set to zero                         +24 to +29
    the same, all scaled by their second moment     -3.7 to -6.9
    fitted to the moments of each vertex            -0.4 to +0.3

Symmetric T keep the same concentration everywhere in equilibrium, whatever their values.

On membranes the fit errs by under 0.1 per cent where few angles are obtuse, as on meshes of gmsh. Where triangles are
stretched twice or more, it has been measured to err by 3 to 36 per cent: the few neighbours that a vertex of a membrane
has leave no choice. Such membranes are refused.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.compiled import compiled
from spatial.draws import generator_at
from spatial.geometry.place import Floats, Ints, Place

_DRIFT = 0.7  # weight of the first moments against the second; by measurement, between D too small and too large
_KEPT = 0.02  # part of a right-signed link that stays whatever the fit says, so that no vertex is cut off
_SWEEPS, _SETTLED = 100, 1e-6
_MOST_WRONG = 0.01  # of D along a membrane, of what is fitted
_GROUND = 1e-9  # of the largest rate: so much decays everywhere, lest what is even have no solution
_THIN = 1e-6  # of the largest variance of positions: in a direction of less, a membrane has no extent
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def nonnegative(place: Place) -> Floats:
    """(m,) transmissibilities >= 0 whose moments around each element are close to those of the place [um].

    Least squares over sum_j T_ij x_ij (no drift where there was none) and sum_j T_ij x_ij x_ij (the same D
    along every axis), with x_ij from element i to j. The place's own where none is negative.
    """
    T = place.transmissibility
    if len(T) == 0 or T.min() >= 0.0:
        return T
    moments = _moments(place)
    goal = np.zeros((len(place), moments.shape[2]))
    for end in (0, 1):
        np.add.at(goal, place.links[:, end], T[:, None] * moments[:, end])
    found = np.maximum(T, 0.0)
    _fit(place.links, moments, goal, _KEPT * found, found)
    return found


def _moments(place: Place) -> Floats:
    """(m, 2, 9) the first and second moment that T = 1 adds at both ends of each link, in units of the element."""
    x = np.diff(place.centres[place.links], axis=1)[:, 0]
    second = np.stack([x[:, a] * x[:, b] * (1.0 if a == b else np.sqrt(2)) for a, b in _PAIRS], axis=1)
    found = np.empty((len(x), 2, 9))
    for end, sign in ((0, 1.0), (1, -1.0)):
        V = place.measure[place.links[:, end], None]
        weight = np.sqrt(V / place.measure.mean()) / (2 * V)
        width = np.sqrt(V) if place.dimension == 2 else np.cbrt(V)
        found[:, end, :3] = _DRIFT * weight * sign * x * width
        found[:, end, 3:] = weight * second
    return found


@compiled()
def _fit(links: Ints, moments: Floats, goal: Floats, least: Floats, T: Floats) -> None:
    """Least squares of the sum of T moments to the goal, with T >= least, one link after the other (in place)."""
    miss = -goal
    kinds = moments.shape[2]
    for link in range(len(T)):
        for end in range(2):
            for k in range(kinds):
                miss[links[link, end], k] += T[link] * moments[link, end, k]
    for _ in range(_SWEEPS):
        moved, size = 0.0, 0.0
        for link in range(len(T)):
            slope, curvature = 0.0, 0.0
            for end in range(2):
                for k in range(kinds):
                    m = moments[link, end, k]
                    slope += m * miss[links[link, end], k]
                    curvature += m * m
            step = max(least[link], T[link] - slope / curvature) - T[link]
            T[link] += step
            moved, size = moved + abs(step), size + T[link]
            for end in range(2):
                for k in range(kinds):
                    miss[links[link, end], k] += step * moments[link, end, k]
        if moved <= _SETTLED * size:
            break


@dataclass(frozen=True, eq=False)
class Hops:
    """Where a molecule goes from each element, and how often, at D = 1."""

    begins: Ints  # (n + 1,) where the neighbours of each element begin
    neighbours: Ints  # (2 m,)
    upto: Floats  # (2 m,) chance that a jump goes to this neighbour or one before it
    leaving: Floats  # (n,) rate of all jumps [1/um^2]

    @property
    def often(self) -> float:
        """The rate of the element that jumps most often [1/um^2]."""
        return float(self.leaving.max())


def hops(place: Place) -> Hops:
    """The jumps between the elements of a place.

    Raises `InputError` for a membrane on which they would not have the D that concentrations have.
    """
    joined = nonnegative(place)
    if place.dimension == 2 and joined is not place.transmissibility:
        _check_fit(place, joined)
    K = stiffness(Place(place.name, place.dimension, place.measure, place.centres, place.links, joined))
    K.setdiag(0.0)
    K.eliminate_zeros()
    begins, T = K.indptr.astype(np.int64), -K.data
    total = np.bincount(np.repeat(np.arange(len(place)), np.diff(begins)), T, len(place))
    before = np.r_[0.0, np.cumsum(T)]
    upto = before[1:] - np.repeat(before[begins[:-1]], np.diff(begins))
    upto /= np.repeat(total, np.diff(begins))
    upto[begins[1:][total > 0] - 1] = 1.0
    return Hops(begins, K.indices.astype(np.int64), upto, total / place.measure)


def _check_fit(place: Place, joined: Floats) -> None:
    """Raise `InputError` where fitted transmissibilities (m,) of a membrane have another D than its own.

    What is made at one end of the membrane and lost at the other stands the higher the smaller D is.
    """
    fields = _principal_fields(place)
    own, fitted = (_heights(place, T, fields) for T in (place.transmissibility, joined))
    wrong = own / fitted - 1.0
    worst = float(wrong[np.argmax(np.abs(wrong))])
    if abs(worst) > _MOST_WRONG:
        raise InputError(f"the triangles or voxels of {place.name!r} are so stretched that molecules which jump from "
                         f"one to the next would diffuse {abs(worst):.0%} too {'fast' if worst > 0 else 'slowly'}; "
                         "mesh it anew with triangles of nearly equal sides, or simulate with concentrations "
                         "(method='hybrid')")


def _principal_fields(place: Place) -> Floats:
    """(n, k) positions along the k axes in which a membrane extends, each piece around its own middle."""
    _, piece = connected_components(stiffness(place), directed=False)
    area = np.bincount(piece, place.measure)
    middle = np.stack([np.bincount(piece, place.measure * x) / area for x in place.centres.T], axis=1)
    away = place.centres - middle[piece]
    variance, axes = np.linalg.eigh(away.T @ (place.measure[:, None] * away))
    return np.asarray(away @ axes[:, variance > _THIN * variance[-1]])


def _heights(place: Place, T: Floats, fields: Floats) -> Floats:
    """(k,) how high the steady state stands, at D = 1, whose sources are (n, k) fields: its mean, by the field."""
    K = stiffness(Place(place.name, place.dimension, place.measure, place.centres, place.links, T))
    ground = _GROUND * float((K.diagonal() / place.measure).max())
    sources = place.measure[:, None] * fields
    state = splu(csc_matrix(K + ground * diags(place.measure))).solve(sources)
    return np.asarray(np.einsum("nk,nk->k", sources, state))


@compiled()
def _next(begins: Ints, neighbours: Ints, upto: Floats, i: int, rng: np.random.Generator) -> int:
    """The element that a jump from element i leads to."""
    draw, k = rng.random(), begins[i]
    while upto[k] < draw:
        k += 1
    return neighbours[k]


@compiled()
def walk(begins: Ints, neighbours: Ints, upto: Floats, leaving: Floats, D: float, dt: float, N: Ints,
         address: int) -> int:
    """Let each of the (n,) numbers of molecules jump for a time dt [s], in place; the number of jumps.

    Exact for every dt: how many leave their element at all is binomial, and each of those walks alone.
    The generator is given by its address (`draws.address_of`).
    """
    rng = generator_at(address)
    arrived = np.zeros(len(N), np.int64)
    jumps = 0
    for i in range(len(N)):
        if N[i] == 0 or leaving[i] == 0.0:
            continue
        moves = -np.expm1(-D * leaving[i] * dt)
        movers = rng.binomial(N[i], moves)
        N[i] -= movers
        for _ in range(movers):
            left = dt + np.log1p(-moves * rng.random()) / (D * leaving[i])
            j = i
            while left > 0.0:
                j = _next(begins, neighbours, upto, j, rng)
                jumps += 1
                left -= rng.standard_exponential() / (D * leaving[j])
            arrived[j] += 1
    for i in range(len(N)):
        N[i] += arrived[i]
    return jumps
