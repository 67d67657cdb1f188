"""The matrix 1 - h J of a whole model, with all of the Jacobian J, ready to solve with.

A Krylov method, preconditioned by multigrid within each place, solves for reactions, diffusion and what
flows between places together, to a part of what the step may err. What is left of the right-hand side is then
added to the solution, smoothed by diffusion. That keeps the books: 1 - h J changes no amount that is conserved,
and smoothing changes none at all, so the solution has the amounts of the right-hand side to rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from spatial._engine.linear.blocks import received
from spatial._engine.linear.krylov import stabilised_gradients
from spatial._engine.linear.multigrid import Level, levels
from spatial._engine.linear.place_matrix import PlaceMatrix, place_matrix
from spatial._engine.operators.diffusion import rows
from spatial._engine.operators.team import Team
from spatial._engine.system.jacobian import Linearisation
from spatial._engine.system.layout import Layout
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Species

_SOLVE = 0.1  # error of the linear solves as part of what the step may err


@dataclass(frozen=True)
class Prepared:
    """What a run finds once: the system, and the multigrid levels of every place."""

    system: System
    hierarchies: Mapping[str, tuple[Level, ...]]


def prepare(system: System) -> Prepared:
    """Find the multigrid levels of every place."""
    found = {name: levels(K, system.layout.places[name][0].place.measure) for name, K in system.stiffness.items()}
    return Prepared(system, found)


@dataclass(frozen=True)
class Implicit:
    """1 - h J, where J is about the species of a layout."""

    layout: Layout
    places: Mapping[str, PlaceMatrix]
    flow: csr_matrix  # h J of what flows between places
    reached: frozenset[str]  # the places into which something flows
    team: Team

    def solve(self, f: Floats, guess: Floats | None = None) -> Floats:
        """(size,) solution k of (1 - h J) k = f."""
        if not (self.flow.nnz or any(matrix.acts for matrix in self.places.values())):
            return f.copy()
        rough, block = self._place_by_place(f), self.layout.block
        weight = np.concatenate([np.outer(matrix.V, matrix.enough(block(rough, name)) ** -2.0).ravel()
                                 for name, matrix in self.places.items()])
        k, r = stabilised_gradients(self.times, self._place_by_place, f, rough, weight, self.team, guess)
        for name, matrix in self.places.items():
            part = block(r, name)
            part[:] = matrix.smooth(part)
        return k + r

    def times(self, k: Floats) -> Floats:
        """(1 - h J) k, with all of J."""
        product = np.empty_like(k)
        for name, matrix in self.places.items():
            matrix.times(self.layout.block(k, name), self.layout.block(product, name))
        return product - self.flow @ k if self.flow.nnz else product

    def _place_by_place(self, r: Floats) -> Floats:
        """(size,) approximate solution within every place, the last first, with what flows in from those done."""
        block, x = self.layout.block, np.zeros_like(r)
        for name, matrix in reversed(list(self.places.items())):
            right = block(r, name)
            if name in self.reached:
                right = np.empty(right.shape)
                self.team(received, right.size, self.layout.starts[name], *rows(self.flow), x, r, right.reshape(-1))
            matrix.precondition(right, block(x, name))
        return x


def implicit(prepared: Prepared, linearisation: Linearisation, h: float, accuracy: float,
             tolerated: Mapping[Species, float]) -> Implicit:
    """The matrix 1 - h J, whose solutions err by little beside `tolerated` / `accuracy`.

    `tolerated` is the L2 error, averaged over the place, that a step may make in each species that changes, and
    `accuracy` [s] what a solution is multiplied by in the step: its length for a rate, 1 for a concentration.
    """
    team, layout, places = prepared.system.team, linearisation.layout, {}
    for name, of in layout.places.items():
        allowed = _SOLVE / accuracy * np.array([tolerated.get(species, np.inf) for species in of])
        D = np.array([species.D for species in of])
        places[name] = place_matrix(prepared.hierarchies[name], D, linearisation.blocks[name], h, allowed, team)
    flow = h * linearisation.between
    return Implicit(layout, places, flow, _reached(layout, flow), team)


def _reached(layout: Layout, flow: csr_matrix) -> frozenset[str]:
    """The places into which something flows."""
    found = set()
    for name, of in layout.places.items():
        first = layout.starts[name]
        end = first + len(of) * len(of[0].place)
        if flow.indptr[end] > flow.indptr[first]:
            found.add(name)
    return frozenset(found)
