"""A run through FiPy alone agrees with ours, and a user's own FiPy terms do the same in both."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_mechanisms import Decay, Exchange, Source, Spikes
from toy_places import random_tetrahedra, spot

from spatial._engine.methods.fipy import fipy_engine
from spatial._engine.methods.tolerance import Tolerance, tolerated
from spatial._engine.operators.diffusion import stiffness
from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.well_mixed import pool, well_mixed
from spatial.mechanisms.buffer import Buffer, bound_at
from spatial.mechanisms.injection import Injection
from spatial.model import Model, Species
from spatial.observe.probes import Probe, total
from spatial.simulate import simulate

Floats = NDArray[np.float64]
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"),
              pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]


def field(species: Species) -> Probe:
    return Probe(species.name, species.unit, lambda c: c[species])


def distance(species: Species, one: Floats, other: Floats) -> float:
    """L2 distance of two fields, relative as the tolerance is: to the size of the field plus what is typical."""
    weight = species.place.measure / species.place.total
    return float(np.sqrt(weight @ (one - other) ** 2) / (np.sqrt(weight @ one**2) + species.typical))


def assert_agree(model: Model, until: float, relative: float, watch: tuple[Probe, ...] = ()) -> Any:
    """Both engines end within the tolerance of each other, by the measure it is given in; the run of FiPy."""
    probes = [*(field(species) for species in model), *watch]
    ours, fipys = (simulate(model, until, probes, tolerance=Tolerance(relative), engine=engine)
                   for engine in ("spatial", "fipy"))
    for species in model:
        one, other = (np.atleast_1d(run[species.name][-1]) for run in (ours, fipys))
        assert distance(species, one, other) < relative, species
    return fipys


# Agreement of the engines

def channel(place: Place, rate: float) -> tuple[list[Species], list[Any]]:
    """A source of `rate` [uM um^3/s] at one vertex, a mobile and an immobile buffer."""
    calcium = Species("Ca", place, 0.1, D=220.0)
    species, mechanisms = [calcium], [Source(spot(place, 0), calcium, rate)]
    for name, D in {"mobile": 50.0, "fixed": 0.0}.items():
        bound = bound_at(0.1, 100.0, 1.0)
        pair = Species(name, place, 100.0 - bound, D=D), Species(f"Ca.{name}", place, bound, D=D)
        species += pair
        mechanisms.append(Buffer(place, calcium, *pair, kon=100.0, K=1.0))
    return species, mechanisms


def test_a_source_and_two_buffers_agree_and_fipy_loses_nothing():
    place = random_tetrahedra(4, 30)
    assert (place.transmissibility < 0).mean() > 0.1
    model = Model(*channel(place, 100.0))
    run = assert_agree(model, 2e-3, 1e-2, tuple(total(species) for species in model))
    calcium = sum(run[f"total {name}"] for name in ("Ca", "Ca.mobile", "Ca.fixed"))
    assert np.abs(calcium / (calcium[0] + 100.0 * run.times) - 1).max() < 1e-12
    for buffer in ("mobile", "fixed"):
        amount = run[f"total {buffer}"] + run[f"total Ca.{buffer}"]
        assert np.abs(amount / amount[0] - 1).max() < 1e-12
    assert run.provenance["smallest concentration"] >= 0.0
    assert run.provenance["engine"] == "fipy"


SPIKE = 0.0137  # s


def two_places() -> Model:
    """Diffusion in a cube, a well-mixed store, a membrane on some vertices between them, and a spike in the store."""
    place = random_tetrahedra(2, 20)
    store = pool("store", [0.2])
    index = np.arange(10)
    membrane = Place("membrane", 2, np.full(10, 0.3), place.centres[index],
                     touches={"cytosol": index, "store": np.zeros(10, int)})
    outside, inside = Species("out", place, 0.1, D=50.0), Species("in", store, 4.0)
    return Model([outside, inside], [Exchange(membrane, inside, outside, 2.0),
                                     Spikes(store, inside, np.array([SPIKE]), 8.0)])


def test_two_places_with_a_membrane_and_a_spike_agree_and_fipy_loses_nothing():
    model = two_places()
    run = assert_agree(model, 0.04, 3e-3, tuple(total(species) for species in model))
    amount = run["total out"] + run["total in"]
    later = run.times > SPIKE
    assert np.abs(amount[run.times < SPIKE] / amount[0] - 1).max() < 1e-13
    assert np.abs(amount[later] / (amount[0] + 0.2 * 8.0) - 1).max() < 1e-13
    assert (run.times == SPIKE).sum() == 2
    before, after = run["in"][run.times == SPIKE][[0, -1]]
    assert after == before + 8.0


def test_fast_passage_through_a_membrane_converges():
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"membrane": (1.0, ["cytosol", "er"])})
    inside, outside = Species("in", mesh["er"], 1.0), Species("out", mesh["cytosol"], 0.0)
    model = Model([inside, outside], [Exchange(mesh["membrane"], inside, outside, 1e3)])
    run = assert_agree(model, 1.0, 2e-2)
    assert run["in"][-1] == pytest.approx(0.1 / 1.1, rel=1e-2)
    assert run.provenance["steps"] < 100


def test_an_injection_that_opens_and_closes_agrees_and_is_whole():
    place = pool("pool", [0.5, 2.0])
    c = Species("c", place, 1.0)
    model = Model([c], [Injection(spot(place, 1), c, flux=300.0, start=0.02, stop=0.05), Decay(place, c, 10.0)])
    run = assert_agree(model, 0.1, 1e-3)
    assert run.provenance["steps"] < 40
    steady = 300.0 / 2.0 / 10.0
    peak = np.exp(-10 * 0.05) + steady * (1 - np.exp(-10 * 0.03))
    np.testing.assert_allclose(run["c"][-1], [np.exp(-1.0), peak * np.exp(-0.5)], rtol=1e-3)
    np.testing.assert_allclose(run["c"][run.times == 0.02][0], np.exp(-0.2), rtol=1e-3)


def test_pools_with_a_buffer_agree():
    place = pool("pool", [1.0])
    c, free, bound = Species("c", place, 3.0), Species("free", place, 2.0), Species("bound", place, 0.0, scale=1.0)
    run = assert_agree(Model([c, free, bound], [Buffer(place, c, free, bound, 30.0, 0.5), Decay(place, c, 15.0)]),
                       0.1, 1e-2)
    np.testing.assert_allclose(run["free"] + run["bound"], 2.0, rtol=1e-13)


def test_what_has_decayed_to_nothing_does_not_hold_the_steps_of_fipy_down():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    run = simulate(Model([c], [Decay(place, c, 1000.0)]), 10.0, [field(c)], engine="fipy")
    assert run["c"].min() >= 0.0
    assert run["c"][-1] < 1e-9
    assert run.provenance["steps"] < 60


def test_the_extrapolated_step_is_of_order_two():
    mesh = well_mixed({"cytosol": 1.0, "er": 0.1}, {"membrane": (0.5, ["cytosol", "er"])})
    inside, outside = Species("in", mesh["er"], 1.0), Species("out", mesh["cytosol"], 0.0)
    system = assemble(Model([inside, outside], [Exchange(mesh["membrane"], inside, outside, 3.0)]))
    engine, even, rate = fipy_engine(system), 0.1 / 1.1, 3.0 * 0.5 * (1 / 0.1 + 1 / 1.0)

    def error(count: int) -> float:
        u, dt = system.initial(), 0.03 / count
        allowed = tolerated(system, u, Tolerance(1e-7))
        for k in range(count):
            u, _ = engine.start(u, k * dt, system.rate(u, k * dt), allowed).take(dt)
        return abs(float(system.state(u)[outside][0]) - even * (1 - np.exp(-rate * 0.03)))

    counts = [4, 8, 16]
    assert -np.polyfit(np.log(counts), np.log([error(count) for count in counts]), 1)[0] > 1.9


# A user's own terms

def terms(place: Place, start: Floats | float, make: Any, D: float = 0.0, **species: Any) -> tuple[Species, Model]:
    c = Species("c", place, start, D=D, **species)
    return c, Model([c], fipy_terms={c: make})


def test_a_lifted_diffusion_term_is_the_diffusion_of_a_species():
    from fipy import DiffusionTerm

    place = random_tetrahedra(1, 60)
    start = np.random.default_rng(0).random(len(place))
    c, model = terms(place, start, lambda c: DiffusionTerm(coeff=3.0, var=c))
    system = assemble(model)
    ours = -3.0 * stiffness(place).toarray() / place.measure[:, None]
    assert np.abs(system.lifted - ours).max() < 1e-13 * np.abs(ours).max()
    assert not system.constant.any()
    plain = Species("c", place, start, D=3.0)
    one, other = (simulate(Model([species], (), own), 0.02, [field(species)], tolerance=Tolerance(1e-3))
                  for species, own in ((plain, {}), (c, model.fipy_terms)))
    assert distance(c, one["c"][-1], other["c"][-1]) < 1e-3


def test_a_lifted_coefficient_that_varies_in_space_conserves_and_agrees():
    from fipy import DiffusionTerm, FaceVariable

    def gap(c: Any) -> Any:
        """Diffusion ten times slower in one half."""
        slow = c.mesh.faceCenters[0].value > 0.5
        return DiffusionTerm(coeff=FaceVariable(mesh=c.mesh, value=np.where(slow, 20.0, 200.0)), var=c)

    place = grid("ecs", [0, 0, 0], [1.0, 0.8, 0.4], 0.1)
    c, model = terms(place, np.where(place.centres[:, 0] < 0.3, 1.0, 0.1), gap)
    run = assert_agree(model, 0.05, 3e-3, (total(c),))
    np.testing.assert_allclose(run["total c"], run["total c"][0], rtol=1e-12)
    system = assemble(model)
    assert np.abs(place.measure @ system.lifted).max() < 1e-13 * np.abs(system.lifted).max()
    assert simulate(model, 0.05, tolerance=Tolerance(3e-3)).provenance["steps"] < 40


@pytest.mark.parametrize("make", ["implicit", "explicit", "of_the_mesh"])
def test_a_lifted_decay_and_source_follow_the_closed_form(make):
    from fipy import CellVariable, DiffusionTerm, ImplicitSourceTerm

    kinds = {
        "implicit": lambda c: 6.0 - ImplicitSourceTerm(coeff=20.0, var=c),
        "explicit": lambda c: DiffusionTerm(coeff=1.0, var=c) + 6.0 - 20.0 * c,
        "of_the_mesh": lambda c: (DiffusionTerm(coeff=1.0, var=c) + CellVariable(mesh=c.mesh, value=6.0)
                                  + ImplicitSourceTerm(coeff=10.0, var=c) - ImplicitSourceTerm(coeff=30.0, var=c)),
    }
    place = random_tetrahedra(3, 20)
    c, model = terms(place, 1.0, kinds[make])
    system = assemble(model)
    np.testing.assert_allclose(system.constant, 6.0, rtol=1e-12)
    np.testing.assert_allclose(system.lifted @ np.ones(len(place)), -20.0, rtol=1e-9)
    expected = 0.3 + 0.7 * np.exp(-20.0 * 0.05)
    for engine in ("spatial", "fipy"):
        run = simulate(model, 0.05, [field(c)], tolerance=Tolerance(1e-3), engine=engine)
        assert distance(c, run["c"][-1], expected * np.ones(len(place))) < 1e-3


def test_lifted_terms_join_what_the_model_has():
    from fipy import ImplicitSourceTerm

    place = random_tetrahedra(3, 20)
    c, still = Species("c", place, 1.0, D=10.0), Species("still", place, 2.0)
    model = Model([still, c], [Exchange(place, c, still, 5.0)],
                  {c: lambda c: -ImplicitSourceTerm(coeff=20.0, var=c)})
    for changed in (model.with_mechanisms(), model.without(Spikes)):
        assert changed.fipy_terms == model.fipy_terms
    alike = Model([still, c], [Exchange(place, c, still, 5.0), Decay(place, c, 20.0)])
    u = np.random.default_rng(0).random(2 * len(place))
    system, other = assemble(model), assemble(alike)
    np.testing.assert_allclose(system.rate(u, 0.0), other.rate(u, 0.0), rtol=1e-12)
    with_terms, without = (simulate(one, 0.05, [field(c), field(still)], tolerance=Tolerance(1e-3))
                           for one in (model, alike))
    for name in ("c", "still"):
        np.testing.assert_allclose(with_terms[name][-1], without[name][-1], rtol=1e-3)


# Messages

def test_what_the_fipy_engine_cannot_do_is_refused():
    place = pool("pool", [1.0])
    c = Species("c", place, 1.0)
    with pytest.raises(InputError, match=r"^engine is 'neuron'; it must be one of .*'spatial'.*'fipy'$"):
        simulate(Model([c]), 1.0, engine="neuron")


REFUSED: dict[str, tuple[Any, str]] = {
    "convection": (lambda fipy, c: fipy.PowerLawConvectionTerm(coeff=(1.0, 0.0, 0.0), var=c),
                   ": PowerLawConvectionTerm needs the direction of a link, and a link of a place has no normal"),
    "upwind": (lambda fipy, c: fipy.DiffusionTerm(1.0, var=c) + fipy.UpwindConvectionTerm((1.0, 0, 0), var=c),
               ": UpwindConvectionTerm needs the direction of a link"),
    "gradient": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0, var=c) + c.grad.mag,
                 ": a gradient or divergence in an explicit source needs the direction of a link"),
    "face gradient": (lambda fipy, c: fipy.DiffusionTerm(coeff=c.faceGrad.mag, var=c),
                      ": a gradient or divergence in DiffusionTerm needs the direction of a link"),
    "divergence": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0, var=c)
                   + fipy.FaceVariable(mesh=c.mesh, rank=1, value=1.0).divergence,
                   ": a gradient or divergence in an explicit source needs the direction of a link"),
    "tensor": (lambda fipy, c: fipy.DiffusionTerm(coeff=[np.eye(3)], var=c),
               ": a coefficient of DiffusionTerm that is a vector or a tensor needs the direction of a link"),
    "transient": (lambda fipy, c: fipy.TransientTerm(var=c) == fipy.DiffusionTerm(coeff=1.0, var=c),
                  ": a TransientTerm is there already; return what stands on the right-hand side"),
    "not a term": (lambda fipy, c: 5.0, ": the function returned float; it must return FiPy terms, such as"),
    "not linear": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0 + c, var=c),
                   " are not linear in it; only linear terms can be lifted, write a rate that is not linear as a "),
    "not linear source": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0, var=c) - c**2, " are not linear in it"),
    "saturating": (lambda fipy, c: -fipy.ImplicitSourceTerm(coeff=1.0 / (1.0 + c), var=c), " are not linear in it"),
    "without its variable": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0),
                             ": DiffusionTerm must be given var=c, the variable that the function is called with"),
    "another variable": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0, var=fipy.CellVariable(mesh=c.mesh)),
                         ": DiffusionTerm must be given var=c"),
    "explicit": (lambda fipy, c: fipy.ExplicitDiffusionTerm(coeff=1.0, var=c),
                 ": ExplicitDiffusionTerm cannot be added; DiffusionTerm, ImplicitSourceTerm and explicit sources"),
    "not finite": (lambda fipy, c: fipy.DiffusionTerm(coeff=np.nan, var=c), " are not finite where it is 0 to 0;"),
    "of the wrong shape": (lambda fipy, c: fipy.DiffusionTerm(coeff=1.0, var=c) + np.ones(3),
                           ": FiPy cannot assemble them: "),
}
"""Terms that cannot be added, made with FiPy, and what is said of them after the name of the species."""


@pytest.mark.parametrize("which", REFUSED)
def test_terms_that_cannot_be_added_are_refused_before_computing(which):
    import fipy

    make, message = REFUSED[which]
    _, model = terms(random_tetrahedra(3, 10), 1.0, lambda c: make(fipy, c))
    with pytest.raises(InputError) as caught:
        assemble(model)
    assert str(caught.value).startswith(f"FiPy terms of 'c'{message}")


def test_terms_for_a_place_without_links_or_for_a_stranger_are_refused():
    from fipy import DiffusionTerm

    place = pool("pool", [1.0])
    c, stranger = Species("c", place), Species("stranger", place)
    with pytest.raises(InputError, match=r"^FiPy terms of 'c': place 'pool' has no links; FiPy needs a volume"):
        assemble(Model([c], fipy_terms={c: lambda c: DiffusionTerm(coeff=1.0, var=c)}))
    with pytest.raises(InputError, match=r"^fipy_terms are given for <stranger in pool>, which is not a species of"):
        Model([c], fipy_terms={stranger: lambda c: DiffusionTerm(coeff=1.0, var=c)})
