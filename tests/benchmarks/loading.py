"""How long a mesh file of a million cells takes to load, and how much memory: `python -m tests.benchmarks.loading`.

Each file is loaded in a process of its own. The table is printed and written to tests/benchmarks/results/loading.md.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spatial.geometry.place import Floats, Ints

RESULTS = Path(__file__).parent / "results"
SIDE = 55  # cubes along an edge, of 6 tetrahedra each
SIX = ((0, 4, 6, 7), (0, 6, 2, 7), (0, 2, 3, 7), (0, 3, 1, 7), (0, 1, 5, 7), (0, 5, 4, 7))


def box(side: int = SIDE) -> tuple[Floats, Ints, Ints]:
    """Points, tetrahedra and region numbers of a box of 1 um, an ER of x < 0.5 in a cytosol."""
    axis = np.linspace(0, 1, side + 1)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.arange(len(points)).reshape(side + 1, side + 1, side + 1)
    corners = [index[x:side + x, y:side + y, z:side + z].ravel() for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    cells = np.concatenate([np.column_stack([corners[k] for k in four]) for four in SIX])
    return points, cells, np.where(points[cells].mean(axis=1)[:, 0] < 0.5, 1, 2)


def write(folder: Path, side: int = SIDE) -> list[Path]:
    """The box in several formats."""
    import meshio

    points, cells, number = box(side)
    tags = [number.astype(np.int32)]
    grouped = meshio.Mesh(points, [("tetra", cells)], cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
                          field_data={"er": np.array([1, 3]), "cytosol": np.array([2, 3])})
    plain = meshio.Mesh(points, [("tetra", cells)], cell_data={"region": [number]})
    grouped.write(folder / "gmsh 2.2 binary.msh", file_format="gmsh22")
    grouped.write(folder / "gmsh 2.2 text.msh", file_format="gmsh22", binary=False)
    plain.write(folder / "VTK.vtu")
    plain.write(folder / "XDMF.xdmf")
    _gmsh_4(folder)
    return sorted([*folder.glob("*.msh"), *folder.glob("*.vtu"), *folder.glob("*.xdmf"), *folder.glob("*.med")])


def _gmsh_4(folder: Path) -> None:
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.merge(str(folder / "gmsh 2.2 binary.msh"))
        gmsh.option.setNumber("Mesh.Binary", 1)
        gmsh.write(str(folder / "gmsh 4.1 binary.msh"))
        gmsh.write(str(folder / "MED.med"))
    finally:
        gmsh.finalize()


def measure(path: Path) -> str:
    """A row of the table: CPU and wall seconds of `load`, and the most memory that the process held."""
    from spatial.geometry.load import load

    began = time.process_time(), time.perf_counter()
    mesh = load(path)
    cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(part.stat().st_size for part in path.parent.glob(f"{path.stem}.*")) / 1e6
    return f"| {path.stem} | {len(mesh.cells)} | {size:.0f} | {cpu:.1f} | {wall:.1f} | {memory:.0f} |"


def main() -> None:
    """Write the files and load each in a process of its own."""
    lines = ["| file | tetrahedra | MB on disk | CPU s | wall s | most memory [MB] |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for path in write(Path(folder)):
            row = subprocess.run([sys.executable, "-m", "tests.benchmarks.loading", str(path)], check=True,
                                 capture_output=True, text=True)
            lines.append(row.stdout.strip())
            print(lines[-1], flush=True)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    lines += ["", f"Python {platform.python_version()}; {os.cpu_count()} cores, load when done {load}."]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "loading.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(Path(sys.argv[1])))
    else:
        main()
