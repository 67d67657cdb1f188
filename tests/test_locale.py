"""A program that has set a locale with decimal commas makes, writes, reads and runs the same meshes and numbers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import locale, sys
from pathlib import Path
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
import meshio, numpy as np, pytest
import spatial as sp
from spatial.geometry.load import load, save
from spatial.geometry.shapes import ball
from spatial.output.recording_file import write_summary
from spatial.output.vtkhdf import FieldsFile
from spatial.synapses.spike_files import read_spikes, write_spikes
folder = Path(sys.argv[1])
shape = ball(0.5, 0.15)
volume = shape.volumes.sum()
assert volume == pytest.approx(4 / 3 * np.pi * 0.125, rel=0.08)
for suffix, kind in ((".msh", None), (".vtu", "vtu"), (".vtk", "vtk"), (".inp", "abaqus"), (".mesh", "medit")):
    path = folder / f"ball{suffix}"
    if kind is None:
        save(shape, path)
    else:
        meshio.Mesh(shape.points, [("tetra", shape.cells)]).write(path)
    assert load(path).volumes.sum() == pytest.approx(volume, rel=1e-6), suffix
write_spikes(folder / "spikes.csv", (np.array([0.5]),))
assert read_spikes(folder / "spikes.csv")[0][0] == 0.5
cytosol = sp.discretise(shape)["cytosol"]
a = sp.Species("a", cytosol, 1.5, D=10)
with FieldsFile(folder / "fields.vtkhdf", [a]) as frames:
    run = sp.simulate(sp.Model([a]), 0.1, [sp.mean(a)], frames=frames, frame_times=[0.1])
assert run["mean a"][-1] == pytest.approx(1.5, rel=1e-12)
write_summary({"x": 0.5}, folder / "summary.json")
assert "0.5" in (folder / "summary.json").read_text()
import pyvista
assert pyvista.read(folder / "fields.vtkhdf")["a"].max() == pytest.approx(1.5)
"""


@pytest.mark.slow
def test_a_decimal_comma_changes_no_number(tmp_path):
    locales = tmp_path / "locales"
    locales.mkdir()
    if not shutil.which("localedef"):
        pytest.skip("there is no localedef to make a locale with")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(locales / "de_DE.UTF-8")],
                          capture_output=True)
    if not (locales / "de_DE.UTF-8").exists():
        pytest.skip(f"the locale de_DE cannot be made here: {made.stderr.decode().strip()[-200:]}")
    environment = {**os.environ, "LOCPATH": str(locales), "PYTHONPATH": str(ROOT)}
    environment.pop("LC_ALL", None)
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
