"""Spike-timing-dependent plasticity: each spike changes the weight at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spatial import checks
from spatial.checks import InputError, arguments
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Event, Gains, Species
from spatial.synapses.plasticity.gates import OPEN, Gate
from spatial.synapses.plasticity.pairs import PairedSpikes, Post, check_pairs
from spatial.units import ms


@dataclass(frozen=True, eq=False)
class PairSTDP:
    """All pairs of spikes add up: dw = f(dt) g_a(t_post), f = A+ exp(-dt/tau+) or -A- exp(dt/tau-) (biophysics A13).

    Hard bounds, as Song & Abbott's (2000): changes do not depend on the weight and stop at 0 and `w_max`. With `mu`
    they depend on it, A+ (1 - w/w_max)^mu and A- (w/w_max)^mu (Guetig 2003): soft bounds at mu = 1.
    Without a gate this is STDP itself, with one the astrocyte has its say when the neuron fires. Known spikes at the
    same instant do not pair with each other; a spike that the neuron fires because of an input comes after it.
    """

    where: Place  # the synapses
    trains: tuple[Floats, ...]  # presynaptic spike times of each synapse [s]
    post: Post  # spikes of the neuron
    pre_trace: Species
    post_trace: Species  # signed where the gate may be negative
    weight: Species  # 0 to w_max
    gate: Gate = OPEN
    A_plus: float = 0.01  # of w_max; Song & Abbott 2000
    A_minus: float = 1.05 * 0.01  # of w_max; Song & Abbott 2000
    tau_plus: float = 20 * ms  # Song & Abbott 2000
    tau_minus: float = 20 * ms  # Song & Abbott 2000
    w_max: float = 1.0  # choice, weights are parts of the largest
    mu: float = 0.0  # hard bounds; Song & Abbott 2000

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau_plus", "tau_minus", "w_max"))
        checks.own(self, "pre_trace", "post_trace", "weight")
        check_pairs(self.trains, self.post, len(self.where))
        first = np.atleast_1d(self.weight.initial)
        if (wrong := (first < 0) | (first > self.w_max)).any():
            raise InputError(f"PairSTDP: {self.weight.name!r} begins at {first[wrong][0]:g}; "
                             f"it must lie between 0 and w_max, {self.w_max:g}")

    @cached_property
    def _pairs(self) -> PairedSpikes:
        """The spikes of both sides in order."""
        return PairedSpikes.of(self.trains, self.post)

    @property
    def events(self) -> tuple[Event, ...]:
        """Spikes change the weight."""
        changes = (self.pre_trace, self.post_trace, self.weight)
        return self._pairs.events(changes, (self.weight,), self.spike)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Decay of the traces [1/s]."""
        return {self.pre_trace: -c[self.pre_trace] / self.tau_plus,
                self.post_trace: -c[self.post_trace] / self.tau_minus}

    def spike(self, c: Concentrations, pre: Floats | float, post: Floats | float) -> Gains:
        """What spikes change where `pre` and `post` (n,) are 1; 0 where there is none.

        The postsynaptic trace holds the gate of each spike, for the inputs still to come.
        """
        opened, w = post * self.gate(c), np.clip(c[self.weight] / self.w_max, 0.0, 1.0)
        up = self.A_plus * (1 - w) ** self.mu * c[self.pre_trace] * opened
        down = self.A_minus * w ** self.mu * c[self.post_trace] * pre
        change = self.w_max * np.clip(up - down, -w, 1 - w)
        return {self.pre_trace: pre, self.post_trace: opened, self.weight: change}

    def between(self, c: Concentrations, dt: Floats) -> Gains:
        """Gains over `dt` (n,) [s] without a spike, in closed form."""
        return {self.pre_trace: c[self.pre_trace] * np.expm1(-dt / self.tau_plus),
                self.post_trace: c[self.post_trace] * np.expm1(-dt / self.tau_minus)}

    @arguments(not_negative=("rate",))
    def per_pair(self, lag: float, rate: float) -> float:
        """Change of the weight by each pair of a long regular train of them at `rate` [Hz], in closed form.

        Each postsynaptic spike comes `lag` [s] after a presynaptic one, before it if negative. This is far from hard
        bounds, under a gate of 1; pairs so far apart that they do not meet leave f(lag).
        """
        checks.positive("rate of pairs", rate)
        every = 1 / rate
        after = lag % every or every
        before = every - after or every
        up, down = (np.exp(-gap / tau) / -np.expm1(-every / tau)
                    for gap, tau in ((after, self.tau_plus), (before, self.tau_minus)))
        return float(self.w_max * (self.A_plus * up - self.A_minus * down))
