"""Ca2+ of an astrocyte lets go of D-serine, which lets more Ca2+ through NMDA receptors: does the synapse change?"""

import numpy as np

import spatial as sp
from spatial.mechanisms.exocytosis import Emptying, ThresholdExocytosis
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.stimulus import Pulse
from spatial.mechanisms.uptake import ASCT, Uptake
from spatial.synapses.plasticity.calcium_rule import CalciumRule, SpikeCalcium
from spatial.synapses.plasticity.gates import CoagonistFactor, CoagonistGate
from spatial.synapses.spikes import regular
from spatial.units import Hz, molecule, ms, nm, s, uM, um

tissue = sp.grid("ecs", (-1.5 * um,) * 3, (1.5 * um,) * 3, 300 * nm, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("process", [0.5]), sp.pool("cells", [1.0]))
mesh = mesh.touching("ecs", "cells", np.zeros(len(tissue), int))
mesh = mesh.touching("process", "cells", np.zeros(1, int))
mesh = mesh.with_points("sites", [(0.2, 0, 0), (0, 0.2, 0)], touching=["ecs", "process"])
mesh = mesh.with_points("synapses", [(0, 0, 0), (0.6, 0, 0), (1.2, 0, 0)], touching=["ecs"])
ecs, sites, synapses = mesh["ecs"], mesh["sites"], mesh["synapses"]

calcium = sp.Species("astrocyte calcium", mesh["process"], 0.1 * uM)
outside = sp.Species("calcium outside", mesh["cells"])
x = sp.Species("x", sites, 1.0, unit="1")
released = sp.Species("released", sites, unit="uM um^3")
vesicles = sp.Species("vesicles", sites, unit="uM um^3", scale=1000 * molecule)
d_serine = sp.Species("D-serine", ecs, D=900, scale=0.1 * uM)
taken = sp.Species("taken", mesh["cells"])
spine = sp.Species("spine calcium", synapses, unit="1", scale=0.1)
rho = sp.Species("rho", synapses, 0.4, unit="1", signed=True)
passed = sp.Species("passed", synapses, unit="1")

pre = regular(30, 20 * Hz, start=1 * s)
trains = (pre, pre, np.zeros(0))
post = pre + 15 * ms
gate = CoagonistFactor(CoagonistGate(d_serine))
model = sp.Model([calcium, outside, x, released, vesicles, d_serine, taken, spine, rho, passed], [
    Pulse(mesh["process"], species=calcium, flux=8 * uM / s, starts=[0.5 * s, 1.5 * s], duration=200 * ms),
    LinearExtrusion(mesh["process"], calcium, outside, rate=5 / s),
    ThresholdExocytosis(sites, calcium, x, released, vesicles, resource=4 * 8000 * molecule, U=0.6,
                        threshold=0.5 * uM),
    Emptying(sites, vesicles, d_serine, tau=100 * ms),
    Uptake(ecs, d_serine, taken, ASCT),
    SpikeCalcium(synapses, trains, post, spine, nmda=gate, C_pre=1.0, C_post=0.8, delay=13.7 * ms, tau=20 * ms),
    CalciumRule(synapses, spine, rho, passed, theta_d=1.0, theta_p=1.3, sigma=0.0)])

run = sp.simulate(model, 4 * s, [sp.each(rho), sp.each(spine), sp.over(d_serine, spine), sp.total(released),
                                 sp.mean(calcium), sp.total(taken)], every=10 * ms, seed=3)
change = run["rho"][-1] - 0.4
answer = {
    "change": change[0], "change at 0.6 um": change[1], "D-serine": run["D-serine at synapses"][:, 0].max(),
    "D-serine at 1.2 um": run["D-serine at synapses"][:, 2].max(), "released": run["total released"][-1] / molecule,
    "spine": run["spine calcium"].max(), "Ca2+": run["mean astrocyte calcium"].max(),
    "taken": run["total taken"][-1]}
