"""Spike trains in files: CSV, NPZ, SONATA (HDF5), and those that MATLAB has saved."""

import os
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spatial.checks import InputError, arguments, by_annotation
from spatial.geometry.place import Floats, Ints
from spatial.synapses.spikes import check_trains
from spatial.units import ms, s

COLUMNS = ("time [s]", "neuron")  # of a CSV file
POPULATION = "neurons"
_UNITS = {"ms": ms, "milliseconds": ms, "millisecond": ms, "s": s, "seconds": s, "second": s}
_MAGIC, _VERSION = 0x0A7A, (0, 1)  # of SONATA files

Spikes = tuple[Floats, Floats]
"""(k,) times [s] and (k,) the number of the neuron that each is of."""


@arguments(may_be_nan=("between",))
def read_spikes(path: str | Path, neurons: range | None = None, between: tuple[float, float] | None = None,
                population: str | None = None) -> tuple[Floats, ...]:
    """The spike trains [s] in a file, one for each of these `neurons`.

    By default neurons are those from 0 to the last one in the file: a file need not tell of silent ones after it.
    `between` two times [s] keeps the spikes from the first to before the second, counted from the first.
    The suffix says what the file is:
    .csv  columns "time [s]" and "neuron";
    .npz  arrays "times" [s] and "neuron";
    .h5   SONATA: /spikes/<population>/timestamps, in ms unless their attribute `units` says s, and node_ids;
          `population` is needed where there are several;
    .mat  every struct with a field "time" [s], in whatever cells they are, is a neuron: numbers in their order.
    Raises `InputError` for what is not such a file, for times that are negative or not finite, and for no neurons.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file of spikes {path}")
    read = _of_suffix(path, {".csv": _read_csv, ".npz": _read_npz, ".mat": _read_mat,
                             ".h5": partial(_read_sonata, population=population)})
    if neurons is not None and (len(neurons) == 0 or min(neurons) < 0):
        raise InputError(f"neurons is {neurons}; it must hold at least one neuron, and none below 0")
    times, neuron = read(path)
    _check(path, times, neuron)
    if neurons is None:
        if len(neuron) == 0:
            raise InputError(f"{path} holds no spike; give neurons=range(n) for n silent neurons")
        neurons = range(int(neuron.max()) + 1)
    if between is not None:
        times, neuron = _between(times, neuron, between)
    return _trains(path, times, neuron.astype(np.int64), neurons)


@by_annotation
def write_spikes(path: str | Path, trains: tuple[Floats, ...], population: str = POPULATION) -> None:
    """Write spike trains [s] to a .csv, .npz or .h5 (SONATA) file, which `read_spikes` reads.

    CSV and NPZ give back the same numbers to the last bit; SONATA's times are in ms, where not every number of
    seconds exists: they are the nearest. The file appears complete or not at all; one of that name is replaced.
    Raises `InputError` for another suffix, for trains that are not sorted, and where no file can be written.
    """
    path = Path(path)
    write = _of_suffix(path, {".csv": _write_csv, ".npz": _write_npz,
                              ".h5": partial(_write_sonata, population=population)})
    check_trains(trains, len(trains), "neuron")
    times = np.concatenate([np.zeros(0), *trains])
    neuron = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    order = np.lexsort((neuron, times))
    with _replacing(path) as beside:
        write(beside, times[order], neuron[order])


def _of_suffix(path: Path, kinds: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """What reads or writes files with the suffix of this one."""
    if path.suffix.lower() not in kinds:
        raise InputError(f"{path} has the suffix {path.suffix!r}; it must be one of {', '.join(kinds)}")
    return kinds[path.suffix.lower()]


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which becomes `path` once the block has succeeded, else is removed."""
    beside = path.with_name(f".{path.stem}.partial-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def _check(path: Path, times: Floats, neuron: Floats) -> None:
    """Raise `InputError` unless times are finite and not negative, and neurons whole numbers."""
    wrong = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
    if len(wrong):
        raise InputError(f"{path}: spike {wrong[0]} is at {times[wrong[0]]:g} s; it must be at a finite time >= 0")
    wrong = np.flatnonzero(~(np.isfinite(neuron) & (neuron >= 0) & (neuron == np.floor(neuron))))
    if len(wrong):
        raise InputError(f"{path}: spike {wrong[0]} is of neuron {neuron[wrong[0]]:g}; "
                         "it must be a whole number >= 0")


def _between(times: Floats, neuron: Floats, between: tuple[float, float]) -> Spikes:
    """The spikes from the first of two times [s] to before the second, counted from the first."""
    start, stop = between
    if not (np.isfinite(start) and np.isfinite(stop) and start < stop):
        raise InputError(f"between is {between}; it must be two finite times, the first before the second")
    kept = (times >= start) & (times < stop)
    return times[kept] - start, neuron[kept]


def _trains(path: Path, times: Floats, neuron: Ints, neurons: range) -> tuple[Floats, ...]:
    """The sorted spike times of each of these neurons."""
    order = np.lexsort((times, neuron))
    times, neuron = times[order], neuron[order]
    twice = np.flatnonzero((np.diff(times) == 0) & (np.diff(neuron) == 0))
    if len(twice):
        raise InputError(f"{path}: neuron {neuron[twice[0]]} has two spikes at {times[twice[0]]:g} s; it can have one")
    first, last = (np.searchsorted(neuron, np.array(neurons), side) for side in ("left", "right"))
    return tuple(times[i:j].copy() for i, j in zip(first, last, strict=True))


def _read_csv(path: Path) -> Spikes:
    """The two columns, found by their names."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() or [""]
    names = [name.strip() for name in lines[0].split(",")]
    if sorted(names) != sorted(COLUMNS):
        raise InputError(f"{path} has the columns {', '.join(map(repr, names))}; "
                         f"they must be {' and '.join(map(repr, COLUMNS))}")
    rows = [line for line in lines[1:] if line.strip()]
    try:
        table = np.loadtxt(rows, delimiter=",", ndmin=2) if rows else np.zeros((0, 2))
    except ValueError as error:
        raise InputError(f"{path}: each line under the header must hold a time and a neuron: {error}") from error
    if table.shape[1] != 2:
        raise InputError(f"{path} has {table.shape[1]} numbers on a line; it must have 2, a time and a neuron")
    return table[:, names.index(COLUMNS[0])], table[:, names.index(COLUMNS[1])]


def _write_csv(path: Path, times: Floats, neuron: Ints) -> None:
    lines = [f"{time!r},{number}" for time, number in zip(times.tolist(), neuron.tolist(), strict=True)]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")


def _read_npz(path: Path) -> Spikes:
    """The arrays "times" and "neuron"."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no NPZ file: {error}") from error
    missing = [name for name in ("times", "neuron") if name not in arrays]
    if missing:
        raise InputError(f"{path} holds no array {missing[0]!r}; it holds {sorted(arrays)}")
    return _pair(path, arrays["times"], arrays["neuron"])


def _write_npz(path: Path, times: Floats, neuron: Ints) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, times=times, neuron=neuron)


def _read_sonata(path: Path, population: str | None) -> Spikes:
    """Timestamps and node ids of one population."""
    import h5py

    if not h5py.is_hdf5(path):
        raise InputError(f"{path} is no SONATA file: it is not HDF5")
    with h5py.File(path, "r") as file:
        there = file.get("spikes", {})
        groups = [name for name in there if isinstance(there[name], h5py.Group)]
        of = there[_population(path, groups, population)]
        missing = [name for name in ("timestamps", "node_ids") if name not in of]
        if missing:
            raise InputError(f"{path} has no {missing[0]} in {of.name}")
        unit = of["timestamps"].attrs.get("units", "ms")
        unit = unit.decode() if isinstance(unit, bytes) else str(unit)
        if unit not in _UNITS:
            raise InputError(f"{path} has timestamps in {unit!r}; they must be in one of {', '.join(_UNITS)}")
        times, neuron = _pair(path, of["timestamps"][()], of["node_ids"][()])
        return times / (s / _UNITS[unit]), neuron


def _population(path: Path, there: list[str], wanted: str | None) -> str:
    """The population wanted of those in a file: the only one unless it is named."""
    if not there:
        raise InputError(f"{path} is no SONATA file of spikes: there is no /spikes/<population>")
    if wanted is None and len(there) > 1:
        raise InputError(f"{path} has the populations {there}; name one of them")
    if wanted is not None and wanted not in there:
        raise InputError(f"{path} has no population {wanted!r}; it has {there}")
    return wanted or there[0]


def _write_sonata(path: Path, times: Floats, neuron: Ints, population: str) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["magic"], file.attrs["version"] = np.uint32(_MAGIC), np.array(_VERSION, np.uint32)
        group = file.create_group(f"spikes/{population}")
        group.attrs["sorting"] = "by_time"
        stamps = group.create_dataset("timestamps", data=times * (s / ms), track_times=False)
        stamps.attrs["units"] = "ms"
        group.create_dataset("node_ids", data=neuron.astype(np.uint64), track_times=False)


def _read_mat(path: Path) -> Spikes:
    """Every struct with a field "time", wherever it is, numbered in their order."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except (MatReadError, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as a MATLAB file before version 7.3: {error}") from error
    trains = [times for one in content.values() if isinstance(one, np.ndarray) for times in _times(one)]
    if not trains:
        raise InputError(f"{path} holds no struct with a field 'time', which is what a neuron is")
    return np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(one) for one in trains]).astype(float)


def _times(content: Any) -> Iterator[Floats]:
    """The field "time" of every struct in an array of structs or cells, in MATLAB's order."""
    fields = content.dtype.names or ()
    if "time" in fields:
        yield from (np.asarray(one, float).ravel() for one in content["time"].ravel("F"))
        return
    parts = [content[name] for name in fields] or ([content] if content.dtype == object else [])
    for one in (one for part in parts for one in part.ravel("F")):
        yield from _times(one)


def _pair(path: Path, times: Any, neuron: Any) -> Spikes:
    """Two arrays of the same length, as numbers."""
    times, neuron = np.asarray(times), np.asarray(neuron)
    if times.ndim != 1 or times.shape != neuron.shape or {times.dtype.kind, neuron.dtype.kind} - set("iuf"):
        raise InputError(f"{path} has times of shape {times.shape} and neurons of shape {neuron.shape}; "
                         "they must be two rows of as many numbers")
    return times.astype(float), neuron.astype(float)
