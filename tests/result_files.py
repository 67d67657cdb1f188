"""What every scenario that sweeps cases leaves in its folder."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from spatial.output.recording_file import read_recording


def check_files(folder: Path, name: str, labels: set[str],
                duration: float) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Check the files, the books and the lengths; the rows of the table, and what the summary found."""
    files = {one.name for one in folder.iterdir()}
    assert files == {f"{name}.png", f"{name}.csv", "summary.json", *(f"{one}.h5" for one in labels)}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["scenario"] == name
    assert summary["largest relative drift"] < 1e-10
    assert summary["smallest concentration"] >= 0
    rows = list(csv.DictReader((folder / f"{name}.csv").open()))
    assert len(rows) == len(summary["found"]) == len(labels)
    assert read_recording(folder / f"{min(labels)}.h5").times[-1] == pytest.approx(duration)
    return rows, summary["found"]
