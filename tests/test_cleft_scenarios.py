"""Sealed against open cleft, and astrocyte coverage: what the sweeps keep, what they find, and what they leave."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from result_files import check_files
from test_cli import refused, succeed

from spatial.checks import InputError
from spatial.geometry.cleft import Cleft
from spatial.geometry.cleft import cleft as cleft_mesh
from spatial.geometry.discretise import discretise
from spatial.mechanisms.glutamate_transporter import DENSITY, Transporter
from spatial.scenarios.cleft import model as cleft
from spatial.scenarios.cleft import report as cleft_report
from spatial.scenarios.cleft.settings import CleftSettings
from spatial.scenarios.coverage import model as coverage
from spatial.scenarios.coverage import report as coverage_report
from spatial.scenarios.coverage.settings import CoverageSettings
from spatial.scenarios.parts.release_in_cleft import (
    COLLAR,
    COVERED,
    OTHER,
    SEAL,
    ReleaseSettings,
    findings,
    observe,
    release_in_cleft,
    sweep,
    time_to_rim,
)
from spatial.scenarios.parts.release_report import plane_of
from spatial.scenarios.parts.report import checks_of
from spatial.units import MOLECULES, ms, um

SHAPE = Cleft(resolution=2.0, surround=0.6, coverage=0.0)
BRIEF = ReleaseSettings(duration=0.22 * ms)
SEALS = CleftSettings(open_rim=(1.0, 0.0), release=BRIEF, shape=SHAPE)
COVERS = CoverageSettings(coverage=(0.5, 1.0), release=BRIEF, shape=SHAPE)
SHORT = replace(BRIEF, duration=0.02 * ms)

Found = dict[str, dict[str, float]]


def found(*wanted: str) -> Found:
    """What cases come to, by their label, with what is conserved under "all"."""
    cases = [one for one in (*cleft.cases(SEALS), *coverage.cases(COVERS)) if one.label in wanted]
    runs = sweep([case.release for case in cases])
    kept = checks_of((run.release.experiment, run.recording) for run in runs)
    return {"all": kept} | {case.label: findings(run) for case, run in zip(cases, runs, strict=True)}


@pytest.fixture(scope="module")
def few() -> Found:
    """A cleft that is open, one that an astrocyte seals, and one that it covers by half."""
    return found("open_100_adhesion", "open_000_astrocyte", "coverage_050")


def test_glutamate_and_transporters_are_kept_and_nothing_goes_below_zero(few):
    assert few["all"]["largest relative drift"] < 1e-10
    assert few["all"]["smallest concentration"] >= 0.0


def test_a_sealed_cleft_keeps_glutamate_longer_and_higher(few):
    wide, closed = few["open_100_adhesion"], few["open_000_astrocyte"]
    for name in ("peak in the cleft [uM]", "NMDA receptors bound at the PSD [%]", "AMPA receptors open at the PSD [%]"):
        assert closed[name] > 3 * wide[name], name
    assert wide["decay to 1/e [ms]"] < 0.2
    assert np.isnan(closed["decay to 1/e [ms]"])


def test_a_sealed_cleft_keeps_all_but_what_transporters_on_the_seal_can_take(few):
    closed = few["open_000_astrocyte"]
    wall = 2 * np.pi * SHAPE.radius * SHAPE.height  # what of the seal lies in the cleft
    turns = 1 + 13.768 * BRIEF.duration
    assert 0 < closed[f"bound or taken by the {SEAL} [%]"] < 100 * wall * DENSITY * turns / BRIEF.molecules
    assert closed["leaves the cleft unbound [%]"] == pytest.approx(0.0, abs=1e-6)
    assert closed[f"peak at the neighbour, {OTHER} [uM]"] == 0.0


def test_an_astrocyte_shields_the_side_it_covers(few):
    half = few["coverage_050"]
    for name in ("peak at the neighbour, {} [uM]", "area at the neighbour, {} [uM ms]",
                 "NMDA receptors bound at the neighbour, {} [%]"):
        assert half[name.format(COVERED)] < 0.5 * half[name.format(OTHER)]
    assert few["open_100_adhesion"][f"bound or taken by the {COLLAR} [%]"] == 0.0
    assert 5 < half[f"bound or taken by the {COLLAR} [%]"] < 40


@pytest.mark.slow
def test_a_cleft_sealed_by_an_adhesion_keeps_all_that_was_released():
    closed = found("open_000_adhesion")["open_000_adhesion"]
    released = 1 - np.exp(-BRIEF.duration / BRIEF.emptying)
    assert closed["left in the cleft at the end [%]"] == pytest.approx(100 * released, rel=2e-3)


@pytest.mark.slow
def test_a_collar_all_around_shields_both_sides_alike_and_takes_most():
    one = found("open_100_adhesion", "coverage_050", "coverage_100")
    peak, taken = "peak at the neighbour, {} [uM]", f"bound or taken by the {COLLAR} [%]"
    whole = one["coverage_100"]
    assert whole[peak.format(OTHER)] == pytest.approx(whole[peak.format(COVERED)], rel=0.02)
    assert whole[peak.format(OTHER)] < 0.5 * one["open_100_adhesion"][peak.format(OTHER)]
    assert one["coverage_050"][taken] < whole[taken] < 60


def test_there_are_as_many_transporters_as_published():
    """Per area of the collar, per volume of tissue; free ones in the neuropil bind at 1262 /s (L9)."""
    experiment = release_in_cleft(replace(SHAPE, coverage=0.5), BRIEF).experiment
    collar, neuropil = (experiment.species[f"transporters of the {where}"] for where in ("collar", "neuropil"))
    assert collar.initial * MOLECULES == pytest.approx(10_800)
    tissue = neuropil.place.total / SHAPE.volume_fraction
    assert neuropil.initial * neuropil.place.total * MOLECULES / tissue == pytest.approx(15_200)
    assert Transporter.kon * neuropil.initial == pytest.approx(1262, rel=1e-3)


def test_an_open_rim_is_reached_from_the_middle_in_the_time_of_the_closed_form():
    """a^2 lambda^2/4D; nothing reaches a rim that is sealed."""
    shape = replace(SHAPE, resolution=1.5, surround=0.5)
    found = time_to_rim(release_in_cleft(shape, BRIEF))
    assert found == pytest.approx(shape.radius**2 * shape.residual**2 / (4 * BRIEF.D), rel=0.02)
    assert np.isnan(time_to_rim(release_in_cleft(replace(SHAPE, sealed=1.0), BRIEF)))


@pytest.mark.slow
def test_the_other_preset_of_transporters_holds_less():
    """They bind as fast, so the peak is the same, but let go of what they hold before they carry it inside."""
    fast, slow = (findings(observe(release_in_cleft(SHAPE, ReleaseSettings(duration=2 * ms, km_matched=one))))
                  for one in (False, True))
    taken, peak, area = ("bound or taken by the neuropil [%]", f"peak at the neighbour, {OTHER} [uM]",
                         f"area at the neighbour, {OTHER} [uM ms]")
    assert slow[taken] < 0.9 * fast[taken]
    assert slow[area] > 1.05 * fast[area]
    assert slow[peak] == pytest.approx(fast[peak], rel=0.02)


def test_the_plane_that_is_drawn_covers_the_ecs_at_its_height():
    shape = cleft_mesh(replace(SHAPE, coverage=0.5))
    mesh = discretise(shape)
    ecs = mesh["ecs"]
    corners = ecs.centres[plane_of(ecs, 0.0)][:, :, :2]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2
    collar = mesh["cytosol"].total / (2 * SHAPE.reach)
    assert area + collar == pytest.approx(shape.volumes.sum() / (2 * SHAPE.surround), rel=1e-6)


# What runs leave


def test_a_run_leaves_a_picture_a_table_a_summary_and_its_recordings(tmp_path):
    settings, told = replace(COVERS, coverage=(0.0, 0.5), release=SHORT), list[float]()
    coverage_report.results(tmp_path, settings, lambda t, dt: told.append(t))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(settings.runs * SHORT.duration)
    check_table(tmp_path, "coverage", {"coverage_000", "coverage_050"})


@pytest.mark.slow
def test_the_same_run_leaves_the_same_files(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        coverage_report.results(tmp_path / name, replace(COVERS, release=SHORT))
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes(), one.name


@pytest.mark.slow
def test_a_sweep_of_seals_leaves_its_files(tmp_path):
    settings = replace(SEALS, open_rim=(1.0, 0.25), release=SHORT)
    cleft_report.results(tmp_path, settings)
    labels = {"open_100_adhesion", "open_025_adhesion", "open_025_astrocyte"}
    assert settings.runs == len(labels)
    check_table(tmp_path, "cleft", labels)


def check_table(folder: Path, name: str, labels: set[str]) -> None:
    rows, found = check_files(folder, name, labels, SHORT.duration)
    assert float(rows[0]["peak in the cleft [uM]"]) == pytest.approx(found[0]["peak in the cleft [uM]"])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["cleft", "coverage"])
def test_the_command_runs(command, tmp_path):
    succeed("run", command, "--resolution", 2, "--duration", 3e-4, "--quiet", "--out", tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["scenario"] == command
    assert (tmp_path / "out" / f"{command}.png").is_file()


@pytest.mark.parametrize(("kind", "wrong", "message"), [
    (CleftSettings, {"open_rim": (0.5, 1.2)}, r"^CleftSettings: open_rim has 1.2; every part must be from 0 to 1$"),
    (CoverageSettings, {"coverage": (-0.1,)}, r"^CoverageSettings: coverage has -0.1; every part must be from 0 to 1$"),
    (ReleaseSettings, {"emptying": 0.0}, r"^ReleaseSettings: emptying is 0; it must be a finite number > 0$"),
    (ReleaseSettings, {"in_neuropil": -1.0}, r"^ReleaseSettings: in_neuropil is -1; it must be a finite number >= 0$")])
def test_settings_that_make_no_sense_are_refused(kind, wrong, message):
    with pytest.raises(InputError, match=message):
        kind(**wrong)


def test_a_resolution_that_makes_no_sense_is_refused_in_one_sentence(capsys, tmp_path):
    said = refused(capsys, "run", "cleft", "--resolution", 0, "--out", tmp_path / "out")
    assert said == "spatial: Cleft: resolution is 0; it must be a finite number > 0\n"


@pytest.mark.slow
def test_the_default_mesh_is_fine_enough():
    """Peaks, areas and occupancies differ by 4 % at most from those with edges of two thirds and twice the layers."""
    shape = Cleft(coverage=0.5, resolution=1.5)
    usual, finer = (findings(observe(release_in_cleft(one, ReleaseSettings(duration=1 * ms))))
                    for one in (shape, replace(shape, resolution=1.0, layers=4)))
    for name, value in usual.items():
        if np.isfinite(value) and value > 1e-3:
            assert value == pytest.approx(finer[name], rel=0.04), name


@pytest.mark.slow
def test_the_surround_is_large_enough():
    """With half as much neuropil again nothing at the synapse or its neighbours differs by 2 %."""
    shape = Cleft(coverage=0.5, resolution=1.5)
    usual, larger = (findings(observe(release_in_cleft(one, ReleaseSettings(duration=2 * ms))))
                     for one in (shape, replace(shape, surround=1.8 * um)))
    for name in ("peak in the cleft [uM]", f"peak at the neighbour, {OTHER} [uM]",
                 f"area at the neighbour, {OTHER} [uM ms]", f"bound or taken by the {COLLAR} [%]"):
        assert usual[name] == pytest.approx(larger[name], rel=0.02), name
