"""IP3 empties the ER in a second; store-operated entry answers in tens of seconds, where ER meets the membrane.

    python examples/store_operated_entry.py [MESH]    a tetrahedral mesh of a process with ER, in um

The receptors release at once. STIM oligomerises and opens Orai only at junctions, where the ER lies within
25 nm of the plasma membrane (50 nm in the parametric process, whose ER comes no closer than 39 nm).
"""

import os
import sys
from dataclasses import replace

import numpy as np

import spatial as sp
from spatial.geometry.junctions import JUNCTIONS, with_junctions
from spatial.geometry.load import load
from spatial.geometry.tripartite import Tripartite, tripartite
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.serca import SERCA
from spatial.mechanisms.soce import StimOrai
from spatial.output.figures import Panel, time_courses
from spatial.scenarios.parts.neighbourhood import with_lumen
from spatial.units import nm, s, uM, um

UNTIL = 12 * s if os.environ.get("SPATIAL_QUICK") else 180 * s
STIMULUS = 10 * s

shape = load(sys.argv[1], unit=um) if len(sys.argv) > 1 else tripartite(Tripartite(resolution=2.5))
mesh = sp.discretise(shape)
mesh = mesh if "er" in mesh else with_lumen(mesh, shape)
plasma, er = mesh["plasma membrane"], mesh["er membrane"]
mesh = mesh.with_places(sp.pool("outside", [1.0])).touching(plasma.name, "outside", np.zeros(len(plasma), int))
mesh = with_junctions(mesh, within=(25 if len(sys.argv) > 1 else 50) * nm)
plasma, junctions = mesh["plasma membrane"], mesh[JUNCTIONS]
part = junctions.total / plasma.total
print(f"{100 * part:.2g} % of the plasma membrane, {junctions.total:.2g} um2, is within reach of the ER")

calcium = sp.Species("calcium", mesh["cytosol"], 0.1 * uM, D=13)  # apparent: buffers are not explicit
store = sp.Species("ER calcium", mesh["er"], 400 * uM, D=220 if len(mesh["er"].links) else 0)
ip3 = sp.Species("IP3", mesh["cytosol"], 0.01 * uM, D=280)
outside = sp.Species("calcium outside", mesh["outside"], signed=True)
h = sp.Species("h", er, 0.9, unit="1")
stim, orai = (sp.Species(name, junctions, 0.03, unit="1", scale=1.0) for name in ("STIM", "Orai"))

depth = mesh["er"].total / er.total  # V_ER/S_ER, so that rates below are per s of the store, as if well mixed
outward = 0.05 * um  # V_cyt/S_PM of a process 0.1 um in radius
entry = StimOrai(junctions, calcium, store, outside, stim, orai)
model = sp.Model([calcium, store, ip3, outside, h, stim, orai], [
    LiRinzel(er, calcium, store, ip3, h, permeability=20 / s * depth),
    SERCA(er, calcium, store, V=20 * uM / s * depth),
    ERLeak(er, calcium, store, permeability=0.025 / s * depth),
    LinearExtrusion(plasma, calcium, outside, rate=3 / s * outward),
    PlasmaLeak(plasma, calcium, outside, influx=0.3 * uM / s * outward),
    replace(entry, permeability=entry.permeability / part),  # all entry of the membrane, at junctions
    Injection(mesh["cytosol"], ip3, flux=10 * uM / s, start=STIMULUS, stop=STIMULUS + 0.1 * s)])

recording = sp.simulate(model, UNTIL, [sp.mean(one) for one in (calcium, store, stim, orai)], start=sp.rest(model))
time_courses("store_operated_entry.png", recording, (
    Panel("Ca2+", ("mean calcium",), ("in the cytosol",)), Panel("Ca2+", ("mean ER calcium",), ("in the ER",)),
    Panel("part", ("mean STIM", "mean Orai"), ("STIM oligomerised", "Orai open"))))


def half_way(name: str) -> float:
    """Time after the stimulus at which a series has gone half of its way [s]."""
    values = recording[name]
    level = (values[0] + values.max()) / 2
    return float(recording.times[np.argmax(values >= level)] - STIMULUS)


print(f"Ca2+ is half way up after {half_way('mean calcium'):.2g} s, Orai half open after {half_way('mean Orai'):.3g} s")
