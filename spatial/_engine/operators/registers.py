"""Room for the sums of a compiled kernel: a tuple in registers for few species, an array for many."""

from typing import Any

import numpy as np
from numba import types
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.extending import overload

MOST = 8  # values that registers hold; beyond, a tuple is copied whole at each change


def zeros(m: int) -> tuple[float, ...]:
    """m zeros, by whose type a kernel is compiled for m species.

    (Kernels made by a function of m would not find each other in numba's cache, and be compiled in every run.)
    """
    return (0.0,) * m


def sums(m: int) -> Any:
    """m zeros that a kernel for m species starts its sums from: in registers where they have room."""
    return zeros(m) if m <= MOST else np.zeros(m)


def put(values: Any, s: int, value: float) -> Any:
    """The values with another one at s: a new tuple, or the same array."""
    raise NotImplementedError("for compiled code alone")


def room(zero: Any) -> Any:
    """Room for as many values as `zero` has, of a kernel's own."""
    raise NotImplementedError("for compiled code alone")


@overload(put)
def _put(values, s, value):  # type: ignore[no-untyped-def]
    if isinstance(values, types.BaseTuple):
        return lambda values, s, value: tuple_setitem(values, s, value)

    def in_place(values, s, value):  # type: ignore[no-untyped-def]
        values[s] = value
        return values

    return in_place


@overload(room)
def _room(zero):  # type: ignore[no-untyped-def]
    if isinstance(zero, types.BaseTuple):
        return lambda zero: zero
    return lambda zero: np.zeros_like(zero)
