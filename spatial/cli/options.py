"""Options that commands share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial.checks import InputError
from spatial.geometry.size import MOST_ELEMENTS
from spatial.units import m, mm, nm, um

if TYPE_CHECKING:
    from spatial.geometry.tetrahedra import Tetrahedra
    from spatial.geometry.tripartite import Tripartite

MESHES = ("tripartite",)
UNITS = {"um": um, "nm": nm, "mm": mm, "m": m}
RESOLUTION = 1.5  # of the parametric mesh by default: the run takes two minutes

Unit = Annotated[str, typer.Option(help=f"Unit of the mesh file: {', '.join(UNITS)}.")]
MeshFile = Annotated[Path | None, typer.Option("--mesh", help="A mesh instead of the parametric one.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the files of an earlier run; what no run wrote stays.")]
Seed = Annotated[int, typer.Option(help="Same seed, same files.", min=0)]
Duration = Annotated[float | None, typer.Option(help="Simulated time [s].")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar, no table.")]
MostElements = Annotated[float, typer.Option("--most-elements",
                                             help="Elements of the mesh, above which nothing is made.")]
MostUnknowns = Annotated[float, typer.Option("--most-unknowns", help="Unknowns above which nothing is run.")]
NoPictures = Annotated[bool, typer.Option("--no-pictures", help="The numbers alone.")]
Resolution = Annotated[float | None, typer.Option(
    help="Factor on every edge length of the parametric mesh; 2 is twice coarser.", show_default="1.5")]


def length_unit(name: str) -> float:
    """The unit [um] of a mesh file; raises `InputError` for a name that is not known."""
    if name not in UNITS:
        raise InputError(f"unit {name!r} is not known; it must be one of {', '.join(UNITS)}")
    return UNITS[name]


def parametric_shape(resolution: float | None, most_elements: float = MOST_ELEMENTS) -> "Tripartite":
    """The sizes of the parametric mesh."""
    from spatial.geometry.tripartite import Tripartite

    return Tripartite(resolution=RESOLUTION if resolution is None else resolution, most_elements=most_elements)


def tetrahedra_of(mesh: Path | None, unit: str, resolution: float | None,
                  most_elements: float = MOST_ELEMENTS) -> "Tetrahedra":
    """The tetrahedra of the file, or else of the parametric mesh."""
    from spatial.geometry import tripartite
    from spatial.geometry.load import load

    if mesh is None:
        return tripartite.tripartite(parametric_shape(resolution, most_elements))
    if resolution is not None:
        raise InputError("--resolution is for the parametric mesh; leave it out with --mesh")
    return load(mesh, length_unit(unit), most_elements=most_elements)
