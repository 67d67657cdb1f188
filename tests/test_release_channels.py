"""Release through channels of the astrocyte's membrane, Best1 and connexin hemichannels (biophysics A6)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_calcium_ode import run

from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.best1 import Best1
from spatial.mechanisms.hemichannel import Hemichannel
from spatial.model import Model, Species
from spatial.observe.probes import total
from spatial.simulate import simulate
from spatial.units import MOLECULES, mM, mV

Floats = NDArray[np.float64]
Channel = Best1 | Hemichannel
KINDS = (Best1, Hemichannel)
V_ECS, V_CYTOSOL, AREA = 0.2, 0.6, 3.0


def cell(kind: type[Channel], calcium: float = 0.5, outside: float = 1.0, inside: float = 200.0,
         **values: Any) -> tuple[Model, Channel]:
    """One transmitter on both sides of 3 um^2 of membrane, at constant Ca2+."""
    mesh = well_mixed({"ecs": V_ECS, "cytosol": V_CYTOSOL}, {"membrane": (AREA, ["ecs", "cytosol"])})
    ca = Species("calcium", mesh["cytosol"], calcium)
    out, into = Species("outside", mesh["ecs"], outside), Species("inside", mesh["cytosol"], inside)
    channel = kind(mesh["membrane"], ca, out, **({"inside": into} | values))
    return Model([ca, out, into], [channel]), channel


def released(model: Model) -> Floats:
    """Amount per second that each side gains [uM um^3/s]: outside, inside."""
    system = assemble(model)
    rate = system.state(system.rate(system.initial(), 0.0))
    _, out, into = model
    return np.array([rate[out][0] * V_ECS, rate[into][0] * V_CYTOSOL])


# Laws

@pytest.mark.parametrize("kind", KINDS)
def test_nothing_flows_where_both_sides_are_equal(kind):
    assert (released(cell(kind, outside=7.0, inside=7.0)[0]) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_flux_turns_round_with_the_gradient_and_what_leaves_one_side_enters_the_other(kind):
    out, back = (released(cell(kind, outside=one, inside=other)[0]) for one, other in ((1.0, 200.0), (200.0, 1.0)))
    assert out[0] > 0
    assert back == pytest.approx(-out, rel=1e-12)
    assert out.sum() == pytest.approx(0.0, abs=1e-15 * out[0])


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_come_to_equilibrium_exponentially(kind):
    """Rate: permeability of the whole membrane times the sum of the reciprocal volumes."""
    model, _ = cell(kind, density=30.0)
    _, out, into = model
    rate = released(model)[0] / (200.0 - 1.0) * (1 / V_ECS + 1 / V_CYTOSOL)
    t, series = run(model, 3 / rate)
    even = (V_ECS * 1.0 + V_CYTOSOL * 200.0) / (V_ECS + V_CYTOSOL)
    np.testing.assert_allclose(series[out], even + (1.0 - even) * np.exp(-rate * t), rtol=1e-6)
    np.testing.assert_allclose(V_ECS * series[out] + V_CYTOSOL * series[into], 120.2, rtol=1e-10)


def initial(model: Model) -> dict[Species, Floats]:
    return {one: np.atleast_1d(np.asarray(one.initial, float)) for one in model}


@pytest.mark.parametrize("kind", KINDS)
def test_our_integrator_keeps_the_amount_and_stays_above_zero(kind):
    model, _ = cell(kind, outside=0.0, density=30.0)
    _, out, into = model
    simulated = simulate(model, 5.0, [total(out), total(into)])
    np.testing.assert_allclose(simulated["total outside"] + simulated["total inside"], 120.0, rtol=1e-12)
    assert simulated.provenance["smallest concentration"] >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_taken_from_a_side_that_is_empty(kind):
    assert released(cell(kind, outside=0.0)[0])[0] > 0
    assert released(cell(kind, inside=0.0)[0])[1] > 0
    assert (released(cell(kind, outside=0.0, inside=0.0)[0]) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_held_inside_drives_the_same_flux_and_is_not_used_up(kind):
    model, channel = cell(kind)
    held = Model(model.species, [replace(channel, inside=200.0)])
    assert released(held)[0] == pytest.approx(released(model)[0], rel=1e-12)
    assert released(held)[1] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held", [False, True])
def test_reactions_add_up_to_rates(kind, held):
    model, channel = cell(kind)
    if held:
        channel = replace(channel, inside=200.0)
    c: Any = initial(model)
    out, back = channel.reactions(c, 0.0)
    assert float(out.rate[0]) > 0
    assert float(back.rate[0]) > 0
    assert {one: -number for one, number in out.change.items()} == dict(back.change)
    net = {one: number * float(out.rate[0] - back.rate[0]) for one, number in out.change.items()}
    assert net == pytest.approx({one: float(gain[0]) for one, gain in channel.rates(c, 0.0).items()}, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_without_calcium_no_channel_is_open(kind):
    assert (released(cell(kind, calcium=0.0)[0]) == 0).all()


# Best1

def test_best1_opens_with_the_square_of_calcium():
    calcium = np.array([0.05, 0.25, 1.0])
    _, channel = cell(Best1)
    assert channel.open_probability(calcium) == pytest.approx([1 / 26, 1 / 2, 16 / 17], rel=1e-12)
    for c, part in zip(calcium, (1 / 26, 1 / 2, 16 / 17), strict=True):
        assert released(cell(Best1, calcium=c)[0])[0] == pytest.approx(10 * 0.004 * part * 199.0 * AREA, rel=1e-12)


def test_several_transmitters_pass_best1_independently_each_with_what_is_inside():
    mesh = well_mixed({"ecs": V_ECS, "cytosol": V_CYTOSOL}, {"membrane": (AREA, ["ecs", "cytosol"])})
    ca = Species("calcium", mesh["cytosol"], 0.25)
    names = ("glutamate", "D-serine", "GABA")
    outside = [Species(name, mesh["ecs"]) for name in names]
    channels = [Best1(mesh["membrane"], ca, one, inside=level) for one, level in
                zip(outside, (5 * mM, 1 * mM, 2 * mM), strict=True)]
    system = assemble(Model([ca, *outside], channels))
    rate = system.state(system.rate(system.initial(), 0.0))
    assert [rate[one][0] / rate[outside[1]][0] for one in outside] == pytest.approx([5.0, 1.0, 2.0], rel=1e-12)


def test_best1_is_open_in_part_at_rest_and_release_falls_back_to_that_when_calcium_does():
    """Tonic release: c^2/(c^2 + K^2) at 0.1 uM is 0.14, at 1 uM 0.94."""
    tonic, high = (released(cell(Best1, calcium=c)[0])[0] for c in (0.1, 1.0))
    assert tonic / high == pytest.approx((0.01 / 0.0725) / (1 / 1.0625), rel=1e-12)


# Hemichannels

@pytest.mark.parametrize(("p", "molecules"), [(0.01, 1.8e4), (0.1, 1.8e5)])
def test_an_open_hemichannel_lets_out_the_published_number_of_atp(p, molecules):
    """One channel, 3 mM of ATP inside (biophysics A6)."""
    model, channel = cell(Hemichannel, outside=0.0, inside=3 * mM, density=1 / AREA, permeability=p)
    open_part = float(channel.open_probability(0.5, 1.8 * mM, -80 * mV))
    assert released(model)[0] * MOLECULES / open_part == pytest.approx(molecules, rel=0.01)


def test_hemichannels_open_in_a_bell_around_half_a_micromolar_of_calcium():
    _, channel = cell(Hemichannel)
    calcium = np.linspace(0.01, 3.0, 3000)
    bell = channel.open_probability(calcium, 0.0, 1e6)
    assert calcium[bell.argmax()] == pytest.approx(0.5, abs=2e-3)
    assert bell.max() == pytest.approx((16 / 17) ** 2, rel=1e-5)
    for c in (0.1, 0.6):
        closed = c**4 / (c**4 + 0.25**4) / (1 + c**4)
        assert float(channel.open_probability(c, 0.0, 1e6)) == pytest.approx(closed, rel=1e-12)


def test_release_through_hemichannels_stops_at_resting_calcium():
    rest, high = (released(cell(Hemichannel, calcium=c)[0])[0] for c in (0.0865, 0.5))
    assert 0 < rest < 0.02 * high


def test_extracellular_calcium_blocks_hemichannels():
    flux = [released(cell(Hemichannel, calcium_outside=c * mM)[0])[0] for c in (0.0, 0.2, 1.8)]
    assert np.array(flux) / flux[0] == pytest.approx([1.0, 0.5, 0.1], rel=1e-12)


def test_hemichannels_open_at_positive_potentials():
    flux = np.array([released(cell(Hemichannel, V=V)[0])[0] for V in (-80.0, 0.0, 50.0, 500.0)])
    assert (np.diff(flux) > 0).all()
    assert flux[2] / flux[3] == pytest.approx(0.5, rel=1e-6)
    assert flux[0] / flux[3] == pytest.approx(1 / (1 + np.exp(6.5)), rel=1e-6)


def test_hemichannels_follow_species_of_potential_and_extracellular_calcium():
    model, channel = cell(Hemichannel)
    ca, out, into = model
    V = Species("V", ca.place, -20.0, unit="mV", signed=True)
    ca_out = Species("calcium outside", out.place, 900.0)
    following = Model([ca, out, into], [replace(channel, V=-20.0, calcium_outside=900.0)])
    whole = assemble(Model([ca, out, into, V, ca_out], [replace(channel, V=V, calcium_outside=ca_out)]))
    rate = whole.state(whole.rate(whole.initial(), 0.0))
    assert rate[out][0] * V_ECS == pytest.approx(released(following)[0], rel=1e-12)
    assert rate[V][0] == rate[ca_out][0] == 0


# Messages

@pytest.mark.parametrize(("kind", "name"), [(Best1, "K"), (Hemichannel, "K_block"), (Hemichannel, "V_slope")])
def test_parameters_that_make_no_sense_are_refused(kind, name):
    with pytest.raises(InputError, match=rf"^{kind.__name__}: {name} is 0; it must be a finite number > 0$"):
        cell(kind, **{name: 0.0})
