"""Who fires when: a spike costs the same however many are still to come."""

import time

import numpy as np
import pytest

from spatial.geometry.place import Mesh
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import each
from spatial.simulate import simulate
from spatial.synapses.plasticity.stdp import PairSTDP
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.synapses.spikes import Timetable

TRAINS = (np.array([0.1, 0.3]), np.zeros(0), np.array([0.3, 0.2 + 0.1, 0.5]), np.array([0.05]))
"""Times that differ by rounding are two instants: 0.3 and 0.1 + 0.2."""


def test_those_fire_whose_train_has_a_spike_then():
    timetable = Timetable.of(TRAINS)
    for t in (0.0, 0.05, 0.1, 0.2, 0.3, 0.1 + 0.2, 0.5, 1.0):
        assert timetable.firing(t).tolist() == [float(t in train) for train in TRAINS]


def test_the_instants_are_all_times_once_and_in_order():
    assert Timetable.of(TRAINS).instants.tolist() == sorted({t for train in TRAINS for t in train})
    assert Timetable.of(()).instants.tolist() == []


def cost(spikes: int, until: float) -> float:
    """CPU time [s] of a run up to `until` with 4000 spikes a second at a hundred synapses."""
    mesh = Mesh.of(pool("ecs", [1.0])).with_points("s", np.zeros((100, 3)), touching=["ecs"])
    rng, where = np.random.default_rng(0), mesh["s"]
    times = np.sort(rng.uniform(0.0, spikes / 4000, spikes))
    of = rng.integers(0, 100, spikes)
    trains = tuple(np.unique(times[of == k]) for k in range(100))
    glutamate = Species("glutamate", mesh["ecs"])
    u, x, out, pre, post, weight = (Species(name, where, value) for name, value in
                                    (("u", 0.0), ("x", 1.0), ("out", 0.0), ("pre", 0.0), ("post", 0.0), ("w", 1.0)))
    model = Model([glutamate, u, x, out, pre, post, weight], [
        TsodyksMarkram(where, trains, glutamate, A1Inhibition(0.0), u, x, out),
        PairSTDP(where, trains, times[::50], pre, post, weight)])
    start = time.process_time()
    simulate(model, until, [each(out)], every=until)
    return time.process_time() - start


@pytest.mark.slow
def test_a_spike_costs_the_same_with_a_million_to_come_as_with_four_thousand():
    few, many = zip(*[(cost(4000, 0.5), cost(1_000_000, 0.5)) for _ in range(3)], strict=True)
    assert min(many) < 1.1 * min(few)


def test_looking_up_who_fires_does_not_go_through_all_spikes():
    def lookup(spikes: int) -> float:
        timetable = Timetable.of((np.arange(spikes) * 1e-3,))
        start = time.process_time()
        for t in timetable.times[:200]:
            timetable.firing(t)
        return time.process_time() - start

    lookup(10)
    assert min(lookup(1_000_000) for _ in range(5)) < 3 * min(lookup(1000) for _ in range(5))
