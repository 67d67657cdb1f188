"""Ca2+ beside an open channel among buffers (M1-M8 of biophysics.md, part B4), and buffers without equations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from acting import at_time, times_of
from toy_mechanisms import Decay, Exchange, Minis, Source, Spikes
from toy_places import shells, spot

from spatial._engine.methods.tolerance import Tolerance
from spatial.analysis.buffered_domain import Domain
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Place
from spatial.geometry.well_mixed import well_mixed
from spatial.mechanisms.buffer import Buffer, bound_at, capacity
from spatial.mechanisms.rapid_buffer import RapidBuffer, RapidBuffers
from spatial.model import Channels, EachStep, Model, Species, events_of
from spatial.observe.probes import Probe, mean
from spatial.simulate import simulate
from spatial.units import ion_flux, nm, pA

REST, D, OUTER = 0.1, 220.0, 5.0
SIGMA = ion_flux(0.1 * pA, 2)
RADII = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])

BUFFERS = {
    "M1": RapidBuffer(100, 0.2, 95, 400),
    "M2": RapidBuffer(100, 0.2, 113, 2.5),
    "M3": RapidBuffer(10, 0.144, 50, 7.78),
    "M4": RapidBuffer(450, 10, 15, 100),
}
TABLE = {
    "M1": (33.903, 15.336, 4.5623, 1.4270, 0.33909, 0.11048, 0.10313),
    "M2": (37.266, 18.523, 7.2801, 3.5379, 1.6764, 0.58635, 0.25782),
    "M3": (37.422, 18.678, 7.4322, 3.6851, 1.8141, 0.69922, 0.33878),
    "M4": (33.579, 15.115, 4.5688, 1.6286, 0.62107, 0.27076, 0.17526),
}


@dataclass(frozen=True)
class Held:
    """Species kept at a value at points, by exchange much faster than all else."""

    where: Place
    values: dict[Species, float]

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {one: 1e10 * (value - c[one]) for one, value in self.values.items()}


def hemisphere(outer: float) -> Place:
    """Half shells around a channel in a wall, finer and finer towards it, the last at `outer`."""
    whole = shells(np.r_[0.0, np.geomspace(2 * nm, 0.99 * outer, 150), 1.01 * outer])
    return replace(whole, measure=whole.measure / 2, transmissibility=whole.transmissibility / 2)


@dataclass(frozen=True)
class Profile:
    """Steady Ca2+ over the distance from the channel."""

    r: Floats
    c: Floats

    def at(self, radii: Floats) -> Floats:
        """Ca2+ at distances [um]: r (c - c0) is smooth where c is not."""
        return REST + np.interp(np.log(radii), np.log(self.r), self.r * (self.c - REST)) / radii


def steady(buffer: RapidBuffer | None, sigma: float = SIGMA, outer: float = OUTER) -> Profile:
    """Ca2+ long after the channel has opened, at rest `outer` [um] away."""
    place = hemisphere(outer)
    calcium, mechanisms = Species("calcium", place, REST, D=D), list[Any]()
    species = [calcium]
    if buffer:
        free = Species("free", place, buffer.free(REST), D=buffer.D)
        bound = Species("bound", place, buffer.bound(REST), D=buffer.D)
        species += [free, bound]
        mechanisms.append(Buffer(place, calcium, free, bound, kon=buffer.kon, K=buffer.K))
    mechanisms.append(Source(spot(place, 0), calcium, sigma))
    mechanisms.append(Held(spot(place, len(place) - 1), {one: float(one.initial) for one in species}))
    until = 2.0 * (outer / OUTER) ** 2  # s, fifteen times what the slowest mode takes or more
    run = simulate(Model(species, mechanisms), until, [Probe("c", "uM", lambda c: c[calcium])], every=until,
                   tolerance=Tolerance(1e-3, shortest=1e-15))
    return Profile(place.centres[:, 0], run["c"][-1])


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return {name: steady(buffer) for name, buffer in BUFFERS.items()}


# M1-M6, M8: a channel open for long

def test_without_buffers_calcium_falls_with_one_over_the_distance():
    r = np.array([0.02, 0.05, 0.1, 0.2])
    assert Domain(SIGMA).unbuffered(r) == pytest.approx([18.845, 7.598, 3.849, 1.974], abs=5e-4)
    assert steady(None).at(r) == pytest.approx(Domain(SIGMA, outer=OUTER).unbuffered(r), rel=2e-3)


@pytest.mark.parametrize(("name", "tolerance"), [("M1", 0.03), ("M2", 0.02), ("M3", 0.02), ("M4", 0.03)],
                         ids=["M1", "M2", "M3", "M4"])
def test_M1_M2_M3_M4_steady_calcium_is_as_tabulated(profiles, name, tolerance):
    assert profiles[name].at(RADII) == pytest.approx(TABLE[name], rel=tolerance)


@pytest.mark.parametrize(("name", "length", "within", "furthest"), [
    ("M1", 0.09083, 0.08, 0.1), ("M2", 1.1489, 0.005, 1.0), ("M3", 2.189, 0.005, 1.0), ("M4", 0.07027, None, None)],
    ids=["M1", "M2", "M3", "M4"])
def test_M1_M2_M3_M4_excess_buffer_approximation(profiles, name, length, within, furthest):
    buffer = BUFFERS[name]
    assert buffer.length(REST, D) == pytest.approx(length, rel=5e-4)
    if within:
        r = np.array([radius for radius in RADII if radius <= furthest])
        assert Domain(SIGMA).excess_buffer(r, buffer) == pytest.approx(profiles[name].at(r), rel=within)


def test_M4_rapid_buffer_approximation_holds_half_a_micrometre_away(profiles):
    r = RADII[RADII >= 0.5]
    found = Domain(SIGMA, outer=OUTER).rapid_buffer(r, BUFFERS["M4"])
    assert found == pytest.approx(profiles["M4"].at(r), rel=0.005)


def test_the_rapid_buffer_approximation_satisfies_its_equation():
    buffer, domain = BUFFERS["M4"], Domain(SIGMA, outer=OUTER)
    c = domain.rapid_buffer(RADII, buffer)
    held = D * c + buffer.D * np.array([buffer.bound(one) for one in c])
    at_rest = D * REST + buffer.D * buffer.bound(REST)
    assert held - at_rest == pytest.approx(SIGMA / (2 * np.pi) * (1 / RADII - 1 / OUTER), rel=1e-10)
    immobile = domain.rapid_buffer(RADII, RapidBuffer(450, 10, 0.0, 100))
    assert immobile == pytest.approx(domain.unbuffered(RADII), rel=1e-12)


@pytest.mark.parametrize("name", BUFFERS)
def test_M5_far_away_calcium_falls_as_if_it_diffused_with_D_and_kappa_D_B(name):
    buffer, outer = BUFFERS[name], 60.0
    profile = steady(buffer, outer=outer)
    far = (profile.r > 20) & (profile.r < 45)
    slope = np.polyfit(1 / profile.r[far] - 1 / outer, profile.c[far] - REST, 1)[0]
    assert slope == pytest.approx(SIGMA / (2 * np.pi * (D + buffer.D * buffer.capacity(REST))), rel=0.01)


@pytest.mark.parametrize("name", BUFFERS)
def test_M6_beside_a_weak_source_the_linear_theory_holds(name):
    weak = 0.01 * SIGMA
    rise = steady(BUFFERS[name], weak, outer=60.0).at(RADII) - REST
    assert rise == pytest.approx(Domain(weak).linear(RADII, BUFFERS[name]) - REST, rel=0.03)


def test_M8_an_open_channel_makes_micromolars_around_its_cluster_and_hundreds_at_its_pore(profiles):
    """A cluster is 50 to 200 nm wide (biophysics A2d: domains of 0.5-10 uM); at the pore no buffer matters."""
    around = profiles["M4"].at(np.array([0.05, 0.1, 0.2]))
    assert (around > 0.5).all()
    assert (around < 10).all()
    assert Domain(SIGMA).unbuffered(np.array([3 * nm])) > 100
    assert Domain(SIGMA).excess_buffer(np.array([3 * nm]), BUFFERS["M4"]) > 100
    assert profiles["M4"].at(np.array([3 * nm])) > 100


def test_a_source_away_from_walls_makes_half_of_what_one_on_a_wall_does():
    both = Domain(SIGMA, angle=4 * np.pi).unbuffered(RADII), Domain(SIGMA / 2).unbuffered(RADII)
    assert both[0] == pytest.approx(both[1], rel=1e-14)


def test_a_domain_without_a_source_is_refused():
    with pytest.raises(InputError, match="Domain: sigma is 0; it must be a finite number > 0"):
        Domain(0.0)
    with pytest.raises(InputError, match="D of the buffer is 0"):
        Domain(SIGMA).linear(RADII, RapidBuffer(450))


# M7: buffers without equations

M7 = [(RapidBuffer(450, 10), 4.877), (RapidBuffer(70, 10), 27.98), (RapidBuffer(100, 0.2, 50), 50.76)]
DOSE = 1e-4  # uM um^3: 0.1 uM in one element, before it is bound


@dataclass(frozen=True)
class Pulse:
    """What becomes of a little Ca2+ let into the middle of a thin tube, per amount let in."""

    t: Floats
    free: Floats  # (times, n) free Ca2+ above rest
    place: Place

    @property
    def amount(self) -> Floats:
        """The part that is free."""
        return self.free @ self.place.measure

    @property
    def apparent_D(self) -> float:
        """The apparent diffusion coefficient: half the slope of the variance, after the first quarter."""
        x = self.place.centres[:, 0] - self.place.centres[:, 0].mean()
        variance, late = self.free @ (self.place.measure * x ** 2) / self.amount, self.t > self.t[-1] / 4
        return float(np.polyfit(self.t[late], variance[late], 1)[0]) / 2

    def differs(self, other: "Pulse") -> float:
        """How much free Ca2+ at the end differs from that of another, relative to it."""
        return float(np.linalg.norm(self.free[-1] - other.free[-1]) / np.linalg.norm(other.free[-1]))


def pulse(until: float, buffers: RapidBuffers, reduced: bool) -> Pulse:
    """Let Ca2+ in and wait, with the buffers as species or in equilibrium (linear, so that more can be let in)."""
    place, dose = grid("cytosol", [0, 0, 0], [20.1, 0.1, 0.1], 0.1), 100 * DOSE if reduced else DOSE
    calcium = Species("calcium", place, REST, D=buffers.effective_D(D) if reduced else D)
    entry = Spikes(spot(place, len(place) // 2), calcium, np.array([1e-7]), dose)
    model = Model([calcium], [buffers.slowed(entry, calcium)])
    if not reduced:
        model = explicit(place, calcium, buffers.buffers).with_mechanisms(entry)
    run = simulate(model, until, [Probe("rise", "uM", lambda c: c[calcium] - REST)], tolerance=Tolerance(1e-6))
    after = run.times > 1e-7
    return Pulse(run.times[after], run["rise"][after] / dose, place)


def explicit(place: Place, calcium: Species, buffers: Sequence[RapidBuffer]) -> Model:
    """Ca2+ and buffers as species, at rest."""
    species, mechanisms = [calcium], []
    for k, buffer in enumerate(buffers):
        free = Species(f"free {k}", place, buffer.free(REST), D=buffer.D)
        bound = Species(f"bound {k}", place, buffer.bound(REST), D=buffer.D)
        species += [free, bound]
        mechanisms.append(Buffer(place, calcium, free, bound, kon=buffer.kon, K=buffer.K))
    return Model(species, mechanisms)


@pytest.mark.parametrize(("buffer", "apparent"), M7)
def test_M7_a_small_pulse_spreads_with_the_apparent_D(buffer, apparent):
    buffers = RapidBuffers(REST, [buffer])
    assert buffers.effective_D(D) == pytest.approx(apparent, rel=2e-4)
    for reduced in (True, False):
        found = pulse(1 / apparent, buffers, reduced)
        assert found.apparent_D == pytest.approx(apparent, rel=0.02)
        assert found.amount[-1] == pytest.approx(buffers.factor, rel=1e-3)


@pytest.mark.parametrize(("buffer", "apparent"), M7)
def test_the_faster_the_buffer_the_better_the_reduction(buffer, apparent):
    errors = {}
    for kon in (10.0, 100.0, 1000.0):
        buffers = RapidBuffers(REST, [replace(buffer, kon=kon)])
        errors[kon] = pulse(1 / apparent, buffers, False).differs(pulse(1 / apparent, buffers, True))
    assert errors[1000.0] < 0.01
    assert errors[10.0] > 4 * errors[100.0] > 16 * errors[1000.0]


def test_two_buffers_are_reduced_together():
    buffers = RapidBuffers(REST, [RapidBuffer(70, 10), RapidBuffer(100, 0.2, 50)])
    kappa = capacity(REST, 70, 10), capacity(REST, 100, 0.2)
    assert buffers.capacity == pytest.approx(sum(kappa), rel=1e-14)
    assert buffers.effective_D(D) == pytest.approx((D + 50 * kappa[1]) / (1 + sum(kappa)), rel=1e-14)
    assert buffers.buffers[1].bound(0.3) == pytest.approx(bound_at(0.3, 100, 0.2), rel=1e-14)
    until = 1 / buffers.effective_D(D)
    assert pulse(until, buffers, False).differs(pulse(until, buffers, True)) < 0.02


def two_places() -> tuple[Place, Species, Species]:
    """ER membrane, and Ca2+ on both sides of it."""
    mesh = well_mixed({"cytosol": 1.0, "er": 0.2}, {"er membrane": (2.0, ["cytosol", "er"])})
    return mesh["er membrane"], Species("calcium", mesh["cytosol"], REST), Species("store", mesh["er"], 400.0)


def test_calcium_from_a_store_is_conserved_with_what_the_buffers_hold():
    membrane, calcium, store = two_places()
    buffers = RapidBuffers(REST, [RapidBuffer(450)])
    model = Model([calcium, store], [buffers.slowed(Exchange(membrane, store, calcium, 0.3), calcium)])
    run = simulate(model, 1.0, [mean(calcium), mean(store)], tolerance=Tolerance(1e-3))
    total = (1 + buffers.capacity) * run["mean calcium"] + 0.2 * run["mean store"]
    assert total == pytest.approx(total[0], rel=1e-12)
    assert run["mean calcium"][-1] > 10 * REST


def test_buffers_in_equilibrium_and_as_species_agree_where_the_reduction_holds():
    membrane, calcium, store = two_places()
    buffers = RapidBuffers(REST, [RapidBuffer(450)])
    buffers.validity(peak=2 * REST, time=0.1).check()
    leak = Exchange(membrane, store, calcium, 0.005)
    full = explicit(calcium.place, calcium, buffers.buffers)
    models = (Model([calcium, store], [buffers.slowed(leak, calcium)]),
              Model([*full, store], [*full.mechanisms, leak]))
    last = [simulate(model, 1.0, [mean(calcium)], tolerance=Tolerance(1e-4))["mean calcium"][-1] for model in models]
    assert 1.5 * REST < last[1] < 2 * REST
    assert last[0] - REST == pytest.approx(last[1] - REST, rel=0.02)


def test_only_the_gain_of_this_calcium_is_slowed_whatever_the_mechanism_does():
    membrane, calcium, store = two_places()
    buffers = RapidBuffers(REST, [RapidBuffer(450)])
    c, rng = {calcium: np.array([1.0]), store: np.array([3.0])}, np.random.default_rng
    passage = Exchange(membrane, store, calcium, 0.5)
    slowed = buffers.slowed(passage, calcium)
    assert slowed.where is membrane
    assert slowed.rates(c, 0.0)[calcium] == pytest.approx(buffers.factor * 1.0, rel=1e-14)
    assert slowed.rates(c, 0.0)[store] == passage.rates(c, 0.0)[store]
    assert slowed.events == ()
    spikes = buffers.slowed(Spikes(membrane, calcium, np.array([1.0, 2.0]), 7.0), calcium)
    assert times_of(spikes) == [1.0, 2.0]
    assert at_time(spikes, c, 1.0)[calcium] == pytest.approx(buffers.factor * 7.0)
    minis = Minis(membrane, calcium, 20.0)
    (whole,), (less,) = events_of(minis), events_of(buffers.slowed(minis, calcium))
    assert isinstance(less, EachStep)
    assert less.change(c, 0.0, 1.0, rng(1))[calcium] == pytest.approx(
        buffers.factor * whole.change(c, 0.0, 1.0, rng(1))[calcium])


@dataclass(frozen=True, eq=False)
class Channel:
    """A channel that opens once, after 3 s."""

    where: Place
    calcium: Species
    first: float = 3.0

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.calcium: 2.0}

    @property
    def events(self) -> tuple[Channels, ...]:
        return (Channels((self.calcium,), path=lambda c, t, horizon, rng: self),)

    def gains(self, dt: float) -> dict[Species, Any]:
        return {self.calcium: 5.0 * dt}


def test_a_slowed_channel_keeps_its_path():
    membrane, calcium, _ = two_places()
    buffers = RapidBuffers(REST, [RapidBuffer(450)])
    slowed = buffers.slowed(Channel(membrane, calcium), calcium)
    channels, = events_of(slowed)
    assert isinstance(channels, Channels)
    assert events_of(buffers.slowed(Decay(membrane, calcium, 1.0), calcium)) == ()
    path = channels.path({}, 0.0, 1.0, np.random.default_rng(1))
    assert path.first == 3.0
    assert path.gains(2.0)[calcium] == pytest.approx(10.0 * buffers.factor)
    assert slowed.rates({}, 0.0)[calcium] == pytest.approx(2.0 * buffers.factor)
    assert slowed.where is membrane


def test_a_good_reduction_says_by_how_much():
    buffers = RapidBuffers(REST, [RapidBuffer(450, 10, 0, 1000), RapidBuffer(7.5, 0.24, 50, 100)])
    found = buffers.validity(peak=0.11, time=1.0, distance=2.0)
    assert found.holds
    found.check()
    assert found.time == pytest.approx(1 / (100 * 0.34), rel=1e-12)
    assert found.length == pytest.approx(np.sqrt(220 / (100 * 7.5 * 0.24 / 0.34)), rel=1e-12)
    before, after = (capacity(c, 450, 10) + capacity(c, 7.5, 0.24) for c in (0.1, 0.11))
    assert found.change == pytest.approx(1 - after / before, rel=1e-12)


@pytest.mark.parametrize(("buffer", "options", "message"), [
    (RapidBuffer(100, 0.2, 113, 2.5), {"peak": 0.105, "time": 1.0},
     r"the buffer of 100 uM with K = 0.2 uM binds within 1.33e\+03 ms, which is not much less than .* 1e\+03 ms"),
    (RapidBuffer(100, 0.2, 95, 400), {"peak": 0.105, "time": 1.0, "distance": 0.2},
     r"Ca2\+ goes 90.8 nm before the buffer of 100 uM with K = 0.2 uM binds it, .* distance of interest, 200 nm"),
    (RapidBuffer(450, 10, 0, 1000), {"peak": 5.0, "time": 1.0},
     r"Ca2\+ from 0.1 to 5 uM changes the buffers' capacity by 54.7 %, more than 10 %")])
def test_where_the_reduction_does_not_hold_it_says_why(buffer, options, message):
    found = RapidBuffers(REST, [buffer]).validity(**options)
    assert not found.holds
    assert len(found.warnings) == 1
    with pytest.raises(InputError, match=f"rapid buffering does not hold: {message}"):
        found.check()


def test_the_reduction_does_err_where_it_says_it_does_not_hold():
    """EGTA within 20 ms, for which it needs a second: fast enough would be ten times faster than that."""
    apparent = M7[2][1]
    slow, fast = (RapidBuffers(REST, [RapidBuffer(100, 0.2, 50, kon)]) for kon in (2.5, 2500.0))
    assert not slow.validity(0.101, 1 / apparent).holds
    assert fast.validity(0.101, 1 / apparent).holds
    differs = [pulse(1 / apparent, buffers, False).differs(pulse(1 / apparent, buffers, True))
               for buffers in (slow, fast)]
    assert differs[0] > 0.3
    assert differs[1] < 0.01


def test_impossible_buffers_are_refused():
    with pytest.raises(InputError, match="RapidBuffers has no buffer; give one at least"):
        RapidBuffers(REST, [])
    with pytest.raises(InputError, match="RapidBuffer: K is 0; it must be a finite number > 0"):
        RapidBuffer(450, 0.0)
    with pytest.raises(InputError, match="RapidBuffer: total is -1; it must be"):
        RapidBuffer(-1.0)
    with pytest.raises(InputError, match="RapidBuffers: calcium is nan"):
        RapidBuffers(np.nan, [RapidBuffer(450)])
    with pytest.raises(InputError, match="validity: time is 0"):
        RapidBuffers(REST, [RapidBuffer(450)]).validity(1.0, 0.0)
