"""A bound on what a piece of code may take: CPU time and memory."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

MEMORY = 6 << 30  # bytes


class Late(BaseException):
    """Something took longer than it may; not an Exception, so that nobody catches it by mistake."""


@contextmanager
def limits(seconds: float) -> Iterator[None]:
    """Raise `Late` in what takes more CPU seconds, and `MemoryError` in what asks for more memory than it may."""
    handler = signal.signal(signal.SIGVTALRM, _late)
    former = resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1.0)  # again where it is lost in a callback
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, former[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, former)


def _late(number: int, frame: FrameType | None) -> NoReturn:
    raise Late


def _address_space() -> int:
    """Bytes of address space that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
