"""Spike trains made, and read from and written to files."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from spatial.checks import InputError
from spatial.synapses import spikes
from spatial.synapses.spike_files import read_spikes, write_spikes
from spatial.units import ms

RECORDED = Path("/work/shared/data/spikes/linear-track_spikes.mat")
SUFFIXES = (".csv", ".npz", ".h5")
NONE = np.zeros(0)


def trains(count: int = 20) -> tuple[np.ndarray, ...]:
    """Poisson trains, the third of which is silent."""
    rng = np.random.default_rng(3)
    return tuple(NONE if k == 2 else spikes.poisson(8.0, 5.0, rng) for k in range(count))


def same(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# Bursts, and which trains fire


def test_bursts_are_trains_within_trains():
    found = spikes.bursts(3, 4, 100.0, 0.2, start=0.05)
    assert found == pytest.approx([0.05 + 0.2 * burst + 0.01 * spike for burst in range(3) for spike in range(4)])
    spikes.check_trains((found,), 1)


def test_theta_bursts_of_one_spike_are_a_regular_train():
    np.testing.assert_allclose(spikes.bursts(5, 1, 100.0, 0.2), spikes.regular(5, 5.0))


def test_no_bursts_and_bursts_of_nothing_have_no_spikes():
    assert len(spikes.bursts(0, 4, 100.0, 0.2)) == len(spikes.bursts(4, 0, 100.0, 0.2)) == 0


@pytest.mark.parametrize(("arguments", "message"), [
    ((3, 4, 0.0, 0.2), "spike rate in a burst is 0; it must be a finite number > 0"),
    ((3, 4, 100.0, 0.0), "interval between bursts is 0; it must be a finite number > 0"),
    ((-1, 4, 100.0, 0.2), "number of bursts is -1; it must be a finite number >= 0"),
    ((3, -4, 100.0, 0.2), "number of spikes in a burst is -4; it must be a finite number >= 0"),
    ((3, 4, 100.0, 0.2, -1.0), "first spike is -1; it must be a finite number >= 0"),
    ((3, 5, 100.0, 0.04), "a burst of 5 spikes at 100 Hz lasts 0.04 s; "
                          "the interval between bursts must be longer, it is 0.04 s")])
def test_bursts_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        spikes.bursts(*arguments)


def test_those_trains_fire_that_have_a_spike_at_the_time():
    some = spikes.Timetable.of((np.array([0.1, 0.3]), NONE, np.array([0.3]), np.array([0.2]), NONE))
    assert some.firing(0.3).tolist() == [1, 0, 1, 0, 0]
    assert some.firing(0.2).tolist() == [0, 0, 0, 1, 0]
    assert some.firing(0.25).tolist() == [0] * 5
    assert spikes.Timetable.of(()).firing(0.1).tolist() == []
    many = trains(500)
    for t in many[7][:5]:
        assert spikes.Timetable.of(many).firing(t).tolist() == [float((one == t).any()) for one in many]


# Files


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_trains_come_back_as_they_were_written_to_the_last_bit(suffix, tmp_path):
    write_spikes(tmp_path / f"trains{suffix}", trains())
    assert same(read_spikes(tmp_path / f"trains{suffix}"), trains())


def test_sonata_has_milliseconds_which_come_back_to_the_last_bit_but_one_and_then_stay(tmp_path):
    path = tmp_path / "trains.h5"
    write_spikes(path, trains())
    once = read_spikes(path)
    for found, made in zip(once, trains(), strict=True):
        np.testing.assert_array_max_ulp(found, made, 1)
    write_spikes(path, once)
    assert same(read_spikes(path), once)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_times_on_a_grid_of_a_tenth_of_a_millisecond_come_back_exactly(suffix, tmp_path):
    made = (np.arange(1, 20000, 7) * 0.1 / 1e3,)
    write_spikes(tmp_path / f"t{suffix}", made)
    np.testing.assert_array_max_ulp(read_spikes(tmp_path / f"t{suffix}")[0], made[0], 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_the_neurons_asked_for_are_read_and_silent_ones_after_the_last_are_there_then(suffix, tmp_path):
    path = tmp_path / f"trains{suffix}"
    write_spikes(path, (*trains(), NONE, NONE))
    assert len(read_spikes(path)) == 20
    assert same(read_spikes(path, range(22)), (*trains(), NONE, NONE)) or suffix == ".h5"
    assert [len(one) for one in read_spikes(path, range(1, 5, 2))] == [len(trains()[1]), len(trains()[3])]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_silent_neurons_alone_can_be_written_and_read(suffix, tmp_path):
    path = tmp_path / f"trains{suffix}"
    write_spikes(path, (NONE, NONE))
    assert same(read_spikes(path, range(2)), (NONE, NONE))
    with pytest.raises(InputError, match=r"holds no spike; give neurons=range\(n\) for n silent neurons$"):
        read_spikes(path)


def test_a_part_of_a_recording_is_counted_from_its_start(tmp_path):
    write_spikes(tmp_path / "trains.csv", (np.array([0.5, 1.0, 1.75, 2.0]), np.array([3.0])))
    found = read_spikes(tmp_path / "trains.csv", range(2), between=(1.0, 2.0))
    assert same(found, (np.array([0.0, 0.75]), NONE))


def test_the_sonata_file_is_laid_out_as_its_standard_says(tmp_path):
    write_spikes(tmp_path / "s.h5", (np.array([0.25]), np.array([0.125, 0.5])), "internal")
    with h5py.File(tmp_path / "s.h5") as file:
        group = file["spikes/internal"]
        assert group["timestamps"][()].tolist() == [125.0, 250.0, 500.0]
        assert group["timestamps"].attrs["units"] == "ms"
        assert group["node_ids"][()].tolist() == [1, 0, 1]
        assert group.attrs["sorting"] == "by_time"
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["version"].tolist() == [0, 1]


def sonata(path: Path, **populations: tuple[list[float], list[int], str | None]) -> Path:
    with h5py.File(path, "w") as file:
        for name, (stamps, ids, units) in populations.items():
            data = file.create_dataset(f"spikes/{name}/timestamps", data=stamps)
            file[f"spikes/{name}/node_ids"] = ids
            if units:
                data.attrs["units"] = units
    return path


@pytest.mark.parametrize(("units", "unit"), [(None, ms), ("ms", ms), ("milliseconds", ms), ("s", 1.0)])
def test_sonata_times_have_the_unit_that_they_say(units, unit, tmp_path):
    found = read_spikes(sonata(tmp_path / "s.h5", a=([3.0, 1.0, 2.0], [1, 0, 1], units)))
    assert same(found, (np.array([1.0]) / (1 / unit), np.array([2.0, 3.0]) / (1 / unit)))


def test_one_of_several_populations_is_read_by_its_name(tmp_path):
    path = sonata(tmp_path / "s.h5", a=([1.0], [0], "s"), b=([2.0], [0], "s"))
    assert read_spikes(path, population="b")[0] == [2.0]


def test_matlab_structs_in_cells_are_neurons(tmp_path):
    cells = np.empty((1, 2), object)
    cells[0, 0] = {"time": np.array([[1.5], [0.5]]), "rate": 2.0}
    cells[0, 1] = np.empty((1, 3), object)
    cells[0, 1][0] = [np.zeros((1, 0)), {"time": np.zeros((0, 1))}, {"time": np.array([[0.25]])}]
    savemat(tmp_path / "cells.mat", {"spikes": cells})
    assert same(read_spikes(tmp_path / "cells.mat", range(3)), (np.array([0.5, 1.5]), NONE, np.array([0.25])))


def test_matlab_structs_in_an_array_are_neurons_in_its_order(tmp_path):
    array = np.zeros((1, 2), [("time", object)])
    array[0, 0]["time"], array[0, 1]["time"] = np.array([[0.75]]), np.array([[0.25], [0.5]])
    savemat(tmp_path / "array.mat", {"unit": array})
    assert same(read_spikes(tmp_path / "array.mat"), (np.array([0.75]), np.array([0.25, 0.5])))


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recording {RECORDED} is not here")
def test_a_recording_of_a_rat_on_a_linear_track_is_read():
    found = read_spikes(RECORDED)
    assert len(found) > 20
    assert max(len(one) for one in found) > 1000
    every = np.concatenate(found)
    assert 4396.9975 <= every.min() < every.max() <= 7000
    part = read_spikes(RECORDED, range(len(found)), between=(4400.0, 4410.0))
    assert sum(map(len, part)) == ((every >= 4400) & (every < 4410)).sum() > 0
    spikes.check_trains(part, len(found))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(("name", "text", "message"), [
    ("a.csv", "time,neuron\n1,0\n", "has the columns 'time', 'neuron'; they must be 'time [s]' and 'neuron'"),
    ("a.csv", "", "has the columns ''; they must be 'time [s]' and 'neuron'"),
    ("a.csv", "time [s],neuron\n0.1,0\n-1,0\n", ": spike 1 is at -1 s; it must be at a finite time >= 0"),
    ("a.csv", "time [s],neuron\nnan,0\n", ": spike 0 is at nan s; it must be at a finite time >= 0"),
    ("a.csv", "time [s],neuron\ninf,0\n", ": spike 0 is at inf s; it must be at a finite time >= 0"),
    ("a.csv", "time [s],neuron\n1,0.5\n", ": spike 0 is of neuron 0.5; it must be a whole number >= 0"),
    ("a.csv", "time [s],neuron\n1,-2\n", ": spike 0 is of neuron -2; it must be a whole number >= 0"),
    ("a.csv", "time [s],neuron\n1,0\n1,0\n", ": neuron 0 has two spikes at 1 s; it can have one"),
    ("a.csv", "time [s],neuron\n1\n", "has 1 numbers on a line; it must have 2, a time and a neuron"),
    ("a.txt", "", "has the suffix '.txt'; it must be one of .csv, .npz, .mat, .h5"),
    ("a.h5", "text", "is no SONATA file: it is not HDF5")])
def test_files_that_hold_no_spikes_are_refused_with_what_is_wrong(name, text, message, tmp_path):
    with pytest.raises(InputError, match=f"{re.escape(message)}$"):
        read_spikes(written(tmp_path / name, text))


@pytest.mark.parametrize(("name", "text", "message"), [
    ("a.csv", "time [s],neuron\n1,x\n", "a.csv: each line under the header must hold a time and a neuron: "),
    ("a.npz", "text", "a.npz is no NPZ file: "),
    ("a.mat", "text", "a.mat cannot be read as a MATLAB file before version 7.3: ")])
def test_what_a_reader_cannot_make_sense_of_is_said_with_its_reason(name, text, message, tmp_path):
    with pytest.raises(InputError, match=re.escape(message)):
        read_spikes(written(tmp_path / name, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^there is no file of spikes .*none\.csv$"):
        read_spikes(tmp_path / "none.csv")


@pytest.mark.parametrize("neurons", [range(0), range(-1, 2)])
def test_a_range_without_neurons_is_refused(neurons, tmp_path):
    path = written(tmp_path / "a.csv", "time [s],neuron\n1,0\n")
    with pytest.raises(InputError, match=rf"^neurons is {re.escape(str(neurons))}; it must hold at least one neuron, "
                                         "and none below 0$"):
        read_spikes(path, neurons)


@pytest.mark.parametrize("between", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf)])
def test_a_part_that_is_no_part_is_refused(between, tmp_path):
    path = written(tmp_path / "a.csv", "time [s],neuron\n1,0\n")
    with pytest.raises(InputError, match=r"it must be two finite times, the first before the second$"):
        read_spikes(path, between=between)


def test_arrays_that_are_missing_or_do_not_fit_are_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, times=np.zeros(1), id=np.zeros(1))
    with pytest.raises(InputError, match=r"holds no array 'neuron'; it holds \['id', 'times'\]$"):
        read_spikes(path)
    np.savez(path, times=np.zeros(2), neuron=np.zeros(1))
    with pytest.raises(InputError, match=r"times of shape \(2,\) and neurons of shape \(1,\); they must be two rows"):
        read_spikes(path)
    np.savez(path, times=np.array(["a"]), neuron=np.zeros(1))
    with pytest.raises(InputError, match="they must be two rows of as many numbers"):
        read_spikes(path)


def test_sonata_files_that_cannot_be_read_say_why(tmp_path):
    path = sonata(tmp_path / "s.h5", a=([1.0], [0], "min"), b=([1.0], [0], "s"))
    with pytest.raises(InputError, match=r"has the populations \['a', 'b'\]; name one of them$"):
        read_spikes(path)
    with pytest.raises(InputError, match=r"has no population 'c'; it has \['a', 'b'\]$"):
        read_spikes(path, population="c")
    with pytest.raises(InputError, match=r"has timestamps in 'min'; they must be in one of ms, "):
        read_spikes(path, population="a")
    with h5py.File(path, "w") as file:
        file["spikes/timestamps"] = [1.0]
    with pytest.raises(InputError, match=r"there is no /spikes/<population>$"):
        read_spikes(path)
    with h5py.File(path, "w") as file:
        file["spikes/a/timestamps"] = [1.0]
    with pytest.raises(InputError, match=r"has no node_ids in /spikes/a$"):
        read_spikes(path)


def test_a_matlab_file_without_neurons_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.zeros(3)})
    with pytest.raises(InputError, match=r"holds no struct with a field 'time', which is what a neuron is$"):
        read_spikes(tmp_path / "a.mat")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"trains{suffix}"
    write_spikes(path, trains())
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"cannot be written: No space left on device$"):
        write_spikes(path, trains(3))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "trains", "message"), [
    ("a.mat", (NONE,), r"has the suffix '\.mat'; it must be one of \.csv, \.npz, \.h5$"),
    ("a.csv", (np.array([2.0, 1.0]),), r"^the spike train of neuron 0 must hold finite, growing times >= 0$"),
    ("no/a.csv", (NONE,), r"a\.csv cannot be written: No such file or directory$")])
def test_what_cannot_be_written_is_refused(name, trains, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_spikes(tmp_path / name, trains)
    assert not list(tmp_path.iterdir())
