"""Ordinary scripts run with one slip in each, and what becomes of it: refused, warned of, or silent."""

import importlib
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from limits import Late, limits

from spatial.checks import InputError

FOLDER = Path(__file__).parent / "user_scripts"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
LONGEST = 10.0  # CPU s of one run


@dataclass(frozen=True)
class Slip:
    """One slip in a script: its text `right` becomes `wrong`."""

    what: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Outcome:
    """What became of a run: how it ended, what was said, and how far its answer is from the right one."""

    kind: str  # "silent", "warned", "refused", "raw error", "late", or "Python's" error in the script itself
    said: str = ""
    off: float = np.inf  # the largest relative difference of a number of the answer; infinite without an answer
    where: str = ""  # the number of the answer that differs most
    seconds: float = 0.0  # CPU


def slips_of(script: str) -> list[Slip]:
    """Return the slips that are tried in a script."""
    return [Slip(*words) for words in importlib.import_module(f"user_slips.{script}").SLIPS]


def meant_in(script: str) -> list[Slip]:
    """Return the changes of a script that may well be meant."""
    return [Slip(*words) for words in importlib.import_module(f"user_slips.{script}").MEANT]


def source_of(script: str, slip: Slip | None = None) -> str:
    """Return the text of a script, with a slip in it. Raises `AssertionError` unless the slip fits in one place."""
    text = (FOLDER / f"{script}.py").read_text()
    if slip is None:
        return text
    assert text.count(slip.right) == 1, f"{script}: {slip.right!r} is there {text.count(slip.right)} times"
    return text.replace(slip.right, slip.wrong)


def run(source: str, right: Mapping[str, float] | None = None) -> tuple[Outcome, dict[str, float]]:
    """Run the source of a script, compare its answer with the right one, and return both outcome and answer."""
    names: dict[str, Any] = {"__name__": "script"}
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with limits(LONGEST):
                exec(compile(source, "script", "exec"), names)
        except InputError as error:
            return Outcome("refused", str(error), seconds=time.process_time() - began), {}
        except Late:
            return Outcome("late", seconds=time.process_time() - began), {}
        except Exception as error:
            kind = "raw error" if _is_from_inside(error) else "Python's"
            return Outcome(kind, f"{type(error).__name__}: {error}", seconds=time.process_time() - began), {}
    answer = {name: float(value) for name, value in names["answer"].items()}
    off, where = difference(answer, right or answer)
    ours = [warning for warning in said if warning.category.__module__.startswith("spatial")]
    words = "; ".join(f"{warning.category.__name__}: {warning.message}" for warning in ours)
    return Outcome("warned" if ours else "silent", words, off, where, time.process_time() - began), answer


def difference(answer: Mapping[str, float], right: Mapping[str, float]) -> tuple[float, str]:
    """Return the largest relative difference of two answers, and the name of the number where it is."""
    if set(answer) != set(right):
        return np.inf, "numbers that are there"
    parts = {name: _relative(answer[name], right[name]) for name in right}
    where = max(parts, key=lambda name: parts[name])
    return parts[where], where


def _relative(value: float, right: float) -> float:
    """Return how far a number is from the right one, relative to this; infinite for what is no number."""
    if value == right:
        return 0.0
    return abs(value - right) / abs(right) if right and np.isfinite(value) else np.inf


def _is_from_inside(error: Exception) -> bool:
    """Whether an error came up in the package, not in the script's own words."""
    return any("/spatial/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
