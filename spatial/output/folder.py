"""A folder of results appears under its final name complete, or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatial.checks import InputError

SUMMARY = "summary.json"
_RESULTS = {".csv", ".gif", ".h5", ".json", ".npy", ".png", ".tif", ".vtkhdf"}  # suffixes of what a run leaves


@contextmanager
def results_folder(path: str | Path, force: bool = False) -> Iterator[Path]:
    """A new folder to write results into, which is renamed to `path` once the block has succeeded.

    An existing `path` is refused, or with `force` replaced at the end if it holds nothing but results
    of an earlier run. If the block fails, what it wrote is removed and `path` stays as it was.
    Raises `InputError` on entry if `path` cannot be made.
    """
    final = Path(path).resolve()
    _check(final, force)
    partial = final.with_name(f".{final.name}.partial-{secrets.token_hex(4)}")
    try:
        partial.mkdir()
    except OSError as error:
        raise InputError(f"results folder {final} cannot be made: no folder can be written in "
                         f"{final.parent} ({error.strerror})") from error
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    try:
        _check(final, force)
        _publish(partial, final)
    except (InputError, OSError) as error:
        raise InputError(f"the results are complete but stay in {partial}: {error}") from error


def _check(final: Path, force: bool) -> None:
    """Raise `InputError` if a folder of results may not appear under this name."""
    if not final.parent.is_dir():
        raise InputError(f"results folder {final} cannot be made: there is no folder {final.parent}")
    if not final.exists():
        return
    if not final.is_dir():
        raise InputError(f"results folder {final} cannot be made: there is a file of that name")
    if not force:
        raise InputError(f"results folder {final} exists; choose another name, or replace it with --force")
    foreign = sorted(one.name for one in final.iterdir() if one.is_dir() or one.suffix not in _RESULTS)
    if foreign:
        raise InputError(f"results folder {final} is not replaced: it holds {foreign[0]!r}, "
                         "which is no result of a run; move that away or choose another name")
    if any(final.iterdir()) and not (final / SUMMARY).is_file():
        raise InputError(f"results folder {final} is not replaced: it holds no {SUMMARY}, "
                         "so it was not left by a run; choose another name")


def _publish(partial: Path, final: Path) -> None:
    """Give the complete folder its final name; an old one is put aside first and removed last."""
    if not final.exists():
        partial.rename(final)
        return
    old = partial.with_name(partial.name.replace(".partial-", ".old-"))
    final.rename(old)
    try:
        partial.rename(final)
    except OSError:
        old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)
