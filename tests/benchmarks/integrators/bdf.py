"""The judge: SciPy's BDF with the sparse Jacobian, begun anew after each event."""

import time

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import block_diag, bsr_matrix, csc_matrix, csr_matrix, diags_array, kron

from spatial._engine.methods.method import BEFORE
from spatial._engine.system.jacobian import linearise
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from tests.benchmarks.integrators.march import Run


class _TooLong(Exception):
    """The limit of CPU time is over."""


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
    scale, began = relative * system.typical(), time.process_time()
    instants = set(system.instants().tolist())
    u, t, steps, smallest, states = system.initial(), 0.0, 0, np.inf, dict[float, Floats]()

    def rate(t: float, u: Floats, end: float) -> Floats:
        if time.process_time() - began > limit:
            raise _TooLong
        return system.rate(u, min(t, end))

    for stop in sorted({each for each in instants | set(times) if each <= times[-1]}):
        end = t + BEFORE * (stop - t)  # the rates just before the event hold up to it
        try:
            found = solve_ivp(rate, (t, stop), u, method="BDF", rtol=relative, atol=scale, args=(end,),
                              jac=lambda t, u, end: jacobian(system, u, min(t, end)))
        except _TooLong:
            return Run(states, steps, None, time.process_time() - began, smallest, f"stopped at {limit:g} s")
        steps, u, t = steps + len(found.t) - 1, found.y[:, -1].copy(), stop
        smallest = min(smallest, *(system.smallest(each) for each in found.y.T))
        if stop in times:
            states[stop] = u.copy()
        if stop in instants:
            system.jump(u, t)
    return Run(states, steps, None, time.process_time() - began, smallest)
