"""The master equation: whole numbers kept, the statistics of equilibrium, exact times, and the PDE as its mean."""

import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

import numpy as np
import pytest
from acting import act_counted, end_step_counted
from numpy.typing import NDArray
from scipy.sparse import diags
from scipy.sparse.linalg import eigsh
from scipy.special import erfc
from scipy.stats import binom, chi2, poisson
from toy_mechanisms import Minis, Source, Spikes
from toy_places import random_tetrahedra, spot

import spatial.mechanisms
from spatial._engine.methods.master_equation import MasterEquation, master_equation
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.operators.jump_rates import hops, nonnegative, walk
from spatial._engine.system.assembly import assemble
from spatial._engine.system.right_hand_side import System
from spatial.checks import InputError
from spatial.draws import address_of
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.mglur import GqReceptor
from spatial.model import AtTimes, Model, Reaction, Species
from spatial.observe.probes import Probe
from spatial.simulate import simulate
from spatial.units import MOLECULES, molecule, ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


# Mechanisms in events

@dataclass(frozen=True)
class Passage:
    """`one` becomes `other` and back: rates [1/s] per molecule. The toy with a known equilibrium."""

    where: Place
    one: Species
    other: Species
    there: float
    back: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        net = self.there * c[self.one] - self.back * c[self.other]
        return {self.one: -net, self.other: net}

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return [Reaction({self.one: -1, self.other: 1}, self.there * c[self.one]),
                Reaction({self.other: -1, self.one: 1}, self.back * c[self.other])]


@dataclass(frozen=True)
class Bath:
    """Exchange with a bath of a fixed concentration, per measure of where it acts: births and deaths."""

    where: Place
    species: Species
    conductance: float
    bath: float

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.species: self.conductance * (self.bath - c[self.species])}

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return [Reaction({self.species: 1}, self.conductance * self.bath),
                Reaction({self.species: -1}, self.conductance * c[self.species])]


def playable() -> list[type]:
    """Every mechanism of the package that has reactions, and needs no more than places, species and numbers."""
    modules = [importlib.import_module(f"spatial.mechanisms.{m.name}")
               for m in pkgutil.iter_modules(spatial.mechanisms.__path__)]
    found = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)
             if kind.__module__ == module.__name__ and hasattr(kind, "reactions") and dataclasses.is_dataclass(kind)]
    return [kind for kind in found if {Species, Place, float, float | Floats} >= needed(kind)]


def needed(kind: type) -> set[Any]:
    """The types of what a mechanism cannot do without."""
    hints = get_type_hints(kind)
    return {hints[field.name] for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}


def example(kind: type, place: Place) -> Any:
    """A mechanism with its own parameters, species by the names of its fields, and 1.3 where it asks for a number."""
    given: dict[str, Any] = {"inactive": Species("inactive", place)} if kind is GqReceptor else {}
    for field in dataclasses.fields(kind):
        hint = get_type_hints(kind)[field.name]
        if hint is Place:
            given[field.name] = place
        elif hint is Species:
            given[field.name] = Species(field.name, place, signed=field.name in ("outside", "taken"))
        elif field.default is dataclasses.MISSING and field.name not in given:
            given[field.name] = 1.3
    return kind(**given)


def test_enough_mechanisms_have_reactions():
    names = {kind.__name__ for kind in playable()}
    assert names >= {"Buffer", "ERLeak", "PlasmaLeak", "SERCA", "PMCA", "Injection", "Conversion", "IP3Degradation",
                     "PLCBeta", "PLCDelta", "GqReceptor", "Transporter", "NTPDase", "CD73", "AdenosineUptake", "Best1"}


@pytest.mark.parametrize("kind", playable(), ids=lambda kind: kind.__name__)
def test_reactions_add_up_to_rates(kind):
    place = pool("anywhere", np.ones(50))
    mechanism = example(kind, place)
    species = [value for value in vars(mechanism).values() if isinstance(value, Species)]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        c = {one: rng.exponential(1.0, 50).clip(0, 1.4) for one in species}
        summed: dict[Species, Any] = {}
        for reaction in mechanism.reactions(c, 0.5):
            assert all(isinstance(n, int) for n in reaction.change.values())
            assert (np.asarray(reaction.rate) >= 0).all()
            for one, n in reaction.change.items():
                summed[one] = summed.get(one, 0.0) + n * reaction.rate
        rates = mechanism.rates(c, 0.5)
        assert summed.keys() == rates.keys()
        for one, rate in rates.items():
            size = np.abs(rate).max()
            assert size > 0
            np.testing.assert_allclose(summed[one], rate, rtol=1e-12, atol=1e-12 * size)


def test_a_receptor_counted_by_density_behaves_as_its_fraction():
    place = pool("anywhere", np.ones(5))
    glutamate, calcium, active = (Species(name, place) for name in ("glutamate", "calcium", "active"))
    rng = np.random.default_rng(0)
    c = {one: rng.random(5) for one in (glutamate, calcium, active)}
    fraction = GqReceptor(place, glutamate, calcium, active)
    counted = replace(fraction, density=400.0)
    many = counted.rates({**c, active: 400.0 * c[active]}, 0.0)[active]
    np.testing.assert_allclose(many, 400.0 * fraction.rates(c, 0.0)[active])


# Running it

def play(engine: MasterEquation, until: float, rng: np.random.Generator, longest: float = np.inf) -> Ints:
    """The whole state in molecules at the end of a run."""
    return path(engine, until, rng, longest)[2][-1]


def path(engine: MasterEquation, until: float, rng: np.random.Generator, longest: float = np.inf) -> Any:
    """Times, states and molecules after every slice of a run."""
    u, t = engine.start(rng), 0.0
    times, states = [t], [u]
    while t < until:
        u, t = engine.advance(u, t, until, rng, longest)
        times.append(t)
        states.append(u)
    return np.array(times), states, [engine.numbers(u) for u in states]


def engine_of(species: list[Species], *mechanisms: Any, **accuracy: float) -> MasterEquation:
    return master_equation(assemble(Model(species, mechanisms)), **accuracy)


def total(engine: MasterEquation, N: Ints, *species: Species) -> int:
    return sum(int(N[engine.system.layout.index(one)].sum()) for one in species)


def vials(n: int, molecules: float = 1.0) -> tuple[Place, float]:
    """n separate elements of 0.01 um^3, and the concentration of so many molecules in each."""
    return pool("vials", np.full(n, 0.01)), molecules * molecule / 0.01


def expect(counts: Ints, chances: Floats, level: float = 1e-3) -> None:
    """Chi-square test of how often 0, 1, 2 ... were found against their chances, rare ones taken together."""
    wanted = len(counts) * np.r_[chances, max(0.0, 1 - chances.sum())]
    found = np.bincount(np.minimum(counts, len(chances)), minlength=len(chances) + 1)
    common = wanted >= 5
    wanted = np.r_[wanted[common], wanted[~common].sum()]
    found = np.r_[found[common], found[~common].sum()]
    kept = wanted > 0
    assert found[~kept].sum() == 0
    statistic = ((found[kept] - wanted[kept]) ** 2 / wanted[kept]).sum()
    assert statistic < chi2.isf(level, kept.sum() - 1), (found, wanted)


# Laws

def cell() -> tuple[System, dict[str, Species]]:
    """Ca2+ in bad tetrahedra, with a mobile buffer, an ER behind a membrane, and a ledger of what is outside."""
    cytosol = random_tetrahedra(0, 40)
    n = 20
    er = pool("er", np.full(n, 0.01))
    ledger = pool("ledger", [1.0])
    inside = {"cytosol": np.arange(n), "er": np.arange(n)}
    er_membrane = Place("er membrane", 2, np.full(n, 0.2), np.zeros((n, 3)), touches=inside)
    membrane = Place("plasma membrane", 2, np.full(n, 0.2), np.zeros((n, 3)),
                     touches={"cytosol": np.arange(n, 2 * n), "ledger": np.zeros(n, np.int64)})
    of = {"calcium": Species("calcium", cytosol, 0.3, D=20.0), "free": Species("free", cytosol, 1.0, D=5.0),
          "bound": Species("bound", cytosol, 0.2, D=5.0), "store": Species("store", er, 20.0),
          "outside": Species("outside", ledger, 0.0, signed=True)}
    model = Model(of.values(), [
        Buffer(cytosol, of["calcium"], of["free"], of["bound"], kon=5.0, K=1.0),
        Passage(er_membrane, of["calcium"], of["store"], there=2.0, back=0.0),
        ERLeak(er_membrane, of["calcium"], of["store"]),
        PlasmaLeak(membrane, of["calcium"], of["outside"], influx=0.5),
        LinearExtrusion(membrane, of["calcium"], of["outside"], rate=2.0)])
    return assemble(model), of


@pytest.mark.parametrize(("hazard", "dwell", "until"), [(0.1, 0.5, 0.01), (20.0, 100.0, 0.3)],
                         ids=["short slices", "long slices"])
def test_every_molecule_is_kept_and_no_number_is_negative(hazard, dwell, until):
    system, of = cell()
    engine = master_equation(system, hazard, dwell)
    _, states, numbers = path(engine, until, np.random.default_rng(1))
    calcium = [total(engine, N, of["calcium"], of["bound"], of["store"], of["outside"]) for N in numbers]
    buffer = [total(engine, N, of["free"], of["bound"]) for N in numbers]
    assert len(set(calcium)) == len(set(buffer)) == 1
    outside = system.layout.index(of["outside"])
    assert min(np.delete(N, outside).min() for N in numbers) == 0
    assert len({int(N[outside][0]) for N in numbers}) > 5
    for u, N in zip(states, numbers, strict=True):
        np.testing.assert_allclose(u / engine.one, N, rtol=1e-14, atol=0)


def test_the_initial_state_is_rounded_without_bias():
    place = random_tetrahedra(1)
    start = np.random.default_rng(0).exponential(0.1, len(place))
    c = Species("c", place, start)
    engine = engine_of([c], Bath(place, c, 1.0, 1.0))
    rng = np.random.default_rng(2)
    drawn = np.array([engine.numbers(engine.start(rng)) for _ in range(2000)])
    exact = start * place.measure * MOLECULES
    assert np.abs(drawn - exact).max() < 1
    assert np.abs(drawn.sum(axis=1) - exact.sum()).max() < 1
    sigma = np.sqrt((exact % 1) * (1 - exact % 1) / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact) < 4.5 * sigma + 1e-9).all()


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    runs = [path(master_equation(cell()[0]), 2 * ms, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert not np.array_equal(runs[0][2][-1], runs[2][2][-1])


def test_a_step_leaves_its_argument_as_it_is_and_lands_on_its_stop():
    engine = master_equation(cell()[0])
    rng = np.random.default_rng(0)
    u = engine.start(rng)
    before = u.copy()
    after, t = engine.advance(u, 0.0, 1e-9, rng)
    assert t == 1e-9
    assert engine.advance(u, 0.0, 1.0, rng, longest=1e-8)[1] == 1e-8
    np.testing.assert_array_equal(u, before)
    assert after is not u


def test_what_nothing_changes_stays_as_it_is():
    place, one = vials(3)
    A, still, h = Species("A", place, one), Species("still", place, 0.123), Species("V", place, -70.0, unit="mV",
                                                                                   signed=True)
    engine = engine_of([A, still, h], Bath(place, A, 1.0, one))
    u, _ = engine.advance(engine.start(np.random.default_rng(0)), 0.0, 1.0, np.random.default_rng(0))
    assert (engine.system.state(u)[still] == 0.123).all()
    assert (engine.system.state(u)[h] == -70.0).all()


# Statistics of equilibrium

def test_births_and_deaths_are_poisson_in_equilibrium():
    n, mean = 4000, 3.0
    place, one = vials(n)
    A = Species("A", place, 0.0)
    N = play(engine_of([A], Bath(place, A, 10.0, mean * one)), 1.0, np.random.default_rng(5))
    expect(N, poisson.pmf(np.arange(20), mean))
    assert N.mean() == pytest.approx(mean, abs=3 * np.sqrt(mean / n))
    assert N.var() == pytest.approx(mean, abs=3 * np.sqrt((mean + 2 * mean**2) / n))


def test_a_fixed_number_of_molecules_is_binomial_in_equilibrium():
    place, ten = vials(4000, 10)
    A, B = Species("A", place, ten), Species("B", place, 0.0)
    engine = engine_of([A, B], Passage(place, A, B, 30.0, 70.0))
    N = play(engine, 0.12, np.random.default_rng(6))
    a, b = (N[engine.system.layout.index(one)] for one in (A, B))
    assert (a + b == 10).all()
    expect(b, binom.pmf(np.arange(11), 10, 0.3))


def test_poisson_numbers_of_two_states_stay_poisson():
    n, mean = 4000, 5.0
    place, one = vials(n)
    rng = np.random.default_rng(7)
    A, B = Species("A", place, rng.poisson(mean, n) * one), Species("B", place, 0.0)
    engine = engine_of([A, B], Passage(place, A, B, 30.0, 70.0))
    N = play(engine, 0.1, rng)
    for species, part in ((A, 0.7), (B, 0.3)):
        expect(N[engine.system.layout.index(species)], poisson.pmf(np.arange(25), part * mean))


@pytest.mark.parametrize("place", [random_tetrahedra(2, 200), grid("cytosol", [0, 0, 0], [1, 1, 1], 0.2)],
                         ids=["tetrahedra", "grid"])
def test_diffusion_spreads_molecules_evenly_by_volume(place):
    start = np.zeros(len(place))
    molecules = 20_000
    start[0] = molecules * molecule / place.measure[0]
    c = Species("c", place, start, D=10.0)
    N = play(engine_of([c]), 0.3, np.random.default_rng(8))
    wanted = molecules * place.measure / place.total
    common = wanted > 5
    statistic = ((N - wanted)[common] ** 2 / wanted[common]).sum()
    assert N.sum() == molecules
    assert chi2.isf(0.999, common.sum() - 1) < statistic < chi2.isf(0.001, common.sum() - 1)


def occupied(pairs: int, kon: float, koff: float, volume: float) -> Floats:
    """Chances of 0, 1 ... bound pairs of A + B <-> C in a volume [um^3], with as many A as B: birth and death."""
    k = np.arange(pairs)
    up, down = kon / (MOLECULES * volume) * (pairs - k) ** 2, koff * (k + 1)
    chances = np.cumprod(np.r_[1.0, up / down])
    return chances / chances.sum()


def bound_pairs(pairs: int, kon: float, koff: float, vials_of: int, hazard: float) -> Ints:
    """How many pairs are bound in each of so many vials, in equilibrium."""
    place, each = vials(vials_of, pairs)
    A, B, C = Species("A", place, each), Species("B", place, each), Species("C", place, 0.0)
    engine = engine_of([A, B, C], Buffer(place, A, B, C, kon=kon, K=koff / kon), hazard=hazard)
    N = play(engine, 12.0 / koff, np.random.default_rng(9))
    return N[engine.system.layout.index(C)]


@pytest.mark.parametrize(("pairs", "kon"), [(1, 240.0), (2, 100.0), (4, 60.0)])
def test_few_molecules_bind_as_the_exact_birth_death_process(pairs, kon):
    expect(bound_pairs(pairs, kon, 30.0, 8000, 0.1), occupied(pairs, kon, 30.0, 0.01))


def test_crowds_bind_right_in_short_slices_and_wrong_in_long_ones(record_property):
    mean = occupied(100, 2.4, 30.0, 0.01) @ np.arange(101)
    off = {hazard: bound_pairs(100, 2.4, 30.0, 2000, hazard).mean() / mean - 1 for hazard in (0.1, 0.3, 1.0)}
    record_property("bias", off)
    assert abs(off[0.1]) < 0.005
    assert abs(off[1.0]) > 3 * abs(off[0.3]) > 0.01


@pytest.mark.parametrize(("A0", "B0"), [(3000, 3000), (5000, 2000)])
def test_crowds_that_only_bind_follow_mass_action_in_slices_of_any_length(A0, B0):
    n, k, t = 50, 2e-3, 0.4  # k [1/s] for each pair: dx/dt = k (A0 - x)(B0 - x)
    place, one = vials(n)
    A, B, C = Species("A", place, A0 * one), Species("B", place, B0 * one), Species("C", place, 0.0, scale=one)
    engine = engine_of([A, B, C], Buffer(place, A, B, C, kon=k / one, K=0.0), hazard=2.0)
    N = play(engine, t, np.random.default_rng(20))
    if A0 == B0:
        exact = k * t * A0**2 / (1 + k * t * A0)
    else:
        fading = np.exp(-k * t * (A0 - B0))
        exact = A0 * B0 * (1 - fading) / (A0 - B0 * fading)
    found = N[engine.system.layout.index(C)]
    assert found.mean() == pytest.approx(exact, abs=4 * np.sqrt(B0 - exact + 1) / np.sqrt(n))


def chains(n: int, length: int, spacing: float) -> Place:
    """n separate rows of `length` cubes."""
    element = np.arange(n * length).reshape(n, length)
    links = np.stack([element[:, :-1].ravel(), element[:, 1:].ravel()], axis=1)
    return Place("chains", 3, np.full(n * length, spacing**3), np.zeros((n * length, 3)), links,
                 np.full(len(links), spacing))


def bound_in_chains(dwell: float, seed: int) -> Ints:
    """How many of two pairs are bound in each of 1500 rows of five cubes, through which they diffuse."""
    n, length, h = 1500, 5, 0.1
    place = chains(n, length, h)
    start = np.zeros((n, length))
    start[:, 0] = 2 * molecule / h**3
    A, B = (Species(name, place, start.ravel().copy(), D=10.0) for name in "AB")
    C = Species("C", place, 0.0, D=2.0)
    engine = engine_of([A, B, C], Buffer(place, A, B, C, kon=200.0, K=0.5), dwell=dwell)
    N = play(engine, 0.06, np.random.default_rng(seed))
    return N[engine.system.layout.index(C)].reshape(n, length).sum(axis=1)


def test_molecules_that_meet_by_diffusion_bind_as_in_the_whole_volume():
    expect(bound_in_chains(0.5, 10), occupied(2, 200.0, 100.0, 5 * 0.1**3))


# Times

def test_molecules_decay_at_their_rate():
    n, k = 20_000, 7.0
    place, one = vials(n)
    A, gone = Species("A", place, one), Species("gone", place, 0.0)
    engine = engine_of([A, gone], Conversion(place, A, gone, k))
    rng = np.random.default_rng(11)
    u, t = engine.start(rng), 0.0
    for stop in (0.05, 0.1, 0.3):
        while t < stop:
            u, t = engine.advance(u, t, stop, rng)
        left = total(engine, engine.numbers(u), A) / n
        p = np.exp(-k * stop)
        assert left == pytest.approx(p, abs=3 * np.sqrt(p * (1 - p) / n))


@pytest.mark.parametrize("longest", [1e-2, 1e-4], ids=["one slice of many jumps", "many slices of few"])
def test_walks_are_exact_whatever_the_slice(longest):
    """Molecules of the first of three cubes, against the matrix exponential."""
    from scipy.linalg import expm

    h, D, until, molecules = 0.1, 1.0, 1e-2, 100_000
    place = chains(1, 3, h)
    c = Species("c", place, np.array([molecules * molecule / h**3, 0.0, 0.0]), D=D)
    N = play(engine_of([c]), until, np.random.default_rng(12), longest)
    p = expm(-D * until / h**3 * stiffness(place).toarray())[0]
    assert ((N - molecules * p) ** 2 / (molecules * p)).sum() < chi2.isf(1e-3, 2)


def test_the_mean_first_passage_through_a_row_is_exact():
    """n cubes, r jumps per second to each neighbour, lost from the last at rate k: n (n - 1)/(2 r) + n/k."""
    n, length, h, D, k = 3000, 5, 0.1, 1.0, 100.0
    place, r = chains(n, length, h), D / h**2
    start = np.zeros((n, length))
    start[:, 0] = molecule / h**3
    ends = np.arange(n) * length + length - 1
    A, gone = Species("A", place, start.ravel(), D=D), Species("gone", place, 0.0)
    last = Place("ends", 3, np.full(n, h**3), np.zeros((n, 3)), touches={"chains": ends})
    engine = engine_of([A, gone], Conversion(last, A, gone, k))
    times, _, numbers = path(engine, 2.0, np.random.default_rng(13))
    left = np.array([total(engine, N, A) for N in numbers]) / n
    assert left[-1] == 0
    exact = length * (length - 1) / (2 * r) + length / k
    assert np.trapezoid(left, times) == pytest.approx(exact, abs=3 * exact / np.sqrt(n))


# Towards the PDE

def buffered_tube(molecules: float) -> tuple[Model, Species]:
    """A tube of 20 bricks, Ca2+ in its left half, so many in each brick there, and a mobile buffer everywhere."""
    place = grid("tube", [0, 0, 0], [2.0, 0.1, 0.1], 0.1)
    c0 = molecules * molecule / 0.1**3
    calcium = Species("calcium", place, np.where(place.centres[:, 0] < 1.0, c0, 0.0), D=100.0)
    free, bound = Species("free", place, c0, D=20.0), Species("bound", place, 0.0, D=20.0)
    binding = Buffer(place, calcium, free, bound, kon=500.0 / c0, K=c0)
    return Model([calcium, free, bound], [binding]), calcium


def test_the_mean_is_the_pde_and_noise_falls_with_the_root_of_the_number(record_property):
    until, sizes = 2 * ms, np.array([100.0, 3_000.0, 100_000.0])
    errors = []
    for molecules in sizes:
        model, calcium = buffered_tube(molecules)
        field = Probe("field", "uM", lambda c, calcium=calcium: c[calcium].copy())
        exact = simulate(model, until, [field], every=until)["field"][-1]
        engine = master_equation(assemble(model))
        N = play(engine, until, np.random.default_rng(14))
        found = (N * engine.one)[engine.system.layout.index(calcium)]
        errors.append(np.sqrt(np.mean((found - exact) ** 2)) / exact.mean())
        fewest = 1 / np.sqrt((exact / engine.one[0]).mean())  # the error that independent molecules have
    record_property("errors", errors)
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.08)
    assert 0.5 * fewest < errors[-1] < 1.5 * fewest


def test_D9_clamped_end_of_a_long_tube_to_5_per_cent():
    D, C0, h = 100.0, 50.0, 0.25
    place = grid("tube", [0, 0, 0], [15.0, 1.0, 1.0], h)
    x = np.unique(place.centres[:, 0])
    c = Species("c", place, 0.0, D=D)
    mouth = np.flatnonzero(place.centres[:, 0] < h)
    end = Place("mouth", 2, np.full(len(mouth), h**2), place.centres[mouth], touches={"tube": mouth})
    engine = engine_of([c], Bath(end, c, D / (h / 2), C0), dwell=1.0)
    rng = np.random.default_rng(15)
    u, t = engine.start(rng), 0.0
    for stop in (10 * ms, 20 * ms, 40 * ms):
        while t < stop:
            u, t = engine.advance(u, t, stop, rng)
        found = u.reshape(len(x), -1).mean(axis=1)
        np.testing.assert_allclose(found, C0 * erfc(x / (2 * np.sqrt(D * t))), atol=0.05 * C0)


# Jump rates

def slowest(place: Place, T: Floats) -> float:
    """Slowest rate of decay [1/s] at D = 1 in a sealed place with these transmissibilities."""
    K = stiffness(Place(place.name, 3, place.measure, place.centres, place.links, T))
    return float(eigsh(K.tocsc(), k=2, M=diags(place.measure).tocsc(), sigma=-0.05, return_eigenvectors=False).max())


@pytest.mark.parametrize("shape", [lambda: shapes.cylinder(0.25, 4.0, 0.085), lambda: shapes.cylinder(0.05, 1.0, 0.03),
                                   lambda: shapes.ball(0.5, 0.07), lambda: shapes.box((1.0, 0.8, 0.6), 0.07)],
                         ids=["cylinder", "thin cylinder", "ball", "box"])
def test_jump_rates_on_tetrahedra_have_the_right_D(shape, record_property):
    place = discretise(shape())["cytosol"]
    T = place.transmissibility
    assert (T < 0).mean() > 0.1
    found = nonnegative(place)
    assert found.min() >= 0
    right = slowest(place, T)
    off, clipped = slowest(place, found) / right - 1, slowest(place, np.maximum(T, 0)) / right - 1
    record_property("off", (off, clipped))
    assert abs(off) < 0.005
    assert clipped > 0.1


def test_jump_rates_of_a_grid_are_its_own():
    place = grid("tissue", [0, 0, 0], [1, 1, 1], 0.25, 0.2, 1.6)
    assert nonnegative(place) is place.transmissibility


@pytest.mark.parametrize("seed", range(3))
def test_no_element_is_cut_off_even_on_bad_tetrahedra(seed):
    place = random_tetrahedra(seed, 200)
    joined = hops(place)
    assert joined.leaving.min() > 0
    assert slowest(place, nonnegative(place)) > 0.3 * slowest(place, place.transmissibility)
    assert (joined.upto[joined.begins[1:] - 1] == 1.0).all()
    assert (np.diff(joined.upto)[np.delete(np.arange(len(joined.upto) - 1), joined.begins[1:-1] - 1)] >= 0).all()


# Instants, chance, and what is refused

def test_what_comes_at_instants_and_by_chance_comes_in_whole_molecules():
    place, one = vials(3000)
    A = Species("A", place, 0.0)
    engine = engine_of([A], Spikes(place, A, np.array([0.1]), 2.25 * one), Minis(place, A, 0.0),
                       Injection(place, A, 0.0))
    rng = np.random.default_rng(16)
    u = act_counted(engine, engine.start(rng), 0.1, rng)
    N = engine.numbers(u)
    assert set(N) == {2, 3}
    assert N.mean() == pytest.approx(2.25, abs=3 * np.sqrt(0.25 * 0.75 / 3000))
    np.testing.assert_array_equal(act_counted(engine, u, 0.2, rng), u)
    quanta = engine_of([A], Minis(place, A, 50.0), Bath(place, A, 0.0, 0.0))
    events = quanta.numbers(end_step_counted(quanta, quanta.start(rng), 0.1, 0.1, rng)) / (MOLECULES * 0.01)
    assert events.mean() == pytest.approx(5.0, abs=3 * np.sqrt(5.0 / 3000) + 0.01)


@dataclass(frozen=True, eq=False)
class Transfer(Spikes):
    """At each instant `dose` of the species becomes another."""

    into: Species

    @property
    def events(self) -> tuple[AtTimes, ...]:
        turn = {self.species: -self.dose, self.into: self.dose}
        return (AtTimes(self.times, (self.species, self.into), (self.species,), lambda c, t, rng: turn),)


def test_what_one_species_loses_at_an_instant_another_gains():
    place, one = vials(1000)
    A, B = Species("A", place, 4 * one), Species("B", place, 0.0)
    engine = engine_of([A, B], Transfer(place, A, np.array([0.1]), 1.5 * one, B))
    rng = np.random.default_rng(19)
    N = engine.numbers(act_counted(engine, engine.start(rng), 0.1, rng))
    a, b = (N[engine.system.layout.index(each)] for each in (A, B))
    assert (a + b == 4).all()
    assert set(b) == {1, 2}


def test_an_injection_brings_its_flux_while_it_is_open():
    place = pool("cytosol", [1.0])
    point = spot(place, 0)
    c = Species("c", place, 0.0)
    engine = engine_of([c], Injection(point, c, 1e4 * molecule, start=0.5))
    rng = np.random.default_rng(17)
    u, t = engine.start(rng), 0.0
    for stop, wanted in ((0.5, 0), (1.0, 5000)):
        while t < stop:
            u, t = engine.advance(u, t, stop, rng)
        assert abs(engine.numbers(u)[0] - wanted) <= 4 * np.sqrt(wanted)


def test_a_gate_that_is_a_fraction_and_what_has_no_reactions_are_refused():
    place, one = vials(1)
    ca, store, ip3, h = (Species(name, place, one) for name in ("calcium", "store", "IP3", "h"))
    with pytest.raises(InputError, match="LiRinzel has no reactions, so it cannot be played molecule by molecule; "
                                         "put a mechanism that has them in its stead"):
        engine_of([ca, store, ip3, h], LiRinzel(place, ca, store, ip3, h))
    with pytest.raises(InputError, match=r"Source has no reactions, .* give one of your own a method reactions\("):
        engine_of([ca], Source(place, ca, 1.0))


@dataclass(frozen=True)
class Odd:
    """Reactions that do not fit."""

    where: Place
    found: list[Reaction]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {species: n * np.max(reaction.rate) for reaction in self.found for species, n in reaction.change.items()}

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return self.found


def test_reactions_that_do_not_fit_are_refused():
    place, one = vials(2)
    A, number, V = Species("A", place, one), Species("n", place, 1.0, unit="1"), Species("V", place, 1.0, unit="mV")
    for change, rate, message in (
            ({A: 0.5}, 1.0, r"Odd: a reaction changes its species by \[0.5\]; use whole numbers"),
            ({A: 1, number: 1}, 1.0, "must change species that are all concentrations, or all numbers"),
            ({A: 1}, -1.0, "smallest value -1; it must have shape"),
            ({A: 1}, np.ones(3), r"has shape \(3,\) and smallest value 1; it must have shape \(2,\)"),
            ({V: 1}, 1.0, "'V' has the unit 'mV'; to be played molecule by molecule it must be"),
            ({Species("B", place): 1}, 1.0, "which is not a species of this model")):
        with pytest.raises(InputError, match=message):
            engine_of([A, number, V], Odd(place, [Reaction(change, rate)]))
    with pytest.raises(InputError, match="hazard of a molecule in a slice is 0"):
        engine_of([A], Bath(place, A, 1.0, one), hazard=0.0)
    tube = grid("tube", [0, 0, 0], [1, 1, 1], 0.5)
    with pytest.raises(InputError, match="diffuses and may be negative"):
        engine_of([Species("trace", tube, D=1.0, signed=True)])


def test_taking_more_than_there_is_at_an_instant_is_refused():
    place, one = vials(2)
    A = Species("A", place, one)
    engine = engine_of([A], Spikes(place, A, np.array([0.1]), -2 * one))
    with pytest.raises(InputError, match="Spikes takes more of 'A' than there is"):
        act_counted(engine, engine.start(np.random.default_rng(0)), 0.1, np.random.default_rng(0))


# Cost

def test_importing_compiles_nothing():
    code = ("from spatial._engine.methods import master_equation as m\n"
            "from spatial._engine.operators import jump_rates as j\n"
            "print([f.signatures for f in (m.play, m.strain, m.left, j.walk)])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[[], [], [], []]", done.stderr


def test_jumps_per_second(record_property):
    place = grid("cytosol", [0, 0, 0], [1, 1, 1], 0.05)
    how, rng = hops(place), np.random.default_rng(18)
    N = rng.poisson(2.0, len(place))
    kept, address = N.sum(), address_of(rng)
    args = (how.begins, how.neighbours, how.upto, how.leaving, 10.0)
    walk(*args, 1e-9, N, address)
    began = time.perf_counter()
    jumps = sum(walk(*args, 1e-4, N, address) for _ in range(10))
    record_property("jumps per second", jumps / (time.perf_counter() - began))
    expected = kept * 10 * 1e-4 * 10.0 * (how.leaving @ place.measure) / place.total
    assert jumps == pytest.approx(expected, rel=0.02)
    assert N.sum() == kept
