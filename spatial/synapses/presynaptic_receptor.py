"""Presynaptic receptors of a gliotransmitter, and what they do to release."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import minute, s, uM


@dataclass(frozen=True, eq=False)
class PresynapticReceptor:
    """dGamma/dt = O_G G (1 - Gamma) - Om_G Gamma: receptors that a gliotransmitter activates (Stimberg 2018).

    `on` fits that model's G, which rises to 78 uM for 1/60 s and is far larger than what reaches a real synapse
    (biophysics A6, trap C6): take `on_rate` where the field is resolved.
    """

    where: Place  # the synapses
    gliotransmitter: Species  # ECS
    active: Species  # on the synapses, active part of the receptors
    on: float = 1.5 / (uM * s)  # O_G; Stimberg 2018
    off: float = 0.5 / minute  # Om_G; Stimberg 2018

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "active")
        checks.parts(self, "active")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Activation minus inactivation [1/s]."""
        return {self.active: self.on * c[self.gliotransmitter] * (1 - c[self.active]) - self.off * c[self.active]}


@dataclass(frozen=True, eq=False)
class ReceptorModulation:
    """U = (1 - Gamma) U0 + alpha Gamma: release under active presynaptic receptors (Stimberg 2018; biophysics A6).

    alpha < U0 makes release less likely, alpha > U0 more so.
    """

    active: Species  # on the synapses, active part of the receptors
    U0: float = 0.6  # without receptors active; Stimberg 2018
    alpha: float = 0.0  # with all active; Stimberg 2018

    def __post_init__(self) -> None:
        checks.parameters(self)
        for name in ("U0", "alpha"):
            if (value := getattr(self, name)) > 1:
                raise checks.InputError(f"ReceptorModulation: {name} is {value:g}; it must be a probability, at most 1")

    def __call__(self, c: Concentrations) -> Floats:
        """(n,) U at each synapse."""
        return np.asarray((1 - c[self.active]) * self.U0 + self.alpha * c[self.active])


@by_annotation
def on_rate(exposure: float, activated: float = 1 - np.exp(-1.5 * 78 / 60)) -> float:
    """The `on` [1/(uM s)] at which one release, heard as an `exposure` [uM s], activates this part of the receptors.

    The exposure is the time integral of the gliotransmitter at the synapse. By default the part is that of the first
    release in the model of Stimberg 2018, with its exposure of 78/60 uM s.
    """
    checks.positive("exposure to the gliotransmitter [uM s]", exposure)
    if not 0 < activated < 1:
        raise checks.InputError(f"a release that activates {activated:g} of the receptors; it must be between 0 and 1")
    return float(-np.log1p(-activated) / exposure)
