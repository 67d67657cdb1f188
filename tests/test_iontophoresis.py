"""Iontophoresis: closed forms, the inverse fit, and what traces are too little for; D3 ... of biophysics.md."""

import warnings

import numpy as np
import pytest
from toy_mechanisms import Source
from toy_places import shells, spot

from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.iontophoresis import TMA, NotIdentified, endless, fit_endless, sealed_box, strength
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.model import Model, Species
from spatial.observe.probes import Probe
from spatial.simulate import simulate
from spatial.units import nA

Q = strength(100 * nA)
TIMES = np.array([1.0, 5.0, 10.0, 20.0, 50.0])


def test_D3_concentration_at_100_um_is_as_tabulated():
    assert pytest.approx(3.62749e-13 / 1e-21, rel=1e-5) == Q
    np.testing.assert_allclose(endless(100.0, TIMES, Q, 0.2, 1.6), [5.000, 457.312, 910.804, 1366.774, 1857.180],
                               rtol=1e-4)
    forever = Q * 1.6**2 / (4 * np.pi * TMA * 0.2 * 100.0)
    assert forever == pytest.approx(2820.56, rel=1e-5)
    assert endless(100.0, 21.478, Q, 0.2, 1.6) == pytest.approx(forever / 2, rel=1e-4)


def test_D3b_agar_settles_at_alpha_over_lambda_squared_of_tissue():
    agar, tissue = (endless(100.0, 1e12, Q, *medium) for medium in ((1.0, 1.0), (0.2, 1.6)))
    assert agar == pytest.approx(220.36, rel=1e-4)
    assert tissue / agar == pytest.approx(12.8, rel=1e-6)


def test_D3c_loss_lowers_the_level_and_makes_it_come_sooner():
    levels = endless(100.0, [21.478, 1e4], Q, 0.2, 1.6, loss=0.01)
    assert levels[1] == pytest.approx(1812.80, rel=1e-5)
    assert levels[0] / levels[1] > 0.5


def test_a_pulse_is_what_opening_adds_less_what_closing_takes():
    t = np.linspace(1, 100, 30)
    pulse = endless(80.0, t, Q, 0.2, 1.6, loss=0.02, off=50.0)
    steady = endless(80.0, t, Q, 0.2, 1.6, loss=0.02)
    late = t > 50
    np.testing.assert_array_equal(pulse[~late], steady[~late])
    np.testing.assert_allclose(pulse[late], steady[late] - endless(80.0, t[late] - 50, Q, 0.2, 1.6, loss=0.02))
    assert endless(80.0, 0.0, Q, 0.2, 1.6) == 0.0


def test_the_endless_solution_obeys_its_equation():
    r, t, h, k = 90.0, 12.0, 0.02, 0.03
    c = {(i, j): float(endless(r + i * h, t + j * h, Q, 0.2, 1.6, loss=k)) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    spread = ((r + h) * c[1, 0] - 2 * r * c[0, 0] + (r - h) * c[-1, 0]) / (r * h**2)
    assert (c[0, 1] - c[0, -1]) / (2 * h) == pytest.approx(TMA / 1.6**2 * spread - k * c[0, 0], rel=1e-4)


def test_D3d_alpha_and_lambda_come_back_from_a_simulated_trace(record_property):
    times, r, traces = simulated((60.0, 100.0, 150.0))
    for chosen in ([1], [0, 1, 2]):
        found = fit_endless(r[chosen], times, traces[:, chosen], Q)
        record_property(f"alpha, lambda at {r[chosen]}", list(found.values.values()))
        assert found["alpha"] == pytest.approx(0.2, rel=0.02)
        assert found["lambda"] == pytest.approx(1.6, rel=0.02)
    rng = np.random.default_rng(4)
    noisy = traces + rng.normal(0, 0.03 * traces.max(axis=0), traces.shape)
    found = fit_endless(r, times, noisy, Q)
    record_property("alpha, lambda with noise of 3 %", list(found.values.values()))
    assert found["alpha"] == pytest.approx(0.2, rel=0.02)
    assert found["lambda"] == pytest.approx(1.6, rel=0.02)
    assert found.residual == pytest.approx(0.03 * np.sqrt(np.mean(traces.max(axis=0) ** 2)) / traces.max(), rel=0.2)


def simulated(distances):
    """Times, distances and traces of the iontophoresis of D3, in shells, at the shells nearest to these distances."""
    place = shells(np.r_[0.0, np.geomspace(2.0, 2000.0, 200)], 0.2, 1.6)
    tma = Species("TMA", place, D=TMA, scale=100.0)
    near = np.abs(place.centres[:, 0][:, None] - distances).argmin(axis=0)
    probe = Probe("traces", "uM", lambda c: c[tma][near])
    pipette = Source(spot(place, 0), tma, Q)
    run = simulate(Model([tma], [pipette]), 60.0, [probe], tolerance=Tolerance(1e-3, longest=1.0))
    late = run.times > 0.5
    return run.times[late], place.centres[near, 0], run["traces"][late]


def test_standard_errors_are_those_of_many_noisy_traces():
    r, t = np.array([100.0]), np.linspace(1, 60, 40)
    clean = endless(r, t[:, None], Q, 0.2, 1.6)
    rng = np.random.default_rng(1)
    fits = [fit_endless(r, t, clean + rng.normal(0, 20.0, clean.shape), Q) for _ in range(60)]
    for name in ("alpha", "lambda"):
        scatter = np.std(np.log([one[name] for one in fits]), ddof=1)
        assert np.mean([one.errors[name] for one in fits]) == pytest.approx(scatter, rel=0.3)


def test_a_loss_is_told_from_the_rest_by_a_pulse():
    r, t = np.array([70.0, 120.0]), np.linspace(1, 120, 60)
    traces = endless(r, t[:, None], Q, 0.2, 1.6, loss=0.01, off=50.0)
    found = fit_endless(r, t, traces, Q, loss=True, off=50.0)
    assert found.values == pytest.approx({"alpha": 0.2, "lambda": 1.6, "k": 0.01}, rel=1e-6)


def test_traces_of_the_level_alone_leave_alpha_and_lambda_unidentified():
    r, t = np.array([100.0]), np.linspace(2000.0, 2100.0, 20)
    level = endless(r, t[:, None], Q, 0.2, 1.6)
    noise = np.random.default_rng(0).normal(0, 5.0, level.shape)
    with pytest.warns(NotIdentified) as told:
        found = fit_endless(r, t, level + noise, Q)
    said = [str(one.message) for one in told]
    assert said[0].startswith("alpha is not identified by these traces: its standard error is ")
    assert said[1].startswith("lambda is not identified")
    assert found["lambda"] ** 2 / found["alpha"] == pytest.approx(12.8, rel=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_endless(r, np.linspace(1, 60, 20), endless(r, np.linspace(1, 60, 20)[:, None], Q, 0.2, 1.6) + noise, Q)


def test_the_sealed_box_fills_at_the_rate_of_its_source_and_starts_as_endless_tissue():
    box, middle = (np.array([-5.0, 0.0, 2.0]), np.array([5.0, 14.0, 11.0])), np.array([0.5, 6.0, 7.0])
    volume = 10 * 14 * 9 * 0.2
    near = middle + np.array([[1.0, 0, 0], [0, 1.5, 0]])
    t = np.geomspace(1e-4, 2e-3, 30)
    found = sealed_box(near, middle, box, t, Q, 0.2, np.full(3, 1.6))
    np.testing.assert_allclose(found, endless([1.0, 1.5], t[:, None], Q, 0.2, 1.6), atol=1e-6 * found.max())
    late = sealed_box(near, middle, box, np.linspace(0.01, 4, 200), Q, 0.2, np.full(3, 1.6))
    rate = (late[-1] - late[-2]) / (4 - 0.01) * 199
    np.testing.assert_allclose(rate, Q / volume, rtol=1e-6)


def test_the_sealed_box_holds_what_its_source_gave():
    sides = np.array([2.0, 3.0, 1.0])
    grid_points = grid("points", [0, 0, 0], sides, 0.1).centres
    t = np.array([1e-3, 3e-3])
    source = np.array([0.5, 1.1, 0.6])
    found = sealed_box(grid_points, source, (np.zeros(3), sides), np.linspace(1e-4, t[1], 40), 7.0, 0.3,
                       np.array([1.2, 1.5, 1.8]))
    assert found[-1].mean() * 0.3 * sides.prod() == pytest.approx(7.0 * t[1], rel=2e-3)


def test_the_sealed_box_is_what_a_grid_of_unequal_tortuosity_gives():
    """A grid of bricks stretched along each axis stands for a medium with a lambda of its own along each."""
    sides, tortuosity = np.array([2.0, 3.0, 1.5]), np.array([1.2, 1.5, 1.8])
    place = grid("ecs", [0, 0, 0], sides * tortuosity, 0.15)
    source = int(place.nearest(np.array([[0.8, 1.3, 0.7]]) * tortuosity)[0])
    far = np.linalg.norm(place.centres - place.centres[source], axis=1) > 0.9
    seen = np.flatnonzero(far)[::97]
    tma = Species("TMA", place, D=TMA, scale=0.1)
    probe = Probe("traces", "uM", lambda c: c[tma][seen])
    run = simulate(Model([tma], [Source(spot(place, source), tma, 1e4)]), 4e-3, [probe], tolerance=Tolerance(1e-3))
    here = place.centres / tortuosity
    expected = sealed_box(here[seen], here[source], (np.zeros(3), sides), run.times[1:], 1e4, 1.0 * tortuosity.prod(),
                          tortuosity)
    np.testing.assert_allclose(run["traces"][1:], expected, atol=0.005 * expected.max())


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: endless(1.0, 1.0, -1.0, 0.2, 1.6), "iontophoresis: flux is -1; it must be a finite number > 0"),
    (lambda: endless(1.0, 1.0, 1.0, 0.2, 1.6, loss=-1.0), "iontophoresis: loss is -1; it must be a finite number >= 0"),
    (lambda: fit_endless([1.0], np.arange(3.0), np.zeros((2, 1)), 1.0),
     r"traces have shape \(2, 1\); with 3 times and 1 distances it must be \(3, 1\)"),
    (lambda: fit_endless([1.0], np.array([1.0]), np.ones((1, 1)), 1.0),
     "1 measured values cannot give 2 parameters; record more"),
    (lambda: fit_endless([1.0], np.arange(1.0, 4), np.full((3, 1), np.nan), 1.0),
     "a measured trace is nan; it must be a finite number"),
])
def test_what_cannot_be_used_is_told(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
