"""Events of a model, let act on a state by hand."""

from typing import Any

import numpy as np

from spatial._engine.methods.master_equation import MasterEquation
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import AtTimes, Gains, Mechanism, events_of


def act(system: System, u: Floats, t: float, seed: int = 0) -> bool:
    """Let what happens at the instant `t` act on `u`, in place; whether something did."""
    events = system.events
    return events.at_instant(u, t, np.random.default_rng(seed), system.add, events.heights(u, t))[0]


def end_step(system: System, u: Floats, t: float, dt: float, seed: int = 0) -> bool:
    """Let what happens by chance in a step of `dt` [s] that ends at `t` act on `u`, in place; whether something did."""
    events = system.events
    return events.after_step(u, t, dt, None, np.random.default_rng(seed), system.add, events.heights(u, t))[0]


def act_counted(engine: MasterEquation, u: Floats, t: float, rng: np.random.Generator) -> Floats:
    """The state after what happens at the instant `t`, in whole molecules."""
    u, events = u.copy(), engine.system.events
    events.at_instant(u, t, rng, engine.deposit(rng), events.heights(u, t))
    return u


def end_step_counted(engine: MasterEquation, u: Floats, t: float, dt: float, rng: np.random.Generator) -> Floats:
    """The state after what happens by chance in a step of `dt` [s] that ends at `t`, in whole molecules."""
    u, events = u.copy(), engine.system.events
    events.after_step(u, t, dt, None, rng, engine.deposit(rng), events.heights(u, t))
    return u


def at_time(mechanism: Mechanism, c: Any, t: float) -> Gains:
    """What a mechanism's one event at known times changes at `t`."""
    event, = (event for event in events_of(mechanism) if isinstance(event, AtTimes))
    return event.change(c, t, np.random.default_rng(0))


def times_of(mechanism: Mechanism) -> list[float]:
    """When a mechanism has events at known times [s]."""
    return [float(t) for event in events_of(mechanism) if isinstance(event, AtTimes) for t in event.times]
