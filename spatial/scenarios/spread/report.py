"""What runs of `spread` leave: who heard it, a table of cases, two sources together, and one picture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial import checks
from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.spread import (
    Overlap,
    Reach,
    apparent_diffusion,
    around,
    expected_synapses,
    exposure,
    fitted_length_constant,
    length_constant,
    mean_square_length,
    overlap,
    poisson_synapses,
    reach,
)
from spatial.checks import arguments, by_annotation
from spatial.geometry.place import Floats
from spatial.geometry.shells import rings
from spatial.observe.frames import Film, Together
from spatial.observe.recording import Recording, Series
from spatial.output.figures import COLOURS, GREY, INK, figure_of, save, style
from spatial.output.movies import save_table
from spatial.output.pictures import draw_all
from spatial.output.recording_file import write_recording, write_summary
from spatial.scenarios.parts.experiment import after
from spatial.scenarios.parts.report import drifts, mesh_summary
from spatial.scenarios.spread.model import Listener, Spread, Transmitter, spread
from spatial.scenarios.spread.settings import SpreadSettings
from spatial.simulate import Progress, simulate
from spatial.units import MOLECULES, ms, um

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOURCE = (0.0, 0.0, 0.0)
DISTANCES = (0.5 * um, 1 * um, 2 * um)  # of which the table tells how long they hear
_SWEPT_FRAMES = 121
_TOLERANCE = Tolerance(1e-2, shortest=1e-15)  # frames are so dense that steps are finer than it asks
_FRAMES_OF_TWO = 100  # or a little more
_RINGS = 24  # over the radius that two sources reach at one place
_MARGIN = 1.1
_DRAWN = 1e6  # synapses in all draws together, about
_APART = 16  # separations drawn


@dataclass(frozen=True, eq=False)
class Heard:
    """What one receptor heard of one release."""

    spread: Spread
    listener: Listener
    rise: Floats  # (k, n) uM above ambient of what it hears, on the shells
    effect: Floats  # (k, n)
    reach: Reach  # of the effect
    drift: float  # of what must be conserved, relative
    smallest: float  # concentration anywhere in the run [uM]

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def name(self) -> str:
        """The receptor and what it hears."""
        return f"{self.listener.name} ({self.molecule})"

    @property
    def molecule(self) -> str:
        """What it hears."""
        return self.spread.transmitter.stages[self.listener.stage].name

    @property
    def volume(self) -> float:
        """Largest volume of tissue that hears it at one time [um^3]."""
        return float(self.reach.volume.max())

    @property
    def synapses(self) -> float:
        """How many are expected in it."""
        return float(expected_synapses(self.volume, self.spread.settings.density))

    @property
    def theory(self) -> float:
        """Length constant [um] for clearance far below saturation, over all steps up to the molecule heard."""
        settings, steps = self.spread.settings, slice(self.listener.stage + 1)
        return float(np.linalg.norm([length_constant(apparent_diffusion(stage.D, settings.tortuosity), loss) for
                                     stage, loss in zip(self.spread.transmitter.stages[steps],
                                                        self.spread.losses[steps], strict=True)]))

    @property
    def measured(self) -> tuple[float, float | None]:
        """Length constants of the exposure [um], by its mean square and by its slope, which a cascade does not have."""
        left = exposure(self.reach.times, self.rise)
        between = (self.theory / 2, 2 * self.theory)
        return (mean_square_length(self.spread.place, left, SOURCE), None if self.listener.stage else
                fitted_length_constant(self.spread.place, left, SOURCE, between))


@by_annotation
def observe(case: Spread, progress: Progress | None = None) -> list[Heard]:
    """Run one release, and ask each of its listeners."""
    experiment, settings = case.experiment, case.settings
    films = [Film(species) for species in case.chain]
    recording = simulate(experiment.model, experiment.duration, experiment.watch, frames=Together(films),
                         frame_times=case.times, tolerance=_TOLERANCE, progress=progress)
    drift, smallest = max(drifts(experiment, recording).values()), recording.provenance["smallest concentration"]
    found = []
    for listener in case.transmitter.listeners:
        times, rise = films[listener.stage].times, films[listener.stage].values.astype(float)
        effect = listener.effect(times, rise)
        found.append(Heard(case, listener, rise, effect, reach(case.place, times, effect, settings.threshold, SOURCE,
                                                               settings.volume_fraction), drift, smallest))
    return found


@by_annotation
def sweep(transmitters: Sequence[Transmitter], settings: SpreadSettings,
          progress: Progress | None = None) -> list[Heard]:
    """Each transmitter at every amount and clearance of the sweep but those of the settings themselves."""
    return list(_asked([spread(one, replace(settings, vesicles=settings.vesicles * amount, frames=_SWEPT_FRAMES,
                                            clearance=settings.clearance * faster))
                        for one in transmitters for amount, faster in settings.sweep], progress))


def _asked(cases: Iterable[Spread], progress: Progress | None) -> Iterator[Heard]:
    """What is heard of each case; progress counts the simulated time of all together."""
    before = 0.0
    for case in cases:
        yield from observe(case, after(before, progress))
        before += case.experiment.duration


@arguments(not_negative=("separation",))
def two_sources(heard: Heard, separation: float) -> Overlap:
    """Where two equal releases at the same time, so far apart [um], are heard; clearance is taken as unsaturated."""
    some = slice(None, None, max(1, len(heard.rise) // _FRAMES_OF_TWO))
    times, rise, place, alone = heard.reach.times[some], heard.rise[some], heard.spread.place, heard.listener.effect
    alpha, threshold = heard.spread.settings.volume_fraction, heard.spread.settings.threshold
    widest = reach(place, times, alone(times, 2 * rise), threshold, SOURCE).largest
    if widest == 0:
        return Overlap(0.0, 0.0, 0.0, 0.0)
    wide, half, middle = _MARGIN * widest, separation / 2 + _MARGIN * widest, separation / 2
    heights = np.linspace(-half, half, round(2 * half / wide * _RINGS) + 1)
    plane = rings("ecs", np.linspace(0, wide, _RINGS + 1), heights, alpha)
    one, other = (around(plane, (0.0, 0.0, z), place.centres[:, 0], rise) for z in (-middle, middle))
    return overlap(plane, alone(times, one), alone(times, other), threshold, alpha, together=alone(times, one + other))


@by_annotation
def draw_synapses(heard: Heard, rng: np.random.Generator) -> Floats:
    """(draws,) number of synapses that hear it, among random ones around the source; fewer draws of very many."""
    settings, radius = heard.spread.settings, heard.reach.largest
    draws = min(settings.draws, 2 + int(_DRAWN / (1 + heard.synapses)))
    around_it = (poisson_synapses(_MARGIN * radius, rng, settings.density) for _ in range(draws))
    return np.array([np.sum(np.linalg.norm(one, axis=1) <= radius) for one in around_it], float)


@by_annotation
def row(heard: Heard) -> dict[str, Any]:
    """One line of the table, each column named with its unit."""
    case, found = heard.spread, heard.reach
    released = case.transmitter.vesicle * case.settings.vesicles * MOLECULES
    measured, slope = heard.measured
    return {"transmitter": case.transmitter.name, "receptor": heard.listener.name,
            "molecule heard": heard.molecule, "effect": heard.listener.changes, "threshold": case.settings.threshold,
            "vesicles": case.settings.vesicles, "molecules released": round(released, 3),
            "emptying [ms]": case.transmitter.emptying / ms, "clearance": case.settings.clearance,
            "largest effect": float(heard.effect.max()), "radius of effect [um]": found.largest,
            "at [s]": found.time if found.largest else None, "volume reached [um^3]": heard.volume,
            **{f"heard at {one:g} um for [s]": float(duration)
               for one, duration in zip(DISTANCES, found.duration(np.array(DISTANCES)), strict=True)},
            "length constant [um]": measured, "in theory [um]": heard.theory, "by slope [um]": slope,
            "synapses expected": heard.synapses}


@arguments(not_negative=("seed",))
def table(base: Sequence[Heard], swept: Sequence[Heard], seed: int) -> list[dict[str, Any]]:
    """Rows of the releases asked for, with drawn synapses and two sources, and after them those of the sweep."""
    rng, rows = np.random.default_rng([seed, 1]), []
    separations = base[0].spread.settings.separations
    for one in base:
        counts, pairs = draw_synapses(one, rng), [two_sources(one, apart) for apart in separations]
        rows.append({**row(one), "synapses drawn, mean": float(counts.mean()), "sd": float(counts.std(ddof=1)),
                     **{f"both reach, {apart:g} um apart": pair.shared
                        for apart, pair in zip(separations, pairs, strict=True)},
                     **{f"only together, {apart:g} um apart": pair.gain if pair.either else None
                        for apart, pair in zip(separations, pairs, strict=True)}})
    return rows + [{**dict.fromkeys(rows[0]), **row(one)} for one in swept]


@by_annotation
def results(folder: Path, transmitters: Sequence[Transmitter], settings: SpreadSettings, seed: int,
            progress: Progress | None = None) -> list[dict[str, Any]]:
    """Compute, write every file into the folder, and return the rows of the releases asked for."""
    base = list(_asked((spread(one, settings) for one in transmitters), progress))
    swept = sweep(transmitters, settings, after(sum(one.duration for one in transmitters), progress))
    rows = table(base, swept, seed)
    save_table(folder / "spread.csv", rows)
    write_recording(recorded(base), folder / "recording.h5")
    write_summary(_summary(base, swept, rows[:len(base)], seed), folder / "summary.json")
    draw_all(folder, {"spread.png": lambda path: draw(path, base, swept)})
    return rows[:len(base)]


@by_annotation
def recorded(base: Sequence[Heard]) -> Recording:
    """Radius and volume of effect over time, and the effect at some distances from the source, of each receptor.

    Runs last as long as their transmitter does: each is interpolated at the times of all, and nan after its end.
    """
    times, series = np.unique(np.concatenate([one.reach.times for one in base])), dict[str, Series]()
    for one in base:
        at = one.spread.place.nearest(np.outer(DISTANCES, [1.0, 0.0, 0.0]))
        for what, unit, values in (("radius of effect", "um", one.reach.radius[:, None]),
                                   ("volume reached", "um^3", one.reach.volume[:, None]),
                                   ("effect", "1", one.effect[:, at])):
            columns = [np.interp(times, one.reach.times, column, right=np.nan) for column in values.T]
            series[f"{what}, {one.name}"] = Series(unit, np.stack(columns, axis=1))
    return Recording(times, series, {"distances of the effect [um]": DISTANCES})


def _summary(base: Sequence[Heard], swept: Sequence[Heard], rows: Sequence[dict[str, Any]],
             seed: int) -> dict[str, Any]:
    """The runs in a few numbers; equal for equal input and seed."""
    settings, everything = base[0].spread.settings, [*base, *swept]
    return {
        "scenario": "spread", "seed": seed, "settings": asdict(settings),
        "mesh": mesh_summary(base[0].spread.experiment.mesh),
        "runs": len({id(one.spread) for one in everything}),
        "largest relative drift": max(one.drift for one in everything),
        "smallest concentration [uM]": min(one.smallest for one in everything),
        "heard": list(rows),
    }


@by_annotation
def draw(path: Path, base: Sequence[Heard], swept: Sequence[Heard]) -> None:
    """How far, for how long, how many synapses, and what two sources do together."""
    colours = {one.name: COLOURS[k % len(COLOURS)] for k, one in enumerate(base)}
    shown = next((one for one in base if one.reach.largest > 0), base[0])
    with style({"axes.titlesize": 15}):
        figure = figure_of(15.0, 9.6)
        (far, where), (many, two) = figure.subplots(2, 2, gridspec_kw={
            "left": 0.065, "right": 0.965, "top": 0.945, "bottom": 0.075, "hspace": 0.33, "wspace": 0.22})
        _draw_radii(far, base, colours)
        _draw_map(where, shown)
        _draw_synapses(many, [*base, *swept], colours)
        _draw_two(two, shown)
        save(figure, path)


def _draw_radii(axes: "Axes", base: Sequence[Heard], colours: dict[str, str]) -> None:
    """Radius of effect of each receptor over time, named with the synapses that it stands for."""
    for k, one in enumerate(sorted(base, key=lambda one: -one.reach.largest)):
        heard, colour = one.reach.radius > 0, colours[one.name]
        axes.plot(one.reach.times[heard], one.reach.radius[heard], color=colour)
        said = f"{one.synapses:.{'2g' if one.synapses < 10 else '0f'}} synapses" if heard.any() else "not heard"
        axes.text(0.02, 0.97 - 0.083 * k, f"{one.name}: {said}", color=colour, transform=axes.transAxes, va="top")
    axes.set_ylim(0, 1.9 * max(one.reach.largest for one in base) or 1.0)
    axes.set_title("How far and for how long is one release heard?")
    axes.set_ylabel("radius of effect [µm]")
    _time_axis(axes, base)


def _time_axis(axes: "Axes", shown: Sequence[Heard]) -> None:
    """Time on a logarithmic axis, from when the first has spread until nobody hears any more."""
    last = max(float(one.reach.times[one.reach.radius > 0].max(initial=0.0)) for one in shown)
    axes.set_xscale("log")
    axes.set_xlim(0.1 * ms, 2 * last or shown[0].reach.times[-1])
    axes.set_xlabel("time after release [s]")


def _draw_map(axes: "Axes", shown: Heard) -> None:
    """The effect over time and distance, with the line where it counts as heard."""
    times, r = shown.reach.times, shown.spread.place.centres[:, 0]
    threshold, far = shown.spread.settings.threshold, 1.8 * shown.reach.largest or 5 * um
    near = r <= 1.2 * far
    effect = 100 * shown.effect[:, near].T
    field = axes.pcolormesh(times, r[near], effect, cmap="cividis", shading="gouraud", vmin=0, rasterized=True)
    if shown.reach.largest > 0:
        axes.contour(times, r[near], effect, [100 * threshold], colors="white", linewidths=2.2)
    axes.set_ylim(0, far)
    axes.set_title(f"Where and when does {shown.molecule} act?")
    axes.text(0.97, 0.93, f"white line: {100 * threshold:g} %", color="white", transform=axes.transAxes, ha="right")
    axes.set_ylabel("distance [µm]")
    _time_axis(axes, [shown])
    axes.figure.colorbar(field, ax=axes, pad=0.02).set_label(f"{shown.listener.changes} [%]")


def _draw_synapses(axes: "Axes", cases: Sequence[Heard], colours: dict[str, str]) -> None:
    """Synapses reached against vesicles, at the clearance of the first case and from the slowest to the fastest."""
    for name, colour in colours.items():
        own = [one for one in cases if one.name == name]
        rates = [one.spread.settings.clearance for one in own]
        given, slowest, fastest = (_counts(own, at) for at in (rates[0], min(rates), max(rates)))
        for (amounts, counts), line, width in ((given, "o-", 2.2), (slowest, "--", 1.2), (fastest, "--", 1.2)):
            axes.plot(amounts[counts > 0], counts[counts > 0], line, color=colour, ms=6, lw=width)
    axes.axhline(1, color=GREY, lw=1)
    axes.text(0.99, 1.15, "one synapse", color=GREY, ha="right", transform=axes.get_yaxis_transform())
    axes.set_xscale("log")
    axes.set_yscale("log")
    vesicles = [one.spread.settings.vesicles for one in cases]
    axes.set_xlim(min(vesicles) / 1.3, max(vesicles) * 1.3)
    axes.set_ylim(0.1, max(10.0, *(3 * one.synapses for one in cases)))
    axes.set_title("How many synapses hear many vesicles at once?")
    rates = [one.spread.settings.clearance for one in cases]
    dashed = f" (dashed: clearance × {min(rates):g}, × {max(rates):g})" if min(rates) < max(rates) else ""
    axes.set_xlabel(f"vesicles emptied at once{dashed}")
    axes.set_ylabel("synapses reached")


def _counts(cases: Sequence[Heard], clearance: float) -> Floats:
    """(2, m) vesicles, and the synapses that they reach at this clearance."""
    return np.array(sorted((one.spread.settings.vesicles, one.synapses) for one in cases
                           if one.spread.settings.clearance == clearance)).T


def _draw_two(axes: "Axes", shown: Heard) -> None:
    """What two sources at once reach, against their separation: each alone, and only both together."""
    apart = np.linspace(0, 6 * shown.reach.largest or 1.0, _APART)
    pairs, single = [two_sources(shown, float(one)) for one in apart], shown.volume or 1.0
    for values, label, colour in (([pair.together for pair in pairs], "both together", COLOURS[0]),
                                  ([pair.either for pair in pairs], "one or the other alone", INK),
                                  ([pair.both for pair in pairs], "each of them alone", COLOURS[1])):
        axes.plot(apart, np.array(values) / single, color=colour, label=label)
    axes.set_ylim(0, None)
    axes.set_xlim(0, apart[-1])
    axes.legend(frameon=False)
    axes.set_title(f"What do two releases of {shown.spread.transmitter.name} at once reach?")
    axes.set_xlabel("distance between the two [µm]")
    axes.set_ylabel("tissue reached / that of one")
