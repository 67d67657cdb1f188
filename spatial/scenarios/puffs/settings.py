"""What the scenario `puffs` can vary."""

from dataclasses import dataclass, field

from spatial import checks
from spatial.mechanisms.indicator import GCAMP6F, Indicator
from spatial.units import mM, nm, s, uM, um


@dataclass(frozen=True)
class PuffSettings:
    """Stimulus, channels and clearance of the puffs."""

    duration: float = 2 * s
    ip3: float = 2 * uM  # held: what an agonist or uncaging keeps up; choice
    calcium: float = 0.12 * uM  # resting; Denizot 2019
    store: float = 400 * uM  # resting ER Ca2+ (biophysics trap C5)
    density: float = 270 / um**2  # receptors on the ER: 230 (Denizot 2025) on 0.85 um2 (d1s15a32b1); choice (trap C12)
    cluster: int = 9  # receptors; 2 to 15, M
    apart: float = 30 * nm  # between clusters; Denizot 2025
    sites: float = 10 * nm  # from a receptor's pore to its own Ca2+ sites: half its width; choice
    between: float = 20 * nm  # from pore to pore within a cluster: side by side; choice
    extrusion: float = 15 / s  # half of the 30 /s of Denizot 2019 leaves through the plasma membrane; choice
    pumping: float = 15 / s  # the other half goes back into the ER, where Ca2+ rests; choice
    luminal_buffer: float = 15 * mM  # calreticulin and others; M
    luminal_K: float = 1.5 * mM  # M
    even_er: bool = False  # ER membrane and lumen spread evenly over the cytosol instead of where they are
    even_area: float = 1.0  # times the mesh's own area of ER membrane, where it is spread evenly
    stump: float = 0.0 * um  # of cytosol beyond each face where a mesh was cut; 0: these faces are sealed
    indicator: Indicator = field(default=GCAMP6F)

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("duration",))
