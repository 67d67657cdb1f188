"""Fields over time in one file that ParaView and pyvista open: VTKHDF, the mesh once, then steps.

Format: VTK's documentation, "VTKHDF file format", version 2.2.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from spatial.checks import InputError
from spatial.model import Concentrations, Species
from spatial.output.drawn import Drawn, drawn
from spatial.output.recording_file import hdf5_name

if TYPE_CHECKING:
    import h5py

_COMPRESSED = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "track_times": False}
_OFFSETS = ("PartOffsets", "PointOffsets")
_TOPOLOGY_OFFSETS = ("CellOffsets", "ConnectivityIdOffsets")


def fields_size(species: Sequence[Species], frames: int) -> float:
    """Bytes that so many frames of the species take in a file, before they are compressed."""
    shown = [drawn(each.place) for each in species]
    return 4.0 * frames * sum(len(each.points) for each in shown if each is not None)


class FieldsFile:
    """A VTKHDF file of the species over time, to be used in a `with` block.

    The places that the species live on lie side by side in one unstructured grid, as far as they have
    cells: tetrahedra, triangles, or bricks in the corner order of VTK_HEXAHEDRON. Faces of voxels, and bricks in a
    layer too thin for cells between their centres, have corners of their own. Each species is
    point data named after it, float32, NaN outside its place (a true "nothing here": zero would be
    read as a concentration; VTK's ranges skip NaN and ParaView can hide it). Cell data `place` numbers
    the places; the attributes `place_names` and, on each field, `unit` and `place` say what they are.
    Equal input gives equal bytes. Raises `InputError` if no species lives on a place with cells.
    """

    def __init__(self, path: str | Path, species: Sequence[Species]) -> None:
        import h5py

        shown = {one.place.name: drawn(one.place) for one in species}
        places = {name: each for name, each in shown.items() if each is not None}
        self._species = [one for one in species if one.place.name in places]
        if not self._species:
            raise InputError(f"{path} would hold no field: no species lives on a place with cells to draw")
        starts = np.cumsum([0, *(len(place.points) for place in places.values())])
        self._element = {name: place.element for name, place in places.items()}
        self._span = {name: slice(a, b) for name, a, b in zip(places, starts, starts[1:], strict=False)}
        self._points = int(starts[-1])
        self._steps = 0
        self._file: h5py.File = h5py.File(path, "w")
        self._root = self._file.create_group("VTKHDF")
        self._root.attrs["Version"] = np.array([2, 2])
        self._root.attrs.create("Type", b"UnstructuredGrid", dtype="S16")
        _write_mesh(self._root, places, starts)
        self._prepare_steps()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, t: float, c: Concentrations) -> None:
        """Append the fields at time `t` [s]; `c[species]` is (n,) over the species' place."""
        steps = self._root["Steps"]
        _append(steps["Values"], t)
        _append(steps["NumberOfParts"], 1)
        for name in (*_OFFSETS, *_TOPOLOGY_OFFSETS, "CellDataOffsets/place"):
            _append(steps[name], 0)
        for species in self._species:
            name = hdf5_name(species.name)
            field = np.full(self._points, np.nan, np.float32)
            field[self._span[species.place.name]] = np.asarray(c[species])[self._element[species.place.name]]
            _append(steps["PointDataOffsets"][name], self._steps * self._points)
            _append(self._root["PointData"][name], field)
        self._steps += 1
        steps.attrs["NSteps"] = self._steps

    def _prepare_steps(self) -> None:
        """Empty data for the steps to come: times, where each step's data begin, and the fields."""
        steps = self._root.create_group("Steps")
        steps.attrs["NSteps"] = 0
        _growing(steps, "Values", np.float64).attrs["unit"] = "s"
        for name in ("NumberOfParts", *_OFFSETS, "CellDataOffsets/place"):
            _growing(steps, name, np.int64)
        for name in _TOPOLOGY_OFFSETS:
            _growing(steps, name, np.int64, columns=(1,))
        for species in self._species:
            name = hdf5_name(species.name)
            _growing(steps, f"PointDataOffsets/{name}", np.int64)
            field = self._root.create_dataset(f"PointData/{name}", (0,), np.float32, maxshape=(None,),
                                              chunks=(self._points,), **_COMPRESSED)
            field.attrs["unit"] = species.unit
            field.attrs["place"] = species.place.name


def _write_mesh(root: "h5py.Group", places: Mapping[str, Drawn], starts: Any) -> None:
    """The points and cells of all places, one after the other, and the number of each cell's place."""
    blocks = [(number, kind, cells + start)
              for number, (place, start) in enumerate(zip(places.values(), starts, strict=False))
              for kind, cells in place.cells]
    counts = [len(cells) for _, _, cells in blocks]
    corners = np.repeat([cells.shape[1] for _, _, cells in blocks], counts)
    arrays = {
        "NumberOfPoints": np.array([starts[-1]]),
        "NumberOfCells": np.array([len(corners)]),
        "NumberOfConnectivityIds": np.array([corners.sum()]),
        "Points": np.concatenate([place.points for place in places.values()]),
        "Connectivity": np.concatenate([cells.ravel() for _, _, cells in blocks]),
        "Offsets": np.r_[0, np.cumsum(corners)],
        "Types": np.repeat(np.array([kind for _, kind, _ in blocks], np.uint8), counts),
        "CellData/place": np.repeat([number for number, _, _ in blocks], counts),
    }
    for name, array in arrays.items():
        root.create_dataset(name, data=array, **_COMPRESSED)
    root.attrs["place_names"] = list(places)


def _growing(group: "h5py.Group", name: str, kind: type, columns: tuple[int, ...] = ()) -> "h5py.Dataset":
    """An empty dataset that takes a row per step."""
    return group.create_dataset(name, (0, *columns), kind, maxshape=(None, *columns),
                                chunks=(256, *columns), track_times=False)


def _append(dataset: "h5py.Dataset", row: Any) -> None:
    """Add one number, or one step's field, at the end of a dataset."""
    start = len(dataset)
    dataset.resize(start + np.size(row), axis=0)
    dataset[start:] = row
