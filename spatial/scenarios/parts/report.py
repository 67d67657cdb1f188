"""What runs of experiments leave for people: tables, recordings and summaries; of the tripartite one, four pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.cut_faces import CUT_FACE
from spatial.geometry.grid import laid_through
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.stump import STUMP
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.observe.frames import Highest
from spatial.observe.recording import Recording
from spatial.output.drawn import is_of_faces, is_spread
from spatial.output.figures import Panel, heterosynaptic_map, time_courses
from spatial.output.movies import save_table
from spatial.output.pictures import draw_all
from spatial.output.recording_file import write_recording, write_summary
from spatial.output.scenes import ASTROCYTE, BOUTON, ER, SPINE, Shape, field_around, microdomain, skin_of
from spatial.scenarios.parts.experiment import Experiment
from spatial.scenarios.parts.settings import SYNAPSES, Settings
from spatial.units import nm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
Seen = tuple[Experiment, Recording]

_NEURONS = {"bouton": BOUTON, "spine": SPINE}
_GAP = 4 * nm
_PANELS = (
    Panel("glutamate", ("glutamate at synapses",), ("at each synapse",)),
    Panel("IP3 and Ca2+", ("mean IP3", "peak calcium", "mean calcium"),
          ("mean IP3", "peak Ca2+", "mean Ca2+")),
    Panel("fused", ("total fused ATP vesicles", "total fused D-serine vesicles"),
          ("with ATP", "with D-serine")),
    Panel("D-serine", ("D-serine at synapses",), ("at each synapse",)),
    Panel("adenosine", ("adenosine at synapses",), ("at each synapse",)),
    Panel("weight change", ("weight change",), ("of each synapse",)),
)


@dataclass(frozen=True, eq=False)
class Changes:
    """What happened to each of k synapses by the end of a run, the `active` ones firing."""

    distance: Floats  # (k,) um from the middle of the active synapses
    weight: Floats  # (k,) change [percent]
    release: Floats  # (k,) change of the release probability [percent], the largest during the run
    active: NDArray[np.bool_]  # (k,)

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def changes(experiment: Experiment, recording: Recording) -> Changes:
    """Distance, weight change and change of release probability of every synapse."""
    centres = experiment.mesh[SYNAPSES].centres
    active = np.array([len(train) > 0 for train in experiment.spikes])
    probability = recording.series["release probability"].values
    relative = 100 * (probability / probability[0] - 1)
    strongest = relative[np.abs(relative).argmax(axis=0), np.arange(relative.shape[1])]
    return Changes(np.linalg.norm(centres - centres[active].mean(axis=0), axis=1),
                   100 * recording.series["weight change"].values[-1], strongest, active)


@by_annotation
def summary(experiment: Experiment, recording: Recording, settings: Settings) -> dict[str, Any]:
    """Everything about a run in a few numbers; equal for equal input and seed."""
    run, calcium = dict(recording.provenance), recording["peak calcium"]
    return {
        "scenario": experiment.name,
        "seed": run.pop("seed"),
        "settings": asdict(settings),
        "mesh": mesh_summary(experiment.mesh),
        "run": run,
        "largest relative drift": drifts(experiment, recording),
        "peak calcium": {"value": calcium.max(), "unit": "uM",
                         "time [s]": recording.times[calcium.argmax()]},
        "vesicles fused": {kind: recording[f"total fused {kind} vesicles"][-1]
                           for kind in ("ATP", "D-serine")},
        "synapses": _synapses(experiment, recording),
    }


@by_annotation
def mesh_summary(mesh: Mesh) -> dict[str, Any]:
    """The places of a mesh: how many elements, how large, and whether bricks are laid through a cell."""
    sizes = {name: {"elements": len(place), "measure": place.total, "unit": place.unit}
             for name, place in mesh.places.items()}
    notes = {name: [*laid_through(mesh, name), *_said_of_cut(mesh, name)] for name in mesh}
    return {name: size | ({"note": notes[name]} if notes[name] else {}) for name, size in sizes.items()}


def _said_of_cut(mesh: Mesh, name: str) -> list[str]:
    """What to say of faces where the block of a mesh was cut; nothing of other places."""
    if not name.startswith(CUT_FACE):
        return []
    if STUMP in mesh[name].touches:
        return ["where the block was cut: no membrane, open to stumps of cytosol"]
    return ["where the block was cut: no membrane, sealed, so that nothing flows through it"]


def _synapses(experiment: Experiment, recording: Recording) -> list[dict[str, Any]]:
    """What happened to each synapse, the active one first."""
    found, centres = changes(experiment, recording), experiment.mesh[SYNAPSES].centres
    return [{"active": found.active[k], "position [um]": centres[k], "distance [um]": found.distance[k],
             "weight change [%]": found.weight[k], "largest release probability change [%]": found.release[k]}
            for k in range(len(centres))]


@by_annotation
def drifts(experiment: Experiment, recording: Recording) -> dict[str, float]:
    """How far each conserved quantity was from its start, over its turnover."""
    found = {}
    for one in experiment.conserved:
        value, turnover = recording[one.probe.name], recording[one.turnover.name]
        found[one.name] = float(np.abs(value - value[0]).max() / (turnover.max() or 1.0))
    return found


@by_annotation
def write(folder: Path, scenario: str, settings: Any, runs: Mapping[str, Seen],
          found: Sequence[Row] | Mapping[str, Sequence[Row]], others: Iterable[Seen] = (), **more: Any) -> None:
    """The recording of each run under its name, the rows as a table or several by name, and the summary.

    `others` are runs that are checked alone; `more` goes into the summary. In a table, a row has nan in columns that
    only others have.
    """
    for name, (_, recording) in runs.items():
        write_recording(recording, folder / f"{name.replace(',', '').replace(' ', '_')}.h5")
    for name, rows in (found if isinstance(found, Mapping) else {scenario: found}).items():
        columns = dict.fromkeys(column for row in rows for column in row)
        save_table(folder / f"{name}.csv", [{one: row.get(one, float("nan")) for one in columns} for row in rows])
    first, _ = next(iter(runs.values()))
    write_summary({"scenario": scenario, "settings": asdict(settings), **checks_of((*runs.values(), *others)),
                   "mesh": mesh_summary(first.mesh), "found": found, **more}, folder / "summary.json")


@by_annotation
def headline(figure: "Figure", question: str, answer: str) -> None:
    """The question of a picture above its answer, of two lines at most."""
    figure.text(0.015, 0.985, question, fontweight="bold", fontsize=19, va="top")
    figure.text(0.015, 0.935, answer, fontsize=14, va="top")


@by_annotation
def checks_of(runs: Iterable[Seen]) -> dict[str, float]:
    """The worst of all runs: how far what is conserved drifted, over its turnover, and the smallest concentration."""
    all_runs = list(runs)
    return {"largest relative drift": max(drift for one in all_runs for drift in drifts(*one).values()),
            "smallest concentration": min(float(recording.provenance["smallest concentration"])
                                          for _, recording in all_runs)}


@by_annotation
def pictures(folder: Path, experiment: Experiment, recording: Recording,
             calcium: Highest, transmitter: Highest) -> None:
    """Draw the four pictures of a run into a folder, whose numbers stay whatever cannot be drawn."""
    found, mesh = changes(experiment, recording), experiment.mesh
    draw_all(folder, {
        "calcium.png": lambda path: _draw_calcium(path, mesh, calcium),
        "gliotransmitter.png": lambda path: field_around(
            path, transmitter.species.place, transmitter.values, transmitter.label(), mesh[SYNAPSES].centres,
            found.active, [Shape.of(mesh[PLASMA_MEMBRANE], ASTROCYTE, 1.0, "astrocyte"), *_neurons(mesh)]),
        "time_courses.png": lambda path: time_courses(path, recording, _PANELS, experiment.spikes[0]),
        "heterosynaptic_map.png": lambda path: heterosynaptic_map(
            path, found.distance, found.weight, found.release, found.active, mesh[SYNAPSES].centres)})


@by_annotation
def shown_places(experiment: Experiment) -> list[Place]:
    """The places that the pictures of a run show by their surface."""
    return [experiment.mesh[name] for name in ("cytosol", PLASMA_MEMBRANE, ER_MEMBRANE, *_NEURONS)
            if name in experiment.mesh]


def _draw_calcium(path: Path, mesh: Mesh, calcium: Highest) -> None:
    """Ca2+ in the process when it was highest, cut open, with its ER."""
    microdomain(path, calcium.species.place, calcium.values, calcium.label("Ca2+"),
                [*reticulum(mesh), glass_over(mesh), *_neurons(mesh)], mesh[SYNAPSES].centres[:1], opened=True)


@by_annotation
def reticulum(mesh: Mesh) -> list[Shape]:
    """The ER of a process as it is drawn in it: as glass where it is spread through a part, and not where through all.

    What is everywhere would only hide what it is in.
    """
    er = mesh[ER_MEMBRANE]
    if not is_spread(er):
        return [Shape.of(er, ER, 1.0, "ER")]
    return [Shape.of(er, ER, 0.15, "ER")] if len(er) < len(mesh["cytosol"]) else []


def _neurons(mesh: Mesh) -> list[Shape]:
    """The neurons that are there, as glass."""
    return [Shape.of(mesh[name], colour, 0.25, name) for name, colour in _NEURONS.items() if name in mesh.places]


@by_annotation
def glass_over(mesh: Mesh) -> Shape:
    """The plasma membrane as glass, a little outside itself, to show what is cut away of a process.

    One of voxels' faces is drawn by the skin of the cytosol, whose faces are known to point outwards.
    """
    plasma = mesh[PLASMA_MEMBRANE]
    points, triangles, _ = skin_of(mesh["cytosol"] if is_of_faces(plasma) else plasma)
    corners = points[triangles]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros((len(points), 3))
    np.add.at(normal, triangles, outward[:, None])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return Shape(points + _GAP * normal / np.where(length > 0, length, 1.0), triangles, ASTROCYTE, 0.15, "astrocyte")
