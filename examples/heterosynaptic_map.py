"""One synapse is paired with its target, its silent neighbours change: the default scenario, as a script.

    python examples/heterosynaptic_map.py            the whole experiment, a minute or two
    SPATIAL_QUICK=1 python examples/...              the same on a coarse mesh for a fraction of a second
"""

import os

import numpy as np

import spatial as sp
from spatial.geometry.tripartite import Tripartite
from spatial.output.figures import heterosynaptic_map
from spatial.scenarios.parts.neighbourhood import parametric
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.tripartite.model import tripartite, without_release
from spatial.synapses.release import A1Inhibition
from spatial.units import s

quick = "SPATIAL_QUICK" in os.environ
around = parametric(Tripartite(resolution=3.5 if quick else 2.0))
settings = Settings(duration=0.101 * s if quick else 3 * s)
experiment = tripartite(around.mesh, around.synapses, settings, np.random.default_rng(1))

recording = sp.simulate(experiment.model, settings.duration, experiment.watch, seed=1)
silent = sp.simulate(without_release(experiment).model, settings.duration, experiment.watch, seed=1)

distance = np.linalg.norm(around.synapses - around.synapses[0], axis=1)
weight, control = recording["weight change"][-1], silent["weight change"][-1]
release = (recording["release probability"] / A1Inhibition.U0 - 1).min(axis=0)  # at its lowest in the run
for k in np.argsort(distance):
    print(f"{distance[k]:5.2f} um   weight {100 * weight[k]:+.4f} %   (astrocyte off: {100 * control[k]:+.4f} %)   "
          f"release {100 * release[k]:+.2f} %")
heterosynaptic_map("heterosynaptic_map.png", distance, 100 * weight, 100 * release, distance == 0, around.synapses)
