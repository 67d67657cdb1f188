"""Plasticity in three factors: presynaptic, postsynaptic, and what the astrocyte says."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.synapses.receptors import EC50_D_SERINE, coagonist_occupancy
from spatial.synapses.spikes import all_times, check_trains, firing
from spatial.units import ms, s, uM


@dataclass(frozen=True, eq=False)
class ThreeFactorRule:
    """Spike pairs leave an eligibility trace; D-serine above its resting level turns it into weight.

    dw/dt = e g_a / tau_e with g_a = theta_co(D) - theta_co(rest) (biophysics A13). So one pair under a
    gate of 1 changes w by STDP's A+ exp(-dt/tau+), and without the astrocyte nothing changes at all.
    A synapse that does not fire takes part in two ways: glutamate that spills over to its NMDA receptors
    counts as presynaptic activity, in units of what its own vesicle would do; and a postsynaptic spike
    lowers the eligibility of every synapse by `A_alone` (heterosynaptic depression; Chistiakova 2014).
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    post: Floats  # postsynaptic spike times [s]
    glutamate: Species  # ECS
    d_serine: Species  # ECS, above its resting level
    pre_trace: Species
    post_trace: Species
    eligibility: Species  # signed
    weight: Species  # signed
    A_plus: float = 0.01  # Song & Abbott 2000
    A_minus: float = 1.05 * 0.01  # Song & Abbott 2000
    A_alone: float = 0.0  # choice
    tau_plus: float = 20 * ms  # Song & Abbott 2000
    tau_minus: float = 20 * ms  # Song & Abbott 2000
    tau_e: float = 1 * s  # Izhikevich 2007
    spillover: float = 0.072 / 0.0692 / (uM * s)  # NMDA binding (Huebel 2017) per occupancy after 1 mM for 1 ms
    resting_d_serine: float = 1.3 * uM  # gives theta_co = 0.5 at rest; choice, range of theta_co 0.4-0.6, M
    EC50: float = EC50_D_SERINE

    def __post_init__(self) -> None:
        checks.parameters(self)
        for name in ("tau_plus", "tau_minus", "tau_e", "EC50"):
            checks.positive(f"ThreeFactorRule: {name}", getattr(self, name))
        check_trains(self.trains, len(self.where))
        check_trains((self.post,), 1)

    @property
    def instants(self) -> Floats:
        """Times of all spikes, presynaptic and postsynaptic [s]."""
        return all_times((*self.trains, self.post))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Decay of the traces, spill-over onto silent synapses, and the gated weight change [1/s]."""
        silent = np.array([len(train) == 0 for train in self.trains])
        spilt = np.where(silent, self.spillover * c[self.glutamate], 0.0)
        return {self.pre_trace: spilt - c[self.pre_trace] / self.tau_plus,
                self.post_trace: -c[self.post_trace] / self.tau_minus,
                self.eligibility: -c[self.eligibility] / self.tau_e,
                self.weight: c[self.eligibility] * self.gate(c[self.d_serine]) / self.tau_e}

    def jump(self, c: Concentrations, t: float) -> Gains:
        """What the spikes at `t` leave in the traces."""
        pre, post = firing(self.trains, t), float(firing((self.post,), t)[0])
        paired = post * (self.A_plus * c[self.pre_trace] - self.A_alone) - pre * self.A_minus * c[self.post_trace]
        return {self.pre_trace: pre, self.post_trace: post, self.eligibility: paired}

    def gate(self, d_serine: Floats) -> Floats:
        """(n,) the astrocyte's factor g_a: zero at the resting D-serine."""
        rest = self.resting_d_serine
        return coagonist_occupancy(rest + d_serine, self.EC50) - coagonist_occupancy(rest, self.EC50)
