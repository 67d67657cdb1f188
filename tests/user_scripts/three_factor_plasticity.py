"""One synapse is paired with its neuron beside an astrocyte that releases D-serine: which weights change?"""

import numpy as np

import spatial as sp
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import regular
from spatial.units import Hz, molecule, ms, nm, s, uM, um

tissue = sp.grid("ecs", (-2 * um,) * 3, (2 * um,) * 3, 400 * nm, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), int))
mesh = mesh.with_points("astrocyte", [(0.3 * um, 0, 0)], touching=["ecs"])
mesh = mesh.with_points("synapses", [(0, 0, 0), (0.8, 0, 0), (1.6, 0, 0)], touching=["ecs"])
ecs, synapses, astrocyte = mesh["ecs"], mesh["synapses"], mesh["astrocyte"]

d_serine = sp.Species("D-serine", ecs, D=900)
glutamate = sp.Species("glutamate", ecs, D=760, scale=10 * uM)
vesicle = sp.Species("D-serine in the vesicle", astrocyte, 20 * 8000 * molecule)
gone = sp.Species("D-serine gone", mesh["gone"])
cleared = sp.Species("glutamate gone", mesh["gone"])
u, x, released = (sp.Species(name, synapses, first, scale=0.1) for name, first in
                  (("u", 0.0), ("x", 1.0), ("released", 0.0)))
pre, post, eligibility, weight = (sp.Species(name, synapses, unit="1", signed=True, scale=0.01) for name in
                                  ("pre", "post", "eligibility", "weight"))

spikes = regular(5, 20 * Hz, start=20 * ms)
trains = (spikes, np.zeros(0), np.zeros(0))
neuron = spikes + 10 * ms
model = sp.Model([d_serine, glutamate, vesicle, gone, cleared, u, x, released, pre, post, eligibility, weight], [
    Emptying(astrocyte, vesicle, d_serine, tau=50 * ms),
    TsodyksMarkram(synapses, trains, glutamate, A1Inhibition(0.0), u, x, released),
    Conversion(ecs, d_serine, gone, rate=0.5 / s),
    Conversion(ecs, glutamate, cleared, rate=1262 / s),
    ThreeFactorRule(synapses, trains, neuron, glutamate, CoagonistGate(d_serine), pre, post, eligibility, weight,
                    A_plus=0.01, A_minus=0.0105, A_alone=0.001, tau_plus=20 * ms, tau_minus=20 * ms, tau_e=1 * s)])

run = sp.simulate(model, 2 * s, [sp.over(d_serine, pre), sp.each(weight), sp.each(pre), sp.each(eligibility)], seed=1)
answer = {
    "D-serine": run["D-serine at synapses"][:, 0].max(), "D-serine far": run["D-serine at synapses"][:, 2].max(),
    "paired weight": 100 * run["weight"][-1, 0], "silent weight": 100 * run["weight"][-1, 1],
    "far weight": 100 * run["weight"][-1, 2], "spill-over": run["pre"][:, 1].max(),
    "eligibility": run["eligibility"][:, 0].max()}
