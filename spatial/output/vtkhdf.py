"""Fields over time in one file that ParaView and pyvista open: VTKHDF, the mesh once, then steps.

Format: VTK's documentation, "VTKHDF file format", version 2.2.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from spatial.checks import InputError
from spatial.geometry.place import Place
from spatial.model import Concentrations, Species
from spatial.output.recording_file import hdf5_name

if TYPE_CHECKING:
    import h5py

VTK_TYPE = {3: 5, 4: 10, 8: 12}  # corners -> VTK_TRIANGLE, VTK_TETRA, VTK_HEXAHEDRON
_COMPRESSED = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "track_times": False}
_OFFSETS = ("PartOffsets", "PointOffsets")
_TOPOLOGY_OFFSETS = ("CellOffsets", "ConnectivityIdOffsets")


class FieldsFile:
    """A VTKHDF file of the species over time, to be used in a `with` block.

    The places that the species live on lie side by side in one unstructured grid, as far as they have
    cells: tetrahedra, triangles, or bricks in the corner order of VTK_HEXAHEDRON. Each species is
    point data named after it, float32, NaN outside its place (a true "nothing here": zero would be
    read as a concentration; VTK's ranges skip NaN and ParaView can hide it). Cell data `place` numbers
    the places; the attributes `place_names` and, on each field, `unit` and `place` say what they are.
    Equal input gives equal bytes. Raises `InputError` if no species lives on a place with cells.
    """

    def __init__(self, path: str | Path, species: Sequence[Species]) -> None:
        import h5py

        self._species = [one for one in species if len(one.place.cells)]
        if not self._species:
            raise InputError(f"{path} would hold no field: no species lives on a place with cells to draw")
        places = {one.place.name: one.place for one in self._species}
        starts = np.cumsum([0, *(len(place) for place in places.values())])
        self._span = {name: slice(a, b) for name, a, b in zip(places, starts, starts[1:], strict=False)}
        self._points = int(starts[-1])
        self._steps = 0
        self._file: h5py.File = h5py.File(path, "w")
        self._root = self._file.create_group("VTKHDF")
        self._root.attrs["Version"] = np.array([2, 2])
        self._root.attrs.create("Type", b"UnstructuredGrid", dtype="S16")
        _write_mesh(self._root, list(places.values()), starts)
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
            field[self._span[species.place.name]] = c[species]
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


def _write_mesh(root: "h5py.Group", places: Sequence[Place], starts: Any) -> None:
    """The points and cells of all places, one after the other, and the number of each cell's place."""
    cells = [place.cells + start for place, start in zip(places, starts, strict=False)]
    corners = np.repeat([cell.shape[1] for cell in cells], [len(cell) for cell in cells])
    arrays = {
        "NumberOfPoints": np.array([starts[-1]]),
        "NumberOfCells": np.array([len(corners)]),
        "NumberOfConnectivityIds": np.array([corners.sum()]),
        "Points": np.concatenate([place.centres for place in places]),
        "Connectivity": np.concatenate([cell.ravel() for cell in cells]),
        "Offsets": np.r_[0, np.cumsum(corners)],
        "Types": np.array([VTK_TYPE[k] for k in corners.tolist()], np.uint8),
        "CellData/place": np.repeat(np.arange(len(cells)), [len(cell) for cell in cells]),
    }
    for name, array in arrays.items():
        root.create_dataset(name, data=array, **_COMPRESSED)
    root.attrs["place_names"] = [place.name for place in places]


def _growing(group: "h5py.Group", name: str, kind: type, columns: tuple[int, ...] = ()) -> "h5py.Dataset":
    """An empty dataset that takes a row per step."""
    return group.create_dataset(name, (0, *columns), kind, maxshape=(None, *columns),
                                chunks=(256, *columns), track_times=False)


def _append(dataset: "h5py.Dataset", row: Any) -> None:
    """Add one number, or one step's field, at the end of a dataset."""
    start = len(dataset)
    dataset.resize(start + np.size(row), axis=0)
    dataset[start:] = row
