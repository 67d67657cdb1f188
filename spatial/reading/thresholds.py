"""Thresholds that were never crossed in a run and cannot have been meant: said at its end."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from spatial._engine.system.events import Heights
from spatial._engine.system.right_hand_side import System
from spatial.geometry.place import Floats
from spatial.model import Gains, OnRise, Species
from spatial.view import View

_MOVED = 0.5  # of its size, or of the way to a threshold: so much is a change
_NEAR = 0.05  # of the way to a threshold: so little is none of it


class Thresholds:
    """What became of each threshold of a system in a run: noted while it goes on, and told at its end."""

    def __init__(self, system: System, u: Floats) -> None:
        self._risen = set[int]()
        self._pairs = system.events.on_rise
        watched = [(mechanism, replace(event, change=self._noting(k, event)))
                   for k, (mechanism, event) in enumerate(self._pairs)]
        self.system = replace(system, events=replace(system.events, on_rise=tuple(watched)))
        first = system.events.heights(u, 0.0)
        self._first = first
        self._highest = [height.copy() for height in first]
        self._lowest = [height.copy() for height in first]

    def note(self, heights: Heights) -> None:
        """Note how far all thresholds are from being crossed."""
        for k, height in enumerate(heights):
            np.maximum(self._highest[k], height, out=self._highest[k])
            np.minimum(self._lowest[k], height, out=self._lowest[k])

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each threshold that was never crossed and cannot have been meant."""
        met = set[Species]().union(*(self._read(k) for k in self._risen))
        for k, (mechanism, _) in enumerate(self._pairs):
            if k not in self._risen:
                yield from self._sentence(k, f"{type(mechanism).__name__} on {mechanism.where.name!r}", met)

    def _sentence(self, k: int, name: str, met: set[Species]) -> Iterator[str]:
        """A sentence on a threshold that was never crossed, if there is one to say."""
        first, highest, lowest = self._first[k], self._highest[k], self._lowest[k]
        shared = sorted(species.name for species in self._read(k) & met)
        if (first > 0).all() and not (lowest >= 0).all():
            yield (f"{name} begins above its threshold, and an OnRise happens where something rises through it; is its "
                   "height how far above the threshold it is, negative below?")
        elif (lowest >= 0).all():
            yield (f"{name} was above its threshold all through the run, so that its OnRise never happened; is its "
                   "height how far above the threshold it is, negative below?")
        elif (highest < 0).all() and shared:
            yield (f"{name} never met its threshold, though {shared[0]!r} rose through that of another mechanism; is "
                   "its threshold right?")
        elif (highest < 0).all() and self._is_far(k):
            yield (f"{name} never came near its threshold, though what its height reads changed: it was "
                   f"{-first.max():.3g} below at the start and {-highest.max():.3g} at best; is the threshold right?")

    def _is_far(self, k: int) -> bool:
        """Whether a height changed much in the run, and hardly towards its threshold."""
        way = float(np.abs(self._first[k]).min())
        size = min([way, *(species.typical for species in self._read(k))])
        moved = float((self._highest[k] - self._lowest[k]).max())
        return moved >= _MOVED * size and float((self._highest[k] - self._first[k]).max()) < _NEAR * way

    def _read(self, k: int) -> set[Species]:
        """The species that a height reads."""
        mechanism, event = self._pairs[k]
        read = set[Species]()
        event.height(View(self.system.state(self.system.initial()), mechanism.where, read.add), 0.0)
        return read

    def _noting(self, k: int, event: OnRise) -> Callable[..., Gains]:
        """The change of an event that also notes that it happened."""
        change: Callable[..., Gains] = event.change

        def noted(*arguments: Any) -> Gains:
            self._risen.add(k)
            return change(*arguments)

        return noted
