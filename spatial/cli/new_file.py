"""A file that appears under its name complete, or not at all, and replaces none that nobody gave away."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatial.checks import InputError


@contextmanager
def new_file(path: Path, force: bool, endings: tuple[str, ...] = ()) -> Iterator[Path]:
    """A file of the same name to write to, in a folder of its own, which is moved to `path` at the end.

    If the block fails, what it wrote is removed and `path` stays as it was. Raises `InputError` on entry for a name
    that has none of the endings, a folder that is not there, and a file that exists, unless `force` is set; and at the
    end where more than this file was written.
    """
    check_new(path, force, endings)
    folder = path.resolve().with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    folder.mkdir()
    try:
        yield folder / path.name
        others = sorted(other.name for other in folder.iterdir() if other.name != path.name)
        if others:
            raise InputError(f"{path} cannot be made: its format needs more than one file, {', '.join(others)} too; "
                             "take a format of one file, such as .msh or .vtu")
        (folder / path.name).replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_new(path: Path, force: bool, endings: tuple[str, ...] = ()) -> None:
    """Raise `InputError` if a file may not be made under this name."""
    if endings and path.suffix.lower() not in endings:
        raise InputError(f"{path} cannot be made: its name must end in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be made: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"{path} cannot be made: there is a folder of that name")
    if path.exists() and not force:
        raise InputError(f"{path} exists; choose another name, or replace it with --force")
