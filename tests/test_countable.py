"""What is refused where molecules are counted, by name: laws on a few of them, growth, ceilings, thresholds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson
from test_master_equation import example, playable
from toy_places import spot

from spatial._engine.methods.master_equation import MasterEquation, master_equation
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.adenosine_transport import AdenosineUptake
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import BinomialExocytosis, Exocytosis
from spatial.mechanisms.injection import Injection
from spatial.mechanisms.mglur import GqReceptor
from spatial.mechanisms.pmca import PMCA
from spatial.mechanisms.serca import SERCA
from spatial.model import ConcentrationLaw, Model, Reaction, Species, laws_of
from spatial.observe.probes import total
from spatial.simulate import simulate
from spatial.units import MOLECULES, molecule

ONE = 1.0 / MOLECULES  # um^3, in which a molecule is 1 uM


@dataclass(frozen=True, eq=False)
class Own:
    """A mechanism of a user's own that declares nothing: reactions by what they change and how fast."""

    where: Place
    made_of: Callable[[Any], list[tuple[Mapping[Species, int], Any]]]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        gains: dict[Species, Any] = {}
        for change, rate in self.made_of(c):
            for species, count in change.items():
                gains[species] = gains.get(species, 0.0) + count * rate
        return gains

    def reactions(self, c: Any, t: float) -> list[Reaction]:
        return [Reaction(change, rate) for change, rate in self.made_of(c)]


def counted(species: list[Species], *mechanisms: Any) -> MasterEquation:
    return master_equation(assemble(Model(species, mechanisms)))


def refused(species: list[Species], *mechanisms: Any) -> str:
    with pytest.raises(InputError) as error:
        counted(species, *mechanisms)
    return str(error.value)


def box(molecules_per_uM: float, **initial: float) -> tuple[Place, dict[str, Species]]:
    """Two elements, the second twice as large, and species there; 1 uM is so many molecules in the first."""
    place = pool("cytosol", molecules_per_uM * ONE * np.array([1.0, 2.0]))
    return place, {name: Species(name, place, value) for name, value in initial.items()}


# Concentration laws

def test_a_pump_on_single_ions_is_refused_with_what_is_missing_where():
    mesh = well_mixed({"cytosol": 1e-3, "er": 1e-4}, {"er membrane": (0.01, ["cytosol", "er"])})
    ca, store = Species("calcium", mesh["cytosol"], 0.12), Species("store", mesh["er"], 400.0)
    assert refused([ca, store], SERCA(mesh["er membrane"], ca, store)) == (
        "SERCA: a rate of it is not in proportion to 'calcium' (a Hill or Michaelis law), and its half-activation, "
        "0.1 uM, is 0.06 molecules in an element of 0.001 um^3 of 'cytosol'; where molecules are counted such a law "
        "needs 20 there: take larger elements, sites that bind one by one, or simulate with concentrations "
        "(method='hybrid')")


@pytest.mark.parametrize(("molecules", "calcium", "said"), [
    (19.9, 2.0, "half-activation, 1 uM, is 20 molecules"), (20.0, 0.9, "what it starts from, 0.9 uM, is 18 molecules"),
    (20.0, 1.0, None)])
def test_a_law_needs_20_molecules_at_half_activation_and_where_it_starts_in_the_smallest_element(
        molecules, calcium, said):
    place, named = box(molecules, calcium=calcium)
    outside = Species("outside", place, signed=True)
    pump = PMCA(place, named["calcium"], outside, K=1.0)
    if said is None:
        counted([named["calcium"], outside], pump)
    else:
        assert said in refused([named["calcium"], outside], pump)


def test_a_michaelis_law_may_start_from_nothing():
    place, named = box(20.0, adenosine=0.0, taken=0.0)
    counted(list(named.values()), AdenosineUptake(place, named["adenosine"], named["taken"], K=1.0))


def test_a_law_of_what_is_not_counted_is_no_matter():
    place, named = box(0.01, calcium=1.0, taken=0.0)
    still = Species("still", place, 1.0)
    counted([*named.values(), still], Own(place, lambda c: [({named["taken"]: 1}, c[still] / (1 + c[still]))]))


def test_vesicles_with_a_hazard_by_single_ions_are_refused():
    mesh = well_mixed({"cytosol": 1e-3, "ecs": 1.0}).with_points("sites", np.zeros((1, 3)), touching=["cytosol", "ecs"])
    ca, atp = Species("calcium", mesh["cytosol"], 0.1), Species("ATP", mesh["ecs"])
    docked, fused = Species("docked", mesh["sites"], 4.0, unit="1"), Species("fused", mesh["sites"], unit="1")
    leak = Own(mesh["cytosol"], lambda c: [({ca: 1}, 1.0), ({ca: -1}, c[ca])])
    assert refused([ca, atp, docked, fused], leak, Exocytosis(mesh["sites"], ca, docked, fused, atp, 1.0)).startswith(
        "Exocytosis: a rate of it is not in proportion to 'calcium'")


LAWS: dict[str, Callable[[Any], Any]] = {
    "Michaelis": lambda x: x / (1 + x), "Hill": lambda x: x**4 / (1 + x**4), "inhibition": lambda x: 1 / (1 + x),
    "cooperative inhibition": lambda x: 1 / (1 + x**4), "on top of a base": lambda x: 3 + x / (1 + x),
    "a bell": lambda x: x**2 / (1 + x**2) * 30 / (30 + x**2), "a threshold": lambda x: 1.0 * (x > 1),
    "tanh": lambda x: np.tanh(1.1 * x), "constant but at nothing": lambda x: 1.0 * (x > 0)}


@pytest.mark.parametrize("taken", [False, True], ids=["read", "taken"])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("K", [0.03, 1.0, 12.0])
def test_an_undeclared_law_is_found_by_its_rates(law, K, taken):
    place, named = box(1.0, a=100.0, b=0.0)
    a, b = named.values()
    change = {a: -1, b: 1} if taken else {b: 1}
    said = refused([a, b], Own(place, lambda c: [(change, LAWS[law](c[a] / K)), ({b: -1, a: 1}, 7.0 * c[b])]))
    assert said.startswith("Own: a rate of it is not in proportion to 'a' (a Hill or Michaelis law), and its half-")


@pytest.mark.parametrize("law", [law for law in LAWS if law not in ("a threshold", "constant but at nothing")])
def test_an_undeclared_law_of_many_molecules_is_not_refused(law):
    place, named = box(1e3, a=10.0, b=0.0)
    a, b = named.values()
    counted([a, b], Own(place, lambda c: [({b: 1}, LAWS[law](c[a])), ({b: -1, a: 1}, 7.0 * c[b])]))


@pytest.mark.parametrize("K", [0.5, 4.0, 15.0])
@pytest.mark.parametrize("law", ["Michaelis", "Hill", "inhibition", "cooperative inhibition", "on top of a base"])
def test_the_half_activation_that_is_found_is_right(law, K):
    place, named = box(1.0, a=100.0, b=0.0)
    a, b = named.values()
    said = refused([a, b], Own(place, lambda c: [({b: 1}, LAWS[law](c[a] / K)), ({b: -1, a: 1}, 7.0 * c[b])]))
    assert float(said.split("half-activation, ")[1].split(" uM")[0]) == pytest.approx(K, rel=0.12)


@pytest.mark.parametrize("power", [0.5, 1.5, 2.0])
def test_other_powers_than_those_taken_need_many_molecules_at_the_start(power):
    for start, is_refused in ((19.0, True), (21.0, False)):
        place, named = box(1.0, a=start, b=0.0)
        a, b = named.values()
        own = Own(place, lambda c, a=a, b=b: [({b: 1}, c[a] ** power), ({b: -1, a: 1}, 7.0 * c[b])])
        if is_refused:
            assert "what it starts from, 19 uM, is 19 molecules" in refused([a, b], own)
        else:
            counted([a, b], own)


@pytest.mark.parametrize(("floor", "start", "is_refused"), [
    (0.01, 1.0, False), (5.0, 30.0, False), (5.0, 10.0, True), (5.0, 0.0, True)])
def test_a_floor_far_below_what_is_there_or_below_a_molecule_is_no_law(floor, start, is_refused):
    place, named = box(1.0, a=start, b=0.0)
    a, b = named.values()
    own = Own(place, lambda c: [({b: 1}, np.maximum(c[a] - floor, 0.0)), ({b: -1, a: 1}, 7.0 * c[b])])
    if is_refused:
        assert "and what it starts from, " in refused([a, b], own)
    else:
        counted([a, b], own)


def test_what_is_taken_at_a_rate_that_does_not_fall_with_it_needs_many_molecules():
    for start, is_refused in ((3.0, True), (30.0, False)):
        place, named = box(1.0, a=start, b=0.0)
        a, b = named.values()
        own = Own(place, lambda c, a=a, b=b: [({a: -1, b: 1}, 2.0)])
        assert not is_refused or "what it starts from, 3 uM, is 3 molecules" in refused([a, b], own)
        if not is_refused:
            counted([a, b], own)


ELEMENTARY: dict[str, Callable[[Any, Species, Species, Species], Any]] = {
    "first order": lambda c, a, b, d: [({a: -1, b: 1}, 3.0 * c[a])],
    "to and fro in one": lambda c, a, b, d: [({a: -1, b: 1}, np.maximum(3.0 * c[a] - 2.0 * c[b], 0.0)),
                                             ({b: -1, a: 1}, np.maximum(2.0 * c[b] - 3.0 * c[a], 0.0))],
    "a pair": lambda c, a, b, d: [({a: -1, b: -1, d: 1}, c[a] * c[b]), ({a: 1, b: 1, d: -1}, c[d])],
    "two of one": lambda c, a, b, d: [({a: -2, d: 1}, c[a] ** 2), ({a: 2, d: -1}, c[d])],
    "an enzyme": lambda c, a, b, d: [({a: -1, d: 1}, c[a] * c[b])],
    "an enzyme beside a base": lambda c, a, b, d: [({a: -1, d: 1}, c[a] * (1.0 + c[b]))],
    "birth by another": lambda c, a, b, d: [({d: 1}, c[a]), ({d: -1}, c[d])],
    "birth by either": lambda c, a, b, d: [({d: 1}, 1.0 + c[a] + c[b]), ({d: -1}, c[d])],
    "complex with two": lambda c, a, b, d: [({a: -2, b: -1, d: 1}, c[a] ** 2 * c[b]), ({a: 2, b: 1, d: -1}, c[d])]}


@pytest.mark.parametrize("kind", ELEMENTARY)
def test_elementary_reactions_of_single_molecules_are_played(kind):
    place, named = box(0.3, a=1.0, b=1.0, d=0.0)
    counted(list(named.values()), Own(place, lambda c: ELEMENTARY[kind](c, *named.values())))


def test_rates_that_are_no_number_without_a_species_are_refused():
    place, named = box(1.0, a=1.0, b=1.0)
    a, b = named.values()
    with np.errstate(all="ignore"):
        said = refused([a, b], Own(place, lambda c: [({a: -1, b: 1}, c[a] ** 2 / c[a])]))
    assert said == ("Own: the rate of a reaction is not a finite number where there is little or no 'a'; it must be "
                    "finite and >= 0 there")


def test_rates_that_are_no_number_without_a_species_of_which_there_is_plenty_are_played():
    place, named = box(1.0, a=1e4, b=1.0)
    a, b = named.values()
    with np.errstate(all="ignore"):
        counted([a, b], Own(place, lambda c: [({b: 1}, np.log(c[a])), ({b: -1}, c[b])]))


@dataclass(frozen=True, eq=False)
class Declaring(Own):
    """The same, with laws."""

    laws: Any = ()


def test_declared_laws_are_taken_as_declared_and_must_be_laws():
    place, named = box(1.0, a=100.0, b=0.0)
    a, b = named.values()

    def rate(c: Any) -> Any:
        return [({b: 1}, c[a] / (0.01 + c[a])), ({b: -1, a: 1}, 7.0 * c[b])]

    counted([a, b], Declaring(place, rate, (ConcentrationLaw(a, K=20.0),)))
    few = Declaring(place, rate, (ConcentrationLaw(a, K=19.0),))
    assert "half-activation, 19 uM, is 19 molecules" in refused([a, b], few)
    with pytest.raises(InputError, match=r"^Declaring: laws must be a tuple of ConcentrationLaw, such as \("):
        laws_of(Declaring(place, rate, [a]))
    with pytest.raises(InputError, match=r"law of 'a': K is -1; it must be a finite number >= 0"):
        ConcentrationLaw(a, K=-1.0)


class WideLaws:
    """Another mechanism, with all laws that it declares at so high a concentration that they do not matter."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.laws = tuple(ConcentrationLaw(law.species, K=1e9) for law in laws_of(inner))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("kind", playable(), ids=lambda kind: kind.__name__)
def test_every_mechanism_declares_the_laws_that_are_found_by_its_rates(kind):
    mechanism = example(kind, pool("anywhere", 0.3 * ONE * np.ones(3)))
    species = [value for value in vars(mechanism).values() if isinstance(value, Species)]
    turnover = Own(mechanism.where, lambda c: [({kind: 1}, 1.0) for kind in species] + [
        ({kind: -1}, c[kind]) for kind in species if not kind.signed])
    counted(species, turnover, WideLaws(mechanism))


def test_a_reaction_that_is_said_to_be_elementary_is_no_law():
    place, named = box(1.0, a=100.0, b=0.0)
    a, b = named.values()

    @dataclass(frozen=True, eq=False)
    class Vouched(Own):
        def reactions(self, c: Any, t: float) -> list[Reaction]:
            return [Reaction(change, rate, elementary=True) for change, rate in self.made_of(c)]

    counted([a, b], Vouched(place, lambda c: [({b: 1}, c[a] / (1 + c[a])), ({b: -1, a: 1}, 7.0 * c[b])]))


# Thresholds, growth, and ceilings

def test_release_at_a_threshold_is_refused():
    mesh = well_mixed({"cytosol": 1.0, "ecs": 1.0}).with_points("sites", np.zeros((1, 3)), touching=["cytosol", "ecs"])
    ca, atp = Species("calcium", mesh["cytosol"], 0.1), Species("ATP", mesh["ecs"])
    docked, fused = Species("docked", mesh["sites"], 4.0, unit="1"), Species("fused", mesh["sites"], unit="1")
    assert refused([ca, atp, docked, fused], BinomialExocytosis(mesh["sites"], ca, docked, fused, atp, 1.0)) == (
        "BinomialExocytosis acts where something rises through a threshold; where molecules are counted that is looked "
        "at only at the ends of slices, which miss rises and fall for noise; simulate with concentrations "
        "(method='hybrid')")


@pytest.mark.parametrize("growing", [
    lambda c, x, s: [({x: 1}, c[x])], lambda c, x, s: [({x: 1}, 1.0 + c[x])],
    lambda c, x, s: [({s: -1, x: 1}, c[s] * c[x])], lambda c, x, s: [({x: 2}, c[x]), ({x: -1}, c[x])],
    lambda c, x, s: [({x: 1, s: 1}, c[x])]],
    ids=["X -> 2X", "with a base", "X + S -> 2X", "by two", "with another"])
def test_growth_of_what_makes_itself_is_refused(growing):
    place, named = box(1e3, x=1.0, s=1.0)
    x, s = named.values()
    assert refused([x, s], Own(place, lambda c: growing(c, x, s))) == (
        "Own makes 'x' the faster the more of it there is; where molecules are counted what grows so in a slice comes "
        "too late, and the mean is too low; simulate with concentrations (method='hybrid')")


def test_what_others_make_is_not_refused():
    place, named = box(1e3, a=1.0, b=1.0)
    a, b = named.values()
    counted([a, b], Own(place, lambda c: [({b: 1}, c[a])]), Own(place, lambda c: [({a: 1}, 3.0)]))


def receptors(**given: Any) -> tuple[list[Species], GqReceptor]:
    mesh = well_mixed({"cytosol": 10.0, "ecs": 10.0}, {"plasma membrane": (1.0, ["cytosol", "ecs"])})
    where = mesh["plasma membrane"]
    glutamate, ca = Species("glutamate", mesh["ecs"], 100.0), Species("calcium", mesh["cytosol"], 0.1)
    active = Species("active", where, unit="1/um^2")
    inactive = Species("inactive", where, 4.0, unit="1/um^2")
    species = [glutamate, ca, active, inactive]
    return species, GqReceptor(where, glutamate, ca, active, **{
        name: inactive if name == "inactive" else value for name, value in given.items()})


def test_receptors_without_an_inactive_species_are_refused():
    species, mechanism = receptors(density=4.0)
    assert refused(species, mechanism) == (
        "GqReceptor: more receptors could become active than there are, for the others are no species; give them as "
        "inactive, and both as numbers [1/um^2]")
    with pytest.raises(InputError, match="GqReceptor: density and inactive are both given; "):
        receptors(density=4.0, inactive=True)


def test_no_more_receptors_are_active_than_there_are():
    species, mechanism = receptors(inactive=True)
    run = simulate(Model(species, [mechanism]), 2.0, [total(species[2]), total(species[3])], method="stochastic")
    active, inactive = run["total active"], run["total inactive"]
    np.testing.assert_allclose(active + inactive, 4.0, rtol=1e-12)
    assert 3 <= active.max() <= 4
    steady = simulate(Model(species, [mechanism]), 2.0, [total(species[2])])["total active"][-1]
    on, off = 30.0, mechanism.ending(np.array(0.1))
    assert steady == pytest.approx(4 * on / (on + off), rel=0.02)


def test_what_is_made_out_of_nothing_up_to_a_number_is_refused():
    place, named = box(1.0, ligand=1.0, active=0.0)
    ligand, active = named.values()
    for rate in (lambda c: 9.0 * c[ligand] * np.maximum(40.0 - c[active], 0.0), lambda c: 9.0 * (c[active] < 4.0)):
        said = refused([ligand, active], Own(place, lambda c, rate=rate: [({active: 1}, rate(c)),
                                                                        ({active: -1}, c[active])]))
        assert said == ("Own makes 'active' out of nothing, up to a number that is only a parameter, so that more may "
                        "come in a slice than there are; where molecules are counted give what it is made of as a "
                        "species, which the reaction takes")


# Pairs in small elements

def cubes(spacing: float) -> Place:
    return grid("cytosol", [0, 0, 0], [5 * spacing] * 3, spacing)


def binding(place: Place, D: float, kon: float = 1000.0, where: Place | None = None) -> tuple[list[Species], Buffer]:
    A, B = (Species(name, place, 10 * molecule / place.total, D=D) for name in "AB")
    C = Species("C", place, 0.0, D=D)
    return [A, B, C], Buffer(where or place, A, B, C, kon=kon, K=1.0)


def test_fast_binding_in_small_elements_is_refused_and_in_larger_ones_is_not():
    species, buffer = binding(cubes(0.01), 5.0)
    assert refused(species, buffer) == (
        "Buffer: a pair of 'A' and 'B' in one element of 'cytosol', on average 1e-06 um^3, reacts within 6e-07 s, so "
        "slices of 2.1e-06 s lose 72% of its reactions; take larger elements, slices of at most 1e-07 s "
        "(Tolerance(longest=...)), or simulate with concentrations (method='hybrid')")
    larger, same = binding(cubes(0.2), 5.0)
    counted(larger, same)


def test_slices_that_are_short_enough_are_enough():
    species, buffer = binding(cubes(0.01), 5.0)
    with pytest.raises(InputError, match="in one element of 'cytosol'"):
        simulate(Model(species, [buffer]), 1e-6, method="stochastic")
    run = simulate(Model(species, [buffer]), 2e-6, method="stochastic", tolerance=Tolerance(longest=1e-7))
    assert run.provenance["steps"] >= 20


def test_sites_in_a_small_element_of_a_coarse_mesh_are_refused():
    """Where sites are few of the volume, what they lose is all that binds: .4 of 10 are bound where 9.8 are exact."""
    measure = np.array([1e-3, 5e-7, 1e-3])
    place = Place("cytosol", 3, measure, np.zeros((3, 3)), np.array([[0, 1], [1, 2]]), np.full(2, 0.01))
    A, C = Species("A", place, 16.6, D=20.0), Species("C", place)
    everywhere, there = Species("B", place, 0.1), Species("B", place, np.array([0.0, 0.1, 0.0]))
    counted([A, everywhere, C], Buffer(place, A, everywhere, C, kon=10.0, K=1.0))
    assert "on average 5e-07 um^3" in refused([A, there, C], Buffer(place, A, there, C, kon=10.0, K=1.0))
    there = spot(place, 1)
    sites, taken = Species("sites", there, 0.1 * 5e-7), Species("taken", there)
    assert "on average 5e-07 um^3" in refused([A, sites, taken], Buffer(there, A, sites, taken, kon=10.0, K=1.0))


def test_an_enzyme_that_hardly_meets_its_substrate_is_refused_too():
    place = cubes(0.01)
    A, E, P = (Species(name, place, 10 * molecule / place.total, D=5.0) for name in "AEP")
    assert "a pair of 'A' and 'E'" in refused([A, E, P], Own(place, lambda c: [({A: -1, P: 1}, 1e3 * c[A] * c[E])]))


def pair(koff: float, V: float = 0.01) -> tuple[MasterEquation, Species]:
    """A pair in a vial, bound ten times as long as free, and one of the two."""
    place = pool("vial", [V])
    A, B, C = (Species(name, place, start * molecule / V) for name, start in (("A", 0), ("B", 0), ("C", 1)))
    return counted([A, B, C], Buffer(place, A, B, C, kon=10 * koff * V / molecule, K=0.1 * molecule / V)), A


def test_slices_are_short_for_pairs_that_cannot_leave_their_element_even_while_they_are_bound():
    engine, _ = pair(30.0)
    assert engine.pairing == pytest.approx(300.0)
    rng = np.random.default_rng(0)
    assert engine.advance(engine.start(rng), 0.0, 1.0, rng)[1] == pytest.approx(0.1 / 300.0)


@pytest.mark.slow
def test_a_pair_that_cannot_leave_its_element_is_free_as_often_as_it_should():
    """Slices that look only at what is there find .058 for .091."""
    until, copies = 2.0, 12
    free = []
    for seed in range(copies):
        engine, A = pair(30.0)
        rng, t, apart = np.random.default_rng(seed), 0.0, 0.0
        u = engine.start(rng)
        while t < until:
            before, began = engine.numbers(u), t
            u, t = engine.advance(u, t, until, rng)
            apart += (t - began) * before[engine.system.layout.index(A)][0]
        free.append(apart / until)
    assert np.mean(free) == pytest.approx(1 / 11, abs=3 * np.std(free) / np.sqrt(copies))
    assert np.std(free) / np.sqrt(copies) < 0.009


# Two of one kind

def test_two_of_one_species_bind_as_the_exact_birth_death_process():
    """2 A <-> B with 3 A in each vial: the rate k c^2 of many is that of N (N - 1) ordered pairs."""
    V, n, forward, back = 0.01, 6000, 30.0, 20.0
    place = pool("vials", np.full(n, V))
    A, B = Species("A", place, 3 * molecule / V), Species("B", place, 0.0)
    k = forward * V / molecule
    engine = counted([A, B], Own(place, lambda c: [({A: -2, B: 1}, k * c[A] ** 2), ({A: 2, B: -1}, back * c[B])]))
    rng, t = np.random.default_rng(2), 0.0
    u = engine.start(rng)
    while t < 0.1:
        u, t = engine.advance(u, t, 0.1, rng)
    found = engine.numbers(u)[engine.system.layout.index(B)]
    bound = 6 * forward / (6 * forward + back)
    assert found.mean() == pytest.approx(bound, abs=4 * np.sqrt(bound * (1 - bound) / n))


def flux_of_law(start: float, K: float, n: float, volume: float) -> float:
    """Mean of Hill's law over Poisson numbers of molecules, over the law of their mean."""
    N = np.arange(2000)
    chances: Floats = poisson.pmf(N, start * volume * MOLECULES)
    c = N * molecule / volume
    return float(chances @ (c**n / (c**n + K**n)) / (start**n / (start**n + K**n)))


def test_what_the_bound_of_20_molecules_is_worth():
    assert flux_of_law(0.12, 0.1, 2, 0.1**3) == pytest.approx(0.12, abs=0.005)
    assert flux_of_law(0.12, 0.1, 2, 0.5**3) == pytest.approx(0.95, abs=0.01)
    for n in (1, 2, 4):
        for start in (1.0, 3.0):
            assert flux_of_law(start, 1.0, n, 20 * molecule) == pytest.approx(1.0, abs=0.08 if n == 4 else 0.055)


# Numbers too large to be counted

def test_more_molecules_than_can_be_counted_are_refused_before_the_run():
    place = pool("sea", [1e16])
    A, B = Species("A", place, 1.0), Species("B", place)
    with pytest.raises(InputError, match=r"'A' in 'sea' has 6e\+18 molecules .* at the start, more than can be"):
        simulate(Model([A, B], [Conversion(place, A, B, 1.0)]), 0.1, method="stochastic")


def test_what_brings_more_than_can_be_drawn_in_a_slice_is_refused_not_left_out():
    """The Poisson number of so large a mean does not fit into 64 bits: it came out below zero, and nothing happened."""
    place = pool("pond", [1e7])
    A = Species("A", place)
    with pytest.raises(InputError, match=r"Injection in 'pond' .* 6.02e\+21 events per second, which is no number"):
        simulate(Model([A], [Injection(place, A, flux=1e12)]), 0.01, method="stochastic")


def test_what_grows_beyond_what_can_be_counted_is_refused():
    place = pool("pond", [1e7])
    A = Species("A", place)
    source = Injection(place, A, flux=1e8)  # 6e17 molecules per second
    with pytest.raises(InputError, match=r"'A' in 'pond' has 9e\+15 molecules in an element now, more than can be"):
        simulate(Model([A], [source]), 0.1, method="stochastic", tolerance=Tolerance(longest=1e-3))


def test_slices_too_short_to_move_time_are_refused():
    place = pool("pond", [1.0])
    A, B = Species("A", place, 1.0), Species("B", place)
    with pytest.raises(InputError, match="steps are 0 s long, so that the run would take inf of them"):
        simulate(Model([A, B], [Conversion(place, A, B, 1e300), Conversion(place, B, A, 1e300)]), 0.1,
                 method="stochastic", tolerance=Tolerance(most_steps=100))


def test_a_reaction_that_turns_round_in_the_run_is_refused_not_left_out():
    place = pool("cell", [0.02])
    a, b = Species("a", place, 2.0), Species("b", place)
    flow = Own(place, lambda c: [({a: -1, b: 1}, 3.0 * (c[a] - 0.5))])
    with pytest.raises(InputError, match=r"Own in 'cell' at t = .* at a rate of -.* events per second, which is no"):
        simulate(Model([a, b], [flow]), 10.0, method="stochastic")
