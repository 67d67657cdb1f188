"""The heterosynaptic experiment: what is blocked is gone, the rest stays, and D-serine reaches as far as it lives."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.spread import apparent_diffusion, fitted_length_constant, length_constant
from spatial.checks import InputError
from spatial.cli import main
from spatial.geometry.slices import sliced
from spatial.geometry.store import with_store
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.drawn_exocytosis import DrawnExocytosis, Waits, draw_waits
from spatial.model import Model, Species
from spatial.observe.probes import each, total
from spatial.observe.recording import Recording
from spatial.output.recording_file import read_recording
from spatial.output.scenes import changes_around, from_zero
from spatial.scenarios.heterosynaptic.model import (
    D_SERINE,
    RELEASE,
    WEIGHT,
    Heterosynaptic,
    band,
    binned,
    drawn,
    frames,
    heterosynaptic,
    place_of,
    run,
    silent,
)
from spatial.scenarios.heterosynaptic.report import results, rows, told
from spatial.scenarios.heterosynaptic.settings import (
    A1_BLOCK,
    D_SERINE_BLOCK,
    INTACT,
    NO_ASTROCYTE,
    HeterosynapticSettings,
)
from spatial.scenarios.parts.neighbourhood import Neighbourhood
from spatial.scenarios.parts.settings import Settings
from spatial.scenarios.parts.sliced_process import SlicedProcess, coverage, in_tissue, sliced_neighbourhood, to_process
from spatial.scenarios.tripartite.model import tripartite
from spatial.simulate import simulate

COARSE = Path(__file__).resolve().parents[1] / "meshes" / "tripartite_coarse.msh"
SHORT = SlicedProcess(length=1.0, branches=1, branch_length=0.3, spacing=0.5, around=0.5, reach=1.2, farthest=0.5,
                      thickness=0.05)
AWAKE = Settings(sites=40, vesicles=1, spikes=1, first=0.002, duration=0.02, calcium=0.8)  # it releases at rest
TINY = HeterosynapticSettings(synapses=2, seeds=1, process=SHORT, tripartite=AWAKE)


# Vesicles whose chances are drawn beforehand

def releasing(waits: Waits, calcium: float = 0.4, tolerance: float = 1e-3, until: float = 5.0,
              first: float = 1.0) -> Recording:
    """What sites at a held Ca2+ release, in a volume of 1."""
    mesh = well_mixed({"cytosol": 1.0, "ecs": 1.0})
    mesh = mesh.with_points("sites", np.zeros((len(waits.values), 3)), touching=["cytosol", "ecs"])
    c, d = Species("calcium", mesh["cytosol"], calcium), Species("D-serine", mesh["ecs"])
    docked, fused = Species("docked", mesh["sites"], first, unit="1"), Species("fused", mesh["sites"], unit="1")
    left = Species("left", mesh["sites"], waits.values[:, 0], scale=1.0, unit="1", signed=True)
    release = DrawnExocytosis(mesh["sites"], c, docked, fused, left, d, 2.0, waits)
    return simulate(Model([c, d, docked, fused, left], [release]), until, [each(fused), each(docked), total(d)],
                    tolerance=Tolerance(tolerance))


def changes(run: Recording, name: str) -> np.ndarray:
    """When the first element of a series changes [s]."""
    values = run.series[name].values[:, 0]
    return run.times[np.flatnonzero(np.diff(values)) + 1]


def test_a_vesicle_fuses_when_its_hazard_has_reached_its_wait_and_the_slot_refills_after_the_next():
    found = releasing(Waits(np.array([[0.5, 0.9, 0.25, 9.0]])))  # half activated: hazard 0.5/s, refill 0.6/s
    assert changes(found, "fused") == pytest.approx([1.0, 1.0 + 1.5 + 0.5], abs=1e-4)
    assert changes(found, "docked") == pytest.approx([1.0, 2.5, 3.0], abs=1e-4)
    assert found["total D-serine"][-1] == pytest.approx(4.0, rel=1e-12)


def test_on_average_as_many_fuse_as_with_hazards():
    slots, t, (a, b) = 200, 3.0, (0.5, 0.6)
    fused = releasing(draw_waits(slots, t, np.random.default_rng(0)), tolerance=2e-2, until=t)["fused"][-1]
    expected = a * b / (a + b) * t + (a / (a + b)) ** 2 * -np.expm1(-(a + b) * t)  # alternating renewal, closed form
    assert fused.mean() == pytest.approx(expected, abs=4 * fused.std() / np.sqrt(slots))


def test_when_vesicles_fuse_hardly_depends_on_the_steps():
    waits = Waits(np.array([[0.5, 0.9, 0.25, 9.0]]))
    rough, fine = (changes(releasing(waits, tolerance=tolerance), "fused") for tolerance in (5e-2, 1e-5))
    assert rough == pytest.approx(fine, rel=1e-3)


def test_a_slot_that_begins_empty_takes_its_waits_in_turn():
    found = releasing(Waits(np.array([[0.6, 0.5, 9.0, 9.0]])), first=0.0)
    assert changes(found, "docked") == pytest.approx([1.0, 1.0 + 1.0], abs=1e-4)


def test_a_slot_holds_one_vesicle_at_most():
    with pytest.raises(InputError, match=r"^DrawnExocytosis: 'docked' begins with 4 vesicles in a slot; it must be 1 "
                                         r"or 0$"):
        releasing(Waits(np.ones((1, 4))), first=4.0)


def test_a_slot_that_has_used_its_waits_says_so():
    with pytest.raises(InputError, match="has used all its 2 waits; draw them for a longer duration"):
        releasing(Waits(np.array([[0.1, 0.1]])))


def test_waits_are_positive_and_fit_the_slots():
    with pytest.raises(InputError, match=r"waits have shape \(2,\); they must be numbers > 0"):
        Waits(np.ones(2))
    with pytest.raises(InputError, match="waits have shape"):
        Waits(np.zeros((2, 2)))


# The geometry

def test_a_synapse_beside_a_straight_process_is_covered_as_the_chord_through_its_ball_says():
    shape = SlicedProcess(length=6.0, branches=0, thickness=0.01)
    mesh, at = sliced(shape.tree, shape.thickness), np.array([(0, 0, 0.3), (0, 0, 1.1)], float)
    chord = 2 * np.sqrt(1 - 0.3**2)
    expected = 2 * np.pi * shape.radius * chord / (4 / 3 * np.pi)
    assert coverage(mesh, at) == pytest.approx([expected, 0.0], rel=0.01)
    assert to_process(mesh, at) == pytest.approx([0.3, 1.1], rel=1e-3)


def test_synapses_keep_their_distances_and_are_the_same_for_the_same_seed():
    shape = SlicedProcess()
    one, same, other = (sliced_neighbourhood(shape, 20, np.random.default_rng(seed)).synapses for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    near = to_process(sliced(shape.tree, shape.thickness), one)
    assert near.min() >= shape.nearest
    assert near.max() <= shape.farthest
    apart = np.linalg.norm(one[:, None] - one, axis=2)[~np.eye(20, dtype=bool)]
    assert apart.min() >= shape.apart


def test_synapses_for_which_there_is_no_room_are_refused():
    with pytest.raises(InputError, match=r"there is room for \d+ of 500 synapses"):
        sliced_neighbourhood(SlicedProcess(), 500, np.random.default_rng(0))


def test_more_branches_cover_synapses_more():
    at = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    means = []
    for branches in (0, 2, 8):
        shape = SlicedProcess(branches=branches)
        means.append(coverage(sliced(shape.tree, shape.thickness), at).mean())
    assert means == sorted(means)
    assert means[2] > 1.5 * means[0]


# The experiment

@pytest.fixture(scope="module")
def tiny() -> Heterosynaptic:
    """Two synapses that fire in turn beside an astrocyte that releases from the start."""
    return heterosynaptic(TINY)


def test_runs_keep_their_books_and_stay_positive(tiny):
    assert len(tiny.runs) == 3 * 1 * 2
    assert max(run.drift for run in tiny.runs) < 1e-11
    assert min(run.smallest for run in tiny.runs) >= 0


def test_without_an_astrocyte_nothing_changes_at_all():
    found = run(place_of(TINY), TINY, NO_ASTROCYTE, 0, 0)
    assert (found.values[WEIGHT] == 0).all()
    assert (found.values[D_SERINE] == 0).all()
    assert (np.ptp(found.values[RELEASE], axis=0) == 0).all()


def test_with_d_serine_blocked_weights_stay_exactly_and_release_changes_as_before(tiny):
    intact, blocked = tiny.block(INTACT), tiny.block(D_SERINE_BLOCK)
    assert (tiny.dw[intact] != 0).all()
    assert (tiny.over_time(WEIGHT)[blocked] == 0).all()
    assert tiny.dp[blocked] == pytest.approx(tiny.dp[intact], rel=1e-3)


def test_with_a1_receptors_blocked_release_stays_exactly_and_weights_change_as_before(tiny):
    intact, blocked = tiny.block(INTACT), tiny.block(A1_BLOCK)
    assert (tiny.dp[intact] < 0).all()
    assert (tiny.p_over_time[blocked] == 0).all()
    assert tiny.dw[blocked] == pytest.approx(tiny.dw[intact], rel=1e-3)


def test_the_synapse_that_fires_is_potentiated_and_the_silent_one_depressed(tiny):
    dw = tiny.dw[tiny.block(INTACT)]
    assert (dw[:, ~silent(tiny)] > 0).all()
    assert (dw[:, silent(tiny)] < 0).all()  # a postsynaptic spike alone lowers the eligibility


def test_without_depression_by_spikes_alone_a_silent_synapse_keeps_what_spills_over():
    settings = replace(TINY, blocks=(INTACT,))
    place = place_of(settings)
    experiment = tripartite(place.mesh, place.synapses, AWAKE, np.random.default_rng(0))
    named = {type(one).__name__: one for one in experiment.model.mechanisms}
    rule = replace(named["ThreeFactorRule"], A_alone=0.0, spillover=0.0)
    others = [one for one in experiment.model.mechanisms if one is not named["ThreeFactorRule"]]
    found = simulate(Model(experiment.model.species, [*others, rule]), 0.03, [each(rule.weight)])
    assert found["weight change"][-1, 1] == 0.0


def test_the_same_settings_give_the_same_and_another_seed_other_vesicles(tiny):
    place = place_of(TINY)
    same, other = run(place, TINY, INTACT, 0, 0), run(place, TINY, INTACT, 1, 0)
    assert np.array_equal(same.values[WEIGHT], tiny.runs[0].values[WEIGHT])
    assert not np.array_equal(other.values[WEIGHT], same.values[WEIGHT])


def test_the_table_has_a_row_for_each_pair_of_every_run(tiny):
    table = rows(tiny)
    assert len(table) == 3 * 1 * 2 * 2
    assert [one["block"] for one in table[::4]] == [INTACT, A1_BLOCK, D_SERINE_BLOCK]
    one = table[1]
    assert (one["firing"], one["listening"]) == (0, 1)
    assert one["weight change [%]"] == 100 * tiny.dw[0, 0, 0, 1]
    assert one["distance [um]"] == tiny.distances[0, 1]


def test_a_symmetric_arrangement_has_a_symmetric_matrix():
    shape = replace(SHORT, branches=0, spacing=0.4, around=0.28, farthest=0.28, thickness=0.1)  # no slice on an edge
    mesh = in_tissue(with_store(sliced(shape.tree, shape.thickness)), shape)
    place = Neighbourhood(mesh, np.array([(-0.4, 0, 0.3), (0.4, 0, 0.3)]))
    settings = replace(AWAKE, clusters=len(mesh["er membrane"]), sites=len(mesh["plasma membrane"]))
    waits = [Waits(np.tile(row, (settings.sites, 1))) for row in ([0.01, 9.0], [0.01, 9.0])]
    found = []
    for active in (0, 1):
        experiment = drawn(tripartite(place.mesh, place.synapses, settings, np.random.default_rng(0), active), waits)
        recording = simulate(experiment.model, experiment.duration, experiment.watch, every=5e-3,
                             at_events=True)
        found.append((recording[WEIGHT][-1], recording["release probability"][-1] - 0.6))
    for one, other in zip(*found, strict=True):
        assert (one != 0).all()
        assert one == pytest.approx(other[::-1], rel=1e-3)


# Statistics

def test_the_band_is_the_t_interval_over_seeds():
    values = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    found = band(values)
    assert found.mean == pytest.approx([2.0, 5.0])
    assert found.half == pytest.approx([4.302652729911275 / np.sqrt(3), 0.0])  # t of 0.975 with 2 degrees of freedom


def test_the_band_holds_the_mean_95_times_in_100():
    values = np.random.default_rng(0).normal(size=(4, 20_000))
    found = band(values)
    assert (np.abs(found.mean) < found.half).mean() == pytest.approx(0.95, abs=0.006)


def test_one_seed_tells_no_width():
    assert np.isnan(band(np.ones((1, 3))).half).all()


def test_bins_average_within_a_seed_before_the_interval_over_seeds():
    x = np.array([0.1, 0.2, 0.9, 2.5])
    values = np.array([[1.0, 3.0, 7.0, 8.0], [3.0, 5.0, 9.0, 8.0]])
    middle, found = binned(values, x, np.array([0.0, 0.5, 1.0, 2.0, 3.0]))
    assert middle == pytest.approx([0.15, 0.9, 2.5])
    assert found.mean == pytest.approx([3.0, 8.0, 8.0])


def test_a_mean_is_told_with_its_interval_and_what_the_interval_leaves_open():
    assert told(np.array([-0.1, -0.11, -0.12])) == "−0.11 ± 0.025 %"
    assert told(np.array([-0.02, -0.005, -0.03])) == "−0.018 ± 0.031 % (0 is within; 3 of 3 seeds go this way)"
    assert told(np.array([-0.02, 0.01, -0.03])).endswith(" (0 is within; 2 of 3 seeds go this way)")
    assert told(np.array([0.5])) == "0.5 % (one seed)"
    assert told(np.zeros(3)) == "0 ± 0 %"


# Messages

@pytest.mark.parametrize(("changed", "said"), [
    ({"synapses": 1}, "synapses is 1; one fires and another listens, so it must be 2 or more"),
    ({"seeds": 0}, "seeds is 0; it must be a finite number > 0"),
    ({"blocks": (INTACT, "P2Y1 block")}, "block 'P2Y1 block' is not known; it must be one of intact, A1 block"),
    ({"blocks": (A1_BLOCK,)}, "each must be there once, and 'intact' among them"),
    ({"tripartite": Settings()}, "release sites have 4 vesicles; each must have one"),
])
def test_settings_that_make_no_sense_are_refused(changed, said):
    with pytest.raises(InputError, match=said):
        replace(TINY, **changed)


def test_synapses_beyond_the_tissue_are_refused():
    with pytest.raises(InputError, match=r"synapses lie 0.15 to 5 um from the process; the numbers must grow"):
        SlicedProcess(farthest=5.0)


def test_a_map_needs_a_change_and_a_mark_for_each_synapse(tmp_path):
    with pytest.raises(InputError, match="2 synapses have 3 changes and 2 marks; each must have one"):
        changes_around(tmp_path / "map.png", np.zeros((2, 3)), np.zeros(3), "change", np.zeros(2, bool))


def test_colours_of_changes_begin_at_none_and_diverge_if_they_have_both_signs():
    for values, low, high in (([-2.0, -1.0], -2, 0), ([1.0, 3.0], 0, 3), ([-2.0, 1.0], -2, 2), ([0.0, 0.0], 0, 1)):
        scale, colours = from_zero(np.array(values))
        assert (scale.vmin, scale.vmax) == (low, high)
        ends = [float(np.sum(colours(part)[:3])) for part in (0.0, 0.5, 1.0)]
        if low < 0 < high:
            assert ends[1] > max(ends[0], ends[2])
        else:
            assert (ends[0] > ends[2]) == (low < 0)


# Slow: what takes processes, pictures, or room

@pytest.mark.slow
def test_N14_a_silent_synapse_within_the_length_constant_of_d_serine_changes_and_one_beyond_three_does_not(
        record_property):
    loss = 8.0  # 1/s: with 0.5/s L is 26 um, and 3 L lie beyond any neighbourhood
    shape = replace(SHORT, branches=0, reach=35.0, growth=1.5)
    mesh = in_tissue(with_store(sliced(shape.tree, shape.thickness)), shape)
    bricks, middle = mesh["ecs"].centres, mesh["ecs"].nearest(np.zeros((1, 3)))
    above = (np.abs(bricks[:, :2] - bricks[middle, :2]) < 1e-9).all(axis=1) & (bricks[:, 2] > 0.3)
    place = Neighbourhood(mesh, bricks[above])
    settings = replace(TINY, tripartite=replace(AWAKE, duration=0.5, d_serine_loss=loss))
    found, times = run(place, settings, INTACT, 0, 0), frames(settings)
    r = np.linalg.norm(place.synapses, axis=1)
    exposure = np.trapezoid(found.values[D_SERINE], times, axis=0)
    listeners = mesh.with_points("synapses", place.synapses, touching=["ecs"])["synapses"]
    L = fitted_length_constant(listeners, exposure, (0.0, 0.0, 0.0), (2.0, 25.0))
    record_property("L measured [um]", L)
    assert pytest.approx(length_constant(apparent_diffusion(900.0, 1.6), loss), rel=0.2) == L
    change = dtheta_of(found)
    record_property("change against distance", list(zip(r, change, strict=True)))
    heard = change > 0.01 * change[1]  # of what the nearest silent synapse hears
    assert heard[r < L].all()
    assert (r > 3 * L).sum() >= 2
    assert not heard[r > 3 * L].any()


def dtheta_of(found) -> np.ndarray:
    """Largest change of co-agonist occupancy at every synapse."""
    d_serine = found.values[D_SERINE].max(axis=0)
    return np.asarray((1.3 + d_serine) / (2.6 + d_serine) - 0.5)


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_processes(tiny):
    again = heterosynaptic(TINY, jobs=2)
    assert np.array_equal(again.dw, tiny.dw)
    assert np.array_equal(again.dp, tiny.dp)


@pytest.mark.slow
def test_the_same_experiment_runs_on_tetrahedra():
    settings = replace(TINY, blocks=(INTACT, D_SERINE_BLOCK), mesh=COARSE,
                       tripartite=replace(AWAKE, duration=0.02, first=0.001))
    place = place_of(settings)
    for block in settings.blocks:
        found = run(place, settings, block, 0, 1)
        assert found.drift < 1e-11
        assert found.smallest >= 0
    assert (found.values[WEIGHT] == 0).all()


@pytest.fixture(scope="module")
def folder(gl: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves, in a short run with the settings of the default one."""
    path = tmp_path_factory.mktemp("heterosynaptic") / "out"
    with pytest.raises(SystemExit) as left:
        main(["run", "heterosynaptic", "--synapses", "2", "--seeds", "1", "--jobs", "1", "--duration", "0.05", "--out",
              str(path), "--quiet"])
    assert left.value.code == 0
    return path


@pytest.mark.slow
def test_the_command_leaves_all_its_files(folder):
    assert {one.name for one in folder.iterdir()} == {
        "heterosynaptic.csv", "recording.h5", "summary.json", "manifest.json", "matrix.png", "distance.png",
        "map.png"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["scenario"] == "heterosynaptic"
    assert summary["largest relative drift"] < 1e-11
    assert summary["smallest concentration"] >= 0
    assert [one["block"] for one in summary["found"]] == [INTACT, A1_BLOCK, D_SERINE_BLOCK]
    assert len(list(csv.DictReader((folder / "heterosynaptic.csv").open()))) == 3 * 2 * 2
    assert read_recording(folder / "recording.h5").times[-1] == pytest.approx(0.05)


@pytest.mark.slow
def test_the_command_takes_a_mesh_of_tetrahedra_and_blocks(gl, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["run", "heterosynaptic", "--mesh", str(COARSE), "--synapses", "2", "--seeds", "1", "--duration", "0.02",
              "--jobs", "2", "--blocks", "intact, no astrocyte", "--out", str(tmp_path / "out"), "--quiet"])
    assert left.value.code == 0
    table = list(csv.DictReader((tmp_path / "out" / "heterosynaptic.csv").open()))
    assert [one["block"] for one in table] == [INTACT] * 4 + [NO_ASTROCYTE] * 4
    assert {float(one["weight change [%]"]) for one in table[4:]} == {0.0}
    assert len({one["distance [um]"] for one in table}) == 2
    assert (tmp_path / "out" / "map.png").stat().st_size > 50_000


@pytest.mark.slow
def test_equal_settings_leave_equal_files(gl, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        results(tmp_path / name, replace(TINY, blocks=(INTACT, A1_BLOCK)))
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes(), one.name
