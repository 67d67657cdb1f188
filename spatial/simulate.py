"""The one loop: steps between events, events, probes."""

import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np

from spatial.checks import InputError, positive
from spatial.geometry.place import Floats
from spatial.integrate.fipy_engine import fipy_engine
from spatial.integrate.implicit import prepare
from spatial.integrate.method import Method
from spatial.integrate.rosenbrock import ROS2, ROS34PW2, TIGHT, Rosenbrock
from spatial.integrate.stabilised_explicit import chebyshev
from spatial.integrate.step_control import Tolerance, advance, after_event, first_step
from spatial.model import Concentrations, Model
from spatial.observe.probes import Probe
from spatial.observe.recording import Recording, Series
from spatial.system import System, assemble

Progress = Callable[[float, float], None]
"""Called after every step with the simulated time and the step's length [s]."""


Engine = Literal["spatial", "implicit", "explicit", "fipy"]
"""What takes the steps: ours, chosen by how stiff the model is or by name, or FiPy alone."""


class Frames(Protocol):
    """Something that keeps whole fields, such as a file for ParaView."""

    def write(self, t: float, c: Concentrations) -> None:
        """Keep the concentrations at time `t` [s]."""
        ...


def simulate(model: Model, until: float, watch: Sequence[Probe] = (), every: float = 0.0, seed: int = 0,
             tolerance: Tolerance | None = None, frames: Frames | None = None, frame_times: Iterable[float] = (),
             progress: Progress | None = None, engine: Engine = "spatial") -> Recording:
    """Run a model from t = 0 to `until` [s] and return what the probes saw.

    Probes are read at the start, before and after every event, and after steps at least `every` [s]
    apart (0: after all). `frames` is given the fields at each of `frame_times`, on which steps land.
    The same model, seed and tolerance give the same recording. Our own engine is "implicit", or "explicit"
    for large models that are hardly stiff; with "fipy" all equations are solved by FiPy: slow, for comparison.
    """
    positive("duration of the run", until)
    names = [probe.name for probe in watch]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two probes are called {name!r}; give each its own name")
    tolerance = tolerance or Tolerance()
    system = assemble(model)
    method = _method(system, engine, until, tolerance)
    rng = np.random.default_rng(seed)
    diary = _Diary(watch)
    steps = _run(method, until, tolerance, rng, diary, every, frames, sorted(frame_times), progress)
    provenance = {"engine": engine, "method": type(method).__name__,
                  "seed": seed, "until": until, "relative tolerance": tolerance.relative,
                  "unknowns": system.layout.size, "steps": steps["steps"], "rejected steps": steps["rejected"],
                  "smallest concentration": steps["smallest"], "numpy": np.__version__,
                  "python": platform.python_version()}
    return diary.recording(provenance)


def _method(system: System, engine: Engine, until: float, tolerance: Tolerance) -> Method:
    """How a run takes its steps."""
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

    def note(self, t: float, c: Concentrations) -> None:
        self.times.append(t)
        for probe, values in zip(self.watch, self.values, strict=True):
            values.append(np.atleast_1d(np.asarray(probe.read(c), float)).copy())

    def recording(self, provenance: dict[str, Any]) -> Recording:
        series = {probe.name: Series(probe.unit, np.array(values))
                  for probe, values in zip(self.watch, self.values, strict=True)}
        return Recording(np.array(self.times), series, provenance)


def _run(method: Method, until: float, tolerance: Tolerance, rng: np.random.Generator, diary: _Diary,
         every: float, frames: Frames | None, frame_times: list[float], progress: Progress | None) -> dict[str, Any]:
    """Step from 0 to `until`; the number of steps taken and rejected, and the smallest concentration."""
    system = method.system
    u, t = system.initial(), 0.0
    instants = set(system.instants().tolist())
    stops = sorted({time for time in {*instants, *frame_times, until} if 0 <= time <= until})
    dt, taken, rejected, noted, smallest = first_step(system, u, t, tolerance), 0, 0, 0.0, system.smallest(u)
    diary.note(t, system.state(u))
    for stop in stops:
        while t < stop:
            done = advance(method, u, t, dt, stop, tolerance)
            u, t, dt = done.u, done.t, done.suggested
            taken, rejected = taken + 1, rejected + done.rejected
            smallest = min(smallest, system.smallest(u))
            if system.leap(u, t, done.dt, rng):
                dt = after_event(system, u, t, dt, tolerance)
            if t - noted >= every or t == stop:
                diary.note(t, system.state(u))
                noted = t
            if progress:
                progress(t, done.dt)
        if stop in instants:
            if system.jump(u, t):
                dt = after_event(system, u, t, dt, tolerance)
            diary.note(t, system.state(u))
        if frames and stop in frame_times:
            frames.write(t, system.state(u))
    return {"steps": taken, "rejected": rejected, "smallest": smallest}
