"""The state in which a model rests."""

from dataclasses import dataclass

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.step_length import advance, first_step
from spatial._engine.system.assembly import assemble
from spatial._engine.system.layout import State
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError, by_annotation
from spatial.frozen import read_only
from spatial.geometry.place import Floats, Place
from spatial.geometry.size import MOST_UNKNOWNS, UNKNOWNS, check_size
from spatial.model import Concentrations, Gains, Mechanism, Model, Species
from spatial.parameters import parameters_of

_STEPS = 2000  # at most
_STILL = 1e-7  # 1/s, of a species' size: slower than this it rests
_LONG, _SEVERAL = 100.0, 3  # s, and steps: over such, what stiff modes make of rounding averages out; choice
_TOLERANCE = Tolerance(1e-3, longest=1000.0)  # longer ones would be solved below rounding


@by_annotation
def rest(model: Model, most_unknowns: float = MOST_UNKNOWNS) -> State:
    """The steady state that the model settles into from its initial values, to start a run from.

    Steps follow the model's own course and grow as it comes to rest, so that what is conserved stays so and an
    unstable state is not taken for a steady one. What depends on time is as at t = 0; events and chance
    play no part: random channels stay as they are. What no mechanism reads, such as a ledger of what has
    left, keeps its initial value. The state knows the parameters that the model was made with: a run of a model with
    others warns. Raises `InputError` naming what still changes if it does not settle, and for more than
    `most_unknowns`.
    """
    check_size("the model", sum(len(species.place) for species in model), UNKNOWNS, most_unknowns,
               "take fewer species, or a coarser mesh", "most_unknowns")
    whole = assemble(model)  # which names mechanisms as users know them
    system = assemble(Model(model.species, [_AtStart(each) for each in model.mechanisms], model.fipy_terms))
    minding = {species for term in system.terms for species in term.reads} | {one for one in model if one.D > 0}
    method, u = Rosenbrock(prepare(system), ROS2), system.initial()
    dt, elapsed, quiet = first_step(system, u, 0.0, _TOLERANCE), 0.0, 0
    for _ in range(_STEPS):
        worst, speed = _fastest(system, u, system.rate(u, 0.0), minding)
        if speed < _STILL or quiet == _SEVERAL:
            return _settled(whole, u, minding)
        done = advance(method, u, 0.0, dt, np.inf, _TOLERANCE)
        moves = _fastest(system, u, (done.u - u) / done.dt, minding)[1]
        quiet = quiet + 1 if done.dt >= _LONG and moves < _STILL else 0
        u, dt, elapsed = done.u, done.suggested, elapsed + done.dt
    assert worst
    raise InputError(f"this model does not come to rest: after {elapsed:.3g} s {worst.name!r} in "
                     f"{worst.place.name!r} still changes by {speed:.2g} of its size per s; it oscillates, or lacks "
                     "what balances a source or a drain")


@dataclass(frozen=True, eq=False)
class _AtStart:
    """A mechanism as it is at t = 0."""

    mechanism: Mechanism

    @property
    def where(self) -> Place:
        return self.mechanism.where

    def rates(self, c: Concentrations, t: float) -> Gains:
        return self.mechanism.rates(c, 0.0)


def _fastest(system: System, u: Floats, rate: Floats, minding: set[Species]) -> tuple[Species | None, float]:
    """The species that changes fastest anywhere at a `rate` (size,), and its largest rate [1/s] over its size."""
    state, changes = system.state(u), system.state(rate)
    speeds = {one: float(np.abs(changes[one]).max() / (np.abs(state[one]).max() + one.typical)) for one in minding}
    worst = max(speeds, key=lambda one: speeds[one], default=None)
    return worst, speeds[worst] if worst else 0.0


def _settled(system: System, u: Floats, minding: set[Species]) -> State:
    """The settled state, with what no mechanism reads as it was, and with the parameters of its model."""
    for one in system.model:
        if one not in minding:
            system.layout.values(u, one)[:] = one.initial
    return State(read_only(u), system.layout, parameters_of(system.model))
