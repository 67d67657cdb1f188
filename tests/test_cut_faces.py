"""Cut faces of files: exact areas, what is no cut face, no flux where they are sealed, two compartments where open."""

import warnings

import meshio
import numpy as np
import pytest

from spatial._engine.system.assembly import assemble
from spatial.checks import InputError
from spatial.geometry.cut_faces import CUT_FACE, cut_faces
from spatial.geometry.discretise import discretise
from spatial.geometry.load import MeshNote, load, save
from spatial.geometry.shapes import ball, box, cylinder, spine
from spatial.geometry.stump import STUMP, into_stump, with_stump
from spatial.geometry.tetrahedra import Tetrahedra, triangle_areas
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.clearance import Conversion, Passage
from spatial.model import Model, Species
from spatial.observe.probes import mean
from spatial.scenarios.parts.experiment import Conserved
from spatial.scenarios.parts.report import mesh_summary
from spatial.scenarios.parts.stumps import stumps
from spatial.simulate import Tolerance, simulate

SIDE, LENGTH = 0.3, 1.2
QUARTER = np.array([[1, 0, 0], [0, np.sqrt(0.5), -np.sqrt(0.5)], [0, np.sqrt(0.5), np.sqrt(0.5)]])


def turned_box(size=0.1):
    """A square prism along x, turned so that only its two ends lie on faces of its extent."""
    mesh = box((LENGTH, SIDE, SIDE), size)
    return Tetrahedra(mesh.points @ QUARTER.T, mesh.cells, mesh.region, mesh.regions, {})


def bare(path, mesh, **cell_data):
    """A file of the tetrahedra alone, without a name for any surface."""
    meshio.Mesh(mesh.points, [("tetra", mesh.cells)], cell_data={k: [v] for k, v in cell_data.items()}).write(path)
    return path


def quietly(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeshNote)
        return load(path, **options)


def area(mesh, name):
    return float(triangle_areas(mesh.points, mesh.membranes[name]).sum())


def test_the_ends_of_a_prism_cut_by_two_planes_are_no_membrane(tmp_path):
    path = bare(tmp_path / "prism.vtu", turned_box())
    with pytest.warns(MeshNote, match=r"flat where its block was cut, at x = 0, x = 1.2 um: 0.18 um\^2, 11.1 % of "
                                      r"it, are 'cut face' and no membrane; pass cut='membrane' \(--cut membrane"):
        mesh = load(path)
    assert set(mesh.membranes) == {"plasma membrane", CUT_FACE}
    assert area(mesh, CUT_FACE) == pytest.approx(2 * SIDE**2, rel=1e-12)
    assert area(mesh, "plasma membrane") == pytest.approx(4 * SIDE * LENGTH, rel=1e-12)


def test_the_ends_of_a_cylinder_are_its_discs(tmp_path):
    whole = cylinder(0.2, 1.0, 0.1)
    mesh = quietly(bare(tmp_path / "cylinder.msh", whole))
    assert area(mesh, CUT_FACE) == pytest.approx(area(whole, "left end") + area(whole, "right end"), rel=1e-12)
    assert area(mesh, "plasma membrane") == pytest.approx(area(whole, "plasma membrane"), rel=1e-12)


def test_cut_faces_are_membrane_where_one_asks_for_it(tmp_path):
    mesh = quietly(bare(tmp_path / "prism.vtu", turned_box()), cut="membrane")
    assert set(mesh.membranes) == {"plasma membrane"}
    assert area(mesh, "plasma membrane") == pytest.approx(4 * SIDE * LENGTH + 2 * SIDE**2, rel=1e-12)
    with pytest.raises(InputError, match="load: cut is 'open'; it must be 'sealed' or 'membrane'; to open cut faces"):
        load(tmp_path / "prism.vtu", cut="open")


def test_a_membrane_that_has_a_name_in_the_file_is_none_of_it(tmp_path):
    save(cylinder(0.2, 1.0, 0.1), tmp_path / "named.msh")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = load(tmp_path / "named.msh")
    assert set(mesh.membranes) == {"plasma membrane", "left end", "right end"}


@pytest.mark.parametrize("cut", ["sealed", "membrane"])
def test_a_saved_mesh_keeps_its_cut_faces(tmp_path, cut):
    first = quietly(bare(tmp_path / "prism.vtu", turned_box()), cut=cut)
    save(first, tmp_path / "saved.msh")
    again = load(tmp_path / "saved.msh")
    assert {name: area(again, name) for name in again.membranes} == {name: area(first, name)
                                                                     for name in first.membranes}
    together = load(tmp_path / "saved.msh", cut="membrane")
    assert area(together, "plasma membrane") == pytest.approx(4 * SIDE * LENGTH + 2 * SIDE**2, rel=1e-12)


@pytest.mark.parametrize("mesh", [ball(1.0, 0.5), ball(1.0, 0.1), ball(0.05, 0.02), box((1.0, 2.0, 3.0), 0.5)])
def test_rounded_tips_and_boxes_have_no_cut_faces(mesh):
    assert cut_faces(mesh.points, mesh.membranes["plasma membrane"]).planes == ()


def test_only_the_flat_end_of_a_spine_is_cut():
    mesh = spine(0.4, 0.1, 0.5, 0.06)
    surface = np.concatenate([mesh.membranes["plasma membrane"], mesh.membranes["neck end"]])
    cuts = cut_faces(mesh.points, surface)
    assert [(plane.axis, plane.faces) for plane in cuts.planes] == [("x", 1)]
    assert (np.flatnonzero(cuts.plane >= 0) >= len(mesh.membranes["plasma membrane"])).all()
    assert cuts.planes[0].triangles == len(mesh.membranes["neck end"])


def test_the_place_beside_an_er_that_reaches_the_cut_has_faces_of_its_own(tmp_path):
    mesh = turned_box(0.08)
    er = (np.abs(mesh.points[mesh.cells].mean(axis=1)[:, 2] - SIDE * np.sqrt(0.5)) < 0.08).astype(int)
    found = quietly(bare(tmp_path / "two.vtu", mesh, region=er), names={0: "cytosol", 1: "er"})
    names = {CUT_FACE, "cut face of er"}
    assert names < set(found.membranes)
    assert sum(area(found, name) for name in names) == pytest.approx(2 * SIDE**2, rel=1e-12)
    assert set(discretise(found)["cut face of er"].touches) >= {"er"}


def test_nothing_flows_through_sealed_faces(tmp_path):
    mesh = discretise(quietly(bare(tmp_path / "prism.vtu", turned_box())))
    calcium, outside = Species("calcium", mesh["cytosol"], 2.0), Species("outside", mesh["cytosol"])
    pump = Conversion(mesh["plasma membrane"], calcium, outside, rate=3.0)
    system = assemble(Model([calcium, outside], [pump]))
    lost = -system.layout.values(system.rate(system.initial(), 0.0), calcium)
    within = np.setdiff1d(mesh[CUT_FACE].touches["cytosol"], mesh["plasma membrane"].touches["cytosol"])
    assert len(within) > 4
    assert not lost[within].any()
    assert lost @ mesh["cytosol"].measure == pytest.approx(3.0 * 2.0 * 4 * SIDE * LENGTH, rel=1e-12)


@pytest.mark.parametrize("slices", [1, 4])
def test_stumps_are_as_wide_as_the_faces_that_they_are_joined_to(tmp_path, slices):
    mesh = with_stump(discretise(quietly(bare(tmp_path / "prism.vtu", turned_box()))), 2.0, slices)
    stump = mesh[STUMP]
    assert len(stump) == 2 * slices
    assert stump.measure == pytest.approx(np.full(2 * slices, SIDE**2 * 2.0 / slices), rel=1e-12)
    assert stump.transmissibility == pytest.approx(np.full(2 * slices - 2, SIDE**2 / (2.0 / slices)), rel=1e-12)
    beyond = np.where(stump.centres[:, 0] < 0, -stump.centres[:, 0], stump.centres[:, 0] - LENGTH)
    assert beyond.reshape(2, -1) == pytest.approx(np.tile((np.arange(slices) + 0.5) * 2.0 / slices, (2, 1)))
    touched = stump.centres[mesh[CUT_FACE].touches[STUMP], 0] > 0
    assert (touched == (mesh[CUT_FACE].centres[:, 0] > LENGTH / 2)).all()


def test_an_open_face_exchanges_as_two_compartments_do(tmp_path):
    length, D = 4.0, 0.2
    mesh = with_stump(discretise(quietly(bare(tmp_path / "prism.vtu", turned_box()))), length)
    inside = Species("calcium", mesh["cytosol"], 3.0, D=1e4)  # well mixed within
    beyond = Species("calcium in the stump", mesh[STUMP], 1.0)
    through = into_stump(length, D)
    model = Model([inside, beyond], [Passage(mesh[CUT_FACE], inside, beyond, through)])
    found = simulate(model, 8.0, [mean(inside), mean(beyond)], every=0.5, tolerance=Tolerance(1e-5))
    volume, stumps = SIDE**2 * LENGTH, 2 * SIDE**2 * length
    settled = (3.0 * volume + 1.0 * stumps) / (volume + stumps)
    fading = np.exp(-D / (length / 2) * 2 * SIDE**2 * (1 / volume + 1 / stumps) * found.times)
    assert found["mean calcium"] == pytest.approx(settled + (3.0 - settled) * fading, rel=2e-5)
    assert found["mean calcium in the stump"] == pytest.approx(settled + (1.0 - settled) * fading, rel=2e-5)


def test_a_stump_needs_a_cut_face():
    with pytest.raises(InputError, match="this mesh has no 'cut face' to join a stump to: no flat face where a block"):
        with_stump(discretise(ball(1.0, 0.5)), 1.0)


def test_what_diffuses_and_reacts_in_the_cytosol_does_so_in_its_stumps(tmp_path):
    mesh = discretise(quietly(bare(tmp_path / "prism.vtu", turned_box())))
    cytosol = mesh["cytosol"]
    calcium, free = Species("calcium", cytosol, 2.0, D=220.0), Species("free", cytosol, 10.0)
    bound, gone = Species("bound", cytosol, 1.0), Species("gone", cytosol)
    pump = Conversion(mesh["plasma membrane"], calcium, gone, 2.0)
    acts = [Buffer(cytosol, calcium, free, bound, kon=50.0, K=1.0), pump]
    conserved = [Conserved("calcium", {calcium: 1.0, bound: 1.0, gone: 1.0})]
    sealed, beyond = (stumps(mesh, [calcium, free, bound, gone], acts, length) for length in (0.0, 1.0))
    assert (sealed.mesh, sealed.species, sealed.mechanisms) == (mesh, (), ())
    assert [species.name.removesuffix(" in the stump") for species in beyond.species] == ["calcium", "free", "bound"]
    assert [(type(mechanism), mechanism.where.name) for mechanism in beyond.mechanisms] == [(Passage, CUT_FACE),
                                                                                           (Buffer, STUMP)]
    whole, = beyond.with_twins(conserved)
    model = Model([calcium, free, bound, gone, *beyond.species], [*acts, *beyond.mechanisms])
    found = simulate(model, 0.02, [whole.probe, mean(beyond.twins[calcium])])
    assert np.ptp(found["conserved calcium"]) < 1e-12 * found["conserved calcium"][0]
    assert found["mean calcium in the stump"][-1] < 0.7 * found["mean calcium in the stump"][0]


def test_a_run_says_what_its_cut_faces_are(tmp_path):
    mesh = discretise(quietly(bare(tmp_path / "prism.vtu", turned_box())))
    sealed, = mesh_summary(mesh)[CUT_FACE]["note"]
    opened, = mesh_summary(with_stump(mesh, 1.0))[CUT_FACE]["note"]
    assert sealed == "where the block was cut: no membrane, sealed, so that nothing flows through it"
    assert opened == "where the block was cut: no membrane, open to stumps of cytosol"
