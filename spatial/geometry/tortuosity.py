"""How much slower a medium lets a molecule spread: a number, a value along each axis, or a tensor."""

import warnings
from typing import Any

import numpy as np

from spatial import checks
from spatial.checks import InputError, Unusual
from spatial.geometry.place import Floats

_ROUNDING = 1e-9
_SLOWEST = 10.0  # in tissue it is 1.3 to 2 (biophysics A7); from here on it is hardly meant

Tortuosity = float | tuple[float, float, float] | tuple[tuple[float, float, float], ...]
"""lambda, with D* = D / lambda^2; or (lx, ly, lz), D* = D / l^2 along each axis; or the rows of a symmetric positive
definite 3 x 3 matrix L, with D* = D (L L)^-1."""


def checked(value: Any, what: str) -> Tortuosity:
    """A tortuosity as a number or as tuples of numbers. Raises `InputError` for anything else."""
    try:
        L = np.asarray(value, float)
    except (TypeError, ValueError):
        L = np.zeros(0)
    if L.ndim == 0:
        _check_slower(what, float(L))
        return float(L)
    if L.shape == (3,):
        for axis, each in zip("xyz", L.tolist(), strict=True):
            _check_slower(f"{what} along {axis}", each)
        return (float(L[0]), float(L[1]), float(L[2]))
    if L.shape != (3, 3):
        raise InputError(f"{what} is {value!r}; it must be a number, three along x, y, z, or a 3 x 3 matrix")
    if not (np.isfinite(L).all() and np.allclose(L, L.T, rtol=1e-9, atol=1e-12) and np.linalg.eigvalsh(L)[0] > 0):
        raise InputError(f"{what} is the matrix {L.tolist()}; it must be symmetric and positive definite")
    _check_slower(f"{what} along an axis of the matrix", float(np.linalg.eigvalsh(L)[0]))
    return tuple((float(a), float(b), float(c)) for a, b, c in (L + L.T) / 2)


def _check_slower(what: str, value: float) -> None:
    """Raise `InputError` for a tortuosity below 1, to rounding: no medium speeds a molecule up; warn of a huge one."""
    checks.positive(what, value)
    if value < 1 - _ROUNDING:
        raise InputError(f"{what} is {value:g}; it must be >= 1, for what is in the way makes diffusion slower")
    if value > _SLOWEST:
        warnings.warn(f"{what} is {value:g}, which makes D {value**2:.3g} times less; is it lambda, not in per cent?",
                      Unusual, stacklevel=4)


def matrix(tortuosity: Tortuosity) -> Floats:
    """(3, 3) L of a tortuosity, with D* = D (L L)^-1."""
    L = np.asarray(tortuosity, float)
    return L if L.ndim == 2 else np.diag(np.broadcast_to(L, 3))


def conduction(tortuosity: Tortuosity) -> Floats:
    """(3, 3) D*/D of a tortuosity."""
    L = matrix(tortuosity)
    return np.asarray(np.linalg.inv(L @ L))


def along_axes(tortuosity: Any, what: str) -> Floats:
    """(3,) a tortuosity along x, y and z. Raises `InputError` for a matrix, whose axes may lie between these."""
    value = checked(tortuosity, what)
    if np.ndim(value) == 2:
        raise InputError(f"{what} is a matrix; bricks take a number, or three along x, y, z: use tetrahedra for "
                         "a medium whose axes are not those of the grid")
    return np.broadcast_to(np.asarray(value, float), 3).copy()
