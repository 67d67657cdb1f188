"""The state in which a model rests: found, kept, or told why there is none."""

import numpy as np
import pytest
from test_calcium_ode import AM, FM, cell
from toy_mechanisms import Minis, Source, Spikes

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh
from spatial.geometry.store import with_store
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.calcium_leak import ERLeak, PlasmaLeak
from spatial.mechanisms.extrusion import LinearExtrusion
from spatial.mechanisms.ip3r import LiRinzel
from spatial.mechanisms.serca import SERCA
from spatial.model import Model, Species
from spatial.observe.probes import mean, peak, total
from spatial.simulate import simulate


@pytest.mark.parametrize(("ip3", "calcium", "h"), [(0.2, 0.082332, 0.786200), (0.8, 0.390580, 0.588932)])
def test_O3_it_is_the_published_fixed_point(ip3, calcium, h):
    one = cell(AM, ip3)
    state = rest(one.model)
    assert state[one.calcium][0] == pytest.approx(calcium, rel=1e-5)
    assert state[one.h][0] == pytest.approx(h, rel=1e-5)


@pytest.mark.parametrize("ip3", [0.2, 0.8])
def test_a_run_from_it_drifts_less_than_1e_6_per_s(ip3):
    one = cell(AM, ip3)
    run = simulate(one.model, 5.0, [mean(one.calcium)], start=rest(one.model))
    assert np.abs(run["mean calcium"] / run["mean calcium"][0] - 1).max() < 5e-6


@pytest.mark.parametrize("values", [AM, FM], ids=["AM", "FM"])
def test_a_cell_that_oscillates_has_none(values):
    """Its fixed point is unstable (O2, O5), so it is no rest."""
    with pytest.raises(InputError, match=r"^this model does not come to rest: after .* s '.*' in '.*' still changes by "
                                         r".* of its size per s; it oscillates, or lacks what balances a source or a "
                                         r"drain$"):
        rest(cell(values, 0.5 if values is AM else 0.6).model)


def test_a_source_that_nothing_balances_is_told():
    place = pool("cytosol", [1.0])
    calcium = Species("calcium", place, 0.1)
    grows = LinearExtrusion(place, calcium, Species("unused", place, signed=True), rate=0.0)
    model = Model([calcium, grows.outside], [grows, Source(place, calcium, 1.0)])
    with pytest.raises(InputError, match=r"'calcium' in 'cytosol' still changes"):
        rest(model)


def process(h: float = 0.9) -> tuple[Model, dict[str, Species]]:
    """A process of 3 um with ER, receptors only in its middle, a buffer, pumps and leaks out of balance."""
    cytosol = grid("cytosol", (0, -0.05, -0.05), (3, 0.05, 0.05), 0.1)
    mesh = with_store(Mesh.of(cytosol, pool("ledger", [1.0])))
    mesh = mesh.touching("cytosol", "ledger", np.zeros(len(cytosol), np.int64))
    place, membrane = mesh["cytosol"], mesh["er membrane"]
    receptors = 0.5 * 6 * 0.185 * (np.abs(place.centres[:, 0] - 1.5) < 0.3)
    calcium = Species("calcium", place, 0.1, D=13)
    store, ip3 = Species("store", mesh["er"], 400.0, D=10), Species("IP3", place, 0.1, D=280)
    free, bound = Species("free", place, 60.0), Species("bound", place, 10.0)
    gate, ledger = Species("h", membrane, h, unit="1"), Species("outside", mesh["ledger"], 3.0, signed=True)
    model = Model([calcium, store, ip3, free, bound, gate, ledger], [
        LiRinzel(membrane, calcium, store, ip3, gate, permeability=0.02 * receptors), SERCA(membrane, calcium, store),
        ERLeak(membrane, calcium, store, permeability=0.001), Buffer(place, calcium, free, bound),
        LinearExtrusion(place, calcium, ledger, rate=1.0), PlasmaLeak(place, calcium, ledger, influx=0.1)])
    return model, {one.name: one for one in model}


def test_a_process_rests_unevenly_and_stays_so():
    model, of = process()
    state = rest(model)
    assert np.ptp(state[of["calcium"]]) > 1e-3 * state[of["calcium"]].mean()
    run = simulate(model, 10.0, [peak(of["calcium"]), mean(of["store"]), mean(of["h"])], start=state)
    for values in (run[name] for name in run.series):
        assert np.abs(values / values[0] - 1).max() < 1e-5


def test_what_is_conserved_stays_so_and_ledgers_keep_their_value():
    model, of = process()
    state = rest(model)
    volume = of["free"].place.measure
    assert volume @ (state[of["free"]] + state[of["bound"]]) == pytest.approx(volume.sum() * 70.0, rel=1e-12)
    assert volume @ state[of["IP3"]] == pytest.approx(volume.sum() * 0.1, rel=1e-12)
    assert state[of["outside"]][0] == 3.0


def test_events_and_chance_play_no_part():
    one = cell(AM, 0.2)
    place = one.calcium.place
    disturbed = one.model.with_mechanisms(Spikes(place, one.calcium, np.array([0.5]), 5.0),
                                          Minis(place, one.calcium, 9.0))
    assert rest(disturbed)[one.calcium] == pytest.approx(rest(one.model)[one.calcium], rel=1e-12)


def test_it_starts_its_own_model_and_its_like_alone_and_is_left_as_it_was():
    one, alike = cell(AM, 0.2), cell(AM, 0.2)
    state = rest(one.model)
    before = state.values.copy()
    simulate(one.model, 0.1, [total(one.calcium)], start=state)
    assert (state.values == before).all()
    run = simulate(alike.model, 0.1, [total(alike.calcium)], start=state)
    assert run["total calcium"][0] == alike.calcium.place.measure @ state[one.calcium]
    with pytest.raises(InputError, match=r"^the state to start from is not one of this model: .*; take that of rest"):
        simulate(process()[0], 0.1, start=state)
