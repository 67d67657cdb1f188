"""IP3 receptors that open and close at random: laws, closed forms, and published numbers (biophysics B5).

Where Ca2+ and IP3 are held, all channels are alike and independent, and what is random is known exactly.
Means are compared within 3 standard errors of the mean; seeds are fixed.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import kstest, linregress
from toy_mechanisms import Source

from spatial._engine.methods.tolerance import Tolerance
from spatial.geometry.place import Floats, Ints, Mesh, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.calcium_leak import PlasmaLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.ip3r_channels import (
    IP3RChannels,
    Scheme,
    Transition,
    at_rest,
    channel_species,
    de_young_keizer,
    denizot,
)
from spatial.model import Mechanism, Model, Reaction, Species
from spatial.observe.probes import Probe, each, total
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.units import molecule

CUBE = ["".join(bits) for bits in product("01", repeat=3)]
SCHEMES = pytest.mark.parametrize("scheme", [denizot(), de_young_keizer()], ids=["denizot", "de_young_keizer"])


@dataclass(frozen=True)
class Cell:
    """A cytosol and an ER without space, and receptors that touch both."""

    model: Model
    channels: IP3RChannels

    @property
    def calcium(self) -> Species:
        return self.channels.calcium

    def watch(self, *probes: Any) -> list[Any]:
        return [*(each(one) for one in (*self.channels.states, self.channels.open)), *probes]


def points(name: str, n: int, cytosol: str = "cytosol", element: int = 0) -> Place:
    return Place(name, 0, np.ones(n), np.zeros((n, 3)),
                 touches={cytosol: np.full(n, element), "er": np.zeros(n, np.int64)})


def receptors(scheme: Scheme, counts: Ints, calcium: Species, store: Species, ip3: Species, name: str = "IP3R",
              element: int = 0, **what: Any) -> IP3RChannels:
    """Receptors at points in one element, with (n, states) first numbers."""
    where = points(name, len(counts), calcium.place.name, element)
    states, opened = channel_species(where, scheme, counts, receptor=name)
    return IP3RChannels(where, calcium, store, ip3, states, opened, scheme, **what)


def cell(scheme: Scheme, counts: Ints, calcium: float, ip3: float, mechanisms: tuple[Mechanism, ...] = (),
         volume: float = 0.1, **what: Any) -> Cell:
    """A cell whose Ca2+ only the channels change; with a permeability of 0 nothing does."""
    places = well_mixed({"cytosol": volume, "er": 0.01})
    ca, store = Species("calcium", places["cytosol"], calcium), Species("ER calcium", places["er"], 400.0)
    IP3 = Species("IP3", places["cytosol"], ip3)
    channels = receptors(scheme, counts, ca, store, IP3, **what)
    return Cell(Model((ca, store, IP3, *channels.states, channels.open), (channels, *mechanisms)), channels)


def held(scheme: Scheme, n: int, calcium: float, ip3: float, seed: int = 0, **what: Any) -> Cell:
    """`n` points with a channel each, in the steady state of the Ca2+ and IP3 at which they are held."""
    counts = at_rest(scheme, np.ones(n, np.int64), calcium, ip3, np.random.default_rng(seed))
    return cell(scheme, counts, calcium, ip3, permeability=0.0, **what)


def closed(scheme: Scheme, n: int, channels: int = 1) -> Ints:
    """(n, states) numbers with all subunits in the first state, which holds nothing."""
    return np.outer(np.full(n, channels * scheme.together), np.arange(len(scheme.states)) == 0).astype(np.int64)


def numbers(run: Recording, channels: IP3RChannels) -> Floats:
    """(times, n, states) that each point had at each time."""
    return np.stack([run[one.name].reshape(len(run.times), -1) for one in channels.states], axis=-1)


def generator(scheme: Scheme, calcium: float, ip3: float) -> Floats:
    """(states, states) Q of dp/dt = Q p for one subunit, written from the scheme's transitions."""
    drive = {"none": 1.0, "calcium": calcium, "IP3": ip3}
    Q = np.zeros((len(scheme.states),) * 2)
    for one in scheme.transitions:
        Q[one.end, one.start] += one.k * drive[one.ligand]
        Q[one.start, one.start] -= one.k * drive[one.ligand]
    return Q


def within_errors(sample: Floats, expected: float) -> bool:
    """Whether the mean of independent values is right within 3 standard errors."""
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    return bool(error > 0 and abs(sample.mean() - expected) < 3 * error)


# The schemes

@pytest.mark.parametrize("calcium", [0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 5.0])
@pytest.mark.parametrize("ip3", [0.1, 0.5, 2.0])
def test_O15_the_steady_state_of_de_young_keizer_is_that_of_detailed_balance(calcium, ip3):
    d1, d2, d3, d5 = 52 / 400, 0.21 / 0.2, 377.36 / 400, 1.65 / 20
    c = calcium
    expected = c * ip3 * d2 / ((c * ip3 + ip3 * d2 + d1 * d2 + c * d3) * (c + d5))
    scheme = de_young_keizer()
    assert scheme.at_rest(c, ip3)[scheme.open] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("calcium", "part"), [(0.05, 0.27003), (0.1, 0.35698), (0.2, 0.39117), (0.3, 0.37621),
                                               (0.5, 0.32580), (1.0, 0.23041), (5.0, 0.06556)])
def test_O15_subunits_of_de_young_keizer_are_open_as_published(calcium, part):
    scheme = de_young_keizer()
    assert scheme.at_rest(calcium, 0.5)[scheme.open] == pytest.approx(part, abs=1e-5)


@SCHEMES
@pytest.mark.parametrize(("calcium", "ip3"), [(0.1, 0.5), (3.0, 0.05), (0.5, 8.0)])
def test_every_edge_of_the_cube_is_in_detailed_balance(scheme, calcium, ip3):
    Q, at = generator(scheme, calcium, ip3), scheme.at_rest(calcium, ip3)
    forward = Q * at
    edges = [(i, j) for i, j in product(range(8), repeat=2) if i < j and Q[i, j] > 0]
    assert len(edges) == 12
    for i, j in edges:
        assert forward[i, j] == pytest.approx(forward[j, i], rel=1e-9)


@pytest.mark.parametrize(("calcium", "part"), [(0.12, 3.489e-5), (1.0, 2.847e-4), (10.0, 2.348e-3)])
def test_O18_channels_of_denizot_are_open_as_published(calcium, part):
    scheme = denizot()
    assert scheme.at_rest(calcium, 0.12)[scheme.open] == pytest.approx(part, rel=1e-3)


@SCHEMES
def test_nothing_opens_without_ip3_and_all_that_is_drawn_is_there(scheme):
    counts = at_rest(scheme, np.array([1, 1, 1]), 0.5, 0.0, np.random.default_rng(0))
    assert not counts[:, scheme.open].any()
    assert (counts.sum(axis=1) == scheme.together).all()


# Laws of a run in which channels and Ca2+ change one another

@SCHEMES
@pytest.mark.parametrize("exact", [True, False])
def test_numbers_stay_whole_and_conserved_and_say_what_is_open(scheme, exact):
    one = cell(scheme, closed(scheme, 40), 1.0, 2.0, exact=exact)
    run = simulate(one.model, 0.1, one.watch(), tolerance=Tolerance(longest=5e-3), seed=3)
    found = numbers(run, one.channels)
    assert (np.diff(found, axis=0) != 0).sum() > 200
    assert np.array_equal(found, np.rint(found))
    assert found.min() == 0
    assert (found.sum(axis=-1) == scheme.together).all()
    opened = run[one.channels.open.name]
    assert opened.max() == 1
    assert np.array_equal(opened, found[..., scheme.open] // scheme.together)


def test_many_channels_at_a_point_stay_as_many():
    scheme = denizot()
    one = cell(scheme, closed(scheme, 3, channels=500), 1.0, 2.0, exact=False)
    run = simulate(one.model, 0.1, one.watch(), tolerance=Tolerance(longest=1e-3), seed=3)
    found = numbers(run, one.channels)
    assert found.min() == 0
    assert (found.sum(axis=-1) == 500).all()
    assert run[one.channels.open.name].max() > 3
    assert np.array_equal(run[one.channels.open.name], found[..., scheme.open])


@SCHEMES
def test_calcium_is_conserved_through_openings_which_are_seen_one_by_one(scheme):
    one = cell(scheme, closed(scheme, 40), 1.0, 2.0)
    run = simulate(one.model, 0.3, [total(one.calcium), total(one.channels.store), total(one.channels.open)])
    opened = run["total open IP3R"]
    assert np.abs(np.diff(opened)).sum() > 50
    assert np.abs(np.diff(opened)).max() == 1
    assert run["total calcium"][-1] > 2 * run["total calcium"][0]
    everything = run["total calcium"] + run["total ER calcium"]
    assert np.abs(everything / everything[0] - 1).max() < 1e-12


def test_calcium_flows_exactly_while_a_channel_is_open():
    """What came out is the flux times the open time, whatever the length of the steps between."""
    scheme = denizot()
    one = cell(scheme, closed(scheme, 1), 10.0, 5.0, volume=10.0)
    run = simulate(one.model, 2.0, [total(one.calcium), total(one.channels.open)], seed=1,
                   tolerance=Tolerance(1e-4))
    opened, times = run["total open IP3R"], run.times
    assert (np.diff(opened) == 1).sum() > 20
    open_time = float(opened[:-1] @ np.diff(times))
    came = run["total calcium"][-1] - run["total calcium"][0]
    per_amount = 1 / 0.01 + 1 / 10.0
    expected = 390.0 / per_amount * -np.expm1(-one.channels.permeability * per_amount * open_time)
    assert came == pytest.approx(expected, rel=1e-4)


@SCHEMES
def test_the_reactions_are_the_rates_and_the_drift_of_the_states(scheme):
    rng = np.random.default_rng(1)
    one = cell(scheme, closed(scheme, 200), 0.5, 0.5)
    at, n = one.channels, 200
    counts = rng.multinomial(scheme.together if scheme.together > 1 else 30, np.full(8, 1 / 8), n)
    counts[:20] = np.eye(8, dtype=np.int64)[scheme.open] * scheme.together
    calcium, ip3 = rng.uniform(0.05, 5.0, n), rng.uniform(0.05, 5.0, n)
    c = {at.calcium: calcium, at.store: rng.uniform(0.0, 10.0, n), at.ip3: ip3,
         **dict(zip(at.states, counts.T.astype(float), strict=True)),
         at.open: (counts[:, scheme.open] // scheme.together).astype(float)}
    reactions = at.reactions(c, 0.0)
    drift = {species: np.zeros(n) for species in c}
    for reaction in reactions:
        assert np.min(reaction.rate) >= 0
        for species, change in reaction.change.items():
            drift[species] += change * reaction.rate
    for species, gain in at.rates(c, 0.0).items():
        assert drift[species] == pytest.approx(gain, rel=1e-12, abs=1e-15)
    expected = np.stack([generator(scheme, *both) @ held for *both, held in zip(calcium, ip3, counts, strict=True)])
    assert np.stack([drift[one] for one in at.states], axis=1) == pytest.approx(expected, rel=1e-12, abs=1e-9)
    assert drift[at.open] == pytest.approx(opening(scheme, counts, calcium, ip3), rel=1e-12, abs=1e-12)
    assert (c[at.open] > 0).sum() > 20 - 1


def opening(scheme: Scheme, counts: Ints, calcium: Floats, ip3: Floats) -> Floats:
    """Expected change of open channels per second, from what every subunit's step would do."""
    found = np.zeros(len(counts))
    for k, held in enumerate(counts):
        for step, rate in zip(scheme.transitions, scheme.rates(calcium[[k]], ip3[[k]])[0], strict=True):
            after = held[scheme.open] + (step.end == scheme.open) - (step.start == scheme.open)
            found[k] += held[step.start] * rate * (after // scheme.together - held[scheme.open] // scheme.together)
    return found


def test_more_calcium_is_felt_at_the_pore_than_in_the_element():
    scheme = denizot()
    one = cell(scheme, closed(scheme, 3), 0.5, 0.5, own=2.0, others=0.25)
    at = one.channels
    c = {at.calcium: np.full(3, 0.5), at.store: np.full(3, 400.0), at.ip3: np.full(3, 0.5),
         **{state: np.ones(3) for state in at.states}, at.open: np.array([1.0, 1.0, 0.0])}
    flux = at.permeability * 399.5
    binding = next(reaction for reaction in at.reactions(c, 0.0) if reaction.change.get(at.states[2]) == 1)
    assert binding.rate == pytest.approx(1.2 * (0.5 + flux * np.array([2.25, 2.25, 0.5])), rel=1e-12)


# What is random is known where Ca2+ and IP3 are held

@pytest.mark.parametrize(("scheme", "calcium", "ip3", "leaving", "until"), [
    pytest.param(denizot(), 10.0, 2.0, 400 + 50 + 0.016 * 10, 1.0, id="denizot"),
    pytest.param(de_young_keizer(), 0.3, 2.0, 3 * (52 + 1.65 + 0.2 * 0.3), 1.0, id="de_young_keizer")])
def test_channels_stay_open_for_exponential_times(scheme, calcium, ip3, leaving, until):
    one = held(scheme, 60, calcium, ip3)
    run = simulate(one.model, until, [each(one.channels.open)])
    times = np.concatenate([durations(run.times, opened, until - 20 / leaving) for opened in run["open IP3R"].T])
    assert len(times) > 500
    assert within_errors(times, 1 / leaving)
    assert kstest(times * leaving, "expon").pvalue > 0.01


def durations(times: Floats, opened: Floats, latest: float) -> Floats:
    """How long one channel stayed open, for every time it opened before `latest`."""
    change = np.diff(opened)
    begins, ends = times[1:][change == 1], times[1:][change == -1]
    ends = ends[ends > begins[0]] if len(begins) else ends[:0]
    done = min(len(begins), len(ends))
    return (ends[:done] - begins[:done])[begins[:done] < latest]


@SCHEMES
@pytest.mark.parametrize("exact", [True, False])
def test_occupancy_is_that_of_the_steady_state(scheme, exact):
    calcium, ip3 = (10.0, 2.0) if scheme.together == 1 else (0.3, 2.0)
    one = held(scheme, 300, calcium, ip3, exact=exact)
    run = simulate(one.model, 0.1, one.watch(), tolerance=Tolerance(longest=np.inf if exact else 1e-3), seed=5)
    length = np.diff(run.times) / run.times[-1]
    parts = np.einsum("t,tns->ns", length, numbers(run, one.channels)[:-1]) / scheme.together
    often = [(state, part) for state, part in enumerate(scheme.at_rest(calcium, ip3)) if part > 0.02]
    assert len(often) >= 3
    for state, expected in often:
        assert within_errors(parts[:, state], expected)
    opened = length @ run["open IP3R"][:-1]
    assert within_errors(opened, scheme.at_rest(calcium, ip3)[scheme.open] ** scheme.together)


@SCHEMES
@pytest.mark.parametrize("longest", [3e-4, np.inf])
@pytest.mark.parametrize("exact", [True, False])
def test_channels_open_as_their_master_equation_says_whatever_the_steps(scheme, longest, exact):
    """From all closed at once, so that what steps land on cannot hide."""
    calcium, ip3 = (20.0, 20.0) if scheme.together == 1 else (0.6, 5.0)
    n, until = (1500, 0.006) if scheme.together == 1 else (200 if exact else 1500, 0.12)
    one = cell(scheme, closed(scheme, n), calcium, ip3, permeability=0.0, exact=exact)
    longest = longest if scheme.together == 1 else 20 * longest
    run = simulate(one.model, until, [total(one.channels.open)], tolerance=Tolerance(longest=longest), seed=2)
    p = expm(generator(scheme, calcium, ip3) * until)[scheme.open, 0] ** scheme.together
    steady = scheme.at_rest(calcium, ip3)[scheme.open] ** scheme.together
    assert abs(p / steady - 1) > 0.05
    error = np.sqrt(n * p * (1 - p))
    assert abs(run["total open IP3R"][-1] - n * p) < 3 * error


@pytest.mark.slow
def test_leaps_that_are_short_agree_with_landing_on_every_opening():
    """With feedback: Ca2+ opens what lets it in, so that what acts too late is missed."""
    copies, n = 120, 20
    here = np.repeat(np.arange(copies), n)
    ca = Species("calcium", pool("cytosol", np.full(copies, 0.1)), 1.0)
    store, ip3 = Species("ER calcium", pool("er", np.ones(copies)), 400.0), Species("IP3", ca.place, 10.0)
    where = Place("IP3R", 0, np.ones(len(here)), np.zeros((len(here), 3)), touches={"cytosol": here, "er": here})
    scheme = denizot()
    states, opened = channel_species(where, scheme, closed(scheme, len(here)))

    def released(exact: bool, longest: float) -> Floats:
        channels = IP3RChannels(where, ca, store, ip3, states, opened, scheme, exact=exact)
        model = Model((ca, store, ip3, *states, opened), (channels,))
        return simulate(model, 0.1, [each(ca)], tolerance=Tolerance(longest=longest), seed=1)["calcium"][-1] - 1.0

    exact, short, long = released(True, np.inf), released(False, 5e-4), released(False, 0.04)
    error = np.sqrt((exact.var(ddof=1) + short.var(ddof=1)) / copies)
    assert abs(exact.mean() - short.mean()) < 3 * error < 0.5 * exact.mean()
    assert abs(exact.mean() - long.mean()) > 3 * error


def test_the_same_seed_gives_the_same_recording():
    scheme = denizot()
    one = cell(scheme, closed(scheme, 30), 1.0, 5.0)
    first, again, other = (simulate(one.model, 0.05, [total(one.calcium)], seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.times, again.times)
    assert np.array_equal(first["total calcium"], again["total calcium"])
    assert first["total calcium"][-1] != other["total calcium"][-1]


@pytest.mark.slow
def test_receptors_of_two_places_behave_as_each_does_alone():
    """Each place's openings cut short the other's paths, which must not be felt."""
    mesh = Mesh.of(pool("cytosol", [0.1, 0.1]), pool("er", [0.01]))
    ca = Species("calcium", mesh["cytosol"], np.array([10.0, 0.3]))
    store, ip3 = Species("ER calcium", mesh["er"], 400.0), Species("IP3", mesh["cytosol"], 2.0)
    sorts = {"quick": (denizot(), 10.0), "slow": (de_young_keizer(), 0.3)}
    n, made = 200, {}
    for element, (name, (scheme, calcium)) in enumerate(sorts.items()):
        counts = at_rest(scheme, np.ones(n, np.int64), calcium, 2.0, np.random.default_rng(element))
        made[name] = receptors(scheme, counts, ca, store, ip3, name, element, permeability=0.0)
    species = [one for channels in made.values() for one in (*channels.states, channels.open)]
    model = Model((ca, store, ip3, *species), made.values())
    run = simulate(model, 0.15, [each(channels.open) for channels in made.values()], seed=4)
    both = sum(np.abs(np.diff(run[f"open {name}"], axis=0)).sum(axis=1) for name in sorts)
    assert both.max() == 1
    for name, (scheme, calcium) in sorts.items():
        opened = np.diff(run.times) @ run[f"open {name}"][:-1] / 0.15
        assert (np.diff(run[f"open {name}"], axis=0) == 1).sum() > 100
        assert within_errors(opened, scheme.at_rest(calcium, 2.0)[scheme.open] ** scheme.together)


# Published numbers

def gates(opening: float, closing: float) -> Scheme:
    """h gates: one state that is open, one that is not."""
    return Scheme(("inactivated", "h"), (Transition(0, 1, opening), Transition(1, 0, closing)), open=1)


@pytest.mark.parametrize(("N", "sd"), [(1, 0.4583), (5, 0.2049), (10, 0.1449), (20, 0.1025), (50, 0.0648)])
def test_O19_the_part_of_open_gates_varies_as_published(N, sd):
    scheme = gates(0.7, 0.3)
    one = cell(scheme, closed(scheme, 4000, channels=N), 1.0, 1.0, permeability=0.0, exact=False)
    run = simulate(one.model, 12.0, [each(one.channels.open)], seed=N)
    h = run["open IP3R"][-1] / N
    assert h.std() == pytest.approx(sd, rel=0.05)
    assert within_errors(h, 0.7)


@pytest.mark.parametrize("scheme", [denizot(), de_young_keizer()], ids=["one unit", "three subunits"])
def test_channels_of_any_scheme_can_be_counted(scheme):
    one = cell(scheme, closed(scheme, 3), 1.0, 5.0)
    run = simulate(one.model, 1e-3, [total(one.channels.open)], method="stochastic")
    assert run.provenance["method"] == "MasterEquation"


@dataclass(frozen=True, eq=False)
class Catalysis:
    """IP3 made in proportion to Ca2+."""

    where: Place
    ip3: Species
    calcium: Species
    k: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.ip3: self.k * c[self.calcium]}

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return [Reaction({self.ip3: 1}, self.k * c[self.calcium])]


def denizot_2019(copies: int, receptors_each: int) -> Cell:
    """Denizot 2019 in two dimensions, several times at once: its molecules on 4e4 are ours where 4e4 make 1 uM.

    What is open lets 50 Ca2+ in per second from a store so large that it stays full.
    """
    area, full = 4e4, 1e6
    here = np.arange(copies)
    cytosol, store = pool("cytosol", np.full(copies, area * molecule)), pool("er", np.ones(copies))
    where = Place("IP3R", 0, np.ones(copies), np.zeros((copies, 3)), touches={"cytosol": here, "er": here})
    plasma = Place("plasma membrane", 2, np.ones(copies), np.zeros((copies, 3)),
                   touches={"cytosol": here, "ledger": here})
    outside = Species("outside", pool("ledger", np.ones(copies)), signed=True)
    table = {41.0: 1.0, 400.0: 0.1, 1.2: 1.0, 50.0: 0.1, 0.016: 0.1, 100.0: 0.1}
    scheme = replace(denizot(), transitions=tuple(replace(one, k=table[one.k]) for one in denizot().transitions))
    rng = np.random.default_rng(0)
    first = rng.poisson(52.0825, copies) / area, rng.poisson(13.0206, copies) / area
    ca, ip3 = Species("calcium", cytosol, first[0]), Species("IP3", cytosol, first[1])
    filled, gone = Species("ER calcium", store, full), Species("gone", cytosol)
    counts = at_rest(scheme, np.full(copies, receptors_each), 52.0825 / area, 13.0206 / area, rng)
    states, opened = channel_species(where, scheme, counts)
    channels = IP3RChannels(where, ca, filled, ip3, states, opened, scheme, permeability=50 * molecule / full)
    return Cell(Model((ca, ip3, filled, outside, gone, *states, opened), (
        channels, PlasmaLeak(plasma, ca, outside, influx=50 * molecule), LinearExtrusion(cytosol, ca, gone, rate=1.0),
        Catalysis(cytosol, ip3, ca, k=0.1 * 1e3 / area), Conversion(cytosol, ip3, gone, rate=0.01))), channels)


@pytest.mark.slow
def test_O17_the_molecules_of_denizot_2019_are_as_many_as_published():
    one = denizot_2019(copies=200, receptors_each=1000)
    at, until = one.channels, 100.0
    run = simulate(one.model, until, [each(at.calcium), each(at.ip3), each(at.open)], method="stochastic", seed=1)
    calcium, ip3, opened = (np.diff(run.times) @ run[name][:-1] / until for name in ("calcium", "IP3", "open IP3R"))
    assert within_errors(calcium * 4e4, 52.0825)
    assert within_errors(ip3 * 4e4, 13.0206)
    assert within_errors(opened, 0.04165)


def clusters(N: int, copies: int) -> Cell:
    """Clusters of N channels, each in a small cytosol of its own that is cleared within 10 ms."""
    here, rest = np.repeat(np.arange(copies), N), 0.5
    cytosol, store = pool("cytosol", np.full(copies, 0.05)), pool("er", np.full(copies, 10.0))
    ca, filled = Species("calcium", cytosol, rest), Species("ER calcium", store, 400.0)
    ip3, gone = Species("IP3", cytosol, 20.0), Species("gone", cytosol)
    where = Place("IP3R", 0, np.ones(len(here)), np.zeros((len(here), 3)), touches={"cytosol": here, "er": here})
    scheme = denizot()
    counts = at_rest(scheme, np.ones(len(here), np.int64), rest, 20.0, np.random.default_rng(N))
    states, opened = channel_species(where, scheme, counts)
    channels = IP3RChannels(where, ca, filled, ip3, states, opened, scheme)
    return Cell(Model((ca, filled, ip3, gone, *states, opened), (
        channels, LinearExtrusion(cytosol, ca, gone, rate=100.0), Source(cytosol, ca, 100.0 * rest))), channels)


def events(times: Floats, opened: Floats, apart: float) -> int:
    """Blips and puffs of one cluster: openings with none before them for `apart` [s]."""
    begins = times[1:][np.diff(opened) > 0]
    return int((np.diff(begins, prepend=-np.inf) > apart).sum())


@pytest.mark.slow
def test_O20_the_interval_between_events_of_a_cluster_is_linear_in_1_over_its_channels():
    sizes, until, intervals = (2, 4, 8, 16), 10.0, []
    for N in sizes:
        copies = 64 // N
        one = clusters(N, copies)
        by_cluster = Probe("open", "1", lambda c, one=one, N=N: c[one.channels.open].reshape(-1, N).sum(axis=1))
        run = simulate(one.model, until, [by_cluster], seed=N)
        found = sum(events(run.times, opened, 0.02) for opened in run["open"].T)
        assert found > 150
        intervals.append(until * copies / found)
    fit = linregress(1 / np.array(sizes), intervals)
    assert fit.rvalue ** 2 > 0.95
    assert fit.slope > 0


@pytest.mark.slow
def test_channels_open_as_often_as_they_should_where_steps_are_rejected():
    """Each opening upsets the field, whose steps are then taken again: their lengths must not favour openings."""
    n, runs, until, calcium, ip3 = 90, 240, 2.0, 0.12, 2.0
    scheme, openings, occupancy = denizot(), 0, 0.0
    for seed in range(runs):
        one = cell(scheme, at_rest(scheme, np.ones(n, np.int64), calcium, ip3, np.random.default_rng([seed, 1])),
                   calcium, ip3, volume=1e6)
        run = simulate(one.model, until, [total(one.channels.open)], seed=seed)
        opened = run["total open IP3R"]
        openings += int((np.diff(opened) > 0).sum())
        occupancy += float(opened[:-1] @ np.diff(run.times))
    expected = scheme.at_rest(calcium, ip3)[scheme.open]
    assert occupancy / (runs * until * n) == pytest.approx(expected, rel=0.08)  # bursts: 2 to 3 s.e.
    assert openings / (runs * until * n) == pytest.approx(expected * 450.002, rel=0.06)
