"""Pictures come after the numbers, and cost nobody a number: one that cannot be drawn is told of."""

import contextlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spatial.checks import InputError
from spatial.geometry.place import Place
from spatial.output.recording_file import write_summary
from spatial.output.scenes import skin_of

SUMMARY = "summary.json"
NOT_DRAWN = "pictures not drawn"
"""Under this name a summary has the reason for each picture that is missing, by its file's name."""


class NotDrawn(UserWarning):
    """A picture could not be drawn; the numbers of the run are all there."""


def draw_all(folder: Path, pictures: Mapping[str, Callable[[Path], object]]) -> dict[str, str]:
    """Draw each picture into a folder in which the numbers of a run lie already; those that fail, with the reason.

    Each of `pictures`, by the name of its file, is a function of the path to write. One that raises an error leaves
    no file, warns with `NotDrawn`, and is named in the summary of the folder; the others are drawn. Ctrl-C leaves out
    what is left to draw.
    """
    missing, is_interrupted = dict[str, str](), False
    for name, draw in pictures.items():
        try:
            if is_interrupted:
                raise KeyboardInterrupt
            draw(folder / name)
        except KeyboardInterrupt:
            is_interrupted = True
            missing[name] = "interrupted"
        except Exception as error:  # whatever it is, the numbers stay
            missing[name] = _reason(error)
        if name in missing:
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)
    if missing:
        _tell(folder, missing)
    return missing


def not_drawn(folder: str | Path) -> dict[str, str]:
    """The pictures that are missing in a folder of results by its summary, each with the reason."""
    try:
        content = json.loads((Path(folder) / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(content.get(NOT_DRAWN, {}))


def warn_of_undrawable(*places: Place) -> None:
    """Warn with `NotDrawn`, before a run, of places whose surface cannot be drawn."""
    for place in places:
        try:
            skin_of(place)
        except InputError as error:
            warnings.warn(f"pictures that show {place.name!r} will be missing: {error}", NotDrawn, stacklevel=2)


def _tell(folder: Path, missing: dict[str, str]) -> None:
    """Name what is missing in the summary, if there is one, and in a warning, which stops nothing even as an error."""
    summary = folder / SUMMARY
    with contextlib.suppress(OSError, ValueError):
        content: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
        write_summary(content | {NOT_DRAWN: content.get(NOT_DRAWN, {}) | missing}, summary)
    for name, reason in missing.items():
        with contextlib.suppress(NotDrawn):
            warnings.warn(f"{name} is not drawn, the numbers are there: {reason}", NotDrawn, stacklevel=3)


def _reason(error: Exception) -> str:
    """What went wrong, in one line."""
    said = " ".join(str(error).split())
    return said if isinstance(error, InputError) else f"{type(error).__name__}: {said}".rstrip(": ")
