"""Two threads for large places: each sweep is cut into two runs of rows."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

WORTH_SHARING = 30_000  # elements of a sweep: below, handing out the work costs more than it saves
LONG_VECTOR = 300_000  # entries: likewise, of a pass that does little with each


def _pool() -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(1) if (os.cpu_count() or 1) > 1 else None


@dataclass(frozen=True)
class Team:
    """Runs compiled kernels that give up Python's lock; the second half of the rows on a thread of its own.

    Threads of the operating system rather than numba's: those wait for each other in a busy loop,
    which on a machine with other work took three times as long as one thread alone.
    The cut is the same whatever the machine, so sums are too.
    """

    pool: ThreadPoolExecutor | None = field(default_factory=_pool)

    def __call__(self, kernel: Callable[..., Any], n: int, *arguments: Any,
                 least: int = WORTH_SHARING) -> tuple[Any, ...]:
        """Call kernel(*arguments, low, high) over the rows 0 to n; what each part returned.

        With fewer than `least` rows there is one part.
        """
        if n < least:
            return (kernel(*arguments, 0, n),)
        half = n // 2
        if self.pool is None:
            return kernel(*arguments, 0, half), kernel(*arguments, half, n)
        second = self.pool.submit(kernel, *arguments, half, n)
        return kernel(*arguments, 0, half), second.result()
