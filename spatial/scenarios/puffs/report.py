"""What a run of puffs leaves: the microscope's movie, its dF/F, a table of events, and pictures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial import checks
from spatial.analysis.microdomains import Event, detect, effective_diffusion, locality, rate, rows
from spatial.analysis.microscope import Camera, Microscope, Movie, Trace, confocal, delta_f_over_f, trace
from spatial.checks import arguments, by_annotation
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.size import MOST_UNKNOWNS
from spatial.geometry.surfaces import PLASMA_MEMBRANE
from spatial.observe.frames import Film, Highest, Only, Together
from spatial.observe.recording import Recording
from spatial.output.figures import COLOURS, GREY, figure_of, pretty, save, style
from spatial.output.folder import check_room
from spatial.output.movies import save_animation, save_npy, save_table, save_tiff
from spatial.output.pictures import draw_all, warn_of_undrawable
from spatial.output.recording_file import write_recording, write_summary
from spatial.output.scenes import microdomain
from spatial.output.vtkhdf import FieldsFile, fields_size
from spatial.scenarios.parts.report import drifts, glass_over, mesh_summary, reticulum
from spatial.scenarios.puffs.model import Puffs
from spatial.scenarios.puffs.settings import PuffSettings
from spatial.simulate import Progress, simulate
from spatial.units import ms, um

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPOSURE, SAMPLES = 10 * ms, 4
PIXEL, MARGIN = 0.1 * um, 0.4 * um
APERTURE = 1.2
BASELINE = 20.0  # percentile of each pixel's light over time
RISEN = 0.5  # uM above rest: an event
FRAMES = 60  # in the file for ParaView, at most
IN_MOVIE = 0.25  # F0 of a pixel over that of the brightest, from which it belongs to the process


@dataclass(frozen=True, eq=False)
class Observed:
    """What a run showed."""

    recording: Recording
    film: Film  # Ca2+, at every instant at which the camera looked
    movie: Movie
    light: Trace  # dF/F of the whole process
    events: list[Event]
    highest: Highest

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def microscope_over(place: Place) -> Microscope:
    """A confocal microscope that sees all of a process, along its thinnest direction, focused on its middle."""
    middle = (place.centres.min(axis=0) + place.centres.max(axis=0)) / 2
    axis = np.eye(3)[np.ptp(place.centres, axis=0).argmin()]
    bare = Microscope(confocal(APERTURE), tuple(middle), axis=tuple(axis), pixel=PIXEL, exposure=EXPOSURE)
    across, along, _ = np.ptp((place.centres - middle) @ bare.frame().T, axis=0) + 2 * MARGIN
    return Microscope(bare.optics, bare.focus, (round(along / PIXEL), round(across / PIXEL)), PIXEL, bare.axis,
                      exposure=EXPOSURE)


@by_annotation
def observe(puffs: Puffs, settings: PuffSettings, seed: int, fields: FieldsFile | None = None,
            progress: Progress | None = None, most_unknowns: float = MOST_UNKNOWNS) -> Observed:
    """Run the experiment under the microscope and find its events."""
    experiment = puffs.experiment
    camera = Camera(microscope_over(puffs.calcium.place), settings.indicator, puffs.free, puffs.bound,
                    settings.duration, samples=SAMPLES)
    film, highest = Film(puffs.calcium), Highest(puffs.calcium)
    every = camera.instants[::max(1, -(-len(camera.instants) // FRAMES))]
    frames = Together([camera, film, highest, *([Only.at(every, fields)] if fields else [])])
    recording = simulate(experiment.model, settings.duration, experiment.watch, every=0.2 * ms, seed=seed,
                         frames=frames, frame_times=camera.instants, progress=progress, start=puffs.start,
                         at_events=True, most_unknowns=most_unknowns)
    movie = camera.movie(np.random.default_rng([seed, 2]))
    calm = np.asarray(puffs.start[puffs.calcium])
    events = detect(film.species.place, film.times, film.values, calm + RISEN, calm)
    return Observed(recording, film, movie, trace(movie, bright(movie), BASELINE), events, highest)


@by_annotation
def bright(movie: Movie) -> Any:
    """(y, x) the pixels that show the process."""
    resting = np.percentile(movie.signal, BASELINE, axis=0)
    return resting >= IN_MOVIE * resting.max()


@by_annotation
def event_table(puffs: Puffs, settings: PuffSettings, observed: Observed) -> list[dict[str, Any]]:
    """One row per event: when, where, how high and wide, and how local it was."""
    place, film, found = puffs.calcium.place, observed.film, list[dict[str, Any]]()
    calm = np.asarray(puffs.start[puffs.calcium])
    for event, row in zip(observed.events, rows(observed.events), strict=True):
        local = locality(event, place, film.times, film.values, effective_diffusion(puffs.calcium.D), calm)
        found.append({**row, "tau_diff [s]": local.tau_diff, "rise over tau_diff": local.rise_over_diffusion,
                      "contrast": local.contrast, "decoupled": local.decoupled})
    return found


@arguments(not_negative=("seed", "most_unknowns"))
def results(folder: Path, puffs: Puffs, settings: PuffSettings, seed: int, progress: Progress | None,
            with_pictures: bool = True, most_unknowns: float = MOST_UNKNOWNS) -> Observed:
    """Compute, and write every file into the folder: the numbers first."""
    mesh, film = puffs.experiment.mesh, puffs.experiment.film
    if with_pictures:
        warn_of_undrawable(puffs.calcium.place, mesh[PLASMA_MEMBRANE])
    check_room(folder, fields_size(film, FRAMES + 1))
    with FieldsFile(folder / "fields.vtkhdf", film) as fields:
        observed = observe(puffs, settings, seed, fields, progress, most_unknowns)
    write_recording(observed.recording, folder / "recording.h5")
    save_table(folder / "events.csv", event_table(puffs, settings, observed))
    write_summary(_summary(puffs, settings, seed, observed), folder / "summary.json")
    change = _write_movie(folder, observed.movie)
    if with_pictures:
        draw_all(folder, {"movie.gif": lambda path: _animate(path, observed.movie, change),
                          "puffs.png": lambda path: _draw(path, puffs, settings, observed),
                          "calcium.png": lambda path: _draw_calcium(path, mesh, observed.highest)})
    return observed


def _draw_calcium(path: Path, mesh: Mesh, highest: Highest) -> None:
    """Ca2+ in the process when it was highest, cut open, with its ER."""
    microdomain(path, highest.species.place, highest.values, highest.label("Ca2+"),
                [*reticulum(mesh), glass_over(mesh)], opened=True)


def _write_movie(folder: Path, movie: Movie) -> Any:
    """Counts and dF/F (t, y, x) as TIFF, dF/F as NumPy; dF/F is returned."""
    change = delta_f_over_f(movie, BASELINE, dimmest=IN_MOVIE)
    save_tiff(folder / "movie.tif", movie.frames, movie.pixel, EXPOSURE)  # one frame follows the other
    save_tiff(folder / "dff.tif", change, movie.pixel, EXPOSURE)
    save_npy(folder / "dff.npy", change)
    return change


def _animate(path: Path, movie: Movie, change: Any) -> None:
    """dF/F (t, y, x) as a film to look at."""
    save_animation(path, change, movie.times, movie.pixel, "dF/F", per_second=20.0)


def _summary(puffs: Puffs, settings: PuffSettings, seed: int, observed: Observed) -> dict[str, Any]:
    """The run in a few numbers; equal for equal input and seed."""
    run, peak = dict(observed.recording.provenance), observed.recording["peak calcium"]
    run.pop("seed")
    amplitudes = [event.amplitude for event in observed.events]
    return {
        "scenario": "puffs", "seed": seed, "settings": asdict(settings),
        "mesh": mesh_summary(puffs.experiment.mesh), "run": run,
        "largest relative drift": drifts(puffs.experiment, observed.recording),
        "peak calcium": {"value": peak.max(), "unit": "uM", "time [s]": observed.recording.times[peak.argmax()]},
        "events": {"number": len(amplitudes), "rate [1/s]": rate(observed.events, settings.duration),
                   "median amplitude [uM]": float(np.median(amplitudes)) if amplitudes else None},
        "dF/F": {"largest": float(observed.light.values.max()), "noise": observed.light.noise},
    }


def _draw(path: Path, puffs: Puffs, settings: PuffSettings, observed: Observed) -> None:
    """Channels, Ca2+, the microscope's trace and the events over time."""
    recording = observed.recording
    with style():
        figure = figure_of(10.5, 8.2)
        rows_of = figure.subplots(4, 1, sharex=True, gridspec_kw={
            "left": 0.12, "right": 0.97, "top": 0.96, "bottom": 0.08, "hspace": 0.22})
        _line(rows_of[0], recording.times, recording["total open IP3R"], COLOURS[0], "open IP3R", steps=True)
        _line(rows_of[1], recording.times, recording["peak calcium"], COLOURS[1], "highest Ca2+\n[uM]")
        rows_of[1].set_yscale("log")
        _line(rows_of[2], observed.light.times, 100 * observed.light.values, COLOURS[2],
              f"dF/F [%]\n{settings.indicator.name}")
        _raster(rows_of[3], observed.events)
        rows_of[3].set_xlabel("time [s]")
        rows_of[3].set_xlim(0, settings.duration)
        figure.align_ylabels(rows_of)
        save(figure, path)


def _line(axes: "Axes", times: Floats, values: Floats, colour: str, label: str, steps: bool = False) -> None:
    axes.plot(times, values, color=colour, lw=1.2, drawstyle="steps-post" if steps else "default")
    axes.set_ylabel(pretty(label))


def _raster(axes: "Axes", events: Sequence[Event]) -> None:
    """Each event as a bar from start to end, at the height of its amplitude."""
    for event in events:
        axes.plot((event.start, event.end), (event.amplitude,) * 2, color=COLOURS[3], lw=4)
        axes.vlines(event.peak_time, 0, event.amplitude, color=GREY, lw=0.6)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(pretty("events:\nrise of Ca2+ [uM]"))
