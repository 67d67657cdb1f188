"""Options that commands share, and what they stand for."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial.checks import InputError, positive
from spatial.geometry.size import MOST_ELEMENTS
from spatial.units import m, mm, nm, um

if TYPE_CHECKING:
    from spatial.geometry.tetrahedra import Tetrahedra
    from spatial.geometry.tripartite import Tripartite

MESHES = ("tripartite",)
UNITS = {"um": um, "nm": nm, "mm": mm, "m": m}
SEALED, MEMBRANE, OPEN = "sealed", "membrane", "open"  # what cut faces are
STUMP_LENGTH = 1.0  # um, of a stump by default; choice
RESOLUTION = 1.5  # of the parametric mesh by default: the run takes two minutes

Unit = Annotated[str, typer.Option(help=f"Unit of the mesh file: {', '.join(UNITS)}.")]
MeshFile = Annotated[Path | None, typer.Option("--mesh", help="A mesh instead of the parametric one.")]
Names = Annotated[str | None, typer.Option(
    "--names", help='What regions of the mesh file are, by number or name: "1=ecs 2=cytosol".')]
CutFaces = Annotated[str, typer.Option(
    "--cut", help="What the flat faces are where the mesh's block was cut: sealed or membrane.")]
CutOrOpen = Annotated[str, typer.Option(
    "--cut", help="What the flat faces are where the mesh's block was cut: sealed, membrane, or open to a stump.")]
StumpLength = Annotated[float | None, typer.Option(
    "--stump", help="Length of the stump of cytosol beyond each open face [um].", show_default="1")]
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


def tetrahedra_of(mesh: Path | None, unit: str, resolution: float | None, names: str | None = None,
                  cut: str = SEALED, most_elements: float = MOST_ELEMENTS) -> "Tetrahedra":
    """The tetrahedra of the file, or else of the parametric mesh."""
    from spatial.geometry import tripartite

    if mesh is None:
        check_for_file(names, cut)
        return tripartite.tripartite(parametric_shape(resolution, most_elements))
    if resolution is not None:
        raise InputError("--resolution is for the parametric mesh; leave it out with --mesh")
    return loaded(mesh, unit, names, SEALED if cut == OPEN else cut, most_elements)


def check_for_file(names: str | None, cut: str) -> None:
    """Raise `InputError` for options that are for a mesh from a file, where there is none."""
    if names is not None or cut != SEALED:
        raise InputError(f"{'--names' if names is not None else '--cut'} is for a mesh from a file; give one with "
                         "--mesh, or leave it out")


def stump_of(cut: str, stump: float | None) -> float:
    """The length of the stumps at cut faces [um], 0 where none are wanted. Raises `InputError` for no such choice."""
    if cut not in (SEALED, MEMBRANE, OPEN):
        raise InputError(f"--cut is {cut!r}; it must be {SEALED}, {MEMBRANE} or {OPEN}")
    if cut != OPEN and stump is not None:
        raise InputError(f"--stump is for open cut faces; give --cut {OPEN} too, or leave it out")
    if stump is not None:
        positive("--stump", stump)
    return (STUMP_LENGTH if stump is None else stump) if cut == OPEN else 0.0


def loaded(file: Path, unit: str, names: str | None, cut: str = SEALED,
           most_elements: float = MOST_ELEMENTS) -> "Tetrahedra":
    """The tetrahedra of a file, its regions called as `names` says."""
    from spatial.geometry.load import load

    if cut not in (SEALED, MEMBRANE):
        raise InputError(f"--cut is {cut!r}; it must be {SEALED} or {MEMBRANE}")
    return load(file, length_unit(unit), names_of(names), cut=cut, most_elements=most_elements)


def names_of(text: str | None) -> dict[int | str, str]:
    """What a text such as "1=ecs 2=cytosol" calls regions. Raises `InputError` for what cannot be understood."""
    if text is None:
        return {}
    try:
        return names_in(shlex.split(text))
    except ValueError:
        raise InputError(f"names are {text!r}, where a quotation mark is not closed; write 1=ecs 2=cytosol") from None


def names_in(words: Sequence[str]) -> dict[int | str, str]:
    """What words such as "1=ecs" and "2=cytosol" call regions; properties and words without = belong to the last."""
    names = dict[int | str, str]()
    for word in words:
        region, equals, called = (part.strip() for part in word.partition("="))
        if names and (not equals or region in ("volume_fraction", "tortuosity")):
            last = next(reversed(names))
            names[last] = f"{names[last]} {word.strip()}"
            continue
        if not (region and equals and called):
            raise InputError(f"names: {word!r} is not REGION=NAME; write the number or name of each region in the file "
                             "and what it is, as in 1=ecs 2=cytosol")
        key = int(region) if region.lstrip("-").isdecimal() else region
        if key in names:
            raise InputError(f"names: region {region} is called both {names[key]!r} and {called!r}; give it one name")
        names[key] = called
    if not names:
        raise InputError("names: there are none; write the number or name of each region in the file and what it is, "
                         "as in 1=ecs 2=cytosol")
    return names
