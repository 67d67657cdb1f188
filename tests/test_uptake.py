"""Uptake by carriers, resting levels, and the co-agonists D-serine and glycine (biophysics A6, A9, A12)."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import lambertw
from test_calcium_ode import run
from toy_mechanisms import Source

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.adenosine_transport import ENT
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.uptake import (
    ASCT,
    GLUTAMATE_CLEFT,
    GLUTAMATE_ECS,
    GLYT1,
    Carrier,
    Production,
    Uptake,
    baseline,
)
from spatial.model import Mechanism, Model, Reactions, Species
from spatial.observe.probes import mean, total
from spatial.simulate import simulate
from spatial.synapses.neuronal_adenosine import NeuronalAdenosine
from spatial.synapses.receptors import (
    EC50_D_SERINE,
    EC50_D_SERINE_2B,
    EC50_GLYCINE,
    EC50_GLYCINE_2B,
    coagonist_occupancy,
)
from spatial.units import mM, ms, s, uM

Floats = NDArray[np.float64]


def tissue() -> Mesh:
    """An ECS of 0.2 um^3, a cell, a ledger, and 1.4 um^2 of membrane that touches them all."""
    mesh = well_mixed({"ecs": 0.2, "cytosol": 0.5, "ledger": 1.0}, {"membrane": (1.4, ["ecs", "cytosol", "ledger"])})
    first = np.zeros(1, np.int64)
    return mesh.touching("ecs", "ledger", first).touching("ecs", "cytosol", first)


def taking(carrier: Carrier, level: float = 1.0, rival: float | None = None, K: float = 50.0,
           ) -> tuple[Model, Species, Species]:
    """A substrate of the ECS, and perhaps another one, both taken by one carrier."""
    mesh = tissue()
    one, taken = Species("substrate", mesh["ecs"], level), Species("taken", mesh["ledger"], signed=True, scale=1.0)
    if rival is None:
        return Model([one, taken], [Uptake(mesh["ecs"], one, taken, carrier)]), one, taken
    other = Species("rival", mesh["ecs"], rival)
    exchanged = Carrier(carrier.V, K)
    return Model([one, other, taken], [Uptake(mesh["ecs"], one, taken, carrier, other, K),
                                       Uptake(mesh["ecs"], other, taken, exchanged, one, carrier.K)]), one, taken


def first_rate(model: Model) -> Floats:
    system = assemble(model)
    return system.rate(system.initial(), 0.0)


# The law

def test_a_carrier_is_half_saturated_at_K_and_first_order_far_below():
    carrier = Carrier(V=12.0, K=4.0)
    assert carrier.flux(np.array([0.0, 4.0, 4e9])) == pytest.approx([0.0, 6.0, 12.0], rel=1e-8)
    assert carrier.flux(4e-9) / 4e-9 == pytest.approx(carrier.first_order, rel=1e-8)


@pytest.mark.parametrize("carrier", [ASCT, GLYT1], ids=["ASCT", "GlyT1"])
def test_uptake_follows_the_integrated_law_of_michaelis_and_menten(carrier):
    """s = K W(s0/K exp((s0 - V t)/K)), Lambert's W."""
    model, substrate, taken = taking(carrier, level=2 * carrier.K)
    until = 6 * carrier.K / carrier.V
    t, series = run(model, until)
    closed = carrier.K * lambertw(2 * np.exp(2 - carrier.V * t / carrier.K)).real
    np.testing.assert_allclose(series[substrate], closed, rtol=1e-6)
    np.testing.assert_allclose(0.2 * series[substrate] + series[taken], 0.4 * carrier.K, rtol=1e-10)


def test_our_integrator_takes_d_serine_as_the_closed_form_says_and_keeps_the_amount():
    model, substrate, taken = taking(ASCT, level=1000.0)
    simulated = simulate(model, 4.0, [mean(substrate), total(substrate), total(taken)], tolerance=Tolerance(1e-4))
    closed = 500.0 * lambertw(2 * np.exp(2 - 0.5 * simulated.times)).real
    np.testing.assert_allclose(simulated["mean substrate"], closed, rtol=1e-3)
    np.testing.assert_allclose(simulated["total substrate"] + simulated["total taken"], 200.0, rtol=1e-12)


def test_d_serine_far_below_K_is_lost_at_the_default_half_per_second():
    t, series = run(taking(ASCT, level=0.1)[0], 4.0)
    np.testing.assert_allclose(next(iter(series.values())), 0.1 * np.exp(-0.5 * t), rtol=1e-3)


def test_a_competitor_slows_uptake_as_if_K_were_larger():
    model, *_ = taking(Carrier(12.0, 4.0), level=3.0, rival=100.0, K=50.0)
    rate = first_rate(model)
    assert rate[:2] == pytest.approx([-12 * 3 / (4 * (1 + 100 / 50) + 3), -12 * 100 / (50 * (1 + 3 / 4) + 100)],
                                     rel=1e-12)


def test_two_substrates_of_one_carrier_together_never_exceed_its_V():
    carrier = Carrier(12.0, 4.0)
    for level in (1.0, 1e3, 1e6):
        rate = first_rate(taking(carrier, level=level, rival=level, K=4.0)[0])
        assert -(rate[0] + rate[1]) == pytest.approx(12 * 2 * level / (4 + 2 * level), rel=1e-12)
        assert rate[0] == rate[1]


def test_the_lumped_glutamate_uptake_is_that_of_huebel():
    """Neuron and glia: 0.03 and 0.12 mM/ms in the cleft, 0.0036 and 0.0288 mM/ms in the ECS; K 30 uM."""
    most = [GLUTAMATE_CLEFT.V, GLUTAMATE_ECS.V]
    assert most == pytest.approx([(0.03 + 0.12) * mM / ms, (0.0036 + 0.0288) * mM / ms], rel=1e-12)
    assert GLUTAMATE_CLEFT.K == GLUTAMATE_ECS.K == 30 * uM
    assert GLUTAMATE_ECS.first_order == pytest.approx(1262.0, rel=0.2)  # what transporters bind, A9


def everything() -> list[Mechanism]:
    """The mechanisms of this file and others that test_master_equation cannot make by itself."""
    mesh = tissue().with_points("synapses", np.zeros((1, 3)), ["ecs"])
    one, other = Species("one", mesh["ecs"], 2.0), Species("other", mesh["ecs"], 3.0)
    inside, taken = Species("inside", mesh["cytosol"], 0.7), Species("taken", mesh["ledger"], signed=True)
    pending = Species("pending", mesh["synapses"], 0.1)
    carrier = Carrier(12.0, 4.0)
    return [Uptake(mesh["ecs"], one, taken, carrier), Uptake(mesh["membrane"], one, inside, carrier, other, 5.0),
            Production(mesh["ecs"], one, 0.3), Production(mesh["ecs"], one, 0.3, taken),
            ENT(mesh["membrane"], one, inside), NeuronalAdenosine(mesh["synapses"], (np.zeros(1),), pending, one)]


def named(mechanism: Mechanism) -> list[Species]:
    return [value for value in vars(mechanism).values() if isinstance(value, Species)]


@pytest.mark.parametrize("mechanism", everything(), ids=lambda one: type(one).__name__)
def test_reactions_add_up_to_rates_and_keep_what_they_move(mechanism):
    assert isinstance(mechanism, Reactions)
    c: Any = {one: np.array([1.3]) for one in named(mechanism)}
    summed: dict[Species, float] = {}
    for reaction in mechanism.reactions(c, 0.0):
        assert np.all(np.asarray(reaction.rate) >= 0)
        assert sum(reaction.change.values()) == 0 or len(reaction.change) == 1
        for one, number in reaction.change.items():
            summed[one] = summed.get(one, 0.0) + number * float(np.sum(reaction.rate))
    assert summed == pytest.approx({one: float(np.sum(gain)) for one, gain in mechanism.rates(c, 0.0).items()})


@pytest.mark.parametrize("mechanism", everything(), ids=lambda one: type(one).__name__)
def test_nothing_is_taken_of_what_is_not_there(mechanism):
    for absent in named(mechanism):
        c: Any = {one: np.array([0.0 if one is absent else 1.3]) for one in named(mechanism)}
        if not absent.signed:
            assert np.all(np.asarray(mechanism.rates(c, 0.0).get(absent, 0.0)) >= 0)


# Resting levels

def losses() -> dict[str, tuple[Mechanism, Species, dict[Species, float]]]:
    """Ways to lose D-serine, with the levels of what else they look at."""
    mesh = tissue()
    d_serine, alanine = Species("D-serine", mesh["ecs"], 0.2), Species("alanine", mesh["ecs"], 300.0)
    taken = Species("taken", mesh["ledger"], signed=True)
    return {"first order": (Conversion(mesh["ecs"], d_serine, taken, 0.5 / s), d_serine, {}),
            "carrier": (Uptake(mesh["ecs"], d_serine, taken, ASCT), d_serine, {}),
            "carrier on the membrane": (Uptake(mesh["membrane"], d_serine, taken, ASCT), d_serine, {}),
            "competition": (Uptake(mesh["ecs"], d_serine, taken, ASCT, alanine, 200.0), d_serine, {alanine: 300.0})}


@pytest.mark.parametrize("which", losses())
def test_a_model_with_its_baseline_rests_at_that_level(which):
    loss, d_serine, others = losses()[which]
    species = [*named(loss)]
    model = Model(species, [loss, baseline(d_serine, 1.3, loss, others)])
    state = rest(model)
    assert state[d_serine][0] == pytest.approx(1.3, rel=1e-6)
    drift = simulate(model, 20.0, [mean(d_serine)], start=state)["mean D-serine"]
    assert np.abs(drift / 1.3 - 1).max() < 1e-6


def test_glycine_and_d_serine_rest_together_everywhere_in_a_tissue_they_diffuse_in():
    ecs = grid("ecs", (0, 0, 0), (4, 4, 1), 1.0, volume_fraction=0.2, tortuosity=1.6)
    mesh = Mesh.of(ecs, pool("ledger", [1.0])).touching("ecs", "ledger", np.zeros(len(ecs), np.int64))
    uneven = np.linspace(0.1, 3.0, len(ecs))
    d_serine, glycine = (Species(name, mesh["ecs"], uneven, D=900.0) for name in ("D-serine", "glycine"))
    taken = Species("taken", mesh["ledger"], signed=True)
    uptakes = [Uptake(mesh["ecs"], d_serine, taken, ASCT), Uptake(mesh["ecs"], glycine, taken, GLYT1)]
    state = rest(Model([d_serine, glycine, taken], [*uptakes, baseline(d_serine, 0.6, uptakes[0]),
                                                    baseline(glycine, 0.9, uptakes[1])]))
    np.testing.assert_allclose(state[d_serine], 0.6, rtol=1e-6)
    np.testing.assert_allclose(state[glycine], 0.9, rtol=1e-6)


def test_two_losses_take_a_baseline_each():
    loss, d_serine, _ = losses()["carrier"]
    other = Conversion(loss.where, d_serine, named(loss)[1], 0.2)
    model = Model(named(loss), [loss, other, baseline(d_serine, 1.3, loss), baseline(d_serine, 1.3, other)])
    assert rest(model)[d_serine][0] == pytest.approx(1.3, rel=1e-6)


def test_what_a_production_makes_comes_from_its_ledger():
    mesh = tissue()
    one, ledger = Species("one", mesh["ecs"], 1.0), Species("ledger", mesh["ledger"], signed=True)
    simulated = simulate(Model([one, ledger], [Production(mesh["ecs"], one, 0.5, ledger)]), 2.0,
                         [total(one), total(ledger)])
    assert simulated["total one"][-1] == pytest.approx(0.2 * (1 + 0.5 * 2.0), rel=1e-12)
    np.testing.assert_allclose(simulated["total one"] + simulated["total ledger"], 0.2, rtol=1e-12)


# Co-agonists

def test_each_coagonist_alone_takes_half_the_sites_at_its_own_EC50():
    for EC50, EC50_glycine in ((EC50_D_SERINE, EC50_GLYCINE), (EC50_D_SERINE_2B, EC50_GLYCINE_2B)):
        assert coagonist_occupancy(EC50, EC50, 0.0, EC50_glycine) == 0.5
        assert coagonist_occupancy(0.0, EC50, EC50_glycine, EC50_glycine) == 0.5
    assert [EC50_D_SERINE, EC50_D_SERINE_2B, EC50_GLYCINE, EC50_GLYCINE_2B] == [1.3, 0.65, 2.1, 0.72]


def test_coagonists_compete_for_the_same_sites():
    """theta = (D/K_D + G/K_G)/(1 + D/K_D + G/K_G)."""
    D, G = np.array([0.0, 1.0, 5.0, 1e9]), np.array([0.0, 2.0, 0.3, 1e9])
    both = D / 1.3 + G / 2.1
    assert coagonist_occupancy(D, glycine=G) == pytest.approx(both / (1 + both), rel=1e-12)
    assert coagonist_occupancy(D, glycine=G)[-1] == pytest.approx(1.0)
    assert (coagonist_occupancy(D, glycine=G) <= coagonist_occupancy(D) + coagonist_occupancy(0.0, glycine=G)).all()
    assert coagonist_occupancy(0.0) == 0.0


def test_receptors_that_need_two_sites_are_open_to_the_square_of_one():
    D = np.geomspace(0.01, 100, 20)
    assert coagonist_occupancy(D, glycine=0.7, sites=2) == pytest.approx(coagonist_occupancy(D, glycine=0.7) ** 2)


def test_glycine_at_rest_leaves_d_serine_less_to_say():
    """The more sites are taken, the less the same release changes."""
    gain = [float(coagonist_occupancy(2.0, glycine=G) - coagonist_occupancy(1.0, glycine=G)) for G in (0.0, 1.0, 5.0)]
    assert gain[0] > gain[1] > gain[2] > 0


# Messages

def test_what_makes_no_sense_is_refused():
    mesh = tissue()
    one, taken = Species("one", mesh["ecs"]), Species("taken", mesh["ledger"], signed=True)
    with pytest.raises(InputError, match=r"^Carrier: K is 0; it must be a finite number > 0$"):
        Carrier(1.0, 0.0)
    with pytest.raises(InputError, match=r"^Carrier: V is -1; it must be a finite number >= 0$"):
        Carrier(-1.0, 1.0)
    both = r"^Uptake: a competitor needs its K_competitor, and K_competitor a competitor; give both or neither$"
    with pytest.raises(InputError, match=both):
        Uptake(mesh["ecs"], one, taken, ASCT, K_competitor=3.0)
    with pytest.raises(InputError, match=both):
        Uptake(mesh["ecs"], one, taken, ASCT, one)
    with pytest.raises(InputError, match=r"^Uptake: K_competitor is 0; it must be a finite number > 0$"):
        Uptake(mesh["ecs"], one, taken, ASCT, taken, 0.0)


def test_a_baseline_that_cannot_be_held_is_refused():
    mesh = tissue()
    one, other = Species("one", mesh["ecs"]), Species("other", mesh["ecs"])
    taken = Species("taken", mesh["ledger"], signed=True)
    competing = Uptake(mesh["ecs"], one, taken, ASCT, other, 3.0)
    with pytest.raises(InputError, match=r"^baseline: the loss also looks at 'other'; give its level in others$"):
        baseline(one, 1.0, competing)
    with pytest.raises(InputError, match=r"^baseline of 'one' is -1; it must be a finite number >= 0$"):
        baseline(one, -1.0, competing)
    with pytest.raises(InputError, match=r"^baseline: ENT makes 'one' at 1 uM; only what takes it needs a "
                                         r"production$"):
        baseline(one, 1.0, ENT(mesh["ecs"], one, inside=5.0))
    uneven = Source(pool("ecs", [1.0, 1.0]), one, np.array([-2.0, -3.0]))
    with pytest.raises(InputError, match=r"^baseline: Source takes 2 to 3 of 'one' at 1 uM; it must take as much in "
                                         r"every element$"):
        baseline(one, 1.0, uneven)
