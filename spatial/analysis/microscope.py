"""What a microscope would record of an indicator: blurred, on pixels, with photon and read noise.

Blur is a Gaussian for each element, wider the farther it is out of focus, and integrated exactly over each
pixel. Light is neither absorbed nor scattered, and no indicator bleaches.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from spatial import checks
from spatial.checks import InputError, arguments, by_annotation, shaped
from spatial.geometry.grid import grid
from spatial.geometry.place import Floats, Place
from spatial.mechanisms.indicator import Indicator
from spatial.model import Concentrations, Species
from spatial.units import MOLECULES, ms, nm, um

Counts = NDArray[np.uint16]
_FULL = np.iinfo(np.uint16).max  # a saturated pixel


@dataclass(frozen=True)
class PointSpread:
    """Where the light of a point lands: a Gaussian of one standard deviation [um] in focus, wider out of it."""

    lateral: float  # um, in focus
    cone: float = 0.0  # um wider per um out of focus, far from it; 0: light from elsewhere is not blurred further
    section: float | None = None  # um, standard deviation of the depth that is seen; None: light of all depths

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("lateral",))
        if self.section is not None:
            checks.positive("PointSpread: section", self.section)

    @arguments(not_negative=("size",))
    def width(self, depth: Floats, size: Floats) -> Floats:
        """Standard deviation [um] of the light of elements at `depth` and of standard deviation `size` [um]."""
        shaped("PointSpread.width: size", size, np.shape(depth), "one for each depth")
        return np.sqrt(self.lateral ** 2 + size ** 2 + self.cone ** 2 * (depth ** 2 + size ** 2))

    @arguments(not_negative=("size",))
    def collected(self, depth: Floats, size: Floats) -> Floats:
        """Part of the light that is seen at all, 1 in focus: averaged over each element's depth."""
        shaped("PointSpread.collected: size", size, np.shape(depth), "one for each depth")
        if self.section is None:
            return np.ones_like(depth)
        both = self.section ** 2 + size ** 2
        return self.section / np.sqrt(both) * np.exp(-depth ** 2 / (2 * both))


@by_annotation
def widefield(aperture: float, wavelength: float = 520 * nm, index: float = 1.33) -> PointSpread:
    """All light is seen: sd sqrt2/(k NA) in focus, k = 2 pi/wavelength (Zhang, Zerubia & Olivo-Marin 2007, Table 2).

    Out of focus the cone of light, of radius z NA/sqrt(n^2 - NA^2), is a disc whose sd, half its radius, is added
    in squares. The radius of half the light is then within 30 % of that of scalar diffraction at any depth.
    Emission `wavelength` [um] in vacuum, refractive `index` of the immersion.
    """
    _check_aperture(aperture, wavelength, index)
    return PointSpread(np.sqrt(2) * wavelength / (2 * np.pi * aperture),
                       aperture / np.sqrt(index ** 2 - aperture ** 2) / 2)


@by_annotation
def confocal(aperture: float, excitation: float = 488 * nm, emission: float = 520 * nm,
             index: float = 1.33) -> PointSpread:
    """A pinhole so small that light passes the same optics twice: two Gaussians multiplied.

    For each wavelength [um]: sd sqrt2/(k NA) across, 2 sqrt6 n/(k NA^2) in depth (Zhang 2007, Tables 2 and 3).
    """
    _check_aperture(aperture, min(excitation, emission), index)
    both = 1 / np.hypot(1 / excitation, 1 / emission) / (2 * np.pi)
    return PointSpread(np.sqrt(2) * both / aperture, section=2 * np.sqrt(6) * index * both / aperture ** 2)


@by_annotation
def two_photon(aperture: float, excitation: float = 920 * nm, index: float = 1.33) -> PointSpread:
    """Excitation by two photons, all emission seen (Zipfel, Williams & Webb 2003: fits to squared intensity)."""
    _check_aperture(aperture, excitation, index)
    across = 0.320 / aperture if aperture <= 0.7 else 0.325 / aperture ** 0.91
    along = 0.532 / (index - np.sqrt(index ** 2 - aperture ** 2))
    return PointSpread(across * excitation / 2, section=along * excitation / 2)  # their 1/e radius is sqrt2 sd


@dataclass(frozen=True)
class Microscope:
    """Optics, a field of pixels around what is in focus, and a camera that counts photons.

    `brightness` is photons detected from one bound molecule in focus, over all pixels, after objective and camera.
    """

    optics: PointSpread
    focus: tuple[float, float, float]  # um, in focus and in the middle of the field
    pixels: tuple[int, int] = (64, 64)  # rows, columns
    pixel: float = 0.1 * um  # side of a pixel in the specimen
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)  # towards the viewer; columns run along x, rows along y
    brightness: float = 500.0  # 1/s per bound molecule; a guess: it depends on the laser
    background: float = 100.0  # 1/s per pixel: stray light, dark current; a guess
    exposure: float = 50 * ms
    read_noise: float = 1.6  # photons, standard deviation; typical of scientific CMOS, M
    offset: float = 100.0  # counts of a dark pixel, so that read noise is not cut at zero

    def __post_init__(self) -> None:
        checks.parameters(self, above_zero=("pixel", "exposure"))
        if len(self.pixels) != 2 or min(self.pixels) < 1:
            raise InputError(f"Microscope: pixels is {self.pixels}; it must be rows and columns, whole numbers >= 1")
        checks.number("Microscope: focus", self.focus, may_be_negative=True)
        checks.number("Microscope: axis", self.axis, may_be_negative=True)
        if not np.linalg.norm(self.axis) > 0:
            raise InputError("Microscope: axis is zero; it must be a direction such as (0, 0, 1)")

    @property
    def ground(self) -> float:
        """Counts expected of a pixel that sees no indicator."""
        return self.offset + self.background * self.exposure

    def frame(self) -> Floats:
        """(3, 3) unit vectors along columns, along rows, and towards the viewer."""
        toward = np.asarray(self.axis, float) / np.linalg.norm(self.axis)
        up = np.array([0.0, 1.0, 0.0]) if abs(toward[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
        right = np.cross(up, toward)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(toward, right), toward])

    @by_annotation
    def view(self, place: Place) -> "View":
        """How this microscope sees the elements of a volume: built once, used for every frame."""
        if place.dimension != 3:
            raise InputError(f"the microscope sees volumes; {place.name!r} has dimension {place.dimension}")
        x, y, depth = self.frame() @ (place.centres - self.focus).T
        size = np.cbrt(place.measure) / np.sqrt(12)  # standard deviation of a cube along each axis
        width = self.optics.width(depth, size)
        rows, columns = (_landed(across, width, count, self.pixel)
                         for across, count in zip((y, x), self.pixels, strict=True))
        molecules = MOLECULES * place.measure * self.optics.collected(depth, size)
        return View(self, (rows * molecules).copy(), columns.T.copy())


@dataclass(frozen=True, eq=False)
class View:
    """A place seen through a microscope: the blur along rows and along columns, whose product is the image.

    A Gaussian is a product, so that the (pixels, elements) matrix need not be stored: rows + columns numbers for
    each element do, and nothing is cut off.
    """

    microscope: Microscope
    rows: Floats  # (ny, n) molecules per uM whose light lands in each row
    columns: Floats  # (n, nx) part of it that lands in each column

    def __post_init__(self) -> None:
        checks.kinds(self)

    def rates(self, shining: Floats) -> Floats:
        """(ny, nx) photons per pixel and s expected of (n,) shining indicator [uM], and of the background."""
        light = (self.rows * shining) @ self.columns
        return self.microscope.brightness * light + self.microscope.background


class Camera:
    """Films a run: `simulate(..., frames=camera, frame_times=camera.instants)`, then `camera.movie(rng)`.

    Frames begin every `interval` [s] (default: the exposure) from t = 0 while a whole exposure fits before
    `until`; each is the mean of `samples` instants, evenly spread over the exposure. One camera films one run.
    """

    def __init__(self, microscope: Microscope, indicator: Indicator, free: Species, bound: Species,
                 until: float, interval: float | None = None, samples: int = 3) -> None:
        interval = microscope.exposure if interval is None else interval
        if not interval >= microscope.exposure:
            raise InputError(f"Camera: interval is {interval:g} s; it must be at least the exposure, "
                             f"{microscope.exposure:g} s")
        if samples < 1:
            raise InputError(f"Camera: samples is {samples}; it must be a whole number >= 1")
        if free.place is not bound.place:
            raise InputError(f"Camera: {free!r} and {bound!r} must live in the same place")
        count = int(np.floor((until - microscope.exposure) / interval + 1e-9)) + 1
        if count < 1:
            raise InputError(f"Camera: until is {until:g} s; it must hold one exposure of {microscope.exposure:g} s")
        self.microscope, self.indicator, self.free, self.bound = microscope, indicator, free, bound
        self.samples = samples
        self.starts: Floats = interval * np.arange(count, dtype=float)
        self.view = microscope.view(bound.place)
        self._light = np.zeros((count, *microscope.pixels))
        self._seen = np.zeros(count, int)

    @property
    def instants(self) -> Floats:
        """(frames * samples,) times [s] at which it looks: the middles of equal parts of each exposure."""
        parts = self.microscope.exposure * (np.arange(self.samples) + 0.5) / self.samples
        return (self.starts[:, None] + parts).ravel()

    def write(self, t: float, c: Concentrations) -> None:
        """Add the light at time `t` [s] to the frame that is being exposed; between exposures do nothing."""
        frame = int(np.searchsorted(self.starts, t, side="right")) - 1
        if frame < 0 or t > self.starts[frame] + self.microscope.exposure:
            return
        shining = self.indicator.shining(c[self.free], c[self.bound])
        self._light[frame] += self.view.rates(shining)
        self._seen[frame] += 1

    def expected(self) -> Floats:
        """(frames, ny, nx) photons expected in each exposure; raises `InputError` if not all have been seen."""
        if (self._seen < self.samples).any():
            raise InputError(f"the camera was shown {self._seen.sum()} of {self.instants.size} instants; "
                             "give simulate its instants as frame_times, and a run that is long enough")
        return self._light * (self.microscope.exposure / self._seen)[:, None, None]

    @by_annotation
    def movie(self, rng: np.random.Generator) -> "Movie":
        """What the camera read, with photon and read noise."""
        return record(self.microscope, self.starts + self.microscope.exposure / 2, self.expected(), rng)


@dataclass(frozen=True, eq=False)
class Movie:
    """Counts of a camera. Row 0 is the lowest, as y grows; column 0 the leftmost."""

    frames: Counts  # (t, y, x)
    times: Floats  # (t,) s, middles of the exposures
    pixel: float  # um
    ground: float  # counts of a pixel that sees no indicator

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def signal(self) -> Floats:
        """(t, y, x) counts that are due to the indicator, and noise around them."""
        return self.frames.astype(float) - self.ground

    def place(self) -> Place:
        """The pixels as a place of squares [um^2] joined to their neighbours, in the order of `elements`."""
        _, ny, nx = self.frames.shape
        bricks = grid("image", (0, 0, 0), (nx * self.pixel, ny * self.pixel, self.pixel), self.pixel)
        return replace(bricks, dimension=2, measure=np.full(len(bricks), self.pixel ** 2),
                       centres=bricks.centres * [1, 1, 0])

    @staticmethod
    @arguments(may_be_nan=("images",))
    def elements(images: Floats) -> Floats:
        """(t, y, x) values, such as dF/F, as (t, n) over the elements of `place`."""
        shaped("Movie.elements: images", images, ("t", "y", "x"))
        return np.asarray(images, float).transpose(0, 2, 1).reshape(len(images), -1)


@by_annotation
def record(microscope: Microscope, times: Floats, expected: Floats, rng: np.random.Generator) -> Movie:
    """The counts read where (t, y, x) photons are `expected`: Poisson, plus normal read noise and the offset.

    One count a photon, rounded, and cut to 0..65535.
    """
    shaped("record: times", times, ("t",))
    expected = np.asarray(expected, float)
    checks.number("photons expected", expected)
    if expected.ndim != 3 or len(times) != len(expected):
        raise InputError(f"photons expected have shape {expected.shape}; they must be (t, y, x) for {len(times)} times")
    counts = rng.poisson(expected) + rng.normal(microscope.offset, microscope.read_noise, expected.shape)
    return Movie(np.clip(np.rint(counts), 0, _FULL).astype(np.uint16), np.asarray(times, float),
                 microscope.pixel, microscope.ground)


Baseline = tuple[float, float] | float
"""What F0 is: the mean over a window (from, to) [s], or a percentile over time (biased low by noise)."""


@arguments(not_negative=("dimmest",))
def delta_f_over_f(movie: Movie, baseline: Baseline, dimmest: float = 0.1) -> Floats:
    """(t, y, x) dF/F of each pixel; nan where F0 is under `dimmest` of the brightest pixel's: that is noise."""
    signal = movie.signal
    resting = _baseline(movie.times, signal, baseline)
    brightest = float(resting.max())
    if not brightest > 0:
        raise InputError(f"the brightest pixel's F0 is {brightest:.3g} counts; the movie shows no indicator at rest")
    resting = np.where(resting >= dimmest * brightest, resting, np.nan)
    return (signal - resting) / resting


@dataclass(frozen=True, eq=False)
class Trace:
    """dF/F of a region of interest, and how noisy it is."""

    times: Floats  # (t,) s
    values: Floats  # (t,)
    noise: float
    """Standard deviation of one frame's noise, from differences of successive frames (their median absolute
    deviation, which a slow signal and rare steps do not enter); needs three frames, else nan."""

    def __post_init__(self) -> None:
        checks.kinds(self)

    @property
    def snr(self) -> float:
        """The largest dF/F over the noise."""
        return float(self.values.max() / self.noise) if self.noise > 0 else float("inf")


@by_annotation
def trace(movie: Movie, region: NDArray[np.bool_], baseline: Baseline) -> Trace:
    """dF/F of all light of a (y, x) region together; raises `InputError` if nothing shines there."""
    region = np.asarray(region, bool)
    if region.shape != movie.frames.shape[1:] or not region.any():
        raise InputError(f"the region has shape {region.shape} and {region.sum()} pixels; it must hold some "
                         f"of the movie's {movie.frames.shape[1:]}")
    light = movie.signal[:, region].sum(axis=1)
    resting = float(_baseline(movie.times, light, baseline))
    if not resting > 0:
        raise InputError(f"the region's F0 is {resting:.3g} counts; choose one in which the indicator shines at rest")
    values = light / resting - 1
    return Trace(movie.times, values, _noise(values))


def _baseline(times: Floats, signal: Floats, baseline: Baseline) -> Any:
    """F0 of a signal whose first axis is time."""
    if not isinstance(baseline, tuple):
        if not 0 <= baseline <= 100:
            raise InputError(f"the baseline's percentile is {baseline:g}; it must be between 0 and 100")
        return np.percentile(signal, baseline, axis=0)
    inside = (times >= baseline[0]) & (times <= baseline[1])
    if not inside.any():
        raise InputError(f"no frame lies in the baseline from {baseline[0]:g} to {baseline[1]:g} s; "
                         f"the movie runs from {times[0]:g} to {times[-1]:g} s")
    return signal[inside].mean(axis=0)


def _noise(values: Floats) -> float:
    """Standard deviation of white noise in a series, robust against what is slow or rare."""
    steps = np.diff(values)
    if len(steps) < 2:
        return float("nan")
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def _landed(across: Floats, width: Floats, count: int, pixel: float) -> Floats:
    """(count, n) part of n Gaussians at `across` [um] that each pixel of a centred row of pixels holds."""
    edges = (np.arange(count + 1) - count / 2) * pixel
    return np.diff(ndtr((edges[:, None] - across) / width), axis=0)


def _check_aperture(aperture: float, wavelength: float, index: float) -> None:
    """Raise `InputError` for optics that cannot be."""
    checks.positive("numerical aperture", aperture)
    checks.positive("wavelength", wavelength)
    if not aperture < index:
        raise InputError(f"numerical aperture is {aperture:g}; it must be below the refractive index, {index:g}")
