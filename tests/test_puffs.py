"""The puffs scenario: what it keeps, that it starts from rest, what it leaves, and what the ER's geometry does."""

import csv
import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import refused, succeed

from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.microscope import Movie
from spatial.geometry.load import load
from spatial.geometry.shapes import ball
from spatial.geometry.surfaces import ER_MEMBRANE
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ip3r_channels import IP3RChannels
from spatial.mechanisms.serca import SERCA
from spatial.observe.probes import mean, peak, total
from spatial.output.movies import read_tiff
from spatial.scenarios.puffs.model import CHANNELS, Puffs, furnished, puffs
from spatial.scenarios.puffs.report import _write_movie, microscope_over, observe
from spatial.scenarios.puffs.settings import PuffSettings
from spatial.simulate import FewMolecules, simulate

REPOSITORY = Path(__file__).resolve().parents[1]
COARSE = REPOSITORY / "meshes" / "tripartite_coarse.msh"
BUSY = PuffSettings(duration=0.03, ip3=20.0, density=600.0)  # channels open within milliseconds
FILES = {"calcium.png", "dff.npy", "dff.tif", "events.csv", "fields.vtkhdf", "movie.gif", "movie.tif", "puffs.png",
         "recording.h5", "summary.json", "manifest.json"}

pytestmark = pytest.mark.filterwarnings("ignore::spatial.simulate.FewMolecules")


@pytest.fixture(scope="module")
def process() -> object:
    return load(COARSE)


def made(process, settings: PuffSettings = BUSY, seed: int = 1) -> Puffs:
    return puffs(process, settings, np.random.default_rng(seed))


@pytest.mark.parametrize("even", [False, True], ids=["its own ER", "even ER"])
def test_channels_open_and_everything_is_kept(process, even):
    one = made(process, replace(BUSY, even_er=even))
    run = simulate(one.experiment.model, 0.03, one.experiment.watch, seed=2, start=one.start)
    assert run["total open IP3R"].max() >= 1
    assert run["peak calcium"].max() > 5 * run["peak calcium"][0]
    for each in one.experiment.conserved:
        value, turnover = run[each.probe.name], run[each.turnover.name]
        assert np.abs(value - value[0]).max() <= 1e-12 * turnover.max()
    assert run.provenance["smallest concentration"] >= 0


@dataclass(frozen=True, eq=False)
class Opening:
    """One channel opens after `first` [s] (never, if infinite)."""

    of: IP3RChannels
    first: float

    def gains(self, dt: float) -> dict[Any, Any]:
        opened = np.zeros(len(self.of.where))
        opened[0] = self.first <= dt
        return {self.of.open: opened}


@dataclass(frozen=True, eq=False)
class OneOpens(IP3RChannels):
    """Channels of which the first opens at 1 ms, and nothing else happens."""

    def walk(self, c: Any, t: float, horizon: float, rng: Any) -> Opening:
        left = 1e-3 - t
        return Opening(self, left if 1e-15 < left <= horizon else np.inf)


@pytest.mark.parametrize(("relative", "most"), [(2e-2, 17), (1e-3, 56)])
def test_a_channel_that_opens_takes_few_steps_and_calcium_beside_it_is_right_soon_after(process, relative, most):
    """An opening took 21 attempts, from 0.5 us on; what matters is Ca2+ beside the channel from 0.1 ms on."""
    one = made(process, PuffSettings())
    model, until = one.experiment.model, 2.4e-3
    channels = next(each for each in model.mechanisms if isinstance(each, IP3RChannels))
    opening = OneOpens(**{name: getattr(channels, name) for name in channels.__dataclass_fields__})
    scripted = model.without(IP3RChannels).with_mechanisms(opening)

    def peaks(relative: float, *at: float) -> tuple[list[float], int, int]:
        probes = [peak(one.calcium), total(one.open)]
        run = simulate(scripted, until, probes, start=one.start, tolerance=Tolerance(relative),
                       frames=Ignored(), frame_times=at)
        found = [float(run["peak calcium"][run.times == t][0]) for t in at]
        assert run["total open IP3R"][-1] == 1
        return found, int((run.times > 1e-3).sum()), run.provenance["rejected steps"]

    early, later = peaks(relative, 1.1e-3)[0], peaks(relative, 1.4e-3)[0]
    (exact_early, exact_later), _, _ = peaks(2e-5, 1.1e-3, 1.4e-3)
    assert early[0] == pytest.approx(exact_early, rel=0.1 * relative)
    assert later[0] == pytest.approx(exact_later, rel=0.05 * relative)
    _, steps, rejected = peaks(relative)
    assert steps + rejected <= most


class Ignored:
    """Frames that nobody keeps: steps land on their times."""

    def write(self, t: float, c: Any) -> None:
        pass


@pytest.mark.parametrize("even", [False, True], ids=["its own ER", "even ER"])
def test_with_its_channels_closed_a_process_rests(process, even):
    one = made(process, replace(BUSY, even_er=even))
    closed = one.experiment.model.without(IP3RChannels)
    run = simulate(closed, 1.0, [mean(one.calcium), peak(one.calcium), mean(one.bound)], start=one.start)
    for name in run.series:
        assert np.abs(run[name] / run[name][0] - 1).max() < 1e-6
    assert run["mean calcium"][0] == pytest.approx(BUSY.calcium, rel=1e-6)


def test_an_even_er_has_the_same_membrane_lumen_and_receptors(process):
    own, even = (furnished(process, replace(BUSY, even_er=one), np.random.default_rng(0)) for one in (False, True))
    assert even[ER_MEMBRANE].total == pytest.approx(own[ER_MEMBRANE].total, rel=1e-12)
    assert even["er"].total == pytest.approx(own["er"].total, rel=1e-12)
    assert len(even[CHANNELS]) == len(own[CHANNELS])
    density = np.bincount(even[ER_MEMBRANE].touches["cytosol"], even[ER_MEMBRANE].measure) / even["cytosol"].measure
    assert np.ptp(density) < 1e-12 * density.max()
    double = furnished(process, replace(BUSY, even_er=True, even_area=2.0), np.random.default_rng(0))
    assert double[ER_MEMBRANE].total == pytest.approx(2 * own[ER_MEMBRANE].total, rel=1e-12)


def test_the_hybrid_run_warns_of_few_ions(process):
    one = made(process)
    with pytest.warns(FewMolecules, match=r"molecules of 'calcium' are expected within 100 nm of a channel of "
                                          r'IP3RChannels: .*method="stochastic" does not have it for this model: '
                                          r"SERCA: a rate of it is not in proportion to 'calcium'"):
        simulate(one.experiment.model, 1e-4, start=one.start)
    plenty = made(process, replace(BUSY, calcium=50.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", FewMolecules)
        simulate(plenty.experiment.model, 1e-4, start=plenty.start)


def test_molecule_by_molecule_every_ion_is_whole_and_kept(process):
    one = made(process)
    model = one.experiment.model
    pump = next(mechanism for mechanism in model.mechanisms if isinstance(mechanism, SERCA))
    model = model.without(SERCA).with_mechanisms(Conversion(pump.where, pump.calcium, pump.store, rate=pump.V / pump.K))
    run = simulate(model, 2e-4, [each.probe for each in one.experiment.conserved] + [total(one.calcium)], seed=3,
                   start=one.start, method="stochastic", tolerance=Tolerance(longest=1e-4))
    ions = run["total calcium"] * 602.214076
    assert np.abs(ions - np.rint(ions)).max() < 1e-6
    for each in one.experiment.conserved:
        assert np.ptp(run[each.probe.name]) <= 1e-12 * np.abs(run[each.probe.name]).max()


def test_the_microscope_sees_the_whole_process(process):
    one = made(process)
    microscope = microscope_over(one.calcium.place)
    seen = microscope.view(one.calcium.place)
    light = (seen.rates(np.ones(len(one.calcium.place))) - microscope.background).sum() / microscope.brightness
    everywhere = replace(microscope, pixels=(400, 400)).view(one.calcium.place)
    all_light = (everywhere.rates(np.ones(len(one.calcium.place))) - microscope.background).sum()
    assert light == pytest.approx(all_light / microscope.brightness, rel=0.03)


def test_events_are_found_where_channels_opened(process):
    one = made(process)
    seen = observe(one, BUSY, seed=2)
    assert seen.events
    first = seen.events[0]
    apart = np.linalg.norm(one.open.place.centres - first.position, axis=1).min()
    assert apart < 0.05
    assert seen.movie.frames.shape[0] == 3


def test_a_run_leaves_all_its_files(gl, tmp_path, capsys):
    command = ("run", "puffs", "--mesh", COARSE, "--duration", 0.03, "--ip3", 20, "--seed", 2, "--out")
    for name in "ab":
        succeed(*command, tmp_path / name)
    said = capsys.readouterr()
    assert "rise of Ca²⁺" in said.out
    assert {one.name for one in (tmp_path / "a").iterdir()} == FILES
    for name in FILES - {"calcium.png", "manifest.json"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    with (tmp_path / "a" / "events.csv").open() as file:
        assert len(list(csv.DictReader(file))) == summary["events"]["number"]
    frames, pixel, interval = read_tiff(tmp_path / "a" / "movie.tif")
    assert (len(frames), pixel, interval) == (3, pytest.approx(0.1), pytest.approx(0.01))
    assert max(summary["largest relative drift"].values()) < 1e-12


@pytest.mark.parametrize("count", [1, 2])
def test_a_movie_of_one_frame_is_a_movie(tmp_path, count):
    times = 0.005 + 0.01 * np.arange(count)
    frames = np.full((count, 3, 4), 120, np.uint16)
    _write_movie(tmp_path, Movie(frames, times, pixel=0.1, ground=20.0))
    pages, _, interval = read_tiff(tmp_path / "movie.tif")
    assert np.array_equal(pages, frames)
    assert interval == 0.01
    assert not np.load(tmp_path / "dff.npy").any()


def test_a_mesh_without_er_is_refused(gl, tmp_path, capsys):
    from test_cli import write

    bare = ball(0.5, 0.25)
    path = write(tmp_path / "ball.msh", bare.points, bare.cells)
    assert "this mesh has no ER, which the scenario needs" in refused(
        capsys, "run", "puffs", "--mesh", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
