"""Homeostasis: neurons that hear the K+ and the adenosine of their own firing, and what keeps them from running away.

Each neuron lies in some ECS of its own, well mixed, where its spikes let out K+, which excites it, and adenosine,
which lowers the release of its synapses onto itself. The neuron takes K+ back slowly; an astrocyte takes B_K - 1 times
as much besides. In balance that is the mean field of biophysics A14, whose gain and thresholds the runs are compared
with. A run has many such neurons side by side, which differ in their input or in the rate they start from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial import checks
from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.gain import transfer
from spatial.checks import arguments, by_annotation, shaped
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.potassium_uptake import PotassiumUptake
from spatial.model import Mechanism, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.scenarios.homeostasis.settings import HomeostasisSettings
from spatial.scenarios.parts.experiment import Conserved, Experiment, after
from spatial.scenarios.parts.potassium_tissue import D_K
from spatial.scenarios.parts.settings import LEDGER
from spatial.simulate import Progress, simulate
from spatial.synapses.excitability import MeanField, RateNeuron, RateOutflow
from spatial.synapses.rate_release import RateRelease
from spatial.units import Hz, mM, s, uM, um3

NONE, BUFFERED, ADENOSINE, BOTH = "no feedback", "K+ buffering", "adenosine", "both"
RATE, DRIVE, POTASSIUM, RELEASE = "rate", "drive", "K+", "p"
MEMBRANE = "neuron membrane"
IN_NEURONS, IN_ASTROCYTE, ELSEWHERE = "K+ of neurons", "K+ in the astrocyte", "adenosine elsewhere"
RATE_THERE, GAIN = "rate at the operating point [Hz]", "gain dr/dI [Hz]"
FAST_GAIN, THRESHOLD = "gain dr/dI at 10 Hz [Hz]", "rate from which it runs away [Hz]"
SETTLES, BELOW, ABOVE = "settles after the kick", "settles from just below that", "settles from just above that"
D_ADENOSINE = 600.0  # um^2/s, free; M (biophysics A7)
_TOLERANCE, _FINE = Tolerance(1e-3), Tolerance(1e-7)  # the second for small responses
_HIGH, _STILL, _LATE = 0.9, 0.01, 0.1  # parts: of the highest rate, of the rate, of the run


@dataclass(frozen=True)
class Observed:
    """A run of neurons, its loop, and what was recorded."""

    loop: MeanField
    experiment: Experiment
    recording: Recording

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def rates(self) -> Floats:
        """(times, n) the rate of each neuron [Hz]."""
        return self.recording.series[RATE].values

    @property
    def inputs(self) -> Floats:
        """(n,) the input of each."""
        return np.asarray(self.experiment.species[DRIVE].initial)


@by_annotation
def cases(settings: HomeostasisSettings) -> dict[str, MeanField]:
    """The loop with neither K+ buffering nor adenosine, with each, and with both."""
    silent = replace(settings.loop, gamma_p=0.0)
    return {NONE: silent, BUFFERED: replace(silent, buffering=settings.buffering), ADENOSINE: settings.loop,
            BOTH: replace(settings.loop, buffering=settings.buffering)}


@arguments(above_zero=("n",))
def apart(loop: MeanField, n: int) -> Mesh:
    """n pieces of ECS of 1 um^3 that do not touch, each with a neuron."""
    return with_neurons(pool("ecs", np.full(n, 1 * um3)), loop, np.arange(n), 1 * um3)


@arguments(not_negative=("elements", "share"))
def with_neurons(ecs: Place, loop: MeanField, elements: ArrayLike, share: float) -> Mesh:
    """ECS with the membrane of a neuron at each of these elements, for a `share` [um^3] of ECS each, and a ledger.

    Spread evenly over that share, K+ rises in balance by what the loop says per Hz.
    """
    shaped("with_neurons: elements", elements, ("k",))
    here = np.asarray(elements, np.int64)
    membrane = Place(MEMBRANE, 2, np.full(len(here), area_per_ecs(loop) * share), ecs.centres[here],
                     touches={"ecs": here, LEDGER: np.zeros(len(here), np.int64)})
    return Mesh.of(ecs, pool(LEDGER, [1.0]), membrane).touching("ecs", LEDGER, np.zeros(len(ecs), np.int64))


@by_annotation
def area_per_ecs(loop: MeanField) -> float:
    """Membrane that fires per volume of ECS [1/um], so that K+ drives it by g_K beta_K per Hz without an astrocyte."""
    return loop.potassium / (RateNeuron.g_K * RateNeuron.per_spike * loop.tau_K)


@arguments(not_negative=("rate",), above_zero=("duration",))
def experiment(mesh: Mesh, loop: MeanField, current: ArrayLike, rate: ArrayLike = 0.0,
               duration: float = 60 * s) -> Experiment:
    """Neurons that get an input I each, and start from a rate [Hz] each with all in balance with it: K+, adenosine, p.

    `current` and `rate` are numbers, or (n,). The balance is that of neurons `apart`.
    """
    ecs, membrane, rates = mesh["ecs"], mesh[MEMBRANE], np.broadcast_to(np.asarray(rate, float), len(mesh[MEMBRANE]))
    of = {RATE: Species(RATE, membrane, rates.copy(), scale=1.0, unit="Hz"),
          DRIVE: Species(DRIVE, membrane, np.broadcast_to(np.asarray(current, float), rates.shape).copy(), unit="1",
                         signed=True),
          RELEASE: Species(RELEASE, membrane, loop.release(rates), unit="1"),
          POTASSIUM: _in_balance(POTASSIUM, membrane, ecs, RateNeuron.rest,
                                 loop.potassium / loop.buffering / RateNeuron.g_K * rates, D_K),
          "adenosine": _in_balance("adenosine", membrane, ecs, 0.0, loop.tau_a * loop.kappa_a * rates, D_ADENOSINE),
          **{name: Species(name, mesh[LEDGER], scale=size * ecs.total, signed=True) for name, size in (
              (IN_NEURONS, 1 * mM), (IN_ASTROCYTE, 1 * mM), (ELSEWHERE, 1 * uM))}}
    conserved = (Conserved("K+", dict.fromkeys((of[POTASSIUM], of[IN_NEURONS], of[IN_ASTROCYTE]), 1.0)),
                 Conserved("adenosine", dict.fromkeys((of["adenosine"], of[ELSEWHERE]), 1.0)))
    watch = (*(each(of[name]) for name in (RATE, POTASSIUM, "adenosine", RELEASE)),
             *(probe for one in conserved for probe in (one.probe, one.turnover)))
    return Experiment("homeostasis", mesh, Model(of.values(), _loop(mesh, loop, of)), watch, (), conserved, duration,
                      (), of)


def _in_balance(name: str, membrane: Place, ecs: Place, rest: float, rise: Floats, D: float) -> Species:
    """A species of the ECS that has risen above its rest at the neurons; it diffuses where the ECS is in one piece."""
    initial = np.full(len(ecs), rest)
    initial[membrane.touches["ecs"]] += rise
    return Species(name, ecs, initial, D=D if ecs.joins_elements else 0.0)


def _loop(mesh: Mesh, loop: MeanField, of: Mapping[str, Species]) -> list[Mechanism]:
    """What the neurons let out and hear, and who takes it up."""
    membrane, ecs, K, adenosine = mesh[MEMBRANE], mesh["ecs"], of[POTASSIUM], of["adenosine"]
    return [RateNeuron(membrane, of[RATE], K, of[IN_NEURONS], drive=of[DRIVE], release=of[RELEASE], w=loop.w,
                       tau=loop.tau),
            RateOutflow(membrane, of[RATE], adenosine, loop.kappa_a / area_per_ecs(loop), of[ELSEWHERE]),
            RateRelease(membrane, of[RATE], adenosine, of[RELEASE], K=loop.K, n=loop.n, tau_p=loop.tau_p,
                        kappa_p=loop.kappa_p, gamma_p=loop.gamma_p, p0=loop.p0),
            PotassiumUptake(ecs, K, of[IN_NEURONS], rest=RateNeuron.rest, rate=1 / loop.tau_K),
            PotassiumUptake(ecs, K, of[IN_ASTROCYTE], rest=RateNeuron.rest, rate=(loop.buffering - 1) / loop.tau_K),
            Conversion(ecs, adenosine, of[ELSEWHERE], 1 / loop.tau_a)]


@dataclass(frozen=True)
class Homeostasis:
    """What neurons with one loop did."""

    loop: MeanField
    driven: Observed  # their input steps from the operating point to one each
    stepped: Observed  # the input of two steps a little down and up from the operating point
    kicked: Observed  # left alone: one at the settings' kick, and one below and one above the threshold

    def __post_init__(self) -> None:
        checks.kinds(self)


@by_annotation
def homeostasis(loop: MeanField, settings: HomeostasisSettings, progress: Progress | None = None) -> Homeostasis:
    """The three runs of one loop, each of the settings' duration.

    Raises `InputError` where the loop has no steady rate at the settings' current: it runs away from anywhere.
    """
    return Homeostasis(loop, driven(loop, settings, progress),
                       stepped(loop, settings, after(settings.duration, progress)),
                       kicked(loop, settings, after(2 * settings.duration, progress)))


@by_annotation
def driven(loop: MeanField, settings: HomeostasisSettings, progress: Progress | None = None) -> Observed:
    """Neurons at rest at the operating point, whose input then is one of those of the f-I curves each."""
    inputs = np.linspace(*settings.currents, settings.inputs)
    return _observe(loop, inputs, np.full(len(inputs), _roots(loop, settings)[0]), settings, progress, _TOLERANCE)


@by_annotation
def stepped(loop: MeanField, settings: HomeostasisSettings, progress: Progress | None = None) -> Observed:
    """Two neurons at rest at the operating point, whose input then steps down and up a little."""
    return _observe(loop, settings.current + settings.step * np.array([-1.0, 1.0]),
                    np.full(2, _roots(loop, settings)[0]), settings, progress, _FINE)


@by_annotation
def kicked(loop: MeanField, settings: HomeostasisSettings, progress: Progress | None = None) -> Observed:
    """Neurons held at a rate until all is in balance with it, and left alone: the kick, and beside the threshold."""
    threshold = _roots(loop, settings)[1:2]
    rates = np.r_[settings.kick, (1 - settings.near) * threshold, (1 + settings.near) * threshold]
    return _observe(loop, np.full(len(rates), settings.current), rates, settings, progress, _TOLERANCE)


def _roots(loop: MeanField, settings: HomeostasisSettings) -> Floats:
    """All rates that hold themselves at the operating point: one to rest at, and the threshold above it."""
    found = loop.steady(settings.current)
    if not len(found):
        raise checks.InputError(f"HomeostasisSettings: at a current of {settings.current:g} the loop has no steady "
                                f"rate up to {RateNeuron.ceiling:g} Hz; lower it")
    return found


def _observe(loop: MeanField, currents: Floats, rates: Floats, settings: HomeostasisSettings, progress: Progress | None,
             tolerance: Tolerance) -> Observed:
    """Run neurons apart, with an input each and from a rate each."""
    one = experiment(apart(loop, len(rates)), loop, currents, rates, settings.duration)
    return Observed(loop, one, simulate(one.model, one.duration, one.watch, tolerance=tolerance, progress=progress))


@by_annotation
def gain(two: Observed) -> float:
    """dr/dI [Hz] between two neurons whose inputs differ a little, when all has settled."""
    return float(_difference(two)[-1])


@by_annotation
def response(two: Observed, frequency: ArrayLike) -> NDArray[np.complex128]:
    """Complex dr/dI [Hz] at frequencies [Hz], from the courses of two neurons whose inputs stepped apart a little."""
    return transfer(two.recording.times, _difference(two), 1.0, frequency)


def _difference(two: Observed) -> Floats:
    """(times,) difference of the rates over that of the inputs [Hz]."""
    return np.asarray(np.diff(two.rates, axis=1)[:, 0] / np.diff(two.inputs)[0])


@by_annotation
def settled(observed: Observed) -> NDArray[np.bool_]:
    """(n,) which neurons have come to rest below their highest rate: within 1 % over the last tenth of the run."""
    times, rates = observed.recording.times, observed.rates
    late = rates[np.searchsorted(times, (1 - _LATE) * times[-1], side="right") - 1:]
    return np.asarray((np.ptp(late, axis=0) < _STILL * late[-1]) & (late[-1] < _HIGH * RateNeuron.ceiling))


@by_annotation
def findings(one: Homeostasis, settings: HomeostasisSettings) -> dict[str, float]:
    """What neurons with one loop came to, in numbers, each named with its unit; nan without a threshold."""
    loop, current, at_rest = one.loop, settings.current, settled(one.driven)
    calm, threshold, *_ = *loop.steady(current), np.nan
    kick, below, above, *_ = *settled(one.kicked), np.nan, np.nan
    found = {RATE_THERE: one.stepped.rates[-1].mean(), f"{RATE_THERE}, mean field": calm,
             GAIN: gain(one.stepped), f"{GAIN}, linearised": loop.gain(calm, current),
             FAST_GAIN: abs(response(one.stepped, 10 * Hz)),
             f"{FAST_GAIN}, linearised": abs(loop.response(calm, current, 10 * Hz)),
             THRESHOLD: threshold, BELOW: below, ABOVE: above, SETTLES: kick,
             "highest input at which it settles": one.driven.inputs[at_rest].max(initial=-np.inf),
             "highest rate at which it settles [Hz]": one.driven.rates[-1, at_rest].max(initial=0.0)}
    return {name: float(value) for name, value in found.items()}
