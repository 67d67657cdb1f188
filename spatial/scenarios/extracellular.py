"""The extracellular fields of the tripartite scenario: glutamate, the purines from ATP to adenosine, and D-serine."""

from dataclasses import dataclass

from spatial.geometry.place import Mesh
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ectonucleotidases import CD73, NTPDase
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.model import Mechanism, Species
from spatial.operators.open_boundary import FAR_BOUNDARY, far_permeability
from spatial.scenarios.settings import LEDGER, SITES, Settings
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

    def mechanisms(self, mesh: Mesh, settings: Settings, calcium: Species) -> list[Mechanism]:
        """Uptake, conversion and loss, the open boundary, and release by the astrocyte."""
        ecs, neuropil = mesh["ecs"], mesh["neuropil"]
        return [
            Transporter(mesh["plasma membrane"], self.glutamate, self.transporter, self.transporter_bound,
                        self.transporter_inward, self.glutamate_gone),
            Conversion(neuropil, self.glutamate, self.glutamate_gone, settings.glutamate_loss),
            NTPDase(ecs, self.atp, self.adp, self.amp),
            CD73(ecs, self.atp, self.adp, self.amp, self.adenosine),
            AdenosineUptake(ecs, self.adenosine, self.purine_gone),
            Conversion(ecs, self.d_serine, self.d_serine_gone, settings.d_serine_loss),
            *self._boundary(mesh, settings),
            *(self._release(mesh, settings, calcium) if settings.astrocyte else []),
        ]

    def _boundary(self, mesh: Mesh, settings: Settings) -> list[Mechanism]:
        """The tissue goes on beyond the far boundary, where each molecule is lost as it is far below saturation."""
        far, ecs = mesh[FAR_BOUNDARY], mesh["ecs"]
        middle = far.measure @ far.centres / far.total
        fates = ((self.glutamate, self.glutamate_gone, settings.glutamate_loss),
                 (self.atp, self.purine_gone, NTPDase.V1 / NTPDase.K1),
                 (self.adp, self.purine_gone, NTPDase.V2 / NTPDase.K2),
                 (self.amp, self.purine_gone, CD73.V / CD73.K),
                 (self.adenosine, self.purine_gone, AdenosineUptake.V / AdenosineUptake.K),
                 (self.d_serine, self.d_serine_gone, settings.d_serine_loss))
        return [Conversion(far, species, gone, far_permeability(far, ecs, species.D, middle, 0.2, 1.6, loss))
                for species, gone, loss in fates]

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

    return Extracellular(
        glutamate=Species("glutamate", ecs, D=760, scale=10 * uM),  # M; D* 297, Zheng 2008: 320
        atp=Species("ATP", ecs, D=300, scale=5 * uM),  # M
        adp=Species("ADP", ecs, D=350, scale=5 * uM),  # M
        amp=Species("AMP", ecs, D=400, scale=5 * uM),  # M
        adenosine=Species("adenosine", ecs, D=600, scale=0.1 * uM),  # M
        d_serine=Species("D-serine", ecs, D=900, scale=1 * uM),  # M; what is above its resting level
        transporter=Species("transporter", plasma, DENSITY, unit="uM um"),
        transporter_bound=Species("transporter with glutamate", plasma, unit="uM um", scale=DENSITY),
        transporter_inward=Species("transporter inward", plasma, unit="uM um", scale=DENSITY),
        atp_docked=docked("ATP"), atp_fused=fused("ATP"), atp_leaving=leaving("ATP", settings.atp_vesicle),
        d_serine_docked=docked("D-serine"), d_serine_fused=fused("D-serine"),
        d_serine_leaving=leaving("D-serine", settings.d_serine_vesicle),
        glutamate_gone=gone("glutamate"), purine_gone=gone("purine"), d_serine_gone=gone("D-serine"))
