"""Where molecules sit on a membrane: in clusters, some distance apart."""

import numpy as np

from spatial.checks import InputError, arguments, positive
from spatial.geometry.place import Ints, Place
from spatial.units import nm

_TRIES = 1000


@arguments(not_negative=("apart",))
def cluster_sites(membrane: Place, clusters: int, size: int, rng: np.random.Generator, apart: float = 30 * nm,
                  radius: float = 20 * nm) -> Ints:
    """(clusters * size,) elements of a membrane for molecules in clusters at random, one cluster after the other.

    Centres are drawn by area, at least `apart` [um] from one another (biophysics A2c: 30 nm); each molecule of
    a cluster then takes a random element within `radius` [um] of its centre, by area.
    Raises `InputError` where the membrane has no room for so many clusters.
    """
    positive("clusters: radius [um]", radius)
    if clusters < 1 or size < 1:
        raise InputError(f"{clusters} clusters of {size} are asked for on {membrane.name!r}; "
                         "it must be 1 or more of each")
    weight, centres = membrane.measure / membrane.total, list[int]()
    for _ in range(_TRIES * clusters):
        found = int(rng.choice(len(membrane), p=weight))
        gaps = np.linalg.norm(membrane.centres[centres] - membrane.centres[found], axis=1)
        if not len(centres) or gaps.min() >= apart:
            centres.append(found)
        if len(centres) == clusters:
            return np.concatenate([_near(membrane, one, size, radius, rng) for one in centres])
    raise InputError(f"{membrane.name!r} has room for {len(centres)} clusters {apart / nm:g} nm apart, not {clusters}; "
                     "ask for fewer, or for less distance between them")


def _near(membrane: Place, centre: int, size: int, radius: float, rng: np.random.Generator) -> Ints:
    """(size,) elements within `radius` of one, by area."""
    gaps = np.linalg.norm(membrane.centres - membrane.centres[centre], axis=1)
    near = np.flatnonzero(gaps <= radius)
    return np.asarray(rng.choice(near, size, p=membrane.measure[near] / membrane.measure[near].sum()))
