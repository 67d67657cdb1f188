"""The chain from spikes to a heterosynaptic map: what it must keep, and what its controls must show."""

from dataclasses import replace

import numpy as np
import pytest

import spatial as sp
from spatial.geometry.tripartite import Tripartite
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.output.recording_file import write_recording
from spatial.scenarios.parts.experiment import Experiment
from spatial.scenarios.parts.neighbourhood import parametric
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.tripartite.model import tripartite, without_release
from spatial.synapses.plasticity.gates import CoagonistGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.units import Hz, molecule, ms, nm, s, uM, um


@pytest.fixture(scope="module")
def coarse() -> Experiment:
    around = parametric(Tripartite(resolution=2.0))
    settings = Settings(duration=0.3, sites=40, d_serine_vesicle=2000 * molecule)
    return tripartite(around.mesh, around.synapses, settings, np.random.default_rng(0))


def check_books(experiment: Experiment, recording: sp.Recording, within: float) -> None:
    """Every conserved quantity keeps its value, relative to what was turned over; nothing is negative."""
    assert recording.provenance["smallest concentration"] >= 0
    for one in experiment.conserved:
        value, turnover = recording[one.probe.name], recording[one.turnover.name].max()
        assert turnover > 0, one.name
        assert np.abs(value - value[0]).max() <= within * turnover, one.name


def test_the_chain_keeps_its_books_and_reaches_silent_synapses(coarse):
    recording = sp.simulate(coarse.model, coarse.duration, coarse.watch, seed=3)
    check_books(coarse, recording, 1e-12)
    assert recording["peak glutamate"].max() > 1000 * uM
    assert recording["mean IP3"].max() > 1.5 * recording["mean IP3"][0]
    assert recording["peak calcium"].max() > 2 * recording["peak calcium"][0]
    assert recording["total fused D-serine vesicles"][-1] > 0
    assert recording["weight change"][-1][0] > 0
    assert (recording["weight change"][-1][1:] != 0).all()


def test_without_release_by_the_astrocyte_no_weight_changes_at_all(coarse):
    control = without_release(coarse)
    recording = sp.simulate(control.model, 0.13, control.watch, seed=3)
    assert recording["eligibility"][-1][0] != 0
    assert (recording["weight change"] == 0.0).all()
    assert (recording["release probability"] == recording["release probability"][0]).all()


def test_random_release_is_the_same_for_the_same_seed_only(coarse, tmp_path):
    """Vesicles that fuse at rest, so that chance decides from the first millisecond."""
    eager = sp.Model(coarse.model.species, [replace(one, r_max=20000.0) if isinstance(one, Exocytosis) else one
                                            for one in coarse.model.mechanisms])
    files = []
    for run, seed in enumerate((1, 1, 2)):
        recording = sp.simulate(eager, 0.0008, coarse.watch, seed=seed)
        assert recording["total fused ATP vesicles"][-1] > 0
        write_recording(recording, tmp_path / f"{run}.h5")
        files.append((tmp_path / f"{run}.h5").read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_without_spikes_the_astrocyte_stays_quiet():
    """Leaks balance pumps for even receptors; clustering them raises the rest, at the clusters by a third."""
    around = parametric(Tripartite(resolution=2.0))
    quiet = replace(Settings(), spikes=0, astrocyte=False)
    experiment = tripartite(around.mesh, around.synapses, quiet, np.random.default_rng(0))
    recording = sp.simulate(experiment.model, 1.0, experiment.watch)
    assert recording["peak calcium"].max() < 1.5 * quiet.calcium
    assert recording["mean ER calcium"][-1] == pytest.approx(quiet.store, rel=0.01)


def weight_map(clearance: float) -> np.ndarray:
    """Weight change of silent synapses on a line from a vesicle of D-serine, nearest first."""
    tissue = sp.grid("ecs", (-0.5 * um,) * 3, (3 * um, 0.5 * um, 0.5 * um), 100 * nm, 0.2, 1.6)
    mesh = sp.Mesh.of(tissue, sp.pool("gone", [1.0])).touching("ecs", "gone", np.zeros(len(tissue), int))
    mesh = mesh.with_points("astrocyte", [(0, 0, 0)], touching=["ecs"])
    mesh = mesh.with_points("synapses", [(x, 0, 0) for x in (0.2, 0.6, 1.2, 2.0)], touching=["ecs"])
    d_serine, glutamate = sp.Species("D-serine", mesh["ecs"], D=900), sp.Species("glutamate", mesh["ecs"])
    held, gone = sp.Species("held", mesh["astrocyte"], 8000 * molecule), sp.Species("gone", mesh["gone"])
    traces = [sp.Species(name, mesh["synapses"], unit="1", signed=True, scale=0.01) for name in ("x", "y", "e", "w")]
    post = 0.01 + np.arange(3) / (50 * Hz)
    rule = ThreeFactorRule(mesh["synapses"], (np.zeros(0),) * 4, post, glutamate, CoagonistGate(d_serine), *traces,
                           A_alone=0.001)
    model = sp.Model([d_serine, glutamate, held, gone, *traces], [
        Emptying(mesh["astrocyte"], held, d_serine, tau=20 * ms),
        Conversion(mesh["ecs"], d_serine, gone, clearance), rule])
    return np.abs(sp.simulate(model, 0.2 * s, [sp.each(traces[3])], every=1.0)["w"][-1])


def test_faster_clearance_makes_the_map_narrower():
    slow, middle, fast = (weight_map(rate) for rate in (0.5 / s, 50 / s, 500 / s))
    assert (slow > middle).all()
    assert (middle > fast).all()
    assert (slow / slow[0] > middle / middle[0])[1:].all()
    assert (middle / middle[0] > fast / fast[0])[1:].all()


@pytest.mark.slow
def test_the_default_run_keeps_its_books():
    around = parametric(Tripartite(resolution=1.5))
    rng = np.random.default_rng(0)
    experiment = tripartite(around.mesh, around.synapses, Settings(), rng)
    recording = sp.simulate(experiment.model, experiment.duration, experiment.watch)
    check_books(experiment, recording, 1e-12)
    assert recording["peak calcium"].max() > 1 * uM
    assert (recording["weight change"][-1][1:] < 0).all()
