"""What is written to files comes back, and equal input gives equal bytes."""

import json
from pathlib import Path

import numpy as np
import pytest

from spatial.checks import InputError
from spatial.geometry.place import Floats, Place
from spatial.model import Species
from spatial.observe.recording import Recording, Series
from spatial.output.recording_file import read_recording, write_recording, write_summary
from spatial.output.vtkhdf import FieldsFile


def cube(name: str, cells: list[list[int]], shift: float = 0.0) -> Place:
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0],
                        [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)
    return Place(name, 3, np.ones(8), corners + shift, cells=np.array(cells))


PAP = cube("pap", [[0, 1, 2, 5], [0, 2, 3, 7], [0, 5, 7, 4], [2, 5, 6, 7], [0, 2, 7, 5]])
ECS = cube("ecs", [[0, 1, 2, 3, 4, 5, 6, 7]], shift=2.0)
MEMBRANE = Place("membrane", 2, np.ones(3), np.eye(3), cells=np.array([[0, 1, 2]]))
SYNAPSES = Place("synapses", 0, np.ones(2), np.zeros((2, 3)))
CALCIUM, IP3 = Species("Ca/ER", PAP), Species("IP3", PAP)
GLUTAMATE, PUMP = Species("glutamate", ECS), Species("pump", MEMBRANE, unit="1/um^2")
WEIGHT = Species("weight", SYNAPSES)
SPECIES = (CALCIUM, IP3, GLUTAMATE, PUMP, WEIGHT)
TIMES = (0.0, 0.125, 0.5)


def state(step: int) -> dict[Species, Floats]:
    return {one: 10.0 * k + step + np.arange(len(one.place)) / 8 for k, one in enumerate(SPECIES)}


def write_fields(path: Path) -> None:
    with FieldsFile(path, SPECIES) as file:
        for step, t in enumerate(TIMES):
            file.write(t, state(step))


def test_fields_of_every_step_come_back_through_the_vtkhdf_reader(tmp_path: Path) -> None:
    import pyvista as pv
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
    from vtkmodules.vtkIOHDF import vtkHDFReader

    write_fields(tmp_path / "fields.vtkhdf")
    reader = vtkHDFReader()
    reader.SetFileName(str(tmp_path / "fields.vtkhdf"))
    reader.UpdateInformation()
    assert reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS()) == TIMES
    for step in (2, 0, 1):
        reader.UpdateTimeStep(TIMES[step])
        grid = pv.wrap(reader.GetOutputDataObject(0))
        assert grid.celltypes.tolist() == [10] * 5 + [12] + [5]
        assert np.array_equal(grid.get_cell(5).point_ids, ECS.cells[0] + 8)
        assert np.array_equal(grid.get_cell(6).point_ids, [16, 17, 18])
        assert np.allclose(grid.points, np.r_[PAP.centres, ECS.centres, MEMBRANE.centres])
        assert grid.cell_data["place"].tolist() == [0] * 5 + [1] + [2]
        values = state(step)
        for species, where in {CALCIUM: slice(0, 8), GLUTAMATE: slice(8, 16), PUMP: slice(16, 19)}.items():
            field = np.array(grid.point_data[species.name.replace("/", "%2F")])
            assert np.array_equal(field[where], values[species])
            assert np.isnan(np.delete(field, np.r_[where])).all()
            assert grid.get_data_range(species.name.replace("/", "%2F"), preference="point") == (
                values[species].min(), values[species].max())
    assert grid.volume == pytest.approx(2.0)


def test_fields_open_in_one_line_of_pyvista(tmp_path: Path) -> None:
    import pyvista as pv

    write_fields(tmp_path / "fields.vtkhdf")
    assert pv.read(tmp_path / "fields.vtkhdf").n_cells == 7


def test_equal_fields_give_equal_bytes(tmp_path: Path) -> None:
    write_fields(tmp_path / "a")
    write_fields(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fields_without_anything_to_draw_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no species lives on a place with cells to draw$"):
        FieldsFile(tmp_path / "fields.vtkhdf", [WEIGHT])
    assert not (tmp_path / "fields.vtkhdf").exists()


def recording() -> Recording:
    times = np.linspace(0, 1, 5)
    return Recording(times, {"z mean Ca": Series("uM", times[:, None] ** 2),
                             "Ca/ER at 50 %": Series("1/um^2", np.outer(times, np.arange(3.0)))},
                     {"seed": np.int64(3), "inputs": {"D": 223.0, "mesh": Path("a.msh")},
                      "spikes": (0.1, 0.2)})


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    write_recording(recording(), tmp_path / "recording.h5")
    back = read_recording(tmp_path / "recording.h5")
    assert np.array_equal(back.times, recording().times)
    assert list(back.series) == list(recording().series)
    for name, series in recording().series.items():
        assert back.series[name].unit == series.unit
        assert np.array_equal(back.series[name].values, series.values)
    assert back.provenance == {"seed": 3, "inputs": {"D": 223.0, "mesh": "a.msh"}, "spikes": [0.1, 0.2]}


def test_equal_recordings_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_recording(recording(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no HDF5")
    write_fields(tmp_path / "fields.vtkhdf")
    for name, said in {"absent": "there is no recording .*absent$", "text": "it is not an HDF5 file$",
                       "fields.vtkhdf": "its attribute 'format' is not 'spatial recording 1'$"}.items():
        with pytest.raises(InputError, match=said):
            read_recording(tmp_path / name)


def test_a_summary_is_json_with_nine_digits_in_the_order_given(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_summary({"z": np.float64(1 / 3), "a": [np.int64(2), True, None, "um"], "nan": float("nan"),
                   "m": {"x": np.array([0.1 + 0.2])}}, path)
    text = path.read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {"z": 0.333333333, "a": [2, True, None, "um"], "nan": None, "m": {"x": [0.3]}}
    assert list(json.loads(text)) == ["z", "a", "nan", "m"]
