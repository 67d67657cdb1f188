"""A folder of results appears under its final name complete, or not at all, and costs nobody a file."""

import hashlib
import json
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from spatial.checks import InputError

MANIFEST = "manifest.json"  # in each folder of results: what a run wrote there
_FORMAT = "spatial results 1"
_COMPRESSED = 0.05  # of the bytes of fields are left at least when they are compressed: 0.045 in a quiet run
_SHOWN = 3  # names in a message


class KeptFiles(UserWarning):
    """A folder of results that was replaced holds files that no run wrote: they stay."""


@contextmanager
def results_folder(path: str | Path, force: bool = False) -> Iterator[Path]:
    """A new folder to write results into, which is renamed to `path` once the block has succeeded.

    It gets a manifest of what was written, with a hash of each file. An existing `path` is refused, or with `force`
    replaced at the end: that is, the files that its manifest lists. What else lies there stays, and is warned of
    with `KeptFiles`. If the block fails, what it wrote is removed and `path` stays as it was. Raises `InputError` on
    entry if `path` cannot be made, has no manifest, or holds a file that was changed after it was listed.
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
        _write_manifest(partial)
        _check(final, force)
        _publish(partial, final)
    except (InputError, OSError) as error:
        raise InputError(f"the results are complete but stay in {partial}: {error}") from error


def check_room(folder: Path, size: float) -> None:
    """Raise `InputError`, before a run, where its fields of so many bytes would not fit onto the disk, compressed."""
    free = shutil.disk_usage(folder).free
    needed = size * _COMPRESSED
    if needed > free:
        raise InputError(f"the fields of the run take at least {needed / 1e9:.2g} GB, and in {folder.parent} there are "
                         f"{free / 1e9:.2g} GB free; make room, or choose another folder with --out")


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
    listed = _manifest(final)
    changed = [name for name in _contents(final) if name in listed and _hash(final / name) != listed[name]]
    if changed:
        raise InputError(f"results folder {final} is not replaced: {_named(changed)} changed after a run wrote it; "
                         "move that away or choose another name")


def _manifest(final: Path) -> Mapping[str, str]:
    """The hash of each file that a run left in an existing folder, by name; nothing in an empty one.

    Raises `InputError` where there is no manifest of a run.
    """
    if not any(final.iterdir()):
        return {}
    try:
        content = json.loads((final / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f"results folder {final} is not replaced: it has no {MANIFEST} of a run, so what a run left "
                         "there cannot be told from what is yours; move it away or choose another name")
    return dict(content["sha256"])


def _write_manifest(folder: Path) -> None:
    """List what a folder holds with a hash of each; equal files, equal bytes."""
    content = {"format": _FORMAT, "sha256": {name: _hash(folder / name) for name in _contents(folder)}}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _contents(folder: Path) -> list[str]:
    """The names of all files and empty folders in a folder, sorted, but for the manifest."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")
             if path.is_symlink() or not path.is_dir() or not any(path.iterdir())]
    return sorted(name for name in names if name != MANIFEST)


def _hash(path: Path) -> str:
    """The SHA-256 of a file; of what is no plain file, nothing."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(partial: Path, final: Path) -> None:
    """Give the complete folder its final name; old results are put aside first and removed last.

    What no run wrote stays where it is in `final`, and the new files come to lie beside it.
    """
    if not final.exists():
        partial.rename(final)
        return
    listed = _manifest(final)
    old = partial.with_name(partial.name.replace(".partial-", ".old-"))
    present = _contents(final)
    kept = [name for name in present if name not in listed]
    if not kept:
        _move([(final, old), (partial, final)])
        shutil.rmtree(old, ignore_errors=True)
        return
    new = _contents(partial)
    taken = [name for name in new if name not in listed and (final / name).exists()]
    if taken:
        raise InputError(f"results folder {final} is not replaced: no run wrote {_named(taken)} there, and the new "
                         "results have that name too; move that away or choose another name")
    replaced = [name for name in present if name in listed]
    _move([*((final / name, old / name) for name in (MANIFEST, *replaced)),
           *((partial / name, final / name) for name in (*new, MANIFEST))])
    for emptied in (old, partial):
        shutil.rmtree(emptied, ignore_errors=True)
    warnings.warn(f"results folder {final} holds {_named(kept)}, which no run wrote: untouched", KeptFiles,
                  stacklevel=4)


def _move(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename each path, one after the other; where one cannot be, all that were get their old names back."""
    done = list[tuple[Path, Path]]()
    try:
        for before, after in moves:
            after.parent.mkdir(parents=True, exist_ok=True)
            before.rename(after)
            done.append((before, after))
    except OSError:
        for before, after in reversed(done):
            after.rename(before)
        raise


def _named(names: Sequence[str]) -> str:
    """The first few of some names."""
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
