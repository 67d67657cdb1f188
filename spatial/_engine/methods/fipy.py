"""A run through FiPy alone: a reference for our own methods, slow and written with other people's solvers.

Each species is a `CellVariable`, and each place has one set of coupled FiPy equations

    TransientTerm(c_i) == DiffusionTerm(D_i, c_i) + source_i + sum_j slope_ij c_j + the user's own terms,

where source and slopes are the reactions linearised at the last sweep: FiPy's own Newton iteration. What
flows between places is explicit, place after place, and the sweeps go on until it no longer changes. Backward
Euler in one step and in two half as long, extrapolated, is of order 2; the difference is the error estimate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from operator import and_
from typing import Any

import numpy as np

from spatial._engine.methods.growth import growth_rate
from spatial._engine.methods.method import BEFORE, Attempts, followed
from spatial._engine.methods.tolerance import errors
from spatial._engine.operators.fipy_mesh import fipy_mesh, with_scipy
from spatial._engine.operators.fipy_terms import own_terms
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System, without_diffusion
from spatial.geometry.place import Floats, Place
from spatial.model import Model, Species

_SWEEPS = 30
_SLOWEST = 0.99  # what a sweep leaves of the change of the one before: assumed at first, and at most
_CLOSE = 1e-2  # change that the sweeps leave open, as part of what the step may err
_GROWTH = 0.25  # longest step at a growth rate of 1: an e-fold of what is not resolved errs by 1.6 %; its pole is at 1
_DIRECT = 4000  # unknowns of a place up to which FiPy solves with a factorisation, which takes 0.1 s
_SOLVE, _ITERATIONS = 1e-12, 2000  # residual of other solves beside the right-hand side; iterations at most


@dataclass(frozen=True, eq=False)
class Equations:
    """The coupled FiPy equations of a place with n elements and m species."""

    variables: tuple[Any, ...]  # m CellVariables
    sources: tuple[Any, ...]  # m CellVariables [uM/s]
    slopes: Mapping[tuple[int, int], Any]  # by row and column among the species: CellVariable [1/s]
    coupled: Any

    def solve(self, old: Floats, at: Floats, rate: Floats, jacobian: Floats, dt: float) -> Floats:
        """(n, m) the state after a backward Euler step from `old`, by one sweep.

        The reactions are linearised at `at`, where their rate is `rate` (n, m) and their slopes `jacobian` (n, m, m).
        """
        source = rate.copy()
        for (i, j), slope in self.slopes.items():
            slope.setValue(jacobian[:, i, j])
            source[:, i] -= jacobian[:, i, j] * at[:, j]
        for k, variable in enumerate(self.variables):
            variable.setValue(old[:, k])
            variable.updateOld()
            variable.setValue(at[:, k])
            self.sources[k].setValue(source[:, k])
        self.coupled.solve(dt=dt, solver=_solver(old.size))
        return np.stack([variable.value for variable in self.variables], axis=1)


@dataclass(frozen=True, eq=False)
class FipyEngine:
    """Backward Euler by FiPy, extrapolated to order 2."""

    system: System
    places: Mapping[str, Equations]

    @cached_property
    def reactions(self) -> System:
        """The system without what FiPy's own terms do."""
        return without_diffusion(self.system)

    @property
    def order(self) -> int:
        """The power of the step's length that the estimated error goes with."""
        return 2

    def start(self, u: Floats, t: float, f: Floats, tolerated: Mapping[Species, float]) -> Attempts:
        """Steps from the state `u` at `t`; one for which the sweeps do not converge has an infinite error."""
        enough = {species: _CLOSE * most for species, most in tolerated.items()}

        def attempt(dt: float) -> tuple[Floats, Floats]:
            end, failed = t + BEFORE * dt, np.full_like(u, np.inf)
            coarse = self.backward_euler(u, u, end, dt, enough)
            if coarse is None:
                return u.copy(), failed
            half = self.backward_euler(u, (u + coarse) / 2, t + dt / 2, dt / 2, enough)
            fine = None if half is None else self.backward_euler(half, coarse, end, dt / 2, enough)
            return (u.copy(), failed) if fine is None else (2.0 * fine - coarse, fine - coarse)

        growth = growth_rate(self.system, linearise(self.system, u, t), u, f, tolerated)
        return Attempts(attempt, followed(_GROWTH, growth))

    def backward_euler(self, old: Floats, guess: Floats, end: float, dt: float,
                       enough: dict[Species, float]) -> Floats | None:
        """(size,) the state at `end` after a step from `old`, to within `enough`; None if sweeps do not get there."""
        u, before = guess, 0.0
        for _ in range(_SWEEPS):
            after, missing = self._sweep(old, self._seen(u), end, dt)
            change = max(errors(self.system, np.abs(after - u) + np.abs(missing), enough).values(), default=0.0)
            if not np.isfinite(change):
                return None
            ratio = min(change / before, _SLOWEST) if before else _SLOWEST
            if change * ratio / (1.0 - ratio) <= 1.0:
                return after + missing
            u, before = after, change
        return None

    def _sweep(self, old: Floats, at: Floats, end: float, dt: float) -> tuple[Floats, Floats]:
        """A better state at `end`, with reactions linearised at `at`, and what it lacks to keep amounts: (size,) both.

        What the change of one place moves into another is in the equations of those that are solved after it.
        What it moves into those before it is missing: the less, the less the sweep changed.
        """
        block, reactions = self.system.layout.block, self.reactions
        rate, linearised = reactions.rate(at, end), linearise(reactions, at, end)
        after, counted = at.copy(), np.zeros_like(at)
        for name, equations in self.places.items():
            flow = linearised.between @ (after - at)
            block(counted, name)[:] = block(flow, name)
            block(after, name)[:] = equations.solve(block(old, name), block(at, name), block(rate + flow, name),
                                                    linearised.blocks[name], dt)
        return after, dt * (linearised.between @ (after - at) - counted)

    def _seen(self, u: Floats) -> Floats:
        """(size,) the state as mechanisms see it: nothing below zero that cannot be."""
        seen = u.copy()
        for species in self.system.model:
            if not species.signed:
                c = self.system.layout.values(seen, species)
                np.maximum(c, 0.0, out=c)
        return seen


def fipy_engine(system: System) -> FipyEngine:
    """The engine for a system.

    Raises `InputError` where a place cannot be a FiPy mesh.
    """
    pairs = _pairs(system)
    return FipyEngine(system, {
        name: _equations(of, system.model, {(of.index(a), of.index(b)) for a, b in pairs if a in of and b in of})
        for name, of in system.layout.places.items()})


def _pairs(system: System) -> set[tuple[Species, Species]]:
    """Every species with each one in the same place that its rate depends on."""
    return {(target, source) for term in system.terms for target in term.changes for source in term.reads}


def _equations(species: tuple[Species, ...], model: Model, pairs: set[tuple[int, int]]) -> Equations:
    """The equations of a place, made once for a run; `pairs` are the slopes that can differ from 0."""
    mesh = _cells(species[0].place)
    import fipy

    variables = tuple(fipy.CellVariable(mesh=mesh, hasOld=True, name=one.name) for one in species)
    sources = tuple(fipy.CellVariable(mesh=mesh) for _ in species)
    slopes = {pair: fipy.CellVariable(mesh=mesh) for pair in sorted(pairs)}
    coupled: list[Any] = []
    for row, (one, c) in enumerate(zip(species, variables, strict=True)):
        equation = fipy.TransientTerm(var=c) - sources[row]
        for (i, j), slope in slopes.items():
            if i == row:
                equation -= _linear_term()(coeff=slope, var=variables[j])
        if one.D > 0:
            equation -= fipy.DiffusionTerm(coeff=one.D, var=c)
        if one in model.fipy_terms:
            equation -= own_terms(one.name, model.fipy_terms[one], c)
        coupled.append(equation)
    return Equations(variables, sources, slopes, reduce(and_, coupled))


def _cells(place: Place) -> Any:
    """The FiPy mesh of a place. Without links, nothing depends on where its elements are or on their measure."""
    if len(place.links):
        return fipy_mesh(place)
    with_scipy()
    from fipy import Grid1D

    return Grid1D(nx=len(place))


def _solver(unknowns: int) -> Any:
    """How FiPy solves the equations of a place: its default is direct, whatever their number."""
    from fipy.solvers.scipy import LinearBicgstabSolver, LinearLUSolver
    from fipy.solvers.scipy.preconditioners import ILUPreconditioner

    if unknowns <= _DIRECT:
        return LinearLUSolver(tolerance=0.0, iterations=2)  # the second refines the first
    return LinearBicgstabSolver(tolerance=_SOLVE, iterations=_ITERATIONS, precon=ILUPreconditioner())


@cache
def _linear_term() -> type:
    """An `ImplicitSourceTerm` whatever the sign of its coefficient: FiPy makes gains explicit, for positivity.

    With the whole Jacobian in the matrix the sweeps are Newton's, and fast buffers do not hold them up.
    """
    from fipy import ImplicitSourceTerm

    class LinearTerm(ImplicitSourceTerm):  # type: ignore[misc]
        """coeff * var, in the matrix."""

        def _getWeight(self, *_: Any) -> dict[str, float]:
            return {"diagonal": 1.0, "old value": 0.0, "new value": 0.0, "b vector": 0.0}

    return LinearTerm
