"""What K+ and adenosine around a neuron do to it: reversal, threshold, and a firing rate that feeds back on itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from spatial import checks
from spatial.checks import arguments, sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, gained, level
from spatial.synapses.potassium_release import LEAST
from spatial.synapses.rate_release import turnover
from spatial.units import Hz, mM, ms, mV, nernst, pA, s, thermal_voltage, um2

SCALE = 10 * Hz  # of phi; biophysics F1
BODY = 310.0  # K
_SCAN = 4000  # points between which `MeanField.steady` looks for crossings


@dataclass(frozen=True)
class Excitability:
    """A neuron's resting potential and rheobase as K+ around it rises: leaks of K+ and Na+ (Goldman's equation)."""

    potassium_inside: float = 140 * mM  # choice; E_K is -102 mV at 3 mM
    sodium_inside: float = 10 * mM  # choice, half of what its pump can bind (Kager 2000)
    sodium_outside: float = 144.662 * mM  # Halnes 2013
    sodium_permeability: float = 0.05  # relative to K+; choice, V is -70 mV at 3 mM
    threshold: float = 15 * mV  # above the resting potential at `resting`; choice
    leak: float = 0.1e-3 * pA / um2 / mV  # 0.1 S/m^2; choice
    resting: float = 3 * mM  # K+ of the ECS at rest; biophysics A10
    temperature: float = BODY

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=(
            "potassium_inside", "sodium_inside", "sodium_outside", "resting", "temperature"))
        checks.kelvin("Excitability: temperature", self.temperature)

    def reversal(self, potassium: Any) -> Any:
        """E_K [mV] at K+ outside [uM]."""
        return nernst(potassium, self.potassium_inside, 1, self.temperature)

    def potential(self, potassium: Any) -> Any:
        """Resting potential [mV] at K+ outside [uM]."""
        outside = potassium + self.sodium_permeability * self.sodium_outside
        inside = self.potassium_inside + self.sodium_permeability * self.sodium_inside
        return thermal_voltage(self.temperature) * np.log(outside / inside)

    def rheobase(self, potassium: Any) -> Any:
        """Steady current [pA/um^2] that just reaches the threshold; negative where it fires without one."""
        fixed = self.potential(self.resting) + self.threshold
        return self.leak * (fixed - self.potential(potassium))


def phi(drive: Any) -> Any:
    """Firing rate [Hz] at a drive x, 10 ln(1 + e^x) (biophysics F1)."""
    return SCALE * np.logaddexp(0.0, drive)


@dataclass(frozen=True)
class MeanField:
    """A rate neuron that hears its own release, K+ and adenosine: r = phi(I + w p(r) r + g_K dK(r)) (biophysics A14).

    dK = beta_K r/B_K, with B_K >= 1 for what the astrocyte buffers. p(r) is the steady release probability of A11,
    with adenosine a = tau_a kappa_a r that lowers it by gamma_p a^n/(K^n + a^n); gamma_p = 0 is without adenosine.
    """

    w: float = 0.15  # weight of its own release; biophysics F1
    potassium: float = 0.05  # g_K beta_K, drive per Hz by K+; biophysics F1
    buffering: float = 1.0  # B_K, 1 without astrocyte; biophysics A14
    gamma_p: float = 2.0 / s  # biophysics A11, choice
    tau_a: float = 5 * s  # biophysics A11, choice
    kappa_a: float = 0.05  # biophysics A11, choice
    K: float = 1.0  # biophysics A11, choice
    n: float = 2.0  # biophysics A11, choice
    tau_p: float = 0.5 * s  # biophysics A11, choice
    kappa_p: float = 0.1  # biophysics A11, choice
    p0: float = 0.3  # biophysics A11, choice
    tau_K: float = 5 * s  # of K+ without astrocyte, B_K times shorter with one; plays no part at rest; choice
    tau: float = 20 * ms  # of the rate; plays no part at rest; choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau_a", "tau_p", "K", "tau_K", "tau"))
        if self.buffering < 1:
            raise checks.InputError(f"MeanField: buffering is {self.buffering:g}; it must be at least 1, no astrocyte")

    @arguments(not_negative=("rate",))
    def release(self, rate: Any) -> Any:
        """p(r), the steady release probability at a rate [Hz]."""
        rise, fall = turnover(self, rate, self.tau_a * self.kappa_a * rate)
        return rise / (rise + fall)

    @arguments(not_negative=("rate",))
    def drive(self, rate: Any, current: float) -> Any:
        """I_eff at a rate [Hz] and an input I."""
        return current + self.w * self.release(rate) * rate + self.potassium / self.buffering * rate

    @arguments(not_negative=("rate",))
    def holding(self, rate: Any) -> Any:
        """The input I at which a rate [Hz] above 0 holds itself."""
        return np.log(np.expm1(rate / SCALE)) - self.drive(rate, 0.0)

    @arguments(above_zero=("highest",))
    def steady(self, current: float, highest: float = 200 * Hz) -> Floats:
        """(k,) all rates up to `highest` [Hz] that hold themselves at an input I, in rising order."""
        def excess(rate: Any) -> Any:
            return phi(self.drive(rate, current)) - rate

        rates = np.linspace(0.0, highest, _SCAN)
        found = excess(rates)
        crossed = np.flatnonzero(found[:-1] * found[1:] < 0)
        return np.array([brentq(excess, rates[k], rates[k + 1], xtol=1e-12) for k in crossed])

    @arguments(not_negative=("rate",))
    def gain(self, rate: float, current: float) -> float:
        """dr/dI [Hz] along the steady rates; negative where a steady rate is not stable."""
        return float(self.response(rate, current, 0.0).real)

    @arguments(numbers=("frequency",), not_negative=("rate",))
    def response(self, rate: float, current: float, frequency: Any) -> Any:
        """Complex dr/dI [Hz] of small oscillations of I about a steady rate, at frequencies [Hz] of any shape.

        The rate, K+, adenosine and p each lag behind with their own time constant.
        """
        growth = 2j * np.pi * np.asarray(frequency)
        slope = SCALE * expit(self.drive(rate, current))
        heard = (self.w * (self.release(rate) + rate * self._release_response(rate, growth))
                 + self.potassium / (self.buffering + growth * self.tau_K))
        return slope / (1 + growth * self.tau - slope * heard)

    def _release_response(self, rate: float, growth: Any) -> Any:
        """dp/dr [1/Hz] of small changes that grow as exp(growth t)."""
        rise, fall = turnover(self, rate, self.tau_a * self.kappa_a * rate)
        p, relative = rise / (rise + fall), self.tau_a * self.kappa_a * rate / self.K
        heard = self.n * relative ** (self.n - 1) / self.K / (1 + relative ** self.n) ** 2  # dR/da
        adenosine = self.kappa_a / (1 / self.tau_a + growth)  # da/dr
        return (self.kappa_p * (1 - p) - self.gamma_p * p * heard * adenosine) / (rise + fall + growth)


@dataclass(frozen=True, eq=False)
class RateNeuron:
    """A firing rate driven by K+ around the cell, which lets out K+ with each spike: tau dr/dt = phi(I_eff) - r.

    I_eff = I + w p r + g_K (K - K_rest) (biophysics A14), with p the release of the neuron's own synapses. `where` is
    the neuron's membrane; the rate is a species there, and each element of `where` is a neuron of its own.
    """

    where: Place  # membrane of the neuron
    rate: Species  # on the membrane [Hz]
    potassium: Species  # ECS
    inside: Species | None = None  # K+ of the neuron, or a ledger, signed
    sodium: Species | None = None  # ECS
    sodium_inside: Species | None = None  # Na+ of the neuron, or a ledger, signed
    drive: Held = -3.0  # I, a number or a species; choice, 0.5 Hz at rest
    release: Held = 0.0  # p, a number or a species; choice, 0 is without synapses onto itself
    w: float = 0.15  # weight of its own release; biophysics F1
    rest: float = sized(3.082 * mM, beside="potassium", even_zero=True)  # K+ without effect; Halnes 2013
    g_K: float = 0.5 / mM  # drive by K+; choice
    tau: float = 20 * ms  # of the rate; choice
    ceiling: float = 200 * Hz  # a spike needs 5 ms; choice
    per_spike: float = LEAST

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("drive",), above_zero=("tau",))
        checks.own(self, "rate")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the rate [Hz/s], K+ out and Na+ in [uM um/s]."""
        drive = (level(c, self.drive) + self.w * level(c, self.release) * c[self.rate]
                 + self.g_K * (c[self.potassium] - self.rest))
        out = self.per_spike * c[self.rate]
        return {self.rate: (np.minimum(phi(drive), self.ceiling) - c[self.rate]) / self.tau, self.potassium: out,
                **gained(self.inside, -out), **gained(self.sodium, -out), **gained(self.sodium_inside, out)}


@dataclass(frozen=True, eq=False)
class RateOutflow:
    """What a firing rate lets out: `per_spike` of a species with each spike, such as adenosine (biophysics A11)."""

    where: Place  # membrane of the neuron
    rate: Species  # on the membrane [Hz]
    species: Species  # ECS
    per_spike: float  # [uM um]
    inside: Species | None = None  # what is left in the neuron, or a ledger, signed

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "rate")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """What comes out [uM um/s]."""
        out = self.per_spike * c[self.rate]
        return {self.species: out, **gained(self.inside, -out)}
