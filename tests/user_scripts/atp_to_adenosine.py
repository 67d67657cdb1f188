"""A vesicle of ATP in neuropil: how much adenosine becomes of it, and how far does it lower release?"""

import numpy as np

import spatial as sp
from spatial.geometry.shells import graded, shells
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.ectonucleotidases import CD73, NTPDase
from spatial.mechanisms.exocytosis import Emptying
from spatial.mechanisms.injection import Injection
from spatial.synapses.receptors import release_probability
from spatial.units import molecule, ms, nm, s, uM, um

edges = graded(100 * nm, 20 * um, 1.15)
tissue = shells("ecs", edges, volume_fraction=0.2, tortuosity=1.6)
mesh = sp.Mesh.of(tissue, sp.pool("cells", [1.0])).touching("ecs", "cells", np.zeros(len(tissue), int))
site = tissue.centres[:1]
mesh = mesh.with_points("site", site, touching=["ecs"])
ecs = mesh["ecs"]

atp = sp.Species("ATP", ecs, 0.001 * uM, D=330, scale=0.1 * uM)
adp = sp.Species("ADP", ecs, D=360, scale=0.1 * uM)
amp = sp.Species("AMP", ecs, D=400, scale=0.1 * uM)
adenosine = sp.Species("adenosine", ecs, 0.04 * uM, D=600)
taken = sp.Species("taken", mesh["cells"])
vesicle = sp.Species("ATP in vesicles", mesh["site"], 1000 * 8000 * molecule)

model = sp.Model([atp, adp, amp, adenosine, taken, vesicle], [
    Emptying(mesh["site"], vesicle, atp, tau=50 * ms),
    NTPDase(ecs, atp, adp, amp),
    CD73(ecs, atp, adp, amp, adenosine),
    AdenosineUptake(ecs, adenosine, taken),
    Injection(ecs, adenosine, flux=0.036 * uM / s)])

radii = tissue.centres[tissue.nearest(np.array([(0.5, 0, 0), (2, 0, 0), (10, 0, 0)]) * um)]
heard = sp.at(adenosine, radii)
run = sp.simulate(model, 10 * s, [heard, sp.at(atp, radii), sp.total(atp)], every=20 * ms)
rises = run["adenosine at points"] - 0.04 * uM
release = release_probability(0.6, run["adenosine at points"].max(axis=0))
answer = {
    "adenosine 0.5 um away": rises[:, 0].max(), "adenosine 10 um away": rises[:, 2].max(),
    "when": run.times[rises[:, 0].argmax()], "ATP 0.5 um away": run["ATP at points"][:, 0].max(),
    "ATP 10 um away": run["ATP at points"][:, 2].max(),
    "ATP left after 1 s": np.interp(1.0, run.times, run["total ATP"]),
    "release": float(1 - release[0] / release_probability(0.6, np.array([0.04 * uM]))[0])}
