"""What the edge of a block does to what spreads in it: `python -m tests.benchmarks.open_boundary [--quick]`.

A point source in homogenised tissue that goes on for ever, whose field is known exactly, against a block of it that
is sealed, absorbing or open at its edge (`open_boundary.far_permeability`), or that goes on in bricks that grow
(`grid.stretched_edges`) with that same open edge; and a resolved block in the middle of such tissue, against one
whose tissue reaches five times further in finer bricks. The tables go to tests/benchmarks/results/open_boundary.md.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.steady import steady
from spatial.geometry.bricks import graded_grid, stretched_edges
from spatial.geometry.open_boundary import far_permeability, outer_faces, outward
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.model import Model, Species
from spatial.observe.probes import at
from spatial.simulate import simulate

RESULTS = Path(__file__).parent / "results" / "open_boundary.md"
D, ALPHA, LAMBDA = 760.0, 0.2, 1.6  # glutamate and neuropil, biophysics A7
APPARENT = D / LAMBDA**2
SPACING, WIDTH = 0.2, 0.3  # um, of bricks and of the cloud at the start
TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0]) * 1e-3  # s


@dataclass(frozen=True, eq=False)
class Domain:
    """A grid, and what its edge lets through [um/s]; nothing where it is sealed."""

    name: str
    place: Place
    far: Place
    permeability: Floats
    core: float  # um, half the width of the even bricks

    @property
    def loss(self) -> Floats:
        """(n,) what each element loses per concentration [um^3/s]."""
        return np.asarray(np.bincount(self.far.touches["ecs"], self.permeability * self.far.measure, len(self.place)),
                          float)


def domain(edge: str, half: float, reach: float = 0.0, growth: float = 1.5, spacing: float = SPACING) -> Domain:
    """A cube of `half` the width [um], sealed, absorbing or open, that may go on by `reach` in growing bricks."""
    count = 2 * round(half / spacing - 0.5) + 1  # odd: a brick lies at the centre
    even = np.linspace(-count * spacing / 2, count * spacing / 2, count + 1)
    edges = [stretched_edges(even[0], even[-1], spacing, reach, growth) if reach else even] * 3
    place = graded_grid("ecs", edges, ALPHA, LAMBDA)
    far = outer_faces(place, edges)
    through = {"sealed": np.zeros(len(far)), "absorbing": ALPHA * APPARENT / outward(far, place)[1],
               "open": far_permeability(far, place, D, (0, 0, 0), ALPHA, LAMBDA)}[edge]
    name = f"{edge}, {half:g} um" + (f" + {reach:g} um of bricks growing {growth:g} times" if reach else "")
    return Domain(name, place, far, through, even[-1])


def element(place: Place, position: Sequence[float]) -> int:
    """The element at a position."""
    return int(place.nearest(np.array([position]))[0])


def field(of: Domain, source: Sequence[float]) -> Floats:
    """(n,) the steady field of a source of 1 uM um^3/s in one element."""
    into = np.zeros(len(of.place))
    into[element(of.place, source)] = 1.0 / D
    return steady(of.place, of.loss / D, source=into)


def steady_error(of: Domain, source: Sequence[float], radii: Sequence[float], within: float) -> Floats:
    """The largest error of the steady field about each radius from the source, relative to the endless one there.

    Of elements closer than `within` [um] to the middle along each axis.
    """
    c, x = field(of, source), of.place.centres
    r = np.linalg.norm(x - x[element(of.place, source)], axis=1)
    with np.errstate(divide="ignore"):
        error = np.abs(c * 4 * np.pi * ALPHA * APPARENT * r - 1)
    inside = (np.abs(x) < within).all(axis=1)
    return np.array([error[inside & (np.abs(r - radius) < 0.6 * SPACING)].max() for radius in radii])


def cloud(r2: Floats, t: float) -> Floats:
    """The endless solution at squared distances [um^2], of amount ALPHA, WIDTH wide at t = 0."""
    spread = WIDTH**2 + 2 * APPARENT * t
    return (2 * np.pi * spread) ** -1.5 * np.exp(-r2 / (2 * spread))


def released(of: Domain, source: Sequence[float], radii: Sequence[float]) -> tuple[Floats, float]:
    """Errors of a spreading cloud at points on three axes: (times, radii), and the CPU seconds of the run.

    The largest of a radius' points inside the even bricks, relative to the largest value that point ever has.
    """
    centre = of.place.centres[element(of.place, source)]
    start = cloud(((of.place.centres - centre) ** 2).sum(axis=1), 0.0)
    mesh = Mesh.of(of.place, of.far, pool("ledger", [1.0])).touching(
        of.far.name, "ledger", np.zeros(len(of.far), np.int64))
    c, gone = Species("c", mesh["ecs"], start, D=D, scale=0.1), Species("gone", mesh["ledger"], signed=True, scale=1.0)
    model = Model([c, gone], [Conversion(mesh[of.far.name], c, gone, of.permeability)])
    ways = np.vstack([np.eye(3), -np.eye(3)])
    points = np.concatenate([of.place.centres[of.place.nearest(centre + r * ways)] for r in radii])
    began = time.process_time()
    run = simulate(model, TIMES[-1], [at(c, points)], every=TIMES[0], tolerance=Tolerance(1e-3),
                   engine="explicit")
    seconds = time.process_time() - began
    now = [np.abs(run.times - t).argmin() for t in TIMES]
    r2 = ((points - centre) ** 2).sum(axis=1)
    exact = np.array([cloud(r2, t) for t in run.times])
    error = np.abs(run["c at points"] - exact)[now] / exact.max(axis=0)
    error[:, (np.abs(points) > of.core).any(axis=1)] = 0.0
    return error.reshape(len(TIMES), len(radii), -1).max(axis=2), seconds


def resolved(reach: float, growth: float, near_face: bool = False, periods: int = 3,
             voxels: int = 6) -> tuple[Domain, Floats]:
    """Cubes with gaps of one voxel in the middle of tissue that is homogenised alike, and the steady field in them.

    `periods` cubes a side, `voxels` a period; G2 gives the tortuosity that the cubes amount to. The source is where
    gaps cross, next to the middle of the block or, `near_face`, in the middle of a face.
    """
    size, spacing = periods * voxels + 1, 0.05
    even = np.arange(size + 1) * spacing - size * spacing / 2
    edges = stretched_edges(even[0], even[-1], spacing, reach, growth) if reach else even
    block = (edges[:-1] > even[0] - 1e-9) & (edges[1:] < even[-1] + 1e-9)
    gap = np.ones(len(edges) - 1, bool)
    gap[block] = np.arange(size) % voxels == 0
    solid = ~gap[:, None, None] & ~gap[None, :, None] & ~gap[None, None, :]
    inside = block[:, None, None] & block[None, :, None] & block[None, None, :]
    alpha = 1 - (1 - 1 / voxels) ** 3
    slow = np.sqrt((3 - alpha) / 2)  # G2, Maxwell's formula
    place = graded_grid("ecs", [edges] * 3, np.where(inside, ~solid, alpha), np.where(inside, 1.0, slow))
    far = outer_faces(place, [edges] * 3)
    middle = even[(periods // 2) * voxels] + spacing / 2
    source = (middle, middle, even[0] + spacing / 2 if near_face else middle)
    through = far_permeability(far, place, D, (0.0, 0.0, 0.0), alpha, slow)
    of = Domain(f"open, block + {reach:g} um" if reach else "open, block alone", place, far, through, even[-1])
    in_block = (np.abs(place.centres) < even[-1]).all(axis=1)
    return of, field(of, source)[in_block]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def steady_table(domains: Sequence[Domain]) -> str:
    """Steady errors at three radii from a source at the centre and off it."""
    radii, rows = (0.6, 1.0, 1.4), []
    for of in domains:
        errors = [f"{error:.1%}" for source in ((0, 0, 0), (0.6, 0.4, 0)) for error in
                  steady_error(of, source, radii, 1.4)]
        rows.append([of.name, str(len(of.place)), *errors])
    return table(["edge, half width", "bricks", *(f"{where}, {r:g} um" for where in ("centre", "off centre")
                                                   for r in radii)], rows)


def released_table(domains: Sequence[Domain]) -> str:
    """Errors of a release at 0.6 and 1 um, at the centre and off it."""
    rows = []
    for of in domains:
        cells, seconds = [], 0.0
        for source in ((0, 0, 0), (0.6, 0.4, 0)):
            error, took = released(of, source, (0.6, 1.0))
            cells += [f"{each:.1%}" for each in error.max(axis=1)]
            seconds += took
        rows.append([of.name, str(len(of.place)), *cells, f"{seconds:.1f}"])
    return table(["edge, half width", "bricks", *(f"{where}, {1e3 * t:g} ms" for where in ("centre", "off centre")
                                                   for t in TIMES), "CPU s"], rows)


def resolved_table() -> str:
    """The resolved block: its field against that with tissue far around it."""
    (reference, exact), (_, exact_near_face) = (resolved(20.0, 1.3, near_face) for near_face in (False, True))
    rows = []
    for reach, growth in ((0.0, 1.5), (0.5, 1.5), (2.0, 1.5), (2.0, 2.0), (6.0, 2.0)):
        of, found = resolved(reach, growth)
        _, near_face = resolved(reach, growth, True)
        errors = np.abs(found / exact - 1), np.abs(near_face / exact_near_face - 1)
        name = of.name + (f", growing {growth:g} times" if reach else "")
        shown = [f"{each:.1%}" for error in errors for each in (error.max(), error.mean())]
        rows.append([name, str(len(of.place)), *shown])
    rows.append([reference.name + ", growing 1.3 times (the reference)", str(len(reference.place)), *[""] * 4])
    return table(["edge", "bricks", "near the middle, largest", "mean", "near a face, largest", "mean"], rows)


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write the tables unless `--quick`."""
    quick = "--quick" in arguments
    halves = (1.5,) if quick else (1.5, 2.0, 3.0)
    boxes = [domain(edge, half) for half in halves for edge in ("sealed", "absorbing", "open")]
    grown = [domain("open", 1.5, reach, growth) for reach, growth in ((3.0, 2.0), (6.0, 1.5), (20.0, 2.0))]
    grown = grown[:1] if quick else grown
    steady_ones = [of for of in (*boxes, *grown) if not of.name.startswith("sealed")]
    parts = ["# Open boundary", _READING, "## Steady point source", _STEADY, steady_table(steady_ones),
             "## Release at an instant", _RELEASED, released_table([*boxes, *grown])]
    if not quick:
        parts += ["## A resolved block in homogenised tissue", _RESOLVED, resolved_table()]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if not quick:
        RESULTS.write_text(text)


_READING = """What the edge of a block does to what spreads in it, by `python -m tests.benchmarks.open_boundary`.

- The permeability of an endless medium alone is right to a few per cent for steady sources at its centre. Sources
  off the centre, and fronts that pass, need the edge to be further off: twice as far as what is looked at.
- Bricks that grow 1.5 times bring the edge far off at little cost. In even bricks of one size all over, a larger box
  with that permeability at its edge does as well; around a finely resolved block it would cost thirty times more.
- Bricks that grow 2 times err by some per cent themselves, and no reach mends that."""
_STEADY = ("Largest error about each distance from the source, relative to the endless field there, in the middle "
           "1.4 um along each axis; bricks of 0.2 um. Off centre: at (0.6, 0.4, 0) um.")
_RELEASED = ("A cloud 0.3 um wide in glutamate's D* = 297 um^2/s. Largest error at 0.6 and 1 um from its middle, "
             "relative to the largest value that the point ever has in the endless medium.")
_RESOLVED = ("3 x 3 x 3 cubes of 0.25 um with gaps of 0.05 um, source in a gap near the middle or in a face; tissue of "
             "the same volume fraction (0.42) and tortuosity around them. Steady field in the gaps, relative to the "
             "reference.")

if __name__ == "__main__":
    main(sys.argv[1:])
