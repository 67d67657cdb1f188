"""Postsynaptic neurons of one compartment: passive, integrate-and-fire, and adaptive exponential.

A neuron is an element of a place whose measure is its capacitance [pA s/mV] (1 pA s/mV = 1 nF), so that a current into
it, at the synapses that touch it, becomes mV/s: its potential is a `Species(..., unit="mV", signed=True)` there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import InputError, by_annotation, sized
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.model import Concentrations, Event, Gains, Held, OnRise, Species, gained, level
from spatial.units import ms, mV, pA, s

CAPACITANCE = 0.2 * pA * s / mV  # 200 pF, tau_m = 20 ms at 10 nS; Naud 2008
_SMALLEST, _LARGEST = 1e-4, 20.0  # pA s/mV: a spine, and the largest neuron ten times
_SHUNT = 100.0  # times the leak: what holds a neuron at its reset while it is refractory; choice
_WAITS = 0.5  # of `refractory`: not 0 itself, or the small step by which rates are linearised would set it off


@by_annotation
def with_neurons(mesh: Mesh, synapses: str, neuron: Sequence[int] | Ints, name: str = "neurons",
                 capacitance: float | Floats = CAPACITANCE, count: int | None = None) -> Mesh:
    """This mesh with a place of neurons, and with each synapse touching the `neuron` of its number.

    There are `count` neurons, by default as many as the numbers need, each of this capacitance, or of one each.
    Raises `InputError` for a name that is taken, and for numbers of neurons that do not fit.
    """
    index, synapse = np.asarray(neuron, np.int64), mesh[synapses]
    if name in mesh:
        raise InputError(f"this mesh has a place {name!r} already; give the neurons another name")
    if index.shape != (len(synapse),):
        raise InputError(f"neuron has shape {index.shape}; {synapses!r} has {len(synapse)} elements")
    many = int(index.max()) + 1 if count is None else count
    if index.min() < 0 or index.max() >= many:
        raise InputError(f"neuron goes from {index.min()} to {index.max()}; with {many} neurons it must be "
                         f"0 to {many - 1}")
    if np.shape(capacitance) not in ((), (many,)):
        raise InputError(f"capacitance has shape {np.shape(capacitance)}; there are {many} neurons")
    smallest, largest = float(np.min(capacitance)), float(np.max(capacitance))
    if not _SMALLEST <= smallest <= largest <= _LARGEST:
        raise InputError(f"capacitance is {smallest if smallest < _SMALLEST else largest:g} pA s/mV; it must be "
                         f"{_SMALLEST:g} to {_LARGEST:g}: 1 pA s/mV is 1 nF, and 200 pF are 0.2")
    inputs = np.bincount(index, minlength=many)[:, None]
    centres = np.stack([np.bincount(index, x, many) for x in synapse.centres.T], axis=1) / np.maximum(inputs, 1)
    neurons = Place(name, 0, np.broadcast_to(np.asarray(capacitance, float), (many,)).copy(), centres)
    return mesh.with_places(neurons).touching(synapses, name, index)


@dataclass(frozen=True, eq=False)
class PassiveMembrane:
    """A leak and an injected current: tau dV/dt = E - V + I R, with R = tau/C."""

    where: Place  # neurons, whose measure is capacitance
    V: Species  # signed [mV]
    E: Held = sized(-70 * mV, beside="V")  # resting potential; Song & Abbott 2000
    tau: float = 20 * ms  # Song & Abbott 2000
    current: Held = sized(0.0 * pA, usual=100 * pA, far=200.0)  # injected; choice, none

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("E", "current"), above_zero=("tau",))
        checks.own(self, "V")
        checks.signed(self, "V")
        checks.unit(self, "V", "mV")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the potential [mV/s]."""
        return {self.V: (level(c, self.E) - c[self.V]) / self.tau + level(c, self.current) / self.where.measure}


@dataclass(frozen=True, eq=False)
class LIF:
    """A leaky integrate-and-fire neuron: a passive membrane that is reset where V rises through the threshold.

    With `refractory`, a species of the neurons that begins at 0, V is held at its reset for `tau_ref` after each
    spike: by a conductance of 100 times the leak, whatever synapses do, and set there exactly at the end. The
    species is 0 in a neuron that is ready, and grows from 1 to 2 while one is refractory.
    """

    where: Place  # neurons, whose measure is capacitance
    V: Species  # signed [mV]
    spikes: Species | None = None  # of the neurons, how many each has fired
    refractory: Species | None = None  # of the neurons; None: there is no refractory time
    E: Held = sized(-70 * mV, beside="V")  # resting potential; Song & Abbott 2000
    threshold: Held = -54 * mV  # Song & Abbott 2000
    reset: Held = -60 * mV  # Song & Abbott 2000
    tau: float = 20 * ms  # Song & Abbott 2000
    tau_ref: float = 2 * ms  # choice
    current: Held = sized(0.0 * pA, usual=100 * pA, far=200.0)  # injected; choice, none

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("E", "threshold", "reset", "current"), above_zero=("tau", "tau_ref"))
        checks.own(self, "V", "spikes", "refractory")
        checks.signed(self, "V")
        checks.unit(self, "V", "mV")
        _check_rises("LIF", self.V, self.reset, "threshold", self.threshold)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the potential [mV/s], and of how far the refractory time has passed [1/s]."""
        V = c[self.V]
        free = (level(c, self.E) - V) / self.tau + level(c, self.current) / self.where.measure
        if self.refractory is None:
            return {self.V: free}
        waits = c[self.refractory] > _WAITS
        return {self.V: np.where(waits, _SHUNT * (level(c, self.reset) - V) / self.tau, free),
                self.refractory: waits / self.tau_ref}

    @property
    def events(self) -> tuple[Event, ...]:
        """Neurons fire, and their refractory times end."""
        changes = (self.V, *gained(self.refractory, 0.0), *gained(self.spikes, 0.0))
        return (OnRise(self.above_threshold, changes, tuple(gained(self.refractory, 0.0)), change=self.fire),)

    def above_threshold(self, c: Concentrations, t: float) -> Floats:
        """(n,) how far V is above the threshold [mV]; in a refractory neuron, how far its time is over."""
        above = c[self.V] - level(c, self.threshold)
        if self.refractory is None:
            return np.asarray(above)
        passed = c[self.refractory]
        return np.where(passed > _WAITS, passed - 2, above)

    def fire(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """Neurons that fire are reset, and set again where their refractory time ends."""
        back = np.where(risen, level(c, self.reset) - c[self.V], 0.0)
        if self.refractory is None:
            return {self.V: back, **gained(self.spikes, risen.astype(float))}
        passed = c[self.refractory]
        fires = risen & (passed < _WAITS)
        return {self.V: back, self.refractory: np.where(fires, 1.0, np.where(risen, -passed, 0.0)),
                **gained(self.spikes, fires.astype(float))}


@dataclass(frozen=True, eq=False)
class AdEx:
    """The adaptive exponential integrate-and-fire neuron (Brette & Gerstner 2005), by default their regular one.

    C dV/dt = -g (V - E) + g D exp((V - V_T)/D) - w + I, tau_w dw/dt = a (V - E) - w; where V rises through the peak
    it is reset, and w grows by b. The capacitance C is the neurons' measure, 281 pF in that paper. Whatever else is to
    meet its spikes takes a `Firing` with this peak, or a little less: V never comes to 0 mV.
    """

    where: Place  # neurons, whose measure is capacitance
    V: Species  # signed [mV]
    w: Species  # adaptation current of the neurons, signed [pA]
    spikes: Species | None = None  # of the neurons, how many each has fired
    g: float = 30 * pA / mV  # leak, 30 nS; Brette & Gerstner 2005
    E: Held = sized(-70.6 * mV, beside="V")  # resting potential; Brette & Gerstner 2005
    V_T: Held = -50.4 * mV  # threshold of the exponential; Brette & Gerstner 2005
    D: float = 2 * mV  # slope factor; Brette & Gerstner 2005
    a: float = 4 * pA / mV  # adaptation below the threshold; Brette & Gerstner 2005
    tau_w: float = 144 * ms  # Brette & Gerstner 2005
    b: float = 80.5 * pA  # adaptation by a spike; Brette & Gerstner 2005
    reset: Held = -70.6 * mV  # Brette & Gerstner 2005
    peak: Held = -30.4 * mV  # V_T + 10 D, from where C/g e^-10 = 0.4 us are left to any other peak; choice
    current: Held = sized(0.0 * pA, usual=100 * pA, far=200.0)  # injected; choice, none

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("E", "V_T", "reset", "peak", "current"),
                          above_zero=("g", "D", "tau_w"))
        checks.own(self, "V", "w", "spikes")
        checks.signed(self, "V", "w")
        _check_rises("AdEx", self.V, self.reset, "peak", self.peak)
        checks.unit(self, "V", "mV")
        checks.unit(self, "w", "pA")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the potential [mV/s] and of the adaptation [pA/s]; the exponential grows up to the peak."""
        V, E, w = c[self.V], level(c, self.E), c[self.w]
        upstroke = self.g * self.D * np.exp((np.minimum(V, level(c, self.peak)) - level(c, self.V_T)) / self.D)
        return {self.V: (self.g * (E - V) + upstroke - w + level(c, self.current)) / self.where.measure,
                self.w: (self.a * (V - E) - w) / self.tau_w}

    @property
    def events(self) -> tuple[Event, ...]:
        """Neurons fire."""
        return (OnRise(self.above_peak, (self.V, self.w, *gained(self.spikes, 0.0)), change=self.fire),)

    def above_peak(self, c: Concentrations, t: float) -> Floats:
        """(n,) how far V is above the peak [mV]."""
        return np.asarray(c[self.V] - level(c, self.peak))

    def fire(self, c: Concentrations, t: float, risen: NDArray[np.bool_], rng: np.random.Generator) -> Gains:
        """Neurons that fire are reset, and adapt."""
        return {self.V: np.where(risen, level(c, self.reset) - c[self.V], 0.0), self.w: np.where(risen, self.b, 0.0),
                **gained(self.spikes, risen.astype(float))}


@dataclass(frozen=True)
class Pattern:
    """A firing pattern of the adaptive exponential neuron: V_T = -50 mV, D = 2 mV, and these values."""

    capacitance: float  # pA s/mV, of the place of neurons
    current: float  # pA, that evokes it
    g: float  # pA/mV
    E: float  # mV
    a: float  # pA/mV
    tau_w: float  # s
    b: float  # pA
    reset: float  # mV

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("current", "E", "a", "b", "reset"),
                          above_zero=("capacitance", "tau_w"))

    @by_annotation
    def neurons(self, where: Place, V: Species, w: Species, spikes: Species | None = None,
                current: Held | None = None) -> AdEx:
        """Neurons that fire so, under its current or another one."""
        return AdEx(where, V, w, spikes, self.g, self.E, -50 * mV, 2 * mV, self.a, self.tau_w, self.b, self.reset,
                    peak=-30 * mV, current=self.current if current is None else current)


# Naud 2008, as adapted to its figures by P. Mueller in Brian2's example of that paper
TONIC = Pattern(0.2, 500 * pA, 10.0, -70 * mV, 2.0, 30 * ms, 0 * pA, -58 * mV)
ADAPTING = Pattern(0.2, 500 * pA, 12.0, -70 * mV, 2.0, 300 * ms, 60 * pA, -58 * mV)
INITIAL_BURST = Pattern(0.13, 400 * pA, 18.0, -58 * mV, 4.0, 150 * ms, 120 * pA, -50 * mV)
BURSTING = Pattern(0.2, 210 * pA, 10.0, -58 * mV, 2.0, 120 * ms, 100 * pA, -46 * mV)


def _check_rises(kind: str, V: Species, reset: Held, name: str, threshold: Held) -> None:
    """Raise `InputError` where V begins, or is reset, too high to rise through the threshold: it would never fire."""
    if isinstance(threshold, Species):
        return
    if (first := float(np.max(V.initial))) >= threshold:
        raise InputError(f"{kind}: {V.name!r} begins at {first:g} mV; it must be below {name}, {threshold:g} mV")
    if not isinstance(reset, Species) and reset >= threshold:
        raise InputError(f"{kind}: reset is {reset:g} mV; it must be below {name}, {threshold:g} mV")
