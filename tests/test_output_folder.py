"""A results folder is complete or absent, and never costs anyone a file."""

from pathlib import Path

import pytest

from spatial.checks import InputError
from spatial.output import folder
from spatial.output.folder import results_folder


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
    run(tmp_path / "out", "old")
    (tmp_path / "out" / "gone.png").touch()
    with pytest.raises(RuntimeError), results_folder(tmp_path / "out", force=True):
        raise RuntimeError
    assert (tmp_path / "out" / "summary.json").read_text() == "old"
    run(tmp_path / "out", "new", force=True)
    assert [one.name for one in tmp_path.rglob("*")] == ["out", "summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() == "new"


@pytest.mark.parametrize(("name", "said"), [
    ("thesis.tex", r"holds 'thesis.tex', which is no result of a run; move that away"),
    ("figure.png", r"holds no summary.json, so it was not left by a run; choose another name$"),
])
def test_force_never_replaces_a_folder_that_no_run_left(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("years of work")
    with pytest.raises(InputError, match=said):
        run(tmp_path / "out", force=True)
    assert (tmp_path / "out" / name).read_text() == "years of work"


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


def test_old_results_come_back_when_the_new_ones_cannot_take_their_name(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "out", "old")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError("disk says no")
        return rename(self, target)

    monkeypatch.setattr(folder.Path, "rename", refuse)
    with pytest.raises(InputError, match=r"the results are complete but stay in .*: disk says no$"):
        run(tmp_path / "out", "new", force=True)
    assert (tmp_path / "out" / "summary.json").read_text() == "old"


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
