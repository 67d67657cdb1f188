"""Many synapses at once: coupled to the fields at second order, with nothing lost and the limit of exact spikes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from acting import act, at_time
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spatial._engine.linear.implicit import prepare
from spatial._engine.methods.rosenbrock import ROS2, Rosenbrock
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.system.assembly import assemble
from spatial._engine.system.jacobian import linearise
from spatial.checks import InputError
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.model import EachStep, Model, Species
from spatial.observe.probes import each
from spatial.observe.recording import Recording
from spatial.simulate import simulate
from spatial.synapses.plasticity.calcium_rule import CalciumRule
from spatial.synapses.plasticity.gates import HillGate
from spatial.synapses.plasticity.three_factor import ThreeFactorRule
from spatial.synapses.population import Population, events
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import Firing, poisson
from spatial.synapses.synaptic_current import SpineCalcium, SynapticCurrent
from spatial.units import ms, s
from tests.toy_places import synapses

Floats = NDArray[np.float64]
NONE = np.zeros(0)
UNTIL = 0.16  # s
COUPLED = ("adenosine", "released", "weight")  # what the synapses do to the field, and the field to them


class Loop:
    """Synapses whose glutamate becomes adenosine, which inhibits them and opens the gate of their plasticity."""

    def __init__(self, trains: tuple[Floats, ...], post: Floats = NONE, tau: float = 20 * ms) -> None:
        mesh = synapses(len(trains))
        where, ecs = mesh["synapses"], mesh["ecs"]
        self.glutamate, self.adenosine, self.cleared = fields = [
            Species(name, ecs) for name in ("glutamate", "adenosine", "cleared")]
        self.vesicles, self.u, self.released = own = [Species(name, where) for name in ("vesicles", "u", "released")]
        x, pre, after = Species("x", where, 1.0), Species("pre", where), Species("post", where)
        eligibility, self.weight = traces = [Species(name, where, signed=True, scale=0.01)
                                             for name in ("eligibility", "weight")]
        self.release = TsodyksMarkram(where, trains, self.vesicles, A1Inhibition(self.adenosine), self.u, x,
                                      self.released, resource=1.0)
        self.rule = ThreeFactorRule(where, trains, post, self.glutamate, HillGate(self.adenosine, 0.6), pre, after,
                                    eligibility, self.weight)
        self.species = [*fields, *own, x, pre, after, *traces]
        self.around = [Emptying(where, self.vesicles, self.glutamate, tau),
                       Conversion(ecs, self.glutamate, self.adenosine, 50 / s),
                       Conversion(ecs, self.adenosine, self.cleared, 10 / s)]

    def population(self, window: float, **values: Any) -> Population:
        """Its synapses as a population."""
        post = {"post": (self.rule.post,)} | values
        return Population(self.release, (self.rule,), **({"window": window, "until": UNTIL} | post))

    def run(self, window: float | None = None, until: float = UNTIL, tolerance: Tolerance | None = None) -> Recording:
        """By windows, or with steps that land on every spike."""
        synapse = [self.release, self.rule] if window is None else [self.population(window, until=until)]
        more = [] if window is None else synapse[0].species
        return simulate(Model([*self.species, *more], [*synapse, *self.around]), until,
                        [each(one) for one in (*self.species, *more)], tolerance=tolerance or Tolerance(1e-5))


def at(*numbers: float) -> Floats:
    """Spikes a third of a window behind these edges of 16 windows, and so a third from an edge of 32, 64, ..."""
    return (np.array(numbers) + 1 / 3) * UNTIL / 16


def busy() -> Loop:
    """Three synapses, one of them silent, that release into each other's adenosine."""
    return Loop((at(0, 5, 7, 11), at(2, 3, 10), NONE), at(3, 8))


def off(run: Recording, reference: Recording) -> Floats:
    """How far each of what is coupled ends from a reference, relative to the reference's largest."""
    return np.array([np.abs(run[name][-1] - reference[name][-1]).max() / np.abs(reference[name]).max()
                     for name in COUPLED])


def orders(errors: list[Floats]) -> Floats:
    """By how many powers of two each error shrinks from each run to the next."""
    return np.log2(np.array(errors[:-1]) / errors[1:])


# Order in time


@pytest.fixture(scope="module")
def exact() -> Recording:
    """The busy loop with steps that land on every spike."""
    return busy().run()


def test_windows_are_coupled_to_the_fields_at_second_order(exact):
    errors = [off(busy().run(UNTIL / count), exact) for count in (64, 128)]
    assert (errors[-1] < 2e-4).all()
    assert (orders(errors) >= 1.9).all()


@pytest.mark.slow
def test_windows_stay_of_second_order_as_they_shrink():
    exact = busy().run(tolerance=Tolerance(2e-7))
    errors = [off(busy().run(UNTIL / count, tolerance=Tolerance(2e-7)), exact) for count in (64, 128, 256, 512)]
    assert (orders(errors) >= 1.9).all()


@pytest.mark.slow
def test_windows_are_of_second_order_whenever_spikes_come():
    """Poisson trains of 12 synapses, which meet windows anywhere: the mean over three factors of two."""
    rng = np.random.default_rng(1)
    loop = Loop(tuple(poisson(20.0, UNTIL, rng) for _ in range(12)), poisson(20.0, UNTIL, rng))
    exact = loop.run(tolerance=Tolerance(1e-6))
    errors = [off(loop.run(UNTIL / count, tolerance=Tolerance(1e-6)), exact) for count in (32, 256)]
    assert (orders(errors) >= 3 * 1.9).all()


def landing(loop: Loop, count: int) -> Floats:
    """What is coupled after even steps that land on every spike, `count` of them in all."""
    system = assemble(Model(loop.species, [loop.release, loop.rule, *loop.around]))
    method, u, t = Rosenbrock(prepare(system), ROS2), system.initial(), 0.0
    for stop in [*system.events.instants, UNTIL]:
        steps = round((stop - t) / UNTIL * count)
        for start in np.linspace(t, stop, steps, endpoint=False):
            solved_well = tolerated(system, u, Tolerance(1e-9))
            u, _ = method.start(u, start, system.rate(u, start), solved_well).take((stop - t) / steps)
        t = stop
        act(system, u, t)
    return np.concatenate([system.state(u)[one] for one in (loop.adenosine, loop.released, loop.weight)])


def test_steps_that_land_on_spikes_are_of_second_order_in_their_length():
    coarse, half, quarter = (landing(busy(), count) for count in (48, 96, 192))
    fires = [True, True, True, False, True, True, False]  # the silent synapse releases nothing and hardly learns
    assert (np.log2(np.abs(coarse - half)[fires] / np.abs(half - quarter)[fires]) >= 1.9).all()


def test_rules_that_look_at_one_another_do_so_at_second_order():
    """One relaxes to a decaying one, so that exact they are t exp(-t)."""
    def end(window: float) -> float:
        where = synapses(1)["synapses"]
        first, second = Species("first", where, 1.0), Species("second", where)
        u, x, released, out = (Species(name, where, 1.0) for name in ("u", "x", "released", "out"))
        release = TsodyksMarkram(where, (NONE,), out, A1Inhibition(0.0), u, x, released)
        population = Population(release, (Fading(first), Following(second, first)), window, 1.0)
        run = simulate(Model([first, second, u, x, released, out, *population.species], [population]), 1.0,
                       [each(second)])
        return float(run["second"][-1])

    errors = np.abs([end(1 / 8) - np.exp(-1), end(1 / 16) - np.exp(-1)])
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.05)


class Fading:
    """Relaxes to 0 in 1 s."""

    def __init__(self, species: Species) -> None:
        self.species = species

    def between(self, c: Any, dt: Floats) -> dict[Species, Any]:
        return {self.species: c[self.species] * np.expm1(-dt)}


class Following:
    """Relaxes to another in 1 s."""

    def __init__(self, species: Species, of: Species) -> None:
        self.species, self.of = species, of

    def between(self, c: Any, dt: Floats) -> dict[Species, Any]:
        return {self.species: (c[self.species] - c[self.of]) * np.expm1(-dt)}


# The same spikes, whatever the window


def edge(k: int) -> float:
    """An edge of 16 windows."""
    return UNTIL / 16 * k


AWKWARD = {
    "one spike": ((at(3), NONE), NONE),
    "one spike at the start": ((np.zeros(1), NONE), NONE),
    "one spike at the end": ((np.array([UNTIL]), NONE), NONE),
    "spikes at edges": ((np.array([edge(1), edge(2), edge(15)]), NONE), np.array([edge(2), edge(3)])),
    "many spikes in a window": ((edge(4) + np.arange(1, 9) * 1e-3, at(4)), edge(4) + np.arange(1, 9) * 1.1e-3),
    "pre and post at the same instant": ((at(2, 5), at(5)), at(1, 5)),
    "everything at the start and at the end": ((np.array([0.0, UNTIL]), NONE), np.array([0.0, UNTIL])),
    "no spike": ((NONE, NONE), NONE)}


@pytest.mark.parametrize("case", AWKWARD)
def test_in_fields_that_stand_still_the_window_does_not_matter(case):
    """Exact at spikes and between: one window, sixteen, and steps that land on every spike end alike."""
    trains, post = AWKWARD[case]
    loop = Loop(trains, post)
    loop.release = replace(loop.release, probability=A1Inhibition(0.3))
    loop.rule = replace(loop.rule, glutamate=2.0, gate=HillGate(0.5, 0.6))
    one, sixteen, exact = (loop.run(window, tolerance=Tolerance(2e-4)) for window in (UNTIL, edge(1), None))
    for name in ("u", "x", "released", "pre", "post", "eligibility", "weight"):
        np.testing.assert_allclose(one[name][-1], sixteen[name][-1], rtol=1e-12, atol=1e-15)
        close = 1e-3 * abs(exact[name]).max() + 1e-15
        np.testing.assert_allclose(one[name][-1], exact[name][-1], rtol=0, atol=close)


def test_each_synapse_follows_its_own_neuron():
    loop, first, second = Loop((at(2), at(2), at(2))), at(3), at(1, 4)
    loop.rule = replace(loop.rule, glutamate=0.0, gate=HillGate(0.5, 0.6))
    population = loop.population(edge(1), post=(first, second), neuron=np.array([1, 0, 1]))
    run = simulate(Model([*loop.species, *population.species], [population, *loop.around]), UNTIL, [each(loop.weight)],
                   tolerance=Tolerance(1e-3))
    alone = [Loop((at(2),), post) for post in (first, second)]
    for one in alone:
        one.rule = replace(one.rule, glutamate=0.0, gate=HillGate(0.5, 0.6))
    on_first, on_second = (one.run(edge(1), tolerance=Tolerance(1e-3))["weight"][-1] for one in alone)
    np.testing.assert_allclose(run["weight"][-1], [on_second, on_first, on_second], rtol=1e-12)


def test_the_events_of_a_window_come_in_rounds_one_for_each_synapse():
    found = events((np.array([0.1, 0.2, 1.0]), np.array([0.15])), (np.array([0.2, 2.0]),), np.zeros(2, int),
                   np.array([0.0, 1.0, 2.0]))
    rounds = [[(int(found.synapse[k]), found.part[k], found.pre[k], found.post[k]) for k in range(*one.indices(99))]
              for window in (0, 1) for one in found.rounds(window)]
    assert rounds == [[(0, 0.1, 1, 0), (1, 0.15, 1, 0)], [(0, 0.2, 1, 1), (1, 0.2, 0, 1)],
                      [(0, 0.0, 1, 0), (1, 1.0, 0, 1)], [(0, 1.0, 0, 1)]]


def test_spikes_after_the_end_of_the_windows_are_left_out():
    assert len(events((np.array([0.5, 2.5]),), (NONE,), np.zeros(1, int), np.array([0.0, 1.0, 2.0])).synapse) == 1


def test_the_last_window_is_as_long_as_the_run_leaves_it():
    windows = busy().population(0.03, until=0.1).instants
    np.testing.assert_allclose(windows, [0.0, 0.03, 0.06, 0.09, 0.1], rtol=1e-15)
    assert len(busy().population(0.1 / 3, until=0.1).instants) == 4
    assert (busy().population(1.0, until=0.1).instants == [0.0, 0.1]).all()


# Laws


@pytest.fixture(scope="module")
def windows() -> Recording:
    """The busy loop in 16 windows."""
    return busy().run(edge(1), tolerance=Tolerance(1e-3))


def test_all_that_synapses_release_arrives_and_nothing_else(windows):
    run = windows
    around = sum(run[name] for name in ("glutamate", "adenosine", "cleared"))
    let_out = around + run["vesicles"].sum(axis=1)
    np.testing.assert_allclose(let_out, (run["released"] + run["vesicles ahead"]).sum(axis=1), rtol=0, atol=1e-13)
    assert let_out[-1] == pytest.approx(run["released"][-1].sum(), rel=1e-14)
    assert (run["vesicles ahead"][-1] == 0).all()
    assert run["released"][-1, 0] > 0.5


def test_what_was_let_out_in_excess_is_owed_where_vesicles_are_empty_already():
    """Adenosine shoots up in a window whose release has mostly been let out ahead and is gone."""
    loop = Loop((at(0),))
    population = loop.population(edge(1))
    c = {one: np.full(1, one.initial, float) for one in (*loop.species, *population.species)}
    ahead = at_time(population, c, 0.0)
    assert ahead[loop.vesicles] == pytest.approx(0.6 * 2 / 3, rel=1e-12)
    debts = population.species[-1]
    c |= {debts: c[debts] + ahead[debts], loop.adenosine: np.array([1e4]), loop.vesicles: np.array([0.01])}
    gains = at_time(population, c, edge(1))
    assert gains[loop.vesicles] == pytest.approx(-0.01, rel=1e-12)
    owed = c[debts] + gains[debts]
    assert owed > 0.3
    assert ahead[loop.vesicles] + gains[loop.vesicles] == pytest.approx(gains[loop.released] + owed, rel=1e-12)


def test_nothing_goes_below_zero_in_windows_much_longer_than_vesicles_take_to_empty():
    loop = Loop((at(0, 5, 7, 11), at(2, 3, 10), NONE), tau=0.2 * ms)
    loop.around[1] = replace(loop.around[1], rate=5000 / s)
    run = loop.run(edge(2), tolerance=Tolerance(1e-3))
    assert run.provenance["smallest concentration"] >= 0
    assert min(run[name].min() for name in ("glutamate", "vesicles", "u", "x", "released")) >= 0


def test_a_run_is_the_same_again(windows):
    again = busy().run(edge(1), tolerance=Tolerance(1e-3))
    assert all(np.array_equal(windows[name], again[name]) for name in COUPLED)


def test_synapses_that_do_not_fire_release_nothing_at_all(windows):
    for name in ("released", "vesicles", "vesicles ahead"):
        assert (windows[name][:, 2] == 0).all()


# What changes only at events


def test_a_population_adds_nothing_to_what_is_solved_for():
    loop = busy()
    population = loop.population(edge(1))
    system = assemble(Model([*loop.species, *population.species], [population, *loop.around]))
    assert set(system.changing.columns) == {loop.glutamate, loop.adenosine, loop.cleared, loop.vesicles}
    assert set(assemble(Model(loop.species, [loop.release, loop.rule, *loop.around])).changing.columns) == {
        one for one in loop.species if one is not loop.released}


@pytest.mark.parametrize("with_terms", [False, True])
def test_the_jacobian_of_what_changes_is_that_part_of_the_whole(with_terms):
    """With FiPy terms as well: some within glutamate and from it to adenosine."""
    loop = busy()
    population = loop.population(edge(1))
    system = assemble(Model([*loop.species, *population.species], [population, *loop.around]))
    if with_terms:
        one, other = (system.layout.index(species)[0] for species in (loop.glutamate, loop.adenosine))
        system = replace(system, lifted=csr_matrix(([-2.0, 3.0], ([one, other], [one, one])),
                                                   shape=system.lifted.shape))
    u, at_part = system.initial() + 0.1, system.changing.within(system.layout)
    whole, part = linearise(system, u, 0.0), linearise(system, u, 0.0, system.changing)
    np.testing.assert_array_equal(part.between.toarray(), whole.between.toarray()[np.ix_(at_part, at_part)])
    assert whole.between.nnz == part.between.nnz
    for name, of in system.changing.places.items():
        columns = [system.layout.columns[one] for one in of]
        np.testing.assert_array_equal(part.blocks[name], whole.blocks[name][:, columns][:, :, columns])


def test_what_does_not_change_leaves_a_step_as_it_was():
    """With an implicit step of a model to which species are added that nothing changes."""
    mesh = synapses(2)
    calm, c, d = (Species(name, mesh["ecs"], value) for name, value in (("calm", 3.0), ("c", 1.0), ("d", 0.0)))
    still = Species("still", mesh["synapses"], 2.0)
    turning = Conversion(mesh["ecs"], c, d, 5.0)
    alone = simulate(Model([c, d], [turning]), 1.0, [each(c)], engine="implicit")
    among = simulate(Model([calm, c, still, d], [turning]), 1.0, [each(c), each(calm), each(still)], engine="implicit")
    np.testing.assert_allclose(among["c"], alone["c"], rtol=1e-12)
    assert (among["calm"] == 3.0).all()
    assert (among["still"] == 2.0).all()


# Messages


@pytest.mark.parametrize(("wrong", "message"), [
    ({"window": 0.0}, r"^Population: window is 0; it must be a finite number > 0$"),
    ({"until": -1.0}, r"^Population: until is -1; it must be a finite number >= 0$"),
    ({"neuron": np.zeros(2, int)}, r"^Population: neuron has shape \(2,\); 'synapses' has 3 elements$"),
    ({"neuron": np.array([0, 1, 0])}, r"^Population: neuron goes up to 1; with 1 trains in `post` it must be 0 to 0$"),
    ({"post": (np.array([0.2, 0.1]),)}, r"^the spike train of neuron 0 must hold finite, growing times >= 0$"),
    ({"post": (NONE,)}, r"^Population: ThreeFactorRule acts at other times than the spikes of the release's trains")])
def test_populations_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        busy().population(**{"window": edge(1)} | wrong)


def test_spikes_that_a_neuron_makes_itself_are_refused():
    loop = busy()
    V = Species("V", loop.vesicles.place, signed=True)
    with pytest.raises(InputError, match=r"^Population: ThreeFactorRule acts at other times than the spikes of"):
        Population(loop.release, (replace(loop.rule, post=Firing(V, -40.0)),), edge(1), UNTIL)


@pytest.mark.parametrize("make", [
    lambda where, V, calcium: SpineCalcium(where, calcium, SynapticCurrent(where, V, 0.0, 0.0)),
    lambda where, V, calcium: CalciumRule(where, calcium, V, Species("passed", where))], ids=["spine", "rule"])
def test_what_has_no_closed_form_between_spikes_is_refused(make):
    loop = busy()
    where = loop.vesicles.place
    rule = make(where, Species("V", where, signed=True), Species("calcium", where))
    with pytest.raises(InputError, match=rf"^Population: {type(rule).__name__} has no closed form between spikes; make "
                                         r"it a mechanism of the model itself$"):
        Population(loop.release, (rule,), edge(1), UNTIL)


def test_a_release_that_is_none_is_refused():
    loop = busy()
    with pytest.raises(InputError, match=r"^Population: Emptying is no release in closed form; give one, such as "
                                         r"TsodyksMarkram$"):
        Population(loop.around[0], (loop.rule,), edge(1), UNTIL)


def test_a_rule_with_the_trains_of_other_synapses_is_refused():
    """Its spikes are all known, but not at the synapse that it takes them for."""
    loop = busy()
    swapped = replace(loop.rule, trains=loop.release.trains[::-1])
    with pytest.raises(InputError, match=r"^Population: ThreeFactorRule has other trains than the release; give it the "
                                         r"same$"):
        Population(loop.release, (swapped,), edge(1), UNTIL, (loop.rule.post,))


def test_synapses_in_windows_are_not_played_molecule_by_molecule():
    loop = busy()
    population = loop.population(edge(1))
    with pytest.raises(InputError, match=r"^Population: weights and other states of synapses are no numbers of "
                                         r"molecules; simulate with concentrations$"):
        simulate(Model([*loop.species, *population.species], [population]), UNTIL, method="stochastic")


def test_two_populations_in_the_same_field_have_each_their_own_memory():
    mesh = synapses(1)
    mesh = mesh.with_points("others", np.zeros((1, 3)), touching=["ecs"])
    adenosine = Species("adenosine", mesh["ecs"], 0.6)
    species, both = [adenosine], []
    for where in (mesh["synapses"], mesh["others"]):
        out, u, x, let_out = own = [Species(f"{name} of {where.name}", where, float(name == "x"))
                                    for name in ("out", "u", "x", "released")]
        release = TsodyksMarkram(where, (at(1),), out, A1Inhibition(adenosine), u, x, let_out, resource=1.0)
        both.append(Population(release, (), edge(1), UNTIL))
        species += [*own, *both[-1].species]
    run = simulate(Model(species, both), UNTIL, [each(one) for one in species if "released" in one.name])
    assert [one.values[-1, 0] for one in run.series.values()] == pytest.approx([0.3, 0.3], rel=1e-12)


def test_release_that_would_make_fields_jump_within_a_window_is_refused():
    loop = busy()
    with pytest.raises(InputError, match=r"^Population: 'glutamate' is changed at spikes or between, in 'ecs'; it must "
                                         r"be on 'synapses', what is let out as vesicles being emptied$"):
        Population(replace(loop.release, glutamate=loop.glutamate), (), edge(1), UNTIL)


def test_a_rule_with_chance_is_refused_since_windows_would_leave_it_out():
    @dataclass(frozen=True, eq=False)
    class Noisy:
        where: Any
        weight: Species

        @property
        def events(self) -> tuple[EachStep, ...]:
            return (EachStep((self.weight,), change=lambda c, t, dt, rng: {self.weight: 100.0}),)

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            return {}

        def between(self, c: Any, dt: Any) -> dict[Species, Any]:
            return {self.weight: 0.0 * dt}

    loop = busy()
    weight = Species("w", loop.release.where, 1.0)
    with pytest.raises(InputError, match=r"^Population: Noisy has an event EachStep, and only known spikes act in win"):
        replace(loop.population(0.03), rules=(Noisy(loop.release.where, weight),))
