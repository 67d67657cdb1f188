"""What a run leaves: times, a series per probe, and where it all came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spatial import checks
from spatial.checks import InputError
from spatial.frozen import Frozen, read_only
from spatial.geometry.place import Floats


@dataclass(frozen=True, eq=False)
class Series:
    """One probe's values over the recording's times."""

    unit: str
    values: Floats  # (times, k), read-only

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "values", read_only(self.values))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()


@dataclass(frozen=True, eq=False)
class Recording:
    """Times, a series per probe, and the run's provenance. Returned by `simulate`, kept by no model."""

    times: Floats  # (n,) s
    series: Mapping[str, Series]
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        checks.kinds(self)
        object.__setattr__(self, "times", read_only(self.times))
        object.__setattr__(self, "series", Frozen(self.series))
        object.__setattr__(self, "provenance", Frozen(self.provenance))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def __getitem__(self, name: str) -> Floats:
        """(times,) values of a probe that reads one number, (times, k) of one that reads more.

        What stands in brackets at the end of a name, such as positions, may be left out where one series has the rest.
        """
        names = [name] if name in self.series else [known for known in self.series if known.startswith(f"{name} (")]
        if len(names) != 1:
            several = f"{len(names)} series are called" if names else "no series"
            raise InputError(f"{several} {name!r} in this recording; it has {sorted(self.series)}")
        values = self.series[names[0]].values
        return values[:, 0] if values.shape[1] == 1 else values
