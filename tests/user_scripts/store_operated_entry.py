"""IP3 empties the ER of a well-mixed process; store-operated entry fills it again: how far, and how fast?"""

import numpy as np

import spatial as sp
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.serca import SERCA
from spatial.mechanisms.soce import StimOrai
from spatial.units import s, uM, um2, um3

volume, lumen, area, er_area = 1.0 * um3, 0.1 * um3, 20.0 * um2, 2.0 * um2
mesh = sp.well_mixed({"cytosol": volume, "er": lumen, "outside": 1.0}, {
    "plasma membrane": (area, ("cytosol", "er", "outside")),
    "er membrane": (er_area, ("cytosol", "er"))})
cytosol, plasma, er = mesh["cytosol"], mesh["plasma membrane"], mesh["er membrane"]

calcium = sp.Species("calcium", cytosol, 0.1 * uM)
store = sp.Species("ER calcium", mesh["er"], 400 * uM)
ip3 = sp.Species("IP3", cytosol, 0.01 * uM)
outside = sp.Species("calcium outside", mesh["outside"], signed=True)
h = sp.Species("h", er, 0.9, unit="1")
stim = sp.Species("STIM", plasma, 0.03, unit="1", scale=1.0)
orai = sp.Species("Orai", plasma, 0.03, unit="1", scale=1.0)

depth = lumen / er_area
outward = volume / area
model = sp.Model([calcium, store, ip3, outside, h, stim, orai], [
    LiRinzel(er, calcium, store, ip3, h, permeability=20 / s * depth),
    SERCA(er, calcium, store, V=20 * uM / s * depth),
    ERLeak(er, calcium, store, permeability=0.025 / s * depth),
    LinearExtrusion(plasma, calcium, outside, rate=3 / s * outward),
    PlasmaLeak(plasma, calcium, outside, influx=0.3 * uM / s * outward),
    StimOrai(plasma, calcium, store, outside, stim, orai, tau_stim=5 * s, tau_orai=10 * s),
    IP3Degradation(cytosol, ip3, calcium),
    Injection(cytosol, ip3, flux=2 * uM / s, start=10 * s, stop=12 * s)])

watch = [sp.mean(one) for one in (calcium, store, stim, orai, ip3)]
run = sp.simulate(model, 120 * s, watch, start=sp.rest(model))
answer = {
    "Ca2+ at rest": run["mean calcium"][0], "highest Ca2+": run["mean calcium"].max(),
    "ER at its lowest": run["mean ER calcium"].min(), "ER at rest": run["mean ER calcium"][0],
    "ER at the end": run["mean ER calcium"][-1], "Orai": run["mean Orai"].max(),
    "entry half open at": run.times[np.argmax(run["mean Orai"] > run["mean Orai"].max() / 2)],
    "highest IP3": run["mean IP3"].max()}
