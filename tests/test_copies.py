"""What pickles and deep-copies, what says why it does not, and that other processes bring recordings back."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import dask
import joblib
import numpy as np
import pytest
from scenario_results import RESULTS, parts, same
from worker_runs import Around, Gated, Half, made_mesh, made_model, made_probes, run, run_of, steady

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import box
from spatial.geometry.well_mixed import pool
from spatial.model import Model, Species
from spatial.observe.probes import Probe, mean
from spatial.observe.recording import Recording
from spatial.simulate import simulate

ROOT = Path(__file__).resolve().parents[1]


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


COPIES = pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
Copy = Callable[[Any], Any]


def things() -> dict[str, Any]:
    """One of every kind of thing that users hold."""
    mesh = made_mesh()
    model = made_model(mesh)
    still = Model(model.species, model.mechanisms[:2])
    recording = simulate(model, 0.02, made_probes(model))
    return {"place": mesh["bar"], "mesh": mesh, "species": model.species[0], "model": model, "state": rest(still),
            "recording": recording, "series": recording.series["peak calcium"], "probes": made_probes(model),
            "tetrahedra": box((1.0, 1.0, 1.0), 0.5)}


@pytest.fixture(scope="module")
def held() -> dict[str, Any]:
    return things()


@COPIES
@pytest.mark.parametrize("kind", ["place", "mesh", "species", "model", "state", "recording", "series", "probes",
                                  "tetrahedra"])
def test_a_copy_holds_the_same(held, kind, copied):
    assert same(copied(held[kind]), held[kind])


def arrays(thing: Any, seen: dict[int, Any]) -> list[np.ndarray]:
    """All arrays that a thing holds."""
    if id(thing) in seen:
        return []
    seen[id(thing)] = thing
    if isinstance(thing, np.ndarray):
        return [thing]
    return [array for part in parts(thing) or [] for array in arrays(part, seen)]


@COPIES
@pytest.mark.parametrize("kind", ["place", "mesh", "species", "state", "recording", "series"])
def test_the_arrays_of_a_copy_cannot_be_written(held, kind, copied):
    found = arrays(copied(held[kind]), {})
    assert found
    for array in found:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@COPIES
def test_a_model_and_its_probes_copied_together_run_to_the_same_bits(copied):
    model = made_model(made_mesh())
    probes = made_probes(model)
    expected, found = run_of(model, probes), run_of(*copied((model, probes)))
    assert same(found.times, expected.times)
    assert same(found.series, expected.series)


def test_a_deep_copy_of_a_model_takes_the_probes_of_the_model():
    model = made_model(made_mesh())
    probes = made_probes(model)
    assert same(run_of(copy.deepcopy(model), probes).series, run_of(model, probes).series)


def test_a_deep_copy_of_a_model_has_mechanisms_of_its_own():
    model = made_model(made_mesh())
    other = copy.deepcopy(model)
    other.mechanisms[2].gain[:] = 7.0
    assert model.mechanisms[2].gain.max() == 1.0
    assert copy.copy(model).mechanisms is model.mechanisms


@COPIES
def test_the_digest_of_a_place_survives_and_places_of_a_copied_mesh_fit_those_of_the_first(copied):
    mesh = made_mesh()
    other = copied(mesh)
    for name, place in mesh.items():
        assert other[name].is_same(place)
        assert other[name].digest == made_mesh()[name].digest
    mixed = Model([Species("calcium", mesh["bar"]), Species("stored", other["pool"])],
                  [Gated(other["membrane"], Species("calcium", other["bar"]), steady)])
    assert len(mixed.species) == 2
    assert other.touching("pool", "bar", np.zeros(1, np.int64))["membrane"].is_same(mesh["membrane"])


# What says why it cannot be pickled


def gated(gate: Any, more: Any = None) -> Model:
    place = pool("cytosol", [1.0])
    calcium = Species("calcium", place, 1.0)
    return Model([calcium], [Gated(place, calcium, gate, more)])


def local_gate(c: Any) -> float:
    return 1.0


def made_on_the_spot() -> Callable[[Any], float]:
    def gate(c: Any) -> float:
        return 1.0

    return gate


SPOT = r" is a function made on the spot \(<lambda>\); define it at the top of a module, or make it a small class$"
START = "^this model cannot be pickled: Gated: "


@pytest.mark.parametrize(("model", "message"), [
    (lambda: gated(lambda c: 1.0), START + "gate" + SPOT),
    (lambda: gated(made_on_the_spot()), START + r"gate is a function made on the spot \(gate\); "),
    (lambda: gated(Half(lambda c: 1.0)), START + "gate.inner" + SPOT),
    (lambda: gated(Half(Half(lambda c: 1.0))), START + "gate.inner.inner" + SPOT),
    (lambda: gated(steady, [1.0, lambda: 2.0]), START + r"more\[1\]" + SPOT),
    (lambda: gated(steady, {"open": [lambda: 2.0]}), START + r"more\['open'\]\[0\]" + SPOT),
    (lambda: gated(partial(lambda k, c: k, 1.0)), START + "gate" + SPOT),
    (lambda: gated(partial(steady, open=lambda: 1.0)), START + r"gate\['open'\]" + SPOT),
    (lambda: gated(partial(steady, lambda: 1.0)), START + r"gate\[0\]" + SPOT),
    (lambda: gated(Half(lambda c: 1.0).__call__), START + "gate.inner" + SPOT),
    (lambda: gated(steady, (k for k in range(3))), START + r"more is a generator, which cannot be pickled"),
    (lambda: gated(steady, Lock()), START + r"more is a lock, which cannot be pickled"),
    (lambda: gated(steady, MappingProxyType({})), START + r"more is a mappingproxy, which cannot be pickled"),
    (lambda: gated(steady, sys), START + r"more is a module, which cannot be pickled \(.*\); leave it out, or make it "
                                         "anew where it is used$")])
def test_a_model_says_by_name_which_part_of_it_cannot_be_pickled(model, message):
    with pytest.raises(InputError, match=message):
        pickle.dumps(model())


def test_a_model_with_a_mechanism_of_a_class_made_on_the_spot_says_so():
    @dataclass(frozen=True, eq=False)
    class Local(Gated):
        pass

    place = pool("cytosol", [1.0])
    calcium = Species("calcium", place)
    with pytest.raises(InputError, match=r"^this model cannot be pickled: Local is of a class made on the spot "
                                         r"\(test_.*<locals>.Local\); define it at the top of a module$"):
        pickle.dumps(Model([calcium], [Local(place, calcium, steady)]))


def test_a_model_with_terms_of_fipy_says_whose_cannot_be_pickled():
    calcium = Species("calcium", made_mesh()["bar"], D=1.0)
    with pytest.raises(InputError, match=r"^this model cannot be pickled: fipy_terms of 'calcium'" + SPOT):
        pickle.dumps(Model([calcium], [], {calcium: lambda c: c}))
    kept = pickled(Model([calcium], [], {calcium: local_gate}))
    assert kept.fipy_terms == {kept.species[0]: local_gate}


class Careful:
    """It keeps a function made on the spot, and leaves it out of its pickles."""

    def __init__(self) -> None:
        self.kept = lambda: 1.0

    def __getstate__(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("more", [local_gate, Careful(), np.exp, max, {"a": [1, "b"]}, np.random.default_rng(0),
                                  Around, ROOT, "text".upper], ids=lambda more: type(more).__name__)
def test_a_model_with_what_can_be_pickled_is(more):
    assert same(pickled(gated(steady, more)).mechanisms[0].gate, steady)


def test_a_model_that_cannot_be_pickled_is_deep_copied_and_runs_alike():
    place = pool("cytosol", [1.0])
    calcium = Species("calcium", place, 1.0)
    model = Model([calcium], [Gated(place, calcium, lambda c: -c[calcium])])
    probes = [mean(calcium)]
    assert same(simulate(copy.deepcopy(model), 0.1, probes).series, simulate(model, 0.1, probes).series)
    assert copy.copy(model).species == model.species


INTERACTIVE = """
from multiprocessing import get_context
from spatial import Model, Species, pool
class Own:
    where = place = pool("cytosol", [1.0])
    def rates(self, c, t):
        return {}
model = Model([Species("calcium", Own.place)], [Own()])
import pickle
assert pickle.loads(pickle.dumps(model)).species
get_context("spawn").Process(target=print, args=(model,)).start()
"""


def test_a_class_of_an_interactive_session_pickles_but_not_to_a_process_that_is_being_started():
    done = subprocess.run([sys.executable, "-c", INTERACTIVE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().endswith(
        "InputError: this model cannot be pickled: Own is of a class that the new process cannot import (Own of an "
        "interactive session); define it at the top of a module")


# Scenarios


@pytest.mark.filterwarnings("ignore::spatial.simulate.FewMolecules")
@pytest.mark.parametrize("scenario", RESULTS)
def test_the_result_of_a_scenario_pickles_and_deep_copies(scenario):
    result = RESULTS[scenario]()
    assert same(pickled(result), result)
    assert same(copy.deepcopy(result), result)


# Other processes


RATES = [1.0, 3.0]


def in_a_spawn_pool() -> list[Recording]:
    with get_context("spawn").Pool(1) as workers:
        return workers.map(run, RATES)


def with_joblib() -> list[Recording]:
    return joblib.Parallel(n_jobs=2)(joblib.delayed(run)(k) for k in RATES)


def with_dask() -> list[Recording]:
    return list(dask.compute(*(dask.delayed(run)(k) for k in RATES), scheduler="processes", num_workers=1))


@pytest.mark.parametrize("computed", [in_a_spawn_pool, with_joblib, with_dask])
def test_recordings_come_back_from_other_processes_as_they_are_made_here(computed):
    for found, k in zip(computed(), RATES, strict=True):
        assert same(found, run(k))
        assert not found.times.flags.writeable


def test_a_model_and_its_probes_go_to_another_process_and_run_there_as_here():
    model = made_model(made_mesh())
    probes = made_probes(model)
    with get_context("spawn").Pool(1) as workers:
        found = workers.apply(run_of, (model, probes))
    assert same(found, run_of(model, probes))


def test_two_results_that_differ_are_not_the_same():
    """The comparison that these tests rest on sees a changed bit, a changed name and a changed number of things."""
    one, other = run(1.0), run(1.5)
    assert not same(one, other)
    assert not same([np.zeros(2)], [np.array([0.0, -0.0])])
    assert not same([1.0, 2.0], [1.0])
    assert not same(Probe("a", "1", steady), Probe("b", "1", steady))
    assert not same(Mesh.of(pool("a", [1.0])), Mesh.of(pool("a", [2.0])))
    assert isinstance(made_mesh()["bar"], Place)
