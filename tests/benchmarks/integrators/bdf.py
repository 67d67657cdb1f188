"""The judge: SciPy's BDF with the sparse Jacobian, begun anew after each event."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import block_diag, bsr_matrix, csc_matrix, csr_matrix, diags_array, kron

from spatial._engine.methods.method import BEFORE
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.geometry.place import Floats
from tests.benchmarks.integrators.march import Run, TooLong, events, in_time


def jacobian(system: System, u: Floats, t: float) -> csc_matrix:
    """(size, size) derivative of the rate: reactions within and between places, and diffusion."""
    found, parts = linearise(system, u, t), []
    for name, K in system.stiffness.items():
        blocks = found.blocks[name]
        n, V = len(blocks), system.layout.places[name][0].place.measure
        reactions = bsr_matrix((blocks, np.arange(n), np.arange(n + 1)))
        parts.append(reactions - kron(diags_array(1.0 / V) @ K, diags_array(system.diffusion[name])))
    matrix = csr_matrix(block_diag(parts)) + found.between
    matrix.eliminate_zeros()
    return csc_matrix(matrix)


def bdf(system: System, times: tuple[float, ...], relative: float, limit: float = np.inf) -> Run:
    """Integrate to the last of `times` [s]; errors are relative to each value plus its species' typical size."""
    began = time.process_time()
    happening = events(system, times[-1])
    u, t, steps, smallest, states = system.initial(), 0.0, 0, np.inf, dict[float, Floats]()
    for stop in sorted({*happening, *times}):
        try:
            found = _leg(system, u, t, stop, relative, partial(in_time, began, limit))
        except (InputError, TooLong) as error:
            return Run(states, steps, None, time.process_time() - began, smallest, error)
        steps, u, t = steps + len(found) - 1, found[-1].copy(), stop
        smallest = min(smallest, *(_smallest(system, u) for u in found))
        if stop in times:
            states[stop] = u.copy()
        if stop in happening:
            happening[stop](u)
    return Run(states, steps, None, time.process_time() - began, smallest)


def _smallest(system: System, u: Floats) -> float:
    """The smallest value of all that cannot be negative."""
    state = system.state(u)
    return min(float(state[species].min()) for species in system.model if not species.signed)


def _leg(system: System, u: Floats, t: float, stop: float, relative: float, check: Callable[[], None]) -> Floats:
    """(k, size) the states after each step from `u` at `t` to `stop`, `u` first; `check` is called at every rate."""
    last = t + BEFORE * (stop - t)  # the rates just before the event hold up to it

    def rate(t: float, u: Floats) -> Floats:
        check()
        return system.rate(u, min(t, last))

    def matrix(t: float, u: Floats) -> csc_matrix:
        return jacobian(system, u, min(t, last))

    found = solve_ivp(rate, (t, stop), u, method="BDF", rtol=relative, atol=relative * system.typical(), jac=matrix)
    if not found.success:
        raise InputError(found.message)
    return found.y.T
