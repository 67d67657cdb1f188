"""Brian2, loaded also where it meets a newer NumPy than it knows.

Brian2 2.9, the last for Python 3.11, looks up `numpy.ndarray.ptp` while it is imported, which NumPy 2.4 no longer has.
Nothing else in it is in the way, so that one name is read as `numpy.ptp`; no installed file is changed.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from spatial.checks import InputError

_UNITS = "brian2.units.fundamentalunits"  # the module that looks it up


def load_brian2() -> Any:
    """The module brian2: in place of `import brian2`. Raises `InputError` where it is not installed."""
    sys.meta_path.insert(0, _Finder)
    try:
        import brian2
    except ModuleNotFoundError as error:
        if error.name != "brian2":  # something that it needs itself
            raise
        raise InputError("Brian2 is not installed, which networks need; install spatial with its extra "
                         "'network'") from None
    finally:
        sys.meta_path.remove(_Finder)
    return brian2


class _Finder:
    """Finds that one module of Brian2, and has it read with a present-day name."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _UNITS else None
        if spec and spec.origin:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    """Compiles from the source and keeps no compiled file."""

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).replace(b"np.ndarray.ptp", b"np.ptp")
        return compile(source, self.path, "exec", dont_inherit=True)
