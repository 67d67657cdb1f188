"""What a camera records: light is conserved, blur has its width, noise its variance, files their values."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import j0, j1

from spatial.analysis.microscope import (
    Camera,
    Microscope,
    Movie,
    PointSpread,
    confocal,
    delta_f_over_f,
    record,
    trace,
    two_photon,
    widefield,
)
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Place
from spatial.mechanisms.buffer import Buffer
from spatial.mechanisms.indicator import GCAMP6F, GCAMP6S, OGB1, Indicator
from spatial.model import Model, Species
from spatial.output.movies import read_tiff, save_animation, save_npy, save_table, save_tiff
from spatial.simulate import simulate
from spatial.units import MOLECULES
from tests.toy_mechanisms import Decay, Source
from tests.toy_places import random_tetrahedra

TINY = 1e-18  # um^3, an element without a size of its own


def point(x: float = 0.0, y: float = 0.0, z: float = 0.0, volume: float = TINY) -> Place:
    return Place("point", 3, np.array([volume]), np.array([[x, y, z]]))


PLAIN = PointSpread(0.2)


def microscope(optics: PointSpread = PLAIN, **changes) -> Microscope:
    return Microscope(optics, **{"focus": (0.0, 0.0, 0.0), "brightness": 1.0, "background": 0.0, **changes})


def image(of: Place, seen_by: Microscope, shining: float = 1.0) -> Floats:
    return seen_by.view(of).rates(np.full(len(of), shining))


def width(profile: Floats, pixel: float) -> float:
    """Full width at half maximum [um], interpolated between pixels."""
    half = profile.max() / 2
    above = np.flatnonzero(profile >= half)
    left, right = above[0], above[-1]
    before = (profile[left] - half) / (profile[left] - profile[left - 1])
    after = (profile[right] - half) / (profile[right] - profile[right + 1])
    return float((right - left + before + after) * pixel)


# Blur


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 1, 0), (1, -2, 3)], ids=str)
def test_a_wide_field_holds_every_photon_of_every_depth(axis):
    place = random_tetrahedra(1)
    shining = np.random.default_rng(2).uniform(0, 5, len(place))
    wide = microscope(widefield(1.0), focus=(0.5, 0.5, 0.2), pixels=(160, 170), brightness=7.0, axis=axis)
    seen = wide.view(place).rates(shining).sum()
    assert seen == pytest.approx(7.0 * MOLECULES * place.measure @ shining, rel=1e-12)


def test_a_narrow_field_loses_what_falls_beside_it():
    inside = image(point(0.3), microscope(pixels=(200, 6), pixel=0.1)).sum() / (MOLECULES * TINY)
    assert inside == pytest.approx(0.49865, rel=1e-4)  # a normal variable between its mean and 3 sd


def test_light_is_linear_in_the_indicator():
    place = random_tetrahedra(3)
    view = microscope(widefield(0.8)).view(place)
    one, other = np.random.default_rng(4).uniform(0, 3, (2, len(place)))
    np.testing.assert_allclose(view.rates(2 * one + other), 2 * view.rates(one) + view.rates(other), rtol=1e-12)


@pytest.mark.parametrize("optics", [widefield(1.0), confocal(1.0), two_photon(1.0)], ids=["wide", "confocal", "2P"])
def test_a_point_in_focus_is_as_wide_as_its_optics(optics):
    seen = image(point(), microscope(optics, pixels=(401, 401), pixel=0.005))
    for profile in (seen.sum(axis=0), seen.sum(axis=1)):
        assert width(profile, 0.005) == pytest.approx(2 * np.sqrt(2 * np.log(2)) * optics.lateral, rel=1e-3)


def test_each_pixel_holds_the_exact_integral_of_the_gaussian():
    seen = image(point(0.13, -0.04), microscope(pixels=(3, 3), pixel=0.3)) / (MOLECULES * TINY)
    for row in range(3):
        for column in range(3):
            x, y = 0.3 * (column - 1.5), 0.3 * (row - 1.5)
            exact = dblquad(lambda v, u: np.exp(-((u - 0.13) ** 2 + (v + 0.04) ** 2) / 0.08) / (0.08 * np.pi),
                            x, x + 0.3, y, y + 0.3)[0]
            assert seen[row, column] == pytest.approx(exact, rel=1e-9)


def test_rows_run_along_y_and_columns_along_x():
    seen = image(point(1.02, -0.53), microscope(PointSpread(0.01), pixels=(40, 40), pixel=0.1))
    assert np.unravel_index(np.argmax(seen), seen.shape) == (14, 30)


def test_the_axis_turns_the_picture_and_the_picture_is_not_mirrored():
    along_x = microscope(PointSpread(0.01), pixels=(40, 40), pixel=0.1, axis=(2.0, 0.0, 0.0))
    right, up, toward = along_x.frame()
    np.testing.assert_allclose(np.cross(right, up), toward, atol=1e-15)
    np.testing.assert_allclose(toward, [1, 0, 0], atol=1e-15)
    where = 1.02 * right - 0.53 * up + 5.0 * toward
    assert np.unravel_index(np.argmax(image(point(*where), along_x)), (40, 40)) == (14, 30)


def test_an_element_is_blurred_by_its_own_size_too():
    seen = image(point(volume=0.6 ** 3), microscope(pixels=(401, 401), pixel=0.01)).sum(axis=0)
    x = (np.arange(401) - 200) * 0.01
    assert seen @ x ** 2 / seen.sum() == pytest.approx(0.2 ** 2 + 0.6 ** 2 / 12, rel=2e-3)


def test_a_cube_looks_the_same_whole_and_cut_up():
    """Within a few percent: the whole one is replaced by a Gaussian of the same variance, also in depth."""
    optics = two_photon(0.8)
    whole, cut = grid("whole", [-0.2] * 3, [0.2] * 3, 0.4), grid("cut", [-0.2] * 3, [0.2] * 3, 0.02)
    one, many = (image(place, microscope(optics, pixels=(24, 24))) for place in (whole, cut))
    assert np.abs(one - many).max() < 0.03 * many.max()
    assert one.sum() == pytest.approx(many.sum(), rel=1e-3)


@pytest.mark.parametrize("optics", [confocal(1.0), two_photon(0.9)], ids=["confocal", "2P"])
def test_sections_darken_what_is_out_of_focus(optics):
    focus, away = (image(point(z=z), microscope(optics)).sum() for z in (0.0, 1.5 * optics.section))
    assert away / focus == pytest.approx(np.exp(-1.5 ** 2 / 2), rel=1e-6)


def diffraction(u: float, v: Floats) -> Floats:
    """Intensity of a point at depth u = k z NA^2/n and radius v = k r NA (scalar, paraxial Debye integral)."""
    rho, weight = np.polynomial.legendre.leggauss(400)
    rho, weight = (rho + 1) / 2, weight / 2
    return 4 * np.abs(j0(np.outer(v, rho)) @ (weight * rho * np.exp(-0.5j * u * rho ** 2))) ** 2


@pytest.mark.parametrize("u", [0.0, 2.0, 4.0, 6.0, 12.0, 24.0, 80.0])
def test_widefield_blur_holds_half_the_light_within_30_percent_of_diffraction(u):
    aperture, wavelength = 0.1, 0.5
    k = 2 * np.pi / wavelength
    v = np.linspace(0, 200 + 2 * u, 10_001)
    light = np.cumsum(diffraction(u, v) * v) * (v[1] - v[0]) / 2  # 1 in all
    half = np.interp(0.5, light, v)
    optics = widefield(aperture, wavelength, index=1.0)
    ours = np.sqrt(2 * np.log(2)) * optics.width(np.array([u / (k * aperture ** 2)]), np.zeros(1)) * k * aperture
    assert ours[0] == pytest.approx(half, rel=0.02 if u == 0 else 0.3)


def test_widefield_in_focus_bends_like_the_airy_disc():
    """Zhang 2007, Table 2: sd sqrt2/(k NA), which is 0.225 wavelength/NA."""
    assert widefield(1.2, 0.52).lateral == pytest.approx(0.22508 * 0.52 / 1.2, rel=1e-4)
    v = 0.2
    airy = (2 * j1(v) / v) ** 2
    lateral = widefield(1.0, 2 * np.pi).lateral  # k = 1
    assert np.log(airy) == pytest.approx(-v ** 2 / (2 * lateral ** 2), rel=0.01)


def test_confocal_bends_like_two_airy_discs_across_and_two_sincs_along():
    """Zhang 2007, Tables 2 and 3, without the pinhole's own width."""
    optics = confocal(0.6, 2 * np.pi, 4 * np.pi, index=1.0)  # k = 1 and 1/2
    r, z = 0.2, 0.5
    across = sum(2 * np.log(2 * j1(v) / v) for v in (0.6 * r, 0.3 * r))
    along = sum(2 * np.log(np.sin(u / 4) / (u / 4)) for u in (0.36 * z, 0.18 * z))
    assert across == pytest.approx(-r ** 2 / (2 * optics.lateral ** 2), rel=0.01)
    assert along == pytest.approx(-z ** 2 / (2 * optics.section ** 2), rel=0.01)


def test_two_photon_is_near_the_squared_airy_disc_and_sinc():
    """Zipfel 2003 fits vectorial theory; at low NA the scalar one is within 7 % of their widths."""
    v, u = np.linspace(0.01, 3, 3000), np.linspace(0.01, 10, 3000)
    half_v = v[np.argmax((2 * j1(v) / v) ** 4 < 0.5)]
    half_u = u[np.argmax((np.sin(u / 4) / (u / 4)) ** 4 < 0.5)]
    optics, k, n = two_photon(0.3, 0.9, 1.33), 2 * np.pi / 0.9, 1.33
    assert optics.lateral * np.sqrt(2 * np.log(2)) == pytest.approx(half_v / (k * 0.3), rel=0.07)
    assert optics.section * np.sqrt(2 * np.log(2)) == pytest.approx(half_u * n / (k * 0.3 ** 2), rel=0.07)


# Noise


def test_the_mean_is_what_is_expected_and_the_variance_that_of_photons_and_reading():
    camera = microscope(read_noise=3.0, offset=50.0)
    expected = np.stack([np.full((200, 200), 4.0), np.full((200, 200), 900.0)])
    movie = record(camera, np.arange(2.0), expected, np.random.default_rng(5))
    for frame, photons in zip(movie.frames.astype(float), (4.0, 900.0), strict=True):
        variance = photons + 3.0 ** 2 + 1 / 12  # the last by rounding to whole counts
        assert frame.mean() == pytest.approx(photons + 50.0, abs=4 * np.sqrt(variance / frame.size))
        assert frame.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / frame.size) + 1e-3)


def test_the_same_seed_gives_the_same_movie():
    expected = np.full((2, 5, 5), 100.0)
    one, same, other = (record(microscope(), np.arange(2.0), expected, np.random.default_rng(seed)).frames
                        for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_counts_saturate_and_are_never_negative():
    expected = np.stack([np.zeros((30, 30)), np.full((30, 30), 1e6)])
    frames = record(microscope(read_noise=5.0, offset=0.0), np.arange(2.0), expected, np.random.default_rng(3)).frames
    assert frames.dtype == np.uint16
    assert frames[0].max() < 40
    assert (frames[1] == 65535).all()


# dF/F


def still(frames: Floats) -> Movie:
    return Movie(np.asarray(frames, np.uint16), np.arange(len(frames)) * 0.1, 0.1, ground=100.0)


def test_delta_f_over_f_is_the_rise_above_the_ground():
    frames = np.full((6, 2, 2), 300.0)
    frames[3:, 0, 0] = 700.0
    frames[:, 1, 1] = 101.0
    found = delta_f_over_f(still(frames), (0.0, 0.25))
    np.testing.assert_allclose(found[:, 0, 0], [0, 0, 0, 2, 2, 2])
    np.testing.assert_allclose(found[:, 0, 1], 0)
    assert np.isnan(found[:, 1, 1]).all()  # too dim: all of it is noise
    np.testing.assert_allclose(delta_f_over_f(still(frames), 20.0)[:, 0, 0], [0, 0, 0, 2, 2, 2])


def test_the_trace_of_a_region_is_that_of_all_its_light():
    frames = np.full((6, 2, 2), 200.0)
    frames[3:, 0, 0] = 500.0
    region = np.array([[True, True], [False, False]])
    np.testing.assert_allclose(trace(still(frames), region, (0.0, 0.25)).values, [0, 0, 0, 1.5, 1.5, 1.5])


def test_noise_and_snr_of_a_trace_are_those_put_in():
    """One pixel of F0 400 photons: noise 1/20 of F0; a transient of dF/F 3 is not taken for noise."""
    rng, t = np.random.default_rng(6), np.arange(4000)
    expected = 400 * (1 + 3 * np.exp(-((t - 2000) / 100) ** 2))[:, None, None]
    movie = record(microscope(read_noise=0.0), t * 0.1, expected, rng)
    found = trace(movie, np.array([[True]]), (0.0, 100.0))
    assert found.noise == pytest.approx(0.05, rel=0.1)
    assert found.snr == pytest.approx(60, rel=0.15)


@pytest.mark.parametrize("kind", [GCAMP6S, GCAMP6F, OGB1], ids=lambda kind: kind.name)
def test_saturating_calcium_shows_the_dynamic_range(kind):
    """From no Ca2+ to very much: F rises by 1/brightness_free, here seen through the whole chain."""
    place, view = point(volume=1e-3), microscope(brightness=1e6)
    light = []
    for calcium in (0.0, 1e6):
        free, bound = (np.array([one.initial]) for one in kind.species(place, calcium))
        light.append(view.view(place).rates(kind.shining(free, bound)).sum())
    assert light[1] / light[0] == pytest.approx(1 / kind.brightness_free, rel=1e-5)


# Indicators


@pytest.mark.parametrize(("kind", "K"), [(GCAMP6S, 0.144), (GCAMP6F, 0.374)], ids=["GCaMP6s", "GCaMP6f"])
def test_A1_dissociation_constants(kind, K):
    assert pytest.approx(K, rel=2e-3) == kind.K


@pytest.mark.parametrize("kind", [GCAMP6S, GCAMP6F, OGB1], ids=lambda kind: kind.name)
def test_an_indicator_starts_in_equilibrium(kind):
    place = point()
    free, bound = kind.species(place, 0.1)
    calcium = Species("calcium", place, 0.1)
    gain = Buffer(place, calcium, free, bound, kon=kind.kon, K=kind.K).rates(
        {one: np.array([one.initial]) for one in (calcium, free, bound)}, 0.0)
    assert free.initial + bound.initial == pytest.approx(kind.total)
    assert abs(gain[bound][0]) < 1e-12 * kind.kon * kind.total


# The camera in a run

OURS = Indicator("ours", 1.0, 1.0, 0.0, 10.0, 0.5)


def filmed(mechanism, until: float = 1.0, **changes) -> tuple[Camera, Floats]:
    """A camera over a run, and what one uM of shining indicator gives per s."""
    place = grid("cytosol", (0, 0, 0), (1, 1, 1), 0.5)
    free, bound = (Species(name, place, 2.0) for name in ("free", "bound"))
    seen_by = microscope(focus=(0.5, 0.5, 0.5), pixels=(8, 8), pixel=0.25, exposure=0.1)
    camera = Camera(seen_by, OURS, free, bound, until, **changes)
    simulate(Model([free, bound], [mechanism(place, bound)]), until, frames=camera, frame_times=camera.instants)
    return camera, seen_by.view(place).rates(np.ones(len(place)))


def test_a_still_scene_gives_still_frames_of_bound_and_dimmer_free():
    camera, unit = filmed(lambda place, bound: Source(place, bound, 0.0))
    frames = camera.expected()
    assert frames.shape == (10, 8, 8)
    np.testing.assert_allclose(frames, np.broadcast_to((2.0 + 0.5 * 2.0) * unit * 0.1, frames.shape), rtol=1e-9)


def test_frames_average_over_the_exposure():
    """Under a steady rise each frame is what it is in the middle of its exposure."""
    camera, unit = filmed(lambda place, bound: Source(place, bound, 4.0), interval=0.25, samples=4)
    middles = np.array([0.05, 0.3, 0.55, 0.8])
    np.testing.assert_allclose(camera.movie(np.random.default_rng(0)).times, middles, atol=1e-12)
    np.testing.assert_allclose(camera.expected(), (3.0 + 4.0 * middles)[:, None, None] * unit * 0.1, rtol=1e-6)


def test_more_samples_bring_the_mean_of_a_fast_decay_nearer():
    k, exact = 20.0, 2.0 * (1 - np.exp(-2.0)) / 2.0
    errors = []
    for samples in (1, 4):
        camera, unit = filmed(lambda place, bound: Decay(place, bound, k), 0.1, samples=samples)
        errors.append(abs(camera.expected()[0].sum() / (0.1 * unit.sum()) - 1.0 - exact))
    assert errors[0] > 0.1
    assert errors[1] < errors[0] / 8  # a sixteenth, but for the run's own tolerance


def test_a_camera_that_was_not_shown_its_instants_says_so():
    place = point()
    camera = Camera(microscope(exposure=0.1), OURS, *OURS.species(place, 0.1), until=0.2)
    with pytest.raises(InputError, match="shown 0 of 6 instants"):
        camera.expected()


@pytest.mark.parametrize(("changes", "message"), [
    ({"interval": 0.01}, "interval is 0.01 s; it must be at least the exposure, 0.05 s"),
    ({"until": 0.01}, "until is 0.01 s; it must hold one exposure of 0.05 s"),
    ({"samples": 0}, "samples is 0; it must be a whole number >= 1")], ids=lambda value: str(value)[:12])
def test_a_camera_refuses_what_cannot_be(changes, message):
    free, bound = OURS.species(point(), 0.1)
    with pytest.raises(InputError, match=message):
        Camera(microscope(), OURS, free, bound, **{"until": 1.0, **changes})


def test_a_camera_refuses_species_of_different_places():
    free, _ = OURS.species(point(), 0.1)
    _, bound = OURS.species(point(), 0.1)
    with pytest.raises(InputError, match="must live in the same place"):
        Camera(microscope(), OURS, free, bound, until=1.0)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: widefield(1.4), r"numerical aperture is 1\.4; it must be below the refractive index, 1\.33"),
    (lambda: confocal(0.0), "numerical aperture is 0; it must be a finite number > 0"),
    (lambda: two_photon(1.0, -1.0), "wavelength is -1; it must be a finite number > 0"),
    (lambda: PointSpread(0.0), "PointSpread: lateral is 0; it must be a finite number > 0"),
    (lambda: PointSpread(0.1, section=0.0), "PointSpread: section is 0; it must be a finite number > 0"),
    (lambda: microscope(pixel=0.0), "Microscope: pixel is 0; it must be a finite number > 0"),
    (lambda: microscope(exposure=0.0), "Microscope: exposure is 0; it must be a finite number > 0"),
    (lambda: microscope(read_noise=-1.0), "Microscope: read_noise is -1; it must be a finite number >= 0"),
    (lambda: microscope(pixels=(0, 3)), "pixels is .* must be rows and columns, whole numbers >= 1"),
    (lambda: microscope(axis=(0, 0, 0)), "axis is zero"),
    (lambda: microscope(focus=(0, np.nan, 0)), "focus is nan; it must be a finite number"),
    (lambda: microscope().view(Place("dots", 0, np.ones(1), np.zeros((1, 3)))), "sees volumes; 'dots' has dimension 0"),
    (lambda: record(microscope(), np.zeros(2), np.zeros((3, 2, 2)), np.random.default_rng()), "for 2 times"),
    (lambda: record(microscope(), np.zeros(1), -np.ones((1, 2, 2)), np.random.default_rng()), "photons expected is -1"),
    (lambda: delta_f_over_f(still(np.full((3, 2, 2), 200)), (5.0, 6.0)), "no frame lies in the baseline from 5 to 6 s"),
    (lambda: delta_f_over_f(still(np.full((3, 2, 2), 200)), 101.0), "percentile is 101"),
    (lambda: delta_f_over_f(still(np.full((3, 2, 2), 90)), 50.0), "shows no indicator at rest"),
    (lambda: trace(still(np.full((3, 2, 2), 90)), np.ones((2, 2), bool), 50.0), "region's F0 is -40 counts"),
    (lambda: trace(still(np.full((3, 2, 2), 200)), np.zeros((2, 2), bool), 50.0), "0 pixels; it must hold some"),
    (lambda: Indicator("dud", 0.0, 1.0, 1.0, 1.0, 0.1), "dud: kon is 0; it must be a finite number > 0"),
    (lambda: Indicator("dud", 1.0, 1.0, -1.0, 1.0, 0.1), "Indicator: D is -1"),
    (lambda: Indicator("dud", 1.0, 1.0, 1.0, 1.0, 1.5), "brightness_free is 1.5; it must be below 1"),
])
def test_what_cannot_be_is_refused_in_a_sentence(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_elements_of_a_movie_lie_where_its_pixels_do():
    movie = still(np.arange(2 * 3 * 4).reshape(2, 3, 4))
    place, values = movie.place(), Movie.elements(movie.frames)
    assert place.dimension == 2
    assert place.total == pytest.approx(12 * 0.1 ** 2)
    columns, rows = np.floor(place.centres[:, :2].T / 0.1).astype(int)
    np.testing.assert_array_equal(values, movie.frames[:, rows, columns])
    assert len(place.links) == 3 * 3 + 2 * 4


# Files

FRAMES = np.random.default_rng(7).integers(0, 65536, (5, 6, 9)).astype(np.uint16)


def test_counts_come_back_from_a_tiff_with_their_scales(tmp_path):
    save_tiff(tmp_path / "movie.tif", FRAMES, pixel=0.13, interval=0.05)
    frames, pixel, interval = read_tiff(tmp_path / "movie.tif")
    assert frames.dtype == np.uint16
    np.testing.assert_array_equal(frames, FRAMES)
    assert pixel == pytest.approx(0.13, rel=1e-6)
    assert interval == 0.05


def test_fractions_come_back_from_a_tiff_in_single_precision(tmp_path):
    fractions = np.random.default_rng(8).normal(size=(3, 4, 5))
    fractions[0, 0, 0] = np.nan
    save_tiff(tmp_path / "dff.tif", fractions, 0.1, 0.1)
    frames, _, _ = read_tiff(tmp_path / "dff.tif")
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames, fractions.astype(np.float32))


def test_imagej_finds_its_keys(tmp_path):
    from PIL import Image

    save_tiff(tmp_path / "movie.tif", FRAMES, 0.1, 0.05)
    with Image.open(tmp_path / "movie.tif") as pages:
        assert pages.n_frames == 5
        lines = str(pages.tag_v2[270]).splitlines()
    assert lines[0].startswith("ImageJ=")
    assert {"images=5", "frames=5", "unit=um", "finterval=0.05"} <= set(lines)


def test_a_tiff_of_others_is_refused(tmp_path):
    from PIL import Image

    Image.fromarray(FRAMES[0]).save(tmp_path / "other.tif")
    with pytest.raises(InputError, match=r"other\.tif is no movie of ours"):
        read_tiff(tmp_path / "other.tif")


def test_an_array_comes_back_from_npy_under_its_own_name(tmp_path):
    save_npy(tmp_path / "frames.array", FRAMES)
    np.testing.assert_array_equal(np.load(tmp_path / "frames.array"), FRAMES)


def test_a_table_comes_back_from_csv(tmp_path):
    save_table(tmp_path / "events.csv", [{"event": 0, "start [s]": 0.5}, {"event": 1, "start [s]": 1.25}])
    with (tmp_path / "events.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"event": "0", "start [s]": "0.5"}, {"event": "1", "start [s]": "1.25"}]
    save_table(tmp_path / "none.csv", [])
    assert (tmp_path / "none.csv").read_text() == ""


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_an_animation_moves_and_keeps_its_pace(tmp_path, suffix):
    """A bright pixel goes from the lower left to the upper right corner of the picture."""
    from PIL import Image

    frames = np.zeros((4, 5, 5))
    for k in range(4):
        frames[k, k, k] = 1.0
    path = tmp_path / f"film.{suffix}"
    save_animation(path, frames, [0.0, 0.1, 0.2, 0.3], 0.2, "dF/F", per_second=5.0)
    with Image.open(path) as film:
        assert film.n_frames == 4
        assert film.info["duration"] == 200
        brightest = []
        for k in range(4):
            film.seek(k)
            picture = np.asarray(film.convert("RGB"), float).sum(axis=2)
            picture = picture[:, :int(0.77 * picture.shape[1])]
            brightest.append(np.argwhere(picture > 0.95 * picture.max()).mean(axis=0))
    steps = np.diff(brightest, axis=0)
    assert (steps[:, 0] < -30).all()  # upwards
    assert (steps[:, 1] > 30).all()  # to the right


def test_the_pictures_of_a_gif_share_their_colours(tmp_path):
    from PIL import Image

    frames = np.linspace(0, 1, 3 * 4 * 4).reshape(3, 4, 4)
    save_animation(tmp_path / "film.gif", frames, [0.0, 1.0, 2.0], 0.2, "counts")
    palettes = set()
    with Image.open(tmp_path / "film.gif") as film:
        for k in range(3):
            film.seek(k)
            palettes.add(bytes(np.unique(np.asarray(film.convert("RGB")).reshape(-1, 3), axis=0)[0]))
    assert len(palettes) == 1


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "movie.npy"
    save_npy(path, FRAMES)
    monkeypatch.setattr(np, "save", lambda file, *rest, **more: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_npy(path, FRAMES + 1)
    monkeypatch.undo()
    np.testing.assert_array_equal(np.load(path), FRAMES)
    assert os.listdir(tmp_path) == ["movie.npy"]


@pytest.mark.parametrize(("save", "message"), [
    (lambda path: save_tiff(path / "a.tif", FRAMES[0], 0.1, 0.1), r"shape \(6, 9\) cannot be saved"),
    (lambda path: save_tiff(path / "a.tif", FRAMES.astype(int), 0.1, 0.1), "int64 cannot be saved as TIFF"),
    (lambda path: save_tiff(path / "a.tif", FRAMES, 0.0, 0.1), "pixel is 0"),
    (lambda path: save_tiff(path / "a.tif", FRAMES, 0.1, 0.0), "interval of the frames is 0"),
    (lambda path: save_animation(path / "a.mp4", FRAMES, range(5), 0.1, "x"), "its name must end in .gif or .png"),
    (lambda path: save_animation(path / "a.gif", FRAMES, range(4), 0.1, "x"), "for 4 times"),
    (lambda path: save_animation(path / "a.gif", FRAMES, range(5), 0.1, "x", per_second=0.0), "per second is 0"),
])
def test_what_cannot_be_saved_is_refused_and_leaves_no_file(tmp_path: Path, save, message):
    with pytest.raises(InputError, match=message):
        save(tmp_path)
    assert not list(tmp_path.iterdir())
