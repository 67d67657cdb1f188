"""From glutamate to learning through the neuron itself: receptors, potential, Ca2+ of the spine, and its thresholds.

A neuron fires while one of its synapses does; Ca2+ enters that spine through NMDA receptors, as far as glutamate,
D-serine and the potential let it, and with every spike of the neuron. How long it is above two thresholds decides
whether the synapse grows or shrinks (Graupner & Brunel 2012; thresholds in uM are a choice, in their ratio).
With SPATIAL_QUICK set there is one input, not fifteen.
"""

import os

import numpy as np

import spatial as sp
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.synapses.glutamate_receptors import AMPA, NMDA, ReceptorStates
from spatial.synapses.plasticity.calcium_rule import CalciumRule
from spatial.synapses.postsynaptic import AdEx, with_neurons
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import Firing, regular
from spatial.synapses.synaptic_current import BackPropagation, SpineCalcium, SynapticCurrent
from spatial.units import Hz, molecule, ms, mV, nm, pA, s, uM, um

inputs = 1 if "SPATIAL_QUICK" in os.environ else 15
tissue = sp.grid("ecs", (-1 * um,) * 3, (1 * um,) * 3, 200 * nm, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), int))
mesh = mesh.with_points("synapses", [(-0.5, 0, 0), (0.5, 0, 0)], touching=["ecs"])
mesh = with_neurons(mesh, "synapses", [0, 0], capacitance=0.281)
ecs, synapses, neuron = mesh["ecs"], mesh["synapses"], mesh["neurons"]

glutamate, gone = sp.Species("glutamate", ecs, D=760, scale=10 * uM), sp.Species("gone", mesh["gone"])
V = sp.Species("V", neuron, -70.6 * mV, unit="mV", signed=True, scale=10 * mV)
w = sp.Species("adaptation", neuron, unit="pA", signed=True, scale=100 * pA)
spikes = sp.Species("spikes", neuron)
u, leaving, released = (sp.Species(name, synapses) for name in ("u", "leaving", "released"))
x, calcium = sp.Species("x", synapses, 1.0), sp.Species("spine Ca2+", synapses, 0.05 * uM, scale=0.5 * uM)
rho, passed = sp.Species("rho", synapses, 0.5, signed=True), sp.Species("passed", synapses)
ampa, nmda = AMPA.species(synapses), NMDA.species(synapses)

trains = (regular(inputs, 50 * Hz, 50 * ms), np.zeros(0))  # the other synapse is silent
until = inputs / (50 * Hz) + 0.1 * s


def experiment(d_serine: float) -> sp.Model:
    """The model with D-serine so high above rest [uM] at the NMDA receptors."""
    current = SynapticCurrent(synapses, V, ampa["O"], nmda["O"], d_serine=d_serine)
    return sp.Model([glutamate, gone, V, w, spikes, u, x, leaving, released, calcium, rho, passed,
                     *ampa.values(), *nmda.values()], [
        TsodyksMarkram(synapses, trains, leaving, A1Inhibition(0.0), u, x, released, resource=3000 * molecule),
        Emptying(synapses, leaving, glutamate, 0.1 * ms), Conversion(ecs, glutamate, gone, 1262 / s),
        ReceptorStates(synapses, AMPA, glutamate, ampa), ReceptorStates(synapses, NMDA, glutamate, nmda),
        current, AdEx(neuron, V, w, spikes, current=800 * pA), SpineCalcium(synapses, calcium, current),
        BackPropagation(synapses, calcium, Firing(V, -30.4 * mV), per_spike=0.3 * uM),
        CalciumRule(synapses, calcium, rho, passed, theta_d=0.35 * uM, theta_p=0.455 * uM, sigma=0.0)])


for d_serine in (0.0 * uM, 10.0 * uM):
    run = sp.simulate(experiment(d_serine), until, [sp.each(one) for one in (calcium, rho, passed, spikes)])
    peak, change = run["spine Ca2+"].max(axis=0), 100 * (run["rho"][-1] / 0.5 - 1)
    low, high = (np.diff(run.times) @ (run["passed"][:-1, 0] >= count) / ms for count in (1, 2))
    print(f"D-serine {d_serine / uM:4.1f} uM above rest, {run['spikes'][-1]:.0f} spikes of the neuron: Ca2+ up to "
          f"{peak[0]:.2f} uM, above the thresholds for {low:.0f} and {high:.0f} ms: {change[0]:+.1f} %; "
          f"at the silent synapse up to {peak[1]:.2f} uM: {change[1]:+.1f} %")
