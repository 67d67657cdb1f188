"""Rate neurons lose half of their input, and scaling of their synapses brings them back: a mechanism of one's own.

Each neuron counts an alarm where its rate falls below half of its target, and input comes from a recorded course.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import spatial as sp
from spatial.mechanisms.stimulus import Stimulus
from spatial.synapses.plasticity.scaling import SynapticScaling
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.units import Hz, ms, s


@dataclass(frozen=True, eq=False)
class Input:
    """What synapses do to their neurons: tau dr/dt = ... + w x at each; some are cut at a time."""

    where: sp.Place  # the synapses
    x: sp.Species  # presynaptic rate, on the synapses [Hz]
    weight: sp.Species  # on the synapses
    rate: sp.Species  # of the neurons [Hz]
    cut: float  # s
    lost: np.ndarray  # which synapses are cut
    tau: float = 50 * ms

    def rates(self, c: Any, t: float) -> Any:
        """Drive [Hz/s]."""
        return {self.rate: c[self.weight] * c[self.x] / self.tau}

    @property
    def events(self) -> tuple[Any, ...]:
        """The cut."""
        return (sp.AtTimes(np.array([self.cut]), changes=(self.weight,), takes=(self.weight,), change=self.lesion),)

    def lesion(self, c: Any, t: float, rng: Any) -> Any:
        """Weights that are lost."""
        return {self.weight: np.where(self.lost, -c[self.weight], 0.0)}


@dataclass(frozen=True, eq=False)
class RateNeuron:
    """A linear neuron that forgets its input, and counts an alarm where it falls silent."""

    where: sp.Place  # the neurons
    rate: sp.Species
    alarms: sp.Species
    alarm: float  # Hz
    tau: float = 50 * ms

    def rates(self, c: Any, t: float) -> Any:
        """Leak [Hz/s]."""
        return {self.rate: -c[self.rate] / self.tau}

    @property
    def events(self) -> tuple[Any, ...]:
        """An alarm."""
        return (sp.OnRise(self.below, changes=(self.alarms,), change=self.count),)

    def below(self, c: Any, t: float) -> Any:
        """How far the rate is below the alarm [Hz]."""
        return self.alarm - c[self.rate]

    def count(self, c: Any, t: float, risen: Any, rng: Any) -> Any:
        """One more."""
        return {self.alarms: 1.0}


target = 5 * Hz
mesh = sp.Mesh.of(sp.pool("neurons", [1.0, 1.0]))
mesh = mesh.with_points("synapses", np.zeros((8, 3)), touching=["neurons"])
mesh = mesh.touching("synapses", "neurons", np.repeat([0, 1], 4))
neurons, synapses = mesh["neurons"], mesh["synapses"]

x = sp.Species("x", synapses, 10 * Hz, unit="Hz")
weight = sp.Species("weight", synapses, np.array([0.2, 0.15, 0.1, 0.05] * 2), unit="1")
rate = sp.Species("rate", neurons, 5 * Hz, unit="Hz")
slow = sp.Species("slow rate", neurons, 5 * Hz, unit="Hz")
alarms = sp.Species("alarms", neurons, unit="1")

lost = np.array([True, False, True, False] + 4 * [False])
times = np.array([0, 40, 80, 120]) * s
course = np.array([0.0, 0.02, 0.0, 0.0])  # Hz/s, a slow rise of the presynaptic rate
model = sp.Model([x, weight, rate, slow, alarms], [
    Input(synapses, x, weight, rate, cut=20 * s, lost=lost),
    RateNeuron(neurons, rate, alarms, alarm=target / 2),
    SlowSignal(neurons, rate, slow, tau=2 * s),
    SynapticScaling(synapses, slow, weight, target=target, tau=60 * s),
    Stimulus(synapses, species=x, times=times, flux=course)])

run = sp.simulate(model, 300 * s, [sp.each(rate), sp.each(weight), sp.each(alarms), sp.each(slow)], every=0.5 * s)
after = run.times > 20 * s
answer = {
    "lowest rate": run["rate"][:, 0].min(), "rate at the end": run["rate"][-1, 0],
    "of the other": run["rate"][-1, 1], "weight": run["weight"][-1, 1], "ratio": run["weight"][-1, 1] / 0.15,
    "weight of the other": run["weight"][-1, 4], "alarms": run["alarms"][-1, 0], "highest": run["rate"].max(),
    "back after": run.times[after][(run["rate"][after, 0] > 4.5).argmax()], "slow": run["slow rate"][:, 0].min()}
