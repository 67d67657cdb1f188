"""Strang splitting: half a step of diffusion, a whole step of reactions in as many parts as it needs, half a step.

Diffusion is taken by ROS2, which is L-stable, and so are the parts of the reactions, each as long as the
local tolerance lets it be. The error estimate comes from two steps half as long, which are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.method import Attempts
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.repair import repair
from spatial._engine.stepping.step_length import advance
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System, without_diffusion
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Model, Species


@dataclass(frozen=True, eq=False)
class Strang:
    """The method, for a system."""

    system: System
    spreading: Rosenbrock  # of diffusion alone
    reacting: Rosenbrock  # of reactions alone
    local: Tolerance  # of each part of the reactions
    order: int = 3  # the power of the step's length that the estimated error goes with, where splitting is not stiff

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`; where no part of the reactions is short enough the error is infinite."""

        def attempt(dt: float) -> tuple[Floats, Floats]:
            try:
                whole = self._step(u, t, dt, tolerated)
                half = self._step(u, t, dt / 2, tolerated)
                halves = self._step(half, t + dt / 2, dt / 2, tolerated)
            except InputError:
                return u.copy(), np.full_like(u, np.inf)
            return halves, (halves - whole) / 3.0

        return Attempts(attempt)

    def _step(self, u: Floats, t: float, dt: float, tolerated: Mapping[Species, float]) -> Floats:
        """(size,) the state after one Strang step."""
        u = self._reacted(self._spread(u, dt / 2, tolerated), t, t + dt)
        return self._spread(u, dt / 2, tolerated)

    def _spread(self, u: Floats, dt: float, tolerated: Mapping[Species, float]) -> Floats:
        """(size,) the state after diffusion for `dt`, without what it undershoots zero by."""
        system = self.spreading.system
        u, _ = self.spreading.start(u, 0.0, system.rate(u, 0.0), tolerated).take(dt)
        for species in system.model:
            if species.D > 0 and not species.signed:
                repair(system.layout.values(u, species), species.place.measure, system.stiffness[species.place.name])
        return u

    def _reacted(self, u: Floats, t: float, stop: float) -> Floats:
        """(size,) the state after the reactions from `t` to `stop`."""
        dt = stop - t
        while t < stop:
            step = advance(self.reacting, u, t, dt, stop, self.local)
            u, t, dt = step.u, step.t, step.suggested
        return u


def strang(system: System, local: float) -> Strang:
    """The method, with the relative tolerance `local` for the reactions."""
    diffusion = assemble(Model(system.model.species))
    spreading, reacting = (Rosenbrock(prepare(part), ROS2) for part in (diffusion, without_diffusion(system)))
    return Strang(system, spreading, reacting, Tolerance(local))
