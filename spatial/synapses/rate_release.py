"""Release probability under a firing rate: the mean of many spikes, with the adenosine they lead to."""

from dataclasses import dataclass
from typing import Any

from spatial import checks
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Held, Species, level
from spatial.units import s


def turnover(of: Any, rate: Any, a: Any) -> tuple[Any, Any]:
    """How fast p rises, per 1 - p, and falls, per p [1/s], at a rate [Hz] and adenosine a [unit of K].

    `of` has K, n, tau_p, kappa_p, gamma_p and p0, as `RateRelease` does.
    """
    bound = (a / of.K) ** of.n
    return (of.p0 / of.tau_p + of.kappa_p * rate, (1 - of.p0) / of.tau_p + of.gamma_p * bound / (1 + bound))


@dataclass(frozen=True, eq=False)
class RateRelease:
    """da/dt = -a/tau_a + kappa_a r; dp/dt = -(p - p0)/tau_p + kappa_p r (1 - p) - gamma_p R p (biophysics A11).

    R = a^n/(K^n + a^n). Where `a` is a species of the synapses it follows the first equation, and is in units of K;
    where it is a field that they touch, such as the adenosine of the ECS [uM], or a number, it is only looked at.
    p falls with r only in a window of rates: R saturates, kappa_p r does not.
    """

    where: Place  # the synapses
    rate: Held  # r, of each synapse or of its neuron [Hz]
    a: Held  # adenosine
    p: Species  # on the synapses, release probability
    tau_a: float = 5 * s  # choice; biophysics A11
    kappa_a: float = 0.05  # of K, per spike; choice, biophysics A11
    K: float = 1.0  # half activation, unit of a; choice, biophysics A11
    n: float = 2.0  # choice; biophysics A11
    tau_p: float = 0.5 * s  # choice; biophysics A11
    kappa_p: float = 0.1  # facilitation by a spike; choice, biophysics A11
    gamma_p: float = 2.0 / s  # depression by adenosine; choice, biophysics A11
    p0: float = 0.3  # choice; biophysics A11

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("tau_a", "tau_p", "K"))
        checks.own(self, "p")
        checks.parts(self, "p")
        if self.p0 > 1:
            raise checks.InputError(f"RateRelease: p0 is {self.p0:g}; it must be a probability, at most 1")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Change of p, and of a where it is the synapses' own [1/s]."""
        rate, a, p = level(c, self.rate), level(c, self.a), c[self.p]
        rise, fall = turnover(self, rate, a)
        gains: dict[Species, Any] = {self.p: rise * (1 - p) - fall * p}
        if isinstance(self.a, Species) and self.a.place.name == self.where.name:
            gains[self.a] = self.kappa_a * rate - a / self.tau_a
        return gains

    def steady(self, rate: Floats | float, a: Floats | float | None = None) -> Floats | float:
        """p after long at a constant rate [Hz], with a constant a, by default what the rate leads to."""
        rise, fall = turnover(self, rate, self.tau_a * self.kappa_a * rate if a is None else a)
        return rise / (rise + fall)
