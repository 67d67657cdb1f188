"""A burst at one synapse, a single spike at another, under adenosine that comes and goes: what is released?"""

import numpy as np

import spatial as sp
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.injection import Injection
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import regular
from spatial.units import Hz, molecule, ms, nm, s, uM, um

tissue = sp.grid("ecs", (-1 * um,) * 3, (1 * um,) * 3, 250 * nm, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), int))
mesh = mesh.with_points("synapses", [(-0.4, 0, 0), (0.4, 0, 0)], touching=["ecs"])
ecs, synapses = mesh["ecs"], mesh["synapses"]

glutamate = sp.Species("glutamate", ecs, D=760, scale=10 * uM)
adenosine = sp.Species("adenosine", ecs, 0.3 * uM, D=600)
gone, taken = sp.Species("glutamate gone", mesh["gone"]), sp.Species("adenosine taken", mesh["gone"])
holding = sp.Species("being released", synapses)
u = sp.Species("u", synapses, unit="1", scale=0.1)
x = sp.Species("x", synapses, 1.0, unit="1", scale=0.1)
released = sp.Species("released", synapses, scale=10.0)

trains = (regular(8, 20 * Hz, start=100 * ms), np.array([300.0]) * ms)
inhibition = A1Inhibition(adenosine, U0=0.5)
model = sp.Model([glutamate, adenosine, gone, taken, holding, u, x, released], [
    TsodyksMarkram(synapses, trains, holding, inhibition, u, x, released,
                   recovery=2.0 / s, facilitation=3.33 / s, resource=4 * 3000 * molecule),
    Emptying(synapses, holding, glutamate, tau=0.2 * ms),
    Conversion(ecs, glutamate, gone, rate=1000 / s),
    Injection(ecs, adenosine, flux=4 * uM / s, start=0.2 * s, stop=0.4 * s),
    AdenosineUptake(ecs, adenosine, taken)])

watch = [sp.over(glutamate, u), sp.each(x), sp.each(released), sp.mean(adenosine)]
run = sp.simulate(model, 600 * ms, watch, tolerance=sp.Tolerance(5e-3))
spikes = trains[0]
steps = np.interp(spikes + 1 * ms, run.times, run["released"][:, 0])
per_spike = np.diff(steps, prepend=0.0)
answer = {
    "first spike": per_spike[0] / molecule, "paired pulse": per_spike[1] / per_spike[0],
    "last spike": per_spike[-1] / per_spike[0], "the other synapse": run["released"][-1, 1] / molecule,
    "resource left": run["x"][:, 0].min(), "glutamate": run["glutamate at synapses"][:, 0].max(),
    "spilled": run["glutamate at synapses"][run.times < 0.29, 1].max(), "adenosine": run["mean adenosine"].max()}
