"""A train of spikes lets K+ out beside an astrocyte's process: how high does it rise, and who takes it up?"""

import numpy as np

import spatial as sp
from spatial.geometry.potential import isopotential
from spatial.geometry.slices import Tree, sliced
from spatial.mechanisms.ion_leak import CHLORIDE, IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.mechanisms.sodium_potassium_pump import SodiumPotassiumPump
from spatial.synapses.potassium_release import LEAST, PotassiumRelease
from spatial.synapses.spikes import regular
from spatial.units import Hz, mM, ms, mV, nm, s, um

tissue = sp.grid("ecs", (-2 * um,) * 3, (2 * um,) * 3, 500 * nm, volume_fraction=0.2, tortuosity=1.6)
process = Tree(np.array([(-1.5, 0.5, 0), (1.5, 0.5, 0)]) * um, np.array([-1, 0]), np.full(2, 200 * nm))
mesh = sliced(process, 500 * nm).with_places(tissue, sp.pool("neurons", [1.0]))
mesh = mesh.touching("plasma membrane", "ecs", tissue.nearest(mesh["plasma membrane"].centres))
mesh = mesh.touching("ecs", "neurons", np.zeros(len(tissue), int))
mesh = isopotential(mesh, "plasma membrane", name="astrocyte potential")
mesh = mesh.with_points("axon", [(0, 0, 0), (0.5, 0, 0)], touching=["ecs"])
ecs, membrane = mesh["ecs"], mesh["plasma membrane"]

outside = sp.Species("K+", ecs, 3.082 * mM, D=1960)
inside = sp.Species("K+ inside", mesh["cytosol"], 99.959 * mM, D=1960)
sodium = sp.Species("Na+ inside", mesh["cytosol"], 15.189 * mM, D=1330)
V = sp.Species("V", mesh["astrocyte potential"], -83.6 * mV, unit="mV", signed=True, scale=10 * mV)
neuron = sp.Species("K+ of neurons", mesh["neurons"], signed=True, scale=1000.0)

trains = (regular(10, 50 * Hz, start=50 * ms), regular(10, 50 * Hz, start=55 * ms))
area = 5 * um * um
model = sp.Model([outside, inside, sodium, V, neuron], [
    PotassiumRelease(mesh["axon"], trains, outside, per_spike=5 * LEAST * area),
    Kir41(membrane, outside, inside, V),
    SodiumPotassiumPump(membrane, potassium_outside=outside, potassium_inside=inside, sodium_inside=sodium, V=V),
    IonLeak(membrane, inside=sodium, V=V),
    IonLeak(membrane, outside=133.71 * mM, inside=5.145 * mM, V=V, g=CHLORIDE, valence=-1, temperature=298.0),
    PotassiumUptake(ecs, outside, neuron, rest=3.082 * mM, rate=2 / s)])

watch = [sp.mean(outside), sp.peak(outside), sp.mean(inside), sp.each(V), sp.total(neuron)]
run = sp.simulate(model, 500 * ms, watch, every=1 * ms)
answer = {
    "highest K+": run["peak K+"].max() / mM, "mean K+": run["mean K+"].max() / mM - 3.082,
    "K+ at the end": run["mean K+"][-1] / mM - 3.082, "depolarised by": run["V"].max() + 83.6,
    "taken by neurons": run["total K+ of neurons"][-1], "taken by the process": np.ptp(run["mean K+ inside"]) / mM}
