"""A results folder is complete or absent, and never costs anyone a file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from spatial.checks import InputError
from spatial.output import folder
from spatial.output.folder import KeptFiles, results_folder


def stop(out: Path) -> None:
    (out / "summary.json").write_text("half")
    raise KeyboardInterrupt


def run(path: Path, text: str = "{}", force: bool = False) -> None:
    with results_folder(path, force) as out:
        (out / "summary.json").write_text(text)


def test_results_appear_under_the_final_name_only_when_the_block_is_over(tmp_path: Path) -> None:
    with results_folder(tmp_path / "out") as out:
        (out / "summary.json").write_text("{}")
        assert out.parent == tmp_path
        assert not (tmp_path / "out").exists()
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "summary.json").read_text() == "{}"


def test_the_manifest_lists_each_file_with_its_hash_and_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    for name in "ab":
        run(tmp_path / name)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["sha256"] == {"summary.json": hashlib.sha256(b"{}").hexdigest()}
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), results_folder(tmp_path / "out") as out:
        stop(out)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    run(tmp_path / "out", "old")
    said = r"out exists; choose another name, or replace it with --force$"
    with pytest.raises(InputError, match=said), results_folder(tmp_path / "out"):
        pytest.fail("the block must not start")
    assert (tmp_path / "out" / "summary.json").read_text() == "old"


def test_force_replaces_old_results_only_by_complete_new_ones(tmp_path: Path) -> None:
    with results_folder(tmp_path / "out") as out:
        (out / "summary.json").write_text("old")
        (out / "gone.png").touch()
    with pytest.raises(RuntimeError), results_folder(tmp_path / "out", force=True):
        raise RuntimeError
    assert (tmp_path / "out" / "summary.json").read_text() == "old"
    run(tmp_path / "out", "new", force=True)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["manifest.json", "out", "summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() == "new"


def mine(out: Path, *names: str) -> dict[Path, int]:
    """Files of a user's own in a folder of results, and the inode of each."""
    for name in names:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("a year of work")
    return {out / name: (out / name).stat().st_ino for name in names}


def test_force_leaves_what_no_run_wrote_where_it_is_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with results_folder(out) as folder:
        for name in ("summary.json", "old.csv"):
            (folder / name).write_text("old")
    (out / "empty").mkdir()
    own = mine(out, "measured.csv", "figure 3.png", "notes.json", "paper/draft.tex")
    said = r"out holds 'empty', 'figure 3.png', 'measured.csv' and 2 more, which no run wrote: untouched$"
    for text in ("new", "newer"):
        with pytest.warns(KeptFiles, match=said):
            run(out, text, force=True)
        assert (out / "summary.json").read_text() == text
        assert {path: path.stat().st_ino for path in own} == own
    files = {path.name for path in out.rglob("*")}
    assert files == {"summary.json", "manifest.json", "empty", "paper", *(path.name for path in own)}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("change", [
    lambda path: path.write_text("my notes in it"), lambda path: (path.unlink(), path.symlink_to("mine"))])
def test_force_never_replaces_a_file_of_a_run_that_was_changed(tmp_path: Path, change: Any) -> None:
    run(tmp_path / "out", "old")
    (tmp_path / "out" / "mine").touch()
    change(tmp_path / "out" / "summary.json")
    with pytest.raises(InputError, match=r"out is not replaced: 'summary.json' changed after a run wrote it; move that "
                                         r"away or choose another name$"), results_folder(tmp_path / "out", True):
        pytest.fail("the block must not start")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "mine", "summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() != "old"


def test_results_survive_where_a_file_that_no_run_wrote_has_their_name(tmp_path: Path) -> None:
    run(tmp_path / "out", "old")
    mine(tmp_path / "out", "figure.png")
    said = r"complete but stay in .*: results folder .* is not replaced: no run wrote 'figure.png' there, and the new"
    with pytest.raises(InputError, match=said), results_folder(tmp_path / "out", force=True) as folder:
        (folder / "figure.png").write_text("new")
    assert (tmp_path / "out" / "figure.png").read_text() == "a year of work"
    assert (tmp_path / "out" / "summary.json").read_text() == "old"
    (kept,) = tmp_path.glob(".out.partial-*")
    assert (kept / "figure.png").read_text() == "new"


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"format": "npm", "sha256": {}}', '{"format": 1}', "\xff"])
@pytest.mark.parametrize("name", ["thesis.tex", "figure.png", "summary.json"])
def test_force_never_replaces_a_folder_whose_files_no_manifest_lists(
        tmp_path: Path, name: str, manifest: str | None) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("years of work")
    if manifest is not None:
        (tmp_path / "out" / "manifest.json").write_text(manifest, encoding="latin-1")
    with pytest.raises(InputError, match=r"out is not replaced: it has no manifest.json of a run, so what a run left "
                                         r"there cannot be told from what is yours; move it away or choose another"):
        run(tmp_path / "out", force=True)
    assert (tmp_path / "out" / name).read_text() == "years of work"


def test_force_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run(tmp_path / "out", "new", force=True)
    assert (tmp_path / "out" / "summary.json").read_text() == "new"


def late(path: Path) -> None:
    with results_folder(path) as out:
        (out / "summary.json").write_text("new")
        run(path, "someone else's")


def test_results_survive_when_the_name_is_taken_during_the_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the results are complete but stay in .*partial.*exists"):
        late(tmp_path / "out")
    assert (tmp_path / "out" / "summary.json").read_text() == "someone else's"
    (kept,) = tmp_path.glob(".out.partial-*")
    assert (kept / "summary.json").read_text() == "new"


@pytest.mark.parametrize("own", [(), ("figure.png",)], ids=["alone", "beside what no run wrote"])
def test_old_results_come_back_when_the_new_ones_cannot_take_their_name(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...]) -> None:
    run(tmp_path / "out", "old")
    mine(tmp_path / "out", *own)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".partial-" in str(self) and self.name != "summary.json":
            raise OSError("disk says no")
        return rename(self, target)

    monkeypatch.setattr(folder.Path, "rename", refuse)
    with pytest.raises(InputError, match=r"the results are complete but stay in .*: disk says no$"):
        run(tmp_path / "out", "new", force=True)
    assert (tmp_path / "out" / "summary.json").read_text() == "old"
    (kept,) = tmp_path.glob(".out.partial-*")
    assert (kept / "summary.json").read_text() == "new"
    assert all((tmp_path / "out" / name).read_text() == "a year of work" for name in own)


def test_a_name_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file cannot be made: there is a file of that name$"):
        run(tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot be made: there is no folder .*absent$"):
        run(tmp_path / "absent" / "out")


def test_an_unwritable_parent_is_refused_in_one_sentence(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:  # root may write anywhere, so permissions alone cannot show this
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(folder.Path, "mkdir", refuse)
    with pytest.raises(InputError, match=r"no folder can be written in .* \(Permission denied\)$"):
        run(tmp_path / "out")
