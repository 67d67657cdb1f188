"""One step in time: ROS2, a linearly implicit method that is of order 2 with any matrix W.

    (1 - g dt W) k1 = f(u),    (1 - g dt W) k2 = f(u + dt k1) - 2 k1,    u' = u + dt (3 k1 + k2) / 2

(Verwer, Spee, Blom & Hundsdorfer 1999). f(u) = 0 gives u' = u exactly: source, buffers and diffusion
in balance stay so. Here W is the Jacobian, and each stage is solved in two moves. A Krylov method
solves for all places, reactions and diffusion together, to a part of the step's tolerance. Then one
correction with the factorised matrix (1 - g dt J_reactions)(1 - g dt J_diffusion) keeps the books:
each factor keeps amounts to rounding, so the stage does, however inexact the first move was.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from spatial.geometry.place import Floats
from spatial.integrate.linear import PlaceMatrix, place_matrix, stabilised_gradients
from spatial.integrate.multigrid import Level, levels
from spatial.model import Species
from spatial.system import Linearisation, System

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)  # L-stable, and the more accurate of the two (design.md, 3)
_SWEEPS, _CLOSE = 20, 1e-2  # of the flows between places
_SOLVE = 0.05  # error of the linear solves as part of what the step may err


@dataclass(frozen=True)
class Stages:
    """The matrix 1 - g dt W of one step."""

    system: System
    places: Mapping[str, PlaceMatrix]
    flow: csr_matrix  # g dt J of what flows between places
    dt: float

    def solve(self, f: Floats) -> Floats:
        """(size,) stage k of (1 - g dt W) k = f."""
        block = self.system.layout.block
        enough = {name: matrix.enough(block(f, name)) for name, matrix in self.places.items()}
        if not (self.flow.nnz or any(matrix.reacts for matrix in self.places.values())):
            return self._factorised(f, enough)
        weight = np.concatenate([np.outer(matrix.V, 1.0 / enough[name] ** 2).ravel()
                                 for name, matrix in self.places.items()])
        k = stabilised_gradients(self._times, self._place_by_place, f, weight)
        return k + self._factorised(f - self._times(k), enough)

    def _place_by_place(self, r: Floats) -> Floats:
        """(size,) approximate solution within every place."""
        block, x = self.system.layout.block, np.empty_like(r)
        for name, matrix in self.places.items():
            block(x, name)[:] = matrix.cycle(block(r, name))
        return x

    def _times(self, k: Floats) -> Floats:
        """(1 - g dt J) k, with all of J."""
        product = -(self.flow @ k)
        for name, matrix in self.places.items():
            part = self.system.layout.block(product, name)
            part += matrix.times(self.system.layout.block(k, name))
        return product

    def _factorised(self, r: Floats, enough: Mapping[str, Floats]) -> Floats:
        """Solve with reactions in every element and between places, then with diffusion."""
        block = self.system.layout.block
        k = self._reactions(r)
        for name, matrix in self.places.items():
            part = block(k, name)
            part[:] = matrix.solve_diffusion(part, enough[name])
        return k

    def _reactions(self, r: Floats) -> Floats:
        """Solve with the reactions alone, by sweeps over what flows between places.

        The last term makes up for what the sweeps left open, so that amounts are kept to rounding.
        """
        flow = self.flow
        before, k = np.zeros_like(r), self._local(r.copy())
        for _ in range(_SWEEPS if flow.nnz else 0):
            change = flow @ (k - before)
            before, k = k, self._local(r + flow @ k)
            if not (np.abs(change) > _CLOSE * np.abs(k)).any():
                break
        return k + flow @ (k - before)

    def _local(self, r: Floats) -> Floats:
        """Solve with the reactions within every element, in place of `r`."""
        for name, matrix in self.places.items():
            if matrix.reacts:
                matrix.solve_reactions(self.system.layout.block(r, name))
        return r


Hierarchies = Mapping[str, tuple[Level, ...]]


def hierarchies(system: System) -> Hierarchies:
    """The multigrid levels of every place, found once for a run."""
    return {name: levels(K, system.layout.places[name][0].place.measure) for name, K in system.stiffness.items()}


def factorise(system: System, hierarchies: Hierarchies, linearisation: Linearisation, dt: float,
              tolerated: Mapping[Species, float]) -> Stages:
    """The matrix of a step of length `dt`, ready to solve with.

    `tolerated` is the L2 error, averaged over the place, that the step may make in each species.
    """
    places = {}
    for name, of in system.layout.places.items():
        allowed = _SOLVE / dt * np.array([tolerated[species] for species in of])
        places[name] = place_matrix(name, hierarchies[name], system.diffusion[name], linearisation.blocks[name],
                                    GAMMA * dt, allowed)
    return Stages(system, places, GAMMA * dt * linearisation.between, dt)


def step(stages: Stages, u: Floats, f: Floats, t: float) -> tuple[Floats, Floats]:
    """The state after one step from `u`, where du/dt is `f`, and an estimate of its error."""
    dt = stages.dt
    k1 = stages.solve(f)
    k2 = stages.solve(stages.system.rate(u + dt * k1, t + dt) - 2.0 * k1)
    return u + dt * (1.5 * k1 + 0.5 * k2), 0.5 * dt * (k1 + k2)
