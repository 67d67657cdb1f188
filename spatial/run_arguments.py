"""What `simulate` is given, looked at before anything is built: what cannot be meant is refused in one sentence."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spatial._engine.methods.electrolyte import Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.layout import State
from spatial.checks import InputError, Unusual, number, positive, shown, whole
from spatial.geometry.place import Floats
from spatial.geometry.size import MOST_UNKNOWNS, UNKNOWNS, check_size, memory
from spatial.model import AtTimes, Mechanism, Model, events_of
from spatial.observe.probes import Probe

_SAID = 0.25  # of the unknowns that a run may have by default: from there on it says how many they are

LONGEST = 1e4
"""Duration of a run [s] beyond which it warns: milliseconds that are taken for seconds are longer."""


class LargeRun(UserWarning):
    """A run takes much of the memory that a workstation has."""


def check_run(model: Any, until: Any, watch: Any, every: Any, seed: Any, tolerance: Any, frames: Any,
              progress: Any, start: Any, electrolyte: Any, most_unknowns: Any = MOST_UNKNOWNS) -> None:
    """Raise `InputError` for the first argument of a run that cannot be meant, and warn with `Unusual` of others."""
    if not isinstance(model, Model):
        raise InputError(f"simulate runs a model, not {shown(model)}; make one: Model([species, ...], "
                         "[mechanism, ...])")
    if not model.species:
        raise InputError("the model has no species, so there is nothing to run; name them all: Model([species, ...], "
                         "[mechanism, ...])")
    check_unknowns(model, most_unknowns)
    positive("duration of the run", until)
    _check_kind("tolerance", tolerance, Tolerance, "a Tolerance, such as Tolerance(1e-3)")
    _check_duration(until, (tolerance or Tolerance()).shortest)
    _check_watch(watch)
    number("every", every)
    whole("seed", seed)
    if frames is not None and not callable(getattr(frames, "write", None)):
        raise InputError(f"frames is {shown(frames)}; it must have a method write(t, c) that keeps the fields")
    if progress is not None and not callable(progress):
        raise InputError(f"progress is {shown(progress)}; it must be a function of the time and the step's length [s]")
    _check_kind("start", start, State, "a State, such as that of rest(model)")
    if start is not None and np.shape(start.values) != (start.layout.size,):
        raise InputError(f"the state to start from has values of shape {np.shape(start.values)}; its species have "
                         f"{start.layout.size} elements together")
    _check_kind("electrolyte", electrolyte, Electrolyte, "an Electrolyte: the ions of the model, with their valences")
    _warn_of_late_events(model.mechanisms, until)


def check_unknowns(model: Model, most: Any) -> None:
    """Raise `InputError` for a model of more unknowns than there may be, before anything of it is assembled.

    Warns with `LargeRun` from a quarter of the default limit on.
    """
    unknowns = sum(len(species.place) for species in model)
    number("most_unknowns", most)
    check_size("the run", unknowns, UNKNOWNS, most, "take fewer species, or a coarser mesh", "most_unknowns")
    if unknowns > _SAID * MOST_UNKNOWNS:
        warnings.warn(f"the run has {unknowns:.3g} unknowns, and takes about {memory(unknowns, UNKNOWNS)} of memory",
                      LargeRun, stacklevel=4)


def check_ways(every: Any, at_events: Any, engine: Any, method: Any) -> None:
    """Raise `InputError` for what says how a run goes on, and is of another kind than it must be."""
    if np.ndim(every):
        raise InputError(f"every is {shown(every)}; it must be one number, a time [s]")
    _check_kind("at_events", at_events, (bool, np.bool_), "True or False", may_be_none=False)
    _check_kind("engine", engine, str, "the name of one, such as 'spatial'", may_be_none=False)
    _check_kind("method", method, str, "'hybrid' or 'stochastic'", may_be_none=False)


def checked_frame_times(frame_times: Iterable[float], frames: Any, until: float) -> list[float]:
    """Return the times of frames in order. Raises `InputError` for what are no times of a run up to `until` [s]."""
    try:
        times = np.array(list(frame_times), float)
    except (TypeError, ValueError):
        raise InputError(f"frame_times is {shown(frame_times)}; it must be a list of times [s]") from None
    if times.ndim != 1:
        raise InputError(f"frame_times has shape {times.shape}; it must be a list of times [s]")
    if len(times) and frames is None:
        raise InputError("frame_times are given without frames; give frames what is to keep the fields then")
    outside = ~((times >= 0) & (times <= until))
    if outside.any():
        raise InputError(f"there is a frame at t = {times[outside][0]:g} s, outside the run, which goes from 0 to "
                         f"{until:g} s")
    return sorted(times.tolist())


def probe_value(name: str, value: Any, t: float, before: Sequence[Floats]) -> Floats:
    """Return what a probe returned at time `t` [s] as (k,) numbers, as many as `before`. Raises `InputError` if not."""
    try:
        values = np.asarray(value)
    except ValueError:  # rows of different lengths
        values = np.asarray(None)
    if values.dtype.kind not in "fiub" or values.ndim > 1:
        raise InputError(f"probe {name!r} returns {shown(value)} at t = {t:g} s; it must return a number, or an array "
                         "of them in one row")
    if before and values.size != len(before[0]):
        raise InputError(f"probe {name!r} returns {values.size} numbers at t = {t:g} s and {len(before[0])} before; it "
                         "must return as many at all times")
    return np.array(np.atleast_1d(values), float)


def _check_duration(until: float, shortest: float) -> None:
    """Raise `InputError` for a run that is over before its first step, and warn of one that hardly ends."""
    if until < shortest:
        raise InputError(f"duration of the run is {until:g} s; it must not be below the shortest step, {shortest:g} s")
    if until > LONGEST:
        warnings.warn(f"the run takes {until:g} s, over {LONGEST:g} s; times are in seconds: write 100 * ms for 0.1",
                      Unusual, stacklevel=4)


def _check_watch(watch: Any) -> None:
    """Raise `InputError` unless `watch` is a list of probes, each with a name of its own."""
    if isinstance(watch, Probe):
        raise InputError(f"watch is the probe {watch.name!r}; it must be a list of probes: [{watch.name}]")
    if isinstance(watch, str) or not isinstance(watch, Sequence):
        raise InputError(f"watch is {shown(watch)}; it must be a list of probes, such as [mean(species)]")
    for probe in watch:
        if not isinstance(probe, Probe):
            raise InputError(f"{shown(probe)} is watched, which is no probe; take one, such as mean(species)")
    names = [probe.name for probe in watch]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two probes are called {name!r}; give each its own name")


def _check_kind(name: str, value: Any, kind: Any, wanted: str, may_be_none: bool = True) -> None:
    """Raise `InputError` unless a value is of its kind, or None where that is allowed."""
    if not (value is None and may_be_none) and not isinstance(value, kind):
        raise InputError(f"{name} is {shown(value)}; it must be {wanted}")


def _warn_of_late_events(mechanisms: Sequence[Mechanism], until: float) -> None:
    """Warn with `Unusual` of mechanisms all of whose changes at known times come after the end of a run [s]."""
    for mechanism in mechanisms:
        times = [np.asarray(event.times, float) for event in events_of(mechanism)
                 if isinstance(event, AtTimes) and event.changes]
        known = np.concatenate([np.zeros(0), *times])
        if len(known) and known.min() > until:
            warnings.warn(f"{type(mechanism).__name__}: all its {len(known)} events come after the end of the run, the "
                          f"first at {known.min():g} s of {until:g} s; times are in seconds", Unusual, stacklevel=4)
