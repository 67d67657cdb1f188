"""What runs of experiments leave for people: tables, recordings and summaries; of the tripartite one, four pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spatial import checks
from spatial.checks import by_annotation
from spatial.geometry.grid import laid_through
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.surfaces import ER_MEMBRANE, PLASMA_MEMBRANE
from spatial.observe.frames import Highest
from spatial.observe.recording import Recording
from spatial.output.figures import Panel, heterosynaptic_map, time_courses
from spatial.output.movies import save_table
from spatial.output.recording_file import write_recording, write_summary
from spatial.output.scenes import ASTROCYTE, BOUTON, ER, SPINE, Shape, field_around, microdomain
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
    notes = {name: list(laid_through(mesh, name)) for name in mesh}
    return {name: size | ({"note": notes[name]} if notes[name] else {}) for name, size in sizes.items()}


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
    """Draw the four pictures of a run into a folder."""
    found, mesh = changes(experiment, recording), experiment.mesh
    synapses, plasma = mesh[SYNAPSES].centres, mesh[PLASMA_MEMBRANE]
    neurons = [Shape.of(mesh[name], colour, 0.25, name)
               for name, colour in _NEURONS.items() if name in mesh.places]
    microdomain(folder / "calcium.png", calcium.species.place, calcium.values, calcium.label("Ca2+"),
                [Shape.of(mesh[ER_MEMBRANE], ER, 1.0, "ER"), glass_over(plasma), *neurons],
                synapses[:1], opened=True)
    field_around(folder / "gliotransmitter.png", transmitter.species.place, transmitter.values,
                 transmitter.label(), synapses, found.active,
                 [Shape.of(plasma, ASTROCYTE, 1.0, "astrocyte"), *neurons])
    time_courses(folder / "time_courses.png", recording, _PANELS, experiment.spikes[0])
    heterosynaptic_map(folder / "heterosynaptic_map.png", found.distance, found.weight, found.release,
                       found.active, synapses)


@by_annotation
def glass_over(plasma: Place) -> Shape:
    """The plasma membrane as glass, a little outside itself, to show what is cut away of a process."""
    corners = plasma.centres[plasma.cells]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros((len(plasma), 3))
    np.add.at(normal, plasma.cells, outward[:, None])
    moved = plasma.centres + _GAP * normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return Shape(moved, plasma.cells, ASTROCYTE, 0.15, "astrocyte")
