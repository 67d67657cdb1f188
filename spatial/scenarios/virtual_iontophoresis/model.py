"""Virtual iontophoresis: what a pipette and electrodes would tell about a block of tissue that is known in full.

lambda is that of the geometry alone; where real tissue has more, the rest, lambda of the tissue over lambda of the
geometry, is what the geometry does not explain (drag, binding, dead ends that the block is too small to show).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial import checks
from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.iontophoresis import TMA, Fit, fit, sealed_box
from spatial.analysis.tortuosity import AXES, Block, isotropic, steady_tortuosity
from spatial.checks import InputError, arguments, by_annotation, positive
from spatial.geometry.place import Floats, Ints, Place
from spatial.mechanisms.injection import Injection
from spatial.model import Model, Species
from spatial.observe.probes import at_elements
from spatial.output.tortuosity_figure import fitted_traces
from spatial.simulate import simulate

TISSUE = 1.6  # lambda of brain tissue; Newton et al. 2018
_GUESS = 1.5  # of lambda, for the length of a run and the first guess of a fit; choice
_LONG = 0.6  # length of a run, in longest side^2 lambda^2 / D: the slowest mode is then over by 99.7 %; choice
_NOTED = 60  # times kept of a run, at most about; choice
_RELATIVE = 5e-3  # tolerance of a run: lambda of homogenised tissue is then found to 0.1 %; choice
_FAR = 0.25  # of the shortest side: no trace is taken nearer to the source, where single gaps count; choice


@dataclass(frozen=True, eq=False)
class Traces:
    """What virtual electrodes recorded around one point source in a block."""

    source: Floats  # (3,) um
    positions: Floats  # (k, 3) um
    times: Floats  # (t,) s
    values: Floats  # (t, k) uM
    flux: float  # uM um^3/s
    D: float  # um^2/s

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def distances(self) -> Floats:
        """(k,) distance of each electrode from the source [um]."""
        return np.asarray(np.linalg.norm(self.positions - self.source, axis=1))


@arguments(above_zero=("D", "relative"))
def virtual_iontophoresis(of: Block, rng: np.random.Generator, sources: int = 4, electrodes: int = 150, D: float = TMA,
                          relative: float = _RELATIVE) -> tuple[Traces, ...]:
    """Traces around `sources` random points of a block, simulated.

    From each source TMA+ flows steadily into the sealed block, and `electrodes` random elements farther than a quarter
    of the shortest side record it. `relative` is the tolerance of the runs.
    """
    if sources < 1 or electrodes < 1:
        raise InputError(f"virtual iontophoresis has {sources} sources and {electrodes} electrodes; "
                         "it needs at least one of each")
    positive("virtual iontophoresis: D", D)
    chance = of.place.measure / of.place.total
    at = rng.choice(len(of.place), sources, p=chance)
    seen = [_electrodes(of, int(element), electrodes, chance, rng) for element in at]
    return tuple(_recorded(of, int(element), index, D, Tolerance(relative))
                 for element, index in zip(at, seen, strict=True))


def _electrodes(of: Block, source: int, count: int, chance: Floats, rng: np.random.Generator) -> Ints:
    """Random elements, by volume, that are far enough from a source."""
    place = of.place
    far = np.linalg.norm(place.centres - place.centres[source], axis=1) > _FAR * of.sides.min()
    if not far.any():
        raise InputError(f"{place.name!r} has no element a quarter of its shortest side away from a source; refine it")
    return np.asarray(rng.choice(len(place), count, p=np.where(far, chance, 0) / chance[far].sum()), np.int64)


def _recorded(of: Block, source: int, seen: Ints, D: float, tolerance: Tolerance) -> Traces:
    """One run, with the pipette at one element and electrodes at others."""
    place, until = of.place, _LONG * float(of.sides.max()) ** 2 * _GUESS**2 / D
    flux = place.total / until  # the mean rises to 1 uM
    point = Place("pipette", 0, np.ones(1), place.centres[[source]], touches={place.name: np.array([source], np.int64)})
    probe = Species("TMA", place, D=D, scale=0.1)
    watch = at_elements(probe, seen, "electrodes")
    run = simulate(Model([probe], [Injection(point, probe, flux)]), until, [watch], every=until / _NOTED,
                   tolerance=tolerance)
    return Traces(place.centres[source], place.centres[seen], run.times[1:], run.series[watch.name].values[1:], flux, D)


@by_annotation
def fit_traces(of: Block, traces: Sequence[Traces]) -> Fit:
    """The "alpha", "lambda x", "lambda y" and "lambda z" that fit all of these traces best.

    The fit knows the fluxes, the positions and the box, and takes the inside for homogenised: the level that the
    concentration rises with gives alpha, how soon it comes gives lambda. Each trace counts alike, whatever its height.
    The curves are those of all traces one after the other.
    """
    def predict(parameters: Floats) -> Floats:
        return np.concatenate([sealed_box(one.positions, one.source, (of.lower, of.upper), one.times, one.flux,
                                          parameters[0], parameters[1:], one.D).ravel() for one in traces])

    values = np.concatenate([one.values.ravel() for one in traces])
    heights = np.concatenate([np.broadcast_to(one.values[-1], one.values.shape).ravel() for one in traces])
    start = {"alpha": 0.3} | {f"lambda {axis}": _GUESS for axis in AXES}
    return fit(predict, values, start, weight=float(heights.max()) / heights)


@by_annotation
def fitted_tortuosity(found: Fit) -> Floats:
    """(3,) lambda along the axes, of a fit to traces."""
    return np.array([found[f"lambda {axis}"] for axis in AXES])


@dataclass(frozen=True, eq=False)
class Measured:
    """Volume fraction and tortuosity of a block, by a steady gradient and by virtual iontophoresis."""

    alpha: float  # extracellular volume over the block's
    tortuosity: Floats  # (3,) by the steady gradient
    traces: tuple[Traces, ...]
    fit: Fit  # of the traces around all sources
    fits: tuple[Fit, ...]  # of those around each source

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def isotropic(self) -> float:
        """lambda of the steady gradient, over all axes."""
        return isotropic(self.tortuosity)

    @property
    def fitted(self) -> float:
        """lambda of virtual iontophoresis, over all axes."""
        return isotropic(fitted_tortuosity(self.fit))

    @property
    def spread(self) -> tuple[float, float]:
        """Standard deviations over the sources: of the fitted alpha, and of the fitted lambda over all axes."""
        each = [(one["alpha"], isotropic(fitted_tortuosity(one))) for one in self.fits]
        alpha, tortuosity = np.std(each, axis=0, ddof=1) if len(each) > 1 else (np.nan, np.nan)
        return float(alpha), float(tortuosity)

    @property
    def disagreement(self) -> float:
        """By how much lambda of virtual iontophoresis exceeds that of the steady gradient, as a part of it."""
        return self.fitted / self.isotropic - 1

    @property
    def residual(self) -> float:
        """What of the lambda of real tissue this geometry does not explain, as a factor."""
        return TISSUE / self.isotropic


@by_annotation
def measure(of: Block, rng: np.random.Generator, sources: int = 4, electrodes: int = 150) -> Measured:
    """alpha and lambda of a block, by a steady gradient and by virtual iontophoresis."""
    traces = virtual_iontophoresis(of, rng, sources, electrodes)
    each = tuple(fit_traces(of, [one]) for one in traces)
    return Measured(of.alpha, steady_tortuosity(of), traces, fit_traces(of, traces), each)


@by_annotation
def picture(path: str | Path, of: Block, measured: Measured) -> None:
    """Draw the traces around the first source, at several distances, with what was found of all."""
    one, (alpha_spread, spread) = measured.traces[0], measured.spread
    curves = sealed_box(one.positions, one.source, (of.lower, of.upper), one.times, one.flux, measured.fit["alpha"],
                        fitted_tortuosity(measured.fit), one.D)
    several = len(measured.fits) > 1
    found = (f"α = {measured.fit['alpha']:.3f}" + (f" ± {alpha_spread:.3f}" if several else "")
             + f"\nλ = {measured.fitted:.3f}" + (f" ± {spread:.3f}" if several else ""))
    known = f"from the volumes: α = {measured.alpha:.3f}\nfrom a steady gradient: λ = {measured.isotropic:.3f}"
    known += f"\n\n±: spread over {len(measured.fits)} sources" if several else ""
    fitted_traces(path, one.times, one.distances, one.values, curves, found, known)
