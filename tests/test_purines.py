"""Purines: ectonucleotidases, adenosine's fates and sources, and what it does to release (biophysics A8, B9)."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_calcium_ode import refined_peaks, run

from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.adenosine_transport import ENT, AdenosineDeaminase, AdenosineKinase, AdenosineUptake
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.ectonucleotidases import CD73, NTPDase, surface_rate
from spatial.mechanisms.exocytosis import Emptying, Exocytosis
from spatial.mechanisms.uptake import Production, baseline
from spatial.model import AtTimes, Mechanism, Model, Species
from spatial.observe.probes import each, mean, total
from spatial.simulate import simulate
from spatial.synapses.neuronal_adenosine import NeuronalAdenosine
from spatial.synapses.receptors import K_A1, release_probability
from spatial.synapses.spikes import regular
from spatial.units import Hz, minute, molecule, s, uM

Floats = NDArray[np.float64]

ALPHA, DENSITY = 0.2, 1.69  # volume fraction of the ECS, synapses per um^3 of tissue; biophysics A7, A15
BASAL = 0.04 * uM  # adenosine; biophysics A8
NAMES = ("ATP", "ADP", "AMP", "adenosine")


@dataclass(frozen=True)
class Purines:
    """The four purines of an ECS and the ledger of what is taken."""

    atp: Species
    adp: Species
    amp: Species
    adenosine: Species
    taken: Species

    @property
    def all(self) -> tuple[Species, ...]:
        return self.atp, self.adp, self.amp, self.adenosine, self.taken


def purines(ecs: Place, ledger: Place, atp: Any = 0.0, adenosine: float = 0.0, D: tuple[float, ...] = (0.0,) * 4,
            ) -> Purines:
    first = (atp, 0.0, 0.0, adenosine)
    return Purines(*(Species(name, ecs, value, D=d) for name, value, d in zip(NAMES, first, D, strict=True)),
                   Species("taken", ledger, signed=True, scale=1.0))


def enzymes(where: Place, p: Purines) -> tuple[NTPDase, CD73, AdenosineUptake]:
    """The defaults of A8."""
    return (NTPDase(where, p.atp, p.adp, p.amp), CD73(where, p.atp, p.adp, p.amp, p.adenosine),
            AdenosineUptake(where, p.adenosine, p.taken))


def tissue(volume: float = 1.0) -> Mesh:
    """An ECS [um^3] and a ledger that it touches."""
    return well_mixed({"ecs": volume, "ledger": 1.0}).touching("ecs", "ledger", np.zeros(1, np.int64))


def cascade(atp: float, *more: Any) -> tuple[Model, Purines]:
    """ATP in a well-mixed ECS with the enzymes of A8; `more` makes mechanisms of the ECS and its purines."""
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"], atp)
    return Model(p.all, [*enzymes(mesh["ecs"], p), *(make(mesh["ecs"], p) for make in more)]), p


def top(t: Floats, values: Floats) -> tuple[float, float]:
    """(time, value) of the largest maximum."""
    return max(refined_peaks(t, values), key=lambda peak: peak[1])


def span_above(t: Floats, values: Floats, level: float) -> tuple[float, float]:
    """The first and last time at which a series of one peak crosses a level."""
    peak = int(values.argmax())
    return (float(np.interp(level, values[:peak + 1], t[:peak + 1])),
            float(np.interp(-level, -values[peak:], t[peak:])))


# Laws

def gains(mechanism: Mechanism, c: dict[Species, Floats]) -> dict[Species, Floats]:
    return {one: np.asarray(gain) for one, gain in mechanism.rates(c, 0.0).items()}


def sinks() -> list[Mechanism]:
    """Every mechanism here that turns one purine into another."""
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"])
    inside = Species("adenosine inside", mesh["ledger"])
    return [*enzymes(mesh["ecs"], p), NTPDase(mesh["ecs"], p.atp, p.adp, p.amp, channelled=0.7),
            ENT(mesh["ecs"], p.adenosine, inside), AdenosineKinase(mesh["ecs"], p.adenosine, p.amp),
            AdenosineDeaminase(mesh["ecs"], p.adenosine, p.taken)]


def looked_at(mechanism: Mechanism) -> list[Species]:
    return [value for value in vars(mechanism).values() if isinstance(value, Species)]


@pytest.mark.parametrize("mechanism", sinks(), ids=lambda one: type(one).__name__)
def test_P3_no_mechanism_makes_or_loses_purines(mechanism):
    rng = np.random.default_rng(1)
    c = {one: rng.exponential(20.0, 200) for one in looked_at(mechanism)}
    change = gains(mechanism, c)
    size = sum(np.abs(gain) for gain in change.values())
    assert (size > 0).all()
    assert (np.abs(sum(change.values())) <= 1e-15 * size).all()


@pytest.mark.parametrize("mechanism", sinks(), ids=lambda one: type(one).__name__)
def test_nothing_is_taken_of_what_is_not_there(mechanism):
    rng = np.random.default_rng(2)
    for absent in looked_at(mechanism):
        c = {one: np.zeros(200) if one is absent else rng.exponential(20.0, 200) for one in looked_at(mechanism)}
        assert (gains(mechanism, c).get(absent, np.zeros(200)) >= 0).all()
    nothing = {one: np.zeros(3) for one in looked_at(mechanism)}
    assert all((gain == 0).all() for gain in gains(mechanism, nothing).values())


def test_ectonucleotidases_follow_the_published_laws():
    """v1, v2 and v3 of A8 written out, with parameters that are all different."""
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"])
    first = NTPDase(mesh["ecs"], p.atp, p.adp, p.amp, V1=17.0, K1=20.0, V2=5.0, K2=30.0)
    last = CD73(mesh["ecs"], p.atp, p.adp, p.amp, p.adenosine, V=10.0, K=8.0, Ki=3.0)
    T, D, M = 7.0, 4.0, 2.0
    v1, v2 = 17 * T / (20 * (1 + D / 30) + T), 5 * D / (30 * (1 + T / 20) + D)
    v3 = 10 * M / (8 * (1 + (T + D) / 3) + M)
    c = {p.atp: np.array([T]), p.adp: np.array([D]), p.amp: np.array([M])}
    assert [gains(first, c)[one][0] for one in (p.atp, p.adp, p.amp)] == pytest.approx([-v1, v1 - v2, v2], rel=1e-12)
    assert [gains(last, c)[one][0] for one in (p.amp, p.adenosine)] == pytest.approx([-v3, v3], rel=1e-12)


def test_enzymes_on_the_membrane_do_at_surface_rates_what_they_do_in_the_volume():
    """j = V alpha/S: 1.4 um^2 of membrane to 0.2 um^3 of ECS."""
    mesh = well_mixed({"ecs": ALPHA, "ledger": 1.0}, {"membrane": (1.4, ["ecs", "ledger"])})
    mesh = mesh.touching("ecs", "ledger", np.zeros(1, np.int64))
    p = purines(mesh["ecs"], mesh["ledger"], atp=9.0)

    def surface(mechanism: Any, *rates: str) -> Any:
        values = {name: surface_rate(getattr(mechanism, name), ALPHA, 1.4) for name in rates}
        return replace(mechanism, where=mesh["membrane"], **values)

    volume = enzymes(mesh["ecs"], p)
    membrane = [surface(volume[0], "V1", "V2"), surface(volume[1], "V"), surface(volume[2], "V")]
    rng = np.random.default_rng(3)
    for _ in range(5):
        u = rng.exponential(5.0, 5)
        np.testing.assert_allclose(assemble(Model(p.all, membrane)).rate(u, 0.0),
                                   assemble(Model(p.all, volume)).rate(u, 0.0), rtol=1e-12)


# The cascade

DOSES = {1.0: (0.854, 0.235, 3.69, 4.72), 10.0: (1.200, 4.025, 6.86, 6.90), 50.0: (2.738, 33.07, 16.25, 19.6)}


@pytest.mark.parametrize("atp", DOSES)
def test_P2_adenosine_follows_atp_as_published(atp):
    model, p = cascade(atp)
    t, series = run(model, 80.0, samples=16_000)
    half = float(np.interp(-atp / 2, -series[p.atp], t))
    at, peak = top(t, series[p.adenosine])
    begins, ends = span_above(t, series[p.adenosine], peak / 2)
    assert (half, peak, at, ends - begins) == pytest.approx(DOSES[atp], rel=0.01)


def test_P2_our_integrator_follows_the_cascade():
    model, p = cascade(10.0)
    simulated = simulate(model, 10.0, [mean(p.adenosine)], tolerance=Tolerance(1e-3, longest=0.25))
    values = simulated["mean adenosine"]
    assert values.max() == pytest.approx(4.025, rel=0.01)
    assert simulated.times[values.argmax()] == pytest.approx(6.86, rel=0.02)


def test_P3_purines_are_conserved_while_they_spread():
    """50 uM of ATP at one end of 20 um, enzymes everywhere, all four diffusing."""
    ecs = grid("ecs", (0, 0, 0), (20, 1, 1), 1.0, volume_fraction=ALPHA, tortuosity=1.6)
    mesh = Mesh.of(ecs, pool("ledger", [1.0])).touching("ecs", "ledger", np.zeros(len(ecs), np.int64))
    p = purines(mesh["ecs"], mesh["ledger"], 50.0 * (np.arange(20) == 0), D=(300.0, 350.0, 400.0, 600.0))
    simulated = simulate(Model(p.all, enzymes(mesh["ecs"], p)), 20.0, [total(one) for one in p.all])
    amount = sum(simulated[f"total {one.name}"] for one in p.all)
    np.testing.assert_allclose(amount, 50.0 * ALPHA, rtol=1e-10)
    assert simulated.provenance["smallest concentration"] >= 0
    assert simulated["total taken"][-1] > 0.9 * 50.0 * ALPHA


def peak_time(atp: float, **values: float) -> float:
    model, p = cascade(atp)
    changed = [replace(one, **values) if isinstance(one, CD73) else one for one in model.mechanisms]
    t, series = run(Model(model.species, changed), 60.0)
    return top(t, series[p.adenosine])[0]


def test_P4_the_more_atp_the_later_adenosine_peaks():
    times = [peak_time(atp) for atp in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)]
    assert (np.diff(times) > 0.3).all()


def test_P4_the_block_of_cd73_by_atp_and_adp_delays_adenosine():
    times = [peak_time(10.0, Ki=Ki) for Ki in (1e9, 5.0, 1.0)]
    assert (np.diff(times) > 0.5).all()


def test_subtypes_differ_in_the_adp_they_let_go():
    """Kukulski 2005: no ADP to speak of with NTPDase1, a lasting accumulation with NTPDase2."""
    adp = {}
    for subtype, values in {"1": {"channelled": 0.95}, "both": {}, "2": {"V2": 1.7}}.items():
        model, p = cascade(10.0)
        changed = [replace(one, **values) if isinstance(one, NTPDase) else one for one in model.mechanisms]
        _, series = run(Model(model.species, changed), 30.0)
        adp[subtype] = series[p.adp].max() / 10.0
    assert adp["1"] < 0.05
    assert 0.2 < adp["both"] < 0.5
    assert adp["2"] > 0.7


def test_an_enzyme_that_channels_all_atp_makes_no_adp():
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"], 10.0)
    model = Model(p.all, [NTPDase(mesh["ecs"], p.atp, p.adp, p.amp, channelled=1.0)])
    _, series = run(model, 5.0)
    assert (series[p.adp] == 0).all()
    np.testing.assert_allclose(series[p.amp], 10.0 - series[p.atp], rtol=1e-12, atol=1e-12)


def test_the_cascade_played_molecule_by_molecule_keeps_them_and_follows_the_same_course():
    """200 molecules of ATP in each of 50 elements, until most are adenosine or taken."""
    mesh = Mesh.of(pool("ecs", np.full(50, 20 * molecule)), pool("ledger", [1.0]))
    mesh = mesh.touching("ecs", "ledger", np.zeros(50, np.int64))
    p = purines(mesh["ecs"], mesh["ledger"], atp=10.0)
    simulated = simulate(Model(p.all, enzymes(mesh["ecs"], p)), 3.0, [total(one) for one in p.all], seed=4,
                         method="stochastic")
    numbers = np.array([simulated[f"total {one.name}"] for one in p.all]) / molecule
    np.testing.assert_allclose(numbers.sum(axis=0), 10_000, rtol=1e-12)
    model, q = cascade(10.0)
    expected = [1000 * run(model, 3.0)[1][one][-1] for one in q.all]
    # four standard deviations of a binomial, and 1 % of all for how small numbers differ from their mean course
    assert numbers[:, -1] == pytest.approx(expected, abs=4 * 50 + 100)


# Adenosine's fates

def test_P5_net_uptake_saturates_at_the_measured_rate():
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"], adenosine=300.0)
    t, series = run(Model(p.all, [AdenosineUptake(mesh["ecs"], p.adenosine, p.taken)]), 20.0)
    assert (series[p.taken][-1] - series[p.taken][0]) / t[-1] == pytest.approx(1.4, rel=0.01)


def two_sides(outside: float, inside: float) -> tuple[Model, Species, Species]:
    """A membrane of 2 um^2 between an ECS of 0.2 um^3 and a cytosol of 0.6 um^3."""
    mesh = well_mixed({"ecs": 0.2, "cytosol": 0.6}, {"membrane": (2.0, ["ecs", "cytosol"])})
    out, into = Species("adenosine", mesh["ecs"], outside), Species("adenosine inside", mesh["cytosol"], inside)
    return Model([out, into], [ENT(mesh["membrane"], out, into, P=0.05)]), out, into


def test_ent_carries_adenosine_down_its_gradient_either_way_and_stops_in_equilibrium():
    for outside, inside in ((1.0, 0.2), (0.2, 1.0), (0.5, 0.5)):
        model, *_ = two_sides(outside, inside)
        flux = assemble(model).rate(np.array([outside, inside]), 0.0) * [0.2, 0.6]
        assert flux == pytest.approx([0.1 * (inside - outside), 0.1 * (outside - inside)], rel=1e-12, abs=0)


def test_ent_equilibrates_both_sides_exponentially():
    model, out, into = two_sides(1.0, 0.2)
    t, series = run(model, 10.0)
    even, rate = (0.2 * 1.0 + 0.6 * 0.2) / 0.8, 0.05 * 2.0 * (1 / 0.2 + 1 / 0.6)
    np.testing.assert_allclose(series[out], even + (1.0 - even) * np.exp(-rate * t), rtol=1e-6)
    np.testing.assert_allclose(0.2 * series[out] + 0.6 * series[into], 0.32, rtol=1e-10)


def test_ent_against_a_held_level_inside_ends_at_that_level():
    mesh = tissue()
    adenosine = Species("adenosine", mesh["ecs"], 1.0)
    model = Model([adenosine], [ENT(mesh["ecs"], adenosine, inside=0.05, P=2.0)])
    t, series = run(model, 3.0)
    np.testing.assert_allclose(series[adenosine], 0.05 + 0.95 * np.exp(-2.0 * t), rtol=1e-6)


def test_kinase_takes_little_adenosine_and_deaminase_much():
    """High affinity and soon saturated against low affinity and never saturated."""
    kinase, deaminase = (one for one in sinks() if isinstance(one, AdenosineKinase | AdenosineDeaminase))
    levels = np.array([0.01, 0.1, 1.0, 50.0])
    phosphorylated, deaminated = (-gains(one, {one.adenosine: levels})[one.adenosine] for one in (kinase, deaminase))
    assert phosphorylated == pytest.approx(0.1 * levels / (0.1 + levels), rel=1e-12)
    assert deaminated == pytest.approx(50 * levels / (50 + levels), rel=1e-12)
    assert phosphorylated[1] / phosphorylated[-1] > 0.45
    assert deaminated[1] / deaminated[-1] < 0.01


SETTLED = 300.0  # s; by then everything has come to rest
BLOCKS = {"ENT": (0.2, 1.0, 1.0), "ADK": (1.0, 0.0, 1.0), "ADA": (1.0, 1.0, 0.0), "all": (0.2, 0.0, 0.0)}


def transient(ent: float = 1.0, adk: float = 1.0, ada: float = 1.0) -> float:
    """How long 0.2 uM of adenosine, let go within 0.3 s, stay above a tenth of their peak [s].

    Each fate is left at a part of its strength. A cytosol of 0.3 times the ECS's volume; besides the three
    named, what diffuses off and what other carriers take: 0.7 /s. All strengths are choices.
    """
    mesh = well_mixed({"ecs": 1.0, "cytosol": 0.3, "ledger": 1.0}).with_points("site", np.zeros((1, 3)), ["ecs"])
    mesh = mesh.touching("ecs", "ledger", np.zeros(1, np.int64)).touching("ecs", "cytosol", np.zeros(1, np.int64))
    mesh = mesh.touching("cytosol", "ledger", np.zeros(1, np.int64))
    out, into = Species("adenosine", mesh["ecs"], BASAL), Species("adenosine inside", mesh["cytosol"], BASAL)
    gone, pending = Species("gone", mesh["ledger"], signed=True), Species("pending", mesh["site"])
    other = Conversion(mesh["ecs"], out, gone, 0.7 / s)
    kinase = AdenosineKinase(mesh["cytosol"], into, gone, V=0.3, K=0.3)
    deaminase = AdenosineDeaminase(mesh["cytosol"], into, gone, V=40.0, K=50.0)
    made = [baseline(out, BASAL, other), *(baseline(into, BASAL, enzyme) for enzyme in (kinase, deaminase))]
    source = NeuronalAdenosine(mesh["site"], (np.array([SETTLED]),), pending, out, per_spike=0.2, tau=0.3)
    model = Model([out, into, gone, pending], [
        other, ENT(mesh["ecs"], out, into, P=0.4 * ent), replace(kinase, V=0.3 * adk),
        replace(deaminase, V=40.0 * ada), *made, source])
    t, series = run(model, SETTLED + 8.0, samples=50_000)
    excess = series[out][t >= SETTLED] - np.interp(SETTLED, t, series[out])
    begins, ends = span_above(t[t >= SETTLED], excess, excess.max() / 10)
    return ends - begins


def test_P5_P7_a_spontaneous_transient_is_cleared_in_3_to_4_s_and_blocked_fates_prolong_it():
    """Nguyen 2015: +0.4 s with ENT1, kinase or deaminase blocked, +0.7 s with all three: not additive."""
    control = transient()
    longer = {name: transient(*parts) - control for name, parts in BLOCKS.items()}
    single = [longer[name] for name in ("ENT", "ADK", "ADA")]
    assert 3.0 < control < 4.0
    assert all(0.2 < one < 0.8 for one in single)
    assert max(single) < longer["all"] < 0.8 * sum(single)
    assert 0.35 < longer["all"] < 1.4


# Adenosine from neurons

def synapses(count: int, firing: int, train: Floats, atp: float = 0.0) -> tuple[Model, Purines]:
    """Synapses with their share of ECS, some of which fire; adenosine rests at its basal level."""
    mesh = tissue(count * ALPHA / DENSITY).with_points("synapses", np.zeros((count, 3)), ["ecs"])
    p = purines(mesh["ecs"], mesh["ledger"], adenosine=BASAL)
    pending = Species("pending", mesh["synapses"], scale=1e-2)
    holding = Species("holding", mesh["synapses"], atp * ALPHA / DENSITY)
    trains = tuple(train if k < firing else np.zeros(0) for k in range(count))
    fates = enzymes(mesh["ecs"], p)
    return Model([*p.all, pending, holding], [
        *fates, baseline(p.adenosine, BASAL, fates[2]), Emptying(mesh["synapses"], holding, p.atp, tau=1.0),
        NeuronalAdenosine(mesh["synapses"], trains, pending, p.adenosine)]), p


def test_a_spike_lets_adenosine_out_with_the_time_constant_of_the_transporters():
    mesh = tissue().with_points("synapses", np.zeros((2, 3)), ["ecs"])
    pending, adenosine = Species("pending", mesh["synapses"], scale=0.01), Species("adenosine", mesh["ecs"], scale=0.01)
    neurons = NeuronalAdenosine(mesh["synapses"], (np.array([0.5, 1.0]), np.zeros(0)), pending, adenosine, tau=0.7)
    simulated = simulate(Model([pending, adenosine], [neurons]), 3.0, [each(pending), mean(adenosine)],
                         tolerance=Tolerance(1e-5))
    t, out = simulated.times, simulated["mean adenosine"]
    gone = sum(7 * molecule * np.where(t > spike, 1 - np.exp(-(t - spike).clip(0) / 0.7), 0) for spike in (0.5, 1.0))
    np.testing.assert_allclose(out, gone, rtol=1e-3, atol=1e-12)
    assert (simulated["pending"][:, 1] == 0).all()
    late = t > 1.0
    np.testing.assert_allclose((simulated["pending"].sum(axis=1) + out)[late], 14 * molecule, rtol=1e-12)


def test_ten_spikes_of_all_synapses_make_1_uM_as_the_default_says():
    model, _ = synapses(10, 10, regular(10, 100 * Hz))
    neurons = model.mechanisms[-1]
    assert isinstance(neurons, NeuronalAdenosine)
    assert 10 * neurons.per_spike * 10 / neurons.adenosine.place.total == pytest.approx(1.0, rel=0.02)


def test_P5_a_burst_of_spikes_evokes_the_measured_adenosine():
    """1 s at 60 Hz of three synapses in ten, 1.8 uM, and 2.7 uM of ATP from astrocytes: 40 % is neuronal.

    Cechova & Venton 2008: 0.94 uM, cleared in about 15 s. The amount is chosen to give the peak; how long it
    takes to clear follows.
    """
    model, p = synapses(10, 3, regular(60, 60 * Hz, 0.1), atp=2.7)
    t, series = run(model, 60.0, samples=6000)
    excess = series[p.adenosine] - BASAL
    assert 0.94 / 2 < excess.max() < 0.94 * 2
    cleared = span_above(t, excess, 0.02 * excess.max())[1]
    assert 7.5 < cleared < 30.0


def test_neuronal_adenosine_comes_before_that_from_atp():
    """Wall & Dale 2013: the component through ATP is the slower one."""
    train = regular(20, 20 * Hz, 0.1)
    direct, through_atp = (top(*_excess(*synapses(10, firing, train, atp=atp)))[0]
                           for firing, atp in ((3, 0.0), (0, 2.7)))
    assert direct < through_atp - 1.0


def _excess(model: Model, p: Purines) -> tuple[Floats, Floats]:
    t, series = run(model, 30.0)
    return t, series[p.adenosine] - BASAL


# What adenosine does to release

@dataclass(frozen=True, eq=False)
class MeanExocytosis:
    """The mean of `Exocytosis`, with its hazard and refilling, at the Ca2+ of a wave."""

    where: Place
    x: Species  # part of the vesicles that is docked
    atp: Species
    resource: float  # ATP of all docked vesicles [uM of ECS]
    K: float
    n: float
    decay: float  # of the IP3 wave [s]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        drive = calcium_wave(t - SETTLED, self.decay) ** self.n
        fused = Exocytosis.r_max * drive / (drive + self.K**self.n) * c[self.x]
        return {self.x: Exocytosis.refill * (1 - c[self.x]) - fused, self.atp: self.resource * fused}

    @property
    def events(self) -> tuple[AtTimes, ...]:
        return (AtTimes(SETTLED + np.array([0.0, 17.0])),)  # the wave has a corner there


def calcium_wave(t: float, decay: float) -> float:
    """Ca2+ that follows an IP3 wave of Handy 2017 from its rest, 0.0865 uM, to its peak, 1.49 uM."""
    rising = np.expm1(-0.002 * max(t, 0.0)) / np.expm1(-0.002 * 17.0)
    return 0.0865 + 1.40 * float(rising if t < 17.0 else np.exp(np.log(0.005 / 0.375) * (t - 17.0) / decay))


@cache
def loss_of_epsp(decay: float) -> tuple[Floats, Floats]:
    """Times after a tetanus of 1 s at 100 Hz, and the part of a silent neighbour's release that is lost.

    Three synapses in ten fire; astrocytes' ATP follows Ca2+ with the threshold of Pasti 2001 and a Hill coefficient
    of 3 (Parpura & Haydon 2000, M); docked vesicles hold 2 uM of ATP (choice), whose leak at rest
    keeps the basal adenosine.
    """
    model, p = synapses(10, 3, regular(100, 100 * Hz, SETTLED))
    ecs = p.atp.place
    x = Species("docked", ecs, 1.0)
    astrocyte = MeanExocytosis(ecs, x, p.atp, resource=2.0, K=0.3, n=3.0, decay=decay)
    t, series = run(Model((*model.species, x), (*model.without(Production).mechanisms, astrocyte)), SETTLED + 420.0)
    basal = np.interp(SETTLED, t, series[p.adenosine])
    assert 0.02 < basal < 0.3  # published range
    begun = t >= SETTLED
    left = release_probability(1.0, series[p.adenosine][begun]) / release_probability(1.0, np.array([basal]))
    return t[begun] - SETTLED, 1 - left


@pytest.mark.parametrize("decay", [97.0, 220.0])
def test_P6_a_tetanus_depresses_silent_neighbours_within_5_s_by_60_to_80_per_cent(decay):
    t, loss = loss_of_epsp(decay)
    assert t[np.argmax(loss > 0.5)] < 5.0
    assert 0.6 < loss.max() < 0.8


@pytest.mark.parametrize("decay", [
    pytest.param(97.0, marks=pytest.mark.xfail(strict=True, reason="Handy's own wave is over after 114 s: release "
                                               "recovers in 2 min; Ca2+ must stay up longer")),
    220.0])  # the longest decay of IP3 in Handy 2017 and Taheri 2017, M
def test_P6_release_recovers_in_3_to_5_min(decay):
    t, loss = loss_of_epsp(decay)
    recovered = t[np.flatnonzero(loss > 0.05)[-1]]
    assert 3 * minute < recovered < 5 * minute


def test_R9_released_atp_depresses_release_with_the_measured_rise_and_decay():
    """15 uM of ATP (choice: half a vesicle of 4000 molecules to 1 um^3 of tissue), let go with 1 s.

    Rise: to 63 % of the largest depression; decay: from there to 1/e of it.
    """
    mesh = tissue().with_points("site", np.zeros((1, 3)), ["ecs"])
    p = purines(mesh["ecs"], mesh["ledger"])
    holding = Species("holding", mesh["site"], 15.0)
    model = Model([*p.all, holding], [*enzymes(mesh["ecs"], p), Emptying(mesh["site"], holding, p.atp, tau=1.0)])
    t, series = run(model, 60.0)
    depression = 1 - release_probability(1.0, series[p.adenosine], K_A1)
    peak = t[depression.argmax()]
    rise = span_above(t, depression, (1 - np.exp(-1)) * depression.max())[0]
    decay = span_above(t, depression, depression.max() / np.e)[1] - peak
    assert 1.6 < rise < 8.2
    assert 8.2 < decay < 12.0


# Spread

def length_constant(D: float, *makes: Any) -> float:
    """The length [um] over which a steady profile falls by e, fed at one end of a column of ECS."""
    ecs = grid("ecs", (0, 0, 0), (240, 1, 1), 1.0, volume_fraction=ALPHA, tortuosity=1.6)
    mesh = Mesh.of(ecs, pool("ledger", [1.0])).touching("ecs", "ledger", np.zeros(len(ecs), np.int64))
    mesh = mesh.with_points("end", [(0.5, 0.5, 0.5)], ["ecs"])
    one, gone = Species("purine", mesh["ecs"], scale=1e-3, D=D), Species("gone", mesh["ledger"], signed=True)
    model = Model([one, gone], [Production(mesh["end"], one, 1e-3), *(make(mesh["ecs"], one, gone) for make in makes)])
    profile, x = rest(model)[one], ecs.centres[:, 0]
    far = (x > 5) & (x < 60)
    return float(-1 / np.polyfit(x[far], np.log(profile[far]), 1)[0])


@pytest.mark.parametrize(("D", "k", "expected"), [(600.0, 0.35, 25.9), (300.0, 0.9, 11.4)])
def test_P8_adenosine_reaches_further_than_atp(D, k, expected):
    """sqrt(D*/k) with the rates of the linear cascade P1."""
    found = length_constant(D, lambda ecs, one, gone: Conversion(ecs, one, gone, k))
    assert found == pytest.approx(expected, rel=0.02)


def test_P8_the_saturable_laws_have_the_length_constant_of_their_first_order_part():
    D = 600.0
    found = length_constant(D, AdenosineUptake)
    assert found == pytest.approx(np.sqrt(D / 1.6**2 * 1.5 / 1.4), rel=0.02)


# Messages

def test_parameters_that_make_no_sense_are_refused():
    mesh = tissue()
    p = purines(mesh["ecs"], mesh["ledger"])
    with pytest.raises(InputError, match=r"^NTPDase: channelled is 1.5; it must be a part, at most 1$"):
        NTPDase(mesh["ecs"], p.atp, p.adp, p.amp, channelled=1.5)
    with pytest.raises(InputError, match=r"^CD73: Ki is 0; it must be a finite number > 0$"):
        CD73(mesh["ecs"], p.atp, p.adp, p.amp, p.adenosine, Ki=0.0)
    with pytest.raises(InputError, match=r"^surface rate: membrane area is 0; it must be a finite number > 0$"):
        surface_rate(17.0, ALPHA, 0.0)
    points = mesh.with_points("synapses", np.zeros((2, 3)), ["ecs"])["synapses"]
    pending = Species("pending", points)
    with pytest.raises(InputError, match=r"^1 spike trains for 2 synapses; give one each, empty for a silent synapse$"):
        NeuronalAdenosine(points, (np.zeros(0),), pending, p.adenosine)
