"""The spikes of two neurons are paired at a synapse; whether its weight changes is up to the astrocyte beside it.

With SPATIAL_QUICK set there is one pair of spikes instead of ten."""

import os

import numpy as np

import spatial as sp
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.store import with_store
from spatial.mechanisms.calcium_leak import ERLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying, ThresholdExocytosis
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.mglur import GqReceptor
from spatial.mechanisms.plc import PLCBeta
from spatial.mechanisms.serca import SERCA
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import regular
from spatial.units import Hz, molecule, ms, nm, s, uM, um

tissue = sp.grid("ecs", (-1.5 * um,) * 3, (1.5 * um,) * 3, 300 * nm, volume_fraction=0.2, tortuosity=1.6)
process = Tree(np.array([(0.2, 0, 0), (1.2, 0, 0)]) * um, np.array([-1, 0]), np.full(2, 120 * nm))
mesh = with_store(sliced(process, 250 * nm)).with_places(tissue, sp.pool("gone", [1.0]))
mesh = mesh.touching("plasma membrane", "ecs", tissue.nearest(mesh["plasma membrane"].centres))
mesh = mesh.touching("ecs", "gone", np.zeros(len(tissue), int))
mesh = mesh.with_points("synapses", [(0, 0, 0), (0.6, 0.6, 0), (-1, 0.6, 0)], touching=["ecs"])
mesh = mesh.with_points_on("sites", "plasma membrane", np.array([0, 2]))

ecs, cytosol, plasma, er, synapses, sites = (
    mesh[name] for name in ("ecs", "cytosol", "plasma membrane", "er membrane", "synapses", "sites"))
glutamate, d_serine = sp.Species("glutamate", ecs, D=760, scale=10 * uM), sp.Species("D-serine", ecs, D=900)
calcium, store = sp.Species("Ca2+", cytosol, 0.07 * uM, D=13), sp.Species("ER Ca2+", mesh["er"], 10.6 * uM, D=13)
ip3, h, active = sp.Species("IP3", cytosol, D=280), sp.Species("h", er, 0.7), sp.Species("active mGluR", plasma)
docked, given, fused = sp.Species("docked", sites, 1.0), sp.Species("given", sites), sp.Species("fused", sites)
gone = sp.Species("gone", mesh["gone"])
u, x, released, pre, post, eligibility, weight = states = [sp.Species(
    name, synapses, float(name == "x"), scale=0.01, signed=True) for name in
    ("u", "x", "released", "pre", "post", "eligibility", "weight")]
spikes, until = (regular(1, 20 * Hz), 0.1 * s) if "SPATIAL_QUICK" in os.environ else (regular(10, 20 * Hz), 4 * s)
trains = (spikes, np.zeros(0), np.zeros(0))  # two synapses are silent
gate, traces = CoagonistGate(d_serine), (pre, post, eligibility, weight)
neurons = [TsodyksMarkram(synapses, trains, glutamate, A1Inhibition(0.0), u, x, released),
           ThreeFactorRule(synapses, trains, spikes + 10 * ms, glutamate, gate, *traces, A_alone=0.001)]
astrocyte = [GqReceptor(plasma, glutamate, calcium, active, on=30 / (uM * s)), PLCBeta(plasma, ip3, active),
             IP3Degradation(cytosol, ip3, calcium), LiRinzel(er, calcium, store, ip3, h), SERCA(er, calcium, store),
             ERLeak(er, calcium, store), Emptying(sites, fused, d_serine, 50 * ms),
             ThresholdExocytosis(sites, calcium, docked, given, fused, resource=4 * 8000 * molecule)]
uptake = [Conversion(ecs, glutamate, gone, 1262 / s), Conversion(ecs, d_serine, gone, 0.5 / s)]
whole = sp.Model([glutamate, d_serine, calcium, store, ip3, h, active, docked, given, fused, gone, *states],
                 [*neurons, *astrocyte, *uptake])
for name, model in {"as it is": whole, "that does not release": whole.without(ThresholdExocytosis)}.items():
    seen = sp.simulate(model, until, [sp.peak(calcium), sp.over(d_serine, u), sp.each(weight)], start=sp.rest(model))
    print(f"astrocyte {name}: Ca2+ up to {seen['peak Ca2+'].max():.2f} uM, D-serine to "
          f"{seen['D-serine at synapses'].max():.2f} uM; weights {(100 * seen['weight'][-1]).round(4)} %")
