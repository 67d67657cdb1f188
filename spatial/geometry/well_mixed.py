"""Geometry without space: one element per volume, membranes between them, and pools."""

from collections.abc import Mapping, Sequence

import numpy as np

from spatial.checks import by_annotation, positive
from spatial.geometry.place import Floats, Mesh, Place


@by_annotation
def well_mixed(volumes: Mapping[str, float],
               membranes: Mapping[str, tuple[float, Sequence[str]]] | None = None) -> Mesh:
    """A mesh of one element per place: the 0-D limit of any geometry.

    `volumes` gives each volume [um^3]; `membranes` the area [um^2] and the volumes each touches.
    """
    places = [pool(name, [volume]) for name, volume in volumes.items()]
    for name, (area, touched) in (membranes or {}).items():
        positive(f"area of {name!r}", area)
        places.append(Place(name, 2, np.array([area]), np.zeros((1, 3)),
                            touches={other: np.zeros(1, np.int64) for other in touched}))
    return Mesh.of(*places)


@by_annotation
def pool(name: str, volumes: Sequence[float] | Floats, centres: Floats | None = None) -> Place:
    """A place of unconnected well-mixed volumes [um^3], such as the lumen of each piece of ER."""
    measure = np.array(volumes, float)
    for volume in measure:
        positive(f"volume of {name!r}", volume)
    return Place(name, 3, measure, np.zeros((len(measure), 3)) if centres is None else np.array(centres, float))
