"""Cut faces that are open: the cytosol goes on beyond them, in stumps that hold what the cytosol holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from spatial import checks
from spatial.geometry.cut_faces import CUT_FACE
from spatial.geometry.place import Mesh
from spatial.geometry.stump import STUMP, into_stump, with_stump
from spatial.mechanisms.clearance import Passage
from spatial.model import Mechanism, Species
from spatial.scenarios.parts.experiment import Conserved

SLICES = 10  # of each stump: what diffuses into it needs time to reach its end; choice


@dataclass(frozen=True)
class Stumps:
    """What open cut faces add to a model; nothing where they are sealed."""

    mesh: Mesh
    twins: Mapping[Species, Species] = field(default_factory=dict)  # in the stumps, for those of the cytosol
    mechanisms: tuple[Mechanism, ...] = ()

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def species(self) -> tuple[Species, ...]:
        """The species in the stumps."""
        return tuple(self.twins.values())

    def with_twins(self, conserved: Sequence[Conserved]) -> tuple[Conserved, ...]:
        """The conserved quantities with what of them is in the stumps."""
        return tuple(Conserved(quantity.name, {**quantity.weights, **{
            self.twins[species]: weight for species, weight in quantity.weights.items() if species in self.twins}})
            for quantity in conserved)


def stumps(mesh: Mesh, species: Sequence[Species], mechanisms: Sequence[Mechanism], length: float,
           within: str = "cytosol") -> Stumps:
    """Stumps of `length` [um] beyond the cut faces of a mesh; none for a length of 0, that is, sealed faces.

    What diffuses in the cytosol diffuses on into them, and what reacts in its volume alone, such as buffers, reacts in
    them too. They have neither membrane nor ER: nothing is pumped or released there. Raises `InputError` for a mesh
    without cut faces.
    """
    if length == 0.0:
        return Stumps(mesh)
    opened = with_stump(mesh, length, SLICES)
    reacting = [mechanism for mechanism in mechanisms if _is_within(mechanism, within)]
    held = {each for mechanism in reacting for each in _species_of(mechanism).values()}
    held |= {each for each in species if each.place.name == within and each.D > 0}
    twins = {each: replace(each, name=f"{each.name} in the stump", place=opened[STUMP],
                           initial=float(np.mean(each.initial))) for each in species if each in held}
    passing = [Passage(opened[CUT_FACE], each, twin, into_stump(length, each.D, SLICES))
               for each, twin in twins.items() if each.D > 0]
    mirrored = [_mirrored(mechanism, opened, twins) for mechanism in reacting]
    return Stumps(opened, twins, (*passing, *mirrored))


def _species_of(mechanism: Any) -> dict[str, Species]:
    """The species in the fields of a mechanism."""
    values = {part.name: getattr(mechanism, part.name) for part in fields(mechanism)} if is_dataclass(mechanism) else {}
    return {name: value for name, value in values.items() if isinstance(value, Species)}


def _is_within(mechanism: Mechanism, within: str) -> bool:
    """Whether a mechanism acts in the volume of the cytosol, on what is there alone."""
    species = _species_of(mechanism)
    return mechanism.where.name == within and bool(species) and all(
        each.place.name == within for each in species.values())


def _mirrored(mechanism: Any, mesh: Mesh, twins: Mapping[Species, Species]) -> Mechanism:
    """The same mechanism in the stumps."""
    changed = {name: twins[each] for name, each in _species_of(mechanism).items()}
    mirrored: Mechanism = replace(mechanism, where=mesh[STUMP], **changed)
    return mirrored
