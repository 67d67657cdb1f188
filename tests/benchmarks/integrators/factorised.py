"""Approximate factorisation: the prototype of design.md, section 3, with the package's own pieces.

A linearly implicit method whose matrix is the product (1 - h J_reactions)(1 - h J_diffusion) instead of 1 - h J:
one small solve per element and one diffusion solve per stage. What is in balance stays so, as with any matrix.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from spatial._engine.linear.implicit import Implicit, Prepared, implicit, prepare
from spatial._engine.methods.method import Attempts
from spatial._engine.methods.rosenbrock import ROS2, Table, step
from spatial._engine.system.jacobian import Linearisation, linearise
from spatial._engine.system.right_hand_side import System, without_diffusion
from spatial.geometry.place import Floats
from spatial.model import Species


@dataclass(frozen=True, eq=False)
class Factorised:
    """The method, for a system."""

    prepared: Prepared  # of the whole system
    reactions: Prepared  # of the system without diffusion
    table: Table = ROS2

    @property
    def system(self) -> System:
        """What is integrated."""
        return self.prepared.system

    @property
    def order(self) -> int:
        """The power of the step's length that the estimated error goes with."""
        return self.table.order

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where du/dt is `f`."""
        full, of = linearise(self.system, u, t), self.table
        nothing = Linearisation(full.layout, {name: np.zeros_like(blocks) for name, blocks in full.blocks.items()},
                                csr_matrix(full.between.shape))

        def attempt(dt: float) -> tuple[Floats, Floats]:
            react = implicit(self.reactions, full, of.gamma * dt, dt, tolerated)
            spread = implicit(self.prepared, nothing, of.gamma * dt, dt, tolerated)
            return step(of, self.system, u, t, f, dt, lambda rate, _: spread.solve(_local(react, rate)))

        return Attempts(attempt)


def _local(react: Implicit, f: Floats) -> Floats:
    """(size,) solution with the reactions alone: element by element where nothing flows between places."""
    if react.flow.nnz:
        return react.solve(f)
    block, k = react.layout.block, np.empty_like(f)
    for name, matrix in react.places.items():
        matrix.precondition(block(f, name), block(k, name))  # exact without diffusion
    return k


def factorised(system: System) -> Factorised:
    """The method, with all that a run finds once."""
    return Factorised(prepare(system), prepare(without_diffusion(system)))
