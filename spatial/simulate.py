"""The one loop: steps between events, events, probes."""

import platform
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from scipy.spatial import cKDTree

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.chebyshev import chebyshev
from spatial._engine.methods.electrodiffusion import Electrodiffusion, electrodiffusion
from spatial._engine.methods.electrolyte import Electrolyte
from spatial._engine.methods.fipy import fipy_engine
from spatial._engine.methods.master_equation import master_equation
from spatial._engine.methods.method import Method
from spatial._engine.methods.rosenbrock import ROS2, ROS34PW2, TIGHT, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.pace import Pace
from spatial._engine.stepping.stepper import REPAIRED, Continuous, Counted, Stepper
from spatial._engine.stepping.straight import longest_untimed
from spatial._engine.system.assembly import assemble
from spatial._engine.system.layout import State
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError, number
from spatial.frozen import read_only
from spatial.geometry.place import Floats, Place
from spatial.geometry.size import MOST_UNKNOWNS
from spatial.model import Model, Species
from spatial.observe.first_reading import species_watched
from spatial.observe.frames import Frames
from spatial.observe.probes import Probe
from spatial.observe.recording import Recording, Series
from spatial.parameters import parameters_of
from spatial.reading.averages import Averages
from spatial.reading.read import HardlyMeant, read
from spatial.reading.thresholds import Thresholds
from spatial.run_arguments import check_run, check_ways, checked_frame_times, probe_value
from spatial.units import MOLECULES, nm
from spatial.view import reading

Progress = Callable[[float, float], None]
"""Called after every step with the simulated time and the step's length [s]."""


FEW, MICRODOMAIN = 10.0, 100 * nm
"""Molecules, on average within this distance [um] of a channel, below which `simulate` warns."""


class FewMolecules(UserWarning):
    """Concentrations are continuous where there are only a few molecules."""


class UndeclaredTimes(UserWarning):
    """The rates of a mechanism read the time, and it does not say when they change."""


class Repaired(UserWarning):
    """Keeping a species from below zero moved much of it."""


_REPAIRED = 0.01  # of a species' amount: more than that is said
_ROUNDING = 1e-9  # of an interval between rows: by so little less it is whole

SHOWN = 3
"""Parameters that `simulate` names where those of its start are others."""


class OtherParameters(UserWarning):
    """A run starts from a state of a model with other parameters."""


Way = Literal["hybrid", "stochastic"]
"""Whether molecules are continuous or counted."""

Engine = Literal["spatial", "implicit", "explicit", "fipy"]
"""What takes the steps: ours, chosen by how stiff the model is or by name, or FiPy alone."""


def simulate(model: Model, until: float, watch: Sequence[Probe] = (), every: float = 0.0, seed: int = 0,
             tolerance: Tolerance | None = None, frames: Frames | None = None, frame_times: Iterable[float] = (),
             progress: Progress | None = None, engine: Engine = "spatial", start: State | None = None,
             method: Way = "hybrid", electrolyte: Electrolyte | None = None, at_events: bool = False,
             most_unknowns: float = MOST_UNKNOWNS) -> Recording:
    """Run a model from t = 0 to `until` [s] and return what the probes saw.

    Probes are read at the start, at the end, and between at times at least `every` [s] apart, after the events of that
    time. With 0 they are read after all steps, and both before and after every event; `at_events` has them read so
    at events and frames besides. `frames` is given the fields at each of `frame_times`, on which steps land.
    `start` is the state to start from, such as that of `rest(model)`; by default the species' initial values. It must
    have the species of the model, by name, on the same places; it warns with `OtherParameters` where it was made with
    others. `state.but({ip3: 1.0})` is a state with other values.
    The same model, seed and tolerance give the same recording. With `method` "hybrid" concentrations are
    continuous, and channels and vesicles random; it warns with `FewMolecules` where a channel has so few
    molecules around it that they are random too. With "stochastic" every molecule is: the master equation on
    the same control volumes, for mechanisms that have `reactions`; what its slices are known to get wrong is refused.
    Our own engine is "implicit", or "explicit" for large models that are hardly stiff; with "fipy" all equations are
    solved by FiPy: slow, for comparison.
    The ions of an `electrolyte` drift besides, in the potential that keeps every control volume neutral.
    What ends a run early, an error or Ctrl-C, carries what was seen until then: `error.recording`.
    A model of more than `most_unknowns` is refused before it takes memory, about 700 bytes each; a large one is told of
    as a `LargeRun`.
    The model is read once before it runs: it warns with `HardlyMeant`, by name, of what can hardly be meant.
    """
    check_run(model, until, watch, every, seed, tolerance, frames, progress, start, electrolyte, most_unknowns)
    check_ways(every, at_events, engine, method)
    stops = checked_frame_times(frame_times, frames, until)
    tolerance = tolerance or Tolerance()
    system = assemble(model)
    tolerance = _within_untimed(system, until, tolerance)
    u = _start(system, start)
    thresholds = Thresholds(system, u)
    system = thresholds.system
    stepper = _stepper(system, method, engine, until, tolerance, u, np.random.default_rng(int(seed)), electrolyte)
    watched = species_watched(watch, _shown(stepper))
    for sentence in read(system, stepper.u, until, every, watched if watch and frames is None else None,
                         start.made_with if start is not None else None):
        warnings.warn(sentence, HardlyMeant, stacklevel=2)
    diary, averages = _Diary(watch), Averages(system, system.state(stepper.u))

    def recording() -> Recording:
        return diary.recording({"engine": engine, "seed": seed, "until": until, "unknowns": system.layout.size,
                                **stepper.counted, "numpy": np.__version__, "python": platform.python_version()})

    try:
        _run(stepper, until, diary, every, at_events or not every, frames, stops, progress, thresholds, averages)
    except BaseException as error:
        error.recording = recording()  # type: ignore[attr-defined]
        raise
    for sentence in [*thresholds.sentences(), *averages.sentences()]:
        warnings.warn(sentence, HardlyMeant, stacklevel=2)
    _warn_of_repair(stepper.counted.get(REPAIRED, {}))
    return recording()


def _stepper(system: System, method: Way, engine: Engine, until: float, tolerance: Tolerance, u: Floats,
             rng: np.random.Generator, electrolyte: Electrolyte | None) -> Stepper:
    """How a run goes on, from its first state `u` (size,)."""
    if method not in get_args(Way):
        raise InputError(f"method is {method!r}; it must be one of {', '.join(map(repr, get_args(Way)))}")
    if method == "hybrid":
        steps = _method(system, engine, until, tolerance, electrolyte)
        _warn_of_few(system, u)
        check_event = steps.check_event if isinstance(steps, Electrodiffusion) else None
        return Continuous(steps, u, tolerance, rng, check_event)
    if electrolyte:
        raise InputError("an electrolyte makes ions drift, which molecules that are counted do not; leave it out with "
                         "'stochastic'")
    if engine != "spatial":
        raise InputError(f"engine is {engine!r}, which solves for concentrations; leave it out with 'stochastic'")
    return Counted(master_equation(system, start=u, longest=tolerance.longest), u, tolerance, rng)


def _within_untimed(system: System, until: float, tolerance: Tolerance) -> Tolerance:
    """The tolerance, with shorter steps where rates read the time undeclared; that is said, by name."""
    if not system.untimed:
        return tolerance
    longest = min(tolerance.longest, longest_untimed(until))
    for name in dict.fromkeys(type(term.mechanism).__name__ for term in system.untimed):
        warnings.warn(f"{name}: its rates read the time t, and it does not declare when they change; no step is longer "
                      f"than {longest:g} s, and what is shorter may be missed. Give it AtTimes(times, longest=...) "
                      "among its events, or take Pulse or Stimulus of spatial.mechanisms.stimulus", UndeclaredTimes,
                      stacklevel=3)
    return replace(tolerance, longest=longest)


def _warn_of_repair(repaired: Mapping[str, float]) -> None:
    """Warn of species of which the repair of values below zero moved more than a little."""
    for name, part in repaired.items():
        if part > _REPAIRED:
            warnings.warn(f"keeping {name!r} from below zero moved {100 * part:.2g} % of its amount between elements; "
                          "the mesh has flat cells, or is too coarse there: see `spatial mesh info`", Repaired,
                          stacklevel=3)


def _warn_of_few(system: System, u: Floats) -> None:
    """Warn where what random channels let through is so little that its own noise matters."""
    state, random = system.state(u), {id(mechanism) for mechanism, _ in system.events.channels}
    counting = ""
    for term in system.terms:
        if id(term.mechanism) not in random:
            continue
        where = term.mechanism.where
        for species in term.changes:
            if species.D > 0 and (here := _nearby_molecules(species, state[species], where)) < FEW:
                kind = type(term.mechanism).__name__
                counting = counting or _counting_them(system, u)
                warnings.warn(
                    f"{here:.2g} molecules of {species.name!r} are expected within {MICRODOMAIN / nm:g} nm of a "
                    f"channel of {kind}: their own noise is not in a continuous concentration; "
                    f"{counting}", FewMolecules, stacklevel=4)


def _counting_them(system: System, u: Floats) -> str:
    """Return whether a run that counts molecules has their noise, or what stands in its way."""
    try:
        master_equation(system, start=u)
    except InputError as error:
        reason = str(error).split("; where molecules are counted")[0]
        return f'method="stochastic" does not have it for this model: {reason}'
    return 'method="stochastic" has it'


def _nearby_molecules(species: Species, values: Floats, where: Place) -> float:
    """Molecules expected within a microdomain's radius of an element of `where`: the mean over these."""
    tree = cKDTree(species.place.centres)
    near = tree.query_ball_point(where.centres, MICRODOMAIN)
    per_amount = 1.0 if species.unit.startswith("1") else MOLECULES
    return float(np.mean([(species.place.measure[one] * values[one]).sum() for one in near]) * per_amount)


def _start(system: System, start: State | None) -> Floats:
    """(size,) the state a run starts from."""
    if start is None:
        return system.initial()
    given = {species.name: species for species in start.layout.columns}
    _check_fits(system.model, given)
    if start.made_with is not None:
        _warn_of_others(parameters_of(system.model).differences(start.made_with))
    u = np.empty(system.layout.size)
    for species in system.model:
        values = start[given[species.name]]
        number(f"the state to start from: {species.name!r}", values, may_be_negative=species.signed)
        system.layout.values(u, species)[:] = values
    return u


def _check_fits(model: Model, given: Mapping[str, Species]) -> None:
    """Raise `InputError` unless a state of the species `given`, by name, is one of a model like this one."""
    wanted = {species.name: species for species in model}
    reasons = []
    if missing := [name for name in wanted if name not in given]:
        reasons.append(f"it has no {_listed(missing)}")
    if left_over := [name for name in given if name not in wanted]:
        reasons.append(f"the model has no {_listed(left_over)}")
    for name, species in wanted.items():
        if name in given and not species.place.is_same(given[name].place):
            reasons.append(f"its {name!r} is on another place, {given[name].place!r}, than that of the model, "
                           f"{species.place!r}")
    if reasons:
        raise InputError(f"the state to start from is not one of this model: {'; '.join(reasons)}; take that of "
                         "rest(model), or of a model with the same species on the same places")


def _listed(names: Sequence[str]) -> str:
    """Some names, in the order of the model."""
    return ", ".join(map(repr, names))


def _warn_of_others(differences: Sequence[str]) -> None:
    """Warn of parameters that are others than those of the model whose state a run starts from."""
    if differences:
        more = len(differences) - SHOWN
        shown = "; ".join(differences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        warnings.warn(f"the state to start from was made with other parameters: {shown}; take rest(model) of this "
                      "model, unless that is what you want", OtherParameters, stacklevel=4)


def _method(system: System, engine: Engine, until: float, tolerance: Tolerance,
            electrolyte: Electrolyte | None) -> Method:
    """How a run takes its steps."""
    if electrolyte:
        if engine not in ("spatial", "implicit"):
            raise InputError(f"engine is {engine!r}, in which ions do not drift; leave it out with an electrolyte")
        return electrodiffusion(system, electrolyte)
    if engine == "fipy":
        return fipy_engine(system)
    if engine not in get_args(Engine):
        raise InputError(f"engine is {engine!r}; it must be one of {', '.join(map(repr, get_args(Engine)))}")
    explicit = chebyshev(system)
    if engine == "explicit" or (engine == "spatial" and explicit.suits(until)):
        return explicit
    return Rosenbrock(prepare(system), ROS34PW2 if tolerance.relative <= TIGHT else ROS2)


class _Diary:
    """Collects times and values while a run goes on."""

    def __init__(self, watch: Sequence[Probe]) -> None:
        self.watch = watch
        self.times: list[float] = []
        self.values: list[list[Floats]] = [[] for _ in watch]

    def note(self, stepper: Stepper) -> None:
        """Read all probes now. A row is kept when it is whole."""
        row = list[Floats]()
        if self.watch:
            c = _shown(stepper)
            for probe, values in zip(self.watch, self.values, strict=True):
                value = reading(f"probe {probe.name!r}", probe.read, c)
                row.append(probe_value(probe.name, value, stepper.t, values))
        self.times.append(stepper.t)
        for values, value in zip(self.values, row, strict=True):
            values.append(value)

    def is_due(self, t: float, every: float) -> bool:
        """Whether the last row was read at least `every` [s] before the time `t`, to rounding."""
        return t - self.times[-1] >= every * (1 - _ROUNDING)

    def recording(self, provenance: dict[str, Any]) -> Recording:
        """What was noted so far, rows or none."""
        series = {probe.name: Series(probe.unit, np.array(values) if values else np.zeros((0, 1)))
                  for probe, values in zip(self.watch, self.values, strict=True)}
        return Recording(np.array(self.times), series, provenance)


def _run(stepper: Stepper, until: float, diary: _Diary, every: float, at_events: bool, frames: Frames | None,
         frame_times: list[float], progress: Progress | None, thresholds: Thresholds, averages: Averages) -> None:
    """Step from 0 to `until`, noting what happens on the way: `every` so often, and before and after events or not."""
    instants, frames_due = set(_within(stepper.system.events.instants, until)), set(frame_times)
    pace = Pace(until, stepper.most_steps)
    diary.note(stepper)
    for stop in sorted(instants | frames_due | {until}):
        while stepper.t < stop:
            dt = stepper.onward(stop)
            pace.check(stepper)
            thresholds.note(stepper.heights)
            averages.note(stepper.system.state(stepper.u))
            has_arrived = stepper.t == stop
            is_due = diary.is_due(stepper.t, every) and not (has_arrived and stop in instants)
            if is_due or (has_arrived and at_events):
                diary.note(stepper)
            if progress:
                progress(stepper.t, dt)
        if stop in instants:
            stepper.at_instant()
            if at_events or stop == until or diary.is_due(stop, every):
                diary.note(stepper)
        if frames is not None and stop in frames_due:
            reading(type(frames).__name__, frames.write, stepper.t, _shown(stepper))
    if diary.times[-1] < until:
        diary.note(stepper)


def _within(times: Floats, until: float) -> list[float]:
    """Those of some sorted times that are in a run up to `until` [s]."""
    return list(times[np.searchsorted(times, 0.0):np.searchsorted(times, until, side="right")].tolist())


def _shown(stepper: Stepper) -> State:
    """The state of a run, as a copy that nobody can change it by."""
    return stepper.system.state(read_only(stepper.u))
