"""The benchmarks' own parts: what they share, their problems, that ours solves them, and that all of them run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.shapes import cylinder
from spatial.observe.probes import Probe, each
from spatial.simulate import simulate
from spatial.units import ion_flux
from tests.benchmarks import calcium_in_a_process, diffusion, potassium_grid, scaling
from tests.benchmarks.integrators import study
from tests.benchmarks.integrators.march import Run, TooLong, march
from tests.benchmarks.integrators.report import Line
from tests.benchmarks.measure import Row, table
from tests.benchmarks.peers import installed
from tests.benchmarks.problems import CURRENT, END, OPEN, buffered_calcium, graded, near_mouth, process, profile

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "tests" / "benchmarks" / "results"
BENCHMARKS = ["tests.benchmarks", "tests.benchmarks.integrators.study", "tests.benchmarks.open_boundary",
              "tests.benchmarks.thin_sheets", "tests.benchmarks.electrodiffusion", "tests.benchmarks.synapses"]


def test_the_table_tells_how_many_times_longer_than_ours_each_tool_takes():
    rows = [Row("B1", tool, 10, 5, 0.1, seconds, {"L2": 1e-3}) for tool, seconds in (("ours", 0.5), ("other", 2.0))]
    assert table(rows).splitlines()[-1].endswith("| L2 1.0e-03 | 4 |")


def test_the_cube_of_the_scaling_benchmark_is_whole_and_its_operator_sound():
    place = scaling.cube(6)
    K = stiffness(place)
    assert place.total == pytest.approx(scaling.EDGE**3)
    assert abs(K.sum(axis=1)).max() < 1e-12
    x = place.centres[:, 0]
    inside = ((place.centres > 0) & (place.centres < scaling.EDGE)).all(axis=1)
    assert abs((K @ x)[inside]).max() < 1e-12  # exact for linear fields
    assert float(x @ (K @ x)) == pytest.approx(scaling.EDGE**3)  # the integral of |grad x|^2


def test_a_power_law_is_found():
    n = np.array([1e3, 1e4, 1e5])
    assert scaling.exponent(n, 3.0 * n**1.05) == pytest.approx(1.05)


def test_the_current_of_the_calcium_problem_enters_whole_and_the_answer_is_that_of_the_reference():
    place = process(graded(0.04, 0.12))
    model, weight = buffered_calcium(place), near_mouth(place)
    calcium, bound = model.species[0], [model.species[2], model.species[4]]
    assert weight.sum() == pytest.approx(1.0)
    amount = Probe("amount", "uM um^3", lambda c: sum(float(place.measure @ c[one]) for one in (calcium, *bound)))
    near, along = (Probe(name, "uM", read) for name, read in (
        ("near", lambda c: float(weight @ c[calcium])), ("along", lambda c: profile(place, c[calcium]))))
    run = simulate(model, END, [amount, near, along], every=END, at_events=True)
    entered = run["amount"][-1] - run["amount"][0]
    assert entered == pytest.approx(ion_flux(CURRENT, 2) * OPEN, rel=1e-12)
    found = float(run["near"][np.searchsorted(run.times, OPEN)].item()), run["along"][-1]
    assert max(calcium_in_a_process.errors(found).values()) < 0.02


def test_ours_solves_the_diffusion_and_potassium_problems():
    shape = cylinder(diffusion.RADIUS, diffusion.LENGTH, diffusion.QUICK[0])
    assert diffusion.ours("B1", shape, 1).errors["L2"] < 3e-3
    side = potassium_grid.QUICK
    assert max(potassium_grid.ours(side, potassium_grid.reference(side), 1).errors.values()) < 0.02


def test_a_peer_that_is_not_installed_is_left_out_with_a_line_that_says_so(capsys):
    row = Row("B1", "a tool", 10, 5, 0.1, 0.5, {})
    assert installed({"no_such_package": [lambda: pytest.fail("it was run")], "numpy": [lambda: row]}) == [row]
    assert capsys.readouterr().err == "no row for no_such_package: it is not installed\n"


def test_the_study_takes_the_steps_of_simulate():
    model = buffered_calcium(process(0.15))  # the current ends on the way: an event
    run = march(study.ros2(assemble(model), 1e-2), (OPEN, 2 * OPEN), Tolerance(1e-2))
    ours = simulate(model, 2 * OPEN, [each(model.species[0])], tolerance=Tolerance(1e-2), engine="implicit")
    assert (run.steps, run.rejected) == (ours.provenance["steps"], ours.provenance["rejected steps"])
    found = assemble(model).state(run.states[2 * OPEN])[model.species[0]]
    np.testing.assert_array_equal(found, ours["Ca"][-1])
    assert run.failure is None


def test_a_run_that_takes_too_long_is_a_result_and_no_fault():
    run = march(study.ros2(assemble(buffered_calcium(process(0.15))), 1e-2), (END,), Tolerance(1e-2), limit=0.0)
    assert isinstance(run.failure, TooLong)
    assert (run.steps, run.faults) == (1, [])


def failed(*_):
    run = Run({}, 3, 0, 0.1, 0.0, InputError("'Ca' changes too fast"))
    problem = study.smooth(quick=True)
    return problem, [Line("ROS2", 0.1, run, np.nan, 0.0)], "itself"


def without_reference(*_):
    raise InputError("a reference run of problem a failed")


@pytest.mark.parametrize(("lines", "said"), [(failed, "ROS2 at 0.1: 'Ca' changes too fast"),
                                             (without_reference, "problem a failed: a reference run")])
def test_the_study_ends_in_error_after_a_run_that_failed(monkeypatch, lines, said):
    monkeypatch.setattr(study, "lines", lines)
    with pytest.raises(SystemExit, match=said):
        study.main(["a", "--quick"])


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_benchmark_runs_at_its_smallest_size_and_leaves_the_results_alone(benchmark):
    before = results()
    done = subprocess.run([sys.executable, "-m", benchmark, "--quick"], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "|---" in done.stdout.replace(" ", "")  # a table
    assert results() == before


def results() -> dict[Path, tuple[int, bytes]]:
    """When each file of the results was written, and what it holds."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in RESULTS.rglob("*") if path.is_file()}
