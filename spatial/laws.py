"""Laws of saturation that many mechanisms share, safe at nothing and far out."""

from typing import Any

import numpy as np


def hill(x: Any, K: Any, n: float = 1.0) -> Any:
    """Return x^n / (K^n + x^n): 0 where there is no x, 1/2 at K, and 1 far above it, however small K > 0 is.

    `x` >= 0 and `K` > 0 are numbers or arrays in one unit. With n = 1 this is the law of Michaelis and Menten.
    """
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return 1.0 / (1.0 + (K / np.asarray(x, float)) ** n)


def inhibition(x: Any, K: Any, n: float = 1.0) -> Any:
    """Return K^n / (K^n + x^n): 1 where there is no x, 1/2 at K, and 0 far above it."""
    with np.errstate(over="ignore", under="ignore"):
        return 1.0 / (1.0 + (np.asarray(x, float) / K) ** n)
