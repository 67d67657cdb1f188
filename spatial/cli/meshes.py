"""`spatial mesh`: look at a mesh, make, mend, cut, name or convert one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial.checks import InputError
from spatial.cli.new_file import check_new, new_file
from spatial.cli.options import (
    MESHES,
    CutFaces,
    MostElements,
    Names,
    Resolution,
    Unit,
    length_unit,
    loaded,
    names_in,
    names_of,
    parametric_shape,
)
from spatial.geometry.size import MOST_ELEMENTS

if TYPE_CHECKING:
    from spatial.geometry.tetrahedra import Tetrahedra

MSH = (".msh",)
Source = Annotated[Path, typer.Argument(metavar="IN", help="A mesh in any format that is read.")]
Made = Annotated[Path, typer.Argument(metavar="OUT", help="The .msh file to write, in um.")]
Replace = Annotated[bool, typer.Option("--force", help="Replace a file of that name.")]
Largest = Annotated[bool, typer.Option("--largest", help="Keep only the piece of the largest volume.")]


def info(file: Annotated[Path, typer.Argument(help="A mesh in any format that is read.")], unit: Unit = "um",
         names: Names = None, cut: CutFaces = "sealed", most_elements: MostElements = MOST_ELEMENTS) -> None:
    """Tell regions, membranes, cut planes and quality of a mesh file, and whether it is good enough."""
    _tell(loaded(file, unit, names, cut, most_elements))


def make(shape: Annotated[str, typer.Argument(help=f"One of: {', '.join(MESHES)}.")],
         out: Annotated[Path, typer.Argument(help="The .msh file to write.")],
         resolution: Resolution = None, most_elements: MostElements = MOST_ELEMENTS, force: Replace = False) -> None:
    """Make a parametric mesh."""
    from spatial.geometry.tripartite import tripartite

    if shape not in MESHES:
        raise InputError(f"there is no mesh {shape!r}; there is {', '.join(MESHES)}")
    if out.suffix != ".msh" or not out.parent.is_dir() or (out.exists() and not force):
        raise InputError(f"{out} cannot be made: its name must end in .msh and be new (or given up with --force), "
                         "and its folder must exist")
    _saved(out, force, lambda: tripartite(parametric_shape(resolution, most_elements)))


def clean(file: Source, out: Made, unit: Unit = "um", names: Names = None, largest: Largest = False,
          most_elements: MostElements = MOST_ELEMENTS, force: Replace = False) -> None:
    """Merge doubled points, turn cells one way, leave out stray pieces and cells that are flat or listed twice."""
    from spatial.geometry.load import cleaned

    check_new(out, force, MSH)
    tetrahedra, said = cleaned(file, length_unit(unit), names_of(names), largest, most_elements)
    _saved(out, force, lambda: tetrahedra)
    _say([note.removeprefix(f"{file}: ") for note in said] or ["there was nothing to clean"])


def cut(file: Source, out: Made,
        box: Annotated[tuple[float, float, float, float, float, float], typer.Option(
            help="x0 x1 y0 y1 z0 z1 [um]; of cells, those are kept whose centres lie inside: the hull is ragged.")],
        unit: Unit = "um", names: Names = None, largest: Largest = False,
        most_elements: MostElements = MOST_ELEMENTS, force: Replace = False) -> None:
    """Keep the cells whose centres lie in a box. No cell is divided, so the new hull is ragged, and no membrane."""
    from spatial.geometry.cropped import cropped

    check_new(out, force, MSH)
    part, said = cropped(loaded(file, unit, names, most_elements=most_elements), box, largest)
    _saved(out, force, lambda: part)
    _say(said)


def name(file: Source, out: Made,
         regions: Annotated[list[str], typer.Argument(
             metavar="REGION=NAME...", help="Number or name of a region in the file, what it is: 1=ecs 2=cytosol.")],
         unit: Unit = "um", most_elements: MostElements = MOST_ELEMENTS, force: Replace = False) -> None:
    """Say what the regions of a mesh are: cytosol, er, ecs, or any other place."""
    from spatial.geometry.load import load

    check_new(out, force, MSH)
    tetrahedra = load(file, length_unit(unit), names_in(regions), most_elements=most_elements)
    _saved(out, force, lambda: tetrahedra)


def convert(file: Source, out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, in um; its "
                                                                                  "ending says the format.")],
            unit: Unit = "um", names: Names = None, most_elements: MostElements = MOST_ELEMENTS,
            force: Replace = False) -> None:
    """Write a mesh in another format, by its ending; regions are kept, or the format is refused."""
    from spatial.geometry.converted import convert

    check_new(out, force)
    tetrahedra = loaded(file, unit, names, most_elements=most_elements)
    with new_file(out, force) as partial:
        try:
            said = convert(tetrahedra, partial)
        except InputError as error:
            raise InputError(str(error).replace(str(partial), str(out))) from None
    _say(said)


def repair(file: Annotated[Path, typer.Argument(metavar="IN", help="A closed surface: .stl, .obj, .ply or .off.")],
           out: Made, unit: Unit = "um",
           edge: Annotated[float | None, typer.Option(help="Wanted length of edges [um].", show_default="1/20 of the "
                                                                                           "extent")] = None,
           outer: Annotated[str, typer.Option(help="What lies within the outer surface.")] = "cytosol",
           inner: Annotated[str, typer.Option(help="What lies within the surfaces inside it.")] = "er",
           force: Replace = False) -> None:
    """Mend a surface and fill it with tetrahedra; surfaces inside it become regions. Needs the extra [meshing]."""
    from spatial.geometry.filled import filled

    check_new(out, force, MSH)
    tetrahedra, said = filled(file, length_unit(unit), edge, outer, inner)
    _saved(out, force, lambda: tetrahedra)
    _say(said)


def _saved(out: Path, force: bool, made: "Callable[[], Tetrahedra]") -> None:
    """Write a mesh to a new file, and tell what it is like."""
    from spatial.geometry.load import save

    with new_file(out, force, MSH) as partial:
        tetrahedra = made()
        save(tetrahedra, partial)
    _tell(tetrahedra)


def _tell(tetrahedra: "Tetrahedra") -> None:
    """Say what a mesh is like, and whether it is good enough."""
    from spatial.geometry.quality import quality_report
    from spatial.geometry.verdicts import cut_lines, unit_hint, verdicts

    report = quality_report(tetrahedra)
    for line in (*report.lines(), *cut_lines(tetrahedra), *map(str, verdicts(report)), unit_hint(report)):
        print(line)


def _say(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        print(sentence)
