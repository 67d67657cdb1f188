"""Electrodiffusion: ions that also drift in the potential that keeps every control volume neutral.

    V dc/dt = reactions + diffusion + drift(c, phi),    sum_s z_s c_s = what membranes hold + what does not move

phi is one more unknown of each control volume, fixed by the second equation (electroneutral Nernst-Planck; Halnes et
al. 2013, Mori 2009). A membrane holds the charge C V, V being phi inside less phi outside: where it touches, the
capacitive current is part of the balance; elsewhere the total ionic current has no divergence. Fixed charges are
whatever balances the first state, and keep so.

One step is of order 3: the Rosenbrock method for algebraic equations of index 1 (`ROS34PW2`), with the whole Jacobian,
factorised. The charge of each control volume is linear in the unknowns and the same in every stage, so it keeps to
rounding. phi is not part of the state: each step finds that which belongs to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.sparse import block_array, block_diag, bsr_array, csc_matrix, csr_matrix, diags_array, kron
from scipy.sparse.linalg import SuperLU, splu

from spatial._engine.methods.electrolyte import Electrolyte, Field, check_balance, check_event, field
from spatial._engine.methods.growth import growth_rate
from spatial._engine.methods.method import BEFORE, Attempts, followed
from spatial._engine.methods.rosenbrock import GROWTH, ROS34PW2, Table
from spatial._engine.operators.drift import Drift, drift, together
from spatial._engine.operators.repair import repair
from spatial._engine.system.jacobian import Linearisation, linearise
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from spatial.model import Species

_CLOSE = 1e-6  # change of phi, in RT/F, after which Newton's next one is below rounding
_MOST_NEWTON = 30
_ORDERING: Final = "MMD_AT_PLUS_A"  # of unknowns: in 3-D it fills a quarter of what SuperLU's default does


@dataclass(frozen=True, eq=False)
class Electrodiffusion:
    """The method: linearly implicit steps of a system whose ions drift."""

    system: System
    electrolyte: Electrolyte
    drift: Drift
    field: Field
    diffusion: csr_matrix  # (size, size) [1/s]
    mass: csr_matrix  # (size + n, size + n) what multiplies d/dt of (u, phi)
    table: Table = ROS34PW2

    @property
    def order(self) -> int:
        """The power of the step's length that the estimated error goes with."""
        return self.table.order

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`, where reactions and diffusion alone make du/dt = `f`."""
        check_balance(self.field, u, t, f)
        phi = self._potential(u, f)
        linear = linearise(self.system, u, t)
        jacobian = self._jacobian(linear, u, phi)

        def attempt(dt: float) -> tuple[Floats, Floats]:
            return self._step(u, phi, t, dt, _Factors(csc_matrix(self.mass - self.table.gamma * dt * jacobian)))

        return Attempts(attempt, followed(GROWTH, growth_rate(self.system, linear, u, f, tolerated)))

    def potentials(self, u: Floats, t: float) -> dict[str, Floats]:
        """(n,) the potential [mV] in each place with ions; the constant in each connected part is arbitrary."""
        phi = self._potential(u, self.system.rate(u, t))
        return {name: phi[of] for name, of in self.field.of.items()}

    def check_event(self, before: Floats, after: Floats, t: float) -> None:
        """Raise `InputError` for an event that leaves a control volume with another charge than `before`."""
        check_event(self.field, before, after, t, self.system.events.named_at(t))

    def charge(self, u: Floats) -> Floats:
        """(n,) the charge [uM] that is neither held by membranes nor free to move, in each control volume."""
        return np.asarray(self.field.charge @ u)

    def _step(self, u: Floats, phi: Floats, t: float, dt: float, factors: "_Factors") -> tuple[Floats, Floats]:
        """The state after one step, and an estimate of its error: as `rosenbrock.step`, of an algebraic equation."""
        table, size, n = self.table, len(u), self.field.size
        stages = np.zeros((len(table.m), size + n))
        for k, when in enumerate(table.times):
            moved = table.gamma * dt * (table.a[k] @ stages)
            here, there = u + moved[:size], phi + moved[size:]
            rate = self.system.rate(here, t + min(when, BEFORE) * dt) + self.drift.rate(here, there)
            rate += table.gamma * (table.c[k] @ stages)[:size]
            stages[k] = factors.solve(np.r_[self.field.free * rate, np.zeros(n)])
        weights = table.gamma * dt * table.m, table.strict * table.gamma * dt * (table.m - table.companion)
        return self._positive(u + weights[0] @ stages[:, :size]), weights[1] @ stages[:, :size]

    def _positive(self, u: Floats) -> Floats:
        """`u` with what ions undershoot filled from neighbours, as the step control does for what has no charge.

        The ion of which there is most everywhere follows, so that no control volume changes its charge.
        """
        ions, charge = self.electrolyte.valences, self.charge(u)
        state, layout = self.system.state(u), self.system.layout
        short = [ion for ion in ions if ion.D > 0 and state[ion].min() < 0.0 <= ion.place.measure @ state[ion]]
        for ion in short:
            repair(layout.values(u, ion), ion.place.measure, self.system.stiffness[ion.place.name])
        for name in {ion.place.name for ion in short}:
            there = [ion for ion in ions if ion.place.name == name]
            most = max(there, key=lambda ion: abs(ions[ion]) * float(state[ion].min()))
            values = layout.values(u, most)
            values -= (self.charge(u) - charge)[self.field.of[name]] / ions[most]
        return u

    def _jacobian(self, linear: Linearisation, u: Floats, phi: Floats) -> csr_matrix:
        """(size + n, size + n) the derivative of what makes du/dt, by u and by phi."""
        n = self.field.size
        within = block_diag([_blocks(linear.blocks[name]) for name in self.system.layout.places], format="csr")
        rest = block_array([[within + linear.between + self.diffusion, csr_matrix((len(u), n))]])
        changing = diags_array(self.field.free) @ (rest + self.drift.slopes(u, phi))
        return csr_matrix(block_array([[changing], [csr_matrix((n, len(u) + n))]]))

    def _potential(self, u: Floats, f: Floats) -> Floats:
        """(n,) the potential in which no control volume is charged, where reactions and diffusion make du/dt = `f`.

        Newton's method; unknown besides is how fast each V changes.
        """
        field, held = self.field, np.flatnonzero(self.field.free == 0)
        across, bound, phi = field.across[held], field.bound, np.zeros(field.size)
        changing = bound @ diags_array(field.free)
        for _ in range(_MOST_NEWTON):
            slope = changing @ self.drift.slopes(u, phi)[:, len(u):] + diags_array(field.pinned)
            matrix = block_array([[slope, bound[:, held]], [across, csr_matrix((len(held),) * 2)]])
            missing = np.r_[-changing @ (f + self.drift.rate(u, phi)) - field.pinned * phi, u[held] - across @ phi]
            change = _Factors(csc_matrix(matrix)).solve(missing)[:field.size]
            phi = phi + change
            if np.abs(change).max() <= _CLOSE * self.electrolyte.thermal:
                return phi
        raise InputError("no potential was found in which the ions are in balance; their concentrations differ too "
                         "much between neighbours: refine the mesh there")


def electrodiffusion(system: System, electrolyte: Electrolyte) -> Electrodiffusion:
    """The method for a system and its ions.

    Raises `InputError` for what `electrolyte.field` does not accept.
    """
    bound, thermal = field(system, electrolyte), electrolyte.thermal
    drifts = [drift(ion.place, system.layout.index(ion), bound.of[ion.place.name].start, ion.D, valence / thermal)
              for ion, valence in electrolyte.valences.items()]
    drifting = frozenset([*electrolyte.valences, *(one.potential for one in electrolyte.capacitors)])
    return Electrodiffusion(replace(system, drifting=drifting), electrolyte, together(*drifts), bound,
                            _diffusion(system), _mass(bound))


def _mass(field: Field) -> csr_matrix:
    """What multiplies d/dt of (u, phi): under u the charge, which does not change, and V less the difference of phi."""
    return csr_matrix(block_array([[diags_array(np.ones(len(field.free))), -field.across],
                                   [field.bound, diags_array(field.pinned)]]))


def _diffusion(system: System) -> csr_matrix:
    """(size, size) what diffusion makes of du/dt, per u."""
    parts = [kron(diags_array(-1 / of[0].place.measure) @ system.stiffness[name], diags_array(system.diffusion[name]))
             for name, of in system.layout.places.items()]
    return csr_matrix(block_diag(parts, format="csr"))


def _blocks(blocks: Floats) -> csr_matrix:
    """(n m, n m) matrix with these (n, m, m) blocks along its diagonal."""
    n = len(blocks)
    return csr_matrix(bsr_array((blocks, np.arange(n), np.arange(n + 1))))


class _Factors:
    """A sparse matrix, factorised."""

    def __init__(self, matrix: csc_matrix) -> None:
        self.matrix = matrix
        try:
            self.factors: SuperLU = splu(matrix, permc_spec=_ORDERING)
        except RuntimeError:
            raise InputError("the potential of some element is not determined: it needs ions that move there, "
                             "or a membrane that holds charge") from None

    def solve(self, f: Floats) -> Floats:
        """(k,) solution, with what rounding has left of `f` solved for once more."""
        x = self.factors.solve(f)
        return np.asarray(x + self.factors.solve(f - self.matrix @ x))
