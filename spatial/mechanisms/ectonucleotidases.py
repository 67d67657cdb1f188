"""Ectonucleotidases: enzymes that face the extracellular space and take ATP apart to adenosine."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import by_annotation, sized
from spatial.geometry.place import Floats, Place
from spatial.model import ConcentrationLaw, Concentrations, Gains, Reaction, Species
from spatial.units import s, uM


@dataclass(frozen=True, eq=False)
class NTPDase:
    """ATP -> ADP -> AMP, each substrate competing with the other for the enzyme (biophysics A8).

    `where` is the ECS, or a membrane that touches it: then V1 and V2 are per area, from `surface_rate`.
    Subtypes differ in the ADP they let go (Kukulski 2005). NTPDase1 passes most ATP straight on to AMP:
    `channelled` near 1. NTPDase2 accumulates ADP: V2 near V1/10 (M).
    """

    where: Place
    atp: Species  # ECS
    adp: Species  # ECS
    amp: Species  # ECS
    V1: float = 17 * uM / s  # of ATP; half of 1 uM is gone in 0.85 s, Dunwiddie 1997: 0.2-1 s, M
    K1: float = sized(20 * uM, beside="atp", from_below=False)  # ATP; Kukulski 2005: micromolar, number M (10-80)
    V2: float = 17 * uM / s  # of ADP; as V1, choice
    K2: float = sized(20 * uM, beside="adp", from_below=False)  # ADP; as K1, M (10-80)
    channelled: float = 0.0  # part of ATP that leaves the enzyme only as AMP; choice

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K1", "K2"))
        if self.channelled > 1:
            raise checks.InputError(f"NTPDase: channelled is {self.channelled:g}; it must be a part, at most 1")

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """Both substrates saturate the enzyme."""
        return (ConcentrationLaw(self.atp, K=self.K1), ConcentrationLaw(self.adp, K=self.K2))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """ATP and ADP hydrolysed [uM/s in a volume, uM um/s on a membrane]."""
        first, second = self.fluxes(c[self.atp], c[self.adp])
        through = self.channelled * first
        return {self.atp: -first, self.adp: first - through - second, self.amp: through + second}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One ATP to ADP, one ATP to AMP, or one ADP to AMP."""
        first, second = self.fluxes(c[self.atp], c[self.adp])
        return [Reaction({self.atp: -1, self.adp: 1}, (1 - self.channelled) * first),
                Reaction({self.atp: -1, self.amp: 1}, self.channelled * first),
                Reaction({self.adp: -1, self.amp: 1}, second)]

    def fluxes(self, atp: Floats, adp: Floats) -> tuple[Floats, Floats]:
        """Hydrolysis of ATP and of ADP, v1 and v2, at these concentrations [uM]."""
        return (self.V1 * atp / (self.K1 * (1 + adp / self.K2) + atp),
                self.V2 * adp / (self.K2 * (1 + atp / self.K1) + adp))


@dataclass(frozen=True, eq=False)
class CD73:
    """AMP -> adenosine, blocked by ATP and ADP: adenosine waits until these are gone (biophysics A8).

    `where` is the ECS, or a membrane that touches it: then V is per area, from `surface_rate`.
    """

    where: Place
    atp: Species  # ECS
    adp: Species  # ECS
    amp: Species  # ECS
    adenosine: Species  # ECS
    V: float = 10 * uM / s  # V3; choice
    K: float = sized(10 * uM, beside="amp", from_below=False)  # AMP, K3; M (3-50)
    Ki: float = 5 * uM  # of ATP and ADP together; M

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("K", "Ki"))

    @property
    def laws(self) -> tuple[ConcentrationLaw, ...]:
        """AMP saturates the enzyme; ATP and ADP block it."""
        return (ConcentrationLaw(self.amp, K=self.K),
                ConcentrationLaw(self.atp, K=self.Ki),
                ConcentrationLaw(self.adp, K=self.Ki))

    def rates(self, c: Concentrations, t: float) -> Gains:
        """AMP hydrolysed [uM/s in a volume, uM um/s on a membrane]."""
        flux = self.flux(c[self.atp], c[self.adp], c[self.amp])
        return {self.amp: -flux, self.adenosine: flux}

    def reactions(self, c: Concentrations, t: float) -> list[Reaction]:
        """One AMP hydrolysed."""
        return [Reaction({self.amp: -1, self.adenosine: 1}, self.flux(c[self.atp], c[self.adp], c[self.amp]))]

    def flux(self, atp: Floats, adp: Floats, amp: Floats) -> Floats:
        """Hydrolysis of AMP, v3, at these concentrations [uM]."""
        return self.V * amp / (self.K * (1 + (atp + adp) / self.Ki) + amp)


@by_annotation
def surface_rate(rate: float, volume_fraction: float, membrane: float) -> float:
    """The rate per membrane area that does what `rate` does per ECS volume, V alpha/S (biophysics A8).

    `membrane` is the area that carries the enzyme or carrier [um^2 per um^3 of tissue]. A `rate` in uM/s becomes
    uM um/s, one in 1/s a permeability [um/s].
    """
    checks.number("surface rate: rate", rate)
    checks.fraction("surface rate: volume fraction", volume_fraction)
    checks.positive("surface rate: membrane area", membrane)
    return rate * volume_fraction / membrane
