"""The one loop: steps between events, events, probes."""

import platform
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from spatial._engine.stepping.stepper import Continuous, Counted, Stepper
from spatial._engine.system.assembly import assemble
from spatial._engine.system.layout import State
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError, number, positive
from spatial.frozen import read_only
from spatial.geometry.place import Floats, Place
from spatial.model import Model, Species
from spatial.observe.first_reading import species_watched
from spatial.observe.frames import Frames
from spatial.observe.probes import Probe
from spatial.observe.recording import Recording, Series
from spatial.parameters import parameters_of
from spatial.reading.read import HardlyMeant, read
from spatial.reading.thresholds import Thresholds
from spatial.units import MOLECULES, nm
from spatial.view import reading

Progress = Callable[[float, float], None]
"""Called after every step with the simulated time and the step's length [s]."""


FEW, MICRODOMAIN = 10.0, 100 * nm
"""Molecules, on average within this distance [um] of a channel, below which `simulate` warns."""


class FewMolecules(UserWarning):
    """Concentrations are continuous where there are only a few molecules."""


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
             method: Way = "hybrid", electrolyte: Electrolyte | None = None) -> Recording:
    """Run a model from t = 0 to `until` [s] and return what the probes saw.

    Probes are read at the start, before and after every event, and after steps at least `every` [s]
    apart (0: after all). `frames` is given the fields at each of `frame_times`, on which steps land.
    `start` is the state to start from, such as that of `rest(model)`; by default the species' initial values. It must
    have the species of the model, by name, on the same places; it warns with `OtherParameters` where it was made with
    others. `state.but({ip3: 1.0})` is a state with other values.
    The same model, seed and tolerance give the same recording. With `method` "hybrid" concentrations are
    continuous, and channels and vesicles random; it warns with `FewMolecules` where a channel has so few
    molecules around it that they are random too. With "stochastic" every molecule is: the master equation on
    the same control volumes, for mechanisms that have `reactions`. Our own engine is "implicit", or "explicit"
    for large models that are hardly stiff; with "fipy" all equations are solved by FiPy: slow, for comparison.
    The ions of an `electrolyte` drift besides, in the potential that keeps every control volume neutral.
    The model is read once before it runs: it warns with `HardlyMeant`, by name, of what can hardly be meant.
    """
    positive("duration of the run", until)
    names = [probe.name for probe in watch]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two probes are called {name!r}; give each its own name")
    tolerance = tolerance or Tolerance()
    system = assemble(model)
    u = _start(system, start)
    thresholds = Thresholds(system, u)
    system = thresholds.system
    stepper = _stepper(system, method, engine, until, tolerance, u, np.random.default_rng(seed), electrolyte)
    watched = species_watched(watch, _shown(stepper))
    for sentence in read(system, stepper.u, until, every, watched if watch and frames is None else None):
        warnings.warn(sentence, HardlyMeant, stacklevel=2)
    diary = _Diary(watch)
    _run(stepper, until, diary, every, frames, sorted(frame_times), progress, thresholds)
    for sentence in thresholds.sentences():
        warnings.warn(sentence, HardlyMeant, stacklevel=2)
    return diary.recording({"engine": engine, "seed": seed, "until": until, "unknowns": system.layout.size,
                            **stepper.counted, "numpy": np.__version__, "python": platform.python_version()})


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
    return Counted(master_equation(system), u, tolerance, rng)


def _warn_of_few(system: System, u: Floats) -> None:
    """Warn where what random channels let through is so little that its own noise matters."""
    state, random = system.state(u), {id(mechanism) for mechanism, _ in system.events.channels}
    for term in system.terms:
        if id(term.mechanism) not in random:
            continue
        where = term.mechanism.where
        for species in term.changes:
            if species.D > 0 and (here := _nearby_molecules(species, state[species], where)) < FEW:
                kind = type(term.mechanism).__name__
                warnings.warn(
                    f"{here:.2g} molecules of {species.name!r} are expected within {MICRODOMAIN / nm:g} nm of a "
                    f"channel of {kind}: their own noise is not in a continuous concentration; "
                    'method="stochastic" has it', FewMolecules, stacklevel=4)


def _nearby_molecules(species: Species, values: Floats, where: Place) -> float:
    """Molecules expected within a microdomain's radius of an element of `where`: the mean over these."""
    tree = cKDTree(species.place.centres)
    near = tree.query_ball_point(where.centres, MICRODOMAIN)
    return float(np.mean([(species.place.measure[one] * values[one]).sum() for one in near]) * MOLECULES)


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
        """Read all probes now."""
        self.times.append(stepper.t)
        if not self.watch:
            return
        c = _shown(stepper)
        for probe, values in zip(self.watch, self.values, strict=True):
            value = reading(f"probe {probe.name!r}", probe.read, c)
            values.append(np.atleast_1d(np.asarray(value, float)).copy())

    def recording(self, provenance: dict[str, Any]) -> Recording:
        series = {probe.name: Series(probe.unit, np.array(values))
                  for probe, values in zip(self.watch, self.values, strict=True)}
        return Recording(np.array(self.times), series, provenance)


def _run(stepper: Stepper, until: float, diary: _Diary, every: float, frames: Frames | None,
         frame_times: list[float], progress: Progress | None, thresholds: Thresholds) -> None:
    """Step from 0 to `until`, noting what happens on the way."""
    system, noted = stepper.system, 0.0
    instants = set(system.events.instants.tolist())
    stops = sorted({time for time in {*instants, *frame_times, until} if 0 <= time <= until})
    diary.note(stepper)
    for stop in stops:
        while stepper.t < stop:
            dt = stepper.onward(stop)
            thresholds.note(stepper.u, stepper.t)
            if stepper.t - noted >= every or stepper.t == stop:
                diary.note(stepper)
                noted = stepper.t
            if progress:
                progress(stepper.t, dt)
        if stop in instants:
            stepper.at_instant()
            diary.note(stepper)
        if frames is not None and stop in frame_times:
            reading(type(frames).__name__, frames.write, stepper.t, _shown(stepper))


def _shown(stepper: Stepper) -> State:
    """The state of a run, as a copy that nobody can change it by."""
    return stepper.system.state(read_only(stepper.u))
