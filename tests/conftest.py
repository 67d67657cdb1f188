"""What several test files share."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from spatial.checks import InputError
from spatial.output.gl import check_rendering
from spatial.synapses.brian2_loader import load_brian2


@pytest.fixture(scope="session")
def gl() -> None:
    """Skips where no off-screen picture can be drawn, and says what is missing."""
    try:
        check_rendering()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def b2() -> Any:
    """Brian2, its code in plain numpy; skips where it cannot be loaded, and says why."""
    try:
        module = load_brian2()
    except InputError as error:
        pytest.skip(str(error))
    module.prefs.codegen.target = "numpy"
    return module


@pytest.fixture
def record_property(record_property: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """pytest's own, for numpy's numbers too: what a test finds must get from the process it runs in to the report."""
    def record(name: str, value: Any) -> None:
        record_property(name, json.loads(json.dumps(value, default=lambda numbers: numbers.tolist())))

    return record
