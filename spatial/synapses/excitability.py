"""What K+ and adenosine around a neuron do to it: reversal, threshold, and a firing rate that feeds back on itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, gained, level
from spatial.synapses.potassium_release import LEAST
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
        checks.parameters(self)
        for name in ("potassium_inside", "sodium_inside", "sodium_outside", "resting", "temperature"):
            checks.positive(f"Excitability: {name}", getattr(self, name))

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

    def __post_init__(self) -> None:
        checks.parameters(self)
        for name in ("tau_p", "K"):
            checks.positive(f"MeanField: {name}", getattr(self, name))
        if self.buffering < 1:
            raise checks.InputError(f"MeanField: buffering is {self.buffering:g}; it must be at least 1, no astrocyte")

    def release(self, rate: Any) -> Any:
        """p(r), the steady release probability at a rate [Hz]."""
        rise, fall = self._turnover(rate)
        return rise / (rise + fall)

    def drive(self, rate: Any, current: float) -> Any:
        """I_eff at a rate [Hz] and an input I."""
        return current + self.w * self.release(rate) * rate + self.potassium / self.buffering * rate

    def steady(self, current: float, highest: float = 200 * Hz) -> Floats:
        """(k,) all rates up to `highest` [Hz] that hold themselves at an input I, in rising order."""
        def excess(rate: Any) -> Any:
            return phi(self.drive(rate, current)) - rate

        rates = np.linspace(0.0, highest, _SCAN)
        found = excess(rates)
        crossed = np.flatnonzero(found[:-1] * found[1:] < 0)
        return np.array([brentq(excess, rates[k], rates[k + 1], xtol=1e-12) for k in crossed])

    def gain(self, rate: float, current: float) -> float:
        """dr/dI [Hz] along the steady rates; negative where a steady rate is not stable."""
        slope = SCALE * expit(self.drive(rate, current))
        feedback = self.w * self._loudness(rate) + self.potassium / self.buffering
        return float(slope / (1 - slope * feedback))

    def _turnover(self, rate: Any) -> tuple[Any, Any]:
        """How fast p rises, per 1 - p, and falls, per p [1/s]."""
        bound = (self.tau_a * self.kappa_a * rate / self.K) ** self.n
        return (self.p0 / self.tau_p + self.kappa_p * rate,
                (1 - self.p0) / self.tau_p + self.gamma_p * bound / (1 + bound))

    def _loudness(self, rate: float) -> float:
        """d(p r)/dr in closed form."""
        rise, fall = self._turnover(rate)
        bound = (self.tau_a * self.kappa_a * rate / self.K) ** self.n
        falling = self.gamma_p * self.n * bound / (1 + bound) ** 2  # r dfall/dr
        return float((rise * (rise + fall) + self.kappa_p * rate * fall - rise * falling) / (rise + fall) ** 2)


@dataclass(frozen=True, eq=False)
class RateNeuron:
    """A firing rate driven by K+ around the cell, which lets out K+ with each spike: tau dr/dt = phi(I_eff) - r.

    I_eff = I + g_K (K - K_rest) (biophysics A14). `where` is the neuron's membrane; the rate is a species there.
    """

    where: Place  # membrane of the neuron
    rate: Species  # on the membrane [Hz]
    potassium: Species  # ECS
    inside: Species | None = None  # K+ of the neuron, or a ledger, signed
    sodium: Species | None = None  # ECS
    sodium_inside: Species | None = None  # Na+ of the neuron, or a ledger, signed
    drive: Held = -3.0  # I, a number or a species; choice, 0.5 Hz at rest
    rest: float = 3.082 * mM  # K+ of the ECS at which it has no effect; Halnes 2013
    g_K: float = 0.5 / mM  # drive by K+; choice
    tau: float = 20 * ms  # of the rate; choice
    per_spike: float = LEAST

    def __post_init__(self) -> None:
        checks.parameters(self, may_be_negative=("drive",))
        checks.positive("RateNeuron: tau", self.tau)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of the rate [Hz/s], K+ out and Na+ in [uM um/s]."""
        wanted = phi(level(c, self.drive) + self.g_K * (c[self.potassium] - self.rest))
        out = self.per_spike * c[self.rate]
        return {self.rate: (wanted - c[self.rate]) / self.tau, self.potassium: out, **gained(self.inside, -out),
                **gained(self.sodium, -out), **gained(self.sodium_inside, out)}
