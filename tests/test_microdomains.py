"""Events found in fields whose events are known, and how local those of simulated sources are."""

import numpy as np
import pytest
from scipy.ndimage import generate_binary_structure, label

from spatial.analysis.microdomains import Event, detect, effective_diffusion, locality, rate, rows
from spatial.checks import InputError
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Mesh, Place
from spatial.mechanisms.buffer import capacity
from spatial.mechanisms.injection import Injection
from spatial.model import Model, Species
from spatial.output.movies import save_table
from spatial.simulate import simulate
from tests.toy_places import random_tetrahedra

BOX = grid("box", (0, 0, 0), (6, 2, 2), 0.1)
TIMES = np.arange(0.0, 4.0, 0.1)


def blob(place: Place, times: Floats, x: float | Floats, at: float, height: float = 1.0, size: float = 0.3,
         length: float = 0.4) -> Floats:
    """A Gaussian in space and time: sd `size` [um] around (x, 1, 1), sd `length` [s] around `at`."""
    centre = np.stack(np.broadcast_arrays(x, 1.0, 1.0, times)[:3], axis=-1)
    distance = ((place.centres - centre[:, None, :]) ** 2).sum(axis=2)
    return height * np.exp(-distance / (2 * size ** 2) - ((times - at) / length)[:, None] ** 2 / 2)


def half(sd: float) -> float:
    """From the middle of a Gaussian to where it is half as high."""
    return sd * np.sqrt(2 * np.log(2))


# What an event is


def test_a_blob_is_one_event_with_its_own_numbers():
    values = 0.1 + blob(BOX, TIMES, 2.95, at=2.0, height=2.0)
    event, = detect(BOX, TIMES, values, threshold=1.1, rest=0.1)
    assert event.peak == pytest.approx(2.1, rel=0.05)  # the centre falls between four bricks
    assert event.amplitude == event.peak - 0.1
    assert event.peak_time == 2.0
    assert (event.start, event.end) == pytest.approx((2.0 - half(0.4), 2.0 + half(0.4)), abs=0.05)
    assert event.duration == event.end - event.start
    assert event.radius == pytest.approx(half(0.3), rel=0.05)
    assert event.volume == pytest.approx(4 / 3 * np.pi * half(0.3) ** 3, rel=0.15)
    assert event.spread == pytest.approx(half(0.3), abs=0.1)
    assert event.position == pytest.approx((2.95, 1.0, 1.0), abs=0.051)
    assert not event.cut
    assert len(event.elements) * 0.1 ** 3 == pytest.approx(event.volume)


def test_blobs_apart_in_space_or_time_are_events_in_the_order_of_their_starts():
    values = blob(BOX, TIMES, 4.8, 1.0, 1.0, length=0.2) + blob(BOX, TIMES, 1.0, 1.5, 3.0, length=0.2) \
        + blob(BOX, TIMES, 1.0, 3.0, 2.0, length=0.2)
    found = detect(BOX, TIMES, values, 0.5)
    assert [round(one.position[0]) for one in found] == [5, 1, 1]
    assert [one.label for one in found] == [0, 1, 2]
    assert [one.peak for one in found] == pytest.approx([1.0, 3.0, 2.0], rel=0.05)
    assert rate(found, 4.0) == 0.75


def test_a_blob_that_moves_is_one_event_as_large_as_it_is_at_any_instant():
    still, moving = (detect(BOX, TIMES, blob(BOX, TIMES, x, 2.0, length=0.5), 0.5)
                     for x in (3.0, 3.0 + 1.5 * (TIMES - 2.0)))
    assert len(still) == len(moving) == 1
    assert moving[0].volume == pytest.approx(still[0].volume, rel=0.1)  # the path holds five times that
    assert moving[0].duration == pytest.approx(still[0].duration)
    assert still[0].spread < 0.5
    assert moving[0].spread == pytest.approx(0.9, abs=0.15)  # it went 1.5 um/s for 0.59 s, then reached no further


def test_blobs_that_meet_are_one_event_until_the_threshold_parts_them():
    values = blob(BOX, TIMES, 2.6, 2.0, 1.0) + blob(BOX, TIMES, 3.4, 2.0, 0.9)
    middle = values[:, BOX.nearest(np.array([[3.0, 1.0, 1.0]]))].max()
    below, above = detect(BOX, TIMES, values, 0.9 * middle), detect(BOX, TIMES, values, 1.1 * middle)
    assert len(below) == 1
    assert len(above) == 2


@pytest.mark.parametrize("density", [0.05, 0.15, 0.3])
def test_on_a_grid_events_are_the_components_that_scipy_finds_in_four_dimensions(density):
    place = grid("cube", (0, 0, 0), (6, 7, 8), 1.0)
    values = np.random.default_rng(1).random((12, len(place)))
    labels, count = label((values > 1 - density).reshape(12, 6, 7, 8), generate_binary_structure(4, 1))
    found = detect(place, np.arange(12.0), values, 1 - density)
    assert len(found) == count
    peaks = [values.reshape(12, 6, 7, 8)[labels == k + 1].max() for k in range(count)]
    assert sorted(one.peak for one in found) == sorted(peaks)


def test_on_tetrahedra_events_are_what_a_walk_through_the_links_reaches():
    place = random_tetrahedra(4)
    values = np.random.default_rng(2).random((9, len(place)))
    todo = {(int(k), int(i)) for k, i in np.argwhere(values > 0.85)}
    walks = []
    while todo:
        edge, walk = [todo.pop()], set()
        while edge:
            k, i = edge.pop()
            walk.add((k, i))
            beside = [int(j) for pair in place.links[(place.links == i).any(axis=1)] for j in pair]
            near = ({(k, j) for j in beside} | {(k - 1, i), (k + 1, i)}) & todo
            todo -= near
            edge += near
        walks.append(walk)
    found = detect(place, np.arange(9.0), values, 0.85)
    assert sorted(max(values[node] for node in walk) for walk in walks) == sorted(one.peak for one in found)
    largest = [max(place.measure[[i for k, i in walk if k == frame]].sum() for frame in range(9)) for walk in walks]
    assert sorted(largest) == pytest.approx(sorted(one.volume for one in found))


def test_thresholds_and_rests_may_differ_between_elements():
    place = grid("row", (0, 0, 0), (3, 1, 1), 1.0)
    values = np.array([[1.0, 5.0, 1.0], [1.5, 5.0, 1.5], [1.0, 5.0, 1.0]])
    rest = np.array([1.0, 5.0, 1.0])
    found = detect(place, np.arange(3.0), values, threshold=rest + 0.2, rest=rest)
    assert [one.amplitude for one in found] == [0.5, 0.5]


def test_small_ones_are_left_out_if_asked():
    values = np.zeros((40, len(BOX)))
    values[5, 7] = 9.0
    values += blob(BOX, TIMES, 3.0, 2.0)
    assert len(detect(BOX, TIMES, values, 0.5)) == 2
    kept, = detect(BOX, TIMES, values, 0.5, at_least=2)
    assert kept.label == 0
    assert kept.peak < 1.1


def test_nothing_above_threshold_is_no_event_and_no_number_is_above_none():
    assert detect(BOX, TIMES, np.zeros((40, len(BOX))), 0.5) == []
    values = blob(BOX, TIMES, 3.0, 2.0)
    values[:, :5] = np.nan
    assert len(detect(BOX, TIMES, values, 0.5)) == 1


ONE = Place("one", 3, np.ones(1), np.zeros((1, 3)))
ARISES = np.arange(3.0), np.array([[0.0], [1.0], [0.0]])


def series(values: list[float], times: list[float]) -> list[Event]:
    """Events of one element."""
    return detect(ONE, np.array(times), np.array(values)[:, None], 0.5)


def test_a_frame_stands_for_the_time_halfway_to_its_neighbours():
    event, = series([0, 0, 1, 1, 0], [0.0, 1.0, 2.0, 4.0, 5.0])
    assert (event.start, event.end) == (1.5, 4.5)


def test_a_gap_of_one_frame_makes_two_events():
    assert len(series([0, 1, 0, 1, 0], [0, 1, 2, 3, 4])) == 2


@pytest.mark.parametrize(("values", "cut"), [([1, 0, 0], True), ([0, 0, 1], True), ([0, 1, 0], False)], ids=str)
def test_events_at_the_ends_of_the_record_are_marked(values, cut):
    event, = series(values, [0.0, 1.0, 2.0])
    assert event.cut is cut


def test_a_straight_rise_takes_eight_tenths_of_its_length():
    times = np.linspace(0, 1, 101)
    event, = series(list(np.interp(times, [0.2, 0.7, 0.8, 0.9], [0, 2, 2, 0])), list(times))
    assert event.rise_time == pytest.approx(0.4, rel=1e-9)


def test_a_dip_on_the_way_up_counts_from_the_last_time_it_was_low():
    event, = series([0, 0.05, 0.8, 0.05, 0.3, 0.65, 1.0, 0.0], list(range(8)))[1:]
    assert event.rise_time == pytest.approx((5 + 0.25 / 0.35) - (3 + 0.05 / 0.25))


def test_a_rise_that_was_not_seen_is_no_number():
    event, = series([1, 0.9, 0], [0.0, 1.0, 2.0])
    assert np.isnan([event.rise_time, event.rise_below]).all()
    assert event.rise_unknown == "its start was not seen"


@pytest.mark.parametrize("interval", [1.0, 2e-3])
@pytest.mark.parametrize(("lasting", "told"), [(0.3, False), (1.5, False), (3.5, True), (10.0, True)])
def test_a_rise_of_less_than_two_frames_is_no_measurement(interval, lasting, told):
    """Frames at whole numbers, and a straight rise that begins at some time between two and takes `lasting` frames."""
    for start in (5.0, 5.3, 5.9):
        frames = np.arange(30.0)
        end = np.ceil(start + lasting)  # a frame at the top
        values = np.interp(frames, [start, start + lasting, end, end + 1], [0, 1, 1, 0])
        event, = series(list(values), list(interval * frames))
        local = locality(event, ONE, interval * frames, values[:, None], 1.0)
        if told:
            assert event.rise_time == pytest.approx(0.8 * lasting * interval, rel=0.15)
            assert event.rise_unknown == ""
            assert local.faster_than_diffusion is (event.rise_time < local.tau_diff)
            continue
        assert np.isnan([event.rise_time, local.rise_time, local.rise_over_diffusion]).all()
        assert event.rise_below == pytest.approx(2 * interval)
        assert event.rise_unknown == f"it took less than 2 frames, {2 * interval:g} s"
        assert local.faster_than_diffusion is None


def test_frames_far_apart_elsewhere_do_not_hide_a_rise_that_was_seen():
    times = [0.0, 10.0, 20.0, 20.2, 20.4, 20.6, 20.8, 21.0, 31.0]
    event, = series([0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1.0, 0], times)
    assert event.rise_time == pytest.approx(0.8)
    event, = series([0, 0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0], times)
    assert np.isnan(event.rise_time)
    assert event.rise_below == 20.0


def test_an_event_on_pixels_has_the_radius_of_a_disc():
    place = Place("image", 2, np.full(4, 0.25), np.zeros((4, 3)))
    event = detect(place, np.arange(3.0), np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0.0]]), 0.5)[0]
    assert event.radius == pytest.approx(np.sqrt(0.25 / np.pi))


def test_the_table_has_a_row_per_event_and_goes_to_csv(tmp_path):
    found = detect(BOX, TIMES, blob(BOX, TIMES, 3.0, 2.0), 0.5)
    row, = rows(found, unit="dF/F", measure="um^2")
    assert row["peak [dF/F]"] == found[0].peak
    assert row["extent [um^2]"] == found[0].volume
    assert row["x [um]"] == found[0].position[0]
    assert row["duration [s]"] == found[0].duration
    assert row["no rise time because"] == found[0].rise_unknown
    save_table(tmp_path / "events.csv", [row])
    assert (tmp_path / "events.csv").read_text().startswith("event,start [s],end [s],duration [s],peak [dF/F],")


# How local an event is


@pytest.mark.parametrize(("total", "K", "mobile", "expected"), [(450, 10, 0, 4.88), (70, 10, 0, 27.98),
                                                               (100, 0.2, 50, 50.8)])
def test_A1_effective_diffusion_among_buffers(total, K, mobile, expected):
    kappa = capacity(0.1, total, K)
    assert effective_diffusion(220, [(mobile, kappa)]) == pytest.approx(expected, rel=2e-3)


def test_buffers_that_are_not_there_change_nothing():
    assert effective_diffusion(220) == 220
    assert effective_diffusion(220, [(10, 3), (0, 1)]) == pytest.approx((220 + 30) / 5)


D, RADIUS = 10.0, 0.35


def released(lasting: float, amount: float = 1.0, parts: int = 5) -> tuple[Place, Floats, Floats]:
    """`amount` [uM um^3] let out of a ball in the middle of a box, ever faster, over `lasting` [s] from 0.02 s."""
    place = grid("cytosol", (-1.5, -1.5, -1.5), (1.5, 1.5, 1.5), 0.12)
    ball = place.centres[np.linalg.norm(place.centres, axis=1) < RADIUS]
    mesh = Mesh.of(place).with_points("ball", ball, ["cytosol"])
    calcium = Species("calcium", place, 0.1, D, scale=1.0)
    shares = lasting / parts * np.arange(parts, 0, -1)
    flux = amount / len(ball) / shares.sum()
    mechanisms = [Injection(mesh["ball"], calcium, flux, 0.02 + lasting - share, 0.02 + lasting) for share in shares]
    times = 0.02 + lasting * np.concatenate([[-0.01, 0.0], np.arange(1, 31) / 20])
    kept = Kept(calcium)
    simulate(Model([calcium], mechanisms), float(times[-1]), frames=kept, frame_times=times)
    return place, times, np.array(kept.values)


class Kept:
    """Keeps a species at every frame."""

    def __init__(self, species: Species) -> None:
        self.species = species
        self.values: list[Floats] = []

    def write(self, t: float, c) -> None:
        self.values.append(c[self.species].copy())


@pytest.fixture(scope="module", params=[1e-3, 0.3], ids=["burst", "ramp"])
def source(request):
    """How long it lasts, and how local it is: a third of the peak parts region from rest."""
    place, times, values = released(request.param)
    event, = detect(place, times, values, 0.1 + (values.max() - 0.1) / 3, rest=0.1)
    return request.param, event, locality(event, place, times, values, D, rest=0.1)


def test_a_burst_is_faster_than_diffusion_and_a_slow_ramp_is_not(source):
    lasting, event, found = source
    assert found.tau_diff == event.radius ** 2 / D
    assert 0.5 * lasting < found.rise_time < 0.9 * lasting
    assert found.rise_over_diffusion == found.rise_time / found.tau_diff
    assert found.faster_than_diffusion is (lasting == 1e-3)
    assert found.rise_over_diffusion < 0.1 or found.rise_over_diffusion > 4


def test_a_burst_fills_its_own_ball_and_a_slow_ramp_spreads(source):
    lasting, event, found = source
    if lasting == 1e-3:
        assert event.radius == pytest.approx(RADIUS, rel=0.05)
        assert found.tau_diff == pytest.approx(0.01225, rel=0.1)  # RADIUS^2 / D
    else:
        assert event.radius > 1.5 * RADIUS


def test_a_burst_is_decoupled_from_the_bulk_and_a_slow_ramp_is_not(source):
    lasting, _, found = source
    assert found.decoupled is (lasting == 1e-3)
    assert found.contrast > 50 or found.contrast < 10


def known(region: float, rest: float) -> tuple[Place, Floats, Floats, Event]:
    """Two elements of 1 and 3 um^3 that rise by `region` and `rest` from 1."""
    place = Place("two", 3, np.array([1.0, 3.0]), np.eye(2, 3))
    times, values = np.arange(3.0), 1 + np.array([[0.0, 0.0], [region, rest], [0.0, 0.0]])
    return place, times, values, detect(place, times, values, 1.0 + region / 2, rest=1.0)[0]


def test_contrast_is_the_ratio_of_rises():
    place, times, values, event = known(6.0, 0.5)
    found = locality(event, place, times, values, 2.0, rest=1.0, least_contrast=12.0)
    assert found.contrast == pytest.approx(12.0)
    assert found.decoupled
    assert not locality(event, place, times, values, 2.0, rest=1.0, least_contrast=12.1).decoupled
    assert found.tau_diff == pytest.approx((3 / (4 * np.pi)) ** (2 / 3) / 2.0)


def test_a_rest_that_has_not_risen_is_infinitely_decoupled():
    place, times, values, event = known(6.0, 0.0)
    assert locality(event, place, times, values, 2.0, rest=1.0).contrast == np.inf


def test_an_event_that_fills_the_place_is_not_decoupled():
    found = locality(detect(ONE, ARISES[0], ARISES[1], 0.5)[0], ONE, *ARISES, 1.0)
    assert found.contrast == 1.0
    assert not found.decoupled


# What is refused


@pytest.mark.parametrize(("call", "message"), [
    (lambda: detect(BOX, TIMES, np.zeros((3, 4)), 0.5), r"values have shape \(3, 4\); for 40 times in 'box'"),
    (lambda: detect(BOX, TIMES[:1], np.zeros((1, len(BOX))), 0.5), "must be two or more, and grow"),
    (lambda: detect(BOX, -TIMES, np.zeros((40, len(BOX))), 0.5), "must be two or more, and grow"),
    (lambda: rate([], 0.0), "duration of watching is 0"),
    (lambda: effective_diffusion(-1.0), "D of Ca2\\+ and its buffers is -1"),
    (lambda: locality(known(6.0, 0.0)[3], *known(6.0, 0.0)[:3], 0.0), "effective D is 0"),
])
def test_what_cannot_be_is_refused_in_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
