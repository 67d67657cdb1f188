"""Membrane potentials as places: one for a cell, or one for each slice of a process."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve
from toy_mechanisms import Source

from spatial._engine.operators.diffusion import stiffness
from spatial._engine.stepping.resting_state import rest
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry import shapes
from spatial.geometry.discretise import discretise
from spatial.geometry.place import Floats, Mesh, Place
from spatial.geometry.potential import CAPACITANCE, RESISTIVITY, cable, isopotential
from spatial.geometry.well_mixed import pool
from spatial.mechanisms.ion_leak import IonLeak
from spatial.mechanisms.kir41 import Kir41
from spatial.model import Model, Species
from spatial.scenarios.parts.glial_membrane import HALNES, Ions, glial_membrane
from spatial.units import ion_flux, mM, nernst, um

PM = shapes.PLASMA_MEMBRANE
RADIUS, H = 0.3 * um, 2 * um
G = 1e-3  # pA/(um^2 mV)
LAMBDA = np.sqrt(RADIUS / (2 * RESISTIVITY * G))


def rod(count: int = 120, h: float = H) -> Mesh:
    """A round process of slices, with a membrane and a bath of K+ that nothing changes, alongside."""
    along, section = np.arange(count), np.pi * RADIUS ** 2
    centres = np.outer(h * (along + 0.5), [1.0, 0.0, 0.0])
    links = np.stack([along[:-1], along[1:]], axis=1)
    cytosol = Place("cytosol", 3, np.full(count, section * h), centres, links, np.full(count - 1, section / h))
    area = np.full(count, 2 * np.pi * RADIUS * h)
    return Mesh.of(cytosol, pool("bath", np.full(count, 1e12), centres),
                   Place(PM, 2, area, centres.copy(), touches={"cytosol": along, "bath": along}))


def leaky(mesh: Mesh, *sources: tuple[int, float], V: float | Floats = 0.0,
          g: float | Floats = G) -> tuple[Model, Species]:
    """An ohmic leak that reverses at 0 mV, and currents [pA] into elements of the membrane."""
    for k, (element, _) in enumerate(sources):
        mesh = mesh.with_points_on(f"electrode {k}", PM, np.array([element]))
    potential = Species("V", mesh["potential"], V, D=1.0, scale=1.0, unit="mV", signed=True)
    membrane = IonLeak(mesh[PM], 1 * mM, 1 * mM, potential, g)
    electrodes = [Source(mesh[f"electrode {k}"], potential, current) for k, (_, current) in enumerate(sources)]
    return Model([potential], [membrane, *electrodes]), potential


def at_rest(model: Model, V: Species) -> Floats:
    return rest(model)[V]


# One potential

@pytest.fixture(scope="module")
def ball() -> Mesh:
    return isopotential(discretise(shapes.ball(0.5, 0.2)), PM)


def test_every_element_of_the_membrane_touches_the_one_potential(ball):
    assert len(ball["potential"]) == 1
    assert (ball[PM].touches["potential"] == 0).all()
    assert ball["potential"].total == pytest.approx(CAPACITANCE * ball[PM].total, rel=1e-14)
    np.testing.assert_allclose(ball["potential"].centres[0], 0.0, atol=0.01)


def test_several_membranes_of_a_cell_share_it():
    mesh = Mesh.of(pool("ecs", [1.0]), *(Place(name, 2, np.array([area]), np.zeros((1, 3)),
                                               touches={"ecs": np.zeros(1, int)})
                                         for name, area in (("soma", 3.0), ("endfeet", 2.0))))
    both = isopotential(mesh, "soma", "endfeet", name="V")
    assert both["V"].total == pytest.approx(5 * CAPACITANCE)
    assert both["soma"].touches.keys() == {"ecs", "V"}


def test_a_current_charges_the_whole_capacitance(ball):
    mesh = ball.with_points_on("electrode", PM, np.array([0]))
    V = Species("V", mesh["potential"], -80.0, unit="mV", signed=True)
    system = assemble(Model([V], [Source(mesh["electrode"], V, 2.0)]))
    assert system.rate(system.initial(), 0.0)[0] == pytest.approx(2.0 / mesh["potential"].total, rel=1e-14)


def test_at_rest_no_net_current_crosses_the_membrane_though_K_is_uneven(ball):
    membrane = ball[PM]
    outside = Species("K", pool("bath", np.full(len(membrane), 1e12)), 3 * mM + 5 * mM * (membrane.centres[:, 0] > 0))
    mesh = ball.with_places(outside.place).touching(PM, "bath", np.arange(len(membrane)))
    V = Species("V", mesh["potential"], -80.0, unit="mV", signed=True)
    kir = Kir41(mesh[PM], outside, 100 * mM, V)
    found = float(at_rest(Model([outside, V], [kir]), V)[0])
    current = membrane.measure * kir.current(outside.initial, 100 * mM, found)
    assert current.max() > 0 > current.min()
    assert abs(current.sum()) < 1e-7 * np.abs(current).sum()


@pytest.mark.parametrize("potassium", [3 * mM, 6 * mM, 12 * mM])
def test_a_step_of_K_depolarises_to_the_chord_conductance_potential(ball, potassium):
    V = Species("V", ball["potential"], -80.0, unit="mV", signed=True)
    k = IonLeak(ball[PM], potassium, 100 * mM, V, g=17 * G)
    na = IonLeak(ball[PM], 145 * mM, 15 * mM, V, g=G)
    expected = (17 * nernst(potassium, 100 * mM, 1, 298) + nernst(145, 15, 1, 298)) / 18
    assert at_rest(Model([V], [k, na]), V)[0] == pytest.approx(expected, abs=1e-6)


def test_with_K_alone_it_is_nernst(ball):
    V = Species("V", ball["potential"], -80.0, unit="mV", signed=True)
    found = at_rest(Model([V], [Kir41(ball[PM], 10 * mM, 100 * mM, V)]), V)[0]
    assert found == pytest.approx(nernst(10, 100, 1, 298), abs=1e-6)


# A cable

def test_its_capacitance_is_that_of_the_membrane_and_its_conductance_that_of_the_cytosol():
    place = cable(rod(), PM, axis=(1, 0, 0), slices=60)["potential"]
    assert len(place) == 60
    assert place.total == pytest.approx(CAPACITANCE * rod()[PM].total, rel=1e-14)
    np.testing.assert_allclose(place.transmissibility, np.pi * RADIUS ** 2 / (RESISTIVITY * 2 * H), rtol=1e-12)


@pytest.mark.parametrize(("shape", "tolerance"), [(shapes.box((3.0, 0.5, 0.4), 0.15), 1e-10),
                                                  (shapes.cylinder(0.25, 3.0, 0.08), 5e-3)], ids=["box", "cylinder"])
def test_slices_of_tetrahedra_have_the_cross_section_of_the_process(shape, tolerance):
    mesh = cable(discretise(shape), PM, axis=(1, 0, 0), slices=12)
    place = mesh["potential"]
    section = place.transmissibility * RESISTIVITY * np.diff(place.centres[:, 0])
    np.testing.assert_allclose(section, shape.volumes.sum() / 3.0, rtol=tolerance)
    assert place.total == pytest.approx(CAPACITANCE * mesh[PM].total, rel=1e-14)
    assert (np.diff(mesh[PM].touches["potential"][np.argsort(mesh[PM].centres[:, 0])]) >= 0).all()


def test_the_steady_length_constant_is_that_of_the_cable_equation(record_property):
    mesh = cable(rod(200, 10 * um), PM, axis=(1, 0, 0), slices=200)
    found, x = at_rest(*leaky(mesh, (0, 10.0))), mesh["potential"].centres[:, 0]
    near = x < LAMBDA / 2
    constant = -1 / np.polyfit(x[near], np.log(found[near]), 1)[0]
    record_property("length constant over the closed form", constant / LAMBDA)
    assert constant == pytest.approx(LAMBDA, rel=0.01)
    sealed = np.cosh((2000 * um - x) / LAMBDA) / np.sinh(2000 * um / LAMBDA)
    np.testing.assert_allclose(found, 10.0 / (2 * np.pi * RADIUS * G * LAMBDA) * sealed, rtol=0.02)


def test_what_is_injected_at_one_end_leaves_along_it():
    mesh = cable(rod(), PM, axis=(1, 0, 0), slices=40)
    membrane = mesh[PM]
    steady = spsolve((stiffness(mesh["potential"]) + diags(G * mesh["potential"].measure / CAPACITANCE)).tocsc(),
                     np.eye(40)[0] * 10.0)
    assert G * membrane.measure @ steady[membrane.touches["potential"]] == pytest.approx(10.0, rel=1e-12)
    for V in (steady, np.random.default_rng(0).normal(0.0, 30.0, 40)):
        system = assemble(leaky(mesh, (0, 10.0), V=V)[0])
        charging = mesh["potential"].measure @ system.rate(system.initial(), 0.0)
        leaving = G * membrane.measure @ V[membrane.touches["potential"]]
        assert charging + leaving == pytest.approx(10.0, abs=1e-12 * (np.abs(V).max() + 10.0))


@pytest.mark.parametrize(("one", "other"), [(0, 119), (10, 60)])
def test_reciprocity(one, other):
    mesh = cable(rod(), PM, axis=(1, 0, 0), slices=60)
    g = G * np.random.default_rng(1).uniform(0.5, 2.0, 120)
    there = at_rest(*leaky(mesh, (one, 10.0), g=g))[other // 2]
    back = at_rest(*leaky(mesh, (other, 10.0), g=g))[one // 2]
    assert there == pytest.approx(back, rel=1e-6)


def test_a_cable_without_resistance_is_isopotential():
    mesh = cable(rod(), PM, axis=(1, 0, 0), slices=20, resistivity=1e-6)
    V = at_rest(*leaky(mesh, (0, 10.0)))
    one = isopotential(rod(), PM)
    np.testing.assert_allclose(V, at_rest(*leaky(one, (0, 10.0)))[0], rtol=1e-3)


# Spatial buffering

HIGH = 20  # elements at the end with raised K+


@dataclass(frozen=True)
class Buffered:
    """What raised K+ at one end changes along the membrane, at rest: K+ that enters, the current that leaves, V."""

    entry: Floats  # (n,) pA
    current: Floats  # (n,) pA
    V: Floats  # (n,) mV


def buffering(mesh: Mesh, kir: float = 1.0) -> Buffered:
    """K+ is 5 mM higher at one end; the difference from even K+."""
    even, raised = (rested(mesh, more, kir) for more in (0.0, 5 * mM))
    return Buffered(raised.entry - even.entry, raised.current - even.current, raised.V - even.V)


def rested(mesh: Mesh, raised: float, kir: float) -> Buffered:
    """All of Halnes' membrane, with its Kir4.1 times `kir`."""
    membrane = mesh[PM]
    K = Species("K", mesh["bath"], HALNES.potassium_outside + raised * (np.arange(len(mesh["bath"])) < HIGH))
    V = Species("V", mesh["potential"], HALNES.V, D=1.0, unit="mV", signed=True)
    held = {field.name: getattr(HALNES, field.name) for field in fields(Ions)}
    channel, *others = glial_membrane(membrane, Ions(**{**held, "potassium_outside": K, "V": V}))
    mechanisms = [replace(channel, g=channel.g * kir), *others]
    state = rest(Model([K, V], mechanisms))
    here = {K: state[K], V: state[V][membrane.touches["potential"]]}
    gains = [mechanism.rates(here, 0.0) for mechanism in mechanisms]
    entry = sum(-each.get(K, np.zeros(1)) for each in gains) / ion_flux(1.0, valence=1)
    return Buffered(membrane.measure * entry, -membrane.measure * sum(each[V] for each in gains), here[V])


KINDS = {"isopotential": lambda: isopotential(rod(), PM),
         "cable": lambda: cable(rod(), PM, axis=(1, 0, 0), slices=60)}


@pytest.mark.parametrize("kind", KINDS)
def test_K_enters_where_it_is_high_and_leaves_where_it_is_low(kind):
    found = buffering(KINDS[kind]())
    assert (found.entry[:HIGH] > 0).all()
    assert (found.entry[HIGH:] < 0).all()
    assert (found.current[:HIGH] < 0).all()
    assert (found.current[HIGH:] > 0).all()
    assert abs(found.current.sum()) < 1e-6 * np.abs(found.current).sum()
    assert (found.V > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_without_Kir_none_leaves_elsewhere(kind):
    found = buffering(KINDS[kind](), kir=0.0)
    assert (found.entry[:HIGH] > 0).all()
    assert np.abs(found.entry[HIGH:]).max() < 1e-6 * found.entry[:HIGH].min()  # the bath is large, not endless
    assert found.entry[:HIGH].sum() < 0.3 * buffering(KINDS[kind]()).entry[:HIGH].sum()


def test_a_cable_buffers_less_and_less_far_than_one_potential():
    near, far = slice(HIGH, HIGH + 20), slice(100, 120)
    along, even = (buffering(KINDS[kind]()) for kind in ("cable", "isopotential"))
    assert along.V[0] > along.V[-1]
    assert along.entry[near].sum() / along.entry[far].sum() > 2 * even.entry[near].sum() / even.entry[far].sum()
    assert 0 < along.entry[:HIGH].sum() < even.entry[:HIGH].sum()


# What is refused

@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: isopotential(isopotential(rod(), PM), PM),
     "this mesh has a place 'potential' already; give the potential another name"),
    (lambda: isopotential(rod()), "a potential needs a membrane, such as 'plasma membrane'; none is named"),
    (lambda: isopotential(rod(), "cytosol"), "'cytosol' is no membrane; only a membrane has a potential across it"),
    (lambda: isopotential(rod(), PM, capacitance=0.0),
     "capacitance of the membrane is 0; it must be a finite number > 0"),
    (lambda: cable(rod(), PM, axis=(0, 0, 0), slices=9),
     r"cable: axis is \(0, 0, 0\); it must be three numbers, not all zero"),
    (lambda: cable(rod(), PM, axis=(1, 0, 0), slices=0), "cable: slices is 0; it must be a finite number > 0"),
    (lambda: cable(rod(), PM, axis=(1, 0, 0), slices=9, resistivity=-1.0),
     "cable: resistivity is -1; it must be a finite number > 0"),
    (lambda: cable(rod(5), PM, axis=(1, 0, 0), slices=9),
     "cable: slice [0-9] of 9 has nothing of 'cytosol'; take fewer slices"),
    (lambda: cable(rod().with_places(replace(rod()["cytosol"], links=np.zeros((0, 2), int),
                                             transmissibility=np.zeros(0))), PM, axis=(1, 0, 0), slices=3),
     "cable: no 'cytosol' joins slice 0 of 3 to the next; take fewer slices, or a process in one piece"),
])
def test_what_cannot_be_is_told(make, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        make()
