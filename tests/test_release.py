"""Release from the astrocyte at thresholds and at random: when it happens, how often, and how much it is.

The names R1, R2 ... are those of biophysics.md, part B7.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest
from test_calcium_ode import STIMBERG, cell
from toy_mechanisms import Source

from spatial._engine.methods.tolerance import Tolerance
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import BinomialExocytosis, Exocytosis, ThresholdExocytosis, contents
from spatial.mechanisms.ip3_degradation import IP3Degradation
from spatial.mechanisms.plc import PLCDelta
from spatial.model import AtTimes, Model, OnRise, Species
from spatial.observe.probes import Probe, each, mean, total
from spatial.observe.recording import Recording
from spatial.simulate import simulate

Floats = NDArray[np.float64]
CONTENT = 2.0  # uM um^3


@dataclass(frozen=True, eq=False)
class Wave:
    """Ca2+ that goes up and down: c(0) + size (sin(omega t + phase) - sin(phase))."""

    where: Place
    calcium: Species
    omega: Any
    phase: Any = 0.0
    size: float = 0.4

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.calcium: self.size * self.omega * np.cos(self.omega * t + self.phase)}


@dataclass(frozen=True, eq=False)
class Kick:
    """Ca2+ raised at once, at given instants."""

    where: Place
    calcium: Species
    times: Floats
    by: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(self.times, (self.calcium,), (self.calcium,), lambda c, t, rng: {self.calcium: self.by}),)


def sites(count: int, calcium: Any = 0.1) -> tuple[Mesh, Species, Species]:
    """Release sites, each on its own cytosol, around one ECS; the Ca2+ and the ATP."""
    mesh = Mesh.of(pool("cytosol", np.ones(count)), pool("ecs", [1.0]))
    where = Place("sites", 0, np.ones(count), np.zeros((count, 3)), touches={
        "cytosol": np.arange(count), "ecs": np.zeros(count, np.int64)})
    mesh = mesh.with_places(where)
    return mesh, Species("calcium", mesh["cytosol"], calcium, scale=1.0), Species("ATP", mesh["ecs"], scale=CONTENT)


def threshold_release(mesh: Mesh, ca: Species, atp: Species,
                      **values: Any) -> tuple[list[Species], ThresholdExocytosis]:
    x, released = Species("x", mesh["sites"], 1.0, unit="1"), Species("released", mesh["sites"], scale=CONTENT)
    return [x, released], ThresholdExocytosis(mesh["sites"], ca, x, released, atp, **{"resource": CONTENT} | values)


def binomial_release(mesh: Mesh, ca: Species, atp: Species, docked: int = 4,
                     **values: Any) -> tuple[list[Species], BinomialExocytosis]:
    ready, fused = (Species(name, mesh["sites"], at, unit="1") for name, at in (("docked", docked), ("fused", 0)))
    return [ready, fused], BinomialExocytosis(mesh["sites"], ca, ready, fused, atp, **{"content": CONTENT} | values)


# When something rises through a threshold


def test_release_happens_when_calcium_rises_through_the_threshold():
    """Ca2+ rises from 0.1 uM by 0.32 uM/s: it is at 0.5 uM after 1.25 s, whatever the steps."""
    mesh, ca, atp = sites(1)
    species, release = threshold_release(mesh, ca, atp)
    run = simulate(Model([ca, atp, *species], [Source(mesh["cytosol"], ca, 0.32), release]), 3.0, [total(atp)])
    when = run.times[np.flatnonzero(run["total ATP"])[0]]
    steps = np.diff(run.times)
    assert 1.25 <= when <= 1.25 + 2e-6 * 3.0
    assert steps.max() > 0.1
    assert run["total ATP"][-1] == pytest.approx(0.6 * CONTENT, rel=1e-12)


@pytest.mark.parametrize("engine", ["implicit", "explicit", "fipy"])
def test_every_engine_ends_a_step_behind_the_crossing(engine):
    mesh, ca, atp = sites(2, np.array([0.1, 0.3]))
    species, release = threshold_release(mesh, ca, atp, refill=0.0)
    run = simulate(Model([ca, atp, *species], [Source(mesh["cytosol"], ca, 0.32), release]), 2.0,
                   [each(species[1])], engine=engine, tolerance=Tolerance(longest=0.25))
    first, second = (run.times[np.flatnonzero(series)[0]] for series in run["released"].T)
    assert first == pytest.approx(1.25, abs=1e-6)
    assert second == pytest.approx(0.625, abs=1e-6)


def test_R8_there_is_one_event_for_each_time_that_calcium_rises():
    """Sites with oscillations of different frequency and phase: a sine rises through zero at each whole turn."""
    rng = np.random.default_rng(4)
    count, until = 12, 10.0
    omega, phase = rng.uniform(2.0, 12.0, count), rng.uniform(0, 2 * np.pi, count)
    start = 0.5 + 0.4 * np.sin(phase)
    mesh, ca, atp = sites(count, start)
    species, release = binomial_release(mesh, ca, atp)
    counting = Counted(release, seen := [])
    simulate(Model([ca, atp, *species], [Wave(mesh["cytosol"], ca, omega, phase), counting]), until,
             tolerance=Tolerance(1e-3))
    turns = np.floor((omega * until + phase) / (2 * np.pi))
    assert turns.sum() > 100
    np.testing.assert_array_equal(np.sum([risen for _, risen in seen], axis=0), turns)


@dataclass(frozen=True, eq=False)
class Counted:
    """A release whose events are written down: when, and where."""

    release: BinomialExocytosis
    seen: list[tuple[float, NDArray[np.bool_]]]

    @property
    def where(self) -> Place:
        return self.release.where

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {}

    @property
    def events(self) -> tuple[OnRise, ...]:
        rise, = (event for event in self.release.events if isinstance(event, OnRise))

        def change(c: Any, t: float, risen: NDArray[np.bool_], rng: Any) -> Any:
            self.seen.append((t, risen))
            return rise.change(c, t, risen, rng)

        return (replace(rise, change=change),)


def test_R8_events_come_when_a_sine_rises_through_the_threshold():
    mesh, ca, atp = sites(1, 0.5 + 0.4 * np.sin(4.0))
    species, release = binomial_release(mesh, ca, atp)
    counting = Counted(release, seen := [])
    simulate(Model([ca, atp, *species], [Wave(mesh["cytosol"], ca, 3.0, 4.0), counting]), 6.0,
             tolerance=Tolerance(1e-4))
    expected = (2 * np.pi * np.arange(1, 4) - 4.0) / 3.0
    assert [t for t, _ in seen] == pytest.approx(expected, abs=1e-3)


def test_what_starts_above_the_threshold_has_not_risen():
    mesh, ca, atp = sites(3, np.array([0.4, 0.5, 0.9]))
    species, release = threshold_release(mesh, ca, atp)
    run = simulate(Model([ca, atp, *species], [Source(mesh["cytosol"], ca, 0.2), release]), 2.0, [each(species[1])])
    np.testing.assert_allclose(run["released"][-1], [0.6 * CONTENT, 0.0, 0.0], rtol=1e-12)


def test_vesicles_fuse_only_where_calcium_has_risen():
    mesh, ca, atp = sites(3, np.array([0.1, 0.4, 0.9]))
    species, release = binomial_release(mesh, ca, atp, U=1.0, refill=0.0)
    run = simulate(Model([ca, atp, *species], [Source(mesh["cytosol"], ca, 0.2), release]), 1.0, [each(species[1])])
    np.testing.assert_array_equal(run["fused"][-1], [0, 4, 0])


def test_calcium_that_jumps_over_the_threshold_releases_at_that_instant():
    mesh, ca, atp = sites(1)
    species, release = threshold_release(mesh, ca, atp)
    kick = Kick(mesh["cytosol"], ca, np.array([0.7]), 0.6)
    run = simulate(Model([ca, atp, *species], [kick, release]), 1.0, [total(atp)])
    assert run.times[np.flatnonzero(run["total ATP"])[0]] == 0.7


def test_one_release_can_set_off_another_at_the_same_instant():
    """The ATP that the first site releases is what the second one waits for."""
    mesh, ca, atp = sites(1)
    species, release = threshold_release(mesh, ca, atp)
    mesh = mesh.with_points("others", [(0, 0, 0)], touching=["ecs"])
    x, second = Species("x of others", mesh["others"], 1.0), Species("set off", mesh["others"])
    other = ThresholdExocytosis(mesh["others"], atp, x, second, atp, resource=CONTENT, threshold=0.1)
    run = simulate(Model([ca, atp, *species, x, second], [Source(mesh["cytosol"], ca, 0.32), release, other]), 2.0,
                   [total(species[1]), total(second)])
    first, then = (np.flatnonzero(run[f"total {name}"])[0] for name in ("released", "set off"))
    assert first == then


def test_calcium_below_the_threshold_releases_nothing():
    mesh, ca, atp = sites(5, 0.3)
    species, release = binomial_release(mesh, ca, atp)
    run = simulate(Model([ca, atp, *species], [Wave(mesh["cytosol"], ca, 5.0, size=0.19), release]), 5.0, [total(atp)])
    assert run["total ATP"].max() == 0.0


# How much is released


def released_at_once(docked: int, n: int = 20_000, **values: Any) -> tuple[Floats, Floats]:
    """Vesicles fused at each of n sites by one rise of Ca2+, and the amounts that they released."""
    mesh, ca, _ = sites(n)
    holding = Species("holding", mesh["sites"], scale=CONTENT)
    species, release = binomial_release(mesh, ca, holding, docked, slots=docked, refill=0.0, **values)
    model = Model([ca, holding, *species], [Kick(mesh["cytosol"], ca, np.array([0.5]), 0.6), release])
    run = simulate(model, 1.0, [each(species[1]), each(holding)], seed=3)
    return run["fused"][-1], run["holding"][-1]


@pytest.mark.parametrize(("docked", "U"), [(4, 0.6), (1, 0.3), (10, 0.1)])
def test_R7_failures_mean_and_variance_of_an_event_are_binomial(docked, U):
    fused, _ = released_at_once(docked, U=U)
    n, spread = len(fused), docked * U * (1 - U)
    failures = (1 - U)**docked
    fourth = spread * (1 + (3 * docked - 6) * U * (1 - U))
    assert (fused == 0).mean() == pytest.approx(failures, abs=3 * np.sqrt(failures * (1 - failures) / n))
    assert fused.mean() == pytest.approx(docked * U, abs=3 * np.sqrt(spread / n))
    assert fused.var() == pytest.approx(spread, abs=3 * np.sqrt((fourth - spread**2) / n))


@pytest.mark.parametrize("cv", [0.0, 0.3])
def test_the_variance_of_an_event_is_that_of_the_number_and_of_the_quantum(cv):
    """Var = q^2 (N U (1 - U) + N U cv^2), mean = N U q (quantal analysis)."""
    _, amounts = released_at_once(4, U=0.6, cv=cv)
    n, variance = len(amounts), CONTENT**2 * (4 * 0.6 * 0.4 + 4 * 0.6 * cv**2)
    assert amounts.mean() == pytest.approx(2.4 * CONTENT, abs=3 * np.sqrt(variance / n))
    assert amounts.var() == pytest.approx(variance, rel=0.04)


def test_contents_vary_as_a_gamma_distribution_does():
    rng = np.random.default_rng(2)
    one = contents(np.ones(5000, np.int64), 3.0, 0.5, rng)
    assert kstest(one, "gamma", (4.0, 0.0, 0.75)).pvalue > 0.01
    assert (contents(np.zeros(10, np.int64), 3.0, 0.5, rng) == 0).all()
    np.testing.assert_array_equal(contents(np.arange(4), 3.0, 0.0, rng), [0, 3, 6, 9])


def test_the_threshold_form_is_the_mean_of_the_binomial_one():
    """Over three events 1 s apart, with refilling at 0.6 /s between them."""
    n, until = 4000, 3.0
    kicks, falls = np.array([0.5, 1.5, 2.5]), np.array([1.0, 2.0])
    amounts = []
    for make in (threshold_release, binomial_release):
        mesh, ca, atp = sites(n)
        values = {"resource": 4 * CONTENT} if make is threshold_release else {}
        species, release = make(mesh, ca, atp, **values)
        up, down = Kick(mesh["cytosol"], ca, kicks, 0.6), Kick(mesh["cytosol"], ca, falls, -0.6)
        run = simulate(Model([ca, atp, *species], [up, down, release]), until, [total(atp)], seed=8,
                       tolerance=Tolerance(1e-3, longest=0.05))
        amounts.append([run["total ATP"][np.searchsorted(run.times, t + 0.4)] / n for t in kicks])
    left = 1.0  # of the resource, before each event
    for k in range(3):
        assert amounts[0][k] - (amounts[0][k - 1] if k else 0.0) == pytest.approx(4 * CONTENT * 0.6 * left, rel=1e-3)
        left = 1 - (1 - 0.4 * left) * np.exp(-0.6)
    error = 3 * CONTENT * np.sqrt(3 * 0.96 / n)
    assert amounts[1] == pytest.approx(amounts[0], abs=error)


def first_fusions(docked: int, hazard: float, n: int = 3000) -> Floats:
    """(n,) when the first of the docked vesicles of each site fuses [s], at a constant hazard of each."""
    mesh, ca, _ = sites(n, 0.4)
    holding = Species("holding", mesh["sites"], scale=CONTENT)
    ready, fused = Species("docked", mesh["sites"], docked), Species("fused", mesh["sites"])
    release = Exocytosis(mesh["sites"], ca, ready, fused, holding, CONTENT, docked, r_max=2 * hazard, refill=0.0)
    run = simulate(Model([ca, holding, ready, fused], [release]), 4.0, [each(fused)], seed=docked,
                   tolerance=Tolerance(longest=0.01))
    first = (run["fused"] > 0).argmax(axis=0)
    assert (first > 0).mean() > 0.95
    return run.times[first]


@pytest.mark.parametrize(("docked", "hazard"), [(1, 1.0), (4, 0.5)])
def test_the_latency_of_the_first_vesicle_is_exponential_with_the_sum_of_the_hazards(docked, hazard):
    latency = first_fusions(docked, hazard)
    seen = latency[latency > 0]
    late = 1 - np.exp(-docked * hazard * 4.0)  # what fused within the run
    jitter = np.random.default_rng(0).uniform(0, 0.01, len(seen))  # within the step that saw it
    fits = kstest(np.maximum(seen - jitter, 0), lambda t: (1 - np.exp(-docked * hazard * t)) / late)
    assert fits.pvalue > 0.01
    assert len(seen) / len(latency) == pytest.approx(late, abs=3 * np.sqrt(late * (1 - late) / len(latency)) + 1e-12)


def test_what_was_released_is_in_the_ecs_to_the_last_digit():
    mesh, ca, atp = sites(6, 0.5 + 0.4 * np.sin(np.arange(6)))
    species, release = binomial_release(mesh, ca, atp, refill=3.0)
    x, release_2 = threshold_release(mesh, ca, atp)
    wave = Wave(mesh["cytosol"], ca, 4.0, np.arange(6.0))
    lost = Probe("lost", "uM um^3", lambda c: float(
        c[atp].sum() - CONTENT * c[species[1]].sum() - c[x[1]].sum()))
    run = simulate(Model([ca, atp, *species, *x], [wave, release, release_2]), 10.0,
                   [lost, each(species[0]), each(species[1]), total(atp)])
    assert run["total ATP"][-1] > 50
    np.testing.assert_allclose(run["lost"], 0.0, atol=1e-11)
    docked = run["docked"]
    assert (docked == np.rint(docked)).all()
    assert docked.min() >= 0
    assert docked.max() <= 4


def test_the_same_seed_releases_the_same():
    first, second, third = (simulate_once(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def simulate_once(seed: int) -> Floats:
    mesh, ca, atp = sites(20, 0.5 + 0.4 * np.sin(np.arange(20)))
    species, release = binomial_release(mesh, ca, atp, cv=0.2)
    wave = Wave(mesh["cytosol"], ca, 4.0, np.arange(20.0))
    return simulate(Model([ca, atp, *species], [wave, release]), 2.0, [total(atp)], seed=seed)["total ATP"]


def test_vesicles_fuse_at_thresholds_with_concentrations_and_are_refused_where_molecules_are_counted():
    """Slices miss thresholds; with concentrations Ca2+ rises from 0.1 to 1 uM at once and all vesicles fuse."""
    mesh, ca, atp = sites(50)
    species, release = binomial_release(mesh, ca, atp, U=1.0, content=1.0, refill=0.0)
    kick = Kick(mesh["cytosol"], ca, np.array([0.05]), 0.9)
    model, watch = Model([ca, atp, *species], [kick, release]), [each(species[1]), total(atp)]
    run = simulate(model, 0.1, watch)
    assert (run["fused"][-1] == 4).all()
    assert run["total ATP"][-1] == pytest.approx(200.0, rel=1e-3)
    with pytest.raises(InputError, match=r"^BinomialExocytosis acts where something rises through a threshold; .* "
                                         r"simulate with concentrations \(method='hybrid'\)$"):
        simulate(model, 0.1, watch, method="stochastic")


# Published


@dataclass(frozen=True, eq=False)
class IP3Bias:
    """J_ex of Stimberg 2018 at a bias, with sign(x) as tanh(x / 1 nM) (biophysics trap C2)."""

    where: Place
    ip3: Species
    bias: float
    F: float = 2.0
    threshold: float = 0.3
    width: float = 0.05

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        away = c[self.ip3] - self.bias
        gate = 1 + np.tanh((np.abs(away) - self.threshold) / self.width)
        return {self.ip3: -self.F / 2 * gate * np.tanh(away / 1e-3)}


def astrocyte_of_figure_3(bias: float) -> tuple[Recording, Floats]:
    """The astrocyte of Stimberg 2018 Fig. 3 for 16.5 s, and when it released."""
    one = cell(STIMBERG, ip3=0.4, calcium=0.0, h=0.9)
    places = one.places.with_places(Place("sites", 0, np.ones(1), np.zeros((1, 3)), touches={
        "cytosol": np.zeros(1, np.int64), "ecs": np.zeros(1, np.int64)}))
    cytosol = places["cytosol"]
    x, released = Species("x", places["sites"], 1.0, unit="1"), Species("released", places["sites"], scale=100.0)
    G, gone = Species("G", places["ecs"], scale=100.0), Species("G gone", places["ledger"], scale=100.0, signed=True)
    model = one.with_species(x, released, G, gone).model.with_mechanisms(
        PLCDelta(cytosol, one.ip3, one.calcium), IP3Degradation(cytosol, one.ip3, one.calcium),
        IP3Bias(cytosol, one.ip3, bias), Conversion(places["ecs"], G, gone, 60.0),
        ThresholdExocytosis(places["sites"], one.calcium, x, released, G, resource=6.5e-4 * 200e3))  # rho_e G_T [uM]
    run = simulate(model, 16.5, [mean(one.calcium), total(released)], tolerance=Tolerance(1e-4))
    steps = np.flatnonzero(np.diff(run["total released"]))
    return run, run.times[steps + 1]


@pytest.mark.parametrize(("bias", "times", "highest"), [(0.8, (2.085,), 1.0446), (1.25, (1.059, 10.342), 1.1869)])
def test_R1_R2_an_astrocyte_releases_when_and_as_much_as_published(bias, times, highest):
    run, when = astrocyte_of_figure_3(bias)
    assert when == pytest.approx(times, abs=0.01)
    assert run["mean calcium"].max() == pytest.approx(highest, rel=1e-3)
    increments = np.diff(run["total released"])
    assert increments[increments > 0] == pytest.approx((78.0, 77.82)[:len(times)], rel=1e-3)


# Messages


@pytest.mark.parametrize("make", [threshold_release, binomial_release])
def test_a_release_probability_above_one_is_refused(make):
    with pytest.raises(InputError, match=r"Exocytosis: U is 1.5; it must be a probability, at most 1$"):
        make(*sites(1), U=1.5)


@pytest.mark.parametrize("docked", [5, 2.5])
def test_vesicles_that_fit_no_slot_are_refused(docked):
    with pytest.raises(InputError, match=rf"^BinomialExocytosis: 'docked' begins with {docked:g} vesicles at a site; "
                                         r"it must be a whole number from 0 to slots, 4$"):
        binomial_release(*sites(1), docked=docked)
