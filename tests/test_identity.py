"""Places are known by what they are and not by their names alone; what is handed out cannot be written."""

import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from toy_mechanisms import Spikes

from spatial._engine.stepping.resting_state import rest
from spatial.checks import InputError
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Mesh, Place
from spatial.geometry.shapes import ball
from spatial.geometry.tetrahedra import Region, Tetrahedra
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion
from spatial.mechanisms.exocytosis import Emptying
from spatial.model import AtTimes, Event, Model, OnRise, Species
from spatial.observe.probes import Probe, each, local, mean, mean_around, over, total
from spatial.simulate import simulate


def box(side: float = 1.0, bricks: int = 4, **medium: float) -> Place:
    return grid("ecs", (0, 0, 0), (side, side, side), side / bricks, **medium)


def refused(make: Any) -> str:
    """What is said of something that cannot be made."""
    with pytest.raises(InputError) as caught:
        make()
    return str(caught.value)


# What a place is


def test_a_place_keeps_its_digest_whatever_touches_it_and_through_a_pickle():
    mesh = Mesh.of(box(), pool("gone", [1.0]))
    first = mesh["ecs"]
    joined = mesh.touching("ecs", "gone", np.zeros(64, int)).with_points("sites", [(0.5, 0.5, 0.5)], touching=["ecs"])
    copied = pickle.loads(pickle.dumps(joined))
    for later in (joined["ecs"], copied["ecs"], box()):
        assert later is not first
        assert later.is_same(first)
    assert copied["sites"].partners == joined["sites"].partners == {"ecs": first.elements}


@pytest.mark.parametrize("other", [
    box(2.0), box(bricks=5), box(volume_fraction=0.2), box(tortuosity=1.6), replace(box(), centres=box().centres + 0.1),
    replace(box(), links=np.zeros((0, 2), int), transmissibility=np.zeros(0)), replace(box(), name="other")],
    ids=["larger", "finer", "fuller", "slower", "elsewhere", "unlinked", "of another name"])
def test_places_that_differ_in_anything_are_not_the_same(other):
    assert not other.is_same(box())


def test_arrays_of_a_place_are_its_own_and_cannot_be_written():
    measure, index = np.ones(2), np.array([0, 0])
    place = Place("row", 0, measure, np.zeros((2, 3)), touches={"pool": index})
    measure[:], index[:] = 7.0, 1
    assert place.measure.tolist() == [1.0, 1.0]
    assert place.touches["pool"].tolist() == [0, 0]
    arrays = (place.measure, place.centres, place.links, place.transmissibility, place.cells, place.touches["pool"])
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        place.touches["pool"] = index  # type: ignore[index]


# Two places of one name


OTHERS = {"512 times the volume": box(8.0), "finer": box(bricks=8), "a tortuosity": box(tortuosity=1.6)}


@pytest.mark.parametrize("which", OTHERS)
def test_species_on_two_places_of_one_name_are_refused_with_both_named(which):
    """In one reaction a + b -> c with b's 512 times as large, 5.8 of a and 2987 of b were lost, without a word."""
    a, b, c = (Species(name, place, 1.0, D=10.0) for name, place in (("a", box()), ("b", OTHERS[which]), ("c", box())))
    said = refused(lambda: Model([a, b, c], [Buffer(a.place, a, b, c, kon=1.0, K=1.0)]))
    assert said == (f"<a in ecs> and <b in ecs> are on two different places called 'ecs', {a.place!r} and {b.place!r}; "
                    "take both from one mesh, and make species after the last change to it")


def test_pools_of_one_name_are_refused_too():
    """100 um^3 were taken for 1: a mean of 1 uM where .01 is right."""
    c, e = Species("c", pool("v", [1.0]), 1.0), Species("e", pool("v", [100.0]))
    assert "<c in v> and <e in v> are on two different places called 'v'" in refused(lambda: Model([c, e]))


def test_a_mechanism_in_another_mesh_is_refused_by_name():
    one, other = (well_mixed({"cytosol": volume}, {"membrane": (2.0, ["cytosol"])}) for volume in (1.0, 2.0))
    a, b = Species("a", one["cytosol"], 1.0), Species("b", one["cytosol"])
    said = refused(lambda: Model([a, b], [Conversion(other["cytosol"], a, b, 1.0)]))
    assert said.startswith("<a in cytosol> and Conversion are on two different places called 'cytosol', ")
    said = refused(lambda: Model([a, b], [Conversion(other["membrane"], a, b, 1.0)]))
    assert said == ("<membrane: 1 elements, 2 um^2>, where Conversion acts, touches another 'cytosol' than <cytosol: 1 "
                    "elements, 1 um^3>, of <a in cytosol>; take both from one mesh, and make species after the last "
                    "change to it")


def test_a_place_changed_under_a_species_is_refused():
    mesh = Mesh.of(box())
    a = Species("a", mesh["ecs"], 1.0)
    fuller = mesh.with_places(box(volume_fraction=0.2)).with_points("sites", [(0.5, 0.5, 0.5)], touching=["ecs"])
    vesicles = Species("vesicles", fuller["sites"], 1.0)
    said = refused(lambda: Model([a, vesicles], [Emptying(fuller["sites"], vesicles, a)]))
    assert "touches another 'ecs' than " in said
    assert "make species after the last change" in said


def test_places_that_were_made_twice_alike_are_one():
    a, b = Species("a", box(), 1.0), Species("b", box())
    run = simulate(Model([a, b], [Conversion(box(), a, b, 1.0)]), 1.0, [total(a), total(b)])
    assert run["total a"][-1] + run["total b"][-1] == pytest.approx(1.0, rel=1e-12)


# Two places of one name in a mesh


def test_a_mesh_of_two_places_of_one_name_is_refused_with_both_named():
    assert refused(lambda: Mesh.of(box(), pool("gone", [1.0]), box(2.0))) == (
        "two places of a mesh are called 'ecs', <ecs: 64 elements, 1 um^3> and <ecs: 64 elements, 8 um^3>; give each a "
        "name of its own")


def named(*regions: Region, membrane: str | None = None) -> Tetrahedra:
    """A ball, of which tetrahedra beyond x = 0 are the second region."""
    shape = ball(0.5, 0.3)
    beyond = shape.points[shape.cells].mean(axis=1)[:, 0] > 0
    membranes = {membrane: next(iter(shape.membranes.values()))} if membrane else {}
    return Tetrahedra(shape.points, shape.cells, np.where(beyond, len(regions) - 1, 0), regions, membranes)


def test_a_part_named_like_a_region_and_a_region_named_like_a_membrane_are_refused_with_both_named():
    said = refused(lambda: discretise(named(Region("er"), Region("ecs", part="er"))))
    assert said.startswith("a region and a part of a region are both called 'er', <er: ")
    said = refused(lambda: discretise(named(Region("cytosol"), membrane="cytosol")))
    assert said.startswith("a region and a membrane are both called 'cytosol', <cytosol: ")


def test_a_place_put_in_place_of_one_that_others_touch_must_have_its_elements():
    mesh = Mesh.of(box()).with_points("sites", [(0.5, 0.5, 0.5)], touching=["ecs"])
    said = refused(lambda: mesh.with_places(box(bricks=8)))
    assert said == ("<sites: 1 elements, 1 1> touches a place 'ecs' with other elements than <ecs: 512 elements, "
                    "1 um^3> of this mesh; make 'sites' anew on the place that it is to touch")
    fuller = mesh.with_places(box(volume_fraction=0.2))
    assert fuller["sites"].partners == {"ecs": fuller["ecs"].elements}


# What is handed out cannot be written


@dataclass(frozen=True, eq=False)
class Writes:
    """A mechanism that works in place on what it is given."""

    where: Place
    x: Species
    when: str

    def rates(self, c: Any, t: float) -> dict[Species, Any]:
        return {self.x: 0.0 * (self._write(c) if self.when == "rates" else c[self.x])}

    def _write(self, c: Any) -> Any:
        u = c[self.x]
        u += 1.0
        return u

    @property
    def events(self) -> tuple[Event, ...]:
        if self.when == "instant":
            return (AtTimes(np.array([0.5]), (self.x,), (), lambda c, t, rng: {self.x: 0.0 * self._write(c)}),)
        if self.when == "height":
            return (OnRise(lambda c, t: self._write(c), (), change=lambda c, t, risen, rng: {}),)
        return ()


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("when", ["rates", "instant", "height"])
def test_a_mechanism_that_writes_into_what_it_sees_is_refused_by_name(when, signed):
    x = Species("V", pool("cell", [1.0]), 1.0, signed=signed)
    said = refused(lambda: simulate(Model([x], [Writes(x.place, x, when)]), 1.0))
    assert said.startswith("Writes changes in place what it sees, which is read-only; work on a copy, c[species].copy(")


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_probe_or_frames_that_write_are_refused_by_name(signed):
    mesh = Mesh.of(box(), pool("gone", [1.0])).touching("ecs", "gone", np.zeros(64, int))
    a = Species("a", mesh["ecs"], 1 + mesh["ecs"].centres[:, 0], D=0.1, signed=signed)

    def contrast(c: Any) -> float:
        values = c[a]
        values -= values.mean()
        return float(values.std())

    class Normalised:
        def write(self, t: float, c: Any) -> None:
            values = c[a]
            values /= values.max()

    model = Model([a])
    assert refused(lambda: simulate(model, 1.0, [Probe("contrast", "uM", contrast)])).startswith(
        "probe 'contrast' changes in place what it sees, which is read-only; work on a copy, c[species].copy(")
    assert refused(lambda: simulate(model, 1.0, frames=Normalised(), frame_times=[0.5])).startswith(
        "Normalised changes in place what it sees")


def test_frames_kept_without_a_copy_are_what_they_were():
    a = Species("a", pool("cell", [1.0]), 1.0)

    class Keep(list[Any]):
        def write(self, t: float, c: Any) -> None:
            self.append(c[a])

    puff = AtTimes(np.array([0.25, 0.5, 0.75]), (a,), (), lambda c, t, rng: {a: 10.0})

    @dataclass(frozen=True, eq=False)
    class Puff:
        where: Place
        events: tuple[Event, ...]

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            return {}

    kept = Keep()
    simulate(Model([a], [Puff(a.place, (puff,))]), 1.0, frames=kept, frame_times=[0.0, 0.2, 0.5, 1.0])
    assert [float(values[0]) for values in kept] == [1.0, 1.0, 21.0, 31.0]


def test_frames_that_are_an_empty_list_get_theirs():
    a = Species("a", box(), 1.0, D=10.0)

    class Keep(list[Any]):
        def write(self, t: float, c: Any) -> None:
            self.append((t, c[a].copy()))

    keep = Keep()
    simulate(Model([a]), 0.3, frames=keep, frame_times=[0.1, 0.2, 0.3])
    assert [t for t, _ in keep] == [0.1, 0.2, 0.3]


def test_a_recording_cannot_be_written():
    a = Species("a", box(), 1.0, D=10.0)
    run = simulate(Model([a]), 0.3, [mean(a), each(a)])
    for array in (run.times, run["mean a"], run["a"], run.series["a"].values):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    with pytest.raises(TypeError):
        run.series["mean a"] = run.series["a"]  # type: ignore[index]


# What a reader found


def test_two_membranes_of_one_name_are_refused_also_where_nothing_lives_on_them():
    one, other = (well_mixed({"cytosol": 1.0}, {"membrane": (area, ["cytosol"])}) for area in (2.0, 3.0))
    a, b = Species("a", one["cytosol"], 1.0), Species("b", one["cytosol"])
    said = refused(lambda: Model([a, b], [Conversion(mesh["membrane"], a, b, 1.0) for mesh in (one, other)]))
    assert said.startswith("Conversion and Conversion are on two different places called 'membrane', ")


@pytest.mark.parametrize("probe", [
    lambda a, points: over(a, Species("points", points)), lambda a, points: mean_around(a, points),
    lambda a, points: local("gate", "1", points, lambda c: c[a])], ids=["over", "mean_around", "local"])
def test_a_probe_at_points_of_another_mesh_is_refused(probe):
    """Points in a coarser box of the same name read .125 where .625 was right."""
    a = Species("a", box(), box().centres[:, 0])
    points = Mesh.of(box(bricks=2)).with_points("points", [(0.7, 0.5, 0.5)], touching=["ecs"])["points"]
    said = refused(lambda: simulate(Model([a]), 0.1, [probe(a, points)]))
    assert "touches another 'ecs' than <ecs: 64 elements, 1 um^3>" in said


def test_numbers_of_another_kind_are_the_same_place():
    whole = replace(box(), measure=np.ones(64), centres=np.zeros((64, 3)))
    turned = whole.links[:, ::-1].astype(np.int32)
    other = replace(whole, measure=np.ones(64, int), centres=-np.zeros((64, 3)), links=turned)
    assert other.is_same(whole)


def test_what_is_no_mesh_is_refused():
    assert "under the name 'a'" in refused(lambda: Mesh({"a": pool("b", [1.0])}))
    assert refused(lambda: Mesh.of(box()).with_places(pool("x", [1.0]), pool("x", [2.0]))).startswith(
        "two places of a mesh are called 'x'")
    mask = {"row": np.array([True, False])}
    assert "they must be numbers of elements" in refused(
        lambda: Place("p", 0, np.ones(2), np.zeros((2, 3)), touches=mask))


def test_a_probe_that_remembers_what_it_saw_sees_jumps():
    a, seen = Species("a", pool("cell", [1.0]), 1.0), dict[str, Any]()

    def jump(c: Any) -> float:
        now = c[a]
        change = float((now - seen.get("before", now))[0])
        seen["before"] = now
        return change

    kick = Spikes(a.place, a, np.array([0.5]), 1.0)
    assert simulate(Model([a], [kick]), 1.0, [Probe("jump", "uM", jump)])["jump"].max() == 1.0


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_no_way_around_leads_into_the_run(signed):
    """Through its base, its flags, or numpy's own back doors: what is handed out is a copy."""
    a = Species("a", pool("cell", [1.0]), 1.0, signed=signed)

    def forced(c: Any) -> float:
        values = c[a]
        values.flags.writeable = True
        values *= 5.0
        np.add.at(values, 0, 7.0)
        return 0.0

    @dataclass(frozen=True, eq=False)
    class Forces:
        where: Place

        def rates(self, c: Any, t: float) -> dict[Species, Any]:
            forced(c)
            return {a: 0.0}

    class Frames:
        def write(self, t: float, c: Any) -> None:
            np.add.at(c.values, 0, 7.0)

    watch = [each(a), Probe("forced", "uM", lambda c: np.add.at(c.values, 0, 7.0) or 0.0)]
    run = simulate(Model([a], [Forces(a.place)]), 1.0, watch, frames=Frames(), frame_times=[0.5])
    assert (run["a"] == 1.0).all()


def test_a_state_below_zero_does_not_start_what_cannot_be_negative():
    place = pool("cell", [1.0])
    below = rest(Model([Species("a", place, -5.0, signed=True)]))
    with pytest.warns(UserWarning, match="other parameters"):
        assert refused(lambda: simulate(Model([Species("a", place)]), 1.0, start=below)) == (
            "the state to start from: 'a' is -5; it must be a finite number >= 0")


def test_a_user_s_own_file_that_is_read_only_is_not_blamed_on_writing():
    a = Species("a", pool("cell", [1.0]), 1.0)

    def read(c: Any) -> float:
        raise ValueError("x.csv is read-only")

    with pytest.raises(InputError, match=r"^probe 'x' fails in the first state: ValueError: x\.csv is read-only$"):
        simulate(Model([a]), 1.0, [Probe("x", "1", read)])
