"""What is handed out and cannot be changed: mappings that also pickle, and arrays that cannot be written."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K")
V = TypeVar("V", covariant=True)


class Frozen(Mapping[K, V]):
    """A mapping that nobody can change. (`types.MappingProxyType` is one too, but does not pickle.)"""

    def __init__(self, items: Mapping[K, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __repr__(self) -> str:
        return repr(self._items)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that cannot be written: itself if it is one, else a copy, so that no other name can change it."""
    if isinstance(array, np.ndarray) and not array.flags.writeable and array.base is None:
        return array
    copy = np.array(array)
    copy.flags.writeable = False
    return copy
