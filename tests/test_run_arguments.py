"""What `simulate` is given: what no one means is refused in one sentence, what hardly anyone means is warned of."""

import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest

from spatial._engine.methods.electrolyte import Electrolyte
from spatial._engine.methods.tolerance import Tolerance
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.layout import State
from spatial.checks import InputError, Unusual
from spatial.geometry.grid import grid
from spatial.geometry.load import load, save
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import ball
from spatial.geometry.shells import shells
from spatial.geometry.tetrahedra import Region
from spatial.geometry.well_mixed import pool
from spatial.model import AtTimes, Model, Species
from spatial.observe.probes import Probe, each, mean
from spatial.simulate import simulate
from spatial.synapses.release import A1Inhibition, TsodyksMarkram
from spatial.units import ion_flux, nernst

VOLUME = pool("v", [1.0])
C = Species("c", VOLUME, 1.0)


@dataclass(frozen=True, eq=False)
class Decay:
    where: Place
    species: Species
    times: np.ndarray

    @property
    def events(self):
        return (AtTimes(self.times, (self.species,), (), lambda c, t, rng: {self.species: 1.0}),)

    def rates(self, c, t):
        return {self.species: -c[self.species]}


class Keep(list):
    """Frames of a user's own that are empty, and so false, and equal to nothing, and not to be told apart by ==."""

    def write(self, t, c):
        self.append(t)

    def __eq__(self, other):
        raise TypeError("these frames cannot be compared")


def model(*times: float) -> Model:
    return Model([C], [Decay(VOLUME, C, np.array(times, float))])


def run(until=1.0, watch=(), **arguments):
    return simulate(model(), until, [mean(C), *watch], **arguments)


def state(*values: float) -> State:
    return State(np.array(values), rest(Model([C])).layout)


REFUSED = {
    "a species where a model is due": (lambda: simulate(C, 1.0),
                                       "simulate runs a model, not <c in v>; make one: Model("),
    "until of text": (lambda: run("1 s"), "duration of the run is '1 s'; it must be a finite number > 0"),
    "until inf": (lambda: run(np.inf), "duration of the run is inf; it must be a finite number > 0"),
    "until None": (lambda: run(None), "duration of the run is None; it must be a finite number > 0"),
    "until 1e-15": (lambda: run(1e-15),
                    "duration of the run is 1e-15 s; it must not be below the shortest step, 1e-12 s"),
    "a probe where a list is due": (lambda: simulate(model(), 1.0, mean(C)),
                                    "watch is the probe 'mean c'; it must be a list of probes: [mean c]"),
    "a name where a list is due": (lambda: simulate(model(), 1.0, "c"), "watch is 'c'; it must be a list of probes"),
    "a species that is watched": (lambda: run(watch=[C]), "<c in v> is watched, which is no probe; take one"),
    "two probes of one name": (lambda: run(watch=[mean(C)]), "two probes are called 'mean c'"),
    "every -1": (lambda: run(every=-1.0), "every is -1; it must be a finite number >= 0"),
    "every nan": (lambda: run(every=np.nan), "every is nan; it must be a finite number >= 0"),
    "every None": (lambda: run(every=None), "every is None; it must be a finite number >= 0"),
    "seed -1": (lambda: run(seed=-1), "seed is -1; it must be a whole number >= 0"),
    "seed 1.5": (lambda: run(seed=1.5), "seed is 1.5; it must be a whole number >= 0"),
    "seed None": (lambda: run(seed=None), "seed is None; it must be a whole number >= 0"),
    "tolerance a number": (lambda: run(tolerance=1e-3),
                           "tolerance is 0.001; it must be a Tolerance, such as Tolerance(1e-3)"),
    "frames that cannot write": (lambda: run(frames="a.vtk"), "frames is 'a.vtk'; it must have a method write(t, c)"),
    "frame times without frames": (lambda: run(frame_times=[0.5]), "frame_times are given without frames"),
    "a frame after the end": (lambda: run(frames=Keep(), frame_times=[0.5, 2.0]),
                              "there is a frame at t = 2 s, outside the run, which goes from 0 to 1 s"),
    "a frame before the start": (lambda: run(frames=Keep(), frame_times=[-0.1]), "there is a frame at t = -0.1 s"),
    "a frame at nan": (lambda: run(frames=Keep(), frame_times=[np.nan]), "there is a frame at t = nan s"),
    "one frame time": (lambda: run(frames=Keep(), frame_times=0.5), "frame_times is 0.5; it must be a list of times"),
    "start nan": (lambda: run(start=state(np.nan)),
                  "the state to start from: 'c' is nan; it must be a finite number >= 0"),
    "start -3": (lambda: run(start=state(-3.0)), "the state to start from: 'c' is -3; it must be a finite number >= 0"),
    "start of 2 for 1": (lambda: run(start=state(1.0, 2.0)), "the state to start from has values of shape (2,); its "
                                                             "species have 1 elements together"),
    "start a number": (lambda: run(start=1.0), "start is 1.0; it must be a State, such as that of rest(model)"),
    "progress that is no function": (lambda: run(progress=True), "progress is True; it must be a function"),
    "electrolyte of text": (lambda: run(electrolyte="NaCl"), "electrolyte is 'NaCl'; it must be an Electrolyte"),
    "Tolerance(10)": (lambda: Tolerance(10.0), "tolerance: relative is 10; it must lie between 1e-12 and 1"),
    "Tolerance(1e-14)": (lambda: Tolerance(1e-14), "tolerance: relative is 1e-14; it must lie between 1e-12 and 1"),
    "Tolerance of text": (lambda: Tolerance("1e-3"), "tolerance: relative is '1e-3'; it must be a finite number > 0"),
    "longest < shortest": (lambda: Tolerance(longest=1e-6, shortest=1e-3),
                           "tolerance: longest is 1e-06 s; it must not be below shortest, 0.001 s"),
    "one mechanism, not a list": (lambda: Model([C], 3), "mechanisms is 3; it must be a list: Model([species, ...], "),
    "one species, not a list": (lambda: Model(C), "species is <c in v>; it must be a list: Model([species, ...], "),
    "no species": (lambda: simulate(Model([]), 1.0), "the model has no species, so there is nothing to run"),
    "a mechanism among the species": (lambda: Model([C, VOLUME]), "<v: 1 elements, 1 um^3> is among the species of"),
    "scale -1": (lambda: Species("c", VOLUME, scale=-1.0), "species 'c': scale is -1; it must be a finite number > 0"),
    "scale nan": (lambda: Species("c", VOLUME, scale=np.nan),
                  "species 'c': scale is nan; it must be a finite number > 0"),
    "scale inf": (lambda: Species("c", VOLUME, scale=np.inf),
                  "species 'c': scale is inf; it must be a finite number > 0"),
    "scale 0": (lambda: Species("c", VOLUME, scale=0.0), "species 'c': scale is 0; it must be a finite number > 0"),
    "initial of text": (lambda: Species("c", VOLUME, "1 uM"),
                        "species 'c': initial is '1 uM'; it must be a finite number or an array"),
    "initial complex": (lambda: Species("c", VOLUME, 1j),
                        "species 'c': initial is 1j; it must be a finite number or an array"),
    "D of text": (lambda: Species("c", VOLUME, D="10"), "species 'c': D is '10'; it must be a finite number"),
    "D for each element": (lambda: Species("c", VOLUME, D=np.ones(1)), "species 'c': D is an array of shape (1,)"),
    "a place by its name": (lambda: Species("c", "v"), "species 'c': place is 'v'; it must be a Place"),
    "a probe that returns nothing": (lambda: run(watch=[Probe("p", "1", lambda c: None)]),
                                     "probe 'p' returns None at t = 0 s; it must return a number, or an array of them"),
    "a probe that returns text": (lambda: run(watch=[Probe("p", "1", lambda c: "high")]), "probe 'p' returns 'high'"),
    "a probe whose length changes": (lambda: run(watch=[growing()]),
                                     "probe 'p' returns 3 numbers at t = "),
    "a grid without thickness": (lambda: grid("ecs", (0, 0, 0), (1, 1, 0), 0.5),
                                 "upper must exceed lower on each axis"),
    "a grid whose spacing is in m": (lambda: grid("ecs", (0, 0, 0), (1, 1, 1), 2e-7),
                                     "grid 'ecs' would have 1.25e+20 bricks, about 6.9e+13 GB, more than 1e+07; take"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_one_means_is_refused_in_one_sentence(name):
    call, words = REFUSED[name]
    with pytest.raises(InputError, match=re.escape(words)):
        call()


def growing() -> Probe:
    counts = iter(range(1, 1000))
    return Probe("p", "1", lambda c: np.zeros(next(counts)))


WARNED = {
    "a run in milliseconds": (lambda: simulate(Model([C]), 2e4), "the run takes 20000 s, over 10000 s"),
    "spikes in milliseconds": (lambda: simulate(model(50.0, 60.0), 1.0),
                               "Decay: all its 2 events come after the end of the run, the first at 50 s of 1 s"),
    "D in m2/s": (lambda: Species("c", VOLUME, D=3e-10), "species 'c': D is 3e-10 um2/s, outside 0.0001..10000"),
    "D in nm2/s": (lambda: Species("c", VOLUME, D=3e8), "species 'c': D is 3e+08 um2/s, outside 0.0001..10000"),
    "a grid in nm": (lambda: grid("ecs", (0, 0, 0), (4000, 4000, 4000), 1000), "'ecs' extends over 3000 um"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_hardly_anyone_means_is_warned_of_by_name(name):
    call, words = WARNED[name]
    with pytest.warns(Unusual, match=re.escape(words)):
        call()


def test_what_is_usual_has_no_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(model(0.5, 5.0), 1.0, [mean(C)], every=0.1, frames=Keep(), frame_times=np.array([0.0, 1.0]),
                 tolerance=Tolerance(1e-3, longest=0.1), seed=np.int64(3), start=rest(Model([C])))
        for D in (0.0, 1e-4, 1e4):
            Species("c", VOLUME, D=D)


def test_frames_may_be_any_object():
    keep = Keep()
    run(frames=keep, frame_times=(0.5, 0.1, 0.1, 1.0))
    assert list(keep) == [0.1, 0.5, 1.0]


def many_spikes(**arguments):
    rng = np.random.default_rng(0)
    mesh = Mesh.of(pool("ecs", [1.0])).with_points("s", np.zeros((9, 3)), touching=["ecs"])
    glutamate, where = Species("glutamate", mesh["ecs"]), mesh["s"]
    u, x, out = Species("u", where), Species("x", where, 1.0), Species("out", where)
    trains = tuple(np.sort(rng.uniform(0.0, 1.0, 5)) for _ in range(9))
    release = TsodyksMarkram(where, trains, glutamate, A1Inhibition(0.0), u, x, out)
    return simulate(Model([glutamate, u, x, out], [release]), 1.0, [each(out)], **arguments)


def test_every_thins_rows_at_events_too():
    run = many_spikes(every=0.25)
    assert (run.times[0], run.times[-1]) == (0.0, 1.0)
    assert len(run.times) <= 6
    assert (np.diff(run.times)[:-1] >= 0.25).all()
    assert run["out"][-1] == pytest.approx(many_spikes()["out"][-1], rel=1e-12)


def test_rows_before_and_after_each_event_are_kept_where_they_are_asked_for():
    thinned, whole = many_spikes(every=0.25, at_events=True), many_spikes()
    twice = whole.times[:-1][np.diff(whole.times) == 0]
    assert len(twice) == 45
    assert np.isin(twice, thinned.times[:-1][np.diff(thinned.times) == 0]).all()


def test_the_last_row_is_after_the_event_at_the_end():
    for every in (0.0, 0.4, 3.0):
        last = simulate(model(1.0), 1.0, [mean(C)], every=every)["mean c"][-1]
        assert last == pytest.approx(1 + np.exp(-1), rel=0.02)


def test_rows_are_as_far_apart_as_asked_to_rounding():
    times = np.arange(1, 10) / 10
    assert simulate(model(*times), 1.0, every=0.1).times == pytest.approx(np.arange(11) / 10)


MEDIA = {
    "a volume fraction in %": (lambda: Region("ecs", volume_fraction=20.0),
                               "region 'ecs': volume_fraction is 20; it is a part of the whole, at most 1"),
    "a volume fraction of 0": (lambda: Region("ecs", volume_fraction=0.0),
                               "region 'ecs': volume_fraction is 0; it must"),
    "a grid's in %": (lambda: grid("ecs", (0, 0, 0), (1, 1, 1), 0.5, 20.0),
                      "volume_fraction goes from 20 to 20; it must"),
    "shells' in %": (lambda: shells("ecs", np.array([0.0, 1.0, 2.0]), 20.0),
                     "ecs: volume fraction is 20; it is a part"),
    "D over D*, not lambda": (lambda: Region("ecs", tortuosity=0.4),
                              "region 'ecs': tortuosity is 0.4; it must be >= 1"),
    "a grid's tortuosity": (lambda: grid("ecs", (0, 0, 0), (1, 1, 1), 0.5, 0.2, 0.6),
                            "tortuosity is 0.6; it must be >= 1"),
    "along one axis": (lambda: Region("ecs", tortuosity=(1.6, 0.5, 1.6)),
                       "tortuosity along y is 0.5; it must be >= 1"),
    "in a matrix": (lambda: Region("ecs", tortuosity=np.diag([2.0, 2.0, 0.5])),
                    "tortuosity along an axis of the matrix is 0.5; it must be >= 1"),
    "a valence of 0": (lambda: ion_flux(1.0, 0),
                       "valence is 0; it must be a whole number from -10 to 10 that is not 0"),
    "a valence of 1.5": (lambda: nernst(3.0, 140.0, 1.5, 310.0), "valence is 1.5; it must be a whole number"),
    "a charge in C": (lambda: ion_flux(1.0, 96485), "valence is 96485; it must be a whole number from -10 to 10"),
    "an ion's valence": (lambda: Electrolyte({C: 11}), "the valence of <c in v> is 11; it must be a whole number"),
}


@pytest.mark.parametrize("name", MEDIA)
def test_media_and_ions_that_there_are_not_are_refused(name):
    call, words = MEDIA[name]
    with pytest.raises(InputError, match=re.escape(words)):
        call()


def test_a_mesh_file_in_nanometres_is_warned_of(tmp_path):
    path = tmp_path / "ball.msh"
    save(replace(ball(0.5, 0.3), points=ball(0.5, 0.3).points * 1000), path)
    with pytest.warns(Unusual, match=r"its extent is .* um, more than 100 um; if .* nanometres pass unit=nm"):
        load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Unusual)
        load(path, unit=1e-3)
