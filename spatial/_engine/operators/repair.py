"""No concentration below zero, and no matter made or lost in keeping it so.

On tetrahedra some transmissibilities are negative, so next to a point source the linear scheme
undershoots. The repair fills each undershoot from its neighbours, as diffusion would have; what
the neighbours cannot give is taken from the whole place in proportion. It acts only where a value
is negative, so it leaves the order on smooth fields as it is.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spatial.compiled import compiled
from spatial.geometry.place import Floats

_SWEEPS = 4


@compiled()
def _borrow(indptr: NDArray[np.int32], indices: NDArray[np.int32], measure: Floats, c: Floats) -> None:
    """Fill each negative element from the positive neighbours it has, in proportion to what they hold."""
    for i in range(len(c)):
        if c[i] >= 0.0:
            continue
        held = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            held += max(0.0, c[indices[k]]) * measure[indices[k]]
        if held == 0.0:
            continue
        part = min(1.0, -c[i] * measure[i] / held)
        for k in range(indptr[i], indptr[i + 1]):
            c[indices[k]] -= part * max(0.0, c[indices[k]])
        c[i] += part * held / measure[i]


def repair(c: Floats, measure: Floats, K: csr_matrix | None) -> bool:
    """Make `c` (n,) non-negative in place with its amount kept; False if the amount itself is negative.

    `K` has an entry for every link through which matter can be borrowed.
    """
    for _ in range(_SWEEPS):
        if c.min() >= 0.0:
            return True
        if K is not None:
            _borrow(K.indptr, K.indices, measure, c)
    amount = float(measure @ c)
    if amount < 0.0:
        return False
    np.maximum(c, 0.0, out=c)
    kept = float(measure @ c)
    if kept > 0.0:
        c *= amount / kept
    return True
