"""How long a molecule takes to find its way out of a place: mean escape times by one linear solution.

The mean time T [s] from each element until an absorbing one is reached obeys D lap T = -1, sealed elsewhere and zero
where molecules are absorbed (Redner 2001). Over control volumes: D K T = V.
"""

import numpy as np
from scipy.sparse import diags_array
from scipy.sparse.linalg import eigsh

from spatial._engine.operators.diffusion import stiffness
from spatial._engine.operators.steady import HELD, check_reach, steady
from spatial.checks import InputError, by_annotation, positive
from spatial.geometry.place import Floats, Ints, Place


@by_annotation
def escape_times(place: Place, D: float, absorbing: Ints) -> Floats:
    """(n,) mean time [s] that a molecule from each element takes to reach one of the `absorbing` elements.

    `absorbing` are numbers of elements; on tetrahedra they are vertices, so a window is as large as the triangles
    that have all their corners in it, and is best made part of the mesh. Every piece of the place needs one.
    """
    positive("D", D)
    conductance = np.zeros(len(place))
    conductance[_checked(place, absorbing)] = HELD
    return steady(place, conductance, source=place.measure / D)


@by_annotation
def mean_escape_time(place: Place, D: float, absorbing: Ints) -> float:
    """The mean [s] of `escape_times` over molecules that start evenly spread over the place."""
    return float(place.measure @ escape_times(place, D, absorbing) / place.total)


@by_annotation
def slowest_decay(place: Place, D: float, absorbing: Ints) -> float:
    """Rate [1/s] at which molecules in the place become fewer in the end: the lowest eigenvalue of D K / V."""
    positive("D", D)
    inner = np.setdiff1d(np.arange(len(place)), _checked(place, absorbing))
    K, V = stiffness(place)[inner][:, inner], diags_array(place.measure[inner])
    return float(D * eigsh(K.tocsc(), k=1, M=V.tocsc(), sigma=0.0, return_eigenvectors=False)[0])


def _checked(place: Place, absorbing: Ints) -> Ints:
    index = np.unique(np.asarray(absorbing, np.int64))
    if not len(index):
        raise InputError(f"no element of {place.name!r} absorbs, so no molecule ever leaves it; name at least one")
    if index[0] < 0 or index[-1] >= len(place):
        raise InputError(f"{place.name!r} has no element {index[0] if index[0] < 0 else index[-1]} to absorb; "
                         f"its elements are 0..{len(place) - 1}")
    check_reach(place, np.isin(np.arange(len(place)), index))
    return index
