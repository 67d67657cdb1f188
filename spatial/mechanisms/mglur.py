"""Metabotropic glutamate receptors on the astrocyte's membrane."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import sized
from spatial.geometry.place import Floats, Place
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species, gained
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class GqReceptor:
    """Active fraction of a Gq-coupled receptor, terminated by PKC (G-ChI; Stimberg 2018, biophysics A3).

    `on` fits the ODE's glutamate, far larger than what reaches a real process: calibrate it where
    the glutamate field is resolved (biophysics trap C6). With a `density`, `active` is not a fraction but
    receptors per um^2. With `inactive` those that are not active are a species too, so that receptors can be played one
    by one and no more are active than there are.
    """

    where: Place  # plasma membrane
    glutamate: Species  # ECS; the field, or any other agonist
    calcium: Species  # cytosol
    active: Species  # on the membrane, the active fraction; with a density or `inactive`, number [1/um^2]
    on: float = sized(0.3 / (uM * s), far=1e4)  # O_N; Stimberg 2018
    off: float = 0.5 / s  # Om_N; Stimberg 2018
    zeta: float = 10.0  # largest speed-up of `off` by PKC; Stimberg 2018
    K_KC: float = sized(0.5 * uM, beside="calcium")  # PKC half-activation by Ca2+; Stimberg 2018
    density: float | None = None  # all receptors [1/um^2]; None: `active` is a fraction
    inactive: Species | None = None  # on the membrane, the other receptors, number [1/um^2]

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K_KC",))
        checks.own(self, "active")
        if self.density is None and self.inactive is None:
            checks.parts(self, "active")
        if self.inactive is not None:
            self._check_inactive()

    def _check_inactive(self) -> None:
        """Raise `InputError` unless the inactive receptors are counted beside the active ones, and nowhere else."""
        checks.own(self, "inactive")
        if self.density is not None:
            raise checks.InputError("GqReceptor: density and inactive are both given; the receptors that there are are "
                                    "active or inactive, so leave the density out")

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Ca2+ speeds termination up, by PKC."""
        return (ConcentrationLaw(self.calcium, K=self.K_KC),)

    def rates(self, c: Concentrations, t: float) -> Gains:
        """Activation minus termination [1/s]."""
        active = c[self.active]
        net = self.on * c[self.glutamate] * self._waiting(c) - self.ending(c[self.calcium]) * active
        return {self.active: net, **gained(self.inactive, -net)}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One receptor activated, or terminated."""
        if self.inactive is None:
            raise checks.InputError("more receptors could become active than there are, for the others are no species; "
                                    "give them as inactive, and both as numbers [1/um^2]")
        return [Reaction({self.active: 1, self.inactive: -1}, self.on * c[self.glutamate] * c[self.inactive]),
                Reaction({self.active: -1, self.inactive: 1}, self.ending(c[self.calcium]) * c[self.active])]

    def _waiting(self, c: Concentrations) -> Floats:
        """(n,) receptors that are not active, in the unit of those that are."""
        if self.inactive is not None:
            return c[self.inactive]
        return (1.0 if self.density is None else self.density) - c[self.active]

    def ending(self, calcium: Floats) -> Floats:
        """Termination of one receptor [1/s]."""
        return self.off * (1 + self.zeta * calcium / (calcium + self.K_KC))
