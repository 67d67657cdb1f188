"""Does it matter for puffs where the ER is? The same channels on the ER of a process, and on ER spread evenly.

    python examples/puffs_and_er.py pap.msh ...        one picture beside each mesh's name, minutes for each
    SPATIAL_QUICK=1 python examples/puffs_and_er.py    a coarse parametric process for a fraction of a second

Receptors and pumps go with the area of ER membrane, so its surface-to-volume ratio sets how high Ca2+ rises;
where the membrane lies sets how local it stays. The pictures here are of the three processes of PAP-ER, that of
d1s8a22b1, with nine receptors, at 10 uM IP3 for 0.5 s.
"""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from spatial import FewMolecules
from spatial.geometry.load import load
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.geometry.tripartite import Tripartite, tripartite
from spatial.output.figures import COLOURS, figure_of, pretty, save, style
from spatial.scenarios.puffs.model import puffs
from spatial.scenarios.puffs.report import Observed, observe
from spatial.scenarios.puffs.settings import PuffSettings
from spatial.units import s, uM

QUICK = bool(os.environ.get("SPATIAL_QUICK"))
SETTINGS = PuffSettings(duration=0.02 * s, ip3=20 * uM) if QUICK else PuffSettings(duration=0.3 * s, ip3=3 * uM)
SEEDS = (3,)  # more take longer, and show what is chance
AREAS = (1.0,) if QUICK else (0.5, 1.0)


def run(process: Tetrahedra, settings: PuffSettings, seed: int) -> Observed:
    """One run under the microscope."""
    return observe(puffs(process, settings, np.random.default_rng([seed, 1])), settings, seed)


def draw(path: Path, own: list[Observed], even: dict[float, list[Observed]]) -> None:
    """Mean Ca2+ over time, how high events rise and how far they reach, and the peak against the ER's area."""
    runs = {"its own ER": own, "the same, evenly": even[1.0]}
    with style():
        figure = figure_of(13.0, 4.6)
        left, middle, right = figure.subplots(1, 3, gridspec_kw={
            "left": 0.07, "right": 0.98, "top": 0.9, "bottom": 0.15, "wspace": 0.32})
        for (name, several), colour in zip(runs.items(), COLOURS, strict=False):
            for one in several:
                left.plot(one.recording.times, one.recording["mean calcium"], color=colour, lw=1.2, alpha=0.8)
            events = [event for one in several for event in one.events]
            middle.plot([1000 * event.spread for event in events], [event.amplitude for event in events], "o",
                        color=colour, alpha=0.6, mec="white", label=f"{name} ({len(events)} events)")
            right.plot([1.0] * len(several), [one.recording["mean calcium"].max() for one in several], "o",
                       color=colour, ms=9)
        for area, several in even.items():
            right.plot([area] * len(several), [one.recording["mean calcium"].max() for one in several], "o",
                       color=COLOURS[1], alpha=0.7)
        left.set(xlabel="time [s]", ylabel=pretty("mean Ca2+ [uM]"), title=path.stem)
        middle.set(xlabel="spread of an event [nm]", ylabel=pretty("its rise of Ca2+ [uM]"))
        middle.legend(frameon=False, fontsize=10)
        right.set(xlabel="area of ER, times its own", ylabel=pretty("highest mean Ca2+ [uM]"), ylim=(0, None))
        save(figure, path)


def compare(process: Tetrahedra, path: Path) -> None:
    """All runs of a process, and its picture."""
    own = [run(process, SETTINGS, seed) for seed in SEEDS]
    even = {area: [run(process, replace(SETTINGS, even_er=True, even_area=area), seed) for seed in SEEDS]
            for area in AREAS}
    for name, several in {"its own ER": own, **{f"even ER x{area:g}": found for area, found in even.items()}}.items():
        heights = ", ".join(f"{one.recording['mean calcium'].max():.3g}" for one in several)
        print(f"{path.stem}: {name}: highest mean Ca2+ {heights} uM, {[len(one.events) for one in several]} events")
    draw(path, own, even)


if __name__ == "__main__":
    warnings.simplefilter("ignore", FewMolecules)
    meshes = [Path(one) for one in sys.argv[1:]]
    for mesh in meshes:
        compare(load(mesh), Path(f"puffs_{mesh.stem}.png"))
    if not meshes:
        compare(tripartite(Tripartite(resolution=3.0 if QUICK else 1.5)), Path("puffs_tripartite.png"))
