"""Whether a mesh is good enough, in words: each measure against two thresholds, and what to do where it fails."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.cut_faces import CUT_FACE, CutPlane, Cuts, cut_faces
from spatial.geometry.place import Ints
from spatial.geometry.quality import QualityReport
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.geometry.tetrahedra import OUTSIDE, Tetrahedra, triangle_areas
from spatial.units import nm, um

GOOD, USABLE, BAD = "good", "usable", "bad"


@dataclass(frozen=True)
class Threshold:
    """From where on a measure is good, and from where on usable; `high` where more is worse."""

    good: float
    usable: float
    high: bool
    reason: str

    def __post_init__(self) -> None:
        checks.kinds(self)

    def grade(self, value: float) -> str:
        """The word for a value."""
        sign = 1 if self.high else -1
        if sign * value <= sign * self.good:
            return GOOD
        return USABLE if sign * value <= sign * self.usable else BAD


WRONG_SIGN = Threshold(0.25, 0.40, True,
                       "what Gmsh makes of balls, boxes and cylinders has 17 to 21 %, and three meshes of real "
                       "processes 17 to 18 %: so much is usual, and the repair after each step moves little")
"""Part of the edges along which linear diffusion runs uphill."""

SHAPE = Threshold(0.1, 0.02, False,
                  "the worst tetrahedron of three meshes of real processes has 0.10 to 0.13; errors of gradients grow "
                  "as cells get flat")
"""Least radius ratio of a tetrahedron, 1 if it is regular."""

SHORTEST = Threshold(1 * nm, 0.1 * nm, False,
                     "a molecule is some nm wide and an atom 0.1 to 0.3 nm: an edge below says nothing of a cell, and "
                     "explicit steps shrink with its square")
"""Shortest edge [um]."""

SPREAD = Threshold(1 / 50, 1 / 500, False,
                   "shortest over median edge: three meshes of real processes have 1/10 to 1/15; such an edge is left "
                   "over by the mesher, and its element is tiny beside its neighbours")
"""Shortest over median edge."""

EXTENT = (0.1 * um, 100 * um)
"""Between which the extent of a few synapses and of the processes around them lies."""

_FAST = 220.0  # um2/s, free Ca2+: what limits explicit steps
_CURE = "remesh it with edges of even length (Gmsh: Mesh.Optimize, or `spatial mesh repair` of its surface)"


@dataclass(frozen=True)
class Verdict:
    """One measure in words: what it is, how good, and what to do; the last is empty where nothing is to be done."""

    measure: str
    grade: str
    advice: str = ""

    def __post_init__(self) -> None:
        checks.kinds(self)

    def __str__(self) -> str:
        return f"{self.grade}: {self.measure}" + (f"; {self.advice}" if self.advice else "")


@by_annotation
def verdicts(report: QualityReport) -> list[Verdict]:
    """What to think of a mesh's measures, worst first."""
    grades = [GOOD, USABLE, BAD]
    found = list(_judged(report))
    return sorted(found, key=lambda verdict: -grades.index(verdict.grade))


def _judged(report: QualityReport) -> Iterator[Verdict]:
    wrong, shape, (shortest, median, _) = report.wrong_sign, report.quality[0], report.edges
    yield Verdict(f"edges of the wrong sign {100 * wrong:.1f} %", WRONG_SIGN.grade(wrong), {
        GOOD: "",
        USABLE: "look at what the repair moves (provenance of a run), and compare with a finer mesh",
        BAD: f"values undershoot beside sources: {_CURE}"}[WRONG_SIGN.grade(wrong)])
    yield Verdict(f"flattest tetrahedron, radius ratio {shape:.2g}", SHAPE.grade(shape), {
        GOOD: "", USABLE: "look at its neighbourhood with care, or remesh there", BAD: _CURE}[SHAPE.grade(shape)])
    grade = max(SHORTEST.grade(shortest), SPREAD.grade(shortest / median), key=[GOOD, USABLE, BAD].index)
    step = shortest**2 / (6 * _FAST)
    yield Verdict(f"shortest edge {shortest / nm:.3g} nm, {median / shortest:.0f} times less than the median", grade, {
        GOOD: "",
        USABLE: f"implicit runs bear it, explicit ones take steps of about {step:.1g} s there; collapse such edges",
        BAD: f"it is no detail of a cell, and explicit runs would take steps of about {step:.1g} s; {_CURE}"}[grade])


def unit_hint(report: QualityReport) -> str:
    """What the extent of a mesh says of its unit."""
    extent = max(report.extent)
    low, high = EXTENT
    if low <= extent <= high:
        return f"unit: an extent of {extent:.3g} um is as large as processes and synapses are"
    small = "in another unit (--unit mm or m), or a small part of a cell"
    other = "in nanometres (--unit nm)" if extent > high else small
    return f"unit: an extent of {extent:.3g} um is unusual for processes and synapses; the file may be {other}"


@by_annotation
def cut_lines(tets: Tetrahedra) -> list[str]:
    """What is known of planes by which the block of a mesh was cut, in lines; none where there are no such planes."""
    surfaces = {name: triangles for name, triangles in tets.membranes.items() if name.startswith(CUT_FACE)}
    if "ecs" in tets.place_names or not _outer(tets):
        return []
    if not surfaces:
        return _unsealed_lines(tets)
    outer = np.concatenate([*surfaces.values(), *_outer(tets)])
    cuts = cut_faces(tets.points, outer)
    cut = sum(float(triangle_areas(tets.points, triangles).sum()) for triangles in surfaces.values())
    share = 100 * cut / float(triangle_areas(tets.points, outer).sum())
    names = ", ".join(map(repr, surfaces))
    total = f"  {names}: {share:.1f} % of the surface of its cells, which is no membrane (cut='sealed')"
    return [*(_line(plane) for plane in cuts.planes), total]


def _outer(tets: Tetrahedra) -> list[Ints]:
    """The membranes towards the outside."""
    return [triangles for name, triangles in tets.membranes.items()
            if name == PLASMA_MEMBRANE or name.endswith(f"|{OUTSIDE}")]


def _unsealed_lines(tets: Tetrahedra) -> list[str]:
    """What is known of cut planes where no face is sealed."""
    cuts: Cuts = cut_faces(tets.points, np.concatenate(_outer(tets)))
    if cuts.stepped:
        return ["  its surface runs along the axes, as that of voxels or of a box: cut faces cannot be told from it, "
                f"and are membrane; name their triangles {CUT_FACE!r} in the file if there are any"]
    named = ["  these faces are membrane, for the file names them, or one asked for it"] if cuts.planes else []
    return [*(_line(plane) for plane in cuts.planes), *named]


def _line(plane: CutPlane) -> str:
    faces = "face" if plane.faces == 1 else "faces"
    return (f"  cut plane {plane.axis} = {plane.at:.4g} um: {plane.area:.4g} um^2 in {plane.faces} {faces} of "
            f"{plane.triangles} triangles")
