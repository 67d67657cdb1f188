"""Glutamate carriers diffuse in an astrocyte's membrane: how fast do free ones come to where glutamate was let go?

The cell is a ball of voxels, as from electron microscopy. A third of its carriers is bleached at t = 0 (FRAP).
"""

import numpy as np

import spatial as sp
from spatial.geometry.voxels import Labels, voxel_mesh
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.mechanisms.stimulus import Pulse
from spatial.observe.frames import Film
from spatial.observe.probes import at_elements
from spatial.units import molecule, ms, nm, s, uM, um

side, radius = 50 * nm, 0.35 * um
middles = (np.indices((20, 20, 20)).reshape(3, -1).T + 0.5) * side
inside = np.linalg.norm(middles - 0.5 * um, axis=1) < radius
labels = Labels(inside.reshape(20, 20, 20).astype(int), (side, side, side))
mesh = voxel_mesh(labels, {"astrocyte": 1})
mesh = mesh.with_places(sp.pool("gone", [1.0]))
mesh = mesh.touching("ecs", "gone", np.zeros(len(mesh["ecs"]), int))
mesh = mesh.with_points("synapse", [(0.93, 0.5, 0.5)], touching=["ecs"])
membrane = mesh["astrocyte|ecs"]

glutamate = sp.Species("glutamate", mesh["ecs"], 0.02 * uM, D=760, scale=1 * uM)
free = sp.Species("free", membrane, DENSITY, D=0.23, unit="uM um")
bound = sp.Species("bound", membrane, D=0.23, unit="uM um", scale=0.1 * DENSITY)
inward = sp.Species("inward", membrane, D=0.23, unit="uM um", scale=0.1 * DENSITY)
taken = sp.Species("taken", mesh["astrocyte"], D=400, scale=1 * uM)
away = sp.Species("away", mesh["gone"])
bright = np.where(membrane.centres[:, 0] > 0.6 * um, 0.0, 1.0)
label = sp.Species("labelled carriers", membrane, bright, D=0.23, unit="1/um^2")
bleached = sp.Species("bleached", membrane, unit="1/um^2")

model = sp.Model([glutamate, free, bound, inward, taken, away, label, bleached], [
    Transporter(membrane, glutamate, free, bound, inward, taken),
    Conversion(membrane, label, bleached, rate=0.2 / s),
    Conversion(mesh["ecs"], glutamate, away, rate=20 / s),
    Pulse(mesh["synapse"], species=glutamate, flux=2000 * molecule / (1 * ms), starts=[10 * ms, 60 * ms],
          duration=1 * ms)])

front = np.flatnonzero(membrane.centres[:, 0] > 0.75 * um)
back = np.flatnonzero(membrane.centres[:, 0] < 0.25 * um)
film = Film(label)
run = sp.simulate(model, 0.3 * s, [
    at_elements(free, front, "free in front"), at_elements(inward, front, "inward in front"),
    at_elements(label, front, "light in front"), sp.peak(glutamate), sp.total(taken), sp.total(label),
    at_elements(free, back, "free at the back"), sp.over(glutamate, free)],
    every=2 * ms, frames=film, frame_times=[0.1 * s, 0.2 * s])
weight = membrane.measure[front] / membrane.measure[front].sum()
answer = {
    "free in front, least": (run["free in front"] @ weight).min() / DENSITY,
    "inward in front, most": (run["inward in front"] @ weight).max() / DENSITY,
    "free at the back, least": run["free at the back"].min() / DENSITY,
    "light in front": (run["light in front"] @ weight)[-1], "glutamate": run["peak glutamate"].max(),
    "taken": run["total taken"][-1] / molecule, "light": run["total labelled carriers"][-1],
    "glutamate at the membrane": run["glutamate at astrocyte|ecs"].max(),
    "contrast at 0.1 s": float(film.values[0].std())}
