"""Two synapses drive a neuron: how often does it fire, how far does its spine's Ca2+ rise, and do weights scale?"""

import numpy as np

import spatial as sp
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.synapses.glutamate_receptors import AMPA, NMDA, ReceptorStates
from spatial.synapses.plasticity.scaling import SynapticScaling
from spatial.synapses.plasticity.slow_signal import SlowSignal
from spatial.synapses.plasticity.spike_rates import SpikeRates
from spatial.synapses.postsynaptic import LIF, with_neurons
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import Firing, regular
from spatial.synapses.synaptic_current import SpineCalcium, SynapticCurrent
from spatial.units import Hz, molecule, ms, mV, nm, pA, s, uM, um

tissue = sp.grid("ecs", (-0.6 * um,) * 3, (0.6 * um,) * 3, 300 * nm, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), int))
mesh = mesh.with_points("synapses", [(-0.3, 0, 0), (0.3, 0, 0)], touching=["ecs"])
mesh = with_neurons(mesh, "synapses", [0, 0], capacitance=0.2)
ecs, synapses, neuron = mesh["ecs"], mesh["synapses"], mesh["neurons"]

glutamate, gone = sp.Species("glutamate", ecs, D=760, scale=10 * uM), sp.Species("gone", mesh["gone"])
V = sp.Species("V", neuron, -70 * mV, unit="mV", signed=True, scale=10 * mV)
spikes = sp.Species("spikes", neuron, unit="1")
u, leaving, released = (sp.Species(name, synapses, scale=0.1) for name in ("u", "leaving", "released"))
x, calcium = sp.Species("x", synapses, 1.0, scale=0.1), sp.Species("spine Ca2+", synapses, 0.05 * uM, scale=0.5 * uM)
pre, post, slow = (sp.Species(name, synapses, unit="Hz", scale=1.0) for name in ("pre rate", "post rate", "slow rate"))
weight = sp.Species("weight", synapses, 1.0, unit="1")
ampa, nmda = AMPA.species(synapses), NMDA.species(synapses)

trains = (regular(4, 40 * Hz, 20 * ms), regular(2, 40 * Hz, 25 * ms))
current = SynapticCurrent(synapses, V, ampa["O"], nmda["O"], d_serine=5 * uM)
model = sp.Model([glutamate, gone, V, spikes, u, x, leaving, released, calcium, pre, post, slow, weight,
                  *ampa.values(), *nmda.values()], [
    TsodyksMarkram(synapses, trains, leaving, A1Inhibition(0.0), u, x, released, resource=3000 * molecule),
    Emptying(synapses, leaving, glutamate, 0.1 * ms),
    Conversion(ecs, glutamate, gone, 1262 / s),
    ReceptorStates(synapses, AMPA, glutamate, ampa), ReceptorStates(synapses, NMDA, glutamate, nmda),
    current, LIF(neuron, V, spikes, tau=20 * ms, threshold=-54 * mV, reset=-60 * mV, current=180 * pA),
    SpineCalcium(synapses, calcium, current),
    SpikeRates(synapses, trains, Firing(V, -54.1 * mV), pre, post, tau=100 * ms),
    SlowSignal(synapses, post, slow, tau=1 * s),
    SynapticScaling(synapses, slow, weight, target=5 * Hz, tau=10 * s)])

run = sp.simulate(model, 150 * ms, [sp.each(one) for one in (V, spikes, calcium, pre, slow, weight, glutamate)])
answer = {
    "spikes": run["spikes"][-1], "Ca2+": run["spine Ca2+"][:, 0].max(), "Ca2+ of the other": run["spine Ca2+"][-1, 1],
    "presynaptic rate": run["pre rate"].max(), "slow rate": run["slow rate"][-1, 0],
    "weight": 100 * (1 - run["weight"][-1, 0]), "glutamate": run["glutamate"].max()}
