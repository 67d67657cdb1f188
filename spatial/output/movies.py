"""Movies as files: TIFF that ImageJ reads with its scales, NumPy arrays, animations; and tables as CSV.

Every file appears under its name complete or not at all.
"""

import csv
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial.checks import InputError, positive
from spatial.geometry.place import Floats
from spatial.output.figures import figure_of, pretty, style
from spatial.output.scenes import CALCIUM_MAP, NIGHT, PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.text import Text
    from PIL.Image import Image

_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 270, 282, 283, 296  # TIFF 6.0 tags
_NO_UNIT = 1  # the resolution is in the unit of ImageJ's description, not in inches
_DARK = {"figure.facecolor": NIGHT, "savefig.facecolor": NIGHT, "text.color": PAPER, "font.size": 12,
         "axes.labelcolor": PAPER, "axes.edgecolor": PAPER, "ytick.color": PAPER}
_PICTURE, _BAR = (0.02, 0.04, 0.76, 0.92), (0.81, 0.36, 0.03, 0.6)  # left, bottom, width, height
_HEIGHT = 4.0  # inches
_LONGEST = 0.16  # part of the width that the bar of length may take
_DOTS = 100  # per inch


def save_tiff(path: str | Path, frames: NDArray[Any], pixel: float, interval: float) -> None:
    """Write (t, y, x) frames as pages of a TIFF: counts as uint16, dF/F and other fractions as float32.

    `pixel` [um] and `interval` [s] are kept where ImageJ looks for them. Row 0 is the first of the file, at
    the top in most viewers.
    """
    from PIL import Image
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    frames = _checked(frames)
    positive("pixel", pixel)
    positive("interval of the frames", interval)
    tags = ImageFileDirectory_v2()
    tags[_DESCRIPTION] = (f"ImageJ=1.54f\nimages={len(frames)}\nframes={len(frames)}\nunit=um\n"
                          f"finterval={interval!r}\nloop=false\n")
    tags[_X_RESOLUTION] = tags[_Y_RESOLUTION] = 1 / pixel
    tags[_RESOLUTION_UNIT] = _NO_UNIT
    pages = [Image.fromarray(frame) for frame in frames]
    with _complete(path) as partial:
        pages[0].save(partial, "TIFF", save_all=True, append_images=pages[1:], tiffinfo=tags)


def read_tiff(path: str | Path) -> tuple[NDArray[Any], float, float]:
    """The (t, y, x) frames, the pixel [um] and the interval [s] that `save_tiff` wrote."""
    from PIL import Image, ImageSequence

    with Image.open(path) as pages:
        tags: Any = pages.tag_v2  # type: ignore[attr-defined]
        said = dict(line.split("=") for line in str(tags.get(_DESCRIPTION, "")).split())
        if "finterval" not in said or _X_RESOLUTION not in tags:
            raise InputError(f"{path} is no movie of ours: it does not say the size of a pixel and the interval")
        pixel = 1 / float(tags[_X_RESOLUTION])
        return np.stack([np.asarray(page) for page in ImageSequence.Iterator(pages)]), pixel, float(said["finterval"])


def save_npy(path: str | Path, array: ArrayLike) -> None:
    """Write an array so that `numpy.load` reads it, under exactly this name."""
    with _complete(path) as partial, partial.open("wb") as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def save_table(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys as CSV, the keys first; without rows the file is empty."""
    with _complete(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def save_animation(path: str | Path, frames: ArrayLike, times: Sequence[float] | Floats, pixel: float, label: str,
                   limits: tuple[float, float] | None = None, per_second: float = 10.0) -> None:
    """Draw (t, y, x) frames as an animated GIF or PNG, by the name's ending, with time, scale and colour bar.

    `times` (t,) s, `pixel` um, `label` the title of the colour bar with its unit, `limits` its ends (default: the
    1st and 99.9th percentile), `per_second` the frames shown per second. Row 0 is at the bottom; nan is dark.
    """
    images = np.asarray(frames, float)
    suffix = Path(path).suffix.lower()
    if suffix not in {".gif", ".png"}:
        raise InputError(f"animation {path}: its name must end in .gif or .png")
    if images.ndim != 3 or not images.size or len(times) != len(images):
        raise InputError(f"animation: frames have shape {images.shape}; they must be (t, y, x) for {len(times)} times")
    positive("pixel", pixel)
    positive("frames per second", per_second)
    pages = _drawn(images, np.asarray(times, float), pixel, label, limits or _limits(images))
    if suffix == ".gif":
        pages = _with_one_palette(pages)
    with _complete(path) as partial:
        pages[0].save(partial, suffix[1:].upper(), save_all=True, append_images=pages[1:],
                      duration=round(1000 / per_second), loop=0)


def _limits(images: Floats) -> tuple[float, float]:
    """The values between which nearly all lie; a little apart where all are equal."""
    known = images[np.isfinite(images)]
    low, high = np.percentile(known, [1, 99.9]) if len(known) else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def _drawn(images: Floats, times: Floats, pixel: float, label: str, limits: tuple[float, float]) -> "list[Image]":
    """Each frame as a picture: one figure, of which only values and time change."""
    from PIL import Image

    ny, nx = images.shape[1:]
    wide = float(np.clip(_HEIGHT * _PICTURE[3] * nx / ny, 2.5, 12.0))
    with style(_DARK):
        figure = figure_of(wide / _PICTURE[2], _HEIGHT)
        figure.set_dpi(_DOTS)
        canvas: Any = figure.canvas
        picture, stamp = _scene(figure, (ny * pixel, nx * pixel), images[0], label, limits)
        decimals = _decimals(float(np.diff(times).min())) if len(times) > 1 else 3
        pages = []
        for image, time in zip(images, times, strict=True):
            picture.set_data(image)
            stamp.set_text(f"{time:.{decimals}f} s")
            canvas.draw()
            pages.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    return pages


def _scene(figure: "Figure", size: tuple[float, float], image: Floats, label: str,
           limits: tuple[float, float]) -> "tuple[AxesImage, Text]":
    """The picture of `size` (y, x) um with colour bar and a bar of length; what changes is returned."""
    from matplotlib.lines import Line2D

    tall, wide = size
    axes = figure.add_axes(_PICTURE)
    axes.set_axis_off()
    picture = axes.imshow(image, CALCIUM_MAP, vmin=limits[0], vmax=limits[1], origin="lower", interpolation="nearest",
                          extent=(0, wide, 0, tall))
    bar = figure.colorbar(picture, cax=figure.add_axes(_BAR))
    bar.outline.set_visible(False)
    bar.set_label(pretty(label))
    left, scale = _BAR[0], axes.get_position().width / wide
    longest = _LONGEST / scale
    power = 10.0 ** np.floor(np.log10(longest))
    length = float(power * max(k for k in (1, 2, 5) if k * power <= longest))
    figure.add_artist(Line2D((left, left + length * scale), (0.17, 0.17), color=PAPER, lw=4, solid_capstyle="butt"))
    figure.text(left, 0.195, f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm", va="bottom")
    return picture, figure.text(left, 0.05, "", fontsize=15)


def _decimals(interval: float) -> int:
    """Decimals that tell frames this far apart [s], and the middles of their exposures."""
    return int(np.clip(np.ceil(-np.log10(interval) - 1e-6) + 1, 0, 6))


def _with_one_palette(pages: "list[Image]") -> "list[Image]":
    """The pictures in the same 256 colours, the map's and those of the writing, so that none flickers."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb
    from PIL import Image

    ground, paper = np.array(to_rgb(NIGHT)), np.array(to_rgb(PAPER))
    writing = ground + np.linspace(0, 1, 32)[:, None] * (paper - ground)
    colours = np.concatenate([colormaps[CALCIUM_MAP](np.linspace(0, 1, 224))[:, :3], writing])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(255 * colours).astype(np.uint8).tobytes())
    return [page.quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]


def _checked(frames: NDArray[Any]) -> NDArray[Any]:
    """The frames as uint16 or float32; raises `InputError` for any other kind or shape."""
    if frames.ndim != 3 or not frames.size:
        raise InputError(f"a movie of shape {frames.shape} cannot be saved; it must be (t, y, x), none of them 0")
    if frames.dtype == np.uint16:
        return frames
    if np.issubdtype(frames.dtype, np.floating):
        return frames.astype(np.float32)
    raise InputError(f"a movie of {frames.dtype} cannot be saved as TIFF; give counts as uint16, or fractions as float")


@contextmanager
def _complete(path: str | Path) -> Iterator[Path]:
    """A name to write to beside `path`, which it replaces once the block has succeeded."""
    final = Path(path)
    partial = final.with_name(f".{final.name}.partial-{secrets.token_hex(4)}")
    try:
        yield partial
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)
