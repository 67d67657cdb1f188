"""Rates that read the time: found by what they do with it."""

from typing import Any

import numpy as np

from spatial.model import Concentrations, Mechanism
from spatial.view import View

_ALONE = ("abs", "bool", "ceil", "complex", "float", "floor", "format", "hash", "index", "int", "invert", "neg", "pos",
          "repr", "round", "str", "trunc")
_WITH_ANOTHER = ("add", "divmod", "floordiv", "lshift", "mod", "mul", "pow", "rshift", "sub", "truediv")
_COMPARED = ("eq", "ge", "gt", "le", "lt", "ne")
_AS_ARRAY = ("array", "array_function", "array_ufunc", "getitem", "iter", "len")
_USES = (*_ALONE, *_WITH_ANOTHER, *(f"r{use}" for use in _WITH_ANOTHER), *_COMPARED, *_AS_ARRAY)
"""What a number is used for, in Python and in numpy."""


class _TimeWasRead(BaseException):
    """The time was read. No error, so that nobody catches it on the way."""


def _note(*arguments: Any, **options: Any) -> None:
    raise _TimeWasRead


_Clock = type("_Clock", (), {f"__{use}__": _note for use in _USES})


def reads_time(mechanism: Mechanism, state: Concentrations) -> bool:
    """Return whether the rates of a mechanism use the time in this state.

    They are called with something that is no number: whatever they do with it but hand it on tells.
    """
    clock: Any = _Clock()
    try:
        with np.errstate(all="ignore"):
            mechanism.rates(View(state, mechanism.where), clock)
    except _TimeWasRead:
        return True
    except Exception:
        return _works(mechanism, state)
    return False


def _works(mechanism: Mechanism, state: Concentrations) -> bool:
    """Return whether the rates of a mechanism answer in this state at t = 0: then what failed was the clock."""
    try:
        with np.errstate(all="ignore"):
            mechanism.rates(View(state, mechanism.where), 0.0)
    except Exception:
        return False
    return True
