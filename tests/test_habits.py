"""Habits of the house: which way imports point, what a new mechanism costs, and that what we show runs."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spatial.geometry.well_mixed import well_mixed
from spatial.model import Model, Species
from spatial.observe.probes import mean
from spatial.simulate import simulate

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spatial"
FLOORS = ["checks", "units", "compiled", "draws", "laws", "frozen", "pickling", "geometry", "model", "parts",
          "parameters", "view", "mechanisms", "synapses", "_engine.operators", "_engine.system", "_engine.linear",
          "_engine.methods", "_engine.stepping", "reading", "observe", "run_arguments", "simulate", "analysis",
          "output", "scenarios.parts", "scenarios", "cli", "__main__"]
DOORS = {"__init__", "_engine"}  # they hold no code of their own
HEAVY = ["brian2", "fipy", "gmsh", "matplotlib", "meshio", "pyvista", "vtk", "vtkmodules"]
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    """The full name of a file of the package: "spatial.geometry.place", or "spatial.geometry" for its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def floor_of(module: str) -> str:
    """The floor that `spatial.x.y` is on; `spatial.Species` is at the front door, __init__."""
    inner = module.removeprefix("spatial").removeprefix(".")
    floors = [floor for floor in FLOORS if f"{inner}.".startswith(f"{floor}.")]
    if floors:
        return max(floors, key=len)
    return inner if inner in DOORS else "__init__"


def imports(source: str, package: str) -> Iterator[str]:
    """Full names of all that a module imports, wherever in it; `package` is the one it lives in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[:len(parents) - node.level + 1], *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> list[str]:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return [one for one in imports(path.read_text(), package) if one.split(".")[0] == "spatial"]


def test_imports_are_seen_wherever_they_are_and_however_they_are_written():
    source = "import spatial.cli as c\nfrom spatial import checks\ndef f():\n    from ..model import Species\n"
    assert list(imports(source, "spatial.geometry")) == ["spatial.cli", "spatial.checks", "spatial.model.Species"]
    assert floor_of("spatial.Species") == floor_of("spatial") == "__init__"
    assert floor_of("spatial._engine.methods.rosenbrock.ROS2") == "_engine.methods"


def test_every_module_is_on_a_floor():
    homeless = [name(path) for path in SOURCES if floor_of(module_of(path)) not in {*FLOORS, "_engine"}]
    assert not homeless


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_backwards_only(path):
    here = floor_of(module_of(path))
    allowed = FLOORS[:FLOORS.index(here) + 1] if here in FLOORS else []
    forward = [imported for imported in imports_of(path) if floor_of(imported) not in allowed]
    assert not forward, f"{name(path)} imports {forward}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "mechanisms").glob("*.py")), ids=name)
def test_mechanisms_never_import_one_another(path):
    assert not [one for one in imports_of(path) if floor_of(one) == "mechanisms"]


def test_importing_everything_loads_nothing_heavy():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if path.stem[0] != "_"]
    code = f"import sys, importlib\nfor m in {modules}: importlib.import_module(m)\n"
    code += f"print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


NEW_MECHANISM = '''
"""NCX as one line: extrusion in proportion to Ca2+."""

from dataclasses import dataclass

from spatial import checks
from spatial.geometry.place import Place
from spatial.model import Concentrations, Gains, Species


@dataclass(frozen=True, eq=False)
class Exchanger:
    where: Place
    calcium: Species
    rate: float

    def __post_init__(self) -> None:
        checks.parameters(self)

    def rates(self, c: Concentrations, t: float) -> Gains:
        return {self.calcium: -self.rate * c[self.calcium]}
'''


def test_adding_a_mechanism_is_one_file(tmp_path):
    path = tmp_path / "exchanger.py"
    path.write_text(NEW_MECHANISM)
    spec = importlib.util.spec_from_file_location("exchanger", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mesh = well_mixed({"cytosol": 0.5}, {"plasma membrane": (2.0, ["cytosol"])})
    calcium = Species("calcium", mesh["cytosol"], 1.0)
    run = simulate(Model([calcium], [module.Exchanger(mesh["plasma membrane"], calcium, 3.0)]), 0.1, [mean(calcium)])
    assert run["mean calcium"][-1] == pytest.approx(np.exp(-3.0 * 2.0 / 0.5 * 0.1), rel=0.02)


def undocumented(path: Path) -> Iterator[str]:
    """Public functions, classes and methods of a module that say nothing about themselves."""
    tree = ast.parse(path.read_text())
    if tree.body and ast.get_docstring(tree) is None:
        yield "the module"
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
    for node in (node for body in bodies for node in body):
        if (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
                and ast.get_docstring(node) is None):
            yield node.name


@pytest.mark.parametrize("path", [PACKAGE / "__init__.py", *SOURCES], ids=name)
def test_everything_public_has_a_docstring(path):
    assert not list(undocumented(path))


def working_tree() -> list[Path]:
    """The files of this checkout, without what git ignores."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    return [path for path in (ROOT / one for one in listed.split("\0") if one) if path.is_file()]


def test_no_file_names_an_address_or_a_registry():
    """What is installed comes from wherever the user's own settings say."""
    found = re.compile("|".join(["https?:" + "//", "py" + r"pi\.", "python" + "hosted", "index" + "-url",
                                 "ana" + "conda", "conda" + "-forge"]).encode())
    files = working_tree()
    assert ROOT / "pyproject.toml" in files
    guilty = [name(path) for path in files if path.suffix not in {".png", ".msh"} and found.search(path.read_bytes())]
    assert not guilty, guilty


def run_script(path: Path, folder: Path) -> None:
    """Run a Python script in an empty folder; a failing one shows its last words."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPATIAL_QUICK": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, str(path)], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_script_in_the_readme_runs(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, "the README shows one script, in a ```python block"
    script = tmp_path / "readme.py"
    script.write_text(blocks[0])
    run_script(script, tmp_path)


def test_there_are_three_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_the_example_runs(path, tmp_path):
    """With SPATIAL_QUICK set an example takes coarse meshes and short runs."""
    run_script(path, tmp_path)


def test_constraints_pin_every_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(one for each in project["optional-dependencies"].values() for one in each)]
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert {re.match(r"[A-Za-z0-9._-]+", one).group().lower() for one in declared} <= pinned
