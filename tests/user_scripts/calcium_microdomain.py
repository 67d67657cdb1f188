"""How far does the Ca2+ of one open channel reach in a thin process with ER, and how much of it does the ER take up?"""

import numpy as np

import spatial as sp
from spatial.geometry.slices import Tree, sliced
from spatial.geometry.store import with_store
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.units import ion_flux, ms, nm, pA, s, uM, um

process = Tree(np.array([(0, 0, 0), (4, 0, 0)]) * um, np.array([-1, 0]), np.array([100, 100]) * nm)
mesh = with_store(sliced(process, 100 * nm))
mesh = mesh.with_places(sp.pool("outside", [1.0]))
mesh = mesh.touching("plasma membrane", "outside", np.zeros(len(mesh["plasma membrane"]), int))
mesh = mesh.with_points("channel", [(2 * um, 0, 0)], touching=["cytosol"])
cytosol, er, plasma = mesh["cytosol"], mesh["er membrane"], mesh["plasma membrane"]

rest, total, K = 0.1 * uM, 70 * uM, 10 * uM
bound = bound_at(rest, total, K)
calcium = sp.Species("calcium", cytosol, rest, D=220)
store = sp.Species("ER calcium", mesh["er"], 10 * uM, D=220)
buffer = sp.Species("buffer", cytosol, total - bound, D=13)
with_calcium = sp.Species("buffer with Ca", cytosol, bound, D=13)
ip3 = sp.Species("IP3", cytosol, 0.3 * uM, D=280)
h = sp.Species("h", er, 0.8, unit="1")
outside = sp.Species("outside", mesh["outside"], signed=True)

model = sp.Model([calcium, store, buffer, with_calcium, ip3, h, outside], [
    Injection(mesh["channel"], calcium, flux=ion_flux(0.01 * pA, valence=2), start=5 * ms, stop=25 * ms),
    Buffer(cytosol, calcium, buffer, with_calcium, kon=1000 / (uM * s), K=K),
    LiRinzel(er, calcium, store, ip3, h),
    SERCA(er, calcium, store),
    ERLeak(er, calcium, store),
    PMCA(plasma, calcium, outside, V=10 * uM / s * 0.05 * um),
    PlasmaLeak(plasma, calcium, outside, influx=0.47 * uM / s * 0.05 * um)])

places = np.array([(2.0, 0, 0), (2.5, 0, 0), (3.5, 0, 0)]) * um
along = sp.at(calcium, places)
run = sp.simulate(model, 120 * ms, [along, sp.peak(calcium), sp.mean(store), sp.mean(h)], every=0.5 * ms)
reached = run["calcium at points"]
answer = {
    "at the channel": reached[:, 0].max(), "0.5 um away": reached[:, 1].max(), "1.5 um away": reached[:, 2].max(),
    "at the end": run["peak calcium"][-1], "in the ER": run["mean ER calcium"][-1], "h": run["mean h"][-1],
    "time above 1 uM": float(np.diff(run.times) @ (run["peak calcium"][1:] > 1 * uM))}
