"""`spatial measure`: a virtual experiment on a geometry."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial.checks import InputError
from spatial.cli import tables
from spatial.cli.options import MostElements, Names, Seed, Unit, loaded
from spatial.geometry.size import MOST_ELEMENTS, MOST_VOXELS
from spatial.units import nm

if TYPE_CHECKING:
    from spatial.geometry.place import Floats, Place



def tortuosity(file: Annotated[Path, typer.Argument(help="A mesh, or a .npz file of labels with --voxel.")],
               unit: Unit = "um", names: Names = None,
               place: Annotated[str, typer.Option(help="The place of the mesh to measure.")] = "ecs",
               voxel: Annotated[tuple[float, float, float] | None,
                                typer.Option(help="Sides of a voxel of labels [nm].")] = None,
               shrink: Annotated[float | None, typer.Option(help="Taken off labelled cells all around [nm].")] = None,
               sources: Annotated[int, typer.Option(help="Points at which TMA+ is let in, one at a time.", min=1)] = 4,
               seed: Seed = 0, quick: Annotated[bool, typer.Option("--quick", help="No virtual experiment.")] = False,
               out: Annotated[Path | None, typer.Option(help="A .png file for traces and fit.")] = None,
               most_elements: MostElements = MOST_ELEMENTS) -> None:
    """Volume fraction and tortuosity of a block: by a steady gradient, and by virtual iontophoresis and its fit."""
    import numpy as np

    from spatial.analysis.tortuosity import block, steady_tortuosity
    from spatial.scenarios.virtual_iontophoresis.model import measure, picture

    if out is not None and (quick or out.suffix != ".png" or not out.parent.is_dir()):
        raise InputError(f"{out} cannot be drawn: its name must end in .png, its folder exist, and --quick be left out")
    of = block(*_tissue(file, unit, names, place, voxel, shrink, most_elements))
    if quick:
        tables.tortuosity(of.alpha, steady_tortuosity(of))
        return
    measured = measure(of, np.random.default_rng(seed), sources)
    tables.tortuosity(of.alpha, measured.tortuosity, measured)
    if out is not None:
        picture(out, of, measured)


def _tissue(file: Path, unit: str, names: str | None, place: str, voxel: tuple[float, float, float] | None,
            shrink: float | None, most_elements: float) -> "tuple[Place, Floats | None, Floats | None]":
    """The place to be measured, and the corners of its block where the file says them."""
    import numpy as np

    from spatial.geometry.discretise import discretise
    from spatial.geometry.voxels import extracellular, load_labels, shrunk

    if file.suffix != ".npz":
        if voxel is not None or shrink is not None:
            raise InputError(f"--voxel and --shrink are for labels in a .npz file; leave them out with {file}")
        mesh = discretise(loaded(file, unit, names, most_elements=most_elements))
        volumes = [name for name, each in mesh.items() if each.dimension == 3]
        if place not in volumes:
            raise InputError(f"{file} has no place {place!r} to measure; name one of {', '.join(volumes)} with --place")
        return mesh[place], None, None
    if unit != "um" or place != "ecs":
        raise InputError("--unit and --place are for meshes; of labels, what is between the cells is measured")
    if names is not None:
        raise InputError(f"--names is for regions of a mesh; leave it out with {file}")
    most = max(MOST_VOXELS, most_elements)
    sides = None if voxel is None else (voxel[0] * nm, voxel[1] * nm, voxel[2] * nm)
    labels = load_labels(file, sides, most_elements=most)
    if shrink is not None:
        fine = [max(1, math.ceil(side / (2 * shrink * nm))) if shrink > 0 else 1 for side in labels.voxel]
        labels = shrunk(labels, shrink * nm, fine, most)
    return extracellular(labels, most_elements), np.zeros(3), labels.extent
