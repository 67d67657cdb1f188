"""The extracellular fields of the tripartite scenario: glutamate, the purines from ATP to adenosine, and D-serine."""

from dataclasses import dataclass

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.open_boundary import FAR_BOUNDARY, SURROUND, far_permeability, passage_permeability
from spatial.geometry.place import Mesh, Place
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.clearance import Conversion, Passage
from spatial.mechanisms.ectonucleotidases import CD73, NTPDase
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.model import Mechanism, Species
from spatial.scenarios.parts.settings import ALPHA, LAMBDA, LEDGER, SITES, Settings
from spatial.units import uM


@dataclass(frozen=True)
class Extracellular:
    """The fields, what binds glutamate, the vesicles of gliotransmitter, and ledgers of what has left."""

    glutamate: Species
    atp: Species
    adp: Species
    amp: Species
    adenosine: Species
    d_serine: Species
    atp_beyond: Species
    adp_beyond: Species
    amp_beyond: Species
    adenosine_beyond: Species
    d_serine_beyond: Species
    transporter: Species
    transporter_bound: Species
    transporter_inward: Species
    atp_docked: Species
    atp_fused: Species
    atp_leaving: Species
    d_serine_docked: Species
    d_serine_fused: Species
    d_serine_leaving: Species
    glutamate_gone: Species
    purine_gone: Species
    d_serine_gone: Species

    def __post_init__(self) -> None:
        checks.parameters(self)

    @by_annotation
    def mechanisms(self, mesh: Mesh, settings: Settings, calcium: Species) -> list[Mechanism]:
        """Uptake, conversion and loss, the open boundary, and release by the astrocyte."""
        ecs, neuropil = mesh["ecs"], mesh["neuropil"]
        return [
            Transporter(mesh["plasma membrane"], self.glutamate, self.transporter, self.transporter_bound,
                        self.transporter_inward, self.glutamate_gone),
            Conversion(neuropil, self.glutamate, self.glutamate_gone, settings.glutamate_loss),
            *self._fates(ecs, self.atp, self.adp, self.amp, self.adenosine, self.d_serine, settings),
            *self._fates(mesh[SURROUND], self.atp_beyond, self.adp_beyond, self.amp_beyond, self.adenosine_beyond,
                         self.d_serine_beyond, settings),
            *self._boundary(mesh, settings),
            *(self._release(mesh, settings, calcium) if settings.astrocyte else []),
        ]

    def _fates(self, where: Place, atp: Species, adp: Species, amp: Species, adenosine: Species, d_serine: Species,
               settings: Settings) -> list[Mechanism]:
        """What becomes of purines and D-serine, near the synapse or beyond."""
        return [NTPDase(where, atp, adp, amp), CD73(where, atp, adp, amp, adenosine),
                AdenosineUptake(where, adenosine, self.purine_gone),
                Conversion(where, d_serine, self.d_serine_gone, settings.d_serine_loss)]

    def _boundary(self, mesh: Mesh, settings: Settings) -> list[Mechanism]:
        """Purines and D-serine go on into the surround, and come back; glutamate is bound before it gets that far."""
        far, ecs, around = mesh[FAR_BOUNDARY], mesh["ecs"], mesh[SURROUND]
        passing = ((self.atp, self.atp_beyond), (self.adp, self.adp_beyond), (self.amp, self.amp_beyond),
                   (self.adenosine, self.adenosine_beyond), (self.d_serine, self.d_serine_beyond))
        middle = far.measure @ far.centres / far.total
        lost = far_permeability(far, ecs, self.glutamate.D, middle, ALPHA, LAMBDA, settings.glutamate_loss)
        return [Conversion(far, self.glutamate, self.glutamate_gone, lost),
                *(Passage(far, near, beyond, passage_permeability(far, ecs, around, near.D, ALPHA, LAMBDA))
                  for near, beyond in passing)]

    def _release(self, mesh: Mesh, settings: Settings, calcium: Species) -> list[Mechanism]:
        """Vesicles of ATP and of D-serine at the release sites, and their emptying."""
        sites = mesh[SITES]
        return [
            Exocytosis(sites, calcium, self.atp_docked, self.atp_fused, self.atp_leaving,
                       settings.atp_vesicle, settings.vesicles),
            Emptying(sites, self.atp_leaving, self.atp, settings.atp_emptying),
            Exocytosis(sites, calcium, self.d_serine_docked, self.d_serine_fused, self.d_serine_leaving,
                       settings.d_serine_vesicle, settings.vesicles),
            Emptying(sites, self.d_serine_leaving, self.d_serine, settings.d_serine_emptying),
        ]


@by_annotation
def extracellular_at_rest(mesh: Mesh, settings: Settings) -> Extracellular:
    """All fields at rest: nothing released, transporters free, vesicles docked."""
    ecs, plasma, sites, ledger = mesh["ecs"], mesh["plasma membrane"], mesh[SITES], mesh[LEDGER]

    def gone(name: str) -> Species:
        return Species(f"{name} gone", ledger, unit="uM", signed=True, scale=100.0)

    def docked(name: str) -> Species:
        return Species(f"docked {name} vesicles", sites, settings.vesicles, unit="vesicles")

    def fused(name: str) -> Species:
        return Species(f"fused {name} vesicles", sites, unit="vesicles")

    def leaving(name: str, content: float) -> Species:
        return Species(f"{name} in fused vesicles", sites, unit="uM um^3", scale=content)

    def spreading(name: str, D: float, scale: float) -> tuple[Species, Species]:
        return Species(name, ecs, D=D, scale=scale), Species(f"{name} beyond", mesh[SURROUND], D=D, scale=scale)

    atp, adp, amp = spreading("ATP", 300, 5 * uM), spreading("ADP", 350, 5 * uM), spreading("AMP", 400, 5 * uM)  # M
    adenosine = spreading("adenosine", 600, 0.1 * uM)  # M
    d_serine = spreading("D-serine", 900, 1 * uM)  # M; what is above its resting level
    return Extracellular(
        glutamate=Species("glutamate", ecs, D=760, scale=10 * uM),  # M; D* 297, Zheng 2008: 320
        atp=atp[0], adp=adp[0], amp=amp[0], adenosine=adenosine[0], d_serine=d_serine[0],
        atp_beyond=atp[1], adp_beyond=adp[1], amp_beyond=amp[1], adenosine_beyond=adenosine[1],
        d_serine_beyond=d_serine[1],
        transporter=Species("transporter", plasma, DENSITY, unit="uM um"),
        transporter_bound=Species("transporter with glutamate", plasma, unit="uM um", scale=DENSITY),
        transporter_inward=Species("transporter inward", plasma, unit="uM um", scale=DENSITY),
        atp_docked=docked("ATP"), atp_fused=fused("ATP"), atp_leaving=leaving("ATP", settings.atp_vesicle),
        d_serine_docked=docked("D-serine"), d_serine_fused=fused("D-serine"),
        d_serine_leaving=leaving("D-serine", settings.d_serine_vesicle),
        glutamate_gone=gone("glutamate"), purine_gone=gone("purine"), d_serine_gone=gone("D-serine"))
