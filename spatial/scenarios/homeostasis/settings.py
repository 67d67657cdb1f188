"""What the scenario `homeostasis` can vary."""

import warnings
from dataclasses import dataclass, field

from spatial import checks
from spatial.synapses.excitability import MeanField
from spatial.units import Hz, s

_SETTLING = 4  # time constants, after which 2 % of the way is left


@dataclass(frozen=True)
class HomeostasisSettings:
    """The feedback loop, the inputs, and the rates that neurons are driven to before they are left alone."""

    loop: MeanField = field(default=MeanField())  # with adenosine, and no astrocyte; biophysics F1
    buffering: float = 5.0  # B_K with the astrocyte; biophysics F1
    current: float = -1.0  # I at the operating point; biophysics F1
    currents: tuple[float, float] = (-2.2, 0.6)  # I of the f-I curves; choice
    inputs: int = 29  # between them
    step: float = 0.004  # of I, up and down, for the gain; choice
    kick: float = 25 * Hz  # that neurons are held at before they are left alone; choice
    near: float = 0.02  # how far beside a threshold neurons start, a part of it; choice
    duration: float = 60 * s  # of each run

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("current",), above_zero=("step", "kick", "duration"))
        checks.positive("HomeostasisSettings: potassium of the loop", self.loop.potassium)
        if self.buffering < 1:
            raise checks.InputError(f"HomeostasisSettings: buffering is {self.buffering:g}; it must be at least 1, no "
                                    "astrocyte")
        if self.inputs < 2 or not self.currents[0] < self.currents[1]:
            raise checks.InputError(f"HomeostasisSettings: {self.inputs} inputs from {self.currents[0]:g} to "
                                    f"{self.currents[1]:g}; there must be at least 2, and they must rise")
        if not 0 < self.near < 1:
            raise checks.InputError(f"HomeostasisSettings: near is {self.near:g}; it must be a part from 0 to 1")
        slowest = max(self.loop.tau_a, self.loop.tau_K)
        if self.duration < _SETTLING * slowest:
            warnings.warn(f"HomeostasisSettings: duration is {self.duration:g} s, less than {_SETTLING} times the "
                          f"{slowest:g} s of adenosine and K+: neurons are still on their way, and their gain and what "
                          "settles are not those of longer runs", checks.Unusual, stacklevel=3)
