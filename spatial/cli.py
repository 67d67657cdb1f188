"""The command line: run a scenario, look at a mesh, make one, measure one."""

import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from spatial.checks import InputError
from spatial.units import m, mm, ms, nm, um

if TYPE_CHECKING:
    import numpy as np

    from spatial.geometry.place import Floats, Place
    from spatial.geometry.tetrahedra import Tetrahedra
    from spatial.geometry.tripartite import Tripartite
    from spatial.scenarios.cleft import CleftSettings
    from spatial.scenarios.coverage import CoverageSettings
    from spatial.scenarios.experiment import Experiment
    from spatial.scenarios.neighbourhood import Neighbourhood
    from spatial.scenarios.puffs_report import Observed
    from spatial.scenarios.report import Changes
    from spatial.scenarios.settings import Settings
    from spatial.scenarios.virtual_iontophoresis import Measured
    from spatial.simulate import Progress

MESHES = ("tripartite",)
UNITS = {"um": um, "nm": nm, "mm": mm, "m": m}
RESOLUTION = 1.5  # of the parametric mesh by default: the run takes two minutes
FRAMES = 60  # after the first, at most
BETWEEN = 5 * ms  # from frame to frame, at least
EVERY = 0.05 * ms  # between the values kept of a probe, at least: glutamate in a cleft lasts 0.1 ms

Unit = Annotated[str, typer.Option(help=f"Unit of the mesh file: {', '.join(UNITS)}.")]
MeshFile = Annotated[Path | None, typer.Option("--mesh", help="A mesh instead of the parametric one.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Force = Annotated[bool, typer.Option("--force", help="Replace earlier results.")]
Seed = Annotated[int, typer.Option(help="Same seed, same files.", min=0)]
Duration = Annotated[float | None, typer.Option(help="Simulated time [s].")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar, no table.")]
Resolution = Annotated[float | None, typer.Option(
    help="Factor on every edge length of the parametric mesh; 2 is twice coarser.", show_default="1.5")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what is wrong with the input is told in one sentence, with exit code 2."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            status = _app()(args=arguments, prog_name="spatial", standalone_mode=False)
    except (InputError, OSError) as error:
        _leave(str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's usage error, which it does not export
            raise
        _leave(_usage(error))
    raise SystemExit(status or 0)


def _note(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning, in one line."""
    print("spatial: note:", " ".join(str(message).split()), file=sys.stderr)


def _leave(sentence: str) -> NoReturn:
    print("spatial:", " ".join(sentence.split()), file=sys.stderr)
    raise SystemExit(2) from None


def _usage(error: Any) -> str:
    """What was wrong with the arguments, and what there is instead of an unknown command."""
    known = getattr(error.ctx.command, "commands", {}) if error.ctx else {}
    said = error.format_message()
    return f"{said.partition('.')[0]}; there is {', '.join(known)}" if known else said.rstrip(".")


def _app() -> typer.Typer:
    """The commands."""
    app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False,
                      pretty_exceptions_enable=False, rich_markup_mode=None)
    run = typer.Typer(help="Run a scenario; leave fields, recording, summary and pictures in one folder.",
                      no_args_is_help=True)
    run.command()(tripartite)
    run.command()(puffs)
    run.command()(cleft)
    run.command()(coverage)
    run.command()(spread)
    app.add_typer(run, name="run")
    mesh = typer.Typer(help="Look at a mesh, or make one.", no_args_is_help=True)
    mesh.command()(info)
    mesh.command()(make)
    app.add_typer(mesh, name="mesh")
    measure = typer.Typer(help="Measure a geometry by a virtual experiment.", no_args_is_help=True)
    measure.callback()(lambda: None)  # one command alone would otherwise be run without its name
    measure.command()(tortuosity)
    app.add_typer(measure, name="measure")
    return app


def tripartite(mesh: MeshFile = None, unit: Unit = "um", out: Out = Path("results"), force: Force = False,
               seed: Seed = 0, duration: Duration = None,
               no_astrocyte: Annotated[bool, typer.Option("--no-astrocyte", help="It releases nothing.")] = False,
               resolution: Resolution = None, quiet: Quiet = False) -> None:
    """One synapse is paired with its neuron, and the astrocyte changes it and its silent neighbours."""
    import numpy as np

    from spatial.output.folder import results_folder
    from spatial.output.gl import check_rendering
    from spatial.scenarios.tripartite import tripartite

    started = time.perf_counter()
    settings = _settings(duration, not no_astrocyte)
    check_rendering()
    with results_folder(out, force) as folder:
        rng = np.random.default_rng(seed)
        place = _neighbourhood(mesh, unit, resolution, rng)
        experiment = tripartite(place.mesh, place.synapses, settings, rng)
        found = _results(folder, experiment, settings, seed, quiet)
    if not quiet:
        _tell(found)
        _say_where(out, time.perf_counter() - started)


def puffs(mesh: MeshFile = None, unit: Unit = "um", out: Out = Path("results"), force: Force = False, seed: Seed = 0,
          duration: Duration = None,
          ip3: Annotated[float | None, typer.Option(help="IP3, held from the start on [uM].")] = None,
          even_er: Annotated[bool, typer.Option("--even-er", help="As much ER, spread evenly.")] = False,
          resolution: Resolution = None, quiet: Quiet = False) -> None:
    """IP3 receptors open at random in a process with ER: a movie of its indicator, dF/F, a table of events."""
    import numpy as np

    from spatial.output.folder import results_folder
    from spatial.output.gl import check_rendering
    from spatial.scenarios.puffs import PuffSettings, puffs
    from spatial.scenarios.puffs_report import results

    started = time.perf_counter()
    given: dict[str, Any] = {"duration": duration, "ip3": ip3}
    settings = PuffSettings(even_er=even_er, **{name: value for name, value in given.items() if value is not None})
    check_rendering()
    with results_folder(out, force) as folder:
        experiment = puffs(_tetrahedra(mesh, unit, resolution), settings, np.random.default_rng([seed, 1]))
        with _progress(settings.duration, quiet) as tell:
            observed = results(folder, experiment, settings, seed, tell)
    if not quiet:
        _tell_events(observed)
        _say_where(out, time.perf_counter() - started)


def cleft(out: Out = Path("results"), force: Force = False, duration: Duration = None, resolution: Resolution = None,
          quiet: Quiet = False) -> None:
    """A vesicle of glutamate in a cleft whose rim is open, or sealed by an adhesion or the astrocyte: a sweep."""
    from spatial.scenarios.cleft import CleftSettings
    from spatial.scenarios.cleft_report import results

    _sweep(results, CleftSettings(), duration, resolution, out, force, quiet)


def coverage(out: Out = Path("results"), force: Force = False, duration: Duration = None,
             resolution: Resolution = None, quiet: Quiet = False) -> None:
    """A vesicle of glutamate in a cleft that an astrocyte covers from 0 to 100 %: a sweep."""
    from spatial.scenarios.coverage import CoverageSettings
    from spatial.scenarios.coverage_report import results

    _sweep(results, CoverageSettings(), duration, resolution, out, force, quiet)


def spread(transmitter: Annotated[str | None, typer.Option(help="Only this one.", show_default="all")] = None,
           vesicles: Annotated[float, typer.Option(help="Emptied together.")] = 1.0,
           molecules: Annotated[float | None, typer.Option(help="In each vesicle.")] = None,
           emptying: Annotated[float | None, typer.Option(help="Time constant of the vesicles [ms].")] = None,
           threshold: Annotated[float, typer.Option(help="Effect from which a receptor hears, a part of 1.")] = 0.1,
           clearance: Annotated[float, typer.Option(help="Factor on the rates of enzymes and carriers.")] = 1.0,
           no_sweep: Annotated[bool, typer.Option("--no-sweep", help="Only this amount and clearance.")] = False,
           out: Out = Path("results"), force: Force = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """One release of a transmitter in neuropil: who hears it, how far off, for how long, and with how many others."""
    from spatial.output.folder import results_folder
    from spatial.scenarios.spread import SpreadSettings, chosen
    from spatial.scenarios.spread_report import results

    started = time.perf_counter()
    released = chosen(transmitter, molecules, None if emptying is None else emptying * ms)
    settings = SpreadSettings(vesicles=vesicles, threshold=threshold, clearance=clearance)
    if no_sweep:
        settings = replace(settings, amounts=(1,), clearances=(1,))
    simulated = sum(one.duration for one in released) * (1 + len(settings.sweep))
    with results_folder(out, force) as folder, _progress(simulated, quiet) as tell:
        rows = results(folder, released, settings, seed, tell)
    if not quiet:
        _tell_heard(rows)
        _say_where(out, time.perf_counter() - started)


def info(file: Annotated[Path, typer.Argument(help="A mesh in any format that meshio reads.")],
         unit: Unit = "um") -> None:
    """Tell regions, membranes, measures and quality of a mesh file."""
    from spatial.geometry.load import load
    from spatial.geometry.quality import quality_report

    print(quality_report(load(file, _unit(unit))))


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
    tetrahedra = tripartite(_shape(resolution))
    save(tetrahedra, out)
    print(quality_report(tetrahedra))


def tortuosity(file: Annotated[Path, typer.Argument(help="A mesh, or a .npz file of labels with --voxel.")],
               unit: Unit = "um",
               place: Annotated[str, typer.Option(help="The place of the mesh to measure.")] = "ecs",
               voxel: Annotated[tuple[float, float, float] | None,
                                typer.Option(help="Sides of a voxel of labels [nm].")] = None,
               shrink: Annotated[float | None, typer.Option(help="Taken off labelled cells all around [nm].")] = None,
               sources: Annotated[int, typer.Option(help="Points at which TMA+ is let in, one at a time.", min=1)] = 4,
               seed: Seed = 0, quick: Annotated[bool, typer.Option("--quick", help="No virtual experiment.")] = False,
               out: Annotated[Path | None, typer.Option(help="A .png file for traces and fit.")] = None) -> None:
    """Volume fraction and tortuosity of a block: by a steady gradient, and by virtual iontophoresis and its fit."""
    import numpy as np

    from spatial.observe.tortuosity import block, steady_tortuosity
    from spatial.scenarios.virtual_iontophoresis import measure, picture

    if out is not None and (quick or out.suffix != ".png" or not out.parent.is_dir()):
        raise InputError(f"{out} cannot be drawn: its name must end in .png, its folder exist, and --quick be left out")
    of = block(*_tissue(file, unit, place, voxel, shrink))
    if quick:
        _tell_tortuosity(of.alpha, steady_tortuosity(of))
        return
    measured = measure(of, np.random.default_rng(seed), sources)
    _tell_tortuosity(of.alpha, measured.tortuosity, measured)
    if out is not None:
        picture(out, of, measured)


def _tissue(file: Path, unit: str, place: str, voxel: tuple[float, float, float] | None,
            shrink: float | None) -> "tuple[Place, Floats | None, Floats | None]":
    """The place to be measured, and the corners of its block where the file says them."""
    import numpy as np

    from spatial.geometry.load import load
    from spatial.geometry.voxels import extracellular, load_labels, shrunk
    from spatial.operators.control_volumes import discretise

    if file.suffix != ".npz":
        if voxel is not None or shrink is not None:
            raise InputError(f"--voxel and --shrink are for labels in a .npz file; leave them out with {file}")
        mesh = discretise(load(file, _unit(unit)))
        volumes = [name for name, each in mesh.items() if each.dimension == 3]
        if place not in volumes:
            raise InputError(f"{file} has no place {place!r} to measure; name one of {', '.join(volumes)} with --place")
        return mesh[place], None, None
    if unit != "um" or place != "ecs":
        raise InputError("--unit and --place are for meshes; of labels, what is between the cells is measured")
    labels = load_labels(file, None if voxel is None else (voxel[0] * nm, voxel[1] * nm, voxel[2] * nm))
    if shrink is not None:
        fine = [max(1, math.ceil(side / (2 * shrink * nm))) if shrink > 0 else 1 for side in labels.voxel]
        labels = shrunk(labels, shrink * nm, fine)
    return extracellular(labels), np.zeros(3), labels.extent


def _sweep(results: Any, settings: "CleftSettings | CoverageSettings", duration: float | None,
           resolution: float | None, out: Path, force: bool, quiet: bool) -> None:
    """Run a sweep of releases into a cleft with its `results`, and say where they are."""
    from spatial.output.folder import results_folder

    started = time.perf_counter()
    if duration is not None:
        settings = replace(settings, release=replace(settings.release, duration=duration))
    if resolution is not None:
        settings = replace(settings, shape=replace(settings.shape, resolution=resolution))
    with results_folder(out, force) as folder, _progress(settings.runs * settings.release.duration, quiet) as tell:
        results(folder, settings, tell)
    if not quiet:
        _say_where(out, time.perf_counter() - started)


def _unit(name: str) -> float:
    if name not in UNITS:
        raise InputError(f"unit {name!r} is not known; it must be one of {', '.join(UNITS)}")
    return UNITS[name]


def _settings(duration: float | None, astrocyte: bool) -> "Settings":
    from spatial.scenarios.settings import Settings

    settings = Settings(astrocyte=astrocyte)
    return settings if duration is None else replace(settings, duration=duration)


def _shape(resolution: float | None) -> "Tripartite":
    from spatial.geometry.tripartite import Tripartite

    return Tripartite(resolution=RESOLUTION if resolution is None else resolution)


def _neighbourhood(mesh: Path | None, unit: str, resolution: float | None,
                   rng: "np.random.Generator") -> "Neighbourhood":
    """The geometry: that of the file, or else the parametric one."""
    from spatial.scenarios.neighbourhood import neighbourhood, parametric

    if mesh is None:
        return parametric(_shape(resolution))
    return neighbourhood(_tetrahedra(mesh, unit, resolution), rng)


def _tetrahedra(mesh: Path | None, unit: str, resolution: float | None) -> "Tetrahedra":
    """The tetrahedra of the file, or else of the parametric mesh."""
    from spatial.geometry import tripartite
    from spatial.geometry.load import load

    if mesh is None:
        return tripartite.tripartite(_shape(resolution))
    if resolution is not None:
        raise InputError("--resolution is for the parametric mesh; leave it out with --mesh")
    return load(mesh, _unit(unit))


def _results(folder: Path, experiment: "Experiment", settings: "Settings", seed: int,
             quiet: bool) -> "Changes":
    """Compute, and write every file into the folder."""
    import numpy as np

    from spatial.observe.frames import Highest, Together
    from spatial.output.recording_file import write_recording, write_summary
    from spatial.output.vtkhdf import FieldsFile
    from spatial.scenarios.report import changes, pictures, summary
    from spatial.simulate import simulate

    until = experiment.duration
    times = np.linspace(0.0, until, 1 + max(1, min(FRAMES, round(until / BETWEEN))))
    calcium = Highest(experiment.species["calcium"])
    transmitter = Highest(experiment.species["D-serine"], of_mean=True)
    with FieldsFile(folder / "fields.vtkhdf", experiment.film) as fields, _progress(until, quiet) as tell:
        frames = Together((fields, calcium, transmitter))
        recording = simulate(experiment.model, until, experiment.watch, every=EVERY, seed=seed,
                             frames=frames, frame_times=times, progress=tell)
    write_recording(recording, folder / "recording.h5")
    write_summary(summary(experiment, recording, settings), folder / "summary.json")
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


def _tell(found: "Changes") -> None:
    """A table of what happened at each synapse, nearest first."""
    from rich.console import Console
    from rich.table import Table

    table = Table("synapse", "distance [µm]", "weight change [%]", "release probability [%]")
    for k in found.distance.argsort(kind="stable").tolist():
        table.add_row("active" if found.active[k] else str(k), f"{found.distance[k]:.2f}",
                      f"{found.weight[k]:+.3g}", f"{found.release[k]:+.3g}")
    Console().print(table)


def _tell_events(observed: "Observed") -> None:
    """A table of the events, in the order of their starts."""
    from rich.console import Console
    from rich.table import Table

    table = Table("event", "start [s]", "duration [ms]", "rise of Ca²⁺ [µM]", "radius [nm]", "spread [nm]")
    for event in observed.events:
        table.add_row(str(event.label), f"{event.start:.3f}", f"{event.duration / ms:.3g}", f"{event.amplitude:.3g}",
                      f"{event.radius / nm:.3g}", f"{event.spread / nm:.3g}")
    Console().print(table)


def _tell_heard(rows: Sequence[dict[str, Any]]) -> None:
    """A table of who heard the releases."""
    from rich.console import Console
    from rich.table import Table

    table = Table("receptor", "hears", "radius of effect [µm]", r"at \[ms]", "synapses")
    for row in rows:
        heard = row["radius of effect [um]"] > 0
        table.add_row(row["receptor"], row["molecule heard"], f"{row['radius of effect [um]']:.3g}",
                      f"{row['at [s]'] / ms:.3g}" if heard else "", f"{row['synapses expected']:.3g}")
    Console().print(table)


def _tell_tortuosity(alpha: float, steady: "Floats", measured: "Measured | None" = None) -> None:
    """A table of volume fraction and tortuosity, by each way."""
    from rich.console import Console
    from rich.table import Table

    from spatial.observe.tortuosity import isotropic
    from spatial.scenarios.virtual_iontophoresis import TISSUE, fitted_tortuosity

    def row(name: str, axes: "Floats", all_axes: str) -> None:
        table.add_row(name, *(f"{each:.3f}" for each in axes), all_axes)

    table = Table("", "x", "y", "z", "all axes")
    row("λ, steady gradient", steady, f"{isotropic(steady):.3f}")
    table.add_row("α, from volumes", "", "", "", f"{alpha:.3f}")
    if measured is not None:
        spread = [f" ± {each:.3f}" if each == each else "" for each in measured.spread]
        row("λ, virtual TMA⁺", fitted_tortuosity(measured.fit), f"{measured.fitted:.3f}{spread[1]}")
        table.add_row("α, virtual TMA⁺", "", "", "", f"{measured.fit['alpha']:.3f}{spread[0]}")
    table.add_row(f"{TISSUE} / λ, not from geometry", "", "", "", f"{TISSUE / isotropic(steady):.3f}")
    Console().print(table)


def _say_where(out: Path, seconds: float) -> None:
    from rich.console import Console

    Console().print(f"Results are in {out.resolve()} ({seconds:.0f} s).", soft_wrap=True, highlight=False)
