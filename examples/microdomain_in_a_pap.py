"""An IP3 receptor channel opens in a perisynaptic process: how far does its Ca2+ reach?

    python examples/microdomain_in_a_pap.py [MESH]   a tetrahedral mesh of a process, in um
"""

import sys

import numpy as np

import spatial as sp
from spatial.geometry.load import load
from spatial.geometry.shapes import cylinder
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.injection import Injection
from spatial.output.scenes import microdomain
from spatial.units import ion_flux, ms, nm, pA, uM, um

shape = load(sys.argv[1], unit=um) if len(sys.argv) > 1 else cylinder(100 * nm, 1 * um, 25 * nm)
mesh = sp.discretise(shape)
middle = mesh["cytosol"].centres.mean(axis=0)
pore = mesh["cytosol"].centres[mesh["cytosol"].nearest(middle)]
mesh = mesh.with_points("channel", pore, touching=["cytosol"])
cytosol = mesh["cytosol"]

calcium = sp.Species("calcium", cytosol, 0.1 * uM, D=220)
bound = bound_at(0.1 * uM, 70 * uM, 10 * uM)
free_buffer = sp.Species("buffer", cytosol, 70 * uM - bound)
bound_buffer = sp.Species("buffer with Ca", cytosol, bound)
model = sp.Model([calcium, free_buffer, bound_buffer], [
    Buffer(cytosol, calcium, free_buffer, bound_buffer),
    Injection(mesh["channel"], calcium, flux=ion_flux(0.1 * pA, valence=2))])

radii = np.array([50, 100, 200, 400]) * nm
direction = np.linalg.svd(cytosol.centres - middle, full_matrices=False)[2][0]  # along the process
along = sp.at(calcium, pore + np.outer(radii, direction))
field = sp.Probe("field", "uM", lambda c: c[calcium].copy())
recording = sp.simulate(model, 5 * ms, [sp.peak(calcium), along, field])

for radius, value in zip(radii, recording["calcium at points"][-1], strict=True):
    print(f"{radius / nm:5.0f} nm from a channel open for 5 ms: {value:6.2f} uM")
microdomain("microdomain.png", cytosol, recording["field"][-1], "Ca$^{2+}$ (uM)")
