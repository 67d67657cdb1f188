"""A ball of cytosol from a .msh file of another mesher, with ER: IP3 uncaged on one side, and the Ca2+ it frees."""

import tempfile
from pathlib import Path

import meshio
import numpy as np

import spatial as sp
from spatial.geometry.load import load
from spatial.geometry.shapes import ball
from spatial.geometry.store import with_store
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.mechanisms.stimulus import Stimulus
from spatial.observe.frames import Film
from spatial.units import ms, nm, s, uM, um

shape = ball(1 * um, 0.4 * um)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "process.msh"
meshio.write(path, meshio.Mesh(shape.points / nm, [("tetra", shape.cells)]), file_format="gmsh")

mesh = with_store(sp.discretise(load(path, unit=nm)), volume_ratio=0.185, surface_to_volume=2 / um)
mesh = mesh.with_places(sp.pool("outside", [1.0]))
mesh = mesh.touching("plasma membrane", "outside", np.zeros(len(mesh["plasma membrane"]), int))
mesh = mesh.touching("cytosol", "outside", np.zeros(len(mesh["cytosol"]), int))
mesh = mesh.with_points("laser", [(0.7, 0, 0)], touching=["cytosol"])
membrane, er = mesh["plasma membrane"], mesh["er membrane"]

calcium = sp.Species("calcium", mesh["cytosol"], 0.08 * uM, D=13, scale=0.05 * uM)
store = sp.Species("ER calcium", mesh["er"], 30 * uM, D=13)
ip3 = sp.Species("IP3", mesh["cytosol"], 0.05 * uM, D=280, scale=0.05 * uM)
h = sp.Species("h", er, 0.9, unit="1")
outside = sp.Species("calcium outside", mesh["outside"], signed=True)
degraded = sp.Species("IP3 degraded", mesh["outside"])

course = np.array([0.0, 1.0, 0.6, 0.2, 0.0]) * 20  # uM um^3/s, of a photodiode beside the laser
times = np.array([1000, 1050, 1100, 1200, 1300]) * ms
depth = mesh["cytosol"].total / membrane.total
model = sp.Model([calcium, store, ip3, h, outside, degraded], [
    LiRinzel(er, calcium, store, ip3, h),
    SERCA(er, calcium, store, V=0.4 * uM / s * 0.5 * um),
    ERLeak(er, calcium, store),
    PMCA(membrane, calcium, outside, V=0.3 * uM / s * depth),
    PlasmaLeak(membrane, calcium, outside, influx=0.02 * uM / s * depth),
    Conversion(mesh["cytosol"], ip3, degraded, rate=0.5 / s),
    Stimulus(mesh["laser"], species=ip3, times=times, flux=course)])

film = Film(calcium)
near, far = [(0.7, 0, 0)], [(-0.7, 0, 0)]
run = sp.simulate(model, 6 * s, [sp.at(calcium, near, "near"), sp.at(calcium, far, "far"), sp.mean(calcium),
                                 sp.mean(store), sp.peak(ip3), sp.total(degraded)],
                  every=20 * ms, frames=film, frame_times=np.arange(1, 6) * s)
answer = {
    "Ca2+ near": run["near"].max(), "Ca2+ far": run["far"].max(), "mean": run["mean calcium"].max(),
    "when": run.times[run["mean calcium"].argmax()], "store": run["mean ER calcium"].min(),
    "IP3": run["peak IP3"].max(), "degraded": run["total IP3 degraded"][-1],
    "Ca2+ in the third frame": float(film.values[2].mean())}
