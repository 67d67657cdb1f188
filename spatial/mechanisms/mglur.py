"""Metabotropic glutamate receptors on the astrocyte's membrane."""

from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import Concentrations, Gains, Reaction, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class GqReceptor:
    """Active fraction of a Gq-coupled receptor, terminated by PKC (G-ChI; Stimberg 2018, biophysics A3).

    `on` fits the ODE's glutamate, far larger than what reaches a real process: calibrate it where
    the glutamate field is resolved (biophysics trap C6). With a `density`, `active` is not a fraction but
    receptors per um^2, so that they can be played one by one.
    """

    where: Place  # plasma membrane
    glutamate: Species  # ECS; the field, or any other agonist
    calcium: Species  # cytosol
    active: Species  # on the membrane, the active fraction; with a density, number [1/um^2]
    on: float = sized(0.3 / (uM * s), far=1e4)  # O_N; Stimberg 2018
    off: float = 0.5 / s  # Om_N; Stimberg 2018
    zeta: float = 10.0  # largest speed-up of `off` by PKC; Stimberg 2018
    K_KC: float = sized(0.5 * uM, beside="calcium")  # PKC half-activation by Ca2+; Stimberg 2018
    density: float | None = None  # all receptors [1/um^2]; None: `active` is a fraction

    def __post_init__(self) -> None:
        checks.parameters(self)
        checks.own(self, "active")
        if self.density is None:
            checks.parts(self, "active")

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Activation minus termination [1/s]."""
        active, every = c[self.active], 1.0 if self.density is None else self.density
        return {self.active: self.on * c[self.glutamate] * (every - active) - self.ending(c[self.calcium]) * active}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One receptor activated, or terminated."""
        if self.density is None:
            raise checks.InputError("active is a fraction of the receptors; give a density [1/um^2] to have whole ones")
        active = c[self.active]
        return [Reaction({self.active: 1}, self.on * c[self.glutamate] * np.maximum(self.density - active, 0.0)),
                Reaction({self.active: -1}, self.ending(c[self.calcium]) * active)]

    def ending(self, calcium: Floats) -> Floats:
        """Termination of one receptor [1/s]."""
        return self.off * (1 + self.zeta * calcium / (calcium + self.K_KC))
