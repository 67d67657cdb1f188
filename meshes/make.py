"""Make the meshes of this folder again: `python meshes/make.py [FOLDER]`."""

import sys
from pathlib import Path

from spatial.geometry.blocks import sphere_lattice
from spatial.geometry.load import save
from spatial.geometry.shapes import ball, cylinder
from spatial.geometry.tetrahedra import Tetrahedra
from spatial.geometry.tripartite import Tripartite, tripartite


def meshes() -> dict[str, Tetrahedra]:
    """Each mesh by the name of its file."""
    return {
        "tripartite_coarse.msh": tripartite(Tripartite(resolution=2.0)),
        "ball.msh": ball(radius=1.0, size=0.25),
        "cylinder.msh": cylinder(radius=0.25, length=4.0, size=0.1),
        "sphere_lattice.msh": sphere_lattice(3, radius=0.45, size=0.2),
    }


def main(folder: Path) -> None:
    """Write all meshes to a folder."""
    for name, mesh in meshes().items():
        save(mesh, folder / name)
        print(f"{folder / name}: {len(mesh.points)} vertices, {len(mesh.cells)} tetrahedra")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
