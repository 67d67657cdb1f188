"""Presynaptic release: short-term plasticity, under adenosine."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.synapses.receptors import K_A1, release_probability
from spatial.synapses.spikes import all_times, check_trains, firing
from spatial.units import molecule, s


@dataclass(frozen=True, eq=False)
class TsodyksMarkram:
    """Tsodyks & Markram release with U(a) = U0/(1 + a/K_A1) (Stimberg 2018; biophysics A6, A11).

    At a spike u grows by U (1 - u), the part u x of the resource is released, and x shrinks by it.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # spike times of each synapse [s]
    glutamate: Species  # ECS, or the vesicles being emptied
    adenosine: Species  # ECS
    u: Species  # on the synapses
    x: Species  # on the synapses, resource ready
    released: Species  # on the synapses, glutamate released so far [uM um^3]
    U0: float = 0.6  # resting release probability; Stimberg 2018
    recovery: float = 2.0 / s  # Om_d; Stimberg 2018
    facilitation: float = 3.33 / s  # Om_f; Stimberg 2018
    resource: float = 4 * 3000 * molecule  # 4 vesicles (Manninen 2020) of 3000 molecules (M)
    K_A1: float = K_A1

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.positive("TsodyksMarkram: K_A1", self.K_A1)
        if self.U0 > 1:
            raise checks.InputError(f"TsodyksMarkram: U0 is {self.U0:g}; it must be a probability, at most 1")
        check_trains(self.trains, len(self.where))

    @property
    def instants(self) -> Floats:
        """Times of all spikes [s]."""
        return all_times(self.trains)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Recovery of the resource and decay of facilitation [1/s]."""
        return {self.x: self.recovery * (1 - c[self.x]), self.u: -self.facilitation * c[self.u]}

    def jump(self, c: Concentrations, t: float) -> Gains:
        """What a spike releases at each synapse that fires at `t`."""
        fires = firing(self.trains, t)
        U = release_probability(self.U0, c[self.adenosine], self.K_A1)
        step = fires * U * (1 - c[self.u])
        spent = fires * (c[self.u] + step) * c[self.x]
        return {self.u: step, self.x: -spent, self.glutamate: self.resource * spent,
                self.released: self.resource * spent}


def steady_release(U: float, rate: float, recovery: float = 2.0, facilitation: float = 3.33) -> float:
    """Released part u x per spike of a long regular train of `rate` [Hz] (closed form, biophysics A11)."""
    keeps_u, keeps_x = np.exp(-facilitation / rate), np.exp(-recovery / rate)
    u = U / (1 - (1 - U) * keeps_u)
    return float(u * (1 - keeps_x) / (1 - (1 - u) * keeps_x))
