"""The numbers of a run as files: the recording in HDF5, the summary in JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from spatial.checks import InputError
from spatial.observe.recording import Recording, Series

_FORMAT = "spatial recording 1"
_DIGITS = 9


def hdf5_name(name: str) -> str:
    """A name as HDF5 takes it, where "/" would begin a group; `urllib.parse.unquote` undoes it."""
    return name.replace("%", "%25").replace("/", "%2F")


def write_recording(recording: Recording, path: str | Path) -> None:
    """Write the times [s], every series with its unit, and the provenance; equal input, equal bytes."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["format"] = _FORMAT
        file.attrs["provenance"] = json.dumps(plain(recording.provenance))
        times = file.create_dataset("times", data=recording.times, track_times=False)
        times.attrs["unit"] = "s"
        group = file.create_group("series", track_order=True)
        for name, series in recording.series.items():
            data = group.create_dataset(hdf5_name(name), data=series.values, track_times=False,
                                        compression="gzip", shuffle=True)
            data.attrs["unit"] = series.unit


def read_recording(path: str | Path) -> Recording:
    """The recording that `write_recording` wrote; raises `InputError` if the file is not one."""
    import h5py

    if not Path(path).is_file():
        raise InputError(f"there is no recording {path}")
    if not h5py.is_hdf5(path):
        raise InputError(f"{path} is no recording: it is not an HDF5 file")
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != _FORMAT:
            raise InputError(f"{path} is no recording: its attribute 'format' is not {_FORMAT!r}")
        series = {unquote(name): Series(str(data.attrs["unit"]), data[()])
                  for name, data in file["series"].items()}
        return Recording(file["times"][()], series, json.loads(file.attrs["provenance"]))


def write_summary(summary: Mapping[str, Any], path: str | Path) -> None:
    """Write the summary as JSON in the order given, numbers to 9 digits; equal input, equal bytes."""
    text = json.dumps(_rounded(plain(summary)), indent=2, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """The same value made of dicts, lists, str, int, float, bool and None only."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def _rounded(value: Any) -> Any:
    """The same plain value with numbers to 9 digits, and null for those that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value
