"""Metabotropic glutamate receptors on the astrocyte's membrane."""

from dataclasses import dataclass

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class GqReceptor:
    """Active fraction of a Gq-coupled receptor, terminated by PKC (G-ChI; Stimberg 2018, biophysics A3).

    `on` fits the ODE's glutamate, far larger than what reaches a real process: calibrate it where
    the glutamate field is resolved (biophysics trap C6).
    """

    where: Place  # plasma membrane
    glutamate: Species  # ECS; the field, or any other agonist
    calcium: Species  # cytosol
    active: Species  # on the membrane, the active fraction
    on: float = 0.3 / (uM * s)  # O_N; Stimberg 2018
    off: float = 0.5 / s  # Om_N; Stimberg 2018
    zeta: float = 10.0  # largest speed-up of `off` by PKC; Stimberg 2018
    K_KC: float = 0.5 * uM  # PKC half-activation by Ca2+; Stimberg 2018

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Activation minus termination [1/s]."""
        active, calcium = c[self.active], c[self.calcium]
        ending = self.off * (1 + self.zeta * calcium / (calcium + self.K_KC))
        return {self.active: self.on * c[self.glutamate] * (1 - active) - ending * active}
