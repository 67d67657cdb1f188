"""Places with the symmetry of their source: concentric shells around one point, rings around an axis."""

import warnings

import numpy as np

from spatial.checks import InputError, Unusual, by_annotation, fraction, positive
from spatial.geometry.place import Floats, Place
from spatial.geometry.size import MOST_ELEMENTS, RINGS, SHELLS, check_size
from spatial.geometry.tortuosity import checked

_FEWEST = 2
_STEEPEST = 3.0  # times from one radius to the next: more resolves nothing


@by_annotation
def shells(name: str, edges: Floats, volume_fraction: float = 1.0, tortuosity: float = 1.0) -> Place:
    """Concentric shells between growing radii `edges` (n+1,) [um], of which the first may be 0; sealed outside.

    Centres are at (r, 0, 0) with r halfway between the radii of a shell. A homogenised medium has a volume fraction
    alpha < 1 and a tortuosity lambda > 1.
    """
    _check(name, edges, volume_fraction, tortuosity)
    r = (edges[:-1] + edges[1:]) / 2
    volume = 4 / 3 * np.pi * np.diff(edges**3)
    links = np.stack([np.arange(len(r) - 1), np.arange(1, len(r))], axis=1)
    crossing = 4 * np.pi * edges[1:-1]**2 / np.diff(r)
    return Place(name, 3, volume_fraction * volume, np.outer(r, [1.0, 0.0, 0.0]), links,
                 volume_fraction / tortuosity**2 * crossing)


@by_annotation
def graded(first: float, last: float, growth: float = 1.05, most_elements: float = MOST_ELEMENTS) -> Floats:
    """Radii [um] from 0 over `first` to `last`, each a factor of about `growth` larger than the one before.

    More than `most_elements` are refused.
    """
    if growth > _STEEPEST:
        warnings.warn(f"radii that grow by a factor of {growth:g} resolve nothing; write 1.15 for 15 %", Unusual,
                      stacklevel=3)
    for what, value in {"first radius": first, "last radius": last, "growth less 1": growth - 1}.items():
        positive(f"graded radii: {what}", value)
    if last <= first:
        raise InputError(f"graded radii go from {first:g} to {last:g} um; the last must be larger than the first")
    wanted = np.log(last / first) / np.log(growth)
    check_size("graded radii", wanted, SHELLS, most_elements, "let them grow faster")
    count = max(1, round(wanted))
    return np.r_[0.0, np.geomspace(first, last, count + 1)]


@by_annotation
def rings(name: str, radii: Floats, heights: Floats, volume_fraction: float = 1.0, tortuosity: float = 1.0,
          most_elements: float = MOST_ELEMENTS) -> Place:
    """Rings around the z axis, between `radii` (m+1,) and `heights` (k+1,) [um] that grow; sealed outside.

    Element i k + j is the ring between radii i and i+1, heights j and j+1; its centre is (r, 0, z).
    More than `most_elements` are refused.
    """
    _check(name, radii, volume_fraction, tortuosity)
    _check(name, heights - np.ravel(heights)[0], volume_fraction, tortuosity)
    check_size(f"rings {name!r}", float(len(radii) - 1) * (len(heights) - 1), RINGS, most_elements, "take fewer edges")
    r, z = (radii[:-1] + radii[1:]) / 2, (heights[:-1] + heights[1:]) / 2
    index, disc = np.arange(len(r) * len(z)).reshape(len(r), len(z)), np.pi * np.diff(radii**2)
    across = 2 * np.pi * radii[1:-1, None] * np.diff(heights) / np.diff(r)[:, None]
    along = disc[:, None] / np.diff(z)
    links = [np.stack([one.ravel(), other.ravel()], axis=1)
             for one, other in ((index[:-1], index[1:]), (index[:, :-1], index[:, 1:]))]
    centres = np.stack([np.repeat(r, len(z)), np.zeros(index.size), np.tile(z, len(r))], axis=1)
    return Place(name, 3, volume_fraction * np.outer(disc, np.diff(heights)).ravel(), centres, np.concatenate(links),
                 volume_fraction / tortuosity**2 * np.concatenate([across.ravel(), along.ravel()]))


def _check(name: str, edges: Floats, volume_fraction: float, tortuosity: float) -> None:
    """Raise `InputError` for edges that do not grow from 0 or more, or a medium that there is not."""
    if np.ndim(edges) != 1 or len(edges) < _FEWEST or not (
            np.isfinite(edges).all() and edges[0] >= 0 and (np.diff(edges) > 0).all()):
        raise InputError(f"the edges of {name!r} must be {_FEWEST} or more lengths >= 0 um, each larger than the last")
    fraction(f"{name}: volume fraction", volume_fraction)
    checked(tortuosity, f"{name}: tortuosity")
