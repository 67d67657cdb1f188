"""Functions compiled to machine code: what is compiled is kept on disk for the next process, where that can be."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with these options of `numba.njit`.

    Where neither the package's folder nor the user's home can be written, functions are compiled anew in each process.
    """
    def compile_function(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # numba has found no folder that it can write
            return njit(**options)(function)

    return compile_function
