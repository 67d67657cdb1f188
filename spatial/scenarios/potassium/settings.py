"""What the scenario `potassium` can vary."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.geometry.cleft import Cleft
from spatial.geometry.place import Floats
from spatial.scenarios.parts.potassium_tissue import Astrocytes, Neurons
from spatial.synapses.potassium_release import LEAST
from spatial.synapses.spikes import regular
from spatial.units import Hz, ion_flux, ms, pA, s, um


@dataclass(frozen=True)
class PotassiumSettings:
    """The burst, and the tissue it happens in."""

    spikes: int = 40
    rate: float = 40 * Hz
    first: float = 0.1 * s
    duration: float = 5 * s
    per_spike: float = 1.5 * LEAST  # K+ per membrane area and spike [uM um]: 1.3-4 times the least, M
    synaptic: float = ion_flux(0.3 * pA * s, valence=1)  # K+ of the synapse's own spike [uM um^3], most of it through
    # NMDA receptors, and a few mM in the cleft (Shih 2013): 6 pA at first; choice
    lasting: float = 50 * ms  # its time constant, that of NMDA receptors; M
    firing: float = 1.0  # part of the axons around that fires with the synapse; choice
    active: float = 30 * um  # how far from it they do; choice
    reach: float = 100 * um  # of the tissue, sealed there; choice
    astrocytes: Astrocytes = field(default=Astrocytes())
    neurons: Neurons = field(default=Neurons())
    with_astrocytes: bool = True  # False: nothing acts on their membranes
    coverage: tuple[float, ...] = (0.0, 0.5, 1.0)  # parts of the perimeter that the process covers; choice
    swept: int = 3  # spikes, and as long a time, for each coverage; choice
    shape: Cleft = field(default=Cleft(resolution=3.0, surround=0.6 * um))

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("rate", "duration", "per_spike", "active", "lasting"))
        for part in self.coverage:
            if not 0 <= part <= 1:
                raise checks.InputError(f"PotassiumSettings: coverage has {part:g}; every part must be from 0 to 1")
        if not 0 < self.firing <= 1:
            raise checks.InputError(f"PotassiumSettings: firing is {self.firing:g}; it must be a part from 0 to 1, "
                                    "not 0")

    @property
    def train(self) -> Floats:
        """(spikes,) s."""
        return regular(self.spikes, self.rate, self.first)
