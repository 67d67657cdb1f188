"""Volume fraction and tortuosity of known geometries: laws, closed forms, G1 ... G6 of biophysics.md, part B2."""

from dataclasses import replace
from math import log, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from toy_places import random_tetrahedra

from spatial.analysis.tortuosity import block, isotropic, steady_tortuosity
from spatial.checks import InputError
from spatial.geometry.blocks import cubic_cells, random_spheres, sphere_lattice, sphere_octant
from spatial.geometry.bricks import graded_grid
from spatial.geometry.discretise import discretise
from spatial.geometry.grid import grid
from spatial.geometry.place import Place
from spatial.geometry.shapes import ball, box
from spatial.geometry.tetrahedra import Region
from spatial.geometry.voxels import Dropped, Labels, extracellular, load_labels, shrunk
from spatial.scenarios.virtual_iontophoresis.model import (
    TISSUE,
    fit_traces,
    fitted_tortuosity,
    measure,
    picture,
    virtual_iontophoresis,
)
from spatial.units import nm

SEGMENTED = Path(__file__).resolve().parents[2] / "shared" / "data" / "neuropil_seg" / "crop_pap_2um.npz"
OCTANT = (np.zeros(3), np.full(3, 0.5))
ALPHAS = [0.05, 0.1, 0.2, 0.3, 0.5]


def cells(alpha, **how):
    """lambda along x, y and z between cubic cells, of an eighth of the unit."""
    return steady_tortuosity(block(cubic_cells(alpha, **how), *OCTANT))


def spheres(radius, size):
    of = block(discretise(sphere_octant(radius, size))["ecs"])
    return of.alpha, isotropic(steady_tortuosity(of))


# Laws

@pytest.mark.parametrize("counts", [(8, 12, 4), (2, 1, 3)], ids=str)
def test_a_homogenised_block_has_the_alpha_and_lambda_it_was_made_with(counts):
    sides = np.array(counts) * 0.25
    of = block(grid("ecs", [-1, 0, 2], np.array([-1, 0, 2]) + sides, 0.25, 0.2, 1.6), [-1, 0, 2],
               np.array([-1, 0, 2]) + sides)
    assert of.alpha == pytest.approx(0.2, rel=1e-12)
    np.testing.assert_allclose(steady_tortuosity(of), 1.6 if min(counts) > 1 else [1.6, 1.0, 1.6], rtol=1e-9)


def test_free_space_in_tetrahedra_has_no_tortuosity_and_a_medium_in_them_its_own():
    of = block(discretise(box((1.0, 1.5, 0.7), 0.25))["cytosol"])
    assert of.alpha == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(steady_tortuosity(of), 1.0, rtol=1e-9)
    medium = block(discretise(box((1.0, 1.5, 0.7), 0.25, Region("ecs", 0.2, 1.6)))["ecs"])
    assert medium.alpha == pytest.approx(0.2, rel=1e-12)
    np.testing.assert_allclose(steady_tortuosity(medium), 1.6, rtol=1e-9)


def test_links_of_the_wrong_sign_do_not_matter_to_free_space():
    np.testing.assert_allclose(steady_tortuosity(block(random_tetrahedra(3, 200))), 1.0, rtol=1e-9)


def test_straight_channels_are_not_tortuous_and_dead_ends_beside_them_are():
    inside = np.zeros((6, 5, 1), bool)
    inside[:, ::2] = True
    corners = np.zeros(3), np.array([6.0, 5.0, 1.0])
    edges = [np.arange(n + 1.0) for n in (6, 5, 1)]
    with pytest.raises(InputError, match="falls into 3 pieces that no link joins"):
        block(graded_grid("ecs", edges, inside.astype(float)), *corners)
    inside[:, 1] = True
    inside[2:4, 3] = True
    of = block(graded_grid("ecs", edges, inside.astype(float)), *corners)
    assert of.alpha == pytest.approx(26 / 30)
    dead_ends = steady_tortuosity(of)[0]
    assert 1.0 < dead_ends < 1.1


@pytest.mark.filterwarnings("ignore::spatial.geometry.voxels.Dropped")
def test_lambda_turns_with_the_block():
    labels = random_spheres(0.3, 0.2, 1.0, 0.1, np.random.default_rng(2), overlapping=True)
    turned = Labels(np.ascontiguousarray(labels.values.transpose(1, 2, 0)), labels.voxel)
    one, other = (block(extracellular(each), np.zeros(3), each.extent) for each in (labels, turned))
    np.testing.assert_allclose(np.roll(steady_tortuosity(one), -1), steady_tortuosity(other), rtol=1e-8)


def test_lambda_of_a_periodic_block_is_that_of_its_eighth():
    eighth, unit = cubic_cells(0.2, 1, 2), cubic_cells(0.2, 2, 2)
    assert len(unit) == 8 * len(eighth)
    whole = block(unit, np.zeros(3), np.ones(3))
    assert whole.alpha == pytest.approx(0.2, rel=1e-12)
    np.testing.assert_allclose(steady_tortuosity(whole), cells(0.2, layers=2), rtol=1e-8)


# Cubic and square cells

G1 = dict(zip(ALPHAS, [1.2168, 1.2086, 1.1915, 1.1735, 1.1339], strict=True))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_G1_lambda_between_cubic_cells(alpha, record_property):
    assert block(cubic_cells(alpha), *OCTANT).alpha == pytest.approx(alpha, rel=1e-9)
    coarse, fine = (cells(alpha, layers=layers)[0] for layers in (4, 6))
    record_property(f"lambda at alpha {alpha}", (coarse, fine))
    assert coarse == pytest.approx(G1[alpha], rel=0.005)
    assert fine == pytest.approx(G1[alpha], rel=0.002)
    assert abs(fine - G1[alpha]) < abs(coarse - G1[alpha])


@pytest.mark.parametrize("alpha", ALPHAS)
def test_G2_lambda_exceeds_that_of_maxwell_by_little(alpha):
    ratio = cells(alpha, layers=12)[0] / sqrt((3 - alpha) / 2)
    assert 1.001 < ratio < 1.015


def test_G3_lambda_between_ever_closer_cubes():
    assert cells(0.001, layers=2)[0] == pytest.approx(sqrt(3 / 2), rel=0.0005)


def test_G4_lambda_between_ever_closer_squares():
    of = block(cubic_cells(0.001, layers=2, dimensions=2), *OCTANT)
    assert of.alpha == pytest.approx(0.001, rel=1e-9)
    x, y, z = steady_tortuosity(of)
    assert (x, y) == pytest.approx((sqrt(2), sqrt(2)), rel=0.001)
    assert z == pytest.approx(1.0, rel=1e-9)


def test_G6_what_cubic_cells_do_not_explain_of_the_lambda_of_tissue():
    assert TISSUE / cells(0.2)[0] == pytest.approx(1.34, rel=0.005)


# Spheres

def rayleigh(filled):
    """lambda among spheres on a cubic lattice: Rayleigh's series with the terms of Sangani & Acrivos 1983 (M)."""
    L = [-(2 * n - 1) / (2 * n) for n in range(1, 6)]
    below = -1 / L[0] + filled
    below += 1.305 * L[1] * filled**(10 / 3) * (1 + 0.231 * L[2] * filled**(11 / 3)) / (
        1 - 0.405 * L[1] * filled**(7 / 3))
    below += 0.0723 * L[2] * filled**(14 / 3) + 0.153 * L[3] * filled**6 + 0.0105 * L[4] * filled**(22 / 3)
    return sqrt((1 - filled) / (1 - 3 * filled / below))


def test_few_spheres_are_as_tortuous_as_maxwell_says():
    for radius in (0.15, 0.25):
        alpha, found = spheres(radius, 0.04)
        assert alpha == pytest.approx(1 - 4 / 3 * pi * radius**3, rel=0.002)
        assert found == pytest.approx(sqrt((3 - alpha) / 2), rel=0.001)


@pytest.mark.parametrize("radius", [0.3, 0.4, 0.45, 0.495])
def test_lambda_among_spheres_on_a_lattice_is_that_of_rayleighs_series(radius, record_property):
    errors = [spheres(radius, size)[1] / rayleigh(4 / 3 * pi * radius**3) - 1 for size in (0.05, 0.035)]
    record_property(f"error at radius {radius}", errors)
    assert np.abs(errors).max() < 0.003


def test_a_lattice_of_whole_spheres_is_as_tortuous_as_its_octant():
    lattice = block(discretise(sphere_lattice(1, 0.45, 0.05))["ecs"])
    assert lattice.alpha == pytest.approx(1 - 4 / 3 * pi * 0.45**3, rel=0.005)
    assert steady_tortuosity(lattice) == pytest.approx([rayleigh(4 / 3 * pi * 0.45**3)] * 3, rel=0.005)
    assert len(sphere_lattice(2, 0.3, 0.3).points) > 4 * len(sphere_lattice(1, 0.3, 0.3).points)


def test_a_staircase_of_voxels_makes_lambda_too_large_with_order_one(record_property):
    """Spheres with a radius of 8 voxels are 2 % too tortuous; from two sizes of voxel the rest is extrapolated."""
    found = []
    for count in (10, 20):
        centre = (np.arange(count) + 0.5) * 0.5 / count
        free = centre[:, None, None] ** 2 + centre[:, None] ** 2 + centre**2 > 0.4**2
        of = block(graded_grid("ecs", [np.linspace(0, 0.5, count + 1)] * 3, free.astype(float)), *OCTANT)
        found.append(steady_tortuosity(of)[0])
    errors = np.array(found) / rayleigh(4 / 3 * pi * 0.4**3) - 1
    record_property("errors", errors.tolist())
    assert 0.015 < errors[0] < 0.025
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.2)
    assert abs(2 * errors[1] - errors[0]) < 0.002


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spatial.geometry.voxels.Dropped")
def test_random_spheres_are_nearly_as_tortuous_as_maxwell_says(record_property):
    found = []
    for spacing in (0.05, 0.025):
        labels = random_spheres(0.25, 0.2, 1.5, spacing, np.random.default_rng(3))
        of = block(extracellular(labels), np.zeros(3), labels.extent)
        assert of.alpha == pytest.approx(0.75, abs=0.01)
        found.append(isotropic(steady_tortuosity(of)))
    record_property("lambda at two spacings", found)
    assert 2 * found[1] - found[0] == pytest.approx(sqrt((3 - 0.75) / 2), rel=0.015)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spatial.geometry.voxels.Dropped")
def test_overlapping_spheres_keep_the_bound_of_weissberg(record_property):
    """lambda^2 >= 1 - ln(alpha) / 2 (Weissberg 1963), and not much more."""
    found = []
    for spacing in (0.05, 0.025):
        labels = random_spheres(0.5, 0.25, 1.75, spacing, np.random.default_rng(5), overlapping=True)
        of = block(extracellular(labels), np.zeros(3), labels.extent)
        found.append(isotropic(steady_tortuosity(of)) / sqrt(1 - log(of.alpha) / 2))
    record_property("lambda over the bound, at two spacings", found)
    assert 1.0 < 2 * found[1] - found[0] < 1.08


# Virtual iontophoresis

def test_virtual_iontophoresis_finds_alpha_and_lambda_of_homogenised_tissue(tmp_path):
    of = block(grid("ecs", [0, 0, 0], [2.0, 2.4, 1.6], 0.15, 0.2, 1.6))
    measured = measure(of, np.random.default_rng(2), sources=2, electrodes=40)
    assert measured.fit["alpha"] == pytest.approx(0.2, rel=0.005)
    np.testing.assert_allclose(fitted_tortuosity(measured.fit), 1.6, rtol=0.01)
    assert measured.isotropic == pytest.approx(1.6, rel=1e-9)
    assert abs(measured.disagreement) < 0.01
    assert measured.residual == pytest.approx(1.0, rel=1e-9)
    assert len(measured.fits) == len(measured.traces) == 2
    assert all(one.distances.min() > 0.4 for one in measured.traces)
    picture(tmp_path / "fit.png", of, measured)
    assert (tmp_path / "fit.png").stat().st_size > 10_000


def test_virtual_iontophoresis_is_the_same_for_the_same_seed():
    of = block(grid("ecs", [0, 0, 0], [1.0, 1.0, 1.0], 0.2, 0.2, 1.6))
    one, two, other = (virtual_iontophoresis(of, np.random.default_rng(seed), 1, 20)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    assert not np.array_equal(one.source, other.source)


@pytest.mark.slow
def test_virtual_iontophoresis_agrees_with_the_steady_gradient_between_cubic_cells(record_property):
    of = block(cubic_cells(0.2, 6, 1), np.zeros(3), np.full(3, 3.0))
    measured = measure(of, np.random.default_rng(1))
    record_property("disagreement", measured.disagreement)
    assert measured.fit["alpha"] == pytest.approx(0.2, rel=0.01)
    assert abs(measured.disagreement) < 0.03
    np.testing.assert_allclose(fitted_tortuosity(measured.fit), measured.tortuosity, rtol=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spatial.geometry.voxels.Dropped")
def test_virtual_iontophoresis_agrees_with_the_steady_gradient_among_random_spheres(record_property):
    labels = random_spheres(0.3, 0.15, 1.6, 0.04, np.random.default_rng(0))
    measured = measure(block(extracellular(labels), np.zeros(3), labels.extent), np.random.default_rng(1), sources=8)
    record_property("disagreement", measured.disagreement)
    assert measured.fit["alpha"] == pytest.approx(measured.alpha, rel=0.03)
    assert abs(measured.disagreement) < 0.05


@pytest.mark.slow
@pytest.mark.skipif(not SEGMENTED.is_file(), reason=f"the label volume {SEGMENTED} is not here")
def test_tortuosity_of_segmented_neuropil_lies_in_the_range_of_its_readme(record_property):
    labels = shrunk(load_labels(SEGMENTED, (16 * nm, 16 * nm, 40 * nm)), 18 * nm, (1, 1, 2))
    with pytest.warns(Dropped, match=r"all but the largest hold 0\.0\d% of it"):
        of = block(extracellular(labels), np.zeros(3), labels.extent)
    found = steady_tortuosity(of)
    record_property("alpha, lambda", [of.alpha, *found])
    assert 1.37 < isotropic(found) < 1.61


# What cannot be measured

def test_a_place_that_is_no_block_is_told():
    with pytest.raises(InputError, match=r"'cytosol' does not fill a block: only 0 of the lower face along x is open, "
                                         r"and 0\.5\d* of the block; cut a box out of the tissue"):
        block(discretise(ball(0.5, 0.2))["cytosol"])
    layer = grid("ecs", [0, 0, 0], [1, 1, 0.1], 0.1)
    with pytest.raises(InputError, match="'ecs' has no thickness along z; give the corners of its block"):
        block(layer)
    half = grid("ecs", [0, 0, 0], [3, 6, 6], 1.0)
    with pytest.raises(InputError, match="only 0 of the upper face along x is open"):
        block(half, np.zeros(3), np.full(3, 6.0))


def test_a_place_in_pieces_is_told():
    two = Place("ecs", 3, np.ones(2), np.array([[0.0, 0, 0], [1, 1, 1]]))
    with pytest.raises(InputError, match="'ecs' falls into 2 pieces that no link joins; a block must be in one"):
        block(two)


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: cubic_cells(1.2), "cubic cells: alpha is 1.2; it must lie between 0 and 1"),
    (lambda: cubic_cells(0.2, dimensions=1), "1 octants with 4 layers in 1 dimensions cannot be made"),
    (lambda: sphere_octant(0.5, 0.1), "spheres of radius 0.5 um overlap on a lattice of 1 um; radius must lie between"),
    (lambda: sphere_lattice(2, 0.6, 0.1), "2 spheres of radius 0.6 um on each axis, 1 um apart, cannot be made; there"),
    (lambda: random_spheres(1.0, 0.2, 1.0, 0.1, np.random.default_rng(0)), "fraction is 1; it must lie between 0"),
    (lambda: random_spheres(0.2, 0.5, 1.0, 0.1, np.random.default_rng(0)), "need a side of at least three and a spac"),
    (lambda: random_spheres(0.7, 0.2, 1.0, 0.1, np.random.default_rng(0)), "fit without overlap; ask for a smaller"),
    (lambda: virtual_iontophoresis(block(cubic_cells(0.2, 2, 1), np.zeros(3), np.ones(3)), np.random.default_rng(0), 0),
     "virtual iontophoresis has 0 sources and 150 electrodes; it needs at least one of each"),
])
def test_what_cannot_be_made_is_told(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_a_fit_that_takes_the_wrong_box_shows_in_its_residual():
    of = block(grid("ecs", [0, 0, 0], [1.0, 1.0, 1.0], 0.1, 0.2, 1.6))
    traces = virtual_iontophoresis(of, np.random.default_rng(1), 1, 30)
    larger = replace(of, upper=np.array([1.0, 1.0, 1.5]))
    assert fit_traces(larger, traces).residual > 5 * fit_traces(of, traces).residual
