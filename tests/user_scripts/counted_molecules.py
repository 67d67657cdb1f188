"""How high is the Ca2+ of small spines, molecule by molecule, during one spike? The mean of 300 spines."""

import numpy as np

import spatial as sp
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.clearance import Conversion, Passage
from spatial.mechanisms.injection import Injection
from spatial.units import molecule, ms, s, uM, um3

many, volume = 300, 0.05 * um3
mesh = sp.Mesh.of(sp.pool("heads", np.full(many, volume)), sp.pool("dendrite", [1000.0 * um3]))
mesh = mesh.touching("heads", "dendrite", np.zeros(many, int))
heads = mesh["heads"]

rest, total, K = 0.1 * uM, 10 * uM, 2 * uM
bound = bound_at(rest, total, K)
calcium = sp.Species("calcium", heads, rest)
buffer = sp.Species("buffer", heads, total - bound)
bound_buffer = sp.Species("buffer with Ca", heads, bound)
below = sp.Species("calcium in the dendrite", mesh["dendrite"], rest)
outside = sp.Species("calcium outside", mesh["dendrite"])
model = sp.Model([calcium, buffer, bound_buffer, below, outside], [
    Buffer(heads, calcium, buffer, bound_buffer, kon=20 / (uM * s), K=K),
    Injection(heads, calcium, flux=300 * molecule / (5 * ms) / volume, start=5 * ms, stop=10 * ms),
    Injection(heads, calcium, flux=50 / s * rest),
    Conversion(heads, calcium, outside, rate=50 / s),
    Passage(heads, calcium, below, permeability=10 / s)])

watch = [sp.each(calcium), sp.mean(bound_buffer), sp.mean(outside)]
run = sp.simulate(model, 30 * ms, watch, every=0.5 * ms, seed=1, method="stochastic")
mean = run["calcium"].mean(axis=1)
answer = {
    "highest Ca2+": mean.max(), "Ca2+ at the end": mean[-1], "bound": run["mean buffer with Ca"].max(),
    "molecules": mean.max() * volume / molecule, "extruded": run["mean calcium outside"][-1] * 1000 / many / volume}
