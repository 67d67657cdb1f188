"""What the tripartite scenario can vary; everything else is a mechanism's own parameter."""

from dataclasses import dataclass

from spatial import checks
from spatial.units import Hz, molecule, ms, nm, s, uM, um

LEDGER = "ledger"  # the place where what has left is counted, as an amount
SITES = "release sites"
SYNAPSES = "synapses"
ALPHA, LAMBDA = 0.2, 1.6  # of neuropil, volume fraction and tortuosity; Nicholson & Phillips 1981
SURROUND_RADIUS = 100 * um  # of neuropil around all: an astrocyte's territory is 50-130 um, Stimberg 2018


@dataclass(frozen=True)
class Settings:
    """Stimulus, resting state, release and clearance of the tripartite scenario."""

    spikes: int = 10
    rate: float = 20 * Hz
    first: float = 0.1 * s
    pairing: float = 10 * ms  # from each presynaptic spike to the postsynaptic one
    duration: float = 3 * s
    astrocyte: bool = True  # False: its vesicles do not fuse
    adenosine_held: float | None = None  # at A1 receptors [uM]; 0 blocks them
    d_serine_held: float | None = None  # above rest, at NMDA receptors [uM]; 0 blocks what the astrocyte adds
    calcium: float = 0.1 * uM  # resting; between Handy 2017 (0.087) and Denizot 2019 (0.12)
    store: float = 400 * uM  # resting ER Ca2+, so that STIM sees a full store (biophysics A4, trap C5)
    mobile_buffer: float = 7.5 * uM  # fura-like indicator; ASTRO default
    immobile_buffer: float = 70 * uM  # endogenous; ASTRO default
    receptor_on: float = 30 / (uM * s)  # mGluR at a resolved glutamate transient; calibrated (trap C6)
    clusters: int = 3  # of IP3 receptors on the ER, 1-4 um apart (M); choice
    cluster_radius: float = 60 * nm  # 2-15 channels; choice
    sites: int = 12  # release sites; choice
    vesicles: int = 4  # slots of each site for each transmitter; Manninen 2020
    atp_vesicle: float = 85_000 * molecule  # lysosome of 300 nm at 10 mM; M
    d_serine_vesicle: float = 8_000 * molecule  # twice the 4000 of a 50 nm vesicle of ATP; choice
    atp_emptying: float = 100 * ms  # astrocytes' fusion pores stay narrow for long; choice
    d_serine_emptying: float = 50 * ms  # choice
    glutamate_emptying: float = 0.1 * ms  # of a synaptic vesicle; choice
    d_serine_loss: float = 0.5 / s  # default of biophysics A6
    glutamate_loss: float = 1262 / s  # binding by the neuropil's own transporters; biophysics A9
    stump: float = 0.0 * um  # of cytosol beyond each face where a mesh was cut; 0: these faces are sealed

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("duration", "rate"))
