"""The simulator works where it is installed read-only and the user's home cannot be written."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from numba.core import caching

from spatial.compiled import compiled

ROOT = Path(__file__).resolve().parents[1]
NOBODY = 65534
RUN_AND_PICTURES = """
import sys
from pathlib import Path
import spatial as sp
from spatial.geometry.shapes import ball
from spatial.output.figures import Panel, time_courses
from spatial.output import scenes
place = sp.discretise(ball(0.5, 0.2))["cytosol"]
a = sp.Species("a", place, 1.5, D=1.0)
recording = sp.simulate(sp.Model([a]), 0.1, [sp.mean(a)])
time_courses(Path(sys.argv[1]) / "courses.png", recording, [Panel("a", ("mean a",))])
if sys.argv[2] == "scene":
    scenes.check_rendering = lambda: None  # it starts this Python anew, which this user may not
    scenes.microdomain(Path(sys.argv[1]) / "scene.png", place, place.centres[:, 0], "Ca (uM)")
print(sp.__file__, recording["mean a"][-1])
"""


def test_a_function_is_compiled_where_no_folder_can_keep_it(monkeypatch):
    def refuse(self):
        raise OSError(30, "Read-only file system")

    for name, locator in vars(caching).items():
        if name.endswith("CacheLocator") and hasattr(locator, "ensure_cache_path"):
            monkeypatch.setattr(locator, "ensure_cache_path", refuse)
    doubled = compiled(nogil=True)(lambda x: 2.0 * x)
    assert doubled(21.0) == 42.0


def test_what_is_compiled_is_kept_where_a_folder_can_be_written():
    assert compiled()(lambda x: x)._cache.cache_path


def can_draw() -> bool:
    return subprocess.run([sys.executable, "-c", "from spatial.output.gl import check_rendering; check_rendering()"],
                          cwd=ROOT, capture_output=True).returncode == 0


@pytest.fixture
def everyones():
    """A folder that every user can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0 or not shutil.which("setpriv"),
                    reason="needs root and setpriv, to become a user who may not write")
@pytest.mark.parametrize("home_is_there", [False, True])
def test_import_a_run_and_pictures_work_where_the_package_is_read_only(home_is_there, everyones):
    installed, home, out = (everyones / name for name in ("installed", "home", "out"))
    for folder in (home, out):
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
    shutil.copytree(ROOT / "spatial", installed / "spatial", ignore=shutil.ignore_patterns("__pycache__"))
    kept = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    environment = {**kept, "HOME": str(home) if home_is_there else "/nonexistent",
                   "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, sys.path)])}
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-c",
               RUN_AND_PICTURES, str(out), "scene" if can_draw() else "figure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", timeout=200)
    assert done.returncode == 0, done.stderr
    place, value = done.stdout.split()
    assert place.startswith(str(installed))
    assert float(value) == pytest.approx(1.5)
    assert (out / "courses.png").exists()
