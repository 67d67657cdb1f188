"""`spatial mesh`: look at a mesh, or make one."""

from pathlib import Path
from typing import Annotated

import typer

from spatial.checks import InputError
from spatial.cli.options import MESHES, Resolution, Unit, length_unit, parametric_shape


def info(file: Annotated[Path, typer.Argument(help="A mesh in any format that meshio reads.")],
         unit: Unit = "um") -> None:
    """Tell regions, membranes, measures and quality of a mesh file."""
    from spatial.geometry.load import load
    from spatial.geometry.quality import quality_report

    print(quality_report(load(file, length_unit(unit))))


def make(shape: Annotated[str, typer.Argument(help=f"One of: {', '.join(MESHES)}.")],
         out: Annotated[Path, typer.Argument(help="The .msh file to write.")],
         resolution: Resolution = None) -> None:
    """Make a parametric mesh."""
    from spatial.geometry.load import save
    from spatial.geometry.quality import quality_report
    from spatial.geometry.tripartite import tripartite

    if shape not in MESHES:
        raise InputError(f"there is no mesh {shape!r}; there is {', '.join(MESHES)}")
    if out.suffix != ".msh" or not out.parent.is_dir() or out.exists():
        raise InputError(f"{out} cannot be made: its name must end in .msh and be new, "
                         "and its folder must exist")
    tetrahedra = tripartite(parametric_shape(resolution))
    save(tetrahedra, out)
    print(quality_report(tetrahedra))
