"""Label volumes: voxels as control volumes, and membranes without their staircase (biophysics D8, trap C4)."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from spatial._engine.operators.diffusion import stiffness
from spatial.checks import InputError
from spatial.geometry.voxels import Dropped, Labels, extracellular, load_labels, shrink_for, shrunk, voxel_mesh
from spatial.mechanisms.clearance import Conversion
from spatial.model import Model, Species
from spatial.observe.probes import total
from spatial.simulate import simulate
from spatial.units import nm

Floats = NDArray[np.float64]
CROP = Path(__file__).resolve().parents[2] / "shared" / "data" / "neuropil_seg" / "crop_pap_2um.npz"
real = pytest.mark.skipif(not CROP.is_file(), reason=f"the segmented neuropil {CROP} is not here")


def points(shape, voxel, centre=(0.0, 0.0, 0.0)):
    """The three coordinates of every voxel's centre, from a point near the middle of the block."""
    axes = [(np.arange(n) + 0.5) * h - n * h / 2 - c for n, h, c in zip(shape, voxel, centre, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def ball(radius, voxel=(1.0, 1.0, 1.0), centre=(0.0, 0.0, 0.0)):
    """A ball of label 1."""
    x, y, z = points([int(2 * radius / h) + 8 for h in voxel], voxel, centre)
    return Labels((x**2 + y**2 + z**2 < radius**2).astype(np.int64), voxel)


def membrane(labels):
    return voxel_mesh(labels, {"cytosol": 1})["plasma membrane"]


def naive(labels):
    """The area of the staircase."""
    volume = np.prod(labels.voxel)
    return sum((np.diff(labels.values, axis=k) != 0).sum() * volume / labels.voxel[k] for k in range(3))


# D8: the area of membranes

@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (0.3, 0.11, 0.47)], ids=["on grid", "off grid"])
@pytest.mark.parametrize("radius", [6.0, 10.0, 20.0])
def test_D8_influx_into_a_voxel_sphere_is_that_through_its_true_surface(radius, centre, record_property):
    found = membrane(ball(radius, centre=centre)).total / (4 * np.pi * radius**2)
    record_property("area", found)
    assert found == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("radius", [20.0, 30.0])
def test_D8_C4_the_staircase_of_a_sphere_is_one_and_a_half_times_too_large(radius):
    assert naive(ball(radius)) / (4 * np.pi * radius**2) == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("radius", [8.0, 16.0])
def test_D8_holds_for_voxels_as_flat_as_those_of_serial_sections(radius):
    found = membrane(ball(radius, (1.0, 1.0, 2.5), (0.3, 0.11, 0.47))).total
    assert found == pytest.approx(4 * np.pi * radius**2, rel=0.02)


def test_D8_a_constant_influx_fills_a_voxel_sphere_as_it_would_a_true_one():
    mesh, R, F = voxel_mesh(ball(10.0), {"cytosol": 1}), 10.0, 3.0
    outside, inside = (Species(name, mesh[name], 1.0) for name in ("ecs", "cytosol"))
    model = Model([outside, inside], [Conversion(mesh["plasma membrane"], outside, inside, F)])
    run = simulate(model, 1e-6, [total(inside), total(outside)])
    gained = np.diff(run["total cytosol"][[0, -1]])[0]
    assert gained == pytest.approx(4 * np.pi * R**2 * F * 1e-6, rel=0.02)
    np.testing.assert_allclose(run["total cytosol"] + run["total ecs"], mesh["cytosol"].total + mesh["ecs"].total)


def tilted(normal, thickness=None, voxel=(1.0, 1.0, 1.0)):
    """A half space below a plane, or a sheet of some thickness, and the area of plane within the block."""
    n = np.array(normal) / np.linalg.norm(normal)
    shape = [40, 36, int(32 / voxel[2])]
    x, y, z = points(shape, voxel, (0.21, 0.37, 0.13))
    height = n[0] * x + n[1] * y + n[2] * z
    inside = height < 0 if thickness is None else np.abs(height) < thickness / 2
    sections = 40 * 36 / n[2]  # where the plane leaves through the sides only
    return Labels(1 + inside.astype(np.int64), voxel), sections * (1 if thickness is None else 2)


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.3, 0.1, 1), (0.2, 0.35, 1)], ids=str)
@pytest.mark.parametrize("thickness", [None, 2.2, 4.0], ids=["plane", "thin sheet", "sheet"])
def test_a_tilted_plane_or_sheet_has_its_true_area(normal, thickness):
    labels, area = tilted(normal, thickness)
    mesh = voxel_mesh(labels, {"cytosol": 2, "spine": 1})
    assert mesh["cytosol|spine"].total == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize("axis", [(0, 0, 1), (0.4, 0.2, 1)], ids=str)
@pytest.mark.parametrize("radius", [4.3, 9.0])
def test_a_cylinder_has_its_true_area(radius, axis):
    along = np.array(axis) / np.linalg.norm(axis)
    at = np.stack(points([48, 44, 40], (1.0, 1.0, 1.0), (0.2, 0.1, 0.3)), axis=-1)
    away = np.linalg.norm(at - (at @ along)[..., None] * along, axis=-1)
    labels = Labels((away < radius).astype(np.int64), (1.0, 1.0, 1.0))
    assert membrane(labels).total == pytest.approx(2 * np.pi * radius * 40 / along[2], rel=0.02)


# Places

def four_labels():
    """Cells 1, 2 and 7 beside one another in ECS, with a void of label 9 in the middle of 1."""
    values = np.zeros((12, 10, 8), np.uint16)
    values[1:6, 1:9, 1:7], values[6:11, 1:5, 1:7], values[6:11, 5:9, 1:7] = 1, 2, 7
    values[3, 4, 4] = 9
    return Labels(values, (0.1, 0.2, 0.3))


def test_places_hold_their_voxels_and_membranes_touch_the_voxels_on_both_sides():
    mesh = voxel_mesh(four_labels(), {"cytosol": 1, "others": [2, 7]})
    assert set(mesh) == {"cytosol", "others", "ecs", "plasma membrane", "others|ecs", "cytosol|others"}
    assert mesh["cytosol"].total == pytest.approx((5 * 8 * 6 - 1) * 0.006)
    assert mesh["others"].total == pytest.approx(5 * 8 * 6 * 0.006)
    for name, sides in {"plasma membrane": ("cytosol", "ecs"), "cytosol|others": ("cytosol", "others")}.items():
        found = mesh[name]
        assert tuple(found.touches) == sides
        apart = np.diff([mesh[side].centres[found.touches[side]] for side in sides], axis=0)[0]
        steps = np.abs(apart) / np.array([0.1, 0.2, 0.3])
        np.testing.assert_allclose(np.sort(steps, axis=1), np.tile([0.0, 0.0, 1.0], (len(found), 1)), atol=1e-9)
        middle = mesh[sides[0]].centres[found.touches[sides[0]]] + apart / 2
        np.testing.assert_allclose(middle, found.centres, atol=1e-12)
    assert mesh["cytosol|others"].total == pytest.approx(8 * 6 * 0.06, rel=0.1)  # smoothing rounds its rim


def test_the_flux_between_voxels_is_exact_for_linear_fields():
    place = voxel_mesh(four_labels(), {"others": [2, 7]})["others"]
    for k, (length, count) in enumerate(((0.1, 5), (0.2, 8), (0.3, 6))):
        x = place.centres[:, k]
        assert x @ stiffness(place) @ x == pytest.approx(place.total * (count - 1) / count, rel=1e-12)
        assert np.ptp(x) == pytest.approx((count - 1) * length)
    assert (place.transmissibility > 0).all()


def test_centres_are_counted_from_the_corner_of_the_block():
    labels = four_labels()
    place = extracellular(labels)
    np.testing.assert_allclose(place.centres.min(axis=0), np.array(labels.voxel) / 2)
    np.testing.assert_allclose(place.centres.max(axis=0), labels.extent - np.array(labels.voxel) / 2)
    assert place.name == "ecs"


# Pieces

def with_pocket(size):
    values = np.ones((12, 12, 12), np.int64)
    values[:4], values[8:8 + size, 6, 6] = 0, 0
    return Labels(values, (0.1, 0.1, 0.1))


def test_a_pocket_of_the_extracellular_space_is_left_out_with_a_warning():
    with pytest.warns(Dropped, match=r"falls into 2 pieces; all but the largest hold 0.17% of it and are left out"):
        place = extracellular(with_pocket(1))
    assert len(place) == 4 * 12 * 12


def test_an_extracellular_space_without_pockets_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extracellular(four_labels())


def test_an_extracellular_space_in_pieces_is_refused():
    values = np.ones((9, 4, 4), np.int64)
    values[:3], values[7:] = 0, 0
    with pytest.raises(InputError, match=r"falls into 2 pieces; all but the largest hold 40.00% of it, and at most"):
        extracellular(Labels(values, (0.1, 0.1, 0.1)))


# Shrinking

def slabs(voxel, along):
    """Two cells that meet in a plane across an axis."""
    values = np.ones((16, 16, 16), np.int64)
    np.moveaxis(values, along, 0)[8:] = 2
    return Labels(values, voxel)


@pytest.mark.parametrize("along", [0, 2])
def test_cells_that_shrink_leave_a_gap_of_twice_the_distance(along):
    labels = slabs((0.016, 0.016, 0.04), along)
    thin = shrunk(labels, 0.018, refine=(8, 1, 20))
    gap = thin.fraction(0) * labels.extent[along]
    assert gap == pytest.approx(0.036, abs=thin.voxel[along])
    assert set(np.unique(thin.values)) == {0, 1, 2}
    middle = (np.argwhere(thin.values == 0)[:, along] + 0.5).mean() * thin.voxel[along]
    assert middle == pytest.approx(labels.extent[along] / 2, abs=1e-9)


def test_a_ball_shrinks_by_the_distance_all_around():
    labels = ball(12.0, (1.0, 1.0, 1.0), (0.2, 0.4, 0.3))
    thin = shrunk(labels, 3.0, refine=(2, 2, 2))
    volume = thin.fraction(1) * np.prod(labels.extent)
    assert np.cbrt(3 * volume / (4 * np.pi)) == pytest.approx(9.0, abs=0.2)  # of a voxel


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.3, 0.1, 1), (0.2, 0.35, 1)], ids=str)
def test_a_thin_sheet_shrinks_by_the_distance_on_both_sides(normal):
    labels, area = tilted(normal, 4.0)
    thin = shrunk(labels, 1.0, refine=(3, 3, 3))
    left = thin.fraction(2) * np.prod(labels.extent) / (area / 2)
    assert left == pytest.approx(2.0, abs=0.4)  # 0.2 of a voxel on each side


def test_the_distance_for_a_volume_fraction_is_found():
    labels = slabs((0.02, 0.02, 0.02), 0)
    distance = shrink_for(labels, 0.25, refine=(8, 1, 1))
    assert distance == pytest.approx(0.04, abs=0.0026)
    assert shrunk(labels, distance + 1e-6, refine=(8, 1, 1)).fraction(0) == pytest.approx(0.25, abs=0.01)


# Real neuropil

@real
def test_the_segmented_neuropil_is_read_with_its_voxel():
    labels = load_labels(CROP)
    assert labels.voxel == pytest.approx((0.016, 0.016, 0.04))
    assert labels.extent == pytest.approx([2.0, 2.0, 2.0])
    assert labels.fraction(9) == pytest.approx(0.181, abs=1e-3)


def own_rule(labels):
    """Extracellular space as the data's README has it: within 18 nm, centre to centre, of another label's voxel.

    On voxels halved along each axis, 8 x 8 x 20 nm: sections that meet in a plane across z stay 20 nm apart.
    """
    fine = labels.values.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found = np.zeros(fine.shape, bool)
    for k, box in enumerate(ndimage.find_objects(fine), 1):
        if box is not None:
            around = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
            here = fine[around] == k
            found[around] |= here & (ndimage.distance_transform_edt(here, (8.0, 8.0, 20.0)) < 18.0)
    return found


@pytest.mark.slow
@real
def test_the_fraction_of_19_percent_is_that_of_a_shrinkage_that_leaves_sections_closed():
    assert own_rule(load_labels(CROP)).mean() == pytest.approx(0.19, abs=0.001)


@pytest.mark.slow
@real
def test_neuropil_shrunk_by_18_nm_has_sheets_of_36_nm_in_one_piece(record_property):
    """All interfaces together have 7.2 um^2/um^3, and with 36 nm of each as extracellular space that is a quarter."""
    labels = load_labels(CROP)
    thin = shrunk(labels, 18 * nm, refine=(1, 1, 2))
    record_property("ECS", thin.fraction(0))
    with pytest.warns(Dropped):
        place = extracellular(thin)
    assert place.total / (thin.fraction(0) * np.prod(thin.extent)) > 0.999
    surface = membranes(labels) / np.prod(labels.extent)
    record_property("interfaces", surface)
    assert thin.fraction(0) == pytest.approx(36 * nm * surface, rel=0.15)
    width = 2 * place.total / membranes(thin)  # of sheets, each between two membranes
    record_property("width", width)
    assert 36 * nm < width < 46 * nm  # where three sheets meet they are wider


def membranes(labels: Labels) -> float:
    """The area of all membranes of a block: those between cells, or of each towards the extracellular space."""
    names = {str(k): int(k) for k in np.unique(labels.values) if k}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Dropped)
        return sum(each.total for each in voxel_mesh(labels, names).values() if each.dimension == 2)


@pytest.mark.slow
@real
def test_the_astrocyte_in_real_neuropil_has_a_plausible_surface(record_property):
    labels = load_labels(CROP)
    for refine in ((1, 1, 1), (1, 1, 2)):
        thin = shrunk(labels, 12 * nm, refine=refine)
        with pytest.warns(Dropped):
            mesh = voxel_mesh(thin, {"cytosol": 9})
        ratio = mesh["plasma membrane"].total / mesh["cytosol"].total
        record_property(f"S/V {refine}", ratio)
        assert 8.0 < ratio < 15.0


# Messages

def test_labels_that_are_none_are_refused():
    for values in (np.zeros((3, 3)), np.zeros((3, 3, 3)), np.zeros((0, 3, 3), int)):
        with pytest.raises(InputError, match="they must be integers, at least one, in three dimensions"):
            Labels(values, (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="labels go down to -1"):
        Labels(np.full((2, 2, 2), -1), (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match=r"side of a voxel along y \[um\] is 0; it must be a finite number > 0"):
        Labels(np.ones((2, 2, 2), int), (1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="a voxel has 2 sides; it must have three"):
        Labels(np.ones((2, 2, 2), int), (1.0, 1.0))


@pytest.mark.parametrize(("places", "message"), [
    ({"ecs": 1}, "'ecs' is the place of the voxels labelled 0"),
    ({"cytosol": 5}, "'cytosol' is to be label 5, which no voxel has"),
    ({"cytosol": 0}, "'cytosol' is to be label 0, which is the extracellular space"),
    ({"cytosol": 1, "other": [2, 1]}, "label 1 is to be 'cytosol' and 'other'")])
def test_places_that_make_no_sense_are_refused(places, message):
    with pytest.raises(InputError, match=message):
        voxel_mesh(four_labels(), places)


def test_a_shrinkage_that_makes_no_sense_is_refused():
    labels = four_labels()
    with pytest.raises(InputError, match=r"shrunk: distance \[um\] is 0; it must be"):
        shrunk(labels, 0.0)
    with pytest.raises(InputError, match=r"refine is \(1, 0, 1\); it must be three whole numbers >= 1"):
        shrunk(labels, 0.1, refine=(1, 0, 1))
    with pytest.raises(InputError, match=r"the volume fraction is 0.1; it must lie between 0.5, what the labels leave"):
        shrink_for(labels, 0.1)
    with pytest.raises(InputError, match="no voxel is labelled 0, so there is no extracellular space; shrink"):
        extracellular(slabs((0.1, 0.1, 0.1), 0))


def test_files_of_labels_are_read_and_checked(tmp_path):
    path, values = tmp_path / "labels.npz", four_labels().values
    with pytest.raises(InputError, match=r"there is no file of labels .*labels.npz"):
        load_labels(path)
    path.write_text("nothing")
    with pytest.raises(InputError, match=r"labels.npz cannot be read as a .npz file of labels"):
        load_labels(path)
    np.savez(path, cells=values, more=values, note=np.zeros(2))
    with pytest.raises(InputError, match=r"holds 2 arrays of integers in three dimensions, not one; name one of"):
        load_labels(path, (0.1, 0.1, 0.1))
    with pytest.raises(InputError, match="has no array 'axons'; it has"):
        load_labels(path, (0.1, 0.1, 0.1), "axons")
    with pytest.raises(InputError, match="does not say how large a voxel is; pass voxel="):
        load_labels(path, name="cells")
    with pytest.raises(InputError, match="labels are an array of float64 of shape"):
        load_labels(path, (0.1, 0.1, 0.1), "note")
    with pytest.raises(InputError, match=r"its extent is 2.4e\+03 um, not 0.01 to 1000 um; give the sides"):
        load_labels(path, (100.0, 200.0, 300.0), "cells")
    np.testing.assert_array_equal(load_labels(path, (0.1, 0.2, 0.3), "cells").values, values)
    np.savez(path, cells=values, voxel_nm=[16, 16, 40])
    assert load_labels(path).voxel == pytest.approx((0.016, 0.016, 0.04))
