"""One vesicle of D-serine in neuropil: who hears it, and how clearance narrows the circle."""

import numpy as np

import spatial as sp
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.units import molecule, ms, nm, s, uM, um

distances = np.array([0.25, 0.5, 1.0, 1.5]) * um


def peaks(clearance: float) -> np.ndarray:
    """Largest D-serine [uM] at each distance from a vesicle of 8000 molecules."""
    tissue = sp.grid("ecs", (-2 * um,) * 3, (2 * um,) * 3, 125 * nm, volume_fraction=0.2, tortuosity=1.6)
    mesh = sp.Mesh.of(tissue, pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), np.int64))
    mesh = mesh.with_points("vesicle", [(0, 0, 0)], touching=["ecs"])
    d_serine = sp.Species("D-serine", mesh["ecs"], D=900)
    held = sp.Species("D-serine in the vesicle", mesh["vesicle"], 8000 * molecule)
    gone = sp.Species("D-serine gone", mesh["gone"])
    model = sp.Model([d_serine, held, gone], [
        Emptying(mesh["vesicle"], held, d_serine, tau=1 * ms),
        Conversion(mesh["ecs"], d_serine, gone, rate=clearance)])
    heard = sp.at(d_serine, [(r, 0, 0) for r in distances])
    return sp.simulate(model, 10 * ms, [heard])["D-serine at points"].max(axis=0)


for clearance in (0.5 / s, 100 / s, 2000 / s):
    heard = ", ".join(f"{1e3 * c:.0f} nM at {r:g} um" for r, c in zip(distances, peaks(clearance) / uM, strict=True))
    print(f"cleared at {clearance:6.1f} /s: {heard}")
