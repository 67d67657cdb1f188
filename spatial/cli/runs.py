"""`spatial run`: one command for each scenario."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatial.cli import tables
from spatial.cli.options import (
    OPEN,
    SEALED,
    CutOrOpen,
    Duration,
    Force,
    MeshFile,
    MostElements,
    MostUnknowns,
    Names,
    NoPictures,
    Out,
    Quiet,
    Resolution,
    Seed,
    StumpLength,
    Unit,
    check_for_file,
    length_unit,
    names_of,
    parametric_shape,
    stump_of,
    tetrahedra_of,
)
from spatial.geometry.size import MOST_ELEMENTS, MOST_UNKNOWNS
from spatial.units import ms

if TYPE_CHECKING:
    import numpy as np

    from spatial.scenarios.cleft.settings import CleftSettings
    from spatial.scenarios.coverage.settings import CoverageSettings
    from spatial.scenarios.parts.experiment import Experiment
    from spatial.scenarios.parts.neighbourhood import Neighbourhood
    from spatial.scenarios.parts.report import Changes
    from spatial.scenarios.parts.settings import Settings
    from spatial.simulate import Progress

WITHOUT_PICTURES = 3  # the exit code of a run whose numbers are all there, but not all its pictures
FRAMES = 60  # after the first, at most
BETWEEN = 5 * ms  # from frame to frame, at least
EVERY = 0.05 * ms  # between the values kept of a probe, at least: glutamate in a cleft lasts 0.1 ms


def tripartite(mesh: MeshFile = None, unit: Unit = "um", names: Names = None, cut: CutOrOpen = SEALED,
               stump: StumpLength = None, out: Out = Path("results"), force: Force = False, seed: Seed = 0,
               duration: Duration = None,
               no_astrocyte: Annotated[bool, typer.Option("--no-astrocyte", help="It releases nothing.")] = False,
               resolution: Resolution = None, most_elements: MostElements = MOST_ELEMENTS,
               most_unknowns: MostUnknowns = MOST_UNKNOWNS, no_pictures: NoPictures = False,
               quiet: Quiet = False) -> int:
    """One synapse is paired with its neuron, and the astrocyte changes it and its silent neighbours."""
    import numpy as np

    from spatial.output.folder import results_folder
    from spatial.output.gl import check_rendering
    from spatial.scenarios.tripartite.model import tripartite

    started = time.perf_counter()
    settings = replace(_settings(duration, not no_astrocyte), stump=stump_of(cut, stump))
    if not no_pictures:
        check_rendering()
    with results_folder(out, force) as folder:
        rng = np.random.default_rng(seed)
        place = _neighbourhood(mesh, unit, resolution, names, cut, rng, most_elements)
        experiment = tripartite(place.mesh, place.synapses, settings, rng)
        found = _results(folder, experiment, settings, seed, quiet, not no_pictures, most_unknowns)
    if not quiet:
        tables.changes(found)
    return _done(out, started, quiet)


def puffs(mesh: MeshFile = None, unit: Unit = "um", names: Names = None, cut: CutOrOpen = SEALED,
          stump: StumpLength = None, out: Out = Path("results"), force: Force = False, seed: Seed = 0,
          duration: Duration = None,
          ip3: Annotated[float | None, typer.Option(help="IP3, held from the start on [uM].")] = None,
          even_er: Annotated[bool, typer.Option("--even-er", help="As much ER, spread evenly.")] = False,
          resolution: Resolution = None, most_elements: MostElements = MOST_ELEMENTS,
          most_unknowns: MostUnknowns = MOST_UNKNOWNS, no_pictures: NoPictures = False,
          quiet: Quiet = False) -> int:
    """IP3 receptors open at random in a process with ER: a movie of its indicator, dF/F, a table of events."""
    import numpy as np

    from spatial.output.folder import results_folder
    from spatial.output.gl import check_rendering
    from spatial.scenarios.puffs.model import puffs
    from spatial.scenarios.puffs.report import results
    from spatial.scenarios.puffs.settings import PuffSettings

    started = time.perf_counter()
    given: dict[str, Any] = {"duration": duration, "ip3": ip3, "stump": stump_of(cut, stump)}
    settings = PuffSettings(even_er=even_er, **{name: value for name, value in given.items() if value is not None})
    if not no_pictures:
        check_rendering()
    with results_folder(out, force) as folder:
        tetrahedra = tetrahedra_of(mesh, unit, resolution, names, cut, most_elements)
        experiment = puffs(tetrahedra, settings, np.random.default_rng([seed, 1]), most_unknowns)
        with _progress(settings.duration, quiet) as tell:
            observed = results(folder, experiment, settings, seed, tell, not no_pictures, most_unknowns)
    if not quiet:
        tables.events(observed)
    return _done(out, started, quiet)


def cleft(out: Out = Path("results"), force: Force = False, duration: Duration = None, resolution: Resolution = None,
          most_elements: MostElements = MOST_ELEMENTS, quiet: Quiet = False) -> int:
    """A vesicle of glutamate in a cleft whose rim is open, or sealed by an adhesion or the astrocyte: a sweep."""
    from spatial.scenarios.cleft.report import results
    from spatial.scenarios.cleft.settings import CleftSettings

    return _sweep(results, CleftSettings(), duration, resolution, most_elements, out, force, quiet)


def coverage(out: Out = Path("results"), force: Force = False, duration: Duration = None,
             resolution: Resolution = None, most_elements: MostElements = MOST_ELEMENTS,
             quiet: Quiet = False) -> int:
    """A vesicle of glutamate in a cleft that an astrocyte covers from 0 to 100 %: a sweep."""
    from spatial.scenarios.coverage.report import results
    from spatial.scenarios.coverage.settings import CoverageSettings

    return _sweep(results, CoverageSettings(), duration, resolution, most_elements, out, force, quiet)


def spread(transmitter: Annotated[str | None, typer.Option(help="Only this one.", show_default="all")] = None,
           vesicles: Annotated[float, typer.Option(help="Emptied together.")] = 1.0,
           molecules: Annotated[float | None, typer.Option(help="In each vesicle.")] = None,
           emptying: Annotated[float | None, typer.Option(help="Time constant of the vesicles [ms].")] = None,
           threshold: Annotated[float, typer.Option(help="Effect from which a receptor hears, a part of 1.")] = 0.1,
           clearance: Annotated[float, typer.Option(help="Factor on the rates of enzymes and carriers.")] = 1.0,
           no_sweep: Annotated[bool, typer.Option("--no-sweep", help="Only this amount and clearance.")] = False,
           out: Out = Path("results"), force: Force = False, seed: Seed = 0, quiet: Quiet = False) -> int:
    """One release of a transmitter in neuropil: who hears it, how far off, for how long, and with how many others."""
    from spatial.output.folder import results_folder
    from spatial.scenarios.spread.model import chosen
    from spatial.scenarios.spread.report import results
    from spatial.scenarios.spread.settings import SpreadSettings

    started = time.perf_counter()
    released = chosen(transmitter, molecules, None if emptying is None else emptying * ms)
    settings = SpreadSettings(vesicles=vesicles, threshold=threshold, clearance=clearance)
    if no_sweep:
        settings = replace(settings, amounts=(1,), clearances=(1,))
    simulated = sum(one.duration for one in released) * (1 + len(settings.sweep))
    with results_folder(out, force) as folder, _progress(simulated, quiet) as tell:
        rows = results(folder, released, settings, seed, tell)
    if not quiet:
        tables.heard(rows)
    return _done(out, started, quiet)


def potassium(out: Out = Path("results"), force: Force = False, duration: Duration = None,
              resolution: Annotated[float | None, typer.Option(
                  help="Factor on every edge length of the mesh; 2 is twice coarser.", show_default="3")] = None,
              most_elements: MostElements = MOST_ELEMENTS, quiet: Quiet = False) -> int:
    """A burst beside an astrocyte process: how high K+ rises, and who takes it up; also without each of them."""
    from spatial.scenarios.potassium.report import duration as simulated
    from spatial.scenarios.potassium.report import results
    from spatial.scenarios.potassium.settings import PotassiumSettings

    settings = PotassiumSettings()
    if duration is not None:
        settings = replace(settings, duration=duration)
    if resolution is not None:
        settings = replace(settings, shape=replace(settings.shape, resolution=resolution))
    settings = replace(settings, shape=replace(settings.shape, most_elements=most_elements))
    return _into(out, force, quiet, simulated(settings), lambda folder, tell: results(folder, settings, tell))


def buffering(length: Annotated[float | None, typer.Option(help="Of the slab [um].", show_default="100")] = None,
              out: Out = Path("results"), force: Force = False, most_elements: MostElements = MOST_ELEMENTS,
              quiet: Quiet = False) -> int:
    """K+ enters a slab of tissue at one end: what astrocytes carry off, and the loop of current that does it."""
    from spatial.scenarios.buffering.report import duration as simulated
    from spatial.scenarios.buffering.report import results
    from spatial.scenarios.buffering.settings import BufferingSettings

    settings = BufferingSettings(most_elements=most_elements)
    if length is not None:
        settings = replace(settings, length=length)
    return _into(out, force, quiet, simulated(settings), lambda folder, tell: results(folder, settings, tell))


def homeostasis(duration: Annotated[float | None, typer.Option(
                    help="Of each of 12 runs [s].", show_default="60")] = None,
                out: Out = Path("results"), force: Force = False, quiet: Quiet = False) -> int:
    """Neurons that hear the K+ and adenosine of their own firing: their gain, and what keeps them from running away."""
    from spatial.scenarios.homeostasis.report import duration as simulated
    from spatial.scenarios.homeostasis.report import results
    from spatial.scenarios.homeostasis.settings import HomeostasisSettings

    settings = HomeostasisSettings() if duration is None else HomeostasisSettings(duration=duration)
    return _into(out, force, quiet, simulated(settings), lambda folder, tell: results(folder, settings, tell))


def protocols(only: Annotated[str | None, typer.Option(
                  help="One protocol: pairing, clamp, a1_block, depression, metaplasticity or frequency.",
                  show_default="all")] = None,
              seeds: Annotated[int | None, typer.Option(help="Runs of each that chance may change.",
                                                        show_default="3")] = None,
              out: Out = Path("results"), force: Force = False, quiet: Quiet = False) -> int:
    """Six protocols of plasticity: pairing, D-serine clamp, A1 block, depression, metaplasticity, frequency."""
    from spatial.scenarios.protocols.report import duration as simulated
    from spatial.scenarios.protocols.report import results
    from spatial.scenarios.protocols.settings import ProtocolSettings

    settings = ProtocolSettings(only=only) if seeds is None else ProtocolSettings(only=only, seeds=seeds)
    return _into(out, force, quiet, simulated(settings), lambda folder, tell: results(folder, settings, tell))


def heterosynaptic(synapses: Annotated[int | None, typer.Option(help="Each fires in turn.", show_default="6")] = None,
                   seeds: Annotated[int | None, typer.Option(help="Runs of each, for the bands.",
                                                             show_default="3")] = None,
                   blocks: Annotated[str | None, typer.Option(
                       help="Which runs to compare, with commas: intact, A1 block, D-serine block, no astrocyte.",
                       show_default="the first three")] = None,
                   jobs: Annotated[int | None, typer.Option(help="Processes at once.", min=1,
                                                            show_default="number of cores")] = None,
                   mesh: Annotated[Path | None, typer.Option(
                       "--mesh", help="A tetrahedral mesh instead of a process in slices: slow.")] = None,
                   unit: Unit = "um", names: Names = None, cut: CutOrOpen = SEALED, stump: StumpLength = None,
                   out: Out = Path("results"), force: Force = False, seed: Annotated[
                       int, typer.Option(help="Of where the synapses lie.", min=0)] = 0,
                   duration: Duration = None, most_elements: MostElements = MOST_ELEMENTS,
                   most_unknowns: MostUnknowns = MOST_UNKNOWNS, no_pictures: NoPictures = False,
                   quiet: Quiet = False) -> int:
    """Each synapse fires in turn: what changes at every other, and which part is adenosine, which D-serine."""
    from spatial.output.gl import check_rendering
    from spatial.scenarios.heterosynaptic.report import duration as simulated
    from spatial.scenarios.heterosynaptic.report import results
    from spatial.scenarios.heterosynaptic.settings import HeterosynapticSettings

    given: dict[str, Any] = {"synapses": synapses, "seeds": seeds, "mesh": mesh,
                             "blocks": blocks and tuple(one.strip() for one in blocks.split(","))}
    if mesh is None:
        check_for_file(names, cut)
    length = stump_of(cut, stump)
    settings = HeterosynapticSettings(arrangement=seed, unit=length_unit(unit), names=names_of(names),
                                      cut=SEALED if cut == OPEN else cut,  # type: ignore[arg-type]
                                      most_elements=most_elements, most_unknowns=most_unknowns,
                                      **{name: value for name, value in given.items() if value is not None})
    settings = replace(settings, tripartite=replace(settings.tripartite, stump=length))
    if duration is not None:
        settings = replace(settings, tripartite=replace(settings.tripartite, duration=duration))
    if not no_pictures:
        check_rendering()
    return _into(out, force, quiet, simulated(settings),
                 lambda folder, tell: results(folder, settings, jobs or os.cpu_count() or 1, tell, not no_pictures))


def _sweep(results: Any, settings: "CleftSettings | CoverageSettings", duration: float | None,
           resolution: float | None, most_elements: float, out: Path, force: bool, quiet: bool) -> int:
    """Run a sweep of releases into a cleft with its `results`, and say where they are."""
    if duration is not None:
        settings = replace(settings, release=replace(settings.release, duration=duration))
    if resolution is not None:
        settings = replace(settings, shape=replace(settings.shape, resolution=resolution))
    settings = replace(settings, shape=replace(settings.shape, most_elements=most_elements))
    return _into(out, force, quiet, settings.runs * settings.release.duration,
                 lambda folder, tell: results(folder, settings, tell))


def _into(out: Path, force: bool, quiet: bool, simulated: float,
          results: Callable[[Path, "Progress"], object]) -> int:
    """Have `results` write all its files into one new folder while a bar counts `simulated` [s], and say where."""
    from spatial.output.folder import results_folder

    started = time.perf_counter()
    with results_folder(out, force) as folder, _progress(simulated, quiet) as tell:
        results(folder, tell)
    return _done(out, started, quiet)


def _done(out: Path, started: float, quiet: bool) -> int:
    """Say where the results are, and which pictures they are without; the exit code."""
    from spatial.output.pictures import not_drawn

    missing = not_drawn(out)
    if not quiet:
        tables.where(out, time.perf_counter() - started, missing)
    return WITHOUT_PICTURES if missing else 0


def _settings(duration: float | None, astrocyte: bool) -> "Settings":
    from spatial.scenarios.parts.settings import Settings

    settings = Settings(astrocyte=astrocyte)
    return settings if duration is None else replace(settings, duration=duration)


def _neighbourhood(mesh: Path | None, unit: str, resolution: float | None, names: str | None, cut: str,
                   rng: "np.random.Generator", most_elements: float) -> "Neighbourhood":
    """The geometry: that of the file, or else the parametric one."""
    from spatial.scenarios.parts.neighbourhood import neighbourhood, parametric

    if mesh is None:
        check_for_file(names, cut)
        return parametric(parametric_shape(resolution, most_elements))
    return neighbourhood(tetrahedra_of(mesh, unit, resolution, names, cut, most_elements), rng, most_elements)


def _results(folder: Path, experiment: "Experiment", settings: "Settings", seed: int,
             quiet: bool, with_pictures: bool, most_unknowns: float) -> "Changes":
    """Compute, and write every file into the folder: the numbers first."""
    import numpy as np

    from spatial.observe.frames import Highest, Together
    from spatial.output.folder import check_room
    from spatial.output.pictures import warn_of_undrawable
    from spatial.output.recording_file import write_recording, write_summary
    from spatial.output.vtkhdf import FieldsFile, fields_size
    from spatial.scenarios.parts.report import changes, pictures, shown_places, summary
    from spatial.simulate import simulate

    until = experiment.duration
    times = np.linspace(0.0, until, 1 + max(1, min(FRAMES, round(until / BETWEEN))))
    calcium = Highest(experiment.species["calcium"])
    transmitter = Highest(experiment.species["D-serine"], of_mean=True)
    if with_pictures:
        warn_of_undrawable(*shown_places(experiment))
    check_room(folder, fields_size(experiment.film, len(times)))
    with FieldsFile(folder / "fields.vtkhdf", experiment.film) as fields, _progress(until, quiet) as tell:
        frames = Together((fields, calcium, transmitter))
        recording = simulate(experiment.model, until, experiment.watch, every=EVERY, seed=seed,
                             frames=frames, frame_times=times, progress=tell, at_events=True,
                             most_unknowns=most_unknowns)
    write_recording(recording, folder / "recording.h5")
    write_summary(summary(experiment, recording, settings), folder / "summary.json")
    if with_pictures:
        pictures(folder, experiment, recording, calcium, transmitter)
    return changes(experiment, recording)


@contextmanager
def _progress(duration: float, quiet: bool) -> "Iterator[Progress]":
    """A bar with the simulated time, the step's length and the time left, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.completed:6.3f} of {task.total:g} s"), BarColumn(),
               TextColumn("step {task.fields[step]:8.3f} ms"), TextColumn("elapsed"), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("run", total=duration, step=0.0)
        yield lambda t, dt: bar.update(task, completed=t, step=1000 * dt)
