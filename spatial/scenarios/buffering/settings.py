"""What the scenario `buffering` can vary."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.geometry.size import MOST_ELEMENTS
from spatial.scenarios.parts.potassium_tissue import Astrocytes
from spatial.synapses.steady_release import SteadyRelease
from spatial.units import s, um


@dataclass(frozen=True)
class BufferingSettings:
    """The slab, what enters it, and for how long."""

    length: float = 100 * um  # of the slab along x
    slice: float = 1 * um  # thickness of each; choice
    active: float = 0.1  # part of the length, from x = 0, where neurons let K+ out; Halnes 2013
    entering: float = SteadyRelease.flux  # K+ per area of the astrocytes' membrane there [uM um/s]
    start: float = 1 * s
    stop: float = 11 * s
    duration: float = 20 * s
    coupled: bool = True  # False: no ion passes inside from slice to slice
    with_astrocytes: bool = True  # False: nothing acts on their membrane
    lengths: tuple[float, ...] = (300 * um,)  # of other slabs in the table; 300 um is Halnes 2013
    astrocytes: Astrocytes = field(default=Astrocytes())
    most_elements: float = MOST_ELEMENTS  # slices, of which more are refused

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("length", "slice", "duration"))
        for length in self.lengths:
            checks.positive("BufferingSettings: each of lengths", length)
        if not 0 < self.active <= 1:
            raise checks.InputError(f"BufferingSettings: active is {self.active:g}; it must be a part from 0 to 1, "
                                    "not 0")
        if not self.start < self.stop <= self.duration:
            raise checks.InputError(f"BufferingSettings: K+ enters from {self.start:g} to {self.stop:g} s of "
                                    f"{self.duration:g} s; the times must grow")
        if self.slices * self.active <= 0.5:
            raise checks.InputError(f"BufferingSettings: K+ enters the first {self.active * self.length:g} um, where "
                                    f"no slice of {self.length / self.slices:g} um has its middle; take a longer slab "
                                    "or thinner slices")

    @property
    def slices(self) -> int:
        """How many there are."""
        return max(2, round(self.length / self.slice))
